"""The dashboard as text and by its keys; its golden screens are rewritten on purpose only: python -m tests.test_dash"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.cells import cell_len

from cli.asked import asked_for
from cli.dash import PANES, run_recorded, venues_with_panes
from cli.dash_watch import DashWatcher, QueuePerStream, panes_asked_for
from cli.dashboard import Dashboard
from cli.errors import USAGE
from cli.look import Look
from cli.options import StreamRequest
from cli.output import Skipped, Words
from cli.pane import Pane, Rate, Title
from cli.source import Embedded, Source
from tests.command import environment, mon
from tests.drawn import NOW, Clock, golden, look_of
from tests.samples import BOOK, HOSTILES, LIVE, TRADES, common, full, order, status
from venues import venue_named
from venues.connection import SystemClock
from venues.errors import UsageError, VenueRefused
from venues.recording import Recording
from venues.records import SnapshotEnd, Status
from venues.redaction import Redactor
from venues.streams import STREAMS
from venues.venue import Confirmed, Settings, Subscription

WITH_TRADES = ("book", "trades", "orders", "positions")
WITH_MARGIN = ("book", "orders", "positions", "balance", "margin")
ROWS: dict[str, list[Any]] = {**LIVE, "book": [BOOK], "trades": TRADES}


def dashboard(streams: Sequence[str], look: Look | None = None, *, partial: Sequence[str] = (), **fields: Any) -> Any:
    look = look or look_of()
    rate = Rate(clock=lambda: 0.0)
    panes = {}
    for stream in streams:
        title = Title("nexus", "sim", ["SPOT_BTC_USDT"], STREAMS[stream], partial=stream in partial)
        panes[stream] = Pane(import_module(f"cli.{stream}").view(look), title, look, rate, Redactor())
    named = {"venue": "nexus", "env": "sim", "symbol": "SPOT_BTC_USDT", "on_terminal": False, **fields}
    return Dashboard(panes, look=look, rate=rate, **named)


def live(*streams: str) -> list[tuple[str, list[Any]]]:
    return [(stream, [status(stream, "live"), *ROWS[stream], *full(stream, len(ROWS[stream]))]) for stream in streams]


def down(stream: str, state: Any, **fields: Any) -> tuple[str, list[Status]]:
    return stream, [status(stream, state, **fields)]


REFUSAL = "Failed to invoke 'MarginData' because user is unauthorized"
CASES: dict[str, tuple[Sequence[str], list[tuple[str, list[Any]]], Sequence[str]]] = {
    "live": (WITH_MARGIN, live(*WITH_MARGIN), ()),
    "partial": (WITH_TRADES, live(*WITH_TRADES), ()),
    "connecting": (WITH_TRADES, [], ()),
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
SIZES = ((80, 24), (120, 40), (200, 50), (40, 12))


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


def all_screens() -> str:
    parts = []
    for case in CASES:
        for width, height in SIZES if case in ("live", "partial", "half dead") else SIZES[::3]:
            parts.append(f"===== {case}, {width}×{height}\n{text_of(of_case(case, look_of()).frame(width, height))}")
    for case in ("live", "half dead"):
        ascii_look = look_of(unicode=False)
        parts.append(f"===== {case}, 80×24, ASCII\n{text_of(of_case(case, ascii_look).frame(80, 24))}")
        colours = "".join(f"{line.markup.rstrip()}\n" for line in of_case(case, look_of(color=True)).frame(80, 24))
        parts.append(f"===== {case}, 80×24, colour\n{colours}")
        parts.append(f"===== {case}, 80×24, ended\n{text_of(of_case(case, look_of()).last(80, 22))}")
    return "".join(parts)


def test_golden() -> None:
    assert all_screens() == golden("dash").read_text(encoding="utf-8")


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
    shown.confirm_stream("balance", clock.now)
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


# --- what is asked for


def request(venue: str, *symbols: str, **fields: Any) -> StreamRequest:
    return StreamRequest(venue=venue, symbols=list(symbols), **fields)


def test_the_panes_are_those_that_the_venue_has() -> None:
    for name in venues_with_panes():
        venue = venue_named(name)
        _, subscriptions = panes_asked_for(request(name, venue.example.split()[-1], depth=7), None)
        assert [one.stream for one in subscriptions] == [stream for stream in PANES if stream in venue.streams]
        for one in subscriptions:
            assert bool(one.symbols) == (venue.streams[one.stream].symbols != "none")
            assert one.depth == 7


def test_without_a_symbol_only_what_needs_none() -> None:
    _, subscriptions = panes_asked_for(request("b2trader"), None)
    assert [one.stream for one in subscriptions] == ["orders", "positions", "balance", "margin"]
    with pytest.raises(UsageError, match=r"needs a symbol, e\.g\. mon dash nexus SPOT_BTC_USDT"):
        panes_asked_for(request("nexus"), None)


def test_a_venue_without_any_of_the_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = SimpleNamespace(name="hub", streams={"signals": None})
    monkeypatch.setattr("cli.dash_watch.venue_named", lambda _: hub)
    with pytest.raises(UsageError, match=r"hub has none of the streams of a dashboard .* it has: signals"):
        panes_asked_for(request("hub"), None)


def test_a_symbol_of_the_wrong_form() -> None:
    with pytest.raises(UsageError, match="expected a symbol like"):
        panes_asked_for(request("nexus", "btc"), None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nexus", "SPOT_BTC_USDT"], "stdout is none; for lines take the streams one by one, e.g. mon orders nexus"),
        (["nowhere"], "expected a venue"),
        (["nexus", "SPOT_BTC_USDT", "--speed", "2"], "--speed applies to --replay only"),
    ],
)  # fmt: skip
def test_bad_usage(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = mon("dash", *arguments, env=environment(tmp_path))
    assert done.returncode == USAGE
    assert said in done.stderr
    assert not done.stdout
    assert "Traceback" not in done.stderr


# --- sockets


class Dials(list[tuple[str, int]]):
    """The sockets that were opened, by the part of a recording that tells of them."""

    def __call__(self, event: Any) -> None:
        if type(event).__name__ == "Opened":
            self.append((event.url, event.line))


PATHS = {
    ("nexus", "SPOT_BTC_USDT"): [""],
    ("b2trader", "spot.btc_usdt"): ["/marketdata/v5/info", "/frontoffice/ws/v4/account", "/frontoffice/ws/v3/account"],
}


@pytest.mark.parametrize("asked", PATHS)
def test_sockets_are_shared(asked: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venue, subscriptions = panes_asked_for(request(*asked), None)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    dials = Dials()
    awaited = {one.stream: "live" for one in subscriptions}
    run(venue, subscriptions, dials, until=lambda states: states == awaited)
    assert len(dials) == len(PATHS[asked])
    assert all(any(path in url for url, _ in dials) for path in PATHS[asked])


def run(
    venue: Any, subscriptions: Sequence[Subscription], tap: Any, *, until: Any, apart: bool = True
) -> Mapping[str, str]:
    """Runs a source at a simulator until the states of the streams are such."""
    states: dict[str, str] = {}

    async def go() -> None:
        source = Source(venue, subscriptions, env="sim", profile=None, retries=None, clock=SystemClock(),
                        redactor=Redactor(), apart=apart)  # fmt: skip

        def deliver(items: list[Any]) -> None:
            for item in items:
                if isinstance(item, Status):
                    states[item.stream] = item.state
            if until(states):
                source.leave()

        async def never(items: list[Any], now: Any) -> None:
            raise AssertionError

        embedded = Embedded()
        try:
            await source.open(embedded, lambda _: None)
            async with asyncio.timeout(20):
                await source.run(deliver, deliver_replayed=never, tap=tap)
        finally:
            await embedded.close()

    asyncio.run(go())
    return states


HERE, NOT_THERE = ("SPOT_BTC_USDT",), ("SPOT_NO_SUCH",)


def test_a_line_that_is_refused_leaves_the_others_on() -> None:
    """Two sockets of one venue, one for a market that it does not have."""
    subscriptions = [Subscription("book", HERE), Subscription("trades", NOT_THERE)]
    wanted = {"book": "live", "trades": "closed"}
    venue = venue_named("nexus")
    assert run(venue, subscriptions, None, until=lambda states: states == wanted) == wanted
    with pytest.raises(VenueRefused):
        run(venue, subscriptions, None, until=lambda _: False, apart=False)


def test_the_end_of_all_lines_is_that_of_the_first() -> None:
    subscriptions = [Subscription("book", NOT_THERE), Subscription("trades", ("SPOT_NOR_THIS",))]
    with pytest.raises(VenueRefused, match="SPOT_NO"):
        run(venue_named("nexus"), subscriptions, None, until=lambda _: False)


# --- recordings


def recording(file: Path, *, second_ends: bool) -> Path:
    """Two sockets, one of which is refused; the other goes on."""
    subscriptions = [{"stream": "trades", "symbols": HERE}, {"stream": "orders", "symbols": ["SPOT_ETH_USDT"]}]
    header = {"kind": "recording", "version": 1, "venue": "nexus", "url": "wss://v.example"}
    header |= {"subscriptions": subscriptions}
    data = {"price": 1.5, "quantity": 2, "side": "BUY"}
    trade = {"event": "TRADE", "timestamp": NOW, "symbol": "SPOT_BTC_USDT", "data": data}
    events = [
        {"kind": "dial", "at": NOW, "mono": 1.0, "draw": 0.5},
        {"kind": "dial", "at": NOW, "mono": 1.0, "draw": 0.5, "line": 1},
        {
            "kind": "failed",
            "at": NOW,
            "mono": 1.0,
            "line": 1,
            "reason": "no permission",
            "retry": False,
            "refused": True,
        },
        {"kind": "open", "at": NOW, "mono": 1.0},
        {"kind": "frame", "at": NOW, "mono": 1.0, "direction": "in", "text": json.dumps(trade)},
    ]
    if second_ends:
        events.append(
            {"kind": "failed", "at": NOW, "mono": 1.0, "reason": "not you either", "retry": False, "refused": True}
        )
    file.write_text("".join(json.dumps(line) + "\n" for line in [header, *events]), encoding="utf-8")
    return file


def play(file: Path, streams: Sequence[str], *, apart: bool) -> list[Any]:
    opened = Recording(file)
    wanted = [one for one in opened.header.asked_for() if one.stream in streams]
    source = Source(venue_named("nexus"), wanted, env=None, profile=None, retries=None, clock=SystemClock(),
                    redactor=Redactor(), recording=opened, apart=apart)  # fmt: skip
    came: list[Any] = []

    async def take(items: list[Any], now: Any) -> None:
        came.extend(items)

    async def go() -> None:
        await source.open(Embedded(), lambda _: None)
        await source.run(lambda _: None, deliver_replayed=take)

    asyncio.run(go())
    return came


def told(items: list[Any]) -> list[tuple[str, str]]:
    return [(item.stream, item.state) if isinstance(item, Status) else (type(item).__name__, "") for item in items]


def test_a_replay_goes_on_where_the_dashboard_went_on(tmp_path: Path) -> None:
    file = recording(tmp_path / "r.jsonl", second_ends=False)
    came = told(play(file, ["trades", "orders"], apart=True))
    assert ("orders", "closed") in came
    assert came[-1] == ("Trade", "")
    with pytest.raises(VenueRefused, match="no permission"):
        play(recording(tmp_path / "r.jsonl", second_ends=True), ["trades", "orders"], apart=True)


def test_one_stream_of_a_recording_of_several(tmp_path: Path) -> None:
    file = recording(tmp_path / "r.jsonl", second_ends=False)
    assert {name for name, _ in told(play(file, ["trades"], apart=True))} == {"trades", "Trade"}


def test_the_panes_of_a_recording(tmp_path: Path) -> None:
    file = recording(tmp_path / "r.jsonl", second_ends=False)
    _, subscriptions = panes_asked_for(request("nexus", replay=file), Recording(file))
    assert [(one.stream, one.symbols) for one in subscriptions] == [("trades", HERE), ("orders", ("SPOT_ETH_USDT",))]
    with pytest.raises(UsageError, match="is a recording of nexus, not of b2trader"):
        panes_asked_for(request("b2trader", replay=file), Recording(file))
    with pytest.raises(UsageError, match="is a recording of SPOT_BTC_USDT"):
        panes_asked_for(request("nexus", "SPOT_SOL_USDT", replay=file), Recording(file))


def test_lines_are_of_one_stream(tmp_path: Path) -> None:
    file = recording(tmp_path / "r.jsonl", second_ends=False)
    env = environment(tmp_path)
    several = mon("replay", str(file), "--speed", "max", env=env)
    assert several.returncode == USAGE
    assert "is a recording of trades, orders; take one of them, e.g. mon trades nexus --replay" in several.stderr


def test_a_stream_of_such_a_recording_has_its_own_symbols(tmp_path: Path) -> None:
    file = recording(tmp_path / "r.jsonl", second_ends=False)
    asked = request("nexus", replay=file)
    asked.stream = "orders"
    assert asked_for(asked, Recording(file))[1].symbols == ("SPOT_ETH_USDT",)


def test_options_that_do_not_apply_to_a_dashboard(tmp_path: Path) -> None:
    file = recording(tmp_path / "r.jsonl", second_ends=False)
    for option, value in {"once": True, "count": 3, "every": 1000, "interval": "1m", "numbers": "string"}.items():
        with pytest.raises(UsageError, match=f"--{option} does not apply to a dashboard"):
            run_recorded(file, "nexus", {option: value})


# --- what is said


def test_the_loop_of_a_dashboard(capfd: pytest.CaptureFixture[str]) -> None:
    """What is confirmed is fresh, an empty state is an answer, and what a symbol would add is said."""
    venue, subscriptions = panes_asked_for(request("b2trader"), None)
    watcher = DashWatcher(request("b2trader"), venue, subscriptions, None, Words(quiet=True), Redactor())

    async def go() -> None:
        watcher._as_table = True
        watcher._loop = asyncio.get_running_loop()
        watcher._open_output(Settings(url="wss://v.example"))
        assert not watcher._data_seen
        watcher._deliver([SnapshotEnd(**common(stream="orders", count=0))])
        assert watcher._data_seen
        shown = watcher._table
        shown.write([("orders", LIVE["orders"]), ("balance", LIVE["balance"])])
        watcher._on_confirmed(Confirmed("balance"))
        assert shown._panes["balance"]._latest > NOW
        assert shown._panes["orders"]._latest < NOW
        assert "with a symbol there is more: book" in shown._notice[1]
        watcher._output.finish()
        await watcher._output_ended.wait()

    asyncio.run(go())
    assert "─3 balance" in capfd.readouterr().out


def test_what_happens_to_a_socket_is_said_once() -> None:
    venue, subscriptions = panes_asked_for(request("b2trader", "spot.btc_usdt"), None)
    watcher = DashWatcher(request("b2trader"), venue, subscriptions, None, Words(quiet=True), Redactor())
    said: list[str] = []
    watcher._say_seldom = lambda kind, text: said.append(text)  # type: ignore[method-assign]
    for stream in ("orders", "positions"):
        watcher._on_status(status(stream, "reconnecting", reason="lost", attempt=1, retry_in_ms=900))
    for stream in ("balance", "margin"):
        watcher._on_status(status(stream, "closed", reason="no permission"))
    watcher._on_status(status("book", "stale", reason="gap"))
    assert said == [
        "orders, positions: lost; trying again in 0.9 s (try 1)",
        "balance, margin: no permission; this is final",
        "book is stale: gap",
    ]


if __name__ == "__main__":
    golden("dash").write_text(all_screens(), encoding="utf-8")
