"""Times from the wire to the picosecond, and how they are written in words."""

from __future__ import annotations

from decimal import Decimal

import pytest

from venues.errors import BadMessage
from venues.toolkit.times import (
    LATEST_MS,
    PER_MS,
    SECONDS_FROM,
    SECONDS_TO,
    fine_time,
    iso_ms,
    refuse_seconds,
    span,
    time_ms,
    utc_clock,
    utc_time,
)

NOON = 1_747_828_800_000  # 2025-05-21 12:00:00 UTC
HOUR, MINUTE = 3_600_000, 60_000


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("2025-05-21T12:00:00", NOON * PER_MS),
        ("2025-05-21t12:00:00z", NOON * PER_MS),
        ("2025-05-21T12:00:00,5Z", (NOON + 500) * PER_MS),
        ("2025-05-21T12:00:00.000000000001Z", NOON * PER_MS + 1),
        ("2025-05-21T12:00:00.123456789012Z", NOON * PER_MS + 123_456_789_012),
        ("2025-05-21T12:00:01.000Z", (NOON + 1_000) * PER_MS),
        ("2025-05-21T12:00:00+02:30", (NOON - 2 * HOUR - 30 * MINUTE) * PER_MS),
        ("2025-05-21T12:00:00-0530", (NOON + 5 * HOUR + 30 * MINUTE) * PER_MS),
        ("2025-05-21T12:00:00-11", (NOON + 11 * HOUR) * PER_MS),
        ("2025-05-21T12:00:00.25+23:59", (NOON + 250 - 23 * HOUR - 59 * MINUTE) * PER_MS),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999999999Z", -1),
    ],
)
def test_a_time_in_words_keeps_every_digit(text: str, fine: int) -> None:
    assert (fine_time(text, "t"), time_ms(text, "t"), iso_ms(text, "t")) == (fine, fine // PER_MS, fine // PER_MS)


@pytest.mark.parametrize(
    "text",
    [
        "2025-05-21T12:00:00.0000000000001Z", "2025-05-21T12:00:00+24:00", "2025-05-21T12:00:00+02:60",
        "2025-05-21T12:00:00.Z", "2025-05-21T12:00:00 Z", "2025-05-21T12:00Z", "12:00:00Z", "tomorrow",
    ],
)  # fmt: skip
def test_what_is_not_written_as_a_time(text: str) -> None:
    for read in (fine_time, time_ms, iso_ms):
        with pytest.raises(BadMessage) as refused:
            read(text, "data.t")
        assert str(refused.value) == (f'expected a time such as 2025-05-20T17:22:31.899Z at `data.t`, got "{text}"')


@pytest.mark.parametrize("text", ["2025-02-29T12:00:00Z", "2025-05-21T24:00:01Z", "0000-01-01T00:00:00Z"])
def test_times_that_no_calendar_has(text: str) -> None:
    with pytest.raises(BadMessage) as refused:
        iso_ms(text, "data.t")
    assert str(refused.value) == f'expected a time that exists at `data.t`, got "{text}"'


@pytest.mark.parametrize("value", [SECONDS_TO, NOON, LATEST_MS, str(NOON), Decimal(NOON), Decimal(f"{NOON}.0")])
def test_milliseconds_since_the_epoch(value: object) -> None:
    assert fine_time(value, "t") == int(Decimal(str(value))) * PER_MS
    assert time_ms(value, "t") == int(Decimal(str(value)))


@pytest.mark.parametrize("value", [SECONDS_TO - 1, NOON // 1000, 0, -1, -NOON, LATEST_MS + 1, NOON * 1000])
def test_numbers_of_another_unit_are_no_milliseconds(value: int) -> None:
    with pytest.raises(BadMessage) as refused:
        time_ms(value, "data.t")
    assert str(refused.value) == f"expected milliseconds since the epoch at `data.t`, got {value}"


@pytest.mark.parametrize(("value", "words"), [(None, "null"), (True, "true"), (Decimal("1.5"), "1.5"), ([], "[]")])
def test_what_is_no_time_at_all(value: object, words: str) -> None:
    with pytest.raises(BadMessage) as refused:
        fine_time(value, "data.t")
    assert str(refused.value) == f"expected a time at `data.t`, got {words}"


@pytest.mark.parametrize("value", [SECONDS_FROM, SECONDS_TO - 1, NOON // 1000])
def test_seconds_in_the_place_of_milliseconds_are_refused(value: int) -> None:
    with pytest.raises(BadMessage) as refused:
        refuse_seconds(value, "data.t")
    assert str(refused.value) == (
        f"expected milliseconds since the epoch at `data.t`, got {value}, which may be seconds"
    )


@pytest.mark.parametrize("value", [0, SECONDS_FROM - 1, SECONDS_TO, NOON])
def test_milliseconds_are_not_taken_for_seconds(value: int) -> None:
    refuse_seconds(value, "data.t")


@pytest.mark.parametrize(
    ("epoch_ms", "clock"),
    [
        (0, "00:00:00"),
        (999, "00:00:00"),
        (1_000, "00:00:01"),
        (59_999, "00:00:59"),
        (60_000, "00:01:00"),
        (3_599_999, "00:59:59"),
        (3_600_000, "01:00:00"),
        (86_399_999, "23:59:59"),
        (86_400_000, "00:00:00"),
        (NOON + 45_296_000, "00:34:56"),
        (-1, "23:59:59"),
    ],
)
def test_the_time_of_day(epoch_ms: int, clock: str) -> None:
    assert utc_clock(epoch_ms) == clock


@pytest.mark.parametrize(
    ("epoch_ms", "text"),
    [
        (0, "1970-01-01 00:00:00 UTC"),
        (NOON + 999, "2025-05-21 12:00:00 UTC"),
        (NOON + 1_000, "2025-05-21 12:00:01 UTC"),
        (LATEST_MS, "9999-12-31 23:59:59 UTC"),
        (LATEST_MS + 1, "253402300800000"),
        (10**30, "1" + "0" * 30),
    ],
)
def test_date_and_time_of_day(epoch_ms: int, text: str) -> None:
    assert utc_time(epoch_ms) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1_000, "1.0 s"),
        (3_249, "3.2 s"),
        (119_999, "120.0 s"),
        (120_000, "2 min"),
        (149_999, "2 min"),
        (150_001, "3 min"),
        (75 * MINUTE, "75 min"),
        (2 * HOUR - MINUTE, "119 min"),
        (2 * HOUR, "2 h"),
        (5 * HOUR + 30 * MINUTE, "5 h 30 min"),
        (47 * HOUR + MINUTE, "47 h 1 min"),
        (48 * HOUR, "2 days"),
        (61 * HOUR, "3 days"),
        (240 * HOUR, "10 days"),
    ],
)
def test_lengths_of_time(milliseconds: int, text: str) -> None:
    assert span(milliseconds) == text
