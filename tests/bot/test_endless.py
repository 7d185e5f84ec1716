"""A script that says more than can be told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cli.bot import speech
from cli.bot.runner import Runner
from cli.errors import INTERRUPTED, TERMINATED
from cli.output.lines import Output, Words
from cli.run.ending import Ending
from tests.bot.conftest import HEAD, Runs
from tests.bot.recordings import record_trades, walk
from tests.command import MON, environment, mon
from tests.warmed import popen
from venues.redaction import Redactor


def test_who_says_more_than_can_be_told_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    waiting: list[int] = []
    monkeypatch.setattr(speech, "MOST_WAITING", 5)
    monkeypatch.setattr(speech, "ROOM_WITHIN", 60.0)

    async def test() -> None:
        voice = speech.BotVoice(Words(), Redactor(), asyncio.get_running_loop())
        monkeypatch.setattr(voice, "_error", lambda text, short: (said.append(text), waiting.append(asked - len(said))))
        asked = 0
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def talk() -> None:
            nonlocal asked
            for number in range(100):
                asked += 1
                voice.error(str(number))
            loop.call_soon_threadsafe(done.set)

        threading.Thread(target=talk).start()
        await done.wait()

    asyncio.run(asyncio.wait_for(test(), 20))
    assert said == [str(number) for number in range(100)]
    assert max(waiting) <= 6


def test_a_signal_is_heard_however_much_other_threads_ask_of_the_loop() -> None:
    async def test() -> Ending:
        ending = Ending()
        with contextlib.ExitStack() as stack:
            ending.take_signals(stack)
            for _ in range(5_000):
                asyncio.get_running_loop().call_soon_threadsafe(int)
            signal.raise_signal(signal.SIGINT)
            await asyncio.wait_for(ending.stopping.wait(), 10)
        return ending

    assert asyncio.run(test()).code == INTERRUPTED


def test_a_signal_that_another_thread_gets_wakes_a_loop_that_has_no_work() -> None:
    got = threading.Event()

    def get_it() -> None:
        time.sleep(0.2)  # until the loop waits
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        got.wait(20)

    async def test() -> tuple[Ending, bool]:
        ending = Ending()
        with contextlib.ExitStack() as stack:
            ending.take_signals(stack)
            threading.Thread(target=get_it, daemon=True).start()
            waking = asyncio.get_running_loop().call_later(5, got.set)
            await asyncio.wait_for(ending.stopping.wait(), 10)
            waking.cancel()
        return ending, got.is_set()

    ending, late = asyncio.run(test())
    got.set()
    assert (ending.code, late) == (TERMINATED, False)


@pytest.mark.parametrize("lasting", [True, False])
def test_stdout_comes_back_once_no_thread_of_the_script_can_print(
    lasting: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout", sys.stdout)
    end = threading.Event()
    told: list[str] = []
    with speech.redirected(told.append, table=False):
        print("a line")
        if lasting:
            threading.Thread(target=end.wait).start()
    print("after")
    end.set()
    assert told == ["a line"]
    assert capsys.readouterr().out == ("" if lasting else "after\n")


@pytest.mark.parametrize("kind", [Runner, Output])
def test_stdout_comes_back_however_long_our_own_threads_take_to_end(
    kind: type[Any], runs: Runs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = kind.run

    def slowly(thread: Any) -> None:
        run(thread)
        time.sleep(0.2)

    monkeypatch.setattr(kind, "run", slowly)
    before = sys.stdout
    source = HEAD + "class Signals(Link):\n  def trade_update(self, src, sym, data): self.publish('t', 1)\n"
    ran = runs(source, replay=record_trades(tmp_path / "r.jsonl", walk(5, seed=1, every_ms=1000)))
    assert ran.records
    assert sys.stdout is before


ENDLESS = HEAD + (
    "import threading\n"
    "def endless():\n"
    "  while True: print('x')\n"
    "class Signals(Link):\n"
    "  def on_start(self):\n"
    "    threading.Thread(target=endless).start()\n"
    "    self.publish('t', 1)\n"
)


def test_a_script_that_prints_without_end_is_ended_and_never_gets_into_the_data(tmp_path: Path) -> None:
    script = tmp_path / "bot.py"
    script.write_text(ENDLESS, encoding="utf-8")
    ran = mon("bot", "run", str(script), "--count", "1", env=environment(tmp_path))
    assert ran.returncode == 0
    assert [json.loads(line)["topic"] for line in ran.stdout.splitlines()] == ["t"]
    assert "[bot] x" in ran.stderr


def test_python_is_not_taken_down_under_a_script_s_thread(tmp_path: Path) -> None:
    """A thread that runs while that happens finds things half gone, and crashed the process now and then."""
    script = tmp_path / "bot.py"
    last = (
        "import builtins, os\n"
        "class Last:\n"
        "  def __del__(self, write=os.write): write(2, b'taken down')\n"
        "builtins.last = Last()\n"
    )
    script.write_text(last + ENDLESS, encoding="utf-8")
    ran = mon("bot", "run", str(script), "--count", "1", env=environment(tmp_path))
    assert ran.returncode == 0
    assert "taken down" not in ran.stderr


def test_what_a_script_prints_while_python_ends_never_gets_into_the_data(tmp_path: Path) -> None:
    script = tmp_path / "bot.py"
    last_words = "import atexit\natexit.register(lambda: print('the end'))\n"
    script.write_text(f"{last_words}{HEAD}class Signals(Link):\n  def on_start(self): self.publish('t', 1)\n")
    ran = mon("bot", "run", str(script), "--count", "1", env=environment(tmp_path))
    assert [json.loads(line)["topic"] for line in ran.stdout.splitlines()] == ["t"]


BUSY = HEAD + (
    "class Signals(Link):\n  def trade_update(self, src, sym, data):\n"
    "    self.publish('t', sum(number * number for number in range(300_000)))\n"
)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, TERMINATED), (signal.SIGINT, INTERRUPTED)])
def test_a_busy_script_is_ended_with_its_exit_code_also_when_the_recording_was_read_to_its_end(
    number: int, code: int, tmp_path: Path
) -> None:
    """All of a short recording waits for the script then, and what is written ends as if nobody had asked for it."""
    script = tmp_path / "bot.py"
    script.write_text(BUSY, encoding="utf-8")
    recording = record_trades(tmp_path / "r.jsonl", walk(1_000, seed=1, every_ms=1000))
    command = [MON, "bot", "run", str(script), "--replay", str(recording), "--speed", "max", "-o", "jsonl"]
    with popen(command, environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(10):
            assert process.stdout.readline()
        process.send_signal(number)
        process.communicate(timeout=20)
    assert process.returncode == code
