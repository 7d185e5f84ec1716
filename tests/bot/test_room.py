"""The room of the bots: its map is whole, and its arrows point down."""

from __future__ import annotations

import re

import pytest

import cli.bot
import cli.bot.hub
import cli.bot.own
import cli.bot.timing
from tests import house

MAPS = {
    room.__name__: re.findall(r"^    (\w+)  +\S", room.__doc__ or "", re.MULTILINE)
    for room in (cli.bot, cli.bot.hub, cli.bot.own, cli.bot.timing)
}


@pytest.mark.parametrize("room", MAPS)
def test_the_map_has_every_module(room: str) -> None:
    names = (name.rpartition(".") for name in house.modules())
    assert sorted(MAPS[room]) == sorted(
        name for home, _, name in names if home == room and f"{home}.{name}" not in MAPS
    )


@pytest.mark.parametrize("room", MAPS)
def test_each_module_imports_only_what_stands_below_it(room: str) -> None:
    for place, name in enumerate(MAPS[room]):
        imported = (other.rpartition(".") for other in house.ours(f"{room}.{name}"))
        assert {other for home, _, other in imported if home == room} <= set(MAPS[room][place + 1 :]), name
