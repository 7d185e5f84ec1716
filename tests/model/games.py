"""Games that are always the same: what comes of them is kept, and compared to the last word.

The model holds what `mon` gives against the truth; so it may only play what a venue says by its document. Here frames
are damaged in any way too, and nothing is judged: every record, status, frame sent, deadline, line read and table drawn
has to be as it was. `python -m tests.model.games` writes `tests/golden/games.txt` anew, where something was changed on
purpose; `python -m tests.model.games kraken:book` prints all of one game, to compare two trees.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from tests.model import hub, markets, mutants, readers
from tests.model.client import AT_ONCE, Client
from tests.model.clock import VirtualClock
from tests.model.damage import damaged
from tests.model.machine import KEYS, MOMENTS, REFUSALS, SIZES
from tests.model.speaker import Sent, Speaker
from tests.model.speakers import SPEAKERS
from venues.venue import HttpResponse

GOLDEN = Path(__file__).parents[1] / "golden" / "games.txt"
STEPS = 400
SHOWN = 12  # lines of a game that the file has; of all of them it has the digest
LONGEST = 160  # characters of a line there
LIMITS = ((None, None), (5_000, None), (None, 1_000))  # --max-age and --every, in milliseconds
_ANSWERS = (HttpResponse(500, b""), HttpResponse(429, b"{}"), HttpResponse(200, b"{"), HttpResponse(404, b"no"))


class Player(Client):
    """A client whose every move is noted."""

    def __init__(self, speaker: Speaker, clock: VirtualClock, note: Callable[..., None], **limits: int | None) -> None:
        self.note = note
        super().__init__(speaker, clock, max_age=limits["max_age"], every=limits["every"])
        nobody: Any = _Nobody()
        self.judge = self.reading = nobody

    def deliver(self, items: list[Any]) -> None:
        for item in items:
            self.note("driver", item)
        super().deliver(items)

    def _consume(self, items: Any) -> None:
        items = list(items)
        if self.limits:
            for item in items:
                self.note("limits", item)
        super()._consume(items)

    def send(self) -> None:
        before = len(self.held)
        super().send()
        for out in self.held[before:]:
            self.note("held", out)

    def read(self) -> None:
        for item in self.queue.take():
            self.note("read", item)

    def draw(self, width: int, height: int) -> None:
        self.screen.table.write(self.screen.queue.take())
        for line in self.screen.table.frame(width, height):
            self.note("drawn", line.plain, line.spans)

    def note_deadlines(self) -> None:
        """What is due next, and by whom."""
        keepalive = self.keepalive and self.keepalive.due()
        self.note("due", self.driver.deadline(), self.driver.retry_at, self.limits.deadline(), keepalive)


class _Nobody:
    """Judges nothing."""

    fold = SimpleNamespace(rows=None, state="")

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


class Game:
    """One speaker, and a user, a network and a machine that do something at each step."""

    def __init__(self, speaker: type[Speaker], limits: tuple[int | None, int | None]) -> None:
        self.lines: list[str] = []
        self._speaker = speaker
        self._limits = dict(zip(("max_age", "every"), limits, strict=True))
        self._random = Random(f"{speaker.venue} {speaker.stream} {limits}")
        self._clock = VirtualClock()
        self._begin()

    def _begin(self) -> None:
        self.speaker = self._speaker(self._clock, self._random)
        heard, fetched = self.speaker.heard, self.speaker.fetched
        self.speaker.heard = lambda text: (self._note("sent", text), heard(text))[1]  # type: ignore[method-assign]
        self.speaker.fetched = lambda request: (self._note("fetch", request), fetched(request))[1]  # type: ignore[method-assign]
        self.client = Player(self.speaker, self._clock, self._note, **self._limits)

    def _note(self, *what: Any) -> None:
        self.lines.append(
            f"{self._clock.mono - 1_000:9.3f} {' '.join(one if isinstance(one, str) else repr(one) for one in what)}"
        )

    def play(self, steps: int) -> list[str]:
        """So many steps; everything that was noted."""
        moves = [move for move, often in MOVES.items() for _ in range(often)]
        for _ in range(steps):
            if self.client.is_over:
                self._begin()
            move = self._random.choice(moves)
            self._note("--", move.__name__)
            move(self)
            self.client.note_deadlines()
        return self.lines

    def _change(self) -> None:
        at_once = self._random.random() < 0.6
        for _ in range(self._random.randint(1, 5)):
            self.client.advance(self._random.choice((0.001, 0.001, 0.05, 0.3)))
            sent = self.speaker.change()
            if self.client.is_open:
                self.client.line.extend(sent)
            if at_once:
                self.client.receive(len(self.client.line))

    def _under_way(self) -> bool:
        if not self.client.line and self.client.is_open and self.client.stalled_at is None:
            self.client.line.extend([*self.speaker.change(), *self.speaker.change()])
        return bool(self.client.line) and self.client.stalled_at is None and self.client.is_open

    def _damage(self) -> None:
        if self._under_way():
            self.client._receive(self._damaged(self.client.line.popleft()), readable=False)
            if self.client.driver.retry_at is not None and self.client.is_open:
                self.client._forget_line()

    def _damaged(self, sent: Sent) -> Sent:
        if sent.answer is not None:
            return sent._replace(answer=(sent.answer[0], self._random.choice(_ANSWERS)))
        return sent if sent.pong is not None or sent.closes else sent._replace(frame=damaged(sent.frame, self._random))

    def _restate(self) -> None:
        if self.client.is_open:
            self.client.line.extend(self.speaker.restate())

    def _lose(self) -> None:
        if self._under_way():
            self.client.line.popleft()

    def _late(self) -> None:
        if self._under_way():
            sent = self.client.line.popleft()
            self.client.line.insert(self._random.randint(0, 3), sent)

    def _repeat(self) -> None:
        if self.client.delivered and self.client.is_open:
            self.client.line.appendleft(self._random.choice(self.client.delivered))

    def _receive(self) -> None:
        self.client.receive(self._random.randint(1, 8))

    def _drop(self) -> None:
        self.client.lose(self._random.choice((None, 1000, 1006, 1011, 1012)), self._random.choice(("", "bye")))

    def _refuse(self) -> None:
        self.client.answers.extend(self._random.choices(REFUSALS, k=self._random.randint(1, 2)))

    def _expire(self) -> None:
        if self.client.is_open:
            self.client.line.extend(self.speaker.expire())

    def _stall(self) -> None:
        self.client.stall()
        self.client.advance(self._random.choice((0.5, 3.0, 12.0)))
        self.client.go_on()

    def _wait(self) -> None:
        self.client.advance(self._random.choice(MOMENTS))

    def _sleep(self) -> None:
        self.client.sleep(self._random.choice((0.5, 7.0, 40.0)))

    def _set_clock(self) -> None:
        self._clock.set_by(self._random.choice((-3_600_000, -1_500, 900, 60_000)))
        self.client.advance(AT_ONCE)

    def _read(self) -> None:
        self.client.reader.slow = self._random.random() < 0.2
        self.client.read()

    def _press(self) -> None:
        self.client.screen.press(self._random.choice(KEYS))

    def _draw(self) -> None:
        self.client.draw(*self._random.choice(SIZES))


MOVES: dict[Callable[[Game], None], int] = {
    Game._change: 40,
    Game._damage: 14,
    Game._restate: 4,
    Game._lose: 3,
    Game._late: 4,
    Game._repeat: 4,
    Game._receive: 10,
    Game._drop: 3,
    Game._refuse: 1,
    Game._expire: 1,
    Game._stall: 2,
    Game._wait: 14,
    Game._sleep: 1,
    Game._set_clock: 1,
    Game._read: 6,
    Game._press: 2,
    Game._draw: 4,
}


def parts() -> dict[str, Callable[[], list[str]]]:
    """Each game by its title."""
    games = {
        f"{speaker.venue}:{speaker.stream}": lambda speaker=speaker, at=at: Game(speaker, LIMITS[at % 3]).play(STEPS)
        for at, speaker in enumerate(SPEAKERS)
    }
    return {**games, **markets.parts(), **readers.parts(), **hub.parts(), **mutants.parts()}


def written(title: str, lines: list[str]) -> str:
    """A part of the file."""
    digest = sha256("\n".join(lines).encode()).hexdigest()
    shown = [f"{line!a}"[1:-1][:LONGEST] for line in lines[:SHOWN]]
    return "\n".join([f"== {title}", *shown, f"{len(lines)} in all, {digest}", ""])


def kept() -> Iterator[tuple[str, str]]:
    """The parts of the file, by title."""
    for part in GOLDEN.read_text("utf-8").split("== ")[1:]:
        yield part.partition("\n")[0], part.strip()


if __name__ == "__main__":
    if sys.argv[1:]:
        print("\n".join(line for title in sys.argv[1:] for line in parts()[title]()))
    else:
        GOLDEN.write_text("\n".join(written(title, made()) for title, made in parts().items()), encoding="utf-8")
