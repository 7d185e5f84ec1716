"""The world that the soak is judged by: the simulator of all venues in a process of its own, which tells the truth.

    python -m tests.soak.world --seed 1 --rate 3

It prints JSON lines. The first is its port; then come what is true from now on, one line a change, with the monotonic
time, which all processes of a machine share. On stdin it takes `calm`, after which nothing happens at the markets any
more, and `truth`, which is answered by all that is true. Its end of stdin ends it.

What it tells comes from the matching engine and the account, not from the frames that the venues' endpoints make of
them, nor from `mon`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from tests.simulated import environment
from venues.b2trader.simulator.text import ulid
from venues.nbt.simulator.endpoint import Nbt
from venues.nbt.simulator.strategies import Doings
from venues.simulated import endpoints
from venues.simulator import Simulator
from venues.simulator.flow import Flow
from venues.simulator.market_events import BookChange, Event, Holding, Level, OrderUpdate, Trade
from venues.simulator.strategy import Strategy

TICK = 0.25  # seconds between two lines that only say how far the truth is told
DEPTH = 20  # levels of a book that are compared


class World:
    """The simulator, and what is true in it."""

    def __init__(self, seed: int, rate: float) -> None:
        self.hubs: list[Any] = []
        hubs = self.hubs

        class Hub(Nbt):
            """The NBT hub, whose positions can be asked for."""

            def __init__(self, world: Any) -> None:
                super().__init__(world)
                hubs.append(self._hub)

        classes = [Hub if one is Nbt else one for one in endpoints()]
        self.simulator = Simulator(classes, seed=seed, rate=rate)
        self.world = self.simulator.world
        self._told: dict[tuple[str, ...], Any] = {}
        self.world.stage.listen(self._hear)

    async def run(self) -> None:
        """Serve until stdin ends."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        async with self.simulator:
            symbols = {one.name: dict(one.symbols) for one in endpoints()}
            tell({"port": self.simulator.port, "env": environment(self.simulator.port), "symbols": symbols})
            for market in self.world.account.positions:
                self._state(market)
            ticks = asyncio.create_task(_ticks())
            while line := await reader.readline():
                if line.strip() == b"calm":
                    self.calm()
                elif line.strip() == b"truth":
                    tell({"truth": self.truth()})
            ticks.cancel()

    def calm(self) -> None:
        """Let nothing happen any more at the markets, on the account and at the hub by itself."""
        for process in self.world._processes:
            if isinstance(process, Flow | Strategy | Doings):
                process.due = math.inf

    def truth(self) -> dict[str, Any]:
        """All that is true now."""
        account, markets = self.world.account, self.world.markets
        margin = account.margin()
        return {
            "books": {
                name: {"bids": _rows(markets[name].levels("buy")), "asks": _rows(markets[name].levels("sell"))}
                for name in account.positions
            },
            "last": {name: _last(markets[name].last) for name in account.positions},
            "balances": {one.asset: [one.total, one.available, one.locked] for one in account.balances.values()},
            "positions": {
                name: {
                    "holding": one.holding,
                    "entry_price": one.open_price,
                    "unrealized_pnl": account.unrealised(one),
                    "used_margin": one.used_margin,
                    "market_price": account.market_price(one),
                }
                for name, one in account.positions.items()
                if one.holding
            },
            "margin": {
                "balance": margin.balance,
                "equity": margin.equity,
                "used": margin.used,
                "free": margin.free,
                "unrealized_pnl": margin.unrealised,
            },
            "orders": [
                {
                    "id": one.order_id,
                    "ulid": ulid(one.created, one.order_id),
                    "market": one.market,
                    "side": one.side,
                    "price": one.price,
                    "size": one.size,
                    "filled": one.filled,
                }
                for one in account.open_orders()
            ],
            "fills": account._next_fill - 1,
            "closed": {
                ulid(one.opened, one.position_id) + " " + ulid(one.ordered, one.order_id): abs(one.holding)
                for one in account.closed.values()
            },
            "hub": [[strategy, pair, side] for (traded, strategy, pair), side in self._held() if not traded],
        }

    def _held(self) -> list[tuple[tuple[bool, str, str], str]]:
        return list(self.hubs[0]._held.items())

    def _hear(self, event: Event) -> None:
        if isinstance(event, Trade):
            tell(
                {"is": ["trade", event.market], "at": time.monotonic(), "value": [event.price, event.size, event.time]}
            )
        elif isinstance(event, OrderUpdate):
            tell({"is": ["order", str(event.order_id)], "at": time.monotonic(), "value": [event.filled]})
            ours = ulid(event.created, event.order_id)
            tell({"is": ["order", ours], "at": time.monotonic(), "value": [event.filled]})
        elif isinstance(event, Holding):
            self._is(("position", event.market), [event.holding])
        elif isinstance(event, BookChange) and event.market in self.world.account.positions:
            self._state(event.market)

    def _state(self, market: str) -> None:
        """What one order may have changed."""
        account, book = self.world.account, self.world.markets[market]
        bid, ask = book.levels("buy")[0], book.levels("sell")[0]
        self._is(("top", market), [bid.price, bid.size, ask.price, ask.size])
        self._is(("position", market), [account.positions[market].holding])
        for one in account.balances.values():
            self._is(("balance", one.asset), [one.total, one.available])
        margin = account.margin()
        self._is(("margin",), [margin.balance, margin.equity, margin.used, margin.free])

    def _is(self, key: tuple[str, ...], value: list[Decimal]) -> None:
        if self._told.get(key) != value:
            self._told[key] = value
            tell({"is": key, "at": time.monotonic(), "value": value})


def tell(told: dict[str, Any]) -> None:
    """A line. Decimals go as texts, so that no digit is lost."""
    sys.stdout.write(json.dumps(told, default=_plain) + "\n")
    sys.stdout.flush()


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"expected a number, got {type(value).__name__}")


def _rows(levels: Sequence[Level]) -> list[list[Decimal]]:
    return [[level.price, level.size] for level in levels[:DEPTH]]


def _last(trade: Trade | None) -> list[Decimal] | None:
    return None if trade is None else [trade.price, trade.size]


async def _ticks() -> None:
    while True:
        tell({"tick": time.monotonic()})
        await asyncio.sleep(TICK)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.world", description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=3.0, help="events a second and market")
    given = parser.parse_args()
    asyncio.run(World(given.seed, given.rate).run())


if __name__ == "__main__":
    main()
