"""What kind of output an option of a command means."""

from __future__ import annotations

import pytest

from cli.output.lines import draws_table


@pytest.mark.parametrize(
    ("output", "term", "on_terminal", "in_pipe"),
    [
        ("auto", "xterm", True, False),
        ("auto", "dumb", False, False),
        ("table", "dumb", True, True),
        ("table", "xterm", True, True),
        ("jsonl", "xterm", False, False),
        ("csv", "xterm", False, False),
    ],
)
def test_a_table_is_drawn_where_it_is_asked_for_or_the_cursor_can_be_moved(
    monkeypatch: pytest.MonkeyPatch, output: str, term: str, *, on_terminal: bool, in_pipe: bool
) -> None:
    monkeypatch.setenv("TERM", term)
    for is_terminal, drawn in ((True, on_terminal), (False, in_pipe)):
        monkeypatch.setattr("cli.output.lines.is_terminal", lambda _, found=is_terminal: found)
        assert draws_table(output) is drawn
