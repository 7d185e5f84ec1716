"""HTTP requests: `ask` makes one before a WebSocket is opened, a `Fetcher` those beside it. Knows no venue.

One `Fetcher` a venue makes the requests of all its connections, paced. Whoever asks it gets an answer or, in words, why
there is none; nothing is raised. `aiohttp` is loaded with the first request, and the connections to the venue are kept
for the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import math
import ssl
import weakref
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from venues.answers import MAX_MESSAGE
from venues.driver import LONGEST_RETRY_AFTER, fault_in_words
from venues.errors import MonError, SetupError
from venues.toolkit.addresses import is_loopback
from venues.toolkit.pacing import Pacing
from venues.venue import HttpRequest, HttpResponse, NoResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from aiohttp import ClientResponse, ClientSession

    from venues.redaction import Redactor
    from venues.venue import Fetch, Now

MAX_BODY = 2**20  # bytes of an answer before dialling; the rest is cut
REQUESTS_PER_SECOND = 5.0
MOST_AT_ONCE = 4
ANSWERED_WITHIN = 10.0  # seconds for one request, its body included
LONGEST_HOLD = 10.0  # seconds that a request waits where the venue wants a pause; in a longer one it fails
MOST_WAITING = 1_000
LONGEST_SPACE = 1.0  # seconds; see `Fetcher`
MAX_ANSWER = MAX_MESSAGE  # bytes, also once decompressed
_BUSY = (429, 503)


class NoAnswer(MonError):
    """No answer came; the text says why. `retry`: another try may help."""

    def __init__(self, reason: str, *, retry: bool = True) -> None:
        super().__init__(reason)
        self.retry = retry


def new_session() -> ClientSession:
    """A pool of connections for requests, which keeps no cookie: that is for the venue to say. To be closed."""
    import aiohttp

    return aiohttp.ClientSession(
        trust_env=False, cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=None)
    )


async def ask(request: HttpRequest, *, user_agent: str, proxy: str | None, now: Now) -> HttpResponse:
    """Make the request before dialling; the body is cut at `MAX_BODY`.

    Raises:
        NoAnswer: whatever went wrong.
    """
    async with new_session() as http:
        return await ask_through(http, request, user_agent=user_agent, proxy=proxy, now=now, most=MAX_BODY)


async def ask_through(
    http: ClientSession, request: HttpRequest, *, user_agent: str, proxy: str | None, now: Now, most: int
) -> HttpResponse:
    """Make the request; of the body at most so many bytes are read. Redirects are not followed.

    `now` stands for the server's clock where the server does not tell the time.

    Raises:
        NoAnswer: whatever went wrong.
    """
    import aiohttp

    place = place_of(request.shown)
    agent = {"User-Agent": user_agent}
    try:
        async with http.request(
            request.method,
            request.url,
            headers={**agent, **request.headers},
            data=request.body or None,
            allow_redirects=False,
            proxy=proxy,
            proxy_headers=agent,
        ) as response:
            return await _read(response, now, most)
    except aiohttp.ClientConnectorCertificateError:
        raise NoAnswer(f"the TLS certificate of {place} is not trusted", retry=False) from None
    except aiohttp.ClientHttpProxyError as error:
        raise NoAnswer(f"the proxy refused (HTTP {error.status})", retry=error.status >= 500) from None
    except aiohttp.ClientProxyConnectionError as error:
        raise NoAnswer(f"the proxy cannot be reached: {words_of_system(error.os_error)}") from None
    except aiohttp.ClientConnectorDNSError:
        raise NoAnswer(f"the host of {place} is not known") from None
    except aiohttp.ServerDisconnectedError:
        raise NoAnswer(f"{place} closed the connection without an answer") from None
    except (aiohttp.ClientResponseError, aiohttp.ClientPayloadError):
        raise NoAnswer(f"{place} gave no whole answer in HTTP") from None
    except (aiohttp.ClientError, OSError) as error:
        words = words_of_system(getattr(error, "os_error", error))
        raise NoAnswer(f"cannot reach {place}: {words}") from None


def place_of(shown: str) -> str:
    """Host and port of an address; all of it where it has none."""
    try:
        return urlsplit(shown).netloc.rpartition("@")[2] or shown
    except ValueError:
        return shown


def words_of_system(error: BaseException) -> str:
    """What the operating system says; libraries put addresses and names of Python classes into their texts."""
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ssl.SSLError):
        return f"no TLS ({error.reason})" if error.reason else "no TLS"
    words = error.strerror if isinstance(error, OSError) else None
    return words if words and "Connect call failed" not in words else "connection failed"


def retry_after(value: str | None, now: Now) -> float | None:
    """Seconds from a `Retry-After` header, which has seconds or a date."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value.strip()[:9])
    date = date_ms(value)
    return None if date is None else max(0.0, (date - now.epoch_ms) / 1000)


class Fetcher:
    """Makes the HTTP requests to one venue, in the order in which they are asked for.

    At most `MOST_AT_ONCE` are under way, and `per_second` begin, evenly spaced. A `Retry-After`, 429 or 503 holds all
    of them back: without a `Retry-After` for 1 s, then twice as long each time up to 30 s, until one succeeds.

    Whoever paces a request does not know when it goes out: it may wait for its turn, or for a connection. So one that
    is made again begins as long after the latest answer as it was asked for after the latest time, 1 s at most.
    """

    def __init__(
        self,
        *,
        now: Callable[[], Now],
        sleep: Callable[[float], Awaitable[None]],
        per_second: float = REQUESTS_PER_SECOND,
        user_agent: str = "mon",
        within: float = ANSWERED_WITHIN,
        make: Callable[[HttpRequest, str | None], Awaitable[HttpResponse]] | None = None,
    ) -> None:
        """`within`: seconds for one request, once it is under way. `make` makes one instead of `aiohttp`."""
        if not per_second > 0:
            raise ValueError(f"expected more than 0 requests a second, got {per_second}")
        self._now = now
        self._sleep = sleep
        self._pause = 1 / per_second
        self._user_agent = user_agent
        self._within = within
        self._make = make or self._through_session
        self._places = asyncio.Semaphore(MOST_AT_ONCE)
        self._turn = asyncio.Lock()  # it is fair: requests go out in order
        self._next_at = -math.inf
        self._held_until = -math.inf
        self._held_by: int  # the HTTP status that did it
        self._holding = Pacing()
        self._waiting = 0
        self._latest: dict[str, tuple[float, float]] = {}  # by URL: when it was asked for, and when it was over
        self._users = 0
        self._session: ClientSession | None = None

    @contextlib.asynccontextmanager
    async def used(self) -> AsyncIterator[Fetcher]:
        """Keeps the connections to the venue open until nobody uses them any more."""
        self._users += 1
        try:
            yield self
        finally:
            self._users -= 1
            if not self._users:
                await self.close()

    async def close(self) -> None:
        """Close the connections that are kept. The pace is kept: a later request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def fetch(self, request: HttpRequest, proxy: str | None = None) -> HttpResponse | NoResponse:
        """The answer, whatever its status, or why there is none. `proxy` is not used for this machine's own addresses.

        To be cancelled when nobody wants the answer any more.
        """
        if self._waiting >= MOST_WAITING:
            await self._sleep(self._pause)
            return NoResponse(f"{MOST_WAITING:,} requests to {place_of(request.shown)} are waiting already")
        self._waiting += 1
        asked_at = self._now().mono
        try:
            await self._keep_apart(request, asked_at)
            async with self._places:
                if self._make == self._through_session:
                    self._opened()  # loading aiohttp takes a while, and its turn is the moment it goes out
                await self._take_turn(place_of(request.shown))
                _refuse_unsafe(request)
                return await self._answer(request, None if is_loopback(request.url) else proxy)
        except MonError as problem:  # `NoAnswer` among them
            return NoResponse(str(problem))
        except Exception as error:
            return NoResponse(fault_in_words(error))
        finally:
            self._waiting -= 1
            self._over(request, asked_at)

    async def _keep_apart(self, request: HttpRequest, asked_at: float) -> None:
        """Waits until the same request may be made again."""
        if request.url not in self._latest:
            return
        before, over = self._latest[request.url]
        wait = over + min(asked_at - before, LONGEST_SPACE) - asked_at
        if wait > 0:
            await self._sleep(wait)

    def _over(self, request: HttpRequest, asked_at: float) -> None:
        mono = self._now().mono
        if len(self._latest) >= MOST_WAITING:
            self._latest = {url: one for url, one in self._latest.items() if mono - one[1] < LONGEST_SPACE}
        self._latest[request.url] = asked_at, mono

    async def _take_turn(self, place: str) -> None:
        """Waits until the next request may begin.

        One that fails has its turn too: whoever asks again and again is slowed down.

        Raises:
            NoAnswer: the venue wants a longer pause than anybody waits for.
        """
        async with self._turn:
            while True:
                mono = self._now().mono
                held = self._held_until - mono
                is_refused = held > LONGEST_HOLD
                wait = self._next_at - mono if is_refused else max(self._next_at - mono, held)
                if wait > 0:
                    await self._sleep(wait)
                    continue
                self._next_at = mono + self._pause
                if is_refused:
                    raise NoAnswer(f"{place} takes no requests for another {held:.0f} s (HTTP {self._held_by})")
                return

    async def _answer(self, request: HttpRequest, proxy: str | None) -> HttpResponse:
        place = place_of(request.shown)
        try:
            async with asyncio.timeout(self._within):
                response = await self._make(request, proxy)
        except TimeoutError:
            raise NoAnswer(f"no whole answer of {place} within {self._within:g} s") from None
        self._hold_back(response)
        if len(response.body) > MAX_ANSWER:
            raise NoAnswer(f"the answer of {place} is larger than {MAX_ANSWER // 2**20} MiB")
        return response

    def _hold_back(self, response: HttpResponse) -> None:
        """Holds all requests back where the answer wants that."""
        mono, after = self._now().mono, response.retry_after
        if response.status < 400:
            self._holding.relax()
        elif after is not None or response.status in _BUSY:
            if after is None:
                if mono < self._held_until:
                    return  # it was under way when the venue said so
                after = self._holding.pause
                self._holding.lengthen()
            until = mono + min(after, LONGEST_RETRY_AFTER)
            if until > self._held_until:
                self._held_until, self._held_by = until, response.status

    async def _through_session(self, request: HttpRequest, proxy: str | None) -> HttpResponse:
        # One byte more than there may be tells that there is more.
        return await ask_through(
            self._opened(), request, user_agent=self._user_agent, proxy=proxy, now=self._now(), most=MAX_ANSWER + 1
        )

    def _opened(self) -> ClientSession:
        if self._session is None:
            self._session = new_session()
        return self._session


_shared: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Fetcher]] = weakref.WeakKeyDictionary()


def shared_fetcher(
    venue: str,
    per_second: float,
    *,
    now: Callable[[], Now],
    sleep: Callable[[float], Awaitable[None]],
    user_agent: str = "mon",
) -> Fetcher:
    """The one fetcher of a venue for all that runs in this event loop; it is made at the first call."""
    fetchers = _shared.setdefault(asyncio.get_running_loop(), {})
    if venue not in fetchers:
        fetchers[venue] = Fetcher(now=now, sleep=sleep, per_second=per_second, user_agent=user_agent)
    return fetchers[venue]


class Fetches:
    """The requests of one open connection, until it ends. `answered` is called with each and what became of it."""

    def __init__(
        self,
        fetcher: Fetcher,
        redactor: Redactor,
        proxy: str | None,
        answered: Callable[[Fetch, HttpResponse | NoResponse], None],
    ) -> None:
        self._fetcher = fetcher
        self._redactor = redactor
        self._proxy = proxy
        self._answered = answered
        self._ended = False
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, fetch: Fetch) -> None:
        """Makes the request, unless the connection is ending."""
        if self._ended:
            return
        self._redactor.learn_url(fetch.request.url, fetch.request.shown)
        task = asyncio.create_task(self._run(fetch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """Drops what is under way: nobody gets its answer."""
        self._ended = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, fetch: Fetch) -> None:
        answer = await self._fetcher.fetch(fetch.request, self._proxy)
        if isinstance(answer, NoResponse):
            answer = NoResponse(self._redactor.text(answer.reason))
        self._answered(fetch, answer)


def _refuse_unsafe(request: HttpRequest) -> None:
    """Refuse what is no HTTP address, or one without encryption that is not on this machine.

    Raises:
        SetupError: says what is expected instead.
    """
    try:
        scheme = urlsplit(request.url).scheme
    except ValueError:
        scheme = ""
    if scheme != "https" and not (scheme == "http" and is_loopback(request.url)):
        raise SetupError(f"expected an https:// address (http:// only on this machine), got {request.shown}")


async def _read(response: ClientResponse, now: Now, most: int) -> HttpResponse:
    headers = response.headers
    date = date_ms(headers.get("Date", ""))
    return HttpResponse(
        response.status,
        await _body_of(response, most),
        retry_after(headers.get("Retry-After"), now),
        cookies=tuple(headers.getall("Set-Cookie", ())),
        date_ms=now.epoch_ms if date is None else date,
    )


async def _body_of(response: ClientResponse, most: int) -> bytes:
    """The body, cut at `most` bytes; one read alone gives no more than what has come so far."""
    body = bytearray()
    while len(body) < most and (part := await response.content.read(most - len(body))):
        body += part
    return bytes(body)


def date_ms(date: str) -> int | None:
    """The time of a `Date` header, which has whole seconds, in milliseconds since the epoch; None if it is no time."""
    try:
        return round(email.utils.parsedate_to_datetime(date).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
