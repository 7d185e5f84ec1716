"""Recordings and what they must give, found by their names.

`<stream>--<case>.frames.jsonl` holds the recording, `….records.jsonl` beside it the frames sent and the records, in
order.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

from venues import events
from venues.recording import Recording
from venues.records import Record
from venues.testing.playing import Play
from venues.toolkit.written import Writer
from venues.venue import Close, Fetch, SocketPing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from venues.driver import Delivered
    from venues.venue import Out, Venue

FRAMES, RECORDS = ".frames.jsonl", ".records.jsonl"
_ENCODER = Writer()


def cases(folder: Path) -> list[Path]:
    """The recordings in a folder and those below it, sorted."""
    return sorted(folder.rglob(f"*{FRAMES}"))


def expected_of(case: Path) -> Path:
    """Where the text is that a recording must give."""
    return case.with_name(case.name.removesuffix(FRAMES) + RECORDS)


def name_of(case: Path) -> str:
    """The name of a case, e.g. `book--first`."""
    return case.name.removesuffix(FRAMES)


def outcome(case: Path, venue: Venue) -> str:
    """Everything that a recording gives, a line each: records, other items by their type's name, frames sent."""
    recording = Recording(case)
    return "".join(line + "\n" for line in lines(Play(venue, recording.header), recording.events()))


def lines(play: Play, played: Iterator[events.Event]) -> Iterator[str]:
    """What the events give, one line after the other, up to the end of the route."""
    for event in played:
        delivered = play.feed(event)
        yield from (written(item) for item in delivered)
        yield from (_ENCODER.encode({"sent": _sent(out)}).decode() for out in play.take())
        ended = play.driver.ended
        if ended is not None:
            yield _ENCODER.encode({"ended": type(ended).__name__, "text": str(ended)}).decode()
            return


def unasked(case: Path, venue: Venue) -> list[str]:
    """The answers in a recording that no request waits for at that place, each in words. They change nothing."""
    recording = Recording(case)
    play, waiting, found = Play(venue, recording.header), set[str](), list[str]()
    for event in recording.events():
        if isinstance(event, events.Dialled):
            waiting.clear()
        if isinstance(event, events.Fetched | events.NotFetched):
            if event.request not in waiting:
                others = (
                    f"the requests that wait are {', '.join(sorted(waiting))}" if waiting else "no request waits then"
                )
                found.append(
                    f'the answer to "{event.request}" at mono {event.mono:g} is nobody\'s: {others}; expected a '
                    "`fetched` behind the event that its request is made at; a SeededBook makes one at a `tick`"
                )
            waiting.discard(event.request)
        play.feed(event)
        waiting |= {out.id for out in play.take() if isinstance(out, Fetch)}
        if play.driver.ended is not None:
            break
    return found


def written(item: Delivered) -> str:
    """An item as a line of JSON; it says its symbol only where it is about one of several."""
    if isinstance(item, Record):
        return _ENCODER.encode(item).decode()
    if is_dataclass(item) and getattr(item, "symbol", "") is None:
        said = {one.name: getattr(item, one.name) for one in fields(item) if one.name != "symbol"}
        return _ENCODER.encode({type(item).__name__: said}).decode()
    return _ENCODER.encode({type(item).__name__: item}).decode()


def rewrite(folder: Path, venue: Venue) -> list[Path]:
    """Writes what each recording of a folder gives now; returns the files that have changed."""
    changed = []
    for case in cases(folder):
        text, expected = outcome(case, venue), expected_of(case)
        if not expected.exists() or expected.read_text(encoding="utf-8") != text:
            expected.write_text(text, encoding="utf-8")
            changed.append(expected)
    return changed


def _sent(out: Out) -> object:
    return type(out).__name__ if isinstance(out, SocketPing | Close) else out
