"""The arrows of the house: who may import what. Each rule holds for every file of a folder, without a list of names."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from tests import house
from tests.house import GROUND, LAYERS, MOST_MODULES, ROOF, ROOT

IMPURE = {"asyncio", "websockets", "os", "time", "random", "socket", "threading", "subprocess", "aiohttp"}
TESTING = "venues.testing"  # nothing of ours imports it but the command that writes its template
WITH_IO = {
    *("venues.connection", "venues.opening", "venues.fetching", "venues.listing", "venues.recording"),
    "venues.recording_file",
}
KNOWN_IN_VENUES = {"venues", "msgspec", "websockets", "aiohttp", "signalrcore", "socketio", "engineio"}
KNOWN_IN_TESTING = {"pytest", "hypothesis"}  # an extra; for authors of venues
KNOWN_IN_CLI = {"cli", "venues", "msgspec", "typer", "rich", "platformdirs"}
KNOWN_IN_BOT = {"numpy", "croniter", "aiohttp"}  # an extra, and the bot's own server


def problems() -> Iterator[str]:
    """Every import that points where none may, as `importer -> imported`."""
    for name in house.modules():
        others = house.ours(name)
        for other in sorted(others):
            if not allowed(name, other):
                yield f"{name} -> {other}"
        for other in sorted({one.partition(".")[0] for one in house.imports(name)} - sys.stdlib_module_names):
            if other not in known_in(name):
                yield f"{name} -> {other}"
        if name.startswith("venues") and not may_do_io(name):
            for other in sorted({one.partition(".")[0] for one in house.imports(name)} & IMPURE):
                yield f"{name} -> {other}"


def may_do_io(name: str) -> bool:
    return house.is_simulator(name) or house.room(name) == TESTING or name in WITH_IO


def known_in(name: str) -> set[str]:
    if house.room(name) == TESTING:
        return KNOWN_IN_VENUES | KNOWN_IN_TESTING
    if name.startswith("venues"):
        return KNOWN_IN_VENUES
    return KNOWN_IN_CLI | (KNOWN_IN_BOT if house.room(name).startswith("cli.bot") else set())


def allowed(name: str, other: str) -> bool:
    """Whether a module of ours may import another."""
    if name.startswith("venues"):
        return not other.startswith("cli") and allowed_in_venues(name, other)
    if other.startswith("venues"):
        return allowed_from_cli(name, other)
    return layer(other) < layer(name) or house.room(name) == house.room(other)


def layer(name: str) -> int:
    parts = name.split(".")
    if len(parts) == 1 or parts[1] in GROUND:
        return 0
    return max(LAYERS.values()) + 1 if parts[1] in ROOF else LAYERS[parts[1]]


def allowed_in_venues(name: str, other: str) -> bool:
    here, there = house.room(name), house.room(other)
    if house.is_simulator(name):
        core = there == "venues.simulator"
        return core or (here == there != "venues" and house.is_simulator(other))
    if house.is_simulator(other):
        return False
    if there in house.venues():
        return here == there
    return there != TESTING or here == TESTING


def allowed_from_cli(name: str, other: str) -> bool:
    """The registry names venues; nobody else does, and neither what draws a screen nor what draws a stream."""
    if house.room(other) == TESTING and (name, other) != ("cli.commands.new_venue", f"{TESTING}.making"):
        return False
    return house.room(other) not in house.venues() and not (
        house.room(name) == "cli.screen" and other == "venues.streams"
    )


def test_every_arrow_points_where_it_may() -> None:
    assert list(problems()) == []


def test_nothing_goes_round() -> None:
    assert house.circles() == []


def test_no_folder_is_crowded() -> None:
    folders = Counter(path.parent for path in house.modules().values())
    assert {str(folder): count for folder, count in folders.items() if count > MOST_MODULES} == {}


def test_venues_are_known_by_the_registry_only() -> None:
    """A venue's name stands in its own folder, in the registry, in examples, and as the module that bots import."""
    from venues import VENUES

    for name, path in house.modules().items():
        if name == "venues" or house.room(name) in house.venues():
            continue
        text = EXAMPLE.sub("", path.read_text(encoding="utf-8"))
        named = {venue for venue in VENUES if re.search(rf"\b{venue}\b", text, re.IGNORECASE)}
        assert named <= MAY_NAME.get(name, BOTS_IMPORT if house.room(name).startswith("cli.bot") else set()), name


EXAMPLE = re.compile(r"^  mon [^\n]*$|e\.g\. [^\n]*$", re.MULTILINE)
BOTS_IMPORT = {"profitview"}
MAY_NAME = {"cli.bot.command": {"profitview", "nbt"}}  # the hub that --relay is for


PLANTED = [
    ("cli.settings.config", "cli.output.cells"),
    ("cli.output.cells", "cli.screen.look"),
    ("cli.screen.look", "cli.views.rows"),
    ("cli.screen.look", "venues.streams"),
    ("cli.views.rows", "cli.run.source"),
    ("cli.run.source", "cli.commands.dash"),
    ("cli.bot.plan", "cli.commands.dash"),
    ("cli.errors", "cli.settings.config"),
    ("cli.commands.dash", "cli.main"),
    ("cli.views.rows", "venues.nexus.session"),
    ("venues.driver", "cli.errors"),
    ("venues.nexus.session", "venues.jayx.fields"),
    ("venues.nexus.session", "venues.nexus.simulator"),
    ("venues.nexus.simulator", "venues.nexus.session"),
    ("venues.nexus.simulator", "venues.records"),
    ("venues.simulator.world", "venues.nexus.simulator"),
    ("venues.toolkit.book", "venues.nexus.session"),
    ("venues.toolkit.book", "asyncio"),
    ("venues.driver", "rich"),
    ("cli.run.source", "numpy"),
    ("venues.driver", "venues.testing.watching"),
    ("venues.nexus.session", "venues.testing"),
    ("venues.nexus.session", "pytest"),
    ("venues.testing.rules", "venues.nexus.session"),
    ("venues.testing.rules", "rich"),
    ("cli.run.source", "venues.testing.playing"),
    ("cli.commands.new_venue", "venues.testing.checks"),
]


@pytest.mark.parametrize(("name", "other"), PLANTED)
def test_an_arrow_that_may_not_be_is_found(name: str, other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = house.imports

    def planted(module: str) -> frozenset[str]:
        return before(module) | {other} if module == name else before(module)

    monkeypatch.setattr(house, "imports", planted)
    assert any(problem == f"{name} -> {other}" for problem in problems())


def test_a_circle_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    before = house.imports

    def planted(module: str) -> frozenset[str]:
        return before(module) | {"venues.driver"} if module == "venues.records" else before(module)

    monkeypatch.setattr(house, "imports", planted)
    assert any("venues.driver" in group and "venues.records" in group for group in house.circles())


def test_the_registry_says_what_each_venue_has() -> None:
    from venues import VENUES, venue_named

    assert {name: entry.streams.split() for name, entry in VENUES.items()} == {
        name: list(venue_named(name).streams) for name in VENUES
    }


def loaded(code: str) -> list[str]:
    """The modules that a piece of code loads, sorted."""
    code = f"import sys; {code}; print('\\n'.join(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def our_modules(*arguments: str) -> set[str]:
    """What `mon` with these arguments loads of ours."""
    return {name for name in loaded(f"import cli.main; cli.main.run({[*arguments]!r})") if is_ours(name)}


def is_ours(name: str) -> bool:
    return name.partition(".")[0] in ("cli", "venues")


TO_HELP = {
    "cli cli.errors cli.main cli.version",
    "cli.output cli.output.cells cli.output.lines cli.output.pipe cli.settings cli.settings.environment",
    "venues venues.errors venues.records venues.streams",
    "venues.toolkit venues.toolkit.numbers venues.toolkit.written",
}
HEAVY = {"aiohttp", "asyncio", "engineio", "rich", "signalrcore", "socketio", "websockets"}


def test_start_up_loads_what_it_needs_and_nothing_else() -> None:
    """Before `main` only the version; for a help text no venue, no library for sockets or screens."""
    assert our_modules("--help") == {name for names in TO_HELP for name in names.split()}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "cli", "--version"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {name for name in names if is_ours(name)} <= {"cli", "cli.version"}
    for command in (["book", "--help"], ["dash", "--help"], ["bot", "run", "--help"], ["send", "nbt", "--help"]):
        assert not HEAVY & set(loaded(f"import cli.main; cli.main.run({command!r})")), command


def test_a_help_text_loads_nothing_of_what_its_command_does() -> None:
    """What a command needs only when it runs: a recording's reader, the config, the options of a plug-in's venue."""
    assert "venues.recording" not in our_modules("replay", "--help")
    assert "cli.settings.config" not in our_modules("venues", "--help")
    code = (
        "import os; os.environ.update(_MON_COMPLETE='complete_bash', COMP_WORDS='mon b', COMP_CWORD='1'); "
        "import cli.main; cli.main.run([])"
    )
    assert "cli.run.venue_options" not in loaded(code)


def test_lines_load_nothing_of_the_screen() -> None:
    """Of the screen's modules only the one that declares the options' palettes; nothing that draws, no other venue."""
    recording = next((ROOT / "tests/fixtures/nexus").glob("trades--*.frames.jsonl"))
    found = our_modules("trades", "nexus", "--replay", str(recording), "--speed", "max", "-o", "jsonl")
    assert {name for name in found if name.startswith(("cli.screen.", "cli.views.", "cli.bot"))} <= {"cli.screen.look"}
    assert not {name for name in found if name.startswith(("venues.b2trader", "venues.jayx", "venues.simulator"))}


def test_records_import_nothing_of_ours() -> None:
    assert not house.ours("venues.records")


def test_one_reader_of_the_environment() -> None:
    readers = [
        name
        for name, path in house.modules().items()
        if re.search(r"os\.environ|getenv", path.read_text(encoding="utf-8"))
    ]
    assert [house.room(name) for name in readers] == ["cli.settings"]


def test_the_top_level_is_fixed() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    tops_of_tree = {line.partition("/")[0] for line in listed.splitlines()}
    wanted: Sequence[str] = ("pyproject.toml", "cli", "venues", "tests", "README.md", "completions")
    assert {name for name in tops_of_tree if not name.startswith(".")} <= set(wanted)
