"""What was true when: each version of each figure of a stream at the simulated venue, with the time from which it held.

It is taken from the simulator's own state after each of its events, never from anything that `mon` has read.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from decimal import Decimal
from time import time
from typing import Any, TypeAlias

from venues.simulator.market_events import BookChange, Event, Fill, OrderUpdate, Trade

Figures: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = Mapping[Hashable, Figures]
Sample: TypeAlias = Callable[[], Rows]


class History:
    """The versions of the rows of a state. A row that is gone has None for its figures."""

    def __init__(self, sample: Sample, *, keeps: bool = False) -> None:
        """`keeps`: a row that the venue has no more stays as it was, like a candle that is over."""
        self.versions: dict[Hashable, list[tuple[float, Figures | None]]] = defaultdict(list)
        self._sample = sample
        self._keeps = keeps
        self._now: Rows = {}

    @property
    def now(self) -> Rows:
        """The rows as they are."""
        return self._now

    def note(self) -> None:
        """Look at the state; what has changed since the last look is a new version."""
        at, rows = time(), dict(self._sample())
        for key, figures in rows.items():
            if self._now.get(key) != figures:
                self.versions[key].append((at, figures))
        if not self._keeps:
            for key in self._now.keys() - rows.keys():
                self.versions[key].append((at, None))
        self._now = {**self._now, **rows} if self._keeps else rows

    def held(self, key: Hashable, since: float, until: float) -> Iterable[tuple[int, Figures | None]]:
        """The versions of a row that held at some instant of that time, with their numbers; none before the first."""
        versions = self.versions.get(key)
        if not versions:
            return [(0, None)]
        first = bisect_right(versions, since, key=lambda version: version[0]) - 1
        found: list[tuple[int, Figures | None]] = [(-1, None)] if first < 0 else []
        for number in range(max(first, 0), len(versions)):
            if versions[number][0] > until:
                break
            found.append((number, versions[number][1]))
        return found

    def ended(self, key: Hashable, number: int) -> float:
        """When a version was replaced; without end while it was not."""
        versions = self.versions.get(key, [])
        return versions[number + 1][0] if number + 1 < len(versions) else float("inf")


class Events:
    """What happened, in order: each with what tells it from the others."""

    def __init__(self) -> None:
        self.list: list[tuple[float, Figures]] = []
        self.passing: set[Figures] = set()  # may come at any time, any number of times

    def add(self, *figures: Any) -> None:
        """Note one more."""
        self.list.append((time(), figures))


Truth: TypeAlias = History | Events


class Told:
    """Hears the world for as many histories and events as are wanted."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self._histories: list[tuple[str | None, tuple[type, ...], History]] = []
        self._hearers: list[Callable[[Event], None]] = []
        world.stage.listen(self._hear)

    def state(
        self, sample: Sample, *, market: str | None = None, keeps: bool = False, on: tuple[type, ...] = ()
    ) -> History:
        """The history of a state, of which one look is taken after each event (of a market, of those kinds)."""
        history = History(sample, keeps=keeps)
        history.note()
        self._histories.append((market, on, history))
        return history

    def hear(self, hearer: Callable[[Event], None]) -> None:
        """Call it with each event."""
        self._hearers.append(hearer)

    def _hear(self, event: Event) -> None:
        for hearer in self._hearers:
            hearer(event)
        for market, on, history in self._histories:
            if (market is None or market == event.market) and (not on or isinstance(event, on)):
                history.note()


# --- of the world itself


def book(world: Any, told: Told, market: str, depth: int) -> History:
    """The best levels of both sides."""
    there = world.markets[market]

    def sample() -> Rows:
        return {"": tuple(tuple((one.price, one.size) for one in there.levels(side)[:depth]) for side in _SIDES)}

    return told.state(sample, market=market)


def quotes(world: Any, told: Told, market: str, *, sizes: bool = True) -> History:
    """The best price of each side, with its size."""
    there = world.markets[market]

    def sample() -> Rows:
        figures: list[Any] = []
        for side in _SIDES:
            best = next(iter(there.levels(side)), None)
            figures += [None if best is None else best.price] + ([best and best.size] if sizes else [])
        return {"": tuple(figures)}

    return told.state(sample, market=market)


def trades(told: Told, market: str, places: tuple[int, ...]) -> Events:
    """The trades of a market, each with some of: price, size, side, time, id."""
    events = Events()

    def hear(event: Event) -> None:
        if isinstance(event, Trade) and event.market == market:
            figures = event.price, event.size, event.side, event.time, str(event.trade_id)
            events.add(*(figures[place] for place in places))

    told.hear(hear)
    return events


def fills(told: Told, market: str) -> Events:
    """The account's fills in a market."""
    events = Events()

    def hear(event: Event) -> None:
        if isinstance(event, Fill) and event.market == market:
            events.add(event.price, event.size, event.side, str(event.fill_id), str(event.order_id))

    told.hear(hear)
    return events


def order_changes(told: Told, market: str) -> History:
    """The orders of a market as they were told last: where no full state is ever sent."""
    rows: dict[Hashable, Figures] = {}

    def hear(event: Event) -> None:
        if isinstance(event, OrderUpdate) and event.market == market:
            rows[str(event.order_id)] = event.side, event.size, event.filled, event.size - event.filled, event.status
            history.note()

    history = told.state(lambda: rows, market=market, keeps=True)
    told.hear(hear)
    return history


def holding(world: Any, told: Told, market: str, symbol: str) -> History:
    """The net position of a market, above 0 for long."""
    return told.state(lambda: {symbol: (world.account.positions[market].holding,)}, market=market)


def balances(world: Any, told: Told, *, locked: bool) -> History:
    """The account's assets."""

    def sample() -> Rows:
        return {
            one.asset: (one.total, one.available, one.locked) if locked else (one.total, one.available)
            for one in world.account.balances.values()
        }

    return told.state(sample)


def margin(world: Any, told: Told) -> History:
    """The account in quote currency."""

    def sample() -> Rows:
        one = world.account.margin()
        return {"": (one.balance, one.equity, one.used, one.free, one.unrealised)}

    return told.state(sample)


def candles_of_trades(told: Told, market: str, length_ms: int) -> History:
    """Candles as they come of the trades of a market."""
    rows: dict[Hashable, Figures] = {}

    def hear(event: Event) -> None:
        if not isinstance(event, Trade) or event.market != market:
            return
        start, price = event.time - event.time % length_ms, event.price
        opened, high, low, _, volume = rows.get(start, (price, price, price, price, Decimal(0)))
        rows[start] = opened, max(high, price), min(low, price), price, volume + event.size
        history.note()

    history = told.state(lambda: rows, market=market, keeps=True)
    told.hear(hear)
    return history


# --- of what a venue makes of it


def of_json(told: Told, produce: Callable[[], Any], names: tuple[str, ...], market: str) -> History:
    """The figures of these names in one object that a venue sends."""

    def sample() -> Rows:
        made = produce()
        raw = json.loads(made, parse_float=Decimal, parse_int=Decimal) if isinstance(made, bytes) else made
        return {"": tuple(Decimal(raw[name]) for name in names)}

    return told.state(sample, market=market, on=(Trade, BookChange))


_SIDES = ("buy", "sell")
