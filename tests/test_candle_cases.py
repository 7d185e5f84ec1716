"""Recordings with late, early and false times: the right candles, in `mon candles` and in a bot's bars."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cli.bot.market_data import Candles
from tests import recorded
from venues import events, venue_named
from venues.driver import Driver
from venues.recording import Recording
from venues.records import Trade
from venues.venue import Notice, Subscription

BEGIN = 1_704_067_200_000
MINUTE = 60_000
Shown = tuple[float, float, float, float, float, bool, bool]  # open, high, low, close, volume, closed, complete


def candles_of(case: str) -> list[dict[str, Any]]:
    lines = recorded.outcome(recorded.FOLDER / "nexus" / f"candles--{case}.frames.jsonl").splitlines()
    return [line for line in map(msgspec.json.decode, lines) if line.get("type") == "candle"]


def last_of(case: str) -> dict[int, Shown]:
    """What each candle came to in the end, by its start."""
    fields = ("open", "high", "low", "close", "volume", "closed", "complete")
    return {line["start"]: tuple(line[name] for name in fields) for line in candles_of(case)}  # type: ignore[misc]


def bars_of(case: str, level: str) -> Candles:
    """The candles of a bot that gets the trades of a case."""
    file = recorded.FOLDER / "nexus" / f"candles--{case}.frames.jsonl"
    subscriptions = [Subscription("trades", ("SPOT_BTC_USDT",))]
    recording = Recording(file)
    (line,) = venue_named("nexus").routes(subscriptions, recording.header.settings())
    driver, candles = Driver(line, subscriptions, venue="nexus"), Candles([level])
    for event in recording.events():
        if isinstance(event, events.Dialled):
            driver.begin({"client_key": "k"}, event.draw)
            continue
        if isinstance(event, events.Opened):
            candles.live(event.at)
        for item in events.apply(event, driver):
            if isinstance(item, Trade):
                candles.trade(item)
    return candles


RIGHT: dict[str, dict[int, Shown]] = {
    "late-trade": {1_700_000_040_000: (10, 12, 9, 12, 4, False, False)},
    "close-by-time": {
        BEGIN: (99, 99, 99, 99, 1, True, False),
        BEGIN + MINUTE: (100, 110, 90, 110, 3, True, True),
        BEGIN + 2 * MINUTE: (90, 90, 90, 90, 1, False, True),
    },
    "late-older-candle": {
        BEGIN: (99, 99, 99, 99, 1, True, False),
        BEGIN + 1000: (100, 100, 50, 50, 8, True, True),
        BEGIN + 2000: (101, 101, 101, 101, 1, True, True),
        BEGIN + 3000: (102, 102, 102, 102, 1, True, True),
        BEGIN + 4000: (101, 101, 101, 101, 1, False, True),
    },
    "late-empty-interval": {
        BEGIN: (99, 99, 99, 99, 1, True, False),
        BEGIN + 1000: (100, 100, 100, 100, 1, True, True),
        BEGIN + 2000: (250, 250, 250, 250, 5, True, True),
        BEGIN + 3000: (101, 101, 101, 101, 1, True, True),
        BEGIN + 4000: (101, 101, 101, 101, 1, False, True),
    },
    "late-five-minutes": {
        BEGIN: (100, 100, 100, 100, 1, True, False),
        BEGIN + 5 * MINUTE: (90, 112, 80, 111, 8, True, True),
        BEGIN + 30 * MINUTE: (130, 130, 129, 129, 3, True, True),
        BEGIN + 60 * MINUTE: (120, 120, 120, 120, 1, True, True),
    },
}


@pytest.mark.parametrize("case", RIGHT)
def test_each_candle_comes_to_what_is_right(case: str) -> None:
    assert last_of(case) == RIGHT[case]


@pytest.mark.parametrize("case", [*RIGHT, "future-trade"])
def test_no_candle_is_closed_before_its_end_or_opened_again(case: str) -> None:
    closed: set[int] = set()
    for line in candles_of(case):
        assert not line["closed"] or line["end"] <= line["received"]
        assert line["closed"] or line["start"] not in closed
        closed |= {line["start"]} if line["closed"] else set()


def test_a_late_candle_comes_closed_at_once() -> None:
    assert [line["closed"] for line in candles_of("late-empty-interval") if line["start"] == BEGIN + 2000] == [True]


def test_a_trade_of_an_hour_ahead_moves_no_candle_and_is_said() -> None:
    first, minute = 1_699_999_980_000, 60_000
    lines = candles_of("future-trade")
    assert list(last_of("future-trade")) == [first, first + minute]
    assert all(line["close"] != 103 for line in lines)
    before, after = last_of("future-trade")[first], last_of("future-trade")[first + minute]
    assert (before[-2:], after[-2:]) == ((True, False), (False, True))
    assert lines[2]["received"] - lines[1]["received"] == 900, "the next trade goes on in the minute that is open"
    outcome = recorded.outcome(recorded.FOLDER / "nexus" / "candles--future-trade.frames.jsonl")
    assert outcome.count(Notice.__name__) == 1
    assert "60 min ahead of our clock" in outcome


@pytest.mark.parametrize(
    ("case", "level"), [("late-trade", "1m"), ("close-by-time", "1m"), ("late-five-minutes", "5m")]
)
def test_a_bots_bars_are_the_same(case: str, level: str) -> None:
    bars = bars_of(case, level).bars(level)
    rows = {row["time"]: row for row in bars if row["volume"] > 0}
    shown = {
        start: tuple(row[name] for name in ("open", "high", "low", "close", "volume")) for start, row in rows.items()
    }
    assert shown == {start: candle[:5] for start, candle in RIGHT[case].items()}


def test_a_bots_bars_are_not_moved_by_a_trade_of_an_hour_ahead() -> None:
    bars = bars_of("future-trade", "1m").bars("1m")
    right = last_of("future-trade")
    assert bars.times[-2:].tolist() == list(right)
    assert bars.volumes[-2:].tolist() == [candle[4] for candle in right.values()]
    assert bars.complete[-2:].tolist() == [False, True]
