"""What becomes of a book: its records, its states, and a new snapshot once it cannot be trusted."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.test_book import BOOK, levels
from tests.test_book_rules import DECIMALS, captured
from venues.errors import SequenceGap
from venues.records import Book, Quote
from venues.session import BaseSession
from venues.toolkit.book import BookDelta, OrderBook, levels_of
from venues.toolkit.checksum import Checksum, crc32_of_digits
from venues.toolkit.resync import BookKeeper, BookKeepers, OldDeltas, said_together
from venues.venue import Confirmed, Dial, Now, StreamState, Subscription

if TYPE_CHECKING:
    from venues.venue import Item

SIDES = ("bids", "asks")
ONE = (Subscription("book", ("A",), depth=2), Subscription("quotes", ("A",)))
STALE = "; a new snapshot is asked for"


def at(mono: float) -> Now:
    return Now(mono, 1_000_000 + round(mono * 1000))


class Asking(BaseSession):
    """A session that asks for a snapshot as sessions do."""

    venue = "nowhere"

    def dial(self) -> Dial:
        return Dial("ws://nowhere", "ws://nowhere")

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        return []


def keeper(book: OrderBook | None = None, subscriptions: Any = ONE, **options: Any) -> BookKeeper:
    return BookKeeper(book or OrderBook(), subscriptions, venue="nowhere", symbol="A", env="sim", **options)


def kinds(items: list[Item]) -> list[object]:
    return [
        (item.stream, item.state) if isinstance(item, StreamState) else (type(item).__name__.lower()) for item in items
    ]


def test_the_first_whole_book_makes_both_streams_live() -> None:
    kept = keeper(price_unit="ticks", size_unit="lots")
    assert kept.begin("asked for") == [
        StreamState("book", "syncing", "asked for"),
        StreamState("quotes", "syncing", "asked for"),
    ]
    items = kept.snapshot(*BOOK, at(1), sequence=7, time=5, extra={"rpi": False})
    common: dict[str, Any] = {"venue": "nowhere", "env": "sim", "symbol": "A", "time": 5, "received": 1_001_000}
    units = {"price_unit": "ticks", "size_unit": "lots"}
    assert items == [
        StreamState("book", "live"),
        Book(bids=BOOK[0], asks=BOOK[1], sequence=7, extra={"rpi": False}, **units, **common),
        StreamState("quotes", "live"),
        Quote(
            bid_price=Decimal(99), bid_size=Decimal(1), ask_price=Decimal(101), ask_size=Decimal(3), **units, **common
        ),
    ]


def test_what_has_not_changed_is_confirmed() -> None:
    kept = keeper()
    kept.snapshot(*BOOK, at(1), sequence=7)
    assert kept.delta(BookDelta(levels(("50", "1")), [], 8), at(2), time=9) == [
        Confirmed("book", 9),
        Confirmed("quotes", 9),
    ]
    assert kinds(kept.delta(BookDelta(levels(("98", "5")), [], 9), at(2))) == ["book", "confirmed"]
    assert kept.delta(BookDelta(levels(("98", "6")), [], 9), at(2)) == [], "held already"


def test_an_empty_side_has_no_quote() -> None:
    (live, quote) = keeper(subscriptions=ONE[1:]).snapshot(BOOK[0], [], at(1))
    assert isinstance(quote, Quote)
    assert (quote.bid_price, quote.ask_price, quote.ask_size) == (Decimal(99), None, None)
    assert live == StreamState("quotes", "live")


def test_of_several_symbols_each_has_its_states() -> None:
    kept = keeper(subscriptions=(Subscription("book", ("A",)), Subscription("quotes", ("A", "B"))))
    kept.begin()
    items = kept.snapshot(*BOOK, at(1))
    assert [item for item in items if isinstance(item, StreamState)] == [
        StreamState("book", "live"),
        StreamState("quotes", "live", symbol="A"),
    ]
    assert kept.snapshot(*BOOK, at(2)) == [Confirmed("book"), Confirmed("quotes", symbol="A")]
    assert kept.doubt("why", at(3))[1] == StreamState("quotes", "stale", "why; waiting for the next book", symbol="A")


def test_streams_of_other_symbols_are_not_its_own() -> None:
    assert keeper(subscriptions=(Subscription("book", ("B",)), Subscription("trades", ("A",)))).begin() == []


def test_a_symbol_of_another_subscription_is_another_symbol_of_the_stream() -> None:
    kept = keeper(subscriptions=(Subscription("book", ("B",)), Subscription("book", ("A",))))
    assert kept.begin() == [StreamState("book", "syncing", symbol="A")]


def test_what_happens_to_all_symbols_is_said_once() -> None:
    subscriptions = (Subscription("book", ("A", "B")), Subscription("quotes", ("A", "B", "C")))
    keepers = [BookKeeper(OrderBook(), subscriptions, venue="nowhere", symbol=symbol) for symbol in ("A", "B", "C")]
    books = BookKeepers(keepers)
    assert books.begin() == [StreamState("book", "syncing"), StreamState("quotes", "syncing")]
    assert books.doubt("x", at(1)) == [
        StreamState("book", "stale", "x; waiting for the next book"),
        StreamState("quotes", "stale", "x; waiting for the next book"),
    ]
    assert (books["B"], "D" in books) == (keepers[1], False)
    some = BookKeepers(keepers[:2])
    assert some.begin() == [
        StreamState("book", "syncing"),
        StreamState("quotes", "syncing", symbol="A"),
        StreamState("quotes", "syncing", symbol="B"),
    ]


def test_what_only_some_symbols_share_or_is_no_state_stays_as_it_is() -> None:
    subscriptions = (Subscription("book", ("A", "B")), Subscription("quotes", ("A", "B", "C")))
    keepers = [BookKeeper(OrderBook(), subscriptions, venue="nowhere", symbol=symbol) for symbol in ("A", "B", "C")]
    record = Quote(venue="nowhere", symbol="A", received=1)
    stale = [StreamState("book", "stale", why, symbol=symbol) for why, symbol in (("x", "A"), ("y", "B"))]
    live = [StreamState("quotes", "live", symbol=symbol) for symbol in ("A", "B", "C")]
    confirmed = [Confirmed("book", 5, symbol) for symbol in ("A", "B")]
    of_others = [StreamState("trades", "live", symbol="A"), StreamState("trades", "live"), StreamState("book", "live")]
    assert said_together([stale[0], record, live[1], *confirmed, live[0], stale[1], live[2], *of_others], keepers) == [
        stale[0],
        record,
        StreamState("quotes", "live"),
        *confirmed,
        stale[1],
        *of_others,
    ]
    assert said_together([live[0], live[1], StreamState("quotes", "live")], keepers) == [
        live[0],
        live[1],
        StreamState("quotes", "live"),
    ]


def crossed(kept: BookKeeper) -> list[Item]:
    return kept.delta(BookDelta(levels(("101", "1")), [], 8, 7), at(2))


def gap(kept: BookKeeper) -> list[Item]:
    return kept.delta(BookDelta([], [], 10, 9), at(2))


def wrong_checksum(kept: BookKeeper) -> list[Item]:
    return kept.delta(BookDelta([], [], 8, 7, 1), at(2))


def wrong_checksum_alone(kept: BookKeeper) -> list[Item]:
    return kept.check(1, at(2))


def unreadable(kept: BookKeeper) -> list[Item]:
    return kept.doubt("bad frame: expected a number", at(2))


def bad_snapshot(kept: BookKeeper) -> list[Item]:
    return kept.snapshot(BOOK[1], BOOK[0], at(2))


@pytest.mark.parametrize("rule", ["contiguous", "chained"])
@pytest.mark.parametrize("fault", [crossed, gap, wrong_checksum, wrong_checksum_alone, unreadable, bad_snapshot])
def test_whatever_is_wrong_nothing_is_shown_until_a_new_snapshot(fault: Any, rule: Any) -> None:
    session = Asking()
    book = OrderBook(rule=rule, checksum=Checksum(10, lambda bids, asks: 0))
    kept = keeper(book, again=lambda now: session.ask("book A", now, "unsubscribe", "subscribe"))
    kept.snapshot(*BOOK, at(1), sequence=7)
    items = fault(kept)
    assert kinds(items) == [("book", "stale"), ("quotes", "stale")]
    assert all(isinstance(item, StreamState) and item.reason.endswith(STALE) for item in items)
    assert session.take() == ["unsubscribe", "subscribe"]
    assert kept.delta(BookDelta(levels(("99", "5")), [], 8, 7), at(2)) == []
    items = kept.snapshot(levels(("90", "1")), levels(("91", "1")), at(3), sequence=2)
    assert kinds(items) == [("book", "live"), "book", ("quotes", "live"), "quote"]
    book_record = items[1]
    assert isinstance(book_record, Book)
    assert (book_record.bids, book_record.asks) == (levels(("90", "1")), levels(("91", "1")))


def test_what_is_asked_again_and_again_is_paced() -> None:
    session = Asking()
    kept = keeper(again=lambda now: session.ask("book A", now, "again"))
    asked = []
    for tenth in range(200):
        now = at(100 + tenth / 10)
        session.tick(now)
        if session.take():
            asked.append(round(now.mono - 100, 1))
        kept.snapshot(*BOOK, now)
        kept.doubt("wrong", now)
        if session.take():
            asked.append(round(now.mono - 100, 1))
    assert asked == [0.0, 1.0, 3.0, 7.0, 15.0]


def test_the_same_book_after_a_doubt_is_shown_again() -> None:
    kept = keeper()
    kept.snapshot(*BOOK, at(1))
    kept.doubt("wrong", at(2), awaited="waiting for a newer one")
    assert kinds(kept.snapshot(*BOOK, at(3))) == [("book", "live"), "book", ("quotes", "live"), "quote"]


def test_a_venue_that_counts_anew_is_found_out() -> None:
    """Its changes would all be taken for old ones, and an old book would look live."""
    kept = keeper()
    kept.snapshot(*BOOK, at(1), sequence=70)
    items = [kept.delta(BookDelta(levels(("99", "5")), [], number), at(10)) for number in (1, 2, 3, 4, 5)]
    assert items[:4] == [[]] * 4
    assert kinds(items[4]) == [("book", "stale"), ("quotes", "stale")]


def test_old_deltas_after_a_snapshot_are_normal_and_so_are_repeated_ones() -> None:
    kept = keeper()
    kept.snapshot(*BOOK, at(1), sequence=70)
    assert all(kept.delta(BookDelta([], [], number), at(2.9)) == [] for number in range(50, 60))
    assert all(kept.delta(BookDelta(BOOK[0], [], 70), at(5 + number)) == [] for number in range(10))
    assert kept.book.whole


def test_old_deltas_over_time_are_found_out_too() -> None:
    book = OrderBook()
    book.snapshot(*BOOK, 70)
    old = OldDeltas("version")
    old.see(book, BookDelta([], levels(("101", "9")), 70), at(10))
    with pytest.raises(SequenceGap, match=r"expected a version above 70, got 2 messages in a row that are not, .* 69"):
        old.see(book, BookDelta([], [], 69), at(12))


@pytest.mark.parametrize(("since", "is_normal"), [(1.999, True), (2.0, False), (2.001, False)])
def test_for_two_seconds_after_a_snapshot_old_deltas_are_normal(since: float, is_normal: bool) -> None:
    book, old = OrderBook(), OldDeltas()
    book.snapshot(*BOOK, 70)
    old.whole(at(10))
    for number in range(4):
        old.see(book, BookDelta([], [], number), at(10 + since))
    if is_normal:
        old.see(book, BookDelta([], [], 4), at(10 + since))
        return
    with pytest.raises(SequenceGap) as gap:
        old.see(book, BookDelta([], [], 4), at(10 + since))
    expected = "expected a sequence above 70, got 5 messages in a row that are not, the latest of sequence 4"
    assert str(gap.value) == expected


@pytest.mark.parametrize(("later", "is_gap"), [(1.999, False), (2.0, True)])
def test_old_deltas_of_two_seconds_are_no_chance(later: float, is_gap: bool) -> None:
    book, old = OrderBook(), OldDeltas()
    book.snapshot(*BOOK, 70)
    old.see(book, BookDelta([], [], 68), at(10))
    old.see(book, BookDelta([], [], 68), at(11))
    if not is_gap:
        old.see(book, BookDelta([], [], 69), at(10 + later))
        return
    with pytest.raises(SequenceGap, match="got 3 messages in a row"):
        old.see(book, BookDelta([], [], 69), at(10 + later))


def go_on(book: OrderBook, old: OldDeltas) -> None:
    assert book.apply(BookDelta([], [], 71))


def repeat(book: OrderBook, old: OldDeltas) -> None:
    old.see(book, BookDelta(BOOK[0], [], 70), at(10.5))


def come_whole(book: OrderBook, old: OldDeltas) -> None:
    book.snapshot(*BOOK, 70)
    old.whole(at(0))


@pytest.mark.parametrize("between", [go_on, repeat, come_whole])
def test_what_is_right_between_old_deltas_begins_their_row_anew(between: Any) -> None:
    book, old = OrderBook(), OldDeltas()
    book.snapshot(*BOOK, 70)
    for number in range(4):
        old.see(book, BookDelta([], [], number), at(10))
    between(book, old)
    for number in range(4):
        old.see(book, BookDelta([], [], number), at(12.5))
    with pytest.raises(SequenceGap, match="got 5 messages in a row"):
        old.see(book, BookDelta([], [], 9), at(12.5))


def test_of_one_sequence_with_other_levels_so_many_are_a_gap() -> None:
    book, old = OrderBook(), OldDeltas()
    book.snapshot(*BOOK, 70)
    for _ in range(4):
        old.see(book, BookDelta([], levels(("101", "9")), 70), at(10))
    with pytest.raises(SequenceGap, match="the latest of sequence 70"):
        old.see(book, BookDelta([], levels(("101", "9")), 70), at(10))


@pytest.mark.parametrize(
    ("options", "awaited"),
    [
        ({}, "waiting for the next book"),
        ({"again": lambda now: None}, "a new snapshot is asked for"),
        ({"awaited": "waiting for tomorrow"}, "waiting for tomorrow"),
        ({"awaited": "waiting for tomorrow", "again": lambda now: None}, "waiting for tomorrow"),
    ],
)
def test_a_stale_state_says_what_is_waited_for(options: dict[str, Any], awaited: str) -> None:
    kept = keeper(**options)
    assert kept.doubt("why", at(1)) == [StreamState(name, "stale", f"why; {awaited}") for name in ("book", "quotes")]
    assert kept.doubt("why", at(1), awaited="no more")[0] == StreamState("book", "stale", "why; no more")


def test_a_book_that_is_loaded_is_shown_only_when_it_is_asked_for() -> None:
    kept = keeper(extra={"of": "all"})
    kept.load(*BOOK, 7, at(1), then=[BookDelta(levels(("98", "5")), [], 8)])
    assert kept.book.sequence == 8
    shown = kept.show(at(2), time=5)
    assert kinds(shown) == [("book", "live"), "book", ("quotes", "live"), "quote"]
    assert isinstance(shown[1], Book)
    assert (shown[1].sequence, shown[1].extra, shown[1].received) == (8, {"of": "all"}, at(2).epoch_ms)
    assert kept.show(at(3)) == [Confirmed("book"), Confirmed("quotes")]
    kept.hide()
    assert kinds(kept.show(at(3))) == [("book", "live"), "book", ("quotes", "live"), "quote"]


def test_old_deltas_right_after_a_book_was_loaded_are_normal() -> None:
    kept = keeper()
    kept.load(*BOOK, 70, at(1), then=[])
    assert [kept.delta(BookDelta([], [], number), at(2.9)) for number in range(9)] == [[]] * 9
    with pytest.raises(SequenceGap):
        kept.load(*BOOK, 7, at(1), then=[BookDelta([], [], 9)])
    assert not kept.book.whole


def test_one_sequence_with_two_contents_is_a_gap_in_a_chain() -> None:
    kept = keeper(OrderBook(rule="chained"))
    kept.snapshot(*BOOK, at(1), sequence=7)
    kept.delta(BookDelta(levels(("99", "5")), [], 8, 7), at(2))
    assert kept.delta(BookDelta(levels(("99", "5")), [], 8, 7), at(2)) == []
    assert kinds(kept.delta(BookDelta([], levels(("101", "9")), 8, 7), at(2))) == [
        ("book", "stale"),
        ("quotes", "stale"),
    ]


def test_a_captured_feed_and_one_damaged_message_of_it() -> None:
    """Each message shows a book or confirms it; after a lost one nothing is shown until the snapshot comes again."""
    for lost in (None, 100):
        kept: dict[str, BookKeeper] = {}
        messages = list(captured())
        first = {entry["symbol"]: entry for kind, entry in messages if kind == "snapshot"}
        live, stale = 0, list[str]()
        for number, (kind, entry) in enumerate([*messages, *(("snapshot", one) for one in first.values())]):
            if number == lost:
                continue
            symbol = entry["symbol"]
            if symbol not in kept:
                price_decimals, size_decimals = DECIMALS[symbol]
                book = OrderBook(
                    rule=None,
                    depth=10,
                    checksum=crc32_of_digits(price_decimals=price_decimals, size_decimals=size_decimals),
                )
                kept[symbol] = BookKeeper(
                    book, [Subscription("book", ("BTC/USD", "ETH/USD"))], venue="nowhere", symbol=symbol
                )
            bids, asks = (levels_of([(row["price"], row["qty"]) for row in entry[side]], side) for side in SIDES)
            if kind == "snapshot":
                items = kept[symbol].snapshot(bids, asks, at(number), checksum=entry["checksum"])
            else:
                items = kept[symbol].delta(BookDelta(bids, asks, checksum=entry["checksum"]), at(number))
            stale += [item.symbol or "" for item in items if isinstance(item, StreamState) and item.state == "stale"]
            live += any(isinstance(item, Book | Confirmed) for item in items)
        assert all(keeper.book.whole for keeper in kept.values())
        if lost is None:
            assert (live, stale) == (1493 + 2, [])
        else:
            assert len(stale) == 1
            assert live < 1493
