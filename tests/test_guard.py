"""Whatever a plug-in's code gives back or raises while it is used, asked in this process: what passes, and what is
said of what does not. With a real plug-in, through the command line: tests/test_plugin_faults.py."""

from __future__ import annotations

from collections.abc import Callable, Generator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from tests.samples import LIVE
from venues.errors import MonError, SetupError, UsageError, VenueRefused
from venues.records import (
    Book,
    Instrument,
    Order,
    Pong,
    Record,
    SnapshotEnd,
    Ticker,
    Trade,
)
from venues.toolkit.guard import ContractBroken, GuardedRoute, GuardedSession, guarded_routes
from venues.venue import (
    BadFrame,
    ClockOffset,
    Close,
    Command,
    Confirmed,
    Dial,
    Fetch,
    HttpRequest,
    HttpResponse,
    Lost,
    NoResponse,
    Notice,
    NotOpened,
    Now,
    Offer,
    Receipt,
    Refused,
    Settings,
    SocketPing,
    StreamState,
    Subscription,
    Veiled,
)

NOW = Now(5.0, 7)
REQUEST = HttpRequest("GET", "http://a", "http://a")
ANSWER = HttpResponse(200, b"x")
DIAL = Dial("ws://a", "ws://a")
COMMAND = Command("buy", {})
BOOK = Subscription("book", ("BTC-USD",))
ORDERS = Subscription("orders")

# The calls of a session that give items, each with what it is given.
ITEMS: dict[str, tuple[Any, ...]] = {
    "opened": (NOW,),
    "receive": (b"{}", NOW),
    "pong": (NOW,),
    "fetched": ("1", ANSWER, NOW),
    "tick": (NOW,),
    "closed": (1006, "gone", NOW),
}
CALLS: dict[str, tuple[Any, ...]] = {**ITEMS, "deadline": (), "take": (), "leave": (NOW,), "done": ()}
PARTS = ("opening", "opened", "receive", "pong", "fetched", "deadline", "tick", "take", "send", "leave", "done")
PARTS += ("closed",)
# What would be taken for something else: the end of mon, a reader that is gone, a wrong option.
MISTAKEN: list[tuple[BaseException, str]] = [
    (SystemExit(0), "SystemExit: 0"),
    (SystemExit(), "SystemExit"),
    (KeyboardInterrupt(), "KeyboardInterrupt"),
    (BrokenPipeError(), "BrokenPipeError"),
    (OSError(5, "x"), "OSError: [Errno 5] x"),
    (StopIteration(), "StopIteration"),
    (UsageError("--no"), "UsageError: --no"),
    (MonError("m"), "MonError: m"),
]


def venue(routes: Any = (), **streams: Offer) -> Any:
    """A venue of a plug-in; `routes`: what it gives, or raises."""

    def given(subscriptions: Any, settings: Any) -> Any:
        if isinstance(routes, BaseException):
            raise routes
        return routes

    offers = {"book": Offer("B"), "trades": Offer("T"), "orders": Offer("O", symbols="none"), **streams}
    return SimpleNamespace(name="acme", streams=offers, routes=given)


def raising(error: BaseException) -> Callable[..., Any]:
    """A function that does nothing else."""

    def raises(*_: Any) -> Any:
        raise error

    return raises


def gives(value: Any) -> Callable[..., Any]:
    return lambda *_: value


def session(subscriptions: Any = (BOOK,), of: Any = None, **calls: Callable[..., Any]) -> Any:
    """A session of the venue, guarded, of which some calls are these."""
    every = SimpleNamespace(**{**dict.fromkeys(PARTS, gives([])), **calls})
    route = SimpleNamespace(subscriptions=subscriptions, session=gives(every), refused=gives(Lost("x")))
    return GuardedRoute(route, of or venue()).session({})


def said(call: Callable[[], Any]) -> str:
    """What is said when something is not as it should be; of whose venue it is, too."""
    with pytest.raises(ContractBroken) as raised:
        call()
    assert raised.value.venue == "acme"
    return str(raised.value)


# --- the calls of a session ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ITEMS)
def test_items_come_as_the_session_gives_them(name: str) -> None:
    given: list[tuple[Any, ...]] = []
    items = [StreamState("book", "live"), Notice("n")]
    asked = session(**{name: lambda *arguments: given.append(arguments) or items})
    assert getattr(asked, name)(*ITEMS[name]) == items
    assert given == [ITEMS[name]]
    assert getattr(session(**{name: gives(())}), name)(*ITEMS[name]) == []
    assert getattr(session(**{name: gives((*items,))}), name)(*ITEMS[name]) == items


def test_no_answer_to_a_request_is_handed_on_too() -> None:
    given: list[tuple[Any, ...]] = []
    session(fetched=lambda *arguments: given.append(arguments) or []).fetched("2", NoResponse("late"), NOW)
    session(closed=lambda *arguments: given.append(arguments) or []).closed(None, "", NOW)
    assert given == [("2", NoResponse("late"), NOW), (None, "", NOW)]


@pytest.mark.parametrize("name", ITEMS)
@pytest.mark.parametrize(
    ("items", "words"),
    [
        (None, "expected a list from {}, got none"),
        ("x", "expected a list from {}, got a str"),
        ({}, "expected a list from {}, got a dict"),
        ((one for one in ()), "expected a list from {}, got a generator"),
        ([7], "{} gave an int, which is no item"),
        ([Notice("n"), None], "{} gave none, which is no item"),
        ((Notice("n"), 1.5), "{} gave a float, which is no item"),
        ([Notice(7)], "{} gave a Notice with a bad text: expected str, got an int"),  # type: ignore[arg-type]
        ([StreamState("news", "live")], "{} gave a StreamState of the stream 'news', which was not asked for"),
    ],
)
def test_what_gives_items_must_give_a_list_of_them(name: str, items: Any, words: str) -> None:
    asked = session(**{name: gives(items)})
    assert said(lambda: getattr(asked, name)(*ITEMS[name])) == words.format(name)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(("error", "words"), MISTAKEN, ids=lambda one: one if isinstance(one, str) else "")
def test_what_a_call_must_not_raise(name: str, error: BaseException, words: str) -> None:
    asked = session(**{name: raising(error)})
    with pytest.raises(ContractBroken) as raised:
        getattr(asked, name)(*CALLS[name])
    assert (str(raised.value), raised.value.venue) == (f"{name} must not raise {words}", "acme")
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("name", CALLS)
def test_any_other_exception_stays_what_it_is(name: str) -> None:
    error = ZeroDivisionError("x")
    with pytest.raises(ZeroDivisionError) as raised:
        getattr(session(**{name: raising(error)}), name)(*CALLS[name])
    assert raised.value is error


@pytest.mark.parametrize("due", [None, 0, 0.0, 5, -1.5, float("inf")])
def test_a_deadline_is_seconds_or_none(due: float | None) -> None:
    assert session(deadline=gives(due)).deadline() == due


@pytest.mark.parametrize(
    ("due", "kind"), [("soon", "a str"), (True, "a bool"), (float("nan"), "a float"), (Decimal(1), "a Decimal")]
)
def test_a_deadline_that_is_none(due: Any, kind: str) -> None:
    asked = session(deadline=gives(due))
    assert said(asked.deadline) == f"expected seconds from deadline, or None, got {kind}"


@pytest.mark.parametrize(
    ("told", "is_done"), [(True, True), (1, True), ([1], True), (False, False), (None, False), (0, False)]
)
def test_whether_it_is_done_is_true_or_false(told: Any, is_done: bool) -> None:
    assert session(done=gives(told)).done() is is_done


def test_the_moment_of_leaving_and_commands_are_handed_on() -> None:
    given: list[tuple[Any, ...]] = []
    asked = session(leave=lambda *one: given.append(one), send=lambda *one: given.append(one))
    assert (asked.leave(NOW), asked.send(COMMAND)) == (None, None)
    assert given == [(NOW,), (COMMAND,)]


def test_whether_it_stirred_is_true_where_it_says_nothing() -> None:
    assert session().stirred is True
    for told, stirred in ((False, False), (0, False), (True, True), (7, True)):
        assert session(stirred=told).stirred is stirred  # type: ignore[arg-type]


def test_every_kind_of_what_is_to_be_sent_may_be_taken() -> None:
    every = ["{}", b"x", Veiled("s", "•"), SocketPing(), Close(), Fetch("1", REQUEST)]
    assert session(take=gives(every)).take() == every
    assert session(take=gives((*every,))).take() == every
    assert session(take=gives([])).take() == []
    taken: list[Any] = [b"x"]
    session(take=gives(taken)).take().clear()
    assert taken == [b"x"], "the session's own list is its own"


@pytest.mark.parametrize(
    ("taken", "words"),
    [
        (None, "expected a list from take, got none"),
        ("{}", "expected a list from take, got a str"),
        ([7], "expected frames from take, or another Out, got an int"),
        (["{}", None], "expected frames from take, or another Out, got none"),
        ([bytearray(b"x")], "expected frames from take, or another Out, got a bytearray"),
    ],
)
def test_nothing_else_may_be_taken(taken: Any, words: str) -> None:
    assert said(session(take=gives(taken)).take) == words


# --- its opening ---------------------------------------------------------------------------------------------------


def opens(*requests: Any, ends: Any = DIAL, error: BaseException | None = None) -> Callable[[], Any]:
    """An opening that asks for these; `error`: raises it in the end."""

    def opening() -> Generator[Any, Any, Any]:
        for request in requests:
            assert (yield request) == ANSWER
        if error is not None:
            raise error
        return ends

    return opening


@pytest.mark.parametrize("count", [0, 1, 3])
def test_an_opening_asks_and_is_answered_and_says_where_to_dial(count: int) -> None:
    opening = session(opening=opens(*[REQUEST] * count)).opening()
    answers: list[Any] = [None, *[ANSWER] * count]
    assert [opening.send(answer) for answer in answers[:-1]] == [REQUEST] * count
    with pytest.raises(StopIteration) as stop:
        opening.send(answers[-1])
    assert stop.value.value is DIAL


@pytest.mark.parametrize(
    ("opening", "words"),
    [
        (gives(None), "expected a generator from opening, got none"),
        (gives([REQUEST]), "expected a generator from opening, got a list"),
        (opens(7), "expected opening to yield an HttpRequest, got an int"),
        (opens(ends="ws://a"), "expected a Dial from opening, got a str"),
        (opens(ends=None), "expected a Dial from opening, got none"),
        (opens(error=SystemExit(3)), "opening must not raise SystemExit: 3"),
        (raising(OSError(5, "x")), "opening must not raise OSError: [Errno 5] x"),
        (raising(KeyboardInterrupt()), "opening must not raise KeyboardInterrupt"),
    ],
)
def test_an_opening_that_is_none(opening: Callable[..., Any], words: str) -> None:
    assert said(lambda: next(session(opening=opening).opening())) == words


def test_a_second_request_is_looked_at_as_the_first_is() -> None:
    opening = session(opening=opens(REQUEST, "x")).opening()
    assert next(opening) is REQUEST
    assert said(lambda: opening.send(ANSWER)) == "expected opening to yield an HttpRequest, got a str"


@pytest.mark.parametrize(
    "error", [NotOpened(Lost("x")), VenueRefused("x"), UsageError("x"), ZeroDivisionError("x")], ids=repr
)
def test_an_opening_may_end_with_an_error_of_ours(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        next(session(opening=opens(error=error)).opening())
    assert raised.value is error


def test_an_opening_may_be_given_up() -> None:
    opening = session(opening=opens(REQUEST)).opening()
    next(opening)
    opening.close()


# --- a route -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS)
def test_a_session_has_every_call(part: str) -> None:
    calls = dict.fromkeys(PARTS, print)
    every: dict[str, Any] = {**calls, part: None}
    lame = [SimpleNamespace(**every), SimpleNamespace(**{one: print for one in PARTS if one != part})]
    route = SimpleNamespace(subscriptions=(BOOK,), session=lambda _: lame.pop())
    guarded = GuardedRoute(route, venue())
    for _ in range(2):
        words = f"expected a session from session, got a SimpleNamespace without {part}"
        assert said(lambda: guarded.session({})) == words


def test_a_session_gets_the_secrets() -> None:
    given: list[Any] = []
    whole = SimpleNamespace(**dict.fromkeys(PARTS, print))
    route = SimpleNamespace(subscriptions=(BOOK,), session=lambda secrets: given.append(secrets) or whole)
    assert isinstance(GuardedRoute(route, venue()).session({"key": "k"}), GuardedSession)
    assert given == [{"key": "k"}]


@pytest.mark.parametrize("problem", [Refused("no"), Lost("gone")])
def test_what_a_status_means_is_handed_on(problem: Any) -> None:
    given: list[Any] = []
    route = SimpleNamespace(subscriptions=[BOOK], refused=lambda *one: given.append(one) or problem)
    guarded = GuardedRoute(route, venue())
    assert guarded.refused(403, "no") is problem
    assert given == [(403, "no")]
    assert guarded.subscriptions is route.subscriptions


@pytest.mark.parametrize(
    ("problem", "words"), [(None, "none"), ("no", "a str"), (Notice("x"), "a Notice"), (Refused, "a type")]
)
def test_what_a_status_must_not_mean(problem: Any, words: str) -> None:
    route = SimpleNamespace(subscriptions=(BOOK,), refused=gives(problem))
    guarded = GuardedRoute(route, venue())
    assert said(lambda: guarded.refused(403, "")) == f"expected a Refused or a Lost from refused, got {words}"


@pytest.mark.parametrize(("error", "words"), MISTAKEN, ids=lambda one: one if isinstance(one, str) else "")
def test_what_a_route_must_not_raise(error: BaseException, words: str) -> None:
    route = SimpleNamespace(subscriptions=(BOOK,), session=raising(error), refused=raising(error))
    guarded = GuardedRoute(route, venue())
    assert said(lambda: guarded.session({})) == f"session must not raise {words}"
    assert said(lambda: guarded.refused(500, "")) == f"refused must not raise {words}"


def test_any_other_exception_of_a_route_stays_what_it_is() -> None:
    error = ZeroDivisionError("x")
    route = SimpleNamespace(subscriptions=(BOOK,), session=raising(error), refused=raising(error))
    guarded = GuardedRoute(route, venue())
    for call in (lambda: guarded.session({}), lambda: guarded.refused(500, "")):
        with pytest.raises(ZeroDivisionError) as raised:
            call()
        assert raised.value is error


@pytest.mark.parametrize(
    ("subscription", "kind"), [(7, "an int"), (None, "none"), (Subscription("ticker"), "a Subscription")]
)
def test_a_route_is_of_what_was_asked_for(subscription: Any, kind: str) -> None:
    route = SimpleNamespace(subscriptions=[BOOK, subscription])
    words = f"expected routes of subscriptions that were asked for, got one of {kind}"
    assert said(lambda: GuardedRoute(route, venue())) == words


# --- where an item belongs -----------------------------------------------------------------------------------------


def book(symbol: str | None = "BTC-USD", name: str = "acme") -> Book:
    return Book(venue=name, received=0, symbol=symbol, bids=[], asks=[])


def trade(symbol: str = "BTC-USD") -> Trade:
    return Trade(venue="acme", received=0, symbol=symbol, price=Decimal(1), size=Decimal(1), side="buy")


COMMON: dict[str, Any] = {"venue": "acme", "received": 0}
ORDER = Order(**COMMON, symbol="ANY", order_id="1", status="new", change="update")
END = SnapshotEnd(**COMMON, stream="orders", count=0)
LISTED = Instrument(**COMMON, symbol="BTC-USD")
SEVERAL = (BOOK, Subscription("trades", ("ETH-USD",)), Subscription("trades", ("LTC-USD", "XRP-USD")), ORDERS)
ANY = {"book": Offer("B", symbols="any")}
UNASKED = {"ticker": Offer("T", unasked=True)}


@pytest.mark.parametrize(
    ("subscriptions", "streams", "item", "words"),
    [
        ((BOOK,), {}, book(), ""),
        ((BOOK,), {}, book(name="nexus"), "a Book of the venue 'nexus'"),
        ((BOOK,), {}, book("ETH-USD"), "a Book of the symbol 'ETH-USD', which was not asked for"),
        ((BOOK,), {}, book(None), "a Book of the symbol None, which was not asked for"),
        ((BOOK,), {}, trade(), "a Trade, which none of the streams that were asked for (book) has"),
        (SEVERAL, {}, ORDER, ""),
        (SEVERAL, {}, trade("ETH-USD"), ""),
        (SEVERAL, {}, trade("LTC-USD"), ""),
        (SEVERAL, {}, trade("XRP-USD"), ""),
        (SEVERAL, {}, trade(), "a Trade of the symbol 'BTC-USD', which was not asked for"),
        (
            SEVERAL,
            {},
            Pong(**COMMON, round_trip_ms=1),
            "a Pong, which none of the streams that were asked for (book, trades, orders) has",
        ),
        ((BOOK,), {}, END, ""),
        ((BOOK,), ANY, book("ETH-USD"), ""),
        ((Subscription("book"),), {}, book("ETH-USD"), ""),
        ((BOOK,), UNASKED, Ticker(**COMMON, symbol="ETH-USD"), ""),
        ((BOOK,), {}, LISTED, "an Instrument, which none of the streams that were asked for (book) has"),
        ((), {}, LISTED, ""),
        ((), {}, book(), "a Book, which none of the streams that were asked for () has"),
        ((BOOK,), {}, StreamState("trades", "live"), "a StreamState of the stream 'trades', which was not asked for"),
        ((BOOK,), {}, Confirmed("trades"), "a Confirmed of the stream 'trades', which was not asked for"),
        ((BOOK,), {}, ClockOffset("trades", 1), "a ClockOffset of the stream 'trades', which was not asked for"),
        ((BOOK,), {}, Refused("no", "trades"), "a Refused of the stream 'trades', which was not asked for"),
        ((BOOK,), {}, StreamState("book", "live"), ""),
        ((BOOK,), {}, Confirmed("book"), ""),
        ((BOOK,), {}, ClockOffset("book", 1), ""),
        ((BOOK,), {}, Refused("no", "book"), ""),
        ((BOOK,), {}, Refused("no"), ""),
        ((BOOK,), {}, Lost("gone"), ""),
        ((BOOK,), {}, Receipt(COMMAND), ""),
        ((BOOK,), {}, BadFrame("x", ("trades",)), ""),
    ],
)
def test_an_item_belongs_to_what_was_asked_for(subscriptions: Any, streams: Any, item: Any, words: str) -> None:
    asked = session(subscriptions, venue(**streams), receive=gives([item]))
    if words:
        assert said(lambda: asked.receive(b"", NOW)) == f"receive gave {words}"
    else:
        assert asked.receive(b"", NOW) == [item]


@pytest.mark.parametrize("stream", ["book", "trades", "quotes", "ticker", "candles"])
def test_market_data_of_a_symbol_is_of_one_that_was_asked_for(stream: str) -> None:
    (record,) = [one for one in LIVE[stream] if isinstance(one, Record) and not isinstance(one, SnapshotEnd)][:1]
    assert record.symbol
    offers = {stream: Offer("S")}
    for symbols, fits in (((record.symbol,), True), (("A", record.symbol), True), (("A",), False)):
        owner = venue(**offers)
        owner.name = record.venue
        asked = session((Subscription(stream, symbols),), owner, receive=gives([record]))
        if fits:
            assert asked.receive(b"", NOW) == [record]
        else:
            with pytest.raises(ContractBroken, match=f"of the symbol '{record.symbol}', which was not asked for"):
                asked.receive(b"", NOW)


# --- the routes of a venue -----------------------------------------------------------------------------------------


def route(*subscriptions: Subscription) -> Any:
    return SimpleNamespace(subscriptions=subscriptions, session=print, refused=print)


def ask(routes: Any, *subscriptions: Subscription) -> Any:
    return guarded_routes(venue(routes), subscriptions or (BOOK,), Settings("ws://a"))


def test_each_route_is_guarded_and_gets_what_was_asked() -> None:
    asked: list[Any] = []
    both = [route(BOOK), route(ORDERS)]
    owner = venue()
    owner.routes = lambda *given: asked.append(given) or both
    settings = Settings("ws://a")
    routes = guarded_routes(owner, (BOOK, ORDERS), settings)
    assert [[one.subscriptions for one in routes], asked] == [[(BOOK,), (ORDERS,)], [((BOOK, ORDERS), settings)]]
    assert all(isinstance(one, GuardedRoute) for one in routes)
    assert [one.subscriptions for one in ask((route(BOOK, ORDERS),), BOOK, ORDERS)] == [(BOOK, ORDERS)]


@pytest.mark.parametrize(
    ("routes", "words"),
    [
        (None, "expected a sequence of routes from routes, got none"),
        ("x", "expected a sequence of routes from routes, got a str"),
        (b"", "expected a sequence of routes from routes, got a bytes"),
        ({}, "expected a sequence of routes from routes, got a dict"),
        ((one for one in ()), "expected a sequence of routes from routes, got a generator"),
        ([7], "expected routes with subscriptions from routes, got an int without"),
        ([route(BOOK), None], "expected routes with subscriptions from routes, got none without"),
        (
            [SimpleNamespace(subscriptions=[], refused=print)],
            "expected routes with session from routes, got a SimpleNamespace without",
        ),
        (
            [SimpleNamespace(subscriptions=[], session=print)],
            "expected routes with refused from routes, got a SimpleNamespace without",
        ),
    ],
)
def test_routes_that_are_none(routes: Any, words: str) -> None:
    assert said(lambda: ask(routes)) == words


SOME = Subscription("trades", ("B", "A"))


@pytest.mark.parametrize(
    ("routes", "subscriptions", "missing"),
    [
        ([], (BOOK,), "book BTC-USD"),
        ([], (SOME, BOOK), "book BTC-USD"),
        ([], (SOME,), "trades A"),
        ([route(Subscription("trades", ("A",)))], (SOME,), "trades B"),
        ([], (ORDERS,), "orders"),
        ([route(BOOK)], (BOOK, ORDERS), "orders"),
        ([route(ORDERS)], (BOOK, ORDERS), "book BTC-USD"),
        ([route(Subscription("book"))], (BOOK,), "book BTC-USD"),
    ],
)
def test_each_subscription_has_a_route(routes: Any, subscriptions: Any, missing: str) -> None:
    words = f"expected a route for each subscription from routes, got none for {missing}"
    assert said(lambda: ask(routes, *subscriptions)) == words


def test_routes_may_share_a_subscriptions_symbols() -> None:
    shared = [route(Subscription("trades", ("A",))), route(Subscription("trades", ("B",)))]
    assert len(ask(shared, SOME)) == 2


@pytest.mark.parametrize("error", [UsageError("x"), SetupError("x"), ZeroDivisionError("x")], ids=repr)
def test_a_venue_may_refuse_what_is_asked(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        ask(error)
    assert raised.value is error


@pytest.mark.parametrize(
    ("error", "words"), [one for one in MISTAKEN if not isinstance(one[0], UsageError)], ids=lambda one: str(one)
)
def test_what_a_venue_must_not_raise(error: BaseException, words: str) -> None:
    assert said(lambda: ask(error)) == f"routes must not raise {words}"
