"""`mon dash` on a terminal: what the screen shows, its keys, and how the terminal is left."""

from __future__ import annotations

import os
import random
import re
import signal
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command import SYMBOL, environment, simulator
from tests.test_dash_sources import recording
from tests.test_terminal import CRASH, Terminal, left_well, show  # noqa: F401  a fixture

DASH = ("dash", "nexus", SYMBOL, "--env", "sim")
Show = Callable[..., Terminal]


def is_up(terminal: Terminal) -> bool:
    return "spread" in terminal.text() and "PARTIAL: orders, positions" in terminal.screen.display[0]


def without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


END = (b"\x1b[?2026l", b"\x1b[?2026l\x1b[5n")  # of a frame, without the question and with it
KEYS = ("\t", "\x1b[Z", "1", "4", "z", "\n", "\x1b[A", "\x1b[B", "s", "g", "+", "?", "x", " ", " ", "\x1b", "9")


def test_resized_and_driven_by_keys_while_a_fast_market_plays(show: Show, tmp_path: Path) -> None:  # noqa: F811
    with simulator(tmp_path, "--rate", "500") as env:
        terminal = show("dash", "nexus", SYMBOL, env=env, width=120, height=40)
        terminal.until(lambda: is_up(terminal))
        chance = random.Random(7)
        for turn in range(50):
            terminal.resize(chance.randint(1, 220), chance.randint(1, 60))
            terminal.press(KEYS[turn % len(KEYS)])
            terminal.read(0.02)
        terminal.resize(100, 30)
        terminal.press("\x1b[Z1")  # the last key may be half of one
        terminal.until(lambda: "▶1 book" in terminal.text() and "q quit" in terminal.screen.display[29])
        if "FROZEN" not in terminal.screen.display[0]:
            terminal.press(" ")
        terminal.until(lambda: "FROZEN" in terminal.screen.display[0] and terminal.raw.endswith(END))
        drawn = [line.replace("•", " ") for line in terminal.screen.display[1:] if "age" not in line]
        terminal.screen.reset()
        terminal.press("\x0c")
        terminal.until(lambda: "q quit" in terminal.screen.display[29] and terminal.raw.endswith(END))
        again = [line.replace("•", " ") for line in terminal.screen.display[1:] if "age" not in line]
        assert again == drawn, "what was painted line by line is what is painted as a whole"
        terminal.press("q")
        assert terminal.ended() == 0
    rest = without_colours(left_well(terminal))
    assert all(f"─{number} {name}" in rest for number, name in enumerate(("book", "trades", "orders"), start=1))
    assert "as of" in rest
    assert "LIVE" not in rest


def test_a_line_that_is_lost_and_comes_again(show: Show, tmp_path: Path) -> None:  # noqa: F811
    with simulator(tmp_path, "--fault", "drop:2s", "--rate", "100") as env:
        terminal = show("dash", "b2trader", "spot.btc_usdt", env=env, width=120, height=40)
        terminal.until(lambda: " LIVE " in terminal.screen.display[0] and "margin level" in terminal.text())
        terminal.until(lambda: "RECONNECTING" in terminal.screen.display[0])
        assert "margin level" in terminal.text(), "the last values stay"
        terminal.until(lambda: " LIVE " in terminal.screen.display[0])
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.ended() == 143
    left_well(terminal)


def test_stopping_and_going_on(show: Show) -> None:  # noqa: F811
    terminal = show(*DASH, width=100, is_child=True)
    terminal.until(lambda: is_up(terminal))
    terminal.process.send_signal(signal.SIGTSTP)
    terminal.until(lambda: os.waitpid(terminal.process.pid, os.WUNTRACED | os.WNOHANG)[0] != 0)
    terminal.until(lambda: b"\x1b[?1049l" in terminal.raw)
    assert termios.tcgetattr(terminal.own) == terminal.before
    terminal.process.send_signal(signal.SIGCONT)
    terminal.until(lambda: terminal.raw.count(b"\x1b[?1049h") == 2)
    terminal.press("\x03")
    assert terminal.ended() == 130
    left_well(terminal)


def test_a_crash_in_one_view(show: Show) -> None:  # noqa: F811
    code = CRASH.format(module="views.trades", name="TradesView.lines")
    terminal = show(*DASH, command=(sys.executable, "-c", code))
    assert terminal.ended() == 1
    assert terminal.raw.count(b"a fault of mon itself: RuntimeError") == 1
    left_well(terminal)


def test_everything_refused_ends_with_the_first_refusal(show: Show, tmp_path: Path) -> None:  # noqa: F811
    with simulator(tmp_path, "--fault", "refuse") as env:
        terminal = show("dash", "b2trader", "spot.btc_usdt", env=env)
        assert terminal.ended() == 4
    rest = left_well(terminal)
    assert "CLOSED" in rest
    assert rest.count("mon: ") == 1


def test_a_recording_is_played_with_all_its_panes(show: Show, tmp_path: Path) -> None:  # noqa: F811
    file = tmp_path / "dash.jsonl.gz"
    terminal = show("dash", "b2trader", "spot.btc_usdt", "--env", "sim", "--record", str(file))
    terminal.until(lambda: " LIVE " in terminal.screen.display[0] and "spread" in terminal.text())
    terminal.press("q")
    assert terminal.ended() == 0
    terminal = show("replay", str(file), "--speed", "max")
    assert terminal.ended() == 0
    rest = without_colours(left_well(terminal))
    assert "REPLAY" in rest
    assert all(f"─{number} {name}" in rest for number, name in enumerate(("book", "orders", "positions"), start=1))


def test_what_was_refused_is_closed_and_the_others_go_on(show: Show, tmp_path: Path) -> None:  # noqa: F811
    file = recording(tmp_path / "r.jsonl", second_ends=False)
    terminal = show("dash", "nexus", "--replay", str(file), "--speed", "max")
    assert terminal.ended() == 0
    rest = without_colours(left_well(terminal))
    assert "CLOSED: orders" in rest
    assert "no permission" in rest
    assert "buy" in rest
    terminal = show("dash", "nexus", "--replay", str(recording(file, second_ends=True)), "--speed", "max")
    assert terminal.ended() == 4
    assert left_well(terminal).count("mon: no permission") == 1


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (DASH, {"TERM": "dumb"}, "needs a terminal whose cursor can be moved"),
        (("dash", "nexus"), {}, "the dashboard of nexus needs a symbol"),
    ],
)
def test_bad_usage(
    arguments: tuple[str, ...],
    variables: dict[str, str],
    said: str,
    show: Show,  # noqa: F811
    tmp_path: Path,
) -> None:
    terminal = show(*arguments, env=environment(tmp_path, **variables))
    assert terminal.ended() == 2
    assert said in " ".join(terminal.raw.decode().split())
    assert b"\x1b[?1049h" not in terminal.raw
