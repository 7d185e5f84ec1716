"""The registry of views: every stream has one, and only the one that is shown is loaded."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from cli.views import VIEWS, loaded
from cli.views.panes import PANES
from tests.drawn import look_of
from venues.streams import STREAMS

ROOT = Path(__file__).parents[1]


def test_every_stream_has_a_view() -> None:
    assert set(VIEWS) - {"tail"} == set(STREAMS)
    assert [stream for stream in STREAMS if stream in PANES] == list(PANES), "panes come in the order of the streams"


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_made_from_a_look(name: str) -> None:
    """It takes the options that the registry says and no others, and is empty but not blank."""
    view, queue = loaded(name)
    _, *others = inspect.signature(view).parameters
    assert tuple(others) == VIEWS[name].options
    assert "".join(line.plain for line in view(look_of()).lines(80, 20)).strip()
    assert queue is None or isinstance(queue().take(), list)


@pytest.mark.parametrize(("name", "module"), [("orders", "account_rows"), ("ping", "market_rows"), ("book", "book")])
def test_only_the_view_that_is_shown_is_loaded(name: str, module: str) -> None:
    code = f"import sys; from cli.views import loaded; loaded('{name}'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    views = {entry.view.partition(":")[0] for entry in VIEWS.values()}
    assert {one for one in views if f"cli.views.{one}" in done.stdout.split()} == {module}


def test_the_screen_knows_no_stream() -> None:
    """`closed` is also a state."""
    for path in (ROOT / "cli" / "screen").glob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        words = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        assert not words & (STREAMS.keys() - {"closed"}), path.name
