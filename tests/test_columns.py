"""A table for programs: its header, its rows, and what stands in a cell."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cli.output import columns
from cli.output.columns import CsvLines
from cli.output.lines import Skipped
from venues.records import Balance, Book, Level, Message, Record, SnapshotEnd, Status, Trade
from venues.redaction import Redactor

ONE = Decimal("1.0")
TRADE = Trade(venue="v", symbol="A", received=7, price=ONE, size=Decimal("1E+2"), side="buy", extra={"a": ONE})
HEAD = "venue,env,symbol,time,received,price,size,side,trade_id,price_unit,size_unit,extra\n"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each text that was written at once."""
    found: list[str] = []
    monkeypatch.setattr("cli.output.lines.write_all", lambda descriptor, data, told: found.append(data.decode()))
    return found


def lines(record: type[Record], **given: Any) -> CsvLines:
    return CsvLines(record, **{"to_terminal": False, "redactor": Redactor(), **given})


def test_the_header_is_written_once_and_also_where_no_record_came(written: list[str]) -> None:
    one = lines(Trade)
    one.write([TRADE])
    one.write([TRADE, TRADE])
    one.close()
    row = 'v,,A,,7,1.0,100,buy,,,,"{""a"":1.0}"\n'
    assert written == [HEAD + row, row + row]
    none = lines(Trade)
    none.close()
    none.close()
    assert written[2:] == [HEAD]


def test_only_data_is_a_row_and_nothing_is_written_without_any(written: list[str]) -> None:
    one = lines(Trade)
    status = Status(venue="v", received=1, stream="trades", state="live")
    end = SnapshotEnd(venue="v", received=1, stream="trades", count=0)
    one.write([status, end, Skipped(3)])
    one.write([status])
    one.idle()
    assert written == [HEAD]


def test_a_book_has_a_row_a_level_from_the_best_of_each_side(written: list[str]) -> None:
    level = Level(Decimal(9), Decimal("0.50"), orders=3, total=Decimal("1.5"))
    book = Book(venue="v", symbol="A", received=7, bids=[level, Level(Decimal(8), ONE)], asks=[Level(Decimal(10), ONE)])
    lines(Book).write([book])
    head, *rows = written[0].splitlines()
    assert head.endswith(",side,level,price,size,orders,total")
    assert head.startswith("venue,env,symbol,time,received,")
    width = head.count(",")
    assert [row.count(",") for row in rows] == [width] * 3
    assert [row.split(",")[-6:] for row in rows] == [
        ["bid", "1", "9", "0.50", "3", "1.5"],
        ["bid", "2", "8", "1.0", "", ""],
        ["ask", "1", "10", "1.0", "", ""],
    ]
    assert [row.split(",")[:5] for row in rows] == [["v", "", "A", "", "7"]] * 3


@pytest.mark.parametrize(("with_match", "names"), [(False, []), (True, ["match"])])
def test_there_is_a_column_of_what_stopped_matching_where_it_is_asked_for(
    with_match: bool, names: list[str], written: list[str]
) -> None:
    lines(Balance, with_match=with_match).close()
    assert [name for name in written[0].strip().split(",") if name == "match"] == names


@pytest.mark.parametrize(
    ("value", "plain", "on_terminal"),
    [
        (Decimal("1E+3"), "1000", "1000"),
        (None, None, None),
        (7, 7, 7),
        (True, "true", "true"),
        (False, "false", "false"),
        ([1, Decimal("1.50")], "[1,1.50]", "[1,1.50]"),
        ({"a": "\x9b"}, '{"a":"\x9b"}', '{"a":"\\u009b"}'),
        ("a\x1b", "a\x1b", "a\\x1b"),
        ("x" * 400, "x" * 400, "x" * 400),
        (1.5, "1.5", "1.5"),
    ],
)
def test_a_cell_has_all_its_digits_and_is_harmless_on_a_terminal(value: Any, plain: Any, on_terminal: Any) -> None:
    assert lines(Message)._cell(value) == plain
    assert lines(Message, to_terminal=True)._cell(value) == on_terminal


def test_between_tabs_the_end_of_a_line_is_an_escape(written: list[str]) -> None:
    message = Message(venue="v", received=7, topic='a\tb\nc\rd"', data="x,y")
    lines(Message, tabs=True).write([message])
    head, row = written[0].splitlines()
    assert head.split("\t")[:5] == ["venue", "env", "symbol", "time", "received"]
    cells = dict(zip(head.split("\t"), row.split("\t"), strict=True))
    assert (cells["topic"], cells["data"], cells["env"]) == ('a\\tb\\nc\\rd"', "x,y", "")


def test_the_common_columns_come_first() -> None:
    assert columns._common_first(["price", "received", "size"]) == [
        "venue", "env", "symbol", "time", "received", "price", "size",
    ]  # fmt: skip
