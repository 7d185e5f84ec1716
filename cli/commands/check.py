"""`mon check`: is a stream there, and are conditions true of it; for monitoring systems, in one line."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.errors import redactor_of_run, without_secrets
from cli.run.options import complete_environment, complete_field, complete_symbol, venue_quietly, with_plugins
from cli.run.values import DurationParser
from cli.run.venue_options import GIVEN, VenueOptionsCommand
from venues import has_venue, venue_names, venues_with
from venues.errors import MonError, UsageError
from venues.streams import STREAMS

if TYPE_CHECKING:
    from cli.output.verdicts import Verdict

EXAMPLES = """\b
Examples:
  mon check quotes kraken BTC/USD -w 'spread_bps > 5' -c 'spread_bps > 20' --env sim
  mon check margin b2trader -w 'level_pct < 300' -c 'level_pct < 200' --for 5s --env sim
  mon check balance b2trader --format prometheus --outfile /var/lib/node_exporter/mon.prom

\b
Exit codes: 0 OK, 1 WARNING, 2 CRITICAL (also: unreachable, or no data in time), 3 UNKNOWN (also: refused, usage,
configuration, an operand that is absent).
"""
UNKNOWN = 3
TIMEOUT_MS = 10_000


class _FileError(MonError):
    """The file of --outfile cannot be written."""


class CheckCommand(VenueOptionsCommand):
    """Whatever is wrong with the command line is UNKNOWN, as the guidelines want it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the line. An error knows how it is told: see `cli.main`."""
        given = [*args]  # the parser takes words out of its list
        try:
            return super().parse_args(ctx, args)
        except (typer.TyperException, MonError) as error:
            error.tells = partial(_refused, error, given)  # type: ignore[union-attr]
            raise


def _refused(error: Exception, given: list[str]) -> int:
    """Say that the line cannot be parsed; the exit code."""
    message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
    stream, venue = next((pair for pair in pairwise(given) if pair[0] in STREAMS and has_venue(pair[1])), ("check", ""))
    _tell_unknown(
        message.replace(": Value error, ", ": "),
        _value_in(given, "--format"),
        _value_in(given, "--outfile"),
        stream=stream,
        venue=venue,
        env=_label(venue, *(_value_in(given, option) for option in ("--env", "--profile", "--replay"))),
    )
    return UNKNOWN


COMMAND = CheckCommand


def complete_stream(incomplete: str) -> list[str]:
    """The streams."""
    return [name for name in STREAMS if name.startswith(incomplete)]


def complete_venue(ctx: typer.Context, incomplete: str) -> list[str]:
    """The venues that have the stream that was typed."""
    stream = ctx.params.get("stream")
    known = venues_with(stream) if stream in STREAMS else venue_names()
    return [name for name in with_plugins(known) if name.startswith(incomplete)]


def complete_symbols(ctx: typer.Context, incomplete: str) -> list[str]:
    """The venue's symbols as far as they are known."""
    venue = venue_quietly(ctx.params.get("venue") or "")
    if venue is None:
        return []
    ctx.info_name = ctx.params.get("stream")
    return complete_symbol(ctx, incomplete)


def check(
    ctx: typer.Context,
    stream: Annotated[
        str,
        typer.Argument(
            metavar="STREAM", help=f"One of: {', '.join(STREAMS)}.", autocompletion=complete_stream, show_default=False
        ),
    ],
    venue: Annotated[
        str, typer.Argument(metavar="VENUE", help="One that has it.", autocompletion=complete_venue, show_default=False)
    ],
    symbols: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SYMBOL", help="The venue's own spelling.", autocompletion=complete_symbols, show_default=False
        ),
    ] = None,
    warn: Annotated[
        str | None,
        typer.Option("--warn", "-w", metavar="EXPR", autocompletion=complete_field, help="WARNING when it is true."),
    ] = None,
    crit: Annotated[
        str | None,
        typer.Option("--crit", "-c", metavar="EXPR", autocompletion=complete_field, help="CRITICAL when it is true."),
    ] = None,
    max_age: Annotated[
        int | None,
        typer.Option(parser=DurationParser(), metavar="DURATION", help="Data older than this does not count."),
    ] = None,
    timeout: Annotated[
        int | None,
        typer.Option(parser=DurationParser(), metavar="DURATION", help="For a complete state (10s)."),
    ] = None,
    lasting: Annotated[
        int | None,
        typer.Option(
            "--for", parser=DurationParser(), metavar="DURATION", help="Only what is true on every record for so long."
        ),
    ] = None,
    form: Annotated[
        Literal["nagios", "json", "prometheus"], typer.Option("--format", help="Of the line, or of --outfile.")
    ] = "nagios",
    outfile: Annotated[
        Path | None, typer.Option(help="Write it into this file, as a whole; the line is on stdout all the same.")
    ] = None,
    dead: Annotated[
        Literal["critical", "unknown"], typer.Option(help="What unreachable, and no data in time, are.")
    ] = "critical",
    depth: Annotated[int | None, typer.Option(min=1, max=1_000_000, help="Levels a side of a book (20).")] = None,
    interval: Annotated[str | None, typer.Option(help="A candle's length, such as 1m.")] = None,
    env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The venue's environment.", autocompletion=complete_environment),
    ] = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME", help="A profile of the config file.")] = None,
    replay: Annotated[Path | None, typer.Option(help="Check a recording instead of connecting.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Errors with their traceback.")] = False,
) -> None:
    """Check a stream for a monitoring system: one line, exit code 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN."""
    label = partial(_label, venue, env, profile, replay)
    given = {"depth": depth, "interval": interval, "env": env, "profile": profile, "replay": replay, "max_age": max_age}
    try:
        made = _checked(
            stream, venue, symbols, {**given, "own": ctx.meta[GIVEN]},
            warn=warn, crit=crit, timeout=timeout, lasting=lasting, dead=2 if dead == "critical" else UNKNOWN,
        )  # fmt: skip
        _tell(made, form, outfile)
    except (MonError, OSError) as error:
        _tell_unknown(str(error), form, outfile, stream=stream, venue=venue, env=label())
        raise typer.Exit(UNKNOWN) from None
    except KeyboardInterrupt:
        _tell_unknown("interrupted", form, outfile, stream=stream, venue=venue, env=label())
        raise typer.Exit(UNKNOWN) from None
    except Exception as error:
        if verbose:
            import traceback

            sys.stderr.write(without_secrets(traceback.format_exc()))
        _tell_unknown(f"{type(error).__name__}: {error}", form, outfile, stream=stream, venue=venue, env=label())
        raise typer.Exit(UNKNOWN) from None
    raise typer.Exit(made.state)


def _checked(
    stream: str,
    venue: str,
    symbols: list[str] | None,
    given: dict[str, Any],
    *,
    warn: str | None,
    crit: str | None,
    timeout: int | None,
    lasting: int | None,
    dead: int,
) -> Verdict:
    from cli.interrupts import run_loop
    from cli.output.conditions import condition
    from cli.output.lines import prints_go_to_stderr
    from cli.run.asked import asked_for
    from cli.run.checking import Check
    from cli.run.conditioned import fields_for
    from cli.run.options import StreamRequest, applies
    from venues.recording import Recording

    if stream not in STREAMS:
        raise UsageError(f'expected a stream ({", ".join(STREAMS)}), got "{stream}"')
    for option in ("depth", "interval"):
        if given[option] is not None and not applies(option, stream):
            raise UsageError(f"--{option} does not apply to {stream}")
    for option in ("env", "profile"):
        if given["replay"] is not None and given[option] is not None:
            raise UsageError(f"--{option} does not apply to --replay, which makes no connection")
    speed = None if given["replay"] is None else float("inf")
    request = StreamRequest(venue=venue, symbols=symbols, retries=0, speed=speed, **given)
    request.stream = stream
    recording = None if request.replay is None else Recording(request.replay)
    found, subscription = asked_for(request, recording)
    fields = fields_for(request, subscription, as_table=False)
    compiled = [
        None if text is None else condition(text, fields, option) for text, option in ((warn, "-w"), (crit, "-c"))
    ]
    once_within = found.streams[stream].once_within
    within = timeout / 1000 if timeout else max(TIMEOUT_MS / 1000, once_within if once_within > 30 else 0.0)
    made = Check(
        request,
        found,
        subscription,
        recording,
        fields,
        redactor_of_run(),
        warn=compiled[0],
        crit=compiled[1],
        timeout=within,
        lasting=(lasting or 0) / 1000,
        dead=dead,
    )
    with prints_go_to_stderr():
        return run_loop(made.verdict())


def _tell(made: Verdict, form: str, outfile: Path | str | None) -> None:
    """Write the verdict: into the file, if one is asked for, and on stdout.

    Raises:
        _FileError: the file cannot be written.
        OutputError: stdout cannot.
        ReaderGone: nobody reads stdout any more.
    """
    from cli.output.cells import harmless_json
    from cli.output.lines import STDOUT, is_terminal, print_out
    from cli.output.verdicts import in_format, nagios

    made.text = without_secrets(made.text)
    for row in made.rows:
        row.why = without_secrets(row.why)
    text = without_secrets(in_format(made, form, round(time.time() * 1000))).removesuffix("\n")
    if outfile is None:
        to_terminal = form == "json" and is_terminal(STDOUT)  # the others are harmless in any case
        print_out(harmless_json(text) if to_terminal else text)
        if form == "prometheus" and not made.live:
            sys.stderr.write(f"mon: {without_secrets(nagios(made))}\n")  # metrics have no words
        return
    from cli.settings.whole_files import write_whole

    try:
        write_whole(Path(outfile), f"{text}\n".encode(errors="replace"), mode=0o644)
    except OSError as error:
        raise _FileError(f"cannot write {outfile}: {error.strerror or error}") from None
    print_out(without_secrets(nagios(made)))


def _tell_unknown(
    words: str,
    form: str | None,
    outfile: Path | str | None,
    *,
    stream: str = "check",
    venue: str = "",
    env: str | None = None,
) -> None:
    """Say UNKNOWN with the reason, in the format that was asked for; also into the file, as far as that goes."""
    from cli.output.lines import OutputError, ReaderGone
    from cli.output.verdicts import Verdict

    made = Verdict(stream if stream in STREAMS else "check", venue, env, None, state=UNKNOWN)
    made.text = " ".join(words.split("\n  ")[0].split())
    known = form if form in ("nagios", "json", "prometheus") else "nagios"
    try:
        try:
            _tell(made, known, outfile)
        except _FileError as error:
            made.text = "; ".join(dict.fromkeys((made.text, str(error))))
            _tell(made, known, None)
    except (OutputError, ReaderGone) as error:
        if isinstance(error, OutputError):
            sys.stderr.write(f"mon: {without_secrets(str(error))}\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _label(venue: str, env: str | None, profile: str | None, replay: object) -> str | None:
    """The label that the records would have, as far as it can be told without opening anything."""
    from cli.settings import config

    if replay is not None:
        return "replay"
    known = venue_quietly(venue)
    if known is None:
        return env
    try:
        return config.load().address(known, None if env == config.SIM else env, profile)[1] or env
    except MonError:
        return env


def _value_in(args: list[str], option: str) -> str | None:
    """The value of an option in a line that cannot be parsed."""
    for at, word in enumerate(args):
        if word.startswith(f"{option}="):
            return word.removeprefix(f"{option}=")
        if word == option and at + 1 < len(args):
            return args[at + 1]
    return None
