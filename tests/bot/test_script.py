"""What is loaded as a bot's script, and what is said of one that cannot be."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.bot.own.modules import Home
from cli.bot.script import Bot, ScriptError, hosted, load
from cli.bot.script_api import Link, module_for

HEAD = "from profitview import Link, http, logger\n"
CLASS = f"{HEAD}class Signals(Link):\n"


class NoHost:
    """A host that has a fixed time and keeps what is emitted."""

    def __init__(self) -> None:
        self.emitted: list[Any] = []

    def epoch_ns(self) -> int:
        return 1_678_364_572_949_123_456

    def signal(self, *arguments: Any) -> None:
        self.emitted.append(arguments)

    def publish(self, *arguments: Any) -> None:
        self.emitted.append(arguments)


Loader = Callable[..., Bot]


@pytest.fixture
def loaded(tmp_path: Path) -> Any:
    def of(source: str | bytes, name: str = "rsi.py") -> Bot:
        path = tmp_path / name
        path.write_bytes(source if isinstance(source, bytes) else source.encode())
        module, link = module_for(NoHost(), logging.getLogger("test"))
        with hosted(path, module):
            return load(path, link)

    return of


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("class Signals(:\n", "rsi.py, line 1: SyntaxError: invalid syntax\n  class Signals(:\n"),
        ("x = 1\n  y = 2\n", "rsi.py, line 2: IndentationError"),
        (b"x = '\xff'\n", "rsi.py"),
        (b"x\x00", "rsi.py"),
        ("import no_such_module_here\n", "rsi.py, line 1: ModuleNotFoundError: No module named 'no_such_module_here'"),
        ("from profitview import Lnk\n", "rsi.py, line 1: ImportError: cannot import name 'Lnk'"),
        ("import profitview.client\n", "rsi.py, line 1: ModuleNotFoundError"),
        ("import profitview.client\n", "mon has of it: from profitview import Link, cron, http, logger"),
        ("from profitview import Bot\n", "mon has of it: from profitview import Link, cron, http, logger"),
        ("a\0", "rsi.py: SyntaxError: source code"),
        (HEAD + "x = 1 / 0\n", "rsi.py, line 2: ZeroDivisionError: division by zero"),
        (HEAD + "raise SystemExit(3)\n", "rsi.py, line 2: SystemExit: 3"),
        (HEAD + "raise KeyboardInterrupt\n", "rsi.py, line 2: KeyboardInterrupt"),
        ("", "expected a class Signals(Link), but there is none; it has no class"),
        (HEAD + "class Signal(Link): pass\n", "but there is none; it has the classes Signal (line 2)"),
        (
            "x = 1\nclass Signals: pass\n",
            "rsi.py, line 2: expected a class Signals(Link), but Signals is not made from Link",
        ),
        ("\nSignals = 7\n", "rsi.py, line 2: expected a class Signals(Link), got int of that name"),
        ("\ndef Signals(): pass\n", "rsi.py, line 2: expected a class Signals(Link), got function"),
        ("from profitview import Link as Signals\n", "rsi.py, line 1: expected a class Signals(Link), got Link itself"),
        (HEAD + "class Signals(Link): pass\nclass Signals(Link): pass\n", "got several, at lines 2 and 3"),
        (CLASS + "  def __init__(self):\n    self.x = {}['a']\n", "rsi.py, line 4: KeyError: 'a'"),
        (CLASS + "  def __init__(self, x): pass\n", "rsi.py, line 2: TypeError"),
        (
            CLASS + "  @http.route\n  def status(self, data): pass\n",
            "rsi.py, line 3: expected the name of a route to be get_… or post_…, got status",
        ),
        (CLASS + "  @http.route\n  def get_(self, data): pass\n", "got get_"),
        (CLASS + "  @http.route('/x')\n  def get_x(self, data): pass\n", "rsi.py, line 3: TypeError"),
        (CLASS + "  @http.route\n  def get_x(self): pass\n", "expected def get_x(self, data), got get_x(self)"),
        (
            CLASS + "  def quote_update(self, data): pass\n",
            "rsi.py, line 3: expected def quote_update(self, src, sym, data), got quote_update(self, data)",
        ),
        (CLASS + "  async def on_start(self): pass\n", "one that is async"),
        (CLASS + "  trade_update = 5\n", "got int of that name"),
    ],
)
def test_scripts_that_are_none(loaded: Loader, source: str | bytes, words: str) -> None:
    with pytest.raises(ScriptError) as raised:
        loaded(source)
    assert words in str(raised.value)
    assert "rsi.py" in str(raised.value)
    assert "cli/bot" not in str(raised.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    for path, words in ((tmp_path, "got a folder"), (tmp_path / "none.py", "No such file")):
        with pytest.raises(ScriptError, match=words):
            load(path, Link)


def test_what_a_bot_can_be_called_for(loaded: Loader) -> None:
    bot = loaded(
        HEAD
        + """
class Base(Link):
    def quote_update(self, src, sym, data): return "base"
    def candle_update_1w(self, *anything): pass
class Signals(Base):
    def __init__(self): self.seen = []
    def candle_update_1m(self, src, sym, bars): pass
    def candle_update_7m(self, src, sym, bars): pass
    def on_strat(self): pass
    def trade_udpate(self, src, sym, data): pass
    def helper(self): pass
    def now(self): pass
    @http.route
    def get_status(self, data): return {"ok": data}
    @http.route
    def post_webhook(self, data): pass
    @staticmethod
    def trade_update(src, sym, data): pass
"""
    )
    assert list(bot.callbacks) == ["quote_update", "trade_update", "candle_update_1m", "candle_update_1w"]
    assert bot.levels() == ["1m", "1w"]
    assert bot.callbacks["quote_update"]("a", "b", {}) == "base"
    assert set(bot.routes) == {("GET", "status"), ("POST", "webhook")}
    assert bot.routes["GET", "status"](1) == {"ok": 1}
    said = "\n".join(bot.remarks)
    assert "candle_update_7m is never called: the levels are 1m 3m" in said
    assert "on_strat is never called; is it meant to be on_start?" in said
    assert "trade_udpate is never called; is it meant to be trade_update?" in said
    assert "now hides the now of Link" in said
    assert len(bot.remarks) == 4
    assert f"{bot.name}, line 9: candle_update_7m" in said


def test_a_class_beside_link_counts_too_and_hides_nothing(loaded: Loader) -> None:
    bot = loaded(
        HEAD
        + """
class Strategy:
    now = None
    def on_start(self): return "beside"
    def trade_update(self, src, sym, data): return "beside"
    def quote_updat(self, src, sym, data): pass
    @http.route
    def get_status(self, data): return {"ok": True}
class Signals(Link, Strategy):
    def trade_update(self, src, sym, data): return "own"
"""
    )
    assert bot.callbacks["on_start"]() == "beside"
    assert bot.callbacks["trade_update"]("a", "b", {}) == "own"
    assert set(bot.routes) == {("GET", "status")}
    assert [remark.partition(": ")[2] for remark in bot.remarks] == [
        "quote_updat is never called; is it meant to be quote_update?"
    ]


def test_siblings_talib_and_dataclasses_work_and_nothing_is_left_behind(loaded: Loader, tmp_path: Path) -> None:
    (tmp_path / "sibling_of_a_bot.py").write_text("VALUE = 7\n", encoding="utf-8")
    (tmp_path / "profitview.py").write_text("raise ImportError('not this one')\n", encoding="utf-8")
    installed = object()
    before = (list(sys.path), {**sys.modules, "profitview": installed})
    sys.modules["profitview"] = installed  # type: ignore[assignment]
    try:
        bot = loaded(
            HEAD
            + """
import dataclasses, numpy, talib
from sibling_of_a_bot import VALUE
@dataclasses.dataclass
class State:
    value: int = VALUE
class Signals(Link):
    def on_start(self): return State()
"""
        )
        assert bot.callbacks["on_start"]().value == 7
        assert sys.modules["profitview"] is installed
        assert "sibling_of_a_bot" not in sys.modules
        assert "mon_bot_script" not in sys.modules
        assert sys.path == before[0]
    finally:
        del sys.modules["profitview"]


def test_the_helpers(loaded: Loader) -> None:
    bot = loaded(
        HEAD
        + """
class Signals(Link):
    def __init__(self): pass  # no super().__init__(), as such scripts are written
    def on_start(self):
        self.signal("nexus", "X", size=1)
        self.publish("topic")
        return self.now, self.unix_now, self.epoch_now, self.second, self.iso_now
"""
    )
    now, unix, epoch, second, iso = bot.callbacks["on_start"]()
    assert now.isoformat() == "2023-03-09T12:22:52.949123+00:00"
    assert (unix, epoch, iso) == (1_678_364_572, 1_678_364_572_949, "2023-03-09T12:22:52.949Z")
    assert second == pytest.approx(52.949123456)


def test_the_home_that_was_entered_last_is_the_present_one(tmp_path: Path) -> None:
    outer, inner = Home(str(tmp_path / "a"), {}), Home(str(tmp_path / "b"), {})
    with outer.entered():
        assert Home.present() is outer
        with inner.entered():
            assert Home.present() is inner
        assert Home.present() is outer


def test_our_import_is_called_as_pythons_own() -> None:
    """Whoever calls `__import__` with a name alone means a module of that name, wherever the call stands."""
    import inspect

    from cli.bot.own.modules import _imported

    defaults = {name: one.default for name, one in inspect.signature(_imported).parameters.items()}
    assert defaults == {"name": inspect.Parameter.empty, "globals": None, "locals": None, "fromlist": (), "level": 0}
    assert _imported("json") is json
