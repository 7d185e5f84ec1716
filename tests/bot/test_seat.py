"""One script at its place, in this process: what it emits, with which marks, what it is called with, what is told."""

from __future__ import annotations

import json
import logging
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli.bot import seat as seats
from cli.bot.jobs import Job, Told
from cli.bot.market_data import Candles, MarketName
from cli.bot.script import Bot
from cli.bot.seat import BEHIND_MS, Running, ScriptStop, Seat, called
from cli.bot.summary import Costs, Tally
from cli.bot.timing.script_time import ScriptTime
from venues.records import Candle, Message, Quote, Signal, State, Status, Trade

A, B = MarketName("nexus", "A"), MarketName("jayx", "B")
AT = 1_700_000_040_000  # epoch ms, the begin of a minute
ONE = Decimal(1)


class Time(ScriptTime):
    """Stands still."""

    def __init__(self, *, recorded: bool = False) -> None:
        super().__init__()
        self._recorded = recorded
        self.calls: list[str] = []
        self.started: list[Any] = []

    @property
    def recorded(self) -> bool:
        return self._recorded

    def epoch_ns(self) -> int:
        return AT * 1_000_000 + 999_999

    def looked(self) -> None:
        self.calls.append("looked")

    def emits(self) -> None:
        self.calls.append("emits")

    def start(self, name: str, run: Any, head_start: float = 0.0, *, begun: Any = None) -> None:
        self.started.append((name, head_start, begun))
        run()


class Voice:
    def __init__(self) -> None:
        self.said: list[str] = []

    def error(self, text: str) -> None:
        self.said.append(text)

    def seldom(self, kind: str, text: str) -> None:
        self.said.append(f"{kind}: {text}")

    def fault(self, error: BaseException, where: str, name: str) -> None:
        self.said.append(f"{type(error).__name__} in {where} of {name}")


class Made:
    """A seat, and what came of it."""

    def __init__(self, *, recorded: bool = False, strategy: str | None = None, **callbacks: Any) -> None:
        self.voice, self.time = Voice(), Time(recorded=recorded)
        self.put: list[Any] = []
        self.frames: list[Any] = []
        self.stops: list[str] = []
        self.down: set[MarketName] = set()
        self.heard: list[Any] = []
        self.logged: list[str] = []
        self.seat = Seat(
            Path("x.py"),
            self.time,
            self.down,
            self.voice,  # type: ignore[arg-type]
            put=lambda *given: self.put.append(given),
            send=lambda frame: self.frames.append(json.loads(frame)),
            on_stop=lambda: self.stops.append("stopped"),
            strategy=strategy,
        )
        self.seat.bot = Bot("x.py", callbacks, {})
        self.seat.candles = {A: Candles([]), B: Candles([])}
        self.seat.tally = Tally("x", Costs())
        self.seat.labels = {"nexus": None, "jayx": "sim"}
        logger = logging.Logger("test")
        handler = logging.Handler()
        handler.emit = lambda record: self.logged.append(record.getMessage())  # type: ignore[method-assign]
        logger.addHandler(handler)
        self.seat.logger = logger

    def do(self, what: str, record: Any = None, market: MarketName | None = None, mono: float = 0.0) -> None:
        self.seat.do(Job(what, record, AT, mono, market))


def trade(market: MarketName = A, **more: Any) -> Trade:
    given = {"venue": market.venue, "symbol": market.symbol, "received": AT, "price": ONE, "size": ONE, "side": "buy"}
    return Trade(**{**given, **more})


def quote(market: MarketName = A, **more: Any) -> Quote:
    given = {"venue": market.venue, "symbol": market.symbol, "received": AT, "bid_price": ONE, "ask_price": ONE}
    return Quote(**{**given, **more})


# --- what it emits


@pytest.mark.parametrize(
    ("src", "env", "size", "side"),
    [("nexus", None, 0.5, "long"), ("jayx", "sim", -0.25, "short"), ("kraken", "sim", 0, None)],
)
def test_a_signal_of_its_own_thread_is_whole(src: str, env: str | None, size: float, side: str | None) -> None:
    made = Made(strategy="rsi")
    made.seat.signal(src, "S", {"size": size})
    ((record, source),) = made.put
    assert source is None
    assert record == Signal(
        venue=src, env=env, symbol="S", received=AT, name="signal", side=side, size=Decimal(str(size)), strategy="rsi"
    )  # fmt: skip
    assert made.time.calls == ["emits"]


def test_a_signal_that_is_none_is_refused() -> None:
    made = Made()
    with pytest.raises(ValueError, match="size"):
        made.seat.signal("nexus", "A", {"size": 7})
    assert (made.put, made.time.calls) == ([], [])


@pytest.mark.parametrize(("strategy", "extra"), [(None, None), ("rsi", {"strategy": "rsi"})])
def test_a_message_is_a_record_and_a_frame(strategy: str | None, extra: Any) -> None:
    made = Made(strategy=strategy)
    made.seat.publish("topic", {"a": (1, 2)})
    ((record, source),) = made.put
    assert (source, made.time.calls) == (None, ["emits"])
    assert record == Message(
        venue="bot", env="sim", received=AT, topic="topic", data={"a": [1, 2]}, extra=extra
    )  # fmt: skip
    assert made.frames == [{"type": "topic", "data": {"a": [1, 2]}, **(extra or {})}]


def test_what_a_callback_emits_rests_on_its_data() -> None:
    made = Made()

    def trade_update(src: str, sym: str, data: Any) -> None:
        made.seat.signal(src, sym, {"size": 1})
        made.seat.publish("t", 1)
        thread = threading.Thread(target=made.seat.publish, args=("beside", 1))
        thread.start()
        thread.join()

    made.seat.bot = Bot("x.py", {"trade_update": trade_update}, {})
    made.do("trade", trade(B, time=AT - 5), B, mono=seats.monotonic())
    (signal, of_signal), (message, of_message), (beside, of_beside) = made.put
    assert (signal.time, signal.env, of_signal) == (AT - 5, "sim", B)
    assert (message.time, message.env, of_message) == (AT - 5, "sim", B)
    assert (beside.time, of_beside) == (None, None), "a thread of its own looks at the time itself"
    made.put.clear()
    made.seat.publish("after", 1)
    assert made.put[0][1] is None


@pytest.mark.parametrize(
    ("down", "market", "stale"),
    [((), A, False), ((A,), A, True), ((B,), A, False), ((B,), MarketName("kraken", "X"), True), ((), None, False)],
)
def test_what_is_emitted_while_a_market_is_down_is_marked(
    down: tuple[MarketName, ...], market: MarketName | None, stale: bool
) -> None:
    """A signal for a market that it does not watch may rest on any."""
    made = Made()
    made.down.update(down)
    if market is None:
        made.seat.publish("t", 1)
    else:
        made.seat.signal(*market, {"size": 1})
    assert made.put[0][0].extra == ({"stale": True} if stale else None)
    assert made.seat.tally is not None
    assert [one.both.marked for one in made.seat.tally.summary().markets] == ([int(stale)] if market else [])


@pytest.mark.parametrize(
    ("recorded", "behind", "marked"),
    [(False, BEHIND_MS, False), (False, BEHIND_MS + 1, True), (True, BEHIND_MS + 1, False)],
)
def test_what_is_made_of_old_data_says_so(
    recorded: bool, behind: int, marked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seats, "monotonic", lambda: 50.0 + behind / 1_000)
    made = Made(recorded=recorded)
    made.seat.bot = Bot("x.py", {"trade_update": lambda *given: made.seat.publish("t", 1)}, {})
    made.do("trade", trade(), A, mono=50.0)
    assert made.put[0][0].extra == ({"behind_ms": behind} if marked else None)


# --- its end


def test_who_has_stopped_itself_emits_nothing_more_and_that_is_told_once() -> None:
    made = Made(trade_update=lambda *given: made.heard.append(given))
    made.seat.stop("enough")
    made.seat.stop("again")
    made.seat.signal("nexus", "A", {"size": 1})
    made.seat.publish("t", 1)
    made.do("trade", trade(), A)
    assert (made.put, made.frames, made.heard, made.stops) == ([], [], [], ["stopped"])
    assert made.voice.said == [
        "x.py has stopped itself: enough",
        "x.py has stopped itself: a signal for nexus:A after that is not emitted, nor what follows",
    ]


def test_a_message_after_the_end_is_told_with_its_topic() -> None:
    made = Made()
    made.seat.stop(None)
    made.seat.publish("news", 1)
    assert made.voice.said == [
        "x.py has stopped itself",
        "x.py has stopped itself: a message on news after that is not emitted, nor what follows",
    ]


def test_what_is_not_done_here_is_told_once_a_name() -> None:
    made = Made()
    for name in ("create_order", "cancel", "create_order"):
        made.seat.out_of_scope(name)
    words = "is of bots that trade themselves: mon does nothing for it"
    assert made.voice.said == [f"x.py: create_order {words}", f"x.py: cancel {words}"]


# --- what it is called with


def test_a_quote_comes_while_its_market_is_live_and_is_not_for_the_summary_alone() -> None:
    made = Made(quote_update=lambda *given: made.heard.append(given))
    data = {"bid": [1.0, 2.0], "ask": [1.0, 3.0], "time": AT}
    one = quote(bid_size=Decimal(2), ask_size=Decimal(3))
    made.do("quote", one, A)
    assert made.heard == [("nexus", "A", data)]
    made.down.add(A)
    made.do("quote", one, A)
    made.down.clear()
    made.seat.unquoted = {"nexus"}
    made.do("quote", one, A)
    assert len(made.heard) == 1
    assert made.seat.knowledge.last_quote("nexus", "A") == data
    made.do("quote", one, MarketName("nexus", "of another script"))
    assert len(made.heard) == 1


def test_the_summary_has_the_prices_of_markets_that_are_live() -> None:
    made = Made()
    tally = made.seat.tally
    assert tally is not None
    made.down.add(A)
    made.do("quote", quote(), A)
    made.do("trade", trade(), A)
    assert tally.summary().markets == []
    made.down.clear()
    made.do("trade", trade(), A)
    made.do("quote", quote(B), B)
    assert [(one.market, one.filled_by) for one in tally.summary().markets] == [(A, "trades"), (B, "quotes")]
    made.seat.tally = None
    made.do("trade", trade(), A)
    made.do("quote", quote(), A)


@pytest.mark.parametrize("candles_from", ["trades", "candles", None])
def test_candles_of_trades_are_called_where_they_are_made_of_them(candles_from: str | None) -> None:
    made = Made(
        trade_update=lambda *given: made.heard.append("trade"),
        candle_update_1m=lambda src, sym, bars: made.heard.append((src, sym, float(bars.closes[-1]))),
    )
    made.seat.candles = {A: Candles(["1m"])}
    made.seat.candles_from = {"nexus": candles_from}
    made.do("trade", trade(), A)
    expected: list[Any] = ["trade", ("nexus", "A", 1.0)] if candles_from == "trades" else ["trade"]
    assert made.heard == expected
    made.do("trade", trade(price=Decimal(5)), A)
    assert made.heard[len(expected) :] == (["trade", ("nexus", "A", 5.0)] if candles_from == "trades" else ["trade"])


@pytest.mark.parametrize("candles_from", ["trades", "candles", None])
def test_whole_candles_are_called_where_these_are_taken(candles_from: str | None) -> None:
    made = Made(candle_update_1m=lambda src, sym, bars: made.heard.append((src, sym, float(bars.closes[-1]))))
    made.seat.candles = {A: Candles(["1m"], {"1m": "1m"})}
    made.seat.candles_from = {"nexus": candles_from}
    one = Candle(
        venue="nexus", symbol="A", received=AT, interval="1m", start=AT, end=AT + 60_000, open=ONE, high=ONE, low=ONE,
        close=ONE, volume=ONE, closed=False, complete=True,
    )  # fmt: skip
    made.do("candle", one, A)
    assert made.heard == ([("nexus", "A", 1.0)] if candles_from == "candles" else [])


# --- faults and slowness


@pytest.mark.parametrize("error", [KeyError("x"), SystemExit(3), KeyboardInterrupt()])
def test_what_a_callback_raises_ends_this_call_only(error: BaseException) -> None:
    def fail(*_: Any) -> None:
        raise error

    made = Made(trade_update=fail, quote_update=lambda *given: made.heard.append("quote"))
    made.do("trade", trade(), A)
    made.do("quote", quote(), A)
    assert made.voice.said == [f"{type(error).__name__} in trade_update of x.py"]
    assert (made.heard, made.seat.running) == (["quote"], None)
    assert made.seat.tally is not None
    found = made.seat.tally.summary()
    assert (found.exceptions, [one.exceptions for one in found.markets]) == (1, [1])


@pytest.mark.parametrize(
    ("recorded", "over", "error", "told"),
    [
        (True, True, SystemExit(), False),
        (True, True, KeyError(), True),
        (True, False, SystemExit(), True),
        (False, True, SystemExit(), True),
    ],
)
def test_the_end_of_a_replay_that_cuts_a_wait_short_is_no_fault(
    recorded: bool, over: bool, error: BaseException, told: bool
) -> None:
    def fail(*_: Any) -> None:
        raise error

    made = Made(recorded=recorded, trade_update=fail)
    if over:
        made.time._ended.set()
    made.do("trade", trade(), A)
    assert len(made.voice.said) == told


@pytest.mark.parametrize(("took", "told"), [(seats.SLOW, False), (0.25, True)])
def test_a_callback_that_takes_long_is_told(took: float, told: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(seats.time, "monotonic", lambda: now[0])

    def slow(*_: Any) -> None:
        now[0] += took

    made = Made(trade_update=slow, candle_update_1m=slow, candle_update_5m=lambda *_: None)
    made.seat.candles, made.seat.candles_from = {A: Candles(["1m", "5m"])}, {"nexus": "trades"}
    made.do("trade", trade(), A)
    assert (
        made.voice.said
        == [
            "slow: x.py: trade_update for nexus:A took 0.25 s",
            "slow: x.py: candle_update_1m for nexus:A took 0.25 s",
        ]
        * told
    )


def test_the_callback_that_runs_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seats.time, "monotonic", lambda: 7.5)
    made = Made()
    found: list[Running | None] = []

    def look(*_: Any) -> None:
        found.append(made.seat.running)

    made.seat.bot = Bot("x.py", {"trade_update": look, "candle_update_1m": look}, {})
    made.seat.candles, made.seat.candles_from = {A: Candles(["1m"])}, {"nexus": "trades"}
    made.do("trade", trade(), A)
    made.seat.in_turn(lambda: look())
    made.seat.in_turn(lambda: look(), "reloading")
    made.seat.bot = None
    made.seat.in_turn(lambda: look())
    assert found == [
        Running("trade_update", A, 7.5),
        Running("candle_update_1m", A, 7.5),
        Running("a webhook", None, 7.5),
        Running("reloading", None, 7.5),
        Running("loading the script", None, 7.5),
    ]
    assert made.seat.running is None


# --- beside the callbacks


def test_what_runs_beside_the_callbacks_is_started_with_its_name() -> None:
    made = Made(on_start=lambda: made.heard.append("started"))
    made.do("start")
    assert made.time.started == [("x.py: on_start", seats.HEAD_START, None)]
    assert made.heard == ["started"]
    assert Made().seat.start() is None  # type: ignore[func-returns-value]


def test_what_runs_beside_them_and_raises_is_told_unless_the_run_is_over() -> None:
    def fail() -> None:
        raise SystemExit(3)

    made = Made(on_start=fail)
    made.do("start")
    assert made.voice.said == ["SystemExit in on_start of x.py"]
    assert made.seat.tally is not None
    assert (made.seat.tally.summary().exceptions, made.seat.tally.summary().markets) == (1, [])
    made.time._ended.set()
    with pytest.raises(SystemExit):
        made.do("start")


# --- how its markets stand


def status(state: State, **more: Any) -> Status:
    return Status(**{"venue": "nexus", "received": AT, "stream": "trades", "state": state, **more})


@pytest.mark.parametrize(
    ("told", "logged"),
    [
        (Told(status("stale", reason="a gap"), down=[A]),
         ["nexus:A is stale: a gap; no quotes until it is live again"]),
        (Told(status("reconnecting"), down=[A, B]),
         ["nexus:A is reconnecting; no quotes until it is live again",
          "jayx:B is reconnecting; no quotes until it is live again"]),
        (Told(status("closed", reason="the end"), down=[A]), ["nexus:A is closed: the end; it gives no more quotes"]),
        (Told(status("live"), live=[A]), ["nexus:A is live again; trades in between may be missing"]),
        (Told(status("live", down_ms=1_500, reason="nothing was missed"), live=[A]),
         ["nexus:A is live again after 1.5 s; nothing was missed"]),
        (Told(status("live", down_ms=1_500), live=[A], by_age=True), ["nexus:A is live again after 1.5 s"]),
        (Told(status("live")), []),
    ],
)  # fmt: skip
def test_a_script_hears_what_it_will_not_get(told: Told, logged: list[str]) -> None:
    made = Made()
    made.do("status", told)
    assert made.logged == logged


class Noted(Candles):
    def __init__(self) -> None:
        super().__init__([])
        self.heard: list[Any] = []

    def down(self, at: int) -> None:
        self.heard.append(("down", at))

    def live(self, at: int) -> None:
        self.heard.append(("live", at))


@pytest.mark.parametrize(
    ("one", "heard"),
    [
        (status("stale"), [("down", AT)]),
        (status("reconnecting"), [("down", AT)]),
        (status("closed"), [("down", AT)]),
        (status("syncing"), []),
        (status("live"), [("live", AT)]),
        (status("live", reason="a note"), [("down", AT), ("live", AT)]),
        (status("live", down_ms=700), [("down", AT - 700), ("live", AT)]),
        (status("stale", stream="quotes"), []),
    ],
)
def test_candles_hear_how_their_stream_stands(one: Status, heard: list[Any]) -> None:
    made = Made()
    mine, other = Noted(), Noted()
    made.seat.candles, made.seat.candles_from = {A: mine, B: other}, {"nexus": "trades", "jayx": "candles"}
    told = Told(one, markets=[A, B, MarketName("nexus", "of another script")], standing=[A])
    made.do("status", told)
    assert (mine.heard, other.heard) == (heard, [])
    made.do("status", told._replace(by_age=True))
    assert mine.heard == heard, "it is the user's own limit: nothing was missed"
    made.seat.knowledge.markets = [A]
    assert made.seat.knowledge.health()["public"][0]["live"] is True


# --- calls in a form that a future can carry


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (KeyError("x"), KeyError, "'x'"),
        (StopIteration(5), ScriptStop, "StopIteration: 5"),
        (SystemExit(3), ScriptStop, "SystemExit: 3"),
        (KeyboardInterrupt(), ScriptStop, "KeyboardInterrupt"),
    ],
)
def test_what_a_call_raises_is_given_back(error: BaseException, kind: type[Exception], text: str) -> None:
    def fail() -> None:
        raise error

    result, raised = called(fail)
    assert result is None
    assert (type(raised), str(raised)) == (kind, text)
    assert raised is error or (raised is not None and raised.__cause__ is error and raised.__traceback__ is not None)
    assert called(lambda: 7) == (7, None)
