"""What happens on a line, one event after the other: the shape of a recording, and the only way into a driver.

A live connection makes these events and a recording holds them; both go through `apply`, so both give the same
records. Times are two: `mono` (seconds, for deadlines) and `at` (milliseconds since the epoch).
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

from msgspec import Meta, Struct, structs

from venues.venue import Now

if TYPE_CHECKING:
    from venues.driver import Delivered, Driver


class Stamp(TypedDict):
    """When an event happened, and on which line."""

    at: int
    mono: float
    line: int


class _Event(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="kind"):
    at: Annotated[int, Meta(ge=0)]
    mono: float
    line: Annotated[int, Meta(ge=0)] = 0


class Dialled(_Event, frozen=True, kw_only=True, tag="dial"):
    """A connection is about to be made; `draw` is the random number that a wait after it depends on."""

    draw: Annotated[float, Meta(ge=0, lt=1)]
    url: str | None = None


class Requested(_Event, frozen=True, kw_only=True, tag="http"):
    """An HTTP request before dialling was answered; `cookies` are the `Set-Cookie` lines without their values."""

    method: str
    url: str
    status: int
    body: str
    cookies: tuple[str, ...] = ()


class Opened(_Event, frozen=True, kw_only=True, tag="open"):
    """The WebSocket is open; `url` is free of secrets."""

    url: str | None = None


class Frame(_Event, frozen=True, kw_only=True, tag="frame"):
    """One WebSocket message, as text, or as base64 where it is no UTF-8."""

    direction: Literal["in", "out"]
    text: str | None = None
    base64: str | None = None

    def data(self) -> bytes:
        """The message's bytes, from its text or its base64."""
        if self.base64 is not None:
            return base64.b64decode(self.base64, validate=True)
        if self.text is None:
            raise ValueError("a frame without text")
        return self.text.encode()


class Ponged(_Event, frozen=True, kw_only=True, tag="pong"):
    """A WebSocket ping that a session asked for was answered."""


class Ticked(_Event, frozen=True, kw_only=True, tag="tick"):
    """A session's deadline passed; `heard` and `arriving` as in `Now`."""

    heard: float | None = None
    arriving: float | None = None


class Answered(_Event, frozen=True, kw_only=True, tag="answer"):
    """An HTTP status came instead of an open WebSocket; `retry_after` in seconds."""

    status: int
    body: str = ""
    retry_after: float | None = None


class Failed(_Event, frozen=True, kw_only=True, tag="failed"):
    """No connection was made, or the open one is given up.

    `refused`: the venue refused us for good. `after`: the next try is not before so many seconds. `status`: the HTTP
    status that caused it. `heard` as in `Now`.
    """

    reason: str
    retry: bool = True
    refused: bool = False
    after: float | None = None
    status: int | None = None
    heard: float | None = None


class Closed(_Event, frozen=True, kw_only=True, tag="close"):
    """The connection is gone; `code` is absent where there was no close frame; `heard` as in `Now`."""

    code: int | None = None
    reason: str = ""
    heard: float | None = None


class Stepped(_Event, frozen=True, kw_only=True, tag="step"):
    """The clock of this machine was set, forward or (below 0) back, by so many milliseconds."""

    by_ms: int


class Left(_Event, frozen=True, kw_only=True, tag="leave"):
    """The user, or a limit of the run, told us to leave."""


class Resumed(_Event, frozen=True, kw_only=True, tag="resume"):
    """Another run of `mon` was appended to the recording: all routes begin anew. Made on reading, never written.

    `heard`: when the run before it ended.
    """

    heard: float | None = None


Event = Dialled | Requested | Opened | Frame | Ponged | Ticked | Answered | Failed | Closed | Left | Stepped | Resumed


def shifted(event: Event, seconds: float) -> Event:
    """The same event with its monotonic times moved ahead by so many seconds."""
    names = [name for name in ("mono", "heard", "arriving") if getattr(event, name, None) is not None]
    return structs.replace(event, **{name: getattr(event, name) + seconds for name in names})


def frame_event(direction: Literal["in", "out"], data: bytes, now: Now, line: int) -> Frame:
    """The `Frame` of one message: as text if the bytes are UTF-8, else as base64."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        encoded = base64.b64encode(data).decode()
        return Frame(at=now.epoch_ms, mono=now.mono, line=line, direction=direction, base64=encoded)
    return Frame(at=now.epoch_ms, mono=now.mono, line=line, direction=direction, text=text)


def apply(event: Event, driver: Driver) -> list[Delivered]:
    """Feeds an event to a driver; returns what that delivers.

    `Dialled` and `Requested` do nothing here: they are for the caller, who begins the session.
    """
    now = Now(event.mono, event.at)
    match event:
        case Frame(direction="in"):
            return driver.receive(event.data(), now)
        case Opened():
            return driver.opened(now)
        case Ponged():
            return driver.pong(now)
        case Ticked():
            return driver.tick(Now(event.mono, event.at, event.heard, event.arriving))
        case Answered():
            return driver.answered(event.status, event.body, event.retry_after, now)
        case Failed():
            return driver.failed(
                event.reason,
                Now(event.mono, event.at, event.heard),
                retry=event.retry,
                refused=event.refused,
                after=event.after,
                status=event.status,
            )
        case Closed():
            return driver.closed(event.code, event.reason, Now(event.mono, event.at, event.heard))
        case Stepped():
            return driver.stepped(event.by_ms)
        case Left():
            driver.leave(now)
        case Resumed():
            return driver.resumed(Now(event.mono, event.at, event.heard))
    return []
