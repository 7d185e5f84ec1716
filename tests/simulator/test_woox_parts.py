"""The parts of the simulated WOO X by themselves: books and their chains, quiet markets, figures of a symbol."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from venues.simulator.market_events import Level, Trade
from venues.woox.simulator.books import BookFeed, Steps, rpi_orders, rpi_version
from venues.woox.simulator.figures import DAY, Figures
from venues.woox.simulator.quiet import Murmur, QuietMarket
from venues.woox.simulator.quoted import Quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venues.simulator.market_events import Side

STEPS = Steps(Decimal("0.5"), Decimal("0.1"))
NOW = 1_700_000_000_000
SPOT = "SPOT_A_B"


class Market:
    """A book that the test writes, best first."""

    def __init__(self, bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]) -> None:
        self.name = "A_B"
        self.changes = 0
        self.last: Trade | None = None
        self.set(bids, asks)

    def set(self, bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]) -> None:
        self.changes += 1
        self._levels = {
            side: [Level(Decimal(price), Decimal(size), 1) for price, size in rows]
            for side, rows in (("buy", bids), ("sell", asks))
        }

    def levels(self, side: Side) -> list[Level]:
        return self._levels[side]

    def best(self, side: Side) -> Decimal | None:
        return self._levels[side][0].price if self._levels[side] else None

    def total(self, side: Side) -> Decimal:
        return sum((one.size for one in self._levels[side]), Decimal(0))


def feed(market: Market, depth: int = 50, *, lag: int = 0) -> tuple[BookFeed, list[dict[str, Any]]]:
    made = BookFeed(SPOT, market, STEPS, depth, rpi=False, lively=True, lag=lag, now=NOW)
    told: list[dict[str, Any]] = []
    made.watch(lambda message: told.append(json.loads(message)))
    return made, told


@pytest.mark.parametrize(("depth", "wait"), [(50, 45), (200, 95), (500, 195)])
def test_changes_are_told_every_so_often_in_a_chain(depth: int, wait: int) -> None:
    market = Market([("9", "1"), ("8", "2")], [("10", "3")])
    made, told = feed(market, depth)
    made.flush(NOW + 1)
    assert told == [], "nothing has changed"
    market.set([("9", "1.5"), ("7", "4")], [("10", "3")])
    made.flush(NOW + 10)
    assert len(told) == 1
    data = told[0].pop("data")
    assert told[0] == {"topic": f"orderbookupdate@{SPOT}@{depth}", "ts": NOW + 10}
    assert sorted(data["bids"]) == [["7", "4"], ["8", "0"], ["9", "1.5"]]
    assert (data["asks"], data["ts"], data["prevTs"], data["s"]) == ([], NOW + 10, NOW, SPOT)
    market.set([("9", "1.5"), ("7", "4")], [("11", "3")])
    made.flush(NOW + 10 + wait - 1)
    assert len(told) == 1, "it was only just now"
    made.flush(NOW + 10 + wait)
    assert sorted(told[1]["data"]["asks"]) == [["10", "0"], ["11", "3"]]
    assert told[1]["data"]["prevTs"] == NOW + 10
    assert made.changed == NOW + 10 + wait


def test_a_change_that_is_none_within_the_depth_is_not_told() -> None:
    bids = [(str(100 - at), "1") for at in range(60)]
    market = Market(bids, [])
    made, told = feed(market)
    market.set([*bids[:50], *[(price, "2") for price, _ in bids[50:]]], [])
    made.flush(NOW + 100)
    assert (told, made.changed) == ([], NOW)
    market.set([("101", "1"), *bids], [])
    made.flush(NOW + 200)
    assert sorted(told[0]["data"]["bids"]) == [["101", "1"], ["51", "0"]]


def test_two_changes_of_one_millisecond_have_different_times() -> None:
    market = Market([("9", "1")], [])
    made, told = feed(market)
    for size in ("2", "3"):
        market.set([("9", size)], [])
        made._told_at = 0.0
        made.flush(NOW)
    assert [(one["ts"], one["data"]["ts"], one["data"]["prevTs"]) for one in told] == [
        (NOW + 1, NOW + 1, NOW),
        (NOW + 2, NOW + 2, NOW + 1),
    ]


def test_who_has_left_is_told_nothing_and_the_others_are() -> None:
    market = Market([("9", "1")], [])
    made, told = feed(market)
    others: list[bytes] = []
    leave = made.watch(others.append)
    leave()
    leave()
    market.set([("9", "2")], [])
    made.flush(NOW + 100)
    assert (len(told), others) == (1, [])


def test_the_whole_book_is_that_of_the_last_change() -> None:
    """Without anybody who watches it is looked at anew each time."""
    market = Market([("9", "1"), ("8", "2"), ("7", "3")], [("10", "3")])
    made = BookFeed(SPOT, market, STEPS, 50, rpi=False, lively=True, lag=0, now=NOW)
    nine, eight, ten = (Decimal(9), Decimal(1)), (Decimal(8), Decimal(2)), (Decimal(10), Decimal(3))
    assert made.whole(NOW + 5, 2) == (NOW, [nine, eight], [ten])
    market.set([("9", "1")], [])
    assert made.whole(NOW + 6, 1) == (NOW + 6, [nine], [])
    market.set([("8", "2")], [])
    assert made.whole(NOW + 7, 9) == (NOW + 7, [eight], [])
    made.watch(lambda _: None)
    market.set([("9", "1")], [])
    assert made.whole(NOW + 8, 9) == (NOW + 7, [eight], [])
    assert made.whole(NOW + 7 + 45, 9) == (NOW + 52, [nine], [])


def test_a_lagging_book_is_that_of_so_long_ago() -> None:
    """The one before the first differs from it by a lot at each bid."""
    market = Market([("9", "1")], [("10", "3")])
    made = BookFeed(SPOT, market, STEPS, 50, rpi=False, lively=True, lag=1_000, now=NOW)
    ask = (Decimal(10), Decimal(3))
    assert made.whole(NOW, 9) == (NOW - 1_001, [(Decimal(9), Decimal("1.1"))], [ask])
    assert made.whole(NOW + 999, 9) == (NOW - 1_001, [(Decimal(9), Decimal("1.1"))], [ask])
    market.set([("8", "1")], [])
    made.flush(NOW + 999)
    assert made.whole(NOW + 1_000, 9) == (NOW, [(Decimal(9), Decimal(1))], [ask])
    assert made.whole(NOW + 1_998, 9) == (NOW, [(Decimal(9), Decimal(1))], [ask])
    assert made.whole(NOW + 1_999, 9) == (NOW + 999, [(Decimal(8), Decimal(1))], [])
    assert len(made._history) == 1


@pytest.mark.parametrize(
    ("ask", "bids", "asks"),
    [
        ("9.5", {"9"}, {"9.5"}),
        ("10", {"9"}, {"10"}),  # one free tick has no half
        ("10.5", {"9", "9.5"}, {"10", "10.5"}),
        ("12", {"9", "9.5", "10"}, {"12", "11.5", "11"}),
        ("14", {"9.5", "10", "10.5", "11"}, {"12", "12.5", "13", "13.5"}),
    ],
)
def test_rpi_orders_are_in_the_spread_or_at_the_best_prices(ask: str, bids: set[str], asks: set[str]) -> None:
    market = Market([("9", "1")], [(ask, "1")])
    found: dict[str, set[Decimal]] = {"buy": set(), "sell": set()}
    for version in range(60):
        orders = rpi_orders(SPOT, market, STEPS, (version, 0))
        assert [side for side, _, _ in orders] == ["buy", "sell"] * 3
        assert orders == rpi_orders(SPOT, market, STEPS, (version, 0)), "the same for the same version"
        for side, price, size in orders:
            found[side].add(price)
            assert Decimal("0.1") <= size <= 200
            assert size % STEPS.lot == 0
    assert found == {"buy": {*map(Decimal, bids)}, "sell": {*map(Decimal, asks)}}
    assert rpi_orders(SPOT, market, STEPS, (1, 1)) != rpi_orders(SPOT, market, STEPS, (1, 2))
    assert rpi_orders("SPOT_C_D", market, STEPS, (1, 1)) != rpi_orders(SPOT, market, STEPS, (1, 1))


@pytest.mark.parametrize("rows", [([("9", "1")], []), ([], [("9", "1")]), ([], [])])
def test_a_book_with_an_empty_side_has_no_rpi_orders(rows: Any) -> None:
    assert rpi_orders(SPOT, Market(*rows), STEPS, (1, 1)) == []


# --- a symbol


def quoted(bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]) -> Quoted:
    return Quoted(SPOT, Market(bids, asks), STEPS, lively=True, lag=0, now=NOW)


@pytest.mark.parametrize(
    ("bids", "asks", "figures"),
    [
        ([("9", "1"), ("8", "5")], [("10", "2"), ("11", "5")], ("9", "1", "10", "2")),
        ([], [("10", "2")], ("", "", "10", "2")),
        ([("9.5", "1")], [], ("9.5", "1", "", "")),
    ],
)
def test_best_prices_are_texts_and_empty_where_a_side_is(bids: Any, asks: Any, figures: tuple[str, ...]) -> None:
    said = {"ts": NOW, "s": SPOT, **dict(zip(("bp", "bq", "ap", "aq"), figures, strict=True))}
    assert quoted(bids, asks).best_prices(NOW, rpi=False) == said
    if not bids or not asks:
        assert quoted(bids, asks).best_prices(NOW, rpi=True) == said


def test_best_prices_with_rpi_orders_have_the_nearest_and_the_sum_of_their_sizes() -> None:
    one = quoted([("9", "1")], [("9.5", "2")])
    for now in (NOW, NOW + 199, NOW + 200):
        orders = rpi_orders(SPOT, one.market, STEPS, (one.market.changes, now // 200))
        sums = [sum(size for side, _, size in orders if side == which) for which in ("buy", "sell")]
        found = one.best_prices(now, rpi=True)
        assert [Decimal(found[name]) for name in ("bp", "bq", "ap", "aq")] == [
            9,
            1 + sums[0],
            Decimal("9.5"),
            2 + sums[1],
        ]


@pytest.mark.parametrize(
    ("bids", "asks", "last", "middle"),
    [
        ([("9", "1")], [("10", "1")], None, "9.5"),
        ([("9", "1")], [("9.5", "1")], None, "9.2"),
        ([("9", "1")], [], "5", "9"),
        ([], [("10", "1")], "5", "10"),
        ([], [], "5", "5"),
        ([], [], None, "1"),
    ],
)
def test_a_price_of_now(bids: Any, asks: Any, last: str | None, middle: str) -> None:
    market = Market(bids, asks)
    if last is not None:
        market.last = Trade("A_B", NOW, 1, Decimal(last), Decimal(1), "buy")
    one = Quoted(SPOT, market, STEPS, lively=True, lag=0, now=NOW)
    assert one.middle() == Decimal(middle)
    assert one.index(NOW) == {"ts": NOW, "px": str(Decimal(middle).normalize()).replace("1E+1", "10"), "s": SPOT}


def test_a_mark_price_is_a_little_below_the_middle() -> None:
    one = quoted([("9999", "1")], [("10001", "1")])
    assert one.mark(NOW) == {"ts": NOW, "px": "9995", "s": SPOT}


@pytest.mark.parametrize(
    ("now", "next_one", "rate"),
    [
        (0, 28_800_000, "-0.000044"),
        (59_999, 28_800_000, "-0.000044"),
        (60_000, 28_800_000, "-0.000043"),
        (28_799_999, 28_800_000, "0.000035"),
        (28_800_000, 57_600_000, "0.000036"),
    ],
)
def test_a_funding_rate_changes_each_minute_and_is_paid_every_eight_hours(now: int, next_one: int, rate: str) -> None:
    assert quoted([], []).funding(now) == {"ts": now, "ft": next_one, "s": SPOT, "r": rate}


def test_a_feed_is_made_once_for_each_depth_and_kind() -> None:
    one = quoted([("9", "1")], [])
    feeds = [one.feed(depth, NOW + 7, rpi=rpi) for depth in (50, 200) for rpi in (False, True)]
    assert len(set(feeds)) == 4
    assert one.feed(50, NOW + 9, rpi=False) is feeds[0]
    assert feeds[0].changed == NOW + 7
    assert (one.kind, Quoted("PERP_A_B", one.market, STEPS, lively=True, lag=0, now=NOW).kind) == ("SPOT", "PERP")


@pytest.mark.parametrize(
    ("now", "changed"), [(NOW - 90_001, NOW - 90_001), (NOW - 90_000, NOW - 90_000), (NOW, NOW - 90_000)]
)
def test_the_book_of_a_quiet_market_is_as_old_as_its_last_change(now: int, changed: int) -> None:
    market = QuietMarket("SPOT_ADA_USDT", 1, NOW)
    one = Quoted("SPOT_ADA_USDT", market, STEPS, lively=False, lag=0, now=NOW)
    assert one.feed(50, now, rpi=False).changed == changed


def trade(time: int, price: str, size: str) -> Trade:
    return Trade("A_B", time, 1, Decimal(price), Decimal(size), "buy")


def test_candles_and_the_day_are_sums_of_the_trades() -> None:
    minute = NOW - NOW % 60_000
    figures = Figures()
    assert figures.kline(SPOT, "1m") is None
    empty = figures.day(SPOT, NOW, Decimal("7.50"))
    assert empty == {"s": SPOT, "o": "7.5", "c": "7.5", "h": "7.5", "l": "7.5", "v": "0", "a": "0", "ts": NOW}
    for at, price, size in (
        (minute, "5", "1"),
        (minute + 10, "9", "2"),
        (minute + 20, "2", "3"),
        (minute + 59_999, "4", "1"),
    ):
        figures.add(trade(at, price, size))
    row = {"s": SPOT, "t": "1m", "o": "5", "c": "4", "h": "9", "l": "2", "v": "7", "a": "33", "st": minute}
    wrong = minute - 30 * DAY
    assert figures.kline(SPOT, "1m") == {**row, "et": minute + 60_000, "ts": wrong, "tts": wrong - 10_000}
    figures.add(trade(minute + 60_000, "6", "0.5"))
    found = figures.kline(SPOT, "1m")
    assert found is not None
    assert [found[name] for name in ("o", "c", "h", "l", "v", "a", "st")] == [
        "6",
        "6",
        "6",
        "6",
        "0.5",
        "3",
        minute + 60_000,
    ]
    said = {"s": SPOT, "o": "5", "c": "6", "h": "9", "l": "2", "v": "7.5", "a": "36", "ts": minute + 60_000 + DAY - 1}
    assert figures.day(SPOT, minute + 60_000 + DAY - 1, Decimal(1)) == said
    later = minute + 60_000 + DAY
    last = {"s": SPOT, "o": "6", "c": "6", "h": "6", "l": "6", "v": "0.5", "a": "3", "ts": later}
    assert figures.day(SPOT, later, Decimal(1)) == last, "the first minute is over"
    assert figures.day(SPOT, later + 60_000, Decimal(1))["v"] == "0"


# --- quiet markets


class Chance:
    """Draws what it was told to; a choice is the one at the next of `picks`, a whole number the highest."""

    def __init__(self, drawn: float, *picks: int) -> None:
        self.drawn = drawn
        self.picks = [*picks]
        self.bounds: list[tuple[int, int]] = []  # of whole numbers

    def random(self) -> float:
        return self.drawn

    def choice(self, among: Sequence[Any]) -> Any:
        return among[self.picks.pop(0)]

    def randint(self, least: int, most: int) -> int:
        self.bounds.append((least, most))
        return most


def quiet(start: str = "100") -> QuietMarket:
    return QuietMarket("SPOT_ADA_USDT", 1, NOW, Decimal(start))


@pytest.mark.parametrize(
    ("start", "tick", "lot", "apart"),
    [
        ("100", "0.01", "0.0001", "0.2"),
        ("1", "0.0001", "0.01", "0.002"),
        ("99.99", "0.001", "0.001", "0.2"),
        ("0.001", "1E-7", "1", "0.000002"),
        ("0.01", "0.000001", "1", "0.00002"),
        ("0.1", "0.00001", "0.1", "0.0002"),
        ("12345", "1", "0.0001", "25"),
        ("123456", "1", "0.0001", "247"),
    ],
)
def test_a_quiet_market_has_steps_for_its_price_and_twelve_levels_a_side(
    start: str, tick: str, lot: str, apart: str
) -> None:
    market = quiet(start)
    assert (market.tick, market.lot, market.changed, market.changes) == (Decimal(tick), Decimal(lot), NOW - 90_000, 0)
    for side, sign in (("buy", -1), ("sell", 1)):
        levels = market.levels("buy" if side == "buy" else "sell")
        step = Decimal(apart) * sign
        assert [one.price for one in levels] == [Decimal(start) + step * (at + 1) for at in range(12)]
        assert all(one.orders == 1 and market.lot <= one.size <= 5_000 * market.lot for one in levels)


def test_a_quiet_market_without_a_start_has_one_of_its_own() -> None:
    markets = [QuietMarket(name, seed, NOW) for name in ("SPOT_ADA_USDT", "SPOT_XRP_USDT") for seed in (1, 2)]
    assert len({market.best("buy") for market in markets}) == 4
    assert all(Decimal("0.0009") < market.levels("buy")[0].price < 1_001 for market in markets)


def changed(drawn: float, *picks: int) -> tuple[QuietMarket, dict[str, Any], Trade | None]:
    """A market after one change, and which levels are other ones than before: 0 for those that have gone."""
    market = quiet()
    before = {side: {one.price: one.size for one in market.levels(side)} for side in SIDES}
    market._random = Chance(drawn, *picks)  # type: ignore[assignment]
    found = market.change(NOW + 5)
    assert (market.changes, market.changed) == (1, NOW + 5)
    after = {side: {one.price: one.size for one in market.levels(side)} for side in SIDES}
    others = {
        str(side): {
            price: after[side].get(price, Decimal(0))
            for price in before[side].keys() | after[side].keys()
            if before[side].get(price) != after[side].get(price)
        }
        for side in SIDES
    }
    return market, others, found


SIDES: tuple[Side, Side] = ("buy", "sell")


@pytest.mark.parametrize(("pick", "price", "taker"), [(0, "99.8", "sell"), (1, "100.2", "buy")])
def test_three_of_ten_changes_are_a_trade_at_the_best_price(pick: int, price: str, taker: str) -> None:
    for drawn in (0.0, 0.299):
        market, others, found = changed(drawn, pick)
        assert found is market.last
        assert found is not None
        side = SIDES[pick]
        assert others == {side: {Decimal(price): 0}, SIDES[1 - pick]: {}}
        assert (found.market, found.time, found.trade_id, found.price, found.side) == (
            *("SPOT_ADA_USDT", NOW + 5, 1, Decimal(price), taker),
        )
        assert found.size > 0


@pytest.mark.parametrize("drawn", [0.3, 0.499])
def test_two_of_ten_take_a_level_away(drawn: float) -> None:
    assert changed(drawn, 0, 3)[1:] == ({"buy": {Decimal("99.2"): 0}, "sell": {}}, None)


@pytest.mark.parametrize("drawn", [0.5, 0.699])
def test_two_of_ten_put_one_in(drawn: float) -> None:
    """Up to as far again from the other side's best price as the own one is, and so twice as far."""
    assert changed(drawn, 0)[1:] == ({"buy": {Decimal("99.4"): Decimal("0.5")}, "sell": {}}, None)
    market, others, found = changed(drawn, 1)
    assert found is None
    assert others == {"buy": {}, "sell": {Decimal("100.6"): Decimal("0.5")}}
    assert len(market.levels("sell")) == 12


@pytest.mark.parametrize("drawn", [0.7, 0.999])
def test_the_others_change_a_size(drawn: float) -> None:
    assert changed(drawn, 1, 3)[1:] == ({"buy": {}, "sell": {Decimal("100.8"): Decimal("0.5")}}, None)


@pytest.mark.parametrize(
    ("drawn", "picks", "bounds"),
    [
        (0.0, (0,), [(1, 5_000)]),  # lots of a trade, of as many as there are
        (0.4, (0, 3), []),
        (0.6, (0,), [(1, 80), (1, 5_000)]),  # how far away, in hundredths; and how many lots
        (0.6, (1,), [(1, 80), (1, 5_000)]),
        (0.8, (1, 3), [(1, 5_000)]),
    ],
)
def test_what_is_drawn_for_a_change(drawn: float, picks: tuple[int, ...], bounds: list[tuple[int, int]]) -> None:
    market = quiet()
    market._sides["buy"][9_980] = 5_000
    chance = market._random = Chance(drawn, *picks)  # type: ignore[assignment]
    market.change(NOW)
    assert chance.bounds == bounds  # type: ignore[attr-defined]


@pytest.mark.parametrize("spot", ["100", "0.01"])
def test_the_best_prices_are_those_of_the_first_levels(spot: str) -> None:
    market = quiet(spot)
    assert [market.best(side) for side in SIDES] == [market.levels(side)[0].price for side in SIDES]
    market._sides["buy"].clear()
    assert [market.best(side) for side in SIDES] == [None, market.levels("sell")[0].price]


def test_a_side_keeps_six_levels_and_is_never_empty() -> None:
    market = quiet()
    for _ in range(9):
        market._random = Chance(0.4, 0, 0)  # type: ignore[assignment]
        market.change(NOW)
    assert len(market.levels("buy")) == 6 + 1, "then one is put in, or has another size"
    for _ in range(20):
        market._random = Chance(0.1, 0)  # type: ignore[assignment]
        assert market.change(NOW) is not None
    assert len(market.levels("buy")) == 1
    assert market.total("buy") == market.levels("buy")[0].size == Decimal("0.5")


@pytest.mark.parametrize(("rate", "due"), [(0.0, math.inf), (5.0, 3_001.0)])
def test_one_quiet_market_or_another_changes_now_and_then(rate: float, due: float) -> None:
    told: list[tuple[str, Trade | None]] = []
    world: Any = SimpleNamespace(seed=1, rate=rate, stage=SimpleNamespace(now=1))
    markets = {"b": quiet(), "a": quiet()}
    murmur = Murmur(world, markets, lambda name, trade: told.append((name, trade)))
    assert (murmur.due < math.inf) is (due < math.inf)
    asked: list[float] = []

    def drawn(rate: float) -> float:
        asked.append(rate)
        return 3.0

    murmur._random = SimpleNamespace(choice=lambda among: among[0], expovariate=drawn)  # type: ignore[assignment]
    murmur.due = 1.0
    for market in markets.values():
        market._random = Chance(0.8, 0, 0)  # type: ignore[assignment]
    murmur.step()
    assert told == [("a", None)]
    assert (markets["a"].changes, markets["b"].changes) == (1, 0)
    assert murmur.due == due
    assert asked == ([2 / 600] if rate else [])


@pytest.mark.parametrize(
    ("now", "lively", "version"), [(1_399, True, (3, 6)), (1_400, True, (3, 7)), (1_400, False, (3, 0))]
)
def test_rpi_orders_of_a_lively_market_move_five_times_a_second(
    now: int, lively: bool, version: tuple[int, int]
) -> None:
    market: Any = SimpleNamespace(changes=3)
    assert rpi_version(market, now, lively=lively) == version


@pytest.mark.parametrize(
    ("ask", "orders"),
    [
        ("9.5", "9.0 116.9, 9.5 132.9, 9.0 124.7, 9.5 34.3, 9.0 131.8, 9.5 38.9"),
        ("12", "10.0 116.9, 12.0 132.9, 10.0 131.8, 12.0 38.9, 9.0 168.1, 11.5 177.8"),
    ],
)
def test_rpi_orders_of_a_version_are_the_same_from_release_to_release(ask: str, orders: str) -> None:
    found = rpi_orders(SPOT, Market([("9", "1")], [(ask, "2")]), STEPS, (1, 2))
    assert [side for side, _, _ in found] == ["buy", "sell"] * 3
    assert ", ".join(f"{price} {size}" for _, price, size in found) == orders


def test_of_one_minute_each_trade_counts_once() -> None:
    figures = Figures()
    minute = NOW - NOW % 60_000
    for after in (0, 60_000, 60_001, 60_002):
        figures.add(Trade("A", minute + after, 1, Decimal(2), Decimal(1), "buy"))
    assert figures.day(SPOT, minute + 60_002, Decimal(1))["v"] == "4"
    assert len(figures._minutes) == 2


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("SPOT_ADA_USDT", ("145.68", "146.26", "0.01", "0.0001", "0.0915")),
        ("SPOT_XRP_USDT", ("6.9931", "7.0211", "0.0001", "0.01", "29.58")),
        ("PERP_BTC_USDT", ("0.029123", "0.029239", "0.000001", "1", "2161")),
    ],
)
def test_a_quiet_market_of_a_seed_is_the_same_from_release_to_release(name: str, figures: tuple[str, ...]) -> None:
    market = QuietMarket(name, 1, NOW)
    found = (market.best("buy"), market.best("sell"), market.tick, market.lot, market.levels("buy")[0].size)
    assert tuple(map(str, found)) == figures
    assert market.last is None
