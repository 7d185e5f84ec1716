"""The keyboard while a table is up: single keys, and the terminal as before on every way out."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import re
import select
import signal
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from cli.errors import HUNG_UP, QUIT
from cli.interrupts import at_hard_end, heard
from cli.settings.foreground import in_foreground, owned

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.screen.pace import Pace
    from cli.screen.table import Table

try:
    import termios
    import tty
except ImportError:  # no such keyboard on this system
    termios = tty = None  # type: ignore[assignment]

LONE_ESCAPE_AFTER = 0.05  # seconds without the rest of a sequence
LONGEST_SEQUENCE = 64  # characters; what is longer is garbage
PIECE = 256  # characters that are looked at together: each key copies what is behind it in its piece
MOST_AT_ONCE = 8  # different keys in one read; more have not been pressed but pasted

_FINALS = {"A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end", "Z": "shift-tab"}
_NUMBERS = {"1": "home", "4": "end", "5": "pgup", "6": "pgdn", "7": "home", "8": "end"}
_PLAIN = {" ": "space", "\x0c": "redraw", "\t": "tab", "\n": "enter", "\r": "enter"}
_PASTE, _PASTED = "\x1b[200~", "\x1b[201~"
_STRINGS = "]P^_X"  # sequences that last until a string terminator
_ANSWER = re.compile(r"\x1b\[[0-9]?n")  # to the question of `Pace`
_MOST_OF_ANSWER = 3  # characters of one that is not complete


class KeyParser:
    """Turns what a terminal sends into names of keys: printable characters as they are, and those of `View.press`.

    Sequences may come in pieces; unknown ones, and what is pasted, are no keys. `answers`: how many came of the answers
    that a terminal gives to `Pace`; where one is `due`, an Esc before it is a key.
    """

    def __init__(self) -> None:
        self.answers = 0
        self.due = False
        self._before = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._pending = ""
        self._pasting = False

    @property
    def waits(self) -> bool:
        """Whether the beginning of a sequence, or a lone Esc, waits for more."""
        return bool(self._pending)

    def feed(self, data: bytes) -> list[str]:
        """The names of the keys that are complete with these bytes."""
        text = self._decoder.decode(data)
        self._count_answers(text)
        keys = [key for at in range(0, len(text), PIECE) for key in self._fed(text[at : at + PIECE])]
        return keys if len(set(keys)) <= MOST_AT_ONCE else []

    def _fed(self, text: str) -> list[str]:
        self._pending += text
        keys: list[str] = []
        while self._pending:
            if self._pasting and not self._skip_paste():
                break
            length, key = self._next()
            if not length:
                break
            if self._pending[:length] == _PASTE:
                self._pasting = True
            elif key is not None:
                keys.append(key)
            self._pending = self._pending[length:]
        return keys

    def flush(self) -> list[str]:
        """The keys when nothing more came in time: a lone Esc is one, the beginning of a sequence is none."""
        pending, self._pending = self._pending, ""
        return ["esc"] if pending in ("\x1b", "\x1b\x1b") and not self._pasting else []

    def _count_answers(self, text: str) -> None:
        """Wherever they are: a terminal answers also within what is pasted."""
        text, end = self._before + text, 0
        for answer in _ANSWER.finditer(text):
            self.answers += 1
            end = answer.end()
        self._before = text[end:][-_MOST_OF_ANSWER:]

    def _skip_paste(self) -> bool:
        """Skip what is pasted; whether its end has come."""
        before, end, rest = self._pending.partition(_PASTED)
        if end:
            self._pending, self._pasting = rest, False
            return bool(rest)
        self._pending = before[-len(_PASTED) :]
        return False

    def _next(self) -> tuple[int, str | None]:
        """How many characters the next key, or what is none, takes; 0 when more must come first."""
        text = self._pending
        if text[0] != "\x1b":
            return 1, _PLAIN.get(text[0], text[0] if text[0].isprintable() else None)
        if len(text) < 2:
            return 0, None
        if text[1] == "[":
            return self._control_sequence()
        if text[1] == "O":
            return (3, _FINALS.get(text[2])) if len(text) > 2 else (0, None)
        if text[1] in _STRINGS:
            return self._string()
        if text[1] == "\x1b":
            return self._two_escapes()
        return 2, None  # Alt and a character

    def _two_escapes(self) -> tuple[int, str | None]:
        """Alt and a key that is a sequence itself, or Esc and then an answer."""
        if not self.due:
            return 1, None
        if _ANSWER.match(self._pending, 1):
            return 1, "esc"
        return (0 if "\x1b[0n".startswith(self._pending[1:]) else 1), None

    def _control_sequence(self) -> tuple[int, str | None]:
        text = self._pending
        if text[2:3] == "[":  # function keys of the Linux console
            return (4, None) if len(text) > 3 else (0, None)
        for index, character in enumerate(text[2:], start=2):
            if "\x40" <= character <= "\x7e":
                first = text[2:index].partition(";")[0]
                return index + 1, _NUMBERS.get(first) if character == "~" else _FINALS.get(character)
            if not "\x20" <= character <= "\x3f":
                return index, None  # cut short by something else
        return (len(text), None) if len(text) >= LONGEST_SEQUENCE else (0, None)

    def _string(self) -> tuple[int, str | None]:
        text = self._pending
        ends = [end + len(mark) for mark in ("\x07", "\x1b\\") if (end := text.find(mark, 2)) >= 0]
        if ends:
            return min(ends), None
        return (len(text), None) if len(text) >= 4 * LONGEST_SEQUENCE else (0, None)


LOOK_EVERY = 0.25  # seconds
HELD_ESCAPE = 0.5  # seconds for the rest of what may be the beginning of an answer
STOPPED_WITHIN = 0.6  # seconds for an answer that is due, before somebody else gets the terminal for a while
CLOSED_WITHIN = 3.0  # … and for good; where somebody is in a hurry, the whole process ends before that


def take_terminal(
    stack: contextlib.ExitStack, table: Table, on_key: Callable[[str], None], end: Callable[[int], None]
) -> None:
    """The terminal is a table's until the stack ends: single keys, its size, and a way to stop and go on (Ctrl-Z, fg)
    that leaves no mess; `end` with an exit code when it is closed, and on Ctrl-\\."""
    loop = asyncio.get_running_loop()
    keyboard = Keyboard(on_key, table.pace)
    table.has_keyboard = os.isatty(0)
    if not table.has_keyboard:
        table.pace.listen(heard=False)

    left = False

    def stop() -> None:
        table.restore()
        keyboard.release()
        os.kill(os.getpid(), signal.SIGSTOP)
        table.resume()

    def go_on() -> None:
        if not left:
            table.resume()

    def leave() -> None:
        nonlocal left
        left = True
        table.restore()

    def look() -> None:
        keyboard.take()  # a shell that brings a running job to the foreground (bg, then fg) tells nobody
        loop.call_later(LOOK_EVERY, look)

    def give_back(done: Callable[[], None]) -> None:
        def do() -> None:
            table.restore()
            keyboard.release()  # both come again by themselves, when we are in the foreground
            loop.call_later(LOOK_EVERY, go_on)  # by then somebody else has the terminal
            done()

        loop.call_soon_threadsafe(do)

    endings: dict[int, Callable[[], object]] = {signal.SIGQUIT: partial(end, QUIT)}
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # else somebody wants us to outlive the terminal
        endings[signal.SIGHUP] = partial(end, HUNG_UP)
    # This comes first, so it is undone last: until all is as before, a second signal must not end us.
    stack.enter_context(heard(endings, ends=True))
    stack.enter_context(heard({signal.SIGTSTP: stop, signal.SIGWINCH: table.redraw}))
    stack.enter_context(at_hard_end(keyboard.give_back))
    stack.enter_context(at_hard_end(table.restore))
    stack.enter_context(owned(give_back))
    stack.callback(keyboard.close)  # for good, since the loop still turns a few times and would look again
    stack.callback(leave)  # before that: what is drawn later would ask for one more answer
    look()


class Keyboard:
    """Calls `on_key` for each key pressed, from `take` to `release` or `close`; nothing where there is no keyboard.

    The terminal's answers go to the pace. None that is due is left for whoever reads from the terminal after us.
    """

    def __init__(self, on_key: Callable[[str], None], pace: Pace) -> None:
        self._on_key = on_key
        self._pace = pace
        self._before: list[Any] | None = None
        self._taken = False
        self._gone = False
        self._parser = KeyParser()
        self._flush: asyncio.TimerHandle | None = None

    def take(self) -> None:
        """Single keys from now on; also after a stop, when the shell has set the terminal to its own liking."""
        if self._taken or self._gone or termios is None or not in_foreground(0):
            return
        with contextlib.suppress(OSError, termios.error):
            self._before = self._before or termios.tcgetattr(0)
            tty.setcbreak(0, termios.TCSANOW)
            self._taken = True
            asyncio.get_running_loop().add_reader(0, self._read)
            self._pace.listen(heard=True)  # only now: an answer that came before would be shown as if it was typed

    def release(self, within: float = STOPPED_WITHIN) -> None:
        """Give the terminal back as it was, once no answer is due any more; `take` may follow."""
        if not self._taken or self._before is None:
            return
        self._pace.listen(heard=None)
        self._await_answers(within)
        self.give_back()
        self._taken = False
        asyncio.get_running_loop().remove_reader(0)

    def give_back(self) -> None:
        """Give the terminal back as it was, whatever becomes of the event loop."""
        if self._taken and self._before is not None:
            with contextlib.suppress(OSError, termios.error):
                if self._pace.is_due():
                    termios.tcflush(0, termios.TCIFLUSH)
                termios.tcsetattr(0, termios.TCSANOW, self._before)

    def close(self) -> None:
        """Give the terminal back as it was, for good."""
        self.release(CLOSED_WITHIN)
        self._gone = True

    def _await_answers(self, within: float) -> None:
        """Nothing else happens meanwhile; keys that are pressed are nobody's."""
        end = time.monotonic() + within
        while not self._gone and (left := min(self._pace.patience(), end - time.monotonic())) > 0:
            if select.select([0], [], [], left)[0]:
                self._parser.feed(self._received())
                self._tell_answers()

    def _received(self) -> bytes:
        try:
            data = os.read(0, 1024)
        except BlockingIOError:  # somebody else has read it
            return b""
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(0)
            self._gone = True
        return data

    def _tell_answers(self) -> None:
        count, self._parser.answers = self._parser.answers, 0
        self._pace.answer(count)

    def _read(self) -> None:
        self._parser.due = self._pace.is_due()
        for key in self._parser.feed(self._received()):
            self._on_key(key)
        self._tell_answers()
        if self._flush is not None:
            self._flush.cancel()
        if self._parser.waits:
            seconds = HELD_ESCAPE if self._pace.is_due() and self._pace.answers else LONE_ESCAPE_AFTER
            self._flush = asyncio.get_running_loop().call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        for key in self._parser.flush():
            self._on_key(key)
