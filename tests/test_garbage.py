"""When Python looks for garbage while a line is open."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from cli.run import garbage


@pytest.fixture
def as_before() -> Iterator[None]:
    threshold, was_frozen = gc.get_threshold(), gc.get_freeze_count()
    yield
    gc.set_threshold(*threshold)
    if not was_frozen:
        gc.unfreeze()


@pytest.mark.usefixtures("as_before")
def test_a_calm_collector_looks_seldom_and_not_at_what_was_there_before(monkeypatch: pytest.MonkeyPatch) -> None:
    collected: list[int] = []
    monkeypatch.setattr(gc, "collect", lambda: collected.append(1))
    gc.set_threshold(700, 10, 10)
    garbage.collect_after_a_line()
    assert not collected, "Python looks often enough by itself"
    gc.unfreeze()
    garbage.calm_collector()
    assert gc.get_freeze_count() > 1_000
    assert gc.get_threshold() == garbage.SELDOM
    garbage.collect_after_a_line()
    assert collected
