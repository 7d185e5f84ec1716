"""Which list of a venue's symbols is known without a request, and what Tab offers of it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from cli.run import known_symbols as module
from cli.run.known_symbols import access_without_simulator, completed_symbols, known_symbols
from cli.settings.symbol_cache import KnownSymbol
from venues.errors import SetupError
from venues.records import Instrument

FOUND = SimpleNamespace(settings="s"), "the place"
KEPT, OWN = [KnownSymbol("KEPT-USD")], [KnownSymbol("OWN-USD", "OWN", "USD")]


def own_list() -> Generator[Any, Any, list[Instrument]]:
    """A list that the venue's entry knows by itself."""
    yield from ()
    return [Instrument(venue="v", symbol="OWN-USD", base="OWN", quote="USD", received=0)]


def asked_list() -> Generator[Any, Any, list[Instrument]]:
    """A list that the venue is asked for."""
    yield "a request"
    pytest.fail("nobody asks")


def venue(listed: Any = None, *, has_list: bool = True) -> Any:
    return SimpleNamespace(
        name="v", symbol_list=lambda settings: listed, has_list=has_list, example="A-USD", simulator=""
    )


@pytest.fixture(autouse=True)
def _lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "has_list", lambda venue: venue.has_list)
    monkeypatch.setattr(module, "epoch_ms", lambda: 7)


def known(
    of: Any,
    monkeypatch: pytest.MonkeyPatch,
    *,
    found: Any = FOUND,
    kept: Any = None,
) -> list[KnownSymbol] | None:
    asked: list[tuple[Any, ...]] = []

    def access(*given: Any) -> Any:
        if isinstance(found, Exception):
            raise found
        return found

    def of_the_last_day(*given: Any) -> Any:
        asked.append(given)
        return kept

    monkeypatch.setattr(module, "access_without_simulator", access)
    monkeypatch.setattr(module, "kept", of_the_last_day)
    symbols = known_symbols(of, "env", "p")
    assert asked in ([], [("the place", 7)])
    return symbols


def test_the_list_that_was_kept_comes_before_the_venues_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert known(venue(own_list()), monkeypatch, kept=KEPT) == KEPT
    assert known(venue(own_list()), monkeypatch) == OWN
    assert known(venue(own_list()), monkeypatch, kept=[]) == [], "it has none, as was found out within the day"


def test_nobody_is_asked_for_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    assert known(venue(asked_list()), monkeypatch) is None
    assert known(venue(None), monkeypatch) is None
    assert known(venue(own_list(), has_list=False), monkeypatch, kept=KEPT) is None
    assert known(venue(own_list()), monkeypatch, found=SetupError("nothing is configured")) is None


def test_inside_mon_there_are_the_markets_of_the_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    for markets, symbols in ((KEPT, KEPT), ([], None)):
        monkeypatch.setattr(module, "_simulated", lambda venue, markets=markets: markets)
        assert known(venue(own_list()), monkeypatch, found=None) == symbols


@pytest.mark.parametrize(
    ("env", "by_hand", "found"),
    [
        ("sim", None, None),
        ("sim", "an address", ("access", None)),  # which comes before the simulator
        ("beta", None, ("access", "beta")),
        (None, None, ("access", None)),
    ],
)
def test_an_address_that_is_set_by_hand_comes_before_the_simulator(
    env: str | None, by_hand: str | None, found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def access(venue: Any, env: str | None, profile: str | None) -> Any:
        asked.append((venue.name, env, profile))
        return SimpleNamespace(settings="s")

    configured = SimpleNamespace(any_address_by_hand=lambda venue, env, profile: by_hand, access_for_symbols=access)
    monkeypatch.setattr(module.config, "load", lambda: configured)
    monkeypatch.setattr(module, "place_of", lambda name, env, settings: (name, env, settings))
    made = access_without_simulator(venue(), env, "p")
    if found is None:
        assert (made, asked) == (None, [])
    else:
        assert made is not None
        assert (made[1], asked) == (("v", found[1], "s"), [("v", found[1], "p")])


@pytest.mark.parametrize(
    ("symbols", "has_list", "env", "typed", "offered"),
    [
        (["BTC-USD", "BTC-EUR", "ETH-USD"], True, None, "BTC", ["BTC-USD", "BTC-EUR"]),
        (["BTC-USD", "$(rm)", "-x", "A B", "B;C", "é/1:@+=%,.-"], True, None, "", ["BTC-USD", "é/1:@+=%,.-"]),
        ([], True, None, "", []),
        (None, True, None, "A", ["A-USD"]),
        (None, True, None, "B", []),
        (None, True, "sim", "", ["M-1", "M-2"]),
        (None, False, None, "", ["M-1", "M-2"]),
        (None, False, "sim", "M-2", ["M-2"]),
    ],
)
def test_tab_offers_what_is_known_or_an_example_or_what_is_simulated(
    symbols: Sequence[str] | None,
    has_list: bool,
    env: str | None,
    typed: str,
    offered: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of = None if symbols is None else [KnownSymbol(symbol) for symbol in symbols]
    monkeypatch.setattr(module, "known_symbols", lambda venue, env, profile: of)
    monkeypatch.setattr(module, "_simulated_names", lambda venue: ["M-1", "M-2"])
    assert completed_symbols(venue(has_list=has_list), env, None, typed) == offered


def test_a_simulator_that_cannot_be_loaded_has_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> list[str]:
        raise SetupError("a plug-in's fault")

    of = venue()
    assert module._simulated_names(of) == []
    of.simulator = "some"
    monkeypatch.setattr("venues.simulated.markets", lambda name: [f"{name}-1"])
    assert module._simulated_names(of) == ["v-1"]
    monkeypatch.setattr("venues.simulated.markets", broken)
    assert module._simulated_names(of) == []
