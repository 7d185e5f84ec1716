"""Where records come from: the lines to one venue, its simulator inside this process, or a recording."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from cli import config
from venues.connection import Connection
from venues.driver import Driver
from venues.recording import play

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from venues import history
    from venues.connection import Clock
    from venues.driver import Delivered
    from venues.recording import Recording
    from venues.redaction import Redactor
    from venues.simulator import Simulator
    from venues.venue import Now, Settings, Subscription, Venue


class Embedded:
    """The simulator inside this process: started when the first source needs it, one for all of them."""

    def __init__(self) -> None:
        self._simulator: Simulator | None = None

    async def simulator(self) -> Simulator:
        """The one simulator, running."""
        if self._simulator is None:
            from venues.simulator import Simulator

            self._simulator = Simulator()
            await self._simulator.start()
        return self._simulator

    async def close(self) -> None:
        """Ends it, if it was ever started."""
        if self._simulator is not None:
            await self._simulator.close()


async def access_to(
    venue: Venue,
    env: str | None,
    profile: str | None,
    embedded: Embedded,
    say: Callable[[str], None],
    *,
    streams: Collection[str] = (),
    by_hand: bool = True,
) -> config.Access:
    """Where a venue is and what is configured for it; starts the simulator where it is the venue.

    `streams`: what it is for; where all of them are public, no secret is needed. `by_hand`: an address that the user
    has set comes before the simulator.

    Raises:
        SetupError: something is missing or cannot be used.
    """
    configured = config.load()
    if env != config.SIM:
        return configured.access(venue, env, profile, streams)
    set_by_hand = configured.address_by_hand(venue, None, profile) if by_hand else None
    if set_by_hand is not None:
        say(f"the address set as {set_by_hand.origin} comes before --env sim")
        return configured.access(venue, None, profile, streams)
    simulator = await embedded.simulator()
    given = simulator.credentials(venue.name) | simulator.values(venue.name)
    return configured.simulated(venue, simulator.url(venue.name), given, profile)


class Source:
    """All that some subscriptions at one venue bring. `open` first, then `run`, which `leave` ends."""

    def __init__(
        self,
        venue: Venue,
        subscriptions: Sequence[Subscription],
        *,
        env: str | None,
        profile: str | None,
        retries: int | None,
        clock: Clock,
        redactor: Redactor,
        recording: Recording | None = None,
    ) -> None:
        """A `recording` is played instead of connecting; `retries` as the option of that name."""
        self._venue = venue
        self._subscriptions = subscriptions
        self._env = env
        self._profile = profile
        self._retries = retries
        self._clock = clock
        self._redactor = redactor
        self._recording = recording
        self._access: config.Access | None = None
        self._connections: list[Connection] = []

    async def open(self, embedded: Embedded, say: Callable[[str], None]) -> Settings:
        """Find out where the venue is and what is configured for it; starts the simulator where it is the venue.

        Raises:
            SetupError: something is missing or cannot be used.
        """
        self._access = await self._find(embedded, say)
        return self._access.settings

    async def run(
        self,
        deliver: Callable[[list[Delivered]], None],
        *,
        deliver_replayed: Callable[[list[Delivered], Now], Awaitable[None]],
        speed: float = 1.0,
        tap: Callable[[history.Event], None] | None = None,
    ) -> None:
        """Deliver what comes until `leave`, until the recording ends, or until a line has ended for good.

        Raises:
            MonError: what ended it.
        """
        assert self._access is not None, "open() comes first"
        settings = self._access.settings
        drivers = [
            Driver(
                line,
                line.subscriptions,
                venue=self._venue.name,
                label=settings.label,
                retries=self._retries,
            )
            for line in self._venue.lines(self._subscriptions, settings)
        ]
        if self._recording is None:
            await self._connect(drivers, self._access, deliver, tap)
        else:
            placeholders: Mapping[str, str] = {name: f"[{name}]" for name in self._venue.secrets}
            await play(
                self._recording,
                drivers,
                speed=speed,
                sleep=self._clock.sleep,
                deliver=deliver_replayed,
                tap=tap,
                secrets=placeholders,
            )

    def leave(self) -> None:
        """Take leave of the venue; a recording is ended by cancelling `run`."""
        for connection in self._connections:
            connection.leave()

    async def _find(self, embedded: Embedded, say: Callable[[str], None]) -> config.Access:
        if self._recording is not None:
            return config.Access(self._recording.header.settings(), {}, None)
        streams = [subscription.stream for subscription in self._subscriptions]
        return await access_to(self._venue, self._env, self._profile, embedded, say, streams=streams)

    async def _connect(
        self,
        drivers: Sequence[Driver],
        access: config.Access,
        deliver: Callable[[list[Delivered]], None],
        tap: Callable[[history.Event], None] | None,
    ) -> None:
        self._connections = [
            Connection(
                driver,
                fetch_secrets=access.fetch,
                deliver=deliver,
                clock=self._clock,
                random=random.random,
                redactor=self._redactor,
                tap=tap,
                line=number,
                proxy=access.proxy,
            )
            for number, driver in enumerate(drivers)
        ]
        tasks = [asyncio.create_task(connection.run()) for connection in self._connections]
        try:
            await asyncio.gather(*tasks)  # the first that ends for good ends all
        finally:
            self.leave()
            await asyncio.gather(*tasks, return_exceptions=True)
