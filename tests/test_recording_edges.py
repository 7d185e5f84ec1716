"""Recordings at their edges: which line is damaged, and how time goes on where another run was appended."""

from __future__ import annotations

import asyncio
import errno
import gzip
import json
import os
from collections.abc import Generator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from venues import events, recording_file
from venues.driver import Driver
from venues.errors import DamagedRecording, RecordingError
from venues.recording import Recording, play
from venues.session import BaseRoute, BaseSession
from venues.venue import Dial, HttpRequest, HttpResponse, Item, Now, Settings, Subscription

FIXTURE = Path(__file__).parent / "fixtures" / "jayx" / "book--document.frames.jsonl"


def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in FIXTURE.read_text().splitlines()]


def written(path: Path, *rows: dict[str, Any] | str) -> Path:
    texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{text}\n" for text in texts))
    return path


def damage(path: Path) -> str:
    """What is said of a recording that cannot be read to its end."""
    with pytest.raises(DamagedRecording) as raised:
        list(Recording(path).events())
    return str(raised.value).removeprefix(f"the recording {path} is ")


@pytest.mark.parametrize("place", [1, 2, 3])
def test_the_damaged_line_is_named(place: int, tmp_path: Path) -> None:
    rows: list[Any] = lines()[:4]
    rows[place] = "{}"
    assert damage(written(tmp_path / "x", *rows)) == f"damaged at line {place + 1}; played up to there"


def test_a_line_that_breaks_off_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "x", *lines()[:3])
    path.write_bytes(path.read_bytes()[:-1])
    assert damage(path) == "damaged at line 3; played up to there"
    path = written(tmp_path / "y", *lines()[:3])
    path.write_bytes(gzip.compress(path.read_bytes())[:-20])
    assert "damaged at line" in damage(path)


def test_a_later_run_begins_as_much_later_as_the_wall_clock_says(tmp_path: Path) -> None:
    header, *rows = lines()
    first, second = rows[:3], [{**row, "mono": row["mono"] + 5_000.0, "at": row["at"] + 10_250} for row in rows[:3]]
    found = list(Recording(written(tmp_path / "x", header, *first, header, *second)).events())
    gap = (second[0]["at"] - first[-1]["at"]) / 1000
    resumed, begins = found[3], found[4]
    assert type(resumed).__name__ == "Resumed"
    assert resumed.mono == begins.mono == pytest.approx(first[-1]["mono"] + gap)
    assert [one.at for one in found] == [*(row["at"] for row in first), *[row["at"] for row in second[:1]] * 2,
                                         *(row["at"] for row in second[1:])]  # fmt: skip


@pytest.mark.parametrize(("back_ms", "gone"), [(0, 0.0), (250, 0.25), (-5_000, 0.0)])
def test_a_wall_clock_that_was_set_back_between_two_runs_takes_no_time(
    back_ms: int, gone: float, tmp_path: Path
) -> None:
    header, *rows = lines()
    first = rows[:2]
    second = [{**row, "at": first[-1]["at"] + back_ms + number} for number, row in enumerate(rows[:2])]
    found = list(Recording(written(tmp_path / "x", header, *first, header, *second)).events())
    assert found[2].mono == pytest.approx(first[-1]["mono"] + gone)


def test_a_second_header_right_behind_the_first_is_no_later_run(tmp_path: Path) -> None:
    header, *rows = lines()
    found = list(Recording(written(tmp_path / "x", header, header, *rows[:2])).events())
    assert [type(one).__name__ != "Resumed" for one in found] == [True, True]


@pytest.mark.parametrize("other", [{"version": 99}, {"venue": "woox"}])
def test_another_header_in_it_is_damage(other: dict[str, Any], tmp_path: Path) -> None:
    header, *rows = lines()
    assert damage(written(tmp_path / "x", header, rows[0], header | other)) == "damaged at line 3; played up to there"


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENXIO, "expected a reader at the pipe"), (errno.EACCES, "cannot write"), (errno.ENOENT, "cannot write")],
)
def test_why_a_pipe_cannot_be_written(number: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def refused(*_: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(recording_file.os, "open", refused)
    with pytest.raises(RecordingError, match=said):
        recording_file.RecordingFile(pipe, "refuse")


def test_a_file_that_breaks_down_while_it_is_continued_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "x", *lines()[:2])
    file = recording_file.RecordingFile(path, "append")

    def broken(*_: Any) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(recording_file, "_cut_last_line", broken)
    with pytest.raises(RecordingError, match="Input/output error"):
        file.go_on()
    file.close()


class Asking(BaseSession):
    """Asks two things by HTTP before it says where to dial, and remembers the answers."""

    venue = "v"
    answers: ClassVar[list[HttpResponse]] = []

    def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
        for url in ("http://v.example/1", "http://v.example/2"):
            self.answers.append((yield HttpRequest("GET", url, url)))
        return self.dial()

    def dial(self) -> Dial:
        return Dial("ws://v.example", "ws://v.example")

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        return []


class Asked(BaseRoute):
    def session(self, secrets: Mapping[str, str]) -> Asking:
        return Asking()


def test_what_was_answered_before_dialling_is_told_to_the_session_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Asking, "answers", [])
    subscription = Subscription("trades", ("A",))
    driver = Driver(Asked([subscription], Settings("ws://v.example")), [subscription], venue="v")
    asked = {"method": "GET", "url": "http://v.example"}
    told = [
        events.Dialled(at=1_000, mono=1.0, draw=0.5),
        events.Requested(at=1_001, mono=1.1, status=200, body="one", **asked),
        events.Requested(at=1_002, mono=1.2, status=503, body="", **asked),
        events.Opened(at=1_003, mono=1.3),
    ]
    recording: Any = SimpleNamespace(events=lambda: iter(told))

    async def never(seconds: float) -> None:
        raise AssertionError

    asyncio.run(play(recording, [driver], speed=1, sleep=never, deliver=lambda *_: None, secrets={}, pauses=False))
    assert Asking.answers == [HttpResponse(200, b"one"), HttpResponse(503, b"")]


@pytest.mark.parametrize("length", [65_535, 65_536, 65_537, 200_000])
def test_a_long_line_that_breaks_off_is_taken_away_whole_and_no_line_before_it(length: int, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"first\nsecond\n" + b"x" * length)
    file = recording_file.RecordingFile(path, "append")
    file.go_on()
    file.write(b"third\n")
    file.close()
    assert (file.cut, path.read_bytes()) == (length, b"first\nsecond\nthird\n")


def test_what_is_not_taken_at_once_is_written_again_whole(tmp_path: Path) -> None:
    file = recording_file.RecordingFile(tmp_path / "x")
    raw, refusals = file._raw, [None, 0]

    def write(data: Any) -> int | None:
        return refusals.pop() if refusals else raw.write(data[:3])

    file._raw = SimpleNamespace(write=write, close=raw.close)  # type: ignore[assignment]
    file.write(b"one line\n")
    file.close()
    assert (tmp_path / "x").read_bytes() == b"one line\n"
