"""Acknowledged subscriptions: what was asked, taken, refused, and what is overdue."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venues.errors import VenueRefused
from venues.session import spread
from venues.toolkit.acknowledgements import (
    RETURNS_WITHIN,
    WITHIN,
    Acknowledgements,
    Request,
    Taken,
    chunks,
    in_words,
    together,
)
from venues.venue import Item, Lost, Now, Refused, StreamState, Subscription

UNKNOWN = "Currency pair not supported"


def at(seconds: float, **more: float) -> Now:
    return Now(1000 + seconds, 1_700_000_000_000 + round(seconds * 1000), **more)


class Line:
    """A connection of a route, and what it sent."""

    def __init__(self, taken: Taken | None = None, most: int = 100) -> None:
        self.taken = taken or Taken()
        self.sent: list[Request] = []
        self.asked = Acknowledgements("acks", self.taken, self.sent.append, most=most)

    def reconnect(self) -> Line:
        return Line(self.taken)

    def asked_for(self) -> list[tuple[str, ...]]:
        found = [request.symbols for request in self.sent]
        self.sent.clear()
        return found

    def until(self, seconds: float) -> list[Item]:
        """All that is due by then."""
        items: list[Item] = []
        while (due := self.asked.deadline()) is not None and due <= 1000 + seconds:
            items += self.asked.tick(at(due - 1000))
        return items


def taken_before(*symbols: str, stream: str = "trades", seconds: float = 0) -> Line:
    line = Line()
    line.asked.ask(stream, symbols, at(seconds))
    for symbol in symbols:
        line.asked.acknowledged(stream, symbol, at(seconds))
    return line.reconnect()


# --- the first subscription


def test_what_is_asked_for_is_syncing_and_events_are_live_once_acknowledged() -> None:
    line = Line()
    assert line.asked.ask("trades", ["A", "B"], at(0)) == [StreamState("trades", "syncing")]
    assert line.sent == [Request(1, "trades", ("A", "B"), anew=False)]
    assert not line.asked.is_taken("trades", "A")
    assert line.asked.acknowledged("trades", "A", at(0.1)) == [StreamState("trades", "live", symbol="A")]
    assert line.asked.is_taken("trades", "A")
    assert line.asked.acknowledged("trades", "B", at(0.1)) == [StreamState("trades", "live", symbol="B")]
    assert line.asked.deadline() is None


def test_a_state_is_made_live_by_the_session() -> None:
    line = Line()
    line.asked.ask("book", ["A"], at(0))
    assert line.asked.acknowledged("book", "A", at(0.1)) == []


def test_one_channel_for_two_streams() -> None:
    line = Line()
    assert line.asked.ask("level2", ["A"], at(0), streams=("book", "quotes")) == [
        StreamState("book", "syncing"),
        StreamState("quotes", "syncing"),
    ]
    assert line.asked.ask("level2", ["A"], at(0), streams=("trades",)) == [StreamState("trades", "syncing")]
    assert line.asked.acknowledged("level2", "A", at(0)) == [StreamState("trades", "live")]
    assert line.asked_for() == [("A",)]
    refused = Line()
    refused.asked.ask("level2", ["A"], at(0), streams=("book", "quotes"))
    assert [(item.stream, item.symbols) for item in refused.asked.refused("level2", "A", UNKNOWN, at(1))] == [  # type: ignore[union-attr]
        ("book", {"A": UNKNOWN}),
        ("quotes", {"A": UNKNOWN}),
    ]


def test_all_refused_symbols_are_named_at_once() -> None:
    line = Line()
    line.asked.ask("quotes", ["A", "B", "C", "D"], at(0))
    assert line.asked.refused("quotes", "B", f"{UNKNOWN} B", at(1)) == []
    assert line.asked.acknowledged("quotes", "A", at(1)) == []
    assert line.asked.refused("quotes", "D", f"{UNKNOWN} D", at(1)) == []
    (refused,) = line.asked.acknowledged("quotes", "C", at(2))
    assert refused == Refused(f"acks refuses quotes of B, D ({UNKNOWN})", "quotes")
    assert isinstance(refused, Refused)
    assert refused.symbols == {"B": f"{UNKNOWN} B", "D": f"{UNKNOWN} D"}
    assert not refused.late
    assert line.asked.over == {"quotes"}
    assert line.asked.deadline() is None
    assert line.asked.acknowledged("quotes", "B", at(3)) == []
    assert not line.asked.is_taken("quotes", "A")


def test_what_is_overdue_does_not_hold_up_what_is_refused() -> None:
    line = Line()
    line.asked.ask("quotes", ["A", "B"], at(0))
    assert line.asked.refused("quotes", "B", UNKNOWN, at(1)) == []
    assert line.until(WITHIN - 0.001) == []
    late, refused = line.until(WITHIN)
    assert late == StreamState(
        "quotes", "syncing", "acks has not acknowledged the subscription in 10 s; asked again", symbol="A"
    )
    assert isinstance(refused, Refused)
    assert refused.symbols == {"B": UNKNOWN}


def test_one_answer_that_names_what_was_taken() -> None:
    line = Line(most=2)
    line.asked.ask("trades", ["A", "B", "C"], at(0))
    assert [request[:3] for request in line.sent] == [(1, "trades", ("A", "B")), (2, "trades", ("C",))]
    assert line.asked.answered(1, ["A"], at(1)) == [StreamState("trades", "live", symbol="A")]
    assert line.asked.answered(9, ["A"], at(1)) == []
    items = line.asked.answered(2, ["C"], at(1))
    assert items[0] == StreamState("trades", "live", symbol="C")
    assert items[1] == Refused("acks refuses trades of B (it is missing from the venue's acknowledgement)", "trades")
    whole = Line()
    whole.asked.ask("trades", ["A", "B"], at(0))
    assert whole.asked.answered(1, ["A", "B"], at(1)) == [StreamState("trades", "live")]


def test_a_whole_request_is_refused() -> None:
    line = Line()
    line.asked.ask("book", ["A", "B"], at(0))
    (refused,) = line.asked.failed(1, "Subscription depth not supported", at(1))
    assert refused == Refused("acks refuses book of A, B (Subscription depth not supported)", "book")


def test_asked_more_slowly() -> None:
    line = Line()
    line.asked.ask("trades", ["A", "B"], at(0))
    line.asked_for()
    assert line.asked.failed(None, "Exceeded msg rate", at(0.5), retry=True) == [
        StreamState("trades", "syncing", "Exceeded msg rate; asked for again after a pause")
    ]
    assert line.until(1.4) == []
    assert line.asked_for() == []
    line.until(1.5)
    assert line.asked_for() == [("A", "B")]
    assert line.asked.failed(None, "Exceeded msg rate", at(2), retry=True) == []  # said once
    line.until(3.9)
    assert line.asked_for() == []
    line.until(4)
    assert line.asked_for() == [("A", "B")]
    assert line.asked.acknowledged("trades", "A", at(4)) == [StreamState("trades", "live", symbol="A")]


def test_a_channel_that_is_only_joined_in_costs_nothing_else() -> None:
    line = Line()
    line.asked.ask("ticker", ["A"], at(0))
    assert line.asked.ask("markprice", ["A", "B"], at(0), streams=()) == []
    assert line.asked.acknowledged("ticker", "A", at(0)) == []
    assert line.asked.refused("markprice", "A", UNKNOWN, at(0)) == []
    assert line.asked.acknowledged("markprice", "B", at(0)) == []
    assert line.asked.is_taken("markprice", "B")
    assert not line.asked.is_taken("markprice", "A")
    assert line.asked.deadline() is None


# --- no answer


def test_a_line_that_answers_nothing_is_of_no_use() -> None:
    line = Line()
    line.asked.ask("trades", ["A", "B"], at(0))
    items = line.until(33)
    said = "acks has not acknowledged the subscription in 10 s; asked again"
    assert items == [StreamState("trades", "syncing", said), Lost("acks answers no subscription, asked 3 times")]
    assert line.asked_for() == [("A", "B")] * 3


def test_a_symbol_without_an_answer_is_asked_for_again_and_the_others_go_on() -> None:
    line = Line()
    line.asked.ask("trades", ["A", "B"], at(0))
    line.asked.acknowledged("trades", "A", at(0))
    line.asked_for()
    items = line.until(300)
    assert items == [
        StreamState("trades", "syncing", "acks has not acknowledged the subscription in 10 s; asked again", symbol="B")
    ]
    assert 7 <= len(line.asked_for()) <= 10  # at least 10 s and up to 40 s apart
    assert line.asked.acknowledged("trades", "B", at(300)) == [StreamState("trades", "live", symbol="B")]


def test_a_message_on_its_way_may_have_the_answer_behind_it() -> None:
    line = Line()
    line.asked.ask("trades", ["A"], at(0))
    assert line.asked.tick(at(10, heard=1009.0, arriving=1009.0)) == []
    assert line.asked.deadline() == 1019.0


def test_data_proves_that_a_symbol_was_taken() -> None:
    line = Line()
    line.asked.ask("trades", ["A"], at(0))
    assert line.asked.arrived("trades", "A", at(1)) == [StreamState("trades", "live")]
    assert line.asked.arrived("trades", "A", at(1)) == []
    assert line.asked.acknowledged("trades", "A", at(1)) == []
    line.asked.again("trades", "A", at(40))
    assert line.asked.arrived("trades", "A", at(40)) == []  # of the subscription that is given up


# --- later


def test_a_state_in_doubt_is_asked_for_anew_and_paced() -> None:
    line = Line()
    line.asked.ask("book", ["A", "B"], at(0))
    line.asked.answered(1, ["A", "B"], at(0))
    line.asked_for()
    line.asked.again("book", "A", at(0.5))
    assert not line.asked.is_taken("book", "A")
    assert line.asked_for() == []
    line.until(1)
    assert line.sent == [Request(2, "book", ("A",), anew=True)]
    line.asked.again("book", "A", at(1.1))  # it is under way
    line.asked.acknowledged("book", "A", at(1.2))
    assert line.asked.is_taken("book", "A")
    line.asked.again("book", "A", at(1.3))
    line.until(2.9)
    assert len(line.sent) == 1
    line.until(3)
    assert len(line.sent) == 2


def test_a_late_answer_counts_unless_its_data_may_be_gone() -> None:
    line = Line()
    line.asked.ask("book", ["A"], at(0))
    line.until(10)
    line.asked.acknowledged("book", "A", at(10.5))
    assert line.asked.is_taken("book", "A")
    line.asked.again("book", "A", at(50))
    line.until(60)
    line.asked.acknowledged("book", "A", at(60.5))
    assert not line.asked.is_taken("book", "A")
    line.asked_for()
    line.until(80)
    assert line.sent[0].anew


def test_pauses_begin_anew_after_what_lasted() -> None:
    line = Line()
    line.asked.ask("trades", ["A"], at(0))
    for seconds in (0.1, 2, 5, 10, 20):
        line.asked.failed(None, "slowly", at(seconds), retry=True)
        line.until(seconds)
    line.until(40)
    line.asked.acknowledged("trades", "A", at(40))
    line.asked_for()
    line.asked.refused("trades", "A", "slowly", at(100), retry=True)
    line.until(100.9)
    assert line.asked_for() == []
    line.until(101)
    assert line.asked_for() == [("A",)]


def test_silence_between_refusals_is_no_end_of_them() -> None:
    line = taken_before("A", "B")
    line.asked.ask("trades", ["A", "B"], at(0))
    line.asked.acknowledged("trades", "A", at(0))
    line.asked.refused("trades", "B", UNKNOWN, at(0))
    line.until(72)
    line.asked.refused("trades", "B", UNKNOWN, at(72))
    assert [item.symbol for item in line.until(650) if isinstance(item, Refused)] == ["B"]


def test_requests_without_an_answer_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("venues.toolkit.acknowledgements.MOST_REQUESTS", 2)
    line = Line(most=1)
    line.asked.ask("trades", ["A", "B", "C"], at(0))
    assert line.asked.answered(1, ["A"], at(1)) == []
    assert line.asked.answered(3, ["C"], at(1)) == [StreamState("trades", "live", symbol="C")]


def test_what_is_acknowledged_and_silent_is_asked_for_anew() -> None:
    line = Line()
    line.asked.ask("book", ["A", "B"], at(0), data_within=10)
    line.asked.answered(1, ["A", "B"], at(1))
    line.asked_for()
    assert line.asked.arrived("book", "A", at(2)) == []
    assert line.until(10.9) == []
    said = "acks has acknowledged it, but sends nothing; asked anew"
    assert line.until(11) == [StreamState("book", "syncing", said, symbol="B")]
    assert line.sent == [Request(2, "book", ("B",), anew=True)]
    assert line.asked.arrived("book", "B", at(11)) == []  # of the subscription that is given up
    assert not line.asked.is_taken("book", "B")
    assert line.asked.acknowledged("book", "B", at(12)) == []
    assert line.until(22) == []  # said once
    assert len(line.sent) == 2
    line.asked.acknowledged("book", "B", at(22))
    assert line.asked.arrived("book", "B", at(23)) == []
    assert line.asked.deadline() is None
    assert line.until(1000) == []


def test_data_before_the_answer_is_data() -> None:
    line = Line()
    line.asked.ask("book", ["A"], at(0), data_within=10)
    line.asked.arrived("book", "A", at(1))
    assert line.asked.is_taken("book", "A")
    assert line.asked.deadline() is None


def test_data_behind_a_message_on_its_way() -> None:
    line = Line()
    line.asked.ask("book", ["A"], at(0), data_within=10)
    line.asked.acknowledged("book", "A", at(0))
    assert line.asked.tick(at(10, heard=1009.0, arriving=1009.0)) == []
    assert line.asked.deadline() == 1019.0


def test_a_symbol_that_was_taken_is_asked_for_again_for_ten_minutes() -> None:
    line = taken_before("A", "B")
    assert line.asked.ask("trades", ["A", "B"], at(100)) == [StreamState("trades", "syncing")]
    line.asked.acknowledged("trades", "A", at(100))
    said = f"the venue refuses it ({UNKNOWN}), which it had taken before; asked again"
    assert line.asked.refused("trades", "B", UNKNOWN, at(100)) == [StreamState("trades", "stale", said, symbol="B")]
    line.asked_for()
    asked, now, closed = [], 100.0, list[Item]()
    while not closed:
        due = line.asked.deadline()
        assert due is not None
        now = due - 1000
        closed = line.asked.tick(at(now))
        if line.asked_for():
            asked.append(now)
            assert line.asked.refused("trades", "B", UNKNOWN, at(now)) == []
    assert [asked[0] - 100, asked[1] - asked[0], asked[2] - asked[1]] == [1, 2, 4]
    assert max(later - before for before, later in pairwise(asked)) == 30
    assert now == 100 + RETURNS_WITHIN
    assert closed == [Refused(f"acks refuses trades of B ({UNKNOWN}); given up after 10 min", "trades", "B")]
    assert closed[0].late  # type: ignore[union-attr]
    assert line.asked.deadline() is None
    assert line.asked.acknowledged("trades", "B", at(800)) == []
    after = line.reconnect()
    assert after.asked.ask("trades", ["A", "B"], at(900)) == [StreamState("trades", "syncing", symbol="A")]
    assert after.asked_for() == [("A",)]


def test_the_ten_minutes_go_on_over_connections() -> None:
    line = taken_before("A", "B")
    for minute in range(10):
        line = line.reconnect()
        line.asked.ask("trades", ["A", "B"], at(60 * minute))
        line.asked.acknowledged("trades", "A", at(60 * minute))
        assert not any(isinstance(x, Refused) for x in line.asked.refused("trades", "B", UNKNOWN, at(60 * minute)))
    line = line.reconnect()
    line.asked.ask("trades", ["A", "B"], at(600))
    (refused,) = line.asked.refused("trades", "B", UNKNOWN, at(600))
    assert isinstance(refused, Refused)
    assert refused.symbol == "B"


def test_they_begin_anew_when_it_was_not_refused_for_long() -> None:
    line = taken_before("A", "B")
    line.asked.ask("trades", ["A", "B"], at(0))
    line.asked.refused("trades", "B", UNKNOWN, at(0))
    line = line.reconnect()
    line.asked.ask("trades", ["A", "B"], at(700))
    (state,) = line.asked.refused("trades", "B", UNKNOWN, at(700))
    assert isinstance(state, StreamState)


def test_a_symbol_comes_back() -> None:
    line = taken_before("A", "B", stream="book")
    line.asked.ask("book", ["A", "B"], at(100))
    line.asked.refused("book", "B", UNKNOWN, at(100))
    line.until(101)
    assert line.asked.acknowledged("book", "B", at(101)) == [
        StreamState("book", "syncing", "the venue has acknowledged it; waiting for its first state", symbol="B")
    ]
    line.asked.acknowledged("book", "A", at(101))
    line.asked.refused("book", "B", UNKNOWN, at(130))
    assert not any(isinstance(item, Refused) for item in line.until(729))
    assert any(isinstance(item, Refused) for item in line.until(745))


def test_the_last_symbol_that_is_closed_is_the_whole_stream() -> None:
    line = taken_before("A", "B")
    line.asked.ask("trades", ["A", "B"], at(0))
    items = [*line.asked.refused("trades", "A", UNKNOWN, at(0)), *line.asked.refused("trades", "B", UNKNOWN, at(0))]
    assert all(isinstance(item, StreamState) for item in items)
    closed: list[Item] = []
    for second in range(0, 700, 5):
        closed += line.until(second)
        line.asked.failed(None, UNKNOWN, at(second))
    assert [(item.stream, item.symbol, item.late) for item in closed if isinstance(item, Refused)] == [  # type: ignore[union-attr]
        ("trades", "A", True),
        ("trades", None, True),
    ]
    assert isinstance(closed[-1], Refused)
    assert closed[-1].symbols == {"A": UNKNOWN, "B": UNKNOWN}


def test_answers_to_nothing_change_nothing() -> None:
    line = Line()
    for answer in (line.asked.acknowledged, line.asked.arrived):
        assert answer("trades", "A", at(0)) == []
    assert line.asked.refused("trades", "A", UNKNOWN, at(0)) == []
    line.asked.ask("trades", ["A"], at(0))
    line.asked.acknowledged("trades", "A", at(0))
    assert line.asked.acknowledged("trades", "A", at(0)) == []
    assert line.asked.acknowledged("trades", "X", at(0)) == []
    line.asked.leave()
    assert line.asked.acknowledged("trades", "A", at(0)) == []
    assert line.asked.refused("trades", "A", UNKNOWN, at(0)) == []
    assert line.asked.deadline() is None
    assert line.until(1000) == []


class Checked:
    """Random answers and reconnections, against what must always hold."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = symbols
        self.now = 0.0
        self.line = Line()
        self.ended = False
        self.closed: set[str] = set()
        self.acknowledged: set[str] = set()  # on this connection, since it was asked for last
        self.outstanding: set[str] = set()
        self.asked_at: dict[str, float] = {}
        self.live: set[str] = set()
        self.connect()

    def connect(self) -> None:
        self.line = self.line.reconnect()
        self.acknowledged, self.outstanding, self.live = set(), set(), set()
        self.asked_at.clear()
        self.take(self.line.asked.ask("trades", self.symbols, at(self.now)))

    def take(self, items: Sequence[Item]) -> None:
        for request in self.line.sent:
            for symbol in request.symbols:
                before = self.asked_at.get(symbol)
                assert before is None or self.now - before >= 1 - 1e-6, "asked unpaced"
                assert symbol not in self.closed
                self.asked_at[symbol] = self.now
                self.outstanding.add(symbol)
                self.acknowledged.discard(symbol)
        self.line.sent.clear()
        for item in items:
            if isinstance(item, StreamState):
                meant = set(self.symbols) - self.closed if item.symbol is None else {item.symbol}
                if item.state == "live":
                    assert meant <= self.acknowledged, "live without an acknowledgement"
                    self.live |= meant
                else:
                    self.live -= meant
            elif isinstance(item, Refused) and item.symbol is not None:
                assert item.late
                self.closed.add(item.symbol)
                self.live.discard(item.symbol)
            else:
                self.ended = True
        if not self.ended:
            self.nothing_is_forgotten()

    def nothing_is_forgotten(self) -> None:
        due = self.line.asked.deadline()
        for symbol in set(self.symbols) - self.closed:
            is_taken = self.line.asked.is_taken("trades", symbol)
            assert not is_taken or symbol in self.acknowledged
            assert (symbol in self.live) == is_taken
            assert is_taken or due is not None, "forgotten"

    def step(self, kind: str, symbol: str, seconds: float) -> None:
        due = self.line.asked.deadline()
        if due is not None and due <= 1000 + self.now + seconds:
            self.now = max(self.now, due - 1000)
            self.take(self.line.asked.tick(at(self.now)))
        else:
            self.now += seconds
        if self.ended:
            return
        asked = self.line.asked
        if kind == "ack":
            if symbol in self.outstanding:
                self.acknowledged.add(symbol)
                self.outstanding.discard(symbol)
            self.take(asked.acknowledged("trades", symbol, at(self.now)))
        elif kind in ("no", "slowly"):
            self.outstanding.discard(symbol)
            self.take(asked.refused("trades", symbol, UNKNOWN, at(self.now), retry=kind == "slowly"))
        elif kind == "again":
            asked.again("trades", symbol, at(self.now))
            if not asked.is_taken("trades", symbol):
                self.live.discard(symbol)
            self.take([])
        elif kind == "reconnect":
            self.connect()


STEP = st.tuples(
    st.sampled_from(["ack", "ack", "ack", "no", "slowly", "nothing", "again", "reconnect"]),
    st.sampled_from(["A", "B", "C", "X"]),
    st.sampled_from([0.0, 0.1, 1.0, 5.0, 31.0, 300.0]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEP, max_size=60))
def test_whatever_the_venue_answers(steps: list[Any]) -> None:
    checked = Checked(["A", "B", "C"])
    for step in steps:
        checked.step(*step)
        if checked.ended:
            return


# --- words, and many symbols


def test_all_are_named_with_the_venues_words() -> None:
    assert in_words("v", "book", {"A/B": "no such pair A/B"}) == "v refuses book of A/B (no such pair A/B)"
    different = {"A": "unknown A", "B": "halted", "C": "unknown C"}
    assert in_words("v", "book", different) == "v refuses book of A, C (unknown); B (halted)"
    many = {f"S{number}": f"odd {number % 7} words" for number in range(150)}
    text = in_words("v", "book", many)
    assert all(f"{symbol}" in text for symbol in many)
    assert text.count("words") == 5


def test_refusals_of_several_connections_are_one_error() -> None:
    one = VenueRefused("x", venue="v", stream="book", symbols={"A": "no"})
    other = VenueRefused("y", venue="v", stream="book", symbols={"B": "no"})
    assert together([one]) is one
    both = together([one, other])
    assert str(both) == "v refuses book of A, B (no)"
    assert both.symbols == {"A": "no", "B": "no"}
    last = VenueRefused("z", venue="w", stream="trades", symbols={"C": "why"})
    every = together([one, other, last])
    assert str(every) == "v refuses book of A, B (no); w refuses trades of C (why)"
    assert (every.venue, every.stream, every.symbols) == ("v", "book", {"A": "no", "B": "no", "C": "why"})


def test_chunks() -> None:
    assert chunks([1, 2, 3], 2) == [(1, 2), (3,)]
    assert chunks([], 2) == []


def sizes(groups: list[list[Subscription]]) -> list[list[tuple[str, int]]]:
    return [[(one.stream, len(one.symbols)) for one in group] for group in groups]


def test_many_symbols_take_several_connections() -> None:
    symbols = tuple(f"S{number}" for number in range(150))
    assert sizes(spread([Subscription("quotes", symbols)])) == [[("quotes", 100)], [("quotes", 50)]]
    several = [Subscription("quotes", symbols[:60]), Subscription("trades", symbols[:60]), Subscription("ping")]
    groups = spread(several)
    assert sizes(groups) == [[("quotes", 60), ("trades", 40)], [("trades", 20), ("ping", 0)]]
    for group in groups:
        assert spread(group) == [group]
    assert [s for group in spread([Subscription("quotes", symbols)]) for one in group for s in one.symbols] == [
        *symbols
    ]


def test_another_depth_or_interval_takes_another_connection() -> None:
    one, five = Subscription("candles", ("A",), interval="1m"), Subscription("candles", ("A",), interval="5m")
    book = Subscription("book", ("A",))
    assert spread([one, five, book]) == [[one, book], [five]]
    alike = spread([one, five], share_a_route=lambda a, b: True)
    assert alike == [[one, five]]


@pytest.mark.parametrize(("each", "expected"), [(4, [25, 25]), (30, [3] * 16 + [2]), (200, [1] * 50)])
def test_several_topics_a_symbol(each: int, expected: list[int]) -> None:
    symbols = tuple(f"S{number}" for number in range(50))
    groups = spread([Subscription("ticker", symbols)], topics=lambda one: each)
    assert [len(group[0].symbols) for group in groups] == expected
