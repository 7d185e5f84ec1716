"""What a person sees of figures without a scale: the titles say that they are ticks and raw lots."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from cli.views import loaded
from cli.views.book import spread_words
from tests import recorded as fixtures
from tests.drawn import look_of
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
        ("book--document", ["price (ticks)", "size (raw lots)"]),
        ("book--scaled", []),
        ("trades--document", ["price (ticks)", "size (raw lots)"]),
        ("quotes--document", ["bid size (raw lots)", "bid (ticks)", "ask (ticks)", "ask size (raw lots)"]),
        ("candles--document", ["last 6689523 ticks", "volume 241690 raw lots", "close (ticks)"]),
        ("candles--scaled", []),
        ("orders--unscaled", ["size (raw lots)"]),
    ],
)
@pytest.mark.parametrize("width", [90, 120])
def test_titles_say_what_the_figures_are(name: str, titles: list[str], width: int) -> None:
    view = loaded(name.partition("--")[0]).view(look_of())
    for record in rows(name):
        view.add(record)
    drawn = "\n".join(line.plain for line in view.lines(width, 30))
    assert all(title in drawn for title in titles)
    assert titles or ("ticks" not in drawn and "lots" not in drawn)


def test_a_spread_of_ticks() -> None:
    assert spread_words(rows("book--document")[0])[0] == "spread 26685 ticks (40.00 bps)"
    assert spread_words(rows("book--scaled")[0])[0] == "spread 266.85 (40.00 bps)"
