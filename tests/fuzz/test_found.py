"""What fuzzing found in `mon`, each case by itself."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest

from cli import main
from cli.bot.forms import LONGEST_HEAD, MOST_PARTS, FormError, form_in_parts
from cli.screen.keys import KeyParser
from tests.fuzz.judge import MOST_CPU
from tests.fuzz.options import ERRORS, parsed
from tests.fuzz.sessions import live
from tests.fuzz.targets import TARGETS
from tests.fuzz.worker import judge_alone
from venues import venue_named
from venues.errors import RecordingError, UsageError
from venues.made import routes_of
from venues.recording import Recording
from venues.redaction import TOO_DEEP, Redactor
from venues.venue import Settings, Subscription

HEAD = '{"version":3,"venue":"woox","url":"wss://v.example","subscriptions":[%s]}\n'


def cpu_of(call: object, *given: object) -> float:
    """The least processor time of three calls, in seconds."""
    assert callable(call)
    spent = []
    for _ in range(3):
        started = time.process_time()
        with contextlib.suppress(FormError, *ERRORS):
            call(*given)
        spent.append(time.process_time() - started)
    return min(spent)


@pytest.mark.parametrize("stream", ["nope", ""])
def test_a_recording_of_an_unknown_stream_is_none(stream: str, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(HEAD % f'{{"stream":"trades","symbols":["SPOT_BTC_USDT"]}},{{"stream":"{stream}"}}')
    with pytest.raises(RecordingError, match=f'expected a recording of streams that mon has, got "{stream}" in '):
        Recording(file)


@pytest.mark.parametrize(
    ("subscription", "words"),
    [
        (Subscription("orders", ("SPOT_BTC_USDT",)), "woox has no stream orders; it has: book"),
        (Subscription("trades"), "expected a symbol or several for trades of woox, got none"),
        (Subscription("trades", ("",)), "expected a symbol"),
        (Subscription("trades", ("\ud800",)), "expected a symbol"),
    ],
)
def test_a_recording_of_what_the_venue_has_not(subscription: Subscription, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        routes_of(venue_named("woox"), [subscription], Settings("wss://v.example"))
    with pytest.raises(UsageError, match="expected one symbol for book of nexus, got none"):
        routes_of(venue_named("nexus"), [Subscription("book")], Settings("wss://v.example"))
    with pytest.raises(UsageError, match="expected no symbol for ping of nbt, got A"):
        routes_of(venue_named("nbt"), [Subscription("ping", ("A",))], Settings("wss://v.example"))


@pytest.mark.parametrize("depth", [300, 600, 900, 100_000])
def test_an_answer_that_is_nested_deeply_shows_no_token(depth: int) -> None:
    body = "[" * depth + '{"accessToken":"abc"}' + "]" * depth
    shown = Redactor().answer(body)
    assert shown == TOO_DEEP or "[accessToken]" in shown
    assert "abc" not in shown


HANDSHAKE = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "


@pytest.mark.parametrize(
    "headers",
    [b"Upgrade: \xd5", HANDSHAKE + b"\xd5", HANDSHAKE + b"AAAAAAAAAAAAAAAAAAAAA\xff==", HANDSHAKE + b"no base64"],
)
def test_a_handshake_whose_header_is_no_text_is_refused(headers: bytes) -> None:
    head = b"GET /stream?token=tok%2Fen%2Bof%20mine-4711 HTTP/1.1\r\nHost: a\r\n"
    (target,) = [one for one in TARGETS if one.name == "bot.request"]
    _, fault = judge_alone(target, head + headers + b"\r\n\r\n", [])
    assert fault is None


def part(head: str, content: str = "1") -> bytes:
    return f"--x\r\n{head}\r\n\r\n{content}\r\n".encode()


NAMED = 'Content-Disposition: form-data; name="a"'


def test_forms_in_parts() -> None:
    def fields(body: bytes, content_type: str = "multipart/form-data; boundary=x") -> dict[str, str]:
        return form_in_parts(content_type, body)

    assert fields(part(NAMED)) == {"a": "1\r\n"}, "without a last boundary"
    assert fields(b"before\r\n" + part(NAMED) + b"--x--\r\nbehind" + part(NAMED, "2")) == {"a": "1"}
    assert fields(part(NAMED, "--xy\r\n--\r\n\r\n--x y") + b"--x--") == {"a": "--xy\r\n--\r\n\r\n--x y"}
    assert fields(part(NAMED).replace(b"\r\n", b"\n") + b"--x--\n") == {"a": "1"}, "with bare line ends"
    assert fields(part(NAMED) + part(NAMED.replace('"a"', "b"), "") + b"--x--") == {"a": "1", "b": ""}
    assert fields(part(f"{NAMED}\r\nContent-Transfer-Encoding: base64", "w7w=") + b"--x--") == {"a": "ü"}
    assert fields(part("Content-Disposition: form-data; name*=utf-8''%C3%BC") + b"--x--") == {"ü": "1"}
    assert fields(part(NAMED).replace(b"--x", b"--a b") + b"--a b--", 'multipart/form-data; boundary="a b"') == {
        "a": "1"
    }


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (part(f"{NAMED}; filename={'a' * LONGEST_HEAD}"), "at most 1000 bytes before the content of a part"),
        (part(NAMED) * (MOST_PARTS + 1), "at most 1000 parts"),
        (part(f"{NAMED}\r\nContent-Type: multipart/mixed; boundary=y", "--y\r\n\r\n1"), "parts within parts"),
        (b"--x\r\n\r\nwithout a head\r\n--x--", "expected a name for each part"),
        (b"--x\r\n\xff\r\n\r\n1\r\n--x--", "expected the name of each part of a form in UTF-8"),
        (b"--x--", "expected a form in parts, got something else"),
    ],
)
def test_what_is_no_form_in_parts(body: bytes, words: str) -> None:
    with pytest.raises(FormError, match=words):
        form_in_parts("multipart/form-data; boundary=x", body)


@pytest.mark.parametrize(
    "body",
    [
        part('Content-Disposition: form-data; name="' + '";"' * 20_000),
        part("Content-Disposition: form-data" + "; a=b" * 12_000),
        part("X: " + '{"a":' * 12_000),
        b"--x\r\n\r\n" * 8_000,
        b"--x" + b" " * 60_000,
        b"--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" * 1_200,
        part(NAMED) * 1_000,
    ],
)
def test_a_form_in_parts_takes_little_time(body: bytes) -> None:
    assert cpu_of(form_in_parts, "multipart/form-data; boundary=x", body) <= MOST_CPU


def test_many_keys_at_once_take_little_time() -> None:
    assert cpu_of(lambda: KeyParser().feed(b"x" * 65_536)) <= MOST_CPU
    assert KeyParser().feed(b"\x1b[A" * 1_000) == ["up"] * 1_000
    assert KeyParser().feed(b"sell everything" + b" " * 1_000) == []


@pytest.mark.parametrize("digits", [18, 19, 4_300, 4_301, 60_000])
def test_an_answer_to_a_request_of_a_huge_number_is_nobodys(digits: int) -> None:
    answer = f'{{"id":"{"9" * digits}","cmd":"SUBSCRIBE","success":true,"data":[]}}'
    assert live("woox", b"\x00\x00" + answer.encode()) == live("woox", b"\x00\x00" + b'{"cmd":"UNSUBSCRIBE"}')


def test_a_line_of_many_unknown_options_takes_little_time() -> None:
    line = "\n".join(["book", "nexus", "SPOT_BTC_USDT", *["--quiets"] * 5_000]).encode()
    assert cpu_of(parsed, line) <= MOST_CPU


FEW = main.MOST_WORDS - 3  # beside three others
BOT, BOOK = ["bot", "run", "x.py"], ["book", "kraken", "BTC/USD"]


@pytest.mark.parametrize(
    "line",
    [
        *([*words, *["a"] * FEW] for words in ([], BOT, BOOK, ["dash"], ["sim"], ["config", "check"])),
        *([*BOT, *[option, "a"] * (FEW // 2)] for option in ("--replay", "--history", "--held", "--set", "--env")),
        *([*BOT, *[f"{option}=a"] * FEW] for option in ("--replay", "--history")),
        [*BOOK, *["-v"] * main.MOST_LETTERS, *["a"] * (FEW - main.MOST_LETTERS)],
        [*BOOK, "-" + "v" * main.MOST_LETTERS],
        *([*words, *["a"] * 32_700] for words in (BOT, BOOK)),
        *([*words, *["-v"] * 21_000] for words in (BOT, BOOK)),
        [*BOOK, "-" + "v" * 65_000],
    ],
    ids=lambda line: f"{len(line)} {' '.join(line)[:20]}",
)
def test_a_long_line_takes_little_time(line: list[str]) -> None:
    assert cpu_of(parsed, "\n".join(line).encode()) <= MOST_CPU


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ([*BOT, *["a"] * (FEW + 1)], "expected at most 5,000 words in a command line, got 5,001: give the rest of"),
        ([*BOOK, *["-v"] * 201], "expected at most 200 short options in a command line, got 201"),
        ([*BOOK, "-" + "v" * 201], "expected at most 200 short options in a command line, got 201"),
        ([*BOT, *["a"] * 100, "--market", "nope:A"], "expected at most 100 scripts in a run, got 101"),
    ],
)
def test_a_line_that_is_too_long_is_refused(line: list[str], words: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main.run(line) == 2
    assert words in capfd.readouterr().err


@pytest.mark.parametrize("words", [300, 498, 499, 500, 501, 502, 2_000])
def test_the_venue_is_found_in_a_long_line(words: int) -> None:
    command = main._loaded("quotes")
    context = command.context_class(command, info_name="quotes")
    line = ["woox", *["A"] * (words - 3), "--env", "sim", *["B"] * 600]
    assert command.venues_in(context, line) == ["woox"]


def test_a_simulator_refuses_an_empty_symbol() -> None:
    (target,) = [one for one in TARGETS if one.name == "simulator.kraken"]
    asked = b'kraken/v2\n\x00t{"method":"subscribe","params":{"channel":"ohlc","symbol":[""],"interval":1}}'
    _, fault = judge_alone(target, asked, [])
    assert fault is None
