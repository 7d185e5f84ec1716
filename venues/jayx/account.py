"""JayX's account streams: orders (changes only), positions and balances (whole states). Pure state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venues import records
from venues.errors import BadMessage
from venues.jayx import messages as wire
from venues.jayx.fields import VENUE, Common
from venues.jayx.market import SIDES
from venues.toolkit.consistency import check_available
from venues.toolkit.decoding import excerpt
from venues.toolkit.numbers import add, number, optional_not_negative, shown, subtract
from venues.toolkit.row_times import Remembered, RowTimes, refuse_too_many
from venues.toolkit.spellings import documented
from venues.toolkit.times import PER_MS, refuse_seconds, utc_clock
from venues.venue import Confirmed, Notice, StreamState

if TYPE_CHECKING:
    from decimal import Decimal

    from msgspec import Raw

    from venues.jayx.messages import AssetRow, GoneRow, OrderRow
    from venues.records import Change, OrderStatus, Record
    from venues.venue import Item, Now

CANCELLED = ("CANCEL", "CANCELED", "CANCELLED")  # the engine's own word, the document's, and the other spelling of it
STATES = ("NONE", "NEW", "REVISE", "TRADE", *CANCELLED)

MOST_KEPT = 100_000  # orders of a kind that are kept in mind, the latest


class OrderMemory:
    """What is known of the orders of one symbol; outlives connections.

    `others`: ids of orders of other symbols, because a cancelled order may come with its id only. `ours`: ids of
    orders of this symbol; `filled`: those of them that were filled.
    """

    def __init__(self) -> None:
        self.times = RowTimes()
        self.ours = Remembered(MOST_KEPT)
        self.others = Remembered(MOST_KEPT)
        self.filled = Remembered(MOST_KEPT)


class OrdersFeed:
    """openorders: `orders`. There is no snapshot, only orders that changed (`modify`) or are gone (`cancel`).

    Sizes are lots: `resd` is what remains, `exec` what was executed, together the size. `price` is a decimal text that
    the document does not explain otherwise, so it is given as it is; `lastTicks` is in ticks, and is a price only where
    the tick is configured. The document does not say that the channel has orders of its symbol only, so each row's own
    symbol counts, and those of another are left out. An order that was filled is not cancelled by being named in
    `cancel`, which then only takes it away.
    """

    restates = False

    def __init__(self, common: Common, memory: OrderMemory) -> None:
        self.awaited = True  # until the subscription has begun, or a message is here
        self.heard = False
        self.streams: tuple[str, ...] = ("orders",)
        self._common = common
        self._memory = memory
        self._other: str | None = None  # a symbol that is not ours, to be reported
        self._told_of_others = False

    def begin(self, now: Now) -> list[Item]:
        """The stream is live at once: there is no snapshot, so no order is known yet."""
        self.awaited = False
        return [self._live(now)]

    def take(self, payload: Raw | bytes, now: Now) -> list[Item]:
        """A record for each order of the symbol that has changed or is gone."""
        message = wire.ORDERS.decode(payload)
        if message.modify is None and message.cancel is None:
            raise BadMessage("expected a list at `modify` or `cancel`, got neither")
        refuse_too_many(message.modify or (), "modify")
        refuse_too_many(message.cancel or (), "cancel")
        # Sort the rows by symbol first, so that the ids of others are remembered even if one of ours is bad.
        changed = [
            (f"modify[{i}]", row) for i, row in enumerate(message.modify or ()) if self._is_ours(row, f"modify[{i}]")
        ]
        gone = [
            (f"cancel[{i}]", row) for i, row in enumerate(message.cancel or ()) if self._is_ours(row, f"cancel[{i}]")
        ]
        orders = [self._changed(row, path, now) for path, row in changed]
        orders += [self._gone(row, path, now) for path, row in gone]
        if times := [row.modified for _, row in changed if row.modified is not None]:
            self._common.clock.see(max(times), now)
        news: list[Item] = [order for order in orders if self._is_news(order, now)]
        if orders and not news:
            news = [Confirmed("orders", orders[0].time)]
        recovered = [self._live(now)] if self.awaited else []
        self.awaited, self.heard = False, True
        return [*recovered, *self._about_others(), *news]

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """Makes the stream stale until the next good message: a change may be missing."""
        self.awaited = True
        return [StreamState("orders", "stale", f"{reason}; a change may be missing")]

    def _live(self, now: Now) -> StreamState:
        return StreamState("orders", "live", f"partial: changes since {utc_clock(now.epoch_ms)} UTC")

    def _is_news(self, order: records.Order, now: Now) -> bool:
        stamp = None if order.time is None else order.time * PER_MS
        key = (order.symbol, order.order_id)
        venue_now = self._common.clock.venue_now(now)
        if not self._memory.times.is_news((key, stamp, order.change == "remove"), now, venue_now):
            return False
        if order.status == "filled":
            self._memory.filled.add(key)
        return True

    def _is_ours(self, row: OrderRow | GoneRow | int | str, path: str) -> bool:
        memory = self._memory
        order_id = str(row if isinstance(row, int | str) else row.id)
        symbol = None if isinstance(row, int | str) else row.symbol
        if symbol is None:
            if order_id not in memory.others:
                return True
            if order_id in memory.ours:
                raise BadMessage(
                    f"expected a symbol at `{path}`, since orders of two symbols have the id {shown(order_id)}"
                )
            return False
        if symbol == self._common.symbol:
            memory.ours.add(order_id)
            memory.others.discard(order_id)
            return True
        memory.others.add(order_id)
        self._other = self._other or symbol
        return False

    def _about_others(self) -> list[Item]:
        """Reports, once, orders of another symbol: if the venue only spells ours differently, no order would show."""
        if self._told_of_others or self._other is None:
            return []
        self._told_of_others = True
        shortened = excerpt(self._other, 40)
        return [Notice(f"jayx tells of orders of other symbols too, such as {shortened}; they are not shown")]

    def _changed(self, row: OrderRow, path: str, now: Now) -> records.Order:
        status = _status_of(row, documented(row.state, STATES, f"{path}.state"), path)
        return self._order(row, path, now, status, gone=status in ("filled", "cancelled"))

    def _gone(self, row: GoneRow | int | str, path: str, now: Now) -> records.Order:
        if isinstance(row, int | str):
            row = wire.GoneRow(id=row)
        filled = (row.state or "").upper() == "TRADE" and row.residual == 0 and bool(row.executed)
        if row.state is None:
            filled = (row.symbol or self._common.symbol, str(row.id)) in self._memory.filled
        return self._order(row, path, now, "filled" if filled else "cancelled", gone=True)

    def _order(self, row: OrderRow | GoneRow, path: str, now: Now, status: OrderStatus, *, gone: bool) -> records.Order:
        if row.id == "":
            raise BadMessage(f"expected an id at `{path}.id`, got an empty text")
        side = None if row.side is None else SIDES[documented(row.side, SIDES, f"{path}.side")]
        for name, moment in (("created", row.created), ("modified", row.modified)):
            if moment is not None:
                refuse_seconds(moment, f"{path}.{name}")
        scale = self._common.scale
        remaining = None if row.residual is None else scale.size(row.residual)
        filled = None if row.executed is None else scale.size(row.executed)
        # The engine sets what remains to 0 when it cancels, so the order's size is not known any more.
        has_size = remaining is not None and filled is not None and (status != "cancelled" or row.residual)
        sizes = (remaining, filled, scale.size(row.last_lots) if row.last_lots else None)
        return records.Order(
            venue=VENUE,
            env=self._common.env,
            symbol=row.symbol or self._common.symbol,
            time=row.modified,
            received=now.epoch_ms,
            order_id=str(row.id),
            side=side,
            order_type=row.type,
            price=optional_not_negative(row.price, f"{path}.price") or None,  # a market order has none
            size=add(remaining, filled) if has_size and remaining is not None and filled is not None else None,
            filled=filled,
            remaining=remaining,
            last_price=scale.price(row.last_ticks) if row.last_ticks and scale.tick is not None else None,
            last_size=sizes[2],
            status=status,
            venue_status=row.state,
            created=row.created,
            updated=row.modified,
            change="remove" if gone else "update",
            size_unit=scale.size_unit if any(size is not None for size in sizes) else None,
            extra=_extra(row, path, with_ticks=scale.tick is None),
        )


def _status_of(row: OrderRow, state: str, path: str) -> OrderStatus:
    """NEW and REVISE are open; TRADE is partially filled while lots remain, then filled."""
    if state in CANCELLED:
        return "cancelled"
    if state == "NONE":
        return "pending"
    if state == "TRADE" and not row.executed:
        raise BadMessage(f"expected executed lots at `{path}.exec` of an order in state TRADE, got 0")
    if not row.residual and not row.executed:
        raise BadMessage(f"expected lots at `{path}.resd` of an order in state {state}, got 0")
    if not row.residual:
        return "filled"
    return "partially_filled" if row.executed else "new"


def _extra(row: OrderRow | GoneRow, path: str, *, with_ticks: bool) -> records.Extra | None:
    """`cost` in lots × ticks; `quantity`, which the document does not explain."""
    named = {
        "cost": row.cost,
        "quantity": optional_not_negative(row.quantity, f"{path}.quantity"),
        "last_ticks": row.last_ticks if with_ticks else None,
    }
    return {name: value for name, value in named.items() if value is not None} or None


class AssetsFeed:
    """positions: `balance` and `positions`. Each message has all assets, so one that is not in it is gone.

    On a spot account what is held of an asset is the position: one long position an asset, its size the balance. An
    asset without a balance is a row of the balances and no position; a negative balance is a short position.
    """

    restates = True

    def __init__(self, common: Common, streams: list[str], category: str) -> None:
        self.awaited = True
        self.heard = False
        self.streams: tuple[str, ...] = tuple(streams)
        self._common = common
        self._category = category
        self._held: dict[str, dict[str, AssetRow]] = {}  # by stream: the rows delivered last

    def begin(self, now: Now) -> list[Item]:
        """The streams wait for the first whole state."""
        return [StreamState(name, "syncing") for name in self.streams]

    def take(self, payload: Raw | bytes, now: Now) -> list[Item]:
        """Of the first state all rows and their `snapshot_end`; of later ones what is new, changed or gone."""
        rows = {row.asset: row for row in self._rows(payload)}
        items: list[Item] = []
        for stream in self.streams:
            wanted = rows if stream == "balance" else {name: row for name, row in rows.items() if _amount(row)}
            items += self._whole(stream, wanted, now) if self.awaited else self._changes(stream, wanted, rows, now)
            self._held[stream] = wanted
        self.awaited, self.heard = False, True
        return items

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """Makes the streams stale until the next state: what is shown may be old."""
        self.awaited = True
        return [StreamState(name, "stale", f"{reason}; waiting for the next state") for name in self.streams]

    def _rows(self, payload: Raw | bytes) -> list[AssetRow]:
        rows = wire.assets_of(payload, self._category)
        refuse_too_many(rows, self._category)
        seen: set[str] = set()
        for index, row in enumerate(rows):
            path = f"{self._category}[{index}]"
            if not row.asset or row.asset in seen:
                raise BadMessage(f"expected each asset once at `{path}.asset`, got {shown(row.asset)}")
            seen.add(row.asset)
            balance, available = (number(getattr(row, name), f"{path}.{name}") for name in ("balance", "available"))
            check_available(available, balance, f"{path}.available", "balance")
        return rows

    def _whole(self, stream: str, rows: dict[str, AssetRow], now: Now) -> list[Item]:
        given: list[Item] = [self._record(stream, row, now, "snapshot") for row in rows.values()]
        end = records.SnapshotEnd(
            venue=VENUE, env=self._common.env, received=now.epoch_ms, stream=stream, count=len(rows)
        )
        return [StreamState(stream, "live"), *given, end]

    def _changes(self, stream: str, rows: dict[str, AssetRow], sent: dict[str, AssetRow], now: Now) -> list[Item]:
        held = self._held[stream]
        changed: list[Item] = [
            self._record(stream, row, now, "update") for name, row in rows.items() if held.get(name) != row
        ]
        gone = [
            self._record(stream, sent.get(name, row), now, "remove") for name, row in held.items() if name not in rows
        ]
        return [*changed, *gone] or [Confirmed(stream)]

    def _record(self, stream: str, row: AssetRow, now: Now, change: Change) -> Record:
        total, available = _amount(row), number(row.available, "available")
        if stream == "balance":
            return records.Balance(
                venue=VENUE,
                env=self._common.env,
                received=now.epoch_ms,
                asset=row.asset,
                total=total,
                available=available,
                locked=subtract(total, available) if total >= available else None,
                change=change,
            )
        return records.Position(
            venue=VENUE,
            env=self._common.env,
            symbol=row.asset,
            received=now.epoch_ms,
            position_id=row.asset,
            side="long" if total >= 0 else "short",
            size=total.copy_abs(),
            change=change,
            extra={"available": available},
        )


def _amount(row: AssetRow) -> Decimal:
    return number(row.balance, "balance")
