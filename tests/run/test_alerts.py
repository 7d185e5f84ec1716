"""Bells: when one rings, what is said with it, and where it rings."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from types import SimpleNamespace
from typing import Any

import pytest

from cli.run import alerts as module
from cli.run.alerts import Alerts, ring_terminal
from tests.run.timeless import run
from venues.records import Quote, Status
from venues.redaction import Redactor


def quote(symbol: str | None) -> Quote:
    return Quote(venue="v", symbol=symbol, received=0)


def rung(*steps: Any, cooldown: float = 0.0) -> list[str]:
    """What is said with the bell, of records that come; a number is of seconds between them."""

    async def go() -> list[str]:
        said: list[str] = []
        stage: Any = SimpleNamespace(ring=said.append)
        alerts = Alerts(None, True, stage, dict, Redactor(), "price > 5", cooldown=cooldown)
        stand: Any = None
        for step in steps:
            if isinstance(step, int | float):
                await asyncio.sleep(step)
            else:
                alerts.fire(step, (), stand)
        return said

    return run(go())


def test_with_the_bell_it_is_said_what_became_true_and_of_what() -> None:
    closed = Status(venue="v", received=0, stream="quotes", state="closed")
    said = rung(quote("A"), quote(None), quote("B\x1b[31m"), quote("x" * 50), closed)
    assert said[:2] == ["A: price > 5", "price > 5"]
    assert "\x1b" not in said[2]
    assert said[3] == f"{'x' * 39}…: price > 5"
    assert said[4] == "price > 5"


def test_one_bell_is_enough_for_a_while() -> None:
    assert rung(quote("A"), 0.9, quote("B"), 0.05, quote("C"), 0.1, quote("D"), cooldown=1.0) == [
        "A: price > 5",
        "D: price > 5",
    ]
    assert len(rung(quote("A"), quote("B"), quote("C"))) == 3, "without a cooldown each rings"


def test_the_terminal_rings_and_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    master, terminal = pty.openpty()
    tty.setraw(terminal)
    monkeypatch.setattr(module, "STDERR", terminal)
    ring_terminal()
    assert os.read(master, 10) == b"\a"
    os.close(master)
    ring_terminal()  # nobody is there any more
    os.close(terminal)
    reading, writing = os.pipe()
    monkeypatch.setattr(module, "STDERR", writing)
    ring_terminal()
    os.close(writing)
    assert os.read(reading, 10) == b""
    os.close(reading)
