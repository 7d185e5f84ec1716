"""What a bot needs of each venue: only the streams that its callbacks ask for. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from cli.bot.levels import LEVELS, made_of
from cli.bot.script import CALLBACKS, CANDLE
from cli.run.asked import streams_of
from venues import VENUES, venue_named
from venues.errors import UsageError
from venues.venue import Settings, Subscription

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from cli.bot.script import Bot
    from venues.recording import Header
    from venues.venue import Venue

MARKET_DATA = ("quotes", "trades", "candles")


class MarketName(NamedTuple):
    """A venue and a symbol there: `src` and `sym` of a script."""

    venue: str
    symbol: str

    def __str__(self) -> str:
        return f"{self.venue}:{self.symbol}"


@dataclass
class Plan:
    """What is asked of one venue.

    `finer`: for each level that is put together from whole candles, their interval; empty where trades do.
    `candles_from`: the stream that candles come from.
    """

    venue: Venue
    symbols: list[str]
    subscriptions: list[Subscription] = field(default_factory=list)
    candles_from: str | None = None
    finer: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def streams(self) -> set[str]:
        """The streams that the bot needs."""
        return {subscription.stream for subscription in self.subscriptions}


def market_named(text: str) -> MarketName:
    """A market from `VENUE:SYMBOL`.

    Raises:
        UsageError: not of that form, a venue that is unknown or has no markets, or a symbol of the wrong form.
    """
    venue, colon, symbol = text.partition(":")
    if not colon or not venue or not symbol:
        first = venue_named(next(iter(VENUES)))
        raise UsageError(f'expected --market VENUE:SYMBOL, e.g. {first.name}:{first.example}, got "{text}"')
    if venue not in VENUES:
        raise UsageError(f'expected a venue ({", ".join(VENUES)}) in --market VENUE:SYMBOL, got "{venue}"')
    streams = venue_named(venue).streams
    if not any(name in streams for name in MARKET_DATA):
        raise UsageError(
            f"expected a venue with {', '.join(MARKET_DATA)} in --market VENUE:SYMBOL; {venue} has {', '.join(streams)}"
        )
    venue_named(venue).check_symbol(symbol)
    return MarketName(venue, symbol)


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


def played_for(plan: Plan, header: Header) -> list[Subscription]:
    """What is wanted of a recording: of what it was made of, and of what came along with that unasked."""
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
    if plan.venue.streams[stream].symbols == "many":
        plan.subscriptions.append(Subscription(stream, tuple(plan.symbols)))
        return
    for symbol in plan.symbols:
        plan.subscriptions += [Subscription(stream, (symbol,), interval=interval) for interval in intervals]


def _from_candles(plan: Plan, levels: Sequence[str], recorded: Header | None) -> None:
    """The intervals to ask for: each level's own, or a finer one that it can be put together from."""
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
        venue.lines([Subscription("candles", (symbol,), interval=interval)], Settings(url=""))
    except UsageError:
        return False
    return True
