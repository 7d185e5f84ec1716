"""The driver: statuses in order with the data, when to try again, when to give up. No socket, invented clocks."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.driver import Driver, fault_in_words, pacing_of_connections, verdict
from venues.errors import VenueRefused, VenueUnreachable
from venues.records import Status, Trade
from venues.venue import (
    BadFrame,
    Command,
    Dial,
    HttpRequest,
    HttpResponse,
    Item,
    Lost,
    Notice,
    Now,
    Out,
    Refused,
    Route,
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
    line: Route = OneLine(**items)
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


def test_the_words_of_a_fault_are_cut() -> None:
    words = fault_in_words(LookupError("x" * 1000))
    assert len(words.partition(" (")[2].partition(";")[0]) == 300


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


def test_the_only_symbol_of_a_stream_is_refused_in_the_venues_own_words() -> None:
    driver = driver_of(a=[Refused("no A here", "trades", "A", symbols={"A": "no A here"})])
    driver.opened(at(1))
    driver.receive(b"a", at(2))
    assert str(driver.ended) == "no A here"


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
    pacing = pacing_of_connections()
    pacing.lengthen()
    assert pacing.drawn(draw) <= 1.0
    for _ in range(min(attempt, 20)):
        pacing.lengthen()
    assert 0.5 <= pacing.drawn(draw) <= 30
    assert pacing.drawn(0.0) == 0.5


def test_a_stream_that_is_refused_alone_ends_a_line_whose_streams_belong_together() -> None:
    line: Route = OneLine(a=[Refused("no trades for you", "trades"), TRADE])
    driver = Driver(line, [Subscription("trades", ("A",)), Subscription("book", ("A",))], venue="v")
    driver.begin({}, 0.0)
    driver.opened(at(1))
    assert [type(one) for one in driver.receive(b"a", at(2))] == [Status, Status]
    assert str(driver.ended) == "no trades for you"


# --- what was live may come back -----------------------------------------------------------------------------------


def live_and_lost(retries: int | None = None, **items: list[Item]) -> Driver:
    """Live from 1 s on; lost at 10 s, the last sign of life at 8 s; then dialled again."""
    driver = driver_of(retries, **items)
    driver.opened(at(1))
    driver.closed(None, "gone", Now(10, 10_000, heard=8))
    driver.begin({}, 0.0)
    return driver


@pytest.mark.parametrize("status", [200, 204, 302, 400, 403, 404, 405, 410, 418, 426])
def test_an_answer_that_is_final_at_first_is_tried_again_once_it_was_live(status: int) -> None:
    assert driver_of().answered(status, "x", None, at(1))
    first = driver_of()
    first.answered(status, "x", None, at(1))
    assert first.ended is not None, "as today"
    driver = live_and_lost()
    ((state, reason, attempt, _, _),) = told(driver.answered(status, "x", None, at(20)))
    assert (state, attempt, driver.ended) == ("reconnecting", 2, None)
    assert reason == f"HTTP {status}: x, it was there 12 s ago"


def test_after_ten_minutes_it_is_final_as_the_venue_says() -> None:
    driver = live_and_lost()
    now = 20.0
    while driver.ended is None:
        driver.answered(404, "", None, at(now))
        if driver.ended is None:
            driver.begin({}, 0.0)
            now += 30
    assert now == 20 + 600
    assert isinstance(driver.ended, VenueRefused)
    assert str(driver.ended) == "refused by the venue (HTTP 404)"


def test_the_ten_minutes_begin_with_the_answer_and_anew_once_it_was_live() -> None:
    driver = live_and_lost()
    for _ in range(2):
        driver.answered(404, "", None, at(5000))
        driver.begin({}, 0.0)
        driver.answered(404, "", None, at(5500))
        driver.begin({}, 0.0)
        driver.opened(at(5550))
        driver.closed(None, "gone", at(5560))
        driver.begin({}, 0.0)
        driver.answered(404, "", None, at(6200))
        assert driver.ended is None
        driver.begin({}, 0.0)
        driver.opened(at(6210))
        driver.closed(None, "gone", at(6220))
        driver.begin({}, 0.0)


def test_a_passing_answer_between_starts_the_ten_minutes_anew() -> None:
    driver = live_and_lost()
    for now, status in ((20, 404), (500, 503), (700, 404)):
        driver.answered(status, "", None, at(now))
        driver.begin({}, 0.0)
    assert driver.ended is None


def test_retry_after_counts_for_these_too() -> None:
    driver = live_and_lost()
    ((_, _, _, wait, _),) = told(driver.answered(404, "", 7.0, at(20)))
    assert wait == 7000


def test_a_refused_credential_has_one_more_try() -> None:
    driver = live_and_lost()
    ((state, reason, *_),) = told(driver.answered(401, "", None, at(20)))
    assert state == "reconnecting"
    assert reason == "HTTP 401, it was there 12 s ago; one more try, with the credential fetched anew"
    driver.begin({}, 0.0)
    driver.answered(401, "", None, at(22))
    assert isinstance(driver.ended, VenueRefused)


def test_a_credential_that_was_taken_again_has_its_try_again() -> None:
    driver = live_and_lost()
    for now in (20, 40, 60):
        driver.answered(401, "", None, at(now))
        assert driver.ended is None
        driver.begin({}, 0.0)
        driver.opened(at(now + 1))
        driver.closed(None, "gone", at(now + 2))
        driver.begin({}, 0.0)


def test_a_negotiation_that_is_refused_is_told_apart_by_its_status() -> None:
    driver = live_and_lost()
    driver.failed("the hub says HTTP 403", at(20), retry=False, refused=True, status=403)
    assert driver.ended is None
    for now, ended in ((21, False), (22, True)):
        driver.begin({}, 0.0)
        driver.failed("the hub says HTTP 401", at(now), retry=False, refused=True, status=401)
        assert (driver.ended is not None) == ended


@pytest.mark.parametrize("problem", [Refused("no", at_door=True), Lost("no", retry=False, at_door=True)])
def test_a_refusal_at_the_door_is_tried_again(problem: Item) -> None:
    driver = live_and_lost(a=[problem])
    assert told(driver.receive(b"a", at(20)))[0][:2] == ("reconnecting", "no, it was there 12 s ago")
    assert driver.ended is None


@pytest.mark.parametrize("problem", [Refused("no"), Lost("closed for good", retry=False)])
def test_what_ends_a_line_that_let_us_in_is_final(problem: Item) -> None:
    """E.g. a hub's Close without `allowReconnect`, also right after it let us in."""
    driver = live_and_lost(a=[problem])
    driver.opened(at(19))
    driver.receive(b"a", at(20))
    assert driver.ended is not None


def test_retries_bound_these_tries_too() -> None:
    driver = live_and_lost(retries=2)
    driver.answered(404, "", None, at(20))
    assert driver.ended is None
    driver.begin({}, 0.0)
    driver.answered(404, "", None, at(21))
    assert isinstance(driver.ended, VenueUnreachable)
    assert "gave up after 3 tries in a row" in str(driver.ended)


def ended_stream(retries: int | None) -> Driver:
    ended = StreamState("trades", "stale", "the venue ended it; asking again", ended="the venue ended it")
    return driver_of(retries, end=[ended], live=[StreamState("trades", "live")])


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_stream_that_is_ended_again_and_again_is_bounded_by_retries(retries: int) -> None:
    driver = ended_stream(retries)
    driver.opened(at(1))
    for count in range(retries + 1):
        assert driver.ended is None
        driver.receive(b"live", at(2 + 2 * count))
        driver.receive(b"end", at(3 + 2 * count))
    assert isinstance(driver.ended, VenueUnreachable)
    tries = "1 try" if not retries else f"{retries + 1} tries in a row"
    assert str(driver.ended) == f"the venue ended it; gave up after {tries}"


def test_thirty_seconds_live_forget_the_ends() -> None:
    driver = ended_stream(1)
    driver.opened(at(1))
    for now in (40, 80, 120):
        driver.receive(b"end", at(now))
        driver.receive(b"live", at(now + 1))
    assert driver.ended is None
    driver.receive(b"end", at(130))
    driver.receive(b"live", at(131))
    driver.receive(b"end", at(140))
    assert driver.ended is not None


def test_without_retries_a_stream_is_asked_for_for_ever() -> None:
    driver = ended_stream(None)
    driver.opened(at(1))
    for now in range(2, 200, 2):
        driver.receive(b"end", at(now))
        driver.receive(b"live", at(now + 1))
    assert driver.ended is None


# --- since when it is down -----------------------------------------------------------------------------------------


def test_down_counts_from_the_last_sign_of_life() -> None:
    driver = live_and_lost()
    assert told(driver.opened(at(11)))[0][4] == 3000


@pytest.mark.parametrize("heard", [3.0, None])
def test_what_a_deadline_finds_out_counts_from_the_last_sign_of_life(heard: float | None) -> None:
    driver = driver_of(tick=[Lost("silence")])
    driver.opened(at(1))
    driver.tick(Now(33, 33_000, heard=heard))
    driver.begin({}, 0.0)
    assert told(driver.opened(at(34)))[0][4] == (31_000 if heard else 1000)


def test_a_sign_of_life_after_the_moment_is_none() -> None:
    """A recording can say anything."""
    driver = driver_of()
    driver.opened(at(1))
    driver.closed(None, "", Now(10, 10_000, heard=1e9))
    driver.begin({}, 0.0)
    assert told(driver.opened(at(12)))[0][4] == 2000


# --- faults of ours, and the clock ---------------------------------------------------------------------------------


def test_a_fault_in_a_timer_costs_the_connection_and_is_said() -> None:
    class Faulty(Script):
        def tick(self, now: Now) -> list[Item]:
            raise AssertionError("sent before Connected")

        pong = tick

    class FaultyLine(OneLine):
        def session(self, secrets: Mapping[str, str]) -> Session:
            return Faulty(self.items)

    for call in ("tick", "pong"):
        driver = Driver(FaultyLine(), [Subscription("trades", ("A",))], venue="v")
        driver.begin({}, 0.0)
        driver.opened(at(1))
        ((state, reason, *_),) = told(getattr(driver, call)(at(2)))
        assert state == "reconnecting"
        where = "AssertionError: sent before Connected; tests.test_driver, line "
        assert reason.startswith(f"a fault of mon itself ({where}")
        assert driver.ended is None


def test_a_step_of_the_clock_is_said_and_changes_nothing() -> None:
    driver = driver_of()
    driver.opened(at(1))
    assert [item.text for item in driver.stepped(3_600_000) if isinstance(item, Notice)] == [
        "the clock of this machine was set forward by 60 min; nothing was lost by that"
    ]
    (back,) = driver.stepped(-1500)
    assert isinstance(back, Notice)
    assert "back by 2 s" in back.text
    assert driver.retry_at is None


def test_the_reason_of_a_status_has_no_secret_where_it_is_made() -> None:
    line: Route = OneLine(a=[Lost("the key abc123 is not known")])
    driver = Driver(
        line,
        [Subscription("trades", ("A",))],
        venue="v",
        hide=lambda text: text.replace("abc123", "[key]"),
    )
    driver.begin({}, 0.0)
    driver.opened(at(1))
    (status,) = driver.receive(b"a", at(2))
    assert isinstance(status, Status)
    assert status.reason == "the key [key] is not known"
