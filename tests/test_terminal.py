"""`mon` on a terminal: what the screen shows, and how the terminal is left."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest

from tests.command import MON, SYMBOL, environment, simulator


class Terminal:
    """A process on a pseudo-terminal, with the screen as a person would see it."""

    def __init__(self, arguments: list[str], env: dict[str, str], width: int = 80, height: int = 24) -> None:
        self.screen = pyte.Screen(width, height)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.own, theirs = pty.openpty()
        self.resize(width, height)
        self.before = termios.tcgetattr(self.own)
        self.process = subprocess.Popen(
            [MON, *arguments],
            env={**env, "TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)),
        )
        os.close(theirs)

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self.own, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.screen.resize(height, width)

    def read(self, seconds: float) -> None:
        if select.select([self.own], [], [], seconds)[0]:
            try:
                data = os.read(self.own, 65536)
            except OSError:  # the process is gone
                return
            self.raw += data
            self.stream.feed(data)

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def until(self, condition: Callable[[], bool], seconds: float = 15) -> None:
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

    def start(*arguments: str, env: dict[str, str] | None = None, width: int = 80, height: int = 24) -> Terminal:
        terminals.append(Terminal(list(arguments), env or environment(tmp_path), width, height))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.close()


BOOK = ("book", "nexus", SYMBOL, "--env", "sim")


@pytest.mark.parametrize(("way", "code"), [("q", 0), ("\x03", 130), (signal.SIGTERM, 143), (signal.SIGINT, 130)])
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


def test_resizing_at_any_moment(show: Callable[..., Terminal]) -> None:
    terminal = show(*BOOK)
    terminal.until(lambda: "spread" in terminal.text())
    for width, height in ((120, 40), (40, 12), (20, 4), (200, 50), (1, 1), (80, 24)):
        terminal.resize(width, height)
        wanted = {(20, 4): "mon needs 24×6", (1, 1): "…"}.get((width, height), "LIVE")
        terminal.until(lambda wanted=wanted: wanted in terminal.text())  # type: ignore[misc]
    terminal.press("q")
    assert terminal.ended() == 0
    assert b"Traceback" not in terminal.raw


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


def test_the_screen_is_drawn_ten_times_a_second_at_most(show: Callable[..., Terminal], tmp_path: Path) -> None:
    with simulator(tmp_path, "--rate", "1000") as env:
        terminal = show("trades", "nexus", SYMBOL, env=env)
        terminal.until(lambda: "LIVE" in terminal.text())
        before, start = terminal.raw.count(b"\x1b[?2026h"), time.monotonic()
        while time.monotonic() - start < 2:
            terminal.read(0.1)
        draws = terminal.raw.count(b"\x1b[?2026h") - before
        assert 5 <= draws <= 22
        terminal.press("q")
        assert terminal.ended() == 0


def test_stopping_and_going_on(show: Callable[..., Terminal]) -> None:
    terminal = show(*BOOK)
    terminal.until(lambda: "spread" in terminal.text())
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


def test_the_state_follows_the_line(show: Callable[..., Terminal], tmp_path: Path) -> None:
    with simulator(tmp_path, "--fault", "drop:2s", "--rate", "100") as env:
        terminal = show("book", "nexus", SYMBOL, env=env)
        terminal.until(lambda: "LIVE" in terminal.screen.display[0])
        terminal.until(lambda: "RECONNECTING" in terminal.screen.display[0])
        assert "LIVE" not in terminal.screen.display[0]
        assert "spread" in terminal.text(), "the last values stay"
        terminal.until(lambda: "the connection was lost" in terminal.screen.display[-1])
        terminal.until(lambda: "LIVE" in terminal.screen.display[0])
        terminal.press("q")
        assert terminal.ended() == 0


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours(variables: dict[str, str], coloured: bool, show: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = show(*BOOK, env=environment(tmp_path, **variables))
    terminal.until(lambda: "spread" in terminal.text())
    terminal.press("q")
    terminal.ended()
    assert (b"\x1b[31m" in terminal.raw or b";31m" in terminal.raw) == coloured


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
