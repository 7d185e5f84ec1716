"""A bot whose venue refuses some of its symbols, on several connections."""

from __future__ import annotations

from typing import Any

import pytest

import venues
from tests import ackvenue
from tests.bot.conftest import HEAD, Runs
from tests.test_acknowledged_cli import ack, serving, some_are_unknown, trade

BOT = HEAD + "class Signals(Link):\n    def trade_update(self, src, sym, data): pass\n"


@pytest.fixture
def acks(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[str, venues.Entry] = dict(venues.VENUES)
    ackvenue.known(known.__setitem__)
    monkeypatch.setattr(venues, "VENUES", known)


@pytest.mark.usefixtures("acks")
def test_all_refused_symbols_are_named(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ackvenue, "MOST", 1)
    with serving(some_are_unknown) as (venue, env):
        monkeypatch.setenv("MON_ACKS_URL", env["MON_ACKS_URL"])
        ran = runs(BOT, "acks:S1", "acks:S3", "acks:S77")
        assert {connection for connection, _ in venue.asked} == {1, 2, 3}
    assert ran.code == 4
    assert str(ran.problem) == "acks refuses trades of S3, S77 (no such pair:)"


@pytest.mark.usefixtures("acks")
def test_a_market_that_was_down_and_is_closed_then_is_told(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the script was told before was that the market gives no quotes until it is live again."""
    monkeypatch.setattr("venues.toolkit.acknowledgements.RETURNS_WITHIN", 0.5)

    def answers(request: dict[str, Any], connection: int, tries: int) -> list[dict[str, Any]]:
        if connection == 1:
            return [ack("trades", "S1"), ack("trades", "S2"), {"close": True}]
        refused = {"no": "trades", "symbol": "S2", "why": "halted"}
        late = [{"sleep": 0.8}, *(trade("S1") for _ in range(3))]
        return [ack("trades", "S1"), trade("S1"), refused, *late] if tries == 1 else [refused]

    with serving(answers) as (_, env):
        monkeypatch.setenv("MON_ACKS_URL", env["MON_ACKS_URL"])
        emits = "def trade_update(self, src, sym, data): self.publish(sym, data['price'])\n"
        ran = runs(HEAD + f"class Signals(Link):\n    {emits}", "acks:S1", "acks:S2", count=4)
    assert ran.code == 0
    assert "acks:S2 is reconnecting: " in ran.said
    closed = "acks:S2 is closed: acks refuses trades of S2 (halted); given up after 10 min; it gives no more quotes"
    assert ran.said.count(closed) == 1
