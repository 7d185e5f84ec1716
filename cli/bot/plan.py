"""What the user asked a bot's run to be, and which streams of which venue the script needs for that."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cli.bot.market_data import LEVELS, MarketName, made_of
from cli.bot.script import CANDLE
from cli.output.lines import draws_table
from cli.run.asked import streams_of
from cli.run.options import RunRequest
from venues import venue_named
from venues.errors import UsageError
from venues.made import routes_of
from venues.venue import Settings, Subscription

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from cli.bot.script import Bot
    from venues.recording import Header
    from venues.venue import Venue

AUTO = Path("auto")  # in the place of a history's file: the recordings of the folder
MARKET_DATA = ("quotes", "trades", "candles")
HubPosition = Literal["long", "short", "flat"]  # what a hub has of a market


@dataclass
class BotRequest(RunRequest):
    """Everything a user said about a bot's run, beside what every run can be asked.

    `then` are the recordings that are played after `replay`, in their order. `more` are further scripts, `settings`
    what the user sets of each. `listen` is host and port of their own feed and webhooks; `relay` the hub that position
    signals go to, under the name `strategy`, the script's own if None. `held`, by script, and `held_file` are what it
    has at the start. `report` is the file that the summary goes to as JSON too, and the two in `bps` are what trading
    is taken to cost in it, in hundredths of a percent. `script_time` is whose time the script's own `time` and
    `datetime` tell in a replay; today's if None. `reload`: scripts are loaded anew when they are saved.
    `recordings_folder` is where a history that is `AUTO` is looked for.
    """

    file: Path
    markets: list[MarketName] = field(default_factory=list)
    history: list[Path] = field(default_factory=list)
    listen: tuple[str, int] | None = None
    relay: str | None = None
    strategy: str | None = None
    report: Path | None = None
    fee_bps: Decimal = Decimal(0)
    slippage_bps: Decimal = Decimal(0)
    held: dict[str, dict[MarketName, HubPosition]] = field(default_factory=dict)
    held_file: Path | None = None
    script_time: Literal["recording"] | None = None
    reload: bool = False
    recordings_folder: Path | None = None
    then: list[Path] = field(default_factory=list)
    more: list[Path] = field(default_factory=list)
    settings: dict[Path, dict[str, str]] = field(default_factory=dict)

    @property
    def files(self) -> list[Path]:
        """All scripts of the run, in the order in which they were named."""
        return [self.file, *self.more]

    @property
    def recordings(self) -> list[Path]:
        """All recordings of a replay, in their order; none where the run is live."""
        return [] if self.replay is None else [self.replay, *self.then]

    @property
    def name(self) -> str:
        """The names of the scripts, for people."""
        return ", ".join(file.name for file in self.files)

    def as_table(self) -> bool:
        """Whether what the bot emits is drawn."""
        return draws_table(self.output)

    def check_files(self) -> None:
        """Check that no file to be written is one that is read, and that no two of them are the same.

        Raises:
            UsageError: it is a file that is read, or that something else is written to.
        """
        kept = [] if self.held_file is None else [self.held_file]
        reads = [*self.files, *(path for path in self.history if path != AUTO), *self.recordings, *kept]
        writes = [("record", self.record), ("report", self.report)]
        for option, written in writes:
            if written is not None and any(_are_same(written, read) for read in reads):
                raise UsageError(f"--{option} {written} would take the place of a file that is read; take another")
        if self.record is not None and self.report is not None and _are_same(self.record, self.report):
            raise UsageError(f"expected two files as --record and --report, got {self.report} as both")


def _are_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, also to one that is still to be made."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


@dataclass
class Plan:
    """What is asked of one venue.

    `candles_from` is the stream that candles are made from. Where that is `candles`, `finer` has for each level the
    interval that it is put together from; where it is `trades`, `finer` is empty. `for_summary` are streams that no
    script has a use for.
    """

    venue: Venue
    symbols: list[str]
    subscriptions: list[Subscription] = field(default_factory=list)
    candles_from: str | None = None
    finer: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    for_summary: set[str] = field(default_factory=set)
    missing: dict[str, str] = field(default_factory=dict)  # what cannot be called here, and why, in words

    def streams(self) -> set[str]:
        """The names of the streams that the bot needs here."""
        return {subscription.stream for subscription in self.subscriptions}


def plans(bot: Bot, markets: Sequence[MarketName], recorded: Header | None = None) -> list[Plan]:
    """What to open at each venue; nothing when the bot wants nothing of a market.

    A venue that does not have what a callback needs is left out of that callback, as long as it has what another one
    needs, or another venue has it.

    Raises:
        UsageError: no venue has anything that the bot needs, or the recording lacks what its venue has.
    """
    by_venue: dict[str, list[str]] = {}
    for market in markets:
        by_venue.setdefault(market.venue, []).append(market.symbol)
    if not bot.wants_markets:
        return []
    headers = {name: None if recorded is None else recorded.of(name) for name in by_venue}
    found = [_plan(bot, venue_named(name), symbols, headers[name]) for name, symbols in by_venue.items()]
    remarks: list[str] = []
    for missing in {name: None for plan in found for name in plan.missing}:
        problems = [plan.missing[missing] for plan in found if missing in plan.missing]
        has_others = any(plan.subscriptions for plan in found) and not any(
            _offers(plan.venue, missing) for plan in found
        )
        if len(problems) == len(found) and missing in bot.callbacks and not has_others:
            raise UsageError(problems[0])
        remarks += [f"{problem}; it has nothing of its markets" for problem in problems]
    opened = [plan for plan in found if plan.subscriptions]
    if opened:
        opened[0].remarks[:0] = remarks
    return opened


def plans_of_time(markets: Sequence[MarketName], recorded: Header) -> list[Plan]:
    """What to play of a recording for a script that wants nothing of a market, such as one with schedules alone.

    Its time goes on by the recording's events, and what it signals is filled by the recording's prices.

    Raises:
        UsageError: the recording is of no market.
    """
    if not markets:
        streams = ", ".join(dict.fromkeys(one.stream for header in recorded.venues() for one in header.subscriptions))
        raise UsageError(f"expected a recording of a market, got one of {streams or 'nothing'}")
    found: dict[str, Plan] = {}
    for market in markets:
        plan = found.setdefault(market.venue, Plan(venue_named(market.venue), []))
        plan.symbols.append(market.symbol)
    for plan in found.values():
        header = recorded.of(plan.venue.name)
        asked = [] if header is None else header.asked_for()
        has = {one.stream for one in asked if not set(plan.symbols).isdisjoint(one.symbols)}
        stream = next((name for name in ("trades", "candles") if name in has), None)
        plan.subscriptions = [one for one in asked if stream in (None, one.stream)]
    return list(found.values())


def merged(planned: Sequence[Sequence[Plan]]) -> list[Plan]:
    """What to open at each venue for several scripts: whatever any of them needs, once."""
    by_venue: dict[str, Plan] = {}
    for plan in (plan for plans in planned for plan in plans):
        whole = by_venue.setdefault(plan.venue.name, Plan(plan.venue, []))
        whole.symbols += [symbol for symbol in plan.symbols if symbol not in whole.symbols]
        whole.subscriptions += [one for one in plan.subscriptions if one not in whole.subscriptions]
    return list(by_venue.values())


def add_prices(opened: Sequence[Plan], headers: Sequence[Header]) -> None:
    """Let the quotes of recordings be played for the summary too, where no script asks for them.

    They are, of each market, where each recording of it has them: else it would have no prices for a part of the time.
    """
    for plan in opened:
        if "quotes" in plan.streams():
            continue
        recorded = [found for header in headers if (found := header.of(plan.venue.name)) is not None]
        lacking = {symbol for one in recorded for symbol in _symbols_of(one) - _quoted_symbols(plan.venue, one)}
        symbols = [symbol for symbol in plan.symbols if symbol not in lacking]
        if symbols:
            _subscribe(plan, "quotes", symbols)
            plan.for_summary.add("quotes")


def _symbols_of(header: Header, stream: str | None = None) -> set[str]:
    return {symbol for one in header.subscriptions if stream in (None, one.stream) for symbol in one.symbols}


def _quoted_symbols(venue: Venue, header: Header) -> set[str]:
    """The symbols of which a venue's part of a recording has quotes."""
    comes_along = "quotes" in venue.streams and venue.streams["quotes"].unasked
    if comes_along and "quotes" in streams_of(venue, header):
        return _symbols_of(header)
    return _symbols_of(header, "quotes")


def played_for(plan: Plan, header: Header) -> list[Subscription]:
    """What is wanted of a recording: subscriptions that it was made with, and streams that came along unasked."""
    recorded = header.of(plan.venue.name)
    asked = [] if recorded is None else recorded.asked_for()
    wanted = {(one.stream, symbol) for one in plan.subscriptions for symbol in one.symbols}
    made_of = [one for one in asked if not wanted.isdisjoint((one.stream, symbol) for symbol in one.symbols)]
    had = {(one.stream, symbol) for one in made_of for symbol in one.symbols}
    return made_of + [one for one in plan.subscriptions if had.isdisjoint((one.stream, name) for name in one.symbols)]


def _plan(bot: Bot, venue: Venue, symbols: list[str], recorded: Header | None) -> Plan:
    plan = Plan(venue, symbols)
    has = venue.streams if recorded is None else streams_of(venue, recorded)
    for stream, callback in (("quotes", "quote_update"), ("trades", "trade_update")):
        if callback not in bot.callbacks and stream not in bot.looks_up:
            continue
        if stream in has:
            _subscribe(plan, stream, symbols)
        else:
            who = callback if callback in bot.callbacks else f"the latest of {stream}"
            plan.missing[who] = _lack(bot, venue, stream, who, has, recorded)
    levels = bot.levels()
    if levels and "trades" in has:
        plan.candles_from = "trades"
        if "trades" not in plan.streams():
            _subscribe(plan, "trades", symbols)
    elif levels and "candles" in has:
        plan.candles_from = "candles"
        _from_candles(plan, levels, recorded)
    elif levels:
        who = f"{CANDLE}{levels[0]}"
        plan.missing[who] = _lack(bot, venue, "candles", who, has, recorded)
    return plan


def _offers(venue: Venue, callback: str) -> bool:
    """Whether a venue has what a callback needs."""
    needs = {"quote_update": {"quotes"}, "trade_update": {"trades"}}.get(callback, {"trades", "candles"})
    return not needs.isdisjoint(venue.streams)


def _lack(bot: Bot, venue: Venue, stream: str, who: str, has: Collection[str], recorded: Header | None) -> str:
    if recorded is not None:
        return f"{who} of {bot.name} needs {stream}, and the recording is of {', '.join(has) or 'nothing'}"
    return f"{who} of {bot.name} needs {stream}, and {venue.name} has: {', '.join(venue.streams)}"


def _subscribe(plan: Plan, stream: str, symbols: Sequence[str], intervals: Sequence[str] = ("1m",)) -> None:
    together = plan.venue.streams[stream].symbols == "many"
    for some in [tuple(symbols)] if together else [(symbol,) for symbol in symbols]:
        plan.subscriptions += [Subscription(stream, some, interval=interval) for interval in intervals]


def _from_candles(plan: Plan, levels: Sequence[str], recorded: Header | None) -> None:
    """Subscribe to candles: of each level's own interval, or of a finer one that it can be put together from."""
    if recorded is None:
        offered = [name for name in LEVELS if _is_offered(plan.venue, name, plan.symbols[0])]
    else:
        offered = list(dict.fromkeys(s.interval for s in recorded.subscriptions if s.stream == "candles"))
    who = plan.venue.name if recorded is None else "the recording"
    for level in levels:
        interval = made_of(LEVELS[level], offered)
        if interval is None:
            raise UsageError(f"{CANDLE}{level} needs candles of {level} or finer, and {who} has: {' '.join(offered)}")
        plan.finer[level] = interval
        if interval != level:
            plan.remarks.append(f"{who} has no candles of {level}: they are put together from those of {interval}")
    _subscribe(plan, "candles", plan.symbols, list(dict.fromkeys(plan.finer.values())))


def _is_offered(venue: Venue, interval: str, symbol: str) -> bool:
    try:
        routes_of(venue, [Subscription("candles", (symbol,), interval=interval)], Settings(url=""))
    except UsageError:
        return False
    return True
