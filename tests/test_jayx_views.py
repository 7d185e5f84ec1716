"""What a person sees of figures without a scale: the titles say that they are ticks and raw lots."""

from __future__ import annotations

from decimal import Decimal
from importlib import import_module
from typing import Any

import msgspec
import pytest

from cli.book import spread_words
from tests import recorded as fixtures
from venues.records import AnyRecord

DECODER = msgspec.json.Decoder(AnyRecord, float_hook=Decimal)


def rows(name: str) -> list[Any]:
    """The records of a recording."""
    case = fixtures.FOLDER / "jayx" / f"{name}.frames.jsonl"
    lines = [line for line in fixtures.outcome(case).splitlines() if line.startswith('{"type":')]
    found = [DECODER.decode(line) for line in lines]
    return [one for one in found if type(one).__name__ not in ("Status", "SnapshotEnd")]


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("book--document", "side price (ticks) size (raw lots) cumulative orders"),
        ("book--scaled", "side price size cumulative orders"),
        ("trades--document", "time side price (ticks) size (raw lots)"),
        ("quotes--document", "bid size (raw lots) bid (ticks) ask (ticks) ask size (raw lots) age"),
        ("candles--document", "start open high low close (ticks) volume (raw lots) state"),
        ("candles--scaled", "start open high low close volume state"),
        ("orders--unscaled", "order side price size (raw lots) filled status time"),
    ],
)
def test_titles_say_what_the_figures_are(name: str, titles: str) -> None:
    view = import_module(f"cli.{name.partition('--')[0]}").view()
    for record in rows(name):
        view.add(record)
    assert view.lines(80, 20)[0].plain.split() == titles.split()


def test_a_spread_of_ticks() -> None:
    assert spread_words(rows("book--document")[0], 80) == "  spread 26685 ticks  (40.00 bps)"
    assert spread_words(rows("book--scaled")[0], 80) == "  spread 266.85  (40.00 bps)"
