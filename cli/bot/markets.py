"""The bot's markets: which they are, where their data come from, and how they stand."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from cli.bot.jobs import Told
from cli.bot.market_data import MarketName
from cli.bot.plan import played_for
from cli.output.statuses import StatusGate
from cli.output.symbols import SymbolStates
from cli.run.asked import streams_of
from cli.run.loop import Then
from cli.run.source import is_part_of
from venues import venue_named
from venues.errors import UsageError
from venues.made import routes_of
from venues.recording import header_for, with_beside
from venues.records import TROUBLE, Status
from venues.venue import Settings, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cli.bot.plan import BotRequest, Plan
    from cli.bot.timing.time_line import PeekedRecording, TimeLine
    from cli.run.loop import Loop
    from cli.run.source import Embedded
    from venues.driver import Delivered
    from venues.recording import Header
    from venues.records import State
    from venues.venue import Now

_WORST_FIRST: tuple[State, ...] = ("closed", "reconnecting", "stale", "connecting", "syncing", "live")


# --- where their data come from ------------------------------------------------------------------------------------


def markets_of(request: BotRequest, recording: TimeLine | None) -> list[MarketName]:
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
            are = "is a recording" if len(recording.recordings) == 1 else "are recordings"
            has = ", ".join(map(str, recorded)) or "no market"
            raise UsageError(f"{recording} {are} of {has}, not of {market}")
    return request.markets or recorded


class _Stood(NamedTuple):
    """A market's place on a line of a recording."""

    line: int
    stream: str
    market: MarketName
    label: str | None

    def status(self, now: Now, reason: str) -> Status:
        """That it is not live, and why."""
        return Status(
            venue=self.market.venue,
            env=self.label,
            symbol=self.market.symbol,
            received=now.epoch_ms,
            stream=self.stream,
            state="reconnecting",
            reason=reason,
        )


def _had_by(planned: Sequence[Plan], recording: PeekedRecording) -> list[Plan]:
    """What is planned of the markets that one of several recordings has.

    Raises:
        UsageError: it has them without a stream that the script needs: its part of the time would miss that unsaid.
    """
    found: list[Plan] = []
    for plan in planned:
        header = recording.header.of(plan.venue.name)
        recorded = {symbol for one in header.subscriptions for symbol in one.symbols} if header is not None else set()
        symbols = [symbol for symbol in plan.symbols if symbol in recorded]
        if header is None or not symbols:
            continue
        lacks = plan.streams() - plan.for_summary - {*streams_of(plan.venue, header)}
        lacks |= {
            f"candles of {one.interval}"
            for one in plan.subscriptions
            if one.stream == "candles" and one.interval not in {each.interval for each in header.subscriptions}
        }
        if lacks:
            missing = " and no ".join(sorted(lacks))
            raise UsageError(
                f"expected the same streams in every --replay: {recording.path} has no {missing} "
                f"of {plan.venue.name}, which another one has and the script needs"
            )
        narrowed = [(one, tuple(name for name in one.symbols if name in symbols)) for one in plan.subscriptions]
        subscriptions = [replace(one, symbols=names) for one, names in narrowed if names]
        found.append(replace(plan, symbols=symbols, subscriptions=subscriptions))
    return found


class Inlet:
    """Opens what a bot needs, in the loop of its run."""

    def __init__(self, run: Loop, recording: TimeLine | None, standings: Standings) -> None:
        self._run = run
        self._recording = recording
        self._standings = standings
        self._headers: list[Header] = []
        self._stood: dict[MarketName, list[_Stood]] = {}

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
        self, planned: Sequence[Plan], time_line: TimeLine, embedded: Embedded, say: Callable[[str], None]
    ) -> dict[str, str | None]:
        """Open one source for all that a recording has; of several recordings each, in their order."""
        labels: dict[str, str | None] = {}
        line = 0
        for recording in time_line.recordings:
            here = planned if len(time_line.recordings) == 1 else _had_by(planned, recording)
            if not here:
                if planned:
                    say(f"{recording.path} has nothing of the bot's markets: it is left out")
                continue
            places: list[_Stood] = []
            played = {plan.venue.name: played_for(plan, recording.header) for plan in here}
            first, *others = here
            settings = await self._run.open(
                first.venue,
                played[first.venue.name],
                embedded,
                say,
                beside={plan.venue.name: played[plan.venue.name] for plan in others},
                then=Then(recording, line, partial(self._begins, recording.path, line, places)),
            )
            line = self._expect_recorded(line, here, played, settings.label, places)
            labels |= dict.fromkeys(played, settings.label)
            if not self._stood:  # it is the first one that is played
                self._stand(places)
        return labels

    def _expect_recorded(
        self,
        line: int,
        planned: Sequence[Plan],
        played: Mapping[str, list[Subscription]],
        label: str | None,
        places: list[_Stood],
    ) -> int:
        """Note what the recording that was opened last will bring, in `places` too. The result is its next line."""
        plans = {plan.venue.name: plan for plan in planned}
        for venue, subscriptions in self._run.recorded():
            for route in routes_of(venue_named(venue), subscriptions, Settings(url="")):
                if venue in plans:
                    wanted = [
                        one
                        for one in route.subscriptions
                        if is_part_of(one, played[venue]) and one.stream not in plans[venue].for_summary
                    ]
                    self._expect(line, plans[venue], wanted, label)
                    places += [
                        _Stood(line, one.stream, MarketName(venue_named(venue).name, symbol), label)
                        for one in wanted
                        for symbol in one.symbols
                    ]
                line += 1
        return line

    def _stand(self, places: Sequence[_Stood]) -> None:
        """Note where the markets of the recording that plays now stand."""
        for market in {place.market for place in places}:
            self._stood[market] = [place for place in places if place.market == market]

    def _begins(
        self, path: Path, first_line: int, places: Sequence[_Stood], now: Now
    ) -> Iterator[tuple[int, list[Delivered]]]:
        """Between two recordings no market is live: those of the next one until they are, the others from now on.

        A stream that has never been live has nothing to lose: it is as it is in a first recording that lacks it.
        """
        for place in dict.fromkeys(places):
            if self._standings.has_been_live(place.stream, place.market):
                yield place.line, [place.status(now, f"{path} begins")]
        next_markets = {place.market for place in places}
        for market, stood in self._stood.items():
            if market not in next_markets:
                for place in dict.fromkeys(stood):
                    yield place.line, [place.status(now, f"{path} has nothing of it")]
        self._standings.forget_before(first_line, next_markets)
        self._stand(places)

    def _expect(self, line: int, plan: Plan, subscriptions: Sequence[Subscription], label: str | None) -> None:
        for one in subscriptions:
            self._standings.expect(line, one.stream, *one.symbols)
            watched = [symbol for symbol in one.symbols if symbol in plan.symbols]
            markets = [MarketName(plan.venue.name, symbol) for symbol in watched]
            self._standings.wait_for(line, one.stream, markets, later=bool(self._stood))
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
        self._awaited: dict[MarketName, set[_Place]] = {}  # the streams of a market that have not been live yet
        self._been_live: dict[tuple[str, MarketName], bool] = {}  # by stream and market, on whatever line

    def wait_for(self, line: int, stream: str, markets: Iterable[MarketName], *, later: bool) -> None:
        """Note that these markets are not live before this stream of theirs is; `later`: in a recording to come."""
        for market in markets:
            self._been_live.setdefault((stream, market), False)
            if not later:
                self._awaited.setdefault(market, set()).add((line, stream))

    def is_live(self, market: MarketName) -> bool:
        """Whether nothing is wrong with a market, and each of its streams has been live."""
        return not self._troubles.get(market) and not self._awaited.get(market)

    def has_been_live(self, stream: str, market: MarketName) -> bool:
        """Whether a stream of a market has been live so far."""
        return self._been_live.get((stream, market), False)

    def never_live(self) -> dict[str, list[MarketName]]:
        """The streams that have not been live so far, each with its markets."""
        found: dict[str, list[MarketName]] = {}
        for (stream, market), been_live in self._been_live.items():
            if not been_live:
                found.setdefault(stream, []).append(market)
        return found

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
                self._awaited.get(market, set()).discard(place)
                self._been_live[status.stream, market] = True
            is_closed = status.state == "closed" and market not in self._closed
            if is_closed or bool(troubles) != was_down:  # of what was down already it is news that it stays so
                (down if troubles else live).append(market)
            if is_closed:
                self._closed.add(market)
            elif not troubles:
                self._closed.discard(market)
        return Told(status, down, live, about, [market for market in about if self.is_live(market)], inline)

    def forget_before(self, line: int, markets: Iterable[MarketName]) -> None:
        """Lines before this one have ended: what was wrong with these markets there no longer matters."""
        for market in markets:
            for places in (self._troubles, self._awaited):
                places[market] = {place for place in places.get(market, ()) if place[0] >= line}
        for place in [place for place in self._states if place[0] < line]:
            del self._states[place]

    def together(self) -> State:
        """The worst state of all streams: the one of a table's header."""
        having = {state for states in self._states.values() for state in states.having()}
        return next((state for state in _WORST_FIRST if state in having), "live")


_Place = tuple[int, str]  # the number of a line, and a stream
