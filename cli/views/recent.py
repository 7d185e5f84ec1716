"""What has traded lately: volume by side and price in each of the last seconds, and what size is usual."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from venues.toolkit.clock import FAR
from venues.toolkit.numbers import add

if TYPE_CHECKING:
    from collections.abc import Callable

    from venues.records import Trade

SECONDS = 60
DELAYS = 64  # trades whose delay tells how long a message is on its way
MOST_SECONDS = 4 * SECONDS  # seconds that are kept before the oldest are removed
USUAL_OF = 200  # trades
USUAL_FROM = 20  # trades before there is a usual size
LARGE = 5  # times the usual size from which a trade is large

ZERO = Decimal(0)


class Side:
    """What one side took in one second."""

    __slots__ = ("count", "size")

    def __init__(self) -> None:
        self.size = ZERO
        self.count = 0

    def add(self, size: Decimal) -> None:
        """Add the size of one trade to the sum, and count it."""
        self.size = add(self.size, size)
        self.count += 1


class Second:
    """One second of trades; `last` is the price of the one that came last, `whole` whether every trade was seen."""

    __slots__ = ("buy", "high", "last", "low", "sell", "whole")

    def __init__(self, price: Decimal) -> None:
        self.buy = Side()
        self.sell = Side()
        self.low = self.high = self.last = price
        self.whole = True

    def add(self, trade: Trade) -> None:
        """Take in one trade: last, lowest and highest price, and the volume of its side."""
        price = self.last = trade.price
        if price < self.low:
            self.low = price
        elif price > self.high:
            self.high = price
        (self.buy if trade.side == "buy" else self.sell).add(trade.size)


class Volume(NamedTuple):
    """What was bought and sold, and between which prices (None without a trade).

    `since` is None for a whole minute, else the moment before which nothing is known.
    """

    buy: Decimal
    sell: Decimal
    buys: int
    sells: int
    low: Decimal | None
    high: Decimal | None
    since: int | None


class Minute:
    """The last sixty seconds by the venue's clock, or by ours where the venue sends no time.

    What the venue's clock is ahead of ours is what the line has proved; a time still to come counts as ours. The least
    delay of the latest trades is that of the line: older ones may come late, none comes before it was made. Volumes
    count only from where every trade was seen, and a clock that is found to be another one is such a place.
    """

    def __init__(self, offset_ms: Callable[[], int] = int) -> None:
        self._offset_ms = offset_ms
        self._offset = 0
        self._seconds: dict[int, Second] = {}
        self._delays: deque[int] = deque(maxlen=DELAYS)
        self._since: int | None = None
        self._stopped: int | None = None
        self._latest: int | None = None

    def trade(self, trade: Trade) -> None:
        """Take in one trade; they come in order of arrival."""
        self._look_at_the_clock(trade.received)
        came = trade.received + self._offset
        moment = came if trade.time is None or trade.time >= came + FAR else trade.time
        if came - moment < FAR:
            self._delays.append(came - moment)
        self._latest = trade.received
        if self._since is None:
            self._since = moment
        at = moment // 1000
        second = self._seconds.get(at)
        if second is None or (not second.whole and moment >= self._since):
            second = self._seconds[at] = Second(trade.price)
            if len(self._seconds) > MOST_SECONDS:
                self._forget_before(at - SECONDS)
        second.add(trade)
        if moment < self._since:
            second.whole = False

    def stop(self, now: int) -> None:
        """Stop: nothing more is seen, so what is known ends here. `now` by our clock."""
        if self._stopped is None:
            self._stopped = self._moment(now)

    def go_on(self) -> None:
        """Count again: what came since `stop` follows, and nothing was missed."""
        self._stopped = None

    def resumed(self, now: int) -> None:
        """Begin anew: every trade is seen from here on; what was traded before is not known in full."""
        self._stopped = None
        self._since = self._moment(now)
        for second in self._seconds.values():
            second.whole = False

    def missed(self) -> None:
        """Begin anew after trades that nobody looked at; the next one is the first that counts."""
        if self._latest is not None:
            self.resumed(self._latest)
        self._since = None

    def volume(self, now: int) -> Volume | None:
        """Of the last minute, or of what is known of it; None before the first trade."""
        self._look_at_the_clock(now)
        if self._since is None:
            return None
        first = self._moment(now) // 1000 - SECONDS + 1
        seconds = [second for at, second in self._seconds.items() if first <= at and second.whole]
        buy = sell = ZERO
        for second in seconds:
            buy, sell = add(buy, second.buy.size), add(sell, second.sell.size)
        return Volume(
            buy,
            sell,
            sum(second.buy.count for second in seconds),
            sum(second.sell.count for second in seconds),
            min((second.low for second in seconds), default=None),
            max((second.high for second in seconds), default=None),
            None if self._since <= first * 1000 else self._since,
        )

    def prices(self, now: int) -> list[Decimal | None]:
        """The price at the end of each of the last seconds, oldest first; None where it is not known."""
        if self._since is None:
            return [None] * SECONDS
        last = self._moment(now) // 1000
        first, known = last - SECONDS + 1, self._since // 1000
        before = [at for at in self._seconds if known <= at < first]
        price = self._seconds[max(before)].last if before else None
        prices = []
        for at in range(first, last + 1):
            if at >= known and (second := self._seconds.get(at)) is not None:
                price = second.last
            prices.append(price)
        return prices

    def changes_at(self, now: int) -> int | None:
        """When the figures will be others without any trade, by our clock: with the next second of the venue's."""
        if not self._seconds or self._stopped is not None:
            return None
        moment = self._moment(now)
        return now + 1000 - moment % 1000

    def _moment(self, now: int) -> int:
        if self._stopped is not None:
            return self._stopped
        return now + self._offset - min(self._delays, default=0)

    def _look_at_the_clock(self, now: int) -> None:
        offset = self._offset_ms()
        moved, self._offset = abs(offset - self._offset), offset
        if moved < FAR:
            return
        self._delays.clear()
        if self._stopped is None and self._since is not None:
            self.resumed(now)

    def _forget_before(self, first: int) -> None:
        before = [at for at in self._seconds if at < first]
        keep = max(before, default=None)  # the last second before, whose price holds until the next one
        self._seconds = {at: second for at, second in self._seconds.items() if at >= first or at == keep}


class Usual:
    """The median size of the latest trades."""

    def __init__(self) -> None:
        self._latest: deque[Decimal] = deque()
        self._sorted: list[Decimal] = []

    def times(self, size: Decimal) -> int:
        """How many times the median of those before it a size is, in whole numbers, if that is large; else 0."""
        ordered, count = self._sorted, len(self._sorted)
        times = 0
        if count >= USUAL_FROM:
            median = ordered[count // 2]
            if size >= LARGE * median > ZERO:
                times = int(size / median)
        insort(ordered, size)
        self._latest.append(size)
        if count >= USUAL_OF:
            del ordered[bisect_left(ordered, self._latest.popleft())]
        return times
