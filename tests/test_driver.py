"""The driver: statuses in order with the data, when to try again, when to give up. No socket, invented clocks."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.driver import Driver, delay_before, verdict
from venues.errors import VenueRefused, VenueUnreachable
from venues.records import Status, Trade
from venues.venue import (
    BadFrame,
    Command,
    Dial,
    HttpRequest,
    HttpResponse,
    Item,
    Line,
    Lost,
    Now,
    Out,
    Refused,
    Session,
    StreamState,
    Subscription,
)

TRADE = Trade(venue="v", received=1, price=1, size=1, side="buy")  # type: ignore[arg-type]


class Script:
    """A session that gives what it is told to."""

    def __init__(self, items: dict[str, list[Item]]) -> None:
        self.items = items

    def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
        return Dial("wss://v.example", "wss://v.example")
        yield

    def opened(self, now: Now) -> list[Item]:
        return self.items.get("opened", [StreamState("trades", "live")])

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        return self.items.get(frame.decode(), [])

    def pong(self, now: Now) -> list[Item]:
        return []

    def deadline(self) -> float | None:
        return 5.0

    def tick(self, now: Now) -> list[Item]:
        return self.items.get("tick", [])

    def send(self, command: Command) -> None: ...

    def leave(self, now: Now) -> None: ...

    def done(self) -> bool:
        return True

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        return self.items.get("closed", [])

    def take(self) -> list[Out]:
        return []


class OneLine:
    def __init__(self, **items: list[Item]) -> None:
        self.items = items

    def session(self, secrets: Mapping[str, str]) -> Session:
        return Script(self.items)

    def refused(self, status: int, body: str) -> Refused | Lost:
        return verdict(status, body)


def at(seconds: float) -> Now:
    return Now(seconds, int(seconds * 1000))


def driver_of(retries: int | None = None, stream: str = "trades", **items: list[Item]) -> Driver:
    line: Line = OneLine(**items)
    driver = Driver(line, [Subscription(stream, ("A",))], venue="v", label="test", retries=retries)
    driver.begin({}, 0.0)
    return driver


def told(items: list[Any]) -> list[tuple[Any, ...]]:
    return [(i.state, i.reason, i.attempt, i.retry_in_ms, i.down_ms) for i in items if isinstance(i, Status)]


def test_records_pass_untouched() -> None:
    driver = driver_of(a=[TRADE, TRADE])
    assert driver.receive(b"a", at(1)) == [TRADE, TRADE]


def test_statuses_stand_in_order_with_the_data() -> None:
    driver = driver_of(a=[TRADE, StreamState("trades", "stale", "why"), BadFrame("x"), TRADE])
    driver.opened(at(1))
    first, status, bad, last = driver.receive(b"a", at(2))
    assert (first, bad, last) == (TRADE, BadFrame("x"), TRADE)
    assert isinstance(status, Status)
    assert (status.state, status.symbol, status.env, status.stream, status.received) == (
        "stale",
        "A",
        "test",
        "trades",
        2000,
    )


def test_what_does_not_change_is_not_told() -> None:
    driver = driver_of(a=[StreamState("trades", "live")], b=[StreamState("trades", "live", "a notice")])
    assert told(driver.opened(at(1))) == [("live", None, None, None, None)]
    assert driver.receive(b"a", at(2)) == []
    assert told(driver.receive(b"b", at(3))) == [("live", "a notice", None, None, None)]


def test_a_flood_of_bad_frames_is_one_interruption() -> None:
    driver = driver_of(a=[StreamState("trades", "stale", "bad")], b=[StreamState("trades", "live")])
    driver.opened(at(1))
    assert [len(told(driver.receive(b"a", at(t)))) for t in (2, 3, 4)] == [1, 0, 0]
    assert told(driver.receive(b"b", at(5))) == [("live", None, None, None, 3000)]


def test_an_event_stream_says_that_events_were_missed() -> None:
    driver = driver_of()
    driver.opened(at(1))
    assert told(driver.closed(1006, "", at(2))) == [
        ("reconnecting", "the venue closed the connection (code 1006)", 1, 500, None)
    ]
    assert driver.retry_at == 2.5
    driver.begin({}, 0.5)
    assert told(driver.opened(at(3))) == [("live", "what happened in between was missed", None, None, 1000)]


def test_the_count_starts_again_after_thirty_stable_seconds_only() -> None:
    driver = driver_of()
    attempts = []
    for opened, lost in ((0, 29), (40, 69), (100, 130), (140, 150)):
        driver.begin({}, 0.0)
        driver.opened(at(opened))
        attempts += [attempt for _, _, attempt, _, _ in told(driver.closed(None, "", at(lost)))]
    assert attempts == [1, 2, 1, 2]


def test_giving_up() -> None:
    driver = driver_of(retries=2)
    for expected in ("reconnecting", "reconnecting", "closed"):
        driver.begin({}, 0.0)
        assert told(driver.failed("nobody there", at(1)))[0][0] == expected
    assert isinstance(driver.ended, VenueUnreachable)
    assert str(driver.ended) == "nobody there; gave up after 3 tries in a row"


def test_a_refusal_is_final_and_nothing_after_it_counts() -> None:
    driver = driver_of(a=[TRADE, Refused("no"), TRADE])
    items = driver.receive(b"a", at(1))
    assert items[0] is TRADE
    assert told(items) == [("closed", "no", None, None, None)]
    assert len(items) == 2
    assert isinstance(driver.ended, VenueRefused)
    assert driver.deadline() is None


def test_a_session_that_loses_its_line_by_itself() -> None:
    driver = driver_of(a=[Lost("enough", after=7.0)], b=[Lost("gone", retry=False)])
    assert told(driver.receive(b"a", at(1))) == [("reconnecting", "enough", 1, 7000, None)]
    driver.begin({}, 0.0)
    assert told(driver.receive(b"b", at(9)))[0][:2] == ("closed", "gone")
    assert isinstance(driver.ended, VenueUnreachable)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Refused), (401, Refused), (418, Refused), (408, Lost), (425, Lost), (429, Lost), (500, Lost), (503, Lost)],
)
def test_what_a_status_means(status: int, kind: type) -> None:
    said = verdict(status, "body")
    assert type(said) is kind
    assert f"HTTP {status}: body" in said.reason
    assert kind is Refused or said == Lost(said.reason, retry=True)


@pytest.mark.parametrize("status", [200, 204, 301, 302, 308])
def test_answers_that_are_no_websocket_are_not_tried_again(status: int) -> None:
    said = verdict(status, "")
    assert isinstance(said, Lost)
    assert not said.retry


@given(attempt=st.integers(1, 10_000), draw=st.floats(0, 1, exclude_max=True))
def test_the_wait_has_its_bounds(attempt: int, draw: float) -> None:
    wait = delay_before(attempt, draw)
    assert 0.5 <= wait <= 30
    assert delay_before(attempt, 0.0) == 0.5
    assert delay_before(1, draw) <= 1.0


def test_a_stream_that_is_refused_alone_ends_a_line_whose_streams_belong_together() -> None:
    line: Line = OneLine(a=[Refused("no trades for you", "trades"), TRADE])
    driver = Driver(line, [Subscription("trades", ("A",)), Subscription("book", ("A",))], venue="v")
    driver.begin({}, 0.0)
    driver.opened(at(1))
    assert [type(one) for one in driver.receive(b"a", at(2))] == [Status, Status]
    assert str(driver.ended) == "no trades for you"
