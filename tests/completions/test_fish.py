"""fish completes mon: asked with `complete -C`, and Tab pressed on a terminal where it loads the script by itself."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.completions.support import BIN, COMPLETED, KEPT, PATIENCE, SCRIPTS, Shell, environment, new_home, other_mon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")

CONFIGURATION = """
set -g fish_greeting
set -g fish_autosuggestion_enabled 0
function fish_prompt
    printf '$ '
end
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = new_home(tmp_path_factory.mktemp("fish"))
    folder = home / ".config" / "fish"
    (folder / "completions").mkdir(parents=True)
    (folder / "config.fish").write_text(CONFIGURATION)
    shutil.copy(SCRIPTS["fish"], folder / "completions")
    return home


@pytest.fixture(scope="module")
def shell(home: Path) -> Iterator[Shell]:
    with Shell(["fish", "-i"], home) as started:
        started.wait(lambda: started.line == "")
        yield started


def offers(home: Path, line: str) -> list[str]:
    """What fish offers, each with its description after a tab."""
    ended = subprocess.run(
        ["fish", "-c", "complete -C $argv", line],
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert ended.stderr == ""
    return ended.stdout.splitlines()


def test_offers(home: Path) -> None:
    assert "--depth\tLevels a side" in offers(home, "mon book nexus SPOT_BTC_USDT --")
    assert offers(home, "mon book nexus SPOT_BTC_USDT --count ") == []


@pytest.mark.parametrize(("typed", "expected"), COMPLETED.items())
def test_tab(shell: Shell, typed: str, expected: str) -> None:
    shell.completes(typed, expected)


@pytest.mark.parametrize("typed", KEPT)
def test_tab_without_an_answer(shell: Shell, typed: str) -> None:
    shell.keeps(typed)


@pytest.mark.parametrize("before", ["and ", "NAME=value ", "echo (", f"{BIN}/"])
def test_tab_after(shell: Shell, before: str) -> None:
    shell.completes(f"{before}mon boo", f"{before}mon book ")


def test_tab_into_a_file(shell: Shell) -> None:
    shell.completes("mon book nexus SPOT_BTC_USDT > tod", "mon book nexus SPOT_BTC_USDT > today.jsonl ")


def test_tab_lists_with_descriptions(shell: Shell) -> None:
    options = shell.lists("mon book nexus SPOT_BTC_USDT --", "--depth", "--max-age")
    assert "(Levels a side)" in options
    assert "--interval" not in options


def test_a_path_to_mon(shell: Shell, home: Path) -> None:
    other_mon(home, "other")
    shell.completes("~/bin/mon o", "~/bin/mon other ")
