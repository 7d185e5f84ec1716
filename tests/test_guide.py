"""The author's guide (`venues/README.md`): its code is code, and what it names is there."""

from __future__ import annotations

import ast
import re
import textwrap
import tomllib
from pathlib import Path

import pytest

from tests.house import ROOT
from venues.testing.api import API

GUIDE = (ROOT / "venues/README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^( *)```(\w+)\n(.*?)^ *```", GUIDE, re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [textwrap.dedent(text) for _, kind, text in BLOCKS if kind == language]


@pytest.mark.parametrize("text", blocks("python"))
def test_python_in_the_guide_is_python(text: str) -> None:
    ast.parse("def _():\n" + textwrap.indent(text, "    ") + "    pass\n")


@pytest.mark.parametrize("text", blocks("toml"))
def test_toml_in_the_guide_is_toml(text: str) -> None:
    tomllib.loads(text)


def test_files_that_the_guide_names_are_there() -> None:
    named = set(re.findall(r"`((?:toolkit|protocols|simulator|tests|venues)/[\w/]+\.py)", GUIDE))
    missing = {name for name in named if not any((base / name).exists() for base in (ROOT, ROOT / "venues"))}
    assert missing <= {"venues/acme/session.py"}


def test_what_the_guide_imports_is_public() -> None:
    imports = re.findall(r"from (venues[\w.]*) import ([\w, ]+)", "\n".join(blocks("python")))
    named = {(module, name.strip()) for module, names in imports for name in names.split(",")}
    foreign = {(module, name) for module, name in named if "acme" not in module and "woox" not in module}
    assert foreign
    assert {(module, name) for module, name in foreign if name not in API.get(module, ())} == set()


def test_the_guide_says_each_of_the_eleven_duties_with_code() -> None:
    duties = GUIDE[GUIDE.index("## The duties") : GUIDE.index("## Several symbols")]
    parts = re.split(r"^\*\*\d+\. ", duties, flags=re.MULTILINE)[1:]
    assert len(parts) == 11
    assert all("```python" in part for part in parts)


def test_the_guide_names_no_machine() -> None:
    assert not re.search(r"/(home|work|tmp|root)/", GUIDE)
    assert Path(ROOT).name
