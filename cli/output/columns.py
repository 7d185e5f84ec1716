"""stdout as a table for programs: comma-separated values, or values with a tab between them."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cli.output import cells
from cli.output.lines import Lines, harmless_json, is_data
from venues.records import Book, Level, Record, Status
from venues.toolkit.numbers import plain_text
from venues.toolkit.written import Writer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cli.output.chosen import Standing
    from cli.output.conditions import Path
    from venues.redaction import Redactor


class _TabWriter:
    """Rows with a tab between their cells. A tab or the end of a line within a cell is written as an escape."""

    def __init__(self, text: io.StringIO) -> None:
        self._text = text

    def writerow(self, row: Iterable[Any]) -> None:
        """Write one row."""
        self._text.write("\t".join("" if cell is None else str(cell).translate(_ESCAPES) for cell in row) + "\n")

    def writerows(self, rows: Iterable[Iterable[Any]]) -> None:
        """Write each row."""
        for row in rows:
            self.writerow(row)


_ESCAPES = {ord("\t"): "\\t", ord("\n"): "\\n", ord("\r"): "\\r"}


class CsvLines(Lines):
    """A header, then one row a record; of a book one row a level. Statuses have no place in it."""

    def __init__(
        self,
        record: type[Record],
        *,
        to_terminal: bool,
        redactor: Redactor,
        with_match: bool = False,
        tabs: bool = False,
        chosen: tuple[Sequence[Path], Standing] | None = None,
    ) -> None:
        """`with_match`: there is a column that says of a row that it only stopped matching `--where`. `tabs`: between
        the values, in place of commas. `chosen`: these fields are the columns."""
        super().__init__()
        self._chosen = chosen
        self._columns = [name for name in _csv_columns(record) if with_match or name != "match"]
        if chosen is not None:
            self._columns = [field.text for field in chosen[0]]
        self._tabs = tabs
        self._writer = Writer()
        self._to_terminal = to_terminal
        self._head_written = False
        self._redactor = redactor

    def write(self, records: Sequence[Any]) -> None:
        """Write each data record as a row, or as a row a level; the header goes first."""
        text = io.StringIO()
        rows = _TabWriter(text) if self._tabs else csv.writer(text, lineterminator="\n")
        if not self._head_written:
            rows.writerow(self._columns)
            self._head_written = True
        for record in records:
            if isinstance(record, Status) and self._chosen is not None:
                self._chosen[1].note(record)
            elif is_data(record):
                rows.writerows(self._rows(self._redactor.value(record)))
        if text.tell():
            self._write(text.getvalue().encode())

    def idle(self) -> None:
        """Do nothing: rows go out as they are written."""

    def close(self) -> None:
        """Write the header also when no record came."""
        if not self._head_written:
            self.write([])

    def _rows(self, record: Record) -> list[list[Any]]:
        if self._chosen is not None:
            fields, standing = self._chosen
            seen = standing.seen(record)
            return [[self._cell(field.value(record, seen)) for field in fields]]
        if not isinstance(record, Book):
            return [[self._cell(getattr(record, name, None)) for name in self._columns]]
        own = [self._cell(getattr(record, name, None)) for name in self._columns[: -len(_LEVEL_COLUMNS)]]
        return [
            [
                *own,
                side,
                place,
                plain_text(level.price),
                plain_text(level.size),
                level.orders,
                None if level.total is None else plain_text(level.total),
            ]
            for side, levels in (("bid", record.bids), ("ask", record.asks))
            for place, level in enumerate(levels, start=1)
        ]

    def _cell(self, value: Any) -> Any:
        """What csv writes as it should: nothing for None, exact digits for a Decimal."""
        if isinstance(value, Decimal):
            return plain_text(value)
        if value is None or value.__class__ is int:
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, dict | list):
            data = self._writer.encode(value)
            return (harmless_json(data) if self._to_terminal else data).decode()
        text = str(value)
        return cells.harmless(text, len(text)) if self._to_terminal else text


_LEVEL_COLUMNS = ["side", "level", *Level.__struct_fields__]


def _csv_columns(record: type[Record]) -> list[str]:
    if record is Book:
        own = [name for name in record.__struct_fields__ if name not in ("bids", "asks")]
        return _common_first([*own, *_LEVEL_COLUMNS])
    return _common_first(record.__struct_fields__)


def _common_first(names: Iterable[str]) -> list[str]:
    common = Record.__struct_fields__
    return [*common, *(name for name in names if name not in common)]
