"""`mon` on a terminal: what the screen shows, and how the terminal is left."""

from __future__ import annotations

import fcntl
import os
import pty
import random
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyte
import pytest

from tests.command import MON, SYMBOL, environment, simulator
from tests.warmed import popen


class Terminal:
    """A process on a pseudo-terminal, with the screen as a person would see it.

    `answers`: after how many seconds it answers what it is asked; None for never.
    """

    answers: float | None = 0.0

    def __init__(
        self,
        command: list[str],
        env: dict[str, str],
        width: int = 80,
        height: int = 24,
        stdin: int | None = None,
        *,
        is_child: bool = False,
    ) -> None:
        """`is_child`: the process is a child of this one, as it is of a shell that stops it."""
        self.screen = pyte.Screen(width, height)
        self.screen.write_process_input = self.answer
        self.stream = pyte.ByteStream(self.screen)
        self.due: list[tuple[float, str]] = []
        self.raw = b""
        self.own, theirs = pty.openpty()
        self.resize(width, height)
        self.before = termios.tcgetattr(self.own)
        self.process = popen(
            command,
            {"TERM": "xterm-256color", "LANG": "C.UTF-8", **env},
            terminal=True,
            is_child=is_child,
            stdin=theirs if stdin is None else stdin,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self.own, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.screen.resize(height, width)

    def answer(self, text: str) -> None:
        if self.answers is not None:
            self.due.append((time.monotonic() + self.answers, text))

    def read(self, seconds: float) -> None:
        while self.due and self.due[0][0] <= time.monotonic():
            self.press(self.due.pop(0)[1])
        if self.due:
            seconds = min(seconds, 0.02)
        if select.select([self.own], [], [], seconds)[0]:
            try:
                data = os.read(self.own, 65536)
            except OSError:  # the process is gone
                return
            self.raw += data
            self.stream.feed(data)

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def until(self, condition: Callable[[], bool], seconds: float = 40) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.text()
            self.read(0.1)

    def press(self, keys: str) -> None:
        os.write(self.own, keys.encode())

    def ended(self) -> int:
        self.until(lambda: self.process.poll() is not None)
        for _ in range(5):
            self.read(0.05)
        assert self.process.returncode is not None
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(5)
        os.close(self.own)


@pytest.fixture
def show(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    terminals: list[Terminal] = []

    def start(
        *arguments: str,
        env: dict[str, str] | None = None,
        width: int = 80,
        height: int = 24,
        command: Sequence[str] = (str(MON),),
        **options: Any,
    ) -> Terminal:
        terminals.append(Terminal([*command, *arguments], env or environment(tmp_path), width, height, **options))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.close()


@pytest.fixture
def tape(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with simulator(tmp_path_factory.mktemp("tape"), "--rate", "500") as env:
        yield env


BOOK = ("book", "nexus", SYMBOL, "--env", "sim")


@pytest.mark.parametrize(
    ("way", "code"), [("q", 0), ("\x03", 130), (signal.SIGTERM, 143), (signal.SIGINT, 130), ("\x1c", 131)]
)
def test_the_terminal_is_as_before_on_every_way_out(
    way: str | signal.Signals, code: int, show: Callable[..., Terminal]
) -> None:
    terminal = show(*BOOK)
    terminal.until(lambda: "LIVE" in terminal.text() and "spread" in terminal.text())
    assert "SIM" in terminal.screen.display[0]
    assert "q quit" in terminal.screen.display[-1]
    assert termios.tcgetattr(terminal.own) != terminal.before, "single keys while the table is up"
    if isinstance(way, str):
        terminal.press(way)
    else:
        terminal.process.send_signal(way)
    assert terminal.ended() == code
    assert termios.tcgetattr(terminal.own) == terminal.before
    assert terminal.raw.count(b"\x1b[?1049h") == terminal.raw.count(b"\x1b[?1049l") == 1
    assert terminal.raw.rstrip().count(b"\x1b[?25l") == terminal.raw.count(b"\x1b[?25h")
    rest = terminal.raw.rpartition(b"\x1b[?1049l")[2].decode()
    assert "as of" in rest, "the last table stays, and does not look live"
    assert "LIVE" not in rest
    assert "Traceback" not in rest


def left_well(terminal: Terminal) -> str:
    """What is on the normal screen afterwards; the terminal is as it was before."""
    assert termios.tcgetattr(terminal.own) == terminal.before
    for taken, given_back in ((b"?1049h", b"?1049l"), (b"?25l", b"?25h"), (b"?7l", b"?7h"), (b"?2004h", b"?2004l")):
        assert terminal.raw.count(b"\x1b[" + taken) <= terminal.raw.count(b"\x1b[" + given_back), taken
        assert terminal.raw.rfind(b"\x1b[" + taken) <= terminal.raw.rfind(b"\x1b[" + given_back), taken
    rest = terminal.raw.rpartition(b"\x1b[?1049l")[2].decode()
    assert "Traceback" not in rest
    return rest


KEYS = (
    "+",
    "-",
    "g",
    "G",
    "\x1b[A",
    "\x1b[B",
    "s",
    "S",
    "?",
    "?",
    " ",
    " ",
    "\x1b[5~",
    "\x1b[6~",
    "\x1b",
    "x",
    "\x1b[9;9~",
)


@pytest.mark.parametrize("stream", ["book", "orders"])
def test_fifty_sizes_and_all_keys_while_a_fast_tape_plays(
    stream: str, show: Callable[..., Terminal], tape: dict[str, str]
) -> None:
    terminal = show(stream, "nexus", SYMBOL, env=tape)
    terminal.until(lambda: "nexus" in terminal.screen.display[0] and " age " in terminal.screen.display[0])
    chance = random.Random(5)
    for turn in range(50):
        terminal.resize(chance.randint(1, 200), chance.randint(1, 60))
        terminal.press(KEYS[turn % len(KEYS)])
        terminal.read(0.02)
    terminal.resize(100, 30)
    terminal.press("\x1b[F")
    terminal.until(lambda: "q quit" in terminal.screen.display[29] and "nexus" in terminal.screen.display[0])
    terminal.press(" ")
    terminal.until(lambda: "FROZEN since" in terminal.screen.display[0] and "go on" in terminal.screen.display[29])
    drawn = terminal.screen.display[1:-1]  # header and footer may have something new to say
    terminal.screen.reset()
    terminal.press("\x0c")
    terminal.until(lambda: "q quit" in terminal.screen.display[29])
    assert terminal.screen.display[1:-1] == drawn, "what was painted line by line is what is painted as a whole"
    terminal.press("q")
    assert terminal.ended() == 0
    assert "as of" in left_well(terminal)


def test_a_screen_that_is_too_small(show: Callable[..., Terminal]) -> None:
    terminal = show(*BOOK, width=20, height=4)
    terminal.answers = None
    terminal.until(lambda: terminal.text().rstrip() == "mon needs 24×6")
    terminal.resize(1, 1)
    terminal.until(lambda: terminal.text() == "#")
    terminal.resize(80, 24)
    terminal.until(lambda: "spread" in terminal.text())
    terminal.process.send_signal(signal.SIGHUP)
    assert terminal.ended() == 129
    left_well(terminal)


IMPATIENT = """
import os, signal, sys, time, cli.screen.table
from cli.main import run
last = cli.screen.table.Table.last
def press_again(*arguments):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.05)
    return last(*arguments)
cli.screen.table.Table.last = press_again
sys.argv[0] = "mon"
sys.exit(run(sys.argv[1:]))
"""


def test_the_last_table_stays_also_for_who_presses_ctrl_c_again(show: Callable[..., Terminal]) -> None:
    terminal = show(*BOOK, command=(sys.executable, "-c", IMPATIENT))
    terminal.until(lambda: "spread" in terminal.text())
    terminal.press("\x03")
    assert terminal.ended() == 130
    assert "as of" in left_well(terminal)


CRASH = """
import sys, cli.{module}
from cli.main import run
def crash(*arguments): raise RuntimeError("[b]oops\\x1b[2J")
cli.{module}.{name} = crash
sys.argv[0] = "mon"
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize(("module", "name"), [("views.book", "BookView.press"), ("screen.painter", "_same")])
def test_a_crash_in_what_draws(module: str, name: str, show: Callable[..., Terminal]) -> None:
    code = CRASH.format(module=module, name=name)
    terminal = show(*BOOK, command=(sys.executable, "-c", code))
    if name.endswith("press"):
        terminal.until(lambda: "spread" in terminal.text())
        terminal.press("+")
    assert terminal.ended() == 1
    assert terminal.raw.count(b"mon: a fault of mon itself: RuntimeError: [b]oops\\x1b[2J") == 1
    left_well(terminal)


def test_ctrl_z_and_fg_in_a_shell(show: Callable[..., Terminal], tmp_path: Path) -> None:
    """The terminal answers late: the shell must not get what it answers."""
    env = {**environment(tmp_path), "PS1": "ready> "}
    terminal = show(env=env, command=("bash", "--norc", "--noprofile", "--noediting", "-i"))
    terminal.answers = 0.2
    terminal.until(lambda: "ready>" in terminal.text())
    terminal.press(f"{MON} book nexus {SYMBOL} --env sim\n")
    terminal.until(lambda: "spread" in terminal.text() and "LIVE" in terminal.text())
    for _ in range(2):
        terminal.press("\x1a")
        terminal.until(lambda: "Stopped" in terminal.text() and not terminal.due)
        assert terminal.raw.rfind(b"\x1b[?1049l") > terminal.raw.rfind(b"\x1b[?1049h")
        terminal.screen.reset()
        terminal.press("fg\n")
        terminal.until(lambda: "LIVE" in terminal.screen.display[0] and "spread" in terminal.text())
        terminal.press("?")
        terminal.until(lambda: "any key closes this" in terminal.text())
        terminal.press("x")
        terminal.until(lambda: "any key closes this" not in terminal.text())
    terminal.press("q")
    terminal.until(lambda: "as of" in terminal.text() and terminal.text().rstrip().endswith("ready>"))
    assert not terminal.due
    assert "[0n" not in terminal.text()
    terminal.press("exit\n")
    assert terminal.ended() == 0
    left_well(terminal)


def test_a_terminal_that_was_stopped_with_ctrl_s(show: Callable[..., Terminal]) -> None:
    terminal = show(*BOOK)
    terminal.until(lambda: "spread" in terminal.text())
    terminal.press("\x13")
    size = -1
    while size != (size := len(terminal.raw)):
        terminal.read(0.5)
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.ended() == 143
    left_well(terminal)


def test_without_a_keyboard(show: Callable[..., Terminal]) -> None:
    """stdin is at its end: no keys, and no busy loop."""
    with open(os.devnull, "rb") as nothing:
        terminal = show(*BOOK, stdin=nothing.fileno())
        terminal.until(lambda: "spread" in terminal.text() and "Ctrl-C quit" in terminal.text())
    assert "q quit" not in terminal.text()
    assert termios.tcgetattr(terminal.own) == terminal.before
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.ended() == 143
    left_well(terminal)


def without_marks(terminal: Terminal) -> list[str]:
    return [line.replace("•", " ") for line in terminal.screen.display[1:-1]]


@pytest.mark.parametrize(
    ("variables", "shown"),
    [({"COLUMNS": "30"}, "LIVE"), ({"TERM": "dumb"}, '"type":"book"'),
     ({"LANG": "C", "COLUMNS": "abc", "LINES": "0"}, "+/- depth")],
)  # fmt: skip
def test_what_the_environment_says(
    variables: dict[str, str], shown: str, show: Callable[..., Terminal], tmp_path: Path
) -> None:
    terminal = show(*BOOK, env=environment(tmp_path, **variables), width=90)
    terminal.until(lambda: shown in terminal.text())
    if variables.get("COLUMNS") == "30":
        terminal.until(lambda: "q quit" in terminal.screen.display[-1])
        assert all(not line[30:].strip() for line in terminal.screen.display)
    if "LANG" in variables:
        terminal.until(lambda: "spread" in terminal.text())
        assert terminal.text().isascii()
    terminal.press("q" if "TERM" not in variables else "\x03")
    assert terminal.ended() in (0, 130)
    left_well(terminal)


def test_nothing_is_drawn_when_nothing_changes(show: Callable[..., Terminal], tmp_path: Path) -> None:
    """A connection that never comes: after the first frames the age of nothing does not change."""
    env = {**environment(tmp_path), "MON_NEXUS_URL": "ws://127.0.0.1:1", "MON_NEXUS_CLIENT_KEY": "a-secret-key"}
    terminal = show("book", "nexus", SYMBOL, env=env)
    terminal.until(lambda: "RECONNECTING" in terminal.text())

    def quiet() -> bool:
        size, end = len(terminal.raw), time.monotonic() + 0.6
        while time.monotonic() < end:
            terminal.read(0.1)
        return len(terminal.raw) == size

    terminal.until(quiet)
    terminal.press("q")
    assert terminal.ended() == 0


def test_the_screen_is_drawn_ten_times_a_second_at_most(show: Callable[..., Terminal], tape: dict[str, str]) -> None:
    terminal = show("trades", "nexus", SYMBOL, env=tape)
    terminal.until(lambda: "LIVE" in terminal.text())
    before, start = terminal.raw.count(b"\x1b[?2026h"), time.monotonic()
    draws, lasted = 0, 0.0
    while draws < 4 or lasted < 1.5:
        terminal.read(0.1)
        draws, lasted = terminal.raw.count(b"\x1b[?2026h") - before, time.monotonic() - start
        assert lasted < 30
    assert draws <= 10 * lasted + 1
    terminal.press("q")
    assert terminal.ended() == 0


def test_stopping_and_going_on(show: Callable[..., Terminal]) -> None:
    terminal = show(*BOOK, is_child=True)
    terminal.until(lambda: "spread" in terminal.text())
    terminal.until(lambda: re.search(r" [1-9][0-9.]* msg/s", terminal.screen.display[0]) is not None)
    terminal.process.send_signal(signal.SIGTSTP)
    terminal.until(lambda: b"\x1b[?1049l" in terminal.raw)
    terminal.until(lambda: os.waitpid(terminal.process.pid, os.WUNTRACED | os.WNOHANG)[0] != 0)
    assert termios.tcgetattr(terminal.own) == terminal.before
    terminal.process.send_signal(signal.SIGCONT)
    terminal.until(lambda: terminal.raw.count(b"\x1b[?1049h") == 2)
    terminal.until(lambda: termios.tcgetattr(terminal.own) != terminal.before)
    terminal.press("q")
    assert terminal.ended() == 0
    assert termios.tcgetattr(terminal.own) == terminal.before


def test_the_state_follows_the_line_also_while_frozen(show: Callable[..., Terminal], tmp_path: Path) -> None:
    with simulator(tmp_path, "--fault", "drop:2s", "--rate", "100") as env:
        terminal = show("book", "nexus", SYMBOL, env=env)
        terminal.until(lambda: " LIVE " in terminal.screen.display[0])
        terminal.until(lambda: "RECONNECTING" in terminal.screen.display[0])
        assert "LIVE" not in terminal.screen.display[0]
        assert "spread" in terminal.text(), "the last values stay"
        terminal.until(lambda: "the connection was lost" in terminal.screen.display[-1])
        terminal.until(lambda: " LIVE " in terminal.screen.display[0])
        terminal.press("\x1b[200~q \n\x1b[201~ ")  # what is pasted is no key; then a space
        terminal.until(lambda: "FROZEN since" in terminal.screen.display[0] and "go on" in terminal.screen.display[-1])
        frozen = without_marks(terminal)
        terminal.until(lambda: "FROZEN" in terminal.screen.display[0] and "RECONNECTING" in terminal.screen.display[0])
        assert without_marks(terminal) == frozen
        terminal.press(" ")
        terminal.until(lambda: " LIVE " in terminal.screen.display[0])
        terminal.press("q")
        assert terminal.ended() == 0


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours(variables: dict[str, str], coloured: bool, show: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = show(*BOOK, env=environment(tmp_path, **variables))
    terminal.until(lambda: "spread" in terminal.text())
    terminal.press("q")
    terminal.ended()
    assert (b"\x1b[31m" in terminal.raw or b";31m" in terminal.raw) == coloured


@pytest.mark.parametrize("output", ["table", "jsonl"])
def test_an_alert_rings_and_a_table_flashes(output: str, show: Callable[..., Terminal], tmp_path: Path) -> None:
    options = ("--on", "bids[0].price > 0", "--bell", "-o", output)
    terminal = show(*BOOK, *options, env=environment(tmp_path))
    seen: list[bool] = []

    def flashes() -> bool:
        seen.append(terminal.screen.buffer[0][0].reverse)
        return seen[-1]

    words = f"{SYMBOL}: bids[0].price > 0"
    terminal.until(lambda: b"\a" in terminal.raw and words in terminal.text())
    if output == "table":
        terminal.until(flashes)
        terminal.until(lambda: not flashes())
        assert words in terminal.screen.display[-1]
    terminal.press("q" if output == "table" else "\x03")
    terminal.ended()
    assert terminal.raw.count(b"\a") == 1
    assert any(seen) == (output == "table")


def test_lines_on_a_terminal_are_harmless(show: Callable[..., Terminal], tmp_path: Path) -> None:
    """JSON lets DEL, C1 controls and marks of direction through; a terminal must not get them."""
    file = tmp_path / "hostile.jsonl"
    header = '{"kind":"recording","version":1,"venue":"nexus","url":"wss://v.example","subscriptions":[{"stream":"orders","symbols":["SPOT_BTC_USDT"]}]}'
    order = '{"event":"ORDER_UPDATE","timestamp":1,"data":{"symbol":"\\u009b31m\\u202e\\u007f","order_id":1,"side":"BUY","status":"NEW"}}'  # noqa: E501
    events = [
        '{"kind":"dial","at":1,"mono":1.0,"draw":0.5}',
        '{"kind":"open","at":1,"mono":1.0}',
        '{"kind":"frame","at":1,"mono":1.0,"direction":"in","text":"'
        + order.replace("\\", "\\\\").replace('"', '\\"')
        + '"}',
    ]
    file.write_text("\n".join([header, *events]) + "\n", encoding="utf-8")
    for output in ("jsonl", "csv", "table"):
        terminal = show("replay", str(file), "-o", output, "--speed", "max")
        assert terminal.ended() == 0
        assert "31m" in terminal.raw.decode()
        for forbidden in ("\x9b", "\u202e", "\x7f"):
            assert forbidden not in terminal.raw.decode()
