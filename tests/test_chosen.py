"""`--fields`, `-o tsv` and `--template`."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from cli.output.chosen import (
    LONGEST_FIELDS,
    LONGEST_TEMPLATE,
    MOST_FIELDS,
    FieldLines,
    Standing,
    Template,
    TemplateLines,
    chosen_fields,
    template_of,
    text_of,
)
from cli.output.columns import CsvLines
from cli.output.fields import Fields
from cli.output.standing import Stands
from venues.errors import UsageError
from venues.records import Book, Level, Message, SnapshotEnd, State, Status, Trade
from venues.redaction import Redactor
from venues.toolkit.written import Writer
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
    two = chosen_fields('data["a\\""],data["\\\\"]', on_messages)
    assert [one.text for one in two] == ['data["a\\""]', 'data["\\\\"]']
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


# --- what is said of what is none, whole


def names(text: str) -> list[str]:
    return [one.text for one in chosen_fields(text, ON_BOOKS)]


def refused(text: str, take: Any = None) -> str:
    with pytest.raises(UsageError) as raised:
        (take or names)(text)
    return str(raised.value)


def test_fields_have_so_many_characters_and_are_so_many_at_most() -> None:
    assert names("mid," * (MOST_FIELDS - 1) + "mid") == ["mid"] * MOST_FIELDS
    assert refused("mid," * MOST_FIELDS + "mid") == "--fields: expected at most 100 fields, got 101"
    long = "mid" + " " * (LONGEST_FIELDS - 3)
    assert names(long) == ["mid"]
    assert refused(long + " ") == "--fields: expected at most 5,000 characters, got 5,001"
    assert refused("," * LONGEST_FIELDS) == "--fields: expected at most 100 fields, got 5001"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "--fields: expected a field such as price or bids[0].price, got nothing"),
        ("mid,,mid", "--fields: expected a field such as price or bids[0].price, got nothing"),
        ("mid, ", "--fields: expected a field such as price or bids[0].price, got nothing"),
        ("mid,prev.mid", "--fields: prev stands in conditions only, got prev.mid"),
    ],
)
def test_what_is_no_field_is_said(text: str, words: str) -> None:
    assert refused(text) == words


def template(text: str, option: str = "--template") -> Template:
    return template_of(text, ON_BOOKS, option)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "--template: expected a text such as '{symbol} {price}', got nothing"),
        (" \n", "--template: expected a text such as '{symbol} {price}', got nothing"),
        ("x" * (LONGEST_TEMPLATE + 1), "--template: expected at most 2,000 characters, got 2,001"),
        ("a {mid", "--template: expected a } for the { at character 3; write {{ for a brace"),
        ("{", "--template: expected a } for the { at character 1; write {{ for a brace"),
        ("a } b", "--template: expected a { before the } at character 3; write }} for a brace"),
        ("}}}", "--template: expected a { before the } at character 3; write }} for a brace"),
        ("{}", "--template: expected a field such as price or bids[0].price, got nothing"),
        ("{ }", "--template: expected a field such as price or bids[0].price, got nothing"),
        ("{prev.mid}", "--template: prev stands in conditions only, got prev.mid"),
    ],
)
def test_what_is_no_template_is_said(text: str, words: str) -> None:
    assert refused(text, template) == words


def test_the_template_of_another_option_says_its_name_and_may_be_empty() -> None:
    assert template("", "--message").parts == []
    assert template("x" * LONGEST_TEMPLATE).parts == ["x" * LONGEST_TEMPLATE]
    found = refused("x" * (LONGEST_TEMPLATE + 1), lambda text: template(text, "--message"))
    assert found == "--message: expected at most 2,000 characters, got 2,001"


@pytest.mark.parametrize(
    ("text", "parts", "with_state"),
    [
        ("a", ["a"], False),
        ("{mid}", ["<mid>"], False),
        ("{ mid }", ["<mid>"], False),
        ("a{mid}b{state}c", ["a", "<mid>", "b", "<state>", "c"], True),
        ("{{mid}}", ["{mid}"], False),
        ("{{{mid}}}", ["{", "<mid>", "}"], False),
        ("state", ["state"], False),
        ("{reason}", ["<reason>"], False),
        ("{{}}{{", ["{}{"], False),
    ],
)
def test_the_parts_of_a_template(text: str, parts: list[str], with_state: bool) -> None:
    found = template(text)
    assert [one if isinstance(one, str) else f"<{one.text}>" for one in found.parts] == parts
    assert found.with_state is with_state


# --- values and lines


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (Decimal("1E-8"), "0.00000001"),
        (Decimal("1.50"), "1.50"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        ("a\nb", "a\\x0ab"),
        (["a", Decimal("1.50")], '["a",1.50]'),
        ({"a": [1]}, '{"a":[1]}'),
        ("", ""),
    ],
)
def test_a_value_within_a_text(value: Any, text: str) -> None:
    assert text_of(value, Writer()) == text


def written(sink: Any, *records: Any, capfd: pytest.CaptureFixture[str]) -> list[str]:
    sink.write(records)
    return capfd.readouterr().out.splitlines()


@pytest.mark.parametrize("statuses", [True, False])
def test_statuses_are_lines_where_they_are_asked_for_and_one_in_any_case(
    statuses: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    stands = standing()
    sink = FieldLines(
        chosen_fields("mid", ON_BOOKS),
        stands,
        numbers_as_strings=True,
        to_terminal=False,
        redactor=Redactor(),
        statuses=statuses,
    )
    last = status("closed", "the end")
    stands.always = last
    records = [status("live"), book("99"), status("stale", "a gap"), book("98"), last]
    found = written(sink, *records, capfd=capfd)
    gap = ['"state":"stale"'] if statuses else []
    assert len(found) == 3 + len(gap)
    assert found[0] == '{"mid":"100.0"}'
    assert [word for word in gap if word in found[1]] == gap
    assert '"reason":"the end"' in found[-1]
    sink.idle()
    sink.close()
    assert written(sink, capfd=capfd) == []


def test_a_secret_in_a_field_is_covered_and_the_line_stays_json(capfd: pytest.CaptureFixture[str]) -> None:
    redactor = Redactor()
    redactor.learn({"key": "sesame-sesame"})
    sink = FieldLines(
        chosen_fields("extra.x,env", ON_BOOKS),
        standing(),
        numbers_as_strings=False,
        to_terminal=True,
        redactor=redactor,
        statuses=True,
    )
    found = written(sink, book("99", extra={"x": "a sesame-sesame \u202e"}, env="e"), capfd=capfd)
    (line,) = map(json.loads, found)
    assert line["env"] == "e"
    assert "sesame" not in line["extra.x"]
    assert "\\u202e" in found[0]


def test_with_once_a_template_has_a_line_a_record_only_and_one_in_any_case(capfd: pytest.CaptureFixture[str]) -> None:
    stands = standing()
    sink = TemplateLines(template("{mid} {reason}"), stands, redactor=Redactor(), once=True)
    last = status("stale", "a gap")
    records = [status("live"), status("stale", "x"), status("live"), book("99")]
    assert written(sink, *records, capfd=capfd) == ["100.0 -"]
    stands.always = last
    assert written(sink, last, last, capfd=capfd) == ["stale - a gap"] * 2
    end = SnapshotEnd(venue="nexus", received=0, stream="book", count=1)
    assert written(sink, end, capfd=capfd) == []
    sink.idle()
    sink.close()


def test_the_reason_is_that_of_the_symbol_or_of_all_and_is_gone_when_it_is_live(
    capfd: pytest.CaptureFixture[str],
) -> None:
    sink = TemplateLines(template("{symbol} {reason} {state}"), standing(), redactor=Redactor())

    def of(state: State, symbol: str | None, reason: str | None = None) -> Status:
        return Status(venue="nexus", symbol=symbol, received=0, stream="book", state=state, reason=reason)

    records = [of("stale", None, "all"), book("99"), of("stale", "BTC", "one"), book("99")]
    assert written(sink, *records, capfd=capfd) == ["- all stale", "BTC all stale", "BTC one stale", "BTC one stale"]
    records = [of("stale", None, "again"), book("99"), of("live", "BTC", "noted"), book("99")]
    assert written(sink, *records, capfd=capfd)[1:] == ["BTC again stale", "BTC - live", "BTC - live"]


def test_a_secret_in_a_reason_is_covered(capfd: pytest.CaptureFixture[str]) -> None:
    redactor = Redactor()
    redactor.learn({"key": "sesame-sesame"})
    sink = TemplateLines(template("{reason} {stale}"), standing(), redactor=redactor)
    (line,) = written(sink, status("stale", "the key sesame-sesame"), capfd=capfd)
    assert line.startswith("stale the key [")
    assert "sesame" not in line


@pytest.mark.parametrize(
    ("time", "offset", "is_replay", "age"),
    [(None, 0, False, 600), (900, 0, False, 100), (900, 50, False, 150), (900, -500, False, 0), (300, 0, True, 100)],
)
def test_the_age_of_a_record_is_by_the_venues_clock(time: int | None, offset: int, is_replay: bool, age: int) -> None:
    """In a replay it is that at which the record came."""
    stands = Standing(Stands("book", (), partial=False), lambda: Now(1.0, 1_000), is_replay=is_replay)
    stands.set_offset(offset)
    assert stands.seen(book("99", time=time)).age_ms == age


def test_it_is_known_whether_a_status_is_another_state() -> None:
    stands = standing()
    assert [stands.note(status(state)) for state in ("live", "live", "stale", "live")] == [True, False, True, True]  # type: ignore[arg-type]
    assert stands.is_live(book("99"))
    stands.note(status("stale"))
    assert not stands.is_live(book("99"))
