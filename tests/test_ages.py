"""Ages on the screen: on the monotonic clock, and by the venue's clock with its offset taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from tests.drawn import NOW, look_of
from tests.samples import BOOK, TRADES, closed, order, status
from tests.test_screen import LIVE_BOOK, table_of

if TYPE_CHECKING:
    from cli.screen.look import Look

ORDER = order("254559", time=None)


class Clocks:
    """Both our clocks, the wall clock set by hand."""

    def __init__(self) -> None:
        self.now, self.mono = NOW, 5_000_000

    def goes_on(self, ms: int) -> None:
        self.now += ms
        self.mono += ms

    def look(self, **options: Any) -> Look:
        return look_of(lambda: self.now, mono_ms=lambda: self.mono, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("step", [-2 * 86_400_000, -3_600_000, -3_000, 3_600_000, 2 * 86_400_000])
def test_a_step_of_our_wall_clock_changes_no_age(step: int) -> None:
    clocks = Clocks()
    table = table_of("book", LIVE_BOOK, clocks.look())

    def top() -> str:
        return table.frame(120, 24)[0].plain

    assert "age 0 s" in top()
    clocks.goes_on(40_000)
    assert "age 40 s" in top()
    clocks.now += step
    assert "age 40 s" in top()
    clocks.goes_on(2_000)
    assert "age 42 s" in top()
    table.write([structs.replace(BOOK, received=clocks.now - 1_000)])
    assert "age 1 s" in top()
    table.confirm("book")
    assert "age 0 s" in top()
    table.write([status("book", "stale", received=clocks.now)])
    clocks.goes_on(7_000)
    clocks.now -= step
    assert "STALE 7 s" in top()
    table.write([status("book", "reconnecting", attempt=2, retry_in_ms=9_000, received=clocks.now)])
    clocks.now += step
    clocks.goes_on(2_000)
    assert "RECONNECTING in 7 s" in top()


@pytest.mark.parametrize("step", [-3_600_000, -4_000, 3_600_000])
def test_a_step_of_our_wall_clock_makes_no_row_older_and_keeps_no_mark(step: int) -> None:
    clocks = Clocks()
    table = table_of("orders", [status("orders", "live")], clocks.look())
    table.write([structs.replace(ORDER, received=clocks.now, change="update")])
    clocks.goes_on(30_000)
    table.frame(120, 24)
    clocks.now += step
    for seconds in (30, 31, 32):
        row = next(line.plain for line in table.frame(120, 24)[2:] if ORDER.order_id in line.plain)
        assert f"{seconds} s" in row
        clocks.goes_on(1_000)
    table.write([structs.replace(ORDER, received=clocks.now, change="remove")])
    assert any(ORDER.order_id in line.plain for line in table.frame(120, 24)[2:])
    clocks.now -= step
    clocks.goes_on(3_000)
    assert not any(ORDER.order_id in line.plain for line in table.frame(120, 24)[2:])


@pytest.mark.parametrize("offset", [7_200_000, -7_200_000])
def test_ages_by_the_venues_time_are_told_with_the_offset_taken_out(offset: int) -> None:
    clocks = Clocks()
    table = table_of("closed", [status("closed", "live")], clocks.look())
    table.write([structs.replace(closed("1"), closed=clocks.now + offset - 30_000)])
    table.set_offset("closed", offset)
    assert any("30 s ago" in line.plain for line in table.frame(120, 24))
    clocks.now -= 500_000  # our own clock is set, which the offset knows before the next message
    table.press("up")
    table.idle()
    assert any("30 s ago" in line.plain for line in table.frame(121, 24))


def test_a_recording_has_clocks_of_its_own_which_are_no_step_of_ours() -> None:
    clocks = Clocks()
    table = table_of("trades", [], clocks.look())
    assert "age" not in table.frame(120, 24)[0].plain
    clocks.now, clocks.mono = NOW - 3 * 365 * 86_400_000, 1_200
    table.write([status("trades", "live", received=clocks.now)])
    clocks.goes_on(60_000)
    table.write([structs.replace(TRADES[0], time=clocks.now - 40, received=clocks.now)])
    clocks.goes_on(2_000)
    header, _, volume = (line.plain for line in table.frame(120, 24)[:3])
    assert ["skew" in header, "age 2 s" in header, "latency 40 ms" in header] == [False, True, True]
    assert "buy 0.3 in 1" in volume


@pytest.mark.parametrize("offset", [172_800_000, -172_800_000])
def test_the_skew_is_in_the_header_also_of_what_stays(offset: int) -> None:
    clocks = Clocks()
    table = table_of("trades", [status("trades", "live")], clocks.look())
    table.set_offset("trades", offset)
    words = f"clock skew {'−' if offset > 0 else '+'}2 days"
    assert words in table.frame(120, 24)[0].plain
    assert words in table.last(120, 24)[0].plain


def test_a_time_still_to_come_tells_no_age() -> None:
    clocks = Clocks()
    row = structs.replace(ORDER, change="snapshot", updated=clocks.now + 3_600_000, received=clocks.now)
    table = table_of("orders", [status("orders", "live"), row], clocks.look())
    clocks.goes_on(40_000)
    assert any(line.plain.rstrip().endswith("40 s") for line in table.frame(120, 24)[2:])
    table = table_of("closed", [structs.replace(closed("1"), closed=clocks.now + 3_600_000)], clocks.look())
    shown = [line.plain.rstrip() for line in table.frame(120, 24)[2:]]
    assert not any("ago" in line for line in shown)
    assert any(line.endswith("—") for line in shown)
