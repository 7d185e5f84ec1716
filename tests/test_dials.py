"""How often connections are made where the venue counts them."""

from __future__ import annotations

import pytest

from venues.toolkit.dials import Dials
from venues.toolkit.unasked import LeftOut
from venues.venue import Notice


def test_no_more_than_so_many_connections_are_made_in_a_time() -> None:
    dials = Dials(2, 60.0)
    assert [dials.next_at(at) for at in (5.0, 6.0, 7.0, 7.0, 7.0)] == [5.0, 6.0, 65.0, 66.0, 125.0]


@pytest.mark.parametrize(("at", "planned"), [(64.999, 65.0), (65.0, 65.0), (65.001, 65.001), (500.0, 500.0)])
def test_a_connection_waits_only_where_it_would_be_too_soon(at: float, planned: float) -> None:
    dials = Dials(2, 60.0)
    dials.next_at(5.0)
    dials.next_at(6.0)
    assert dials.next_at(at) == planned


def test_of_symbols_that_nobody_asked_for_the_first_of_each_stream_is_said() -> None:
    left_out = LeftOut("acks")
    words = "acks sends {} of symbols that were not asked for, such as {}; they are left out"
    assert left_out.say("book", "A") == [Notice(words.format("book", "A"))]
    assert left_out.say("book", "B") == []
    assert left_out.say("trades", "x" * 41) == [Notice(words.format("trades", "x" * 39 + "…"))]
    assert left_out.say("trades", "A") == []
