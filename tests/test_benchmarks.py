"""Benchmarks measure nothing here; that they still run, and that both sides of a ratio agree, is checked."""

from __future__ import annotations

import pytest

from tests.benchmarks import b2trader, costs


def test_costs_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, few in (("TURNS", 1), ("DRAWS", 1), ("TRADES", 200), ("BOOKS", 20)):
        monkeypatch.setattr(costs, name, few)
    costs.run()
    assert "frame to record" in capsys.readouterr().out


def test_b2trader_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(b2trader, "ROUNDS", 1)
    b2trader.run()
    assert "bytes to merged book" in capsys.readouterr().out
