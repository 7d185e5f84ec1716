"""The modules of a script's own folder: which they are, and what each gets before it runs."""

from __future__ import annotations

import contextlib
import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder, SourceFileLoader
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Iterator, Sequence
    from importlib.machinery import ModuleSpec

Stamp = tuple[int, int, int]  # what tells whether a file was saved


class OwnModules(MetaPathFinder):
    """Finds the modules of one script's folder, packages in it included, before Python looks for them itself.

    `files` has those that were found, by name; `stamps` how the files were, by path, before they were read.
    """

    def __init__(self, folder: str, prepare: Callable[[types.ModuleType], None], *, fresh: bool = False) -> None:
        """`prepare` is called with each module before it runs. `fresh`: always from its source, since a file that is
        saved twice in a second is not told apart by what Python keeps of it compiled."""
        self.files: dict[str, str | None] = {}
        self.stamps: dict[str, Stamp] = {}
        self.prepare = prepare
        self._folder = folder
        self._fresh = fresh

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> ModuleSpec | None:
        """As every finder's: only for what lies in the folder."""
        parent = fullname.rpartition(".")[0]
        if parent and parent not in self.files:
            return None
        spec = PathFinder.find_spec(fullname, path if parent else [self._folder], target)
        if spec is None:
            return None
        file = self.files[fullname] = spec.origin if spec.has_location else None
        if file is not None:
            self.reads(file)
        if type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(fullname, spec.loader.path, self.prepare, fresh=self._fresh)
        return spec

    def reads(self, path: str) -> None:
        """Note how a file is that is about to be read: what is saved from now on is not what is read."""
        if (stamp := stamp_of(path)) is not None:
            self.stamps[path] = stamp

    @contextlib.contextmanager
    def looked_at_first(self) -> Iterator[None]:
        """While it lasts, Python finds modules here before those of its path."""
        before = next(
            (at for at, one in enumerate(sys.meta_path) if one is PathFinder or isinstance(one, OwnModules)), 0
        )
        sys.meta_path.insert(before, self)
        try:
            yield
        finally:
            sys.meta_path.remove(self)


def stamp_of(path: str) -> Stamp | None:
    """The stamp of a file; None for one that is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, prepare: Callable[[types.ModuleType], None], *, fresh: bool) -> None:
        super().__init__(name, path)
        self._prepare = prepare
        self._fresh = fresh

    def exec_module(self, module: types.ModuleType) -> None:
        self._prepare(module)
        super().exec_module(module)

    def get_code(self, fullname: str) -> types.CodeType | None:
        if not self._fresh:
            return super().get_code(fullname)
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)
