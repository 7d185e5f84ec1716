"""What an answer of the other end means: statuses, closes and addresses at their bounds, and the words for them."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.frames import Close

from venues.answers import (
    MAX_MESSAGE,
    body_of,
    closing_of,
    problem_of,
    refuse_plain,
    status_of_old_answer,
    words_of,
)
from venues.errors import MonError, SetupError, VenueRefused, VenueUnreachable
from venues.venue import HttpResponse, NoResponse


@pytest.mark.parametrize(
    ("url", "is_taken"),
    [
        ("wss://v.example", True),
        ("https://v.example", True),
        ("ws://v.example", False),
        ("http://v.example", False),
        ("ftp://v.example", False),
        ("ws://127.0.0.1:1", True),
        ("http://localhost", True),
    ],
)
def test_only_this_machine_is_spoken_to_in_plain_text(url: str, *, is_taken: bool) -> None:
    if is_taken:
        refuse_plain(url, "shown")
        return
    with pytest.raises(SetupError) as raised:
        refuse_plain(url, "shown")
    assert str(raised.value) == "expected a wss:// or https:// address (others only on this machine), got shown"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (NoResponse("nobody there"), "nobody there"),
        (HttpResponse(200, b"x"), ""),
        (HttpResponse(299, b"x"), ""),
        (HttpResponse(300, b""), "HTTP 300"),
        (HttpResponse(404, b" no such \xff market\n"), "HTTP 404: no such \ufffd market"),
        (HttpResponse(500, b"x" * 200), "HTTP 500: " + "x" * 200),
        (HttpResponse(500, b"x" * 201), "HTTP 500: " + "x" * 199 + "…"),
    ],
)
def test_what_an_answer_has_instead_of_what_was_asked_for(answer: HttpResponse | NoResponse, problem: str) -> None:
    assert problem_of(answer) == problem


UNREACHABLE, REFUSED = "the venue does not give the list now", "the venue refused the list"


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (300, VenueUnreachable, UNREACHABLE),
        (399, VenueUnreachable, UNREACHABLE),
        (400, VenueRefused, REFUSED),
        (408, VenueUnreachable, UNREACHABLE),
        (429, VenueUnreachable, UNREACHABLE),
        (499, VenueRefused, REFUSED),
        (500, VenueUnreachable, UNREACHABLE),
        (503, VenueUnreachable, UNREACHABLE),
    ],
)
def test_which_answers_refuse_what_was_asked_for(status: int, error: type[MonError], words: str) -> None:
    with pytest.raises(error) as raised:
        body_of(HttpResponse(status, b"why"), "the list")
    assert type(raised.value) is error
    assert str(raised.value) == f"{words} (HTTP {status}: why)"
    assert body_of(HttpResponse(204, b"all"), "the list") == b"all"


def caused(text: str, cause: str | None) -> Exception:
    error = ValueError(text)
    error.__cause__ = None if cause is None else OSError(cause)
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (caused("own", "of the cause"), "of the cause"),
        (caused("own", ""), "own"),
        (caused("own", None), "own"),
        (caused("", None), "the handshake failed"),
        (caused("x" * 120, None), "x" * 120),
        (caused("x" * 121, None), "x" * 119 + "…"),
    ],
)
def test_why_a_handshake_failed(error: Exception, words: str) -> None:
    assert words_of(error) == words


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("expected HTTP/1.1: HTTP/1.0 404 Not Found", 404),
        ("unsupported; expected HTTP/1.1: HTTP/1.0 200", 200),
        ("expected HTTP/1.1: HTTP/1.0 599", 599),
        ("expected HTTP/1.1: HTTP/1.0 600", None),
        ("expected HTTP/1.1: HTTP/1.0 199", None),
        ("expected HTTP/1.1: HTTP/1.0 4040", None),
        ("expected HTTP/1.1: HTTP/0.9 404", None),
        ("", None),
    ],
)
def test_the_status_of_an_answer_in_the_old_http(words: str, status: int | None) -> None:
    assert status_of_old_answer(words) == status


TOO_LARGE = f"a message of more than {MAX_MESSAGE // 2**20} MiB came"


@pytest.mark.parametrize(
    ("came", "sent", "came_first", "ending"),
    [
        (Close(1001, "bye"), None, None, {"code": 1001, "reason": "bye"}),
        (Close(1001, "bye"), Close(1001, ""), True, {"code": 1001, "reason": "bye"}),
        (Close(1001, "x" * 200), None, None, {"code": 1001, "reason": "x" * 200}),
        (Close(1001, "x" * 201), None, None, {"code": 1001, "reason": "x" * 199 + "…"}),
        (Close(1001, "bye"), Close(4000, "ours"), False, {"code": 4000, "reason": "ours"}),
        (Close(1001, "bye"), Close(4000, "ours"), None, {"code": 4000, "reason": "ours"}),
        (None, None, None, {"reason": "no close frame came"}),
        (None, Close(1000, "ours"), None, {"code": 1000, "reason": "ours"}),
        (None, Close(3000, "ours"), None, {"code": 3000, "reason": "ours"}),
        (None, Close(2999, "ours"), None, {"reason": "ours (code 2999)"}),
        (None, Close(1001, "ours"), None, {"reason": "ours (code 1001)"}),
        (None, Close(1002, ""), None, {"reason": "protocol error (code 1002)"}),
        (None, Close(1008, "x" * 300), None, {"reason": "x" * 199 + "…"}),
        (None, Close(1009, "ours"), None, {"reason": TOO_LARGE}),
        (Close(1000, ""), Close(1009, ""), False, {"reason": TOO_LARGE}),
    ],
)
def test_how_a_websocket_was_closed(
    came: Close | None, sent: Close | None, came_first: bool | None, ending: dict[str, Any]
) -> None:
    assert closing_of(came, sent, received_first=came_first) == ending
    assert TOO_LARGE == "a message of more than 16 MiB came"
