"""`python -m tests.model`: hypothesis plays venue and user at once against mon, for a while or so many examples.

The streams have their turns, a few examples each, until the time is over. It ends within some seconds of it, unless the
rule was broken: then hypothesis looks for the shortest steps to that for as long as it takes. What is printed at the
end is what was really run. Exit code 0: the rule held; 1: it was broken, and the one command that repeats it is
printed, or streams had no turn in the time, and are named; 2: usage.
"""

from __future__ import annotations

import argparse
import math
import secrets
import sys
import time
from collections.abc import Sequence

from tests.model.running import EXAMPLES_AT_ONCE, FEWEST_EXAMPLES, FEWEST_STEPS, STEPS, Outcome, run
from tests.model.speakers import SPEAKERS

HEAD = f"{'venue':<11}{'stream':<11}{'examples':>9}{'steps':>9}{'messages':>10}{'hours':>9}{'records':>10}{'lives':>8}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__.split("\n\n")[0])
    how_long = parser.add_mutually_exclusive_group()
    how_long.add_argument("--minutes", type=float, default=1.0, help="so long in all (1, unless --examples is given)")
    how_long.add_argument("--examples", type=int, help="so many examples of each venue's stream instead")
    parser.add_argument("--seed", type=int, help="the seed of a run to repeat (a new one each time)")
    parser.add_argument("--venue", help="only this venue, or one stream of it: kraken, kraken:book")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"steps of an example at most ({STEPS})")
    asked = parser.parse_args(arguments)
    wanted = [one for one in SPEAKERS if asked.venue in (None, one.venue, f"{one.venue}:{one.stream}")]
    if not wanted:
        known = ", ".join(dict.fromkeys(one.venue for one in SPEAKERS))
        parser.error(f'expected one of {known} (or with a stream, as kraken:book), got "{asked.venue}"')
    seed = secrets.randbelow(10**9) if asked.seed is None else asked.seed
    print(f"seed {seed}; {len(wanted)} streams", flush=True)
    outcomes = [Outcome(one) for one in wanted]
    if asked.examples is not None:
        failed = _turn(outcomes, seed, asked.examples, asked.steps, math.inf)
    else:
        failed = _turns(outcomes, seed, asked.steps, time.monotonic() + 60 * asked.minutes)
    _table(outcomes)
    without = [f"{one.speaker.venue}:{one.speaker.stream}" for one in outcomes if not one.tally.examples]
    if without and not failed:
        print(f"{len(without)} of {len(outcomes)} streams had no turn in the time: {' '.join(without)}")
    return 1 if failed or without else 0


def _turns(outcomes: Sequence[Outcome], seed: int, steps: int, until: float) -> bool:
    """Give all their turns until a moment; whether the rule was broken."""
    turn = 0
    while time.monotonic() < until:
        examples, most = (EXAMPLES_AT_ONCE, steps) if turn else (FEWEST_EXAMPLES, min(FEWEST_STEPS, steps))
        if _turn(outcomes, seed + turn, examples, most, until):
            return True
        turn += 1
        print(f"turn {turn}: {sum(one.tally.steps for one in outcomes)} steps", flush=True)
    return False


def _turn(outcomes: Sequence[Outcome], seed: int, examples: int, steps: int, until: float) -> bool:
    """Run so many examples of each that is begun before a moment; whether the rule was broken."""
    failed = False
    for outcome in outcomes:
        if time.monotonic() >= until:
            break
        problem = run(outcome, seed, examples, steps=steps)
        if problem is not None:
            failed = True
            _tell(outcome, problem, seed, examples, steps)
    return failed


def _tell(outcome: Outcome, problem: str, seed: int, examples: int, steps: int) -> None:
    speaker = outcome.speaker
    print(f"\n{speaker.venue} {speaker.stream}: {problem}\n", flush=True)
    command = f"python -m tests.model --venue {speaker.venue}:{speaker.stream} --seed {seed} --examples {examples}"
    print(f"repeat it with: {command}{'' if steps == STEPS else f' --steps {steps}'}\n", flush=True)


def _table(outcomes: Sequence[Outcome]) -> None:
    print(HEAD)
    for outcome in outcomes:
        speaker, tally = outcome.speaker, outcome.tally
        print(
            f"{speaker.venue:<11}{speaker.stream:<11}{tally.examples:>9}{tally.steps:>9}{tally.messages:>10}"
            f"{tally.seconds / 3600:>9.0f}{tally.records:>10}{tally.lives:>8}"
        )
    every = [outcome.tally for outcome in outcomes]
    print(
        f"{'all':<22}{sum(one.examples for one in every):>9}{sum(one.steps for one in every):>9}"
        f"{sum(one.messages for one in every):>10}{sum(one.seconds for one in every) / 3600:>9.0f}"
        f"{sum(one.records for one in every):>10}{sum(one.lives for one in every):>8}"
    )


if __name__ == "__main__":
    sys.exit(main())
