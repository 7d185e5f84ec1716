"""The simulator of all venues of the registry, as the program starts it."""

from __future__ import annotations

from typing import Any, ClassVar

from venues import simulator
from venues.simulated import endpoints


class Simulator(simulator.Simulator):
    """With the endpoints of all venues, or of the one that the tests of a file are about: each hears every event."""

    venue: ClassVar[str | None] = None

    def __init__(self, **given: Any) -> None:
        super().__init__([one for one in endpoints() if self.venue in (None, one.name)], **given)


def environment(port: int) -> dict[str, str]:
    """The variables that lead to all venues of a simulator on that port."""
    return simulator.environment(endpoints(), port)
