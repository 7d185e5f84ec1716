"""What each side of a bot's summary counts, and when: signals, what was missed and marked, falls, and the curve."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cli.bot.market_data import MarketName
from cli.bot.summary import MOST_POINTS, SIDES, Costs, Figures, MarketSummary, Point, Summary, Tally

MARKET = MarketName("nexus", "BTC")
OTHER = MarketName("nexus", "ETH")
COUNTS = ("signals", "missed", "marked", "round_trips", "hits")


def summed(*events: tuple[Any, ...], fee: str = "0") -> MarketSummary:
    """What a run brings: `(at, price)`, `(at, bid, ask)`, and `(at, "signal", size)`, maybe with `True` as marked."""
    tally = Tally("bot", Costs(Decimal(fee)))
    for at, *event in events:
        match event:
            case ["signal", size, *marked]:
                tally.signal(MARKET, at, None if size is None else Decimal(size), marked=bool(marked))
            case [price]:
                tally.trade(MARKET, at, Decimal(price))
            case [bid, ask]:
                tally.quote(MARKET, at, *(None if one is None else Decimal(one) for one in (bid, ask)))
    (one,) = tally.summary().markets
    return one


def counts(figures: Figures) -> tuple[int, ...]:
    return tuple(int(getattr(figures, name)) for name in COUNTS)


@pytest.mark.parametrize(
    ("size", "side"), [("1", "long"), ("0.00001", "long"), ("0", None), ("-0.00001", "short"), ("-1", "short")]
)
@pytest.mark.parametrize("marked", [False, True])
def test_a_signal_counts_for_its_side_and_one_of_size_0_for_none(size: str, side: str | None, marked: bool) -> None:
    one = summed((0, "signal", size, *[True] * marked))
    missed = not marked and side is not None
    mine = (1, int(missed), int(marked), 0, 0)
    assert counts(one.both) == mine
    assert {name: counts(figures) for name, figures in one.sides.items()} == {
        name: mine if name == side else (0, 0, 0, 0, 0) for name in ("long", "short")
    }


def test_a_wish_to_hold_nothing_that_no_price_followed_is_of_neither_side() -> None:
    for then in [(), [(3, "signal", "1", True)], [(3, "signal", "-1")]]:
        one = summed((0, "signal", "1"), (1, "100"), (2, "signal", "0"), *then)
        assert [one.sides[side].missed for side in SIDES] == [0, len(then) and then[0][2] == "-1"]
        assert one.both.missed == 1 + (bool(then) and then[0][2] == "-1")
        assert one.open_size == 1


def test_what_was_missed_is_counted_once_for_its_side_and_for_both() -> None:
    one = summed(
        (0, "signal", "1"), (1, "signal", "-1"), (2, "signal", "0.5"), (3, "signal", "-1"), (4, "signal", "-1")
    )
    assert [counts(figures) for figures in (one.both, *one.sides.values())] == [
        (5, 4, 0, 0, 0),
        (2, 2, 0, 0, 0),
        (3, 2, 0, 0, 0),
    ]


def test_a_signal_for_what_is_held_wants_nothing_and_takes_back_what_was_wanted() -> None:
    held = [(0, "signal", "1"), (1, "100")]
    one = summed(*held, (2, "signal", "1"), (3, "110"))
    assert (one.both.missed, one.open_size, one.both.return_pct) == (0, 1, 10)
    one = summed(*held, (2, "signal", "0"), (3, "signal", "1"), (4, "110"))
    assert (one.both.missed, one.open_size, one.both.return_pct) == (1, 1, 10)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_side_that_is_closed_at_a_loss_has_fallen_by_it(sign: int) -> None:
    """Its curve has the price at which it was closed, which the other side's has not."""
    (side, other) = SIDES if sign > 0 else SIDES[::-1]
    events = [(0, "signal", f"{sign}"), (1, "100"), (2, f"{100 + 10 * sign}"), (3, "signal", "0")]
    one = summed(*events, (4, f"{100 - 20 * sign}"), (5, f"{100 - 90 * sign}"))
    assert [one.sides[name].drawdown_pct for name in (side, other)] == [30, 0]
    assert (one.both.drawdown_pct, one.both.return_pct, one.open_size) == (30, -20, 0)
    turned = summed(*events[:3], (3, "signal", f"{-sign}"), (4, f"{100 - 20 * sign}"))
    assert [turned.sides[name].drawdown_pct for name in (side, other)] == [30, 0]


def test_a_fall_goes_on_from_the_height_before_and_a_new_height_begins_a_new_one() -> None:
    prices = ["100", "110", "105", "108", "103", "120", "114"]
    falls = [0, 0, 5, 5, 7, 7, 7]
    for number in range(1, len(prices) + 1):
        one = summed((0, "signal", "1"), *((at, price) for at, price in enumerate(prices[:number], start=1)))
        assert one.both.drawdown_pct == one.sides["long"].drawdown_pct == falls[number - 1]


@pytest.mark.parametrize(
    ("events", "trips", "hits"),
    [
        ([("1", "100"), ("0", "101")], 1, 1),
        ([("1", "100"), ("0", "100")], 1, 0),
        ([("1", "100"), ("0", "99")], 1, 0),
        ([("-1", "100"), ("0", "99")], 1, 1),
        ([("1", "100"), ("0.5", "120"), ("0", "90")], 1, 1),
        ([("1", "100"), ("0.5", "90"), ("0", "105")], 1, 0),
        ([("1", "100"), ("-1", "110"), ("0", "120")], 2, 1),
        ([("1", "100"), ("0", "90"), ("1", "90"), ("0", "91")], 2, 1),
        ([("1", "100"), ("0.5", "110")], 0, 0),
    ],
)
def test_a_round_trip_ends_when_nothing_is_held_and_is_a_hit_if_it_gained_in_all(
    events: list[tuple[str, str]], trips: int, hits: int
) -> None:
    one = summed(*(row for at, (size, price) in enumerate(events) for row in [(at, "signal", size), (at, price)]))
    assert (one.both.round_trips, one.both.hits) == (trips, hits)
    assert one.both.hit_rate_pct == (None if not trips else Decimal(100 * hits) / trips)
    assert sum(figures.round_trips for figures in one.sides.values()) == trips
    assert sum(figures.hits for figures in one.sides.values()) == hits


@pytest.mark.parametrize(("fee", "hits"), [("49", 1), ("51", 0)])
def test_fees_can_make_a_gain_none(fee: str, hits: int) -> None:
    one = summed((0, "signal", "1"), (1, "100"), (2, "signal", "0"), (3, "101"), fee=fee)
    assert one.both.hits == hits


@pytest.mark.parametrize("price", ["0", "-1"])
def test_no_signal_is_filled_at_a_price_that_is_none(price: str) -> None:
    one = summed((0, "signal", "1"), (1, price), (2, "50"), (3, "100"))
    assert one.both.return_pct == 100


def test_of_two_sides_each_has_the_time_in_which_it_was_held() -> None:
    one = summed((0, "100"), (0, "signal", "0.5"), (10, "100"), (15, "signal", "-1"), (30, "100"), (100, "100"))
    assert (one.sides["long"].in_position_ms, one.sides["short"].in_position_ms, one.both.in_position_ms) == (
        20,
        70,
        90,
    )
    assert (one.sides["long"].exposure, one.sides["short"].exposure) == (Decimal("0.1"), Decimal("0.7"))
    assert one.both.exposure == Decimal("0.8")


def test_a_price_of_before_weighs_nothing_and_takes_nothing_back() -> None:
    one = summed((0, "100"), (0, "signal", "1"), (50, "100"), (50, "signal", "0"), (40, "100"), (100, "100"))
    assert one.both.in_position_ms == one.both.exposure == 0


# --- a run


def a_summary(*calls: tuple[Any, ...], at: int | None = None) -> Summary:
    tally = Tally("rsi", Costs(Decimal(3), Decimal(2)))
    for name, *arguments in calls:
        getattr(tally, name)(*arguments)
    return tally.summary(at)


def test_a_run_lasts_from_the_first_moment_to_the_latest() -> None:
    found = a_summary(("saw", 20), ("saw", 5), ("saw", 30), ("saw", 25))
    assert (found.begin, found.end) == (20, 30)
    assert a_summary(("saw", 20), at=50).end == 50
    assert a_summary(("saw", 20), at=10).end == 20
    found = a_summary(at=50)
    assert found == Summary("rsi", None, None, [], 0, Costs(Decimal(3), Decimal(2)))


def test_what_is_held_is_held_until_the_end_of_the_run() -> None:
    tally = Tally("rsi", Costs())
    tally.quote(MARKET, 0, Decimal(1), Decimal(1))
    tally.signal(MARKET, 0, Decimal(1), marked=False)
    tally.quote(MARKET, 0, Decimal(1), Decimal(1))
    assert [tally.summary(at).markets[0].both.in_position_ms for at in (None, 10, 25)] == [0, 10, 25]
    assert tally.summary().markets[0].both.exposure == 1


def test_markets_come_in_the_order_of_their_first_word_and_exceptions_are_each_ones() -> None:
    found = a_summary(
        ("exception", None), ("exception", OTHER), ("trade", MARKET, 1, Decimal(5)), ("exception", OTHER)
    )  # fmt: skip
    assert found.exceptions == 3
    assert [(one.market, one.exceptions, one.filled_by) for one in found.markets] == [
        (OTHER, 2, "trades"),
        (MARKET, 0, "trades"),
    ]


@pytest.mark.parametrize(
    ("bid", "ask", "filled_by"),
    [(None, None, "trades"), ("1", None, "quotes"), (None, "1", "quotes"), ("1", "1", "quotes")],
)
def test_a_market_has_quotes_once_one_has_a_side(bid: str | None, ask: str | None, filled_by: str) -> None:
    one = summed((0, "5"), (1, bid, ask), (2, "signal", "1"), (3, "5"))
    assert one.filled_by == filled_by
    assert one.open_size == (1 if filled_by == "trades" else 0)


def test_signals_that_are_no_positions_are_counted_by_themselves() -> None:
    one = summed((0, "signal", None), (1, "signal", None, True), (2, "signal", "1"))
    assert (one.others, one.both.signals, one.both.marked) == (2, 1, 0)


# --- the curve


def test_the_curve_has_what_it_was_at_each_price_while_anything_was_held() -> None:
    one = summed(
        (0, "90"), (1, "signal", "0.5"), (2, "100"), (3, "110"), (4, "signal", "0"), (5, "120"), (6, "130")
    )  # fmt: skip
    assert one.curve == [Point(2, Decimal(0)), Point(3, Decimal(5)), Point(5, Decimal(10))]
    assert summed((0, "90")).curve == []


@pytest.mark.parametrize(
    ("prices", "kept", "step"),
    [
        (MOST_POINTS - 1, MOST_POINTS - 1, 1),
        (MOST_POINTS, MOST_POINTS // 2 + 1, 2),
        (MOST_POINTS + 1, MOST_POINTS // 2 + 1, 2),
        (2 * MOST_POINTS, MOST_POINTS // 2 + 1, 4),
    ],
)
def test_of_a_long_curve_every_second_point_goes_and_its_last_is_always_there(
    prices: int, kept: int, step: int
) -> None:
    one = summed((0, "signal", "1"), *((at, "100") for at in range(1, prices + 1)))
    times = [point.at for point in one.curve]
    assert len(times) == kept
    assert times[:-1] == list(range(1, 1 + step * (kept - 1), step))
    assert times[-1] == prices


# --- at the edges of what is known


@pytest.mark.parametrize("sign", [1, -1])
def test_what_was_never_quoted_on_the_side_that_closes_it_is_worth_what_was_paid(sign: int) -> None:
    first = (1, None, "100") if sign > 0 else (1, "100", None)
    one = summed((0, "signal", f"{sign}"), first, (2, *first[1:]))
    assert (one.open_size, one.both.return_pct, one.both.drawdown_pct) == (sign, 0, 0)
    later = summed((0, "signal", f"{sign}"), first, (2, "90", "110"))
    assert later.both.return_pct == -10


@pytest.mark.parametrize(
    "call",
    [
        ("quote", MARKET, 7, Decimal(1), None),
        ("quote", MARKET, 7, None, None),
        ("trade", MARKET, 7, Decimal(1)),
        ("saw", 7),
    ],
)
def test_whatever_comes_is_a_moment_of_the_run(call: tuple[Any, ...]) -> None:
    found = a_summary(("saw", 3), call)
    assert (found.begin, found.end) == (3, 7)
    found = a_summary(call)
    assert (found.begin, found.end) == (7, 7)


def test_a_signal_is_a_moment_of_the_run() -> None:
    tally = Tally("rsi", Costs())
    tally.signal(MARKET, 5, Decimal(1), marked=False)
    tally.signal(MARKET, 9, None, marked=False)
    assert (tally.summary().begin, tally.summary().end) == (5, 9)


def test_figures_have_fifty_digits() -> None:
    events: list[tuple[Any, ...]] = []
    for number, price in enumerate(("1", "2", "2", "1", "2", "1")):
        events += [(number, "signal", f"{(number + 1) % 2}"), (number, price)]
    one = summed(*events)
    assert (one.both.round_trips, one.both.hits) == (3, 1)
    assert str(one.both.hit_rate_pct) == "33." + "3" * 48


@pytest.mark.parametrize(("price", "held"), [("-1", 0), ("0", 0), ("0.5", 1), ("1", 1)])
def test_a_price_above_nothing_fills_a_signal(price: str, held: int) -> None:
    for event in ((1, price), (1, None, price)):
        assert summed((0, "signal", "1"), event).open_size == held
    assert summed((0, "signal", "-1"), (1, price, None)).open_size == -held
