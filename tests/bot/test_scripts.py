"""Scripts of our own that use what public ones use, one technique each; see `scripts/`.

Each runs live on every simulated venue with trades, and twice on the same 30 days, which must be equal to the byte.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import json
import os
import re
import selectors
import signal
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from cli.bot.script_api import KINDS
from tests.bot.service import service
from tests.command import environment, mon, records, started
from venues import VENUES, venue_named

FOLDER = Path(__file__).with_name("scripts")
BESIDE = "beside.py"  # a module, and no script
FILES = {file.stem: file for file in sorted(FOLDER.glob("*.py")) if file.name != BESIDE}
TOKEN = "a-token-that-is-long-enough"
# What each emits: the topics of its messages, and what its signals have.
EMITS = {
    "configured": {"the band of the file"},
    "cron_every": {"size", "counted"},
    "cron_expression": {"woken"},
    "cron_level": {"size"},
    "cron_waits": {"beat"},
    "event_loop": {"turned"},
    "headlines": {"size"},
    "levels": {"size", "levels"},
    "link_init": {"size"},
    "looks_up": {"mid bid ask", "looked"},
    "own_init": {"size", "mean"},
    "routes": {"prices"},
    "stops": {"size", "alive"},
    "threads": {"size", "watched", "timer"},
    "throttled": {"trouble"},
    "two_sided": {"quote", "two_sided"},
    "vaults": {"size"},
    "waits_for_a_quote": {"size mid", "middle"},
    "with_modules": {"quote"},
}
ELSEWHERE = ("headlines", "vaults")  # their signals are for markets that nobody watches here
# What waits for something that a recording has no time for, by the name of its thread; the order of all else is fixed.
UNORDERED = {"headlines": "headlines.py: read", "vaults": "vaults.py: follow", "event_loop": "event loop"}
OF_THE_MACHINE = (
    " took ",
    " behind",
    " caught up",
    " has been running for ",
)  # said of a machine that is slow just now
SOON = {"threads.EVERY": 1, "with_modules.EVERY": 1, "stops.LOSSES": 1, "routes.EVERY": 1}  # of a live run
WITH_TRADES = [name for name in VENUES if {"trades", "quotes"} <= set(venue_named(name).streams)]


def whose(record: dict[str, Any]) -> str:
    """The script that a record is of."""
    name = record.get("strategy") or record["extra"]["strategy"]
    assert isinstance(name, str)
    return name


def what(record: dict[str, Any]) -> str:
    """The topic of a message, or what a signal has."""
    return str(record["topic"]) if record["type"] == "message" else " ".join(kind for kind in KINDS if kind in record)


def emitted(found: list[dict[str, Any]]) -> dict[str, set[str]]:
    """What each script has emitted."""
    by: dict[str, set[str]] = {}
    for record in found:
        if record["type"] in ("message", "signal"):
            by.setdefault(whose(record), set()).add(what(record))
    return by


def test_each_script_says_which_technique_it_stands_for() -> None:
    assert FILES.keys() == EMITS.keys()
    for file in FILES.values():
        words = ast.get_docstring(ast.parse(file.read_text()))
        assert words is not None, file.name
        assert "\n" not in words, file.name


# --- live


@dataclass
class Live:
    """A run of all scripts, and what came of it so far."""

    process: Popen[str]
    found: list[dict[str, Any]] = field(default_factory=list)
    rest: bytes = b""

    def until_all(self, wanted: dict[str, set[str]], seconds: float) -> None:
        """Read until each script has emitted what it should, or for so long."""
        assert self.process.stdout is not None
        descriptor, deadline = self.process.stdout.fileno(), time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while time.monotonic() < deadline and self.missing(wanted):
                if selector.select(0.2):
                    *lines, self.rest = (self.rest + os.read(descriptor, 65_536)).split(b"\n")
                    self.found += [json.loads(line) for line in lines]

    def missing(self, wanted: dict[str, set[str]]) -> dict[str, set[str]]:
        """What has not come yet."""
        by = emitted(self.found)
        return {name: left for name, kinds in wanted.items() if (left := kinds - by.get(name, set()))}


@contextlib.contextmanager
def live(home: Path, venue: str, address: str) -> Iterator[Live]:
    """All scripts on the embedded simulator of a venue."""
    env = environment(
        home,
        HEADLINES_URL=f"{address}/rss",
        VAULTS_URL=address,
        SCRIPT_SECONDS="0.3",
        CONFIGURED_BAND="0.00001",
        MON_BOT_TOKEN=TOKEN,
    )
    market = f"{venue}:{venue_named(venue).example}"
    settings = [word for name, value in SOON.items() for word in ("--set", f"{name}={value}")]
    run = ("bot", "run", *map(str, FILES.values()), "--market", market, "--env", "sim", *settings)
    with (home / "said").open("w") as said, started(*run, env=env, stderr=said) as process:
        yield Live(process)


def posted(home: Path, symbol: str, venue: str) -> tuple[Any, Any]:
    """What the two routes answer."""
    address = re.search(r"http://[^\s]*?/trading/signal/", (home / "said").read_text())
    assert address is not None, (home / "said").read_text()
    at = f"{address[0]}{TOKEN}/routes"
    body = json.dumps({"src": venue, "sym": symbol, "size": -0.125}).encode()
    post = urllib.request.Request(f"{at}/position", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(post, timeout=20) as answer:
        done = json.load(answer)
    with urllib.request.urlopen(f"{at}/price?sym={urllib.parse.quote(symbol)}", timeout=20) as answer:
        return done, json.load(answer)


@pytest.mark.parametrize("venue", WITH_TRADES)
def test_all_run_live_on_a_simulated_venue(venue: str, tmp_path: Path) -> None:
    symbol = venue_named(venue).example
    with service() as address, live(tmp_path, venue, address) as run:
        run.until_all(EMITS, 40)
        assert not run.missing(EMITS), (tmp_path / "said").read_text()
        done, price = posted(tmp_path, symbol, venue)
        assert done == {"data": {"done": True}}
        assert price["data"]["price"] > 0
        run.until_all({"routes": {"size"}}, 20)
        run.process.send_signal(signal.SIGINT)
        run.process.communicate(timeout=30)
    assert run.process.returncode == 130
    said = (tmp_path / "said").read_text()
    assert "Traceback" not in said
    assert "nowhere: HTTP Error 500" in said, "a service that fails is the script's to tell"
    asked = [one for one in run.found if one["type"] == "signal" and whose(one) == "routes"]
    assert [one["size"] for one in asked] == [-0.125]
    for one in run.found:
        if one["type"] == "signal":
            check(one, venue, symbol)


def check(one: dict[str, Any], venue: str, symbol: str) -> None:
    """What is true of every signal of these scripts."""
    market = (one["venue"], one["symbol"])
    assert (market == (venue, symbol)) != (whose(one) in ELSEWHERE), one
    assert abs(one.get("size", 0)) <= 1
    if "quote" in one:
        bid, ask = one["quote"] if isinstance(one["quote"], list) else [one["quote"]] * 2
        assert 0 < bid <= ask


# --- on a recording


@dataclass
class Replayed:
    """What a run on the recording brought."""

    out: str
    said: str

    def ordered(self) -> tuple[list[str], list[str]]:
        """What must be equal in all runs: lines of the output and of stderr, but those of what is not ordered."""
        out = [line for line in self.out.splitlines() if whose(json.loads(line)) not in UNORDERED]
        names = (*UNORDERED, *UNORDERED.values(), *OF_THE_MACHINE)
        said = [
            text for text in re.split(r"^(?=mon: )", self.said, flags=re.M) if not any(name in text for name in names)
        ]
        return out, "".join(said).splitlines()


def month(folder: Path) -> Path:
    """30 days of made-up trades, with quotes; fewer than usual, since many scripts get each."""
    made = ("sim", "--trades", "30d", "--seed", "7", "--rate", "0.002", "--quotes", "--out", str(folder / "r.jsonl"))
    ran = mon(*made, env=environment(folder), seconds=60)
    assert ran.returncode == 0, ran.stderr
    return folder / "r.jsonl"


def replayed(recording: Path) -> Replayed:
    """A run of all scripts on a recording; its service is slow at first."""
    with service(slow=3) as address:
        env = environment(recording.parent, HEADLINES_URL=f"{address}/rss", VAULTS_URL=address)
        run = ("bot", "run", *map(str, FILES.values()), "--replay", str(recording), "--speed", "max")
        ran = mon(*run, "--set", "event_loop.SECONDS=3", env=env, seconds=300)
    assert ran.returncode == 0, ran.stderr
    return Replayed(ran.stdout, ran.stderr)


@pytest.mark.slow("thirty days, all scripts, twice")
@pytest.mark.timeout(660)
def test_two_runs_on_thirty_days_are_equal_to_the_byte(tmp_path: Path) -> None:
    """But for what a replay cannot order, which is told."""
    runs = [replayed(recording) for recording in [month(tmp_path)] * 2]
    first, second = (run.ordered() for run in runs)
    assert len(first[0]) > 10_000
    assert first[0] == second[0]
    assert "\n".join(difflib.unified_diff(first[1], second[1], lineterm="", n=0)) == ""
    for run in runs:
        check_told(run)
    check_whole(runs[0])


def check_told(run: Replayed) -> None:
    """That whatever is not ordered is told, once."""
    told = [line for line in run.said.splitlines() if "two runs may differ" in line]
    names = Counter(line.removeprefix("mon: ").partition(" waits for ")[0] for line in told)
    assert names == Counter(UNORDERED.values())


def check_whole(run: Replayed) -> None:
    """That each script has emitted on the recording what it should."""
    found = records(run.out)
    assert emitted(found) == EMITS
    assert "Traceback" not in run.said
    for one in found:
        if one["type"] == "signal":
            check(one, "nexus", "SPOT_BTC_USDT")
    counted = Counter(whose(one) for one in found if what(one) in ("woken", "beat", "looked"))
    assert counted == {"cron_expression": 1 + 22, "cron_waits": 719, "looks_up": 720}
    stopped = [one["received"] for one in found if whose(one) == "stops"]
    assert max(stopped) - min(stopped) < 86_400_000, "nothing comes after it has stopped itself"
