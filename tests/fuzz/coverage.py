"""Fuzzes one target by coverage, with atheris, which is not among our dependencies: `pip install atheris` beforehand.

Our own mutator makes half of the cases, so that JSON stays JSON; libFuzzer's makes the others. Instrumented code is
slow, so what seems to be a fault is judged again without it.

This file is also the program that runs inside: it must import `atheris` before anything of ours.
"""

from __future__ import annotations

import binascii
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.fuzz.judge import Target

MOST_KEPT = 50  # cases of one run that seem to be faults; then it ends
MOST_RSS_MB = 4096  # of the process that is instrumented


def fuzz_by_coverage(target: Target, *, minutes: float, seed: int, folder: Path) -> int:
    """Run atheris on a target; what it finds, and the cases by which it got there, are files in the folder."""
    from tests.fuzz.__main__ import FAULT, OK, tell
    from tests.fuzz.worker import MOST_FAULTS, Found, judge_alone

    corpus = list(target.corpus())
    for place, cases in (("corpus", corpus), ("seeming", [])):
        (folder / place).mkdir(parents=True, exist_ok=True)
        for number, case in enumerate(cases):
            (folder / place / f"{number:04}").write_bytes(case)
    print(f"atheris on {target.name}, seed {seed}; its files are in {folder}", flush=True)
    limits = [f"-max_total_time={round(minutes * 60)}", f"-seed={seed % 2**31 or 1}", "-print_final_stats=1"]
    command = [sys.executable, "-m", "tests.fuzz.coverage", target.name, str(folder), *limits]
    ended = subprocess.run(command, check=False).returncode
    found: list[Found] = []
    # libFuzzer itself keeps the case that ended the process.
    for file in sorted([*(folder / "seeming").iterdir(), *folder.glob("crash-*"), *folder.glob("oom-*")]):
        case = file.read_bytes()
        _, fault = judge_alone(target, case, corpus)
        if fault is not None and (fault.kind, fault.where) not in {(one.fault.kind, one.fault.where) for one in found}:
            found.append(Found(fault, case, 0))
    for one in found[:MOST_FAULTS]:
        tell(target.name, one, folder)
    print(f"{target.name}: {len(found)} faults; atheris ended with {ended}")
    return FAULT if found or ended else OK


def _instrumented(name: str) -> tuple[Any, Target]:
    """Atheris, and the target with all code of ours that its corpus needs, instrumented while it is imported."""
    import atheris  # type: ignore[import-not-found]

    with atheris.instrument_imports(include=["cli", "venues"]):
        from tests.fuzz.targets import TARGETS

        target = next(one for one in TARGETS if one.name == name)
        for case in target.corpus():
            try:
                target.run(case)
            except target.errors:
                continue
    return atheris, target


def main(name: str, folder: Path, limits: list[str]) -> None:
    """Be the process inside; libFuzzer ends it."""
    atheris, target = _instrumented(name)
    import random

    from tests.fuzz.judge import LONGEST_CASE, Meter
    from tests.fuzz.mutator import Mutator

    meter, corpus, seen = Meter(), list(target.corpus()), set[tuple[str, str]]()

    def one(data: bytes) -> None:
        _, fault = meter.judge(target, data)
        if fault is None or (fault.kind, fault.where) in seen:
            return
        seen.add((fault.kind, fault.where))
        print(f"seems to be a fault: {fault.kind} {fault.where}", flush=True)
        (folder / "seeming" / f"{binascii.crc32(data):08x}").write_bytes(data)
        if len(seen) >= MOST_KEPT:
            raise RuntimeError(f"{MOST_KEPT} seeming faults are enough for one run")

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        if seed % 2:
            return bytes(atheris.Mutate(data, len(data) or 1))[:most]
        return Mutator([data, *corpus], random.Random(seed), target.head).case()[:most]

    arguments = [f"-max_len={LONGEST_CASE}", f"-rss_limit_mb={MOST_RSS_MB}", f"-artifact_prefix={folder}{os.sep}"]
    atheris.Setup([name, *arguments, *limits, str(folder / "corpus")], one, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
