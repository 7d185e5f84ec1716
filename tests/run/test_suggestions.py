"""Which of the known symbols may be meant by one that a venue does not have, and in which order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from cli.run import suggestions
from cli.run.suggestions import LONGEST, either, meant_by, nearest
from cli.settings.symbol_cache import KnownSymbol
from venues.errors import UsageError
from venues.venue import BaseVenue


def known(*symbols: str) -> list[KnownSymbol]:
    """Symbols as "BTC-USD" or, with their base and their quote, as "X1=BTC/USD"."""
    found = []
    for text in symbols:
        symbol, _, pair = text.partition("=")
        base, _, quote = pair.partition("/")
        found.append(KnownSymbol(symbol, base, quote))
    return found


@pytest.mark.parametrize("asked", ["-", "", "_/_"])
def test_what_has_no_letters_means_nothing(asked: str) -> None:
    assert nearest(asked, known("BTC-USD", "-", "X=A/B")) == []


@pytest.mark.parametrize(
    ("asked", "rules", "have", "found"),
    [
        # the rule's own symbol, before the same letters
        ("BTC_USD", ["XBT-USD"], ["BTCUSD", "XBT-USD"], ["XBT-USD", "BTCUSD"]),
        # of several rules the first
        ("A", ["Q1", "Q2", "Q3"], ["Q3", "Q1", "Q2"], ["Q1", "Q2", "Q3"]),
        # the same letters, before the same pair however alike that is to what was typed
        ("abc", ["btc-usd"], ["ABCD=BTC/USD", "BTC_USD"], ["BTC_USD", "ABCD"]),
        # the same pair, before the same base
        ("abc", ["btc-usd"], ["ABC-EUR=ABC/EUR", "Q=BTC/USD"], ["Q", "ABC-EUR"]),
        ("abc", ["usd-btc"], ["ABC-EUR=ABC/EUR", "Q=BTC/USD"], ["Q", "ABC-EUR"]),
        # the same base, and nothing that is only alike
        ("BTC", [], ["BTD", "BTC-EUR=BTC/EUR"], ["BTC-EUR"]),
        # what is alike to what was typed, before what is alike to what a rule makes of it
        ("BTC", ["XBT"], ["XBT-USD=XBT/USD", "BTC-USD=BTC/USD"], ["BTC-USD", "XBT-USD"]),
        ("BTCX", ["BTC"], ["A-BTC=BTC/A", "BTC-XY=BTC/A"], ["BTC-XY", "A-BTC"]),
        # then the commoner quote
        ("BTC", [], ["BTC-EUR=BTC/EUR", "BTC-USD=BTC/USD", "ETH-USD=ETH/USD"], ["BTC-USD", "BTC-EUR"]),
        # then the alphabet
        ("BTC", [], ["BTC-B=BTC/B", "BTC-A=BTC/A"], ["BTC-A", "BTC-B"]),
    ],
)
def test_what_is_meant_by_a_rule_comes_in_order(
    asked: str, rules: list[str], have: list[str], found: list[str]
) -> None:
    assert nearest(asked, known(*have), rules) == found


@pytest.mark.parametrize(
    ("asked", "have", "found"),
    [
        ("BTCUSDX", ["BTC-USDT"], ["BTC-USDT"]),
        ("AB", ["AC"], []),  # half of the letters
        ("ABCD", ["BADC"], []),  # all letters, in no order
        ("ABCD", ["BADC=BA/DC"], []),
        ("ABCDE", ["ABCXY"], ["ABCXY"]),  # three of five
        ("ABC", ["ABCDEFG"], ["ABCDEFG"]),  # all of three, which are as much of seven
        ("SPOT_AB_USDT", ["SPOT_CD_USDT"], []),  # of what they do not share, nothing
        ("SPOT_AB_USDT", ["SPOT_AC_USDT"], ["SPOT_AC_USDT"]),  # of what they do not share, half
        ("SPOT_ABC_USDT", ["SPOT_AXY_USDT"], []),
        # the same base at the beginning: not of a single letter, with which too much begins
        ("OPXYZW", ["OP-Q=OP/Q"], ["OP-Q"]),
        ("AXYZW", ["A-Q=A/Q"], []),
        ("A/XYZW", ["A-Q=A/Q"], ["A-Q"]),  # as a word of its own it is
        ("XYZW/A", ["A-Q=A/Q"], ["A-Q"]),
    ],
)
def test_without_a_rule_it_is_what_is_alike(asked: str, have: list[str], found: list[str]) -> None:
    assert nearest(asked, known(*have)) == found


def test_what_is_much_less_alike_than_the_nearest_is_not_meant() -> None:
    assert nearest("BTCUSDX", known("Q-BTCUSDT=BTC/USDT", "1-BTCUSD")) == ["Q-BTCUSDT"], "it has the same base"
    have = known("ABCDEFGHIK", "ABCDEFGXYZ", "ABCDEFXYZV")
    assert nearest("ABCDEFGHIJ", have) == ["ABCDEFGHIK"]
    assert nearest("ABCDEFGHIJ", have[1:]) == ["ABCDEFGXYZ", "ABCDEFXYZV"]


@pytest.mark.parametrize(
    ("most", "have", "found"),
    [
        (3, ["BXTCUSD", "1-BTCUSD", "BTCUSDZ"], ["1-BTCUSD", "BTCUSDZ", "BXTCUSD"]),
        (2, ["BXTCUSD", "1-BTCUSD", "BTCUSDZ"], ["1-BTCUSD", "BTCUSDZ"]),
        (1, ["BXTCUSD", "1-BTCUSD", "BTCUSDZ"], ["1-BTCUSD"]),
        (3, ["BTCUSDZ=XY/Z", "Q", "R"], ["BTCUSDZ"]),
        (2, ["BTCUSDZ=XY/Z", "Q", "R"], []),
        (2, ["XYCUSDZ=BTCUSD/Z", "Q", "R"], ["XYCUSDZ"]),
    ],
)
def test_of_very_many_symbols_only_those_are_compared_that_begin_alike(
    most: int, have: list[str], found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By two letters of the base; where that is not known, of any word."""
    monkeypatch.setattr(suggestions, "COMPARED", most)
    assert nearest("BTCUSDX", known(*have)) == found


def venue(meant: Any = (), refuses: str = "") -> Any:
    class Own(BaseVenue):
        def routes(self, *_: Any) -> Any:
            raise NotImplementedError

        def meant(self, symbol: str) -> Any:
            if isinstance(meant, Exception):
                raise meant
            return meant

        def check_symbol(self, symbol: str) -> None:
            if refuses and refuses in symbol:
                raise UsageError("no")

    return Own()


def test_at_most_three_are_suggested_and_never_what_was_typed() -> None:
    have = known("BTC-A=BTC/A", "BTC-B=BTC/B", "BTC-C=BTC/C", "BTC-D=BTC/D", "BTC=BTC/E")
    assert meant_by(venue(), "BTC", have) == ["BTC-A", "BTC-B", "BTC-C"]
    assert meant_by(venue(refuses="B-"), "BTC", have) == ["BTC-A", "BTC-B", "BTC-C"]
    assert meant_by(venue(refuses="-A"), "BTC", have) == ["BTC-B", "BTC-C", "BTC-D"]


@pytest.mark.parametrize(("length", "found"), [(LONGEST, True), (LONGEST + 1, False)])
def test_a_symbol_that_is_very_long_neither_means_anything_nor_is_meant(length: int, found: bool) -> None:
    long = "A" * length
    assert bool(meant_by(venue(), long, known(f"{long[:-2]}-A"))) is found
    assert bool(meant_by(venue([long]), "B", None)) is found


def test_without_a_list_the_rules_alone_say_it() -> None:
    assert meant_by(venue(["Q", 5, "\x1b[2J", "R"]), "B", None) == ["Q", "R"]
    assert meant_by(venue(ValueError("a fault")), "B", None) == []
    assert meant_by(SimpleNamespace(), "B", None) == []


@pytest.mark.parametrize(("symbols", "words"), [(["A"], "A"), (["A", "B"], "A or B"), (["A", "B", "C"], "A, B or C")])
def test_several_symbols_in_words(symbols: list[str], words: str) -> None:
    assert either(symbols) == words
