"""The modules of a script's own: those of its folder, and the one that it has its helpers from.

Python keeps modules by name, for the whole process. Two scripts of a run may have a module of the same name each, or
share one that imports `Link`, and must not get each other's: so each has its own in a `Home`. The one that was entered
last is in Python's own tables; when code of another one imports something while the run lasts, its home takes the
place for that long.
"""

from __future__ import annotations

import builtins
import importlib.util
import os
import sys
import threading
import types
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HOME = "__mon_home__"  # the home of a module, among its names
_NOT_ITS_OWN = ("site-packages", "dist-packages")
_import = builtins.__import__
_changing = threading.RLock()  # held while it changes whose modules are in Python's tables
_inner: list[Home] = []  # those that are entered; the last one is in Python's tables


class Home:
    """One script's."""

    def __init__(self, folder: str, given: Mapping[str, types.ModuleType]) -> None:
        """`folder` is where the script lies, as a real path; `given` are modules of the host's that it has."""
        self.folder = folder
        self._given = {name.partition(".")[0] for name in given}
        self._modules: dict[str, Any] = dict(given)
        self._path: list[str] = []
        self._shared: set[str]  # what was there before it, by the part before the first dot
        self._finders: list[Any]
        self._kept: dict[str, Any]  # what it takes the place of in Python's tables, …
        self._before: tuple[list[str], list[Any]]  # … and their paths and finders, while it is there

    @staticmethod
    def present() -> Home:
        """The one whose modules are in Python's tables."""
        return _inner[-1]

    def modules(self) -> dict[str, Any]:
        """Its modules by name, while it is in Python's tables."""
        return {name: module for name, module in tuple(sys.modules.items()) if self._has(name, module)}

    def has(self, name: str) -> bool:
        """Whether a module of that name is its own, and loaded."""
        return name in self._modules

    def module(self, name: str) -> Any:
        """A module of its own."""
        return self._modules[name]

    def settle(self) -> None:
        """Take what is loaded as its own, so that it is known whose code imports something."""
        self._modules = self.modules()
        for module in self._modules.values():
            if isinstance(module, types.ModuleType):  # a script may put anything there
                vars(module)[_HOME] = self

    def _has(self, name: str, module: Any) -> bool:
        top = name.partition(".")[0]
        if top in self._given:
            return True
        place = None if top in self._shared else _place_of(module)
        if place is None:
            return False
        parts = os.path.relpath(os.path.realpath(place), self.folder).split(os.sep)
        return parts[0] != os.pardir and not any(part in _NOT_ITS_OWN for part in parts)

    def _come(self) -> None:
        if not self._path:
            self._path, self._finders = [self.folder, *sys.path], list(sys.meta_path)
            self._shared = {name.partition(".")[0] for name in sys.modules} - self._given
        self._kept = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in self._given}
        for name in self._kept:
            del sys.modules[name]
        sys.modules.update(self._modules)
        self._before = list(sys.path), list(sys.meta_path)
        sys.path[:], sys.meta_path[:] = self._path, self._finders

    def _go(self) -> None:
        self.settle()
        for name in self._modules:
            del sys.modules[name]
        sys.modules.update(self._kept)
        self._path, self._finders = list(sys.path), list(sys.meta_path)
        sys.path[:], sys.meta_path[:] = self._before

    @contextmanager
    def entered(self) -> Iterator[None]:
        """While it lasts, its modules are the ones that are found, and no others of scripts."""
        with _changing:
            before = _inner[-1] if _inner else None
            if before is not None:
                before._go()
                builtins.__import__ = _imported  # one alone is always in Python's tables
            _inner.append(self)
            self._come()
        try:
            yield
        finally:
            with _changing:
                _inner.pop()
                self._go()
                if before is not None:
                    before._come()
                if len(_inner) <= 1:
                    builtins.__import__ = _import

    @contextmanager
    def alone(self) -> Iterator[None]:
        """As `entered`, for a script that is in the run already; no other one imports anything meanwhile."""
        with _changing, self.entered():
            yield


def _place_of(module: Any) -> str | None:
    """Where a module of Python's own language lies, or a folder that is a package without a file; None elsewhere."""
    file = getattr(module, "__file__", None)
    if isinstance(file, str):
        return file if file.endswith((".py", ".pyc")) else None  # one of C can be in a process once
    path: Any = getattr(module, "__path__", None)
    return next((one for one in tuple(path) if isinstance(one, str)), None) if hasattr(path, "__iter__") else None


def _imported(
    name: str,
    globals: Mapping[str, Any] | None = None,  # noqa: A002  # as Python calls them
    locals: Mapping[str, Any] | None = None,  # noqa: A002
    fromlist: Any = (),
    level: int = 0,
) -> Any:
    """In the place of Python's own import: a script that is not in Python's tables gets what is its own."""
    home = None if globals is None else globals.get(_HOME)
    if home is None or (_inner and home is _inner[-1]):
        return _import(name, globals, locals, fromlist, level)
    full = name if not level else importlib.util.resolve_name("." * level + name, (globals or {}).get("__package__"))
    if not level and not home.has(name.partition(".")[0]) and name in sys.modules and not _is_of_a_script(name):
        return _import(name, globals, locals, fromlist, level)
    if home.has(full) and all(hasattr(home.module(full), one) for one in fromlist or ()):
        return home.module(full if fromlist else full.partition(".")[0])
    with _changing, home.entered():
        return _import(name, globals, locals, fromlist, level)


def _is_of_a_script(name: str) -> bool:
    return any(home.has(name) for home in _inner)
