"""Which statuses are lines, what each is in words, and which words have to wait for others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cli.output import statuses
from cli.output.statuses import BadFrames, Seldom, StatusGate, Together, Unsaid, in_words
from cli.output.symbols import SymbolStates, begins_anew, is_closed_alone, named
from venues.records import State, Status


def status(state: State, symbol: str | None = None, reason: str | None = None, **fields: Any) -> Status:
    return Status(venue="v", received=0, stream="book", state=state, symbol=symbol, reason=reason, **fields)


# --- which are lines


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("syncing live live", "--+"),  # live once more is news
        ("connecting syncing! live live", "-+++"),  # a first state that does not come, and why
        ("connecting syncing! syncing syncing live", "-++++"),
        ("stale live syncing live", "++-+"),
        ("live closed", "-+"),
        ("live reconnecting connecting syncing live syncing", "-++++-"),
        ("closed live", "++"),
    ],
)
def test_an_interruption_is_a_line_from_its_first_status_to_its_last(steps: str, expected: str) -> None:
    for symbol in (None, "A"):
        gate = StatusGate()
        passed = [
            gate.passes(status(step.rstrip("!"), symbol, "why" if step.endswith("!") else None))  # type: ignore[arg-type]
            for step in steps.split()
        ]
        assert "".join("-+"[one] for one in passed) == expected


def test_a_status_of_all_is_about_each_symbol_and_one_of_a_symbol_about_that() -> None:
    gate = StatusGate()
    told = [
        gate.passes(one)
        for one in (
            status("live"),
            status("stale", "A"),
            status("syncing", "B"),
            status("syncing", "A"),
            status("syncing"),  # A is disturbed, so it is told of all
            status("live", "A"),  # … and of all it goes on
            status("live", "B"),
            status("live"),
            status("syncing", "B"),
            status("syncing"),
        )
    ]
    assert told == [False, True, False, True, True, True, True, True, False, False]


def test_what_was_said_of_a_symbol_is_over_once_something_is_said_of_all() -> None:
    for trouble, later in (("stale", False), ("live", True)):
        gate = StatusGate()
        gate.passes(status("syncing"))
        assert gate.passes(status(trouble, "A")) is not later  # type: ignore[arg-type]
        assert gate.passes(status("live"))
        assert not gate.passes(status("syncing", "A"))
        assert gate.passes(status("live", "A"))


# --- words


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (status("reconnecting", reason="lost"), "book: lost"),
        (status("reconnecting", reason="lost", attempt=1, retry_in_ms=0), "book: lost; trying again in 0.0 s (try 1)"),
        (status("reconnecting", attempt=2), "book: ; trying again in 0.0 s (try 2)"),
        (
            status("reconnecting", reason="lost", attempt=12, retry_in_ms=90_000),
            "book: lost; trying again in 90 s (try 12)",
        ),
        (status("stale", reason="gap"), "book is stale: gap"),
        (status("syncing", reason="slow"), "book: slow"),
        (status("syncing"), None),
        (status("connecting", reason="x"), None),
        (status("live"), None),
        (status("live", reason="partial"), "book: partial"),
        (status("live", down_ms=49), "book is live again after <0.1 s"),
        (status("live", down_ms=50), "book is live again after 0.1 s"),
        (status("live", down_ms=0), "book is live again after <0.1 s"),
        (status("live", down_ms=61_000, reason="r"), "book is live again after 61 s; r"),
        (status("closed", reason="over"), None),
        (status("closed", "A", reason="over"), None),
    ],
)
def test_what_each_status_is_in_words(said: Status, words: str | None) -> None:
    assert in_words(said) == words


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (status("reconnecting", "A", "lost"), "book A: lost"),
        (
            status("reconnecting", "A", "lost", attempt=1, retry_in_ms=1_500),
            "book A: lost; trying again in 1.5 s (try 1)",
        ),
        (status("stale", "A", "gap"), "book A is stale: gap"),
        (status("syncing", "A", "slow"), "book A: slow"),
        (status("live", "A", down_ms=1_000), "book A is live again after 1.0 s"),
        (status("closed", "A", "unknown"), "book A is closed: unknown"),
        (status("closed", "A"), "book A is closed: "),
        (status("stale", "A\x1b[2J", "gap"), "book A\\x1b[2J is stale: gap"),
        (status("stale", "A" * 41, "gap"), f"book {'A' * 39}… is stale: gap"),
    ],
)
def test_of_several_symbols_the_words_name_the_one(said: Status, words: str) -> None:
    assert in_words(said, said.symbol) == words


# --- several symbols together


def sentences(*said: Status) -> list[str]:
    together = Together()
    for one in said:
        together.add(one, 100.0)
    return together.take(100.0)


def stale(symbol: str | None, reason: str = "gap") -> Status:
    return status("stale", symbol, reason)


def test_the_same_news_are_one_sentence_that_names_three() -> None:
    assert sentences() == []
    assert sentences(stale("A")) == ["book A is stale: gap"]
    assert sentences(*map(stale, "AB")) == ["book: 2 symbols are stale: gap (A, B)"]
    assert sentences(*map(stale, "ABC")) == ["book: 3 symbols are stale: gap (A, B, C)"]
    assert sentences(*map(stale, "ABCDE")) == ["book: 5 symbols are stale: gap (A, B, C and 2 more)"]
    lost = [status("reconnecting", one, "lost", attempt=2, retry_in_ms=500) for one in "AB"]
    assert sentences(*lost) == ["book: 2 symbols: lost; trying again in 0.5 s (try 2) (A, B)"]
    assert sentences(*(status("closed", one, "over") for one in "AB")) == ["book: 2 symbols are closed: over (A, B)"]


def test_what_differs_is_said_apart() -> None:
    assert sentences(stale("A"), stale("B", "other")) == ["book A is stale: gap", "book B is stale: other"]
    tries = [status("reconnecting", one, "lost", attempt=number, retry_in_ms=0) for number, one in enumerate("AB", 1)]
    assert len(sentences(*tries)) == 2
    waits = [status("reconnecting", one, "lost", attempt=1, retry_in_ms=ms) for ms, one in ((500, "A"), (900, "B"))]
    assert len(sentences(*waits)) == 2
    assert len(sentences(status("live", "A", "r"), status("live", "B", "r", down_ms=5))) == 2


def test_of_those_that_are_live_again_the_longest_is_told() -> None:
    back = [status("live", one, down_ms=ms) for ms, one in ((1_000, "A"), (9_000, "B"), (3_000, "C"))]
    assert sentences(*back) == ["book: 3 symbols are live again after 9.0 s (A, B, C)"]


def test_what_is_not_so_any_more_is_not_told() -> None:
    back = [status("live", one, down_ms=1_000) for one in "AB"]
    assert sentences(*back, stale("A")) == ["book B is live again after 1.0 s", "book A is stale: gap"]
    assert sentences(back[0], stale("A")) == ["book A is stale: gap"]
    assert sentences(back[0], stale("A"), back[1]) == ["book A is stale: gap", "book B is live again after 1.0 s"]
    assert sentences(stale("A"), back[0]) == ["book A is stale: gap", "book A is live again after 1.0 s"]
    assert sentences(stale("A"), stale("B"), stale("A", "other")) == ["book B is stale: gap", "book A is stale: other"]
    assert sentences(stale("A"), status("syncing", "A")) == ["book A is stale: gap"], "that is nothing to talk about"


def test_the_same_news_are_told_together_unless_something_else_was_said_after_them() -> None:
    x, y = ([status("syncing", one, reason) for one in "ABC"] for reason in "xy")
    assert sentences(x[0], y[2], x[1]) == ["book: 2 symbols: x (A, B)", "book C: y"]
    assert sentences(x[0], y[0], x[0]) == ["book A: x", "book A: y", "book A: x"]
    assert sentences(x[0], y[0], x[1]) == ["book: 2 symbols: x (A, B)", "book A: y"]


def test_what_is_said_of_all_stands_between() -> None:
    assert sentences(stale("A"), stale(None), stale("B")) == [
        "book A is stale: gap",
        "book is stale: gap",
        "book B is stale: gap",
    ]
    assert sentences(stale(None), stale(None)) == ["book is stale: gap"] * 2


def test_of_more_than_five_sentences_the_last_words_are_told_by_state() -> None:
    five = [stale(one, f"r{one}") for one in "ABCDE"]
    assert sentences(*five) == [f"book {one} is stale: r{one}" for one in "ABCDE"]
    six = [*five, stale("F", "rF")]
    assert sentences(*six) == ["book: 6 symbols are stale: rA, and 5 other reasons (A, B, C and 3 more)"]
    back = status("live", "A", down_ms=7_000)
    assert sentences(*six, back) == [
        "book: 5 symbols are stale: rB, and 4 other reasons (B, C, D and 2 more)",
        "book A is live again after 7.0 s",
    ]
    assert sentences(*six, stale(None, "all")) == ["book is stale: all"]
    assert sentences(*six, stale(None, "all"), stale("A", "one"))[0] == "book is stale: all"


def test_of_two_reasons_the_other_one_is_counted() -> None:
    said = [status("live", one, reason, down_ms=ms) for one, reason, ms in (("A", "x", 1_000), ("B", "y", 5_000))]
    said += [status("live", one, None, down_ms=2_000) for one in "C"]
    more = [stale(one, f"r{one}") for one in "DEFG"]
    assert sentences(*said, *more)[0] == "book: 3 symbols are live again after 5.0 s (A, B, C); y, and 1 other reason"


def test_trouble_is_due_at_once_and_its_end_half_a_second_later() -> None:
    together = Together()
    assert together.due() is None
    together.add(status("syncing"), 100.0)
    assert (together.due(), together.take(100.0)) == (None, [])
    together.add(status("live", "A", down_ms=1), 100.0)
    assert together.due() == 100.5
    together.add(status("live", "B", down_ms=1), 100.2)
    assert together.due() == 100.5, "the first one has waited long enough then"
    together.add(stale("C"), 100.3)
    assert together.due() == 100.3
    assert len(together.take(100.3)) == 2
    assert together.due() is None


def test_after_five_sentences_each_next_one_waits_a_second() -> None:
    together, due = Together(), []
    for number in range(8):
        together.add(stale(f"S{number}"), 100.0)
        due.append(together.due())
        assert len(together.take(due[-1] or 0.0)) == 1
        if due[-1] != 100.0:
            break
    assert due == [*[100.0] * 5, 101.0]
    together.add(stale("T"), 101.0)
    assert together.due() == 102.0
    together.take(102.0)
    together.add(stale("U"), 104.0)
    assert together.due() == 104.0, "two seconds are two sentences"


def test_sentences_that_were_taken_early_are_not_paid_for_later() -> None:
    together = Together()
    for number in range(7):
        together.add(stale(f"S{number}"), 100.0)
        together.take(100.0)
    together.add(stale("T"), 100.0)
    assert together.due() == 101.0


# --- floods


def test_bad_frames_are_counted_from_the_second_on() -> None:
    frames = BadFrames()
    assert [frames.words("x"), frames.words("y"), frames.words("z")] == [
        "bad frame: x",
        "bad frame (2 so far): y",
        "bad frame (3 so far): z",
    ]


def test_held_back_words_take_the_place_of_those_before_until_they_are_taken() -> None:
    unsaid = Unsaid(50.0)
    assert (unsaid.first, unsaid.take(50.0)) == (False, None)
    unsaid = Unsaid(50.0)
    assert [unsaid.may_be_said("a", 50.0) for _ in range(5)] == [True] * 5
    assert (unsaid.may_be_said("b", 50.0), unsaid.first) == (False, True)
    assert (unsaid.may_be_said("c", 50.9), unsaid.first) == (False, False)
    assert (unsaid.may_be_said("d", 59.0), unsaid.first) == (False, False), "those that wait go first"
    assert (unsaid.take(59.0), unsaid.take(59.0)) == ("d", None)
    assert not unsaid.may_be_said("e", 59.9)
    assert unsaid.take(60.0) == "e"
    assert unsaid.may_be_said("f", 61.0)
    assert not unsaid.may_be_said("g", 61.0)


def test_in_a_quiet_time_no_more_than_five_are_saved_up() -> None:
    unsaid = Unsaid(0.0)
    assert [unsaid.may_be_said("a", 1_000.0) for _ in range(6)] == [True] * 5 + [False]


def test_of_a_flood_of_words_the_latest_is_said_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statuses, "SAID_EVERY", 0.02)
    said: list[str] = []

    async def flood() -> None:
        is_said = asyncio.Event()

        def say(text: str) -> None:
            said.append(text)
            if text == "a199":
                is_said.set()

        seldom = Seldom(say)
        for number in range(200):
            seldom.say("a", f"a{number}")
        seldom.say("b", "b0")
        assert said == [*(f"a{number}" for number in range(len(said) - 1)), "b0"]
        assert 6 <= len(said) < 100
        await asyncio.wait_for(is_said.wait(), 20)
        for number in range(200, 400):
            seldom.say("a", f"a{number}")
        seldom.last_words()
        assert said[-1] == "a399"
        count = len(said)
        seldom.last_words()
        assert len(said) == count, "each is said once"

    asyncio.run(flood())


# --- symbols


def test_the_worst_state_comes_first() -> None:
    states = SymbolStates("ABCDEFG")
    assert (len(states), states.having()) == (7, {"connecting": list("ABCDEFG")})
    for symbol, state in zip("ABCDEF", ("live", "syncing", "stale", "reconnecting", "closed", "live"), strict=True):
        assert states.take(status(state, symbol)) == [symbol]  # type: ignore[arg-type]
    assert list(states.having().items()) == [
        ("closed", ["E"]), ("reconnecting", ["D"]), ("connecting", ["G"]), ("stale", ["C"]), ("syncing", ["B"]),
        ("live", ["A", "F"]),
    ]  # fmt: skip
    assert (states.state_of("G"), states.status_of("G"), states.state_of(None)) == ("connecting", None, "connecting")
    assert states.status_of("B") == status("syncing", "B")


def test_what_was_closed_alone_hears_of_all_only_when_a_run_begins_anew() -> None:
    states = SymbolStates("AB")
    states.take(status("closed", "A"))
    assert states.take(status("live")) == ["B"]
    assert states.take(status("reconnecting", attempt=1)) == ["B"]
    assert states.take(status("reconnecting")) == ["A", "B"]
    states.take(status("closed"))
    assert states.take(status("live")) == ["A", "B"], "those were closed together"
    states.expect("BC")
    assert [states.state_of(one) for one in "ABC"] == ["live", "live", "connecting"]


def test_which_status_closes_a_symbol_alone_and_which_begins_anew() -> None:
    assert [is_closed_alone(one) for one in (None, status("closed"), status("closed", "A"), status("live", "A"))] == [
        False, False, True, False,
    ]  # fmt: skip
    again = status("reconnecting"), status("reconnecting", attempt=0), status("live")
    assert [begins_anew(one) for one in again] == [True, False, False]


@pytest.mark.parametrize(
    ("symbols", "words"),
    [
        ([], ""),
        (["A"], "A"),
        (["A", "B", "C"], "A, B, C"),
        (["A", "B", "C", "D"], "A, B, C and 1 more"),
        (["A\x07", "B" * 41], f"A\\x07, {'B' * 39}…"),
    ],
)
def test_symbols_are_named_in_few_words(symbols: list[str], words: str) -> None:
    assert named(symbols) == words


def test_as_many_are_named_as_are_asked_for() -> None:
    assert (named(["A", "B"], 1), named(["A", "B"], 2)) == ("A and 1 more", "A, B")
