"""Several scripts in one run, and what the user sets of each."""

from __future__ import annotations

import json
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Any

import pytest

from cli import main
from cli.bot import view
from cli.bot.attributes import NotSettable, value_of
from cli.bot.seat import Seat
from cli.bot.timing.script_time import ScriptTime
from cli.screen.grid import PLAIN
from tests.bot.conftest import HEAD
from tests.bot.recordings import record_trades, walk
from tests.command import environment, mon, records
from venues.profitview.messages import read_message
from venues.records import Message, Signal

EACH = (
    HEAD + "class Signals(Link):\n    SIZE = 0.5\n    EVERY = 10\n    seen = 0\n"
    "    def trade_update(self, src, sym, data):\n        self.seen += 1\n"
    "        if self.seen % self.EVERY == 0:\n            self.signal(src, sym, size=self.SIZE)\n"
)
TALKS = (
    HEAD + "class Signals(Link):\n    def trade_update(self, src, sym, data):\n"
    "        self.publish('price', data['price'])\n        print('seen', data['price'])\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.py").write_text(EACH)
    (tmp_path / "b.py").write_text(EACH)
    (tmp_path / "talks.py").write_text(TALKS)
    record_trades(tmp_path / "r.jsonl", walk(30, seed=1, every_ms=900))
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    replay = ("--replay", str(folder / "r.jsonl"), "--speed", "max")
    paths = [str(folder / one) if one.endswith(".py") else one for one in arguments]
    ran = mon("bot", "run", *paths, *replay, env=environment(folder))
    return ran.returncode, records(ran.stdout), ran.stderr


def test_each_script_has_its_name_in_what_it_emits_and_settings_of_its_own(folder: Path) -> None:
    code, found, said = run(folder, "a.py", "b.py", "--set", "a.SIZE=-1", "--set", "b.EVERY=15")
    assert code == 0, said
    signals = [(one["strategy"], one["size"]) for one in found if one["type"] == "signal"]
    assert signals == [("a", -1), ("b", 0.5), ("a", -1), ("a", -1), ("b", 0.5)]
    assert "mon: a: 3 position signals" in said
    assert "mon: b: 2 position signals" in said


def test_two_runs_of_several_scripts_are_equal(folder: Path) -> None:
    runs = {json.dumps(run(folder, "a.py", "talks.py", "b.py")[1]) for _ in range(3)}
    assert len(runs) == 1


def test_messages_and_prints_say_whose_they_are(folder: Path) -> None:
    _, found, said = run(folder, "a.py", "talks.py")
    assert {one["extra"]["strategy"] for one in found if one["type"] == "message"} == {"talks"}
    assert said.count("[talks] seen ") == 30


HELPERS = """\
from profitview import Link, logger
WHOSE = "{whose}"
class Base(Link):
    def tell(self, src, sym): self.signal(src, sym, size=0.1)
"""
USES = """\
import helpers, inner.deep
from without_file import deeper
class Signals(helpers.Base):
    told = False
    def trade_update(self, src, sym, data):
        if not self.told:
            self.told = True
            self.tell(src, sym)
            from profitview import logger
            import late, inner.later as later
            logger.info("seen")
            helpers.logger.info("seen by helpers")
            self.publish("whose", [helpers.WHOSE, inner.deep.WHOSE, late.WHOSE, later.late.WHOSE, deeper.WHOSE])
"""


def test_a_module_of_the_scripts_folder_is_each_scripts_own(tmp_path: Path) -> None:
    """Also where two folders have one of the same name, where it makes the class, and where it comes in a callback."""
    for folder, name in (("x", "one"), ("y", "two"), ("x", "three")):
        home = tmp_path / folder
        (home / "inner").mkdir(parents=True, exist_ok=True)
        (home / "without_file").mkdir(exist_ok=True)
        (home / "without_file" / "deeper.py").write_text(f"WHOSE = {folder!r}\n")
        (home / "inner" / "__init__.py").write_text("")
        (home / "inner" / "deep.py").write_text(f"WHOSE = {folder!r}\n")
        (home / "inner" / "later.py").write_text("import late\n")
        (home / "helpers.py").write_text(HELPERS.format(whose=folder))
        (home / "late.py").write_text(f"WHOSE = {folder!r}\n")
        (home / f"{name}.py").write_text(USES)
    record_trades(tmp_path / "r.jsonl", walk(3, seed=1, every_ms=900))
    code, found, said = run(tmp_path, "x/one.py", "y/two.py", "x/three.py")
    assert code == 0, said
    assert [one["strategy"] for one in found if one["type"] == "signal"] == ["one", "two", "three"]
    assert [one["data"] for one in found if one["type"] == "message"] == [["x"] * 5, ["y"] * 5, ["x"] * 5]
    for name in ("one", "two", "three"):
        assert f"[{name}] INFO: seen\n" in said
        assert f"[{name}] INFO: seen by helpers\n" in said


def test_one_script_says_no_strategy(folder: Path) -> None:
    _, found, _ = run(folder, "a.py")
    assert all("strategy" not in one for one in found)


def test_a_report_has_every_script(folder: Path) -> None:
    run(folder, "a.py", "b.py", "--report", str(folder / "report.json"))
    scripts = json.loads((folder / "report.json").read_text())["scripts"]
    assert [one["strategy"] for one in scripts] == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.py", "--set", "SISE=1"], "a.py has no attribute SISE to --set; is it meant to be SIZE?"),
        (["a.py", "--set", "size=1"], "a.py has no attribute size to --set; is it meant to be SIZE?"),
        (["a.py", "--set", "EVERY=1.5"], "expected a whole number as --set EVERY=VALUE"),
        (["a.py", "--set", "SIZE=much"], "expected a number as --set SIZE=VALUE"),
        (["a.py", "--set", "SIZE"], 'expected --set NAME=VALUE, got "SIZE"'),
        (["a.py", "--set", "SIZE=1", "--set", "SIZE=2"], "expected each --set once, got SIZE twice"),
        (["a.py", "--set", "signal=1"], "a.py has no attribute signal to --set"),
        (["a.py", "--set", "b.SIZE=1"], "expected a script of this run (a)"),
        (["a.py", "b.py", "--set", "SIZE=1"], "expected --set SCRIPT.NAME=VALUE"),
        (["a.py", "b.py", "--set", "c.SIZE=1"], "expected a script of this run (a, b)"),
        (["talks.py", "--set", "SIZE=1"], "its class has none"),
        (["a.py", "a.py"], "got a twice"),
        (["a.py", "b.py", "--relay", "nbt", "--strategy", "x"], "--strategy is the name of one script"),
        (["a.py", "b.py", "--relay", "nbt", "--held", "nexus:A=long"], "since each script has its own"),
    ],
)
def test_what_is_no_setting_is_a_usage_error(
    folder: Path, arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    assert main.run(["bot", "run", *arguments, "--replay", "r.jsonl", "--speed", "max"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert words in err


class Way(StrEnum):
    BUY = "buy"
    SELL = "sell"


class Number(IntEnum):
    ONE = 1
    TWO = 2


class Pair(Enum):
    FIRST = (1, 2)
    SECOND = (3, 4)


@pytest.mark.parametrize(
    ("text", "present", "value"),
    [
        ("1", 2, 1),
        ("-1_000", 2, -1000),
        ("1", 2.0, 1.0),
        ("1e-3", 2.0, 0.001),
        ("-Infinity", 2.0, float("-inf")),
        ("TRUE", False, True),
        ("false", True, False),
        ("0.10", Decimal(1), Decimal("0.10")),
        ("a=b", "x", "a=b"),
        ("", "x", ""),
        ("[1, 2]", [3], [1, 2]),
        ('["a"]', ("b",), ("a",)),
        ('{"a": 1}', {}, {"a": 1}),
        ("[1]", {2}, {1}),
        ("SELL", Way.BUY, Way.SELL),
        ("sell", Way.BUY, Way.SELL),
        ("2", Number.ONE, Number.TWO),
        ("TWO", Number.ONE, Number.TWO),
        ("[3, 4]", Pair.FIRST, Pair.SECOND),
        ("null", None, None),
        ("7", None, 7),
        ("text", None, "text"),
    ],
)
def test_a_value_has_the_type_of_the_one_before(text: str, present: Any, value: Any) -> None:
    found = value_of(text, present)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "present"),
    [
        *(
            ("1.0", 1),
            ("one", 1),
            ("", 1),
            ("9" * 61, 1),
            ("1__0", 1),
            ("1_", 1),
            ("_", 1),
            ("١", 1),
            ("x", 1.0),
            ("1e400", 1.0),
            ("-9e999", 1.0),
            ("1", True),
            ("yes", True),
            ("x", Decimal(1)),
        ),
        *(("HOLD", Way.BUY), ("3", Number.ONE), ("one", Number.ONE)),
        *(("1", [2]), ("{}", [2]), ("[1]", {}), ("[[1]]", {1}), ("{", []), ("1", object()), ("[" * 100_000, [])),
    ],
)
def test_a_value_of_another_type_is_none(text: str, present: Any) -> None:
    with pytest.raises(NotSettable):
        value_of(text, present)


def test_a_table_says_whose_each_row_is() -> None:
    """Only where there are several scripts."""
    signal = Signal(venue="nexus", symbol="A", received=1, name="signal", size=Decimal(1), strategy="rsi")
    message = Message(venue="bot", received=2, topic="top", data=1, extra={"strategy": "desk"})
    headings = [[column.title for column in view.columns(rows, PLAIN, 80)] for rows in ([signal, message], [])]
    assert [("script" in found) for found in headings] == [True, False]
    (script,) = [column for column in view.columns([signal, message], PLAIN, 80) if column.title == "script"]
    assert [str(cell) for cell in script.cells] == ["rsi", "desk"]


def test_a_message_on_the_feed_says_whose_it_is_where_there_are_several(tmp_path: Path) -> None:
    for strategy, more in ((None, {}), ("desk", {"strategy": "desk"})):
        frames: list[bytes] = []
        seat = Seat(
            tmp_path / "desk.py", ScriptTime(), set(), None, put=lambda *_: None, send=frames.append, strategy=strategy  # type: ignore[arg-type]
        )  # fmt: skip
        seat.publish("top", [1])
        assert [json.loads(frame) for frame in frames] == [{"type": "top", "data": [1], **more}]
        assert read_message(frames[0]).strategy == strategy
