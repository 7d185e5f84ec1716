"""The dashboard as text and by its keys; its golden screens are rewritten on purpose only: python -m tests.test_dash"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from cli.commands.dash_watch import QueuePerStream
from cli.output.lines import Skipped
from cli.screen.dashboard import Dashboard
from cli.screen.header import Rate
from cli.screen.look import Look
from cli.screen.pane import Pane, Title
from cli.views import loaded
from cli.views.panes import PANES
from tests.drawn import WAYS, Clock, golden, look_of
from tests.samples import BOOK, EXTREMES, HOSTILES, LIVE, TRADES, common, full, order, status
from venues.records import SnapshotEnd, Status
from venues.redaction import Redactor
from venues.streams import STREAMS

WITH_TRADES = ("book", "trades", "orders", "positions")
WITH_MARGIN = ("book", "orders", "positions", "balance", "margin")
ROWS: dict[str, list[Any]] = {**LIVE, "book": [BOOK], "trades": TRADES}


def dashboard(streams: Sequence[str], look: Look | None = None, *, partial: Sequence[str] = (), **fields: Any) -> Any:
    look = look or look_of()
    rate = Rate(clock=lambda: 0.0)
    panes = {}
    for stream in streams:
        title = Title("nexus", "sim", ["SPOT_BTC_USDT"], STREAMS[stream], partial=stream in partial)
        panes[stream] = Pane(loaded(stream).view, title, look, rate, Redactor())
    named = {"venue": "nexus", "env": "sim", "symbol": "SPOT_BTC_USDT", "on_terminal": False, **fields}
    return Dashboard(panes, PANES, look=look, rate=rate, **named)


def live(*streams: str) -> list[tuple[str, list[Any]]]:
    return [(stream, [status(stream, "live"), *ROWS[stream], *full(stream, len(ROWS[stream]))]) for stream in streams]


def down(stream: str, state: Any, **fields: Any) -> tuple[str, list[Status]]:
    return stream, [status(stream, state, **fields)]


def only(rows: dict[str, Any], *streams: str) -> list[tuple[str, list[Any]]]:
    """What came besides the state, which is live."""
    return [
        (stream, [status(stream, "live"), *(rows[stream] if isinstance(rows[stream], list) else [rows[stream]])])
        for stream in streams
    ]


REFUSAL = "Failed to invoke 'MarginData' because user is unauthorized"
CASES: dict[str, tuple[Sequence[str], list[tuple[str, list[Any]]], Sequence[str]]] = {
    "live": (WITH_MARGIN, live(*WITH_MARGIN), ()),
    "partial": (WITH_TRADES, live(*WITH_TRADES), ()),
    "connecting": (WITH_TRADES, [], ()),
    "syncing": (WITH_MARGIN, [down(stream, "syncing") for stream in WITH_MARGIN], ()),
    "empty": (WITH_MARGIN, [(stream, [status(stream, "live"), *full(stream, 0)]) for stream in WITH_MARGIN], ()),
    "stale": (WITH_TRADES, [*live(*WITH_TRADES), *(down(stream, "stale", reason="gap") for stream in WITH_TRADES)], ()),
    "reconnecting": (
        WITH_MARGIN,
        [*live(*WITH_MARGIN),
         *(down(stream, "reconnecting", reason="lost", attempt=4, retry_in_ms=3000) for stream in WITH_MARGIN)],
        (),
    ),
    "hostile, market": (WITH_TRADES, only(HOSTILES, *WITH_TRADES), ()),
    "hostile, account": (WITH_MARGIN, only(HOSTILES, *WITH_MARGIN), ()),
    "extremes, market": (WITH_TRADES, only(EXTREMES, *WITH_TRADES), ()),
    "extremes, account": (WITH_MARGIN, only(EXTREMES, *WITH_MARGIN), ()),
    "half dead": (
        WITH_MARGIN,
        [*live(*WITH_MARGIN), down("book", "stale", reason="gap"), down("margin", "closed", reason=REFUSAL),
         down("balance", "reconnecting", reason="lost", attempt=4, retry_in_ms=3000)],
        (),
    ),
    "frozen": (WITH_TRADES, live(*WITH_TRADES), ("space",)),
    "focus on the last": (WITH_MARGIN, live(*WITH_MARGIN), ("shift-tab",)),
    "zoomed": (WITH_MARGIN, live(*WITH_MARGIN), ("tab", "z")),
    "help": (WITH_TRADES, live(*WITH_TRADES), ("?",)),
}  # fmt: skip
IN_FULL = ("live", "half dead")  # in every way at every size; all states and hard figures at 80×24
WAYS_AND_WIDE: dict[str, tuple[int, int, dict[str, Any]]] = {**WAYS, "200×50": (200, 50, {})}
KEYED = ("frozen", "focus on the last", "zoomed", "help", "connecting")


def press(shown: Dashboard, *keys: str) -> None:
    for key in keys:
        shown.press(key)
    shown.idle()


def of_case(case: str, look: Look) -> Dashboard:
    streams, items, keys = CASES[case]
    shown: Dashboard = dashboard(streams, look, partial=("orders", "positions") if "trades" in streams else ())
    shown.write(items)
    shown.frame(120, 40)
    press(shown, *keys)
    return shown


def text_of(lines: Sequence[Any]) -> str:
    return "".join(f"{line.plain.rstrip()}\n" for line in lines)


def marked_up(lines: Sequence[Any]) -> str:
    return "".join(f"{line.markup.rstrip()}\n" for line in lines)


def all_screens() -> str:
    parts = []
    for case in CASES:
        for way, (width, height, fields) in WAYS_AND_WIDE.items():
            if not is_drawn(case, way):
                continue
            lines = of_case(case, look_of(**fields)).frame(width, height)
            parts.append(f"===== {case}, {way}\n{marked_up(lines) if fields.get('color') else text_of(lines)}")
        if case in IN_FULL:
            parts.append(f"===== {case}, 80×24, ended\n{text_of(of_case(case, look_of()).last(80, 22))}")
    return "".join(parts)


def is_drawn(case: str, way: str) -> bool:
    """Not everything in every way: a file that nobody can read through holds nothing."""
    if case in IN_FULL:
        return True
    if case in KEYED:
        return way in ("80×24", "40×12")
    return way in ("80×24", "120×40", "40×12", "80×24, colour", "80×24, ASCII")


def test_golden() -> None:
    assert all_screens() == golden("dash").read_text(encoding="utf-8")


def test_what_stays_names_the_panes_that_had_changes_only() -> None:
    shown: Dashboard = dashboard(("book", "orders"), look_of(), partial=("orders",))
    shown.write(live("book", "orders"))
    wide, narrow = (text_of(shown.last(width, 30)).splitlines() for width in (80, 40))
    assert "PARTIAL: orders  ended 23:29:02" in wide[0]
    assert "ended 23:29:02" in narrow[0]
    for lines in (wide, narrow):
        assert any("2 orders  PARTIAL, as of 23:29:02" in line for line in lines)
        assert any("1 book  as of 23:29:02" in line for line in lines)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("unicode", [True, False])
def test_no_line_is_wider_than_the_screen_and_none_too_many(case: str, unicode: bool) -> None:
    shown = of_case(case, look_of(unicode=unicode))
    for width in (1, 20, 24, 39, 75, 76, 77, 96, 119, 160, 250):
        for height in (1, 5, 6, 7, 13, 24, 60):
            lines = shown.frame(width, height)
            assert max(cell_len(line.plain) for line in lines) <= width, (width, height)
            assert len(lines) == height or height < 6 or width < 24
            assert unicode or all(line.plain.isascii() for line in lines)


def test_hostile_text_is_harmless_in_every_pane() -> None:
    shown = dashboard(WITH_MARGIN[1:], symbol=HOSTILES["orders"].order_id, venue="x")
    shown.write([(stream, [status(stream, "live"), HOSTILES[stream]]) for stream in WITH_MARGIN[1:]])
    shown.write([down("orders", "closed", reason=HOSTILES["orders"].order_id * 20)])
    for line in shown.frame(120, 40):
        assert line.plain.isprintable()
        assert cell_len(line.plain) <= 120


# --- states


def top(shown: Dashboard, width: int = 120) -> str:
    return str(shown.frame(width, 40)[0].plain)


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (live(*WITH_MARGIN), "LIVE"),
        (live(*WITH_MARGIN[1:]), "CONNECTING: book"),
        ([*live(*WITH_MARGIN), down("book", "syncing")], "SYNCING: book"),
        ([*live(*WITH_MARGIN), down("book", "syncing"), down("orders", "stale")], "STALE: orders  SYNCING: book"),
        (
            [*live(*WITH_MARGIN), down("book", "stale"), down("margin", "closed")],
            "CLOSED: margin  STALE: book",
        ),
        ([*live(*WITH_MARGIN), down("book", "closed"), down("margin", "closed")], "CLOSED: book, margin"),
        ([*live(*WITH_MARGIN), *(down(stream, "reconnecting") for stream in WITH_MARGIN)], "RECONNECTING  "),
    ],
)
def test_the_overall_state_is_the_worst(items: Any, said: str) -> None:
    shown = dashboard(WITH_MARGIN)
    shown.write(items)
    assert f" {said}" in top(shown)
    assert (" LIVE" in top(shown)) == (said == "LIVE")
    assert said.partition(":")[0].strip() in top(shown, 40)


def test_a_difference_of_the_clocks_is_said_before_any_latency() -> None:
    clock = Clock()
    shown = dashboard(("book", "trades"), look_of(clock))
    shown.write([("book", [status("book", "live"), replace(BOOK, time=clock.now - 40, received=clock.now)])])
    assert "latency 40 ms" in top(shown)
    clock.now += 1000
    shown.write([("trades", [replace(TRADES[0], time=clock.now + 5_000, received=clock.now)])])
    assert "latency 40 ms" in top(shown)
    shown.set_offset("trades", 5_000)
    clock.now += 1000
    assert "clock skew −5.0 s" in top(shown)


def test_the_state_of_a_pane_that_is_hidden_counts() -> None:
    shown = dashboard(WITH_TRADES)
    shown.write([*live(*WITH_TRADES), down("positions", "stale", reason="gap")])
    small = shown.frame(40, 12)
    assert not any("positions" in line.plain for line in small[1:-1])
    assert "STALE" in small[0].plain
    assert "+3: Tab" in small[0].plain


def test_only_the_pane_that_is_not_live_is_dimmed() -> None:
    shown = dashboard(("orders", "balance"), look_of(color=True))
    shown.write([*live("orders", "balance"), down("balance", "reconnecting", attempt=2, retry_in_ms=5000)])
    lines = shown.frame(120, 40)
    orders, balance = (next(line for line in lines if text in line.plain) for text in ("254559", "99000"))
    assert all(any("dim" in str(span.style) for span in line.spans) == is_dim
               for line, is_dim in ((orders, False), (balance, True)))  # fmt: skip
    assert any("RECONNECTING in 5 s (try 2)" in line.plain for line in lines)


def test_what_was_refused_says_why_and_the_last_values_stay() -> None:
    shown = dashboard(WITH_MARGIN)
    shown.write([*live(*WITH_MARGIN), down("margin", "closed", reason=REFUSAL)])
    text = text_of(shown.frame(120, 40))
    assert "CLOSED" in text
    assert "user is unauthorized" in " ".join(text.split())
    assert "9749.875" in text


def test_the_age_of_a_pane_goes_on_while_nothing_comes() -> None:
    clock = Clock()
    shown = dashboard(("orders", "balance"), look_of(clock))
    shown.write(live("orders", "balance"))
    assert "age 0 s" in text_of(shown.frame(120, 40))
    clock.now += 42_000
    assert "age 42 s" in text_of(shown.frame(120, 40))
    shown.confirm("balance")
    ages = [line.plain for line in shown.frame(120, 40) if "age" in line.plain and "LIVE" in line.plain]
    assert ["age 42 s" in ages[0], "age 0 s" in ages[1]] == [True, True]


# --- keys


def focused(shown: Dashboard) -> str:
    lines = [line.plain for line in shown.frame(120, 40)]
    return next(part.split()[1] for line in lines for part in line.split("│") if "▶" in part and "━" in part)


def test_keys_move_the_focus() -> None:
    shown = dashboard(WITH_TRADES)
    shown.write(live(*WITH_TRADES))
    seen = [focused(shown)]
    for key in ("tab", "tab", "shift-tab", "4", "tab", "shift-tab", "9", "0", "²"):
        press(shown, key)
        seen.append(focused(shown))
    assert seen == ["book", "trades", "orders", "trades", "positions", "book", *["positions"] * 4]


def test_the_focus_is_marked_without_colour() -> None:
    shown = dashboard(WITH_TRADES, look_of(unicode=False))
    shown.write(live(*WITH_TRADES))
    press(shown, "3")
    headings = [line.plain for line in shown.frame(120, 40)]
    assert any(">3 orders" in line for line in headings)
    assert any("-2 trades" in line for line in headings)


@pytest.mark.parametrize("key", ["z", "enter"])
def test_zoom_and_back(key: str) -> None:
    shown = dashboard(WITH_TRADES)
    shown.write(live(*WITH_TRADES))
    before = text_of(shown.frame(120, 40))
    press(shown, "3", key)
    zoomed = text_of(shown.frame(120, 40))
    assert "trades" not in zoomed
    assert "3 more panes: Tab" in zoomed
    press(shown, "tab")
    assert "4 positions" in text_of(shown.frame(120, 40)), "the next pane comes in its place"
    press(shown, "esc", "1")
    assert text_of(shown.frame(120, 40)) == before


def test_a_key_goes_to_the_pane_that_has_the_focus() -> None:
    shown = dashboard(WITH_TRADES)
    shown.write(live(*WITH_TRADES))
    shown.frame(120, 40)
    press(shown, "down")
    assert "▶ bid 64998.52" in text_of(shown.frame(120, 40))
    press(shown, "esc")
    assert "▶ bid" not in text_of(shown.frame(120, 40))
    press(shown, "2", "down")
    assert "▶ bid" not in text_of(shown.frame(120, 40))
    assert ("g/G", "group") not in shown._keys()


def test_space_freezes_every_pane() -> None:
    shown = dashboard(WITH_TRADES)
    shown.write(live(*WITH_TRADES))
    press(shown, "space")
    shown.write([("orders", [order("777", side="buy")])])
    frozen = text_of(shown.frame(120, 40))
    assert "777" not in frozen
    assert frozen.count("FROZEN") == 5
    assert "LIVE" not in frozen
    shown.write([down("book", "reconnecting")])
    assert "FROZEN RECONNECTING: book" in top(shown), "what is not live is said all the same"
    press(shown, "space")
    assert "777" in text_of(shown.frame(120, 40))
    assert "FROZEN" not in text_of(shown.frame(120, 40))


def test_what_is_frozen_stays_also_when_its_time_is_over() -> None:
    clock = Clock()
    shown = dashboard(("orders",), look_of(clock), partial=("orders",))
    shown.write([("orders", [status("orders", "live"), order("1"), order("2"), order("2", change="remove")])])
    before = text_of(shown.frame(80, 24)[2:-1])
    assert "× 2" in before
    press(shown, "space")
    shown.frame(80, 24)
    clock.now += 60_000
    assert text_of(shown.frame(80, 24)[2:-1]) == before
    press(shown, "space")
    assert "× 2" not in text_of(shown.frame(80, 24))


def test_help_tells_the_keys_of_the_focused_pane() -> None:
    shown = dashboard(WITH_TRADES)
    shown.write(live(*WITH_TRADES))
    before = text_of(shown.frame(120, 40))
    press(shown, "?")
    text = text_of(shown.frame(120, 40))
    assert "g/G" in text
    assert "next pane" in text
    press(shown, "x")
    assert text_of(shown.frame(120, 40)) == before


def test_the_last_screen_has_every_pane() -> None:
    shown = dashboard(WITH_MARGIN)
    shown.write([*live(*WITH_MARGIN), down("margin", "closed", reason=REFUSAL)])
    press(shown, "space", "z")
    shown.write([("orders", [order("777", side="buy")])])
    text = text_of(shown.last(60, 10))
    assert "777" in text, "also what came while it was frozen"
    assert all(f"{number} {stream}" in text for number, stream in enumerate(WITH_MARGIN, start=1))
    assert "LIVE" not in text
    assert "CLOSED" in text


# --- what is drawn anew


def test_a_fast_book_does_not_build_the_other_panes() -> None:
    shown = dashboard(WITH_TRADES)
    shown.write(live(*WITH_TRADES))
    shown.frame(120, 40)
    built: Counter[str] = Counter()
    for stream, pane in shown._panes.items():

        def body(width: int, height: int, stream: str = stream, own: Any = pane.body) -> Any:
            built[stream] += 1
            return own(width, height)

        pane.body = body
    for _ in range(5):
        shown.write([("book", [BOOK])])
        shown.frame(120, 40)
    assert built["book"] == 5
    assert built["orders"] == built["positions"] == 0
    before = shown.frame(120, 40)
    assert all(one is other for one, other in zip(before[1:-1], shown.frame(120, 40)[1:-1], strict=True))


def test_a_mark_goes_without_anything_coming() -> None:
    clock = Clock()
    shown = dashboard(("orders", "balance"), look_of(clock))
    shown.write(live("orders", "balance"))
    assert "* 254559" in text_of(shown.frame(120, 40))
    clock.now += 60_000
    assert "* 254559" not in text_of(shown.frame(120, 40))


def test_each_stream_has_its_queue() -> None:
    queue = QueuePerStream(WITH_TRADES)
    put = [BOOK, TRADES[0], status("orders", "live"), *LIVE["orders"], SnapshotEnd(**common(stream="orders", count=1))]
    queue.put(put)
    assert dict(queue.take()) == {"book": [BOOK], "trades": [TRADES[0]], "orders": put[2:]}
    assert queue.take() == []
    queue.put([TRADES[0]] * 20_001)
    ((stream, taken),) = queue.take()
    assert stream == "trades"
    assert len(taken) + sum(one.count - 1 for one in taken if isinstance(one, Skipped)) == 20_001


if __name__ == "__main__":
    golden("dash").write_text(all_screens(), encoding="utf-8")
