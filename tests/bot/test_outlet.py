"""The footer of a bot's table, and what is read when that is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cli.bot import outlet
from cli.bot.plan import BotRequest
from tests.command import SYMBOL
from tests.test_terminal import Terminal, show  # noqa: F401  a fixture
from venues.connection import SystemClock
from venues.redaction import Redactor


class Shown:
    """In the place of a table."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.third = asyncio.Event()

    def notice(self, text: str) -> None:
        self.words.append(text)
        if len(self.words) == 3:
            self.third.set()


def test_the_token_stays_long_enough_to_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    footers: list[Any] = []
    keys: list[Any] = []
    monkeypatch.setattr(outlet, "TOKEN_FOR", 0.05)
    monkeypatch.setattr(outlet, "take_terminal", lambda stack, table, on_key, stop: keys.append(on_key))

    async def test() -> None:
        with ExitStack() as stack:
            out = outlet.Outlet(BotRequest(Path("bot.py"), output="table"), Redactor(), SystemClock())
            out._table, out._token = shown, "abc"
            out.take_terminal(stack, print, footers.append)
            say, (press,) = footers[0], keys
            say("before")
            press("t")
            say("one")
            say("two")
            assert shown.words == ["before", "token: abc"]
            await shown.third.wait()
            say("after")

    shown = Shown()
    asyncio.run(asyncio.wait_for(test(), 10))
    assert shown.words == ["before", "token: abc", "two", "after"]


def test_the_summary_is_the_last_that_is_read_on_a_terminal(
    show: Callable[..., Terminal],  # noqa: F811
    tmp_path: Path,
) -> None:
    """What was said while the table was up comes before: a script that prints much pushed the summary away."""
    script = tmp_path / "bot.py"
    script.write_text(
        "from profitview import Link\n"
        "class Signals(Link):\n"
        "    def trade_update(self, src, sym, data):\n"
        "        print('the script prints')\n"
        "        self.signal(src, sym, size=0.5)\n"
    )
    terminal = show("bot", "run", str(script), "--market", f"nexus:{SYMBOL}", "--env", "sim")
    terminal.until(lambda: "size 0.5" in terminal.text())
    terminal.press("q")
    assert terminal.ended() == 0
    rest = terminal.raw.rpartition(b"\x1b[?1049l")[2].decode()
    assert 0 < rest.rfind("the script prints") < rest.find("position signal"), rest
