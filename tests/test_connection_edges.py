"""A connection over a socket and a clock that the tests hold in their hands: what is noted, sent and told, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close as CloseFrame

from tests.heldline import Clock, Line, Opening, Socket, settled, some_ms
from venues import connection, events
from venues.errors import UsageError
from venues.fetching import Fetcher
from venues.keepalive import AGAIN_AFTER, Steps
from venues.venue import Close, Command, Fetch, HttpRequest, HttpResponse, Notice, Now, SocketPing, Veiled


@pytest.fixture(autouse=True)
def _no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "Opening", Opening)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ALIVE_EVERY", 0.005)


# --- the line is dead, or this process was stopped -----------------------------------------------------------------


@pytest.mark.usefixtures("quick")
def test_a_silent_line_is_pinged_once_and_reported_once() -> None:
    async def scenario() -> None:
        line = Line()
        async with line.open() as run:
            for seconds in (3.9, 0.2, 4.0):
                line.clock.forward(seconds)
                await some_ms()
            assert line.socket.did == ["ping"]
            assert line.kinds() == ["Dialled", "Opened"]
            line.clock.forward(1.1)
            await asyncio.wait((run,))
        closed = [event for event in line.noted if isinstance(event, events.Closed)]
        assert closed == [events.Closed(at=1_009_200, mono=109.2, reason="no answer to a ping within 5 s", heard=100.0)]
        assert line.socket.did == ["ping", "abort", ("close", 1000, "")]
        assert str(run.exception()) == "the connection was lost: no answer to a ping within 5 s; gave up after 1 try"

    asyncio.run(scenario())


@pytest.mark.usefixtures("quick")
def test_a_line_that_answers_its_pings_goes_on() -> None:
    async def scenario() -> None:
        line = Line()
        async with line.open():
            for _ in range(4):
                line.clock.forward(4.0)
                await some_ms()
                line.socket.pongs[-1].set_result(0.0)
                await settled()
            assert line.socket.did == ["ping"] * 4
            assert line.kinds() == ["Dialled", "Opened"]

    asyncio.run(scenario())


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("seen_by", ["a look", "a message"])
@pytest.mark.parametrize(("seconds", "is_over"), [(4.9, False), (5.0, False), (5.5, True), (61.0, True)])
def test_a_process_that_was_stopped_for_more_than_five_seconds_begins_anew(
    seen_by: str, seconds: float, is_over: bool
) -> None:
    async def scenario() -> None:
        line = Line()
        async with line.open():
            line.clock.forward(1.0)
            await some_ms()  # the last look before it
            line.clock.forward(seconds)
            if seen_by == "a message":
                line.socket.comes(b"say old")
            await some_ms()
        assert ("Closed" in line.kinds()) is is_over
        assert (Notice("old") in line.items) is (seen_by == "a message" and not is_over)
        if is_over:
            (closed,) = [event for event in line.noted if isinstance(event, events.Closed)]
            assert closed.reason == f"mon was stopped for {seconds:.0f} s, and what came meanwhile is old"
            assert (closed.heard, closed.mono) == (101.0, 101.0 + seconds)

    asyncio.run(scenario())


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("step_ms", "told"), [(999, []), (1000, [1000]), (-999, []), (-1000, [-1000]), (3_600_000, [3_600_000])]
)
def test_a_step_of_the_clock_of_a_second_is_told_once(step_ms: int, told: list[int]) -> None:
    async def scenario() -> None:
        steps = Steps()
        line = Line(steps=steps)
        async with line.open():
            line.clock.forward(0.5, step_ms=step_ms)
            await some_ms()
            line.clock.forward(0.5)
            await some_ms()
            assert [event.by_ms for event in line.noted if isinstance(event, events.Stepped)] == told
            line.clock.forward(0.5, step_ms=step_ms)
            assert steps.is_news(line.clock.mono) is not bool(told)  # another line tells the next one
            await some_ms()
            assert [event.by_ms for event in line.noted if isinstance(event, events.Stepped)] == told

    asyncio.run(scenario())


def test_lines_that_share_nothing_tell_a_step_each() -> None:
    async def scenario() -> None:
        for _ in range(2):
            line = Line()
            async with line.open():
                line.clock.forward(0.5, step_ms=2_000)
                line.socket.comes(b"say a")
                assert [event.by_ms for event in line.noted if isinstance(event, events.Stepped)] == [2_000]

    asyncio.run(scenario())


class Torn(Clock):
    """Is read again in the midst of a step, so to say: once the two clocks of it do not belong together."""

    torn_ms = 0

    def now(self) -> Now:
        now, self.torn_ms = Now(self.mono, self.epoch_ms + self.torn_ms), 0
        return now


@pytest.mark.parametrize(
    ("torn_ms", "step_ms", "told"), [(5_000, 0, []), (5_000, 2_000, [2_000]), (-2_000, 2_000, [2_000])]
)
def test_a_step_is_told_where_a_second_look_sees_it_too(torn_ms: int, step_ms: int, told: list[int]) -> None:
    async def scenario() -> None:
        clock = Torn()
        line = Line(clock=clock)
        async with line.open():
            clock.forward(0.5, step_ms=step_ms)
            clock.torn_ms = torn_ms
            assert line.socket.on_message is not None
            line.socket.on_message(b"say a")
            await settled()
            clock.forward(0.5)
            line.socket.comes(b"say b")
            assert [event.by_ms for event in line.noted if isinstance(event, events.Stepped)] == told

    asyncio.run(scenario())


# --- messages and what is sent -------------------------------------------------------------------------------------


def test_all_messages_of_one_read_have_one_time_and_what_follows_is_sent_behind_them() -> None:
    async def scenario() -> None:
        line = Line(line=3)
        async with line.open():
            line.socket.comes(b"answer one", b"say a", b"\xff\xfe"[:0], b"answer two")
            assert line.socket.did == []
            line.clock.forward(1.0)
            await settled()
            line.socket.comes(b"say b")
            await settled()
            frames = [event for event in line.noted if isinstance(event, events.Frame)]
            assert [(one.direction, one.text, one.mono, one.line) for one in frames] == [
                ("in", "answer one", 100.0, 3),
                ("in", "say a", 100.0, 3),
                ("in", "", 100.0, 3),
                ("in", "answer two", 100.0, 3),
                ("out", "one", 101.0, 3),
                ("out", "two", 101.0, 3),
                ("in", "say b", 101.0, 3),
            ]
            assert line.socket.did == ["one", "two"]
            assert [item for item in line.items if isinstance(item, Notice)] == [Notice("a"), Notice("b")]

    asyncio.run(scenario())


def test_what_is_left_to_recv_is_taken_in_order_and_counted_down() -> None:
    async def scenario() -> None:
        line = Line()
        async with line.open():
            line.socket.left_to_recv = 3
            for number in range(3):
                line.socket.frames.put_nowait(b"say %d" % number)
            await settled()
            assert line.items[1:] == [Notice("0"), Notice("1"), Notice("2")]
            assert line.socket.left_to_recv == 0

    asyncio.run(scenario())


def test_after_so_many_messages_others_get_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MOST_IN_A_TURN", 3)

    async def scenario() -> None:
        turns: list[int] = []

        async def count() -> None:
            while True:
                turns.append(len(line.items) - 1)
                await asyncio.sleep(0)

        line = Line()
        async with line.open():
            counting = asyncio.create_task(count())
            for number in range(8):
                line.socket.frames.put_nowait(b"say %d" % number)
            await settled()
            counting.cancel()
        assert list(dict.fromkeys(turns)) == [0, 2, 5, 8], "the third is taken in the next turn"

    asyncio.run(scenario())


def test_each_kind_of_what_is_sent() -> None:
    async def scenario() -> None:
        line = Line()
        line.session.at_open = ["text", b"\x01\xff", Veiled("a-key", "[key]"), SocketPing(), Close(4001, "enough")]
        async with line.open():
            assert line.socket.did == ["text", b"\x01\xff", "a-key", "ping", ("close", 4001, "enough")]
            out = [event for event in line.noted if isinstance(event, events.Frame)]
            assert [(one.direction, one.text, one.base64) for one in out] == [
                ("out", "text", None),
                ("out", None, "Af8="),
                ("out", "[key]", None),
            ]
            assert not line.connection._outgoing._unfinished_tasks  # type: ignore[attr-defined]

    asyncio.run(scenario())


@pytest.mark.parametrize(("end", "told"), [("answered", ["pong 100"]), ("lost", []), ("cancelled", [])])
def test_only_the_answer_to_a_ping_of_the_session_is_told(end: str, told: list[str]) -> None:
    async def scenario() -> None:
        line = Line()
        line.session.at_open = [SocketPing()]
        async with line.open():
            (pong,) = line.socket.pongs
            if end == "answered":
                pong.set_result(0.01)
            elif end == "lost":
                pong.set_exception(line.socket.gone(1006))
            else:
                pong.cancel()
            await settled()
        assert [call for call in line.session.calls if call.startswith("pong")] == told
        assert line.kinds().count("Ponged") == len(told)

    asyncio.run(scenario())


def test_an_answer_to_a_ping_that_comes_once_the_line_is_given_up_is_not_told() -> None:
    async def scenario() -> None:
        line = Line()
        line.session.at_open = [SocketPing()]
        async with line.open():
            line.socket.comes(b"lost enough", b"say more")
            line.socket.pongs[0].set_result(0.01)
            await settled()
        assert "Ponged" not in line.kinds()
        assert line.session.calls == ["begun", "lost enough"]

    asyncio.run(scenario())


def test_a_command_is_sent_at_once_and_one_that_is_refused_is_not() -> None:
    async def scenario() -> None:
        line = Line()
        async with line.open():
            line.connection.send(Command("buy", {}))
            with pytest.raises(UsageError, match="not now"):
                line.connection.send(Command("no", {}))
            await settled()
            assert line.socket.did == ["buy"]

    asyncio.run(scenario())


# --- deadlines -----------------------------------------------------------------------------------------------------


def test_a_deadline_is_kept_and_has_the_signs_of_life() -> None:
    async def scenario() -> None:
        line = Line()
        async with line.open():
            line.clock.forward(0.5)
            line.socket.comes(b"due 100.51")
            line.clock.forward(0.25)
            await some_ms()
            assert line.session.calls == ["begun", "due 100.51", "tick 100.75"]
            (ticked,) = [event for event in line.noted if isinstance(event, events.Ticked)]
            assert ticked == events.Ticked(at=1_000_750, mono=100.75, heard=100.5)

    asyncio.run(scenario())


@pytest.mark.parametrize(("gone_on", "ticks"), [(0.019, []), (0.02, ["tick 100.02"])])
def test_a_timer_that_fires_too_early_waits_again(gone_on: float, ticks: list[str]) -> None:
    """The loop's clock and ours are two."""

    async def scenario() -> None:
        line = Line()
        async with line.open():
            line.socket.comes(b"due 100.02")
            await settled()
            line.clock.forward(gone_on)
            await asyncio.sleep(0.05)
            assert line.session.calls[2:] == ticks
            line.clock.forward(0.02 - gone_on)
            await asyncio.sleep(0.05)
            assert line.session.calls[2:] == ["tick 100.02"]

    asyncio.run(scenario())


def test_an_earlier_deadline_counts_and_a_later_one_changes_nothing() -> None:
    async def scenario() -> None:
        line = Line()
        async with line.open():
            line.socket.comes(b"due 160")
            await settled()
            line.socket.comes(b"due 100.01")
            await settled()
            line.clock.forward(0.01)
            await some_ms()
            assert line.session.calls[3:] == ["tick 100.01"]

    asyncio.run(scenario())


def test_messages_that_move_no_deadline_set_no_timer_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        line, loop, waits = Line(), asyncio.get_running_loop(), list[float]()
        call_later = loop.call_later

        def noted(wait: float, *given: Any) -> asyncio.TimerHandle:
            waits.append(round(wait, 3))
            return call_later(wait, *given)

        async with line.open():
            monkeypatch.setattr(loop, "call_later", noted)
            for frame in (b"due 160", b"say a", b"due 160", b"due 170", b"due 150", b"say b", b"due 99"):
                line.socket.comes(frame)
                await settled()
            assert [wait for wait in waits if wait != AGAIN_AFTER] == [60.0, 50.0, 0.0]

    asyncio.run(scenario())


def test_what_is_due_as_soon_as_the_line_is_open_has_no_sign_of_life_before_it() -> None:
    async def scenario() -> None:
        line = Line()
        line.session.due = 99.0
        async with line.open():
            pass
        assert line.noted[2] == events.Ticked(at=1_000_000, mono=100.0)

    asyncio.run(scenario())


def test_a_sign_of_life_of_the_last_connection_is_none_of_the_next() -> None:
    tries: list[int] = []

    async def fetch() -> Mapping[str, str]:
        tries.append(1)
        lines[0].session.due = 99.0 if len(tries) == 2 else None
        return {}

    async def scenario() -> None:
        lines.append(Line(Socket(), Socket(), retries=None, fetch=fetch))
        async with lines[0].open():
            lines[0].socket.comes(b"lost gone")
            await some_ms()
        (ticked,) = [event for event in lines[0].noted if isinstance(event, events.Ticked)]
        assert (ticked.heard, ticked.arriving) == (None, None)

    lines: list[Line] = []
    asyncio.run(scenario())


def test_no_timer_is_left_behind() -> None:
    async def scenario() -> None:
        line = Line()
        async with line.open():
            line.socket.comes(b"due 100.01")
            await settled()
        line.clock.forward(1.0)
        await some_ms()
        assert line.session.calls == ["begun", "due 100.01"]

    asyncio.run(scenario())


# --- the end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "in_order"), [(1000, True), (1001, False), (None, False)])
def test_an_end_by_the_venue_is_in_order_where_it_says_so(code: int | None, *, in_order: bool) -> None:
    async def scenario() -> None:
        line = Line()
        async with line.open() as run:
            if code is None:
                line.socket.frames.put_nowait(ConnectionClosedError(None, None, None))
            else:
                line.socket.gone(code, "bye")
            await asyncio.wait((run,))
        assert line.connection.left_in_order is in_order
        (closed,) = [event for event in line.noted if isinstance(event, events.Closed)]
        assert (closed.code, closed.reason) == ((code, "bye") if code else (None, "no close frame came"))

    asyncio.run(scenario())


@pytest.mark.parametrize("answers", [True, False])
def test_leaving_says_goodbye_awaits_the_answer_and_closes(*, answers: bool) -> None:
    async def scenario() -> None:
        line = Line()
        line.session.at_leave, line.session.awaits = ["goodbye"], True

        async def close() -> None:
            if answers:
                line.socket.protocol.close_rcvd = CloseFrame(1000, "")

        line.socket.on_close = close
        async with line.open() as run:
            line.connection.leave()
            await settled()
            assert line.socket.did == ["goodbye"]
            line.socket.comes(b"say still here")
            await settled()
            assert not run.done()
            line.socket.comes(b"done")
            await asyncio.wait((run,))
        assert line.socket.did == ["goodbye", ("close", 1000, "")]
        assert line.kinds()[-4:] == ["Left", "Frame", "Frame", "Frame"]
        assert line.connection.left_in_order is answers

    asyncio.run(scenario())


@pytest.mark.parametrize("takes", [True, False])
@pytest.mark.parametrize("code", [1000, 1001])
def test_we_left_in_order_once_all_is_written_and_the_venue_has_closed_too(
    code: int, takes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CLOSE_TIMEOUT", 0.01)

    async def scenario() -> None:
        line = Line()
        line.session.at_leave = ["goodbye", "and more"]

        async def close() -> None:
            line.socket.protocol.close_rcvd = CloseFrame(code, "")

        line.socket.on_close = close
        async with line.open() as run:
            if not takes:
                line.socket.takes.clear()
            line.connection.leave()
            await asyncio.wait((run,))
        assert line.socket.did == [*(["goodbye", "and more"] if takes else []), ("close", 1000, "")]
        assert line.connection.left_in_order is takes

    asyncio.run(scenario())


def test_each_step_has_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float | None] = []
    timeout = asyncio.timeout

    def noted(seconds: float | None) -> asyncio.Timeout:
        limits.append(seconds)
        return timeout(seconds)

    async def scenario() -> None:
        line = Line()
        async with line.open():
            assert limits == [10.0]
        assert limits == [10.0, 1.0, 2.0], "to open, to write what is left, to close"

    monkeypatch.setattr(connection.asyncio, "timeout", noted)
    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["closed", "given up", "a fault"])
def test_a_goodbye_ends_with_the_line(how: str) -> None:
    async def scenario() -> None:
        line = Line()
        line.session.awaits = True
        async with line.open() as run:
            line.connection.leave()
            await settled()
            assert not run.done()
            if how == "closed":
                line.socket.gone(1001)
            else:
                line.socket.comes(b"fault" if how == "a fault" else b"lost silence")
            await asyncio.wait((run,), timeout=1)
            assert run.done()
        assert "Closed" not in line.kinds()

    asyncio.run(scenario())


def test_a_close_that_hangs_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CLOSE_TIMEOUT", 0.01)

    async def scenario() -> None:
        line = Line()

        async def forever() -> None:
            await asyncio.sleep(60)

        line.socket.on_close = forever
        async with line.open():
            pass
        assert line.socket.did == [("close", 1000, ""), "abort"]
        assert not line.connection.left_in_order

    asyncio.run(scenario())


@pytest.mark.parametrize("error", [OSError("reset"), ConnectionClosedError(None, None, None)])
def test_a_close_that_fails_changes_nothing(error: Exception) -> None:
    async def scenario() -> None:
        line = Line()

        async def fails() -> None:
            raise error

        line.socket.on_close = fails
        async with line.open() as run:
            line.connection.leave()
            await run
        assert line.socket.did == [("close", 1000, "")]

    asyncio.run(scenario())


def test_what_comes_while_it_closes_is_taken_off_the_line_and_dropped() -> None:
    async def scenario() -> None:
        line = Line()

        async def close() -> None:
            assert line.socket.on_message is None
            line.socket.frames.put_nowait(b"say late")
            await settled()
            assert line.socket.frames.empty()
            line.socket.protocol.close_rcvd = CloseFrame(1000, "")

        line.socket.on_close = close
        async with line.open() as run:
            line.connection.leave()
            await asyncio.wait((run,), timeout=1)
            assert run.done()
        assert Notice("late") not in line.items
        assert line.connection.left_in_order

    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["we leave", "the venue closes"])
def test_a_request_that_is_under_way_ends_with_the_connection(how: str) -> None:
    begun: list[str] = []
    ended: list[str] = []

    async def make(request: HttpRequest, proxy: str | None) -> HttpResponse:
        begun.append(request.url)
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(request.url)
        raise AssertionError

    async def scenario() -> None:
        clock, url = Clock(), "https://v.example/x"
        line = Line(fetcher=Fetcher(now=clock.now, sleep=clock.sleep, make=make))
        line.session.at_open = [Fetch("1", HttpRequest("GET", url, url))]
        async with line.open() as run:
            assert (begun, ended) == ([url], [])
            if how == "we leave":
                line.connection.leave()
            else:
                line.socket.gone(1001)
            await asyncio.wait((run,), timeout=5)
            assert ended == [url]
        assert "NotFetched" not in line.kinds()

    asyncio.run(scenario())


def test_an_answer_is_noted_told_and_may_be_answered() -> None:
    async def make(request: HttpRequest, proxy: str | None) -> HttpResponse:
        return HttpResponse(200, b'{"token":"a-secret-token"}')

    async def scenario() -> None:
        clock, url = Clock(), "https://v.example/x"
        line = Line(line=2, fetcher=Fetcher(now=clock.now, sleep=clock.sleep, make=make))
        line.session.at_open = [Fetch("1", HttpRequest("POST", url, url))]
        line.session.at_answer = "thanks"
        async with line.open():
            assert line.session.calls[1:] == ['fetched 1 b\'{"token":"a-secret-token"}\'']
            assert Notice("answered") in line.items
            assert line.socket.did == ["thanks"]
            (fetched,) = [event for event in line.noted if isinstance(event, events.Fetched)]
            assert (fetched.text, fetched.line) == ('{"token":"[token]"}', 2)

    asyncio.run(scenario())


def line_that_waits(clock: Clock) -> tuple[Line, asyncio.Event]:
    """A line that makes a request when it opens, and what holds the answer back until it is set."""
    answered, url = asyncio.Event(), "https://v.example/x"

    async def make(request: HttpRequest, proxy: str | None) -> HttpResponse:
        await answered.wait()
        return HttpResponse(200, b"")

    line = Line(fetcher=Fetcher(now=clock.now, sleep=clock.sleep, make=make), clock=clock)
    line.session.at_open = [Fetch("1", HttpRequest("GET", url, url))]
    return line, answered


@pytest.mark.parametrize(("seconds", "is_told"), [(5.0, True), (5.1, False)])
def test_an_answer_that_waited_while_this_process_was_stopped_is_not_told(seconds: float, *, is_told: bool) -> None:
    async def scenario() -> None:
        clock = Clock()
        line, answered = line_that_waits(clock)
        async with line.open():
            clock.forward(seconds)
            answered.set()
            await settled()
        assert ("Fetched" in line.kinds()) is (Notice("answered") in line.items) is is_told
        assert ("Closed" in line.kinds()) is not is_told

    asyncio.run(scenario())


def test_an_answer_that_comes_once_the_line_is_given_up_is_not_told() -> None:
    async def scenario() -> None:
        line, answered = line_that_waits(Clock())
        async with line.open():
            answered.set()
            line.socket.comes(b"lost enough")
            await settled()
        assert "Fetched" not in line.kinds()

    asyncio.run(scenario())


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("how", ["we leave", "the venue closes", "it is silent", "a fault"])
def test_nothing_goes_on_once_the_line_has_ended(how: str) -> None:
    async def scenario() -> None:
        line = Line()
        line.session.at_open = [SocketPing()]
        line.session.at_leave, line.session.awaits = ["goodbye"], True
        async with line.open() as run:
            line.clock.forward(4.0)
            await some_ms()
            assert line.socket.did == ["ping", "ping"], "neither is answered"
            if how == "we leave":
                line.connection.leave()
                await settled()
                line.socket.comes(b"say wait", b"done")
            elif how == "the venue closes":
                line.socket.gone(1001)
            elif how == "a fault":
                line.socket.comes(b"fault")
            else:
                for seconds in (4.0, 1.1):
                    line.clock.forward(seconds)
                    await some_ms()
            await asyncio.wait((run,), timeout=2)
            assert run.done()
            await settled()
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())
