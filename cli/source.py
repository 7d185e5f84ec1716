"""Where records come from: the lines to one venue, its simulator inside this process, or a recording."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from cli import config
from cli.queues import is_of
from venues.connection import Connection
from venues.driver import Driver
from venues.errors import VenueRefused, VenueUnreachable
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
        apart: bool = False,
    ) -> None:
        """A `recording` is played instead of connecting; `retries` as the option of that name.

        `apart`: a line that has ended for good, because the venue refused it say, leaves the others on, and so does a
        stream that is refused alone.
        """
        self._venue = venue
        self._subscriptions = subscriptions
        self._env = env
        self._profile = profile
        self._retries = retries
        self._clock = clock
        self._redactor = redactor
        self._recording = recording
        self._apart = apart
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
        """Deliver what comes until `leave`, until the recording ends, or until a line (with `apart`: every line) has
        ended for good.

        Raises:
            MonError: what ended it; with `apart` what ended the first of the lines.
        """
        assert self._access is not None, "open() comes first"
        settings = self._access.settings
        subscriptions = self._all_subscriptions()
        apart = self._apart or (self._recording is not None and len(subscriptions) > 1)
        drivers = [
            Driver(
                line,
                line.subscriptions,
                venue=self._venue.name,
                label=settings.label,
                retries=self._retries,
                apart=apart,
            )
            for line in self._venue.lines(subscriptions, settings)
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
                deliver=self._wanted(deliver_replayed, drivers),
                tap=tap,
                secrets=placeholders,
                apart=self._apart,
            )

    def _all_subscriptions(self) -> Sequence[Subscription]:
        """A recording is played on the lines that it was made on, also when not all of its streams are wanted."""
        if self._recording is None:
            return self._subscriptions
        wanted = {subscription.stream: subscription for subscription in self._subscriptions}
        recorded = {subscription.stream: subscription for subscription in self._recording.header.asked_for()}
        return list({**recorded, **wanted}.values())

    def _wanted(
        self, deliver: Callable[[list[Delivered], Now], Awaitable[None]], drivers: Sequence[Driver]
    ) -> Callable[[list[Delivered], Now], Awaitable[None]]:
        """Delivers what is wanted of a recording of more, and ends when all that is wanted was refused."""
        wanted = [subscription.stream for subscription in self._subscriptions]
        others = [one.stream for one in self._all_subscriptions() if one.stream not in wanted]
        if not others:
            return deliver

        def is_wanted(item: Delivered) -> bool:
            return not any(is_of(item, stream) for stream in others) or any(is_of(item, stream) for stream in wanted)

        async def deliver_wanted(items: list[Delivered], now: Now) -> None:
            await deliver([item for item in items if is_wanted(item)], now)
            refused = [driver.refused[stream] for driver in drivers for stream in wanted if stream in driver.refused]
            if len(refused) == len(wanted):
                raise refused[0]

        return deliver_wanted

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
            await (_all_ended(tasks) if self._apart else asyncio.gather(*tasks))
        finally:
            self.leave()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _all_ended(tasks: Collection[asyncio.Task[None]]) -> None:
    """Until every line has ended, or what is no matter of one line has gone wrong.

    Raises:
        MonError: what ended the first of them.
    """
    problems: list[BaseException] = []
    waiting = set(tasks)
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            problem = task.exception()
            if problem is not None:
                problems.append(problem)
            if problem is not None and not isinstance(problem, VenueRefused | VenueUnreachable):
                raise problem
    if len(problems) == len(tasks):  # else we have left
        raise problems[0]
