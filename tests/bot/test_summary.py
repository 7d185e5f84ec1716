"""The summary of a bot's run, against a calculation of its own that shares nothing with it."""

from __future__ import annotations

import errno
import gzip
import json
import os
import random
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cli import main
from cli.bot import report
from cli.bot.market_data import MarketName
from cli.bot.plan import Plan, add_prices
from cli.bot.summary import Costs, MarketSummary, Tally
from tests.bot.conftest import HEAD, Runs
from tests.bot.recordings import BEGIN, MINUTE, SYMBOL, Tick, book, came, frame, opened, record_trades, walk, write
from tests.command import environment, mon
from venues import venue_named
from venues.recording import header_for
from venues.venue import Settings, Subscription

MARKET = MarketName("nexus", "BTC")
Event = tuple[str, int, Any]  # what, when (ms), and a price, (bid, ask), or a size with whether it is marked


def tally(events: list[Event], *, fee: str = "0", slippage: str = "0", quoted: bool = False) -> MarketSummary:
    made = Tally("bot", Costs(Decimal(fee), Decimal(slippage)))
    for what, at, value in events:
        if what == "trade":
            made.trade(MARKET, at, Decimal(value))
        elif what == "quote":
            made.quote(MARKET, at, *(None if one is None else Decimal(one) for one in value))
        else:
            size, marked = value
            made.signal(MARKET, at, None if size is None else Decimal(size), marked=marked)
    (one,) = made.summary().markets
    return one


# --- a calculation of its own: money and things, in fractions --------------------------------------------------------


def independent(events: list[Event], *, fee: str = "0", slippage: str = "0", quoted: bool = False) -> dict[str, Any]:
    """Signals of sizes; what is bought is paid from a purse of nothing, and worth what it would bring."""
    costs, worse = Fraction(fee) / 10_000, Fraction(slippage) / 10_000
    purse, things, size = Fraction(0), Fraction(0), Fraction(0)
    wish: Fraction | None = None
    began_with, trips, hits = Fraction(0), 0, 0
    highest = fall = worth = Fraction(0)
    weighted, held_ms = Fraction(0), 0
    last_at = events[0][1]
    for what, at, value in events:
        weighted += abs(size) * (at - last_at)
        held_ms += at - last_at if size else 0
        last_at = at
        if what == "signal":
            wished, marked = value
            wish = None if marked else Fraction(wished)
            continue
        if what in ("begin", "end") or quoted != (what == "quote"):
            continue
        bid, ask = map(Fraction, value if quoted else (value, value))
        if wish is not None and wish != size:
            buys = wish > size
            price = ask * (1 + worse) if buys else bid * (1 - worse)
            steps = [wish] if wish * size >= 0 else [Fraction(0), wish]
            for step in steps:
                moved = things * (step / size - 1) if abs(step) < abs(size) else (step - size) / price
                if not size:
                    began_with = purse
                purse -= moved * price + abs(moved * price) * costs
                things += moved
                size = step
                if not size:
                    trips, hits = trips + 1, hits + (purse > began_with)
        wish = None
        worth = purse + things * (bid if size > 0 else ask)
        highest = max(highest, worth)
        fall = max(fall, highest - worth)
    lasted = events[-1][1] - events[0][1]
    return {
        "return_pct": worth * 100,
        "drawdown_pct": fall * 100,
        "exposure": weighted / lasted,
        "in_position_ms": held_ms,
        "round_trips": trips,
        "hits": hits,
    }


def places(value: Fraction, number: int = report.PLACES) -> Decimal:
    """A fraction rounded half to even, without a decimal context on the way."""
    scaled = value * 10**number
    return Decimal(round(scaled)).scaleb(-number)


def rounded(one: MarketSummary) -> dict[str, Any]:
    quantum = Decimal(1).scaleb(-report.PLACES)
    figures = one.both
    return {
        name: getattr(figures, name).quantize(quantum, ROUND_HALF_EVEN)
        for name in ("return_pct", "drawdown_pct", "exposure")
    } | {name: getattr(figures, name) for name in ("in_position_ms", "round_trips", "hits")}


def expected(events: list[Event], **options: Any) -> dict[str, Any]:
    found = independent(events, **options)
    return {name: places(value) if isinstance(value, Fraction) else value for name, value in found.items()}


def drawn(seed: int, *, quoted: bool) -> list[Event]:
    """Prices and signals in any order; some signals are marked."""
    draw = random.Random(seed)
    at, price = 1_000, 10_000
    events: list[Event] = []
    for _ in range(draw.randint(3, 300)):
        at += draw.randint(0, 5_000)
        if draw.random() < 0.3:
            size = draw.choice(["0", "1", "-1", "0.5", "-0.5", "0.3", "-0.25", "0.75", "0.125"])
            events.append(("signal", at, (size, draw.random() < 0.1)))
            continue
        price = max(100, price + draw.randint(-300, 300))
        if quoted:
            events.append(("quote", at, (f"{price / 100:.2f}", f"{(price + draw.randint(0, 50)) / 100:.2f}")))
        if not quoted or draw.random() < 0.3:
            events.append(("trade", at, f"{price / 100:.2f}"))
    return [("trade", 0, "100"), *events, ("trade", at + 1, "100")]


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("costs", [("0", "0"), ("5", "0"), ("7.5", "12.25")])
@pytest.mark.parametrize("seed", range(40))
def test_figures_equal_those_of_another_calculation(seed: int, costs: tuple[str, str], quoted: bool) -> None:
    events = drawn(seed, quoted=quoted)
    options = {"fee": costs[0], "slippage": costs[1], "quoted": quoted}
    assert rounded(tally(events, **options)) == expected(events, **options)


# --- by hand ---------------------------------------------------------------------------------------------------------


def test_a_round_trip_of_half_the_notional() -> None:
    one = tally(
        [
            ("trade", 0, "90"),
            ("signal", 0, ("0.5", False)),
            ("trade", 1_000, "100"),
            ("signal", 1_000, ("0", False)),
            ("trade", 3_000, "110"),
            ("trade", 4_000, "500"),
        ]
    )
    assert one.both.return_pct == 5
    assert (one.both.round_trips, one.both.hits, one.both.hit_rate_pct) == (1, 1, 100)
    assert one.both.in_position_ms == 2_000
    assert one.both.exposure == Decimal("0.25")
    assert one.sides["long"].return_pct == 5
    assert one.sides["short"].return_pct == 0
    assert one.open_size == 0


def test_a_turn_closes_and_opens_at_one_price_and_each_side_has_its_own() -> None:
    one = tally(
        [
            ("signal", 0, ("1", False)),
            ("trade", 0, "100"),
            ("signal", 10, ("-0.5", False)),
            ("trade", 20, "110"),
            ("trade", 30, "121"),
        ]
    )
    assert one.sides["long"].return_pct == 10
    assert round(one.sides["short"].return_pct, 20) == -5
    assert round(one.both.return_pct, 20) == 5
    assert round(one.both.drawdown_pct, 20) == 5
    assert one.open_size == Decimal("-0.5")


def test_a_buy_pays_the_ask_and_a_sale_gets_the_bid() -> None:
    one = tally(
        [
            ("quote", 0, ("1", "2")),
            ("signal", 0, ("1", False)),
            ("quote", 1, ("99", "100")),
            ("signal", 1, ("0", False)),
            ("trade", 2, "1000"),
            ("quote", 3, ("104", "120")),
        ],
        quoted=True,
    )
    assert one.both.return_pct == 4


def test_a_quote_without_the_side_that_is_needed_fills_nothing() -> None:
    one = tally([("signal", 0, ("1", False)), ("quote", 1, ("5", None)), ("quote", 2, ("99", "100"))], quoted=True)
    assert one.both.return_pct == -1


@pytest.mark.parametrize("price", ["7", "65000.13", "0.07", "13"])
def test_a_round_trip_that_gained_nothing_is_no_hit(price: str) -> None:
    """Also where what was bought is no round number of things."""
    events: list[Event] = []
    for number, size in enumerate(["1", "0", "0.9", "0", "0.3", "0", "0.333333333333", "0.1", "0", "-0.9", "0"]):
        events += [("signal", number, (size, False)), ("trade", number, price)]
    one = tally(events)
    assert (one.both.round_trips, one.both.hits, round(one.both.return_pct, 20)) == (5, 0, 0)


def test_a_turn_is_one_moment_of_the_curve() -> None:
    """What opening costs is not a fall from a height at which the return never was."""
    events: list[Event] = [
        ("signal", 0, ("1", False)),
        ("trade", 0, "100"),
        ("signal", 1, ("-1", False)),
        ("trade", 1, "120"),
        ("trade", 2, "114"),
    ]
    one = tally(events, fee="100")
    assert [point.at for point in one.curve] == [0, 1, 2]
    assert one.both.drawdown_pct == 1  # at the beginning, the fee; the turn's are paid out of what was gained
    assert round(one.sides["short"].drawdown_pct, 20) == 1


def test_what_is_held_is_worth_the_last_price_of_its_side() -> None:
    """A quote without a bid says nothing new of what selling brings."""
    one = tally(
        [
            ("signal", 0, ("0.5", False)),
            ("quote", 0, ("100", "100")),
            ("quote", 1, ("120", "121")),
            ("signal", 1, ("1", False)),
            ("quote", 2, (None, "125")),
        ],
        quoted=True,
    )
    assert one.both.return_pct == Decimal("8")  # 0.005 x 120 - 0.5, and 0.004 x 120 - 0.5


def test_of_two_signals_before_a_price_the_first_is_missed() -> None:
    one = tally([("signal", 0, ("1", False)), ("signal", 0, ("-1", False)), ("trade", 1, "100"), ("trade", 2, "90")])
    assert one.sides["long"].missed == 1
    assert one.sides["long"].return_pct == 0
    assert one.sides["short"].return_pct == 10


def test_a_signal_that_no_price_follows_is_missed() -> None:
    one = tally([("trade", 0, "100"), ("signal", 1, ("1", False))])
    assert (one.both.missed, one.open_size) == (1, 0)


def test_a_marked_signal_is_not_filled_and_takes_back_the_wish_before_it() -> None:
    one = tally([("signal", 0, ("1", False)), ("signal", 0, ("0.5", True)), ("trade", 1, "100")])
    assert (one.both.marked, one.both.missed, one.open_size) == (1, 1, 0)


def test_the_same_signal_again_is_nothing_new() -> None:
    one = tally([("signal", 0, ("1", False)), ("signal", 0, ("1.0", False)), ("trade", 1, "100"), ("trade", 2, "110")])
    assert (one.both.signals, one.both.missed, one.both.return_pct) == (2, 0, 10)


# --- through a run -----------------------------------------------------------------------------------------------


FOLLOWS = (
    HEAD + "class Signals(Link):\n    def on_start(self):\n        self.last = None\n"
    "    def trade_update(self, src, sym, data):\n"
    "        if self.last is not None and data['price'] != self.last:\n"
    "            self.signal(src, sym, size=0.5 if data['price'] > self.last else -0.25)\n"
    "        self.last = data['price']\n"
)


def run_events(signals: list[dict[str, Any]], ticks: list[Tick], begin: int, end: int) -> list[Event]:
    """Each signal after the trade that it came with; `begin` and `end` are the recording's (ms)."""
    said: dict[int, list[Any]] = {}
    for one in signals:
        said.setdefault(one["received"], []).append(one["size"])
    events: list[Event] = [("begin", begin, None)]
    for tick in ticks:
        events.append(("trade", tick.time, tick.price))
        events += [("signal", tick.time, (str(size), False)) for size in said.pop(tick.time, ())]
    assert not said
    return [*events, ("end", end, None)]


def distinct(ticks: list[Tick]) -> list[Tick]:
    """Trades with a time of their own each, so that a signal's time says which trade it came with."""
    return list({tick.time: tick for tick in ticks}.values())


def test_the_report_of_a_replay_equals_the_other_calculation(runs: Runs, tmp_path: Path) -> None:
    ticks = distinct(walk(2_000, seed=3, every_ms=900))
    path = record_trades(tmp_path / "r.jsonl", ticks)
    ran = runs(FOLLOWS, replay=path, report=tmp_path / "report.json", fee_bps=Decimal(5))
    signals = ran.of("signal")
    assert len(signals) > 1_000
    (script,) = json.loads((tmp_path / "report.json").read_text(), parse_float=Decimal)["scripts"]
    (market,) = script["markets"]
    wanted = expected(run_events(signals, ticks, ticks[0].time - 1, ticks[-1].time), fee="5")
    assert {name: market[name] for name in wanted} == wanted
    assert "position signals in" in ran.said
    assert "the price of the next trade" in " ".join(ran.said.split())
    firsts = ("nexus:", "  both", "  long", "  short")
    table = [line for line in ran.said.splitlines() if line.startswith(tuple(f"     {name}" for name in firsts))]
    assert len(table) == 4, ran.said
    assert len(set(map(len, table))) == 1, "numbers end in one column"


def test_no_signal_is_filled_by_the_price_that_its_script_saw(runs: Runs, tmp_path: Path) -> None:
    ticks = [Tick(BEGIN + 1_000 * number, price, "1") for number, price in enumerate(["100", "200", "300", "300"])]
    once = HEAD + (
        "class Signals(Link):\n    def trade_update(self, src, sym, data):\n"
        "        if data['price'] == 200:\n            self.signal(src, sym, size=1)\n"
    )
    runs(once, replay=record_trades(tmp_path / "r.jsonl", ticks), report=tmp_path / "report.json")
    (script,) = json.loads((tmp_path / "report.json").read_text())["scripts"]
    assert script["markets"][0]["return_pct"] == 0
    assert script["markets"][0]["open_size"] == 1


def test_a_replay_lasts_until_the_last_event_also_where_that_brings_nothing(runs: Runs, tmp_path: Path) -> None:
    ticks = [Tick(BEGIN + 1_000 * number, "100", "1") for number in range(4)]
    events = [*opened(BEGIN - 1_000), *(came(tick.time, frame(tick)) for tick in ticks)]
    other = came(BEGIN + 9_000, frame(Tick(BEGIN, "1", "1"), "SPOT_ETH_USDT"))
    source = HEAD + "class Signals(Link):\n    def trade_update(self, src, sym, data):\n"
    source += "        self.signal(src, sym, size=0.5)\n"
    subscriptions = [{"stream": "trades", "symbols": [symbol]} for symbol in (SYMBOL, "SPOT_ETH_USDT")]
    path = write(tmp_path / "r.jsonl", [*events, {**other, "line": 1}], subscriptions=subscriptions)
    runs(source, f"nexus:{SYMBOL}", replay=path, report=tmp_path / "report.json")
    (script,) = json.loads((tmp_path / "report.json").read_text())["scripts"]
    assert script["end"] == BEGIN + 9_000
    assert script["markets"][0]["in_position_ms"] == 8_000
    assert script["markets"][0]["exposure"] == 0.4


def test_quotes_fill_where_the_script_takes_quotes(runs: Runs, tmp_path: Path) -> None:
    frames = [book(BEGIN + at, bid, ask) for at, (bid, ask) in enumerate([("9", "11"), ("99", "100"), ("110", "111")])]
    events = [*opened(BEGIN), *(came(BEGIN + at, text) for at, text in enumerate(frames))]
    path = write(tmp_path / "r.jsonl", events, streams=("quotes",))
    source = HEAD + (
        "class Signals(Link):\n    def quote_update(self, src, sym, data):\n        self.signal(src, sym, size=1)\n"
    )
    runs(source, replay=path, report=tmp_path / "report.json")
    (script,) = json.loads((tmp_path / "report.json").read_text())["scripts"]
    assert script["markets"][0]["return_pct"] == 10
    assert script["markets"][0]["filled_by"] == "first quote after"


ETH = "SPOT_ETH_USDT"
LOOKS = HEAD + (
    "class Signals(Link):\n    def trade_update(self, src, sym, data):\n"
    "        self.signal(src, sym, size=1)\n"
    "        self.publish('known', getattr(self, 'quo' + 'tes'))\n"
)


def with_quotes(path: Path, *, of_eth: bool) -> Path:
    """A trade, a quote, another trade; the connection of the quotes dies before the last. Of ETH maybe no quotes."""
    events: list[dict[str, Any]] = []
    wanted = [(SYMBOL, "trades"), (ETH, "trades"), (SYMBOL, "quotes"), *([(ETH, "quotes")] if of_eth else [])]
    for symbol, prices in ((SYMBOL, ("99", "100", "110", "111")), (ETH, ("9", "10", "11", "12"))):
        bid, ask, later_bid, later_ask = prices
        line = 0 if symbol == SYMBOL else 1
        frames = [frame(Tick(BEGIN, "50", "1"), symbol), frame(Tick(BEGIN + 3, "70", "1"), symbol)]
        quotes = [book(BEGIN + 1, bid, ask, symbol), book(BEGIN + 4, later_bid, later_ask, symbol)]
        events += [{**event, "line": line} for event in opened(BEGIN)]
        events += [{**came(BEGIN + at, text), "line": line} for at, text in zip((0, 3), frames, strict=True)]
        if (symbol, "quotes") in wanted:
            events += [{**came(BEGIN + at, text), "line": line} for at, text in zip((1, 4), quotes, strict=True)]
    subscriptions = [{"stream": stream, "symbols": [symbol]} for symbol, stream in wanted]
    return write(path, sorted(events, key=lambda event: event["at"]), subscriptions=subscriptions)


@pytest.mark.parametrize("of_eth", [True, False])
def test_quotes_of_a_recording_fill_also_what_a_script_makes_of_trades(
    runs: Runs, tmp_path: Path, of_eth: bool
) -> None:
    """Of each market that has any. What the script sees is the same as without a summary."""
    path, file = with_quotes(tmp_path / "r.jsonl", of_eth=of_eth), tmp_path / "report.json"
    ran = runs(LOOKS, replay=path, report=file)
    assert ran.code == 0, ran.said
    markets = json.loads(file.read_text(), parse_float=Decimal)["scripts"][0]["markets"]
    found = {one["symbol"]: (one["filled_by"], one["return_pct"]) for one in markets}
    eth = ("first quote after", 10) if of_eth else ("next trade", 0)
    assert found == {SYMBOL: ("first quote after", 10), ETH: eth}
    assert runs(LOOKS, replay=path, quiet=True).records == ran.records
    assert [one["data"] for one in ran.of("message")] == [{}] * 4
    assert not any(one.get("extra") for one in ran.of("signal"))


def test_what_is_wrong_with_quotes_for_the_summary_is_no_matter_of_the_script(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crossed book makes them stale; what the script makes of trades is as good as ever."""
    shown: list[str] = []
    monkeypatch.setattr("cli.bot.outlet.Outlet.show", lambda _, state: shown.append(state))
    at = BEGIN + MINUTE
    events = [
        *opened(at),
        came(at + 1, book(at + 1, "99", "100")),
        came(at + 2, frame(Tick(at + 2, "50", "1"))),
        came(at + 3, book(at + 3, "120", "90")),
        came(at + 4, frame(Tick(at + 4, "51", "1"))),
        came(at + 5, book(at + 5, "110", "111")),
    ]
    path = write(tmp_path / "r.jsonl", events, streams=("trades", "quotes"))
    ran = runs(LOOKS, replay=path, report=tmp_path / "report.json", max_age=60_000)
    assert [one.get("extra") for one in ran.of("signal")] == [None, None]
    assert (ran.of("status"), "stale" in ran.said, shown[-1]) == ([], False, "live")
    assert runs(LOOKS, replay=path, quiet=True, max_age=60_000).records == ran.records
    old = [*events[:-1], came(at + 90_000, frame(Tick(at + 90_000, "52", "1")))]
    aged = runs(LOOKS, replay=write(tmp_path / "r.jsonl", old, streams=("trades", "quotes")), max_age=60_000)
    assert {one["stream"] for one in aged.of("status")} == {"trades"}


def test_a_recording_may_lack_quotes_that_only_the_summary_takes(runs: Runs, tmp_path: Path) -> None:
    def of_kraken(name: str, at: int, symbol: str, *streams: str) -> Path:
        subscriptions = [{"stream": stream, "symbols": [symbol]} for stream in streams]
        path, url = tmp_path / name, "wss://kraken.example"
        return write(path, opened(at), subscriptions=subscriptions, venue="kraken", url=url)

    files = [
        of_kraken("1.jsonl", BEGIN, "BTC/USD", "trades", "quotes"),
        of_kraken("2.jsonl", BEGIN + MINUTE, "ETH/USD", "trades"),
    ]
    ran = runs(LOOKS, replay=files[0], then=files[1:])
    assert ran.code == 0, ran.problem


def test_of_several_recordings_quotes_fill_where_each_has_them() -> None:
    """Where one has none, signals would have no price for as long as it lasts."""
    btc, eth = "spot.btc_usdt", "spot.eth_usdt"
    trades = [Subscription("trades", (symbol,)) for symbol in (btc, eth)]

    def added(*recordings: list[Subscription]) -> set[str]:
        plan = Plan(venue_named("b2trader"), [btc, eth], list(trades))
        add_prices([plan], [header_for("b2trader", Settings(url=""), one) for one in recordings])
        new = [one for one in plan.subscriptions if one not in trades]
        assert plan.for_summary == ({"quotes"} if new else set())
        return {f"{one.stream} {symbol}" for one in new for symbol in one.symbols}

    both = [*trades, Subscription("quotes", (btc, eth))]
    one = [*trades, Subscription("quotes", (btc,))]
    assert added(both) == {f"quotes {btc}", f"quotes {eth}"}
    assert added(both, one) == {f"quotes {btc}"}
    assert added(one, trades[:1]) == set()
    assert added(both, trades[:1]) == {f"quotes {eth}"}
    assert added(trades) == set()


def test_the_summary_fits_into_80_columns(runs: Runs, tmp_path: Path) -> None:
    ran = runs(LOOKS, replay=with_quotes(tmp_path / "r.jsonl", of_eth=False), fee_bps=Decimal("7.25"))
    summary = ran.said[ran.said.index("mon: bot: 4 position signals") :]
    assert "or the price of the next trade" in " ".join(summary.split())
    assert max(map(len, summary.splitlines())) <= 80


def test_exceptions_are_counted(runs: Runs, tmp_path: Path) -> None:
    ticks = [Tick(BEGIN + number, "100", "1") for number in range(3)]
    source = HEAD + "class Signals(Link):\n    def trade_update(self, src, sym, data):\n        raise KeyError\n"
    runs(source, replay=record_trades(tmp_path / "r.jsonl", ticks), report=tmp_path / "report.json")
    (script,) = json.loads((tmp_path / "report.json").read_text())["scripts"]
    assert script["exceptions"] == 3
    assert script["markets"][0]["exceptions"] == 3


def test_quiet_says_no_summary_and_still_writes_the_report(runs: Runs, tmp_path: Path) -> None:
    path = record_trades(tmp_path / "r.jsonl", walk(5, seed=1, every_ms=900))
    ran = runs(FOLLOWS, replay=path, report=tmp_path / "report.json", quiet=True)
    assert ran.said == ""
    assert (tmp_path / "report.json").stat().st_mode & 0o777 == 0o600


def test_a_report_is_replaced_as_a_whole(runs: Runs, tmp_path: Path) -> None:
    path = record_trades(tmp_path / "r.jsonl", walk(5, seed=1, every_ms=900))
    (tmp_path / "report.json").write_text("x" * 1_000_000)
    runs(FOLLOWS, replay=path, report=tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text())["type"] == "bot_report"
    assert sorted(one.name for one in tmp_path.iterdir() if "report" in one.name) == ["report.json"]


def test_a_report_that_cannot_be_written_is_an_error_before_the_run(runs: Runs, tmp_path: Path) -> None:
    path = record_trades(tmp_path / "r.jsonl", walk(5, seed=1, every_ms=900))
    ran = runs(FOLLOWS, replay=path, report=tmp_path / "nowhere" / "report.json")
    assert (ran.code, ran.records) == (3, [])
    assert "cannot write the report" in str(ran.problem)
    assert "expected a folder that is there" in str(ran.problem)


@pytest.mark.parametrize("name", ["/dev/null", "folder", "pipe", "link-to-pipe"])
def test_a_report_takes_the_place_of_a_file_only(runs: Runs, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link-to-pipe").symlink_to(tmp_path / "pipe")
    path = record_trades(tmp_path / "r.jsonl", walk(5, seed=1, every_ms=900))
    before = os.stat(tmp_path / name)
    ran = runs(FOLLOWS, replay=path, report=tmp_path / name)
    assert (ran.code, ran.records) == (2, [])
    assert f"expected a file as --report, which is replaced as a whole, got {tmp_path / name}" in str(ran.problem)
    assert os.stat(tmp_path / name).st_ino == before.st_ino


@pytest.mark.parametrize("there", [True, False])
def test_a_report_behind_a_link_is_replaced_and_the_link_stays(runs: Runs, tmp_path: Path, there: bool) -> None:
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "r.json"
    if there:
        target.write_text("x")
    link = tmp_path / "report.json"
    link.symlink_to(target)
    runs(FOLLOWS, replay=record_trades(tmp_path / "r.jsonl", walk(5, seed=1, every_ms=900)), report=link)
    assert link.is_symlink()
    assert json.loads(target.read_text())["type"] == "bot_report"
    assert [one.name for one in target.parent.iterdir()] == ["r.json"]


def test_a_report_for_which_the_disk_is_full_leaves_the_one_before(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What there is to say is said all the same."""
    path = record_trades(tmp_path / "r.jsonl", walk(50, seed=1, every_ms=900))
    (tmp_path / "report.json").write_text("before")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("cli.settings.whole_files.os.replace", full)
    ran = runs(FOLLOWS, replay=path, report=tmp_path / "report.json")
    assert ran.code == 3
    assert str(ran.problem) == f"cannot write the report {tmp_path / 'report.json'}: No space left on device"
    assert "position signals in" in ran.said
    assert (tmp_path / "report.json").read_text() == "before"
    assert not list(tmp_path.glob("*.part"))


def test_a_report_and_a_recording_are_two_files(runs: Runs, tmp_path: Path) -> None:
    file = tmp_path / "same.jsonl"
    ran = runs(FOLLOWS, f"nexus:{SYMBOL}", env="sim", record=file, report=tmp_path / "." / "same.jsonl")
    assert ran.code == 2
    assert "expected two files as --record and --report" in str(ran.problem)
    assert not file.exists()


def test_a_report_is_not_the_file_of_what_is_held(runs: Runs, tmp_path: Path) -> None:
    """Also where neither is there yet."""
    file = tmp_path / "held.json"
    ran = runs(FOLLOWS, f"nexus:{SYMBOL}", env="sim", held_file=file, report=file)
    assert ran.code == 2
    assert "would take the place of a file that is read" in str(ran.problem)


def test_a_report_never_takes_the_place_of_what_is_read(runs: Runs, tmp_path: Path) -> None:
    path = record_trades(tmp_path / "r.jsonl", walk(5, seed=1, every_ms=900))
    ran = runs(FOLLOWS, replay=path, report=path)
    assert ran.code == 2


@pytest.mark.parametrize("text", ["-1", "x", "1e99", "10001", "NaN", ""])
def test_costs_that_are_none_are_usage_errors(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main.run(["bot", "run", "x.py", f"--fee-bps={text}"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "--fee-bps" in err


def test_the_readmes_example_equals_the_other_calculation_to_the_last_digit(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    source = next(part for part in readme.split("```python\n")[1:] if part.startswith("# rsi.py")).partition("```")[0]
    (tmp_path / "rsi.py").write_text(source, encoding="utf-8")
    env = environment(tmp_path)
    tape, file = str(tmp_path / "two-days.jsonl.gz"), str(tmp_path / "rsi.json")
    assert mon("sim", "--trades", "2d", "--seed", "7", "--out", tape, env=env).returncode == 0
    replay = ("--replay", tape, "--speed", "max")
    ran = mon("bot", "run", str(tmp_path / "rsi.py"), *replay, "--fee-bps", "5", "--report", file, env=env)
    trades = [
        Tick(one["received"], one["price"], "1")
        for one in map(partial(json.loads, parse_float=str, parse_int=int), lines_of("trades", *replay, env=env))
    ]
    signals = [json.loads(line, parse_float=str) for line in ran.stdout.splitlines()]
    signals = [one for one in signals if one["type"] == "signal"]
    first = signals[0]["received"]
    assert [trade.time for trade in trades].count(first) == 1, "the signal could be of either trade"
    with gzip.open(tape) as recording:
        _, first_event, *_, last_event = map(json.loads, recording.readlines())
    wanted = expected(run_events(signals, trades, first_event["at"], last_event["at"]), fee="5")
    (script,) = json.loads(Path(file).read_text(), parse_float=Decimal)["scripts"]
    (market,) = script["markets"]
    assert {name: market[name] for name in wanted} == wanted


def lines_of(stream: str, *options: str, env: dict[str, str]) -> list[str]:
    ran = mon(stream, "nexus", "SPOT_BTC_USDT", *options, env=env)
    return [line for line in ran.stdout.splitlines() if '"type":"trade"' in line]
