"""A script that was loaded once: what it says goes to its seat from its begin to its end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from cli.bot.timing.generation import Generation


class Host:
    """Notes what comes to the seat."""

    knowledge = object()

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def epoch_ns(self) -> int:
        return 7

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *given: self.heard.append((name, *given))


CALLS: dict[str, tuple[Any, ...]] = {
    "signal": ("nexus", "A", {"size": 1}),
    "publish": ("topic", [1]),
    "stop": ("enough",),
}


def generation() -> tuple[Generation, Host]:
    host = Host()
    return Generation(host), host  # type: ignore[arg-type]


@pytest.mark.parametrize(("call", "given"), CALLS.items())
def test_what_it_emits_goes_out_from_its_begin_to_its_end(call: str, given: tuple[Any, ...]) -> None:
    one, host = generation()
    with pytest.raises(RuntimeError) as early:
        getattr(one, call)(*given)
    assert str(early.value) == ("the bot has not started yet: signals and messages can be emitted from on_start on")
    one.begin()
    getattr(one, call)(*given)
    one.end()
    with pytest.raises(SystemExit):
        getattr(one, call)(*given)
    assert host.heard == [(call, *given)]


def test_one_that_has_ended_before_it_began_is_over() -> None:
    one, host = generation()
    one.end()
    one.begin()
    with pytest.raises(SystemExit):
        one.publish("t", 1)
    assert (host.heard, one.over.is_set()) == ([], True)


def test_what_it_only_asks_is_answered_at_any_time() -> None:
    one, host = generation()
    for change in (one.begin, one.end, lambda: None):
        assert (one.epoch_ns(), one.knowledge) == (7, host.knowledge)
        one.out_of_scope("order")
        change()
    assert host.heard == [("out_of_scope", "order")] * 3


@pytest.mark.parametrize(("call", "given"), [*CALLS.items(), ("end", ())])
def test_one_thing_at_a_time_goes_out(call: str, given: tuple[Any, ...]) -> None:
    """So that nothing is on its way when it has ended."""
    one, host = generation()
    one.begin()
    thread = threading.Thread(target=getattr(one, call), args=given)
    with one._one_at_a_time:
        thread.start()
        thread.join(0.02)
        assert thread.is_alive()
        assert (host.heard, one.over.is_set()) == ([], False)
    thread.join(10)
    assert not thread.is_alive()


def test_the_threads_that_are_left_are_those_that_have_not_ended() -> None:
    one, _ = generation()
    gate = threading.Event()
    threads = [threading.Thread(target=gate.wait), threading.Thread(target=print, args=("",))]
    for thread in threads:
        thread.start()
        one.has(thread)
    one.has(None)
    threads[1].join()
    assert one.left() == threads[:1]
    gate.set()
    threads[0].join()
    assert one.left() == []
    one.end()
