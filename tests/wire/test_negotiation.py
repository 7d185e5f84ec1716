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


def nothing_at(name: str) -> str:
    return f"expected a value at `{name}`, got none (the answer to the negotiation)"


def offers(*sizes: int) -> HttpResponse:
    return answer(connectionId="c", availableTransports=[{"transport": "x" * size} for size in sizes])


LONG = "x" * 38
NO_WEBSOCKETS = "expected a hub that offers WebSockets, this one offers "
NO_ADDRESS = "expected an address at `url` of the answer to the negotiation, got "
PLAIN = "the negotiation leads to an address without encryption, which is not followed"


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (answer(), nothing_at("connectionId")),
        (answer(connectionToken="t", negotiateVersion=0), nothing_at("connectionId")),
        (answer(connectionId="c", negotiateVersion=1), nothing_at("connectionToken")),
        (answer(connectionId="c", negotiateVersion=2), nothing_at("connectionToken")),
        (answer(connectionId="", negotiateVersion=0), nothing_at("connectionId")),
        (
            answer(connectionId="c", availableTransports=[{"transport": "LongPolling"}, {"transport": "Smoke"}]),
            f"{NO_WEBSOCKETS}LongPolling, Smoke",
        ),
        (
            answer(connectionId="c", availableTransports=[]),
            f"{NO_WEBSOCKETS}nothing",
        ),
        (offers(40, 41), f"{NO_WEBSOCKETS}{'x' * 40}, {'x' * 39}…"),
        (offers(38, 38, 38, 38, 40), f"{NO_WEBSOCKETS}{(LONG + ', ') * 4}{'x' * 40}"),
        (offers(38, 38, 38, 39, 40), f"{NO_WEBSOCKETS}{(LONG + ', ') * 3}{'x' * 39}, {'x' * 38}…"),
        (answer(url="http://elsewhere.example/hub"), PLAIN),
        (answer(url="ws://elsewhere.example/hub"), PLAIN),
        (answer(url="https://elsewhere.example:0/hub"), f"{NO_ADDRESS}https://elsewhere.example:0/hub"),
        (answer(url="https://elsewhere.example:x/hub"), f"{NO_ADDRESS}https://elsewhere.example:x/hub"),
        (answer(url="https://elsewhere.example/a b"), f"{NO_ADDRESS}https://elsewhere.example/a b"),
        (answer(url="https://"), f"{NO_ADDRESS}https://"),
        (answer(url="ftp://" + "x" * 94), f"{NO_ADDRESS}ftp://{'x' * 94}"),
        (answer(url="ftp://" + "x" * 95), f"{NO_ADDRESS}ftp://{'x' * 93}…"),
    ],
)  # fmt: skip
def test_why_an_answer_leads_nowhere(response: HttpResponse, words: str) -> None:
    requests, lost = play(response)
    assert len(requests) == 1
    assert lost == Lost(words, retry=False)


@pytest.mark.parametrize(
    "url", ["https://e.example:1/hub", "https://e.example:65535/hub", "http://127.0.0.1:1/hub", "wss://e.example/hub"]
)
def test_an_address_that_is_followed(url: str) -> None:
    (_, second), dial = play(answer(url=url + "#part"), answer(connectionId="c"))
    assert isinstance(dial, Dial)
    assert second.url.startswith(url.replace("wss:", "https:") + "/negotiate?")
    assert dial.url == url.replace("http", "ws") + "?id=c"


@pytest.mark.parametrize(
    ("body", "said"),
    [(b" busy \n", "busy"), (b"\xff", "\ufffd"), (b"x" * 200, "x" * 200), (b"x" * 201, "x" * 199 + "…")],
)
@pytest.mark.parametrize(
    ("status", "retry_after", "after"),
    [(503, None, None), (503, 0.0, 0.0), (503, 86_400.0, 86_400.0), (503, 86_401.0, 86_400.0), (404, 5.0, None)],
)
def test_what_is_said_of_another_status_than_200(
    status: int, retry_after: float | None, after: float | None, body: bytes, said: str
) -> None:
    asked: list[tuple[int, str]] = []

    def refused(status: int, body: str) -> Lost:
        asked.append((status, body))
        return Lost("why", retry=status == 503)

    opening = negotiated(HUB, "token", refused)
    next(opening)
    with pytest.raises(NotOpened) as raised:
        opening.send(HttpResponse(status, body, retry_after))
    assert asked == [(status, said)]
    assert raised.value.problem == Lost("why", retry=status == 503, after=after)


@pytest.mark.parametrize(("length", "words"), [(300, "x" * 300), (301, "x" * 299 + "…"), (0, "")])
def test_a_hub_s_own_words_are_said(length: int, words: str) -> None:
    assert play(answer(error="x" * length))[1] == Refused(f"the hub refuses to negotiate: {words}")
