"""Events: what each one does to a driver, and how bytes, tokens and moments are kept in them."""

from __future__ import annotations

from typing import Any

import pytest

from venues import events
from venues.venue import Fetch, HttpRequest, HttpResponse, NoResponse, Now

STAMP: events.Stamp = {"at": 7, "mono": 0.5, "line": 2}
NOW = Now(0.5, 7)


class Noting:
    """A driver that notes what is called."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        def call(*given: Any, **named: Any) -> list[str]:
            self.calls.append((name, *given, *([named] if named else [])))
            return [f"of {name}"]

        return call


PLACE = {"request": "r", "method": "GET", "url": "https://v.example"}


@pytest.mark.parametrize(
    ("event", "call"),
    [
        (events.Frame(**STAMP, direction="in", text="é"), ("receive", "é".encode(), NOW)),
        (events.Frame(**STAMP, direction="in", text=""), ("receive", b"", NOW)),
        (events.Frame(**STAMP, direction="in", base64="/w=="), ("receive", b"\xff", NOW)),
        (events.Frame(**STAMP, direction="in", text="x", base64="/w=="), ("receive", b"\xff", NOW)),
        (events.Frame(**STAMP, direction="out", text="x"), None),
        (events.Opened(**STAMP, url="x"), ("opened", NOW)),
        (events.Dialled(**STAMP, draw=0.5), None),
        (events.Requested(**STAMP, method="GET", url="x", status=200, body=""), None),
        (
            events.Fetched(**STAMP, **PLACE, status=200, text="x", retry_after=2.0, date_ms=3),
            ("fetched", "r", HttpResponse(200, b"x", 2.0, date_ms=3), NOW),
        ),
        (events.Fetched(**STAMP, **PLACE, status=204), ("fetched", "r", HttpResponse(204, b""), NOW)),
        (events.NotFetched(**STAMP, **PLACE, reason="no"), ("fetched", "r", NoResponse("no"), NOW)),
        (events.Ponged(**STAMP), ("pong", NOW)),
        (events.Ticked(**STAMP, heard=0.25, arriving=0.125), ("tick", Now(0.5, 7, 0.25, 0.125))),
        (events.Answered(**STAMP, status=503, body="b", retry_after=1.5), ("answered", 503, "b", 1.5, NOW)),
        (
            events.Failed(**STAMP, reason="no", retry=False, refused=True, after=1.5, status=401, heard=0.25),
            ("failed", "no", Now(0.5, 7, 0.25), {"retry": False, "refused": True, "after": 1.5, "status": 401}),
        ),
        (
            events.Failed(**STAMP, reason="no"),
            ("failed", "no", NOW, {"retry": True, "refused": False, "after": None, "status": None}),
        ),
        (events.Closed(**STAMP, code=1001, reason="bye", heard=0.25), ("closed", 1001, "bye", Now(0.5, 7, 0.25))),
        (events.Closed(**STAMP), ("closed", None, "", NOW)),
        (events.Stepped(**STAMP, by_ms=-5), ("stepped", -5)),
        (events.Left(**STAMP), ("leave", NOW)),
        (events.Resumed(**STAMP, heard=0.25), ("resumed", Now(0.5, 7, 0.25))),
    ],
)
def test_what_each_event_does(event: events.Event, call: tuple[Any, ...] | None) -> None:
    driver: Any = Noting()
    delivered = events.apply(event, driver)
    assert driver.calls == ([] if call is None else [call])
    assert delivered == ([] if call is None or call[0] == "leave" else [f"of {call[0]}"])


@pytest.mark.parametrize("event", [events.Frame(**STAMP, direction="in"), events.Frame(**STAMP, direction="out")])
def test_a_frame_has_its_text_or_its_bytes(event: events.Frame) -> None:
    with pytest.raises(ValueError, match=r"^a frame without text$"):
        event.data()
    assert events.Fetched(**STAMP, **PLACE, status=200).data() == b""


@pytest.mark.parametrize("base64", ["%", "/w", "/w==\n", "é"])
def test_what_is_no_base64_is_a_fault_of_the_recording(base64: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  whatever the library says
        events.Frame(**STAMP, direction="in", base64=base64).data()


@pytest.mark.parametrize(
    ("data", "text", "base64"), [(b"", "", None), ("é\n".encode(), "é\n", None), (b"\xff", None, "/w==")]
)
def test_a_message_is_kept_as_text_where_it_is_text(data: bytes, text: str | None, base64: str | None) -> None:
    frame = events.frame_event("out", data, NOW, 2)
    assert frame == events.Frame(**STAMP, direction="out", text=text, base64=base64)
    assert frame.data() == data
    before = events.Fetched(**STAMP, **PLACE, status=200, text="x", base64="eA==")
    assert events.with_body(before, data) == events.Fetched(**STAMP, **PLACE, status=200, text=text, base64=base64)


def fetch(method: str = "GET", *, secret: bool = False, headers: Any = None, body: bytes = b"") -> Fetch:
    url = "https://v.example/key" if secret else "https://v.example"
    return Fetch("r", HttpRequest(method, url, "https://v.example", headers or {}, body))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_became_of_a_request(method: str) -> None:
    place = {**PLACE, "method": method}
    answer = HttpResponse(201, b"\xff", 2.0, ("c=1",), 3)
    assert events.answer_event(fetch(method, secret=True), answer, NOW, 2) == events.Fetched(
        **STAMP, **place, status=201, base64="/w==", retry_after=2.0, date_ms=3
    )
    assert events.answer_event(fetch(method), NoResponse("no"), NOW, 2) == events.NotFetched(
        **STAMP, **place, reason="no"
    )


@pytest.mark.parametrize(
    ("of", "hides"),
    [
        (fetch(), False),
        (fetch("POST"), True),
        (fetch(secret=True), True),
        (fetch(headers={"X": "1"}), True),
        (fetch(body=b"x"), True),
    ],
)
def test_only_what_a_plain_request_gives_is_no_secret(of: Fetch, *, hides: bool) -> None:
    event = events.Fetched(**STAMP, **PLACE, status=200, text="a token")
    hidden = events.without_tokens(event, of, lambda text: text.replace("token", "[token]"))
    assert hidden == events.Fetched(**STAMP, **PLACE, status=200, text="a [token]" if hides else "a token")
    for other in (
        events.Fetched(**STAMP, **PLACE, status=200, base64="/w=="),
        events.NotFetched(**STAMP, **PLACE, reason="no token"),
    ):
        assert events.without_tokens(other, of, lambda text: pytest.fail(text)) is other


@pytest.mark.parametrize(
    ("event", "moved"),
    [
        (events.Opened(**STAMP), {}),
        (events.Ticked(**STAMP), {}),
        (events.Ticked(**STAMP, heard=0.0), {"heard": 10.0}),
        (events.Ticked(**STAMP, heard=0.25, arriving=0.5), {"heard": 10.25, "arriving": 10.5}),
        (events.Closed(**STAMP, heard=0.25), {"heard": 10.25}),
    ],
)
def test_all_moments_of_an_event_move_together(event: events.Event, moved: dict[str, float]) -> None:
    later: Any = events.shifted(event, 10.0)
    assert (type(later), later.mono, later.at, later.line) == (type(event), 10.5, 7, 2)
    for name in ("heard", "arriving"):
        assert getattr(later, name, None) == moved.get(name)
