"""`mon send`: a trading signal to a hub, once, and only after it was shown and confirmed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from cli.errors import redactor_of_run
from cli.interrupts import run_loop
from cli.output.lines import STDERR, STDIN, Words, is_terminal
from cli.run.options import complete_environment
from cli.run.values import DurationParser
from venues import has_venue, venue_named, venues_taking
from venues.errors import UsageError

EXAMPLES = """\b
Examples:
  mon send nbt buy --pair BTCUSDT --strategy trend --price 9264.13
  mon send nbt sell --pair BTCUSDT --strategy trend --yes | jq .sent
  mon send nbt --stdin --yes < signals.jsonl
"""

VENUES_WITH_COMMANDS = venues_taking()
CONNECT_TIMEOUT_MS = 15_000

Fields = dict[str, Any]


def _complete_venue(incomplete: str) -> list[str]:
    return [name for name in VENUES_WITH_COMMANDS if name.startswith(incomplete)]


def send(
    venue: Annotated[
        str,
        typer.Argument(
            metavar="VENUE",
            help=f"One of: {', '.join(VENUES_WITH_COMMANDS)}.",
            autocompletion=_complete_venue,
            show_default=False,
        ),
    ],
    kind: Annotated[
        Literal["buy", "sell", "traded-buy", "traded-sell"] | None,
        typer.Argument(metavar="KIND", help="What is signalled; with --stdin each line says it.", show_default=False),
    ] = None,
    pair: Annotated[str | None, typer.Option(help="The pair, as the hub spells it: BTCUSDT.")] = None,
    strategy: Annotated[str | None, typer.Option(help="The strategy's name at the hub.")] = None,
    price: Annotated[str | None, typer.Option(metavar="NUMBER", help="buy, sell: the price.")] = None,
    message: Annotated[str | None, typer.Option(help="buy: any text.")] = None,
    stop_profit: Annotated[str | None, typer.Option(metavar="PERCENT", help="buy: take the profit there.")] = None,
    stop_loss: Annotated[str | None, typer.Option(metavar="PERCENT", help="buy: stop the loss there.")] = None,
    strategy_id: Annotated[str | None, typer.Option(help="traded-…: the strategy's id at the hub.")] = None,
    trading_type: Annotated[str | None, typer.Option(help="traded-…: as the hub's user_payload has it.")] = None,
    qty: Annotated[str | None, typer.Option(metavar="NUMBER", help="traded-…: the quantity.")] = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Signals as JSON lines on stdin, each answered by a line on stdout.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Send without asking.")] = False,
    timeout: Annotated[
        int,
        typer.Option(
            parser=DurationParser(),
            metavar="DURATION",
            help="For the hub to let us in; 15s unless said otherwise.",
            show_default=False,
        ),
    ] = CONNECT_TIMEOUT_MS,
    env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The hub's environment; sim: the simulator inside mon.",
            autocompletion=complete_environment,
        ),
    ] = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME", help="A profile of the config file.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Errors with their traceback.")] = False,
) -> None:
    """Send a trading signal to a hub."""
    from cli.run.desk import Desk, send_lines

    fields: Fields = {
        "pair": pair,
        "strategy": strategy,
        "price": price,
        "message": message,
        "stop_profit": stop_profit,
        "stop_loss": stop_loss,
        "strategy_id": strategy_id,
        "trading_type": trading_type,
        "qty": qty,
    }
    takes_signals = venue in VENUES_WITH_COMMANDS or (has_venue(venue) and venue_named(venue).commands is not None)
    if not takes_signals:
        raise UsageError(f'expected a venue that takes signals ({", ".join(VENUES_WITH_COMMANDS)}), got "{venue}"')
    desk = Desk(venue, env, profile, timeout / 1000, Words(quiet=quiet), redactor_of_run())
    if stdin:
        _check_stdin(kind, fields, yes=yes)
        raise typer.Exit(run_loop(desk.run(lambda: send_lines(desk))))
    if kind is None:
        raise UsageError(f"expected what to signal: mon send {venue} buy, sell, traded-buy or traded-sell (or --stdin)")
    command = desk.commands.command(kind, fields)
    if not yes and not (is_terminal(STDIN) and is_terminal(STDERR)):
        raise UsageError("expected --yes, since there is no terminal to ask on; nothing was sent")
    raise typer.Exit(run_loop(desk.run(lambda: desk.send_one(kind, command, yes=yes))))


def _check_stdin(kind: str | None, fields: Fields, *, yes: bool) -> None:
    given = [f"--{name.replace('_', '-')}" for name, value in fields.items() if value is not None]
    if kind is not None:
        given.insert(0, kind)
    if given:
        raise UsageError(f"expected --stdin or {given[0]}, got both; with --stdin the lines say what is sent")
    if not yes:
        raise UsageError("expected --yes with --stdin, which cannot ask; nothing was sent")
