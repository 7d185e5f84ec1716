"""JSON of any shape, kept as it came: numbers with all their digits, texts and order unchanged.

What is kept is shown, written and searched for secrets later. So it is bounded here: numbers must be within the range
of a double, and nothing is nested deeper than a person would read.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import msgspec

from venues.errors import BadMessage
from venues.toolkit.decoding import excerpt, read_again
from venues.toolkit.written import WrittenDecimal

MOST_DIGITS = 400
MOST_EXPONENT = 330  # a double goes from 5e-324 to 1.8e308
DEEPEST = 128
MOST_VALUES = 500_000  # in one message: a message of 16 MiB can have so many that they fill our memory

_TINY = ("0.000000", "-0.000000")  # of a number that begins so, `str` may write an exponent
_MINUS_ZERO = re.compile(rb"[\[:,\s]-0[\],}\s]|^\s*-0\s*$")  # may also be a part of a text


def exact_number(text: str) -> Decimal:
    """The `float_hook` of a decoder: the number, to be written exactly as it was sent.

    Raises:
        ValueError: of more than 400 digits, or beyond 1e±330; a decoder makes a ValidationError of it.
    """
    if "e" in text or "E" in text or len(text) > MOST_DIGITS or text.startswith(_TINY):
        return WrittenDecimal(_checked(text))
    return Decimal(text)


def _plain_number(text: str) -> Decimal:
    return Decimal(_checked(text))


def _checked(text: str) -> str:
    # A text beyond any exponent must not be made a number first: `Decimal` raises on it, or keeps what no reader can.
    _, _, exponent = text.lower().partition("e")
    if len(text) > MOST_DIGITS or len(exponent) > 6 or (exponent and abs(int(exponent)) > MOST_EXPONENT):
        expected = f"a number of at most {MOST_DIGITS} digits and up to 1e±{MOST_EXPONENT}"
        raise ValueError(f"Expected `{expected}`, got `{excerpt(text, 40)}`")  # in the decoder's own form, for the path
    return text


def any_json(raw: bytes | msgspec.Raw, *, exactly: bool = True) -> Any:
    """The value of any JSON; half a surrogate pair in a text becomes U+FFFD.

    `exactly`: numbers will be written as they were sent, 1e-7 as 1e-7. Otherwise they are written plainly, 0.0000001,
    as in every record but a message.

    Raises:
        DECODE_ERRORS: it is no JSON, or has a number that is none.
        BadMessage: nested deeper than 128, or of too many values.
    """
    decoder, frame = _EXACTLY if exactly else _PLAINLY, bytes(raw)
    check_values(frame)
    try:
        data = decoder.decode(frame)
    except msgspec.DecodeError as error:
        data, frame = read_again(decoder, frame, error)
    check_depth(data, frame)
    return with_signs(data, frame) if exactly else data


def with_signs(data: Any, frame: bytes) -> Any:
    """The decoded value of `frame`; decoded anew if it has an integer `-0`, whose sign msgspec leaves out.

    Raises:
        BadMessage: it has a number that cannot be kept, where nobody has looked yet.
    """
    if b"-0" not in frame or _MINUS_ZERO.search(frame) is None:
        return data
    try:
        return json.loads(frame, parse_float=exact_number, parse_int=_exact_integer)
    except ValueError as error:
        words = excerpt(str(error), 120)
        raise BadMessage(words[:1].lower() + words[1:]) from None


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


_EXACTLY = msgspec.json.Decoder(float_hook=exact_number)
_PLAINLY = msgspec.json.Decoder(float_hook=_plain_number)


def _exact_integer(text: str) -> int | Decimal:
    return WrittenDecimal(text) if text == "-0" else int(text)


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [inner for inner in value.values() if isinstance(inner, dict | list)]
    if isinstance(value, list):
        return [inner for inner in value if isinstance(inner, dict | list)]
    return []
