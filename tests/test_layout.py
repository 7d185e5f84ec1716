"""The arrows of the house: who may import what."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IMPURE = {"asyncio", "websockets", "os", "time", "random", "socket", "threading", "subprocess", "aiohttp"}
WITH_IO = {"venues/connection.py", "venues/http_request.py", "venues/recording.py", "venues/recording_file.py"}
FORBIDDEN_IN_VENUES = {"cli", "typer", "rich", "platformdirs"}
KNOWN_IN_VENUES = {"venues", "msgspec", "websockets", "aiohttp", "signalrcore", "socketio", "engineio"}
KNOWN_IN_CLI = {"cli", "venues", "msgspec", "typer", "rich", "platformdirs"}
KNOWN_IN_BOT = {"numpy", "aiohttp"}  # cli/bot only: an extra, and the bot's own server


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the arrows"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def tops(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def is_simulator(path: Path) -> bool:
    return "simulator" in path.relative_to(ROOT).with_suffix("").parts or path.name == "synthetic.py"


@pytest.mark.parametrize("path", modules("venues"), ids=name_of)
def test_venues_never_import_the_command_line(path: Path) -> None:
    assert not tops(path) & FORBIDDEN_IN_VENUES


@pytest.mark.parametrize("path", modules("venues"), ids=name_of)
def test_venues_import_only_what_the_design_names(path: Path) -> None:
    assert tops(path) - sys.stdlib_module_names <= KNOWN_IN_VENUES


@pytest.mark.parametrize("path", modules("cli"), ids=name_of)
def test_the_command_line_imports_only_what_the_design_names(path: Path) -> None:
    in_bot = path.is_relative_to(ROOT / "cli" / "bot")
    assert tops(path) - sys.stdlib_module_names <= KNOWN_IN_CLI | (KNOWN_IN_BOT if in_bot else set())


@pytest.mark.parametrize(
    "path", [p for p in modules("venues") if name_of(p) not in WITH_IO and not is_simulator(p)], ids=name_of
)
def test_pure_code_has_no_clock_no_chance_and_no_socket(path: Path) -> None:
    assert not tops(path) & IMPURE


def test_a_venue_never_imports_another() -> None:
    from venues import VENUES

    files = {name: ROOT / "venues" / name / "session.py" for name in VENUES}
    for name, path in files.items():
        others = {f"venues.{other}" for other in files if other != name}
        assert not imports(path) & others, name


def test_the_registry_says_what_each_venue_has() -> None:
    from venues import VENUES, venue_named

    assert {name: entry.streams.split() for name, entry in VENUES.items()} == {
        name: list(venue_named(name).streams) for name in VENUES
    }


def test_a_help_text_loads_no_venue() -> None:
    code = "import sys, cli.main; cli.main.run(['--help']); print([m for m in sys.modules if m in " + repr(
        ["venues.nexus", "asyncio", "rich", "websockets", "aiohttp"]
    ) + "])"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_records_import_nothing_of_ours() -> None:
    assert not {name for name in imports(ROOT / "venues/records.py") if name.startswith(("venues", "cli"))}


@pytest.mark.parametrize(
    "name", ["venues/connection.py", "venues/driver.py", "cli/run/watch.py", "cli/run/source.py", "cli/output/lines.py"]
)
def test_who_drives_venues_knows_no_venue(name: str) -> None:
    from venues import VENUES

    text = (ROOT / name).read_text(encoding="utf-8").lower()
    assert not [venue for venue in VENUES if venue in text]


def test_one_reader_of_the_environment() -> None:
    readers = [
        name_of(path)
        for path in [*modules("cli"), *modules("venues")]
        if re.search(r"os\.environ|getenv", path.read_text(encoding="utf-8"))
    ]
    assert readers == ["cli/settings/environment.py"]


def test_the_top_level_is_fixed() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    tops_of_tree = {line.partition("/")[0] for line in listed.splitlines()}
    allowed = {"pyproject.toml", "cli", "venues", "tests", "README.md", "completions"}
    assert {name for name in tops_of_tree if not name.startswith(".")} <= allowed
