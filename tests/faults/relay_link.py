"""The link between a bot's relay and the simulated hub, with faults of the hub, of its line and of the bot's market.

One or two scripted bots signal whatever their seed draws: from callbacks and a thread of their own, alone and in
bursts. Meanwhile they are saved, and so loaded anew, and some stop themselves. Judged, for each of them:

- whatever is sent is at that moment what the bot said last, of a market that is live, and not too long ago, and it was
  said since the script was loaded anew;
- at every moment the hub's position is the bot's last valid word, or the difference is said;
- nothing reaches the hub twice, nothing that was not sent, and nothing of a bot that has stopped itself;
- once all is calm the hub has the last word, unless the relay has said that it does not know what the hub has;
- what is said of the hub at the end, and what is in the file of `--held`, is what the hub has;
- no task is left (threads, descriptors and memory are watched by whoever plays the case).
"""

from __future__ import annotations

import asyncio
import json
import os
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
RELOADED: Final = 5.0  # seconds for a script that was saved to be loaded anew
OTHER: Final = "other"  # the second script

SCRIPT: Final = """
import random, threading, time
from profitview import Link

SIZES = (-0.7, -0.5, 0, 0, 0.3, 0.5)
STOP = {stop}

class Signals(Link):
    def on_start(self):
        self.callbacks, self.alone = random.Random({seed}), random.Random({seed} + 1)
        threading.Thread(target=self.beside, name="{thread}", daemon=True).start()

    def beside(self):
        try:
            self.go_on()
        except SystemExit:  # as of a script that was loaded anew
            pass

    def go_on(self):
        begun = time.monotonic()
        while time.monotonic() < begun + {busy}:
            time.sleep(0.02 + self.alone.random() * 0.25)
            if self.alone.random() < 0.6:
                self.say(self.alone)
            if STOP is not None and time.monotonic() > begun + STOP:
                self.stop_trading("drawn")
                self.say(self.alone)
                return
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
    drawn["saves"] = sorted(draw.number(0, SPAN) for _ in range(draw.whole(3)))
    drawn["second"] = draw.chance(0.4)  # another script runs beside it
    drawn["stop"] = draw.number(0.2, SPAN) if draw.chance(0.3) else None  # of the last script that runs
    return Case(NAME, seed, schedule(seed, span=SPAN), drawn)


async def play(case: Case, relay: type[WatchedRelay] | None = None) -> Outcome:
    """Play a case and judge it."""
    return await _Play(case, relay or WatchedRelay).run()


class WatchedRelay(HubRelay):
    """The relay, with what it was told and what it sends noted."""

    watch: Watch

    def signal(self, signal: Signal, source: MarketName | None = None) -> None:
        """Note the bot's word."""
        self.watch.on_word(signal)
        super().signal(signal, source)

    def withdraw(self, reason: str, *, for_good: bool) -> None:
        """Note that nothing said so far is wanted any more."""
        self.watch.on_withdraw(for_good=for_good)
        super().withdraw(reason, for_good=for_good)

    async def _send(self, sender: Any, step: Step) -> None:
        self.watch.on_send(step)
        await super()._send(sender, step)


class Watch:
    """What one script has said, what was sent of it, and what the hub has."""

    def __init__(self, play: _Play, strategy: str) -> None:
        self.strategy = strategy
        self.words: list[tuple[float, Signal]] = []
        self.sent: list[tuple[float, Step]] = []
        self.taken = 0  # by the hub
        self.refused = 0
        self.reloads = 0
        self.stopped = False
        self.position: HubPosition = "flat"  # at the hub
        self._play = play
        self._withdrawn = False  # since the last word
        self._differs: tuple[float, HubPosition, HubPosition] | None = None

    def find(self, words: str) -> None:
        """Note a finding."""
        self._play.find(f"{self.strategy}: {words}")

    # --- what happens

    def on_word(self, signal: Signal) -> None:
        """The bot has said something."""
        if self.stopped:
            self.find(f"the bot has stopped itself, and says {signal.size}")
        self.words.append((time.monotonic(), signal))
        self._withdrawn = False

    def on_withdraw(self, *, for_good: bool) -> None:
        """The script was loaded anew, or has stopped itself."""
        self.stopped = self.stopped or for_good
        self.reloads += not for_good
        self._withdrawn = True

    def on_taken(self, event: str) -> None:
        """The hub has taken a signal: a second one the same way is one too many."""
        self.taken += 1
        own, other = ("long", "short") if event == "buy_signal" else ("short", "long")
        if self.position == own:
            self.find(f"the hub gets {event} though it is {own} already: it was sent twice, or out of order")
        if self.taken + self.refused > len(self.sent):
            self.find(f"the hub has got {self.taken + self.refused} signals, and {len(self.sent)} were sent")
        self.position = "flat" if self.position == other else own  # type: ignore[assignment]

    def on_send(self, step: Step) -> None:
        """A signal is handed to the connection: it must be right now."""
        now = time.monotonic()
        self.sent.append((now, step))
        at, word = self.words[-1]
        assert word.size is not None
        wanted = position_of(word.size)
        if self._withdrawn:
            self.find(f"sends {step}, which the script wanted before it was loaded anew or has stopped itself")
        if word.extra:
            self.find(f"sends {step}, and the bot's last word is marked {word.extra}")
        if wanted != step.after and not (wanted != step.before and step.after == "flat"):
            self.find(f"sends {step}, and the bot's last word is {wanted}")
        if step.before == "flat" and now - at > bots.SHORT["cli.bot.hub.positions"]["ENTERED_WITHIN"] + 0.1:
            self.find(f"sends {step}, which was wanted {now - at:.1f} s ago")
        if self._play.is_market_down():
            self.find(f"sends {step} while the market is not live")

    # --- what is true

    def wanted(self) -> HubPosition:
        """The bot's last valid word."""
        valid = [signal.size for _, signal in self.words if not signal.extra and signal.size is not None]
        return position_of(valid[-1]) if valid else "flat"

    def has_last_word(self) -> bool:
        """Whether the hub has what the bot wants."""
        return self.wanted() == self.position

    def in_doubt(self) -> bool:
        """Whether the relay has said that it does not know what the hub has."""
        return any(self._is_mine(text) for text in self._play.heard_since(0, "nothing more is relayed of it"))

    def look(self, now: float) -> None:
        """Compare the hub with the bot's last valid word."""
        wanted, has = self.wanted(), self.position
        if wanted == has:
            self._differs = None
        elif self._differs is None or self._differs[1:] != (wanted, has):
            self._differs = now, wanted, has
        elif now - self._differs[0] > SAID_WITHIN and not self._is_said(self._differs[0]):
            self.find(f"for {SAID_WITHIN} s the bot has wanted {wanted}, the hub has {has}, and nothing was said")
            self._differs = now + 1e9, wanted, has  # once

    def _is_said(self, since: float) -> bool:
        said = self._play.heard_since(since - 2 * LOOK_EVERY - 0.05, *SAYS)
        return self.in_doubt() or any(MARKET.symbol in text and self._is_mine(text) for text in said)

    def _is_mine(self, text: str) -> bool:
        """Whether something was said of this script: where there are several, its name is before it."""
        return not self._play.has_several or text.startswith(f"{self.strategy}: ")

    def judge_end(self, held: Path, texts: list[str]) -> None:
        """What was said of the hub at the end, and what the file says, against what the hub has."""
        name = f"{self.strategy}: " if self._play.has_several else ""
        unknown = any(text.startswith(f"{name}not known at") for text in texts)
        still_open = [text for text in texts if text.startswith(f"{name}still open at")]
        right = f"{name}still open at {bots.HUB}, and not closed by us: {self.position} {MARKET}"
        if still_open != ([] if unknown or self.position == "flat" else [right]):
            self.find(f"at the end the hub has {self.position}, and it says {still_open or 'nothing'}")
        says = json.loads(held.read_text())["held"].get(str(MARKET), "flat") if held.exists() else "flat"
        if says != ("unknown" if unknown else self.position):
            self.find(f"at the end the hub has {self.position}, and the file says {says}")


class _Play:
    def __init__(self, case: Case, relay: type[WatchedRelay]) -> None:
        self._case = case
        self._relay = relay
        self._market = Schedule.from_json(case.drawn["market"]) if case.schedule.steps else Schedule()
        self.outcome = Outcome()
        names = [STRATEGY, *([OTHER] if case.drawn.get("second") else [])]
        self.has_several = len(names) > 1
        self.watches = {name: Watch(self, name) for name in names}
        self._lag = 0.0
        self._ground: Ground | None = None
        self._host: Host | None = None
        self._begun = 0.0
        self._busy = 0.0

    def find(self, words: str) -> None:
        """Note a finding, with when."""
        self.outcome.findings.append(f"{time.monotonic() - self._begun:.2f}s: {words}")

    def heard_since(self, at: float, *words: str) -> list[str]:
        """What was said since then that has one of the words."""
        assert self._ground is not None
        return self._ground.heard.since(at, *words)

    def is_market_down(self) -> bool:
        """Whether the bot's market is not live, as the host knows."""
        assert self._host is not None
        return MARKET in self._host._seats._down

    async def run(self) -> Outcome:
        """Play it."""
        began, before = time.monotonic(), asyncio.all_tasks()
        self._begun = began
        async with bots.ground(self._case.seed, self._market, self._case.schedule) as (ground, market, hub):
            self._ground = ground
            self._watch_hub(ground.hub)
            faults = max(market.schedule.until, hub.schedule.until, self._case.drawn["busy"])
            self._busy = faults + 0.5
            relays = [self._relay_of(watch) for watch in self.watches.values()]
            scripts = {name: self._script(name, 0.0) for name in self.watches}
            several = {} if self.has_several else {"strategy": STRATEGY}
            self._host = host = ground.host(scripts, followers=relays, relay=bots.HUB, reload=True, **several)
            beside = [asyncio.create_task(self._look())]
            try:
                async with bots.running(host) as task:
                    if any(step.kind not in AT_ONCE for step in hub.schedule.steps):
                        await bots.until(
                            lambda: all(relay._sender and relay._sender.is_ready for relay in relays), bots.FIRST_WITHIN
                        )
                    market.begin()
                    hub.begin()
                    beside.append(asyncio.create_task(self._save()))
                    await self._through(faults, task, beside[-1])
            finally:
                for one in beside:
                    one.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
            for watch in self.watches.values():  # what has arrived is taken
                await bots.until(lambda watch=watch: watch.taken + watch.refused >= len(watch.sent), 1.0)
                watch.judge_end(self._held(watch.strategy), [text for _, text in ground.heard.texts])
            self.outcome.told += [f"{at - began:6.2f}s {text}" for at, text in ground.heard.texts]
            self.outcome.told += [f"proxy: {at:.2f}s {text}" for at, text in (*market.told, *hub.told)]
        # The collector does not see what the host has frozen: so nothing may be left that leads round to it.
        for relay in relays:
            del relay.watch
        self._host = self._ground = None
        self.outcome.findings += await tasks_left(before)
        self.outcome.records = sum(len(watch.words) for watch in self.watches.values())
        self.outcome.interruptions = sum(watch.taken for watch in self.watches.values())
        self.outcome.lag, self.outcome.seconds = round(self._lag, 3), round(time.monotonic() - began, 2)
        if self._lag > TOO_SLOW:
            self.outcome.unjudged = f"the machine stood still for {self._lag:.1f} s"
        return self.outcome

    def _relay_of(self, watch: Watch) -> WatchedRelay:
        relay = self._relay(
            bots.HUB, watch.strategy, env=None, profile=None, retries=None, redactor=Redactor(),
            markets=[MARKET], held_file=self._held(watch.strategy), named=self.has_several,
        )  # fmt: skip
        relay.watch = watch
        return relay

    def _held(self, strategy: str) -> Path:
        assert self._ground is not None
        return self._ground.folder / f"{strategy}.held.json"

    def _script(self, name: str, gone: float) -> str:
        """A script's text; `gone` are the seconds since the faults began."""
        drawn = self._case.drawn
        busy = max(0.0, self._busy - gone)
        stop = drawn.get("stop") if name == list(self.watches)[-1] else None
        return SCRIPT.format(
            seed=f"{self._case.seed}_{len(self.watches[name].words)}_{len(name)}".replace("_", "0"),
            thread=f"script {name}",
            venue=MARKET.venue,
            symbol=MARKET.symbol,
            busy=busy,
            calm=drawn["calm"] if self._case.schedule.steps else 0.1,
            last=drawn["last"] if name == STRATEGY else -drawn["last"],
            stop=None if stop is None else max(0.0, stop - gone),
        )

    async def _save(self) -> None:
        """Save the scripts at the moments that were drawn, in turn."""
        assert self._ground is not None
        begun, names = time.monotonic(), list(self.watches)
        for number, at in enumerate(self._case.drawn.get("saves", ())):
            await asyncio.sleep(max(0.0, begun + at - time.monotonic()))
            name = names[number % len(names)]
            path, beside = self._ground.folder / f"{name}.py", self._ground.folder / "saved"
            beside.write_text(self._script(name, time.monotonic() - begun), encoding="utf-8")
            watch = self.watches[name]
            before = watch.reloads
            os.replace(beside, path)
            if not await bots.until(
                lambda watch=watch, before=before: watch.stopped or watch.reloads > before, RELOADED
            ):
                watch.find("it was saved and is not loaded anew")

    async def _through(self, faults: float, task: asyncio.Task[int], saves: asyncio.Task[None]) -> None:
        """Until each bot has had its last word, and the hub has it."""
        await bots.until(lambda: task.done() or _threads(), bots.FIRST_WITHIN)
        patience = faults + bots.LIVE_AGAIN + bots.FIRST_WITHIN
        if not await bots.until(lambda: task.done() or (saves.done() and not _threads()), patience):
            self.find("a script's thread did not end")
        every = list(self.watches.values())
        if task.done():
            if not all(watch.stopped for watch in every) or task.exception() or task.result():
                self.find(f"the bot ended by itself: {task.exception() or task.result()}")
            return
        await asyncio.sleep(0.05)
        going_on = [watch for watch in every if not watch.stopped]
        for watch in going_on:
            if not watch.words or watch.words[-1][1].extra:
                self.outcome.unjudged = "the market was not live again when the bot had its last word"
                return
        if not await bots.until(
            lambda: all(watch.has_last_word() or watch.in_doubt() for watch in going_on), bots.LIVE_AGAIN
        ):
            for watch in going_on:
                if not (watch.has_last_word() or watch.in_doubt()):
                    watch.find(
                        f"all is calm, the bot's last word is {watch.wanted()}, and the hub has {watch.position}"
                    )
        last = [f"{watch.strategy} {watch.words[-1][0] - self._begun:.2f}s" for watch in going_on]
        self.outcome.told.append(f"last words at {', '.join(last)}")

    # --- what happens

    def _watch_hub(self, hub: Any) -> None:
        take = hub.take

        def taking(event: str, data: Any, sender: Any) -> None:
            now = time.monotonic() - self._begun
            watch = self.watches[data["stratname"]]
            if any(at <= now < at + lasts for at, lasts in self._refusals()):
                watch.refused += 1
                raise hub_endpoint._Wrong("the hub is full")
            take(event, data, sender)
            watch.on_taken(event)

        hub.take = taking

    def _refusals(self) -> list[list[float]]:
        return self._case.drawn["refuses"] if self._case.schedule.steps else []

    async def _look(self) -> None:
        """Look again and again."""
        last = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_EVERY)
            now = time.monotonic()
            self._lag, last = max(self._lag, now - last - LOOK_EVERY), now
            for watch in self.watches.values():
                watch.look(now)


def _threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("script ")}
