"""`--fields`, `-o tsv` and `--template`."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from cli.output.chosen import FieldLines, Standing, TemplateLines, chosen_fields, template_of
from cli.output.columns import CsvLines
from cli.output.fields import Fields
from cli.output.standing import Stands
from venues.errors import UsageError
from venues.records import Book, Level, Message, SnapshotEnd, State, Status, Trade
from venues.redaction import Redactor
from venues.venue import Now

ON_BOOKS = Fields("book", Book, 20)
ON_TRADES = Fields("trades", Trade)


def standing(stream: str = "book") -> Standing:
    return Standing(Stands(stream, (), partial=False), lambda: Now(1.0, 1_000))


def book(bid: str, **fields: Any) -> Book:
    asks = [Level(Decimal("101"), Decimal(1))]
    return Book(venue="nexus", symbol="BTC", received=400, bids=[Level(Decimal(bid), Decimal(2))], asks=asks, **fields)


def status(state: State, reason: str | None = None) -> Status:
    return Status(venue="nexus", symbol="BTC", received=0, stream="book", state=state, reason=reason)


def lines(text: str, *records: Any, capfd: pytest.CaptureFixture[str]) -> list[str]:
    TemplateLines(template_of(text, ON_BOOKS), standing(), redactor=Redactor()).write(records)
    return capfd.readouterr().out.splitlines()


def test_while_not_live_a_template_has_no_figure_and_says_how_it_stands(capfd: pytest.CaptureFixture[str]) -> None:
    records = [status("live"), book("99"), status("stale", "a gap"), book("98"), status("live"), book("97.50")]
    assert lines("{symbol} {bids[0].price}", *records, capfd=capfd) == [
        "BTC -", "BTC 99", "stale BTC -", "stale BTC -", "BTC -", "BTC 97.50",
    ]  # fmt: skip
    assert lines("{mid} {state} {reason}", *records[:3], capfd=capfd) == ["- live -", "100.0 live -", "- stale a gap"]


def test_a_note_of_a_live_stream_is_no_line_of_a_template(capfd: pytest.CaptureFixture[str]) -> None:
    records = [status("live"), book("99"), status("live", "a bad frame came"), book("98"), status("stale"), book("97")]
    assert lines("{bids[0].price}", *records, capfd=capfd) == ["-", "99", "98", "stale -", "stale -"]


def test_a_name_in_quotes_may_have_any_sign(capfd: pytest.CaptureFixture[str]) -> None:
    on_messages = Fields("feed", Message)
    made = chosen_fields('topic , data["a,b"],data[\'c,\\\'d\'],data["a}b"]', on_messages)
    assert [one.text for one in made] == ["topic", 'data["a,b"]', "data['c,\\'d']", 'data["a}b"]']
    template = template_of("{data[\"a}b\"]}{{{data['}\"']}}} '{topic}'", on_messages)
    record = Message(venue="v", received=0, topic="t", data={"a}b": 1, '}"': 2})
    TemplateLines(template, standing("feed"), redactor=Redactor()).write(
        [structs.replace(status("live"), stream="feed"), record]
    )
    assert capfd.readouterr().out.splitlines()[-1] == "1{2} 't'"
    for wrong in ('{data["a}', "{topic'}", "{data['a\"}"):
        with pytest.raises(UsageError, match="a text that ends"):
            template_of(wrong, on_messages)
    with pytest.raises(UsageError, match="a text that ends"):
        chosen_fields('topic,data["a,topic', on_messages)
    for missing in (",topic", "topic,", "topic,,data", ""):
        with pytest.raises(UsageError, match="got nothing"):
            chosen_fields(missing, on_messages)


def test_a_template_is_harmless_text_with_braces(capfd: pytest.CaptureFixture[str]) -> None:
    hostile = book("99", extra={"x": "a\x1b[31m\nb"})
    (line,) = lines("{{{extra.x}}} {asks[1].price} {spread_bps}", status("live"), hostile, capfd=capfd)[1:]
    assert line == "{a\\x1b[31m\\x0ab} - 200.0000"


@pytest.mark.parametrize("text", ["", " ", "{", "}", "{price", "{prize}", "{}", "{prev.mid}", "{mid:.2f}", "{mid + 1}"])
def test_what_is_no_template_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        template_of(text, ON_BOOKS)


def test_fields_are_flat_objects_without_what_is_absent(capfd: pytest.CaptureFixture[str]) -> None:
    fields = chosen_fields("time, bids[0].price,asks[3].price,spread,state,age_ms,bids", ON_BOOKS)
    sink = FieldLines(
        fields, standing(), numbers_as_strings=False, to_terminal=False, redactor=Redactor(), statuses=True
    )
    end = SnapshotEnd(venue="nexus", received=0, stream="book", count=1)
    sink.write([status("live"), book("99.90"), end, status("stale", "a gap")])
    first, *rest = capfd.readouterr().out.splitlines()
    levels = '[{"price":99.90,"size":2}]'
    assert first == f'{{"bids[0].price":99.90,"spread":1.10,"state":"live","age_ms":600,"bids":{levels}}}'
    assert [json.loads(line)["type"] for line in rest] == ["snapshot_end", "status"]


def test_the_chosen_fields_are_the_columns_and_tabs_are_escaped(capfd: pytest.CaptureFixture[str]) -> None:
    on_messages = Fields("feed", Message)
    chosen = chosen_fields("topic,data.a,data.b", on_messages), standing("feed")
    message = Message(venue="nexus", received=0, topic="x\ty", data={"a": "1\n2\r"})
    for tabs, expected in (
        (True, "topic\tdata.a\tdata.b\nx\\ty\t1\\n2\\r\t\n"),
        (False, 'topic,data.a,data.b\nx\ty,"1\n2\r",\n'),
    ):
        rows = CsvLines(Message, to_terminal=False, redactor=Redactor(), tabs=tabs, chosen=chosen)
        rows.write([status("live"), message])
        assert capfd.readouterr().out == expected


def test_all_columns_are_there_with_tabs_too(capfd: pytest.CaptureFixture[str]) -> None:
    rows = CsvLines(Trade, to_terminal=False, redactor=Redactor(), tabs=True)
    rows.write([Trade(venue="nexus", received=1, price=Decimal("1.50"), size=Decimal(2), side="buy")])
    head, row = capfd.readouterr().out.splitlines()
    assert head.split("\t")[:7] == ["venue", "env", "symbol", "time", "received", "price", "size"]
    assert row.split("\t") == ["nexus", "", "", "", "1", "1.50", "2", "buy", "", "", "", ""]
