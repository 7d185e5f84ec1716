"""Several symbols of one stream: what waits, what is said, and when it is enough, each by its symbol."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from cli.output import lines
from cli.output.lines import JsonLines, Limit
from cli.output.states import StateQueue
from cli.output.statuses import GATHERED_FOR, StatusGate, Together, in_words
from cli.output.symbols import SymbolStates, named
from cli.output.turns import Turns, Whole, with_wholes
from cli.run.freshness import Limits
from tests.test_queues import Clock
from venues.records import Book, Quote, SnapshotEnd, State, Status
from venues.redaction import Redactor
from venues.venue import Confirmed, Now, Subscription

if TYPE_CHECKING:
    from collections.abc import Sequence


class Reader:
    """Whoever reads the lines, as a test wants it."""

    away: tuple[float, float] | None = None

    def __init__(self, *, slow: bool, room: int = 1) -> None:
        self.room = room
        self.slow = slow

    def is_slow(self) -> bool:
        return self.slow


def quote(symbol: str, number: int) -> Quote:
    return Quote(venue="v", symbol=symbol, received=number)


def end(count: int, number: int = 0) -> SnapshotEnd:
    return SnapshotEnd(venue="v", received=number, stream="quotes", count=count)


def status(state: State, symbol: str | None = None, **fields: Any) -> Status:
    return Status(venue="v", symbol=symbol, received=0, stream="quotes", state=state, **fields)


def told(records: Sequence[Any]) -> list[str]:
    """Short words: a row's symbol and number, `end` with its count, a status with its symbol."""
    words = []
    for record in records:
        if isinstance(record, Status):
            words.append(f"{record.symbol or 'all'} {record.state}")
        elif isinstance(record, SnapshotEnd):
            words.append(f"end {record.count}")
        else:
            words.append(f"{record.symbol}{record.received}")
    return words


def one_by_one(queue: StateQueue) -> list[Any]:
    taken: list[Any] = []
    while records := queue.take():
        taken += records
    return taken


def queue_for(reader: str) -> StateQueue:
    """A queue of several symbols before a reader that is `fast`, `slow`, or nobody knows (`none`)."""
    return StateQueue(Clock(), reader=None if reader == "none" else Reader(slow=reader == "slow"), several=True)


READERS = ("fast", "slow", "none")


# --- how they stand


def test_a_status_with_a_symbol_is_about_that_one_and_one_without_about_all() -> None:
    states = SymbolStates("ABC")
    assert states.having() == {"connecting": ["A", "B", "C"]}
    assert states.take(status("live")) == ["A", "B", "C"]
    assert states.take(status("stale", "B")) == ["B"]
    assert states.having() == {"stale": ["B"], "live": ["A", "C"]}
    assert states.take(status("closed", "C")) == ["C"]
    assert states.having() == {"closed": ["C"], "stale": ["B"], "live": ["A"]}
    assert states.take(status("reconnecting", attempt=1)) == ["A", "B"], "what is closed for good stays so"
    assert states.take(status("reconnecting")) == ["A", "B", "C"], "a later run asks for all of them"


def test_many_symbols_are_named_in_few_words() -> None:
    assert named(["A", "B", "C"]) == "A, B, C"
    assert named([f"S{number}" for number in range(75)]) == "S0, S1, S2 and 72 more"
    assert named(["\x1b[2J"]) != "\x1b[2J"


# --- what waits


def test_an_end_that_is_owed_is_left_out_with_everything_else() -> None:
    for left_out, then in ((False, ["B1", "A stale", "A2", "end 2"]), (True, ["A stale", "A2"])):
        turns = Turns(several=True)
        turns.add([quote("A", 1), quote("B", 1), end(2)])
        turns.add([status("stale", "A")])
        if left_out:
            assert turns.clear() == 1, "the row of B"
        turns.add([quote("A", 2)])
        assert told(turns.take()) == then


def test_rows_before_an_end_are_a_full_state_only_where_each_is_another_one() -> None:
    assert [type(one) for one in with_wholes([quote("A", 1), quote("B", 2), end(2)])] == [Whole]
    changed = [quote("A", 1), quote("B", 2), quote("B", 3), end(2)]
    assert with_wholes(changed) == changed, "no row is lost"
    first, whole = with_wholes([quote("A", 1), quote("A", 2), quote("B", 3), end(2)])
    assert (first, told(whole.lines())) == (quote("A", 1), ["A2", "B3", "end 2"])


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("state", ["stale", "syncing"])
def test_trouble_of_one_symbol_drops_its_rows_alone(reader: str, state: State) -> None:
    queue = queue_for(reader)
    queue.put([quote("A", 1), quote("B", 2), quote("C", 3)])
    queue.put([status(state, "B", reason="x")])
    assert told(one_by_one(queue)) == ["A1", "C3", f"B {state}"]


@pytest.mark.parametrize("reader", READERS)
def test_trouble_of_all_drops_all_rows(reader: str) -> None:
    queue = queue_for(reader)
    queue.put([quote("A", 1), quote("B", 2), status("reconnecting", attempt=1)])
    assert told(one_by_one(queue)) == ["all reconnecting"]


def test_with_one_symbol_each_status_has_it_and_is_about_rows_without_one() -> None:
    queue = StateQueue(Clock(), reader=Reader(slow=True))
    queue.put([quote("A", 1), quote("another", 2), status("stale", "A")])
    assert told(one_by_one(queue)) == ["A stale"]


def test_a_row_is_not_moved_before_a_status_of_its_symbol_and_others_keep_their_turn() -> None:
    queue = queue_for("slow")
    queue.put([quote("A", 1), quote("B", 2), status("live", "A", reason="versions may skip")])
    queue.put([quote("A", 3), quote("B", 4)])
    assert told(one_by_one(queue)) == ["B4", "A live", "A3"]


def test_a_symbol_that_comes_and_goes_keeps_no_other_from_its_turn() -> None:
    queue = queue_for("slow")
    queue.put([quote("A", 1), quote("B", 2)])
    for number in range(3, 10):
        queue.put([status("stale", "A"), status("live", "A"), quote("A", number), quote("B", number)])
    assert told(one_by_one(queue)) == ["B9", "A stale", "A live", "A9"]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("begun", [False, True])
def test_a_full_state_that_loses_a_row_ends_when_that_symbol_has_one_again(reader: str, begun: bool) -> None:
    queue = queue_for(reader)
    queue.put([quote("A", 1), quote("B", 2), quote("C", 3), end(3)])
    came = queue.take() if begun and reader != "none" else []
    queue.put([status("stale", "B")])
    queue.put([quote("A", 4), status("live", "B"), quote("B", 5), quote("C", 6)])
    came += one_by_one(queue)
    words = told(came)
    assert "B2" not in words
    assert words.index("B stale") < words.index("B live") < words.index("B5") < words.index("end 3")


@pytest.mark.parametrize("reader", READERS)
def test_a_full_state_does_not_wait_for_a_symbol_that_is_closed(reader: str) -> None:
    queue = queue_for(reader)
    queue.put([quote("A", 1), quote("B", 2), end(2)])
    queue.put([status("closed", "B")])
    assert told(one_by_one(queue)) == ["A1", "B closed", "end 1"]


@pytest.mark.parametrize("reader", READERS)
def test_a_full_state_that_lost_rows_is_forgotten_when_all_are_in_trouble(reader: str) -> None:
    queue = queue_for(reader)
    queue.put([quote("A", 1), quote("B", 2), end(2), status("stale", "B"), status("reconnecting", attempt=1)])
    queue.put([status("live", "B"), quote("B", 3)])
    assert "end 2" not in told(one_by_one(queue))


def test_what_is_closed_stays_said() -> None:
    turns = Turns(several=True)
    turns.add([status("closed", "A"), status("stale", "B"), status("live", "B"), status("reconnecting", attempt=1)])
    assert told(turns.take()) == ["A closed", "all reconnecting"]


def _check(came: Sequence[Any], put: Sequence[Any]) -> None:
    """No row comes after its trouble, out of order, or not at all; an end only when each symbol has a row."""
    latest = dict.fromkeys("ABCD", -1)
    has_row: set[str] = set()
    closed: set[str] = set()
    for record in came:
        if isinstance(record, Status):
            about = {record.symbol} if record.symbol else set("ABCD")
            if record.state == "closed":
                closed |= about  # type: ignore[arg-type]
            if record.state != "live":
                has_row -= about
                for symbol in about:
                    latest[symbol] = max(latest[symbol], record.received)  # type: ignore[index]
        elif isinstance(record, SnapshotEnd):
            assert has_row | closed == set("ABCD"), told(came)
        else:
            assert record.received > latest[record.symbol], told(came)
            latest[record.symbol] = record.received
            has_row.add(record.symbol)
    for symbol in "ABCD":
        of_symbol = [one for one in put if not isinstance(one, SnapshotEnd) and one.symbol in (symbol, None)]
        if of_symbol and not isinstance(of_symbol[-1], Status):
            assert of_symbol[-1] in came, f"the newest row of {symbol} is lost: {told(came)}"


@pytest.mark.parametrize("seed", range(300))
def test_whatever_comes_no_row_is_lost_and_none_is_shown_after_its_trouble(seed: int) -> None:
    draw = random.Random(seed)
    reader = Reader(slow=bool(seed % 3), room=draw.choice([1, 2, 5]))
    clock = Clock()
    queue = StateQueue(clock, reader=None if seed % 7 == 0 else reader, several=True)
    put: list[Any] = []
    came: list[Any] = []
    has_row: set[str] = set()
    down: set[str] = set("ABCD")
    closed: set[str] = set()
    ended = False
    for number in range(80):
        batch: list[Any] = []
        for _ in range(draw.randrange(1, 6)):
            symbol = draw.choice("ABCD")
            kind = draw.random()
            stamp = number * 10 + len(batch)
            if kind < 0.75 and symbol not in closed:
                if symbol in down and put:
                    batch.append(Status(venue="v", symbol=symbol, received=stamp, stream="quotes", state="live"))
                down.discard(symbol)
                batch.append(quote(symbol, stamp + 1))
                has_row.add(symbol)
                if not ended and has_row | closed == set("ABCD"):
                    ended = True
                    batch.append(end(len(has_row - closed)))
            elif kind < 0.93 and symbol not in down | closed:
                state: State = "closed" if draw.random() < 0.05 else draw.choice(["stale", "syncing"])
                batch.append(Status(venue="v", symbol=symbol, received=stamp, stream="quotes", state=state))
                down.add(symbol)
                has_row.discard(symbol)
                if state == "closed":
                    closed.add(symbol)
            elif kind > 0.97 and not closed:
                batch.append(Status(venue="v", received=stamp, stream="quotes", state="reconnecting", attempt=1))
                down, has_row, ended = set("ABCD"), set(), False
        put += batch
        queue.put(batch)
        clock.now += draw.choice([0, 0.01, 0.4])
        if draw.random() < 0.5:
            came += queue.take()
    came += one_by_one(queue)
    _check(came, put)


def test_a_symbol_that_is_closed_is_counted_out_once_also_when_the_reader_turns_out_to_be_slow() -> None:
    clock = Clock()
    queue = StateQueue(clock, several=True)
    queue.put([quote("A", 1), quote("B", 2), quote("C", 3), end(3)])
    queue.put([status("stale", "A"), status("closed", "B")])
    clock.now += 10
    queue.put([status("live", "A"), quote("A", 4)])
    assert told(one_by_one(queue)) == ["C3", "A stale", "B closed", "A live", "A4", "end 2"]


def test_a_symbol_that_is_closed_is_counted_out_once_also_where_the_end_is_owed_for_longer() -> None:
    clock = Clock()
    queue = StateQueue(clock, several=True)
    queue.put([quote("A", 1), quote("B", 2), quote("C", 3), end(3)])
    queue.put([status("stale", "A"), status("closed", "B")])
    clock.now += 10
    queue.put([quote("C", 4)])
    queue.put([status("live", "A"), quote("A", 5)])
    assert told(one_by_one(queue)) == ["C4", "A stale", "B closed", "A live", "A5", "end 2"]


def test_a_full_state_takes_no_row_away_that_it_does_not_have() -> None:
    queue = queue_for("slow")
    queue.put([quote("C", 1), quote("A", 2)])
    queue.put([quote("A", 3), quote("B", 4), end(2)])
    assert told(one_by_one(queue)) == ["C1", "A3", "B4", "end 2"]


# --- what is said


def test_a_healthy_symbol_is_data_only_and_each_interruption_is_told_from_its_beginning_to_its_end() -> None:
    gate = StatusGate()
    assert not gate.passes(status("syncing"))
    assert not gate.passes(status("live", "A"))
    assert not gate.passes(status("live", "B"))
    assert gate.passes(status("stale", "A"))
    assert not gate.passes(status("syncing", "B"))
    assert gate.passes(status("syncing", "A"))
    assert gate.passes(status("live", "A"))
    assert gate.passes(status("reconnecting"))
    assert gate.passes(status("syncing"))
    assert gate.passes(status("live", "A"))
    assert not gate.passes(status("syncing", "A"))
    assert gate.passes(status("live", "B"))
    assert gate.passes(status("live", "B", reason="a notice"))


def test_a_first_live_of_all_is_no_news_and_of_all_again_it_is() -> None:
    gate = StatusGate()
    assert not gate.passes(status("live"))
    assert gate.passes(status("stale", "A"))
    assert gate.passes(status("live"))
    assert gate.passes(status("live", reason="a notice"))


def test_words_name_the_symbol_where_there_are_several() -> None:
    assert in_words(status("stale", "BTC/USD", reason="gap")) == "quotes is stale: gap"
    assert in_words(status("stale", "BTC/USD", reason="gap"), "BTC/USD") == "quotes BTC/USD is stale: gap"
    assert in_words(status("closed", "A", reason="gone"), "A") == "quotes A is closed: gone"
    assert in_words(status("closed", "A", reason="gone")) is None


def test_the_same_news_of_many_symbols_is_one_sentence() -> None:
    together = Together()
    lost: dict[str, Any] = {"reason": "lost", "attempt": 1, "retry_in_ms": 1500}
    for number in range(75):
        together.add(status("reconnecting", f"S{number}", **lost), 10.0)
    assert together.due() == 10.0
    assert together.take(10.0) == [
        "quotes: 75 symbols: lost; trying again in 1.5 s (try 1) (S0, S1, S2 and 72 more)",
    ]
    assert together.due() is None
    for number in range(75):
        together.add(status("live", f"S{number}", down_ms=1000 + number), 11.0 + number / 1000)
    assert together.due() == 11.0 + GATHERED_FOR
    assert together.take(12) == ["quotes: 75 symbols are live again after 1.1 s (S0, S1, S2 and 72 more)"]
    together.add(status("stale", "A", reason="gap"), 20.0)
    assert together.take(20.0) == ["quotes A is stale: gap"]


def test_what_is_said_last_of_a_symbol_is_so() -> None:
    together = Together()
    together.add(status("live", "B", down_ms=100), 0.0)
    together.add(status("stale", "A", reason="gap"), 0.0)
    together.add(status("live", "A", down_ms=100), 0.0)
    assert together.take(1.0) == [
        "quotes B is live again after 0.1 s", "quotes A is stale: gap", "quotes A is live again after 0.1 s",
    ]  # fmt: skip
    together.add(status("live", "A", down_ms=100), 10.0)
    together.add(status("stale", "A", reason="gap"), 10.0)
    together.add(status("syncing", "A"), 10.0)
    assert together.take(10.0) == ["quotes A is stale: gap"]
    together.add(status("stale", "A", reason="gap"), 20.0)
    together.add(status("stale", reason="all"), 20.0)
    together.add(status("stale", "B", reason="gap"), 20.0)
    assert together.take(20.0) == ["quotes A is stale: gap", "quotes is stale: all", "quotes B is stale: gap"]


def test_many_different_words_wait_for_each_other() -> None:
    together = Together()
    said = 0
    for number in range(1_000):
        now = number / 100
        together.add(status("stale", f"S{number % 50}", reason=f"reason {number}"), now)
        due = together.due()
        if due is not None and due <= now:
            said += len(together.take(now))
    assert said < 50
    together.take(50.0)
    for number in range(20):
        together.add(status("stale", f"S{number}", reason=f"reason {number}"), 100.0)
    assert together.take(100.0) == [
        "quotes: 20 symbols are stale: reason 0, and 19 other reasons (S0, S1, S2 and 17 more)"
    ]


@pytest.mark.parametrize("reader", READERS)
def test_an_end_that_comes_anew_takes_the_place_of_the_one_that_is_owed(reader: str) -> None:
    queue = queue_for(reader)
    queue.put([quote("A", 1), quote("B", 2), end(2), status("stale", "B")])
    queue.put([status("live", "B"), quote("B", 3), end(2)])
    assert told(one_by_one(queue)) == ["A1", "B stale", "B live", "B3", "end 2"]


# --- the user's own limits


def at(seconds: float) -> Now:
    return Now(seconds, round(seconds * 1000))


def fresh(symbol: str, seconds: float, age: float = 0) -> Quote:
    stamp = round(seconds * 1000)
    return Quote(venue="v", symbol=symbol, received=stamp, time=stamp - round(age * 1000))


def limits_of(*symbols: str, max_age: int | None = 1_000, every: int | None = None) -> Limits:
    limits = Limits(max_age, every)
    limits.expect(Subscription("quotes", symbols), "v", None)
    return limits


def ticked(limits: Limits, seconds: float) -> list[Any]:
    return [item for _, items in limits.tick(at(seconds)) for item in items]


def test_a_quiet_symbol_is_stale_although_another_one_is_busy() -> None:
    limits = limits_of("A", "B")
    limits.passes([status("live"), fresh("A", 0), fresh("B", 0)], 0, at(0))
    for tenth in range(1, 10):
        assert told(limits.passes([fresh("B", tenth / 10)], 0, at(tenth / 10))) == [f"B{tenth * 100}"]
    assert limits.deadline() == 1.0
    (stale,) = ticked(limits, 1.0)
    assert (stale.symbol, stale.state) == ("A", "stale")
    assert "--max-age" in stale.reason
    assert told(limits.passes([fresh("B", 1.1)], 0, at(1.1))) == ["B1100"]
    live, row = limits.passes([fresh("A", 1.5)], 0, at(1.5))
    assert (live.symbol, live.state, live.down_ms) == ("A", "live", 500)
    assert row.symbol == "A"


def test_a_row_that_is_too_old_is_held_back_and_no_other() -> None:
    limits = limits_of("A", "B")
    limits.passes([status("live")], 0, at(0))
    passed = limits.passes([fresh("A", 5, age=3), fresh("B", 5)], 0, at(5))
    assert told(passed) == ["A stale", "B5000"]


def test_the_word_that_one_symbol_is_unchanged_makes_no_other_one_fresh() -> None:
    limits = limits_of("A", "B")
    limits.passes([status("live"), fresh("A", 0), fresh("B", 0)], 0, at(0))
    limits.passes([Confirmed("quotes", symbol="B")], 0, at(0.8))
    assert told(ticked(limits, 1.0)) == ["A stale"]
    assert told(ticked(limits, 1.8)) == ["B stale"]
    again = limits.passes([Confirmed("quotes")], 0, at(2.0))
    assert told(again[:-1]) == ["A live", "B live"]


def test_the_trouble_of_one_symbol_is_not_that_of_another() -> None:
    limits = limits_of("A", "B")
    limits.passes([status("live"), fresh("A", 0), fresh("B", 0)], 0, at(0))
    limits.passes([status("stale", "A", reason="gap")], 0, at(0.1))
    assert told(ticked(limits, 1.0)) == ["B stale"], "of A it is known already"
    limits.passes([status("closed", "A", reason="delisted")], 0, at(1.1))
    limits.passes([status("live")], 0, at(1.2))
    limits.passes([fresh("B", 1.2)], 0, at(1.2))
    assert told(ticked(limits, 9.0)) == ["B stale"], "what is closed does not become old"


def test_an_empty_full_state_is_news_of_all_symbols() -> None:
    limits = limits_of("A", "B")
    limits.passes([status("live"), end(0)], 0, at(0))
    assert told(ticked(limits, 1.0)) == ["A stale", "B stale"]
    assert told(limits.passes([end(0)], 0, at(1.5))) == ["A live", "B live", "end 0"]


def test_a_full_state_ends_with_the_last_row_that_is_young_enough() -> None:
    limits = limits_of("A", "B")
    limits.passes([status("live")], 0, at(5))
    assert told(limits.passes([fresh("A", 5, age=3), fresh("B", 5), end(2)], 0, at(5))) == ["A stale", "B5000"]
    assert told(limits.passes([fresh("B", 5.1)], 0, at(5.1))) == ["B5100"]
    assert told(limits.passes([fresh("A", 5.2)], 0, at(5.2))) == ["A live", "A5200", "end 2"]
    assert told(limits.passes([fresh("A", 5.3)], 0, at(5.3))) == ["A5300"]


def test_the_end_of_a_full_state_does_not_outlive_it() -> None:
    for trouble, following in (
        (status("reconnecting", attempt=1), []),
        (status("stale", "A", reason="gap"), []),
        (status("closed", "A"), ["end 1"]),
    ):
        limits = limits_of("A", "B")
        limits.passes([status("live"), fresh("A", 5, age=3), fresh("B", 5), end(2)], 0, at(5))
        came = told(limits.passes([trouble], 0, at(5.1)))
        assert came[1:] == following
        assert "end 2" not in told(limits.passes([status("live"), fresh("A", 5.2), fresh("B", 5.2)], 0, at(5.2)))


def test_until_when_a_row_may_be_handed_over_is_known_of_each_symbol() -> None:
    limits = limits_of("A", "B")
    limits.passes([status("live"), fresh("A", 0)], 0, at(0))
    limits.passes([fresh("B", 0.5)], 0, at(0.5))
    good_until = limits.good_until()
    assert good_until is not None
    assert (good_until(fresh("A", 0)), good_until(fresh("B", 0))) == (1.0, 1.5)
    late = [item for _, items in limits.came_late(fresh("A", 0), at(1.2)) for item in items]
    assert told(late) == ["A stale"]
    assert Limits(None).good_until() is None


def test_every_thins_out_each_symbol_and_forgets_only_the_one_in_trouble() -> None:
    limits = limits_of("A", "B", max_age=None, every=1_000)
    assert told(limits.passes([fresh("A", 0), fresh("B", 0)], 0, at(0))) == ["A0", "B0"]
    assert limits.passes([fresh("A", 0.1), fresh("B", 0.1)], 0, at(0.1)) == []
    assert told(limits.passes([status("stale", "A", reason="gap")], 0, at(0.2))) == ["A stale"]
    assert told(limits.passes([status("live", "A"), fresh("A", 0.3)], 0, at(0.3))) == ["A live", "A300"]
    assert told(ticked(limits, 1.0)) == ["B100"]
    limits.passes([fresh("A", 1.1), fresh("B", 1.1)], 0, at(1.1))
    assert told(limits.passes([status("reconnecting", attempt=1)], 0, at(1.2))) == ["all reconnecting"]
    assert limits.rest() == []


def test_a_full_state_that_waits_for_every_goes_on_without_the_symbol_in_trouble() -> None:
    limits = limits_of("A", "B", max_age=None, every=1_000)
    assert told(limits.passes([fresh("A", 0), fresh("B", 0), end(2)], 0, at(0))) == ["A0", "B0", "end 2"]
    assert limits.passes([fresh("A", 0.1), fresh("B", 0.1), end(2)], 0, at(0.1)) == []
    assert told(limits.passes([status("stale", "A", reason="gap")], 0, at(0.2))) == ["A stale"]
    assert told(limits.passes([status("live", "A"), fresh("A", 0.3)], 0, at(0.3))) == ["A live", "A300"]
    assert told(ticked(limits, 1.0)) == ["B100", "end 2"]


def test_what_a_full_state_does_not_have_passes_before_it() -> None:
    limits = limits_of("A", "B", "C", max_age=None, every=1_000)
    limits.passes([fresh(symbol, 0) for symbol in "ABC"], 0, at(0))
    assert limits.passes([fresh("C", 0.1)], 0, at(0.1)) == []
    assert told(limits.passes([fresh("A", 0.2), fresh("B", 0.2), end(2)], 0, at(0.2))) == ["C100"]
    assert told(ticked(limits, 1.0)) == ["A200", "B200", "end 2"]


# --- when it is enough


def row_of(symbol: str) -> Book:
    return Book(venue="v", symbol=symbol, received=1, bids=[], asks=[])


def once_of(*symbols: str) -> Limit:
    return Limit(count=None, once=True, ends_with_snapshot=False, each_of=symbols)


def test_once_is_the_first_state_of_each_symbol() -> None:
    limit = once_of("A", "B", "C")
    assert told(limit.cut([row_of("A"), row_of("A"), row_of("B")])) == ["A1", "B1"]
    assert not limit.reached
    assert limit.missing() == ["C"]
    assert told(limit.cut([row_of("C"), row_of("A")])) == ["C1"]
    assert limit.reached


@pytest.mark.parametrize("state", ["stale", "syncing"])
def test_a_symbol_in_trouble_has_to_come_again_and_a_closed_one_is_not_waited_for(state: State) -> None:
    limit = once_of("A", "B", "C")
    assert told(limit.cut([row_of("A"), status(state, "A", reason="x"), row_of("B")])) == ["A1", f"A {state}", "B1"]
    assert limit.missing() == ["A", "C"]
    assert told(limit.cut([status("live", "A"), row_of("A")])) == ["A live", "A1"]
    assert told(limit.cut([status("closed", "C")])) == ["C closed"]
    assert limit.reached


def test_trouble_of_all_begins_it_anew() -> None:
    limit = once_of("A", "B")
    limit.cut([row_of("A"), status("reconnecting", attempt=1), row_of("B")])
    assert limit.missing() == ["A"]


def test_with_all_symbols_closed_there_is_nothing_to_wait_for() -> None:
    limit = once_of("A", "B")
    limit.cut([status("closed", "A"), status("closed", "B")])
    assert not limit.reached, "the run ends by itself, with why"


def test_a_count_is_one_of_lines_whatever_their_symbols() -> None:
    limit = Limit(count=2, once=False, ends_with_snapshot=False, each_of=("A", "B"))
    assert told(limit.cut([row_of("A"), row_of("A"), row_of("B")])) == ["A1", "A1"]


def test_lines_without_statuses_have_only_data(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    monkeypatch.setattr(lines, "write_all", lambda descriptor, data, on_written=None: written.append(data))
    sink = JsonLines(numbers_as_strings=False, to_terminal=False, redactor=Redactor(), statuses=False)
    sink.write([status("stale", "A"), row_of("A")])
    sink.write([status("stale", "A")])
    assert b"".join(written).count(b"\n") == 1
    assert b"stale" not in b"".join(written)


def test_a_first_state_that_does_not_come_is_told() -> None:
    gate = StatusGate()
    waiting, late = status("syncing"), status("syncing", reason="no snapshot fits (2 so far)")
    assert [gate.passes(waiting), in_words(waiting)] == [False, None]
    assert [gate.passes(late), in_words(late)] == [True, "quotes: no snapshot fits (2 so far)"]
    assert gate.passes(status("live"))
    assert not StatusGate().passes(status("live"))
