"""What is declared is what is imported and what the README explains; what is built is what is here, and runs.

Each check is tried on something that is wrong, since a check that cannot fail says nothing. The environments of real
versions, which need the package index, are made by `python -m tests.supply` in `.ci/run`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.supply import built, imports, installed
from tests.supply.declared import ROOT, groups, oldest, project, requirement

README = (ROOT / "README.md").read_text(encoding="utf-8")


def table_of(readme: str) -> list[tuple[str, str, str]]:
    """The README's table of dependencies: name, groups, reason."""
    table = readme.partition("\n## Developing\n")[2].partition("| dependency |")[2]
    rows = [line for line in table.partition("\n\n")[0].splitlines() if line.startswith("| `")]
    return [tuple(cell.strip(" `") for cell in row.strip("|").split(" | ")) for row in rows]  # type: ignore[misc]


def differences(readme: str, root: Path = ROOT) -> Iterator[str]:
    """Where the README's table and pyproject.toml do not agree."""
    told = {name: (where, why) for name, where, why in table_of(readme)}
    declared: dict[str, list[str]] = {}
    for group, wanted in groups(root).items():
        for one in wanted:
            declared.setdefault(one.name, []).append(group)
    for name in sorted(declared.keys() | told.keys()):
        if name not in told:
            yield f"{name} has no row"
        elif told[name][0] != ", ".join(declared.get(name, ())):
            yield f"{name} is of {declared.get(name)}, told is {told[name][0]}"
        elif len(told[name][1].split()) < 3:
            yield f"{name} has no reason"


# --- what is declared


def test_each_dependency_has_its_reason_in_the_readme() -> None:
    assert list(differences(README)) == []


def test_a_row_too_few_or_too_many_is_found(copy: Path) -> None:
    without = re.sub(r"\n\| `rich` \|[^\n]*", "", README)
    assert list(differences(without)) == ["rich has no row"]
    change(copy / "pyproject.toml", '  "rich>=13.8",\n', "")
    assert list(differences(README, copy)) == ["rich is of None, told is mon"]
    assert list(differences(re.sub(r"(\n\| `rich` \| mon \|)[^\n]*", r"\1 - |", README))) == ["rich has no reason"]


def test_bounds_are_versions_that_can_be_installed_as_they_stand() -> None:
    listed = list(oldest())
    assert len(listed) > 15
    assert all(re.fullmatch(r"[A-Za-z0-9-]+==\d+(\.\d+)+", line) for line in listed)


@pytest.mark.parametrize("text", ["rich", "rich==13.8", "rich>=13.8,<15", "rich[all]>=13", "rich>13", "rich>=13; x"])
def test_a_bound_that_cannot_be_tested_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a requirement like"):
        requirement(text)


def test_two_bounds_of_one_dependency_are_refused(copy: Path) -> None:
    change(copy / "pyproject.toml", '"numpy>=1.26"]', '"numpy>=1.25"]')
    with pytest.raises(ValueError, match=r"numpy has two bounds: 1\.25 and 1\.26"):
        list(oldest(copy))


def test_what_runs_here_is_allowed() -> None:
    assert requirement(f"python{project()['project']['requires-python']}").oldest == "3.11"  # type: ignore[index]
    assert sys.version_info >= (3, 11)


# --- what is imported


def test_nothing_is_imported_that_is_not_declared_nor_declared_for_nothing() -> None:
    assert list(imports.problems()) == []


@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        ("venues/driver.py", "import yarl", "venues/driver.py: yarl is imported and not declared (mon)"),
        ("cli/errors.py", "if 1: import numpy.linalg", "cli/errors.py: numpy is imported and not declared (mon)"),
        ("cli/bot/plan.py", "from attrs import x", "cli/bot/plan.py: attrs is imported and not declared (mon, bots)"),
        ("tests/tiny.py", "import attrs", "tests/tiny.py: attrs is imported and not declared (mon, test)"),
        (
            "venues/driver.py",
            "import importlib\nimportlib.import_module('pytest.x')",
            "venues/driver.py: pytest is imported and not declared (mon)",
        ),
    ],
)  # fmt: skip
def test_an_undeclared_import_is_found(file: str, line: str, told: str, copy: Path) -> None:
    path = copy / file
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    assert list(imports.problems(copy)) == [told]


def test_a_dependency_that_nobody_uses_is_found(copy: Path) -> None:
    change(copy / "pyproject.toml", '  "rich>=13.8",\n', '  "rich>=13.8",\n  "requests>=2.32",\n')
    change(copy / "pyproject.toml", '"numpy>=1.26"]', '"numpy>=1.26", "scipy>=1.15"]')
    assert list(imports.problems(copy)) == [
        "pyproject.toml: requests (mon) is declared and not used",
        "pyproject.toml: scipy (bots) is declared and not used",
    ]


# --- what is built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built.build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built.build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


def test_the_wheel_has_our_code_and_nothing_else(wheel: Path) -> None:
    contents = built.contents_of_wheel(wheel)
    assert list(built.faults_of_wheel(contents)) == []
    name = next(iter(contents))
    assert list(built.faults_of_wheel({**contents, name: b"other"})) == [f"{name}: is another in the wheel than here"]
    assert list(built.faults_of_wheel({**contents, "tests/x.py": b""})) == [
        "tests/x.py: is in the wheel and does not belong there"
    ]
    place = next(one for one in contents if one.endswith("_mon"))
    for missing, told in (("venues/records.py", "venues/records.py"), (place, "share/zsh/site-functions/_mon")):
        fewer = {name: data for name, data in contents.items() if name != missing}
        assert list(built.faults_of_wheel(fewer)) == [f"{told}: is not in the wheel"]


def test_the_source_distribution_has_all_of_the_project_and_makes_the_same_wheel(
    sdist: Path, wheel: Path, tmp_path: Path
) -> None:
    contents = built.contents_of_sdist(sdist)
    assert list(built.faults_of_sdist(contents)) == []
    assert list(built.faults_of_sdist(contents - {"tests/house.py"} | {".env"})) == [
        "tests/house.py: is not in the source distribution",
        ".env: is in the source distribution and does not belong there",
    ]
    (tmp_path / "again").mkdir()
    again = built.build("wheel", built.unpacked(sdist, tmp_path / "unpacked"), tmp_path / "again")
    assert built.contents_of_wheel(again) == built.contents_of_wheel(wheel)


@pytest.mark.slow("an environment is made, and mon installed into it")
def test_what_is_installed_runs(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own, with the libraries of this one, since a test fetches nothing."""
    (tmp_path / "home").mkdir()
    python = installed.environment(tmp_path / "env", borrowed=True)
    installed.install(python, wheel, borrowed=True)
    assert list(installed.faults_of(python, tmp_path / "home")) == []
    (tmp_path / "env/share/zsh/site-functions/_mon").unlink()
    next((tmp_path / "env").rglob("venues/kraken/session.py")).unlink()
    faults = list(installed.faults_of(python, tmp_path / "home"))
    assert any(fault.startswith("mon book kraken BTC/USD --count 3: exit code") for fault in faults)
    assert "share/zsh/site-functions/_mon: the completion is not installed" in faults


# --- helpers


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project's own files, to break something in."""
    names = [path.relative_to(ROOT) for path in imports.files()]
    for name in (*names, Path("pyproject.toml"), Path(".ci/run")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def test_the_command_prints_what_pip_takes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.supply", "oldest"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == list(oldest())
