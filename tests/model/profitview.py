"""ProfitView as its document speaks: messages of bots by topic, on a plain WebSocket."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from tests.model.speaker import Event, Sent, Speaker


class ProfitViewFeed(Speaker):
    """Every message is one; there are no ids."""

    venue = "profitview"
    stream = "feed"
    kind = "events"
    secrets: ClassVar = {"api_key": "a-key-of-the-model"}
    can = frozenset({"garble"})

    def __init__(self, clock: Any, random: Any) -> None:
        self.told = 0
        super().__init__(clock, random)

    def change(self) -> list[Sent]:
        self.told += 1
        topic = self.random.choice(("merton_theo", "quote"))
        frame = json.dumps({"type": topic, "data": {"n": self.told}}).encode()
        return [Sent(frame, events=(Event(str(self.told), self.told, (topic, self.told)),), is_data=True)]

    def event_figures(self, record: Any) -> tuple[Any, ...]:
        return record.topic, record.data["n"]
