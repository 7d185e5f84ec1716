"""What happens on a line, one event after the other: the shape of a recording, and the only way into a driver.

A live connection makes these events and a recording holds them; both go through `apply`, so both give the same
records. Times are two: `mono` (seconds, for deadlines) and `at` (milliseconds since the epoch).
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from venues.venue import Now

if TYPE_CHECKING:
    from venues.driver import Delivered, Driver


class _Event(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="kind"):
    at: Annotated[int, Meta(ge=0)]
    mono: float
    line: Annotated[int, Meta(ge=0)] = 0


class Dialled(_Event, frozen=True, kw_only=True, tag="dial"):
    """A connection is about to be made; `draw` is the random number that a wait after it depends on."""

    draw: Annotated[float, Meta(ge=0, lt=1)]
    url: str | None = None


class Requested(_Event, frozen=True, kw_only=True, tag="http"):
    """An HTTP request before dialling, answered; `cookies` are its `Set-Cookie` lines without their values."""

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
        """The message's bytes."""
        if self.base64 is not None:
            return base64.b64decode(self.base64, validate=True)
        if self.text is None:
            raise ValueError("a frame without text")
        return self.text.encode()


class Ponged(_Event, frozen=True, kw_only=True, tag="pong"):
    """A WebSocket ping that a session asked for was answered."""


class Ticked(_Event, frozen=True, kw_only=True, tag="tick"):
    """A session's deadline passed."""


class Answered(_Event, frozen=True, kw_only=True, tag="answer"):
    """An HTTP status came instead of an open WebSocket; `retry_after` in seconds."""

    status: int
    body: str = ""
    retry_after: float | None = None


class Failed(_Event, frozen=True, kw_only=True, tag="failed"):
    """No connection came about. `refused`: by the venue, for good; `after`: no other one before so many seconds."""

    reason: str
    retry: bool = True
    refused: bool = False
    after: float | None = None


class Closed(_Event, frozen=True, kw_only=True, tag="close"):
    """The connection is gone; `code` is absent where there was no close frame."""

    code: int | None = None
    reason: str = ""


class Left(_Event, frozen=True, kw_only=True, tag="leave"):
    """We wanted to go."""


class Resumed(_Event, frozen=True, kw_only=True, tag="resume"):
    """Another run of `mon` goes on with the same recording: all lines begin anew. Made by whoever reads one."""


Event = Dialled | Requested | Opened | Frame | Ponged | Ticked | Answered | Failed | Closed | Left | Resumed


def frame_event(direction: Literal["in", "out"], data: bytes, now: Now, line: int) -> Frame:
    """A `Frame` of bytes."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        encoded = base64.b64encode(data).decode()
        return Frame(at=now.epoch_ms, mono=now.mono, line=line, direction=direction, base64=encoded)
    return Frame(at=now.epoch_ms, mono=now.mono, line=line, direction=direction, text=text)


def apply(event: Event, driver: Driver) -> list[Delivered]:
    """What an event makes a driver deliver. `Dialled` and `Requested` belong to whoever begins a session."""
    now = Now(event.mono, event.at)
    match event:
        case Frame(direction="in"):
            return driver.receive(event.data(), now)
        case Opened():
            return driver.opened(now)
        case Ponged():
            return driver.pong(now)
        case Ticked():
            return driver.tick(now)
        case Answered():
            return driver.answered(event.status, event.body, event.retry_after, now)
        case Failed():
            return driver.failed(event.reason, now, retry=event.retry, refused=event.refused, after=event.after)
        case Closed():
            return driver.closed(event.code, event.reason, now)
        case Left():
            driver.leave(now)
        case Resumed():
            return driver.resumed(now)
    return []
