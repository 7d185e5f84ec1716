"""Feeds mutated cases to everything that reads what somebody else wrote.

Nothing but the errors of the contract may come out, at most 100 ms of processor time and 100 MB go into a case of up to
64 KiB. Without a seed each run takes another one, and prints it.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from tests.fuzz.judge import LONGEST_CASE, Spent, Target
from tests.fuzz.targets import TARGETS
from tests.fuzz.worker import Found, Result, fuzz, judge_alone

OK, FAULT, USAGE = 0, 1, 2
LEAST_CASES = 20  # of each target beside its corpus, however little time there is
ROUNDS = 3  # in which the time is given to the targets, so that a run that is ended early has seen each
LONGEST_SHOWN = 2_000  # characters of a case in base64; a longer one is a file


def main(arguments: Sequence[str]) -> int:
    """Run one command line; the exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    names = given.targets or [target.name for target in TARGETS]
    chosen = [target for target in TARGETS if any(fnmatchcase(target.name, name) for name in names)]
    unknown = [name for name in names if not any(fnmatchcase(target.name, name) for target in TARGETS)]
    if unknown or not chosen:
        parser.error(f"expected targets ({', '.join(t.name for t in TARGETS)}), got {', '.join(unknown)}")
    if given.list:
        print("\n".join(target.name for target in TARGETS))
        return OK
    if given.case is not None:
        if len(chosen) != 1:
            parser.error("expected --case with one target")
        return repeat(chosen[0], _case(parser, given.case))
    seed = random.SystemRandom().getrandbits(32) if given.seed is None else given.seed
    folder = Path(given.folder) if given.folder else Path(tempfile.mkdtemp(prefix="mon-fuzz-"))
    engine = given.engine or ("atheris" if given.minutes and len(chosen) == 1 and _has_atheris() else "own")
    if engine == "atheris":
        if len(chosen) != 1:
            parser.error("expected --engine atheris with one target")
        if not _has_atheris():
            parser.error("expected atheris to be installed for --engine atheris; pip install atheris")
        from tests.fuzz.coverage import fuzz_by_coverage

        return fuzz_by_coverage(chosen[0], minutes=given.minutes or 1.0, seed=seed, folder=folder)
    print(f"seed {seed}, {len(chosen)} targets", flush=True)
    return report(run(chosen, seed, minutes=given.minutes or 0.0, cases=given.cases), seed, folder)


def run(chosen: Sequence[Target], seed: int, *, minutes: float, cases: int) -> dict[str, Result]:
    """Fuzz the targets in turn: each for its part of the time, and so many cases at least."""
    until = time.monotonic() + minutes * 60
    results = {target.name: Result() for target in chosen}
    corpora = {target.name: list(target.corpus()) for target in chosen}
    for turn in range(ROUNDS if minutes else 1):
        for place, target in enumerate(chosen):
            turns_left = (ROUNDS - turn) * len(chosen) - place
            seconds = max(0.0, until - time.monotonic()) / turns_left
            done, corpus = results[target.name], corpora[target.name]
            least = len(corpus) + cases if turn == 0 else 0
            done.add(fuzz(target, corpus, seed, seconds=seconds, cases=least, first=done.cases))
    return results


def report(results: dict[str, Result], seed: int, folder: Path) -> int:
    """Print what came out, and how each fault is repeated; the exit code."""
    print(f"{'target':24} {'cases':>9} {'most CPU':>10} {'most memory':>12}  faults")
    for name, result in results.items():
        cpu, memory = f"{result.most.cpu * 1000:.1f} ms", f"{result.most.memory / 2**20:.1f} MiB"
        print(f"{name:24} {result.cases:9,} {cpu:>10} {memory:>12}  {len(result.found) or ''}")
    found = [(name, one) for name, result in results.items() for one in result.found]
    cases = sum(result.cases for result in results.values())
    print(f"{len(results)} targets, {cases:,} cases, {len(found)} faults, seed {seed}")
    for name, one in found:
        tell(name, one, folder, f"python -m tests.fuzz {name} --seed {seed} --cases {one.number + 1}")
    return FAULT if found else OK


def tell(name: str, found: Found, folder: Path, again: str = "") -> None:
    """Print one fault, and the command that repeats it."""
    print(f"\n--- {name}: {found.fault.kind} {found.fault.where}\n{found.fault.words.rstrip()}")
    print(
        f"case of {len(found.case)} bytes, number {found.number}: {found.case[:300]!r}{'…' * (len(found.case) > 300)}"
    )
    text = base64.b64encode(found.case).decode()
    if len(text) > LONGEST_SHOWN:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{name}-{binascii.crc32(found.case):08x}.case"
        file.write_bytes(found.case)
        text = str(file)
    print(f"repeat: python -m tests.fuzz {name} --case {text or '='}")
    if again:
        print(f"or, without the case: {again}")


def repeat(target: Target, case: bytes) -> int:
    """Judge one case; the exit code."""
    spent, fault = judge_alone(target, case, target.corpus())
    print(f"{target.name}: {len(case)} bytes, {_words(spent)}")
    if fault is None:
        print("no fault")
        return OK
    print(f"{fault.kind} {fault.where}\n{fault.words.rstrip()}")
    return FAULT


def _words(spent: Spent) -> str:
    return f"{spent.cpu * 1000:.1f} ms of processor time, {spent.memory / 2**20:.1f} MiB"


def _case(parser: argparse.ArgumentParser, given: str) -> bytes:
    """The case that was given: the content of a file, else base64."""
    file = Path(given)
    try:
        if len(given) < 1_000 and file.is_file():
            return file.read_bytes()[:LONGEST_CASE]
        return base64.b64decode(given.rstrip("=") + "=" * (-len(given.rstrip("=")) % 4), validate=True)
    except (OSError, ValueError):
        parser.error("expected --case with a file that can be read, or with base64")


def _has_atheris() -> bool:
    from importlib.util import find_spec

    return find_spec("atheris") is not None


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 100_000:
        raise ValueError
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**32:
        raise ValueError
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__, allow_abbrev=False)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="which; all unless said; * stands for anything")
    parser.add_argument("--list", action="store_true", help="only print the names of the targets")
    parser.add_argument("--minutes", type=_positive, help="how long, all targets together")
    parser.add_argument("--cases", type=_count, default=LEAST_CASES, help="so many of each at least, beside its corpus")
    parser.add_argument(
        "--seed", type=_count, help="the same seed makes the same cases; another one each run otherwise"
    )
    parser.add_argument("--case", metavar="BASE64|FILE", help="run this one case of one target")
    parser.add_argument("--engine", choices=("own", "atheris"), help="atheris where it is installed, with one target")
    parser.add_argument("--folder", metavar="DIR", help="where cases are kept that are too long to print")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
