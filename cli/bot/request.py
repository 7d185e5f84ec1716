"""What a user asked a bot's run to be, and the recording that it plays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cli.bot.plan import MarketName
from cli.output.lines import draws_table
from cli.run.options import RunRequest
from venues import venue_named
from venues.errors import UsageError
from venues.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from venues import events


@dataclass
class BotRequest(RunRequest):
    """Everything a user said about a bot's run, beside what every run can be asked.

    `listen` is host and port of the bot's own feed and webhooks; `relay` the hub that position signals go to, under the
    name `strategy`, the script's own if None.
    """

    file: Path
    markets: list[MarketName] = field(default_factory=list)
    history: list[Path] = field(default_factory=list)
    listen: tuple[str, int] | None = None
    relay: str | None = None
    strategy: str | None = None

    def as_table(self) -> bool:
        """Whether what the bot emits is drawn."""
        return draws_table(self.output)

    def check_record(self) -> None:
        """Check that the recording to be written is no file that is read.

        Raises:
            UsageError: it is a file that is read.
        """
        for read in (self.file, *self.history):
            if self.record is not None and self.record.exists() and read.exists() and self.record.samefile(read):
                raise UsageError(f"--record {self.record} would take the place of a file that is read; take another")


class PeekedRecording(Recording):
    """A recording whose first event is read ahead: the script starts at its time."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._rest = super().events()
        self.first = next(self._rest, None)

    def events(self) -> Iterator[events.Event]:
        """All events in order, with the one that was read ahead."""
        if self.first is not None:
            yield self.first
        yield from self._rest


def markets_of(request: BotRequest, recording: Recording | None) -> list[MarketName]:
    """The markets that the bot watches: those asked for, or all that a recording has.

    Raises:
        UsageError: the recording is of other markets.
    """
    if recording is None:
        return request.markets
    recorded = list(
        dict.fromkeys(
            MarketName(venue_named(header.venue).name, symbol)
            for header in recording.header.venues()
            for subscription in header.subscriptions
            for symbol in subscription.symbols
        )
    )
    for market in request.markets:
        if market not in recorded:
            raise UsageError(
                f"{request.replay} is a recording of {', '.join(map(str, recorded)) or 'no market'}, not of {market}"
            )
    return request.markets or recorded
