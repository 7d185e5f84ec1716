"""What is written to a terminal: only what changed, and nothing that stays behind."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import threading
import time
from collections.abc import Iterator

import pyte
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.text import Text

from cli.screen.canvas import Ink
from cli.screen.pace import Pace
from cli.screen.painter import BEGIN, END, Painter


class Screen:
    """A painter, and what a terminal makes of what it writes."""

    def __init__(self, width: int = 20, height: int = 4) -> None:
        self.size = (width, height)
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.painter = Painter(self.writer, Ink("256", color=True), Pace())
        self.screen = pyte.Screen(width, height)
        self.stream = pyte.ByteStream(self.screen)

    def paint(self, *lines: str | Text) -> str:
        self.painter.paint([Text(line) if isinstance(line, str) else line for line in lines], self.size)
        return self.written()

    def written(self) -> str:
        try:
            data = os.read(self.reader, 65536)
        except BlockingIOError:
            return ""
        self.stream.feed(data)
        return data.decode()

    def shown(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display]

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)


@pytest.fixture
def screen() -> Iterator[Screen]:
    made = Screen()
    yield made
    made.close()


def test_only_what_changed_is_written_in_one_synchronized_update(screen: Screen) -> None:
    first = screen.paint("one", "two", "three", "four")
    assert first.startswith(BEGIN)
    assert first.endswith(END)
    assert screen.paint("one", "two", "three", "four") == "", "nothing when nothing changed"
    changed = screen.paint("one", "2", "three", "four")
    assert "2" in changed
    assert "three" not in changed
    assert screen.shown() == ["one", "2", "three", "four"]
    styled = Text.assemble("th", ("ree", "bold"))
    assert "ree" in screen.paint("one", "2", styled, "four"), "another style is another line"
    assert "three" in screen.paint("one", "2", Text("three", style="dim"), "four")


def test_shorter_lines_and_fewer_leave_nothing_behind(screen: Screen) -> None:
    screen.paint("x" * 20, "y" * 20, "z", "z")
    screen.paint("x", "y" * 20)
    assert screen.shown() == ["x", "y" * 20, "", ""]


def test_a_line_as_wide_as_the_screen_keeps_its_last_character(screen: Screen) -> None:
    screen.paint("a")
    screen.paint("x" * 19 + "!")
    assert screen.shown()[0] == "x" * 19 + "!"
    assert "\x1b[K" not in screen.paint("y" * 20)


def test_another_size_is_drawn_anew(screen: Screen) -> None:
    screen.paint("one", "two")
    screen.size = (21, 4)
    again = screen.paint("one", "two")
    assert "\x1b[2J" in again
    assert "one" in again
    screen.painter.forget()
    assert "one" in screen.paint("one", "two")


def test_leaving_and_taking_again(screen: Screen) -> None:
    screen.painter.leave()
    assert screen.written() == "", "nothing was taken"
    screen.paint("one")
    assert screen.painter.is_up
    screen.painter.leave()
    assert screen.written().endswith("\x1b[?7h\x1b[?25h\x1b[?1049l")
    screen.painter.leave()
    assert screen.written() == ""
    assert "\x1b[?1049h" in screen.paint("one")
    assert screen.shown()[0] == "one"


def fill(descriptor: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(descriptor, b"x" * 4096)


def test_a_terminal_that_takes_nothing_more_is_not_waited_for(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.screen.painter.LEAVE_WITHIN", 0.01)
    screen.paint("one")
    os.set_blocking(screen.writer, False)
    fill(screen.writer)
    os.set_blocking(screen.writer, True)
    screen.painter.leave()


class Reader(threading.Thread):
    """Reads a pseudo-terminal in pieces, with a pause after each, until nothing is written any more."""

    def __init__(self, pause: float) -> None:
        super().__init__()
        self.own, self.theirs = pty.openpty()
        self.pause = pause
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError):  # the other end was closed
            while os.read(self.own, 512):
                time.sleep(self.pause)

    def close(self) -> None:
        os.close(self.theirs)
        self.pause = 0.0
        self.join(10)
        os.close(self.own)


@pytest.mark.parametrize(("pause", "is_slow"), [(0.0, False), (0.01, True)])
def test_a_terminal_that_answers_nothing_shows_whether_it_reads(
    pause: float, is_slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.screen.painter.PROBED_WITHIN", 60.0 if pause == 0 else 0.01)
    monkeypatch.setattr("cli.screen.pace.MEASURED_OVER", 0.1)
    monkeypatch.setattr("cli.screen.pace.MEASURED_BY", 3 if is_slow else 10**9)
    reader = Reader(pause)
    try:
        pace = Pace()
        painter = Painter(reader.theirs, Ink("256", color=True), pace)
        pace.listen(heard=False)
        painter.paint([Text("one")], (20, 4))
        assert pace.probes
        painter.probe()
        assert pace.has_rate == is_slow
        assert not pace.probes
        assert pace.is_ready() != is_slow, "what it holds has to be read first"
        painter.paint([Text("two")], (20, 4))
        assert 0 < pace.delay() < 1 if is_slow else pace.delay() == 0
    finally:
        reader.close()


def test_who_leaves_does_not_wait_for_a_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.screen.painter.LEAVE_WITHIN", 0.01)
    own, theirs = pty.openpty()
    try:
        pace = Pace()
        painter = Painter(theirs, Ink("256", color=True), pace)
        painter.paint([Text("one")], (20, 4))
        probing = threading.Thread(target=painter.probe, daemon=True)
        probing.start()
        while select.select([], [theirs], [], 0)[1]:
            time.sleep(0.001)
        painter.unblock()
        painter.leave()
        probing.join(10)
        assert not probing.is_alive()
    finally:
        os.close(own)
        os.close(theirs)


def test_colours_as_many_as_the_terminal_has() -> None:
    line = Text("x", style="bold color(33)")
    assert Ink("256", color=True).drawn(line) == "\x1b[1;38;5;33mx\x1b[0m"
    assert Ink("standard", color=True).drawn(line).startswith("\x1b[1;")
    assert Ink("256", color=False).drawn(line) == "\x1b[1mx\x1b[0m"
    assert Ink(None, color=False).drawn(line) == "x"


def test_cells_that_changed_are_written_and_no_others(screen: Screen) -> None:
    screen.paint("price 100.25  size 7", Text("bold", "bold"), "same")
    again = screen.paint("price 100.75  size 8", Text("bole", "bold"), "same")
    assert again == f"{BEGIN}\x1b[1;11H7\x1b[8C8\x1b[2;4H\x1b[1me\x1b[m{END}"
    assert screen.shown() == ["price 100.75  size 8", "bole", "same", ""]


def test_a_small_gap_is_written_again_rather_than_skipped(screen: Screen) -> None:
    screen.paint("a1b2c")
    assert screen.paint("x1y2z") == f"{BEGIN}\x1b[1Hx1y2z{END}"


def test_the_pen_is_changed_as_seldom_as_can_be(screen: Screen) -> None:
    """Of two lines alike the second begins with the pen that the first has ended with."""
    line = Text.assemble(("1", "red"), "      ", ("2", "green"))
    other = Text.assemble(("3", "red"), "      ", ("4", "green"))
    screen.paint(line, line)
    again = screen.paint(other, other)
    assert again.count("\x1b[32m") == 1
    assert again.count("\x1b[31m") == 2
    assert screen.shown()[:2] == ["3      4"] * 2


def test_what_stands_behind_a_character_of_unknown_width_is_written_with_it(screen: Screen) -> None:
    """No terminal is trusted to have it where we think."""
    screen.paint("12 e\u0301漢字 99")
    again = screen.paint("13 e\u0301漢字 98")
    assert "3" in again
    assert "e\u0301漢字 98" in again
    assert screen.paint("14 e\u0301漢字 98").count("漢") == 0, "what is before it is written by itself"


STYLES = ("", "red", "bold", "dim red", "reverse", "on blue", "bold green on red", "strike")
PARTS = st.tuples(st.text("ab 漢▲", max_size=5), st.sampled_from(STYLES))
LINES = st.lists(st.lists(PARTS, max_size=4), min_size=1, max_size=4)


@given(st.lists(LINES, min_size=1, max_size=8), st.sampled_from((10, 24)))
@example([[[("a", "reverse")], [("aba", "")]], [[("b", "reverse")], [("a a", "")]]], 24)
@example([[[("a", "")]], [[("b", ""), ("  ", "on blue")]]], 24)
def test_the_screen_shows_the_last_frame_whatever_was_before(
    frames: list[list[list[tuple[str, str]]]], width: int
) -> None:
    """As if rich had written it, also its colours, on a screen that is wider than the lines or not."""
    screen, wanted = Screen(width), Screen(width)
    try:
        for frame in frames:
            lines = [Text.assemble(*parts) for parts in frame]
            for line in lines:
                line.truncate(width)
            screen.paint(*lines)
        wanted.stream.feed(b"\x1b[?7l")
        for y, line in enumerate(lines, start=1):
            wanted.stream.feed(f"\x1b[{y};1H{Ink('256', color=True).drawn(line)}".encode())
        assert cells_of(screen.screen) == cells_of(wanted.screen)
    finally:
        screen.close()
        wanted.close()


def cells_of(screen: pyte.Screen) -> list[list[object]]:
    """What each cell looks like; a blank has no colour of its own."""
    return [
        [
            (cell.data, cell.bg, cell.reverse, cell.strikethrough) if cell.data == " " else tuple(cell)
            for cell in (screen.buffer[y][x] for x in range(screen.columns))
        ]
        for y in range(screen.lines)
    ]
