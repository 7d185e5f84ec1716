"""Candles from before the start: from a recording, or from lines that `mon trades` or `mon candles` printed."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections import Counter
from decimal import Decimal
from itertools import chain, groupby
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from cli.bot.market_data import LEVELS, MarketName, made_of
from cli.output import cells
from venues import has_venue, records, venue_named, venue_names
from venues.errors import BadMessage, DamagedRecording, MonError, RecordingError, SetupError, UsageError
from venues.recording import Recording, play
from venues.toolkit.candles import interval_ms
from venues.toolkit.consistency import CANDLE, check_candle
from venues.toolkit.decoding import DECODE_ERRORS, explain
from venues.toolkit.numbers import JsonNumber, not_negative, positive
from venues.venue import Now, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from cli.bot.market_data import Candles
    from venues.driver import Delivered, Driver
    from venues.recording import Header

MOST_LINE = 16 * 2**20
YIELD_EVERY = 500  # lines or events, so that somebody can stop it
_EpochMs = Annotated[int, Meta(ge=0, le=253_402_300_799_999)]
_Count = Annotated[int, Meta(ge=0, le=253_402_300_799_999)]


class _Line(Struct, frozen=True, kw_only=True, tag_field="type"):
    venue: str
    received: _EpochMs
    symbol: str | None = None
    time: _EpochMs | None = None
    price_unit: str | None = None
    size_unit: str | None = None


class _TradeLine(_Line, frozen=True, kw_only=True, tag="trade"):
    symbol: str
    price: JsonNumber
    size: JsonNumber
    side: Literal["buy", "sell"]
    extra: dict[str, Any] | None = None


class _CandleLine(_Line, frozen=True, kw_only=True, tag="candle"):
    symbol: str
    interval: str
    start: _EpochMs
    end: _EpochMs
    open: JsonNumber
    high: JsonNumber
    low: JsonNumber
    close: JsonNumber
    volume: JsonNumber | None = None
    closed: bool
    complete: bool


class _StatusLine(_Line, frozen=True, kw_only=True, tag="status"):
    stream: str
    state: records.State
    reason: str | None = None
    down_ms: _Count | None = None


class _LineKind(Struct, frozen=True):
    type: str
    env: str | None = None


_DECODER: msgspec.json.Decoder[_TradeLine | _CandleLine | _StatusLine] = msgspec.json.Decoder(
    _TradeLine | _CandleLine | _StatusLine, float_hook=Decimal
)
_KIND_DECODER = msgspec.json.Decoder(_LineKind)
_HEADER_DECODER = msgspec.json.Decoder(dict[str, Any])
_OTHER_TYPES = {str(kind.__struct_config__.tag) for kind in records.RECORD_TYPES} - {"trade", "candle", "status"}


async def fill(
    path: Path, markets: Mapping[MarketName, Candles], say: Callable[[str], None], *, env: str | None
) -> list[MarketName]:
    """Fill the candles of the markets from a file, and say what was of no use. The result is what it had anything of.

    `env` is the label of what the bot watches. A history of another environment is reported.

    Raises:
        SetupError: the file cannot be read, or a line of it is neither; the text names the line.
    """
    lines = _lines(path)
    first = next(lines, b"")
    taken = _Taken(markets)
    if _is_recording(first):
        await _play(path, taken)
    else:
        for number, line in enumerate(chain([first], lines), start=1):
            if line.strip():
                taken.line(path, number, line)
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)
    await taken.finish()
    for words in taken.words(path, env):
        say(words)
    return taken.used()


def gaps(latest: Mapping[MarketName, Path], markets: Mapping[MarketName, Candles], now_ms: int) -> Iterator[str]:
    """What to say of the candles that nobody saw, between the end of all history and the start of the bot.

    `latest` is the last file that had anything of a market; `now_ms` is when the bot starts.
    """
    for market, path in latest.items():
        candles = markets[market]
        gap = now_ms - candles.latest
        if candles.levels and gap > LEVELS[candles.levels[0]]:
            yield (
                f"{path}: it ends {cells.duration(gap)} before the start; until then the candles of {market} carry "
                "its last close, with a volume of NaN"
            )


class _Taken:
    """Gives each record of a history to its market, and counts what is of no use."""

    def __init__(self, markets: Mapping[MarketName, Candles]) -> None:
        self.trades = 0
        self.candles = 0
        self.envs: set[str | None] = set()
        self.damage: str | None = None
        self._markets = markets
        self._ended_before = {market: candles.latest for market, candles in markets.items()}
        self._candles: dict[MarketName, list[records.Candle]] = {}
        self._begun: set[MarketName] = set()
        self._others: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._too_long: dict[str, None] = {}

    def line(self, path: Path, number: int, line: bytes) -> None:
        """Take a line that `mon trades` or `mon candles` printed."""
        try:
            kind = _KIND_DECODER.decode(line)
            if kind.type in _OTHER_TYPES:
                self._kinds[kind.type] += 1
                return
            read = _DECODER.decode(line)
            if isinstance(read, _StatusLine):
                self.status(read)
                return
            record = _trade(read) if isinstance(read, _TradeLine) else _candle(read)
        except (*DECODE_ERRORS, BadMessage, UsageError) as error:
            words = explain(error) if isinstance(error, DECODE_ERRORS) else str(error)
            raise SetupError(
                f"{path}, line {number}: expected a trade or a candle as `mon trades` or `mon candles` prints them: "
                f"{words}"
            ) from None
        self.envs.add(kind.env)
        try:
            self.record(record)
        except _Mixed as mixed:
            raise SetupError(f"{path}, line {number}: {mixed}") from None

    def record(self, record: records.Trade | records.Candle) -> None:
        """Take a trade or a candle; those of other markets are counted only."""
        market = MarketName(record.venue, record.symbol or "")
        candles = self._markets.get(market)
        if records.is_from_before(record):
            return  # the run that it is of was not there, and another one may have it too
        if candles is None:
            self._others[str(market)] += 1
        elif record.price_unit is not None:
            raise _Mixed(f"expected prices, got them in {record.price_unit}")
        elif isinstance(record, records.Candle):
            if market in self._begun:
                raise _Mixed(f"expected trades or candles of {market}, got both")
            self._candles.setdefault(market, []).append(record)
            self.candles += 1
        else:
            if market in self._candles:
                raise _Mixed(f"expected trades or candles of {market}, got both")
            if market not in self._begun:
                self._begun.add(market)
                candles.live(record.received)
            candles.trade(record)
            self.trades += 1

    def status(self, said: records.Status | _StatusLine) -> None:
        """A change of a stream's state: between two trades something may be missing."""
        if said.stream not in ("trades", "candles"):
            return
        for market, candles in self._markets.items():
            if market in self._begun and market.venue == said.venue and said.symbol in (None, market.symbol):
                if said.state != "live" or said.reason is not None or said.down_ms:
                    candles.down(said.received - (said.down_ms or 0))
                if said.state == "live":
                    candles.live(said.received)

    async def finish(self) -> None:
        """Put the candles of each market together: for each level from the longest interval that fits."""
        for market, gathered in self._candles.items():
            candles = self._markets[market]
            by_interval = {
                interval: list(group)
                for interval, group in groupby(
                    sorted(gathered, key=lambda candle: candle.interval), key=lambda candle: candle.interval
                )
            }
            for interval in sorted(by_interval, key=interval_ms):
                wanted = [level for level in candles.levels if made_of(LEVELS[level], by_interval) == interval]
                for begin in range(0, len(by_interval[interval]), YIELD_EVERY):
                    candles.history_candles(by_interval[interval][begin : begin + YIELD_EVERY], wanted)
                    await asyncio.sleep(0)
            self._too_long.update(
                (level, None) for level in candles.levels if made_of(LEVELS[level], by_interval) is None
            )
        for market in {*self._begun, *self._candles}:
            self._markets[market].history_done()

    def used(self) -> list[MarketName]:
        """The markets that it had anything new of."""
        return sorted({*self._begun, *self._candles}.difference(self._late()))

    def words(self, path: Path, env: str | None) -> Iterator[str]:
        """What a person should know about this history, a sentence each."""
        used = self.trades + self.candles
        others = sum(self._others.values())
        what = " and ".join(
            f"{count:,} {name}" for count, name in ((self.trades, "trades"), (self.candles, "candles")) if count
        )
        if others:
            names = ", ".join(list(self._others)[:3]) + (", …" if len(self._others) > 3 else "")
            yield f"{path}: {others:,} of {used + others:,} records are of other markets ({names}) and were left out"
        if self._kinds:
            names = ", ".join(self._kinds)
            yield f"{path}: {sum(self._kinds.values()):,} lines are neither trades nor candles ({names})"
        if not used:
            yield f"{path}: no trade and no candle of the bot's markets is in it"
        else:
            yield f"{path}: {what} as history"
            if self.damage is not None:
                yield self.damage
            for market in self._late():
                yield (
                    f"{path}: it ends no later than the history that was given before it, so its trades of {market} "
                    "do not count: give the oldest first"
                )
        if self._too_long:
            yield f"{path}: its candles are too long for those of {' '.join(self._too_long)}, which start empty"
        strange = {label or "production" for label in self.envs if label not in (env, "replay")}
        if used and env != "replay" and strange:
            yield f"{path}: it is of {' and '.join(sorted(strange))}, the bot's markets are of {env or 'production'}"

    def _late(self) -> list[MarketName]:
        """The markets whose trades are not later than what was known before."""
        late = (market for market in self._begun if -1 < self._markets[market].latest == self._ended_before[market])
        return sorted(late)


class _Mixed(MonError):
    """A record that does not fit those before it."""


# --- a recording ---------------------------------------------------------------------------------------------------


async def _play(path: Path, taken: _Taken) -> None:
    recording = Recording(path)
    drivers = [driver for header in recording.header.venues() for driver in _drivers(path, header, taken)]
    delivered = 0

    async def deliver(items: list[Delivered], _now: Now, _line: int) -> None:
        nonlocal delivered
        delivered += 1
        if delivered % YIELD_EVERY == 0:
            await asyncio.sleep(0)
        for item in items:
            if isinstance(item, records.Trade | records.Candle):
                taken.record(item)
            elif isinstance(item, records.Status):
                taken.status(item)

    try:
        await play(
            recording,
            drivers,
            speed=float("inf"),
            sleep=asyncio.sleep,
            deliver=deliver,
            secrets={name: f"[{name}]" for one in recording.header.venues() for name in venue_named(one.venue).secrets},
            pauses=False,
            ends_with=(),  # how a recorded line ended is no trouble of this run
        )
    except _Mixed as mixed:
        raise SetupError(f"{path}: {mixed}") from None
    except DamagedRecording as damaged:
        taken.damage = str(damaged)


def _drivers(path: Path, header: Header, taken: _Taken) -> list[Driver]:
    from venues.driver import Driver
    from venues.made import routes_of

    if not has_venue(header.venue):
        raise RecordingError(
            f"expected a recording of a venue ({', '.join(venue_names())}), got one of {header.venue}: {path}"
        )
    venue, asked = venue_named(header.venue), header.asked_for()
    along = (
        [s for s in asked if venue.streams[s.stream].unasked] if all(s.stream in venue.streams for s in asked) else []
    )
    if along and venue.streams.get("trades") is not None and venue.streams["trades"].unasked:
        asked = [Subscription("trades", symbols) for symbols in dict.fromkeys(s.symbols for s in along)]
    taken.envs.add(header.env)
    return [
        Driver(route, route.subscriptions, venue=venue.name, label="replay", apart=True)
        for route in routes_of(venue, asked, header.settings())
    ]


# --- lines ---------------------------------------------------------------------------------------------------------


def _lines(path: Path) -> Iterator[bytes]:
    number = 0
    try:
        with path.open("rb") as raw:
            zipped = raw.peek(2)[:2] == b"\x1f\x8b"
            file = gzip.GzipFile(fileobj=raw) if zipped else raw
            while line := file.readline(MOST_LINE + 1):
                number += 1
                if len(line) > MOST_LINE:
                    raise SetupError(f"{path}, line {number}: expected a line of at most 16 MiB")
                yield line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SetupError(f"{path}, line {number + 1}: the file is damaged ({error})") from None
    except OSError as error:
        raise SetupError(f"cannot read the history {path}: {error.strerror}") from None


def _is_recording(line: bytes) -> bool:
    try:
        return _HEADER_DECODER.decode(line).get("kind") == "recording"
    except DECODE_ERRORS:
        return False


def _trade(read: _TradeLine) -> records.Trade:
    return records.Trade(
        venue=read.venue,
        symbol=read.symbol,
        time=read.time,
        received=read.received,
        price=positive(read.price, "price"),
        size=not_negative(read.size, "size"),
        side=read.side,
        extra=read.extra,
        price_unit=read.price_unit,
        size_unit=read.size_unit,
    )


def _candle(read: _CandleLine) -> records.Candle:
    length = interval_ms(read.interval)
    if read.end - read.start != length:
        raise BadMessage(f"expected `end` {length} after `start` for {read.interval}, got {read.end - read.start}")
    prices: dict[str, Any] = {name: positive(getattr(read, name), name) for name in CANDLE}
    check_candle((prices["open"], prices["high"], prices["low"], prices["close"]), "")
    return records.Candle(
        venue=read.venue,
        symbol=read.symbol,
        time=read.time,
        received=read.received,
        interval=read.interval,
        start=read.start,
        end=read.end,
        volume=None if read.volume is None else not_negative(read.volume, "volume"),
        closed=read.closed,
        complete=read.complete,
        price_unit=read.price_unit,
        size_unit=read.size_unit,
        **prices,
    )
