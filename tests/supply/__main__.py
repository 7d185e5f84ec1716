"""Does `mon` install and run: from its wheel, with the oldest libraries it allows, with newer Pythons?

    python -m tests.supply wheel      build wheel and source distribution, install each into an empty environment, run
    python -m tests.supply oldest     the oldest allowed version of each dependency, as pip takes it
    python -m tests.supply oldest --run [WORDS OF PYTEST]   install those, and run the nearest tests with them
    python -m tests.supply pythons [--newest] [--all]   install with each newer Python of this machine, or the newest of
                                  them alone, and run the same tests, or all

Needs the package index, but for `oldest` alone. Ends with 0, 1 (something does not hold) or 2 (usage).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.supply import built, installed
from tests.supply.declared import ROOT, oldest

# What a library's version can break: start-up and command line, each protocol, sockets, sessions, the simulators'
# server, the screen and the bot's numbers. Not the rest: what is pure code of ours behaves the same with any of them.
NEAREST = (
    *("tests/test_cli.py", "tests/test_connection.py", "tests/test_numbers.py", "tests/test_screen.py"),
    *("tests/test_send.py", "tests/test_cookies.py", "tests/test_fetching.py"),
    *("tests/wire", "tests/simulator/test_hub.py", "tests/simulator/test_polling.py", "tests/simulator/test_public.py"),
    *("tests/bot/test_candles.py", "tests/bot/test_serving.py", "tests/completions/test_answers.py"),
)
WORKERS = "3"  # since half of the tests' time is waiting
BEGAN = time.monotonic()
NEWER = ("3.12", "3.13", "3.14", "3.15")


def main() -> int:
    """Runs a command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.supply", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("wheel", help="build, install into empty environments, run")
    old = commands.add_parser("oldest", help="the oldest allowed versions; --run: the nearest tests with them")
    old.add_argument(
        "--run", nargs=argparse.REMAINDER, metavar="WORDS", help="words for pytest in place of the nearest"
    )
    new = commands.add_parser("pythons", help="install and test with newer Pythons")
    new.add_argument("--newest", action="store_true", help="only the newest of them")
    new.add_argument("--all", action="store_true", help="all tests, which takes minutes")
    asked = parser.parse_args()
    if asked.command == "oldest" and asked.run is None:
        print("\n".join(oldest()))
        return 0
    with tempfile.TemporaryDirectory(prefix="mon-supply-") as folder:
        if asked.command == "wheel":
            return wheels(Path(folder))
        if asked.command == "oldest":
            return with_oldest(Path(folder), asked.run or NEAREST)
        return pythons(Path(folder), () if asked.all else NEAREST, newest=asked.newest)


def wheels(folder: Path) -> int:
    """Both distributions: what is in them, and that an environment with nothing else runs them."""
    for name in ("wheel", "sdist", "unpacked", "again", "home"):
        (folder / name).mkdir()
    wheel, sdist = built.build("wheel", ROOT, folder / "wheel"), built.build("sdist", ROOT, folder / "sdist")
    again = built.build("wheel", built.unpacked(sdist, folder / "unpacked"), folder / "again")
    contents = built.contents_of_wheel(wheel)
    faults = [*built.faults_of_wheel(contents), *built.faults_of_sdist(built.contents_of_sdist(sdist))]
    if built.contents_of_wheel(again) != contents:
        faults.append("the wheel of the source distribution is another than that of the folder")
    for name, what in (("from the wheel", wheel), ("from the source distribution", sdist)):
        python = installed.environment(folder / name.replace(" ", "-"))
        installed.install(python, what)
        faults += [f"{name}: {fault}" for fault in installed.faults_of(python, folder / "home")]
    return _ended(f"wheel of {len(contents)} files and source distribution", faults)


def with_oldest(folder: Path, words: tuple[str, ...]) -> int:
    """The tests with the oldest allowed libraries, in this Python, which is the oldest allowed one in CI."""
    python = installed.environment(folder / "oldest")
    listed = folder / "oldest.txt"
    listed.write_text("\n".join(oldest()), encoding="utf-8")
    installed.install(python, "--only-binary", ":all:", "-r", listed)
    installed.install(python, "--no-deps", "--no-build-isolation", "--no-index", ROOT)
    return _ended(f"oldest allowed libraries, {_version(python)}", _tested(python, words))


def pythons(folder: Path, words: tuple[str, ...], *, newest: bool) -> int:
    """Each newer Python in turn, or the newest alone; those that are not here are named."""
    faults: list[str] = []
    tried: list[str] = []
    found: list[tuple[str, str]] = []
    for version in NEWER:
        started = next(_pythons_called(version), None)
        if started is None:
            print(f"Python {version}: not on this machine", flush=True)
        else:
            found.append((version, started))
    for version, started in found[-1:] if newest else found:
        python = installed.environment(folder / version, started)
        try:
            installed.install(python, f"{ROOT}[test]")
        except RuntimeError as error:
            faults.append(f"Python {version}: {error}")
            continue
        tried.append(_version(python))
        faults += [f"Python {version}: {fault}" for fault in _tested(python, words)]
    return _ended(f"newer Pythons: {', '.join(tried) or 'none here'}", faults)


def _pythons_called(version: str) -> Iterator[str]:
    """A Python of that version that starts: on the PATH, or one of pyenv's."""
    names = [f"python{version}"]
    names += sorted(str(path) for path in (Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python"))
    for name in names:
        try:
            if _version(name).startswith(f"{version}."):
                yield name
        except (OSError, subprocess.CalledProcessError):
            continue


def _version(python: str | Path) -> str:
    code = "import platform, venv, ensurepip; print(platform.python_version())"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def _tested(python: Path, words: tuple[str, ...]) -> list[str]:
    """Runs pytest from the project's folder, with a few workers; what it says goes on as it is."""
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", WORKERS, *words]
    done = subprocess.run(command, cwd=ROOT, check=False, env={**os.environ, "MON_BESIDE_OTHERS": "1"})
    return [f"pytest ended with {done.returncode}"] if done.returncode else []


def _ended(what: str, faults: list[str]) -> int:
    print(f"\n{what}: {'; '.join(faults) or 'holds'} ({time.monotonic() - BEGAN:.0f} s)", flush=True)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
