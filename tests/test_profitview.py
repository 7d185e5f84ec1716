"""ProfitView by itself and through `mon`: what a recording cannot show."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.run.asked import asked_for
from cli.run.options import StreamRequest
from tests.command import environment, mon, records, simulator
from venues import venue_named
from venues.driver import Driver
from venues.errors import BadMessage, UsageError, VenueRefused, VenueUnreachable
from venues.profitview.messages import read_message
from venues.recording import Recording
from venues.records import Message, Record
from venues.redaction import Redactor
from venues.toolkit import any_json
from venues.toolkit.any_json import DEEPEST, check_depth, exact_number
from venues.toolkit.written import Writer
from venues.venue import (
    BadFrame,
    Command,
    Dial,
    Lost,
    Now,
    Refused,
    Settings,
    StreamState,
    Subscription,
    symbol_of,
)

PROFITVIEW = venue_named("profitview")
FIXTURES = Path(__file__).parent / "fixtures" / "profitview"
KEY = "3f9a0c-secret/key+of mine"


def line_of(*subscriptions: Subscription, url: str = "wss://v.example") -> Any:
    (line,) = PROFITVIEW.routes(subscriptions or [Subscription("feed")], Settings(url=url))
    return line


def driver_of(line: Any) -> Driver:
    driver = Driver(line, line.subscriptions, venue="profitview")
    driver.begin({"api_key": KEY}, 0.0)
    return driver


def dial_of(**options: str) -> Dial:
    with pytest.raises(StopIteration) as stop:
        next(line_of(**options).session({"api_key": KEY}).opening())
    dial: Dial = stop.value.value
    return dial


def test_the_key_is_in_the_address_and_in_nothing_that_is_shown() -> None:
    dial = dial_of()
    assert dial.url == "wss://v.example/stream?token=3f9a0c-secret%2Fkey%2Bof%20mine"
    assert dial.shown == "wss://v.example/stream?token=[api_key]"
    assert dial_of(url="wss://v.example/at/").url.startswith("wss://v.example/at/stream?token=")
    redactor = Redactor()
    redactor.learn_url(dial.url, dial.shown)
    assert redactor.text(f"cannot reach {dial.url}") == f"cannot reach {dial.shown}"
    assert "3f9a0c" not in redactor.text(f"/stream?token={KEY} says no")


def test_a_bot_s_own_feed_says_which_of_several_scripts_a_message_is_of() -> None:
    driver = driver_of(line_of())
    driver.opened(Now(1, 1.0))
    for frame, extra in (
        (b'{"type": "top", "data": 1, "strategy": "desk"}', {"strategy": "desk"}),
        (b'{"type": "top", "data": 1, "strategy": [2]}', None),
        (b'{"type": "top", "data": 1}', None),
    ):
        (message,) = [one for one in driver.receive(frame, Now(2, 2.0)) if isinstance(one, Message)]
        assert (message.topic, message.data, message.extra) == ("top", 1, extra)


def test_short_keys_are_hidden_by_their_place() -> None:
    with pytest.raises(StopIteration) as stop:
        next(line_of().session({"api_key": "ab1"}).opening())
    redactor = Redactor()
    redactor.learn_url(stop.value.value.url, stop.value.value.shown)
    assert "ab1" not in redactor.text(stop.value.value.url)


def test_both_streams_share_a_socket_and_two_feeds_do_not() -> None:
    feed, ping = Subscription("feed", ("a",)), Subscription("ping")
    assert [x.subscriptions for x in PROFITVIEW.routes([feed, ping], Settings(url=""))] == [[feed, ping]]
    assert len(PROFITVIEW.routes([feed, ping, Subscription("feed")], Settings(url=""))) == 2
    session = line_of(feed, ping).session({"api_key": KEY})
    assert session.opened(Now(0, 0)) == [StreamState("feed", "live"), StreamState("ping", "live")]
    assert len(session.take()) == 1
    assert session.deadline() == 1.0
    session.leave(Now(0.5, 500))
    assert session.deadline() is None
    assert session.done()


def test_a_line_that_only_pings_does_not_judge_the_feed() -> None:
    session = line_of(Subscription("ping")).session({"api_key": KEY})
    session.opened(Now(0, 0))
    assert session.receive(b"not json", Now(1, 1)) == []
    assert session.receive(b'{"type":"a"}', Now(1, 1)) == []
    assert session.pong(Now(1, 1)) != []
    assert session.pong(Now(1, 1)) == [], "an answer to nothing"


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (401, Refused), (403, Refused), (400, Refused), (404, Lost), (429, Lost), (503, Lost), (302, Lost), (200, Lost),
    ],
)  # fmt: skip
def test_what_a_status_means(status: int, problem: type) -> None:
    answer = line_of().refused(status, "no such thing")
    assert isinstance(answer, problem)
    assert "no such thing" in answer.reason
    assert isinstance(answer, Refused) or answer.retry == (status in (429, 503))
    assert ("check api_key" in answer.reason) is (status in (401, 403))


def test_a_missing_feed_names_what_to_look_at() -> None:
    driver = driver_of(line_of())
    driver.answered(404, "", None, Now(0, 0))
    assert isinstance(driver.ended, VenueUnreachable)
    assert "check url" in str(driver.ended)


@pytest.mark.parametrize(
    ("code", "after", "message", "ended"),
    [
        (1008, 0.1, False, True),
        (4401, 4.9, False, True),
        (3000, 0.1, False, True),
        (1008, 5.0, False, False),
        (1008, 0.1, True, False),
        (1000, 0.1, False, False),
        (1013, 0.1, False, False),
        (4429, 0.1, False, False),
        (None, 0.1, False, False),
    ],
)
def test_a_close_at_once_refuses_the_key_only_where_nothing_speaks_for_it(
    code: int | None, after: float, message: bool, ended: bool
) -> None:
    line = line_of()
    driver = driver_of(line)
    driver.opened(Now(100, 0))
    if message:
        driver.receive(b'{"type":"a","data":1}', Now(100, 0))
    driver.closed(code, "", Now(100 + after, 0))
    assert isinstance(driver.ended, VenueRefused) == ended
    if not ended and (message or after >= 5.0):  # the key was good once
        driver.begin({"api_key": KEY}, 0.0)
        driver.opened(Now(200, 0))
        driver.closed(1008, "", Now(200.1, 0))
        assert driver.ended is None


@pytest.mark.parametrize(("values", "is_good"), [(8, True), (9, False)])
def test_a_message_of_too_many_values_is_bad(values: int, is_good: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(any_json, "MOST_VALUES", 10)
    session = line_of().session({"api_key": KEY})
    session.opened(Now(100, 0))
    (item, *_) = session.receive(b'{"type":"a","data":[%b]}' % b",".join([b"1"] * values), Now(100, 0))
    assert isinstance(item, BadFrame) is not is_good


def test_a_connection_that_was_never_open_says_nothing_of_the_key() -> None:
    line = line_of()
    assert line.session({"api_key": KEY}).closed(None, "", Now(100, 0)) == []
    assert not line.welcome


@pytest.mark.parametrize(("length", "shown"), [(0, ""), (200, ": " + "w" * 200), (201, ": " + "w" * 199 + "…")])
def test_the_words_of_a_close_are_told_in_two_hundred_characters(length: int, shown: str) -> None:
    session = line_of().session({"api_key": KEY})
    session.opened(Now(100, 0))
    words = f"profitview closed the connection at once (code 1008{shown}), as if it refused the API key; check api_key"
    assert session.closed(1008, "w" * length, Now(101, 0)) == [Refused(words)]


def test_a_command_is_not_for_a_feed() -> None:
    with pytest.raises(UsageError):
        driver_of(line_of()).send(Command("buy", {}))


# --- topics ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("topic", ["merton_theo", "a b", "x" * 200, "Größe/€", "--raw"])
def test_topics(topic: str) -> None:
    PROFITVIEW.check_symbol(topic)


@pytest.mark.parametrize("topic", ["", "x" * 201, "a\nb", "\x1b[2J", "\ud800", "\u202e"])
def test_what_is_no_topic(topic: str) -> None:
    with pytest.raises(UsageError, match="expected a topic such as merton_theo") as caught:
        PROFITVIEW.check_symbol(topic)
    assert str(caught.value).isprintable()


def asked(*topics: str, stream: str = "feed", recording: Recording | None = None) -> Subscription:
    request = StreamRequest("profitview", list(topics))
    request.stream = stream
    return asked_for(request, recording)[1]


def test_topics_are_a_filter_that_may_be_left_out() -> None:
    assert asked().symbols == ()
    assert asked("a", "b").symbols == ("a", "b")
    with pytest.raises(UsageError, match="takes no symbol"):
        asked("a", stream="ping")


def test_a_recording_of_a_feed_can_be_asked_for_other_topics() -> None:
    everything, filtered = (Recording(FIXTURES / f"feed--{case}.frames.jsonl") for case in ("document", "filter"))
    assert asked(recording=everything).symbols == ()
    assert asked("trade", recording=everything).symbols == ("trade",)
    assert asked(recording=filtered).symbols == ("merton_theo", "trade")
    assert asked("quote", recording=filtered).symbols == ("quote",)


def test_a_topic_is_no_symbol() -> None:
    assert symbol_of(Subscription("feed", ("merton_theo",))) is None
    assert symbol_of(Subscription("book", ("SPOT_BTC_USDT",))) == "SPOT_BTC_USDT"
    (status,) = driver_of(line_of(Subscription("feed", ("merton_theo",)))).opened(Now(0, 0))
    assert getattr(status, "symbol", "") is None


def test_no_message_wakes_the_connection_to_send_something() -> None:
    driver = driver_of(line_of())
    driver.opened(Now(0, 0))
    driver.take()
    assert driver.receive(b'{"type":"trade","data":{}}', Now(1, 1))
    assert not driver.stirred


# --- data of any shape -------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ENVELOPES = st.fixed_dictionaries({}, optional={"type": st.text(max_size=8) | JSON, "data": JSON, "other": JSON})


@given(
    frames=st.lists(
        st.binary(max_size=60)
        | st.text(max_size=40).map(str.encode)
        | (ENVELOPES | JSON).map(lambda value: json.dumps(value).encode()),
        max_size=6,
    )
)
def test_whatever_comes_only_our_own_items_come_out(frames: list[bytes]) -> None:
    session = line_of().session({"api_key": KEY})
    session.opened(Now(0, 0))
    for frame in frames:
        for item in session.receive(frame, Now(1, 1)):
            assert isinstance(item, Record | StreamState | BadFrame)


FINITE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]),
                                                                        max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(topic=st.text(st.characters(exclude_categories=["Cs"]), max_size=10), data=FINITE)
def test_whatever_a_bot_publishes_comes_out_as_it_is(topic: str, data: Any) -> None:
    session = line_of().session({"api_key": KEY})
    frame = json.dumps({"type": topic, "data": data}).encode()
    (message,) = session.receive(frame, Now(1, 1))
    assert isinstance(message, Message)
    assert message.topic == topic
    assert message.data == json.loads(frame, parse_float=Decimal)["data"]
    written, sent = Writer().encode(message.data), json.dumps(data)
    numbers = {"parse_float": str, "parse_int": str}
    assert str(json.loads(written, **numbers)) == str(json.loads(sent, **numbers)), "with all digits, in order"


@pytest.mark.parametrize("text", ["1" * 399 + ".5", "1e331", "1e-331", "1e99999999", "-1E+0000000001"])
def test_numbers_that_nobody_can_mean(text: str) -> None:
    with pytest.raises(ValueError, match="Expected `a number"):
        exact_number(text)


def test_a_number_that_nobody_can_mean_beside_a_minus_zero_is_a_bad_message() -> None:
    """For the sign of the zero all of the frame is read once more, the fields that nobody looks at too."""
    frame = b'{"type":"t","data":{"x":-0},"other":1E999}'
    with pytest.raises(BadMessage, match="expected `a number of at most 400 digits and up to 1e±330`, got `1E999`"):
        read_message(frame)
    assert str(read_message(frame.replace(b"1E999", b"1E9")).data["x"]) == "-0"


@pytest.mark.parametrize("text", ["1.10", "-0.0", "5e-324", "1.7976931348623157E+308", "1e330", "0." + "1" * 398])
def test_numbers_that_a_double_can_be(text: str) -> None:
    assert exact_number(text) == Decimal(text)


def nested(depth: int, *, objects: bool = False) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"x": value} if objects else [value]
    return value


@pytest.mark.parametrize("objects", [True, False])
def test_how_deep_data_may_be(objects: bool) -> None:
    good, bad = nested(DEEPEST, objects=objects), nested(DEEPEST + 1, objects=objects)
    check_depth(good, b"[" * 1000)
    with pytest.raises(BadMessage, match="nested at most 128 deep"):
        check_depth(bad, b"[" * 1000)
    check_depth([good[0] if isinstance(good, list) else 1] * 50, b"[" * 1000)
    check_depth("[" * 1000, b"[" * 1000)


# --- through mon ---------------------------------------------------------------------------------------------------


@pytest.fixture
def sim(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with simulator(tmp_path_factory.mktemp("profitview"), "--rate", "200") as env:
        yield env


def test_lines_of_a_feed(sim: dict[str, str]) -> None:
    done = mon("feed", "profitview", "merton_theo", "heartbeat", "--count", "2", "-v", env=sim)
    assert (done.returncode, done.stderr) == (0, "")
    beat, theo = records(done.stdout)
    assert (beat["topic"], beat.get("data")) == ("heartbeat", None)
    assert list(theo["data"]) == ["sym", "market", "theo", "diff_bps", "quote_bid", "quote_ask"]
    assert theo["env"].startswith("custom:127.0.0.1:")


def test_a_recording_and_raw_lines_have_no_key(sim: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "feed.jsonl"
    key = sim["MON_PROFITVIEW_API_KEY"]
    done = mon("feed", "profitview", "--raw", "--count", "3", "--record", str(path), env=sim)
    assert done.returncode == 0
    text = path.read_text() + done.stdout + done.stderr
    assert key not in text
    assert "/stream?token=[api_key]" in text
    again = mon("feed", "profitview", "heartbeat", "--replay", str(path), "--speed", "max", env=environment(tmp_path))
    assert again.returncode == 0, again.stderr
    assert {record["topic"] for record in records(again.stdout)} == {"heartbeat"}


def test_a_wrong_key_is_refused(sim: dict[str, str]) -> None:
    done = mon("feed", "profitview", env={**sim, "MON_PROFITVIEW_API_KEY": "wrong-key-of-mine"})
    assert done.returncode == 4
    assert "refused the API key (HTTP 401: unknown token)" in done.stderr
    assert "wrong-key" not in done.stdout + done.stderr


def test_an_address_with_the_path_in_it(sim: dict[str, str]) -> None:
    done = mon("feed", "profitview", env={**sim, "MON_PROFITVIEW_URL": sim["MON_PROFITVIEW_URL"] + "/stream"})
    assert done.returncode == 5
    assert "check url, which comes before it" in done.stderr


def test_csv_has_the_data_as_json(sim: dict[str, str]) -> None:
    done = mon("feed", "profitview", "merton_theo", "--count", "1", "-o", "csv", env=sim)
    head, row = done.stdout.splitlines()
    assert head.startswith("venue,env,symbol,time,received,topic,data")
    assert '"{""sym"":""BTCUSDT"",""market"":' in row


def test_topics_are_completed(tmp_path: Path) -> None:
    asked = {"_MON_COMPLETE": "complete_fish", "COMP_WORDS": "mon feed profitview btc_"}
    done = mon(env=environment(tmp_path, **asked))
    assert done.stdout.split() == ["btc_quote", "btc_trade", "btc_candle_1m", "btc_signal"]
    done = mon(env=environment(tmp_path, **{**asked, "COMP_WORDS": "mon ping profitview "}))
    assert "btc_quote" not in done.stdout
