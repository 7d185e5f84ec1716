"""A bot's links under faults, small: `python -m tests.faults --venue bot` plays as many seeds as you like.

And each check is seen failing on a deliberate fault.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from cli.bot.hub.positions import HubPositions, Step
from cli.bot.serving import BotServer
from cli.run.sender import Outcome as Sent
from tests.faults import feed_link, leaks, relay_link
from tests.faults.cases import Case, Outcome
from tests.faults.relay_link import WatchedRelay
from tests.faults.schedules import BLACK_HOLE, CUT, REFUSE, RESET, SINGLE_BYTES, TO_CLIENT, Schedule
from tests.faults.schedules import Step as Fault
from venues.records import Signal

NO_FAULT = Fault(0.0, SINGLE_BYTES, 0.1)  # a schedule without any step is played without any calm


def relay_case(*faults: Fault, market: tuple[Fault, ...] = (), **drawn: Any) -> Case:
    made = relay_link.case(1)
    usual = {"refuses": [], "market": Schedule(market).as_json(), "busy": 1.0, "calm": 0.3, "last": 0.5}
    return Case(made.link, made.seed, Schedule(faults), {**usual, **drawn})


def feed_case(*faults: Fault, **drawn: Any) -> Case:
    made = feed_link.case(1)
    return Case(made.link, made.seed, Schedule(faults), {"idle": 0, "guesses": False, "large": 0, **drawn})


def played(work: Any, capfd: pytest.CaptureFixture[str]) -> Outcome:
    before = leaks.Before()
    with capfd.disabled():
        kept = os.dup(1)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)  # where the bot writes its lines
        try:
            outcome: Outcome = asyncio.run(work)
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            os.close(nowhere)
    outcome.findings += before.after()
    return outcome


def found(outcome: Outcome, *words: str) -> None:
    """Whether it has found what it should."""
    for one in words:
        assert any(one in finding for finding in outcome.findings), outcome


# --- the relay


def test_a_relay_under_faults(capfd: pytest.CaptureFixture[str]) -> None:
    case = relay_case(
        Fault(0.3, RESET), Fault(0.3, REFUSE, 0.4), market=(Fault(0.5, CUT), Fault(0.5, REFUSE, 0.3)), calm=2.5
    )
    outcome = played(relay_link.play(case), capfd)
    assert outcome.findings == [], outcome
    assert outcome.records > 3
    assert outcome.interruptions > 0, "the hub got something"


class Deaf(WatchedRelay):
    """It hears neither of marks nor of markets."""

    def signal(self, signal: Signal, source: Any = None) -> None:
        self.watch.on_word(signal)
        super(WatchedRelay, self).signal(_unmarked(signal), source)

    def forget(self, src: str, sym: str) -> None:
        pass


def _unmarked(signal: Signal) -> Signal:
    from msgspec.structs import replace

    return replace(signal, extra=None)


def test_what_is_sent_of_a_market_that_is_down_is_found(capfd: pytest.CaptureFixture[str]) -> None:
    case = relay_case(NO_FAULT, market=(Fault(0.2, RESET), Fault(0.2, REFUSE, 1.5)), calm=2.0)
    outcome = played(relay_link.play(case, Deaf), capfd)
    found(outcome, "the bot's last word is marked {'stale': True}", "while the market is not live")


class Trusting(WatchedRelay):
    """What may have arrived is taken as not sent, and sent again."""

    def _settle(self, step: Step, outcome: Sent) -> None:
        if outcome.sent is None:
            outcome = Sent(False, outcome.error)
        super()._settle(step, outcome)


def test_what_is_sent_twice_is_found(capfd: pytest.CaptureFixture[str]) -> None:
    case = relay_case(Fault(0.2, BLACK_HOLE, 1.0, TO_CLIENT), calm=3.0, busy=2.0)
    found(played(relay_link.play(case, Trusting), capfd), "it was sent twice, or out of order")


class Silent(WatchedRelay):
    """It says little."""

    def _tell_what_waits(self, only: Any = None) -> None:
        pass

    def _say_replaced(self, step: Step) -> None:
        pass


def test_a_difference_that_is_not_said_is_found(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_link, "SAID_WITHIN", 0.1)
    case = relay_case(Fault(0.0, REFUSE, 1.8), calm=0.5)
    found(played(relay_link.play(case, Silent), capfd), "and nothing was said")


class Remembering(WatchedRelay):
    """What a script that has stopped itself wanted is sent all the same."""

    def withdraw(self, reason: str, *, for_good: bool) -> None:
        self.watch.on_withdraw(for_good=for_good)


def test_what_a_script_wanted_that_has_stopped_itself_is_found(capfd: pytest.CaptureFixture[str]) -> None:
    case = relay_case(Fault(0.0, REFUSE, 1.5), calm=0.5, stop=0.3)
    found(played(relay_link.play(case, Remembering), capfd), "before it was loaded anew or has stopped itself")


def test_two_scripts_that_are_saved(capfd: pytest.CaptureFixture[str]) -> None:
    case = relay_case(Fault(0.3, RESET), second=True, saves=[0.2, 0.4], busy=1.5, calm=2.0)
    outcome = played(relay_link.play(case), capfd)
    assert outcome.findings == [], outcome
    assert sum("is loaded anew" in text for text in outcome.told) == 2


class Stubborn(HubPositions):
    """A step that was refused once is never sent again: the hub is left without the last word."""

    def waits(self, step: Step, now: float) -> str | None:
        return "the hub has just refused the same" if step.market in self._refusals else super().waits(step, now)


def test_a_last_word_that_never_arrives_is_found(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.bot.hub.relay.HubPositions", Stubborn)
    monkeypatch.setattr("tests.faults.bots.LIVE_AGAIN", 0.5)
    case = relay_case(NO_FAULT, refuses=[[0.0, 1.3]], calm=0.8, busy=0.5)
    found(played(relay_link.play(case), capfd), "all is calm")


# --- the server


def test_a_server_under_faults(capfd: pytest.CaptureFixture[str]) -> None:
    case = feed_case(
        Fault(0.1, SINGLE_BYTES, 0.4), Fault(0.6, RESET), Fault(0.8, BLACK_HOLE, 0.2), idle=80, guesses=True, large=999
    )
    outcome = played(feed_link.play(case), capfd)
    assert outcome.findings == [], outcome
    assert outcome.records > 3
    assert outcome.interruptions > 10


def test_what_comes_twice_or_never_is_found(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    publish, numbers = BotServer.publish, iter(range(10**9))

    def forgetful(self: BotServer, frame: bytes) -> None:
        if next(numbers) % 5 != 3:
            publish(self, frame)

    answer = BotServer._answer_of_route

    async def twice(self: BotServer, request: Any, name: str) -> Any:
        body = await request.read()
        await answer(self, request, name)
        assert body
        return await answer(self, request, name)

    monkeypatch.setattr(BotServer, "publish", forgetful)
    monkeypatch.setattr(BotServer, "_answer_of_route", twice)
    outcome = played(feed_link.play(feed_case(Fault(0.0, SINGLE_BYTES, 1.5))), capfd)
    found(outcome, "came to its route 2 times", "a reader got message")


def test_connections_that_stay_are_found(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from cli.bot.door import Door

    monkeypatch.setattr(Door, "_send_away", lambda self, transport: None)
    monkeypatch.setattr(feed_link, "GIVEN_BACK_WITHIN", 0.3)
    found(played(feed_link.play(feed_case(NO_FAULT, idle=5)), capfd), "5 connections may ask for nothing for ever")
