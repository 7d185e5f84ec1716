"""Candles that a venue made: a candle ahead of its time closes nothing, an older one corrects its own."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from tests import test_jayx as jayx
from venues.records import Candle
from venues.toolkit import made_candles
from venues.toolkit.clock import FAR, VenueClock
from venues.toolkit.made_candles import MOST_TIMES, ClockedCandles, MadeCandles
from venues.venue import Confirmed, Notice, Now

if TYPE_CHECKING:
    from collections.abc import Iterable

MINUTE = 60_000
BEGIN = 1_700_000_040_000  # a full minute


def now(seconds: float) -> Now:
    return Now(1_000.0 + seconds, BEGIN + round(seconds * 1000))


def candle(minute: int, close: str = "1") -> Candle:
    start, price = BEGIN + minute * MINUTE, Decimal(close)
    return Candle(venue="v", received=0, interval="1m", start=start, end=start + MINUTE, open=price, high=price,
                  low=price, close=price, closed=False, complete=True)  # fmt: skip


class Sent:
    """Candles as they are sent, by a venue whose clock is `ahead` of ours by so many seconds."""

    def __init__(self, ahead: float = 0) -> None:
        self.candles = MadeCandles()
        self._ahead = ahead

    def __call__(self, seconds: float, minute: int, close: str = "1", *, is_new: bool = True) -> list[Any]:
        """What comes of a candle at a time of the venue's: `(minute, close, closed)`, or "said"."""
        ours = now(seconds - self._ahead)
        return [
            "said" if isinstance(item, Notice) else ((item.start - BEGIN) // MINUTE, str(item.close), item.closed)  # type: ignore[union-attr]
            for item in self.candles.take(candle(minute, close), ours.epoch_ms, ours, is_new=is_new)
        ]


def test_the_next_candle_closes_the_one_before() -> None:
    sent = Sent()
    assert sent(1, 0) == [(0, "1", False)]
    assert sent(59, 0, "2") == [(0, "2", False)]
    assert sent(60, 1, "3") == [(0, "2", True), (1, "3", False)]


def test_one_that_is_far_ahead_of_its_time_closes_nothing_and_is_not_shown() -> None:
    sent = Sent()
    sent(1, 0)
    assert sent(2, 60, "9") == ["said"]
    assert sent(3, 60, "9") == [], "once"
    assert sent(4, 0, "2") == [(0, "2", False)]
    assert sent(60, 1, "3") == [(0, "2", True), (1, "3", False)]
    assert sent(3_600.5, 60, "4") == [(1, "3", True), (60, "4", False)]


def test_one_that_is_a_little_early_is_shown_and_closes_when_its_time_has_come() -> None:
    sent = Sent()
    sent(1, 0)
    assert sent(57, 1, "3") == [(1, "3", False)]
    assert sent(58, 0, "2") == [(0, "2", False)]
    assert sent(59.9, 1, "4") == [(1, "4", False)]
    assert sent(60, 1, "5") == [(0, "2", True), (1, "5", False)]


@pytest.mark.parametrize(("second", "is_over"), [(59.998, False), (59.999, False), (60.0, True), (60.001, True)])
def test_a_candle_closes_the_one_before_to_the_millisecond(second: float, is_over: bool) -> None:
    sent = Sent()
    sent(1, 0)
    assert sent(second, 1, "3") == [*[(0, "1", True)] * is_over, (1, "3", False)]


@pytest.mark.parametrize(("early", "is_shown"), [(FAR - 1, True), (FAR, True), (FAR + 1, False)])
def test_how_early_a_candle_may_be(early: int, is_shown: bool) -> None:
    sent = Sent()
    sent(1, 0)
    assert sent(60 - early / 1000, 1, "3") == ([(1, "3", False)] if is_shown else ["said"])
    assert sent.candles.holds_back is not is_shown


@pytest.mark.parametrize(("early", "is_right"), [(FAR - 1, True), (FAR, True), (FAR + 1, False)])
def test_an_older_one_takes_the_place_of_one_that_is_far_ahead(early: int, is_right: bool) -> None:
    sent = Sent()
    assert sent(60 - early / 1000, 1, "3") == [(1, "3", False)], "the first one is shown"
    assert sent(60 - early / 1000, 0, "2") == [(0, "2", is_right)]


@pytest.mark.parametrize(("later", "counts"), [(1.999, False), (2.0, True)])
def test_what_is_insisted_on_for_two_seconds_counts(later: float, counts: bool) -> None:
    sent = Sent()
    sent(1, 0)
    assert sent(2, 60) == ["said"]
    assert sent(2 + later, 60, "9") == ([(0, "1", True), (60, "9", False)] if counts else [])


def test_another_one_begins_the_row_anew() -> None:
    sent = Sent()
    sent(1, 0)
    assert [sent(2 + n / 10, 60) for n in range(4)] == [["said"], [], [], []]
    assert [sent(2.5 + n / 10, 70) for n in range(4)] == [["said"], [], [], []]
    assert sent(2.9, 70, "9") == [(0, "1", True), (70, "9", False)]


@pytest.mark.parametrize(("most", "closes"), [(2, True), (1, False)])
def test_of_so_many_it_is_known_that_they_were_new_before_their_time(
    most: int, closes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made_candles, "MOST_EARLY", most)
    sent = Sent()
    sent(59, 0)
    assert [sent(59, minute) for minute in (2, 3)] == [["said"], ["said"]]
    assert sent(120, 2, is_new=False) == [*[(0, "1", True)] * closes, (2, "1", False)]


def test_what_was_new_before_its_time_closes_though_it_is_not_said_again_to_be_new() -> None:
    sent = Sent()
    sent(1, 0)
    assert sent(50, 1, "3") == ["said"]
    assert sent(61, 1, "4", is_new=False) == [(0, "1", True), (1, "4", False)]


def test_an_older_one_corrects_its_own() -> None:
    sent = Sent()
    sent(1, 0)
    sent(61, 1)
    assert sent(62, 0, "7") == [(0, "7", True)]
    assert sent(63, -5, "8") == [(-5, "8", True)]
    assert sent(64, 1, "9") == [(1, "9", False)]


@pytest.mark.parametrize("ahead", [-86_400.0, -3_600.0, -30.0, -3.0, 0.0, 3.0, 30.0, 3_600.0, 86_400.0 * 600])
def test_a_clock_that_is_off_closes_every_candle_in_the_end(ahead: float) -> None:
    sent = Sent(ahead)
    told = [(second // 60, one) for second in range(600) for one in sent(second, second // 60, str(second + 1))]
    closed = [one for _, one in told if one != "said" and one[2]]
    assert closed == [(minute, str(60 * minute + 60), True) for minute in range(9)]
    assert all(at - minute == 1 for at, (minute, _, _) in ((at, one) for at, one in told if one in closed))


def test_a_clock_that_is_ahead_closes_a_candle_with_the_first_message_of_the_next() -> None:
    sent = Sent(3_600)
    assert sent(0, 0) == [(0, "1", False)]
    assert sent(60, 1, "3") == [(0, "1", True), (1, "3", False)]


def test_a_clock_that_was_ahead_is_right_again_when_a_candle_begins_by_ours() -> None:
    sent = Sent(3_600)
    assert sent(0, 0) == [(0, "1", False)]
    assert sent(7_260, 61) == [(0, "1", True), (61, "1", False)]
    assert sent(7_261, 62) == ["said"]


@pytest.mark.parametrize(("early", "is_shown"), [(FAR, True), (FAR + 1, False)])
@pytest.mark.parametrize(("second", "is_over"), [(7_319.999, False), (7_320.0, True)])
def test_a_clock_that_is_right_again_counts_to_the_millisecond(
    early: int, is_shown: bool, second: float, is_over: bool
) -> None:
    sent = Sent(3_600)
    sent(0, 0)
    sent(7_260, 61)
    assert sent(7_320 - early / 1000, 62) == ([(62, "1", False)] if is_shown else ["said"])
    assert sent(second, 62, "2") == [*[(61, "1", True)] * is_over, (62, "2", False)]


@pytest.mark.parametrize(("second", "is_right_again"), [(7_319.999, True), (7_320.0, False)])
def test_our_clock_is_right_again_only_by_a_candle_that_is_not_over_by_it(second: float, is_right_again: bool) -> None:
    sent = Sent(3_600)
    sent(0, 0)
    assert sent(second, 61)[-1] == (61, "1", False)
    assert (sent(second, 63) == ["said"]) is is_right_again


def test_a_candle_that_begins_a_little_early_by_ours_closes_nothing_before_its_time() -> None:
    sent = Sent(3_600)
    assert sent(0, 0) == [(0, "1", False)]
    assert sent(7_258, 61) == [(61, "1", False)], "by our clock it is 2 s early, and ours is right again"
    assert sent(7_260, 61, "2") == [(0, "1", True), (61, "2", False)]


def test_a_late_message_of_the_same_candle_does_not_make_our_clock_right() -> None:
    sent = Sent(3_600)
    assert sent(0, 0) == [(0, "1", False)]
    assert sent(61, 0, "2") == [(0, "2", False)]
    assert sent(62, 1, "3") == [(0, "2", True), (1, "3", False)]


def test_what_five_messages_in_a_row_insist_on_counts() -> None:
    sent = Sent()
    sent(1, 0)
    assert [sent(2 + n / 10, 60) for n in range(4)] == [["said"], [], [], []]
    assert sent(2.4, 60, "9") == [(0, "1", True), (60, "9", False)]


def test_messages_of_the_current_one_between_them_are_no_row() -> None:
    sent = Sent()
    sent(1, 0)
    for n in range(20):
        assert sent(2 + n / 10, 60) in (["said"], [])
        assert sent(2 + n / 10, 0) == [(0, "1", False)]


def test_our_own_clock_counts_when_the_first_one_was_the_mistake() -> None:
    sent = Sent()
    assert sent(1, 60) == [(60, "1", False)]
    assert sent(2, 0, "2") == [(0, "2", False)]
    assert sent(60, 1, "3") == [(0, "2", True), (1, "3", False)]


def test_a_first_candle_that_is_just_not_far_ahead_says_nothing_of_the_venues_clock() -> None:
    sent = Sent()
    assert sent(60 - FAR / 1000, 1) == [(1, "1", False)]
    assert sent(61, 2) == ["said"], "by our clock it is 59 s early"


@pytest.mark.parametrize(
    ("second", "minute", "is_current"), [(64.999, 0, True), (65.0, 0, False), (594.999, 10, False), (595.0, 10, True)]
)
def test_which_older_one_takes_the_place_of_a_mistake(second: float, minute: int, is_current: bool) -> None:
    sent = Sent()
    assert sent(1, 60) == [(60, "1", False)]
    assert sent(second, minute, "2") == [(minute, "2", not is_current)]


@pytest.mark.parametrize(("second", "is_over"), [(59.999, False), (60.0, True)])
def test_after_a_mistake_our_own_clock_counts_to_the_millisecond(second: float, is_over: bool) -> None:
    sent = Sent()
    sent(1, 60)
    sent(2, 0)
    assert sent(second, 1, "3") == [*[(0, "1", True)] * is_over, (1, "3", False)]


def test_after_a_mistake_another_one_before_its_time_is_not_shown() -> None:
    sent = Sent()
    sent(1, 60)
    sent(2, 0)
    assert sent(3, 30) == ["said"]


@pytest.mark.parametrize(("ahead", "is_late"), [(FAR - 1, False), (FAR, True), (FAR + 1, True)])
def test_a_time_far_ahead_keeps_out_an_older_one_that_is_far_ahead_too(ahead: int, is_late: bool) -> None:
    candles, ours = MadeCandles(), now(0)
    newer, older = (replace(candle(0), time=ours.epoch_ms + ms) for ms in (3 * FAR, ahead))
    assert candles.take(newer, ours.epoch_ms, ours) == [newer]
    assert candles.take(older, ours.epoch_ms, ours) == ([] if is_late else [older])


def test_what_the_mistake_left_open_is_never_closed() -> None:
    sent = Sent()
    sent(1, 60)
    sent(2, 61)  # 60 is open now, and waits for its end
    assert sent(3, 0) == [(0, "1", False)]
    assert sent(60, 1) == [(0, "1", True), (1, "1", False)]


def test_after_an_interruption_nothing_is_closed_that_was_not_followed() -> None:
    sent = Sent()
    sent(1, 0)
    sent.candles.forget()
    assert sent(61, 1) == [(1, "1", False)]
    assert sent(121, 2, is_new=False) == [(2, "1", False)]


def kline(minute: int, close: int = 9, *, modified: int = 0) -> dict[str, int]:
    created = (jayx.NOW.epoch_ms // MINUTE + minute) * 60
    return {"created": created, "o": 9, "h": 12, "l": 8, "c": close, "v": 1, "m": created + modified}


def at(seconds: float) -> Now:
    """So many seconds after the start of the current minute."""
    return Now(jayx.NOW.mono + seconds, jayx.NOW.epoch_ms // MINUTE * MINUTE + round(seconds * 1000))


def test_a_state_older_than_the_same_candles_before_changes_nothing() -> None:
    session = jayx.connected(jayx.line_of("candles"))

    def told(seconds: float, minute: int, close: int, modified: int, path: str = "modify") -> list[tuple[Any, bool]]:
        message = {path: kline(minute, close, modified=modified)}
        items = session.receive(jayx.packet("kline", message), at(seconds))
        return [(item.close, item.closed) for item in items if isinstance(item, Candle)]

    assert told(5, 0, 9, 5) == [(9, False)]
    assert told(6, 0, 10, 6) == [(10, False)]
    assert told(6.1, 0, 9, 5) == []
    assert told(6.2, 0, 11, 6) == [(11, False)], "of equal times the order of arrival decides"
    assert told(60, 1, 12, 0, "add") == [(11, True), (12, False)]
    assert told(61, 0, 8, 5) == []
    assert told(62, 0, 8, 61) == [(8, True)]
    assert told(63, 1, 10, 7_200) == [(10, False)], "its time is not believed"
    assert told(64, 1, 11, 4) == [(11, False)], "and holds nothing off"


def test_the_latest_times_of_the_last_candles_are_known_and_of_no_more() -> None:
    candles, ours = MadeCandles(), now(MOST_TIMES * 60)

    def take(minute: int, seconds: float) -> list[Any]:
        one = candle(minute)
        return candles.take(replace(one, time=one.start + round(seconds * 1000)), ours.epoch_ms, ours)

    for minute in range(MOST_TIMES):
        take(minute, 50)
    assert take(0, 49) == [], "the first one is still known"
    take(MOST_TIMES, 0)
    assert take(0, 49) != []
    assert take(1, 49) == []


def test_older_times_that_go_on_are_a_clock_that_went_back() -> None:
    candles = MadeCandles()

    def take(seconds: float, close: str, time: float) -> list[Any]:
        ours = now(seconds)
        items = candles.take(replace(candle(0, close), time=BEGIN + round(time * 1000)), ours.epoch_ms, ours)
        return [str(item.close) for item in items if isinstance(item, Candle)]

    assert take(40, "9", 40) == ["9"]
    assert [take(41 + seconds, "1", 20) for seconds in range(12)] == [[]] * 12, "one state, sent again and again"
    assert take(53, "9", 40) == ["9"]
    assert [take(53, "1", 20 + step) for step in range(9)] == [[]] * 9, "what was held up comes at once"
    assert take(65, "1", 28) == [], "and nothing comes of it when its last one is repeated"
    assert take(66, "9", 40) == ["9"]
    assert [take(66, "1", 20 - step) for step in range(9)] == [[]] * 9, "no clock runs backwards"
    assert take(67, "9", 40) == ["9"]
    assert [take(68 + step, "1", 20 + step) for step in range(10)] == [[]] * 10
    assert take(78, "2", 30) == ["2"], "ten seconds of them"
    assert take(79, "3", 31) == ["3"]
    assert [take(82 + 4 * step, "1", 10 + step) for step in range(4)] == [[]] * 4, "and five of them"
    assert take(98, "1", 14) == ["1"]


def test_a_time_that_was_far_ahead_counts_once_the_clock_agrees_with_it() -> None:
    """Our clock was two hours back when the newer state came; by now it is known how the venue's stands."""
    candles, ahead = MadeCandles(), 7_200_000
    newer, older = (replace(candle(0, close), time=BEGIN + ms) for close, ms in (("2", 5_000), ("1", 4_000)))
    back = now(-7_195)
    assert candles.take(newer, back.epoch_ms, back) == [newer]
    later = now(-7_194)
    assert candles.take(older, later.epoch_ms + ahead, later) == []
    newest = replace(candle(0, "3"), time=BEGIN + 6_000)
    assert candles.take(newest, later.epoch_ms + ahead, later) == [newest]


@pytest.mark.parametrize(("ahead", "counts"), [(FAR - 1, True), (FAR, False), (FAR + 1, False)])
@pytest.mark.parametrize("passed", [0, 100])
def test_a_time_was_far_ahead_by_the_clock_of_the_moment_at_which_it_came(
    ahead: int, counts: bool, passed: int
) -> None:
    candles, came, later, there = MadeCandles(), now(0), now(passed), BEGIN + 5_000
    newer, older = replace(candle(0, "2"), time=there), replace(candle(0, "1"), time=there - 1)
    assert candles.take(newer, there - FAR, came) == [newer]
    venue_now = there - ahead + passed * 1000  # by now it is known that the venue's clock was at `there - ahead` then
    assert candles.take(older, max(venue_now, older.time - FAR + 1), later) == ([] if counts else [older])


def test_of_times_that_are_all_far_ahead_of_our_clock_the_older_one_changes_nothing() -> None:
    candles, ours = MadeCandles(), now(-7200)  # our clock is two hours behind, which nothing has proved yet

    def take(close: str, seconds: float) -> list[Any]:
        items = candles.take(replace(candle(0, close), time=BEGIN + round(seconds * 1000)), ours.epoch_ms, ours)
        return [str(item.close) for item in items if isinstance(item, Candle)]

    assert take("1", 20) == ["1"]
    assert take("3", 22) == ["3"]
    assert take("2", 21) == [], "it came late"
    assert take("4", 22) == ["4"]


def test_jayx() -> None:
    session = jayx.connected(jayx.line_of("candles"))

    def told(seconds: float, **message: dict[str, int]) -> list[Any]:
        items = session.receive(jayx.packet("kline", message), at(seconds))
        return [(item.close, item.closed) for item in items if isinstance(item, Candle | Confirmed)]

    minute = kline(0, 9, modified=5)
    assert told(5, modify=minute) == [(9, False)]
    assert told(6, add=kline(60, 12)) == [], "an hour ahead"
    assert told(7, modify=kline(0, 10, modified=7)) == [(10, False)]
    assert told(8, modify=kline(-1, 8, modified=59)) == [(8, True)]
    assert told(60, add=kline(1, 11)) == [(10, True), (11, False)]
    assert told(62, modify=kline(0, 12, modified=59)) == [(12, True)]


# --- closed by the clock


class Clocked:
    """Candles that the venue's clock closes; the line shows a sign of life whenever something comes."""

    def __init__(self) -> None:
        self.candles = ClockedCandles(VenueClock())
        self._heard = 0.0

    def __call__(self, seconds: float, minute: int, close: str = "1", *, sent: float | None = None) -> list[Any]:
        """`sent`: the venue's time of the message, in seconds."""
        self._heard = seconds
        time = None if sent is None else BEGIN + round(sent * 1000)
        return told(self.candles.take(replace(candle(minute, close), time=time), now(seconds)))

    def tick(self, seconds: float, *, heard: float | None = None) -> list[Any]:
        self._heard = seconds if heard is None else heard
        at = now(seconds)
        return told(self.candles.tick(Now(at.mono, at.epoch_ms, heard=1_000.0 + self._heard)))

    @property
    def due(self) -> float | None:
        return None if self.candles.due is None else round(self.candles.due - 1_000.0, 3)


def told(items: Iterable[Any]) -> list[Any]:
    return [
        "the same" if isinstance(item, Confirmed) else ((item.start - BEGIN) // MINUTE, str(item.close), item.closed)
        for item in items
    ]


def test_the_clock_closes_a_candle_once_and_a_late_update_corrects_it() -> None:
    sent = Clocked()
    assert sent.due is None
    assert sent(1, 0) == [(0, "1", False)]
    assert sent.due == 61
    assert sent.tick(60.9) == []
    assert sent.tick(61) == [(0, "1", True)]
    assert sent.due is None
    assert sent(61.5, 0, "2") == [(0, "2", True)], "a late update corrects it"
    assert sent(200, 3, "3") == [(3, "3", False)], "and what is closed already is not closed once more"
    assert sent.due == 241


@pytest.mark.parametrize(("second", "due"), [(60.999, 61.0), (61.0, 61.0), (61.001, 61.001), (75.0, 75.0)])
def test_a_candle_that_comes_late_is_over_at_once(second: float, due: float) -> None:
    sent = Clocked()
    assert sent(second, 0) == [(0, "1", False)]
    assert sent.due == due
    assert sent.tick(due) == [(0, "1", True)]


def test_the_next_candle_closes_one_before_the_clock_does() -> None:
    sent = Clocked()
    sent(1, 0)
    assert sent(60.2, 1, "3") == [(0, "1", True), (1, "3", False)]
    assert sent.due == 121


def test_a_line_that_hangs_closes_nothing() -> None:
    sent = Clocked()
    sent(1, 0)
    assert sent.tick(61, heard=59) == []
    assert sent.due == 61.25
    assert sent.tick(64, heard=60.9) == []
    assert sent.tick(66, heard=65) == [(0, "1", True)]


def test_a_candle_that_came_before_its_time_does_not_keep_the_one_before_it_open() -> None:
    sent = Clocked()
    sent(1, 0)
    assert sent(57, 1, "3") == [(1, "3", False)]
    assert sent.due == 61
    assert sent.tick(61) == [(0, "1", True)]
    assert sent.due == 121


def test_how_a_candle_ended_is_not_known_after_an_interruption() -> None:
    sent = Clocked()
    sent(1, 0)
    sent.candles.forget()
    assert sent.due is None
    assert sent.tick(70) == []


def test_candles_that_were_over_when_they_were_sent_are_closed_at_once() -> None:
    sent = Clocked()
    assert sent(200, 0, sent=200) == [(0, "1", True)]
    assert sent(200, 1, sent=200) == [(1, "1", True)]
    assert sent(200, 3, sent=200) == [(3, "1", False)], "this one is not over"
    assert sent(200.5, 1, "2", sent=200.5) == [(1, "2", True)], "a late update corrects"
    assert sent.due == 241


@pytest.mark.parametrize(
    ("seconds", "sent_at", "is_over"),
    [(200, 60.999, False), (200, 61.0, True), (200, 201.0, True), (200, 201.001, False)],
)
def test_a_candle_was_over_when_it_was_sent_a_second_after_its_end_by_a_time_that_can_be(
    seconds: float, sent_at: float, is_over: bool
) -> None:
    assert Clocked()(seconds, 0, sent=sent_at) == [(0, "1", is_over)]


def test_what_waited_on_a_line_that_hung_closes_nothing_by_itself() -> None:
    sent = Clocked()
    sent(1, 0, sent=1)
    assert sent(70, 0, "2", sent=59) == [(0, "2", False)]
    assert sent(70, 0, "3", sent=59.5) == [(0, "3", False)]
    assert sent.tick(70.5) == [(0, "3", True)]


def test_our_clock_alone_closes_nothing_that_the_messages_own_times_contradict() -> None:
    clock = VenueClock()
    candles = ClockedCandles(clock)

    def take(ours: float, venue: float, close: str) -> list[Any]:
        time = BEGIN + round(venue * 1000)
        clock.see(time, now(ours))
        return told(candles.take(replace(candle(0, close), time=time), now(ours)))

    assert take(80, 20, "1") == [(0, "1", False)]  # our clock is a minute ahead, which one message does not prove
    assert told(candles.tick(Now(1_081, BEGIN + 81_000, heard=1_081))) == []
    assert candles.due == 1_000 + 80 + 41
    assert take(90, 30, "2") == [(0, "2", False)]
    assert told(candles.tick(Now(1_121, BEGIN + 121_000, heard=1_121))) == [(0, "2", True)]


def test_the_first_candle_of_a_stream_that_was_not_live_is_given_again() -> None:
    sent = Clocked()
    sent(1, 0)
    sent.candles.forget()
    assert told(sent.candles.take(candle(0), now(2), again=True)) == [(0, "1", False)]
    assert told(sent.candles.take(candle(0), now(3))) == ["the same"]


def test_what_was_delivered_is_not_delivered_again_after_a_reconnect() -> None:
    sent = Clocked()
    sent(200, 1, sent=200)
    sent(200, 3, sent=200)
    sent.candles.forget()
    assert sent(210, 1, sent=210) == ["the same"]
    assert sent(210, 2, sent=210) == [(2, "1", True)]
    assert sent(210, 3, sent=210) == ["the same"]
    assert sent(211, 3, "4", sent=211) == [(3, "4", False)]


def test_what_was_closed_stays_closed_after_a_reconnect() -> None:
    sent = Clocked()
    sent(1, 0)
    assert sent.tick(61) == [(0, "1", True)]
    sent.candles.forget()
    assert sent(62, 0) == ["the same"]
    assert sent(62, 0, "2") == [(0, "2", True)]


@pytest.mark.parametrize(("minutes", "is_known"), [(3, True), (4, False)])
def test_so_many_of_those_that_were_delivered_are_known(
    minutes: int, is_known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made_candles, "MOST_TIMES", 3)
    sent = Clocked()
    for minute in range(minutes):
        sent(60 * minute + 1, minute)
    assert sent(60 * minutes - 1, 0) == (["the same"] if is_known else [(0, "1", True)])


def test_while_one_is_held_back_what_is_shown_is_older_than_what_has_come() -> None:
    """Until the venue insists on it, or goes on with the one before."""
    sent = Sent()
    sent(1, 0)
    assert not sent.candles.holds_back
    sent(2, 120)
    assert sent.candles.holds_back
    sent(3, 0)
    assert not sent.candles.holds_back
    for seconds in (4.0, 5.0):
        sent(seconds, 120)
        assert sent.candles.holds_back
    assert sent(6.5, 120), "all messages of two seconds are of it"
    assert not sent.candles.holds_back
    sent(7, 500)
    sent.candles.forget()
    assert not sent.candles.holds_back


def test_nothing_is_held_back_before_the_first_candle() -> None:
    assert not MadeCandles().holds_back
    assert not ClockedCandles(VenueClock()).holds_back
