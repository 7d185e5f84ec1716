"""What a request makes of its conditions for the run of one stream: how it is judged, ended, and shown."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.output.lines import Limit, Unprinted
from cli.run.conditioned import LONGEST_FLAG, Conditioned, check_on, fields_for, good_until
from cli.run.judging import Judge
from cli.run.options import StreamRequest
from tests.run.looped import live
from tests.run.test_watch import watcher_of
from venues.errors import UsageError
from venues.records import Book, Level, Position, Quote, Record, SnapshotEnd, Status, Trade
from venues.redaction import Redactor
from venues.venue import Now, Offer, Subscription

OFFERS = {
    "trades": Offer("t", symbols="many"),
    "book": Offer("b"),
    "quotes": Offer("q", symbols="many"),
    "positions": Offer("p", symbols="none"),
}


def conditioned(
    stream: str,
    symbols: tuple[str, ...] = ("A",),
    *,
    offer: Offer | None = None,
    as_table: bool = False,
    **given: Any,
) -> Conditioned:
    request = StreamRequest("v", list(symbols), **given)
    return Conditioned(request, Subscription(stream, symbols), offer or OFFERS[stream], as_table=as_table)


def judge_of(asked: Conditioned, **more: Any) -> Judge:
    return asked.judge(now=lambda: Now(0.0, 0), **more)


def status(stream: str, state: Any = "live", symbol: str | None = None) -> Status:
    return Status(venue="v", received=0, stream=stream, state=state, symbol=symbol)


def trade(price: int, symbol: str = "A") -> Trade:
    return Trade(venue="v", symbol=symbol, received=0, price=Decimal(price), size=Decimal(1), side="buy")


def quote(bid: int, symbol: str = "A") -> Quote:
    return Quote(venue="v", symbol=symbol, received=0, bid_price=Decimal(bid))


def book(bid: int) -> Book:
    return Book(venue="v", symbol="A", received=0, bids=[Level(Decimal(bid), Decimal(1))], asks=[])


def position(name: str, size: int, change: Any = "update") -> Position:
    return Position(venue="v", received=0, position_id=name, size=Decimal(size), change=change)


def end(stream: str, count: int) -> SnapshotEnd:
    return SnapshotEnd(venue="v", received=0, stream=stream, count=count)


# --- what there is of conditions


@pytest.mark.parametrize(
    ("given", "judges", "answers", "chooses"),
    [
        ({"fields": "price"}, False, False, True),
        ({"template": "{price}"}, False, False, True),
        ({"template": "{price}", "where": "price > 1"}, True, False, True),
        ({"where": "price > 1"}, True, False, False),
        ({"until": "price > 1"}, True, True, False),
        ({"until": "price > 1", "where": "price > 0"}, True, False, False),
        ({"on": ["price > 1"], "bell": True}, True, False, False),
        ({"on": ["price > 1"], "rearm": "price < 1", "bell": True, "until": "price > 5"}, True, True, False),
    ],
)
def test_what_a_request_has_of_conditions(given: dict[str, Any], judges: bool, answers: bool, chooses: bool) -> None:
    asked = conditioned("trades", **given)
    assert (asked.judges, asked.answers, asked.chooses) == (judges, answers, chooses)
    assert (asked.standing(lambda: Now(0.0, 0)) is not None) is chooses
    assert (asked.alerts(SimpleNamespace(), Redactor()) is not None) is ("on" in given)


@pytest.mark.parametrize(("replay", "age"), [(None, 400), (Path("r"), 0)])
def test_in_a_replay_the_age_of_a_line_is_that_at_which_it_came(replay: Path | None, age: int) -> None:
    standing = conditioned("trades", fields="age_ms", replay=replay).standing(lambda: Now(0.0, 500))
    assert standing is not None
    record = Trade(venue="v", symbol="A", received=100, time=100, price=Decimal(1), size=Decimal(1), side="buy")
    assert standing.seen(record).age_ms == age


def test_a_table_shows_what_comes_before_a_match_too() -> None:
    assert conditioned("trades", until="price > 1").answers
    assert not conditioned("trades", until="price > 1", as_table=True).answers


def test_alerts_take_what_was_given_or_what_is_usual() -> None:
    usual = conditioned("trades", on=["  price \n >  1"], exec="echo {price}").alerts(SimpleNamespace(), Redactor())
    assert usual is not None
    assert (usual.parallel, usual.timeout, usual.cooldown, usual.bell) == (1, 30.0, 1.0, False)
    assert usual.condition == "price > 1"
    assert usual.program is not None
    of_state = conditioned("book", on=["stale"], bell=True).alerts(SimpleNamespace(), Redactor())
    assert of_state is not None
    assert (of_state.cooldown, of_state.bell, of_state.program) == (0.0, True, None)
    given = conditioned(
        "trades", on=["stale"], exec="true", exec_parallel=3, exec_timeout=2_500, cooldown=1_500
    ).alerts(SimpleNamespace(), Redactor())
    assert given is not None
    assert (given.parallel, given.timeout, given.cooldown) == (3, 2.5, 1.5)


def test_a_command_gets_no_variable_with_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    redactor = Redactor()
    redactor.learn({"key": "a-secret-key"})
    monkeypatch.setenv("MY_KEY", "a-secret-key")
    monkeypatch.setenv("MY_NAME", "me")
    alerts = conditioned("trades", on=["stale"], exec="true").alerts(SimpleNamespace(), redactor)
    assert alerts is not None
    environment = alerts.environment()
    assert environment["MY_NAME"] == "me"
    assert "MY_KEY" not in environment


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"on": ["a", "b"], "bell": True}, "expected --on once, got it 2 times"),
        ({"on": ["a"]}, "--on does nothing without --exec CMD or --bell"),
        ({"on": ["a"], "bell": True, "exec_parallel": 1}, "--exec-parallel applies to --exec only"),
        ({"on": ["a"], "bell": True, "exec_timeout": 1}, "--exec-timeout applies to --exec only"),
        ({"on": ["a"], "bell": True}, None),
        ({"on": ["a"], "exec": "true"}, None),
        ({"on": ["a"], "exec": "true", "bell": True, "exec_parallel": 1, "exec_timeout": 1}, None),
    ],
)
def test_what_goes_with_a_condition_to_act_on(given: dict[str, Any], words: str | None) -> None:
    request = StreamRequest("v", **given)
    if words is None:
        check_on(request)
        return
    with pytest.raises(UsageError) as error:
        check_on(request)
    assert str(error.value) == words
    with pytest.raises(UsageError) as error:
        conditioned("trades", **given)
    assert str(error.value) == words


@pytest.mark.parametrize(
    ("depth", "as_table", "levels"), [(None, False, 20), (5, False, 7), (None, True, None), (5, True, 5)]
)
def test_a_condition_may_speak_of_the_levels_that_come(depth: int | None, as_table: bool, levels: int | None) -> None:
    """Lines have those that were asked of the venue; a table every one, unless `--depth` says otherwise."""
    subscription = Subscription("book", ("A",), depth=20 if depth is None else 7)
    request = StreamRequest("v", ["A"], depth=depth)
    found = fields_for(request, subscription, as_table=as_table)
    assert (found.stream, found.record, found.depth) == ("book", Book, levels)


# --- what is printed, and when it is over


def test_with_once_the_first_event_answers() -> None:
    for price, matches in ((9, True), (1, False)):
        judge = judge_of(conditioned("trades", until="price > 5", once=True))
        assert judge.passes([status("trades")]) == [status("trades")]
        assert not judge.is_over
        judge.passes([trade(price)])
        assert judge.is_over
        assert (judge.match is not None) is matches


def test_without_once_an_answer_is_waited_for() -> None:
    judge = judge_of(conditioned("trades", until="price > 5"))
    judge.passes([status("trades"), trade(1), trade(2)])
    assert not judge.is_over
    assert judge.passes([trade(9), trade(10)]) == [trade(9)]
    assert judge.is_over


def test_with_once_a_count_is_that_of_one_also_where_a_state_is_partial() -> None:
    offer = Offer("p", symbols="none", partial=True)
    judge = judge_of(conditioned("positions", (), offer=offer, until="size > 5", once=True))
    judge.passes([status("positions"), position("a", 1)])
    assert judge.is_over
    assert judge.counts


def test_with_once_a_full_state_answers_when_it_is_complete() -> None:
    judge = judge_of(conditioned("positions", (), until="size > 5", once=True))
    judge.passes([status("positions"), position("a", 1, "snapshot"), position("b", 2, "snapshot")])
    assert not judge.is_over
    judge.passes([end("positions", 2)])
    assert judge.is_over
    assert judge.match is None
    assert not judge.counts


def test_with_once_a_state_of_its_own_answers_when_it_has_come() -> None:
    judge = judge_of(conditioned("book", until="bids[0].price > 5", once=True))
    judge.passes([status("book"), book(1)])
    assert judge.is_over


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"until": "price > 5"}, 2),
        ({"until": "price > 5", "where": "price > 0"}, 2),
        ({"where": "price > 0"}, None),
        ({"on": ["price > 5"], "bell": True}, None),
    ],
)
def test_events_are_counted_where_a_match_is_waited_for(given: dict[str, Any], left: int | None) -> None:
    judge = judge_of(conditioned("trades", count=2, **given))
    judge.passes([status("trades")])
    for number in range(3):
        assert judge.is_over is (left is not None and number >= left)
        judge.passes([trade(1)])


def test_a_state_is_counted_in_a_replay_where_each_is_printed() -> None:
    both: dict[str, Any] = {"until": "bids[0].price > 5", "where": "bids[0].price > 0", "count": 1}
    assert not judge_of(conditioned("book", **both)).counts
    assert judge_of(conditioned("book", replay=Path("r"), **both)).counts
    assert not judge_of(conditioned("book", replay=Path("r"), where="bids[0].price > 0", count=1)).counts


# --- what stands for what does not match


def told(judge: Judge, *items: Record) -> list[Any]:
    return [
        "unprinted" if isinstance(one, Unprinted) else (type(one).__name__, getattr(one, "match", None))
        for one in judge.passes(items)
        if not isinstance(one, Status)
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [({}, []), ({"once": True}, ["unprinted"]), ({"as_table": True}, ["unprinted"])],
)
def test_a_book_that_does_not_match_is_stood_for_where_one_is_waited_for(more: dict[str, Any], said: list[str]) -> None:
    judge = judge_of(conditioned("book", where="bids[0].price > 5", **more))
    assert told(judge, status("book"), book(9)) == [("Book", None)]
    assert told(judge, book(1)) == said


@pytest.mark.parametrize("more", [{"once": True}, {"as_table": True}])
def test_nothing_stands_for_events_nor_for_a_partial_state(more: dict[str, Any]) -> None:
    assert told(judge_of(conditioned("trades", where="price > 5", **more)), status("trades"), trade(1)) == []
    offer = Offer("b", partial=True)
    judge = judge_of(conditioned("book", offer=offer, where="bids[0].price > 5", **more))
    assert told(judge, status("book"), book(1)) == []


@pytest.mark.parametrize(
    ("symbols", "as_table", "said"),
    [
        (("A", "B"), False, [("Quote", False)]),  # a row of a set
        (("A",), False, []),
        (("A",), True, [("Quote", False)]),
    ],
)
def test_a_quote_that_stops_matching_is_told_where_quotes_are_rows(
    symbols: tuple[str, ...], as_table: bool, said: list[Any]
) -> None:
    judge = judge_of(conditioned("quotes", symbols, as_table=as_table, where="bid_price > 5"))
    about = [status("quotes", symbol=symbol) for symbol in symbols] if len(symbols) > 1 else [status("quotes")]
    assert told(judge, *about, quote(9)) == [("Quote", None)]
    assert told(judge, quote(1)) == said


def test_a_quote_of_a_table_is_a_row_also_where_the_venue_has_one_symbol_a_stream() -> None:
    judge = judge_of(conditioned("quotes", offer=Offer("q"), as_table=True, where="bid_price > 5"))
    assert told(judge, status("quotes"), quote(9)) == [("Quote", None)]
    assert told(judge, quote(1)) == [("Quote", False)]


def test_rows_of_an_account_are_told_when_they_stop_matching() -> None:
    judge = judge_of(conditioned("positions", (), where="size > 5"))
    assert told(judge, status("positions"), position("a", 9)) == [("Position", None)]
    assert told(judge, position("a", 1)) == [("Position", False)]


def test_of_several_symbols_those_without_data_are_known() -> None:
    judge = judge_of(conditioned("trades", ("A", "B"), until="price > 5"))
    judge.passes([status("trades", symbol="A"), trade(1, "A")])
    assert judge.unseen == {"B"}
    assert judge_of(conditioned("trades", until="price > 5")).unseen == set()


def test_edges_are_fired_with_the_alerts() -> None:
    fired: list[Any] = []
    alerts: Any = SimpleNamespace(fire=lambda record, key, stand: fired.append(record))
    asked = conditioned("book", on=["bids[0].price > 5"], rearm="bids[0].price < 2", bell=True)
    judge = judge_of(asked, alerts=alerts)
    judge.passes([status("book"), book(9), book(4), book(8), book(1), book(7)])
    assert fired == [book(9), book(7)]
    judge_of(asked).passes([status("book"), book(9)])  # without alerts nothing happens
    skipping = conditioned("book", on=["bids[0].price > 5"], bell=True, skip_first=True)
    fired.clear()
    judge_of(skipping, alerts=alerts).passes([status("book"), book(9), book(1), book(8)])
    assert fired == [book(8)]


def test_a_command_is_told_an_age_that_no_condition_asks_for() -> None:
    ages: list[Any] = []
    alerts: Any = SimpleNamespace(fire=lambda record, key, stand: ages.append(stand.seen.age_ms))
    for command, age in (({"exec": "true"}, 0), ({"bell": True}, None)):
        judge_of(conditioned("trades", on=["price > 5"], **command), alerts=alerts).passes([status("trades"), trade(9)])
        assert ages.pop() == age


# --- what is said


@pytest.mark.parametrize("length", [LONGEST_FLAG - 7, LONGEST_FLAG - 6, LONGEST_FLAG - 5])
def test_a_header_says_the_condition_in_so_many_characters(length: int) -> None:
    text = "price > " + "1" * (length - 8)
    (flag,) = conditioned("trades", where=f"  price  >\n {text[8:]}").flags()
    assert flag == f"where {text}" if length <= LONGEST_FLAG - 6 else f"where {text[: LONGEST_FLAG - 7]}…"
    assert len(flag) <= LONGEST_FLAG
    assert conditioned("trades", until="price > 1").flags() == []


NO_MATCH = "no match of --until came"


@pytest.mark.parametrize(
    ("given", "prices", "printed", "match_printed", "words"),
    [
        ({"until": "price > 5"}, [1], True, True, NO_MATCH),
        ({"until": "price > 5"}, [9], True, True, None),
        ({"until": "price > 5"}, [9], True, False, NO_MATCH),
        ({"where": "price > 5", "once": True}, [1], False, True, "no match of --where came"),
        ({"where": "price > 5", "once": True}, [9], True, True, None),
        ({"where": "price > 5"}, [1], False, True, None),
        ({"on": ["price > 5"], "bell": True, "once": True}, [1], False, True, None),
    ],
)
def test_what_is_missing_at_the_end(
    given: dict[str, Any], prices: list[int], printed: bool, match_printed: bool, words: str | None
) -> None:
    asked = conditioned("trades", **given)
    judge = judge_of(asked)
    judge.passes([status("trades"), *map(trade, prices)])
    assert asked.missing(judge, printed=printed, match_printed=match_printed) == words


@pytest.mark.parametrize(("partial", "words"), [(False, None), (True, "no match of --where came")])
def test_of_a_state_without_a_beginning_a_match_is_waited_for(partial: bool, words: str | None) -> None:
    offer = Offer("p", symbols="none", partial=partial)
    asked = conditioned("positions", (), offer=offer, where="size > 5", once=True)
    assert asked.missing(judge_of(asked), printed=False, match_printed=True) == words


@pytest.mark.parametrize(
    ("superseded", "limit", "until"),
    [(None, None, None), (2.0, None, 2.0), (None, 3.0, 3.0), (2.0, 3.0, 2.0), (4.0, 3.0, 3.0), (0.0, 3.0, 0.0)],
)
def test_what_has_passed_may_be_handed_over_until_the_earlier_time(
    superseded: float | None, limit: float | None, until: float | None
) -> None:
    judge: Any = SimpleNamespace(good_until=lambda record: superseded)
    assert good_until(judge, lambda record: limit)(trade(1)) == until
    assert good_until(judge, None)(trade(1)) == superseded


@pytest.mark.parametrize(
    ("until", "missing"), [("bids[0].price == 2", "no match of --until came"), ("bids[0].price == 1", None)]
)
def test_a_match_that_came_behind_what_was_enough_is_missing(until: str, missing: str | None) -> None:
    async def go() -> None:
        watcher = watcher_of("book", "A", count=1, where="bids[0].price > 0", until=until)
        put: list[list[Any]] = []
        inside: Any = watcher
        inside._output, inside._queue = SimpleNamespace(put=put.append), None
        inside._limit = limit = Limit(count=1, once=False, ends_with_snapshot=False)
        inside._judge, inside._judges = inside._conditioned.judge(now=lambda: Now(0.0, 0)), True
        for items in ([live(), book(1)], [book(2)]):
            watcher.deliver(items)
            watcher.flush()
        assert (list(limit.cut(put[0])), limit.reached) == ([book(1)], True)
        assert watcher.missing("duration") == missing

    asyncio.run(go())
