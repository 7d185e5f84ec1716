"""Whoever judges what was printed under faults notices what is wrong with it."""

from __future__ import annotations

import json
import shlex
import subprocess
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.alerted import Alerted
from tests.faults.part_candles import PartCandles, Traded, unexplained
from tests.faults.referee import EventJudge, Record, StateJudge
from tests.faults.truths import Events, Figures, History
from tests.faults.watched import Watched

WITHIN = 2.0


class Truth(History):
    """Versions that a test makes by hand, at the times it wants."""

    def __init__(self, *versions: tuple[float, Any], key: str = "") -> None:
        super().__init__(dict)
        self.versions[key] = list(versions)
        self._now = {key: versions[-1][1]}


def book(size: int, received: float, **more: Any) -> dict[str, Any]:
    return {"type": "row", "size": size, "received": round(received * 1000), **more}


def state_judge(truth: History, **options: Any) -> StateJudge:
    return StateJudge(truth, lambda record: (record.get("key", ""), (record["size"],)), lambda: WITHIN, **options)


def test_a_state_that_was_true_within_the_deadline_passes() -> None:
    judge = state_judge(Truth((0, (1,)), (10, (2,)), (20, (3,))))
    judge.record(book(1, 1), 1)
    judge.record(book(2, 11), 11)
    judge.record(book(3, 20.5), 20.5)
    judge.finish(100)
    assert judge.findings == []
    assert judge.differs() == ""


def test_an_old_state_printed_as_live_is_found() -> None:
    judge = state_judge(Truth((0, (1,)), (10, (2,)), (20, (3,))))
    judge.record(book(2, 25), 25)
    assert "printed as live" in judge.findings[0]
    assert "5.000 s before" in judge.findings[0]


def test_an_old_state_that_stands_there_as_live_is_found() -> None:
    judge = state_judge(Truth((0, (1,)), (10, (2,))))
    judge.record(book(1, 9), 9)
    judge.finish(15)
    assert "stood as live 5.000 s after it was replaced" in judge.findings[0]


def test_an_old_state_that_is_called_stale_in_time_passes() -> None:
    judge = state_judge(Truth((0, (1,)), (10, (2,))))
    judge.record(book(1, 9), 9)
    judge.status("reconnecting", 11)
    judge.finish(15)
    assert judge.findings == []


def test_an_old_state_that_is_called_live_again_without_a_new_one_is_found() -> None:
    judge = state_judge(Truth((0, (1,)), (10, (2,))))
    judge.record(book(1, 9), 9)
    judge.status("stale", 11)
    judge.status("live", 20)
    judge.finish(21)
    assert "printed as live" in judge.findings[0]


def test_a_figure_that_never_was_is_found() -> None:
    judge = state_judge(Truth((0, (1,))))
    judge.record(book(7, 1), 1)
    assert "true: never" in judge.findings[0]


def test_states_in_another_order_are_found() -> None:
    judge = state_judge(Truth((0, (1,)), (1, (2,)), (2, (3,))))
    judge.record(book(3, 2.1), 2.1)
    judge.record(book(2, 2.2), 2.2)
    assert "older than what was shown before" in judge.findings[0]


def test_a_missing_row_is_found() -> None:
    truth = Truth((0, (1,)), key="a")
    truth.versions["b"] = [(0, (2,))]
    truth._now = {"a": (1,), "b": (2,)}
    judge = state_judge(truth)
    judge.record(book(1, 1, key="a"), 1)
    assert judge.differs() == "b: shown nothing, at the venue (2,)"


def test_a_row_that_is_there_and_was_taken_away_is_found() -> None:
    judge = state_judge(Truth((0, (1,)), key="a"))
    judge.record(book(1, 1, key="a"), 1)
    judge.record(book(0, 2, key="a", change="remove"), 2)
    assert "taken away" in judge.findings[0]


def event(number: int, received: float = 0) -> dict[str, Any]:
    return {"type": "trade", "trade_id": number, "received": round(received * 1000)}


def event_judge(*happened: tuple[float, int], **options: Any) -> EventJudge:
    truth = Events()
    truth.list = [(at, (number,)) for at, number in happened]
    return EventJudge(truth, lambda record: (record["trade_id"],), lambda: WITHIN, **options)


def played(*numbers: int, **options: Any) -> list[str]:
    judge = event_judge(*((float(number), number) for number in range(10)), **options)
    for number in numbers:
        judge.record(event(number, number), number + 0.1)
    return judge.findings


def test_events_in_order_pass() -> None:
    assert played(2, 3, 4, 5) == []


def test_a_trade_twice_is_found() -> None:
    judge = event_judge((1.0, 1), (2.0, 2))
    for number in (1, 2, 2):
        judge.record(event(number, 3), 3)
    assert judge.findings == ["(2,) twice"]


def test_a_turned_order_is_found() -> None:
    judge = event_judge((1.0, 1), (2.0, 2), (3.0, 3))
    judge.status("reconnecting", 1)
    for number in (1, 3, 2):
        judge.record(event(number, 3), 3)
    assert judge.findings == ["(2,) behind a later event: the order is turned"]


def test_a_missing_event_is_found_unless_somebody_was_told() -> None:
    assert "1 events missing" in played(2, 4)[0]
    judge = event_judge((1.0, 1), (2.0, 2), (3.0, 3))
    judge.record(event(1, 1), 1)
    judge.status("reconnecting", 2)
    judge.status("live", 2.5)
    judge.record(event(3, 3), 3)
    assert judge.findings == []


def test_an_event_that_never_happened_is_found() -> None:
    assert played(42) == ["(42,) never happened"]


def test_an_event_that_comes_late_as_live_is_found() -> None:
    judge = event_judge((1.0, 1), (2.0, 2))
    judge.record(event(1, 1), 1)
    judge.record(event(2, 2), 9)
    assert "7.000 s after it happened" in judge.findings[0]


def test_the_last_event_that_is_missing_is_found() -> None:
    judge = event_judge((1.0, 1), (2.0, 2))
    judge.record(event(1, 1), 1)
    assert "the last 1 were not printed" in judge.differs()


# --- candles that have only some of their trades

START = 1_795_927_030_000


def traded(*trades: tuple[str, str]) -> list[Traded]:
    return [Traded(START / 1000 + number, Decimal(price), Decimal(size)) for number, (price, size) in enumerate(trades)]


TRADES = traded(("10", "0.5"), ("12", "0.25"), ("9", "1"), ("11", "0.125"))


def candle(opened: str, high: str, low: str, close: str, volume: str) -> list[Decimal]:
    return [Decimal(figure) for figure in (opened, high, low, close, volume)]


TICKS = st.lists(st.tuples(st.integers(95, 105), st.integers(1, 40)), min_size=1, max_size=12)


@given(TICKS, st.data())
def test_what_some_trades_of_a_candle_come_to_is_explained(ticks: list[tuple[int, int]], data: st.DataObject) -> None:
    trades = [Traded(0.0, Decimal(price).scaleb(-1), Decimal(size).scaleb(-2)) for price, size in ticks]
    seen = [one for one in trades if data.draw(st.booleans())] or trades[:1]
    prices = [one.price for one in seen]
    volume = sum((one.size for one in seen), Decimal(0))
    figures = [prices[0], max(prices), min(prices), prices[-1], volume]
    assert unexplained(trades, *figures) == ""
    for place, by in ((4, "0.001"), (4, "100"), (4, "-100"), (1, "20"), (2, "-20"), (0, "0.01"), (3, "0.01")):
        wrong = [*figures]
        wrong[place] += Decimal(by)
        assert unexplained(trades, *wrong)


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        (candle("10", "12", "9", "11", "1.876"), "volume 1.876, and all of its trades come to 1.875"),
        (candle("10", "12", "9", "11", "1.8"), "which no part of its trades has"),
        (candle("10", "12", "9", "11", "0.6"), "which no part of its trades has"),  # the four are needed
        (candle("11", "11", "10", "10", "0.625"), "which no part of its trades has"),  # in another order
        (candle("10", "12", "10", "12", "1.75"), "which no part of its trades has"),  # with one below its low
        (candle("10", "13", "9", "11", "1.875"), "high 13, and no trade of it had that price"),
        (candle("10", "11", "9", "12", "1.875"), "close 12, which is not from low 9 to high 11"),
        (candle("8", "12", "8", "11", "1.875"), "open 8, and no trade of it had that price"),
    ],
)
def test_figures_that_no_trades_explain_are_found(figures: list[Decimal], words: str) -> None:
    assert words in unexplained(TRADES, *figures)


class NobodyTells:
    def hear(self, hearer: object) -> None:
        pass


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, ""),
        ({"time": None}, ""),  # no message, but our clock has closed it
        ({"symbol": "SPOT_ETH_USDT"}, "a candle of symbol SPOT_ETH_USDT"),
        ({"interval": "1m"}, "a candle of interval 1m"),
        ({"end": START + 60_000}, "which is no interval"),
        ({"start": START + 1, "end": START + 5_001}, "which is no interval"),
        ({"time": START - 1}, "its time is"),
        ({"time": START + 60_000}, "its time is"),
        ({"closed": True}, "before its end"),
        ({"volume": Decimal("1.5"), "complete": True}, ""),  # is compared as a whole
        ({"volume": Decimal("1.5")}, "which no part of its trades has"),
        ({"close": Decimal(11), "volume": Decimal("0.875")}, "no trade of it had that price"),  # not yet
    ],
)
def test_a_candle_of_another_place_or_time_is_found(changed: dict[str, Any], words: str) -> None:
    told: Any = NobodyTells()
    parts = PartCandles(told, "BTC", "SPOT_BTC_USDT", "5s", 5_000)
    parts._trades[START] = TRADES
    figures = dict(zip(("open", "high", "low", "close", "volume"), candle("10", "12", "9", "9", "1.75"), strict=True))
    record = {
        "symbol": "SPOT_BTC_USDT", "interval": "5s", "start": START, "end": START + 5_000, "time": START + 2_000,
        "closed": False, "complete": False, **figures, **changed,
    }  # fmt: skip
    record = {name: value for name, value in record.items() if value is not None}
    found = parts.examine(record, START / 1000 + 2.5)
    assert words in found if words else not found


def test_what_else_is_wrong_with_a_record_is_found_though_the_stream_is_not_live() -> None:
    judge = state_judge(Truth((0, (1,))), examine=lambda record, at: "made up" if record["size"] == 7 else "")
    judge.status("stale", 0)
    judge.record(book(1, 1), 1)
    assert judge.findings == []
    judge.record(book(7, 2), 2)
    assert judge.findings == ["made up"]


# --- what --on does ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fired", "found"),
    [
        ([(1, "3")], []),
        ([(1, "3"), (3, "4")], []),  # it was false in between
        ([(3, "4"), (4, "5")], ["again though it was true all the time"]),
        ([(1, "2")], ["not true"]),
        ([(1, "9")], ["was not so"]),
        ([(6, "3")], ["was not so"]),  # long ago
        ([(3, "4"), (3.1, "3")], ["older than the one before"]),
    ],
)
def test_what_is_run_for_is_judged_by_what_was_true_when_it_came(
    fired: list[tuple[float, str]], found: list[str]
) -> None:
    def figures(size: str) -> Figures:
        return ((Decimal(1), Decimal(size)),), ()

    truth = History(lambda: {"": figures("2")})
    truth.note()
    alerted = Alerted(Watched("v", "book", lambda ground, symbol: truth, _sizes), truth)
    held = ((0.0, "2"), (0.9, "3"), (2.0, "1"), (2.9, "4"), (4.0, "5"))
    truth.versions[""] = [(at, figures(size)) for at, size in held]
    (_, (_, command)) = alerted.options
    lines = [json.dumps({"type": "book", "received": at * 1000, "size": size}) for at, size in fired]
    subprocess.run(shlex.split(command), input="".join(f"{line}\n" for line in lines), text=True, check=True)
    said = alerted.findings(0.5)
    assert len(said) == len(found), said
    assert all(words in one for words, one in zip(found, said, strict=True))
    assert alerted.count == len(fired)


def _sizes(record: Record) -> tuple[str, Figures]:
    return "", (((Decimal(1), Decimal(record["size"])),), ())
