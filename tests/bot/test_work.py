"""Whether a thread works or waits, by counts that a test sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.bot.timing import work
from cli.bot.timing.work import IDLE_LOOKS, IDLE_LOOKS_AT_ALL, IDLE_SHARE, KNOWN_LOOKS, KNOWN_LOOKS_AT_ALL, Counts, Work


class System:
    """What the system says of a thread and of the process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, counts: Counts | None) -> None:
        self.counts, self.asked = counts, list[int | None]()
        self.clocks = (100.0, 10.0)
        monkeypatch.setattr(work, "counts_of", lambda native_id: self.asked.append(native_id) or self.counts)
        monkeypatch.setattr(work, "_clocks", lambda: self.clocks)
        monkeypatch.setattr(work, "_TICKS", 100)


def looks_until_it_waits(found: Work, most: int = 200) -> int:
    for number in range(1, most):
        found.look()
        if found.waits:
            return number
    return most


@pytest.mark.parametrize(
    ("counts", "known", "looks"),
    [
        (Counts(True, 3, 4), False, IDLE_LOOKS),
        (Counts(True, 3, 4), True, KNOWN_LOOKS),
        (None, False, IDLE_LOOKS_AT_ALL),
        (None, True, KNOWN_LOOKS_AT_ALL),
    ],
)
def test_what_does_nothing_for_so_many_looks_waits(
    counts: Counts | None, known: bool, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = System(monkeypatch, counts)
    if counts is None:

        def clocks() -> tuple[float, float]:
            system.clocks = system.clocks[0] + 1.0, system.clocks[1]
            return system.clocks

        monkeypatch.setattr(work, "_clocks", clocks)
    found = Work(7, known=known)
    assert not found.waits
    assert looks_until_it_waits(found) == looks
    assert set(system.asked) == {7}


@pytest.mark.parametrize(
    "busy", [Counts(False, 3, 4), Counts(True, 4, 4), Counts(True, 3, 5), None], ids=["runs", "user", "system", "ended"]
)
def test_a_thread_that_does_something_begins_anew(busy: Counts | None, monkeypatch: pytest.MonkeyPatch) -> None:
    idle = Counts(True, 3, 4)
    system = System(monkeypatch, idle)
    found = Work(7, known=False)
    for _ in range(IDLE_LOOKS - 1):
        found.look()
    system.counts = busy
    found.look()
    assert not found.waits
    system.counts = idle
    again = looks_until_it_waits(found)
    assert again == IDLE_LOOKS + (busy is not None), "the first look after it has seen another count"


def test_a_thread_has_used_as_much_as_both_its_counts_have_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(monkeypatch, Counts(True, 30, 5))
    found = Work(None, known=False)
    assert found.seconds == 0.0
    system.counts = Counts(False, 130, 55)
    assert found.seconds == 0.0, "as of the last look"
    found.look()
    assert found.seconds == 1.5
    system.counts = None
    found.look()
    assert found.seconds == 1.5, "of one that has ended the last counts are kept"


@pytest.mark.parametrize(
    ("used", "is_idle"), [(0.0, True), (IDLE_SHARE * 2 - 0.001, True), (IDLE_SHARE * 2, False), (1.0, False)]
)
def test_without_counts_of_threads_the_process_does_nothing_below_a_share_of_the_time(
    used: float, is_idle: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = System(monkeypatch, None)
    system.clocks = (0.0, 0.0)
    found = Work(7, known=True)
    for number in range(1, KNOWN_LOOKS_AT_ALL + 1):
        assert not found.waits
        system.clocks = (2.0 * number, used * number)
        found.look()
    assert found.waits is is_idle
    assert found.seconds == pytest.approx(used * KNOWN_LOOKS_AT_ALL)


@pytest.mark.parametrize(
    ("stat", "counts"),
    [
        (b"7 (python) S 1 2 3 4 5 6 7 8 9 10 11 12 13", Counts(True, 11, 12)),
        (b"7 (a ) R (b) R 1 2 3 4 5 6 7 8 9 10 110 120 13", Counts(False, 110, 120)),
        (b"7 (x) D 1 2 3 4 5 6 7 8 9 10 0 1 13", Counts(True, 0, 1)),
        (None, None),
    ],
)
def test_the_counts_of_a_thread_stand_behind_its_name(
    stat: bytes | None, counts: Counts | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "THREADS", tmp_path)
    if stat is not None:
        (tmp_path / "7").mkdir()
        (tmp_path / "7" / "stat").write_bytes(stat)
    assert work.counts_of(7) == counts
