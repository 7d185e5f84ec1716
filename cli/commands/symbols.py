"""`mon symbols`: the symbols that a venue has, from its own list."""

from __future__ import annotations

import fnmatch
import shutil
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.errors import INTERRUPTED, NoDataError, redactor_of_run
from cli.run.options import (
    Format,
    complete_environment,
    venue_quietly,
    with_plugins,
)
from cli.run.values import DurationParser, duration_ms
from venues import VENUES, venue_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.output.lines import Words
    from cli.run.symbol_lists import Lists
    from venues.records import Instrument
    from venues.redaction import Redactor
    from venues.venue import Venue

EXAMPLES = """\b
Examples:
  mon symbols nexus --env sim
  mon symbols nexus btc --env sim -o jsonl | jq -r .symbol
  mon symbols nexus 'SPOT_*' --env sim -o csv
"""
TIMEOUT = "10s"


def complete_venue(incomplete: str) -> list[str]:
    """All venues: which of them have a list is known only once they are loaded."""
    return [name for name in with_plugins([*VENUES]) if name.startswith(incomplete)]


def complete_pattern(ctx: typer.Context, incomplete: str) -> list[str]:
    """The venue's symbols, as far as they are known; none of a venue that has no list to be filtered."""
    from cli.run.known_symbols import completed_symbols, lists_symbols

    env = ctx.params.get("env")
    venue = venue_quietly(ctx.params.get("venue") or "")
    if venue is None or not lists_symbols(venue, env):
        return []
    return completed_symbols(venue, env, ctx.params.get("profile"), incomplete)


def symbols(
    venue: Annotated[
        str,
        typer.Argument(
            metavar="VENUE",
            help=f"One of: {', '.join(VENUES)}.",
            autocompletion=complete_venue,
            show_default=False,
        ),
    ],
    pattern: Annotated[
        str | None,
        typer.Argument(
            metavar="PATTERN",
            help="Only symbols with this text in them, in any case; with * and ? the whole symbol: 'SPOT_*'.",
            autocompletion=complete_pattern,
            show_default=False,
        ),
    ] = None,
    env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The venue's environment (production, staging, …); sim: the simulator inside mon.",
            autocompletion=complete_environment,
        ),
    ] = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME", help="A profile of the config file.")] = None,
    timeout: Annotated[
        int | None,
        typer.Option(
            parser=DurationParser(),
            metavar="DURATION",
            help=f"End with exit code 6 if the list is not there by then ({TIMEOUT}).",
        ),
    ] = None,
    output: Annotated[
        Format, typer.Option("--output", "-o", help="auto: a table on a terminal, JSON lines elsewhere.")
    ] = "auto",
    numbers: Annotated[
        Literal["number", "string"], typer.Option(help="How JSON lines carry the steps of prices and sizes.")
    ] = "number",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Errors with their traceback.")] = False,
) -> None:
    """The symbols that a venue has, from its own list."""
    from cli.interrupts import run_loop
    from cli.output.lines import Words

    words, redactor = Words(quiet=quiet), redactor_of_run()
    wanted = venue_named(venue)
    found = run_loop(_found(wanted, env, profile, timeout or duration_ms(TIMEOUT), words, redactor))
    if isinstance(found, int):
        raise typer.Exit(found)
    matching = [one for one in found if pattern is None or matches(one.symbol or "", pattern)]
    _print(matching, output, redactor, numbers_as_strings=numbers == "string")
    if not matching:
        fitting = f' that fits "{pattern}" ({len(found):,} are listed)' if found else ""
        words.say(f"{venue} lists no symbol{fitting}")


def matches(symbol: str, pattern: str) -> bool:
    """Whether a symbol has the text in it, in any case; a pattern with `*` or `?` must fit all of the symbol."""
    symbol, pattern = symbol.casefold(), pattern.casefold()
    if "*" in pattern or "?" in pattern:
        return fnmatch.fnmatchcase(symbol, pattern.replace("[", "[[]"))
    return pattern in symbol


async def _found(
    venue: Venue, env: str | None, profile: str | None, timeout_ms: int, words: Words, redactor: Redactor
) -> list[Instrument] | int:
    """The list; an exit code where a signal came first."""
    import asyncio

    from cli.interrupts import asked_to_end, has_come
    from cli.run.source import Embedded
    from cli.run.symbol_lists import Lists

    stopped: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def stop(code: int) -> None:
        if not stopped.done():
            stopped.set_result(code)

    embedded = Embedded()
    with asked_to_end(stop):
        if has_come():
            return INTERRUPTED
        lists = Lists(env, profile, redactor, embedded, words.say)
        listing = asyncio.create_task(_list(lists, venue, timeout_ms))
        try:
            await asyncio.wait((listing, stopped), return_when=asyncio.FIRST_COMPLETED)
            return stopped.result() if stopped.done() else listing.result()
        finally:
            stopped.cancel()
            listing.cancel()
            await asyncio.gather(listing, return_exceptions=True)
            await embedded.close()


async def _list(lists: Lists, venue: Venue, timeout_ms: int) -> list[Instrument]:
    from venues.listing import NotInTimeError

    try:
        return await lists.of(venue, timeout_ms / 1000)
    except NotInTimeError as error:
        raise NoDataError(str(error)) from None


def _print(found: Sequence[Instrument], output: Format, redactor: Redactor, *, numbers_as_strings: bool) -> None:
    from cli.output.columns import CsvLines
    from cli.output.lines import STDOUT, JsonLines, draws_table, is_terminal, print_out
    from venues.records import Instrument

    if draws_table(output):
        print_out("\n".join(table(found, shutil.get_terminal_size((80, 24)).columns)))
        return
    to_terminal = is_terminal(STDOUT)
    if output in ("csv", "tsv"):
        rows = CsvLines(Instrument, to_terminal=to_terminal, redactor=redactor, tabs=output == "tsv")
        rows.write(found)
        rows.close()
    elif found:
        JsonLines(numbers_as_strings=numbers_as_strings, to_terminal=to_terminal, redactor=redactor).write(found)


def table(found: Sequence[Instrument], width: int) -> list[str]:
    """The lines of the table: a title, and one a symbol, none wider than `width`."""
    from cli.output import cells
    from cli.screen.grid import Column, lay_out

    def words(name: str) -> list[str]:
        return [cells.harmless(text) if (text := getattr(one, name)) else cells.ABSENT for one in found]

    def steps(name: str) -> list[str]:
        return cells.column([getattr(one, name) for one in found])

    columns = [
        Column("symbol", words("symbol"), "left", keep=9, is_text=True, shortest=24),
        Column("base", words("base"), "left", keep=4, is_text=True, shortest=8),
        Column("quote", words("quote"), "left", keep=4, is_text=True, shortest=8),
        Column("kind", words("kind"), "left", keep=3, is_text=True, shortest=8),
        Column("price step", steps("price_step"), keep=6, is_figure=True),
        Column("size step", steps("size_step"), keep=5, is_figure=True),
        Column("status", words("status"), "left", keep=7, is_text=True, shortest=10),
    ]
    used = [columns[0], *(one for one in columns[1:] if {cell.strip() for cell in one.cells} - {cells.ABSENT})]
    return [line.plain.rstrip() for line in lay_out(used, width)]
