"""Games with mutated recordings: what a venue's session makes of each, as `tests.model.games`, whose file they are in.

The mutations are those with which the author of a venue tests it (`venues.testing`), so they are held here too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from tests.recorded import FOLDER
from venues import VENUES, venue_named
from venues.testing.mutation import MutatedPlay, longer, rows_of_the_longest

TIMES = 8  # that each recording is played, mutated in another way
LARGEST = 60_000  # bytes of a recording; the captured ones are long
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
    return {**games, "longer frames": _longer}
