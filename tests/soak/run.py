"""The run: everything is started, rounds of faults follow, and at the end what is shown is compared with what is true.

A round of 30 seconds: in its first part one third of the processes has a bad line, another is stopped and goes on, the
third has its clock set by an hour forward, then two back, then right again. Each third meets each of these in turn.
Then they recover, and in the last seconds, when all is calm, each process is measured.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.command import MON, environment
from tests.faults.schedules import Draw
from tests.soak import judges, resources
from tests.soak.children import SLOW_EVERY, Child, Lines, OnTerminal, Piped, Pump, Server
from tests.soak.clocks import HOUR, SetClock, library
from tests.soak.hooks import Hooks
from tests.soak.kept import Claimed, Past, Record, claims
from tests.soak.lines import Lines as FaultLines
from tests.soak.parts import BOT, BROKEN, SERVER, SLOW, TABLE, WORLD, Part

GROUPS = 3
ROUND = 30.0
STEPPED_BACK = 8.0  # seconds into the round: from an hour ahead to an hour behind
# What was stopped must not go on with what it had: so long that a value from before is older than the deadline.
STOPPED = 16.0
CALM = 24.0
# A connection is pinged every 5 s and has 5 s to answer; a slow reader's state may be 2 s old; and 1 s for whoever
# reads here, beside other jobs. What was never true in that time is old.
DEADLINE = 13.0
APART = 0.3  # seconds between two starts, which take a core for as long
QUIET = 5.0  # seconds of flow without faults, and then without flow, before the end is compared
STARTED_WITHIN = 180.0  # from a start, or from the one before it to the next one's first line
SETTLED_WITHIN = 60.0  # seconds for the bot's market and its hub to be live both, and for what it wants to get there
AT_ONCE = 4  # processes that are ended together: each has 0.7 s for its last words, whatever hangs
ENDS_WITHIN = 15.0  # a bot may wait 10 s for what is under way to its hub
LIVE_WITHIN = 75.0  # the longest pause between two tries is 30 s, and a try may have to wait for its deadline
# Not `g`: prices in groups are not the world's.
KEYS = ("\t", "\x1b[Z", "1", "2", "z", "\r", "\x1b[A", "\x1b[B", "s", "+", "-", "?", "x", "\x0c", " ", " ")
SIZES = ((120, 40), (80, 24), (140, 45), (60, 12), (100, 30))


class Soak:
    """A run of these parts, with files in `folder`. `say` tells of the progress."""

    def __init__(
        self,
        parts: Sequence[Part],
        folder: Path,
        *,
        seed: int,
        rate: float,
        say: Callable[[str], None],
        quiet: float = QUIET,
    ) -> None:
        self.children: dict[str, Child] = {}
        self.faults: list[str] = []
        self.parts = {part.name: part for part in parts}
        self.steps_clocks = library() is not None
        self.hooks: Hooks | None = None
        self.judged = 0  # lines that were compared with the past
        self._folder = folder
        self._seed = seed
        self._rate = rate
        self._say = say
        self._quiet = quiet
        self._draw = Draw(f"soak {seed}")
        self._pump = Pump()
        self._past = Past()
        self._waiting: deque[tuple[Piped, str, list[Any], float, float]] = deque()
        self._clocks = [SetClock(folder, str(group)) for group in range(GROUPS)]
        self._answers: deque[dict[str, Any]] = deque()
        self._began = time.monotonic()
        self._turned = 0.0
        self._lines: FaultLines | None = None
        self._world: subprocess.Popen[bytes] | None = None

    # --- starting

    def start(self) -> None:
        """Start the world, then each part, one after the other."""
        self._start_world()
        told = self._answer()
        self._markets = told["symbols"]
        self._lines = FaultLines(told["port"], GROUPS)
        self._env = told["env"]
        self._port = told["port"]
        self._bot_port, self._token = _free_port(), secrets.token_hex(16)
        for number, part in enumerate(self.parts.values()):
            self._start_part(part, number % GROUPS)
            self.pump(APART)
        # Else the first rounds would measure how they start.
        pipes = [child for child in self.children.values() if isinstance(child, Piped) and child.name != "bot"]
        self._until_begun(pipes)
        if "bot" in self.parts:
            self.hooks = Hooks(self._bot_port, self._token, self._seed)
            self.hooks.start()

    def _until_begun(self, pipes: Sequence[Piped]) -> None:
        """Wait for the first line of each, as long as there is always another one that begins."""
        while silent := [one for one in pipes if not one.kept.records]:
            what = f"a first line of {', '.join(one.name for one in silent)}"
            if not self.until(lambda some=silent: any(o.kept.records for o in some), STARTED_WITHIN, what):  # type: ignore[misc]
                return

    def _start_world(self) -> None:
        command = [sys.executable, "-m", "tests.soak.world", "--seed", str(self._seed), "--rate", str(self._rate)]
        with (self._folder / "world.stderr").open("wb") as said:
            self._world = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said)
        assert self._world.stdout is not None
        lines = Lines(self._world.stdout.fileno(), self._heard)
        self._pump.add(lines.descriptor, lines.read)

    def _heard(self, line: bytes) -> None:
        told = json.loads(line)
        if "is" in told or "tick" in told:
            self._past.take(told)
        else:
            self._answers.append(told)

    def _answer(self) -> dict[str, Any]:
        if not self.until(lambda: bool(self._answers), 60, "the world's answer"):
            raise RuntimeError(f"the world does not answer; see {self._folder}/world.stderr")
        return self._answers.popleft()

    def _start_part(self, part: Part, group: int) -> None:
        home = self._folder / "home"
        home.mkdir(exist_ok=True)
        env = {**environment(home), **self._leads(part, group), **self._clocks[group].environment}
        env["SCRIPT_SECONDS"] = "0.5"  # what the schedules and timers of the bots' scripts go by
        script, scripts = Path(__file__).with_name("bot.py"), Path(__file__).parents[1] / "bot" / "scripts"
        command = [MON, *part.command.format(script=script, scripts=scripts, port=self._bot_port).split()]
        given = (part.name, command, env, self._folder, group)
        child: Child
        if part.line == SERVER:
            child = Server(*given)
        elif part.reader == TABLE:
            child = OnTerminal(*given)
        else:
            child = Piped(*given, told=self._told, slow=part.reader == SLOW)
        child.start(self._pump)
        self.children[part.name] = child
        if isinstance(child, Server):
            self.until(lambda: child.is_up, STARTED_WITHIN, part.name)

    def _leads(self, part: Part, group: int) -> dict[str, str]:
        """The variables that lead to where a part connects to."""
        assert self._lines is not None
        own = {"MON_BOT_TOKEN": self._token}
        if part.line == WORLD:
            old, new = f":{self._port}", f":{self._lines.ports[group]}"
            return {**own, **{name: value.replace(old, new) for name, value in self._env.items()}}
        if part.line == BROKEN:
            server = next(one for one in self.children.values() if isinstance(one, Server))
            return {**own, **server.exports}
        if part.line == BOT:
            bot = {"MON_PROFITVIEW_URL": f"ws://127.0.0.1:{self._bot_port}", "MON_PROFITVIEW_API_KEY": self._token}
            return {**own, **bot}
        return own

    # --- reading

    def pump(self, seconds: float) -> None:
        """Read for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._pump.turn(min(left, 0.05))
            now = time.monotonic()
            for child in self.children.values():
                if isinstance(child, Piped):
                    child.look(now)
            self._judge_lines()

    def until(self, condition: Callable[[], bool], seconds: float, what: str) -> bool:
        """Read until that is so; else a fault."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                self.faults.append(f"{what}: not within {seconds:g} s")
                return False
            self.pump(0.05)
        return True

    def _told(self, child: Piped, record: Record, at: float) -> None:
        part = self.parts[child.name]
        if part.line != WORLD or record["type"] == "status" or not child.kept.live:
            return
        said = claims(record, self._markets.get(record["venue"], {}))
        if said:
            # Whoever reads may itself have had no turn for a while, on a machine that is busy.
            self._waiting.append((child, record["type"], said, self._pump.before, at))

    def _judge_lines(self) -> None:
        """Whether what was printed as live was true lately; as soon as the world has told all until then."""
        while self._waiting and self._waiting[0][4] < self._past.told_until:
            child, kind, said, printed_after, at = self._waiting.popleft()
            self.judged += 1
            since = min(at, printed_after) - DEADLINE - (judges.SLOW_BY if self.parts[child.name].reader == SLOW else 0)
            since -= self._past.stood_still(since, at)
            for sort, key, value in said:
                was = self._past.happened(key, value) if sort == "event" else self._past.was(key, value, since, at)
                if not was:
                    child.fault(f"at {at - self._began:.1f} s {kind} {self._old(key, value, at)}")

    def _old(self, key: tuple[str, ...], value: Claimed, at: float) -> str:
        so = self._past.last_so(key, value)
        when = "never so" if so is None else f"so for the last time {at - so:.1f} s before"
        return f"old and live: {' '.join(key)} {' '.join(map(str, value))}, {when}"

    # --- rounds

    def round(self, number: int) -> None:
        """One round."""
        assert self._lines is not None
        bad, stopped, stepped = (number % GROUPS, (number + 1) % GROUPS, (number + 2) % GROUPS)
        begin = time.monotonic()
        drawn = self._lines.play(bad, self._seed * 1000 + number)
        self._say(f"round {number + 1}: group {bad}: {drawn}; {stopped} is stopped; {stepped} has its clock set")
        if self.hooks is not None:
            self.hooks.turn(number)
        for child in self._of(stopped):
            child.stop()
        self._clocks[stepped].set(HOUR)
        self._live(begin + STEPPED_BACK)
        self._clocks[stepped].set(-HOUR)
        self._live(begin + STOPPED)
        self._clocks[stepped].set(0)
        for child in self._of(stopped):
            child.go_on()
        self._lines.mend(bad)
        self._live(begin + CALM)
        self._measure(begin + ROUND)
        self._past.tidy(time.monotonic())

    def _of(self, group: int) -> list[Child]:
        return [child for child in self.children.values() if child.group == group]

    def _live(self, until: float) -> None:
        """Let time pass, and let persons do what they do."""
        while time.monotonic() < until:
            if time.monotonic() > self._turned + 1.0:
                self._turned = time.monotonic()
                for child in self.children.values():
                    if isinstance(child, OnTerminal) and child.stopped_at is None:
                        child.press(self._draw.one_of(KEYS))
                        if self._draw.chance(0.2):
                            child.resize(*self._draw.one_of(SIZES))
                        self._judge_table(child)
            self.pump(min(0.2, max(0.0, until - time.monotonic())))

    def _judge_table(self, child: OnTerminal) -> None:
        """Whether a table that says nothing of trouble shows a book that was so lately."""
        text, at = child.text(), child.framed_at
        if child.judged_at == at or not child.is_whole or child.screen.lines < 24:
            return
        if not judges.looks_live(text) or "spread" not in text:
            return  # something else is on the screen
        child.judged_at = at
        self.judged += 1
        since = at - DEADLINE - self._past.stood_still(at - DEADLINE, at)
        tops = self._past.values(("top", self.parts[child.name].market), since, at)
        shown = judges.plain_numbers(text)
        if tops and not any(all(judges.price_text(top[side]) in shown for side in (0, 2)) for top in tops):
            child.fault(f"at {at - self._began:.1f} s no top of the last {DEADLINE:g} s is on the screen:\n{text}")

    def _measure(self, until: float) -> None:
        for child in self.children.values():
            child.samples = []
        drawn = {name: child.kept.records for name, child in self.children.items() if isinstance(child, OnTerminal)}
        while True:
            now = time.monotonic()
            for child in self.children.values():
                if (found := resources.sample(child.process.pid, now)) is not None:
                    child.samples.append(found)
                elif not child.faults:
                    child.fault(f"has ended by itself with {child.process.poll()}")
            if now >= until:
                break
            self.pump(min(1.5, max(0.1, until - now)))
        for name, child in self.children.items():
            frames = child.kept.records - drawn[name] if name in drawn else 0
            if (measured := resources.of_round(child.samples, frames, len(child.kept.rows))) is not None:
                child.rounds.append(measured)

    # --- the end

    def end(self) -> None:
        """All faults are over: compare, end each process, and look at what it said."""
        self._say("the end: faults are over")
        pipes = [child for child in self.children.values() if isinstance(child, Piped)]
        judged = [one for one in pipes if self.parts[one.name].line in (WORLD, BOT)]  # the others' faults go on
        tables = [child for child in self.children.values() if isinstance(child, OnTerminal)]
        self._until_live(judged, tables)
        self.pump(self._quiet)  # new trades have come: those that were missed are not compared
        if self.hooks is not None:
            self._settle_hub(self.hooks)
        self._ask("calm")
        self.pump(self._quiet)
        slow = [one for one in judged if one.slow]
        self.until(lambda: not any(map(_still_reads, slow)), LIVE_WITHIN, "the slow readers have read all")
        self._settle_tables()
        truth = self.truth()
        for name, child in self.children.items():
            self._judge_end(self.parts[name], child, truth)
        self.faults += resources.sockets_lost([child.rounds for child in self.children.values()])
        self._end_processes()
        self.truth_left = self.truth()
        for name, child in self.children.items():
            for words in judges.said(child.said.read_text(errors="replace")):
                child.fault(words)
            guests, table = self._guests(self.parts[name]), isinstance(child, OnTerminal)
            for words in resources.not_flat(child.rounds, guests, table=table):
                child.fault(words)
            if name == "bot" and self.hooks is not None:
                for words in judges.hub(child.said.read_text(), self.truth_left["hub"], self.hooks.wanted):
                    child.fault(words)
                for words in self.hooks.wrong[:5]:
                    child.fault(f"webhook: {words}")

    def _guests(self, part: Part) -> int:
        """How many others may be connected to a part that is a server, or not, just as their lines are."""
        line = BROKEN if part.line == SERVER else BOT if part.name == "bot" else None
        return sum(one.line == line for one in self.parts.values())

    def _until_live(self, pipes: Sequence[Piped], tables: Sequence[OnTerminal]) -> None:
        """Wait until all are live again; a table that is late gets its keys once more."""
        end = time.monotonic() + LIVE_WITHIN
        while True:
            self._settle_tables()
            late = [(one, one.kept.state) for one in pipes if not one.kept.live]
            dead = [(one, one.text().split("\n")[0].strip()) for one in tables if not judges.looks_live(one.text())]
            if not late and not dead:
                return
            if time.monotonic() > end:
                break
            self.pump(2)
        for child, shown in [*late, *dead]:
            child.fault(f"is {shown} {LIVE_WITHIN:g} s after the faults")

    def _settle_hub(self, hooks: Hooks) -> None:
        """Ask for a position of each pair, again where it is not relayed, since a market was not live just then."""
        hooks.close()
        said = self.children["bot"].said
        todo, end = [*hooks.wanted], time.monotonic() + SETTLED_WITHIN
        while todo and time.monotonic() < end:
            asking = threading.Thread(target=hooks.settle, args=(todo,))
            asking.start()
            self.until(lambda now=asking: not now.is_alive(), 60 + SETTLED_WITHIN, "webhooks")  # type: ignore[misc]
            self.pump(2)
            todo = judges.unsettled(said.read_text(), self.truth()["hub"], hooks.wanted)

    def _settle_tables(self) -> None:
        """Undo what the keys of the run have left: a frozen table, a help page, a pane that is alone."""
        tables = [child for child in self.children.values() if isinstance(child, OnTerminal)]
        for child in tables:
            child.resize(*SIZES[0])
        for keys in ("\x0c", "\x1b", "z", "1", "z") if tables else ():
            for child in tables:
                if "spread" not in child.text() or keys == "\x0c":
                    child.press(keys)
                if "FROZEN" in child.text():
                    child.press(" ")
            self.pump(0.7)

    def truth(self) -> dict[str, Any]:
        """What is true now."""
        self._ask("truth")
        found: dict[str, Any] = self._answer()["truth"]
        return found

    def _ask(self, word: str) -> None:
        assert self._world is not None
        assert self._world.stdin is not None
        self._world.stdin.write(f"{word}\n".encode())
        self._world.stdin.flush()

    def _judge_end(self, part: Part, child: Child, truth: dict[str, Any]) -> None:
        if isinstance(child, OnTerminal):
            found = judges.screen(child.text(), truth["books"][part.market])
        elif isinstance(child, Piped):
            found = part.judge(child.kept, truth, part.market)
            if child.kept.twice:
                found.append(f"{len(child.kept.twice)} ids came twice, such as {child.kept.twice[0]}")
        else:
            found = []
        for words in found:
            child.fault(f"at the end: {words}")

    def _end_processes(self) -> None:
        """Half of them by TERM, half by Ctrl-C; some at once, the bot first, servers last."""
        order = sorted(self.children.values(), key=lambda one: (isinstance(one, Server), one.name != "bot"))
        for at in range(0, len(order), AT_ONCE):
            some = order[at : at + AT_ONCE]
            for number, child in enumerate(some):
                child.process.send_signal(signal.SIGTERM if number % 2 else signal.SIGINT)
            self.until(partial(_have_ended, some), ENDS_WITHIN, "the end")
            self.pump(0.1)
            for number, child in enumerate(some):
                wanted, code = (143 if number % 2 else 130), child.process.poll()
                if code != wanted:
                    child.fault(f"ended with {code}, not with {wanted}")
                if isinstance(child, OnTerminal) and not child.left_as_it_was():
                    child.fault("the terminal is not left as it was")

    def close(self) -> None:
        """Leave nothing behind."""
        if self.hooks is not None:
            self.hooks.close()
        for child in self.children.values():
            child.go_on()
            child.kill()
        if self._lines is not None:
            (self._folder / "lines.txt").write_text("\n".join(self._lines.told))
            self._lines.close()
        if self._world is not None:
            assert self._world.stdin is not None
            assert self._world.stdout is not None
            self._world.stdin.close()
            try:
                self._world.wait(30)
            except subprocess.TimeoutExpired:
                self._world.kill()
                self._world.wait()
            self._world.stdout.close()
            said = (self._folder / "world.stderr").read_text(errors="replace")
            self.faults += [f"the world: {words}" for words in judges.said(said)]
            if self._world.returncode:
                self.faults.append(f"the world ended with {self._world.returncode}")
        self._pump.close()
        self._write_rounds()
        for child in self.children.values():
            if child.faults:
                (self._folder / f"{child.said.stem}.last").write_bytes(b"\n".join(child.last_lines()))

    def _write_rounds(self) -> None:
        """What each process used in each round, for whoever looks for what grows."""
        with (self._folder / "rounds.jsonl").open("w") as file:
            for name, child in self.children.items():
                file.writelines(json.dumps({"part": name, **one._asdict()}) + "\n" for one in child.rounds)


def _still_reads(slow: Piped) -> bool:
    """Whether a slow reader got a line at one of its last two looks: it gets one at each while several wait."""
    return time.monotonic() - slow.kept.at < 3 * SLOW_EVERY


def _have_ended(children: Sequence[Child]) -> bool:
    return all(child.process.poll() is not None for child in children)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def nothing_skipped() -> bool:
    """Whether a part that was skipped counts as failed: in CI."""
    return bool(os.environ.get("MON_NO_SKIPS"))
