"""How old something is. Ages run on the monotonic clock, so that a step of the wall clock makes nothing older."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cli.screen.look import Look

STEP = 1_000  # milliseconds between the two clocks that are a step of the wall clock
MOST_STEPS = 100
JITTER = 100  # milliseconds between two looks at the clocks
LOOKED_AT = 2_000  # milliseconds within which a step is noticed


class Ages:
    """Both clocks of a look, and the `steps` that were seen of the wall clock. For one thread, but for `offset`."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self.steps = 0
        # Pairs: a monotonic time, and the difference between the two clocks from then on; the latest last.
        self._bases: list[tuple[int, int]] = [(look.mono(), look.epoch_ms() - look.mono())]

    def mono(self) -> int:
        """The monotonic clock, in milliseconds; a step is noticed here."""
        mono = self._look.mono()
        base = self._look.epoch_ms() - mono
        if abs(base - self._bases[-1][1]) < STEP:
            self._bases[-1] = (self._bases[-1][0], base)
        else:
            self.steps += 1
            self._bases = [*self._bases[-MOST_STEPS:], (mono, base)]
        return mono

    def when(self, epoch_ms: int) -> int:
        """The monotonic time of a moment that our wall clock told, which is not later than now."""
        mono = self.mono()
        for since, base in reversed(self._bases):
            if since - LOOKED_AT <= epoch_ms - base <= mono + JITTER:
                return min(mono, epoch_ms - base)
        return min(mono, epoch_ms - self._bases[0][1])

    def offset(self, ms: int) -> Offset:
        """An `Offset` for a venue's clock that is so many milliseconds ahead of ours now."""
        return Offset(self._look, ms)


class Offset:
    """How far a venue's clock is ahead of ours, as it was `told`; a step of ours moves it at once."""

    def __init__(self, look: Look, ms: int) -> None:
        self._look, self.told = look, ms
        self._base = look.epoch_ms() - look.mono()

    def ms(self) -> int:
        """How far the venue's clock is ahead of ours now, in milliseconds."""
        stepped = self._look.epoch_ms() - self._look.mono() - self._base
        return self.told if abs(stepped) < STEP else self.told - stepped
