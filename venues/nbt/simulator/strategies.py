"""The simulated NBT hub's own signals: strategies that open and close, and the account's auto trader.

Some strategies are of other users, some are traded for the account. What the latter open is a traded position. Now and
then the hub closes it (`close_traded_signal`) or stops following it (`stop_traded_signal`) before the strategy does.
"""

from __future__ import annotations

import math
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from venues.simulator.figures import text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venues.simulator.market_events import Side
    from venues.simulator.world import World

_Action: TypeAlias = Literal["signal", "traded", "message", "payload"]

_ROUND: Final[tuple[_Action, ...]] = ("signal",) * 6 + ("traded", "traded", "message", "payload")
_USUAL_RATE: Final = 20.0  # events a second of the market at which the hub says something every 0.3 to 0.8 s
_SOONEST: Final = 300.0
_LATEST: Final = 800.0
_DECIMALS: Final = 8  # of a price, at least


class Strategy(NamedTuple):
    """A strategy on the hub and its owner; `buy_amount`, in quote currency, if it is traded for the account."""

    user_id: str
    nickname: str
    strategy_id: str
    name: str
    score: str
    trading_type: str = ""
    buy_amount: str = ""


STRATEGIES: Final = (
    Strategy("1472", "night_heron", "681", "trend follower", "NA", "real", "250"),
    Strategy("1472", "night_heron", "702", "breakout", "63", "virtual", "100"),
    Strategy("88", "Ἀρχιμήδης", "9", "mean reversion 4h", "12.5"),
    Strategy("2045", "[bold]quant[/bold]", "1110", "grid & scalp", "-7"),
)


class Doings:
    """The hub's own events, each passed to `tell`; `due` is when the next one comes, in milliseconds."""

    def __init__(self, world: World, pairs: Mapping[str, str], rate: float, tell: Callable[[str, Any], None]) -> None:
        self._world = world
        self._pairs = dict(pairs)
        self._tell = tell
        self._random = Random(f"{world.seed} signals")
        self._pace = _USUAL_RATE / rate if rate else math.inf
        self._round: list[_Action] = []
        self._held: dict[tuple[str, str], Side] = {}  # by strategy and pair
        self._traded: dict[tuple[Strategy, str], str] = {}  # the account's positions, with their sizes
        self._signals = 0
        self.due: float = world.stage.now
        self._schedule()

    def step(self) -> None:
        """Make the next event, and draw the time of the one after it."""
        if not self._round:
            self._round = list(_ROUND)
            self._random.shuffle(self._round)
        action = self._round.pop()
        if action == "message":
            count = len(self._held)
            self._tell("message", f"{self._signals} signals so far, {count} positions of {len(STRATEGIES)} strategies")
        elif action == "payload":
            self._tell("user_payload", user_payload())
        elif action == "signal" or not self._over():
            self._signal()
        self._schedule()

    def _schedule(self) -> None:
        self.due += self._random.uniform(_SOONEST, _LATEST) * self._pace

    def _signal(self) -> None:
        """Make a strategy open a position in a pair, or close the one it has."""
        strategy, pair = self._random.choice(STRATEGIES), self._random.choice(list(self._pairs))
        held = self._held.pop((strategy.strategy_id, pair), None)
        side: Side = self._random.choice(("buy", "sell")) if held is None else "sell" if held == "buy" else "buy"
        price = self._world.markets[self._pairs[pair]].best("sell" if side == "buy" else "buy")
        if price is None:
            return
        if held is None:
            self._held[strategy.strategy_id, pair] = side
            if strategy.buy_amount:
                self._traded[strategy, pair] = _size(strategy, price)
        else:
            self._traded.pop((strategy, pair), None)
        self._signals += 1
        data = {**_names(strategy, pair), "price": price_text(price), "new": held is None, "score": strategy.score}
        self._tell(f"{side}_signal", data)

    def _over(self) -> bool:
        """Close a traded position, or stop following it; False if there is none."""
        if not self._traded:
            return False
        strategy, pair = self._random.choice(list(self._traded))
        data = {
            **_names(strategy, pair),
            "trading_type": strategy.trading_type,
            "qty": self._traded.pop((strategy, pair)),
        }
        price = self._world.markets[self._pairs[pair]].best("buy")
        if price is not None and self._random.random() < 0.6:
            self._tell("close_traded_signal", {**data, "close_price": price_text(price)})
        else:
            self._tell("stop_traded_signal", data)
        return True


def user_payload() -> list[dict[str, Any]]:
    """The strategies that are traded for the account, in the form of `user_payload`; all numbers are texts."""
    return [
        {
            "stratid": strategy.strategy_id,
            "trading": True,
            "trading_type": strategy.trading_type,
            "buy_amount": strategy.buy_amount,
            "stop_loss": "3.5",
            "take_profit": "12",
        }
        for strategy in STRATEGIES
        if strategy.buy_amount
    ]


def price_text(price: Decimal) -> str:
    """A price with all its digits and at least eight decimals: `0.92450000`."""
    whole, _, decimals = text(price).partition(".")
    return f"{whole}.{decimals.ljust(_DECIMALS, '0')}"


def _names(strategy: Strategy, pair: str) -> dict[str, Any]:
    return {
        "userid": strategy.user_id,
        "nickname": strategy.nickname,
        "stratid": strategy.strategy_id,
        "stratname": strategy.name,
        "pair": pair,
    }


def _size(strategy: Strategy, price: Decimal) -> str:
    return text((Decimal(strategy.buy_amount) / price).quantize(Decimal("0.00000001")))
