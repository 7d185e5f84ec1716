"""One connection to the simulated Kraken, message by message, in a market in which only happens what the test says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from venues.kraken.simulator.endpoint import Kraken
from venues.simulator.endpoint import Handshake

from .plays import Link
from .test_venue_parts import Taped

STAMP = "2023-11-14T22:14:00.000000Z"  # NOW
PONG = {"method": "pong", "time_in": STAMP, "time_out": STAMP}
HEARTBEAT = {"channel": "heartbeat"}


class Talk:
    """A connection; `passed` turns its clock."""

    def __init__(self, venue: Kraken | None = None, **faults: float) -> None:
        self.taped = Taped()
        self.taped.world.faults = faults  # type: ignore[misc]
        self.clock: Any = self.taped.world.clock
        self.venue = venue or Kraken(self.taped.world)
        (admit,) = self.venue.sockets().values()
        self.link = Link(self.clock)
        connect: Any = admit(Handshake({}, {}, {}))
        self.peer = connect(self.link)
        self.peer.opened()
        self.opening = self.told()

    def told(self) -> list[Any]:
        frames = [data for _, data in self.link.frames]
        self.link.frames.clear()
        return [json.loads(data) if data.startswith(b"{") else data.decode() for data in frames]

    def passed(self, milliseconds: int) -> list[Any]:
        self.clock.advance(milliseconds)
        self.link.step()
        return self.told()

    def say(self, frame: str | bytes) -> list[Any]:
        self.peer.receive(frame)
        return self.told()

    def ask(self, channel: str, *symbols: str, method: str = "subscribe", **more: Any) -> list[Any]:
        params: dict[str, Any] = {"channel": channel, **({"symbol": symbols} if symbols else {}), **more}
        return self.say(json.dumps({"method": method, "params": params, "req_id": 3}))


def done(result: dict[str, Any], method: str = "subscribe") -> dict[str, Any]:
    return {"method": method, "req_id": 3, "result": result, "success": True, "time_in": STAMP, "time_out": STAMP}


def refused(error: str, method: str = "subscribe", **more: Any) -> dict[str, Any]:
    said = {"error": error, "method": method, "req_id": 3, "success": False, "time_in": STAMP, "time_out": STAMP}
    return {**said, **more}


def malformed(**more: Any) -> dict[str, Any]:
    return {"error": "Malformed request", **more, "success": False, "time_in": STAMP, "time_out": STAMP}


def test_a_connection_is_told_its_own_number_and_how_the_engine_is() -> None:
    talk = Talk()
    (first,), (second,) = talk.opening, Talk(talk.venue).opening
    state = {"version": "2.0.10", "system": "online", "api_version": "v2", "connection_id": 7_734_965_360_043_499_012}
    assert first == {"channel": "status", "type": "update", "data": [state]}
    assert second["data"] == [{**state, "connection_id": 7_734_965_360_043_499_013}]


@pytest.mark.parametrize(
    ("frame", "answer"),
    [
        ("x", malformed()),
        (b"\xff", malformed()),
        ("[" * 9_999, malformed()),
        ('{"method":7}', malformed()),
        ('{"method":"dance","req_id":3}', malformed(method="dance")),
        ('{"method":"dance","params":{"channel":"book","symbol":["BTC/USD"]}}', malformed(method="dance")),
        ('{"method":"subscribe","req_id":3}', malformed(method="subscribe")),
        ('{"method":"unsubscribe"}', malformed(method="unsubscribe")),
        ('{"method":"ping"}', PONG),
        ('{"method":"ping","req_id":0}', {**PONG, "req_id": 0}),
        ('{"method":"ping","params":{"channel":"book"}}', PONG),
    ],
)
def test_what_each_frame_is_answered_with(frame: str | bytes, answer: dict[str, Any]) -> None:
    (said,) = Talk().say(frame)
    assert said == answer
    assert list(said) == sorted(said)


PRIVATE = "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com"
TRIGGER = "Subscription event_trigger not supported"


@pytest.mark.parametrize("method", ["subscribe", "unsubscribe"])
@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"channel": "executions"}, PRIVATE),
        ({"channel": "balances"}, PRIVATE),
        ({"channel": "level3", "symbol": ["BTC/USD"]}, PRIVATE),
        ({"channel": "weather"}, "Subscription name invalid"),
        ({"symbol": ["BTC/USD"]}, "Subscription name invalid"),
        ({"channel": "book", "symbol": ["BTC/USD"], "depth": 11}, "Subscription depth not supported"),
        ({"channel": "ohlc", "symbol": ["BTC/USD"], "interval": 2}, "Subscription ohlc interval not supported"),
        ({"channel": "ticker", "symbol": ["BTC/USD"], "event_trigger": "x"}, TRIGGER),
    ],
)
def test_what_there_is_not_is_refused_as_a_whole(params: dict[str, Any], error: str, method: str) -> None:
    talk = Talk()
    assert talk.say(json.dumps({"method": method, "params": params, "req_id": 3})) == [refused(error, method)]


BTC = {"symbol": "BTC/USD"}
LATER = {"channel": "trade", **BTC, "snapshot": False}
OHLC = "timestamp is deprecated, use interval_begin"


@pytest.mark.parametrize(
    ("channel", "more", "result"),
    [
        ("trade", {"depth": 11, "interval": 2, "event_trigger": "x"}, {"snapshot": False}),
        ("trade", {"snapshot": True}, {"snapshot": True}),
        ("book", {"interval": 2, "event_trigger": "x"}, {"depth": 10, "snapshot": True}),
        ("book", {"depth": 1000, "snapshot": False}, {"depth": 1000, "snapshot": False}),
        ("ticker", {"depth": 11, "interval": 2}, {"event_trigger": "trades", "snapshot": True}),
        ("ticker", {"event_trigger": "bbo"}, {"event_trigger": "bbo", "snapshot": True}),
        ("ohlc", {"depth": 11, "event_trigger": "x"}, {"interval": 1, "snapshot": True, "warnings": [OHLC]}),
        ("ohlc", {"interval": 21600}, {"interval": 21600, "snapshot": True, "warnings": [OHLC]}),
    ],
)
def test_a_subscription_says_what_it_is_to_which_only_its_own_settings_count(
    channel: str, more: dict[str, Any], result: dict[str, Any]
) -> None:
    talk = Talk()
    answer, *rest = talk.ask(channel, "BTC/USD", **more)
    assert answer == done({"channel": channel, **BTC, **result})
    assert list(answer["result"]) == sorted(answer["result"])
    assert [(one["channel"], one["type"]) for one in rest] == [(channel, "snapshot")] * result["snapshot"]
    ohlc = " to one ohlc interval on this symbol" if channel == "ohlc" else ""
    assert talk.ask(channel, "BTC/USD") == [refused(f"Already subscribed{ohlc}", symbol="BTC/USD")]


def test_symbols_are_answered_one_by_one_and_each_once_and_then_comes_data() -> None:
    talk = Talk()
    answers = talk.ask("book", "ETH/USD", "NOPE/USD", "BTCUSD", "BTC/USD", "ETH/USD")
    assert [one.get("channel") for one in answers] == [None, None, None, None, "book", "book"]
    assert answers[1] == refused("Currency pair not supported NOPE/USD", symbol="NOPE/USD")
    assert answers[2] == refused("Currency pair not in ISO 4217-A3 format BTCUSD", symbol="BTCUSD")
    assert [answers[at]["result"]["symbol"] for at in (0, 3)] == ["ETH/USD", "BTC/USD"]
    assert [one["data"][0]["symbol"] for one in answers[4:]] == ["ETH/USD", "BTC/USD"]
    assert Talk().ask("book") == [], "of no symbol there is nothing to say"


def test_the_world_hears_which_markets_a_client_comes_to(monkeypatch: pytest.MonkeyPatch) -> None:
    talk, heard = Talk(), list[str]()
    monkeypatch.setattr(talk.taped.world, "joined", heard.append)
    talk.ask("instrument")
    talk.ask("trade", "ETH/USD", "X/USD")
    talk.ask("book", "BTC/USD")
    assert heard == ["ETH_USDT", "BTC_USDT"]


def test_an_unsubscription_is_of_the_same_settings_and_ends_the_data() -> None:
    talk = Talk()
    for channel, more in (("book", {"depth": 25}), ("trade", {}), ("ticker", {}), ("ohlc", {"interval": 5})):
        talk.ask(channel, "BTC/USD", **more)
    not_found = [refused("Subscription Not Found", symbol="BTC/USD")]
    assert talk.ask("book", "BTC/USD", method="unsubscribe") == not_found
    assert talk.ask("ohlc", "BTC/USD", method="unsubscribe", interval=1) == not_found
    assert talk.ask("ticker", "BTC/USD", method="unsubscribe", event_trigger="bbo") == not_found
    talk.taped.trade("9", "0.5")
    talk.taped.book([("9", "3")], [])
    assert [one["channel"] for one in talk.told()] == ["trade", "ticker", "ohlc", "book"]
    left = [
        talk.ask("book", "BTC/USD", method="unsubscribe", depth=25, snapshot=False),
        talk.ask("trade", "BTC/USD", method="unsubscribe"),
        talk.ask("ohlc", "BTC/USD", method="unsubscribe", interval=5),
    ]
    assert left == [
        [done({"channel": "book", "depth": 25, **BTC}, "unsubscribe")],
        [done({"channel": "trade", **BTC}, "unsubscribe")],
        [done({"channel": "ohlc", "interval": 5, **BTC}, "unsubscribe")],
    ]
    talk.taped.trade("9", "0.5")
    talk.taped.book([("9", "4")], [])
    assert [one["channel"] for one in talk.told()] == ["ticker"]
    assert talk.ask("trade", "BTC/USD", method="unsubscribe") == not_found
    assert talk.ask("trade", "BTC/USD") == [done(LATER)], "and may be had again"


def test_a_client_that_has_gone_hears_nothing_any_more() -> None:
    talk = Talk()
    for channel in ("book", "trade", "ticker", "ohlc"):
        talk.ask(channel, "BTC/USD")
    talk.peer.closed()
    talk.taped.trade("9", "0.5")
    talk.taped.book([("9", "3")], [])
    assert talk.told() == []
    assert talk.passed(1_000) == [], "nor a heartbeat"
    assert [talk.peer.farewell(reconnect=one) for one in (True, False)] == [b"", b""]


def test_a_heartbeat_comes_every_second_while_there_is_a_subscription() -> None:
    talk = Talk()
    assert talk.passed(1_000) == []
    talk.ask("trade", "BTC/USD")
    assert [talk.passed(ms) for ms in (999, 1, 999, 1, 2_000)] == [[], [HEARTBEAT], [], [HEARTBEAT], [HEARTBEAT] * 2]


def test_who_asks_for_nothing_is_sent_away_after_a_minute_from_the_last_frame() -> None:
    talk = Talk()
    assert talk.passed(59_000) == []
    talk.say('{"method":"ping"}')
    assert [talk.passed(ms) for ms in (59_999, 1)] == [[], ["finish 1001 "]]
    busy = Talk()
    busy.ask("instrument", snapshot=False)
    assert busy.passed(61_000) == [HEARTBEAT] * 61


def pair(symbol: str, price: int, step: float, qty: int, status: str = "online") -> dict[str, Any]:
    base, _, quote = symbol.partition("/")
    return {
        "symbol": symbol,
        "base": base,
        "quote": quote,
        "status": status,
        "qty_precision": qty,
        "qty_increment": float(f"1e-{qty}"),
        "price_precision": price,
        "cost_precision": 5,
        "marginable": False,
        "has_index": False,
        "cost_min": 0.5,
        "tick_size": step,
        "price_increment": step,
        "qty_min": float(f"1e-{qty}"),
    }


PAIRS = [pair(symbol, 1, 0.1, 8) for symbol in ("BTC/USD", "ETH/USD", "SOL/USD")]


def test_instruments_are_all_pairs_with_their_assets() -> None:
    talk = Talk()
    answer, whole = talk.ask("instrument")
    warned = {"channel": "instrument", "snapshot": True, "warnings": ["tick_size is deprecated, use price_increment"]}
    assert answer == done(warned)
    assets = [
        {
            "id": name,
            "status": "enabled",
            "precision": precision,
            "precision_display": displayed,
            "borrowable": False,
            "collateral_value": 1.0,
            "class": "currency",
        }
        for name, precision, displayed in (("USD", 4, 2), ("BTC", 10, 5), ("ETH", 10, 5), ("SOL", 10, 5))
    ]
    assert whole == {"channel": "instrument", "type": "snapshot", "data": {"assets": assets, "pairs": PAIRS}}
    assert talk.ask("instrument") == [refused("Already subscribed")]
    left = talk.ask("instrument", method="unsubscribe")
    assert left == [done({"channel": "instrument"}, "unsubscribe")]
    assert len(talk.ask("instrument", snapshot=False)) == 1


def test_a_halt_is_announced_then_stops_everything_then_one_pair_alone() -> None:
    """What comes meanwhile is sent when it is over."""
    talk = Talk(halt=7.0)
    (opened,) = talk.opening[0]["data"]
    assert (opened["system"], opened["upcoming_maintenance"], opened["emergency"]) == ("online", [], [])
    talk.ask("instrument", snapshot=False)
    talk.ask("book", "BTC/USD", "ETH/USD")

    def step() -> list[Any]:
        return [one for one in talk.passed(7_000) if one != HEARTBEAT]

    def states(said: list[Any]) -> list[Any]:
        return [one["data"][0] for one in said]

    (announced,) = states(step())
    (coming,) = announced["upcoming_maintenance"]
    times = {"expected_start_utc": "2023-11-14T22:14:14Z", "expected_end_utc": "2023-11-14T22:14:21Z"}
    assert {name: coming[name] for name in (*times, "event_id", "time_to_start_s", "cancel_before_utc")} == {
        **times,
        "event_id": "simulated-1",
        "time_to_start_s": 7,
        "cancel_before_utc": times["expected_start_utc"],
    }
    assert talk.passed(0) == []
    (maintained,) = states(step())
    assert (maintained["system"], maintained["upcoming_maintenance"]) == ("maintenance", [])
    talk.taped.book([("9", "3")], [])
    assert talk.told() == []
    (online, late) = step()
    assert online["data"][0]["system"] == "online"
    assert late["data"][0]["bids"] == [{"price": 9.0, "qty": 3.0}]
    halted = {"assets": [], "pairs": [pair("BTC/USD", 1, 0.1, 8, "cancel_only")]}
    assert step() == [{"channel": "instrument", "type": "update", "data": halted}]
    talk.taped.book([("9", "4")], [])
    assert talk.told() == []
    (over, late) = step()
    assert over["data"]["pairs"] == PAIRS[:1]
    assert late["data"][0]["bids"] == [{"price": 9.0, "qty": 4.0}]
    assert len(step()) == 1, "and so on"


def test_a_mute_connection_answers_and_tells_nothing_else() -> None:
    talk = Talk(mute=5.0)
    talk.ask("trade", "BTC/USD")
    assert talk.passed(4_999) == [HEARTBEAT] * 4
    assert talk.passed(1) == [HEARTBEAT]
    talk.taped.trade("9", "0.5")
    assert talk.passed(2_000) == []
    assert [one["method"] for one in talk.say('{"method":"ping"}')] == ["pong"]
    assert [one["method"] for one in talk.ask("trade", "ETH/USD", snapshot=True)] == ["subscribe"]


def test_a_checksum_is_wrong_every_so_often_and_a_change_is_lost_in_a_gap() -> None:
    talk = Talk(checksum=3.0)
    talk.ask("book", "BTC/USD")
    right, found = Talk(), []
    right.ask("book", "BTC/USD")
    for size, ms in (("3", 2_999), ("4", 1), ("5", 3_000), ("6", 0)):
        for each in (talk, right):
            each.passed(ms)
            each.taped.book([("9", size)], [])
        ((told,), (wanted,)) = (one.told() for one in (talk, right))
        one, other = told["data"][0], wanted["data"][0]
        found.append((one["checksum"] == other["checksum"], one["bids"] == other["bids"]))
    assert found == [(True, True), (True, False), (False, True), (True, True)]
    right.peer.gap()
    right.taped.book([("9", "7")], [])
    assert right.told() == []
    right.taped.book([("9", "8")], [])
    ((told),) = right.told()
    assert told["data"][0]["bids"] == [{"price": 9.0, "qty": 8.0}]
    right.peer.gap()
    right.taped.book([("9", "7")], [])
    assert [len(right.passed(1_000)) for _ in range(3)] == [1, 2, 1], "late, when none has followed"


def test_a_ticker_of_the_best_prices_comes_when_one_of_them_has_changed() -> None:
    talk = Talk()
    talk.taped.book([("9", "1"), ("8", "1")], [("10", "2"), ("11", "1")], whole=True)
    talk.ask("ticker", "BTC/USD", event_trigger="bbo")
    found = []
    for bids, asks in (
        ([("8", "3")], []),
        ([("9", "3")], []),
        ([], [("11", "7")]),
        ([], [("10", "7")]),
        ([], [("10", "0")]),
    ):
        talk.taped.book(bids, asks)
        found.append([(row["bid_qty"], row["ask"], row["ask_qty"]) for one in talk.told() for row in one["data"]])
    assert found == [[], [(3, 10, 2)], [], [(3, 10, 7)], [(3, 11, 7)]]
    talk.taped.trade("9", "0.5")
    assert talk.told() == [], "of a trade only who asked for those"


def test_who_did_not_want_the_whole_book_gets_only_its_changes() -> None:
    talk = Talk()
    assert talk.ask("book", "BTC/USD", snapshot=False) == [
        done({"channel": "book", "depth": 10, **BTC, "snapshot": False})
    ]
    talk.taped.book([("9", "3")], [])
    assert [one["type"] for one in talk.told()] == ["update"]


def test_bad_frames_are_of_each_channel_in_the_first_market() -> None:
    frames = [*Talk().peer.garbage()]
    assert [frame.partition(b',"type"')[0][1:] for frame in frames] == [
        b'"channel":"%b"' % channel
        for channel in (b"book", b"book", b"trade", b"ticker", b"ohlc", *[b"book"] * 4, b"weather")
    ]
    assert all(b'"symbol":"BTC/USD"' in frame for frame in frames[:-1])


def test_what_is_held_back_of_a_book_goes_with_its_subscription() -> None:
    talk = Talk()
    talk.ask("book", "BTC/USD")
    talk.ask("trade", "BTC/USD")
    talk.peer.gap()
    talk.taped.book([("9", "3")], [])
    talk.ask("trade", "BTC/USD", method="unsubscribe")
    talk.ask("trade", "ETH/USD")
    talk.ask("book", "BTC/USD", method="unsubscribe")
    assert talk.passed(3_000) == [HEARTBEAT] * 3


def test_maintenance_begins_as_many_seconds_later_as_the_fault_says() -> None:
    talk = Talk(halt=5_000.0)
    (announced,) = [one for one in talk.passed(5_000_000) if one != "finish 1001 "]
    (coming,) = announced["data"][0]["upcoming_maintenance"]
    assert (coming["expected_start_utc"], coming["expected_end_utc"], coming["time_to_start_s"]) == (
        *("2023-11-15T01:00:40Z", "2023-11-15T02:24:00Z", 5_000),
    )
