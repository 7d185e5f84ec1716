"""Schedules of faults: what a line does at which second. Immutable, drawn from a seed, written and read as JSON.

The same seed gives the same schedule for ever: only `Random.random` is used, whose sequence Python promises to keep.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from random import Random
from typing import Any, Final, TypeVar

T = TypeVar("T")

BOTH, TO_CLIENT, TO_SERVER = "both", "client", "server"
EVERY: Final = -1  # connection

# What happens once, to connections that are open.
CUT = "cut"  # closed both ways
HALF_CLOSE = "half-close"  # one side is told that the other has ended; the other way stays open
RESET = "reset"  # both sides get a RST
RESET_IN_FRAME = "reset-in-frame"  # half of what comes next, then a RST
CUT_IN_FRAME = "cut-in-frame"  # half of what comes next, then the end
# What lasts for a while.
DELAY = "delay"  # everything comes up to `amount` seconds late, in order
THROTTLE = "throttle"  # `amount` bytes a second
SINGLE_BYTES = "single-bytes"  # in pieces of one byte
STALL = "stall"  # held, and passed when it is over
REFUSE = "refuse"  # nobody listens
NEVER_ANSWERED = "never-answered"  # a new connection is taken and hears nothing, for ever
REORDER = "reorder"  # a new connection reaches the server only behind the one that is opened after it
OVERTAKE = "overtake"  # the first answer of a connection comes only behind that of the one opened after it
# What takes something away for good: the connection is never whole again.
BLACK_HOLE = "black-hole"  # bytes are taken and not passed; the connection stays silent that way until it is closed
CORRUPT = "corrupt"  # bytes of what comes next are changed; `where` says which

# Which bytes are changed.
HEAD = "head"  # of the HTTP head of the handshake
FRAMING = "framing"  # of the header of a WebSocket frame
STRUCTURE = "structure"  # a bracket, quote, comma or colon of a payload becomes a byte that no JSON has there
DIGIT = "digit"  # one figure becomes another: only a checksum can tell
ANY = "any"  # any byte: for lines with TLS

ONCE: Final = (CUT, HALF_CLOSE, RESET, RESET_IN_FRAME, CUT_IN_FRAME, CORRUPT)
LASTING: Final = (
    DELAY,
    THROTTLE,
    SINGLE_BYTES,
    STALL,
    REFUSE,
    NEVER_ANSWERED,
    REORDER,
    OVERTAKE,
    BLACK_HOLE,
)
KINDS: Final = (*ONCE, *LASTING)


@dataclass(frozen=True, slots=True)
class Step:
    """One fault.

    `at` and `lasts` are seconds, from the start of the schedule and from `at`. `toward` says which way is hit.
    `which` counts the connections that are open, oldest first (modulo their number); EVERY hits all, also new ones.
    `amount` is what the kind says. `pick` chooses what `where` leaves open (which byte, which value).
    """

    at: float
    kind: str
    lasts: float = 0.0
    toward: str = BOTH
    which: int = EVERY
    amount: float = 0.0
    where: str = ""
    pick: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of fault {self.kind!r}; there are {', '.join(KINDS)}")
        if self.toward not in (BOTH, TO_CLIENT, TO_SERVER):
            raise ValueError(f"a fault goes toward {BOTH}, {TO_CLIENT} or {TO_SERVER}, not {self.toward!r}")

    @property
    def until(self) -> float:
        """The second at which it is over."""
        return self.at + self.lasts

    def hits(self, toward: str) -> bool:
        """Whether that way is hit."""
        return self.toward in (BOTH, toward)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; what is as usual is left out."""
        usual = {one.name: one.default for one in fields(self)}
        return {name: value for name, value in asdict(self).items() if value != usual[name]}

    def __str__(self) -> str:
        lasting = f" for {self.lasts:g}s" if self.lasts else ""
        way = "" if self.toward == BOTH else f" toward the {self.toward}"
        amount = f" {self.amount:g}" if self.amount else ""
        where = f" {self.where}" if self.where else ""
        which = "" if self.which == EVERY else f" on connection {self.which}"
        return f"{self.at:.2f}s {self.kind}{where}{amount}{way}{lasting}{which}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Faults in order of time. An empty one is a line without faults."""

    steps: tuple[Step, ...] = ()
    seed: int = 0  # of what the proxy itself draws: how late within `delay`, where chunks are torn

    @property
    def until(self) -> float:
        """The second at which the last fault is over."""
        return max((step.until for step in self.steps), default=0.0)

    def only(self, kept: Iterable[int]) -> Schedule:
        """With these steps alone, by their number."""
        numbers = set(kept)
        return replace(self, steps=tuple(step for number, step in enumerate(self.steps) if number in numbers))

    def as_json(self) -> str:
        """One line that `from_json` reads."""
        return json.dumps({"seed": self.seed, "steps": [step.as_dict() for step in self.steps]}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Schedule:
        """The schedule that was written.

        Raises:
            ValueError: it is none.
        """
        try:
            raw: Mapping[str, Any] = json.loads(text)
            return cls(steps=tuple(Step(**step) for step in raw["steps"]), seed=int(raw.get("seed", 0)))
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"not a schedule: {error}") from None

    def __str__(self) -> str:
        return "; ".join(map(str, self.steps)) or "no faults"


class Draw:
    """Seeded choices that stay the same in every Python."""

    def __init__(self, seed: int | str) -> None:
        self._random = Random(seed)

    def number(self, low: float, high: float) -> float:
        """Evenly from `low` to `high`, rounded so that it is written and read without loss."""
        return round(low + (high - low) * self._random.random(), 3)

    def whole(self, below: int) -> int:
        """From 0 on, less than `below`."""
        return int(self._random.random() * below)

    def one_of(self, choices: Sequence[T]) -> T:
        """One of them."""
        return choices[self.whole(len(choices))]

    def some_of(self, choices: Sequence[T], least: int, most: int) -> tuple[T, ...]:
        """Different ones, in the order of `choices`."""
        wanted = min(len(choices), least + self.whole(most - least + 1))
        left = list(range(len(choices)))
        taken = sorted(left.pop(self.whole(len(left))) for _ in range(wanted))
        return tuple(choices[place] for place in taken)

    def chance(self, of_one: float) -> bool:
        """True in that part of the draws."""
        return self._random.random() < of_one


def schedule(
    seed: int, *, span: float = 4.0, kinds: Sequence[str] = KINDS, corrupts: Sequence[str] = (HEAD, FRAMING, STRUCTURE)
) -> Schedule:
    """The schedule of a seed: one to five faults, now and then up to fifteen, that begin within `span` seconds.

    `kinds` are the faults that the line can have, `corrupts` the bytes that may be changed on it.
    """
    draw = Draw(f"schedule {seed}")
    count = 1 + draw.whole(5) if draw.chance(0.85) else 6 + draw.whole(10)
    usable = [kind for kind in kinds if kind != CORRUPT or corrupts]
    steps = [_DRAWN[kind](draw, span, corrupts) for kind in (draw.one_of(usable) for _ in range(count))]
    return Schedule(tuple(sorted(steps, key=lambda step: step.at)), seed)


def _once(kind: str) -> Callable[[Draw, float, Sequence[str]], Step]:
    def drawn(draw: Draw, span: float, _: Sequence[str]) -> Step:
        toward = draw.one_of((TO_CLIENT, TO_SERVER))
        which = draw.one_of((EVERY, EVERY, draw.whole(4)))
        return Step(draw.number(0, span), kind, toward=BOTH if kind in (CUT, RESET) else toward, which=which)

    return drawn


def _lasting(kind: str, low: float, high: float) -> Callable[[Draw, float, Sequence[str]], Step]:
    """A fault for a while; its amount is between the two figures."""

    def drawn(draw: Draw, span: float, _: Sequence[str]) -> Step:
        at, lasts = draw.number(0, span), draw.number(0.1, span * 0.6)
        toward = draw.one_of((BOTH, TO_CLIENT, TO_SERVER))
        if kind in (REFUSE, NEVER_ANSWERED, REORDER):
            toward = BOTH
        elif kind == OVERTAKE:
            toward = TO_CLIENT
        return Step(at, kind, lasts, toward, amount=draw.number(low, high))

    return drawn


def _black_hole(draw: Draw, span: float, _: Sequence[str]) -> Step:
    toward, which = draw.one_of((BOTH, TO_CLIENT, TO_SERVER)), draw.one_of((EVERY, draw.whole(4)))
    return Step(draw.number(0, span), BLACK_HOLE, draw.number(0.1, span * 0.3), toward, which)


def _corrupt(draw: Draw, span: float, corrupts: Sequence[str]) -> Step:
    where = draw.one_of(corrupts)
    # Toward the server only what it can know: a changed name in a request would be another request.
    toward = draw.one_of((TO_CLIENT, TO_CLIENT, TO_SERVER)) if where in (FRAMING, ANY) else TO_CLIENT
    return Step(draw.number(0, span), CORRUPT, toward=toward, where=where, pick=draw.whole(10_000))


_DRAWN: Mapping[str, Callable[[Draw, float, Sequence[str]], Step]] = {
    CUT: _once(CUT),
    HALF_CLOSE: _once(HALF_CLOSE),
    RESET: _once(RESET),
    RESET_IN_FRAME: _once(RESET_IN_FRAME),
    CUT_IN_FRAME: _once(CUT_IN_FRAME),
    DELAY: _lasting(DELAY, 0.02, 0.6),
    THROTTLE: _lasting(THROTTLE, 300, 20_000),
    SINGLE_BYTES: _lasting(SINGLE_BYTES, 0, 0),
    STALL: _lasting(STALL, 0, 0),
    REFUSE: _lasting(REFUSE, 0, 0),
    NEVER_ANSWERED: _lasting(NEVER_ANSWERED, 0, 0),
    REORDER: _lasting(REORDER, 0, 0),
    OVERTAKE: _lasting(OVERTAKE, 0, 0),
    BLACK_HOLE: _black_hole,
    CORRUPT: _corrupt,
}
