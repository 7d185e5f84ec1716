"""What a book's depth, its sequence rule and its checksum do, against simple models and a captured feed."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tapes import TAPES, tape_lines
from tests.test_book import BOOK, best_first, book_of, levels, plain
from venues.errors import ChecksumMismatch, SequenceGap, TooManyLevels
from venues.records import Level
from venues.toolkit import book as book_module
from venues.toolkit.book import BookDelta, OrderBook
from venues.toolkit.checksum import Checksum, crc32_of_digits, digits, exact_digits, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# 1516 frames of davidvo-lyft/flashbook 7c0e2bd (MIT), crates/feed/fixtures/kraken/live-btc-eth.ndjson, as received:
# two symbols, book of depth 10 and trades on one socket.
CAPTURED = Path(__file__).parent / "fixtures" / "toolkit" / "kraken-book.jsonl.gz"
DECIMALS = {"BTC/USD": (1, 8), "ETH/USD": (2, 8)}

Side = dict[Decimal, Decimal]


# --- depth


class DeepSides:
    """The model: two dicts, cut after each delta."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.bids: Side = {}
        self.asks: Side = {}

    def merge(self, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        self.bids = self._merged(self.bids, bids, best_is_high=True)
        self.asks = self._merged(self.asks, asks, best_is_high=False)

    def _merged(self, held: Side, rows: Sequence[Level], *, best_is_high: bool) -> Side:
        merged = {**held, **{level.price: level.size for level in rows}}
        there = sorted((price for price, size in merged.items() if size), reverse=best_is_high)
        return {price: merged[price] for price in there[: self.depth]}

    def as_rows(self) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
        return best_first(self.bids, bids=True), best_first(self.asks, bids=False)


def rows_of(book: OrderBook, depth: int = 1_000) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
    return plain(book.bids(depth)), plain(book.asks(depth))


SIZES = st.sampled_from(["0", "0", "1", "2.5"]).map(Decimal)
BELOW = st.lists(st.builds(Level, st.integers(-30, -1).map(Decimal), SIZES), max_size=8)
ABOVE = st.lists(st.builds(Level, st.integers(1, 30).map(Decimal), SIZES), max_size=8)
DELTAS = st.lists(st.tuples(BELOW, ABOVE), max_size=12)


@given(start=st.tuples(BELOW, ABOVE), deltas=DELTAS, depth=st.integers(1, 6), shown=st.integers(1, 9))
def test_a_book_with_a_depth_is_a_dict_that_is_cut(start: Any, deltas: Any, depth: int, shown: int) -> None:
    book, model = OrderBook(depth=depth), DeepSides(depth)
    book.snapshot(*start)
    model.merge(*start)
    for bids, asks in deltas:
        assert book.apply(BookDelta(bids, asks))
        model.merge(bids, asks)
        expected = model.as_rows()
        assert rows_of(book) == expected
        assert rows_of(book, shown) == (expected[0][:shown], expected[1][:shown])
        assert (book.best_bid(), book.best_ask()) == (
            Level(*expected[0][0]) if expected[0] else None,
            Level(*expected[1][0]) if expected[1] else None,
        )


@given(start=st.tuples(BELOW, ABOVE), deltas=DELTAS, depth=st.integers(1, 6), shown=st.integers(1, 9))
def test_what_is_undone_was_never_there(start: Any, deltas: Any, depth: int, shown: int) -> None:
    book = OrderBook(rule="growing", depth=depth)
    book.snapshot(*start, 0)
    before, steps = [], []
    for number, (bids, asks) in enumerate(deltas, start=1):
        before.append((book.copy(), rows_of(book, shown)))
        delta = BookDelta(bids, asks, number)
        steps.append(book.undoing(delta))
        book.apply(delta)
    for (was, seen), step in zip(reversed(before), reversed(steps), strict=True):
        book.undo(step)
        assert book.has_same_sizes(was)
        assert book.sequence == was.sequence
        assert rows_of(book, shown) == seen


@given(start=st.tuples(BELOW, ABOVE), delta=st.tuples(BELOW, ABOVE), depth=st.integers(1, 6))
def test_a_delta_is_held_if_it_would_change_nothing(start: Any, delta: Any, depth: int) -> None:
    book = OrderBook(depth=depth)
    book.snapshot(*start)
    before = book.copy()
    held = book.holds(BookDelta(*delta))
    book.apply(BookDelta(*delta))
    if held:
        assert book.has_same_sizes(before)
    book.apply(BookDelta(*delta))
    after = book.copy()
    if book.holds(BookDelta(*delta)):
        book.apply(BookDelta(*delta))
        assert book.has_same_sizes(after)


def test_a_better_level_drops_the_worst_and_a_removal_leaves_the_side_shorter() -> None:
    book = OrderBook(depth=2)
    book.snapshot(*BOOK)
    book.apply(BookDelta(levels(("99.5", "1")), levels(("100", "1"))))
    assert rows_of(book) == (plain(levels(("99.5", "1"), ("99", "1"))), plain(levels(("100", "1"), ("101", "3"))))
    book.apply(BookDelta(levels(("99.5", "0")), levels(("100", "0"))))
    assert rows_of(book) == (plain(levels(("99", "1"))), plain(levels(("101", "3"))))
    book.apply(BookDelta(levels(("98", "7")), []))
    assert rows_of(book)[0] == plain(levels(("99", "1"), ("98", "7")))


def test_the_depth_is_cut_after_the_whole_delta() -> None:
    """A level that comes and goes within one delta pushes nothing out."""
    book = OrderBook(depth=2)
    book.snapshot(*BOOK)
    book.apply(BookDelta(levels(("99.5", "1"), ("99.5", "0")), levels(("101", "0"), ("103", "1"), ("102", "5"))))
    assert rows_of(book) == (plain(BOOK[0]), plain(levels(("102", "5"), ("103", "1"))))


def test_a_snapshot_is_cut_too() -> None:
    book = OrderBook(depth=1)
    book.snapshot(*BOOK)
    assert rows_of(book) == (plain(BOOK[0])[:1], plain(BOOK[1])[:1])
    book.apply(BookDelta(levels(("99", "0")), levels(("101", "0"))))
    assert rows_of(book) == ([], [])


def test_a_depth_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        OrderBook(depth=0)


def test_without_a_depth_too_many_levels_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "MOST_LEVELS", 1)
    with pytest.raises(TooManyLevels):
        OrderBook().snapshot(*BOOK)


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.name)
@pytest.mark.parametrize("depth", [1, 10, 25])
def test_a_real_tape_with_a_depth(tape: Path, depth: int) -> None:
    book, model = OrderBook(depth=depth), DeepSides(depth)
    for line in tape_lines(tape):
        if line["kind"] not in ("snapshot", "delta"):
            continue
        bids, asks = levels(*line["bids"]), levels(*line["asks"])
        if line["kind"] == "snapshot":
            model = DeepSides(depth)
            book.snapshot(bids, asks)
        else:
            book.apply(BookDelta(bids, asks))
        model.merge(bids, asks)
        assert rows_of(book, depth) == model.as_rows()


# --- rules


def chained(sequence: int | None = 10) -> OrderBook:
    return book_of(sequence, rule="chained")


def size_of_best_bid(book: OrderBook) -> str:
    best = book.best_bid()
    assert best is not None
    return str(best.size)


def change(size: str, sequence: int | None, previous: int | None = None) -> BookDelta:
    return BookDelta(levels(("99", size)), [], sequence, previous)


def test_a_chain_goes_on_by_what_each_delta_follows_on() -> None:
    book = chained()
    assert book.apply(change("2", 17, 10))
    assert book.apply(change("3", 40, 17))
    assert (book.sequence, size_of_best_bid(book)) == (40, "3")


def test_a_chain_with_a_missing_link_is_a_gap() -> None:
    book = chained()
    with pytest.raises(SequenceGap, match="expected a change after 10, got 20 after 15"):
        book.apply(change("2", 20, 15))
    assert not book.whole
    assert not book.apply(change("3", 25, 20))
    assert size_of_best_bid(book) == "1"


def test_a_link_that_overlaps_is_a_gap_too() -> None:
    with pytest.raises(SequenceGap, match="got 12 after 9"):
        chained().apply(change("2", 12, 9))


def test_older_and_repeated_links_change_nothing() -> None:
    book = chained()
    book.apply(change("2", 17, 10))
    assert not book.apply(change("9", 17, 10)), "the same once more"
    assert not book.apply(change("9", 10, 5))
    assert not book.apply(change("9", 4, 3))
    assert (book.sequence, size_of_best_bid(book)) == (17, "2")


def test_two_links_of_one_time_both_count() -> None:
    book = chained()
    book.apply(change("2", 17, 10))
    assert book.apply(change("3", 17, 17))
    assert size_of_best_bid(book) == "3"


@pytest.mark.parametrize("sequence", [None, 11, 10, 40])
def test_a_link_that_does_not_say_what_it_follows_on_is_a_gap(sequence: int | None) -> None:
    book = chained()
    with pytest.raises(SequenceGap, match=r"got none|after none"):
        book.apply(change("2", sequence))
    assert not book.whole


def test_contiguous_deltas_of_several_sequences() -> None:
    """`previous` is the one before the first; only the first delta after a snapshot overlaps what is held."""
    book = book_of(10)
    assert not book.apply(change("9", 10, 7))
    assert book.apply(change("2", 12, 8))
    assert book.apply(change("3", 20, 12))
    with pytest.raises(SequenceGap, match="expected sequence 21, got 23 to 25"):
        book.apply(change("4", 25, 22))


def test_a_gap_before_a_change_of_one_sequence_names_that_alone() -> None:
    with pytest.raises(SequenceGap, match=r"expected sequence 186, got 189$"):
        book_of(185).apply(change("4", 189, 188))


def test_one_sequence_can_be_a_gap_by_what_it_follows_on() -> None:
    with pytest.raises(SequenceGap, match="expected sequence 11, got 12 to 11"):
        book_of(10).apply(change("4", 11, 11))


def test_without_a_rule_sequences_are_only_held() -> None:
    book = book_of(10, rule=None)
    for sequence in (12, 11, 40):
        assert book.apply(change("5", sequence))
        assert book.sequence == sequence


def test_a_copy_has_the_rule_the_depth_and_the_checksum() -> None:
    book = OrderBook(rule="chained", depth=1, checksum=COUNTED)
    book.snapshot(*BOOK, 10)
    copy = book.copy()
    assert (copy.rule, copy.depth, copy.checksum, copy.sequence) == ("chained", 1, COUNTED, 10)
    copy.apply(BookDelta(levels(("99.5", "1")), [], 11, 10))
    assert len(copy.bids(9)) == 1
    assert rows_of(book) == (plain(BOOK[0])[:1], plain(BOOK[1])[:1])


# --- checksums

COUNTED = Checksum(10, lambda bids, asks: 100 * len(bids) + len(asks))


def test_a_wrong_checksum_is_told_and_nothing_is_merged_until_a_new_snapshot() -> None:
    book = OrderBook(rule=None, checksum=COUNTED)
    book.snapshot(*BOOK, checksum=202)
    assert book.apply(BookDelta([], levels(("103", "1")), checksum=203))
    with pytest.raises(ChecksumMismatch, match="expected checksum 204, got 303 from the book here"):
        book.apply(BookDelta(levels(("97", "1")), [], checksum=204))
    assert not book.whole
    assert not book.apply(BookDelta([], [], checksum=303))
    with pytest.raises(ChecksumMismatch):
        book.snapshot(*BOOK, checksum=1)
    assert not book.whole
    book.snapshot(*BOOK, checksum=202)
    assert book.whole


def test_a_checksum_is_of_the_book_after_its_cut_and_of_its_best_levels() -> None:
    book = OrderBook(rule=None, depth=2, checksum=COUNTED)
    book.snapshot(*BOOK)
    assert book.apply(BookDelta([], levels(("100", "1")), checksum=202))
    shallow = OrderBook(rule=None, checksum=Checksum(1, COUNTED.of))
    shallow.snapshot(*BOOK, checksum=101)
    assert shallow.whole


def test_a_checksum_in_a_message_of_its_own() -> None:
    book = OrderBook(rule=None, checksum=COUNTED)
    book.check(1)  # nothing is held yet
    book.snapshot(*BOOK)
    book.check(202)
    with pytest.raises(ChecksumMismatch):
        book.check(203)
    assert not book.whole


@pytest.mark.parametrize(
    ("text", "decimals", "expected"),
    [
        ("0.031357", 6, "31357"),
        ("0.03740000", 8, "3740000"),
        ("0.0374", 8, "3740000"),
        ("3.74e-2", 8, "3740000"),
        ("5.1e-05", 8, "5100"),
        ("1e-8", 8, "1"),
        ("63499.0", 1, "634990"),
        ("63499", 1, "634990"),
        ("6.3499E+4", 1, "634990"),
        ("1E+2", 0, "100"),
        ("63499.0", 0, "634990"),
        ("0", 8, ""),
        ("0.000", 8, ""),
    ],
)
def test_the_digits_of_a_figure(text: str, decimals: int, expected: str) -> None:
    assert digits(Decimal(text), decimals) == expected


@pytest.mark.parametrize(
    ("text", "decimals", "expected"),
    [("6.349900e4", 1, "634990"), ("63499.0", 1, "634990"), ("63499", 1, "634990"), ("63499.05", 1, "6349905")],
)
def test_zeros_beyond_the_decimals(text: str, decimals: int, expected: str) -> None:
    assert exact_digits(Decimal(text), decimals) == expected


EXAMPLE = (
    levels(
        ("45283.5", "0.10000000"), ("45283.4", "1.54582015"), ("45282.1", "0.10000000"), ("45281.0", "0.10000000"),
        ("45280.3", "1.54592586"), ("45279.0", "0.07990000"), ("45277.6", "0.03310103"), ("45277.5", "0.30000000"),
        ("45277.3", "1.54602737"), ("45276.6", "0.15445238"),
    ),
    levels(
        ("45285.2", "0.00100000"), ("45286.4", "1.54571953"), ("45286.6", "1.54571109"), ("45289.6", "1.54560911"),
        ("45290.2", "0.15890660"), ("45291.8", "1.54553491"), ("45294.7", "0.04454749"), ("45296.1", "0.35380000"),
        ("45297.5", "0.09945542"), ("45299.5", "0.18772827"),
    ),
)  # fmt: skip
SMALL = levels(("62710.4", "0.01000000")), levels(("62710.5", "0.93111634"), ("62710.6", "0.50000000"))


@pytest.mark.parametrize(
    ("sides", "expected"), [(EXAMPLE, 3310070434), (SMALL, 1318110605), (([], []), 0)], ids=["ten", "few", "empty"]
)
def test_documented_checksums(sides: tuple[list[Level], list[Level]], expected: int) -> None:
    assert crc32_of_digits().of(*sides) == expected
    book = OrderBook(rule=None, checksum=crc32_of_digits(price_decimals=1, size_decimals=8))
    book.snapshot(*sides, checksum=expected)
    assert book.whole


def as_sent(value: Decimal) -> Decimal:
    return value


def without_zeros(value: Decimal) -> Decimal:
    return Decimal(repr(float(value)))


def with_an_exponent(value: Decimal) -> Decimal:
    return Decimal(f"{value.normalize():E}")


def with_an_exponent_and_zeros(value: Decimal) -> Decimal:
    return Decimal(f"{value:.20E}")


def whole_where_it_can_be(value: Decimal) -> Decimal:
    return Decimal(int(value)) if value == int(value) else value


def captured() -> Iterator[Any]:
    """The book messages of the captured feed, one entry each."""
    decode = msgspec.json.Decoder(float_hook=Decimal).decode
    for line in gzip.decompress(CAPTURED.read_bytes()).splitlines():
        message = decode(line)
        if message.get("channel") == "book":
            yield from ((message["type"], entry) for entry in message["data"])


@pytest.mark.parametrize(
    "spelled", [as_sent, without_zeros, with_an_exponent, with_an_exponent_and_zeros, whole_where_it_can_be]
)
def test_captured_checksums(spelled: Any) -> None:
    """All 1,493 are right, whatever a JSON writer did to the figures; without the cut, or a row, they are not."""
    books: dict[str, OrderBook] = {}
    right = 0
    for kind, entry in captured():
        price_decimals, size_decimals = DECIMALS[entry["symbol"]]
        bids, asks = (
            [Level(spelled(Decimal(row["price"])), spelled(Decimal(row["qty"]))) for row in entry[side]]
            for side in ("bids", "asks")
        )
        if kind == "snapshot":
            checksum = crc32_of_digits(price_decimals=price_decimals, size_decimals=size_decimals)
            books[entry["symbol"]] = OrderBook(rule=None, depth=10, checksum=checksum)
            books[entry["symbol"]].snapshot(bids, asks, checksum=entry["checksum"])
        else:
            assert books[entry["symbol"]].apply(BookDelta(bids, asks, checksum=entry["checksum"]))
        right += 1
    assert right == 1493


@pytest.mark.parametrize("lost", [7, 40])
def test_a_lost_message_shows_in_the_checksum(lost: int) -> None:
    book = OrderBook(rule=None, depth=10, checksum=crc32_of_digits(price_decimals=1, size_decimals=8))
    of_symbol = [(kind, entry) for kind, entry in captured() if entry["symbol"] == "BTC/USD"]
    del of_symbol[lost]

    def play() -> None:
        for kind, entry in of_symbol:
            bids, asks = (
                [Level(Decimal(row["price"]), Decimal(row["qty"])) for row in entry[side]] for side in ("bids", "asks")
            )
            if kind == "snapshot":
                book.snapshot(bids, asks, checksum=entry["checksum"])
            else:
                book.apply(BookDelta(bids, asks, checksum=entry["checksum"]))

    with pytest.raises(ChecksumMismatch):
        play()


def test_digits_that_changed_make_another_checksum() -> None:
    """A level whose size comes again with other digits counts with the newer ones."""
    book = OrderBook(rule=None, checksum=crc32_of_digits())
    book.snapshot(levels(("5", "1.50")), [])
    book.apply(BookDelta(levels(("5", "1.5")), [], checksum=crc32_of_digits().of(levels(("5", "1.5")), [])))
    assert book.whole


@pytest.mark.parametrize(
    ("text", "decimals", "expected"),
    [
        ("64000.5", 2, "64000.50"),
        ("64000.50", 2, "64000.50"),
        ("64000.5000", 2, "64000.50"),
        ("6.40005E+4", 2, "64000.50"),
        ("64E+3", 2, "64000.00"),
        ("64000.0", 0, "64000"),
        ("0.00000012", 8, "0.00000012"),
        ("1.2E-7", 8, "0.00000012"),
        ("0", 1, "0.0"),
    ],
)
def test_a_figure_is_written_with_so_many_decimals(text: str, decimals: int, expected: str) -> None:
    assert written(Decimal(text), decimals) == expected


def test_a_figure_with_more_decimals_than_the_checksum_has_is_no_right_book() -> None:
    with pytest.raises(ChecksumMismatch, match=r"expected at most 2 decimals in what .*, got 64000\.505$"):
        written(Decimal("64000.505"), 2)
    proof = Checksum(2, lambda bids, asks: crc32("|".join(written(one.price, 1) for one in bids).encode()))
    book = OrderBook(rule=None, checksum=proof)
    book.snapshot(levels(("5.0", "1")), levels(("6", "1")), checksum=crc32(b"5.0"))
    with pytest.raises(ChecksumMismatch):
        book.apply(BookDelta(levels(("5.25", "1")), [], checksum=7))
    assert not book.whole
