"""What the user asked a bot's run to be, and which streams of which venue the script needs for that."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple

from cli.bot.market_data import LEVELS, made_of
from cli.bot.script import CALLBACKS, CANDLE
from cli.output.lines import draws_table
from cli.run.asked import streams_of
from cli.run.options import RunRequest
from venues import venue_named
from venues.errors import UsageError
from venues.made import routes_of
from venues.venue import Settings, Subscription

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from cli.bot.script import Bot
    from venues.recording import Header
    from venues.venue import Venue

MARKET_DATA = ("quotes", "trades", "candles")
HubPosition = Literal["long", "short", "flat"]  # what a hub has of a market


class MarketName(NamedTuple):
    """A venue and a symbol there: `src` and `sym` of a script."""

    venue: str
    symbol: str

    def __str__(self) -> str:
        return f"{self.venue}:{self.symbol}"


@dataclass
class BotRequest(RunRequest):
    """Everything a user said about a bot's run, beside what every run can be asked.

    `more` are further scripts, `settings` what the user sets of each. `listen` is host and port of their own feed and
    webhooks; `relay` the hub that position signals go to, under the name `strategy`, the script's own if None. `held`
    and `held_file` are what it has at the start. `report` is the file that the summary goes to as JSON too, and the two
    in `bps` are what trading is taken to cost in it, in hundredths of a percent.
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
    held: dict[MarketName, HubPosition] = field(default_factory=dict)
    held_file: Path | None = None
    more: list[Path] = field(default_factory=list)
    settings: dict[Path, dict[str, str]] = field(default_factory=dict)

    @property
    def files(self) -> list[Path]:
        """All scripts of the run, in the order in which they were named."""
        return [self.file, *self.more]

    @property
    def name(self) -> str:
        """The names of the scripts, for people."""
        return ", ".join(file.name for file in self.files)

    def as_table(self) -> bool:
        """Whether what the bot emits is drawn."""
        return draws_table(self.output)

    def check_record(self) -> None:
        """Check that no file to be written is one that is read.

        Raises:
            UsageError: it is a file that is read.
        """
        beside = [path for path in (self.replay, self.held_file) if path is not None]
        for read in (*self.files, *self.history, *beside):
            for option, written in (("record", self.record), ("report", self.report)):
                if written is not None and written.exists() and read.exists() and written.samefile(read):
                    raise UsageError(f"--{option} {written} would take the place of a file that is read; take another")


@dataclass
class Plan:
    """What is asked of one venue.

    `candles_from` is the stream that candles are made from. Where that is `candles`, `finer` has for each level the
    interval that it is put together from; where it is `trades`, `finer` is empty.
    """

    venue: Venue
    symbols: list[str]
    subscriptions: list[Subscription] = field(default_factory=list)
    candles_from: str | None = None
    finer: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def streams(self) -> set[str]:
        """The names of the streams that the bot needs here."""
        return {subscription.stream for subscription in self.subscriptions}


def plans(bot: Bot, markets: Sequence[MarketName], recorded: Header | None = None) -> list[Plan]:
    """What to open at each venue; nothing when the bot has no callback for a market.

    Raises:
        UsageError: a venue, or the recording, does not have what the bot needs.
    """
    by_venue: dict[str, list[str]] = {}
    for market in markets:
        by_venue.setdefault(market.venue, []).append(market.symbol)
    if not any(name in bot.callbacks for name in CALLBACKS if name != "on_start"):
        return []
    headers = {name: None if recorded is None else recorded.of(name) for name in by_venue}
    return [_plan(bot, venue_named(name), symbols, headers[name]) for name, symbols in by_venue.items()]


def merged(planned: Sequence[Sequence[Plan]]) -> list[Plan]:
    """What to open at each venue for several scripts: whatever any of them needs, once."""
    by_venue: dict[str, Plan] = {}
    for plan in (plan for plans in planned for plan in plans):
        whole = by_venue.setdefault(plan.venue.name, Plan(plan.venue, []))
        whole.symbols += [symbol for symbol in plan.symbols if symbol not in whole.symbols]
        whole.subscriptions += [one for one in plan.subscriptions if one not in whole.subscriptions]
    return list(by_venue.values())


def played_for(plan: Plan, header: Header) -> list[Subscription]:
    """What is wanted of a recording: subscriptions that it was made with, and streams that came along unasked."""
    recorded = header.of(plan.venue.name)
    asked = [] if recorded is None else recorded.asked_for()
    made_of = [one for one in asked if one.stream in plan.streams() and not set(plan.symbols).isdisjoint(one.symbols)]
    had = {(one.stream, symbol) for one in made_of for symbol in one.symbols}
    return made_of + [one for one in plan.subscriptions if had.isdisjoint((one.stream, name) for name in one.symbols)]


def _plan(bot: Bot, venue: Venue, symbols: list[str], recorded: Header | None) -> Plan:
    plan = Plan(venue, symbols)
    has = venue.streams if recorded is None else streams_of(venue, recorded)
    if "quote_update" in bot.callbacks:
        _need(bot, venue, "quotes", "quote_update", has, recorded)
        _subscribe(plan, "quotes")
    if "trade_update" in bot.callbacks:
        _need(bot, venue, "trades", "trade_update", has, recorded)
        _subscribe(plan, "trades")
    levels = bot.levels()
    if levels and "trades" in has:
        plan.candles_from = "trades"
        if "trade_update" not in bot.callbacks:
            _subscribe(plan, "trades")
    elif levels:
        _need(bot, venue, "candles", f"{CANDLE}{levels[0]}", has, recorded)
        plan.candles_from = "candles"
        _from_candles(plan, levels, recorded)
    return plan


def _need(bot: Bot, venue: Venue, stream: str, callback: str, has: Collection[str], recorded: Header | None) -> None:
    if stream in has:
        return
    if recorded is not None:
        raise UsageError(
            f"{callback} of {bot.name} needs {stream}, and the recording is of {', '.join(has) or 'nothing'}"
        )
    raise UsageError(f"{callback} of {bot.name} needs {stream}, and {venue.name} has: {', '.join(venue.streams)}")


def _subscribe(plan: Plan, stream: str, intervals: Sequence[str] = ("1m",)) -> None:
    together = plan.venue.streams[stream].symbols == "many"
    for symbols in [tuple(plan.symbols)] if together else [(symbol,) for symbol in plan.symbols]:
        plan.subscriptions += [Subscription(stream, symbols, interval=interval) for interval in intervals]


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
    _subscribe(plan, "candles", list(dict.fromkeys(plan.finer.values())))


def _is_offered(venue: Venue, interval: str, symbol: str) -> bool:
    try:
        routes_of(venue, [Subscription("candles", (symbol,), interval=interval)], Settings(url=""))
    except UsageError:
        return False
    return True
