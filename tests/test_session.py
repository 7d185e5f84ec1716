"""What sessions and routes have in common: requests that are paced, and subscriptions that share a connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from tests.test_driver import at
from venues import venue_named
from venues.driver import Driver
from venues.errors import UsageError
from venues.session import AcknowledgedSession, BaseRoute, BaseSession, grouped, spread
from venues.toolkit.acknowledgements import WITHIN, Request, Taken
from venues.venue import Command, Dial, HttpResponse, Item, Lost, Now, Refused, Settings, Subscription

SYMBOLS = {
    "b2trader": "spot.btc_usdt",
    "jayx": "BTCUSDT",
    "kraken": "BTC/USD",
    "nbt": "BTCUSDT",
    "nexus": "SPOT_BTC_USDT",
    "profitview": "BTC",
    "woox": "SPOT_BTC_USDT",
}


class Plain(BaseSession):
    venue = "acme"

    def dial(self) -> Dial:
        return Dial("wss://v.example", "wss://v.example/shown")

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        return []


class PlainRoute(BaseRoute):
    def session(self, secrets: Mapping[str, str]) -> Plain:
        return Plain()


def test_a_session_that_overrides_nothing_dials_and_asks_for_nothing() -> None:
    session = Plain()
    with pytest.raises(StopIteration) as dialled:
        next(session.opening())
    assert dialled.value.value == session.dial()
    answer = HttpResponse(200, b"")
    assert [session.opened(at(1)), session.pong(at(1)), session.fetched("x", answer, at(1)), session.tick(at(1))] == [
        []
    ] * 4
    assert (session.closed(1000, "", at(1)), session.take(), session.deadline()) == ([], [], None)
    assert session.done()
    assert session.stirred
    with pytest.raises(UsageError, match=r"^acme takes no commands$"):
        session.send(Command("buy", {}))
    assert BaseSession.venue == ""


def test_what_is_asked_again_at_once_waits_and_the_latest_is_sent_once() -> None:
    session = Plain()
    session.ask("book A", at(1), "first", "its second")
    assert session.take() == ["first", "its second"]
    assert session.take() == []
    assert session.deadline() is None
    session.ask("book A", at(1.1), "again")
    session.ask("book A", at(1.2), "once more")
    session.ask("book B", at(1.2), "of another")
    assert session.take() == ["of another"]
    due = session.deadline()
    assert due is not None
    assert due > 1.2
    session.tick(at(due - 0.01))
    assert session.take() == []
    session.tick(at(due))
    assert session.take() == ["once more"]
    session.tick(at(due + 0.01))
    assert (session.take(), session.deadline()) == ([], None)


@pytest.mark.parametrize("end", [lambda s: s.leave(at(1.2)), lambda s: s.closed(None, "", at(1.2))])
def test_what_waits_is_dropped_at_the_end(end: Callable[[Plain], object]) -> None:
    session = Plain()
    for text in ("first", "again"):
        session.ask("book A", at(1), text)
    assert session.take() == ["first"]
    end(session)
    assert session.deadline() is None
    session.tick(at(1_000))
    assert session.take() == []


def test_the_earliest_of_several_that_wait_is_due_first() -> None:
    session = Plain()
    for name, moment in (("a", 1.0), ("b", 1.5), ("c", 1.2)):
        session.ask(name, at(moment), name)
        session.ask(name, at(moment), f"{name} again")
    session.take()
    sent = []
    while (due := session.deadline()) is not None:
        session.tick(at(due))
        sent += session.take()
    assert sent == ["a again", "c again", "b again"]


def test_a_route_that_overrides_nothing_has_its_subscriptions_and_the_general_rules() -> None:
    one, two = Subscription("book", ("A",)), Subscription("trades", ("A",))
    route = PlainRoute([one, two], Settings("wss://v.example", label="test"))
    assert (route.subscriptions, route.by_stream, route.label) == ([one, two], {"book": one, "trades": two}, "test")
    assert route.settings.url == "wss://v.example"
    assert route.next_dial(7.5) == 7.5
    assert type(route.refused(403, "no")) is Refused
    assert type(route.refused(503, "busy")) is Lost


def of(stream: str, count: int, first: int = 0) -> Subscription:
    return Subscription(stream, tuple(f"S{number}" for number in range(first, first + count)))


@pytest.mark.parametrize(
    ("subscriptions", "groups"),
    [
        ([], []),
        ([of("ping", 0)], [[of("ping", 0)]]),
        ([of("book", 3)], [[of("book", 3)]]),
        ([of("book", 4)], [[of("book", 3)], [of("book", 1, 3)]]),
        ([of("book", 7)], [[of("book", 3)], [of("book", 3, 3)], [of("book", 1, 6)]]),
        ([of("book", 2), of("trades", 1)], [[of("book", 2), of("trades", 1)]]),
        ([of("book", 2), of("trades", 2)], [[of("book", 2), of("trades", 1)], [of("trades", 1, 1)]]),
        ([of("book", 3), of("trades", 1)], [[of("book", 3)], [of("trades", 1)]]),
        ([of("book", 3), of("trades", 1), of("quotes", 3)], [[of("book", 3)], [of("trades", 1), of("quotes", 2)],
                                                             [of("quotes", 1, 2)]]),
        ([of("book", 1), of("book", 1)], [[of("book", 1)], [of("book", 1)]]),
        ([of("book", 1), of("trades", 2), of("quotes", 1)], [[of("book", 1), of("trades", 2)], [of("quotes", 1)]]),
        ([of("book", 2), of("ping", 0), of("quotes", 1)], [[of("book", 2), of("ping", 0)], [of("quotes", 1)]]),
        ([of("ping", 0), of("book", 3)], [[of("ping", 0), of("book", 2)], [of("book", 1, 2)]]),
        ([of("book", 3), of("ping", 0)], [[of("book", 3)], [of("ping", 0)]]),
    ],
)  # fmt: skip
def test_three_topics_go_on_a_connection(subscriptions: list[Subscription], groups: list[list[Subscription]]) -> None:
    assert spread(subscriptions, 3) == groups


@pytest.mark.parametrize(
    ("each", "groups"),
    [
        (0, [[of("book", 5), of("trades", 2)]]),
        (1, [[of("book", 5), of("trades", 1)], [of("trades", 1, 1)]]),
        (2, [[of("book", 3)], [of("book", 2, 3), of("trades", 1)], [of("trades", 1, 1)]]),
        (6, [[of("book", 1, at)] for at in range(5)] + [[of("trades", 1, at)] for at in range(2)]),
        (7, [[of("book", 1, at)] for at in range(5)] + [[of("trades", 1, at)] for at in range(2)]),
    ],
)
def test_a_symbol_may_take_several_topics_or_none(each: int, groups: list[list[Subscription]]) -> None:
    assert spread([of("book", 5), of("trades", 2)], 6, topics=lambda one: each) == groups


def test_what_may_share_a_connection_is_for_the_venue_to_say() -> None:
    one, two, three = of("book", 1), of("trades", 1), of("book", 1, 7)

    def alike(this: Subscription, other: Subscription) -> bool:
        return this.symbols == other.symbols

    assert spread([one, two, three], share_a_route=alike) == [[one, two], [three]]
    assert grouped([one, three, two], alike) == [[one, two], [three]]
    assert grouped([one, two, three], lambda this, other: False) == [[one], [two], [three]]
    assert grouped([], alike) == []


class Asking(AcknowledgedSession):
    """Asks for the trades of its symbols, and for something else that nobody acknowledges."""

    venue = "acme"

    def dial(self) -> Dial:
        return Dial("wss://v.example", "wss://v.example/shown")

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        return []

    def subscribe(self, request: Request) -> None:
        self._out.append(f"subscribe {' '.join(request.symbols)}")


def asking(*symbols: str, most: int = 100) -> tuple[Asking, Taken]:
    taken = Taken()
    session = Asking(taken, most=most)
    session._asked.ask("trades", symbols, at(1))
    return session, taken


def test_what_is_subscribed_to_goes_out_in_requests_of_so_many_symbols() -> None:
    session, _ = asking("A", "B", "C", most=2)
    assert session.take() == ["subscribe A B", "subscribe C"]


def test_the_earlier_of_what_waits_and_what_is_awaited_is_due() -> None:
    session, _ = asking("A")
    assert session.deadline() == 1 + WITHIN, "the answer"
    for _ in range(2):
        session.ask("book A", at(2), "book")
    assert session.deadline() == 3, "the second one of the book"
    session.tick(at(3))
    assert session.take() == ["subscribe A", "book", "book"]
    assert session.deadline() == 1 + WITHIN
    session._asked.acknowledged("trades", "A", at(4))
    assert session.deadline() is None
    session.ask("book A", at(3.5), "book")
    assert session.deadline() == 5, "what waits alone"


def test_what_waits_is_sent_and_what_is_overdue_is_taken_in_one_look() -> None:
    session, _ = asking("A")
    for _ in range(2):
        session.ask("book A", at(WITHIN), "book")
    session.take()
    assert session.tick(at(0.9 + WITHIN)) == []
    items = session.tick(at(1 + WITHIN))
    assert items, "the answer is overdue"
    assert "book" in session.take()


def test_who_leaves_asks_for_nothing_more() -> None:
    session, _ = asking("A")
    for _ in range(2):
        session.ask("book A", at(2), "book")
    session.leave(at(2))
    session.take()
    assert (session.deadline(), session.tick(at(100)), session.take()) == (None, [], [])


def test_in_a_later_run_of_a_recording_nothing_that_was_asked_before_is_awaited() -> None:
    session, _ = asking("A")
    session.resumed()
    assert (session.deadline(), session.tick(at(100))) == (None, [])


@pytest.mark.parametrize(("venue", "symbol"), SYMBOLS.items())
def test_a_line_that_is_not_open_yet_may_be_asked_left_and_lost(venue: str, symbol: str) -> None:
    known = venue_named(venue)
    for stream, offer in known.streams.items():
        symbols = () if offer.symbols in ("none", "any") else (symbol,)
        subscription = Subscription(stream, symbols, interval="1m")
        (route,) = known.routes([subscription], Settings(url="wss://v.example"))
        driver = Driver(route, [subscription], venue=venue)
        driver.begin(dict.fromkeys(known.secrets, "a-secret"), 0.0)
        driver.deadline()
        driver.leave(at(1))
        driver.take()
        driver.closed(1006, "", at(2))
        assert driver.deadline() is None
