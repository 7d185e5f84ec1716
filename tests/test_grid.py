"""Columns in too little room: which are left out, and what is `#`."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rich.cells import cell_len

from cli.output import cells
from cli.screen.grid import Column, lay_out
from cli.screen.look import Look
from cli.views.rows import id_column, text_column

LONG = "123456789012345678.123456789012345678"
USDT = "USDT" + " " * 17 + "1500.25" + " " * 16


def laid_out(columns: list[Column], width: int) -> list[str]:
    lines = lay_out(columns, width)
    assert all(line.cell_len <= width for line in lines)
    return [line.plain for line in lines]


def assets(*totals: str, **kept: int) -> list[Column]:
    return [
        Column("asset", ["BTC", "USDT"][: len(totals)], align="left", keep=10, is_text=True),
        Column("total", list(totals), keep=kept.get("total", 9), is_figure=True),
        Column("age", ["3 s", "4 s"][: len(totals)], keep=1),
    ]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (60, ["asset                                  total  age",
              f"BTC    {LONG}  3 s",
              f"{USDT}  4 s"]),
        (44, ["asset                                  total",
              f"BTC    {LONG}",
              USDT]),
        (43, ["asset    total  age", "BTC    #######  3 s", "USDT   1500.25  4 s"]),
        (14, ["asset    total", "BTC    #######", "USDT   1500.25"]),
        (13, ["asset  total", "BTC    #####", "USDT   #####"]),
        (9, ["asset  t…", "BTC    ##", "USDT   ##"]),
    ],
)  # fmt: skip
def test_the_main_figure_stays_and_what_does_not_fit_is_a_sign(width: int, shown: list[str]) -> None:
    assert laid_out(assets(*cells.column([Decimal(LONG), Decimal("1500.25")])), width) == shown


def test_of_equal_columns_those_before_the_figure_stay_beside_it() -> None:
    columns = [
        Column("side", ["▼ sell"], align="left", keep=9),
        Column("price", ["123456.7890123"], keep=9, is_figure=True),
    ]
    assert laid_out(columns, 18) == ["side    price", "▼ sell  #####"]


def test_a_figure_that_nobody_sent_does_not_stand_for_one_that_is_there() -> None:
    columns = [*assets(LONG, total=8), Column("pnl", ["—"], keep=9, is_figure=True)]
    assert laid_out(columns, 24) == ["asset  total  age  pnl", "BTC    #####  3 s    —"]


def test_a_figure_that_fits_keeps_the_others_in_their_order() -> None:
    columns = [*assets(LONG), Column("free", ["7"], keep=12, is_figure=True)]
    assert laid_out(columns, 20) == ["asset  free", "BTC       7"]


def test_a_name_gives_up_cells_before_the_figure_does() -> None:
    columns = [
        Column("symbol", ["SPOT_BTC_USDT"], align="left", keep=12, is_text=True),
        Column("size", ["0.0477"], keep=9, is_figure=True),
    ]
    assert laid_out(columns, 16) == ["symbol      size", "SPOT_BT…  0.0477"]
    assert laid_out(columns, 15) == ["symbol     size", "SPOT_BTC…  ####"]


ORDERS = ["01JVSQ8WFA3QZ6AQTKYPXVXDWA", "01JVSQ8WFA3QZ6AQTKYPXVXDWB"]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (41, ["order                       symbol", f"{ORDERS[0]}  spot.btc_usdt", f"{ORDERS[1]}  spot.btc_usdt"]),
        (23, ["order     symbol", "01J…XDWA  spot.btc_usdt", "01J…XDWB  spot.btc_usdt"]),
        (22, ["order     symbol", "01J…XDWA  spot.btc_us…", "01J…XDWB  spot.btc_us…"]),
        (21, ["symbol", "spot.btc_usdt", "spot.btc_usdt"]),
    ],
)
def test_an_id_gives_up_cells_before_a_symbol_does_and_is_not_another_one_then(width: int, shown: list[str]) -> None:
    columns = [id_column("order", ORDERS, keep=6), text_column("symbol", ["spot.btc_usdt"] * 2, keep=10)]
    assert [line.rstrip() for line in laid_out(columns, width)] == shown


def test_an_id_gives_up_cells_first_also_where_it_is_the_shorter_one() -> None:
    columns = [id_column("order", ["1234567890"], keep=6), text_column("symbol", ["SPOT_BTC_USDT"], keep=3)]
    assert laid_out(columns, 23) == ["order     symbol       ", "123…7890  SPOT_BTC_USDT"]


def test_ids_that_cannot_be_cut_in_the_middle_are_cut_like_words() -> None:
    assert [Look().cut_middle("1234567", width) for width in (7, 6, 5, 4)] == ["1234567", "12…567", "12…67", "123…"]
    assert Look(unicode=False).cut_middle("1234567890", 8) == "12...890"
    assert Look().cut_middle("漢字漢字漢字", 8) == "漢字漢…"


def test_what_follows_a_cut_text_of_wide_characters_stays_in_its_column() -> None:
    columns = [
        Column("symbol", ["漢字漢字漢字漢字", "SPOT_BTC_USDT"], align="left", keep=9, is_text=True),
        Column("size", ["1", "2"], keep=9, is_figure=True),
    ]
    head, *rows = laid_out(columns, 18)
    assert {cell_len(line) for line in (head, *rows)} == {18}
