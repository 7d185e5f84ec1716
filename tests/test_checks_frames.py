"""The checks that feed a session frames that no recording has, and compare what a recording gives."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.test_fuzz import case, orbit
from venues.testing import checks, endings, recordings
from venues.testing.recordings import cases
from venues.venue import Now

__all__ = ["orbit"]  # a fixture
CASE = case("trades--first")


class Plays:
    """Stands for `Play`: notes what each play is fed, and gives it up as the test says."""

    def __init__(self, faults: list[str] | None = None, **driver: Any) -> None:
        self.fed: list[list[Any]] = []
        self.received: list[list[Any]] = []
        self.taken = 0
        self.driver = SimpleNamespace(session="a session", retry_at=None, receive=self._receive)
        self.driver.__dict__.update(driver)
        self.gives_up = False
        self.watch = SimpleNamespace(noting=contextlib.nullcontext, faults=faults or [])

    def __call__(self, *_: Any, **__: Any) -> Any:
        self.fed.append([])
        self.received.append([])
        self.driver.retry_at = None
        return SimpleNamespace(driver=self.driver, feed=self.fed[-1].append, take=self._take)

    def _receive(self, frame: bytes, now: Now) -> None:
        self.received[-1].append((frame, now))
        self.driver.retry_at = 1.0 if self.gives_up else self.driver.retry_at

    def _take(self) -> None:
        self.taken += 1


def fed(plays: Plays, venue: Any, monkeypatch: pytest.MonkeyPatch, events: int = 4) -> list[Any]:
    """The events of the recording that are played, once frames were fed behind some of them."""
    monkeypatch.setattr(endings, "MOST_PLAYED", events)
    monkeypatch.setattr(checks, "Play", plays)
    monkeypatch.setattr(checks, "Watch", lambda *_: plays.watch)
    checks.any_frames([CASE], venue)
    return endings.events_of(CASE)


def test_frames_come_behind_any_event_but_the_first_at_its_time(
    orbit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays = Plays()
    played = fed(plays, orbit.ORBIT, monkeypatch)
    assert len(plays.fed) == 20
    ends = {len(events) for events in plays.fed}
    assert {2} <= ends <= {2, 3, 4}, "it is opened by the second"
    for events, received in zip(plays.fed, plays.received, strict=True):
        assert events == played[: len(events)]
        assert {now for _, now in received} == {Now(events[-1].mono, events[-1].at)}
        assert 1 <= len(received) <= 5
        assert all(isinstance(frame, bytes) for frame, _ in received)
    assert plays.taken == sum(map(len, plays.fed)) + sum(map(len, plays.received))


@pytest.mark.parametrize("events", [0, 1, 2])
def test_of_a_short_recording_all_is_played(events: int, orbit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    plays = Plays()
    played = fed(plays, orbit.ORBIT, monkeypatch, events)
    assert plays.fed == [played] * (20 if events else 0)


@pytest.mark.parametrize(("driver", "gives_up", "most"), [({"session": None}, False, 0), ({}, True, 1)])
def test_a_connection_that_has_ended_is_fed_no_more(
    driver: dict[str, Any], gives_up: bool, most: int, orbit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays = Plays(**driver)
    plays.gives_up = gives_up
    fed(plays, orbit.ORBIT, monkeypatch)
    assert {len(received) for received in plays.received} == {most}


def test_a_fault_names_the_recording(orbit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"^trades--first\.frames\.jsonl:\none\nother"):
        fed(Plays(["one", "other"]), orbit.ORBIT, monkeypatch)


def test_a_difference_is_shown_with_one_line_around_it(
    orbit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [str(number) for number in range(9)]
    monkeypatch.setattr(checks, "outcome", lambda found, venue: "\n".join([*lines[:4], "other", *lines[5:], ""]))
    found = tmp_path / CASE.name
    recordings.expected_of(found).write_text("\n".join([*lines, ""]), encoding="utf-8")
    with pytest.raises(pytest.fail.Exception) as failed:
        checks._compare(found, orbit.ORBIT, tmp_path)
    head, *shown = str(failed.value).splitlines()
    rewrite = f"`python -m venues.testing rewrite mon_orbit:ORBIT {tmp_path}`"
    assert head == f"{found.name} gives something else now. If that is right: {rewrite}"
    assert shown == ["--- trades--first.records.jsonl", "+++ now", "@@ -4,3 +4,3 @@", " 3", "-4", "+other", " 5"]
    monkeypatch.setattr(checks, "_MOST_LINES", 2)
    with pytest.raises(pytest.fail.Exception) as failed:
        checks._compare(found, orbit.ORBIT, tmp_path)
    assert len(str(failed.value).splitlines()) == 3
    monkeypatch.setattr(checks, "outcome", lambda found, venue: "\n".join([*lines, ""]))
    checks._compare(found, orbit.ORBIT, tmp_path)


def test_of_two_recordings_of_one_length_the_first_stands_for_the_stream(tmp_path: Path) -> None:
    whole = CASE.read_text(encoding="utf-8").splitlines(keepends=True)
    for name, count in (("a", 3), ("b", 4), ("c", 4), ("d", 2)):
        (tmp_path / f"trades--{name}.frames.jsonl").write_text("".join(whole[:count]), encoding="utf-8")
    assert [one.name for one in checks._one_a_stream(cases(tmp_path))] == ["trades--b.frames.jsonl"]
