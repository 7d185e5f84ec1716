"""Rows of every account stream and of the market's: ordinary ones, hostile ones, and the widest."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import structs

from cli.views.feed import Numbered
from tests.drawn import HOSTILE, NOW, levels
from venues import records
from venues.records import SnapshotEnd, State, Status
from venues.streams import STREAMS

PARTIAL = ("orders", "positions")
OLD = NOW - 300


def common(**fields: Any) -> dict[str, Any]:
    return {"venue": "nexus", "env": "sim", "symbol": "SPOT_BTC_USDT", "time": OLD - 10, "received": OLD, **fields}


def numbers(**texts: str) -> dict[str, Decimal]:
    return {name: Decimal(text) for name, text in texts.items()}


BOOK = records.Book(
    **common(
        bids=levels(("64998.52", "0.0498"), ("64997", "12")), asks=levels(("65000.14", "0.0089"), ("65001", "100"))
    )
)
TRADES = [
    records.Trade(**common(time=NOW - 15_000 * n, price=Decimal(f"6500{n}.5"), size=Decimal("0.1") * n, side=side))
    for n, side in ((3, "buy"), (2, "sell"), (1, "buy"))
]
CANDLE = records.Candle(
    **common(
        interval="1m",
        start=NOW // 60_000 * 60_000,
        end=NOW // 60_000 * 60_000 + 60_000,
        closed=False,
        complete=True,
        **numbers(open="100", high="101.5", low="99.25", close="100.5", volume="3"),
    )
)


def order(order_id: str, **fields: Any) -> records.Order:
    return records.Order(**common(**{"order_id": order_id, "status": "new", "change": "update", **fields}))


def position(name: str, **fields: Any) -> records.Position:
    made = {"position_id": name, "currency": "USD", "size_unit": "lots", "change": "snapshot", "size": Decimal(1)}
    return records.Position(**common(**{**made, **fields}))


def closed(order_id: str, **fields: Any) -> records.ClosedPosition:
    made = {
        "order_id": order_id,
        "position_id": f"p{order_id}",
        "currency": "USD",
        "change": "snapshot",
        "size": Decimal(1),
    }
    return records.ClosedPosition(**common(**{**made, "closed": NOW - 3_600_000, **fields}))


def balance(asset: str, *figures: str) -> records.Balance:
    named = dict(zip(("total", "available", "locked"), map(Decimal, figures), strict=False))
    return records.Balance(**common(asset=asset, change="snapshot", **named))


def ticker(symbol: str, **fields: Any) -> records.Ticker:
    return records.Ticker(**common(symbol=symbol, **fields))


def fill(fill_id: str, **fields: Any) -> records.Fill:
    return records.Fill(**common(**{"fill_id": fill_id, "order_id": "254558", "side": "sell", **fields}))


def signal(name: str, **fields: Any) -> records.Signal:
    return records.Signal(**common(**{"name": name, "time": None, **fields}))


def message(number: int, topic: str, data: Any) -> Numbered:
    return Numbered(**common(time=None, symbol=None, topic=topic, data=data, number=number))


SIGNALS = [
    signal("buy_signal", action="enter", side="long", price=Decimal("0.9245"), strategy="grid", user="ann"),
    signal("close_traded_signal", action="close", symbol="GXSUSDT", size=Decimal("12.5")),
]
MESSAGES = [
    message(1, "merton_theo", {"sym": "XBT", "theo": Decimal("65000.125"), "diff_bps": Decimal("-1.5")}),
    message(2, "merton_theo", {"sym": "XBT", "theo": Decimal("65000.25"), "diff_bps": Decimal("1.5")}),
    message(1, "empty", None),
]

# Views that are no stream's only one, and what they draw.
STREAM_OF = {"tail": "feed", "bot": "signals"}
TINY, HUGE, PRECISE = Decimal("1e-12"), Decimal("1e12"), Decimal("123456789012345678.123456789012345678")

# Of each stream: what an ordinary state looks like, and the widest and the most hostile rows.
LIVE: dict[str, list[Any]] = {
    "orders": [
        order(
            "254558",
            side="sell",
            order_type="LIMIT",
            status="partially_filled",
            **numbers(price="123", size="0.1", filled="0.05", last_price="124"),
        ),
        order("254559", side="buy", order_type="LIMIT", **numbers(price="120.5", size="2")),
        order("254560", side="buy", status="cancelled", change="remove"),
    ],
    "positions": [
        position(
            "a",
            side="short",
            **numbers(
                size="0.25",
                entry_price="64000",
                market_price="65000.5",
                unrealized_pnl="-250.125",
                unrealized_pnl_pct="-1.56",
                used_margin="1600",
                leverage="10",
            ),
        ),
        position(
            "b",
            symbol="ETH",
            side="long",
            **numbers(
                size="12",
                entry_price="2900.1",
                market_price="3000",
                unrealized_pnl="1198.8",
                unrealized_pnl_pct="3.44",
                used_margin="3480.12",
                leverage="10",
            ),
        ),
        position(
            "c", symbol="XRP", side="long", **numbers(size="0", unrealized_pnl="5", used_margin="1"), change="remove"
        ),
    ],
    "closed": [
        closed("1", side="long", reason="Trader", **numbers(open_price="1.5", close_price="2", realized_pnl="0.5")),
        closed("2", side="short", reason="StopLoss", **numbers(open_price="1.5", close_price="2", realized_pnl="-0.5")),
    ],
    "balance": [balance("BTC", "1.50000001", "1", "0.50000001"), balance("USDT", "100000.5", "99000", "1000.5")],
    "margin": [
        records.Margin(
            **common(
                currency="USD",
                **numbers(
                    balance="10000",
                    equity="9749.875",
                    unrealized_pnl="-250.125",
                    used="6500",
                    free="3249.875",
                    level_pct="149.99",
                ),
            )
        )
    ],
    "fills": [
        fill("5", **numbers(price="124", size="0.05")),
        fill("6", side="buy", **numbers(price="65000.25", size="1")),
    ],
    "ticker": [
        ticker("BTC", name="Bitcoin", **numbers(last="65000.5", high="66000", low="64000.25", change_pct="-1.25")),
        ticker(
            "ETH",
            name="Ether",
            **numbers(last="3000", high="3100.5", low="2900", change_pct="2.5", funding_rate="0.0001"),
        ),
    ],
    "quotes": [records.Quote(**common(**numbers(bid_price="64998.52", bid_size="0.0498", ask_price="65000")))],
    "ping": [
        records.Pong(**common(time=None, round_trip_ms=time, received=NOW - 1000 * n))
        for n, time in ((2, 40.5), (1, 12.25))
    ],
}
HOSTILES: dict[str, Any] = {
    "orders": order(HOSTILE, side="buy", order_type=HOSTILE * 9, symbol="漢字" * 9),
    "positions": position(HOSTILE, symbol=HOSTILE, currency=HOSTILE, size_unit=HOSTILE, unrealized_pnl=Decimal(1)),
    "closed": closed(HOSTILE, symbol=HOSTILE, reason="漢字" * 30, currency=HOSTILE, side="long"),
    "balance": balance(HOSTILE, "1", "1", "0"),
    "margin": records.Margin(**common(currency=HOSTILE, **numbers(equity="-1", used="5", level_pct="-20"))),
    "fills": fill(HOSTILE, order_id=HOSTILE, symbol="漢字" * 9, **numbers(price="1", size="1")),
    "ticker": ticker(HOSTILE, name=HOSTILE * 9, last=Decimal(1)),
    "quotes": records.Quote(**common(symbol=HOSTILE * 2, ask_price=Decimal(1))),
    "ping": records.Pong(**common(time=None, symbol=HOSTILE, round_trip_ms=1e9)),
}
EXTREMES: dict[str, list[Any]] = {
    "orders": [order("1", side="buy", price=TINY, size=PRECISE), order("2", side="sell", price=HUGE, size=TINY)],
    "positions": [
        position(
            "1",
            side="long",
            size=PRECISE,
            entry_price=TINY,
            market_price=HUGE,
            unrealized_pnl=PRECISE,
            used_margin=HUGE,
        ),
        position("2", side="short", size=TINY, unrealized_pnl=-HUGE),
    ],
    "closed": [closed("1", side="long", size=PRECISE, open_price=TINY, close_price=HUGE, realized_pnl=-PRECISE)],
    "balance": [balance("A", str(PRECISE), str(TINY), str(PRECISE - TINY)), balance("B", "1e12", "0", "1e12")],
    "margin": [
        records.Margin(**common(equity=PRECISE, balance=HUGE, used=TINY, level_pct=Decimal("1e38"), currency="USD"))
    ],
    "fills": [fill("1", price=TINY, size=PRECISE), fill("2", price=HUGE, size=TINY)],
    "ticker": [ticker("A", last=TINY, high=HUGE, low=TINY, change_pct=-HUGE), ticker("B", last=HUGE)],
    "quotes": [records.Quote(**common(bid_price=TINY, bid_size=PRECISE, ask_price=HUGE, ask_size=TINY))],
    "ping": [
        records.Pong(**common(time=None, round_trip_ms=0.01)),
        records.Pong(**common(time=None, round_trip_ms=123456789.5)),
    ],
}


LIVE |= {"book": [BOOK], "trades": TRADES, "candles": [CANDLE], "signals": SIGNALS, "feed": MESSAGES, "tail": MESSAGES,
         "bot": [*SIGNALS, *MESSAGES]}  # fmt: skip
HOSTILES |= {
    "book": structs.replace(BOOK, price_unit=HOSTILE, size_unit="漢字" * 9),
    "trades": structs.replace(TRADES[0], price_unit=HOSTILE, size_unit=HOSTILE),
    "candles": structs.replace(CANDLE, interval=HOSTILE, price_unit="漢字" * 9, size_unit=HOSTILE),
    "signals": signal(HOSTILE, symbol=HOSTILE, strategy="漢字" * 30, user=HOSTILE),
    "feed": message(1, HOSTILE, {HOSTILE: "漢字" * 90}),
    "tail": message(1, "漢字" * 30, HOSTILE * 9),
    "bot": message(1, HOSTILE, ["漢字" * 90, HOSTILE]),
}
EXTREMES |= {
    "book": [
        structs.replace(
            BOOK,
            bids=levels((str(TINY), str(PRECISE)), ("5e-13", "1e-12")),
            asks=levels((str(HUGE), "1e-12"), (str(HUGE * 2), str(PRECISE))),
        )
    ],
    "trades": [
        structs.replace(TRADES[0], price=TINY, size=PRECISE),
        structs.replace(TRADES[1], price=HUGE, size=TINY),
    ],
    "candles": [structs.replace(CANDLE, open=TINY, high=HUGE, low=TINY, close=HUGE, volume=PRECISE)],
    "signals": [signal("new_signal", price=TINY, size=PRECISE, mid=HUGE, bid=TINY, quote=[TINY, HUGE])],
    "feed": [message(1, "theo", {"theo": HUGE, "size": PRECISE, "diff": TINY})],
    "tail": [message(1, "theo", {"theo": HUGE, "size": PRECISE, "diff": TINY})],
    "bot": [signal("new_signal", size=PRECISE, mid=HUGE, quote=[TINY, HUGE])],
}


def status(stream: str, state: State, **fields: Any) -> Status:
    return Status(**common(**{"time": None, "stream": stream, "state": state, **fields}))


def full(stream: str, count: int) -> list[Any]:
    keyed = STREAMS[STREAM_OF.get(stream, stream)].keyed and stream not in PARTIAL
    return [SnapshotEnd(**common(stream=stream, count=count, time=None))] if keyed else []


def cases(stream: str) -> dict[str, list[Any]]:
    """Name → what came."""
    live = [status(stream, "live", received=NOW - 12_000), *LIVE[stream]]
    down = status(stream, "reconnecting", reason="the connection was lost", attempt=4, retry_in_ms=3000)
    return {
        "live": live,
        "connecting": [],
        "syncing": [status(stream, "syncing")],
        "empty": [status(stream, "live"), *full(stream, 0)],
        "stale": [*live, status(stream, "stale", reason="gap")],
        "reconnecting": [*live, down],
        "closed": [*live, status(stream, "closed", reason="refused")],
        "hostile": [status(stream, "live"), HOSTILES[stream]],
        "extremes": [status(stream, "live"), *EXTREMES[stream]],
    }
