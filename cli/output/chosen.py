"""`--fields` and `--template`: what is chosen of each record, and the lines that are made of it."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from cli.output import cells
from cli.output.conditions import path
from cli.output.lines import Lines, harmless_json, is_data
from cli.output.statuses import StatusGate
from venues.errors import UsageError
from venues.records import SnapshotEnd, Status
from venues.toolkit.numbers import plain_text
from venues.toolkit.written import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cli.output.conditions import Path, Seen
    from cli.output.fields import Fields
    from cli.output.standing import Stands
    from venues.records import Record
    from venues.redaction import Redactor
    from venues.venue import Now

NOTHING = "-"
REASON = "reason"  # of a template: why the stream is not live
KNOWN_ALWAYS = ("venue", "env", "symbol")  # of a template also while the stream is not live
MOST_FIELDS = 100
LONGEST_FIELDS = 5_000  # characters
LONGEST_TEMPLATE = 2_000


def chosen_fields(text: str, fields: Fields) -> list[Path]:
    """The fields of `--fields`, separated by commas.

    Raises:
        UsageError: one of them is none of the stream's records.
    """
    if len(text) > LONGEST_FIELDS:
        raise UsageError(f"--fields: expected at most {LONGEST_FIELDS:,} characters, got {len(text):,}")
    ends = [at for at in _outside_quotes(text) if text[at] == ","]
    names = [text[before + 1 : end].strip() for before, end in pairwise([-1, *ends, len(text)])]
    if len(names) > MOST_FIELDS:
        raise UsageError(f"--fields: expected at most {MOST_FIELDS} fields, got {len(names)}")
    return [_path(name, fields, "--fields") for name in names]


def _outside_quotes(text: str, at: int = 0) -> Iterator[int]:
    """The places from one on that are not within a name in quotes, such as that of `data["a,b"]`."""
    quote = ""
    while at < len(text):
        sign = text[at]
        if not quote and sign not in "\"'":
            yield at
        elif not quote:
            quote = sign
        elif sign == "\\":
            at += 1
        elif sign == quote:
            quote = ""
        at += 1


def _path(text: str, fields: Fields, option: str) -> Path:
    if not text:
        raise UsageError(f"{option}: expected a field such as price or bids[0].price, got nothing")
    found = path(text, fields, option)
    if found.uses_prev:
        raise UsageError(f"{option}: prev stands in conditions only, got {text}")
    return found


class Template(NamedTuple):
    """A template: texts and fields in their order. `with_state`: it says itself how the stream stands."""

    parts: Sequence[str | Path]
    with_state: bool


def template_of(text: str, fields: Fields, option: str = "--template") -> Template:
    """A template from its text, with fields in braces; `{{` and `}}` are braces.

    Raises:
        UsageError: a field is none of the stream's records, a brace has no other one, or there is no text.
    """
    if not text.strip() and option == "--template":
        raise UsageError("--template: expected a text such as '{symbol} {price}', got nothing")
    if len(text) > LONGEST_TEMPLATE:
        raise UsageError(f"{option}: expected at most {LONGEST_TEMPLATE:,} characters, got {len(text):,}")
    parts: list[str | Path] = []
    literal, at = "", 0
    while at < len(text):
        if text[at : at + 2] in ("{{", "}}"):
            literal, at = literal + text[at], at + 2
        elif text[at] == "{":
            end = next((end for end in _outside_quotes(text, at) if text[end] == "}"), text.find("}", at))
            if end < 0:
                raise UsageError(f"{option}: expected a }} for the {{ at character {at + 1}; write {{{{ for a brace")
            parts += [literal] if literal else []
            name = text[at + 1 : end].strip()
            parts.append(_reason(name) or _path(name, fields, option))
            literal, at = "", end + 1
        elif text[at] == "}":
            raise UsageError(f"{option}: expected a {{ before the }} at character {at + 1}; write }}}} for a brace")
        else:
            literal, at = literal + text[at], at + 1
    parts += [literal] if literal else []
    with_state = any(not isinstance(part, str) and part.text == "state" for part in parts)
    return Template(parts, with_state)


def _reason(name: str) -> Path | None:
    from cli.output.conditions import Path

    return Path(REASON, lambda record, seen: None, "text", of_record=False, uses_prev=False) if name == REASON else None


def text_of(value: Any, writer: Writer) -> str:
    """A value in a line of text: decimals with all their digits, nothing harmful; `-` for what is absent."""
    if value is None:
        return NOTHING
    if isinstance(value, Decimal):
        return plain_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    text = writer.encode(value).decode() if isinstance(value, dict | list) else str(value)
    return cells.harmless(text, len(text))


def field_text(part: Path, value: Any, writer: Writer) -> str:
    """The value of a field within a text, for people: a quotient, which may have a hundred digits, has four places."""
    return f"{value:.4f}" if part.text == "spread_bps" and value is not None else text_of(value, writer)


class Standing:
    """How the stream stands at each record on its way out. `set_offset` may be called from another thread."""

    def __init__(self, stands: Stands, now: Callable[[], Now], *, is_replay: bool = False) -> None:
        """`is_replay`: ages are those at which records came, since the recording's clock is far ahead of its lines."""
        self._stands = stands
        self._now = now
        self._is_replay = is_replay
        self._offset = 0
        self.always: Status | None = None  # one that is written in any case

    def set_offset(self, ms: int) -> None:
        """Set how far the venue's clock is ahead of ours from here on."""
        self._offset = ms

    def note(self, status: Status) -> bool:
        """Take in a status, in its place among the records; whether its state is another one than before."""
        about = self._stands.take(status)
        return any(stand.changed for stand in about)

    def is_live(self, record: Record) -> bool:
        """Whether a record is of a stream that is live."""
        return self._stands.of(record.symbol).live

    def seen(self, record: Record) -> Seen:
        """What is known of the stream besides the record."""
        seen = self._stands.of(record.symbol).seen
        now = record.received if self._is_replay else self._now().epoch_ms
        seen.age_ms = max(0, now - record.received if record.time is None else now + self._offset - record.time)
        return seen


class FieldLines(Lines):
    """JSON lines of the chosen fields: flat objects with the path as key, without what is absent; statuses whole."""

    def __init__(
        self,
        fields: Sequence[Path],
        standing: Standing,
        *,
        numbers_as_strings: bool,
        to_terminal: bool,
        redactor: Redactor,
        statuses: bool,
    ) -> None:
        """`statuses`: interruptions are written too; a healthy stream is data only."""
        super().__init__()
        self._fields = fields
        self._standing = standing
        self._writer = Writer(numbers_as_strings=numbers_as_strings)
        self._to_terminal = to_terminal
        self._redactor = redactor
        self._statuses = statuses
        self._gate = StatusGate()

    def write(self, records: Sequence[Any]) -> None:
        """Write each record as one object on a line of its own."""
        made: list[Any] = []
        for record in records:
            if isinstance(record, Status):
                self._standing.note(record)
                if (self._gate.passes(record) and self._statuses) or record is self._standing.always:
                    made.append(self._redactor.value(record))
            elif isinstance(record, SnapshotEnd):
                made.append(record)
            elif is_data(record):
                made.append(self._object(record))
        data = self._writer.encode_lines(made)
        if self._redactor.data(data) != data:
            data = self._writer.encode_lines([self._redactor.value(one) for one in made])
        if data:
            self._write(harmless_json(data) if self._to_terminal else data)

    def _object(self, record: Record) -> dict[str, Any]:
        seen = self._standing.seen(record)
        values = ((field.text, field.value(record, seen)) for field in self._fields)
        return {name: value for name, value in values if value is not None}

    def idle(self) -> None:
        """Do nothing: lines go out as they are written."""

    def close(self) -> None:
        """Do nothing: JSON lines need no end."""


class TemplateLines(Lines):
    """One line of text a record, and one at each change of the stream's state, with no figure while it is not live."""

    def __init__(self, template: Template, standing: Standing, *, redactor: Redactor, once: bool = False) -> None:
        """`once`: there is a line a record only."""
        super().__init__()
        self._once = once
        self._template = template
        self._standing = standing
        self._redactor = redactor
        self._writer = Writer()
        self._reasons: dict[str | None, str | None] = {}
        self._last = ""

    def write(self, records: Sequence[Any]) -> None:
        """Write a line for each record and each change of state."""
        lines: list[str] = []
        for record in records:
            if isinstance(record, Status):
                changed = self._standing.note(record)
                self._note_reason(record)
                line = self._line(record)
                is_note = record.state == "live" and not changed  # it has nothing that a template could show
                if record is not self._standing.always and (is_note or line == self._last or self._once):
                    continue
            elif is_data(record):
                line = self._line(self._redactor.value(record))
            else:
                continue
            self._last = line
            lines.append(line)
        if lines:
            self._write("".join(f"{line}\n" for line in lines).encode(errors="replace"))

    def _note_reason(self, status: Status) -> None:
        if status.symbol is None:
            self._reasons.clear()
        self._reasons[status.symbol] = None if status.state == "live" else status.reason

    def _line(self, record: Record) -> str:
        shown = record.__class__ is not Status and self._standing.is_live(record)
        seen = self._standing.seen(record)
        state = record.state if isinstance(record, Status) else seen.state
        line = "".join(
            part if isinstance(part, str) else self._text(part, record, seen, state, shown=shown)
            for part in self._template.parts
        )
        is_live = state == "live"
        return line if self._template.with_state or is_live else f"{state} {line}"

    def _text(self, part: Path, record: Record, seen: Seen, state: str, *, shown: bool) -> str:
        value: Any = None
        if part.text == REASON:
            reason = self._reasons.get(record.symbol, self._reasons.get(None))
            value = self._redactor.text(reason) if reason else None
        elif part.text == "state":
            value = state
        elif part.text in KNOWN_ALWAYS:
            value = getattr(record, part.text)
        elif shown or part.text == "stale":
            value = part.value(record, seen)
        return field_text(part, value, self._writer)

    def idle(self) -> None:
        """Do nothing: lines go out as they are written."""

    def close(self) -> None:
        """Do nothing: lines of text need no end."""
