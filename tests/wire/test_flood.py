"""How many messages that belong to nothing are too many: in a burst, and for ever."""

from __future__ import annotations

import pytest

from venues.protocols.flood import LARGE, MOST_A_SECOND, MOST_AT_ONCE, FloodGauge


def until_it_overflows(gauge: FloodGauge, size: int, mono: float = 0.0) -> int:
    """How many such messages at one moment are borne."""
    count = 0
    while not gauge.overflows(size, mono):
        count += 1
    return count


@pytest.mark.parametrize(("size", "borne"), [(0, 1200), (LARGE, 600), (2 * LARGE, 400), (LARGE // 2, 800)])
def test_a_burst_is_borne(size: int, borne: int) -> None:
    assert until_it_overflows(FloodGauge(), size) == borne
    assert until_it_overflows(FloodGauge(), size, mono=1e6) == borne


@pytest.mark.parametrize(
    ("seconds", "more"), [(0.0, 0), (0.5, 50), (1.0, 100), (11.0, 1100), (12.01, 1200), (1e6, 1200)]
)
def test_a_hundred_a_second_are_forgotten(seconds: float, more: int) -> None:
    gauge = FloodGauge()
    for _ in range(int(MOST_AT_ONCE)):
        assert not gauge.overflows(0, 50.0)
    assert until_it_overflows(gauge, 0, 50.0 + seconds) == more


def test_a_hundred_a_second_are_borne_for_ever() -> None:
    gauge = FloodGauge()
    assert not any(gauge.overflows(0, number / MOST_A_SECOND) for number in range(5_000))
    gauge = FloodGauge()
    assert any(gauge.overflows(0, number / (1.5 * MOST_A_SECOND)) for number in range(5_000))


def test_a_clock_that_went_back_forgets_nothing() -> None:
    gauge = FloodGauge()
    assert until_it_overflows(gauge, 0, 50.0) == 1200
    assert gauge.overflows(0, 40.0)
    assert gauge.overflows(0, 50.01)
    assert not gauge.overflows(0, 50.1)
