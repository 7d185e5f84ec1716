"""What outlives a connection to Kraken, by itself: the time of what is shown, and the ids of printed trades."""

from __future__ import annotations

import random
from typing import Any

import pytest

from venues.kraken import kept
from venues.kraken.kept import LONG, MOST_TRADES, Newest, PrintedTrades
from venues.toolkit.times import PER_MS
from venues.venue import Now

NOW = Now(100.0, 1_700_000_000_000)
SHOWN = 1_700_000_000_000 * PER_MS  # the time of what is shown, in picoseconds
MOST = MOST_TRADES + MOST_TRADES // 10  # with so many, the oldest are forgotten


class Clock:
    """What is known of a venue's clock: `agrees` with the time that is shown, None while nothing is known."""

    def __init__(self, agrees: bool | None = None) -> None:
        self.went_back = 0
        self.agrees = agrees
        self.asked: list[Any] = []

    def shown_by(self, now: Now) -> int | None:
        assert now is NOW
        return None if self.agrees is None else 0

    def believes(self, time: int, now: Now) -> bool:
        self.asked.append((time, now))
        return self.agrees is True


def shown(agrees: bool | None = None, *, believed: bool = True) -> tuple[Newest, Clock]:
    clock = Clock(agrees)
    newest = Newest(clock)  # type: ignore[arg-type]
    assert newest.older_by(1) == 0, "nothing is shown yet"
    newest.shows(SHOWN, NOW, believed=believed)
    return newest, clock


@pytest.mark.parametrize(
    ("later", "older_by"),
    [
        (1, 0),
        (0, 0),
        (-1, 1),
        (-PER_MS + 1, 1),
        (-PER_MS, 1),
        (-2 * PER_MS + 1, 1),
        (-2 * PER_MS, 2),
        (-5 * PER_MS - 1, 5),
    ],
)
def test_how_much_older_a_state_is_than_the_one_that_is_shown(later: int, older_by: int) -> None:
    newest, _ = shown()
    assert [newest.older_by(SHOWN + later) for _ in range(2)] == [older_by] * 2


@pytest.mark.parametrize(
    ("believed", "agrees", "counts"),
    [
        (True, None, True),
        (True, False, True),
        (True, True, True),
        (False, None, True),
        (False, True, True),
        (False, False, False),
    ],
)
def test_a_time_that_was_not_believed_counts_while_the_clock_does_not_contradict_it(
    believed: bool, agrees: bool | None, counts: bool
) -> None:
    newest, clock = shown(agrees, believed=believed)
    assert newest.older_by(SHOWN - 7 * PER_MS) == (7 if counts else 0)
    assert newest.older_by(SHOWN - 9 * PER_MS) == (9 if counts else 0), "once it is contradicted it is forgotten"
    assert clock.asked == ([(SHOWN // PER_MS, NOW)] * (1 + counts) if not believed and agrees is not None else [])


def test_a_state_may_be_shown_before_any_is_asked_for() -> None:
    clock = Clock()
    newest = Newest(clock)  # type: ignore[arg-type]
    newest.shows(SHOWN, NOW, believed=True)
    assert newest.older_by(SHOWN - LONG * PER_MS) == LONG


@pytest.mark.parametrize(("ms", "counts"), [(LONG - 1, True), (LONG, False), (LONG + 1, False)])
def test_a_clock_that_went_back_by_more_than_a_minute_begins_anew(ms: int, counts: bool) -> None:
    newest, clock = shown()
    assert newest.older_by(SHOWN - ms * PER_MS) == ms, "it has not gone back"
    clock.went_back += 1
    assert newest.older_by(SHOWN - ms * PER_MS) == (ms if counts else 0)
    assert newest.older_by(SHOWN - (ms + 1) * PER_MS) == (0 if not counts or ms + 1 >= LONG else ms + 1)


def test_a_clock_that_went_back_before_a_newer_state_came_says_nothing_later() -> None:
    newest, clock = shown()
    clock.went_back += 1
    assert newest.older_by(SHOWN) == 0
    assert newest.older_by(SHOWN - LONG * PER_MS) == LONG


# --- trades --------------------------------------------------------------------------------------------------------


def many(count: int, *, begins: int = 0, printed: PrintedTrades | None = None) -> PrintedTrades:
    printed = printed or PrintedTrades()
    for number in range(begins, begins + count):
        printed.printed(number, 1, number)
    return printed


def remembers(printed: PrintedTrades, number: int) -> bool:
    """Whether the very trade is known: one that is only older than all that is remembered would begin anew."""
    return printed.weigh(number, 2, number) == "printed"


@pytest.mark.parametrize("is_anew", [False, True])
def test_the_oldest_are_forgotten_once_there_are_a_tenth_too_many(is_anew: bool) -> None:
    printed = many(MOST // 2) if is_anew else PrintedTrades()
    if is_anew:
        printed.begin_anew()
    many(MOST - 1, printed=printed)
    assert all(remembers(printed, number) for number in (0, 1, MOST - 2))
    many(1, begins=MOST - 1, printed=printed)
    first = next(number for number in range(MOST) if remembers(printed, number))
    assert MOST_TRADES <= MOST - first < MOST_TRADES + 32, "by blocks of 32, and no more than are too many"
    assert remembers(printed, MOST - 1)
    assert [printed.weigh(first - 1, time, 0) for time in (1, 2)] == ["printed", "anew"]


@pytest.mark.parametrize("seed", range(5))
def test_never_are_fewer_remembered_than_ought_to_be_nor_many_more(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_TRADES", 200)
    chance, printed, number, every = random.Random(seed), PrintedTrades(), 0, list[int]()
    for _ in range(1_500):
        number += chance.choice((1, 1, 1, 1, 7, 33, 64))
        printed.printed(number, 1, number)
        every.append(number)
    remembered = [number for number in every if remembers(printed, number)]
    assert remembered == every[-len(remembered) :], "the oldest go first"
    assert 200 <= len(remembered) < 220 + 32
    assert printed.weigh(every[-len(remembered) - 1], 1, 5) == "printed", "it is older than all that is remembered"


@pytest.mark.parametrize(("count", "first"), [(351, 0), (352, 32), (383, 32), (384, 64)])
def test_whole_blocks_go_while_enough_are_left(count: int, first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_TRADES", 320)
    printed = many(count)
    assert next(number for number in range(count) if remembers(printed, number)) == first


@pytest.mark.parametrize("number", [0, 1, 1 << 60])
def test_before_any_trade_was_printed_each_is_new(number: int) -> None:
    printed = PrintedTrades()
    assert printed.last is None
    assert [printed.weigh(number, time, 5) for time in (0, 1)] == ["new", "new"]
    assert printed.missing_before(number) == 0


def test_a_trade_that_is_printed_again_does_not_count() -> None:
    printed = many(MOST - 1)
    for _ in range(100):
        printed.printed(5, 1, 5)
    assert remembers(printed, 0)


@pytest.mark.parametrize(
    ("number", "time", "trade", "is_said"),
    [
        (10, 5, 10, "printed"),
        (10, 9, 10, "printed"),
        (10, 5, 11, "printed"),
        (10, 4, 11, "printed"),
        (10, 6, 11, "anew"),
        (11, 6, 11, "new"),
        (11, 4, 11, "new"),
        (9, 5, 9, "printed"),
        (9, 6, 9, "anew"),
        (40, 1, 40, "new"),
    ],
)
def test_what_an_id_tells_of_a_trade(number: int, time: int, trade: int, is_said: str) -> None:
    printed = PrintedTrades()
    printed.printed(10, 5, 10)
    assert printed.weigh(number, time, trade) == is_said


def test_a_trade_whose_hash_is_0_is_known_too() -> None:
    printed = PrintedTrades()
    printed.printed(10, 5, 0)
    assert printed.weigh(10, 6, 0) == "printed"
    assert printed.weigh(10, 6, 2) == "anew"


@pytest.mark.parametrize(
    ("number", "missing"), [(9, 0), (10, 0), (11, 0), (12, 1), (31, 20), (32, 21), (33, 22), (74, 63), (75, 64)]
)
def test_how_many_are_missing(number: int, missing: int) -> None:
    printed = PrintedTrades()
    assert printed.missing_before(number) == 0, "before the first one nothing is"
    printed.printed(10, 1, 10)
    assert printed.missing_before(number) == missing


def test_those_that_came_before_it_are_not_missing() -> None:
    printed = PrintedTrades()
    for number in (10, 20, 31, 32, 64, 11):
        printed.printed(number, 1, number)
    assert [printed.missing_before(number) for number in (12, 20, 21, 31, 32, 33, 64, 65, 70)] == [
        *(0, 8, 8, 18, 18, 18, 49, 49, 54),
    ]


def test_after_it_begins_anew_nothing_is_known() -> None:
    printed = many(50)
    printed.begin_anew()
    assert (printed.last, printed.missing_before(100)) == (None, 0)
    printed.printed(7, 1, 7)
    assert (printed.last, printed.weigh(6, 1, 6), printed.weigh(8, 1, 8)) == (7, "printed", "new")
