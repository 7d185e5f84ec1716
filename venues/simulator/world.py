"""The simulated world: the markets, the account in them, and their time.

It can be driven without asyncio: `advance` makes everything happen that is due. What happens depends on the seed alone,
not on the length of the steps.
"""

from __future__ import annotations

import asyncio
from operator import attrgetter
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

from venues.simulator.account import Account
from venues.simulator.flow import Flow
from venues.simulator.market import INSTRUMENTS, Market
from venues.simulator.market_events import Stage
from venues.simulator.player import Player, TapeMarket
from venues.simulator.strategy import Strategy
from venues.simulator.tape import Steps, steps_of
from venues.simulator.world_clock import turn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venues.simulator.market import MarketBook
    from venues.simulator.tape import Tape
    from venues.simulator.world_clock import WorldClock

MARKETS: Final = tuple(instrument.name for instrument in INSTRUMENTS)
TAPE_MARKET: Final = "BTC_USDT"
_SLICE_MS: Final = 250  # simulated at a stretch, before the clients' tasks get their turn
_MOST_BEHIND_MS: Final = 60_000
_MOST_AHEAD_MS: Final = 1_000
_SHORTEST_SLEEP: Final = 0.001


class Process(Protocol):
    """Something that acts at its own times; `due` is the next one, in milliseconds since the epoch."""

    due: float

    def step(self) -> None:
        """Acts once, and sets `due` to the time of the next action."""
        ...


_due: Final[Callable[[Process], float]] = attrgetter("due")


class World:
    """All markets by name, the account, and the stage on which their events are told.

    With a tape, `BTC_USDT` plays it instead of the random flow, and the account does not trade there. In a client's
    first `hush` seconds a hub sends it none of its own signals. Every `skip` seconds numbered books leave versions
    out; 0: they never do. `faults` are those with a time, by kind, with their seconds: for endpoints that have some of
    their own.
    """

    def __init__(
        self,
        clock: WorldClock,
        *,
        seed: int,
        rate: float,
        tape: Tape | None = None,
        speed: float = 1.0,
        hush: float = 0.0,
        skip: float = 0.0,
        faults: Mapping[str, float] | None = None,
    ) -> None:
        self.clock: Final = clock
        self.seed: Final = seed
        self.rate: Final = rate
        self.hush: Final = hush
        self.skip: Final = skip
        self.faults: Final = faults or {}
        self.stage: Final = Stage(clock.epoch_ms())
        self.markets: Final[dict[str, MarketBook]] = {}
        self._player: Player | None = None
        if tape is not None:
            taped = TapeMarket(TAPE_MARKET, self.stage)
            self.markets[TAPE_MARKET] = taped
            self._player = Player(tape, taped, clock, speed)
        self._tape = tape
        self._steps = {i.name: Steps(i.tick, i.lot) for i in INSTRUMENTS}
        if tape is not None:
            del self._steps[TAPE_MARKET]
        markets = [Market(i, self.stage) for i in INSTRUMENTS if i.name not in self.markets]
        self.markets.update((market.name, market) for market in markets)
        self.account: Final = Account(self.stage, markets)
        self._processes: list[Process] = []
        for market in markets:
            flow = Flow(market, Random(f"{seed} flow {market.name}"), rate, self.stage.now)
            drawn = Random(f"{seed} account {market.name}")
            self._processes += flow, Strategy(self.account, market, drawn, rate, self.stage.now)

    def advance(self, until_ms: int) -> None:
        """Make everything happen that is due until that time, in order of time."""
        while True:
            first = min(self._processes, key=_due)
            if first.due > until_ms:
                break
            self.stage.now = int(first.due)
            try:
                first.step()
            except Exception as error:
                if not self.stage.failed(error):
                    raise
                self._processes.remove(first)
        self.stage.now = max(self.stage.now, until_ms)

    def add(self, process: Process) -> None:
        """Add a process, which acts in this world from now on."""
        self._processes.append(process)

    def steps(self, market: str) -> Steps:
        """The tick and the lot of a market: its prices and sizes are whole multiples of them."""
        if market not in self._steps and self._tape is not None:
            self._steps[market] = steps_of(self._tape)
        return self._steps[market]

    def joined(self, market: str) -> None:
        """To be called when a client comes to a market: starts the tape there."""
        if market == TAPE_MARKET and self._player is not None:
            self._player.begin()

    async def run(self) -> None:
        """Drive the world by its clock until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                if self._player is not None:
                    group.create_task(self._player.run())
                group.create_task(self._drive())
        except ExceptionGroup as group_of_one:
            raise group_of_one.exceptions[0] from None

    async def _drive(self) -> None:
        while True:
            now = self.clock.epoch_ms()
            # After the machine has slept, or its clock was set, the world goes on where it was and skips that time.
            if not -_MOST_AHEAD_MS <= now - self.stage.now <= _MOST_BEHIND_MS:
                self._shift(now - self.stage.now)
            self.advance(max(self.stage.now, min(now, self.stage.now + _SLICE_MS)))
            if self.stage.now < now:
                await turn()
            else:
                wait = (min(map(_due, self._processes)) - self.clock.epoch_ms()) / 1000
                await self.clock.sleep(max(_SHORTEST_SLEEP, min(wait, 1.0)))

    def _shift(self, milliseconds: int) -> None:
        self.stage.now += milliseconds
        for process in self._processes:
            process.due += milliseconds
