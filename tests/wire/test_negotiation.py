"""SignalR's negotiation as a generator of requests."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from venues.driver import verdict
from venues.protocols.negotiation import negotiated
from venues.venue import Dial, HttpRequest, HttpResponse, Lost, NotOpened, Refused

HUB = "wss://broker.example/marketdata/v5/info"
SHOWN = "https://broker.example/marketdata/v5/info/negotiate?negotiateVersion=1&access_token=[token]"
TRANSPORTS = [{"transport": "ServerSentEvents", "transferFormats": ["Text"]}, {"transport": "WebSockets"}]


def answer(
    status: int = 200, retry_after: float | None = None, cookies: tuple[str, ...] = (), **content: Any
) -> HttpResponse:
    return HttpResponse(status, msgspec.json.encode(content), retry_after, cookies, 1_795_875_646_000)


def play(*answers: HttpResponse, hub: str = HUB) -> tuple[list[HttpRequest], Dial | Refused | Lost]:
    """The requests that are made, and where they lead."""
    requests: list[HttpRequest] = []
    opening = negotiated(hub, "to ken", verdict)
    try:
        requests.append(next(opening))
        for one in answers:
            requests.append(opening.send(one))  # noqa: PERF401  `extend` would swallow the StopIteration
    except StopIteration as stop:
        return requests, stop.value
    except NotOpened as error:
        return requests, error.problem
    raise AssertionError("more answers are wanted")


def test_version_1_connects_with_the_token_as_id() -> None:
    (request,), dial = play(
        answer(connectionToken="a/b", connectionId="c", negotiateVersion=1, availableTransports=TRANSPORTS)
    )
    assert (request.method, request.shown) == ("POST", SHOWN)
    assert request.url == SHOWN.replace("[token]", "to%20ken")
    assert request.headers == {"Authorization": "Bearer to ken"}
    assert dial == Dial(
        f"{HUB}?id=a%2Fb&access_token=to%20ken",
        f"{HUB}?id=[connectionToken]&access_token=[token]",
        headers={"Authorization": "Bearer to ken"},
    )


def test_version_0_has_an_id_only() -> None:
    _, dial = play(answer(connectionId="c d"))
    assert isinstance(dial, Dial)
    assert "id=c%20d&" in dial.url


def test_a_plain_hub_is_negotiated_with_over_http() -> None:
    (request,), dial = play(answer(connectionId="c"), hub="ws://127.0.0.1:9000/hub")
    assert request.url.startswith("http://127.0.0.1:9000/hub/negotiate?")
    assert isinstance(dial, Dial)
    assert dial.url.startswith("ws://127.0.0.1:9000/hub?id=c&")


def test_a_redirect_is_negotiated_again_with_its_token() -> None:
    (_, second), dial = play(
        answer(url="https://elsewhere.example/client/?hub=chat", accessToken="other"),
        answer(connectionToken="t", negotiateVersion=1),
    )
    assert second.url == "https://elsewhere.example/client/negotiate?hub=chat&negotiateVersion=1&access_token=other"
    assert second.headers == {"Authorization": "Bearer other"}
    assert isinstance(dial, Dial)
    assert dial.url == "wss://elsewhere.example/client/?hub=chat&id=t&access_token=other"
    assert "other" not in dial.shown


def test_our_token_does_not_follow_to_another_host() -> None:
    (_, second), dial = play(answer(url="https://elsewhere.example/hub"), answer(connectionId="c"))
    assert "access_token" not in second.url
    assert second.headers == {}
    assert dial == Dial("wss://elsewhere.example/hub?id=c", "wss://elsewhere.example/hub?id=[connectionToken]")
    (_, second), _ = play(answer(url="https://broker.example/other"), answer(connectionId="c"))
    assert second.headers == {"Authorization": "Bearer to ken"}


def test_five_redirects_and_no_more() -> None:
    redirect = answer(url="https://broker.example/again")
    requests, dial = play(*[redirect] * 5, answer(connectionId="c"))
    assert len(requests) == 6
    assert isinstance(dial, Dial)
    requests, lost = play(*[redirect] * 6)
    assert len(requests) == 6
    assert isinstance(lost, Lost)
    assert not lost.retry
    assert "more than 5 times" in lost.reason


def test_an_error_means_stop() -> None:
    _, refused = play(answer(error="go away"))
    assert refused == Refused("the hub refuses to negotiate: go away")


@pytest.mark.parametrize(
    "response",
    [
        answer(),
        answer(connectionToken="t", negotiateVersion=0),
        answer(connectionId="c", negotiateVersion=1),
        answer(connectionId="c", availableTransports=[{"transport": "LongPolling"}]),
        answer(url="http://elsewhere.example/hub"),
        answer(url="ftp://elsewhere.example/hub"),
        answer(url="https://[/hub"),
        answer(url="/hub"),
        answer(connectionId=7),
        HttpResponse(200, b"<html>"),
        HttpResponse(200, b"\xff"),
        HttpResponse(200, b"[" * 100_000),
    ],
)
def test_answers_that_lead_nowhere(response: HttpResponse) -> None:
    _, lost = play(response)
    assert isinstance(lost, Lost)
    assert not lost.retry


def test_a_status_is_judged_and_retry_after_obeyed() -> None:
    assert isinstance(play(answer(401))[1], Refused)
    lost = play(answer(503, 7.0))[1]
    assert isinstance(lost, Lost)
    assert (lost.retry, lost.after) == (True, 7.0)


def test_cookies_go_with_the_websocket() -> None:
    _, dial = play(answer(connectionId="c", cookies=("lb=node-3; Path=/; HttpOnly", "other=1; Path=/other", "x=y")))
    assert isinstance(dial, Dial)
    assert dial.headers == {"Authorization": "Bearer to ken", "Cookie": "x=y; lb=node-3"}
    assert "node-3" not in dial.url + dial.shown


def test_cookies_stay_with_the_host_that_set_them() -> None:
    requests, dial = play(
        answer(url="https://elsewhere.example/hub", accessToken="other", cookies=("lb=1; Path=/",)),
        answer(url="https://broker.example/back", cookies=("lb=2; Path=/", "gone=1; Path=/")),
        answer(url="https://elsewhere.example:8443/hub", cookies=("lb=3; Path=/", "deep=1; Path=/back/negotiate")),
        answer(connectionId="c", cookies=("gone=; Path=/; Max-Age=0",)),
    )
    assert [request.headers.get("Cookie") for request in requests] == [None, None, "lb=1", "lb=2; gone=1"]
    assert isinstance(dial, Dial)
    assert dial.headers == {"Cookie": "lb=2"}
    _, dial = play(
        answer(url="https://elsewhere.example/hub", accessToken="other", cookies=("lb=1; Path=/",)),
        answer(connectionId="c"),
    )
    assert isinstance(dial, Dial)
    assert dial.headers == {"Authorization": "Bearer other"}


def test_a_replay_needs_no_cookies() -> None:
    _, dial = play(HttpResponse(200, b'{"connectionId":"c"}'))
    assert isinstance(dial, Dial)


@pytest.mark.parametrize("name", ["negotiateVersion", "NegotiateVersion", "negotiate%56ersion"])
@pytest.mark.parametrize("value", ["1", "0", ""])
def test_a_redirect_that_has_a_version_gets_no_second_one(name: str, value: str) -> None:
    (_, second), dial = play(
        answer(url=f"https://elsewhere.example/c/?hub=h&{name}={value}", accessToken="other"), answer(connectionId="c")
    )
    assert second.url == f"https://elsewhere.example/c/negotiate?hub=h&{name}={value}&access_token=other"
    assert isinstance(dial, Dial)
    assert dial.url == f"wss://elsewhere.example/c/?hub=h&{name}={value}&id=c&access_token=other"


def test_a_redirect_that_has_a_token_gets_no_second_one() -> None:
    for host in ("elsewhere", "broker"):
        (_, second), dial = play(
            answer(url=f"https://{host}.example/c?access_token=in%2Fside&hub=h"), answer(connectionId="c")
        )
        assert second.url == f"https://{host}.example/c/negotiate?access_token=in%2Fside&hub=h&negotiateVersion=1"
        assert second.shown == f"https://{host}.example/c/negotiate?access_token=[token]&hub=h&negotiateVersion=1"
        assert second.headers == {"Authorization": "Bearer in/side"}
        assert dial == Dial(
            f"wss://{host}.example/c?access_token=in%2Fside&hub=h&id=c",
            f"wss://{host}.example/c?access_token=[token]&hub=h&id=[connectionToken]",
            headers={"Authorization": "Bearer in/side"},
        )


def test_a_redirect_with_two_tokens_keeps_the_one_in_its_address() -> None:
    (_, second), dial = play(
        answer(url="https://elsewhere.example/c?Access_Token=one", accessToken="two"), answer(connectionId="c")
    )
    assert second.url == "https://elsewhere.example/c/negotiate?Access_Token=one&negotiateVersion=1"
    assert second.headers == {"Authorization": "Bearer two"}
    assert isinstance(dial, Dial)
    assert dial.url == "wss://elsewhere.example/c?Access_Token=one&id=c"
    assert "one" not in dial.shown + second.shown


@pytest.mark.parametrize(
    "url", ["https://broker.example@elsewhere.example/c", "https://elsewhere.example\\@broker.example/c"]
)
def test_an_address_whose_host_is_in_doubt_is_not_followed(url: str) -> None:
    _, lost = play(answer(url=url))
    assert isinstance(lost, Lost)
    assert not lost.retry
