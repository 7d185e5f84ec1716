"""The end of a full state that has lost rows: when it is owed, and when it comes."""

from __future__ import annotations

from typing import Any

import pytest

from cli.output.turns import OwedEnd, Whole
from tests.test_symbol_states import end, quote, status, told


@pytest.mark.parametrize(
    ("said", "then"),
    [
        ([], "end 3"),
        ([status("live", "A")], "end 3"),
        ([status("live")], "end 3"),
        ([status("stale", "A")], None),
        ([status("stale", "A"), status("live", "A")], None),
        ([status("stale", "A"), quote("B", 1)], None),
        ([status("stale", "A"), quote("A", 1)], "end 3"),
        ([status("stale", "A"), status("closed", "A")], "end 3"),
        ([status("stale", "A"), status("closed", "B")], None),
        ([status("stale", "A"), status("reconnecting")], "end 3"),
        ([status("stale", "A"), status("live")], None),
        ([status("stale", "A"), end(1)], "end 3"),
    ],
)
def test_an_end_is_owed_until_each_symbol_has_a_row_since_its_trouble(said: list[Any], then: str | None) -> None:
    owed = OwedEnd()
    for record in said:
        owed.see(record)
    owed.owe(end(3))
    came = owed.before(quote("C", 1))
    assert (None if came is None else told([came])[0]) == then
    assert owed.complete() is None, "it is owed no more, or still not complete"


@pytest.mark.parametrize(
    ("said", "then"),
    [
        ([], "end 3"),
        ([status("live")], "end 3"),
        ([status("stale")], None),
        ([status("closed", "B")], "end 2"),
        ([status("closed", "B"), status("closed", "C")], "end 1"),
        ([status("stale", "B"), status("closed", "B")], "end 2"),
        ([end(1)], None),
        ([Whole([quote("A", 1)], end(1))], None),
    ],
)
def test_what_is_owed_is_without_symbols_that_are_closed_and_no_more_where_all_is_new(
    said: list[Any], then: str | None
) -> None:
    owed = OwedEnd()
    owed.owe(end(3))
    for record in said:
        owed.see(record)
    came = owed.complete()
    assert (None if came is None else told([came])[0]) == then


def test_an_end_is_owed_until_the_rows_after_it_have_come() -> None:
    owed = OwedEnd()
    owed.owe(end(3), [quote("A", 1), quote("B", 1)])
    found = []
    for symbol in "CBA":
        owed.see(quote(symbol, 2))
        found.append(owed.complete())
    assert found == [None, None, end(3)]
    owed.owe(end(3))
    assert owed.before(end(1)) is owed.before(Whole([], end(0))) is None, "one that comes takes its place"
    owed.forget()
    assert owed.complete() is None
