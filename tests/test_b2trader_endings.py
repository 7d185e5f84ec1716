"""What is said when a hub refuses or ends a connection, whole; its words are cut to 300 characters."""

from __future__ import annotations

from typing import Any

import pytest

from tests.test_b2trader import ACCOUNT, at, completion, frame, line_for, live_book
from venues.venue import Lost, Refused

SECRETS = {"token": "t"}
CHECK = "check token, and that account_id is an account of it"


def handshake(error: str) -> Any:
    session = line_for("orders", "positions").session(SECRETS)
    session.opened(at(0))
    (found,) = session.receive(frame({"error": error}), at(1))
    return found


def closed(error: str, **more: object) -> Any:
    session = live_book()
    (found,) = session.receive(frame({"type": 7, "error": error, **more}), at(2))
    return found


def cut(text: str) -> str:
    return text if len(text) <= 300 else text[:299] + "…"


@pytest.mark.parametrize("length", [1, 300, 301, 5_000])
def test_words_of_a_refused_handshake(length: int) -> None:
    words = "x" * length
    assert handshake(words) == Lost(f"the hub refused the handshake: {cut(words)}", retry=False)


@pytest.mark.parametrize("length", [12, 300, 301, 5_000])
@pytest.mark.parametrize("word", ["unauthorized", "UNAUTHENTICATED", "Token expired"])
def test_words_of_a_handshake_that_is_refused_for_the_token(word: str, length: int) -> None:
    words = word.ljust(length, "x")
    assert handshake(words) == Refused(f"b2trader refused the token for orders, positions ({cut(words)}); {CHECK}")


@pytest.mark.parametrize("length", [1, 300, 301])
@pytest.mark.parametrize(
    ("more", "said", "retry"),
    [
        ({}, "the hub closed the connection for good", False),
        ({"allowReconnect": False}, "the hub closed the connection for good", False),
        ({"allowReconnect": True}, "the hub closed the connection and allows a new one", True),
    ],
)
def test_words_of_a_hub_that_closes(more: dict[str, object], said: str, retry: bool, length: int) -> None:
    words = "x" * length
    assert closed(words, **more) == Lost(f"{said}: {cut(words)}", retry=retry)


@pytest.mark.parametrize("length", [12, 300, 301])
def test_words_of_a_hub_that_closes_for_the_token(length: int) -> None:
    words = "unauthorized".ljust(length, "x")
    said = f"b2trader does not accept the token for book any more ({cut(words)}); connecting with a new one"
    assert closed(words) == Lost(said, expired=True)


@pytest.mark.parametrize("length", [1, 300, 301])
def test_words_of_a_refused_stream(length: int) -> None:
    session = line_for("orders").session(SECRETS)
    session.opened(at(0))
    session.receive(frame({}), at(0))
    (refused,) = session.receive(frame(completion(0, "x" * length)), at(1))
    assert refused == Refused(f"b2trader refuses orders of account {ACCOUNT}: {cut('x' * length)}", "orders")


@pytest.mark.parametrize(
    ("status", "negotiate", "answer"),
    [
        (401, False, Refused(f"b2trader refused the token for orders (HTTP 401: no); {CHECK}")),
        (403, False, Refused(f"b2trader refused the token for orders (HTTP 403: no); {CHECK}")),
        (409, False, Lost("the hub has this connection already (HTTP 409: no)")),
        (
            400,
            False,
            Refused("the hub refused the connection (HTTP 400: no); if it wants a negotiation, set negotiate = true"),
        ),
        (404, True, Lost("the hub does not know the connection any more that was negotiated (HTTP 404: no)")),
    ],
)
def test_words_of_an_http_status(status: int, negotiate: bool, answer: Any) -> None:
    line: Any = line_for("orders", negotiate=negotiate)
    assert line.refused(status, "no") == answer


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 500])
@pytest.mark.parametrize("negotiate", [False, True])
def test_what_an_http_status_means_to_a_connection_and_to_a_negotiation(status: int, negotiate: bool) -> None:
    line: Any = line_for("orders", negotiate=negotiate)
    said = line.refused(status, "no")
    negotiated = line.refused_negotiation(status, "no")
    assert ("refused the token" in said.reason) is (status in (401, 403))
    assert ("there is no hub at" in said.reason) is (status == 404 and not negotiate)
    assert ("that was negotiated" in said.reason) is (status == 404 and negotiate)
    assert ("has this connection already" in said.reason) is (status == 409)
    assert ("set negotiate = true" in said.reason) is (status == 400 and not negotiate)
    if status == 404:
        assert negotiated == Lost(
            f"there is no hub at {line.path} of this address (HTTP 404: no); check url, which comes before it",
            retry=False,
        )
    else:
        assert negotiated == said
