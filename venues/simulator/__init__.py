"""The core of the simulated venues: one market with a matching engine, one account, and the server of all venues.

    async with Simulator(endpoints, seed=7) as simulator:
        url = simulator.url("venue")                        # ws://127.0.0.1:PORT/venue
        key = simulator.credentials("venue")["key"]

Each venue's own folder has its endpoint; whoever starts the simulator passes them in (`venues.simulated`). Nothing
here knows the client, nor do the endpoints: they are an independent reading of the venues' documents, so that agreement
of the two means something. Importing this package is cheap; what needs aiohttp and asyncio is loaded when it is first
used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from venues.simulator.endpoint import environment
    from venues.simulator.faults import Fault, FaultError, parse_fault
    from venues.simulator.simulator import Simulator
    from venues.simulator.tape import Tape, TapeError, read_tape
    from venues.simulator.world_clock import ManualClock, RunningClock, WorldClock

__all__ = [
    "Fault",
    "FaultError",
    "ManualClock",
    "RunningClock",
    "Simulator",
    "Tape",
    "TapeError",
    "WorldClock",
    "environment",
    "parse_fault",
    "read_tape",
]

_HOMES = {
    "WorldClock": "world_clock",
    "ManualClock": "world_clock",
    "RunningClock": "world_clock",
    "Fault": "faults",
    "FaultError": "faults",
    "parse_fault": "faults",
    "environment": "endpoint",
    "Simulator": "simulator",
    "Tape": "tape",
    "TapeError": "tape",
    "read_tape": "tape",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
