"""zsh completes mon: autoloaded from fpath, and sourced after compinit."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.completions.support import COMPLETED, KEPT, SCRIPTS, Shell, new_home, other_mon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")

QUIET = "PS1='$ '; unsetopt PROMPT_SP BEEP; unset zle_bracketed_paste"
COMPINIT = "autoload -Uz compinit; compinit -u -D"
AUTOLOADED = f"fpath=({SCRIPTS['zsh'].parent} $fpath); {COMPINIT}"
SOURCED = f"{COMPINIT}; source {SCRIPTS['zsh']}"
EVALUATED = f'{COMPINIT}; eval "$(mon completion zsh)"'


def started(home: Path, configuration: str) -> Shell:
    shell = Shell(["zsh", "-f", "-i"], home)
    shell.run(f"{QUIET}; {configuration}")
    return shell


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_home(tmp_path_factory.mktemp("zsh"))


@pytest.fixture(scope="module")
def shell(home: Path) -> Iterator[Shell]:
    with started(home, AUTOLOADED) as shell:
        yield shell


@pytest.mark.parametrize("configuration", [AUTOLOADED, SOURCED, EVALUATED], ids=["autoloaded", "sourced", "evaluated"])
def test_the_very_first_tab(tmp_path: Path, configuration: str) -> None:
    with started(tmp_path, configuration) as shell:
        shell.completes("mon boo", "mon book ")


@pytest.mark.parametrize(("typed", "expected"), COMPLETED.items())
def test_tab(shell: Shell, typed: str, expected: str) -> None:
    shell.completes(typed, expected)


@pytest.mark.parametrize("typed", KEPT)
def test_tab_without_an_answer(shell: Shell, typed: str) -> None:
    shell.keeps(typed)


def test_tab_into_a_file(shell: Shell) -> None:
    shell.completes("mon book nexus SPOT_BTC_USDT > tod", "mon book nexus SPOT_BTC_USDT > today.jsonl ")


def test_tab_lists_with_descriptions(shell: Shell) -> None:
    options = shell.lists("mon book nexus SPOT_BTC_USDT --", "--depth", "--max-age")
    assert "-- Levels a side\n" in options
    assert "-- auto: a table on a terminal, JSON lines elsewhere" in options
    assert "--interval" not in options
    assert "\\" not in options
    shell.lists("mon book nexus SPOT_", "SPOT_BTC_USDT", "SPOT_ETH_USDT", "SPOT_SOL_USDT")


def test_a_path_to_mon(shell: Shell, home: Path) -> None:
    other_mon(home, "other")
    shell.completes("~/bin/mon o", "~/bin/mon other ")
