"""The simulated venues behind one loopback port."""

from __future__ import annotations

import asyncio
import math
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, Final, Self

from venues.simulator.endpoint import HOST, Heartbeat, address, rest_address
from venues.simulator.tape import read_tape
from venues.simulator.world import TAPE_MARKET, World
from venues.simulator.world_clock import RunningClock, WorldClock

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from venues.simulator.endpoint import Endpoint
    from venues.simulator.faults import Fault
    from venues.simulator.server import Server

_HEARTBEAT: Final = Heartbeat()


class Simulator:
    """The simulated venues on one loopback port, each under its own path prefix (`/<venue>`).

    `endpoints` are the classes of those that it serves. `seed` decides all that happens, `rate` is the number of public
    order events a second and market. A `tape` is played on `BTC_USDT` instead of the random flow, `speed` times as fast
    as it was (math.inf: as fast as possible), from the moment that the first client comes to that market. `port` 0
    takes any free one. `heartbeat` is that of the venues on Socket.IO, in real seconds whatever the clock; Engine.IO
    tells its clients whole seconds of it. In its first `hush` seconds, a client of a hub of signals gets only signals
    of senders, none of the hub's own.

    `on_fault` is called with each exception that endpoints raised, and their venues: one for a client ends that
    connection, one in the world ends the venue, and the others go on. It is called without venues for an exception that
    stopped the world. Without `on_fault` exceptions are raised where they are noticed, by `close` at the latest.

    Raises:
        TapeError: the tape cannot be read.
        ValueError: a number is not one that makes sense.
    """

    def __init__(
        self,
        endpoints: Sequence[type[Endpoint]],
        *,
        seed: int = 1,
        rate: float = 20.0,
        tape: Path | None = None,
        speed: float = 1.0,
        faults: Sequence[Fault] = (),
        clock: WorldClock | None = None,
        port: int = 0,
        heartbeat: Heartbeat = _HEARTBEAT,
        hush: float = 0.0,
        on_fault: Callable[[Exception, Collection[str]], None] | None = None,
    ) -> None:
        if not 0 <= rate < math.inf:
            raise ValueError(f"expected a rate of 0 or more events a second, got {rate}")
        if not speed > 0:
            raise ValueError(f"expected a speed above 0, got {speed}")
        self.port = port
        self._endpoints: Final = {endpoint.name: endpoint for endpoint in endpoints}
        self.world: Final = World(
            clock or RunningClock(),
            seed=seed,
            rate=rate,
            tape=None if tape is None else read_tape(tape),
            speed=speed,
            hush=hush,
            skip=next((fault.seconds for fault in faults if fault.kind == "skip"), 0.0),
            faults={fault.kind: fault.seconds for fault in faults if fault.seconds},
        )
        self._unpaced = {TAPE_MARKET} if tape is not None and math.isinf(speed) else set()
        self._faults = tuple(faults)
        self._heartbeat = heartbeat
        self._server: Server | None = None
        self._driver: asyncio.Task[None] | None = None
        self._on_fault = on_fault
        self.world.stage.failed = self._ends_its_venues

    async def start(self) -> None:
        """Listen on the port and start the world.

        Raises:
            OSError: the port cannot be had.
        """
        if self._server is not None:
            raise RuntimeError("the simulator has been started already")
        server = self.made()
        self.port = await server.start(HOST, self.port)
        self._server = server
        self._driver = asyncio.create_task(self.world.run())
        self._driver.add_done_callback(self._driven)

    def made(self) -> Server:
        """A server of its endpoints that does not listen yet; raises whatever is wrong with one of them."""
        from venues.simulator.server import Server

        endpoints = [made(self.world) for made in self._endpoints.values()]
        return Server(self.world, endpoints, self._faults, self._unpaced, self._heartbeat, self._is_told)

    async def close(self) -> None:
        """End all connections and the world, and wait for them; an exception that stopped the world is raised here."""
        server, driver = self._server, self._driver
        self._server = self._driver = None
        if server is not None:
            await server.close()
        if driver is not None:
            driver.cancel()
            try:
                await driver
            except asyncio.CancelledError:
                pass
            except Exception:
                if self._on_fault is None:
                    raise

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def endpoints(self) -> Sequence[type[Endpoint]]:
        """The classes of the endpoints that it serves."""
        return [*self._endpoints.values()]

    def url(self, venue: str) -> str:
        """The address before the venue's own paths: `ws://127.0.0.1:PORT/<venue>`. Known once started."""
        if not self.port:
            raise RuntimeError("the simulator has no port before it is started")
        return address(self._endpoints[venue], self.port)

    def rest_url(self, venue: str) -> str:
        """The address for HTTP requests, before the venue's own paths; empty where it has none. Known once started."""
        if not self.port:
            raise RuntimeError("the simulator has no port before it is started")
        return rest_address(self._endpoints[venue], self.port)

    def credentials(self, venue: str) -> dict[str, str]:
        """The credentials that the venue accepts, by name: `{"client_key": …}`."""
        return dict(self._endpoints[venue].credentials)

    def values(self, venue: str) -> dict[str, Any]:
        """The values that a client needs in its configuration to read the venue right, by name; mostly empty.

        Such as `{"symbols": {"BTCUSDT": {"tick_size": "0.01", "lot_size": "0.0001"}, …}}`, as this simulator's own
        markets have them.
        """
        return self._endpoints[venue].values(self.world)

    def _driven(self, driver: asyncio.Task[None]) -> None:
        # A world that stopped by a fault of ours must not look like a quiet market.
        if driver.cancelled() or self._server is None or (error := driver.exception()) is None:
            return
        self._server.abort()
        if self._on_fault is not None and isinstance(error, Exception):
            self._on_fault(error, ())

    def _ends_its_venues(self, error: Exception) -> bool:
        """Ends the venues whose endpoints raised an exception in the world, and tells of it; False: there is none."""
        if not self._is_told(error):
            return False
        if self._server is not None:
            self._server.fail(self._whose(error))
        return True

    def _is_told(self, error: Exception) -> bool:
        """Tells of an exception that an endpoint raised; False: it was none that did, or there is nobody to tell."""
        venues = self._whose(error)
        if self._on_fault is None or not venues:
            return False
        self._on_fault(error, venues)
        return True

    def _whose(self, error: Exception) -> set[str]:
        """The venues through whose code an exception came."""
        came_through = {_package(frame.f_globals.get("__name__")) for frame, _ in walk_tb(error.__traceback__)}
        return {name for name, made in self._endpoints.items() if _package(made.__module__) in came_through}


def _package(module: object) -> str:
    """The package of a venue: a folder of `venues`, or one of somebody else's."""
    first, _, rest = str(module).partition(".")
    return f"{first}.{rest.partition('.')[0]}" if first == "venues" else first
