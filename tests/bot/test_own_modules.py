"""The homes of scripts: whose modules are found by whom, while several are in one run."""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cli.bot.own.finder import OwnModules, stamp_of
from cli.bot.own.modules import Home

GIVEN = "given_to_scripts"


class Script:
    """A folder with modules, its home, and code that runs as a script's."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        folder.mkdir()
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        self.folder = folder
        self.given = types.ModuleType(GIVEN)
        self.given.WHOSE = folder.name  # type: ignore[attr-defined]
        self.home = Home(str(folder), {GIVEN: self.given})
        self.names: dict[str, Any] = {}

    def runs(self, code: str) -> None:
        """While its home is entered."""
        module = sys.modules.setdefault("script_of", types.ModuleType("script_of"))
        module.__file__ = str(self.folder / "script_of.py")
        self.names = vars(module)
        exec(code, self.names)

    def does(self, code: str) -> Any:
        """Later, when another one may be in Python's tables: what `found` is then."""
        exec(code, self.names)
        return self.names["found"]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Script, Script]]:
    """Two scripts in a run; the second is in Python's tables."""
    files = {
        "whose.py": "WHOSE = {!r}\n",
        "late.py": "WHOSE = {!r}\nimport whose\n",
        "pack/__init__.py": "WHOSE = {!r}\n",
        "pack/inner.py": "WHOSE = {!r}\nfrom . import beside\n",
        "pack/beside.py": "WHOSE = {!r}\n",
    }
    path, finders = [*sys.path], [*sys.meta_path]
    scripts = [Script(tmp_path / name, {file: text.format(name) for file, text in files.items()}) for name in "ab"]
    before = set(sys.modules)
    with ExitStack() as stack:
        for script in scripts:
            stack.enter_context(script.home.entered())
            script.runs(f"import whose, {GIVEN}\n")
        yield scripts[0], scripts[1]
    assert builtins.__import__ is __import__
    assert (sys.path, sys.meta_path) == (path, finders)
    left = {name for name in set(sys.modules) - before if name.partition(".")[0] in ("whose", "late", "pack", GIVEN)}
    assert left == set(), "nothing of theirs stays"


def test_each_has_its_own_module_of_a_name(two: tuple[Script, Script]) -> None:
    for script in two:
        assert script.does("found = whose.WHOSE, given_to_scripts.WHOSE") == (script.folder.name,) * 2


def test_what_is_imported_later_is_its_own_also_while_another_one_is_in_the_tables(two: tuple[Script, Script]) -> None:
    present = sys.modules["whose"]
    for script in (*two, *two):
        name = script.folder.name
        assert script.does("import late; found = late.WHOSE, late.whose.WHOSE") == (name, name)
        assert script.does("import whose as again; found = again is whose")
        assert script.does(f"import {GIVEN} as again; found = again.WHOSE") == name
    assert sys.modules["whose"] is present


def test_modules_of_a_package_are_found_by_each_form_of_import(two: tuple[Script, Script]) -> None:
    for script in (*two, *two):
        name = script.folder.name
        assert script.does("import pack.inner; found = pack.WHOSE, pack.inner.WHOSE") == (name, name)
        assert script.does("import pack.inner as inner; found = inner.WHOSE") == name
        assert script.does("from pack import inner, beside; found = inner.beside is beside, beside.WHOSE") == (
            True, name,
        )  # fmt: skip
        assert script.does("from pack.inner import WHOSE as found") == name


def test_a_relative_import_is_of_its_own_package(two: tuple[Script, Script]) -> None:
    first, _ = two
    first.does("import pack.inner; found = None")
    inner = vars(first.names["pack"].inner)
    exec("from . import beside as found", inner)
    assert inner["found"].WHOSE == "a"
    exec("from .beside import WHOSE as found", inner)
    assert inner["found"] == "a"


def test_pythons_own_modules_are_everybodys(two: tuple[Script, Script]) -> None:
    for script in two:
        assert script.does("import json.decoder; found = json") is sys.modules["json"]
        assert script.does("from json import decoder as found") is sys.modules["json.decoder"]


def test_what_is_not_there_is_told_to_whoever_imports_it(two: tuple[Script, Script]) -> None:
    first, _ = two
    with pytest.raises(ModuleNotFoundError, match="No module named 'nowhere_at_all'"):
        first.does("import nowhere_at_all")
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        first.does("from whose import nothing")


def test_code_that_is_nobodys_has_what_is_in_the_tables(two: tuple[Script, Script]) -> None:
    _, second = two
    names: dict[str, Any] = {}
    exec("import whose as found", names)
    assert names["found"] is second.names["whose"]


def test_a_home_knows_its_own(two: tuple[Script, Script]) -> None:
    first, second = two
    assert Home.present() is second.home
    assert {"whose", GIVEN} <= {*second.home.modules()}
    assert "json" not in second.home.modules()
    assert first.home.has("whose")
    assert not first.home.has("json")
    assert first.home.module("whose") is first.names["whose"]
    assert first.home.module(GIVEN) is first.given


def test_one_alone_needs_no_import_of_ours(tmp_path: Path) -> None:
    script = Script(tmp_path / "a", {"whose.py": "WHOSE = 'a'\n"})
    imports = builtins.__import__
    with script.home.entered():
        script.runs("import whose")
        assert builtins.__import__ is imports
        with script.home.alone():
            assert sys.modules["whose"] is script.names["whose"]
        assert builtins.__import__ is imports
        assert sys.modules["whose"] is script.names["whose"]
    assert "whose" not in sys.modules


def test_the_path_that_a_script_has_made_is_its_own(two: tuple[Script, Script], tmp_path: Path) -> None:
    first, second = two
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "extra_module.py").write_text("X = 1\n")
    second.does(f"import sys; sys.path.append({str(tmp_path / 'more')!r}); found = None")
    with pytest.raises(ModuleNotFoundError):
        first.does("import extra_module as found")
    assert second.does("import extra_module as found").X == 1
    assert first.does("import extra_module as found").X == 1, "what is in neither folder is everybody's"
    del sys.modules["extra_module"]


@pytest.mark.parametrize(
    ("file", "path", "own"),
    [
        ("x.py", None, True),
        ("inner/x.pyc", None, True),
        ("x.so", None, False),
        ("site-packages/x.py", None, False),
        ("lib/dist-packages/x.py", None, False),
        ("../elsewhere.py", None, False),
        (None, ["inner"], True),
        (None, ["../elsewhere"], False),
        (None, [7], False),
        (None, None, False),
        (None, 5, False),
    ],
)
def test_a_module_is_a_scripts_own_by_its_place(
    tmp_path: Path, file: str | None, path: Any, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script(tmp_path / "a", {})
    module = types.ModuleType("placed_somewhere")
    if file is not None:
        module.__file__ = str(script.folder / file)
    if path is not None:
        module.__path__ = (
            [str(script.folder / one) if isinstance(one, str) else one for one in path]
            if isinstance(path, list)
            else path
        )  # type: ignore[assignment]
    with script.home.entered():
        monkeypatch.setitem(sys.modules, "placed_somewhere", module)
        assert ("placed_somewhere" in script.home.modules()) is own
        monkeypatch.undo()


# --- how they are found


def test_only_what_lies_in_the_folder_is_found_and_prepared_before_it_runs(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("FOUND = PREPARED\n")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "inner.py").write_text("FOUND = PREPARED + 1\n")
    own = OwnModules(str(tmp_path), lambda module: vars(module).update(PREPARED=7))
    assert own.find_spec("json", None) is None
    assert own.find_spec("json.decoder", ["x"]) is None
    assert own.files == {}
    for name, found in (("one", 7), ("pack.inner", 8)):
        if "." in name:
            assert own.find_spec("pack", None) is not None
        spec = own.find_spec(name, [str(tmp_path / "pack")] if "." in name else None)
        assert spec is not None
        assert spec.loader is not None
        module = types.ModuleType(name)
        spec.loader.exec_module(module)
        assert vars(module)["FOUND"] == found
    assert own.files == {
        "one": str(tmp_path / "one.py"),
        "pack": None,
        "pack.inner": str(tmp_path / "pack" / "inner.py"),
    }
    assert own.stamps == {path: stamp_of(path) for path in own.files.values() if path is not None}


@pytest.mark.parametrize("fresh", [True, False])
def test_a_file_may_be_read_anew_always(tmp_path: Path, fresh: bool) -> None:
    """Python keeps what it has compiled by the file's time and length."""
    import os

    path = tmp_path / "one.py"
    found = []
    for number in (1, 2):
        path.write_text(f"X = {number}\n")
        os.utime(path, (1_000, 1_000))
        own = OwnModules(str(tmp_path), lambda module: None, fresh=fresh)
        spec = own.find_spec("one", None)
        assert spec is not None
        assert spec.loader is not None
        module = types.ModuleType("one")
        spec.loader.exec_module(module)
        found.append(module.X)
    assert found == ([1, 2] if fresh else [1, 1])


def test_it_is_asked_before_python_looks_itself_and_no_longer(tmp_path: Path) -> None:
    one, other = (OwnModules(str(tmp_path), lambda module: None) for _ in range(2))
    before = [*sys.meta_path]
    with one.looked_at_first():
        with other.looked_at_first():
            assert sys.meta_path.index(other) == sys.meta_path.index(one) - 1
        at = sys.meta_path.index(one)
        assert [*sys.meta_path[:at], *sys.meta_path[at + 1 :]] == before
        assert sys.meta_path[at + 1].__name__ == "PathFinder"  # type: ignore[union-attr]
    assert sys.meta_path == before


def test_where_python_does_not_look_itself_it_is_asked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = [object(), object()]
    monkeypatch.setattr(sys, "meta_path", [*others])
    one = OwnModules(str(tmp_path), lambda module: None)
    with one.looked_at_first():
        assert sys.meta_path == [one, *others]
    assert sys.meta_path == others


def test_a_module_of_a_given_name_that_was_there_before_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the package that a script would import elsewhere, where somebody has it installed."""
    installed = {name: types.ModuleType(name) for name in (GIVEN, f"{GIVEN}.inner", f"{GIVEN}_other")}
    for name, module in installed.items():
        monkeypatch.setitem(sys.modules, name, module)
    script = Script(tmp_path / "a", {})
    for _ in range(2):
        with script.home.entered():
            assert sys.modules[GIVEN] is script.given
            assert f"{GIVEN}.inner" not in sys.modules
            assert sys.modules[f"{GIVEN}_other"] is installed[f"{GIVEN}_other"]
        assert {name: sys.modules.get(name) for name in installed} == installed
