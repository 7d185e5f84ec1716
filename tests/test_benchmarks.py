"""Benchmarks measure nothing here; that they still run, and that both sides of a ratio agree, is checked."""

from __future__ import annotations

import pytest

from tests.benchmarks import b2trader, bot, conditions, costs


def test_costs_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, few in (("TURNS", 1), ("DRAWS", 1), ("TRADES", 200), ("BOOKS", 20)):
        monkeypatch.setattr(costs, name, few)
    costs.run()
    assert "frame to record" in capsys.readouterr().out


def test_conditions_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(conditions, "TURNS", 1)
    monkeypatch.setattr(conditions, "TRADES", 200)
    conditions.run()
    assert "a trade" in capsys.readouterr().out


def test_b2trader_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(b2trader, "ROUNDS", 1)
    b2trader.run()
    assert "bytes to merged book" in capsys.readouterr().out


def test_bot_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bot, "TRADES", 500)
    monkeypatch.setattr(bot, "TURNS", 1)
    bot.run()
    assert "bot with one candle callback" in capsys.readouterr().out
