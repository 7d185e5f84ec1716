"""`--script-time`: what a script's own `time` and `datetime` tell in a replay."""

from __future__ import annotations

import ast
import datetime as real_datetime
import json
import pickle
import time as real_time
import types
from pathlib import Path
from typing import Any

import pytest

from cli.bot.timing import unordered
from cli.bot.timing.stand_ins import _CHANCE, _SETS, _TRAP, StandIns
from tests.bot.conftest import Runs
from tests.bot.recordings import BEGIN, Tick, record_trades
from tests.command import environment, mon

HEAD = "from profitview import Link\n"
NOW_NS = 1_700_118_780_123_456_789
AT = real_datetime.datetime(2023, 11, 16, 7, 13, 0, 123_456, real_datetime.UTC)


@pytest.fixture
def minutes(tmp_path: Path) -> Path:
    ticks = [Tick(BEGIN + 1 + 1_000 * number, f"{100 + number % 7}", "1") for number in range(120)]
    return record_trades(tmp_path / "r.jsonl", ticks)


def ran_in_a_module(source: str, **more: Any) -> dict[str, Any]:
    """The names of a module with stand-ins."""
    module = types.ModuleType("own")
    StandIns(lambda: NOW_NS, more.get("tell")).give(module)
    exec(source, module.__dict__)
    return vars(module)


@pytest.mark.parametrize(
    ("head", "expression", "expected"),
    [
        ("import time", "time.time()", NOW_NS / 1e9),
        ("import time as t", "t.time_ns()", NOW_NS),
        ("from time import time", "time()", NOW_NS / 1e9),
        ("from time import *", "perf_counter()", NOW_NS / 1e9),
        ("import time", "time.monotonic()", NOW_NS / 1e9),
        ("import time", "time.monotonic_ns()", NOW_NS),
        ("import time", "time.gmtime()[:6]", (2023, 11, 16, 7, 13, 0)),
        ("import time", "time.gmtime(0)[0]", 1970),
        ("import time", "time.strftime('%Y')", "2023"),
        ("import time", "time.strftime('%Y', time.gmtime(0))", "1970"),
        ("import time", "time.ctime()[-4:]", "2023"),
        ("import time", "time.asctime()[-4:]", "2023"),
        ("import datetime", "datetime.datetime.now(datetime.timezone.utc)", AT),
        ("from datetime import datetime, UTC", "datetime.now(tz=UTC)", AT),
        ("import datetime as dt", "dt.datetime.utcnow()", AT.replace(tzinfo=None)),
        ("from datetime import datetime", "datetime.now().timestamp()", AT.timestamp()),
        ("from datetime import datetime", "datetime.today().timestamp()", AT.timestamp()),
        ("from datetime import date", "date.today()", AT.astimezone().date()),
        ("def lazily():\n  import datetime\n  return datetime.datetime.utcnow().year", "lazily()", 2023),
        ("", "__import__('time').time_ns()", NOW_NS),
        ("import importlib", "importlib.import_module('time').time_ns()", NOW_NS),
        ("from importlib import import_module as load", "load('datetime').datetime.utcnow().year", 2023),
        ("import importlib.util, importlib.metadata as metadata", "importlib.import_module('time').time_ns()", NOW_NS),
        ("import importlib.util", "type(importlib.util.find_spec('json')).__name__", "ModuleSpec"),
        ("from importlib import *", "import_module('json').dumps(1)", "1"),
    ],
)
def test_however_it_is_imported(head: str, expression: str, expected: Any) -> None:
    found = ran_in_a_module(f"{head}\nfound = {expression}")["found"]
    assert found == expected
    assert type(found) is type(expected)


def test_what_is_not_of_the_present_time_is_as_it_is() -> None:
    names = ran_in_a_module("import time, datetime\nfrom datetime import datetime as D, date")
    assert names["time"].strptime is real_time.strptime
    assert names["datetime"].timedelta is real_datetime.timedelta
    assert "gmtime" in dir(names["time"])
    datetime, date = names["D"], names["date"]
    made = datetime(2024, 2, 29, 12, tzinfo=real_datetime.UTC)
    for one in (
        made,
        datetime.fromtimestamp(1, real_datetime.UTC),
        datetime.fromisoformat("2024-02-29T12:00:00+00:00"),
        datetime.strptime("29.2.2024", "%d.%m.%Y"),
        datetime.combine(date(2024, 2, 29), real_datetime.time(1)),
        datetime.min,
        made + real_datetime.timedelta(1),
        made.astimezone(),
        pickle.loads(pickle.dumps(made)),
    ):
        assert type(one) is real_datetime.datetime
        assert isinstance(one, datetime)
        assert isinstance(one, date)
        assert type(one) == datetime  # noqa: E721
    assert type(date(2024, 1, 1)) is type(date.fromordinal(700_000)) is real_datetime.date
    assert not isinstance(date(2024, 1, 1), datetime)
    assert datetime.isoformat(made) == "2024-02-29T12:00:00+00:00"
    assert pickle.loads(pickle.dumps(datetime)) is real_datetime.datetime
    assert issubclass(real_datetime.datetime, datetime)
    assert issubclass(datetime, real_datetime.datetime)
    assert issubclass(datetime, date)
    assert not issubclass(int, datetime)
    assert {datetime: 1}[real_datetime.datetime] == 1
    assert repr(datetime) == "<class 'datetime.datetime'>"
    assert datetime.__name__ == "datetime"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("for one in {'a', 'b'}: pass", True),
        ("for one in {1, 2}: pass", False),
        ("names = set('ab')\nfor one in names: pass", True),
        ("class A:\n  names: frozenset[str] = frozenset('ab')\n  def f(self): return [n for n in self.names]", True),
        ("class A:\n  names = {n for n in 'ab'}\n  def f(self): return ','.join(self.names)", True),
        ("print(*{'a', 'b'})", True),
        ("found = list(set('ab'))", True),
        ("found = sorted({'a', 'b'})", False),
        ("found = {n: 1 for n in sorted(set('ab'))}", False),
        ("names = {'a', 'b'}\nfound = 'a' in names or len(names) or {n for n in names} or max(names)", False),
        ("names = ['a']\nfor one in names: pass", False),
    ],
)
def test_a_set_that_is_gone_through_is_told_once(line: str, told: bool, tmp_path: Path) -> None:
    said: list[str] = []
    module = types.ModuleType("own")
    module.__file__ = str(tmp_path / "own.py")
    Path(module.__file__).write_text(f"import os\n{line}\n")
    StandIns(lambda: NOW_NS, None, said.append).give(module)
    lines = 1 + len(line.splitlines())
    assert said == ([f"{module.__file__}, line {lines}: {_SETS}"] if told else [])


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import random\nrandom.random()", (2, "random.random")),
        ("import random as r\ndef f():\n  return r.choice([1, 2])", (3, "random.choice")),
        ("from random import gauss\nfound = [1, gauss(0, 1)]", (2, "random.gauss")),
        ("import random\nrandom.seed(7)\nrandom.random()", None),
        ("import random\nrandom.seed()\nrandom.random()", (3, "random.random")),
        ("import random\nrandom.Random(7).random()", None),
        ("import random\nrandom.Random().random()", (2, "random.Random")),
        ("import random\nrandom.seed(7)\nrandom.SystemRandom().random()", (3, "random.SystemRandom")),
        ("import numpy as np\nnp.random.normal()", (2, "numpy.random.normal")),
        ("import numpy as np\nimport random\nrandom.seed(7)\nnp.random.normal()", (4, "numpy.random.normal")),
        ("import numpy as np\nnp.random.seed(1)\nnp.random.normal()", None),
        ("import numpy.random\nnumpy.random.default_rng().normal()", (2, "numpy.random.default_rng")),
        ("from numpy import random\nrandom.default_rng(seed=1)", None),
        ("from numpy.random import Generator, PCG64\nGenerator(PCG64(1))", None),
        ("import uuid\nuuid.uuid4()", (2, "uuid.uuid4")),
        ("import uuid\nuuid.uuid5(uuid.NAMESPACE_DNS, 'a')", None),
        ("import os, secrets\nos.urandom(3)\nsecrets.token_hex()", (2, "os.urandom")),
        ("import secrets\nsecrets.token_hex()", (2, "secrets.token_hex")),
        ("import random\nclass A:\n  random = 1\nrandom.getstate", None),
        ("class A: pass\nrandom = A()\nrandom.draw = print\nrandom.draw()", None),
        ("from .random import choice\nchoice()", None),
        ("import os.path\nos.path.join('a')\nos.urandom(1)", (3, "os.urandom")),
    ],
)
def test_what_is_drawn_by_chance_is_told_once(source: str, told: tuple[int, str] | None, tmp_path: Path) -> None:
    assert unordered.by_chance(ast.parse(source)) == told
    said: list[str] = []
    module = types.ModuleType("own")
    module.__file__ = str(tmp_path / "own.py")
    Path(module.__file__).write_text(source)
    stand_ins = StandIns(lambda: NOW_NS, None, said.append)
    stand_ins.give(module)
    stand_ins.give(module)
    assert said == ([] if told is None else [f"{module.__file__}, line {told[0]}: {told[1]}() {_CHANCE}"])


def test_sets_in_the_order_that_python_was_told_are_not_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unordered, "sys", types.SimpleNamespace(flags=types.SimpleNamespace(hash_randomization=0)))
    assert unordered.through_sets(ast.parse("for one in {'a', 'b'}: pass")) is None


def test_the_place_of_a_use_is_the_script_s_also_where_another_module_calls(tmp_path: Path) -> None:
    said: list[str] = []
    module = types.ModuleType("own")
    module.__file__ = str(tmp_path / "own.py")
    StandIns(lambda: NOW_NS, said.append).give(module)
    source = "import sched, time\n\nsched.scheduler(time.monotonic, print).enter(1, 1, print)\n"
    exec(compile(source, module.__file__, "exec"), vars(module))
    assert said == [f"{module.__file__}, line 3: time.monotonic() {_TRAP}"]


@pytest.mark.parametrize("tell", [None, print])
def test_what_goes_past_the_imports_is_told_once(tell: Any, tmp_path: Path) -> None:
    said: list[str] = []
    stand_ins = StandIns(lambda: NOW_NS, tell, said.append)
    for name in ("own", "other"):
        module = types.ModuleType(name)
        module.__file__ = str(tmp_path / f"{name}.py")
        Path(module.__file__).write_text("import sys\nprint(sys.modules['json'])\nprint(sys.modules['time'].time())\n")
        stand_ins.give(module)
    (told,) = said
    assert told.startswith(f"{tmp_path / 'own.py'}, line 3: sys.modules['time'] tells the time of today whatever --")


def test_a_class_that_a_script_makes_of_it() -> None:
    source = "from datetime import datetime, timezone\nclass Own(datetime):\n  def word(self): return 'own'\n"
    own = ran_in_a_module(source)["Own"]
    now = own.now(real_datetime.UTC)
    assert (type(now), now, now.word()) == (own, AT, "own")
    assert type(own(2024, 1, 1) + real_datetime.timedelta(1)) is own
    assert not isinstance(AT, own)
    assert isinstance(now, real_datetime.datetime)


def test_with_today_s_time_its_first_use_is_told_with_its_place() -> None:
    told: list[str] = []
    source = "import time\nfrom datetime import datetime, date\nx = date(2020, 1, 1), time.gmtime(0), datetime.max"
    names = ran_in_a_module(source, tell=told.append)
    assert told == []
    assert names["datetime"] is real_datetime.datetime
    assert abs(names["time"].time() - real_time.time()) < 10
    names["time"].monotonic()
    (text,) = told
    assert Path(__file__).name in text
    assert text.endswith(
        ": time.time() tells the time of today, not the recording's: self.now, self.unix_now and self.epoch_now tell "
        "that; --script-time recording makes it so"
    )


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import datetime\nx = datetime.datetime.now()", "line 2: datetime.now() tells"),
        ("import datetime as dt\n\nx = dt.date.today()", "line 3: date.today() tells"),
        ("import importlib\nd = importlib.import_module('datetime')\nd.date.today", "line 3: date.today() tells"),
        ("x = __import__('datetime').datetime.now()", "line 1: datetime.now() tells"),
        ("x = __import__('datetime', globals()).datetime.now()", "line 1: datetime.now() tells"),
        ("x = __import__('json', 'datetime').datetime.now()", ""),
        ("import importlib\nd = importlib.import_module(name='datetime')\nd.date.today", ""),
        ("import importlib\nd = e = importlib.import_module('datetime')\ne.date.today", "line 3: date.today() tells"),
        ("import json\nx = json.loads('datetime').datetime.now()", ""),
        ("from datetime import datetime as D\ndef f():\n  return D.utcnow", "line 3: datetime.utcnow() tells"),
        ("def f():\n  from datetime import datetime\n  datetime.today()", "line 3: datetime.today() tells"),
        ("from datetime import *\ndatetime.now()\ndate.today()", "line 2: datetime.now() tells"),
        ("import datetime\nfrom other import now, datetime as d\nnow()\nd.now()\ndatetime.timedelta(1)", ""),
        ("from .datetime import datetime\ndatetime.now()", ""),
        ("x = = 1", ""),
    ],
)
def test_the_use_of_datetime_is_seen_in_the_source(tmp_path: Path, source: str, told: str) -> None:
    said: list[str] = []
    module = types.ModuleType("own")
    module.__file__ = str(tmp_path / "own.py")
    (tmp_path / "own.py").write_text(source)
    stand_ins = StandIns(lambda: NOW_NS, said.append)
    stand_ins.give(module)
    stand_ins.give(module)
    assert len(said) == bool(told)
    assert all(f"own.py, {told}" in text for text in said)


SCRIPT = HEAD + (
    "import own_part, own_package.inner, time, logging, threading\n"
    "from datetime import datetime\n"
    "LOADED = time.time_ns() // 1_000_000\n"
    "class Signals(Link):\n"
    "  def on_start(self):\n"
    "    self.publish('loaded', [LOADED, own_part.AT, own_package.inner.now()])\n"
    "  def trade_update(self, src, sym, data):\n"
    "    import time as later\n"
    "    same = [later.time_ns() // 1_000_000, round(datetime.now().timestamp() * 1000), own_part.now()]\n"
    "    self.publish('same', [same, self.epoch_now])\n"
    "    record = logging.LogRecord('x', 20, 'x', 1, 'x', (), None)\n"
    "    self.publish('library', record.created > 1_760_000_000)\n"
)


def with_parts(tmp_path: Path) -> str:
    (tmp_path / "own_part.py").write_text(
        "from datetime import datetime, timezone\nimport time\nAT = time.time_ns() // 1_000_000\n"
        "def now(): return int(datetime.now(timezone.utc).timestamp() * 1000)\n"
    )
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package" / "__init__.py").write_text("")
    (tmp_path / "own_package" / "inner.py").write_text(
        "from .sister import clock\ndef now(): return clock() // 1_000_000\n"
    )
    (tmp_path / "own_package" / "sister.py").write_text("from time import time_ns as clock\n")
    return SCRIPT


def test_the_script_and_the_modules_of_its_folder_have_the_recording_s_time(
    runs: Runs, minutes: Path, tmp_path: Path
) -> None:
    ran = runs(with_parts(tmp_path), replay=minutes, script_time="recording")
    assert ran.code == 0, ran.said
    begin = ran.records[0]["received"]
    assert [record["data"] for record in ran.of("message") if record["topic"] == "loaded"] == [[begin] * 3]
    same = [record["data"] for record in ran.of("message") if record["topic"] == "same"]
    assert len(same) == 120
    assert all(set(times) == {now} for times, now in same)
    assert all(record["data"] for record in ran.of("message") if record["topic"] == "library")
    assert "tells the time" not in ran.said
    again = runs(SCRIPT, replay=minutes, script_time="recording")
    assert again.records == ran.records


def test_without_the_option_it_is_told_once(runs: Runs, minutes: Path, tmp_path: Path) -> None:
    ran = runs(with_parts(tmp_path), replay=minutes)
    assert ran.said.count("tells the time of today, not the recording's") == 1
    assert "bot.py, line 10: datetime.now() tells" in ran.said
    quiet = HEAD + "import time\nclass Signals(Link):\n  def trade_update(self, src, sym, data): time.sleep(0)\n"
    assert "tells the time" not in runs(quiet, replay=minutes).said


def test_an_error_in_a_module_of_the_folder_is_told_with_its_line_only(
    runs: Runs, minutes: Path, tmp_path: Path
) -> None:
    (tmp_path / "own_part.py").write_text("import time\nx = 1 / 0\n")
    ran = runs(HEAD + "import own_part\n", replay=minutes, script_time="recording")
    assert f"{tmp_path / 'own_part.py'}, line 2: ZeroDivisionError" in str(ran.problem)
    assert "importlib" not in str(ran.problem)
    (tmp_path / "own_part.py").write_text("import time\nx = = 1\n")
    ran = runs(HEAD + "import own_part\n", replay=minutes, script_time="recording")
    assert "SyntaxError" in str(ran.problem)
    assert "importlib" not in str(ran.problem)


def test_live_it_is_refused(tmp_path: Path, minutes: Path) -> None:
    script = tmp_path / "x.py"
    script.write_text(HEAD + "class Signals(Link): pass\n")
    ran = mon(
        "bot",
        "run",
        str(script),
        "--market",
        "nexus:SPOT_BTC_USDT",
        "--script-time",
        "recording",
        env=environment(tmp_path),
    )
    assert ran.returncode == 2
    assert "--script-time applies to --replay only" in ran.stderr
    ran = mon("bot", "run", str(script), "--replay", str(minutes), "--script-time", "today", env=environment(tmp_path))
    assert ran.returncode == 2


def test_the_command_has_it(tmp_path: Path, minutes: Path) -> None:
    script = tmp_path / "x.py"
    script.write_text(
        HEAD + "import time\nclass Signals(Link):\n"
        "  def trade_update(self, src, sym, data): self.publish('t', time.time_ns() // 1000000 == self.epoch_now)\n"
    )
    arguments = ("bot", "run", str(script), "--replay", str(minutes), "--speed", "max", "-o", "jsonl")
    ran = mon(*arguments, "--script-time", "recording", env=environment(tmp_path))
    assert ran.returncode == 0, ran.stderr
    assert {json.loads(line)["data"] for line in ran.stdout.splitlines()} == {True}


def test_sleep_is_what_it_is_when_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a script took it from `time` before a replay put its own in the place."""
    slept: list[float] = []
    module = StandIns(lambda: 0, None)._time_module()
    sleep = module.sleep
    monkeypatch.setattr("time.sleep", slept.append)
    sleep(7)
    assert (slept, sleep.__name__) == ([7], "sleep")
