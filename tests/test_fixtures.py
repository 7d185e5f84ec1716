"""Every recording gives exactly the records beside it, and the frames sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import recorded as fixtures
from venues import VENUES, venue_named

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("case", fixtures.cases(), ids=lambda case: f"{case.parent.name}/{case.name.split('.')[0]}")
def test_recording_gives_its_records(case: Path) -> None:
    assert fixtures.outcome(case) == fixtures.expected_of(case).read_text(encoding="utf-8")


def test_every_stream_of_every_venue_has_a_recording() -> None:
    have = {(case.parent.name, case.name.partition("--")[0]) for case in fixtures.cases()}
    wanted = {(name, stream) for name in VENUES for stream in venue_named(name).streams}
    assert wanted <= have


def test_every_recording_says_where_it_is_from() -> None:
    from venues.recording import Recording

    assert not [case.name for case in fixtures.cases() if not Recording(case).header.source]


def test_no_expectation_without_a_recording() -> None:
    expected = set(fixtures.FOLDER.rglob("*.records.jsonl"))
    assert expected == {fixtures.expected_of(case) for case in fixtures.cases()}


def test_rows_in_either_order_give_the_same_book() -> None:
    descending, ascending = (
        fixtures.outcome(fixtures.FOLDER / "nexus" / f"book--asks-{order}.frames.jsonl")
        for order in ("descending", "ascending")
    )
    assert descending == ascending
