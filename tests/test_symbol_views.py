"""Several symbols in one table, compared as text; rewritten on purpose only: python -m tests.test_symbol_views"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from rich.cells import cell_len

from cli.output.lines import Skipped
from cli.screen.header import Rate
from cli.screen.pane import Pane, Title
from cli.screen.table import Table
from cli.views import loaded
from tests.drawn import NOW, Clock, golden, look_of
from venues.records import Fill, Quote, SnapshotEnd, State, Status, Ticker, Trade
from venues.redaction import Redactor
from venues.streams import STREAMS

THREE = ("BTC/USD", "ETH/USD", "XRP/USD")
MANY = tuple(f"PERP_{number}_USDT" for number in range(150))
SIZES = {"80×24": (80, 24), "200×50": (200, 50), "40×12": (40, 12), "24×6": (24, 6)}


class Shown:
    """A table of several symbols, and the clock that it sees."""

    env = "sim"

    def __init__(self, stream: str, symbols: tuple[str, ...] = THREE, **fields: Any) -> None:
        self.stream = stream
        self.clock = Clock()
        look = look_of(self.clock, **fields)
        title = Title("kraken", self.env, symbols, STREAMS[stream], partial=False, several=True)
        self.pane = Pane(loaded(stream).view, title, look, Rate(clock=lambda: 0.0), Redactor())
        self.table = Table(self.pane, look, on_terminal=False)

    def write(self, *items: Any) -> None:
        self.table.write(items)

    def status(self, state: State, symbol: str | None = None, **fields: Any) -> None:
        said = Status(
            venue="v", symbol=symbol, received=self.clock.now, stream=self.stream, state=state, **fields
        )  # fmt: skip
        self.write(said)

    def lines(self, width: int = 80, height: int = 24) -> list[str]:
        return [line.plain.rstrip() for line in self.table.frame(width, height)]

    def markup(self, width: int = 80, height: int = 24) -> list[str]:
        return [line.markup for line in self.table.frame(width, height)]

    def body(self) -> list[str]:
        return [line for line in self.lines()[2:-1] if line]


def quote(symbol: str, number: int = 0) -> Quote:
    bid = Decimal(100 + number)
    return Quote(
        venue="v", symbol=symbol, received=NOW, time=NOW - 100, bid_price=bid, ask_price=bid + 1, bid_size=Decimal(1)
    )  # fmt: skip


def trade(symbol: str, size: str, number: int = 0, side: Any = "buy") -> Trade:
    at = NOW + number
    return Trade(
        venue="v", symbol=symbol, received=at, time=at, price=Decimal(100 + number), size=Decimal(size), side=side
    )  # fmt: skip


def live_quotes(symbols: tuple[str, ...] = THREE, **fields: Any) -> Shown:
    shown = Shown("quotes", symbols, **fields)
    shown.status("syncing")
    for number, symbol in enumerate(symbols):
        shown.status("live", symbol)
        shown.write(quote(symbol, number))
    shown.write(SnapshotEnd(venue="v", received=NOW, stream="quotes", count=len(symbols)))
    return shown


def live_trades(**fields: Any) -> Shown:
    shown = Shown("trades", **fields)
    shown.status("live")
    for number in range(6):
        for at, symbol in enumerate(THREE):
            shown.write(trade(symbol, str(at + 1), number, "sell" if number % 2 else "buy"))
    return shown


def _one_stale(shown: Shown) -> Shown:
    shown.status("stale", "ETH/USD", reason="gap")
    return shown


def _each_another(shown: Shown) -> Shown:
    shown.status("stale", "ETH/USD", reason="gap")
    shown.status("closed", "XRP/USD", reason="delisted")
    return shown


def _coming_back(shown: Shown) -> Shown:
    shown.status("reconnecting", reason="lost", attempt=1, retry_in_ms=1500)
    shown.status("syncing")
    shown.status("live", "ETH/USD", down_ms=1500)
    shown.write(quote("ETH/USD", 7) if shown.stream == "quotes" else trade("ETH/USD", "9", 7))
    return shown


def _frozen(shown: Shown) -> Shown:
    shown.lines()
    shown.table.press("space")
    shown.table.idle()
    return _one_stale(shown)


def _many(**fields: Any) -> Shown:
    shown = live_quotes(MANY, **fields)
    for number in (3, 5, 9):
        shown.status("stale", MANY[number], reason="gap")
    shown.status("closed", MANY[7], reason="delisted")
    return shown


CASES = {
    "quotes, live": live_quotes,
    "quotes, one stale": lambda **fields: _one_stale(live_quotes(**fields)),
    "quotes, each another state": lambda **fields: _each_another(live_quotes(**fields)),
    "quotes, coming back": lambda **fields: _coming_back(live_quotes(**fields)),
    "quotes, frozen": lambda **fields: _frozen(live_quotes(**fields)),
    "quotes, 150 symbols": _many,
    "trades, live": live_trades,
    "trades, one stale": lambda **fields: _one_stale(live_trades(**fields)),
    "trades, coming back": lambda **fields: _coming_back(live_trades(**fields)),
}


def all_screens() -> str:
    parts = []
    for case, made in CASES.items():
        for way, (width, height) in SIZES.items():
            parts += [f"===== {case}, {way}", *made().lines(width, height)]
        parts += [f"===== {case}, 80×24, colour", *made(color=True).markup()]
        parts += [f"===== {case}, 80×24, ASCII", *made(unicode=False).lines()]
        parts += [f"===== {case}, last", *(line.plain.rstrip() for line in made().table.last(80, 12))]
    return "".join(f"{line.rstrip()}\n" for line in parts)


def test_golden() -> None:
    assert all_screens() == golden("symbols").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES)
def test_no_line_is_wider_than_the_screen(case: str) -> None:
    for width in (1, 10, 24, 33, 47, 80, 200):
        for height in (1, 6, 12, 24, 50):
            for unicode in (True, False):
                lines = CASES[case](unicode=unicode).lines(width, height)
                assert len(lines) <= height
                assert max(map(cell_len, lines)) <= width
                assert unicode or all(line.isascii() for line in lines)


# --- rows


def test_the_rows_of_a_symbol_that_is_not_live_are_dimmed_and_others_look_live() -> None:
    lines = _one_stale(live_quotes(color=True)).markup()
    (ether,) = [line for line in lines[2:] if "ETH/USD" in line]
    (bitcoin,) = [line for line in lines[2:] if "BTC/USD" in line]
    assert ether.startswith("[dim")
    assert "stale" in ether
    assert "[dim" not in bitcoin
    assert "[bold green]LIVE 2/3[/bold green]" in lines[0]
    assert "STALE 1: ETH/USD" in lines[0]


def test_a_table_keeps_the_last_values_until_each_symbol_is_back() -> None:
    shown = live_quotes()
    shown.status("reconnecting", reason="lost", attempt=1, retry_in_ms=1500)
    assert len(shown.body()) == 4
    assert all(line.startswith("!") for line in shown.body()[1:])
    assert "RECONNECTING" in shown.lines()[0]
    shown.status("live", "XRP/USD")
    shown.write(quote("XRP/USD", 50))
    rows = shown.body()[1:]
    assert [row[:2] for row in rows] == ["! ", "! ", "  "], "only what is back looks live"
    assert "LIVE 1/3 · RECONNECTING 2" in shown.lines()[0]
    for symbol in THREE[:2]:
        shown.status("live", symbol)
        shown.write(quote(symbol))
    shown.write(SnapshotEnd(venue="v", received=NOW, stream="quotes", count=3))
    assert [row[:2] for row in shown.body()[1:]] == ["  ", "  ", "  "]
    assert " LIVE  " in shown.lines()[0]


def test_a_full_state_after_one_symbol_came_back_takes_no_other_away() -> None:
    shown = live_quotes()
    shown.status("stale", "ETH/USD", reason="gap")
    shown.status("live", "ETH/USD")
    shown.write(quote("ETH/USD", 9), SnapshotEnd(venue="v", received=NOW, stream="quotes", count=3))
    assert len(shown.body()) == 4


def test_a_symbol_that_is_closed_stays_as_such_when_all_others_have_a_new_full_state() -> None:
    shown = live_quotes()
    shown.status("closed", "XRP/USD", reason="delisted")
    shown.status("reconnecting", reason="lost", attempt=1, retry_in_ms=1500)
    shown.status("live")
    shown.write(quote("BTC/USD"), quote("ETH/USD"), SnapshotEnd(venue="v", received=NOW, stream="quotes", count=2))
    shown.clock.now += 60_000
    shown.write(quote("BTC/USD", 1))
    assert "LIVE 2/3 · CLOSED 1: XRP/USD" in shown.lines()[0]
    assert next(row for row in shown.body() if row.startswith("!")).startswith("! XRP/USD  closed")


def test_a_header_says_all_that_is_not_live_before_it_says_only_the_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shown, "env", "custom:127.0.0.1:18302")
    shown = Shown("quotes", ("BTC", "ETH", "DOGE"))
    for symbol in ("BTC", "ETH", "DOGE"):
        shown.status("live", symbol)
        shown.write(quote(symbol))
    shown.status("stale", "BTC", reason="gap")
    shown.status("closed", "DOGE", reason="halted")
    assert "LIVE 1/3 · CLOSED 1: DOGE · STALE 1: BTC" in shown.lines(100)[0]
    assert "LIVE 1/3 · CLOSED 1 · STALE 1  3 symbols" in shown.lines(80)[0]
    assert "CLOSED 1/3" in shown.lines(30)[0]


def test_a_row_that_a_full_state_of_live_symbols_does_not_have_is_gone() -> None:
    shown = live_quotes()
    shown.write(quote("BTC/USD", 1), quote("ETH/USD", 1))
    shown.write(SnapshotEnd(venue="v", received=NOW, stream="quotes", count=2))
    assert next(row for row in shown.body() if "XRP/USD" in row).startswith("×")


def test_what_all_symbols_are_is_told_as_for_one() -> None:
    shown = live_quotes()
    for symbol in THREE:
        shown.status("stale", symbol, reason="gap")
    assert "STALE" in shown.lines()[0]
    assert "1/3" not in shown.lines()[0]
    for symbol in THREE:
        shown.status("closed", symbol, reason="delisted")
    assert "CLOSED" in shown.lines()[0]
    assert shown.pane.closed_because == "delisted"


def test_what_is_frozen_says_which_symbol_is_not_live_meanwhile() -> None:
    shown = _frozen(live_quotes())
    assert "FROZEN" in shown.lines(120)[0]
    assert "STALE 1: ETH/USD" in shown.lines(120)[0]
    shown.write(quote("ETH/USD", 55))
    assert not any("155" in line for line in shown.lines())
    shown.status("live", "ETH/USD")
    shown.write(quote("ETH/USD", 66))
    shown.table.press("space")
    shown.table.idle()
    assert any("166" in line for line in shown.lines())
    assert len(shown.body()) == 4


def test_symbols_keep_the_places_in_which_they_were_asked_for() -> None:
    shown = Shown("quotes")
    shown.status("live")
    shown.write(quote("XRP/USD"), quote("BTC/USD"), quote("ETH/USD"))
    assert [row.split()[0] for row in shown.body()[1:]] == [*THREE]
    shown.status("stale", "BTC/USD", reason="gap")
    shown.status("live", "BTC/USD")
    assert [row.split()[0] for row in shown.body()[1:]] == ["ETH/USD", "XRP/USD"], "an old row is not shown as live"
    shown.write(quote("BTC/USD"))
    assert [row.split()[0] for row in shown.body()[1:]] == [*THREE]


def test_one_symbol_is_shown_as_ever() -> None:
    title = Title("kraken", "sim", THREE[:1], STREAMS["quotes"], partial=False)
    pane = Pane(loaded("quotes").view, title, look_of(Clock()), Rate(clock=lambda: 0.0), Redactor())
    pane.write([Status(venue="v", symbol="BTC/USD", received=NOW, stream="quotes", state="live"), quote("BTC/USD")])
    pane.write([Status(venue="v", symbol="BTC/USD", received=NOW, stream="quotes", state="stale", reason="gap")])
    assert "STALE 0 s" in pane.header(120).plain
    assert not pane.body(80, 5)[1].plain.startswith("!")


# --- trades


def test_volumes_are_those_of_each_symbol() -> None:
    head = live_trades().body()[:4]
    assert [line.split()[0] for line in head] == ["symbol", *THREE]
    figures = [[word for word in line.split() if word.replace(".", "").isdigit()][:4] for line in head[1:]]
    assert figures == [["3", "3", "3", "3"], ["6", "3", "6", "3"], ["9", "3", "9", "3"]]


def test_what_size_is_usual_is_known_a_symbol() -> None:
    shown = Shown("trades")
    shown.status("live")
    for number in range(25):
        shown.write(trade("BTC/USD", "1", number), trade("XRP/USD", "1000", number))
    shown.write(trade("XRP/USD", "1000", 26), trade("BTC/USD", "10", 27))
    rows = [line for line in shown.body() if "▲ buy" in line and ":" in line]
    assert rows[0].endswith("10×")
    assert "×" not in rows[1]


def test_an_interruption_says_whose_trades_may_be_missing() -> None:
    shown = live_trades()
    shown.status("stale", "ETH/USD", reason="gap")
    shown.status("live", "ETH/USD")
    assert any("interrupted: trades of ETH/USD may" in line for line in shown.body())
    volumes = next(line for line in shown.body()[:4] if line.startswith("ETH/USD"))
    assert volumes.split()[3:5] == ["0", "0"], "only from where every trade is seen"
    assert next(line for line in shown.body()[:4] if line.startswith("BTC/USD")).split()[3] == "3"


def test_symbols_that_come_back_one_by_one_make_one_line() -> None:
    shown = live_trades()
    shown.status("reconnecting", reason="lost", attempt=1, retry_in_ms=1500)
    for symbol in THREE:
        shown.status("live", symbol)
        shown.write(trade(symbol, "1", 9))
    lines = [line for line in shown.body() if "interrupted" in line]
    assert lines == ["── interrupted: trades of BTC/USD, ETH/USD, XRP/USD may have been missed ──"]
    shown.status("reconnecting", reason="lost", attempt=1, retry_in_ms=1500)
    shown.status("live")
    assert "── interrupted: trades may have been missed ──" in shown.body()
    shown.clock.now += 60_000
    shown.status("stale", "XRP/USD", reason="gap")
    shown.status("live", "XRP/USD")
    assert len([line for line in shown.body() if "interrupted" in line]) == 3


def test_trades_that_were_not_drawn_begin_every_minute_anew() -> None:
    shown = live_trades()
    shown.write(Skipped(7))
    assert any("7 trades are not shown" in line for line in shown.body())


def test_volumes_stand_still_while_frozen_and_go_on_only_for_what_is_live() -> None:
    shown = live_trades()
    shown.lines()
    shown.table.press("space")
    shown.table.idle()
    shown.write(trade("BTC/USD", "1", 10))
    shown.status("stale", "ETH/USD", reason="gap")
    shown.table.press("space")
    shown.table.idle()
    by_symbol = {line.split()[0]: line for line in shown.body()[1:4]}
    assert "4" in by_symbol["BTC/USD"].split()
    assert any(line.startswith("! ETH/USD") for line in shown.body()[1:4])


def test_volumes_of_what_was_stale_before_stand_still_after_freezing_too() -> None:
    shown = live_trades()
    shown.status("stale", "ETH/USD", reason="gap")
    for _ in range(2):
        shown.lines()
        shown.table.press("space")
        shown.table.idle()
    shown.clock.now += 120_000
    shown.write(trade("XRP/USD", "1", 120_000))
    by_symbol = {line.removeprefix("! ").split()[0]: line for line in shown.body()[1:4]}
    assert by_symbol["BTC/USD"].split()[-6:-2] == ["0", "0", "0", "0"]
    assert by_symbol["ETH/USD"].split()[-6:-2] == ["6", "3", "6", "3"]


def test_events_of_any_stream_tell_whose_may_be_missing() -> None:
    shown = Shown("fills")
    shown.status("live")
    for number, symbol in enumerate(THREE):
        fill = Fill(
            venue="v",
            symbol=symbol,
            received=NOW + number,
            fill_id=symbol,
            price=Decimal(1),
            size=Decimal(1),
            side="buy",
        )
        shown.write(fill)
    shown.status("stale", "ETH/USD", reason="gap")
    shown.status("live", "ETH/USD")
    assert any("events of ETH/USD may have been missed" in line for line in shown.body())
    shown.status("reconnecting", reason="lost", attempt=1)
    shown.status("live")
    assert any("interrupted: events may have been missed" in line for line in shown.body())


def test_a_ticker_marks_the_rows_of_a_quiet_symbol_too() -> None:
    shown = Shown("ticker")
    shown.status("live")
    shown.write(*(Ticker(venue="v", symbol=symbol, received=NOW, last=Decimal(5)) for symbol in THREE))
    shown.status("stale", "XRP/USD", reason="no data for 5 s (--max-age)")
    assert any(line.startswith("! XRP/USD  stale") for line in shown.body())


if __name__ == "__main__":
    golden("symbols").write_text(all_screens(), encoding="utf-8")


def test_what_is_not_as_usual_of_one_symbol_stays_in_the_header() -> None:
    shown = live_quotes()
    shown.status("live", "ETH/USD", condition="ETH/USD is cancel_only")
    shown.status("live", "BTC/USD", reason="a notice")
    assert "ETH/USD is cancel_only" in shown.lines(120)[0]
    shown.status("live", "ETH/USD", reason="all is as usual again")
    assert "cancel_only" not in shown.lines(120)[0]
