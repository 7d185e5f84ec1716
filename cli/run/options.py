"""The options that stream commands share, and the request that they make."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping  # noqa: TC003  typer reads it
from dataclasses import dataclass, field, fields
from decimal import Decimal  # noqa: TC003  typer reads it
from functools import cache
from pathlib import Path  # noqa: TC003  typer reads it
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_type_hints

import typer

from cli.run.values import SpeedParser, StepParser, duration, pause
from cli.run.venue_options import GIVEN
from cli.screen.look import Palette  # noqa: TC001  typer reads it
from venues import VENUES, has_venue, venue_named, venue_names, venues_with
from venues.errors import MonError, UsageError
from venues.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from venues.recording_file import Existing
    from venues.venue import Offer, Venue

Format = Literal["auto", "table", "jsonl", "csv", "tsv"]
CONDITIONS = ("where", "until", "on")  # the options that are conditions on records
OF_ON = ("exec", "bell", "rearm", "skip_first", "cooldown", "exec_parallel", "exec_timeout")
CHOICES = ("fields", "template")  # those that choose from them


def complete_environment(ctx: typer.Context, incomplete: str) -> list[str]:
    """The environments of the venue that was typed, `sim` included."""
    name = ctx.params.get("venue")
    known = ["production", "staging", "sim"]
    if name is not None and (venue := venue_quietly(name)) is not None:
        known = [*venue.environments, *(["sim"] if venue.simulator else [])]
    return [environment for environment in known if environment.startswith(incomplete)]


def complete_symbol(ctx: typer.Context, incomplete: str) -> list[str]:
    """The venue's symbols as far as they are known: nobody is asked for them."""
    from cli.run.known_symbols import completed_symbols

    given = ctx.params
    typed = given.get("symbols") or ()
    venue = venue_quietly(given.get("venue") or "")
    offer = None if venue is None else venue.streams.get(ctx.info_name or "")
    if venue is None or offer is None or offer.symbols == "none" or (offer.symbols == "one" and typed):
        return []
    found = completed_symbols(venue, given.get("env"), given.get("profile"), incomplete)
    return [symbol for symbol in found if symbol not in typed]


def complete_field(ctx: typer.Context, incomplete: str) -> list[str]:
    """The fields of the stream's records, for the name that is being typed, at each place where one may stand."""
    before, begun = _name_at_end(incomplete)
    if before and (_OPERAND_NEXT.search(before) is None or _is_in_text(before)):
        return []
    before, begun = (before + PREV, begun.removeprefix(PREV)) if begun.startswith(PREV) else (before, begun)
    return [before + name for name in _fields_of(ctx, begun)]


def complete_field_in_braces(ctx: typer.Context, incomplete: str) -> list[str]:
    """The fields of the stream's records within the braces of a template."""
    before, begun = _name_at_end(incomplete)
    opened = re.search(r"\{*$", before)
    return [before + name for name in _fields_of(ctx, begun)] if opened and len(opened[0]) % 2 else []


PREV = "prev."
_OPERAND_NEXT = re.compile(r"(?:[-+*/<>=(,]|(?:^|[\s(])(?:and|or|not|in)\s)\s*$")


def _name_at_end(text: str) -> tuple[str, str]:
    begun = re.search(r"[\w.\[\]]*$", text)
    assert begun is not None
    return text[: begun.start()], begun[0]


def _is_in_text(expression: str) -> bool:
    """Whether a text in quotes is still open at the end of an expression."""
    return re.search("[\"']", re.sub(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", "", expression)) is not None


def _fields_of(ctx: typer.Context, begun: str) -> list[str]:
    stream = ctx.params.get("stream") or ctx.info_name
    if stream not in STREAMS:
        return []
    from cli.output.fields import Fields, field_names

    return [name for name in field_names(Fields(stream, STREAMS[stream].record, None)) if name.startswith(begun)]


def _complete_venue(stream: str) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [name for name in with_plugins(venues_with(stream)) if name.startswith(incomplete)]

    return complete


def with_plugins(names: Sequence[str]) -> list[str]:
    """For a completion: the names, and those of all venues of plug-ins, which are not loaded."""
    try:
        return [*names, *(name for name in venue_names() if name not in VENUES)]
    except MonError:
        return [*names]


def venue_quietly(name: str) -> Venue | None:
    """For a completion: the venue of that name; None where there is none, or it cannot be loaded."""
    try:
        return venue_named(name) if has_venue(name) else None
    except MonError:
        return None


@dataclass(frozen=True)
class Applies:
    """Where an option applies, beside the commands of streams.

    `to`: one stream, or one kind of streams; all where it is None. `dash`: a dashboard has it. `replay`: `mon replay`
    has it; what a recording says itself, or what concerns a connection, it has not. A bot has all of `RunRequest`.
    """

    to: str | None = None
    dash: bool = False
    replay: bool = True


_STREAM = Applies()
_SCREEN = Applies(dash=True)  # of a stream and of a dashboard
_CONNECTION = Applies(dash=True, replay=False)


@dataclass(kw_only=True)
class RunRequest:
    """What every run can be asked, of streams as of a bot: each option is declared here, and here only.

    The order is that of a bot's help.
    """

    env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The venue's environment (production, staging, …); sim: the simulator inside mon.",
            autocompletion=complete_environment,
        ),
        _CONNECTION,
    ] = None
    profile: Annotated[str | None, typer.Option(metavar="NAME", help="A profile of the config file."), _CONNECTION] = (
        None
    )
    retries: Annotated[
        int | None, typer.Option(min=0, help="Give up after so many further tries in a row."), _CONNECTION
    ] = None
    record: Annotated[
        Path | None, typer.Option(help="Keep all that happens on the connection (FILE.gz: compressed)."), _CONNECTION
    ] = None
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="--record into a file that exists: write over it."), _CONNECTION
    ] = False
    append: Annotated[
        bool,
        typer.Option("--append", help="--record into a file that exists: go on behind what is in it."),
        _CONNECTION,
    ] = False
    replay: Annotated[Path | None, typer.Option(help="Play a recording instead of connecting."), _CONNECTION] = None
    speed: Annotated[
        float | None,
        typer.Option(parser=SpeedParser(), metavar="FACTOR|max", help="Of a replay; 1 unless said otherwise."),
        _SCREEN,
    ] = None
    output: Annotated[
        Format, typer.Option("--output", "-o", help="auto: a table on a terminal, JSON lines elsewhere."), _STREAM
    ] = "auto"
    once: Annotated[
        bool, typer.Option("--once", help="End after the first complete state, or the first event."), _STREAM
    ] = False
    count: Annotated[int | None, typer.Option(min=1, help="End after so many data records."), _STREAM] = None
    duration: Annotated[int | None, duration("--duration", help="End after this time."), _SCREEN] = None
    timeout: Annotated[
        int | None,
        duration("--timeout", help="End with exit code 6 if no data came by then (--once: 30s)."),
        _STREAM,
    ] = None
    max_age: Annotated[int | None, duration("--max-age", help="Data older than this is stale."), _SCREEN] = None
    numbers: Annotated[
        Literal["number", "string"], typer.Option(help="How JSON lines carry prices, sizes and money."), _STREAM
    ] = "number"
    status: Annotated[
        Literal["inline", "stderr"],
        typer.Option(help="Where interruptions are told: inline and on stderr, or stderr."),
        _STREAM,
    ] = "inline"
    palette: Annotated[
        Palette | None,
        typer.Option(help="Colours of a table; red-up: red for what rises.", show_default=False),
        _SCREEN,
    ] = None
    tz: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE", help="Time zone of a table: local, utc, such as Europe/Zurich or +05:30; local unless said."
        ),
        _SCREEN,
    ] = None
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors."), _SCREEN] = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Errors with their traceback."), _SCREEN] = False


@dataclass
class StreamRequest(RunRequest):
    """Everything a user said about one stream, or about the streams of a dashboard.

    `own` are the options that the venue alone has, by name; a flag is "true".
    """

    venue: str
    symbols: list[str] | None = None
    depth: Annotated[
        int | None,
        typer.Option(min=1, max=1_000_000, help="Levels a side; 20 in lines, as many as fit in a table."),
        Applies("book", dash=True),
    ] = None
    group: Annotated[
        Decimal | None,
        typer.Option(
            parser=StepParser(),
            metavar="STEP",
            help="Prices of a table in groups, such as 0.5 or 10.",
            show_default=False,
        ),
        Applies("book", dash=True),
    ] = None
    interval: Annotated[
        str | None,
        typer.Option(help="A candle's length, such as 30s, 1m, 4h, 1d, 1w; 1m unless said otherwise."),
        Applies("candles"),
    ] = None
    tail: Annotated[
        bool, typer.Option("--tail", help="A table of one line a message, newest first."), Applies("feed")
    ] = False
    every: Annotated[
        int | None, duration("--every", help="At most one line a key and interval, the latest."), Applies("state")
    ] = None
    raw: Annotated[bool, typer.Option("--raw", help="The frames as they come and go, without secrets."), _STREAM] = (
        False
    )
    where: Annotated[
        str | None,
        typer.Option(
            metavar="EXPR", autocompletion=complete_field, help="Print only what matches; mon help conditions."
        ),
        _STREAM,
    ] = None
    until: Annotated[
        str | None,
        typer.Option(
            metavar="EXPR",
            autocompletion=complete_field,
            help="Print the first match and end; every other end is exit code 6.",
        ),
        _STREAM,
    ] = None
    fields: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD,…",
            autocompletion=complete_field,
            help="Only these fields, such as time,price,bids[0].price; no table.",
        ),
        _STREAM,
    ] = None
    template: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            autocompletion=complete_field_in_braces,
            help="A line of text a record, such as '{symbol} {bids[0].price}'; no table.",
        ),
        _STREAM,
    ] = None
    on: Annotated[
        list[str] | None,
        typer.Option(
            "--on",
            metavar="EXPR",
            autocompletion=complete_field,
            help="When this becomes true: --exec, --bell.",
            show_default=False,
        ),
        _STREAM,
    ] = None
    exec: Annotated[
        str | None,
        typer.Option(
            "--exec",
            metavar="CMD",
            autocompletion=complete_field_in_braces,
            help="--on: run this, with fields as {price}.",
        ),
        _STREAM,
    ] = None
    bell: Annotated[bool, typer.Option("--bell", help="--on: ring the terminal."), _STREAM] = False
    rearm: Annotated[
        str | None,
        typer.Option(metavar="EXPR", autocompletion=complete_field, help="--on: again only after this was true."),
        _STREAM,
    ] = None
    skip_first: Annotated[
        bool, typer.Option("--skip-first", help="--on: not for what is true at the beginning."), _STREAM
    ] = False
    cooldown: Annotated[
        int | None, pause("--cooldown", help="--on: so long from one to the next at least (events: 1s)."), _STREAM
    ] = None
    exec_parallel: Annotated[
        int | None, typer.Option(min=1, max=100, help="--exec: so many at a time; 1 unless said otherwise."), _STREAM
    ] = None
    exec_timeout: Annotated[
        int | None, duration("--exec-timeout", help="--exec: end what takes longer (30s)."), _STREAM
    ] = None
    own: Mapping[str, str] = field(default_factory=dict)
    stream: str = field(default="", init=False)

    def names(self) -> tuple[str, ...]:
        """The symbols that were given, in their order; none where there are none."""
        return tuple(self.symbols or ())


# The order in which help texts list the options of streams, dashboards and replays.
_IN_HELP = (
    "depth", "group", "interval", "output", "fields", "template", "env", "tail", "where", "until", "on", "exec",
    "bell", "rearm", "skip_first", "cooldown", "exec_parallel", "exec_timeout", "once", "count", "duration",
     "timeout", "every", "max_age", "retries", "raw", "record", "overwrite", "append", "replay", "speed",
    "numbers", "status", "palette", "tz", "profile", "quiet", "verbose",
)  # fmt: skip


class Option(NamedTuple):
    """One option as it is declared: its type with typer's words for it, its default, and where it applies."""

    annotation: Any
    default: Any
    applies: Applies


@cache
def declared() -> Mapping[str, Option]:
    """Every option of `StreamRequest`, and so of `RunRequest`, by its name and in the order of the help."""
    found: dict[str, Option] = {}
    hints = get_type_hints(StreamRequest, include_extras=True)
    for one in fields(StreamRequest):
        for said in getattr(hints[one.name], "__metadata__", ()):
            if isinstance(said, Applies):
                found[one.name] = Option(hints[one.name], one.default, said)
    return {name: found[name] for name in sorted(found, key=_IN_HELP.index)}


def options_of_stream(stream: str) -> list[str]:
    """The names of the options that a stream's command has."""
    return [name for name in declared() if applies(name, stream)]


def options_of_dash() -> list[str]:
    """The names of the options that a dashboard has."""
    return [name for name, option in declared().items() if option.applies.dash]


def options_of_replay() -> list[str]:
    """The names of the options that playing any recording has."""
    return [name for name, option in declared().items() if option.applies.replay]


def options_of_runs() -> list[str]:
    """The names of the options that every run has, a bot's too."""
    return [one.name for one in fields(RunRequest)]


def applies(option: str, stream: str) -> bool:
    """Whether a stream's command has the option."""
    return declared()[option].applies.to in (None, stream, STREAMS[stream].kind)


def view_options(request: StreamRequest, stream: str, offer: Offer) -> dict[str, Any]:
    """What a request and the venue's offer say to a stream's view, besides how it looks."""
    from cli.views import VIEWS

    known = {"depth": request.depth, "step": request.group, "complete": offer.complete}
    return {name: known[name] for name in VIEWS[stream].options}


def check_for_lines(request: object) -> None:
    """Check that no option is given that only a table understands, where lines are written.

    Raises:
        UsageError: names the option, so that none is silently ignored.
    """
    for option, lines in (
        ("group", "carry every level as it is"),
        ("palette", "have no colours"),
        ("tz", "carry times as milliseconds since the epoch, UTC"),
    ):
        if getattr(request, option, None) is not None:
            raise UsageError(f"--{option} applies to a table; lines {lines} (-o table draws one)")


def stream_function(stream: str, run: Callable[[StreamRequest], None]) -> Callable[..., None]:
    """A function with the signature that typer reads: the options of `StreamRequest` that apply to the stream."""

    def command(ctx: typer.Context, **given: Any) -> None:
        request = StreamRequest(own=ctx.meta[GIVEN], **given)
        request.stream = stream
        run(request)

    venue = Annotated[
        str,
        typer.Argument(
            metavar="VENUE",
            help=f"One of: {', '.join(venues_with(stream)) or 'none yet'}.",
            autocompletion=_complete_venue(stream),
            show_default=False,
        ),
    ]
    symbols = Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SYMBOL",
            help="The venue's own spelling; some streams take several, those of the account mostly none.",
            autocompletion=complete_symbol,
            show_default=False,
        ),
    ]
    own = {"ctx": typer.Context, "venue": venue, "symbols": symbols}
    take_options(command, own, options_of_stream(stream), {"symbols": None})
    command.__doc__ = f"{STREAMS[stream].title.capitalize()}, live."
    return command


def take_options(
    command: Callable[..., None],
    own: Mapping[str, Any],
    names: Sequence[str],
    defaults: Mapping[str, Any] | None = None,
) -> None:
    """Gives a command the signature that typer reads: what is its own, then declared options by their names.

    `defaults` of its own; what has none must be given.
    """
    nothing = inspect.Parameter.empty
    parameters = [(name, annotation, (defaults or {}).get(name, nothing)) for name, annotation in own.items()]
    parameters += [(name, declared()[name].annotation, declared()[name].default) for name in names]
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
            for name, annotation, default in parameters
        ]
    )
    command.__annotations__ = {name: annotation for name, annotation, _ in parameters}


def existing_file(request: RunRequest) -> Existing:
    """What to do with an existing file of the recording's name.

    Raises:
        UsageError: both --overwrite and --append are given, or one of them without a recording.
    """
    return existing_for("--record", request.record, overwrite=request.overwrite, append=request.append)


def existing_for(option: str, file: Path | None, *, overwrite: bool, append: bool) -> Existing:
    """What to do with an existing file; `option` names it.

    Raises:
        UsageError: both --overwrite and --append are given, or one of them without a file.
    """
    if overwrite and append:
        raise UsageError("expected --overwrite or --append, got both")
    given: Existing = "overwrite" if overwrite else "append" if append else "refuse"
    if given != "refuse" and file is None:
        raise UsageError(f"--{given} applies to {option} FILE only")
    return given


def check_run(request: RunRequest) -> None:
    """Check that no options exclude each other, and that none means nothing without another.

    Raises:
        UsageError: names both, so that none is silently ignored.
    """
    without_connection = ("env", "record", "retries", "profile")
    for option in without_connection:
        if request.replay is not None and getattr(request, option) is not None:
            raise UsageError(f"--{option} does not apply to --replay, which makes no connection")
    existing_file(request)
    if request.speed is not None and request.replay is None:
        raise UsageError("--speed applies to --replay only")
    if request.once and request.count is not None:
        raise UsageError("expected --once or --count, got both")
    if request.numbers == "string" and request.output in ("table", "csv", "tsv"):
        raise UsageError("--numbers string applies to the records of JSON lines only")


def check_together(request: StreamRequest) -> None:
    """Check as `check_run` does, and also the options that only streams have.

    Raises:
        UsageError: names both, so that none is silently ignored.
    """
    check_run(request)
    if request.raw:
        for option in ("every", "max_age", *CHOICES, *CONDITIONS):
            if getattr(request, option) is not None:
                raise UsageError(f"--{option.replace('_', '-')} does not apply to --raw, which keeps every frame")
        if request.output in ("table", "csv", "tsv"):
            raise UsageError(f"--raw is written as JSON lines, not as {request.output}")
    check_chosen(request)
    if request.tail and (request.raw or request.output in ("jsonl", "csv", "tsv")):
        what = "--raw" if request.raw else request.output
        raise UsageError(f"--tail applies to a table, not to {what}, which has every message anyway")
    if request.numbers == "string" and request.raw:
        raise UsageError("--numbers string applies to the records of JSON lines only")


def check_chosen(request: StreamRequest) -> None:
    """Check that --fields and --template stand where they apply.

    Raises:
        UsageError: one of them does not.
    """
    if not request.on:
        for option in OF_ON:
            given = getattr(request, option)
            if given is not None and given is not False:
                raise UsageError(f"--{option.replace('_', '-')} applies to --on only")
    if request.fields is not None and request.template is not None:
        raise UsageError("expected --fields or --template, got both")
    if request.fields is not None and request.output == "table":
        raise UsageError("--fields applies to lines, not to a table: take -o jsonl, csv or tsv")
    if request.template is not None and request.output != "auto":
        raise UsageError(f"--template makes its own lines of text, so -o {request.output} does not apply")
    if request.template is not None and request.numbers == "string":
        raise UsageError("--numbers string applies to the records of JSON lines only")
