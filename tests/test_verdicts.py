"""What a verdict says in each of its formats, whole, of records that a test makes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from cli.output.conditions import Seen, condition
from cli.output.fields import Fields
from cli.output.verdicts import (
    CRITICAL,
    MOST_PLACES,
    OK,
    UNKNOWN,
    WARNING,
    Row,
    Verdict,
    figures,
    in_format,
    judged,
    nagios,
    newest,
    prometheus,
)
from venues.records import Balance, Book, Candle, ClosedPosition, Level, Order, Position, Quote, Record
from venues.streams import STREAMS


def quote(symbol: str | None = "A", **fields: Any) -> Quote:
    return Quote(venue="v", symbol=symbol, received=0, **fields)


def position(name: str | None, symbol: str | None = "A", **fields: Any) -> Position:
    given = {"size": Decimal(1), **fields}
    return Position(venue="v", symbol=symbol, received=0, position_id=name, change="snapshot", **given)


def closed(order: str | None) -> ClosedPosition:
    return ClosedPosition(
        venue="v", symbol="A", received=0, order_id=order, position_id="p", size=Decimal(1), change="snapshot"
    )


def book(*, bids: tuple[tuple[int, int], ...] = (), asks: tuple[tuple[int, int], ...] = ()) -> Book:
    sides = [[Level(Decimal(price), Decimal(size)) for price, size in side] for side in (bids, asks)]
    return Book(venue="v", symbol="A", received=0, bids=sides[0], asks=sides[1])


def fields_of(stream: str) -> Fields:
    return Fields(stream, STREAMS[stream].record)


def verdict(stream: str, *rows: Row, env: str | None = "sim", live: bool = True, **more: Any) -> Verdict:
    made = Verdict(stream, "v", env, fields_of(stream), rows=[*rows], live=live, **more)
    made.judge()
    return made


# --- what is called what


@pytest.mark.parametrize(
    ("record", "key", "name"),
    [
        (quote(), "", "A"),
        (quote(None), "", ""),
        (position("p1"), "p1", "A p1"),
        (position(None), "", "A"),  # it is the symbol's only one
        (position("p1", None), "p1", "p1"),
        (position("A"), "", "A"),
        (Balance(venue="v", received=0, asset="EUR", change="snapshot"), "EUR", "EUR"),
        (Order(venue="v", symbol="A", received=0, order_id="o", status="new", change="snapshot"), "o", "A o"),
        (closed("o"), "o/p", "A o/p"),
        (closed(None), "p", "A p"),
    ],
)
def test_a_row_is_called_by_its_symbol_and_what_tells_it_from_others(record: Record, key: str, name: str) -> None:
    assert (Row(record).key, Row(record).name) == (key, name)


# --- the verdict


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (0, "6 rows"),
        (1, "A p0: bad"),
        (3, "A p0: bad; A p1: bad; A p2: bad"),
        (4, "A p0: bad; A p1: bad; A p2: bad and 1 more"),
        (6, "A p0: bad; A p1: bad; A p2: bad and 3 more"),
    ],
)
def test_three_of_those_that_are_bad_are_named(bad: int, text: str) -> None:
    rows = [Row(position(f"p{number}"), *((WARNING, "bad") if number < bad else ())) for number in range(6)]
    made = verdict("positions", *rows)
    assert (made.text, made.state) == (text, WARNING if bad else OK)


def test_the_worst_is_named_first_and_decides() -> None:
    states = [WARNING, OK, UNKNOWN, CRITICAL]
    rows = [Row(quote(name), state, f"it is {state}") for name, state in zip("ABCD", states, strict=True)]
    made = verdict("quotes", *rows)
    assert made.text == "D: it is 2; C: it is 3; A: it is 1 and 1 more"
    assert made.state == CRITICAL
    for worst in (UNKNOWN, WARNING, OK):
        rows.pop(max(range(len(rows)), key=lambda at: (rows[at].state == CRITICAL, rows[at].state)))
        assert verdict("quotes", *rows).state == worst


def test_a_row_that_is_fine_is_called_by_its_name_and_no_row_is_a_state() -> None:
    assert verdict("quotes", Row(quote())).text == "A"
    assert verdict("quotes", Row(quote(None))).text == "live"
    assert verdict("quotes").text == "nothing there, which is a complete state"


@pytest.mark.parametrize(
    ("warn", "crit", "state", "why"),
    [
        (None, None, OK, ""),
        ("bid_price > 5", None, WARNING, "bid_price 7.50 (bid_price > 5)"),
        ("bid_price > 9", None, OK, ""),
        ("bid_price > 5", "bid_price  >\n 6", CRITICAL, "bid_price 7.50 (bid_price > 6)"),
        ("bid_price > 5", "bid_price > 9", WARNING, "bid_price 7.50 (bid_price > 5)"),
        ("bid_price > 5", "ask_price > 9", UNKNOWN, "ask_price is absent (ask_price > 9)"),
        (
            "ask_price > 5 or ask_size > 1",
            None,
            UNKNOWN,
            "ask_price, ask_size is absent (ask_price > 5 or ask_size > 1)",
        ),
        ("1 / (bid_price - 7.5) > 1", None, UNKNOWN, "a result is absent (1 / (bid_price - 7.5) > 1)"),
        ('symbol == "A"', None, WARNING, 'symbol A (symbol == "A")'),
        ("stale == false", None, WARNING, "stale false (stale == false)"),
        ("not stale", None, WARNING, "stale false (not stale)"),
    ],
)
def test_why_a_record_is_not_fine(warn: str | None, crit: str | None, state: int, why: str) -> None:
    seen = Seen()
    seen.stale = False
    made = [None if text is None else condition(text, fields_of("quotes"), "-w") for text in (warn, crit)]
    assert judged(quote(bid_price=Decimal("7.50")), seen, *made) == (state, why)


def test_a_text_of_any_length_is_told_in_a_hundred_characters() -> None:
    for length in (100, 101):
        record = quote("x" * length)
        _, why = judged(record, Seen(), condition('symbol != "A"', fields_of("quotes"), "-w"), None)
        assert why == f'symbol {"x" * 100 if length == 100 else "x" * 99 + "…"} (symbol != "A")'


# --- figures


def test_the_figures_of_a_book_are_those_of_its_best_levels() -> None:
    found = figures(book(bids=((9, 1), (8, 2)), asks=((11, 3), (12, 4))), fields_of("book"))
    assert found == {
        "bid_price": 9, "bid_size": 1, "ask_price": 11, "ask_size": 3, "mid": 10, "spread": 2, "spread_bps": 2000,
    }  # fmt: skip
    assert figures(book(bids=((9, 1),)), fields_of("book")) == {"bid_price": 9, "bid_size": 1}
    assert figures(book(), fields_of("book")) == {}


def test_figures_are_numbers_that_are_no_times_and_no_ids() -> None:
    record = position("7", size=Decimal(2), leverage=None, time=5, unrealized_pnl=Decimal("-1.5"))
    assert figures(record, fields_of("positions")) == {"size": 2, "unrealized_pnl": Decimal("-1.5")}


@pytest.mark.parametrize(
    ("places", "shown"),
    [(39, f"0.{'0' * 38}7"), (MOST_PLACES, f"0.{'0' * 39}7"), (MOST_PLACES + 1, "0.000000")],
)
def test_of_very_many_places_some_are_shown(places: int, shown: str) -> None:
    made = verdict("quotes", Row(quote(bid_price=Decimal(7).scaleb(-places))))
    assert nagios(made) == f"QUOTES OK: v A | bid_price={shown}"


def test_a_quotient_has_six_places() -> None:
    made = verdict("book", Row(book(bids=((2, 1),), asks=((5, 1),))))
    assert "spread_bps=8571.428571" in nagios(made)


# --- each format whole


def test_the_line_of_a_plug_in() -> None:
    figures = {"size": Decimal(2), "unrealized_pnl_pct": Decimal(5)}
    one, two = position("p1", **figures), position("p 2", **figures)
    assert nagios(verdict("positions", Row(one), age_ms=1_250)) == (
        "POSITIONS OK: v A p1 | size=2 unrealized_pnl_pct=5% age=1.250s"
    )
    assert nagios(verdict("positions", Row(one), Row(two), age_ms=0)) == (
        "POSITIONS OK: v 2 rows | 'A p1 size'=2 'A p1 unrealized_pnl_pct'=5% 'A p 2 size'=2 "
        "'A p 2 unrealized_pnl_pct'=5% age=0.000s"
    )
    assert nagios(verdict("positions", Row(one), live=False)) == "POSITIONS OK: v A p1"
    assert nagios(verdict("positions")) == "POSITIONS OK: v: nothing there, which is a complete state"
    without = verdict("positions", Row(one), age_ms=1)
    without.fields = None
    assert nagios(without) == "POSITIONS OK: v A p1"
    without.text = "v has no such stream"
    assert nagios(without) == "POSITIONS OK: v has no such stream"


@pytest.mark.parametrize(
    ("symbol", "label"),
    [
        ("A|B", "'A/B p{} size'"),
        ("A=B", "'A-B p{} size'"),
        ("A'B", "'A`B p{} size'"),
        ("x" * 200, f"'{'x' * 199}…'"),
        ("x" * 192, f"'{'x' * 192} p{{}} size'"),  # two hundred
        ("x" * 193, f"'{'x' * 193} p{{}} si…'"),
    ],
)
def test_a_label_does_not_break_a_line(symbol: str, label: str) -> None:
    rows = [Row(position(f"p{number}", symbol, size=Decimal(1))) for number in range(2)]
    data = nagios(verdict("positions", *rows)).partition(" | ")[2]
    assert data == " ".join(f"{label.format(number)}=1" for number in range(2))


def test_the_object_of_json() -> None:
    fine, bad = Row(quote(None)), Row(quote("B"), WARNING, "bad")
    made = json.loads(in_format(verdict("quotes", fine, bad, age_ms=5), "json", 0))
    assert [(row["name"], row["state"], row.get("why"), row["record"]["type"]) for row in made.pop("rows")] == [
        ("quote", "OK", None, "quote"), ("B", "WARNING", "bad", "quote"),
    ]  # fmt: skip
    assert made == {
        "state": "WARNING", "code": 1, "stream": "quotes", "venue": "v", "env": "sim", "text": "B: bad", "live": True,
        "age_ms": 5,
    }  # fmt: skip
    assert json.loads(in_format(verdict("quotes", fine, env=None, age_ms=5, live=False), "json", 0)) == {
        "state": "OK", "code": 0, "stream": "quotes", "venue": "v", "text": "live", "live": False,
    }  # fmt: skip
    assert "age_ms" not in json.loads(in_format(verdict("quotes", fine), "json", 0))


UP = """# HELP mon_up Whether the stream is live and its state complete.
# TYPE mon_up gauge
mon_up{venue="v",env="ENV",stream="STREAM"} LIVE
# HELP mon_check_time_seconds When this was written, since the epoch.
# TYPE mon_check_time_seconds gauge
mon_check_time_seconds{venue="v",env="ENV",stream="STREAM"} 1.500
"""
AGE = """# HELP mon_data_age_seconds The age of the latest data.
# TYPE mon_data_age_seconds gauge
mon_data_age_seconds{venue="v",env="sim",stream="positions"} 1.250
"""
POSITIONS = """# HELP mon_positions_size size of a position
# TYPE mon_positions_size gauge
mon_positions_size{venue="v",env="sim",symbol="A",key="p1"} 2
mon_positions_size{venue="v",env="sim",symbol="",key="p2"} 3
# HELP mon_positions_unrealized_pnl_ratio unrealized pnl ratio of a position
# TYPE mon_positions_unrealized_pnl_ratio gauge
mon_positions_unrealized_pnl_ratio{venue="v",env="sim",symbol="A",key="p1"} 0.05
"""


def up(stream: str, env: str = "sim", live: int = 1) -> str:
    return UP.replace("STREAM", stream).replace("ENV", env).replace("LIVE", str(live))


def test_the_metrics_of_prometheus() -> None:
    rows = [
        Row(position("p1", size=Decimal(2), unrealized_pnl_pct=Decimal(5))),
        Row(position("p2", None, size=Decimal(3))),
    ]
    made = verdict("positions", *rows, age_ms=1_250)
    assert prometheus(made, 1_500) == in_format(made, "prometheus", 1_500) == up("positions") + AGE + POSITIONS
    made.age_ms = None
    assert prometheus(made, 1_500) == up("positions") + POSITIONS
    made.live = False
    assert prometheus(made, 1_500) == up("positions", live=0)
    assert prometheus(verdict("quotes", env=None), 1_500) == up("quotes", "production")


def test_series_that_would_be_one_are_numbered() -> None:
    """Their keys differ only in what is cut off."""
    long = "x" * 250
    names = [f"{long}1", f"{long}2", "b", f"{long}3"]
    rows = [Row(position(name, size=Decimal(number))) for number, name in enumerate(names)]
    text = prometheus(verdict("positions", *rows), 0)
    made = [line.partition('key="')[2] for line in text.splitlines() if line.startswith("mon_positions_size{")]
    cut, numbered = "x" * 199, "x" * 196
    assert made == [f'{cut}…"}} 0', f'#2 {numbered}…"}} 1', 'b"} 2', f'#3 {numbered}…"}} 3']


def test_of_the_candles_of_a_symbol_the_newest_counts() -> None:
    def candle(symbol: str, start: int) -> Row:
        nothing: dict[str, Any] = dict.fromkeys(("open", "high", "low", "close"), Decimal(1))
        given = {"interval": "1m", "start": start, "end": start + 1, "closed": False, "complete": True, **nothing}
        return Row(Candle(venue="v", symbol=symbol, received=0, **given))

    rows = [candle("A", 1), candle("B", 1), candle("A", 2), Row(quote())]
    assert newest(rows) == rows[1:]
