"""Each check of `venues.testing` says what was found, and where; and how a recording is cut, spoilt and made longer."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.test_fuzz import PLUGIN, RECORDINGS, case, orbit, with_methods
from venues import events
from venues.driver import Driver
from venues.errors import UsageError
from venues.testing import checks, checks_of, endings, entries
from venues.testing.mutation import longer, rows_of_the_longest
from venues.testing.recordings import RECORDS, cases, expected_of, name_of, outcome, rewrite, unasked
from venues.venue import Now

__all__ = ["orbit"]  # a fixture
CASE = case("trades--first")
NOW = Now(10.0, 5_000)


# --- each check


@pytest.mark.parametrize(
    ("check", "finds"),
    [
        ("test_recording_keeps_the_rules", "faults_in"),
        ("test_it_ends_at_any_moment", "faults_when_cut"),
        ("test_bad_messages_are_answered_with_pauses", "faults_of_bad_messages"),
        ("test_two_routes_share_nothing", "differences_of_two"),
        ("test_what_is_kept_is_bounded", "faults_of_long_lists"),
    ],
)
def test_a_check_of_a_recording_fails_with_what_is_found_in_it(
    check: str, finds: str, orbit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    faults: list[str] = []
    monkeypatch.setattr(endings, finds, lambda *given: asked.append(given) or faults)
    made: Any = checks_of(orbit.ORBIT, RECORDINGS)()
    getattr(made, check)(CASE)
    faults[:] = ["one", "other"]
    with pytest.raises(pytest.fail.Exception) as failed:
        getattr(made, check)(CASE)
    assert str(failed.value) == "trades--first.frames.jsonl:\none\nother"
    assert asked == [(CASE, orbit.ORBIT)] * 2


def test_a_check_of_the_entry_fails_with_what_is_found_in_it(
    orbit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Any = checks_of(orbit.ORBIT, RECORDINGS)()
    assert type(made).__name__ == "TestOrbit"
    found: list[str] = []
    monkeypatch.setattr(entries, "problems_of", lambda venue: iter(found))
    monkeypatch.setattr(entries, "heavy_modules", lambda venue: found)
    made.test_entry_is_what_the_contract_says()
    made.test_entry_is_light()
    found[:] = ["one", "other"]
    with pytest.raises(AssertionError, match=r"^one\nother"):
        made.test_entry_is_what_the_contract_says()
    with pytest.raises(AssertionError, match=r"^importing the entry loads one, other"):
        made.test_entry_is_light()


def test_the_checks_of_all_recordings_have_what_they_were_asked_with(
    orbit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(checks, "fuzz", lambda *given, **named: asked.append((given, named)))
    monkeypatch.setattr(checks, "any_frames", lambda *given: asked.append(given))
    made: Any = checks_of(orbit.ORBIT, RECORDINGS, seconds=7.5, seed=3)()
    made.test_mutated_recordings_keep_the_rules()
    made.test_any_frame_keeps_the_rules()
    fuzzed, fed = asked
    assert fuzzed == ((cases(RECORDINGS), orbit.ORBIT, 7.5), {"seed": 3})
    assert [name_of(one) for one in fed[0]] == ["book--gap", "candles--first", "trades--first"], "the longest of each"
    for check in ("test_every_stream_has_a_recording", "test_every_recording_says_where_it_is_from"):
        getattr(made, check)()
    made.test_no_expectation_without_a_recording()


class Played:
    """In the place of a mutated play."""

    made: list[tuple[str, str]] = []  # noqa: RUF012
    faults: Mapping[int, list[str]] = {}

    def __init__(self, found: Path, venue: Any, chance: Any) -> None:
        self.made.append((found.name, chance))

    def run(self) -> list[str]:
        return self.faults.get(len(self.made) - 1, [])


@pytest.mark.parametrize(("times", "plays"), [(1, 2), (3, 6)])
def test_each_recording_is_played_so_often_in_turns_with_a_seed_of_its_own(
    times: int, plays: int, orbit: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Played, "made", [])
    monkeypatch.setattr(checks, "MutatedPlay", Played)
    monkeypatch.setattr(checks.random, "Random", str)
    empty = tmp_path / "empty.frames.jsonl"
    empty.write_text(CASE.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    found = [CASE, empty, case("book--gap")]
    assert checks.fuzz(found, orbit.ORBIT, 0.0, seed=7, times=times) == plays
    names = ["trades--first.frames.jsonl", "book--gap.frames.jsonl"] * times
    assert Played.made == [(name, f"7 {number}") for number, name in enumerate(names)]
    assert checks.fuzz([empty], orbit.ORBIT, 60.0) == 0, "there is nothing to play"


@pytest.mark.parametrize(("seconds", "plays"), [(1.0, 2), (2.0, 2), (2.5, 3), (3.0, 3)])
def test_more_is_played_until_the_time_is_over(
    seconds: float, plays: int, orbit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each play takes a second, and the first of both recordings look at no clock."""
    monkeypatch.setattr(Played, "made", [])
    monkeypatch.setattr(checks, "MutatedPlay", Played)
    monkeypatch.setattr(checks, "time", SimpleNamespace(monotonic=lambda: 100.0 + len(Played.made)))
    assert checks.fuzz([CASE, case("book--gap")], orbit.ORBIT, seconds, seed=7) == plays


def test_the_first_fault_ends_it_with_how_to_repeat_it(
    orbit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Played, "made", [])
    monkeypatch.setattr(Played, "faults", {2: ["one", "other"]})
    monkeypatch.setattr(checks, "MutatedPlay", Played)
    with pytest.raises(pytest.fail.Exception) as failed:
        checks.fuzz([CASE], orbit.ORBIT, 60.0, seed=7)
    assert str(failed.value) == (
        "trades--first.frames.jsonl, mutated, play 2; checks_of(…, seed=7) repeats it:\none\nother"
    )
    assert (len(Played.made), capsys.readouterr().out) == (3, "mutated recordings: seed=7\n")


# --- entries


def problems(orbit: ModuleType, monkeypatch: pytest.MonkeyPatch, **changed: Any) -> list[str]:
    """What is said of the entry with something else in it."""
    with monkeypatch.context() as patch:
        for name, value in changed.items():
            patch.setattr(type(orbit.ORBIT), name, value)
        return list(entries.problems_of(orbit.ORBIT))


def test_the_simulator_of_an_entry_is_looked_at(orbit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    from mon_orbit import simulator

    assert problems(orbit, monkeypatch) == problems(orbit, monkeypatch, simulator="") == []
    assert problems(orbit, monkeypatch, secrets={"api_key": "a key", "a_token": "a token"}) == [
        "the simulator has no credential for a_token, api_key"
    ]
    with monkeypatch.context() as patch:
        patch.setattr(simulator.Orbit, "name", "other")
        assert problems(orbit, monkeypatch) == ["expected \"orbit\" as name of the simulator, got 'other'"]
    (said,) = problems(orbit, monkeypatch, simulator="mon_orbit.simulator:Nobody")
    assert said.startswith('`simulator` is "mon_orbit.simulator:Nobody", which cannot be loaded: AttributeError(')


def test_an_entry_that_is_none_is_not_looked_at_any_further(orbit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    found = problems(orbit, monkeypatch, contract=99, simulator="mon_orbit.simulator:Nobody")
    assert len(found) == 1
    assert "version 99 of the contract" in found[0]


@pytest.mark.parametrize(("error", "said"), [(UsageError("no address"), 0), (KeyError("url"), 1)])
def test_routes_without_subscriptions_check_the_settings_alone(
    error: Exception, said: int, orbit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def routes(self: Any, subscriptions: Any, settings: Any) -> Any:
        asked.append((subscriptions, settings.url, settings.rest_url))
        raise error

    environments = {"production": "wss://p.example", "staging": "wss://s.example"}
    rest = {"production": "https://p.example", "staging": ""}
    found = problems(orbit, monkeypatch, routes=routes, environments=environments, rest=rest)
    assert found == ["`routes(())` raised KeyError('url'): expected it to check the settings alone"] * 2 * said
    assert asked == [((), "wss://p.example", "https://p.example"), ((), "wss://s.example", "")]


@pytest.mark.parametrize(
    ("meant", "said"),
    [
        (
            ["BTC-USDT", "no symbol"],
            "`meant('btc-usdt')` gave 'no symbol', which check_symbol does not pass: expected ",
        ),
        ("BTC-USDT", "`meant('btc-usdt')` gave 'BTC-USDT': expected a sequence of symbols"),
        ({"BTC-USDT"}, "`meant('btc-usdt')` gave {'BTC-USDT'}: expected a sequence of symbols"),
        (None, "`meant('btc-usdt')` gave None: expected a sequence of symbols"),
        (
            ValueError("x"),
            "`meant('btc-usdt')` raised ValueError('x'): expected the symbols that may be meant, or none",
        ),
    ],
)
def test_what_may_be_meant_by_a_symbol_is_told_once(
    meant: Any, said: str, orbit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of(self: Any, symbol: str) -> Any:
        if isinstance(meant, Exception):
            raise meant
        return meant

    (found,) = problems(orbit, monkeypatch, meant=of)
    assert found.startswith(said)


def test_every_spelling_is_asked_for(orbit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    assert problems(orbit, monkeypatch, meant=lambda self, symbol: asked.append(symbol) or ("BTC-USDT",)) == []
    assert asked == ["btc-usdt", "BTCUSDT", "BTCUSDT", "", "/", "\x1b[31m", "é" * 300]


def test_a_venue_of_another_make_says_nothing_of_what_is_meant() -> None:
    assert list(entries._problems_of_meaning(SimpleNamespace(example="BTC-USDT"))) == []  # type: ignore[arg-type]


def test_where_an_entry_is(orbit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert entries.where(orbit.ORBIT) == "mon_orbit:ORBIT"
    assert entries.where(type(orbit.ORBIT)()) == "mon_orbit"


def test_an_entry_that_cannot_be_imported_by_itself_is_told(orbit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [one for one in sys.path if str(PLUGIN) not in str(one)])
    (said,) = entries.heavy_modules(orbit.ORBIT)
    assert said.endswith("ModuleNotFoundError: No module named 'mon_orbit'")


# --- recordings


def fixture(name: str) -> Path:
    return Path(__file__).parent / "fixtures" / name


def test_nothing_is_given_behind_the_end_of_a_line(tmp_path: Path) -> None:
    from venues.kraken import KRAKEN

    whole = fixture("kraken/book--refused.frames.jsonl")
    file = tmp_path / whole.name
    text = whole.read_text(encoding="utf-8")
    last = json.loads(text.splitlines()[-1])
    file.write_text(text + json.dumps({"kind": "tick", "at": last["at"] + 1, "mono": last["mono"] + 1}) + "\n")
    assert outcome(file, KRAKEN) == outcome(whole, KRAKEN) == expected_of(whole).read_text(encoding="utf-8")
    assert outcome(file, KRAKEN).splitlines()[-1].startswith('{"ended":')


def test_each_request_is_answered_once_and_on_its_own_connection(tmp_path: Path) -> None:
    from venues.woox import WOOX

    whole = fixture("woox/book--document.frames.jsonl")
    lines = whole.read_text(encoding="utf-8").splitlines()
    at = next(number for number, line in enumerate(lines) if '"kind":"fetched"' in line)
    name = json.loads(lines[at])["request"]

    def found(*changed: str) -> list[str]:
        file = tmp_path / whole.name
        file.write_text("\n".join([*changed, ""]), encoding="utf-8")
        return unasked(file, WOOX)

    assert found(*lines) == []
    (twice,) = found(*lines[: at + 1], lines[at], *lines[at + 1 :])
    assert twice.startswith(f'the answer to "{name}" at mono ')
    assert "is nobody's: no request waits then; expected a `fetched` behind the event" in twice
    other = lines[at].replace(name, "another")
    (wrong,) = found(*lines[:at], other, *lines[at + 1 :])
    assert f"is nobody's: the requests that wait are {name}; expected a" in wrong
    dial = next(line for line in lines if '"kind":"dial"' in line)
    stamp = {key: json.loads(lines[at])[key] for key in ("at", "mono")}
    again = json.dumps({**json.loads(dial), **stamp})
    late = found(*lines[:at], again, *lines[at:])
    assert late[0].startswith(f'the answer to "{name}" at mono ')
    assert "no request waits then" in late[0]


def test_only_what_has_changed_is_rewritten(orbit: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    for name, folder in (("book--first", "."), ("trades--first", "inner")):
        (tmp_path / folder / case(name).name).write_bytes(case(name).read_bytes())
    found = [expected_of(one) for one in cases(tmp_path)]
    assert [one.name for one in found] == [f"book--first{RECORDS}", f"trades--first{RECORDS}"]
    assert rewrite(tmp_path, orbit.ORBIT) == found
    assert rewrite(tmp_path, orbit.ORBIT) == []
    found[0].write_text("other", encoding="utf-8")
    assert rewrite(tmp_path, orbit.ORBIT) == found[:1]
    assert found[0].read_text(encoding="utf-8") == expected_of(case("book--first")).read_text(encoding="utf-8")


# --- longer lists


@pytest.mark.parametrize(
    ("frame", "rows"),
    [
        (b"{}", 1),
        (b"", 1),
        (b'{"a":[]}', 1),
        (b'{"a":[1,2,3]}', 1),
        (b'{"a":[[1],[2],[3]]}', 3),
        (b'{"a":[{"b":1},{"b":2}],"c":[1]}', 2),
        (b'{"a":[[1],[2]],"b":[[1],[2],[3]]}', 3),
        (b"[1]", 1),
        (b"[[1],2", 1),
        (b"[x]", 1),
    ],
)
def test_how_many_rows_the_longest_list_has(frame: bytes, rows: int) -> None:
    assert rows_of_the_longest(frame) == rows


@pytest.mark.parametrize(
    ("frame", "times", "which", "first", "made"),
    [
        (b"{}", 3, None, 0, b"{}"),
        (b'{"a":[]}', 3, None, 0, b'{"a":[]}'),
        (b"[7]", 3, None, 0, b"[7,70000001,70000002]"),
        (b"[7]", 3, None, 5, b"[7,70000006,70000007]"),
        (b"[7]", 1, None, 0, b"[7]"),
        (b"[0]", 2, None, 0, b"[0,0]"),
        (b'["a"]', 2, None, 0, b'["a","a0000001"]'),
        (b'[{"p":"1.5","n":"x:y"}]', 2, None, 0, b'[{"p":"1.5","n":"x:y"},{"p":"1.50000001","n":"x:y"}]'),
        (b'{"a":[1],"b":[[2,3]]}', 2, None, 0, b'{"a":[1],"b":[[2,3],[20000001,30000001]]}'),
        (b'{"a":[1],"b":[22]}', 2, 0, 0, b'{"a":[1,10000001],"b":[22]}'),
        (b'{"a":[1],"b":[22]}', 2, 1, 0, b'{"a":[1],"b":[22,220000001]}'),
        (b'{"a":[1],"b":[22]}', 2, 2, 0, b'{"a":[1,10000001],"b":[22]}'),
    ],
)
def test_a_list_is_made_longer_with_other_figures_in_each_element(
    frame: bytes, times: int, which: int | None, first: int, made: bytes
) -> None:
    assert longer(frame, times, which, first) == made


# --- garbage


@pytest.mark.parametrize("was_on", [True, False])
@pytest.mark.parametrize("was_frozen", [True, False])
def test_nothing_but_what_is_new_is_looked_through_and_all_is_as_before_afterwards(
    was_on: bool, was_frozen: bool
) -> None:
    on, frozen = gc.isenabled(), gc.get_freeze_count()
    try:
        gc.unfreeze()
        (gc.enable if was_on else gc.disable)()
        if was_frozen:
            gc.freeze()
        with endings._nothing_else_collected():
            assert not gc.isenabled()
            assert gc.get_freeze_count() > 0
            assert len(gc.get_objects()) < 1_000
        assert gc.isenabled() is was_on
        assert (gc.get_freeze_count() > 0) is was_frozen
    finally:
        (gc.enable if on else gc.disable)()
        gc.unfreeze()
        if frozen:
            gc.freeze()


# --- ends


class Stub:
    """A driver that does what a test says, and notes what is done with it."""

    def __init__(self, **given: Any) -> None:
        self.done_calls: list[Any] = []
        self.session: Any = object()
        self.retry_at: float | None = None
        self.ended: Exception | None = None
        self.is_done: Callable[[], bool] = lambda: True
        self.due: Callable[[], float | None] = lambda: None
        self.on_receive: Callable[[], None] = lambda: None
        self.__dict__.update(given)

    def leave(self, now: Now) -> None:
        self.done_calls.append(("leave", now))

    def done(self) -> bool:
        return self.is_done()

    def deadline(self) -> float | None:
        return self.due()

    def tick(self, now: Now) -> None:
        self.done_calls.append(("tick", now))

    def receive(self, frame: bytes, now: Now) -> None:
        self.done_calls.append((frame, now))
        self.on_receive()

    def closed(self, code: int | None, reason: str, now: Now) -> None:
        self.done_calls.append((code, now))


def play_of(driver: Stub) -> Any:
    return SimpleNamespace(driver=driver, take=lambda: driver.done_calls.append("take"))


def left(driver: Stub) -> tuple[list[Any], list[str]]:
    faults: list[str] = []
    endings._left(play_of(driver), SimpleNamespace(fault=faults.append), NOW)  # type: ignore[arg-type]
    return driver.done_calls, faults


def test_who_has_left_at_once_is_closed() -> None:
    assert left(Stub()) == ([("leave", NOW), "take", (1000, NOW)], [])


def test_a_leave_that_nobody_would_wake_is_told() -> None:
    calls, faults = left(Stub(is_done=lambda: False))
    assert calls == [("leave", NOW), "take"]
    assert faults == ["`leave` never ends: `done` is False and `deadline` is None, so nobody would wake it"]


@pytest.mark.parametrize(("due", "ticks"), [(70.0, 100), (70.5, 0)])
def test_a_leave_has_a_minute_and_a_hundred_ticks(due: float, ticks: int) -> None:
    calls, faults = left(Stub(is_done=lambda: False, due=lambda: due))
    assert calls.count("take") == 1 + ticks
    assert faults == [f"`leave` does not end: `done` is False after 60 s, or {ticks} ticks"]


def test_a_connection_of_no_more_use_is_an_end_of_a_leave_too() -> None:
    driver = Stub(is_done=lambda: False, due=lambda: 10.5)
    driver.take = lambda: None  # type: ignore[attr-defined]
    driver.retry_at = 12.0
    assert left(driver) == ([("leave", NOW), "take", ("tick", Now(10.5, 5_500)), "take"], [])


def test_a_deadline_that_is_past_moves_no_clock_back() -> None:
    ended: Iterator[bool] = iter([False, True])
    calls, _ = left(Stub(is_done=lambda: next(ended), due=lambda: 9.0))
    assert calls[2:4] == [("tick", NOW), "take"]


def test_a_connection_that_is_lost_is_lost_without_a_word() -> None:
    driver = Stub()
    endings._lost(play_of(driver), SimpleNamespace(), NOW)  # type: ignore[arg-type]
    assert driver.done_calls == [(1006, NOW), "take"]


def test_each_end_is_tried_a_millisecond_after_each_event(orbit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[Any] = []
    monkeypatch.setattr(endings, "_lost", lambda play, watch, now: ended.append(("lost", now)))
    monkeypatch.setattr(endings, "_left", lambda play, watch, now: ended.append(("left", now)))
    assert endings.faults_when_cut(CASE, orbit.ORBIT) == []
    played = endings.events_of(CASE)
    cuts = [at for at in endings.cuts(played) if at > 1]  # nothing is on before it was opened
    assert ended == [
        (how, Now(played[at - 1].mono + 0.001, played[at - 1].at + 1)) for at in cuts for how in ("lost", "left")
    ]


def test_the_first_end_that_is_wrong_is_told_with_its_place(orbit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "_lost", lambda play, watch, now: watch.fault("lost"))
    monkeypatch.setattr(endings, "_left", lambda play, watch, now: watch.fault("left"))
    assert endings.faults_when_cut(CASE, orbit.ORBIT) == ["after 2 events: lost", "after 2 events: left"]


# --- bad messages


def test_bad_messages_are_frames_cut_short_in_turns_and_deadlines_are_kept() -> None:
    dues = iter([None, 10.05, 10.3, 10.19, *[None] * 500])
    driver = Stub(due=lambda: next(dues))
    endings._feed_bad(play_of(driver), [b"abcdef", b"xyz", b""], NOW)
    frames = [call for call in driver.done_calls if isinstance(call[0], bytes)]
    assert [frame for frame, _ in frames[:4]] == [b"abcd", b"xy", b"", b"abcd"]
    assert len(frames) == endings.BAD_MESSAGES
    assert [now.epoch_ms for _, now in frames[:3]] == [5_050, 5_100, 5_150]
    assert [round(now.mono, 6) for _, now in frames[:3]] == [10.05, 10.1, 10.15]
    ticks = [round(call[1].mono, 6) for call in driver.done_calls if call[0] == "tick"]
    assert ticks == [10.1, 10.2], "those that are due by then"
    assert driver.done_calls.count("take") == endings.BAD_MESSAGES + len(ticks)


@pytest.mark.parametrize("end", [{"retry_at": 11.0}, {"ended": ValueError()}])
def test_a_connection_that_is_given_up_gets_no_more(end: dict[str, Any]) -> None:
    driver = Stub()

    def give_up() -> None:
        driver.__dict__.update(end)

    driver.on_receive = give_up
    endings._feed_bad(play_of(driver), [b"abc"], NOW)
    assert len(driver.done_calls) == 2


# --- what is played


def test_a_recording_is_on_once_it_was_opened_and_until_it_ends(orbit: ModuleType) -> None:
    from venues.recording import Recording
    from venues.testing.playing import Play

    played = endings.events_of(CASE)

    def is_on(*some: events.Event) -> bool:
        return endings._played(Play(orbit.ORBIT, Recording(CASE).header), some)

    assert is_on(*played)
    assert not is_on(played[0])
    assert is_on(*played[:2])
    closed = events.Closed(at=played[-1].at, mono=played[-1].mono, code=1006)
    assert not is_on(*played, closed)


def test_a_long_recording_is_played_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = endings.events_of(CASE)
    monkeypatch.setattr(endings, "MOST_PLAYED", 3)
    assert endings.events_of(CASE) == whole[:3]


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ((0, 100_000, 180_000, 260_000), False),
        ((0, 100_000, 180_000, 260_001), True),
        ((0, 45_000, 90_000, 900_000), False),
        ((5, 45_006, 90_000, 900_005), True),
    ],
)
def test_what_is_kept_of_long_lists_may_grow_so_much(
    kept: tuple[int, ...], told: bool, orbit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter(kept)
    frames: list[tuple[bytes, Now]] = []
    monkeypatch.setattr(endings, "_kept", lambda: next(counts))
    monkeypatch.setattr(Driver, "receive", lambda self, frame, now: frames.append((frame, now)) or [])
    found = endings.faults_of_long_lists(case("book--first"), orbit.ORBIT)
    played = endings.events_of(case("book--first"))
    long = frames[-endings.LONG_LISTS :]
    last = played[-1]
    assert [now for _, now in long] == [
        Now(last.mono + number, last.at + number * 1_000) for number in range(1, endings.LONG_LISTS + 1)
    ]
    rows = [frame.count(b"[") for frame, _ in long]
    assert min(rows) >= endings.ROWS
    assert len({frame for frame, _ in long}) == endings.LONG_LISTS, "another one each time"
    said = (
        f"keeps more with each long list: {' → '.join(f'{one - kept[0]:,}' for one in kept[1:])} objects after 1 to 3 "
        "lists of 45,000 rows; bound what is kept (`refuse_too_many`, `Remembered`, `RowTimes`)"
    )
    assert found == ([said] if told else [])


def test_of_a_connection_that_is_given_up_nothing_is_said_of_long_lists(
    orbit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter([0, 100_000])
    monkeypatch.setattr(endings, "_kept", lambda: next(counts))

    def receive(self: Any, frame: bytes, now: Now) -> Any:
        self.retry_at = 99.0 if len(frame) > 1_000_000 else None
        return []

    monkeypatch.setattr(Driver, "receive", receive)
    assert endings.faults_of_long_lists(case("book--first"), orbit.ORBIT) == []


def test_a_difference_is_told_with_the_event_and_both_sides(orbit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert endings.differences_of_two(CASE, orbit.ORBIT) == []
    opened: list[Any] = []

    def opens(self: Any, now: Now) -> Any:
        opened.append(self)
        return [] if len(opened) == 3 else [orbit.StreamState("trades", "live")]

    monkeypatch.setattr(orbit, "OrbitSession", with_methods(opened=opens)(orbit.OrbitSession))
    (said,) = endings.differences_of_two(CASE, orbit.ORBIT)
    head, alone, turns = said.splitlines()
    assert head.startswith("event 2 gave something else on the ")
    assert head.endswith(" of two routes that were played in turns:")
    assert alone.startswith("  alone:    [")
    assert turns.startswith("  in turns: [")
    assert alone.partition("[")[2] != turns.partition("[")[2]
