"""The frames of a ProfitView feed: one shape, whose data is whatever a bot published."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from venues.toolkit.any_json import check_depth, check_values, exact_number, with_signs
from venues.toolkit.decoding import read_again


class FeedMessage(Struct, gc=False):
    """`{"type": "merton_theo", "data": {"sym": "XBTUSD", "theo": 30012.5}}`; the document's "Create Websocket Feeds".

    `data` is any JSON, null where a bot published a topic alone; its numbers are `int`, or `Decimal` that are written
    as they came. `strategy` is in the feed of `mon bot run` with several scripts: whose message it is.
    """

    type: str
    data: Any = None
    strategy: Any = None


_FEED: msgspec.json.Decoder[FeedMessage] = msgspec.json.Decoder(FeedMessage, float_hook=exact_number)


def read_message(frame: bytes) -> FeedMessage:
    """The message of one frame of the feed.

    Raises:
        DECODE_ERRORS: it is no such message.
        BadMessage: its data is nested deeper than 128, or has too many values.
    """
    check_values(frame)
    try:
        message = _FEED.decode(frame)
    except msgspec.DecodeError as error:
        message, frame = read_again(_FEED, frame, error)
    check_depth(message.data, frame)
    signed = with_signs(None, frame)
    if signed is not None:
        message.data = signed.get("data")
    return message
