"""Frames that are read once more, and what is said of those that are none."""

from __future__ import annotations

import decimal
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from venues.toolkit.decoding import DECODE_ERRORS, Reader, excerpt, explain, read_again, without_halves
from venues.toolkit.times import LATEST_MS, LATEST_S


class Inner(msgspec.Struct):
    """What is within."""

    price: int
    side: Literal["buy", "sell"] = "buy"


class Outer(msgspec.Struct):
    """A message."""

    name: str
    inner: Inner | None = None
    at: Annotated[int, Meta(le=LATEST_MS)] = 0
    seconds: Annotated[int, Meta(le=LATEST_S)] = 0
    count: Annotated[int, Meta(ge=1)] = 1


READER: Reader[Outer] = Reader(Outer)
STRICT: Reader[Outer] = Reader(Outer, respells=False)


def refused(frame: Any, shape: Any = Outer) -> str:
    """What is said of a frame that is refused."""
    reader: Reader[Any] = Reader(shape, respells=False)
    with pytest.raises(DECODE_ERRORS) as error:
        reader.decode(frame)
    return explain(error.value)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b"{}", "expected a value at `name`, got none"),
        (b'{"name": "a", "inner": {}}', "expected a value at `inner.price`, got none"),
        (b'{"name": 5}', "expected str at `name`, got int"),
        (b'{"name": "a", "inner": {"price": "x"}}', "expected int at `inner.price`, got str"),
        (b"[]", "expected object, got array"),
        (b'{"name": "a", "count": 0}', "expected int >= 1 at `count`, got another"),
        (
            b'{"name": "a", "at": 999999999999999999}',
            "expected milliseconds since the epoch at `at`, got another number",
        ),
        (
            b'{"name": "a", "seconds": 999999999999}',
            "expected seconds since the epoch at `seconds`, got another number",
        ),
        (
            b'{"name": "a", "inner": {"price": 1, "side": "x"}}',
            'expected a documented word at `inner.side`, got "x"',
        ),
        (
            b'{"name": "a", "inner": {"price": 1, "side": "' + b"x" * 70 + b'"}}',
            f'expected a documented word at `inner.side`, got "{"x" * 59}…"',
        ),
        (b'"\xff"', "expected UTF-8 text, got other bytes"),
        (b"[" * 5_000, "expected a message, got JSON nested too deeply"),
    ],
)
def test_what_is_said_of_a_frame_that_is_no_message(frame: bytes, words: str) -> None:
    shape = Any if frame[:1] in b'"' or frame[:2] == b"[[" else Outer
    assert refused(frame, shape) == words


def test_what_is_no_json_is_said_in_two_hundred_characters() -> None:
    assert refused(b"") == "expected JSON, got something else: Input data was truncated"
    assert refused(b"{x", Any).startswith("expected JSON, got something else: JSON is malformed")
    assert explain(decimal.InvalidOperation()) == "expected a number, got one beyond any range"
    assert len(explain(msgspec.DecodeError("x" * 500))) == 200
    assert len(explain(msgspec.ValidationError("x" * 500))) == 200
    assert explain(msgspec.ValidationError("Odd at `$.a`")) == "odd at `a`"


@pytest.mark.parametrize(("text", "short"), [("", ""), ("abc", "abc"), ("abcd", "abcd"), ("abcde", "abc…")])
def test_a_text_is_cut_to_so_many_characters(text: str, short: str) -> None:
    assert excerpt(text, 4) == short


@pytest.mark.parametrize(
    ("frame", "mended"),
    [
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\uD83D"', rb'"\ufffd"'),
        (rb'"\udE00"', rb'"\ufffd"'),
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
        (rb'"\uD83D\uDE00\ud83d"', rb'"\uD83D\uDE00\ufffd"'),
        (rb'"\ud83d\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (rb'"\\ud83d"', rb'"\\ud83d"'),
        (rb'"\\\ud83d\n"', rb'"\\\ufffd\n"'),
        (rb'"\ud7ff\ue000"', rb'"\ud7ff\ue000"'),
        (b'"plain"', b'"plain"'),
    ],
)
def test_half_of_a_pair_is_replaced_and_nothing_else(frame: bytes, mended: bytes) -> None:
    assert without_halves(frame) == mended


@pytest.mark.parametrize(
    "frame", [rb'{"name": "\ud83d!"}', r'{"name": "\ud83d!"}', msgspec.Raw(rb'{"name": "\ud83d!"}')]
)
def test_a_frame_with_half_a_pair_is_read_once_more(frame: Any) -> None:
    assert STRICT.decode(frame) == READER.decode(frame) == Outer("\ufffd!")


def test_a_number_as_a_text_is_read_where_other_spellings_are_accepted() -> None:
    usual = Outer("a", Inner(5))
    assert READER.decode(b'{"name": "a", "inner": {"price": 5}}') == usual
    assert READER.decode(b'{"name": "a", "inner": {"price": 5, "side": "BUY"}}') == usual
    with pytest.raises(msgspec.ValidationError):
        STRICT.decode(b'{"name": "a", "inner": {"price": 5, "side": "BUY"}}')
    with pytest.raises(msgspec.ValidationError, match="side"):
        READER.decode(b'{"name": "a", "inner": {"price": 5, "side": "neither"}}')


def test_a_frame_that_was_mended_is_given_with_its_value() -> None:
    decoder = msgspec.json.Decoder(list[Any], float_hook=Decimal)
    error = ValueError("why")
    assert read_again(decoder, rb'["\ud83d", 1.50]', error) == (["\ufffd", Decimal("1.50")], rb'["\ufffd", 1.50]')
    with pytest.raises(ValueError, match=r"^why$"):
        read_again(decoder, b"[1]", error)
    with pytest.raises(msgspec.ValidationError):
        read_again(decoder, rb'{"a": "\ud83d"}', error)


@pytest.mark.parametrize("error", [RecursionError(), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad")])
def test_what_is_too_deep_or_no_text_is_not_read_again(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        READER.again(b'{"name": "a"}', error)
    assert raised.value is error
