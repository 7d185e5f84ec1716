"""The mutation script: what it breaks, what it leaves alone, and that it tells a tested line from another."""

from __future__ import annotations

import ast
import socket
from hashlib import sha256
from pathlib import Path
from shutil import copytree

import pytest

from tests.mutation import rooms
from tests.mutation.__main__ import ROOT, main
from tests.mutation.explained import EXPLAINED
from tests.mutation.fence import is_here
from tests.mutation.measured import Test as Passing
from tests.mutation.measured import concerned, place
from tests.mutation.operators import changes, is_another_program


def made(source: str) -> set[tuple[str, str]]:
    """The operator and the changed line of every mutant."""
    found = changes("venues/small.py", source.encode())
    return {(one.operator, one.after) for one in found if is_another_program(one, source.encode())}


@pytest.mark.parametrize(
    ("line", "operator", "after"),
    [
        ("x = a < b", "comparison turned", "x = a <= b"),
        ("x = a >= b", "comparison turned", "x = a > b"),
        ("x = (a) == (b)", "comparison turned", "x = (a) != (b)"),
        ("x = a is not b", "comparison turned", "x = a is b"),
        ("x = a in b < c", "comparison turned", "x = a not in b < c"),
        ("x = a in b < c", "comparison turned", "x = a in b <= c"),
        ("x = 'é' not in b", "comparison turned", "x = 'é' in b"),
        ("x = f(5)", "constant +1", "x = f(6)"),
        ("x = 0", "constant -1", "x = (-1)"),
        ("x = 0.5", "constant +1", "x = 1.5"),
        ("x = a and b and c", "and/or", "x = a or b or c"),
        ("x = a if b else c", "condition negated", "x = a if not (b) else c"),
        ("x = [a for a in b if not a]", "condition negated", "x = [a for a in b if (a)]"),
        ("x.y(1)", "statement removed", "pass"),
        ("x += 1", "statement removed", "pass"),
        ("x = {}", "statement removed", "pass"),
    ],
)
def test_what_is_done_to_a_line(line: str, operator: str, after: str) -> None:
    assert (operator, after) in made(line)


@pytest.mark.parametrize(
    ("body", "operator", "after"),
    [
        ("return a + b", "return None", "return None"),
        ("return False", "return True", "return True"),
        ("raise ValueError", "statement removed", "pass"),
        ("while a: b()", "condition negated", "while not (a): b()"),
        ("if (a\n or b): c()", "and/or", "and b): c()"),
        ("for a in b: break", "statement removed", "for a in b: pass"),
    ],
)
def test_what_is_done_in_a_function(body: str, operator: str, after: str) -> None:
    assert (operator, after) in made(f"def f(a, b):\n    {body}\n")


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring of 5 < 6."""',
        "# a comment: 1 < 2\n",
        "import a",
        "__all__ = ['a', 'b']",
        "def f(a: Literal[1, 2]) -> Literal[3]: ...",
        "a: Literal[1]",
        "Side = Literal[1, 2]",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    a = 1 < 2\n",
        "assert a is not None",
        "def f():\n    return None\n",
        "def f(a=f'{1 < 2}'): ...",
    ],
)
def test_what_is_left_alone(source: str) -> None:
    assert made(source) == set()


def test_every_change_to_a_real_module_is_one_place_of_it() -> None:
    source = (ROOT / "venues" / "toolkit" / "pacing.py").read_bytes()
    found = changes("venues/toolkit/pacing.py", source)
    assert len(found) > 40
    for change in found:
        changed = change.applied(source)
        assert changed.startswith(source[: change.start])
        assert changed.endswith(source[change.end :])
        ast.parse(changed)


def test_the_name_of_a_mutant_does_not_move_with_its_line() -> None:
    source = b"def f(a):\n    return a < 5\n"
    before, after = changes("venues/a.py", source), changes("venues/a.py", b"# more\n\n" + source)
    assert [one.id for one in before] == [one.id for one in after]
    assert [one.line + 2 for one in before] == [one.line for one in after]


SMALL = """\
def tested(a):
    if a < 3:
        return "few"
    return "many"


def untested(a):
    return a > 7


def endless(a):
    while a != 0:
        a -= 1
    return a


def asked_by_another(a):
    return a > 9


def asked_by_a_process(a):
    return a > 5


ONLY = [1]
FIRST = ONLY[0]
"""

ANOTHER = """\
from venues import small


def asked(a):
    return small.asked_by_another(a)
"""

TESTS_OF_ANOTHER = """\
from venues.another import asked


def test_asked():
    assert not asked(9)
"""

TESTS = """\
import subprocess
import sys

from venues.small import FIRST, endless, tested, untested


def test_tested():
    assert [tested(a) for a in (1, 2, 3, 4)] == ["few", "few", "many", "many"]


def test_endless():
    assert endless(3) == 0


def test_in_a_process():
    asked = "from venues.small import asked_by_a_process; print(asked_by_a_process(5))"
    assert subprocess.check_output([sys.executable, "-c", asked]) == b"False\\n"


def test_that_looks_at_nothing():
    untested(7)


def test_that_fails_by_itself():
    assert untested(7)
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one module and its tests, one of which looks at nothing, and one of which is wrong."""
    root = tmp_path_factory.mktemp("project") / "tree"
    for name, text in {
        "cli/__init__.py": "",
        "venues/__init__.py": "",
        "venues/small.py": SMALL,
        "tests/__init__.py": "",
        "venues/another.py": ANOTHER,
        "tests/test_small.py": TESTS,
        "tests/test_another.py": TESTS_OF_ANOTHER,
        "pyproject.toml": "[tool.pytest.ini_options]\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    copytree(ROOT / "tests" / "mutation", root / "tests" / "mutation", ignore=lambda *_: ["__pycache__"])
    return root


@pytest.fixture
def little_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what the small project needs: the other libraries take longer than all of its jobs."""
    monkeypatch.setattr("tests.mutation.running.LOADED", ("pytest", "hypothesis", "coverage"))


def run(tree: Path, *arguments: str) -> tuple[int, str]:
    """One run in this process; its exit code and what it says."""
    said: list[str] = []
    code = main([*arguments, "--coverage", str(tree.parent / "coverage")], tree, said.append)
    return code, "\n".join(said)


def found(after: str) -> str:
    """The id of a mutant of the small module."""
    return next(one.id for one in changes("venues/small.py", SMALL.encode()) if one.after == after)


def state(tree: Path) -> dict[str, str]:
    """Every file with what is in it."""
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in tree.rglob("*") if path.is_file()}


def test_a_mutant_that_a_test_notices_is_killed_and_others_survive(tree: Path) -> None:
    before = state(tree)
    only = [argument for after in ("if a <= 3:", "if a < 4:", "return a >= 7") for argument in ("--only", found(after))]
    code, said = run(tree, *only, "--jobs", "1")
    assert code == 1
    killed = [line for line in said.splitlines() if "] killed " in line]
    survived = [line for line in said.splitlines() if "] SURVIVED " in line]
    assert any("if a <= 3:" in line and "test_small.py::test_tested" in line for line in killed)
    assert any("if a < 4:" in line for line in killed)
    assert any("return a >= 7" in line for line in survived), "a test that fails by itself must kill nothing"
    assert "test_that_fails_by_itself" in said
    assert f"python -m tests.mutation --only {found('return a >= 7')}" in said
    assert state(tree) == before


@pytest.mark.usefixtures("little_loaded")
def test_what_only_the_tests_of_something_else_notice_is_killed(tree: Path) -> None:
    code, said = run(tree, "--only", found("return a >= 9"), "--jobs", "1")
    assert code == 0
    assert "test_another.py::test_asked" in said


@pytest.mark.usefixtures("little_loaded")
def test_what_only_a_process_of_a_test_passes_is_killed_by_that_test(tree: Path) -> None:
    code, said = run(tree, "--only", found("return a >= 5"), "--jobs", "1")
    assert code == 0
    assert "test_small.py::test_in_a_process" in said


@pytest.mark.usefixtures("little_loaded")
def test_a_mutant_that_does_not_import_does_not_count(tree: Path) -> None:
    code, said = run(tree, "--list", "--mutants", "100", "--room", "venues", "--jobs", "1")
    assert code == 0
    lines = said.splitlines()
    assert any("if a <= 3:" in line for line in lines)
    after = [line.rpartition("  ->  ")[2] for line in lines]
    assert "ONLY = [2]" in after
    assert "FIRST = ONLY[1]" not in after
    assert "FIRST = ONLY[(-1)]" in after
    assert not any("ONLY = [1]  ->  pass" in line for line in lines)


@pytest.mark.usefixtures("little_loaded")
def test_a_test_that_fails_since_it_was_measured_kills_nothing(tree: Path, tmp_path: Path) -> None:
    here = tmp_path / "tree"
    copytree(tree, here)
    asked = ("--only", found("return a >= 7"), "--jobs", "1")
    assert "SURVIVED" in run(here, *asked)[1]
    (here / "venues" / "small.py").write_text(SMALL.replace("return a > 7", "assert a != 7\n    return a > 7"))
    said = run(here, *asked)[1]
    assert "SURVIVED" in said
    assert "test_that_looks_at_nothing" in said.partition("were left out:")[2]


def test_the_same_seed_draws_the_same(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.mutation.running.Copy.imports", lambda *_: True)
    asked = ("--list", "--mutants", "9", "--room", "venues", "--jobs", "1", "--seed")
    said = run(tree, *asked, "5")
    assert len(said[1].splitlines()) == 9
    assert run(tree, *asked, "5") == said
    assert run(tree, *asked, "6") != said


@pytest.mark.usefixtures("little_loaded")
def test_a_mutant_that_never_ends_is_killed_by_time(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.mutation.running.SHORTEST_LIMIT", 2.0)
    _, said = run(tree, "--only", found("pass"), "--jobs", "1")
    assert "killed by time" in said


def test_nothing_but_this_machine_can_be_reached() -> None:
    assert all(map(is_here, ("127.0.0.1", "localhost", b"localhost", "::1", "", None)))
    assert not any(map(is_here, ("192.0.2.1", "example.com", b"example.com", "2001:db8::1")))


def test_the_lines_that_tests_are_chosen_by() -> None:
    source = b"A = 1\n\ndef f(a=2):\n    b = (\n        3)\n    return b\n"
    one = Passing("tests/t.py::one", 0.1, {"venues/a.py": frozenset({4})})
    other = Passing("tests/t.py::other", 0.1, {})
    assert concerned([other, one], "venues/a.py", place(source, 5)) == [one]  # in the midst of a statement
    assert concerned([other, one], "venues/a.py", place(source, 3)) == [one]  # the head
    assert concerned([other, one], "venues/a.py", place(source, 1)) == [one, other]  # by an import: everybody


def test_every_room_has_files_and_tests() -> None:
    every = rooms.files(ROOT, list(rooms.ROOMS))
    assert set(every.values()) == set(rooms.ROOMS)
    for path, room in every.items():
        assert rooms.nearest(ROOT, path, room), path
    asked = [*(ROOT / "venues").rglob("*.py")]
    parts = ("run", "output", "bot/hub", "bot/own", "bot/timing")
    asked += [path for part in parts for path in (ROOT / "cli" / part).glob("*.py")]
    assert {path.relative_to(ROOT).as_posix() for path in asked} <= set(every)


def test_what_is_explained_is_still_there() -> None:
    every = {
        change.key
        for path in {key.partition(" ")[0] for key in EXPLAINED}
        for change in changes(path, (ROOT / path).read_bytes())
    }
    assert not EXPLAINED.keys() - every


def test_the_fence_holds_for_processes_too(tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    onpath = ROOT / "tests" / "mutation" / "onpath"
    script = "import socket; socket.create_connection(('192.0.2.1', 9), 1)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(onpath), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "nothing but this machine can be reached" in done.stderr
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = script.replace("('192.0.2.1', 9)", str(server.getsockname()))
        assert subprocess.run([sys.executable, "-c", here], check=False).returncode == 0
