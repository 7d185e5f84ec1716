"""Whatever comes, no session raises: every recording, mutated, through driver and session, with another seed each run.

`MON_FUZZ_SEED` repeats a run, `MON_FUZZ_SECONDS` lengthens it.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recorded import ENCODER, FOLDER, cases
from venues import events, venue_named
from venues.driver import Driver
from venues.errors import MonError
from venues.made import routes_of
from venues.recording import Recording
from venues.records import Record, Status
from venues.venue import Command, HttpResponse, Now

SECONDS = float(os.environ.get("MON_FUZZ_SECONDS", "5"))
SCALAR = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null')
STRANGE = [
    *(b"null", b"true", b"false", b'""', b'"x"', b'"0"', b'"-1"', b"0", b"-1", b"1", b"1.5", b"1e400", b"-0.0"),
    *(b"[]", b"{}", b"[[]]", b'[{"a":[]}]', b"NaN", b"9" * 60, b'"' + b"9" * 60 + b'"', b"99999999999999", b"1e-400"),
    *(b'"\\ud83d"', b'"\xe2\x80\xae\x1b[2J"', b'"NaN"', b'"Infinity"', b'"1e999999999"', b"1795876058737000"),
]
LOOSE = [
    *(b"", b"{}", b"[]", b"null", b"\x1e", b"{}\x1e", b'{"type":6}\x1e', b'{"type":7}\x1e', b"\xff\xfe", b"2", b"3"),
    *(b'{"type":7,"allowReconnect":true}\x1e', b'{"type":3,"invocationId":"0"}\x1e', b"40", b'40{"sid":"a"}', b"41"),
    *(b'{"type":3,"invocationId":"0","error":"x"}\x1e', b'44"no"', b'42["error","x"]', b'42["orderbook"]', b"451-"),
    *(b'42["orderbook",{}]', b'42["kline",null]', b'4212["positions",[]]', b'43["x"]', b'430["x"]', b"1", b"6", b"9"),
    *(b'0{"sid":"a","pingInterval":1000,"pingTimeout":500}', b'{"success":false}', b'{"event":"ping"}', b"x" * 999),
]


class Player:
    """Plays mutated events as a connection would: in an order that can happen, whatever comes."""

    def __init__(self, case: Path, chance: random.Random) -> None:
        recording = Recording(case)
        self.events = list(recording.events())
        header = recording.header
        venue = venue_named(header.venue)
        subscriptions = header.asked_for()
        (line,) = routes_of(venue, subscriptions, header.settings())
        self.driver = Driver(line, subscriptions, venue=venue.name, apart=chance.random() < 0.3)
        self.secrets = {name: f"[{name}]" for name in venue.secrets}
        self.chance = chance
        self.spoiling = chance.choice([0.1, 0.3, 0.7])
        self.mono = self.events[0].mono
        self.ahead = self.events[0].at - self.events[0].mono * 1000
        self.encode = ENCODER.encode

    def now(self) -> Now:
        return Now(self.mono, int(self.mono * 1000 + self.ahead))

    def connect(self) -> None:
        opening = self.driver.begin(self.secrets, self.chance.random()).opening()
        with contextlib.suppress(StopIteration, MonError):
            next(opening)
            while True:
                opening.send(HttpResponse(200, b'{"connectionToken":"t","negotiateVersion":1}'))
        if self.chance.random() < 0.05:
            self.take(self.driver.answered(self.chance.choice([200, 302, 401, 403, 404, 503]), "", None, self.now()))
        else:
            self.take(self.driver.opened(self.now()))

    def take(self, items: list[object]) -> None:
        for item in items:
            assert isinstance(item, object)
            if isinstance(item, Record):
                self.encode(item)
            if isinstance(item, Status):
                assert "a fault of mon itself" not in (item.reason or ""), item.reason
        self.driver.take()
        self.driver.deadline()

    def must_say_that_it_is_stirred(self, before: float | None, after: float | None) -> None:
        """Else nobody would send what it wants sent, or wake it in time."""
        if not self.driver.stirred:
            assert self.driver.take() == []
            assert after is None or (before is not None and after >= before)

    def play(self) -> None:
        self.connect()
        for event in self.mutated():
            while self.driver.ended is None and self.driver.retry_at is not None:
                self.mono = max(self.mono, self.driver.retry_at)
                self.connect()
            if self.driver.ended is not None:
                return
            self.feed(event)

    def feed(self, event: events.Event) -> None:
        driver, chance = self.driver, self.chance
        self.mono += chance.choice([0.0, 0.0, 0.001, 0.1, 1.0])
        due = driver.deadline()
        if due is not None and (due <= self.mono or chance.random() < 0.1):
            self.mono = max(self.mono, due)
            arriving = self.mono - chance.random() if chance.random() < 0.3 else None
            self.take(driver.tick(Now(self.mono, self.now().epoch_ms, heard=self.mono - 1, arriving=arriving)))
        elif isinstance(event, events.Ponged) or chance.random() < 0.05:
            self.take(driver.pong(self.now()))
        elif isinstance(event, events.Frame):
            delivered = driver.receive(self.spoilt(event.data()), self.now())
            self.must_say_that_it_is_stirred(due, driver.deadline())
            self.take(delivered)
        elif chance.random() < 0.02:
            with contextlib.suppress(MonError):
                driver.send(Command("buy_signal", {"pair": "BTCUSDT"}))
            driver.take()
        elif isinstance(event, events.Closed) or chance.random() < 0.02:
            code = chance.choice([None, 1000, 1006, 1008, 4000])
            self.take(driver.closed(code, chance.choice(["", "unauthorized"]), self.now()))

    def mutated(self) -> Iterator[events.Event]:
        chance = self.chance
        mutated = [
            event
            for event in self.events
            if isinstance(event, events.Ponged | events.Ticked | events.Closed)
            or (isinstance(event, events.Frame) and event.direction == "in")
        ]
        for _ in range(chance.randrange(12)):
            if not mutated:
                break
            at, other = chance.randrange(len(mutated)), chance.randrange(len(mutated))
            match chance.randrange(4):
                case 0:
                    mutated[at], mutated[other] = mutated[other], mutated[at]
                case 1:
                    mutated.insert(at, mutated[other])
                case 2:
                    del mutated[at]
                case 3:
                    mutated[at:] = [*mutated[at:], *mutated[at:]]
        return iter(mutated[:400])

    def spoilt(self, frame: bytes) -> bytes:
        chance = self.chance
        if chance.random() > self.spoiling:
            return frame
        match chance.randrange(8):
            case 0:
                return frame[: chance.randrange(len(frame) + 1)]
            case 1 if frame:
                at = chance.randrange(len(frame))
                return frame[:at] + bytes([chance.randrange(256)]) + frame[at + 1 :]
            case 2 | 3 | 4 | 5:
                return self.with_another_value(frame)
            case 6:
                return chance.choice(LOOSE)
            case 7:
                return frame + chance.choice(LOOSE)
        return frame

    def with_another_value(self, frame: bytes) -> bytes:
        values = list(SCALAR.finditer(frame))
        if not values:
            return frame
        value = self.chance.choice(values)
        return frame[: value.start()] + self.chance.choice(STRANGE) + frame[value.end() :]


def test_no_session_raises_whatever_comes() -> None:
    seed = int(os.environ.get("MON_FUZZ_SEED") or random.SystemRandom().getrandbits(32))
    print(f"MON_FUZZ_SEED={seed}")
    chance = random.Random(seed)
    until = time.monotonic() + SECONDS
    files = [case for case in cases() if playable(case)]
    rounds = 0
    while rounds < len(files) or time.monotonic() < until:
        case = files[rounds % len(files)]
        try:
            Player(case, chance).play()
        except Exception as error:
            pytest.fail(f"{case.relative_to(FOLDER)}, round {rounds}, MON_FUZZ_SEED={seed}: {error!r}")
        rounds += 1
    print(f"{rounds} rounds")


def playable(case: Path) -> bool:
    """Made by hand for one line each."""
    return bool(list(Recording(case).events()))
