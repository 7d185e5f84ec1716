"""The venues' entries: what they load, and that the registry, the simulators and `mon send` agree with them."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer

from cli import main
from cli.commands import sim
from cli.commands.send import send
from cli.run.source import Embedded, access_to
from venues import VENUES, load, simulated, venue_named, venues_taking
from venues.errors import UsageError
from venues.plugin_check import OPTIONS_OF_MON, ContractBroken, check_options
from venues.streams import VenueOption

ROOT = Path(__file__).parents[1]
ALL = pytest.mark.parametrize("name", VENUES)


def loaded(code: str) -> set[str]:
    code = f"import sys; {code}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


@ALL
def test_an_entry_loads_neither_its_session_nor_a_protocol(name: str) -> None:
    where = VENUES[name].where.partition(":")[0]
    simulator, _, _ = venue_named(name).simulator.partition(":")
    found = loaded(f"import {where}, {simulator}")
    ours = {
        module for module in found if module.startswith(f"{where}.") and not module.startswith(f"{where}.simulator")
    }
    assert ours <= {f"{where}.offers"}
    assert not {
        module for module in found if module.startswith(("venues.protocols", "venues.driver", "venues.toolkit"))
    }
    assert not found & {"asyncio", "aiohttp", "websockets", "socketio", "signalrcore"}


@ALL
def test_the_simulated_endpoint_is_of_its_venue(name: str) -> None:
    venue, endpoint = venue_named(name), simulated.endpoint(name)
    assert (venue.name, endpoint.name) == (name, name)
    assert endpoint.credentials.keys() <= {*venue.secrets, *venue.values}
    for symbol in simulated.markets(name):
        venue.check_symbol(symbol)


def test_a_venue_without_a_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(venue_named("jayx")), "simulator", "")
    assert [endpoint.name for endpoint in simulated.endpoints()] == [name for name in VENUES if name != "jayx"]
    others = ", ".join(name for name in VENUES if name != "jayx")
    with pytest.raises(ValueError, match=f"expected a simulated venue, one of {others}; got"):
        simulated.markets("jayx")
    with pytest.raises(UsageError, match="jayx has no simulator"):
        asyncio.run(access_to(venue_named("jayx"), "sim", None, Embedded(), print))


def test_all_endpoints_are_served() -> None:
    assert [endpoint.name for endpoint in simulated.endpoints()] == [*VENUES]


@ALL
def test_the_registry_says_what_may_be_sent_and_what_else_is_asked(name: str) -> None:
    venue, entry = venue_named(name), VENUES[name]
    kinds = {} if venue.commands is None else venue.commands.kinds
    assert entry.commands.split() == [*kinds]
    for stream, offer in venue.streams.items():
        assert {option.name for option in entry.own_options(stream)} == {*offer.options} - {"interval"}
    assert venue.options == entry.own_options()


@ALL
def test_no_option_of_a_venue_is_one_of_mon(name: str) -> None:
    check_options(VENUES[name].own_options(), OPTIONS_OF_MON)


def test_an_option_that_several_venues_have_is_a_flag_at_all_or_takes_a_value_at_all() -> None:
    forms: dict[str, set[bool]] = {}
    for entry in VENUES.values():
        for option in entry.own_options():
            forms.setdefault(option.name, set()).add(bool(option.takes))
    assert all(len(found) == 1 for found in forms.values())


def test_the_options_of_mon_are_those_of_its_commands() -> None:
    """A command that gets a new option takes its name from the venues, also from those of other packages."""
    top = main._app()
    commands = [top, *(main._loaded(name) for name in top.commands)]
    commands += [below for command in commands[1:] for below in getattr(command, "commands", {}).values()]
    own = {f"--{option.name}" for entry in VENUES.values() for option in entry.own_options()}
    found = {
        name
        for command in commands
        for one in command.get_params(typer.Context(command))
        for name in (*one.opts, *one.secondary_opts)
        if one.param_type_name == "option" and name.startswith("--")
    }
    assert found - own == {f"--{name}" for name in OPTIONS_OF_MON}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((VenueOption("depth", "Levels.", "N"),), "the option --depth is one that mon itself has"),
        ((VenueOption("q", "Quick."),), "expected an option's name such as special-price"),
        ((VenueOption("Precise", "How precise."),), "expected an option's name such as special-price"),
        ((VenueOption("precise", ""),), "expected a help text for the option precise"),
        ((VenueOption("precise", "a\nb"),), "expected one line of text as help of the option precise"),
        ((VenueOption("a-b", "One."), VenueOption("a-b", "Two.")), "expected each option once, got a-b twice"),
        (VenueOption("precise", "How."), "expected a sequence of VenueOption as options"),
        ("precise", "expected a sequence of VenueOption as options"),
    ],
)
def test_options_that_the_check_refuses(options: Any, said: str) -> None:
    with pytest.raises(ContractBroken, match=said):
        check_options(options, OPTIONS_OF_MON)


def test_mon_send_has_the_kinds_and_the_fields_that_venues_take() -> None:
    hints = get_type_hints(send)
    kinds = {name for name in get_args(hints["kind"]) for name in get_args(name)}
    given = inspect.signature(send).parameters.keys()
    (name,) = venues_taking()
    commands = venue_named(name).commands
    assert commands is not None
    assert kinds == {*commands.kinds}
    assert {field for kind in commands.kinds.values() for field in kind.fields} <= given


def test_who_takes_what() -> None:
    assert venues_taking("buy", "sell") == ["nbt"]
    assert venues_taking(*VENUES["nbt"].commands.split()) == ["nbt"]
    assert venues_taking("buy", "dance") == []


def test_trades_are_made_up_for_the_venue_that_the_registry_says() -> None:
    made_up = load(VENUES[sim.RECORDED].synthetic)
    assert f'"venue":"{sim.RECORDED}"' in made_up.Trades(venue_named(sim.RECORDED).example, 1, seed=1).header().decode()
    symbol = get_type_hints(sim.sim, include_extras=True)["symbol"]
    assert f"{venue_named(sim.RECORDED).example} unless" in next(iter(symbol.__metadata__)).help


@ALL
def test_a_part_of_the_config_template_is_a_table_of_its_venue(name: str) -> None:
    assert tomllib.loads(venue_named(name).template)["venues"].keys() == {name}
