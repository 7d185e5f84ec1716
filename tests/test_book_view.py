"""The book as it is drawn; tests/golden/book-view.txt is rewritten on purpose only: python -m tests.test_book_view"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.errors import USAGE
from cli.main import run
from cli.output import cells
from cli.run.asked import for_table
from cli.run.options import StreamRequest, view_options
from cli.run.values import price_step
from cli.screen import drawing as bars
from cli.screen.look import Look
from cli.screen.steady import HELD_MS, SteadyColumn
from cli.views.book import MARKED_MS, BookView, changed_prices, view
from cli.views.grouping import Row, coarser, finer, grouped, multiple_above, multiple_below, rows_of, tick_of
from cli.views.ladder import LEAVING
from tests.drawn import HOSTILE, NOW, Clock, case_of, golden, golden_text, levels, look_of, screens, texts
from venues import venue_named
from venues.records import Book, Level
from venues.venue import EVERY_LEVEL, Now, Offer, Settings, Subscription

BIDS = levels(("64998.52", "0.0498"), ("64998.25", "0.0051"), ("64997.4", "12.0138"), ("64997", "0.000000000000000001"))
ASKS = levels(("65000.14", "0.0089"), ("65000.59", "0.0165"), ("65001", "100"), ("65002.75", "0.5"))
DEEP_BIDS = [Level(Decimal(64998) - Decimal(n) / 4, Decimal(1 + n % 5) / 8) for n in range(60)]
DEEP_ASKS = [Level(Decimal(65000) + Decimal(n) / 4, Decimal(1 + n % 3) / 8, orders=1 + n) for n in range(60)]


def book(bids: list[Level] | None = None, asks: list[Level] | None = None, **fields: Any) -> Book:
    return Book(venue="nexus", symbol="SPOT_BTC_USDT", time=NOW, received=NOW, bids=BIDS if bids is None else bids,
                asks=ASKS if asks is None else asks, **fields)  # fmt: skip


def drawn(*books: Book, keys: str = "", **options: Any) -> Callable[[Look], BookView]:
    """A view that has drawn each of the books, with keys pressed before the last one is drawn."""

    def made(look: Look) -> BookView:
        shown = view(look, **options)
        for one in books[:-1]:
            shown.add(one)
            shown.lines(80, 21)
        shown.add(books[-1])
        shown.lines(80, 21)
        for key in keys.split():
            shown.press(key)
            shown.lines(80, 21)
        return shown

    return made


EXTREMES = book(levels(("0.000000000001", "123456789012345678.123456789012345678")),
                levels(("1000000000000", "0.000000000000000001")))  # fmt: skip
CHANGED = book([Level(BIDS[0].price, Decimal(7)), *BIDS[1:]], ASKS[1:])

CASES: dict[str, Callable[[Look], BookView]] = {
    "nothing yet": view,
    "live": drawn(book()),
    "deep": drawn(book(DEEP_BIDS, DEEP_ASKS)),
    "empty": drawn(book([], [])),
    "one side": drawn(book(asks=[])),
    "extremes": drawn(EXTREMES),
    "changed": drawn(book(), CHANGED),
    "grouped": drawn(book(DEEP_BIDS, DEEP_ASKS), step=Decimal(2)),
    "grouped to the end of what is known": drawn(book(), step=Decimal(5)),
    "cursor": drawn(book(DEEP_BIDS, DEEP_ASKS), keys="up up"),
    "cursor on a group": drawn(book(), keys="down down", step=Decimal(5)),
    "five levels": drawn(book(DEEP_BIDS, DEEP_ASKS), depth=5),
    "side by side": drawn(book(DEEP_BIDS, DEEP_ASKS), keys="l down right"),
    "units": drawn(book(levels(("6684363", "17")), levels(("6684364", "5")), price_unit="ticks", size_unit="raw_lots")),
    "hostile unit": drawn(book(price_unit=HOSTILE, size_unit=HOSTILE)),
}


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    assert screens(CASES[case]) == case_of("book-view", case)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("width", [24, 33, 47, 61, 99, 100, 140, 200])
def test_nothing_is_wider_than_the_screen_or_too_long(case: str, width: int) -> None:
    for height in (6, 7, 8, 9, 24):
        for unicode in (True, False):
            texts(CASES[case](look_of(unicode=unicode)), width, height)


# --- digits


@pytest.mark.parametrize("width", range(24, 200, 3))
def test_digits_are_never_cut(width: int) -> None:
    """Whatever is shown is a number that came, or their exact sum or difference, in full; the rest is `#`."""
    known = {cells.number(value) for level in (*EXTREMES.bids, *EXTREMES.asks) for value in (level.price, level.size)}
    known |= {"999999999999.999999999999", "500000000000.0000000000005", "(20000.00", "0", "1", "100",
              "200000000000000000", "-100", "+100"}  # fmt: skip
    for line in texts(CASES["extremes"](look_of()), width, 24):
        for word in line.split():
            assert set(word) == {"#"} or word in known or not any(char.isdigit() for char in word)


def test_columns_leave_in_their_order() -> None:
    titles = ("cumulative", "orders", "side", "size")
    for width in range(24, 100):
        head, *rows = texts(CASES["deep"](look_of()), width, 24)
        has = {title: title in head for title in titles} | {"side": any("bid" in row for row in rows)}
        assert "price" in head
        gone = [has[name] for name in LEAVING]
        assert gone == sorted(gone)


# --- groups

prices = st.decimals(min_value=Decimal("1e-12"), max_value=Decimal("1e12"), places=12).filter(bool)
steps = st.builds(
    lambda factor, power: Decimal((0, (factor,), power)), st.sampled_from([1, 2, 3, 5]), st.integers(-12, 12)
)
sizes = st.decimals(min_value=Decimal("1e-18"), max_value=Decimal("1e6"), places=18)


@settings(deadline=None)
@given(st.one_of(prices, prices.map(lambda price: -price)), steps)
def test_bids_go_down_and_asks_up_to_the_next_multiple(price: Decimal, step: Decimal) -> None:
    below, above = multiple_below(price, step), multiple_above(price, step)
    exact, unit = Fraction(price), Fraction(step)
    assert Fraction(below) == exact // unit * unit
    assert Fraction(above) == -(-exact // unit) * unit


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(prices, sizes), min_size=2, max_size=40, unique_by=lambda pair: pair[0]), steps, st.data())
def test_groups_hold_exactly_their_levels_and_never_cross(
    pairs: list[tuple[Decimal, Decimal]], step: Decimal, data: st.DataObject
) -> None:
    ordered = sorted(pairs)
    cut = data.draw(st.integers(0, len(ordered)))
    bids = [Level(price, size) for price, size in reversed(ordered[:cut])]
    asks = [Level(price, size) for price, size in ordered[cut:]]
    of_bids, of_asks = grouped(bids, step, 99, bids=True), grouped(asks, step, 99, bids=False)
    for rows, side, sign in ((of_bids, bids, 1), (of_asks, asks, -1)):
        total = notional = Fraction(0)
        for row in rows:
            reach = Fraction(row.price) * sign
            held = [one for one in side if reach <= Fraction(one.price) * sign < reach + Fraction(step)]
            total += sum(Fraction(one.size) for one in held)
            notional += sum(Fraction(one.price) * Fraction(one.size) for one in held)
            assert Fraction(row.size) == sum(Fraction(one.size) for one in held)
            assert (Fraction(row.total), Fraction(row.notional)) == (total, notional)
        assert [row.whole for row in rows[:-1]] == [True] * (len(rows) - 1)
        assert len({row.price for row in rows}) == len(rows)
    if of_bids and of_asks:
        assert of_bids[0].price <= bids[0].price < asks[0].price <= of_asks[0].price


def test_a_group_that_may_go_on_beyond_what_is_known_is_a_lower_bound() -> None:
    half = grouped(levels(("10.5", "1"), ("10", "2"), ("9.5", "4")), Decimal(1), 9, bids=True)
    assert [(row.price, row.size, row.whole) for row in half] == [(10, 3, True), (9, 4, False)]
    whole = grouped(levels(("10.5", "1"), ("10", "2")), Decimal(1), 9, bids=True)
    assert [(row.price, row.size, row.whole) for row in whole] == [(10, 3, True)]
    best = grouped(levels(("10.5", "1"), ("10", "2"), ("9.5", "4")), Decimal(1), 1, bids=True)
    assert [row.whole for row in best] == [True]


@pytest.mark.parametrize(("venue", "complete"), [("b2trader", True), ("nexus", False), ("jayx", False)])
def test_the_last_group_of_a_book_with_every_level_is_known_in_full(venue: str, complete: bool) -> None:
    offer = venue_named(venue).streams["book"]
    options = view_options(StreamRequest(venue=venue, group=Decimal(1)), "book", offer)
    shown = view(look_of(), **options)
    shown.add(book(levels(("10.5", "1"), ("9.5", "4")), levels(("11.5", "1"))))
    words = "".join(line.plain for line in shown.lines(80, 24))
    assert ("≥" not in words) is complete


def test_a_group_is_the_sum_of_all_levels_that_are_held() -> None:
    """Three thousand levels a side, of which a table of lines would have the best twenty."""
    bids = {Decimal(5_000 - n): Decimal(n % 7 + 1) for n in range(3_000)}
    asks = {Decimal(5_001 + n): Decimal(n % 5 + 1) for n in range(3_000)}
    subscription = for_table(Subscription("book", ("cfd.eur_chf",), depth=20))
    settings = Settings(url="wss://broker.example", values={"account_id": "a"})
    (line,) = venue_named("b2trader").routes([subscription], settings)
    session = line.session({"token": "t"})
    session.opened(Now(0.0, 0))
    session.receive(b"{}\x1e", Now(0.0, 0))
    rows = {
        name: [{"price": str(price), "amount": str(size)} for price, size in side.items()]
        for name, side in (("bids", bids), ("asks", asks))
    }
    item = {"instrument": "cfd.eur_chf", "version": "1", "snapshot": True, **rows}
    frame = msgspec.json.encode({"type": 2, "invocationId": "0", "item": item}) + b"\x1e"
    record = session.receive(frame, Now(0.1, 100))[-1]
    assert isinstance(record, Book)
    shown = view(look_of(), step=Decimal(1_000), complete=True)
    shown.add(record)
    words = [line.plain for line in shown.lines(120, 24)]
    for group in (5_000, 4_000, 3_000):
        size = sum(size for price, size in bids.items() if group <= price < group + 1_000)
        assert any(f"{size}" in line.split() and f"{group}" in line.split() for line in words), (group, size, words)
    assert not any("≥" in line for line in words)


def test_orders_of_a_group_are_known_when_those_of_all_its_levels_are() -> None:
    known, unknown = Level(Decimal(1), Decimal(1), orders=2), Level(Decimal(2), Decimal(1))
    assert grouped([known, Level(Decimal(2), Decimal(1), orders=3)], Decimal(5), 9, bids=False)[0].orders == 5
    assert grouped([known, unknown], Decimal(5), 9, bids=False)[0].orders is None


def test_steps_count_1_2_5_from_the_tick_on() -> None:
    tick = tick_of([Decimal("65000.5"), Decimal("65000.25"), Decimal(65000)])
    assert tick == -2
    assert tick_of([Decimal("5E+3")]) == 0
    assert tick_of([]) is None
    step, seen = None, []
    while (wider := coarser(step, tick, Decimal(1))) != step:
        step = wider
        seen.append(str(step))
    assert seen == ["0.02", "0.05", "0.1", "0.2", "0.5", "1"]
    back = []
    while step is not None:
        step = finer(step, tick)
        back.append(step if step is None else str(step))
    assert back == ["0.5", "0.2", "0.1", "0.05", "0.02", None]
    assert (coarser(Decimal("0.37"), -2, Decimal(9)), finer(Decimal("0.37"), -2)) == (Decimal("0.5"), Decimal("0.2"))
    assert coarser(None, -12, Decimal("1e12")) == Decimal("2e-12")


def test_keys_group_and_ungroup() -> None:
    shown = drawn(book())(look_of())
    assert not shown.press("G")
    assert shown.press("g")
    assert "grouped by 0.02" in "".join(texts(shown, 80, 24))
    assert shown.press("G")
    assert "grouped" not in "".join(texts(shown, 80, 24))
    assert not view(look_of()).press("g")


# --- marks

ROWS = [Row(Decimal(n), Decimal(1), Decimal(0), Decimal(0)) for n in (5, 4, 3)]


def test_what_changed_is_another_size_or_a_new_price() -> None:
    other = ROWS[1]._replace(size=Decimal(2))
    new = ROWS[1]._replace(price=Decimal("3.5"))
    assert changed_prices(ROWS, ROWS, bids=True) == []
    assert changed_prices(ROWS, [ROWS[0], other, ROWS[2]], bids=True) == [4]
    assert changed_prices(ROWS, [ROWS[0], new, ROWS[2]], bids=True) == [Decimal("3.5")]
    assert changed_prices(ROWS[::-1], [ROWS[2], other, ROWS[0]], bids=False) == [4]
    assert changed_prices(ROWS[:2], ROWS[1:], bids=True) == []  # 3 was there before, below what was shown
    assert changed_prices([], ROWS, bids=True) == [5, 4, 3]


def test_marks_last_for_a_moment() -> None:
    clock = Clock()
    shown = drawn(book(), CHANGED)(look_of(clock))
    marked = [line for line in texts(shown, 80, 24) if "•" in line]
    assert len(marked) == 1
    assert "64998.52" in marked[0]
    assert shown.until() == NOW + MARKED_MS
    clock.now += MARKED_MS
    assert "•" not in "".join(texts(shown, 80, 24))
    assert shown.until() is None


def test_nothing_is_marked_after_an_interruption_or_when_grouping_changes() -> None:
    shown = drawn(book())(look_of())
    shown.start_over()
    shown.add(CHANGED)
    assert "•" not in "".join(texts(shown, 80, 24))
    shown.press("g")
    assert "•" not in "".join(texts(shown, 80, 24))


# --- cursor


def cursor_line(shown: BookView, width: int = 120) -> str:
    return texts(shown, width, 24)[-1]


def test_the_cursor_says_what_lies_up_to_it() -> None:
    shown = drawn(book(), keys="up up up")(look_of())
    assert cursor_line(shown) == "▶ ask 65001  cum. 100.0254  mid +1.67 (0.26 bps)  notional 6501751.010981"
    exact = sum(Fraction(level.price) * Fraction(level.size) for level in ASKS[:3])
    assert Fraction(cursor_line(shown).split()[-1]) == exact


def test_the_cursor_stays_on_its_price() -> None:
    shown = drawn(book(), keys="up up up")(look_of())
    shown.add(book(asks=[*levels(("64999", "3")), *ASKS[2:]]))
    assert cursor_line(shown).startswith("▶ ask 65001  cum. 103")
    shown.add(book(asks=[*levels(("64999", "3")), ASKS[3]]))
    assert cursor_line(shown).startswith("▶ ask 64999  cum. 3")  # the nearest better one: as much lies up to 65001
    shown.add(book(asks=levels(("65002", "1"))))
    assert cursor_line(shown).startswith("▶ ask 65002")
    shown.add(book(asks=[]))
    assert cursor_line(shown) == "  no ask left"
    shown.add(book())
    assert cursor_line(shown).startswith("▶ ask 65001")
    assert shown.press("esc")
    assert not shown.press("esc")
    assert "▶" not in "".join(texts(shown, 80, 24))


def test_the_cursor_walks_through_the_ladder_and_along_the_sides() -> None:
    shown = drawn(book(), keys="down up up")(look_of())
    assert cursor_line(shown, 80).startswith("▶ ask 65000.59")
    for key, price in (
        ("down", "ask 65000.14"),
        ("down", "bid 64998.52"),
        ("left", None),
        ("up", "ask 65000.14"),
        ("left", "bid 64998.52"),
        ("right", "ask 65000.14"),
    ):
        assert shown.press(key) == (price is not None)
        if price is not None:
            assert cursor_line(shown, 80).startswith(f"▶ {price}")
    shown.press("l")
    texts(shown, 80, 24)
    for key, price in (("up", None), ("down", "ask 65000.59"), ("left", "bid 64998.25"), ("down", "bid 64997.4")):
        assert shown.press(key) == (price is not None)
        if price is not None:
            assert cursor_line(shown).startswith(f"▶ {price}")


# --- depth and layout


def test_the_depth_fits_the_height_unless_it_is_given() -> None:
    def count(shown: BookView, width: int, height: int) -> int:
        return sum("ask" in line for line in texts(shown, width, height)[1:])

    deep = drawn(book(DEEP_BIDS, DEEP_ASKS))(look_of())
    assert [count(deep, 80, height) for height in (12, 24, 40)] == [3, 9, 17]
    assert not deep.press("+")
    assert deep.press("-")
    assert count(deep, 80, 40) == 16
    assert deep.press("+")
    assert not drawn(book(), keys="- - - - -")(look_of()).press("-")
    given_five = drawn(book(DEEP_BIDS, DEEP_ASKS), depth=5)(look_of())
    assert [count(given_five, 80, height) for height in (12, 40)] == [3, 5]
    assert count(drawn(book(DEEP_BIDS, DEEP_ASKS))(look_of()), 80, 1_000) == 20


def test_the_spread_stays_where_it_is() -> None:
    shown = drawn(book())(look_of())
    at = [index for index, line in enumerate(texts(shown, 80, 24)) if "spread" in line]
    shown.add(book(asks=ASKS[:1]))
    assert [index for index, line in enumerate(texts(shown, 80, 24)) if "spread" in line] == at


def test_bars_of_both_sides_are_on_one_scale() -> None:
    shown = drawn(book(levels(("10", "4")), levels(("11", "1"))))(look_of())
    lengths = {line.split()[0]: line.count("█") for line in texts(shown, 80, 24) if "█" in line}
    assert lengths["bid"] == pytest.approx(4 * lengths["ask"], abs=3)
    both = texts(shown, 120, 24)[2]
    left, right = both.split("│")
    assert left.count("█") == pytest.approx(4 * right.count("█"), abs=3)
    uneven = drawn(book(levels(("10", "1.000000000000000001")), levels(("11", "1.000000000000000001"))))(look_of())
    for width in range(100, 180):
        left, right = texts(uneven, width, 24)[2].split("│")
        assert left.count("█") == right.count("█")
        one_long = texts(drawn(book())(look_of()), width, 24)[2].split("│")
        assert ("▕" in one_long[0]) == ("▏" in one_long[1])


def test_without_colour_words_and_places_tell_bids_from_asks() -> None:
    ladder = texts(drawn(book())(look_of(palette="mono")), 80, 24)
    assert [line.split()[0] for line in ladder[1:]] == ["ask"] * 4 + ["spread"] + ["bid"] * 4
    assert "bid price │ ask price" in texts(drawn(book())(look_of(palette="mono")), 120, 24)[1]


def test_imbalance_is_of_what_is_shown_in_full() -> None:
    words = "".join(
        texts(drawn(book(levels(("10", "3")), levels(("11", "1"), ("12", "9"))), depth=1)(look_of()), 80, 24)
    )
    assert "imbalance +50 % of 1 level" in words
    words = "".join(texts(drawn(book(levels(("10", "1000")), levels(("11", "1001"))))(look_of()), 80, 24))
    assert "imbalance -0 %" in words
    words = "".join(texts(drawn(book(levels(("10", "3"), ("9", "1")), levels(("11", "1"))))(look_of()), 80, 24))
    assert words.count("% of 2 bids and 1 ask") == 1
    assert "1 asks" not in words


# --- what a table asks for


def test_a_table_asks_for_more_levels_than_it_shows() -> None:
    assert for_table(Subscription("book", ("A",), depth=5)).depth == EVERY_LEVEL
    assert for_table(Subscription("candles", ("A",), depth=5)).depth == 5


def test_depth_and_step_reach_the_view() -> None:
    request = StreamRequest(venue="nexus", depth=3, group=Decimal("0.5"))
    assert view_options(request, "book", Offer("BOOK")) == {"depth": 3, "step": Decimal("0.5"), "complete": False}
    assert view_options(request, "book", Offer("Book", complete=True))["complete"]
    assert view_options(request, "trades", Offer("TRADE")) == {}


@pytest.mark.parametrize("text", ["0", "-1", "1e99", "x", "", "NaN", "1,5", "0x1"])
def test_a_step_is_a_number_above_0(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="expected a step above 0"):
        price_step(text)


def test_a_step_keeps_its_digits() -> None:
    assert [str(price_step(text)) for text in ("0.5", " 10", "1e-12")] == ["0.5", "10", "1E-12"]


@pytest.mark.parametrize("output", [["-o", "jsonl"], ["--raw"], []])
def test_lines_are_not_grouped(output: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["book", "nexus", "SPOT_BTC_USDT", "--env", "sim", "--group", "1", *output]) == USAGE
    out, err = capfd.readouterr()
    assert out == ""
    assert "--group applies to a table" in err


def test_only_a_book_has_groups(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["trades", "nexus", "SPOT_BTC_USDT", "--group", "1"]) == USAGE
    assert "--group" in capfd.readouterr().err


# --- bars and steady columns


def test_a_bar_is_never_empty_nor_too_long() -> None:
    for value in (0.000001, 0.1, 0.5, 0.99, 1.0):
        for blocks in (True, False):
            assert 1 <= len(bars.bar(value, 20, blocks=blocks)) <= 20
            assert 1 <= len(bars.bar_to_left(value, 20, blocks=blocks)) <= 20
    assert bars.bar(0, 20, blocks=True) == ""
    assert [bars.bar(eighths / 16, 2, blocks=True) for eighths in (1, 8, 12)] == ["▏", "█", "█▌"]
    assert [bars.bar_to_left(eighths / 16, 2, blocks=True) for eighths in (1, 8, 12)] == ["▕", "█", "▐█"]
    assert bars.bar(0.5, 4, blocks=False) == "=="


def test_a_scale_grows_at_once_and_shrinks_late() -> None:
    scale = bars.Scale()
    assert [scale.fit(Decimal(value)) for value in ("3", "5.1", "3", "2", "1.9", "0")] == [5, 10, 10, 10, 2, 0]
    assert bars.nice_above(Decimal("1.1e-12")) == Decimal("2e-12")


def test_a_column_keeps_its_width_for_a_while() -> None:
    column = SteadyColumn()
    assert column.aligned(["12.345"], 0) == ["12.345"]
    assert column.aligned(["1.2"], HELD_MS) == [" 1.2  "]
    assert column.aligned(["1.2"], 2 * HELD_MS) == ["1.2"]
    column.aligned(["12.345"], 2 * HELD_MS)
    column.forget()
    assert column.aligned(["1.2", "3"], 2 * HELD_MS, title="price") == ["  1.2", "  3  "]


def test_rows_sum_from_the_best_price_outwards() -> None:
    rows = rows_of(levels(("2", "1"), ("3", "0.5"), ("4", "9")), 2)
    assert [(row.total, row.notional) for row in rows] == [(1, 2), (Decimal("1.5"), Decimal("3.5"))]


def test_a_price_that_does_not_fit_is_no_other_price() -> None:
    shown = drawn(book(levels(("1234567890123456789012345.5", "1")), levels(("1234567890123456789012346", "1"))))
    lines = texts(shown(look_of()), 24, 24)
    assert lines[1:2] == lines[3:4] == ["  " + "#" * 22]
    assert not any(character.isdigit() for line in lines for character in line if "spread" not in line)


if __name__ == "__main__":
    golden("book-view").write_text(golden_text(CASES), encoding="utf-8")
