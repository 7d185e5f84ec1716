"""A process that plays one case after the other: reads cases, writes outcomes, a line each.

What a case leaves behind is what this process has more than before it. Whatever is loaded or made once only, the first
case of each venue loads: that one is played without faults, and what it leaves is not counted.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import traceback

from tests.faults import leaks
from tests.faults.cases import Case, Outcome
from tests.faults.deadlines import shorten
from tests.faults.links import named
from tests.faults.schedules import Schedule


class Worker:
    """Plays cases and watches over what they leave."""

    def __init__(self) -> None:
        self._warm: set[str] = set()  # venues that have been played
        self._megabytes = 0.0  # of this process, since the last venue was new to it

    def play(self, case: Case) -> Outcome:
        """The outcome of a case, with what it left behind."""
        venue = named(case.link).venue
        if venue not in self._warm:
            drawn = {**case.drawn, "process": False, "simulated": "", "tls": ""}
            quiet = _played(Case(case.link, case.seed, Schedule(), drawn))
            if quiet.findings and not quiet.unjudged:
                quiet.findings.insert(0, "without any fault:")
                return quiet
            self._warm.add(venue)
            self._megabytes = max(self._megabytes, leaks.megabytes())
        before = leaks.Before()
        outcome = _played(case)
        outcome.findings += before.after()
        now = leaks.megabytes()
        if now - self._megabytes > leaks.MEGABYTES:
            outcome.findings.append(f"this process has grown by {now - self._megabytes:.0f} MB since it was warm")
            self._megabytes = now
        return outcome


def _played(case: Case) -> Outcome:
    try:
        return asyncio.run(named(case.link).play(case))
    except Exception:
        return Outcome(findings=[f"the play itself failed: {traceback.format_exc()[-1500:]}"])


def main() -> None:
    """Until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a play puts its own pipe there
    shorten()
    logging.getLogger("aiohttp.server").disabled = True  # the simulator's, of requests that the proxy has cut
    worker = Worker()
    for line in sys.stdin:
        answers.write(worker.play(Case.from_json(line)).as_json() + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
