"""What waits for a reader, and the user's own limits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cli.output import queues
from cli.output.lines import Limit, RawFrame, Skipped, Unprinted
from cli.output.queues import EventQueue, LatestEvents
from cli.output.states import StateQueue
from cli.output.statuses import SAID_AT_ONCE, StatusGate, Unsaid, in_words
from cli.run.freshness import Every, MaxAge
from venues.records import Book, Candle, Level, Order, Quote, SnapshotEnd, State, Status, Trade
from venues.venue import ClockOffset, Confirmed, Now

ONE = Decimal(1)


def book(number: int, **fields: Any) -> Book:
    return Book(venue="v", symbol="A", received=number, bids=[], asks=[], **fields)


def trade(number: int, **fields: Any) -> Trade:
    return Trade(venue="v", received=number, price=ONE, size=ONE, side="buy", **fields)


def order(name: str, number: int, change: Any = "update") -> Order:
    return Order(venue="v", received=number, order_id=name, status="new", change=change)


def candle(start: int, number: int, *, closed: bool = False) -> Candle:
    return Candle(
        venue="v", symbol="A", received=number, interval="1m", start=start, end=start + 1, open=ONE, high=ONE, low=ONE,
        close=ONE, closed=closed, complete=True,
    )  # fmt: skip


def status(state: State, stream: str = "book", **fields: Any) -> Status:
    return Status(venue="v", received=0, stream=stream, state=state, **fields)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_not_printed_is_the_state_of_the_same_row() -> None:
    for record in (order("a", 1), candle(5, 1), book(1)):
        unprinted = Unprinted(record)  # type: ignore[arg-type]
        assert queues.key_of(unprinted) == queues.key_of(record)


def test_what_was_left_out_for_its_weight_weighs_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "HEAVIEST", 20 * queues.weight(trade(0)))
    queue = LatestEvents()
    queue.put([trade(number) for number in range(21)])
    (skipped, *kept) = queue.take()
    assert skipped.count + len(kept) == 21
    queue.put([trade(number) for number in range(21)])
    waiting = queue.waiting()
    queue.put([trade(21)])
    assert queue.waiting() == waiting + 1, "there is room again"


def after_a_while(*batches: list[Any]) -> list[Any]:
    """What a reader gets that comes back late."""
    clock = Clock()
    queue = StateQueue(clock)
    for batch in batches:
        queue.put(batch)
        clock.now += 1
    return queue.take()


def test_a_reader_that_keeps_up_gets_every_record() -> None:
    queue = StateQueue(Clock())
    steps = [order("a", 1), order("a", 2), order("a", 3, "remove"), order("a", 4), book(5), book(6)]
    queue.put(steps[:2])
    queue.put(steps[2:])
    assert queue.take() == steps
    assert queue.take() == []


def test_of_a_state_the_latest_is_kept_for_a_reader_that_is_behind() -> None:
    assert after_a_while([book(1), book(2)], [book(3)]) == [book(3)]


def test_large_books_do_not_pile_up() -> None:
    queue = StateQueue(Clock())
    rows = [Level(ONE, ONE)] * 6_000
    for number in range(50):
        queue.put([Book(venue="v", symbol="A", received=number, bids=rows, asks=[])])
        assert queue.waiting() <= 4
    assert queue.take()[-1].received == 49


def test_what_waits_is_bounded_while_nobody_reads() -> None:
    clock = Clock()
    queue = StateQueue(clock)
    for number in range(10_000):
        queue.put([book(number), order(str(number % 10), number)])
        clock.now += 0.1
        assert queue.waiting() < 50
    assert sorted(record.received for record in queue.take()) == [*range(9990, 9999), 9999, 9999]


def test_keys_are_kept_apart_and_keep_their_turns() -> None:
    came = after_a_while([order("a", 1), order("b", 2), order("a", 3), order("b", 4, "remove")])
    assert came == [order("a", 3), order("b", 4, "remove")]


def test_a_last_word_is_never_left_out() -> None:
    came = after_a_while(
        [order("a", 1), order("a", 2, "remove"), order("a", 3), candle(0, 4, closed=True), candle(0, 5)]
    )
    assert came == [order("a", 2, "remove"), order("a", 3), candle(0, 4, closed=True), candle(0, 5)]


def test_a_state_never_moves_across_a_status() -> None:
    came = after_a_while([status("syncing"), book(1), status("live"), book(2)])
    assert came == [status("syncing"), status("live"), book(2)], "the one before is left out, since it was replaced"
    steps = [status("syncing"), order("a", 1), status("live"), order("b", 2)]
    assert after_a_while(steps) == steps


@pytest.mark.parametrize("state", ["stale", "reconnecting", "closed"])
def test_what_was_current_before_an_interruption_goes(state: State) -> None:
    queue = StateQueue()
    queue.put(
        [order("a", 1), order("b", 2, "remove"), candle(0, 3, closed=True), candle(1, 4), status(state), order("a", 5)]
    )
    assert queue.take() == [order("b", 2, "remove"), candle(0, 3, closed=True), status(state), order("a", 5)]


def test_a_full_state_keeps_its_end_and_has_the_newest_values_before_it() -> None:
    end = SnapshotEnd(venue="v", received=0, stream="orders", count=1)
    came = after_a_while([order("a", 1, "snapshot"), end, order("a", 2), order("b", 3)])
    assert came == [order("a", 2, "snapshot"), end, order("b", 3)]


def test_a_flood_of_statuses_is_bounded() -> None:
    batches = [
        [status("stale", reason=str(number)), status("live"), book(number)] for number in range(queues.MOST_STATUSES)
    ]
    kept = after_a_while(*batches)
    assert len(kept) <= queues.MOST_STATUSES + 2
    assert kept[-1].received == queues.MOST_STATUSES - 1


def test_events_are_all_kept_in_order_also_through_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "MOST_EVENTS", 10)
    monkeypatch.setattr(queues, "BATCH", 4)
    queue = EventQueue()
    sent, got = [], []
    for number in range(100):
        sent.append(trade(number, extra={"digits": Decimal("1.50")}))
        queue.put(sent[-1:])
        if number in (37, 38, 60):
            got += queue.take()
        assert len(queue._waiting) <= 11
    while records := queue.take():
        got += records
    assert got == sent
    assert str(got[0].extra["digits"]) == "1.50"


def test_no_more_than_a_batch_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of what is taken need memory too."""
    monkeypatch.setattr(queues, "BATCH", 4)
    queue, sent = EventQueue(), [trade(number) for number in range(9)]
    queue.put(sent)
    for first, last in ((0, 4), (4, 8), (8, 9)):
        assert queue.take() == sent[first:last]
        assert queue._weight == sum(map(queues.weight, queue._waiting))
    assert queue.take() == []


def test_a_table_keeps_the_latest_events_and_counts_the_others() -> None:
    queue = LatestEvents()
    count = queues.MOST_EVENTS + 5
    queue.put([status("live"), *(trade(number) for number in range(count)), status("stale")])
    said, skipped, *kept, last = queue.take()
    assert (said, last) == (status("live"), status("stale"))
    assert skipped == Skipped(count - len(kept))
    assert [one.received for one in kept] == list(range(count - len(kept), count))
    assert queue.take() == []


def test_what_was_left_out_twice_is_counted_once() -> None:
    queue = LatestEvents()
    for number in range(2 * queues.MOST_EVENTS):
        queue.put([trade(number)])
    skipped, *kept = queue.take()
    assert skipped.count + len(kept) == 2 * queues.MOST_EVENTS
    assert not any(isinstance(one, Skipped) for one in kept)


# --- limits


def test_count_leaves_statuses_out() -> None:
    limit = Limit(count=2, once=False, ends_with_snapshot=False)
    assert limit.cut([status("live"), book(1)]) == [status("live"), book(1)]
    assert not limit.reached
    assert limit.cut([status("stale"), book(2), book(3)]) == [status("stale"), book(2)]
    assert limit.reached


def test_count_counts_what_a_table_left_out() -> None:
    limit = Limit(count=5, once=False, ends_with_snapshot=False)
    assert limit.cut([Skipped(4)]) == [Skipped(4)]
    assert not limit.reached
    assert limit.cut([trade(1), trade(2)]) == [trade(1)]
    assert limit.reached


def test_once_is_a_full_state() -> None:
    end = SnapshotEnd(venue="v", received=0, stream="orders", count=1)
    limit = Limit(count=None, once=True, ends_with_snapshot=True)
    assert limit.cut([order("a", 1), end, order("a", 2)]) == [order("a", 1), end]
    assert limit.reached


def test_once_is_the_newest_of_candles_that_come_together() -> None:
    limit = Limit(count=None, once=True, ends_with_snapshot=False)
    came = [status("live", "candles"), candle(1, 1, closed=True), candle(2, 1, closed=True), candle(3, 1)]
    assert limit.cut(came) == [came[0], came[3]]
    assert limit.reached
    all_of_them = Limit(count=3, once=False, ends_with_snapshot=False)
    assert all_of_them.cut(came) == came


def test_raw_frames_that_went_out_do_not_count() -> None:
    limit = Limit(count=1, once=False, ends_with_snapshot=False)
    out, come = RawFrame(1, "out", "x"), RawFrame(1, "in", "y")
    assert limit.cut([out, come, come]) == [out, come]


# --- freshness


def at(seconds: float) -> Now:
    return Now(seconds, int(seconds * 1000))


def max_age(stream: str = "book") -> MaxAge:
    stage = MaxAge(1000, stream, venue="v", env=None, symbol="A")
    stage.passes(status("live", stream), at(0))
    return stage


def states(items: list[Any]) -> list[Any]:
    return [item.state if isinstance(item, Status) else item.received for item in items]


def test_silence_beyond_the_limit_is_stale_until_there_is_data() -> None:
    stage = max_age()
    assert states(stage.passes(book(1), at(0.5))) == [1]
    assert stage.deadline() == 1.5
    assert stage.tick(at(1.4)) == []
    assert states(stage.tick(at(1.5))) == ["stale"]
    assert stage.deadline() is None
    again = stage.passes(book(2), at(3))
    assert states(again) == ["live", 2]
    assert again[0].down_ms == 1500  # type: ignore[union-attr]


def test_that_versions_may_skip_is_said_also_by_our_own_status() -> None:
    stage = max_age()
    growing = status("live", versions="growing")
    stage.passes(growing, at(0))
    stage.tick(at(9))
    live, _ = stage.passes(book(2), at(10))
    assert isinstance(live, Status)
    assert (live.state, live.versions) == ("live", "growing")
    stage.passes(status("stale"), at(11))
    stage.passes(status("live"), at(12))
    stage.tick(at(20))
    live, _ = stage.passes(book(3), at(21))
    assert isinstance(live, Status)
    assert live.versions is None


def test_data_that_is_old_by_the_venues_clock_is_not_shown_as_a_state() -> None:
    stage = max_age()
    assert states(stage.passes(book(1, time=8000), at(10))) == ["stale"]
    assert states(stage.passes(book(2, time=8500), at(10))) == []
    assert states(stage.passes(book(3, time=9500), at(10))) == ["live", 3]
    events = max_age("trades")
    assert states(events.passes(trade(1, time=8000), at(10))) == ["stale", 1], "each event counts"


@pytest.mark.parametrize("ms", [172_800_000, 7_200_000, -7_200_000, -172_800_000])
def test_an_age_by_the_venues_clock_is_told_with_the_offset_taken_out(ms: int) -> None:
    stage = max_age()
    offset, other = ClockOffset("book", ms), ClockOffset("trades", 5)
    assert [stage.passes(item, at(0)) for item in (offset, other)] == [[offset], [other]]
    assert states(stage.passes(book(1, time=9_500 + ms), at(10))) == [1]
    assert stage.deadline() == 10.5
    assert stage.passes(Confirmed("book", 10_000 + ms), at(10.4)) == [Confirmed("book", 10_000 + ms)]
    assert stage.deadline() == 11.0
    assert states(stage.passes(book(2, time=9_000 + ms), at(10.5))) == ["stale"]
    assert states(stage.passes(book(3, time=10_500 + 3_600_000 + ms), at(10.6))) == ["live", 3], "no age comes from it"
    assert stage.deadline() == 11.6


def test_an_age_is_that_of_one_stream_of_several() -> None:
    stage = max_age("trades")
    others = [book(1, time=1000), status("reconnecting"), SnapshotEnd(venue="v", received=0, stream="orders", count=0)]
    assert [stage.passes(item, at(0.9)) for item in [*others, Confirmed("book")]] == [
        [item] for item in [*others, Confirmed("book")]
    ]
    assert states(stage.tick(at(1))) == ["stale"], "what comes on another stream is no news of this one"


def test_a_state_that_is_confirmed_stays_fresh() -> None:
    stage = max_age()
    stage.passes(book(1), at(0.5))
    again = Confirmed("book")
    assert stage.passes(again, at(1.2)) == [again]
    assert stage.deadline() == 2.2
    assert states(stage.tick(at(2.2))) == ["stale"]
    assert states(stage.passes(again, at(3))[:-1]) == ["live"]
    assert states(stage.passes(book(2, time=1000), at(10))) == ["stale"]
    assert stage.passes(Confirmed("book", 1000), at(10)) == []
    came = stage.passes(Confirmed("book", 9900), at(10))
    assert states(came[:-1]) == ["live", 2], "what was held back is shown once it is known to be so still"


def test_age_is_not_looked_at_while_the_line_is_down() -> None:
    stage = max_age()
    assert states(stage.passes(status("reconnecting"), at(0.5))) == ["reconnecting"]
    assert stage.deadline() is None


def test_every_keeps_the_latest_and_never_drops_last_words() -> None:
    stage = Every(1000)
    assert states(stage.passes([order("a", 1)], at(0))) == [1]
    assert states(stage.passes([order("b", 2)], at(0.1))) == [2]
    assert states(stage.passes([order("a", 3)], at(0.2))) == []
    assert states(stage.passes([order("a", 4)], at(0.3))) == []
    assert stage.deadline() == 1.0
    assert states(stage.tick(at(1.0))) == [4]
    assert states(stage.passes([order("a", 5)], at(1.5))) == []
    assert states(stage.passes([order("a", 6, "remove")], at(1.6))) == [6]
    assert stage.tick(at(5)) == []
    assert states(stage.passes([candle(0, 7)], at(6))) == [7]
    assert states(stage.passes([candle(0, 8, closed=True)], at(6.1))) == [8]


def test_every_drops_what_is_not_current_any_more() -> None:
    stage = Every(1000)
    stage.passes([book(1)], at(0))
    stage.passes([book(2)], at(0.1))
    assert states(stage.passes([status("stale")], at(0.2))) == ["stale"]
    assert stage.deadline() is None
    assert states(stage.passes([book(3)], at(0.3))) == [3]


# --- statuses


def passed(*steps: State) -> list[bool]:
    gate = StatusGate()
    return [gate.passes(status(step)) for step in steps]


def test_a_healthy_stream_is_data_only() -> None:
    assert passed("connecting", "syncing", "live") == [False, False, False]


def test_an_interruption_is_told_from_its_start_to_its_end() -> None:
    assert passed("syncing", "live", "reconnecting", "syncing", "live", "stale", "live") == [False, False, *[True] * 5]
    assert passed("reconnecting", "syncing", "live") == [True, True, True]


def test_words() -> None:
    assert in_words(status("syncing")) is None
    assert in_words(status("live")) is None
    assert in_words(status("live", reason="r", down_ms=61_000)) == "book is live again after 61 s; r"
    assert in_words(status("live", down_ms=3)) == "book is live again after <0.1 s"
    waiting = status("reconnecting", reason="lost", attempt=3, retry_in_ms=1500)
    assert in_words(waiting) == "book: lost; trying again in 1.5 s (try 3)"
    assert in_words(status("stale", reason="gap")) == "book is stale: gap"


def test_a_flood_of_words_is_held_back_and_the_latest_is_said() -> None:
    unsaid = Unsaid(0.0)
    assert [unsaid.may_be_said(str(n), 0.0) for n in range(SAID_AT_ONCE + 2)] == [True] * SAID_AT_ONCE + [False] * 2
    assert not unsaid.first
    assert unsaid.take(1.0) == str(SAID_AT_ONCE + 1)
    assert unsaid.take(1.0) is None


def test_keys_of_quotes_are_symbols() -> None:
    came = after_a_while([Quote(venue="v", symbol=symbol, received=n) for n, symbol in enumerate("ABA")])
    assert [(quote.symbol, quote.received) for quote in came] == [("A", 2), ("B", 1)], "a row keeps its turn"


def test_a_full_disk_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __init__(self) -> None:
            self.kept = b""

        def seek(self, at: int) -> None:
            self.at = at

        def write(self, data: bytes) -> int:
            if len(self.kept) > 600:
                raise OSError(28, "No space left on device")
            self.kept = self.kept[: self.at] + bytes(data)
            self.at += len(data)
            return len(data)

        def read(self, length: int) -> bytes:
            self.at += length
            return self.kept[self.at - length : self.at]

        def close(self) -> None: ...

    monkeypatch.setattr(queues, "MOST_EVENTS", 10)
    monkeypatch.setattr(queues, "BATCH", 4)
    monkeypatch.setattr(queues.tempfile, "TemporaryFile", lambda **_: Full())
    queue = EventQueue()
    sent = [trade(number) for number in range(100)]
    for one in sent:
        queue.put([one])
    got = []
    while records := queue.take():
        got += records
    assert got == sent
    assert queue.trouble == "what waits for a slow reader is kept in memory: No space left on device"
