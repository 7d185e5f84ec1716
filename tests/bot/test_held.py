"""`--held`: what the hub has at the start, and the file in which the relay keeps it."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.frames import Opcode

from cli.bot.command import market_named
from cli.bot.hub.held import HeldFile, held_of
from cli.bot.hub.relay import HubRelay
from cli.bot.market_data import MarketName
from cli.run.source import Embedded
from tests.bot.relaying import BTC, NEXUS_BTC, PATIENCE, Running, Said, signal
from tests.hubs import configure
from venues.errors import SetupError, UsageError
from venues.redaction import Redactor


def test_what_is_held_is_left_and_not_entered_twice(relaying: Any) -> None:
    async def scenario() -> Running:
        async with relaying(held={NEXUS_BTC: "long"}) as relay:
            await relay.wants("0.5")
            await relay.wants("0")
            return relay

    relay = asyncio.run(scenario())
    assert relay.meanings() == [f"sell {BTC}"]
    assert relay.said_of('by --held the hub has of strategy "rsi": nexus:BTCUSDT long; other markets')
    assert not relay.said_of("it is not known what the hub has")


def test_a_file_is_kept_up_to_date(relaying: Any, tmp_path: Path) -> None:
    path = tmp_path / "held.json"

    def says() -> dict[str, str]:
        assert path.stat().st_mode & 0o777 == 0o600
        found = json.loads(path.read_text(encoding="utf-8"))
        assert (found["hub"], found["env"].split(":")[0], found["strategy"]) == ("nbt", "custom", "rsi")
        return found["held"]

    under_way: list[dict[str, str]] = []

    async def look(socket: ServerConnection, event: Any) -> bool:
        under_way.append(says())
        return False

    async def scenario() -> None:
        async with relaying(held_file=path) as relay:
            assert relay.said_of("is not there yet: it is not known what the hub has from before")
            relay.hub.on_event = look
            await relay.wants("0")
            assert not path.exists()
            await relay.wants("0.5")
            assert says() == {f"nexus:{BTC}": "long"}
            os.link(path, tmp_path / "before")
            await relay.wants("-0.5", "ETHUSDT")
            assert says() == {f"nexus:{BTC}": "long", "nexus:ETHUSDT": "short"}
            assert "short" not in (tmp_path / "before").read_text(encoding="utf-8"), "replaced as a whole"
            (tmp_path / "before").unlink()
        async with relaying(held_file=path, port=relay.port) as relay:
            assert relay.said_of('has of strategy "rsi": nexus:BTCUSDT long, nexus:ETHUSDT short')
            await relay.wants("0.25")
            await relay.wants("0")
            await relay.wants("0", "ETHUSDT")
            assert relay.meanings() == [f"sell {BTC}", "buy ETHUSDT"]
            assert says() == {f"nexus:{BTC}": "flat", "nexus:ETHUSDT": "flat"}

    asyncio.run(scenario())
    assert [path.name for path in tmp_path.iterdir()] == ["held.json"]
    assert under_way[0] == {f"nexus:{BTC}": "unknown"}, "killed here, nobody would know"


def test_what_became_of_a_signal_that_nobody_knows_is_not_known_after_a_restart(relaying: Any, tmp_path: Path) -> None:
    path = tmp_path / "held.json"

    async def drop(socket: ServerConnection, event: Any) -> bool:
        socket.transport.abort()
        return True

    async def scenario() -> None:
        async with relaying(held_file=path) as relay:
            relay.hub.on_event, relay.hub.mute = drop, {Opcode.PONG}
            await relay.wants("0.5")
        async with relaying(held_file=path, port=relay.port) as relay:
            await relay.wants("0")
            assert relay.hub.events == []
            await relay.close(PATIENCE, hurried=False)
            assert relay.said[-1] == f"not known at nbt: nexus:{BTC}"
        async with relaying(held_file=path, port=relay.port, held={NEXUS_BTC: "long"}) as relay:
            await relay.wants("0")
            assert relay.meanings() == [f"sell {BTC}"]

    asyncio.run(scenario())


def test_what_failed_on_its_way_by_a_fault_of_ours_is_not_known_after_a_restart(
    relaying: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "held.json"

    async def fail(command: Any, timeout: float) -> None:
        raise ZeroDivisionError("by design")

    async def scenario() -> Running:
        async with relaying(held_file=path) as relay:
            await relay.wants("0.5")
            monkeypatch.setattr(relay._sender, "send", fail)
            relay.signal(signal("0"))
            await relay.until(lambda: bool(relay.ended))
            await relay.close(PATIENCE, hurried=False)
            return relay

    relay = asyncio.run(scenario())
    assert isinstance(relay.ended[0], ZeroDivisionError)
    assert json.loads(path.read_text())["held"] == {f"nexus:{BTC}": "unknown"}
    assert f"not known at nbt: nexus:{BTC} is long or flat" in relay.said
    assert not relay.said_of("still open")


def test_the_simulated_hub_has_nothing_at_the_start_whatever_a_file_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configure(monkeypatch, tmp_path, 9)
    path = tmp_path / "held.json"
    text = '{"hub":"nbt","env":"sim","strategy":"rsi","held":{"nexus:BTCUSDT":"long"}}'
    path.write_text(text, encoding="utf-8")

    async def scenario() -> list[str]:
        relay = HubRelay(
            "nbt", "rsi", env="sim", profile=None, retries=None, redactor=Redactor(), markets=[NEXUS_BTC],
            held_file=path,
        )  # fmt: skip
        voice, embedded = Said(), Embedded()
        await relay.open(embedded, voice, voice.texts.append)  # type: ignore[arg-type]
        relay.signal(signal("0"))
        await relay.close(PATIENCE, hurried=False)
        await embedded.close()
        return voice.texts

    said = asyncio.run(scenario())
    assert any("the simulated hub is new at every start" in text for text in said)
    assert not any("leave long" in text or "still open" in text for text in said)


def test_a_file_that_cannot_be_written_is_removed(relaying: Any, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "held.json"
    path.parent.mkdir()

    async def scenario() -> Running:
        async with relaying(held_file=path) as relay:
            await relay.wants("0.5")
            path.unlink()
            path.mkdir()  # nobody, not even root, can put a file in its place
            await relay.wants("0")
            return relay

    relay = asyncio.run(scenario())
    assert relay.meanings() == [f"buy {BTC}", f"sell {BTC}"]
    assert relay.said_of(f"cannot write --held {path}", "it still has what was true before: remove it")
    assert not list(path.parent.glob(".*"))


def test_a_file_that_cannot_be_replaced_is_removed_and_written_once_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "held.json"
    file = HeldFile(path, "nbt", None, "rsi")
    assert file.write({NEXUS_BTC: "long"}) is None
    assert file.read() == {NEXUS_BTC: "long"}
    written = path.stat().st_mtime_ns
    assert file.write({NEXUS_BTC: "long"}) is None
    assert path.stat().st_mtime_ns == written, "it says so already"
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        problem = file.write({NEXUS_BTC: "flat"})
    assert problem == f"cannot write --held {path}: No space left on device; it is removed"
    assert list(tmp_path.iterdir()) == []
    assert file.read() is None
    assert file.write({NEXUS_BTC: None}) is None
    assert file.read() == {NEXUS_BTC: None}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "as mon writes it, got something else"),
        ("[" * 100_000, "as mon writes it, got something else"),
        ('{"hub":"nbt","strategy":"rsi","held":{"BTC":"long"}}', "as mon writes it, got something else"),
        ('{"hub":"nbt","strategy":"rsi","held":{"nexus:BTC":"lnog"}}', "as mon writes it, got something else"),
        ('{"hub":"nbt","strategy":"rsi","env":"custom","held":{},"x":1}', "as mon writes it, got something else"),
        (
            '{"hub":"nbt","strategy":"other","env":"custom:elsewhere","held":{}}',
            'is of strategy "other" at nbt (custom:elsewhere), and this is strategy "rsi" at nbt (custom:127.0.0.1:',
        ),
        ('{"hub":"nbt","strategy":"rsi","held":{}}', 'is of strategy "rsi" at nbt, and this is'),
        (None, "cannot read"),
    ],
)
def test_a_file_of_something_else_is_refused(relaying: Any, tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "held.json"
    if text is None:
        path.mkdir()
    else:
        path.write_text(text, encoding="utf-8")

    async def scenario() -> None:
        async with relaying(held_file=path):
            pass

    with pytest.raises(SetupError, match=re.escape(words)):
        asyncio.run(scenario())


def test_a_folder_that_is_not_there(relaying: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with relaying(held_file=tmp_path / "none" / "held.json"):
            pass

    with pytest.raises(SetupError, match="expected a folder that is there and can be written"):
        asyncio.run(scenario())


def test_what_held_says() -> None:
    assert held_of(["nexus:SPOT_BTC_USDT=long", "woox:SPOT_ETH_USDT=flat", "a/b=c.json"], market_named) == (
        {MarketName("nexus", "SPOT_BTC_USDT"): "long", MarketName("woox", "SPOT_ETH_USDT"): "flat"},
        Path("a/b=c.json"),
    )
    assert held_of([], market_named) == ({}, None)
    assert held_of(["./nexus:x=long"], market_named) == ({}, Path("./nexus:x=long"))


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["nexus:SPOT_BTC_USDT=lnog"], 'expected --held VENUE:SYMBOL=long, =short or =flat, or a file, got "nexus'),
        (["nexus:SPOT_BTC_USDT"], "expected --held VENUE:SYMBOL=long"),
        (["nexsu:SPOT_BTC_USDT=long"], "expected a venue"),
        (["nexus:SPOT_BTC_USDT=long", "nexus:SPOT_BTC_USDT=flat"], "expected each market once as --held"),
        (["a", "b"], "expected one file as --held, got a and b"),
    ],
)
def test_what_held_cannot_say(texts: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        held_of(texts, market_named)
