"""What conditions see of how a stream stands, status by status."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cli.output.standing import Stand, Stands
from venues.records import State, Status, Trade
from venues.venue import ClockOffset, Confirmed, Now


def status(state: State, symbol: str | None = None) -> Status:
    return Status(venue="v", symbol=symbol, received=0, stream="trades", state=state)


def trade(time: int | None, symbol: str | None = None) -> Trade:
    one = Decimal(1)
    return Trade(venue="v", symbol=symbol, received=0, time=time, price=one, size=one, side="buy")


def seen(stand: Stand) -> tuple[object, ...]:
    """Its state, whether that is another one, live, stale, and partial."""
    return stand.seen.state, stand.changed, stand.live, stand.seen.stale, stand.seen.partial


@pytest.mark.parametrize("partial", [False, True])
def test_what_each_status_makes_of_it(partial: bool) -> None:
    stand = Stand(partial=partial)
    assert seen(stand) == ("connecting", False, False, None, None)
    told = []
    for state in ("syncing", "syncing", "live", "live", "stale", "reconnecting", "live", "closed"):
        stand.note(status(state))  # type: ignore[arg-type]
        told.append(seen(stand))
    assert told == [
        ("syncing", True, False, None, None),
        ("syncing", False, False, None, None),
        ("live", True, True, False, partial),
        ("live", False, True, False, partial),
        ("stale", True, False, True, None),
        ("reconnecting", True, False, True, None),
        ("live", True, True, False, partial),
        ("closed", True, False, True, None),
    ]
    assert stand.status == status("closed")


def test_an_age_grows_from_what_it_was_when_data_came() -> None:
    stand = Stand(partial=False)
    stand.look(Now(1.0, 1_000))
    assert stand.seen.age_ms is None
    stand.refresh(250, Now(1.0, 1_000))
    stand.look(Now(3.5, 0))
    assert stand.seen.age_ms == 2_750, "whatever the wall clock says"
    stand.refresh(-40, Now(4.0, 0))
    stand.look(Now(4.0, 0))
    assert stand.seen.age_ms == 0, "nothing is younger than now"


def test_without_several_symbols_everything_is_about_the_whole() -> None:
    stands = Stands("trades", (), partial=True)
    assert stands.of("A") is stands.of(None) is stands.whole
    assert list(stands.all()) == [stands.whole]
    assert stands.take(status("live", "A")) == [stands.whole]
    assert stands.whole.seen.partial is True
    assert stands.data(trade(400, "A"), Now(1.0, 1_000)) is stands.whole
    assert stands.whole.seen.age_ms == 600


def test_of_several_symbols_each_stands_by_itself() -> None:
    stands = Stands("trades", ("A", "B"), partial=False)
    a, b = stands.all()
    assert (stands.of("A"), stands.of("B"), stands.of("C"), stands.of(None)) == (a, b, stands.whole, stands.whole)
    assert stands.take(status("live")) == [a, b]
    assert stands.take(status("stale", "B")) == [b]
    assert stands.take(status("stale", "C")) == []
    assert (a.live, b.live, stands.whole.live) == (True, False, False)


def test_an_age_is_by_the_clock_of_the_venue() -> None:
    stands = Stands("trades", ("A", "B"), partial=False)
    b = stands.of("B")
    now = Now(1.0, 1_000)
    assert (stands.data(trade(400, "A"), now).seen.age_ms, b.seen.age_ms) == (600, None)
    assert stands.data(trade(None, "A"), now).seen.age_ms == 0
    stands.move(ClockOffset("trades", 50))
    assert stands.data(trade(400, "A"), now).seen.age_ms == 650
    stands.move(ClockOffset("trades", -700))
    assert stands.data(trade(400, "A"), now).seen.age_ms == 0


def test_what_comes_again_unchanged_is_as_young_as_its_time() -> None:
    stands = Stands("trades", ("A", "B"), partial=False)
    now = Now(1.0, 1_000)

    def ages() -> list[int | None]:
        for stand in stands.all():
            stand.look(now)
        return [stand.seen.age_ms for stand in stands.all()]

    stands.confirmed(Confirmed("trades", 900, "B"), now)
    assert ages() == [None, 100]
    stands.confirmed(Confirmed("trades", 700), now)
    assert ages() == [300, 300]
    stands.confirmed(Confirmed("trades"), now)
    assert ages() == [0, 0]
    stands.confirmed(Confirmed("trades", 100), now)
    stands.empty(now)
    assert ages() == [0, 0]
