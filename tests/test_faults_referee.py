"""Whoever judges what was printed under faults notices what is wrong with it."""

from __future__ import annotations

from typing import Any

from tests.faults.referee import EventJudge, StateJudge
from tests.faults.truths import Events, History

WITHIN = 2.0


class Truth(History):
    """Versions that a test makes by hand, at the times it wants."""

    def __init__(self, *versions: tuple[float, Any], key: str = "") -> None:
        super().__init__(dict)
        self.versions[key] = list(versions)
        self._now = {key: versions[-1][1]}


def book(size: int, received: float, **more: Any) -> dict[str, Any]:
    return {"type": "row", "size": size, "received": round(received * 1000), **more}


def state_judge(truth: History, **options: Any) -> StateJudge:
    return StateJudge(truth, lambda record: (record.get("key", ""), (record["size"],)), lambda: WITHIN, **options)


def test_a_state_that_was_true_within_the_deadline_passes() -> None:
    judge = state_judge(Truth((0, (1,)), (10, (2,)), (20, (3,))))
    judge.record(book(1, 1), 1)
    judge.record(book(2, 11), 11)
    judge.record(book(3, 20.5), 20.5)
    judge.finish(100)
    assert judge.findings == []
    assert judge.differs() == ""


def test_an_old_state_printed_as_live_is_found() -> None:
    judge = state_judge(Truth((0, (1,)), (10, (2,)), (20, (3,))))
    judge.record(book(2, 25), 25)
    assert "printed as live" in judge.findings[0]
    assert "5.000 s before" in judge.findings[0]


def test_an_old_state_that_stands_there_as_live_is_found() -> None:
    judge = state_judge(Truth((0, (1,)), (10, (2,))))
    judge.record(book(1, 9), 9)
    judge.finish(15)
    assert "stood as live 5.000 s after it was replaced" in judge.findings[0]


def test_an_old_state_that_is_called_stale_in_time_passes() -> None:
    judge = state_judge(Truth((0, (1,)), (10, (2,))))
    judge.record(book(1, 9), 9)
    judge.status("reconnecting", 11)
    judge.finish(15)
    assert judge.findings == []


def test_an_old_state_that_is_called_live_again_without_a_new_one_is_found() -> None:
    judge = state_judge(Truth((0, (1,)), (10, (2,))))
    judge.record(book(1, 9), 9)
    judge.status("stale", 11)
    judge.status("live", 20)
    judge.finish(21)
    assert "printed as live" in judge.findings[0]


def test_a_figure_that_never_was_is_found() -> None:
    judge = state_judge(Truth((0, (1,))))
    judge.record(book(7, 1), 1)
    assert "true: never" in judge.findings[0]


def test_states_in_another_order_are_found() -> None:
    judge = state_judge(Truth((0, (1,)), (1, (2,)), (2, (3,))))
    judge.record(book(3, 2.1), 2.1)
    judge.record(book(2, 2.2), 2.2)
    assert "older than what was shown before" in judge.findings[0]


def test_a_missing_row_is_found() -> None:
    truth = Truth((0, (1,)), key="a")
    truth.versions["b"] = [(0, (2,))]
    truth._now = {"a": (1,), "b": (2,)}
    judge = state_judge(truth)
    judge.record(book(1, 1, key="a"), 1)
    assert judge.differs() == "b: shown nothing, at the venue (2,)"


def test_a_row_that_is_there_and_was_taken_away_is_found() -> None:
    judge = state_judge(Truth((0, (1,)), key="a"))
    judge.record(book(1, 1, key="a"), 1)
    judge.record(book(0, 2, key="a", change="remove"), 2)
    assert "taken away" in judge.findings[0]


def event(number: int, received: float = 0) -> dict[str, Any]:
    return {"type": "trade", "trade_id": number, "received": round(received * 1000)}


def event_judge(*happened: tuple[float, int], **options: Any) -> EventJudge:
    truth = Events()
    truth.list = [(at, (number,)) for at, number in happened]
    return EventJudge(truth, lambda record: (record["trade_id"],), lambda: WITHIN, **options)


def played(*numbers: int, **options: Any) -> list[str]:
    judge = event_judge(*((float(number), number) for number in range(10)), **options)
    for number in numbers:
        judge.record(event(number, number), number + 0.1)
    return judge.findings


def test_events_in_order_pass() -> None:
    assert played(2, 3, 4, 5) == []


def test_a_trade_twice_is_found() -> None:
    judge = event_judge((1.0, 1), (2.0, 2))
    for number in (1, 2, 2):
        judge.record(event(number, 3), 3)
    assert judge.findings == ["(2,) twice"]


def test_a_turned_order_is_found() -> None:
    judge = event_judge((1.0, 1), (2.0, 2), (3.0, 3))
    judge.status("reconnecting", 1)
    for number in (1, 3, 2):
        judge.record(event(number, 3), 3)
    assert judge.findings == ["(2,) behind a later event: the order is turned"]


def test_a_missing_event_is_found_unless_somebody_was_told() -> None:
    assert "1 events missing" in played(2, 4)[0]
    judge = event_judge((1.0, 1), (2.0, 2), (3.0, 3))
    judge.record(event(1, 1), 1)
    judge.status("reconnecting", 2)
    judge.status("live", 2.5)
    judge.record(event(3, 3), 3)
    assert judge.findings == []


def test_an_event_that_never_happened_is_found() -> None:
    assert played(42) == ["(42,) never happened"]


def test_an_event_that_comes_late_as_live_is_found() -> None:
    judge = event_judge((1.0, 1), (2.0, 2))
    judge.record(event(1, 1), 1)
    judge.record(event(2, 2), 9)
    assert "7.000 s after it happened" in judge.findings[0]


def test_the_last_event_that_is_missing_is_found() -> None:
    judge = event_judge((1.0, 1), (2.0, 2))
    judge.record(event(1, 1), 1)
    assert "the last 1 were not printed" in judge.differs()
