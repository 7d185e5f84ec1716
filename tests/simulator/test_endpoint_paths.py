"""Which paths each simulated venue has, and what a client's configuration needs of it."""

from __future__ import annotations

from typing import Any

import pytest

from venues.simulated import endpoint
from venues.simulator import ManualClock
from venues.simulator.endpoint import Heartbeat
from venues.simulator.world import World

HUBS = ["/frontoffice/ws/v4/account", "/frontoffice/ws/v3/account", "/marketdata/v5/info"]
PATHS: dict[str, tuple[list[str], list[str], list[str]]] = {
    "b2trader": (HUBS, [f"{path}/negotiate" for path in HUBS], []),
    "jayx": (["", "/"], [], ["/socket.io/"]),
    "kraken": (["/v2"], [], []),
    "nbt": ([], [], ["/socket.io/"]),
    "nexus": (["/ws/{key}/{symbol}"], [], []),
    "woox": (["/v3/public"], [], []),
}


@pytest.mark.parametrize("venue", PATHS)
def test_which_paths_there_are(venue: str) -> None:
    made: Any = endpoint(venue)(World(ManualClock(), seed=1, rate=0.0))
    services = made.services(None, Heartbeat())
    assert ([*made.sockets()], [*made.posts()], [*services]) == PATHS[venue]
    assert (made.name, made.scheme) == (venue, "ws")


@pytest.mark.parametrize("venue", ["b2trader", "kraken", "nbt", "nexus", "woox"])
def test_a_configuration_needs_nothing_of_most_worlds(venue: str) -> None:
    assert endpoint(venue).values(None) == endpoint(venue).values(World(ManualClock(), seed=1, rate=0.0)) == {}


def test_woox_answers_three_paths_over_http() -> None:
    made: Any = endpoint("woox")(World(ManualClock(), seed=1, rate=0.0))
    assert [*made.requests()] == [
        "GET /v3/public/orderbook",
        "GET /v3/public/instruments",
        "GET /v3/public/systemInfo",
    ]
