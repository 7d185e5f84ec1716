"""`python -m tests.secrecy`: the whole matrix by hand, or in CI. Ends with 1 if a secret was found anywhere."""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.secrecy import commands
from tests.secrecy.runs import Stage, run_all
from tests.secrecy.stages import staged


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.secrecy", description=__doc__)
    parser.add_argument("--part", action="store_true", help="only what pytest runs: each place, command, failure once")
    parser.add_argument("--only", metavar="TEXT", help="only the runs with this text in their names")
    parser.add_argument("--at-once", type=int, default=8, metavar="N", help="so many runs at once; 8 otherwise")
    parser.add_argument("--minutes", type=float, metavar="M", help="as many runs as fit, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0, help="of the order in which they are run with --minutes")
    parser.add_argument("--list", action="store_true", help="only name the runs")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="mon-secrecy-", ignore_cleanup_errors=True) as folder,
        staged(Path(folder)) as stage,
    ):
        return _run(stage, given)


def _run(stage: Stage, given: argparse.Namespace) -> int:
    cases = commands.all_cases(stage, whole=not given.part)
    if given.only:
        cases = [*commands.all_cases(stage, whole=True), *commands.leaks(stage)]
        cases = [case for case in cases if given.only in case.name]
    if given.minutes is not None:
        random.Random(given.seed).shuffle(cases)
    if given.list:
        print("\n".join(case.name for case in cases))
        return 0
    begun, found, codes = time.monotonic(), 0, Counter[str]()
    end = math.inf if given.minutes is None else begun + 60 * given.minutes
    number = 0
    marks: set[str] = set()
    for number, left in enumerate(run_all(stage, cases, given.at_once, until=end), 1):
        codes[str(left.code)] += 1
        marks |= set(left.marks.values())
        if problems := left.problems():
            found += 1
            print(f"\n{left.case.name}", *(f"  {problem}" for problem in problems), sep="\n")
            print(f"  again: python -m tests.secrecy --only {left.case.name!r}")
        if number % 100 == 0:
            print(f"{number} of {len(cases)} runs, {time.monotonic() - begun:.0f} s", flush=True)
    print(
        f"\nruns {number} of {len(cases)} · secrets {len(marks)} · told to servers {len(stage.heard() & marks)}",
        end=" · ",
    )
    print(f"exit codes {dict(sorted(codes.items()))} · with a problem {found} · {time.monotonic() - begun:.0f} s")
    return 1 if found or not number else 0


if __name__ == "__main__":
    sys.exit(main())
