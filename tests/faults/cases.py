"""One case: what one seed plays on one link, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.faults.schedules import Schedule


@dataclass(frozen=True)
class Case:
    """A seed on a link, with its schedule, which may have been shrunk since.

    `drawn` is what the seed chose beside the schedule; the same seed always chooses the same.
    """

    link: str
    seed: int
    schedule: Schedule
    drawn: Mapping[str, Any] = field(default_factory=dict)

    def with_schedule(self, schedule: Schedule) -> Case:
        """The same case with another schedule."""
        return replace(self, schedule=schedule)

    def as_json(self) -> str:
        """For another process."""
        return json.dumps([self.link, self.seed, self.schedule.as_json(), self.drawn])

    @classmethod
    def from_json(cls, text: str) -> Case:
        """What was written."""
        link, seed, schedule, drawn = json.loads(text)
        return cls(link, seed, Schedule.from_json(schedule), drawn)


@dataclass
class Outcome:
    """What came of a case. `unjudged`: in words why nothing can be said of it; it does not count as passed.

    `of_time`: all that was found is that something came too late, or not in time.
    """

    findings: list[str] = field(default_factory=list)
    records: int = 0
    interruptions: int = 0
    seconds: float = 0.0
    lag: float = 0.0
    unjudged: str = ""
    of_time: bool = False
    told: list[str] = field(default_factory=list)  # what the proxy did, and what was said on stderr

    def as_json(self) -> str:
        """For another process."""
        return json.dumps(self.__dict__)

    @classmethod
    def from_json(cls, text: str) -> Outcome:
        """What was written."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Link:
    """Between whom the proxy stands.

    `case` makes the case of a seed. `play` plays one: it starts the server and the client with the proxy between them,
    waits for the calm after the faults, judges, and leaves nothing behind. It runs in an event loop of its own, in a
    process that plays one case at a time.
    """

    name: str
    venue: str
    case: Callable[[int], Case]
    play: Callable[[Case], Coroutine[Any, Any, Outcome]]
