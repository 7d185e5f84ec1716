"""A judge of one stream with a clock that is set by hand, and what may come of a stream."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cli.output.conditions import condition
from cli.output.fields import Fields
from cli.output.standing import Stands
from cli.run.edges import Edges
from cli.run.judging import Judge, Judged
from tests.bot.recordings import BEGIN
from venues.records import Book, Level, Position, Record, SnapshotEnd, State, Status, Trade
from venues.streams import STREAMS
from venues.venue import Now

if TYPE_CHECKING:
    from collections.abc import Sequence


class Stage:
    """A judge of one stream, and the records for which its `on` has fired."""

    def __init__(
        self,
        stream: str,
        *,
        rows: bool = False,
        where: str | None = None,
        until: str | None = None,
        on: str | None = None,
        symbols: Sequence[str] = (),
        **how: Any,
    ) -> None:
        self.now = Now(0.0, BEGIN)
        self.fired: list[Record] = []
        record, events = STREAMS[stream].record, STREAMS[stream].kind == "event"
        self._stream = stream
        fields = Fields(stream, record, 20)
        texts = {"where": where, "until": until, "on": on}
        made = {name: condition(text, fields, name) for name, text in texts.items() if text is not None}
        self.judge = Judge(
            Judged(record, events=events, rows=rows, **how),
            Stands(stream, symbols, partial=False),
            now=lambda: self.now,
            where=made.get("where"),
            until=made.get("until"),
            edges=Edges(made["on"], events=events, rows=rows) if "on" in made else None,
            conditions=[*made.values()],
            fire=lambda record, key, stand: self.fired.append(record),
            symbols=symbols,
        )

    def status(self, state: State, symbol: str | None = None) -> Status:
        return Status(venue="v", received=self.now.epoch_ms, stream=self._stream, symbol=symbol, state=state)

    def end(self, count: int) -> SnapshotEnd:
        return SnapshotEnd(venue="v", received=0, stream=self._stream, count=count)

    def said(self, *items: Any) -> list[Any]:
        return list(self.judge.passes(items))

    def tick(self, at: float) -> list[Any]:
        """What becomes true with time alone, so many seconds after the beginning."""
        self.now = Now(at, BEGIN + round(at * 1000))
        return self.judge.tick(self.now)


def position(name: str, size: int, change: str = "update") -> Position:
    return Position(venue="v", received=0, position_id=name, size=Decimal(size), change=change)  # type: ignore[arg-type]


def bought(price: str, symbol: str | None = None) -> Trade:
    return Trade(venue="v", received=0, symbol=symbol, price=Decimal(price), size=Decimal(1), side="buy")


def book(bid: str, **fields: Any) -> Book:
    return Book(venue="v", received=0, bids=[Level(Decimal(bid), Decimal(1))], asks=[], **fields)


def told(items: Sequence[Any]) -> list[Any]:
    """Rows as name, change and match; ends as their count; statuses as their state."""
    return [
        (one.position_id, one.change, one.match)
        if isinstance(one, Position)
        else one.count
        if isinstance(one, SnapshotEnd)
        else one.state
        for one in items
    ]
