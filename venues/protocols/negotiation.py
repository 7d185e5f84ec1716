"""SignalR's negotiation: the one HTTP request that a hub may want before its WebSocket is opened.

From ASP.NET Core's TransportProtocols.md: `POST <hub>/negotiate?negotiateVersion=1` answers with

    {"connectionToken": "05265228-…", "connectionId": "807809a5-…", "negotiateVersion": 1,
     "availableTransports": [{"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}]}

and the WebSocket is opened with `?id=<connectionToken>` (version 0 has a connectionId only). `{"url": …,
"accessToken": …}` sends us elsewhere with another token, `{"error": …}` means stop. Cookies that an answer sets go with
what follows to the same host: by them a load balancer finds the server that was negotiated with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from msgspec import Struct

from venues.protocols.cookies import Cookies
from venues.redaction import without_secret_parameters
from venues.toolkit.addresses import is_loopback
from venues.toolkit.decoding import DECODE_ERRORS, Reader, excerpt, explain
from venues.venue import Dial, HttpRequest, HttpResponse, Lost, NotOpened, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

MOST_REDIRECTS = 5
LONGEST_RETRY_AFTER = 86_400.0


class _Transport(Struct):
    transport: str


class _Answer(Struct, rename="camel"):
    connection_id: str | None = None
    connection_token: str | None = None
    negotiate_version: int = 0
    available_transports: list[_Transport] | None = None
    url: str | None = None
    access_token: str | None = None
    error: str | None = None


_ANSWER: Reader[_Answer] = Reader(_Answer, respells=False)


def straight(hub: str, token: str) -> Dial:
    """The WebSocket without negotiation; `hub` is its address, the token goes into the query."""
    return Dial(_with(hub, "access_token", quote(token, safe="")), _with(hub, "access_token", "[token]"))


def negotiated(
    hub: str, token: str, refused: Callable[[int, str], Refused | Lost]
) -> Generator[HttpRequest, HttpResponse, Dial]:
    """Negotiates, following redirections; returns where the WebSocket is.

    `refused` says what an HTTP status other than 200 means; its second argument is an excerpt of the answer.

    Raises:
        NotOpened: refused, or the answer leads nowhere.
    """
    bearer: str | None = token
    cookies = Cookies()
    for _ in range(1 + MOST_REDIRECTS):
        request = _request(hub, bearer, cookies)
        response = yield request
        cookies.take(request.url, response.cookies, response.date_ms)
        answer = _read(response, refused)
        if answer.error is not None:
            raise NotOpened(Refused(f"the hub refuses to negotiate: {excerpt(answer.error, 300)}"))
        if answer.url is None:
            return _dial(hub, bearer, answer, cookies)
        there = _checked(answer.url)
        if answer.access_token is not None:
            bearer = answer.access_token
        elif named := _query(there).get("access_token"):
            bearer = named
        elif urlsplit(there).hostname != urlsplit(hub).hostname:
            bearer = None  # our own token is only for the host that the user named
        hub = there
    raise NotOpened(Lost(f"the hub redirects more than {MOST_REDIRECTS} times in its negotiation", retry=False))


def _request(hub: str, bearer: str | None, cookies: Cookies) -> HttpRequest:
    parts = urlsplit(hub)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    url = parts._replace(scheme=scheme, path=parts.path.rstrip("/") + "/negotiate").geturl()
    url = _with_once(_with_once(url, "negotiateVersion", "1"), "access_token", bearer)
    headers = {**_authorization(bearer), **cookies.headers(url)}
    return HttpRequest("POST", url, without_secret_parameters(url), headers=headers)


def _authorization(bearer: str | None) -> dict[str, str]:
    return {} if bearer is None else {"Authorization": f"Bearer {bearer}"}


def _read(response: HttpResponse, refused: Callable[[int, str], Refused | Lost]) -> _Answer:
    if response.status != 200:
        problem = refused(response.status, excerpt(response.body.decode(errors="replace").strip(), 200))
        if isinstance(problem, Lost) and problem.retry and response.retry_after is not None:
            problem = Lost(problem.reason, after=min(response.retry_after, LONGEST_RETRY_AFTER))
        raise NotOpened(problem)
    try:
        return _ANSWER.decode(response.body)
    except DECODE_ERRORS as error:
        raise NotOpened(_wrong(f"{explain(error)} (the answer to the negotiation)")) from None


def _dial(hub: str, bearer: str | None, answer: _Answer, cookies: Cookies) -> Dial:
    transports = answer.available_transports
    if transports is not None and "WebSockets" not in [offered.transport for offered in transports]:
        offered = excerpt(", ".join(excerpt(one.transport, 40) for one in transports) or "nothing", 200)
        raise NotOpened(_wrong(f"expected a hub that offers WebSockets, this one offers {offered}"))
    connection = answer.connection_token if answer.negotiate_version > 0 else answer.connection_id
    if not connection:
        name = "connectionToken" if answer.negotiate_version > 0 else "connectionId"
        raise NotOpened(_wrong(f"expected a value at `{name}`, got none (the answer to the negotiation)"))
    parts = urlsplit(hub)
    url = parts._replace(scheme={"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)).geturl()
    headers = {**_authorization(bearer), **cookies.headers(url)}
    shown = _with_once(_with(url, "id", "[connectionToken]"), "access_token", bearer)
    url = _with_once(_with(url, "id", quote(connection, safe="")), "access_token", bearer)
    return Dial(url, without_secret_parameters(shown), headers=headers)


def _checked(url: str) -> str:
    """The address of a redirection, once it is allowed. The query is kept; a fragment has no meaning here."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https", "ws", "wss") and bool(parts.hostname) and _valid_port(parts)
        good = good and "@" not in parts.netloc and "\\" not in url  # programs do not agree about the host there
    except ValueError:
        good = False
    if not good or not url.isprintable() or " " in url:
        raise NotOpened(
            _wrong(f"expected an address at `url` of the answer to the negotiation, got {excerpt(url, 100)}")
        )
    if parts.scheme in ("http", "ws") and not is_loopback(url):
        raise NotOpened(_wrong("the negotiation leads to an address without encryption, which is not followed"))
    return parts._replace(fragment="").geturl()


def _valid_port(parts: SplitResult) -> bool:
    return parts.port is None or parts.port > 0


def _wrong(reason: str) -> Lost:
    return Lost(reason, retry=False)


def _query(url: str) -> dict[str, str]:
    """The parameters of a URL's query, with names in lower case: ASP.NET Core ignores case."""
    return {name.lower(): value for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True)}


def _with(url: str, name: str, value: str) -> str:
    """The URL with more parameters in its query."""
    base = url.rstrip("?&")
    return f"{base}{'&' if '?' in base else '?'}{name}={value}"


def _with_once(url: str, name: str, value: str | None) -> str:
    """The URL with more parameters in its query, unless they are there already."""
    return url if value is None or name.lower() in _query(url) else _with(url, name, quote(value, safe=""))
