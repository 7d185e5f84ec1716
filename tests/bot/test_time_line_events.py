"""The events of recordings that are played one after the other, and when each of these ends."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cli.bot.timing.time_line import PeekedRecording, TimeLine, ends_at
from venues.errors import RecordingError, UsageError

AT = 1_700_000_000_000
Given = tuple[int, float]  # when an event came: milliseconds after `AT`, and by the monotonic clock


def recording(path: Path, *given: Given, venue: str = "nexus", symbols: tuple[str, ...] = ("A",)) -> Path:
    """One of ticks, and of a first dial."""
    head = {
        "kind": "recording",
        "version": 1,
        "venue": venue,
        "url": "wss://venue.example",
        "subscriptions": [{"stream": "trades", "symbols": [symbol]} for symbol in symbols],
    }
    events: list[dict[str, Any]] = [{"kind": "tick", "at": AT + at, "mono": mono} for at, mono in given]
    if events:
        events[0] |= {"kind": "dial", "draw": 0.5}
    path.write_text("".join(json.dumps(line) + "\n" for line in (head, *events)), encoding="utf-8")
    return path


def played(line: TimeLine) -> list[Given]:
    return [(event.at - AT, event.mono) for one in line.recordings for event in one.events()]


def test_one_recording_is_played_by_its_own_clock(tmp_path: Path) -> None:
    line = TimeLine([recording(tmp_path / "1", (0, 5.0), (100, 5.1), (300, 5.3))])
    assert (line.first is not None and line.first.at, line.last_at) == (AT, None)
    assert played(line) == [(0, 5.0), (100, 5.1), (300, 5.3)]
    assert (line.last_at, str(line)) == (AT + 300, str(tmp_path / "1"))


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ([(2_300, 9.0), (2_400, 9.25)], [(2_300, 7.0), (2_400, 7.25)]),
        ([(300, 900.0), (400, 900.5)], [(300, 5.0), (400, 5.5)]),
        ([(5_300, 0.25)], [(5_300, 10.0)]),
        ([], []),
    ],
)
def test_the_monotonic_clock_goes_on_as_the_other_did(
    tmp_path: Path, later: list[Given], expected: list[Given]
) -> None:
    first = recording(tmp_path / "1", (0, 4.5), (300, 5.0))
    line = TimeLine([first, recording(tmp_path / "2", *later)])
    assert played(line) == [(0, 4.5), (300, 5.0), *expected]
    assert line.last_at == AT + (expected or [(300, 0.0)])[-1][0]
    assert str(line) == f"{tmp_path / '1'} and {tmp_path / '2'}"


def test_a_recording_without_events_hands_on_the_clock_of_the_one_before(tmp_path: Path) -> None:
    paths = [
        recording(tmp_path / "1"),
        recording(tmp_path / "2", (0, 4.0)),
        recording(tmp_path / "3"),
        recording(tmp_path / "4", (1_000, 77.0)),
    ]
    line = TimeLine(paths)
    assert line.first is not None
    assert line.first.at == AT
    assert played(line) == [(0, 4.0), (1_000, 5.0)]
    empty = TimeLine(paths[:1])
    assert (empty.first, played(empty), empty.last_at) == (None, [], None)


def test_a_clock_that_goes_back_between_two_recordings_stands_still(tmp_path: Path) -> None:
    before = PeekedRecording(recording(tmp_path / "1", (500, 4.0)))
    assert [event.mono for event in before.events()] == [4.0]
    later = PeekedRecording(recording(tmp_path / "2", (100, 30.0), (200, 30.25)), before)
    assert [event.mono for event in later.events()] == [4.0, 4.25]


@pytest.mark.parametrize(("begins", "refused"), [(299, True), (300, False), (301, False)])
def test_a_recording_may_begin_when_the_one_before_has_ended(tmp_path: Path, begins: int, refused: bool) -> None:
    paths = [recording(tmp_path / "1", (0, 1.0), (300, 1.3)), recording(tmp_path / "2", (begins, 1.0))]
    paths[1:1] = [recording(tmp_path / "empty")]
    if not refused:
        assert len(played(TimeLine(paths))) == 3
        return
    with pytest.raises(UsageError) as raised:
        TimeLine(paths)
    assert str(raised.value) == (
        "expected several --replay in the order of their time, none before the one before it has ended: "
        f"{paths[2]} begins at 2023-11-14T22:13:20.299Z, and {paths[0]} ends at 2023-11-14T22:13:20.300Z"
    )


@pytest.mark.parametrize(
    ("behind", "end"),
    [
        ("", 300),
        ("no event\n", 300),
        ('{"kind":"tick","at":-5,"mono":1}\n{"kind":"other"}\n', 300),
        ("1\n2\n3\n", None),
        ("\xff\n", 300),
        ("[" * 10_000 + "\n", 300),
        ('{"kind":"tick","at":17', 300),
    ],
)
def test_a_recording_ends_with_the_last_event_of_its_last_three_lines(
    tmp_path: Path, behind: str, end: int | None
) -> None:
    path = recording(tmp_path / "1", (0, 1.0), (300, 1.3))
    with path.open("ab") as file:
        file.write(behind.encode("latin-1"))
    assert ends_at(path) == (None if end is None else AT + end)


def test_a_recording_without_events_has_no_end(tmp_path: Path) -> None:
    assert ends_at(recording(tmp_path / "1")) is None


def test_what_can_be_read_once_only_is_no_recording_of_several(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError) as raised:
        ends_at(tmp_path / "pipe")
    assert str(raised.value) == (
        f"expected a file, which is read twice where there are several recordings, got {tmp_path / 'pipe'}"
    )
    with pytest.raises(RecordingError):
        TimeLine([tmp_path / "none"])


def test_the_header_of_several_has_every_venue_and_each_subscription_once(tmp_path: Path) -> None:
    line = TimeLine(
        [
            recording(tmp_path / "1", (0, 1.0), symbols=("A", "B")),
            recording(tmp_path / "2", (1, 1.0), venue="jayx", symbols=("X",)),
            recording(tmp_path / "3", (2, 1.0), symbols=("C", "B")),
        ]
    )
    found = {
        one.venue: [symbol for each in one.subscriptions for symbol in each.symbols] for one in line.header.venues()
    }
    assert found == {"nexus": ["A", "B", "C"], "jayx": ["X"]}
    assert list(found) == ["nexus", "jayx"]
