"""Where records come from: the lines to one venue, its simulator inside this process, or a recording."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from cli.output.queues import is_of
from cli.run.garbage import collect_after_a_line
from cli.settings import config
from cli.settings.config import Access
from cli.version import USER_AGENT
from venues import distribution_of, venue_named
from venues.connection import Connection
from venues.driver import Driver
from venues.errors import UsageError, VenueRefused, VenueUnreachable
from venues.fetching import shared_fetcher
from venues.full_states import FullStates
from venues.keepalive import Steps
from venues.made import routes_of
from venues.recording import play
from venues.streams import STREAMS
from venues.toolkit.acknowledgements import VERDICTS_WITHIN, together
from venues.venue import is_row_a_symbol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

    from venues import events
    from venues.connection import Clock
    from venues.driver import Delivered
    from venues.opening import Handshake
    from venues.recording import Header, Recording
    from venues.redaction import Redactor
    from venues.simulator import Simulator
    from venues.venue import Now, Route, Settings, Subscription, Venue


T = TypeVar("T")


class Embedded:
    """The simulator inside this process: started when the first source needs it, one for all of them."""

    def __init__(self) -> None:
        self._simulator: Simulator | None = None
        self._fault: asyncio.Future[None] | None = None

    async def simulator(self) -> Simulator:
        """The simulator, which is started at the first call."""
        if self._simulator is None:
            from venues.simulated import endpoints
            from venues.simulator import Simulator

            served = endpoints()
            for endpoint in served:
                check_starts(endpoint)
            self._fault = asyncio.get_running_loop().create_future()
            self._simulator = Simulator(served, on_fault=self._on_fault)
            await self._simulator.start()
        return self._simulator

    async def beside(self, work: Awaitable[T]) -> T:
        """The result of some work, which a fault of the simulator ends at once: what it serves is not to be trusted.

        Raises:
            Exception: the fault, as it was raised there.
        """
        if self._fault is None:
            return await work
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait((task, self._fault), return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else self._raised()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _raised(self) -> NoReturn:
        assert self._fault is not None
        fault = self._fault.exception()
        assert fault is not None, "a fault is an exception"
        raise fault

    def _on_fault(self, error: Exception, venues: Collection[str]) -> None:
        if self._fault is not None and not self._fault.done():
            self._fault.set_exception(error)
            self._fault.exception()  # it is no matter if the work has come to its end before

    async def close(self) -> None:
        """End the simulator, if it was ever started."""
        if self._simulator is not None:
            await self._simulator.close()


def check_starts(endpoint: Any) -> None:
    """Check that the simulated endpoint of a plug-in can be started: in a world of its own, without listening.

    Raises:
        ContractBroken: it cannot.
    """
    if not distribution_of(endpoint.name):
        return
    from venues.simulator import Simulator
    from venues.toolkit.guard import ContractBroken

    try:
        tried = Simulator([endpoint])
        if unknown := {*endpoint.symbols.values()} - {*tried.world.markets}:
            raise ValueError(
                f"expected markets of the simulator ({', '.join(tried.world.markets)}), got {min(unknown)}"
            )
        tried.made()
        tried.values(endpoint.name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        words = f"its simulator cannot be started: {type(error).__name__}: {error}".partition("\n")[0]
        raise ContractBroken(words, venue=endpoint.name) from error


async def access_to(
    venue: Venue,
    env: str | None,
    profile: str | None,
    embedded: Embedded,
    say: Callable[[str], None],
    *,
    streams: Collection[str] = (),
    by_hand: bool = True,
) -> Access:
    """Where a venue is and what is configured for it; starts the simulator where it is the venue.

    `streams`: what it is for; where all of them are public, no secret is needed. `by_hand`: an address that the user
    has set comes before the simulator.

    Raises:
        UsageError: the venue has no such environment, or no simulator.
        SetupError: something is missing or cannot be used.
    """
    access = await _access_to(venue, env, profile, embedded, say, streams, by_hand)
    return replace(access, say=say)


async def access_for_symbols(
    venue: Venue, env: str | None, profile: str | None, embedded: Embedded, say: Callable[[str], None]
) -> Access:
    """As `access_to`, for the list of the venue's symbols: without secrets, and without an address where none is set.

    Raises:
        UsageError: the venue has no such environment, or no simulator.
        SetupError: something cannot be used.
    """
    access = await _access_to(venue, env, profile, embedded, say, (), True, for_symbols=True)
    return replace(access, say=say)


async def _access_to(
    venue: Venue,
    env: str | None,
    profile: str | None,
    embedded: Embedded,
    say: Callable[[str], None],
    streams: Collection[str],
    by_hand: bool,
    *,
    for_symbols: bool = False,
) -> Access:
    configured = config.load()
    access = configured.access_for_symbols if for_symbols else partial(configured.access, streams=streams)
    if env != config.SIM:
        return access(venue, env, profile)
    set_by_hand = configured.any_address_by_hand(venue, None, profile) if by_hand else None
    if set_by_hand is not None:
        say(f"the address set as {set_by_hand.origin} comes before --env sim")
        return access(venue, None, profile)
    if not venue.simulator:
        raise UsageError(
            f"{venue.name} has no simulator: expected one of its environments ({', '.join(venue.environments)}) as "
            f'--env, got "{config.SIM}"'
        )
    simulator = await embedded.simulator()
    given = simulator.credentials(venue.name) | simulator.values(venue.name)
    url, rest_url = simulator.url(venue.name), simulator.rest_url(venue.name)
    return configured.simulated(venue, url, given, profile, rest_url=rest_url)


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
        first_line: int = 0,
        beside: Mapping[str, Sequence[Subscription]] | None = None,
    ) -> None:
        """A `recording` is played instead of connecting; `retries` as the option of that name.

        `apart`: a line that has ended for good, because the venue refused it say, leaves the others on, and so does a
        stream that is refused alone. `first_line`: the number of the first line for a tap. `beside`: what is wanted of
        a recording's other venues, by name.
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
        self._first_line = first_line
        self._beside = beside or {}
        self._access: Access | None = None
        self._embedded: Embedded | None = None
        self._connections: list[Connection] = []

    async def open(self, embedded: Embedded, say: Callable[[str], None]) -> Settings:
        """Find out where the venue is and what is configured for it; starts the simulator where it is the venue.

        Raises:
            SetupError: something is missing or cannot be used.
        """
        self._access = await self._find(embedded, say)
        self._embedded = embedded
        return self._access.settings

    async def run(
        self,
        deliver: Callable[[list[Delivered]], None],
        *,
        deliver_replayed: Callable[[list[Delivered], Now, int], Awaitable[None] | None],
        speed: float = 1.0,
        pauses: bool = True,
        tap: Callable[[events.Event], None] | None = None,
    ) -> None:
        """Deliver what comes until `leave`, until the recording ends, or until a line (with `apart`: every line) has
        ended for good. What `deliver_replayed` returns is awaited before the next event, unless it is None; without
        `pauses` nothing else is.

        Raises:
            MonError: what ended it; with `apart` what ended the first of the lines.
        """
        assert self._access is not None, "open() comes first"
        if self._recording is None:
            drivers = self._drivers(self._venue, self._subscriptions, self._access.settings, apart=self._apart)
            assert self._embedded is not None
            await self._embedded.beside(self._connect(drivers, self._access, self._with_ends(deliver), tap))
            return
        drivers, heard = self._recorded_drivers(self._recording.header)
        secrets = {name for venue, _ in self.played() for name in self._venue_named(venue).secrets}
        wanted = [line for line, streams in enumerate(heard) if any(streams.values())]

        full_states = self._full_states()

        hear = [_hearing(streams) for streams in heard]

        def deliver_wanted(items: list[Delivered], now: Now, line: int) -> Awaitable[None] | None:
            given = hear[line](items)
            for one in full_states:
                given = one.completed(given)
            waits = deliver_replayed(given, now, line)
            for driver in drivers:
                if driver.refused:
                    return after_refusals(waits)
            return waits

        async def after_refusals(waits: Awaitable[None] | None) -> None:
            if waits is not None:
                await waits
            _raise_if_all_refused(drivers, heard)

        await play(
            self._recording,
            drivers,
            speed=speed,
            sleep=self._clock.sleep,
            deliver=deliver_wanted,
            tap=None if tap is None else _tap_of(wanted, tap),
            secrets={name: f"[{name}]" for name in secrets},
            apart=self._apart,
            ends_with=wanted,
            pauses=pauses,
        )

    def played(self) -> list[tuple[str, list[Subscription]]]:
        """What is played of a recording: its venues, each with its subscriptions, in the order of their lines."""
        venues = [] if self._recording is None else self._recording.header.venues()
        return [(one.venue, _with_wanted(one.asked_for(), self._wanted(one.venue))) for one in venues]

    def _wanted(self, venue: str) -> Sequence[Subscription]:
        return self._subscriptions if venue == self._venue.name else self._beside.get(venue, ())

    def _venue_named(self, name: str) -> Venue:
        return self._venue if name == self._venue.name else venue_named(name)

    def _full_states(self) -> list[FullStates]:
        """One for each stream with a row a symbol: all connections that bring it have a part in its full state."""
        assert self._access is not None, "open() comes first"
        offers, label = self._venue.streams, self._access.settings.label
        return [
            FullStates(one.stream, one.symbols, venue=self._venue.name, label=label)
            for one in self._subscriptions
            if one.symbols and is_row_a_symbol(STREAMS[one.stream], offers[one.stream])
        ]

    def _with_ends(self, deliver: Callable[[list[Delivered]], None]) -> Callable[[list[Delivered]], None]:
        """`deliver`, with the end of each full state of a stream with a row a symbol."""
        for one in self._full_states():
            deliver = partial(_deliver_completed, deliver, one)
        return deliver

    def _drivers(
        self, venue: Venue, subscriptions: Sequence[Subscription], settings: Settings, *, apart: bool
    ) -> list[Driver]:
        routes = routes_of(venue, subscriptions, settings)
        return [
            Driver(
                route,
                route.subscriptions,
                venue=venue.name,
                label=settings.label,
                retries=self._retries,
                apart=apart,
                hide=self._redactor.text,
                partly=_streams_in_part(route, routes),
            )
            for route in routes
        ]

    def _recorded_drivers(self, header: Header) -> tuple[list[Driver], list[dict[str, bool]]]:
        """A recording is played on the lines that it was made on, also when not all of its streams are wanted.

        Beside the drivers, for each of them its streams and whether they are wanted.
        """
        drivers: list[Driver] = []
        heard: list[dict[str, bool]] = []
        for one, (name, subscriptions) in zip(header.venues(), self.played(), strict=True):
            venue, settings, wanted = self._venue_named(name), one.settings(), self._wanted(name)
            # A stream that nobody wants now must not end the others when it is refused.
            apart = self._apart or any(each not in wanted for each in subscriptions)
            drivers += self._drivers(venue, subscriptions, settings, apart=apart)
            for route in routes_of(venue, subscriptions, settings):
                streams = {each.stream for each in route.subscriptions}
                asked = {each.stream for each in route.subscriptions if is_part_of(each, wanted)}
                heard.append({stream: stream in asked for stream in streams})
        return drivers, heard

    @property
    def has_proxy(self) -> bool:
        """Whether the connections go through a proxy, once it is open."""
        return self._access is not None and self._access.proxy is not None

    def handshakes(self) -> list[Handshake]:
        """What the openings of the connections told, of those that were open."""
        return [one.handshake for one in self._connections if one.handshake is not None]

    def leave(self) -> None:
        """Take leave of the venue; a recording is ended by cancelling `run`."""
        for connection in self._connections:
            connection.leave()

    async def _find(self, embedded: Embedded, say: Callable[[str], None]) -> Access:
        if self._recording is not None:
            recorded = self._recording.header.of(self._venue.name)
            assert recorded is not None, "asked for what the recording is of"
            return Access(recorded.settings(), {}, None)
        streams = [subscription.stream for subscription in self._subscriptions]
        return await access_to(self._venue, self._env, self._profile, embedded, say, streams=streams)

    async def _connect(
        self,
        drivers: Sequence[Driver],
        access: Access,
        deliver: Callable[[list[Delivered]], None],
        tap: Callable[[events.Event], None] | None,
    ) -> None:
        steps, clock = Steps(), self._clock
        fetcher = shared_fetcher(
            self._venue.name,
            self._venue.requests_per_second,
            now=clock.now,
            sleep=clock.sleep,
            user_agent=USER_AGENT,
        )
        self._connections = [
            Connection(
                driver,
                fetch_secrets=access.fetch,
                deliver=deliver,
                clock=clock,
                random=random.random,
                redactor=self._redactor,
                tap=tap,
                line=number,
                proxy=access.proxy,
                user_agent=USER_AGENT,
                steps=steps,
                fetcher=fetcher,
                rest_proxy=access.rest_proxy,
                tidy=collect_after_a_line,
            )
            for number, driver in enumerate(drivers, start=self._first_line)
        ]
        tasks = [asyncio.create_task(connection.run()) for connection in self._connections]
        try:
            await (_all_ended(tasks) if self._apart else until_ended(tasks))
        finally:
            self.leave()
            await asyncio.gather(*tasks, return_exceptions=True)


def _tap_of(lines: Sequence[int], tap: Callable[[events.Event], None]) -> Callable[[events.Event], None]:
    """`tap`, for events of these lines alone."""

    def tap_wanted(event: events.Event) -> None:
        if event.line in lines:
            tap(event)

    return tap_wanted


def _deliver_completed(
    deliver: Callable[[list[Delivered]], None], full_states: FullStates, items: list[Delivered]
) -> None:
    deliver(full_states.completed(items))


def _streams_in_part(route: Route, routes: Sequence[Route]) -> set[str]:
    """The streams of a route that have further symbols on another one."""
    others = {one.stream for other in routes if other is not route for one in other.subscriptions if one.symbols}
    return {one.stream for one in route.subscriptions if one.symbols} & others


def _raise_if_all_refused(drivers: Sequence[Driver], heard: Sequence[Mapping[str, bool]]) -> None:
    asked = [
        (driver, stream)
        for driver, streams in zip(drivers, heard, strict=True)
        for stream in streams
        if streams[stream]
    ]
    refused = [driver.refused[stream] for driver, stream in asked if stream in driver.refused]
    if refused and len(refused) == len(asked):
        raise refused[0]


def _with_wanted(recorded: Sequence[Subscription], wanted: Sequence[Subscription]) -> list[Subscription]:
    """What was recorded, as it is wanted now: with another depth or other topics, say; then what came along unasked."""
    left = list(wanted)
    merged = []
    for one in recorded:
        several = sum(other.stream == one.stream for other in recorded) > 1
        fitting = (
            other
            for other in left
            if other.stream == one.stream
            and (not several or (other.symbols, other.interval) == (one.symbols, one.interval))
        )
        found = next(fitting, one)
        merged.append(found)
        if found in left:
            left.remove(found)
    return [*merged, *left]


def is_part_of(one: Subscription, wanted: Sequence[Subscription]) -> bool:
    """Whether a route's subscription is one of those that are wanted, or some of its symbols."""
    return any(
        set(one.symbols) <= set(whole.symbols) and replace(whole, symbols=one.symbols) == one for whole in wanted
    )


def _hearing(streams: Mapping[str, bool]) -> Callable[[list[Delivered]], list[Delivered]]:
    """What picks out of a message of a line what is wanted; `streams` are the line's, and whether each is wanted."""
    if streams and all(streams.values()):
        return lambda items: items
    of_kind: dict[type, bool] = {}  # of what its kind alone says the stream of: a record of data

    def hear(items: list[Delivered]) -> list[Delivered]:
        wanted: list[Delivered] = []
        for item in items:
            kind = item.__class__
            is_wanted = of_kind.get(kind)
            if is_wanted is None:
                is_wanted = _is_heard(item, streams)
                if not hasattr(item, "stream"):
                    of_kind[kind] = is_wanted
            if is_wanted:
                wanted.append(item)
        return wanted

    return hear


def _is_heard(item: Delivered, streams: Mapping[str, bool]) -> bool:
    """Whether what a line gives is wanted; what is of no stream belongs to all that the line has."""
    if any(is_of(item, stream) for stream, wanted in streams.items() if wanted):
        return True
    return any(streams.values()) and not any(is_of(item, stream) for stream in streams)


async def until_ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait until a line has ended for good; one whose symbols were all taken and refused later leaves the others on.

    Raises:
        MonError: what ended it. Where symbols were refused at the beginning, it names those of all lines.
    """
    late: list[VenueRefused] = []
    waiting = set(tasks)
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in (task for task in tasks if task in done):
            problem = task.exception()
            if isinstance(problem, VenueRefused) and problem.late:
                late.append(problem)
            elif isinstance(problem, VenueRefused) and problem.symbols:
                if waiting:
                    await asyncio.wait(waiting, timeout=VERDICTS_WITHIN)
                raise together(_refusals(task.exception() for task in tasks if task.done()))
            elif problem is not None:
                raise problem
    if len(late) == len(tasks):
        raise together(late) if all(one.symbols for one in late) else late[0]


def _refusals(problems: Iterable[BaseException | None]) -> list[VenueRefused]:
    return [one for one in problems if isinstance(one, VenueRefused) and one.symbols and not one.late]


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
    if len(problems) == len(tasks):  # otherwise we have left by ourselves
        raise problems[0]
