"""What is said in a stream where records were left out, because nobody read them and there was no more room. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venues.records import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WHY = "nobody reads them, and there is no room for more"


class Gap:
    """The statuses of one stream for that; `epoch_ms` is our clock."""

    def __init__(
        self,
        stream: str,
        *,
        venue: str,
        env: str | None,
        symbol: str | None,
        partial: bool,
        epoch_ms: Callable[[], int],
    ) -> None:
        self._stream = stream
        self._venue, self._env, self._symbol = venue, env, symbol
        self._partial = partial
        self._epoch_ms = epoch_ms

    def in_events(self, count: int) -> Status:
        """A status that says that so many events are missing here."""
        return self._status(live=True, reason=f"{count} are left out here: {WHY}")

    def in_rows(self, count: int) -> Sequence[Status]:
        """The statuses that say that rows are missing: the state is lost, unless the stream has only changes."""
        stale = self._status(live=False, reason=f"{count} rows are left out: {WHY}")
        return [stale, self._status(live=True, reason="partial: changes since then")] if self._partial else [stale]

    def _status(self, *, live: bool, reason: str) -> Status:
        return Status(
            venue=self._venue,
            env=self._env,
            symbol=self._symbol,
            received=self._epoch_ms(),
            stream=self._stream,
            state="live" if live else "stale",
            reason=reason,
        )


def no_words(count: int) -> Sequence[Status]:
    """No status, for output that has no place for one."""
    return ()
