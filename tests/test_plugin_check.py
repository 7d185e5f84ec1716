"""What a venue of another package must be, asked in this process: the words of the first thing that is wrong."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from tests.made_plugins import ENTRY
from tests.test_plugins import BROKEN
from venues.plugin_check import ContractBroken, check_entry

IN_WORDS = {kind: given for kind, given in BROKEN.items() if given[0].count("\n") >= ENTRY.count("\n") - 2}


def entry_of(text: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    module = ModuleType("mon_acme")
    monkeypatch.setitem(sys.modules, "mon_acme", module)
    exec(compile(text, "mon_acme/__init__.py", "exec"), vars(module))
    return vars(module)["ACME"]


def test_a_whole_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    check_entry(entry_of(ENTRY, monkeypatch), "acme")


@pytest.mark.parametrize("kind", IN_WORDS)
def test_what_is_wrong_is_said(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, said = IN_WORDS[kind]
    with pytest.raises((ContractBroken, TypeError, ZeroDivisionError)) as raised:
        check_entry(entry_of(text, monkeypatch), "acme")
    assert said in f"{type(raised.value).__name__}: {raised.value}"
