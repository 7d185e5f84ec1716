"""The scripts that lie in the project are those that `mon completion` prints, and the wheel has them."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.completions.support import MON, PATIENCE, ROOT, SCRIPTS, environment
from tests.warmed import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_file_is_what_the_command_prints(tmp_path: Path, shell: str) -> None:
    ended = run([MON, "completion", shell], environment(tmp_path), timeout=PATIENCE, text=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert SCRIPTS[shell].read_bytes() == ended.stdout, f"run: mon completion {shell} > {SCRIPTS[shell]}"


def test_there_are_no_others() -> None:
    assert sorted((ROOT / "completions").iterdir()) == sorted(SCRIPTS.values())


def test_the_wheel_ships_them() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shipped = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shipped == {
        "completions/mon.bash": "share/bash-completion/completions/mon",
        "completions/_mon": "share/zsh/site-functions/_mon",
        "completions/mon.fish": "share/fish/vendor_completions.d/mon.fish",
        "completions/mon.ps1": "share/mon/mon.ps1",
    }


@pytest.mark.parametrize("shell", SCRIPTS)
def test_no_machine_and_no_address_is_in_a_script(shell: str) -> None:
    text = SCRIPTS[shell].read_text()
    assert "://" not in text
    assert set(re.findall(r"(?<![\w\"'*:])/\w[\w/]*", text)) <= {"/dev/null"}


def test_zsh_recognises_its_script_by_the_first_line() -> None:
    assert SCRIPTS["zsh"].read_text().startswith("#compdef mon\n")
