"""A small SignalR client of the tests' own, and what a client that only follows the document makes of the streams."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from websockets.asyncio.client import ClientConnection, connect

from .support import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from venues.simulator import Simulator

    from .support import Sides

TRADING = "/frontoffice/ws/v4/account"
ACCOUNT = "/frontoffice/ws/v3/account"
MARKET = "/marketdata/v5/info"
END = "\x1e"
OPEN_ORDER = {"Started", "Pending", "Working"}
GONE_ORDER = {"Completed", "Cancelled", "Rejected", "Expired"}

Item = Any
Row = dict[str, Any]


def account_id(simulator: Simulator) -> str:
    return simulator.credentials("b2trader")["account_id"]


def hub_url(simulator: Simulator, path: str, query: str | None = None) -> str:
    token = simulator.credentials("b2trader")["token"]
    return f"{simulator.url('b2trader')}{path}?{f'access_token={token}' if query is None else query}"


def dial(simulator: Simulator, path: str, query: str | None = None, **options: Any) -> connect:
    options = {"max_size": 64 * 1024 * 1024, "max_queue": None, **options}
    return connect(hub_url(simulator, path, query), proxy=None, ping_interval=None, **options)


class Hub:
    """A connection to one hub; `items` are those of each invocation, `frames` all frames as they came."""

    def __init__(self, simulator: Simulator, path: str, query: str | None = None, **options: Any) -> None:
        self.account = account_id(simulator)
        self.frames: list[str] = []
        self.items: dict[str, list[Item]] = defaultdict(list)
        self.completions: dict[str, Row] = {}
        self.closing: Row | None = None
        self.pings = 0
        self._next = 0
        self._barriers = 0
        self._dial = dial(simulator, path, query, **options)

    async def __aenter__(self) -> Self:
        self.socket: ClientConnection = await self._dial.__aenter__()
        await self.say({"protocol": "json", "version": 1})
        async with asyncio.timeout(PATIENCE):
            assert await self.socket.recv() == "{}" + END
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._dial.__aexit__(*error)

    async def say(self, *messages: Any) -> None:
        await self.socket.send("".join(json.dumps(message) + END for message in messages))

    async def stream(self, target: str, *arguments: Any) -> str:
        """Ask for a stream, and wait for its first item or its refusal."""
        invocation = str(self._next)
        self._next += 1
        await self.say(
            {"type": 4, "invocationId": invocation, "target": target, "arguments": [self.account, *arguments]}
        )
        await self.until(lambda: bool(self.items[invocation]) or invocation in self.completions)
        return invocation

    async def cancel(self, invocation: str) -> None:
        await self.say({"type": 5, "invocationId": invocation})
        await self.until(lambda: invocation in self.completions)

    async def sync(self) -> None:
        """Everything that the hub had to say until now has been read when this returns."""
        self._barriers += 1
        name = f"barrier {self._barriers}"
        await self.say({"type": 1, "invocationId": name, "target": "none", "arguments": []})
        await self.until(lambda: name in self.completions)

    async def until(self, found: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not found():
                self.take(await self.socket.recv())

    def take(self, frame: str | bytes) -> None:
        assert isinstance(frame, str)
        self.frames.append(frame)
        *messages, rest = frame.split(END)
        assert rest == "", "whole messages"
        for text in messages:
            message = json.loads(text)
            match message["type"]:
                case 2:
                    assert list(message) == ["type", "invocationId", "item"]
                    assert message["invocationId"] not in self.completions
                    self.items[message["invocationId"]].append(message["item"])
                case 3:
                    assert message["invocationId"] not in self.completions
                    self.completions[message["invocationId"]] = message
                case 6:
                    assert list(message) == ["type"]
                    self.pings += 1
                case _:
                    assert message["type"] == 7
                    self.closing = message


class Book:
    """A book from Book items: versions count by one, rows are applied in order."""

    def __init__(self) -> None:
        self.version: int | None = None
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}
        self.totals = [Decimal(0), Decimal(0)]
        self.twice = self.removals = self.unordered = 0

    def apply(self, item: Row) -> None:
        version = int(item["version"])
        if item["snapshot"]:
            self.bids.clear()
            self.asks.clear()
            self.totals = [Decimal(0), Decimal(0)]
        else:
            assert self.version is not None
            assert version == self.version + 1
        self.version = version
        for at, (side, rows) in enumerate(((self.bids, item["bids"]), (self.asks, item["asks"]))):
            self.totals[at] += self._rows(side, rows)
        assert not self.bids or not self.asks or max(self.bids) < min(self.asks), "crossed"
        assert [Decimal(item[name]) for name in ("bidTotalAmount", "askTotalAmount")] == self.totals

    @property
    def sides(self) -> Sides:
        return self.bids, self.asks

    def _rows(self, side: dict[Decimal, Decimal], rows: list[Row]) -> Decimal:
        """Apply rows; by how much the side has grown."""
        grown = Decimal(0)
        prices = [Decimal(row["price"]) for row in rows]
        self.twice += len(set(prices)) < len(prices)
        self.unordered += prices not in (sorted(prices), sorted(prices, reverse=True))
        for row in rows:
            assert list(row) == ["price", "amount", "total"]
            price, amount = Decimal(row["price"]), Decimal(row["amount"])
            assert Decimal(row["total"]) == price * amount
            grown += amount - side.pop(price, Decimal(0))
            if amount:
                side[price] = amount
            else:
                self.removals += 1
        return grown


class Held:
    """What a client knows of the account from the five account streams."""

    def __init__(self) -> None:
        self.orders: dict[str, Row] = {}
        self.positions: dict[str, Row] = {}
        self.closed: dict[tuple[str, str], Row] = {}
        self.balances: dict[str, Row] = {}
        self.margin: Row = {}
        self.over = self.updates = 0

    def take(self, target: str, items: Iterable[Item]) -> None:
        for item in items:
            getattr(self, f"_{target}")(item)
            self.updates += 1

    def check(self) -> None:
        """What must hold whenever the streams agree."""
        figures = {name: Decimal(figure) for name, figure in self.margin.items()}
        pnl, used = figures["unrealizedPnlInRAT"], figures["usedMarginInRAT"]
        assert figures["equityInRAT"] == figures["marginBalanceInRAT"] + pnl
        assert figures["freeMarginInRAT"] == figures["equityInRAT"] - used
        assert pnl == sum(Decimal(row["unrealizedPnlTotalInRAT"]) for row in self.positions.values())
        assert used == sum(Decimal(row["usedMarginInRAT"]) for row in self.positions.values())
        level = figures["equityInRAT"] / used if used else Decimal(0)
        assert 0 <= level - figures["marginLevel"] < Decimal("0.0001")
        for row in self.balances.values():
            assert Decimal(row["total"]) == Decimal(row["available"]) + Decimal(row["locked"])

    def _OpenOrders(self, rows: list[Row]) -> None:  # noqa: N802 - the target's name
        for row in rows:
            if row["status"] in OPEN_ORDER:
                self.orders[row["orderId"]] = row
            else:
                assert row["status"] in GONE_ORDER
                assert self.orders.pop(row["orderId"])["createdAt"] == row["createdAt"]

    def _OpenPositions(self, item: Row) -> None:  # noqa: N802
        if item["snapshot"]:
            self.positions.clear()
        for row in item["item"]:
            if row["status"] == "Open":
                assert Decimal(row["positionLotAmount"]) > 0
                self.positions[row["positionId"]] = row
            else:
                assert (row["status"], row["positionLotAmount"]) == ("Closed", "0")
                del self.positions[row["positionId"]]
                self.over += 1

    def _ClosePositionsOrders(self, rows: list[Row]) -> None:  # noqa: N802
        for row in rows:
            self.closed[row["orderId"], row["positionId"]] = row

    def _FullBalance(self, rows: list[Row]) -> None:  # noqa: N802
        assert rows
        for row in rows:
            assert self.balances.get(row["assetId"]) != row, "only what has changed"
            self.balances[row["assetId"]] = row

    def _MarginData(self, item: Row) -> None:  # noqa: N802
        assert item != self.margin, "only when it has changed"
        self.margin = item
