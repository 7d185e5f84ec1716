"""A synthetic recording: trades of one Nexus market over days, as `--record` would have kept them, made in seconds.

The price is a random walk whose volatility comes in clusters (the logarithm of it is an AR(1) process, minute by
minute) and which trends up or down for a while now and then, so that indicators have something to see: RSI(14) of
1-minute candles passes 70 and 30 many times a day. Trades come at a Poisson rate that goes with volatility and the
time of day, with busy and quiet stretches: some minutes have no trade at all. Buys are at the ask, sells at the bid.

Everything depends on the seed, the symbol and the numbers given; nothing on the clock.
"""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec

from venues.nexus.simulator.endpoint import Nexus
from venues.simulator.market import INSTRUMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from decimal import Decimal
START: Final = 1_704_067_200_000  # Monday, 1 January 2024, 00:00 UTC
RATE: Final = 0.1  # trades a second
MOST_TRADES: Final = 50_000_000

_MINUTE: Final = 60_000
_DAY: Final = 86_400_000
_VOLATILITY: Final = 0.0005  # of a minute, at its median
_MEMORY: Final = 0.98  # of the volatility's logarithm from minute to minute
_SHOCK: Final = 0.12  # in it
_PULL: Final = 0.0001  # a minute, back to the price of the start: days do not walk off for good
_TREND: Final = 0.2  # drift of a trend in a minute, in units of its volatility
_TRENDS: Final = (-1, 0, 0, 1)
_TREND_MINUTES: Final = 40.0
_ACTIVITIES: Final = (2.5, 1.0, 1.0, 1.0, 0.05)  # busy, usual, quiet: shares of the usual rate
_ACTIVITY_MINUTES: Final = 25.0
_SHARE: Final = (sum(_ACTIVITIES) / len(_ACTIVITIES)) * math.exp(_SHOCK**2 / (1 - _MEMORY**2) / 8)
_HALF_SPREAD: Final = 0.00001  # of the price
_BUFFERED: Final = 1 << 20  # bytes


class Writable(Protocol):
    """A file that is open for writing bytes."""

    def write(self, data: bytes) -> object:
        """Writes all of the data; what is returned does not matter."""
        ...


class _Scale(NamedTuple):
    """Tick and lot as powers of ten, and the first price in ticks. An unknown symbol trades around 100.00."""

    price_places: int = 2
    size_places: int = 2
    start: int = 10_000


class Made(NamedTuple):
    """The size of a finished recording; times in milliseconds since the epoch, None without a trade."""

    trades: int
    first: int | None
    last: int | None


class Trades:
    """The trades of `length_ms` from `start_ms` on, `rate` of them a second on average; iterate for the lines.

    With `quotes` each trade comes after a BOOK of one level a side, whose price it has. `made` counts what was made.
    """

    def __init__(
        self, symbol: str, length_ms: int, *, seed: int, rate: float = RATE, start_ms: int = START, quotes: bool = False
    ) -> None:
        self.made = Made(0, None, None)
        self._symbol = symbol
        self._end = start_ms + length_ms
        self._seed = seed
        self._rate = rate
        self._start = start_ms
        self._quotes = quotes
        self._scale = _scale_of(symbol)

    def __iter__(self) -> Iterator[bytes]:
        at = self._start
        yield self.header()
        yield b'{"kind":"dial","at":%d,"mono":0.0,"draw":0.5}\n' % at
        yield b'{"kind":"open","at":%d,"mono":0.0}\n' % at
        draw = Random(f"{self._seed} delays")
        for time, bid, ask, side, lots in self._walk():
            at = max(at, time + 15 + int(draw.expovariate(0.1)))
            if self._quotes:
                yield self._frame(at, self._book(time, bid, ask, draw))
            yield self._frame(at, self._trade(time, ask if side == "BUY" else bid, side, lots))
            self.made = Made(self.made.trades + 1, time if self.made.first is None else self.made.first, time)
        end = max(at, self._end)
        yield b'{"kind":"leave","at":%d,"mono":%b}\n' % (end, self._mono(end))

    # --- the market

    def _walk(self) -> Iterator[tuple[int, int, int, str, int]]:
        """Yields for each trade: time, bid and ask in ticks, the taker's side, and lots."""
        draw = Random(f"{self._seed} trades {self._symbol}")
        gauss, expovariate, random = draw.gauss, draw.expovariate, draw.random
        begin = math.log(self._scale.start)
        log_price, log_volatility = begin, 0.0
        trend_until = activity_until = 0.0
        last = float(self._start)  # when the price was told last
        for minute in range(self._start, self._end, _MINUTE):
            passed = (minute - self._start) / _MINUTE
            if passed >= trend_until:
                trend, trend_until = draw.choice(_TRENDS), passed + expovariate(1 / _TREND_MINUTES)
            if passed >= activity_until:
                activity, activity_until = draw.choice(_ACTIVITIES), passed + expovariate(1 / _ACTIVITY_MINUTES)
            log_volatility = _MEMORY * log_volatility + gauss(0.0, _SHOCK)
            volatility = _VOLATILITY * math.exp(log_volatility)
            drift = trend * _TREND * volatility - _PULL * (log_price - begin)
            of_day = 1.0 + 0.5 * math.sin(math.tau * (minute % _DAY) / _DAY)
            rate = self._rate / 1000 * activity * of_day * math.exp(log_volatility / 2) / _SHARE
            time = minute + expovariate(rate)
            end = min(minute + _MINUTE, self._end)
            while time < end:
                step = (time - last) / _MINUTE
                log_price += drift * step + gauss(0.0, volatility * math.sqrt(step))
                last = time
                middle = math.exp(log_price)
                half = max(0.5, middle * _HALF_SPREAD * (0.5 + random()))
                bid = max(1, math.floor(middle - half))
                ask = max(bid + 1, math.ceil(middle + half))
                lots = max(1, int(100 * math.exp(gauss(0.0, 0.9))))
                yield int(time), bid, ask, "BUY" if random() < 0.5 + 0.1 * trend else "SELL", lots
                time += expovariate(rate)

    # --- the lines

    def header(self) -> bytes:
        """The first line of the recording, which describes it."""
        streams = ("trades", "quotes") if self._quotes else ("trades",)
        header = {
            "kind": "recording",
            "version": 1,
            "venue": "nexus",
            "url": "ws://127.0.0.1/nexus",
            "env": "sim",
            "subscriptions": [{"stream": stream, "symbols": [self._symbol]} for stream in streams],
            "source": f"synthetic: mon sim --trades, seed {self._seed}, {self._rate:g} trades a second",
        }
        return msgspec.json.encode(header) + b"\n"

    def _trade(self, time: int, ticks: int, side: str, lots: int) -> str:
        return (
            f'{{\\"event\\":\\"TRADE\\",\\"symbol\\":\\"{self._symbol}\\",\\"timestamp\\":{time},\\"data\\":'
            f'{{\\"price\\":{_decimal(ticks, self._scale.price_places)},'
            f'\\"quantity\\":{_decimal(lots, self._scale.size_places)},\\"side\\":\\"{side}\\"}}}}'
        )

    def _book(self, time: int, bid: int, ask: int, draw: Random) -> str:
        asks, bids = (
            f'[{{\\"price\\":{_decimal(ticks, self._scale.price_places)},'
            f'\\"quantity\\":{_decimal(draw.randrange(1, 50_000), self._scale.size_places)}}}]'
            for ticks in (ask, bid)
        )
        return (
            f'{{\\"event\\":\\"BOOK\\",\\"symbol\\":\\"{self._symbol}\\",\\"timestamp\\":{time},\\"data\\":'
            f'{{\\"asks\\":{asks},\\"bids\\":{bids}}}}}'
        )

    def _frame(self, at: int, text: str) -> bytes:
        return b'{"kind":"frame","at":%d,"mono":%b,"direction":"in","text":"%b"}\n' % (
            at, self._mono(at), text.encode()
        )  # fmt: skip

    def _mono(self, at: int) -> bytes:
        return _decimal(at - self._start, 3).encode()


def write(file: Writable, lines: Iterable[bytes]) -> None:
    """Write the lines of a recording, a megabyte at a time.

    Raises:
        OSError: the file cannot be written.
    """
    for batch in _batches(lines):
        file.write(batch)


def _batches(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Joins lines to megabytes: compressing each line by itself takes twice the time."""
    batch, size = [], 0
    for line in lines:
        batch.append(line)
        size += len(line)
        if size >= _BUFFERED:
            yield b"".join(batch)
            batch, size = [], 0
    yield b"".join(batch)


def _scale_of(symbol: str) -> _Scale:
    for instrument in INSTRUMENTS:
        if Nexus.symbols.get(symbol) == instrument.name:
            return _Scale(_places(instrument.tick), _places(instrument.lot), instrument.start)
    return _Scale()


def _places(step: Decimal) -> int:
    return -int(step.as_tuple().exponent)


def _decimal(units: int, places: int) -> str:
    digits = str(units).zfill(places + 1)
    return f"{digits[:-places]}.{digits[-places:]}"
