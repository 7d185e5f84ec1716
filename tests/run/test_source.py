"""Where records come from: a simulator that cannot be started, a fault beside the work, and what is wanted of lines."""

from __future__ import annotations

import asyncio
import gc
from types import SimpleNamespace
from typing import Any

import pytest

from cli.run import source as module
from cli.run.source import (
    Embedded,
    Source,
    _all_ended,
    _raise_if_all_refused,
    _streams_in_part,
    _tap_of,
    check_starts,
    is_part_of,
    until_ended,
)
from tests.run.timeless import run, seconds
from venues import venue_named
from venues.errors import MonError, VenueRefused, VenueUnreachable
from venues.toolkit.acknowledgements import VERDICTS_WITHIN
from venues.toolkit.guard import ContractBroken
from venues.venue import Subscription


class World:
    markets = ("BTC_USDT", "ETH_USDT")


class Simulator:
    """Stands where the simulator is; what is wrong with it is said by the endpoint's `fails`."""

    def __init__(self, served: list[Any]) -> None:
        self.world = World()
        (self._endpoint,) = served

    def made(self) -> None:
        self._fail("made")

    def values(self, name: str) -> None:
        self._fail(name)

    def _fail(self, at: str) -> None:
        if at in self._endpoint.fails:
            raise self._endpoint.fails[at]


def endpoint(symbols: dict[str, str], **fails: BaseException) -> Any:
    return SimpleNamespace(name="acme", symbols=symbols, fails=fails)


@pytest.fixture
def of_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "distribution_of", lambda name: "acme-venue 1.0")
    monkeypatch.setattr("venues.simulator.Simulator", Simulator)


GOOD = {"BTC-USD": "BTC_USDT"}


@pytest.mark.usefixtures("of_plugin")
@pytest.mark.parametrize(
    ("served", "words"),
    [
        (endpoint(GOOD), None),
        (
            endpoint({"A": "XRP_USDT", "B": "ADA_USDT", **GOOD}),
            "ValueError: expected markets of the simulator (BTC_USDT, ETH_USDT), got ADA_USDT",
        ),
        (endpoint(GOOD, made=ZeroDivisionError("by zero\nsecond line")), "ZeroDivisionError: by zero"),
        (endpoint(GOOD, acme=SystemExit(3)), "SystemExit: 3"),
    ],
)
def test_a_simulator_of_a_plugin_is_tried_before_it_is_started(served: Any, words: str | None) -> None:
    if words is None:
        check_starts(served)
        return
    with pytest.raises(ContractBroken) as error:
        check_starts(served)
    assert str(error.value).endswith(f"its simulator cannot be started: {words}")
    assert "acme" in repr(vars(error.value)) or "acme" in str(error.value)


@pytest.mark.usefixtures("of_plugin")
def test_ctrl_c_while_it_is_tried_is_none_of_its_faults() -> None:
    with pytest.raises(KeyboardInterrupt):
        check_starts(endpoint(GOOD, made=KeyboardInterrupt()))


def test_a_built_in_simulator_is_not_tried() -> None:
    check_starts(SimpleNamespace(name="nexus"))


# --- beside the work


def test_a_fault_of_the_simulator_ends_what_is_beside_it() -> None:
    ended: list[str] = []

    async def work(takes: float) -> str:
        try:
            await asyncio.sleep(takes)
            return "done"
        finally:
            ended.append("ended")

    async def go() -> None:
        embedded = Embedded()
        assert await embedded.beside(work(1)) == "done", "there is no simulator"
        embedded._fault = asyncio.get_running_loop().create_future()
        assert await embedded.beside(work(1)) == "done"
        asyncio.get_running_loop().call_later(1, embedded._on_fault, ValueError("the first"), ["nexus"])
        asyncio.get_running_loop().call_later(1, embedded._on_fault, ValueError("the second"), ["nexus"])
        with pytest.raises(ValueError, match="the first"):
            await embedded.beside(work(60))
        assert seconds() == 3
        assert ended == ["ended"] * 3
        with pytest.raises(ValueError, match="the first"):
            await embedded.beside(work(60))
        await embedded.close()

    run(go())


def test_a_fault_without_a_simulator_is_no_matter() -> None:
    Embedded()._on_fault(ValueError("nobody waits"), ["nexus"])


def test_a_fault_that_nobody_waits_for_any_more_is_not_told_by_python() -> None:
    noted: list[Any] = []

    async def go() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: noted.append(context))
        embedded = Embedded()
        embedded._fault = loop.create_future()
        embedded._on_fault(ValueError("late"), ["nexus"])
        embedded._on_fault(ValueError("later"), ["nexus"])
        del embedded
        gc.collect()

    asyncio.run(go())
    assert noted == []


# --- several lines


async def line(takes: float, problem: Exception | None = None) -> None:
    await asyncio.sleep(takes)
    if problem is not None:
        raise problem


def refused(*symbols: str, late: bool = False) -> VenueRefused:
    return VenueRefused(
        f"refused {' '.join(symbols)}", venue="v", stream="trades", symbols=dict.fromkeys(symbols, "no"), late=late
    )


def ended(*lines: Any, by: Any = until_ended) -> str:
    async def go() -> str:
        tasks = [asyncio.create_task(one) for one in lines]
        try:
            await by(tasks)
        except MonError as error:
            symbols = getattr(error, "symbols", ())
            return f"{type(error).__name__} {' '.join(symbols) or error} after {seconds():g} s"
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return f"in order after {seconds():g} s"

    return run(go())


def test_the_first_line_that_has_a_problem_ends_all() -> None:
    assert ended(line(1), line(3)) == "in order after 3 s"
    assert ended(line(2, MonError("gone")), line(9)) == "MonError gone after 2 s"
    assert ended(line(2, refused()), line(9)) == "VenueRefused refused  after 2 s"


def test_symbols_that_several_lines_refuse_are_told_together() -> None:
    within = VERDICTS_WITHIN / 2
    assert ended(line(1, refused("A")), line(1 + within, refused("B"))) == f"VenueRefused A B after {1 + within:g} s"
    assert ended(line(1, refused("A")), line(60)) == f"VenueRefused A after {1 + VERDICTS_WITHIN:g} s"
    assert ended(line(1, refused("A")), line(1 + within, refused("B", late=True))).startswith("VenueRefused A after")


def test_a_line_that_is_refused_late_leaves_the_others_on() -> None:
    assert ended(line(1, refused("A", late=True)), line(5)) == "in order after 5 s"
    assert ended(line(1, refused("A", late=True)), line(5, refused("B", late=True))) == "VenueRefused A B after 5 s"
    assert ended(line(1, refused("A", late=True)), line(5, refused(late=True))) == "VenueRefused A after 5 s"
    assert ended(line(1, refused(late=True)), line(5, refused("B", late=True))) == "VenueRefused refused  after 5 s"


def test_lines_that_stand_apart_leave_each_other_on() -> None:
    """What ended the first of them is told when none is left; what is no matter of one line ends all."""
    gone = VenueUnreachable("gone")
    assert ended(line(1), line(3), by=_all_ended) == "in order after 3 s"
    assert ended(line(1, gone), line(5), by=_all_ended) == "in order after 5 s"
    assert ended(line(1, refused("A")), line(5), line(2, gone), by=_all_ended) == "in order after 5 s"
    assert ended(line(3, refused("A")), line(2, gone), by=_all_ended) == "VenueUnreachable gone after 3 s"
    assert ended(line(2, refused("A")), line(3, gone), by=_all_ended) == "VenueRefused A after 3 s"
    assert ended(line(2, MonError("a fault")), line(9), by=_all_ended) == "MonError a fault after 2 s"


@pytest.mark.parametrize(
    ("heard", "refused_streams", "raised"),
    [
        ([{"a": True, "b": True}], ["a"], None),
        ([{"a": True, "b": True}], ["a", "b"], "no a"),
        ([{"a": True, "b": False}], ["a"], "no a"),  # nobody wants the other one
        ([{"a": False, "b": True}], ["a", "b"], "no b"),
        ([{"a": True}, {"b": True}], ["a"], None),
        ([{"a": False}], [], None),
        ([], [], None),
    ],
)
def test_a_replay_ends_when_all_that_is_wanted_was_refused(
    heard: list[dict[str, bool]], refused_streams: list[str], raised: str | None
) -> None:
    drivers: list[Any] = [
        SimpleNamespace(refused={name: MonError(f"no {name}") for name in refused_streams if name in streams})
        for streams in heard
    ]
    if raised is None:
        _raise_if_all_refused(drivers, heard)
        return
    with pytest.raises(MonError, match=raised):
        _raise_if_all_refused(drivers, heard)


def test_only_events_of_lines_that_are_wanted_are_tapped() -> None:
    seen: list[Any] = []
    tap = _tap_of([0, 2], seen.append)
    made: list[Any] = [SimpleNamespace(line=line) for line in (0, 1, 2, 3, 2)]
    for event in made:
        tap(event)
    assert seen == [made[0], made[2], made[4]]


def test_what_is_known_of_the_connections_of_a_source() -> None:
    given: dict[str, Any] = {"env": None, "profile": None, "retries": None, "clock": None, "redactor": None}
    source: Any = Source(venue_named("kraken"), [], **given)
    assert (source.has_proxy, source.handshakes()) == (False, [])
    for proxy, has_proxy in ((None, False), ("http://proxy.example", True)):
        source._access = SimpleNamespace(proxy=proxy)
        assert source.has_proxy is has_proxy
    left: list[int] = []
    source._connections = [
        SimpleNamespace(handshake=shake, leave=lambda number=number: left.append(number))
        for number, shake in enumerate(("first", None, "third"))
    ]
    assert source.handshakes() == ["first", "third"]
    source.leave()
    assert left == [0, 1, 2]


def test_streams_whose_symbols_are_on_several_routes_come_in_part() -> None:
    def route(*subscriptions: Subscription) -> Any:
        return SimpleNamespace(subscriptions=subscriptions)

    first = route(Subscription("trades", ("A",)), Subscription("book", ("A",)), Subscription("orders"))
    second = route(Subscription("trades", ("B",)), Subscription("orders"))
    assert _streams_in_part(first, [first, second]) == _streams_in_part(second, [first, second]) == {"trades"}
    assert _streams_in_part(first, [first]) == set()


# --- what is wanted


@pytest.mark.parametrize(
    ("one", "wanted", "is_part"),
    [
        (Subscription("trades", ("A",)), [Subscription("trades", ("A",))], True),
        (Subscription("trades", ("A",)), [Subscription("book", ("B",)), Subscription("trades", ("A", "B"))], True),
        (Subscription("trades", ("A", "C")), [Subscription("trades", ("A", "B"))], False),
        (Subscription("trades", ("A",)), [Subscription("book", ("A", "B"))], False),
        (Subscription("book", ("A",), depth=5), [Subscription("book", ("A", "B"))], False),
        (Subscription("trades", ("B", "A")), [Subscription("trades", ("A", "B"))], True),
        (Subscription("trades", ("A", "B")), [Subscription("trades", ("A",))], False),
        (Subscription("trades", ("A",)), [], False),
    ],
)
def test_a_part_of_what_is_wanted_is_wanted(one: Subscription, wanted: list[Subscription], is_part: bool) -> None:
    assert is_part_of(one, wanted) is is_part
