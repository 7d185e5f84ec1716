"""A process that plays one case after the other: reads cases, writes outcomes, a line each.

What a case leaves behind is what this process has more than before it. Whatever is loaded or made once only, the first
case of each venue loads: that one is played without faults, and what it leaves is not counted.

Its end is that of whoever started it: when stdin ends it goes, also in the middle of a case, and no case lasts longer
than the pool waits for it.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Final

from tests.faults import leaks
from tests.faults.cases import Case, Outcome
from tests.faults.deadlines import shorten
from tests.faults.links import named
from tests.faults.pool import HANGS_AFTER
from tests.faults.schedules import Schedule

ENDS_WITHIN: Final = 2.0  # seconds for a worker between two cases; one that plays is ended


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


def _cases() -> Iterator[Case]:
    """The cases that come, until stdin ends. A thread reads them, so that the end is seen while one is played."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        lines.put("")
        time.sleep(ENDS_WITHIN)
        os._exit(1)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while line := lines.get():
        yield Case.from_json(line)


def main() -> None:
    """Until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a play puts its own pipe there
    errors = os.dup(2)
    shorten()
    logging.getLogger("aiohttp.server").disabled = True  # the simulator's, of requests that the proxy has cut
    worker = Worker()
    for case in _cases():
        # Ends this process with a word of where it stands, also where no thread gets its turn any more.
        faulthandler.dump_traceback_later(HANGS_AFTER, exit=True, file=errors)
        outcome = worker.play(case)
        faulthandler.cancel_dump_traceback_later()
        answers.write(outcome.as_json() + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
