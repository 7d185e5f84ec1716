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
BY_RULE = 1.0
ALIKE = 0.6  # the share of letters that two symbols have in common, from which one may be meant by the other
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
    asked = list(dict.fromkeys(letters for text in (symbol, *rules) if (letters := _letters(text))))
    quotes = Counter(one.quote for one in known)
    matchers = [SequenceMatcher(None, "", letters, autojunk=False) for letters in asked]
    ranked: list[tuple[float, float, int, str]] = []
    for one in known:
        likeness = max((_likeness(one, matcher) for matcher in matchers), default=0.0)
        rank = 5.0 - rules.index(one.symbol) / len(rules) if one.symbol in rules else likeness
        if rank:
            matchers[0].set_seq1(_letters(one.symbol))
            ranked.append((-rank, -matchers[0].ratio(), -quotes[one.quote], one.symbol))
    ranked.sort()
    by_rule = [one for one in ranked if one[0] <= -BY_RULE]
    alike = [one for one in ranked if one[0] <= ranked[0][0] + NOT_MUCH_LESS]
    return [one for *_, one in (by_rule or alike)[:LOOKED_AT]]


def either(symbols: Sequence[str]) -> str:
    """The symbols in words: "A", "A or B", "A, B or C"."""
    *others, last = symbols
    return f"{', '.join(others)} or {last}" if others else last


def _likeness(one: KnownSymbol, matcher: SequenceMatcher[str]) -> float:
    """From `BY_RULE` on it is meant by some rule; below that the share of letters in common; 0 where that is small."""
    letters, own, base, quote = matcher.b, _letters(one.symbol), _letters(one.base), _letters(one.quote)
    if letters == own:
        return 4.0
    if base and quote and letters in (base + quote, quote + base):
        return 3.0
    if base and letters == base:
        return 2.0
    ratio = max(_ratio(matcher, own), _ratio(matcher, base + quote))
    return max(ratio, ALIKE) if len(base) > 1 and str(letters).startswith(base) else ratio


def _ratio(matcher: SequenceMatcher[str], text: str) -> float:
    matcher.set_seq1(text)
    if matcher.real_quick_ratio() < ALIKE or matcher.quick_ratio() < ALIKE:
        return 0.0
    ratio = matcher.ratio()
    return ratio if ratio >= ALIKE else 0.0


def _letters(text: str) -> str:
    """The letters and digits alone, in upper case."""
    return re.sub(r"[\W_]", "", text).upper()


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
