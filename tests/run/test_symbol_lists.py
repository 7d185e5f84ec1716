"""What is said of refused symbols, with a list that a test gives; and which venues have a list at all."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from cli.run import symbol_lists as module
from cli.run.source import Embedded
from cli.run.suggestions import nearest
from cli.run.symbol_lists import MOST_SUGGESTED, REFRESHED_AFTER, REFRESHED_WITHIN, SUGGESTED_WITHIN, Lists, no_list
from cli.settings.symbol_cache import KnownSymbol
from tests.listedvenue import LISTED
from tests.run.timeless import run, seconds
from venues import venue_named
from venues.errors import MonError, UsageError, VenueRefused
from venues.records import Instrument
from venues.redaction import Redactor


def instruments(*symbols: str) -> list[Instrument]:
    pairs = [(symbol, *symbol.split("-")) for symbol in symbols]
    return [Instrument(venue="listed", symbol=one, base=base, quote=quote, received=0) for one, base, quote in pairs]


class Given(Lists):
    """The list of a venue as a test gives it: symbols, an error, or seconds that it takes."""

    def __init__(self, *given: Any, env: str | None = None) -> None:
        super().__init__(env, None, Redactor(), Embedded())
        self._given = given
        self.asked: list[tuple[str, float, bool]] = []

    async def of(self, venue: Any, within: float, *, ask_programs: bool = True) -> list[Instrument]:
        self.asked.append((venue.name, within, ask_programs))
        for one in self._given:
            if isinstance(one, Exception):
                raise one
            if isinstance(one, int | float):
                await asyncio.sleep(one)
        return instruments(*(one for one in self._given if isinstance(one, str)))


def refused(*symbols: str, **more: Any) -> VenueRefused:
    return VenueRefused(
        "listed refuses it", venue="listed", stream="trades", symbols=dict.fromkeys(symbols, "no"), **more
    )


def suggested(lists: Given, problem: VenueRefused, monkeypatch: pytest.MonkeyPatch) -> VenueRefused:
    monkeypatch.setattr(module, "known_symbols", lambda venue, env, profile: [KnownSymbol("OLD-USD", "OLD", "USD")])
    return run(lists.with_suggestion(problem, LISTED))


ALL = "ll that it has: mon symbols listed"


@pytest.mark.parametrize(
    ("symbols", "words"),
    [
        (("BTC-USX",), f"did you mean BTC-USD? A{ALL}"),
        (("QQQQ-ZZZ",), f"a{ALL}"),
        (("BTC-USX", "ETH-EUX"), f"did you mean BTC-USD instead of BTC-USX; ETH-EUR instead of ETH-EUX? A{ALL}"),
        (("BTC-USX", "QQQQ-ZZZ"), f"did you mean BTC-USD instead of BTC-USX? A{ALL}"),
        (("BTC-USD", "ETH-EUX"), f"did you mean ETH-EUR instead of ETH-EUX? A{ALL}"),
    ],
)
def test_what_may_be_meant_is_said_behind_the_refusal(
    symbols: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = refused(*symbols, late=True)
    lists = Given("BTC-USD", "ETH-EUR")
    more = suggested(lists, problem, monkeypatch)
    assert str(more) == f"listed refuses it; {words}"
    assert (more.venue, more.stream, more.symbols, more.late) == (
        "listed",
        "trades",
        dict.fromkeys(symbols, "no"),
        True,
    )
    assert more.__cause__ is problem
    assert lists.asked == [("listed", SUGGESTED_WITHIN, False)], "no program of the user's is run for that"


def test_the_environment_is_part_of_what_can_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    more = suggested(Given("BTC-USD", env="beta"), refused("BTC-USX"), monkeypatch)
    assert str(more).endswith(f"A{ALL} --env beta")


def test_of_many_refused_symbols_others_are_suggested_for_some(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{letter * 4}-USX" for letter in "ABCDEFG"]
    more = suggested(Given(*(name.replace("USX", "USD") for name in names)), refused(*names), monkeypatch)
    assert str(more).count(" instead of ") == MOST_SUGGESTED


@pytest.mark.parametrize("given", [("BTC-USX",), ()])
def test_a_refusal_stays_as_it_is_where_spelling_is_no_matter(
    given: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = refused("BTC-USX")
    assert suggested(Given(*given), problem, monkeypatch) is problem


@pytest.mark.parametrize("given", [(MonError("no list"),), (ZeroDivisionError(),), (SUGGESTED_WITHIN + 1, "BTC-USD")])
def test_a_list_that_cannot_be_had_in_time_is_that_of_the_last_day(
    given: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    more = suggested(Given(*given), refused("OLD-USX"), monkeypatch)
    assert str(more) == f"listed refuses it; did you mean OLD-USD? A{ALL}"
    monkeypatch.setattr(module, "known_symbols", lambda venue, env, profile: None)
    problem = refused("OLD-USX")
    assert run(Given(*given).with_suggestion(problem, LISTED)) is problem


def test_what_the_rules_say_comes_before_the_same_letters() -> None:
    known = [KnownSymbol(f"{base}-USD", base, "USD") for base in ("BTC", "ETH", "SOL")]
    assert nearest("BTCUSD", known, ["SOL-USD", "ETH-USD"]) == ["SOL-USD", "ETH-USD", "BTC-USD"]


# --- beside a run


def test_lists_that_are_wanted_are_had_a_while_after_the_first_data(monkeypatch: pytest.MonkeyPatch) -> None:
    at: list[float] = []

    class Timed(Given):
        async def of(self, venue: Any, within: float, *, ask_programs: bool = True) -> list[Instrument]:
            at.append(seconds())
            return await super().of(venue, within, ask_programs=ask_programs)

        def _is_wanted(self, venue: Any) -> bool:
            if venue.name == "broken":
                raise ZeroDivisionError
            return bool(venue.name != "known")

    async def go() -> Timed:
        lists = Timed(REFRESHED_WITHIN + 9)
        venues: Any = [SimpleNamespace(name=name) for name in ("broken", "slow", "known", "last")]
        await lists.refresh(venues)
        return lists

    lists = run(go())
    assert [name for name, _, _ in lists.asked] == ["slow", "last"]
    assert lists.asked[0][1:] == (REFRESHED_WITHIN, False)
    assert at == [pytest.approx(REFRESHED_AFTER, abs=0.01), pytest.approx(REFRESHED_AFTER + REFRESHED_WITHIN, abs=0.01)]


@pytest.mark.parametrize(
    ("found", "kept", "wanted"),
    [
        (("wss://v.example", "place"), None, True),
        (("wss://v.example", "place"), [], False),
        (("", "place"), None, False),
        (None, None, False),
    ],
)
def test_a_list_is_wanted_where_there_is_none_of_the_last_day(
    found: Any, kept: Any, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    access = None if found is None else (SimpleNamespace(settings=SimpleNamespace(url=found[0])), found[1])
    monkeypatch.setattr(module, "access_without_simulator", lambda *given: access)

    def noted(place: Any, now: int) -> Any:
        asked.append(place)
        return kept

    monkeypatch.setattr(module, "kept", noted)
    lists = Lists(None, None, Redactor(), Embedded())
    assert lists._is_wanted(LISTED) is wanted
    assert asked == (["place"] if found is not None and found[0] else [])
    assert not lists._is_wanted(venue_named("nbt")), "it has no list"


# --- without a list


def test_a_venue_without_a_list_is_told_with_those_that_have_one() -> None:
    error = no_list(venue_named("nbt"))
    assert isinstance(error, UsageError)
    assert str(error).startswith("nbt has no list of its symbols: expected a venue that has one (")
    assert "kraken" in str(error)
    assert "nbt," not in str(error).partition("(")[2]
    assert "--env sim" not in str(error), "its simulator has no markets"


def test_where_no_other_venue_has_one_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "has_list", lambda venue: venue.name == "nexus")
    assert str(no_list(venue_named("nexus"))) == (
        "nexus has no list of its symbols: no venue has one; --env sim lists the markets of its simulator"
    )


@pytest.mark.parametrize("venue", ["nbt", "profitview"])
def test_nobody_is_asked_for_a_list_that_there_is_not(venue: str) -> None:
    for env in (None, "sim"):
        with pytest.raises(UsageError, match=f"{venue} has no list of its symbols"):
            run(Lists(env, None, Redactor(), Embedded()).of(venue_named(venue), 1.0))
