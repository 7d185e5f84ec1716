"""Opens a WebSocket for a session: what it asks for over HTTP first, then the dial, and in words why there is none.

Knows no venue. The connection that comes of it is `venues.connection`'s.
"""

from __future__ import annotations

import itertools
import logging
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidProxy, InvalidProxyStatus, InvalidStatus, ProxyError
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from venues import events
from venues.answers import MAX_MESSAGE, refuse_plain, status_of_old_answer, words_of
from venues.errors import MonError
from venues.fetching import NoAnswer, ask, date_ms, place_of, retry_after, words_of_system
from venues.protocols import cookies
from venues.protocols.whole_frames import whole_messages
from venues.toolkit.addresses import is_loopback
from venues.toolkit.decoding import excerpt
from venues.venue import HttpRequest, HttpResponse, NotOpened, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.protocol import Event

    from venues.redaction import Redactor
    from venues.venue import Dial, Lost, Now, Session

_BEGINS = (Opcode.TEXT, Opcode.BINARY)  # a message; what continues one has another code

# The library logs URLs, and so keys, at level DEBUG.
_SILENT = logging.Logger("mon.websocket", logging.CRITICAL + 1)


MOST_IN_A_READ = 4096  # messages that are handed over out of one read, of at most 256 KiB; then the loop gets its turn


class Socket(ClientConnection):
    """Reports bytes as they come, and hands over messages at once, without the library's parser, queue and task.

    The library itself reports bytes only once a message is whole. What is not a message in one plain frame goes its
    way through the library, byte by byte. What the library has to put together (fragments), what comes behind that,
    and what one read brings beyond `MOST_IN_A_READ` is left to `recv`: order and back-pressure are the library's.

    `left_to_recv` counts the messages that `recv` has to give, or whose first fragment is there: whoever calls it takes
    one off once the message has gone where it has to. Only at 0 is the next one handed over.
    """

    on_bytes: Callable[[bool], None] | None = None  # called with whether the bytes end within a message
    on_message: Callable[[bytes], None] | None = None  # called after it with each whole message; must not raise
    left_to_recv = 0
    _held = b""  # the beginning of a plain frame, which the library has not seen
    _at_hand: list[bytes] | None = None  # the messages of this read

    def data_received(self, data: bytes) -> None:
        if self._held:
            data, self._held = self._held + data, b""
        on_message = self.on_message
        messages: list[bytes] = []
        if on_message is not None:
            if not self.left_to_recv and self._is_between_frames():
                messages, data, cut = whole_messages(data, MOST_IN_A_READ)
                if cut:
                    data, self._held = b"", data
            self._at_hand = messages
        if data:
            super().data_received(data)
        self._at_hand = None
        if self.on_bytes is not None:
            self.on_bytes(bool(self._held or self.protocol.reader.buffer) or self._is_in_fragments())
        if on_message is not None:
            for message in messages:
                on_message(message)

    def eof_received(self) -> None:
        held, self._held = self._held, b""
        if held:
            super().data_received(held)  # so that it says what is missing
        super().eof_received()

    def process_event(self, event: Event) -> None:
        if isinstance(event, Frame) and event.opcode in _BEGINS:
            messages = self._at_hand
            if messages is not None and event.fin and not self.left_to_recv and len(messages) < MOST_IN_A_READ:
                messages.append(bytes(event.data))
                return
            self.left_to_recv += 1
        super().process_event(event)

    def _is_between_frames(self) -> bool:
        """Whether the library waits for a frame; False too where its parser is not as it was."""
        protocol = self.protocol
        waiting: object = getattr(protocol, "parser", None)
        while (inner := getattr(waiting, "gi_yieldfrom", None)) is not None:
            waiting = inner
        code, between = getattr(waiting, "gi_code", None), getattr(protocol.reader, "at_eof", None)
        in_between = code is not None and code is getattr(between, "__code__", None)
        return in_between and protocol.state is State.OPEN

    def _is_in_fragments(self) -> bool:
        protocol = self.protocol
        return getattr(protocol, "current_size", getattr(protocol, "cur_size", None)) is not None  # its name in 15.0


class _Connect(connect):
    """Follows no redirects: they would send the key, which is in the URL or a header, to another host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


@dataclass(frozen=True, slots=True)
class Handshake:
    """What the opening of a WebSocket told beside the connection itself.

    `tls` is the version of TLS, e.g. "TLSv1.3", empty without TLS. `date_ms` is the second in which the answer was made
    by the other end's clock, in milliseconds; None where the answer has no `Date`. By our clock it was made between
    `dialled` and `answered`.
    """

    tls: str
    date_ms: int | None
    dialled: Now
    answered: Now


class NoConnectionError(Exception):
    """Carries the event that says why no connection was made."""

    def __init__(self, event: events.Answered | events.Failed) -> None:
        super().__init__(event)
        self.event = event


class Opening:
    """Opens the WebSockets of one line.

    `now` and `stamp` tell the time, `note` gets what happens on the way. `proxy` is never used for this machine's own
    addresses.
    """

    def __init__(
        self,
        *,
        now: Callable[[], Now],
        stamp: Callable[[], events.Stamp],
        note: Callable[[events.Event], None],
        redactor: Redactor,
        proxy: str | None,
        user_agent: str,
    ) -> None:
        self._now = now
        self._stamp = stamp
        self._note = note
        self._redactor = redactor
        self._proxy = proxy
        self._user_agent = user_agent
        self.handshake: Handshake | None = None  # of the latest WebSocket that was opened

    async def open(self, session: Session, *, close_timeout: float) -> tuple[Socket, str]:
        """The open WebSocket, and its address without secrets.

        Raises:
            NoConnectionError: there is none.
        """
        dial = await self._dial_of(session)
        self._redactor.learn_url(dial.url, dial.shown)
        return await self._dial(dial, close_timeout), dial.shown

    def no_connection(self, reason: str, *, retry: bool = True) -> NoConnectionError:
        """The error that says in these words why there is no connection."""
        return NoConnectionError(events.Failed(**self._stamp(), reason=self._redactor.text(reason), retry=retry))

    async def _dial_of(self, session: Session) -> Dial:
        opening, status = session.opening(), None
        try:
            request = next(opening)
            while True:
                response = await self._request(request)
                status = response.status
                self._note(self._requested(request, response))
                request = opening.send(response)
        except StopIteration as stop:
            dial: Dial = stop.value
            return dial
        except NotOpened as error:
            raise self._not_opened(error.problem, status) from None
        except MonError as error:
            raise self.no_connection(str(error)) from None

    async def _request(self, request: HttpRequest) -> HttpResponse:
        self._redactor.learn_url(request.url, request.shown)
        refuse_plain(request.url, request.shown)
        proxy = None if is_loopback(request.url) else self._proxy
        try:
            return await ask(request, user_agent=self._user_agent, proxy=proxy, now=self._now())
        except NoAnswer as problem:
            raise self.no_connection(str(problem), retry=problem.retry) from None

    def _requested(self, request: HttpRequest, response: HttpResponse) -> events.Requested:
        for value in itertools.chain.from_iterable(map(cookies.secrets_in, response.cookies)):
            self._redactor.learn({"cookie": value})
        return events.Requested(
            **self._stamp(),
            method=request.method,
            url=request.shown,
            status=response.status,
            body=self._redactor.answer(response.body.decode(errors="replace")),
            cookies=tuple(map(cookies.without_value, response.cookies)),
        )

    async def _dial(self, dial: Dial, close_timeout: float) -> Socket:
        refuse_plain(dial.url, dial.shown)
        place, dialled = place_of(dial.shown), self._now()
        try:
            websocket = await _Connect(
                dial.url,
                create_connection=Socket,
                additional_headers=dict(dial.headers),
                user_agent_header=self._user_agent,
                proxy=None if is_loopback(dial.url) else self._proxy,
                open_timeout=None,
                ping_interval=None,
                close_timeout=close_timeout,
                max_size=MAX_MESSAGE,
                logger=_SILENT,
            )
            self.handshake = self._handshake(websocket, dialled)
            return cast("Socket", websocket)
        except InvalidStatus as error:
            raise NoConnectionError(self._answered(error)) from None
        except InvalidProxyStatus as error:
            status = error.response.status_code
            raise self.no_connection(f"the proxy refused (HTTP {status})", retry=status >= 500) from None
        except (InvalidProxy, ProxyError, ImportError) as error:
            reason = f"the proxy cannot be used: {_words_of_proxy(error)}"
            raise self.no_connection(reason, retry=isinstance(error, ProxyError)) from None
        except InvalidHandshake as error:
            if old := status_of_old_answer(words_of(error)):
                raise NoConnectionError(events.Answered(**self._stamp(), status=old, body="")) from None
            reason = f"{place} answered, but does not speak WebSocket ({words_of(error)})"
            raise self.no_connection(reason) from None
        except ssl.SSLCertVerificationError as error:
            reason = f"the TLS certificate of {place} is not trusted: {error.verify_message}"
            raise self.no_connection(reason, retry=False) from None
        except ssl.SSLError as error:
            raise self.no_connection(f"no TLS with {place}: {error.reason or 'the handshake failed'}") from None
        except socket.gaierror:
            raise self.no_connection(f"the host of {place} is not known") from None
        except OSError as error:
            raise self.no_connection(f"cannot reach {place}: {words_of_system(error)}") from None

    def _handshake(self, websocket: ClientConnection, dialled: Now) -> Handshake:
        encrypted = websocket.transport.get_extra_info("ssl_object")
        dates = [] if websocket.response is None else websocket.response.headers.get_all("Date")
        return Handshake(
            tls=(encrypted.version() or "") if encrypted is not None else "",
            date_ms=date_ms(dates[0]) if dates else None,
            dialled=dialled,
            answered=self._now(),
        )

    def _answered(self, error: InvalidStatus) -> events.Answered:
        response = error.response
        body = bytes(response.body or b"").decode(errors="replace").strip()
        return events.Answered(
            **self._stamp(),
            status=response.status_code,
            body=excerpt(self._redactor.text(body), 200),
            retry_after=retry_after(response.headers.get("Retry-After"), self._now()),
        )

    def _not_opened(self, problem: Refused | Lost, status: int | None) -> NoConnectionError:
        failed = events.Failed(**self._stamp(), reason=self._redactor.text(problem.reason), status=status)
        if isinstance(problem, Refused):
            return NoConnectionError(replace(failed, retry=False, refused=True))
        return NoConnectionError(replace(failed, retry=problem.retry, after=problem.after))


def _words_of_proxy(error: Exception) -> str:
    words = error.msg if isinstance(error, InvalidProxy) else str(error)
    needed = "for a SOCKS proxy the package python-socks is needed"
    return needed if isinstance(error, ImportError) else excerpt(words or "it failed", 120)
