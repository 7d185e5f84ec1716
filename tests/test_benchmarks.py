"""Benchmarks measure nothing here; that they still run, and that both sides of a ratio agree, is checked."""

from __future__ import annotations

import pytest

from tests.benchmarks import b2trader, costs


def test_costs_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(costs, "TURNS", 1)
    costs.run()
    assert "frame to record" in capsys.readouterr().out


def test_b2trader_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(b2trader, "ROUNDS", 1)
    b2trader.run()
    assert "bytes to merged book" in capsys.readouterr().out
