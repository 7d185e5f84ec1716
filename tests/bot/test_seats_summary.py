"""What is said and written of all scripts of a run when it has ended."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.bot import seats as module
from tests.bot.test_seats import Made, in_a_loop
from tests.bot.test_seats_setup import Bot, made


class Says:
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.parametrize(
    ("once", "signals", "emits", "begin", "said"),
    [
        (False, 1, False, None, True),
        (False, 0, True, 5, True),
        (False, 0, True, 0, True),
        (False, 0, True, None, False),
        (False, 0, False, 5, False),
        (True, 1, True, 5, False),
    ],
)
def test_a_summary_is_said_of_signals_or_of_a_script_that_could_have_emitted_some(
    once: bool, signals: int, emits: bool, begin: int | None, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Any] = []
    monkeypatch.setattr("cli.bot.report.words", lambda summary, blocks: f"{summary.number} {blocks}")
    monkeypatch.setattr("cli.bot.report.write", lambda path, summaries: written.append((path, summaries)))
    monkeypatch.setattr(module, "_blocks", lambda: None)
    at: list[int | None] = []

    def test() -> None:
        found = made(Bot(), Bot(emits_signals=emits), Bot(), once=once, report=Path("r.json"))
        summaries = [
            SimpleNamespace(markets=[SimpleNamespace(both=SimpleNamespace(signals=count))], begin=begin, number=number)
            for number, count in enumerate((0, signals))
        ]
        for seat, summary in zip(found.all, summaries, strict=False):
            seat.tally = SimpleNamespace(summary=lambda when, summary=summary: at.append(when) or summary)
        words = Says()
        found.seats.sum_up(words, 9)  # type: ignore[arg-type]
        assert words.said == (["1 None"] if said else [])
        assert (written, at) == ([(Path("r.json"), summaries)], [9, 9])

    in_a_loop(test)


def test_without_a_summary_nothing_is_said_or_written() -> None:
    def test() -> None:
        words = Says()
        Made(report=Path("none") / "r.json").seats.sum_up(words, None)  # type: ignore[arg-type]
        assert words.said == []

    in_a_loop(test)


@pytest.mark.parametrize(("terminal", "encoding", "blocks"), [(False, "utf-8", None), (True, "utf-8", True)])
def test_curves_are_drawn_with_blocks_on_a_terminal_that_has_them(
    terminal: bool, encoding: str, blocks: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "is_terminal", lambda descriptor: terminal and descriptor == 2)
    monkeypatch.setattr(module.sys, "__stderr__", SimpleNamespace(encoding=encoding))
    asked: list[str] = []
    monkeypatch.setattr("cli.screen.terminal.has_unicode", lambda variables, encoding: asked.append(encoding) or True)
    assert module._blocks() is blocks
    monkeypatch.setattr(module.sys, "__stderr__", None)
    module._blocks()
    assert asked == ([encoding, "ascii"] if terminal else [])
