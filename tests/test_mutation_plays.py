"""How `venues.testing` plays recordings, and mutates them: what each call of the driver gets."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.test_fuzz import case, orbit
from venues import events
from venues.errors import UsageError
from venues.recording import Recording
from venues.testing import mutation
from venues.testing.mutation import LONGEST_PAUSE, LOOSE, STRANGE, TICKS_AT_ONCE, MutatedPlay
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


# --- what is drawn


@pytest.mark.parametrize(("draw", "is_apart"), [(0.0, True), (0.299, True), (0.3, False), (0.301, False)])
def test_it_begins_with_the_recordings_first_event_and_its_answers(
    draw: float, is_apart: bool, orbit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bool] = []
    monkeypatch.setattr(
        mutation, "Play", lambda *_, apart, **__: made.append(apart) or SimpleNamespace(driver="the driver")
    )
    play = MutatedPlay(CASE, orbit.ORBIT, Chance(draw, choose=1))  # type: ignore[arg-type]
    first = play.events[0]
    assert (made, play.driver, play._spoiling) == ([is_apart], "the driver", 0.3)
    assert play._now() == Now(first.mono, first.at)
    assert play._bodies == [one.data() for one in play.events if isinstance(one, events.Frame)]


def test_its_answers_are_those_of_the_recording_where_it_has_some(orbit: ModuleType, tmp_path: Path) -> None:
    header, *_ = CASE.read_text(encoding="utf-8").splitlines()
    about = {"at": 7, "mono": 1.0, "method": "GET", "url": "https://v.example", "status": 200}
    lines = [
        {"kind": "frame", "at": 5, "mono": 0.5, "direction": "in", "text": "x"},
        {"kind": "fetched", "request": "a", "text": "late", **about},
        {"kind": "http", "body": "é", **about},
    ]
    recording = tmp_path / "trades--made.frames.jsonl"
    recording.write_text("\n".join([header, *map(json.dumps, lines)]) + "\n", encoding="utf-8")
    play = MutatedPlay(recording, orbit.ORBIT, random.Random(1))
    assert play._bodies == ["é".encode(), b"late"]
    assert play._now() == Now(0.5, 5)


@pytest.mark.parametrize(
    ("share", "draws"), [(0.3, {0.0: True, 0.299: True, 0.3: False, 0.5: False}), (1.0, {0.999: True})]
)
def test_a_share_is_of_all_draws_below_it(share: float, draws: dict[float, bool]) -> None:
    for draw, happens in draws.items():
        assert mutated(Driver(), Chance(draw))._happens(share) is happens


class Draws(Chance):
    """Gives whole numbers one after the other, and notes below which they had to be."""

    def __init__(self, *numbers: int) -> None:
        super().__init__(0.0)
        self.numbers = [*numbers]
        self.ends: list[int] = []

    def randrange(self, end: int) -> int:
        self.ends.append(end)
        return self.numbers.pop(0)


A, B, C = (events.Ticked(at=number, mono=1.0) for number in range(3))


@pytest.mark.parametrize(
    ("draws", "gives", "ends"),
    [
        ((0,), [A, B, C], [12]),
        ((1, 0, 2, 0), [C, B, A], [12, 3, 3, 4]),
        ((1, 0, 2, 1), [C, A, B, C], [12, 3, 3, 4]),
        ((1, 1, 0, 2), [A, C], [12, 3, 3, 4]),
        ((1, 1, 0, 3), [A, B, C, B, C], [12, 3, 3, 4]),
        ((2, 1, 0, 2, 0, 1, 0), [C, A], [12, 3, 3, 4, 2, 2, 4]),
        ((9, *(0, 0, 2) * 3), [], [12, 3, 3, 4, 2, 2, 4, 1, 1, 4]),
    ],
)
def test_events_are_exchanged_doubled_left_out_and_repeated(
    draws: tuple[int, ...], gives: list[events.Event], ends: list[int]
) -> None:
    chance = Draws(*draws)
    assert list(mutated(Driver(), chance, events=[A, B, C])._mutated()) == gives
    assert (chance.ends, chance.numbers) == (ends, [])


@pytest.mark.parametrize(
    ("draws", "frame", "gives", "ends"),
    [
        ((0, 0), b"ab", b"", [9, 3]),
        ((0, 2), b"ab", b"ab", [9, 3]),
        ((1, 1, 255), b"abc", b"a\xffc", [9, 3, 256]),
        ((1,), b"", b"", [9]),
        *(((kind,), b'{"a":7,"b":8}', b'{null:7,"b":8}', [9]) for kind in (2, 3, 4, 5)),
        ((5,), b"{}", b"{}", [9]),
        ((6,), b"ab", b"", [9]),
        ((7,), b"ab", b"ab", [9]),
        ((8, 1), b"[1][2]", b"[1][2,20000001]", [9, 8]),
    ],
)
def test_a_frame_is_cut_has_another_byte_or_value_or_is_longer(
    draws: tuple[int, ...], frame: bytes, gives: bytes, ends: list[int]
) -> None:
    chance = Draws(*draws)
    assert mutated(Driver(), chance, _spoiling=0.1)._spoilt(frame) == gives
    assert (chance.ends, chance.numbers) == (ends, [])


def test_what_is_put_in_and_behind_is_drawn_from_what_is_strange_and_loose() -> None:
    spoilt = []
    for kind in (2, 6, 7):
        chance = Draws(kind)
        chance._choose = 1
        spoilt.append(mutated(Driver(), chance, _spoiling=0.1)._spoilt(b'{"a":7}'))
    assert spoilt == [b'{"a":' + STRANGE[1] + b"}", LOOSE[1], b'{"a":7}' + LOOSE[1]]


@pytest.mark.parametrize(("draw", "is_spoilt"), [(0.299, True), (0.3, False)])
def test_so_many_frames_are_spoilt_as_it_says(draw: float, is_spoilt: bool) -> None:
    chance = Draws(6)
    chance._given = [draw]
    assert mutated(Driver(), chance, _spoiling=0.3)._spoilt(b"ab") == (b"" if is_spoilt else b"ab")


@pytest.mark.parametrize("kinds", [("buy", "sell"), ()])
def test_a_command_is_one_of_the_venues(kinds: tuple[str, ...]) -> None:
    driver = Driver()
    commands = SimpleNamespace(kinds={name: SimpleNamespace(name=name) for name in kinds})
    play = mutated(driver, Chance(0.5, choose=1), _venue=SimpleNamespace(commands=commands))
    play._command()
    ((_, command),) = driver.calls
    assert (command.name, command.fields) == (kinds[1] if kinds else "unknown", {"pair": "BTCUSDT"})


@pytest.mark.parametrize(("choose", "pause"), [(0, 0.0), (2, 0.001), (4, 1.0)])
def test_time_passes_between_events(choose: int, pause: float) -> None:
    play = mutated(Driver(), Chance(0.99, choose=choose))
    play._feed(events.Ticked(at=1, mono=1.0))
    assert play._mono == 10.0 + pause
