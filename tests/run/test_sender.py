"""What becomes of a command on its way to a venue, with a connection that a test plays."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from cli.errors import REFUSED, UNREACHABLE
from cli.run import sender as module
from cli.run.sender import ACKNOWLEDGED_WITHIN, ARRIVED_WITHIN, LEAVE_WITHIN, Outcome, Sender
from cli.settings.config import Access
from tests.run.timeless import run, seconds
from venues.errors import MonError, VenueRefused
from venues.nbt import NBT
from venues.records import Status
from venues.redaction import Redactor
from venues.venue import BadFrame, Command, Notice, Receipt, Settings, Subscription

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SECRET = "s3cret-of-ours"
BUY, SELL = Command("buy", {}), Command("sell", {})


class Line:
    """Stands where the connection is: notes what goes out, and ends when it is told to."""

    def __init__(self, driver: Any, **options: Any) -> None:
        self.retries = driver
        self.deliver: Callable[[list[Any]], None] = options["deliver"]
        self.sent: list[str] = []
        self.runs = 0
        self.fails: MonError | None = None
        self.left_in_order = True
        self.lets_go = True
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def send(self, command: Command) -> None:
        if self.fails is not None:
            raise self.fails
        self.sent.append(command.name)

    async def run(self) -> None:
        self.runs += 1
        await asyncio.shield(self.ended)

    def leave(self) -> None:
        if self.lets_go and not self.ended.done():
            self.ended.set_result(None)

    def status(self, state: Any, **fields: Any) -> None:
        self.deliver([Status(venue="nbt", received=0, stream="signals", state=state, **fields)])

    def receipt(self, command: Command = BUY, **fields: Any) -> None:
        self.deliver([Receipt(command, **fields)])


class Stage:
    """A sender with its line; what it says, and what it tells of late refusals."""

    def __init__(self, retries: int | None = None) -> None:
        redactor = Redactor()
        redactor.learn({"key": SECRET})
        self.said: list[str] = []
        self.late: list[tuple[str, str]] = []
        self.sender = Sender(
            NBT,
            Subscription("signals"),
            Access(Settings(url="wss://hub.example"), {}, None),
            redactor=redactor,
            say=self.said.append,
            retries=retries,
            late=lambda command, why: self.late.append((command.name, why)),
        )
        line: Any = self.sender._connection
        self.line: Line = line

    async def sends(self, *steps: Any, timeout: float = 5.0, live: bool = True) -> Outcome:
        """Send a command; each step is a number of seconds, or what happens then."""
        sending = asyncio.create_task(self.sender.send(BUY, timeout))
        await asyncio.sleep(0.001)
        if live:
            self.line.status("live")
            await asyncio.sleep(0.001)
        for step in steps:
            if callable(step):
                step()
            else:
                await asyncio.sleep(step)
        return await sending


@pytest.fixture(autouse=True)
def _line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Connection", Line)


def played(play: Callable[[Stage], Awaitable[None]], retries: int | None = None) -> None:
    async def go() -> None:
        stage = Stage(retries)
        await play(stage)
        if stage.sender._task is not None:
            stage.sender._task.cancel()

    run(go())


def test_what_is_acknowledged_has_arrived_with_what_was_answered() -> None:
    async def play(stage: Stage) -> None:
        receipt = stage.line.receipt
        outcome = await stage.sends(1, lambda: receipt(acknowledged=True, answered=("ok", {"a": f"b {SECRET}"})))
        assert outcome == Outcome(True, acknowledged=True, answered=("ok", {"a": "b [key]"}))
        assert stage.line.sent == ["buy"]
        assert seconds() == pytest.approx(1, abs=0.01)

    played(play)


def test_what_is_refused_has_arrived_and_was_not_taken() -> None:
    async def play(stage: Stage) -> None:
        outcome = await stage.sends(lambda: stage.line.receipt(refused=f"no {SECRET}"))
        assert outcome == Outcome(True, "nbt refused it: no [key]", REFUSED, refused=True)

    played(play)


def test_what_has_arrived_need_not_be_acknowledged() -> None:
    async def play(stage: Stage) -> None:
        assert await stage.sends(stage.line.receipt) == Outcome(True)
        assert seconds() == pytest.approx(ACKNOWLEDGED_WITHIN, abs=0.01)

    played(play)


def test_what_arrives_late_is_not_waited_for_any_longer() -> None:
    async def play(stage: Stage) -> None:
        assert await stage.sends(ACKNOWLEDGED_WITHIN + 1, stage.line.receipt) == Outcome(True)
        assert seconds() == pytest.approx(ACKNOWLEDGED_WITHIN + 1, abs=0.01)

    played(play)


FIND_OUT = "find out before you send it again"


def test_nobody_knows_what_became_of_what_was_not_answered() -> None:
    async def play(stage: Stage) -> None:
        error = f"it may have been sent or not: no answer to a ping; {FIND_OUT}"
        assert await stage.sends() == Outcome(None, error, UNREACHABLE)
        assert seconds() == pytest.approx(ARRIVED_WITHIN, abs=0.01)

    played(play)


@pytest.mark.parametrize("arrived", [False, True])
def test_what_was_underway_when_the_line_was_lost_is_not_sent_again(arrived: bool) -> None:
    async def play(stage: Stage) -> None:
        steps = [stage.line.receipt] if arrived else []
        lost = lambda: stage.line.status("reconnecting", reason=f"gone {SECRET}", attempt=2, retry_in_ms=500)  # noqa: E731
        outcome = await stage.sends(*steps, lost, lambda: stage.line.status("live"))
        error = (
            "it was sent, and then: gone [key]" if arrived else f"it may have been sent or not: gone [key]; {FIND_OUT}"
        )
        assert outcome == Outcome(True if arrived else None, error, UNREACHABLE)
        assert stage.line.sent == ["buy"]
        assert stage.said == ["gone [key]; trying again in 0.5 s (try 2)"]

    played(play)


@pytest.mark.parametrize(("retries", "underway", "said"), [(2, True, 0), (2, False, 1), (None, True, 1)])
def test_who_sends_one_command_hears_nothing_of_tries_that_do_not_help(
    retries: int | None, underway: bool, said: int
) -> None:
    async def play(stage: Stage) -> None:
        lost = lambda: stage.line.status("reconnecting", reason="gone", attempt=1, retry_in_ms=500)  # noqa: E731
        await stage.sends(lost, live=underway, timeout=1.0)
        assert len(stage.said) == said

    played(play, retries)


@pytest.mark.parametrize(("trouble", "more"), [(None, ""), (f"no {SECRET}", " (no [key])")])
def test_who_is_not_let_in_in_time_has_sent_nothing(trouble: str | None, more: str) -> None:
    async def play(stage: Stage) -> None:
        steps = [] if trouble is None else [lambda: stage.line.status("reconnecting", reason=trouble, attempt=1)]
        outcome = await stage.sends(*steps, live=False, timeout=1.5)
        assert outcome == Outcome(False, f"nbt did not let us in within 1.5 s{more}; nothing was sent", UNREACHABLE)
        assert seconds() == pytest.approx(1.5, abs=0.01)
        assert stage.line.sent == []

    played(play)


def test_where_there_will_be_no_connection_nothing_has_a_chance() -> None:
    async def play(stage: Stage) -> None:
        refused = VenueRefused(f"wrong key {SECRET}", venue="nbt")
        outcome = await stage.sends(lambda: stage.line.ended.set_exception(refused), live=False)
        wanted = Outcome(False, "wrong key [key]; nothing was sent", REFUSED, final=True)
        assert outcome == wanted
        assert await stage.sender.send(BUY, 5) == wanted
        with pytest.raises(VenueRefused):
            await stage.sender.ready()

    played(play)


def test_a_connection_that_ends_loses_what_is_underway() -> None:
    async def play(stage: Stage) -> None:
        outcome = await stage.sends(stage.line.receipt, stage.line.leave)
        assert outcome == Outcome(True, "it was sent, and then: the connection was closed", UNREACHABLE)
        assert not stage.sender.is_ready

    played(play)


def test_what_cannot_be_sent_is_told_with_why() -> None:
    async def play(stage: Stage) -> None:
        stage.line.fails = MonError("it is too long")
        assert await stage.sends() == Outcome(False, "it is too long; nothing was sent", UNREACHABLE)
        stage.line.fails = None
        assert (await stage.sends(lambda: stage.line.receipt(acknowledged=True))).acknowledged, "the next one goes out"

    played(play)


def test_an_interruption_ends_all_waiting() -> None:
    async def play(stage: Stage) -> None:
        outcome = await stage.sends(1, stage.sender.interrupt)
        assert outcome == Outcome(None, f"it may have been sent or not: interrupted; {FIND_OUT}", UNREACHABLE)
        outcome = await stage.sends(live=False)
        assert outcome == Outcome(False, "interrupted; nothing was sent", UNREACHABLE)
        assert stage.line.sent == ["buy"]

    played(play)


def test_what_was_lost_first_is_why() -> None:
    async def play(stage: Stage) -> None:
        lost = lambda: stage.line.status("closed", reason="no permission")  # noqa: E731
        outcome = await stage.sends(lost, stage.sender.interrupt)
        assert outcome.error == f"it may have been sent or not: no permission; {FIND_OUT}"
        assert stage.said == [], "nobody tries again"

    played(play)


def test_a_receipt_is_that_of_its_own_command() -> None:
    async def play(stage: Stage) -> None:
        selling = asyncio.create_task(stage.sender.send(SELL, 5))
        await asyncio.sleep(0.001)
        receipt = stage.line.receipt
        outcome = await stage.sends(lambda: receipt(SELL, acknowledged=True), lambda: receipt(refused="no"))
        assert (outcome.refused, outcome.acknowledged) == (True, False)
        assert (await selling).acknowledged
        assert stage.line.sent == ["sell", "buy"]
        assert stage.late == []

    played(play)


def test_a_refusal_that_comes_late_is_told_apart() -> None:
    async def play(stage: Stage) -> None:
        await stage.sends(stage.line.receipt)
        stage.line.receipt(acknowledged=True)
        stage.line.receipt(refused=f"too late {SECRET}")
        assert stage.late == [("buy", "nbt refused it: too late [key]")]
        stage.sender._late = None
        stage.line.receipt(refused="nobody wants to know")

    played(play)


def test_what_the_hub_says_is_said_without_secrets() -> None:
    async def play(stage: Stage) -> None:
        stage.line.deliver([Notice(f"hello {SECRET}"), BadFrame(f"no JSON {SECRET}")])
        assert stage.said == ["hello [key]", "bad frame: no JSON [key]"]

    played(play)


def test_ready_waits_for_a_connection_as_long_as_it_takes() -> None:
    async def play(stage: Stage) -> None:
        waiting = asyncio.create_task(stage.sender.ready())
        await asyncio.sleep(3_600)
        assert not waiting.done()
        assert not stage.sender.is_ready
        assert stage.line.runs == 1
        stage.line.status("live")
        await waiting
        assert stage.sender.is_ready
        stage.line.status("reconnecting", reason="gone", attempt=1)
        assert not stage.sender.is_ready

    played(play)


@pytest.mark.parametrize(
    ("interrupted", "lets_go", "takes"), [(False, True, 0), (True, True, 0), (True, False, LEAVE_WITHIN)]
)
def test_leaving_takes_as_long_as_somebody_wants_to_wait(interrupted: bool, lets_go: bool, takes: float) -> None:
    async def play(stage: Stage) -> None:
        assert await stage.sender.close(), "there never was one"
        await stage.sends(lambda: stage.line.receipt(acknowledged=True))
        stage.line.lets_go = lets_go
        if interrupted:
            stage.sender.interrupt()
        begun = seconds()
        stage.line.left_in_order = lets_go
        assert await stage.sender.close() is lets_go
        assert seconds() - begun == pytest.approx(takes, abs=0.06)

    played(play)
