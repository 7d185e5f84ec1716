"""JSON of any shape, kept as it came: numbers with all their digits, texts and order unchanged.

What is kept is shown, written and searched for secrets later, so it is bounded here: a number is one that some program
can have meant, and nothing is nested deeper than a person would read.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from venues.decoding import excerpt
from venues.errors import BadMessage

MOST_DIGITS = 400
MOST_EXPONENT = 330  # a double goes from 5e-324 to 1.8e308
DEEPEST = 128
MOST_VALUES = 500_000  # in one message: a message of 16 MiB can have so many that they fill our memory


def exact_number(text: str) -> Decimal:
    """The `float_hook` of a decoder: the number with the digits that it was written with.

    Raises:
        ValueError: of more than 400 digits, or beyond 1e±330; a decoder makes a ValidationError of it.
    """
    # A text beyond any exponent must not be made a number first: `Decimal` raises on it, or keeps what no reader can.
    _, _, exponent = text.lower().partition("e")
    if len(text) > MOST_DIGITS or len(exponent) > 6 or (exponent and abs(int(exponent)) > MOST_EXPONENT):
        expected = f"a number of at most {MOST_DIGITS} digits and up to 1e±{MOST_EXPONENT}"
        raise ValueError(f"Expected `{expected}`, got `{excerpt(text, 40)}`")  # in the decoder's own form, for the path
    return Decimal(text)


def any_json(raw: bytes | msgspec.Raw) -> Any:
    """Whatever JSON stands for.

    Raises:
        DECODE_ERRORS: it is no JSON, or has a number that is none.
        BadMessage: nested deeper than 128, or of too many values.
    """
    check_values(bytes(raw))
    data = _ANY.decode(raw)
    check_depth(data, bytes(raw))
    return data


def check_values(frame: bytes) -> None:
    """Refuse what has too many values, before they are made.

    Raises:
        BadMessage: more than `MOST_VALUES`.
    """
    if len(frame) > MOST_VALUES and sum(map(frame.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise BadMessage(f"expected JSON of at most {MOST_VALUES} values, got more")


def check_depth(data: Any, frame: bytes) -> None:
    """Refuse what is nested too deeply; `frame` is where it is from.

    Raises:
        BadMessage: nested deeper than 128.
    """
    if frame.count(b"[") + frame.count(b"{") <= DEEPEST:  # the common case, without a walk
        return
    level = [data]
    for _ in range(DEEPEST):
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return
    raise BadMessage(f"expected JSON nested at most {DEEPEST} deep, got it deeper")


_ANY = msgspec.json.Decoder(float_hook=exact_number)


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [inner for inner in value.values() if isinstance(inner, dict | list)]
    if isinstance(value, list):
        return [inner for inner in value if isinstance(inner, dict | list)]
    return []
