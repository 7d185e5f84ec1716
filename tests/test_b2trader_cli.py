"""`mon … b2trader --env sim` as a person and as a script run it."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.warmed import run

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

MARKETS = ("spot.btc_usdt", "spot.eth_usdt")
RUNS = {
    "orders": (),
    "positions": (),
    "closed": (),
    "balance": (),
    "margin": (),
    "ping": (),
    "book": MARKETS[:1],
    "candles": (*MARKETS[:1], "--interval", "15m"),
    "quotes": MARKETS,
    "ticker": MARKETS,
    "watchlist": MARKETS,
}
SINGLE = ("margin", "ping", "book", "candles")


def mon(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MON_")}
    environment = clean | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "COLUMNS": "80"}
    return run([sys.executable, "-m", "cli", *arguments], environment, timeout=60)


@pytest.mark.parametrize("stream", RUNS)
def test_once_is_a_full_state(stream: str, tmp_path: Path) -> None:
    done = mon(tmp_path, stream, "b2trader", *RUNS[stream], "--env", "sim", "--once")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["env"] for line in lines} == {"sim"}
    if stream in SINGLE:
        assert len(lines) == 1
    else:
        assert (lines[-1]["type"], lines[-1]["count"]) == ("snapshot_end", len(lines) - 1)


@pytest.mark.parametrize("stream", RUNS)
def test_the_same_as_a_table(stream: str, tmp_path: Path) -> None:
    done = mon(tmp_path, stream, "b2trader", *RUNS[stream], "--env", "sim", "--once", "-o", "table")
    assert done.returncode == 0
    assert "SIM" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_mistakes_have_their_exit_codes(tmp_path: Path) -> None:
    cases = [
        (("quotes", "b2trader", "--env", "sim"), 2, "needs a symbol"),
        (("book", "b2trader", *MARKETS, "--env", "sim"), 2, "takes one symbol"),
        (("orders", "b2trader", *MARKETS, "--env", "sim"), 2, "takes no symbol"),
        (("candles", "b2trader", MARKETS[0], "--interval", "3m", "--env", "sim"), 2, "5m, 15m"),
        (("trades", "b2trader", MARKETS[0], "--env", "sim"), 2, "has no stream trades"),
        (("orders", "b2trader"), 3, "MON_B2TRADER_URL"),
        (("book", "b2trader", "spot.nope_usdt", "--env", "sim"), 4, "spot.nope_usdt"),
    ]
    for arguments, code, words in cases:
        done = mon(tmp_path, *arguments)
        assert done.returncode == code, (arguments, done.stderr)
        assert words in done.stderr
        assert "Traceback" not in done.stderr
