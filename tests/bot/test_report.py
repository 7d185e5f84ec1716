"""A bot's summary in words and as JSON, whole."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli.bot import report
from cli.bot.market_data import MarketName
from cli.bot.summary import Costs, Figures, MarketSummary, Point, Summary
from cli.screen.drawing import sparkline
from venues.errors import SetupError, UsageError

SPARKS = 60
WIDTH = 75


def of(**given: Any) -> Figures:
    read: dict[str, Any] = {name: Decimal(one) if isinstance(one, str) else one for name, one in given.items()}
    return Figures(**read)


def market(both: Figures | None = None, symbol: str = "BTC", **given: Any) -> MarketSummary:
    figures = both or Figures()
    made = MarketSummary(
        MarketName("nexus", symbol),
        figures,
        {"long": Figures(), "short": Figures()},
        others=0,
        exceptions=0,
        open_size=Decimal(0),
        filled_by="trades",
    )
    for name, value in given.items():
        setattr(made, name, value)
    return made


def summary(*markets: MarketSummary, exceptions: int = 0, **given: Any) -> Summary:
    begin, end = given.pop("begin", None), given.pop("end", None)
    return Summary("rsi", begin, end, list(markets), exceptions, Costs(**given))


LONG = of(
    signals=1_200,
    in_position_ms=3_723_000,
    return_pct="12.34567",
    drawdown_pct="0.0005",
    exposure="0.25",
    round_trips=1_000,
    hits=500,
)
SHORT = of(signals=1, return_pct="-0.0004", drawdown_pct="0.0015", exposure="0.0625", round_trips=3, hits=2)
BOTH = of(
    signals=1_201,
    missed=1_002,
    marked=3_000,
    in_position_ms=3_723_000,
    return_pct="12.34527",
    exposure="0.3125",
    round_trips=1_003,
    hits=502,
)


def test_the_whole_summary_of_a_market() -> None:
    one = market(BOTH, sides={"long": LONG, "short": SHORT}, others=2, exceptions=1, open_size=Decimal("-0.50"))
    text = report.words(summary(one, exceptions=2, begin=1_000, end=61_000, fee_bps=Decimal("7.50")), blocks=None)
    assert text.splitlines() == [
        "rsi: 1,201 position signals, 2 other signals, 2 exceptions in 60 s",
        "nexus:BTC     signals    held  return %  fall %  exposure  hit %     of",
        "  both sides    1,201  62 min   +12.345   0.000     0.312   50.0  1,003",
        "  long          1,200  62 min   +12.346   0.000     0.250   50.0  1,000",
        "  short             1   0.0 s     0.000   0.002     0.062   66.7      3",
        "  3,000 marked, since a market was not live or the data was old: not filled",
        "  1,002 missed: no price came before the next signal or the end",
        "  -0.50 is still held",
        "  1 exception in its callbacks",
        "assumed: each signal is filled whole by the price of the next trade; a",
        "constant notional, no compounding; fees 7.50 bps, slippage 0 bps; what is",
        "held at the end is valued at the last price; no order moves a market",
    ]


def test_a_run_without_position_signals_is_one_line() -> None:
    assert report.words(summary(), blocks=True) == "rsi: 0 position signals"
    one = market(Figures(), others=1, exceptions=1)
    assert report.words(summary(one, exceptions=1), blocks=True) == (
        "rsi: 0 position signals, 1 other signal, 1 exception"
    )


@pytest.mark.parametrize(
    ("begin", "end", "lasted"),
    [(None, None, ""), (5, None, ""), (None, 5, ""), (0, 0, " in 0.0 s"), (0, 3_600_000, " in 60 min")],
)
def test_how_long_a_run_was_is_said_where_it_is_known(begin: int | None, end: int | None, lasted: str) -> None:
    assert report.words(summary(begin=begin, end=end), blocks=None) == f"rsi: 0 position signals{lasted}"


def test_signals_are_added_up_and_markets_without_any_have_no_table() -> None:
    text = report.words(
        summary(market(of(signals=1), others=1), market(symbol="ETH", others=2), market(of(signals=2), "XRP")),
        blocks=None,
    )
    headline, *lines = text.splitlines()
    assert headline == "rsi: 3 position signals, 3 other signals"
    assert [line.split()[0] for line in lines if line.startswith("nexus")] == ["nexus:BTC", "nexus:XRP"]


def test_nothing_is_remarked_where_nothing_is_remarkable() -> None:
    lines = report.words(summary(market(of(signals=1))), blocks=None).splitlines()
    assert [line.split()[0] for line in lines[:6]] == ["rsi:", "nexus:BTC", "both", "long", "short", "assumed:"]


@pytest.mark.parametrize(
    ("filled_by", "words"),
    [
        (["quotes"], "by the first quote after it (ask to buy, bid to sell);"),
        (["trades"], "by the price of the next trade;"),
        (["trades", "quotes"], "by the first quote after it (ask to buy, bid to sell) or the price of the next trade;"),
    ],
)
def test_it_is_said_how_signals_are_taken_to_be_filled(filled_by: list[str], words: str) -> None:
    """Of the markets that had any."""
    markets = [market(of(signals=1), filled_by=name) for name in filled_by]
    others = [market(filled_by=name) for name in ("quotes", "trades")]
    text = report.words(summary(*markets, *others, slippage_bps=Decimal("0.5")), blocks=None)
    assert f"each signal is filled whole {words}" in " ".join(text.split())
    assert "fees 0 bps, slippage 0.5 bps;" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= WIDTH


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0.000"),
        ("-0.0001", "0.000"),
        ("0.0004999", "0.000"),
        ("0.0005001", "+0.001"),
        ("0.5", "+0.500"),
        ("1", "+1.000"),
        ("-1", "-1.000"),
        ("-0.0006", "-0.001"),
        ("1E+3", "+1000.000"),
        ("123456789012345678901234567890.1236", "+123456789012345678901234567890.124"),
    ],
)
def test_a_return_has_three_places_and_its_sign(value: str, text: str) -> None:
    one = market(of(signals=1, return_pct=value))
    assert text in report.words(summary(one), blocks=None).splitlines()[2].split()


# --- the curve


def curve(*points: tuple[int, str], blocks: bool | None = True) -> list[str]:
    one = market(of(signals=1), curve=[Point(at, Decimal(value)) for at, value in points])
    lines = report.words(summary(one), blocks=blocks).splitlines()
    return [line for line in lines if line.startswith("  return  ")]


def test_a_curve_of_two_points_is_the_first_until_the_second_comes() -> None:
    assert curve((0, "0"), (590, "1")) == [f"  return  {'▁' * (SPARKS - 1)}█"]
    assert curve((0, "1"), (590, "0"), blocks=False) == [f"  return  {chr(39) * (SPARKS - 1)}_"]


def test_a_curve_has_equal_steps_of_time() -> None:
    """Here each point is at a step of its own, begin and end included."""
    values = [str(number % 7) for number in range(SPARKS)]
    expected = sparkline([Decimal(value) for value in values], blocks=True)
    for begin, step in ((1_700_000_000_000, 1_000), (0, 1), (5, 7)):
        points = [(begin + step * number, value) for number, value in enumerate(values)]
        assert curve(*points) == [f"  return  {expected}"]


def test_between_two_points_the_one_before_counts_and_of_several_in_a_step_the_last() -> None:
    (line,) = curve((0, "0"), (100, "2"), (299, "1"), (300, "0"), (301, "2"), (590, "1"))
    assert line == f"  return  {'▁' * 10}{'█' * 20}▁{'█' * 28}▅"


def test_points_of_one_moment_are_a_curve_too() -> None:
    assert curve((5, "1"), (5, "2"), (5, "3")) == [f"  return  {'▄' * SPARKS}"]


@pytest.mark.parametrize(("points", "blocks"), [(2, None), (1, True), (0, True), (1, False)])
def test_a_curve_is_drawn_on_a_terminal_and_from_two_points_on(points: int, blocks: bool | None) -> None:
    assert curve(*((number, "0") for number in range(points)), blocks=blocks) == []


# --- as JSON


def figures_as_json(**given: Any) -> dict[str, Any]:
    counts = dict.fromkeys(("signals", "missed", "marked", "in_position_ms", "round_trips", "hits"), 0)
    figures = dict.fromkeys(("return_pct", "drawdown_pct", "exposure"), "0")
    return {**counts, **figures, "hit_rate_pct": None, **given}


def test_the_whole_report(tmp_path: Path) -> None:
    one = market(
        of(signals=3, missed=1, marked=2, in_position_ms=5, return_pct="-1.23456789012", round_trips=3, hits=1),
        sides={
            "long": of(drawdown_pct="10", exposure="0.50"),
            "short": of(signals=1, return_pct="-0.000000001", drawdown_pct="1E+2", round_trips=1),
        },
        others=4,
        exceptions=5,
        open_size=Decimal("-0.250"),
        filled_by="quotes",
        curve=[Point(1, Decimal("0.10")), Point(2, Decimal(-3))],
    )
    whole = summary(one, exceptions=6, begin=1, end=9, fee_bps=Decimal("7.50"), slippage_bps=Decimal("1E+1"))
    file = tmp_path / "report.json"
    report.write(file, [whole, summary(market())])
    text = file.read_text(encoding="utf-8")
    assert text.startswith('{\n  "type": "bot_report",\n  "scripts": [\n    {\n      "strategy": "rsi",\n')
    assert text.endswith("}\n")
    first, second = json.loads(text, parse_float=str, parse_int=int)["scripts"]
    assert first == {
        "strategy": "rsi",
        "begin": 1,
        "end": 9,
        "exceptions": 6,
        "assumptions": {
            "notional": "constant",
            "compounding": False,
            "fee_bps": "7.50",
            "slippage_bps": 10,
            "open_position": "at the last price",
        },
        "markets": [
            {
                "venue": "nexus",
                "symbol": "BTC",
                "filled_by": "first quote after",
                "open_size": "-0.25",
                "other_signals": 4,
                "exceptions": 5,
                **as_numbers(
                    figures_as_json(
                        signals=3,
                        missed=1,
                        marked=2,
                        in_position_ms=5,
                        return_pct="-1.23456789",
                        round_trips=3,
                        hits=1,
                        hit_rate_pct="33.33333333",
                    )
                ),
                "long": as_numbers(figures_as_json(drawdown_pct="10", exposure="0.5")),
                "short": as_numbers(figures_as_json(signals=1, drawdown_pct="100", round_trips=1, hit_rate_pct="0")),
                "curve": [{"time": 1, "return_pct": "0.1"}, {"time": 2, "return_pct": -3}],
            }
        ],
    }
    assert (second["begin"], second["end"], second["markets"][0]["filled_by"]) == (None, None, "next trade")


def as_numbers(figures: dict[str, Any]) -> dict[str, Any]:
    """As JSON has them: a whole number is one, of any other the text is compared."""
    whole = {name: int(value) for name, value in figures.items() if isinstance(value, str) and "." not in value}
    return {**figures, **whole}


# --- its file


@pytest.mark.parametrize("name", ["there.json", "new.json", "folder/new.json"])
def test_a_file_that_can_be_written_is_none_of_a_problem(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "there.json").write_text("")
    report.check_report(tmp_path / name)


def test_what_is_no_file_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        report.check_report(tmp_path)
    assert str(raised.value) == f"expected a file as --report, which is replaced as a whole, got {tmp_path}"


@pytest.mark.parametrize("missing", [None, os.W_OK, os.X_OK])
def test_a_folder_that_is_not_there_or_cannot_be_written_is_told_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: int | None
) -> None:
    path = tmp_path / ("nowhere" if missing is None else ".") / "report.json"
    if missing is not None:
        monkeypatch.setattr("cli.bot.report.os.access", lambda path, mode: not mode & missing)
    with pytest.raises(SetupError) as raised:
        report.check_report(path)
    assert str(raised.value) == (f"cannot write the report {path}: expected a folder that is there and can be written")


def test_a_report_that_cannot_be_written_names_its_file_and_why(tmp_path: Path) -> None:
    with pytest.raises(SetupError) as raised:
        report.write(tmp_path / "nowhere" / "r.json", [])
    assert str(raised.value) == f"cannot write the report {tmp_path / 'nowhere' / 'r.json'}: No such file or directory"
