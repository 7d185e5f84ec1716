"""Acknowledged subscriptions at their edges: when an answer is late, a refusal for good, a silence too long."""

from __future__ import annotations

from typing import Any

import pytest

from tests.test_acknowledgements import UNKNOWN, Line, at, taken_before
from venues.toolkit import acknowledgements
from venues.toolkit.acknowledgements import Acknowledgements, Request, Taken
from venues.venue import Lost, Refused, StreamState

LATE = "acks has not acknowledged the subscription in 10 s; asked again"
REFUSED_AGAIN = f"the venue refuses it ({UNKNOWN}), which it had taken before; asked again"


def due(line: Line) -> float | None:
    """Seconds after the start at which something is due."""
    deadline = line.asked.deadline()
    return None if deadline is None else deadline - 1000


def test_before_anything_is_asked_nothing_is_due_or_over() -> None:
    line = Line()
    assert (due(line), line.asked.tick(at(1e6)), line.asked.over, line.sent) == (None, [], set(), [])
    assert (line.asked.is_taken("trades", "A"), line.asked.failed(None, "x", at(0))) == (False, [])


def test_requests_are_numbered_and_have_so_many_symbols() -> None:
    line = Line(most=2)
    line.asked.ask("trades", ["A", "B", "C"], at(0))
    line.asked.ask("quotes", ["A"], at(1))
    assert line.sent == [
        Request(1, "trades", ("A", "B"), anew=False),
        Request(2, "trades", ("C",), anew=False),
        Request(3, "quotes", ("A",), anew=False),
    ]
    assert due(line) == 10


def test_what_was_asked_for_is_not_asked_for_twice_and_what_is_live_is_so_for_a_new_stream() -> None:
    line = Line()
    line.asked.ask("level2", ["A"], at(0), streams=("trades",))
    line.asked.acknowledged("level2", "A", at(0))
    assert line.asked.ask("level2", ["A"], at(1), streams=("trades",)) == []
    assert line.asked.ask("level2", ["A"], at(1), streams=("fills", "book")) == [
        StreamState("fills", "syncing"),
        StreamState("book", "syncing"),
        StreamState("fills", "live"),
    ]
    assert len(line.sent) == 1


@pytest.mark.parametrize(("within", "words"), [(10.0, "10 s"), (2.5, "2 s"), (0.4, "0 s")])
def test_an_answer_has_so_many_seconds(within: float, words: str) -> None:
    sent: list[Request] = []
    asked = Acknowledgements("acks", Taken(), sent.append, within=within)
    asked.ask("trades", ["A"], at(0))
    assert asked.deadline() == at(within).mono
    assert (asked.tick(at(within - 0.001)), len(sent)) == ([], 1)
    said = f"acks has not acknowledged the subscription in {words}; asked again"
    assert asked.tick(at(within)) == [StreamState("trades", "syncing", said)]
    assert asked.deadline() == at(within + 1).mono
    assert (asked.tick(at(within + 1)), len(sent)) == ([], 2)


def test_that_an_answer_is_late_is_said_once_and_a_connection_that_answered_is_kept() -> None:
    line = Line()
    line.asked.ask("trades", ["A", "B"], at(0))
    line.asked.acknowledged("trades", "B", at(9))
    assert line.until(9.999) == []
    assert line.until(10) == [StreamState("trades", "syncing", LATE, symbol="A")]
    assert line.until(200) == []
    assert line.asked.acknowledged("trades", "A", at(200)) == [StreamState("trades", "live", symbol="A")]


def test_a_connection_is_lost_with_the_third_request_that_nothing_answers() -> None:
    line = Line()
    line.asked.ask("trades", ["A"], at(0))
    assert line.until(10) == [StreamState("trades", "syncing", LATE)]
    assert (line.until(11), len(line.sent), due(line)) == ([], 2, 21)
    assert (line.until(23), len(line.sent), due(line)) == ([], 3, 33)
    assert line.until(32.999) == []
    assert line.until(33) == [Lost("acks answers no subscription, asked 3 times")]


@pytest.mark.parametrize("answer", ["acknowledged", "refused"])
def test_one_answer_of_any_kind_shows_that_the_connection_is_of_use(answer: str) -> None:
    line = Line()
    line.asked.ask("trades", ["A"], at(0))
    line.asked.ask("trades", ["B"], at(0), streams=())
    if answer == "acknowledged":
        line.asked.acknowledged("trades", "B", at(1))
    else:
        line.asked.refused("trades", "B", UNKNOWN, at(1))
    assert not any(isinstance(item, Lost) for item in line.until(300))


def test_while_a_message_arrives_the_first_verdict_waits_too() -> None:
    line = Line()
    line.asked.ask("trades", ["A", "B"], at(0))
    line.asked.refused("trades", "B", UNKNOWN, at(1))
    assert line.asked.tick(at(10, arriving=1005.0)) == []
    assert due(line) == 15
    late, refused = line.until(15)
    assert late == StreamState("trades", "syncing", LATE, symbol="A")
    assert isinstance(refused, Refused)
    assert refused.symbols == {"B": UNKNOWN}


@pytest.mark.parametrize(("quiet", "is_over"), [(60.0, True), (60.001, False)])
def test_refusals_begin_anew_after_a_minute_without_one(quiet: float, is_over: bool) -> None:
    line = taken_before("A", "B")
    for seconds in (0.0, 540.0, 540.0 + quiet):
        line = line.reconnect()
        line.taken.refusals.update({("trades", "B"): (0.0 + at(0).mono, at(540).mono)} if seconds > 540 else {})
        line.asked.ask("trades", ["A", "B"], at(seconds))
        items = line.asked.refused("trades", "B", UNKNOWN, at(seconds))
    assert isinstance(items[-1], Refused) is is_over


@pytest.mark.parametrize(("seconds", "is_over"), [(599.999, False), (600.0, True)])
def test_a_symbol_is_given_up_ten_minutes_after_its_first_refusal(seconds: float, is_over: bool) -> None:
    line = taken_before("A", "B")
    line.asked.ask("trades", ["A", "B"], at(0))
    line.asked.acknowledged("trades", "A", at(0))
    for moment in (*range(0, 600, 50), seconds):
        items = [*line.asked.tick(at(moment)), *line.asked.refused("trades", "B", UNKNOWN, at(moment))]
    gone = Refused(f"acks refuses trades of B ({UNKNOWN}); given up after 10 min", "trades", "B")
    assert items == ([gone] if is_over else [])
    assert line.taken.closed == ({("trades", "B"): UNKNOWN} if is_over else {})


def test_one_that_was_taken_and_does_not_answer_any_more_is_not_given_up() -> None:
    line = taken_before("A", "B")
    line.asked.ask("trades", ["A", "B"], at(0))
    line.asked.acknowledged("trades", "A", at(0))
    assert line.until(2_000) == [StreamState("trades", "syncing", LATE, symbol="B")]


@pytest.mark.parametrize("retry", [False, True])
def test_what_is_refused_later_is_asked_for_again_and_said_once(retry: bool) -> None:
    line = Line()
    line.asked.ask("trades", ["A", "B"], at(0))
    line.asked.answered(1, ["A", "B"], at(0))
    said = (
        StreamState("trades", "syncing", f"{UNKNOWN}; asked for again after a pause", symbol="A")
        if retry
        else StreamState("trades", "stale", REFUSED_AGAIN, symbol="A")
    )
    assert line.asked.refused("trades", "A", UNKNOWN, at(50), retry=retry) == [said]
    assert line.asked.refused("trades", "A", UNKNOWN, at(50), retry=retry) == []
    assert (line.asked.is_taken("trades", "A"), due(line)) == (False, 51)
    line.until(51)
    assert line.sent[1:] == [Request(2, "trades", ("A",), anew=False)]
    assert line.asked.refused("trades", "A", UNKNOWN, at(52), retry=retry) == []
    assert due(line) == 54, "the pauses grow"
    assert line.asked.acknowledged("trades", "A", at(53)) == []


@pytest.mark.parametrize("length", [200, 201])
def test_words_of_a_venue_are_cut(length: int) -> None:
    line = Line()
    line.asked.ask("trades", ["A"], at(0))
    (refused,) = line.asked.refused("trades", "A", "x" * length, at(0))
    assert isinstance(refused, Refused)
    assert refused.symbols == {"A": "x" * 200 if length == 200 else "x" * 199 + "…"}


def test_an_answer_without_some_symbols_refuses_those_in_words_of_its_own() -> None:
    line = Line(most=2)
    line.asked.ask("trades", ["A", "B", "C"], at(0))
    assert line.asked.answered(7, ["A"], at(0)) == []
    assert line.asked.answered(1, ["A", "C"], at(0)) == [StreamState("trades", "live", symbol="A")]
    live, refused = line.asked.answered(2, ["C"], at(0))
    assert live == StreamState("trades", "live", symbol="C")
    assert isinstance(refused, Refused)
    assert (refused.symbols, refused.late) == ({"B": "it is missing from the venue's acknowledgement"}, False)
    assert line.asked.answered(2, ["B"], at(0)) == [], "a request is answered once"


def test_a_failed_request_refuses_what_is_not_answered_yet() -> None:
    line = Line()
    line.asked.ask("trades", ["A", "B"], at(0))
    line.asked.acknowledged("trades", "A", at(0))
    (refused,) = line.asked.failed(1, UNKNOWN, at(0))
    assert isinstance(refused, Refused)
    assert refused.symbols == {"B": UNKNOWN}
    assert line.asked.failed(1, UNKNOWN, at(0)) == line.asked.failed(None, UNKNOWN, at(0)) == []


@pytest.mark.parametrize(("seconds", "is_silent"), [(4.999, False), (5.0, True)])
def test_first_data_has_so_many_seconds_after_the_acknowledgement(seconds: float, is_silent: bool) -> None:
    line = Line()
    line.asked.ask("book", ["A"], at(0), data_within=5.0)
    line.asked.acknowledged("book", "A", at(2))
    assert due(line) == 7
    items = line.asked.tick(at(2 + seconds))
    silent = StreamState("book", "syncing", "acks has acknowledged it, but sends nothing; asked anew")
    assert items == [silent] * is_silent
    assert line.asked.is_taken("book", "A") is not is_silent
    if is_silent:
        assert line.sent[1:] == [Request(2, "book", ("A",), anew=True)]
        line.asked.acknowledged("book", "A", at(8))
        assert (line.until(12.999), due(line)) == ([], 13)
        assert line.until(13) == [], "it is said once"
        assert line.asked.arrived("book", "A", at(13)) == []


def test_once_data_came_a_symbol_may_be_silent() -> None:
    line = Line()
    line.asked.ask("book", ["A"], at(0), data_within=5.0)
    line.asked.acknowledged("book", "A", at(2))
    assert (line.asked.arrived("book", "A", at(3)), due(line), line.until(1_000)) == ([], None, [])


def test_after_leaving_nothing_is_awaited_and_what_was_closed_is_only_forgotten_by_a_later_run() -> None:
    line = Line()
    line.asked.ask("trades", ["A"], at(0))
    line.taken.closed["trades", "B"] = UNKNOWN
    line.asked.leave()
    assert (due(line), line.asked.acknowledged("trades", "A", at(0)), line.asked.answered(1, "A", at(0))) == (
        None,
        [],
        [],
    )
    assert line.asked.ask("trades", ["B"], at(1)) == []
    line.asked.forget()
    assert line.asked.ask("trades", ["B"], at(1)) == [StreamState("trades", "syncing")]
    assert line.sent[-1] == Request(2, "trades", ("B",), anew=False)


@pytest.mark.parametrize("state", ["asked", "waiting", "refused"])
def test_only_what_was_taken_is_asked_for_anew(state: str) -> None:
    line = Line()
    line.asked.ask("book", ["A", "B"], at(0))
    answers: dict[str, Any] = {
        "asked": lambda: None,
        "waiting": lambda: line.asked.tick(at(10)),
        "refused": lambda: line.asked.refused("book", "A", UNKNOWN, at(0)),
    }
    answers[state]()
    before = due(line)
    line.asked.again("book", "A", at(10.5))
    line.asked.again("book", "C", at(10.5))
    assert (len(line.sent), due(line)) == (1, before)


def test_so_many_requests_that_nothing_answers_are_known_and_the_oldest_go_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(acknowledgements, "MOST_REQUESTS", 2)
    line = Line(most=1)
    line.asked.ask("trades", ["A", "B", "C"], at(0))
    assert line.asked.answered(1, ["A"], at(1)) == [], "it is not known any more"
    assert line.asked.answered(2, ["B"], at(1)) == [StreamState("trades", "live", symbol="B")]
    assert line.asked.answered(3, ["C"], at(1)) == [StreamState("trades", "live", symbol="C")]


def test_refusals_of_the_first_subscription_are_told_when_the_last_answer_ought_to_be_here() -> None:
    line = Line()
    line.asked.ask("trades", ["A", "B"], at(0))
    assert line.asked.refused("trades", "A", UNKNOWN, at(0)) == []
    said = StreamState("trades", "syncing", "busy; asked for again after a pause", symbol="B")
    assert line.asked.refused("trades", "B", "busy", at(0), retry=True) == [said]
    line.until(2)
    assert [request.symbols for request in line.sent] == [("A", "B"), ("B",)]
    assert due(line) == 10, "before the second answer is late"
    (refused,) = line.asked.tick(at(10))
    assert refused == Refused(f"acks refuses trades of A ({UNKNOWN})", "trades", symbols={"A": UNKNOWN})


def test_one_that_was_refused_on_another_connection_and_does_not_answer_on_this_one_is_given_up() -> None:
    line = taken_before("A", "B")
    line.asked.ask("trades", ["A", "B"], at(0))
    line.asked.refused("trades", "B", UNKNOWN, at(0))
    line = line.reconnect()
    line.asked.ask("trades", ["A", "B"], at(590))
    line.asked.acknowledged("trades", "A", at(590))
    assert due(line) == 600
    late, gone = line.until(601)
    assert late == StreamState("trades", "syncing", LATE, symbol="B")
    words = "it does not answer"
    assert gone == Refused(
        f"acks refuses trades of B ({words}); given up after 10 min", "trades", "B", symbols={"B": words}, late=True
    )


@pytest.mark.parametrize(("length", "shown"), [(199, "w" * 199), (200, "w" * 200), (201, "w" * 199 + "…")])
def test_words_of_a_refusal_have_two_hundred_characters_at_most(length: int, shown: str) -> None:
    line = Line()
    line.asked.ask("trades", ["A"], at(0))
    (refused,) = line.asked.refused("trades", "A", "w" * length, at(0))
    assert isinstance(refused, Refused)
    assert refused.symbols == {"A": shown}
