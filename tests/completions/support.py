"""What the tests of completions share: a shell on a terminal of its own, and an answer without a shell."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self
from unittest.mock import patch

import pyte

from cli.commands.completion import FILES
from cli.settings.symbol_cache import keep, place_of
from tests.warmed import for_shells, run
from venues import venue_named
from venues.records import Instrument
from venues.venue import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parents[2]
SCRIPTS = {shell: ROOT / "completions" / name for shell, name in FILES.items()}
BIN = Path(sys.executable).parent
MON = BIN / "mon"
PATIENCE = 30.0  # seconds for what must come at all; nothing waits for it to pass
ROWS, COLUMNS = 40, 120
PROMPT = "$ "

# What is typed before Tab, and the line after it.
COMPLETED = {
    "mon boo": "mon book ",
    'mon book "ne': 'mon book "nexus" ',
    "mon book nexus SPOT_B": "mon book nexus SPOT_BTC_USDT ",
    "mon book nexus --env st": "mon book nexus --env staging ",
    "mon book nexus --env=st": "mon book nexus --env=staging ",
    "mon book nexus -o js": "mon book nexus -o jsonl ",
    "mon config sh": "mon config show ",
    "mon replay tod": "mon replay today.jsonl ",
    "mon book nexus --record=tod": "mon book nexus --record=today.jsonl ",
    "mon sim --tape 'my t": "mon sim --tape 'my tape.jsonl' ",
    "mon book kraken ETH/U": "mon book kraken ETH/USD ",
    "mon book kraken 'ETH/U": "mon book kraken 'ETH/USD' ",
    "mon bot run x.py --market kraken:ETH/U": "mon bot run x.py --market kraken:ETH/USD ",
    "mon bot run x.py --replay tod": "mon bot run x.py --replay today.jsonl ",
    "true && mon trades nexus --max": "true && mon trades nexus --max-age ",
    "mon trades nexus --where trade_": "mon trades nexus --where trade_id ",
    "mon trades nexus --where 'price > 1 and trade_": "mon trades nexus --where 'price > 1 and trade_id' ",
    'mon trades nexus --on "side == \\"buy\\" and trade_': 'mon trades nexus --on "side == \\"buy\\" and trade_id" ',
    "mon book kraken --until '1 < asks[0].pr": "mon book kraken --until '1 < asks[0].price' ",
    "mon margin b2trader --on 'level_pct<20 and un": "mon margin b2trader --on 'level_pct<20 and unrealized_pnl' ",
    "mon margin b2trader --rearm '5 < prev.unreal": "mon margin b2trader --rearm '5 < prev.unrealized_pnl' ",
    "mon check quotes kraken BTC/USD -w spread_b": "mon check quotes kraken BTC/USD -w spread_bps ",
    'mon check quotes kraken -c "mid > 1 or spread_b': 'mon check quotes kraken -c "mid > 1 or spread_bps" ',
    "mon quotes kraken --fields bid_price,ask_s": "mon quotes kraken --fields bid_price,ask_size ",
    "mon quotes kraken --fields 'bid_price, ask_s": "mon quotes kraken --fields 'bid_price, ask_size' ",
    "mon quotes kraken --template '{symbol} {bid_pr": "mon quotes kraken --template '{symbol} {bid_price' ",
}

# What stays as it was typed: nothing fits, least of all the name of a file.
KEPT = (
    "mon book nexus --count tod",
    "mon book nexus --interv",
    "mon nonsense tod",
    "mon trades nexus --where 'trade_id == \"pri",
    "mon trades nexus --where 'price ",
)

_ON_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)
_OURS = ("MON_", "_MON_", "COMP_", "XDG_", "BASH", "ZDOTDIR", "ENV", "PROMPT", "PS1", "INPUTRC", "FPATH", "LC_", "HIST")


def environment(home: Path) -> dict[str, str]:
    """A clean one, in which `mon` is the one of the running interpreter."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    path = f"{for_shells()}{os.pathsep}{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return inherited | {"PATH": path, "HOME": str(home), "TERM": "xterm", "LANG": "C.UTF-8"}


def new_home(folder: Path) -> Path:
    """A folder to be in, with files that must and must not be offered, and a venue's symbols as a run keeps them."""
    for name in ("today.jsonl", "my tape.jsonl"):
        (folder / name).touch()
    place = place_of("kraken", None, Settings(url=venue_named("kraken").environments["production"]))
    symbols = [Instrument(venue="kraken", symbol=symbol, received=0) for symbol in ("BTC/USD", "ETH/USD", "$(false)")]
    with patch.dict(os.environ, {"HOME": str(folder)}):
        os.environ.pop("XDG_CACHE_HOME", None)
        assert keep(place, symbols, round(time.time() * 1000))
    return folder


def other_mon(home: Path, answer: str) -> None:
    """Another program of that name, `~/bin/mon`."""
    (home / "bin").mkdir()
    program = home / "bin" / "mon"
    program.write_text(f"#!/bin/sh\necho {answer}\n")
    program.chmod(0o755)


def ask(shell: str, words: str, index: int | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """What `mon` answers, with all that it writes."""
    asked = {"_MON_COMPLETE": f"complete_{shell}", "COMP_WORDS": words}
    if index is not None:
        asked["COMP_CWORD"] = str(index)
    environ = environment(Path("/nonexistent")) | asked | more
    return run([MON], environ, timeout=PATIENCE)


class _Screen(pyte.Screen):
    """A screen that answers when it is asked what it is."""

    def __init__(self, answer: Callable[[bytes], object]) -> None:
        super().__init__(COLUMNS, ROWS)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        self._answer(data.encode())


class Shell:
    """An interactive shell on a pty, its screen read by pyte."""

    def __init__(self, command: Sequence[str], home: Path) -> None:
        self._master, terminal = os.openpty()
        termios.tcsetwinsize(terminal, (ROWS, COLUMNS))
        launcher = [sys.executable, "-S", "-c", _ON_TERMINAL, *command]
        self._process = subprocess.Popen(
            launcher,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            cwd=home,
            env=environment(home),
            start_new_session=True,
        )
        os.close(terminal)
        self._screen = _Screen(lambda data: os.write(self._master, data))
        self._stream = pyte.ByteStream(self._screen)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        os.close(self._master)
        self._process.wait()

    def run(self, line: str) -> None:
        """Run a line of the user's own configuration, then wait for a clean prompt."""
        self.type(f"{line}; clear\n")
        self.wait(lambda: self.line == "" and self._screen.cursor.y == 0)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    @property
    def text(self) -> str:
        """All that the screen shows."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def line(self) -> str | None:
        """What stands between the prompt and the cursor; None while there is no prompt."""
        cursor = self._screen.cursor
        before = self._screen.display[cursor.y][: cursor.x]
        return before.removeprefix(PROMPT) if before.startswith(PROMPT) else None

    def clear(self) -> None:
        """An empty line on an empty screen."""
        self.type("\x15\x0c")
        self.wait(lambda: self.line == "" and self.text.strip() == PROMPT.strip())

    def wait(self, reached: Callable[[], bool]) -> None:
        """Until the screen is as it should be."""
        deadline = time.monotonic() + PATIENCE
        while not reached():
            left = deadline - time.monotonic()
            assert left > 0, f"the screen never became what was expected:\n{self.text}\nline: {self.line!r}"
            if select.select([self._master], [], [], left)[0]:
                self._stream.feed(os.read(self._master, 65536))

    def completes(self, typed: str, expected: str) -> None:
        """Tab after what was typed makes the line what was expected."""
        self.clear()
        self.type(typed)
        self.wait(lambda: self.line == typed)
        self.type("\t")
        self.wait(lambda: self.line == expected)

    def keeps(self, typed: str) -> None:
        """Tab changes nothing and shows nothing."""
        self.clear()
        self.type(f"{typed}\t")
        self.type("X")
        self.wait(lambda: self.line == f"{typed}X")
        assert self.text.strip() == f"{PROMPT}{typed}X"

    def lists(self, typed: str, *names: str, tabs: str = "\t") -> str:
        """The screen once all of these are shown."""
        self.clear()
        self.type(typed)
        self.wait(lambda: self.line == typed)
        self.type(tabs)
        self.wait(lambda: all(name in self.text.replace(typed, "") for name in names))
        return self.text
