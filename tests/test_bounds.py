"""Memory is bounded against any venue, and what is left out is said."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from websockets.asyncio.server import ServerConnection

from cli.output import queues, weights
from cli.output.gaps import WHY, Gap
from cli.output.lines import Skipped
from cli.output.queues import EventQueue, LatestEvents
from cli.output.states import StateQueue
from cli.output.weights import HEAVIEST, LONGEST_TEXT, Shortener, size_of, weight
from cli.run.freshness import Every, MaxAge
from cli.views import account_rows, feed, rows, signals
from cli.views.feed import LatestOfTopics
from tests.command import MON, environment
from tests.drawn import look_of
from tests.servers import in_thread, websocket_server
from tests.test_connection import BOOK, Watched
from venues.errors import BadMessage, TooManyLevels
from venues.records import Book, Fill, Level, Message, Order, Position, Signal, SnapshotEnd, Status, Trade
from venues.redaction import Redactor
from venues.toolkit import any_json, book
from venues.toolkit.row_times import MOST_AT_ONCE, Remembered, refuse_too_many
from venues.venue import Now

ONE = Decimal(1)
MEGABYTE = "x" * 2**20
MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""
SECRET = "s3cr3t-v4lue-of-ours"


def position(number: int, **fields: Any) -> Position:
    shown = {"symbol": f"S{number}", "unrealized_pnl": ONE, "used_margin": ONE, "currency": "USD", "change": "update"}
    return Position(venue="v", received=number, size=ONE, **{**shown, **fields})


def fill(number: int, **fields: Any) -> Fill:
    return Fill(venue="v", received=number, fill_id=str(number), price=ONE, size=ONE, side="buy", **fields)


def message(topic: str, data: Any) -> Message:
    return Message(venue="v", received=1, topic=topic, data=data)


def redactor() -> Redactor:
    made = Redactor()
    made.learn({"key": SECRET})
    return made


def gap(*, partial: bool = False) -> Gap:
    return Gap("positions", venue="v", env=None, symbol=None, partial=partial, epoch_ms=lambda: 7)


# --- what a table keeps --------------------------------------------------------------------------------------------


def test_a_table_keeps_so_many_rows_and_says_that_there_are_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_ROWS", 10)
    view = account_rows.positions(look_of())
    for number in range(10):
        view.add(position(number))
    assert "10 open" in "\n".join(line.plain for line in view.lines(100, 30))
    for number in range(10, 500):
        view.add(position(number))
    assert {len(view._rows), len(view._recent), len(view._marked)} == {10}
    lines = [line.plain for line in view.lines(100, 30)]
    assert lines[-1] == rows.LEFT_OUT
    assert "S499" in lines[1]
    assert "S489" not in "\n".join(lines)
    assert not any("open" in line for line in lines)  # a sum without some rows is none
    assert len(view.lines(100, 6)) == 6
    assert view.lines(100, 6)[-1].plain == rows.LEFT_OUT


def test_a_full_state_that_is_kept_whole_leaves_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_ROWS", 10)
    view = account_rows.positions(look_of())
    for number in range(20):
        view.add(position(number, change="snapshot"))
    view.full(20)
    assert view.lines(100, 30)[-1].plain == rows.LEFT_OUT
    for number in range(5):
        view.add(position(number, change="snapshot"))
    view.full(5)
    assert rows.LEFT_OUT not in "\n".join(line.plain for line in view.lines(100, 60))


def test_what_is_long_is_cut_for_a_table_and_stays_apart() -> None:
    shorten = Shortener(redactor())
    one, other = (shorten(position(1, symbol=f"{MEGABYTE}{number}")) for number in range(2))
    assert one.symbol != other.symbol
    assert one.symbol == shorten(position(1, symbol=f"{MEGABYTE}0")).symbol
    assert len(str(one.symbol)) < LONGEST_TEXT + 30
    assert str(one.symbol).startswith(MEGABYTE[:LONGEST_TEXT])
    short = position(1)
    assert shorten(short) is short
    trade = Trade(venue="v", received=1, price=ONE, size=ONE, side="buy")
    assert shorten(trade) is trade


def test_what_is_cut_has_no_half_of_a_secret_in_it() -> None:
    shorten = Shortener(redactor())
    for before in range(LONGEST_TEXT - len(SECRET) - 5, LONGEST_TEXT + 2):
        cut = shorten(position(1, symbol="a" * before + SECRET + MEGABYTE)).symbol
        assert SECRET[:8] not in str(cut)


@pytest.mark.parametrize(
    "data",
    [
        MEGABYTE,
        [MEGABYTE, 1],
        {"a": MEGABYTE, "b": [1.5, None, {"c": "d"}]},
        [[1, 2, "three"]] * 10_000,
        {str(number): Decimal("1.50") for number in range(10_000)},
        {"text": "\x1b[31m" + "\u202e" * 5_000},
    ],
    ids=["text", "list", "object", "lists", "numbers", "hostile"],
)
def test_a_feed_shows_the_same_of_cut_data(data: Any) -> None:
    shown = []
    for record in (message("t", data), Shortener(redactor())(message("t", data))):
        queue, view = LatestOfTopics(), feed.view(look_of())
        queue.put([record])
        for taken in queue.take():
            view.add(taken)
        shown.append([line.plain for line in view.lines(120, 10)])
    assert shown[0] == shown[1]
    assert weight(record) < 10_000


def test_signals_of_megabytes_are_kept_short() -> None:
    shorten, view = Shortener(redactor()), signals.view(look_of())
    for number in range(100):
        signal = Signal(venue="v", received=number, name="buy", symbol=f"{number}{MEGABYTE}", extra={"a": MEGABYTE})
        view.add(shorten(signal))
    assert sum(map(weight, view._events)) < 2**20
    assert "99xxx" in view.lines(100, 5)[1].plain


# --- what waits ----------------------------------------------------------------------------------------------------


def test_events_of_megabytes_wait_in_the_file() -> None:
    queue = EventQueue()
    sent = [message(str(number), MEGABYTE + str(number)) for number in range(100)]
    for one in sent:
        queue.put([one])
        assert sum(map(weight, queue._waiting)) <= HEAVIEST + 2**21
    got: list[Any] = []
    while taken := queue.take():
        assert sum(map(weight, taken)) <= HEAVIEST + 2**21
        got += taken
    assert got == sent
    assert queue.trouble is None


def test_where_the_disk_is_full_too_events_are_left_out_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**options: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(queues.tempfile, "TemporaryFile", full)
    queue = EventQueue(gap().in_events)
    for number in range(200):
        queue.put([message(str(number), MEGABYTE + str(number))])
        assert sum(map(weight, queue._waiting)) <= 2 * HEAVIEST + 2**21
    said, *kept = queue.take()
    left_out = 200 - len(kept)
    assert isinstance(said, Status)
    assert (said.state, said.reason) == ("live", f"{left_out} are left out here: {WHY}")
    assert queue.trouble == f"{left_out} records are left out: {WHY}"
    assert [one.topic for one in kept] == [str(number) for number in range(left_out, 200)]
    assert queue.take() == []


def test_a_table_keeps_the_latest_events_by_what_they_weigh() -> None:
    queue = LatestEvents()
    for number in range(200):
        queue.put([fill(number, order_id=MEGABYTE + str(number))])
        assert sum(map(weight, queue._waiting)) <= HEAVIEST + 2**21
    skipped, *kept = queue.take()
    assert isinstance(skipped, Skipped)
    assert skipped.count + len(kept) == 200
    assert kept[-1].received == 199


def test_topics_that_wait_are_weighed() -> None:
    queue = LatestOfTopics()
    for number in range(200):
        queue.put([message("same", MEGABYTE + str(number))])
        assert sum(map(weight, queue._waiting)) <= HEAVIEST + 2**21
    assert queue.take()[-1].number == 200


@pytest.mark.parametrize("partial", [False, True])
def test_rows_with_ever_new_keys_do_not_pile_up(monkeypatch: pytest.MonkeyPatch, partial: bool) -> None:
    monkeypatch.setattr("cli.output.states.HEAVIEST", 100_000)
    queue = StateQueue(lambda: 0.0, on_overflow=gap(partial=partial).in_rows)
    monkeypatch.setattr("cli.output.states.MOST_LEVELS", 10)
    for number in range(5_000):
        queue.put([position(number)])
        assert queue.waiting() < 250
    stale = [one for one in queue.take() if isinstance(one, Status)]
    assert [one.state for one in stale][-2:] == (["stale", "live"] if partial else [*["stale"] * len(stale)][-2:])
    assert "rows are left out" in str(queue.trouble)
    assert WHY in str(stale[0].reason)


@pytest.mark.parametrize(("rows", "left"), [(100, 0), (101, 101)])
def test_rows_that_come_at_once_and_weigh_too_much_are_left_out_at_once(
    monkeypatch: pytest.MonkeyPatch, rows: int, left: int
) -> None:
    """Exactly so much may wait."""
    came = [position(number) for number in range(100, 100 + rows)]
    monkeypatch.setattr("cli.output.states.HEAVIEST", 100 * weight(came[0]))
    monkeypatch.setattr("cli.output.states.MOST_LEVELS", 10)
    queue = StateQueue(lambda: 0.0)
    queue.put(came)
    assert queue.waiting() == rows - left
    assert queue.trouble == (f"{left} rows are left out: {WHY}" if left else None)


def test_a_row_of_megabytes_makes_its_reader_be_behind() -> None:
    queue = StateQueue(lambda: 0.0)
    for number in range(100):
        queue.put([position(1, status=MEGABYTE + str(number))])
        assert queue.waiting() < 20
    assert [one.status for one in queue.take()] == [MEGABYTE + "99"]


def test_weights_are_about_right() -> None:
    lists: Any = [[] for _ in range(1_000)]
    assert 50_000 < size_of(lists) < 100_000
    assert size_of(lists, 1_000) < 10_000  # no further than asked
    assert size_of({"a": MEGABYTE}) > 2**20
    levels = [Level(ONE, ONE)] * 100
    of_a_book = Book(venue="v", received=1, bids=levels, asks=[])
    assert weight(of_a_book) == weights.OF_A_RECORD + 100 * weights.OF_A_LEVEL
    assert weight(SnapshotEnd(venue="v", received=0, stream="orders", count=1)) == weights.OF_A_RECORD


def test_orders_of_two_symbols_may_have_one_id() -> None:
    one = Order(venue="v", received=1, order_id="7", symbol="A", status="new", change="update")
    other = structs.replace(one, symbol="B")
    assert queues.key_of(one) != queues.key_of(other)
    assert queues.key_of(one) == queues.key_of(structs.replace(one, status="filled"))


# --- what one message may have -------------------------------------------------------------------------------------


def test_any_json_of_too_many_values_is_refused_before_they_are_made() -> None:
    most = any_json.MOST_VALUES
    assert len(any_json.any_json(b"[" + b",".join([b"1"] * (most // 2)) + b"]")) == most // 2
    for piece in (b"[]", b"{}", b"1"):
        with pytest.raises(BadMessage, match=f"at most {most} values"):
            any_json.any_json(b"[" + b",".join([piece] * most) + b",1]")
    long = any_json.any_json(b'"' + b"x" * (2 * most) + b'"')
    assert len(long) == 2 * most


def test_a_book_of_too_many_levels_is_no_book(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "MOST_LEVELS", 10)
    held = book.OrderBook()
    held.snapshot([Level(Decimal(price), ONE) for price in range(1, 11)], [], 1)
    with pytest.raises(TooManyLevels, match="more than 10 levels"):
        held.apply(book.BookDelta([Level(Decimal(11), ONE)], [], 2))
    assert not held.whole
    assert held.bids(20) == []
    with pytest.raises(TooManyLevels):
        held.snapshot([], [Level(Decimal(price), ONE) for price in range(1, 12)], 1)


def test_rows_of_one_message_are_bounded() -> None:
    refuse_too_many(range(MOST_AT_ONCE), "item")
    with pytest.raises(BadMessage, match=f"at most {MOST_AT_ONCE} rows at `item`"):
        refuse_too_many(range(MOST_AT_ONCE + 1), "item")


def test_every_forgets_keys_that_may_pass_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.run.freshness.MOST_KEYS", 100)
    every = Every(1_000)
    for number in range(5_000):
        assert every.passes([position(number)], Now(number / 10, 0)) == [position(number)]
        assert len(every._next) <= 101


def test_every_lets_ever_new_keys_pass_early_rather_than_keep_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.run.freshness.MOST_KEYS", 100)
    every, given = Every(3_600_000), 0
    for number in range(5_000):
        given += len(every.passes([position(number), position(number, status="later")], Now(number / 10, 0)))
        assert len(every._next) <= 101
    assert given + len(every.rest()) == 10_000


def test_every_weighs_what_waits() -> None:
    every = Every(3_600_000)
    for number in range(100):
        every.passes([position(number), position(number, status=MEGABYTE + str(number))], Now(1, 0))
        assert sum(map(weight, every._waiting.values())) <= HEAVIEST + 2**21


def test_rows_that_max_age_remembers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.run.freshness.MOST_REMEMBERED", 100)
    stage = MaxAge(3_600_000, "positions", venue="v", env=None, symbol=None)
    for number in range(1_000):
        assert len(stage.passes(position(number), Now(1, 0))) == 1
        assert len(stage._good) <= 110
    assert stage.good_until(position(999)) is not None


# --- punctual ------------------------------------------------------------------------------------------------------


def test_leaving_a_flood_is_in_order() -> None:
    """The venue's close comes behind what it has sent before, which nobody wants any more."""

    frame = (BOOK % 100).replace("{", f'{{"junk":"{os.urandom(5_000).hex()}",', 1)  # not to be compressed

    async def flood(websocket: ServerConnection) -> None:
        while True:
            for _ in range(100):
                await websocket.send(frame)
            await asyncio.sleep(0)

    async def scenario() -> None:
        async with websocket_server(flood) as port:
            watched = Watched(port)
            async with watched.running():
                await watched.until(lambda: len(watched.events) > 10)
            assert watched.connection.left_in_order

    asyncio.run(scenario())


def test_the_oldest_are_forgotten_without_walking_past_those_before_them() -> None:
    remembered = Remembered(20_000)
    for number in range(300_000):  # minutes, if each of them walked past 20,000
        remembered.add(number)
    assert all(number in remembered for number in range(280_000, 300_000))
    assert len(remembered._hashes) <= 22_000


# --- the whole of it -----------------------------------------------------------------------------------------------


@pytest.mark.slow("300 MB go through a socket")
def test_a_feed_of_300_topics_of_a_megabyte_fits(tmp_path: Path) -> None:
    async def send_all(connection: ServerConnection) -> None:
        for number in range(300):
            await connection.send(json.dumps({"type": f"t{number}", "data": "y" * 1_000_000}))
            if number % 10 == 9:
                await (await connection.ping())  # or our own pings wait behind all of it on a busy machine
        await connection.wait_closed()

    with in_thread(lambda: websocket_server(send_all)) as port:
        env = environment(
            tmp_path, MON_PROFITVIEW_URL=f"ws://127.0.0.1:{port}", MON_PROFITVIEW_API_KEY="0123456789abcdef"
        )
        # A process of its own between us: what it measures begins with the memory of whoever starts it.
        command = [sys.executable, "-c", MEASURED, MON, "feed", "profitview", "-o", "table", "--count", "300"]
        ran = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert "t299" in ran.stdout
    assert int(ran.stderr.splitlines()[-1]) < 300 * 1024  # KiB
