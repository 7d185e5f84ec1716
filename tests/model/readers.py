"""Games with what becomes of records: queues, turns, limits, lines and sentences, for streams of several symbols.

As `tests.model.games`, whose file they are in: nothing is judged, but all has to be as it was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from random import Random
from types import SimpleNamespace
from typing import Any

from cli.output import lines, queues, states
from cli.output.columns import CsvLines
from cli.output.lines import JsonLines, Limit, Skipped
from cli.output.queues import EventQueue, LatestEvents
from cli.output.states import StateQueue
from cli.output.statuses import BadFrames, Together, Unsaid
from cli.output.symbols import SymbolStates
from cli.output.turns import Turns
from cli.run.freshness import Limits
from venues import records
from venues.redaction import Redactor
from venues.venue import ClockOffset, Confirmed, Now, Subscription

STEPS = 300
SYMBOLS = ("A", "B", "C")
BEGIN_MS = 1_790_000_000_000
SMALL = {"MOST_EVENTS": 12, "BATCH": 5, "MOST_STATUSES": 3, "MOST_LEVELS": 30}  # so that they are reached


class _Game:
    """Records come, time passes, and somebody reads or does not."""

    def __init__(self, title: str, stream: str, *, several: bool) -> None:
        self.noted: list[str] = []
        self.mono = 1_000.0
        self._random = Random(title)
        self._stream = stream
        self._several = several
        self._numbers = iter(range(10**6))
        symbols = SYMBOLS if several else SYMBOLS[:1]
        self._symbols = symbols
        reader = SimpleNamespace(room=4, away=None, is_slow=lambda: self._random.random() < 0.6)
        self._limits = [Limits(*one) for one in ((3_000, None), (None, 1_500), (2_000, 700))]
        for one in self._limits:
            one.expect(Subscription(stream, symbols, **({"interval": "1m"} if stream == "candles" else {})), "v", None)
        self._queues: dict[str, Any] = {
            "events": EventQueue(self._gap),
            "latest": LatestEvents(),
            "states": StateQueue(lambda: self.mono, several=several),
            "slow": StateQueue(
                lambda: self.mono,
                reader=reader,
                several=several,
                good_until=self._limits[0].good_until(),
                on_late=lambda record: self._note("late", record),
            ),
        }
        self._turns = Turns(several=several)
        self._together, self._unsaid, self._states = Together(), Unsaid(self.mono), SymbolStates(symbols)
        self._bad = BadFrames()
        self._sinks = _sinks(stream, self._note)
        self._cuts = [
            Limit(count=7, once=False, ends_with_snapshot=False),
            Limit(count=None, once=True, ends_with_snapshot=True),
            Limit(count=None, once=True, ends_with_snapshot=False, each_of=symbols),
            Limit(count=None, once=True, ends_with_snapshot=False),
        ]

    def _now(self) -> Now:
        return Now(self.mono, BEGIN_MS + round((self.mono - 1_000) * 1000))

    def _note(self, *what: Any) -> None:
        words = " ".join(one if isinstance(one, str) else repr(one) for one in what)
        self.noted.append(f"{self.mono - 1_000:8.2f} {words}")

    def _gap(self, count: int) -> records.Record:
        return self._status("stale", None, f"{count} left out")

    def _common(self) -> dict[str, Any]:
        now = self._now()
        late = self._random.choice((0, 0, 0, 200, 1_800, 3_500, -400))
        time = None if self._random.random() < 0.1 else now.epoch_ms - late
        return {"venue": "v", "received": now.epoch_ms, "time": time, "symbol": self._random.choice(self._symbols)}

    def _row(self) -> records.Record:
        common, number = self._common(), Decimal(next(self._numbers))
        match self._stream:
            case "trades":
                return records.Trade(**common, price=number, size=Decimal(1), side="buy")
            case "quotes":
                return records.Quote(**common, bid_price=number, bid_size=number, ask_price=number, ask_size=None)
            case "book":
                levels = [records.Level(number - one, Decimal(1)) for one in range(self._random.randint(0, 5))]
                return records.Book(**common, bids=levels, asks=levels[::-1])
            case "candles":
                start = self._now().epoch_ms // 60_000 * 60_000 - self._random.choice((0, 0, 60_000))
                figures = dict.fromkeys(("open", "high", "low", "close", "volume"), number)
                closed = self._random.random() < 0.2
                ends = {
                    "interval": "1m",
                    "start": start,
                    "end": start + 60_000,
                    "closed": closed,
                    "complete": not closed,
                }
                return records.Candle(**common, **figures, **ends)
            case _:
                change = self._random.choice(("update", "update", "update", "remove"))
                name = f"{self._random.randint(1, 6)}"
                return records.Order(
                    **common, order_id=name, status="new", size=number, change=change, extra={"x": "é\x1b"}
                )

    def _status(self, state: Any, symbol: str | None, reason: str | None) -> records.Status:
        more: dict[str, Any] = {}
        if state == "reconnecting":
            more = {"attempt": self._random.randint(1, 3), "retry_in_ms": 500}
        elif state == "live" and self._random.random() < 0.6:
            more = {"down_ms": self._random.choice((0, 50, 1_234, 60_000))}
        common = {"venue": "v", "received": self._now().epoch_ms, "stream": self._stream, "symbol": symbol}
        return records.Status(**common, state=state, reason=reason, **more)

    def _some(self) -> list[Any]:
        """What comes at once."""
        luck = self._random.random()
        if luck < 0.14:
            state = self._random.choice(
                ("live", "live", "live", "stale", "syncing", "reconnecting", "closed", "connecting")
            )
            symbol = self._random.choice((None, *self._symbols)) if self._several else None
            reason = self._random.choice(("why", "other why", "third")) if state not in ("live", "connecting") else None
            return [self._status(state, symbol, reason)]
        if luck < 0.2:
            return [Confirmed(self._stream, time=self._now().epoch_ms - self._random.choice((0, 5_000)))]
        if luck < 0.22:
            return [ClockOffset(self._stream, self._random.choice((-900, 0, 900)))]
        rows = [self._row() for _ in range(self._random.randint(1, 4))]
        if luck < 0.4 and self._stream not in ("trades", "book"):
            rows = [one for one in rows if getattr(one, "change", "") != "remove"]
            left_out = self._random.choice((0, 0, 1))  # rows of it that somebody left out before
            end = {"venue": "v", "received": self._now().epoch_ms, "stream": self._stream}
            rows.append(records.SnapshotEnd(**end, count=len({queues.key_of(one) for one in rows}) + left_out))
        return rows

    def play(self) -> list[str]:
        """All of it; everything that was noted."""
        live = self._status("live", None, None)
        self._give([live])
        for _ in range(STEPS):
            luck = self._random.random()
            if luck < 0.6:
                self._give(self._some())
            elif luck < 0.85:
                self._pass(self._random.choice((0.05, 0.3, 0.8, 2.5)))
            else:
                self._read()
        while any(queue.waiting() for queue in self._queues.values()):  # the slow one gives a few at a time
            self._read(all_of_it=True)
        for number, one in enumerate(self._limits):
            self._note(f"rest {number}", one.rest())
        return self.noted

    def _give(self, items: list[Any]) -> None:
        for number, limits in enumerate(self._limits):
            passed = limits.passes(items, 0, self._now())
            self._note(f"limits {number}", passed, limits.deadline())
            if number == 0:
                self._put("slow", passed)
        rows = [one for one in items if isinstance(one, records.Record)]
        for name in ("events", "latest", "states"):
            self._put(name, rows)
        self._turns.add(rows)
        for number, cut in enumerate(self._cuts):
            if not cut.reached:
                self._note(f"cut {number}", cut.cut([*rows, *([Skipped(2)] if len(rows) == 3 else [])]), cut.missing())
        for one in rows:
            if isinstance(one, records.Status):
                self._together.add(one, self.mono)
                self._note("states", self._states.take(one), self._states.having(), self._together.due())
        words = f"{len(rows)} rows"
        self._note("said", self._unsaid.may_be_said(words, self.mono), self._unsaid.first, self._bad.words(words))

    def _put(self, name: str, items: list[Any]) -> None:
        rows = [one for one in items if isinstance(one, records.Record)]
        if rows:
            self._queues[name].put(rows)
            self._note(name, self._queues[name].waiting(), len(self._turns))

    def _pass(self, seconds: float) -> None:
        self.mono += seconds
        for number, limits in enumerate(self._limits):
            due = limits.deadline()
            if due is not None and due <= self.mono:
                for line, items in limits.tick(self._now()):
                    self._note(f"tick {number}", line, items)
        due = self._together.due()
        if due is not None and due <= self.mono:
            for sentence in self._together.take(self.mono):
                self._note("says", sentence)
        if self._random.random() < 0.3:
            self._note("unsaid", self._unsaid.take(self.mono))

    def _read(self, *, all_of_it: bool = False) -> None:
        for name, queue in self._queues.items():
            if all_of_it or self._random.random() < 0.5:
                taken = queue.take()
                self._note(
                    f"{name} gives", taken, queue.waiting(), queue.trouble if name in ("events", "states") else ""
                )
                for sink in self._sinks:
                    sink.write([one for one in taken if not isinstance(one, Skipped)])
        self._note("turns", self._turns.take(self._random.choice((1, 3, None))), len(self._turns), bool(self._turns))
        if self._random.random() < 0.05:
            self._note("cleared", self._turns.clear())


def _sinks(stream: str, note: Callable[..., None]) -> list[Any]:
    """Lines of each kind, which are noted instead of written."""
    record = {
        "trades": records.Trade,
        "quotes": records.Quote,
        "book": records.Book,
        "candles": records.Candle,
        "orders": records.Order,
    }[stream]
    redactor = Redactor()
    redactor.learn({"key": "0.0001234"})
    made: list[Any] = [
        JsonLines(numbers_as_strings=True, to_terminal=True, redactor=redactor),
        JsonLines(numbers_as_strings=False, to_terminal=False, redactor=redactor, statuses=False),
        CsvLines(record, to_terminal=True, redactor=redactor),
        CsvLines(record, to_terminal=False, redactor=redactor),
    ]
    for number, sink in enumerate(made):
        sink._write = lambda data, number=number: note(f"lines {number}", data.decode())
    return made


@contextlib.contextmanager
def _small() -> Iterator[None]:
    """Bounds that a short game reaches."""
    kept = [
        (module, name, getattr(module, name))
        for module in (queues, states, lines)
        for name in SMALL
        if hasattr(module, name)
    ]
    for module, name, _ in kept:
        setattr(module, name, SMALL[name])
    try:
        yield
    finally:
        for module, name, value in kept:
            setattr(module, name, value)


def _played(stream: str, *, several: bool) -> list[str]:
    with _small():
        return _Game(f"{stream} {several}", stream, several=several).play()


def parts() -> dict[str, Callable[[], list[str]]]:
    """Each game by its title."""
    return {
        f"readers of {stream}{' of several' * several}": lambda stream=stream, several=several: _played(
            stream, several=several
        )
        for stream, several in (
            *(("trades", True), ("quotes", False), ("quotes", True), ("book", False), ("book", True)),
            *(("candles", False), ("candles", True), ("orders", False)),
        )
    }
