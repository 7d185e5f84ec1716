"""What a person sees, compared as text; golden screens are rewritten on purpose only: python -m tests.test_screen

Book, trades and candles have more golden texts of their own, beside their tests; here they are seen within the frame.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import UTC, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import reduce
from typing import Any

import pytest
from msgspec import structs
from rich.cells import cell_len

from cli.bot import view as bot_view
from cli.output import cells
from cli.screen.canvas import Ink
from cli.screen.grid import Column, lay_out
from cli.screen.header import Rate
from cli.screen.look import Look
from cli.screen.pane import LATENCY_OVER_MS, Clean, Latency, Pane, Title
from cli.screen.table import Table
from cli.views import account_rows, loaded, margin
from cli.views.rows import GONE_MS, MARKED_MS
from tests.drawn import HOSTILE, NOW, WAYS, Clock, golden, look_of
from tests.samples import (
    BOOK,
    EXTREMES,
    HUGE,
    LIVE,
    PARTIAL,
    PRECISE,
    STREAM_OF,
    TINY,
    balance,
    cases,
    closed,
    common,
    fill,
    full,
    numbers,
    order,
    position,
    status,
)
from venues import records
from venues.records import State
from venues.redaction import Redactor
from venues.streams import STREAMS
from venues.toolkit.numbers import add
from venues.venue import Confirmed

MAKERS = {"bot": bot_view.view}


def table_of(stream: str, items: list[Any], look: Look, **title: Any) -> Table:
    named = {"venue": "nexus", "env": "sim", "symbols": ["SPOT_BTC_USDT"], "partial": stream in PARTIAL, **title}
    of = STREAMS[STREAM_OF.get(stream, stream)]
    made = MAKERS.get(stream) or loaded(stream).view
    pane = Pane(made, Title(stream=of, **named), look, rate(), Redactor())
    table = Table(pane, look, on_terminal=False)
    table.write(items)
    return table


def rate() -> Rate:
    return Rate(clock=lambda: 0.0)


def screen(stream: str, items: list[Any], width: int, height: int, fields: dict[str, Any]) -> str:
    lines = table_of(stream, items, look_of(**fields)).frame(width, height)
    written = [line.markup.rstrip() if fields.get("color") else line.plain.rstrip() for line in lines]
    return "".join(itertools.chain.from_iterable(_together(written)))


def _together(lines: list[str]) -> Iterator[list[str]]:
    """Empty lines are counted."""
    for is_text, group in itertools.groupby(lines, key=bool):
        found = list(group)
        yield [f"{line}\n" for line in found] if is_text else [f"  ({len(found)} empty)\n"]


def all_screens(stream: str) -> str:
    return "".join(
        f"===== {case}, {way}\n{screen(stream, items, width, height, fields)}"
        for case, items in cases(stream).items()
        for way, (width, height, fields) in WAYS.items()
    )


@pytest.mark.parametrize("stream", LIVE)
def test_golden(stream: str) -> None:
    assert all_screens(stream) == golden(stream).read_text(encoding="utf-8")


EVERYTHING = [(stream, items) for stream in LIVE for items in cases(stream).values()]


@pytest.mark.parametrize("width", [1, 10, 24, 33, 47, 61, 80, 200])
@pytest.mark.parametrize("unicode", [True, False])
def test_no_line_is_wider_than_the_screen_and_none_too_many(width: int, unicode: bool) -> None:
    for stream, items in EVERYTHING:
        for height in (1, 6, 24):
            for key in ("", "?") if stream == "orders" else ("",):
                table = table_of(stream, items, look_of(unicode=unicode))
                table.press(key or "end")
                table.idle()
                table.notice(HOSTILE * 20)
                lines = table.frame(width, height)
                assert max(cell_len(line.plain) for line in lines) <= width, (stream, height)
                assert len(lines) <= height
                assert all(line.plain.isprintable() for line in lines)
                assert unicode or all(line.plain.isascii() for line in lines)


OTHER_FIGURES = {Decimal("1e38"), Decimal("123456789.5"), Decimal("61728394.8")}  # a level, a round trip, a median


@pytest.mark.parametrize("stream", sorted({*LIVE} - {"book", "candles"}))  # which work out figures of their own
def test_digits_are_never_cut(stream: str) -> None:
    """Whatever is drawn of a long number at any width is drawn at every larger one too, in full."""
    whole = {cells.number(value).lstrip("-") for value in (TINY, HUGE, PRECISE, PRECISE - TINY)}
    for width in range(24, 200, 3):
        lines = table_of(stream, cases(stream)["extremes"], look_of()).frame(width, 30)[2:-1]
        for word in " ".join(line.plain for line in lines).replace("(", "").split():
            bare = word.strip("+-•*%")
            if len(bare) > 8 and bare.replace(".", "").isdigit() and bare not in whole:
                assert Decimal(bare) in {*OTHER_FIGURES, sums(stream)}, (width, word)


def sums(stream: str) -> Decimal | None:
    """What the rows come to."""
    name = {"positions": "unrealized_pnl", "closed": "realized_pnl"}.get(stream)
    return None if name is None else reduce(add, (getattr(row, name) for row in EXTREMES[stream])).copy_abs()


def test_nothing_looks_live_that_is_not() -> None:
    for stream, case in itertools.product(LIVE, ("stale", "reconnecting", "closed")):
        header, _, *body = table_of(stream, cases(stream)[case], look_of(color=True)).frame(80, 24)
        assert "LIVE" not in header.plain
        assert "PARTIAL" not in header.plain
        dimmed = [line for line in body[:-1] if line.plain.strip()]
        assert dimmed
        assert all(any("dim" in str(span.style) for span in line.spans) for line in dimmed)


def test_hostile_text_is_harmless() -> None:
    lines = table_of("orders", cases("orders")["hostile"], look_of()).frame(200, 40)
    assert "\\x1b[31mred\\x07\\u202e[bold]" in "\n".join(line.plain for line in lines)


# --- the header


def header(
    items: list[Any], clock: Clock, width: int = 120, stream: str = "book", tz: tzinfo = UTC, **title: Any
) -> str:
    return table_of(stream, items, look_of(clock, tz=tz), **title).frame(width, 24)[0].plain.rstrip()


LIVE_BOOK = [status("book", "live"), BOOK]


def test_the_header_says_that_versions_may_skip_as_long_as_the_book_is_live_with_it() -> None:
    growing = [status("book", "live", versions="growing", reason="learnt"), BOOK]
    assert header(growing, Clock()).startswith("nexus  SIM  LIVE  versions may skip  SPOT_BTC_USDT  book")
    for width in range(30, 120):
        assert "skip" in header(growing, Clock(), width)
    later = [*growing, status("book", "stale", reason="crossed"), status("book", "live"), BOOK]
    assert "skip" not in header(later, Clock())


def test_the_header_says_what_is_not_as_usual_at_the_venue_for_as_long_as_it_lasts() -> None:
    halted = [status("book", "live", condition="BTC/USD is cancel_only"), BOOK]
    assert header(halted, Clock()).startswith("nexus  SIM  LIVE  BTC/USD is cancel_only  SPOT_BTC_USDT  book")
    for width in range(34, 120):
        assert "BTC/USD" in header(halted, Clock(), width)
    stale = [*halted, status("book", "stale", reason="x", condition="the venue is in maintenance")]
    assert "STALE 0 s  the venue is in maintenance" in header(stale, Clock())
    assert "cancel_only" not in header([*halted, status("book", "live", reason="all is as usual again")], Clock())
    hostile = [status("book", "live", condition="\x1b[31m[bold]" + "x" * 500), BOOK]
    assert "\x1b" not in header(hostile, Clock())


def test_the_header_says_where_from_how_it_stands_and_how_old() -> None:
    clock = Clock()
    assert header(LIVE_BOOK, clock) == ("nexus  SIM  LIVE  SPOT_BTC_USDT  book  age 0 s  0.0 msg/s  latency 10 ms  UTC")
    assert header(LIVE_BOOK, clock, env=None).startswith("nexus LIVE  SPOT_BTC_USDT")
    assert header(LIVE_BOOK, clock, env="replay").startswith("nexus  REPLAY  LIVE")


def test_an_age_includes_how_long_the_terminal_takes_to_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for last, words in (("live", "age 3 s"), ("stale", "STALE 3 s")):
        table = table_of("book", [*LIVE_BOOK, *([status("book", "stale")] if last == "stale" else [])], look_of())
        monkeypatch.setattr(table.pace, "delay", lambda: 3.0)
        assert words in table.frame(120, 24)[0].plain


@pytest.mark.parametrize(
    ("items", "after_ms", "words"),
    [
        ([], 0, "CONNECTING"),
        ([status("book", "syncing")], 0, "SYNCING"),
        ([*LIVE_BOOK, status("book", "stale")], 12_000, "STALE 12 s"),
        (
            [*LIVE_BOOK, status("book", "reconnecting", attempt=4, retry_in_ms=3000)],
            -300,
            "RECONNECTING in 3 s (try 4)",
        ),
        (
            [*LIVE_BOOK, status("book", "reconnecting", attempt=4, retry_in_ms=3000)],
            1_800,
            "RECONNECTING in 1 s (try 4)",
        ),
        ([*LIVE_BOOK, status("book", "reconnecting", attempt=4, retry_in_ms=3000)], 9_000, "RECONNECTING (try 4)"),
        ([*LIVE_BOOK, status("book", "closed")], 0, "CLOSED"),
    ],
)
def test_the_state_in_words(items: list[Any], after_ms: int, words: str) -> None:
    assert f" SIM  {words}  SPOT" in header(items, Clock(NOW + after_ms))


def test_partial_since_when() -> None:
    assert "PARTIAL since 23:29  SPOT" in header([status("orders", "live")], Clock(NOW + 3_600_000), stream="orders")


def test_an_order_that_may_be_of_any_symbol_says_of_which() -> None:
    items = [status("orders", "live"), *LIVE["orders"]]
    of_one, of_any = (table_of("orders", items, look_of(), symbols=names) for names in (["SPOT_BTC_USDT"], []))
    assert of_one.frame(40, 12)[2].plain.split() == ["side", "price", "size", "status"]
    for width in (40, 33):
        assert of_any.frame(width, 12)[2].plain.split() == ["symbol", "side", "price", "size"]


def test_a_last_price_without_its_symbol_is_not_shown() -> None:
    long = structs.replace(LIVE["ticker"][0], symbol="spot.btc_usdt", last=Decimal("123456789012.345"))
    table = table_of("ticker", [status("ticker", "live"), long], look_of())
    assert [line.plain.split() for line in table.frame(24, 12)[2:4]] == [
        ["symbol", "last"],
        ["spot.btc_usdt", "####"],
    ]


def test_one_of_several_symbols_is_not_told_as_if_it_were_the_only_one() -> None:
    items = [status("quotes", "live"), *LIVE["quotes"]]
    table = table_of("quotes", items, look_of(), symbols=["spot.btc_usdt", "spot.eth_usdt"])
    assert "spot.btc_usdt  spot.eth_usdt" in table.frame(80, 24)[0].plain
    assert "2 symbols" in table.frame(40, 12)[0].plain
    assert "spot" not in table.frame(40, 12)[0].plain


def test_an_interruption_keeps_the_age_in_the_header_longest() -> None:
    down = [*LIVE_BOOK, status("book", "reconnecting", attempt=4, retry_in_ms=3000)]
    assert header(down, Clock(NOW + 60_000), width=42) == "nexus  SIM  RECONNECTING  book  age 60 s"
    assert header(LIVE_BOOK, Clock(NOW + 60_000), width=42) == "nexus  SIM  LIVE  SPOT_BTC_USDT  book  UTC"
    assert header(down, Clock(), width=24) == "nexus  SIM  RECONNECTING"
    assert header(down, Clock(), width=24, env="replay") == " REPLAY  RECONNECTING"
    assert header(down, Clock(), width=24, env="custom:venue.example:8443").startswith(" custom:… ")


def test_the_zone_and_a_clock_skew_stay_longer_than_other_figures() -> None:
    zone = timezone(timedelta(hours=10, minutes=30))

    def shown(width: int, skew: int = 0) -> str:
        book = structs.replace(BOOK, time=BOOK.received - skew - 10)
        table = table_of("book", [status("book", "live"), book], look_of(Clock(), tz=zone))
        table.set_offset("book", -skew)
        return table.frame(width, 24)[0].plain

    assert shown(90).endswith("0.0 msg/s  latency 10 ms  UTC+10:30")
    assert shown(80).endswith("0.0 msg/s  UTC+10:30")
    assert shown(60).endswith("age 0 s  UTC+10:30")
    assert shown(64, skew=-5_000).endswith("clock skew −5.0 s")
    assert "clock skew +60 min" in shown(80, skew=3_600_000)


def test_what_fits_does_not_depend_on_how_long_a_figure_is_just_now() -> None:
    for width in range(24, 100):
        young = header(LIVE_BOOK, Clock(NOW), width=width)
        old = header(LIVE_BOOK, Clock(NOW + 600_000), width=width)
        assert ("age" in young) == ("age" in old)


def test_a_figure_that_gets_a_digit_more_and_less_does_not_come_and_go() -> None:
    for width in range(60, 100):
        clock = Clock()
        table = table_of("book", LIVE_BOOK, look_of(clock))
        shown = []
        for took in (9, 14, 9, 12, 8):
            clock.now += LATENCY_OVER_MS + 1000
            table.write([structs.replace(BOOK, time=clock.now - took, received=clock.now)])
            shown.append("latency" in table.frame(width, 24)[0].plain)
        assert shown[1:] == [shown[1]] * 4, (width, shown)


def test_a_countdown_does_not_make_parts_come_and_go() -> None:
    down = status("book", "reconnecting", attempt=4, retry_in_ms=12_000)
    for frozen, width in itertools.product((False, True), range(24, 120)):
        clock = Clock()
        table = table_of("book", [*LIVE_BOOK, down], look_of(clock))
        if frozen:
            pressed(table, "space")
        shown = set()
        for _ in range(14):
            words = table.frame(width, 24)[0].plain
            shown.add(tuple(part in words for part in ("nexus", "SPOT", "book", "age", "msg/s", "UTC", "(try 4)")))
            clock.now += 1000
        assert len(shown) == 1, (width, frozen)


def timed(took_ms: int, **fields: Any) -> records.Trade:
    at = common(**fields)
    return records.Trade(**{**at, "time": at["received"] - took_ms}, price=Decimal(1), size=Decimal(1), side="buy")


@pytest.mark.parametrize(
    ("took", "words"),
    [(12, "latency 12 ms"), (0, "latency 0 ms"), (45_000, "latency 45 s"), (-3_200, "clock skew −3.2 s"),
     (-3, "clock skew −3 ms")],
)  # fmt: skip
def test_latency_is_a_recent_median(took: int, words: str) -> None:
    latency = Latency()
    for off in (-1, 0, 5_000):
        latency.see(timed(took + off), NOW)
    assert latency.words(NOW, 0) == words
    assert latency.words(NOW + 60_000, 0) is None, "what was measured long ago tells nothing"


@pytest.mark.parametrize(
    ("offset", "words"),
    [(3_200, "clock skew −3.2 s"), (-75_000, "clock skew +75.0 s"), (-7_200_000, "clock skew +2 h"),
     (3_599_900, "clock skew −60 min"), (-19_790_000, "clock skew +5 h 30 min"), (172_800_000, "clock skew −2 days")],
)  # fmt: skip
def test_skew_is_what_is_proved_of_the_clocks(offset: int, words: str) -> None:
    latency = Latency()
    latency.see(timed(-offset + 40), NOW)
    assert latency.words(NOW, offset) == words


@pytest.mark.parametrize("took", [-5_000, -3_600_000, -(10**15), 60_001, 7_200_000, 10**15])
def test_a_time_that_no_message_can_have_tells_nothing_of_latency(took: int) -> None:
    latency = Latency()
    latency.see(timed(took), NOW)
    assert latency.words(NOW, 0) is None
    table = table_of("trades", [status("trades", "live"), timed(took)], look_of())
    assert "latency" not in table.frame(120, 24)[0].plain
    assert "skew" not in table.frame(120, 24)[0].plain


def test_the_latency_of_another_connection_is_forgotten() -> None:
    states: tuple[State, ...] = ("stale", "reconnecting")
    for state in states:
        early = status("trades", "live", received=NOW - 20_000)
        table = table_of("trades", [early, timed(40)], look_of())
        assert "latency 40 ms" in table.frame(120, 24)[0].plain
        table = table_of("trades", [early, timed(40)], look_of())
        table.write([status("trades", state), status("trades", "live")])
        assert "latency" not in table.frame(120, 24)[0].plain


def test_events_listed_when_the_stream_began_tell_no_latency() -> None:
    table = table_of("trades", [status("trades", "live"), timed(30_000), timed(20_000)], look_of())
    assert "latency" not in table.frame(120, 24)[0].plain
    table = table_of("trades", [status("trades", "live"), timed(30_000), timed(40, received=NOW)], look_of())
    assert "latency 40 ms" in table.frame(120, 24)[0].plain


def test_partial_since_the_last_interruption() -> None:
    early, late = (status("orders", "live", received=NOW - ago) for ago in (600_000, 0))
    assert "PARTIAL since 23:19" in header([early], Clock(), stream="orders")
    assert "PARTIAL since 23:19" in header([early, late], Clock(), stream="orders")
    down = status("orders", "reconnecting", received=NOW - 1_000)
    assert "PARTIAL since 23:29" in header([early, down, late], Clock(), stream="orders")


def test_what_happened_long_ago_tells_nothing_of_latency() -> None:
    latency = Latency()
    for record in (position("a", side="long"), closed("1", change="update")):
        latency.see(record, NOW)
    latency.see(records.Pong(**common(time=None, round_trip_ms=1.0)), NOW)
    assert latency.words(NOW, 0) is None


@pytest.mark.parametrize(("took", "words"), [(200, None), (30_200, None), (-2_800, "clock skew −2.8 s")])
def test_times_in_whole_seconds_tell_of_the_clocks_only(took: int, words: str | None) -> None:
    record = timed(took)
    assert record.time is not None
    assert record.time % 1000 == 0
    latency = Latency()
    latency.see(record, NOW)
    assert latency.words(NOW, 0) == words


def test_the_rate_follows_the_last_seconds() -> None:
    now = [0.0]
    counted = Rate(clock=lambda: now[0])
    seen = []
    for _ in range(20):
        now[0] += 0.5
        counted.total += 10
        seen.append(counted.per_second())
    assert seen[-1] == pytest.approx(20, rel=0.1)
    for _ in range(14):
        now[0] += 0.5
        seen.append(counted.per_second())
    assert seen[-1] == 0
    now[0] += 100  # while nobody looked, e.g. stopped with Ctrl-Z
    counted.total += 1000
    assert counted.per_second() == pytest.approx(1000 / 100, rel=0.1)


def test_a_message_is_one_however_many_records_it_made_and_a_status_is_none() -> None:
    counted = Rate(clock=lambda: 0.0)
    counted.see([status("balance", "live"), balance("A", "1"), balance("B", "2"), *full("balance", 2)])
    counted.see([Confirmed("balance")])
    counted.see([status("balance", "reconnecting")])
    counted.see([])
    assert counted.total == 2


@pytest.mark.parametrize(
    ("width", "height", "said"),
    [(80, 5, "mon needs 24×6, this is 80×5"), (28, 5, "mon needs 24×6, this is 28×5"),
     (27, 5, "mon needs 24×6"), (20, 5, "mon needs 24×6"),
     (13, 24, "too small"), (8, 24, "########"), (1, 1, "#")],
)  # fmt: skip
def test_on_a_screen_that_is_too_small_no_digit_is_cut(width: int, height: int, said: str) -> None:
    (line,) = table_of("book", [BOOK], look_of()).frame(width, height)
    assert line.plain == said


def test_a_secret_in_a_venues_text_is_hidden_also_when_it_becomes_one_later() -> None:
    redactor = Redactor()
    clean = Clean(redactor)
    row = order("a-secret-of-ours", symbol="a-secret-of-ours", extra={"note": ["a-secret-of-ours"]})
    assert clean(row) is row
    redactor.learn({"token": "a-secret-of-ours"})
    assert clean(row) == order("[token]", symbol="[token]", extra={"note": ["[token]"]})
    assert clean(BOOK) is BOOK


# --- keys, freezing, help


def pressed(table: Table, *keys: str) -> list[str]:
    for key in keys:
        table.press(key)
    table.idle()
    return [line.plain.rstrip() for line in table.frame(80, 24)]


def test_what_stays_says_of_which_zone_its_times_are() -> None:
    table = table_of("book", LIVE_BOOK, look_of(tz=timezone(timedelta(hours=-5))))
    assert table.last(80, 20)[0].plain == "nexus  SIM  as of 18:29:02  SPOT_BTC_USDT  book  UTC-05:00"


def test_what_stays_of_changes_only_says_so() -> None:
    items = cases("orders")["live"]
    for partial, said in ((True, "PARTIAL, as of 23:29:02"), (False, "as of 23:29:02")):
        table = table_of("orders", items, look_of(), partial=partial)
        assert table.last(80, 20)[0].plain.startswith(f"nexus  SIM  {said}  SPOT")


def test_a_key_that_does_nothing_keeps_nothing_new_off_the_screen() -> None:
    table = table_of("balance", [status("balance", "live"), balance("BTC", "1")], look_of())
    table.frame(80, 24)
    table.write([balance("BTC", "2")])
    assert pressed(table, "x")[3].split()[:2] == ["BTC", "2"]


def test_freezing_keeps_what_is_shown_while_the_stream_goes_on() -> None:
    clock = Clock()
    table = table_of("balance", [status("balance", "live"), balance("BTC", "1"), *full("balance", 1)], look_of(clock))
    assert "FROZEN since 23:29:02" in pressed(table, "space")[0]
    table.write([balance("BTC", "2"), balance("ETH", "3")])
    clock.now += 30_000
    frozen = pressed(table)
    assert "LIVE" not in frozen[0]
    assert "age 30 s" in frozen[0]
    assert frozen[3].split()[:2] == ["BTC", "1"]
    assert "space go on" in frozen[-1]
    table.write([status("balance", "stale", received=clock.now)])
    assert "FROZEN since 23:29:02 STALE 30 s" in pressed(table)[0]
    table.write([status("balance", "live", received=clock.now), balance("BTC", "4"), *full("balance", 1)])
    thawed = pressed(table, "space")
    assert "LIVE" in thawed[0]
    assert thawed[3].split()[:2] == ["BTC", "4"]
    assert "ETH" not in "".join(thawed), "what was known before the interruption"


def test_what_is_frozen_is_called_partial_too() -> None:
    table = table_of("orders", cases("orders")["live"], look_of(), partial=True)
    pressed(table, "space")
    assert "FROZEN since 23:29:02 PARTIAL since 23:28" in table.frame(80, 24)[0].plain
    assert "FROZEN PARTIAL" in table.frame(40, 24)[0].plain


def test_another_size_is_drawn_at_once_also_while_nothing_comes() -> None:
    table = table_of("book", LIVE_BOOK, look_of())
    for width, height in ((120, 40), (40, 12), (80, 24)):
        fresh = table_of("book", LIVE_BOOK, look_of()).frame(width, height)
        assert [line.plain for line in table.frame(width, height)] == [line.plain for line in fresh]


def test_what_is_not_live_is_not_bold_anywhere() -> None:
    items = [status("balance", "live"), balance("BTC", "1"), balance("BTC", "2"), status("balance", "reconnecting")]
    _, *body, _ = table_of("balance", items, look_of(color=True)).frame(80, 24)
    ink = Ink("standard", color=True)
    escapes = "".join(re.findall(r"\x1b\[([0-9;]*)m", "".join(map(ink.drawn, body))))
    assert "2" in escapes
    assert "1" not in escapes


def test_what_is_frozen_is_dimmed_as_soon_as_it_is_not_live() -> None:
    table = table_of("book", LIVE_BOOK, look_of(color=True))
    pressed(table, "space")
    assert not any("dim" in str(span.style) for span in table.frame(80, 24)[3].spans if span.start < 4)
    table.write([status("book", "reconnecting", reason="lost")])
    assert any("dim" in str(span.style) for span in table.frame(80, 24)[3].spans if span.start < 4)


def test_what_is_frozen_stays_as_it_was_at_another_size_and_in_another_order() -> None:
    clock = Clock()
    table = table_of("balance", [status("balance", "live"), balance("BTC", "1"), balance("ETH", "1")], look_of(clock))
    table.write([records.Balance(**common(asset="BTC", change="update", total=Decimal(2), received=NOW))])
    table.write([records.Balance(**common(asset="ETH", change="remove", received=NOW))])
    before = [line.split() for line in pressed(table, "space")[3:5]]
    assert [words[:3] for words in before] == [["*", "BTC", "2"], ["×", "ETH", "1"]]
    clock.now += 60_000
    table.frame(120, 40)
    assert [line.split() for line in pressed(table, "s")[3:5]] == before
    assert pressed(table, "space")[4] == "", "the time of the view goes on"


def test_the_age_of_what_is_frozen_goes_on() -> None:
    clock = Clock()
    table = table_of("book", LIVE_BOOK, look_of(clock))
    pressed(table, "space")
    clock.now += 7_000
    table.write([structs.replace(BOOK, received=clock.now)])
    assert "age 7 s" in table.frame(120, 24)[0].plain
    pressed(table, "space")
    assert "age 0 s" in table.frame(120, 24)[0].plain


def test_the_last_table_is_the_newest_also_when_frozen(capfd: pytest.CaptureFixture[str]) -> None:
    table = table_of("balance", [status("balance", "live"), balance("BTC", "1")], look_of())
    pressed(table, "space")
    table.write([balance("BTC", "2")])
    table.close()
    assert capfd.readouterr().out.split("\n")[3].split()[:2] == ["BTC", "2"]


def test_help_lists_the_keys_of_the_frame_and_of_the_view() -> None:
    table = table_of("orders", cases("orders")["live"], look_of())
    text = "\n".join(pressed(table, "?"))
    for words in ("q", "quit", "space", "freeze", "s", "sort", "S", "reverse", "↑↓", "scroll"):
        assert words in text
    assert "254558" not in text
    assert "254558" in "\n".join(pressed(table, "x")), "any key closes it"


def test_help_fits_a_small_screen_too() -> None:
    table = table_of("orders", cases("orders")["live"], look_of())
    pressed(table, "?")
    for size in ((40, 12), (24, 12), (40, 8)):
        lines = [line.plain for line in table.frame(*size)]
        text = " ".join(" ".join(lines).split())
        assert all(words in text for words in ("q quit", "s sort", "Ctrl-Z stop; fg goes on")), size
        assert max(map(len, lines)) <= size[0]


def test_the_footer_has_what_fits_and_the_latest_words() -> None:
    table = table_of("orders", [], look_of())
    assert pressed(table)[-1].startswith("q quit  ? help  space freeze  s sort")
    table.notice("orders: the connection was lost; trying again in 0.7 s (try 1)")
    for width in (40, 60, 80, 120):
        footer = table.frame(width, 24)[-1].plain
        assert footer.startswith("23:29:02 orders: the conn")
        assert width < 60 or "q quit" in footer
        assert "…" in footer or "(try 1)" in footer


def test_the_help_has_all_of_the_latest_words() -> None:
    table = table_of("orders", [], look_of())
    words = "set tick_size, lot_size: [venues.jayx.symbols.BTCUSDT]; until then prices and sizes are raw integers"
    table.notice(words)
    assert "set tick_size, lot_size: [venues.jayx.symbols.BTCUSDT" in pressed(table)[-1]
    for width, height in ((80, 24), (40, 24), (60, 14)):
        lines = pressed(table, "?") and [line.plain.rstrip() for line in table.frame(width, height)]
        assert len(lines) == height
        assert f"23:29:02 {words}" in " ".join(lines)
        assert lines[2].startswith("keys")
        pressed(table, "x")
    table.notice("x " * 5000)
    assert len(pressed(table, "?")) == 24
    table.notice("y")
    assert "23:29:02 y" in pressed(table), "also while it is open"


def test_the_help_has_what_was_said_before_as_far_as_there_is_room() -> None:
    table = table_of("orders", [], look_of())
    for number in range(30):
        table.notice(f"words {number}")
    assert [line[-8:] for line in pressed(table, "?") if "words" in line][:3] == ["words 29", "words 28", "words 27"]
    for height, known in ((6, 0), (14, 1), (24, 11), (80, 20)):
        lines = [line.plain for line in table.frame(80, height)]
        assert len(lines) == height
        assert sum("words" in line for line in lines[:-1]) == known


def test_marks_ages_and_struck_rows_go_without_any_record() -> None:
    clock = Clock()
    table = table_of("balance", [status("balance", "live"), balance("BTC", "1"), balance("ETH", "1")], look_of(clock))
    table.write([records.Balance(**common(asset="BTC", change="update", total=Decimal(2), received=NOW))])
    table.write([records.Balance(**common(asset="ETH", change="remove", received=NOW))])
    assert [line[:1] for line in pressed(table)[3:5]] == ["*", "×"]
    clock.now += MARKED_MS
    assert [line[:1] for line in pressed(table)[3:5]] == [" ", "×"]
    assert pressed(table)[3].endswith("1 s")
    clock.now += GONE_MS
    assert pressed(table)[3].endswith("4 s")
    assert pressed(table)[4] == ""


# --- sets of rows


def view_lines(view: Any, width: int = 100, height: int = 20) -> list[str]:
    return [line.plain.rstrip() for line in view.lines(width, height)]


def marks(view: Any) -> str:
    return "".join(line[:1] for line in view_lines(view)[1:])


def test_a_row_that_changed_is_marked_for_a_moment() -> None:
    clock = Clock()
    view = account_rows.positions(look_of(clock))
    for name in ("a", "b"):
        view.add(position(name, **numbers(unrealized_pnl="1")))
    view.full(2)
    assert marks(view)[:2] == "  ", "not on a first full state"
    view.add(position("a", **numbers(unrealized_pnl="2"), change="update"))
    view.add(position("b", **numbers(unrealized_pnl="1"), change="update", received=NOW))
    assert marks(view)[:2] == " *", "newest first; what comes again as it was is no news"
    assert view.until() is not None
    assert view.until() <= NOW + MARKED_MS
    clock.now += MARKED_MS
    assert marks(view)[:2] == "  "


def test_only_the_cells_that_changed_are_bold() -> None:
    view = account_rows.orders(look_of())
    view.add(order("1", side="buy", **numbers(price="5", size="7")))
    view.lines(100, 20)
    clocked = account_rows.orders(look_of(clock := Clock()))
    clocked.add(order("1", side="buy", **numbers(price="5", size="7")))
    clock.now += MARKED_MS
    clocked.add(order("1", side="buy", **numbers(price="6", size="7")))
    row = clocked.lines(100, 20)[1]
    bold = {row.plain[span.start : span.end].strip() for span in row.spans if "bold" in str(span.style)}
    assert bold == {"6"}


def test_a_row_that_is_gone_is_struck_through_then_leaves() -> None:
    clock = Clock()
    view = account_rows.orders(look_of(clock))
    view.add(order("1", side="buy", **numbers(price="5", size="7")))
    clock.now += MARKED_MS
    view.add(order("1", status="filled", change="remove"))
    row = view.lines(100, 20)[1]
    assert row.plain.startswith("× 1")
    assert "▲ buy" in row.plain, "what the last word does not say is known from before"
    assert "filled" in row.plain
    assert any("strike" in str(span.style) for span in row.spans)
    clock.now += GONE_MS
    assert view_lines(view) == ["no order that changed is open"], "of others nothing is known"
    view.start_over()
    assert view_lines(view) == ["no order has changed yet"]
    view.add(order("1", change="snapshot"))
    view.full(1)
    view.add(order("1", status="filled", change="remove"))
    clock.now += GONE_MS
    assert view_lines(view) == ["no open order"]


def test_a_row_that_only_stops_matching_is_not_shown_as_closed() -> None:
    view = account_rows.orders(look_of())
    view.say_filtered("nothing matches --where")
    view.add(order("1"))
    view.add(order("2"))
    view.add(order("1", change="remove", match=False))
    assert len(view_lines(view)) == 2
    view.add(order("2", change="remove", match=False))
    assert view_lines(view) == ["nothing matches --where"]
    view.add(order("1"))
    assert marks(view) == "*"


def test_an_alert_flashes_the_header_for_a_second_and_says_why_in_the_footer() -> None:
    mono = 5_000
    look = look_of(mono_ms=lambda: mono)
    table = table_of("orders", [status("orders", "live"), order("1")], look)

    def is_flashing() -> bool:
        header = table.frame(80, 24)[0]
        return any((span.start, span.end, str(span.style)) == (0, len(header), "reverse") for span in header.spans)

    assert not is_flashing()
    table.notice("before")
    table.alert("BTC: price > 1")
    assert is_flashing()
    assert pressed(table)[-1].startswith("23:29:02 BTC: price > 1")
    mono += 999
    assert is_flashing()
    mono += 1
    assert not is_flashing()
    table.notice("orders: the connection was lost")
    footer = pressed(table)[-1]
    assert "23:29:02 BTC: price > 1   23:29:02 orders: the co" in footer, "the last alert stays"
    table.notice("what a command has written", is_alert=True)
    assert pressed(table)[-1].startswith("23:29:02 what a command has written  ")


def test_a_key_that_comes_back_is_another_row() -> None:
    view = account_rows.orders(look_of())
    view.add(order("1"))
    view.add(order("1", status="cancelled", change="remove"))
    view.add(order("1"))
    assert marks(view) == "*"


def test_rows_that_are_gone_do_not_drive_out_those_that_are_there() -> None:
    clock = Clock()
    view = account_rows.orders(look_of(clock))
    for name in ("a", "b", "c", "d", "e", "f", "g"):
        view.add(order(name))
    for name in ("c", "d", "e", "f", "g"):
        view.add(order(name, status="filled", change="remove"))
    clock.now += MARKED_MS
    assert marks(view) == "×××××  ", "all of them where there is room"
    assert ids(view, height=5) == ["g", "f", "b", "a"], "the latest to go, beside all that are there"
    view.add(order("h"))
    view.add(order("i"))
    view.add(order("j"))
    clock.now += MARKED_MS
    assert ids(view, height=5) == ["j", "i", "h", "…"], "then at most a third, here behind those that are newer"


def test_a_second_last_word_does_not_take_away_what_is_known() -> None:
    view = account_rows.orders(look_of())
    view.add(order("1", side="buy"))
    view.add(order("1", status="filled", change="remove"))
    view.add(order("1", status="cancelled", change="remove"))
    assert "▲ buy" in view_lines(view)[1]
    assert "cancelled" in view_lines(view)[1]


def test_sums_are_of_what_is_there() -> None:
    view = account_rows.positions(look_of())
    view.add(position("a", **numbers(unrealized_pnl="1")))
    view.add(position("b", **numbers(unrealized_pnl="2")))
    view.add(position("b", change="remove", **numbers(unrealized_pnl="2")))
    assert view_lines(view)[-1].startswith("1 open   unrealised PnL +1 USD")


def ids(view: Any, height: int = 20) -> list[str]:
    return [line.split()[1 if line[0] in "*×" else 0] for line in view_lines(view, height=height)[1:]]


def test_sorting_by_every_column_in_turn_and_back() -> None:
    view = account_rows.orders(look_of())
    for name, price in (("b", "10"), ("a", "9"), ("c", None)):
        view.add(order(name, price=None if price is None else Decimal(price)))
    assert ids(view) == ["c", "a", "b"], "newest first"
    assert view.press("s")
    assert "order ▲" in view_lines(view)[0]
    assert ids(view) == ["a", "b", "c"]
    view.press("S")
    assert "order ▼" in view_lines(view)[0]
    assert ids(view) == ["c", "b", "a"]
    seen = 0
    while "price ▼" not in view_lines(view)[0]:
        view.press("s")
        seen += 1
        assert seen < 30
    assert ids(view) == ["b", "a", "c"], "the largest first, by value and not by text; what is absent last"
    view.press("r")
    assert ids(view) == ["a", "b", "c"]
    while "▲" in view_lines(view)[0] or "▼" in view_lines(view)[0]:
        view.press("s")
        seen += 1
        assert seen < 60
    assert ids(view) == ["c", "a", "b"]


def test_scrolling() -> None:
    view = account_rows.orders(look_of())
    for number in range(30):
        view.add(order(f"{number:02}"))
    lines = view_lines(view, height=12)
    assert len(lines) == 12
    assert lines[-1] == "… and 20 more"
    assert "29" in lines[1]
    assert not view.press("up"), "nothing changes at the top"
    assert view.press("down")
    lines = view_lines(view, height=12)
    assert "28" in lines[1]
    assert lines[-1] == "… 1 above and 19 more"
    view.press("pgdn")
    assert "18" in view_lines(view, height=12)[1]
    view.press("end")
    lines = view_lines(view, height=12)
    assert lines[-1] == "… 20 above"
    assert "00" in lines[-2]
    assert len(view_lines(view, height=40)) == 31, "all are shown where there is room"


def test_scrolled_events_stay_where_they_are_when_new_ones_come() -> None:
    view = account_rows.fills(look_of())
    for number in range(30):
        view.add(fill(f"f{number}", **numbers(price="1", size="1")))
    view.lines(100, 10)
    view.press("down")
    before = view_lines(view, height=10)[1:-1]
    view.add(fill("f30", **numbers(price="1", size="1")))
    assert view_lines(view, height=10)[1:-1] == before


def test_an_interruption_is_a_line_between_events() -> None:
    view = account_rows.fills(look_of())
    view.add(fill("1", **numbers(price="1", size="1")))
    view.start_over()
    view.start_over()
    view.add(fill("2", **numbers(price="1", size="1")))
    assert "interrupted: events may have been missed" in view_lines(view)[2]
    assert len(view_lines(view)) == 4


@pytest.mark.parametrize(
    ("level", "words", "figure"),
    [
        ("496939", "covered", "<0.1 %"),
        ("125", "covered", "80.0 %"),
        ("124.9", "TIGHT", "80.1 %"),
        ("100", "TIGHT", "100.0 %"),
        ("99.9", "BELOW 100 %", "100.1 %"),
        ("0", "BELOW", ">100 %"),
        ("-20", "BELOW", ">100 %"),
    ],
)
def test_the_gauge_of_the_margin(level: str, words: str, figure: str) -> None:
    view = margin.view(look_of())
    view.add(records.Margin(**common(**numbers(equity="1", used="1", level_pct=level))))
    lines = view_lines(view, width=80)
    assert figure in lines[-2]
    assert lines[-1].startswith(words)
    assert len(lines[-2]) <= 80
    full_gauge = lines[-2].partition("│")[2].partition("│")[0]
    assert ("·" not in full_gauge) == (Decimal(level) <= 100)


def test_margin_figures_that_changed_are_marked() -> None:
    clock = Clock()
    view = margin.view(look_of(clock))
    first = records.Margin(**common(**numbers(equity="1", used="1", level_pct="150")))
    view.add(first)
    assert "*" not in "".join(view_lines(view))
    view.add(records.Margin(**common(**numbers(equity="2", used="1", level_pct="150"))))
    assert [line for line in view_lines(view) if line.startswith("*")] == ["*  equity            2"]
    clock.now += MARKED_MS
    assert "*" not in "".join(view_lines(view))


# --- colour-blind, and without colour


@pytest.mark.parametrize("stream", LIVE)
def test_without_colour_nothing_is_said_by_colour_alone(stream: str) -> None:
    """The text of both is the same, and the palette without colours has none."""
    plain = screen(stream, cases(stream)["live"], 80, 24, {"color": False})
    lines = table_of(stream, cases(stream)["live"], look_of(color=True)).frame(80, 24)
    assert [line.plain.rstrip() for line in lines if line.plain.rstrip()] == [
        line for line in plain.splitlines() if not line.endswith(" empty)")
    ]
    mono = table_of(stream, cases(stream)["live"], look_of(color=True, palette="mono")).frame(80, 24)
    words = {word for line in mono for span in line.spans for word in str(span.style).split()}
    assert words <= {"bold", "dim", "reverse", "strike", "not"}


# --- cells and columns


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"), ("ünï ", "ünï "), ("a\nb", "a\\x0ab"), ("\x9b31m", "\\x9b31m"), ("\x7f", "\\x7f"),
        ("\u202eabc", "\\u202eabc"), ("\U000e0001", "\\U000e0001"), ("\ud800", "\\ud800"), ("x" * 301, "x" * 299 + "…"),
    ],
)  # fmt: skip
def test_harmless(text: str, shown: str) -> None:
    assert cells.harmless(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("lots", "lots"), ("\x1b" * 9, "\\x1b\\x1b\\x1…"), ("漢字" * 9, "漢字漢字漢…"), ("a" * 30, "a" * 11 + "…")],
)
def test_a_unit_takes_a_dozen_cells_at_most(text: str, shown: str) -> None:
    assert cells.short(text) == shown
    assert cell_len(shown) <= 12


@pytest.mark.parametrize("width", [24, 33, 40, 45, 61])
def test_no_figure_of_the_margin_is_without_its_name(width: int) -> None:
    for case, items in cases("margin").items():
        if case in ("live", "hostile", "extremes"):
            lines = [line.plain for line in table_of("margin", items, look_of()).frame(width, 24)]
            assert all(any(name in line for line in lines) for name in margin.FIGURES.values()), case


def test_columns_have_their_points_below_each_other() -> None:
    column = cells.column([Decimal("1.5"), Decimal(100), None, Decimal("0.125"), Decimal("1E-8")])
    assert column == ["1.5       ", "100         ", "—         ", "0.125     ", "0.00000001"]


def test_columns_are_left_out_in_their_order() -> None:
    columns = [Column("a", ["1"], keep=9), Column("b", ["22222"], keep=1), Column("c", ["333"], keep=5)]
    assert [line.plain for line in lay_out(columns, 20)] == ["a      b    c", "1  22222  333"]
    assert [line.plain for line in lay_out(columns, 8)] == ["a    c", "1  333"]
    assert [line.plain for line in lay_out(columns, 2)] == ["a", "1"]
    assert [line.plain for line in lay_out([Column("b", ["22222"])], 3)] == ["  b", "###"]


def test_times_and_durations() -> None:
    assert Look(tz=look_of().tz).clock(NOW) == "23:29:02.500"
    assert cells.clock(None) == cells.clock(10**18) == "—"
    seen = [cells.duration(ms) for ms in (-5, 90, 12_000, 600_000, 90_000_000)]
    assert seen == ["0.0 s", "0.1 s", "12 s", "10 min", "25 h"]
    assert [cells.age(ms) for ms in (-5, 999, 1_000, 119_999, 120_000, 7_200_000)] == [
        "0 s", "0 s", "1 s", "119 s", "2 min", "2 h",
    ]  # fmt: skip


if __name__ == "__main__":
    for name in LIVE:
        golden(name).write_text(all_screens(name), encoding="utf-8")


def test_the_header_says_how_the_venue_s_own_switches_are_set() -> None:
    """Which book it is must never be in doubt, so it is left out late, in the header and in a pane's heading."""
    table = table_of("book", [status("book", "live")], look_of(), flags=["rpi: false"])
    for width in (60, 80, 120):
        assert "rpi: false" in table.frame(width, 24)[0].plain
    pane = Pane(
        loaded("book").view,
        Title("nexus", "sim", ["A"], STREAMS["book"], partial=False, flags=["rpi: true"]),
        look_of(),
        rate(),
        Redactor(),
    )
    assert "rpi: true" in pane.heading(40).plain
