"""The places of all scripts together: who runs, what is put where, and what is said of their ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.bot.jobs import Job
from cli.bot.market_data import MarketName
from cli.bot.plan import BotRequest
from cli.bot.seat import ScriptStop
from cli.bot.seats import Seats
from cli.bot.summary import Costs, Tally
from venues.errors import UsageError

A = MarketName("nexus", "A")


class Voice:
    def __init__(self) -> None:
        self.said: list[str] = []

    def error(self, text: str, short: str | None = None) -> None:
        self.said.append(text if short is None else f"{text} / {short}")

    say = error

    def seldom(self, kind: str, text: str) -> None:
        self.said.append(text)


def nothing(*_: Any) -> None:
    """In the place of what a test does not look at."""


class Made:
    """Seats with a voice of their own."""

    def __init__(self, *names: str, **given: Any) -> None:
        self.voice = Voice()
        self.stopped: list[Any] = []
        self.rooms: list[str] = []
        files = [Path(f"{name}.py") for name in names or ("a",)]
        request = BotRequest(files[0], more=files[1:], **given)
        self.seats = Seats(
            request,
            self.voice,  # type: ignore[arg-type]
            recorded_at=None,
            emit=nothing,
            put_status=nothing,
            send=nothing,
            on_room=lambda: self.rooms.append("room"),
            on_stopped=self.stopped.append,
            on_all_stopped=lambda: self.stopped.append("all"),
        )

    @property
    def all(self) -> list[Any]:
        return self.seats._seats

    @property
    def runners(self) -> list[Any]:
        return self.seats._runners


def in_a_loop(test: Callable[[], Any]) -> None:
    async def run() -> None:
        found = test()
        if found is not None:
            await found

    asyncio.run(run())


# --- who


def test_who_runs_in_no_thread_of_theirs_is_any_of_them() -> None:
    def test() -> None:
        assert Made("a").seats.who() == "a"
        assert Made("a", "b").seats.who() == "a, b"

    in_a_loop(test)


def test_who_runs_in_a_thread_is_its_script(monkeypatch: pytest.MonkeyPatch) -> None:
    def test() -> None:
        made = Made("a", "b")
        threads = made.runners
        assert len(threads) == 2, "each has its own, live"
        for thread, name in zip(threads, ("a", "b"), strict=True):
            monkeypatch.setattr("cli.bot.seats.threading.current_thread", lambda thread=thread: thread)
            assert made.seats.who() == name

    in_a_loop(test)


def test_in_a_replay_it_is_the_one_that_is_called_now(monkeypatch: pytest.MonkeyPatch) -> None:
    def test() -> None:
        made = Made("a", "b", replay=Path("r.jsonl"))
        (thread,) = made.runners
        monkeypatch.setattr("cli.bot.seats.threading.current_thread", lambda: thread)
        assert made.seats.who() == "a", "the first, where none is called"
        made.all[1]._running = ("trade_update", A, 0.0)
        assert made.seats.who() == "b"

    in_a_loop(test)


def test_only_of_several_scripts_each_record_says_whose_it_is() -> None:
    def test() -> None:
        assert [seat._strategy for seat in Made("a").all] == [None]
        assert [seat._strategy for seat in Made("a", "b").all] == ["a", "b"]

    in_a_loop(test)


# --- what is put


def job(what: str) -> Job:
    return Job(what=what, market=A, record=SimpleNamespace(symbol="A"), at=0, mono=0.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("what", "down", "replay", "put"),
    [
        ("trade", False, False, True),
        ("trade", True, False, True),
        ("quote", False, False, True),
        ("quote", True, False, False),
        ("quote", True, True, True),
        ("candle", True, False, False),
    ],
)
def test_a_record_comes_to_the_scripts_that_want_its_kind(what: str, down: bool, replay: bool, put: bool) -> None:
    """A quote of a market that is down is no more, but in a replay."""

    def test() -> None:
        made = Made("a", "b", **({"replay": Path("r.jsonl")} if replay else {}))
        for runner in made.runners:
            runner.wants.update(("quotes", "trades"))
        made.runners[-1].wants.discard("nothing")
        if down:
            made.seats._down.add(A)
        made.seats.put_record(A, job(what))
        assert [len(runner.jobs) for runner in made.runners] == [int(put)] * len(made.runners)
        made.runners[0].wants.clear()
        made.seats.put_record(A, job("trade"))
        assert len(made.runners[0].jobs) == int(put)

    in_a_loop(test)


def test_most_that_waits_is_told() -> None:
    def test() -> None:
        made = Made("a", "b")
        made.seats.put(job("start"))
        made.runners[1].wants.add("trades")
        made.seats.put_record(A, job("trade"))
        assert (made.seats.waiting(), [len(runner.jobs) for runner in made.runners]) == (2, [1, 2])

    in_a_loop(test)


def test_each_thread_says_once_that_it_has_room_when_no_more_jobs_wait_than_were_asked_for() -> None:
    def test() -> None:
        made = Made("a", "b")
        for what in ("start",) * 4:
            made.seats.put(job(what))
        made.seats.want_room(2)
        assert made.rooms == []
        told = []
        for runner in made.runners * 4:
            runner.jobs.take()
            told.append(len(made.rooms))
        assert told == [0, 0, 0, 0, 1, 2, 2, 2]

    in_a_loop(test)


# --- calls in turn


def answering(made: Made, number: int = 0) -> list[str]:
    """Has what is to be called in turn called at once; the result is what it was called."""
    named: list[str] = []
    seat = made.all[number]
    put = seat.in_turn

    def in_turn(call: Callable[[], None], what: str = "a webhook") -> None:
        named.append(what)
        put(call, what)

    seat.in_turn = in_turn
    made.runners[number].jobs.put_call = lambda call: call()
    return named


def test_what_is_called_in_turn_returns_or_raises_what_it_does() -> None:
    async def test() -> None:
        made = Made("a", "b")
        named = answering(made, 1)
        seat = made.all[1]
        assert await made.seats._call(seat, lambda: 7) == 7
        with pytest.raises(UsageError, match="no"):
            await made.seats._call(seat, lambda: fail(UsageError("no")), "loading")
        with pytest.raises(ScriptStop, match="SystemExit: 3"):
            await made.seats._call(seat, lambda: fail(SystemExit(3)))
        assert named == ["a webhook", "loading", "a webhook"]

    asyncio.run(test())


def fail(error: BaseException) -> Any:
    raise error


def test_who_waits_no_more_is_answered_without_a_fault() -> None:
    async def test() -> None:
        made = Made()
        calls: list[Callable[[], None]] = []
        made.runners[0].jobs.put_call = calls.append
        waiting = asyncio.create_task(made.seats._call(made.all[0], lambda: 7))
        await asyncio.sleep(0)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        calls[0]()
        await asyncio.sleep(0)

    asyncio.run(test())


def test_a_webhook_waits_until_the_script_has_begun() -> None:
    async def test() -> None:
        made = Made("a", "b")
        named = answering(made)
        made.all[0].bot = SimpleNamespace(routes={("GET", "x"): "of a"})
        made.all[1].bot = SimpleNamespace(routes={("POST", "x"): "of b"})
        begun = asyncio.Event()
        routes = made.seats.routes(begun)
        assert {key: route.handler for key, route in routes.items()} == {
            ("GET", "a/x"): "of a",
            ("POST", "b/x"): "of b",
        }
        answer = asyncio.ensure_future(routes["GET", "a/x"].call(lambda: 5))
        await asyncio.sleep(0)
        assert (answer.done(), named) == (False, [])
        begun.set()
        assert (await answer, named) == (5, ["a webhook"])

    asyncio.run(test())


def test_one_script_has_its_routes_without_its_name_and_none_without_routes() -> None:
    def test() -> None:
        made = Made("a")
        assert made.seats.routes(asyncio.Event()) == {}
        made.all[0].bot = SimpleNamespace(routes={})
        assert made.seats.routes(asyncio.Event()) == {}
        made.all[0].bot = SimpleNamespace(routes={("GET", "x"): "of a"})
        assert list(made.seats.routes(asyncio.Event())) == [("GET", "x")]

    in_a_loop(test)


def test_an_exception_in_a_webhook_is_reported_under_an_id_and_counted() -> None:
    def test() -> None:
        made = Made("a", "b")
        tally = made.all[1].tally = Tally("b", Costs())
        stop = ScriptStop("SystemExit: 3")
        stop.__cause__ = SystemExit(3)
        for seat, error, kind in ((0, KeyError("x"), "KeyError"), (1, stop, "SystemExit")):
            number = made.seats._report(made.all[seat], error)
            name = "ab"[seat]
            said = made.voice.said[-1]
            assert said.startswith(f"{name}.py: an exception in a webhook (id {number}); the bot goes on\n")
            assert said.endswith(f" / {name}.py: {kind} in a webhook (id {number})")
            assert len(number) == 8
        assert tally.summary().exceptions == 1
        made.seats.report(ValueError())
        assert made.voice.said[-1].startswith("a.py: an exception in a webhook")

    in_a_loop(test)


# --- ends


def test_the_end_of_the_last_script_is_the_end_of_all() -> None:
    async def test() -> None:
        made = Made("a", "b")
        for number, seat in enumerate(made.all):
            seat.stop(None)
            await asyncio.sleep(0)
            assert made.stopped == [0, 1, "all"][: 1 if number == 0 else 3]
        assert made.voice.said == ["a.py has stopped itself", "b.py has stopped itself"]

    asyncio.run(test())


def test_all_have_ended_when_each_thread_has() -> None:
    async def test() -> None:
        made = Made("a", "b")
        for number, runner in enumerate(made.runners):
            made.seats._on_end(runner)
            await asyncio.sleep(0)
            assert (runner.ended, made.seats.ended.is_set()) == (True, number == 1)

    asyncio.run(test())


@pytest.mark.parametrize("error", [KeyError("by design"), None])
def test_a_fault_of_what_looks_for_saved_scripts_is_told(
    error: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def watch(self: Any) -> None:
        if error is not None:
            raise error
        await asyncio.Event().wait()

    async def test() -> None:
        made = Made(reload=True)
        monkeypatch.setattr("cli.bot.timing.reload.Reloads.watch", watch)
        monkeypatch.setattr("cli.bot.timing.reload.Reloads._read", lambda self, seat: {})
        made.seats.reload(nothing, lambda: None)
        for _ in range(3):
            await asyncio.sleep(0)
        made.seats.close()
        for _ in range(3):
            await asyncio.sleep(0)
        fault = "nothing is loaded anew any more, by a fault of mon: KeyError: 'by design'"
        assert made.voice.said == ([] if error is None else [fault])

    asyncio.run(test())


class Watches:
    """In the place of what looks for scripts that are saved: it only has what it was given."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self.given, self.named = given, named

    async def watch(self) -> None:
        await asyncio.Event().wait()


def reloading(made: Made, monkeypatch: pytest.MonkeyPatch, on_routes: Callable[[], str | None]) -> dict[str, Any]:
    """What is to be done with a script that is loaded anew."""
    watches: list[Watches] = []
    monkeypatch.setattr(
        "cli.bot.timing.reload.Reloads", lambda *given, **named: watches.append(Watches(*given, **named)) or watches[0]
    )
    made.seats._opened = {}
    made.seats.reload(made.stopped.append, on_routes)
    (one,) = watches
    return one.named


@pytest.mark.parametrize("problem", [None, "two routes of one name"])
def test_what_is_wrong_with_the_routes_of_a_script_loaded_anew_is_said(
    problem: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        made = Made("a", "b", reload=True)
        switched = reloading(made, monkeypatch, lambda: problem)["switched"]
        made.seats.watched = {MarketName("nexus", "B")}
        made.all[1].candles = {A: "candles"}
        assert switched(made.all[1], None) == ([] if problem is None else [problem])
        assert made.seats.watched == {A, MarketName("nexus", "B")}
        task = made.seats._reloading
        assert task is not None
        made.seats.close()
        await asyncio.wait([task], timeout=1.0)
        assert task.cancelled(), "nothing is looked for after the end"

    asyncio.run(test())


@pytest.mark.parametrize(("before", "now", "said"), [(0, 0, False), (0, 1, True), (1, 0, False), (1, 1, False)])
def test_a_script_loaded_anew_that_asks_for_sizes_as_the_first_time_is_told_that_there_are_none(
    before: bool, now: bool, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def new_candles(seat: Any, bot: Any, planned: Any, live: Callable[[MarketName], bool], now: Any) -> list[str]:
        assert [live(market) for market in (A, MarketName("nexus", "B"))] == [False, True]
        return ["candles"]

    async def test() -> None:
        made = Made("a", "b", reload=True)
        seat, begun = made.all[1], []
        monkeypatch.setattr("cli.bot.timing.reload.lacks", lambda planned, opened: ["lacks"])
        monkeypatch.setattr("cli.bot.timing.reload.new_candles", new_candles)
        switch = reloading(made, monkeypatch, lambda: None)["switch"]
        seat.bot = SimpleNamespace(asks_instruments=bool(before))
        seat.take = lambda loaded, on_begin: begun.append(on_begin)
        seat.start = lambda: begun.append("start")
        plan = SimpleNamespace(streams=lambda: ["quotes"])
        loaded = SimpleNamespace(planned=[plan], bot=SimpleNamespace(asks_instruments=bool(now)))
        made.seats._down.add(A)
        no_sizes = "self.instruments has no tick or lot sizes: start mon again for that"
        assert switch(seat, loaded) == ["lacks", "candles", *([no_sizes] if said else [])]
        assert [runner.wants for runner in made.runners] == [set(), {"quotes"}]
        on_begin, started = begun
        on_begin()
        assert (started, made.stopped) == ("start", [1])
        made.seats.close()

    asyncio.run(test())


def test_with_its_seat_a_script_that_may_be_loaded_anew_is_over(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from profitview import Link\n\nclass Signals(Link):\n    pass\n")

    async def test() -> None:
        made = Made(str(tmp_path / "a"), reload=True)
        (seat,) = made.all
        seat.logger = logging.getLogger("test")
        answering(made)
        with contextlib.ExitStack() as stack:
            assert await made.seats.load(stack)
            generation = seat.generation
            assert (seat.bot.name, generation.over.is_set()) == ("a.py", False)
            generation.publish("topic", 1)
        assert (seat.generation is generation, generation.over.is_set()) == (True, True)

    asyncio.run(test())


def test_what_has_not_returned_is_told() -> None:
    def test() -> None:
        made = Made("a", "b", "c")
        for seat in made.all[:2]:
            seat._running = (f"on_start of {seat.file.stem}", None, 0.0)
        made.runners[0].ended = True
        made.seats.tell_of_those_left()
        assert made.voice.said == ["on_start of b has not returned: it is left behind"]

    in_a_loop(test)
