"""The checks that play a recording several times: cut anywhere, with bad messages, with long lists, and twice."""

from __future__ import annotations

import contextlib
import gc
import sys
from itertools import islice
from typing import TYPE_CHECKING

from venues import events
from venues.recording import Recording
from venues.testing.mutation import TICKS_AT_ONCE, longer, rows_of_the_longest
from venues.testing.playing import Play
from venues.testing.recordings import lines, unasked, written
from venues.testing.watching import Watch
from venues.venue import Now

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from venues.venue import Venue

MOST_CUTS = 25  # of one recording
MOST_PLAYED = 2_000  # events of one recording
LONGEST_LEAVE = 60.0  # seconds
BAD_MESSAGES = 200
BAD_EVERY = 0.05  # seconds
ROWS = 45_000  # of a long list: 100,000, which our own tools keep at most, are reached with the third
LONG_LISTS = 3
MOST_TIMES = 2.6  # what the first list made us keep; three times as much would be all of it


def events_of(case: Path) -> list[events.Event]:
    """The first events of a recording."""
    return list(islice(Recording(case).events(), MOST_PLAYED))


def faults_in(case: Path, venue: Venue) -> list[str]:
    """What is wrong in a recording as it is, played with secrets that must not be seen anywhere."""
    header = Recording(case).header
    secrets = {name: f"not-to-be-seen-{name.replace('_', '-')}-0123456789" for name in venue.secrets}
    watch = Watch(venue, header.asked_for(), secrets.values())
    play = Play(venue, header, secrets=secrets, watch=watch)
    with watch.noting():
        for line in lines(play, Recording(case).events()):
            if not line.startswith('{"sent"'):  # the frames themselves are looked at as they are taken
                watch.no_secret(line, "what comes out")
    return watch.faults or unasked(case, venue)


def cuts(played: Sequence[events.Event]) -> list[int]:
    """Where a recording is cut: after every event, or evenly if there are too many; never before the first dial."""
    step = max(1, len(played) // MOST_CUTS)
    return [at for at in range(1, len(played) + 1, step) if isinstance(played[0], events.Dialled)]


def faults_when_cut(case: Path, venue: Venue) -> list[str]:
    """What is wrong when the connection is lost, or we leave, at any moment of a recording."""
    played = events_of(case)
    faults: list[str] = []
    for at in cuts(played):
        for ending in (_lost, _left):
            watch, play = _watched(case, venue)
            with watch.noting():
                if _played(play, played[:at]):
                    ending(play, watch, Now(played[at - 1].mono + 0.001, played[at - 1].at + 1))
            faults += [f"after {at} events: {fault}" for fault in watch.faults]
        if faults:
            return faults
    return []


def _lost(play: Play, watch: Watch, now: Now) -> None:
    play.driver.closed(1006, "", now)
    play.take()


def _left(play: Play, watch: Watch, now: Now) -> None:
    """Leaves: it is done by its own deadlines, and lost without an exception afterwards."""
    driver, end = play.driver, now.mono + LONGEST_LEAVE
    driver.leave(now)
    play.take()
    ticks = 0
    while not driver.done():
        due = driver.deadline()
        if due is None:
            watch.fault("`leave` never ends: `done` is False and `deadline` is None, so nobody would wake it")
            return
        if due > end or ticks >= TICKS_AT_ONCE:
            watch.fault(f"`leave` does not end: `done` is False after {LONGEST_LEAVE:.0f} s, or {ticks} ticks")
            return
        ticks += 1
        now = Now(max(now.mono, due), now.epoch_ms + max(0, round((due - now.mono) * 1000)))
        driver.tick(now)
        play.take()
        if driver.retry_at is not None:
            return  # the connection is of no more use, which is an end too
    driver.closed(1000, "", now)


def faults_of_bad_messages(case: Path, venue: Venue) -> list[str]:
    """What is wrong when every message is bad for a while after a recording: mostly that it is not paced."""
    played = events_of(case)
    frames = [e.data() for e in played if isinstance(e, events.Frame) and e.direction == "in"] or [b"{}"]
    watch, play = _watched(case, venue)
    with watch.noting():
        if _played(play, played):
            _feed_bad(play, frames, Now(played[-1].mono, played[-1].at))
    return watch.faults


def _feed_bad(play: Play, frames: Sequence[bytes], now: Now) -> None:
    driver = play.driver
    for number in range(BAD_MESSAGES):
        now = Now(now.mono + BAD_EVERY, now.epoch_ms + round(BAD_EVERY * 1000))
        due = driver.deadline()
        if due is not None and due <= now.mono:
            driver.tick(now)
            play.take()
        if driver.retry_at is not None or driver.ended is not None:
            return
        frame = frames[number % len(frames)]
        driver.receive(frame[: len(frame) * 2 // 3], now)
        play.take()


def faults_of_long_lists(case: Path, venue: Venue) -> list[str]:
    """What is wrong when a list of a recording's largest frame is long, and another one each time.

    Whatever is kept must be bounded. The first long list shows how much memory its rows take; later ones must not add
    as much again and again.
    """
    played = events_of(case)
    frames = [e.data() for e in played if isinstance(e, events.Frame) and e.direction == "in"]
    play = Play(venue, Recording(case).header)
    if not frames or not _played(play, played):
        return []
    largest = max(frames, key=len)
    times = -(-ROWS // rows_of_the_longest(largest))
    kept: list[int] = []
    with _nothing_else_collected():
        before = _kept()
        for number in range(LONG_LISTS):
            if play.driver.retry_at is not None or play.driver.ended is not None:
                return []
            now = Now(played[-1].mono + number + 1, played[-1].at + (number + 1) * 1000)
            play.driver.receive(longer(largest, times, first=number * times), now)
            play.take()
            kept.append(_kept() - before)
    if kept[0] > ROWS and kept[-1] > kept[0] * MOST_TIMES:
        return [
            f"keeps more with each long list: {' → '.join(f'{one:,}' for one in kept)} objects after 1 to "
            f"{LONG_LISTS} lists of {ROWS:,} rows; bound what is kept (`refuse_too_many`, `Remembered`, `RowTimes`)"
        ]
    return []


@contextlib.contextmanager
def _nothing_else_collected() -> Iterator[None]:
    """Has only what comes from now on looked through for garbage, by `_kept` alone: a process of many tests is large.

    Where somebody else has frozen what there was, it stays so.
    """
    was_on, was_frozen = gc.isenabled(), gc.get_freeze_count()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
        if not was_frozen:
            gc.unfreeze()


def _kept() -> int:
    """How many objects there are; cheap, and about as many as there is memory in use."""
    gc.collect()
    return sys.getallocatedblocks()


def differences_of_two(case: Path, venue: Venue) -> list[str]:
    """What differs when a recording is played on two routes in turns: they share something, or are not repeatable."""
    one, other = (_by_event(case, venue) for _ in range(2))
    whole = list(_by_event(case, venue))
    for at, here in enumerate(whole):
        for side, name in ((one, "first"), (other, "second")):
            there = next(side, [])
            if there != here:
                return [
                    f"event {at + 1} gave something else on the {name} of two routes that were played in turns:\n"
                    f"  alone:    {here}\n  in turns: {there}"
                ]
    return []


def _by_event(case: Path, venue: Venue) -> Iterator[list[str]]:
    play = Play(venue, Recording(case).header)
    for event in events_of(case):
        yield [*(written(item) for item in play.feed(event)), *(str(out) for out in play.take())]
        if play.driver.ended is not None:
            return


def _watched(case: Path, venue: Venue) -> tuple[Watch, Play]:
    header = Recording(case).header
    watch = Watch(venue, header.asked_for())
    return watch, Play(venue, header, watch=watch)


def _played(play: Play, played: Sequence[events.Event]) -> bool:
    """Plays the events; whether the connection is on afterwards."""
    driver = play.driver
    for event in played:
        play.feed(event)
        play.take()
        if driver.ended is not None:
            return False
    is_open = any(isinstance(event, events.Opened) for event in played)
    return is_open and driver.session is not None and driver.retry_at is None
