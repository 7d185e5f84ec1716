"""ProfitView as its document speaks: messages of bots by topic, on a plain WebSocket."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from tests.model.speaker import EventSpeaker, Sent


class ProfitViewFeed(EventSpeaker):
    """Every message is one; there are no ids."""

    venue = "profitview"
    stream = "feed"
    secrets: ClassVar = {"api_key": "a-key-of-the-model"}

    def change(self) -> list[Sent]:
        topic, number = self.random.choice(("merton_theo", "quote")), self.told + 1
        frame = json.dumps({"type": topic, "data": {"n": number}}).encode()
        return [Sent(frame, events=(self.happened(topic, number),), is_data=True)]

    def shown(self, record: Any) -> tuple[Any, ...]:
        return record.topic, record.data["n"]
