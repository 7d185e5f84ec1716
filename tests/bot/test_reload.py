"""`--reload`: a script is loaded anew when it is saved."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.bot import host
from cli.bot.command import market_named
from cli.bot.own.finder import OwnModules, stamp_of
from cli.bot.plan import BotRequest
from cli.bot.seat import Seat
from cli.bot.timing.cron import Cron
from cli.bot.timing.generation import Generation, Loaded
from cli.bot.timing.script_time import ScriptTime
from cli.output.lines import Words
from tests.bot.recordings import SYMBOL
from tests.command import MON, environment, mon
from tests.warmed import popen
from venues.redaction import Redactor

HEAD = "from profitview import Link, cron, http, logger\n"
NEXUS = f"nexus:{SYMBOL}"
PATIENCE = 20.0


def script(*lines: str, head: str = HEAD) -> str:
    return head + "class Signals(Link):\n" + "".join(f"    {line}\n" for line in lines)


def save(path: Path, text: str) -> None:
    """As an editor does: the whole file at once."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def test_a_file_that_is_read_is_known_as_it_was_before(tmp_path: Path) -> None:
    path = str(tmp_path / "own.py")
    own = OwnModules(str(tmp_path), lambda module: None)
    own.reads(path)
    assert own.stamps == {}, "it is not there"
    Path(path).write_text("A = 1\n", encoding="utf-8")
    before = stamp_of(path)
    own.reads(path)
    save(Path(path), "A = 1_000\n")
    assert own.stamps == {path: before}
    assert stamp_of(path) != before


class Running:
    """`mon bot run … --reload` in a process, with what it has emitted and said so far."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        self._out, self._err = folder / "out.jsonl", folder / "err.txt"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = popen(
                [MON, "bot", "run", *arguments, "--reload", "-o", "jsonl"],
                env=environment(folder, **variables),
                stdout=out,
                stderr=err,
            )

    @property
    def said(self) -> str:
        return self._err.read_text()

    def data(self, topic: str) -> list[Any]:
        whole = self._out.read_bytes().rpartition(b"\n")[0]
        records = [json.loads(line) for line in whole.splitlines()]
        return [record["data"] for record in records if record.get("topic") == topic]

    def until(self, condition: Callable[[], Any]) -> Any:
        end = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < end, self.said
            assert self.process.poll() is None, self.said
            time.sleep(0.05)
        return found


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    begun: list[Running] = []

    def begin(*arguments: str, **variables: str) -> Running:
        begun.append(Running(tmp_path, *arguments, **variables))
        return begun[-1]

    yield begin
    for one in begun:
        one.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            one.process.wait(10)
        one.process.kill()


def of_version(version: int) -> str:
    return script(
        "state = 0",
        "def on_start(self):",
        "    while True:",
        "        time.sleep(0.05)",
        f"        self.publish('beside', {version})",
        "@cron.run(every=0.1)",
        f"def scheduled(self): self.publish('cron', {version})",
        "def trade_update(self, src, sym, data):",
        "    self.state += 1",
        f"    self.publish('trade', [{version}, own.VERSION, self.state])",
        "@http.route",
        f"def get_version_{version}(self, data): return {version}",
        head=HEAD + "import own, time\n",
    )


def test_a_saved_script_takes_the_place_of_the_one_before(tmp_path: Path, running: Callable[..., Running]) -> None:
    path, own = tmp_path / "x.py", tmp_path / "own.py"
    path.write_text(of_version(1))
    own.write_text("VERSION = 1\n")
    bot = running(str(path), "--market", NEXUS, "--env", "sim")
    bot.until(lambda: bot.data("trade") and bot.data("cron") and bot.data("beside"))
    assert "GET version_1" in bot.said
    save(path, of_version(2))
    bot.until(lambda: [2, 1, 1] in bot.data("trade"))
    bot.until(lambda: "x.py was saved and is loaded anew: what it knew before is lost, its candles stay" in bot.said)
    bot.until(lambda: bot.data("cron")[-1] == bot.data("beside")[-1] == 2)
    time.sleep(0.5)
    for topic in ("cron", "beside"):
        versions = bot.data(topic)
        assert versions == sorted(versions)
    versions = [data[0] for data in bot.data("trade")]
    assert versions == sorted(versions)
    save(own, "VERSION = 2\n")
    bot.until(lambda: [2, 2, 1] in bot.data("trade"))
    save(own, "VERSION = 3\n")  # as long as before: what Python has compiled must not be taken for it
    bot.until(lambda: [2, 3, 1] in bot.data("trade"))
    assert "Traceback" not in bot.said
    assert "has not ended" not in bot.said
    assert "exception" not in bot.said


def test_one_that_cannot_be_loaded_is_told_and_the_one_before_goes_on(
    tmp_path: Path, running: Callable[..., Running]
) -> None:
    path = tmp_path / "x.py"
    path.write_text(script("def trade_update(self, src, sym, data): self.publish('t', 1)"))
    bot = running(str(path), "--market", NEXUS, "--env", "sim")
    bot.until(lambda: bot.data("t"))
    save(path, "from profitview import Link\nx = = 1\n")
    bot.until(lambda: "cannot be loaded" in bot.said)
    assert "x.py was saved and cannot be loaded; the one before goes on\n" in bot.said
    assert f"{path}, line 2: SyntaxError" in bot.said
    count = len(bot.data("t"))
    bot.until(lambda: len(bot.data("t")) > count)
    save(path, script("def trade_update(self, src, sym, data): self.publish('t', part.X)", head=HEAD + "import part\n"))
    bot.until(lambda: "No module named 'part'" in bot.said)
    (tmp_path / "part.py").write_text("X = 1 / 0\n")
    os.utime(path, (1, 1))
    bot.until(lambda: f"{tmp_path / 'part.py'}, line 1: ZeroDivisionError" in bot.said)
    save(tmp_path / "part.py", "X = 7\n")
    bot.until(lambda: bot.data("t")[-1] == 7)


def test_one_that_is_gone_is_told_once_and_loaded_when_it_is_there_again(
    tmp_path: Path, running: Callable[..., Running]
) -> None:
    path = tmp_path / "x.py"
    line = "def trade_update(self, src, sym, data): self.publish('t', {})"
    path.write_text(script(line.format(1)))
    bot = running(str(path), "--market", NEXUS, "--env", "sim")
    bot.until(lambda: bot.data("t"))
    path.unlink()
    bot.until(lambda: f"{path} is not there any more; what was loaded goes on until it is there again" in bot.said)
    count = len(bot.data("t"))
    bot.until(lambda: len(bot.data("t")) > count)
    save(path, script(line.format(2)))
    bot.until(lambda: bot.data("t")[-1] == 2)
    assert bot.said.count("is not there any more") == 1


def test_what_was_not_opened_at_the_start_is_said(tmp_path: Path, running: Callable[..., Running]) -> None:
    path = tmp_path / "x.py"
    path.write_text(script("def trade_update(self, src, sym, data): self.publish('t', 1)"))
    bot = running(str(path), "--market", "jayx:BTCUSDT", "--env", "sim")
    bot.until(lambda: bot.data("t"))
    save(
        path,
        script(
            "def trade_update(self, src, sym, data): self.publish('t', 2)",
            "def quote_update(self, src, sym, data): self.publish('q', 2)",
            "def candle_update_1m(self, src, sym, bars): self.publish('c', bars.volumes[-1])",
            "@http.route",
            "def get_x(self, data): return 1",
        ),
    )
    bot.until(lambda: bot.data("t")[-1] == 2 and bot.data("c") and "its routes" in bot.said)
    assert "quotes of jayx were not opened at the start: its callbacks for them are not called" in bot.said
    assert "its candles of 1m begin now, without a history" in bot.said
    assert "its routes are not served: start mon again for that" in bot.said
    assert bot.data("q") == []


def test_candles_stay(tmp_path: Path, running: Callable[..., Running]) -> None:
    path = tmp_path / "x.py"
    line = "def candle_update_1d(self, src, sym, bars): self.publish('c', [{}, bars.volumes[-1]])"
    path.write_text(script(line.format(1)))
    bot = running(str(path), "--market", NEXUS, "--env", "sim")
    bot.until(lambda: len(bot.data("c")) > 3)
    save(path, script(line.format(2)))
    bot.until(lambda: bot.data("c")[-1][0] == 2)
    volumes = [volume for _, volume in bot.data("c")]
    assert volumes == sorted(volumes)


def test_with_a_replay_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text(script("def trade_update(self, src, sym, data): pass"))
    ran = mon("bot", "run", str(path), "--replay", "r.jsonl", "--reload", env=environment(tmp_path))
    assert ran.returncode == 2
    assert "--reload does not apply to --replay" in ran.stderr


def test_wishes_are_withdrawn_between_the_old_and_the_new(tmp_path: Path, capfd: Any) -> None:
    heard: list[Any] = []

    class Follower:
        async def open(self, *_: Any) -> None: ...

        async def close(self, patience: float, *, hurried: bool) -> None: ...

        def signal(self, signal: Any, source: Any) -> None:
            heard.append(float(signal.size))
            if signal.size == 1:
                os.kill(os.getpid(), signal_to_end)
            elif len(heard) == 1:
                save(path, script("def trade_update(self, src, sym, data): self.signal(src, sym, size=1)"))

        def withdraw(self, reason: str, *, for_good: bool) -> None:
            heard.append((reason, for_good))

        def quote(self, quote: Any) -> None: ...

        trade = quote

        def live(self, src: str, sym: str) -> None: ...

        forget = live

    signal_to_end = signal.SIGTERM
    path = tmp_path / "x.py"
    path.write_text(script("def trade_update(self, src, sym, data): self.signal(src, sym, size=0.5)"))
    request = BotRequest(path, [market_named(NEXUS)], env="sim", output="jsonl", reload=True, duration=20_000)
    asyncio.run(host.Host(request, Words(), Redactor(), followers=[Follower()]).run())  # type: ignore[list-item]
    capfd.readouterr()
    place = heard.index(("the script was loaded anew", False))
    assert set(heard[:place]) == {0.5}
    assert set(heard[place + 1 :]) == {1.0}


def test_several_scripts_are_loaded_anew_each_by_itself(tmp_path: Path, running: Callable[..., Running]) -> None:
    line = "def trade_update(self, src, sym, data): self.publish('{}', [{}, part.X])"
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text(script(line.format(name, 1), head=HEAD + "import part\n"))
    (tmp_path / "part.py").write_text("X = 1\n")
    bot = running(str(tmp_path / "a.py"), str(tmp_path / "b.py"), "--market", NEXUS, "--env", "sim")
    bot.until(lambda: bot.data("a") and bot.data("b"))
    save(tmp_path / "a.py", script(line.format("a", 2), head=HEAD + "import part\n"))
    bot.until(lambda: bot.data("a")[-1] == [2, 1])
    assert bot.data("b")[-1] == [1, 1]
    save(tmp_path / "part.py", "X = 5\n")
    bot.until(lambda: bot.data("a")[-1] == [2, 5] and bot.data("b")[-1] == [1, 5])


class _Host:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def signal(self, *given: Any) -> None:
        self.heard.append(given)

    publish = signal


def test_nothing_goes_out_before_its_beginning_and_after_its_end() -> None:
    behind = _Host()
    one = Generation(behind)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="not started yet"):
        one.publish("t", 1)
    one.begin()
    one.publish("t", 2)
    one.end()
    for call in (lambda: one.publish("t", 3), lambda: one.signal("a", "b", {"size": 1})):
        with pytest.raises(SystemExit):
            call()
    assert behind.heard == [("t", 2)]


def test_a_thread_that_emits_nothing_ends_too() -> None:
    one = Generation(_Host())  # type: ignore[arg-type]

    def forever() -> None:
        with contextlib.suppress(SystemExit):  # Python says nothing of it, but pytest does
            while True:
                time.sleep(0.01)

    thread = threading.Thread(target=forever, daemon=True)
    thread.start()
    one.has(thread)
    one.begin()
    one.end()
    thread.join(10)
    assert one.left() == []


def with_helper(name: str) -> str:
    """A script with a module of its own, and with another one that a callback imports."""
    return script(
        "state = 0",
        "def trade_update(self, src, sym, data):",
        "    self.state += 1",
        "    if self.state == 3:",
        f"        import late_{name}",
        f"    self.publish('{name}', [helper_{name}.VERSION, self.state])",
        head=HEAD + f"import helper_{name}\n",
    )


def test_of_several_scripts_in_a_folder_only_the_saved_one_is_loaded_anew(
    tmp_path: Path, running: Callable[..., Running]
) -> None:
    """Each goes on with the modules of its own, and what a callback imports is no reason to load it anew."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text(with_helper(name))
        (tmp_path / f"helper_{name}.py").write_text("VERSION = 1\n")
        (tmp_path / f"late_{name}.py").write_text("")
    bot = running(str(tmp_path / "a.py"), str(tmp_path / "b.py"), "--market", NEXUS, "--env", "sim")
    bot.until(lambda: min(len(bot.data("a")), len(bot.data("b"))) > 3)
    save(tmp_path / "helper_a.py", "VERSION = 2\n")
    bot.until(lambda: [2, 3] in bot.data("a"))
    seen = len(bot.data("b"))
    bot.until(lambda: len(bot.data("b")) > seen)
    time.sleep(1.5)  # three looks
    assert bot.said.count("is loaded anew") == 1
    states = [state for _, state in bot.data("b")]
    assert states == list(range(1, len(states) + 1))
    save(tmp_path / "helper_b.py", "VERSION = 2\n")
    bot.until(lambda: [2, 1] in bot.data("b"))
    assert "b.py was saved and is loaded anew" in bot.said


def test_a_module_that_the_script_no_longer_imports_is_no_reason(
    tmp_path: Path, running: Callable[..., Running]
) -> None:
    path, own = tmp_path / "x.py", tmp_path / "own.py"
    path.write_text(of_version(1))
    own.write_text("VERSION = 1\n")
    bot = running(str(path), "--market", NEXUS, "--env", "sim")
    bot.until(lambda: bot.data("trade"))
    save(path, of_version(2).replace("import own, ", "import ").replace("own.VERSION", "0"))
    bot.until(lambda: [2, 0, 1] in bot.data("trade"))
    save(own, "VERSION = 2\n")
    time.sleep(1.5)  # three looks
    assert bot.said.count("is loaded anew") == 1


def test_what_is_saved_while_the_bot_starts_is_loaded(tmp_path: Path, running: Callable[..., Running]) -> None:
    path, own = tmp_path / "x.py", tmp_path / "own.py"
    path.write_text(of_version(1))
    own.write_text(f"import os\nos.utime({str(tmp_path / 'begun')!r})\nimport time\ntime.sleep(1)\nVERSION = 1\n")
    begun = tmp_path / "begun"
    begun.write_text("")
    os.utime(begun, (1, 1))
    bot = running(str(path), "--market", NEXUS, "--env", "sim")
    bot.until(lambda: begun.stat().st_mtime > 2)  # both are read by now
    save(own, "VERSION = 2\n")
    bot.until(lambda: any(data[1] == 2 for data in bot.data("trade")))


def test_nothing_of_the_new_script_comes_before_what_the_old_one_wanted_is_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that the new one starts while it is loaded may emit at once."""
    order: list[str] = []
    monkeypatch.setattr(Generation, "end", lambda self: order.append("the old one ends"))
    monkeypatch.setattr(Generation, "begin", lambda self: order.append("the new one begins"))
    seat = Seat(tmp_path / "x.py", ScriptTime(), set(), None, put=print, send=print)  # type: ignore[arg-type]
    seat.generation = Generation(seat)
    seat.take(Loaded(None, Generation(seat), Cron(), []), lambda: order.append("withdrawn"))  # type: ignore[arg-type]
    assert order == ["the old one ends", "withdrawn", "the new one begins"]
