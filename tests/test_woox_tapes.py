"""Real markets through the simulated WOO X: every book that is shown is the tape's, whatever goes wrong on the way."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from random import Random

import pytest

from tests.tapes import TAPES, needs_tapes
from tests.wooxwire import SYMBOL, Client, Referee, Venue, play
from venues.records import Book, Status
from venues.venue import Subscription

QUIET = 1.0  # orders a second in the markets beside the tape's, which nobody watches here
DELAYS = {
    "seed at once": ((40, 90), (0, 0)),
    "seed between changes": ((10, 60), (300, 900)),
    "seed after changes": ((0, 20), (2_000, 4_000)),
    "changes late": ((800, 1_500), (50, 300)),
}


def watch(
    tape: Path, speed: float, depth: int, delays: str, *, lag: float = 0, gap: float = 0, seed: int = 1
) -> Client:
    venue = Venue(tape=tape, rate=QUIET, faults={"lag": lag} if lag else {})
    subscribed = next(one for one in (50, 200, 500) if one >= depth)
    referee = Referee(venue, subscribed)
    client = Client(venue, Subscription("book", (SYMBOL,), depth=depth), delays=DELAYS[delays], seed=seed)
    random, next_gap = Random(seed), [gap]

    def lose(seconds: float) -> None:
        if gap and seconds >= next_gap[0]:
            next_gap[0] = seconds + gap * (0.5 + random.random())
            client.peer.gap()

    play(venue, client, speed, each=lose)
    client.peer._losing.clear()
    client.run(75 + lag)
    assert referee.check(client.items, depth) >= 1
    assert client.states("book")[-1][1] == "live"
    if not gap:  # the last change may have been lost, which nobody can know
        last = client.records(Book)[-1]
        bids, asks = referee.book()
        assert [(one.price, one.size) for one in last.bids] == bids[:depth]
        assert [(one.price, one.size) for one in last.asks] == asks[:depth]
    return client


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.name[:3])
@pytest.mark.parametrize("delays", DELAYS)
@pytest.mark.parametrize(("speed", "depth"), [(1, 50), (10, 500), (math.inf, 20)])
def test_the_tape_s_books(tape: Path, delays: str, speed: float, depth: int) -> None:
    client = watch(tape, speed, depth, delays)
    states = [state for _, state, _ in client.states("book")]
    assert "stale" not in states
    assert states.count("live") == 1


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.name[:3])
@pytest.mark.parametrize(
    ("speed", "depth", "lag", "gap"), [(2, 1, 0, 2), (2, 200, 3, 5), (3, 50, 1.5, 0), (5, 500, 0, 1)]
)
def test_lag_and_gaps(tape: Path, speed: float, depth: int, lag: float, gap: float) -> None:
    said = []
    for seed, delays in enumerate(DELAYS):
        client = watch(tape, speed, depth, delays, lag=lag, gap=gap, seed=seed)
        said.append(" ".join(reason or "" for _, _, reason in client.states("book")))
    assert any("behind the changes" in reasons for reasons in said) or not lag
    assert any("expected a change after" in reasons for reasons in said) or not gap


@needs_tapes
def test_the_book_is_asked_for_seldom() -> None:
    """At most once a second, however far behind the HTTP book is."""
    venue = Venue(tape=TAPES[0], rate=QUIET, faults={"lag": 20.0})
    client = Client(venue, Subscription("book", (SYMBOL,)))
    times: list[int] = []
    ask = venue.get
    venue.get = lambda url: (times.append(venue.now()), ask(url))[1]  # type: ignore[method-assign]
    play(venue, client, 1)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert min(gaps) >= 1_000
    assert len(times) > 3
    tries = [one.reason for one in client.records(Status) if one.state == "syncing" and one.reason]
    assert "(1 try so far)" in tries[0]
    assert "(3 tries so far)" in tries[2]
