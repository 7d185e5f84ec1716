"""The link between a bot's relay and the simulated hub, with faults of the hub, of its line and of the bot's market.

A scripted bot signals whatever its seed draws: from callbacks and a thread of its own, alone and in bursts. Judged:

- whatever is sent is at that moment what the bot said last, of a market that is live, and not too long ago;
- at every moment the hub's position is the bot's last valid word, or the difference is said;
- nothing reaches the hub twice, nothing that was not sent;
- once all is calm the hub has the last word, unless the relay has said that it does not know what the hub has;
- what is said of the hub at the end, and what is in the file of `--held`, is what the hub has;
- no task is left (threads, descriptors and memory are watched by whoever plays the case).
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any, Final

from cli.bot.host import Host
from cli.bot.hub.positions import Step, position_of
from cli.bot.hub.relay import HubRelay
from cli.bot.market_data import MarketName
from cli.bot.plan import HubPosition
from tests.faults import bots, schedules
from tests.faults.bots import MARKET, STRATEGY, Ground
from tests.faults.cases import Case, Outcome
from tests.faults.leaks import tasks_left
from tests.faults.schedules import Draw, Schedule, schedule
from venues.nbt.simulator import endpoint as hub_endpoint
from venues.records import Signal
from venues.redaction import Redactor

NAME: Final = "bot-relay"
SPAN: Final = 2.5  # seconds in which faults begin
# How long a difference may stand before it is said. What comes often is said a second late at most; what is under way
# is said after half a second here; the rest is for a loaded machine.
SAID_WITHIN: Final = 2.5
LOOK_EVERY: Final = 0.02
TOO_SLOW: Final = 1.5  # seconds that the loop stood still, after which nothing can be said of deadlines
# Who is silent or answers with nonsense from the first is no hub, and that ends the bot: so other faults begin only
# once the hub has let it in.
AT_ONCE: Final = (
    schedules.REFUSE, schedules.CUT, schedules.RESET, schedules.RESET_IN_FRAME, schedules.CUT_IN_FRAME,
    schedules.SINGLE_BYTES, schedules.REORDER,
)  # fmt: skip
SAYS: Final = ("waits:", "not sent", "not relayed", "refused it", "not known", "under way", "is withdrawn")

SCRIPT: Final = """
import random, threading, time
from profitview import Link

SIZES = (-0.7, -0.5, 0, 0, 0.3, 0.5)

class Signals(Link):
    def on_start(self):
        self.callbacks, self.alone = random.Random({seed}), random.Random({seed} + 1)
        threading.Thread(target=self.go_on, name="script", daemon=True).start()

    def go_on(self):
        until = time.monotonic() + {busy}
        while time.monotonic() < until:
            time.sleep(0.02 + self.alone.random() * 0.25)
            if self.alone.random() < 0.6:
                self.say(self.alone)
        time.sleep({calm})
        self.signal('{venue}', '{symbol}', size={last})

    def quote_update(self, src, sym, data):
        if self.callbacks.random() < 0.15:
            for _ in range(self.callbacks.choice((1, 1, 1, 2, 4))):
                self.say(self.callbacks)

    def say(self, draw):
        self.signal('{venue}', '{symbol}', size=draw.choice(SIZES))
"""


def case(seed: int) -> Case:
    """What the seed plays."""
    draw = Draw(f"{NAME} {seed}")
    refusals = [[draw.number(0, SPAN), draw.number(0.1, 1.2)] for _ in range(draw.whole(3))]
    market = schedule(10_000_000 + seed, span=SPAN) if draw.chance(0.6) else Schedule()
    drawn = {
        "market": market.as_json(),
        "refuses": refusals,
        "last": draw.one_of((-0.5, 0, 0.5)),
        "busy": SPAN,  # seconds at least in which the bot signals
        "calm": bots.LIVE_AGAIN,
    }
    return Case(NAME, seed, schedule(seed, span=SPAN), drawn)


async def play(case: Case, relay: type[WatchedRelay] | None = None) -> Outcome:
    """Play a case and judge it."""
    return await _Play(case, relay or WatchedRelay).run()


class WatchedRelay(HubRelay):
    """The relay, with what it was told and what it sends noted."""

    play: _Play

    def signal(self, signal: Signal, source: MarketName | None = None) -> None:
        """Note the bot's word."""
        self.play.on_word(signal)
        super().signal(signal, source)

    async def _send(self, sender: Any, step: Step) -> None:
        self.play.on_send(step)
        await super()._send(sender, step)


class _Play:
    def __init__(self, case: Case, relay: type[WatchedRelay]) -> None:
        self._case = case
        self._relay = relay
        self._market = Schedule.from_json(case.drawn["market"]) if case.schedule.steps else Schedule()
        self.outcome = Outcome()
        self.words: list[tuple[float, Signal]] = []
        self.sent: list[tuple[float, Step]] = []
        self.taken = 0  # by the hub
        self.refused = 0
        self.position: HubPosition = "flat"  # at the hub
        self._lag = 0.0
        self._differs: tuple[float, HubPosition, HubPosition] | None = None
        self._ground: Ground | None = None
        self._host: Host | None = None
        self._begun = 0.0

    def find(self, words: str) -> None:
        """Note a finding, with when."""
        self.outcome.findings.append(f"{time.monotonic() - self._begun:.2f}s: {words}")

    async def run(self) -> Outcome:
        """Play it."""
        began, before = time.monotonic(), asyncio.all_tasks()
        self._begun = began
        async with bots.ground(self._case.seed, self._market, self._case.schedule) as (ground, market, hub):
            self._ground = ground
            self._watch_hub(ground.hub)
            held = ground.folder / "held.json"
            faults = max(market.schedule.until, hub.schedule.until, self._case.drawn["busy"])
            script = SCRIPT.format(
                seed=self._case.seed,
                venue=MARKET.venue,
                symbol=MARKET.symbol,
                busy=faults + 0.5,
                calm=self._case.drawn["calm"] if self._case.schedule.steps else 0.1,
                last=self._case.drawn["last"],
            )
            relay = self._relay(
                bots.HUB, STRATEGY, env=None, profile=None, retries=None, redactor=Redactor(),
                markets=[MARKET], held_file=held,
            )  # fmt: skip
            relay.play = self
            self._host = host = ground.host(script, follower=relay, strategy=STRATEGY, relay=bots.HUB)
            looking = asyncio.create_task(self._look())
            try:
                async with bots.running(host) as task:
                    if any(step.kind not in AT_ONCE for step in hub.schedule.steps):
                        await bots.until(lambda: relay._sender and relay._sender.is_ready, bots.FIRST_WITHIN)
                    market.begin()
                    hub.begin()
                    await self._through(faults, task)
            finally:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)
            await bots.until(lambda: self.taken + self.refused >= len(self.sent), 1.0)  # what has arrived is taken
            self._judge_end(held)
            self.outcome.told += [f"{at - began:6.2f}s {text}" for at, text in ground.heard.texts]
            self.outcome.told += [f"proxy: {at:.2f}s {text}" for at, text in (*market.told, *hub.told)]
        # The collector does not see what the host has frozen: so nothing may be left that leads round to it.
        del relay.play
        self._host = self._ground = None
        self.outcome.findings += await tasks_left(before)
        self.outcome.records = len(self.words)
        self.outcome.interruptions = self.taken
        self.outcome.lag, self.outcome.seconds = round(self._lag, 3), round(time.monotonic() - began, 2)
        if self._lag > TOO_SLOW:
            self.outcome.unjudged = f"the machine stood still for {self._lag:.1f} s"
        return self.outcome

    async def _through(self, faults: float, task: asyncio.Task[int]) -> None:
        """Until the bot has had its last word, and the hub has it."""
        thread = "script"
        await bots.until(lambda: task.done() or thread in _threads(), bots.FIRST_WITHIN)
        patience = faults + bots.LIVE_AGAIN + bots.FIRST_WITHIN
        if not await bots.until(lambda: task.done() or thread not in _threads(), patience):
            self.find("the script's thread did not end")
        if task.done():
            self.find(f"the bot ended by itself: {task.exception() or task.result()}")
            return
        await asyncio.sleep(0.05)
        if not self.words or self.words[-1][1].extra:
            self.outcome.unjudged = "the market was not live again when the bot had its last word"
            return
        at = self.words[-1][0]
        if not await bots.until(lambda: self._has_last_word() or self._in_doubt(), bots.LIVE_AGAIN):
            self.find(f"all is calm, the bot's last word is {self.wanted()}, and the hub has {self.position}")
        assert self._ground is not None
        self.outcome.told.append(f"last word at {at - self._begun:.2f}s")

    # --- what happens

    def _watch_hub(self, hub: Any) -> None:
        take = hub.take

        def taking(event: str, data: Any, sender: Any) -> None:
            now = time.monotonic() - self._begun
            if any(at <= now < at + lasts for at, lasts in self._refusals()):
                self.refused += 1
                raise hub_endpoint._Wrong("the hub is full")
            take(event, data, sender)
            self._on_taken(event)

        hub.take = taking

    def _refusals(self) -> list[list[float]]:
        return self._case.drawn["refuses"] if self._case.schedule.steps else []

    def _on_taken(self, event: str) -> None:
        """The hub has taken a signal: a second one the same way is one too many."""
        self.taken += 1
        own, other = ("long", "short") if event == "buy_signal" else ("short", "long")
        if self.position == own:
            self.find(f"the hub gets {event} though it is {own} already: it was sent twice, or out of order")
        if self.taken + self.refused > len(self.sent):
            self.find(f"the hub has got {self.taken + self.refused} signals, and {len(self.sent)} were sent")
        self.position = "flat" if self.position == other else own  # type: ignore[assignment]

    def on_word(self, signal: Signal) -> None:
        """The bot has said something."""
        self.words.append((time.monotonic(), signal))

    def on_send(self, step: Step) -> None:
        """A signal is handed to the connection: it must be right now."""
        now = time.monotonic()
        self.sent.append((now, step))
        at, word = self.words[-1]
        assert word.size is not None
        wanted = position_of(word.size)
        if word.extra:
            self.find(f"sends {step}, and the bot's last word is marked {word.extra}")
        if wanted != step.after and not (wanted != step.before and step.after == "flat"):
            self.find(f"sends {step}, and the bot's last word is {wanted}")
        if step.before == "flat" and now - at > bots.SHORT["cli.bot.hub.positions"]["ENTERED_WITHIN"] + 0.1:
            self.find(f"sends {step}, which was wanted {now - at:.1f} s ago")
        assert self._host is not None
        if MARKET in self._host._seats._down:
            self.find(f"sends {step} while the market is not live")

    # --- what is true

    def wanted(self) -> HubPosition:
        """The bot's last valid word."""
        valid = [signal.size for _, signal in self.words if not signal.extra and signal.size is not None]
        return position_of(valid[-1]) if valid else "flat"

    def _has_last_word(self) -> bool:
        return self.wanted() == self.position

    def _in_doubt(self) -> bool:
        assert self._ground is not None
        return bool(self._ground.heard.since(0, "nothing more is relayed of it"))

    async def _look(self) -> None:
        """Compare the hub with the bot's last valid word again and again."""
        last = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_EVERY)
            now = time.monotonic()
            self._lag, last = max(self._lag, now - last - LOOK_EVERY), now
            wanted, has = self.wanted(), self.position
            if wanted == has:
                self._differs = None
            elif self._differs is None or self._differs[1:] != (wanted, has):
                self._differs = now, wanted, has
            elif now - self._differs[0] > SAID_WITHIN and not self._is_said(self._differs[0]):
                self.find(f"for {SAID_WITHIN} s the bot has wanted {wanted}, the hub has {has}, and nothing was said")
                self._differs = now + 1e9, wanted, has  # once

    def _is_said(self, since: float) -> bool:
        assert self._ground is not None
        said = self._ground.heard.since(since - 2 * LOOK_EVERY - 0.05, *SAYS)
        return self._in_doubt() or any(MARKET.symbol in text for text in said)

    def _judge_end(self, held: Path) -> None:
        """What was said of the hub at the end, and what the file says, against what the hub has."""
        assert self._ground is not None
        last = [text for _, text in self._ground.heard.texts]
        unknown = any(text.startswith("not known at") for text in last)
        still_open = [text for text in last if text.startswith("still open at")]
        right = f"still open at {bots.HUB}, and not closed by us: {self.position} {MARKET}"
        if still_open != ([] if unknown or self.position == "flat" else [right]):
            self.find(f"at the end the hub has {self.position}, and it says {still_open or 'nothing'}")
        says = json.loads(held.read_text())["held"].get(str(MARKET), "flat") if held.exists() else "flat"
        if says != ("unknown" if unknown else self.position):
            self.find(f"at the end the hub has {self.position}, and the file says {says}")


def _threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}
