"""What the soak asks of a process at its end beside its figures: what it said, its screen, what the hub has."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

SLOW_BY = 4.0  # seconds that the slow reader of the soak itself lets a line lie
OPEN = re.compile(r"still open at nbt, and not closed by us: (long|short) nexus:(\S+)")
UNKNOWN = re.compile(r"not known at nbt: nexus:(\S+) is (long|short|flat) or (long|short|flat)")
NOT_LIVE = ("CONNECTING", "SYNCING", "RECONNECTING", "STALE", "CLOSED", "FROZEN")
DOUBTED = re.compile(r"What nbt has of nexus:(\S+) is not known now")
SIDES = {"buy": "long", "sell": "short"}


def said(text: str) -> list[str]:
    """What is wrong with what a process said on stderr: it says its messages, never a traceback."""
    found = []
    for line in text.splitlines():
        if "Traceback" in line or re.match(r'\s+File "', line) or "Exception ignored" in line:
            found.append(f"a traceback on stderr: {line.strip()[:100]}")
        elif not line.startswith(("mon: ", "     ")):
            found.append(f"no message of mon's on stderr: {line[:100]}")
    return found[:3]


def looks_live(text: str) -> bool:
    """Whether a table's header is there and says nothing of trouble: LIVE, or which streams are partial."""
    header = text.split("\n")[0]
    return "custom:" in header and not any(word in header for word in NOT_LIVE)


def plain_numbers(text: str) -> str:
    """The text without what stands between thousands, and with plain digits only."""
    return text.replace(",", "")


def price_text(price: Decimal) -> str:
    """A price as every venue's table has it, at least at its beginning: without zeros at the end."""
    return format(price, "f").rstrip("0").rstrip(".")


def screen(text: str, book: Mapping[str, Sequence[Sequence[str]]]) -> list[str]:
    """A table that is live, and has the best prices of both sides."""
    if not looks_live(text):
        return [f"the table is not live: {text.splitlines()[0].strip()}"]
    shown = plain_numbers(text)
    best = {side: price_text(Decimal(book[side][0][0])) for side in ("bids", "asks")}
    return [
        f"the best of the {side}, {price}, is not on the screen" for side, price in best.items() if price not in shown
    ]


def unsettled(words: str, held: Sequence[Sequence[str]], wanted: Mapping[str, float]) -> list[str]:
    """The pairs of which the hub has not yet what is wanted, and may still get it."""
    has = _held(held)
    doubted = set(DOUBTED.findall(words))
    return [pair for pair, size in wanted.items() if pair not in doubted and has.get(pair, "flat") != side_of(size)]


def side_of(size: float) -> str:
    """What a hub has, which knows no sizes, for a position."""
    return "long" if size > 0 else "short" if size < 0 else "flat"


def _held(held: Sequence[Sequence[str]]) -> dict[str, str]:
    return {pair: SIDES[side] for strategy, pair, side in held if strategy == "bot"}


def hub(words: str, held: Sequence[Sequence[str]], wanted: Mapping[str, float]) -> list[str]:
    """Whether the hub has what the bot's last words say, and what was asked for last at its webhooks.

    `held` is what the hub has: strategy, pair and side of each; `wanted` the sizes, by pair.
    """
    has = _held(held)
    told = {pair: side for side, pair in OPEN.findall(words)}
    unknown = {pair: {one, other} for pair, one, other in UNKNOWN.findall(words)}
    found = []
    for pair in sorted(has.keys() | told.keys() | wanted.keys()):
        true = has.get(pair, "flat")
        if pair in unknown:
            if true not in unknown[pair]:
                found.append(f"{pair}: the hub has {true}, the bot says {' or '.join(sorted(unknown[pair]))}")
            continue
        if true != told.get(pair, "flat"):
            found.append(f"{pair}: the hub has {true}, the bot's last word is {told.get(pair, 'flat')}")
        asked = side_of(wanted.get(pair, 0))
        if true != asked:
            found.append(f"{pair}: the hub has {true}, and {asked} was asked for last")
    if wanted and not wanted.keys() - unknown.keys():
        found.append("of no pair it is known what the hub has: nothing was compared")
    return found
