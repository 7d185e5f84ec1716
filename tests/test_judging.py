"""What `--where` and `--until` make of a stream: the judge alone, and the command on recordings."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from cli.errors import NO_DATA, OK, NoDataError
from cli.output.conditions import condition
from cli.output.fields import Fields
from cli.output.lines import Limit, Unprinted, Words
from cli.output.standing import Stands
from cli.output.states import StateQueue
from cli.output.turns import Turns
from cli.run.conditioned import Conditioned
from cli.run.freshness import Every
from cli.run.judging import Judge, Judged
from cli.run.options import StreamRequest
from cli.run.watch import watch
from tests.bot.recordings import BEGIN, SYMBOL, Tick, came, frame, opened, write
from tests.bot.recordings import book as made_book
from tests.recorded import FOLDER
from tests.run.judged import Stage, book, bought, position, told
from tests.test_slow_readers import Lines, Venue, needs_linux, wait_for, watched
from venues import venue_named
from venues.errors import UsageError
from venues.records import Book, Position, State, Status, Trade
from venues.redaction import Redactor
from venues.venue import Now, Subscription


def test_a_row_that_stops_matching_or_goes_is_told_once_more() -> None:
    stage = Stage("positions", rows=True, where="size > 5")
    live = stage.status("live")
    first = [position("a", 9, "snapshot"), position("b", 1, "snapshot"), position("c", 7, "snapshot"), stage.end(3)]
    assert told(stage.said(live, *first)) == ["live", ("a", "snapshot", None), ("c", "snapshot", None), 2]
    assert told(stage.said(position("b", 2))) == []
    assert told(stage.said(position("b", 8))) == [("b", "update", None)]
    assert told(stage.said(position("a", 3))) == [("a", "remove", False)]
    assert told(stage.said(position("a", 2))) == []
    assert told(stage.said(position("a", 2, "remove"))) == []
    assert told(stage.said(position("c", 0, "remove"))) == [("c", "remove", None)]
    assert told(stage.said(position("d", 6, "remove"))) == [("d", "remove", None)]  # the removal itself matches


@pytest.mark.parametrize(("rows", "until"), [(False, 11.5), (True, None)])
def test_a_match_may_be_too_late_for_its_reader_only_where_no_row_tells_that_it_stopped(
    rows: bool, until: float | None
) -> None:
    stage = Stage("positions", rows=rows, where="size > 5")
    stage.said(stage.status("live"))
    stage.now = Now(10.0, BEGIN + 10_000)
    matching = position("a", 9)
    assert told(stage.said(matching)) == [("a", "update", None)]
    assert stage.judge.good_until(matching) is None
    stage.now = Now(11.0, BEGIN + 11_000)
    assert told(stage.said(position("a", 3))) == ([("a", "remove", False)] if rows else [])
    assert stage.judge.good_until(matching) == until


def test_in_a_new_full_state_what_stopped_matching_is_told_before_the_rows_that_are_counted() -> None:
    stage = Stage("positions", rows=True, where="size > 5")
    stage.said(stage.status("live"), position("a", 9, "snapshot"), position("b", 9, "snapshot"), stage.end(2))
    assert told(stage.said(stage.status("reconnecting"))) == ["reconnecting"]
    again = [position("b", 8, "snapshot"), position("a", 1, "snapshot"), position("c", 6, "snapshot"), stage.end(3)]
    assert told(stage.said(stage.status("live"), *again)) == [
        "live", ("a", "remove", False), ("b", "snapshot", None), ("c", "snapshot", None), 2,
    ]  # fmt: skip


def test_while_a_stream_is_not_live_no_record_matches() -> None:
    stage = Stage("trades", where="price > 1")
    assert stage.said(bought("2")) == []
    stage.said(stage.status("live"))
    assert len(stage.said(bought("2"), bought("1"))) == 1
    stage.said(stage.status("stale"))
    assert stage.said(bought("2")) == []


def test_the_record_before_is_none_after_an_interruption() -> None:
    stage = Stage("trades", where="price > prev.price")
    stage.said(stage.status("live"))
    assert [len(stage.said(bought(price))) for price in ("1", "2", "2", "3")] == [0, 1, 0, 1]
    stage.said(stage.status("reconnecting"), stage.status("live"))
    assert [len(stage.said(bought(price))) for price in ("9", "10")] == [0, 1]


@pytest.mark.parametrize(
    ("interrupted", "forgotten"),
    [(None, {"A", "B"}), ("A", {"A"})],  # the whole stream, or one of its symbols
)
def test_of_several_symbols_only_those_that_were_interrupted_have_no_record_before(
    interrupted: str | None, forgotten: set[str]
) -> None:
    names = ("A", "B")
    judge = Judge(
        Judged(Trade, events=True, rows=False),
        Stands("trades", names, partial=False),
        now=lambda: Now(0.0, BEGIN),
        where=(where := condition("price > prev.price", Fields("trades", Trade), "--where")),
        conditions=[where],
        symbols=names,
    )

    def see(state: State, symbol: str | None) -> None:
        judge.passes([Status(venue="v", received=0, stream="trades", symbol=symbol, state=state)])

    def matches(price: str) -> set[str | None]:
        return {one.symbol for name in names for one in judge.passes([structs.replace(bought(price), symbol=name)])}  # type: ignore[union-attr]

    for name in names:
        see("live", name)
    assert matches("1") == set()
    assert matches("2") == {"A", "B"}
    see("reconnecting", interrupted)
    for name in names:
        see("live", name)
    assert matches("3") == {"A", "B"} - forgotten


def test_an_age_is_looked_at_every_quarter_of_a_second_and_ends_the_wait() -> None:
    stage = Stage("trades", until="age_ms >= 1000", answers=True)
    stage.said(stage.status("live"), bought("1"))
    due = stage.judge.deadline()
    found: list[Any] = []
    while not found:
        assert due == pytest.approx(stage.now.mono + 0.25)
        stage.now = Now(due, BEGIN + round(due * 1000))
        found = stage.judge.tick(stage.now)
        due = stage.judge.deadline() or 0.0
    assert stage.now.mono == pytest.approx(1.0)
    assert found[0].state == "live"
    assert stage.judge.is_over


def test_what_is_said_of_a_record_and_its_age_becomes_true_with_time_while_the_stream_is_live() -> None:
    def match_after(*items: Any) -> Any:
        stage = Stage("book", until="age_ms >= 500 and bids[0].price > 5", answers=True)
        stage.said(stage.status("live"), *(stage.status(item) if isinstance(item, str) else item for item in items))
        for quarter in range(1, 5):
            stage.now = Now(quarter / 4, BEGIN + 250 * quarter)
            if found := stage.judge.tick(stage.now):
                assert quarter == 2
                return found[0]
        return None

    six = book("6")
    assert match_after(six) is six
    assert match_after(book("4"), six) is six
    assert match_after(six, book("4")) is None
    assert match_after(six, "stale") is None
    assert match_after(six, "stale", "live") is None, "of the time after an interruption there is no record yet"


def test_nothing_but_the_match_is_an_answer_and_nothing_comes_after_it() -> None:
    stage = Stage("trades", until="price > 2", answers=True)
    assert stage.said(stage.status("live"), bought("1"))[1:] == []
    match = bought("3")
    assert stage.said(bought("2"), match, bought("4")) == [match]
    assert stage.judge.match is match
    assert stage.said(bought("5")) == []


def test_with_once_the_match_is_one_of_the_first_complete_state() -> None:
    rows = Stage("positions", rows=True, until="size > 5", answers=True, once="snapshot_end")
    assert told(rows.said(rows.status("live"), position("a", 1, "snapshot"))) == ["live"]
    assert not rows.judge.is_over
    assert rows.said(rows.end(1), position("a", 9)) == []
    assert (rows.judge.is_over, rows.judge.match) == (True, None)
    books = Stage("book", until="bids[0].price > 5", answers=True, once="record")
    assert told(books.said(books.status("live"))) == ["live"]
    assert not books.judge.is_over
    assert books.said(book("1")) == []
    assert (books.judge.is_over, books.judge.match) == (True, None)


def test_no_end_of_a_full_state_is_an_answer() -> None:
    stage = Stage("positions", rows=True, until="size > 5", answers=True)
    assert told(stage.said(stage.status("live"), position("a", 1, "snapshot"), stage.end(1))) == ["live"]
    assert told(stage.said(position("a", 6))) == [("a", "update", None)]


def test_a_state_that_does_not_match_is_stood_for_where_that_counts() -> None:
    stage = Stage("book", where="bids[0].price > 5", stands_for=True)
    items = stage.said(stage.status("live"), book("1"), book("6"))
    assert [type(item) for item in items] == [Status, Unprinted, Book]


def test_a_match_that_is_superseded_may_not_wait_for_long() -> None:
    stage = Stage("book", where="bids[0].price > 5")
    stage.said(stage.status("live"), book("6"))
    assert stage.judge.good_until(book("6")) is None
    stage.now = Now(1.0, BEGIN + 1000)
    stage.said(book("1"))
    assert stage.judge.good_until(book("6")) == pytest.approx(1.5)
    stage.said(book("7"))
    assert stage.judge.good_until(book("7")) is None


def test_a_run_ends_with_its_match_also_where_nothing_is_printed_of_it(tmp_path: Path) -> None:
    venue = Venue()
    with watched(venue, tmp_path, "quotes", "--until", 'state == "live"') as process:
        assert process.wait(20) == OK


@needs_linux
def test_a_match_that_was_superseded_long_ago_is_not_read_late(tmp_path: Path) -> None:
    venue = Venue()
    venue.until = 999
    where = "bid_price <= 200 or bid_price == 1000"
    with watched(venue, tmp_path, "quotes", "--where", where) as process:
        lines = Lines(process)
        lines.number()
        wait_for(lambda: venue.taken >= 990)
        over = time.monotonic() + 0.6  # mon may have been held up, and have read them only now
        wait_for(lambda: time.monotonic() > over)
        assert lines.number() < 200, "the one that lay in the pipe"
        venue.until = 1_000
        assert lines.number() == 1_000


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def trades(tmp_path: Path) -> Path:
    """Twenty trades at 1, 2, … 20, a second apart."""
    frames = [came(BEGIN + 1000 * n, frame(Tick(BEGIN + 1000 * n, str(n), "1", "BUY"))) for n in range(1, 21)]
    return write(tmp_path / "trades.jsonl", [*opened(BEGIN), *frames])


def outcome(capfd: pytest.CaptureFixture[str], file: Path, **options: Any) -> tuple[int, list[Any]]:
    """The exit code, and the prices of the trades or the states of the statuses that were printed."""
    request = StreamRequest("nexus", [SYMBOL], replay=file, speed=float("inf"), output="jsonl", **options)
    request.stream = "trades"
    try:
        code = watch(request, Words(quiet=True), Redactor())
    except NoDataError:
        code = NO_DATA
    printed = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    return code, [line.get("price", line.get("state")) for line in printed]


@pytest.mark.parametrize(
    ("options", "code", "printed"),
    [
        ({"where": "price > 17"}, OK, [18, 19, 20]),
        ({"where": "price > 17", "count": 2}, OK, [18, 19]),
        ({"where": "price > 17", "once": True}, OK, [18]),
        ({"where": "price > 20", "once": True}, NO_DATA, []),
        ({"where": "price > 20"}, OK, []),
        ({"until": "price > 17"}, OK, [18]),
        ({"until": "price > 20"}, NO_DATA, []),
        ({"until": "price > 20", "count": 3}, NO_DATA, []),
        ({"until": "price > 20", "once": True}, NO_DATA, []),
        ({"until": "price > 2", "once": True}, NO_DATA, []),
        ({"until": "price > 0", "once": True}, OK, [1]),
        ({"until": "price > 2", "where": "price < 2"}, OK, [1, 3]),
        ({"until": "price > 5", "where": "price > 1", "count": 2}, NO_DATA, [2, 3]),
        ({"until": 'state == "live"'}, OK, ["live"]),
        ({"until": "age_ms >= 750"}, OK, ["live"]),
    ],
)
def test_what_is_printed_and_how_it_ends(
    capfd: pytest.CaptureFixture[str], trades: Path, options: dict[str, Any], code: int, printed: list[Any]
) -> None:
    assert outcome(capfd, trades, **options) == (code, printed)


def test_the_ages_of_a_replay_are_those_at_which_its_records_came(
    capfd: pytest.CaptureFixture[str], trades: Path
) -> None:
    wanted: list[tuple[dict[str, Any], list[str]]] = [
        ({"fields": "age_ms"}, ['{"age_ms":0}'] * 20),
        ({"template": "{age_ms}"}, ["-", *"0" * 20]),
    ]
    for options, expected in wanted:
        request = StreamRequest("nexus", [SYMBOL], replay=trades, speed=float("inf"), output="auto", **options)
        request.stream = "trades"
        assert watch(request, Words(quiet=True), Redactor()) == OK
        assert capfd.readouterr().out.splitlines() == expected


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"where": "prize > 1"}, "did you mean price?"),
        ({"until": "price > 1", "raw": True}, "--until does not apply to --raw"),
    ],
)
def test_what_does_not_apply_is_refused_before_anything_is_opened(
    trades: Path, options: dict[str, Any], words: str
) -> None:
    request = StreamRequest("nexus", [SYMBOL], replay=trades, output="jsonl", **options)
    request.stream = "trades"
    with pytest.raises(UsageError, match=words):
        watch(request, Words(quiet=True), Redactor())


# --- on the way to the reader -----------------------------------------------------------------------------------------


def test_of_rows_that_have_no_full_state_only_the_latest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.run.judging.MOST_KEYS", 3)
    stage = Stage("positions", rows=True, where="size > 5")
    stage.said(stage.status("live"))
    for number in range(20):
        size = 9 if number % 2 else 1
        assert told(stage.said(position(str(number), size))) == [(str(number), "update", None)] * (number % 2)
        assert len(stage.judge._recent) == min(number + 1, 3)


def test_of_events_of_a_live_stream_that_come_together_those_that_match_are_passed_in_their_order() -> None:
    stage = Stage("trades", where="price > 5")
    live, first = stage.status("live"), bought("9")
    assert stage.said(live, first) == [live, first]
    several = [bought("6"), bought("1"), bought("8"), bought("5"), bought("7")]
    assert stage.said(*several) == [several[0], several[2], several[4]]
    assert stage.said(bought("2"), bought("3")) == []
    assert stage.said(bought("4")) == []


def left(name: str) -> Position:
    return Position(venue="v", received=0, position_id=name, size=Decimal(1), change="remove", match=False)


def test_a_row_that_stops_matching_while_it_waits_leaves_a_full_state_and_is_told_behind_it() -> None:
    turns = Turns()
    turns.add([position("a", 9, "snapshot"), position("b", 9, "snapshot"), Stage("positions").end(2)])
    turns.add([left("a")])
    assert told(turns.take()) == [("b", "snapshot", None), 1, ("a", "remove", False)]


def test_a_slow_reader_is_spared_what_a_row_that_comes_and_goes_was_between() -> None:
    turns = Turns()
    for _ in range(100):
        turns.add([position("a", 9)])
        turns.add([left("a")])
    assert told(turns.take()) == [("a", "remove", False)]


def test_every_thins_what_is_printed_and_leaves_no_phantom() -> None:
    every, printed = Every(1000), []
    for at, record in enumerate([position("a", 9), left("a"), position("a", 8), left("a")]):
        printed += every.passes([record], Now(at / 10, 0))
    assert told(printed) == [("a", "update", None)]
    assert told(every.tick(Now(1.0, 0))) == [("a", "remove", False)]


def test_a_superseded_match_is_not_handed_over_after_a_while() -> None:
    now, late = [0.0], {}

    class Slow:
        room, away = 1, None

        def is_slow(self) -> bool:
            return True

    queue = StateQueue(lambda: now[0], reader=Slow(), good_until=lambda record: late.get(record.symbol))
    queue.put([book("6")])
    late[None] = 1.5
    now[0] = 1.4
    assert len(queue.take()) == 1
    queue.put([book("6")])
    now[0] = 1.6
    assert queue.take() == []


@pytest.mark.parametrize(("where", "words"), [("size >= 0.1", "1 open"), ("size > 99", "nothing matches --where")])
def test_a_table_shows_the_rows_that_match_and_its_header_says_so(
    capfd: pytest.CaptureFixture[str], where: str, words: str
) -> None:
    recording = FOLDER / "b2trader" / "positions--document.frames.jsonl"
    request = StreamRequest("b2trader", replay=recording, speed=float("inf"), output="table", where=where)
    request.stream = "positions"
    assert watch(request, Words(quiet=True), Redactor()) == OK
    out = capfd.readouterr().out
    assert f"where {where}" in out
    assert words in out
    assert out.count("long") == (words == "1 open")


def test_a_table_of_a_state_that_does_not_match_shows_no_old_one(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    frames = [came(BEGIN + 1000 * n, made_book(BEGIN + 1000 * n, bid, "200")) for n, bid in enumerate(["101", "99"])]
    file = write(tmp_path / "b.jsonl", [*opened(BEGIN), *frames], streams=("book",))
    request = StreamRequest(
        "nexus", [SYMBOL], replay=file, speed=float("inf"), output="table", where="bids[0].price > 100"
    )
    request.stream = "book"
    assert watch(request, Words(quiet=True), Redactor()) == OK
    out = capfd.readouterr().out
    assert "nothing matches --where" in out
    assert "101" not in out


@pytest.mark.parametrize(
    ("bids", "options", "code", "printed"),
    [
        (("99", "101"), {"once": True}, NO_DATA, ["99"]),  # the match is behind the first state
        (("101", "99"), {"once": True}, OK, ["101"]),
        (("99", "101"), {"count": 1}, NO_DATA, ["99"]),
        (("99", "98", "101", "97"), {"count": 3}, OK, ["99", "98", "101"]),
    ],
)
def test_a_match_behind_all_that_was_asked_for_is_none(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    bids: tuple[str, ...],
    options: dict[str, Any],
    code: int,
    printed: list[str],
) -> None:
    frames = [came(BEGIN + n, made_book(BEGIN + n, bid, "200")) for n, bid in enumerate(bids)]
    file = write(tmp_path / "b.jsonl", [*opened(BEGIN), *frames], streams=("book",))
    request = StreamRequest(
        "nexus", [SYMBOL], replay=file, speed=float("inf"), output="jsonl",
        where="bids[0].price > 0", until="bids[0].price > 100", **options,
    )  # fmt: skip
    request.stream = "book"
    try:
        found = watch(request, Words(quiet=True), Redactor())
    except NoDataError:
        found = NO_DATA
    assert found == code
    assert [f"{json.loads(line)['bids'][0]['price']:.0f}" for line in capfd.readouterr().out.splitlines()] == printed


def conditioned(stream: str, **options: Any) -> Conditioned:
    return Conditioned(
        StreamRequest("nexus", [SYMBOL], **options),
        Subscription(stream, (SYMBOL,)),
        venue_named("nexus").streams[stream],
        as_table=False,
    )


@pytest.mark.parametrize(
    ("stream", "options", "counts"),
    [
        ("trades", {}, True),
        ("trades", {"replay": Path("r")}, True),
        ("book", {}, False),  # a slow reader does not get all of them
        ("book", {"replay": Path("r")}, True),
    ],
)
def test_the_match_is_one_of_so_many_where_all_are_printed(stream: str, options: dict[str, Any], counts: bool) -> None:
    both = conditioned(stream, where="symbol != 'A'", until="symbol == 'B'", count=3, **options)
    assert both.judge(now=lambda: Now(0.0, 0)).counts == counts
    answer = conditioned(stream, until="symbol == 'B'", count=3, **options)
    assert answer.judge(now=lambda: Now(0.0, 0)).counts, "nothing but the match is printed"


@pytest.mark.parametrize(
    ("stream", "options", "printed", "words"),
    [
        ("trades", {"where": "symbol == 'A'", "once": True}, False, "no match of --where came"),
        ("trades", {"where": "symbol == 'A'", "once": True}, True, None),
        ("trades", {"where": "symbol == 'A'"}, False, None),
        ("trades", {"on": ["symbol == 'A'"], "bell": True, "once": True}, False, None),
        ("book", {"where": "symbol == 'A'", "once": True}, False, None),  # the first state, matching or not, is awaited
    ],
)
def test_with_once_a_match_of_where_is_waited_for_among_events(
    stream: str, options: dict[str, Any], printed: bool, words: str | None
) -> None:
    asked = conditioned(stream, **options)
    assert asked.missing(asked.judge(now=lambda: Now(0.0, 0)), printed=printed, match_printed=False) == words


def test_the_limit_knows_whether_a_match_was_written() -> None:
    first, second = book("1"), book("2")
    for count, is_behind in ((1, True), (2, False), (None, False)):
        limit = Limit(count=count, once=False, ends_with_snapshot=False)
        limit.match = second
        assert not limit.is_match_behind()
        limit.cut([first, second])
        assert limit.is_match_behind() == is_behind
