"""What is said of a signal that cannot be sent, whole; and the longest and oddest that can be."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from venues.errors import UsageError
from venues.nbt.sending import LONGEST_MESSAGE, LONGEST_NAME, SIGNALS, signal_command

BUY = {"strategy": "S", "pair": "P"}
TRADED = {"strategy": "S", "strategy_id": "7", "trading_type": "real", "pair": "P", "qty": "1"}


def refused(kind: Any, fields: dict[str, Any], *, from_json: bool = False) -> str:
    with pytest.raises(UsageError) as caught:
        signal_command(kind, fields, from_json=from_json)
    return str(caught.value)


@pytest.mark.parametrize(("kind", "got"), [("hold", '"hold"'), (None, "null"), (7, "7"), ([], "[]")])
def test_an_unknown_kind(kind: Any, got: str) -> None:
    assert refused(kind, BUY) == f"expected one of buy, sell, traded-buy, traded-sell as kind of signal, got {got}"


@pytest.mark.parametrize(
    ("kind", "fields", "from_json", "said"),
    [
        ("sell", {**BUY, "qty": "1"}, False, "--qty does not apply to sell, which takes --strategy, --pair, --price"),
        ("sell", {**BUY, "qty": "1"}, True, "qty does not apply to sell, which takes strategy, pair, price"),
        (
            "sell",
            {**BUY, "qty": None, "x_y": 1},
            False,
            "--x-y does not apply to sell, which takes --strategy, --pair, --price",
        ),
        ("buy", {}, False, "buy needs --strategy, --pair"),
        ("buy", {"pair": "P"}, True, "buy needs strategy"),
        ("traded-buy", {**TRADED, "strategy_id": None}, False, "traded-buy needs --strategy-id"),
        ("traded-buy", {**TRADED, "strategy_id": None}, True, "traded-buy needs strategy_id"),
    ],
)
def test_fields_that_are_missing_or_do_not_apply(kind: str, fields: Any, from_json: bool, said: str) -> None:
    assert refused(kind, fields, from_json=from_json) == said


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("price", "0", 'expected a number above 0 such as 0.925 as --price, got "0"'),
        ("price", Decimal(-1), "expected a number above 0 such as 0.925 as --price, got -1"),
        ("stop_loss", "x", 'expected a number such as 0.925 as --stop-loss, got "x"'),
        ("pair", "", "expected plain text of 1 to 200 characters as --pair, got ''"),
        ("pair", " ", "expected plain text of 1 to 200 characters as --pair, got ' '"),
        ("pair", "a\tb", "expected plain text of 1 to 200 characters as --pair, got 'a\\tb'"),
        ("pair", "x" * 201, "expected plain text of 1 to 200 characters as --pair, got 201 characters"),
        ("pair", 7, "expected plain text of 1 to 200 characters as --pair, got 7"),
        ("message", "x" * 10_001, "expected text of at most 10000 characters as --message, got 10001 characters"),
        ("message", "\udc80", "expected text of at most 10000 characters as --message, got '\\udc80'"),
        ("message", True, "expected text of at most 10000 characters as --message, got true"),
    ],
)
def test_values_that_are_no_good(field: str, value: Any, said: str) -> None:
    assert refused("buy", {**BUY, field: value}) == said


def test_the_longest_texts_and_every_number_that_can_be_sent() -> None:
    longest = {
        "pair": "x" * LONGEST_NAME,
        "message": "y" * LONGEST_MESSAGE,
        "stop_profit": "0",
        "stop_loss": Decimal(-5),
    }
    fields = signal_command("buy", {**BUY, **longest, "price": 1}).fields
    numbers = {"buy_price": Decimal(1), "stop_profit": Decimal(0), "stop_loss": Decimal(-5)}
    assert fields == {"stratname": "S", "pair": longest["pair"], "message": longest["message"], **numbers}
    assert signal_command("buy", {**BUY, "message": ""}).fields["message"] == ""
    assert signal_command("buy", {**BUY, "message": 0}).fields["message"] == 0


@pytest.mark.parametrize(
    ("given", "from_json", "sent"), [("0.50", True, "0.50"), ("0.50", False, Decimal("0.50")), (2, True, Decimal(2))]
)
def test_a_quantity_that_was_a_text_in_json_stays_one(given: Any, from_json: bool, sent: Any) -> None:
    found = signal_command("traded-sell", {**TRADED, "qty": given}, from_json=from_json).fields["qty"]
    assert (found, type(found)) == (sent, type(sent))
    assert signal_command("buy", BUY, from_json=True).fields == {"stratname": "S", "pair": "P"}


@pytest.mark.parametrize(("given", "sent"), [(7, 7), ("7", "7"), (0, 0)])
def test_an_id_is_a_whole_number_or_a_text(given: Any, sent: Any) -> None:
    found = signal_command("traded-buy", {**TRADED, "strategy_id": given}).fields["stratid"]
    assert (found, type(found)) == (sent, type(sent))
    for wrong in (True, 1.5):
        assert refused("traded-buy", {**TRADED, "strategy_id": wrong}).startswith(
            "expected plain text of 1 to 200 char"
        )


@pytest.mark.parametrize(
    ("kind", "fields", "shown"),
    [
        ("buy", BUY, 'buy_signal to ws://hub (type=server):\n{"key":"[key]","stratname":"S","pair":"P"}'),
        (
            "traded-buy",
            TRADED,
            "traded_buy_signal to ws://hub (type=client):\n"
            '{"key":"[key]","stratname":"S","stratid":"7","trading_type":"real","pair":"P","qty":1}',
        ),
    ],
)
def test_what_is_shown_before_it_is_sent(kind: str, fields: dict[str, Any], shown: str) -> None:
    assert SIGNALS.shown(kind, SIGNALS.command(kind, fields), "ws://hub") == shown
