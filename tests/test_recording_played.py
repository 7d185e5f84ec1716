"""A recording that is played: its pauses, its lines, later runs, and what ends it. No file, no socket."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from tests.test_driver import OneLine, Script, told
from venues import events
from venues.driver import Driver
from venues.errors import DamagedRecording, MonError, VenueRefused
from venues.recording import play
from venues.records import Status
from venues.toolkit.acknowledgements import VERDICTS_WITHIN
from venues.venue import Command, Item, Lost, Notice, Now, Out, Refused, Session, Subscription


def at(seconds: float, line: int = 0) -> events.Stamp:
    return {"at": 1_000_000 + round(seconds * 1000), "mono": seconds, "line": line}


def begun(seconds: float = 0.0, line: int = 0) -> list[events.Event]:
    return [events.Dialled(**at(seconds, line), draw=0.0), events.Opened(**at(seconds, line))]


def frame(seconds: float, text: str, line: int = 0) -> events.Frame:
    return events.Frame(**at(seconds, line), direction="in", text=text)


class Sending(Script):
    """Has something to send, and notes that it was taken."""

    def __init__(self, items: dict[str, list[Item]]) -> None:
        super().__init__(items)
        self.stirred = False
        self.taken = 0

    def send(self, command: Command) -> None:
        raise AssertionError

    def take(self) -> list[Out]:
        self.taken += 1
        return []


class Lines(OneLine):
    """Its sessions say a notice of each frame, are refused what they are told, or lost."""

    def __init__(self, secrets: list[Mapping[str, str]] | None = None, **items: list[Item]) -> None:
        super().__init__(**items)
        self.secrets: list[Mapping[str, str]] = [] if secrets is None else secrets

    def session(self, secrets: Mapping[str, str]) -> Session:
        self.secrets.append(secrets)
        self.latest = Sending(self.items)
        return self.latest


def refusal(*symbols: str) -> Item:
    return Refused(f"no {' '.join(symbols)}", "trades", symbols=dict.fromkeys(symbols, "no"))


ITEMS: dict[str, list[Item]] = {
    "a": [Notice("a")],
    "b": [Notice("b")],
    "no A": [refusal("A")],
    "no B": [refusal("B")],
    "late": [Refused("no late", "trades", symbols={"A": "no"}, late=True)],
    "no": [Refused("no key")],
    "gone": [Lost("gone for good", retry=False)],
    "lost": [Lost("lost")],
}


def driver_of(**given: Any) -> Driver:
    return Driver(Lines(**ITEMS), [Subscription("trades", ("A", "B"))], venue="v", **given)


class Played:
    """What came of it: the items with the line and the time, the pauses, what was tapped, and how it ended."""

    def __init__(self, recorded: Iterable[Any], *drivers: Driver, **options: Any) -> None:
        self.drivers: Sequence[Driver] = drivers or [driver_of()]
        self.items: list[tuple[int, float, Any]] = []
        self.slept: list[float] = []
        self.tapped: list[events.Event] = []
        self.error: MonError | None = None
        self._recorded = recorded
        given: dict[str, Any] = {"speed": 1.0, "secrets": {}, "tap": self.tapped.append, **options}
        recording: Any = SimpleNamespace(events=self._events)
        try:
            asyncio.run(play(recording, self.drivers, sleep=self._sleep, deliver=self._deliver, **given))
        except MonError as error:
            self.error = error

    def _events(self) -> Iterable[events.Event]:
        for event in self._recorded:
            if isinstance(event, Exception):
                raise event
            yield event

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def _deliver(self, items: list[Any], now: Now, line: int) -> None:
        assert now.epoch_ms == at(now.mono)["at"]
        self.items += [(line, now.mono, item) for item in items]

    def notices(self) -> list[tuple[int, float, str]]:
        return [(line, mono, one.text) for line, mono, one in self.items if isinstance(one, Notice)]

    def states(self) -> list[tuple[int, float, str]]:
        return [(line, mono, one.state) for line, mono, one in self.items if isinstance(one, Status)]


# --- pauses


@pytest.mark.parametrize(("speed", "slept"), [(1.0, [2.0, 0.5, 1.5]), (2.0, [1.0, 0.25, 0.75]), (math.inf, [0, 0, 0])])
def test_pauses_are_as_long_as_they_were_and_no_time_goes_back(speed: float, slept: list[float]) -> None:
    moments = (3.0, 2.0, 3.0, 3.5, 5.0, 4.0)
    played = Played([*begun(1.0), *(frame(second, "a") for second in moments)], speed=speed)
    assert played.slept == slept
    assert played.notices() == [(0, second, "a") for second in moments]


@pytest.mark.parametrize("taps", [True, False])
def test_without_pauses_nothing_is_waited_for(*, taps: bool) -> None:
    recorded = [*begun(1.0), frame(3.0, "a"), frame(5.0, "b")]
    options = {} if taps else {"tap": None}
    played = Played(recorded, pauses=False, **options)
    assert (played.slept, played.notices()) == ([], [(0, 3.0, "a"), (0, 5.0, "b")])
    assert played.tapped == (recorded if taps else [])


def test_the_pause_before_a_later_run_is_skipped() -> None:
    later = events.Resumed(**at(100.0), heard=3.0)
    played = Played([*begun(1.0), frame(3.0, "a"), later, *begun(101.0), frame(104.0, "b")])
    assert played.slept == [2.0, 1.0, 3.0]
    assert played.states() == [(0, 1.0, "live"), (0, 100.0, "reconnecting"), (0, 101.0, "live")]


# --- whose an event is


@pytest.mark.parametrize("pauses", [True, False])
@pytest.mark.parametrize(
    "event",
    [
        frame(1.0, "a", 1),
        frame(1.0, "a", 2),
        events.Failed(**at(1.0, 2), reason="x"),
        events.Dialled(**at(1.0, 2), draw=0.0),
        events.Opened(**at(1.0, 1)),
        events.Closed(**at(1.0, 1)),
        events.Left(**at(1.0, 1)),
    ],
)
def test_an_event_of_a_connection_that_was_never_begun_is_damage(event: events.Event, *, pauses: bool) -> None:
    played = Played([*begun(), event, frame(2.0, "a")], driver_of(), driver_of(), pauses=pauses, tap=None)
    assert isinstance(played.error, DamagedRecording)
    assert str(played.error) == "the recording has an event of a connection that was never begun"
    assert played.notices() == []


def test_a_try_may_fail_before_a_connection_is_begun() -> None:
    played = Played([events.Failed(**at(1.0, 1), reason="no key"), *begun(2.0, 1)], driver_of(), driver_of())
    assert played.error is None
    assert told([item for _, _, item in played.items])[0][:3] == ("reconnecting", "no key", 1)
    assert [line for line, _, _ in played.items] == [1, 1]


@pytest.mark.parametrize("pauses", [True, False])
def test_each_line_has_its_driver_and_its_number(*, pauses: bool) -> None:
    recorded = [*begun(), *begun(line=1), frame(1.0, "a", 1), frame(2.0, "b")]
    played = Played(recorded, driver_of(), driver_of(), pauses=pauses, tap=None)
    assert played.notices() == [(1, 1.0, "a"), (0, 2.0, "b")]
    assert played.states() == [(0, 0.0, "live"), (1, 0.0, "live")]


def test_a_session_begins_with_the_placeholders_of_its_secrets() -> None:
    secrets: list[Mapping[str, str]] = []
    driver = Driver(Lines(secrets), [Subscription("trades", ("A",))], venue="v")
    Played(begun(), driver, secrets={"key": "[key]"})
    assert secrets == [{"key": "[key]"}]


def test_what_a_session_would_send_is_taken_and_dropped_as_a_connection_does_it() -> None:
    route = Lines(**ITEMS)
    driver = Driver(route, [Subscription("trades", ("A",))], venue="v")
    played = Played([*begun(), frame(1.0, "a"), events.Ponged(**at(2.0))], driver)
    assert played.error is None
    assert route.latest.taken == 3, "after all but the frame, which stirred nothing"


@pytest.mark.parametrize("pauses", [True, False])
def test_an_event_that_cannot_be_is_damage(*, pauses: bool) -> None:
    bad = events.Frame(**at(1.0), direction="in")
    played = Played([*begun(), bad], pauses=pauses, tap=None)
    assert isinstance(played.error, DamagedRecording)
    assert str(played.error) == "the recording has an event that cannot be: a frame without text"


@pytest.mark.parametrize(("status", "words"), [(404, "no such path"), (503, "busy")])
def test_an_old_recording_says_the_status_of_a_failure_with_the_request_before_it(status: int, words: str) -> None:
    """A 401 is one of a credential, which is fetched anew once."""
    asked = {"method": "GET", "url": "http://v.example", "body": ""}
    refused = {"retry": False, "refused": True}
    recorded = [
        *begun(0.0),
        events.Closed(**at(1.0)),
        events.Dialled(**at(2.0), draw=0.0),
        events.Requested(**at(2.1), status=status, **asked),
        events.Requested(**at(2.1), status=401, **asked),
        events.Failed(**at(2.2), reason=words, **refused),
        events.Dialled(**at(3.0), draw=0.0),
        events.Failed(**at(3.1), reason=words, **refused),
    ]
    played = Played(recorded)
    assert [state for _, _, state in played.states()] == ["live", "reconnecting", "reconnecting", "reconnecting"]
    (said,) = [one.reason for _, mono, one in played.items if isinstance(one, Status) and mono == 2.2]
    assert said == f"{words}, it was there 1 s ago; one more try, with the credential fetched anew"
    (said,) = [one.reason for _, mono, one in played.items if isinstance(one, Status) and mono == 3.1]
    assert said == f"{words}, it was there 2 s ago"


# --- what ends it


def test_the_end_of_the_only_line_ends_the_run_and_nothing_behind_it_counts() -> None:
    played = Played([*begun(), frame(1.0, "gone"), frame(2.0, "a")])
    assert str(played.error) == "gone for good"
    assert played.notices() == []
    assert played.tapped[-1] == frame(1.0, "gone")


@pytest.mark.parametrize("pauses", [True, False])
@pytest.mark.parametrize(
    ("options", "is_over"),
    [({}, True), ({"apart": True}, False), ({"ends_with": [0]}, False), ({"ends_with": [1]}, True)],
)
def test_whose_end_ends_all(options: dict[str, Any], *, is_over: bool, pauses: bool) -> None:
    recorded = [*begun(), *begun(line=1), frame(1.0, "gone", 1), frame(2.0, "a")]
    played = Played(recorded, driver_of(), driver_of(), pauses=pauses, tap=None, **options)
    assert (played.error is not None) is is_over
    assert played.notices() == ([] if is_over else [(0, 2.0, "a")])


def test_lines_that_are_apart_end_the_run_with_the_first_of_their_ends() -> None:
    recorded = [*begun(), *begun(line=1), frame(1.0, "gone", 1), frame(2.0, "a"), frame(3.0, "no"), frame(4.0, "a")]
    played = Played(recorded, driver_of(), driver_of(), apart=True)
    assert str(played.error) == "gone for good"
    assert played.notices() == [(0, 2.0, "a")]


def test_damage_behind_what_ended_the_run_is_not_told() -> None:
    played = Played([*begun(), frame(1.0, "gone"), DamagedRecording("damaged")])
    assert str(played.error) == "gone for good"
    assert str(Played([*begun(), frame(1.0, "a"), DamagedRecording("damaged")]).error) == "damaged"


@pytest.mark.parametrize("pauses", [True, False])
@pytest.mark.parametrize(
    ("second", "symbols"),
    [(1.0, ["A", "B"]), (1.0 + VERDICTS_WITHIN, ["A", "B"]), (1.001 + VERDICTS_WITHIN, ["A"])],
)
def test_symbols_that_several_lines_are_refused_soon_after_each_other_end_it_together(
    second: float, symbols: list[str], *, pauses: bool
) -> None:
    lines = [driver_of() for _ in range(3)]
    recorded = [*(one for line in range(3) for one in begun(line=line)), frame(1.0, "no A", 1)]
    recorded += [frame(1.0, "a"), frame(1.0, "b", 1), frame(second, "no B", 2), frame(9.0, "a")]
    played = Played(recorded, *lines, pauses=pauses, tap=None)
    assert isinstance(played.error, VenueRefused)
    assert list(played.error.symbols) == symbols
    assert played.notices() == [(0, 1.0, "a")], "until then the others go on, and the refused one does not"


def test_once_all_lines_were_refused_symbols_nothing_more_is_waited_for() -> None:
    recorded = [*begun(), *begun(line=1), frame(1.0, "no B", 1), frame(1.1, "no A"), frame(1.2, "a")]
    played = Played(recorded, driver_of(), driver_of())
    assert isinstance(played.error, VenueRefused)
    assert dict(played.error.symbols) == {"A": "no", "B": "no"}
    assert list(played.error.symbols) == ["A", "B"], "in the order of the lines"
    assert played.tapped[-1] == frame(1.1, "no A")


def test_refused_symbols_end_the_run_also_where_the_recording_ends() -> None:
    played = Played([*begun(), *begun(line=1), frame(1.0, "no A", 1)], driver_of(), driver_of())
    assert isinstance(played.error, VenueRefused)
    assert list(played.error.symbols) == ["A"]


@pytest.mark.parametrize("end", ["no", "gone"])
def test_another_end_does_not_wait_for_refused_symbols(end: str) -> None:
    recorded = [*begun(), *begun(line=1), *begun(line=2), frame(1.0, end, 1), frame(1.1, "no A"), frame(1.2, "a", 2)]
    played = Played(recorded, driver_of(), driver_of(), driver_of())
    assert str(played.error) == {"no": "no key", "gone": "gone for good"}[end]
    assert played.notices() == []


def test_of_two_ends_the_first_is_said() -> None:
    recorded = [*begun(), *begun(line=1), *begun(line=2), frame(1.0, "no A", 1), frame(1.1, "gone"), frame(1.2, "a", 2)]
    played = Played(recorded, driver_of(), driver_of(), driver_of())
    assert str(played.error) == "no A"
    assert played.notices() == []


def test_a_late_refusal_leaves_the_others_on_until_all_have_one() -> None:
    recorded = [*begun(), *begun(line=1), frame(1.0, "late", 1), frame(9.0, "a")]
    played = Played(recorded, driver_of(), driver_of())
    assert (played.error, played.notices()) == (None, [(0, 9.0, "a")])
    played = Played([*recorded, frame(10.0, "late"), frame(10.1, "a")], driver_of(), driver_of())
    assert str(played.error).startswith("v refuses trades of A")
    assert played.notices() == [(0, 9.0, "a")]


@pytest.mark.parametrize("end", ["no", "no A"])
def test_a_later_run_begins_with_all_lines_also_those_that_had_ended(end: str) -> None:
    later = events.Resumed(**at(50.0), heard=9.0)
    recorded = [*begun(), *begun(line=1), frame(1.0, end, 1), later]
    recorded += [*begun(51.0), *begun(51.0, 1), frame(52.0, "a", 1), frame(59.0, "b")]
    played = Played(recorded, driver_of(), driver_of())
    assert played.error is None
    assert played.notices() == [(1, 52.0, "a"), (0, 59.0, "b")]
    assert played.states()[-4:] == [
        (0, 50.0, "reconnecting"),
        (1, 50.0, "reconnecting"),
        (0, 51.0, "live"),
        (1, 51.0, "live"),
    ]


def test_what_deliver_gives_back_is_awaited() -> None:
    order: list[str] = []

    async def slow(what: str) -> None:
        order.append(f"begins {what}")
        await asyncio.sleep(0)
        order.append(f"ends {what}")

    def deliver(items: list[Any], now: Now, line: int) -> Any:
        return slow(f"{now.mono:g}") if items else None

    recording: Any = SimpleNamespace(
        events=lambda: iter([*begun(1.0), frame(2.0, "a"), events.Resumed(**at(3.0)), *begun(4.0)])
    )
    for pauses in (True, False):
        order.clear()
        asyncio.run(
            play(
                recording,
                [driver_of()],
                speed=math.inf,
                sleep=asyncio.sleep,
                deliver=deliver,
                secrets={},
                pauses=pauses,
            )
        )
        assert order == [f"{what} {second}" for second in (1, 2, 3, 4) for what in ("begins", "ends")]
