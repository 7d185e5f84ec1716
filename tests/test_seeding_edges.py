"""Where a snapshot by HTTP stands among the changes: at the edges between fitting, ahead and behind."""

from __future__ import annotations

import pytest

from tests.test_seeding import ASKS, BIDS, answer, asked, at, begun, change, reason, shown
from venues.toolkit import seeding


def test_a_snapshot_between_two_changes_is_behind_them_and_not_ahead() -> None:
    book = begun()
    book.change(change(110, 100), at(0.1))
    book.change(change(120, 110), at(0.1))
    items = book.fetched(asked(book, 0.1), answer(BIDS, ASKS, 115), at(0.5))
    assert reason(items) == "the snapshot is behind the changes (1 try so far)"
    # It is given up: the changes can come up to one that is ahead, never to this one.
    assert book.change(change(130, 120), at(0.6)) == []
    assert not book.live


def test_of_the_changes_that_are_kept_only_those_go_that_are_old_and_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeding, "KEPT_CHANGES", 2)
    book = begun()
    for sequence, seconds in ((1, 0), (2, 60), (3, 60), (4, 120)):
        assert book.change(change(sequence, sequence - 1), at(seconds)) == []
    assert "the oldest are dropped" in reason(book.change(change(5, 4), at(120.5)))
    assert reason(book.fetched(asked(book, 121), answer(BIDS, ASKS, 0), at(121))).startswith("the snapshot is behind")
    assert shown(book.fetched(asked(book, 123), answer(BIDS, ASKS, 1), at(123))) == ("5", 5)


def test_the_newest_changes_stay_however_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeding, "KEPT_CHANGES", 2)
    book = begun()
    for sequence, seconds in ((1, 0), (2, 0), (3, 1_000)):
        book.change(change(sequence, sequence - 1), at(seconds))
    assert shown(book.fetched(asked(book, 1_001), answer(BIDS, ASKS, 1), at(1_001))) == ("5", 3)
