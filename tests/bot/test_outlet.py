"""The footer of a bot's table."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cli.bot import outlet
from cli.bot.plan import BotRequest
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
