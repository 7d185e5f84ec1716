"""How `venues.testing` plays recordings, and mutates them: what each call of the driver gets."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.test_fuzz import case, orbit
from venues import events
from venues.errors import UsageError
from venues.recording import Recording
from venues.testing import mutation
from venues.testing.mutation import LONGEST_PAUSE, TICKS_AT_ONCE, MutatedPlay
from venues.testing.playing import Play
from venues.venue import Close, Dial, Fetch, HttpRequest, HttpResponse, NoResponse, Now

__all__ = ["orbit"]  # a fixture
CASE = case("trades--first")
DIAL = Dial("wss://v.example", "wss://v.example")


def request(name: str) -> HttpRequest:
    return HttpRequest("GET", f"https://v.example/{name}", name)


# --- plays


def playing(opening: Callable[[], Any]) -> tuple[Play, list[Any]]:
    """A play of a driver whose session opens so, and what the driver was begun with."""
    begun: list[Any] = []
    play = object.__new__(Play)
    play.secrets = {"key": "[key]"}
    play._opening = None
    session = SimpleNamespace(opening=opening)
    play.driver = SimpleNamespace(begin=lambda *given: begun.append(given) or session)  # type: ignore[assignment]
    return play, begun


def test_each_answer_before_dialling_comes_to_the_opening() -> None:
    heard: list[Any] = []

    def opening() -> Any:
        for name in ("a", "b"):
            answer = yield request(name)
            heard.append(answer)
        return DIAL

    play, begun = playing(opening)
    answers = [HttpResponse(200, b"1"), HttpResponse(404, b"2")]
    play.begin(0.25)
    assert (begun, heard) == ([({"key": "[key]"}, 0.25)], [])
    assert [play.answer(one) for one in answers] == [True, False]
    assert heard == answers


@pytest.mark.parametrize("error", [UsageError("the venue says no"), None])
def test_an_opening_that_fails_in_words_asks_for_nothing_more(error: Exception | None) -> None:
    def opening() -> Any:
        yield request("a")
        if error is not None:
            raise error
        return DIAL

    play, _ = playing(opening)
    play.begin(0.5)
    assert not play.answer(HttpResponse(200, b""))


def test_a_fault_of_an_opening_is_one() -> None:
    def opening() -> Any:
        yield request("a")
        raise KeyError("token")

    play, _ = playing(opening)
    play.begin(0.5)
    with pytest.raises(KeyError):
        play.answer(HttpResponse(200, b""))


def test_the_events_of_a_recording_come_to_the_opening_and_then_to_the_driver(orbit: ModuleType) -> None:
    play = Play(orbit.ORBIT, Recording(CASE).header)
    heard: list[Any] = []
    play.begin = lambda draw: heard.append(draw)  # type: ignore[method-assign, assignment]
    play.answer = lambda response: heard.append(response)  # type: ignore[method-assign, assignment, return-value]
    asked = {"method": "GET", "url": "https://v.example"}
    assert play.feed(events.Dialled(at=1, mono=1.0, draw=0.75)) == []
    assert play.feed(events.Requested(at=1, mono=1.0, status=404, body="é", **asked)) == []
    assert heard == [0.75, HttpResponse(404, "é".encode())]


def test_without_secrets_a_play_has_their_names(orbit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(orbit.ORBIT), "secrets", {"api_key": "a key"})
    header = Recording(CASE).header
    assert Play(orbit.ORBIT, header).secrets == {"api_key": "[api_key]"}
    assert Play(orbit.ORBIT, header, secrets={"api_key": "x"}).secrets == {"api_key": "x"}


# --- mutated ones


class Chance:
    """Gives what a test says, one after the other; then the last again."""

    def __init__(self, *given: float, choose: int = 0) -> None:
        self._given = [*given]
        self._choose = choose

    def random(self) -> float:
        return self._given.pop(0) if len(self._given) > 1 else self._given[0]

    def choice(self, things: Any) -> Any:
        return things[min(self._choose, len(things) - 1)]

    def randrange(self, end: int) -> int:
        return min(self._choose, end - 1)


class Driver:
    """Notes each call."""

    def __init__(self, **given: Any) -> None:
        self.calls: list[Any] = []
        self.ended: Any = None
        self.retry_at: float | None = None
        self.stirred = True
        self.due: Callable[[], float | None] = lambda: None
        self.out: list[Any] = []
        self.__dict__.update(given)

    def deadline(self) -> float | None:
        return self.due()

    def take(self) -> list[Any]:
        taken, self.out = self.out, []
        return taken

    def __getattr__(self, name: str) -> Any:
        return lambda *given: self.calls.append((name, *given))


class Faults:
    def __init__(self) -> None:
        self.faults: list[str] = []

    def fault(self, text: str) -> None:
        self.faults.append(text)


def mutated(driver: Driver, chance: Chance, *, answers: int = 0, **given: Any) -> Any:
    """A mutated play at second 10 of a clock that is at 20 s by the wall."""
    play = object.__new__(MutatedPlay)
    left = [True] * answers
    heard: list[Any] = []
    stub = SimpleNamespace(
        begin=lambda draw: heard.append(draw),
        answer=lambda response: heard.append(response) or bool(left and left.pop()),
        take=driver.take,
    )
    fields = {
        "driver": driver,
        "play": stub,
        "heard": heard,
        "watch": Faults(),
        "_chance": chance,
        "_spoiling": 0.0,
        "_mono": 10.0,
        "_ahead": 10_000.0,
        "_asked_for": [],
        "_bodies": [b"body"],
        "_venue": SimpleNamespace(commands=None),
        **given,
    }
    play.__dict__.update(fields)
    return play


NOW = Now(10.0, 20_000)


@pytest.mark.parametrize(("draw", "body"), [(0.5, b"body"), (0.9, b'{"connectionToken":"t","negotiateVersion":1}')])
def test_an_opening_has_answers_as_long_as_it_asks(draw: float, body: bytes) -> None:
    driver = Driver(out=[Fetch("seed", request("seed")), "hello", Close(1000, "")])
    play = mutated(driver, Chance(draw), answers=2, _asked_for=["old"])
    play._connect()
    assert play.heard == [draw, *[HttpResponse(200, body)] * 3]
    assert driver.calls == [("opened", NOW)]
    assert play._asked_for == ["seed"], "of this connection alone"


def test_a_connection_may_be_refused_by_a_status() -> None:
    driver = Driver()
    mutated(driver, Chance(0.01, choose=2))._connect()
    assert driver.calls == [("answered", 401, "", None, NOW)]


@pytest.mark.parametrize(
    ("dues", "ticks", "told"),
    [([None], 1, False), ([9.0, 10.0, 10.001], 3, False), ([10.0], TICKS_AT_ONCE, True)],
)
def test_a_tick_must_have_done_what_was_due(dues: list[float | None], ticks: int, told: bool) -> None:
    left = [*dues]
    driver = Driver(due=lambda: left.pop(0) if len(left) > 1 else left[0])
    play = mutated(driver, Chance(0.9))
    play._tick()
    assert driver.calls == [("tick", Now(10.0, 20_000, heard=9.0))] * ticks
    said = "`tick` makes no progress: after 100 calls `deadline` is still in the past"
    assert play.watch.faults == ([said] if told else [])


def test_with_bytes_on_their_way_a_tick_may_wait() -> None:
    driver = Driver(due=lambda: 9.0)
    play = mutated(driver, Chance(0.25))
    play._tick()
    assert driver.calls == [("tick", Now(10.0, 20_000, heard=9.0, arriving=9.75))]
    assert play.watch.faults == []


@pytest.mark.parametrize(("draw", "answer"), [(0.1, NoResponse("no answer within 10 s")), (0.9, None)])
def test_a_request_is_answered_once_or_not_at_all(draw: float, answer: Any) -> None:
    driver = Driver()
    play = mutated(driver, Chance(draw), _asked_for=["a", "b"])
    play._fetched()
    body = b'{"connectionToken":"t","negotiateVersion":1}'
    assert driver.calls == [("fetched", "a", answer or HttpResponse(200, body, None), NOW)]
    assert play._asked_for == ["b"]


@pytest.mark.parametrize(
    ("stirred", "out", "before", "after", "said"),
    [
        (True, ["x"], None, 1.0, []),
        (False, [], None, None, []),
        (
            False,
            ["x"],
            None,
            None,
            ["`receive` left a frame to send while `stirred` is False, so nobody would take it"],
        ),
        (False, [], 5.0, None, []),
        (False, [], 5.0, 5.0, []),
        (False, [], 5.0, 6.0, []),
        (False, [], 5.0, 4.9, ["deadline"]),
        (False, [], None, 5.0, ["deadline"]),
    ],
)
def test_what_nobody_would_look_at_is_told(
    stirred: bool, out: list[Any], before: float | None, after: float | None, said: list[str]
) -> None:
    play = mutated(Driver(stirred=stirred, out=out, due=lambda: after), Chance(0.5))
    play._must_say_that_it_is_stirred(before)
    sooner = "`receive` made the deadline earlier while `stirred` is False, so nobody would ask for it"
    assert play.watch.faults == [sooner if one == "deadline" else one for one in said]


FRAME = events.Frame(at=1, mono=1.0, direction="in", text="x")


@pytest.mark.parametrize(
    ("event", "draws", "given", "call"),
    [
        (FRAME, (0.99,), {}, ("receive", b"x", NOW)),
        (FRAME, (0.04,), {}, ("pong", NOW)),
        (events.Ponged(at=1, mono=1.0), (0.99,), {}, ("pong", NOW)),
        (FRAME, (0.19, 0.99), {"_asked_for": ["a"]}, "fetched"),
        (FRAME, (0.99,), {"_asked_for": ["a"]}, ("receive", b"x", NOW)),
        (events.NotFetched(at=1, mono=1.0, request="a", method="GET", url="", reason=""), (0.99,),
         {"_asked_for": ["a"]}, "fetched"),
        (events.Closed(at=1, mono=1.0), (0.99,), {}, ("closed", None, "", NOW)),
        (events.Ticked(at=1, mono=1.0), (0.99,), {}, None),
        (events.Ticked(at=1, mono=1.0), (0.99, 0.01, 0.99), {}, ("send",)),
        (events.Ticked(at=1, mono=1.0), (0.99, 0.99, 0.01, 0.99), {}, "fetched"),
        (events.Ticked(at=1, mono=1.0), (0.99, 0.99, 0.99, 0.01), {}, ("closed", None, "", NOW)),
    ],
)  # fmt: skip
def test_what_each_event_becomes(event: Any, draws: tuple[float, ...], given: dict[str, Any], call: Any) -> None:
    driver = Driver()
    mutated(driver, Chance(*draws), **given)._feed(event)
    made = driver.calls
    if isinstance(call, str):
        assert [one[0] for one in made] == [call]
    elif call == ("send",):
        assert [one[0] for one in made] == ["send"]
        assert (made[0][1].name, made[0][1].fields) == ("unknown", {"pair": "BTCUSDT"})
    else:
        assert made == ([] if call is None else [call])


@pytest.mark.parametrize(
    ("due", "draw", "ticked", "mono"),
    [
        (10.0, 0.99, True, 10.0),
        (9.0, 0.99, True, 10.0),
        (12.0, 0.09, True, 12.0),
        (12.0, 0.5, False, 10.0),
        (10.0 + LONGEST_PAUSE, 0.09, False, 10.0),
    ],
)
def test_a_deadline_is_kept_and_sometimes_waited_for(due: float, draw: float, ticked: bool, mono: float) -> None:
    dues: list[float | None] = [due, None]
    driver = Driver(due=lambda: dues.pop(0) if len(dues) > 1 else dues[0])
    play = mutated(driver, Chance(draw, 0.99))
    play._feed(events.Ticked(at=1, mono=1.0))
    assert ([call[0] for call in driver.calls] == ["tick"]) is ticked
    assert play._mono == mono


def test_a_play_has_so_many_events_of_what_comes_in(orbit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    play = MutatedPlay(CASE, orbit.ORBIT, random.Random(1))
    kinds = (events.Ponged, events.Ticked, events.Closed, events.Fetched, events.NotFetched, events.Frame)
    play._chance = Chance(0.5)  # type: ignore[assignment]
    came = [one for one in play.events if isinstance(one, kinds) and getattr(one, "direction", "in") == "in"]
    assert list(play._mutated()) == came
    monkeypatch.setattr(mutation, "MOST_EVENTS", 2)
    assert list(play._mutated()) == came[:2]


def test_after_a_lost_connection_another_one_is_made_when_it_is_due(
    orbit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    play = MutatedPlay(CASE, orbit.ORBIT, random.Random(1))
    driver = Driver()
    connected: list[float] = []

    def connect() -> None:
        connected.append(play._mono)
        driver.retry_at = 100.0 if len(connected) == 1 else None

    fed: list[Any] = []
    monkeypatch.setattr(play, "driver", driver)
    monkeypatch.setattr(play, "_connect", connect)
    monkeypatch.setattr(
        play, "_feed", lambda event: fed.append(event) or setattr(driver, "ended", len(fed) == 2 or None)
    )
    begin = play._mono
    monkeypatch.setattr(play, "_mutated", lambda: iter([FRAME] * 5))
    assert play.run() == []
    assert (connected, len(fed)) == ([begin, 100.0], 2)
