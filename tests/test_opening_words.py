"""Why there is no WebSocket, in words, and what the opening of one tells. No sockets: the library is played."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Generator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidProxy, InvalidProxyStatus, InvalidStatus, ProxyError
from websockets.http11 import Response

from venues import events, opening
from venues.answers import MAX_MESSAGE
from venues.errors import SetupError
from venues.fetching import NoAnswer
from venues.opening import Handshake, NoConnectionError, Opening
from venues.redaction import Redactor
from venues.venue import Dial, HttpRequest, HttpResponse, Lost, NotOpened, Now, Refused

STAMP: events.Stamp = {"at": 7, "mono": 0.5, "line": 2}
URL, SHOWN = "wss://v.example:8/a-secret-key", "wss://v.example:8/[key]"
SECRET = {"key": "another-secret"}


class Session:
    """Asks for what it is told to, then dials."""

    def __init__(self, *requests: HttpRequest, dial: Dial | None = None, problem: Exception | None = None) -> None:
        self.requests = requests
        self.dial = dial or Dial(URL, SHOWN, headers={"X": "1"})
        self.problem = problem
        self.answers: list[HttpResponse] = []

    def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
        for request in self.requests:
            self.answers.append((yield request))
        if self.problem is not None:
            raise self.problem
        return self.dial


class Opened:
    """An opening with a library that does what it is told, and what came of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, outcome: Any = None, **given: Any) -> None:
        self.noted: list[events.Event] = []
        self.dialled: list[tuple[Any, dict[str, Any]]] = []
        self.redactor = Redactor()
        self.redactor.learn(SECRET)
        self.seconds = 0.0
        opened = self

        class Connect:
            def __init__(self, url: str, **given: Any) -> None:
                opened.dialled.append((url, given))

            def __await__(self) -> Generator[Any, None, Any]:
                yield from asyncio.sleep(0).__await__()
                if isinstance(outcome, Exception):
                    raise outcome
                return outcome

        monkeypatch.setattr(opening, "_Connect", Connect)
        self.opening = Opening(
            now=self.now,
            stamp=lambda: STAMP,
            note=self.noted.append,
            redactor=self.redactor,
            proxy=given.get("proxy"),
            user_agent="mon/1",
        )

    def now(self) -> Now:
        self.seconds += 1
        return Now(self.seconds, 1_000)

    def open(self, session: Session | None = None) -> Any:
        """The WebSocket and its address, or the event that says why there is none."""
        try:
            return asyncio.run(self.opening.open(session or Session(), close_timeout=3.0))  # type: ignore[arg-type]
        except NoConnectionError as error:
            return error.event


def failed(reason: str, **given: Any) -> events.Failed:
    return events.Failed(**STAMP, reason=reason, **given)


def status_of(status: int, body: bytes = b"", **headers: str) -> InvalidStatus:
    fields = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return InvalidStatus(Response(status, "x", fields, body))


def proxy_status(status: int) -> InvalidProxyStatus:
    return InvalidProxyStatus(Response(status, "x", Headers()))


def old_answer(text: str) -> InvalidHandshake:
    error = InvalidHandshake("not this")
    error.__cause__ = ValueError(text)
    return error


def certificate() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_message = "self-signed"
    return error


def tls(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, "x")
    error.reason = reason  # type: ignore[assignment]
    return error


PROXY = "the proxy cannot be used: "


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (status_of(403), events.Answered(**STAMP, status=403)),
        (
            status_of(503, b" busy, another-secret \xff\n", Retry_After="7"),
            events.Answered(**STAMP, status=503, body="busy, [key] \ufffd", retry_after=7.0),
        ),
        (status_of(404, b"x" * 200), events.Answered(**STAMP, status=404, body="x" * 200)),
        (status_of(404, b"x" * 201), events.Answered(**STAMP, status=404, body="x" * 199 + "…")),
        (proxy_status(407), failed("the proxy refused (HTTP 407)", retry=False)),
        (proxy_status(499), failed("the proxy refused (HTTP 499)", retry=False)),
        (proxy_status(500), failed("the proxy refused (HTTP 500)")),
        (InvalidProxy("http://p", "why another-secret"), failed(f"{PROXY}why [key]", retry=False)),
        (InvalidProxy("http://p", "x" * 120), failed(PROXY + "x" * 120, retry=False)),
        (InvalidProxy("http://p", "x" * 121), failed(PROXY + "x" * 119 + "…", retry=False)),
        (ProxyError("went away"), failed(f"{PROXY}went away")),
        (ProxyError(""), failed(f"{PROXY}it failed")),
        (ImportError("socks"), failed(f"{PROXY}for a SOCKS proxy the package python-socks is needed", retry=False)),
        (old_answer("expected HTTP/1.1: HTTP/1.0 404 No"), events.Answered(**STAMP, status=404)),
        (old_answer("a mail server"), failed("v.example:8 answered, but does not speak WebSocket (a mail server)")),
        (certificate(), failed("the TLS certificate of v.example:8 is not trusted: self-signed", retry=False)),
        (tls("WRONG_VERSION"), failed("no TLS with v.example:8: WRONG_VERSION")),
        (tls(None), failed("no TLS with v.example:8: the handshake failed")),
        (socket.gaierror(-2, "x"), failed("the host of v.example:8 is not known")),
        (ConnectionRefusedError(111, "x"), failed("cannot reach v.example:8: connection refused")),
        (OSError(113, "No route to host"), failed("cannot reach v.example:8: No route to host")),
    ],
)
def test_why_there_is_no_websocket(error: Exception, event: events.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Opened(monkeypatch, error)
    assert opened.open() == event
    assert opened.opening.handshake is None


@pytest.mark.parametrize(
    ("version", "dates", "tls", "date_ms"),
    [
        ("TLSv1.3", ["Tue, 14 Nov 2023 22:13:20 GMT"], "TLSv1.3", 1_700_000_000_000),
        ("", ["Tue, 14 Nov 2023 22:13:20 GMT", "Tue, 14 Nov 2023 22:13:21 GMT"], "", 1_700_000_000_000),
        (None, ["soon"], "", None),
        (None, [], "", None),
        (None, None, "", None),
    ],
)
def test_what_the_opening_tells(
    version: str | None, dates: list[str] | None, tls: str, date_ms: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    encrypted = None if version is None else SimpleNamespace(version=lambda: version or None)
    headers = Headers([("Date", date) for date in dates or ()])
    websocket = SimpleNamespace(
        transport=SimpleNamespace(get_extra_info=lambda name: encrypted if name == "ssl_object" else pytest.fail(name)),
        response=None if dates is None else SimpleNamespace(headers=headers),
    )
    opened = Opened(monkeypatch, websocket)
    assert opened.open() == (websocket, SHOWN)
    assert opened.opening.handshake == Handshake(tls, date_ms, Now(1.0, 1_000), Now(2.0, 1_000))
    assert opened.redactor.text(URL) == SHOWN
    assert opened.noted == []


@pytest.mark.parametrize(
    ("url", "proxy", "through"),
    [
        ("wss://v.example", None, None),
        ("wss://v.example", "http://p.example", "http://p.example"),
        ("ws://127.0.0.1:1", "http://p.example", None),
    ],
)
def test_how_the_library_is_asked(
    url: str, proxy: str | None, through: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Opened(monkeypatch, OSError("x"), proxy=proxy)
    opened.open(Session(dial=Dial(url, url, headers={"X": "1"})))
    ((dialled, given),) = opened.dialled
    assert dialled == url
    logger = given.pop("logger")
    assert given == {
        "create_connection": opening.Socket,
        "additional_headers": {"X": "1"},
        "user_agent_header": "mon/1",
        "proxy": through,
        "open_timeout": None,
        "ping_interval": None,
        "close_timeout": 3.0,
        "max_size": MAX_MESSAGE,
    }
    assert not logger.isEnabledFor(50)


def test_plain_text_is_not_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Opened(monkeypatch, OSError("x"))
    with pytest.raises(SetupError, match="expected a wss:// or https:// address"):
        opened.open(Session(dial=Dial("ws://v.example", "ws://v.example")))
    assert opened.dialled == []


# --- what is asked for before it


def request(address: str = "https://v.example/x?key=k-1") -> HttpRequest:
    return HttpRequest("POST", address, address.replace("k-1", "[key]"))


def answering(monkeypatch: pytest.MonkeyPatch, *answers: HttpResponse | Exception) -> list[Mapping[str, Any]]:
    asked: list[Mapping[str, Any]] = []
    left = list(answers)

    async def ask(request: HttpRequest, **given: Any) -> HttpResponse:
        asked.append({"url": request.url, **given})
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(opening, "ask", ask)
    return asked


def test_requests_are_made_first_and_noted_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = (
        HttpResponse(200, b'{"token":"a-token-of-it"}', cookies=("lb=a-cookie-of-it; Path=/", "x=y")),
        HttpResponse(201, b"\xff a-token-of-it"),
    )
    asked = answering(monkeypatch, *answers)
    opened, session = (
        Opened(monkeypatch, OSError(113, "gone"), proxy="http://p"),
        Session(request(), request("http://[::1]/")),
    )
    assert opened.open(session) == failed("cannot reach v.example:8: gone")
    assert session.answers == [*answers]
    assert asked == [
        {"url": "https://v.example/x?key=k-1", "user_agent": "mon/1", "proxy": "http://p", "now": Now(1.0, 1_000)},
        {"url": "http://[::1]/", "user_agent": "mon/1", "proxy": None, "now": Now(2.0, 1_000)},
    ]
    said = {"method": "POST", "url": "https://v.example/x?key=[key]"}
    assert opened.noted == [
        events.Requested(
            **STAMP, **said, status=200, body='{"token":"[token]"}', cookies=("lb=[cookie]; Path=/", "x=[cookie]")
        ),
        events.Requested(**STAMP, method="POST", url="http://[::1]/", status=201, body="\ufffd [token]"),
    ]
    assert (
        opened.redactor.text("https://v.example/x?key=k-1 a-cookie-of-it") == "https://v.example/x?key=[key] [cookie]"
    )


@pytest.mark.parametrize("retry", [True, False])
def test_a_request_without_an_answer_is_no_connection(*, retry: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, NoAnswer("no another-secret", retry=retry))
    opened = Opened(monkeypatch)
    assert opened.open(Session(request())) == failed("no [key]", retry=retry)
    assert opened.noted == []


def test_a_request_in_plain_text_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch)
    event = Opened(monkeypatch).open(Session(request("http://v.example/x?key=k-1")))
    words = "expected a wss:// or https:// address (others only on this machine), got http://v.example/x?key=[key]"
    assert (event, asked) == (failed(words), [])


@pytest.mark.parametrize(
    ("problem", "event"),
    [
        (Refused("no another-secret"), failed("no [key]", retry=False, refused=True, status=403)),
        (Lost("not now", after=5.0), failed("not now", after=5.0, status=403)),
        (Lost("never", retry=False), failed("never", retry=False, status=403)),
    ],
)
def test_what_the_answers_mean_is_the_sessions_to_say(
    problem: Refused | Lost, event: events.Failed, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, HttpResponse(200, b""), HttpResponse(403, b""))
    opened = Opened(monkeypatch)
    assert opened.open(Session(request(), request(), problem=NotOpened(problem))) == event
    event_without = Opened(monkeypatch).open(Session(problem=NotOpened(problem)))
    assert event_without.status is None
