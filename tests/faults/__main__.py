"""Runs seeds: `python -m tests.faults --seeds 1000`, or `--minutes 3` for as many as fit, ten a venue at least.

Each seed plays a schedule of faults on a link and is judged. A seed that fails is played again with fewer faults, until
the fewest are found that still fail; then the one command is printed that repeats it. Ends with 0 when all passed, 1
when one failed, 2 for a usage error.
"""

from __future__ import annotations

import argparse
import os
import queue
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import certificates
from tests.faults.cases import Case, Link, Outcome
from tests.faults.links import LINKS, case_of, venues
from tests.faults.pool import Pool
from tests.faults.schedules import Schedule
from tests.faults.shrink import shrunk

AT_LEAST = 10  # seeds a venue, whatever the clock says
MOST_UNJUDGED = 0.2  # of the cases; more, and the run says nothing about `mon`
MOST_SHRUNK = 5  # failures are shrunk; the rest are printed as they are


@dataclass
class Tally:
    """What the seeds of one link came to."""

    cases: int = 0
    faults: int = 0
    records: int = 0
    interruptions: int = 0
    unjudged: int = 0
    failed: int = 0


@dataclass
class Run:
    """All that is played, and what came of it."""

    tallies: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    failures: list[tuple[Case, Outcome]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, case: Case, outcome: Outcome, *, verbose: bool) -> None:
        """Count a case."""
        with self.lock:
            tally = self.tallies[case.link]
            tally.cases += 1
            tally.faults += len(case.schedule.steps)
            tally.records += outcome.records
            tally.interruptions += outcome.interruptions
            judged = not outcome.unjudged
            tally.unjudged += not judged
            if outcome.findings and judged:
                tally.failed += 1
                self.failures.append((case, outcome))
            if verbose or (outcome.findings and judged):
                _print_case(case, outcome, verbose=verbose)


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; the exit code."""
    given = _parser().parse_args(arguments)
    links = tuple(
        link
        for link in LINKS
        if (given.venue is None or link.venue == given.venue) and (given.link is None or link.name == given.link)
    )
    if not links:
        print(f"no such link; there are {', '.join(link.name for link in LINKS)}", file=sys.stderr)
        return 2
    if (given.schedule or given.only) and not given.seed:
        print("--schedule and --only need a --seed", file=sys.stderr)
        return 2
    os.environ["MON_FAULTS_TLS"] = str(certificates.folder())
    os.environ["SSL_CERT_FILE"] = str(certificates.folder() / "trusted.pem")
    pace = given.pace or measured_pace()
    os.environ["MON_FAULTS_PACE"] = f"{pace:.1f}"
    print(f"deadlines at {pace:.1f} times the shortest, {given.jobs} cases at once", flush=True)
    began, run = time.monotonic(), Run()
    try:
        cases = _cases(given, links, began)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    with Pool(given.jobs) as pool:
        _play_all(cases, pool, run, verbose=given.verbose)
        for number, (case, outcome) in enumerate(run.failures):
            _tell_failure(case, outcome, pool if number < MOST_SHRUNK and not given.as_is else None)
    return _close(run, time.monotonic() - began, given.seeds or given.minutes is not None)


def measured_pace() -> float:
    """How much longer than alone something takes on this machine now: 1 to 2.5, the factor of all deadlines."""
    began, used = time.monotonic(), time.process_time()
    while time.process_time() - used < 0.15:
        pass
    return min(2.5, max(1.0, (time.monotonic() - began) / 0.15 / 1.5))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, help="so many seeds")
    parser.add_argument("--minutes", type=float, help=f"as many as fit; {AT_LEAST} a venue at least")
    parser.add_argument("--seed", type=int, action="append", default=[], help="this one; may be given several times")
    parser.add_argument("--first", type=int, help="the first seed: 0 for --seeds, drawn by the clock for --minutes")
    parser.add_argument("--venue", choices=venues(), help="links of this venue only")
    parser.add_argument("--link", help=f"this link only, one of {', '.join(link.name for link in LINKS)}")
    parser.add_argument("--schedule", metavar="JSON", help="instead of the seed's own")
    parser.add_argument("--only", metavar="1,4", help="of the seed's schedule only these steps, from 0 on")
    parser.add_argument("--jobs", type=int, default=2 * max(2, os.cpu_count() or 2), help="cases at once")
    parser.add_argument("--pace", type=float, help="factor of all deadlines; by default as busy as the machine is now")
    parser.add_argument("--as-is", action="store_true", help="do not shrink what fails")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell of each case what was done")
    return parser


def _cases(given: argparse.Namespace, links: tuple[Link, ...], began: float) -> Iterator[Case]:
    """What is played, in its order: the venues take turns, so ten a venue come first of all."""
    if given.seed:
        return iter([_changed(case_of(seed, links), given) for seed in given.seed])
    if given.minutes is None:
        first = given.first or 0
        return (case_of(seed, links) for seed in range(first, first + (given.seeds or 100)))
    first = int(time.time()) % 1_000_000_000 if given.first is None else given.first
    print(f"seeds from {first} on", flush=True)
    return _as_many_as_fit(first, links, began + 60 * given.minutes)


def _as_many_as_fit(first: int, links: tuple[Link, ...], until: float) -> Iterator[Case]:
    least = AT_LEAST * len({link.venue for link in links})
    seed = first
    while seed < first + least or time.monotonic() < until:
        yield case_of(seed, links)
        seed += 1


def _changed(case: Case, given: argparse.Namespace) -> Case:
    schedule = Schedule.from_json(given.schedule) if given.schedule else case.schedule
    if given.only is not None:
        schedule = schedule.only(int(number) for number in given.only.split(",") if number)
    return case.with_schedule(schedule)


def _play_all(cases: Iterator[Case], pool: Pool, run: Run, *, verbose: bool) -> None:
    waiting: queue.SimpleQueue[None] = queue.SimpleQueue()
    lock = threading.Lock()

    def play() -> None:
        while True:
            with lock:
                case = next(cases, None)
            if case is None:
                break
            outcome = _judged(case, pool)
            run.note(case, outcome, verbose=verbose)
            _progress(run)
        waiting.put(None)

    for _ in range(pool.jobs):
        threading.Thread(target=play, daemon=True).start()
    for _ in range(pool.jobs):
        waiting.get()


def _judged(case: Case, pool: Pool) -> Outcome:
    """The outcome of a case; what only came too late is judged by a second time, since the machine may be slow.

    Where only the first time was too late, that is told with its seed, and counts as unjudged.
    """
    first = pool.play(case)
    if not (first.unjudged or first.of_time):
        return first
    second = pool.play(case)
    if first.of_time and not first.unjudged and not second.findings:
        second.unjudged = f"too late once, and not a second time: {'; '.join(first.findings)}"
        print(f"{case.link} seed {case.seed}: {second.unjudged}", flush=True)
    return second


def _progress(run: Run) -> None:
    with run.lock:
        played = sum(tally.cases for tally in run.tallies.values())
        if played % 25 == 0:
            print(f"{played} seeds, {len(run.failures)} failed", flush=True)


def _print_case(case: Case, outcome: Outcome, *, verbose: bool) -> None:
    how = "FAILED" if outcome.findings else "passed"
    figures = f"{outcome.records} records, {outcome.interruptions} statuses, lag {outcome.lag:g} s"
    print(f"{case.link} seed {case.seed}: {how} after {outcome.seconds:g} s, {figures}", flush=True)
    if verbose:
        print(f"  drawn: {dict(case.drawn)}\n  schedule: {case.schedule}")
        for line in outcome.told:
            print(f"  {line}")
    for finding in outcome.findings:
        print(f"  ! {finding}", flush=True)


def _tell_failure(case: Case, outcome: Outcome, pool: Pool | None) -> None:
    """The command that repeats it, with as few faults as possible."""
    again, smaller = "", case.schedule
    if pool is not None:
        if pool.play(case).findings:
            smaller = shrunk(case.schedule, lambda tried: bool(pool.play(case.with_schedule(tried)).findings))
            again = f" (of {len(case.schedule.steps)} faults {len(smaller.steps)} are enough)"
        else:
            again = " (it did not fail a second time)"
    print(f"FAILED: {case.link} seed {case.seed}{again}: {outcome.findings[0]}")
    shown = f" --schedule '{smaller.as_json()}'" if smaller != case.schedule else ""
    options = f"--link {case.link} --seed {case.seed} --pace {os.environ['MON_FAULTS_PACE']} -v{shown}"
    print(f"  repeat: {Path(sys.executable).name} -m tests.faults {options}", flush=True)


def _close(run: Run, seconds: float, counts: bool) -> int:
    print(f"\n{'link':22}{'seeds':>7}{'faults':>8}{'records':>9}{'statuses':>10}{'unjudged':>10}{'failed':>8}")
    total = Tally()
    for name in [link.name for link in LINKS if link.name in run.tallies]:
        tally = run.tallies[name]
        _print_row(name, tally)
        for one in total.__dict__:
            setattr(total, one, getattr(total, one) + getattr(tally, one))
    _print_row("all", total)
    print(f"{total.cases} schedules in {seconds / 60:.1f} minutes")
    if total.failed:
        return 1
    if total.unjudged > MOST_UNJUDGED * total.cases:
        print("this machine was too slow to judge by: run it again with fewer --jobs")
        return 1
    return 0


def _print_row(name: str, tally: Tally) -> None:
    print(
        f"{name:22}{tally.cases:7}{tally.faults:8}{tally.records:9}{tally.interruptions:10}{tally.unjudged:10}{tally.failed:8}"
    )


if __name__ == "__main__":
    sys.exit(main())
