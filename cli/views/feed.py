"""`mon feed`: one row a topic with its latest data, how many messages it had, and how old it is."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.text import Text

from cli.output import cells
from cli.output.payload import cut, line_of
from cli.output.queues import MOST_EVENTS, MOST_STATUSES
from cli.output.weights import HEAVIEST, weight
from cli.screen.grid import GAP, Column, fit_line, lay_out
from cli.views.rows import Scroll, age_column, text_column
from venues.records import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.screen.look import Look

MOST_TOPICS = 10_000
LEAST_DATA = 12  # cells
LEAST_TOPIC = 12
INTERRUPTED = "interrupted: messages may have been missed, and are in no count"


class Numbered(Message, frozen=True, kw_only=True, tag="message"):
    """A message and how many its topic has had, this one included. `others`: of all topics beyond `MOST_TOPICS`."""

    number: int
    others: bool = False

    @property
    def row(self) -> str | None:
        """The key of its row: its topic, or None for the row of all others."""
        return None if self.others else self.topic


class LatestOfTopics:
    """Keeps records for the table, of a long backlog the latest of each topic; counts all before any is left out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str | None, int] = {}
        self._waiting: list[Any] = []
        self._weight = 0

    def put(self, records: Sequence[Any]) -> None:
        """Append records; when there are too many, keep the latest of each topic."""
        with self._lock:
            for record in records:
                self._waiting.append(self._numbered(record) if isinstance(record, Message) else record)
            self._weight += sum(map(weight, records))
            if len(self._waiting) > MOST_EVENTS or self._weight > HEAVIEST:
                self._keep_the_latest()

    def take(self) -> list[Any]:
        """All records that wait, oldest first; takes them out."""
        with self._lock:
            waiting, self._waiting, self._weight = self._waiting, [], 0
            return waiting

    def waiting(self) -> int:
        """How many records wait to be taken."""
        return len(self._waiting)

    def _numbered(self, message: Message) -> Numbered:
        if isinstance(message, Numbered):  # another queue has numbered it before
            return message
        topic: str | None = message.topic
        if topic not in self._counts and len(self._counts) >= MOST_TOPICS:
            topic = None
        number = self._counts[topic] = self._counts.get(topic, 0) + 1
        fields = {name: getattr(message, name) for name in Message.__struct_fields__}
        return Numbered(**fields, number=number, others=topic is None)

    def _keep_the_latest(self) -> None:
        kept: list[Any] = []
        seen: set[str | None] = set()
        statuses = 0
        for record in reversed(self._waiting):
            if isinstance(record, Numbered):
                if record.row not in seen:
                    seen.add(record.row)
                    kept.append(record)
            elif (statuses := statuses + 1) <= MOST_STATUSES:
                kept.append(record)
        kept.reverse()
        self._waiting, self._weight = kept, 0


class FeedView:
    """Topics in order of appearance. After an interruption those that have had nothing since are dimmed."""

    keys: Sequence[tuple[str, str]] = (Scroll.keys,)

    def __init__(self, look: Look) -> None:
        self._look = look
        self._scroll = Scroll()
        self._rows: dict[str | None, Numbered] = {}
        self._fresh: set[str | None] = set()
        self._interrupted = False

    def add(self, record: Numbered) -> None:
        """Take in a message, which replaces the row of its topic."""
        self._rows[record.row] = record
        self._fresh.add(record.row)

    def full(self, count: int) -> None:
        """Do nothing: events have no full state."""

    def start_over(self) -> None:
        """Note that messages may have been missed here."""
        self._interrupted = bool(self._rows)
        self._fresh.clear()

    def aside(self) -> LatestOfTopics:
        """A queue that keeps messages while the table is frozen."""
        return LatestOfTopics()

    def press(self, key: str) -> bool:
        """Scroll; whether that moves what is shown."""
        return self._scroll.press(key)

    def until(self) -> int | None:
        """When the next age changes: with the next full second."""
        return (self._look.epoch_ms() // 1000 + 1) * 1000 if self._rows else None

    def lines(self, width: int, height: int) -> list[Text]:
        """A title line and as many topics as fit."""
        look = self._look
        if not self._rows:
            return [Text("no message yet", style=look.style("dim"))]
        notes = [Text(INTERRUPTED, style=look.style("warn"))] if self._interrupted else []
        topics = list(self._rows)
        top, count = self._scroll.window(len(topics), max(1, height - 1 - len(notes)))
        if more := self._scroll.words(len(topics), count):
            notes.insert(0, Text(f"{more} topics", style=look.style("dim")))
        topics = topics[top : top + count]
        head, *rows = lay_out(self._columns([self._rows[topic] for topic in topics], width), width, look)
        for topic, row in zip(topics, rows, strict=True):
            if topic not in self._fresh:
                row.stylize(look.style("dim"))
        return [head, *rows, *(fit_line(note, width, look) for note in notes)]

    def _columns(self, messages: list[Numbered], width: int) -> list[Column]:
        topics = ["(all other topics)" if message.others else message.topic for message in messages]
        columns = [
            topic_column(topics, width, self._look),
            Column("count", [str(message.number) for message in messages], keep=7),
            age_column(self._look, "age", messages, keep=8),
        ]
        return [*columns, data_column(messages, columns, width, self._look)]


def topic_column(topics: Sequence[str], width: int, look: Look) -> Column:
    """Topics, at most a third of the screen however long they are: what they say matters as much."""
    column = text_column("topic", topics, keep=9)
    room = max(LEAST_TOPIC, width // 3)
    column.cells = [look.cut(topic, room) for topic in column.cells]
    return column


def data_column(messages: Sequence[Message], others: list[Column], width: int, look: Look) -> Column:
    """The data of messages beside other columns, cut where the screen ends, but never within a number."""
    texts = [
        line_of(message.data, look.time)
        if not getattr(message, "others", False)
        else f"{cells.harmless(message.topic, 40)}: {line_of(message.data, look.time)}"
        for message in messages
    ]
    return words_column("data", texts, others, width)


def words_column(title: str, texts: Sequence[str], others: Sequence[Column], width: int, *, keep: int = 6) -> Column:
    """Words and figures beside other columns, cut where the screen ends, but never within a number."""
    room = max(LEAST_DATA, width - sum(column.width() + GAP for column in others))
    widest = max(map(cell_len, texts), default=0)
    shown = [cut(text, room) for text in texts] if widest > room else list(texts)
    return Column(title, shown, align="left", keep=keep, is_text=True)


def queue() -> LatestOfTopics:
    """Keeps the latest message of each topic, and counts them all."""
    return LatestOfTopics()


def view(look: Look) -> FeedView:
    """A table of topics, without a message yet."""
    return FeedView(look)
