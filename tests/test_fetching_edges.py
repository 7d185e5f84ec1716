"""Requests beside the WebSocket at their edges: what may be asked for, and what is forgotten."""

from __future__ import annotations

import asyncio
import math

import pytest

from tests.test_fetching import Clock, Maker, get, run, settled
from venues import fetching
from venues.fetching import LONGEST_SPACE, Fetcher
from venues.venue import HttpResponse, NoResponse


@pytest.mark.parametrize(
    ("address", "is_asked"),
    [
        ("https://venue.example", True),
        ("http://127.0.0.1:8080", True),
        ("http://venue.example", False),
        ("ws://127.0.0.1", False),
        ("https://[::1", False),
    ],
)
def test_what_may_be_asked_for(address: str, is_asked: bool) -> None:
    async def check(clock: Clock) -> None:
        maker = Maker(clock)
        answer = await Fetcher(now=clock.now, sleep=clock.sleep, make=maker).fetch(get("a", address))
        assert isinstance(answer, HttpResponse) is is_asked
        assert bool(maker.begun) is is_asked

    run(check)


def test_a_request_that_is_long_over_is_forgotten_and_a_late_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MOST_WAITING", 3)

    async def check(clock: Clock) -> None:
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, make=Maker(clock), per_second=1_000)
        for name in ("a", "b", "c"):
            clock.mono += LONGEST_SPACE
            await fetcher.fetch(get(name))
            assert len(fetcher._latest) == "abc".index(name) + 1
        clock.mono += 0.5 * LONGEST_SPACE
        await fetcher.fetch(get("d"))
        assert [url.rpartition("/")[2] for url in fetcher._latest] == ["c", "d"]

    run(check)


@pytest.mark.parametrize(
    ("answer", "held"),
    [
        (HttpResponse(200, b"", 5.0), 0.0),
        (HttpResponse(429, b"", 5.0), 5.0),
        (HttpResponse(404, b"", 5.0), 5.0),
        (HttpResponse(404, b""), 0.0),
        (HttpResponse(503, b""), 1.0),
        (HttpResponse(429, b"", -3.0), 0.0),
    ],
)
def test_which_answers_hold_the_next_request_back(answer: HttpResponse, held: float) -> None:
    async def check(clock: Clock) -> None:
        maker = Maker(clock, answer)
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, make=maker, per_second=1_000)
        await fetcher.fetch(get("a"))
        began = clock.mono
        assert max(0.0, fetcher._held_until - began) == pytest.approx(held)
        assert not isinstance(await fetcher._answer(get("b"), None), NoResponse)

    run(check)


@pytest.mark.parametrize(("status", "held"), [(200, 1.0), (399, 1.0), (400, 4.0), (404, 4.0)])
def test_what_is_no_refusal_begins_the_pauses_anew(status: int, held: float) -> None:
    async def check(clock: Clock) -> None:
        maker = Maker(clock, HttpResponse(429, b""))
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, make=maker, per_second=1_000)
        for answer in (
            HttpResponse(429, b""),
            HttpResponse(429, b""),
            HttpResponse(status, b""),
            HttpResponse(429, b""),
        ):
            clock.mono += 100.0
            maker.answer = answer
            await fetcher.fetch(get("a"))
        assert fetcher._held_until - clock.mono == pytest.approx(held)

    run(check)


@pytest.mark.parametrize("after", [None, 0.0, 2.0])
def test_a_pause_is_over_at_its_end_and_the_next_busy_answer_begins_another(after: float | None) -> None:
    async def check(clock: Clock) -> None:
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, make=Maker(clock), per_second=1_000)
        fetcher._hold_back(HttpResponse(503, b"", after))
        clock.mono += 1.0 if after is None else after
        fetcher._hold_back(HttpResponse(503, b""))
        assert fetcher._held_until - clock.mono == pytest.approx(2.0 if after is None else 1.0)

    run(check)


@pytest.mark.parametrize(("second", "status"), [(4.9, 429), (5.0, 429), (5.1, 503)])
def test_of_two_pauses_the_longer_counts_and_of_equal_ones_the_first(second: float, status: int) -> None:
    async def check(clock: Clock) -> None:
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, make=Maker(clock))
        fetcher._hold_back(HttpResponse(429, b"", 5.0))
        fetcher._hold_back(HttpResponse(503, b"", second))
        assert (fetcher._held_by, fetcher._held_until) == (status, pytest.approx(clock.mono + max(5.0, second)))

    run(check)


@pytest.mark.parametrize(("between", "slept"), [(0.0, []), (0.4, [0.4]), (0.6, [0.6]), (1.0, [1.0]), (5.0, [1.0])])
def test_the_same_request_keeps_its_distance_from_the_answer_before(between: float, slept: list[float]) -> None:
    """Asked for at 100 and answered at 101, then asked for again as the first is over, or later."""

    async def check(clock: Clock) -> None:
        waits: list[float] = []

        async def sleep(seconds: float) -> None:
            waits.append(round(seconds, 6))
            clock.mono += seconds

        fetcher = Fetcher(now=clock.now, sleep=sleep, make=Maker(clock), per_second=math.inf)
        fetcher._latest[get("a").url] = (clock.mono - between, clock.mono)
        await fetcher.fetch(get("b"))
        assert waits == []
        await fetcher.fetch(get("a"))
        assert waits == slept
        clock.mono += 10.0
        await fetcher.fetch(get("a"))
        assert waits == slept, "it was long ago"

    run(check)


def test_a_request_has_its_turn_a_while_after_the_one_before() -> None:
    async def check(clock: Clock) -> None:
        waits: list[float] = []

        async def sleep(seconds: float) -> None:
            waits.append(round(seconds, 6))
            clock.mono += seconds

        fetcher = Fetcher(now=clock.now, sleep=sleep, make=Maker(clock), per_second=4)
        for number, pause in enumerate((0.0, 0.0, 0.125, 0.25, 1.0)):
            clock.mono += pause
            await fetcher.fetch(get(number))
        assert waits == [0.25, 0.125]

    run(check)


def test_so_many_may_wait_and_no_more_and_again_once_they_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MOST_WAITING", 3)

    async def check(clock: Clock) -> None:
        maker = Maker(clock)
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, make=maker, per_second=math.inf)
        for _ in range(2):
            maker.hold = asyncio.Event()
            waiting = [asyncio.create_task(fetcher.fetch(get(number))) for number in range(3)]
            await settled()
            refused = asyncio.create_task(fetcher.fetch(get("more")))
            await clock.forward(0.5)
            assert await refused == NoResponse("3 requests to venue.example are waiting already")
            maker.hold.set()
            assert await asyncio.gather(*waiting) == [HttpResponse(200, b"{}")] * 3
            clock.mono += 10.0

    run(check)


def test_what_took_long_is_forgotten_a_while_after_it_was_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MOST_WAITING", 2)

    async def check(clock: Clock) -> None:
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, make=Maker(clock), per_second=math.inf)
        now = clock.mono
        fetcher._latest = {"over long ago": (now - 30.0, now - 1.0), "over now": (now - 30.0, now - 0.9)}
        await fetcher.fetch(get("a"))
        assert list(fetcher._latest.items()) == [("over now", (now - 30.0, now - 0.9)), (get("a").url, (now, now))]

    run(check)


def test_what_takes_a_while_to_load_is_loaded_before_the_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    async def ask_through(*_: object, **given: object) -> HttpResponse:
        order.append("asked")
        return HttpResponse(200, b"")

    monkeypatch.setattr(fetching, "new_session", lambda: order.append("loaded") or Closing())
    monkeypatch.setattr(fetching, "ask_through", ask_through)

    async def check(clock: Clock) -> None:
        async def sleep(seconds: float) -> None:
            order.append("waited")
            clock.mono += seconds

        fetcher = Fetcher(now=clock.now, sleep=sleep, per_second=1)
        async with fetcher.used():
            for name in ("a", "b"):
                fetcher._next_at = clock.mono + 1.0
                await fetcher.fetch(get(name))
            assert order == ["loaded", "waited", "asked", "waited", "asked"]
        assert order[-1] == "closed"

    class Closing:
        async def close(self) -> None:
            order.append("closed")

    run(check)
