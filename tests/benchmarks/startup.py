"""How long mon takes to answer, against the interpreter that does nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.figures import WrongResultError, absent, at_most, for_information, print_head, progress

TURNS = 25
COMPLETION = {"_MON_COMPLETE": "complete_bash", "COMP_WORDS": "mon book ", "COMP_CWORD": "2"}


class Call:
    """One command line, what it must print, and how often the interpreter's own start it may cost."""

    def __init__(
        self, name: str, arguments: list[str], says: bytes, limit: float, extra: dict[str, str] | None = None
    ) -> None:
        self.name = name
        self.says = says
        self.limit = limit
        self.best = float("inf")
        self._arguments = arguments
        self._environment = _clean_environment() | (extra or {})

    def take(self) -> None:
        """Once more."""
        start = time.perf_counter()
        done = subprocess.run(
            self._arguments, stdin=subprocess.DEVNULL, capture_output=True, env=self._environment, check=False
        )
        self.best = min(self.best, time.perf_counter() - start)
        if done.returncode != 0 or self.says not in done.stdout:
            raise WrongResultError(f"{self.name}: exit {done.returncode}, {done.stdout!r}, {done.stderr[-500:]!r}")


def run() -> None:
    """One figure a command line."""
    mon = Path(sys.executable).with_name("mon")
    if not mon.exists():
        absent("start-up", "no `mon` beside the interpreter; install the project into its virtualenv first")
        return
    nothing = Call("python -c pass", [sys.executable, "-c", "pass"], b"", 1.0)
    calls = [
        Call("mon --version", [str(mon), "--version"], b"mon ", 4.0),
        Call("mon --help", [str(mon), "--help"], b"Usage: mon", 16.0),
        Call("mon book <Tab>", [str(mon)], b"nexus", 18.0, COMPLETION),
    ]
    for turn in range(TURNS + 1):
        progress(f"start-up, turn {turn}")
        for call in (nothing, *calls):
            call.take()
            if turn == 0:  # byte code is written then
                call.best = float("inf")
    progress("")
    for_information(nothing.name, f"{nothing.best * 1000:.1f} ms")
    for call in calls:
        figure = f"{call.best * 1000:.1f} against {nothing.best * 1000:.1f} ms"
        at_most(call.name, figure, call.best / nothing.best, call.limit)


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("MON_", "_MON_", "PYTHON"))}


if __name__ == "__main__":
    print_head()
    run()
