"""`mon dash`: book, trades, orders, positions, balance and margin of a venue on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cli.errors import redactor_of_run
from cli.run.options import StreamRequest, options_of_dash, take_options, venue_quietly, with_plugins
from cli.views.panes import PANES
from venues import venues_with

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = """\b
Examples:
  mon dash nexus SPOT_BTC_USDT --env sim
  mon dash b2trader spot.btc_usdt
  mon dash b2trader
  mon dash nexus SPOT_BTC_USDT --record desk.jsonl.gz
  mon replay desk.jsonl.gz --speed 10

\b
Keys:
  Tab, Shift-Tab, 1-5  the next pane, the one before, the one with that number
  z or Enter           the pane alone on the screen, and back
  space                freeze all panes, go on
  ?                    the other keys, q quits
"""


def complete_venue(incomplete: str) -> list[str]:
    """The venues that have a stream that a dashboard shows."""
    return [name for name in with_plugins(venues_with(*PANES)) if name.startswith(incomplete)]


def complete_symbol(ctx: typer.Context, incomplete: str) -> list[str]:
    """The venue's symbols as far as they are known, where any of the streams takes a symbol."""
    venue = venue_quietly(ctx.params.get("venue") or "")
    if venue is None or all(venue.streams[stream].symbols == "none" for stream in PANES if stream in venue.streams):
        return []
    from cli.run.known_symbols import completed_symbols

    return completed_symbols(venue, ctx.params.get("env"), ctx.params.get("profile"), incomplete)


def dash(**given: Any) -> None:
    """Book, trades, orders, positions, balance and margin of a venue on one screen, as far as the venue has them.

    Without a symbol only what needs none is shown. What the venue refuses is CLOSED with the reason while the others
    go on; when nothing is left the exit code is that of the first to end.
    """
    symbol = given.pop("symbols")
    run_dash(StreamRequest(symbols=None if symbol is None else [symbol], **given))


def run_dash(request: StreamRequest) -> NoReturn:
    """Show the dashboard, then end with its exit code."""
    from cli.commands.dash_watch import watch_dash
    from cli.output.lines import Words, prints_go_to_stderr

    with prints_go_to_stderr():
        code = watch_dash(request, Words(quiet=request.quiet), redactor_of_run())
    raise typer.Exit(code)


def run_recorded(file: Path, venue: str, given: dict[str, Any]) -> NoReturn:
    """Play the recording of a dashboard with the options that were `given`.

    Raises:
        UsageError: one of them does not apply.
    """
    from venues.errors import UsageError

    defaults = StreamRequest(venue=venue)
    for name, value in given.items():
        if name not in options_of_dash() and name != "output" and value != getattr(defaults, name):
            raise UsageError(
                f"--{name.replace('_', '-')} does not apply to a dashboard, which {file} is a recording of"
            )
    run_dash(StreamRequest(venue=venue, replay=file, **given))


_venue = Annotated[
    str,
    typer.Argument(
        metavar="VENUE",
        help=f"One of: {', '.join(venues_with(*PANES))}.",
        autocompletion=complete_venue,
        show_default=False,
    ),
]
_symbol = Annotated[
    str | None,
    typer.Argument(
        metavar="SYMBOL",
        help="The venue's own spelling; without it only the panes that need none.",
        autocompletion=complete_symbol,
        show_default=False,
    ),
]
take_options(dash, {"venue": _venue, "symbols": _symbol}, options_of_dash(), {"symbols": None})
