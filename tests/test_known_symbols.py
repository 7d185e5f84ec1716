"""What is known of a venue's symbols without a request, and what is suggested from it; all in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.run import suggestions
from cli.run.known_symbols import completed_symbols, epoch_ms, known_symbols, lists_symbols, simulated_markets
from cli.run.suggestions import nearest
from cli.run.symbol_lists import no_list
from cli.settings.symbol_cache import KnownSymbol
from venues import VENUES, venue_named


@pytest.fixture(autouse=True)
def nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


def test_the_simulator_has_its_markets_with_their_base() -> None:
    # The name of each in the simulator says it.
    assert known_symbols(venue_named("b2trader"), "sim", None) == [
        KnownSymbol("spot.btc_usdt", "BTC"),
        KnownSymbol("spot.eth_usdt", "ETH"),
        KnownSymbol("spot.sol_usdt", "SOL"),
    ]


@pytest.mark.parametrize("name", VENUES)
def test_what_is_known_of_the_simulator_is_its_markets(name: str) -> None:
    venue = venue_named(name)
    markets = [one.symbol for one in simulated_markets(venue)]
    known = known_symbols(venue, "sim", None)
    assert (None if known is None else [one.symbol for one in known]) == (markets or None)
    assert completed_symbols(venue, "sim", None, "")[: len(markets)] == markets
    assert lists_symbols(venue, "sim") is (name != "nbt"), "whose simulator has no names"


def test_a_market_of_the_simulator_was_received_at_no_time() -> None:
    assert {one.received for one in simulated_markets(venue_named("kraken"))} == {0}


def test_a_list_is_kept_with_our_time_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_700_000_000.1234)
    assert epoch_ms() == 1_700_000_000_123


def test_a_venue_without_a_list_names_its_simulator_where_that_has_markets() -> None:
    assert str(no_list(venue_named("nexus"))).endswith("; --env sim lists the markets of its simulator")
    assert "simulator" not in str(no_list(venue_named("profitview")))


def test_what_is_as_much_alike_as_the_nearest_is_suggested_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggestions, "NOT_MUCH_LESS", 0.0)
    known = [KnownSymbol(symbol) for symbol in ("ABCDX", "ABCDY", "ABCZZ")]
    assert nearest("ABCDW", known) == ["ABCDX", "ABCDY"]
