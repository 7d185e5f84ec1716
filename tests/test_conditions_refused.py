"""What is no condition: each refusal whole, with the mark below what is wrong; and what a condition says of itself."""

from __future__ import annotations

from typing import Any

import pytest

from cli.output.conditions import condition, path
from cli.output.fields import Fields
from venues.errors import UsageError
from venues.records import Book, Message, Order, Trade

ON_TRADES = Fields("trades", Trade)
ON_ORDERS = Fields("orders", Order)
ON_BOOKS = Fields("book", Book, 20)
ON_MESSAGES = Fields("feed", Message)
OF_ONE_BEFORE = "env, extra, price, price_unit, received, side, size, size_unit, symbol, time, trade_id, type, venue"
OF_TRADES = (
    "age_ms, env, extra, partial, price, price_unit, received, side, size, size_unit, stale, state, symbol, time, "
    "trade_id, type, venue"
)


@pytest.mark.parametrize(
    ("fields", "text", "said", "marks"),
    [
        (ON_TRADES, "price", "expected a condition, got a number: compare it with something", "^^^^^"),
        (ON_TRADES, "side", "expected a condition, got a text: compare it with something", "^^^^"),
        (ON_TRADES, "5", "expected a condition, got a number: compare it with something", "^"),
        (
            ON_TRADES,
            "price > 1 and 'x'",
            "expected a condition, got a text: compare it with something",
            "              ^^^",
        ),
        (ON_BOOKS, "bids", "expected a condition, got levels: compare it with something", "^^^^"),
        (
            ON_TRADES,
            "1 < price is 5",
            "expected one of == != < <= > >= or in; there is no other comparison",
            "^^^^^^^^^^^^^^",
        ),
        (ON_TRADES, "true > 1", "expected numbers here: texts and true or false have == and != only", "^^^^"),
        (ON_TRADES, "side >= 'buy'", "expected numbers here: texts and true or false have == and != only", "^^^^"),
        (ON_TRADES, "price == side", "expected a number to compare with, got a text", "         ^^^^"),
        (ON_TRADES, "side == 1", "expected a text to compare with, got a number", "        ^"),
        (ON_TRADES, "price == true", "expected a number to compare with, got true or false", "         ^^^^"),
        (ON_TRADES, "'long' == side", 'this can never come; expected one of "buy", "sell"', "^^^^^^"),
        (ON_TRADES, "price in 1 in 2", "expected one comparison with in; write and between two", "^^^^^^^^^^^^^^^"),
        (
            ON_TRADES,
            "price in (1) in (2)",
            "expected one comparison with in; write and between two",
            "^^^^^^^^^^^^^^^^^^^",
        ),
        (ON_TRADES, "price in ()", "expected at least one value in the brackets", "         ^^"),
        (ON_TRADES, "price in [1]", 'expected values in brackets after in, such as ("buy", "sell")', "         ^^^"),
        (
            ON_TRADES,
            "price in price",
            'expected values in brackets after in, such as ("buy", "sell")',
            "         ^^^^^",
        ),
        (ON_BOOKS, "bids in (1)", "expected a figure, got all levels: write bids[0].price", "^^^^"),
        (ON_TRADES, "side in (1)", "expected a text to compare with, got a number", "         ^"),
        (ON_TRADES, "(1, 2) == price", "expected one value; several stand in brackets after in only", "^^^^^^"),
        (ON_TRADES, "[1] == price", "expected one value; several stand in brackets after in only", "^^^"),
        (ON_TRADES, "lambda: 1", "expected no such sign", "      ^"),
        (
            ON_TRADES,
            "price if true else size",
            "expected a field, a number, a text, true or false; there is nothing like this here",
            "^^^^^^^^^^^^^^^^^^^^^^^",
        ),
        (ON_TRADES, "side + 1 > 1", "expected a number to calculate with, got a text", "^^^^"),
        (ON_TRADES, "-side > 1", "expected a number to calculate with, got a text", " ^^^^"),
        (ON_TRADES, "abs(side) > 1", "expected a number to calculate with, got a text", "    ^^^^"),
        (ON_TRADES, "True", "expected a value; write true", "^^^^"),
        (ON_TRADES, "False == false", "expected a value; write false", "^^^^^"),
        (ON_TRADES, "None", "expected a value; what is absent is never a match, so it cannot be compared with", "^^^^"),
        (
            ON_TRADES,
            "... == 1",
            "expected a value; what is absent is never a match, so it cannot be compared with",
            "^^^",
        ),
        (ON_TRADES, "1j == 1", "expected an operator before this", " ^"),
        (ON_TRADES, "b'x' == 1", "expected an operator before this", " ^^^"),
        (ON_TRADES, "price == 1e1000", "expected an exponent of at most 999", "         ^^^^^^"),
        (ON_TRADES, "price % 2 > 1", "expected no such sign; write a number in percent", "      ^"),
        (ON_TRADES, "price // 2 > 1", "expected + - * or /; there is no other operation", "^^^^^^^^^^"),
        (ON_TRADES, "1 + price % 2 + 3 > 1", "expected no such sign; write a number in percent", "          ^"),
        (ON_TRADES, "f(1) > 1", "expected one of abs, min, max before a bracket; nothing else is called", "^^^^"),
        (
            ON_TRADES,
            "price.x(1) > 1",
            "expected one of abs, min, max before a bracket; nothing else is called",
            "^^^^^^^^^^",
        ),
        (ON_TRADES, "max(a=1) > 1", "expected no such sign; write ==", "     ^"),
        (ON_TRADES, "max(*price) > 1", "expected numbers in the brackets of max", "^^^^^^^^^^^"),
        (ON_TRADES, "abs() > 1", "expected one number in the brackets of abs", "^^^^^"),
        (ON_TRADES, "abs(1, 2) > 1", "expected one number in the brackets of abs", "^^^^^^^^^"),
        (ON_TRADES, "max() > 1", "expected numbers in the brackets of max", "^^^^^"),
        (ON_TRADES, "prev > 1", "expected a field of the record before, such as prev.time", "^^^^"),
        (ON_BOOKS, "prev > 1", "expected a field of the record before, such as prev.time", "^^^^"),
        (ON_TRADES, "prev[0] > 1", "expected a field of the record before, such as prev.time", "^^^^^^^"),
        (
            ON_TRADES,
            "prev.nothing > 1",
            f"the record before has no field nothing; it has {OF_ONE_BEFORE}",
            "^^^^^^^^^^^^",
        ),
        (
            ON_TRADES,
            "prev.state == 'live'",
            f"the record before has no field state; it has {OF_ONE_BEFORE}",
            "^^^^^^^^^^",
        ),
        (ON_TRADES, "price[true] > 1", "expected a place from 0 on, such as [0]", "      ^^^^"),
        (ON_TRADES, "extra[1.5] > 1", "expected a place from 0 on, such as [0]", "      ^^^"),
        (ON_TRADES, "extra[price] > 1", "expected a place from 0 on, such as [0]", "      ^^^^^"),
        (ON_TRADES, "extra[True] > 1", "expected a place from 0 on, such as [0]", "      ^^^^"),
        (ON_TRADES, "(1).x > 1", "expected a field", " ^"),
        (ON_TRADES, "'x'.y > 1", "expected a field", "^^^"),
        (ON_TRADES, "extra == 1", "expected a field of the venue's own, such as extra.NAME", "^^^^^"),
        (ON_TRADES, "prev.extra == 1", "expected a field of the venue's own, such as extra.NAME", "^^^^^^^^^^"),
        (
            ON_TRADES,
            "nothing.x > 1",
            f"a trade has no field nothing; it has {OF_TRADES}",
            "^^^^^^^",
        ),
        (ON_TRADES, "state.x == 1", "expected nothing behind state", "^^^^^^^"),
        (ON_TRADES, "price.x > 1", "expected nothing behind price, which is a number", "^^^^^^^"),
        (ON_TRADES, "side.x == 1", "expected nothing behind side, which is a text", "^^^^^^"),
        (ON_TRADES, "state[0] == 1", "expected nothing behind state", "^^^^^^^^"),
        (ON_BOOKS, "bids.x > 1", "expected a place first, such as bids[0].price", "^^^^^^"),
        (ON_BOOKS, "bids[0] > 1", "expected a figure of the level, such as bids[0].price", "^^^^^^^"),
        (ON_BOOKS, "bids[20].price > 1", "the book has 20 levels a side, [0] to [19]: give --depth 21", "^^^^^^^^"),
        (
            ON_BOOKS,
            "bids[19].price.x > 1",
            "a level has price, size, orders, total, no bids[19].price.x",
            "^^^^^^^^^^^^^^^^",
        ),
        (ON_BOOKS, "bids[0].x > 1", "a level has price, size, orders, total, no x", "^^^^^^^^^"),
        (ON_BOOKS, "mid.x > 1", "expected nothing behind mid", "^^^^^"),
        (ON_BOOKS, "prev.bids > 1", "expected a figure, got all levels: write prev.bids[0].price", "^^^^^^^^^"),
        (ON_ORDERS, "prcie > 1", "an order has no field prcie; did you mean price?", "^^^^^"),
        (
            ON_TRADES,
            "zzzzzz > 1",
            f"a trade has no field zzzzzz; it has {OF_TRADES}",
            "^^^^^^",
        ),
        (ON_TRADES, "mid > 1", "a trade has no field mid; book, quotes, signals have it", "^^^"),
        (ON_TRADES, "open > 1", "a trade has no field open; candles has it", "^^^^"),
        (ON_TRADES, "closed", 'a trade has no field closed; as a text it stands in quotes: "closed"', "^^^^^^"),
        (ON_TRADES, "sell == side", 'a trade has no field sell; as a text it stands in quotes: "sell"', "^^^^"),
        (ON_ORDERS, "buy == side", 'an order has no field buy; as a text it stands in quotes: "buy"', "^^^"),
        (ON_TRADES, "type == 'x'", 'this can never come; expected one of "trade"', "        ^^^"),
        (
            ON_TRADES,
            "state != 'x'",
            'this can never come; expected one of "closed", "connecting", "live", "reconnecting", "stale", "syncing"',
            "         ^^^",
        ),
        (ON_TRADES, "prev.side == 'x'", 'this can never come; expected one of "buy", "sell"', "             ^^^"),
    ],
)
def test_each_refusal_says_what_was_expected_and_where(fields: Fields, text: str, said: str, marks: str) -> None:
    with pytest.raises(UsageError) as refused:
        condition(text, fields, "--where")
    assert str(refused.value).splitlines() == [f"--where: {said}", f"  {text}", f"  {marks}"]


@pytest.mark.parametrize(
    ("text", "uses", "operands"),
    [
        ("price > 1", "record", ["price"]),
        ("prev.price > price + size", "prev record", ["price", "size", "prev.price"]),
        ("age_ms > 5 and stale", "age standing", ["age_ms", "stale"]),
        ('state == "live"', "standing", ["state"]),
        ("not stale or side == 'buy'", "standing record", ["stale", "side"]),
        ("partial", "record", ["partial"]),
        ("true", "record", []),
        ("1 < 2", "record", []),
        ("price > 1 and price < 3", "record", ["price"]),
    ],
)
def test_a_condition_knows_what_it_looks_at(text: str, uses: str, operands: list[str]) -> None:
    made = condition(text, ON_TRADES, "--where")
    found = [name for name in ("prev", "age", "standing", "record") if getattr(made, f"uses_{name}")]
    assert (made.text, " ".join(found), sorted(made.operands)) == (text, uses, sorted(operands))


@pytest.mark.parametrize(
    ("fields", "text", "expected"),
    [
        (ON_TRADES, "price", ("number", True, False)),
        (ON_TRADES, "extra", ("any", True, False)),
        (ON_TRADES, "extra.x", ("any", True, False)),
        (ON_TRADES, "prev.price", ("number", True, True)),
        (ON_TRADES, "prev.extra", ("any", True, True)),
        (ON_TRADES, "state", ("text", False, False)),
        (ON_TRADES, "stale", ("truth", False, False)),
        (ON_TRADES, "age_ms", ("number", False, False)),
        (ON_TRADES, "venue", ("text", False, False)),
        (ON_TRADES, "env", ("text", False, False)),
        (ON_TRADES, "symbol", ("text", False, False)),
        (ON_TRADES, "type", ("text", False, False)),
        (ON_BOOKS, "bids", ("levels", True, False)),
        (ON_BOOKS, "bids[19].price", ("number", True, False)),
        (ON_BOOKS, "mid", ("number", True, False)),
        (ON_MESSAGES, "data", ("any", True, False)),
    ],
)
def test_a_path_knows_what_kind_its_value_is_of(fields: Fields, text: str, expected: tuple[Any, ...]) -> None:
    found = path(text, fields, "--fields")
    assert (found.text, found.kind, found.of_record, found.uses_prev) == (text, *expected)


@pytest.mark.parametrize(
    ("text", "said", "marks"),
    [
        ("price + 1", "expected a field such as price or bids[0].price", "^^^^^^^^^"),
        ("5", "expected a field such as price or bids[0].price", "^"),
        ("prev", "expected a field of the record before, such as prev.time", "^^^^"),
    ],
)
def test_what_is_no_path(text: str, said: str, marks: str) -> None:
    with pytest.raises(UsageError) as refused:
        path(text, ON_TRADES, "--fields")
    assert str(refused.value).splitlines() == [f"--fields: {said}", f"  {text}", f"  {marks}"]


@pytest.mark.parametrize("place", [0, 20, 500])
def test_where_no_depth_is_known_any_place_may_be(place: int) -> None:
    assert condition(f"bids[{place}].price > 1", Fields("book", Book), "--where").uses_record
