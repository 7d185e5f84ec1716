"""Where panes lie: inside the screen, none over another, and the one with the focus always among them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.screen import layout
from cli.screen.layout import RULE, Rect
from cli.views.panes import PANES

NEXUS = ("book", "trades", "orders", "positions")
B2TRADER = ("book", "orders", "positions", "balance", "margin")
ACCOUNT = B2TRADER[1:]


def arrange(streams: Sequence[str], width: int, height: int, focus: str, *, zoomed: bool = False) -> dict[str, Rect]:
    return layout.arrange({stream: PANES[stream] for stream in streams}, width, height, focus, zoomed=zoomed)


def overlap(one: Rect, other: Rect) -> bool:
    beside = one.x + one.width + RULE <= other.x or other.x + other.width + RULE <= one.x
    below = one.y + one.height <= other.y or other.y + other.height <= one.y
    return not beside and not below


@given(
    shown=st.sets(st.sampled_from(list(PANES)), min_size=1),
    width=st.integers(24, 400),
    height=st.integers(4, 120),
    focus=st.integers(0, 5),
    zoomed=st.booleans(),
)
def test_no_overlap_all_inside(shown: set[str], width: int, height: int, focus: int, zoomed: bool) -> None:
    streams = [stream for stream in PANES if stream in shown]
    focused = streams[focus % len(streams)]
    placed = arrange(streams, width, height, focused, zoomed=zoomed)
    assert focused in placed
    assert set(placed) <= set(streams)
    for rect in placed.values():
        assert rect.x >= 0
        assert rect.y >= 0
        assert rect.x + rect.width <= width
        assert rect.y + rect.height <= height
        assert rect.width >= 20
        assert rect.height >= min(4, height)
    assert not any(overlap(one, other) for one, other in combinations(placed.values(), 2))
    if not zoomed:
        for x in {rect.x for rect in placed.values()}:
            column = [rect for rect in placed.values() if rect.x <= x < rect.x + rect.width]
            assert sum(rect.height for rect in column) == height, "no line is left empty"


@given(width=st.integers(24, 400), height=st.integers(4, 120), streams=st.sampled_from([NEXUS, B2TRADER, ACCOUNT]))
def test_where_all_fit_the_focus_changes_nothing(width: int, height: int, streams: tuple[str, ...]) -> None:
    first = arrange(streams, width, height, streams[0])
    if len(first) == len(streams):
        assert all(arrange(streams, width, height, focus) == first for focus in streams)


@pytest.mark.parametrize("streams", [NEXUS, B2TRADER, ACCOUNT])
@pytest.mark.parametrize(("width", "height"), [(80, 22), (120, 38), (200, 48)])
def test_all_panes_are_there_from_80_by_24(streams: tuple[str, ...], width: int, height: int) -> None:
    placed = arrange(streams, width, height, streams[0])
    assert set(placed) == set(streams)
    assert all(rect.height >= PANES[stream].least for stream, rect in placed.items())


def test_a_wide_screen_has_the_book_left_in_full_height() -> None:
    placed = arrange(NEXUS, 120, 38, "book")
    assert placed["book"] == Rect(0, 0, 49, 38)
    assert [placed[stream].x for stream in NEXUS[1:]] == [52] * 3
    assert [rect.x for rect in arrange(NEXUS, 200, 48, "book").values()] == [0, 61, 116, 116]


def test_balance_and_margin_share_a_line_where_there_is_room() -> None:
    placed = arrange(ACCOUNT, 120, 38, "orders")
    assert placed["balance"].y == placed["margin"].y
    assert placed["orders"].width == 120
    stacked = arrange(ACCOUNT, 80, 22, "orders")
    assert stacked["balance"].y < stacked["margin"].y


def test_a_small_screen_shows_the_focus_first() -> None:
    assert set(arrange(NEXUS, 40, 10, "book")) == {"book"}
    assert list(arrange(NEXUS, 40, 10, "orders")) == ["trades", "orders"], "in the order that panes always have"
    assert arrange(NEXUS, 40, 10, "orders")["orders"].height >= 6
    assert list(arrange(NEXUS, 40, 17, "positions")) == ["book", "trades", "positions"]


def test_a_pane_that_is_zoomed_has_the_screen() -> None:
    assert arrange(NEXUS, 120, 38, "orders", zoomed=True) == {"orders": Rect(0, 0, 120, 38)}
