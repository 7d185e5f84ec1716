"""Runs of bots whose signals are relayed: when the first one goes out, several scripts, and one that is saved."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cli.bot.command import market_named
from cli.bot.host import Host, _followers
from cli.bot.plan import BotRequest
from cli.output.lines import Words
from tests.hubs import SmallHub, configure
from tests.servers import raw_server, websocket_server
from venues.redaction import Redactor
from venues.simulated import endpoint
from venues.simulator import Simulator, environment

NEXUS = "nexus:SPOT_BTC_USDT"
PATIENCE = 20.0
HEAD = "from profitview import Link\nclass Signals(Link):\n"
AT_ONCE = (
    HEAD + "    def on_start(self): self.signal('nexus', 'SPOT_BTC_USDT', size={size})\n"
    "    def quote_update(self, src, sym, data): pass\n"
)
# It enters once, and says what it wants again and again only when it was told to.
HOLDS = (
    HEAD + "    said = False\n"
    "    def quote_update(self, src, sym, data):\n"
    "        if not self.said:\n"
    "            self.said = True\n"
    "            self.signal(src, sym, size={size})\n"
)


class Heard(Words):
    """What is said."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def say(self, text: str) -> None:
        self.texts.append(text)

    def error(self, text: str, longest: int = 0) -> None:
        self.texts.append(text)

    def has(self, *words: str) -> bool:
        return any(all(word in text for word in words) for text in self.texts)


async def until(condition: Callable[[], bool], said: Heard) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(said.texts) from None


@asynccontextmanager
async def bot(said: Heard, *paths: Path, **options: object) -> AsyncIterator[asyncio.Task[int]]:
    request = BotRequest(
        paths[0], [market_named(NEXUS)], more=list(paths[1:]), output="jsonl", relay="nbt", **options  # type: ignore[arg-type]
    )  # fmt: skip
    host = Host(request, said, Redactor(), followers=_followers(request, Redactor()))
    task = asyncio.create_task(host.run())
    try:
        yield task
    finally:
        host._ending.stop(0)
        await asyncio.wait_for(task, PATIENCE)


@asynccontextmanager
async def market(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulator]:
    simulator = Simulator([endpoint("nexus")], seed=1, rate=40)
    await simulator.start()
    try:
        for name, value in environment([endpoint("nexus")], simulator.port).items():
            monkeypatch.setenv(name, value)
        yield simulator
    finally:
        await simulator.close()


def save(path: Path, text: str) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def test_a_market_that_has_never_been_live_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its venue takes the connection and is silent: nothing is wrong yet, and nothing is known of the market."""
    path, said, hub = tmp_path / "a.py", Heard(), SmallHub()
    path.write_text(AT_ONCE.format(size=0.5), encoding="utf-8")

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def scenario() -> None:
        async with websocket_server(hub) as to_hub, raw_server(silent) as to_market:
            configure(monkeypatch, tmp_path, to_hub)
            monkeypatch.setenv("MON_NEXUS_URL", f"ws://127.0.0.1:{to_market}")
            monkeypatch.setenv("MON_NEXUS_CLIENT_KEY", "x" * 20)
            async with bot(said, path):
                await until(lambda: bool(hub.paths), said)
                await until(lambda: said.has("enter long", f"waits: {NEXUS} is not live"), said)
                await asyncio.sleep(0.3)

    asyncio.run(scenario())
    assert hub.events == []


def test_once_it_is_live_what_was_wanted_at_the_start_goes_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, said, hub = tmp_path / "a.py", Heard(), SmallHub()
    path.write_text(AT_ONCE.format(size=0.5), encoding="utf-8")

    async def scenario() -> None:
        async with websocket_server(hub) as to_hub:
            configure(monkeypatch, tmp_path, to_hub)
            async with market(monkeypatch), bot(said, path):
                await until(lambda: bool(hub.events), said)

    asyncio.run(scenario())
    assert [name for name, _ in hub.events] == ["buy_signal"]


def test_of_several_scripts_each_line_says_whose_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said, hub = Heard(), SmallHub()
    paths = [tmp_path / "a.py", tmp_path / "b.py"]
    for path, size in zip(paths, (0.5, -0.5), strict=True):
        path.write_text(AT_ONCE.format(size=size), encoding="utf-8")

    async def scenario() -> None:
        async with websocket_server(hub) as to_hub:
            configure(monkeypatch, tmp_path, to_hub)
            async with market(monkeypatch), bot(said, *paths):
                await until(lambda: len(hub.events) == 2, said)
                await until(lambda: said.has("enter short", "sent, ack") and said.has("enter long", "sent, ack"), said)

    asyncio.run(scenario())
    assert {(fields["stratname"], name) for name, fields in hub.events} == {("a", "buy_signal"), ("b", "sell_signal")}
    assert said.has("a: position signals are relayed to nbt")
    assert said.has("b: position signals are relayed to nbt")
    assert [text[:3] for text in said.texts if "acknowledged" in text and "enter long" in text] == ["a: "]
    assert [text[:3] for text in said.texts if "acknowledged" in text and "enter short" in text] == ["b: "]
    assert f"a: still open at nbt, and not closed by us: long {NEXUS}" in said.texts
    assert f"b: still open at nbt, and not closed by us: short {NEXUS}" in said.texts


def test_after_a_script_was_saved_what_is_held_stays_and_one_turn_is_sent_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The new one wants what is held already, and then the other side."""
    path, said, hub = tmp_path / "a.py", Heard(), SmallHub()
    path.write_text(HOLDS.format(size=0.5), encoding="utf-8")

    async def scenario() -> None:
        async with websocket_server(hub) as to_hub:
            configure(monkeypatch, tmp_path, to_hub)
            async with market(monkeypatch), bot(said, path, reload=True):
                await until(lambda: said.has("enter long", "sent, ack"), said)
                save(path, HOLDS.format(size=0.7))
                await until(lambda: said.has("is loaded anew"), said)
                await asyncio.sleep(0.5)
                assert len(hub.events) == 1, "it is long already"
                save(path, HOLDS.format(size=0))
                await until(lambda: said.has("leave long", "sent, ack"), said)
                await asyncio.sleep(0.3)

    asyncio.run(scenario())
    assert [name for name, _ in hub.events] == ["buy_signal", "sell_signal"]
    assert not said.has("still open")
