"""An installed `mon`: its environment made, looked at, and run as somebody would who has just installed it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.supply.built import COMPLETIONS
from tests.supply.declared import ROOT

PIP = ("-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile")
SECONDS = 600  # for an installation from a package index


def environment(folder: Path, python: str | Path = sys.executable, *, borrowed: bool = False) -> Path:
    """Makes an environment; gives its Python.

    It is empty but for pip. `borrowed`: without pip, and with the libraries of the Python that runs this, which needs
    no network.
    """
    subprocess.run([python, "-m", "venv", *(["--without-pip"] if borrowed else []), folder], check=True)
    if borrowed:
        (site,) = (folder / "lib").glob("python*/site-packages")
        places = [*dict.fromkeys((sysconfig.get_path("purelib"), *(one for one in sys.path if "site-packages" in one)))]
        (site / "borrowed.pth").write_text("".join(f"{place}\n" for place in places))
    return folder / "bin" / "python"


def install(python: Path, *what: str | Path, borrowed: bool = False) -> None:
    """As `pip install`; into a borrowed environment with this Python's own pip, and nothing but the package."""
    command: Sequence[str | Path] = [python, *PIP, *what]
    if borrowed:
        alone = ("--no-index", "--no-deps", "--no-build-isolation", "--ignore-installed")
        command = [sys.executable, "-m", "pip", "--python", python, *PIP[2:], *alone, *what]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=python.parent)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, what))} cannot be installed:\n{done.stderr}")


def faults_of(python: Path, home: Path, *, root: Path = ROOT) -> Iterator[str]:
    """What an installed mon does not do, or does not have."""
    place = python.parents[1]
    yield from _run(python, home)
    for name, source in COMPLETIONS.items():
        if not (place / name).is_file():
            yield f"{name}: the completion is not installed"
        elif (place / name).read_bytes() != (root / source).read_bytes():
            yield f"{name}: the completion is another than {source}"
    code = "import cli, venues, importlib.util as u; print(cli.__file__, venues.__file__, u.find_spec('tests'))"
    shown = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=False, cwd=home).stdout
    if shown.count(f"{place}/") != 2 or not shown.endswith(" None\n"):
        yield f"expected cli and venues of the environment and no tests, got {shown}"


def _run(python: Path, home: Path) -> Iterator[str]:
    """`mon` as somebody would try it first; each with words of what it has to show."""
    version = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition('version = "')[2].partition('"')[0]
    yield from _shows(f"mon {version}", python, home, "--version")
    yield from _shows("kraken", python, home, "venues")
    with subprocess.Popen(
        [python.with_name("mon"), "sim"], env=_variables(home), stdout=subprocess.PIPE, text=True, cwd=home
    ) as sim:
        try:
            assert sim.stdout is not None
            exports = {}
            for line in sim.stdout:
                if line.startswith("export MON_KRAKEN"):
                    name, _, value = line.removeprefix("export ").strip().partition("=")
                    exports[name] = value.strip("'\"")
                if "e.g. mon" in line:
                    break
            yield from _shows('"type":"book"', python, home, "book", "kraken", "BTC/USD", "--count", "3", **exports)
        finally:
            sim.terminate()


def _variables(home: Path, **others: str) -> dict[str, str]:
    return {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", **others}


def _shows(words: str, python: Path, home: Path, *arguments: str, **variables: str) -> Iterator[str]:
    done = subprocess.run(
        [python.with_name("mon"), *arguments],
        env=_variables(home, **variables), capture_output=True, text=True, timeout=60, check=False, cwd=home,
    )  # fmt: skip
    if done.returncode or words not in done.stdout:
        yield f"mon {' '.join(arguments)}: exit code {done.returncode}, without {words!r}\n{done.stdout}{done.stderr}"
