"""A script that has stopped itself: what it wanted is withdrawn, and nobody says that it has caught up."""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path
from typing import Any

import pytest

from cli.bot import host
from cli.bot.jobs import Job, Jobs
from cli.bot.lag import BEHIND, Lag
from cli.bot.plan import BotRequest
from cli.output.lines import Words
from tests.bot.conftest import HEAD
from tests.bot.recordings import BEGIN, SYMBOL, Tick, record_trades
from tests.bot.relaying import BTC, PATIENCE, Running, Said, signal
from venues.redaction import Redactor


def test_what_was_wanted_and_not_sent_is_withdrawn_and_said(relaying: Any) -> None:
    async def scenario() -> Running:
        async with relaying() as relay:
            await relay.wants("0.5", "ETHUSDT")
            relay.forget("nexus", BTC)
            relay.signal(signal("0.5"))
            relay.withdraw("the script has stopped itself", for_good=True)
            relay.live("nexus", BTC)
            await relay.wants("-0.5")
            await relay.close(PATIENCE, hurried=False)
            return relay

    relay = asyncio.run(scenario())
    assert relay.meanings() == ["buy ETHUSDT"]
    (said,) = relay.said_of("withdrawn")
    assert said == (
        f"not sent: nexus:{BTC}: enter long is withdrawn, since the script has stopped itself; nbt has flat"
    )
    assert relay.said_of("not relayed") == [f"not relayed: nexus:{BTC}: the script has stopped itself"]
    assert relay.said_of("still open") == ["still open at nbt, and not closed by us: long nexus:ETHUSDT"]


def test_what_was_to_follow_upon_what_is_under_way_is_withdrawn_and_said(relaying: Any) -> None:
    """Short, nothing, and short again: the hub ends up with nothing, though the last word was short."""
    gate = asyncio.Event()

    async def wait(socket: Any, event: Any) -> bool:
        await gate.wait()
        return False

    async def scenario() -> Running:
        async with relaying() as relay:
            await relay.wants("-0.5")
            relay.hub.on_event = wait
            relay.signal(signal("0"))
            await relay.until(lambda: len(relay.hub.events) == 2)
            relay.signal(signal("-0.7"))
            relay.withdraw("the script has stopped itself", for_good=True)
            gate.set()
            await relay.until(relay._idle.is_set)
            return relay

    relay = asyncio.run(scenario())
    assert relay.meanings() == [f"sell {BTC}", f"buy {BTC}"]
    (said,) = relay.said_of("withdrawn")
    assert said == (
        f"not sent: nexus:{BTC}: enter short is withdrawn, since the script has stopped itself; "
        "nbt has short, and leave short is under way"
    )


def test_what_is_wanted_after_a_withdrawal_that_is_not_for_good_is_sent(relaying: Any) -> None:
    async def scenario() -> Running:
        async with relaying() as relay:
            relay.forget("nexus", BTC)
            relay.signal(signal("0.5"))
            relay.withdraw("the script was loaded anew", for_good=False)
            relay.live("nexus", BTC)
            await relay.wants("-0.5")
            return relay

    assert asyncio.run(scenario()).meanings() == [f"sell {BTC}"]


def test_a_stop_comes_after_what_was_emitted_before_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    heard: list[Any] = []

    class Follower:
        async def open(self, *_: Any) -> None: ...

        async def close(self, patience: float, *, hurried: bool) -> None: ...

        def signal(self, signal: Any, source: Any) -> None:
            heard.append(float(signal.size))

        def withdraw(self, reason: str, *, for_good: bool) -> None:
            heard.append((reason, for_good))

        def trade(self, trade: Any) -> None: ...

        def live(self, src: str, sym: str) -> None: ...

        forget = live

    path = tmp_path / "bot.py"
    path.write_text(
        HEAD + "class Signals(Link):\n"
        "  def trade_update(self, src, sym, data):\n"
        "    self.signal(src, sym, size=0.5)\n"
        "    if data['price'] > 101: self.stop_trading()\n",
        encoding="utf-8",
    )
    ticks = [Tick(BEGIN + step * 1000, str(100 + step), "1") for step in range(5)]
    replay = record_trades(tmp_path / "r.jsonl", ticks)
    request = BotRequest(path, replay=replay, speed=math.inf, output="jsonl")
    asyncio.run(host.Host(request, Words(), Redactor(), followers=[Follower()]).run())  # type: ignore[list-item]
    assert heard == [0.5, 0.5, 0.5, ("the script has stopped itself", True)]
    assert SYMBOL in capfd.readouterr().out


class _Seat:
    stopped = False


class _Runner:
    """In the place of a runner that is far behind."""

    running = None

    def __init__(self) -> None:
        self.jobs = Jobs(keep_all=False)
        self.seats = [_Seat()]
        self.jobs.put(Job("trade", None, 0, time.monotonic() - 2 * BEHIND))


def looked_at(runner: _Runner, becomes: Any) -> list[str]:
    """What is said of it when it is behind, and then something becomes of it."""

    async def looks() -> list[str]:
        voice = Said()
        lag = Lag("bot.py", runner, voice, None)  # type: ignore[arg-type]
        lag.look()
        becomes()
        lag.look()
        return [text.partition(":")[0] for text in voice.texts]

    return asyncio.run(looks())


def test_who_has_done_what_waited_has_caught_up() -> None:
    runner = _Runner()
    behind, caught_up = looked_at(runner, runner.jobs.take)
    assert "behind" in behind
    assert caught_up == "bot.py has caught up"


def test_who_threw_its_queue_away_has_not_caught_up() -> None:
    runner = _Runner()
    (said,) = looked_at(runner, lambda: runner.jobs.close(now=True))
    assert "behind" in said


def test_who_has_stopped_itself_has_not_caught_up() -> None:
    runner = _Runner()

    def stop() -> None:
        runner.seats[0].stopped = True
        runner.jobs.take()

    (said,) = looked_at(runner, stop)
    assert "behind" in said
