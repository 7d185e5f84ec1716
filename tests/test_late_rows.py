"""Rows of the account at every venue: what came late changes nothing, in lines and in tables, across reconnects."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.lines import ENGINE, HANDSHAKE, LET_IN, START, Played, at, invoked, packet
from tests.tapes import FOLDER as MARKET_FOLDER
from venues import events, venue_named
from venues.driver import Driver
from venues.recording import Recording
from venues.records import Fill, Order, Position, Record, SnapshotEnd, Status
from venues.toolkit import row_times
from venues.venue import BadFrame, Confirmed, Subscription

CASE = MARKET_FOLDER.parent / "cases" / "late-order.jsonl"


@dataclass(frozen=True)
class Orders:
    """How orders are told at a venue: `told(key, ms, gone=…)` makes a frame, times are ms after the start."""

    open: Callable[[], Played]
    told: Callable[..., bytes]


def nexus_order(key: int, ms: float, *, gone: bool = False, symbol: str = "SPOT_BTC_USDT") -> bytes:
    data = {"symbol": symbol, "order_id": key, "side": "BUY", "status": "FILLED" if gone else "PARTIAL_FILLED"}
    return json.dumps({"event": "ORDER_UPDATE", "timestamp": START + int(ms), "data": data}).encode()


def iso(ms: float | None) -> str | None:
    """Seven digits, as B2TRADER sends them."""
    if ms is None:
        return None
    ticks = round(ms * 10_000)
    return f"2023-11-14T{22 + ticks // 36_000_000_000}:13:{20 + ticks // 10_000_000 % 3600}.{ticks % 10_000_000:07}Z"


def b2trader_row(key: int, ms: float | None, *, gone: bool = False, symbol: str = "spot.btc_usdt") -> dict[str, Any]:
    status = "Completed" if gone else "Working"
    row = {"orderId": str(key), "marketId": symbol, "status": status, "side": "Buy", "requestedAmount": "2"}
    return {**row, "remainingAmount": "0" if gone else "1", "updatedAt": iso(ms)}


def b2trader_order(key: int, ms: float | None, *, gone: bool = False, symbol: str = "spot.btc_usdt") -> bytes:
    return invoked([b2trader_row(key, ms, gone=gone, symbol=symbol)])


def jayx_order(key: int, ms: float, *, gone: bool = False, symbol: str = "BTCUSDT") -> bytes:
    row = {"id": key, "state": "TRADE", "side": "BUY", "resd": 0 if gone else 1, "exec": 2, "symbol": symbol}
    return packet("openorders", {"modify": [{**row, "modified": START + int(ms)}]})


VENUES = {
    "nexus": Orders(lambda: Played("nexus", "orders", ("SPOT_BTC_USDT",)), nexus_order),
    "b2trader": Orders(lambda: Played("b2trader", "orders", (), [HANDSHAKE, invoked([])]), b2trader_order),
    "jayx": Orders(lambda: Played("jayx", "orders", ("BTCUSDT",), [ENGINE, LET_IN]), jayx_order),
}


@pytest.fixture(params=VENUES)
def orders(request: pytest.FixtureRequest) -> Orders:
    return VENUES[request.param]


def changes(items: list[Any]) -> list[tuple[str, str]]:
    return [(item.order_id, item.change) for item in items if isinstance(item, Order)]


def test_a_filled_order_stays_gone(orders: Orders) -> None:
    line = orders.open()
    assert changes(line.receive(orders.told(7, 100))) == [("7", "update")]
    assert changes(line.receive(orders.told(7, 200, gone=True))) == [("7", "remove")]
    late = line.receive(orders.told(7, 100))
    assert [type(item) for item in late] == [Confirmed]  # it only shows that the stream is alive
    assert changes(line.receive(orders.told(7, 200))) == [("7", "update")]  # equal times: arrival decides


def test_an_update_older_than_what_is_held_changes_nothing(orders: Orders) -> None:
    line = orders.open()
    line.receive(orders.told(7, 200))
    assert changes(line.receive(orders.told(7, 100))) == []
    assert changes(line.receive(orders.told(8, 100))) == [("8", "update")]


def test_what_is_gone_is_remembered_beyond_a_reconnect(orders: Orders) -> None:
    line = orders.open()
    line.receive(orders.told(7, 200, gone=True))
    line.reconnect()
    assert changes(line.receive(orders.told(7, 100))) == []
    assert changes(line.receive(orders.told(7, 300))) == [("7", "update")]


def test_one_time_far_ahead_blocks_nothing(orders: Orders) -> None:
    line = orders.open()
    line.receive(orders.told(7, 100), 100)
    assert changes(line.receive(orders.told(7, 3_600_000), 200)) == [("7", "update")]
    assert changes(line.receive(orders.told(7, 300), 300)) == [("7", "update")]
    assert changes(line.receive(orders.told(7, 400, gone=True), 400)) == [("7", "remove")]
    assert changes(line.receive(orders.told(7, 350), 500)) == []


def test_where_our_clock_is_days_behind_rows_are_in_order_all_the_same() -> None:
    days = 2 * 86_400_000
    for orders in (VENUES["nexus"], VENUES["jayx"]):
        line = orders.open()
        for number in range(8):  # the first of them are not believed yet
            assert changes(line.receive(orders.told(number, days + number * 100), number * 100)) == [
                (str(number), "update")
            ]
            assert changes(line.receive(orders.told(number, days + number * 100 + 50, gone=True), number * 100 + 50))
            assert changes(line.receive(orders.told(number, days + number * 100 + 10), number * 100 + 60)) == []


def test_the_case_of_a_late_order() -> None:
    recording = Recording(CASE)
    (subscription,) = (Subscription(s.stream, s.symbols) for s in recording.header.subscriptions)
    nexus = venue_named("nexus")
    (line,) = nexus.routes([subscription], recording.header.settings())
    driver = Driver(line, [subscription], venue="nexus")
    given: list[Any] = []
    for event in recording.events():
        if isinstance(event, events.Dialled):
            driver.begin({"client_key": "k"}, event.draw)
        else:
            given += events.apply(event, driver)
    assert [(item.status, item.change) for item in given if isinstance(item, Order)] == [
        ("new", "update"),
        ("filled", "remove"),
    ]


# --- what single venues have ---------------------------------------------------------------------------------------


def test_b2trader_times_are_compared_with_all_their_digits() -> None:
    line = VENUES["b2trader"].open()
    line.receive(b2trader_order(7, 100.0002, gone=True))
    assert changes(line.receive(b2trader_order(7, 100.0001))) == []
    assert changes(line.receive(b2trader_order(7, 100.0003))) == [("7", "update")]


def test_b2trader_where_there_is_no_time_arrival_decides() -> None:
    line = VENUES["b2trader"].open()
    line.receive(b2trader_order(7, 100, gone=True))
    assert changes(line.receive(b2trader_order(7, None))) == [("7", "update")]


def test_b2trader_a_row_of_a_whole_state_that_was_gone_later_stays_gone() -> None:
    line = VENUES["b2trader"].open()
    line.receive(b2trader_order(7, 200, gone=True))
    line.receive(b2trader_order(8, 200))
    line.before = [HANDSHAKE]
    line.reconnect()
    state = line.receive(invoked([b2trader_row(7, 100), b2trader_row(8, 100), b2trader_row(9, 100)]))
    assert changes(state) == [("8", "snapshot"), ("9", "snapshot")]
    assert [item.count for item in state if isinstance(item, SnapshotEnd)] == [2]


def test_b2trader_a_row_that_a_whole_state_lacks_does_not_come_back_by_an_old_update() -> None:
    line = VENUES["b2trader"].open()
    line.receive(b2trader_order(7, 200))
    line.reconnect()
    assert changes(line.receive(b2trader_order(7, 100))) == []


def test_b2trader_a_row_that_is_older_than_the_whole_state_which_lacks_it_needs_another_one() -> None:
    """It was filled before the state, or the state was not whole: neither is shown as if it was right."""
    line = VENUES["b2trader"].open()
    line.before = [HANDSHAKE]
    line.reconnect()
    line.receive(invoked([b2trader_row(7, 100), b2trader_row(8, 300)]))
    (stale,) = line.receive(b2trader_order(9, 200))
    assert (stale.state, stale.reason) == (
        "stale", "nothing is known of spot.btc_usdt 9, which came late; subscribing again",
    )  # fmt: skip
    assert changes(line.receive(b2trader_order(9, 250))) == [], "of the invocation that is given up"
    line.reconnect()
    line.receive(invoked([b2trader_row(7, 100), b2trader_row(8, 300), b2trader_row(9, 200)]))
    assert changes(line.receive(b2trader_order(9, 250))) == [("9", "update")]
    assert changes(line.receive(b2trader_order(6, 290, gone=True))) == [("6", "remove")], "gone is gone"
    assert changes(line.receive(b2trader_order(10, 300))) == [("10", "update")], "as new as the state"
    assert changes(line.receive(b2trader_order(11, None))) == [("11", "update")], "it has no time"


def test_b2trader_what_is_older_than_a_forgotten_row_may_be_of_that_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_times, "MOST_GONE", 3)
    line = VENUES["b2trader"].open()
    for number in range(1, 5):
        line.receive(b2trader_order(number, 100 * number, gone=True))
    assert changes(line.receive(b2trader_order(1, 100))) == [("1", "update")], "1 is forgotten"
    line.receive(b2trader_order(5, 39_000, gone=True))  # nobody believes that
    for number in range(6, 9):
        line.receive(b2trader_order(number, 100 * number, gone=True))  # now 2 to 5 are
    assert changes(line.receive(b2trader_order(9, 400))) == [("9", "update")], "as new as what is forgotten"
    (stale,) = line.receive(b2trader_order(2, 399))
    assert (stale.state, stale.reason) == (
        "stale", "nothing is known of spot.btc_usdt 2, which came late; subscribing again",
    )  # fmt: skip


def test_b2trader_of_a_whole_state_with_a_row_without_a_time_nothing_is_said_to_be_lacking() -> None:
    line = VENUES["b2trader"].open()
    line.before = [HANDSHAKE]
    line.reconnect()
    line.receive(invoked([b2trader_row(7, None), b2trader_row(8, 300)]))
    assert changes(line.receive(b2trader_order(7, 200))) == [("7", "update")]


def test_b2trader_a_row_of_a_whole_state_far_ahead_of_all_clocks_makes_no_other_one_old() -> None:
    line = VENUES["b2trader"].open()
    line.before = [HANDSHAKE]
    line.reconnect()
    line.receive(invoked([b2trader_row(7, 100), b2trader_row(8, 3_600_000)]))
    assert changes(line.receive(b2trader_order(9, 200))) == [("9", "update")]


def position(key: str, ms: float, amount: str) -> bytes:
    row = {"positionId": key, "marketId": "cfd.eur_chf", "side": "Buy", "status": "Open", "positionLotAmount": amount}
    return invoked({"item": [{**row, "updatedAt": iso(ms)}], "snapshot": False})


def test_b2trader_positions_and_closed_rows() -> None:
    line = Played("b2trader", "positions", (), [HANDSHAKE, invoked({"item": [], "snapshot": True})])
    assert [type(item) for item in line.receive(position("P", 200, "0"))] == [Position]
    assert [type(item) for item in line.receive(position("P", 100, "1"))] == [Confirmed]
    closed = Played("b2trader", "closed", (), [HANDSHAKE, invoked([])])
    row = {"orderId": "1", "positionId": "P", "marketId": "cfd.eur_chf", "side": "Buy", "positionCloseLotAmount": "1"}
    assert len(closed.receive(invoked([{**row, "closedAt": iso(200)}]))) == 1
    assert [type(item) for item in closed.receive(invoked([{**row, "closedAt": iso(100)}]))] == [Confirmed]


def holding(ms: int | None, **held: float) -> bytes:
    positions = {symbol: {"holding": size} for symbol, size in held.items()}
    stamp = {} if ms is None else {"timestamp": START + ms}
    return json.dumps({"event": "POSITIONS", **stamp, "data": {"positions": positions}}).encode()


def test_nexus_positions_by_their_own_time() -> None:
    line = Played("nexus", "positions", ("SPOT_BTC_USDT",))

    def sizes(frame: bytes) -> list[tuple[str, int]]:
        return [(item.symbol, int(item.size)) for item in line.receive(frame) if isinstance(item, Position)]

    assert sizes(holding(200, A=1, B=0)) == [("A", 1), ("B", 0)]
    assert sizes(holding(100, A=2, B=2, C=2)) == [("C", 2)]
    line.reconnect()
    assert sizes(holding(150, B=3)) == []
    assert sizes(holding(None, B=3)) == [("B", 3)]


def test_a_jayx_order_that_was_filled_is_not_cancelled_after_a_reconnect() -> None:
    line = VENUES["jayx"].open()
    line.receive(jayx_order(7, 200, gone=True))
    line.reconnect()
    (order,) = line.receive(packet("openorders", {"cancel": [7]}))
    assert (order.status, order.change) == ("filled", "remove")


@pytest.mark.parametrize("venue", ["nexus", "b2trader"])
def test_orders_of_two_symbols_may_have_one_id(venue: str) -> None:
    other = {"nexus": "SPOT_ETH_USDT", "b2trader": "spot.eth_usdt"}[venue]
    line, told = VENUES[venue].open(), VENUES[venue].told
    line.receive(told(7, 200, gone=True))
    assert changes(line.receive(told(7, 100, symbol=other))) == [("7", "update")]


def test_a_jayx_cancellation_by_an_id_that_two_symbols_have_is_no_answer() -> None:
    line = VENUES["jayx"].open()
    line.receive(jayx_order(7, 100))
    line.receive(jayx_order(7, 100, symbol="ETHUSDT"))
    items = line.driver.receive(packet("openorders", {"cancel": [7]}), at(300))
    assert isinstance(items[0], BadFrame)
    assert (items[1].stream, items[1].state) == ("orders", "stale")  # type: ignore[union-attr]


# --- events --------------------------------------------------------------------------------------------------------


def fill(number: int, **fields: Any) -> bytes:
    data = {"id": number, "symbol": "SPOT_BTC_USDT", "order_id": 1, "executed_price": 1, "executed_quantity": 1}
    data |= {"side": "SELL", **fields}
    return json.dumps({"event": "TRANSACTION", "timestamp": START, "data": data}).encode()


def test_a_fill_is_given_once() -> None:
    line = Played("nexus", "fills", ("SPOT_BTC_USDT",))

    def ids(frame: bytes) -> list[str]:
        return [item.fill_id for item in line.receive(frame) if isinstance(item, Fill)]

    assert ids(fill(5)) == ["5"]
    assert ids(fill(5, order_id=2, side="BUY")) == ["5"]  # a trade between two orders of ours is a fill of each
    again = line.reconnect()
    assert "none is given twice" in str(next(item for item in again if isinstance(item, Status)).reason)
    assert [type(item) for item in line.receive(fill(5))] == [Confirmed]
    assert ids(fill(6)) == ["6"]


def test_so_many_fills_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("venues.nexus.session.MOST_FILLS", 2)
    line = Played("nexus", "fills", ("SPOT_BTC_USDT",))
    given = [
        sum(isinstance(item, Record) and not isinstance(item, Status) for item in line.receive(fill(number)))
        for number in (1, 2, 3, 3, 2, 1)
    ]
    assert given == [1, 1, 1, 0, 0, 1]


def test_trades_without_ids_may_repeat_or_be_missing_and_that_is_said() -> None:
    line = Played("nexus", "trades", ("SPOT_BTC_USDT",))
    trade = {"event": "TRADE", "symbol": "SPOT_BTC_USDT", "timestamp": START}
    frame = json.dumps({**trade, "data": {"price": 1, "quantity": 1, "side": "BUY"}}).encode()
    assert len(line.receive(frame)) == 1
    (live,) = [item for item in line.reconnect() if isinstance(item, Status) and item.state == "live"]
    assert live.reason == "trades may repeat or be missing, since they have no ids"
    assert len(line.receive(frame)) == 1
