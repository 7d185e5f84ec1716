"""The signals that may be sent to an NBT hub, as its document has them; checked before anything is opened."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from venues.errors import BadMessage, UsageError
from venues.nbt.messages import payload
from venues.toolkit.decoding import excerpt
from venues.toolkit.numbers import number, shown, text_number
from venues.venue import Command, CommandKind, Subscription

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_NAME = 200
LONGEST_MESSAGE = 10_000


_NAMES = {"strategy": "stratname", "pair": "pair"}
_TRADED = {
    "strategy": "stratname",
    "strategy_id": "stratid",
    "trading_type": "trading_type",
    "pair": "pair",
    "qty": "qty",
}
_SERVER = Subscription("signals", options={"type": "server"})  # sends signals
_CLIENT = Subscription("signals", options={"type": "client"})
KINDS = {
    "buy": CommandKind(
        "buy_signal",
        _NAMES,
        {"price": "buy_price", "message": "message", "stop_profit": "stop_profit", "stop_loss": "stop_loss"},
        _SERVER,
    ),
    "sell": CommandKind("sell_signal", _NAMES, {"price": "sell_price"}, _SERVER),
    "traded-buy": CommandKind("traded_buy_signal", _TRADED, {}, _CLIENT),
    "traded-sell": CommandKind("traded_sell_signal", _TRADED, {}, _CLIENT),
}


class Signals:
    """The hub's commands, as its entry offers them."""

    kinds: Mapping[str, CommandKind] = KINDS

    def command(self, kind: str, fields: Mapping[str, Any], *, from_json: bool = False) -> Command:
        """The command that sends a signal, as `signal_command` makes it; raises UsageError."""
        return signal_command(kind, fields, from_json=from_json)

    def shown(self, kind: str, command: Command, url: str) -> str:
        """The text to confirm: the event, the hub, the `type` we connect with, and the payload without the key."""
        connects_as = KINDS[kind].subscription.options["type"]
        return f"{command.name} to {url} (type={connects_as}):\n{payload('[key]', command.fields)}"


SIGNALS = Signals()


def signal_command(kind: str, fields: Mapping[str, Any], *, from_json: bool = False) -> Command:
    """The command that sends a signal; `fields` are by our names; None: the field was not given.

    Numbers, also those in texts, go out as numbers with the digits given. `from_json`: the values have types, so a
    `qty` that is a text goes out as one; and messages name fields as they are, not as the options of those names.

    Raises:
        UsageError: an unknown kind, a field that is missing, that does not apply to the kind, or that is no good.
    """
    if not isinstance(kind, str) or kind not in KINDS:
        raise UsageError(f"expected one of {', '.join(KINDS)} as kind of signal, got {shown(kind)}")
    required, names = KINDS[kind].required, KINDS[kind].fields
    spelled = str if from_json else _as_option
    for field, value in fields.items():
        if value is not None and field not in names:
            takes = ", ".join(map(spelled, names))
            raise UsageError(f"{excerpt(spelled(field), 60)} does not apply to {kind}, which takes {takes}")
    missing = [spelled(field) for field in required if fields.get(field) is None]
    if missing:
        raise UsageError(f"{kind} needs {', '.join(missing)}")
    sent = {
        wire: _checked(field, fields[field], spelled(field))
        for field, wire in names.items()
        if fields.get(field) is not None
    }
    if from_json and isinstance(fields.get("qty"), str):
        sent["qty"] = fields["qty"]
    return Command(KINDS[kind].name, sent)


def _as_option(field: str) -> str:
    return f"--{field.replace('_', '-')}"


def _checked(field: str, value: Any, name: str) -> Any:
    match field:
        case "price" | "qty":
            return _number(name, value, positive=True)
        case "stop_profit" | "stop_loss":
            return _number(name, value, positive=False)
        case "message":
            return _message(name, value)
        case "strategy_id" if type(value) is int:
            return value
        case _:
            return _name(name, value)


def _number(name: str, value: Any, *, positive: bool) -> Decimal:
    try:
        found = text_number(value, name) if isinstance(value, str) else number(value, name)
    except BadMessage:
        found = Decimal("NaN")
    if not found.is_finite() or (positive and found <= 0):
        above = " above 0" if positive else ""
        raise UsageError(f"expected a number{above} such as 0.925 as {name}, got {shown(value)}")
    return found


def _name(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > LONGEST_NAME:
        raise UsageError(f"expected plain text of 1 to {LONGEST_NAME} characters as {name}, got {_got(value)}")
    return value


def _message(name: str, value: Any) -> Any:
    if type(value) in (int, Decimal):
        return _number(name, value, positive=False)
    if not isinstance(value, str) or len(value) > LONGEST_MESSAGE or not _is_unicode(value):
        raise UsageError(f"expected text of at most {LONGEST_MESSAGE} characters as {name}, got {_got(value)}")
    return value


def _is_unicode(text: str) -> bool:
    """Whether a text can be sent. Arguments that are not UTF-8 become surrogates, which JSON cannot have."""
    return not any(0xD800 <= ord(character) < 0xE000 for character in text)


def _got(value: Any) -> str:
    if isinstance(value, str):
        return f"{len(value)} characters" if len(value) > LONGEST_NAME else ascii(value)
    return excerpt(shown(value), 60)
