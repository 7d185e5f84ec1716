"""The check of bad messages: which ones it makes of a recording, and by which clock it sends them."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.test_fuzz import case, orbit
from venues.testing import endings
from venues.venue import Now

__all__ = ["orbit"]  # a fixture
CASE = case("trades--first")


def sent(venue: Any, recording: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is cut short after a recording, and from when on."""
    made: list[Any] = []
    monkeypatch.setattr(endings, "_feed_bad", lambda play, frames, now: made.append((frames, now)))
    assert endings.faults_of_bad_messages(recording, venue) == []
    return made


def with_lines(folder: Path, *lines: dict[str, Any]) -> Path:
    """The recording up to its opening, with these lines behind it."""
    begin = CASE.read_text(encoding="utf-8").splitlines()[:3]
    file = folder / CASE.name
    file.write_text("\n".join([*begin, *map(json.dumps, lines)]) + "\n", encoding="utf-8")
    return file


def test_bad_messages_are_made_of_what_came_in_or_of_none(
    orbit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = json.loads(CASE.read_text(encoding="utf-8").splitlines()[2])
    assert opened["kind"] == "open"
    times = [{"at": opened["at"] + more, "mono": opened["mono"] + more} for more in (1, 2)]
    out, came = (
        {"kind": "frame", **time, "direction": direction, "text": direction}
        for time, direction in zip(times, ("out", "in"), strict=True)
    )
    last = [Now(time["mono"], time["at"]) for time in times]
    assert sent(orbit.ORBIT, with_lines(tmp_path), monkeypatch) == [([b"{}"], Now(opened["mono"], opened["at"]))]
    assert sent(orbit.ORBIT, with_lines(tmp_path, out), monkeypatch) == [([b"{}"], last[0])]
    assert sent(orbit.ORBIT, with_lines(tmp_path, out, came), monkeypatch) == [([b"in"], last[1])]


def test_a_connection_that_is_not_on_gets_none(
    orbit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = {"kind": "close", "at": 2_000_000_000_000, "mono": 1e9, "code": 1006, "reason": ""}
    assert sent(orbit.ORBIT, with_lines(tmp_path, lost), monkeypatch) == []


@pytest.mark.parametrize(("due", "ticks"), [(13.999, 1), (14.0, 1), (14.001, 0)])
def test_what_is_due_at_the_very_moment_of_a_message_is_done_before_it(
    due: float, ticks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "BAD_EVERY", 4.0)
    monkeypatch.setattr(endings, "BAD_MESSAGES", 1)
    calls: list[Any] = []
    driver = SimpleNamespace(
        deadline=lambda: due,
        tick=lambda now: calls.append("tick"),
        receive=lambda frame, now: calls.append((frame, now)),
        retry_at=None,
        ended=None,
    )
    play: Any = SimpleNamespace(driver=driver, take=lambda: None)
    endings._feed_bad(play, [b"abc"], Now(10.0, 5_000))
    assert calls == [*["tick"] * ticks, (b"ab", Now(14.0, 9_000))]


def test_of_a_recording_without_frames_or_a_connection_no_list_is_made_longer(
    orbit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "longer", None)
    opened = json.loads(CASE.read_text(encoding="utf-8").splitlines()[2])
    time = {"at": opened["at"] + 1, "mono": opened["mono"] + 1}
    came = {"kind": "frame", **time, "direction": "in", "text": '{"a":[1]}'}
    lost = {"kind": "close", "at": 2_000_000_000_000, "mono": 1e9, "code": 1006, "reason": ""}
    for lines in ((), (lost,), (came, lost)):
        assert endings.faults_of_long_lists(with_lines(tmp_path, *lines), orbit.ORBIT) == []
