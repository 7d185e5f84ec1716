"""How many functions of ours a frame passes, from the socket to its record and from there to its line.

    python -m tests.benchmarks.way [steps]

`steps` prints each of them. No limit is set: it is for whoever makes the way shorter, or longer.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from cli.output.lines import JsonLines
from tests.benchmarks import b2trader
from venues import venue_named
from venues.connection import Connection, SystemClock
from venues.driver import Driver
from venues.records import Record
from venues.redaction import Redactor
from venues.venue import Settings, Subscription

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

ROOT = Path(__file__).parents[2]
OPEN_PACKET = b'0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
TRADE = (
    b'{"symbol":"SPOT_BTC_USDT","event":"TRADE","timestamp":%d,"data":{"price":16858,"quantity":0.021,"side":"BUY"}}'
)
ORDER = (
    b'42["openorders",{"cancel":[],"modify":[{"id":%d,"type":"LIMIT","state":"NEW","side":"BUY","resd":1000000,"exec":0,'
    b'"cost":0,"lastLots":null,"lastTicks":null,"created":1716135452487,"modified":1716135452487,"symbol":"BTCUSDT",'
    b'"price":"1000","quantity":"1000"}]}]'
)


class Way(NamedTuple):
    """A message of a stream: what lets a session in, and the frames, of which the last one is followed."""

    venue: str
    subscription: Subscription
    welcome: Sequence[bytes]
    frames: Sequence[bytes]
    values: dict[str, Any]


WAYS = (
    Way("b2trader", Subscription("book", (b2trader.MARKET,)), [b"{}\x1e"], b2trader.frames()[:10], {"account_id": "a"}),
    Way(
        "jayx",
        Subscription("orders", ("BTCUSDT",)),
        [OPEN_PACKET, b'40{"sid":"b"}'],
        [ORDER % number for number in range(10)],
        {},
    ),
    Way(
        "nexus",
        Subscription("trades", ("SPOT_BTC_USDT",)),
        [],
        [TRADE % (1_670_000_000_000 + number) for number in range(10)],
        {},
    ),
)


class _Steps:
    """The calls of functions of ours, in order."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def begin(self) -> None:
        sys.setprofile(self._see)

    def end(self) -> list[tuple[str, str]]:
        sys.setprofile(None)
        seen, self.seen = self.seen, []
        return seen

    def _see(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith((f"{ROOT}/cli/", f"{ROOT}/venues/")):
            self.seen.append((code.co_filename.removeprefix(f"{ROOT}/"), code.co_qualname))


async def _to_record(way: Way, steps: _Steps) -> tuple[list[Any], list[tuple[str, str]]]:
    found = venue_named(way.venue)
    (line,) = found.routes([way.subscription], Settings("wss://v.example", values=way.values))
    driver, out = Driver(line, [way.subscription], venue=way.venue), list[Any]()
    clock = SystemClock()

    async def no_secrets() -> dict[str, str]:
        return {}

    connection = Connection(
        driver, fetch_secrets=no_secrets, deliver=out.extend, clock=clock, random=lambda: 0.5, redactor=Redactor()
    )
    driver.begin(dict.fromkeys(found.secrets, "secret"), 0.5)
    driver.opened(clock.now())
    for frame in way.welcome:
        driver.receive(frame, clock.now())
    connection._after_feeding()
    socket = SimpleNamespace()
    connection._begin_listening(cast("Any", socket))
    for number, frame in enumerate(way.frames, start=1):
        if number == len(way.frames):
            out.clear()
            steps.begin()
        socket.on_message(frame)
        for _ in range(3):
            await asyncio.sleep(0)
    seen = steps.end()
    connection._disarm()
    return [item for item in out if isinstance(item, Record)], seen


def _to_line(records: list[Any], steps: _Steps) -> list[tuple[str, str]]:
    lines = JsonLines(numbers_as_strings=False, to_terminal=False, redactor=Redactor())
    stdout = os.dup(1)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 1)
        steps.begin()
        lines.write(records)
        seen = steps.end()
    os.dup2(stdout, 1)
    os.close(stdout)
    return seen


def run() -> None:
    """Measure and print."""
    for way in WAYS:
        steps = _Steps()
        asyncio.run(_to_record(way, steps))  # so that figures are known that come again and again
        records, read = asyncio.run(_to_record(way, steps))
        assert records, "the last frame makes a record"
        written = _to_line(records, steps)
        files = {name for name, _ in (*read, *written)}
        what = f"{way.venue} {way.subscription.stream}"
        print(f"{what:<20} {len(read):>3} to the record, {len(written)} to the line, {len(files)} files", flush=True)
        if "steps" in sys.argv:
            for name, function in (*read, *written):
                print(f"    {name:<36} {function}")


if __name__ == "__main__":
    run()
