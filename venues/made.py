"""Candles that `mon` makes from a venue's trades, where its offer says so (`Offer.made_from`). Pure.

`routes_of` stands for `Venue.routes` everywhere: for such candles the venue is asked for trades of the same symbols,
and a route and a session around the venue's make the candles. The venue itself knows nothing of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from venues import checked_routes, records
from venues.errors import UsageError
from venues.toolkit.candles import Bar, TradedCandles, interval_ms
from venues.toolkit.clock import VenueClock
from venues.toolkit.decoding import excerpt
from venues.venue import BadFrame, ClockOffset, Confirmed, Item, Lost, Notice, Now, Refused, StreamState

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from venues.venue import (
        Command,
        Dial,
        HttpRequest,
        HttpResponse,
        NoResponse,
        Out,
        Route,
        Session,
        Settings,
        Subscription,
        Venue,
    )

_TRADES, _CANDLES = "trades", "candles"


def routes_of(venue: Venue, subscriptions: Sequence[Subscription], settings: Settings) -> Sequence[Route]:
    """The routes of the subscriptions, as the venue has them, with the candles that are made from its trades.

    Raises:
        UsageError: the venue cannot do what a subscription asks for, or no candles can be made of that interval.
        SetupError: a value of the settings cannot be used.
    """
    for one in subscriptions:
        _check_fits(venue, one)
    if not any(_is_made(venue, one) for one in subscriptions):
        return checked_routes(venue, subscriptions, settings)
    layers = [_Layer([one for one in subscriptions if not _is_made(venue, one)])]
    for one in subscriptions:
        if not _is_made(venue, one):
            continue
        if not any(layer.takes(one, venue) for layer in layers):
            layer = _Layer([])
            layer.takes(one, venue)
            layers.append(layer)
    return [
        layer.around(route, venue.name, settings)
        for layer in layers
        if layer.asked
        for route in checked_routes(venue, layer.asked, settings)
    ]


def _check_fits(venue: Venue, subscription: Subscription) -> None:
    """Check that the venue has such a stream, and that it takes the symbols: a recording may say anything.

    Raises:
        UsageError: it has not.
    """
    stream, symbols = subscription.stream, subscription.symbols
    offer = venue.streams.get(stream)
    if offer is None:
        raise UsageError(f"{venue.name} has no stream {excerpt(stream, 60)}; it has: {', '.join(venue.streams)}")
    count = len(symbols)
    fits = {"none": not count, "one": count == 1, "many": bool(count), "any": True}
    if not fits[offer.symbols]:
        wanted = {"none": "no symbol", "one": "one symbol"}.get(offer.symbols, "a symbol or several")
        got = excerpt(" ".join(symbols), 60) or "none"
        raise UsageError(f"expected {wanted} for {stream} of {venue.name}, got {got}")
    for symbol in symbols:
        venue.check_symbol(symbol)


def _is_made(venue: Venue, subscription: Subscription) -> bool:
    offer = venue.streams.get(subscription.stream)
    return offer is not None and bool(offer.made_from)


class _Layer:
    """Subscriptions that one call of `Venue.routes` is made for: trades of a symbol once, one candle length of each."""

    def __init__(self, asked: Sequence[Subscription]) -> None:
        self.asked = list(asked)
        self._own = list(asked)  # of the user's
        self._candles: list[Subscription] = []

    def takes(self, candles: Subscription, venue: Venue) -> bool:
        """Whether the candles are made here; if so, asks for the trades that are not asked for yet."""
        if not set(candles.symbols).isdisjoint(symbol for other in self._candles for symbol in other.symbols):
            return False
        offer = venue.streams[_TRADES]
        options = {name: value for name, value in candles.options.items() if name in offer.options}
        missing = list(candles.symbols)
        for one in self.asked:
            if one.stream != _TRADES or set(one.symbols).isdisjoint(missing):
                continue
            if dict(one.options) != options:
                return False
            missing = [symbol for symbol in missing if symbol not in one.symbols]
        self._candles.append(candles)
        some = [(symbol,) for symbol in missing] if offer.symbols == "one" else [tuple(missing)] if missing else []
        self.asked += [replace(candles, stream=_TRADES, symbols=symbols, options=options) for symbols in some]
        return True

    def around(self, route: Route, venue: str, settings: Settings) -> Route:
        """The venue's route, or one that makes candles of its trades."""
        traded = [one for one in route.subscriptions if one.stream == _TRADES]
        symbols = {symbol for one in traded for symbol in one.symbols}
        made = [
            replace(one, symbols=tuple(symbol for symbol in one.symbols if symbol in symbols))
            for one in self._candles
            if not symbols.isdisjoint(one.symbols)
        ]
        if not made:
            return route
        wanted = {symbol for one in self._own if one.stream == _TRADES for symbol in one.symbols}
        given = [one for one in route.subscriptions if one.stream != _TRADES or not wanted.isdisjoint(one.symbols)]
        return _MadeRoute(route, [*given, *made], made, venue, settings)


class _MadeRoute:
    """A venue's route, and the candles made from its trades, which outlive a connection."""

    def __init__(
        self,
        inner: Route,
        subscriptions: Sequence[Subscription],
        made: Sequence[Subscription],
        venue: str,
        settings: Settings,
    ) -> None:
        self.subscriptions = subscriptions
        self.venue = venue
        self.label = settings.label
        self.clock = VenueClock([_CANDLES])
        self.intervals = {symbol: one.interval for one in made for symbol in one.symbols}
        self.candles = {
            symbol: TradedCandles(interval_ms(length), self.clock) for symbol, length in self.intervals.items()
        }
        self.units: dict[str, tuple[str | None, str | None]] = {}  # of prices and sizes, by symbol, as trades say
        self.wanted = {symbol for one in subscriptions if one.stream == _TRADES for symbol in one.symbols}
        self._inner = inner

    def session(self, secrets: Mapping[str, str]) -> Session:
        """Makes the session of a new connection."""
        return _MadeSession(self, self._inner.session(secrets))

    def refused(self, status: int, body: str) -> Refused | Lost:
        """What an HTTP status means at the venue."""
        problem = self._inner.refused(status, body)
        if isinstance(problem, Refused) and problem.stream == _TRADES and not self.wanted:
            return replace(problem, stream=_CANDLES)
        return problem


class _MadeSession:
    """One connection: whatever the venue's session gives, with candles in the place of trades, or beside them."""

    def __init__(self, route: _MadeRoute, inner: Session) -> None:
        self._route = route
        self._inner = inner
        self._candles = dict(route.candles)
        self._live = dict.fromkeys(self._candles, False)
        self._doubted: set[str] = set()  # symbols whose candles are stale until the next trade
        self._sooner = True  # a candle's end may be due earlier than `deadline` said
        self._told: float | None = None  # when the first candle's end is due, as `deadline` said last
        self._has_clock = False  # the venue's session tells offsets itself

    @property
    def stirred(self) -> bool:
        """Whether there may be something to send, or an earlier deadline."""
        return self._sooner or getattr(self._inner, "stirred", True)

    def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
        """The venue's requests and where it dials."""
        return self._inner.opening()

    def opened(self, now: Now) -> list[Item]:
        """Asks for what was subscribed. Trades before this connection may have been missed."""
        self._interrupt(self._candles, now)
        return self._with_candles(self._inner.opened(now), now)

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        """What one message brings, in order."""
        return self._with_candles(self._inner.receive(frame, now), now)

    def pong(self, now: Now) -> list[Item]:
        """What the answer to a WebSocket ping brings."""
        return self._with_candles(self._inner.pong(now), now)

    def fetched(self, request: str, answer: HttpResponse | NoResponse, now: Now) -> list[Item]:
        """What the answer to an HTTP request brings."""
        return self._with_candles(self._inner.fetched(request, answer, now), now)

    def deadline(self) -> float | None:
        """The earlier of the venue's deadline and the moment at which a candle closes."""
        self._sooner = False
        self._told = min((one.due for one in self._candles.values() if one.due is not None), default=None)
        inner = self._inner.deadline()
        if self._told is None or inner is None:
            return inner if self._told is None else self._told
        return min(inner, self._told)

    def tick(self, now: Now) -> list[Item]:
        """Does what is due at the venue, and closes the candles that are over."""
        self._sooner = True
        items: list[Item] = []
        due = self._inner.deadline()
        if due is not None and now.mono >= due:
            items = self._with_candles(self._inner.tick(now), now)
        for symbol, candles in self._candles.items():
            if candles.due is not None and now.mono >= candles.due:
                items += self._records(symbol, candles.tick(now), None, now)
        return items

    def send(self, command: Command) -> None:
        """Queues a command of the user's."""
        self._inner.send(command)

    def leave(self, now: Now) -> None:
        """Begins to leave."""
        self._inner.leave(now)

    def done(self) -> bool:
        """Whether nothing more is awaited from the venue."""
        return self._inner.done()

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        """The connection is gone. That trades were missed is noted with the next one."""
        return self._with_candles(self._inner.closed(code, reason, now), now)

    def resumed(self) -> None:
        """In a recording, a later run of mon begins."""
        if (forget := getattr(self._inner, "resumed", None)) is not None:
            forget()

    def take(self) -> list[Out]:
        """The frames to send, in order."""
        return self._inner.take()

    # --- from trades to candles

    def _with_candles(self, items: Sequence[Item], now: Now) -> list[Item]:
        made: list[Item] = []
        for item in items:
            if item.__class__ is records.Trade:
                made += self._on_trade(item, now)
            elif item.__class__ in records.RECORD_TYPES:
                made.append(item)
            elif isinstance(item, StreamState) and item.stream == _TRADES:
                made += self._on_state(item, now)
            elif isinstance(item, Confirmed) and item.stream == _TRADES:
                made += self._on_confirmed(item, now)
            elif isinstance(item, BadFrame):
                made += self._on_bad_frame(item, now)
            elif isinstance(item, Refused) and item.stream == _TRADES:
                made += self._on_refused(item)
            elif isinstance(item, ClockOffset):
                made += self._on_offset(item)
            else:
                made.append(item)
        return self._of_the_clock(items) + made if self._route.clock.items else made

    def _on_trade(self, trade: records.Trade, now: Now) -> list[Item]:
        symbol = trade.symbol
        items: list[Item] = [trade] if symbol in self._route.wanted else []
        candles = None if symbol is None else self._candles.get(symbol)
        if symbol is None or candles is None or records.is_from_before(trade):
            return items
        clock, time = self._route.clock, trade.time
        self._route.units[symbol] = (trade.price_unit, trade.size_unit)
        believed = True if time is None else clock.see(time, now)
        placed = clock.venue_now(now) if time is None else time
        bars = candles.trade(placed, trade.price, trade.size, now, believed=believed)
        if symbol in self._doubted:
            self._doubted.discard(symbol)
            items.append(self._state_of(symbol, "live", ""))
        items += self._records(symbol, bars, time if believed else None, now)
        if not bars and (said := candles.to_say()):
            items.append(Notice(said))
        if candles.due is not None and (self._told is None or candles.due < self._told):
            self._sooner = True
        return items

    def _on_state(self, item: StreamState, now: Now) -> list[Item]:
        """Candles stand as the trades do. Each change, and each notice, may mean that trades were missed."""
        items: list[Item] = [item] if self._wants(item.symbol) else []
        symbols = self._meant(item.symbol)
        if not symbols:
            return items
        if item.state != "live" or item.reason or not all(self._live[symbol] for symbol in symbols):
            self._interrupt(symbols, now)
        for symbol in symbols:
            self._live[symbol] = item.state == "live"
        if item.state != "live" or self._doubted.isdisjoint(symbols):
            self._doubted -= set(symbols)
            items.append(replace(item, stream=_CANDLES))
        return items  # a notice about trades does not end the doubt about candles

    def _on_confirmed(self, item: Confirmed, now: Now) -> list[Item]:
        items: list[Item] = [item] if self._wants(item.symbol) else []
        symbols = self._meant(item.symbol)
        if symbols and item.time is not None and self._route.clock.see(item.time, now):
            for symbol in symbols:
                items += self._records(symbol, self._candles[symbol].heard(item.time, now), item.time, now)
            self._sooner = True
        sound = [symbol for symbol in symbols if self._live[symbol] and symbol not in self._doubted]
        if sound != symbols:
            return [*items, *(Confirmed(_CANDLES, item.time, symbol) for symbol in sound)]
        return [*items, replace(item, stream=_CANDLES)] if symbols else items

    def _on_bad_frame(self, item: BadFrame, now: Now) -> list[Item]:
        """A trade may be in it: the candles are stale until the next trade, and the open ones not complete."""
        if item.streams is not None and _TRADES not in item.streams:
            return [item]
        self._interrupt(self._candles, now)
        streams = item.streams
        if streams is not None:
            others = [name for name in streams if name != _TRADES or self._route.wanted]
            streams = (*others, _CANDLES)
        doubtful = [symbol for symbol, live in self._live.items() if live and symbol not in self._doubted]
        self._doubted.update(doubtful)
        reason = f"bad frame: {item.reason}; a trade may be missing"
        if len(doubtful) == len(self._candles):
            return [BadFrame(item.reason, streams), StreamState(_CANDLES, "stale", reason)]
        return [BadFrame(item.reason, streams), *(self._state_of(symbol, "stale", reason) for symbol in doubtful)]

    def _on_refused(self, item: Refused) -> list[Item]:
        items: list[Item] = [item] if self._wants(item.symbol) else []
        symbols = self._meant(item.symbol)
        if not symbols:
            return items
        for symbol in symbols:
            del self._candles[symbol], self._live[symbol]
        self._doubted -= set(symbols)
        reason = item.reason if items else f"{item.reason}; candles are made of trades"
        of = item.symbol if self._candles else None  # the last one is the whole stream
        return [*items, replace(item, reason=reason, stream=_CANDLES, symbol=of)]

    def _on_offset(self, item: ClockOffset) -> list[Item]:
        self._has_clock = True
        if item.stream != _TRADES:
            return [item]
        mapped = replace(item, stream=_CANDLES)
        return [item, mapped] if self._route.wanted else [mapped]

    def _of_the_clock(self, given: Sequence[Item]) -> list[Item]:
        """What our clock of the venue has to tell, unless the venue's session has a clock that tells it."""
        told = self._route.clock.take()
        return [] if self._has_clock else [item for item in told if item not in given]

    # --- words and records

    def _wants(self, symbol: str | None) -> bool:
        """Whether an item about trades of that symbol (None: of all) is for who asked for trades."""
        return bool(self._route.wanted) if symbol is None else symbol in self._route.wanted

    def _meant(self, symbol: str | None) -> list[str]:
        return list(self._candles) if symbol is None else [symbol] if symbol in self._candles else []

    def _interrupt(self, symbols: Iterable[str], now: Now) -> None:
        for symbol in symbols:
            self._route.candles[symbol].interrupted(now)

    def _state_of(self, symbol: str, state: Literal["live", "stale"], reason: str) -> StreamState:
        return StreamState(_CANDLES, state, reason, symbol=symbol)

    def _records(self, symbol: str, bars: Iterable[Bar], time: int | None, now: Now) -> list[Item]:
        price_unit, size_unit = self._route.units.get(symbol, (None, None))
        return [
            records.Candle(
                venue=self._route.venue,
                env=self._route.label,
                symbol=symbol,
                time=time,
                received=now.epoch_ms,
                interval=self._route.intervals[symbol],
                start=bar.start,
                end=bar.end,
                open=bar.open,
                high=bar.high,
                low=bar.low,
                close=bar.close,
                volume=bar.volume,
                closed=bar.closed,
                complete=bar.complete,
                price_unit=price_unit,
                size_unit=size_unit,
            )
            for bar in bars
        ]
