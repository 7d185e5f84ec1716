"""Digits as sent: in plain notation wherever a decimal is written or said."""

from __future__ import annotations

import copy
import io
import json
import pickle
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.output.columns import CsvLines
from cli.output.payload import line_of
from tests.command import environment, mon
from tests.spoken import Spoken
from venues.errors import CrossedBook
from venues.nbt.messages import payload
from venues.nbt.sending import signal_command
from venues.records import Book, Fill, Level, Message, Order, Quote, Record, Signal, Status, Trade
from venues.redaction import Redactor
from venues.toolkit import written as written_module
from venues.toolkit.any_json import any_json
from venues.toolkit.book import OrderBook
from venues.toolkit.numbers import MAX_EXPONENT, plain_text, shown
from venues.toolkit.written import Writer, WrittenDecimal
from venues.venue import BadFrame

if TYPE_CHECKING:
    pass

SMALL = ("0.00000012", "0.00000000", "-0.00000012", "0.0000001", "123000000000000000000000000000")
# As sent, and as it is written.
NUMBERS = [*((text, text) for text in (*SMALL, "1.10", "0", "-0.0", "100")),
           ("1e-7", "0.0000001"), ("1.20E3", "1200"), ("0E-8", "0.00000000"), ("-1.5e+2", "-150"),
           ("1E5", "100000")]  # fmt: skip


def lines(record: Record, **how: Any) -> str:
    return Writer(**how).encode_lines([record]).decode()


# --- each venue ------------------------------------------------------------------------------------------------------


def trade(number: str) -> list[tuple[str, str, str, str]]:
    return [
        ("nexus", "fills", "", f'{{"event":"TRANSACTION","timestamp":1747841759500,"data":{{"id":5,"symbol":'
         f'"SPOT_BTC_USDT","order_id":2,"executed_price":{number},"executed_quantity":1,"side":"BUY"}}}}'),
        ("b2trader", "quotes", "", f'{{"markets":[{{"marketId":"cfd.eur_chf","ask":"{number}"}}],"snapshot":true}}'),
        ("b2trader", "quotes", "", f'{{"markets":[{{"marketId":"cfd.eur_chf","ask":{number}}}],"snapshot":true}}'),
        ("jayx", "orders", "openorders", f'{{"cancel":[],"modify":[{{"id":1,"state":"NEW","side":"BUY","resd":1,'
         f'"exec":0,"price":"{number}"}}]}}'),
        ("nbt", "signals", "buy_signal", f'{{"pair":"A","price":"{number}","message":{{"n":{number}}}}}'),
        ("nbt", "signals", "buy_signal", f'{{"pair":"A","price":{number}}}'),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "written"), [("0.00000012", "0.00000012"), ("1e-7", "0.0000001"), ("1.20E3", "1200")]
)
def test_each_venue_gives_the_digits_that_it_sent(number: str, written: str) -> None:
    for venue, stream, event, message in trade(number):
        items = Spoken(venue, stream).hear(message, event)
        (record,) = [item for item in items if isinstance(item, Fill | Quote | Order | Signal)]
        for name in ("price", "ask_price"):
            if hasattr(record, name):
                assert f'"{name}":{written},' in lines(record).replace("}", ","), venue
                assert f'"{name}":"{written}"' in lines(record, numbers_as_strings=True), venue
        assert not re.search("[0-9][eE]", lines(record)), venue


def test_balances_and_books() -> None:
    balance = '[{"assetId":"eur","available":"0.00000000","total":"0.00000012","locked":"0.00000012"}]'
    found = Spoken("b2trader", "balance").hear(balance)
    assert '"total":0.00000012,"available":0.00000000,"locked":0.00000012' in "".join(
        lines(item) for item in found if isinstance(item, Record)
    )
    book = ('{"instrument":"cfd.eur_chf","version":"1","snapshot":true,"bids":[{"price":"0.00000011","amount":"1E+3",'
            '"total":"0.00011000"}],"asks":[{"price":"0.00000012","amount":"5","total":null}]}')  # fmt: skip
    found = Spoken("b2trader", "book").hear(book)
    (text,) = [lines(item) for item in found if isinstance(item, Book)]
    assert '"bids":[{"price":0.00000011,"size":1000,"total":0.00011000}],"asks":[{"price":0.00000012,"size":5}]' in text


def test_figures_made_from_others_are_plain_too() -> None:
    order = ('[{"marketId":"cfd.eur_chf","orderId":"7","status":"Working","side":"Buy","requestedAmount":"0.00000030",'
             '"remainingAmount":"0.00000018"}]')  # fmt: skip
    (text,) = [lines(item) for item in Spoken("b2trader", "orders").hear(order) if isinstance(item, Order)]
    assert '"size":0.00000030,"filled":0.00000012,"remaining":0.00000018' in text
    position = ('{"item":[{"marketId":"cfd.eur_chf","positionId":"7","side":"Buy","status":"Open",'
                '"positionLotAmount":"1","unrealizedPnlTotalPercent":"-0.000000001"}],"snapshot":true}')  # fmt: skip
    texts = [lines(item) for item in Spoken("b2trader", "positions").hear(position) if isinstance(item, Record)]
    assert '"unrealized_pnl_pct":-0.0000001,' in "".join(texts)


@pytest.mark.parametrize(("venue", "event"), [("nbt", "message"), ("profitview", "")])
def test_in_the_data_of_a_message_numbers_stay_as_they_were_sent(venue: str, event: str) -> None:
    data = '[1e-7,1E-7,1.20E3,0E-8,-0,0,-0.0,0.00000012,5e-324,1.5e+10,{"n":[1E5,"-0",-0]},123456789012345678901]'
    message = data if venue == "nbt" else f'{{"type":"t","data":{data}}}'
    (record,) = [item for item in Spoken(venue, "feed").hear(message, event) if isinstance(item, Message)]
    assert f'"data":{data}' in lines(record)
    assert f'"data":{data}' in lines(pickle.loads(pickle.dumps(record)))  # as when it waits for a slow reader
    # Texts are written as such; JSON integers stay numbers.
    assert '"data":["1e-7","1E-7","1.20E3","0E-8","-0",0,' in lines(record, numbers_as_strings=True)
    assert not re.search("[0-9]e-7", line_of([Decimal("1e-7")], str))


# --- the encoder -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sent", "written"), NUMBERS)
def test_a_number_is_written_plainly(sent: str, written: str) -> None:
    record = Trade(venue="v", received=1, price=Decimal(sent), size=Decimal(1), side="buy", trade_id="1E-7")
    assert f'"price":{written},"size":1,"side":"buy","trade_id":"1E-7"' in lines(record)
    assert f'"price":"{written}","size":"1"' in lines(record, numbers_as_strings=True)
    assert Writer().encode({"n": [Decimal(sent)]}).decode() == f'{{"n":[{written}]}}'
    assert plain_text(Decimal(sent)) == written
    assert shown(Decimal(sent)) == written


DECIMALS = st.builds(
    lambda digits, exponent, sign: Decimal((sign, tuple(map(int, str(digits))), exponent)),
    st.integers(0, 10**39), st.integers(-MAX_EXPONENT, MAX_EXPONENT), st.integers(0, 1),
)  # fmt: skip
LEVELS = st.lists(st.builds(Level, DECIMALS, DECIMALS, st.none() | st.integers(0, 9), st.none() | DECIMALS), max_size=4)
TEXTS = st.text(st.sampled_from('1E-7+"\\,: '), max_size=8)


@given(st.lists(st.lists(LEVELS, min_size=2, max_size=2), min_size=1, max_size=4), TEXTS, st.booleans())
def test_books_are_what_they_would_be_number_by_number(
    books: list[list[list[Level]]], text: str, strings: bool
) -> None:
    writer = Writer(numbers_as_strings=strings)
    for bids, asks in books:
        book = Book(venue=text, received=1, bids=bids, asks=asks, extra={"total": bids[0].price if bids else text})
        read = json.loads(writer.encode_lines([book]), parse_float=Read, parse_int=Read)
        assert read["venue"] == text
        for levels, found in ((bids, read["bids"]), (asks, read["asks"])):
            for level, row in zip(levels, found, strict=True):
                for name in ("price", "size", "total"):
                    value = getattr(level, name)
                    assert str(row.get(name)) == ("None" if value is None else format(value, "f"))


class Read(str):
    """A JSON number as the text that it is."""


@given(st.lists(st.builds(lambda a, b: Trade(venue="v", received=1, price=a, size=b, side="buy"), DECIMALS, DECIMALS)))
def test_several_records_in_one_go(trades: list[Trade]) -> None:
    one_by_one = b"".join(Writer().encode_lines([each]) for each in trades)
    assert Writer().encode_lines(trades) == one_by_one
    assert not re.search(rb"[0-9][eE]", one_by_one)


CHANGES = st.lists(st.tuples(st.integers(0, 11), DECIMALS), max_size=4)


@given(st.lists(CHANGES, max_size=12), st.booleans(), st.sampled_from([4, 30, 10_000]), st.integers(1, 100))
def test_levels_that_come_again_are_written_as_at_first(
    changes: list[list[tuple[int, Decimal]]], strings: bool, most: int, share: int
) -> None:
    """Whatever is kept of the books before, dropped, or not looked up for a while."""
    limits = {"_MOST_LEVELS": most, "_MOST_OF_A_SIDE": max(1, most // 4), "_SHARE_NEW": share, "_LEFT_ALONE": 3}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in limits.items():
            patch.setattr(written_module, name, value)
        writer = Writer(numbers_as_strings=strings)
        levels = [Level(Decimal(100 + place), Decimal(1)) for place in range(12)]
        for rows in changes:
            for place, size in rows:
                levels[place] = Level(levels[place].price, size)  # the one before may be gone, and its id another's
            book = Book(venue="v", received=1, bids=levels[:6], asks=levels[6:])
            others = [Status(stream="book", venue="v", symbol="A", state="live", received=1), book]
            for records in ([book], others):
                assert writer.encode_lines(records) == Writer(numbers_as_strings=strings).encode_lines(records)
                plain = msgspec.json.decode(writer.encode_lines(records).splitlines()[-1])
                assert len(plain["bids"]) == len(plain["asks"]) == 6


def test_levels_that_come_again_are_not_encoded_again() -> None:
    """And not looked up any more where most of a book is new; after a while they are again."""
    writer = Writer()
    levels = [Level(Decimal(place), Decimal(1)) for place in range(1, 13)]
    book = Book(venue="v", received=1, bids=levels[:6], asks=levels[6:])
    for _ in range(5):
        writer.encode_lines([book])
    assert len(writer._kept) == 12
    assert not writer._left_alone
    fresh = [Book(venue="v", received=1, bids=[copy.copy(level) for level in levels], asks=[]) for _ in range(70)]
    for other in fresh:
        writer.encode_lines([other])
    assert len(writer._kept) == 12 + 2 * 12 + 2 * 12, "two, then 64 that are left alone, then two of the last four"
    assert writer._left_alone == 62


def test_only_so_many_levels_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_MOST_LEVELS", 40), ("_MOST_OF_A_SIDE", 10), ("_SHARE_NEW", 0)):
        monkeypatch.setattr(written_module, name, value)
    writer = Writer()
    for number in range(1, 100):
        levels = [Level(Decimal(number), Decimal(place)) for place in range(1, 10)]
        writer.encode_lines([Book(venue="v", received=1, bids=levels, asks=[])])
        assert len(writer._kept) == len(writer._known) <= 40
    kept = len(writer._kept)
    deep = [Level(Decimal(1), Decimal(place)) for place in range(1, 12)]
    writer.encode_lines([Book(venue="v", received=1, bids=deep, asks=[])])
    assert len(writer._kept) in (0, kept), "of a side with more than ten nothing is kept"


def test_known_levels_of_small_prices_are_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    writer, small = Writer(), [Level(Decimal(f"{digit}e-9"), Decimal(1)) for digit in range(1, 7)]
    book = Book(venue="v", received=1, bids=small, asks=[])
    first = writer.encode_lines([book])
    monkeypatch.setattr(writer, "_plain", lambda _: pytest.fail("once more"))
    assert writer.encode_lines([book]) == first


def test_nothing_to_write_after_a_book_of_small_prices() -> None:
    writer, small = Writer(), Level(Decimal("1e-7"), Decimal(1))
    assert b"0.0000001" in writer.encode_lines([Book(venue="v", received=1, bids=[small], asks=[])])
    assert writer.encode_lines([]) == b""


def test_what_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="object is unsupported"):
        Writer().encode([object()])


def test_a_written_decimal() -> None:
    number = WrittenDecimal("1.0e-7")
    assert number == Decimal("1.0e-7")
    for same in (number, copy.copy(number), copy.deepcopy([number])[0], pickle.loads(pickle.dumps(number))):
        assert isinstance(same, WrittenDecimal)
        assert str(same) == "1.0e-7"


def test_minus_zero_in_a_text_is_none() -> None:
    assert any_json(b'["[-0]", 0, -0.0]') == ["[-0]", 0, 0]
    assert str(any_json(b"-0")) == "-0"


# --- where else a decimal is written ---------------------------------------------------------------------------------


def csv_of(record: Record, monkeypatch: pytest.MonkeyPatch, *, to_terminal: bool = False) -> str:
    written = io.BytesIO()
    monkeypatch.setattr("cli.output.lines.write_all", lambda descriptor, data, *_: written.write(data))
    CsvLines(type(record), to_terminal=to_terminal, redactor=Redactor()).write([record])
    return written.getvalue().decode()


@pytest.mark.parametrize(("sent", "written"), NUMBERS)
def test_csv(sent: str, written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    number = Decimal(sent)
    record = Trade(venue="v", received=1, price=number, size=number, side="buy", extra={"n": number})
    assert f',{written},{written},buy,,,,"{{""n"":{written}}}"\n' in csv_of(record, monkeypatch)
    book = Book(venue="v", received=1, bids=[Level(number, number, 1, number)], asks=[])
    assert f",bid,1,{written},{written},1,{written}\n" in csv_of(book, monkeypatch)


def test_a_message_in_csv(monkeypatch: pytest.MonkeyPatch) -> None:
    message = Message(venue="v", received=1, topic="t", data=any_json(b"[1e-7,-0]"))
    assert ',"[1e-7,-0]",' in csv_of(message, monkeypatch)


def test_in_the_data_of_a_message_alone_decimals_are_written_as_they_are() -> None:
    data: dict[str, Any] = {"n": Decimal("1E-7"), "all": [Decimal("2.50E-8")]}
    message = Message(venue="v", received=1, topic="t", data=data)
    assert lines(message).endswith('"data":{"n":1E-7,"all":[2.50E-8]}}\n')
    trade = Trade(venue="v", received=1, price=data["n"], size=Decimal(1), side="buy", extra=data)
    assert lines(trade).endswith('"extra":{"n":0.0000001,"all":[0.0000000250]}}\n')


def test_what_is_said() -> None:
    with pytest.raises(CrossedBook, match=r"best bid 0\.00000013 is not below best ask 0\.00000012"):
        OrderBook().snapshot([Level(Decimal("0.00000013"), Decimal(1))], [Level(Decimal("0.00000012"), Decimal(1))])
    filled = ('{"event":"ORDER_UPDATE","timestamp":1747841759500,"data":{"symbol":"S","order_id":2,"side":"SELL",'
              '"status":"NEW","order_quantity":1e-7,"aggregated_executed_quantity":0.00000012}}')  # fmt: skip
    order = ('[{"marketId":"cfd.eur_chf","orderId":"7","status":"Working","side":"Buy","requestedAmount":"0.00000010",'
             '"remainingAmount":"0.00000012"}]')  # fmt: skip
    balance = '{"spot":[{"asset":"USDT","balance":"0.0000001","available":"0.00000012"}]}'
    for spoken, message, event in (
        (Spoken("nexus", "orders"), filled, ""),
        (Spoken("b2trader", "orders"), order, ""),
        (Spoken("jayx", "balance"), balance, "positions"),
    ):
        (bad,) = [item for item in spoken.hear(message, event) if isinstance(item, BadFrame)]
        assert "0.00000012" in bad.reason
        assert "0.0000001" in bad.reason.replace("0.00000012", "")


def test_what_is_sent_to_a_hub() -> None:
    command = signal_command("buy", {"strategy": "s", "pair": "p", "price": "0.00000012", "stop_loss": "1e-7"})
    assert payload("k", command.fields) == (
        '{"key":"k","stratname":"s","pair":"p","buy_price":0.00000012,"stop_loss":0.0000001}'
    )


def test_what_a_bot_emits() -> None:
    from cli.bot.script_api import message

    data, frame = message("t", {"n": Decimal("1.2E-7"), "zero": Decimal("0E-8")})
    assert frame == b'{"type":"t","data":{"n":0.00000012,"zero":0.00000000}}'
    record = Message(venue="bot", received=1, topic="t", data=data)
    assert '"data":{"n":0.00000012,"zero":0.00000000}' in lines(record)


CASE = Path(__file__).parent / "fixtures" / "nexus" / "trades--small.frames.jsonl"


@pytest.mark.parametrize("arguments", [("-o", "jsonl"), ("-o", "csv"), ("--numbers", "string"), ("-o", "table")])
def test_a_small_price_from_end_to_end(arguments: tuple[str, ...], tmp_path: Path) -> None:
    replay = ("--replay", str(CASE), "--speed", "max")
    done = mon("trades", "nexus", *replay, *arguments, env=environment(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "0.00000012" in done.stdout
    assert not re.search("[0-9][eE]-", done.stdout)
