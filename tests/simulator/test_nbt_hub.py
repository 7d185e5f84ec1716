"""The simulated NBT hub by itself: who hears its own signals, and the bounds of what it takes."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from venues.nbt.simulator import endpoint
from venues.nbt.simulator.endpoint import Nbt, _Hub, _Session
from venues.simulator.endpoint import Handshake
from venues.simulator.faults import BAD_NUMBERS
from venues.simulator.session import Refused
from venues.simulator.world import World
from venues.simulator.world_clock import ManualClock

KEY = "a-key"
SIGNAL = {"key": KEY, "stratname": "S", "pair": "X"}
NO_JSON = "expected JSON with buy_signal, got binary data or NaN"
THERE_ARE = "there are buy_signal, sell_signal, traded_buy_signal, traded_sell_signal"


class Talk:
    """A hub whose world says nothing, with a client that receives, and a sender."""

    def __init__(self, hush: float = 0.0) -> None:
        self.stage = SimpleNamespace(now=10_000)
        world: Any = SimpleNamespace(stage=self.stage, hush=hush, markets={})
        self.hub = _Hub(world, KEY)
        self.heard: list[tuple[str, Any]] = []
        self.errors: list[tuple[str, Any]] = []
        self.client = self.came(self.heard, receives=True)
        self.sender = self.came(self.errors, receives=False)
        self.heard.clear()

    def came(self, heard: list[tuple[str, Any]], *, receives: bool) -> _Session:
        voice: Any = SimpleNamespace(say=lambda event, data: heard.append((event, data)))
        session = _Session(self.hub, voice, receives=receives)
        session.opened()
        return session

    def send(self, event: str = "buy_signal", **fields: Any) -> str:
        """What the sender is told: "" if its signal was taken."""
        answer = self.sender.receive(event, {**SIGNAL, **fields})
        told, self.errors[:] = [*self.errors], []
        if answer == {"status": "ok"}:
            assert told == []
            return ""
        assert told == [("error", {"message": answer["message"]})]
        assert answer == {"status": "error", "message": answer["message"]}
        return str(answer["message"])

    def last(self) -> Any:
        return self.heard[-1][1]


@pytest.mark.parametrize(("later", "hears"), [(0, False), (1_499, False), (1_500, True), (9_000, True)])
def test_who_has_just_come_hears_no_signal_of_the_hubs_own(later: int, hears: bool) -> None:
    talk = Talk(hush=1.5)
    talk.stage.now += later
    for event in ("buy_signal", "close_traded_signal", "message", "user_payload"):
        talk.hub.tell_own(event, later)
    signals = ["buy_signal", "close_traded_signal"] * hears
    assert talk.heard == [(event, later) for event in (*signals, "message", "user_payload")]


def test_a_client_gets_what_is_traded_for_the_account_as_it_comes_and_nothing_once_it_has_gone() -> None:
    talk = Talk()
    talk.came(talk.heard, receives=True)
    ((event, payload),) = talk.heard
    assert (event, payload) == ("user_payload", endpoint.user_payload())
    talk.heard.clear()
    assert talk.send() == ""
    assert len(talk.heard) == 2
    talk.client.closed()
    talk.client.closed()
    talk.sender.closed()
    assert talk.send() == ""
    assert len(talk.heard) == 3


def test_who_sends_does_not_hear_itself() -> None:
    talk = Talk()
    assert talk.client.receive("buy_signal", SIGNAL) == {"status": "ok"}
    assert talk.heard == []


WORD = "expected a text of 1 to 200 characters as {}"


@pytest.mark.parametrize("name", ["stratname", "pair"])
@pytest.mark.parametrize(
    ("given", "is_taken"), [("", False), ("x", True), ("x" * 200, True), ("x" * 201, False), (7, False), (None, False)]
)
def test_a_name_has_1_to_200_characters(name: str, given: Any, is_taken: bool) -> None:
    assert Talk().send(**{name: given}) == ("" if is_taken else WORD.format(name))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, None),
        ("1", "1"),
        ("1" * 200, "1" * 200),
        (0.5, "0.5"),
        (7, "7"),
        (1e300, "1" + "0" * 300),
    ],
)
def test_a_number_is_told_as_a_text(given: Any, told: str | None) -> None:
    talk = Talk()
    assert talk.send(buy_price=given) == ""
    assert talk.last().get("price") == told


@pytest.mark.parametrize(
    "given", ["1" * 201, "NaN", "Infinity", "sNaN", "x", "", True, False, float("nan"), float("inf"), [], {}]
)
@pytest.mark.parametrize(
    ("event", "name"), [("sell_signal", "sell_price"), ("buy_signal", "stop_loss"), ("traded_buy_signal", "qty")]
)
def test_what_is_no_number(event: str, name: str, given: Any) -> None:
    talk = Talk()
    assert talk.send(event, **{name: given}) == f"expected a number as {name}, got {str(given)[:40]!a}"
    assert talk.heard == []


def test_a_message_may_be_anything_and_what_has_the_key_in_it_is_left_out() -> None:
    talk = Talk()
    names = {"userid": "3301", "nickname": "simulated trader", "stratid": "5001", "stratname": "S", "pair": "X"}
    assert talk.send(message=["x"], stop_profit="5", stop_loss=3) == ""
    told = {**names, "score": "NA", "message": ["x"], "stop_profit": "5", "stop_loss": 3, "new": True}
    assert talk.heard == [("buy_signal", told)]
    assert talk.send(message=f"my key is {KEY}", stop_profit=None) == ""
    assert talk.last() == {**names, "score": "NA", "new": True}
    assert talk.send("traded_sell_signal", qty="2", trading_type="real") == ""
    assert talk.heard[-1] == ("traded_sell_signal", {**names, "trading_type": "real", "qty": "2", "new": True})
    assert talk.send("traded_sell_signal") == ""
    assert talk.last() == {**names, "new": True}


def test_a_signal_opens_unless_the_other_side_is_held() -> None:
    talk = Talk()
    found = []
    for event in (
        "buy",
        "buy",
        "sell",
        "sell",
        "buy",
        "traded_buy",
        "sell",
        "traded_buy",
        "traded_sell",
        "traded_sell",
    ):
        assert talk.send(f"{event}_signal") == ""
        found.append(talk.last()["new"])
    assert found == [True, True, False, True, False, True, True, True, False, True]


def test_the_oldest_positions_and_no_more_strategies_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "_MOST_HELD", 2)
    monkeypatch.setattr(endpoint, "_MOST_STRATEGIES", 2)
    talk = Talk()
    assert [talk.send(stratname=name) for name in "ABA"] == [""] * 3
    assert talk.send(stratname="C") == "expected at most 2 strategies"
    assert talk.send(stratname="C", stratid=7) == ""
    found = []
    for name in "CAB":  # the last ones that opened are C and A
        assert talk.send("sell_signal", stratname=name, stratid=1) == ""
        found.append(talk.last()["new"])
    assert found == [False, False, True]
    assert [talk.send(stratname=name) or talk.last()["stratid"] for name in "AB"] == ["5001", "5002"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("681", "681"),
        (681, "681"),
        (0, "0"),
        ("x" * 201, "x" * 200),
        ("", "5001"),
        (None, "5001"),
        (True, "5001"),
        (1.5, "5001"),
    ],
)
def test_a_strategy_has_the_id_that_is_given_or_the_next_one(given: Any, told: str) -> None:
    talk = Talk()
    assert talk.send(stratid=given) == ""
    assert talk.last()["stratid"] == told


@pytest.mark.parametrize(
    ("event", "data", "said"),
    [
        ("close_signal", {}, f"unknown event 'close_signal'; {THERE_ARE}"),
        ("x" * 41, {}, f"unknown event '{'x' * 40}'; {THERE_ARE}"),
        ("buy_signal", ["x"], "expected an object with buy_signal"),
        ("buy_signal", {"key": "other"}, "expected your key in buy_signal"),
        ("buy_signal", {}, "expected your key in buy_signal"),
        ("buy_signal", {**SIGNAL, "message": float("nan")}, NO_JSON),
        ("buy_signal", {**SIGNAL, "message": b"x"}, NO_JSON),
    ],
)  # fmt: skip
def test_a_wrong_signal_goes_nowhere(event: str, data: Any, said: str) -> None:
    talk = Talk()
    assert talk.sender.receive(event, data) == {"status": "error", "message": said}
    assert (talk.errors, talk.heard) == ([("error", {"message": said})], [])


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"key": "sim-nbt-key", "type": "client"}, ""),
        ({"key": "sim-nbt-key", "type": "server"}, ""),
        ({"key": "x", "type": "client"}, "unknown key: connect with your BvA key in the query"),
        ({"type": "client"}, "unknown key: connect with your BvA key in the query"),
        ({"key": "sim-nbt-key"}, "expected type=client or type=server in the query, got 'None'"),
        (
            {"key": "sim-nbt-key", "type": "x" * 41},
            f"expected type=client or type=server in the query, got '{'x' * 40}'",
        ),
    ],
)
def test_who_is_let_in(query: dict[str, str], said: str) -> None:
    world = World(ManualClock(), seed=1, rate=20.0)
    before = len(world._processes)
    venue = Nbt(world)
    assert len(world._processes) == before + 1, "the hub says something by itself"
    enter = partial(venue._enter, SimpleNamespace(say=lambda event, data: None), Handshake({}, query, {}))  # type: ignore[arg-type]
    if said:
        with pytest.raises(Refused) as refused:
            enter()
        assert str(refused.value) == said
    else:
        enter().opened()
        assert len(venue._hub._sessions) == (query["type"] == "client")


@pytest.mark.parametrize(
    ("event", "given", "best", "price"),
    [
        ("buy_signal", {}, {"sell": Decimal("10.5"), "buy": Decimal(9)}, "10.50000000"),
        ("sell_signal", {}, {"sell": Decimal("10.5"), "buy": Decimal(9)}, "9.00000000"),
        ("buy_signal", {}, {"buy": Decimal(9)}, None),
        ("buy_signal", {"buy_price": "7"}, {"sell": Decimal("10.5")}, "7"),
        ("buy_signal", {"sell_price": "7"}, {"sell": Decimal("10.5")}, "10.50000000"),
    ],
)
def test_a_price_that_is_not_given_is_that_of_the_book(
    event: str, given: dict[str, Any], best: dict[str, Decimal], price: str | None
) -> None:
    talk = Talk()
    talk.hub._world.markets = {"BTC_USDT": SimpleNamespace(best=best.get)}  # type: ignore[misc, dict-item]
    assert talk.send(event, pair="BTCUSDT", **given) == ""
    assert talk.last().get("price") == price
    assert talk.send(event, pair="OTHER") == ""
    assert "price" not in talk.last()


def test_bad_events_are_signals_without_sense_and_one_that_nobody_knows() -> None:
    numbers = [*BAD_NUMBERS, '"NaN"', '" 1"', "true"]
    assert [(bad.name, bad.data.decode()) for bad in Talk().client.garbage()] == [
        ("buy_signal", '{"stratid":"1","new":true}'),
        ("buy_signal", '["BTCUSDT"]'),
        ("buy_signal", '{"pair":"BTCUSDT"'),
        ("sell_signal", '{"pair":7,"new":"yes","stratid":{}}'),
        ("close_traded_signal", '{"pair":"BTCUSDT","qty":[]}'),
        ("stop_traded_signal", "null"),
        *(("sell_signal", f'{{"pair":"BTCUSDT","new":true,"price":{number}}}') for number in numbers),
        ("weather", '{"rain":true}'),
    ]
