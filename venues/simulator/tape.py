"""Market tapes: recordings of a real order book and its trades, as JSON lines, plain or gzip.

The first line is `{"kind":"tape","market":…}`; then come, `t` in milliseconds and prices and sizes as decimal strings,

    {"t":1618677817120,"kind":"snapshot","bids":[["0.7901","450.0"],…],"asks":[…]}   replaces the whole book
    {"t":1618677817129,"kind":"delta","seq":1,"bids":[],"asks":[["0.7923","7441.5"]]}   new sizes; "0" removes
    {"t":1618677817129,"kind":"trade","price":"0.791","size":"450","side":"buy"}   the taker's side
"""

from __future__ import annotations

import gzip
import re
import zlib
from decimal import Decimal
from itertools import chain
from typing import IO, TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import Struct

from venues.simulator.market_events import Side  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LONGEST_LINE: Final = 16 * 2**20  # bytes
_GZIP: Final = b"\x1f\x8b"
_DECIMAL: Final = re.compile(r"\d{1,100}(?:\.\d{1,100})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_DECIMAL_WANTED: Final = 'a decimal string like "0.7901"'


class TapeError(ValueError):
    """A tape that cannot be read; the text names the file, the line, what was expected and what came."""


class Row(NamedTuple):
    """One level with its new absolute size; a size of 0 removes it."""

    price: Decimal
    size: Decimal


class Rows(NamedTuple):
    """A snapshot or a delta; `t` is the tape's time in milliseconds."""

    t: int
    snapshot: bool
    bids: list[Row]
    asks: list[Row]


class TapeTrade(NamedTuple):
    """A trade; `t` is the tape's time in milliseconds, `side` the taker's."""

    t: int
    price: Decimal
    size: Decimal
    side: Side


Line: TypeAlias = Rows | TapeTrade


class Steps(NamedTuple):
    """The tick and the lot of a market: every price and size in it is a whole multiple of them."""

    tick: Decimal
    lot: Decimal


class Tape(NamedTuple):
    """A whole tape; `market` is what its first line says."""

    market: str
    lines: list[Line]


class _Header(Struct, tag_field="kind", tag="tape"):
    market: str = ""


class _Snapshot(Struct, tag_field="kind", tag="snapshot"):
    t: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class _Delta(Struct, tag_field="kind", tag="delta"):
    t: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class _Trade(Struct, tag_field="kind", tag="trade"):
    t: int
    price: str
    size: str
    side: Literal["buy", "sell"]


_Message: TypeAlias = _Header | _Snapshot | _Delta | _Trade
_decoder: Final[msgspec.json.Decoder[_Message]] = msgspec.json.Decoder(_Message)


def read_tape(path: Path) -> Tape:
    """Read a tape; gzip is recognised by the content, not by the name.

    Raises:
        TapeError: it cannot be read, or a line is not what the format has there.
    """
    market: str | None = None
    lines: list[Line] = []
    for number, text in _texts(path):
        where = f"{path}:{number}"
        message = _message(where, text)
        if isinstance(message, _Header) == (market is None):
            if isinstance(message, _Header):
                market = message.market
            else:
                lines.append(_line(where, message))
        elif market is None:
            raise TapeError(f'{where}: expected {{"kind":"tape","market":…}} as the first line, got {_shown(text)}')
        else:
            raise TapeError(f"{where}: expected a snapshot, a delta or a trade, got {_shown(text)}")
    if market is None:
        raise TapeError(f'{path}:1: expected {{"kind":"tape","market":…}} as the first line, got an empty file')
    return Tape(market, lines)


def steps_of(tape: Tape) -> Steps:
    """The coarsest powers of ten, at most 1, of which all prices and sizes of a tape are multiples."""
    prices, sizes = Decimal(1), Decimal(1)
    for line in tape.lines:
        for price, size in chain(line.bids, line.asks) if isinstance(line, Rows) else ((line.price, line.size),):
            if not price.same_quantum(prices):
                prices = _finer(prices, price)
            if not size.same_quantum(sizes):
                sizes = _finer(sizes, size)
    return Steps(prices, sizes)


def _finer(step: Decimal, number: Decimal) -> Decimal:
    """The power of ten of which both are multiples."""
    ones, exponent = number.as_tuple().exponent, step.as_tuple().exponent
    assert isinstance(ones, int), "a tape's numbers are finite"
    assert isinstance(exponent, int)
    return Decimal(1).scaleb(min(ones, exponent))


def _texts(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers."""
    number = 0
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == _GZIP
            file.seek(0)
            source: IO[bytes] = gzip.GzipFile(fileobj=file) if zipped else file  # type: ignore[assignment]
            for number, text in enumerate(iter(lambda: source.readline(_LONGEST_LINE), b""), 1):
                if len(text) == _LONGEST_LINE:
                    raise TapeError(f"{path}:{number}: expected a line of at most {_LONGEST_LINE} bytes, got more")
                if text.strip():
                    yield number, text
    except (OSError, EOFError, zlib.error) as error:
        raise TapeError(f"{path}:{number + 1}: expected a readable tape, got: {error}") from error


def _message(where: str, text: bytes) -> _Message:
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise TapeError(f"{where}: expected a line of a tape, got {_shown(text)} ({error})") from error


def _line(where: str, message: _Snapshot | _Delta | _Trade) -> Line:
    if isinstance(message, _Trade):
        price, size = _positive(where, "price", message.price), _positive(where, "size", message.size)
        return TapeTrade(message.t, price, size, message.side)
    bids, asks = _rows(where, "bids", message.bids), _rows(where, "asks", message.asks)
    return Rows(message.t, isinstance(message, _Snapshot), bids, asks)


def _rows(where: str, name: str, rows: list[tuple[str, str]]) -> list[Row]:
    return [
        Row(_positive(where, f"{name}[{i}][0]", price), _decimal(where, f"{name}[{i}][1]", size))
        for i, (price, size) in enumerate(rows)
    ]


def _positive(where: str, name: str, text: str) -> Decimal:
    value = _decimal(where, name, text)
    if not value:
        raise TapeError(f'{where}: expected a number above 0 at `{name}`, got "{_shown(text.encode())}"')
    return value


def _decimal(where: str, name: str, text: str) -> Decimal:
    if not _DECIMAL.fullmatch(text):
        raise TapeError(f'{where}: expected {_DECIMAL_WANTED} at `{name}`, got "{_shown(text.encode())}"')
    return Decimal(text)


def _shown(text: bytes) -> str:
    """The beginning of a value, without characters that a terminal would obey."""
    return ascii(text.strip()[:60].decode("utf-8", "replace"))[1:-1]
