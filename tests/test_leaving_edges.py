"""Whoever has left sends no more pings, at every venue: what comes after a goodbye would keep a line alive."""

from __future__ import annotations

from pathlib import Path

import pytest

from venues import venue_named
from venues.recording import Recording
from venues.records import Pong
from venues.testing.playing import Play
from venues.venue import Now, Out

FIXTURES = Path(__file__).parent / "fixtures"
CASES = sorted(set(FIXTURES.glob("*/ping--*.frames.jsonl")) - set(FIXTURES.glob("*/ping--no-answer.*")))


def played(case: Path) -> tuple[Play, Now]:
    """A line on which the first ping of a recording was answered, and when."""
    recording = Recording(case)
    play = Play(venue_named(recording.header.venue), recording.header)
    last = Now(0.0, 0)
    for event in recording.events():
        last = Now(event.mono, event.at)
        if any(isinstance(item, Pong) for item in play.feed(event)):
            break
    play.take()
    return play, last


def sent_within(play: Play, last: Now, seconds: int) -> list[Out]:
    """What goes out in the next seconds, with whatever is due."""
    sent: list[Out] = []
    for tenths in range(1, seconds * 10):
        play.driver.tick(Now(last.mono + tenths / 10, last.epoch_ms + tenths * 100))
        sent += play.take()
    return sent


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name.partition('.')[0]}")
def test_after_a_goodbye_no_ping_is_sent(case: Path) -> None:
    staying, last = played(case)
    assert sent_within(staying, last, 3), "the pings of this recording are not on"
    leaving, last = played(case)
    leaving.driver.leave(last)
    leaving.take()
    assert sent_within(leaving, last, 3) == []
    assert leaving.driver.deadline() is None or leaving.driver.deadline() > last.mono + 3  # type: ignore[operator]
