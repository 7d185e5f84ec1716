"""The simulated NBT hub through a real WebSocket: who is let in, what becomes of a signal, what the hub says itself."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from tests import simulated
from venues.nbt.simulator.strategies import Doings
from venues.simulator import ManualClock

from .events import Talk, hub, run, talk


class Simulator(simulated.Simulator):
    venue = "nbt"


SIGNAL = ["userid", "nickname", "stratid", "stratname", "pair", "price", "new", "score"]
TRADED = ["userid", "nickname", "stratid", "stratname", "pair", "trading_type", "qty"]
PAYLOAD = ["stratid", "trading", "trading_type", "buy_amount", "stop_loss", "take_profit"]
OWN = "3301"  # the user id of the account


def quiet() -> Simulator:
    """A hub that says nothing by itself."""
    return Simulator(rate=0)


def signal(simulator: Simulator, **fields: Any) -> dict[str, Any]:
    return {"key": simulator.credentials("nbt")["key"], "stratname": "S", "pair": "GXSUSDT", **fields}


async def acknowledged(client: Talk, event: str, data: Any, number: int) -> Any:
    await client.emit(event, data, ack=number)
    return json.loads((await client.heard(f"43{number}["))[2 + len(str(number)) :])


async def last(client: Talk, count: int) -> Any:
    """The last of so many events after the first one, which tells of the account's strategies."""
    return (await client.until(lambda said: len(said) == count + 1))[-1]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("&type=client&key=wrong", "unknown key: connect with your BvA key in the query"),
        ("&type=client", "unknown key: connect with your BvA key in the query"),
        ("&type=trader&key=sim-nbt-key", "expected type=client or type=server in the query, got 'trader'"),
        ("&v=1&key=sim-nbt-key", "expected type=client or type=server in the query, got 'None'"),
    ],
)
def test_who_is_not_let_in_is_told_why(query: str, said: str) -> None:
    async def test() -> None:
        async with Simulator(rate=400) as simulator, talk(simulator, "nbt", query=query) as client:
            (answer,) = [text for text in client.others if text[0] == "4"]
            assert (answer[:2], json.loads(answer[2:])) == ("44", {"message": said})
            await client.emit("buy_signal", signal(simulator), ack=1)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.take(), 0.1)

    run(test())


def test_a_signal_becomes_what_the_others_receive() -> None:
    async def test() -> None:
        async with (
            quiet() as simulator,
            hub(simulator) as one,
            hub(simulator) as other,
            hub(simulator, "server") as silent,
            hub(simulator, "server") as sender,
        ):
            await other.until(lambda said: len(said) == 1)
            sent = signal(simulator, buy_price=0.9245, message=1716135452487, stop_profit=5, stop_loss="2.5", junk=1)
            assert await acknowledged(sender, "buy_signal", sent, 1) == [{"status": "ok"}]
            for client in (one, other):
                name, data = await last(client, 1)
                assert name == "buy_signal"
                assert data == {
                    "userid": OWN,
                    "nickname": "simulated trader",
                    "stratid": "5001",
                    "stratname": "S",
                    "pair": "GXSUSDT",
                    "price": "0.9245",
                    "score": "NA",
                    "message": 1716135452487,
                    "stop_profit": 5,
                    "stop_loss": "2.5",
                    "new": True,
                }
            assert not silent.said
            assert not sender.said

    run(test())


def test_new_is_worked_out_from_what_is_open() -> None:
    async def test() -> None:
        async with quiet() as simulator, hub(simulator) as client, hub(simulator, "server") as sender:
            expected: tuple[tuple[str, dict[str, Any], bool], ...] = (
                ("buy_signal", {}, True),
                ("sell_signal", {"pair": "OTHER"}, True),
                ("sell_signal", {"stratname": "T"}, True),
                ("sell_signal", {}, False),
                ("sell_signal", {}, True),
                ("sell_signal", {}, True),
                ("traded_buy_signal", {"qty": 1}, True),
                ("buy_signal", {}, False),
                ("traded_sell_signal", {"qty": 1}, False),
                ("buy_signal", {"pair": "OTHER"}, False),
                ("buy_signal", {"stratname": "T"}, False),
            )
            for count, (event, fields, new) in enumerate(expected, 1):
                await sender.emit(event, signal(simulator, **fields))
                assert (await last(client, count)).data["new"] is new, (count, event, fields)
            ids = {said.data["stratname"]: said.data["stratid"] for said in client.said[1:]}
            assert ids == {"S": "5001", "T": "5002"}

    run(test())


def test_traded_signals_reach_the_accounts_other_traders_and_not_their_sender() -> None:
    async def test() -> None:
        async with quiet() as simulator, hub(simulator) as monitor, hub(simulator) as trader:
            await trader.until(lambda said: len(said) == 1)
            sent = signal(simulator, stratid=681, trading_type="real", qty=0.25)
            await trader.emit("traded_sell_signal", sent)
            name, data = await last(monitor, 1)
            assert (name, data["stratid"], data["trading_type"], data["qty"]) == (
                *("traded_sell_signal", "681"),
                *("real", 0.25),
            )
            assert [*TRADED, "new"] == list(data)
            assert await acknowledged(trader, "traded_buy_signal", sent, 8) == [{"status": "ok"}]
            assert len(trader.said) == 1

    run(test())


def test_a_price_that_is_not_given_is_that_of_the_book() -> None:
    async def test() -> None:
        async with quiet() as simulator, hub(simulator) as client, hub(simulator, "server") as sender:
            book = simulator.world.markets["ETH_USDT"]
            await sender.emit("buy_signal", signal(simulator, pair="ETHUSDT"))
            assert Decimal((await last(client, 1)).data["price"]) == book.best("sell")
            await sender.emit("sell_signal", signal(simulator, pair="ETHUSDT"))
            assert Decimal((await last(client, 2)).data["price"]) == book.best("buy")
            await sender.emit("sell_signal", signal(simulator))
            assert "price" not in (await last(client, 3)).data
            for count, (price, text) in enumerate(
                ((1e-7, "0.0000001"), (100, "100"), ("0.92450000", "0.92450000"), (64_999.31, "64999.31")), 4
            ):
                await sender.emit("buy_signal", signal(simulator, buy_price=price))
                assert (await last(client, count)).data["price"] == text

    run(test())


def test_who_has_just_come_gets_the_signals_of_senders_and_later_those_that_are_made_up_too() -> None:
    def made_up(client: Talk) -> list[str]:
        return [said.name for said in client.said if said.name.endswith("_signal") and said.data["userid"] != OWN]

    async def test() -> None:
        clock = ManualClock(1_700_000_000_000)
        async with (
            Simulator(rate=20, hush=60, clock=clock) as simulator,
            hub(simulator) as client,
            hub(simulator, "server") as sender,
        ):
            clock.advance(40_000)
            await client.until(lambda said: sum(event.name == "message" for event in said) > 4)
            await sender.emit("buy_signal", signal(simulator))
            await client.until(lambda said: said[-1].name == "buy_signal")
            assert made_up(client) == []
            clock.advance(40_000)
            await client.until(lambda _: len(made_up(client)) > 4)

    run(test())


def test_the_key_is_in_nothing_that_others_receive() -> None:
    async def test() -> None:
        async with quiet() as simulator, hub(simulator) as client, hub(simulator, "server") as sender:
            key = simulator.credentials("nbt")["key"]
            hidden = {"message": {"a": [f"my key is {key}"]}, "stratname": f"S {key}"}
            await sender.emit("buy_signal", signal(simulator, **hidden))
            await sender.emit("traded_buy_signal", signal(simulator, stratid=key, qty=1, trading_type=key))
            await last(client, 2)
            assert key not in json.dumps(client.said)
            assert client.said[1].data["pair"] == "GXSUSDT"

    run(test())


@pytest.mark.parametrize(
    ("event", "fields", "said"),
    [
        ("buy_signal", {"key": "wrong"}, "expected your key in buy_signal"),
        ("buy_signal", {"pair": ""}, "expected a text of 1 to 200 characters as pair"),
        ("buy_signal", {"pair": None}, "expected a text of 1 to 200 characters as pair"),
        ("buy_signal", {"stratname": 7}, "expected a text of 1 to 200 characters as stratname"),
        ("buy_signal", {"buy_price": "cheap"}, "expected a number as buy_price, got 'cheap'"),
        ("sell_signal", {"sell_price": float("nan")}, "expected a number as sell_price, got 'nan'"),
        ("sell_signal", {"sell_price": True}, "expected a number as sell_price, got 'True'"),
        ("buy_signal", {"stop_loss": []}, "expected a number as stop_loss, got '[]'"),
        ("buy_signal", {"message": [float("nan")]}, "expected JSON with buy_signal, got binary data or NaN"),
        ("traded_buy_signal", {"qty": "sNaN"}, "expected a number as qty, got 'sNaN'"),
        ("close_signal", {}, "unknown event 'close_signal'; there are buy_signal, sell_signal, traded_buy_signal, "),
    ],
)
def test_a_wrong_signal_is_answered_and_goes_nowhere(event: str, fields: dict[str, Any], said: str) -> None:
    async def test() -> None:
        async with quiet() as simulator, hub(simulator) as client, hub(simulator, "server") as sender:
            (answer,) = await acknowledged(sender, event, signal(simulator, **fields), 3)
            assert answer["status"] == "error"
            assert answer["message"].startswith(said)
            assert sender.said == [("error", {"message": answer["message"]})]
            (answer,) = await acknowledged(sender, "buy_signal", ["BTCUSDT"], 4)
            assert answer == {"status": "error", "message": "expected an object with buy_signal"}
            await sender.emit("buy_signal", signal(simulator))
            assert (await last(client, 1)).name == "buy_signal"

    run(test())


def test_a_signal_with_binary_data_goes_nowhere() -> None:
    async def test() -> None:
        async with quiet() as simulator, hub(simulator) as client, hub(simulator, "server") as sender:
            fields = signal(simulator, message={"_placeholder": True, "num": 0})
            await sender.socket.send(f"451-3{json.dumps(['buy_signal', fields])}")
            await sender.socket.send(b"binary")
            assert "expected JSON with buy_signal" in await sender.heard("433[")
            await sender.emit("buy_signal", signal(simulator, message="words"))
            assert (await last(client, 1)).data["message"] == "words"

    run(test())


def test_the_hub_itself_says_what_a_monitor_wants_to_see() -> None:
    async def test() -> None:
        clock = ManualClock()
        async with Simulator(seed=3, clock=clock) as simulator, hub(simulator) as client:
            await client.until(lambda said: len(said) == 1)
            held: dict[tuple[str, str], str] = {}
            traded: dict[tuple[str, str], str] = {}
            simulator.world.advance(simulator.world.stage.now + 120_000)
            await acknowledged(client, "none", {}, 1)
            client.said = [said for said in client.said if said.name != "error"]
            names = {said.name for said in client.said}
            assert names == {
                *("buy_signal", "sell_signal", "message", "user_payload"),
                *("close_traded_signal", "stop_traded_signal"),
            }
            followed = {row["stratid"] for row in client.of("user_payload")[0]}
            for name, data in client.said:
                check(name, data)
                if name in ("buy_signal", "sell_signal"):
                    place = data["stratid"], data["pair"]
                    before_it = held.pop(place, None)
                    assert data["new"] is (before_it is None)
                    if data["new"]:
                        held[place] = name
                        if data["stratid"] in followed:
                            traded[place] = name
                    else:
                        assert before_it != name
                        traded.pop(place, None)
                elif name in ("close_traded_signal", "stop_traded_signal"):
                    assert traded.pop((data["stratid"], data["pair"]))

    run(test())


def check(name: str, data: Any) -> None:
    if name == "message":
        assert type(data) is str
    elif name == "user_payload":
        for row in data:
            assert list(row) == PAYLOAD
            assert all(type(value) is str for key, value in row.items() if key != "trading")
    elif name in ("close_traded_signal", "stop_traded_signal"):
        assert [key for key in data if key != "close_price"] == TRADED
        assert ("close_price" in data) is (name == "close_traded_signal")
        assert all(type(value) is str for value in data.values())
        assert Decimal(data["qty"]) > 0
    else:
        assert list(data) == SIGNAL
        assert all(type(value) is str for key, value in data.items() if key != "new")
        assert type(data["new"]) is bool
        assert len(data["price"].partition(".")[2]) == 8
        assert data["score"] == "NA" or Decimal(data["score"]).is_finite()


def test_without_a_price_there_is_no_signal() -> None:
    told: list[str] = []
    market = SimpleNamespace(best=lambda side: None)
    world: Any = SimpleNamespace(seed=1, stage=SimpleNamespace(now=0), markets={"M": market})
    doings = Doings(world, {"GXSUSDT": "M"}, 20, lambda event, data: told.append(event))
    for _ in range(50):
        doings.step()
    assert set(told) == {"message", "user_payload"}
