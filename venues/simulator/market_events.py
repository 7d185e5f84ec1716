"""The events of the simulated world, and the stage that tells them to listeners.

Prices and sizes are exact decimals in quote and base units, times milliseconds since the epoch, UTC.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable

Side = Literal["buy", "sell"]
OrderType = Literal["limit", "market"]
OrderStatus = Literal["new", "partially_filled", "filled", "cancelled"]

OPPOSITE: Final[dict[Side, Side]] = {"buy": "sell", "sell": "buy"}


class Level(Struct, frozen=True, eq=False):
    """One price level. Compared by identity: while nothing in it changes, the same object comes again."""

    price: Decimal
    size: Decimal
    orders: int


class Trade(Struct, frozen=True):
    """One trade of a market; `side` is the taker's."""

    market: str
    time: int
    trade_id: int
    price: Decimal
    size: Decimal
    side: Side


class Fill(Struct, frozen=True):
    """One trade of the account's order `order_id`; `fill_id` is unique in the account."""

    market: str
    time: int
    fill_id: int
    order_id: int
    price: Decimal
    size: Decimal
    side: Side


class OrderUpdate(Struct, frozen=True):
    """An order of the account as it is now.

    `price` is None for a market order. `executed_price` and `executed_size` are those of the fill that this update
    is about, and 0 when it is about none; `filled` is the sum of the fills so far, `cost` that of price times size.
    """

    market: str
    time: int
    order_id: int
    side: Side
    order_type: OrderType
    price: Decimal | None
    size: Decimal
    filled: Decimal
    cost: Decimal
    status: OrderStatus
    created: int
    executed_price: Decimal
    executed_size: Decimal


class Holding(Struct, frozen=True):
    """The account's net position in a market has changed: above 0 is long, below 0 short."""

    market: str
    time: int
    holding: Decimal


class BookChange(Struct, frozen=True):
    """The book of a market has changed; one event for all changes that one order makes.

    `bids` and `asks` are the changed prices with their new sizes, 0 for none. With `whole` they are empty, because
    everything was replaced. It is the last event of an order, so orders, fills, positions and book agree then.
    """

    market: str
    time: int
    bids: tuple[tuple[Decimal, Decimal], ...] = ()
    asks: tuple[tuple[Decimal, Decimal], ...] = ()
    whole: bool = False


Event: TypeAlias = Trade | Fill | OrderUpdate | Holding | BookChange


class Stage:
    """The world's time, and the listeners of its events.

    A listener that raises is heard of by `failed`, which says whether the world goes on without it; else it stops.
    """

    def __init__(self, now: int) -> None:
        self.now = now
        self.failed: Callable[[Exception], bool] = _stops
        self._listeners: dict[object, tuple[Callable[[Event], None], str | None]] = {}
        self._of_market: dict[
            str, tuple[tuple[object, Callable[[Event], None]], ...]
        ] = {}  # while nobody comes or goes

    def emit(self, event: Event) -> None:
        """Tell every listener of the event's market, in the order in which they joined."""
        for token, listener in self._of_market.get(event.market) or self._those_of(event.market):
            try:
                listener(event)
            except Exception as error:
                if not self.failed(error):
                    raise
                self._leave(token)

    def listen(self, listener: Callable[[Event], None], market: str | None = None) -> Callable[[], None]:
        """Call `listener` with every event from now on, or those of one market; the returned function ends that."""
        token = object()
        self._listeners[token] = listener, market
        self._of_market.clear()
        return partial(self._leave, token)

    def _leave(self, token: object) -> None:
        self._listeners.pop(token, None)
        self._of_market.clear()

    def _those_of(self, market: str) -> tuple[tuple[object, Callable[[Event], None]], ...]:
        found = tuple((token, one) for token, (one, only) in self._listeners.items() if only in (None, market))
        self._of_market[market] = found
        return found


def _stops(error: Exception) -> bool:
    return False
