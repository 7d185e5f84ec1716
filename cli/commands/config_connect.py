"""Which venues can be reached with what is configured: `mon config check --connect`.

Each venue and environment that has all it needs is dialled, all of them at once, and told in one line.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.errors import FAULT, INTERRUPTED, OK, SETUP, UNREACHABLE, exit_code
from cli.interrupts import asked_to_end, has_come
from cli.output import cells
from cli.output.lines import print_out
from cli.run.ending import ended_within
from cli.run.source import Embedded, Source
from cli.settings.config_shape import PRODUCTION
from cli.settings.environment import variable
from venues import all_venues, fault_in, venue_named
from venues.connection import SystemClock
from venues.errors import MonError, SetupError, VenueRefused
from venues.events import Answered, Dialled
from venues.records import Record, SnapshotEnd, Status
from venues.toolkit.times import span
from venues.venue import BadFrame, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cli.settings.config import Config
    from venues.driver import Delivered
    from venues.events import Event
    from venues.opening import Handshake
    from venues.redaction import Redactor
    from venues.venue import Now, Offer, Settings, Venue

WITHIN = 10.0  # seconds for a connection and its first data
LEAVE_WITHIN = 0.7
END_WITHIN = 0.1  # seconds after Ctrl-C
SECOND = 2_000  # milliseconds that the second of a `Date` header may be over: servers keep it for a second more
LONGEST_REASON = 500  # characters

_ONE_TRY = "; gave up after 1 try"  # there is never another


@dataclass(frozen=True)
class Target:
    """One environment of a venue, and the profile whose values it is reached with; `missing`: what it needs and has
    not, so that it cannot be dialled."""

    venue: Venue
    environment: str
    profile: str | None
    missing: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As `mon config check` heads its lines."""
        return f"{self.venue.name} {self.environment}" + (f" --profile {self.profile}" if self.profile else "")

    @property
    def what_is_missing(self) -> str:
        """Where what is missing can be set."""
        own = None if self.environment == PRODUCTION else self.environment
        return ", ".join(f"{name} ({variable(self.venue.name, own, name)} or the config file)" for name in self.missing)


def check(config: Config, names: Sequence[str], redactor: Redactor, say: Callable[[str], None]) -> int:
    """Dial the venues of these names, all of them without any, and print a line for each; the highest exit code.

    Raises:
        UsageError: there is no such venue.
        SetupError: the config file that is named is not there, or a plug-in that is named cannot be loaded.
    """
    from cli.interrupts import run_loop

    if config.missing:
        raise SetupError(config.missing_words())
    venues = {name: venue_named(name) for name in names} if names else all_venues(say)
    codes, targets, left_out = [OK], [], []
    for name, venue in venues.items():
        try:
            found = list(targets_of(config, venue))
        except SetupError as error:
            print_out(_line(name, [str(error)], redactor))
            codes.append(SETUP)
            continue
        ready = [one for one in found if not one.missing]
        targets += ready
        for one in found if names else ():
            if one.missing:
                print_out(
                    _line(one.name, [f"not dialled, since something is missing: {one.what_is_missing}"], redactor)
                )
        if names and not ready:
            codes.append(SETUP)
        elif not ready:
            left_out.append(name)
    if left_out:
        say(f"not dialled, since something is missing: {', '.join(left_out)}; mon config check says what")
    return run_loop(_dial_all(config, targets, redactor, say, codes))


def targets_of(config: Config, venue: Venue) -> Iterator[Target]:
    """The environments of a venue, and of its profiles those that have values of their own.

    Raises:
        SetupError: a section of the venue has something unknown in it, or of the wrong kind.
    """
    config.check_sections(venue)
    for environment in venue.environments:
        yield Target(venue, environment, None, tuple(_missing(config, venue, environment, None)))
    for profile, tables in config.data.get("profiles", {}).items():
        table = tables.get("venues", {}).get(venue.name, {})
        for environment in venue.environments:
            own = table.get(environment, {}) if environment != PRODUCTION else table.keys() - venue.environments.keys()
            if own:
                yield Target(venue, environment, profile, tuple(_missing(config, venue, environment, profile)))


def _missing(config: Config, venue: Venue, environment: str, profile: str | None) -> Iterator[str]:
    if not venue.environments[environment] and config.any_address_by_hand(venue, environment, profile) is None:
        yield "url"
    needed = [*venue.required, *(() if _public(venue) else venue.secrets)]
    yield from (name for name in needed if config.find(venue, environment, profile, name) is None)


def _public(venue: Venue) -> list[str]:
    """The streams that need no credential, those that bring data first."""
    return sorted((name for name, offer in venue.streams.items() if offer.public), key=lambda name: name == "ping")


def _private(venue: Venue) -> str | None:
    """The stream that tells best whether a credential is accepted: one that begins with a full state, if any does."""
    private = [name for name, offer in venue.streams.items() if not offer.public]
    return min(private, key=lambda name: (venue.streams[name].partial, private.index(name)), default=None)


# --- all of them ---------------------------------------------------------------------------------------------------


async def _dial_all(
    config: Config, targets: Sequence[Target], redactor: Redactor, say: Callable[[str], None], codes: list[int]
) -> int:
    """Dial all at once, and print the lines in their order; the highest code, or that of the signal that came."""
    stopped: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def stop(code: int) -> None:
        if not stopped.done():
            stopped.set_result(code)

    with asked_to_end(stop):
        if has_come():
            return INTERRUPTED
        dials = [asyncio.create_task(_Dial(config, one, redactor, say).tell()) for one in targets]
        try:
            for target, dial in zip(targets, dials, strict=True):
                await asyncio.wait((dial, stopped), return_when=asyncio.FIRST_COMPLETED)
                if stopped.done():
                    return stopped.result()
                parts, code = dial.result()
                print_out(_line(target.name, parts, redactor))
                codes.append(code)
        finally:
            stopped.cancel()
            await asyncio.gather(*(ended_within(dial, END_WITHIN) for dial in dials if not dial.done()))
    return max(codes)


def _line(name: str, parts: Sequence[str], redactor: Redactor) -> str:
    return f"{name}: " + "; ".join(cells.harmless(redactor.text(part), LONGEST_REASON) for part in parts)


class _Dial:
    """One venue and environment: the connection that brings the first data, and where that needs no credential and one
    is set, another one that needs it."""

    def __init__(self, config: Config, target: Target, redactor: Redactor, say: Callable[[str], None]) -> None:
        self._config = config
        self._target = target
        self._redactor = redactor
        self._say = say

    async def tell(self) -> tuple[list[str], int]:
        """The parts of the line, and the exit code."""
        venue, target = self._target.venue, self._target
        public = _public(venue)
        stream = public[0] if public else next(iter(venue.streams))
        probes = [self._probe(stream)]
        unset = [
            name for name in venue.secrets if self._config.find(venue, target.environment, target.profile, name) is None
        ]
        private = _private(venue)
        if public and venue.secrets and private is not None and not unset:
            probes.append(self._probe(private))
        await asyncio.gather(*(probe.run() for probe in probes))
        first = probes[0]
        parts = [*self._where(first), *self._credential(first, probes[1:], unset)]
        parts += first.words_of_data()
        if first.skew is not None:
            parts.append(first.skew.words())
        return parts, max(probe.code for probe in probes)

    def _probe(self, stream: str) -> _Probe:
        return _Probe(self._target, stream, self._redactor, self._say)

    def _where(self, first: _Probe) -> list[str]:
        if first.settings is None:
            return []
        settings, opened = first.settings, first.handshake
        addresses = [one for one in (settings.url, settings.rest_url) if one]
        through = self._config.proxy_source(settings.url) if first.has_proxy else None
        parts = [" and ".join(addresses) + (f" through the proxy of {through.origin}" if through else "")]
        if opened is not None:
            parts.append(opened.tls.replace("TLSv", "TLS ") or "no TLS")
        elif first.was_answered:
            parts.append("TLS" if settings.url.startswith("wss:") else "no TLS")
        return parts

    def _credential(self, first: _Probe, beside: Sequence[_Probe], unset: Sequence[str]) -> list[str]:
        venue = self._target.venue
        names = ", ".join(venue.secrets)
        if first.settings is None:
            return []  # it does not come to that
        if not names:
            return ["no credential needed"]
        if unset:
            return [f"{', '.join(unset)} not set, which {first.stream} does not need"]
        asked = beside[0] if beside else first
        if asked is not first and asked.problem is not None:
            said = asked.problem_words()
            return [] if [said] == first.words_of_data() else [f"{names}: {said}"]
        if asked.problem is not None or asked.handshake is None:
            return []  # the problem is told behind it
        return [f"{names} accepted" if asked.first_ms is not None else f"{names} not refused"]


class _Probe:
    """One connection for one stream, until the first data or `WITHIN` seconds; then it is left in order."""

    def __init__(self, target: Target, stream: str, redactor: Redactor, say: Callable[[str], None]) -> None:
        self.stream = stream
        self.settings: Settings | None = None
        self.handshake: Handshake | None = None
        self.was_answered = False  # there is an HTTP answer instead
        self.has_proxy = False
        self.first_ms: int | None = None  # from the dial to the first data
        self.skew: Skew | None = None
        self.problem: BaseException | None = None
        self.code = OK
        self._target = target
        self._asked = _subscription(target.venue, stream)
        self._redactor = redactor
        self._say = say
        self._clock = SystemClock()
        self._dialled: Now | None = None
        self._begun = asyncio.Event()
        self._has_data = asyncio.Event()
        self._newest: int | None = None  # the least that any data was behind our clock, in milliseconds
        self._reason = ""  # the latest of why there is no data

    async def run(self) -> None:
        """Connect, and wait; what goes wrong is `problem`."""
        try:
            await self._run()
        except Exception as error:  # one venue's fault is told in its line, and holds up no other
            self.problem, self.code = error, exit_code(error)

    async def _run(self) -> None:
        target = self._target
        source = Source(
            target.venue,
            [self._asked],
            env=target.environment,
            profile=target.profile,
            retries=0,
            clock=self._clock,
            redactor=self._redactor,
        )
        self.settings = await source.open(Embedded(), self._say)
        self.has_proxy = source.has_proxy
        line = asyncio.create_task(source.run(self._deliver, deliver_replayed=_nothing_replayed, tap=self._tap))
        try:
            await self._wait(line)
            self.handshake = next(iter(source.handshakes()), None)
            if self.handshake is not None:
                self.skew = Skew.of(self.handshake, self._newest)
            if self.first_ms is None and line.done():
                line.result()
            elif self.handshake is None:
                self.code = UNREACHABLE
        finally:
            source.leave()
            await ended_within(line, LEAVE_WITHIN)
            if not line.cancelled():
                line.exception()

    async def _wait(self, line: asyncio.Task[None]) -> None:
        """Until data is there, the line has ended, or the time is over. It begins with the dial: a command that gives a
        secret may ask a person before."""
        begun = asyncio.create_task(self._begun.wait())
        data = asyncio.create_task(self._has_data.wait())
        try:
            await asyncio.wait((begun, line), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((data, line), timeout=WITHIN, return_when=asyncio.FIRST_COMPLETED)
        finally:
            begun.cancel()
            data.cancel()

    def _tap(self, event: Event) -> None:
        if isinstance(event, Dialled) and self._dialled is None:
            self._dialled = self._clock.now()
            self._begun.set()
        elif isinstance(event, Answered):
            self.was_answered = True

    def _deliver(self, items: list[Delivered]) -> None:
        for item in items:
            if isinstance(item, Status | BadFrame):
                self._reason = item.reason or ""
            elif isinstance(item, Record):
                self._on_data(item)

    def _on_data(self, record: Record) -> None:
        assert self._dialled is not None, "nothing comes before the dial"
        if record.time is not None and not isinstance(record, SnapshotEnd):
            behind = record.received - record.time
            self._newest = behind if self._newest is None else min(behind, self._newest)
        if self.first_ms is None:
            self.first_ms = round((self._clock.now().mono - self._dialled.mono) * 1000)
            self._has_data.set()

    def words_of_data(self) -> list[str]:
        """What came, or why nothing did."""
        if self.problem is not None:
            return [self.problem_words()]
        what = " ".join((self.stream, *self._asked.symbols))
        if self.first_ms is not None:
            return [f"first data after {self.first_ms} ms ({what})"]
        if self.handshake is None:
            return [f"no answer within {WITHIN:g} s"]
        return [f"no data within {WITHIN:g} s ({what})" + (f": {self._reason}" if self._reason else "")]

    def problem_words(self) -> str:
        """What went wrong, in words."""
        error = self.problem
        assert error is not None, "asked for where there is one"
        if self.code == FAULT and not isinstance(error, MonError):
            return f"{fault_in(error)}: {type(error).__name__}: {error}"
        words = str(error).removesuffix(_ONE_TRY)
        return words if "refused" in words or not isinstance(error, VenueRefused) else f"refused: {words}"


def _subscription(venue: Venue, stream: str) -> Subscription:
    offer: Offer = venue.streams[stream]
    takes: Mapping[str, tuple[str, ...]] = {"one": (venue.example,), "many": (venue.example,)}
    return Subscription(stream, takes.get(offer.symbols, ()))


async def _nothing_replayed(items: list[Delivered], now: Now, line: int) -> None:
    raise AssertionError("no recording is played")


# --- the clocks ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Skew:
    """Between which bounds our clock is ahead of the venue's, in milliseconds; None where nothing says so."""

    least: int | None
    most: int | None

    @classmethod
    def of(cls, handshake: Handshake, behind: int | None) -> Skew:
        """From the second that the answer to the handshake was made in, and from how far data was `behind` our clock.

        What data tells is an upper bound only: it may be old, and took its time to come.
        """
        if handshake.date_ms is None:
            return cls(None, behind)
        least = handshake.dialled.epoch_ms - handshake.date_ms - SECOND
        most = handshake.answered.epoch_ms - handshake.date_ms
        return cls(least, most if behind is None or behind < least else min(most, behind))

    def words(self) -> str:
        """As the header of a table says it: + where our clock is ahead. What cannot be told apart from the way that a
        message takes is no skew."""
        if self.most is not None and self.most < 0:
            alone = " by the first data alone" if self.least is None else ""
            return f"clock skew −{span(-self.most)}{alone}"
        if self.least is not None and self.least > 0:
            return f"clock skew +{span(self.least)}"
        if self.least is None or self.most is None:
            return "clock skew unknown"
        return f"clock skew below {span(max(-self.least, self.most, 1))}"
