"""`python -m tests.mutation`: breaks lines of mon one at a time and says which of them no test notices."""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from tests.mutation.explained import EXPLAINED
from tests.mutation.measured import Measured
from tests.mutation.operators import Change
from tests.mutation.rooms import ROOMS
from tests.mutation.running import Copy, copied
from tests.mutation.trying import Trial, Verdict

ROOT = Path(__file__).parents[2]
KEPT = Path(tempfile.gettempdir()) / f"mon-mutation-{os.getuid()}" / "coverage.sqlite"
LEAST_KILLED = 0.95


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """What is asked for; ends the process with 2 where that cannot be done."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutation",
        description="Breaks lines of mon, one at a time, in copies of the tree, and runs the nearest tests. "
        f"Ends with 1 when less than {LEAST_KILLED:.0%} are noticed.",
        epilog="The first run of a test file measures which lines it passes, which takes a little longer than the "
        "tests themselves.",
    )
    parser.add_argument("--mutants", type=_positive, default=300, help="how many are tried (300)")
    parser.add_argument("--seed", type=int, help="which are drawn; printed, and by chance unless it is given")
    parser.add_argument(
        "--room", action="append", choices=sorted(ROOMS), help="only files of this room; may be repeated"
    )
    parser.add_argument("--jobs", type=_positive, default=os.cpu_count() or 1, help="how many at a time (one a core)")
    parser.add_argument(
        "--seconds",
        type=_positive,
        default=120,
        help="of nearest tests that one mutant is worth, and then of others (120)",
    )
    parser.add_argument("--list", action="store_true", help="only say which mutants the seed draws")
    parser.add_argument("--only", action="append", metavar="ID", help="this mutant; may be repeated")
    parser.add_argument("--coverage", type=Path, default=KEPT, help=f"where the measurements are kept ({KEPT})")
    asked = parser.parse_args(arguments)
    asked.seed = random.randrange(10**6) if asked.seed is None else asked.seed
    asked.room = sorted(set(asked.room or ROOMS))
    asked.mutants = len(asked.only) if asked.only else asked.mutants
    return asked


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("expected 1 or more")
    return number


def main(arguments: Sequence[str], root: Path = ROOT, say: Callable[[str], None] = print) -> int:
    """Run it; returns the exit code."""
    asked = options(arguments)
    began = time.monotonic()
    with ExitStack() as stack:
        # A short name: some tests make Unix sockets below it.
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mm-", ignore_cleanup_errors=True)))
        snapshot = base / "s"
        copied(root, snapshot)
        measured = stack.enter_context(closing(Measured(asked.coverage, snapshot)))
        copies = [stack.enter_context(Copy(snapshot, base / str(number))) for number in range(asked.jobs)]
        trial = Trial(snapshot, copies, measured, asked.seconds)
        drawn = _chosen(trial, asked)
        if asked.list:
            for change, _ in trial.importable(drawn, asked.mutants):
                say(str(change))
            return 0
        say(f"mutants: {' '.join(asked.only)}" if asked.only else f"{asked.mutants} mutants of seed {asked.seed}")
        verdicts: list[Verdict] = []
        for verdict in trial.verdicts(drawn, asked.mutants):
            verdicts.append(verdict)
            say(f"[{len(verdicts):3}/{asked.mutants}] {_in_words(verdict)}")
        if not verdicts:
            say("there is no such mutant" if asked.only else "there is nothing to break")
            return 2
        return _close(verdicts, trial, say, time.monotonic() - began)


def _chosen(trial: Trial, asked: argparse.Namespace) -> Iterator[tuple[Change, str]]:
    if not asked.only:
        return trial.drawn(asked.room, asked.seed)
    return (one for one in trial.candidates(asked.room) if one[0].id in asked.only)


def _in_words(verdict: Verdict) -> str:
    if verdict.survived:
        return f"SURVIVED {verdict.change}  ({verdict.tried} tests pass it)"
    return f"killed{' by time' * verdict.by_time} {verdict.change}  ({verdict.killed_by})"


def _close(verdicts: Sequence[Verdict], trial: Trial, say: Callable[[str], None], seconds: float) -> int:
    """The closing table and the survivors, each with the command that repeats it."""
    if trial.left_out:
        say(f"\n{len(trial.left_out)} tests fail without a mutant, and were left out:")
        for name in sorted(trial.left_out):
            say(f"  {name}")
    by_room: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        by_room[verdict.room].append(verdict)
    say(f"\n{'room':12} {'mutants':>7} {'killed':>7} {'by time':>7} {'survived':>8} {'explained':>9}")
    for room, some in [*sorted(by_room.items()), ("all", list(verdicts))]:
        killed = sum(not one.survived for one in some)
        late = sum(one.by_time for one in some)
        explained = sum(one.survived and one.change.key in EXPLAINED for one in some)
        say(f"{room:12} {len(some):7} {killed:7} {late:7} {len(some) - killed:8} {explained:9}")
    survivors = [one for one in verdicts if one.survived]
    for one in survivors:
        say(f"\nsurvived: {one.change}\n  explained: {EXPLAINED.get(one.change.key, 'not yet')}")
        say(f"  again: python -m tests.mutation --only {one.change.id}")
    rate = 1 - len(survivors) / len(verdicts)
    say(f"\n{rate:.1%} of {len(verdicts)} killed in {seconds / 60:.1f} minutes; {LEAST_KILLED:.0%} are asked for")
    return 0 if rate >= LEAST_KILLED else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that copies and processes go, as with Ctrl-C
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.exit(main(sys.argv[1:]))
