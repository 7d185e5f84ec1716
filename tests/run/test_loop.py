"""The loop of a run with sources that a test tells what to deliver, and at which second."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from cli.errors import INTERRUPTED, NoDataError
from cli.run.ending import HURRY
from cli.run.loop import LEAVE_WITHIN
from cli.run.source import Embedded
from tests.run.looped import BOOK, Taken, book, live, loop_of, opened, script
from tests.run.scripted import Scripted
from tests.run.timeless import run, seconds
from venues import venue_named
from venues.errors import VenueRefused, VenueUnreachable
from venues.venue import Subscription

if TYPE_CHECKING:
    pass

# --- from the beginning to the end


def test_what_a_source_delivers_comes_at_once_and_is_handed_over_once_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    Scripted(monkeypatch, script([live(), book(1)], book(2), 1, book(3)))
    consumer = Taken()

    async def go() -> None:
        loop, ending = loop_of(consumer)
        assert not loop.is_open()
        await opened(loop)
        assert loop.is_open()
        await loop.watch()
        assert ending.result() == 0

    run(go())
    assert consumer.got == [(0, 0, "live"), (0, 0, book(1)), (0, 0, book(2)), (1, 0, book(3))]
    assert consumer.flushed == [0, 1]


def test_of_several_sources_each_has_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted = Scripted(monkeypatch, script(1, book(1), 9), script(2, book(2), 8), script(3, book(3)))
    consumer = Taken()

    async def go() -> None:
        loop, ending = loop_of(consumer)
        await opened(loop, "kraken", "woox", "nexus")
        await loop.watch()
        assert ending.result() == 0

    run(go())
    assert consumer.got == [(1, 0, book(1)), (2, 1, book(2)), (3, 2, book(3))]
    assert [(name, given["first_line"]) for name, _, given in scripted.opened] == [
        ("kraken", 0), ("woox", 1), ("nexus", 2),
    ]  # fmt: skip
    assert scripted.left >= 3


@pytest.mark.parametrize("ends_with", [None, VenueUnreachable("gone")])
def test_when_one_of_several_sources_has_ended_for_good_the_others_are_left(
    ends_with: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [2] if ends_with is None else [2, ends_with]
    scripted = Scripted(monkeypatch, script(1, book(1), ends=False), script(*steps), script(ends=False))
    consumer = Taken()

    async def go() -> None:
        loop, ending = loop_of(consumer)
        await opened(loop, "kraken", "woox", "nexus")
        monkeypatch.setattr(loop, "_lists", lambda: None)
        asyncio.get_running_loop().call_later(9, ending.stop, 7)
        await loop.watch()
        assert not [task for task in asyncio.all_tasks() if "_run_source" in repr(task)]
        assert (ending.problem, seconds()) == ((None, 9) if ends_with is None else (ends_with, 2))

    run(go())
    assert scripted.left >= 3


def test_a_run_that_is_given_up_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    Scripted(monkeypatch, script(ends=False))

    async def go() -> None:
        loop, _ = loop_of(Taken())
        await opened(loop)
        watching = asyncio.create_task(loop.watch())
        await asyncio.sleep(1)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await asyncio.sleep(0.1)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(go())


def test_a_source_gets_what_the_request_says(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted, consumer = Scripted(monkeypatch, script()), Taken()

    async def go() -> None:
        loop, _ = loop_of(consumer, env="sim", profile="p", retries=3)
        await opened(loop, apart=True, beside={"woox": [BOOK]})
        await loop.watch()

    run(go())
    ((name, subscriptions, given),) = scripted.opened
    assert (name, subscriptions) == ("kraken", [BOOK])
    wanted = {"env": "sim", "profile": "p", "retries": 3, "recording": None, "apart": True, "first_line": 0}
    assert {key: given[key] for key in wanted} == wanted
    assert given["beside"] == {"woox": [BOOK]}
    (ran,) = scripted.ran
    assert (ran["speed"], ran["pauses"], ran["tap"]) == (1.0, True, None)
    assert ran["deliver"] == consumer.deliver, "without a step between"


def test_the_end_is_told_to_the_consumer_before_the_venue_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted = Scripted(monkeypatch, script(book(1), ends=False))
    consumer = Taken()

    async def go() -> None:
        loop, ending = loop_of(consumer)
        await opened(loop)
        asyncio.get_running_loop().call_later(2, ending.stop, 7)
        await loop.watch()
        assert (ending.result(), seconds()) == (7, 2)

    run(go())
    assert consumer.ends == [2]
    assert scripted.left == 1


def test_an_end_that_nobody_asked_for_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    Scripted(monkeypatch, script(1))
    consumer = Taken()

    async def go() -> None:
        loop, ending = loop_of(consumer)
        await opened(loop)
        await loop.watch()
        assert not ending.stopping.is_set()

    run(go())
    assert consumer.ends == []


@pytest.mark.parametrize(
    ("code", "last_words", "waited"),
    [
        (0, 0.3, LEAVE_WITHIN),
        (INTERRUPTED, None, HURRY - 0.2),
        (INTERRUPTED, 0.3, HURRY - 0.3),
        (INTERRUPTED, 0.9, 0.0),
    ],
)
def test_a_venue_that_does_not_let_go_is_waited_for_a_moment(
    code: int, last_words: float | None, waited: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = Taken()

    async def go() -> None:
        loop, ending = loop_of(consumer, **({} if last_words is None else {"last_words_within": last_words}))
        monkeypatch.setattr(loop, "_run", lambda: asyncio.sleep(60))
        loop._sources = [SimpleNamespace(leave=lambda: None)]  # type: ignore[list-item]
        asyncio.get_running_loop().call_later(1, ending.stop, code)
        await loop.watch()
        assert seconds() == pytest.approx(1 + waited, abs=0.06)

    run(go())


def test_a_problem_of_a_source_is_the_end_unless_the_end_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = VenueUnreachable("gone")

    async def late(deliver: Any) -> None:
        await asyncio.sleep(1)
        raise problem

    async def go(asked: bool) -> None:
        Scripted(monkeypatch, late)
        loop, ending = loop_of(Taken())
        await opened(loop)
        if asked:
            asyncio.get_running_loop().call_later(1, ending.stop, 0)
        await loop.watch()
        assert (ending.problem is problem) is not asked

    run(go(False))
    run(go(True))


# --- what may be meant by symbols that were refused


class Lists:
    """The lists of the venues' symbols, which take some seconds."""

    def __init__(self, takes: float = 0.0, fails: bool = False) -> None:
        self.takes, self.fails = takes, fails
        self.refreshed: list[list[str]] = []

    async def with_suggestion(self, problem: VenueRefused, venue: Any) -> VenueRefused:
        await asyncio.sleep(self.takes)
        if self.fails:
            raise ValueError("a fault")
        return VenueRefused(f"{problem}; did you mean B of {venue.name}?", venue=venue.name, symbols=problem.symbols)

    async def refresh(self, venues: Any) -> None:
        self.refreshed.append([one.name for one in venues])
        await asyncio.Event().wait()


def refused(venue: str = "kraken", *symbols: str, late: bool = False) -> VenueRefused:
    return VenueRefused("no such symbol", venue=venue, symbols=dict.fromkeys(symbols, "no"), late=late)


def ended_with(problem: Exception, lists: Lists | None, monkeypatch: pytest.MonkeyPatch, **given: Any) -> str:
    async def go() -> str:
        Scripted(monkeypatch, script(1, problem))
        loop, ending = loop_of(Taken(), **given)
        await opened(loop)
        monkeypatch.setattr(loop, "_lists", lambda: lists)
        loop.set_timers()
        stops = asyncio.get_running_loop().call_later(5, ending.stop, 0)
        await loop.watch()
        stops.cancel()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return f"{ending.problem} after {seconds():g} s"

    return run(go())


def test_with_a_refusal_of_symbols_it_is_said_what_may_be_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    said = ended_with(refused("kraken", "A"), Lists(2), monkeypatch)
    assert said == "no such symbol; did you mean B of kraken? after 3 s"


@pytest.mark.parametrize(
    ("problem", "lists", "after"),
    [
        (refused("kraken"), Lists(), 1),  # it names no symbols
        (refused("kraken", "A", late=True), Lists(), 1),  # they were taken before
        (refused("nexus", "A"), Lists(), 1),  # it is none of ours
        (refused("kraken", "A"), None, 1),  # no venue has a list
        (refused("kraken", "A"), Lists(fails=True), 1),
        (refused("kraken", "A"), Lists(60), 5),  # somebody does not want to wait
    ],
)
def test_a_refusal_is_told_as_it_is(
    problem: VenueRefused, lists: Lists | None, after: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ended_with(problem, lists, monkeypatch) == f"no such symbol after {after} s"


def test_no_time_that_is_over_ends_a_run_that_looks_for_what_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"timeout": 2_000, "duration": 3_000}
    said = ended_with(refused("kraken", "A"), Lists(3), monkeypatch, **given)
    assert said == "no such symbol; did you mean B of kraken? after 4 s"


def test_lists_are_looked_at_once_data_came(monkeypatch: pytest.MonkeyPatch) -> None:
    lists, consumer = Lists(), Taken()
    Scripted(monkeypatch, script(live(), 1, live(), 1, book(1), 1, book(2), 1), script())

    async def go() -> None:
        loop, _ = loop_of(consumer)
        await opened(loop, "kraken", "woox")
        monkeypatch.setattr(loop, "_lists", lambda: lists)
        for at in (1.5, 2.5, 3.5):
            asyncio.get_running_loop().call_later(at, lambda: seen.append([*lists.refreshed]))
        await loop.watch()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}, "the end is not held up"

    seen: list[list[list[str]]] = []
    run(go())
    assert seen == [[], [["kraken", "woox"]], [["kraken", "woox"]]]
    assert consumer.asked == ["timeout"] * 3, "nobody is asked any more once data came"


def test_a_replay_looks_at_no_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        loop, _ = loop_of(Taken(), recording=SimpleNamespace())
        await opened(loop)
        monkeypatch.setattr(loop, "_lists", lambda: pytest.fail("nobody is asked"))
        loop.data_came()

    Scripted(monkeypatch, script())
    run(go())


def test_only_venues_with_a_list_have_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go(*venues: str) -> bool:
        Scripted(monkeypatch, script(), script())
        loop, _ = loop_of(Taken())
        assert loop._lists() is None, "nothing is open"
        for name in venues:
            venue = venue_named(name)
            await loop.open(venue, [Subscription("ping")], Embedded(), print)
        return loop._lists() is not None

    assert run(go("kraken"))
    assert run(go("nbt", "kraken"))
    assert not run(go("nbt"))


# --- --timeout and --duration


@pytest.mark.parametrize(
    ("given", "at", "ends", "after"),
    [
        ({"timeout": 2_000}, None, "no data came within 2.0 s", 2),
        ({"timeout": 2_000}, 1.0, None, 9),
        ({"duration": 2_000}, None, "no data came within 2.0 s", 2),
        ({"duration": 2_000}, 1.0, None, 2),
        ({"once": True}, None, "no data came within 30 s", 30),
        ({"once": True, "timeout": 3_000}, None, "no data came within 3.0 s", 3),
        ({"timeout": 3_000, "duration": 2_000}, None, "no data came within 2.0 s", 2),
    ],
)
def test_a_run_ends_with_its_time(
    given: dict[str, Any], at: float | None, ends: str | None, after: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    Scripted(monkeypatch, script(*(() if at is None else (at, book(1), 8)), ends=at is not None))

    async def go() -> None:
        loop, ending = loop_of(Taken(), **given)
        await opened(loop)
        loop.set_timers()
        await loop.watch()
        assert seconds() == after
        if ends is None:
            assert ending.result() == 0
        else:
            with pytest.raises(NoDataError) as error:
                ending.result()
            assert str(error.value) == ends

    run(go())


def test_once_waits_as_long_as_the_slowest_stream_says(monkeypatch: pytest.MonkeyPatch) -> None:
    Scripted(monkeypatch, script(ends=False), script(ends=False))

    async def go() -> None:
        loop, ending = loop_of(Taken(), once=True)
        for within in (1.5, 0.5):
            venue: Any = SimpleNamespace(name="v", streams={"book": SimpleNamespace(once_within=within)})
            await loop.open(venue, [BOOK], Embedded(), print)
        loop.set_timers()
        await loop.watch()
        assert seconds() == 1.5
        with pytest.raises(NoDataError):
            ending.result()

    run(go())


def test_without_a_source_the_time_is_that_of_the_user_alone() -> None:
    async def go() -> None:
        loop, ending = loop_of(Taken(), once=True)
        loop.set_timers()
        asyncio.get_running_loop().call_later(100, ending.stop, 3)
        await loop.watch()
        assert (seconds(), ending.result()) == (100, 3)

    run(go())


# --- limits


async def watched_for_a_second(consumer: Taken) -> None:
    """A whole run in which a book is live for a second, unless another one comes."""
    loop, _ = loop_of(consumer, max_age=1_000)
    loop.limits.expect(BOOK, "v", None)
    await opened(loop)
    await loop.watch()
    loop.close()


def test_limits_ring_at_their_time_and_say_it_on_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    Scripted(monkeypatch, script([live(), book(1)], 0.6, book(2), 2, book(3), 0.5))
    consumer = Taken()

    run(watched_for_a_second(consumer))
    assert consumer.got == [
        (0, 0, "live"), (0, 0, book(1)), (0.6, 0, book(2)), (1.6, 0, "stale"), (2.6, 0, "live"), (2.6, 0, book(3)),
    ]  # fmt: skip


def test_a_timer_that_rings_too_early_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message moves the deadline, and there may be thousands a second."""
    Scripted(monkeypatch, script([live(), book(1)], book(2), 0.6, book(3), 0.3, book(4), 0.5, ends=True))
    consumer = Taken()
    rings: list[float] = []

    async def go() -> None:
        running: Any = asyncio.get_running_loop()
        call_later = running.call_later

        def noted(delay: float, call: Any, *given: Any, **more: Any) -> Any:
            if getattr(call, "__name__", "") == "_on_timer":
                rings.append(round(seconds() + delay, 3))
            return call_later(delay, call, *given, **more)

        monkeypatch.setattr(running, "call_later", noted)
        await watched_for_a_second(consumer)

    run(go())
    assert rings == [1.0, 1.9], "at 1.0 it is known that nothing is due before 1.9"
    assert [what for _, _, what in consumer.got] == ["live", book(1), book(2), book(3), book(4)]


def test_a_limit_with_nothing_to_wait_for_has_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    Scripted(monkeypatch, script(book(1), 0.5, book(2), 0.2, ends=True))
    consumer = Taken()

    async def go() -> None:
        loop, _ = loop_of(consumer, every=1_000)
        await opened(loop)
        asyncio.get_running_loop().call_later(0.2, lambda: waits.append(loop._timer))
        await loop.watch()
        loop.close()

    waits: list[Any] = []
    run(go())
    assert waits == [None]
    assert [(at, what) for at, _, what in consumer.got] == [(0, book(1))], "what waits at the end is not current"


def test_nothing_rings_once_the_limits_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    Scripted(monkeypatch, script([live(), book(1)], 0.5, ends=True))
    consumer = Taken()

    async def go() -> None:
        loop, _ = loop_of(consumer, max_age=1_000)
        loop.limits.expect(BOOK, "v", None)
        await opened(loop)
        await loop.watch()
        loop.stop_limits()
        loop.stop_limits()
        await asyncio.sleep(5)

    run(go())
    assert [what for _, _, what in consumer.got] == ["live", book(1)]


@pytest.mark.parametrize(("goes_on", "said"), [(5, [(0.4, 0, "stale")]), (0.1, [])])
def test_a_nearer_deadline_takes_the_place_of_one_that_is_further(
    goes_on: float, said: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data that was old when it came is stale sooner than what came before it; at the end neither rings any more."""
    Scripted(monkeypatch, script([live(), book(1)], 0.1, book(2, time=1_000_000 - 600), goes_on))
    consumer = Taken()

    async def go() -> None:
        await watched_for_a_second(consumer)
        await asyncio.sleep(5)

    run(go())
    assert consumer.got[3:] == said


def test_a_row_that_waited_too_long_for_its_reader_makes_the_stream_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = Taken()

    async def late(deliver: Any) -> None:
        deliver([live(), book(1)])
        await asyncio.sleep(0.5)
        await asyncio.to_thread(consumer.loop.came_late, book(1))
        await asyncio.sleep(0.1)

    Scripted(monkeypatch, late)

    run(watched_for_a_second(consumer))
    assert [what for _, _, what in consumer.got] == ["live", book(1), "stale"]
    consumer.loop.came_late(book(1))  # the loop is gone, and nobody minds
