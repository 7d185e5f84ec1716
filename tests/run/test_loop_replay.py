"""The loop of a run with recordings: played one after the other, with the time that they have, and made."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from cli.errors import INTERRUPTED
from cli.run.loop import Then
from cli.run.options import existing_file
from cli.run.source import Embedded
from tests.run.dated import end, order, told
from tests.run.looped import BOOK, Taken, book, live, loop_of, opened, script
from tests.run.scripted import Scripted
from tests.run.timeless import run
from venues import venue_named
from venues.errors import MonError, RecordingError
from venues.venue import Now, Subscription

if TYPE_CHECKING:
    from venues.driver import Delivered


# --- a replay

BEGIN = 1_700_118_780_000


def replayed(consumer: Taken, events: list[tuple[float, list[Any]]], *, of: Subscription = BOOK, **given: Any) -> None:
    """Deliver what came at those seconds of a recording, without a pause."""

    async def go() -> None:
        loop, _ = loop_of(consumer, recording=SimpleNamespace(), **given)
        loop.limits.expect(of, "v", None)
        for at, items in events:
            loop._replayed(items, Now(at, BEGIN + round(at * 1000)), 0)
        loop.close()

    run(go())


def test_what_still_waits_comes_at_the_end_of_a_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = Taken()

    async def play(_: Any) -> None:
        deliver = scripted.ran[-1]["deliver_replayed"]
        for number in range(3):
            deliver([book(number)], Now(5.0 + number / 10, BEGIN + 100 * number), 0)

    scripted = Scripted(monkeypatch, play)

    async def go() -> None:
        loop, _ = loop_of(consumer, recording=SimpleNamespace(), every=1_000)
        await opened(loop)
        await loop.watch()

    run(go())
    assert [what for _, _, what in consumer.got] == [book(0), book(2)]


def test_who_judges_by_himself_gets_a_replay_unjudged() -> None:
    """Where nothing depends on the time between two events the consumer asks the judge, and nobody else does."""
    judge: Any = SimpleNamespace(ticks=False, deadline=lambda: None, passes=lambda items: [])
    consumer = Taken()

    async def go() -> None:
        loop, _ = loop_of(consumer, recording=SimpleNamespace())
        loop.limits.judge = judge
        loop._replayed([book(1)], Now(5.0, BEGIN), 0)
        judge.ticks = True
        loop._replayed([book(2)], Now(6.0, BEGIN), 0)

    run(go())
    assert [what for _, _, what in consumer.got] == [book(1)]


def test_what_was_recorded_is_that_of_the_source_that_was_opened_last(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        Scripted(monkeypatch, script(), script(), script())
        loop, _ = loop_of(Taken(), recording=SimpleNamespace())
        for number in range(3):
            await opened(loop)
            source: Any = loop._sources[-1]
            source.played = lambda number=number: [("v", number)]
            assert loop.recorded() == [("v", number)]

    run(go())


class Timed(Taken):
    """Notes when what it gets came: by the recording's clock, and in milliseconds since its beginning."""

    def deliver(self, items: list[Delivered], line: int = 0) -> None:
        at = self.loop.at()
        self.got += [(at.mono, at.epoch_ms - BEGIN, getattr(one, "state", one)) for one in items]


def test_what_the_limits_say_in_a_replay_is_said_at_its_time() -> None:
    consumer = Timed()
    replayed(consumer, [(5.0, [live(), book(1)]), (8.0, [book(2)]), (8.9, [book(3)])], max_age=1_000)
    assert consumer.got == [
        (5.0, 5_000, "live"), (5.0, 5_000, book(1)), (6.0, 6_000, "stale"), (8.0, 8_000, "live"),
        (8.0, 8_000, book(2)), (8.9, 8_900, book(3)),
    ]  # fmt: skip


def test_what_waits_for_a_row_that_goes_passes_when_that_goes_and_then_every_interval() -> None:
    consumer = Timed()
    events: list[tuple[float, list[Any]]] = [
        (5.0, [order("a", 1)]),
        (5.1, [order("a", 2, "snapshot"), order("b", 2, "snapshot"), end(2)]),
        (5.2, [order("a", 3, "remove")]),
        (5.3, [order("b", 4)]),
        (6.1, [order("b", 5)]),
        (6.2, [order("b", 6)]),
    ]
    replayed(consumer, events, of=Subscription("orders"), every=1_000)
    assert [(at, told([what])[0]) for at, _, what in consumer.got] == [
        (5.0, 1), (5.2, 3), (5.2, 2), (5.2, "end 1"), (6.2, 5),
    ]  # fmt: skip
    assert all(epoch == round(at * 1000) for at, epoch, _ in consumer.got)


@pytest.mark.parametrize(("speed", "gone"), [(None, 2.0), (3.0, 6.0), (float("inf"), 2.0)])
def test_the_time_of_a_replay_goes_on_as_fast_as_it_is_played(speed: float | None, gone: float) -> None:
    async def go() -> None:
        loop, _ = loop_of(Taken(), recording=SimpleNamespace(), speed=speed)
        assert loop.at().mono == pytest.approx(1_000, abs=0.01), "nothing has come yet"
        before = loop.now()
        assert before.mono == pytest.approx(1_000, abs=0.01)
        loop._replayed([book(1)], Now(5.0, BEGIN), 0)
        await asyncio.sleep(2)
        now = loop.now()
        assert now.mono == pytest.approx(5.0 + gone, abs=0.001)
        assert now.epoch_ms - BEGIN == pytest.approx(gone * 1000, abs=1)
        assert loop.at() == Now(5.0, BEGIN), "what was delivered came then"

    run(go())


def test_recordings_are_played_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each later one says first what begins, and nothing is said any more of the lines of the ones before."""
    consumer = Taken()
    begun: list[Now] = []

    def begins(now: Now) -> list[tuple[int, list[Any]]]:
        begun.append(now)
        return [(2, [live()])]

    def at(second: float, item: Any) -> Any:
        async def play(_: Any) -> None:
            scripted.ran[-1]["deliver_replayed"]([item], Now(second, BEGIN), 1)

        return play

    scripted = Scripted(monkeypatch, at(5.0, book(1)), at(6.0, book(2)))

    async def go() -> None:
        loop, ending = loop_of(consumer, recording=SimpleNamespace(), max_age=1_000)
        forgotten: list[int] = []
        monkeypatch.setattr(loop.limits, "forget_before", forgotten.append)
        recordings: list[Any] = [SimpleNamespace(), SimpleNamespace()]
        for recording, first_line in zip(recordings, (0, 2), strict=True):
            then = Then(recording, first_line, begins)
            await loop.open(venue_named("kraken"), [BOOK], Embedded(), print, then=then)
        assert [given["recording"] for _, _, given in scripted.opened] == recordings
        await loop.watch()
        assert ending.result() == 0
        assert forgotten == [2]

    run(go())
    assert [(line, what) for _, line, what in consumer.got] == [(1, book(1)), (2, "live"), (3, book(2))]
    assert begun == [Now(5.0, BEGIN)], "at the time at which the one before has ended"


def test_who_plays_at_once_is_not_asked_what_time_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = {}
    for at_once, speed in ((True, float("inf")), (True, 2.0), (False, float("inf"))):
        scripted = Scripted(monkeypatch, script())

        async def go(at_once: bool = at_once, speed: float = speed) -> None:
            loop, _ = loop_of(Taken(), recording=SimpleNamespace(), at_once=at_once, speed=speed)
            await opened(loop)
            await loop.watch()

        run(go())
        pauses[at_once, speed] = scripted.ran[0]["pauses"]
        assert scripted.ran[0]["speed"] == speed
    assert pauses == {(True, float("inf")): False, (True, 2.0): True, (False, float("inf")): True}


# --- a recording that is made


class Broken:
    """A file that cannot be written any more."""

    def flush(self) -> None:
        raise MonError("no space left")

    def close(self) -> None:
        raise RecordingError("no space left")


def test_a_recording_that_cannot_be_written_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    Scripted(monkeypatch, script(book(1), ends=False))
    consumer = Taken()

    async def go() -> None:
        loop, ending = loop_of(consumer)
        await opened(loop)
        loop._recorder = Broken()  # type: ignore[assignment]
        await loop.watch()
        with pytest.raises(MonError, match="no space left"):
            ending.result()
        with pytest.raises(RecordingError, match="no space left"):
            loop.close()

    run(go())
    assert consumer.flushed == [0], "what came is shown nevertheless"


def test_who_has_had_enough_is_told_in_words_what_was_not_written() -> None:
    async def go() -> None:
        loop, ending = loop_of(Taken())
        assert loop.close() is None
        loop._recorder = Broken()  # type: ignore[assignment]
        ending.stop(INTERRUPTED)
        assert loop.close() == "no space left"

    run(go())


@pytest.mark.parametrize("existing", [None, "append", "overwrite"])
def test_what_is_recorded_begins_with_what_is_asked_for(existing: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[Any, ...]] = []

    def recorder(*given: Any) -> Any:
        made.append(given)
        return SimpleNamespace(notice="goes on with r.jsonl")

    monkeypatch.setattr("cli.run.loop.Recorder", recorder)

    async def go() -> None:
        header: Any = "the header"
        given = {} if existing is None else {existing: True}
        loop, _ = loop_of(Taken(), record=Path("r.jsonl"), **given)
        assert loop.record(header) == "goes on with r.jsonl"
        assert made == [(Path("r.jsonl"), header, loop._redactor, existing_file(loop._request))]

    run(go())


def test_what_happens_is_recorded_before_it_is_seen() -> None:
    noted: list[Any] = []

    async def go() -> None:
        loop, _ = loop_of(Taken())
        recorder: Any = SimpleNamespace(write=lambda event: noted.append(("written", event)))
        recorder.flush = lambda: noted.append("flushed")
        loop._recorder = recorder
        loop.tap(lambda event: noted.append(("seen", event)))
        event: Any = "a frame"
        loop._tap(event)
        await asyncio.sleep(0.1)
        assert noted == [("written", event), ("seen", event), "flushed"]

    run(go())


def test_every_event_is_seen_before_it_takes_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    async def frames(deliver: Any) -> None:
        scripted.ran[0]["tap"]("a frame")

    scripted = Scripted(monkeypatch, frames)
    consumer = Taken()

    async def go() -> None:
        loop, _ = loop_of(consumer)
        await opened(loop)
        loop.tap(seen.append)
        await loop.watch()

    run(go())
    assert seen == ["a frame"]
    assert consumer.flushed == [0]


def test_without_the_option_nothing_is_recorded(tmp_path: Path) -> None:
    async def go() -> None:
        header: Any = None
        loop, _ = loop_of(Taken())
        assert loop.record(header) is None
        assert loop.recorded() == []

    run(go())
    assert not [*tmp_path.iterdir()]
