"""What happens on a line, one event after the other: the shape of a recording, and the only way into a driver.

A live connection makes these events and a recording holds them; both go through `apply`, so both give the same
records. Times are two: `mono` (seconds, for deadlines) and `at` (milliseconds since the epoch).
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

from msgspec import Meta, Struct, structs

from venues.venue import HttpResponse, NoResponse, Now

if TYPE_CHECKING:
    from collections.abc import Callable

    from venues.driver import Delivered, Driver
    from venues.venue import Fetch


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


class Fetched(_Event, frozen=True, kw_only=True, tag="fetched"):
    """The answer to an HTTP request that a session made beside its WebSocket; `request` is its id.

    `url` is free of secrets. The body is text, or base64 where it is no UTF-8. `retry_after` in seconds, `date_ms` the
    time of the answer by the server's clock.
    """

    request: str
    method: str
    url: str
    status: int
    text: str | None = None
    base64: str | None = None
    retry_after: float | None = None
    date_ms: int | None = None

    def data(self) -> bytes:
        """The body's bytes, from its text or its base64."""
        return _data(self.text or "", self.base64)


class NotFetched(_Event, frozen=True, kw_only=True, tag="unfetched"):
    """No answer came to an HTTP request of a session; `request` is its id, `reason` says why."""

    request: str
    method: str
    url: str
    reason: str


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
        return _data(self.text, self.base64)


def _data(text: str | None, encoded: str | None) -> bytes:
    if encoded is not None:
        return base64.b64decode(encoded, validate=True)
    if text is None:
        raise ValueError("a frame without text")
    return text.encode()


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


Event = (
    Dialled
    | Requested
    | Fetched
    | NotFetched
    | Opened
    | Frame
    | Ponged
    | Ticked
    | Answered
    | Failed
    | Closed
    | Left
    | Stepped
    | Resumed
)


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


def answer_event(fetch: Fetch, answer: HttpResponse | NoResponse, now: Now, line: int) -> Fetched | NotFetched:
    """The event of what became of a session's HTTP request."""
    stamp: Stamp = {"at": now.epoch_ms, "mono": now.mono, "line": line}
    method, url = fetch.request.method, fetch.request.shown
    if isinstance(answer, NoResponse):
        return NotFetched(**stamp, request=fetch.id, method=method, url=url, reason=answer.reason)
    event = Fetched(
        **stamp,
        request=fetch.id,
        method=method,
        url=url,
        status=answer.status,
        retry_after=answer.retry_after,
        date_ms=answer.date_ms,
    )
    return with_body(event, answer.body)


def with_body(event: Fetched, body: bytes) -> Fetched:
    """The event with another body: as text if the bytes are UTF-8, else as base64."""
    try:
        return structs.replace(event, text=body.decode(), base64=None)
    except UnicodeDecodeError:
        return structs.replace(event, text=None, base64=base64.b64encode(body).decode())


def without_tokens(event: Fetched | NotFetched, fetch: Fetch, hide: Callable[[str], str]) -> Fetched | NotFetched:
    """The event to record: without the tokens and keys of the answer, except to a request that anybody can make.

    What a plain GET gives is no secret, and may well have a field called `token`.
    """
    request = fetch.request
    is_plain = request.method == "GET" and request.url == request.shown and not request.headers and not request.body
    if is_plain or isinstance(event, NotFetched) or event.text is None:
        return event
    return structs.replace(event, text=hide(event.text))


def apply(event: Event, driver: Driver) -> list[Delivered]:
    """Feeds an event to a driver; returns what that delivers.

    `Dialled` and `Requested` do nothing here: they are for the caller, who begins the session.
    """
    now = Now(event.mono, event.at)
    match event:
        case Frame(direction="in"):
            text = event.text if event.base64 is None else None
            return driver.receive(event.data() if text is None else text.encode(), now)
        case Opened():
            return driver.opened(now)
        case Fetched():
            answer = HttpResponse(event.status, event.data(), event.retry_after, date_ms=event.date_ms)
            return driver.fetched(event.request, answer, now)
        case NotFetched():
            return driver.fetched(event.request, NoResponse(event.reason), now)
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
