"""The rules of the game: what a venue, a network, a machine and a user may do, in any order."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.model.client import AT_ONCE, Client
from tests.model.clock import VirtualClock
from tests.model.speaker import Speaker

SEEDS = st.integers(0, 2**16)
FEW = st.integers(1, 6)
REFUSALS = (0, 429, 500, 503, 403)
KEYS = ("space", "space", "?", "?", "s", "S", "+", "-", "esc", "redraw")
SIZES = ((90, 24), (90, 40), (80, 12), (40, 8), (24, 6), (10, 3))
MOMENTS = (0.001, 0.02, 0.3, 1.0, 1.6, 2.5, 5.5, 11.0, 35.0, 90.0)


@dataclass
class Tally:
    """What a run of the machine of one speaker came to."""

    examples: int = 0
    steps: int = 0
    messages: int = 0
    seconds: float = 0.0
    records: int = 0
    lives: int = 0
    drawn: int = 0


class Machine(RuleBasedStateMachine):
    """One speaker and one client. A subclass says who speaks."""

    speaker_class: ClassVar[type[Speaker]]
    tally: ClassVar[Tally]

    def __init__(self) -> None:
        super().__init__()
        self.random = Random(0)
        self.clock = VirtualClock()
        self.began = self.clock.mono
        self.client: Client | None = None
        self.clock_was_set = False
        self.counted = False

    @initialize(seed=SEEDS, max_age=st.sampled_from((None, None, 5_000)))
    def begin(self, seed: int, max_age: int | None) -> None:
        """mon is started."""
        self.random.seed(seed)
        self.max_age = max_age
        self._start()

    def _start(self) -> None:
        self._count()
        self.speaker = self.speaker_class(self.clock, self.random)
        self.client = Client(self.speaker, self.clock, max_age=self.max_age)
        self.tally.examples += 1

    def _count(self) -> None:
        if self.client is not None:
            self.tally.records += self.client.judge.checked + self.client.reading.checked
            self.tally.drawn += self.client.screen.drawn
            self.tally.lives += self.client.judge.lives

    @property
    def on(self) -> Client:
        """The client; one whose line has ended for good is started anew, as a user would."""
        assert self.client is not None
        self.tally.steps += 1
        if self.client.is_over:
            self.client.heal()
            self._start()
        return self.client

    def _can(self, what: str) -> bool:
        return self.client is not None and what in self.speaker.can

    def _next_is_data(self) -> bool:
        client = self.client
        return client is not None and client.stalled_at is None and bool(client.line) and client.line[0].is_data

    # --- the venue

    @rule(count=FEW, seed=SEEDS, at_once=st.booleans())
    def change(self, count: int, seed: int, *, at_once: bool) -> None:
        """Things happen at the venue; `at_once`: what it tells arrives before the next of them happens."""
        client = self.on
        self.random.seed(seed)
        if at_once:
            client.advance(2 * AT_ONCE)
        for _ in range(count):
            client.advance(0.001)
            sent = self.speaker.change()
            self.tally.messages += len(sent)
            if client.is_open:
                client.line.extend(sent)
            if at_once:
                client.receive(len(client.line))

    @rule(count=FEW, seed=SEEDS)
    def trade(self, count: int, seed: int) -> None:
        """More of the same: most of what happens is ordinary."""
        self.change(count, seed, at_once=True)

    @rule(count=FEW, seed=SEEDS)
    def trade_on(self, count: int, seed: int) -> None:
        """… and it is on its way while something else happens."""
        self.change(count, seed, at_once=False)

    @precondition(lambda self: self._can("restate"))
    @rule(seed=SEEDS)
    def restate(self, seed: int) -> None:
        """The venue sends a whole state that nobody asked for."""
        client = self.on
        self.random.seed(seed)
        client.advance(0.001)
        if client.is_open:
            client.line.extend(self.speaker.restate())

    @rule()
    def expire(self) -> None:
        """The venue ends the session."""
        client = self.on
        if client.is_open:
            client.line.extend(self.speaker.expire())

    @rule(statuses=st.lists(st.sampled_from(REFUSALS), min_size=1, max_size=3))
    def refuse(self, statuses: list[int]) -> None:
        """The venue does not let us in the next times."""
        self.on.answers.extend(statuses)

    # --- the network

    @rule(count=st.integers(1, 12))
    def receive(self, count: int) -> None:
        """Messages arrive."""
        self.on.receive(count)

    def _under_way(self, seed: int) -> Client | None:
        """The client, with data of the venue's next on the line; None where that cannot be."""
        client = self.on
        self.random.seed(seed)
        if not self._next_is_data() and client.stalled_at is None:
            client.advance(2 * AT_ONCE)
            client.receive(len(client.line))
            if client.is_open:
                client.line.extend([*self.speaker.change(), *self.speaker.change(), *self.speaker.change()])
        return client if self._next_is_data() else None

    @precondition(lambda self: self._can("lose"))
    @rule(seed=SEEDS)
    def lose(self, seed: int) -> None:
        """The next message never arrives."""
        if (client := self._under_way(seed)) is not None:
            client.line.popleft()

    @precondition(lambda self: self._can("late"))
    @rule(behind=st.integers(1, 4), seed=SEEDS)
    def late(self, behind: int, seed: int) -> None:
        """The next message arrives behind others; never behind the end of the connection."""
        client = self._under_way(seed)
        if client is None or (client.line[0].full and not self._can("late whole")):
            return
        versions = [sent.version for sent in client.line if sent.version is not None]
        if self.speaker.gives_in and versions != sorted(versions):
            return
        place = min(behind, next((n for n, one in enumerate(client.line) if not one.is_data), len(client.line)) - 1)
        sent = client.line.popleft()
        client.line.insert(place, sent)

    @precondition(lambda self: self._can("repeat"))
    @rule(back=st.integers(1, 8))
    def repeat(self, back: int) -> None:
        """A message that has arrived comes again; an older one only where its lateness can be told."""
        client = self.on
        if client.delivered and client.is_open:
            # Where our clock was set, times far ahead of it prove nothing, and it may have caught up with them by now.
            by_time = "late" in self.speaker.can and not self.speaker.gives_in and not self.clock_was_set
            is_told = self.speaker.ids or by_time
            oldest = len(client.delivered) if is_told else 1
            back = min(back, oldest)
            if back > 1 and client.delivered[-back].full and not self._can("late whole"):
                back = 1
            client.line.appendleft(client.delivered[-back])

    @precondition(lambda self: self._can("garble"))
    @rule(seed=SEEDS)
    def garble(self, seed: int) -> None:
        """The next message cannot be read."""
        if (client := self._under_way(seed)) is not None:
            client.receive_garbled()

    @rule(code=st.sampled_from((None, 1000, 1006, 1011, 1012)))
    def drop(self, code: int | None) -> None:
        """The connection is gone."""
        self.on.lose(code)

    @rule()
    def stall(self) -> None:
        """Nothing goes over the line any more, and nobody says so."""
        self.on.stall()

    @rule(seconds=st.sampled_from((6.0, 12.0, 35.0)))
    def black_hole(self, seconds: float) -> None:
        """… and it stays like that for longer than any line may be silent, while the venue goes on."""
        self.change(2, 0, at_once=True)
        self.on.stall()
        self.wait(seconds)

    @rule()
    def resume(self) -> None:
        """The line works again."""
        self.on.go_on()

    # --- the machine

    @rule(seconds=st.sampled_from(MOMENTS))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.on.advance(seconds)
        self.tally.seconds += seconds

    @rule(minutes=st.sampled_from((3, 3, 3, 11, 61)))
    def wait_long(self, minutes: int) -> None:
        """An hour passes, or some minutes."""
        self.on.advance(minutes * 60.0)
        self.tally.seconds += minutes * 60.0

    @rule(seconds=st.sampled_from((0.5, 3.0, 7.0, 40.0, 3_600.0)))
    def stop(self, seconds: float) -> None:
        """This process is stopped, and goes on."""
        self.on.sleep(seconds)
        self.tally.seconds += seconds

    @rule(ms=st.sampled_from((-7_200_000, -3_600_000, -60_000, -1_500, 900, 2_500, 60_000, 3_600_000)))
    def set_clock(self, ms: int) -> None:
        """Our wall clock is set."""
        if not self.on.is_over and self.speaker.clock_may_step:
            self.clock.set_by(ms)
            self.clock_was_set = True

    # --- the reader

    @rule()
    def read(self) -> None:
        """The reader reads what is handed over."""
        self.on.read()

    @rule(slow=st.booleans(), room=st.sampled_from((1, 2, 1_000)))
    def reader(self, slow: bool, room: int) -> None:
        """The reader becomes slow, or quick again."""
        reader = self.on.reader
        reader.slow, reader.room = slow, room

    @rule(key=st.sampled_from(KEYS))
    def press(self, key: str) -> None:
        """The user presses a key."""
        self.on.screen.press(key)

    @rule(size=st.sampled_from(SIZES))
    def draw(self, size: tuple[int, int]) -> None:
        """The table is drawn, in whatever size the terminal has by now."""
        self.on.draw(*size)

    def teardown(self) -> None:
        """At the end all is well, and everything is as at the venue."""
        if self.client is not None and not self.client.is_broken:
            self.client.heal()
            self._count()


def machine_of(speaker: type[Speaker]) -> type[Machine]:
    """The machine of a speaker, with a tally of its own."""
    name = f"{speaker.__name__}Machine"
    fields: dict[str, Any] = {"speaker_class": speaker, "tally": Tally(), "__module__": __name__}
    return type(name, (Machine,), fields)
