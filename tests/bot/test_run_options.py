"""The options of a bot's run that it shares with the streams."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.bot import history
from cli.bot.market_data import Candles, MarketName
from cli.bot.markets import Standings
from cli.bot.plan import plans
from cli.bot.script import Bot
from cli.errors import NoDataError
from cli.output.lines import Words
from cli.run.freshness import Limits
from cli.run.options import StreamRequest, declared, options_of_runs
from cli.run.watch import watch
from tests.bot.conftest import HEAD, Runs
from tests.bot.recordings import BEGIN, MINUTE, SYMBOL, Tick, book, came, frame, opened, write
from tests.servers import in_thread, websocket_server
from venues import venue_named
from venues.errors import RecordingError, UsageError
from venues.recording import header_for
from venues.records import Quote, Status
from venues.redaction import Redactor
from venues.venue import Confirmed, Now, Settings, Subscription

ALL = HEAD + (
    "class Signals(Link):\n"
    "  def quote_update(self, src, sym, data): self.publish('quote', [src, sym, data])\n"
    "  def trade_update(self, src, sym, data): self.publish('trade', [src, sym, data])\n"
)
SILENT = HEAD + "class Signals(Link):\n  def quote_update(self, src, sym, data): pass\n"
NO_MARKET = HEAD + "class Signals(Link):\n  def on_start(self): self.publish('on')\n"


def messages(records: list[dict[str, Any]]) -> list[Any]:
    return sorted((record["topic"], json.dumps(record["data"])) for record in records if record["type"] == "message")


def test_a_recording_of_all_markets_plays_as_it_was(runs: Runs, tmp_path: Path, capfd: Any) -> None:
    file = tmp_path / "all.jsonl.gz"
    live = runs(ALL, f"nexus:{SYMBOL}", "nexus:SPOT_ETH_USDT", "jayx:BTCUSDT", env="sim", count=30, record=file)
    sources = {tuple(record["data"][:2]) for record in live.records}
    played = runs(ALL, replay=file)
    assert played.code == 0
    assert sources <= {tuple(r["data"][:2]) for r in played.of("message")}
    assert len(sources) == 3
    assert set(messages(live.records)) <= set(messages(played.records))
    one = runs(ALL, "jayx:BTCUSDT", replay=file)
    traded = {MarketName(*json.loads(data)[:2]) for topic, data in messages(played.records) if topic == "trade"}
    candles = {market: Candles(["1d"]) for market in traded}
    asyncio.run(history.fill(file, candles, print, env="sim"))
    assert traded
    assert all(filled.known("1d") for filled in candles.values())
    capfd.readouterr()
    assert messages(one.records) == [m for m in messages(played.records) if '"jayx"' in m[1]]

    request = StreamRequest("nexus", ["SPOT_ETH_USDT"], replay=file, speed=float("inf"), output="jsonl")
    request.stream = "quotes"
    assert watch(request, Words(), Redactor()) == 0
    quotes = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert {(quote["venue"], quote["symbol"]) for quote in quotes} == {("nexus", "SPOT_ETH_USDT")}
    assert len(quotes) == sum(m[0] == "quote" and "ETH" in m[1] for m in messages(played.records))
    request.symbols = None
    with pytest.raises(UsageError, match="of SPOT_BTC_USDT and of SPOT_ETH_USDT: name the one"):
        watch(request, Words(), Redactor())
    request.venue = "b2trader"
    with pytest.raises(UsageError, match="a recording of nexus and jayx, not of b2trader"):
        watch(request, Words(), Redactor())


def test_what_is_wrong_on_another_line_of_a_recording_is_not_told(tmp_path: Path, capfd: Any) -> None:
    symbols = (SYMBOL, "SPOT_ETH_USDT")
    first, second = opened(BEGIN), [{**event, "line": 1} for event in opened(BEGIN)]
    file = write(
        tmp_path / "r.jsonl",
        [
            *first,
            *second,
            {**came(BEGIN + 1, "neither"), "line": 1},
            came(BEGIN + 2, frame(Tick(BEGIN, "1", "1"))),
        ],
        subscriptions=[{"stream": "trades", "symbols": [symbol]} for symbol in symbols],
    )
    for symbol, told in zip(symbols, (False, True), strict=True):
        request = StreamRequest("nexus", [symbol], replay=file, speed=float("inf"), output="jsonl")
        request.stream = "trades"
        watch(request, Words(), Redactor())
        err = capfd.readouterr().err
        assert ("bad frame" in err) is told
        request.raw = True
        watch(request, Words(), Redactor())
        assert [json.loads(line)["frame"] == "neither" for line in capfd.readouterr().out.splitlines()] == [told]


def test_once_ends_with_what_is_emitted_first(runs: Runs, tmp_path: Path) -> None:
    file = write(tmp_path / "r.jsonl", played_quotes())
    ran = runs(ALL, replay=file, once=True)
    assert (ran.code, len(ran.records)) == (0, 1)
    silent = runs(SILENT, replay=file, once=True)
    assert (silent.code, str(silent.problem)) == (6, "it ended before the bot emitted anything")
    silent = runs(SILENT, replay=file, once=True, speed=1.0, duration=300)
    assert (silent.code, str(silent.problem)) == (6, "the bot emitted nothing within 0.3 s")


def test_no_market_data_in_time(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    async def mute(socket: Any) -> None:
        await socket.wait_closed()

    with in_thread(lambda: websocket_server(mute)) as port:
        monkeypatch.setenv("MON_NEXUS_URL", f"ws://127.0.0.1:{port}")
        monkeypatch.setenv("MON_NEXUS_CLIENT_KEY", "k" * 10)
        ran = runs(SILENT, f"nexus:{SYMBOL}", timeout=200)
        assert isinstance(ran.problem, NoDataError)
        assert "within 0.2 s" in str(ran.problem)
        nexus = venue_named("nexus")
        offers = {name: replace(offer, once_within=0.3) for name, offer in nexus.streams.items()}
        monkeypatch.setattr(nexus, "streams", offers)
        assert "within 0.3 s" in str(runs(SILENT, f"nexus:{SYMBOL}", once=True).problem)


@pytest.mark.parametrize("option", ["record", "timeout", "max_age"])
def test_options_for_market_data_without_any(runs: Runs, tmp_path: Path, option: str) -> None:
    ran = runs(NO_MARKET, f"nexus:{SYMBOL}", env="sim", **{option: tmp_path / "r" if option == "record" else 1000})
    assert ran.code == 2
    assert f"--{option.replace('_', '-')} is for market data, and bot.py gets none" in str(ran.problem)
    assert not (tmp_path / "r").exists()


def test_a_recording_that_cannot_be_written(runs: Runs, tmp_path: Path) -> None:
    ran = runs(SILENT, f"nexus:{SYMBOL}", env="sim", record=tmp_path / "none" / "r")
    assert isinstance(ran.problem, RecordingError)


@pytest.mark.parametrize("way", ["history", "file"])
def test_a_recording_takes_the_place_of_nothing_that_is_read(runs: Runs, tmp_path: Path, way: str) -> None:
    script = HEAD + "class Signals(Link):\n  def candle_update_1m(self, src, sym, bars): pass\n"
    file = tmp_path / "bot.py" if way == "file" else write(tmp_path / "r.jsonl", played_quotes())
    given = {"history": [file]} if way == "history" else {}
    ran = runs(script, f"nexus:{SYMBOL}", env="sim", record=file, **given)
    assert ran.code == 2
    assert "would take the place of" in str(ran.problem)
    assert file.stat().st_size


def played_quotes() -> list[dict[str, Any]]:
    """A book, three seconds of nothing, a book that is old, a trade, a book."""
    at = BEGIN + MINUTE
    return [
        *opened(at),
        came(at + 10, book(at + 5, "99", "101")),
        came(at + 20, frame(Tick(at + 15, "100", "1"))),
        came(at + 3_020, book(at + 16, "50", "51")),
        came(at + 3_030, frame(Tick(at + 3_025, "102", "1"))),
        came(at + 3_040, book(at + 3_035, "101", "103")),
    ]


def test_a_market_whose_data_are_too_old_is_stale_but_nothing_was_missed(runs: Runs, tmp_path: Path) -> None:
    script = (
        ALL
        + "  def candle_update_1m(self, src, sym, bars): self.publish('c', [bars[-1]['volume'], *bars.complete[-1:]])\n"
    )
    ran = runs(script, replay=write(tmp_path / "r.jsonl", played_quotes()), max_age=1_000)
    told = [
        (r["type"], r.get("state") or r["topic"], r.get("stream"), r.get("extra"))
        for r in ran.records
        if r["type"] == "status" or r["topic"] != "c"
    ]
    stale = {"stale": True}
    assert told == [
        ("message", "quote", None, None),
        ("message", "trade", None, None),
        ("status", "stale", "quotes", None),
        ("status", "stale", "trades", None),
        ("status", "live", "trades", None),
        ("message", "trade", None, stale),
        ("status", "live", "quotes", None),
        ("message", "quote", None, None),
    ]
    candles = [r["data"] for r in ran.of("message") if r["topic"] == "c"]
    assert candles == [[1, True], [2, True]]  # for nothing was missed
    market = f"nexus:{SYMBOL}"
    assert f"{market} is stale: no data for 1 s (--max-age); no quotes until it is live again" in ran.said
    assert f"{market} is live again" in ran.said
    assert "trades in between" not in ran.said


def test_one_market_of_a_stream_of_several_is_stale() -> None:
    limits = Limits(1_000)
    limits.expect_markets(0, "quotes", ["a", "b"], "b2trader", None)
    standings = Standings([MarketName("b2trader", "a"), MarketName("b2trader", "b")])

    def at(seconds: float) -> Now:
        return Now(seconds, round(seconds * 1000))

    def quote(symbol: str, seconds: float) -> Quote:
        return Quote(venue="b2trader", symbol=symbol, received=1, time=round(seconds * 1000))

    live = Status(venue="b2trader", received=1, stream="quotes", state="live")
    assert limits.passes([live], 0, at(0)) == [live]
    standings.changed(0, live)
    for symbol in "ab":
        assert limits.passes([quote(symbol, 0)], 0, at(0)) == [quote(symbol, 0)]
    assert limits.passes([quote("b", 0.9)], 0, at(0.9))
    assert limits.deadline() == 1.0
    ((line, (stale,)),) = limits.tick(at(1.0))
    assert isinstance(stale, Status)
    assert (line, stale.symbol) == (0, "a")
    assert limits.says(stale)
    assert standings.changed(0, stale).down == [MarketName("b2trader", "a")]
    assert standings.together() == "stale"
    assert limits.passes([Confirmed("quotes")], 1, at(1.1)) == [Confirmed("quotes")]  # another line's
    gone = Status(venue="b2trader", received=1, stream="quotes", state="reconnecting")
    assert limits.passes([gone], 0, at(1.2)) == [gone]
    assert not limits.says(gone)
    assert standings.changed(0, gone).down == [MarketName("b2trader", "b")]
    again = standings.changed(0, live)
    assert again.live == [MarketName("b2trader", "a"), MarketName("b2trader", "b")]
    assert standings.together() == "live"


def test_every_shared_option_is_one_of_the_streams() -> None:
    assert {*options_of_runs()} <= declared().keys()
    assert {"record", "once", "timeout", "max_age"} <= {*options_of_runs()}


TWO = (SYMBOL, "SPOT_ETH_USDT")


def recorded_with_a_refusal(file: Path) -> Path:
    """Two markets; the second is refused before the first has anything."""
    refused = {"kind": "answer", "status": 404, "body": "", "at": BEGIN + 1, "mono": (BEGIN + 1) / 1000, "line": 1}
    events = [
        *opened(BEGIN),
        {**opened(BEGIN)[0], "line": 1},
        refused,
        came(BEGIN + 2, frame(Tick(BEGIN, "1", "1"))),
        came(BEGIN + 3, frame(Tick(BEGIN + 2, "2", "1"))),
    ]
    return write(file, events, subscriptions=[{"stream": "trades", "symbols": [symbol]} for symbol in TWO])


def test_how_another_market_of_a_recording_ended_is_no_matter(
    runs: Runs, tmp_path: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setattr("cli.bot.outlet.Outlet.show", lambda _, state: shown.append(state))
    script = HEAD + "class Signals(Link):\n  def trade_update(self, src, sym, data): self.publish(sym, data['price'])\n"
    file = recorded_with_a_refusal(tmp_path / "r.jsonl")
    one = runs(script, f"nexus:{SYMBOL}", replay=file)
    assert [(r["type"], r.get("topic"), r.get("data")) for r in one.records] == [
        ("message", SYMBOL, 1),
        ("message", SYMBOL, 2),
    ]
    assert (one.code, one.said, shown[-1]) == (0, "", "live")
    assert runs(script, f"nexus:{TWO[1]}", replay=file).code == 4
    request = StreamRequest("nexus", [SYMBOL], replay=file, speed=float("inf"), output="jsonl")
    request.stream = "trades"
    assert watch(request, Words(), Redactor()) == 0
    assert len(capfd.readouterr().out.splitlines()) == 2


def test_history_goes_on_where_another_market_was_refused_and_tells_of_damage(tmp_path: Path) -> None:
    file = recorded_with_a_refusal(tmp_path / "r.jsonl")
    with file.open("a") as more:
        more.write("{")
    candles, said = {MarketName("nexus", SYMBOL): Candles(["1m"])}, list[str]()
    asyncio.run(history.fill(file, candles, said.append, env=None))
    assert said[:2] == [
        f"{file}: 2 trades as history",
        f"the recording {file} is damaged at line 8; played up to there",
    ]
    assert not any("oldest first" in words for words in said)
    asyncio.run(history.fill(file, candles, said.append, env=None))
    assert said[-1].endswith(f"so its trades of nexus:{SYMBOL} do not count: give the oldest first")


def test_one_market_of_a_recorded_stream_of_several(runs: Runs, tmp_path: Path) -> None:
    """Of the other nothing is told, not even how old it is."""
    markets = [f"b2trader:{symbol}" for symbol in ("spot.btc_usdt", "spot.eth_usdt")]
    file = tmp_path / "r.jsonl"
    runs(ALL.replace("trade_update", "_"), *markets, env="sim", record=file, count=20)
    one = runs(ALL.replace("trade_update", "_"), markets[0], replay=file, max_age=1)
    assert {r.get("symbol") or r["data"][1] for r in one.records} == {"spot.btc_usdt"}
    assert "eth" not in one.said


def test_what_a_recording_lacks_is_not_said_of_its_venue() -> None:
    market = MarketName("b2trader", "spot.btc_usdt")
    header = header_for("b2trader", Settings(url=""), [Subscription("candles", (market.symbol,), interval="1m")])
    bot = Bot("hourly.py", {"candle_update_1h": print}, {})
    (plan,) = plans(bot, [market], header)
    assert plan.remarks == ["the recording has no candles of 1h: they are put together from those of 1m"]
