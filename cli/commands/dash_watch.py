"""`mon dash`: several streams of one venue to the panes of one screen, on as few sockets as it allows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec import structs

from cli.interrupts import run_loop
from cli.output.gaps import no_words
from cli.output.lines import STDOUT, Queue, Words, is_terminal
from cli.output.queues import LatestEvents
from cli.output.states import StateQueue
from cli.output.statuses import in_words
from cli.run.asked import check_for_table, check_symbol, either, recorded_at
from cli.run.options import StreamRequest, check_together
from cli.run.watch import Watcher
from cli.views.panes import PANES
from venues import venue_named, venues_with
from venues.errors import UsageError
from venues.made import routes_of
from venues.recording import Recording
from venues.records import Status
from venues.redaction import Redactor  # noqa: TC001
from venues.streams import STREAMS
from venues.venue import Settings, Subscription, has_several

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from cli.output.gaps import Gap
    from cli.screen.header import Rate
    from cli.screen.look import Look
    from cli.screen.pane import Pane
    from cli.screen.table import Table
    from venues.driver import Delivered
    from venues.venue import Offer, Venue


def watch_dash(request: StreamRequest, words: Words, redactor: Redactor) -> int:
    """Show a venue on one screen; the exit code.

    Raises:
        MonError: whatever ended it that was not asked for.
    """
    check_together(request)
    recording = None if request.replay is None else Recording(request.replay)
    venue, subscriptions = panes_asked_for(request, recording)
    check_terminal(request, subscriptions)
    picture = Panes(venue, subscriptions, replayed=recording is not None)
    return run_loop(Watcher(request, venue, subscriptions, recording, words, redactor, picture).run())


def check_terminal(request: StreamRequest, subscriptions: Sequence[Subscription]) -> None:
    """Check that there is a terminal, since a dashboard is for people.

    Raises:
        UsageError: there is no terminal to draw it on; the text says what scripts use.
    """
    from cli.settings.environment import is_dumb, variables

    if not is_terminal(STDOUT):
        raise UsageError(f"mon dash draws on a terminal, and stdout is none; {_for_scripts(request, subscriptions)}")
    if is_dumb(variables()):
        raise UsageError(f"mon dash needs a terminal whose cursor can be moved; {_for_scripts(request, subscriptions)}")


def _for_scripts(request: StreamRequest, subscriptions: Sequence[Subscription]) -> str:
    replay = () if request.replay is None else ("--replay", str(request.replay))
    commands = [" ".join(["mon", one.stream, request.venue, *one.symbols, *replay]) for one in subscriptions[:2]]
    return f"for lines take the streams one by one, e.g. {' or '.join(commands)} (see mon venues)"


def panes_asked_for(request: StreamRequest, recording: Recording | None) -> tuple[Venue, list[Subscription]]:
    """The venue and a subscription a pane, checked.

    Raises:
        UsageError: the venue has no stream that a dashboard shows, or the symbol does not fit.
    """
    venue = venue_named(request.venue)
    offers = {stream: venue.streams[stream] for stream in PANES if stream in venue.streams}
    if not offers:
        raise UsageError(
            f"{venue.name} has none of the streams of a dashboard ({', '.join(PANES)}); "
            f"it has: {', '.join(venue.streams)}; venues with a dashboard: {', '.join(venues_with(*PANES))}"
        )
    subscriptions = _asked(request, venue, offers) if recording is None else _recorded(request, venue, recording)
    routes_of(venue, subscriptions, Settings(url=""))  # whatever is wrong with them is said before anything is opened
    return venue, subscriptions


def _asked(request: StreamRequest, venue: Venue, offers: Mapping[str, Offer]) -> list[Subscription]:
    symbols = request.names()
    for symbol in symbols:
        check_symbol(venue, symbol, request.env, request.profile)
    taking = {stream: offer for stream, offer in offers.items() if offer.symbols != "none"}
    if symbols and not taking:
        raise UsageError(f"the dashboard of {venue.name} takes no symbol, got {' '.join(symbols)}")
    shown = [stream for stream in offers if symbols or stream not in taking]
    if not shown:
        raise UsageError(f"the dashboard of {venue.name} needs a symbol, e.g. mon dash {venue.name} {venue.example}")
    return [_deep(Subscription(stream, symbols if stream in taking else ()), request) for stream in shown]


def _deep(subscription: Subscription, request: StreamRequest) -> Subscription:
    return replace(subscription, depth=request.depth) if request.depth is not None else subscription


def _recorded(request: StreamRequest, venue: Venue, recording: Recording) -> list[Subscription]:
    header = recorded_at(request, recording, venue)
    recorded = [one for one in header.asked_for() if one.stream in PANES and one.stream in venue.streams]
    if not recorded:
        streams = ", ".join(dict.fromkeys(one.stream for one in header.subscriptions))
        raise UsageError(
            f"{request.replay} is a recording of {streams or 'nothing'}, none of which is a pane of a dashboard; "
            f"play one with: mon STREAM {venue.name} [SYMBOL] --replay {request.replay}"
        )
    symbols = list(dict.fromkeys(one.symbols for one in recorded if one.symbols))
    if request.names() and request.names() not in symbols:
        raise UsageError(f"{request.replay} is a recording of {either(symbols) or 'no symbol'}")
    shown = {one.stream: one for one in recorded if not request.names() or one.symbols in (request.names(), ())}
    if not request.names() and len(shown) < len(recorded):
        raise UsageError(
            f"{request.replay} is a recording of {either(symbols)}: name the one to be shown, e.g. "
            f"mon dash {venue.name} {' '.join(symbols[0])} --replay {request.replay}"
        )
    for one in shown.values():
        check_for_table(one, venue)
    return [_deep(shown[stream], request) for stream in PANES if stream in shown]


class Panes:
    """The picture of several streams of one venue: a pane each."""

    def __init__(self, venue: Venue, subscriptions: Sequence[Subscription], *, replayed: bool) -> None:
        self._venue = venue
        self._subscriptions = subscriptions
        self._replayed = replayed
        self._told: Status | None = None  # what was said last

    def queue(self, gaps: Mapping[str, Gap]) -> Queue:
        """What waits to be drawn: a queue for each stream."""
        return QueuePerStream(list(gaps), gaps, several=[one.stream for one in self._subscriptions if has_several(one)])

    def table(
        self,
        panes: Mapping[str, Pane],
        env: str | None,
        look: Look,
        rate: Rate,
        wake: Callable[[], None],
        *,
        on_terminal: bool,
    ) -> Table:
        """The dashboard: all panes under one line that says where they are from."""
        from cli.screen.dashboard import Dashboard

        symbols = list(dict.fromkeys(symbol for one in self._subscriptions for symbol in one.symbols))
        symbol = symbols[0] if len(symbols) == 1 else f"{len(symbols)} symbols" if symbols else None
        return Dashboard(
            panes,
            PANES,
            venue=self._venue.name,
            env=env,
            symbol=symbol,
            look=look,
            rate=rate,
            on_terminal=on_terminal,
            wake=wake,
        )

    def remark(self) -> str | None:
        """Which panes a symbol would add; None when none is left out."""
        shown = [subscription.stream for subscription in self._subscriptions]
        left_out = [stream for stream in PANES if stream in self._venue.streams and stream not in shown]
        if not left_out or self._replayed:
            return None
        example = f"mon dash {self._venue.name} {self._venue.example}"
        return f"with a symbol there is more: {', '.join(left_out)} (e.g. {example})"

    def words(self, status: Status, beside: Sequence[Delivered]) -> str | None:
        """What is said of a status; what happens to a socket happens to all of its streams, and is said once."""
        if status.state == "live" and status.down_ms is None:
            return None  # that it is partial is in the pane's heading
        if status.state in ("reconnecting", "closed"):
            same = [one.stream for one in beside if isinstance(one, Status) and _is_same(one, status)]
            streams = same or [status.stream]
            all_streams = len(streams) == len(self._subscriptions)
            said = structs.replace(status, stream=self._venue.name if all_streams else ", ".join(streams), symbol=None)
            if said == self._told:
                return None
            self._told = status = said
        of_one = any(one.stream == status.stream and has_several(one) for one in self._subscriptions)
        if status.state in ("stale", "live"):
            return in_words(status, status.symbol if of_one else None)
        return in_words(status) if status.state != "closed" else f"{status.stream}: {status.reason}; this is final"


def _is_same(one: Status, other: Status) -> bool:
    return (one.state, one.reason) == (other.state, other.reason)


class QueuePerStream:
    """A queue for each stream: of states the latest, of events the latest and a count of the others.

    What is taken are pairs of a stream's name and its records.
    """

    def __init__(
        self, streams: Sequence[str], gaps: Mapping[str, Gap] | None = None, several: Collection[str] = ()
    ) -> None:
        """`gaps` has for each stream the statuses that are said where its rows are left out; `several` are those
        streams that have several symbols."""
        self._queues: dict[str, Queue] = {}
        for stream in streams:
            gap = (gaps or {}).get(stream)
            words = no_words if gap is None else gap.in_rows
            states = StateQueue(on_overflow=words, several=stream in several)
            self._queues[stream] = LatestEvents() if STREAMS[stream].kind == "event" else states
        self._stream_of: dict[type, str] = {STREAMS[stream].record: stream for stream in streams}

    def put(self, records: Sequence[Any]) -> None:
        """Put each record into the queue of its stream."""
        parts: dict[str, list[Any]] = {}
        for record in records:
            stream = self._stream_of.get(record.__class__) or record.stream
            parts.setdefault(stream, []).append(record)
        for stream, part in parts.items():
            self._queues[stream].put(part)

    def take(self) -> Sequence[tuple[str, Sequence[Any]]]:
        """What waits, a pair for each stream that has something; takes it out."""
        return [(stream, records) for stream, queue in self._queues.items() if (records := queue.take())]

    def waiting(self) -> int:
        """How many records of all streams wait."""
        return sum(queue.waiting() for queue in self._queues.values())
