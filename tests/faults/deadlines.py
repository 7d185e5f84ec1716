"""The deadlines of `mon`, shortened for the runs: a schedule of faults is to be over in seconds, not in minutes.

Each deadline of the program is a parameter: a figure of a module, which is read where it is used. Here all that a line
lives by are set to about a tenth. What follows from them is what the referee judges by.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Final

PACE: Final = float(os.environ.get("MON_FAULTS_PACE", "1"))  # more, and all deadlines are longer: for a busy machine

# module: name → seconds
SHORT: Final[dict[str, dict[str, float]]] = {
    "venues.connection": {
        "OPEN_TIMEOUT": 1.5,
        "PING_EVERY": 0.5,
        "PING_ANSWER_WITHIN": 1.5,
        "MESSAGE_WITHIN": 2.0,
        "CLOSE_TIMEOUT": 0.5,
    },
    "venues.driver": {"SHORTEST_DELAY": 0.1, "LONGEST_PAUSE": 0.8, "STABLE_AFTER": 3.0},
    "venues.fetching": {"ANSWERED_WITHIN": 1.5, "LONGEST_HOLD": 2.0},
    "venues.protocols.signalr": {"PING_AFTER": 1.0, "SERVER_TIMEOUT": 2.5, "HANDSHAKE_TIMEOUT": 1.5},
    "venues.protocols.socketio": {"OPEN_WITHIN": 1.5, "CONNECT_TIMEOUT": 3.0},
    "venues.toolkit.acknowledgements": {"WITHIN": 1.5, "VERDICTS_WITHIN": 0.5},
    "venues.toolkit.seeding": {"ANSWERED_WITHIN": 4.0, "LONGEST_PAUSE": 1.5},
    "venues.jayx.session": {"SILENT_AFTER": 2.5},
    "venues.kraken.session": {"SILENT_AFTER": 2.5, "LOST_AFTER": 4.0, "FIRST_WITHIN": 1.5, "LEFT_WITHIN": 1.5},
    "venues.kraken.feeds": {"SNAPSHOT_WITHIN": 1.5},
    "venues.b2trader.versions": {"ANSWERED_WITHIN": 1.5, "REACHED_WITHIN": 1.0},
    # The simulator's half of the same protocol.
    "venues.simulator.hub": {"_PING_AFTER": 1.0, "_CLIENT_TIMEOUT": 3.0, "_HANDSHAKE_TIMEOUT": 1.5, "_BEAT": 0.25},
}
ASKED_AGAIN: Final = 1.0  # seconds, the longest pause between two requests of the same thing
QUIET_AFTER: Final = 6.0  # seconds without a change, after which a book's snapshot over HTTP counts
SOCKETIO_HEARTBEAT: Final = (1.0 * PACE, 1.5 * PACE)  # interval and timeout

# A dead line is known after a ping, its answer's deadline, and one more look (`keepalive.LATE`).
HEARTBEAT: Final = PACE * (0.5 + 1.5) + 0.5
# While a message is arriving the answer is put off, for as long as a message may take.
SLOW_HEARTBEAT: Final = HEARTBEAT + PACE * 2.0
# What is lost was noticed, a try was under way, one more pause, the opening, the protocol's own answers, the snapshot.
LIVE_AGAIN: Final = SLOW_HEARTBEAT + PACE * (1.5 + 0.8 + 1.5 + 3.0 + 4.0)
# The same of a market that stands still, where the book is seeded over HTTP.
QUIET_LIVE_AGAIN: Final = LIVE_AGAIN + PACE * (QUIET_AFTER + ASKED_AGAIN)


def shorten() -> None:
    """Set them in this process. There is no way back: it is for processes of their own."""
    for module, figures in SHORT.items():
        loaded = import_module(module)
        for name, seconds in figures.items():
            if not hasattr(loaded, name):
                raise LookupError(f"{module} has no deadline {name} any more: look where it went")
            setattr(loaded, name, seconds * PACE)
    from venues.toolkit.pacing import Pacing
    from venues.toolkit.seeding import SeededBook

    _set_defaults(Pacing, shortest=0.2, longest=ASKED_AGAIN * PACE)
    _set_defaults(SeededBook, quiet_after=QUIET_AFTER * PACE)


def _set_defaults(of: type, **figures: float) -> None:
    defaults = of.__init__.__kwdefaults__  # type: ignore[misc]
    for name in figures:
        if name not in (defaults or {}):
            raise LookupError(f"{of.__name__} has no parameter {name} any more: look where it went")
    defaults.update(figures)


if __name__ == "__main__":
    # The program itself with these deadlines: `python -m tests.faults.deadlines book nexus SPOT_BTC_USDT`.
    from cli.__main__ import main

    shorten()
    main()
