"""`mon symbols`: the symbols that a venue has, from its own list."""

from __future__ import annotations

import fnmatch
import random
import shutil
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.errors import INTERRUPTED, NoDataError, redactor_of_run
from cli.run.options import (
    DurationParser,
    Format,
    complete_environment,
    duration_ms,
    with_plugins,
)
from venues import VENUES, venue_named
from venues.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.output.lines import Words
    from cli.run.source import Embedded
    from cli.settings.config import Access
    from venues.listing import Listing
    from venues.records import Instrument
    from venues.redaction import Redactor
    from venues.venue import SymbolList, Venue

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

    stopped: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def stop(code: int) -> None:
        if not stopped.done():
            stopped.set_result(code)

    embedded = Embedded()
    with asked_to_end(stop):
        if has_come():
            return INTERRUPTED
        listing = asyncio.create_task(_list(venue, env, profile, timeout_ms, words, redactor, embedded))
        try:
            await asyncio.wait((listing, stopped), return_when=asyncio.FIRST_COMPLETED)
            return stopped.result() if stopped.done() else listing.result()
        finally:
            stopped.cancel()
            listing.cancel()
            await asyncio.gather(listing, return_exceptions=True)
            await embedded.close()


async def _list(
    venue: Venue,
    env: str | None,
    profile: str | None,
    timeout_ms: int,
    words: Words,
    redactor: Redactor,
    embedded: Embedded,
) -> list[Instrument]:
    from cli.run.source import access_for_symbols, access_to
    from cli.settings.config import SIM
    from venues.listing import NotInTimeError, has_list, without_request

    if not has_list(venue) and not (env == SIM and _markets(venue)):
        raise _no_list(venue)
    access = await access_for_symbols(venue, env, profile, embedded, words.say)
    listed = venue.symbol_list(access.settings)
    if listed is None:
        if env == SIM and (markets := _markets(venue)):
            return _listing(venue, access, redactor).checked(markets)
        raise _no_list(venue)
    if not access.settings.url:  # none is set and none built in, which is no matter where nobody has to be asked
        found = without_request(listed)
        if found is not None:
            return _listing(venue, access, redactor).checked(found)
        access = await access_to(venue, env, profile, embedded, words.say)  # says what is to be set
        listed = venue.symbol_list(access.settings)
        assert listed is not None, "it was there without an address"
    access = await _with_secrets(access, listed, venue, env, profile, embedded, words)
    try:
        return await _listing(venue, access, redactor).instruments(listed, within=timeout_ms / 1000)
    except NotInTimeError as error:
        raise NoDataError(str(error)) from None


async def _with_secrets(
    access: Access,
    listed: SymbolList,
    venue: Venue,
    env: str | None,
    profile: str | None,
    embedded: Embedded,
    words: Words,
) -> Access:
    """A connection of a venue without public streams needs the venue's secrets; requests never do."""
    from collections.abc import Generator

    from cli.run.source import access_to

    public = [name for name, offer in venue.streams.items() if offer.public]
    if isinstance(listed, Generator) or public or not venue.secrets:
        return access
    return await access_to(venue, env, profile, embedded, words.say)


def _listing(venue: Venue, access: Access, redactor: Redactor) -> Listing:
    from cli.version import USER_AGENT
    from venues.connection import SystemClock
    from venues.fetching import shared_fetcher
    from venues.listing import Listing

    clock = SystemClock()
    return Listing(
        venue,
        access.settings,
        clock=clock,
        random=random.random,
        redactor=redactor,
        fetcher=shared_fetcher(
            venue.name, venue.requests_per_second, now=clock.now, sleep=clock.sleep, user_agent=USER_AGENT
        ),
        fetch_secrets=access.fetch,
        proxy=access.proxy,
        rest_proxy=access.rest_proxy,
        user_agent=USER_AGENT,
    )


def _markets(venue: Venue) -> list[Instrument]:
    """The markets of the venue's simulator; none where its names are topics, or where it has no simulator."""
    from venues.records import Instrument
    from venues.simulated import markets

    if not venue.simulator or not any(offer.symbols in ("one", "many") for offer in venue.streams.values()):
        return []
    return [Instrument(venue=venue.name, symbol=symbol, received=0) for symbol in markets(venue.name)]


def _no_list(venue: Venue) -> UsageError:
    from cli.settings.config import SIM
    from venues.listing import has_list

    with_list = [name for name in VENUES if name != venue.name and has_list(venue_named(name))]
    others = f"expected a venue that has one ({', '.join(with_list)})" if with_list else "no venue has one"
    simulated = f"; --env {SIM} lists the markets of its simulator" if _markets(venue) else ""
    return UsageError(f"{venue.name} has no list of its symbols: {others}{simulated}")


def _print(found: Sequence[Instrument], output: Format, redactor: Redactor, *, numbers_as_strings: bool) -> None:
    from cli.output.lines import STDOUT, CsvLines, JsonLines, draws_table, is_terminal, print_out
    from venues.records import Instrument

    if draws_table(output):
        print_out("\n".join(table(found, shutil.get_terminal_size((80, 24)).columns)))
        return
    to_terminal = is_terminal(STDOUT)
    if output == "csv":
        rows = CsvLines(Instrument, to_terminal=to_terminal, redactor=redactor)
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
