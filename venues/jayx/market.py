"""JayX's market streams: the book with its latest trades, and candles. Pure state, one object an event."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from msgspec import UNSET
from msgspec.structs import replace

from venues import records
from venues.errors import BadMessage, BookError
from venues.jayx import messages as wire
from venues.jayx.fields import VENUE, Common
from venues.toolkit.book import OrderBook, refuse_too_many
from venues.toolkit.clock import FAR
from venues.toolkit.consistency import check_candle
from venues.toolkit.made_candles import HELD_BACK, MadeCandles
from venues.toolkit.resync import BookKeeper
from venues.toolkit.row_times import refuse_too_many as refuse_too_many_rows
from venues.toolkit.spellings import documented
from venues.toolkit.times import refuse_seconds
from venues.toolkit.unasked import LeftOut
from venues.venue import Confirmed, StreamState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msgspec import Raw

    from venues.jayx.messages import Kline, LevelRow, TradeRow
    from venues.records import Level, Side
    from venues.venue import Item, Now, Subscription

MOST_KNOWN_TRADES = 1_000
MOST_OUT_OF_PLACE = 4  # one trade in so many may have a time that does not fit its place in the list
UNITS = 100  # times: a time that is so much smaller than the others is in another unit

SIDES: dict[str, Side] = {"BUY": "buy", "SELL": "sell"}


class EventStream(Protocol):
    """What one event of the venue means for some `streams`, on one connection.

    `awaited`: nothing, or nothing right, is shown until the next whole state comes. `heard`: a good message has come.
    `restates`: when asked again, the venue sends a whole state.
    """

    awaited: bool
    heard: bool
    restates: bool
    streams: tuple[str, ...]

    def begin(self, now: Now) -> list[Item]:
        """To be called once the event has been asked for: the states of the streams then."""
        ...

    def take(self, payload: Raw | bytes, now: Now) -> list[Item]:
        """What a message changes, in order.

        Raises:
            BadMessage, or one of `DECODE_ERRORS`: nothing of it counts.
        """
        ...

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """To be called when a message could not be read: what that means for the streams."""
        ...


# --- trades --------------------------------------------------------------------------------------------------------


class TradeHistory:
    """The trades that are known, newest first; outlives connections.

    Each message lists the latest trades again. Where the end of the list equals the beginning of the known trades, the
    trades before it are new. Two trades can look alike, so lists are compared, not sets; the longest overlap counts.
    """

    def __init__(self) -> None:
        self.known: list[TradeRow] = []
        self._was_empty = False
        self._newest_last = False  # the order in which they are listed
        self._strange: set[TradeRow] = set()  # those of the latest list whose time did not fit their place

    def new_ones(self, listed: Sequence[TradeRow], latest: int) -> tuple[list[TradeRow], bool | None]:
        """The new trades, oldest first, and whether they follow directly on those known before.

        False: some may have been missed. None: there was no list to compare with. A time after `latest` is wrong.
        """
        rows = self._newest_first(listed, latest)
        comparable = bool(rows) and bool(self.known) and not self._was_empty
        self._was_empty = not rows
        count = self._count_of_new(rows)
        if count is not None:
            new, before = rows[:count], self.known
            self.known = [*new, *before][:MOST_KNOWN_TRADES]
        else:
            # A trade came late, or was missed and is listed now; the others are not delivered again.
            new, before = _without(rows, self.known), _without(self.known, rows)
            self.known = [*rows, *before][:MOST_KNOWN_TRADES]
        return new[::-1], True if count is not None else False if comparable else None

    def _newest_first(self, listed: Sequence[TradeRow], latest: int) -> list[TradeRow]:
        """Sorts trades by time, newest first; equal times as they came.

        A trade whose time cannot be right stays beside the one listed next to it, now and in later lists. By its time
        it would have another place in each list.
        """
        # The document's sample has the newest first; sorted on receipt all the same.
        usual = max((row.created for row in listed if row.created <= latest), default=latest)
        strange = {row for row in listed if row.created > latest or row.created * UNITS < usual or row in self._strange}
        strange |= _out_of_place([row for row in listed if row not in strange])
        self._strange = strange
        plain = [index for index, row in enumerate(listed) if row not in strange]
        if plain:
            first, last = listed[plain[0]].created, listed[plain[-1]].created
            self._newest_last = first < last or (first == last and self._newest_last)
        if self._newest_last:
            plain.reverse()
        plain.sort(key=lambda index: -listed[index].created)
        if not strange:
            return [listed[index] for index in plain]
        beside: dict[int, list[TradeRow]] = {-1: []}  # the place of a plain one → the strange ones listed after it
        place, sent = -1, range(len(listed))
        for index in reversed(sent) if self._newest_last else sent:
            if listed[index] in strange:
                beside.setdefault(place, []).append(listed[index])
            else:
                place = index
        return [*beside[-1], *(row for index in plain for row in (listed[index], *beside.get(index, ())))]

    def _count_of_new(self, rows: list[TradeRow]) -> int | None:
        """How many trades at the head of the list are new; None if the list does not overlap the known trades.

        The end of a list may be older than the first trade that was ever seen. If the list could also just have grown,
        that is taken to be so.
        """
        known = self.known
        if not known:
            return None
        if rows[-len(known) :] == known:
            return len(rows) - len(known)
        for count in range(len(rows)):  # the overlap never grows with the count
            overlap = min(len(rows) - count, len(known))
            if rows[count : count + overlap] == known[:overlap]:
                return count
        return None


def _out_of_place(rows: Sequence[TradeRow]) -> set[TradeRow]:
    """The few trades whose times do not fit the order of all others in the list; none if there is no such order."""
    times = [row.created for row in rows]
    if times == sorted(times) or times == sorted(times, reverse=True):
        return set()
    kept = max(_longest_rise([-time for time in times]), _longest_rise(times), key=len)
    if (len(rows) - len(kept)) * MOST_OUT_OF_PLACE > len(rows):
        return set()
    return {row for index, row in enumerate(rows) if index not in kept}


def _longest_rise(times: Sequence[int]) -> set[int]:
    """The indices of a longest part of a list that never falls; there is something in the list."""
    ends: list[int] = []  # the least time with which a rise of each length ends …
    at: list[int] = []  # … where that is …
    before: list[int] = []  # … and for each time the index of the one before it
    for index, time in enumerate(times):
        length = bisect_right(ends, time)
        before.append(at[length - 1] if length else -1)
        ends[length : length + 1], at[length : length + 1] = [time], [index]
    kept, index = set[int](), at[-1]
    while index >= 0:
        kept.add(index)
        index = before[index]
    return kept


def _without(rows: Sequence[TradeRow], others: Sequence[TradeRow]) -> list[TradeRow]:
    """The rows without an equal one among the others; each of the others is the equal of one row only."""
    left = Counter(others)
    kept = []
    for row in rows:
        if left[row]:
            left[row] -= 1
        else:
            kept.append(row)
    return kept


class TradesFeed:
    """orderbook: `trades`, each once, in order of time.

    The trades of the very first message are delivered too, oldest first; each has its own time, before we connected.
    After a reconnect the overlap with the known trades shows exactly what was missed; without an overlap, a notice says
    so. A message that could not be read loses nothing: the next one lists its trades again.
    """

    restates = True

    def __init__(self, common: Common, history: TradeHistory) -> None:
        self.awaited = True
        self.heard = False
        self.streams: tuple[str, ...] = ("trades",)
        self._common = common
        self._history = history
        self._resumed = bool(history.known)

    def begin(self, now: Now) -> list[Item]:
        """The stream waits for the first message, which shows whether trades were missed."""
        return [StreamState("trades", "syncing")]

    def take(self, payload: Raw | bytes, now: Now) -> list[Item]:
        """The trades since the last message, oldest first."""
        rows = wire.TRADES.decode(payload).trades
        refuse_too_many_rows(rows, "trades")
        for index, row in enumerate(rows):
            if row.side not in SIDES:
                rows[index] = row = replace(row, side=documented(row.side, SIDES, f"trades[{index}].side"))
            refuse_seconds(row.created, f"trades[{index}].created")
        clock, is_first = self._common.clock, not self._history.known
        new, follows = self._history.new_ones(rows, clock.venue_now(now) + FAR)
        if new and not is_first:  # the trades of the first list may be old
            clock.see(max(row.created for row in new), now)
        items: list[Item] = []
        if follows is False:
            why = (
                "none of those listed was known"
                if len(new) == len(rows)
                else "those listed do not follow on each other"
            )
            items = [StreamState("trades", "live", f"trades may have been missed: {why}")]
        elif self.awaited:
            items = [StreamState("trades", "live", "no trade was missed" if self._resumed and follows else "")]
        self.awaited, self.heard = False, True
        return [*items, *(self._trade(row, now) for row in new)]

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """Changes nothing: the next message lists the same trades again."""
        return []

    def _trade(self, row: TradeRow, now: Now) -> records.Trade:
        scale = self._common.scale
        return records.Trade(
            venue=VENUE,
            env=self._common.env,
            symbol=self._common.symbol,
            time=row.created,
            received=now.epoch_ms,
            price=scale.price(row.ticks),
            size=scale.size(row.lots),
            side=SIDES[row.side],
            price_unit=scale.price_unit,
            size_unit=scale.size_unit,
        )


# --- the book ------------------------------------------------------------------------------------------------------


class BookFeed:
    """orderbook: `book` and `quotes`. Each message is the whole book, so the next good one heals everything."""

    restates = True

    def __init__(self, common: Common, subscriptions: Sequence[Subscription]) -> None:
        """`subscriptions`: the wanted ones of the two streams."""
        self.awaited = True
        self.heard = False
        self._common = common
        scale = common.scale
        self._book = BookKeeper(
            OrderBook(),
            subscriptions,
            venue=VENUE,
            symbol=common.symbol,
            env=common.env,
            price_unit=scale.price_unit,
            size_unit=scale.size_unit,
        )
        self.streams: tuple[str, ...] = tuple(self._book.streams)

    def begin(self, now: Now) -> list[Item]:
        """The streams wait for the first book."""
        return self._book.begin()

    def take(self, payload: Raw | bytes, now: Now) -> list[Item]:
        """The book and the quote of a message if they have changed; a crossed book makes them stale."""
        sides = wire.BOOK.decode(payload).book
        try:
            bids, asks = _levels(sides.bids, "bids", self._common), _levels(sides.asks, "asks", self._common)
        except BookError as too_many:
            return self.doubt(str(too_many), now)
        items = self._book.snapshot(bids, asks, now)
        self.awaited = not self._book.book.whole
        self.heard = self.heard or not self.awaited
        return items

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """Makes the streams stale until the next book."""
        self.awaited = True
        return self._book.doubt(reason, now)


def _levels(rows: list[LevelRow], side: str, common: Common) -> list[Level]:
    refuse_too_many(len(rows))
    price, size, level = common.scale.price, common.scale.size, records.Level
    if len({row.ticks for row in rows}) < len(rows):
        raise BadMessage(f"expected each price once in `orderBook.{side}`, got one twice")
    return [level(price(row.ticks), size(row.lots), row.count) for row in rows]


# --- candles -------------------------------------------------------------------------------------------------------


class KlineFeed:
    """kline: `candles`. The venue sends all of a candle each time, so every one is complete.

    `add` closes the candle before it, once the new one has begun. It does so only if that candle was followed to its
    end on this connection, without an unreadable frame: else its last change may not have been seen.
    """

    restates = True

    def __init__(self, common: Common, length_ms: int, interval: str) -> None:
        self.awaited = True
        self.heard = False
        self.streams: tuple[str, ...] = ("candles",)
        self._common = common
        self._length_ms = length_ms
        self._interval = interval
        self._left_out = LeftOut(VENUE)
        self._candles = MadeCandles()
        self._shown: records.Candle | None = None

    def begin(self, now: Now) -> list[Item]:
        """The stream waits for the first message, which brings the current candle."""
        return [StreamState("candles", "syncing")]

    def take(self, payload: Raw | bytes, now: Now) -> list[Item]:
        """The candles of a message, new or changed, and those that they close."""
        message = wire.KLINE.decode(payload)
        if message.add is UNSET and message.modify is UNSET:
            raise BadMessage("expected a candle at `add` or `modify`, got neither")
        named = ((message.modify, "modify"), (message.add, "add"))
        klines = [(kline, path) for kline, path in named if isinstance(kline, wire.Kline)]
        found = [(kline, path) for kline, path in klines if not self._common.is_other(kline.symbol)]
        others = [kline.symbol for kline, _ in klines if self._common.is_other(kline.symbol)]
        said = self._left_out.say("candles", others[0] or "") if others else []
        for kline, path in found:
            self._check(kline, path)
        if times := [kline.modified for kline, _ in found if kline.modified is not None]:
            self._common.clock.see(max(times) * 1000, now)
        items: list[Item] = []
        for kline, path in sorted(found, key=lambda pair: pair[0].created):
            items += self._taken(kline, now, is_new=path == "add")
        if self._candles.holds_back:
            return [*said, *items, *self._stale(HELD_BACK)] if not self.awaited else [*said, *items]
        if not items:
            return said
        live = [StreamState("candles", "live")] if self.awaited else []
        self.awaited, self.heard = False, True
        return [*said, *live, *items]

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """Makes the stream stale until the next candle: the current one is not known any more."""
        self._candles.forget()
        self._shown = None
        return self._stale(reason)

    def _stale(self, reason: str) -> list[Item]:
        self.awaited = True
        return [StreamState("candles", "stale", f"{reason}; waiting for the next candle")]

    def _taken(self, kline: Kline, now: Now, *, is_new: bool) -> list[Item]:
        candle = self._candle(kline, now)
        items = self._candles.take(candle, self._common.clock.venue_now(now), now, is_new=is_new)
        if candle not in items:
            return items  # closed, or not shown yet
        if self._shown is not None and self._shown == replace(candle, received=self._shown.received):
            items[-1] = Confirmed("candles", candle.time)
        self._shown = candle
        return items

    def _candle(self, kline: Kline, now: Now) -> records.Candle:
        scale, start = self._common.scale, kline.created * 1000
        return records.Candle(
            venue=VENUE,
            env=self._common.env,
            symbol=self._common.symbol,
            time=_milliseconds(kline.modified),
            received=now.epoch_ms,
            interval=self._interval,
            start=start,
            end=start + self._length_ms,
            open=scale.price(kline.open),
            high=scale.price(kline.high),
            low=scale.price(kline.low),
            close=scale.price(kline.close),
            volume=scale.size(kline.volume),
            closed=False,
            complete=True,
            price_unit=scale.price_unit,
            size_unit=scale.size_unit,
            extra=None if kline.id is None else {"id": str(kline.id)},
        )

    def _check(self, kline: Kline, path: str) -> None:
        check_candle((kline.open, kline.high, kline.low, kline.close), path, ("o", "h", "l", "c"))


def _milliseconds(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * 1000
