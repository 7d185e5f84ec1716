"""What is said where records were left out."""

from __future__ import annotations

import pytest

from cli.output.gaps import Gap, no_words
from venues.records import State, Status

WHY = "nobody reads them, and there is no room for more"


def gap(*, partial: bool = False) -> Gap:
    moments = iter(range(7, 100))
    return Gap("orders", venue="v", env="sim", symbol="A", partial=partial, epoch_ms=lambda: next(moments))


def status(state: State, reason: str, received: int = 7) -> Status:
    return Status(venue="v", env="sim", symbol="A", received=received, stream="orders", state=state, reason=reason)


def test_where_events_are_missing_the_stream_is_as_live_as_before() -> None:
    assert gap(partial=True).in_events(3) == gap().in_events(3) == status("live", f"3 are left out here: {WHY}")


def test_where_rows_are_missing_the_state_is_lost() -> None:
    assert gap().in_rows(41) == [status("stale", f"41 rows are left out: {WHY}")]


def test_a_stream_of_changes_goes_on_with_those_that_come() -> None:
    stale, live = gap(partial=True).in_rows(41)
    assert {stale.received, live.received} == {7, 8}
    assert stale == status("stale", f"41 rows are left out: {WHY}", stale.received)
    assert live == status("live", "partial: changes since then", live.received)


@pytest.mark.parametrize("count", [0, 5])
def test_what_has_no_place_for_a_status_gets_none(count: int) -> None:
    assert list(no_words(count)) == []
