"""The recordings of our own venues, in `fixtures/<venue>/`, and what they must give. Rewritten on purpose only:

python -m tests.recorded
"""

from __future__ import annotations

from pathlib import Path

from venues import VENUES, venue_named
from venues.recording import Recording
from venues.testing import recordings
from venues.testing.recordings import expected_of
from venues.toolkit.written import Writer

FOLDER = Path(__file__).parent / "fixtures"
ENCODER = Writer()

__all__ = ["ENCODER", "FOLDER", "cases", "expected_of", "outcome", "rewrite"]


def cases() -> list[Path]:
    return recordings.cases(FOLDER)


def outcome(case: Path) -> str:
    """Everything that comes out, a line each."""
    return recordings.outcome(case, venue_named(Recording(case).header.venue))


def rewrite() -> None:
    for name in VENUES:
        recordings.rewrite(FOLDER / name, venue_named(name))


if __name__ == "__main__":
    rewrite()
