"""The language of conditions: against a second evaluator, and what is refused."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from cli.output.conditions import Condition, Seen, condition, path
from cli.output.fields import Fields
from tests import reckoned
from venues.errors import UsageError
from venues.records import Book, Level, Message, Trade
from venues.streams import STREAMS

EXPRESSIONS = 10_000
PARTS = 4
ON_TRADES = Fields("trades", Trade)
ON_BOOKS = Fields("book", Book, 20)
ON_MESSAGES = Fields("feed", Message)


END = "behind the end"


def trade(**fields: Any) -> Trade:
    given = {"price": Decimal("70001.5"), "size": Decimal("0.1"), "side": "buy", **fields}
    return Trade(venue="nexus", received=1, **given)


def live() -> Seen:
    seen = Seen()
    seen.state, seen.stale, seen.partial = "live", False, False
    return seen


def judged(made: Condition, record: Any, seen: Seen | None = None) -> bool | None:
    """True, false, or None for neither."""
    seen = seen or live()
    yes, no = made.is_true(record, seen), made.is_false(record, seen)
    assert not (yes and no)
    return True if yes else False if no else None


def compiled(text: str, fields: Fields) -> Condition | None:
    """The condition; None for one with a word that can never come, which is refused."""
    try:
        return condition(text, fields, "--where")
    except UsageError as error:
        if "can never come" in str(error):
            return None
        raise


@pytest.mark.parametrize("sign", ["", "+", "-"])
def test_exponents_have_three_digits_at_most(sign: str) -> None:
    for good in ("0", "999", "0999"):
        assert condition(f"price > 1e{sign}{good}", ON_TRADES, "--where") is not None
    for bad in ("1000", "9999", "00999" if sign else "000999", "9" * 1_000):
        with pytest.raises(UsageError, match="expected an exponent of at most 999"):
            condition(f"price > 1e{sign}{bad}", ON_TRADES, "--where")


@pytest.mark.slow("10,000 expressions are compiled and reckoned twice")
@pytest.mark.parametrize("part", range(PARTS))
def test_random_conditions_are_what_a_second_evaluator_says(part: int) -> None:
    chance = random.Random(f"conditions {part}")
    streams = reckoned.streams()
    found = {True: 0, False: 0, None: 0}
    for number in range(EXPRESSIONS // PARTS):
        stream = streams[number % len(streams)]
        maker = reckoned.Maker(chance, stream)
        node = maker.condition(5)
        made = compiled(node.text, Fields(stream.name, stream.record, 20))
        if made is None:
            continue
        record, seen = maker.made(), maker.seen()
        expected = node.value(record, seen)
        assert judged(made, record, seen) is expected, (node.text, record, seen.prev)
        found[expected] += 1
        seen = reckoned.apart(chance)
        assert bool(made.is_true_apart(seen)) is (node.value(None, seen) is True), node.text
    assert min(found.values()) > EXPRESSIONS / PARTS / 10, found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('price > 70000 and side == "buy" and size >= 0.1', True),
        ("size == 0.1", True),
        ("size == 0.10000000000000000000000000000000000000001", False),
        ("not size == 0.1", False),
        ("trade_id == '1'", None),
        ("not trade_id == '1'", None),
        ("trade_id == '1' or price > 1", True),
        ("trade_id == '1' and price < 1", False),
        ("abs(prev.price) > 0", None),
        ("1 / 0 > 0", None),
        ("not 1 / 0 > 0", None),
        ("1 / 3 * 3 == 1", False),  # 0.333… with 100 digits, times 3, has 100 digits: 0.999…
        ("price * 1e900 * 1e-900 == price", True),
        (f"1.{'0' * 50}1 * 1.{'0' * 50}1 > 1", None),
        ("0 < size < 0.5", True),
        ('side in ("buy", "sell")', True),
        ('side in ("buy")', True),
        ("size in (size) and true in (true) and size in ((0.1))", True),
        ('symbol == "a\u00a0b"', True),
        ('symbol == "a b"', False),
        ("1 == 1 and true", True),
        ('side not in ("sell")', True),
        ("2 - 1 - 1 == 0 and 2 - (1 - 1) == 2 and 8 / 4 / 2 == 1 and -2 + 3 == 1", True),
        ("price\n > 1", True),
        ('state == "live" and not stale and not partial', True),
        ("(price > 1) == true", True),
        ("extra.from.is[1] == 2", True),
        ('extra["a b"] == 0.1', True),
        ("extra.word == 1", None),
        ("not extra.word == 1", None),
        ("extra.flag", True),
        ("not extra.word", None),
        ("extra.none == 1", None),
        ("extra.long + 1 > 0", None),
    ],
)  # fmt: skip
def test_what_a_condition_says_of_a_trade(text: str, expected: bool | None) -> None:
    extra = {
        "from": {"is": [1, 2]}, "a b": Decimal("0.1"), "word": "x", "flag": True, "none": None, "long": 10**5_000,
    }  # fmt: skip
    assert judged(condition(text, ON_TRADES, "--where"), trade(extra=extra, symbol="a\u00a0b")) is expected


@pytest.mark.parametrize(
    ("fields", "text", "words", "marked"),
    [
        (ON_TRADES, "prcie > 1", "a trade has no field prcie; did you mean price?", "prcie"),
        (ON_TRADES, "bid_price > 1", "quotes has it", "bid_price"),
        (ON_TRADES, "funding_rate > 1", "ticker, watchlist have it", "funding_rate"),
        (ON_TRADES, 'price == "x"', "expected a number to compare with, got a text", '"x"'),
        (ON_TRADES, "price > 1 and side > 1", "expected", "side"),
        (ON_TRADES, 'side == "long"', 'expected one of "buy", "sell"', '"long"'),
        (ON_TRADES, 'side in ("buy", "long")', "can never come", '"long"'),
        (ON_TRADES, 'state == "alive"', "did you mean live?", '"alive"'),
        (ON_TRADES, 'side == "BUY"', "did you mean buy?", '"BUY"'),
        (ON_TRADES, 'SIDE == "buy"', "did you mean side?", "SIDE"),
        (ON_TRADES, 'type == "quote"', "can never come", '"quote"'),
        (ON_TRADES, "price", "compare it", "price"),
        (ON_TRADES, "price = 1", "write ==", "="),
        (ON_TRADES, "price > 1 && size > 1", "write and", "&"),
        (ON_TRADES, "price > 1 # more", "expected no such sign", "#"),
        (ON_TRADES, "price is 5", "there is no other comparison", "price is 5"),
        (ON_TRADES, "price ** 2 > 1", "there is no other operation", "price ** 2"),
        (ON_TRADES, "len(price) > 1", "expected one of abs, min, max", "len(price)"),
        (ON_TRADES, "price == True", "write true", "True"),
        (ON_TRADES, "price == None", "never a match", "None"),
        (ON_TRADES, "price >", "expected an expression", ""),
        (ON_TRADES, "", "got nothing", ""),
        (ON_TRADES, "price > 1 and", "expected an expression", END),
        (ON_TRADES, 'side in "buy"', "expected values in brackets", '"buy"'),
        (ON_TRADES, "side == buy", 'as a text it stands in quotes: "buy"', "buy"),
        (ON_TRADES, "state == live", 'as a text it stands in quotes: "live"', "live"),
        (ON_TRADES, 'symbol == "a" "b"', "expected an operator", '"b"'),
        (ON_TRADES, 'symbol == "a\nb"', "expected a text that ends", '"a b"'[:1]),
        (ON_TRADES, "side == “buy”", 'write "', "“"),
        (ON_TRADES, 'symbol == "\udcff"', "expected text in UTF-8", "?"),
        (ON_TRADES, "price\x1b[2J > 1", "expected no such sign", "?"),
        (ON_TRADES, "prev.age_ms > 1", "the record before has no field age_ms", "prev.age_ms"),
        (ON_TRADES, "extra == 1", "extra.NAME", "extra"),
        (ON_TRADES, "x" * 2_001, "at most 2,000 characters, got 2,001", ""),
        (ON_TRADES, "not " * 50 + "true", "at most 50 levels", ""),
        (ON_TRADES, "(" * 51 + "true" + ")" * 51, "at most 50 levels", ""),
        (ON_BOOKS, "bids[20].price > 1", "give --depth 21", "bids[20]"),
        (ON_BOOKS, "prev.asks[20].price > 1", "give --depth 21", "prev.asks[20]"),
        (ON_BOOKS, "bids > 1", "write bids[0].price", "bids"),
        (ON_BOOKS, "bids[-1].price > 1", "a place from 0 on", "-1"),
    ],
)
def test_what_is_no_condition_is_refused_with_a_mark_below_it(
    fields: Fields, text: str, words: str, marked: str
) -> None:
    with pytest.raises(UsageError) as refused:
        condition(text, fields, "--where")
    said, *shown = str(refused.value).splitlines()
    assert words in said
    assert said.startswith("--where: ")
    if marked == END:
        assert shown[1] == f"  {' ' * len(text)}^"
    elif marked:
        expression, marks = shown
        at = marks.index("^")
        assert expression[at : at + len(marked)] == marked
        assert marks[at:] == "^" * len(marked)


def test_a_mark_stands_below_what_is_wrong_also_behind_wide_signs() -> None:
    with pytest.raises(UsageError) as refused:
        condition('symbol == "日本" and prise > 1', ON_TRADES, "--where")
    assert str(refused.value).splitlines()[-1] == f"  {' ' * 21}^^^^^"


@pytest.mark.parametrize(
    ("text", "said", "marks"),
    [
        ("price > １", "expected no such sign", " " * 8 + "^^"),
        ("size，price > 1", "expected no such sign", " " * 4 + "^^"),
        ("price > 1 ≠ 2", "expected no such sign; write !=", " " * 10 + "^"),
        ("side == 'buy", 'expected a text that ends, with \\", \\\\, \\n, \\t or \\u00e9 in it at most', " " * 8 + "^"),
        ("side == \ud800", "expected text in UTF-8", " " * 8 + "^"),
        ("5price > 1", "expected an operator before this", " " + "^" * 5),
        ("(" * 51, "expected at most 50 levels, got more", " " * 50 + "^"),
    ],
)
def test_one_sign_that_is_wrong_has_marks_below_its_whole_width(text: str, said: str, marks: str) -> None:
    with pytest.raises(UsageError) as refused:
        condition(text, ON_TRADES, "--where")
    shown = text.replace("\ud800", "?")
    assert str(refused.value) == f"--where: {said}\n  {shown}\n  {marks}"


def test_of_a_long_condition_sixty_signs_are_shown_around_what_is_wrong() -> None:
    with pytest.raises(UsageError) as refused:
        condition("price > 1 and " * 20 + "prise > 2" + " and price > 1" * 20, ON_TRADES, "--where")
    shown, marks = str(refused.value).splitlines()[1:]
    assert len(shown) == 60 + 2
    assert shown[marks.index("^") :].startswith("prise > 2 and")
    assert marks == " " * 32 + "^^^^^"


@pytest.mark.parametrize(("length", "shown_from"), [(59, 0), (60, 0), (61, 26), (90, 55)])
def test_a_condition_of_sixty_signs_is_shown_whole(length: int, shown_from: int) -> None:
    text = "price > 1 and ".ljust(length - 5) + "prise"
    with pytest.raises(UsageError) as refused:
        condition(text, ON_TRADES, "--where")
    _, shown, marks = str(refused.value).splitlines()
    assert shown == "  " + text[shown_from : shown_from + 60]
    assert marks == "  " + " " * (length - 5 - shown_from) + "^" * 5


def test_the_deepest_and_the_longest_are_conditions() -> None:
    assert judged(condition("not " * 48 + "true", ON_TRADES, "--where"), trade()) is True
    assert judged(condition("(" * 50 + "true" + ")" * 50, ON_TRADES, "--where"), trade()) is True
    long = "+".join(["size"] * 398) + " > 0"
    assert judged(condition(long.ljust(2_000), ON_TRADES, "--where"), trade()) is True


def test_while_a_stream_is_not_live_nothing_is_true_but_what_is_known_of_it() -> None:
    seen = Seen()
    seen.state, seen.stale, seen.age_ms = "stale", True, 500
    for text, expected in (
        ("price > 0", False),
        ("not price > 0", False),
        ("price > 0 or stale", True),
        ('stale and state == "stale" and age_ms >= 500', True),
        ("partial or not partial", False),
        ("stale and price > 0", False),
    ):
        assert bool(condition(text, ON_TRADES, "--on").is_true_apart(seen)) is expected, text


def test_before_anything_came_nothing_is_known_of_a_stream() -> None:
    for text in ("age_ms < 1", "stale", "partial", "prev.price > 0"):
        assert judged(condition(text, ON_TRADES, "--where"), trade(), Seen()) is None, text


def test_the_record_before_is_of_the_same_key() -> None:
    made = condition("bids[0].price > prev.bids[0].price", ON_BOOKS, "--where")
    books = [
        Book(venue="nexus", received=1, bids=[Level(Decimal(price), Decimal(1))], asks=[]) for price in ("1", "1.5")
    ]
    seen = live()
    assert made.uses_prev
    assert judged(made, books[1], seen) is None
    seen.prev = books[0]
    assert judged(made, books[1], seen) is True
    assert made.absent(books[1], live()) == ["prev.bids[0].price"]


def test_derived_fields_of_a_book() -> None:
    book = Book(
        venue="nexus", received=1, bids=[Level(Decimal("99.9"), Decimal(1))], asks=[Level(Decimal("100.1"), Decimal(1))]
    )
    one_sided = Book(venue="nexus", received=1, bids=[Level(Decimal(1), Decimal(1))], asks=[])
    made = condition("mid == 100 and spread == 0.2 and spread_bps == 20", ON_BOOKS, "--where")
    assert judged(made, book) is True
    assert judged(made, one_sided) is None


def test_a_path_is_one_field() -> None:
    book = Book(venue="nexus", received=1, bids=[Level(Decimal("99.9"), Decimal(1))], asks=[])
    assert path("bids[0].price", ON_BOOKS, "--fields").value(book, live()) == Decimal("99.9")
    assert path("asks[0].price", ON_BOOKS, "--fields").value(book, live()) is None
    message = Message(venue="nexus", received=1, topic="x", data={"a": [1]})
    assert path("data.a", ON_MESSAGES, "--fields").value(message, live()) == [1]
    with pytest.raises(UsageError, match="expected a field"):
        path("price + 1", ON_TRADES, "--fields")


def test_every_stream_has_names() -> None:
    from cli.output.fields import field_names

    for stream in STREAMS.values():
        fields = Fields(stream.name, stream.record, 20)
        for name in field_names(fields):
            path(name, fields, "--fields")
