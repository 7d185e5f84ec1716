"""Nexus' account events as records: orders, fills and positions. Pure; nothing is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venues import records
from venues.errors import BadMessage
from venues.toolkit.decoding import excerpt
from venues.toolkit.numbers import number, optional_not_negative, plain_text, positive, subtract
from venues.toolkit.row_times import refuse_too_many
from venues.toolkit.spellings import documented

if TYPE_CHECKING:
    from venues.nexus.messages import OrderUpdateEvent, PositionsEvent, TransactionEvent
    from venues.venue import Now

SIDES: dict[str, records.Side] = {"BUY": "buy", "SELL": "sell"}

_ORDER_STATUS: dict[str, records.OrderStatus] = {
    "NEW": "new",
    "PARTIAL_FILLED": "partially_filled",
    "FILLED": "filled",
    "CANCELLED": "cancelled",
    "REJECTED": "rejected",
    "EXPIRED": "expired",
}
_GONE = ("filled", "cancelled", "rejected", "expired")


def order_of(event: OrderUpdateEvent, label: str | None, now: Now) -> records.Order:
    """The order after an event, as a record.

    Raises:
        BadMessage: a figure, its status or its id is not valid.
    """
    data = event.data
    status = _ORDER_STATUS[documented(data.status, _ORDER_STATUS, "data.status")]
    if data.order_id == "":
        raise BadMessage("expected an id at `data.order_id`, got an empty text")
    size = optional_not_negative(data.order_quantity, "data.order_quantity")
    filled = optional_not_negative(data.aggregated_executed_quantity, "data.aggregated_executed_quantity")
    last_price = optional_not_negative(data.executed_price, "data.executed_price")
    last_size = optional_not_negative(data.executed_quantity, "data.executed_quantity")
    if size is not None and filled is not None and filled > size:
        executed = f"{plain_text(filled)} of {plain_text(size)}"
        raise BadMessage(f"expected at most `data.order_quantity` as filled, got {executed}")
    return records.Order(
        venue="nexus",
        env=label,
        symbol=data.symbol,
        time=event.timestamp,
        received=now.epoch_ms,
        order_id=str(data.order_id),
        side=SIDES[data.side],
        order_type=data.order_type,
        price=optional_not_negative(data.order_price, "data.order_price") or None,  # a market order has none
        size=size,
        filled=filled,
        remaining=subtract(size, filled) if size is not None and filled is not None else None,
        last_price=last_price if last_size else None,  # NEW and CANCELLED have no fill of their own
        last_size=last_size or None,
        status=status,
        venue_status=data.status,
        change="remove" if status in _GONE else "update",
    )


def fill_of(event: TransactionEvent, label: str | None, now: Now) -> records.Fill:
    """One execution of an order, as a record; raises BadMessage."""
    data = event.data
    return records.Fill(
        venue="nexus",
        env=label,
        symbol=data.symbol,
        time=event.timestamp,
        received=now.epoch_ms,
        fill_id=str(data.id),
        order_id=str(data.order_id),
        price=positive(data.executed_price, "data.executed_price"),
        size=positive(data.executed_quantity, "data.executed_quantity"),
        side=SIDES[data.side],
    )


def positions_of(event: PositionsEvent, label: str | None, now: Now) -> list[records.Position]:
    """The positions that the event names, as records; one with a holding of 0 is gone. Raises BadMessage."""
    refuse_too_many(event.data.positions, "data.positions")
    rows = []
    for symbol, holding in event.data.positions.items():
        size = number(holding.holding, f"data.positions.{excerpt(symbol, 60)}.holding")
        rows.append(
            records.Position(
                venue="nexus",
                env=label,
                symbol=symbol,
                time=event.timestamp,
                received=now.epoch_ms,
                side=None if not size else "short" if size.is_signed() else "long",
                size=size.copy_abs(),
                change="update" if size else "remove",
            )
        )
    return rows
