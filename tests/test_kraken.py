"""The Kraken session by itself: what a recording cannot show."""

from __future__ import annotations

import gzip
import itertools
import json
import random
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venues import venue_named
from venues.driver import Driver
from venues.errors import UsageError
from venues.kraken.book import BookFeed, depth_of
from venues.kraken.kept import MOST_TRADES, Newest, PrintedTrades
from venues.records import Book, Candle, Instrument, Level, Quote, Record, SnapshotEnd, Status, Ticker, Trade
from venues.toolkit.checksum import crc32_of_digits
from venues.toolkit.clock import VenueClock
from venues.toolkit.times import PER_MS
from venues.venue import EVERY_LEVEL, BadFrame, Confirmed, Dial, Lost, Notice, Now, Refused, Settings, Subscription

KRAKEN = venue_named("kraken")
CAPTURED = Path(__file__).parent / "fixtures" / "toolkit" / "kraken-book.jsonl.gz"
START = 1_790_000_000_000
BOTH = ("BTC/USD", "ETH/USD")
HEARTBEAT = b'{"channel":"heartbeat"}'


def captured() -> list[bytes]:
    return gzip.decompress(CAPTURED.read_bytes()).splitlines()


class Line:
    """A route driven by frames; time goes on by `pace` seconds a frame."""

    def __init__(self, *subscriptions: Subscription, pace: float = 0.008) -> None:
        (route,) = KRAKEN.routes(subscriptions, Settings(url="wss://v.example"))
        self.route = route
        self.driver = Driver(route, route.subscriptions, venue="kraken")
        self.pace = pace
        self.mono = 1000.0
        self.sent: list[dict[str, Any]] = []
        self.items: list[Any] = []
        self.open()

    def now(self, **more: float) -> Now:
        return Now(self.mono, START + round(self.mono * 1000), **more)

    def take(self, items: Sequence[Any]) -> list[Any]:
        self.items += items
        self.sent += [json.loads(out) for out in self.driver.take() if isinstance(out, str)]
        return list(items)

    def open(self) -> list[Any]:
        self.driver.begin({}, 0.0)
        return self.take(self.driver.opened(self.now()))

    def receive(self, *frames: bytes | str) -> list[Any]:
        items: list[Any] = []
        for frame in frames:
            self.mono += self.pace
            items += self.take(self.driver.receive(frame if isinstance(frame, bytes) else frame.encode(), self.now()))
        return items

    def pass_by(self, seconds: float, *, heard: bool = True) -> list[Any]:
        """Time passes, with a heartbeat a second; deadlines are kept as a connection keeps them."""
        items: list[Any] = []
        until = self.mono + seconds
        beat = self.mono + 1.0
        while self.driver.retry_at is None and self.mono < until:
            due = self.driver.deadline() or until
            self.mono = max(self.mono, min(due, until, beat if heard else until))
            if due <= self.mono:
                items += self.take(self.driver.tick(self.now(heard=self.mono)))
            elif heard and self.mono >= beat:
                beat += 1.0
                items += self.take(self.driver.receive(HEARTBEAT, self.now()))
        return items

    def cut(self) -> list[Any]:
        return self.take(self.driver.closed(1006, "", self.now()))

    def reconnect(self) -> list[Any]:
        items = self.cut()
        assert self.driver.retry_at is not None
        self.mono = self.driver.retry_at
        return [*items, *self.open()]

    def of(self, kind: type[Any]) -> list[Any]:
        return [item for item in self.items if isinstance(item, kind)]


def book_and_trades(depth: int = 10) -> Line:
    return Line(Subscription("book", BOTH, depth=depth), Subscription("trades", BOTH))


def ack(channel: str, symbol: str, **more: Any) -> str:
    return json.dumps(
        {"method": "subscribe", "result": {"channel": channel, "symbol": symbol, **more}, "success": True}
    )


def book(
    bids: Sequence[tuple[str, str]],
    asks: Sequence[tuple[str, str]],
    *,
    symbol: str = "BTC/USD",
    kind: str = "snapshot",
    second: float = 0.0,
    whole: tuple[Sequence[tuple[str, str]], Sequence[tuple[str, str]]] | None = None,
    checksum: int | None = None,
) -> str:
    """A frame; its checksum is that of `whole` (bids, asks), or of the rows themselves."""
    figure = figure_of(*(whole or (bids, asks))) if checksum is None else checksum
    sides = [",".join(f'{{"price":{price},"qty":{qty}}}' for price, qty in rows) for rows in (bids, asks)]
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":[{sides[0]}],"asks":[{sides[1]}],'
        f'"checksum":{figure},"timestamp":"2026-09-21T14:{second // 60:02.0f}:{second % 60:09.6f}Z"}}]}}'
    )


def figure_of(bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]) -> int:
    levels = [[Level(Decimal(price), Decimal(qty)) for price, qty in rows if Decimal(qty)] for rows in (bids, asks)]
    levels[0].sort(key=lambda level: -level.price)
    levels[1].sort(key=lambda level: level.price)
    return crc32_of_digits(10).of(levels[0][:10], levels[1][:10])


def trades(*ids: int, kind: str = "update", symbol: str = "BTC/USD", second: int = 0) -> str:
    rows = [
        {
            "symbol": symbol,
            "side": "buy",
            "price": 1.5,
            "qty": 0.25,
            "ord_type": "limit",
            "trade_id": number,
            "timestamp": f"2026-09-21T14:00:{second:02}.000001Z",
        }
        for number in ids
    ]
    return json.dumps({"channel": "trade", "type": kind, "data": rows})


def said(items: Sequence[Any], stream: str = "") -> list[tuple[Any, ...]]:
    return [
        (one.symbol, one.state, one.reason) for one in items if isinstance(one, Status) and stream in (one.stream, "")
    ]


# --- the venue's entry


@pytest.mark.parametrize(
    ("symbol", "meant"),
    [
        ("XBT/USD", "BTC/USD"),
        ("XDG/EUR", "DOGE/EUR"),
        ("ETH/XBT", "ETH/BTC"),
        ("btc/usd", "BTC/USD"),
        ("BTCUSD", "BTC/USD"),
        ("XBTUSDT", "BTC/USDT"),
        ("OPUSD", "OP/USD"),
        ("BTC-USD", "BTC/USD"),
        ("SPOT_BTC_USDT", "BTC/USDT"),
        ("spot.btc_usdt", ""),
        ("ABUSD", "AB/USD"),
        ("AUSD", ""),
        ("USD", ""),
        ("PERP_BTC_USDT", ""),
        ("SPOT_BTC", "SPOT/BTC"),
        ("A_B_C_D", ""),
        ("", ""),
        ("BTC/", ""),
        ("BTC/USD\n", ""),
        ("ÄÖ/USD", ""),
    ],
)
def test_symbols_of_the_wrong_form(symbol: str, meant: str) -> None:
    with pytest.raises(UsageError, match=r"expected a symbol like BTC/USD \(<BASE>/<QUOTE>, upper case\)"):
        KRAKEN.check_symbol(symbol)
    assert list(KRAKEN.meant(symbol)) == ([meant] if meant else [])


@pytest.mark.parametrize("symbol", ["BTC/USD", "1INCH/EUR", "T/USD", "AAPLx/USD", "USDT/USD"])
def test_symbols_of_the_right_form(symbol: str) -> None:
    KRAKEN.check_symbol(symbol)


@pytest.mark.parametrize(
    ("asked", "depth"), [(1, 10), (10, 10), (11, 25), (20, 25), (101, 500), (1000, 1000), (5000, 1000)]
)
def test_the_smallest_depth_that_holds_what_is_asked_for(asked: int, depth: int) -> None:
    assert depth_of(asked) == depth
    line = Line(Subscription("book", ("BTC/USD",), depth=asked))
    assert line.sent[0]["params"] == {"channel": "book", "symbol": ["BTC/USD"], "depth": depth, "snapshot": True}
    notices = [item.text for item in line.of(Notice)]
    assert notices == (
        [f"kraken has books of at most 1000 levels a side: --depth {asked} is 1000"] if asked > 1000 else []
    )
    line.reconnect()
    assert len(line.of(Notice)) == len(notices), "said once"


def test_a_table_takes_all_levels_and_nothing_is_said_of_it() -> None:
    line = Line(Subscription("book", ("BTC/USD",), depth=EVERY_LEVEL))
    assert line.sent[0]["params"]["depth"] == 1000
    assert not line.of(Notice)


def test_an_interval_that_the_venue_has_not() -> None:
    with pytest.raises(UsageError, match='1m, 5m, 15m, 30m, 1h, 4h, 1d, 1w, 15d; got "2m"'):
        KRAKEN.routes([Subscription("candles", ("BTC/USD",), interval="2m")], Settings(url=""))


@pytest.mark.parametrize(("interval", "minutes"), [("1m", 1), ("4h", 240), ("1w", 10080), ("15d", 21600)])
def test_intervals_are_minutes(interval: str, minutes: int) -> None:
    line = Line(Subscription("candles", ("BTC/USD",), interval=interval))
    assert line.sent[0]["params"]["interval"] == minutes


def routes(*subscriptions: Subscription) -> list[list[tuple[str, tuple[str, ...]]]]:
    return [
        [(one.stream, one.symbols) for one in route.subscriptions]
        for route in KRAKEN.routes(subscriptions, Settings(url=""))
    ]


def test_streams_and_symbols_share_a_connection_but_for_a_second_depth_or_interval() -> None:
    a, b = ("BTC/USD",), ("ETH/USD",)
    all_of_it = [Subscription(stream, (*a, *b)) for stream in ("quotes", "book", "trades", "ticker", "candles")]
    assert len(routes(*all_of_it, Subscription("ping"))) == 1
    assert len(routes(Subscription("book", a, depth=10), Subscription("book", b, depth=100))) == 1
    assert len(routes(Subscription("book", a, depth=10), Subscription("book", a, depth=100))) == 2
    assert len(routes(Subscription("candles", a), Subscription("candles", a, interval="1h"))) == 2


def test_quotes_come_from_the_book_that_is_there_anyhow() -> None:
    line = Line(Subscription("quotes", BOTH), Subscription("book", ("ETH/USD",), depth=100))
    asked = {
        symbol: sent["params"]["depth"]
        for sent in line.sent
        if sent["params"]["channel"] == "book"
        for symbol in sent["params"]["symbol"]
    }
    assert asked == {"BTC/USD": 10, "ETH/USD": 100}


def test_several_symbols_are_one_request_and_instrument_comes_last() -> None:
    line = Line(Subscription("trades", BOTH))
    assert [sent["params"]["channel"] for sent in line.sent] == ["trade", "instrument"]
    assert line.sent[0]["params"]["symbol"] == list(BOTH)
    assert line.sent[0]["params"]["snapshot"] is True
    assert Line(Subscription("ping")).sent == [{"method": "ping", "req_id": 1}]


# --- the captured frames


def test_the_captured_frames_give_all_their_checksums() -> None:
    line = book_and_trades()
    line.receive(*captured())
    figures = [json.loads(frame)["data"][0]["checksum"] for frame in captured() if b'"checksum"' in frame]
    assert [record.extra["checksum"] for record in line.of(Book)] == figures
    assert len(figures) == 1493
    for symbol in BOTH:
        ids = [int(trade.trade_id) for trade in line.of(Trade) if trade.symbol == symbol]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert not line.of(BadFrame)
    assert {state for _, state, _ in said(line.items)} == {"syncing", "live"}


@pytest.mark.parametrize("depth", [2, 20, 600])
def test_the_venue_says_which_depth_is_in_force(depth: int) -> None:
    line = book_and_trades(depth)
    line.receive(*captured())
    figures = {record.extra["checksum"] for record in line.of(Book)}
    assert len(figures) > 400, "also where what is shown has not changed with each"
    assert not [state for _, state, _ in said(line.items) if state == "stale"]
    assert len([one for one in line.of(Notice) if "10 levels a side" in one.text]) == (0 if depth <= 10 else 2)


def test_the_depth_in_force_counts_also_where_the_snapshot_comes_first() -> None:
    line = Line(Subscription("book", ("BTC/USD",), depth=20))
    bids, asks = [(f"{20 - n}.0", "1.00") for n in range(10)], [(f"{21 + n}.0", "1.00") for n in range(10)]
    better = [("20.5", "1.00"), *asks[:9]]
    line.receive(book(bids, asks), book([], [better[0]], kind="update", second=0.1, whole=(bids, better)))
    line.receive(ack("book", "BTC/USD", depth=10))
    shown = line.of(Book)[-1]
    assert (len(shown.bids), len(shown.asks)) == (10, 10), "the venue does not say more of the eleventh"
    even_better = [("20.2", "1.00"), *better[:9]]
    line.receive(book([], [even_better[0]], kind="update", second=0.2, whole=(bids, even_better)))
    assert [str(level.price) for level in line.of(Book)[-1].asks] == [price for price, _ in even_better]
    assert [one.text for one in line.of(Notice)][:1] == ["kraken gives 10 levels a side of BTC/USD, not 20"]
    assert not [state for _, state, _ in said(line.items) if state == "stale"]


FIGURES = {
    symbol: [json.loads(f)["data"][0]["checksum"] for f in captured() if f'"{symbol}","bids"'.encode() in f]
    for symbol in BOTH
}


@settings(max_examples=12, deadline=None)
@given(
    cut=st.integers(1, 1516),
    pace=st.sampled_from([0.0, 0.0001, 0.008, 0.05]),
    of=st.sampled_from([START, START - 500 * 86_400_000]),
)
def test_begun_again_from_the_first_frame_shows_no_older_book_and_no_trade_twice(
    cut: int, pace: float, of: int
) -> None:
    line = book_and_trades()
    line.mono += (of - START) / 1000
    line.pace = pace
    line.reconnect()
    frames = captured()
    line.receive(*frames[:cut])
    line.reconnect()
    line.receive(*frames)
    for symbol in BOTH:
        books = [record for record in line.of(Book) if record.symbol == symbol]
        figures = FIGURES[symbol]
        place = 0
        for record in books:  # each is at, or behind, the place of the one before
            assert record.extra is not None
            place = figures.index(record.extra["checksum"], place)
        assert place == len(figures) - 1
        ids = [trade.trade_id for trade in line.of(Trade) if trade.symbol == symbol]
        assert len(ids) == len(set(ids))
    assert len(line.of(Trade)) == 13


def lossy(frame: bytes) -> bytes:
    """As a writer of JSON makes it that keeps no zeros: 63499.0 → 63499, 0.00005100 → 5.1e-05."""
    return json.dumps(json.loads(frame), separators=(",", ":")).encode()


@pytest.mark.parametrize("told", [False, True])
def test_zeros_exponents_and_integers_break_no_checksum(*, told: bool) -> None:
    line = book_and_trades()
    if told:
        pairs = [{"symbol": "BTC/USD", "price_precision": 1, "qty_precision": 8},
                 {"symbol": "ETH/USD", "price_precision": 2, "qty_precision": 8}]  # fmt: skip
        line.receive(json.dumps({"channel": "instrument", "type": "snapshot", "data": {"assets": [], "pairs": pairs}}))
    assert b"e-05" in lossy(captured()[6])
    line.receive(*map(lossy, captured()))
    assert len(line.of(Book)) == 1493
    assert not [state for _, state, _ in said(line.items) if state == "stale"]


def test_the_pairs_decimals_hold_for_the_depth_that_the_venue_says() -> None:
    line = Line(Subscription("book", ("VET/USDT",), depth=20))
    pairs = [{"symbol": "VET/USDT", "price_precision": 6, "qty_precision": 5}]
    line.receive(json.dumps({"channel": "instrument", "type": "snapshot", "data": {"assets": [], "pairs": pairs}}))
    figure = figure_of([("0.022130", "5.10000")], [("0.022140", "3.00000")])
    line.receive(ack("book", "VET/USDT", depth=10))
    line.receive(book([("0.02213", "5.1")], [("2.214e-2", "3")], symbol="VET/USDT", checksum=figure))
    assert len(line.of(Book)) == 1


@pytest.mark.parametrize(
    ("price", "size", "whole", "sent"),
    [(0, 5, ("22130", "5.10000"), ("2.213e4", "5.1")), (6, 0, ("0.022130", "5"), ("0.02213", "5"))],
)
def test_a_pair_may_have_no_decimals(price: int, size: int, whole: tuple[str, str], sent: tuple[str, str]) -> None:
    line = Line(Subscription("book", ("VET/USDT",), depth=10))
    pairs = [{"symbol": "VET/USDT", "price_precision": price, "qty_precision": size}]
    line.receive(json.dumps({"channel": "instrument", "type": "snapshot", "data": {"assets": [], "pairs": pairs}}))
    line.receive(book([sent], [], symbol="VET/USDT", checksum=figure_of([whole], [])))
    assert len(line.of(Book)) == 1


def test_the_documented_example_gives_its_figure() -> None:
    asks = """45285.2 0.00100000, 45286.4 1.54571953, 45286.6 1.54571109, 45289.6 1.54560911, 45290.2 0.15890660,
     45291.8 1.54553491, 45294.7 0.04454749, 45296.1 0.35380000, 45297.5 0.09945542, 45299.5 0.18772827"""
    bids = """45283.5 0.10000000, 45283.4 1.54582015, 45282.1 0.10000000, 45281.0 0.10000000, 45280.3 1.54592586,
     45279.0 0.07990000, 45277.6 0.03310103, 45277.5 0.30000000, 45277.3 1.54602737, 45276.6 0.15445238"""
    sides = [[tuple(row.split()) for row in rows.split(", ") for row in row.split(",\n")] for rows in (bids, asks)]
    line = Line(Subscription("book", ("BTC/USD",), depth=10))
    line.receive(book(sides[0], sides[1], checksum=3310070434))  # type: ignore[arg-type]
    line.receive(
        book([("62710.4", "0.01000000")], [("62710.5", "0.93111634"), ("62710.6", "0.50000000")], checksum=1318110605)
    )
    assert [[len(shown.bids), len(shown.asks)] for shown in line.of(Book)] == [[10, 10], [1, 2]]


# --- the book


def test_a_wrong_checksum_costs_that_symbol_alone_and_the_snapshot_replaces_everything() -> None:
    line = Line(Subscription("book", BOTH, depth=10), Subscription("quotes", BOTH))
    for symbol in BOTH:
        line.receive(ack("book", symbol, depth=10), book([("1.0", "1.00")], [("2.0", "1.00")], symbol=symbol))
    line.pass_by(2)
    line.sent.clear()
    items = line.receive(book([("1.0", "3.00")], [], kind="update", second=1, checksum=7))
    assert [(symbol, state) for symbol, state, _ in said(items)] == [("BTC/USD", "stale")] * 2
    assert line.sent == [
        {"method": "unsubscribe", "params": {"channel": "book", "symbol": ["BTC/USD"], "depth": 10}, "req_id": 3}
    ]
    # What is still on its way changes nothing; the others go on.
    assert not line.receive(book([("1.5", "1.00")], [], kind="update", second=2, checksum=8))
    assert line.receive(book([("1.0", "0.50")], [], symbol="ETH/USD", kind="update", second=2,
                             whole=([("1.0", "0.50")], [("2.0", "1.00")])))  # fmt: skip
    line.sent.clear()
    line.receive(json.dumps({"method": "unsubscribe", "result": {"channel": "book", "symbol": "BTC/USD", "depth": 10},
                             "success": True}))  # fmt: skip
    assert [sent["method"] for sent in line.sent] == ["subscribe"]
    line.receive(ack("book", "BTC/USD", depth=10))
    items = line.receive(book([("1.2", "9.00")], [("1.9", "1.00")], second=3))
    assert [item.bids for item in items if isinstance(item, Book)] == [[Level(Decimal("1.2"), Decimal("9.00"))]]
    assert [(symbol, state) for symbol, state, _ in said(items)] == [("BTC/USD", "live")] * 2


def test_wrong_checksums_without_end_are_paced() -> None:
    line = Line(Subscription("book", ("BTC/USD",), depth=10))
    line.receive(ack("book", "BTC/USD", depth=10))
    times = []
    for second in range(60):
        line.sent.clear()
        line.receive(book([("1.0", "1.00")], [("2.0", "1.00")], second=second))
        line.receive(book([("1.0", "2.00")], [], kind="update", second=second, checksum=1))
        line.pass_by(1)
        for sent in [sent["method"] for sent in line.sent]:
            if sent == "unsubscribe":
                times.append(second)
                line.receive(json.dumps({"error": "Subscription Not Found", "method": "subscribe", "success": False,
                                         "symbol": "BTC/USD"}), ack("book", "BTC/USD", depth=10))  # fmt: skip
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(times) <= 7
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 15


def test_a_level_pushed_out_of_the_depth_comes_back_only_when_it_is_sent() -> None:
    line = Line(Subscription("book", ("BTC/USD",), depth=10))
    bids = [(f"{100 - n}.0", "1.00") for n in range(10)]
    asks = [("200.0", "1.00")]
    line.receive(ack("book", "BTC/USD", depth=10), book(bids, asks))
    new = ("100.5", "2.00")
    line.receive(book([new], [], kind="update", second=1, whole=([new, *bids[:9]], asks)))
    assert len(line.of(Book)[-1].bids) == 10
    line.receive(book([("100.5", "0.00")], [], kind="update", second=2, whole=(bids[:9], asks)))
    assert line.of(Book)[-1].bids[-1].price == Decimal("92.0"), "91.0 is not known any more"
    assert not [state for _, state, _ in said(line.items) if state == "stale"]


def test_one_price_several_times_in_a_frame_the_last_counts() -> None:
    line = Line(Subscription("book", ("BTC/USD",), depth=10))
    line.receive(book([("1.0", "1.00")], [("2.0", "1.00"), ("3.0", "1.00")]))
    rows = [("2.0", "0.70"), ("2.0", "0.20"), ("2.0", "0.00")]
    line.receive(book([], rows, kind="update", second=1, whole=([("1.0", "1.00")], [("3.0", "1.00")])))
    assert [level.price for level in line.of(Book)[-1].asks] == [Decimal("3.0")]


def test_updates_before_the_snapshot_are_dropped_and_so_is_a_book_of_nobody() -> None:
    line = Line(Subscription("book", ("BTC/USD",), depth=10))
    assert not line.receive(ack("book", "BTC/USD", depth=10), book([("1.0", "1.00")], [], kind="update"))
    (notice,) = line.receive(book([("1.0", "1.00")], [], symbol="ETH/USD"))
    assert "not asked for, such as ETH/USD" in notice.text


def test_a_book_that_was_acknowledged_and_does_not_come_is_asked_for_anew() -> None:
    line = Line(Subscription("book", BOTH, depth=10))
    line.receive(*(ack("book", symbol, depth=10) for symbol in BOTH), book([("1.0", "1.00")], [("2.0", "1.00")]))
    line.sent.clear()
    items = line.pass_by(11)
    assert [(symbol, state) for symbol, state, _ in said(items)] == [("ETH/USD", "stale")]
    books = [sent["params"]["symbol"] for sent in line.sent if sent["params"]["channel"] == "book"]
    assert books == [["ETH/USD"]]
    assert line.driver.retry_at is None


def test_the_first_state_comes_only_with_a_snapshot_not_with_the_data_of_others() -> None:
    line = Line(Subscription("ticker", ("BTC/USD",)), Subscription("book", ("BTC/USD",), depth=10))
    line.receive(ack("ticker", "BTC/USD"), ack("book", "BTC/USD", depth=10))
    items = line.pass_by(11)
    assert any("brought nothing for 10 s" in (reason or "") for _, state, reason in said(items) if state)
    assert line.driver.retry_at is not None, "nothing at all came on this connection"


# --- trades


def test_after_a_reconnect_only_new_trades_are_printed_and_what_is_missing_is_said() -> None:
    line = Line(Subscription("trades", ("BTC/USD",)))
    full = ack("trade", "BTC/USD", snapshot=True)
    line.receive(full, trades(1, 2, 3, kind="snapshot"), trades(4))
    assert [(one.trade_id, (one.extra or {}).get("snapshot")) for one in line.of(Trade)] == [
        ("1", True), ("2", True), ("3", True), ("4", None)
    ]  # fmt: skip
    line.items.clear()
    line.reconnect()
    assert not [state for _, state, _ in said(line.receive(full)) if state == "live"]
    items = line.receive(trades(3, 4, 5, kind="snapshot"))
    assert said(items) == [("BTC/USD", "live", "no trade is missing")]
    assert [one.trade_id for one in line.of(Trade)] == ["5"]
    line.reconnect()
    line.receive(full)
    assert said(line.receive(trades(9, 10, kind="snapshot"))) == [("BTC/USD", "live", "3 trades are missing")]
    assert said(line.receive(trades(12))) == [("BTC/USD", "live", "1 trade is missing")]


def test_without_the_latest_trades_the_stream_is_live_all_the_same() -> None:
    line = Line(Subscription("trades", ("BTC/USD",)))
    line.receive(ack("trade", "BTC/USD", snapshot=True), trades(1, kind="snapshot"))
    line.reconnect()
    line.receive(ack("trade", "BTC/USD", snapshot=True))
    assert [state for _, state, _ in said(line.pass_by(6))] == ["live"]
    assert said(line.receive(trades(4))) == [("BTC/USD", "live", "2 trades are missing")]


def test_an_id_far_ahead_loses_nothing_and_what_is_remembered_is_bounded() -> None:
    printed, more = PrintedTrades(), MOST_TRADES // 10 + 10
    for time, number in enumerate((10**12, *range(5, 5 + MOST_TRADES + more))):
        found = printed.weigh(number, time, hash(number))
        assert found == ("anew" if time == 1 else "new")
        if found == "anew":
            printed.begin_anew()
        printed.printed(number, time, hash(number))
    assert printed.last == 4 + MOST_TRADES + more
    remembered = [number for block in printed._blocks.values() for number in block.ids()]
    assert MOST_TRADES <= len(remembered) <= MOST_TRADES + 100, "the oldest go a tenth at a time"
    assert remembered == list(range(remembered[0], printed.last + 1)), "the one far ahead is forgotten too"
    assert printed.weigh(6, 2, hash(6)) == "printed", "it is older than all that is remembered"
    assert printed.weigh(printed.last, 9, hash(printed.last)) == "printed"
    assert printed.missing_before(printed.last + 3) == 2


def test_a_trade_that_came_late_leaves_none_missing_behind_it() -> None:
    printed = PrintedTrades()
    for number in (1, 5, 2, 3, 4):
        printed.printed(number, number, number)
    assert printed.missing_before(6) == 0
    assert printed.missing_before(8) == 2


def test_of_an_id_that_was_printed_already_those_between_are_missing() -> None:
    printed = PrintedTrades()
    for number in (1, 3, 100, 6, 2):
        printed.printed(number, number, number)
    assert printed.missing_before(6) == 2, "4 and 5: 3 was printed"
    assert printed.missing_before(100) == 95, "3 and 6 were printed"


@pytest.mark.parametrize("seed", range(4))
def test_ids_in_any_order_are_told_apart_as_a_dictionary_does(seed: int) -> None:
    chance, printed, known = random.Random(seed), PrintedTrades(), dict[int, int]()
    last = 1_000
    printed.printed(last, 0, 0)
    known[last] = 0
    for _ in range(3_000):
        number = last + chance.choice((1, 1, 1, 2, 40, -1, -2, -35, 10**9))
        trade = chance.choice((0, number, -number))
        found = printed.weigh(number, 0, trade)
        assert found == ("new" if number not in known and number > 999 else "printed"), number
        if found == "new":
            missing = max(0, number - printed.last - 1 - sum(printed.last < one < number for one in known))
            assert printed.missing_before(number) == missing
            printed.printed(number, 0, trade)
            known[number] = trade
            last = number if number < 10**9 else last
    assert printed.weigh(last, 1, known[last] + 2) == "anew"
    assert printed.weigh(last, 1, known[last]) == "printed"


def test_a_venue_that_counts_anew_loses_no_trade() -> None:
    line = Line(Subscription("trades", ("BTC/USD",)))
    full = ack("trade", "BTC/USD", snapshot=True)
    line.receive(full, trades(7, 8, 9, kind="snapshot"))
    line.reconnect()
    line.items.clear()
    items = line.receive(full, trades(1, 2, 7, kind="snapshot", second=5), trades(8, second=6))
    assert said(items) == [("BTC/USD", "live", "the venue counts its trades anew: what happened before may be missing")]
    assert [one.trade_id for one in line.of(Trade)] == ["1", "2", "7", "8"]


def test_trades_that_come_late_are_printed_once() -> None:
    line = Line(Subscription("trades", ("BTC/USD",)))
    line.receive(trades(1), trades(3), trades(2), trades(2), trades(4))
    assert [one.trade_id for one in line.of(Trade)] == ["1", "3", "2", "4"]


# --- ticker


def test_a_ticker_that_is_older_changes_nothing_and_an_equal_one_confirms() -> None:
    line = Line(Subscription("ticker", ("BTC/USD",)))

    def ticker(last: float, second: int) -> str:
        row = {"symbol": "BTC/USD", "last": last, "timestamp": f"2026-09-21T14:00:{second:02}.000001Z"}
        return json.dumps({"channel": "ticker", "type": "update", "data": [row]})

    line.receive(ticker(5.5, 10), ticker(5.5, 11), ticker(4.5, 3), ticker(6.5, 12))
    assert [str(one.last) for one in line.of(Ticker)] == ["5.5", "6.5"]
    assert [one.time for one in line.of(Confirmed)] == [line.of(Ticker)[0].time + 1000]
    empty = {"channel": "ticker", "type": "update", "data": [{"symbol": "BTC/USD", "last": None}]}
    line.receive(json.dumps(empty))
    assert line.of(Ticker)[-1].last is None


# --- candles


def candles(*rows: tuple[int, str], kind: str = "update", sent: float = 0.0, **more: Any) -> str:
    """Candles of minutes after 14:28, each with its close; `sent` seconds after that."""
    made = [
        {"symbol": "BTC/USD", "open": 5.0, "high": 9.0, "low": 1.0, "close": float(close), "trades": 3, "volume": 2.5,
         "vwap": 5.5, "interval_begin": f"2026-09-21T14:{28 + minute}:00.000000000Z", "interval": 1, **more}
        for minute, close in rows
    ]  # fmt: skip
    at = f"2026-09-21T14:{28 + sent // 60:02.0f}:{sent % 60:09.6f}000Z"
    return json.dumps({"channel": "ohlc", "type": kind, "timestamp": at, "data": made})


def shown_candles(items: Sequence[Any]) -> list[tuple[int, str, bool]]:
    """Minute, close, and whether it is over."""
    begin = 1_790_000_880_000
    return [((one.start - begin) // 60_000, str(one.close), one.closed) for one in items if isinstance(one, Candle)]


def test_candles_are_closed_by_the_clock_and_come_once() -> None:
    line = Line(Subscription("candles", ("BTC/USD",)))  # it is 14:30:00
    line.receive(ack("ohlc", "BTC/USD", interval=1))
    first = line.receive(candles((0, "2.0"), (2, "3.0"), kind="snapshot", sent=120.5))
    assert shown_candles(first) == [(0, "2.0", True), (2, "3.0", False)], "the minute between had no trade"
    assert shown_candles(line.receive(candles((2, "4.0"), sent=121))) == [(2, "4.0", False)]
    assert shown_candles(line.pass_by(62)) == [(2, "4.0", True)]
    assert not shown_candles(line.pass_by(60)), "and this one has none either"
    line.reconnect()
    line.receive(ack("ohlc", "BTC/USD", interval=1))
    again = line.receive(candles((0, "2.0"), (2, "4.0"), (4, "5.0"), kind="snapshot", sent=245))
    assert shown_candles(again) == [(4, "5.0", False)], "what was shown before is not repeated"


@pytest.mark.parametrize("bad", [{"interval": 5}, {"low": 4.5}, {"close": -1}, {"interval_begin": "yesterday"}])
def test_a_candle_of_another_length_or_that_cannot_be_is_bad_until_the_next(bad: dict[str, Any]) -> None:
    line = Line(Subscription("candles", ("BTC/USD",)))
    line.receive(candles((2, "3.0"), sent=121))
    items = line.receive(candles((2, "3.5"), sent=122, **bad))
    assert [type(item).__name__ for item in items] == ["BadFrame", "Status"]
    assert [(state, shown_candles(items)) for _, state, _ in said(items)] == [("stale", [])]
    items = line.receive(candles((2, "4.0"), sent=123))
    assert [state for _, state, _ in said(items)] == ["live"]
    assert shown_candles(items) == [(2, "4.0", False)]


# --- answers


def refusal(symbol: str, words: str = "Currency pair not supported") -> str:
    return json.dumps({"error": f"{words} {symbol}", "method": "subscribe", "success": False, "symbol": symbol})


def test_all_refused_symbols_are_named_in_the_venues_words() -> None:
    line = Line(Subscription("quotes", ("BTC/USD", "NOPE/USD", "NADA/EUR")))
    line.receive(ack("book", "BTC/USD", depth=10), refusal("NOPE/USD"))
    assert line.driver.ended is None, "not all of it is answered yet"
    line.receive(refusal("NADA/EUR"))
    assert str(line.driver.ended) == ("kraken refuses quotes of NOPE/USD, NADA/EUR (Currency pair not supported)")


def test_a_stream_that_is_refused_gives_nothing_more_and_the_others_go_on() -> None:
    (route,) = KRAKEN.routes(
        [Subscription("book", ("BTC/USD",)), Subscription("quotes", ("BTC/USD", "NOPE/USD"))], Settings(url="")
    )
    driver = Driver(route, route.subscriptions, venue="kraken", apart=True)
    driver.begin({}, 0.0)
    driver.opened(Now(0.0, START))
    frames = [ack("book", "BTC/USD", depth=25), book([("1.0", "1.00")], [("2.0", "1.00")]), refusal("NOPE/USD")]
    before = [item for frame in frames for item in driver.receive(frame.encode(), Now(0.1, START))]
    assert [type(item) for item in before if isinstance(item, Book | Quote)] == [Book, Quote]
    assert list(driver.refused) == ["quotes"]
    whole = ([("1.5", "1.00"), ("1.0", "1.00")], [("2.0", "1.00")])
    after = driver.receive(book([("1.5", "1.00")], [], kind="update", second=1, whole=whole).encode(), Now(0.2, START))
    assert [type(item) for item in after] == [Book]


def test_a_symbol_that_was_live_is_asked_for_again_and_then_closed() -> None:
    line = Line(Subscription("quotes", BOTH))
    shown = [book([("1.0", "1.00")], [("2.0", "1.00")], symbol=symbol) for symbol in BOTH]
    line.receive(*(ack("book", symbol, depth=10) for symbol in BOTH), *shown)
    line.reconnect()
    line.receive(ack("book", "BTC/USD", depth=10), shown[0], refusal("ETH/USD"))
    line.items.clear()
    for _ in range(620):
        line.pass_by(1)
        for sent in line.sent:
            if sent["method"] == "subscribe" and sent["params"].get("symbol") == ["ETH/USD"]:
                line.receive(refusal("ETH/USD"))
        line.sent.clear()
    closed = [(symbol, state) for symbol, state, _ in said(line.items) if state == "closed"]
    assert closed == [("ETH/USD", "closed")]
    assert line.driver.ended is None
    assert line.receive(book([("1.1", "1.00")], [], kind="update", second=9,
                             whole=([("1.1", "1.00"), ("1.0", "1.00")], [("2.0", "1.00")])))  # fmt: skip


def test_already_subscribed_is_no_refusal_and_a_book_still_needs_its_snapshot() -> None:
    line = Line(Subscription("book", ("BTC/USD",), depth=10))
    line.receive(json.dumps({"error": "Already subscribed", "method": "subscribe", "success": False,
                             "symbol": "BTC/USD"}))  # fmt: skip
    assert line.driver.ended is None
    line.pass_by(2)
    assert line.sent[-1]["method"] == "unsubscribe"
    line.pass_by(6)  # and no answer to that
    assert line.sent[-1]["method"] == "subscribe"


def test_too_many_requests_are_paced() -> None:
    line = Line(Subscription("ticker", ("BTC/USD",)))
    line.sent.clear()
    line.receive('{"error":"Exceeded msg rate","success":false}')
    assert line.driver.ended is None
    line.pass_by(3)
    assert line.sent[0]["params"]["channel"] == "ticker"


def test_an_instrument_that_is_not_answered_costs_only_the_status() -> None:
    line = Line(Subscription("book", ("BTC/USD",), depth=10))
    line.receive(ack("book", "BTC/USD", depth=10), book([("1.0", "1.00")], [("2.0", "1.00")]))
    line.items.clear()
    line.pass_by(60)
    assert not said(line.items)
    line.receive('{"error":"Subscription name invalid","method":"subscribe","req_id":2,"success":false}')
    assert not said(line.items)
    assert line.driver.ended is None


def test_data_is_as_good_as_an_acknowledgement() -> None:
    line = Line(Subscription("quotes", BOTH))
    line.receive(*(book([("1.0", "1.00")], [("2.0", "1.00")], symbol=symbol) for symbol in BOTH))
    line.items.clear()
    line.pass_by(40)
    assert not said(line.items), "no answer is awaited any more"


# --- signs of life


def test_a_line_without_heartbeats_is_stale_and_then_lost() -> None:
    line = Line(Subscription("quotes", BOTH), Subscription("ping"))
    line.receive(*(ack("book", symbol, depth=10) for symbol in BOTH))
    line.receive(*(book([("1.0", "1.00")], [("2.0", "1.00")], symbol=symbol) for symbol in BOTH))
    line.items.clear()
    line.pass_by(4.9, heard=False)
    assert not said(line.items, "quotes")
    line.receive('{"method":"pong","req_id":1}')  # an answer to a ping proves nothing
    line.pass_by(0.2, heard=False)
    assert said(line.items, "quotes") == [(None, "stale", "nothing came from kraken for 5 s, not even a heartbeat")]
    items = line.receive(HEARTBEAT)
    assert said(items, "quotes") == [(None, "live", None)]
    assert len([item for item in items if isinstance(item, Quote)]) == 2
    line.pass_by(10.1, heard=False)
    assert line.driver.retry_at is not None
    assert said(line.items, "quotes")[-1][1:] == (
        "reconnecting",
        "nothing came from kraken for 10 s, not even a heartbeat",
    )


def test_a_message_on_its_way_puts_the_silence_off() -> None:
    line = Line(Subscription("quotes", ("BTC/USD",)))
    line.receive(ack("book", "BTC/USD", depth=10))
    line.mono += 6
    assert not said(line.take(line.driver.tick(line.now(heard=line.mono, arriving=line.mono - 1))))
    line.mono += 3.9
    assert not said(line.take(line.driver.tick(line.now(heard=line.mono))))
    line.mono += 0.2
    items = line.take(line.driver.tick(line.now(heard=line.mono)))
    assert next(state for _, state, _ in said(items)) == "stale"


def test_where_only_pings_are_their_answers_count() -> None:
    line = Line(Subscription("ping"))
    for number in range(30):
        line.pass_by(1, heard=False)
        line.receive(f'{{"method":"pong","req_id":{number}}}')
    assert {state for _, state, _ in said(line.items)} == {"live"}
    line.pass_by(11, heard=False)
    assert [state for _, state, _ in said(line.items)][-2:] == ["stale", "reconnecting"]


def test_a_quiet_market_with_heartbeats_is_no_silence() -> None:
    line = Line(Subscription("book", ("BTC/USD",), depth=10))
    line.receive(ack("book", "BTC/USD", depth=10), book([("1.0", "1.00")], [("2.0", "1.00")]))
    line.items.clear()
    line.pass_by(1800)
    assert not line.items


# --- how the venue and its markets are


def status(system: str, maintenance: str = "") -> str:
    coming = [{"title": "x", "expected_start_utc": maintenance, "phase": "announced"}] if maintenance else []
    state = {"system": system, "upcoming_maintenance": coming, "emergency": []}
    return json.dumps({"channel": "status", "type": "update", "data": [state]})


def pair(symbol: str, its: str) -> str:
    data = {"assets": [], "pairs": [{"symbol": symbol, "status": its}]}
    return json.dumps({"channel": "instrument", "type": "update", "data": data})


def live_quotes() -> Line:
    line = Line(Subscription("quotes", BOTH), Subscription("trades", ("BTC/USD",)))
    line.receive(*(ack("book", symbol, depth=10) for symbol in BOTH), ack("trade", "BTC/USD", snapshot=False))
    line.receive(*(book([("1.0", "1.00")], [("2.0", "1.00")], symbol=symbol) for symbol in BOTH))
    line.items.clear()
    return line


def test_in_maintenance_nothing_looks_live_and_then_the_newest_is_shown() -> None:
    line = live_quotes()
    items = line.receive(status("maintenance"))
    assert said(items, "quotes") == [(None, "stale", "the venue is in maintenance")]
    assert said(items, "trades") == [("BTC/USD", "stale", "the venue is in maintenance")]
    whole = ([("1.5", "1.00"), ("1.0", "1.00")], [("2.0", "1.00")])
    assert not line.receive(book([("1.5", "1.00")], [], kind="update", second=1, whole=whole))
    items = line.receive(status("online"))
    assert said(items, "quotes") == [(None, "live", "all is as usual again")]
    assert [str(item.bid_price) for item in items if isinstance(item, Quote)] == ["1.5", "1.0"]


def test_other_states_and_announcements_are_said_for_as_long_as_they_last() -> None:
    line = live_quotes()
    (of_quotes, _) = [item for item in line.receive(status("cancel_only")) if isinstance(item, Status)]
    assert (of_quotes.state, of_quotes.reason) == ("live", "the venue is in cancel_only")
    assert of_quotes.condition == of_quotes.reason
    assert not line.receive(status("cancel_only"))
    items = line.receive(status("online", "2026-10-03T09:00:00Z"))
    assert said(items, "quotes")[0][2] == "maintenance is announced for 2026-10-03 09:00:00 UTC"
    line.reconnect()
    line.receive(status("online", "2026-10-03T09:00:00Z"), ack("book", "BTC/USD", depth=10))
    first = line.receive(book([("1.0", "1.00")], [("2.0", "1.00")], second=1))[0]
    assert (first.state, first.condition) == ("live", "maintenance is announced for 2026-10-03 09:00:00 UTC")


def test_a_pair_has_its_own_state() -> None:
    line = live_quotes()
    items = line.receive(pair("ETH/USD", "cancel_only"))
    assert said(items, "quotes") == [("ETH/USD", "live", "ETH/USD is cancel_only")]
    items = line.receive(pair("ETH/USD", "maintenance"))
    assert said(items, "quotes") == [("ETH/USD", "stale", "ETH/USD is maintenance")]
    assert not line.receive(pair("SOL/USD", "delisted"))
    items = line.receive(pair("ETH/USD", "online"))
    assert said(items, "quotes") == [("ETH/USD", "live", "all is as usual again")]


def test_a_venue_in_maintenance_when_we_come_is_stale_until_it_is_over() -> None:
    line = Line(Subscription("quotes", ("BTC/USD",)))
    line.receive(status("maintenance"), ack("book", "BTC/USD", depth=10))
    line.receive(book([("1.0", "1.00")], [("2.0", "1.00")]))
    assert [state for _, state, _ in said(line.items)] == ["syncing", "stale"]
    assert not line.of(Quote)
    line.receive(status("online"))
    assert len(line.of(Quote)) == 1


# --- what outlives a connection


def test_a_single_time_far_ahead_hides_no_later_book() -> None:
    line = Line(Subscription("quotes", ("BTC/USD",)))
    line.receive(book([("1.0", "1.00")], [("2.0", "1.00")], second=1800))  # which is now
    far = book([("1.1", "1.00")], [], kind="update", second=2390,
               whole=([("1.1", "1.00"), ("1.0", "1.00")], [("2.0", "1.00")]))  # fmt: skip
    line.receive(far)
    line.receive(book([("1.2", "1.00")], [], kind="update", second=1801,
                      whole=([("1.2", "1.00"), ("1.1", "1.00"), ("1.0", "1.00")], [("2.0", "1.00")])))  # fmt: skip
    assert [str(one.bid_price) for one in line.of(Quote)][-1] == "1.2"


def test_a_snapshot_from_before_a_change_that_did_not_fit_is_not_shown() -> None:
    line = Line(Subscription("quotes", ("BTC/USD",)))
    old = book([("1.0", "1.00")], [("2.0", "1.00")], second=1800)
    line.receive(old, book([("1.2", "1.00")], [], kind="update", second=1802, checksum=7))
    line.receive(old)  # once more: the venue has said that there is a newer book
    assert said(line.items)[-1][1] == "stale"
    assert [str(one.bid_price) for one in line.of(Quote)] == ["1.0"]
    newer = ([("1.3", "1.00"), ("1.0", "1.00")], [("2.0", "1.00")])
    line.receive(book([("1.3", "1.00")], [], kind="update", second=1803, whole=newer))
    assert [str(one.bid_price) for one in line.of(Quote)] == ["1.0", "1.3"]


def test_a_clock_that_goes_back_by_more_than_a_minute_begins_anew_and_by_less_is_waited_for() -> None:
    clock = VenueClock()
    newest = Newest(clock)
    newest.shows(100_000 * PER_MS, Now(0.0, 100_000), believed=True)
    assert newest.older_by(99_999 * PER_MS) == 1
    assert newest.older_by(100_000 * PER_MS - 1) == 1, "and by less than a millisecond, too"
    clock.went_back += 1
    assert newest.older_by(99_000 * PER_MS) == 1000
    assert newest.older_by(20_000 * PER_MS) == 0


def test_connections_keep_to_the_venues_bound_also_together() -> None:
    first, second = KRAKEN.routes(
        [Subscription("book", ("BTC/USD",), depth=10), Subscription("book", ("BTC/USD",), depth=100)], Settings(url="")
    )
    drivers = [Driver(route, route.subscriptions, venue="kraken") for route in (first, second)]
    dials: list[float] = []
    due = dict.fromkeys(drivers, 0.0)
    while len(dials) < 400:
        driver = min(due, key=lambda one: due[one])
        now = due[driver]
        dials.append(now)
        driver.begin({}, 0.0)  # the shortest pause each time
        driver.opened(Now(now, START))
        driver.closed(1006, "", Now(now + 31, START))  # it lasted, so the pauses begin anew
        driver.closed(1006, "", Now(now, START))
        assert driver.retry_at is not None
        due[driver] = driver.retry_at
    most = max(sum(at <= other < at + 600 for other in dials) for at in dials)
    assert most <= 130


@pytest.mark.parametrize("status_code", [403, 429])
def test_a_ban_by_the_network_is_waited_for(status_code: int) -> None:
    line = Line(Subscription("quotes", ("BTC/USD",)))
    problem = line.route.refused(status_code, "error code: 1015")
    assert isinstance(problem, Lost)
    assert problem.after == 60
    assert isinstance(line.route.refused(404, ""), Refused)


# --- the list of symbols


def listed(*frames: str) -> list[Any]:
    route: Any = KRAKEN.symbol_list(Settings(url="wss://v.example", label="beta"))
    session = route.session({})
    session.opened(Now(0.0, START))
    assert json.loads(session.take()[0])["params"] == {"channel": "instrument", "snapshot": True}
    return [item for frame in frames for item in session.receive(frame.encode(), Now(0.1, START))]


def test_the_list_of_symbols_is_the_snapshot_of_instrument() -> None:
    row = {"symbol": "VET/USDT", "base": "VET", "quote": "USDT", "status": "post_only", "qty_precision": 5}
    data = {"assets": [], "pairs": [row | {"price_increment": 1e-06, "qty_increment": 0.00001, "cost_min": 0.5}]}
    items = listed(
        status("online"),
        HEARTBEAT.decode(),
        '{"method":"subscribe","req_id":1,"result":{"channel":"instrument","snapshot":true},"success":true}',
        json.dumps({"channel": "instrument", "type": "snapshot", "data": data}),
    )
    one, end = items
    assert isinstance(one, Instrument)
    assert (one.symbol, one.base, one.quote, one.kind, one.status) == ("VET/USDT", "VET", "USDT", "spot", "post_only")
    assert (one.price_step, one.size_step) == (Decimal("0.000001"), Decimal("0.00001"))
    assert one.extra == {"qty_precision": 5, "cost_min": Decimal("0.5")}
    assert end == SnapshotEnd(venue="kraken", env="beta", received=START, stream="symbols", count=1)


def test_the_list_of_symbols_is_asked_for_over_the_usual_websocket() -> None:
    for url in ("wss://v.example", "wss://v.example/"):
        route: Any = KRAKEN.symbol_list(Settings(url=url, label="beta"))
        assert route.session({}).dial() == Dial(url="wss://v.example/v2", shown="wss://v.example/v2")


def test_a_list_that_is_refused_or_cannot_be_read() -> None:
    (refused,) = listed('{"error":"Subscription name invalid","method":"subscribe","req_id":1,"success":false}')
    assert isinstance(refused, Refused)
    (bad,) = listed('{"channel":"instrument","type":"snapshot","data":[]}')
    assert isinstance(bad, BadFrame)
    (bad,) = listed('{"channel":"instrument","type":"snapshot","data":{"pairs":[{"symbol":"A/B","qty_increment":-1}]}}')
    assert isinstance(bad, BadFrame)


def test_records_are_records_only() -> None:
    """What every frame of the recording gives is known to the driver."""
    line = book_and_trades()
    line.receive(*captured()[:100])
    assert all(isinstance(item, Record | Confirmed | Notice) or hasattr(item, "ms") for item in line.items)
    assert isinstance(BookFeed.channel, str)
