"""Values as text: figures below each other, times, lengths of time, and texts that are cut."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from decimal import Decimal

import pytest

from cli.output import cells


@pytest.mark.parametrize(
    ("values", "plain", "with_sign"),
    [
        ([], [], []),
        ([None], ["—"], ["—"]),
        ([None, None], ["—", "—"], ["—", "—"]),
        (["1", "20"], ["1", "20"], ["+1", "+20"]),
        (["1.5", "20"], ["1.5", "20  "], ["+1.5", "+20  "]),
        (["1.25", "-20.5", None], ["1.25", "-20.5 ", "—   "], ["+1.25", "-20.5 ", "—   "]),
        (["0.00", "1E+2"], ["0.00", "100   "], ["0.00", "+100   "]),
    ],
)
def test_figures_of_a_column_have_their_points_below_each_other(
    values: list[str | None], plain: list[str], with_sign: list[str]
) -> None:
    figures = [None if value is None else Decimal(value) for value in values]
    assert cells.column(figures) == plain
    assert cells.column(figures, with_sign=True) == with_sign


def test_the_wall_clock_is_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.output.cells.time.time_ns", lambda: 1_700_000_000_123_999_999)
    assert cells.now_ms() == 1_700_000_000_123


@pytest.mark.parametrize(
    ("epoch_ms", "with_millis", "without"),
    [
        (None, "—", "—"),
        (0, "00:00:00.000", "00:00:00"),
        (1_000, "00:00:01.000", "00:00:01"),
        (1_009, "00:00:01.009", "00:00:01"),
        (86_399_999, "23:59:59.999", "23:59:59"),
        (10**18, "—", "—"),
    ],
)
def test_a_time_of_day(epoch_ms: int | None, with_millis: str, without: str) -> None:
    assert cells.clock(epoch_ms, tz=UTC) == with_millis
    assert cells.clock(epoch_ms, millis=False, tz=UTC) == without


def test_a_time_of_day_is_that_of_its_zone() -> None:
    assert cells.clock(0, tz=timezone(timedelta(hours=5, minutes=30))) == "05:30:00.000"


@pytest.mark.parametrize(
    ("seconds", "duration", "age"),
    [
        (-5, "0.0 s", "0 s"),
        (-0.5, "0.0 s", "0 s"),
        (0, "0.0 s", "0 s"),
        (0.999, "1.0 s", "0 s"),
        (9.9, "9.9 s", "9 s"),
        (10, "10 s", "10 s"),
        (119, "119 s", "119 s"),
        (120, "2 min", "2 min"),
        (179, "3 min", "2 min"),
        (7_199, "120 min", "119 min"),
        (7_200, "2 h", "2 h"),
        (10_799, "3 h", "2 h"),
        (36_000, "10 h", "10 h"),
    ],
)
def test_a_length_of_time_has_the_unit_that_is_read_at_a_glance(seconds: float, duration: str, age: str) -> None:
    assert cells.duration(seconds * 1_000) == duration
    assert cells.age(seconds * 1_000) == age


@pytest.mark.parametrize(
    ("text", "longest", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("abcd", 1, "…"),
        ("x" * cells.LONGEST_TEXT, None, "x" * cells.LONGEST_TEXT),
        ("x" * (cells.LONGEST_TEXT + 1), None, "x" * (cells.LONGEST_TEXT - 1) + "…"),
        ("a\nb", 3, r"a\x0ab"),
    ],
)
def test_a_text_from_outside_is_cut_before_it_is_made_harmless(text: str, longest: int | None, shown: str) -> None:
    assert (cells.harmless(text) if longest is None else cells.harmless(text, longest)) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x" * cells.SHORT, "x" * cells.SHORT),
        ("x" * (cells.SHORT + 1), "x" * (cells.SHORT - 1) + "…"),
        ("日" * 6, "日" * 6),
        ("日" * 7, "日" * 5 + "…"),
        ("raw lots", "raw lots"),
    ],
)
def test_a_unit_is_cut_to_so_many_cells(text: str, shown: str) -> None:
    assert cells.short(text) == shown


@pytest.mark.parametrize(
    ("name", "shown"), [(None, ""), ("ticks", " ticks"), ("raw_lots", " raw lots"), ("x" * 13, " " + "x" * 11 + "…")]
)
def test_a_unit_is_a_word_behind_its_figure(name: str | None, shown: str) -> None:
    assert cells.unit(name) == shown


@pytest.mark.parametrize(
    ("character", "escape"),
    [
        ("\x00", r"\u0000"),
        ("\x7f", r"\u007f"),
        ("\uffff", r"\uffff"),
        ("\U00010000", r"\ud800\udc00"),
        ("\ud800", r"\ud800"),
    ],
)
def test_an_escape_in_json_stands_for_the_same_character(character: str, escape: str) -> None:
    assert cells._json_escape(character) == escape


def test_ranges_of_characters_have_both_their_ends() -> None:
    assert cells._characters((0x41, 0x43), (0x61, 0x61)) == set("ABCa")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("e\u0301\u0302\u0303", "e\u0301\u0302\u0303"),
        ("é\u0301\u0302\u0303\u0304", "é\u0301\u0302\u0303\\u0304"),
        ("日\u0301\u0302\u0303\u0304本\u0301", "日\u0301\u0302\u0303\\u0304本\u0301"),
        ("a\u0301\x9b\u0302", "a\u0301\\x9b\\u0302"),
        ("日\u0301\u200b\u0302", "日\u0301\\u200b\\u0302"),
        ("\u0301", r"\u0301"),
    ],
)
def test_three_marks_stay_on_a_character_and_none_on_what_cannot_be_seen(text: str, shown: str) -> None:
    assert cells.harmless(text) == shown
