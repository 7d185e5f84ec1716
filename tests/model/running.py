"""Runs the machine of a speaker under hypothesis with a seed, and says what broke the rule."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import Any
from zlib import crc32

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as with_seed
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import Machine, Tally, machine_of
from tests.model.speaker import Speaker

STEPS = 60  # of an example at most
FEWEST_STEPS = 20  # in the first turn, which is short, so that on a slow machine too each speaker has had one
FEWEST_EXAMPLES = 2  # of it; hypothesis' first example has the first choice everywhere: only the second one is a game
EXAMPLES_AT_ONCE = 3  # of a speaker, before the next one has its turn


class Outcome:
    """What was run of a speaker so far."""

    def __init__(self, speaker: type[Speaker]) -> None:
        self.speaker = speaker
        self.machine: type[Machine] = machine_of(speaker)

    @property
    def tally(self) -> Tally:
        """How much that was."""
        return self.machine.tally


def _own(seed: int, speaker: type[Speaker]) -> int:
    """A seed of its own for each stream: else two with the same rules would have the same games."""
    return crc32(f"{seed} {speaker.venue} {speaker.stream}".encode())


def run(outcome: Outcome, seed: int, examples: int, *, steps: int = STEPS, shrinks: bool = True) -> str | None:
    """Run so many examples; what broke the rule with hypothesis' shortest steps to it, None if nothing did.

    The same seed, examples and steps are the same games, whatever was run before in this process.
    """
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,  # how long an example takes says more about the machine than about the code
        database=None,  # the seed repeats it
        derandomize=False,
        report_multiple_bugs=False,
        phases=[Phase.generate, *([Phase.shrink] if shrinks else [])],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), _seed_alone_decides():
            run_state_machine_as_test(with_seed(_own(seed, outcome.speaker))(outcome.machine), settings=chosen)
    except Exception as error:
        steps_to_it = "\n".join(getattr(error, "__notes__", ()))
        return f"{type(error).__name__}: {error}\n{steps_to_it}{said.getvalue()}"
    return None


@contextlib.contextmanager
def _seed_alone_decides() -> Iterator[None]:
    """Leave out what hypothesis draws from the constants of our modules that happen to be loaded.

    After other streams, whose venues are then loaded, a seed would have other games than by itself.
    """
    providers: Any = sys.modules.get("hypothesis.internal.conjecture.providers")
    found = getattr(providers, "_get_local_constants", None)
    if found is None:  # an older hypothesis, which draws nothing from code
        yield
        return
    nothing = providers.Constants()
    providers._get_local_constants = lambda: nothing
    providers.CONSTANTS_CACHE.cache.clear()
    try:
        yield
    finally:
        providers._get_local_constants = found
        providers.CONSTANTS_CACHE.cache.clear()
