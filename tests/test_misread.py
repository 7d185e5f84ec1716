"""When a stream is said to be written in another way: after how many bad messages, of which streams, and how often."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from venues.misread import Misread
from venues.records import Book, SnapshotEnd, Ticker, Trade
from venues.venue import BadFrame, Confirmed, Item, Notice

TRADE = Trade(venue="v", received=1, price=1, size=1, side="buy")  # type: ignore[arg-type]
TICKER = Ticker(venue="v", symbol="A", received=1)
CHANGED = "the venue's format seems to have changed: no message of"


def said(misread: Misread, *frames: BadFrame | Sequence[Item]) -> list[list[str]]:
    """What is said at each bad frame; a good one is the items in it."""
    told: list[list[str]] = []
    for frame in frames:
        if isinstance(frame, BadFrame):
            notices = misread.bad(frame)
            assert all(isinstance(notice, Notice) for notice in notices)
            told.append([notice.text for notice in notices])
            assert misread.pending
        else:
            misread.good(frame)
    return told


def bad(reason: str = "expected int, got str", *streams: str) -> BadFrame:
    return BadFrame(reason, streams or None)


def test_the_third_message_in_a_row_with_the_same_fault_is_said_once() -> None:
    words = [f"{CHANGED} trades can be read: expected int, got str"]
    assert said(Misread(["trades"]), *[bad()] * 20) == [[], [], words, *[[]] * 17]


@pytest.mark.parametrize("reason", ["", ", got something"])
def test_a_fault_without_words_is_one_too(reason: str) -> None:
    assert [bool(one) for one in said(Misread(["trades"]), *[bad(reason)] * 4)] == [False, False, True, False]


def test_the_place_in_a_list_and_what_came_instead_make_no_other_fault() -> None:
    frames = [
        bad(f"expected int at `rows[{number}].price`, got {got}") for number, got in ((0, "a"), (17, "b"), (3, "c"))
    ]
    words = [f"{CHANGED} trades can be read: expected int at `rows[3].price`, got c"]
    assert said(Misread(["trades"]), *frames) == [[], [], words]


@pytest.mark.parametrize("several", [2, 3, 20])
def test_the_tenth_message_with_several_faults_is_said(several: int) -> None:
    frames = [bad(f"fault {number % several}") for number in range(12)]
    told = said(Misread(["trades"]), *frames)
    assert [bool(one) for one in told] == [*[False] * 9, True, False, False]


def test_another_fault_between_begins_the_count_of_three_anew() -> None:
    frames = [bad("x"), bad("x"), bad("y"), bad("x"), bad("x"), bad("x")]
    assert [bool(one) for one in said(Misread(["trades"]), *frames)] == [False, False, False, False, False, True]


@pytest.mark.parametrize(
    ("good", "is_of"),
    [
        ([TRADE], True),
        ([TICKER, TRADE], True),
        ([Confirmed("trades")], True),
        ([SnapshotEnd(venue="v", received=1, count=0, stream="trades")], True),
        ([Confirmed("ticker")], False),
        ([SnapshotEnd(venue="v", received=1, count=0, stream="ticker")], False),
        ([TICKER], False),
        ([Book(venue="v", symbol="A", received=1, bids=[], asks=[])], False),
        ([], False),
    ],
)
def test_a_message_that_could_be_read_begins_the_counts_anew(good: Sequence[Item], *, is_of: bool) -> None:
    misread = Misread(["trades", "ticker"])
    of_trades = bad("x", "trades")
    told = said(misread, of_trades, of_trades, good)
    assert misread.pending is not is_of
    told += said(misread, of_trades)
    assert bool(told[-1]) is not is_of
    misread, faults = Misread(["trades"]), [bad(f"fault {number}") for number in range(9)]
    told = said(misread, *faults, good, bad("another"))
    assert bool(told[-1]) is not is_of


def test_each_stream_has_its_counts_and_is_said_once() -> None:
    misread = Misread(["trades", "ticker", "book"])
    both, one = bad("x", "trades", "book"), bad("x", "ticker")
    assert said(misread, both, one, both, one, both) == [[], [], [], [], [f"{CHANGED} trades, book can be read: x"]]
    assert said(misread, bad("x")) == [[f"{CHANGED} ticker can be read: x"]]
    assert said(misread, bad("x"), bad("x")) == [[], []]
    misread.good([TRADE])
    assert misread.pending, "the others are as bad as before"
    assert said(misread, both, both, both) == [[], [], []], "trades were said"


def test_a_stream_of_another_line_is_not_counted() -> None:
    misread = Misread(["trades"])
    assert said(misread, *[bad("x", "book")] * 12) == [[]] * 12
    misread.good([])
    assert not misread.pending


def test_nothing_is_pending_before_the_first_bad_message() -> None:
    assert not Misread(["trades"]).pending
