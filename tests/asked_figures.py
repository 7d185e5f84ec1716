"""Calls whose answers are kept (`tests.answers`): numbers, times, texts, and what is checked about figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, timedelta, timezone
from decimal import Decimal
from typing import Any

from cli.output import cells, payload, symbols
from cli.run import suggestions
from venues import fetching
from venues.b2trader import fields as b2trader
from venues.jayx import fields as jayx
from venues.kraken.book import depth_of
from venues.simulator import figures, tally
from venues.toolkit import (
    acknowledgements,
    candles,
    checksum,
    consistency,
    decoding,
    numbers,
    spellings,
    times,
)
from venues.venue import Now

NOW = Now(1_000.0, 1_790_000_000_000)
MARK = chr(0x301)
NUMBERS = (
    *("0", "1", "-1", "0.10", "1e3", "1E-8", "+5", " 1", "1_000", "", "NaN", "inf", "0x1", "1.", ".5", "00.5", "-0"),
    *("9" * 40, "9" * 41, "0." + "1" * 39, "0." + "1" * 40, "1e40", "1e41", "1e-40", "1e-41", "1e999999999999", "٣"),
    *(
        0,
        1,
        -1,
        True,
        None,
        1.5,
        float("nan"),
        10**39,
        10**40,
        Decimal("1.50"),
        Decimal("1E+3"),
        Decimal("NaN"),
        [],
        {},
    ),
)
TIMES = (
    *(
        "2025-05-20T17:22:31.899Z",
        "2025-05-20T17:22:31",
        "2025-05-20T17:22:31.123456789012Z",
        "2025-05-20T17:22:31+02:30",
    ),
    *("2025-05-20T17:22:31-01", "2025-05-20 17:22:31Z", "2025-13-20T17:22:31Z", "2025-05-20T24:00:00Z", "x", "", None),
    *(
        0,
        999,
        9_999_999,
        10_000_000,
        99_999_999_999,
        100_000_000_000,
        1_790_000_000_000,
        "1790000000000",
        10**15,
        -5,
        1.5,
    ),
    *(253_402_300_799_999, 253_402_300_800_000, True, [1]),
)
TEXTS = (
    "",
    "plain",
    "two\nlines",
    "\x1b[31mred",
    "tab\t",
    "é",
    "e" + MARK * 5,
    MARK,
    "\u200b",
    "\U0001f600",
    "ᅠ",
    "한",
    "a" * 301,
)
SPANS = (
    0,
    1,
    99,
    999,
    1_000,
    9_949,
    9_999,
    10_000,
    119_499,
    119_999,
    120_000,
    3_599_999,
    7_199_999,
    7_200_000,
    10**8,
    10**9,
)
NAMES = (
    "apiKey",
    "token",
    "password",
    "key",
    "secret",
    "name",
    "access_token",
    "x-api-key",
    "authorization",
    "user",
    "",
)
URLS = (
    *(
        "https://a.example",
        "http://a.example",
        "http://127.0.0.1:8",
        "http://[::1]:8",
        "http://localhost",
        "http://[::1",
        "",
    ),
    *(
        "ws://127.1.2.3/x",
        "ws://localhost.example",
        "http://127.0.0.1.example",
        "http://a@127.0.0.1",
        "wss://h?token=abc",
    ),
    *(
        "https://h/p?access_token=abc&x=1#f",
        "https://h/p?a&token=",
        "https://h?API_KEY=x&b=2",
        "//[x]",
        "h:1",
        "http://[::1]x",
    ),
)
CLOCK_DATES = (
    "Sun, 29 Nov 2026 08:00:00 GMT",
    "Mon, 21 Sep 2026 14:13:30 GMT",
    "Mon, 21 Sep 2020 14:13:30 GMT",
    "soon",
    "",
)


def _clock(epoch_ms: int) -> str:
    return cells.clock(epoch_ms, tz=UTC)


def each(function: Callable[..., Any], *columns: Iterable[Any]) -> Iterator[tuple[Callable[..., Any], tuple[Any, ...]]]:
    """A call for each value of the last column, with each of the others."""
    rows: list[tuple[Any, ...]] = [()]
    for column in columns:
        rows = [(*row, value) for row in rows for value in column]
    return ((function, row) for row in rows)


def numbers_asked() -> Iterator[Any]:
    """Calls about numbers."""
    for function in (numbers.number, numbers.positive, numbers.not_negative, numbers.optional, numbers.whole_number):
        yield from each(function, NUMBERS, ["at.x"])
    yield from each(numbers.optional_not_negative, ("", None, "0", "-1", "2", 0), ["at.x"])
    yield from each(numbers.optional_positive, ("", None, "0", "-1", "2", 0), ["at.x"])
    yield from each(numbers.whole, NUMBERS)
    yield from each(numbers.is_absent, ("", None, 0, "0", " "))
    yield from each(numbers.shown, (*NUMBERS[:20], "x" * 200, b"x", {"a": 1}, "a\nb"))
    yield from each(numbers.plain_text, map(Decimal, ("1E-8", "1E+3", "-0", "0.10", "123456789.000")))
    yield from each(numbers.percent, map(Decimal, ("0.1", "-0.00015", "1")))
    yield from each(figures.text, map(Decimal, ("1E-8", "1E+3", "-0", "0.10", "1.000", "100")))


def times_asked() -> Iterator[Any]:
    """Calls about times."""
    yield from each(times.time_ms, TIMES, ["at.x"])
    yield from each(times.fine_time, TIMES[:8], ["at.x"])
    yield from each(times.refuse_seconds, (999_999_999, 10**9, 99_999_999_999, 10**11, 0, 10**12, 5 * 10**8), ["at.x"])
    yield from each(times.utc_clock, (0, 59_999, 3_600_000, 86_399_999, 86_400_000, 1_790_000_000_000))
    yield from each(times.utc_time, (0, 1_790_000_000_000, 253_402_300_799_999, 253_402_300_800_000, -1))
    yield from each(times.span, (*SPANS, 150 * 60_000, 47 * 3_600_000, 48 * 3_600_000, 179_000, 7_170_000, 7_160_000))
    yield from each(
        candles.interval_ms, ("1s", "1m", "90s", "7m", "1h", "5h", "1d", "2d", "1w", "2w", "0m", "1M", "m", "01m")
    )
    yield from each(candles.start_of, (0, 59_999, 60_000, 1_790_000_000_000), (60_000, 86_400_000, 604_800_000))
    yield from each(tally.span_of, ("1m", "5m", "1h", "1d", "1w"), (1_790_000_000_000,))
    yield from each(jayx.seconds_of, ("60", "1m", "30s", "0", "7m", "1234567", "x", "999999", "86400", "4h"))
    yield from each(jayx.written_interval, (1, 59, 60, 90, 3_600, 5_400, 86_400, 604_800, 1_209_600))
    yield from each(b2trader.moment, TIMES, ["at.x"])
    yield from each(fetching.date_ms, CLOCK_DATES)
    yield from each(fetching.retry_after, (None, "5", " 7 ", "-1", "1.5", "9" * 12, "٣", *CLOCK_DATES), [NOW])


def texts_asked() -> Iterator[Any]:
    """Calls about texts."""
    yield from each(cells.unit, (None, "ticks", "raw_lots", "a_very_long_unit_name"))
    yield from each(cells.number, (None, *map(Decimal, ("1E-8", "1E+3", "-0.10"))))
    yield from each(cells.signed, (None, *map(Decimal, ("1E-8", "0", "-0.10", "5"))))
    yield from each(cells.column, ([], [None], [Decimal(1), Decimal("-2.50"), None, Decimal("0.125")], [Decimal(5)]))
    yield cells.column, ([Decimal(1), Decimal("-2.50"), None, Decimal(0)],), {"with_sign": True}
    yield from each(_clock, (None, 0, 999, 1_790_000_000_123, -1, 10**18))
    yield cells.clock, (1_790_000_000_123,), {"millis": False, "tz": timezone(timedelta(hours=5, minutes=30))}
    yield from each(cells.duration, (-5, *SPANS))
    yield from each(cells.age, (-5, *SPANS))
    yield from each(cells.harmless, (*TEXTS, "a" * 300))
    yield from each(cells.harmless, TEXTS[:6], (1, 3, 4))
    yield from each(cells.harmless_json, TEXTS[:-1])
    yield from each(cells.short, (*TEXTS, "a" * 12, "a" * 13, "한국어한국어", "한국어한국어한"))
    yield from each(decoding.excerpt, TEXTS, (1, 5, 300, 301))
    yield from each(symbols.named, (["A"], ["A", "B"], ["A", "B", "C"], [str(one) for one in range(30)]))
    yield from each(symbols.named, (["A", "B", "C"],), (1, 2, 3))
    yield from each(suggestions.either, (["A"], ["A", "B"], ["A", "B", "C"]))
    yield from each(
        acknowledgements.in_words, ["kraken"], ["book"], ({"A": "no"}, {"A": "no", "B": "no"}, {"A": "x", "B": "y"})
    )
    yield from each(acknowledgements.chunks, ([], [1], [1, 2, 3], [1, 2, 3, 4]), (1, 2, 3))
    yield from each(spellings.in_any_case, ("buy", "BUY", "Buy ", "b_uy", "sell", ""), [("Buy", "BUY", "Sell")])
    yield from each(spellings.in_any_case, ("buy", "s_ell", "SELL"), [("Buy", "Sell")])
    yield from each(spellings.documented, ("buy", "x", "y" * 100), [("Buy", "Sell")], ["at.x"])


def payloads_asked() -> Iterator[Any]:
    """Calls about payloads."""
    quote = {"bid": [1, 2], "ask": [Decimal("1.5"), 3]}
    trade = {"side": "Buy", "price": 1, "size": Decimal("2.50")}
    candle = {"open": 1, "high": 3, "low": 1, "close": 2}
    about = {"src": "woo", "sym": "BTC\x1b"}
    data = (
        *(None, True, 1, "text", [], {}, [1, [2, [3, [4, [5, [6, [7, [8]]]]]]]], {"a": {"b": {"c": "d"}}}, "x" * 500),
        *(quote, quote | about, quote | {"time": 5}, quote | {"time": "5"}, quote | {"time": -1}, quote | {"x": 1}),
        *(
            {"bid": [1], "ask": [1, 2]},
            {"bid": [1, True], "ask": [1, 2]},
            quote | {"time": 2**53},
            quote | {"time": 2**53 - 1},
        ),
        *(trade, trade | about | {"time": 1_790_000_000_000}, trade | {"side": "sell"}, trade | {"side": "hold"}),
        *(trade | {"side": 1}, trade | {"price": "1"}, trade | {"x": 0}, candle, candle | {"volume": 7} | about),
        *(
            candle | {"close": None},
            candle | {"volume": "x"},
            candle | {"time": 60_000},
            candle | {"x": 1},
            {"open": 1},
        ),
        *(
            {"size": 1},
            {"size": -1},
            {"size": 2},
            {"size": -2},
            about | {"mid": 5},
            {"quote": [1, 2]},
            {"quote": [1]},
            {"quote": 3},
        ),
        *(
            {"size": True},
            {"bid": 1, "ask": 2},
            {"n": 10**79},
            {"n": 10**80},
            {"n": Decimal("1E-70")},
            {"n": Decimal("1E+90")},
        ),
        *(
            {"k" * 300: "v" * 300},
            {str(one): one for one in range(200)},
            [*range(200)],
            {"a": None, "b": False},
            [{"a": [1, {}]}],
        ),
    )
    yield from each(payload.line_of, data, [_clock])
    texts = (
        "",
        "one",
        "one two",
        "one two three",
        "12345 678",
        "123456789",
        "price 12345",
        "한국 어",
        "a · b · c",
        "x1.5",
    )
    yield from each(payload.cut, texts, (1, 2, 3, 5, 7, 8, 9))


def checks_asked() -> Iterator[Any]:
    """Calls about checks."""
    prices = ("1", "2", "3")
    four = [tuple(map(Decimal, (o, h, low, c))) for o in prices for h in prices for low in prices for c in ("1", "3")]
    yield from each(consistency.check_candle, four, ("", "item"))
    pairs = [
        (None, Decimal(1)),
        (Decimal(1), None),
        (Decimal(1), Decimal(1)),
        (Decimal(1), Decimal(2)),
        (Decimal(2), Decimal(1)),
    ]
    for function in (consistency.check_range, consistency.check_quote):
        yield from ((function, (*pair, "at.x")) for pair in pairs)
    sums = [("1", "1"), ("2", "1"), ("0", "-1"), ("1", "-1"), ("-1", "-2"), ("0", "0")]
    yield from ((consistency.check_available, (Decimal(one), Decimal(two), "at.x")) for one, two in sums)
    decimals = [Decimal(one) for one in ("0", "0.10", "45285.2", "0.00100000", "1E-8", "1E+3", "10")]
    for digits in (checksum.digits, checksum.exact_digits, checksum.written):
        yield from each(digits, decimals, (0, 1, 8))
    yield from each(depth_of, (1, 9, 10, 11, 25, 26, 100, 101, 500, 501, 1_000, 1_001, 10**6))
