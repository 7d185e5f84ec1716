"""The NBT hub's session at its edges: what is counted, what is forgotten, and what is sent in which order."""

from __future__ import annotations

import pytest

from tests.test_nbt import GENERATIONS, OPEN_4, REAL, at, connected, event, feed, line_of, session_of
from venues.errors import UsageError
from venues.nbt.sending import signal_command
from venues.nbt.session import EXPELLED_AT_FIRST, STABLE_AFTER
from venues.venue import BadFrame, Command, Lost, Notice, Receipt, Refused, SocketPing, StreamState, Veiled

BUY = Command("buy_signal", {"pair": "A"})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "an error without words"),
        (("first", "second"), "first"),
        (({"message": "first"}, "second"), "first"),
        (({"message": 1}, "second"), '{"message": 1}'),
        (([1, "a"],), '[1, "a"]'),
        (("",), ""),
        (("x" * 300,), "x" * 300),
        (("x" * 301,), "x" * 299 + "…"),
    ],
)
def test_the_words_of_an_error_are_those_of_its_first_argument(arguments: tuple[object, ...], words: str) -> None:
    session = connected(line_of())
    assert feed(session, 1, event("error", *arguments)) == [Notice(f"the hub says: {words}")]


@pytest.mark.parametrize(
    ("stream", "given"),
    [("signals", "buy_signal"), ("signals", "message"), ("feed", "message"), ("feed", "buy_signal")],
)
def test_a_hub_that_gave_anything_at_all_does_not_refuse_us_by_putting_us_out(stream: str, given: str) -> None:
    line = line_of(stream)
    feed(connected(line), 1, event(given, REAL))
    assert {type(feed(connected(line), 1, "41")[-1]) for _ in range(EXPELLED_AT_FIRST + 2)} == {Lost}


def test_who_is_put_out_three_times_in_a_row_at_once_is_refused() -> None:
    line = line_of()
    ends = [feed(connected(line), 1, "41") for _ in range(3)]
    assert ends == [
        [Lost("the hub put us out")],
        [Lost("the hub put us out")],
        [Refused("the hub refused the connection: it put us out again and again; check key")],
    ]


@pytest.mark.parametrize(("seconds", "counts"), [(STABLE_AFTER - 0.001, True), (STABLE_AFTER, False)])
def test_only_who_is_put_out_within_half_a_minute_may_be_refused(seconds: float, counts: bool) -> None:
    line = line_of()
    for _ in range(2):
        feed(connected(line), 1, "41")
    session = session_of(line)
    session.opened(at(0))
    feed(session, 0, *GENERATIONS["4"])
    assert isinstance(feed(session, seconds, "41")[-1], Refused if counts else Lost)
    ends = [type(feed(connected(line), 1, "41")[-1]) for _ in range(3)]
    assert ends == ([Refused] * 3 if counts else [Lost, Lost, Refused])


def test_an_answer_that_was_due_before_a_command_is_sent_before_it_and_as_it_is() -> None:
    session = connected(line_of())
    assert feed(session, 1, '427["buy_signal",{"pair":"A"}]') != []
    session.send(BUY)
    answer, command, ping = session.take()
    assert (answer, ping) == ("437[]", SocketPing())
    assert isinstance(command, Veiled)
    assert '"[key]"' in command.shown
    assert session.take() == []


def test_a_connection_that_is_closed_sends_nothing_and_pings_no_more() -> None:
    session = connected(line_of("ping", "signals"))
    assert session.closed(1006, "", at(1)) == []
    with pytest.raises(UsageError, match="expected a hub that has let us in, got none yet; nothing was sent"):
        session.send(BUY)
    session.tick(at(5))
    assert SocketPing() not in session.take()


def test_an_error_is_about_a_command_only_if_just_one_is_unanswered() -> None:
    session = connected(line_of())
    session.send(BUY)
    session.send(BUY)
    assert feed(session, 1, event("error", "which?")) == [Notice("the hub says: which?")]
    assert feed(session, 1, "430[]") == [Receipt(BUY, acknowledged=True)]
    assert feed(session, 1, event("error", "that")) == [Receipt(BUY, refused="that")]
    assert feed(session, 1, event("error", "none is left")) == [Notice("the hub says: none is left")]
    assert feed(session, 1, "431[]") == [], "it was answered by the error"


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ('{"status":"error"}', "no reason given"),
        ('{"status":"error","message":"m","error":"e"}', "m"),
        ('{"status":"ok","error":"e"}', "e"),
        ('{"error":{}}', None),
        ('{"error":{"a":1}}', "no reason given"),
        ('{"status":"ok","message":"m"}', None),
        ('["error"]', None),
        (f'{{"error":"{"x" * 300}"}}', "x" * 300),
        (f'{{"error":"{"x" * 301}"}}', "x" * 299 + "…"),
    ],
)
def test_an_acknowledgement_that_complains_refuses_the_command(answer: str, refused: str | None) -> None:
    session = connected(line_of())
    session.send(BUY)
    (receipt,) = feed(session, 1, f"430[{answer},1]")
    assert (receipt.command, receipt.acknowledged, receipt.refused) == (BUY, True, refused)


def test_a_stream_is_in_doubt_once_until_a_good_event_of_its_own() -> None:
    session = connected(line_of("signals", "feed"))
    bad = event("buy_signal", {**REAL, "pair": ""})
    frame = BadFrame("expected a pair at `pair`, got an empty text (nbt buy_signal)", ("signals",))
    doubt = StreamState("signals", "live", "a bad frame came: a signal may be missing")
    assert feed(session, 1, bad) == [frame, doubt]
    assert feed(session, 1, bad) == [frame]
    feed(session, 1, event("message", "hello"))
    assert feed(session, 1, bad) == [frame], "a message says nothing of the signals"
    feed(session, 1, event("buy_signal", REAL))
    assert feed(session, 1, bad) == [frame, doubt]


def test_a_bad_event_before_the_hub_lets_us_in_is_told_without_a_state() -> None:
    session = session_of(line_of("signals"))
    session.opened(at(0))
    items = feed(session, 0.1, OPEN_4, event("buy_signal"))
    assert items == [BadFrame("expected a signal, got nothing (nbt buy_signal)", ("signals",))]


@pytest.mark.parametrize(
    ("arguments", "data"),
    [((), None), ((None,), None), ((0,), 0), ((1, 2), [1, 2]), (([1],), [1]), (([1], 2), [[1], 2])],
)
def test_what_a_message_says_is_its_argument_or_the_list_of_them(arguments: tuple[object, ...], data: object) -> None:
    (message,) = feed(connected(line_of("feed")), 1, event("message", *arguments))
    assert message.data == data


@pytest.mark.parametrize(
    ("field", "value", "got"),
    [
        ("pair", ["x" * 56], "['" + "x" * 56 + "']"),
        ("pair", ["x" * 57], "['" + "x" * 57 + "…"),
        ("pair", "\n" * 200, ascii("\n" * 200)),
        ("pair", "x" * 201, "201 characters"),
        ("message", "x" * 10_001, "10001 characters"),
        ("message", [], "[]"),
    ],
)
def test_what_cannot_be_sent_is_told_in_few_words(field: str, value: object, got: str) -> None:
    fields = {"pair": "A", "price": "1", "strategy": "s", field: value}
    with pytest.raises(UsageError) as refused:
        signal_command("buy", fields, from_json=True)
    assert str(refused.value).endswith(f" as {field}, got {got}")
