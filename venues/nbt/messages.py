"""What an NBT hub's events carry, and what is sent to one.

Document: "Web Socket API specifications" of the NBT hub. What it leaves out (numbers as texts, `score`, `close_price`,
the close and stop signals, `message` and `user_payload`) was seen in public clients of the hub.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Raw, Struct

from venues.errors import BadMessage
from venues.toolkit.any_json import any_json
from venues.toolkit.decoding import Reader
from venues.toolkit.numbers import JsonNumber, optional
from venues.toolkit.written import Writer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal


class SignalData(Struct):
    """The payload of every signal event; which fields there are depends on the event.

        {"userid":"1472","nickname":"ann","stratid":"681","stratname":"trend","pair":"GXSUSDT","price":"0.92450000",
         "new":false,"score":"NA"}

    Figures are numbers or texts. `new` tells a signal that opens from one that closes. Close and stop signals, and
    traded ones, have `trading_type` and `qty`; a close signal may have `close_price` instead of `price`.
    """

    pair: str
    userid: str | int | None = None
    nickname: str | None = None
    stratid: str | int | None = None
    stratname: str | None = None
    price: JsonNumber = None
    close_price: JsonNumber = None
    new: bool | None = None
    score: Any = None
    trading_type: str | None = None
    qty: JsonNumber = None
    message: Raw = Raw()
    stop_profit: JsonNumber = None
    stop_loss: JsonNumber = None


SIGNAL: Reader[SignalData] = Reader(SignalData)


def score_of(data: SignalData) -> Decimal | str | None:
    """The score as a number; a text that is no number as it is; None for "NA", or if it was not sent.

    Raises:
        BadMessage: neither a number nor a text.
    """
    score = data.score
    if isinstance(score, str) and score.upper() == "NA":
        return None
    try:
        return optional(score, "score")
    except BadMessage:
        if isinstance(score, str):
            return score
        raise


def extra_of(data: SignalData, score: Decimal | str | None) -> dict[str, Any] | None:
    """The documented fields that have no place of their own in a record; `stop_profit` and `stop_loss` in percent.

    Raises:
        BadMessage: a figure is not a number, or the message is nested too deeply.
        DECODE_ERRORS: `message` has a number that cannot be kept.
    """
    found = {
        "message": any_json(data.message, exactly=False) if len(data.message) else None,
        "stop_profit": optional(data.stop_profit, "stop_profit"),
        "stop_loss": optional(data.stop_loss, "stop_loss"),
        "score": score if isinstance(score, str) else None,
    }
    return {name: value for name, value in found.items() if value is not None} or None


def payload(key: str, fields: Mapping[str, Any]) -> str:
    """The JSON of a signal to be sent; the key first, numbers with the digits given."""
    return Writer().encode({"key": key, **fields}).decode()
