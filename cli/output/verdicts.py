"""What `mon check` says: a verdict, in the formats of monitoring plug-ins, of Prometheus, and as JSON. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cli.output import cells
from cli.output.conditions import Seen, path
from cli.output.fields import derived_of, kinds_of
from cli.output.queues import key_of
from venues.records import Balance, Book, Candle, ClosedPosition, Order, Position
from venues.toolkit.numbers import plain_text
from venues.toolkit.written import Writer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.output.conditions import Condition
    from cli.output.fields import Fields
    from venues.records import Record

OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3
WORDS = {OK: "OK", WARNING: "WARNING", CRITICAL: "CRITICAL", UNKNOWN: "UNKNOWN"}
WORST_FIRST = (CRITICAL, UNKNOWN, WARNING, OK)
MOST_NAMED = 3
LONGEST_TEXT = 1_000
LONGEST_VALUE = 100  # characters of a text that a condition speaks of
LONGEST_LABEL = 200
MOST_PLACES = 40  # of a number; only a quotient has more, of which these are shown:
PLACES = Decimal("0.000001")

_KEYED = (Order, Position, ClosedPosition, Balance)
_UNITS = {"_pct": "%", "_ms": "ms"}
_IN_BASE_UNITS = (
    ("_pct", "_ratio", Decimal("0.01")),
    ("_bps", "_ratio", Decimal("0.0001")),
    ("_ms", "_seconds", Decimal("0.001")),
)
_NO_ENDING = ("_total", "_count", "_ms")  # of a gauge's name


@dataclass
class Row:
    """One row, or the one state: its verdict, and why."""

    record: Record
    state: int = OK
    why: str = ""

    @property
    def key(self) -> str:
        """What tells it from the others of its symbol; empty where there is one only."""
        record = self.record
        if not isinstance(record, _KEYED):
            return ""
        return "/".join(str(part) for part in key_of(record) if part is not None and part != record.symbol)

    @property
    def name(self) -> str:
        """What it is called in words; empty where there is one only, of no symbol."""
        return " ".join(dict.fromkeys(part for part in (self.record.symbol, self.key) if part))


@dataclass
class Verdict:
    """The outcome of a check. `live`: the figures are those of a live stream; `age_ms` that of the latest data."""

    stream: str
    venue: str
    env: str | None
    fields: Fields | None
    state: int = OK
    text: str = ""
    rows: list[Row] = field(default_factory=list)
    live: bool = False
    age_ms: int | None = None

    def judge(self) -> None:
        """Let the worst of the rows decide; three are named."""
        self.state = next((state for state in WORST_FIRST if any(row.state == state for row in self.rows)), OK)
        if not self.rows:
            self.text = "nothing there, which is a complete state"
            return
        bad = [row for state in WORST_FIRST for row in self.rows if row.state == state and row.why]
        named = "; ".join(": ".join(filter(None, (row.name, row.why))) for row in bad[:MOST_NAMED])
        more = f" and {len(bad) - MOST_NAMED} more" if len(bad) > MOST_NAMED else ""
        first, *others = self.rows
        fine = f"{len(self.rows)} rows" if others else first.name or "live"
        self.text = named + more if bad else fine


def judged(record: Record, seen: Seen, warn: Condition | None, crit: Condition | None) -> tuple[int, str]:
    """The verdict on one record, and why it is no OK. What cannot be told, since an operand is absent, is UNKNOWN."""
    for condition, state in ((crit, CRITICAL), (warn, WARNING)):
        if condition is None:
            continue
        if condition.is_true(record, seen):
            return state, f"{_shown(condition, record, seen)} ({' '.join(condition.text.split())})"
        if not condition.is_false(record, seen):
            absent = ", ".join(condition.absent(record, seen)) or "a result"
            return UNKNOWN, f"{absent} is absent ({' '.join(condition.text.split())})"
    return OK, ""


def _tag(record: Record) -> str:
    return str(record.__struct_config__.tag)


def _shown(condition: Condition, record: Record, seen: Seen) -> str:
    values = [(name, of(record, seen)) for name, of in condition.operands.items()]
    return " ".join(f"{name} {_text(value)}" for name, value in values)


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return _number(value)
    return cells.harmless(("true" if value else "false") if isinstance(value, bool) else str(value), LONGEST_VALUE)


def _number(value: Decimal) -> str:
    exponent = value.as_tuple().exponent
    long = isinstance(exponent, int) and exponent < -MOST_PLACES
    return plain_text(value.quantize(PLACES) if long else value)


def figures(record: Record, fields: Fields) -> dict[str, Decimal]:
    """The figures of a record by name: numbers that are no times and no ids; of a book those of its best levels."""
    found: dict[str, Any] = {}
    for name, declared in kinds_of(fields.record).items():
        value = getattr(record, name, None)
        if declared.kind == "number" and isinstance(value, Decimal | float):
            found[name] = Decimal(repr(value)) if isinstance(value, float) else value
    if isinstance(record, Book):
        for side, levels in (("bid", record.bids), ("ask", record.asks)):
            if levels:
                found |= {f"{side}_price": levels[0].price, f"{side}_size": levels[0].size}
    for name in derived_of(fields.record):
        value = path(name, fields, "").value(record, Seen())
        if value is not None:
            found[name] = value
    return found


# --- nagios -----------------------------------------------------------------------------------------------------------


def nagios(verdict: Verdict) -> str:
    """One line by the monitoring plug-ins' guidelines, with perfdata where the figures are those of a live stream."""
    venue = "" if verdict.text.startswith(f"{verdict.venue} ") else verdict.venue
    said = (" " if verdict.rows else ": ").join(filter(None, (venue, verdict.text)))  # rows: what they are called
    head = f"{verdict.stream.upper()} {WORDS[verdict.state]}: {said}"
    line = cells.harmless(re.sub(r"[\r\n]+", " ", head).replace("|", "/"), LONGEST_TEXT)
    data = _perfdata(verdict)
    return f"{line} | {data}" if data else line


def _perfdata(verdict: Verdict) -> str:
    if not verdict.live or verdict.fields is None:
        return ""
    several = len(verdict.rows) > 1
    found = []
    for row in verdict.rows:
        for name, value in figures(row.record, verdict.fields).items():
            label = f"{row.name} {name}".strip() if several else name
            unit = next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")
            found.append(f"{_label(label)}={_number(value)}{unit}")
    if verdict.age_ms is not None:
        found.append(f"age={_seconds(verdict.age_ms)}s")
    return " ".join(found)


def _label(text: str) -> str:
    clean = cells.harmless(text, LONGEST_LABEL).replace("=", "-").replace("|", "/").replace("'", "`")
    return clean if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", clean) else f"'{clean}'"


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}"


# --- JSON -------------------------------------------------------------------------------------------------------------


def as_json(verdict: Verdict) -> str:
    """One object, in one line; figures only where they are those of a live stream."""
    rows = [
        {
            "name": row.name or _tag(row.record),
            "state": WORDS[row.state],
            **({"why": row.why} if row.why else {}),
            "record": row.record,
        }
        for row in verdict.rows
    ]
    made: dict[str, Any] = {"state": WORDS[verdict.state], "code": verdict.state, "stream": verdict.stream}
    made |= {"venue": verdict.venue} | ({"env": verdict.env} if verdict.env else {})
    made |= {"text": verdict.text, "live": verdict.live}
    made |= {"age_ms": verdict.age_ms} if verdict.live and verdict.age_ms is not None else {}
    made |= {"rows": rows} if verdict.live else {}
    return Writer().encode(made).decode()


# --- Prometheus -------------------------------------------------------------------------------------------------------


def prometheus(verdict: Verdict, now_ms: int) -> str:
    """The metrics as text: what is known of the check, and a gauge a figure where the stream is live."""
    common = {"venue": verdict.venue, "env": verdict.env or "production"}
    stream = {**common, "stream": verdict.stream}
    gauges: dict[str, tuple[str, list[tuple[dict[str, str], str]]]] = {
        "mon_up": ("Whether the stream is live and its state complete.", [(stream, "1" if verdict.live else "0")]),
        "mon_check_time_seconds": ("When this was written, since the epoch.", [(stream, _seconds(now_ms))]),
    }
    if verdict.live:
        if verdict.age_ms is not None:
            about = "The age of the latest data."
            gauges["mon_data_age_seconds"] = (about, [(stream, _seconds(verdict.age_ms))])
        for row in verdict.rows:
            assert verdict.fields is not None
            labels = {**common, "symbol": row.record.symbol or "", "key": row.key}
            for name, value in figures(row.record, verdict.fields).items():
                metric, number = _in_base_units(name, value)
                help_text = f"{metric} of a {verdict.fields.tag}".replace("_", " ")
                _, samples = gauges.setdefault(f"mon_{verdict.stream}_{metric}", (help_text, []))
                samples.append((labels, number))
    return "".join(_gauge(name, *of) for name, of in gauges.items())


def _in_base_units(name: str, value: Decimal) -> tuple[str, str]:
    for ending, instead, factor in _IN_BASE_UNITS:
        if name.endswith(ending):
            return name.removesuffix(ending) + instead, _number(value * factor)
    return (f"{name}_value" if f"_{name}".endswith(_NO_ENDING) else name), _number(value)


def _gauge(name: str, about: str, samples: Sequence[tuple[dict[str, str], str]]) -> str:
    lines = [f"# HELP {name} {about}", f"# TYPE {name} gauge"]
    times: Counter[str] = Counter()
    for labels, value in samples:
        inside = _inside(labels)
        times[inside] += 1
        if times[inside] > 1:  # two keys that differ in what is cut off, or made harmless
            inside = _inside({**labels, "key": f"#{times[inside]} {labels['key']}"})
        lines.append(f"{name}{{{inside}}} {value}")
    return "\n".join(lines) + "\n"


def _inside(labels: dict[str, str]) -> str:
    safe = {label: cells.harmless(text, LONGEST_LABEL) for label, text in labels.items()}
    return ",".join(f"{label}={json.dumps(text, ensure_ascii=False)}" for label, text in safe.items())


def in_format(verdict: Verdict, form: str, now_ms: int) -> str:
    """The text of a verdict in one of the formats, with a line's end."""
    if form == "prometheus":
        return prometheus(verdict, now_ms)
    return (as_json(verdict) if form == "json" else nagios(verdict)) + "\n"


def newest(rows: Sequence[Row]) -> list[Row]:
    """The rows; of several candles of a symbol only the newest, which is its state."""
    last = {row.record.symbol: row for row in rows if isinstance(row.record, Candle)}
    return [row for row in rows if not isinstance(row.record, Candle) or last[row.record.symbol] is row]
