"""What a person sees of signals and of a private feed: shapes, counts, ages, and nothing that can do harm."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cli.output import cells, payload, queues
from cli.run.options import StreamRequest, check_together
from cli.screen.header import Rate
from cli.screen.look import Look
from cli.screen.pane import Pane, Title
from cli.screen.table import Table
from cli.views import feed, signals, tail
from tests import recorded as fixtures
from tests.command import environment, mon, records
from tests.drawn import Clock, look_of
from venues.errors import UsageError
from venues.records import AnyRecord, Message, Signal, Status
from venues.redaction import Redactor
from venues.streams import STREAMS

NOW = 1_795_303_742_500
LOOK = look_of()
HOSTILE = "\x1b[31mred\x07\u202e[bold]"
DECODER = msgspec.json.Decoder(AnyRecord, float_hook=Decimal)
ANY = msgspec.json.Decoder(float_hook=Decimal)
FIXTURES = Path(__file__).parent / "fixtures" / "nbt"


def shown(text: str) -> str:
    """The line of a JSON text."""
    return payload.line_of(ANY.decode(text), LOOK.clock)


def message(topic: str, data: Any = None, ago: int = 300) -> Message:
    return Message(venue="nbt", received=NOW - ago, topic=topic, data=data)


def through_queue(*messages: Any) -> list[Any]:
    waiting = feed.queue()
    waiting.put(messages)
    return waiting.take()


def view_of(*messages: Any) -> feed.FeedView:
    view = feed.view(LOOK)
    for one in through_queue(*messages):
        view.add(one)
    return view


def text_of(view: Any, width: int = 80, height: int = 24) -> list[str]:
    return [line.plain.rstrip() for line in view.lines(width, height)]


# --- data as a line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "line"),
    [
        # profitview-signal-bots.md
        (
            '{"bid":[21601,170000],"ask":[21601.5,223000],"time":1678364572949}',
            "quote 21601 × 170000 / 21601.5 × 223000 · 12:22:52.949",
        ),
        (
            '{"side":"Buy","price":21611.5,"size":200.0,"time":1678364683876}',
            "trade ▲ Buy 200.0 @ 21611.5 · 12:24:43.876",
        ),
        (
            '{"time":1678364640000,"open":1,"high":2.50,"low":0.5,"close":2,"volume":10}',
            "candle open 1 · high 2.50 · low 0.5 · close 2 · volume 10 · 12:24:00.000",
        ),
        ('{"src":"bitmex","sym":"XBTUSD","size":-0.5}', "signal bitmex XBTUSD size -0.5"),
        ('{"src":"bitmex","sym":"XBTUSD","mid":30000}', "signal bitmex XBTUSD mid 30000"),
        ('{"quote":[30000,30001.50]}', "signal quote 30000 / 30001.50"),
        ('{"quote":30000}', "signal quote 30000"),
        # nearly so, but not
        ('{"size":5}', "size 5"),
        ('{"src":"bitmex","sym":"XBTUSD"}', "src bitmex · sym XBTUSD"),
        ('{"bid":[1,2,3],"ask":[1,2]}', "bid [1, 2, 3] · ask [1, 2]"),
        ('{"bid":1,"ask":2}', "bid 1 · ask 2"),
        ('{"side":"up","price":1,"size":2}', "side up · price 1 · size 2"),
        ('{"side":"Buy","price":"1","size":2}', "side Buy · price 1 · size 2"),
        ('{"open":1,"high":2,"low":true,"close":1}', "open 1 · high 2 · low true · close 1"),
        # all else; the first is wire-facts.md's merton_theo
        (
            '{"sym":"XBTUSD","market":"bitmex","theo":21600.250,"diff_bps":-1.5,"quote_bid":null}',
            "sym XBTUSD · market bitmex · theo 21600.250 · diff_bps -1.5 · quote_bid null",
        ),
        ("null", "—"),
        ("{}", "{}"),
        ("[]", "[]"),
        ('"hello"', "hello"),
        ("true", "true"),
        ("1.50", "1.50"),
        ("1e5", "100000"),
        ("1e-8", "0.00000001"),
        ("1e400", "1E+400"),
        ('{"a":{"b":[1,"x",{"c":null}]}}', 'a {b: [1, "x", {c: null}]}'),
        ("[[[[[[[[1]]]]]]]]", "[[[[[[…]]]]]]"),
        ('{"a":{"b":{"c":{"d":{"e":{"f":{"g":1}}}}}}}', "a {b: {c: {d: {e: {f: …}}}}}"),
    ],
)
def test_data_is_laid_out(data: str, line: str) -> None:
    assert shown(data) == line


class Counted(dict[str, Any]):
    """Knows how many of its items were looked at."""

    looked_at = 0

    def items(self) -> Any:
        for item in super().items():
            self.looked_at += 1
            yield item


def test_what_is_huge_is_bounded_and_never_walked_through() -> None:
    huge = Counted({f"k{number}": [number] * 10 for number in range(10_000)})
    for data in (huge, [1] * 100_000, "x" * 1_000_000, 10**4000, {"n": Decimal("1e999999")}):
        assert len(payload.line_of(data, LOOK.clock)) <= payload.LONGEST
    assert huge.looked_at < 100


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (
            '{"open":1,"high":4,"low":0.5,"close":2,"volume":7,"time":1,"src":"v","sym":"A"}',
            "candle v A open 1 · high 4 · low 0.5 · close 2 · volume 7 · AT 1",
        ),
        ('{"open":1,"high":4,"low":0.5,"close":2}', "candle open 1 · high 4 · low 0.5 · close 2"),
        ('{"bid":[1,2],"ask":[3,4],"time":2,"src":"v","sym":"A"}', "quote v A 1 × 2 / 3 × 4 · AT 2"),
        ('{"bid":[1,2],"ask":[3,4]}', "quote 1 × 2 / 3 × 4"),
        ('{"side":"Buy","price":1,"size":2,"time":0,"src":"v","sym":"A"}', "trade v A ▲ Buy 2 @ 1 · AT 0"),
        ('{"side":"sell","price":1,"size":2}', "trade ▼ sell 2 @ 1"),
        *(
            (f'{{"src":"v","sym":"A","{kind}":0.5}}', f"signal v A {kind} 0.5")
            for kind in ("size", "mid", "bid", "ask", "quote")
        ),
        ('{"size":1}', "signal size 1"),
        ('{"size":-1}', "signal size -1"),
        ('{"size":1.01}', "size 1.01"),
        ('{"size":-1.01}', "size -1.01"),
        ('{"mid":1.01}', "signal mid 1.01"),
        ('{"quote":[1,2]}', "signal quote 1 / 2"),
        ('{"mid":[1,2]}', "mid [1, 2]"),
        ('{"mid":1,"bid":2}', "mid 1 · bid 2"),
        ('{"other":1}', "other 1"),
        ('{"src":"v"}', "src v"),
        ('{"mid":1,"sym":5}', "signal mid 1"),
    ],
)
def test_each_shape_is_one_with_all_that_may_be_in_it_and_with_no_more_than_must_be(data: str, line: str) -> None:
    assert payload.line_of(ANY.decode(data), lambda time: f"AT {time}") == line


def test_the_names_before_the_figures_are_cut() -> None:
    name = "x" * (cells.LONGEST_NAME + 1)
    shown = payload.line_of({"src": name[1:], "sym": name, "mid": 1}, LOOK.clock)
    assert shown == f"signal {name[1:]} {name[2:]}… mid 1"


def test_a_number_is_never_cut_into_another() -> None:
    line = "price 12345.678 · size 100"
    assert [payload.cut(line, width) for width in (26, 25, 18, 16, 15, 10, 5, 2)] == [
        line,
        "price 12345.678 · size…",
        "price 12345.678…",
        "price 12345.678…",
        "price…",
        "price…",
        "pric…",
        "p…",
    ]
    assert payload.cut("123456789", 5) == "…"
    assert payload.cut("1.25e-12", 6) == "…"
    assert payload.cut("\\x1b[31mred[bold]", 13) == "\\x1b[31mred[…"
    assert payload.cut("BTC-65000.25USDT", 9) == "BTC…"
    assert payload.cut("BTC-65000.25USDT", 14) == "BTC-65000.25U…"


SOME_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["bid", "ask", "time", "side", "price", "size", "src", "sym", "quote", "mid", "open"])
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(SOME_JSON, st.integers(1, 120))
def test_any_data_is_one_harmless_line(data: Any, width: int) -> None:
    line = payload.line_of(data, LOOK.clock)
    assert line.isprintable()
    assert len(line) <= payload.LONGEST
    assert cell_len(payload.cut(line, width)) <= width


# --- one row a topic -----------------------------------------------------------------------------------------------


def test_one_row_a_topic_with_its_latest_data_count_and_age() -> None:
    view = view_of(
        message("theo", {"n": 1}, ago=9_000),
        message("quote", {"bid": [1, 2], "ask": [3, 4]}),
        message("theo", {"n": 2}),
    )
    assert text_of(view) == [
        "topic  count  age  data",
        "theo       2  0 s  n 2",
        "quote      1  0 s  quote 1 × 2 / 3 × 4",
    ]
    assert text_of(feed.view(LOOK)) == ["no message yet"]


def test_counts_are_right_whatever_the_queue_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MOST_EVENTS", 50)
    rare = message("rare")
    rows = through_queue(rare, *[message(f"t{number % 7}", number) for number in range(10_000)])
    assert len(rows) <= 51
    latest = {row.topic: row for row in rows}
    assert {topic: row.number for topic, row in latest.items()} == {
        "rare": 1,
        **{f"t{number}": 1429 if number < 4 else 1428 for number in range(7)},
    }
    assert max(row.data for row in rows if row.topic != "rare") == 9_999


def test_the_queue_keeps_what_happens_in_order_and_no_more_statuses_than_it_must() -> None:
    def status(number: int) -> Status:
        return Status(venue="nbt", received=number, stream="feed", state="live")

    waiting = feed.queue()
    waiting.put([message("a"), status(1), message("a"), message("b"), status(2)])
    assert [getattr(one, "number", one.received) for one in waiting.take()] == [1, 1, 2, 1, 2]
    assert waiting.take() == []
    waiting.put([status(number) for number in range(feed.MOST_EVENTS + 5)])
    kept = waiting.take()
    assert len(kept) <= queues.MOST_STATUSES
    assert kept[-1].received == feed.MOST_EVENTS + 4


def test_thousands_of_topics_are_bounded_and_none_is_counted_as_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MOST_TOPICS", 100)
    view = view_of(*[message(f"t{number}", number) for number in range(150)], message("t149", 7), message("t0", 1))
    lines = text_of(view, height=200)
    assert len(lines) == 102
    assert lines[1].split() == ["t0", "2", "0", "s", "1"]
    assert lines[-1].split() == ["(all", "other", "topics)", "51", "0", "s", "t149:", "7"]
    short = text_of(view, height=10)
    assert len(short) == 10
    assert short[-1] == "… and 93 more topics"


def test_an_interruption_is_said_and_dims_what_is_from_before_it() -> None:
    view = view_of(message("a", 1), message("b", 2))
    view.start_over()
    for one in through_queue(message("b", 3)):
        view.add(one)
    lines = view.lines(80, 24)
    assert lines[-1].plain == "interrupted: messages may have been missed, and are in no count"
    dim = {line.plain.split()[0]: any("dim" in str(span.style) for span in line.spans) for line in lines[1:3]}
    assert dim == {"a": True, "b": False}


def test_hostile_topics_and_data_are_harmless() -> None:
    wild = message(HOSTILE * 100, {HOSTILE: HOSTILE, "list": [HOSTILE] * 1000})
    for view in (view_of(wild), tail.view(LOOK)):
        view.add(through_queue(wild)[0])
        for line in text_of(view):
            assert line.isprintable()
            assert "[bold]" in line or "topic" in line


@pytest.mark.parametrize("long", ["topic_" * 20, "題" * 90])
def test_a_long_topic_leaves_room_for_the_data(long: str) -> None:
    one = message(long, {"theoretical_price": Decimal("65000.25")})
    tailing = tail.view(LOOK)
    tailing.add(one)
    for view in (view_of(one), tailing):
        row = text_of(view)[1]
        assert row.endswith("theoretical_price 65000.25")
        assert "…  " in row
        assert cell_len(next(word for word in row.split() if word.endswith("…"))) in (25, 26), "a third of the screen"


@pytest.mark.parametrize("width", [24, 33, 61, 80, 200])
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    rows = [message("a topic of some length", {f"key{n}": n * 1_000_003 for n in range(40)}), message("b", "漢字" * 99)]
    tailing = tail.view(LOOK)
    for one in rows:
        tailing.add(one)
    for view in (view_of(*rows), tailing):
        for line in view.lines(width, 24):
            assert line.cell_len <= width
            for word in line.plain.split():
                number = word.strip("…·")
                assert not number.isdigit() or int(number) % 1_000_003 == 0 or int(number) < 400


def test_tail_is_one_line_a_message_newest_first() -> None:
    view = tail.view(LOOK)
    for one in (message("a", {"n": 1}, ago=2_000), message("b", None, ago=1_000)):
        view.add(one)
    view.start_over()
    view.add(message("a", {"n": 2}))
    assert text_of(view) == [
        "        time  topic  data",
        "23:29:02.200  a      n 2",
        "── interrupted: events may have been missed ──",
        "23:29:01.500  b      —",
        "23:29:00.500  a      n 1",
    ]


# --- signals -------------------------------------------------------------------------------------------------------


def rows(name: str) -> list[Any]:
    lines = fixtures.outcome(FIXTURES / f"{name}.frames.jsonl").splitlines()
    return [DECODER.decode(line) for line in lines if line.startswith('{"type":"signal"')]


def signals_of(records_of: list[Any], width: int = 100, look: Look = LOOK) -> list[str]:
    view = signals.view(look)
    for one in records_of:
        view.add(one)
    return text_of(view, width)


def test_signals_newest_first_in_words() -> None:
    received = rows("signals--document-socketio-2")
    shown = signals_of(received, look=look_of(Clock(received[-1].received)))
    assert shown == [
        "        time  signal       side     pair       price  strategy  user  score  size",
        "06:32:10.800  exit long    ▲ long   BTCUSDT  9264.13  trend     ann       —     —",
        "06:32:10.700  enter short  ▼ short  BTCUSDT  9264.13  trend     ann       —     —",
        "06:32:10.600  exit short   ▼ short  BTCUSDT  9264.13  trend     ann       —     —",
        "06:32:10.500  enter long   ▲ long   BTCUSDT  9264.13  trend     ann       —     —",
    ]
    traded = rows("signals--traded")
    assert [line.split("  ")[1] for line in signals_of(traded, look=look_of(Clock(traded[-1].received)))[1:]] == [
        "stop",
        "close",
        "traded: enter short",
        "traded_buy_signal",
    ]
    assert signals_of([]) == ["no signal yet"]


def test_sides_have_colours() -> None:
    view = signals.view(look_of(color=True))
    for one in rows("signals--document-socketio-2"):
        view.add(one)
    styles = [{str(span.style) for span in line.spans} for line in view.lines(100, 24)[1:]]
    assert styles == [{"green"}, {"red"}, {"red"}, {"green"}]


def test_signals_of_bots_have_columns_when_there_are_any() -> None:
    common: dict[str, Any] = {"venue": "nexus", "symbol": "A", "received": NOW, "name": "signal"}
    head, *lines = signals_of(
        [
            Signal(**common, mid=Decimal(30000)),
            Signal(**common, quote=[Decimal(1), Decimal("2.50")]),
            Signal(**common, size=Decimal("0.5"), time=NOW - 1000),
        ]
    )
    assert head.split() == [
        "time",
        "signal",
        "side",
        "pair",
        "price",
        "mid",
        "quote",
        "strategy",
        "user",
        "score",
        "size",
    ]
    assert "1 / 2.50" in lines[1]
    assert lines[0].startswith("23:29:01.500")


def test_a_quote_is_a_figure_that_is_never_cut() -> None:
    both = [Decimal("123456789012345678.123456789012345678")] * 2
    for width in range(24, 200, 5):
        head, row = signals_of([Signal(venue="nbt", received=NOW, name="quote", quote=both)], width)
        assert "quote" not in head or f"{both[0]} / {both[1]}" in row or "123" not in row, width
    assert f"{both[0]} / {both[1]}" in row


def test_a_hostile_signal_is_harmless() -> None:
    wild = dict.fromkeys(("symbol", "strategy", "user", "strategy_id", "trading_type"), HOSTILE * 50)
    for width in (24, 80, 200):
        for line in signals_of([Signal(venue="nbt", received=NOW, name=HOSTILE, **wild)], width):
            assert line.isprintable()
            assert cell_len(line) <= width


# --- the commands --------------------------------------------------------------------------------------------------


def test_the_table_draws_what_the_queue_gives() -> None:
    redactor = Redactor()
    redactor.learn({"key": "a-long-secret"})
    title = Title("nbt", "sim", [], STREAMS["feed"], partial=False)
    pane = Pane(feed.view, title, LOOK, Rate(clock=lambda: 0.0), redactor)
    table = Table(pane, LOOK, on_terminal=False)
    live = Status(venue="nbt", received=NOW, stream="feed", state="live")
    table.write(through_queue(live, message("a", "x"), message("a", "y a-long-secret z")))
    lines = [line.plain.rstrip() for line in table.frame(80, 8)]
    assert lines[0].split() == ["nbt", "SIM", "LIVE", "feed", "age", "0", "s", "0.0", "msg/s", "UTC"]
    assert lines[3] == "a          2  0 s  y [key] z"
    assert table.frame(80, 8)[3].plain == lines[3]


def test_counts_are_right_after_a_long_freeze(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MOST_EVENTS", 50)
    waiting = feed.queue()
    title = Title("nbt", "sim", [], STREAMS["feed"], partial=False)
    pane = Pane(feed.view, title, LOOK, Rate(clock=lambda: 0.0), Redactor())
    pane.freeze()
    for one in (message("rare"), *[message(f"t{number % 7}", number) for number in range(500)]):
        waiting.put([one])
        pane.write(waiting.take())
    assert [line.plain for line in pane.body(80, 24)] == ["no message yet"]
    pane.thaw()
    counts = {line.plain.split()[0]: int(line.plain.split()[1]) for line in pane.body(80, 24)[1:]}
    assert counts == {"rare": 1, **{f"t{number}": 72 if number < 3 else 71 for number in range(7)}}


def test_a_replay_as_a_table_as_a_tail_and_as_lines(tmp_path: Path) -> None:
    env = environment(tmp_path, COLUMNS="100", TZ="UTC")
    play = ("feed", "nbt", "--replay", str(FIXTURES / "feed--facts.frames.jsonl"), "--speed", "max")
    table = mon(*play, "-o", "table", env=env).stdout.splitlines()
    assert [line.split()[:2] for line in table[2:]] == [["topic", "count"], ["message", "3"], ["user_payload", "1"]]
    lines = mon(*play, "-o", "table", "--tail", env=env).stdout.splitlines()
    assert [line.split()[1] for line in lines[2:]] == ["topic", "message", "message", "user_payload", "message"]
    data = mon(*play, env=env).stdout
    assert [record["topic"] for record in records(data)] == ["message", "user_payload", "message", "message"]
    assert '{"n":1.10,"deep":[[1e5]]}' in data


@pytest.mark.parametrize("options", [{"output": "jsonl"}, {"output": "csv"}, {"raw": True}])
def test_tail_is_for_tables(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--tail applies to a table"):
        check_together(StreamRequest(venue="nbt", tail=True, **options))


def test_tail_is_for_feeds(tmp_path: Path) -> None:
    done = mon("signals", "nbt", "--tail", env=environment(tmp_path))
    assert done.returncode == 2
    assert "--tail" in done.stderr
