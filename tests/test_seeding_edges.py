"""Where a snapshot by HTTP stands among the changes: at the edges between fitting, ahead and behind."""

from __future__ import annotations

from tests.test_seeding import ASKS, BIDS, answer, asked, at, begun, change, reason


def test_a_snapshot_between_two_changes_is_behind_them_and_not_ahead() -> None:
    book = begun()
    book.change(change(110, 100), at(0.1))
    book.change(change(120, 110), at(0.1))
    items = book.fetched(asked(book, 0.1), answer(BIDS, ASKS, 115), at(0.5))
    assert reason(items) == "the snapshot is behind the changes (1 try so far)"
    # It is given up: the changes can come up to one that is ahead, never to this one.
    assert book.change(change(130, 120), at(0.6)) == []
    assert not book.live
