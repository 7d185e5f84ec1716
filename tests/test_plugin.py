"""`mon new-venue`, and the package in tests/plugin that it gave: installed without the network, used and tested.

Remake it after a change of the template: `rm -r tests/plugin && mon new-venue orbit tests/plugin`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

from cli.commands.new_venue import write
from tests.command import MON, environment, mon, records
from tests.warmed import popen
from venues.errors import SetupError, UsageError
from venues.testing.making import check_name, texts_of

PLUGIN = Path(__file__).parent / "plugin"
SYMBOL = "BTC-USDT"


def files_in(folder: Path) -> dict[str, str]:
    """What version control would keep of a folder."""
    made = re.compile(r"__pycache__|\.egg-info|_cache|\.hypothesis")
    paths = [path for path in folder.rglob("*") if path.is_file() and not made.search(str(path))]
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a user who has the package beside mon. It is built from a copy, and without the network."""
    folder = tmp_path_factory.mktemp("plugin")
    write(folder / "source", texts_of("orbit"))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"),
            *("--no-deps", "--no-build-isolation", "--target", folder / "site", folder / "source"),
        ],
        env={**environment(folder), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return environment(folder, PYTHONPATH=str(folder / "site"), PYTHONDONTWRITEBYTECODE="1")


# --- the package, installed


def test_it_can_be_installed_to_be_changed_in_its_place(tmp_path: Path) -> None:
    """`pip install -e` with nothing but hatchling, which is all that an environment without the network may have."""
    write(tmp_path / "source", texts_of("orbit"))
    code = "import sys; from hatchling.build import build_editable; print(build_editable(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=tmp_path / "source", capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with ZipFile(tmp_path / done.stdout.split()[-1]) as wheel:
        (link,) = [wheel.read(name).decode() for name in wheel.namelist() if name.endswith(".pth")]
    assert link.strip() == str(tmp_path / "source" / "src")


def test_tests_plugin_is_what_the_template_gives() -> None:
    assert files_in(PLUGIN) == dict(texts_of("orbit")), "remake it: see the top of this file"


def test_mon_shows_it_with_its_distribution(env: dict[str, str]) -> None:
    done = mon("venues", env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["orbit", "mon-orbit", "0.1.0"]
    assert "orbit" not in mon("venues", env={**env, "MON_PLUGINS": "0"}).stdout


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("book", "orbit", SYMBOL, "--count", "3"), "book"),
        (("book", "orbit", SYMBOL, "ETH-USDT", "--count", "3"), "book"),
        (("trades", "orbit", SYMBOL, "--count", "2"), "trade"),
        (("candles", "orbit", SYMBOL, "--interval", "5s", "--count", "2"), "candle"),
    ],
)
def test_its_streams_at_its_simulator(words: tuple[str, ...], kind: str, env: dict[str, str]) -> None:
    done = mon(*words, "--env", "sim", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for line in records(done.stdout) if line["type"] != "status"]
    assert {(line["type"], line["venue"], line["env"]) for line in lines} == {(kind, "orbit", "sim")}
    assert len(lines) == int(words[-1])


def test_a_gap_at_its_simulator_is_mended(env: dict[str, str]) -> None:
    """The simulator's fault goes through the session: stale, asked for anew, live again with a whole book."""
    with_sim = popen([MON, "sim", "--fault", "gap:1s"], env, stdout=subprocess.PIPE, text=True)
    try:
        assert with_sim.stdout is not None
        exports: dict[str, str] = {}
        for line in with_sim.stdout:
            if line.startswith("export MON_ORBIT"):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                exports[name] = value
            if line.startswith("# orbit"):
                break
        done = mon("book", "orbit", SYMBOL, "--duration", "4s", env={**env, **exports})
    finally:
        with_sim.terminate()
        with_sim.wait(10)
        with_sim.stdout.close()
    lines = records(done.stdout)
    states = [line["state"] for line in lines if line["type"] == "status"]
    assert states[:2] == ["stale", "live"]
    stale = next(at for at, line in enumerate(lines) if line.get("state") == "stale")
    assert lines[stale + 1]["state"] == "live", "no book in between"
    assert lines[stale + 2]["type"] == "book"


def test_its_own_tests_pass(env: dict[str, str]) -> None:
    """With pytest of this environment, from the package's folder, as its author would."""
    source = Path(env["PYTHONPATH"]).parent / "source"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"],
        cwd=source, capture_output=True, text=True, timeout=110, check=False,
        env={**env, "PYTHONPATH": os.pathsep.join([env["PYTHONPATH"], *(path for path in sys.path if path)])},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    cases = [path.name for path in (source / "tests/recordings").glob("*.frames.jsonl")]
    streams = {name.partition("--")[0] for name in cases}
    assert re.search(rf"^{5 * len(cases) + len(streams) + 7} passed", done.stdout, re.MULTILINE), done.stdout


def test_it_is_strictly_typed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull, "-p", "mon_orbit"],
        env={**os.environ, "MYPYPATH": f"{PLUGIN / 'src'}{os.pathsep}{PLUGIN.parents[1]}"},
        cwd=PLUGIN, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert "Success" in done.stdout, done.stdout + done.stderr


# --- mon new-venue


def test_new_venue_says_what_to_do_next(tmp_path: Path) -> None:
    done = mon("new-venue", "zeta", str(tmp_path / "mon zeta"), env=environment(tmp_path))
    assert (done.returncode, done.stdout) == (0, "")
    for words in (
        "pip install --no-deps -e",
        "pipx inject mon",
        "uv tool install ./mon --with",
        "mon book zeta BTC-USDT",
    ):
        assert words in done.stderr
    assert f"'{tmp_path / 'mon zeta'}'" in done.stderr, "as a shell takes it"
    guide = re.search(r"the guide .* is\s+(\S+)", done.stderr)
    assert guide is not None
    assert "## A venue in a day" in Path(guide[1]).read_text(encoding="utf-8")
    written = files_in(tmp_path / "mon zeta")
    assert written == dict(texts_of("zeta"))
    assert not [path for path, text in written.items() if re.search("acme", path + text, re.IGNORECASE)]


def test_the_package_does_not_depend_on_mon_and_says_why() -> None:
    text = (PLUGIN / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    assert project["dependencies"] == []
    assert "optional-dependencies" not in project
    assert "`mon` is not a dependency, on purpose" in text
    assert project["entry-points"] == {"mon.venues": {"orbit": "mon_orbit:ORBIT"}}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "expected a venue's name"),
        ("Zeta", "expected a venue's name"),
        ("2x", "expected a venue's name"),
        ("a-b", "expected a venue's name"),
        ("a/../../b", "expected a venue's name"),
        ("z" * 31, "at most 30 letters"),
        ("class", "a word of Python"),
        ("match", "a word of Python"),
        ("true", "a word of Python"),
        ("trade", "something else that is called Trade"),
        ("outline", "something else that is called OUTLINE"),
        ("base", "something else that is called BaseRoute"),
        ("nexus", "one that mon has already"),
        ("bot", "one that mon has already"),
    ],
)
def test_a_name_that_cannot_be(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        check_name(name)
    done = mon("new-venue", name, str(tmp_path / "new"), env=environment(tmp_path))
    assert done.returncode == 2
    assert words in done.stderr.replace("\n     ", " ")
    assert not (tmp_path / "new").exists()


def test_a_name_that_is_installed_is_taken(env: dict[str, str], tmp_path: Path) -> None:
    done = mon("new-venue", "orbit", str(tmp_path / "new"), env=env)
    assert done.returncode == 2
    assert "taken by mon-orbit 0.1.0" in done.stderr


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine", encoding="utf-8")
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("full", "file", "link"):
        done = mon("new-venue", "zeta", str(tmp_path / name), env=environment(tmp_path))
        assert done.returncode == 2
        assert "expected a folder that is new or empty" in done.stderr.replace("\n     ", " ")
    assert files_in(tmp_path) == {"full/mine": "mine", "file": "mine"}


def test_an_empty_folder_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the one that the shell is in."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    write(Path(), texts_of("zeta"))
    assert files_in(tmp_path / "empty") == dict(texts_of("zeta"))
    assert sorted(path.name for path in (tmp_path / "empty").iterdir()) == [
        ".gitignore", "README.md", "pyproject.toml", "src", "tests"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["new", "empty"])
def test_nothing_half_written_is_left(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    real, count = Path.write_text, 0

    def full(self: Path, *arguments: object, **options: object) -> int:
        nonlocal count
        count += 1
        if count == 4:
            raise OSError(28, "No space left on device")
        return real(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(SetupError, match=f"cannot write the package into .*{name}: No space left on device"):
        write(tmp_path / name, texts_of("zeta"))
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_a_move_that_fails_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if self.name == "src":
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(SetupError, match="Input/output error"):
        write(tmp_path, texts_of("zeta"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    done = mon("new-venue", "zeta", str(tmp_path / "no" / "such"), env=environment(tmp_path))
    assert done.returncode == 3
    assert "No such file or directory" in done.stderr.replace("\n     ", " ")
    assert list(tmp_path.iterdir()) == []


def test_the_wheel_has_the_template(tmp_path: Path) -> None:
    """What is written out by an installed mon comes from its wheel, which is built here as an installer would."""
    root = PLUGIN.parents[1]
    code = f"from hatchling.build import build_wheel; print(build_wheel({str(tmp_path)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True, timeout=110
    )
    with ZipFile(tmp_path / done.stdout.split()[-1]) as wheel:
        names = set(wheel.namelist())
    template = root / "venues/testing/template"
    wanted = {path.relative_to(root).as_posix() for path in template.rglob("*.txt")}
    assert len(wanted) > 10
    assert wanted <= names
    assert "venues/README.md" in names, "the guide"
    assert not [name for name in names if name.startswith("tests/")]
