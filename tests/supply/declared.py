"""What `pyproject.toml` declares: the dependencies of `mon`, of each extra, and of the build."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
RUN = "mon"  # the group of what `mon` itself needs; the others are its extras
_REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)>=([0-9][0-9.]*)")


class Requirement(NamedTuple):
    """A distribution, and the oldest version of it that is allowed."""

    name: str
    oldest: str


def requirement(text: str) -> Requirement:
    """Reads `name>=version`, which is the only form there is here: a bound that is not named cannot be tested."""
    if (found := _REQUIREMENT.fullmatch(text)) is None:
        raise ValueError(f'expected a requirement like "rich>=13.8", got "{text}"')
    return Requirement(found[1], found[2])


def project(root: Path = ROOT) -> Mapping[str, object]:
    """The file as it is."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def groups(root: Path = ROOT) -> dict[str, list[Requirement]]:
    """What is needed to run, and by each extra."""
    told = project(root)["project"]
    assert isinstance(told, dict)
    texts = {RUN: told["dependencies"], **told["optional-dependencies"]}
    return {group: [requirement(text) for text in wanted] for group, wanted in texts.items()}


def oldest(root: Path = ROOT) -> Iterator[str]:
    """Every dependency at its oldest allowed version, a line each, as `pip install -r` and `-c` take them."""
    found: dict[str, str] = {}
    for wanted in groups(root).values():
        for name, version in wanted:
            if found.setdefault(name, version) != version:
                raise ValueError(f"{name} has two bounds: {found[name]} and {version}")
    yield from (f"{name}=={version}" for name, version in sorted(found.items(), key=lambda one: one[0].lower()))
