"""The picture of one stream: what waits to be drawn, and what is said beside it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from cli.output.queues import LatestEvents
from cli.run import picture as module
from cli.run.options import StreamRequest
from cli.run.picture import OneTable
from tests.run.dated import status
from venues.venue import Subscription


def table_of(stream: str, *symbols: str, own: Any, monkeypatch: pytest.MonkeyPatch) -> OneTable:
    asked: list[tuple[Any, str]] = []

    def shown_by(request: Any, name: str) -> Any:
        asked.append((request.venue, name))
        return SimpleNamespace(queue=own)

    monkeypatch.setattr(module, "shown_by", shown_by)
    made = OneTable(StreamRequest("v", [*symbols]), Subscription(stream, symbols))
    made.queue({stream: SimpleNamespace(in_rows="in rows")})  # type: ignore[dict-item]
    assert asked == [("v", stream)]
    return made


@pytest.mark.parametrize(
    ("stream", "symbols", "states"),
    [
        ("trades", ("A",), None),
        ("trades", ("A", "B"), None),
        ("book", ("A",), {"on_overflow": "in rows", "several": False}),
        ("quotes", ("A", "B"), {"on_overflow": "in rows", "several": True}),
    ],
)
def test_what_waits_is_kept_as_its_kind_of_stream_needs_it(
    stream: str, symbols: tuple[str, ...], states: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "StateQueue", lambda **given: given)
    gaps: Any = {stream: SimpleNamespace(in_rows="in rows")}
    found: Any = table_of(stream, *symbols, own=None, monkeypatch=monkeypatch).queue(gaps)
    assert isinstance(found, LatestEvents) if states is None else found == states
    assert table_of(stream, *symbols, own=lambda: "its own", monkeypatch=monkeypatch).queue(gaps) == "its own"


def test_a_table_of_one_stream_says_each_status_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    made = OneTable(StreamRequest("v", ["A"]), Subscription("book", ("A",)))
    assert made.remark() is None  # type: ignore[func-returns-value]
    stale = status("stale", reason="gap")
    assert made.words(stale, [stale, stale]) == "book is stale: gap"
    assert made.words(status("live"), []) is None


def test_the_one_pane_fills_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr("cli.screen.table.Table", lambda *given, **named: drawn.append((given, named)))
    panes: Any = {"book": "the pane", "trades": "another"}
    look, rate, wake = "look", "rate", print
    OneTable(StreamRequest("v", ["A"]), Subscription("book", ("A",))).table(
        panes,
        "sim",
        look,
        rate,
        wake,
        on_terminal=True,  # type: ignore[arg-type]
    )
    assert drawn == [(("the pane", "look"), {"on_terminal": True, "wake": print})]


@pytest.mark.parametrize(("tail", "name"), [(None, "trades"), (True, "tail")])
def test_a_tail_is_a_view_of_its_own(tail: bool | None, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.views.loaded", lambda view: view)
    given = {} if tail is None else {"tail": tail}
    assert module.shown_by(StreamRequest("v", ["A"], **given), "trades") == name  # type: ignore[comparison-overlap]
