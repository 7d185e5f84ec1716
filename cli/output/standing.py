"""How a stream stands, as conditions see it: live or not, for how long its latest data has been there. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.output.conditions import Seen
from cli.output.symbols import SymbolStates

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from venues.records import Record, Status
    from venues.venue import ClockOffset, Confirmed, Now


class Stand:
    """One stream, or one of its several symbols. `seen` is what a condition gets; it is kept up to date."""

    __slots__ = ("_aged", "_aged_at", "_was_live", "changed", "live", "partial", "seen", "status")

    def __init__(self, *, partial: bool) -> None:
        self.live = False
        self.changed = False  # whether its last status has another state than the one before
        self.partial = partial
        self.status: Status | None = None
        self.seen = Seen()
        self._was_live = False
        self._aged: int | None = None  # how old the latest data was when it came, …
        self._aged_at: float  # … and when that was

    def note(self, status: Status) -> None:
        """Take in a status of it."""
        self.changed = self.status is None or status.state != self.status.state
        self.status = status
        self.live = status.state == "live"
        self._was_live = self._was_live or self.live
        seen = self.seen
        seen.state = status.state
        seen.stale = not self.live if self._was_live else None
        seen.partial = self.partial if self.live else None

    def refresh(self, age: int, now: Now) -> None:
        """Data has come, or was confirmed, that is so many milliseconds old."""
        self._aged, self._aged_at = max(0, age), now.mono

    def look(self, now: Now) -> None:
        """Bring the age up to date."""
        self.seen.age_ms = None if self._aged is None else self._aged + round((now.mono - self._aged_at) * 1000)


class Stands:
    """All that is known of how a stream stands; each of several symbols by itself."""

    def __init__(self, stream: str, symbols: Sequence[str], *, partial: bool) -> None:
        """`symbols`: those of a stream that has several; empty where all that is said is about the stream."""
        self.stream = stream
        self.whole = Stand(partial=partial)
        self._of = {symbol: Stand(partial=partial) for symbol in symbols}
        self._states = SymbolStates(symbols)
        self._offset = 0

    def of(self, symbol: str | None) -> Stand:
        """The one that a record of that symbol belongs to."""
        return self._of.get(symbol or "", self.whole) if self._of else self.whole

    def all(self) -> Iterator[Stand]:
        """Every one that is judged by itself."""
        yield from self._of.values() or (self.whole,)

    def take(self, status: Status) -> list[Stand]:
        """Note a status; the ones that it is about."""
        if not self._of:
            about = [self.whole]
        else:
            about = [self._of[symbol] for symbol in self._states.take(status) if symbol in self._of]
        for stand in about:
            stand.note(status)
        return about

    def move(self, offset: ClockOffset) -> None:
        """Note how far the venue's clock is ahead of ours from here on."""
        self._offset = offset.ms

    def data(self, record: Record, now: Now) -> Stand:
        """Note the age of a record that has come."""
        stand = self.of(record.symbol)
        stand.refresh(self._age(record.time, now), now)
        stand.look(now)
        return stand

    def confirmed(self, confirmed: Confirmed, now: Now) -> None:
        """Note that what is known came again, unchanged."""
        about = self.all() if confirmed.symbol is None else (self.of(confirmed.symbol),)
        for stand in about:
            stand.refresh(self._age(confirmed.time, now), now)

    def empty(self, now: Now) -> None:
        """Note a full state without a row: it is data too."""
        for stand in self.all():
            stand.refresh(self._age(None, now), now)

    def _age(self, time: int | None, now: Now) -> int:
        return 0 if time is None else now.epoch_ms + self._offset - time
