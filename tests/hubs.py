"""Small NBT hubs that take, refuse, forget and hang up."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.frames import Opcode

OPEN_4 = '0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
KEY = "the-secret-key"


class SmallHub:
    """Lets everybody in, and acknowledges everything; `on_event` may do something else. `mute`: never sends such."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.events: list[Any] = []
        self.left = 0
        self.mute: set[Opcode] = set()
        self.refusal: str | None = None
        self.answer = '[{"status":"ok"}]'
        self.on_event: Callable[[ServerConnection, Any], Any] | None = None
        self.goodbye: bytes | int | None = None  # a frame or a close code, in the same write as the answer
        self.on_leave: Callable[[ServerConnection], Any] | None = None

    async def __call__(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.paths.append(socket.request.path)
        send_frame = socket.protocol.send_frame
        socket.protocol.send_frame = lambda frame: None if frame.opcode in self.mute else send_frame(frame)  # type: ignore[method-assign]
        await socket.send(OPEN_4)
        with contextlib.suppress(Exception):
            async for frame in socket:
                await self._on_frame(socket, str(frame))

    async def _on_frame(self, socket: ServerConnection, frame: str) -> None:
        if frame == "40":
            await socket.send('40{"sid":"b"}' if self.refusal is None else f"44{self.refusal}")
        elif frame == "41":
            self.left += 1
            if self.on_leave is not None:
                self.on_leave(socket)
        elif frame.startswith("42"):
            at = frame.index("[")
            event = json.loads(frame[at:])
            self.events.append(event)
            done = self.on_event is not None and await self.on_event(socket, event)
            if self.answer and not done:
                await self._answer(socket, f"43{frame[2:at]}{self.answer}")

    async def _answer(self, socket: ServerConnection, frame: str) -> None:
        """An answer and what comes right behind it: in two writes, a client that is quick leaves between them."""
        socket.protocol.send_text(frame.encode())
        if isinstance(self.goodbye, bytes):
            socket.protocol.send_text(self.goodbye)
        elif self.goodbye is not None:
            socket.protocol.send_close(self.goodbye)
        socket.transport.write(b"".join(socket.protocol.data_to_send()))


def configure(monkeypatch: pytest.MonkeyPatch, home: Path, port: int) -> None:
    for name in [name for name in os.environ if name.startswith("MON_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("MON_NBT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("MON_NBT_KEY", KEY)
