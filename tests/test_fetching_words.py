"""What is said of a request that got no answer, what an answer's headers mean, and when a request is nobody's."""

from __future__ import annotations

import asyncio
import contextlib
import math
import ssl
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from tests.test_fetching import Clock, Maker, get, run, settled
from venues import fetching
from venues.fetching import Fetcher, Fetches, NoAnswer, ask_through, date_ms, place_of, retry_after, words_of_system
from venues.redaction import Redactor
from venues.venue import Fetch, HttpRequest, HttpResponse, NoResponse, Now

NOW = Now(1.0, 1_700_000_000_500)
KEY: Any = SimpleNamespace(host="h", port=1, ssl=True, is_ssl=True)
INFO: Any = SimpleNamespace(real_url="http://h", url="http://h")


class Http:
    """Stands for aiohttp's session: notes what is asked, and raises or answers what it is told to."""

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome
        self.asked: list[tuple[Any, ...]] = []

    @contextlib.asynccontextmanager
    async def request(self, method: str, url: str, **given: Any) -> AsyncIterator[Any]:
        self.asked.append((method, url, given))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        yield self.outcome


async def asked(http: Any, request: HttpRequest, most: int = 100) -> HttpResponse:
    return await ask_through(http, request, user_agent="mon/1", proxy="http://p", now=NOW, most=most)


def os_error(number: int | None, text: str) -> OSError:
    return OSError(number, text) if number is not None else OSError(text)


@pytest.mark.parametrize(
    ("error", "words", "retry"),
    [
        (
            aiohttp.ClientConnectorCertificateError(KEY, ValueError("x")),
            "the TLS certificate of h.example:1 is not trusted",
            False,
        ),
        (aiohttp.ClientHttpProxyError(INFO, (), status=407), "the proxy refused (HTTP 407)", False),
        (aiohttp.ClientHttpProxyError(INFO, (), status=499), "the proxy refused (HTTP 499)", False),
        (aiohttp.ClientHttpProxyError(INFO, (), status=500), "the proxy refused (HTTP 500)", True),
        (
            aiohttp.ClientProxyConnectionError(KEY, ConnectionRefusedError()),
            "the proxy cannot be reached: connection refused",
            True,
        ),
        (aiohttp.ClientConnectorDNSError(KEY, os_error(-2, "x")), "the host of h.example:1 is not known", True),
        (aiohttp.ServerDisconnectedError(), "h.example:1 closed the connection without an answer", True),
        (aiohttp.ClientResponseError(INFO, ()), "h.example:1 gave no whole answer in HTTP", True),
        (aiohttp.ClientPayloadError(), "h.example:1 gave no whole answer in HTTP", True),
        (
            aiohttp.ClientConnectorError(KEY, os_error(113, "No route to host")),
            "cannot reach h.example:1: No route to host",
            True,
        ),
        (aiohttp.ClientError("a Python word"), "cannot reach h.example:1: connection failed", True),
        (os_error(104, "Connection reset by peer"), "cannot reach h.example:1: Connection reset by peer", True),
    ],
)
def test_why_there_is_no_answer(error: Exception, words: str, *, retry: bool) -> None:
    http = Http(error)
    with pytest.raises(NoAnswer) as raised:
        asyncio.run(asked(http, HttpRequest("GET", "https://h.example:1/?k=1", "https://user@h.example:1/?k=[key]")))
    assert (str(raised.value), raised.value.retry) == (words, retry)


def test_what_goes_out_with_a_request() -> None:
    class Content:
        parts = [b"ab", b"cd", b"ef"]  # noqa: RUF012

        async def read(self, most: int) -> bytes:
            assert most > 0, "there is enough"
            part = self.parts.pop(0) if self.parts else b""
            return part[:most]

    class Headers(dict[str, str]):
        def getall(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
            return ("a=1", "b=2") if name == "Set-Cookie" else default

    http = Http(SimpleNamespace(headers=Headers({"Retry-After": "3"}), status=203, content=Content()))
    for body in (b"", b"data"):
        Content.parts = [b"ab", b"cd", b"ef"]
        answer = asyncio.run(asked(http, HttpRequest("POST", "https://h", "https://h", {"X": "1"}, body), most=5))
        assert answer == HttpResponse(203, b"abcde", 3.0, cookies=("a=1", "b=2"), date_ms=NOW.epoch_ms)
    agent = {"User-Agent": "mon/1"}
    common = {"allow_redirects": False, "proxy": "http://p", "proxy_headers": agent, "headers": {**agent, "X": "1"}}
    assert http.asked == [
        ("POST", "https://h", {**common, "data": None}),
        ("POST", "https://h", {**common, "data": b"data"}),
    ]


@pytest.mark.parametrize(
    ("shown", "place"),
    [
        ("https://h.example:8/path", "h.example:8"),
        ("https://user:pass@h.example/x", "h.example"),
        ("h.example/x", "h.example/x"),
        ("https://[::1/x", "https://[::1/x"),
        ("", ""),
    ],
)
def test_the_place_of_an_address(shown: str, place: str) -> None:
    assert place_of(shown) == place


def tls_error(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, "x")
    error.reason = reason  # type: ignore[assignment]
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "x"), "connection refused"),
        (tls_error("WRONG_VERSION_NUMBER"), "no TLS (WRONG_VERSION_NUMBER)"),
        (tls_error(None), "no TLS"),
        (os_error(113, "No route to host"), "No route to host"),
        (os_error(113, "Connect call failed ('1.2.3.4', 5)"), "connection failed"),
        (os_error(None, "Multiple exceptions"), "connection failed"),
        (ValueError("x"), "connection failed"),
    ],
)
def test_the_words_of_the_system(error: BaseException, words: str) -> None:
    assert words_of_system(error) == words


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("12345678901", 123456789.0),
        ("-1", None),
        ("1.5", None),
        ("\N{SUPERSCRIPT TWO}", None),
        ("\N{ARABIC-INDIC DIGIT TWO}", None),
        ("", None),
        ("soon", None),
        ("Tue, 14 Nov 2023 22:13:25 GMT", 4.5),
        ("Tue, 14 Nov 2023 22:13:20 GMT", 0.0),
        ("Tue, 14 Nov 2023 22:13:21 GMT", 0.5),
    ],
)
def test_what_a_retry_after_means(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    ("date", "ms"),
    [
        ("Tue, 14 Nov 2023 22:13:20 GMT", 1_700_000_000_000),
        ("Tue, 14 Nov 2023 23:13:21 +0100", 1_700_000_001_000),
        ("", None),
        ("Tue, 99 Nov 2023 22:13:20 GMT", None),
        ("Tue, 14 Nov 99999999 22:13:20 GMT", None),
    ],
)
def test_the_time_of_a_date(date: str, ms: int | None) -> None:
    assert date_ms(date) == ms


# --- the pace, at its bounds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("per_second", [0.0, -1.0, float("nan")])
def test_a_pace_is_above_0(per_second: float) -> None:
    with pytest.raises(ValueError, match=f"^expected more than 0 requests a second, got {per_second}$"):
        Fetcher(now=Clock().now, sleep=Clock().sleep, per_second=per_second)


@pytest.mark.parametrize(("pause", "is_waited_for"), [(10.0, True), (10.5, False)])
def test_a_pause_of_ten_seconds_is_waited_for_and_no_longer_one(pause: float, *, is_waited_for: bool) -> None:
    async def test(clock: Clock) -> None:
        maker = Maker(clock, HttpResponse(429, b"", pause))
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, per_second=math.inf, make=maker)
        await fetcher.fetch(get("a"))
        maker.answer = None
        task = asyncio.create_task(fetcher.fetch(get("b")))
        await clock.forward(9.5)
        assert task.done() is not is_waited_for
        await clock.forward(0.5)
        said = "venue.example takes no requests for another 10 s (HTTP 429)"
        assert await task == (HttpResponse(200, b"{}") if is_waited_for else NoResponse(said))

    run(test)


@pytest.mark.parametrize(("after", "least"), [(90_000.0, 86_400), (1e300, 86_400), (86_399.0, 86_399)])
def test_no_pause_is_longer_than_a_day(after: float, least: int) -> None:
    async def test(clock: Clock) -> None:
        maker = Maker(clock, HttpResponse(503, b"", after))
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, per_second=1_000, make=maker)
        await fetcher.fetch(get("a"))
        clock.mono += 0.001  # its turn
        said = await fetcher.fetch(get("b"))
        assert said == NoResponse(f"venue.example takes no requests for another {least} s (HTTP 503)")

    run(test)


def test_what_was_under_way_when_the_venue_said_busy_lengthens_nothing() -> None:
    async def test(clock: Clock) -> None:
        maker = Maker(clock, HttpResponse(429, b""))
        maker.hold = asyncio.Event()
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, per_second=1_000, make=maker)
        tasks = [asyncio.create_task(fetcher.fetch(get(name))) for name in "abc"]
        await clock.forward(0.5)
        maker.hold.set()
        await asyncio.gather(*tasks)
        maker.answer, began = None, len(maker.begun)
        task = asyncio.create_task(fetcher.fetch(get("d")))
        await clock.forward(0.999)
        assert len(maker.begun) == began
        await clock.forward(0.001)
        await task

    run(test)


def test_a_shorter_pause_does_not_cut_a_longer_one() -> None:
    async def test(clock: Clock) -> None:
        maker = Maker(clock)
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, per_second=1_000, make=maker)
        for seconds in (5.0, 2.0):
            fetcher._hold_back(HttpResponse(429 if seconds == 5.0 else 418, b"", seconds))
        task = asyncio.create_task(fetcher.fetch(get("a")))
        await clock.forward(4.999)
        assert not maker.begun
        await clock.forward(0.001)
        assert await task == HttpResponse(200, b"{}")

    run(test)


@pytest.mark.parametrize(("size", "is_taken"), [(10, True), (11, False)])
def test_an_answer_has_its_largest_size(size: int, *, is_taken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_ANSWER", 10)
    answer = HttpResponse(200, b"x" * size)

    async def test(clock: Clock) -> None:
        said = await Fetcher(now=clock.now, sleep=clock.sleep, make=Maker(clock, answer)).fetch(get("a"))
        assert said == (answer if is_taken else NoResponse("the answer of venue.example is larger than 0 MiB"))

    run(test)


def test_an_answer_has_its_time() -> None:
    async def test(clock: Clock) -> None:
        maker = Maker(clock)
        maker.hold = asyncio.Event()
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, make=maker, within=0.01)
        assert await fetcher.fetch(get("a")) == NoResponse("no whole answer of venue.example within 0.01 s")

    run(test)


# --- whose a request is --------------------------------------------------------------------------------------------


class Session:
    closed = 0

    async def close(self) -> None:
        self.closed += 1


def test_connections_are_closed_with_the_last_user(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Session] = []

    def new_session() -> Session:
        made.append(Session())
        return made[-1]

    monkeypatch.setattr(fetching, "new_session", new_session)

    async def test(clock: Clock) -> None:
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep)
        async with fetcher.used() as one:
            assert one is fetcher
            async with fetcher.used():
                assert fetcher._opened() is fetcher._opened()
            assert [session.closed for session in made] == [0]
        assert [session.closed for session in made] == [1]
        await fetcher.close()
        async with fetcher.used():
            fetcher._opened()
        assert [session.closed for session in made] == [1, 1]

    run(test)


def test_the_requests_of_a_connection_end_with_it() -> None:
    async def test(clock: Clock) -> None:
        maker, redactor, got = Maker(clock), Redactor(), list[tuple[str, Any]]()
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, per_second=1_000, make=maker)
        fetches = Fetches(fetcher, redactor, "http://p", lambda fetch, answer: got.append((fetch.id, answer)))
        fetches.begin(Fetch("1", get("a")))
        await clock.forward(1)
        assert not fetches._tasks, "what is answered is not kept"
        maker.hold = asyncio.Event()
        fetches.begin(Fetch("2", get("b")))
        await clock.forward(1)
        await fetches.end()
        assert maker.under_way == 0, "at once"
        fetches.begin(Fetch("3", get("c")))
        maker.hold.set()
        await clock.forward(10)
        assert [name for name, _ in maker.begun] == ["a", "b"]
        assert got == [("1", HttpResponse(200, b"{}"))]
        assert maker.under_way == 0

    run(test)


def test_why_there_is_no_answer_is_told_without_the_secrets_of_its_address() -> None:
    async def make(request: HttpRequest, proxy: str | None) -> HttpResponse:
        raise NoAnswer(f"nothing at {request.url}")

    async def test(clock: Clock) -> None:
        got: list[Any] = []
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, make=make)
        fetches = Fetches(fetcher, Redactor(), None, lambda fetch, answer: got.append(answer))
        request = HttpRequest("GET", "https://v.example/of/k7/x", "https://v.example/of/[key]/x")
        fetches.begin(Fetch("1", request))
        await settled()
        assert got == [NoResponse("nothing at https://v.example/of/[key]/x")]

    run(test)
