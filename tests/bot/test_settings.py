"""`--set` where a class uses the attribute while it is made: in a decorator, in a default, for another attribute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bot.conftest import Ran, Runs
from tests.bot.recordings import BEGIN, Tick, record_trades
from venues.errors import UsageError

HEAD = "from profitview import Link, cron\n"
LOOKS = "    @cron.run(every=EVERY)\n    def look(self): self.publish('t', [self.EVERY, self.TWICE, self.of()])\n"
USES = f"    EVERY = 60\n    TWICE = EVERY * 2\n    def of(self, what=EVERY): return what\n{LOOKS}"
MAIN = "class Signals(Link):\n    def trade_update(self, src, sym, data): pass\n"


@pytest.fixture
def setting(runs: Runs, tmp_path: Path) -> Callable[..., Ran]:
    """Runs a script on five minutes of trades, with what is set."""
    ticks = [Tick(BEGIN + 1_000 * number, "5", "1") for number in range(300)]
    recording = record_trades(tmp_path / "r.jsonl", ticks)

    def run(source: str, **settings: str) -> Ran:
        return runs(source, replay=recording, settings={tmp_path / "bot.py": settings})

    return run


def looks(ran: Ran) -> list[tuple[int, Any]]:
    """The seconds at which it looked, and what it has seen."""
    assert ran.code == 0, ran.said or ran.problem
    return [((one["received"] - BEGIN + 500) // 1_000, one["data"]) for one in ran.of("message")]


@pytest.mark.parametrize(
    "source",
    [
        HEAD + MAIN + USES,
        HEAD + "class Base(Link):\n" + USES + MAIN.replace("Link", "Base"),
        HEAD + "if True:\n    class Base:\n" + USES.replace("    ", "        ") + MAIN.replace("Link", "Base, Link"),
        HEAD + MAIN + USES.replace("EVERY = 60", "EVERY: int = 60"),
        HEAD + MAIN + USES.replace("EVERY = 60", "EVERY: int\n    EVERY = 60"),
        HEAD + MAIN + USES.replace("EVERY = 60", "EVERY = 30\n    EVERY += 30"),
        HEAD + MAIN + USES.replace("EVERY = 60", "EVERY, (OTHER, *_) = 60, (1, 2)"),
        HEAD + MAIN + USES.replace("EVERY = 60", "try: EVERY = 60\n    finally: OTHER = 1"),
        HEAD + MAIN + USES.replace("EVERY = 60", "if __name__:\n        if OTHER := 1: EVERY = 60"),
    ],
)
def test_what_a_class_makes_of_an_attribute_follows_it(setting: Callable[..., Ran], source: str) -> None:
    assert looks(setting(source, EVERY="100")) == [(at, [100, 200, 100]) for at in (0, 100, 200)]
    assert looks(setting(source))[:2] == [(0, [60, 120, 60]), (60, [60, 120, 60])]


def test_each_attribute_is_set_by_itself(setting: Callable[..., Ran]) -> None:
    assert looks(setting(HEAD + MAIN + USES, EVERY="100", TWICE="7"))[0] == (0, [100, 7, 100])


def test_a_text_for_an_attribute_without_a_value_is_set_once(setting: Callable[..., Ran]) -> None:
    source = HEAD + MAIN + "    NAME = None\n    def on_start(self): self.publish('t', self.NAME)\n"
    assert looks(setting(source, NAME='"a"')) == [(0, "a")]


def test_a_method_of_the_script_has_its_own_names(setting: Callable[..., Ran]) -> None:
    source = HEAD + MAIN + USES + "    def on_start(self):\n        EVERY = 1\n        self.publish('own', EVERY)\n"
    assert [one["data"] for one in setting(source, EVERY="100").of("message") if one["topic"] == "own"] == [1]


@pytest.mark.parametrize(
    ("base", "source", "line"),
    [
        (HEAD + "class Base(Link):\n" + USES, MAIN.replace("Link", "Base"), "base.py, line 4"),
        (
            HEAD + "class Base(Link):\n    EVERY = 60\n",
            MAIN.replace("Link", "Base") + "    N = Base.EVERY\n",
            "bot.py, li",
        ),
        (
            HEAD + "class Base(Link):\n    for EVERY in (1, 2): HALF = EVERY / 2\n",
            MAIN.replace("Link", "Base"),
            "line 3",
        ),
    ],
)
def test_what_cannot_follow_is_refused_with_its_line(
    setting: Callable[..., Ran], tmp_path: Path, base: str, source: str, line: str
) -> None:
    (tmp_path / "base.py").write_text(base)
    ran = setting(HEAD + "from base import Base\n" + source, EVERY="100")
    assert isinstance(ran.problem, UsageError)
    assert str(ran.problem).startswith("--set EVERY has no effect in ")
    assert line in str(ran.problem)


def test_what_is_inherited_and_used_in_methods_alone_can_be_set(setting: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "base.py").write_text(
        HEAD + "class Base(Link):\n    EVERY = 60\n    def of(self, more=lambda self: self.EVERY): return more(self)\n"
    )
    source = "from base import Base\n" + MAIN.replace("Link", "Base")
    source += "    def on_start(self): self.publish('t', self.of())\n"
    assert looks(setting(source, EVERY="100")) == [(0, 100)]


def test_a_value_that_a_schedule_cannot_have_is_told_with_the_script_s_line(setting: Callable[..., Ran]) -> None:
    ran = setting(HEAD + MAIN + USES, EVERY="0")
    assert ran.code == 3
    assert "bot.py, line 7: ValueError: expected every as seconds" in str(ran.problem)
