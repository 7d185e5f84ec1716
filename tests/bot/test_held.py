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
from cli.bot.hub import held
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

    def read() -> Any:
        return HeldFile(path, ["rsi"]).read("nbt", None, "rsi")

    file = HeldFile(path, ["rsi"])
    assert file.read("nbt", None, "rsi") is None
    assert file.write("rsi", {NEXUS_BTC: "long"}) is None
    assert read() == {NEXUS_BTC: "long"}
    written = path.stat().st_mtime_ns
    assert file.write("rsi", {NEXUS_BTC: "long"}) is None
    assert path.stat().st_mtime_ns == written, "it says so already"
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        problem = file.write("rsi", {NEXUS_BTC: "flat"})
    assert problem == f"cannot write --held {path}: No space left on device; it is removed"
    assert list(tmp_path.iterdir()) == []
    assert read() is None
    assert file.write("rsi", {NEXUS_BTC: "long"}) is None
    assert read() == {NEXUS_BTC: "long"}, "as it was before, and so not what is there"
    assert file.write("rsi", {NEXUS_BTC: None}) is None
    assert read() == {NEXUS_BTC: None}


# --- what is on the disk ---------------------------------------------------------------------------------------------


def test_a_file_is_indented_json_and_written_to_the_disk_itself_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "held.json"
    synced: list[tuple[int, bool]] = []
    monkeypatch.setattr(
        held.os, "fsync", lambda descriptor: synced.append((os.stat(descriptor).st_size, path.exists()))
    )
    file = HeldFile(path, ["rsi"])
    assert file.read("nbt", "sim", "rsi") is None
    assert file.write("rsi", {NEXUS_BTC: "long"}) is None
    text = f"""{{
  "hub": "nbt",
  "env": "sim",
  "strategy": "rsi",
  "held": {{
    "nexus:{BTC}": "long"
  }}
}}
"""
    assert path.read_text(encoding="utf-8") == text
    assert synced == [(len(text), False)], "all of it, and before"
    assert file.write("rsi", {NEXUS_BTC: "long"}) is None
    assert len(synced) == 1, "it says the same already"


def test_what_a_process_that_was_killed_left_beside_it_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "held.json"
    beside = tmp_path / f".held.json.{os.getpid()}"
    beside.write_text("half of it", encoding="utf-8")
    file = HeldFile(path, ["rsi"])
    file.read("nbt", None, "rsi")
    assert file.write("rsi", {NEXUS_BTC: "short"}) is None
    assert held_in(path, "rsi") == [{NEXUS_BTC: "short"}]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("is_there", [False, True])
def test_a_folder_that_cannot_be_written_is_refused_also_where_the_file_is_there(
    is_there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "held.json"
    if is_there:
        path.write_text('{"hub":"nbt","strategy":"rsi","held":{}}', encoding="utf-8")
    asked: list[tuple[Path, int]] = []
    monkeypatch.setattr(held.os, "access", lambda *of: asked.append(of))
    with pytest.raises(SetupError) as refused:
        held_in(path, "rsi")
    assert str(refused.value) == (f"cannot write --held {path}: expected a folder that is there and can be written")
    assert asked == [(tmp_path, os.W_OK | os.X_OK)]


@pytest.mark.parametrize(("more", "is_read"), [(0, True), (1, False)])
def test_a_file_of_a_mebibyte_is_read_and_a_larger_one_is_none_of_ours(
    more: int, is_read: bool, tmp_path: Path
) -> None:
    path = tmp_path / "held.json"
    said = f'{{"hub":"nbt","strategy":"rsi","held":{{"nexus:{BTC}":"long"'
    path.write_text(said + " " * (held.LARGEST - len(said) - 2 + more) + "}}", encoding="utf-8")
    if is_read:
        assert held_in(path, "rsi") == [{NEXUS_BTC: "long"}]
        return
    with pytest.raises(SetupError, match="as mon writes it, got something else"):
        held_in(path, "rsi")


# --- several scripts -------------------------------------------------------------------------------------------------


def held_in(path: Path, *strategies: str) -> list[Any]:
    file = HeldFile(path, strategies)
    return [file.read("nbt", None, strategy) for strategy in strategies]


def test_each_of_several_scripts_has_its_own_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "held.json"
    one = HeldFile(path, ["a", "b"])
    assert [one.read("nbt", None, name) for name in "ab"] == [None, None]
    assert one.missing("a") == f"{path} is not there yet"
    one.write("a", {NEXUS_BTC: "long"})
    assert held_in(path, "a", "b") == [{NEXUS_BTC: "long"}, None]
    one.write("b", {NEXUS_BTC: None})
    assert held_in(path, "b", "a") == [{NEXUS_BTC: None}, {NEXUS_BTC: "long"}]
    one.write("a", {NEXUS_BTC: "flat"})
    assert held_in(path, "a", "b") == [{NEXUS_BTC: "flat"}, {NEXUS_BTC: None}]
    assert path.stat().st_mode & 0o777 == 0o600
    again = HeldFile(path, ["a", "b"])
    assert again.read("nbt", None, "b") == {NEXUS_BTC: None}
    again.forget("b")
    again.write("a", {NEXUS_BTC: "long"})
    assert held_in(path, "a", "b") == [{NEXUS_BTC: "long"}, None], "what was true of another hub is not written on"


def test_a_file_of_one_script_goes_on_as_one_of_several(tmp_path: Path) -> None:
    """As it was written before there were several; and what it says of one stays when another one is written first."""
    path = tmp_path / "held.json"
    path.write_text('{"hub":"nbt","strategy":"a","held":{"nexus:BTCUSDT":"short"}}')
    both = HeldFile(path, ["a", "b"])
    assert both.read("nbt", None, "b") is None
    assert both.missing("b") == f'{path} says nothing of "b"'
    both.write("b", {NEXUS_BTC: "long"})
    assert held_in(path, "a", "b") == [{NEXUS_BTC: "short"}, {NEXUS_BTC: "long"}]


def test_a_file_of_several_is_not_for_some_of_them(tmp_path: Path) -> None:
    """Two runs with one file each would write what the other one had, and not what it has."""
    path = tmp_path / "held.json"
    path.write_text('{"hub":"nbt","strategies":{"a":{"nexus:BTCUSDT":"short"},"b":{}}}')
    with pytest.raises(SetupError, match='is of strategy "b" at nbt too, which this run would not keep up to date'):
        held_in(path, "a")
    with pytest.raises(SetupError, match='is of the strategies "a" and "b" at nbt, and this is strategy "c" at nbt'):
        held_in(path, "c")
    assert held_in(path, "a", "b", "c") == [{NEXUS_BTC: "short"}, {}, None]


def test_two_relays_keep_one_file(relaying: Any, tmp_path: Path) -> None:
    path = tmp_path / "held.json"

    def says() -> Any:
        return json.loads(path.read_text(encoding="utf-8"))["strategies"]

    async def scenario() -> None:
        file = HeldFile(path, ["rsi", "hourly"])
        async with (
            relaying(held_file=file) as rsi,
            relaying(held_file=file, beside=rsi, strategy="hourly") as other,
        ):
            await rsi.wants("0.5")
            assert says() == {"rsi": {f"nexus:{BTC}": "long"}}
            await other.wants("-0.5")
            await rsi.wants("0")
            assert says() == {"rsi": {f"nexus:{BTC}": "flat"}, "hourly": {f"nexus:{BTC}": "short"}}
        file = HeldFile(path, ["rsi", "hourly"])
        async with relaying(held_file=file, port=rsi.port, strategy="hourly") as other:
            assert other.said_of('has of strategy "hourly": nexus:BTCUSDT short')
            await other.wants("-0.1")
            await other.wants("0")
            assert other.meanings() == [f"buy {BTC}"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "as mon writes it, got something else"),
        ("[" * 100_000, "as mon writes it, got something else"),
        ('{"hub":"nbt","strategy":"rsi","held":{"BTC":"long"}}', "as mon writes it, got something else"),
        ('{"hub":"nbt","strategy":"rsi","held":{"nexus:BTC":"lnog"}}', "as mon writes it, got something else"),
        ('{"hub":"nbt","strategy":"rsi","env":"custom","held":{},"x":1}', "as mon writes it, got something else"),
        *(
            (f'{{"hub":"nbt"{more}}}', "as mon writes it, got something else")
            for more in (
                "",
                ',"strategy":"rsi"',
                ',"held":{}',
                ',"strategies":{},"strategy":"rsi"',
                ',"strategies":{},"held":{}',
                ',"strategies":{},"strategy":"rsi","held":{}',
            )
        ),
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
    btc, eth = MarketName("nexus", "SPOT_BTC_USDT"), MarketName("woox", "SPOT_ETH_USDT")
    texts = ["nexus:SPOT_BTC_USDT=long", "woox:SPOT_ETH_USDT=flat", "a/b=c.json"]
    assert held_of(texts, market_named, ["rsi"]) == ({"rsi": {btc: "long", eth: "flat"}}, Path("a/b=c.json"))
    assert held_of([], market_named, ["rsi"]) == ({}, None)
    assert held_of(["./nexus:x=long"], market_named, ["rsi"]) == ({}, Path("./nexus:x=long"))
    assert held_of(["rsi.nexus:SPOT_BTC_USDT=long"], market_named, ["rsi"]) == ({"rsi": {btc: "long"}}, None)
    texts = ["a.nexus:SPOT_BTC_USDT=long", "b.2.nexus:SPOT_BTC_USDT=short", "b.2.woox:SPOT_ETH_USDT=flat", "held.json"]
    found = {"a": {btc: "long"}, "b.2": {btc: "short", eth: "flat"}}
    assert held_of(texts, market_named, ["a", "b.2"]) == (found, Path("held.json"))


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
        held_of(texts, market_named, ["rsi"])


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["nexus:SPOT_BTC_USDT=long"], "expected --held SCRIPT.VENUE:SYMBOL=long, since each script has its own"),
        (["c.nexus:SPOT_BTC_USDT=long"], "expected a script of this run (a, b) in --held SCRIPT.VENUE:SYMBOL="),
        (["a.nexus:SPOT_BTC_USDT=lnog"], "expected --held SCRIPT.VENUE:SYMBOL=long, =short or =flat, or a file"),
        (["a.nexsu:SPOT_BTC_USDT=long"], "expected a venue"),
        (["a.nexus:SPOT_BTC_USDT=long"] * 2, "expected each market once as --held, got a.nexus:SPOT_BTC_USDT twice"),
    ],
)
def test_what_held_cannot_say_of_several_scripts(texts: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        held_of(texts, market_named, ["a", "b"])
