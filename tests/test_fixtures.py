"""Every recording gives exactly the records beside it, and each venue of ours keeps the contract, whatever comes.

`MON_FUZZ_SEED` repeats a run of mutated recordings, `MON_FUZZ_SECONDS` lengthens it.
"""

from __future__ import annotations

import os

from tests import recorded as fixtures
from venues import VENUES, venue_named
from venues.testing import checks_of

_SEED = os.environ.get("MON_FUZZ_SEED")
_SECONDS = float(os.environ.get("MON_FUZZ_SECONDS", "2"))
for _name in VENUES:
    globals()[f"Test{_name.capitalize()}"] = checks_of(
        venue_named(_name), fixtures.FOLDER / _name, seconds=_SECONDS, seed=None if _SEED is None else int(_SEED)
    )


def test_each_folder_of_recordings_is_of_a_venue() -> None:
    assert {case.parent.name for case in fixtures.cases()} == set(VENUES)


def test_rows_in_either_order_give_the_same_book() -> None:
    descending, ascending = (
        fixtures.outcome(fixtures.FOLDER / "nexus" / f"book--asks-{order}.frames.jsonl")
        for order in ("descending", "ascending")
    )
    assert descending == ascending
