"""`mon config init|show|path|check`."""

from __future__ import annotations

import typer

from cli.errors import SETUP
from cli.output.lines import Words, print_out
from cli.settings import config, config_text

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


@app.command()
def check() -> None:
    """For each venue and environment: what is set, from where, and what is missing."""
    from cli.commands import config_check

    lines, sound = config_check.check(config.load(), Words().say)
    print_out("\n".join(lines))
    if not sound:
        raise typer.Exit(SETUP)
