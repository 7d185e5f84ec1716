"""A recording that is played without pauses delivers what it delivers with them, and waits for whoever wants that."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cli.bot.host import MOST_AT_ONCE, Host
from cli.run.source import _hearing
from tests.bot.recordings import BEGIN, SYMBOL, Tick, came, closed, frame, opened, write
from venues import venue_named
from venues.driver import Driver
from venues.errors import DamagedRecording, MonError
from venues.made import routes_of
from venues.recording import Recording, play
from venues.records import Book, Quote, Status, Trade
from venues.venue import Notice

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from venues.driver import Delivered
    from venues.venue import Now

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*/*.frames.jsonl"))


def drivers_of(recording: Recording) -> list[Driver]:
    return [
        Driver(route, route.subscriptions, venue=one.venue, label="replay")
        for one in recording.header.venues()
        for route in routes_of(venue_named(one.venue), one.asked_for(), one.settings())
    ]


def played(file: Path, *, pauses: bool) -> tuple[list[Any], str]:
    """What is delivered, each with its time and line, and what it ends with."""
    recording = Recording(file)
    secrets = {name: "x" for one in recording.header.venues() for name in venue_named(one.venue).secrets}
    found: list[Any] = []
    now_waits = False

    async def sleep(_seconds: float) -> None:
        assert pauses

    async def wait() -> None:
        nonlocal now_waits
        await asyncio.sleep(0)
        now_waits = False

    def deliver(items: list[Delivered], now: Now, line: int) -> Awaitable[None] | None:
        nonlocal now_waits
        assert not now_waits, "what was asked to be awaited was not"
        found.append((now, line, [*items]))
        if not pauses and len(found) % 3:
            return None
        now_waits = True
        return wait()

    drivers = drivers_of(recording)
    try:
        asyncio.run(
            play(
                recording,
                drivers,
                speed=1.0,
                sleep=sleep,
                deliver=deliver,
                secrets=secrets,
                pauses=pauses,
            )
        )
    except MonError as error:
        return found, f"{type(error).__name__}: {error}"
    assert not any(driver.take() for driver in drivers), "what they send goes nowhere, and does not pile up"
    return found, ""


@pytest.mark.parametrize("file", FIXTURES, ids=lambda file: f"{file.parent.name}-{file.name.partition('.')[0]}")
def test_the_same_is_delivered_without_pauses(file: Path) -> None:
    assert played(file, pauses=False) == played(file, pauses=True)


def trade(at: int, price: str = "5") -> dict[str, Any]:
    return came(at, frame(Tick(at, price, "1")))


@pytest.mark.parametrize(
    ("events", "end"),
    [
        ([trade(BEGIN)], "DamagedRecording"),  # of a connection that was never begun
        ([*opened(BEGIN), trade(BEGIN + 1), {**trade(BEGIN + 2), "line": 1}], "DamagedRecording"),
        ([*opened(BEGIN), {**came(BEGIN, ""), "text": None, "base64": "%"}], "DamagedRecording"),
        ([*opened(BEGIN), {**came(BEGIN, "{}"), "direction": "out"}, trade(BEGIN + 1)], ""),
        ([*opened(BEGIN), trade(BEGIN), closed(BEGIN + 1), *opened(BEGIN + 2), trade(BEGIN + 3)], ""),
        (
            [*opened(BEGIN), came(BEGIN, '{"success": false, "errorMsg": "no"}'), trade(BEGIN + 1)],
            "VenueRefused",
        ),
    ],
)
def test_odd_recordings_end_alike(events: list[dict[str, Any]], end: str, tmp_path: Path) -> None:
    file = write(tmp_path / "odd.jsonl", events)
    found, ends_with = played(file, pauses=False)
    assert (found, ends_with) == played(file, pauses=True)
    assert ends_with.partition(":")[0] == end


def test_after_the_end_of_a_line_a_later_run_begins_anew(tmp_path: Path) -> None:
    refused = [*opened(BEGIN), came(BEGIN, '{"success": false, "errorMsg": "no"}'), trade(BEGIN + 1, "7")]
    file = write(tmp_path / "two.jsonl", refused)
    head = json.loads(file.read_text().partition("\n")[0])
    with file.open("a") as more:
        for event in (head, *opened(BEGIN + 5_000), trade(BEGIN + 5_001, "9")):
            more.write(json.dumps(event) + "\n")
    found, end = played(file, pauses=False)
    assert (found, end) == played(file, pauses=True)
    prices = [item.price for _, _, items in found for item in items if isinstance(item, Trade)]
    assert [str(price) for price in prices] == ["9"]


def test_a_recording_that_brings_nothing_lets_others_in() -> None:
    """Ctrl-C, say: a recording may have millions of frames of streams that a bot does not want."""
    host: Any = object.__new__(Host)
    host._pipelined = 0
    waits = [host.played(0) for _ in range(MOST_AT_ONCE)]
    assert [one is None for one in waits] == [True] * (MOST_AT_ONCE - 1) + [False]
    waits[-1].close()


def test_of_a_line_all_is_heard_that_is_of_a_wanted_stream_or_of_none() -> None:
    quote = Quote(venue="nexus", symbol=SYMBOL, received=1)
    book = Book(venue="nexus", symbol=SYMBOL, received=1, bids=[], asks=[])
    states = [Status(venue="nexus", received=1, stream=stream, state="live") for stream in ("quotes", "book", "quotes")]
    items = [quote, states[0], book, states[1], quote, book, states[2], Notice("said")]
    heard = [quote, states[0], quote, states[2], items[-1]]
    hear = _hearing({"quotes": True, "book": False})
    for _ in range(2):
        assert hear([*items]) == heard
    assert _hearing({"quotes": True, "book": True})([*items]) == items
    assert _hearing({"quotes": False, "book": False})([*items]) == _hearing({})([*items]) == []


def test_damage_is_raised_behind_what_came_before(tmp_path: Path) -> None:
    file = write(tmp_path / "cut.jsonl", [*opened(BEGIN), trade(BEGIN)])
    with file.open("a") as more:
        more.write('{"kind": "frame"')
    found, end = played(file, pauses=False)
    assert (len(found), end.partition(":")[0]) == (2, DamagedRecording.__name__)
