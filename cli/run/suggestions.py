"""What a symbol may mean that a venue does not have: the words after "did you mean". Asks nobody."""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from cli.run.known_symbols import known_symbols
from venues.errors import UsageError
from venues.venue import BaseVenue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.settings.symbol_cache import KnownSymbol
    from venues.venue import Venue

MOST = 3  # symbols that are suggested for one
LONGEST = 60  # characters of a symbol that is suggested, and of one that suggestions are looked for
LOOKED_AT = 20
COMPARED = 3_000  # symbols that are compared letter by letter
BY_RULE = 2.0
ALIKE = 0.6  # the share of letters that two symbols have in common, from which one may be meant by the other
REST_ALIKE = 0.5  # and so many of those in the words that only one of the two has
SAME_BASE = 0.3  # so much more alike are two of the same base
NOT_MUCH_LESS = 0.15  # what is less alike than the nearest by more than that is not suggested


def in_another_form(error: UsageError, venue: Venue, symbol: str, env: str | None, profile: str | None) -> UsageError:
    """The venue's error about the form of a symbol, with what may be meant by it at the end of the text."""
    meant = meant_by(venue, symbol, known_symbols(venue, env, profile))
    return UsageError(f"{error}; did you mean {either(meant)}?") if meant else error


def meant_by(venue: Venue, symbol: str, known: Sequence[KnownSymbol] | None) -> list[str]:
    """What a symbol may mean, the likeliest first: of those that are known, or by the venue's rules where none are."""
    if len(symbol) > LONGEST:
        return []
    rules = _by_rule(venue, symbol)
    found = rules if known is None else nearest(symbol, known, rules)
    return [one for one in found if one != symbol and len(one) <= LONGEST and _fits(venue, one)][:MOST]


def nearest(symbol: str, known: Sequence[KnownSymbol], rules: Sequence[str] = ()) -> list[str]:
    """Those of the known symbols that may be meant, the likeliest first; empty where none is alike.

    First what the venue's `rules` say, then the same letters otherwise divided, then the same pair, then the same base;
    only without any of these what is alike. What is alike as much is in the order of how many symbols have that quote.
    """
    asked = [_Asked(text) for text in dict.fromkeys((symbol, *rules)) if _letters(text)]
    found = [(_Known(one), one) for one in known]
    if len(found) > COMPARED:  # one by one they would take seconds
        begun = {word[:2] for each in asked for word in each.words}
        near = [pair for pair in found if not begun.isdisjoint(word[:2] for word in pair[0].beginnings())]
        compared = {one.symbol for _, one in near[:COMPARED]}
    else:
        compared = {one.symbol for one in known}
    quotes = Counter(one.quote for one in known)
    ranked: list[tuple[float, float, int, str]] = []
    for letters, one in found:
        rank = 5.0 - rules.index(one.symbol) / len(rules) if one.symbol in rules else 0.0
        rank = rank or max((each.by_rule(letters) for each in asked), default=0.0)
        if not rank and one.symbol in compared:
            rank = max((each.likeness(letters) for each in asked), default=0.0)
        if rank:
            ranked.append((-rank, -asked[0].share(letters.own), -quotes[one.quote], one.symbol))
    ranked.sort()
    by_rule = [one for one in ranked if one[0] <= -BY_RULE]
    alike = [one for one in ranked if one[0] <= ranked[0][0] + NOT_MUCH_LESS]
    return [one for *_, one in (by_rule or alike)[:LOOKED_AT]]


class _Known:
    """The letters of a known symbol, of its base and of its quote, and its words."""

    __slots__ = ("base", "own", "quote", "words")

    def __init__(self, one: KnownSymbol) -> None:
        self.own, self.base, self.quote = _letters(one.symbol), _letters(one.base), _letters(one.quote)
        self.words = _words(one.symbol)

    def beginnings(self) -> list[str]:
        """What one begins to type it with: its base, or any of its words where that is not known."""
        return [self.base] if self.base else self.words


class _Asked:
    """What was typed, or what a rule makes of it, to be compared with many symbols."""

    def __init__(self, text: str) -> None:
        self.words = _words(text)
        self._letters = _letters(text)
        self._matcher = SequenceMatcher(None, "", self._letters, autojunk=False)

    def by_rule(self, one: _Known) -> float:
        """`BY_RULE` or more where the symbol is meant by some rule, else 0."""
        letters, base, quote = self._letters, one.base, one.quote
        if letters == one.own:
            return 4.0
        if base and quote and letters in (base + quote, quote + base):
            return 3.0
        return BY_RULE if base and letters == base else 0.0

    def likeness(self, one: _Known) -> float:
        """The share of letters in common, more of the same base; 0 where that is too small."""
        ratio = max(self._ratio(one.own), self._ratio(one.base + one.quote))
        if one.base and (one.base in self.words or (len(one.base) > 1 and self._letters.startswith(one.base))):
            return SAME_BASE + max(ratio, ALIKE)
        return ratio if ratio and self._differs_little(one.words) else 0.0

    def _differs_little(self, words: Sequence[str]) -> bool:
        """Whether the words that they do not share are alike too: of SPOT_X_USDT and SPOT_Y_USDT only X and Y count."""
        mine = "".join(word for word in self.words if word not in words)
        its = "".join(word for word in words if word not in self.words)
        return SequenceMatcher(None, mine, its, autojunk=False).ratio() >= REST_ALIKE

    def share(self, letters: str) -> float:
        """The share of letters in common."""
        self._matcher.set_seq1(letters)
        return self._matcher.ratio()

    def _ratio(self, letters: str) -> float:
        """As `share`; 0 where it is less than `ALIKE`."""
        self._matcher.set_seq1(letters)
        if self._matcher.real_quick_ratio() < ALIKE or self._matcher.quick_ratio() < ALIKE:
            return 0.0
        ratio = self._matcher.ratio()
        return ratio if ratio >= ALIKE else 0.0


def either(symbols: Sequence[str]) -> str:
    """The symbols in words: "A", "A or B", "A, B or C"."""
    *others, last = symbols
    return f"{', '.join(others)} or {last}" if others else last


def _letters(text: str) -> str:
    """The letters and digits alone, in upper case."""
    return re.sub(r"[\W_]", "", text).upper()


def _words(text: str) -> list[str]:
    """The parts of a symbol between its signs, in upper case."""
    return [word.upper() for word in re.split(r"[\W_]+", text) if word]


def _by_rule(venue: Venue, symbol: str) -> list[str]:
    if not isinstance(venue, BaseVenue):
        return []
    try:
        return [one for one in venue.meant(symbol) if isinstance(one, str) and one.isprintable()]
    except Exception:  # a plug-in's rule must not hide what it is asked for
        return []


def _fits(venue: Venue, symbol: str) -> bool:
    try:
        venue.check_symbol(symbol)
    except Exception:
        return False
    return True
