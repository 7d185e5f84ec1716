"""The NBT hub as its document speaks: signals and messages, unasked, to whoever is let in; without ids."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from tests.model.socketio import SocketIo
from tests.model.speaker import Event, Sent


class Nbt(SocketIo):
    """Events without ids: each that comes is one."""

    venue = "nbt"
    secrets: ClassVar = {"key": "a-key-of-the-model"}
    kind = "events"
    can = frozenset({"garble"})

    def __init__(self, clock: Any, random: Any) -> None:
        self.told = 0
        super().__init__(clock, random)


class NbtSignals(Nbt):
    """Buy and sell signals."""

    stream = "signals"

    def change(self) -> list[Sent]:
        if not self.is_in:
            return []
        self.told += 1
        name = self.random.choice(("buy_signal", "sell_signal"))
        price, is_new = self.random.randint(900, 999), self.random.random() < 0.5
        data = {"userid": "1472", "nickname": "ann", "stratid": str(self.told), "stratname": "trend",
                "pair": "BTCUSDT", "price": str(price), "new": is_new}  # fmt: skip
        long = (name == "buy_signal") == is_new
        figures = (name, Decimal(price), "long" if long else "short", "enter" if is_new else "exit", str(self.told))
        return [self.emit(name, data, events=(Event(str(self.told), self.told, figures),))]

    def event_figures(self, record: Any) -> tuple[Any, ...]:
        return record.name, record.price, record.side, record.action, record.strategy_id


class NbtFeed(Nbt):
    """Messages to a user."""

    stream = "feed"

    def change(self) -> list[Sent]:
        if not self.is_in:
            return []
        self.told += 1
        name, data = self.random.choice(("message", "user_payload")), {"n": self.told}
        return [self.emit(name, data, events=(Event(str(self.told), self.told, (name, self.told)),))]

    def event_figures(self, record: Any) -> tuple[Any, ...]:
        return record.topic, record.data["n"]
