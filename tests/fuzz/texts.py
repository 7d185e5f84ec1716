"""Targets of small texts: numbers, times, addresses, symbols, and what is shown of them."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable, Sequence
from decimal import Decimal, DecimalException
from enum import Enum
from pathlib import Path
from typing import Any

from cli.bot import attributes, script_api
from cli.bot.command import listening_at, market_named
from cli.bot.timing import cron
from cli.commands import sim
from cli.output import cells, payload
from cli.output.chosen import chosen_fields, template_of
from cli.output.conditions import Seen, condition
from cli.output.fields import Fields
from cli.run import desk, values
from tests.reckoned import Maker
from venues import VENUES, venue_named
from venues.answers import status_of_old_answer
from venues.errors import BadMessage, MonError, UsageError
from venues.fetching import date_ms, retry_after
from venues.redaction import without_secret_parameters
from venues.streams import STREAMS
from venues.toolkit import any_json, candles, checksum, decoding, numbers, times
from venues.toolkit.addresses import is_loopback
from venues.toolkit.written import Writer
from venues.venue import Now

NOW = Now(1.0, 1_747_841_760_000)
_WRITER = Writer()
_Reading = tuple[Callable[[Any], object], tuple[type[Exception], ...]]

# Each reader of a text, with the errors that it names.
READERS: Sequence[_Reading] = [
    (lambda text: numbers.number(text, "p"), (BadMessage,)),
    (lambda text: numbers.positive(text, "p"), (BadMessage,)),
    (lambda text: numbers.not_negative(text, "p"), (BadMessage,)),
    (lambda text: numbers.optional(text, "p"), (BadMessage,)),
    (lambda text: numbers.optional_positive(text, "p"), (BadMessage,)),
    (lambda text: numbers.whole_number(text, "p"), (BadMessage,)),
    (lambda text: numbers.text_number(text, "p"), (BadMessage,)),
    (numbers.whole, ()),
    (numbers.shown, ()),
    (lambda text: times.iso_ms(text, "p"), (BadMessage,)),
    (lambda text: times.time_ms(text, "p"), (BadMessage,)),
    (lambda text: times.fine_time(text, "p"), (BadMessage,)),
    (candles.interval_ms, (MonError,)),
    (date_ms, ()),
    (lambda text: retry_after(text, NOW), ()),
    (is_loopback, ()),
    (without_secret_parameters, ()),
    (status_of_old_answer, ()),
    (lambda text: decoding.excerpt(text, 60), ()),
    (cells.harmless, ()),
    (cells.short, ()),
    (cells.unit, ()),
    (values.duration_ms, (values.typer.BadParameter,)),
    (values.speed_factor, (values.typer.BadParameter,)),
    (values.price_step, (values.typer.BadParameter,)),
    (listening_at, (MonError,)),
    (market_named, (MonError,)),
    (lambda text: sim._faults([text]), (MonError,)),
    (sim._start_ms, (MonError,)),
    *[(venue_named(name).check_symbol, (MonError,)) for name in VENUES],
    *[(venue_named(name).meant, ()) for name in VENUES],
]
TEXTS = [
    *(b"0.00000012", b"1e-7", b"-12.50", b"1747841759500", b"2025-05-21T15:35:59.500Z", b"2025-05-21", b"1m", b"30s"),
    *(b"Wed, 21 Oct 2026 07:28:00 GMT", b"120", b"wss://u:p@127.0.0.1:9000/a?token=x&b=c", b"http://[::1]:8080/"),
    *(b"SPOT_BTC_USDT", b"BTC/USD", b"spot.btc_usdt", b"BTCUSDT", b"nexus:SPOT_BTC_USDT", b"drop:5s", b"refuse:503"),
    *(b"0.0.0.0:8080", b"max", b"abc \x1b[2J\xe2\x80\xae", b"HTTP/1.0 502 Bad Gateway", b"12345678901234567890"),
]


def read(case: bytes) -> int:
    """One text, read by all that read texts; how many could."""
    text = case.decode(errors="surrogateescape" if case[:1] == b"\x00" else "replace")
    return sum(_reads(reader, errors, text) for reader, errors in READERS)


def _reads(reader: Callable[[Any], object], errors: tuple[type[Exception], ...], text: object) -> int:
    try:
        reader(text)
    except errors:
        return 0
    return 1


# --- JSON of any shape

JSONS = [
    b'{"a":[1,2.50,1e-7,-0,"x",null,true],"b":{"c":"d"}}',
    b'{"type":"quote","bid":1.5,"ask":"1.6","time":1747841759500,"symbol":"BTCUSDT"}',
    b'[["0.79","450.0"],["0.8","1"]]',
    b'{"open":1,"high":2,"low":1,"close":2,"time":1747841759,"volume":10}',
]


def any_value(case: bytes) -> int:
    """A message of any JSON, as a record carries it and a table shows it."""
    found = 0
    for exactly in (True, False):
        data = any_json.any_json(case, exactly=exactly)
        any_json.check_values(case)
        line = _WRITER.encode({"data": data}).decode()
        cells.harmless_json(line)
        found += len(payload.line_of(data, lambda moment: str(moment)))
    return found


# --- a script's signals and messages


SIGNALS = [
    b'["nexus","SPOT_BTC_USDT",{"size":0.5}]',
    b'["nexus","SPOT_BTC_USDT",{"quote":[1.5,2]}]',
    b'["nexus","SPOT_BTC_USDT",{"bid":"1.50","ask":1.75,"mid":1}]',
    b'["nexus","SPOT_BTC_USDT",{"size":1.0000000000000002,"quote":null}]',
    b'["nexus","SPOT_BTC_USDT",{"size":true,"price":1}]',
    b'["nexus","SPOT_BTC_USDT",{"mid":{"$decimal":"1.5"}},{"a":[1,{"b":null}]}]',
]


def signalled(case: bytes) -> int:
    """What a script emits by `signal(src, sym, …)` and `publish(topic, data)`; JSON stands for its values."""
    try:
        given = json.loads(case, object_hook=_value)
    except (ValueError, RecursionError, DecimalException):
        return 0
    if not isinstance(given, list) or len(given) < 3 or not isinstance(given[2], dict):
        return 0
    count = _emitted(lambda: script_api.signal_figures(given[0], given[1], given[2]), (ValueError,))
    return count + _emitted(lambda: script_api.message(given[0], given[-1]), (ValueError, TypeError))


def _emitted(emit: Callable[[], object], errors: tuple[type[Exception], ...]) -> int:
    try:
        emit()
    except errors as error:
        if isinstance(error, UnicodeError | RecursionError):
            raise  # words of Python about something else
        return 0
    return 1


def _value(found: dict[str, Any]) -> Any:
    if set(found) == {"$decimal"} and isinstance(found["$decimal"], str):
        return Decimal(found["$decimal"])
    return found


# --- a script's schedules, and what the user sets of it


SCHEDULES = [
    b'{"expr":"0 0 * * *"}',
    b'{"expr":"*/5,7 0-6/2 1,15 jan-mar mon#1"}',
    b'{"expr":"59 23 L * 5"}',
    b'{"on":"1w"}',
    b'{"every":0.25}',
]
FROM = 1_747_841_760 * 10**9  # nanoseconds since the epoch


def scheduled(case: bytes) -> int:
    """What a script gives `@cron.run(…)`, and when that is due; JSON stands for its values."""
    try:
        given = json.loads(case)
    except (ValueError, RecursionError):
        return 0
    if not isinstance(given, dict) or not given.keys() <= {"every", "on", "expr"}:
        return 0
    return _emitted(lambda: _due(given), (ValueError, TypeError))


def _due(given: dict[str, Any]) -> None:
    schedule = cron.schedule_of(cron.Cron().run(**given)(lambda: None))
    assert schedule is not None
    assert schedule.next_after(FROM, FROM - 1) > FROM


_Way = Enum("_Way", {"BUY": 1, "SELL": "text"})
_PRESENT: Sequence[Any] = (1, 0.5, True, Decimal(1), "x", [1], (1,), {1}, {"a": 1}, None, object(), _Way.BUY)
_SET = (b"a.SIZE=0.5", b"WAY=SELL", b"EVERY=10", b'PAIRS=["a",{"b":1}]', b"ON=true", b"NAME=text", b"WORTH=1.50")
SETTINGS = [bytes([kind]) + text for kind in range(len(_PRESENT)) for text in _SET]  # the first byte is the kind


def set_of_scripts(case: bytes) -> int:
    """A text of `--set`, of one script and of two, and its value in the place of one of some kind."""
    present = _PRESENT[case[0] % len(_PRESENT)] if case else None
    text, count = case[1:].decode(errors="replace"), 0
    for files in ([Path("a.py")], [Path("a.py"), Path("b.py")]):
        with contextlib.suppress(UsageError):
            count += len(attributes.settings_of([text], files)[files[0]])
    with contextlib.suppress(attributes.NotSettable):
        value = attributes.value_of(text.partition("=")[2], present)
        assert present is None or type(value) is type(present)
        count += 1
    return count


# --- conditions

CONDITIONS = [
    b'\x01price > 70000 and side == "buy" and size >= 0.1',
    b"\x00bids[0].price > prev.bids[0].price or spread_bps / 2 > abs(-5)",
    b'\x0dnot data.a[0].from == "x" and extra["a b"] in (1, 2.50, "y")',
    b"\x0btime,equity,level_pct,age_ms",
    b"\x02{symbol} {bid_price} {{x}} {state}{reason}",
    b"\x08min(size, 1e-7) * 3 < 2 <= max(leverage, 4) or stale",
]
_JUDGED = list(STREAMS.values())


def judged(case: bytes) -> int:
    """A text as a condition, as fields and as a template on the records of some stream; how many it is."""
    stream = _JUDGED[case[0] % len(_JUDGED)] if case else _JUDGED[0]
    text, fields, count = case[1:].decode(errors="replace"), Fields(stream.name, stream.record, 20), 0
    record, seen = Maker(random.Random(case), stream).made(), Seen()
    seen.prev = record
    with contextlib.suppress(UsageError):
        made = condition(text, fields, "--where")
        assert not (made.is_true(record, seen) and made.is_false(record, seen))
        made.is_true_apart(seen)
        made.absent(record, seen)
        count += 1
    with contextlib.suppress(UsageError):
        count += sum(field.value(record, seen) is not None for field in chosen_fields(text, fields))
    with contextlib.suppress(UsageError):
        count += len(template_of(text, fields).parts)
    return count


# --- lines of `mon send --stdin`

SENT = [
    b'{"kind":"buy","pair":"BTCUSDT","strategy":"mine","price":1.5,"message":"a","stop_profit":2}',
    b'{"kind":"traded-sell","pair":"BTCUSDT","strategy_id":"1","trading_type":"real","qty":"2"}',
]


def sent(case: bytes) -> int:
    """A line that is to be sent to a hub as a signal; how long it is when it is sent."""
    commands = venue_named("nbt").commands
    assert commands is not None
    kind, command = desk._read_line(commands, case)
    return len(commands.shown(kind, command, "wss://hub.example"))


# --- checksums

CHECKSUMS = [b"45285.2 0.00100000 2 8", b"0.00000012 1e3 8 8", b"1 2 0 0"]


def summed(case: bytes) -> int:
    """The digits that a checksum is made of, for a price and a size."""
    words = case.decode(errors="replace").split(" ")
    if len(words) != 4:
        return 0
    price, size = numbers.text_number(words[0], "p"), numbers.text_number(words[1], "p")
    decimals = [min(numbers.whole(word) or 0, 40) for word in words[2:]]
    length = sum(len(checksum.digits(one, places)) for one, places in zip((price, size), decimals, strict=True))
    return length + len(checksum.written(price, decimals[0]))
