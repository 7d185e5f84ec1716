"""bash completes mon: the script loaded, its function asked, and Tab pressed on a terminal."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.completions.support import COMPLETED, KEPT, PATIENCE, SCRIPTS, Shell, environment, new_home, other_mon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")

DRIVER = r"""
set -u
source "$1"
ask() {
    local index=$1; shift
    COMP_WORDS=("$@") COMP_CWORD=$index COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
    _mon_completion mon "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
    printf '%s|' "${COMPREPLY[@]-}"
    echo
}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_home(tmp_path_factory.mktemp("bash"))


@pytest.fixture(scope="module")
def shell(home: Path) -> Iterator[Shell]:
    (home / ".inputrc").write_text("set bell-style none\nset enable-bracketed-paste off\n")
    with Shell(["bash", "--norc", "--noprofile", "-i"], home) as started:
        started.run(f"PS1='$ ' PROMPT_COMMAND=; source {SCRIPTS['bash']}")
        yield started


def replies(home: Path, *questions: str) -> list[str]:
    """What COMPREPLY holds after each `index word …`."""
    driver = DRIVER + "\n".join(f"ask {question}" for question in questions)
    ended = subprocess.run(
        ["bash", "--norc", "--noprofile", "-c", driver, "driver", str(SCRIPTS["bash"])],
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert ended.stderr == ""
    return [line.removesuffix("|") for line in ended.stdout.splitlines()]


def test_the_function_fills_compreply(home: Path) -> None:
    assert replies(
        home,
        "1 mon boo",
        "3 mon book nexus ''",
        "3 mon book '\"nexus\"' '\"SPOT_S'",
        "4 mon book nexus --env =",
        "5 mon book nexus --env = s",
        "2 mon replay '\"my'",
        "4 mon book nexus --count ''",
        "7 mon book nexus 2 '>' today.jsonl SPOT_BTC_USDT --max",
    ) == [
        "book",
        "SPOT_BTC_USDT|SPOT_ETH_USDT|SPOT_SOL_USDT",
        "SPOT_SOL_USDT",
        "production|staging|sim",
        "staging|sim",
        "my tape.jsonl",
        "",
        "--max-age",
    ]


def test_only_what_is_before_the_cursor_counts(home: Path) -> None:
    question = "COMP_WORDS=(mon canX) COMP_CWORD=1; _mon_completion mon can mon; echo ${COMPREPLY[@]}"
    assert replies(home, f"1 mon boo; {question}") == ["book", "candles"]


def test_without_mon_on_the_path_there_is_silence(home: Path) -> None:
    assert replies(home, "1 mon boo; PATH=/nonexistent ask 1 mon boo") == ["book", ""]


@pytest.mark.parametrize(("typed", "expected"), COMPLETED.items())
def test_tab(shell: Shell, typed: str, expected: str) -> None:
    shell.completes(typed, expected)


@pytest.mark.parametrize("typed", KEPT)
def test_tab_without_an_answer(shell: Shell, typed: str) -> None:
    shell.keeps(typed)


def test_tab_into_a_file(shell: Shell) -> None:
    shell.completes("mon book nexus SPOT_BTC_USDT > tod", "mon book nexus SPOT_BTC_USDT > today.jsonl ")


def test_tab_twice_lists(shell: Shell) -> None:
    assert "--interval" not in shell.lists("mon book nexus SPOT_BTC_USDT --", "--depth", "--max-age", tabs="\t\t")
    shell.lists("mon ", "candles", "completion", "config", tabs="\t\t")


def test_a_path_to_mon(shell: Shell, home: Path) -> None:
    other_mon(home, "other")
    shell.completes("~/bin/mon o", "~/bin/mon other ")
