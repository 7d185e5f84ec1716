"""Recordings: everything that happened on the lines of one run, as JSON lines; gzip when the name ends in `.gz`.

The first line is the `Header`, each further line one event of `venues.history`. Secrets are taken out before a line
is written. Every batch of lines is flushed, so that a crash keeps what came.
"""

from __future__ import annotations

import contextlib
import gzip
import zlib
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import msgspec
from msgspec import Meta, Struct, structs

from venues import history
from venues.errors import DamagedRecording, MonError, RecordingError
from venues.venue import Dial, HttpRequest, HttpResponse, Now, Settings, Subscription

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from venues.driver import Delivered, Driver
    from venues.redaction import Redactor

VERSION = 1
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

    `source` says where a recording is from that was made by hand, e.g. from a venue's document. `beside`: the other
    venues that were watched at the same time; their lines are numbered on after those of this one, in that order.
    """

    version: int
    venue: str
    url: str
    env: str | None = None
    values: dict[str, Any] = {}
    subscriptions: list[RecordedSubscription]
    source: str | None = None
    beside: list[Header] = []

    def venues(self) -> list[Header]:
        """What was watched at each venue, in the order of their lines."""
        return [self, *self.beside]

    def of(self, venue: str) -> Header | None:
        """What was watched at a venue; None where nothing was."""
        return next((one for one in self.venues() if one.venue == venue), None)

    def settings(self) -> Settings:
        """The settings of a venue that plays this recording."""
        return Settings(url=self.url, label="replay", values=self.values)

    def asked_for(self) -> list[Subscription]:
        """The subscriptions."""
        return [
            Subscription(one.stream, one.symbols, depth=one.depth, interval=one.interval, options=one.options)
            for one in self.subscriptions
        ]


_HEADER = msgspec.json.Decoder(Header)
_EVENT: msgspec.json.Decoder[history.Event] = msgspec.json.Decoder(history.Event)


def header_for(venue: str, settings: Settings, subscriptions: Sequence[Subscription]) -> Header:
    """The header of a recording that is about to be made."""
    return Header(
        version=VERSION,
        venue=venue,
        url=settings.url,
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
    """Writes a recording; `write` queues an event, `flush` puts everything queued into the file."""

    def __init__(self, path: Path, header: Header, redactor: Redactor) -> None:
        """Opens the file.

        Raises:
            RecordingError: it cannot be written.
        """
        self._path = path
        self._redactor = redactor
        self._lines: list[bytes] = []
        try:
            raw: BinaryIO = path.open("wb", buffering=0)
        except OSError as error:
            raise RecordingError(f"cannot write the recording {path}: {error.strerror}") from error
        self._file: BinaryIO | gzip.GzipFile = raw
        self._raw = raw
        if path.name.endswith(".gz"):
            self._file = gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=5)
        self._lines.append(_ENCODER.encode(_hidden(header, redactor)))
        self.flush()

    def write(self, event: history.Event) -> None:
        """One event, after those written before."""
        if isinstance(event, history.Frame) and event.base64 is not None:
            hidden = self._redactor.data(event.data())
            event = history.frame_event(event.direction, hidden, Now(event.mono, event.at), event.line)
        self._lines.append(_ENCODER.encode(self._redactor.value(event)))

    def flush(self) -> None:
        """Everything written so far is in the file.

        Raises:
            RecordingError: the file cannot be written any more.
        """
        if not self._lines:
            return
        data = b"\n".join(self._lines) + b"\n"
        self._lines = []
        try:
            if isinstance(self._file, gzip.GzipFile):
                self._file.write(data)
                self._file.flush()
            else:
                _write_all(self._raw, data)
        except OSError as error:
            raise RecordingError(f"cannot write the recording {self._path}: {error.strerror}") from error

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
                raise RecordingError(f"cannot write the recording {self._path}: {error.strerror}") from error
            finally:
                self._raw.close()


def _hidden(header: Header, redactor: Redactor) -> Header:
    return structs.replace(
        header,
        url=redactor.text(header.url),
        values=redactor.value(header.values),
        beside=[_hidden(one, redactor) for one in header.beside],
    )


class Recording:
    """A recording to be played."""

    def __init__(self, path: Path) -> None:
        """Reads the header.

        Raises:
            RecordingError: the file is missing, or is no recording of a version known here.
        """
        self._path = path
        self._lines = _read_lines(path)
        try:
            first = next(self._lines, b"")
        except DamagedRecording as error:
            raise RecordingError(str(error)) from error
        try:
            self.header = _HEADER.decode(first)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise RecordingError(
                f"expected a recording (a first line made by --record), got something else in {path}"
            ) from error
        if self.header.version != VERSION:
            raise RecordingError(
                f"expected a recording of version {VERSION}, got version {self.header.version} in {path}"
            )

    def events(self) -> Iterator[history.Event]:
        """The events in order.

        Raises:
            DamagedRecording: what comes next cannot be read; everything before it was given.
        """
        for number, line in enumerate(self._lines, start=2):
            try:
                yield _EVENT.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise _damaged(self._path, number) from error


def _read_lines(path: Path) -> Iterator[bytes]:
    # Not a method: a generator that holds its `Recording` would keep the file open until garbage is collected.
    number = 0
    try:
        with path.open("rb") as raw:  # opened once: it may be a pipe
            zipped = raw.peek(2)[:2] == b"\x1f\x8b"
            for number, line in enumerate(gzip.GzipFile(fileobj=raw) if zipped else raw, start=1):
                if not line.endswith(b"\n"):
                    raise _damaged(path, number)
                yield line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(path, number + 1) from error
    except OSError as error:
        raise RecordingError(f"cannot read the recording {path}: {error.strerror}") from error


def _damaged(path: Path, number: int) -> DamagedRecording:
    return DamagedRecording(f"the recording {path} is damaged at line {number}; played up to there")


async def play(
    recording: Recording,
    drivers: Sequence[Driver],
    *,
    speed: float,
    sleep: Callable[[float], Awaitable[None]],
    deliver: Callable[[list[Delivered], Now, int], Awaitable[None]],
    tap: Callable[[history.Event], None] | None = None,
    secrets: Mapping[str, str],
    apart: bool = False,
    ends_with: Collection[int] | None = None,
) -> None:
    """Play a recording through the drivers of its lines.

    `speed` is a factor, infinite for as fast as possible. `deliver` is awaited: a recording can wait for its reader,
    so nothing is left out; it gets the recorded time and the number of the line too. `secrets` are placeholders.
    `apart`: a line that ended leaves the others on. `ends_with`: the numbers of the lines whose end counts, all of them
    if None.

    Raises:
        DamagedRecording: after everything before the damage was delivered.
        MonError: what ended the line, of several that are `apart` the first one, when it was recorded.
    """
    before: float | None = None
    counted = [driver for line, driver in enumerate(drivers) if ends_with is None or line in ends_with]
    ended: list[Driver] = []
    openings: dict[int, Generator[HttpRequest, HttpResponse, Dial]] = {}
    for event in recording.events():
        if before is not None and event.mono > before:
            await sleep((event.mono - before) / speed)
        before = event.mono if before is None else max(before, event.mono)
        driver = drivers[event.line] if event.line < len(drivers) else None
        if driver is None or (driver.session is None and not isinstance(event, history.Dialled | history.Failed)):
            raise DamagedRecording("the recording has an event of a connection that was never begun")
        if tap is not None:
            tap(event)
        if isinstance(event, history.Dialled):
            openings[event.line] = driver.begin(secrets, event.draw).opening()
            _step(openings[event.line], None)
        elif isinstance(event, history.Requested):
            _step(openings[event.line], HttpResponse(event.status, event.body.encode()))
        else:
            await deliver(_applied(event, driver), Now(event.mono, event.at), event.line)
        driver.take()
        if driver.ended is not None and driver in counted and driver not in ended:
            ended.append(driver)
        if ended and (not apart or len(ended) == len(counted)) and ended[0].ended is not None:
            raise ended[0].ended


def _applied(event: history.Event, driver: Driver) -> list[Delivered]:
    try:
        return history.apply(event, driver)
    except (ValueError, OverflowError) as error:  # text that is no base64, times beyond any
        raise DamagedRecording(f"the recording has an event that cannot be: {error}") from error


def _step(opening: Generator[HttpRequest, HttpResponse, Dial], answer: HttpResponse | None) -> None:
    """A session may learn something in its opening; where it leads, and what failed, is in the recording."""
    with contextlib.suppress(StopIteration, MonError):
        if answer is None:
            next(opening)
        else:
            opening.send(answer)


def _write_all(raw: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[raw.write(view) or 0 :]
