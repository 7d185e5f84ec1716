"""What the values of options are, and what is none: at each limit, just below it and just above."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.run.values import (
    LONGEST_DURATION_MS,
    DurationParser,
    FileParser,
    PauseParser,
    SpeedParser,
    StepParser,
    duration_ms,
    speed_factor,
)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1ms", 1),
        ("0.6ms", 1),
        ("500ms", 500),
        ("30", 30_000),
        (" 30s ", 30_000),
        ("1.5", 1_500),
        ("0.001", 1),
        ("5m", 300_000),
        ("2h", 7_200_000),
        ("1d", 86_400_000),
        ("366d", LONGEST_DURATION_MS),
        (f"{LONGEST_DURATION_MS}ms", LONGEST_DURATION_MS),
        ("0.123456d", 10_666_598),
    ],
)
def test_a_duration_is_a_number_with_a_unit_or_of_seconds(text: str, milliseconds: int) -> None:
    assert duration_ms(text) == DurationParser()(text) == PauseParser()(text) == milliseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0.4ms",
        "s",
        "1 s",
        "-1s",
        "1x",
        "1e3",
        ".5",
        "1.",
        "0.1234567s",
        "1234567890123ms",
        "367d",
        "x1s",
        "1s1",
        "31622400001ms",
    ],
)
def test_what_is_no_duration(text: str) -> None:
    for parse in (duration_ms, DurationParser(), PauseParser()):
        with pytest.raises(typer.BadParameter) as error:
            parse(text)
        assert str(error.value) == f'expected a duration such as 500ms, 30s or 5m, got "{text}"'


@pytest.mark.parametrize("text", ["0", "0ms", " 0s ", "0m", "0h", "0d"])
def test_only_a_pause_may_be_none(text: str) -> None:
    assert PauseParser()(text) == 0
    with pytest.raises(typer.BadParameter):
        DurationParser()(text)


@pytest.mark.parametrize(
    ("text", "factor"), [("max", math.inf), ("1", 1.0), ("0.5", 0.5), ("1e-9", 1e-9), ("1000000", 1e6)]
)
def test_a_speed_is_a_factor_or_max(text: str, factor: float) -> None:
    assert speed_factor(text) == SpeedParser()(text) == factor


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e400", "", "fast", "MAX"])
def test_what_is_no_speed(text: str) -> None:
    with pytest.raises(typer.BadParameter) as error:
        speed_factor(text)
    assert str(error.value) == f'expected a factor such as 0.5 or 10, or max, got "{text}"'


@pytest.mark.parametrize("text", ["0", "-1", "x", ""])
def test_what_is_no_step(text: str) -> None:
    with pytest.raises(typer.BadParameter) as error:
        StepParser()(text)
    assert str(error.value) == f'expected a step above 0 such as 0.5, 1 or 10, got "{text}"'


@pytest.mark.parametrize(
    ("parser", "text", "value"),
    [
        (DurationParser(), "1s", 1_000),
        (PauseParser(), "0", 0),
        (SpeedParser(), "2", 2.0),
        (StepParser(), " 0.5 ", Decimal("0.5")),
        (FileParser(), "a.jsonl", Path("a.jsonl")),
    ],
)
def test_a_default_is_a_value_already(parser: Any, text: str, value: Any) -> None:
    assert parser(text) == parser(value) == value
