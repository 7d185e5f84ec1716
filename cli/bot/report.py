"""A bot's summary as a person reads it, and as JSON for a file."""

from __future__ import annotations

import os
import textwrap
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from cli.output import cells
from cli.screen.drawing import sparkline
from cli.settings.whole_files import write_whole
from venues.errors import SetupError, UsageError
from venues.toolkit.written import Writer, WrittenDecimal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cli.bot.summary import Costs, Figures, MarketSummary, Point, Summary

PLACES = 8  # of figures in the file
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_COLUMNS = ("signals", "held", "return %", "fall %", "exposure", "hit %", "of")
_SPARKS = 60
COLUMNS = 75  # what is left of 80 where the words begin


# --- for a person --------------------------------------------------------------------------------------------------


def words(summary: Summary, *, blocks: bool | None) -> str:
    """The summary in lines for 80 columns; of a run without position signals one line, which says so.

    `blocks` is whether curves are drawn with block characters; None: they are not drawn.
    """
    signalled = [one for one in summary.markets if one.both.signals]
    if not signalled:
        return _headline(summary)
    lines = [_headline(summary)]
    for one in signalled:
        lines += _table([[str(one.market), *_COLUMNS], *_rows(one)])
        if blocks is not None and len(one.curve) > 1:
            lines.append(f"  return  {_curve(one.curve, blocks)}")
        lines += _remarks(one)
    return "\n".join(lines + _assumptions(summary))


def _headline(summary: Summary) -> str:
    signals = sum(one.both.signals for one in summary.markets)
    others = sum(one.others for one in summary.markets)
    parts = [_many(signals, "position signal")]
    if others:
        parts.append(_many(others, "other signal"))
    if summary.exceptions:
        parts.append(_many(summary.exceptions, "exception"))
    lasted = ""
    if summary.begin is not None and summary.end is not None:
        lasted = f" in {cells.duration(summary.end - summary.begin)}"
    return f"{summary.name}: {', '.join(parts)}{lasted}"


def _many(count: int, name: str) -> str:
    return f"{count:,} {name}" if count == 1 else f"{count:,} {name}s"


def _rows(summary: MarketSummary) -> list[list[str]]:
    sides = [[f"  {side}", *_row(one)] for side, one in summary.sides.items()]
    return [["  both sides", *_row(summary.both)], *sides]


def _row(figures: Figures) -> list[str]:
    rate = figures.hit_rate_pct
    return [
        f"{figures.signals:,}",
        cells.duration(figures.in_position_ms),
        _signed(figures.return_pct, 3),
        _rounded(figures.drawdown_pct, 3),
        _rounded(figures.exposure, 3),
        cells.ABSENT if rate is None else _rounded(rate, 1),
        f"{figures.round_trips:,}",
    ]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if place == 0 else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _curve(points: Sequence[Point], blocks: bool) -> str:
    """The return at equal times; between two points the one before counts."""
    begin, end = points[0].at, points[-1].at
    values: list[Decimal] = []
    place = 0
    for number in range(_SPARKS):
        at = begin + (end - begin) * number // (_SPARKS - 1)
        while place + 1 < len(points) and points[place + 1].at <= at:
            place += 1
        values.append(points[place].return_pct)
    return sparkline(values, blocks=blocks)


def _remarks(one: MarketSummary) -> list[str]:
    """What a reader of the figures must know besides."""
    said = []
    if one.both.marked:
        said.append(f"{one.both.marked:,} marked, since a market was not live or the data was old: not filled")
    if one.both.missed:
        said.append(f"{one.both.missed:,} missed: no price came before the next signal or the end")
    if one.open_size:
        said.append(f"{one.open_size:f} is still held")
    if one.exceptions:
        said.append(f"{_many(one.exceptions, 'exception')} in its callbacks")
    return [f"  {text}" for text in said]


def _assumptions(summary: Summary) -> list[str]:
    by = {one.filled_by for one in summary.markets if one.both.signals}
    how = {
        "quotes": "the first quote after it (ask to buy, bid to sell)",
        "trades": "the price of the next trade",
    }
    filled = " or ".join(text for name, text in how.items() if name in by)
    text = (
        f"assumed: each signal is filled whole by {filled}; a constant notional, no compounding; "
        f"{_costs(summary.costs)}; what is held at the end is valued at the last price; no order moves a market"
    )
    return textwrap.wrap(text, COLUMNS)


def _costs(costs: Costs) -> str:
    return f"fees {costs.fee_bps:f} bps, slippage {costs.slippage_bps:f} bps"


def _rounded(value: Decimal, places: int) -> str:
    rounded = value.quantize(Decimal(f"1e-{places}"), context=_CONTEXT)
    return f"{rounded if rounded else rounded.copy_abs():f}"


def _signed(value: Decimal, places: int) -> str:
    text = _rounded(value, places)
    return f"+{text}" if Decimal(text) > 0 else text


# --- for a file ----------------------------------------------------------------------------------------------------


def check_report(path: Path) -> None:
    """Check, before a run that may take days, that its report can be written.

    Raises:
        UsageError: something other than a file has that name, such as a folder or a device.
        SetupError: its folder is not there, or cannot be written.
    """
    if path.exists() and not path.is_file():
        raise UsageError(f"expected a file as --report, which is replaced as a whole, got {path}")
    folder = path.resolve().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise SetupError(f"cannot write the report {path}: expected a folder that is there and can be written")


def write(path: Path, summaries: Sequence[Summary]) -> None:
    """Put the summaries into a file, in the place of what was there; where that is a link, of what it leads to.

    Raises:
        SetupError: it cannot be written.
    """
    content = Writer().encode({"type": "bot_report", "scripts": [as_json(summary) for summary in summaries]})
    try:
        write_whole(path.resolve(), msgspec.json.format(content, indent=2) + b"\n")
    except OSError as error:
        raise SetupError(f"cannot write the report {path}: {error.strerror}") from error


def as_json(summary: Summary) -> dict[str, Any]:
    """A summary with names and units as the README has them; figures have at most eight decimal places."""
    return {
        "strategy": summary.name,
        "begin": summary.begin,
        "end": summary.end,
        "exceptions": summary.exceptions,
        "assumptions": {
            "notional": "constant",
            "compounding": False,
            "fee_bps": WrittenDecimal(f"{summary.costs.fee_bps:f}"),
            "slippage_bps": WrittenDecimal(f"{summary.costs.slippage_bps:f}"),
            "open_position": "at the last price",
        },
        "markets": [_market_as_json(one) for one in summary.markets],
    }


def _market_as_json(one: MarketSummary) -> dict[str, Any]:
    return {
        "venue": one.market.venue,
        "symbol": one.market.symbol,
        "filled_by": "first quote after" if one.filled_by == "quotes" else "next trade",
        "open_size": _figure(one.open_size),
        "other_signals": one.others,
        "exceptions": one.exceptions,
        **_figures_as_json(one.both),
        **{side: _figures_as_json(figures) for side, figures in one.sides.items()},
        "curve": [{"time": point.at, "return_pct": _figure(point.return_pct)} for point in one.curve],
    }


def _figures_as_json(figures: Figures) -> dict[str, Any]:
    rate = figures.hit_rate_pct
    return {
        "signals": figures.signals,
        "missed": figures.missed,
        "marked": figures.marked,
        "in_position_ms": figures.in_position_ms,
        "return_pct": _figure(figures.return_pct),
        "drawdown_pct": _figure(figures.drawdown_pct),
        "exposure": _figure(figures.exposure),
        "round_trips": figures.round_trips,
        "hits": figures.hits,
        "hit_rate_pct": None if rate is None else _figure(rate),
    }


def _figure(value: Decimal) -> WrittenDecimal:
    return WrittenDecimal(_rounded(value, PLACES).rstrip("0").rstrip("."))
