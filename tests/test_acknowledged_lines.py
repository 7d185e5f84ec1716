"""Acknowledged subscriptions through the driver and over several lines: who goes on, and what ends a run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from cli.run import source
from tests import ackvenue
from tests.ackvenue import ACKS
from venues import events
from venues.driver import Driver
from venues.errors import VenueRefused, VenueUnreachable
from venues.made import routes_of
from venues.recording import play
from venues.records import Status, Trade
from venues.toolkit.acknowledgements import RETURNS_WITHIN
from venues.venue import Now, Settings, Subscription


def at(seconds: float) -> Now:
    return Now(1000 + seconds, 1_700_000_000_000 + round(seconds * 1000))


def drivers(*symbols: str, stream: str = "trades") -> list[Driver]:
    made = routes_of(ACKS, [Subscription(stream, symbols)], Settings("ws://v"))
    partly = {stream} if len(made) > 1 else set()
    return [Driver(route, route.subscriptions, venue="acks", partly=partly) for route in made]


def said(**message: Any) -> bytes:
    return json.dumps(message).encode()


def no(symbol: str, why: str = "halted") -> bytes:
    return said(no="trades", symbol=symbol, why=why)


def ack(symbol: str) -> bytes:
    return said(ack="trades", symbol=symbol)


class Line:
    """A driver, and what it delivers; whatever it asks for is refused, but for what was taken."""

    def __init__(self, driver: Driver, *taken: str) -> None:
        self.driver = driver
        self.taken = set(taken)
        self.delivered: list[Any] = []

    def open(self, seconds: float) -> None:
        self.driver.begin({}, 0.0)
        self.delivered += self.driver.opened(at(seconds))
        self.answer(seconds)

    def answer(self, seconds: float) -> None:
        for out in self.driver.take():
            for symbol in json.loads(str(out))["symbols"]:
                answer = ack(symbol) if symbol in self.taken else no(symbol)
                self.delivered += self.driver.receive(answer, at(seconds))

    def until(self, seconds: float) -> None:
        while (due := self.driver.deadline()) is not None and due <= 1000 + seconds:
            self.delivered += self.driver.tick(at(due - 1000))
            self.answer(due - 1000)

    def statuses(self) -> list[tuple[str | None, str]]:
        found = [(one.symbol, one.state) for one in self.delivered if isinstance(one, Status)]
        self.delivered.clear()
        return found


@pytest.mark.parametrize("stream", ["trades", "candles"])
def test_after_ten_minutes_the_symbol_is_closed_and_the_others_go_on(stream: str) -> None:
    line = Line(*drivers("A", "B", "C", stream=stream), "A", "B", "C")
    line.open(0)
    assert line.statuses() == [(None, "syncing"), ("A", "live"), ("B", "live"), ("C", "live")]
    line.driver.closed(None, "", at(10))
    line.statuses()
    line.taken.discard("B")
    line.open(11)
    assert line.statuses() == [(None, "syncing"), ("A", "live"), ("B", "stale"), ("C", "live")]
    line.until(11 + RETURNS_WITHIN - 1)
    assert line.statuses() == []
    line.until(11 + RETURNS_WITHIN)
    (closed,) = [one for one in line.delivered if isinstance(one, Status)]
    assert (closed.symbol, closed.state) == ("B", "closed")
    assert closed.reason is not None
    assert closed.reason.startswith("acks refuses trades of B (halted); given up after 10 min")
    assert line.driver.ended is None
    assert line.driver.receive(said(trade="A", price="1", size="1"), at(700))[-1].symbol == "A"  # type: ignore[union-attr]
    assert line.driver.receive(said(trade="B", price="1", size="1"), at(700)) == []
    line.delivered.clear()
    line.driver.closed(None, "", at(800))
    line.open(801)
    assert not any(symbol == "B" for symbol, _ in line.statuses())


def test_a_line_ends_when_its_last_symbol_is_closed() -> None:
    line = Line(*drivers("A"), "A")
    line.open(0)
    line.taken.clear()
    line.driver.closed(None, "", at(1))
    line.open(2)
    line.until(700)
    assert isinstance(line.driver.ended, VenueRefused)
    assert line.driver.ended.late
    assert line.statuses()[-1] == ("A", "closed")


@pytest.mark.parametrize("stream", ["trades", "candles"])
def test_a_later_run_of_a_recording_knows_no_refusals_of_the_one_before(stream: str) -> None:
    line = Line(*drivers("A", "B", stream=stream), "A", "B")
    line.open(0)
    line.driver.closed(None, "", at(1))
    line.taken.discard("B")
    line.open(2)
    line.until(2 + RETURNS_WITHIN)
    assert line.statuses()[-1] == ("B", "closed")
    line.driver.resumed(at(700))
    line.taken.add("B")
    line.statuses()
    line.open(701)
    assert line.statuses() == [(None, "syncing"), ("A", "live"), ("B", "live")]


def test_what_is_refused_first_in_a_later_run_ends_it_as_it_did() -> None:
    line = Line(*drivers("A", "B"), "A", "B")
    line.open(0)
    line.driver.closed(None, "", at(1))
    line.driver.resumed(at(700))
    line.taken.discard("B")
    line.open(701)
    assert isinstance(line.driver.ended, VenueRefused)
    assert str(line.driver.ended) == "acks refuses trades of B (halted)"


# --- several lines


def refused(*symbols: str, late: bool = False) -> VenueRefused:
    return VenueRefused("x", venue="v", stream="trades", symbols=dict.fromkeys(symbols, "no"), late=late)


async def line_that(after: float, error: Exception | None) -> None:
    await asyncio.sleep(after)
    if error is not None:
        raise error


def ended(*lines: tuple[float, Exception | None]) -> None:
    async def run() -> None:
        tasks = [asyncio.create_task(line_that(*line)) for line in lines]
        try:
            await source.until_ended(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())


def test_what_several_lines_are_refused_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VenueRefused, match=r"^v refuses trades of B, A \(no\)$"):
        ended((0.01, refused("B")), (0.0, refused("A")))
    monkeypatch.setattr(source, "VERDICTS_WITHIN", 0.01)
    with pytest.raises(VenueRefused, match=r"^x$"):
        ended((0.0, refused("A")), (3600, None))


def test_a_line_that_is_refused_later_leaves_the_others_on() -> None:
    with pytest.raises(VenueUnreachable):
        ended((0.0, refused("A", late=True)), (0.01, VenueUnreachable("gone")))
    with pytest.raises(VenueRefused, match=r"^v refuses trades of A, B \(no\)$"):
        ended((0.0, refused("A", late=True)), (0.01, refused("B", late=True)))
    ended((0.0, refused("A", late=True)), (0.0, None))


class Recorded:
    """A recording of two lines, each with a symbol."""

    def __init__(self, *after: tuple[int, float, bytes]) -> None:
        self.after = after

    def events(self) -> Iterator[events.Event]:
        for line in (0, 1):
            yield events.Dialled(**stamp(0, line), url="", draw=0.0)
            yield events.Opened(**stamp(0, line))
        for line, seconds, frame in self.after:
            yield events.Frame(**stamp(seconds, line), direction="in", text=frame.decode())


def stamp(seconds: float, line: int) -> dict[str, Any]:
    now = at(seconds)
    return {"mono": now.mono, "at": now.epoch_ms, "line": line}


def played(monkeypatch: pytest.MonkeyPatch, *after: tuple[int, float, bytes]) -> list[Any]:
    """What is delivered; it is the same without the pauses between two events."""
    monkeypatch.setattr(ackvenue, "MOST", 1)
    (delivered, error), without = (_outcome(after, pauses=pauses) for pauses in (True, False))
    assert (delivered, str(error)) == (without[0], str(without[1]))
    if error is not None:
        raise error
    return delivered


def _outcome(after: tuple[tuple[int, float, bytes], ...], *, pauses: bool) -> tuple[list[Any], VenueRefused | None]:
    delivered: list[Any] = []

    async def deliver(items: list[Any], now: Now, line: int) -> None:
        delivered.extend(items)

    async def sleep(seconds: float) -> None:
        pass

    recording: Any = Recorded(*after)
    made = drivers("A", "B")
    assert len(made) == 2
    try:
        asyncio.run(play(recording, made, speed=1.0, sleep=sleep, deliver=deliver, secrets={}, pauses=pauses))
    except VenueRefused as error:
        return delivered, error
    return delivered, None


def test_a_recording_names_what_all_lines_were_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VenueRefused, match=r"^acks refuses trades of A, B \(halted\)$"):
        played(monkeypatch, (1, 1, no("B")), (0, 2.9, no("A")))
    with pytest.raises(VenueRefused, match=r"^acks refuses trades of B \(halted\)$"):
        played(monkeypatch, (1, 1, no("B")), (0, 3.1, no("A")))


def test_a_recorded_line_that_was_refused_later_leaves_the_others_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("venues.toolkit.acknowledgements.RETURNS_WITHIN", 0.0)
    data = played(
        monkeypatch,
        (0, 1, ack("A")), (1, 1, ack("B")), (0, 2, no("A")), (1, 60, said(trade="B", price="1", size="1")),
    )  # fmt: skip
    assert [item.symbol for item in data if isinstance(item, Trade)] == ["B"]
    with pytest.raises(VenueRefused):
        played(monkeypatch, (0, 1, ack("A")), (1, 1, ack("B")), (0, 2, no("A")), (1, 60, no("B")))
