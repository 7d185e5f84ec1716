"""A relay step by step, without a hub: what it makes of each outcome, what it says, and when it looks again."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.bot.hub import relay as relays
from cli.bot.hub.held import HeldFile
from cli.bot.hub.positions import ENTERED_WITHIN, REFUSED_AGAIN_AFTER
from cli.bot.hub.relay import AGAIN_AFTER, ANSWERED_SOON, LOOKS_AFTER, HubRelay
from cli.bot.market_data import MarketName
from cli.run.sender import Outcome
from cli.run.source import Embedded
from tests.bot.relaying import BTC, NEXUS_BTC, Said, signal
from venues.records import Quote, Trade
from venues.redaction import Redactor
from venues.venue import Command

ETH = "ETHUSDT"
ACKNOWLEDGED = Outcome(sent=True, acknowledged=True)
UNANSWERED = Outcome(sent=True)
ENTER_LONG = f"{BTC}: enter long (buy_signal without a price)"


class Kinds(Said):
    """A voice that keeps which kind each text is of."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: list[str] = []

    def seldom(self, kind: str, text: str) -> None:
        self.kinds.append(kind)
        self.say(text)

    often = seldom


class Sends:
    """In the place of the sender: it gives the outcomes that a test has put, one after the other."""

    def __init__(self, *_: Any, **given: Any) -> None:
        self.late: Callable[[Command, str], None] = given["late"]
        self.commands: list[Command] = []
        self.outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        self.there = asyncio.Event()
        self.ends: list[str] = []

    @property
    def is_ready(self) -> bool:
        return self.there.is_set()

    async def ready(self) -> None:
        await self.there.wait()

    async def send(self, command: Command, timeout: float) -> Outcome:
        assert timeout == 0.0
        self.commands.append(command)
        return await self.outcomes.get()

    def interrupt(self) -> None:
        self.ends.append("interrupted")

    async def close(self) -> None:
        self.ends.append("closed")


class Timer:
    """What is to be called later."""

    def __init__(self, seconds: float, call: Callable[..., object], *given: Any) -> None:
        self.seconds, self.call, self.given = round(seconds, 6), call, given
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Stepped(HubRelay):
    """A relay whose clock and timers a test has."""

    def __init__(self, **more: Any) -> None:
        given = {"env": None, "profile": None, "retries": None, "redactor": Redactor(), **more}
        super().__init__("nbt", "rsi", clock=lambda: self.now, **given)
        self.now = 0.0
        self.timers: list[Timer] = []
        self.voice = Kinds()
        self.ended: list[BaseException] = []

    @property
    def sends(self) -> Sends:
        assert isinstance(self._sender, Sends)
        return self._sender

    def said(self) -> list[str]:
        """What was said since this was asked last."""
        found, self.voice.texts[:] = self.voice.texts[:], []
        return found

    def looks(self) -> list[float]:
        """In how many seconds it looks again."""
        return [timer.seconds for timer in self.timers if timer.call == self._look and not timer.is_cancelled]

    async def settled(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def sent(self, size: str, outcome: Outcome, sym: str = BTC) -> list[str]:
        """What is said of a signal that has this outcome."""
        self.sends.outcomes.put_nowait(outcome)
        self.signal(signal(size, sym))
        await self.settled()
        return self.said()


Run = Callable[..., contextlib.AbstractAsyncContextManager[Stepped]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    async def access_to(*given: Any, **named: Any) -> Any:
        return SimpleNamespace(settings=SimpleNamespace(label="here", url="wss://hub"))

    monkeypatch.setattr(relays, "Sender", Sends)
    monkeypatch.setattr(relays, "access_to", access_to)

    @contextlib.asynccontextmanager
    async def running(*, there: bool = True, **more: Any) -> AsyncIterator[Stepped]:
        relay = Stepped(**more)
        loop = asyncio.get_running_loop()
        with monkeypatch.context() as patched:
            patched.setattr(
                loop, "call_later", lambda *given, **_: relay.timers.append(Timer(*given)) or relay.timers[-1]
            )
            await relay.open(Embedded(), relay.voice, relay.ended.append)  # type: ignore[arg-type]
            if there:
                relay.sends.there.set()
            await relay.settled()
            relay.said()
            yield relay
        await relay.close(1.0, hurried=True)

    return running


def played(scenario: Coroutine[Any, Any, None]) -> None:
    async def within() -> None:
        async with asyncio.timeout(10):
            await scenario

    asyncio.run(within())


# --- when it looks again


def test_it_looks_again_when_a_wish_grows_old_and_no_more_once_that_is_withdrawn(run: Run) -> None:
    async def scenario() -> None:
        async with run(there=False) as relay:
            relay.signal(signal("1"))
            assert relay.looks() == [ENTERED_WITHIN + LOOKS_AFTER]
            relay.now = ENTERED_WITHIN - 0.5
            relay.live(*NEXUS_BTC)
            assert relay.looks() == [0.5 + LOOKS_AFTER]
            relay.withdraw("it is over", for_good=False)
            assert (relay.looks(), relay._timer) == ([], None)
            relay.signal(signal("1"))
            assert relay.looks() == [ENTERED_WITHIN + LOOKS_AFTER], "what comes later counts"

    played(scenario())


def test_it_looks_again_when_what_was_refused_may_be_sent_again(run: Run) -> None:
    async def scenario() -> None:
        async with run() as relay:
            refused = Outcome(sent=True, error="no", refused=True)
            assert await relay.sent("1", refused) == [f"{ENTER_LONG}: no; it is taken to have what it had: flat"]
            assert relay.looks() == [REFUSED_AGAIN_AFTER + LOOKS_AFTER]
            relay.now = REFUSED_AGAIN_AFTER
            relay.signal(signal("1"))
            assert relay.looks() == [ENTERED_WITHIN + LOOKS_AFTER]
            await relay.settled()
            assert len(relay.sends.commands) == 2

    played(scenario())


def test_what_grew_old_before_the_hub_was_there_is_said_when_it_is(run: Run) -> None:
    async def scenario() -> None:
        async with run(there=False) as relay:
            relay.signal(signal("1"))
            assert relay.said() == [f"{ENTER_LONG} waits: nbt is not connected"]
            relay.now = ENTERED_WITHIN
            relay.sends.there.set()
            await relay.settled()
            assert relay.said() == [f"not sent: {ENTER_LONG}: it was wanted too long ago; nbt has flat"]
            assert (relay.sends.commands, relay._idle.is_set(), relay.looks()) == ([], True, [])

    played(scenario())


def test_what_is_not_handed_over_is_tried_again_after_a_while(run: Run) -> None:
    async def scenario() -> None:
        async with run() as relay:
            assert await relay.sent("1", Outcome(sent=False, error="away")) == [f"{ENTER_LONG}: away"]
            again = relay.timers[-1]
            assert (again.seconds, len(relay.sends.commands)) == (AGAIN_AFTER, 1)
            again.call(*again.given)
            relay.sends.outcomes.put_nowait(ACKNOWLEDGED)
            await relay.settled()
            assert relay.said() == [f"{ENTER_LONG}: sent, acknowledged"]

    played(scenario())


def test_that_a_hub_has_not_answered_soon_is_said_and_not_when_it_has(run: Run) -> None:
    async def scenario() -> None:
        async with run() as relay:
            relay.signal(signal("1"))
            await relay.settled()
            (told,) = [timer for timer in relay.timers if timer.seconds == ANSWERED_SOON]
            told.call(*told.given)
            assert relay.said() == [f"{ENTER_LONG} is under way: nbt has not answered yet"]
            relay.sends.outcomes.put_nowait(ACKNOWLEDGED)
            await relay.settled()
            assert told.is_cancelled
            assert relay.voice.kinds == [f"no answer nexus:{BTC}"]

    played(scenario())


# --- what becomes of a signal


NOT_KNOWN = (
    f"{ENTER_LONG}: {{}}. What nbt has of nexus:{BTC} is not known now, so nothing more is relayed of it until the bot "
    "is started again"
)


@pytest.mark.parametrize(
    ("outcome", "words", "position"),
    [
        (ACKNOWLEDGED, f"{ENTER_LONG}: sent, acknowledged", "long"),
        (UNANSWERED, f"{ENTER_LONG}: sent, not acknowledged, which a hub need not do", "long"),
        (
            Outcome(sent=True, error="no", refused=True),
            f"{ENTER_LONG}: no; it is taken to have what it had: flat",
            "flat",
        ),
        (Outcome(sent=None, error="lost"), NOT_KNOWN.format("lost"), None),
        (Outcome(sent=True, error="lost"), NOT_KNOWN.format("lost; whether it was taken is not known"), None),
        (Outcome(sent=False, error="away"), f"{ENTER_LONG}: away", "flat"),
    ],
)
def test_each_outcome_is_said_with_what_the_hub_is_taken_to_have(
    outcome: Outcome, words: str, position: str | None, run: Run
) -> None:
    async def scenario() -> None:
        async with run() as relay:
            assert await relay.sent("1", outcome) == [words]
            assert relay._positions.position(NEXUS_BTC) == position

    played(scenario())


@pytest.mark.parametrize(
    ("before", "is_known"),
    [([], False), ([UNANSWERED], True), ([ACKNOWLEDGED], False), ([UNANSWERED, ACKNOWLEDGED], False)],
)
def test_only_of_a_hub_that_never_answers_an_answer_that_is_lost_is_not_missed(
    before: list[Outcome], is_known: bool, run: Run
) -> None:
    async def scenario() -> None:
        async with run() as relay:
            for size, outcome in zip(("1", "0"), before, strict=False):
                await relay.sent(size, outcome, ETH)
            (said,) = await relay.sent("1", Outcome(sent=True, error="lost"))
            assert said == (
                f"{ENTER_LONG}: lost" if is_known else NOT_KNOWN.format("lost; whether it was taken is not known")
            )

    played(scenario())


def test_a_doubt_says_what_is_not_sent_any_more(run: Run) -> None:
    async def scenario() -> None:
        async with run(held={NEXUS_BTC: "long"}) as relay:
            (said,) = await relay.sent("-1", Outcome(sent=None, error="lost"))
            assert said.startswith(f"{BTC}: leave long (sell_signal without a price): lost. What nbt has of")
            assert said.endswith("until the bot is started again; enter short is not sent")
            assert len(relay.sends.commands) == 1

    played(scenario())


def test_a_refusal_that_comes_late_takes_the_last_signal_of_its_market_back(run: Run) -> None:
    async def scenario() -> None:
        async with run() as relay:
            await relay.sent("1", UNANSWERED)
            await relay.sent("1", UNANSWERED, ETH)
            first, other = relay.sends.commands
            relay.sends.late(first, "unknown pair")
            assert relay.said() == [f"{ENTER_LONG}: unknown pair; it is taken to have what it had: flat"]
            assert relay._positions.open_positions() == {MarketName("nexus", ETH): "long"}
            relay.sends.late(first, "unknown pair")
            assert relay.said() == ["nbt: unknown pair"], "of that one it is known already"
            relay.sends.late(other, "unknown pair")
            assert relay._positions.open_positions() == {}

    played(scenario())


@pytest.mark.parametrize("is_under_way", [False, True])
def test_a_refusal_after_more_was_sent_leaves_a_doubt(is_under_way: bool, run: Run) -> None:
    async def scenario() -> None:
        async with run() as relay:
            await relay.sent("1", UNANSWERED)
            if is_under_way:
                relay.signal(signal("0"))
                await relay.settled()
            else:
                await relay.sent("0", UNANSWERED)
            relay.said()
            relay.sends.late(relay.sends.commands[0], "unknown pair")
            assert relay.said()[0] == NOT_KNOWN.format("unknown pair, after more was sent")
            assert relay._positions.position(NEXUS_BTC) is None
            relay.sends.outcomes.put_nowait(ACKNOWLEDGED)
            await relay.settled()

    played(scenario())


def test_a_refusal_while_another_market_is_under_way_is_one_all_the_same(run: Run) -> None:
    async def scenario() -> None:
        async with run() as relay:
            await relay.sent("1", UNANSWERED)
            relay.signal(signal("1", ETH))
            await relay.settled()
            relay.sends.late(relay.sends.commands[0], "unknown pair")
            assert relay.said() == [f"{ENTER_LONG}: unknown pair; it is taken to have what it had: flat"]
            relay.sends.outcomes.put_nowait(ACKNOWLEDGED)
            await relay.settled()

    played(scenario())


def test_prices_are_the_last_ones_that_came(run: Run) -> None:
    async def scenario() -> None:
        async with run() as relay:
            relay.trade(Trade(venue="nexus", symbol=BTC, received=1, price=Decimal(7), size=Decimal(1), side="buy"))
            assert await relay.sent("1", ACKNOWLEDGED) == [f"{BTC}: enter long (buy_signal at 7): sent, acknowledged"]
            relay.quote(Quote(venue="nexus", symbol=BTC, received=1, bid_price=Decimal(5), ask_price=Decimal(6)))
            assert await relay.sent("0", ACKNOWLEDGED) == [f"{BTC}: leave long (sell_signal at 5): sent, acknowledged"]
            relay.forget(*NEXUS_BTC)
            relay.live(*NEXUS_BTC)
            assert await relay.sent("1", ACKNOWLEDGED) == [f"{ENTER_LONG}: sent, acknowledged"]

    played(scenario())


# --- what is not sent


def test_of_a_burst_it_is_said_once_that_only_the_latest_counts_and_each_time_how_many(run: Run) -> None:
    async def scenario() -> None:
        async with run(there=False) as relay:
            for size in ("1", "-1", "1"):
                relay.signal(signal(size))
            relay.signal(signal("1", ETH))
            relay.signal(signal("0", ETH))
            found = [text for text in relay.said() if "waits" not in text]
            newer = "a newer wish came first"
            assert found == [
                "of several wishes for a market that come before one can be sent, only the latest counts",
                f"not sent: nexus:{BTC}: enter long: {newer} (1 so far)",
                f"not sent: nexus:{BTC}: enter short: {newer} (2 so far)",
                f"not sent: nexus:{ETH}: enter long: {newer} (1 so far)",
            ]

    played(scenario())


@pytest.mark.parametrize("for_good", [False, True])
def test_what_is_withdrawn_is_said_and_what_comes_later_counts_unless_it_is_for_good(for_good: bool, run: Run) -> None:
    async def scenario() -> None:
        async with run(there=False) as relay:
            relay.signal(signal("1"))
            relay.said()
            relay.withdraw("the script is another", for_good=for_good)
            assert relay.said() == [
                f"not sent: nexus:{BTC}: enter long is withdrawn, since the script is another; nbt has flat"
            ]
            relay.signal(signal("-1"))
            relay.signal(signal("-1"))
            waits = f"{BTC}: enter short (sell_signal without a price) waits: nbt is not connected"
            over = f"not relayed: nexus:{BTC}: the script is another"
            assert relay.said() == ([over] if for_good else [waits, waits])

    played(scenario())


@pytest.mark.parametrize(
    ("marks", "why"),
    [({"stale": True}, "a market was not live"), ({"behind_ms": 1_500}, "it came from data 1500 ms old")],
)
@pytest.mark.parametrize("waits", [False, True])
def test_a_marked_signal_is_not_relayed_and_withdraws_what_waited(
    waits: bool, marks: dict[str, Any], why: str, run: Run
) -> None:
    async def scenario() -> None:
        async with run(there=False) as relay:
            if waits:
                relay.signal(signal("1"))
            relay.said()
            relay.signal(signal("-1", extra=marks))
            text = f"not relayed: nexus:{BTC} size -1, since {why}; nbt has flat"
            assert relay.said() == [f"{text}; enter long, which waited, is withdrawn" if waits else text]
            assert (f"unrelayed nexus:{BTC}" in relay.voice.kinds) is not waits
            assert relay._positions.wished() == []

    played(scenario())


def test_what_is_under_way_is_part_of_what_the_hub_has(run: Run) -> None:
    async def scenario() -> None:
        async with run() as relay:
            relay.signal(signal("1"))
            await relay.settled()
            for sym, has in ((BTC, "flat, and enter long is under way"), (ETH, "flat")):
                relay.signal(signal("-1", sym, extra={"stale": True}))
                assert relay.said()[-1].endswith(f"; nbt has {has}") or "is withdrawn" in relay.voice.texts[-1]
            relay.sends.outcomes.put_nowait(ACKNOWLEDGED)
            await relay.settled()

    played(scenario())


def test_only_of_the_market_of_a_signal_it_is_said_what_it_waits_for_and_of_all_when_one_is_down(run: Run) -> None:
    async def scenario() -> None:
        async with run(there=False, markets=[NEXUS_BTC]) as relay:
            relay.signal(signal("1"))
            relay.signal(signal("1", ETH))
            eth = f"{ETH}: enter long (buy_signal without a price)"
            assert relay.said() == [f"{one} waits: nbt is not connected" for one in (ENTER_LONG, eth)]
            relay.forget(*NEXUS_BTC)
            assert relay.said() == [f"{one} waits: nexus:{BTC} is not live" for one in (ENTER_LONG, eth)]
            assert relay.voice.kinds == [f"waits nexus:{BTC} long", f"waits nexus:{ETH} long"] * 2

    played(scenario())


# --- the beginning and the end


def test_a_relay_that_was_never_opened_has_nothing_to_end() -> None:
    async def scenario() -> None:
        relay = Stepped()
        relay.signal(signal("1"))
        await relay.close(60.0, hurried=False)
        assert relay.voice.texts == []

    played(scenario())


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("hurried", [False, True])
def test_without_a_wish_the_end_waits_for_nothing(hurried: bool, there: bool, run: Run) -> None:
    async def scenario() -> None:
        async with run(there=there) as relay:
            sends = relay.sends
            await relay.close(60.0, hurried=hurried)
            assert (relay.said(), sends.ends) == ([], ["interrupted", "closed"])
            await relay.close(60.0, hurried=hurried)
            assert sends.ends == ["interrupted", "closed"], "once"

    played(scenario())


def test_the_end_says_what_is_not_sent_what_is_open_and_what_is_not_known(run: Run) -> None:
    async def scenario() -> None:
        async with run(held={NEXUS_BTC: "long"}) as relay:
            await relay.sent("1", Outcome(sent=None, error="lost"), ETH)
            relay.forget(*NEXUS_BTC)
            relay.signal(signal("-1"))
            relay.said()
            await relay.close(1.0, hurried=True)
            assert relay.said() == [
                f"not sent: {BTC}: leave long (sell_signal without a price)",
                f"still open at nbt, and not closed by us: long nexus:{BTC}",
                f"not known at nbt: nexus:{ETH} is flat or long",
            ]
            assert relay.looks() == []

    played(scenario())


@pytest.mark.parametrize(("env", "kept"), [(None, "long"), ("sim", None)])
def test_a_simulated_hub_is_new_whatever_the_file_says(
    env: str | None, kept: str | None, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "held.json"
    said = {"hub": "nbt", "env": "here", "strategy": "rsi", "held": {f"nexus:{BTC}": "long", f"nexus:{ETH}": "short"}}
    path.write_text(json.dumps(said), encoding="utf-8")

    async def scenario() -> None:
        async with run(env=env, held_file=path, held={MarketName("nexus", ETH): "flat"}) as relay:
            assert relay._positions.position(NEXUS_BTC) == (kept or "flat")
            assert relay._positions.position(MarketName("nexus", ETH)) == "flat", "what the user says comes first"
            await relay.sent("1", ACKNOWLEDGED, "XRP")
            held = {f"nexus:{ETH}": "flat", "nexus:XRP": "long"}
            assert json.loads(path.read_text(encoding="utf-8"))["held"] == (
                held if kept is None else {f"nexus:{BTC}": kept, **held}
            )

    played(scenario())


def test_what_a_file_says_of_a_hub_that_is_new_is_not_written_on_for_another_script(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "held.json"
    said = {"rsi": {f"nexus:{BTC}": "long"}, "hourly": {f"nexus:{BTC}": "short"}}
    path.write_text(json.dumps({"hub": "nbt", "env": "here", "strategies": said}), encoding="utf-8")
    file = HeldFile(path, ["rsi", "hourly"])

    async def scenario() -> None:
        async with run(env="sim", held_file=file):
            file.write("hourly", {NEXUS_BTC: "flat"})
            assert json.loads(path.read_text(encoding="utf-8"))["strategies"] == {"hourly": {f"nexus:{BTC}": "flat"}}

    played(scenario())


def test_a_fault_while_a_signal_is_under_way_leaves_a_doubt_and_ends_the_relay(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "held.json"

    async def fails(command: Command, timeout: float) -> Outcome:
        assert json.loads(path.read_text(encoding="utf-8"))["held"] == {f"nexus:{BTC}": "unknown"}
        raise KeyError("by design")

    async def scenario() -> None:
        async with run(held_file=path) as relay:
            relay.sends.send = fails  # type: ignore[method-assign]
            relay.signal(signal("1"))
            await relay.settled()
            assert [str(error) for error in relay.ended] == ["'by design'"]
            assert (relay._under_way, relay._idle.is_set()) == (None, True)
            assert relay._positions.position(NEXUS_BTC) is None

    played(scenario())
