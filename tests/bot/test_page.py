"""What the venue's page of today has for scripts: what they look up, several intents, and what is not done here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.bot.conftest import HEAD, Ran, Runs
from tests.bot.recordings import BEGIN, Tick, book, came, frame, opened, record_trades, walk, write

NEXUS = "nexus:SPOT_BTC_USDT"


def script(*lines: str, head: str = HEAD) -> str:
    return head + "class Signals(Link):\n" + "".join(f"    {line}\n" for line in lines)


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """A quote and a trade, ten times."""
    events = [*opened(BEGIN)]
    for number in range(10):
        at = BEGIN + 1_000 * number
        events += [came(at, book(at, f"{100 + number}", f"{101 + number}"))]
        events += [came(at + 1, frame(Tick(at + 1, f"{100 + number}.5", "2")))]
    return write(tmp_path / "both.jsonl", events, streams=("quotes", "trades"))


def said(ran: Ran) -> list[Any]:
    assert ran.code == 0, ran.said or ran.problem
    return [one["data"] for one in ran.of("message")]


def test_the_latest_quote_and_trade_are_there_without_a_callback_for_them(runs: Runs, both: Path) -> None:
    source = script(
        "@cron.run(every=3)",
        "def look(self):",
        "    src, sym = 'nexus', 'SPOT_BTC_USDT'",
        "    latest = [self.last_quote(src, sym, 'bid'), self.last_trade(src, sym)]",
        "    self.publish('t', [self.quotes, self.trades, *latest])",
        head="from profitview import Link, cron\n",
    )
    found = said(runs(source, replay=both))
    assert found[0] == [{}, {}, None, None]
    quotes, trades, bid, trade = found[1]
    assert quotes == {"nexus": {"SPOT_BTC_USDT": {"bid": [102, 2], "ask": [103, 3], "time": BEGIN + 2_000}}}
    assert bid == [102, 2]
    assert trades["nexus"]["SPOT_BTC_USDT"] == trade
    assert (trade["price"], trade["side"]) == (102.5, "Buy")


def test_what_a_module_of_the_scripts_folder_looks_up_counts_too(runs: Runs, both: Path, tmp_path: Path) -> None:
    (tmp_path / "looking_up.py").write_text(
        "def price(link):\n    return link.last_trade('nexus', 'SPOT_BTC_USDT', 'price')\n"
    )
    source = script(
        "def on_start(self):",
        "    time.sleep(5)",
        "    self.publish('t', looking_up.price(self))",
        head=HEAD + "import time\nimport looking_up\n",
    )
    assert said(runs(source, replay=both)) == [104.5]


def test_bars_of_levels_that_nothing_is_called_for(runs: Runs, tmp_path: Path) -> None:
    path = record_trades(tmp_path / "r.jsonl", walk(300, seed=1, every_ms=2_000))
    source = script(
        "count = 0",
        "def trade_update(self, src, sym, data):",
        "    self.count += 1",
        "    if self.count == 300:",
        "        level = '3m'",
        "        a, b = self.get_bars(src, sym, '1m'), self.get_bars(src, sym, level)",
        "        same = a.closes[-1] == b.closes[-1] == data['price']",
        "        self.publish('t', [len(a.closes), same, a.opens[-1], b.opens[-1]])",
        "        self.get_bars(src, sym, '2m')",
    )
    ran = runs(source, replay=path)
    ((length, same, first, second),) = said(ran)
    assert (length, same) == (360, True)
    assert first != second
    assert "expected a level, one of 1m 3m 5m" in ran.said


def test_bars_before_the_first_trade_are_nan(runs: Runs, tmp_path: Path) -> None:
    path = record_trades(tmp_path / "r.jsonl", [Tick(BEGIN + 90_000 * number, "5", "1") for number in range(3)])
    source = script(
        "@cron.run(on='1m')",
        "def look(self):",
        "    bars = self.get_bars('nexus', 'SPOT_BTC_USDT', '1m')",
        "    last = bars.closes[-1], bars.volumes[-1], bool(bars.complete[-1]), bars.times[-1]",
        "    self.publish('t', [len(bars), *last])",
        head="from profitview import Link, cron\n",
    )
    found = said(runs(source, replay=path))
    assert found[:2] == [[360, None, None, False, BEGIN - 60_000], [360, None, None, False, BEGIN]]
    assert [closes for _, closes, *_ in found[2:]] == [5.0] * 3


def test_what_its_markets_are_and_how_they_stand(runs: Runs, both: Path) -> None:
    source = script(
        "def quote_update(self, src, sym, data):",
        "    self.publish('t', [self.venues, self.market_streams, self.health, self.instruments])",
    )
    ran = runs(source, replay=both)
    venues, streams, health, instruments = said(ran)[0]
    assert venues == {"nexus": {"id": "nexus", "kind": "nexus", "name": "nexus", "src": "nexus"}}
    assert streams == {"nexus": ["SPOT_BTC_USDT"]}
    live = {"src": "nexus", "live": True, "markets": {"SPOT_BTC_USDT": True}}
    assert health == {"public": [live], "private": []}
    assert instruments == {"nexus": {"SPOT_BTC_USDT": {"src": "nexus", "sym": "SPOT_BTC_USDT"}}}
    assert "a recording has no lists of instruments" in ran.said


def test_health_mirrors_our_states(runs: Runs, tmp_path: Path) -> None:
    at = BEGIN
    events = [
        *opened(at),
        came(at, frame(Tick(at, "1", "1"))),
        {"kind": "close", "at": at + 1_000, "mono": at / 1000 + 1, "code": 1006},
    ]
    events += [*opened(at + 5_000), came(at + 6_000, frame(Tick(at + 6_000, "1", "1")))]
    path = write(tmp_path / "r.jsonl", events)
    source = script(
        "@cron.run(every=1.5)",
        "def look(self): self.publish('t', [feed['live'] for feed in self.health['public']])",
        "def trade_update(self, src, sym, data): pass",
        head="from profitview import Link, cron\n",
    )
    found = said(runs(source, replay=path))
    assert [live for (live,) in found] == [False, False, False, False, True]


def test_a_market_is_live_once_each_of_its_streams_is(runs: Runs, tmp_path: Path) -> None:
    """Its trades are at once, its quotes with the first book."""
    events = [*opened(BEGIN), came(BEGIN + 2_500, book(BEGIN + 2_500, "1", "2"))]
    events += [came(BEGIN + 4_200, book(BEGIN + 4_200, "1", "3"))]
    path = write(tmp_path / "r.jsonl", events, streams=("quotes", "trades"))
    source = script(
        "@cron.run(every=1)",
        "def look(self): self.publish('t', self.health['public'][0])",
        "def trade_update(self, src, sym, data): pass",
        "def quote_update(self, src, sym, data): pass",
        head="from profitview import Link, cron\n",
    )
    found = said(runs(source, replay=path))
    assert [one["live"] for one in found] == [False, False, False, True, True]
    assert [one["markets"]["SPOT_BTC_USDT"] for one in found] == [one["live"] for one in found]


def test_live_the_list_of_the_venue_is_there(runs: Runs) -> None:
    source = script(
        "def trade_update(self, src, sym, data):",
        "    self.publish('t', self.instruments[src][sym])",
    )
    ran = runs(source, NEXUS, env="sim", once=True)
    (found,) = said(ran)
    assert (found["src"], found["sym"]) == ("nexus", "SPOT_BTC_USDT")


@pytest.mark.parametrize(
    ("level", "begin"),
    [("1m", 1_700_118_780_000), ("1h", 1_700_118_000_000), ("1d", 1_700_092_800_000), ("1w", 1_699_833_600_000)],
)
def test_the_beginning_of_a_candle(runs: Runs, both: Path, level: str, begin: int) -> None:
    source = script(
        f"def on_start(self): self.publish('t', self.candle_bin({BEGIN + 12_345}, '{level}'))",
        "def trade_update(self, src, sym, data): pass",
    )
    assert said(runs(source, replay=both)) == [begin]


# --- signals


def signals(runs: Runs, path: Path, *calls: str) -> Ran:
    lines = [f"    self.signal(src, sym, {call})" for call in calls]
    source = script(
        "done = False",
        "def trade_update(self, src, sym, data):",
        "    if self.done: return",
        "    self.done = True",
        *lines,
        head=HEAD + "import numpy\n",
    )
    return runs(source, replay=path)


def test_several_intents_in_one_signal(runs: Runs, both: Path) -> None:
    (one,) = signals(runs, both, "size=-0.5, mid=30000, quote=[1, 2.5]").of("signal")
    assert (one["size"], one["mid"], one["quote"], one["side"]) == (-0.5, 30000, [1, 2.5], "short")


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ("True", 1),
        ("False", 0),
        ("numpy.bool_(True)", 1),
        ("numpy.float32(0.25)", 0.25),
        ("numpy.int64(-1)", -1),
        ("0.1 * 3 / 0.3", 1),
        ("-1.0000000000000002", -1),
        ("numpy.array(0.5)", 0.5),
        ("sum([numpy.float32(0.1)] * 10)", 1),
        ("-numpy.nextafter(numpy.float32(1), numpy.float32(2))", -1),
        ("numpy.longdouble('0.5')", 0.5),
        ("__import__('fractions').Fraction(-1, 4)", -0.25),
        ("1e-5", 0.00001),
    ],
)
def test_sizes_of_any_kind_of_number(runs: Runs, both: Path, given: str, size: float) -> None:
    (one,) = signals(runs, both, f"size={given}").of("signal")
    assert one["size"] == size


@pytest.mark.parametrize("given", ["0.3 - 0.1 * 3", "0.1 + 0.2 - 0.3", "1e-300", "numpy.float32(0.3) - 0.3"])
def test_noise_around_nothing_is_no_position(runs: Runs, both: Path, given: str) -> None:
    """By its sign it would be one: a hub, which knows no sizes, would be sent a whole one."""
    (one,) = signals(runs, both, f"size={given}").of("signal")
    assert one["size"] == 0
    assert "side" not in one


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("size=1.001", "expected a size from -1 to 1"),
        ("size=float('nan')", "expected a finite number as size"),
        ("side=1", "expected size, mid, bid, ask or quote, got 'side'"),
        ("size=None", "expected size, mid, bid, ask or quote, got none"),
    ],
)
def test_what_is_no_signal(runs: Runs, both: Path, call: str, words: str) -> None:
    ran = signals(runs, both, call)
    assert ran.of("signal") == []
    assert words in ran.said.replace('"', "'")


# --- what is not done here


def test_a_bot_that_trades_is_refused_in_one_line(runs: Runs) -> None:
    ran = runs(HEAD + "class Trading(Link):\n    def order_update(self, src, sym, data): pass\n")
    assert ran.code == 3
    assert "class Trading places orders itself, which mon does not do" in str(ran.problem)
    assert "\n" not in str(ran.problem)


def test_what_trading_bots_call_is_said_once_a_name(runs: Runs, both: Path) -> None:
    source = script(
        "def trade_update(self, src, sym, data):",
        "    self.create_limit_order('BitMEX', sym=sym, side='Buy', size=1, price=1)",
        "    self.fetch_open_orders('BitMEX')",
        "def order_update(self, src, sym, data): pass",
    )
    ran = runs(source, replay=both)
    assert ran.said.count("create_limit_order is of bots that trade themselves: mon does nothing for it") == 1
    assert ran.said.count("fetch_open_orders is of bots") == 1
    assert "order_update is of bots that trade themselves: it is never called here" in ran.said
    assert "is it meant to be" not in ran.said
    assert "Error" not in ran.said


def test_what_is_only_looked_up_is_said_too_and_other_names_are_the_script_s_own(runs: Runs, both: Path) -> None:
    source = script(
        "def trade_update(self, src, sym, data):",
        "    self.publish('own', [getattr(self, 'create_time', 7), hasattr(self, 'cancel_flag')])",
        "    getattr(self, 'fetch_positions', None)",
    )
    ran = runs(source, replay=both)
    assert {tuple(one["data"]) for one in ran.of("message")} == {(7, False)}
    assert ran.said.count("is of bots that trade themselves") == 1
    assert "fetch_positions is of bots that trade themselves: mon does nothing for it" in ran.said


def test_what_is_not_there_is_an_attribute_error_as_ever(runs: Runs, both: Path) -> None:
    ran = runs(script("def trade_update(self, src, sym, data): self.singal(src, sym)"), replay=both)
    assert "has no attribute 'singal'" in ran.said


def test_a_script_may_stop_itself(runs: Runs, both: Path) -> None:
    source = script(
        "def trade_update(self, src, sym, data):",
        "    self.publish('t', data['price'])",
        "    if data['price'] > 102: self.stop_trading('enough')",
    )
    ran = runs(source, replay=both)
    assert said(ran) == [100.5, 101.5, 102.5]
    assert "bot.py has stopped itself: enough" in ran.said


def test_nothing_comes_from_a_script_that_has_stopped_itself(runs: Runs, both: Path) -> None:
    """Neither by its schedule nor from a thread that goes on; and that is said once."""
    source = script(
        "def on_start(self):",
        "    while True:",
        "        time.sleep(1)",
        "        self.signal('nexus', 'SPOT_BTC_USDT', size=1)",
        "@cron.run(every=1)",
        "def look(self): self.publish('t', 'schedule')",
        "def trade_update(self, src, sym, data):",
        "    if data['price'] > 102: self.stop_trading('enough')",
        head="import time\nfrom profitview import Link, cron\n",
    )
    (both.parent / "goes_on.py").write_text(script("def trade_update(self, src, sym, data): pass"))
    ran = runs(source, replay=both, more=[both.parent / "goes_on.py"])
    assert max(one["received"] for one in ran.records) <= BEGIN + 2_001
    assert {one["type"] for one in ran.records} == {"signal", "message"}
    words = "bot.py has stopped itself: a signal for nexus:SPOT_BTC_USDT after that is not emitted, nor what follows"
    assert ran.said.count(words) == 1


def test_a_market_without_trades_fails_for_its_own_callbacks_only(runs: Runs) -> None:
    source = script("def trade_update(self, src, sym, data): self.publish('t', src)")
    ran = runs(source, NEXUS, "b2trader:spot.btc_usdt", env="sim", once=True)
    assert said(ran) == ["nexus"]
    assert "trade_update of bot.py needs trades, and b2trader has: " in ran.said


def test_a_market_without_trades_alone_has_its_other_callbacks(runs: Runs) -> None:
    source = script(
        "def trade_update(self, src, sym, data): pass",
        "def quote_update(self, src, sym, data): self.publish('t', src)",
    )
    ran = runs(source, "b2trader:spot.btc_usdt", env="sim", once=True)
    assert said(ran) == ["b2trader"]
    assert "trade_update of bot.py needs trades, and b2trader has: " in ran.said


def test_a_recording_without_what_its_venue_has_is_refused(runs: Runs, tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", [], venue="woox")
    source = script("def trade_update(self, src, sym, data): pass", "def quote_update(self, src, sym, data): pass")
    ran = runs(source, replay=path)
    assert (ran.code, str(ran.problem)) == (2, "quote_update of bot.py needs quotes, and the recording is of trades")


def test_what_a_recording_never_brings_is_told_at_its_end(runs: Runs, both: Path, tmp_path: Path) -> None:
    """Where a venue sends quotes unasked, only its frames tell whether there are any."""
    source = script("def trade_update(self, src, sym, data): pass", "def quote_update(self, src, sym, data): pass")
    path = record_trades(tmp_path / "r.jsonl", walk(3, seed=1, every_ms=2_000))
    words = f"no quotes of {NEXUS} came: what waits for them was never called"
    assert words in runs(source, replay=path).said
    assert words not in runs(source, replay=both).said
    assert words not in runs(script("def trade_update(self, src, sym, data): pass"), replay=path).said


def test_init_may_be_overridden(runs: Runs, both: Path) -> None:
    source = script(
        "def __init__(self, *args, **kwargs):",
        "    self.begun = 7",
        "    Link.__init__(self, *args, **kwargs)",
        "def on_start(self): self.publish('t', self.begun)",
        "def trade_update(self, src, sym, data): pass",
    )
    assert said(runs(source, replay=both)) == [7]


def test_a_script_may_have_attributes_of_its_own_under_these_names(runs: Runs, both: Path) -> None:
    source = script(
        "health = 'mine'",
        "def on_start(self): self.trades, self.venues = 7, []",
        "def trade_update(self, src, sym, data): self.publish('t', [self.trades, self.venues, self.health])",
    )
    assert said(runs(source, replay=both))[0] == [7, [], "mine"]
