"""Games with mutated recordings: what a venue's session makes of each, as `tests.model.games`, whose file they are in.

The mutations are those with which the author of a venue tests it (`venues.testing`), so they are held here too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from tests.recorded import FOLDER
from venues import VENUES, events, venue_named
from venues.recording import Recording
from venues.testing.mutation import MutatedPlay, longer, rows_of_the_longest
from venues.testing.playing import Play
from venues.venue import Now

TIMES = 8  # that each recording is played, mutated in another way
LARGEST = 60_000  # bytes of a recording; the captured ones are long
TWICE = 2  # that a field of one name is made odd in the recordings of a stream
ODD = (b"null", b"-1", b'""', b'"x"', b"0", b'"-0.5"', b"true", b"[]", b"{}", b"1e30", b'"2030-01-01T00:00:00Z"')
_FIELD = re.compile(rb'"(\w+)":("(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null)')
NOTED = ("opened", "answered", "failed", "receive", "fetched", "pong", "tick", "closed", "send")


def _played(case: Path, venue: str, time: int) -> list[str]:
    chance = Random(f"{case.name} {time}")
    play = MutatedPlay(case, venue_named(venue), chance)
    noted = [f"-- {case.name} {time}"]
    for name in NOTED:
        setattr(play.driver, name, _noting(getattr(play.driver, name), name, noted))
    noted.append(f"faults {play.run()}")
    return [*noted, f"due {play.driver.deadline()}, chance {chance.random()}"]


def _noting(method: Callable[..., Any], name: str, noted: list[str]) -> Callable[..., Any]:
    def call(*arguments: Any, **keywords: Any) -> Any:
        answer = method(*arguments, **keywords)
        noted.append(f"{name} {arguments!r:.300} gives {answer!r}")
        return answer

    return call


def _all_of(venue: str) -> list[str]:
    cases = sorted((FOLDER / venue).glob("*.frames.jsonl"))
    small = [case for case in cases if case.stat().st_size < LARGEST]
    return [line for case in small for time in range(TIMES) for line in _played(case, venue, time)]


def _fields_of(venue: str) -> list[str]:
    """What is said when one field of one frame is odd: each name twice in a stream, with each odd value."""
    noted: list[str] = []
    seen: Counter[tuple[str, bytes]] = Counter()
    for case in sorted((FOLDER / venue).glob("*.frames.jsonl")):
        stream = case.name.partition("--")[0]
        recording = Recording(case)
        header, kept = recording.header, list(recording.events())
        if case.stat().st_size > LARGEST // 4:
            continue
        noted.append(f"-- {case.name}")
        for place, event in enumerate(kept):
            if not (isinstance(event, events.Frame) and event.direction == "in"):
                continue
            frame = event.data()
            for found in _FIELD.finditer(frame):
                seen[stream, found[1]] += 1
                if seen[stream, found[1]] > TWICE:
                    continue
                for value in ODD:
                    odd = frame[: found.start(2)] + value + frame[found.end(2) :]
                    changed = events.frame_event("in", odd, Now(event.mono, event.at), event.line)
                    noted.append(
                        f"{place} {found[1].decode()} {value.decode()}: {_given(venue, header, kept, place, changed)}"
                    )
    return noted


def _given(venue: str, header: Any, kept: list[Any], place: int, changed: Any) -> str:
    """All that the frame and the one behind it give."""
    play = Play(venue_named(venue), header)
    items: list[Any] = []
    for number, event in enumerate(kept[: place + 2]):
        given = play.feed(changed if number == place else event)
        if number >= place:
            items += given
        if play.driver.ended is not None or (play.driver.retry_at is not None and number >= place):
            break
    return repr(items)


def _longer() -> list[str]:
    frames = (
        b"",
        b"{}",
        b'{"a":[]}',
        b'{"a":[1,"x",{"b":2.5}],"c":[[1,2],[3]]}',
        b'[{"id":"a-1","t":"10:00","n":0}]',
        b"[[[1]]]",
    )
    found = []
    for frame in frames:
        found.append(f"{frame!r} has {rows_of_the_longest(frame)} rows")
        for times, which, first in ((1, None, 0), (2, None, 0), (3, 0, 5), (2, 1, 0), (2, 7, 9)):
            found.append(f"{frame!r} {times} times, {which}, from {first}: {longer(frame, times, which, first)!r}")
    return found


def parts() -> dict[str, Callable[[], list[str]]]:
    """Each game by its title."""
    games = {f"mutated recordings of {venue}": lambda venue=venue: _all_of(venue) for venue in VENUES}
    fields = {f"odd fields of {venue}": lambda venue=venue: _fields_of(venue) for venue in VENUES}
    return {**games, **fields, "longer frames": _longer}
