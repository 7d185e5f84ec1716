"""A new package with a venue, made of the template in this package. Pure: it gives texts, and writes nothing."""

from __future__ import annotations

import ast
import keyword
import re
from importlib.resources import files
from typing import TYPE_CHECKING

from venues import VENUES, plugin_named
from venues.errors import UsageError
from venues.plugins import NAME, TAKEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

PLACEHOLDER = "acme"  # the venue's name in the template, in any case
LONGEST_NAME = 30
_SUFFIX = ".txt"  # so that the template's files are no modules of ours


def check_name(name: str) -> None:
    """Check the name of a new venue.

    Raises:
        UsageError: it cannot be one, or is taken; the text says by what.
    """
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise UsageError(
            f"expected a venue's name of at most {LONGEST_NAME} letters a-z and digits that begins with a letter, "
            f'got "{name[: LONGEST_NAME + 1]}"'
        )
    if any(keyword.iskeyword(word) or keyword.issoftkeyword(word) for word in (name, name.capitalize())):
        raise UsageError(f'"{name}" is a word of Python; take another name, such as {name}x')
    names = _names_in_template()
    after_the_venue = {one for one in names if PLACEHOLDER in one.lower()}
    if own := {_named(one, name) for one in after_the_venue} & (names - after_the_venue):
        raise UsageError(
            f"the package has something else that is called {min(own)}; take another name, such as {name}x"
        )
    if name in VENUES or name in TAKEN:
        raise UsageError(f'the name "{name}" is one that mon has already; take another one')
    if plugin := plugin_named(name):
        raise UsageError(f'the name "{name}" is taken by {plugin.distribution}, which is installed; take another')


def texts_of(name: str) -> Mapping[str, str]:
    """The files of the new package by their paths in its folder; `name` is the venue's."""
    template = files("venues.testing") / "template"
    return {_named(path, name): _named(text, name) for path, text in sorted(_texts(template, ""))}


def _names_in_template() -> set[str]:
    """What the template's modules give a name to, or use by it."""
    names: set[str] = set()
    for path, text in _texts(files("venues.testing") / "template", ""):
        for node in ast.walk(ast.parse(text if path.endswith(".py") else "")):
            match node:
                case ast.Name(id=found) | ast.alias(asname=str(found)) | ast.alias(name=found):
                    names.add(found)
                case ast.ClassDef(name=found) | ast.FunctionDef(name=found):
                    names.add(found)
    return names


def _texts(folder: Traversable, path: str) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            if not entry.name.startswith(("_", ".")):
                yield from _texts(entry, f"{path}{entry.name}/")
        elif entry.name == f"gitignore{_SUFFIX}":  # a name that installers and version control leave alone
            yield f"{path}.gitignore", entry.read_text(encoding="utf-8")
        else:
            yield f"{path}{entry.name.removesuffix(_SUFFIX)}", entry.read_text(encoding="utf-8")


def _named(text: str, name: str) -> str:
    """The text with the venue's name in the place of the template's, in the same case."""
    cases = {PLACEHOLDER: name, PLACEHOLDER.capitalize(): name.capitalize(), PLACEHOLDER.upper(): name.upper()}
    return re.sub("|".join(cases), lambda match: cases[match[0]], text)
