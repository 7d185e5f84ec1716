"""`--relay nbt`: what goes to a hub, and what is said of it; over real sockets."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.frames import Opcode

from cli import main
from cli.bot.command import market_named
from cli.bot.host import Host
from cli.bot.hub.relay import HubRelay
from cli.bot.jobs import monotonic
from cli.bot.plan import BotRequest
from cli.output.lines import Words
from cli.run.sender import Outcome
from tests.bot.relaying import BTC, NEXUS_BTC, PATIENCE, Running, signal
from tests.hubs import KEY, configure
from venues.errors import VenueRefused
from venues.records import Quote
from venues.redaction import Redactor


def test_a_turn_is_leaving_and_then_entering_and_what_is_open_at_the_end_is_said(relaying: Any) -> None:
    async def scenario() -> Running:
        async with relaying() as relay:
            relay.quote(Quote(venue="nexus", symbol=BTC, received=1, bid_price=Decimal("9.9"), ask_price=Decimal(10)))
            await relay.wants("0.5")
            await relay.wants("0.1")
            relay.forget("nexus", BTC)
            relay.live("nexus", BTC)
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
            relay.loses_the_hub()
            for size in ("0.5", "0", "-0.5", "0.25"):
                relay.signal(signal(size))
            await asyncio.sleep(0.05)
            assert relay.hub.events == []
            relay.has_the_hub()
            await relay.until(relay._idle.is_set)
            return relay

    assert asyncio.run(scenario()).meanings() == [f"buy {BTC}"]


@pytest.mark.parametrize("mark", [{"stale": True}, {"behind_ms": 1500}])
@pytest.mark.parametrize("away", [0.0, 90.0])
def test_a_marked_signal_withdraws_the_wish_before_it(relaying: Any, mark: dict[str, Any], away: float) -> None:
    """The bot's last word is short: whatever is sent, it may not be a buy."""

    async def scenario() -> Running:
        async with relaying(markets=[NEXUS_BTC]) as relay:
            await relay.until(lambda: relay._sender._ready)
            relay.loses_the_hub()
            relay.signal(signal("0.5"))
            relay.forget(*NEXUS_BTC)
            relay.signal(signal("-0.7", extra=mark))
            relay.later(away)
            relay.live(*NEXUS_BTC)
            relay.has_the_hub()
            await relay.wants("0.5", "ETHUSDT")
            return relay

    relay = asyncio.run(scenario())
    assert relay.meanings() == ["buy ETHUSDT"]
    (told,) = relay.said_of("size -0.7")
    assert told.startswith(f"not relayed: nexus:{BTC} size -0.7, since ")
    assert told.endswith("; nbt has flat; enter long, which waited, is withdrawn")


def test_a_market_that_dies_keeps_back_what_was_wanted_of_it(relaying: Any) -> None:
    async def scenario() -> Running:
        async with relaying(markets=[NEXUS_BTC]) as relay:
            await relay.wants("0.5")
            relay.forget(*NEXUS_BTC)
            await relay.wants("-0.5")  # made before, and came after
            assert relay.said_of("leave long", "waits: nexus:BTCUSDT is not live")
            await relay.wants("0.5", "ETHUSDT")
            assert relay.meanings()[1:] == [], "not watched: it may rest on the market that died"
            await relay.until(lambda: not relay._wake.is_set())
            relay.live(*NEXUS_BTC)
            await relay.until(lambda: len(relay.hub.events) == 4)
            await relay.until(relay._idle.is_set)
            return relay

    assert asyncio.run(scenario()).meanings() == [f"buy {BTC}", f"sell {BTC}", f"sell {BTC}", "buy ETHUSDT"]


def test_what_was_wanted_too_long_ago_is_not_entered_and_said_when_that_is(relaying: Any) -> None:
    async def scenario() -> Running:
        async with relaying() as relay:
            await relay.until(lambda: relay._sender._ready)
            await relay.wants("0.5")
            relay.loses_the_hub()
            relay.signal(signal("-0.5"))
            relay.signal(signal("0.5", "ETHUSDT"))
            assert len(relay.said_of("waits: nbt is not connected")) == 2
            relay.later(59)
            assert not relay.said_of("too long ago")
            relay.signal(signal("0.5", "ETHUSDT"))
            relay.later(31)
            relay.has_the_hub()
            await relay.until(lambda: len(relay.hub.events) == 3)
            await relay.until(relay._idle.is_set)
            return relay

    relay = asyncio.run(scenario())
    assert relay.meanings() == [f"buy {BTC}", f"sell {BTC}", "buy ETHUSDT"], "what is to be left is left"
    assert relay.said_of("too long ago") == [
        f"not sent: {BTC}: enter short (sell_signal without a price): it was wanted too long ago; nbt has long"
    ]


def test_it_looks_by_itself_when_a_wish_grows_old(relaying: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.bot.hub.positions.ENTERED_WITHIN", 0.05)

    async def scenario() -> None:
        async with relaying() as relay:
            relay._clock = monotonic
            await relay.until(lambda: relay._sender._ready)
            relay.loses_the_hub()
            relay.signal(signal("0.5"))
            await relay.until(lambda: bool(relay.said_of("too long ago")))
            assert relay._positions.outstanding() == []

    asyncio.run(scenario())


def test_what_was_refused_is_sent_again_later_and_another_wish_at_once(relaying: Any) -> None:
    async def scenario() -> Running:
        async with relaying() as relay:
            relay.hub.answer = '[{"status":"error","message":"no such pair"}]'
            await relay.wants("0.5")
            await relay.wants("0.5")
            assert relay.meanings() == [f"buy {BTC}"]
            assert relay.said_of("enter long", "waits: the hub has just refused the same")
            await relay.wants("-0.5")
            await relay.wants("0")
            await relay.wants("0.5")
            assert relay.meanings()[1:] == [f"sell {BTC}", f"buy {BTC}"], "another refusal came between"
            relay.hub.answer = '[{"status":"ok"}]'
            await relay.wants("0.5")
            relay.later(9.9)
            assert len(relay.hub.events) == 3
            relay.later(0.1)
            await relay.until(lambda: len(relay.hub.events) == 4)
            await relay.until(relay._idle.is_set)
            return relay

    relay = asyncio.run(scenario())
    assert relay.meanings()[3:] == [f"buy {BTC}"]
    assert len(relay.said_of("nbt refused it: no such pair; it is taken to have what it had: flat")) == 3
    assert len(relay.said_of("nbt refused it")) == 3, "and is told once"
    assert relay.said_of("still open") == [f"still open at nbt, and not closed by us: long nexus:{BTC}"]


def test_a_new_wish_after_a_refusal_is_not_lost(relaying: Any) -> None:
    """Refused long, wants short while the hub is away, and then long again: the last word is long."""

    async def scenario() -> Running:
        async with relaying() as relay:
            relay.hub.answer = '[{"status":"error","message":"full"}]'
            await relay.wants("0.5")
            relay.hub.answer = '[{"status":"ok"}]'
            relay.loses_the_hub()
            relay.signal(signal("-0.5"))
            relay.signal(signal("0.5"))
            relay.has_the_hub()
            relay.later(10)
            await relay.until(lambda: len(relay.hub.events) == 2)
            await relay.until(relay._idle.is_set)
            return relay

    relay = asyncio.run(scenario())
    assert relay.meanings() == [f"buy {BTC}", f"buy {BTC}"]
    assert relay.said_of("not sent", "enter short: a newer wish came first (1 so far)")


def test_of_a_burst_only_the_last_counts_and_that_is_told(relaying: Any) -> None:
    async def scenario() -> Running:
        async with relaying() as relay:
            await relay.until(lambda: relay._sender._ready)
            for _ in range(2):
                for size in ("0.5", "-0.5", "0"):
                    relay.signal(signal(size))
            await relay.wants("0.25")
            return relay

    relay = asyncio.run(scenario())
    assert relay.meanings() == [f"buy {BTC}"]
    assert len(relay.said_of("of several wishes", "only the latest counts")) == 1
    assert [text.rpartition("(")[2] for text in relay.said_of("a newer wish came first")] == [
        f"{count} so far)" for count in range(1, 5)
    ]


def test_a_refusal_that_comes_late_counts(relaying: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("cli.run.sender.ACKNOWLEDGED_WITHIN", 0.05)
    late: list[Any] = []
    path = tmp_path / "held.json"

    def held() -> Any:
        return json.loads(path.read_text())["held"]

    async def keep(socket: ServerConnection, event: Any) -> bool:
        late.append(socket)
        return True

    async def refuse(which: int) -> None:
        await late[0].send(f'43{which}[{{"status":"error","message":"too fast"}}]')

    async def scenario() -> Running:
        async with relaying(held_file=path) as relay:
            relay.hub.on_event = keep
            await relay.wants("0.5")
            assert held() == {f"nexus:{BTC}": "long"}
            await refuse(0)
            await relay.until(lambda: bool(relay.said_of("too fast")))
            assert relay._positions.open_positions() == {}
            assert held() == {f"nexus:{BTC}": "flat"}
            relay.later(10)
            await relay.wants("0.5")
            await relay.wants("0")
            await refuse(1)
            await relay.until(lambda: len(relay.said_of("too fast")) == 2)
            await relay.wants("0.5")
            await relay.wants("0.5", "ETHUSDT")
            return relay

    relay = asyncio.run(scenario())
    assert relay.meanings() == [f"buy {BTC}", f"buy {BTC}", f"sell {BTC}", "buy ETHUSDT"]
    assert relay.said_of("too fast", "it is taken to have what it had: flat")
    assert relay.said_of("too fast", "after more was sent", "not known now")


def test_a_hub_that_acknowledges_and_is_gone_before_it_did_leaves_a_doubt(relaying: Any) -> None:
    async def drop(socket: ServerConnection, event: Any) -> bool:
        await (await socket.ping())  # what was sent before it has arrived
        await asyncio.sleep(0.05)
        socket.transport.abort()
        return True

    async def scenario() -> Running:
        async with relaying() as relay:
            await relay.wants("0.5")
            relay.hub.on_event = drop
            await relay.wants("0")
            relay.hub.on_event = None
            await relay.wants("0.5")
            return relay

    relay = asyncio.run(scenario())
    assert relay.meanings() == [f"buy {BTC}", f"sell {BTC}"]
    assert relay.said_of("it was sent, and then", "whether it was taken is not known")


@pytest.mark.parametrize(
    ("first", "doubted"),
    [
        ([], True),  # nobody knows whether this hub answers
        (["answers"], True),
        (["answers", "is silent"], True),
        (["is silent"], False),  # it never answers: what has arrived is taken
    ],
)
def test_what_arrived_at_a_hub_that_went_before_it_answered(
    relaying: Any, monkeypatch: pytest.MonkeyPatch, first: list[str], doubted: bool
) -> None:
    monkeypatch.setattr("cli.run.sender.ACKNOWLEDGED_WITHIN", 0.2)

    async def drop(socket: ServerConnection, event: Any) -> bool:
        await asyncio.sleep(0.05)  # the answer to the ping goes out meanwhile
        socket.transport.abort()
        return True

    async def be_silent(socket: ServerConnection, event: Any) -> bool:
        return True

    async def scenario() -> Running:
        async with relaying() as relay:
            for number, does in enumerate(first):
                relay.hub.on_event = be_silent if does == "is silent" else None
                await relay.wants("0.5", f"PAIR{number}")
            relay.hub.on_event = drop
            await relay.wants("0.5")
            return relay

    relay = asyncio.run(scenario())
    assert bool(relay.said_of(BTC, "whether it was taken is not known")) == doubted
    assert bool(relay.said_of("still open", BTC)) != doubted


def test_a_refusal_that_comes_while_the_next_signal_is_under_way_leaves_a_doubt(
    relaying: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.run.sender.ACKNOWLEDGED_WITHIN", 0.05)
    sockets: list[Any] = []

    async def keep(socket: ServerConnection, event: Any) -> bool:
        sockets.append(socket)
        if len(sockets) == 2:
            monkeypatch.setattr("cli.run.sender.ACKNOWLEDGED_WITHIN", 30.0)
            await socket.send('430[{"status":"error","message":"too fast"}]')
        return True

    async def scenario() -> Running:
        async with relaying() as relay:
            relay.hub.on_event = keep
            await relay.wants("0.5")
            relay.signal(signal("0"))
            await relay.until(lambda: bool(relay.said_of("too fast")))
            return relay

    relay = asyncio.run(scenario())
    assert relay.said_of("too fast", "after more was sent", "not known now")
    assert not relay.said_of("it is taken to have what it had")


def test_what_has_no_answer_yet_is_said_to_be_under_way(relaying: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.bot.hub.relay.ANSWERED_SOON", 0.05)
    gate = asyncio.Event()

    async def wait(socket: ServerConnection, event: Any) -> bool:
        await gate.wait()
        return False

    async def scenario() -> Running:
        async with relaying() as relay:
            await relay.until(lambda: relay._sender._ready)
            relay.hub.on_event = wait
            relay.signal(signal("0.5"))
            relay.signal(signal("-0.5", "ETHUSDT"))
            await relay.until(lambda: bool(relay.said_of("enter long", "is under way: nbt has not answered yet")))
            relay.forget(*NEXUS_BTC)
            assert [text.partition(":")[0] for text in relay.said_of("waits: nexus:BTCUSDT")] == ["ETHUSDT"]
            relay.live(*NEXUS_BTC)
            relay.signal(signal("-0.5", extra={"stale": True}))
            assert relay.said_of("nbt has flat, and enter long is under way")
            gate.set()
            await relay.until(relay._idle.is_set)
            said = len(relay.said_of("is under way: nbt"))
            await asyncio.sleep(0.1)
            assert len(relay.said_of("is under way: nbt")) == said, "what was answered is not under way"
            return relay

    assert asyncio.run(scenario()).meanings() == [f"buy {BTC}", "sell ETHUSDT"]


def test_what_could_not_be_handed_over_is_tried_again_and_not_at_once(
    relaying: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.bot.hub.relay.AGAIN_AFTER", 0.2)

    async def scenario() -> Running:
        async with relaying() as relay:
            await relay.until(lambda: relay._sender._ready)
            tries: list[float] = []
            send = relay._sender.send

            async def fail(command: Any, timeout: float) -> Outcome:
                assert timeout == 0.0, "what was judged for now must not wait"
                tries.append(timeout)
                return await send(command, timeout) if len(tries) > 2 else Outcome(False, "no room; nothing was sent")

            monkeypatch.setattr(relay._sender, "send", fail)
            relay.signal(signal("0.5"))
            await relay.until(lambda: len(tries) == 1)
            assert relay._positions._under_way is None
            await asyncio.sleep(0.1)
            assert len(tries) == 1
            await relay.until(relay._idle.is_set)
            assert len(tries) == 3
            return relay

    relay = asyncio.run(scenario())
    assert relay.meanings() == [f"buy {BTC}"]
    assert len(relay.said_of("enter long", "no room; nothing was sent")) == 2


@pytest.mark.parametrize("was_there", [True, False])
def test_what_grew_old_while_this_machine_slept_is_said_when_the_hub_is_back(relaying: Any, was_there: bool) -> None:
    """No timer has run: only the clock tells. The same where the hub was away from the start."""

    async def scenario() -> Running:
        async with relaying() as relay:
            if was_there:
                await relay.wants("0.5", "ETHUSDT")
                relay.loses_the_hub()
            else:
                await relay.loses_the_hub_when_it_is_there()
            relay.signal(signal("0.5"))
            await asyncio.sleep(0.05)  # it waits for the hub
            assert not relay.said_of("it was wanted too long ago")
            relay.seconds += 90
            relay.has_the_hub()
            await relay.until(lambda: bool(relay.said_of(BTC, "it was wanted too long ago")))
            return relay

    assert asyncio.run(scenario()).meanings() == (["buy ETHUSDT"] if was_there else [])


# --- what is not relayed -------------------------------------------------------------------------------------------


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
    assert f"not relayed: nexus:{BTC} size 0.5, since a market was not live; nbt has flat" in relay.said
    assert f"not relayed: nexus:{BTC} size 0.5, since it came from data 1500 ms old; nbt has flat" in relay.said
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


def test_an_end_that_takes_too_long_leaves_nothing_behind(relaying: Any) -> None:
    async def never(socket: ServerConnection, event: Any) -> bool:
        return True

    async def scenario() -> Running:
        async with relaying() as relay:
            await relay.until(lambda: relay._sender._ready)
            relay.hub.on_event, relay.hub.mute = never, {Opcode.PONG}
            relay.signal(signal("0.5"))
            relay.signal(signal("0.5", "ETHUSDT"))
            await relay.until(lambda: len(relay.hub.events) == 1)
            await relay.close(0.05, hurried=False)
            assert relay._timer is None or relay._timer.cancelled()
            relay.live(*NEXUS_BTC)
            assert relay._timer is None or relay._timer.cancelled()
            return relay

    relay = asyncio.run(scenario())
    assert relay.meanings() == [f"buy {BTC}"]
    assert relay.said_of("not sent: ETHUSDT: enter long")
    assert relay.said_of(f"not known at nbt: nexus:{BTC} is flat or long")


def test_what_arrived_before_the_end_is_taken_by_a_hub_that_never_answers(
    relaying: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.run.sender.ACKNOWLEDGED_WITHIN", 0.05)

    async def be_silent(socket: ServerConnection, event: Any) -> bool:
        return True

    async def scenario() -> Running:
        async with relaying() as relay:
            relay.hub.on_event = be_silent
            await relay.wants("0.5", "ETHUSDT")
            monkeypatch.setattr("cli.run.sender.ACKNOWLEDGED_WITHIN", 60.0)
            relay.signal(signal("0.5"))
            await relay.until(lambda: any(one.arrived for one in relay._sender._underway))
            await relay.close(0.05, hurried=False)
            return relay

    relay = asyncio.run(scenario())
    assert relay.said_of("still open at nbt", f"long nexus:{BTC}")
    assert not relay.said_of("not known at nbt")


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
    assert asyncio.run(Host(request, Words(), redactor, followers=[follower]).run()) == 0
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
        (("--held", "x"), "--held applies to --relay only"),
        (
            ("--relay", "nbt", "--yes", "--held", "nexus:SPOT_BTC_USDT=long", "--held", "woox:SPOT_BTC_USDT=long"),
            "expected one market of SPOT_BTC_USDT as held, got nexus:SPOT_BTC_USDT and woox:SPOT_BTC_USDT",
        ),
    ],
)
def test_usage(arguments: tuple[str, ...], words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "flip.py"
    path.write_text(FLIP, encoding="utf-8")
    assert main.run(["bot", "run", str(path), *arguments]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert words in err
