"""What a dashboard asks for, on how many sockets, what it says of them, and its recordings."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.commands.dash import run_recorded
from cli.commands.dash_watch import Panes, check_terminal, panes_asked_for
from cli.commands.replay import replay
from cli.errors import USAGE
from cli.output.lines import Limit, Words
from cli.run.asked import EVERY_LEVEL, asked_for
from cli.run.options import StreamRequest
from cli.run.source import Embedded, Source, _with_wanted
from cli.run.venue_options import GIVEN
from cli.run.watch import Watcher
from cli.views.panes import PANES
from tests.bot.recordings import BEGIN, opened, write
from tests.command import environment, mon
from tests.drawn import NOW
from tests.samples import LIVE, common, status
from venues import venue_named, venues_with
from venues.connection import SystemClock
from venues.errors import UsageError, VenueRefused
from venues.recording import Recording
from venues.records import Quote, SnapshotEnd, Status
from venues.redaction import Redactor
from venues.venue import Confirmed, Settings, Subscription, Venue

# --- what is asked for


def request(venue: str, *symbols: str, **fields: Any) -> StreamRequest:
    return StreamRequest(venue=venue, symbols=list(symbols), **fields)


def test_the_panes_are_those_that_the_venue_has() -> None:
    for name in venues_with(*PANES):
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


@pytest.mark.parametrize(("venue", "streams"), [("nbt", "signals, feed, ping"), ("profitview", "feed, ping")])
def test_a_venue_without_any_of_the_streams(venue: str, streams: str) -> None:
    said = rf"{venue} has none of the streams of a dashboard .* it has: {streams}; .*: nexus, b2trader, jayx"
    with pytest.raises(UsageError, match=said):
        panes_asked_for(request(venue), None)


def test_a_symbol_of_the_wrong_form() -> None:
    with pytest.raises(UsageError, match="expected a symbol like"):
        panes_asked_for(request("nexus", "btc"), None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nexus", "SPOT_BTC_USDT"], "stdout is none; for lines take the streams one by one, e.g. mon book nexus SPOT"),
        (["b2trader", "spot.btc_usdt"], "e.g. mon book b2trader spot.btc_usdt or mon orders b2trader (see mon venues)"),
        (["b2trader"], "e.g. mon orders b2trader or mon positions b2trader (see mon venues)"),
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
    ("jayx", "BTCUSDT"): ["/socket.io/"],
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

        async def never(items: list[Any], now: Any, line: int) -> None:
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


def test_work_beside_a_simulator_that_fails_has_ended_when_the_fault_is_raised() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("in order")

    async def go() -> None:
        embedded = Embedded()
        await embedded.simulator()
        asyncio.get_running_loop().call_soon(embedded._on_fault, ZeroDivisionError("of a plug-in"), ("nexus",))
        try:
            with pytest.raises(ZeroDivisionError, match="of a plug-in"):
                await embedded.beside(work())
            assert ended == ["in order"]
        finally:
            await embedded.close()

    asyncio.run(go())


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
    source = Source(venue_named(opened.header.venue), wanted, env=None, profile=None, retries=None, clock=SystemClock(),
                    redactor=Redactor(), recording=opened, apart=apart)  # fmt: skip
    came: list[Any] = []

    async def take(items: list[Any], now: Any, line: int) -> None:
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


def shared_socket(file: Path) -> Path:
    """Balance and margin on one socket, of which margin is refused before the balance comes."""
    header = {"kind": "recording", "version": 1, "venue": "b2trader", "url": "wss://v.example"}
    header |= {"values": {"account_id": "a"}, "subscriptions": [{"stream": "balance"}, {"stream": "margin"}]}
    refusal = {"type": 3, "invocationId": "1", "error": "Failed to invoke 'MarginData' because user is unauthorized"}
    messages = ({}, refusal, {"type": 2, "invocationId": "0", "item": []})
    frames = [{"kind": "frame", "direction": "in", "text": json.dumps(message) + "\x1e"} for message in messages]
    events: list[dict[str, Any]] = [{"kind": "dial", "draw": 0.5}, {"kind": "open"}, *frames]
    lines = [header, *({**event, "at": NOW, "mono": 1.0} for event in events)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


def test_one_stream_of_a_socket_of_which_another_was_refused(tmp_path: Path) -> None:
    file = shared_socket(tmp_path / "r.jsonl")
    live = ("balance", "live")
    assert told(play(file, ["balance"], apart=False))[-2:] == [live, ("SnapshotEnd", "")]
    assert ("margin", "closed") in (came := told(play(file, ["balance", "margin"], apart=True)))
    assert live in came
    with pytest.raises(VenueRefused, match="the token for margin"):
        play(file, ["margin"], apart=False)


def test_the_panes_of_a_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.commands.dash_watch.is_terminal", lambda _: False)
    file = recording(tmp_path / "r.jsonl", second_ends=False)
    _, subscriptions = panes_asked_for(request("nexus", replay=file), Recording(file))
    assert [(one.stream, one.symbols) for one in subscriptions] == [("trades", HERE), ("orders", ("SPOT_ETH_USDT",))]
    advice = f"mon trades nexus SPOT_BTC_USDT --replay {file} or mon orders nexus SPOT_ETH_USDT --replay {file} "
    with pytest.raises(UsageError, match=re.escape(advice)):
        check_terminal(request("nexus", replay=file), subscriptions)
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


def two_markets(file: Path, **more: Any) -> Path:
    """As a bot makes it: one stream, twice."""
    subscriptions = [{"stream": "trades", "symbols": HERE}, {"stream": "trades", "symbols": ["SPOT_ETH_USDT"]}]
    header = {"kind": "recording", "version": 1, "venue": "nexus", "url": "wss://v.example"}
    file.write_text(json.dumps({**header, "subscriptions": subscriptions, **more}) + "\n", encoding="utf-8")
    return file


def test_of_several_markets_a_dashboard_shows_the_one_that_is_named(tmp_path: Path) -> None:
    file = two_markets(tmp_path / "r.jsonl")
    for symbol in ("SPOT_BTC_USDT", "SPOT_ETH_USDT"):
        _, subscriptions = panes_asked_for(request("nexus", symbol, replay=file), Recording(file))
        assert [one.symbols for one in subscriptions] == [(symbol,)]
    with pytest.raises(UsageError, match=r"and of SPOT_ETH_USDT: name the one to be shown, .* nexus SPOT_BTC_USDT --"):
        panes_asked_for(request("nexus", replay=file), Recording(file))
    with pytest.raises(UsageError, match=r"recording of SPOT_BTC_USDT and of SPOT_ETH_USDT$"):
        panes_asked_for(request("nexus", "SPOT_SOL_USDT", replay=file), Recording(file))


QUOTES, TRADES = ([{"stream": stream, "symbols": HERE}] for stream in ("quotes", "trades"))
ELSEWHERE = {"kind": "recording", "version": 1, "venue": "jayx", "url": "wss://v.example", "subscriptions": QUOTES}


@pytest.mark.parametrize(
    "more", [{}, {"subscriptions": TRADES, "beside": [ELSEWHERE]}, {"subscriptions": [*QUOTES, {"stream": "fills"}]}]
)
def test_what_fits_on_no_dashboard_is_not_offered_as_one(tmp_path: Path, more: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("cli.output.lines.is_terminal", lambda _: True)
    file = two_markets(tmp_path / "r.jsonl", **more)
    with pytest.raises(UsageError, match=r"take one of them, e\.g\. mon \w+ nexus[A-Z_ ]* --replay \S+$"):
        replay(SimpleNamespace(meta={GIVEN: {}}), file=file, output="auto", raw=False)


def test_a_stream_that_is_not_in_a_recording(tmp_path: Path) -> None:
    asked = request("nexus", replay=two_markets(tmp_path / "r.jsonl", subscriptions=[{"stream": "ping"}]))
    for asked.stream in ("trades", "orders"):
        with pytest.raises(UsageError, match=f"is a recording of ping, not of {asked.stream}"):
            asked_for(asked, Recording(asked.replay))  # type: ignore[arg-type]


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


def dashboard(venue: Venue, subscriptions: list[Subscription]) -> Watcher:
    picture = Panes(venue, subscriptions, replayed=False)
    return Watcher(request("b2trader"), venue, subscriptions, None, Words(quiet=True), Redactor(), picture)


def test_lines_have_as_many_levels_as_asked_and_a_table_takes_every_level() -> None:
    """A table shows as much as fits, and sums up what lies in a group."""
    venue, wanted = venue_named("kraken"), []

    async def noted(_: Venue, subscriptions: Sequence[Subscription], *rest: Any, **options: Any) -> Settings:
        wanted.append([one.depth for one in subscriptions])
        return Settings(url="wss://v.example")

    for picture in (None, Panes(venue, [Subscription("book", ("BTC/USD",))], replayed=False)):
        subscriptions = [Subscription("book", ("BTC/USD",), depth=7)]
        watcher = Watcher(request("kraken"), venue, subscriptions, None, Words(quiet=True), Redactor(), picture)
        watcher._run.open, watcher.open_output = noted, lambda settings: None  # type: ignore[assignment,method-assign]
        asyncio.run(watcher._open(Embedded()))
    assert wanted == [[7], [EVERY_LEVEL]]


def test_a_recording_is_asked_for_what_the_symbol_was_recorded_with(tmp_path: Path) -> None:
    made = [("SPOT_BTC_USDT", 5), ("SPOT_ETH_USDT", 7), ("SPOT_SOL_USDT", 9)]
    subscriptions = [{"stream": "book", "symbols": [symbol], "depth": depth} for symbol, depth in made]
    file = write(tmp_path / "three.jsonl", opened(BEGIN), subscriptions=subscriptions)
    for symbol, depth in made:
        wanted = request("nexus", symbol, replay=file)
        wanted.stream = "book"
        assert asked_for(wanted, Recording(file))[1] == Subscription("book", (symbol,), depth=depth)


def test_of_several_that_were_recorded_of_a_stream_each_stays_what_it_is() -> None:
    minute, hour = (Subscription("candles", ("A",), interval=interval) for interval in ("1m", "1h"))
    for wanted in ([hour], [hour, minute]):
        assert _with_wanted([minute, hour], wanted) == [minute, hour]
    topics = Subscription("feed", ("b",))
    assert _with_wanted([Subscription("feed", ("a",)), Subscription("ping")], [topics]) == [
        topics,
        Subscription("ping"),
    ]


def test_whoever_has_data_is_not_missing() -> None:
    subscription = Subscription("quotes", ("A", "B"))
    watcher = Watcher(request("kraken"), venue_named("kraken"), [subscription], None, Words(quiet=True), Redactor())
    watcher._run.flush_soon = lambda: None  # type: ignore[method-assign]
    watcher._limit = Limit(count=None, once=False, ends_with_snapshot=False)
    for symbol in ("A", "A"):
        watcher.deliver([Quote(venue="kraken", symbol=symbol, received=1)])
        assert watcher._lacking() == "no data came of B"
    watcher.deliver([Quote(venue="kraken", symbol="B", received=1)])
    assert watcher._lacking() is None


def test_keys_are_the_tables_but_for_q() -> None:
    watcher = dashboard(*panes_asked_for(request("b2trader"), None))
    pressed: list[str] = []
    watcher._table = SimpleNamespace(press=pressed.append)  # type: ignore[assignment]
    watcher._ending = SimpleNamespace(stop=lambda code: pressed.append(f"ends with {code}"))  # type: ignore[assignment]
    for key in ("g", "up", "q", "tab"):
        watcher._on_key(key)
    assert pressed == ["g", "up", "ends with 0", "tab"]


def test_what_is_missing_of_several_symbols_that_all_have_data() -> None:
    watcher = dashboard(*panes_asked_for(request("b2trader"), None))
    watcher._symbols, watcher._data_seen = ("A", "B"), True
    watcher._limit = Limit(count=None, once=True, ends_with_snapshot=False)
    assert watcher.missing("timeout") is None
    watcher._request.once = True
    assert watcher.missing("timeout") == "no complete state came"
    watcher._unseen = {"B"}
    assert watcher.missing("timeout") == "no data came of B"


def test_the_loop_of_a_dashboard(capfd: pytest.CaptureFixture[str]) -> None:
    """What is confirmed is fresh, an empty state is an answer, and what a symbol would add is said."""
    watcher = dashboard(*panes_asked_for(request("b2trader"), None))

    stack = contextlib.ExitStack()

    async def go() -> None:
        watcher._ending.take_signals(stack)
        watcher.open_output(Settings(url="wss://v.example"))
        assert watcher.missing("timeout") == "no data came"
        watcher.deliver([SnapshotEnd(**common(stream="orders", count=0))])
        assert watcher.missing("timeout") is None
        shown: Any = watcher._table
        shown.write([("orders", LIVE["orders"]), ("balance", LIVE["balance"])])
        watcher.deliver([Confirmed("balance")])
        assert shown._panes["balance"]._latest > NOW
        assert shown._panes["orders"]._latest < NOW
        assert "with a symbol there is more: book" in shown._notices[-1][1]
        watcher._output.finish()
        await watcher._ending.output_ended.wait()

    with stack:
        asyncio.run(go())
    assert "─3 balance" in capfd.readouterr().out


def test_what_happens_to_a_socket_is_said_once() -> None:
    venue, subscriptions = panes_asked_for(request("b2trader", "spot.btc_usdt"), None)
    picture = Panes(venue, subscriptions, replayed=False)

    def deliver(statuses: list[Status]) -> None:
        said.extend(words for one in statuses if (words := picture.words(one, statuses)) is not None)

    said: list[str] = []
    deliver(
        [status(name, "reconnecting", reason="lost", attempt=1, retry_in_ms=900) for name in ("orders", "positions")]
    )
    deliver([status(name, "closed", reason="no permission") for name in ("balance", "margin")])
    deliver([status("orders", "live", reason="partial: changes since 14:02")])
    deliver([status("book", "stale", reason="gap")])
    deliver([status("positions", "closed", reason="not of this account")])
    deliver([status("orders", "closed", reason="no permission"), status("book", "closed", reason="no market")])
    deliver([status(one.stream, "reconnecting", reason="gone", attempt=1) for one in subscriptions])
    assert said == [
        "orders, positions: lost; trying again in 0.9 s (try 1)",
        "balance, margin: no permission; this is final",
        "book is stale: gap",
        "positions: not of this account; this is final",
        "orders: no permission; this is final",
        "book: no market; this is final",
        "b2trader: gone; trying again in 0.0 s (try 1)",
    ]
