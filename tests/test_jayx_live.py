"""JayX over a real socket: the simulator, in both framings, on python-socketio's own server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.simulated import Simulator
from venues.connection import Connection, SystemClock
from venues.driver import Driver
from venues.errors import VenueRefused, VenueUnreachable
from venues.jayx import JAYX
from venues.records import Candle, Order, Record
from venues.redaction import Redactor
from venues.venue import Settings, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable

    from venues import events

FRAMINGS = ("socketio", "bare")
ALL = [Subscription(name, () if offer.symbols == "none" else ("BTCUSDT",)) for name, offer in JAYX.streams.items()]


async def watched(
    settings: Settings, subscriptions: list[Subscription], key: str, enough: Callable[[list[Any]], bool]
) -> tuple[list[Any], list[events.Event]]:
    """What is delivered until it is enough, and everything that happened."""
    (line,) = JAYX.routes(subscriptions, settings)
    delivered: list[Any] = []
    events: list[events.Event] = []

    async def fetch() -> dict[str, str]:
        return {"api_key": key}

    def deliver(items: list[Any]) -> None:
        delivered.extend(items)
        if enough(delivered):
            connection.leave()

    connection = Connection(
        Driver(line, subscriptions, venue="jayx", retries=0),
        fetch_secrets=fetch,
        deliver=deliver,
        clock=SystemClock(),
        random=lambda: 0.0,
        redactor=Redactor(),
        tap=events.append,
    )
    async with asyncio.timeout(20):
        await connection.run()
    return delivered, events


async def simulated(framing: str, key: str | None = None) -> tuple[list[Any], list[events.Event], str]:
    async with Simulator(rate=200.0) as simulator:
        right = simulator.credentials("jayx")["api_key"]
        values = {**simulator.values("jayx"), "framing": framing}
        settings = Settings(url=simulator.url("jayx"), values=values)
        wanted = {"book", "trade", "quote", "candle", "order", "position", "balance", "pong"}

        def enough(delivered: list[Any]) -> bool:
            return wanted <= {item.__struct_config__.tag for item in delivered if isinstance(item, Record)}

        return *await watched(settings, ALL, key or right, enough), key or right


@pytest.mark.parametrize("framing", FRAMINGS)
def test_every_stream_on_one_socket(framing: str) -> None:
    delivered, events, key = asyncio.run(simulated(framing))
    frames = [event.text for event in events if hasattr(event, "direction") and event.direction == "out"]
    assert sum('"apiKey":"[api_key]"' in frame for frame in frames) == 2
    assert key not in repr(events) + repr(delivered)
    assert not [item for item in delivered if type(item).__name__ in ("BadFrame", "Notice")]
    priced = [item for item in delivered if isinstance(item, Candle | Order)]
    assert all(item.price_unit is None and item.size_unit is None for item in priced)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_wrong_key_is_refused_in_the_venues_words(framing: str) -> None:
    with pytest.raises(VenueRefused, match="unknown apiKey"):
        asyncio.run(simulated(framing, "not-the-key"))


async def _without_socketio() -> None:
    async with Simulator() as simulator:
        url = simulator.url("nexus").replace("/nexus", "/no-such-venue")
        await watched(Settings(url=url), ALL, "k", bool)


def test_who_is_no_socketio_server_is_told_so() -> None:
    with pytest.raises(VenueUnreachable, match=r"no Socket\.IO server.*404.*framing"):
        asyncio.run(_without_socketio())
