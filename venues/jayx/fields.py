"""What JayX's figures mean: integer ticks and lots, which become prices and sizes where their scale is configured."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from venues.errors import SetupError, UsageError
from venues.records import Instrument
from venues.toolkit.candles import interval_ms
from venues.toolkit.clock import VenueClock
from venues.toolkit.decoding import DECODE_ERRORS, excerpt
from venues.toolkit.numbers import EXACT, KnownTexts

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from venues.venue import HttpRequest, HttpResponse, Settings

VENUE = "jayx"

SYMBOL = re.compile(r"[A-Z0-9]{2,40}")
SPOT = "spot"
FRAMINGS = ("socketio", "bare")
SCALE_KEYS = ("tick_size", "lot_size")

_LONGEST_SCALE = 22  # characters: with an integer of 18 digits the product stays a number of at most 40
_SCALES = KnownTexts(lambda value: value > 0)


class Scale(Struct, frozen=True):
    """What one tick and one lot of a symbol are, in quote and base currency; None where that is not configured.

    The document does not say what a lot is, so it is never guessed.
    """

    tick: Decimal | None = None
    lot: Decimal | None = None

    @property
    def price_unit(self) -> str | None:
        """The unit of prices if it is not the quote currency ("ticks"); else None."""
        return "ticks" if self.tick is None else None

    @property
    def size_unit(self) -> str | None:
        """The unit of sizes if it is not the base currency ("raw_lots"); else None."""
        return "raw_lots" if self.lot is None else None

    def price(self, ticks: int) -> Decimal:
        """The exact price of so many ticks; the ticks themselves if the tick is not configured."""
        return Decimal(ticks) if self.tick is None else EXACT.multiply(Decimal(ticks), self.tick)

    def size(self, lots: int) -> Decimal:
        """The exact size of so many lots; the lots themselves if the lot is not configured."""
        return Decimal(lots) if self.lot is None else EXACT.multiply(Decimal(lots), self.lot)


UNSCALED = Scale()


class Values(Struct, frozen=True):
    """The configured values: the `category` to ask the venue for, the framing, and the scales by symbol."""

    category: str = SPOT
    bare: bool = False
    scales: dict[str, Scale] = {}

    def scale(self, symbol: str) -> Scale:
        """The scale of a symbol; if none is configured, one that leaves raw integers."""
        return self.scales.get(symbol, UNSCALED)


class Common(Struct, frozen=True):
    """What all records of a feed carry, how its figures are read, and how the line's clock stands to ours."""

    env: str | None
    symbol: str
    scale: Scale
    clock: VenueClock

    def is_other(self, symbol: str | None) -> bool:
        """Whether a message's symbol was not asked for. A message without a symbol is of the one that was."""
        return symbol is not None and symbol != self.symbol


def values_of(settings: Mapping[str, Any]) -> Values:
    """Reads the values of the settings.

    Raises:
        SetupError: a value cannot be used; names its path.
    """
    category = settings.get("category", SPOT)
    if not isinstance(category, str) or not re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", category):
        raise SetupError(f"expected a word such as spot as category of jayx, got {_said(category)}")
    framing = settings.get("framing", FRAMINGS[0])
    if framing not in FRAMINGS:
        raise SetupError(f"expected {' or '.join(FRAMINGS)} as framing of jayx, got {_said(framing)}")
    return Values(category, framing == "bare", _scales_of(settings.get("symbols", {})))


def configured_instruments(settings: Settings) -> Generator[HttpRequest, HttpResponse, list[Instrument]]:
    """The symbols whose scales are configured; without a request, since the venue publishes no list.

    Raises:
        SetupError: there are none, or a value cannot be used.
    """
    yield from ()
    scales = values_of(settings.values).scales
    if not scales:
        table = settings.table or f"venues.{VENUE}"
        raise SetupError(
            f"{VENUE} publishes no list of its symbols, so those of the configuration are listed, and there are none: "
            f"expected tick_size and lot_size under [{table}.symbols.BTCUSDT], say"
        )
    return [
        Instrument(venue=VENUE, symbol=symbol, price_step=scale.tick, size_step=scale.lot, received=0)
        for symbol, scale in scales.items()
    ]


def seconds_of(interval: str) -> int:
    """The length of a candle in seconds, from "1m", "30s" or a bare number of seconds, "60".

    Raises:
        UsageError: not of that form, or not a length that candles have.
    """
    try:
        return interval_ms(f"{interval}s" if re.fullmatch("[1-9][0-9]{0,5}", interval) else interval) // 1000
    except UsageError:
        example = "30s, 1m, 15m, 4h, 1d, 1w or a number of seconds"
        raise UsageError(
            f'expected an interval that divides a day evenly, such as {example}, got "{interval}"'
        ) from None


def written_interval(seconds: int) -> str:
    """The length of a candle as records say it, in the largest unit that fits: 60 is 1m, 90 is 90s."""
    for unit, length in (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _scales_of(symbols: Any) -> dict[str, Scale]:
    if isinstance(symbols, str):  # from the environment, where there are no tables
        try:
            symbols = msgspec.json.decode(symbols)
        except DECODE_ERRORS:
            raise SetupError(
                'expected JSON such as {"BTCUSDT": {"tick_size": "0.01"}} as symbols of jayx, got something else'
            ) from None
    if not isinstance(symbols, dict):
        raise SetupError(f"expected a table for each symbol as symbols of jayx, got {_said(symbols)}")
    return {name: _scale_of(name, table) for name, table in symbols.items()}


def _scale_of(name: str, table: Any) -> Scale:
    where = f"symbols.{excerpt(name, 40)}"
    if not SYMBOL.fullmatch(name):  # no symbol that can be asked for would ever be scaled by it
        raise SetupError(f"expected a symbol like BTCUSDT under symbols of jayx, got {_said(name)}")
    if not isinstance(table, dict):
        raise SetupError(f"expected a table with {' and '.join(SCALE_KEYS)} as {where} of jayx, got {_said(table)}")
    for key in table:
        if key not in SCALE_KEYS:
            raise SetupError(f"expected {' or '.join(SCALE_KEYS)} in {where} of jayx, got {excerpt(key, 40)}")
    tick, lot = (_increment(table.get(key), f"{where}.{key}") for key in SCALE_KEYS)
    return Scale(tick, lot)


def _increment(value: Any, path: str) -> Decimal | None:
    if value is None:
        return None
    expected = f'expected a decimal above 0 in quotes, such as "0.01", as {path} of jayx, got {_said(value)}'
    if not isinstance(value, str) or len(value) > _LONGEST_SCALE:
        raise SetupError(expected)
    try:
        increment = _SCALES[value]
    except ValueError:
        raise SetupError(expected) from None
    digits, exponent = increment.as_tuple()[1:]
    assert isinstance(exponent, int)  # letters are for values that are not finite
    if not -20 <= exponent <= 20 or len(digits) > 20:
        raise SetupError(expected)
    return increment


def _said(value: Any) -> str:
    return excerpt(f'"{value}"' if isinstance(value, str) else repr(value), 60)
