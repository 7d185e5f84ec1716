"""`--reload` look by look, in this process: when a script is loaded anew, and what is said."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cli.bot.market_data import MarketName
from cli.bot.own.finder import OwnModules
from cli.bot.script import hosted, load
from cli.bot.script_api import module_for
from cli.bot.seat import Seat
from cli.bot.timing import reload
from cli.bot.timing.cron import Cron
from cli.bot.timing.generation import Generation, Loaded
from cli.bot.timing.reload import Reloads
from cli.bot.timing.script_time import ScriptTime

A = MarketName("jayx", "A")
HEAD = "from profitview import Link, cron, logger\n"
CLASS = f"{HEAD}class Signals(Link):\n"


def a_seat(path: Path) -> Seat:
    return Seat(path, ScriptTime(), set(), None, put=print, send=print)  # type: ignore[arg-type]


class Voice:
    def __init__(self) -> None:
        self.said: list[str] = []

    def error(self, text: str) -> None:
        self.said.append(text)


class Looking:
    """Scripts that run, and what looks at them: `look` looks once at each."""

    def __init__(self, stack: ExitStack, *files: Path, settings: dict[Path, dict[str, str]] | None = None) -> None:
        self.voice = Voice()
        self.seats: list[Seat] = []
        self.loaded: list[tuple[Path, Any, bool]] = []
        self.own: dict[Path, OwnModules] = {}
        homes = {}
        for file in files:
            seat = a_seat(file)
            seat.logger = logging.getLogger("test")
            seat.generation = Generation(seat)
            module, link = module_for(seat.generation, seat.logger, seat.cron)
            own = self.own[file] = OwnModules(str(file.parent), lambda module: None, fresh=True)
            homes[file] = stack.enter_context(hosted(file, module, own))
            seat.bot = load(file, link, (settings or {}).get(file), own)
            seat.generation.begin()
            self.seats.append(seat)
        reloads = Reloads(
            self.seats,
            self.own,
            homes,
            settings or {},
            self.voice,  # type: ignore[arg-type]
            in_turn=self._in_turn,
            switch=self._switch,
            switched=lambda seat, bot: [f"switched to {bot.name}"] if bot is seat.bot else [],
        )
        self._watching: Coroutine[Any, Any, None] = reloads.watch()
        self._watching.send(None)

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            self._watching.send(None)

    @staticmethod
    async def _in_turn(seat: Seat, call: Callable[[], Any]) -> Any:
        return call()

    def _switch(self, seat: Seat, loaded: Loaded) -> list[str]:
        self.loaded.append((seat.file, getattr(sys.modules["mon_bot_script"], "VERSION", None), bool(loaded.planned)))
        seat.take(loaded, lambda: None)
        return ["said by the switch"]

    def versions(self) -> list[Any]:
        """What was loaded anew and not asked for yet."""
        found, self.loaded = [version for _, version, _ in self.loaded], []
        return found


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Looking]]:
    monkeypatch.setattr(reload, "LOOK_EVERY", 0)  # which gives up the turn once, and no more
    made: list[Looking] = []
    with ExitStack() as stack:

        def begin(*files: Path, **options: Any) -> Looking:
            made.append(Looking(stack, *files, **options))
            return made[-1]

        yield begin
    for one in made:
        one._watching.close()


def save(path: Path, text: str) -> None:
    """As an editor does: the whole file at once."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def of_version(version: int, more: str = "") -> str:
    return f"{more}VERSION = {version}\n{CLASS}    def trade_update(self, src, sym, data): pass\n"


def in_a_loop(test: Callable[[], None]) -> None:
    async def run() -> None:
        test()

    asyncio.run(run())


SAID = [
    "x.py was saved and is loaded anew: what it knew before is lost, its candles stay",
    "said by the switch",
    "switched to x.py",
]


def test_what_was_saved_is_loaded_once_it_is_the_same_at_two_looks(
    tmp_path: Path, looking: Callable[..., Looking]
) -> None:
    path = tmp_path / "x.py"
    save(path, of_version(1))
    scripts = looking(path)

    def test() -> None:
        scripts.look(5)
        assert (scripts.versions(), scripts.voice.said) == ([], [])
        save(path, of_version(2))
        scripts.look()
        save(path, of_version(3))
        scripts.look()
        assert scripts.versions() == [], "somebody may be writing it"
        scripts.look()
        assert scripts.versions() == [3]
        scripts.look(5)
        assert (scripts.versions(), scripts.voice.said) == ([], SAID)

    in_a_loop(test)


def test_a_file_that_is_as_it_was_before_the_second_look_is_not_loaded(
    tmp_path: Path, looking: Callable[..., Looking]
) -> None:
    path = tmp_path / "x.py"
    save(path, of_version(1))
    scripts = looking(path)
    kept = tmp_path / "kept"
    os.replace(path, kept)
    save(path, of_version(2))
    scripts.look()
    os.replace(path, tmp_path / "other")
    os.link(kept, path)
    scripts.look(2)
    os.replace(tmp_path / "other", path)
    scripts.look()
    assert scripts.versions() == [], "it was the one before meanwhile"
    in_a_loop(scripts.look)
    assert scripts.versions() == [2]


def test_a_module_of_its_folder_is_a_reason_also_one_that_it_imports_later(
    tmp_path: Path, looking: Callable[..., Looking]
) -> None:
    path, part, late = tmp_path / "x.py", tmp_path / "part.py", tmp_path / "late.py"
    part.write_text("X = 1\n")
    late.write_text("Y = 1\n")
    save(path, of_version(1, "import part\n"))
    scripts = looking(path)

    def test() -> None:
        scripts.look(2)
        save(late, "Y = 2\n")
        scripts.look(3)
        assert scripts.versions() == [], "it has nothing of it yet"
        scripts.own[path].find_spec("late", None)
        scripts.look(3)
        assert scripts.versions() == [], "what it imported is what is there"
        save(late, "Y = 3\n")
        scripts.look(2)
        assert scripts.versions() == [1]
        save(part, "X = 2\n")
        scripts.look(2)
        assert scripts.versions() == [1]
        scripts.look(3)
        assert scripts.versions() == []

    in_a_loop(test)


def test_what_was_saved_while_it_was_loaded_is_loaded_anew(tmp_path: Path, looking: Callable[..., Looking]) -> None:
    path = tmp_path / "x.py"
    later = of_version(7)
    save(tmp_path / "part.py", f"import pathlib\npathlib.Path({str(path)!r}).write_text({later!r})\n")
    save(path, of_version(1, "import part\n"))
    scripts = looking(path)
    in_a_loop(lambda: scripts.look(2))
    assert scripts.versions() == [7]


BROKEN = "x.py was saved and cannot be loaded; the one before goes on\n"


def test_one_that_cannot_be_loaded_is_told_once_and_tried_when_any_of_its_files_changes(
    tmp_path: Path, looking: Callable[..., Looking]
) -> None:
    path, part = tmp_path / "x.py", tmp_path / "part.py"
    save(path, of_version(1))
    scripts = looking(path)
    (seat,) = scripts.seats
    before = seat.bot, seat.generation, sys.modules["mon_bot_script"], sys.modules["profitview"]

    def test() -> None:
        save(part, "1 / 0\n")
        save(path, of_version(2, "import part\n"))
        scripts.look(5)
        (said,) = scripts.voice.said
        assert said.startswith(f"{BROKEN}{part}, line 1: ZeroDivisionError: division by zero")
        present = seat.bot, seat.generation, sys.modules["mon_bot_script"], sys.modules["profitview"]
        assert (present, scripts.own[path].files, "part" in sys.modules) == (before, {}, False)
        save(part, "2 / 0\n")
        scripts.look(2)
        assert len(scripts.voice.said) == 2
        save(part, "X = 1\n")
        scripts.look(2)
        assert scripts.versions() == [2]
        assert scripts.voice.said[2:] == SAID
        assert scripts.own[path].files == {"part": str(part)}
        save(path, of_version(3))
        scripts.look(2)
        assert scripts.versions() == [3]
        save(part, "X = 2\n")
        scripts.look(3)
        assert scripts.versions() == [], "it is no longer of it"

    in_a_loop(test)


def test_one_that_fails_keeps_the_modules_of_the_one_before(tmp_path: Path, looking: Callable[..., Looking]) -> None:
    path, part = tmp_path / "x.py", tmp_path / "part.py"
    save(part, "X = 1\n")
    save(path, of_version(1, "import part\n"))
    scripts = looking(path)
    module = sys.modules["part"]

    def test() -> None:
        save(path, of_version(2, "import part\n1 / 0\n"))
        scripts.look(2)
        assert len(scripts.voice.said) == 1
        assert sys.modules["part"] is module
        assert scripts.own[path].files == {"part": str(part)}
        save(path, of_version(3, "import part\n"))
        scripts.look(2)
        assert scripts.versions() == [3]
        assert sys.modules["part"] is not module

    in_a_loop(test)


def test_a_module_of_one_that_failed_is_read_anew_with_the_next(
    tmp_path: Path, looking: Callable[..., Looking]
) -> None:
    path, part = tmp_path / "x.py", tmp_path / "part.py"
    save(path, of_version(1))
    scripts = looking(path)

    def test() -> None:
        save(part, "X = 1\n")
        save(path, of_version(2, "import part\n1 / 0\n"))
        scripts.look(2)
        assert len(scripts.voice.said) == 1
        assert "part" not in sys.modules
        save(part, "X = 5\n")
        save(path, of_version(3, "import part\n").replace("VERSION = 3", "VERSION = part.X"))
        scripts.look(2)
        assert scripts.versions() == [5]

    in_a_loop(test)


def test_a_module_that_is_new_is_found_also_where_its_folder_is_no_newer(
    tmp_path: Path, looking: Callable[..., Looking]
) -> None:
    """As on a disk with coarse times: Python keeps what is in a folder until that has another time."""
    path = tmp_path / "x.py"
    save(tmp_path / "part.py", "")
    save(path, of_version(1, "import part\n"))
    before = tmp_path.stat().st_mtime_ns
    scripts = looking(path)
    save(tmp_path / "new.py", "")
    save(path, of_version(2, "import part, new\n"))
    os.utime(tmp_path, ns=(before, before))
    in_a_loop(lambda: scripts.look(2))
    assert (scripts.versions(), scripts.voice.said) == ([2], SAID)


def test_one_that_is_gone_is_told_at_the_fourth_look_and_once(tmp_path: Path, looking: Callable[..., Looking]) -> None:
    path = tmp_path / "x.py"
    save(path, of_version(1))
    scripts = looking(path)
    gone = f"{path} is not there any more; what was loaded goes on until it is there again"

    def test() -> None:
        for _ in range(2):  # before the first look as after later ones
            path.unlink()
            scripts.look(3)
            assert scripts.voice.said == [], "it may be on its way"
            save(path, of_version(2))
            scripts.look(2)
            assert scripts.versions() == [2]
            scripts.voice.said.clear()
        path.unlink()
        scripts.look(3)
        assert scripts.voice.said == []
        scripts.look()
        assert scripts.voice.said == [gone]
        scripts.look(9)
        assert scripts.voice.said == [gone]
        save(path, of_version(3))
        scripts.look()
        assert scripts.versions() == []
        scripts.look()
        assert (scripts.versions(), scripts.voice.said) == ([3], [gone, *SAID])

    in_a_loop(test)


def test_one_that_is_gone_before_the_first_look_is_told_as_soon(
    tmp_path: Path, looking: Callable[..., Looking]
) -> None:
    path = tmp_path / "x.py"
    save(path, of_version(1))
    scripts = looking(path)
    path.unlink()
    scripts.look(3)
    assert scripts.voice.said == []
    scripts.look()
    assert len(scripts.voice.said) == 1


def test_a_script_that_has_stopped_is_not_loaded_anew_and_others_are(
    tmp_path: Path, looking: Callable[..., Looking]
) -> None:
    paths = [tmp_path / "a" / "a.py", tmp_path / "b" / "b.py"]
    for path in paths:
        path.parent.mkdir()
        save(path, of_version(1))
    scripts = looking(*paths)
    scripts.seats[0].stopped = True
    for path in paths:
        save(path, of_version(2))
    in_a_loop(lambda: scripts.look(3))
    assert [(file, version) for file, version, _ in scripts.loaded] == [(paths[1], 2)]
    assert scripts.voice.said == [
        "b.py was saved and is loaded anew: what it knew before is lost, its candles stay",
        "said by the switch",
        "switched to b.py",
    ]


def test_remarks_come_before_what_the_new_one_lacks_and_its_streams_are_planned(
    tmp_path: Path, looking: Callable[..., Looking]
) -> None:
    path = tmp_path / "x.py"
    save(path, of_version(1))
    scripts = looking(path)
    (seat,) = scripts.seats
    save(path, of_version(2) + "    def tade_update(self, src, sym, data): pass\n")
    in_a_loop(lambda: scripts.look(2))
    first, remark, *others = scripts.voice.said
    assert [first, *others] == SAID
    assert remark.endswith("tade_update is never called; is it meant to be trade_update?")
    assert [planned for _, _, planned in scripts.loaded] == [False], "there are no markets"
    seat.knowledge.markets = [A]
    save(path, of_version(3))
    in_a_loop(lambda: scripts.look(2))
    assert [planned for _, _, planned in scripts.loaded] == [False, True]


def test_what_a_person_has_set_is_set_anew(tmp_path: Path, looking: Callable[..., Looking]) -> None:
    path = tmp_path / "x.py"
    source = f"{CLASS}    SIZE = 1\n    def trade_update(self, src, sym, data): return self.SIZE\n"
    save(path, source)
    scripts = looking(path, settings={path: {"SIZE": "5"}})
    (seat,) = scripts.seats
    save(path, "\n" + source)
    in_a_loop(lambda: scripts.look(2))
    assert len(scripts.loaded) == 1
    assert seat.bot is not None
    assert seat.bot.callbacks["trade_update"](None, None, None) == 5


def test_threads_that_are_left_are_told_of_after_a_while(
    tmp_path: Path, looking: Callable[..., Looking], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "LEFT_AFTER", 0.05)
    path, gate = tmp_path / "x.py", threading.Event()
    save(path, of_version(1))
    scripts = looking(path)
    old = scripts.seats[0].generation
    assert old is not None

    def stays() -> None:
        while not gate.is_set():
            try:
                time.sleep(0.01)
            except SystemExit:
                continue

    thread = threading.Thread(target=stays, name="x.py: on_start", daemon=True)
    thread.start()
    old.has(thread)

    async def test() -> None:
        save(path, of_version(2))
        scripts.look(2)
        assert scripts.voice.said == SAID
        await asyncio.sleep(0.1)

    asyncio.run(test())
    gate.set()
    thread.join()
    assert scripts.voice.said == [
        *SAID,
        "x.py: x.py: on_start of the one before has not ended: nothing of it goes out any more",
    ]


def test_what_was_loaded_anew_has_schedules_of_its_own(tmp_path: Path, looking: Callable[..., Looking]) -> None:
    path = tmp_path / "x.py"
    save(path, "from profitview import cron\ncron.options['auto_start'] = False\n" + of_version(1))
    scripts = looking(path)
    (seat,) = scripts.seats
    assert seat.cron.options == {"auto_start": False}
    save(path, of_version(2))
    in_a_loop(lambda: scripts.look(2))
    assert seat.cron.options == Cron().options == {"auto_start": True}
