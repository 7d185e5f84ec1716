"""The registry of venues: built-in ones, and those of plug-ins, which are loaded only when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

import venues
from venues import VENUES, plugins
from venues.errors import SetupError, UsageError
from venues.plugins import Plugin
from venues.streams import VenueOption
from venues.toolkit import guard
from venues.venue import BaseVenue, Offer, Settings, Subscription

SPECIAL, FAST = VenueOption("special", "How special.", "HOW"), VenueOption("fast", "How fast.")
ACME = Plugin("acme", "mon_acme:ACME", "mon-acme 0.3")
ZETA = Plugin("zeta", "mon_zeta:ZETA", "mon-zeta 1.0")
HIDDEN = Plugin("nexus", "mon_n:N", "mon-n 1", "the name is taken")


class Acme(BaseVenue):
    """What is asked of the venue here."""

    contract = 1
    name = "acme"
    environments = {"production": "wss://acme.example"}  # noqa: RUF012
    options = (SPECIAL, FAST)
    streams = {  # noqa: RUF012
        "book": Offer("Book", public=True, options=("special", "fast")),
        "trades": Offer("Trade", public=True, options=("fast",)),
        "orders": Offer("Order", symbols="none"),
    }
    example = "A"

    def check_symbol(self, symbol: str) -> None: ...

    def routes(self, subscriptions: Any, settings: Any) -> Any:
        return [SimpleNamespace(subscriptions=subscriptions)]


class Site:
    """Where plug-ins are: those that are found, and what is done with them."""

    def __init__(self) -> None:
        self.offered: list[Plugin] = [ACME, ZETA]
        self.broken: dict[str, SetupError] = {}
        self.done: list[Any] = []
        self.wanted = True

    def found(self, built_in: Any) -> list[Plugin]:
        assert built_in == frozenset(VENUES)
        self.done.append("found")
        return self.offered

    def load(self, plugin: Plugin) -> Any:
        self.done.append(("load", plugin.name))
        if plugin.name in self.broken:
            raise self.broken[plugin.name]
        venue = Acme()
        venue.name = plugin.name
        return venue

    def load_endpoint(self, plugin: Plugin, venue: Any) -> Any:
        self.done.append(("endpoint", plugin.name, venue.name))
        return "endpoint"

    @contextmanager
    def while_loading(self) -> Iterator[None]:
        self.done.append("begin")
        yield
        self.done.append("end")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site()
    for name in ("found", "load", "load_endpoint"):
        monkeypatch.setattr(plugins, name, getattr(made, name))
    for name in ("_plugins_wanted", "_while_loading"):
        monkeypatch.setattr(venues, name, getattr(venues, name))
    monkeypatch.setattr(venues, "_used", [])
    venues.look_for_plugins_if(lambda: made.wanted, made.while_loading)
    return made


LOADED = ["begin", ("load", "acme"), "end"]


def test_a_built_in_venue_looks_nothing_up(site: Site) -> None:
    assert venues.venue_named("kraken").name == "kraken"
    assert venues.has_venue("kraken")
    assert venues.distribution_of("kraken") == ""
    assert venues.plugin_named("kraken") is None
    assert venues.plugin_named("") is None
    assert venues.own_options("jayx") == venues.own_options("jayx", "book") != ()
    assert venues.own_options("jayx", "trades") == ()
    assert (site.done, venues.used_plugins()) == ([], [])


def test_the_options_of_several_streams_are_told_once() -> None:
    (rpi,) = venues.own_options("woox")
    assert rpi.name == "rpi"
    assert [venues.own_options("woox", stream) for stream in ("book", "quotes", "trades", "none")] == [
        (rpi,), (rpi,), (), (),
    ]  # fmt: skip


def test_a_plugin_is_loaded_when_it_is_asked_for(site: Site) -> None:
    assert venues.has_venue("acme")
    assert venues.distribution_of("acme") == "mon-acme 0.3"
    assert venues.plugin_named("zeta") == ZETA
    assert not venues.has_venue("other")
    assert venues.distribution_of("other") == ""
    assert {*site.done} == {"found"}
    site.done.clear()
    assert venues.venue_named("acme").name == "acme"
    assert site.done == ["found", *LOADED]
    assert venues.venue_named("acme").name == "acme"
    assert venues.used_plugins() == ["acme"]
    venues.used_plugins().append("x")
    assert venues.used_plugins() == ["acme"], "nobody changes it"


@pytest.mark.parametrize(
    ("stream", "options"),
    [(None, (SPECIAL, FAST)), ("book", (SPECIAL, FAST)), ("trades", (FAST,)), ("orders", ()), ("fills", ())],
)
def test_the_options_of_a_plugin_are_those_of_the_stream(
    site: Site, stream: str | None, options: tuple[VenueOption, ...]
) -> None:
    assert venues.own_options("acme", stream) == options
    assert site.done == ["found", *LOADED]


def test_a_venue_that_nobody_has_is_told_with_those_that_there_are(site: Site) -> None:
    site.offered = [ACME, HIDDEN]
    with pytest.raises(UsageError) as raised:
        venues.venue_named("other")
    assert str(raised.value) == f'expected a venue ({", ".join([*VENUES, "acme"])}), got "other"'
    with pytest.raises(UsageError):
        venues.own_options("other")
    assert venues.venue_names() == [*VENUES, "acme"], "without those that may not be loaded"


def test_plugins_may_be_switched_off(site: Site) -> None:
    site.wanted = False
    with pytest.raises(UsageError) as raised:
        venues.venue_named("acme")
    assert str(raised.value) == (
        f'expected a venue ({", ".join(VENUES)}), got "acme"; plug-ins are switched off by MON_PLUGINS=0'
    )
    assert (venues.venue_names(), venues.has_venue("acme"), site.done) == ([*VENUES], False, [])


def test_one_that_cannot_be_loaded_is_told_once_and_hides_no_other(site: Site) -> None:
    site.offered = [ACME, Plugin("beta", "mon_acme:BETA", "mon-acme 0.3"), ZETA]
    site.broken = {name: SetupError("mon-acme is broken") for name in ("acme", "beta")}
    told: list[str] = []
    found = venues.all_venues(told.append)
    assert list(found) == [*VENUES, "zeta"]
    assert {venue.name for venue in found.values()} == {*found}
    assert told == ["mon-acme is broken"]
    assert venues.used_plugins() == ["zeta"]


def test_the_endpoint_of_a_plugin_is_loaded_with_its_venue(site: Site) -> None:
    assert venues.endpoint_of(ACME) == "endpoint"
    assert site.done == [*LOADED, "begin", ("endpoint", "acme", "acme"), "end"]
    assert venues.used_plugins() == ["acme"]


def test_the_routes_of_a_plugin_alone_are_checked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, settings = [Subscription("book", ("A",))], Settings(url="wss://acme.example")
    monkeypatch.setattr(guard, "guarded_routes", lambda *given: ("guarded", *given))
    monkeypatch.setattr(guard, "GuardedRoute", lambda *given: ("guarded", *given))
    venue, route = Acme(), object()
    (plain,) = venues.checked_routes(venue, asked, settings)
    assert plain.subscriptions is asked
    assert venues.checked_route(venue, route) is route  # type: ignore[arg-type]
    venues.venue_named("acme")
    assert venues.checked_routes(venue, asked, settings) == ("guarded", venue, asked, settings)
    assert venues.checked_route(venue, route) == ("guarded", route, venue)  # type: ignore[arg-type]


def test_whose_fault_an_exception_is(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    error = KeyError("x")
    monkeypatch.setattr(plugins, "owner", lambda found: ACME if found is error else None)
    assert venues.fault_in(error) == "a fault of mon itself", "none was loaded"
    venues.venue_named("acme")
    assert venues.fault_in(error) == "a fault of the venue acme (mon-acme 0.3)"
    assert venues.fault_in(ValueError()) == "a fault of mon itself"


@pytest.mark.parametrize(
    ("streams", "names"),
    [(("fills",), ["nexus"]), (("closed", "feed"), ["b2trader", "nbt", "profitview"]), (("none",), []), ((), [])],
)
def test_the_venues_with_a_stream(streams: tuple[str, ...], names: list[str]) -> None:
    assert venues.venues_with(*streams) == names


@pytest.mark.parametrize(
    ("commands", "names"), [((), ["nbt"]), (("buy",), ["nbt"]), (("buy", "sell"), ["nbt"]), (("buy", "order"), [])]
)
def test_the_venues_that_take_commands(commands: tuple[str, ...], names: list[str]) -> None:
    assert venues.venues_taking(*commands) == names


def test_a_name_stands_for_a_module_or_for_what_is_in_it() -> None:
    assert venues.load("venues.plugins") is plugins
    assert venues.load("venues.plugins:Plugin") is Plugin
    with pytest.raises(AttributeError):
        venues.load("venues.plugins:Nobody")
