"""Any JSON as one readable line: quotes, trades, candles and signals as such, all else as `key value · key value`.

Numbers keep their digits; what is long is cut between two words, so that no number is ever cut into another one.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from cli.output import cells

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Clock = Callable[[int], str]

LONGEST = 400  # characters of a line; no more than that is ever looked at, however large the data
DEEPEST = 6
LONGEST_NUMBER = 80
ELLIPSIS = "…"

_END_OF_NUMBER = re.compile(r"[-+−.,:/_\deE]+$")  # or what may be one


def line_of(data: Any, clock: Clock) -> str:
    """The data as one harmless line of at most `LONGEST` characters; a dash for null. `clock` writes a time of day."""
    if data is None:
        return cells.ABSENT
    if isinstance(data, dict):
        for shape in (_quote, _trade, _candle, _signal):
            text = shape(data, clock)
            if text is not None:
                return text
        pieces = _fields(data)
    else:
        pieces = _compact(data, 0)
    return _joined(pieces)


def cut(text: str, width: int) -> str:
    """The text, cut to so many cells between two words, with an ellipsis."""
    if cell_len(text) <= width:
        return text
    room = width - 1  # beside the ellipsis
    kept = text[:room]
    while kept and cell_len(kept) > room:
        kept = kept[:-1]
    word = kept
    if not text[len(kept) :].startswith(" "):
        kept = kept.rpartition(" ")[0]
    return (kept.rstrip(" ·") or _without_part_of_number(word)) + ELLIPSIS


def _without_part_of_number(word: str) -> str:
    """Cut a number off a word that was cut, since a part of it would be another number."""
    return _END_OF_NUMBER.sub("", word) if any(map(str.isdigit, word)) else word


# --- the shapes that bots publish ----------------------------------------------------------------------------------


def _quote(data: dict[str, Any], clock: Clock) -> str | None:
    """`{"bid": [price, size], "ask": [price, size], "time"}`"""
    if not {"bid", "ask"} <= data.keys() <= {"bid", "ask", "time", "src", "sym"}:
        return None
    bid, ask = data["bid"], data["ask"]
    if not (_are_numbers(bid, 2) and _are_numbers(ask, 2)):
        return None
    sides = " / ".join(f"{_number(price)} × {_number(size)}" for price, size in (bid, ask))
    return f"quote {_of_what(data)}{sides}{_at(data, clock)}"


def _trade(data: dict[str, Any], clock: Clock) -> str | None:
    """`{"side": "Buy", "price", "size", "time"}`"""
    if not {"side", "price", "size"} <= data.keys() <= {"side", "price", "size", "time", "src", "sym"}:
        return None
    side, price, size = data["side"], data["price"], data["size"]
    if not (_are_numbers([price, size], 2) and isinstance(side, str) and side.lower() in ("buy", "sell")):
        return None
    arrow = "▲" if side.lower() == "buy" else "▼"
    return f"trade {_of_what(data)}{arrow} {side} {_number(size)} @ {_number(price)}{_at(data, clock)}"


def _candle(data: dict[str, Any], clock: Clock) -> str | None:
    """`{"time", "open", "high", "low", "close", "volume"}`"""
    names = ("open", "high", "low", "close")
    if not set(names) <= data.keys() <= {*names, "volume", "time", "src", "sym"}:
        return None
    shown = [name for name in (*names, "volume") if name in data]
    if not _are_numbers([data[name] for name in shown], len(shown)):
        return None
    figures = " · ".join(f"{name} {_number(data[name])}" for name in shown)
    return f"candle {_of_what(data)}{figures}{_at(data, clock)}"


def _signal(data: dict[str, Any], clock: Clock) -> str | None:
    """`{"src", "sym", "size"}`: a position in [-1, 1], or `mid`, `bid`, `ask`, or `quote` as a value or two."""
    kinds = data.keys() - {"src", "sym"}
    if len(kinds) != 1 or kinds.isdisjoint({"size", "mid", "bid", "ask", "quote"}):
        return None
    (kind,) = kinds
    value = data[kind]
    pair = kind == "quote" and _are_numbers(value, 2)
    if not (pair or _are_numbers([value], 1)) or (kind == "size" and not -1 <= value <= 1):
        return None
    shown = " / ".join(map(_number, value)) if pair else _number(value)
    return f"signal {_of_what(data)}{kind} {shown}"


def _of_what(data: dict[str, Any]) -> str:
    words = [
        cells.harmless(data[name], cells.LONGEST_NAME) for name in ("src", "sym") if isinstance(data.get(name), str)
    ]
    return "".join(f"{word} " for word in words)


def _at(data: dict[str, Any], clock: Clock) -> str:
    time = data.get("time")
    if time is None:
        return ""
    return f" · {clock(time) if type(time) is int and 0 <= time < 2**53 else _joined(_compact(time, 0))}"


def _are_numbers(values: Any, count: int) -> bool:
    return isinstance(values, list) and len(values) == count and all(map(_is_number, values))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


# --- all else ------------------------------------------------------------------------------------------------------


def _joined(pieces: Iterator[str]) -> str:
    """As many of the pieces as make a line; the rest of the data is not even walked through."""
    text = ""
    for piece in pieces:
        text += piece
        if len(text) > LONGEST:
            return cut(text, LONGEST)
    return text


def _fields(data: dict[str, Any]) -> Iterator[str]:
    for index, (name, value) in enumerate(data.items()):
        yield f"{' · ' if index else ''}{_text(name)} "
        yield from _compact(value, 1)
    if not data:
        yield "{}"


def _compact(value: Any, depth: int) -> Iterator[str]:
    if value is None or isinstance(value, bool):
        yield {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, str):
        yield _text(value) if depth <= 1 else f'"{_text(value)}"'
    elif isinstance(value, int | Decimal):
        yield _number(value)
    elif depth >= DEEPEST:
        yield ELLIPSIS
    elif isinstance(value, dict):
        yield from _in_brackets("{}", value.items(), lambda item: _named(item, depth + 1))
    elif isinstance(value, list):
        yield from _in_brackets("[]", value, lambda item: _compact(item, depth + 1))
    else:
        yield _text(str(value))


def _in_brackets(brackets: str, items: Any, pieces_of: Callable[[Any], Iterator[str]]) -> Iterator[str]:
    yield brackets[0]
    for index, item in enumerate(items):
        if index:
            yield ", "
        yield from pieces_of(item)
    yield brackets[1]


def _named(item: tuple[str, Any], depth: int) -> Iterator[str]:
    yield f"{_text(item[0])}: "
    yield from _compact(item[1], max(depth, 2))


def _text(text: str) -> str:
    return cells.harmless(text, LONGEST)


def _number(value: int | Decimal) -> str:
    """All digits of a number. One that would fill a line is told by its size instead."""
    if isinstance(value, int):
        return str(value) if value.bit_length() < 3 * LONGEST_NUMBER else f"(a number of {value.bit_length()} bits)"
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or len(value.as_tuple().digits) + abs(exponent) > LONGEST_NUMBER:
        text = str(value)
        return text if len(text) <= LONGEST_NUMBER else f"(a number of {len(text)} characters)"
    return format(value, "f")
