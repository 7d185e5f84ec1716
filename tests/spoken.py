"""A session of each venue that has been let in, and the frames that bring it a message of a stream."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from venues import venue_named
from venues.driver import Driver
from venues.venue import Now, Settings, Subscription

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venues.driver import Delivered

NOW = Now(1.0, 1_747_841_760_000)
SYMBOLS = {"nexus": "SPOT_BTC_USDT", "b2trader": "cfd.eur_chf", "jayx": "BTCUSDT"}
NO_SYMBOL = {"positions", "orders", "closed", "balance", "margin"}
OPEN_PACKET = b'0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'


class Spoken:
    """One connection of a stream, through the driver."""

    def __init__(self, venue: str, stream: str, *, bare: bool = False, welcome: bool = True) -> None:
        self.venue, self.stream, self.bare = venue, stream, bare
        self.now = NOW
        self._invocation, self._ended = 0, False
        account = stream in NO_SYMBOL and (venue == "b2trader" or (venue == "jayx" and stream != "orders"))
        symbols = () if venue not in SYMBOLS or account else (SYMBOLS[venue],)
        subscription = Subscription(stream, symbols)
        values: dict[str, Any] = {"account_id": "a"} if venue == "b2trader" else {}
        if bare:
            values["framing"] = "bare"
        found = venue_named(venue)
        (line,) = found.routes([subscription], Settings("wss://v.example", values=values))
        self.driver = Driver(line, [subscription], venue=venue)
        self.driver.begin({name: f"secret-{name}" for name in found.secrets}, 0.0)
        self.driver.opened(NOW)
        for frame in self._welcome() if welcome else ():
            self.driver.receive(frame, NOW)
        self.driver.take()

    def _welcome(self) -> Sequence[bytes]:
        if self.venue == "b2trader":
            return (b"{}\x1e",)
        if self.venue == "nbt" or (self.venue == "jayx" and not self.bare):
            return (OPEN_PACKET, b'40{"sid":"b"}')
        return ()

    def hear(self, message: str, event: str = "") -> list[Delivered]:
        """What a message gives; `event` is its name where messages have one."""
        if self.venue == "b2trader":
            message = f'{{"type":2,"invocationId":"{self._current()}","item":{message}}}\x1e'
        elif self.bare:
            message = f'{{"event":"{event}","data":{message}}}'
        elif self.venue in ("jayx", "nbt"):
            message = f'42["{event}",{message}]'
        return self.driver.receive(message.encode(), self.now)

    def _current(self) -> int:
        """After a bad item the stream is asked for again, at once or a little later."""
        for _ in range(10):
            for out in self.driver.take():
                sent = json.loads(str(out).rstrip("\x1e"))
                if sent["type"] == 4:
                    self._invocation, self._ended = int(sent["invocationId"]), False
                self._ended = self._ended or sent["type"] == 5
            if not self._ended:
                break
            due = self.driver.deadline()
            assert due is not None
            self.now = Now(due, NOW.epoch_ms)
            self.driver.receive(b'{"type":6}\x1e', self.now)
            self.driver.tick(self.now)
        return self._invocation
