"""Markets that are nearly always quiet: most of the venue's books change every few minutes, if at all.

They belong to this venue alone, so their trades and changes are told to whoever watches here, not to the world's stage.
"""

from __future__ import annotations

import math
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Final

from venues.simulator.market_events import Level, Trade

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from venues.simulator.market_events import Side
    from venues.simulator.world import World

MEAN_SILENCE: Final = 600.0  # seconds between two changes of one market: nine of ten say nothing in a minute
_SPOT: Final = (
    "AAVE ADA ALGO APE APT AR ARB ATOM AVAX AXS BCH BNB BONK CAKE CRV DOGE DOT DYDX EGLD ENA ENS ETC FET FIL FLOW FTM "
    "GALA GMX GRT HBAR ICP IMX INJ JASMY JTO JUP KAVA LDO LINK LTC MANA MATIC MINA MKR NEAR OP ORDI PENDLE PEPE PYTH "
    "QNT RENDER ROSE RUNE SAND SEI SHIB SNX STRK STX SUI TIA TON TRX UNI VET WIF WOO XLM XRP"
)
_PERP: Final = f"BTC ETH SOL {_SPOT} 1000PEPE 1000SATS BLUR KSM"  # the last four have no symbol for their index
SYMBOLS: Final = (
    *(f"SPOT_{base}_USDT" for base in _SPOT.split()),
    *(f"PERP_{base}_USDT" for base in _PERP.split()),
)

_LEVELS: Final = 12  # a side, at first
_MOST_LOTS: Final = 5_000


class QuietMarket:
    """A market of few levels; a `MarketBook`. `changed` is when the book changed last."""

    def __init__(self, name: str, seed: int, now: int, start: Decimal | None = None) -> None:
        """`start`: around which price it trades, another one for each market unless it is given."""
        self.name: Final = name
        self.changes = 0
        self.changed = now - 90_000
        self.last: Trade | None = None
        self._random = Random(f"{seed} quiet {name}")
        price = 10 ** self._random.uniform(-3, 3) if start is None else float(start)
        places = max(0, 4 - math.floor(math.log10(price)))
        self.tick: Final = Decimal(1).scaleb(-places)
        self.lot: Final = Decimal(1).scaleb(-max(0, min(4, 2 + math.floor(math.log10(price)))))
        middle, apart = round(price * 10**places), round(price * 10**places * 0.002)
        self._sides: dict[Side, dict[int, int]] = {"buy": {}, "sell": {}}  # ticks -> lots
        for number in range(_LEVELS):
            self._sides["buy"][middle - apart * (number + 1)] = self._lots()
            self._sides["sell"][middle + apart * (number + 1)] = self._lots()
        self._trades = 0

    def levels(self, side: Side) -> Sequence[Level]:
        """All levels of a side, best first."""
        held = self._sides[side]
        prices = sorted(held, reverse=side == "buy")
        return [Level(self.tick * ticks, self.lot * held[ticks], 1) for ticks in prices]

    def best(self, side: Side) -> Decimal | None:
        """The best price of a side, None when it is empty."""
        held = self._sides[side]
        return self.tick * (max(held) if side == "buy" else min(held)) if held else None

    def total(self, side: Side) -> Decimal:
        """The sum of a side's sizes."""
        return self.lot * sum(self._sides[side].values())

    def change(self, now: int) -> Trade | None:
        """Change the book once: a size, a level less, a level more, or a trade, which is returned."""
        side: Side = self._random.choice(("buy", "sell"))
        held = self._sides[side]
        self.changes += 1
        self.changed = now
        drawn = self._random.random()
        best = max(held) if side == "buy" else min(held)
        if drawn < 0.3:
            return self._trade(side, best, now)
        if drawn < 0.5 and len(held) > _LEVELS // 2:
            del held[self._random.choice(list(held))]
        elif drawn < 0.7:
            other = self._sides["sell" if side == "buy" else "buy"]
            edge = min(other) if side == "buy" else max(other)
            away = self._random.randint(1, abs(best - edge) * 2)
            held[edge - away if side == "buy" else edge + away] = self._lots()
        else:
            held[self._random.choice(list(held))] = self._lots()
        return None

    def _trade(self, resting: Side, ticks: int, now: int) -> Trade:
        held = self._sides[resting]
        lots = self._random.randint(1, held[ticks])
        held[ticks] -= lots
        if not held[ticks]:
            del held[ticks]
            if not held:  # a side is never empty here, so that there is always a price
                held[ticks] = self._lots()
        self._trades += 1
        taker: Side = "sell" if resting == "buy" else "buy"
        self.last = Trade(self.name, now, self._trades, self.tick * ticks, self.lot * lots, taker)
        return self.last

    def _lots(self) -> int:
        return self._random.randint(1, _MOST_LOTS)


class Murmur:
    """The process that changes one quiet market or another now and then; `due` is when, as a `Process` of the world."""

    def __init__(
        self, world: World, markets: Mapping[str, QuietMarket], tell: Callable[[str, Trade | None], None]
    ) -> None:
        """`tell` is called with the symbol after each change of its book, and with its trade if there was one."""
        self._world = world
        self._markets = markets
        self._names = sorted(markets)
        self._tell = tell
        self._random = Random(f"{world.seed} murmur")
        self.due = float(world.stage.now)
        self._schedule()

    def step(self) -> None:
        """Change one market."""
        name = self._random.choice(self._names)
        self._tell(name, self._markets[name].change(self._world.stage.now))
        self._schedule()

    def _schedule(self) -> None:
        rate = len(self._names) / MEAN_SILENCE if self._world.rate else 0.0
        self.due += self._random.expovariate(rate) * 1000 if rate else math.inf
