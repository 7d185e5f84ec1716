"""Benchmarks measure nothing here; that they still run, and that both sides of a ratio agree, is checked."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.benchmarks import __main__ as benchmarks
from tests.benchmarks import b2trader, book_sizes, bot, conditions, costs, figures, latency, peers, signalr
from tests.benchmarks.sender import messages, sending


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


def test_sizes_of_books_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, few in (("TURNS", 1), ("STEPS", 50), ("SIZES", (20, 200))):
        monkeypatch.setattr(book_sizes, name, few)
    book_sizes.run()
    assert "always the best, 200 levels" in capsys.readouterr().out


def test_the_figures_are_written_as_json(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(b2trader, "ROUNDS", 1)
    monkeypatch.setattr(figures, "MEASURED", [])
    monkeypatch.setattr(benchmarks, "MEASURED", figures.MEASURED)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--json", str(tmp_path / "figures.json"), "b2trader"])
    benchmarks.main()
    written = json.loads((tmp_path / "figures.json").read_text())
    assert written["machine"]["cores"]
    assert {"name", "figure", "ratio", "limit", "holds"} == written["figures"][0].keys()
    assert written["figures"][0]["name"] in capsys.readouterr().out


def test_an_unknown_benchmark_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "tades"])
    with pytest.raises(SystemExit) as ended:
        benchmarks.main()
    assert ended.value.code == 2
    assert "no benchmark tades; there are book," in capsys.readouterr().err


def test_what_is_sent_is_what_was_asked_for() -> None:
    with sending(3, rate=1_000, times=2) as port, connect(f"ws://127.0.0.1:{port}/ws/key/SPOT_BTC_USDT") as client:
        assert [text.encode() for text in client] == [*messages(3)] * 2


def test_what_was_inside_is_counted_message_by_message() -> None:
    read, done = [(10.0, 1), (12.0, 2), (13.0, 1)], [(10.1, 1), (12.25, 1), (13.5, 2)]
    assert list(latency._inside(read, done)) == [0.25, 1.5, 0.5]


def test_peers_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(peers, "MESSAGES", 20_000)
    monkeypatch.setattr(peers, "TURNS", 1)
    monkeypatch.setattr(peers, "commands", lambda: {"wscat | jq": "seq 15000; sleep 0.1; seq 15000"})
    peers.run()
    shown = capsys.readouterr().out
    assert "mon trades --fields / wscat | jq" in shown
    assert "websocat | jq" in shown
    assert "it is not installed" in shown


def test_the_reference_client_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which("node") is None or not (signalr.MODULES / "@microsoft" / "signalr").exists():
        pytest.skip("needs node, and @microsoft/signalr in tests/interop/node_modules")
    monkeypatch.setattr(signalr, "MESSAGES", 300)
    monkeypatch.setattr(signalr, "TURNS", 1)
    signalr.run()
    assert "@microsoft/signalr, the book merged" in capsys.readouterr().out
