"""The driver at its bounds: pauses, words, counts, and what is taken when. No socket, invented clocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.test_driver import OneLine, Script, at, told
from venues.driver import Driver, answer_in_words, is_passing, pacing_of_connections, verdict
from venues.errors import VenueRefused, VenueUnreachable
from venues.records import Status
from venues.venue import BadFrame, Command, Item, Lost, Notice, Now, Out, Refused, Session, StreamState, Subscription

BOOK = [Subscription("book", ("A",))]


class Asker(Script):
    """Sends what it is told to, and knows whether there may be something to send."""

    stirred = False

    def __init__(self, items: dict[str, list[Item]]) -> None:
        super().__init__(items)
        self.out: list[Out] = []
        self.asks = False
        self.calls: list[str] = []

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        if self.asks:
            self.out.append(f"ask {len(self.calls)}")
        self.calls.append(frame.decode())
        return super().receive(frame, now)

    def send(self, command: Command) -> None:
        self.out.append(command.name)

    def leave(self, now: Now) -> None:
        self.calls.append("leave")

    def done(self) -> bool:
        return "leave" in self.calls

    def take(self) -> list[Out]:
        out, self.out = self.out, []
        return out


class Route(OneLine):
    subscriptions = BOOK
    next_at: float | None = None

    def session(self, secrets: Mapping[str, str]) -> Session:
        self.latest = Asker(self.items)
        return self.latest


def begun(*subscriptions: Subscription, retries: int | None = None, **items: list[Item]) -> tuple[Driver, Asker]:
    route = Route(**{"opened": [StreamState("book", "live")], **items})
    driver = Driver(route, subscriptions or BOOK, venue="v", retries=retries)
    driver.begin({}, 0.0)
    return driver, route.latest


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.001, "0 s"),
        (0.4, "0 s"),
        (119.4, "119 s"),
        (119.9, "120 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2 h"),
        (90_000, "25 h"),
    ],
)
def test_how_long_something_takes_in_words(seconds: float, words: str) -> None:
    driver, _ = begun()
    (notice,) = driver.stepped(round(seconds * 1000))
    assert notice == Notice(f"the clock of this machine was set forward by {words}; nothing was lost by that")
    (notice,) = driver.stepped(-round(seconds * 1000))
    assert notice == Notice(f"the clock of this machine was set back by {words}; nothing was lost by that")


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (None, "", "the connection was lost"),
        (None, "why", "the connection was lost: why"),
        (1001, "", "the venue closed the connection (code 1001)"),
        (1001, "why", "the venue closed the connection (code 1001): why"),
        (0, "", "the venue closed the connection (code 0)"),
    ],
)
def test_why_a_connection_ended_in_words(code: int | None, reason: str, words: str) -> None:
    driver, _ = begun()
    assert told(driver.closed(code, reason, at(1))) == [("reconnecting", words, 1, 500, None)]


@pytest.mark.parametrize("given", [[Lost("mine")], [StreamState("book", "stale", "x"), Lost("mine")]])
def test_the_session_s_own_reason_counts_where_it_has_one(given: list[Item]) -> None:
    driver, _ = begun(closed=given)
    assert told(driver.closed(1001, "why", at(1)))[-1][:2] == ("reconnecting", "mine")


@pytest.mark.parametrize(
    ("after", "wait"), [(None, 500), (-5.0, 500), (0.4, 500), (7.0, 7_000), (86_400.0, 86_400_000), (1e9, 86_400_000)]
)
def test_a_retry_after_is_obeyed_within_a_day(after: float | None, wait: int) -> None:
    driver, _ = begun()
    assert [status[3] for status in told(driver.answered(503, "", after, at(1)))] == [wait]
    assert driver.retry_at == 1 + wait / 1000


@pytest.mark.parametrize(("after", "wait"), [(None, 500), (0.2, 500), (3.0, 3_000)])
def test_what_failed_may_say_when_to_try_again(after: float | None, wait: int) -> None:
    driver, _ = begun()
    assert told(driver.failed("no", at(1), after=after)) == [("reconnecting", "no", 1, wait, None)]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"retry": False}, VenueUnreachable),
        ({"refused": True}, VenueRefused),
        ({"refused": True, "status": 401}, VenueRefused),
    ],
)
def test_what_failed_for_good(options: dict[str, Any], error: type[Exception]) -> None:
    driver, _ = begun()
    assert told(driver.failed("no", at(1), **options)) == [("closed", "no", None, None, None)]
    assert (type(driver.ended), str(driver.ended), driver.retry_at) == (error, "no", 1)


@pytest.mark.parametrize(
    ("status", "passes"),
    [(407, False), (408, True), (409, False), (424, False), (425, True), (426, False), (428, False), (429, True),
     (430, False), (499, False), (500, True), (599, True)],
)  # fmt: skip
def test_which_statuses_may_pass(status: int, passes: bool) -> None:
    assert is_passing(status) is passes


@pytest.mark.parametrize(
    ("status", "meant"),
    [
        (299, Lost("expected a WebSocket, got an ordinary answer (HTTP 299: x); check the address", retry=False)),
        (300, Lost("the venue redirects elsewhere (HTTP 300: x), which is not followed; set the address", retry=False)),
        (399, Lost("the venue redirects elsewhere (HTTP 399: x), which is not followed; set the address", retry=False)),
        (400, Refused("refused by the venue (HTTP 400: x)")),
        (503, Lost("the venue does not take connections now (HTTP 503: x)")),
    ],
)
def test_what_a_status_means_whole(status: int, meant: Item) -> None:
    assert verdict(status, "x") == meant
    assert (answer_in_words(status, "x"), answer_in_words(status, "")) == (f"HTTP {status}: x", f"HTTP {status}")


def test_the_pauses_grow_from_half_a_second_to_thirty() -> None:
    pacing = pacing_of_connections()
    pauses = []
    for _ in range(8):
        pacing.lengthen()
        pauses.append(pacing.drawn(1.0))
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert pacing.drawn(0.0) == 0.5


def test_what_may_be_sent_is_asked_for_where_it_stirred() -> None:
    driver, session = begun(bad=[BadFrame("x", ("book",))], lost=[Lost("y")])
    assert not driver.stirred
    session.stirred = True
    assert driver.stirred
    session.stirred = False
    driver.receive(b"bad", at(1))
    assert driver.stirred, "it was looked into, which resets it"
    driver.take()
    assert not driver.stirred
    driver.receive(b"lost", at(1))
    assert driver.stirred


def test_before_the_first_session_nothing_is_sent_awaited_or_due() -> None:
    driver = Driver(Route(), BOOK, venue="v")
    assert (driver.take(), driver.done(), driver.deadline(), driver.stirred) == ([], True, None, True)
    driver.leave(at(1))


def test_a_session_is_told_to_leave_and_says_when_it_is_done() -> None:
    driver, session = begun()
    assert not driver.done()
    driver.leave(at(1))
    assert (session.calls, driver.done()) == (["leave"], True)


def test_what_is_sent_comes_in_order_and_once() -> None:
    driver, session = begun(bad=[BadFrame("x", ("book",))])
    driver.opened(at(0))
    session.asks = True
    driver.receive(b"bad", at(1))
    driver.send(Command("buy", {}))
    assert driver.take() == ["ask 0", "buy"]
    assert driver.take() == []


@pytest.mark.parametrize(("seconds", "given_up"), [(9.9, True), (10.0, False), (30.0, False)])
@pytest.mark.parametrize("symbols", [(), ("A",), ("A", "B", "C")])
def test_a_session_that_asks_anew_again_and_again_is_given_up(
    symbols: tuple[str, ...], seconds: float, *, given_up: bool
) -> None:
    """Twenty times in ten seconds for each symbol."""
    most = 20 * max(1, len(symbols))
    driver, session = begun(Subscription("book", symbols), bad=[BadFrame("x", ("book",))])
    driver.opened(at(0))
    session.asks = True
    for number in range(most - 1):
        driver.receive(b"bad", at(1))
        assert driver.retry_at is None, number
    driver.receive(b"bad", at(1 + seconds))
    assert (driver.retry_at is not None) is given_up
    assert len(driver.take()) == (0 if given_up else most)


def test_each_stream_without_symbols_counts_as_one() -> None:
    driver, session = begun(Subscription("orders"), Subscription("balance"), bad=[BadFrame("x")])
    session.asks = True
    for _ in range(2 * 20):
        assert driver.retry_at is None
        driver.receive(b"bad", at(1))
    assert driver.retry_at is not None


def test_a_line_without_streams_has_its_bound_too() -> None:
    """A list of symbols may come over a connection of its own."""
    route = Route(bad=[BadFrame("x", ("book",))])
    driver = Driver(route, [], venue="v")
    driver.begin({}, 0.0)
    route.latest.asks = True
    for _ in range(20):
        assert driver.retry_at is None
        driver.receive(b"bad", at(1))
    assert driver.retry_at is not None


def test_it_is_said_why_it_was_given_up() -> None:
    driver, session = begun(stale=[StreamState("book", "stale", "a gap")])
    session.asks = True
    said: list[Any] = []
    for _ in range(20):
        said += driver.receive(b"stale", at(1))
    assert told(said)[-1][:2] == (
        "reconnecting", "what came was bad again and again: asked for anew 20 times in 10 s"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("frame", "looks"), [("event", False), ("state", True), ("any", True), ("live", False), ("stale", True)]
)
def test_only_doubt_about_a_state_is_counted(frame: str, looks: bool) -> None:
    driver, session = begun(
        *BOOK,
        Subscription("trades", ("A",)),
        event=[BadFrame("x", ("trades",))],
        state=[BadFrame("x", ("trades", "book"))],
        any=[BadFrame("x")],
        live=[StreamState("book", "live")],
        stale=[StreamState("book", "stale", "x")],
    )
    session.asks = True
    for _ in range(2 * 20):  # of two streams
        driver.receive(frame.encode(), at(1))
    assert (driver.retry_at is not None) is looks


def test_another_connection_begins_without_what_the_last_one_had() -> None:
    route = Route(bad=[BadFrame("x", ("book",))])
    driver = Driver(route, BOOK, venue="v")
    for _ in range(3):
        driver.begin({}, 0.0)
        route.latest.asks = True
        for _ in range(19):
            driver.receive(b"bad", at(1))
        assert driver.retry_at is None
    driver.begin({}, 0.0)
    assert driver.take() == []


def test_the_words_of_a_session_are_cut() -> None:
    long = "x" * 2_000
    driver, _ = begun(a=[Notice(long), BadFrame(long, ("book",))], b=[Lost(long)])
    notice, bad = driver.receive(b"a", at(1))
    assert isinstance(notice, Notice)
    assert isinstance(bad, BadFrame)
    assert (len(notice.text), len(bad.reason), bad.streams) == (1_000, 1_000, None)
    (status,) = driver.receive(b"b", at(1))
    assert isinstance(status, Status)
    assert len(status.reason or "") == 1_000


@pytest.mark.parametrize(("planned", "wait"), [(0.0, 500), (1.5, 500), (4.0, 3_000)])
def test_a_route_may_put_the_next_connection_off(planned: float, wait: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def next_dial(self: Route, moment: float) -> float:
        asked.append(moment)
        return planned

    monkeypatch.setattr(Route, "next_dial", next_dial, raising=False)
    driver, _ = begun()
    assert [status[3] for status in told(driver.closed(None, "", at(1)))] == [wait]
    assert asked == [1.5]


def test_a_later_run_of_a_recording_begins_with_nothing() -> None:
    driver, session = begun(retries=1)
    driver.opened(at(1))
    driver.closed(None, "", at(2))
    driver.begin({}, 0.0)
    driver.failed("no", at(3), retry=False)
    assert driver.ended is not None
    (status,) = driver.resumed(at(10))
    assert isinstance(status, Status)
    assert (status.state, status.reason, status.attempt) == (
        "reconnecting", "the recording goes on with a later run of mon", None
    )  # fmt: skip
    assert (driver.session, driver.ended, driver.retry_at, driver.refused) == (None, None, None, {})
    driver.begin({}, 0.0)
    assert told(driver.failed("no", at(11)))[0][:3] == ("reconnecting", "no", 1)
    driver.begin({}, 0.0)
    driver.answered(404, "", None, at(12))
    assert isinstance(driver.ended, VenueRefused), "in this run it was never there"
    assert session.calls == []


@pytest.mark.parametrize(
    ("begun_first", "lost", "told_of"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_only_a_session_that_is_on_hears_that_a_later_run_begins(
    *, begun_first: bool, lost: bool, told_of: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Any] = []

    def closed(self: Asker, code: int | None, reason: str, now: Now) -> list[Item]:
        heard.append((code, reason, now.mono))
        return []

    driver = Driver(Route(opened=[StreamState("book", "live")]), BOOK, venue="v")
    if begun_first:
        driver.begin({}, 0.0)
        driver.opened(at(1))
    if lost:
        driver.closed(1001, "", at(2))
    monkeypatch.setattr(Asker, "closed", closed)
    driver.resumed(at(10))
    assert heard == ([(None, "the recording goes on with a later run of mon", 10)] if told_of else [])


def test_a_later_run_of_a_recording_has_its_tries_its_pauses_and_its_credential_anew() -> None:
    driver, _ = begun()
    driver.opened(at(1))
    driver.closed(None, "", at(2))
    for now in (3, 4, 5):
        driver.begin({}, 0.0)
        driver.failed("no", at(now))
    driver.begin({}, 0.0)
    driver.answered(401, "", None, at(6))
    driver.resumed(at(10))
    driver.begin({}, 0.75)
    assert told(driver.failed("no", at(11))) == [("reconnecting", "no", 1, 875, None)]
    driver.begin({}, 0.0)
    driver.opened(at(12))
    driver.closed(None, "", at(13))
    driver.begin({}, 0.0)
    driver.answered(401, "", None, at(14))
    assert driver.ended is None, "one more try"


def test_a_later_run_has_no_symbols_and_streams_that_were_refused() -> None:
    refused = [Refused(f"no {symbol}", "book", symbol, symbols={symbol: f"no {symbol}"}) for symbol in "AB"]
    driver, _ = begun(Subscription("book", ("A", "B")), a=[refused[0]], b=[refused[1]])
    for _ in range(2):
        driver.opened(at(1))
        assert [one[0] for one in told(driver.receive(b"a", at(2)))] == ["closed"]
        assert driver.ended is None
        driver.resumed(at(3))
        driver.begin({}, 0.0)
    driver.opened(at(4))
    driver.receive(b"b", at(5))
    assert driver.ended is None, "A was refused in another run"


@pytest.mark.parametrize(("lasted", "attempt", "wait"), [(29.9, 3, 4_000), (30.0, 1, 1_000), (31.0, 1, 1_000)])
def test_only_a_connection_that_lasted_begins_the_count_and_the_pauses_anew(
    lasted: float, attempt: int, wait: int
) -> None:
    driver, _ = begun()
    for now in (1, 2):
        driver.begin({}, 0.0)
        driver.failed("no", at(now))
    driver.begin({}, 1.0)
    driver.opened(at(10))
    assert told(driver.closed(None, "", at(10 + lasted))) == [
        ("reconnecting", "the connection was lost", attempt, wait, None)
    ]


def test_a_connection_that_was_never_open_has_not_lasted() -> None:
    driver, _ = begun()
    driver.opened(at(1))
    driver.closed(None, "", at(2))
    driver.begin({}, 0.0)
    assert told(driver.failed("no", at(100)))[0][2] == 2


def test_what_was_live_on_a_connection_before_is_not_on_this_one() -> None:
    """A recording can have two connections in a row, and no end of the first."""
    driver, _ = begun()
    driver.opened(at(1))
    driver.begin({}, 0.0)
    driver.closed(None, "", at(2))
    driver.begin({}, 0.0)
    driver.answered(404, "", None, at(3))
    assert isinstance(driver.ended, VenueRefused)


def test_what_fails_before_there_is_a_session_waits_the_shortest() -> None:
    driver = Driver(Route(), BOOK, venue="v")
    assert told(driver.failed("no key", at(1))) == [("reconnecting", "no key", 1, 500, None)]


@pytest.mark.parametrize("length", [500, 501])
def test_what_a_venue_says_that_was_there_is_cut_to_half(length: int) -> None:
    driver, _ = begun()
    driver.opened(at(1))
    driver.closed(None, "", at(2))
    driver.begin({}, 0.0)
    ((_, reason, *_),) = told(driver.answered(404, "x" * (length - len("HTTP 404: ")), None, at(3)))
    said, _, when = reason.partition(", it was there ")
    assert (len(said), said.endswith("…"), when) == (500, length > 500, "1 s ago")


@pytest.mark.parametrize(("passed", "is_over"), [(599.9, False), (600.0, True)])
@pytest.mark.parametrize("retry", [True, False])
def test_a_venue_that_was_there_is_given_up_after_ten_minutes_of_refusals(
    passed: float, *, is_over: bool, retry: bool
) -> None:
    driver, _ = begun(a=[Lost("not now", retry=retry, at_door=True)])
    driver.opened(at(1))
    driver.closed(None, "", at(2))
    for now in (10, 10 + passed):
        driver.begin({}, 0.0)
        driver.receive(b"a", at(now))
    assert (driver.ended is not None) is (is_over and not retry)


def test_a_credential_that_expired_is_fetched_anew_once() -> None:
    driver, _ = begun(expired=[Lost("it has expired", expired=True)])
    driver.opened(at(1))
    driver.receive(b"expired", at(2))
    driver.begin({}, 0.0)
    driver.answered(401, "", None, at(3))
    assert isinstance(driver.ended, VenueRefused), "this one was fetched anew already"


NAMES = [f"{number:03}" + "x" * 397 for number in range(5)]


def refusals(*symbols: str, alone: bool) -> list[Item]:
    """The refusals of some symbols, one by one or together."""
    words = dict.fromkeys(symbols, "no")
    if alone:
        return [Refused(f"no {symbol}", "book", symbol, symbols={symbol: "no"}) for symbol in symbols]
    return [Refused("no " + ", ".join(symbols), "book", symbols=words)]


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("alone", [True, False])
def test_all_symbols_that_are_refused_are_said_however_many_they_are(count: int, *, alone: bool) -> None:
    names = NAMES[:count]
    driver, _ = begun(Subscription("book", tuple(names)), a=refusals(*names, alone=alone))
    driver.opened(at(1))
    driver.receive(b"a", at(2))
    assert isinstance(driver.ended, VenueRefused)
    assert (dict(driver.ended.symbols), driver.ended.late) == (dict.fromkeys(names, "no"), alone)
    assert all(name in str(driver.ended) for name in names)
    assert "…" not in str(driver.ended)


def test_a_refusal_is_cut_where_its_words_are_longer_than_its_symbols() -> None:
    reason = "x" * 2_000
    driver, _ = begun(a=[Refused(reason, symbols={"A": "no", "BC": "no"})])
    driver.receive(b"a", at(1))
    assert len(str(driver.ended)) == 1_000 + 3 + 4
    driver, _ = begun(a=[Refused(reason, "book", "A", symbols={"A": reason})])
    driver.receive(b"a", at(1))
    assert len(str(driver.ended)) == 1_000 + 3


@pytest.mark.parametrize(
    "state",
    [
        StreamState("book", "syncing"),
        StreamState("book", "stale", "x"),
        StreamState("book", "live", symbol="C"),
    ],
)
def test_a_venue_whose_streams_were_never_live_was_not_there(state: Item) -> None:
    driver, _ = begun(Subscription("book", ("A", "B")), opened=[state])
    driver.opened(at(1))
    driver.closed(None, "", at(2))
    driver.begin({}, 0.0)
    driver.answered(404, "", None, at(3))
    assert isinstance(driver.ended, VenueRefused)


def test_a_credential_that_cannot_be_had_meanwhile_is_no_sign_of_life() -> None:
    """It fails before there is another session."""
    driver, _ = begun()
    driver.opened(at(1))
    driver.closed(None, "", at(10))
    driver.failed("no key", at(20))
    driver.begin({}, 0.0)
    assert told(driver.answered(404, "", None, at(30)))[0][1] == "HTTP 404, it was there 20 s ago"


def test_a_later_run_has_all_streams_again_and_says_that_events_were_missed() -> None:
    trades = Subscription("trades", ("A",))
    route = Route(
        opened=[StreamState("book", "live"), StreamState("trades", "live")],
        **{"no book": [Refused("no book", "book")], "no trades": [Refused("no trades", "trades")]},
    )
    driver = Driver(route, [*BOOK, trades], venue="v", apart=True)
    driver.begin({}, 0.0)
    driver.opened(at(1))
    driver.receive(b"no book", at(2))
    assert ({name: str(why) for name, why in driver.refused.items()}, driver.ended) == ({"book": "no book"}, None)
    driver.resumed(at(3))
    assert driver.refused == {}
    driver.begin({}, 0.0)
    assert [status[:2] for status in told(driver.opened(at(4)))] == [
        ("live", None), ("live", "what happened in between was missed")
    ]  # fmt: skip
    driver.receive(b"no trades", at(5))
    assert driver.ended is None
    driver.receive(b"no book", at(6))
    assert str(driver.ended) == "no trades", "the first that was refused"
