"""The bot host, whole: a recording, or a venue simulated in this process, into a script; what it emits and says."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import re
import signal
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli.bot import host, lag
from cli.bot.plan import BotRequest
from cli.bot.speech import LogLines
from cli.output.lines import Words
from tests.bot.conftest import HEAD, Runs
from tests.bot.recordings import (
    BEGIN,
    MINUTE,
    SYMBOL,
    Tick,
    book,
    came,
    closed,
    frame,
    opened,
    record_trades,
    walk,
    write,
)
from venues.errors import SetupError, UsageError
from venues.redaction import Redactor

# The document's example, inside the class that it belongs to.
RSI = """
import talib
from profitview import Link

class Signals(Link):
    def candle_update_1m(self, src, sym, bars):
        rsi = talib.RSI(bars.closes, timeperiod=14)[-1]
        if rsi > 70:
            self.signal(src, sym, size=-0.5)
"""


def quotes_and_trades(path: Path) -> Path:
    """Two quotes, a trade, an interruption of two minutes with a trade before its first book, a quote."""
    at = BEGIN
    return write(
        path,
        [
            *opened(at),
            came(at + 10, book(at + 5, "99", "101")),
            came(at + 20, frame(Tick(at + 15, "100.5", "0.25", "SELL"))),
            came(at + 30, book(at + 25, "99.5", "101")),
            closed(at + 1_000),
            *opened(at + 120_000),
            came(at + 120_010, frame(Tick(at + 120_005, "102", "0.5"))),
            came(at + 120_020, book(at + 120_015, "101", "103")),
            came(at + 120_030, frame(Tick(at + 120_025, "103", "0.5"))),
        ],
    )


# --- the shapes of what a script gets ------------------------------------------------------------------------------


def test_the_documented_shapes_in_order_of_arrival(runs: Runs, tmp_path: Path) -> None:
    source = HEAD + (
        "class Signals(Link):\n"
        "  def on_start(self): self.publish('start', self.epoch_now)\n"
        "  def quote_update(self, src, sym, data): self.publish('quote', [src, sym, data, self.epoch_now])\n"
        "  def trade_update(self, src, sym, data): self.publish('trade', [src, sym, data, self.iso_now])\n"
        "  def candle_update_5m(self, src, sym, bars):\n"
        "    self.publish('candle', [src, sym, bars[-1], list(bars.closes[-2:])])\n"
    )
    ran = runs(source, replay=quotes_and_trades(tmp_path / "r.jsonl"))
    messages = [(record["topic"], record.get("data")) for record in ran.of("message")]
    bar = {"time": BEGIN - BEGIN % (5 * MINUTE), "open": 100.5, "high": 100.5, "low": 100.5, "close": 100.5}
    assert messages[:5] == [
        ("start", BEGIN),
        ("quote", ["nexus", SYMBOL, {"bid": [99.0, 2.0], "ask": [101.0, 3.0], "time": BEGIN + 5}, BEGIN + 10]),
        ("trade", ["nexus", SYMBOL, {"side": "Sell", "price": 100.5, "size": 0.25, "time": BEGIN + 15},
                   "2023-11-16T07:13:00.020Z"]),
        ("candle", ["nexus", SYMBOL, {**bar, "volume": 0.25}, [None, 100.5]]),
        ("quote", ["nexus", SYMBOL, {"bid": [99.5, 2.0], "ask": [101.0, 3.0], "time": BEGIN + 25}, BEGIN + 30]),
    ]  # fmt: skip
    first = ran.of("message")[1]
    assert (first["venue"], first["env"], first["time"], first["received"]) == (
        "bot",
        "replay",
        BEGIN + 5,
        BEGIN + 10,
    )
    assert (ran.code, ran.problem) == (0, None)


def test_while_a_market_is_down_there_are_no_quotes_and_what_is_emitted_is_marked(runs: Runs, tmp_path: Path) -> None:
    source = HEAD + (
        "class Signals(Link):\n"
        "  def quote_update(self, src, sym, data): self.signal(src, sym, quote=[data['bid'][0], data['ask'][0]])\n"
        "  def trade_update(self, src, sym, data):\n"
        "    self.signal(src, sym, mid=data['price'])\n"
        "    self.signal('bitmex', 'XBTUSD', mid=1)\n"
        "    self.publish('trade', data['price'])\n"
    )
    ran = runs(source, replay=quotes_and_trades(tmp_path / "r.jsonl"))
    told = [
        (record["type"], record.get("state") or record.get("quote") or record.get("mid") or record.get("data"),
         record.get("extra"))
        for record in ran.records
    ]  # fmt: skip
    stale = {"stale": True}
    trouble = [("status", "reconnecting", None)] * 2 + [("status", "live", None), ("status", "syncing", None)]
    assert told == [
        ("signal", [99.0, 101.0], None),
        ("signal", 100.5, None), ("signal", 1, None), ("message", 100.5, None),
        ("signal", [99.5, 101.0], None),
        *trouble,
        ("signal", 102, stale), ("signal", 1, stale), ("message", 102.0, stale),
        ("status", "live", None),
        ("signal", [101.0, 103.0], None),
        ("signal", 103, None), ("signal", 1, None), ("message", 103.0, None),
    ]  # fmt: skip
    assert f"[bot] WARNING: nexus:{SYMBOL} is reconnecting" in ran.said
    assert f"[bot] WARNING: nexus:{SYMBOL} is live again" in ran.said
    quiet = runs(source, replay=tmp_path / "r.jsonl", status="stderr")
    assert not quiet.of("status")


def test_the_documents_example_emits_where_rsi_passes_70_the_same_on_every_run(runs: Runs, tmp_path: Path) -> None:
    import numpy as np
    import pandas as pd
    import talib

    ticks = walk(4_000, seed=7, every_ms=20_000)
    recording = record_trades(tmp_path / "trades.jsonl.gz".removesuffix(".gz"), ticks)
    ran = runs(RSI, replay=recording)
    signals = ran.of("signal")
    prices = pd.Series([float(tick.price) for tick in ticks], index=pd.to_datetime([t.time for t in ticks], unit="ms"))
    expected = []
    closes = prices.resample("1min").last().ffill()
    for time_ms, price in zip((tick.time for tick in ticks), prices.to_numpy(), strict=True):
        past = closes[closes.index < pd.Timestamp(time_ms - time_ms % MINUTE, unit="ms")].to_numpy()[-359:]
        window = np.concatenate([np.full(359 - len(past), np.nan), past, [price]])
        if talib.RSI(window, timeperiod=14)[-1] > 70:
            expected.append(time_ms)
    assert len(expected) > 20
    assert [record["time"] for record in signals] == expected
    assert {(r["venue"], r["symbol"], r["side"], r["size"]) for r in signals} == {("nexus", SYMBOL, "short", -0.5)}
    assert runs(RSI, replay=recording).records == ran.records


def test_a_follower_hears_of_signals_and_prices_in_order(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    heard: list[tuple[str, Any]] = []

    class Follower:
        async def open(self, *_: Any) -> None:
            heard.append(("open", None))

        async def close(self, patience: float, *, hurried: bool) -> None:
            heard.append(("close", hurried))

        def signal(self, signal: Any, source: Any) -> None:
            assert source == ("nexus", SYMBOL)
            heard.append(("signal", signal.size))

        def quote(self, quote: Any) -> None:
            heard.append(("quote", quote.bid_price))

        def trade(self, trade: Any) -> None:
            heard.append(("trade", trade.price))

        def forget(self, src: str, sym: str) -> None:
            heard.append(("forget", (src, sym)))

        def live(self, src: str, sym: str) -> None:
            heard.append(("live", (src, sym)))

    path = tmp_path / "bot.py"
    path.write_text(
        HEAD + "class Signals(Link):\n"
        "  def quote_update(self, src, sym, data): pass\n"
        "  def trade_update(self, src, sym, data): self.signal(src, sym, size=0.5)\n",
        encoding="utf-8",
    )
    request = BotRequest(path, replay=quotes_and_trades(tmp_path / "r.jsonl"), speed=math.inf, output="jsonl")
    asyncio.run(host.Host(request, Words(), Redactor(), followers=[Follower()]).run())
    assert [what for what in heard if what[0] != "signal"] == [
        ("open", None),
        ("forget", ("nexus", SYMBOL)),  # it has never been live
        ("live", ("nexus", SYMBOL)),
        ("quote", 99),
        ("trade", Decimal("100.5")),
        ("quote", Decimal("99.5")),
        ("forget", ("nexus", SYMBOL)),
        ("trade", 102),
        ("live", ("nexus", SYMBOL)),
        ("quote", 101),
        ("trade", 103),
        ("close", False),
    ]
    assert heard.count(("signal", Decimal("0.5"))) == 3


# --- scripts that do wrong -----------------------------------------------------------------------------------------


def test_an_exception_is_shown_once_counted_and_the_host_goes_on(runs: Runs, tmp_path: Path) -> None:
    source = HEAD + (
        "import sys\n"
        "class Signals(Link):\n"
        "  def on_start(self): sys.exit('enough')\n"
        "  def trade_update(self, src, sym, data):\n"
        "    self.signal(src, sym, mid=data['price'])\n"
        "    self.signal(src, sym, size=7)\n"
        "  def candle_update_1m(self, src, sym, bars): raise KeyboardInterrupt\n"
    )
    ran = runs(source, replay=record_trades(tmp_path / "r.jsonl", walk(300, seed=1, every_ms=1000)), quiet=True)
    assert len(ran.of("signal")) == 300
    assert ran.said.count("Traceback") == 3
    assert "SystemExit: enough" in ran.said
    assert "line 7, in trade_update\n         self.signal(src, sym, size=7)" in ran.said
    assert "ValueError: expected a size from -1 to 1, got 7" in ran.said
    assert "bot.py: ValueError in trade_update at line 7: 300 times so far" in ran.said
    assert "cli/bot" not in ran.said
    assert ran.code == 0


@pytest.mark.parametrize(
    ("source", "words", "code"),
    [
        ("class Signals(:\n", "line 1: SyntaxError", 3),
        ("x = 1\n", "expected a class Signals(Link)", 3),
        (
            HEAD + "class Signals(Link):\n  def __init__(self): self.signal('a', 'b', size=1)\n",
            "line 3: RuntimeError",
            3,
        ),
        (HEAD + "class Signals(Link):\n  def quote_update(self, a, b, c): pass\n", "expected --market VENUE:SYMBOL", 2),
    ],
)
def test_scripts_that_cannot_be_run(runs: Runs, source: str, words: str, code: int) -> None:
    ran = runs(source)
    assert ran.code == code
    assert words in str(ran.problem)
    assert ran.records == []


def test_print_goes_to_stderr_and_logger_has_its_level(runs: Runs, tmp_path: Path) -> None:
    source = HEAD + (
        "import logging, sys\n"
        "print('at import')\n"
        "class Signals(Link):\n"
        "  def on_start(self):\n"
        "    print('two', 'words'); print('begun', end=''); sys.stderr.write('to stderr\\n')\n"
        "    logger.info('an %s', 'info'); logger.debug('a debug');\n"
        "    try: 1/0\n"
        "    except ZeroDivisionError: logger.exception('caught')\n"
        "    try: input()\n"
        "    except EOFError: print('nothing to read \\x1b[31m')\n"
        "  def trade_update(self, src, sym, data): self.publish('t')\n"
    )
    recording = record_trades(tmp_path / "r.jsonl", walk(1, seed=1, every_ms=1))
    ran = runs(source, replay=recording)
    assert [record["topic"] for record in ran.records] == ["t"]
    for line in ("at import", "two words", "to stderr", "INFO: an info", "ERROR: caught", "begunnothing to read \\x1b"):
        assert f"mon: [bot] {line}" in ran.said
    assert "a debug" not in ran.said
    assert "ZeroDivisionError" in ran.said
    quiet = runs(source, replay=recording, quiet=True)
    assert "an info" not in quiet.said
    assert "caught" in quiet.said


# --- what is asked of a venue --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("callback", "market", "words"),
    [
        (
            "trade_update",
            "b2trader:spot.btc_usdt",
            "trade_update of bot.py needs trades, and b2trader has: book, quotes",
        ),
        ("quote_update", "profitview:", "expected --market VENUE:SYMBOL"),
        ("quote_update", "nowhere:X", "expected a venue"),
        ("quote_update", "nexus:btc", "expected a symbol like SPOT_BTC_USDT"),
        ("quote_update", "nexus", "expected --market VENUE:SYMBOL"),
    ],
)
def test_what_a_venue_does_not_have_is_said_before_connecting(
    runs: Runs, callback: str, market: str, words: str
) -> None:
    try:
        problem = runs(HEAD + f"class Signals(Link):\n  def {callback}(self, src, sym, data): pass\n", market).problem
    except UsageError as error:
        problem = error
    assert isinstance(problem, UsageError)
    assert words in str(problem)


def test_a_recording_of_another_market_or_without_the_stream(runs: Runs, tmp_path: Path) -> None:
    source = HEAD + "class Signals(Link):\n  def trade_update(self, src, sym, data): pass\n"
    recording = record_trades(tmp_path / "r.jsonl", walk(1, seed=1, every_ms=1))
    with pytest.raises(UsageError, match="is a recording of nexus:SPOT_BTC_USDT, not of nexus:SPOT_ETH_USDT"):
        raise runs(source, "nexus:SPOT_ETH_USDT", replay=recording).problem or AssertionError
    quotes = write(
        tmp_path / "q.jsonl",
        [],
        venue="b2trader",
        subscriptions=[{"stream": "quotes", "symbols": ["spot.btc_usdt"]}],
    )
    with pytest.raises(UsageError, match="needs trades, and the recording is of quotes"):
        raise runs(source, replay=quotes).problem or AssertionError


# --- history -------------------------------------------------------------------------------------------------------


def test_history_auto_takes_nothing_twice(runs: Runs, tmp_path: Path) -> None:
    source = HEAD + (
        "class Signals(Link):\n"
        "  def candle_update_1m(self, src, sym, bars): self.publish('1m', [bars.closes, bars.volumes])\n"
    )
    ticks, folder = walk(400, seed=5, every_ms=9_000), tmp_path / "folder"
    folder.mkdir()
    earlier = record_trades(folder / "earlier.jsonl", ticks[:300])
    later = record_trades(folder / "later.jsonl", ticks[300:])
    of_no_venue = earlier.read_text(encoding="utf-8").replace('"nexus"', '"gone"')
    (folder / "before.jsonl").write_text(of_no_venue, encoding="utf-8")
    expected = runs(source, replay=later, history=[earlier])
    for given in ([Path("auto")], [earlier, Path("auto")]):
        found = runs(source, replay=later, history=given, recordings_folder=folder)
        assert found.records == expected.records
        assert found.said.count("300 trades as history") == 1
        assert "leaves out" not in found.said


def test_history_fills_the_bars_before_the_start(runs: Runs, tmp_path: Path) -> None:
    source = HEAD + (
        "class Signals(Link):\n"
        "  def candle_update_1m(self, src, sym, bars): self.publish('1m', [bars.closes, bars.volumes])\n"
    )
    ticks = walk(400, seed=5, every_ms=9_000)
    whole = runs(source, replay=record_trades(tmp_path / "whole.jsonl", ticks)).of("message")
    earlier = record_trades(tmp_path / "earlier.jsonl", ticks[:300])
    later = record_trades(tmp_path / "later.jsonl", ticks[200:])
    ran = runs(source, replay=later, history=[earlier])
    assert [record["data"][0] for record in ran.of("message")] == [record["data"][0] for record in whole[300:]]
    assert "300 trades as history" in ran.said
    lines = tmp_path / "lines.jsonl"
    with lines.open("w", encoding="utf-8") as file:
        for number, tick in enumerate(ticks[:300]):
            common = {"type": "trade", "venue": "nexus", "env": "replay", "received": tick.time, "side": "buy"}
            for symbol in (SYMBOL, "SPOT_ETH_USDT")[: 1 + (number < 7)]:
                given = {"symbol": symbol, "time": tick.time, "price": float(tick.price), "size": tick.size}
                file.write(json.dumps({**common, **given}) + "\n")
        file.write('{"type":"pong","venue":"nexus","received":1,"round_trip_ms":1}\n\n')
    printed = runs(source, replay=later, history=[lines])
    assert printed.records == ran.records
    assert "7 of 307 records are of other markets (nexus:SPOT_ETH_USDT)" in printed.said
    assert "1 lines are neither trades nor candles (pong)" in printed.said


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nonsense", "line 2: expected a trade or a candle"),
        ('{"type":"trade","venue":"nexus","symbol":"X","received":1,"price":-1,"size":1,"side":"buy"}', "2: .*above 0"),
        ('{"type":"trade","venue":"nexus","symbol":"X","received":1,"price":1,"side":"buy"}', "line 2: .*`size`"),
        ('{"type":"banana","venue":"nexus","received":1}', "line 2: expected a trade"),
        ("[1]", "line 2: expected a trade"),
        ('{"type":"candle","venue":"nexus","symbol":"X","received":1,"interval":"1m","start":0,"end":1,"open":1,"high":1,'
         '"low":1,"close":1,"closed":true,"complete":true}', "line 2: .*60000 after `start`"),
        ('{"type":"candle","venue":"nexus","symbol":"X","received":1,"interval":"1m","start":0,"end":60000,"open":1,'
         '"high":2,"low":1,"close":3,"closed":true,"complete":true}', "line 2: .*open and close between low and high"),
    ],
)  # fmt: skip
def test_a_bad_line_of_history(runs: Runs, tmp_path: Path, line: str, words: str) -> None:
    source = HEAD + "class Signals(Link):\n  def candle_update_1m(self, src, sym, bars): pass\n"
    path = tmp_path / "lines.jsonl"
    path.write_text(f"\n{line}\n", encoding="utf-8")
    recording = record_trades(tmp_path / "r.jsonl", walk(1, seed=1, every_ms=1))
    with pytest.raises(SetupError, match=words):
        raise runs(source, replay=recording, history=[path]).problem or AssertionError
    with pytest.raises(SetupError, match="No such file"):
        raise runs(source, replay=recording, history=[tmp_path / "none"]).problem or AssertionError


# --- live ----------------------------------------------------------------------------------------------------------


def test_live_at_two_venues_at_once(runs: Runs) -> None:
    source = HEAD + (
        "class Signals(Link):\n"
        "  def __init__(self): self.seen = set()\n"
        "  def quote_update(self, src, sym, data): self.once(src, 'quote', data)\n"
        "  def candle_update_3m(self, src, sym, bars): self.once(src, 'candle', bars[-1])\n"
        "  def once(self, src, what, data):\n"
        "    if (src, what) not in self.seen:\n"
        "      self.seen.add((src, what)); self.publish(what, [src, data])\n"
    )
    ran = runs(source, f"nexus:{SYMBOL}", "b2trader:spot.btc_usdt", env="sim", count=4)
    assert sorted((r["topic"], r["data"][0]) for r in ran.records) == [
        ("candle", "b2trader"), ("candle", "nexus"), ("quote", "b2trader"), ("quote", "nexus"),
    ]  # fmt: skip
    assert {record["env"] for record in ran.records} == {"sim"}
    sizes = {r["data"][0]: r["data"][1]["bid"][1] for r in ran.records if r["topic"] == "quote"}
    assert sizes["b2trader"] is None  # NaN, for b2trader sends none
    assert sizes["nexus"] > 0
    assert "b2trader has no candles of 3m: they are put together from those of 1m" in ran.said


def test_a_callback_that_blocks_is_told_stops_nothing_and_ends_with_ctrl_c(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lag, "RUNS_LONG", 0.2)
    monkeypatch.setattr(lag, "LOOK_EVERY", 0.1)
    monkeypatch.setattr(host, "LAST_WORDS_WITHIN", 0.1)
    source = HEAD + (
        "import os, signal, threading, time\n"
        "class Signals(Link):\n"
        "  def trade_update(self, src, sym, data):\n"
        "    threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        f"    while not os.path.exists({str(tmp_path / 'enough')!r}): pass\n"
    )
    begun = time.monotonic()
    ran = runs(source, f"nexus:{SYMBOL}", env="sim")
    assert ran.code == 130
    assert "trade_update for nexus:SPOT_BTC_USDT has been running for" in ran.said
    assert "trade_update has not returned: it is left behind" in ran.said
    assert time.monotonic() - begun < 20
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    (tmp_path / "enough").touch()


def test_duration_ends_a_recording_that_was_read_and_whose_script_is_behind(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "PATIENCE", 0.1)
    source = HEAD + (
        "import time\n"
        "class Signals(Link):\n"
        "  def trade_update(self, src, sym, data):\n"
        "    self.signal(src, sym, size=1)\n"
        "    until = time.monotonic() + 3\n"
        "    while time.monotonic() < until: pass\n"
    )
    ticks = [Tick(BEGIN + 1 + number, "100", "1") for number in range(3)]
    ran = runs(source, replay=record_trades(tmp_path / "r.jsonl", ticks), duration=300)
    assert (ran.code, len(ran.of("signal"))) == (0, 1)
    assert "trade_update has not returned: it is left behind" in ran.said


def test_ctrl_c_while_the_script_is_loaded(runs: Runs) -> None:
    source = "import os, signal, threading, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(1)\n"
    assert runs(source).code == 130


def test_a_line_for_the_logger_that_cannot_be_made_is_the_scripts_fault() -> None:
    told: list[tuple[str, str]] = []

    class Told:
        def fault(self, error: BaseException, where: str, name: str) -> None:
            told.append((type(error).__name__, where))

    LogLines(Told(), "bot").emit(logging.makeLogRecord({"msg": "bad %d", "args": ("x",)}))  # type: ignore[arg-type]
    assert told == [("TypeError", "logger")]


def test_a_slow_callback_is_told(runs: Runs, tmp_path: Path) -> None:
    source = HEAD + (
        "import time\nclass Signals(Link):\n  def trade_update(self, src, sym, data):\n"
        "    until = time.monotonic() + 0.11\n    while time.monotonic() < until: pass\n"
    )
    ran = runs(source, replay=record_trades(tmp_path / "r.jsonl", walk(1, seed=1, every_ms=1)))
    assert "bot.py: trade_update for nexus:SPOT_BTC_USDT took 0.1" in ran.said


def test_no_data_in_time_and_data_in_time(runs: Runs) -> None:
    source = HEAD + "class Signals(Link):\n  def quote_update(self, src, sym, data): pass\n"
    ran = runs(source, f"nexus:{SYMBOL}", env="sim", duration=1)
    assert ran.code in (0, 6)
    nothing = runs("from profitview import Link\nclass Signals(Link): pass\n", duration=50)
    assert nothing.code == 0
    assert "nothing that is called" in nothing.said


def test_csv_has_columns_for_both(runs: Runs, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = HEAD + (
        "class Signals(Link):\n"
        "  def trade_update(self, src, sym, data):\n"
        "    self.signal(src, sym, quote=[1, 2])\n"
        "    self.publish('t', {'a': 1})\n"
    )
    path = tmp_path / "bot.py"
    path.write_text(source, encoding="utf-8")
    recording = record_trades(tmp_path / "r.jsonl", [Tick(BEGIN, "1", "1")])
    request = BotRequest(path, replay=recording, speed=math.inf, output="csv")
    asyncio.run(host.Host(request, Words(), Redactor()).run())
    head, signal_row, message_row = capfd.readouterr().out.splitlines()
    assert head.startswith("venue,env,symbol,time,received,name,")
    assert head.endswith("extra,topic,data")
    assert signal_row.startswith(f"nexus,replay,{SYMBOL},{BEGIN},{BEGIN},signal")
    assert '"[1,2]"' in signal_row
    assert message_row.endswith('t,"{""a"":1}"')


# --- its own feed and webhooks -------------------------------------------------------------------------------------


def test_webhooks_run_in_turn_with_the_callbacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import aiohttp

    monkeypatch.setenv("MON_BOT_TOKEN", "a-token-of-no-value")
    path = tmp_path / "bot.py"
    path.write_text(
        HEAD
        + "import threading\n"
        + "class Signals(Link):\n"
        + "  @http.route\n"
        + "  def get_thread(self, data): return threading.current_thread().name == 'bot'\n"
        + "  @http.route\n"
        + "  def post_bad(self, data): raise SystemExit\n"
        + "  @http.route\n"
        + "  def post_worse(self, data): raise ValueError('worse') from KeyError('bad')\n",
        encoding="utf-8",
    )
    said: list[str] = []

    class Spoken(Words):
        def _write(self, text: str, longest: int = 0) -> None:
            said.append(text)

    async def scenario() -> None:
        run = asyncio.create_task(host.Host(BotRequest(path, output="jsonl"), Spoken(), Redactor()).run())
        while not any("webhooks: http" in text for text in said):
            assert not run.done(), run.exception()
            await asyncio.sleep(0.01)
        (url,) = [
            line.partition("webhooks: ")[2] for text in said for line in text.splitlines() if "webhooks: " in line
        ]
        base = url.partition("/NAME")[0].replace("TOKEN", "a-token-of-no-value")
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{base}/thread") as answer:
                assert await answer.json() == {"data": True}
            for route in ("bad", "worse"):
                async with session.post(f"{base}/{route}", json={}) as answer:
                    assert answer.status == 500
        os.kill(os.getpid(), signal.SIGINT)
        assert await run == 130

    asyncio.run(asyncio.wait_for(scenario(), 30))
    told = [text for text in said if "an exception in a webhook (id " in text]
    assert any("SystemExit" in text for text in told)
    assert any("KeyError: 'bad'" in text and text.rstrip().endswith("ValueError: worse") for text in told)
    assert not any("a-token-of-no-value" in text for text in said)


def test_a_random_token_is_printed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: Runs) -> None:
    monkeypatch.delenv("MON_BOT_TOKEN", raising=False)
    source = HEAD + "class Signals(Link):\n  @http.route\n  def get_a(self, data): pass\n"
    said = runs(source, listen=("127.0.0.1", 0), duration=1, quiet=True).said
    (token,) = re.findall("the bot's token: (.+)", said)
    assert (len(token), said.count(token)) == (32, 1)
    assert re.search(r"its feed: ws://127.0.0.1:\d+/stream\?token=TOKEN\n", said)
    assert re.search(r"its webhooks: http://127.0.0.1:\d+/trading/signal/TOKEN/NAME \(GET a\)\n", said)


def test_a_configured_token_is_not_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: Runs) -> None:
    monkeypatch.delenv("MON_BOT_TOKEN", raising=False)
    file = tmp_path / "mon.toml"
    file.write_text('[bot]\ntoken = "a-token-of-no-value"\n', encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("MON_CONFIG", str(file))
    source = HEAD + "class Signals(Link):\n  def on_start(self): logger.info('a-token-of-no-value')\n"
    said = runs(source, listen=("0.0.0.0", 0), duration=1).said
    assert f"the bot's token: the one set as token under [bot] in {file}" in said
    assert "a-token-of-no-value" not in said
    assert "can see the token" in said
