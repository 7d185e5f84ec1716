"""Venue text is hostile: what is quoted of it is bounded, and nothing of it reaches a terminal raw."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.output import cells
from cli.output.columns import CsvLines
from cli.output.lines import JsonLines, RawFrame, Words
from tests.spoken import NOW, Spoken
from venues.records import Message, Order, Record, Status
from venues.redaction import Redactor
from venues.venue import BadFrame, Notice

if TYPE_CHECKING:
    from venues.driver import Delivered

LONG = "x" * 5_000_000
LONGEST = 1_000  # characters of anything that is said

QUOTED = [
    ("nexus", "orders", "", '{"event":"ORDER_UPDATE","timestamp":1747841759500,"data":{"symbol":"S","order_id":2,'
     '"side":"SELL","status":"@"}}'),
    ("nexus", "trades", "", '{"event":"TRADE","symbol":"SPOT_BTC_USDT","timestamp":1747841759500,"data":{"price":"@",'
     '"quantity":1,"side":"SELL"}}'),
    ("nexus", "trades", "", '{"event":"TRADE","symbol":"SPOT_BTC_USDT","timestamp":1747841759500,"data":{"price":1,'
     '"quantity":1,"side":"@"}}'),
    ("nexus", "book", "", '{"event":"BOOK","symbol":"@","timestamp":1747841759500,"data":{"asks":[],"bids":[]}}'),
    ("nexus", "positions", "", '{"event":"POSITIONS","data":{"positions":{"@":{"holding":"@"}}}}'),
    ("nexus", "trades", "", '{"success":false,"errorMsg":"@"}'),
    ("nexus", "trades", "", '{"success":false,"errorMsg":{"@":["@"]}}'),
    ("b2trader", "orders", "", '[{"orderId":"1","marketId":"m","status":"@","side":"Buy","requestedAmount":"1"}]'),
    ("b2trader", "orders", "", '[{"orderId":"1","marketId":"m","status":"Working","side":"@","requestedAmount":"1"}]'),
    ("b2trader", "orders", "", '[{"orderId":"1","marketId":"m","status":"Working","side":"Buy",'
     '"requestedAmount":"@"}]'),
    ("b2trader", "book", "", '{"instrument":"@","version":"1","snapshot":true,"bids":[],"asks":[]}'),
    ("b2trader", "book", "", '{"instrument":"cfd.eur_chf","version":"@","snapshot":true,"bids":[],"asks":[]}'),
    ("b2trader", "candles", "", '{"instrument":"cfd.eur_chf","open":"1","high":"1","low":"1","close":"1",'
     '"start":"@","end":"@"}'),
    ("jayx", "orders", "openorders", '{"modify":[{"id":1,"state":"@","side":"BUY","resd":1,"exec":0}]}'),
    ("jayx", "orders", "openorders", '{"modify":[{"id":1,"state":"NEW","side":"@","resd":1,"exec":0}]}'),
    ("jayx", "orders", "openorders", '{"modify":[{"id":1,"state":"NEW","symbol":"@","side":"BUY","resd":1,"exec":0}]}'),
    ("jayx", "trades", "orderbook", '{"trades":[{"lots":1,"ticks":1,"side":"@","created":1747841759500}]}'),
    ("jayx", "candles", "kline", '{"modify":{"created":1747841700,"o":6,"h":9,"l":5,"c":7,"v":2,"symbol":"@"}}'),
    ("jayx", "balance", "positions", '{"spot":[{"asset":"A","balance":"@","available":"1"}]}'),
    ("jayx", "book", "error", '"@"'),
    ("jayx", "book", "error", '{"message":"@"}'),
    ("nbt", "signals", "error", '"@"'),
    ("nbt", "signals", "buy_signal", '{"pair":"A","price":"@"}'),
    ("nbt", "signals", "buy_signal", '{"pair":"A","score":["@"]}'),
    ("nbt", "signals", "buy_signal", '{"pair":"A","@":1,"price":[]}'),
    ("profitview", "feed", "", '{"type":["@"],"data":1}'),
]  # fmt: skip

SAID_BY_A_HUB = [
    b'{"type":7,"error":"@","allowReconnect":true}\x1e',
    b'{"type":7,"error":"@ unauthorized","allowReconnect":true}\x1e',
    b'{"type":7,"error":"@"}\x1e',
    b'{"type":3,"invocationId":"0","error":"@"}\x1e',
    b'{"type":3,"invocationId":"0","error":"@ unauthorized"}\x1e',
    b'{"type":"@"}\x1e',
    b'{"type":1,"target":"@","arguments":"@"}\x1e',
]


def words_of(items: list[Delivered]) -> list[str]:
    said = [item.reason for item in items if isinstance(item, BadFrame)]
    said += [item.text for item in items if isinstance(item, Notice)]
    return said + [item.reason for item in items if isinstance(item, Status) and item.reason]


@pytest.mark.parametrize(("venue", "stream", "event", "message"), QUOTED)
def test_a_quoted_word_is_bounded(venue: str, stream: str, event: str, message: str) -> None:
    spoken = Spoken(venue, stream)
    said = [*words_of(spoken.hear(message.replace("@", LONG), event)), str(spoken.driver.ended or "")]
    assert any(said)
    assert max(map(len, said)) <= LONGEST


@pytest.mark.parametrize("frame", SAID_BY_A_HUB)
def test_what_a_hub_says_is_bounded(frame: bytes) -> None:
    spoken = Spoken("b2trader", "book")
    items = spoken.driver.receive(frame.replace(b"@", LONG.encode()), NOW)
    said = [*words_of(items), str(spoken.driver.ended or "")]
    assert max(map(len, said)) <= LONGEST


def test_a_refused_handshake_is_bounded() -> None:
    for words in (LONG, f"{LONG} unauthorized"):
        spoken = Spoken("b2trader", "book", welcome=False)
        spoken.driver.receive(b'{"error":"%b"}\x1e' % words.encode(), NOW)
        assert 0 < len(str(spoken.driver.ended)) <= LONGEST


# --- a terminal ------------------------------------------------------------------------------------------------------

ZALGO = "a" + "\u0301" * 50
HOSTILE = {
    "C1": "\x9b31m", "right to left": "\u202eabc", "OSC": "\x1b]0;title\x07", "C1 OSC": "\x9d0;title\x9c",
    "soft hyphen": "a\u00adb", "vowel separator": "a\u180eb", "tags": "a\U000e0041\U000e007f",
    "filler": "\u3164", "other fillers": "\u115f\u1160\uffa0", "joiner": "a\u034fb", "selectors": "a\U000e0100b\ufe00",
    "marks": ZALGO, "marks without a base": "\u0301" * 5, "enclosing": "a" + "\u20dd" * 9,
    "vowels": "\u1100" + "\u1161" * 9,
    "DEL": "\x7f", "separators": "a\u2028b\u2029", "private": "\ue000", "isolates": "\u2066a\u2069", "BOM": "\ufeff",
}  # fmt: skip
GOOD = [
    "Zürich",
    "日本語",
    "한국어",
    "é" + "e\u0301",
    "привет",
    "हिन्दी",
    "€ 5",
    "🙂",
    "❤\ufe0f",
    "a\u0301\u0302\u0303b",
]


def is_harmless(text: str) -> bool:
    marks = re.search("(?:[\u0300-\u036f\u20d0-\u20f0]){4}|(?:[\u1161-\u11ff]){4}", text)
    kinds = {unicodedata.category(character) for character in text if character != "\n"}
    unseen = set(text) & set("\u3164\u115f\u1160\uffa0\u034f\U000e0100\ufe00")
    return not marks and not unseen and not kinds & {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_a_cell_shows(text: str) -> None:
    shown = cells.harmless(text)
    assert is_harmless(shown)
    assert not unicodedata.category(shown[0]).startswith("M")


@pytest.mark.parametrize(
    ("first", "last"),
    [(0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x3164, 0x3164), (0xFE00, 0xFE0D),
     (0xFFA0, 0xFFA0), (0xE0100, 0xE01EF)],
)  # fmt: skip
def test_what_unicode_draws_nothing_for_is_an_escape_and_its_neighbours_are_shown(first: int, last: int) -> None:
    """By Unicode's Default_Ignorable_Code_Point; neighbours that are not assigned are escapes too."""
    for code in (first, last):
        assert cells.harmless(f"a{chr(code)}b") in (rf"a\u{code:04x}b", rf"a\U{code:08x}b")
    for neighbour in (chr(first - 1), chr(last + 1)):
        if unicodedata.category(neighbour) not in ("Cn", "Cf"):
            assert cells.harmless(f"a{neighbour}b") == f"a{neighbour}b"


@pytest.mark.parametrize(
    ("code", "escape"),
    [
        (0x00, r"\x00"),
        (0xFF, r"\xff"),
        (0x100, r"\u0100"),
        (0xFFFF, r"\uffff"),
        (0x10000, r"\U00010000"),
        (0x10FFFF, r"\U0010ffff"),
    ],
)
def test_an_escape_is_as_long_as_its_number_needs(code: int, escape: str) -> None:
    assert cells._escape(chr(code)) == escape


def test_three_marks_stay_on_a_character() -> None:
    assert cells.harmless("a" + "\u0301" * 5 + "b\u0301") == "a" + "\u0301" * 3 + r"\u0301\u0301" + "b\u0301"
    assert cells.harmless("\u0301a") == r"\u0301a"
    assert cells.harmless("\x9b\u0301") == r"\x9b\u0301"


@pytest.mark.parametrize("code", [0x1161, 0x1175, 0x11A8, 0x11FF, 0xD7B0, 0xD7C6])
def test_three_letters_that_are_drawn_on_another_stay_on_it(code: int) -> None:
    assert cells.harmless("\u1100" + 4 * chr(code)) == "\u1100" + 3 * chr(code) + rf"\u{code:04x}"
    assert cells.harmless(chr(code)) == rf"\u{code:04x}"


@pytest.mark.parametrize("letter", ["\u1100", "\u115e", "\u1200", "\ud7a3", "\uac00"])
def test_letters_beside_those_stand_by_themselves(letter: str) -> None:
    assert cells.harmless(letter * 5) == letter * 5


@pytest.mark.parametrize("text", GOOD)
def test_what_people_write_stays(text: str) -> None:
    assert cells.harmless(text) == text
    assert cells.harmless_json(f'"{text}"') == f'"{text}"'


@given(st.text(st.characters(categories=["L", "M", "C", "Z", "S", "P", "N"]), max_size=20))
def test_any_text_is_harmless(text: str) -> None:
    assert is_harmless(cells.harmless(text))
    line = json.dumps(text.encode("utf-16", "replace").decode("utf-16", "replace"), ensure_ascii=False)
    assert is_harmless(cells.harmless_json(line))
    assert json.loads(cells.harmless_json(line)) == json.loads(line)


class Caught:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.data = io.BytesIO()
        monkeypatch.setattr("cli.output.lines.write_all", lambda descriptor, data, *_: self.data.write(data))

    def text(self) -> str:
        return self.data.getvalue().decode()


def hostile_records(text: str) -> list[Record]:
    data = {text: [text, Decimal("1.10")]}
    return [
        Message(venue="v", received=1, topic=text, data=data),
        Order(venue="v", received=1, order_id=text, status="new", change="update", extra={"reason": text}),
    ]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_lines_on_a_terminal(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for record in [*hostile_records(text), RawFrame(received=1, direction="in", frame=text)]:
        caught = Caught(monkeypatch)
        JsonLines(numbers_as_strings=False, to_terminal=True, redactor=Redactor()).write([record, record])
        assert is_harmless(caught.text())
        assert caught.text().count("\n") == 2
        raw = Caught(monkeypatch)
        JsonLines(numbers_as_strings=False, to_terminal=False, redactor=Redactor()).write([record, record])
        for line, other in zip(caught.text().splitlines(), raw.text().split("\n"), strict=False):
            assert json.loads(line) == json.loads(other)  # the same values


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_csv_on_a_terminal(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for record in hostile_records(text):
        caught = Caught(monkeypatch)
        CsvLines(type(record), to_terminal=True, redactor=Redactor()).write([record])
        assert is_harmless(caught.text())
        raw: Any = Caught(monkeypatch)
        CsvLines(type(record), to_terminal=False, redactor=Redactor()).write([record])
        assert text in raw.text() or json.dumps(text)[1:-1].lower() in raw.text().lower()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_words_on_stderr(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("cli.output.lines._writable", lambda descriptor: True)
    monkeypatch.setattr("cli.output.lines.os.write", lambda descriptor, data: written.write(data))
    Words().error(f"the venue says: {text}")
    assert is_harmless(written.getvalue().decode())
