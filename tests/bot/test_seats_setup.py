"""What all scripts of a run need before it begins, and what is said and written after it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.bot import seats as module
from cli.bot.market_data import LEVELS, Candles, MarketName
from cli.bot.plan import AUTO, BotRequest, Plan
from cli.bot.seats import LISTED_WITHIN, Seats
from cli.bot.speech import LogLines
from cli.bot.summary import Costs
from cli.bot.timing.earlier import Wanted
from cli.bot.timing.turns import TurnLock
from tests.bot.test_seats import A, Made, Voice, answering, in_a_loop, nothing
from venues import venue_named
from venues.errors import MonError, SetupError, UsageError
from venues.records import Instrument
from venues.venue import Now, Subscription

B = MarketName("nexus", "B")
W = MarketName("woox", "A")
NOW = Now(5.0, 5_000)


class Bot:
    """A script as far as it is asked what it wants."""

    def __init__(self, name: str = "a.py", **given: Any) -> None:
        self.name = name
        self.callbacks: dict[str, Any] = {}
        self.routes: dict[Any, Any] = {}
        self.schedules: list[Any] = []
        self.wants_markets = True
        self.asks_instruments = False
        self.emits_signals = False
        self.remarks: list[str] = []
        self.made_levels: list[str] = []
        vars(self).update(given)

    def levels(self) -> list[str]:
        return self.made_levels


def made(*bots: Bot, **given: Any) -> Made:
    """The places of these scripts, which are loaded."""
    found = Made(*(f"{number}" for number in range(len(bots))), **given)
    for seat, bot in zip(found.all, bots, strict=True):
        seat.bot = bot
    return found


def plan(venue: str, *symbols: str, **given: Any) -> Plan:
    return Plan(venue_named(venue), list(symbols), **given)


def lines_of(logger: logging.Logger) -> int:
    """How often what is logged is said."""
    return sum(isinstance(one, LogLines) for one in logger.handlers)


# --- at the beginning


@pytest.mark.parametrize(("recorded_at", "now"), [(None, 0), (0, 0), (7, 7_000_000)])
def test_the_time_of_a_replay_begins_where_the_recording_does(recorded_at: int | None, now: int) -> None:
    def test() -> None:
        seats = Seats(
            BotRequest(Path("a.py"), replay=Path("r.jsonl")), Voice(), recorded_at=recorded_at, emit=nothing,  # type: ignore[arg-type]
            put_status=nothing, send=nothing, on_room=nothing, on_stopped=nothing, on_all_stopped=nothing,  # type: ignore[arg-type]
        )  # fmt: skip
        assert seats._time.epoch_ns() == now

    in_a_loop(test)


def test_only_a_replay_has_one_thread_for_all_and_stand_ins() -> None:
    def test() -> None:
        live, replay = Made("a", "b"), Made("a", "b", replay=Path("r.jsonl"))
        assert ([len(one.seats) for one in live.runners], live.seats._stand_ins) == ([1, 1], None)
        assert [len(one.seats) for one in replay.runners] == [2]
        assert replay.seats._stand_ins is not None
        assert (live.seats.watched, live.seats.for_summary, live.seats.ended.is_set()) == (set(), set(), False)

    in_a_loop(test)


@pytest.mark.parametrize(
    ("quiet", "verbose", "level"),
    [
        (False, False, logging.INFO),
        (False, True, logging.DEBUG),
        (True, False, logging.ERROR),
        (True, True, logging.ERROR),
    ],
)
@pytest.mark.parametrize("replay", [None, Path("r.jsonl")])
def test_what_is_started_ends_with_the_run(
    replay: Path | None, quiet: bool, verbose: bool, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(module, "Lag", lambda *given: SimpleNamespace(look=lambda: looked.append(given)))
    monkeypatch.setattr("cli.bot.runner.Runner.start", lambda runner: looked.append((runner,)))

    def test() -> None:
        made = Made("a", "b", quiet=quiet, verbose=verbose, replay=replay)
        with contextlib.ExitStack() as stack:
            made.seats.start(stack, "pace")  # type: ignore[arg-type]
            for seat, name in zip(made.all, "ab", strict=True):
                assert (seat.logger.name, seat.logger.level, seat.logger.propagate) == (f"mon.bot.{name}", level, False)
                assert lines_of(seat.logger) == 1
            names = ["a.py", "b.py"] if replay is None else ["a.py, b.py"]
            assert looked == [
                one
                for runner, name in zip(made.runners, names, strict=True)
                for one in ((runner,), (name, runner, made.voice, "pace"))
            ]
            if made.seats._time.turns is not None:
                made.seats._time.turns.runner_is()
                assert isinstance(module.threading.Lock(), TurnLock)
            assert not made.seats._time.over
        assert made.seats._time.over
        assert not isinstance(module.threading.Lock(), TurnLock)
        assert [lines_of(seat.logger) for seat in made.all] == [0, 0]

    in_a_loop(test)


@pytest.mark.parametrize(
    ("replay", "reload", "prepares", "fresh"),
    [
        (None, False, None, None),
        (None, True, "_as_it_is", True),
        (Path("r.jsonl"), False, "give", False),
        (Path("r.jsonl"), True, "give", True),
    ],
)
def test_the_modules_of_a_script_are_found_by_us_where_pythons_way_will_not_do(
    replay: Path | None, reload: bool, prepares: str | None, fresh: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_of: list[tuple[str, str, bool]] = []

    def own_modules(folder: str, prepare: Any, *, fresh: bool) -> str:
        made_of.append((folder, prepare.__name__, fresh))
        return "own"

    monkeypatch.setattr("cli.bot.own.finder.OwnModules", own_modules)

    def test() -> None:
        found = Made("a", replay=replay, reload=reload)
        file = Path("folder") / "a.py"
        own = found.seats._own_modules(file)
        assert own == (None if prepares is None else "own")
        assert made_of == ([] if prepares is None else [(str(Path("folder").resolve()), prepares, fresh)])
        assert found.seats._own == ({} if prepares is None else {file: "own"})
        assert module._as_it_is(module) is None

    in_a_loop(test)


@pytest.mark.parametrize("reload", [False, True])
def test_each_script_is_loaded_in_its_thread_with_its_settings(reload: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []

    def load(file: Path, link: str, settings: Any, own: Any) -> Bot:
        return Bot(file.name, remarks=[f"{file} {link} {settings}"])

    @contextlib.contextmanager
    def hosted(file: Path, made: Any, own: Any) -> Any:
        yield f"home of {made}"
        ended.append(file.name)

    monkeypatch.setattr(module, "load", load)
    monkeypatch.setattr(module, "hosted", hosted)
    monkeypatch.setattr(
        module, "module_for", lambda seat, logger, cron: (f"{type(seat).__name__} {logger}", f"link {cron == cron}")
    )

    async def test() -> None:
        found = Made("a", "b", reload=reload, settings={Path("b.py"): {"period": "9"}})
        monkeypatch.setattr(found.seats, "_own_modules", lambda file: None)
        for number, seat in enumerate(found.all):
            seat.logger = f"logger {number}"
            answering(found, number)
        with contextlib.ExitStack() as stack:
            assert await found.seats.load(stack)
            assert [seat.bot.name for seat in found.all] == ["a.py", "b.py"]
            assert found.voice.said == ["a.py link True None", "b.py link True {'period': '9'}"]
            kind = "Generation" if reload else "Seat"
            assert found.seats._homes == {
                Path(f"{name}.py"): f"home of {kind} logger {number}" for number, name in enumerate("ab")
            }
            assert [seat.generation is not None for seat in found.all] == [reload, reload]
            assert ended == []
        assert ended == ["b.py", "a.py"]
        assert all(seat.generation is None or seat.generation.over.is_set() for seat in found.all)

    asyncio.run(test())


# --- what is opened


def test_each_script_gets_what_it_wants_and_what_any_wants_is_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    quotes = Subscription("quotes", ("A",))
    trades = Subscription("trades", ("A", "B"))
    planned = {
        "0.py": [plan("nexus", "A", subscriptions=[quotes], remarks=["a remark"])],
        "1.py": [plan("nexus", "A", "B", subscriptions=[quotes, trades], candles_from="trades")],
    }
    monkeypatch.setattr(module, "plans", lambda bot, markets, recorded: planned[bot.name])

    def test() -> None:
        found = made(Bot("0.py", callbacks={"x": 1}), Bot("1.py", made_levels=["1m"]))
        (opened,) = found.seats.plan([A, B], None)
        assert (opened.symbols, opened.subscriptions) == (["A", "B"], [quotes, trades])
        assert found.seats._opened == {"nexus": opened}
        assert found.seats.watched == {A, B}
        assert found.seats.for_summary == set()
        assert [runner.wants for runner in found.runners] == [{"quotes"}, {"quotes", "trades"}]
        assert [seat.knowledge.markets for seat in found.all] == [[A, B], [A, B]]
        assert [list(seat.candles) for seat in found.all] == [[A], [A, B]]
        assert [seat.knowledge.candles is seat.candles for seat in found.all] == [True, True]
        assert [seat.candles_from for seat in found.all] == [{"nexus": None}, {"nexus": "trades"}]
        assert found.voice.said == ["a remark"]

    in_a_loop(test)


@pytest.mark.parametrize(("stream", "finer"), [("candles", {"5m": "1m"}), ("trades", {})])
def test_candles_are_put_together_from_finer_ones_only_where_they_are_made_of_candles(
    stream: str, finer: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[Any, ...]] = []
    monkeypatch.setattr(module, "Candles", lambda *asked: given.append(asked))
    one = plan("nexus", "A", candles_from=stream, finer={"5m": "1m"})
    monkeypatch.setattr(module, "plans", lambda *asked: [one])

    def test() -> None:
        made(Bot(made_levels=["5m"])).seats.plan([A], None)
        assert given == [(["5m"], finer)]

    in_a_loop(test)


@pytest.mark.parametrize(
    ("given", "markets", "recorded", "said"),
    [
        ({}, [A], False, ["a.py has nothing that is called: no callback and no route"]),
        ({}, [], False, ["a.py has nothing that is called: no callback and no route"]),
        ({"callbacks": {"x": 1}}, [A], False, ["a.py has no callback for a market: it gets no market data"]),
        ({"routes": {"x": 1}}, [A], False, ["a.py has no callback for a market: it gets no market data"]),
        ({"schedules": [1]}, [A], False, ["a.py has no callback for a market: it gets no market data"]),
        ({"schedules": [1]}, [], False, []),
        ({"schedules": [1]}, [A], True, []),
        ({}, [A], True, ["a.py has nothing that is called: no callback and no route"]),
    ],
)
def test_a_script_that_wants_nothing_of_a_market_is_told_what_it_gets(
    given: dict[str, Any], markets: list[MarketName], recorded: bool, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "plans", lambda *asked: [])
    monkeypatch.setattr(module, "plans_of_time", lambda markets, header: [plan("nexus", *(one[1] for one in markets))])
    monkeypatch.setattr(module, "add_prices", nothing)

    def test() -> None:
        found = made(Bot("a.py", wants_markets=False, **given))
        header: Any = "header" if recorded else None
        opened = found.seats.plan(markets, header)
        assert [one.symbols for one in opened] == ([["A"]] if recorded else [])
        assert found.voice.said == said

    in_a_loop(test)


def test_a_script_with_callbacks_for_markets_needs_one() -> None:
    def test() -> None:
        with pytest.raises(UsageError, match=r"a\.py has callbacks for markets: expected --market"):
            made(Bot("a.py")).seats.plan([], None)

    in_a_loop(test)


@pytest.mark.parametrize(("levels", "refused"), [(([], []), True), (([], ["1m"]), False), ((["1m"], []), False)])
def test_history_is_for_scripts_with_candles(
    levels: tuple[list[str], list[str]], refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "plans", lambda *asked: [plan("nexus", "A")])

    def test() -> None:
        found = made(*(Bot(made_levels=each) for each in levels), history=[Path("h")])
        if not refused:
            found.seats.plan([A], None)
            return
        with pytest.raises(UsageError) as error:
            found.seats.plan([A], None)
        assert str(error.value) == "--history is for candles, and 0.py, 1.py has no candle_update_…"

    in_a_loop(test)


@pytest.mark.parametrize("option", ["record", "timeout", "max_age"])
@pytest.mark.parametrize(("has_markets", "is_given"), [(True, True), (False, False), (False, True)])
def test_some_options_are_for_market_data(
    has_markets: bool, is_given: bool, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = [[plan("nexus", "A")], []] if has_markets else [[], []]
    monkeypatch.setattr(module, "plans", lambda *asked: planned.pop())

    def test() -> None:
        found = made(Bot(callbacks={"x": 1}), Bot(callbacks={"x": 1}), **({option: 0} if is_given else {}))
        if has_markets or not is_given:
            found.seats.plan([A], None)
            return
        with pytest.raises(UsageError) as error:
            found.seats.plan([A], None)
        assert str(error.value) == (
            f"--{option.replace('_', '-')} is for market data, and 0.py, 1.py gets none: "
            "it has no callback for a market"
        )

    in_a_loop(test)


@pytest.mark.parametrize(
    ("headers", "quiet", "asked"),
    [((), False, [["header"]]), (("one", "two"), False, [["one", "two"]]), ((), True, [])],
)
def test_a_summary_of_a_recording_gets_the_quotes_that_no_script_asks_for(
    headers: tuple[str, ...], quiet: bool, asked: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    prices: list[list[str]] = []

    def add_prices(opened: list[Plan], of: list[str]) -> None:
        prices.append(list(of))
        opened[0].for_summary.add("quotes")

    monkeypatch.setattr(module, "plans", lambda *given: [plan("nexus", "A"), plan("woox", "A")])
    monkeypatch.setattr(module, "add_prices", add_prices)

    def test() -> None:
        found = made(Bot(), Bot(), replay=Path("r.jsonl"), quiet=quiet)
        found.seats.plan([A, W], "header", headers)  # type: ignore[arg-type]
        assert prices == asked
        names = set() if quiet else {"nexus"}
        assert found.seats.for_summary == names
        assert [set(seat.unquoted) for seat in found.all] == [names, names]
        assert [runner.wants for runner in found.runners] == [set() if quiet else {"quotes"}]

    in_a_loop(test)


@pytest.mark.parametrize(
    ("given", "is_added_up"),
    [
        ({}, True),
        ({"quiet": True}, False),
        ({"once": True}, False),
        ({"quiet": True, "report": Path("r.json")}, True),
        ({"once": True, "report": Path("r.json")}, True),
    ],
)
def test_a_summary_is_added_up_where_somebody_gets_it(given: dict[str, Any], is_added_up: bool) -> None:
    def test() -> None:
        found = Made("a", fee_bps=Decimal(2), slippage_bps=Decimal(3), **given)
        tally = found.seats._tally_for(found.all[0])
        assert (tally is not None) is is_added_up
        if tally is not None:
            assert (tally._name, tally._costs) == ("a", Costs(Decimal(2), Decimal(3)))

    in_a_loop(test)


# --- history


class Filled:
    """What was taken from which file, in the place of its reader."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *broken: str) -> None:
        self.files: list[tuple[str, str | None]] = []
        self.gaps: list[tuple[dict[MarketName, Path], int]] = []

        async def fill(path: Path, candles: Any, say: Callable[[str], None], *, env: str | None) -> list[MarketName]:
            self.files.append((str(path), env))
            if str(path) in broken:
                raise SetupError("it is damaged")
            return list(candles)

        def gaps(latest: dict[MarketName, Path], candles: Any, now_ms: int) -> list[str]:
            self.gaps.append((latest, now_ms))
            return ["a gap"]

        monkeypatch.setattr(module, "history", SimpleNamespace(fill=fill, gaps=gaps))


@pytest.mark.parametrize(("recorded_at", "now_ms"), [(None, 5_000), (0, 0), (7, 7)])
def test_history_is_filled_in_for_each_script_that_has_candles(
    recorded_at: int | None, now_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = Filled(monkeypatch)

    async def test() -> None:
        found = made(Bot(made_levels=["1m"]), Bot(), history=[Path("one"), Path("two")])
        found.seats._recorded_at = recorded_at
        found.seats.label({"woox": None, "nexus": "sim", "jayx": "other"})
        found.all[0].candles = {A: Candles(["1m"], {})}
        await found.seats.fill(NOW)
        assert filled.files == [("one", "sim"), ("two", "sim")]
        assert filled.gaps == [({A: Path("two")}, now_ms), ({}, now_ms)]
        assert found.voice.said == ["a gap", "a gap"]

    asyncio.run(test())


@pytest.mark.parametrize(("replay", "start"), [(None, None), (Path("r.jsonl"), 7)])
def test_history_of_the_folder_is_what_was_recorded_earlier_and_one_that_is_damaged_is_said(
    replay: Path | None, start: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = Filled(monkeypatch, "damaged")
    asked: list[Any] = []

    def earlier(folder: Path, wanted: Any, beside: list[Path]) -> tuple[list[Path], list[str]]:
        asked.append((folder, wanted, beside))
        return [Path("one"), Path("damaged")], ["said"]

    monkeypatch.setattr("cli.bot.timing.earlier.earlier", earlier)

    async def test() -> None:
        found = made(
            Bot(made_levels=["1m", "1h", "5m"]), history=[Path("x"), AUTO], recordings_folder=Path("f"), replay=replay
        )
        found.seats._recorded = None
        found.seats._recorded_at = None if replay is None else 7
        found.seats.label({"nexus": "sim"})
        found.all[0].candles = {A: "candles"}
        await found.seats.fill(NOW)
        now_ms = 5_000 if replay is None else 7
        ((folder, wanted, beside),) = asked
        assert (folder, beside) == (Path("f"), [Path("x"), AUTO, *([] if replay is None else [replay])])
        assert wanted == Wanted([A], now_ms - 360 * LEVELS["1h"], start, {"nexus": "sim"})
        assert filled.files == [("x", "sim"), ("one", "sim"), ("damaged", "sim")]
        assert filled.gaps == [({A: Path("one")}, now_ms)]
        assert found.voice.said == [
            "said", "--history auto leaves out the rest of damaged: it is damaged", "a gap",
        ]  # fmt: skip

    asyncio.run(test())


# --- lists of instruments


def test_lists_are_asked_for_once_a_venue_for_the_scripts_that_look_them_up() -> None:
    class Lists:
        def __init__(self) -> None:
            self.asked: list[tuple[str, float]] = []

        async def of(self, venue: Any, within: float) -> list[Instrument]:
            self.asked.append((venue.name, within))
            if venue.name == "woox":
                raise MonError("it has none")
            return [Instrument(venue="nexus", symbol=symbol, received=1) for symbol in ("A", None)]

    async def test() -> None:
        found = made(Bot(asks_instruments=True), Bot(), Bot(asks_instruments=True))
        for seat in found.all:
            seat.knowledge.markets = [A, W, B]
        lists = Lists()
        await found.seats.list_instruments(lists)  # type: ignore[arg-type]
        assert lists.asked == [("nexus", LISTED_WITHIN), ("woox", LISTED_WITHIN)]
        names = [A, MarketName("nexus", "")]
        assert [list(seat.knowledge.listed) for seat in found.all] == [names, [], names]
        assert found.voice.said == ["self.instruments has nothing of woox: it has none"]

    asyncio.run(test())


@pytest.mark.parametrize(
    ("asks", "markets", "said"), [(True, [A], True), (True, [], False), (False, [A], False), (False, [], False)]
)
def test_a_recording_has_no_lists(asks: bool, markets: list[MarketName], said: bool) -> None:
    async def test() -> None:
        found = made(Bot(asks_instruments=asks), replay=Path("r.jsonl"))
        found.all[0].knowledge.markets = markets
        await found.seats.list_instruments(None)  # type: ignore[arg-type]
        words = "a recording has no lists of instruments: self.instruments has no tick or lot sizes"
        assert found.voice.said == ([words] if said else [])

    asyncio.run(test())


# --- what stands, and what is dropped


def test_what_is_down_is_known_at_once_and_its_quote_is_dropped() -> None:
    def test() -> None:
        found = Made("a", "b")
        dropped: list[tuple[int, MarketName]] = []
        for number, runner in enumerate(found.runners):
            runner.jobs.drop_quote = lambda market, number=number: dropped.append((number, market))
        found.seats.stand(SimpleNamespace(down=[A, B], live=[]))  # type: ignore[arg-type]
        assert found.seats._down == {A, B}
        assert dropped == [(0, A), (1, A), (0, B), (1, B)]
        found.seats.stand(SimpleNamespace(down=[], live=[A]))  # type: ignore[arg-type]
        assert found.seats._down == {B}
        assert len(dropped) == 4

    in_a_loop(test)


def test_the_candles_are_those_of_the_first_script() -> None:
    def test() -> None:
        found = Made("a", "b")
        found.all[0].candles, found.all[1].candles = {A: "of a"}, {A: "of b"}
        assert found.seats.candles(A) == "of a"

    in_a_loop(test)


@pytest.mark.parametrize("now", [False, True])
def test_after_the_end_nothing_is_put_and_what_waits_is_done_or_dropped(now: bool) -> None:
    def test() -> None:
        found = Made("a", "b")
        ends: list[bool] = []
        for runner in found.runners:
            runner.jobs.close = lambda *, now: ends.append(now)
        found.seats.close(now=now)
        assert (ends, found.seats._time.over) == ([now, now], now)

    in_a_loop(test)


def test_only_threads_that_have_ended_are_joined() -> None:
    def test() -> None:
        found = Made("a", "b")
        joined: list[int] = []
        for number, runner in enumerate(found.runners):
            runner.join = lambda number=number: joined.append(number)
        found.runners[1].ended = True
        found.seats.join()
        assert joined == [1]

    in_a_loop(test)
