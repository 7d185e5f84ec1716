"""How the check of long lists counts what is kept: nobody else's garbage, and Python as it was afterwards."""

from __future__ import annotations

import contextlib
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.test_fuzz import case, orbit
from venues.testing import endings
from venues.venue import Now

__all__ = ["orbit"]  # a fixture
CASE = case("book--first")


class Collector:
    """Stands for `gc`."""

    def __init__(self, is_on: bool, frozen: int) -> None:
        self.calls: list[str] = []
        self.isenabled = lambda: is_on
        self.get_freeze_count = lambda: frozen

    def __getattr__(self, name: str) -> Any:
        return lambda: self.calls.append(name)


@pytest.mark.parametrize(
    ("is_on", "frozen", "after"),
    [(True, 0, ["enable", "unfreeze"]), (True, 7, ["enable"]), (False, 0, ["unfreeze"]), (False, 7, [])],
)
def test_only_what_comes_meanwhile_is_looked_through(
    is_on: bool, frozen: int, after: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = Collector(is_on, frozen)
    monkeypatch.setattr(endings, "gc", collector)
    with contextlib.suppress(LookupError), endings._nothing_else_collected():
        assert collector.calls == ["collect", "freeze", "disable"]
        raise LookupError
    assert collector.calls[3:] == after


def test_garbage_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [9]
    monkeypatch.setattr(endings, "gc", SimpleNamespace(collect=lambda: blocks.insert(0, 5)))
    monkeypatch.setattr(endings, "sys", SimpleNamespace(getallocatedblocks=lambda: blocks[0]))
    assert endings._kept() == 5


def test_what_a_session_wants_to_send_is_taken_after_each_list(
    orbit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    driver = SimpleNamespace(
        session="a session",
        ended=None,
        retry_at=None,
        receive=lambda frame, now: calls.append(now),
    )
    play = SimpleNamespace(driver=driver, feed=lambda event: calls.append("fed"), take=lambda: calls.append("taken"))
    monkeypatch.setattr(endings, "Play", lambda *_: play)
    monkeypatch.setattr(endings, "ROWS", 3)
    monkeypatch.setattr(endings, "_kept", lambda: 0)
    assert endings.faults_of_long_lists(CASE, orbit.ORBIT) == []
    played = endings.events_of(CASE)
    last = played[-1]
    times = [Now(last.mono + number, last.at + number * 1_000) for number in (1, 2, 3)]
    assert calls == [*["fed", "taken"] * len(played), *(one for now in times for one in (now, "taken"))]
