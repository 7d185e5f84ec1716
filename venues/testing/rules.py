"""The contract's rules about what a session gives back, item by item.

Each is a sentence of `venues/README.md`: errors are in words, nothing is shown before it is whole, figures are exact,
and nothing comes out that nobody asked for.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from venues.records import Candle, Pong, Record, SnapshotEnd, Status
from venues.streams import STREAMS
from venues.toolkit.written import Writer
from venues.venue import (
    BadFrame,
    ClockOffset,
    Confirmed,
    Item,
    Lost,
    Notice,
    Receipt,
    Refused,
    StreamState,
    has_full_states,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from venues.venue import Subscription, Venue

MARKET_DATA = ("book", "trades", "quotes", "ticker", "candles")  # each record is of a symbol that was asked for
LATEST_MS = 253_402_300_799_999  # the end of the year 9999
_KNOWN = (StreamState, Confirmed, ClockOffset, BadFrame, Notice, Receipt, Refused, Lost)
_OF_PYTHON = re.compile(r"\b[A-Z]\w*(?:Error|Exception)\b|Traceback|object at 0x|<class |<function ")


class ItemRules:
    """Looks at each item of the sessions of one route; `fault` is called with a text for each that is wrong."""

    def __init__(self, venue: Venue, subscriptions: Sequence[Subscription], fault: Callable[[str], None]) -> None:
        self._venue = venue
        self._asked: dict[str, tuple[str, ...]] = {}  # the symbols by stream, of all its subscriptions; none: any
        for one in subscriptions:
            others = self._asked.get(one.stream)
            several = (*others, *one.symbols) if others and one.symbols else ()
            self._asked[one.stream] = one.symbols if others is None else several
        self._streams_of: dict[type[Record], list[str]] = {}
        for name in self._asked:
            self._streams_of.setdefault(STREAMS[name].record, []).append(name)
        self._fault = fault
        self._live: set[tuple[str, str | None]] = set()  # streams and symbols; symbol None: all of them
        self._writer = Writer()

    def connection_begins(self) -> None:
        """To be called for each new session: nothing is live on it."""
        self._live.clear()

    def written(self, record: Record) -> str:
        """The line that is printed of a record."""
        return self._writer.encode(record).decode()

    def look_at(self, item: Item) -> None:
        """Notes what is wrong with an item."""
        match item:
            case Status():
                self._fault("a session gave a `Status`: expected `StreamState`, of which the driver makes statuses")
            case SnapshotEnd():
                self._look_at_end(item)
            case Record():
                self._look_at_record(item)
            case StreamState():
                self._look_at_state(item)
            case Confirmed():
                self._look_at_confirmed(item)
            case ClockOffset():
                self._is_asked_for(item.stream, None, "ClockOffset")
            case BadFrame():
                self._in_words(item.reason, "BadFrame")
                if unknown := [stream for stream in item.streams or () if stream not in self._venue.streams]:
                    self._fault(f"a BadFrame of {', '.join(unknown)}: expected streams that the venue has")
            case Refused():
                self._in_words(item.reason, "Refused")
                if item.stream is not None:
                    self._is_asked_for(item.stream, item.symbol, "Refused")
            case Lost():
                self._in_words(item.reason, "Lost")
            case Notice():
                self._in_words(item.text, "Notice")
            case _ if not isinstance(item, _KNOWN):
                self._fault(f"a session gave a {type(item).__name__}: expected one of `venues.venue.Item`")

    def _look_at_state(self, item: StreamState) -> None:
        self._is_asked_for(item.stream, item.symbol, "StreamState")
        if item.state == "stale":
            self._in_words(item.reason, "StreamState stale")
        symbols = self._asked.get(item.stream, ())
        here = {(item.stream, item.symbol)}
        if item.symbol is None:
            here |= {(item.stream, symbol) for symbol in symbols}
        if item.state == "live":
            self._live |= here
        else:
            self._live -= here
            if item.symbol is not None:
                self._live.discard((item.stream, None))

    def _look_at_confirmed(self, item: Confirmed) -> None:
        if not self._is_asked_for(item.stream, item.symbol, "Confirmed") or STREAMS[item.stream].kind == "event":
            return
        if not any((item.stream, symbol) in self._live for symbol in (None, item.symbol)):
            self._fault(
                f"a Confirmed of {item.stream}, which is not live: expected none, since nothing current is shown"
            )

    def _look_at_end(self, item: SnapshotEnd) -> None:
        if item.stream != "symbols" and self._is_asked_for(item.stream, None, "SnapshotEnd"):
            offer = self._venue.streams[item.stream]
            if not has_full_states(STREAMS[item.stream], offer):
                self._fault(f"a `SnapshotEnd` of {item.stream}: expected none, since that stream has no full states")
        self._is_from_here(item)

    def _look_at_record(self, item: Record) -> None:
        kind = type(item).__name__
        self._is_from_here(item)
        for path, value in _figures(item, kind):
            self._fault(f"{path} is {value!r}: expected a finite Decimal (`venues.toolkit.numbers`)")
        try:
            json.loads(self._writer.encode(item), parse_constant=_refuse)
        except (ValueError, RecursionError, TypeError, UnicodeError) as error:
            self._fault(f"a {kind} that is no line of JSON: {error}")
        streams = self._streams_of.get(type(item))
        if streams is None:
            if kind != "Instrument":
                self._fault(f"a {kind} came, but no stream was asked for that has such records ({self._names()})")
            return
        self._is_of_a_symbol(item, streams)
        self._is_shown_when_whole(item, streams)

    def _is_from_here(self, item: Record) -> None:
        kind = type(item).__name__
        if item.venue != self._venue.name:
            self._fault(f'a {kind} of venue "{item.venue}": expected "{self._venue.name}"')
        if item.env != "replay":
            self._fault(f"a {kind} with env {item.env!r}: expected `settings.label`, which is 'replay' here")
        for name in ("time", "received"):
            value = getattr(item, name)
            if value is not None and (type(value) is not int or not 0 <= value <= LATEST_MS):
                self._fault(f"{kind}.{name} is {value!r}: expected milliseconds since the epoch, a whole number")

    def _is_of_a_symbol(self, item: Record, streams: Sequence[str]) -> None:
        asked = [self._asked[name] for name in streams if name in MARKET_DATA]
        if len(asked) == len(streams) and all(asked) and not any(item.symbol in symbols for symbols in asked):
            self._fault(
                f"a {type(item).__name__} of {item.symbol!r}, which nobody asked for: expected it to be left out "
                "(raise `NotAskedFor`, and say it once by `LeftOut`)"
            )

    def _is_shown_when_whole(self, item: Record, streams: Sequence[str]) -> None:
        if any(STREAMS[name].kind == "event" for name in streams):
            return
        if isinstance(item, Candle) and not item.complete:
            return  # it says itself that it is not whole
        if not any((name, symbol) in self._live for name in streams for symbol in (None, item.symbol)):
            self._fault(
                f"a {type(item).__name__} of {item.symbol or 'all symbols'} came while {' and '.join(streams)} was not "
                f'live: expected StreamState("{streams[0]}", "live") before it, once the state is whole'
            )

    def _is_asked_for(self, stream: str, symbol: str | None, kind: str) -> bool:
        if stream not in self._asked:
            self._fault(f'a {kind} of stream "{stream}": expected one that was asked for ({self._names()})')
            return False
        symbols = self._asked[stream]
        if symbol is not None and symbols and symbol not in symbols:
            self._fault(f'a {kind} of {stream} with symbol "{symbol}": expected one of {", ".join(symbols)}')
        return True

    def _in_words(self, text: str, kind: str) -> None:
        if not text.strip():
            self._fault(f"a {kind} without words: expected what was expected, what came, and what to do next")
        elif foreign := _OF_PYTHON.search(text):
            self._fault(f'a {kind} in words of Python ("{foreign[0]}"), expected those of a person: {text[:200]}')

    def _names(self) -> str:
        return ", ".join(self._asked)


def _figures(value: Any, path: str) -> Iterator[tuple[str, object]]:
    """The figures in a record that are no exact decimals, with their paths."""
    if isinstance(value, float):
        if path != f"{Pong.__name__}.round_trip_ms":
            yield path, value
    elif isinstance(value, Decimal):
        if not value.is_finite():
            yield path, value
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield from _figures(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _figures(one, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for at, one in enumerate(value):
            yield from _figures(one, f"{path}[{at}]")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
