"""`--relay nbt`: what goes to a hub, and what is said of it; over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.frames import Opcode

from cli import main
from cli.bot.command import market_named
from cli.bot.host import Host
from cli.bot.plan import BotRequest
from cli.bot.relay import HubRelay
from cli.output.lines import Words
from cli.run.source import Embedded
from tests.hubs import KEY, SmallHub, configure
from tests.servers import websocket_server
from venues.errors import VenueRefused
from venues.records import Quote, Signal
from venues.redaction import Redactor

PATIENCE = 10.0
BTC = "BTCUSDT"


class Said:
    """In the place of the voice."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def say(self, text: str) -> None:
        assert KEY not in text
        self.texts.append(text)

    error = say

    def seldom(self, kind: str, text: str) -> None:
        self.say(text)


class Running(HubRelay):
    """A relay of its own, with a hub."""

    hub: SmallHub
    said: list[str]
    ended: list[BaseException]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.002)

    async def wants(self, size: str, sym: str = BTC, **more: Any) -> None:
        """One signal, and all that comes of it."""
        self.signal(signal(size, sym, **more))
        await self.until(self._idle.is_set)

    def meanings(self) -> list[str]:
        return [f"{name.partition('_')[0]} {fields['pair']}" for name, fields in self.hub.events]


def signal(size: str | None, sym: str = BTC, **more: Any) -> Signal:
    return Signal(
        venue="nexus", symbol=sym, received=1, name="signal", size=None if size is None else Decimal(size), **more
    )


@pytest.fixture
def relaying(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    @contextlib.asynccontextmanager
    async def running(retries: int | None = None) -> AsyncIterator[Running]:
        small = SmallHub()
        async with websocket_server(small) as port:
            configure(monkeypatch, tmp_path, port)
            relay = Running("nbt", "rsi", env=None, profile=None, retries=retries, redactor=Redactor())
            voice = Said()
            relay.hub, relay.said, relay.ended = small, voice.texts, []
            await relay.open(Embedded(), voice, relay.ended.append)  # type: ignore[arg-type]
            try:
                yield relay
            finally:
                await relay.close(0.1, hurried=True)

    return running


def test_a_turn_is_leaving_and_then_entering_and_what_is_open_at_the_end_is_said(relaying: Any) -> None:
    async def scenario() -> Running:
        async with relaying() as relay:
            relay.quote(Quote(venue="nexus", symbol=BTC, received=1, bid_price=Decimal("9.9"), ask_price=Decimal(10)))
            await relay.wants("0.5")
            await relay.wants("0.1")
            relay.forget("nexus", BTC)
            await relay.wants("-1")
            await relay.wants("0.5", "ETHUSDT")
            await relay.wants("0", "ETHUSDT")
            await relay.close(PATIENCE, hurried=False)
            return relay

    relay = asyncio.run(scenario())
    assert 'no open signal of strategy "rsi"' in relay.said[0]
    assert relay.hub.events[:3] == [
        ["buy_signal", {"key": KEY, "stratname": "rsi", "pair": BTC, "buy_price": 10}],
        ["sell_signal", {"key": KEY, "stratname": "rsi", "pair": BTC}],
        ["sell_signal", {"key": KEY, "stratname": "rsi", "pair": BTC}],
    ]
    assert relay.meanings()[3:] == ["buy ETHUSDT", "sell ETHUSDT"]
    assert len(relay.hub.paths) == 1
    assert f"{BTC}: enter long (buy_signal at 10): sent, acknowledged" in relay.said
    assert f"{BTC}: leave long (sell_signal without a price): sent, acknowledged" in relay.said
    assert [text for text in relay.said if "at nbt" in text] == [
        f"still open at nbt, and not closed by us: short nexus:{BTC}"
    ]


def test_what_may_have_arrived_or_not_ends_the_relay_of_its_market_alone(relaying: Any) -> None:
    async def drop(socket: ServerConnection, event: Any) -> bool:
        socket.transport.abort()
        return True

    async def scenario() -> Running:
        async with relaying() as relay:
            relay.hub.on_event, relay.hub.mute = drop, {Opcode.PONG}
            await relay.wants("0.5")
            relay.hub.on_event, relay.hub.mute = None, set()
            await relay.wants("-0.5")
            await relay.wants("0")
            await relay.wants("0.5", "ETHUSDT")
            await relay.close(PATIENCE, hurried=False)
            return relay

    relay = asyncio.run(scenario())
    assert relay.meanings() == [f"buy {BTC}", "buy ETHUSDT"]
    assert any(
        "it may have been sent or not" in text and "nothing more is relayed of it" in text for text in relay.said
    )
    assert sum("what the hub has of it is not known" in text for text in relay.said) == 1
    assert f"not known at nbt: nexus:{BTC} is flat or long" in relay.said
    assert "still open at nbt, and not closed by us: long nexus:ETHUSDT" in relay.said


def test_after_a_lost_connection_only_the_latest_wish_goes_out(relaying: Any) -> None:
    async def scenario() -> Running:
        async with relaying() as relay:
            await relay.until(lambda: relay._sender._ready)
            relay._sender._on_status(  # as the driver tells it
                type("S", (), {"state": "reconnecting", "reason": "away", "retry_in_ms": 1, "attempt": 1})
            )
            for size in ("0.5", "0", "-0.5", "0.25"):
                relay.signal(signal(size))
            await asyncio.sleep(0.05)
            assert relay.hub.events == []
            relay._sender._on_status(type("S", (), {"state": "live"}))
            await relay.until(relay._idle.is_set)
            return relay

    assert asyncio.run(scenario()).meanings() == [f"buy {BTC}"]


def test_what_was_refused_is_not_sent_again_at_once_but_another_wish_is(
    relaying: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> Running:
        async with relaying() as relay:
            relay.hub.answer = '[{"status":"error","message":"no such pair"}]'
            await relay.wants("0.5")
            await relay.wants("0.5")
            await relay.wants("-0.5")
            monkeypatch.setattr("cli.bot.relay.REFUSED_AGAIN_AFTER", 0.0)
            await relay.wants("0.5")
            await relay.wants("0.5")
            return relay

    relay = asyncio.run(scenario())
    assert relay.meanings() == [f"buy {BTC}", f"sell {BTC}", f"buy {BTC}", f"buy {BTC}"]
    assert any("nbt refused it: no such pair; it is taken to have what it had: flat" in text for text in relay.said)
    assert not any("still open" in text for text in relay.said)


def test_what_is_marked_or_is_no_position_is_not_relayed_and_said(relaying: Any) -> None:
    async def scenario() -> Running:
        async with relaying() as relay:
            await relay.until(lambda: relay._sender._ready)
            await relay.wants("0.5", extra={"stale": True})
            await relay.wants("0.5", extra={"behind_ms": 1500})
            for _ in range(3):
                await relay.wants(None, mid=Decimal(1))
            await relay.wants("1", "a\nb")
            return relay

    relay = asyncio.run(scenario())
    assert relay.hub.events == []
    assert f"not relayed: nexus:{BTC} size 0.5, since a market was not live" in relay.said
    assert f"not relayed: nexus:{BTC} size 0.5, since it came from data 1500 ms old" in relay.said
    assert sum("a mid signal is no position" in text for text in relay.said) == 1
    assert any("expected plain text of 1 to 200 characters as pair" in text for text in relay.said)


def test_a_wrong_key_ends_the_bot_before_the_first_signal(relaying: Any) -> None:
    async def scenario() -> Running:
        async with relaying() as relay:
            relay.hub.refusal = '"bad key"'
            await relay.until(lambda: bool(relay.ended))
            return relay

    (problem,) = asyncio.run(scenario()).ended
    assert isinstance(problem, VenueRefused)
    assert "bad key" in str(problem)


@pytest.mark.parametrize("hurried", [False, True])
def test_what_is_not_sent_at_the_end_is_said(relaying: Any, hurried: bool) -> None:
    gate = asyncio.Event()

    async def wait(socket: ServerConnection, event: Any) -> bool:
        await gate.wait()
        return False

    async def scenario() -> Running:
        async with relaying() as relay:
            await relay.wants("0.5")
            relay.hub.on_event, relay.hub.mute = wait, {Opcode.PONG}
            relay.signal(signal("-0.5"))
            await relay.until(lambda: len(relay.hub.events) == 2)
            asyncio.get_running_loop().call_later(0.05, gate.set)
            await relay.close(PATIENCE, hurried=hurried)
            return relay

    relay = asyncio.run(scenario())
    if hurried:
        assert f"{BTC}: leave long (sell_signal without a price): sent, acknowledged" in relay.said
        assert f"not sent: {BTC}: enter short (sell_signal without a price)" in relay.said
        assert not any("still open" in text for text in relay.said)
    else:
        assert relay.meanings()[2:] == [f"sell {BTC}"]
        assert f"still open at nbt, and not closed by us: short nexus:{BTC}" in relay.said


# --- with the host -------------------------------------------------------------------------------------------------

FLIP = """
from profitview import Link
class Signals(Link):
  def on_start(self):
    for size in (0.5, -0.5, 0.25): self.signal('nexus', 'SPOT_BTC_USDT', size=size)
"""


def test_with_env_sim_the_hub_is_the_simulators_whatever_is_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """And of more signals than --count shows, none goes out."""
    configure(monkeypatch, tmp_path, 9)
    path = tmp_path / "flip.py"
    path.write_text(FLIP, encoding="utf-8")
    redactor = Redactor()
    request = BotRequest(
        path, [market_named("nexus:SPOT_BTC_USDT")], env="sim", output="jsonl", count=2, relay="nbt", strategy="s"
    )
    follower = HubRelay("nbt", "s", env="sim", profile=None, retries=None, redactor=redactor)
    assert asyncio.run(Host(request, Words(), redactor, follower=follower).run()) == 0
    out, err = capfd.readouterr()
    assert len(out.splitlines()) == 2
    assert "relayed to nbt (the simulated hub)" in err
    assert "still open at nbt, and not closed by us: short nexus:SPOT_BTC_USDT" in err
    assert "enter long" not in err.partition("enter short")[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--relay", "nbt"), "expected --yes with --relay nbt"),
        (("--relay", "nexus", "--yes"), 'expected a hub that takes signals (nbt) as --relay, got "nexus"'),
        (("--relay", "nbt", "--yes", "--replay", "x"), "--relay does not apply to --replay"),
        (("--relay", "nbt", "--yes", "--strategy", ""), "characters as --strategy"),
        (("--yes",), "--yes applies to --relay only"),
        (("--strategy", "s"), "--strategy applies to --relay only"),
    ],
)
def test_usage(arguments: tuple[str, ...], words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "flip.py"
    path.write_text(FLIP, encoding="utf-8")
    assert main.run(["bot", "run", str(path), *arguments]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert words in err
