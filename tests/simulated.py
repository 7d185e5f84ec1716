"""The simulator of all venues of the registry, as the program starts it."""

from __future__ import annotations

from typing import Any

from venues import simulator
from venues.simulated import endpoints


class Simulator(simulator.Simulator):
    """With the endpoints of all venues."""

    def __init__(self, **given: Any) -> None:
        super().__init__(endpoints(), **given)


def environment(port: int) -> dict[str, str]:
    """The variables that lead to all venues of a simulator on that port."""
    return simulator.environment(endpoints(), port)
