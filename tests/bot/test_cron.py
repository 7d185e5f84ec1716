"""Schedules by themselves: when they are due, and what is said of what is none."""

from __future__ import annotations

import builtins
from datetime import UTC, datetime
from typing import Any

import pytest

from cli.bot.market_data import LEVELS
from cli.bot.timing.cron import (
    LONGEST,
    LONGEST_EXPRESSION,
    SHORTEST,
    Cron,
    Schedule,
    schedule_of,
    seconds_until,
)

SECOND = 1_000_000_000
DAY = 86_400 * SECOND


def ns(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"every": 0.5}, "@cron.run(every=0.5)"),
        ({"every": 60}, "@cron.run(every=60)"),
        ({"on": "1m"}, "@cron.run(on='1m')"),
        ({"expr": "0 0 * * *"}, "@cron.run(expr='0 0 * * *')"),
    ],
)
def test_a_schedule_reads_as_it_was_written(given: dict[str, Any], text: str) -> None:
    schedule = Schedule(**given)
    assert str(schedule) == text
    with pytest.raises(TypeError) as raised:
        Cron().run(**given)(7)
    assert str(raised.value) == f"expected {text} above a method, got it above 7"


@pytest.mark.parametrize(
    ("every", "begun", "now", "due"),
    [
        (10, 3, 3, 13),
        (10, 3, 12, 13),
        (10, 3, 13, 23),
        (10, 3, 14, 23),
        (10, 3, 99, 103),
        (10, 3, 1, 3),
        (0.5, 0, 0, 0.5),
        (0.5, 0, 0.25, 0.5),
        (0.001, 0, 1, 1.001),
    ],
)
def test_every_so_many_seconds_since_it_began(every: float, begun: float, now: float, due: float) -> None:
    schedule = Schedule(every=every)
    assert schedule.next_after(round(now * SECOND), round(begun * SECOND)) == round(due * SECOND)


@pytest.mark.parametrize(
    ("on", "now", "due"),
    [
        ("1m", "2024-02-28 23:59:59", "2024-02-29 00:00:00"),
        ("1m", "2024-02-29 00:00:00", "2024-02-29 00:01:00"),
        ("4h", "2024-02-28 03:59:59", "2024-02-28 04:00:00"),
        ("1d", "2024-02-28 12:00:00", "2024-02-29 00:00:00"),
        ("1w", "2024-02-25 23:59:59", "2024-02-26 00:00:00"),
        ("1w", "2024-02-26 00:00:00", "2024-03-04 00:00:00"),
        ("1w", "1970-01-01 00:00:00", "1970-01-05 00:00:00"),
    ],
)
def test_on_the_beginning_of_each_candle(on: str, now: str, due: str) -> None:
    """Weeks begin on Mondays."""
    assert Schedule(on=on).next_after(ns(now), 7) == ns(due)


@pytest.mark.parametrize(
    ("expr", "now", "due"),
    [
        ("0 0 * * *", "2024-02-28 23:59:59", "2024-02-29 00:00:00"),
        ("0 0 * * *", "2024-02-29 00:00:00", "2024-03-01 00:00:00"),
        ("*/15 9-17 * * 1-5", "2024-02-23 17:45:00", "2024-02-26 09:00:00"),
        ("0 0 29 2 *", "2024-03-01 00:00:00", "2028-02-29 00:00:00"),
    ],
)
def test_by_an_expression(expr: str, now: str, due: str) -> None:
    schedule = Schedule(expr=expr)
    assert schedule.next_after(ns(now), 0) == ns(due)
    assert schedule.next_after(ns(now) + SECOND - 1, 0) == ns(due), "parts of a second change nothing"


@pytest.mark.parametrize(("due", "now", "seconds"), [(5, 3, 2.0), (3, 3, 0.0), (3, 5, 0.0), (4.25, 4, 0.25)])
def test_how_long_to_wait_for_what_is_due(due: float, now: float, seconds: float) -> None:
    assert seconds_until(round(due * SECOND), round(now * SECOND)) == seconds


# --- the decorator


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({}, ValueError, "expected exactly one of every, on and expr in @cron.run, got none"),
        ({"every": 1, "on": "1m"}, ValueError,
         "expected exactly one of every, on and expr in @cron.run, got every and on"),
        ({"every": 1, "on": "1m", "expr": "x"}, ValueError,
         "expected exactly one of every, on and expr in @cron.run, got every and on and expr"),
        ({"every": print}, TypeError,
         "expected @cron.run(every=…), @cron.run(on=…) or @cron.run(expr=…), got @cron.run alone"),
        ({"every": True}, ValueError, "expected every as seconds from 0.001 on, got True"),
        ({"every": "1"}, ValueError, "expected every as seconds from 0.001 on, got '1'"),
        ({"every": SHORTEST / 2}, ValueError, "expected every as seconds from 0.001 on, got 0.0005"),
        ({"every": LONGEST + 1}, ValueError, f"expected every as seconds from 0.001 on, got {LONGEST + 1}"),
        ({"every": float("nan")}, ValueError, "expected every as seconds from 0.001 on, got nan"),
        ({"every": 0}, ValueError, "expected every as seconds from 0.001 on, got 0"),
        ({"on": "2m"}, ValueError, f"expected on as one of {' '.join(LEVELS)}, got '2m'"),
        ({"expr": "0 0 * *"}, ValueError,
         "expected expr as a cron expression of five fields, such as '0 0 * * *', got \"'0 0 * *'\""),
        ({"expr": 5}, ValueError, "expected expr as a cron expression of five fields, such as '0 0 * * *', got \"5\""),
        ({"expr": "61 * * * *"}, ValueError,
         "expected expr as a cron expression of five fields, such as '0 0 * * *', got \"'61 * * * *'\""),
        ({"expr": "R * * * *"}, ValueError,
         "expected expr as a cron expression of five fields, such as '0 0 * * *', got \"'R * * * *'\""),
        ({"expr": "0 0 30 2 *"}, ValueError,
         "expected expr to be due ever, got '0 0 30 2 *', which is no day of any year"),
    ],
)  # fmt: skip
def test_what_is_no_schedule_is_said_whole(given: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error) as raised:
        Cron().run(**given)
    assert str(raised.value) == words


@pytest.mark.parametrize("more", [0, 1])
def test_an_expression_has_so_many_characters_at_most(more: int) -> None:
    expr = "0 0 * * " + "0" * (LONGEST_EXPRESSION - 9 + more) + "1"
    assert len(expr) == LONGEST_EXPRESSION + more
    if not more:
        Cron().run(expr=expr)
    else:
        with pytest.raises(ValueError, match="expected expr as a cron expression"):
            Cron().run(expr=expr)


@pytest.mark.parametrize("every", [SHORTEST, 1, LONGEST])
def test_every_may_be_so_short_and_so_long(every: float) -> None:
    def method() -> None: ...

    assert Cron().run(every=every)(method) is method
    assert schedule_of(method) == Schedule(every=every)


def test_what_has_no_schedule_has_none() -> None:
    def method() -> None: ...

    assert schedule_of(method) is None
    method.mon_schedule = "1m"  # type: ignore[attr-defined]
    assert schedule_of(method) is None, "a script may use any name"


def test_without_croniter_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find = builtins.__import__

    def without(name: str, *given: Any, **named: Any) -> Any:
        if name == "croniter":
            raise ImportError(name)
        return find(name, *given, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModuleNotFoundError) as raised:
        Cron().run(expr="0 0 * * *")
    monkeypatch.undo()
    assert str(raised.value) == "@cron.run(expr=…) needs croniter: install mon with its extra, mon[bots]"
    assert raised.value.name == "croniter"
