"""The room of the bots: its map is whole, and its arrows point down."""

from __future__ import annotations

import re

import cli.bot
from tests import house

MAP = re.findall(r"^    (\w+)  +\S", cli.bot.__doc__ or "", re.MULTILINE)


def test_the_map_has_every_module() -> None:
    assert sorted(MAP) == sorted(name.rpartition(".")[2] for name in house.modules() if name.startswith("cli.bot."))


def test_each_module_imports_only_what_stands_below_it() -> None:
    for place, name in enumerate(MAP):
        inside = {other.rpartition(".")[2] for other in house.ours(f"cli.bot.{name}") if other.startswith("cli.bot.")}
        assert inside <= set(MAP[place + 1 :]), name
