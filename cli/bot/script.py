"""A bot's script: how it is loaded from its file, and what its class defines."""

from __future__ import annotations

import ast
import difflib
import inspect
import sys
import types
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cli.bot.attributes import Setter, set_attributes
from cli.bot.market_data import LEVELS
from cli.bot.own.modules import Home
from cli.bot.script_api import MODULE, Link
from cli.bot.speech import place_of, script_traceback
from cli.bot.timing.cron import Schedule, schedule_of
from venues.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cli.bot.own.finder import OwnModules

MAIN = "Signals"
SCRIPT = "mon_bot_script"  # the name of the script's own module
LARGEST = 16 * 2**20
CANDLE = "candle_update_"
# What is called in a script, and with which arguments.
CALLBACKS = {
    "on_start": (),
    "quote_update": ("src", "sym", "data"),
    "trade_update": ("src", "sym", "data"),
    **{f"{CANDLE}{level}": ("src", "sym", "bars") for level in LEVELS},
}
_HELPERS = tuple(name for name in vars(Link) if not name.startswith(("_", "mon_")))
# What a script looks up, and the streams that it needs for that.
LOOKED_UP = {"quotes": "quotes", "last_quote": "quotes", "trades": "trades", "last_trade": "trades"}
TRADING = "Trading"  # the class of bots that place orders themselves
OF_ACCOUNTS = ("order_update", "fill_update", "position_update")


class ScriptError(SetupError):
    """A script that cannot be run as a bot; the text has its file and line."""


@dataclass
class Bot:
    """A loaded script: what can be called in it.

    `callbacks` by name; `routes` by method and name; `schedules` by the method's name; `looks_up` are the streams whose
    latest records it looks up, `more_levels` those of `get_bars`; `asks_instruments`: whether it looks up what venues'
    lists say; `emits_signals`: whether it has a call for that; `remarks` are for the person who runs it.
    """

    name: str
    callbacks: dict[str, Callable[..., Any]]
    routes: dict[tuple[str, str], Callable[[Any], Any]]
    schedules: dict[str, tuple[Schedule, Callable[[], Any]]] = field(default_factory=dict)
    looks_up: set[str] = field(default_factory=set)
    more_levels: set[str] = field(default_factory=set)
    asks_instruments: bool = False
    emits_signals: bool = False
    remarks: list[str] = field(default_factory=list)

    def levels(self) -> list[str]:
        """The candle levels that it wants, shortest first."""
        return [level for level in LEVELS if f"{CANDLE}{level}" in self.callbacks or level in self.more_levels]

    @cached_property
    def called_levels(self) -> list[str]:
        """The candle levels that it has a callback for, shortest first."""
        return [level for level in LEVELS if f"{CANDLE}{level}" in self.callbacks]

    @property
    def wants_markets(self) -> bool:
        """Whether it has callbacks for markets, or looks their data up."""
        return any(name != "on_start" for name in self.callbacks) or bool(self.looks_up or self.more_levels)


@contextmanager
def hosted(path: Path, module: types.ModuleType, own: OwnModules | None = None) -> Iterator[Home]:
    """While a script runs, its helpers are imported from `module`, and its own modules from its folder, by `own`.

    The result is where they are kept.
    """
    script = types.ModuleType(SCRIPT)
    script.__file__ = str(path)
    home = Home(str(path.resolve().parent), {MODULE: module, SCRIPT: script})
    with home.entered(), nullcontext() if own is None else own.looked_at_first():
        yield home


def load(path: Path, base: type, settings: dict[str, str] | None = None, own: OwnModules | None = None) -> Bot:
    """Run a script and make its bot; inside `hosted`. `settings` are class attributes that the user sets.

    `own` is what prepares the modules of its folder, and so the script's own one.

    Raises:
        ScriptError: it cannot be read or run, or has no class `Signals` that can be used.
        UsageError: a setting that it cannot have.
    """
    if own is not None:
        own.reads(str(path))
    source = _read(path)
    setter = Setter(settings or {})
    tree, code = _compiled(path, source, setter)
    classes = _classes(tree, MAIN)
    if len(classes) > 1:
        lines = " and ".join(str(node.lineno) for node in classes)
        raise ScriptError(f"{path}: expected one class {MAIN}, got several, at lines {lines}")
    module = sys.modules[SCRIPT] = types.ModuleType(SCRIPT)
    module.__file__ = str(path)
    if own is not None:
        own.prepare(module)
    module.__dict__[Setter.NAME] = setter
    _run(path, lambda: exec(code, module.__dict__))
    module.__dict__.pop(Setter.NAME, None)
    main = _main_class(path, module, base, tree)
    line = classes[0].lineno if classes else None
    set_attributes(main, base, setter, settings or {}, path.name)
    found = _look_at(path, main, base)
    instance = _run(path, main, line)
    trees = [tree, *_own_modules(path)]
    return Bot(
        path.name,
        {name: getattr(instance, name) for name in found.callbacks},
        {key: getattr(instance, name) for key, name in found.routes.items()},
        {name: (schedule, getattr(instance, name)) for name, schedule in found.schedules.items()},
        {stream for one in trees for stream in _looked_up(one)},
        {level for one in trees for level in _levels_of_bars(one)},
        any(_uses(one, "instruments") for one in trees),
        any(_uses(one, "signal") for one in trees),
        found.remarks,
    )


def _own_modules(path: Path) -> list[ast.Module]:
    """The modules of the script's folder that it has imported."""
    files = {str(module.__file__) for name, module in Home.present().modules().items() if name not in (MODULE, SCRIPT)}
    found = []
    for file in sorted(files - {str(path)}):
        try:
            with open(file, "rb") as source:
                found.append(ast.parse(source.read(LARGEST), file))
        except (OSError, SyntaxError, ValueError):
            continue
    return found


def _uses(tree: ast.Module, name: str) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr == name for node in ast.walk(tree))


def _looked_up(tree: ast.Module) -> set[str]:
    """The streams of what a module looks up, by the names that it uses."""
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return {LOOKED_UP[name] for name in names & LOOKED_UP.keys()}


def _levels_of_bars(tree: ast.Module) -> set[str]:
    """The levels that a module gets bars of; all of them where it does not name the level itself."""
    levels: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get_bars":
            given = [word.value for word in node.keywords if word.arg == "level"] or node.args[2:3]
            named = [one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            levels |= set(named) & LEVELS.keys() if named else set(LEVELS)
    return levels


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise ScriptError(f"expected a script, got a folder: {path}")
        with path.open("rb") as file:
            source = file.read(LARGEST + 1)
    except OSError as error:
        raise ScriptError(f"cannot read the script {path}: {error.strerror}") from error
    if len(source) > LARGEST:
        raise ScriptError(f"expected a script of at most {LARGEST // 2**20} MiB, got more in {path}")
    return source


def _compiled(path: Path, source: bytes, setter: Setter) -> tuple[ast.Module, types.CodeType]:
    try:
        code = compile(setter.within(source, str(path), MAIN), str(path), "exec", dont_inherit=True)
        return ast.parse(source, str(path)), code
    except SyntaxError as error:
        where = f"{path}" if error.lineno is None else f"{path}, line {error.lineno}"
        words = f"{where}: {type(error).__name__}: {error.msg}"
        text = (error.text or "").rstrip()
        if text:
            words += f"\n  {text.lstrip()}"
            if error.offset is not None:
                words += "\n  " + " " * max(0, error.offset - 1 - (len(text) - len(text.lstrip()))) + "^"
        raise ScriptError(words) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ScriptError(f"{path}: expected a Python script: {error or type(error).__name__}") from None


def _run(path: Path, call: Callable[[], Any], line: int | None = None) -> Any:
    """Run a part of the script before it is a bot. Whatever it raises becomes a `ScriptError`."""
    try:
        return call()
    except BaseException as error:
        at = place_of(error)
        file, number = (path, line) if at is None else at
        where = f"{file}, line {number}" if number is not None else f"{file}"
        text = f"{where}: {type(error).__name__}: {error}".rstrip(": ")
        if isinstance(error, ImportError) and (error.name or "").partition(".")[0] == MODULE:
            text += f"\nmon has of it: from {MODULE} import Link, cron, http, logger"
        elif isinstance(error, ModuleNotFoundError):
            text += f"\ninstall {error.name} where mon is installed; it comes from the script's own imports"
        elif at is not None:
            text += f"\n{script_traceback(error)}"
        raise ScriptError(text) from None


def _classes(tree: ast.Module, name: str | None = None) -> list[ast.ClassDef]:
    return [node for node in tree.body if isinstance(node, ast.ClassDef) and name in (None, node.name)]


def _main_class(path: Path, module: types.ModuleType, base: type, tree: ast.Module) -> type:
    found = module.__dict__.get(MAIN)
    expected = f"expected a class {MAIN}(Link)"
    if found is None and _classes(tree, TRADING):
        raise ScriptError(
            f"{path}: class {TRADING} places orders itself, which mon does not do: mon runs signal bots, "
            f"with a class {MAIN}(Link)"
        )
    if found is None:
        others = ", ".join(f"{node.name} (line {node.lineno})" for node in _classes(tree))
        got = f"it has the classes {others}" if others else "it has no class"
        raise ScriptError(f"{path}: {expected}, but there is none; {got}")
    line = _line_of_name(tree, MAIN)
    where = f"{path}, line {line}" if line is not None else f"{path}"
    if not isinstance(found, type):
        raise ScriptError(f"{where}: {expected}, got {type(found).__name__} of that name")
    if not issubclass(found, base):
        raise ScriptError(
            f"{where}: {expected}, but {MAIN} is not made from Link; write: from {MODULE} import Link\n"
            f"and: class {MAIN}(Link):"
        )
    if found is base:
        raise ScriptError(f"{where}: {expected}, got Link itself")
    return found


def _line_of_name(tree: ast.Module, name: str) -> int | None:
    for node in reversed(tree.body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return node.lineno
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.Import | ast.ImportFrom):
            names = {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}
            names |= {alias.asname or alias.name for alias in getattr(node, "names", ())}
            if name in names:
                return node.lineno
    return None


# --- what the class defines ----------------------------------------------------------------------------------------


@dataclass
class _Found:
    """What a class defines: names of callbacks, of routes' methods, and of scheduled methods; and remarks on it."""

    callbacks: list[str] = field(default_factory=list)
    routes: dict[tuple[str, str], str] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def _look_at(path: Path, main: type, base: type) -> _Found:
    found = _Found()
    for name, value in _own_members(main, base).items():
        if getattr(value, "mon_route", False):
            method, _, rest = name.partition("_")
            if method not in ("get", "post") or not rest:
                raise ScriptError(
                    f"{_where(path, value)}: expected the name of a route to be get_… or post_…, got {name}"
                )
            _check_callable(path, name, value, ("data",))
            found.routes[method.upper(), rest] = name
        if (schedule := schedule_of(value)) is not None:
            _check_callable(path, name, value, ())
            found.schedules[name] = schedule
        if name in CALLBACKS:
            _check_callable(path, name, value, CALLBACKS[name])
            found.callbacks.append(name)
        elif name in OF_ACCOUNTS:
            found.remarks.append(
                f"{_where(path, value)}: {name} is of bots that trade themselves: it is never called here"
            )
        elif name in _HELPERS and value is not getattr(base, name):
            found.remarks.append(f"{_where(path, value)}: {name} hides the {name} of Link")
        elif callable(value) and not name.startswith("_") and not _is_called(name, found):
            remark = _misspelt(name)
            if remark is not None:
                found.remarks.append(f"{_where(path, value)}: {remark}")
    found.callbacks.sort(key=list(CALLBACKS).index)
    return found


def _is_called(name: str, found: _Found) -> bool:
    return name in found.schedules or name in found.routes.values()


def _own_members(main: type, base: type) -> dict[str, Any]:
    """What the class and its bases but Link define; of two of a name, the one that Python would call."""
    members: dict[str, Any] = {}
    for cls in reversed([cls for cls in main.__mro__ if cls not in base.__mro__]):
        members.update((name, getattr(main, name, None)) for name in vars(cls))
    return members


def _check_callable(path: Path, name: str, value: Any, arguments: tuple[str, ...]) -> None:
    where = _where(path, value)
    form = f"def {name}({', '.join(('self', *arguments))})"
    if not callable(value):
        raise ScriptError(f"{where}: expected {form}, got {type(value).__name__} of that name")
    if inspect.iscoroutinefunction(value) or inspect.isasyncgenfunction(value) or inspect.isgeneratorfunction(value):
        raise ScriptError(f"{where}: expected {form}, got one that is async or has a yield, which would not run")
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*(("self", *arguments) if inspect.isfunction(value) and not _is_static(value) else arguments))
    except TypeError:
        raise ScriptError(f"{where}: expected {form}, got {name}{signature}") from None


def _is_static(value: Any) -> bool:
    owner = getattr(sys.modules.get(SCRIPT), MAIN, None)
    return owner is not None and isinstance(inspect.getattr_static(owner, value.__name__, None), staticmethod)


def _misspelt(name: str) -> str | None:
    known = [*CALLBACKS]
    if name.startswith("candle_update"):
        return f"{name} is never called: the levels are {' '.join(LEVELS)}"
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.8)
    return f"{name} is never called; is it meant to be {close[0]}?" if close else None


def _where(path: Path, value: Any) -> str:
    code = getattr(inspect.unwrap(value) if callable(value) else value, "__code__", None)
    if code is None:
        return str(path)
    return f"{code.co_filename}, line {code.co_firstlineno}"
