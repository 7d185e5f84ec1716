"""What `venues.testing` sees of a session, call by call."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from venues import venue_named
from venues.errors import UsageError
from venues.testing.watching import Watch, WatchedSession
from venues.venue import Confirmed, StreamState, Subscription

KRAKEN = venue_named("kraken")


def test_what_was_live_on_the_connection_before_is_not_on_a_new_one() -> None:
    watch = Watch(KRAKEN, [Subscription("book", ("BTC/USD",))])
    over: Any = SimpleNamespace(subscriptions=watch.subscriptions, session=lambda secrets: None)
    route = watch.over(over)
    for _ in range(2):
        route.session({})
        watch.rules.look_at(StreamState("book", "live"))
        watch.rules.look_at(Confirmed("book", symbol="BTC/USD"))
    assert not watch.faults
    route.session({})
    watch.rules.look_at(Confirmed("book"))
    (fault,) = watch.faults
    assert fault.startswith("a Confirmed of book, which is not live")


def test_frames_before_anything_has_happened_are_no_answers() -> None:
    watch = Watch(KRAKEN, [Subscription("book", ("BTC/USD",))])
    out = [["hello"], []]
    session: Any = SimpleNamespace(take=lambda: out.pop(0))
    assert WatchedSession(session, watch).take() == ["hello"]
    assert not watch.faults


@pytest.mark.parametrize(("error", "faults"), [(UsageError("no such kind"), 0), (KeyError("kind"), 1)])
def test_a_command_that_is_refused_in_words_is_no_fault(error: Exception, faults: int) -> None:
    def refuse(command: Any) -> None:
        raise error

    watch = Watch(KRAKEN, [Subscription("book", ("BTC/USD",))])
    session: Any = SimpleNamespace(send=refuse)
    command: Any = None
    with pytest.raises(type(error), match="kind"):
        WatchedSession(session, watch).send(command)
    assert len(watch.faults) == faults
