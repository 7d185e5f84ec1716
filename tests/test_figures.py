"""No figure changes by accident."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests import figures


def test_every_figure_is_as_it_was_meant() -> None:
    kept = figures.FILE.read_text(encoding="utf-8").splitlines()
    # In a Python of its own: what tests have put into caches is no figure.
    code = "from tests import figures; print(figures.written(), end='')"
    now = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert now == kept, "a figure has changed: if that is meant, `python -m tests.figures` writes it down"


@pytest.fixture(scope="module")
def before() -> dict[str, str]:
    return figures.figures()


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        ("venues.driver", "RETURNS_WITHIN", 601.0),
        ("venues.kraken.offers", "DEPTHS", (10, 25, 100, 500, 1001)),
        ("cli.output.queues", "MOST_EVENTS", 19_999),
    ],
)
def test_one_that_is_another_is_noticed(
    before: dict[str, str], monkeypatch: pytest.MonkeyPatch, module: str, name: str, value: object
) -> None:
    monkeypatch.setattr(f"{module}.{name}", value)
    after = figures.figures()
    assert after.keys() == before.keys()
    assert [key for key in after if after[key] != before[key]] == [f"{module}.{name}"]
