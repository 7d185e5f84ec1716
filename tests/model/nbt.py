"""The NBT hub as its document speaks: signals and messages, unasked, to whoever is let in; without ids."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from tests.model.socketio import SocketIo
from tests.model.speaker import EventSpeaker, Sent


class Nbt(EventSpeaker, SocketIo):
    """Events without ids: each that comes is one."""

    venue = "nbt"
    secrets: ClassVar = {"key": "a-key-of-the-model"}


class NbtSignals(Nbt):
    """Buy and sell signals."""

    stream = "signals"

    def change(self) -> list[Sent]:
        if not self.is_in:
            return []
        number = str(self.told + 1)
        name = self.random.choice(("buy_signal", "sell_signal"))
        price, is_new = self.random.randint(900, 999), self.random.random() < 0.5
        data = {"userid": "1472", "nickname": "ann", "stratid": number, "stratname": "trend",
                "pair": "BTCUSDT", "price": str(price), "new": is_new}  # fmt: skip
        long = (name == "buy_signal") == is_new
        figures = (name, Decimal(price), "long" if long else "short", "enter" if is_new else "exit", number)
        return [self.emit(name, data, events=(self.happened(*figures),))]

    def shown(self, record: Any) -> tuple[Any, ...]:
        return record.name, record.price, record.side, record.action, record.strategy_id


class NbtFeed(Nbt):
    """Messages to a user."""

    stream = "feed"

    def change(self) -> list[Sent]:
        if not self.is_in:
            return []
        name, number = self.random.choice(("message", "user_payload")), self.told + 1
        return [self.emit(name, {"n": number}, events=(self.happened(name, number),))]

    def shown(self, record: Any) -> tuple[Any, ...]:
        return record.topic, record.data["n"]
