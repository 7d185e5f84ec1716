"""What a person sees of B2TRADER's streams, as text."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from cli.screen.look import Look
from cli.views import account_rows, loaded, margin, market_rows
from cli.views.rows import GONE_MS
from tests import recorded as fixtures
from tests.drawn import Clock
from venues.records import AnyRecord, Balance, Margin, Position, Quote

NOW = 1_747_841_770_000
DECODER = msgspec.json.Decoder(AnyRecord, float_hook=Decimal)


def rows(name: str) -> list[Any]:
    """The records of a recording."""
    case = fixtures.FOLDER / "b2trader" / f"{name}.frames.jsonl"
    lines = [line for line in fixtures.outcome(case).splitlines() if line.startswith('{"type":')]
    found = [DECODER.decode(line) for line in lines]
    return [one for one in found if type(one).__name__ not in ("Status", "SnapshotEnd")]


def drawn(view: Any, records: list[Any], width: int = 120, height: int = 24) -> list[str]:
    for record in records:
        view.add(record)
    return [line.plain.rstrip() for line in view.lines(width, height)]


def position(name: str, **more: Any) -> Position:
    fields: dict[str, Any] = {"size": Decimal(1), "currency": "USD", "change": "snapshot"} | more
    return Position(venue="b2trader", received=NOW, position_id=name, symbol="cfd.eur_chf", **fields)


def test_positions_with_their_sums() -> None:
    lines = drawn(account_rows.positions(Look(epoch_ms=lambda: NOW)), rows("positions--document"))
    assert lines == [
        "  symbol       side    lots    entry   market  pnl USD  pnl %   margin  leverage     day  age",
        "* cfd.eur_chf  ▲ long  0.1   0.93666  0.93501   -17.02  -0.17   100.06       100  +18.61  9 s",
        "* cfd.eur_chf  ▲ long  0.01  0.96304  0.93501   -29.93  -2.91  1000.53         1   +1.86  9 s",
        "",
        "2 open   unrealised PnL -46.95 USD   used margin 1100.59 USD",
    ]
    narrow = drawn(account_rows.positions(Look(epoch_ms=lambda: NOW)), rows("positions--document"), width=60)
    assert narrow[0] == "  symbol       side    lots  pnl USD  pnl %   margin  age"
    assert narrow[-1] == lines[-1]


def test_gains_are_green_and_losses_red() -> None:
    view = account_rows.positions(Look(epoch_ms=lambda: NOW))
    view.add(position("a", unrealized_pnl=Decimal(-1), unrealized_pnl_pct=Decimal(2)))
    row = view.lines(120, 24)[1]
    assert {str(span.style) for span in row.spans} >= {"red", "green"}


def test_take_profit_and_stop_loss_have_columns_when_there_are_any() -> None:
    view = account_rows.positions(Look(epoch_ms=lambda: NOW))
    lines = drawn(view, [position("a", take_profit=Decimal("1.1")), position("b")])
    assert "take profit" in lines[0]
    assert "stop loss" in lines[0]


def test_a_sum_with_an_unknown_part_is_unknown_and_currencies_are_not_mixed() -> None:
    known, unknown = position("a", unrealized_pnl=Decimal(1)), position("b", used_margin=Decimal(2))
    assert account_rows.position_totals([known, unknown]) == ["2 open", "unrealised PnL — USD", "used margin — USD"]
    two = [position("a", unrealized_pnl=Decimal(1)), position("b", unrealized_pnl=Decimal(2), currency="EUR")]
    assert "unrealised PnL +1 USD and +2 EUR" in account_rows.position_totals(two)


def test_a_sum_is_never_cut() -> None:
    lines = drawn(account_rows.positions(Look(epoch_ms=lambda: NOW)), rows("positions--document"), width=26)
    assert lines[-3:] == ["2 open", "unrealised PnL -46.95 USD", "used margin 1100.59 USD"]
    assert (
        drawn(account_rows.positions(Look(epoch_ms=lambda: NOW)), rows("positions--document"), width=24)[-2]
        == "unrealised PnL #"
    )


def test_a_full_state_replaces_the_rows_and_may_be_empty() -> None:
    clock = Clock(NOW)
    view = account_rows.positions(Look(epoch_ms=clock))
    drawn(view, [position("a"), position("b")])
    view.full(2)
    view.add(position("b"))
    view.full(1)
    assert [line.plain[0] for line in view.lines(120, 24)] == [" ", " ", "×"]  # titles, a row, one that is gone
    clock.now += GONE_MS
    assert [line.plain[0] for line in view.lines(120, 24)] == [" ", " "]
    view.full(0)
    clock.now += GONE_MS
    assert [line.plain for line in view.lines(120, 24)] == ["no open position"]


def test_the_age_of_a_first_state_is_the_venues() -> None:
    lines = drawn(account_rows.orders(Look(epoch_ms=lambda: 1_747_761_751_900 + 3_600_000)), rows("orders--document"))
    assert lines[1].endswith("60 min")


def test_closed_positions_with_their_sum() -> None:
    lines = drawn(account_rows.closed(Look(epoch_ms=lambda: NOW)), rows("closed--document"), width=100)
    assert lines[1].startswith("  cfd.eur_chf  ▲ long  0.01  0.96304  0.93571   -29.25")
    assert lines[-1] == "1 closed   realised PnL -29.25 RAT"


def test_margin_a_figure_a_line() -> None:
    assert drawn(margin.view(Look()), rows("margin--document")) == [
        "   margin",
        "   equity          497833.55  RAT",
        "   balance         497838.8   RAT",
        "   unrealised PnL      -5.25  RAT",
        "   used margin        100.18  RAT",
        "   free margin     497733.37  RAT",
        "   margin level    496939.05  %",
        "",
        f"│▏{'·' * 49}│ <0.1 % of equity used",
        "covered: the level is equity / used margin",
    ]
    nothing_used = Margin(venue="b2trader", received=NOW, used=Decimal(0), level_pct=Decimal(0))
    assert drawn(margin.view(Look()), [nothing_used])[6].split() == ["margin", "level", "—", "%"]


def test_lists_keep_the_order_that_was_asked_for() -> None:
    made = [Quote(venue="b2trader", symbol=name, received=NOW, bid_price=Decimal(1)) for name in ("a.b_c", "d.e_f")]
    lines = drawn(market_rows.quotes(Look(epoch_ms=lambda: NOW)), made)
    assert [line.split()[0] for line in lines] == ["symbol", "a.b_c", "d.e_f"]
    assert "size" not in lines[0]


def test_balances_and_tickers() -> None:
    lines = drawn(account_rows.balance(Look(epoch_ms=lambda: NOW)), rows("balance--document"))
    assert lines[1].split()[:4] == ["eur", "497838.8", "497838.8", "0"]
    lines = drawn(market_rows.ticker(Look(epoch_ms=lambda: NOW)), rows("ticker--document"))
    assert lines[1].split()[:3] == ["cfd.eur_chf", "0.93586", "-0.06"]


def test_a_hostile_name_is_harmless() -> None:
    hostile = Balance(venue="b2trader", received=NOW, asset="\x1b[2J[/b]eur", change="snapshot")
    lines = drawn(account_rows.balance(Look(epoch_ms=lambda: NOW)), [hostile])
    assert lines[1].startswith("  \\x1b[2J[/b]eur")


@pytest.mark.parametrize(
    "stream", ["orders", "positions", "closed", "balance", "margin", "quotes", "ticker", "watchlist", "candles", "book"]
)
@pytest.mark.parametrize("width", [24, 40, 80, 120])
def test_no_line_is_too_wide_and_no_digit_cut(stream: str, width: int) -> None:
    view = loaded(stream).view(Look())
    records = rows(f"{stream}--document")
    for record in records:
        view.add(record)
    for line in view.lines(width, 24):
        assert line.cell_len <= width or "spread" in line.plain  # which the screen cuts, as words
        for word in line.plain.split():
            assert not word.rstrip("…").replace(".", "").isdigit() or not word.endswith("…")
