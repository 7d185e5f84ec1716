"""Candles as they are drawn; the golden text is rewritten on purpose only: python -m tests.test_candles_view"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.screen.look import Look
from cli.views.candles import CandlesView, view
from cli.views.chart import Chart, PriceScale, price_scale, slots, tick_size
from tests.drawn import HOSTILE, NOW, Clock, case_of, golden, golden_text, look_of, screens, texts
from venues.records import Candle

MINUTE = 60_000
LAST = NOW // MINUTE * MINUTE


def candle(ago: int, open_: str, close: str, *, reach: str = "0.5", length: int = MINUTE, **fields: Any) -> Candle:
    """A candle of so many lengths ago; its wicks reach beyond its body."""
    start = LAST - ago * length
    first, last, more = Decimal(open_), Decimal(close), Decimal(reach)
    given_fields = {"volume": Decimal(1 + ago % 7) / 4, "closed": ago > 0, "complete": True, **fields}
    return Candle(venue="nexus", symbol="SPOT_BTC_USDT", received=NOW, interval="1m", start=start, end=start + length,
                  open=first, close=last, high=max(first, last) + more, low=min(first, last) - more,
                  **given_fields)  # fmt: skip


def course(count: int, **fields: Any) -> list[Candle]:
    """A price that goes up and down."""
    prices = [Decimal(65000) + Decimal((n * n * 37) % 400) / 10 for n in range(count + 1)]
    return [
        candle(ago, str(prices[count - ago - 1]), str(prices[count - ago]), **fields) for ago in reversed(range(count))
    ]


def drawn(*candles: Candle, keys: str = "") -> Callable[[Look], CandlesView]:
    def made(look: Look) -> CandlesView:
        shown = view(look)
        for one in candles:
            shown.add(one)
        for key in keys:
            shown.press(key)
        return shown

    return made


LIVE = course(30)
GAPS = [one for one in course(30) if one.start not in (LAST - 9 * MINUTE, LAST - 10 * MINUTE)]
INCOMPLETE = [*course(6)[:2], candle(3, "65010", "65005.5", complete=False), *course(2)]

CASES: dict[str, Callable[[Look], CandlesView]] = {
    "nothing yet": view,
    "one": drawn(candle(0, "65000", "65001.5")),
    "live": drawn(*LIVE),
    "many": drawn(*course(300)),
    "a gap": drawn(*GAPS),
    "incomplete": drawn(*INCOMPLETE),
    "all equal": drawn(*(candle(ago, "65000.5", "65000.5", reach="0") for ago in (2, 1, 0))),
    "smallest": drawn(candle(1, "1e-12", "2e-12", reach="0"), candle(0, "2e-12", "1e-12", reach="0")),
    "extremes": drawn(candle(1, "1e-12", "1000000000000", reach="0"),
                      candle(0, "1000000000000", "0.000000000001", reach="0",
                             volume=Decimal("123456789012345678.123456789012345678"))),
    "days": drawn(*course(5, length=86_400_000)),
    "no volume": drawn(*course(8, volume=None)),
    "units": drawn(candle(0, "6684363", "6684364", reach="2", price_unit="ticks", size_unit="raw_lots")),
    "hostile unit": drawn(candle(0, "1", "2", price_unit=HOSTILE, size_unit=HOSTILE)),
    "table only": drawn(*LIVE, keys="l"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    assert screens(CASES[case]) == case_of("candles-view", case)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("width", [24, 33, 47, 61, 110, 200])
def test_nothing_is_wider_than_the_screen_or_too_long(case: str, width: int) -> None:
    for height in (6, 11, 12, 24, 60):
        for unicode in (True, False):
            texts(CASES[case](look_of(unicode=unicode)), width, height)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.decimals(Decimal("1e-12"), Decimal("1e12"), places=12)] * 2, st.integers(0, 3)),
        min_size=1,
        max_size=30,
    ),
    st.integers(12, 120),
    st.integers(4, 40),
)
def test_a_chart_fits_whatever_the_prices(moves: list[tuple[Decimal, Decimal, int]], width: int, height: int) -> None:
    candles, ago = [], 200
    for first, last, gap in moves:
        ago -= 1 + gap
        candles.append(candle(ago, str(first), str(last), reach="0"))
    lines = Chart(look_of()).lines(candles, width, height)
    assert len(lines) == height
    assert all(line.cell_len <= width for line in lines)
    newest = next((line.plain for line in lines if "◀" in line.plain), None)
    if newest is not None:
        assert Decimal(newest.partition("◀")[2]) == candles[-1].close


@pytest.mark.parametrize("width", range(24, 200, 4))
def test_digits_are_never_cut(width: int) -> None:
    known = {Decimal("1e-12"), Decimal("1e12"), Decimal("123456789012345678.123456789012345678"), Decimal("0.25")}
    known |= {Decimal("1e-12") - Decimal("1e12"), Decimal(0), Decimal("0.5"), Decimal(-100), Decimal(2), Decimal(58)}
    for line in texts(CASES["extremes"](look_of()), width, 24):
        for word in line.split():
            text = word.lstrip("◀(")
            if set(word) != {"#"} and text.strip("-+").replace(".", "").isdigit() and "┤" not in word:
                assert Decimal(text) in known


# --- the chart


def scale_of(one: Candle, *, rows: int) -> PriceScale:
    return price_scale([one], rows, tick_size([one]))


def test_places_are_of_equal_time() -> None:
    a, b, c = candle(5, "1", "1"), candle(2, "1", "1"), candle(1, "1", "1")
    assert slots([a, b, c], 9) == [a, None, None, b, c]
    assert slots([a, b, c], 4) == [b, c]
    assert slots([a, c], 3) == [c]
    assert slots([candle(10**9, "1", "1"), c], 5) == [c]
    month = candle(0, "1", "1", length=-1)
    assert slots([month, month], 5) == [month, month]


def test_a_scale_holds_all_prices_and_labels_them_in_full() -> None:
    scale = scale_of(candle(0, "65000.12", "65003.4"), rows=10)
    assert scale.low <= Decimal("64999.62")
    assert scale.high >= Decimal("65003.9")
    assert [str(label) for label in scale.labels] == ["65000.00", "65001.00", "65002.00", "65003.00", "65004.00"]
    assert [scale.half(price) for price in (scale.low, scale.high)] == [0, 19]
    tiny = scale_of(candle(0, "1e-12", "1e-12", reach="0"), rows=10)
    assert (tiny.low, tiny.high) == (0, Decimal("2e-12"))


def test_a_small_change_leaves_the_scale_where_it_is() -> None:
    before = scale_of(candle(0, "65000", "65004"), rows=20)
    after = scale_of(candle(0, "65000", "65003.96"), rows=20)
    assert (before.low, before.high) == (after.low, after.high)


def test_rising_and_falling_differ_by_shape() -> None:
    for unicode, up, down in ((True, "┃", "█"), (False, "O", "X")):
        look = look_of(unicode=unicode, palette="mono")
        rising = "".join(line.plain for line in Chart(look).lines([candle(0, "1", "9")], 40, 12)[:8])
        falling = "".join(line.plain for line in Chart(look).lines([candle(0, "9", "1")], 40, 12)[:8])
        assert up in rising
        assert down not in rising
        assert down in falling
        assert up not in falling


def test_the_rule_tells_incomplete_open_and_missing_candles() -> None:
    candles = [candle(3, "1", "2", complete=False), candle(1, "1", "2"), candle(0, "1", "2")]
    lines = Chart(look_of()).lines(candles, 40, 12)
    assert lines[-2].plain.endswith("?─  ──○─")


def test_times_are_of_the_wanted_zone() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    lines = texts(drawn(*LIVE)(Look(tz=zone, epoch_ms=Clock(), color=False)), 80, 24)
    rule = next(at for at, line in enumerate(lines) if "○" in line)
    assert "04:50" in lines[rule + 1]
    assert lines[rule + 3].startswith("04:59:00")


def test_the_newest_stands_at_the_right_edge() -> None:
    for candles in (LIVE[-1:], LIVE[-2:], LIVE):
        lines = texts(drawn(*candles)(look_of()), 80, 24)
        rule = next(line for line in lines if "○" in line)
        axis = next(line for line in lines if "◀" in line)
        assert axis.index("◀") - rule.index("○") in (2, 3)


def test_what_is_remembered_is_drawn_as_what_is_worked_out() -> None:
    look, chart = look_of(), None
    for count, close in ((28, "65010"), (29, "65020"), (30, "65030"), (30, "66000"), (30, "65030")):
        candles = [*LIVE[: count - 1], candle(30 - count, "65000", close)]
        chart = chart or Chart(look)
        assert [line.markup for line in chart.lines(candles, 60, 20)] == [
            line.markup for line in Chart(look).lines(candles, 60, 20)
        ]


# --- the view


def test_a_candle_replaces_the_one_with_its_start() -> None:
    shown = drawn(candle(1, "1", "2"), candle(0, "2", "3"))(look_of())
    shown.add(candle(1, "1", "2.5"))
    assert "last 3 " in texts(shown, 80, 24)[0]
    assert sum("closed" in line for line in texts(shown, 80, 24)) == 1


@pytest.mark.parametrize("width", [60, 140])
@given(st.permutations([*course(12), *course(12)[3:6]]))
@settings(deadline=None, max_examples=20)
def test_late_ones_stand_where_their_time_says(width: int, candles: list[Candle]) -> None:
    """Corrections of older candles, and those of intervals that were empty so far: as if they had come in order."""
    assert texts(drawn(*candles)(look_of()), width, 24) == texts(drawn(*course(12))(look_of()), width, 24)


def test_a_correction_of_an_older_candle_is_drawn_there_and_nowhere_else() -> None:
    shown = drawn(*LIVE)(look_of())
    texts(shown, 80, 24)
    shown.add(candle(4, "65000", "64000", complete=False))
    lines = texts(shown, 80, 24)
    assert lines == texts(drawn(*LIVE[:-5], candle(4, "65000", "64000", complete=False), *LIVE[-4:])(look_of()), 80, 24)
    assert sum("64000" in line and "closed, incomplete" in line for line in lines) == 1
    assert "64000" not in lines[0], "the last price is the newest candle's"


def test_after_an_interruption_the_open_one_is_gone() -> None:
    shown = drawn(candle(1, "1", "2"), candle(0, "2", "3"))(look_of())
    shown.start_over()
    assert "last 2 " in texts(shown, 80, 24)[0]
    shown.start_over()
    assert texts(drawn()(look_of()), 80, 24) == ["no candle yet"]


def test_the_oldest_leave() -> None:
    shown = drawn(*course(1_010))(look_of())
    assert len(shown._candles) == 1_000
    assert min(shown._candles) == LAST - 999 * MINUTE


def test_where_the_clocks_differ_it_is_not_said_how_long_a_candle_stays_open() -> None:
    assert texts(drawn(candle(-60, "1", "2"))(look_of()), 80, 24)[0].rstrip().split("  ")[3] == "open"


def test_it_is_drawn_again_while_a_candle_is_open() -> None:
    shown = drawn(*LIVE)(look_of())
    assert "open, 58 s left" in texts(shown, 80, 24)[0]
    assert shown.until() == NOW + 500
    shown.add(candle(0, "1", "2", closed=True))
    texts(shown, 80, 24)
    assert shown.until() is None


def test_a_pipe_gets_a_table() -> None:
    lines = texts(drawn(*course(300))(look_of()), 80, 1_003)
    assert len(lines) == 301


def test_what_the_candle_moved() -> None:
    for first, last, words in (
        ("100", "104", "▲ +4 (+4.00 %)"),
        ("100", "99", "▼ -1 (-1.00 %)"),
        ("2", "2", "0 (0.00 %)"),
        ("100000", "100000.001", "▲ +0.001 (+<0.01 %)"),
        ("100000", "99999.999", "▼ -0.001 (-<0.01 %)"),
    ):
        assert f"  {words}  " in texts(drawn(candle(0, first, last))(look_of()), 80, 24)[0]


if __name__ == "__main__":
    golden("candles-view").write_text(golden_text(CASES), encoding="utf-8")
