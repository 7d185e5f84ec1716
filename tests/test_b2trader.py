"""B2TRADER's session, driven without a socket and with invented clocks."""

from __future__ import annotations

import itertools
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.b2trader import B2TRADER
from venues.b2trader.session import SCALES
from venues.driver import Driver
from venues.errors import MonError, SetupError, UsageError, VenueRefused, VenueUnreachable
from venues.recording import Recording
from venues.records import Balance, Book, Candle, Order, Position, Quote, Record, SnapshotEnd, Status, Ticker
from venues.venue import BadFrame, Dial, Lost, Now, Refused, Route, Session, Settings, StreamState, Subscription

FIXTURES = Path(__file__).parent / "fixtures" / "b2trader"
ACCOUNT = "67d0456f8c7b1108e4cf5d46"
TOKEN = "trader token/+1"
SECRETS = {"token": TOKEN}
MARKET = "cfd.eur_chf"
ENCODER = msgspec.json.Encoder(decimal_format="number")


def at(seconds: float) -> Now:
    return Now(1000.0 + seconds, 1_700_000_000_000 + round(seconds * 1000))


def frame(*messages: object) -> bytes:
    return b"".join(msgspec.json.encode(message) + b"\x1e" for message in messages)


def item(invocation_id: int, content: object) -> dict[str, object]:
    return {"type": 2, "invocationId": str(invocation_id), "item": content}


def completion(invocation_id: int, error: str | None = None) -> dict[str, object]:
    return {"type": 3, "invocationId": str(invocation_id)} | ({} if error is None else {"error": error})


def sample(stream: str) -> Any:
    """The item of the document's sample."""
    (case,) = FIXTURES.glob(f"{stream}--document.frames.jsonl")
    frames = [event for event in Recording(case).events() if getattr(event, "text", None)]
    return msgspec.json.decode(frames[-1].text.rstrip("\x1e"))["item"]  # type: ignore[union-attr]


def subscription(stream: str, symbols: tuple[str, ...] | None = None) -> Subscription:
    usual = {"none": (), "one": (MARKET,), "many": (MARKET, "spot.btc_usdt")}[B2TRADER.streams[stream].symbols]
    return Subscription(stream, usual if symbols is None else symbols)


def line_for(
    *streams: str, url: str = "wss://broker.example", symbols: tuple[str, ...] | None = None, **values: object
) -> Route:
    settings = Settings(url=url, values={"account_id": ACCOUNT, **values})
    (line,) = B2TRADER.routes([subscription(stream, symbols) for stream in streams], settings)
    return line


def sent(session: Session) -> list[Any]:
    messages = []
    for out in session.take():
        assert isinstance(out, str)
        assert out.endswith("\x1e")
        messages.append(msgspec.json.decode(out[:-1]))
    return messages


def ready(line: Route) -> Session:
    session = line.session(SECRETS)
    session.opened(at(0))
    session.receive(frame({}), at(0))
    sent(session)
    return session


def told(items: list[Any]) -> list[str]:
    """What happened, in short."""
    return [one.state if isinstance(one, StreamState) else type(one).__name__ for one in items]


def book(version: int, bids: dict[str, str], asks: dict[str, str], *, snapshot: bool = False) -> dict[str, object]:
    sides = {"bids": bids, "asks": asks}
    rows = {name: [{"price": p, "amount": a, "total": "0"} for p, a in side.items()] for name, side in sides.items()}
    return {"instrument": MARKET, "version": str(version), "snapshot": snapshot, **rows}


def whole(version: int) -> dict[str, object]:
    return book(version, {"1.0": "5"}, {"1.2": "5"}, snapshot=True)


POSITION = {"positionId": "P1", "marketId": MARKET, "side": "Buy", "status": "Open", "positionLotAmount": "0.5"}


def positions(*rows: dict[str, object], snapshot: bool = False) -> dict[str, object]:
    return {"item": list(rows), "snapshot": snapshot}


# --- where and how it connects -------------------------------------------------------------------------------------

HUBS = {
    "/frontoffice/ws/v4/account": ("orders", "positions", "closed"),
    "/frontoffice/ws/v3/account": ("balance", "margin"),
    "/marketdata/v5/info": ("book", "ticker", "quotes", "candles", "watchlist", "ping"),
}


@pytest.mark.parametrize(("path", "stream"), [(path, stream) for path, of in HUBS.items() for stream in of])
def test_each_stream_is_dialled_on_its_hub_with_the_token_in_the_query(path: str, stream: str) -> None:
    opening = line_for(stream, url="wss://broker.example/sub/").session(SECRETS).opening()
    with pytest.raises(StopIteration) as stop:
        next(opening)
    assert stop.value.value == Dial(
        f"wss://broker.example/sub{path}?access_token=trader%20token%2F%2B1",
        f"wss://broker.example/sub{path}?access_token=[token]",
    )


def test_streams_of_one_hub_share_a_connection() -> None:
    subscriptions = [subscription(stream) for stream in B2TRADER.streams]
    assert len(B2TRADER.routes(subscriptions, Settings(url="wss://broker.example"))) == 3
    twice = [Subscription("book", (MARKET,)), Subscription("book", ("spot.btc_usdt",))]
    assert len(B2TRADER.routes(twice, Settings(url="wss://broker.example"))) == 2


@pytest.mark.parametrize(
    ("stream", "target", "arguments"),
    [
        ("orders", "OpenOrders", [ACCOUNT]),
        ("positions", "OpenPositions", [ACCOUNT]),
        ("closed", "ClosePositionsOrders", [ACCOUNT]),
        ("balance", "FullBalance", [ACCOUNT]),
        ("margin", "MarginData", [ACCOUNT]),
        ("book", "Book", [ACCOUNT, MARKET]),
        ("candles", "Chart", [ACCOUNT, f"{MARKET}@1m"]),
        ("ticker", "TradingData", [ACCOUNT, [MARKET, "spot.btc_usdt"]]),
        ("quotes", "Tob", [ACCOUNT, [MARKET, "spot.btc_usdt"]]),
        ("watchlist", "Summary", [ACCOUNT, [MARKET, "spot.btc_usdt"]]),
    ],
)
def test_what_is_asked_for(stream: str, target: str, arguments: list[object]) -> None:
    session = line_for(stream).session(SECRETS)
    session.opened(at(0))
    assert sent(session) == [{"protocol": "json", "version": 1}]
    assert session.receive(frame({}), at(0)) == [StreamState(stream, "syncing")]
    (asked,) = sent(session)
    assert (asked["type"], asked["invocationId"]) == (4, "0")
    assert (asked["target"], asked["arguments"]) == (target, arguments)


@pytest.mark.parametrize("symbol", ["cfd.eur_chf", "spot.btc_usdt", "cfd.us30_usd"])
def test_a_market_has_its_form(symbol: str) -> None:
    B2TRADER.check_symbol(symbol)


@pytest.mark.parametrize("symbol", ["BTCUSDT", "SPOT_BTC_USDT", "eur_chf", "cfd.eur", "cfd.eur_chf@1m", "", "a.b_c\n"])
def test_what_is_no_market_is_a_usage_error(symbol: str) -> None:
    with pytest.raises(UsageError, match=r"expected a market like cfd\.eur_chf"):
        B2TRADER.check_symbol(symbol)


def test_time_scales() -> None:
    for scale in SCALES:
        B2TRADER.routes([Subscription("candles", (MARKET,), interval=scale)], Settings(url=""))
    with pytest.raises(UsageError, match=r"1m, 5m, 15m, 30m, 1h, 2h, 4h, 8h, 12h, 1d, 1w, 1M.*got \"3m\""):
        B2TRADER.routes([Subscription("candles", (MARKET,), interval="3m")], Settings(url=""))


@pytest.mark.parametrize("values", [{"negotiate": "maybe"}, {"negotiate": 1}, {"account_id": 7}, {"root_asset": "a\n"}])
def test_values_that_cannot_be_used(values: dict[str, object]) -> None:
    with pytest.raises(SetupError, match=f"{next(iter(values))} of b2trader"):
        line_for("orders", **values)


# --- every documented field ----------------------------------------------------------------------------------------


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in leaves(inner, (*path, key))]
    if isinstance(value, list):
        return [leaf for index, inner in enumerate(value) for leaf in leaves(inner, (*path, index))]
    return [path]


def changed(value: Any, path: tuple[Any, ...], name: str = "") -> Any:
    """The sample with another value in one place."""
    if path:
        copy = dict(value) if isinstance(value, dict) else list(value)
        copy[path[0]] = changed(value[path[0]], path[1:], str(path[0]))
        return copy
    if value is None:
        return "0.5"
    if isinstance(value, int):
        return value + 7
    if value in ("Buy", "Sell"):
        return {"Buy": "Sell", "Sell": "Buy"}[value]
    if value == "Pending":
        return "Working"
    if "T" in value and value.endswith("Z"):
        return value.replace("2025-", "2026-" if name == "end" else "2024-")
    try:
        number = Decimal(value)
    except InvalidOperation:
        return value + "x"
    step = Decimal("0.00001")
    return str(number - step if name in ("remainingAmount", "available") else number + step)


def lines_of(stream: str, content: object) -> bytes:
    session = ready(line_for(stream, symbols=() if B2TRADER.streams[stream].symbols == "many" else None))
    empty = {"positions": "item", "ticker": "markets", "quotes": "markets", "watchlist": "items"}
    if stream in empty:
        session.receive(frame(item(0, {empty[stream]: [], "snapshot": True})), at(1))
    if stream == "book":
        session.receive(frame(item(0, book(12497, {}, {"0.93676": "1"}, snapshot=True))), at(1))
    records = [one for one in session.receive(frame(item(0, content)), at(2)) if isinstance(one, Record)]
    return ENCODER.encode(records)


# `version` and `snapshot` say where an item belongs; the removed levels of the sample are not there to be shown; what
# a time that was null becomes is tested with the states of orders.
ELSEWHERE = {"snapshot", "version", "instrument", "cancellationDate"}


def fields_of_samples() -> list[tuple[str, tuple[Any, ...]]]:
    cases = []
    for stream in B2TRADER.streams:
        if stream != "ping":
            content = sample(stream)
            cases += [
                (stream, path)
                for path in leaves(content)
                if path[-1] not in ELSEWHERE and not (path[0] in ("asks", "bids") and is_removal(content, path))
            ]
    return cases


def is_removal(content: Any, path: tuple[Any, ...]) -> bool:
    return bool(content[path[0]][path[1]]["amount"] == "0")


@pytest.mark.parametrize(("stream", "path"), fields_of_samples(), ids=lambda v: v if isinstance(v, str) else str(v[-1]))
def test_every_documented_field_reaches_the_record(stream: str, path: tuple[Any, ...]) -> None:
    content = sample(stream)
    if stream in ("book", "candles"):
        content["instrument"] = MARKET
    one, other = lines_of(stream, content), lines_of(stream, changed(content, path))
    assert other != b"[]"
    assert one != other


# --- sets of rows --------------------------------------------------------------------------------------------------


def test_changes_before_the_full_state_change_nothing() -> None:
    session = ready(line_for("positions"))
    assert session.receive(frame(item(0, positions(POSITION))), at(1)) == []
    items = session.receive(frame(item(0, positions(snapshot=True))), at(2))
    assert items[0] == StreamState("positions", "live")
    assert told(items) == ["live", "SnapshotEnd"]
    assert told(session.receive(frame(item(0, positions(POSITION))), at(3))) == ["Position"]


@pytest.mark.parametrize("stream", ["orders", "closed", "balance"])
def test_without_a_flag_the_first_item_is_everything(stream: str) -> None:
    session = ready(line_for(stream))
    first = session.receive(frame(item(0, sample(stream))), at(1))
    assert isinstance(first[-1], SnapshotEnd)
    assert first[-1].count == 1
    assert first[1].change == "snapshot"  # type: ignore[union-attr]
    (later,) = session.receive(frame(item(0, sample(stream))), at(2))
    assert later.change == "update"  # type: ignore[union-attr]


@pytest.mark.parametrize("stream", ["orders", "closed", "balance"])
def test_an_empty_full_state_is_said(stream: str) -> None:
    session = ready(line_for(stream))
    live, end = session.receive(frame(item(0, [])), at(1))
    assert live == StreamState(stream, "live")
    assert isinstance(end, SnapshotEnd)
    assert (end.stream, end.count) == (stream, 0)


@pytest.mark.parametrize(
    ("status", "amount", "change"),
    [("Open", "0.5", "update"), ("Open", "0.00", "remove"), ("Closed", "0.5", "remove"), ("Closing", "1", "remove")],
)
def test_a_position_leaves_by_its_status_or_its_amount(status: str, amount: str, change: str) -> None:
    session = ready(line_for("positions"))
    session.receive(frame(item(0, positions(POSITION, snapshot=True))), at(1))
    row = {**POSITION, "status": status, "positionLotAmount": amount}
    (position,) = session.receive(frame(item(0, positions(row))), at(2))
    assert isinstance(position, Position)
    assert position.change == change


@pytest.mark.parametrize(
    ("status", "remaining", "expected", "change"),
    [
        ("Started", "10", "pending", "update"),
        ("Pending", "10", "pending", "update"),
        ("Working", "10", "new", "update"),
        ("Working", "4", "partially_filled", "update"),
        ("Completed", "0", "filled", "remove"),
        ("Cancelled", "4", "cancelled", "remove"),
        ("Rejected", "10", "rejected", "remove"),
        ("Expired", "10", "expired", "remove"),
    ],
)
def test_order_states(status: str, remaining: str, expected: str, change: str) -> None:
    session = ready(line_for("orders"))
    session.receive(frame(item(0, [])), at(1))
    row = {**sample("orders")[0], "status": status, "requestedAmount": "10", "remainingAmount": remaining}
    *_, order = session.receive(frame(item(0, [row])), at(2))
    assert isinstance(order, Order)
    assert (order.status, order.venue_status, order.change) == (expected, status, change)


def test_an_order_that_is_gone_is_not_part_of_the_full_state() -> None:
    session = ready(line_for("orders"))
    items = session.receive(frame(item(0, [{**sample("orders")[0], "status": "Cancelled"}])), at(1))
    assert told(items) == ["live", "SnapshotEnd"]


def test_a_row_that_is_named_twice_counts_once() -> None:
    session = ready(line_for("balance"))
    rows = [{"assetId": "eur", "available": "1", "total": total, "locked": "0"} for total in ("1", "2")]
    _, balance, end = session.receive(frame(item(0, rows)), at(1))
    assert isinstance(balance, Balance)
    assert str(balance.total) == "2"
    assert isinstance(end, SnapshotEnd)
    assert end.count == 1


def test_a_partial_row_changes_only_what_it_names() -> None:
    session = ready(line_for("ticker"))
    row = {**sample("ticker")["markets"][0], "markPrice": "0.9"}
    session.receive(frame(item(0, {"markets": [row], "snapshot": True})), at(1))
    part = {"marketId": MARKET, "price": "0.95", "markPrice": None}
    (ticker,) = session.receive(frame(item(0, {"markets": [part], "snapshot": False})), at(2))
    assert isinstance(ticker, Ticker)
    assert (str(ticker.last), str(ticker.high), ticker.mark_price) == ("0.95", "0.93695", None)
    # A bad item leaves nothing behind, and a new full state knows nothing of the old.
    (quote_less,) = session.receive(
        frame(item(0, {"markets": [{"marketId": MARKET, "price": "1"}], "snapshot": True})), at(3)
    )[:-1]
    assert isinstance(quote_less, Ticker)
    assert quote_less.high is None


def test_an_empty_side_has_no_price() -> None:
    session = ready(line_for("quotes"))
    rows = [{"marketId": MARKET, "bid": None, "ask": "0"}]
    items = session.receive(frame(item(0, {"markets": rows, "snapshot": True})), at(1))
    assert items[1] == Quote(venue="b2trader", symbol=MARKET, received=at(1).epoch_ms)


def test_a_bad_item_in_the_middle_of_positions() -> None:
    session = ready(line_for("positions"))
    session.receive(frame(item(0, positions(POSITION, snapshot=True))), at(1))
    bad = {**POSITION, "positionLotAmount": "NaN"}
    items = session.receive(
        frame(item(0, positions(POSITION)), item(0, positions(POSITION, bad)), item(0, positions(POSITION))), at(5)
    )
    assert told(items) == ["Position", "BadFrame", "stale"]
    assert isinstance(items[1], BadFrame)
    assert "`item.item[1].positionLotAmount`" in items[1].reason
    assert [(m["type"], m["invocationId"]) for m in sent(session)] == [(5, "0"), (4, "1")]
    # Of the old invocation nothing counts any more, of the new one nothing before its full state.
    assert session.receive(frame(item(0, positions(snapshot=True)), item(1, positions(POSITION))), at(6)) == []
    items = session.receive(frame(completion(0), item(1, positions(POSITION, snapshot=True))), at(7))
    assert told(items) == ["live", "Position", "SnapshotEnd"]


@pytest.mark.parametrize(
    "row",
    [
        {**POSITION, "side": "Hold"},
        {**POSITION, "positionLotAmount": "-1"},
        {**POSITION, "positionLotAmount": True},
        {**POSITION, "leverage": "1x"},
        {**POSITION, "createdAt": "yesterday"},
        {**POSITION, "openPrice": " 1"},
        {name: value for name, value in POSITION.items() if name != "status"},
        "no row",
    ],
)
def test_bad_positions(row: Any) -> None:
    session = ready(line_for("positions"))
    session.receive(frame(item(0, positions(snapshot=True))), at(1))
    assert told(session.receive(frame(item(0, positions(row))), at(5))) == ["BadFrame", "stale"]


def test_bytes_that_are_no_message_put_every_stream_in_doubt() -> None:
    session = ready(line_for("orders", "positions"))
    session.receive(frame(item(0, []), item(1, positions(snapshot=True))), at(1))
    items = session.receive(b"nonsense\x1e", at(5))
    assert told(items) == ["BadFrame", "stale", "stale"]
    assert [(m["type"], m["invocationId"]) for m in sent(session)] == [(5, "0"), (4, "2"), (5, "1"), (4, "3")]


@pytest.mark.parametrize("stream", ["quotes", "book"])
@pytest.mark.parametrize("message", [completion(9), completion(9, "no"), item(9, {}), {"type": 2, "invocationId": "9"}])
def test_what_is_of_an_invocation_that_nobody_knows_means_nothing(stream: str, message: dict[str, object]) -> None:
    session = ready(line_for(stream))
    assert told(session.receive(frame(message), at(1))) in ([], ["BadFrame"])
    assert sent(session) == []


def test_a_frame_with_one_item_of_a_live_stream_asks_for_nothing_and_two_may() -> None:
    session = ready(line_for("margin"))
    margin = item(0, sample("margin"))
    stirred = []
    for message in (frame(margin), frame(margin), frame(margin, margin), frame(margin), frame({"type": 6})):
        session.receive(message, at(1))
        stirred.append(session.stirred)
        session.take()
    assert stirred == [True, False, True, False, True]


# --- candles -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("end", "is_good"), [("15:29:59.999", False), ("15:30:00", False), ("15:30:00.001", True)])
def test_a_candle_ends_after_it_began(end: str, is_good: bool) -> None:
    session = ready(line_for("candles"))
    chart = {**sample("candles"), "instrument": MARKET, "start": "2025-05-21T15:30:00Z", "end": f"2025-05-21T{end}Z"}
    assert told(session.receive(frame(item(0, chart)), at(1)))[-1] == ("Candle" if is_good else "stale")


def test_a_candle_that_came_before_its_time_makes_the_stream_stale_until_one_that_has_begun() -> None:
    session = ready(line_for("candles"))
    first = {**sample("candles"), "instrument": MARKET, "start": at(0).epoch_ms, "end": at(60).epoch_ms}

    def chart(minute: int) -> dict[str, object]:
        return item(0, {**first, "start": at(60 * minute).epoch_ms, "end": at(60 * minute + 60).epoch_ms})

    assert told(session.receive(frame(chart(0)), at(1))) == ["live", "Candle"]
    assert told(session.receive(frame(chart(90)), at(2))) == ["Notice", "stale"]
    assert told(session.receive(frame(chart(90)), at(3))) == []
    assert told(session.receive(frame(chart(1)), at(60))) == ["live", "Candle", "Candle"]


def test_a_later_start_closes_the_candle() -> None:
    session = ready(line_for("candles"))
    first = {**sample("candles"), "instrument": MARKET}
    (_, candle) = session.receive(frame(item(0, first)), at(1))
    second = {**first, "start": "2025-05-21T15:45:00Z", "end": "2025-05-21T16:00:00Z"}
    done, opened = session.receive(frame(item(0, second)), at(2))
    assert isinstance(candle, Candle)
    assert isinstance(done, Candle)
    assert isinstance(opened, Candle)
    assert (done.start, done.closed, opened.start, opened.closed) == (candle.start, True, done.end, False)


# --- the book ------------------------------------------------------------------------------------------------------


def live_book(line: Route | None = None) -> Session:
    session = ready(line or line_for("book"))
    session.receive(frame(item(0, whole(1))), at(0.1))
    return session


def test_a_version_that_is_held_changes_nothing_and_a_snapshot_resets_it() -> None:
    session = live_book()
    for version in (1, 0):
        assert session.receive(frame(item(0, book(version, {"1.1": "1"}, {}))), at(1)) == []
    (shown,) = session.receive(frame(item(0, book(2, {"1.1": "1"}, {}))), at(2))
    assert isinstance(shown, Book)
    assert (shown.sequence, len(shown.bids)) == (2, 2)
    (shown,) = session.receive(frame(item(0, book(1, {"1.1": "2"}, {}, snapshot=True))), at(3))
    assert isinstance(shown, Book)
    assert (shown.sequence, len(shown.bids), shown.asks) == (1, 1, [])


def test_rows_of_one_price_the_last_counts_and_removing_nothing_is_normal() -> None:
    session = live_book()
    content = book(2, {"0.5": "0"}, {})
    content["bids"] = [{"price": p, "amount": a} for p, a in (("1.1", "0"), ("1.1", "3"), ("1.0", "7"), ("1.0", "0"))]
    (shown,) = session.receive(frame(item(0, content)), at(1))
    assert isinstance(shown, Book)
    assert [(str(level.price), str(level.size)) for level in shown.bids] == [("1.1", "3")]


def test_a_gap_makes_the_book_stale_until_a_new_invocation_brings_all_of_it() -> None:
    session = live_book()
    items = session.receive(frame(item(0, book(3, {"1.1": "1"}, {})), item(0, book(4, {"1.1": "2"}, {}))), at(2))
    assert items == [StreamState("book", "stale", "expected sequence 2, got 3; subscribing again")]
    assert [(m["type"], m["invocationId"]) for m in sent(session)] == [(4, "1")]
    assert session.receive(frame(item(0, whole(9)), item(1, book(5, {"1.1": "2"}, {}))), at(2.1)) == []
    items = session.receive(frame(item(1, whole(5)), item(1, book(6, {"1.1": "4"}, {}))), at(2.2))
    assert told(items) == ["live", "Book", "Book"]
    assert [(m["type"], m["invocationId"]) for m in sent(session)] == [(5, "0")]


def test_a_whole_book_that_never_comes_is_asked_for_again() -> None:
    session = ready(line_for("book"))
    for seconds in (1, 2, 5.9):
        assert session.receive(frame(item(0, book(3, {"1.1": "1"}, {}))), at(seconds)) == []
    items = session.receive(frame(item(0, book(4, {"1.1": "1"}, {}))), at(6))
    reason = "expected a whole book first, got nothing but changes for 5 s; subscribing again"
    assert items == [StreamState("book", "stale", reason)]
    assert [(m["type"], m["invocationId"]) for m in sent(session)] == [(5, "0"), (4, "1")]
    session.receive(frame(item(1, book(5, {"1.1": "1"}, {}))), at(9))
    assert told(session.receive(frame(item(1, whole(5))), at(9.1))) == ["live", "Book"]


def test_a_crossed_book_is_stale() -> None:
    session = live_book()
    (stale,) = session.receive(frame(item(0, book(2, {"1.2": "1"}, {}))), at(2))
    assert isinstance(stale, StreamState)
    assert "crossed book" in stale.reason


@pytest.mark.parametrize("version", ["x", "", "-1", "1.5", "²", "9" * 41])
def test_a_version_is_a_whole_number(version: str) -> None:
    session = live_book()
    items = session.receive(frame(item(0, {**book(2, {}, {}), "version": version})), at(2))
    assert told(items) == ["BadFrame", "stale"]


def test_the_book_of_another_market_is_left_out() -> None:
    session = live_book()
    other = {**whole(2), "instrument": "cfd.eur_usd"}
    assert told(session.receive(frame(item(0, other)), at(2))) == ["Notice"]
    assert session.receive(frame(item(0, other)), at(3)) == []
    assert told(session.receive(frame(item(0, book(2, {"1.1": "1"}, {}))), at(4))) == ["Book"]


@pytest.mark.parametrize("field", ["price", "amount", "total"])
@pytest.mark.parametrize("side", ["bids", "asks"])
def test_a_bad_figure_of_a_book_is_named_with_its_place(side: str, field: str) -> None:
    session = ready(line_for("book"))
    good = {"price": "1", "amount": "1", "total": "1"}
    content = {**book(1, {}, {}, snapshot=True), side: [good, {**good, field: "x"}]}
    bad, _ = session.receive(frame(item(0, content)), at(1))
    assert isinstance(bad, BadFrame)
    assert f"`item.{side}[1].{field}`" in bad.reason


def test_a_stream_that_waits_to_be_asked_for_again_is_not_in_doubt_once_more() -> None:
    session = live_book()
    for number in range(2):
        session.receive(frame({**item(number, {}), "item": None}), at(0.2))
    sent(session)
    bad = session.receive(b"nonsense\x1e", at(0.3))
    assert told(bad) == ["BadFrame"]
    assert sent(session) == []


def test_subscribing_again_is_paced() -> None:
    session = ready(line_for("book"))
    asked: list[float] = []
    invocation = 0
    for tenth in range(1, 1500):
        now = at(tenth / 10)
        if tenth % 100 == 0:
            session.receive(frame({"type": 6}), now)
        session.tick(now)
        for message in sent(session):
            if message["type"] == 4:
                asked.append(tenth / 10)
                invocation = int(message["invocationId"])
        session.receive(frame(item(invocation, whole(1)), item(invocation, book(2, {"1.3": "1"}, {}))), now)
        for message in sent(session):
            if message["type"] == 4:
                asked.append(tenth / 10)
                invocation = int(message["invocationId"])
    pauses = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert asked[0] == pytest.approx(1.0)
    assert pauses == pytest.approx([2, 4, 8, 16, 30, 30, 30], abs=0.15)


# --- what the hub says ---------------------------------------------------------------------------------------------


def ends(stream: str, error: str | None) -> list[Any]:
    return ready(line_for(stream)).receive(frame(completion(0, error)), at(1))


def test_an_unauthorized_completion_names_the_stream() -> None:
    (refused,) = ends("positions", "Failed to invoke 'OpenPositions' because user is unauthorized")
    assert isinstance(refused, Refused)
    assert "refused the token for positions" in refused.reason


@pytest.mark.parametrize(("length", "shown"), [(300, "u" * 300), (301, "u" * 299 + "…")])
def test_the_hubs_words_are_cut_where_they_are_very_long(length: int, shown: str) -> None:
    refused = line_for("positions").credential_refused("u" * length)  # type: ignore[attr-defined]
    assert f"({shown});" in refused.reason


def test_an_unknown_method_is_refused() -> None:
    (refused,) = ends("orders", "Unknown hub method 'OpenOrders'")
    assert isinstance(refused, Refused)
    assert "no OpenOrders for orders" in refused.reason


def test_an_unknown_market_is_refused_by_name() -> None:
    said = "Failed to invoke 'Book' due to an error on the server. HubException: no such market"
    (refused,) = ends("book", said)
    assert isinstance(refused, Refused)
    assert MARKET in refused.reason
    assert "no such market" in refused.reason


@pytest.mark.parametrize(
    "said",
    [
        "Failed to invoke 'Book' due to an error on the server.",
        "An error occurred on the server while streaming results.",
        "An unexpected error occurred invoking 'Book' on the server.",
    ],
)
def test_an_error_without_a_reason_is_tried_again_three_times_at_first(said: str) -> None:
    session = ready(line_for("book"))
    assert told(session.receive(frame(completion(0, said)), at(1))) == ["stale"]
    assert told(session.receive(frame(completion(1, said)), at(4))) == ["stale"]
    (refused,) = session.receive(frame(completion(2, said)), at(9))
    assert isinstance(refused, Refused)
    assert MARKET in refused.reason


def test_an_error_after_data_is_a_resync_however_often() -> None:
    session = live_book()
    said = "An error occurred on the server while streaming results."
    items = session.receive(frame(item(0, book(2, {"1.1": "1"}, {})), completion(0, said)), at(2))
    assert told(items) == ["Book", "stale"]
    assert [(m["type"], m["invocationId"]) for m in sent(session)] == [(4, "1")]
    for invocation in range(1, 6):
        assert told(session.receive(frame(completion(invocation, said)), at(100 * invocation))) == ["stale"]


def test_a_result_of_null_beside_an_error_is_none_and_the_error_s_words_are_told() -> None:
    session = ready(line_for("book"))
    (refused,) = session.receive(frame({**completion(0, "no such market"), "result": None}), at(1))
    assert refused == Refused(f"b2trader refuses book of {MARKET}: no such market", "book")


def test_the_framework_s_sentence_around_a_hub_s_own_words_is_dropped() -> None:
    said = "An unexpected error occurred invoking 'Book' on the server. HubException: Market 'x' not found"
    (refused,) = ends("book", said)
    assert refused.reason == f"b2trader refuses book of {MARKET}: Market 'x' not found"
    (stale,) = live_book().receive(frame(completion(0, said)), at(2))
    assert stale.reason == "Market 'x' not found; subscribing again"
    closing = {"type": 7, "error": "Connection closed with an error. HubException: night", "allowReconnect": True}
    (lost,) = live_book().receive(frame(closing), at(2))
    assert lost == Lost("the hub closed the connection and allows a new one: night")


@pytest.mark.parametrize("message", [b"\x1e", b'{"type":1,"invocationId":"7","target":"x","arguments":[]}\x1e'])
def test_a_flood_of_messages_of_no_stream_is_a_bad_frame_and_then_a_lost_line(message: bytes) -> None:
    line = line_for("book")
    driver = Driver(line, line.subscriptions, venue="b2trader")
    driver.begin(SECRETS, 0.5)
    driver.opened(at(0))
    driver.receive(frame({}, item(0, whole(1))), at(0.1))
    driver.take()
    items = driver.receive(message * 300_000, at(1))
    assert isinstance(items[0], BadFrame)
    states = [one.state for one in items if isinstance(one, Status)]
    assert states == ["stale", "reconnecting"]
    assert driver.retry_at is not None
    assert driver.take() == []


def test_a_stream_that_the_venue_ends_is_asked_for_again() -> None:
    session = live_book()
    assert told(session.receive(frame(completion(0)), at(2))) == ["stale"]
    assert [m["type"] for m in sent(session)] == [4]


def test_a_completion_with_result_and_error_is_a_bad_frame() -> None:
    session = live_book()
    both = {**completion(0, "no"), "result": 1}
    items = session.receive(frame(item(0, book(2, {"1.1": "1"}, {})), both), at(2))
    assert told(items) == ["Book", "BadFrame", "stale"]


@pytest.mark.parametrize("stream", list(B2TRADER.streams))
def test_the_handshake(stream: str) -> None:
    session = line_for(stream).session(SECRETS)
    session.opened(at(0))
    assert session.deadline() == at(15).mono
    assert session.tick(at(15)) == [Lost("no answer to the handshake within 15 s")]
    assert session.deadline() is None
    session = line_for(stream).session(SECRETS)
    session.opened(at(0))
    (lost,) = session.receive(frame({"error": "Requested protocol 'json' is not available."}), at(1))
    assert isinstance(lost, Lost)
    assert not lost.retry
    assert "not available" in lost.reason
    session = line_for(stream).session(SECRETS)
    session.opened(at(0))
    (lost,) = session.receive(b"<html>\x1e", at(1))
    assert isinstance(lost, Lost)
    assert lost.retry


def test_thirty_silent_seconds() -> None:
    session = live_book()
    session.receive(frame({"type": 6}), at(20))
    assert session.tick(at(49)) == []
    assert session.tick(at(50)) == [Lost("nothing came from the server for 30 s")]
    assert session.deadline() is None


def test_a_close_allows_a_new_connection_or_is_final() -> None:
    (lost,) = live_book().receive(frame({"type": 7, "error": "restart", "allowReconnect": True}), at(1))
    assert lost == Lost("the hub closed the connection and allows a new one: restart")
    for message in ({"type": 7}, {"type": 7, "allowReconnect": False}):
        (lost,) = live_book().receive(frame(message), at(1))
        assert lost == Lost("the hub closed the connection for good", retry=False)


def test_nothing_is_asked_for_on_a_connection_that_is_over() -> None:
    session = ready(line_for("book"))
    session.receive(frame(item(0, whole(1)), item(0, book(3, {}, {})), {"type": 7, "allowReconnect": True}), at(0.2))
    assert session.deadline() is None
    session.take()
    assert session.tick(at(60)) == []
    assert session.take() == []


# --- leaving -------------------------------------------------------------------------------------------------------


def test_leaving_cancels_and_waits_for_the_completion() -> None:
    session = ready(line_for("orders", "positions"))
    session.leave(at(3))
    assert [(m["type"], m["invocationId"]) for m in sent(session)] == [(5, "0"), (5, "1")]
    session.receive(frame(item(0, []), completion(0)), at(3.1))
    assert not session.done()
    session.receive(frame(completion(1)), at(3.2))
    assert session.done()


def test_leaving_waits_two_seconds_at_most_and_asks_for_nothing_more() -> None:
    session = live_book()
    session.receive(frame(item(0, book(5, {}, {}))), at(0.2))  # the new invocation is due at 1.0
    session.receive(frame(item(0, book(5, {}, {}))), at(0.3))
    session.leave(at(0.4))
    sent(session)
    session.tick(at(1.5))
    assert sent(session) == []
    assert not session.done()
    session.tick(at(2.4))
    assert session.done()


# --- tokens --------------------------------------------------------------------------------------------------------


def driven(line: Route, *streams: str) -> Driver:
    return Driver(line, [subscription(stream) for stream in streams], venue="b2trader")


def connect(driver: Driver, now: Now) -> None:
    driver.begin(SECRETS, 0.5)
    driver.opened(now)
    driver.receive(frame({}), now)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_final(status: int) -> None:
    driver = driven(line_for("positions"), "positions")
    driver.begin(SECRETS, 0.5)
    driver.answered(status, "", None, at(0))
    assert isinstance(driver.ended, VenueRefused)
    assert f"token for positions (HTTP {status})" in str(driver.ended)


UNAUTHORIZED = completion(0, "Failed to invoke 'OpenOrders' because user is unauthorized")
EXPIRIES: list[Any] = [
    lambda driver, now: driver.receive(frame(UNAUTHORIZED), now),
    lambda driver, now: driver.receive(frame({"type": 7, "error": "Unauthorized"}), now),
    lambda driver, now: driver.closed(1008, "unauthorized", now),
]


@pytest.mark.parametrize("expires", EXPIRIES)
def test_an_expired_token_is_one_more_connection(expires: Any) -> None:
    driver = driven(line_for("orders"), "orders")
    connect(driver, at(0))
    driver.receive(frame(item(0, [])), at(1))
    (status,) = expires(driver, at(2))
    assert isinstance(status, Status)
    assert status.state == "reconnecting"
    assert driver.ended is None
    driver.begin(SECRETS, 0.5)
    driver.answered(401, "", None, at(4))
    assert isinstance(driver.ended, VenueRefused)


def test_a_new_token_that_is_good_may_expire_again() -> None:
    driver = driven(line_for("orders"), "orders")
    for round_ in range(3):
        connect(driver, at(100 * round_))
        driver.receive(frame(item(0, [])), at(100 * round_ + 1))
        driver.receive(frame(UNAUTHORIZED), at(100 * round_ + 50))
        assert driver.ended is None


def shared() -> Driver:
    """Both streams of one hub, each with an end of its own."""
    line = line_for("balance", "margin")
    return Driver(line, line.subscriptions, venue="b2trader", apart=True)


REFUSALS = {
    "unauthorized": "Failed to invoke 'MarginData' because user is unauthorized",
    "unknown": "Unknown hub method 'MarginData'",
    "said why": "Failed to invoke 'MarginData' due to an error on the server. HubException: no margin account",
}


@pytest.mark.parametrize("error", REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize("order", ["before", "after"])
def test_a_stream_that_is_refused_leaves_those_on_that_share_its_hub(error: str, order: str) -> None:
    driver = shared()
    connect(driver, at(0))
    balance, refusal = frame(item(0, [])), frame(completion(1, error))
    frames = [refusal, balance] if order == "before" else [balance, refusal]
    said = [
        (one.stream, one.state) for part in frames for one in driver.receive(part, at(1)) if isinstance(one, Status)
    ]
    assert sorted(said) == [("balance", "live"), ("margin", "closed")]
    assert driver.ended is None
    driver.take()
    (lost,) = driver.closed(1006, "", at(50))
    assert isinstance(lost, Status)
    assert (lost.stream, lost.state) == ("balance", "reconnecting")
    session = driver.begin(SECRETS, 0.5)
    driver.opened(at(51))
    again = [(one.stream, one.state) for one in driver.receive(frame({}), at(51)) if isinstance(one, Status)]
    assert again == [("balance", "syncing")]
    assert [message["target"] for message in sent(session) if "target" in message] == ["FullBalance"]


def test_a_refused_stream_does_not_keep_another_from_being_asked_for_again() -> None:
    driver = shared()
    connect(driver, at(0))
    driver.receive(frame(completion(0)), at(0.1))  # the venue ended it: asked for again at 1.0
    driver.take()
    driver.receive(frame(completion(1, REFUSALS["unauthorized"])), at(0.2))
    driver.tick(at(1.1))
    assert driver.session is not None
    assert [message["target"] for message in sent(driver.session)] == ["FullBalance"]


def test_a_token_that_every_stream_refuses_ends_the_line_with_the_first_refusal() -> None:
    driver = shared()
    connect(driver, at(0))
    for number, target in ((1, "MarginData"), (0, "FullBalance")):
        error = f"Failed to invoke '{target}' because user is unauthorized"
        (closed,) = driver.receive(frame(completion(number, error)), at(1))
        assert isinstance(closed, Status)
        assert closed.state == "closed"
    assert isinstance(driver.ended, VenueRefused)
    assert "the token for margin" in str(driver.ended)


def test_the_token_of_a_stream_that_gave_data_may_have_expired() -> None:
    """One new token is tried; when the stream is refused with that one too, it is that stream's end alone."""
    driver = shared()
    refusal = frame(completion(1, REFUSALS["unauthorized"]))
    connect(driver, at(0))
    driver.receive(frame(item(0, []), item(1, sample("margin"))), at(1))
    lost = driver.receive(refusal, at(2))
    assert [one.state for one in lost if isinstance(one, Status)] == ["reconnecting", "reconnecting"]
    connect(driver, at(3))
    driver.receive(frame(item(0, [])), at(4))
    (closed,) = driver.receive(refusal, at(5))
    assert isinstance(closed, Status)
    assert (closed.stream, closed.state) == ("margin", "closed")
    assert driver.ended is None


@pytest.mark.parametrize("error", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_behind_the_end_of_a_connection_is_told_on_the_next_one(error: str) -> None:
    driver = shared()
    connect(driver, at(0))
    driver.receive(frame(item(0, [])), at(1))
    expired = completion(0, "Failed to invoke 'FullBalance' because user is unauthorized")
    lost = driver.receive(frame(expired, completion(1, error)), at(2))
    assert [one.state for one in lost if isinstance(one, Status)] == ["reconnecting", "reconnecting"]
    connect(driver, at(3))
    (closed,) = driver.receive(frame(completion(1, error)), at(4))
    assert isinstance(closed, Status)
    assert (closed.stream, closed.state) == ("margin", "closed")


def test_what_a_status_means() -> None:
    driver = driven(line_for("orders"), "orders")
    driver.begin(SECRETS, 0.5)
    driver.answered(404, "", None, at(0))
    assert isinstance(driver.ended, VenueUnreachable)
    assert "no hub at /frontoffice/ws/v4/account" in str(driver.ended)
    assert "check url" in str(driver.ended)
    line = line_for("orders", negotiate="true")
    gone = line.refused(404, "")
    assert isinstance(gone, Lost)
    assert gone.retry
    assert isinstance(line.refused(409, ""), Lost)
    busy = line.refused(503, "")
    assert isinstance(busy, Lost)
    assert busy.retry
    assert "negotiate = true" in line_for("orders").refused(400, "Connection ID required").reason


# --- ping ----------------------------------------------------------------------------------------------------------


def test_ping_measures_once_a_second() -> None:
    session = line_for("ping").session(SECRETS)
    session.opened(at(0))
    session.take()
    session.receive(frame({}), at(0))
    assert len(session.take()) == 1
    (pong,) = session.pong(at(0.25))
    assert pong.round_trip_ms == 250  # type: ignore[union-attr]
    session.tick(at(1))
    assert len(session.take()) == 1
    for second in range(2, 8):
        session.tick(at(second))
    assert told(session.pong(at(8))) == ["live", "Pong"]
    assert session.pong(at(8)) != []  # one for each that was sent


# --- anything at all -----------------------------------------------------------------------------------------------

STREAMS = [stream for stream in B2TRADER.streams if stream != "ping"]
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(stream=st.sampled_from(STREAMS), data=st.binary(max_size=200))
def test_arbitrary_bytes_give_only_items_of_ours(stream: str, data: bytes) -> None:
    session = ready(line_for(stream))
    session.receive(data + b"\x1e", at(1))
    session.receive(b'{"type":2,"invocationId":"0","item":' + data + b"}\x1e", at(2))


@given(stream=st.sampled_from(STREAMS), data=st.data())
def test_samples_with_arbitrary_values_give_only_items_of_ours(stream: str, data: st.DataObject) -> None:
    content = sample(stream)
    for path in data.draw(st.lists(st.sampled_from(leaves(content)), max_size=3)):
        spot = content
        for step in path[:-1]:
            spot = spot[step]
        spot[path[-1]] = data.draw(JSON)
    session = ready(line_for(stream))
    for second, flag in enumerate((True, False)):
        if isinstance(content, dict) and "snapshot" in content:
            content["snapshot"] = flag
        for one in session.receive(frame(item(0, content)), at(second)):
            ENCODER.encode(one) if isinstance(one, Record) else None


def test_refusals_are_errors_of_ours() -> None:
    with pytest.raises(MonError):
        line_for("orders").session(SECRETS).send(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("retries", [0, 2])
@pytest.mark.parametrize("error", [None, "An error occurred on the server while streaming results."])
def test_a_hub_that_ends_its_stream_again_and_again_is_given_up(retries: int, error: str | None) -> None:
    driver = Driver(line_for("book"), [subscription("book")], venue="b2trader", retries=retries)
    connect(driver, at(0))
    now = 1.0
    for number in range(retries + 1):
        assert driver.ended is None
        driver.receive(frame(item(number, whole(1)), completion(number, error)), at(now))
        now += 20
        if driver.ended is None:
            driver.tick(at(now))
    assert isinstance(driver.ended, VenueUnreachable)
    assert f"gave up after {retries + 1} tr" in str(driver.ended)
    assert "subscribing again" not in str(driver.ended)


def test_a_hub_that_closes_for_good_is_final_also_after_it_was_live() -> None:
    driver = driven(line_for("orders"), "orders")
    connect(driver, at(0))
    driver.receive(frame(item(0, [])), at(1))
    driver.closed(None, "", at(2))
    driver.begin(SECRETS, 0.5)
    driver.opened(at(4))
    driver.receive(frame({}, {"type": 7, "error": "maintenance"}), at(4))
    assert isinstance(driver.ended, VenueUnreachable)


@pytest.mark.parametrize("error", ["Handshake was canceled.", "Unauthorized"])
def test_a_refused_handshake_of_a_hub_that_was_live_is_tried_again(error: str) -> None:
    driver = driven(line_for("orders"), "orders")
    connect(driver, at(0))
    driver.receive(frame(item(0, [])), at(1))
    driver.closed(None, "", at(2))
    for now in (4, 40, 400):
        driver.begin(SECRETS, 0.5)
        driver.opened(at(now))
        driver.receive(frame({"error": error}), at(now))
        assert driver.ended is None
    driver.begin(SECRETS, 0.5)
    driver.opened(at(700))
    driver.receive(frame({"error": error}), at(700))
    assert driver.ended is not None
