"""One HTTP request, and why there is no answer, in words. Knows no venue.

`aiohttp` is loaded with the first request: most lines need none.
"""

from __future__ import annotations

import email.utils
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from venues.errors import MonError
from venues.venue import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

    from venues.venue import Now

MAX_BODY = 2**20  # bytes of an answer before dialling; the rest is cut


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
    """Host and port of an address."""
    return urlsplit(shown).netloc.rpartition("@")[2] or shown


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
    date = _milliseconds(value)
    return None if date is None else max(0.0, (date - now.epoch_ms) / 1000)


async def _read(response: ClientResponse, now: Now, most: int) -> HttpResponse:
    headers = response.headers
    date = _milliseconds(headers.get("Date", ""))
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


def _milliseconds(date: str) -> int | None:
    try:
        return round(email.utils.parsedate_to_datetime(date).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
