"""Venues of other packages: found by their entry points in the group `mon.venues`, loaded when they are asked for.

    [project.entry-points."mon.venues"]
    acme = "mon_acme:ACME"

`found` reads what the installed distributions say of themselves and imports none of them. `load` imports one and checks
that its entry is what the contract says (`plugin_check.py`). Whatever is wrong with a plug-in is a `SetupError` that
names its distribution.
"""

from __future__ import annotations

import contextlib
import decimal
import re
import sys
import traceback
from functools import cache
from importlib import import_module
from importlib.metadata import Distribution, EntryPoint, distribution, distributions
from typing import TYPE_CHECKING, Any, NamedTuple

from venues.errors import SetupError
from venues.plugin_check import check_endpoint, check_entry
from venues.toolkit.guard import ContractBroken

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from venues.venue import Venue

GROUP = "mon.venues"
NAME = re.compile(r"[a-z][a-z0-9]*")
TAKEN = ("bot",)  # a table of the config file, and the beginning of variables
NAMELESS = "a distribution without a name"
LONGEST_WORDS = 300  # characters of what a plug-in says itself


class Plugin(NamedTuple):
    """One venue that a distribution offers: its name, and where its entry is, as `module:object`.

    `distribution` is the distribution's name with its version. `fault` says why it may not be loaded; empty if it may.
    """

    name: str
    where: str
    distribution: str
    fault: str = ""

    def in_words(self) -> str:
        """The venue with its distribution, for an error."""
        return f"the venue {self.name} of {self.distribution}"


_loaded: dict[str, tuple[Plugin, Venue]] = {}


@cache
def found(built_in: Collection[str]) -> Sequence[Plugin]:
    """All venues that distributions offer, in the order of their names; imports none of them."""
    # What one distribution says twice, as where both its dist-info and its egg-info are there, it says once.
    every = dict.fromkeys(plugin for one in distributions() for plugin in _offered(one))
    offered = sorted(every, key=lambda plugin: plugin.name)
    return [_with_fault(plugin, offered, built_in) for plugin in offered]


def load(plugin: Plugin) -> Venue:
    """The plug-in's venue, checked; the same one each time.

    Raises:
        SetupError: it cannot be imported, or is not what the contract says; names the distribution.
    """
    if plugin.fault:
        raise SetupError(plugin.fault)
    if plugin.name not in _loaded:
        _loaded[plugin.name] = plugin, _checked(plugin, plugin.where, lambda entry: check_entry(entry, plugin.name))
    return _loaded[plugin.name][1]


def load_endpoint(plugin: Plugin, venue: Venue) -> Any:
    """The class of the plug-in's simulated endpoint, checked.

    Raises:
        SetupError: as `load`.
    """
    return _checked(plugin, venue.simulator, lambda endpoint: check_endpoint(endpoint, venue))


def loaded() -> Sequence[Plugin]:
    """The plug-ins that have been loaded until now."""
    return [plugin for plugin, _ in _loaded.values()]


def owner(error: BaseException) -> Plugin | None:
    """The plug-in in whose code an exception was raised, or that called what raised it, or gave what is not to be
    given; None: no plug-in had to do with it."""
    if isinstance(error, ContractBroken):
        return next((plugin for plugin in loaded() if plugin.name == error.venue), None)
    packages = {_package(plugin.where): plugin for plugin in loaded()}
    for frame, _ in traceback.walk_tb(error.__traceback__):
        package = _package(str(frame.f_globals.get("__name__", "")))
        if package in packages:
            return packages[package]
    return None


# --- what distributions say ----------------------------------------------------------------------------------------


def _offered(one: Distribution) -> Iterator[Plugin]:
    """What one distribution offers. One that another of the same name hides, nearer on the path, offers nothing."""
    try:
        text = one.read_text("entry_points.txt") or ""
    except (OSError, ValueError):
        return
    if GROUP not in text:
        return  # most distributions: their entry points need not be read
    label = _label(one)
    try:
        points: list[EntryPoint] = [*one.entry_points.select(group=GROUP)]
    except Exception as error:
        fault = f"the entry points of {label} cannot be read: {_words(error)}{_WHAT_TO_DO}"
        yield Plugin("", "", label, fault)
        return
    if not _is_hidden(one):
        yield from (Plugin(_printable(point.name), point.value, label) for point in points)


def _is_hidden(one: Distribution) -> bool:
    try:
        nearest = distribution(one.metadata["Name"])
        return (nearest.locate_file(""), nearest.version) != (one.locate_file(""), one.version)
    except Exception:  # no or broken metadata
        return False


def _label(one: Distribution) -> str:
    try:
        name, version = one.metadata["Name"], one.version
    except Exception:  # no or broken metadata
        return NAMELESS
    return _printable(f"{name} {version}") if name and version else NAMELESS


def _with_fault(plugin: Plugin, offered: Sequence[Plugin], built_in: Collection[str]) -> Plugin:
    """The plug-in with what is wrong with its name, if anything is."""
    if plugin.fault:
        return plugin
    others = [other for other in offered if other.name == plugin.name and other is not plugin]
    if not NAME.fullmatch(plugin.name):
        fault = f'{plugin.in_words()}: expected a name of a-z and 0-9 that begins with a letter, got "{plugin.name}"'
    elif plugin.name in TAKEN:
        fault = f"{plugin.in_words()}: the name {plugin.name} is one that mon uses itself; it needs another"
    elif plugin.name in built_in:
        fault = f"{plugin.in_words()} is left out: mon itself has a venue of that name, and no plug-in takes its place"
    elif others:
        both = " and ".join(sorted({plugin.distribution, *(other.distribution for other in others)}))
        fault = f"the venue {plugin.name} is offered twice, by {both}: neither is loaded; uninstall one of them"
    else:
        return plugin
    return plugin._replace(fault=fault)


# --- loading -------------------------------------------------------------------------------------------------------

_WHAT_TO_DO = "; install another version of it, or set MON_PLUGINS=0 to do without plug-ins"


def _checked(plugin: Plugin, where: str, check: Callable[[Any], None]) -> Any:
    """What is at a place of a plug-in's code, once `check` has passed it."""
    try:
        with _without_stdout(), decimal.localcontext():  # a precision that it sets is not ours
            thing = _at(where)
            check(thing)
    except ContractBroken as broken:
        raise SetupError(f"{plugin.in_words()} cannot be used: {_shortened(str(broken))}{_WHAT_TO_DO}") from broken
    except BaseException as error:  # also SystemExit: whatever it does while it is loaded, mon goes on
        if isinstance(error, KeyboardInterrupt) and not _is_raised_in(plugin, error):
            raise  # Ctrl-C
        raise SetupError(f"{plugin.in_words()} cannot be loaded: {_words(error)}{_WHAT_TO_DO}") from error
    return thing


def _is_raised_in(plugin: Plugin, error: BaseException) -> bool:
    """Whether it was the plug-in's own code that raised an exception, and nothing that it called."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return _package(str(frame.f_globals.get("__name__", ""))) == _package(plugin.where)


def _package(where: str) -> str:
    return where.partition(":")[0].partition(".")[0].strip()


def _at(where: str) -> Any:
    module, colon, path = (part.strip() for part in where.partition("[")[0].partition(":"))  # without extras
    if not colon or not re.fullmatch(r"[\w.]+", module) or not re.fullmatch(r"[\w.]+", path):
        raise ContractBroken(f'expected an entry point such as mon_acme:ACME, got "{where}"')
    found: Any = import_module(module)
    for name in path.split("."):
        if not hasattr(found, name):
            raise ContractBroken(f"expected {path} in the module {module}, which has no such name")
        found = getattr(found, name)
    return found


@contextlib.contextmanager
def _without_stdout() -> Iterator[None]:
    """Whatever a plug-in prints while it is loaded goes to stderr: stdout is for data."""
    before = sys.stdout
    try:
        sys.stdout = sys.stderr
        yield
    finally:
        sys.stdout = before


def _words(error: BaseException) -> str:
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:
        text = ""
    return _shortened(f"{name}: {text}" if text else name)


def _shortened(text: str) -> str:
    text = _printable(" ".join(text.split()))
    return text if len(text) <= LONGEST_WORDS else text[: LONGEST_WORDS - 1] + "…"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "�" for letter in text)
