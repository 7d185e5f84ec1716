"""`mon config init|show|path|check`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import SETUP, redactor_of_run
from cli.output.lines import Words, print_out
from cli.settings import config, config_text
from venues.errors import UsageError

EXAMPLES = """\b
Examples:
  mon config check
  mon config check --connect
  mon config check --connect kraken woox
"""

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Make, show or check the configuration."
)


@app.command()
def init() -> None:
    """Write a config file with everything commented out, readable by you only."""
    print_out(str(config_text.write_template(Words().say)))


@app.command()
def show() -> None:
    """The configuration without its secrets."""
    print_out(config_text.shown(config.load(), Words().say))


@app.command()
def path() -> None:
    """Where the config file is, or would be."""
    print_out(str(config.config_path()))


def complete_venue(incomplete: str) -> list[str]:
    """All venues, of plug-ins too."""
    from cli.run.options import with_plugins
    from venues import VENUES

    return [name for name in with_plugins([*VENUES]) if name.startswith(incomplete)]


@app.command(epilog=EXAMPLES)
def check(
    venues: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="VENUE",
            help="With --connect: only these venues.",
            autocompletion=complete_venue,
            show_default=False,
        ),
    ] = None,
    connect: Annotated[
        bool, typer.Option("--connect", help="Dial each venue that has all it needs, 10 s at most; a line each.")
    ] = False,
) -> None:
    """For each venue and environment: what is set, from where, and what is missing."""
    if connect:
        from cli.commands import config_connect
        from cli.output.lines import prints_go_to_stderr

        with prints_go_to_stderr():
            code = config_connect.check(config.load(), venues or (), redactor_of_run(), Words().say)
        raise typer.Exit(code)
    if venues:
        raise UsageError(f"expected --connect before the names of venues, got {venues[0]} alone")
    from cli.commands import config_check

    lines, sound = config_check.check(config.load(), Words().say)
    print_out("\n".join(lines))
    if not sound:
        raise typer.Exit(SETUP)
