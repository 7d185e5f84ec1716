"""Plays recordings as they never happened: frames spoilt, events left out, doubled and exchanged, in an order that can
be. What is drawn depends on the seed alone.
"""

from __future__ import annotations

import contextlib
import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from venues import events
from venues.errors import MonError
from venues.recording import Recording
from venues.testing.playing import Play
from venues.testing.watching import Watch
from venues.venue import Command, Fetch, HttpResponse, NoResponse, Now

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

    from venues.venue import Venue

MOST_EVENTS = 400  # of one play
LONGEST_PAUSE = 3600.0  # seconds that are skipped to a deadline
TICKS_AT_ONCE = 100  # at one moment; more make no progress
# What is drawn from: the share of frames that a play spoils, seconds between two events, what a venue may say.
_SPOILING = (0.1, 0.3, 0.7)
_PAUSES = (0.0, 0.0, 0.001, 0.1, 1.0)
_REFUSALS = (200, 302, 401, 403, 404, 503)
_CODES = (None, 1000, 1006, 1008, 4000)
_REASONS = ("", "unauthorized")
_STATUSES = (200, 200, 200, 302, 404, 429, 500)
_RETRIES_AFTER = (None, None, 0.5, 1e9)
_TIMES_AS_LONG = (2, 20, 200)
_SCALAR = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null')
_LIST = re.compile(rb"\[[^\[\]]*\]|\[(?:[^\[\]]|\[[^\[\]]*\])*\]")
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
    *(b"[" * 20_000, b'{"a":' * 20_000, b'"' + b"x" * 5_000 + b'"', b"[" + b"0," * 5_000 + b"0]"),
]


class MutatedPlay:
    """Plays one recording, mutated, as a connection would; it has an event. What is wrong is in `watch.faults`."""

    def __init__(self, case: Path, venue: Venue, chance: random.Random) -> None:
        recording = Recording(case)
        header = recording.header
        self.events = list(recording.events())
        self.watch = Watch(venue, header.asked_for())
        self._chance = chance
        self.play = Play(venue, header, watch=self.watch, apart=self._happens(0.3))
        self.driver = self.play.driver
        self._venue = venue
        self._spoiling = chance.choice(_SPOILING)
        first = self.events[0]
        self._mono = first.mono
        self._ahead = first.at - first.mono * 1000
        self._asked_for: list[str] = []  # ids of HTTP requests without an answer
        self._bodies = [e.body.encode() for e in self.events if isinstance(e, events.Requested)]
        self._bodies += [e.data() for e in self.events if isinstance(e, events.Fetched)]
        self._bodies = self._bodies or [e.data() for e in self.events if isinstance(e, events.Frame)]

    def run(self) -> list[str]:
        """Plays it to its end or to the first fault; returns the faults."""
        with self.watch.noting():
            self._connect()
            for event in self._mutated():
                while self.driver.ended is None and self.driver.retry_at is not None:
                    self._mono = max(self._mono, self.driver.retry_at)
                    self._connect()
                if self.driver.ended is not None or self.watch.faults:
                    break
                self._feed(event)
        return self.watch.faults

    def _happens(self, share: float) -> bool:
        """Whether what happens so often does so now."""
        return self._chance.random() < share

    def _now(self) -> Now:
        return Now(self._mono, int(self._mono * 1000 + self._ahead))

    def _connect(self) -> None:
        self._asked_for.clear()
        self.play.begin(self._chance.random())
        while self.play.answer(HttpResponse(200, self._body())):
            pass
        if self._happens(0.05):
            status = self._chance.choice(_REFUSALS)
            self.driver.answered(status, "", None, self._now())
        else:
            self.driver.opened(self._now())
        self._take()

    def _body(self) -> bytes:
        if self._bodies and self._happens(0.7):
            return self._spoilt(self._chance.choice(self._bodies))
        return b'{"connectionToken":"t","negotiateVersion":1}'

    def _take(self) -> None:
        self._asked_for += [out.id for out in self.play.take() if isinstance(out, Fetch)]
        self.driver.deadline()

    def _must_say_that_it_is_stirred(self, before: float | None) -> None:
        """Else nobody would send what it wants sent, or wake it in time."""
        if self.driver.stirred:
            return
        if self.driver.take():
            self.watch.fault("`receive` left a frame to send while `stirred` is False, so nobody would take it")
        after = self.driver.deadline()
        if after is not None and (before is None or after < before):
            self.watch.fault("`receive` made the deadline earlier while `stirred` is False, so nobody would ask for it")

    def _feed(self, event: events.Event) -> None:
        driver, chance = self.driver, self._chance
        self._mono += chance.choice(_PAUSES)
        due = driver.deadline()
        if due is not None and (due <= self._mono or (self._happens(0.1) and due - self._mono < LONGEST_PAUSE)):
            self._mono = max(self._mono, due)
            self._tick()
        elif self._asked_for and (isinstance(event, events.Fetched | events.NotFetched) or self._happens(0.2)):
            self._fetched()
        elif isinstance(event, events.Ponged) or self._happens(0.05):
            driver.pong(self._now())
        elif isinstance(event, events.Frame):
            driver.receive(self._spoilt(event.data()), self._now())
            self._must_say_that_it_is_stirred(due)
        elif self._happens(0.02):
            self._command()
        elif self._happens(0.02):  # an answer to nothing that was asked for
            self._asked_for.append("unknown")
            self._fetched()
        elif isinstance(event, events.Closed) or self._happens(0.02):
            driver.closed(chance.choice(_CODES), chance.choice(_REASONS), self._now())
        self._take()

    def _tick(self) -> None:
        """Wakes the session; without bytes on their way it must have done by then whatever was due."""
        now = self._now()
        if self._happens(0.3):
            arriving = self._mono - self._chance.random()
            self.driver.tick(Now(now.mono, now.epoch_ms, heard=now.mono - 1, arriving=arriving))
            return
        for _ in range(TICKS_AT_ONCE):
            self.driver.tick(Now(now.mono, now.epoch_ms, heard=now.mono - 1))
            due = self.driver.deadline()
            if due is None or due > now.mono:
                return
        self.watch.fault(f"`tick` makes no progress: after {TICKS_AT_ONCE} calls `deadline` is still in the past")

    def _fetched(self) -> None:
        chance = self._chance
        asked = self._asked_for.pop(chance.randrange(len(self._asked_for)))
        status, after = chance.choice(_STATUSES), chance.choice(_RETRIES_AFTER)
        answer: HttpResponse | NoResponse = HttpResponse(status, self._body(), after)
        if self._happens(0.2):
            answer = NoResponse("no answer within 10 s")
        self.driver.fetched(asked, answer, self._now())

    def _command(self) -> None:
        kinds = self._venue.commands.kinds if self._venue.commands is not None else {}
        name = self._chance.choice([kind.name for kind in kinds.values()]) if kinds else "unknown"
        with contextlib.suppress(MonError):
            self.driver.send(Command(name, {"pair": "BTCUSDT"}))

    def _mutated(self) -> Iterator[events.Event]:
        chance = self._chance
        mutated = [
            event
            for event in self.events
            if isinstance(event, events.Ponged | events.Ticked | events.Closed | events.Fetched | events.NotFetched)
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
        return iter(mutated[:MOST_EVENTS])

    def _spoilt(self, frame: bytes) -> bytes:
        chance = self._chance
        if not self._happens(self._spoiling):
            return frame
        match chance.randrange(9):
            case 0:
                return frame[: chance.randrange(len(frame) + 1)]
            case 1 if frame:
                at = chance.randrange(len(frame))
                return frame[:at] + bytes([chance.randrange(256)]) + frame[at + 1 :]
            case 2 | 3 | 4 | 5:
                return self._with_another_value(frame)
            case 6:
                return chance.choice(LOOSE)
            case 7:
                return frame + chance.choice(LOOSE)
            case 8:
                return longer(frame, chance.choice(_TIMES_AS_LONG), chance.randrange(8))
        return frame

    def _with_another_value(self, frame: bytes) -> bytes:
        values = list(_SCALAR.finditer(frame))
        if not values:
            return frame
        value = self._chance.choice(values)
        return frame[: value.start()] + self._chance.choice(STRANGE) + frame[value.end() :]


def rows_of_the_longest(frame: bytes) -> int:
    """How many rows the list has that `longer` chooses; 1 where nothing in it is one."""
    longest = max((found[0] for found in _LIST.finditer(frame)), key=len, default=b"[]")
    with contextlib.suppress(ValueError):
        return max(1, sum(isinstance(element, dict | list) for element in json.loads(longest)))
    return 1


def longer(frame: bytes, times: int, which: int | None = None, first: int = 0) -> bytes:
    """The frame with one of its lists, the longest unless `which` chooses, that many times as long.

    Each repeated element gets other figures: numbers from `first` on are put behind its own.
    """
    lists = [found for found in _LIST.finditer(frame) if len(found[0]) > 2]
    if not lists:
        return frame
    found = max(lists, key=lambda one: len(one[0])) if which is None else lists[which % len(lists)]
    inner = found[0][1:-1]
    # A number at the end of each figure and text of the element, so that none is like another.
    ends = [0, *(value.end("value") for value in _VALUE.finditer(inner)), len(inner)]
    pieces = [inner[start:end] for start, end in pairwise(ends)]
    elements = [inner, *((b"%07d" % (first + number)).join(pieces) for number in range(1, times))]
    return b"%b[%b]%b" % (frame[: found.start()], b",".join(elements), frame[found.end() :])


# A figure other than 0, or a text without a time, up to its end: not the name of a field.
_VALUE = re.compile(rb'(?:[:,\[]\s*|^)(?P<value>"[^"\\:]*(?="\s*(?:[,\]}]|$))|-?[1-9]\d*(?:\.\d+)?(?=\s*(?:[,\]}]|$)))')
