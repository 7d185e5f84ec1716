"""The bot's markets: which they are, where their data come from, and how they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.bot.jobs import Told
from cli.bot.market_data import MarketName
from cli.bot.plan import played_for
from cli.output.statuses import StatusGate
from cli.output.symbols import SymbolStates
from cli.run.source import is_part_of
from venues import venue_named
from venues.errors import UsageError
from venues.made import routes_of
from venues.recording import Recording, header_for, with_beside
from venues.records import TROUBLE
from venues.venue import Settings, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from cli.bot.plan import BotRequest, Plan
    from cli.run.loop import Loop
    from cli.run.source import Embedded
    from venues import events
    from venues.recording import Header
    from venues.records import State, Status

_WORST_FIRST: tuple[State, ...] = ("closed", "reconnecting", "stale", "connecting", "syncing", "live")


# --- where their data come from ------------------------------------------------------------------------------------


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


class Inlet:
    """Opens what a bot needs, in the loop of its run."""

    def __init__(self, run: Loop, recording: Recording | None, standings: Standings) -> None:
        self._run = run
        self._recording = recording
        self._standings = standings
        self._headers: list[Header] = []

    async def open(
        self, planned: Sequence[Plan], embedded: Embedded, say: Callable[[str], None]
    ) -> dict[str, str | None]:
        """Open what is planned. The result is the label of each venue's environment.

        Raises:
            SetupError: something is missing or cannot be used.
        """
        if self._recording is not None:
            return await self._open_recorded(planned, self._recording, embedded, say)
        labels: dict[str, str | None] = {}
        number = 0
        for plan in planned:
            for route in routes_of(plan.venue, plan.subscriptions, Settings(url="")):
                settings = await self._run.open(plan.venue, route.subscriptions, embedded, say)
                self._expect(number, plan, route.subscriptions, settings.label)
                number += 1
            labels[plan.venue.name] = settings.label
            self._headers.append(header_for(plan.venue.name, settings, plan.subscriptions))
        return labels

    async def _open_recorded(
        self, planned: Sequence[Plan], recording: Recording, embedded: Embedded, say: Callable[[str], None]
    ) -> dict[str, str | None]:
        """Open one source for all that a recording has."""
        if not planned:
            return {}
        played = {plan.venue.name: played_for(plan, recording.header) for plan in planned}
        first, *others = planned
        beside = {plan.venue.name: played[plan.venue.name] for plan in others}
        settings = await self._run.open(first.venue, played[first.venue.name], embedded, say, beside=beside)
        plans = {plan.venue.name: plan for plan in planned}
        number = 0
        for venue, subscriptions in self._run.recorded():
            for route in routes_of(venue_named(venue), subscriptions, Settings(url="")):
                if venue in plans:
                    wanted = [one for one in route.subscriptions if is_part_of(one, played[venue])]
                    self._expect(number, plans[venue], wanted, settings.label)
                number += 1
        return dict.fromkeys(played, settings.label)

    def _expect(self, line: int, plan: Plan, subscriptions: Sequence[Subscription], label: str | None) -> None:
        for one in subscriptions:
            self._standings.expect(line, one.stream, *one.symbols)
            watched = [symbol for symbol in one.symbols if symbol in plan.symbols]
            self._run.limits.expect_markets(line, one.stream, watched, plan.venue.name, label)

    def record(self) -> str | None:
        """Begin to record, where that was asked for. The result is what a person should know about that.

        Raises:
            RecordingError: the file cannot be written.
        """
        return self._run.record(with_beside(self._headers)) if self._headers else None


# --- how they stand ------------------------------------------------------------------------------------------------


class Standings:
    """Follows the statuses of all lines. A market is down while any of its streams is."""

    def __init__(self, markets: Sequence[MarketName]) -> None:
        self._markets = markets
        self._states: dict[_Place, SymbolStates] = {}
        self._gates: dict[_Place, StatusGate] = {}
        self._troubles: dict[MarketName, set[_Place]] = {market: set() for market in markets}
        self._closed: set[MarketName] = set()

    def expect(self, line: int, stream: str, *symbols: str) -> None:
        """Note that a stream of these symbols is about to be opened."""
        self._states.setdefault((line, stream), SymbolStates(())).expect(symbols)

    def changed(self, line: int, status: Status) -> Told:
        """What a status means for its markets. One without a symbol is about all symbols that its line has."""
        place = (line, status.stream)
        if place not in self._states:
            self.expect(*place, *(market.symbol for market in self._markets if market.venue == status.venue))
        symbols = set(self._states[place].take(status))
        inline = self._gates.setdefault(place, StatusGate()).passes(status)
        about = [m for m in self._markets if m.venue == status.venue and m.symbol in symbols]
        down: list[MarketName] = []
        live: list[MarketName] = []
        for market in about:
            troubles = self._troubles[market]
            was_down = bool(troubles)
            if status.state in TROUBLE:
                troubles.add(place)
            elif status.state == "live":
                troubles.discard(place)
            is_closed = status.state == "closed" and market not in self._closed
            if is_closed or bool(troubles) != was_down:  # of what was down already it is news that it stays so
                (down if troubles else live).append(market)
            if is_closed:
                self._closed.add(market)
            elif not troubles:
                self._closed.discard(market)
        return Told(status, down, live, about, inline)

    def together(self) -> State:
        """The worst state of all streams: the one of a table's header."""
        having = {state for states in self._states.values() for state in states.having()}
        return next((state for state in _WORST_FIRST if state in having), "live")


_Place = tuple[int, str]  # the number of a line, and a stream
