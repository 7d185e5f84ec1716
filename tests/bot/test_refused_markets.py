"""A bot whose venue refuses some of its symbols, on several connections."""

from __future__ import annotations

import pytest

import venues
from tests import ackvenue
from tests.bot.conftest import HEAD, Runs
from tests.test_acknowledged_cli import serving, some_are_unknown

BOT = HEAD + "class Signals(Link):\n    def trade_update(self, src, sym, data): pass\n"


def test_all_refused_symbols_are_named(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ackvenue, "MOST", 1)
    known: dict[str, venues.Entry] = dict(venues.VENUES)
    ackvenue.known(known.__setitem__)
    monkeypatch.setattr(venues, "VENUES", known)
    with serving(some_are_unknown) as (venue, env):
        monkeypatch.setenv("MON_ACKS_URL", env["MON_ACKS_URL"])
        ran = runs(BOT, "acks:S1", "acks:S3", "acks:S77")
        assert {connection for connection, _ in venue.asked} == {1, 2, 3}
    assert ran.code == 4
    assert str(ran.problem) == "acks refuses trades of S3, S77 (no such pair:)"
