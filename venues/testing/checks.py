"""The tests that `checks_of` makes. Each is a sentence of the contract; its failure is a text for the author."""

from __future__ import annotations

import difflib
import json
import random
import time
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from venues.recording import Recording
from venues.testing import endings, entries, recordings
from venues.testing.mutation import MutatedPlay
from venues.testing.playing import Play
from venues.testing.recordings import cases, expected_of, name_of, outcome
from venues.testing.watching import Watch
from venues.venue import Now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from venues.venue import Venue

_MOST_LINES = 40  # of a difference
_SEED_BITS = 32
_EXAMPLES = 20  # of frames, for each recording

# Frames that no recording has: any bytes, and any JSON of the usual depth.
_ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
_FRAMES = st.lists(
    st.binary(max_size=60) | _ANY_JSON.map(lambda value: json.dumps(value).encode()), min_size=1, max_size=5
)


def made(venue: Venue, folder: Path, seconds: float, seed: int | None) -> type:
    """The class of tests for a venue; `folder` has its recordings."""
    found = cases(folder)
    one_a_stream = _one_a_stream(found)
    each = pytest.mark.parametrize("case", found, ids=[name_of(case) for case in found])
    each_stream = pytest.mark.parametrize("case", one_a_stream, ids=[name_of(case) for case in one_a_stream])

    class Checks:
        """The contract's checks of one venue."""

        @each
        def test_recording_gives_its_records(self, case: Path) -> None:
            _compare(case, venue, folder)

        @each
        def test_recording_keeps_the_rules(self, case: Path) -> None:
            """Errors in words, nothing before it is whole, exact figures, no secret, nothing unasked for."""
            _fail_with(case, endings.faults_in(case, venue))

        @each
        def test_it_ends_at_any_moment(self, case: Path) -> None:
            """The connection is lost, or we leave, after every event."""
            _fail_with(case, endings.faults_when_cut(case, venue))

        @each
        def test_bad_messages_are_answered_with_pauses(self, case: Path) -> None:
            _fail_with(case, endings.faults_of_bad_messages(case, venue))

        @each
        def test_two_routes_share_nothing(self, case: Path) -> None:
            """Played twice, in turns, a recording gives the same, event by event."""
            _fail_with(case, endings.differences_of_two(case, venue))

        def test_mutated_recordings_keep_the_rules(self) -> None:
            fuzz(found, venue, seconds, seed=seed)

        def test_any_frame_keeps_the_rules(self) -> None:
            any_frames(one_a_stream, venue)

        @each_stream
        def test_what_is_kept_is_bounded(self, case: Path) -> None:
            _fail_with(case, endings.faults_of_long_lists(case, venue))

        def test_every_stream_has_a_recording(self) -> None:
            missing = [name for name in venue.streams if name not in _streams_of(found)]
            assert not missing, f"{folder} has no recording {missing[0]}--<case>.frames.jsonl (of {', '.join(missing)})"

        def test_every_recording_says_where_it_is_from(self) -> None:
            silent = [case.name for case in found if not Recording(case).header.source]
            assert not silent, f'expected "source" in the first line, e.g. the page of the document: {silent}'

        def test_no_expectation_without_a_recording(self) -> None:
            alone = set(folder.rglob(f"*{recordings.RECORDS}")) - {expected_of(case) for case in found}
            assert not alone, f"expected a recording beside {sorted(path.name for path in alone)}"

        def test_entry_is_what_the_contract_says(self) -> None:
            assert not (problems := list(entries.problems_of(venue))), "\n".join(problems)

        def test_entry_is_light(self) -> None:
            """Completion and `mon venues` load it; the session is loaded when it is used, in `routes`."""
            assert not (heavy := entries.heavy_modules(venue)), f"importing the entry loads {', '.join(heavy)}"

    Checks.__name__ = Checks.__qualname__ = f"Test{venue.name.capitalize()}"
    return Checks


def fuzz(found: Sequence[Path], venue: Venue, seconds: float, *, seed: int | None = None, times: int = 1) -> int:
    """Plays mutated recordings for so long, and each so many times at least; fails with the first fault.

    Returns how many plays there were.
    """
    seed = random.SystemRandom().getrandbits(_SEED_BITS) if seed is None else seed
    print(f"mutated recordings: seed={seed}")
    played = [case for case in found if any(Recording(case).events())]
    until, number = time.monotonic() + seconds, 0
    while played and (number < len(played) * times or time.monotonic() < until):
        case = played[number % len(played)]
        # Each play has a seed of its own, so that one that fails is repeated without those before it.
        if faults := MutatedPlay(case, venue, random.Random(f"{seed} {number}")).run():
            _fail_with(case, faults, f"mutated, play {number}; checks_of(…, seed={seed}) repeats it")
        number += 1
    return number


def any_frames(found: Sequence[Path], venue: Venue) -> None:
    """Feeds frames that hypothesis makes to the sessions of recordings, at any moment after they were opened."""
    for case in found:
        _any_frames_of(case, venue)


def _any_frames_of(case: Path, venue: Venue) -> None:
    header, played = Recording(case).header, endings.events_of(case)
    if not played:
        return

    @settings(max_examples=_EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(at=st.integers(min(2, len(played)), len(played)), frames=_FRAMES)
    def check(at: int, frames: list[bytes]) -> None:
        watch = Watch(venue, header.asked_for())
        play = Play(venue, header, watch=watch)
        with watch.noting():
            for event in islice(played, at):
                play.feed(event)
                play.take()
            last = played[at - 1]
            now = Now(last.mono, last.at)
            for frame in frames:
                if play.driver.session is None or play.driver.retry_at is not None:
                    break
                play.driver.receive(frame, now)
                play.take()
        _fail_with(case, watch.faults)

    check()


def _compare(case: Path, venue: Venue, folder: Path) -> None:
    expected, gives = expected_of(case), outcome(case, venue)
    rewrite = f"python -m venues.testing rewrite {entries.where(venue)} {folder}"
    if not expected.exists():
        pytest.fail(f"{expected.name} is missing; `{rewrite}` writes it: read it before you commit it", pytrace=False)
    wanted = expected.read_text(encoding="utf-8")
    if gives != wanted:
        lines = difflib.unified_diff(wanted.splitlines(), gives.splitlines(), expected.name, "now", lineterm="", n=1)
        shown = "\n".join(islice(lines, _MOST_LINES))
        pytest.fail(f"{case.name} gives something else now. If that is right: `{rewrite}`\n{shown}", pytrace=False)


def _fail_with(case: Path, faults: Sequence[str], how: str = "") -> None:
    if faults:
        pytest.fail("\n".join([f"{case.name}{f', {how}' if how else ''}:", *faults]), pytrace=False)


def _streams_of(found: Sequence[Path]) -> set[str]:
    return {case.name.partition("--")[0] for case in found}


def _one_a_stream(found: Sequence[Path]) -> list[Path]:
    """The recording of each stream with the most events, up to a bound."""
    largest: dict[str, Path] = {}
    for case in found:
        stream = case.name.partition("--")[0]
        if stream not in largest or len(endings.events_of(case)) > len(endings.events_of(largest[stream])):
            largest[stream] = case
    return list(largest.values())
