"""The five venues, simulated inside the process: a matching engine, an account, and one server for each venue.

    async with Simulator(seed=7) as simulator:
        url = simulator.url("nexus")                        # ws://127.0.0.1:PORT/nexus
        key = simulator.credentials("nexus")["client_key"]

Nothing here knows the client: it is an independent reading of the venues' documents, so that agreement of the two
means something. Importing this package is cheap; what needs aiohttp and asyncio is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from venues.simulator.clock import Clock, ManualClock, SystemClock
    from venues.simulator.faults import Fault, FaultError, parse_fault
    from venues.simulator.listing import environment, markets
    from venues.simulator.simulator import Simulator
    from venues.simulator.tape import Tape, TapeError, read_tape

__all__ = [
    "Clock",
    "Fault",
    "FaultError",
    "ManualClock",
    "Simulator",
    "SystemClock",
    "Tape",
    "TapeError",
    "environment",
    "markets",
    "parse_fault",
    "read_tape",
]

_HOMES = {
    "Clock": "clock",
    "ManualClock": "clock",
    "SystemClock": "clock",
    "Fault": "faults",
    "FaultError": "faults",
    "parse_fault": "faults",
    "environment": "listing",
    "markets": "listing",
    "Simulator": "simulator",
    "Tape": "tape",
    "TapeError": "tape",
    "read_tape": "tape",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
