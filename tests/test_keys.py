"""What a terminal sends, as keys."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import select
import signal
import termios
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.screen import keys
from cli.screen.keys import LONGEST_SEQUENCE, Keyboard, KeyParser, take_terminal
from cli.screen.pace import Pace

KNOWN = {"up", "down", "left", "right", "home", "end", "pgup", "pgdn", "space", "esc", "redraw"} | {
    "tab",
    "shift-tab",
    "enter",
}


def parsed(*pieces: bytes) -> list[str]:
    parser = KeyParser()
    return [key for piece in pieces for key in parser.feed(piece)] + parser.flush()


@pytest.mark.parametrize(
    ("sent", "pressed"),
    [
        (b"q", ["q"]), (b"+-gG?", ["+", "-", "g", "G", "?"]), (b" ", ["space"]), (b"\x0c", ["redraw"]),
        ("é漢".encode(), ["é", "漢"]),
        (b"\x1b[A\x1b[B\x1b[C\x1b[D", ["up", "down", "right", "left"]), (b"\x1bOA\x1bOH\x1bOF", ["up", "home", "end"]),
        (b"\x1b[1~\x1b[4~\x1b[5~\x1b[6~\x1b[7~\x1b[8~", ["home", "end", "pgup", "pgdn", "home", "end"]),
        (b"\x1b[H\x1b[F", ["home", "end"]), (b"\x1b[1;5Aq", ["up", "q"]), (b"\x1b", ["esc"]),
        (b"\x1b\x1b[A", ["up"]), (b"\x1bxq", ["q"]),
        (b"\x1b[", []), (b"\x1b[1;", []), (b"\x1bO", []), (b"\x1b[2~\x1b[3~\x1b[15~\x1b[[Aq", ["q"]),
        (b"\x1b[?1;2cq", ["q"]), (b"\x1b]0;a title\x07q", ["q"]), (b"\x1bPdevice\x1b\\q", ["q"]),
        (b"\x1b[5\x01q", ["q"]),
        (b"\r\n\t\x1b[Z\x7f\x00", ["enter", "enter", "tab", "shift-tab"]),
        (b"\xff\xfeq", ["q"]), (b"\x1b[<0;5;5Mq", ["q"]),
    ],
)  # fmt: skip
def test_keys(sent: bytes, pressed: list[str]) -> None:
    assert parsed(sent) == pressed
    assert parsed(*(bytes([byte]) for byte in sent)) == pressed, "in the smallest pieces"


def test_what_is_pasted_is_no_key() -> None:
    pasted = b"\x1b[200~qqq \x1b[A\x1b more q\x1b[201~s"
    assert parsed(pasted) == ["s"]
    assert parsed(*(bytes([byte]) for byte in pasted)) == ["s"]
    assert parsed(b"sell everything quickly\n") == [], "also where the terminal does not tell"
    assert parsed(b"++++++++++++++++") == ["+"] * 16, "a key that is held down is a key"
    assert parsed(b"\x1b[200~" + b"q" * 100_000) == []


ANSWER = b"\x1b[0n"


@pytest.mark.parametrize(
    ("sent", "pressed"),
    [
        (ANSWER, []), (b"q" + ANSWER + b"s", ["q", "s"]), (b"\x1b[A" + ANSWER + b"\x1b[B", ["up", "down"]),
        (b"\x1b" + ANSWER, ["esc"]), (ANSWER + b"\x1b", ["esc"]), (b"\x1b\x1b[A" + ANSWER, ["up"]),
        (b"\x1b[200~qq" + ANSWER + b"q\x1b[201~s", ["s"]), (b"\xc3" + ANSWER, []),
    ],
)  # fmt: skip
def test_answers_of_the_terminal_are_no_keys_and_lose_none(sent: bytes, pressed: list[str]) -> None:
    for pieces in (
        (sent,),
        tuple(bytes([byte]) for byte in sent),
        *((sent[:at], sent[at:]) for at in range(len(sent))),
    ):
        parser = KeyParser()
        parser.due = True
        keys = [key for piece in pieces for key in parser.feed(piece)]
        assert [*keys, *parser.flush()] == pressed, pieces
        assert parser.answers == 1, pieces


def test_an_endless_sequence_ends() -> None:
    parser = KeyParser()
    assert parser.feed(b"\x1b[" + b"1;" * LONGEST_SEQUENCE) == []
    assert "q" in [key for _ in range(2) for key in parser.feed(b"mq")]


@given(st.binary(max_size=300))
def test_whatever_comes_is_a_known_key_or_one_character(data: bytes) -> None:
    parser = KeyParser()
    for key in [*parser.feed(data), *parser.flush()]:
        assert key in KNOWN or (len(key) == 1 and key.isprintable())
    assert not parser.waits


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal; ours is stdin while a test runs."""
    own, theirs = pty.openpty()
    saved = os.dup(0)
    os.dup2(theirs, 0)
    yield own, theirs
    os.dup2(saved, 0)
    for descriptor in (saved, theirs, own):
        os.close(descriptor)


def test_keys_of_a_terminal_and_the_terminal_as_before(
    terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    own, theirs = terminal
    monkeypatch.setattr(keys, "in_foreground", lambda descriptor: True)
    before = termios.tcgetattr(theirs)

    async def press() -> list[str]:
        got: list[str] = []
        enough = asyncio.Event()

        def on_key(key: str) -> None:
            got.append(key)
            if len(got) == 3:
                enough.set()

        keyboard = Keyboard(on_key, Pace())
        keyboard.take()
        assert termios.tcgetattr(theirs) != before
        os.write(own, b"x\x1b[")
        os.write(own, b"A\x1b")  # a lone Esc is told by nothing more coming
        await asyncio.wait_for(enough.wait(), 10)
        keyboard.release()
        keyboard.release()
        return got

    assert asyncio.run(press()) == ["x", "up", "esc"]
    assert termios.tcgetattr(theirs) == before


@pytest.mark.parametrize("late", [b"", ANSWER, b"x" + ANSWER])
def test_an_answer_that_is_due_is_left_for_nobody(
    late: bytes, terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may come when we are about to leave; or never, which is waited for only shortly. A closed terminal is not."""
    own, theirs = terminal
    monkeypatch.setattr(keys, "in_foreground", lambda descriptor: True)
    monkeypatch.setattr("cli.screen.pace.FIRST_WITHIN", 60.0 if late else 0.05)
    got: list[str] = []

    async def leave() -> Pace:
        pace = Pace()
        keyboard = Keyboard(got.append, pace)
        keyboard.take()
        assert pace.asks
        pace.sent(10, asked=True)
        timer = threading.Timer(0.1, os.write, (own, late))
        if late:
            timer.start()
        keyboard.close()
        assert not pace.asks
        timer.cancel()
        return pace

    pace = asyncio.run(leave())
    assert pace.answers == bool(late)
    assert got == []
    termios.tcsetattr(theirs, termios.TCSANOW, raw(termios.tcgetattr(theirs)))
    assert not select.select([theirs], [], [], 0)[0], "nothing is left to be read"


def test_an_answer_that_comes_when_nobody_waits_any_more(
    terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    own, theirs = terminal
    monkeypatch.setattr(keys, "in_foreground", lambda descriptor: True)

    async def leave() -> None:
        pace = Pace()
        keyboard = Keyboard(lambda key: None, pace)
        keyboard.take()
        pace.sent(10, asked=True)
        os.write(own, ANSWER)
        assert select.select([theirs], [], [], 10)[0]
        keyboard.give_back()
        termios.tcsetattr(theirs, termios.TCSANOW, raw(termios.tcgetattr(theirs)))
        assert not select.select([theirs], [], [], 0)[0]
        keyboard.release()

    asyncio.run(leave())


def raw(attributes: list[Any]) -> list[Any]:
    attributes[3] &= ~termios.ICANON
    return attributes


def test_a_closed_terminal_is_not_waited_for(terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    own, _ = terminal
    monkeypatch.setattr(keys, "in_foreground", lambda descriptor: True)
    monkeypatch.setattr("cli.screen.pace.FIRST_WITHIN", 60.0)

    async def leave() -> float:
        pace = Pace()
        keyboard = Keyboard(lambda key: None, pace)
        keyboard.take()
        pace.sent(10, asked=True)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, own)  # the other end is gone
        os.close(nothing)
        keyboard.release(5.0)
        return pace.patience()

    assert asyncio.run(leave()) > 55


def test_a_stdin_that_is_at_its_end_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the loop would be busy with it all the time."""
    reader, writer = os.pipe()
    saved = os.dup(0)
    os.dup2(reader, 0)
    os.close(writer)
    monkeypatch.setattr(keys, "in_foreground", lambda descriptor: True)
    monkeypatch.setattr(keys.termios, "tcgetattr", lambda descriptor: [])
    monkeypatch.setattr(keys.termios, "tcsetattr", lambda *arguments: None)
    monkeypatch.setattr(keys.tty, "setcbreak", lambda *arguments: None)
    reads = []
    real = os.read
    monkeypatch.setattr(keys.os, "read", lambda *arguments: reads.append(1) or real(*arguments))

    async def look() -> None:
        keyboard = Keyboard(lambda key: None, Pace())
        for _ in range(20):
            keyboard.take()
            await asyncio.sleep(0)
        keyboard.release()

    try:
        asyncio.run(look())
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(reader)
    assert len(reads) == 1


def test_a_signal_does_not_end_us_before_the_terminal_is_as_it_was() -> None:
    handlers = []

    class Shown:
        has_keyboard = True
        pace = Pace()

        def redraw(self) -> None:
            pass

        def restore(self) -> None:
            handlers.append(signal.getsignal(signal.SIGQUIT))

    async def leave() -> None:
        with contextlib.ExitStack() as stack:
            take_terminal(stack, cast(Any, Shown()), lambda key: None, lambda code: None)

    asyncio.run(leave())
    assert len(handlers) == 1
    assert signal.SIG_DFL not in handlers
    assert signal.getsignal(signal.SIGQUIT) == signal.SIG_DFL, "afterwards all is as before"


def test_what_is_no_terminal_has_no_keys() -> None:
    async def look() -> None:
        Keyboard(lambda key: None, Pace()).take()

    asyncio.run(look())  # pytest's stdin is none
