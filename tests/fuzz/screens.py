"""Targets of the terminal: what a keyboard sends, and what its keys do to each view."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from functools import cache
from typing import Any

from cli.output.queues import LatestEvents
from cli.screen.keys import KeyParser
from cli.screen.look import Look
from cli.views import VIEWS, loaded
from tests.fuzz.sessions import FIXTURES, MOST_EVENTS
from venues import venue_named
from venues.recording import Recording
from venues.records import Record, SnapshotEnd, Status
from venues.testing.playing import Play
from venues.testing.recordings import cases

SIZES = [(80, 24), (40, 8), (1, 1), (200, 60)]
MOST_RECORDS = 40  # that a view shows while keys are pressed
MOST_BYTEWISE = 2_000  # bytes of a case that come one by one: real ones come so, but each call costs a microsecond
MOST_KEYS = 500  # of one case that are pressed …
MOST_DRAWN = 20  # … and how often it is drawn: as on the screen, once for all keys that came in one read
KEYS = [
    *(b"s", b"s+r-gG?", b"\x1b[A\x1b[B\x1b[C\x1b[D\x1b[5~\x1b[6~", b"\x1b[H\x1b[F\x1bOA", b"\t\x1b[Z\r\n \x0c"),
    *("é漢".encode(), b"lm12d\x7f", b"\x1b[200~pasted\x1b[201~s", b"\x1b]0;title\x07q", b"\x1b[1;5A\x1b[<0;5;5M"),
    b"\x1bPdevice\x1b\\q",
]


@cache
def shown_by() -> Sequence[tuple[str, Sequence[Record]]]:
    """Each view, with records that it shows: those of the first recording of the stream that gives any."""
    found: dict[str, Sequence[Record]] = {}
    for path in cases(FIXTURES):
        stream = path.name.partition("--")[0]
        if stream in VIEWS and stream not in found and (records := _records(path)):
            found[stream] = records
    if "feed" in found:
        found["tail"] = found["feed"]
    return sorted(found.items())


def _records(path: Any) -> list[Record]:
    recording = Recording(path)
    play = Play(venue_named(recording.header.venue), recording.header)
    records: list[Record] = []
    for number, event in enumerate(recording.events()):
        records += [item for item in play.feed(event) if isinstance(item, Record) and not isinstance(item, Status)]
        play.take()
        if play.driver.ended is not None or number > MOST_EVENTS:
            break
    return records[:MOST_RECORDS]


def key_cases() -> list[bytes]:
    """For each view some keys: a byte for the view, one for the size and the bytes at once, then the bytes."""
    views = range(len(shown_by()))
    return [bytes([view, (view + number) % 256]) + keys for view in views for number, keys in enumerate(KEYS)]


def pressed(case: bytes) -> int:
    """What a keyboard sends, in pieces, pressed on a view that shows something; how many lines were drawn."""
    if len(case) < 3:
        return 0
    name, records = shown_by()[case[0] % len(shown_by())]
    width, height = SIZES[case[1] % len(SIZES)]
    at_once = 1 + case[1] // len(SIZES)
    found = loaded(name)
    view: Any = found.view(Look(tz=UTC, epoch_ms=lambda: 1_747_841_760_000))
    queue = LatestEvents() if found.queue is None else found.queue()
    queue.put(records)
    for record in queue.take():
        if isinstance(record, SnapshotEnd):
            view.full(record.count)
        else:
            view.add(record)
    parser, drawn, left = KeyParser(), 0, MOST_KEYS
    pieces = [case[at : at + at_once * 64] for at in range(2, len(case), at_once * 64)]
    for number, keys in enumerate((*map(parser.feed, pieces), parser.flush())):
        for key in keys[:left]:
            view.press(key)
        if number < MOST_DRAWN:
            drawn += len(view.lines(width, height))
        left = max(0, left - len(keys))
    return drawn + len(view.keys)


def sent(case: bytes) -> int:
    """What a keyboard sends, one byte after the other and all at once."""
    whole, bytewise = KeyParser(), KeyParser()
    keys = whole.feed(case) + whole.flush()
    for at in range(min(len(case), MOST_BYTEWISE)):
        bytewise.feed(case[at : at + 1])
    bytewise.flush()
    return len(keys)
