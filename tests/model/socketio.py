"""Socket.IO 4 as its protocol's page speaks it, over one WebSocket: enough of a server for JayX and NBT."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

from tests.model.speaker import Sent, Speaker


class SocketIo(Speaker):
    """The handshake of Engine.IO, the default namespace, the server's pings; events once the client is let in."""

    beat_every = 25.0
    GREETING: ClassVar = {
        "sid": "a",
        "upgrades": [],
        "pingInterval": 25_000,
        "pingTimeout": 20_000,
        "maxPayload": 1_000_000,
    }

    def __init__(self, clock: Any, random: Any) -> None:
        self.is_in = False
        super().__init__(clock, random)

    def connected(self) -> list[Sent]:
        self.is_in = False
        self.connections += 1
        return [Sent(b"0" + json.dumps(self.GREETING).encode())]

    def beat(self) -> list[Sent]:
        return [Sent(b"2")]

    def heard(self, text: str) -> list[Sent]:
        if text.startswith("40"):
            self.is_in = True
            return [Sent(b'40{"sid":"b"}'), *self.let_in()]
        if text.startswith("42"):
            name, *arguments = json.loads(text[2:])
            return self.asked(name, arguments)
        return []

    def let_in(self) -> list[Sent]:
        """The client is in the namespace."""
        return []

    def asked(self, name: str, arguments: Sequence[Any]) -> list[Sent]:
        """The client sent an event."""
        return []

    def emit(self, name: str, data: Any, **fields: Any) -> Sent:
        return Sent(b"42" + json.dumps([name, data], separators=(",", ":")).encode(), is_data=True, **fields)

    def expire(self) -> list[Sent]:
        """The server puts the client out of the namespace; who is out has to come again."""
        self.is_in = False
        return [Sent(b"41"), Sent(closes=1000)]
