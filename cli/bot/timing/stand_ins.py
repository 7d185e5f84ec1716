"""Stand-ins for `time` and `datetime`, which the modules of scripts get in a replay.

They answer with the recording's time where the user wants that. Everything else of the two modules is as it is, and
what the classes make are Python's own objects: only the classes are others, and take Python's own for theirs.

Where the user does not want it, they answer as ever, and the first use is told: it is a trap. The classes are Python's
own then, since a library may look at which they are; their use is seen in the source.
"""

from __future__ import annotations

import ast
import builtins
import copyreg
import datetime as real_datetime
import importlib
import sys
import time as real_time
import traceback
import types
from typing import TYPE_CHECKING, Any

from cli.bot.timing.unordered import by_chance, past_imports, through_sets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NS = 1_000_000_000
_LARGEST = 16 * 2**20
_CLASSES = ("datetime", "date")
_IN_NANOSECONDS = ("time_ns", "monotonic_ns", "perf_counter_ns")
_IN_SECONDS = ("time", "monotonic", "perf_counter")
# What takes the present time where it is given none, and with how many arguments it is given one.
_OF_NOW = {"localtime": 1, "gmtime": 1, "ctime": 1, "asctime": 1, "strftime": 2}


class StandIns:
    """The stand-ins of one run, and the builtins of modules that import them."""

    def __init__(
        self, epoch_ns: Callable[[], int], tell: Callable[[str], None] | None, warn: Callable[[str], None] | None = None
    ) -> None:
        """`epoch_ns` is the recording's time. With `tell` it is today's that they answer with, which is told once.

        `warn` is told, once for each kind, of what a source has that makes two runs differ.
        """
        self._epoch_ns = epoch_ns
        self._tell = tell
        self._warn = warn
        self._warned: set[str] = set()
        modules = {"time": self._time_module()}
        if tell is None:
            modules["datetime"] = self._datetime_module()
        by_name = {"import_module": _import_module_of(modules)}
        self._files: set[str] = set()  # of the modules that have them
        self._builtins = {**vars(builtins), "__import__": _importing(modules, _Beside(importlib, by_name))}

    def give(self, module: types.ModuleType) -> None:
        """Let a module that has not run yet import the stand-ins."""
        module.__dict__["__builtins__"] = self._builtins
        self._files.add(str(getattr(module, "__file__", None)))
        tree = _source_of(module)
        if tree is None:
            return
        if self._tell not in (None, _nobody) and (use := _use_of_datetime(tree)) is not None:
            self._tell_once(f"{module.__file__}, line {use[0]}", use[1])
        if (past := past_imports(tree)) is not None:
            self._warn_once("past", f"{module.__file__}, line {past[0]}: {past[1]} {_PAST}")
        if (line := through_sets(tree)) is not None:
            self._warn_once("sets", f"{module.__file__}, line {line}: {_SETS}")
        if (drawn := by_chance(tree)) is not None:
            self._warn_once("chance", f"{module.__file__}, line {drawn[0]}: {drawn[1]}() {_CHANCE}")

    def _now_for(self, name: str) -> int | None:
        """The time to answer with; None: as ever. `name` is what a script has called."""
        if self._tell is None:
            return self._epoch_ns()
        if self._tell is not _nobody:
            self._tell_once(self._caller(), name)
        return None

    def _caller(self) -> str:
        """Where in a script the present call comes from, through whatever other modules: file and line."""
        frames = [
            frame for frame, _ in traceback.walk_stack(sys._getframe(1)) if frame.f_globals.get("__name__") != __name__
        ]
        found = next((one for one in frames if one.f_code.co_filename in self._files), frames[0])
        return f"{found.f_code.co_filename}, line {found.f_lineno}"

    def _warn_once(self, kind: str, text: str) -> None:
        if self._warn is not None and kind not in self._warned:
            self._warned.add(kind)
            self._warn(text)

    def _tell_once(self, where: str, name: str) -> None:
        tell, self._tell = self._tell, _nobody
        if tell is not None:
            tell(f"{where}: {name} {_TRAP}")

    # --- time

    def _time_module(self) -> types.ModuleType:
        names = (*_IN_SECONDS, *_IN_NANOSECONDS)
        found: dict[str, Any] = {name: self._counting(name) for name in names}
        found["sleep"] = _named_as(
            lambda seconds: real_time.sleep(seconds), real_time.sleep
        )  # as it is when it is called
        return _Beside(real_time, found | {name: self._of_now(name, count) for name, count in _OF_NOW.items()})

    def _counting(self, name: str) -> Callable[[], Any]:
        in_seconds, real = name in _IN_SECONDS, getattr(real_time, name)

        def answer() -> Any:
            ns = self._now_for(f"time.{name}()")
            return real() if ns is None else ns / _NS if in_seconds else ns

        return _named_as(answer, real)

    def _of_now(self, name: str, count: int) -> Callable[..., Any]:
        real = getattr(real_time, name)
        takes_seconds = name in ("localtime", "gmtime", "ctime")

        def answer(*given: Any) -> Any:
            lacks = len(given) < count or (takes_seconds and given[-1] is None)
            ns = self._now_for(f"time.{name}()") if lacks else None
            if ns is None:
                return real(*given)
            now = ns / _NS
            return real(*given[: count - 1], now if takes_seconds else real_time.localtime(now))

        return _named_as(answer, real)

    # --- datetime

    def _datetime_module(self) -> types.ModuleType:
        return _Beside(
            real_datetime, {"datetime": _datetime_class(self._epoch_ns), "date": _date_class(self._epoch_ns)}
        )


_TRAP = (
    "tells the time of today, not the recording's: self.now, self.unix_now and self.epoch_now tell that; "
    "--script-time recording makes it so"
)


_PAST = "tells the time of today whatever --script-time says, so two runs may differ: import it as ever"


_SETS = (
    "a set of texts is in another order in each process, so two runs may differ: sort it, "
    "or set PYTHONHASHSEED=0 for mon"
)


_CHANCE = (
    "draws by chance, so two runs may differ: what random and numpy.random draw is the same where the file seeds them"
)


def _nobody(_text: str) -> None:
    """Where what is told was told."""


def _source_of(module: types.ModuleType) -> ast.Module | None:
    """What a module is made of; None where it cannot be read: whoever runs it says what is wrong."""
    try:
        with open(str(getattr(module, "__file__", None)), "rb") as file:
            return ast.parse(file.read(_LARGEST))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _use_of_datetime(tree: ast.Module) -> tuple[int, str] | None:
    """The first line of a source that asks a class of `datetime` for the present time, and what it asks."""
    modules, classes = _bound_to_datetime(tree)
    found = [
        (node.lineno, f"{cls}.{node.attr}()")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today")
        if (cls := _class_named_by(node.value, modules, classes)) is not None
    ]
    return min(found, default=None)


def _bound_to_datetime(tree: ast.Module) -> tuple[set[str], dict[str, str]]:
    """The names that a source has for the module `datetime`, and for its classes."""
    modules: set[str] = set()
    classes: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name for alias in node.names if alias.name == "datetime"}
        elif isinstance(node, ast.ImportFrom) and node.module == "datetime" and not node.level:
            for alias in node.names:
                if alias.name == "*":
                    classes |= {name: name for name in _CLASSES}
                elif alias.name in _CLASSES:
                    classes[alias.asname or alias.name] = alias.name
        elif isinstance(node, ast.Assign) and _imports_datetime(node.value):
            modules |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return modules, classes


def _imports_datetime(value: ast.expr) -> bool:
    """Whether it is a call such as `importlib.import_module("datetime")`."""
    if not isinstance(value, ast.Call) or not value.args:
        return False
    named = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", None)
    what = value.args[0]
    return named in ("import_module", "__import__") and isinstance(what, ast.Constant) and what.value == "datetime"


def _class_named_by(value: ast.expr, modules: set[str], classes: Mapping[str, str]) -> str | None:
    if isinstance(value, ast.Name):
        return classes.get(value.id)
    if not isinstance(value, ast.Attribute) or value.attr not in _CLASSES:
        return None
    home = value.value
    is_module = home.id in modules if isinstance(home, ast.Name) else _imports_datetime(home)
    return value.attr if is_module else None


def _importing(modules: Mapping[str, types.ModuleType], by_name: types.ModuleType) -> Callable[..., Any]:
    """What modules of scripts import with; `by_name` is in the place of `importlib`, which imports too."""

    def importing(
        name: str,
        globals: Any = None,  # noqa: A002 -- Python's own names
        locals: Any = None,  # noqa: A002
        fromlist: Any = (),
        level: int = 0,
    ) -> Any:
        if level == 0 and name in modules:
            return modules[name]
        found = builtins.__import__(name, globals, locals, fromlist, level)  # which scripts beside this one may change
        return by_name if found is importlib else found

    return importing


def _import_module_of(modules: Mapping[str, types.ModuleType]) -> Callable[..., Any]:
    def import_module(name: str, package: str | None = None) -> Any:
        return modules[name] if name in modules else importlib.import_module(name, package)

    return _named_as(import_module, importlib.import_module)


def _named_as(function: Callable[..., Any], real: Any) -> Callable[..., Any]:
    function.__name__, function.__qualname__, function.__doc__ = real.__name__, real.__qualname__, real.__doc__
    return function


class _Beside(types.ModuleType):
    """A module with something else under some names; all the rest is the real one's, as it is when it is asked for."""

    def __init__(self, real: types.ModuleType, others: Mapping[str, Any]) -> None:
        super().__init__(real.__name__, real.__doc__)
        self.__dict__.update(others, mon_real=real, __all__=[name for name in dir(real) if not name.startswith("_")])
        self.__spec__ = real.__spec__

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["mon_real"], name)

    def __dir__(self) -> list[str]:
        return dir(self.__dict__["mon_real"])


# --- classes -------------------------------------------------------------------------------------------------------


class _Kind(type):
    """The class of a class that stands in for another one: whatever is of that one is of it too, and they are equal."""

    def __instancecheck__(cls, instance: Any) -> bool:
        real = _real_of(cls)
        return type.__instancecheck__(cls, instance) if real is None else isinstance(instance, real)

    def __subclasscheck__(cls, other: type) -> bool:
        real = _real_of(cls)
        return type.__subclasscheck__(cls, other) if real is None else issubclass(other, real)

    def __eq__(cls, other: object) -> bool:
        return cls is other or (other is not None and _real_of(cls) is other)

    def __hash__(cls) -> int:
        return hash(_real_of(cls)) if _real_of(cls) is not None else type.__hash__(cls)


def _real_of(cls: type) -> type | None:
    """The class that a class stands in for; None for one that a script has made from it."""
    found = cls.__dict__.get("mon_real")
    return found if isinstance(found, type) else None


def _real_named(name: str) -> Any:
    return getattr(real_datetime, name)


def _reduced(cls: type) -> Any:
    """How a class is pickled: as the one that it stands in for."""
    return cls.__qualname__ if _real_of(cls) is None else (_real_named, (cls.__name__,))


copyreg.pickle(_Kind, _reduced)


def _datetime_class(epoch_ns: Callable[[], int]) -> type:
    real: Any = real_datetime.datetime

    class StandIn(real, metaclass=_Kind):  # type: ignore[misc]
        mon_real = real

        def __new__(cls, *given: Any, **named: Any) -> Any:
            return real.__new__(real if _real_of(cls) else cls, *given, **named)

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return cls._mon_at(epoch_ns(), tz)

        @classmethod
        def today(cls) -> Any:
            return cls._mon_at(epoch_ns(), None)

        @classmethod
        def utcnow(cls) -> Any:
            return cls._mon_at(epoch_ns(), real_datetime.UTC).replace(tzinfo=None)

        @classmethod
        def _mon_at(cls, ns: int, tz: Any) -> Any:
            seconds, rest = divmod(ns, _NS)
            return cls.fromtimestamp(seconds, tz).replace(microsecond=rest // 1000)

    return _named_as_class(StandIn, real)


def _date_class(epoch_ns: Callable[[], int]) -> type:
    real: Any = real_datetime.date

    class StandIn(real, metaclass=_Kind):  # type: ignore[misc]
        mon_real = real

        def __new__(cls, *given: Any, **named: Any) -> Any:
            return real.__new__(real if _real_of(cls) else cls, *given, **named)

        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(epoch_ns() // _NS)

    return _named_as_class(StandIn, real)


def _named_as_class(cls: Any, real: type) -> type:
    cls.__name__, cls.__qualname__, cls.__module__, cls.__doc__ = real.__name__, real.__name__, "datetime", real.__doc__
    assert isinstance(cls, type)
    return cls
