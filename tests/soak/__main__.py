"""`python -m tests.soak --minutes 60`: everything at once, under faults, for a long time."""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.soak.children import Child
from tests.soak.parts import PARTS, Part
from tests.soak.resources import MB
from tests.soak.run import ROUND, Soak, nothing_skipped

FEWEST_ROUNDS = 4  # one that warms up, and one for each third
AROUND = 50.0  # seconds that starting and ending take
RATE = 3.0  # events a second and market


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; 0 when all is well, 1 when a fault was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long; at least 3")
    parser.add_argument("--seed", type=int, help="of the world, the faults and the keys; drawn where it is not given")
    parser.add_argument("--part", action="append", default=[], metavar="NAME", help="only these parts; several")
    parser.add_argument("--rate", type=float, default=RATE, help="events a second and market")
    parser.add_argument("--keep", action="store_true", help="keep the logs also when all is well")
    parser.add_argument("--list", action="store_true", help="only name the parts")
    given = parser.parse_args(arguments)
    if given.list:
        print("\n".join(f"{part.name:20} mon {part.command}" for part in PARTS))
        return 0
    unknown = [name for name in given.part if name not in {part.name for part in PARTS}]
    if unknown or given.minutes < 3:
        parser.error(f"no such part: {', '.join(unknown)}" if unknown else "--minutes is at least 3")
    seed = given.seed if given.seed is not None else int(time.time()) % 100_000
    parts = with_needed(given.part)
    rounds = max(FEWEST_ROUNDS, int((given.minutes * 60 - AROUND) / ROUND))
    return soak(parts, rounds, seed=seed, rate=given.rate, command=repeated(given, seed), keep=given.keep)


def with_needed(names: Sequence[str]) -> list[Part]:
    """The parts of those names, all for none; with what they connect to."""
    if not names:
        return [*PARTS]
    lines = {part.line for part in PARTS if part.name in names}
    needed = {"bot": "bot", "broken": "mon sim"}
    wanted = {*names, *(needed[line] for line in lines if line in needed)}
    return [part for part in PARTS if part.name in wanted]


def repeated(given: argparse.Namespace, seed: int) -> str:
    """The command that does the same again."""
    parts = "".join(f" --part '{name}'" for name in given.part)
    rate = "" if given.rate == RATE else f" --rate {given.rate:g}"
    return f"python -m tests.soak --minutes {given.minutes:g} --seed {seed}{rate}{parts}"


def soak(parts: Sequence[Part], rounds: int, *, seed: int, rate: float, command: str, keep: bool) -> int:
    """Run it, and print the table."""
    folder = Path(tempfile.mkdtemp(prefix="mon-soak-"))
    began = time.monotonic()
    run = Soak(parts, folder, seed=seed, rate=rate, say=lambda words: say(began, words))
    say(began, f"{len(parts)} parts, {rounds} rounds of {ROUND:g} s, seed {seed}")
    try:
        run.start()
        for number in range(rounds):
            run.round(number)
        run.end()
    finally:
        run.close()
    code = verdict(run, command, began)
    if code == 0 and not keep:
        shutil.rmtree(folder)
    else:
        print(f"logs: {folder}")
    return code


def say(began: float, words: str) -> None:
    """Progress."""
    print(f"[{time.monotonic() - began:6.1f}] {words}", flush=True)


def verdict(run: Soak, command: str, began: float) -> int:
    """The table, and what is wrong."""
    faults = [*run.faults]
    form = "{:18} {:>8} {:>5} {:>7} {:>7} {:>7} {:>4} {:>4} {:>9}  {}"
    print(form.format("part", "records", "down", "RSS 1st", "last MB", "PSS", "fds", "thr", "CPU %", "verdict"))
    for name, child in run.children.items():
        print(row(form, name, child))
        faults += [f"{name}: {fault}" for fault in child.faults]
    records = sum(child.kept.records for child in run.children.values())
    calm = sum(child.rounds[-1].cpu for child in run.children.values() if child.rounds)
    lasted = time.monotonic() - began
    used = [sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)]
    print(
        f"{len(run.children)} processes, {records:,} records, {run.judged:,} compared with the world of their instant, "
        f"{sum(c.kept.interruptions for c in run.children.values())} interruptions, "
        f"{lasted / 60:.1f} minutes"
    )
    print(
        f"CPU: {used[0]:.0f} s of the processes and {used[1]:.0f} s of the judge, "
        f"{sum(used) / lasted * 100:.0f} % of a core; in the last calm {calm * 100:.0f} %"
    )
    if run.hooks is not None:
        print(f"webhooks: {run.hooks.answered} answered, {run.hooks.unanswered} not; {len(run.hooks.wanted)} pairs")
    if not run.steps_clocks:
        print("skipped: clocks were not set, since libfaketime is missing (Debian: apt-get install libfaketime)")
        if nothing_skipped():
            faults.append("a part was skipped, and here (MON_NO_SKIPS) that counts as failed")
    if not faults:
        print("all well")
        return 0
    print(f"{len(faults)} faults:")
    print("\n".join(f"  {fault}" for fault in faults))
    print(f"the same again: {command}")
    return 1


def row(form: str, name: str, child: Child) -> str:
    """The line of a part."""
    if not child.rounds:
        return form.format(name, child.kept.records, child.kept.interruptions, *"-" * 6, "not measured")
    first, last = child.rounds[min(1, len(child.rounds) - 1)], child.rounds[-1]
    return form.format(
        name,
        child.kept.records,
        child.kept.interruptions,
        f"{first.rss / MB:.1f}",
        f"{last.rss / MB:.1f}",
        f"{last.pss / MB:.1f}",
        last.descriptors,
        last.threads,
        f"{first.cpu * 100:.1f}→{last.cpu * 100:.1f}",
        child.faults[0][:60] if child.faults else "well",
    )


if __name__ == "__main__":
    sys.exit(main())
