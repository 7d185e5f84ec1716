"""The bot's own feed and webhooks: one aiohttp server for whoever knows its token.

    ws://HOST:PORT/stream?token=TOKEN                   what the bot publishes: {"type": topic, "data": …}, and of
                                                        several scripts the "strategy" whose it is
    http://HOST:PORT/trading/signal/TOKEN/NAME          the script's routes: GET with a query, POST with JSON or a form

The token is a part of every path, so nothing is logged of a request but what the script's handler did wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import secrets
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from cli.bot.door import Door
from cli.bot.forms import FormError, form, form_in_parts
from cli.bot.script_api import message
from cli.settings import config
from venues.errors import SetupError
from venues.toolkit.addresses import is_loopback
from venues.toolkit.written import Writer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cli.bot.speech import BotVoice
    from cli.output.lines import Words
    from cli.settings.environment import ConfiguredValue
    from venues.redaction import Redactor

MOST_WAITING = 10_000  # messages for one reader …
MOST_WAITING_BYTES = 16 * 2**20  # … and what they come to
MOST_RECEIVED = 2**16  # bytes of what a reader says, which means nothing
MOST_BODY = 2**20  # bytes of what is posted
BODY_WITHIN = 10.0  # seconds for all of it to come
PING_EVERY = 10.0  # a reader that does not answer within half of it is gone
CLOSE_WITHIN = 1.0  # seconds for a reader to take leave
SHORTEST_TOKEN = 16  # characters: a shorter one can be guessed
WRONG_EVERY = 1.0  # seconds from one wrong token that is answered to the next, whoever asks

_WRITER = Writer()

TOKEN = "TOKEN"  # what people are shown in its place, once they know it

FORM = "application/x-www-form-urlencoded"
TEXT = "text/plain"
MULTIPART = "multipart/form-data"

# In place of aiohttp's own logger, whose lines would have the paths, and so the token.
_SILENT = logging.Logger("mon.bot.server")
_SILENT.disabled = True


class _Problem(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, error: str, **more: str) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, **more}


class Route(NamedTuple):
    """A script's handler of a webhook; `call` runs it in turn with the script's callbacks.

    `report` reports an exception of it and returns the id under which it is reported.
    """

    handler: Callable[[Any], Any]
    call: Callable[[Callable[[], Any]], Awaitable[Any]]
    report: Callable[[BaseException], str]


class BotServer:
    """Serves the bots of one run. It is started and closed on the host's event loop; `publish` is called there too."""

    def __init__(
        self,
        host: str,
        port: int,
        token: str,
        routes: Mapping[tuple[str, str], Route],
        say: Callable[[str], None],
        fault: Callable[[BaseException], str],
    ) -> None:
        """`routes` by method and name; `port` 0 takes any that is free.

        `fault` reports an exception of ours and returns the id under which it is reported. `say` is for people.
        """
        self.port = port
        self._host = host
        self._token = token
        self._routes = routes
        self._say = say
        self._fault = fault
        self._readers: set[_Reader] = set()
        self._runner: web.AppRunner | None = None
        self._door: Door | None = None
        self._guesses = asyncio.Lock()

    def replace(self, routes: Mapping[tuple[str, str], Route]) -> None:
        """Answer by other routes from now on."""
        self._routes = routes

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            SetupError: it cannot listen at the address.
        """
        app = web.Application(client_max_size=MOST_BODY, logger=_SILENT)
        app.router.add_route("*", "/{path:.*}", self._answer)
        app.on_response_prepare.append(_without_server)
        runner = web.AppRunner(
            app, access_log=None, logger=_SILENT, shutdown_timeout=CLOSE_WITHIN, lingering_time=CLOSE_WITHIN
        )
        await runner.setup()
        assert runner.server is not None, "it is set up"
        door = Door(runner.server, self._say)
        try:
            self.port = await door.open(self._host, self.port)
        except OSError as error:
            await runner.cleanup()
            place = f"{self._host} port {self.port}"
            raise SetupError(f"cannot serve the bot's feed at {place}: {error.strerror or error}") from error
        self._runner, self._door = runner, door

    @property
    def feed_url(self) -> str:
        """Where readers connect; has the token in it. Known once started."""
        return self.shown_feed_url.replace(TOKEN, quote(self._token, safe=""))

    @property
    def shown_feed_url(self) -> str:
        """Where readers connect, with a word in the place of the token. Known once started."""
        return f"ws://{self._place()}/stream?token={TOKEN}"

    @property
    def webhook_url(self) -> str:
        """What comes before `/NAME` of a route; has the token in it. Known once started."""
        return self.shown_webhook_url.replace(TOKEN, quote(self._token, safe=""))

    @property
    def shown_webhook_url(self) -> str:
        """What comes before `/NAME` of a route, with a word in the place of the token. Known once started."""
        return f"http://{self._place()}/trading/signal/{TOKEN}"

    def publish(self, frame: bytes) -> None:
        """Hand a message (a whole JSON text) to every reader, without waiting."""
        for reader in tuple(self._readers):
            reader.put(frame)

    async def close(self) -> None:
        """Send the readers what waits for them, close their connections, and end."""
        if self._door is not None:
            await self._door.close()
        ends = [reader.finish(WSCloseCode.GOING_AWAY, "the bot has ended") for reader in self._readers]
        if ends:
            await asyncio.wait(ends, timeout=CLOSE_WITHIN)
        for reader in tuple(self._readers):
            reader.end(WSCloseCode.GOING_AWAY, "the bot has ended")
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _place(self) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self._host, self._host)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    # --- who asks for what

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._dispatch(request)
        except _Problem as problem:
            return _response(problem.status, problem.body)
        except web.HTTPRequestEntityTooLarge:
            return _response(413, {"error": f"expected a body of at most {MOST_BODY} bytes, got a longer one"})
        except web.HTTPException as error:
            return _response(error.status, {"error": error.reason})
        except ConnectionError:
            raise  # nobody is there to be answered
        except Exception as error:
            return _response(500, _failed("the bot failed", self._fault(error)))

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        parts = [unquote(part, errors="replace") for part in request.rel_url.raw_path.split("/")[1:]]
        if parts == ["stream"]:
            await self._check(request, request.query.get("token", ""))
            return await self._feed(request)
        if parts[:2] == ["trading", "signal"] and len(parts) in (4, 5):  # five: the script's name is before the route's
            await self._check(request, parts[2])
            return await self._webhook(request, "/".join(parts[3:]))
        raise _Problem(404, "expected /stream?token=TOKEN or /trading/signal/TOKEN/NAME, got another path")

    async def _check(self, request: web.Request, token: str) -> None:
        if hmac.compare_digest(token.encode(errors="replace"), self._token.encode()):
            return
        async with self._guesses:
            if request.transport is not None:  # else he has gone: nobody who waits behind him need wait for that
                await asyncio.sleep(WRONG_EVERY)
        raise _Problem(401, "expected the bot's token, got another one")

    # --- the feed

    async def _feed(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(compress=False, heartbeat=PING_EVERY, max_msg_size=MOST_RECEIVED)
        if not _asks_for_a_websocket(socket, request):
            raise _Problem(426, "expected a WebSocket, got an ordinary request")
        assert self._door is not None, "it is started"
        with self._door.knows(request.transport):
            return await self._serve_reader(request, socket)

    async def _serve_reader(self, request: web.Request, socket: web.WebSocketResponse) -> web.WebSocketResponse:
        await socket.prepare(request)
        reader = _Reader(socket, request.transport)
        self._readers.add(reader)
        try:
            dropped = await reader.run()
        finally:
            self._readers.discard(reader)
        if dropped:
            self._say(f"a reader of the bot's feed was disconnected: {dropped}")
        return socket

    # --- webhooks

    async def _webhook(self, request: web.Request, name: str) -> web.StreamResponse:
        assert self._door is not None, "it is started"
        with self._door.knows(request.transport):
            response = await self._answer_of_route(request, name)
            await response.prepare(request)
            await response.write_eof()  # here, since it may be long, and its reader slow
        return response

    async def _answer_of_route(self, request: web.Request, name: str) -> web.Response:
        method = "GET" if request.method == "HEAD" else request.method  # aiohttp leaves the body out itself
        route = self._routes.get((method, name))
        if route is None:
            allowed = sorted(method for method, known in self._routes if known == name)
            if not allowed:
                raise _Problem(404, f"the bot has no route {name[:100]}")
            response = _response(405, {"error": f"expected {' or '.join(allowed)}, got {request.method}"})
            response.headers["Allow"] = ", ".join(allowed)
            return response
        data = dict(request.query.items()) if method == "GET" else await _posted(request)
        script, slash, of_it = name.rpartition("/")
        label = f"{script}{slash}{method.lower()}_{of_it}"
        try:
            body = await route.call(lambda: _answer_of(label, route.handler(data)))
        except Exception as error:
            return _response(500, _failed(f"{label} failed", route.report(error)))
        return web.Response(body=body, content_type="application/json")


def _asks_for_a_websocket(socket: web.WebSocketResponse, request: web.Request) -> bool:
    try:
        return socket.can_prepare(request).ok
    except ValueError:  # aiohttp quotes and decodes the headers of a bad request, which may be no text
        return False


def _failed(what: str, fault_id: str) -> dict[str, str]:
    return {"error": f"{what}; its error is on the bot's stderr as {fault_id}", "id": fault_id}


def _response(status: int, body: Mapping[str, str]) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")


async def _without_server(request: web.Request, response: web.StreamResponse) -> None:
    """Leave out the header that says what the server is made with."""
    response.headers.popall("Server", None)


def _answer_of(label: str, returned: object) -> bytes:
    """What a route returned, as JSON. Made in turn with the script, which may change the data later.

    Raises:
        TypeError, ValueError: something in it has no place in JSON.
    """
    try:
        plain, _ = message(label, returned)
    except (TypeError, ValueError) as error:
        error.add_note(f"in what {label} returned")
        raise
    return _WRITER.encode({"data": plain})


# --- what is posted ------------------------------------------------------------------------------------------------


async def _posted(request: web.Request) -> Any:
    """JSON of any shape, a form as a dict of texts, or text; without a body that is said to be text, an empty dict."""
    try:
        async with asyncio.timeout(BODY_WITHIN):
            if (length := request.content_length) is not None and length > MOST_BODY:
                raise web.HTTPRequestEntityTooLarge(MOST_BODY)
            body = await request.read()
    except TimeoutError:
        raise _Problem(408, f"expected the whole body within {BODY_WITHIN:.0f} s, got a part of it") from None
    except web.RequestPayloadError:
        raise _Problem(400, "expected a whole body, got a broken one") from None
    except RuntimeError:  # how aiohttp says that the connection was lost before the body was asked for
        if request.transport is not None:
            raise
        raise _Problem(400, "expected a whole body, got a part of it") from None
    if request.content_type == TEXT and "Content-Type" in request.headers:
        return _text(request, body)
    if not body:
        return {}
    try:
        if request.content_type == MULTIPART:
            return form_in_parts(request.headers["Content-Type"], body)
        if request.content_type == FORM and (fields := form(body)) is not None:
            return fields
        return msgspec.json.decode(body)
    except FormError as error:
        raise _Problem(400, str(error)) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _Problem(400, "expected JSON or a form as the body, got something else") from None


def _text(request: web.Request, body: bytes) -> str:
    """What is said to be text, as an alert is: as it is."""
    try:
        return body.decode(request.charset or "utf-8")
    except (LookupError, UnicodeDecodeError):
        raise _Problem(400, f"expected text in {request.charset or 'UTF-8'}, got other bytes") from None


# --- one reader of the feed ----------------------------------------------------------------------------------------


class _Reader:
    """One WebSocket of the feed: what it has not taken yet is bounded, and what it says is ignored."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
        self._socket = socket
        self._transport = transport
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._last: tuple[int, str] | None = None  # how it ends once everything is sent
        self._ending: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    def put(self, frame: bytes) -> None:
        """Queue a message. A reader that is too far behind is disconnected."""
        if self._ending.done() or self._last is not None:
            return
        self._waiting.append(frame)
        self._bytes += len(frame)
        self._wake.set()
        if len(self._waiting) > MOST_WAITING:
            self.end(WSCloseCode.POLICY_VIOLATION, f"too slow: more than {MOST_WAITING} messages were waiting for it")
        elif self._bytes > MOST_WAITING_BYTES:
            size = f"{MOST_WAITING_BYTES / 2**20:g} MiB"
            self.end(WSCloseCode.POLICY_VIOLATION, f"too slow: more than {size} of messages were waiting for it")

    def end(self, code: int, reason: str) -> None:
        """End the connection. Only the first call counts."""
        if not self._ending.done():
            self._ending.set_result((code, reason))

    def finish(self, code: int, reason: str) -> asyncio.Future[tuple[int, str]]:
        """End the connection once everything is sent. The future is done then."""
        self._last = code, reason
        self._wake.set()
        return self._ending

    async def run(self) -> str:
        """Serve until the connection ends. The result says what the reader did wrong, if anything."""
        read, write = asyncio.create_task(self._read()), asyncio.create_task(self._write())
        try:
            code, reason = await self._ending
            self._wake.set()
            # What is on its way goes first: aiohttp cannot send anything after a frame that was given up half-way.
            written, _ = await asyncio.wait({write}, timeout=CLOSE_WITHIN)
            if not written or not await self._closed(code, reason):
                self._abort()
        finally:
            for task in (read, write):
                task.cancel()
            await asyncio.gather(read, write, return_exceptions=True)
        return reason if code == WSCloseCode.POLICY_VIOLATION else ""

    async def _read(self) -> None:
        """Notices that the reader has gone, or does not answer pings any more."""
        while True:
            received = await self._socket.receive()
            if received.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                self.end(WSCloseCode.OK, "")
                return

    async def _write(self) -> None:
        try:
            while not self._ending.done():
                if self._waiting:
                    frame = self._waiting.popleft()
                    self._bytes -= len(frame)
                    await self._socket.send_frame(frame, WSMsgType.TEXT)
                elif self._last is not None:
                    self.end(*self._last)
                else:
                    self._wake.clear()
                    await self._wake.wait()
        except ConnectionError:
            self.end(WSCloseCode.OK, "")

    async def _closed(self, code: int, reason: str) -> bool:
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(CLOSE_WITHIN):
                await self._socket.close(code=code, message=reason.encode())
                return True
        return False

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


# --- opening it ----------------------------------------------------------------------------------------------------


async def serve(
    routes: Mapping[tuple[str, str], Route],
    listen: tuple[str, int],
    *,
    report: Callable[[BaseException], str],
    voice: BotVoice,
    words: Words,
    redactor: Redactor,
) -> tuple[BotServer, str | None]:
    """Start the server of a run. Also returns its token, if we made it up, since only we know it then.

    `report` as the `fault` of `BotServer`.

    Raises:
        SetupError: it cannot listen at the address, or the configured token cannot be read.
    """
    host, port = listen
    source = config.load().bot_token()
    token = secrets.token_urlsafe(24) if source is None else await _configured(source, redactor)
    if source is not None and len(token) < SHORTEST_TOKEN:
        raise SetupError(
            f"expected a token of at least {SHORTEST_TOKEN} characters as {source.origin}, got a shorter one"
        )
    server = BotServer(host, port, token, routes, voice.say, report)
    await server.start()
    names = [f"{method} {name}" for method, name in routes] or ["none: the script has no @http.route"]
    where = f"its feed: {server.shown_feed_url}\nits webhooks: {server.shown_webhook_url}/NAME ({', '.join(names)})"
    if source is None:
        words.error(f"the bot's token: {token}\n{where}")  # also for who wants quiet: nobody else knows it
    else:
        words.say(f"the bot's token: the one set as {source.origin}\n{where}")
    if not is_loopback(f"ws://[{host}]" if ":" in host else f"ws://{host}"):
        words.say("whoever can listen on the network between a reader and this machine can see the token")
    return server, token if source is None else None


async def _configured(source: ConfiguredValue, redactor: Redactor) -> str:
    from cli.settings.credentials import obtain

    token = await asyncio.to_thread(obtain, "token", source)
    redactor.learn({"token": token})
    return token
