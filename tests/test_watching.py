"""What `venues.testing` sees of a session, call by call."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from venues import venue_named
from venues.errors import UsageError
from venues.records import Trade
from venues.testing.watching import Watch, WatchedSession
from venues.venue import (
    BadFrame,
    Close,
    Command,
    Confirmed,
    Dial,
    Fetch,
    HttpRequest,
    HttpResponse,
    Notice,
    Now,
    SocketPing,
    StreamState,
    Subscription,
    Veiled,
)

KRAKEN = venue_named("kraken")
ONE = Decimal(1)


def test_what_was_live_on_the_connection_before_is_not_on_a_new_one() -> None:
    watch = Watch(KRAKEN, [Subscription("book", ("BTC/USD",))])
    over: Any = SimpleNamespace(subscriptions=watch.subscriptions, session=lambda secrets: None)
    route = watch.over(over)
    for _ in range(2):
        route.session({})
        watch.rules.look_at(StreamState("book", "live"))
        watch.rules.look_at(Confirmed("book", symbol="BTC/USD"))
    assert not watch.faults
    route.session({})
    watch.rules.look_at(Confirmed("book"))
    (fault,) = watch.faults
    assert fault.startswith("a Confirmed of book, which is not live")


def test_frames_before_anything_has_happened_are_no_answers() -> None:
    watch = Watch(KRAKEN, [Subscription("book", ("BTC/USD",))])
    out = [["hello"], []]
    session: Any = SimpleNamespace(take=lambda: out.pop(0))
    assert WatchedSession(session, watch).take() == ["hello"]
    assert not watch.faults


@pytest.mark.parametrize(("error", "faults"), [(UsageError("no such kind"), 0), (KeyError("kind"), 1)])
def test_a_command_that_is_refused_in_words_is_no_fault(error: Exception, faults: int) -> None:
    def refuse(command: Any) -> None:
        raise error

    watch = Watch(KRAKEN, [Subscription("book", ("BTC/USD",))])
    session: Any = SimpleNamespace(send=refuse)
    command: Any = None
    with pytest.raises(type(error), match="kind"):
        WatchedSession(session, watch).send(command)
    assert len(watch.faults) == faults


# --- each call


NOW = Now(5.0, 5_000)
CALLS: dict[str, tuple[Any, ...]] = {
    "opened": (NOW,),
    "receive": (b"{}", NOW),
    "pong": (NOW,),
    "fetched": ("seed", HttpResponse(200, b""), NOW),
    "tick": (NOW,),
    "closed": (1006, "gone", NOW),
}
OTHERS: dict[str, tuple[Any, ...]] = {"deadline": (), "leave": (NOW,), "done": (), "take": (), "resumed": ()}
ASKED = [Subscription("book", ("BTC/USD",))]


def watched(secrets: tuple[str, ...] = (), **calls: Any) -> tuple[Watch, WatchedSession]:
    """A session that does what these functions do."""
    watch = Watch(KRAKEN, ASKED, secrets)
    return watch, WatchedSession(SimpleNamespace(**calls), watch)  # type: ignore[arg-type]


@pytest.mark.parametrize(("call", "arguments"), [*CALLS.items(), *OTHERS.items()])
def test_what_a_call_raises_is_noted_with_its_traceback_and_goes_on(call: str, arguments: tuple[Any, ...]) -> None:
    def fail(*_: Any) -> Any:
        raise KeyError("price")

    watch, session = watched(**{call: fail})
    with pytest.raises(KeyError, match="price"):
        getattr(session, call)(*arguments)
    (fault,) = watch.faults
    first, second, *_, last = fault.splitlines()
    assert (first, second) == (f"`{call}` raised KeyError: 'price'", "Traceback (most recent call last):")
    assert last == "KeyError: 'price'"


@pytest.mark.parametrize(("call", "arguments"), CALLS.items())
def test_each_call_has_its_arguments_and_gives_its_items(call: str, arguments: tuple[Any, ...]) -> None:
    heard: list[Any] = []
    items = [Notice("a word")]
    watch, session = watched(**{call: lambda *given: heard.append(given) or items})
    assert getattr(session, call)(*arguments) is items
    assert (heard, watch.faults) == ([arguments], [])


@pytest.mark.parametrize(("call", "arguments"), CALLS.items())
def test_items_that_are_no_list_are_told_and_made_one(call: str, arguments: tuple[Any, ...]) -> None:
    for given, kind, made in (
        ((one for one in [Notice("a word")]), "generator", [Notice("a word")]),
        (None, "NoneType", []),
        ((), "tuple", []),
    ):
        watch, session = watched(**{call: lambda *_, given=given: given})
        assert getattr(session, call)(*arguments) == made
        assert watch.faults == [f"`{call}` returned a {kind}: expected a list of items, made at once"]


def test_the_other_calls_are_handed_on() -> None:
    heard: list[Any] = []
    _, session = watched(
        deadline=lambda: 7.5,
        done=lambda: True,
        take=list,
        leave=lambda now: heard.append(now),
        resumed=lambda: heard.append("resumed"),
        send=lambda command: heard.append(command),
    )
    assert (session.deadline(), session.done(), session.take()) == (7.5, True, [])
    session.leave(NOW)
    session.resumed()
    command = Command("buy", {})
    session.send(command)
    assert heard == [NOW, "resumed", command]


@pytest.mark.parametrize(
    ("given", "stirred"), [({}, True), ({"stirred": True}, True), ({"stirred": False}, False), ({"stirred": 0}, False)]
)
def test_a_session_that_does_not_say_whether_it_is_stirred_is(given: dict[str, Any], stirred: bool) -> None:
    _, session = watched(**given)
    assert session.stirred is stirred


# --- faults


def test_each_fault_is_noted_once_and_no_more_than_twenty() -> None:
    watch = Watch(KRAKEN, ASKED)
    for number in range(30):
        watch.fault(f"{number % 25}")
        watch.fault("0")
    assert watch.faults == [f"{number}" for number in range(20)]


def test_an_exception_of_the_driver_is_noted_where_no_fault_explains_it() -> None:
    watch = Watch(KRAKEN, ASKED)
    with watch.noting():
        raise ValueError("x")
    (fault,) = watch.faults
    assert fault.startswith("`the driver` raised ValueError: x\nTraceback")
    with watch.noting():
        raise ValueError("y")
    assert watch.faults == [fault]
    with pytest.raises(KeyboardInterrupt), watch.noting():
        raise KeyboardInterrupt


# --- openings


def opening_of(*steps: Any) -> Any:
    """An opening that asks for these, and then dials."""

    def opening() -> Any:
        for step in steps[:-1]:
            answer = yield step
            answers.append(answer)
        if isinstance(steps[-1], Exception):
            raise steps[-1]
        return steps[-1]

    answers: list[Any] = []
    return opening, answers


def request(shown: str) -> HttpRequest:
    return HttpRequest("GET", "https://v.example/?key=sesame", shown)


def test_the_requests_before_dialling_and_their_answers_are_handed_on() -> None:
    dial = Dial("wss://v.example", "wss://v.example")
    opening, answers = opening_of(request("a"), request("b"), dial)
    watch, session = watched(("sesame",), opening=opening)
    steps = session.opening()
    one, other = HttpResponse(200, b"1"), HttpResponse(404, b"2")
    assert [next(steps).shown, steps.send(one).shown] == ["a", "b"]
    with pytest.raises(StopIteration) as ended:
        steps.send(other)
    assert ended.value.value is dial
    assert (answers, watch.faults) == ([one, other], [])


@pytest.mark.parametrize(
    ("steps", "where"),
    [
        ((request("https://v.example/?key=sesame"), Dial("", "")), "`HttpRequest.shown`"),
        ((Dial("wss://v.example?sesame", "wss://v.example?sesame"),), "`Dial.shown`"),
        ((UsageError("the key sesame is bad"),), "the error that `opening` raises"),
    ],
)
def test_a_secret_in_what_an_opening_shows_is_told(steps: tuple[Any, ...], where: str) -> None:
    opening, _ = opening_of(*steps)
    watch, session = watched(("", "sesame"), opening=opening)
    with contextlib.suppress(StopIteration, UsageError):
        made = session.opening()
        next(made)
        made.send(HttpResponse(200, b""))
    assert watch.faults == [f"a secret is in {where}: expected a placeholder such as [api_key] there"]


@pytest.mark.parametrize(("error", "faults"), [(UsageError("no key"), 0), (KeyError("token"), 1)])
def test_an_opening_may_fail_in_words_alone(error: Exception, faults: int) -> None:
    opening, _ = opening_of(error)
    watch, session = watched(opening=opening)
    with pytest.raises(type(error)):
        next(session.opening())
    assert len(watch.faults) == faults
    assert not faults or watch.faults[0].startswith("`opening` raised KeyError: 'token'\n")


# --- secrets in what comes and goes


def test_a_secret_in_an_item_is_told_with_its_kind() -> None:
    trade = Trade(
        venue="kraken", env="replay", symbol="BTC/USD", received=1, price=ONE, size=ONE, side="buy", trade_id="sesame"
    )  # fmt: skip
    items = [Notice("the key sesame"), Notice("other"), trade]
    for secrets, kinds in ((("sesame",), ["Notice", "Trade"]), (("",), []), ((), [])):
        watch, session = watched(secrets, receive=lambda *_: items)
        session.receive(b"", NOW)
        told = [fault.split(":")[0] for fault in watch.faults if "secret" in fault]
        assert told == [f"a secret is in a {kind}" for kind in kinds]


FETCH = Fetch("seed", HttpRequest("GET", "https://v.example/?sesame", "https://v.example/?[key]"))


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        ("login sesame", True),
        (b"login sesame", True),
        (b"\xff sesame", True),
        (Veiled("login sesame", "login [key]"), False),
        (Veiled("login", "login sesame"), True),
        (FETCH, False),
        (Fetch("seed", HttpRequest("GET", "https://v.example", "https://v.example/?sesame")), True),
        (SocketPing(), False),
        (Close(1000, "sesame"), False),
        ("login", False),
    ],
)
def test_a_secret_in_a_frame_is_told_where_it_would_be_recorded(frame: Any, told: bool) -> None:
    frames = [[frame], []]
    watch, session = watched(("sesame",), take=lambda: frames.pop(0))
    assert session.take() == [frame]
    said = "a secret is in a frame that is recorded as it is: expected `Veiled`, with `shown`: expected a placeholder"
    assert [fault[: len(said)] for fault in watch.faults] == ([said] if told else [])


def test_frames_that_are_taken_twice_are_told() -> None:
    watch, session = watched(take=lambda: ["a", "b"])
    assert session.take() == ["a", "b"]
    assert watch.faults == ["`take` returned 2 frames twice: expected each once"]


# --- how often a session asks


class Asking:
    """A session that answers each bad message with frames."""

    def __init__(self, *asked: Subscription) -> None:
        self.watch = Watch(KRAKEN, asked or ASKED)
        self.out: list[Any] = []
        self.items: list[Any] = []
        self.session = WatchedSession(self, self.watch)  # type: ignore[arg-type]

    def take(self) -> list[Any]:
        taken, self.out = self.out, []
        return taken

    def receive(self, frame: bytes, now: Now) -> list[Any]:
        return self.items

    def tick(self, now: Now) -> list[Any]:
        return self.items

    def ask(self, at: float, *frames: Any, item: Any = None, tick: bool = False) -> list[str]:
        """What is noted when it sends frames after a message, or at a deadline."""
        self.out, self.items = [*frames], [] if item is None else [item]
        now = Now(at, int(at * 1000))
        _ = self.session.tick(now) if tick else self.session.receive(b"", now)
        assert self.session.take() == [*frames]
        found, self.watch.faults = self.watch.faults, []
        return found


BAD = BadFrame("expected a number, got a text")
STALE = StreamState("book", "stale", "a gap")


def again(seconds: str, text: str) -> str:
    return (
        f"asked for the same again after {seconds} s, expected a pause of 1 s at least (send it through "
        f"`BaseSession.ask`, or hold a `Pacing`): {text}"
    )


@pytest.mark.parametrize("item", [BAD, STALE, BadFrame("bad", ("book",)), BadFrame("bad", ("trades", "book"))])
@pytest.mark.parametrize(("seconds", "told"), [(0.0, "0.0"), (0.9, "0.9"), (1.0, ""), (1.5, "")])
def test_the_same_is_asked_for_again_after_a_second(item: Any, seconds: float, told: str) -> None:
    asking = Asking()
    text = '{"req_id":1,"symbol":"BTC/USD"}'
    assert asking.ask(10.0, text, item=item) == []
    later = text.replace("1", "2", 1)
    said = [again(told, '{"req_id":#,"symbol":"BTC/USD"}')] if told else []
    assert asking.ask(10.0 + seconds, later, item=item) == said


@pytest.mark.parametrize(("seconds", "told"), [(1 - 2e-6, "1.0"), (1 - 1e-6, ""), (1.0, "")])
def test_a_second_is_one_though_clocks_are_rounded(seconds: float, told: str) -> None:
    asking = Asking()
    assert asking.ask(0.0, "BTC/USD", item=BAD) == []
    assert asking.ask(seconds, "BTC/USD", item=BAD) == ([again(told, "BTC/USD")] if told else [])


@pytest.mark.parametrize(
    ("asked", "most"),
    [((), 11), (("",), 11), (("A",), 11), (("A", "B"), 22), (("A", "B", "C"), 33)],
)
def test_each_symbol_may_have_eleven_answers_and_a_line_without_any_too(asked: tuple[str, ...], most: int) -> None:
    subscriptions = [Subscription("book", tuple(filter(None, asked)))] if asked else []
    assert Watch(KRAKEN, subscriptions).most_answers == most


@pytest.mark.parametrize("item", [None, Notice("x"), StreamState("book", "live"), BadFrame("bad", ("trades",))])
def test_without_a_doubt_there_is_no_reason_to_count(item: Any) -> None:
    """An event that was lost is not sent again, so that a bad one is no reason to ask for it."""
    asking = Asking()
    text = '{"symbol":"BTC/USD"}'
    assert asking.ask(10.0, text, item=BAD) == []
    assert asking.ask(10.1, text, item=item) == []
    for number in range(30):
        assert asking.ask(10.2 + number / 1_000, text, item=item) == []


def test_what_is_asked_at_a_deadline_counts_as_asked_and_is_no_answer() -> None:
    asking = Asking()
    text = '{"symbol":"BTC/USD"}'
    for number in range(30):
        assert asking.ask(10.0 + number / 100, text, tick=True) == []
    assert asking.ask(10.5, text, item=BAD) == [again("0.2", text)]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"symbol":"BTC/USD"}', '{"symbol":"BTC/USD"}'),
        ('{"id": 7,"c":"book"}', '{"id": #,"c":"book"}'),
        ('{"REQID":"7","c":"book"}', '{"REQID":#,"c":"book"}'),
        ('{"invocationId" : 12,"nonce":3,"ts":4,"time":5,"request":"6","c":"book"}',
         '{"invocationId" : #,"nonce":#,"ts":#,"time":#,"request":#,"c":"book"}'),
        ('{"price":7,"c":"book"}', '{"price":7,"c":"book"}'),
        ("ping", ""),
        ('{"id":7}', ""),
    ],
)  # fmt: skip
def test_a_frame_that_names_what_is_asked_for_is_known_without_its_numbers(text: str, what: str) -> None:
    assert Watch(KRAKEN, ASKED).what_is_asked(text) == what


def test_frames_that_name_nothing_may_come_at_once_again() -> None:
    asking = Asking()
    assert asking.ask(10.0, "ping", item=BAD) == []
    assert asking.ask(10.1, "ping", item=BAD) == []


@pytest.mark.parametrize(("asked", "most"), [((), 11), ((Subscription("book", ("A", "B")), Subscription("ping")), 33)])
@pytest.mark.parametrize(("seconds", "told"), [(9.9, True), (10.0, False)])
def test_bad_messages_are_answered_so_often_in_ten_seconds(
    asked: tuple[Subscription, ...], most: int, seconds: float, told: bool
) -> None:
    asking = Asking(*asked)
    for number in range(most):
        assert asking.ask(10.0 + number * 9 / most, f"frame {number}", item=BAD) == []
    said = asking.ask(10.0 + seconds, "frame", item=BAD)
    assert said == (
        [
            f"answered bad messages with frames of its own {most + 1} times in 10 s, expected {most} at most "
            "(send them through `BaseSession.ask`, or hold a `Pacing`)"
        ]
        if told
        else []
    )
    if told:
        assert asking.ask(10.0 + seconds, "another", item=BAD) == [], "they are counted anew"


def test_pings_and_closes_are_no_answers() -> None:
    asking = Asking()
    for number in range(30):
        assert asking.ask(10.0 + number / 100, SocketPing(), Close(1000, ""), item=BAD) == []


# --- routes


def test_a_watched_route_is_the_same_route() -> None:
    route: Any = SimpleNamespace(
        subscriptions=ASKED, session=lambda secrets: secrets, refused=lambda status, body: (status, body)
    )
    watch = Watch(KRAKEN, ASKED)
    over: Any = watch.over(route)
    assert over.subscriptions is ASKED
    assert over.refused(401, "no") == (401, "no")
    assert over.session({"key": "x"})._session == {"key": "x"}
    assert watch.faults == []
