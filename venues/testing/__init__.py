"""What a venue's author tests it with. In three lines of pytest:

    from venues.testing import checks_of
    from mon_acme import ACME

    TestAcme = checks_of(ACME, Path(__file__).parent / "recordings")

The folder holds `<stream>--<case>.frames.jsonl`, recordings, and beside each `….records.jsonl`, what it must give.
`python -m venues.testing rewrite mon_acme:ACME FOLDER` writes those: read them before you commit them.

The checks are in `venues.testing.checks`. pytest and hypothesis (extra `testing`) are imported when they are made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from venues.venue import Venue


def checks_of(venue: Venue, recordings: Path | str, *, seconds: float = 2.0, seed: int | None = None) -> type:
    """A class of tests for pytest: the recordings, mutated recordings, and the contract's own rules.

    `seconds`: how long mutated recordings are played, at least once each. `seed` repeats a run; it was printed there.
    """
    from pathlib import Path

    from venues.testing.checks import made

    return made(venue, Path(recordings), seconds, seed)
