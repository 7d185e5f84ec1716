"""The NBT hub's session without a socket: what its events mean, what is sent, and that nothing else ever comes out."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.driver import Driver
from venues.errors import SetupError, UsageError, VenueRefused
from venues.nbt import NBT
from venues.nbt.sending import KINDS, signal_command
from venues.nbt.session import NbtRoute, NbtSession
from venues.records import Message, Pong, Record, Signal, Status
from venues.toolkit.any_json import DEEPEST
from venues.toolkit.written import Writer
from venues.venue import (
    BadFrame,
    Command,
    Dial,
    Lost,
    Notice,
    Now,
    Receipt,
    Refused,
    Settings,
    SocketPing,
    StreamState,
    Subscription,
    Veiled,
)

OPEN_2 = '0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":5000}'
OPEN_4 = '0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
GENERATIONS = {"2": (OPEN_2, "40"), "4": (OPEN_4, '40{"sid":"b"}')}
KEY = "k&y"  # short: it cannot be hidden by its value
REAL = {
    "userid": "1472",
    "nickname": "ann",
    "stratid": "681",
    "stratname": "trend",
    "pair": "GXSUSDT",
    "price": "0.92450000",
    "new": False,
    "score": "NA",
}
EVENTS = [
    "buy_signal",
    "sell_signal",
    "traded_buy_signal",
    "traded_sell_signal",
    "close_traded_signal",
    "stop_traded_signal",
    "message",
    "user_payload",
    "error",
    "nobody_knows",
]
ENCODER = Writer()


def at(seconds: float) -> Now:
    return Now(1000.0 + seconds, 1_700_000_000_000 + int(seconds * 1000))


def line_of(*streams: str, url: str = "wss://hub.example", **values: Any) -> NbtRoute:
    subscriptions = [Subscription(stream) for stream in streams or ("signals", "feed")]
    (line,) = NBT.routes(subscriptions, Settings(url=url, values=values))
    assert isinstance(line, NbtRoute)
    return line


def session_of(line: NbtRoute) -> NbtSession:
    session = line.session({"key": KEY})
    assert isinstance(session, NbtSession)
    return session


def connected(line: NbtRoute, generation: str = "4") -> NbtSession:
    session = session_of(line)
    session.opened(at(0))
    feed(session, 0.1, *GENERATIONS[generation])
    session.take()
    return session


def feed(session: NbtSession, seconds: float, *frames: str) -> list[Any]:
    return [item for frame in frames for item in session.receive(frame.encode(), at(seconds))]


def event(name: str, *arguments: Any) -> str:
    return f"42{json.dumps([name, *arguments])}"


def signal(**fields: Any) -> Signal:
    name = fields.pop("event", "buy_signal")
    (item,) = feed(connected(line_of()), 1, event(name, {**REAL, **fields}))
    assert isinstance(item, Signal), item
    return item


def dialled(line: NbtRoute) -> Dial:
    opening = session_of(line).opening()
    with pytest.raises(StopIteration) as stop:
        next(opening)
    dial: Dial = stop.value.value
    return dial


# --- what a signal means -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "new", "action", "side"),
    [
        ("buy_signal", True, "enter", "long"),
        ("buy_signal", False, "exit", "short"),
        ("sell_signal", True, "enter", "short"),
        ("sell_signal", False, "exit", "long"),
        ("traded_buy_signal", True, "enter", "long"),
        ("traded_sell_signal", False, "exit", "long"),
        ("traded_buy_signal", None, None, None),
        ("buy_signal", None, None, None),
        ("close_traded_signal", None, "close", None),
        ("stop_traded_signal", None, "stop", None),
    ],
)
def test_what_each_event_means(name: str, new: bool | None, action: str | None, side: str | None) -> None:
    came = signal(event=name, new=new)
    assert (came.name, came.action, came.side) == (name, action, side)


def test_numbers_keep_their_digits_whether_they_come_as_texts_or_as_numbers() -> None:
    assert str(signal().price) == "0.92450000"
    (item,) = feed(connected(line_of()), 1, '42["sell_signal",{"pair":"A","price":0.10,"qty":"1.50","score":7}]')
    assert [str(figure) for figure in (item.price, item.size, item.score)] == ["0.10", "1.50", "7"]


def test_a_close_signal_may_have_a_price_of_its_own_and_a_stop_none() -> None:
    assert signal(event="close_traded_signal", price=None, close_price="9270.00").price == Decimal("9270.00")
    assert signal(event="stop_traded_signal", price=None).price is None


def test_a_score_is_a_number_or_absent_and_a_word_is_kept_apart() -> None:
    assert signal(score="12.5").score == Decimal("12.5")
    assert (signal(score="NA").score, signal(score="NA").extra) == (None, None)
    assert (signal(score="A+").score, signal(score="A+").extra) == (None, {"score": "A+"})


def test_ids_are_texts() -> None:
    came = signal(userid=1472, stratid=681)
    assert (came.user_id, came.strategy_id, came.user, came.strategy) == ("1472", "681", "ann", "trend")


def test_what_has_no_place_of_its_own_is_in_extra() -> None:
    extra = signal(message={"a": [1.5]}, stop_profit="2.50", stop_loss=1).extra
    assert extra == {"message": {"a": [Decimal("1.5")]}, "stop_profit": Decimal("2.50"), "stop_loss": 1}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"price": "abc"}, "`price`"),
        ({"price": 0}, "`price`"),
        ({"price": None, "close_price": "-1"}, "`close_price`"),
        ({"qty": True}, "`qty`"),
        ({"pair": 5}, "`pair`"),
        ({"pair": ""}, "`pair`"),
        ({"new": "yes"}, "`new`"),
        ({"score": []}, "`score`"),
        ({"stop_loss": "1e99"}, "`stop_loss`"),
    ],
)
def test_a_bad_signal_is_told_with_its_path_and_the_stream_goes_on(fields: dict[str, Any], path: str) -> None:
    session = connected(line_of())
    bad, state = feed(session, 1, event("buy_signal", {**REAL, **fields}))
    assert isinstance(bad, BadFrame)
    assert path in bad.reason
    assert bad.reason.endswith("(nbt buy_signal)")
    assert state == StreamState("signals", "live", "a bad frame came: a signal may be missing")
    assert [type(item) for item in feed(session, 1, event("buy_signal", {}), event("buy_signal", REAL))] == [
        BadFrame,
        Signal,
    ]
    assert feed(session, 1, event("buy_signal", {**REAL, **fields}))[1:] == [state]  # said again, since all was well


def test_nesting_has_a_limit() -> None:
    session = connected(line_of())
    (message,) = feed(session, 1, f'42["message",{"[" * DEEPEST}{"]" * DEEPEST}]')
    assert isinstance(message, Message)
    for deep in (DEEPEST + 1, 990, 5000):
        bad, *_ = feed(session, 1, f'42["message",{"[" * deep}{"]" * deep}]')
        assert isinstance(bad, BadFrame)


def test_only_what_was_asked_for_comes() -> None:
    both = event("buy_signal", REAL), event("message", "hello")
    assert [type(item) for item in feed(connected(line_of("signals")), 1, *both)] == [Signal]
    assert [type(item) for item in feed(connected(line_of("feed")), 1, *both)] == [Message]
    assert feed(connected(line_of("ping")), 1, *both) == []


def test_messages_are_untouched() -> None:
    frames = [
        '42["message"]',
        '42["message",null]',
        '42["message","a",1.10]',
        '42["user_payload",[{"buy_amount":"1"}]]',
    ]
    came = feed(connected(line_of("feed")), 1, *frames)
    assert [(item.topic, item.data) for item in came] == [
        ("message", None),
        ("message", None),
        ("message", ["a", Decimal("1.10")]),
        ("user_payload", [{"buy_amount": "1"}]),
    ]


@pytest.mark.parametrize("name", EVENTS)
def test_an_acknowledgement_is_given_to_whoever_wants_one(name: str) -> None:
    session = connected(line_of())
    feed(session, 1, event(name, REAL).replace("42", "4217", 1))
    assert "4317[]" in session.take()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["NA", "1.5", "1e9", ""]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*REAL, "qty", "message"]), inner),
    max_leaves=12,
)
MUTATED = st.dictionaries(st.sampled_from([*REAL, "qty", "message", "stop_loss", "close_price"]), JSON).map(
    lambda changes: {**REAL, **changes}
)


@given(st.sampled_from(EVENTS), st.lists(MUTATED | JSON, max_size=3), st.sampled_from(["42", "420", "4299999999"]))
def test_any_json_in_any_event_gives_records_or_problems_of_ours(name: str, arguments: list[Any], head: str) -> None:
    session = connected(line_of())
    for item in feed(session, 1, head + json.dumps([name, *arguments])):
        assert isinstance(item, Record | BadFrame | StreamState | Notice), item
        if isinstance(item, Record):
            json.loads(ENCODER.encode(item))


@given(
    st.binary() | st.text().map(str.encode) | st.from_regex(r"[0-6][0-6][\[{\"a-z0-9]*", fullmatch=True).map(str.encode)
)
def test_any_bytes_give_items_of_ours(frame: bytes) -> None:
    session = connected(line_of())
    for item in session.receive(frame, at(1)):
        assert isinstance(item, Record | BadFrame | StreamState | Notice | Lost | Refused), item


# --- connections ---------------------------------------------------------------------------------------------------


def test_the_key_is_in_the_url_and_never_shown() -> None:
    opening = line_of().session({"key": 'a/b?c#d e+f"é&=%'}).opening()
    with pytest.raises(StopIteration) as stop:
        next(opening)
    assert stop.value.value.url.endswith("&key=a%2Fb%3Fc%23d%20e%2Bf%22%C3%A9%26%3D%25")
    dial = dialled(line_of())
    assert dial.url == "wss://hub.example/socket.io/?EIO=4&transport=websocket&type=client&key=k%26y"
    assert dial.shown == "wss://hub.example/socket.io/?EIO=4&transport=websocket&type=client&key=[key]"


def test_the_address_may_end_as_it_likes_and_a_version_is_sent_when_configured() -> None:
    for url in ("wss://hub.example/", "wss://hub.example/socket.io", "wss://hub.example/socket.io/"):
        assert dialled(line_of(url=url)) == dialled(line_of())
    assert "&v=1.0%26&type" in dialled(line_of(version="1.0&")).url
    with pytest.raises(SetupError, match="version"):
        line_of(version=1)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_live_when_it_lets_us_in(generation: str) -> None:
    session = session_of(line_of("signals"))
    assert session.opened(at(0)) == [StreamState("signals", "syncing")]
    assert feed(session, 0.1, *GENERATIONS[generation]) == [StreamState("signals", "live")]


@pytest.mark.parametrize(
    "frames",
    [
        (OPEN_2, '44"bad key"'),
        (OPEN_4, '44{"message":"bad key"}'),
        (OPEN_4, event("error", "bad key")),
        (OPEN_4, event("error", {"message": "bad key"})),
    ],
)
def test_refused_with_the_hubs_words(frames: tuple[str, ...]) -> None:
    session = session_of(line_of())
    session.opened(at(0))
    assert feed(session, 0.1, *frames) == [Refused("the hub refused the connection: bad key; check key")]


def test_put_out_before_it_was_let_in_is_refused() -> None:
    session = session_of(line_of())
    session.opened(at(0))
    assert isinstance(feed(session, 0.1, OPEN_4, "41")[0], Refused)


def test_put_out_again_and_again_is_refused_but_not_by_a_hub_that_gave_something() -> None:
    line = line_of("signals")
    ends = [feed(connected(line), 1, "41")[-1] for _ in range(3)]
    assert [type(end) for end in ends] == [Lost, Lost, Refused]
    line = line_of("signals")
    feed(connected(line), 1, event("buy_signal", REAL))
    assert {type(feed(connected(line), 1, "41")[-1]) for _ in range(5)} == {Lost}


def test_who_is_put_out_after_a_while_was_not_put_out_for_the_key() -> None:
    line = line_of("signals")
    assert {type(feed(connected(line), 60, "41")[-1]) for _ in range(5)} == {Lost}


def test_put_out_with_words_is_refused_with_them() -> None:
    items = feed(connected(line_of("signals")), 1, event("error", "no such key"), "41")
    assert items == [
        Notice("the hub says: no such key"),
        Refused("the hub refused the connection: no such key; check key"),
    ]


def test_after_a_reconnect_it_says_that_signals_may_have_been_missed() -> None:
    line = line_of("signals", "feed")
    connected(line)
    session = session_of(line)
    session.opened(at(5))
    assert feed(session, 5, *GENERATIONS["4"]) == [
        StreamState("signals", "live", "signals may have been missed"),
        StreamState("feed", "live", "messages may have been missed"),
    ]


def test_the_generation_is_learnt_once() -> None:
    line = line_of()
    connected(line, "2")
    again = session_of(line)
    again.opened(at(0))
    feed(again, 0, OPEN_2)
    again.tick(at(5))
    assert again.take() == []  # our 40 would make every event come twice


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, Refused, "check key"),
        (403, Refused, "check key"),
        (400, Refused, "check key"),
        (404, Lost, "no Socket.IO server"),
        (200, Lost, "no Socket.IO server"),
        (503, Lost, "does not take connections now"),
    ],
)
def test_what_an_http_status_means(status: int, kind: type, words: str) -> None:
    problem = line_of().refused(status, "said")
    assert isinstance(problem, kind)
    assert words in problem.reason
    assert isinstance(problem, Refused) or problem.retry is (status == 503)


def test_who_is_no_hub_is_told_with_what_to_check() -> None:
    line = line_of()
    for known, hint in ((None, "; check url"), (4, "")):
        line.learnt = known
        session = session_of(line)
        session.opened(at(0))
        (lost,) = feed(session, 0, "hello")
        assert isinstance(lost, Lost)
        assert lost.reason.endswith(f"got 5 bytes without one{hint}")
        assert lost.retry is (known is not None)


def test_pings_measure_the_way_and_one_that_is_late_makes_it_stale() -> None:
    line = line_of("ping")
    session = session_of(line)
    session.opened(at(0))
    feed(session, 0, *GENERATIONS["2"])
    assert session.take() == [SocketPing()]
    (pong,) = session.pong(at(0.0125))
    assert isinstance(pong, Pong)
    assert pong.round_trip_ms == 12.5
    stale: list[Any] = []
    for second in range(1, 8):
        stale += session.tick(at(second))
    assert stale == [StreamState("ping", "stale", "no answer to a WebSocket ping for 5 s")]
    assert session.pong(at(8))[0] == StreamState("ping", "live")


def test_no_symbols_and_one_connection_for_all_streams_of_a_kind() -> None:
    with pytest.raises(UsageError):
        NBT.check_symbol("BTCUSDT")
    subscriptions = [Subscription("signals"), Subscription("feed"), Subscription("signals", options={"type": "server"})]
    lines = NBT.routes(subscriptions, Settings(url="wss://hub.example"))
    assert [len(line.subscriptions) for line in lines] == [2, 1]


# --- sending -------------------------------------------------------------------------------------------------------


def sent(session: NbtSession, command: Command) -> tuple[str, str]:
    session.send(command)
    veiled, ping = session.take()
    assert isinstance(veiled, Veiled)
    assert ping == SocketPing()
    return veiled.text, veiled.shown


FULL = {
    "buy": {"strategy": "S", "pair": "P", "price": "1.50", "message": "m", "stop_profit": "2", "stop_loss": "-0.10"},
    "sell": {"strategy": "S", "pair": "P", "price": "1.50"},
    "traded-buy": {"strategy": "S", "strategy_id": "7", "trading_type": "real", "pair": "P", "qty": "0.500"},
    "traded-sell": {"strategy": "S", "strategy_id": "7", "trading_type": "real", "pair": "P", "qty": "0.500"},
}


@pytest.mark.parametrize(
    ("kind", "wire"),
    [
        (
            "buy",
            '420["buy_signal",{"key":"k&y","stratname":"S","pair":"P","buy_price":1.50,"message":"m",'
            '"stop_profit":2,"stop_loss":-0.10}]',
        ),
        ("sell", '420["sell_signal",{"key":"k&y","stratname":"S","pair":"P","sell_price":1.50}]'),
        (
            "traded-buy",
            '420["traded_buy_signal",{"key":"k&y","stratname":"S","stratid":"7","trading_type":"real","pair":"P",'
            '"qty":0.500}]',
        ),
        (
            "traded-sell",
            '420["traded_sell_signal",{"key":"k&y","stratname":"S","stratid":"7","trading_type":"real","pair":"P",'
            '"qty":0.500}]',
        ),
    ],
)
def test_what_goes_out_is_what_the_document_has_and_the_key_is_veiled(kind: str, wire: str) -> None:
    text, shown = sent(connected(line_of()), signal_command(kind, FULL[kind]))
    assert text == wire
    assert shown == wire.replace("k&y", "[key]")


def test_only_what_was_given_goes_out() -> None:
    assert signal_command("buy", {"pair": "P", "strategy": "S", "price": None}).fields == {
        "stratname": "S",
        "pair": "P",
    }


def test_json_keeps_the_type_of_a_quantity_and_of_an_id() -> None:
    fields = {**FULL["traded-buy"], "strategy_id": 7, "message": None}
    assert signal_command("traded-buy", fields, from_json=True).fields["qty"] == "0.500"
    number = signal_command("traded-buy", {**fields, "qty": Decimal("0.50")}, from_json=True).fields
    assert (str(number["qty"]), number["stratid"]) == ("0.50", 7)


@pytest.mark.parametrize("name", ["buy_signal", "BUY_SIGNAL", "Buy_Signal"])
def test_the_name_of_an_event_in_other_letters(name: str) -> None:
    assert signal(event=name).action == signal().action


@pytest.mark.parametrize("message", ["text", 5, Decimal("0.50")])
def test_json_keeps_a_message_that_is_a_number(message: Any) -> None:
    (kind,) = [kind for kind, fields in FULL.items() if "message" in fields]
    sent = signal_command(kind, {**FULL[kind], "message": message}, from_json=True).fields
    assert str(message) in map(str, sent.values())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missing_or_does_not_apply_is_named(kind: str) -> None:
    for field in KINDS[kind].required:
        with pytest.raises(UsageError, match=f"needs --{field.replace('_', '-')}"):
            signal_command(kind, {**FULL[kind], field: None})
    others = {name for fields in FULL.values() for name in fields} - FULL[kind].keys()
    for field in others:
        with pytest.raises(
            UsageError, match=f"--{field.replace('_', '-')} does not apply to {kind}, which takes --strat"
        ):
            signal_command(kind, {**FULL[kind], field: "1"})


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("buy", "price", "0"),
        ("buy", "price", "nan"),
        ("buy", "price", "1,5"),
        ("buy", "price", " 1"),
        ("buy", "price", "1e99"),
        ("buy", "price", True),
        ("buy", "stop_loss", "Infinity"),
        ("buy", "pair", ""),
        ("buy", "pair", "a\nb"),
        ("buy", "strategy", "x" * 201),
        ("buy", "message", "x" * 10_001),
        ("buy", "message", chr(0xD800)),
        ("buy", "message", "\udcff"),
        ("buy", "message", chr(0xDFFF)),
        ("buy", "message", []),
        ("traded-buy", "qty", "-1"),
        ("traded-buy", "strategy_id", 1.5),
    ],
)
def test_bad_values_are_refused_before_anything_is_opened(kind: str, field: str, value: Any) -> None:
    with pytest.raises(UsageError) as error:
        signal_command(kind, {**FULL[kind], field: value}, from_json=True)
    assert f"as {field}, got" in str(error.value)
    assert len(str(error.value)) < 400
    str(error.value).encode()


def test_a_message_may_have_every_character_but_surrogates() -> None:
    text = "\x00\n\ud7ff\ue000\U0010ffff"
    assert signal_command("buy", {**FULL["buy"], "message": text}, from_json=True).fields["message"] == text


def test_a_command_has_arrived_with_its_pong_and_is_acknowledged_by_the_hub() -> None:
    session = connected(line_of())
    first, second = (Command("buy_signal", {"pair": pair}) for pair in "AB")
    for command in (first, second):
        session.send(command)
    assert session.pong(at(1)) == [Receipt(first)]
    assert feed(session, 1, '431["ok",1.50]') == [Receipt(second, True, ("ok", Decimal("1.50")))]
    assert session.pong(at(1)) == [Receipt(second)]
    assert feed(session, 1, "430[]") == [Receipt(first, True)]


def test_what_the_hub_complains_about_is_refused() -> None:
    session = connected(line_of())
    for complaint in ('430[{"status":"error","message":"no such pair"}]', event("error", "no such pair")):
        session = connected(line_of())
        command = Command("buy_signal", {})
        session.send(command)
        (receipt,) = feed(session, 1, complaint)
        assert isinstance(receipt, Receipt)
        assert (receipt.command, receipt.refused) == (command, "no such pair")
    session.send(command)
    session.send(command)
    assert feed(session, 1, event("error", "which?")) == [Notice("the hub says: which?")]


def test_nothing_is_sent_before_the_hub_lets_us_in_or_after_it_is_over() -> None:
    session = session_of(line_of())
    session.opened(at(0))
    with pytest.raises(UsageError, match="nothing was sent"):
        session.send(Command("buy_signal", {}))
    session = connected(line_of())
    feed(session, 1, "41")
    with pytest.raises(UsageError, match="nothing was sent"):
        session.send(Command("buy_signal", {}))


def test_leaving_says_goodbye() -> None:
    session = connected(line_of())
    session.leave(at(1))
    assert session.take() == ["41"]
    assert session.done()


def test_the_driver_says_it_in_its_status() -> None:
    subscription = Subscription("signals")
    (line,) = NBT.routes([subscription], Settings(url="wss://hub.example"))
    driver = Driver(line, [subscription], venue="nbt")
    for second in (0, 5):
        driver.begin({"key": KEY}, 0.0)
        driver.opened(at(second))
        items = [item for frame in GENERATIONS["2"] for item in driver.receive(frame.encode(), at(second))]
        driver.closed(None, "", at(second + 1))
    (status,) = items
    assert isinstance(status, Status)
    assert (status.state, status.reason, status.down_ms) == ("live", "signals may have been missed", 4000)


@pytest.mark.parametrize("event", ['42["nobody_knows",{}]', '427["nobody_knows"]', '42["error","no"]'])
def test_a_flood_of_events_that_mean_nothing_is_a_bad_frame_and_then_a_lost_line(event: str) -> None:
    session = session_of(line_of())
    session.opened(at(0))
    for frame in GENERATIONS["4"]:
        session.receive(frame.encode(), at(0))
    session.take()
    items: list[Any] = []
    for number in range(5000):
        items += session.receive(event.encode(), at(1 + number / 10_000))
    assert len(items) < 2000, items[:3]
    bad = [item.reason for item in items if isinstance(item, BadFrame)]
    assert len(bad) == 1
    assert "a flood of messages that belong to no stream of ours" in bad[0]
    assert items[-1] == Lost("the server sent a flood of messages that belong to no stream of ours")
    assert session.take() == []


def test_many_signals_are_no_flood() -> None:
    session = session_of(line_of("feed"))
    session.opened(at(0))
    for frame in GENERATIONS["4"]:
        session.receive(frame.encode(), at(0))
    signal = f'42["buy_signal",{json.dumps(REAL)}]'.encode()
    assert not any(session.receive(signal, at(1)) for _ in range(5000))


@pytest.mark.parametrize("refusal", ['44{"message":"bad key"}', '44"bad key"', '42["error","no such key"]'])
def test_a_hub_that_was_live_and_refuses_now_is_tried_again(refusal: str) -> None:
    line = line_of("signals")
    driver = Driver(line, line.subscriptions, venue="nbt")
    driver.begin({"key": "k"}, 0.0)
    driver.opened(at(0))
    for frame in (OPEN_4, '40{"sid":"b"}'):
        driver.receive(frame.encode(), at(1))
    driver.closed(None, "", at(2))
    for now in (4, 40, 400, 700):
        assert driver.ended is None
        driver.begin({"key": "k"}, 0.0)
        driver.opened(at(now))
        driver.receive(OPEN_4.encode(), at(now))
        (status,) = driver.receive(refusal.encode(), at(now))
        assert isinstance(status, Status)
        if now == 4:
            assert status.state == "reconnecting"
            assert (status.reason or "").endswith("; check key, it was there 2 s ago")
    assert isinstance(driver.ended, VenueRefused), "after ten minutes"
