"""Recordings: everything that happened on the lines of one run, as JSON lines; gzip when the name ends in `.gz`.

The first line is the `Header`, each further line one event of `venues.events`. Where a run was appended to another its
own header comes before its events. Secrets are taken out before a line is written. Every batch of lines is flushed, so
that a crash keeps what came.
"""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct, structs

from venues import events
from venues.errors import DamagedRecording, MonError, RecordingError, VenueRefused
from venues.recording_file import LONGEST_LINE, RecordingFile, damaged, read_lines
from venues.streams import STREAMS
from venues.toolkit.acknowledgements import VERDICTS_WITHIN, together
from venues.toolkit.decoding import excerpt
from venues.venue import Dial, HttpRequest, HttpResponse, Now, Settings, Subscription

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from venues.driver import Delivered, Driver
    from venues.recording_file import Existing
    from venues.redaction import Redactor

VERSION = 3  # 2: without requests beside the WebSocket; 1: without signs of life, parts of messages, clock steps
_KNOWN_VERSIONS = range(1, VERSION + 1)
SIMULATED = "sim"  # the label of the simulator inside mon, whose port is another one each time
_ENCODER = msgspec.json.Encoder()


class RecordedSubscription(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A `Subscription` as it is kept."""

    stream: str
    symbols: tuple[str, ...] = ()
    depth: Annotated[int, Meta(ge=1)] = 20
    interval: str = "1m"
    options: dict[str, str] = {}


class Header(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="recording"):
    """The first line: what was watched, where, with which settings. `env` as in records.

    `source`: where a recording made by hand is from, e.g. a venue's document. `beside`: the other venues that were
    watched at the same time. Their lines are numbered after those of this venue, in that order. `rest_url` is the
    venue's address for HTTP requests, absent where it has none.
    """

    version: int
    venue: str
    url: str
    rest_url: str = ""
    env: str | None = None
    values: dict[str, Any] = {}
    subscriptions: list[RecordedSubscription]
    source: str | None = None
    beside: list[Header] = []

    def venues(self) -> list[Header]:
        """What was watched at each venue, in the order of their lines."""
        return [self, *self.beside]

    def of(self, venue: str) -> Header | None:
        """The part of the header about one venue; None if it was not watched."""
        return next((one for one in self.venues() if one.venue == venue), None)

    def settings(self) -> Settings:
        """The settings of a venue that plays this recording."""
        return Settings(url=self.url, label="replay", values=self.values, rest_url=self.rest_url)

    def asked_for(self) -> list[Subscription]:
        """What was watched, as subscriptions in the order of the header."""
        return [
            Subscription(one.stream, one.symbols, depth=one.depth, interval=one.interval, options=one.options)
            for one in self.subscriptions
        ]


_HEADER = msgspec.json.Decoder(Header)
_LINE: msgspec.json.Decoder[Header | events.Event] = msgspec.json.Decoder(Header | events.Event)


def header_in(line: bytes) -> Header:
    """The header that a first line is.

    Raises:
        msgspec.MsgspecError, UnicodeDecodeError, RecursionError: it is none.
    """
    return _HEADER.decode(line)


def header_for(venue: str, settings: Settings, subscriptions: Sequence[Subscription]) -> Header:
    """The header of a recording that is about to be made."""
    return Header(
        version=VERSION,
        venue=venue,
        url=settings.url,
        rest_url=settings.rest_url,
        env=settings.label,
        values=dict(settings.values),
        subscriptions=[
            RecordedSubscription(
                stream=s.stream, symbols=s.symbols, depth=s.depth, interval=s.interval, options=dict(s.options)
            )
            for s in subscriptions
        ],
    )


def with_beside(headers: Sequence[Header]) -> Header:
    """One header of what was watched at several venues at the same time."""
    first, *others = headers
    return structs.replace(first, beside=others)


class Recorder:
    """Writes a recording; `write` queues an event, `flush` puts everything queued into the file.

    `notice` is what a person should know of how it began.
    """

    def __init__(self, path: Path, header: Header, redactor: Redactor, existing: Existing = "refuse") -> None:
        """Opens the file. `existing`: what becomes of one that is there.

        Raises:
            RecordingError: it cannot be written, must not be, or is a recording of something else.
        """
        self._path = path
        self._redactor = redactor
        header = _hidden(header, redactor)
        self._lines: list[bytes] = [_ENCODER.encode(header)]
        self._file = open_recording(path, header, existing)
        cut = self._file.cut
        self.notice = f"the last line of {path} was incomplete ({cut} bytes), and is gone" if cut else None
        try:
            self.flush()
        except RecordingError:
            with contextlib.suppress(OSError):
                self._file.close()
            raise

    def write(self, event: events.Event) -> None:
        """Queues one event behind those before it."""
        if isinstance(event, events.Frame) and event.base64 is not None:
            hidden = self._redactor.data(event.data())
            event = events.frame_event(event.direction, hidden, Now(event.mono, event.at), event.line)
        elif isinstance(event, events.Fetched) and event.base64 is not None:
            event = events.with_body(event, self._redactor.data(event.data()))
        line = _ENCODER.encode(self._redactor.value(event))
        if len(line) >= LONGEST_LINE and isinstance(event, events.Frame | events.Fetched) and event.text is not None:
            # A text of nothing but control characters is six times as long in JSON.
            data = self._redactor.text(event.text).encode()
            hidden_event = self._redactor.value(structs.replace(event, text=None))
            line = _ENCODER.encode(structs.replace(hidden_event, base64=base64.b64encode(data).decode()))
        self._lines.append(line)

    def flush(self) -> None:
        """Puts everything written so far into the file.

        Raises:
            RecordingError: the file cannot be written any more.
        """
        if not self._lines:
            return
        data = b"\n".join(self._lines) + b"\n"
        self._lines = []
        try:
            self._file.write(data)
        except OSError as error:
            raise self._cannot_write(error) from error

    def close(self) -> None:
        """Flushes and closes the file; to be called also after an error.

        Raises:
            RecordingError: the file cannot be written any more.
        """
        try:
            self.flush()
        finally:
            try:
                self._file.close()
            except OSError as error:
                raise self._cannot_write(error) from error

    def _cannot_write(self, error: OSError) -> RecordingError:
        return RecordingError(f"cannot write the recording {self._path}: {error.strerror}")


def open_recording(path: Path, header: Header, existing: Existing, *, waits: bool = False) -> RecordingFile:
    """The file that a recording with this header is written to, which begins with the header again where it goes on.

    Raises:
        RecordingError: it cannot be written, must not be, or is a recording of something else.
    """
    file = RecordingFile(path, existing, waits=waits)
    if not file.appends:
        return file
    try:
        if other := difference(Recording(path).header, header):
            raise RecordingError(f"{path} is a recording of {other}; take another name for this one")
        file.go_on()
    except BaseException:
        with contextlib.suppress(OSError):
            file.close()
        raise
    return file


def difference(one: Header, other: Header) -> str:
    """What differs between the runs that two headers are of, in words; empty if the runs can be in one file."""
    here, there = one.venues(), other.venues()
    names = [" and ".join(header.venue for header in headers) for headers in (here, there)]
    if names[0] != names[1]:
        return f"{names[0]}, not of {names[1]}"
    for header, wanted in zip(here, there, strict=True):
        if header.env != wanted.env or (header.url != wanted.url and header.env != SIMULATED):
            return f"{header.venue} at {header.url}, not at {wanted.url}"
        if header.rest_url != wanted.rest_url and header.env != SIMULATED:
            here_at, there_at = header.rest_url or "none", wanted.rest_url or "none"
            return f"{header.venue} with requests to {here_at}, not to {there_at}"
        if header.subscriptions != wanted.subscriptions:
            return f"{_words_of(header)}, not of {_words_of(wanted)}"
        if header.values != wanted.values:
            names = [n for n in header.values | wanted.values if header.values.get(n) != wanted.values.get(n)]
            return f"{header.venue} with another {', '.join(names)}"
    return ""


def _words_of(header: Header) -> str:
    """What was watched, with everything that two recordings can differ in."""
    return ", ".join(
        " ".join(
            [
                subscription.stream,
                *subscription.symbols,
                *([f"--depth {subscription.depth}"] if subscription.stream == "book" else []),
                *([f"--interval {subscription.interval}"] if subscription.stream == "candles" else []),
                *(f"--{name} {value}" for name, value in sorted(subscription.options.items())),
            ]
        )
        for subscription in header.subscriptions
    )


def _hidden(header: Header, redactor: Redactor) -> Header:
    return structs.replace(
        header,
        url=redactor.text(header.url),
        rest_url=redactor.text(header.rest_url),
        values=redactor.value(header.values),
        beside=[_hidden(one, redactor) for one in header.beside],
    )


class Recording:
    """A recording to be played."""

    def __init__(self, path: Path) -> None:
        """Reads the header.

        Raises:
            RecordingError: the file is missing, or is no recording of a version and of streams known here.
        """
        self._path = path
        self._lines = read_lines(path)
        try:
            first = next(self._lines, b"")
        except DamagedRecording as error:
            raise RecordingError(str(error)) from error
        try:
            self.header = header_in(first)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise RecordingError(
                f"expected a recording (a first line made by --record), got something else in {path}"
            ) from error
        if self.header.version not in _KNOWN_VERSIONS:
            raise RecordingError(
                f"expected a recording of version 1 to {VERSION}, got version {self.header.version} in {path}"
            )
        streams = [subscription.stream for one in self.header.venues() for subscription in one.subscriptions]
        if unknown := [stream for stream in streams if stream not in STREAMS]:
            got = excerpt(unknown[0], 60)
            raise RecordingError(f'expected a recording of streams that mon has, got "{got}" in {path}')

    def events(self) -> Iterator[events.Event]:
        """The events in order; where another run was appended, a `Resumed` comes before its own.

        The monotonic clock goes on over all of them: between two runs by as much as the other clock did.

        Raises:
            DamagedRecording: what comes next cannot be read, or is of something else; everything before it was given.
        """
        shift, last, resumes = 0.0, None, False
        for number, line in enumerate(self._lines, start=2):
            try:
                event = _LINE.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise damaged(self._path, number) from error
            if isinstance(event, Header):
                if event.version not in _KNOWN_VERSIONS or difference(self.header, event):
                    raise damaged(self._path, number)
                resumes = last is not None
                continue
            if resumes and last is not None:
                shift = last.mono + max(0.0, (event.at - last.at) / 1000) - event.mono
                resumes = False
                yield events.Resumed(at=event.at, mono=event.mono + shift, heard=last.mono)
            if shift:
                event = events.shifted(event, shift)
            last = event
            yield event


async def play(
    recording: Recording,
    drivers: Sequence[Driver],
    *,
    speed: float,
    sleep: Callable[[float], Awaitable[None]],
    deliver: Callable[[list[Delivered], Now, int], Awaitable[None] | None],
    tap: Callable[[events.Event], None] | None = None,
    secrets: Mapping[str, str],
    apart: bool = False,
    ends_with: Collection[int] | None = None,
    pauses: bool = True,
) -> None:
    """Play a recording through the drivers of its lines.

    `speed` is a factor, infinite for as fast as possible. What `deliver` returns is awaited, unless it is None: a
    recording can wait for its reader, so nothing is left out; it gets the recorded time and the number of the line too.
    `secrets` are placeholders.
    `apart`: a line that ended leaves the others on. `ends_with`: the numbers of the lines whose end counts, all of them
    if None. Without `pauses`, `sleep` is never called, whatever the speed.

    Raises:
        DamagedRecording: after everything before the damage was delivered.
        MonError: what ended the line, of several that are `apart` the first one, when it was recorded.
    """
    player = _Player(drivers, speed, sleep if pauses else None, deliver, tap, secrets, apart, ends_with)
    try:
        for event in recording.events():
            if (driver := player.at_once(event)) is None:
                await player.play(event)
                continue
            if (waits := player.deliver(event, driver)) is not None:
                await waits
            player.settle(event, driver)
        player.end()
    except DamagedRecording:
        if player.over is None:  # else it is behind what ended it all
            raise
    if player.over is not None:
        raise player.over


class _Player:
    """Plays one event after the other; `over` is the error that ended the run being played."""

    def __init__(
        self,
        drivers: Sequence[Driver],
        speed: float,
        sleep: Callable[[float], Awaitable[None]] | None,
        deliver: Callable[[list[Delivered], Now, int], Awaitable[None] | None],
        tap: Callable[[events.Event], None] | None,
        secrets: Mapping[str, str],
        apart: bool,
        ends_with: Collection[int] | None,
    ) -> None:
        self.over: MonError | None = None
        self._drivers = drivers
        self._speed, self._sleep, self._deliver, self._tap = speed, sleep, deliver, tap
        self._secrets = secrets
        self._apart = apart
        self._counted = [d for line, d in enumerate(drivers) if ends_with is None or line in ends_with]
        self._ended: list[Driver] = []
        self._verdicts_by: float | None = None  # until then other lines' refusals of symbols are gathered
        self._before: float | None = None
        self._openings: dict[int, Generator[HttpRequest, HttpResponse, Dial]] = {}
        self._statuses: dict[int, int] = {}  # of the last request of each line, since it was dialled

    def at_once(self, event: events.Event) -> Driver | None:
        """The driver of a frame that nothing has to be waited for or looked at before: most events without pauses.

        It is for `deliver` and `settle` then; None: `play` takes the event.
        """
        if event.__class__ is not events.Frame or self._sleep is not None or self._tap is not None:
            return None
        if self.over is not None or self._verdicts_by is not None or event.line >= len(self._drivers):
            return None
        driver = self._drivers[event.line]
        return None if driver.session is None else driver

    async def play(self, event: events.Event) -> None:
        if isinstance(event, events.Resumed):
            await self._resume(event)
            return
        if self._verdicts_by is not None and event.mono > self._verdicts_by:
            self.end()
        if self.over is None:
            await self._wait_for(event)
            await self._take(event)

    def end(self) -> None:
        """Nothing more comes: if lines were refused symbols, all of these end the run."""
        if self._verdicts_by is not None and self.over is None:
            ends = self._problems()
            refused = [one.ended for one in self._counted if one.ended in ends]  # in the order of the lines
            self.over = together([one for one in refused if isinstance(one, VenueRefused)])

    def _problems(self) -> list[MonError]:
        """What ended the run, or would if no more lines ended: not what left others on."""
        every = [driver.ended for driver in self._ended if driver.ended is not None]
        ended_all = len(self._ended) == len(self._counted)
        if self._apart:
            return every[:1] if ended_all else []
        return [one for one in every if not (isinstance(one, VenueRefused) and one.late)] or (
            every if ended_all else []
        )

    async def _resume(self, event: events.Resumed) -> None:
        """Begins a later run: the pause before it is skipped, and lines that had ended begin anew."""
        self._before, self.over, self._ended, self._verdicts_by = event.mono, None, [], None
        for line, driver in enumerate(self._drivers):
            if (waits := self._deliver(events.apply(event, driver), Now(event.mono, event.at), line)) is not None:
                await waits

    async def _wait_for(self, event: events.Event) -> None:
        if self._sleep is not None and self._before is not None and event.mono > self._before:
            await self._sleep((event.mono - self._before) / self._speed)
        self._before = event.mono if self._before is None else max(self._before, event.mono)

    async def _take(self, event: events.Event) -> None:
        driver = self._drivers[event.line] if event.line < len(self._drivers) else None
        if driver is None or (driver.session is None and not isinstance(event, events.Dialled | events.Failed)):
            raise DamagedRecording("the recording has an event of a connection that was never begun")
        if self._verdicts_by is not None and driver in self._ended:
            return
        if self._tap is not None:
            self._tap(event)
        if isinstance(event, events.Dialled):
            self._statuses.pop(event.line, None)
            self._openings[event.line] = driver.begin(self._secrets, event.draw).opening()
            _step(self._openings[event.line], None)
        elif isinstance(event, events.Requested):
            self._statuses[event.line] = event.status
            _step(self._openings[event.line], HttpResponse(event.status, event.body.encode()))
        else:
            if isinstance(event, events.Failed) and event.status is None:  # version 1 did not say it again
                event = structs.replace(event, status=self._statuses.get(event.line))
            if (waits := self.deliver(event, driver)) is not None:
                await waits
        self.settle(event, driver)

    def deliver(self, event: events.Event, driver: Driver) -> Awaitable[None] | None:
        """Deliver what an event brings. The result has to be awaited, unless it is None."""
        try:
            items = events.apply(event, driver)
        except (ValueError, OverflowError) as error:  # text that is no base64, times beyond any
            raise DamagedRecording(f"the recording has an event that cannot be: {error}") from error
        return self._deliver(items, Now(event.mono, event.at), event.line)

    def settle(self, event: events.Event, driver: Driver) -> None:
        """What there is to do once an event was delivered."""
        if driver.stirred or event.__class__ is not events.Frame:  # as a connection does it
            driver.take()
        if driver.ended is None and not self._ended:
            return
        if driver.ended is not None and driver in self._counted and driver not in self._ended:
            self._ended.append(driver)
        if problems := self._problems():
            if all(isinstance(one, VenueRefused) and one.symbols for one in problems):
                self._verdicts_by = self._verdicts_by or event.mono + VERDICTS_WITHIN
                if len(self._ended) == len(self._counted):
                    self.end()
            else:
                self.over = problems[0]


def _step(opening: Generator[HttpRequest, HttpResponse, Dial], answer: HttpResponse | None) -> None:
    """Makes one step of a session's opening, which may teach it something. Errors are already in the recording."""
    with contextlib.suppress(StopIteration, MonError):
        if answer is None:
            next(opening)
        else:
            opening.send(answer)
