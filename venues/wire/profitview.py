"""The frames of a ProfitView feed: one shape, whose data is whatever a bot published."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from venues.any_json import exact_number


class FeedMessage(Struct, gc=False):
    """`{"type": "merton_theo", "data": {"sym": "XBTUSD", "theo": 30012.5}}`; the document's "Create Websocket Feeds".

    `data` is any JSON, null where a bot published a topic alone; its numbers are `int`, or `Decimal` with the digits
    that came.
    """

    type: str
    data: Any = None


FEED: msgspec.json.Decoder[FeedMessage] = msgspec.json.Decoder(FeedMessage, float_hook=exact_number)
