"""A line at a venue, driven by frames, for tests of what outlives a connection."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from venues import venue_named
from venues.driver import Driver
from venues.venue import BadFrame, Now, Settings, Subscription

START = 1_700_000_000_000


def at(ms: int) -> Now:
    return Now(1000 + ms / 1000, START + ms)


def packet(event: str, data: Any) -> bytes:
    return f"42{json.dumps([event, data])}".encode()


def invoked(content: Any, invocation: int = 0) -> bytes:
    return json.dumps({"type": 2, "invocationId": str(invocation), "item": content}).encode() + b"\x1e"


class Played:
    """A line at a venue, driven by frames; `open` makes a connection and gives what it needs before there is data."""

    def __init__(self, venue: str, stream: str, symbols: tuple[str, ...], before: Sequence[bytes] = ()) -> None:
        self.venue = venue_named(venue)
        subscription = Subscription(stream, symbols)
        values = {"account_id": "a"} if venue == "b2trader" else {}
        (line,) = self.venue.routes([subscription], Settings(url="wss://v.example", values=values))
        self.driver = Driver(line, [subscription], venue=venue)
        self.before = before
        self.ms = 0
        self.open()

    def open(self) -> list[Any]:
        self.driver.begin(dict.fromkeys(self.venue.secrets, "secret"), 0.0)
        items = self.driver.opened(at(self.ms))
        for frame in self.before:
            items += self.driver.receive(frame, at(self.ms))
        self.driver.take()
        return items

    def reconnect(self) -> list[Any]:
        self.driver.closed(None, "", at(self.ms))
        return self.open()

    def receive(self, frame: bytes, ms: int | None = None) -> list[Any]:
        self.ms = self.ms + 1 if ms is None else ms
        items = self.driver.receive(frame, at(self.ms))
        assert not any(isinstance(item, BadFrame) for item in items), items
        return items


HANDSHAKE = b"{}\x1e"  # of SignalR
ENGINE = b'0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
LET_IN = b'40{"sid":"n"}'
