"""A relay of its own with a small hub, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli.bot.hub.relay import HubRelay
from cli.bot.market_data import MarketName
from cli.run.source import Embedded
from tests.hubs import KEY, SmallHub, configure
from tests.servers import websocket_server
from venues.records import Signal, Status
from venues.redaction import Redactor

PATIENCE = 10.0
BTC = "BTCUSDT"
NEXUS_BTC = MarketName("nexus", BTC)


class Said:
    """In the place of the voice."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def say(self, text: str) -> None:
        assert KEY not in text
        self.texts.append(text)

    error = say

    def seldom(self, kind: str, text: str) -> None:
        self.say(text)

    often = seldom


class Running(HubRelay):
    """A relay of its own, with a hub."""

    hub: SmallHub
    said: list[str]
    ended: list[BaseException]
    port: int
    seconds: float = 0.0  # by its clock

    def later(self, seconds: float) -> None:
        """Let time go by, for it alone."""
        self.seconds += seconds
        self._look()

    def loses_the_hub(self) -> None:
        """As the driver tells it."""
        self._sender._on_status(  # type: ignore[union-attr]
            type("S", (), {"state": "reconnecting", "reason": "away", "retry_in_ms": 1, "attempt": 1})  # type: ignore[arg-type]
        )

    async def loses_the_hub_when_it_is_there(self) -> None:
        """In the same step, so that the relay has never seen it there."""
        sender = self._sender
        assert sender is not None
        on_status, lost = sender._on_status, asyncio.Event()

        def lose(status: Status) -> None:
            on_status(status)
            if status.state == "live" and not lost.is_set():
                self.loses_the_hub()
                lost.set()

        sender._on_status = lose  # type: ignore[method-assign]
        await lost.wait()
        sender._on_status = on_status  # type: ignore[method-assign]

    def has_the_hub(self) -> None:
        self._sender._on_status(type("S", (), {"state": "live"}))  # type: ignore[union-attr, arg-type]

    def said_of(self, *words: str) -> list[str]:
        return [text for text in self.said if all(word in text for word in words)]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.002)

    async def wants(self, size: str, sym: str = BTC, **more: Any) -> None:
        """One signal, and all that comes of it."""
        self.signal(signal(size, sym, **more))
        await self.until(self._idle.is_set)

    def meanings(self) -> list[str]:
        return [f"{name.partition('_')[0]} {fields['pair']}" for name, fields in self.hub.events]


def signal(size: str | None, sym: str = BTC, **more: Any) -> Signal:
    return Signal(
        venue="nexus", symbol=sym, received=1, name="signal", size=None if size is None else Decimal(size), **more
    )


def relays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    @contextlib.asynccontextmanager
    async def running(
        retries: int | None = None, port: int = 0, strategy: str = "rsi", beside: Running | None = None, **more: Any
    ) -> AsyncIterator[Running]:
        """`beside` another one it has that one's hub."""
        small = SmallHub() if beside is None else beside.hub
        async with contextlib.AsyncExitStack() as stack:
            if beside is None:
                port = await stack.enter_async_context(websocket_server(small, port))
            else:
                port = beside.port
            configure(monkeypatch, tmp_path, port)
            relay = Running("nbt", strategy, env=None, profile=None, retries=retries, redactor=Redactor(), **more)
            relay._clock = lambda: relay.seconds
            voice = Said()
            relay.hub, relay.said, relay.ended, relay.port = small, voice.texts, [], port
            await relay.open(Embedded(), voice, relay.ended.append)  # type: ignore[arg-type]
            try:
                yield relay
            finally:
                await relay.close(0.1, hurried=True)

    return running
