"""Trades as they are drawn; the golden text is rewritten on purpose only: python -m tests.test_trades_view"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.output import cells, queues
from cli.screen import drawing as bars
from cli.screen.header import Rate
from cli.screen.look import Look, Measuring
from cli.screen.pane import Pane, Title
from cli.views.recent import LARGE, MOST_SECONDS, SECONDS, USUAL_FROM, USUAL_OF, Minute, Usual
from cli.views.trades import TradesView, view
from tests.drawn import HOSTILE, NOW, Clock, case_of, golden, golden_text, look_of, screens, texts
from venues.records import Side, State, Status, Trade
from venues.redaction import Redactor
from venues.streams import STREAMS
from venues.toolkit.numbers import add


def trade(price: str = "65000.5", size: str = "0.1", side: Side = "buy", ago: int = 0, **fields: Any) -> Trade:
    """A trade of so many milliseconds ago, which took 10 ms to us."""
    fields = {"time": NOW - ago - 10, "received": NOW - ago, **fields}
    return Trade(venue="nexus", symbol="SPOT_BTC_USDT", price=Decimal(price), size=Decimal(size), side=side, **fields)


def status(state: State) -> Status:
    return Status(venue="nexus", received=NOW, stream="trades", state=state)


MANY = [
    trade(f"{65000 + (n * 7) % 11}.{n % 10}", f"0.{1 + n % 9}", "sell" if n % 3 else "buy", ago=1_500 * (40 - n))
    for n in range(40)
]
LARGE_ONES = [*MANY, trade("65003.5", "7.25", "buy"), trade("64999", "2.6", "sell")]


def drawn(*steps: Any) -> Callable[[Look], TradesView]:
    """A view that was given trades, and words for what else happened."""

    def made(look: Look) -> TradesView:
        shown = view(look)
        for step in steps:
            if isinstance(step, Trade):
                shown.add(step)
            elif isinstance(step, int):
                shown.missed(step)
            else:
                getattr(shown, step)()
        return shown

    return made


CASES: dict[str, Callable[[Look], TradesView]] = {
    "nothing yet": view,
    "one": drawn(trade()),
    "live": drawn(*MANY),
    "large": drawn(*LARGE_ONES),
    "interrupted": drawn(*MANY[:-2], "stopped", "start_over", trade(size="3"), trade("64999.5")),
    "not live": drawn(*MANY, "stopped"),
    "too slow": drawn(*MANY, 1_234, trade(), trade(side="sell")),
    "extremes": drawn(
        trade("0.000000000001", "123456789012345678.123456789012345678"), trade("1000000000000", "0.000000000000000001")
    ),
    "units": drawn(trade("6684363", "17", price_unit="ticks", size_unit="raw_lots")),
    "hostile unit": drawn(trade(price_unit=HOSTILE, size_unit=HOSTILE)),
    "without the venue's time": drawn(trade(time=None), trade(time=None, side="sell")),
}


BEFORE = [trade(size=f"{n}.5", ago=100_000 - n, extra={"ord_type": "limit", "snapshot": True}) for n in range(9)]


def test_trades_of_before_we_came_are_rows_and_count_in_no_figure() -> None:
    look = look_of()
    shown = drawn(*BEFORE)(look)
    assert len([line for line in texts(shown, 100, 24) if "BUY" in line.upper()]) == 9
    assert not any("volume" in line for line in texts(shown, 100, 24))
    both = drawn(*BEFORE, *MANY)(look)
    alone = drawn(*MANY)(look)
    assert texts(both, 100, 24)[0] == texts(alone, 100, 24)[0]
    rate = Rate(lambda: 0.0)
    rate.see(BEFORE)
    assert rate.total == 0
    rate.see([*BEFORE, trade()])
    assert rate.total == 1


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    assert screens(CASES[case]) == case_of("trades-view", case)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("width", [24, 33, 47, 61, 80, 200])
def test_nothing_is_wider_than_the_screen_or_too_long(case: str, width: int) -> None:
    for height in (6, 9, 10, 24):
        for unicode in (True, False):
            texts(CASES[case](look_of(unicode=unicode)), width, height)


@pytest.mark.parametrize("width", range(24, 160, 3))
def test_digits_are_never_cut(width: int) -> None:
    numbers = [Decimal(text) for text in ("1e-12", "1e12", "123456789012345678.123456789012345678", "1e-18")]
    known = {cells.number(value) for value in (*numbers, add(numbers[2], numbers[3]))} | {"0", "1", "2", "60"}
    for line in texts(CASES["extremes"](look_of()), width, 24):
        for word in line.split():
            assert set(word) == {"#"} or word in known or ":" in word or not any(char.isdigit() for char in word)


# --- the last minute


def minute_of(*trades: Trade) -> Minute:
    minute = Minute()
    for one in trades:
        minute.trade(one)
    return minute


def test_volume_is_of_the_last_minute() -> None:
    minute = minute_of(
        trade(ago=90_000), trade(ago=59_000, size="1"), trade(ago=1_000, size="2", side="sell", price="7")
    )
    volume = minute.volume(NOW)
    assert volume is not None
    assert volume[:5] == (1, 2, 1, 1, 7)
    assert volume.since is None
    volume = minute.volume(NOW + 2_000)
    assert volume is not None
    assert (volume.buy, volume.sell, volume.high) == (0, 2, 7)


@given(
    st.lists(st.tuples(st.integers(0, 120_000), st.decimals(Decimal("1e-18"), Decimal("1e12"), places=18)), max_size=40)
)
def test_volume_is_exact_whatever_the_order(trades: list[tuple[int, Decimal]]) -> None:
    minute = minute_of(trade(ago=200_000), *(trade(ago=ago, size=str(size)) for ago, size in trades))
    volume = minute.volume(NOW)
    assert volume is not None
    first = (NOW - 10) // 1000 - SECONDS + 1
    exact = sum(Fraction(size) for ago, size in trades if (NOW - 10 - ago) // 1000 >= first)
    assert Fraction(volume.buy) == exact


def test_the_venues_clock_is_not_ours() -> None:
    """An hour ahead of us, and some trades took long."""
    ahead = 3_600_000
    minute = Minute(lambda: ahead)
    for ago, late in ((60_200, 0), (30_000, 900), (5, 5)):
        minute.trade(trade(time=NOW + ahead - ago, received=NOW - ago + late))
    volume = minute.volume(NOW)
    assert volume is not None
    assert (volume.buys, volume.since) == (2, None)


def test_old_trades_of_a_first_list_tell_nothing_of_the_clock_and_count_by_their_times() -> None:
    """JayX lists the latest trades when we come, of which all may be days old."""
    listed = [trade(time=NOW - 3 * 86_400_000 - ago, received=NOW) for ago in range(90_000, 0, -1_000)]
    volume = minute_of(*listed).volume(NOW)
    assert volume is not None
    assert (volume.buys, volume.since) == (0, None)
    volume = minute_of(*listed, trade(time=NOW - 30_000, received=NOW), trade(time=NOW - 20, received=NOW)).volume(NOW)
    assert volume is not None
    assert (volume.buys, volume.since) == (2, None)


def test_a_trade_stamped_an_hour_ahead_counts_when_it_came() -> None:
    first = trade(time=NOW - 70_000, received=NOW - 70_000)
    minute = minute_of(first, trade(time=NOW + 3_600_000, received=NOW - 50_000), trade(time=NOW, received=NOW))
    assert minute.volume(NOW).buys == 2  # type: ignore[union-attr]
    assert minute.volume(NOW + 20_000).buys == 1  # type: ignore[union-attr]
    assert minute.volume(NOW + 3_600_000).buys == 0  # type: ignore[union-attr]


@pytest.mark.parametrize("ahead", [7_200_000, -7_200_000])
def test_a_clock_that_is_found_to_be_another_is_where_the_volume_begins(ahead: int) -> None:
    offset = [0]
    minute = Minute(lambda: offset[0])
    minute.trade(trade(time=NOW + ahead, received=NOW))
    offset[0] = ahead
    minute.trade(trade(time=NOW + ahead + 1_000, received=NOW + 1_000))
    volume = minute.volume(NOW + 3_000)
    assert volume is not None
    assert (volume.buys, volume.since) == (1, NOW + ahead + 1_000)


def test_what_is_not_a_whole_minute_says_since_when() -> None:
    assert Minute().volume(NOW) is None
    minute = minute_of(trade(ago=59_000))
    assert minute.volume(NOW).since == NOW - 59_010  # type: ignore[union-attr]
    assert minute.volume(NOW + 2_000).since is None  # type: ignore[union-attr]
    first = NOW // 1000 * 1000 - 59_000
    assert minute_of(trade(time=first, received=first)).volume(NOW).since is None  # type: ignore[union-attr]


def test_an_interruption_starts_the_volume_anew() -> None:
    minute = minute_of(trade(ago=100_000), trade(ago=3_000, size="5"))
    minute.stop(NOW)
    assert minute.changes_at(NOW) is None
    for later in (0, 30_000, 300_000):
        assert minute.volume(NOW + later).buy == 5  # type: ignore[union-attr]
    minute.resumed(NOW + 10_000)
    minute.trade(trade(ago=-11_000, size="2"))
    volume = minute.volume(NOW + 12_000)
    assert volume is not None
    assert (volume.buy, volume.buys, volume.since) == (2, 1, NOW + 9_990)
    assert minute.volume(NOW + 80_000).since is None  # type: ignore[union-attr]


def test_a_late_trade_of_before_the_interruption_does_not_count() -> None:
    minute = minute_of(trade(ago=100_000))
    minute.stop(NOW)
    minute.resumed(NOW + 500)
    minute.trade(trade(time=NOW + 100, received=NOW + 600))
    minute.trade(trade(time=NOW + 550, received=NOW + 601, size="3"))
    assert minute.volume(NOW + 700).buy == 3  # type: ignore[union-attr]


def test_a_second_that_was_interrupted_counts_from_where_trades_are_seen_again() -> None:
    minute = minute_of(trade("9", size="1"))
    minute.stop(NOW)
    minute.resumed(NOW + 100)
    minute.trade(trade("8", time=NOW + 300, received=NOW + 310, size="3"))
    volume = minute.volume(NOW + 320)
    assert volume is not None
    assert (volume.buy, volume.buys, volume.high) == (3, 1, 8)


def test_standing_still_loses_nothing() -> None:
    minute = minute_of(trade(ago=100_000), trade(size="2"))
    minute.stop(NOW)
    minute.go_on()
    minute.trade(trade(ago=-1_000))
    volume = minute.volume(NOW + 1_000)
    assert volume is not None
    assert (volume.buys, volume.since) == (2, None)


def test_prices_go_on_until_the_next_trade_but_not_over_a_gap() -> None:
    minute = minute_of(trade("1", ago=100_000), trade("2", ago=40_000))
    prices = minute.prices(NOW)
    assert len(prices) == SECONDS
    assert (prices[0], prices[10], prices[-1]) == (1, 1, 2)
    minute.stop(NOW)
    minute.resumed(NOW + 10_000)
    minute.trade(trade("3", ago=-12_000))
    prices = minute.prices(NOW + 15_000)
    assert prices[-4:] == [3, 3, 3, 3]
    assert prices[-6] is None
    assert prices[-16] is None  # where the volume does not count either


def test_the_price_before_a_long_silence_goes_on_also_where_old_seconds_are_forgotten() -> None:
    count = MOST_SECONDS
    minute = minute_of(*(trade("4", ago=1_000 * (count - n) + 100_000) for n in range(count)), trade("5"))
    assert len(minute._seconds) == 2
    prices = minute.prices(NOW)
    assert (prices[0], prices[-2], prices[-1]) == (4, 4, 5)


def test_the_figures_change_with_the_next_second_of_the_venue() -> None:
    shown = drawn(trade())(look_of())
    texts(shown, 80, 24)
    assert shown.until() == NOW + 510  # the venue's clock says 490 ms of a second
    assert view(look_of()).until() is None


def test_memory_is_bounded() -> None:
    minute = minute_of(*(trade(ago=1_000 * (5_000 - n)) for n in range(5_000)))
    assert len(minute._seconds) <= 4 * SECONDS + 1
    minute.resumed(NOW)
    assert minute.volume(NOW + 100).buys == 0  # type: ignore[union-attr]


# --- large ones


def test_large_is_relative_to_those_before() -> None:
    usual = Usual()
    assert [usual.times(Decimal(1)) for _ in range(USUAL_FROM)] == [0] * USUAL_FROM
    assert usual.times(Decimal("4.99")) == 0
    assert usual.times(Decimal(5)) == 5
    assert usual.times(Decimal("12.9")) == 12


@settings(max_examples=20, deadline=None)
@given(st.lists(st.decimals(Decimal("0.001"), Decimal(100), places=3), min_size=USUAL_FROM, max_size=60))
def test_usual_is_the_median_of_those_before(sizes: list[Decimal]) -> None:
    usual = Usual()
    for at, size in enumerate(sizes):
        times = usual.times(size)
        if at >= USUAL_FROM:
            middle = sorted(sizes[:at])[at // 2]
            assert times == (int(size / middle) if size >= LARGE * middle else 0)


def test_what_was_usual_long_ago_is_not_now() -> None:
    usual = Usual()
    for _ in range(USUAL_OF):
        usual.times(Decimal(1))
    for _ in range(USUAL_OF * 3 // 4):
        usual.times(Decimal(10))
    assert usual.times(Decimal(40)) == 0
    assert usual.times(Decimal(50)) == 5
    falling = Usual()
    for size in range(USUAL_OF, 0, -1):
        falling.times(Decimal(size))
    for _ in range(USUAL_OF // 2 + 1):  # take the place of the largest, which came first
        falling.times(Decimal(1))
    assert falling.times(Decimal(5)) == 5


def test_a_large_trade_has_a_sign_and_not_only_a_colour() -> None:
    rows = texts(CASES["large"](look_of(palette="mono")), 80, 24)
    assert [row.split()[-1] for row in rows[4:6]] == ["5×", "14×"]


# --- gaps


def test_the_queue_and_the_pane_tell_what_was_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "MOST_EVENTS", 10)
    look, queue = look_of(), queues.LatestEvents()
    pane = Pane(view, Title("nexus", None, [], STREAMS["trades"], partial=False), look, Rate(), Redactor())
    queue.put([status("live"), trade(), trade()])
    pane.write(queue.take())
    queue.put([trade() for _ in range(25)])
    pane.write(queue.take())
    body = "\n".join(texts(pane.view, 80, 40))
    assert "── 20 trades are not shown" in body
    assert "27 trades seen" in body
    assert "since 23:29:02" in body


def test_a_frozen_or_interrupted_pane_keeps_its_figures() -> None:
    clock = Clock()
    look = look_of(clock)
    pane = Pane(view, Title("nexus", None, [], STREAMS["trades"], partial=False), look, Rate(), Redactor())
    shown = pane.view
    assert isinstance(shown, Measuring)
    pane.write([status("live"), trade(ago=100_000), trade(size="5")])
    pane.freeze()
    clock.now += 90_000
    assert "▲ buy 5 in 1" in texts(shown, 80, 24)[0]
    pane.thaw()
    assert "▲ buy 0 in 0" in texts(shown, 80, 24)[0]
    pane.write([trade(ago=-90_000, size="7"), status("reconnecting")])
    clock.now += 90_000
    assert "▲ buy 7 in 1" in texts(shown, 80, 24)[0]
    pane.freeze()
    pane.thaw()
    clock.now += 90_000
    assert "▲ buy 7 in 1" in texts(shown, 80, 24)[0]
    pane.write([status("live")])
    assert texts(shown, 80, 24)[0].startswith("volume since 23:33:32   ▲ buy 0 in 0")


def test_two_gaps_without_a_trade_between_are_one_line() -> None:
    shown = drawn(trade(), "stopped", "start_over", "stopped", "start_over")(look_of())
    assert sum("interrupted" in line for line in texts(shown, 80, 24)) == 1
    assert "interrupted" not in "".join(texts(drawn("stopped", "start_over", trade())(look_of()), 80, 24))


# --- sparklines


def test_a_sparkline_shows_lowest_and_highest() -> None:
    values = [Decimal(value) for value in ("1e-12", "5e-12", "8e-12")]
    assert bars.sparkline([values[0], None, *values[1:]], blocks=True) == "▁ ▅█"
    assert bars.sparkline(values, blocks=False) == "_-'"
    assert bars.sparkline([values[0]] * 2, blocks=True) == "▄▄"
    assert bars.sparkline([None, None], blocks=True) == "  "


def test_sums_are_shown_in_full() -> None:
    big = Decimal("123456789012345678.123456789012345678")
    shown = drawn(trade(size=str(big)), trade(size="0.000000000000000001"))(look_of())
    assert "▲ buy 123456789012345678.123456789012345679" in texts(shown, 120, 24)[0]


if __name__ == "__main__":
    golden("trades-view").write_text(golden_text(CASES), encoding="utf-8")
