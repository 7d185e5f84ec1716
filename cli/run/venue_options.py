"""The options that single venues alone have, on the command line: how they are parsed, and shown in the help.

Those of built-in venues are known from the registry. Those of a plug-in's venue are known once it is loaded, which
happens when the command line names it: before the line is parsed, since an option may stand before the venue.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand

from venues import VENUES, has_venue, own_options, venue_named, venues_with
from venues.errors import MonError
from venues.streams import STREAMS, VenueOption

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

GIVEN = "own options"  # of a context's `meta`: what was given, by the option's name; a flag is "true"
MOST_WORDS = 500  # of a line that are looked through for the venue: similar names are sought for each unknown option
SECTION = "Options of single venues"


class OfVenue(NamedTuple):
    """An option with the venue that has it."""

    venue: str
    option: VenueOption


def built_in(streams: Iterable[str]) -> list[OfVenue]:
    """The options that single built-in venues have for these streams. Loads no venue."""
    wanted = [*streams]
    found = [
        OfVenue(name, option)
        for name, entry in VENUES.items()
        for stream in wanted
        for option in entry.own_options(stream)
    ]
    return list(dict.fromkeys(found))


class VenueOptionsCommand(TyperCommand):
    """A command that also has the options of single venues: those of a stream, or of a recording of any stream."""

    def __init__(self, *arguments: Any, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self._mons = list(self.params)
        self._of_venues = built_in(self.streams())
        self._own = _parameters(self._of_venues)
        self.params = [*self._mons, *self._own]

    def streams(self) -> Sequence[str]:
        """The streams whose options the command has."""
        return (self.name,) if self.name in STREAMS else [*STREAMS]

    def take_options_of(self, venue: str) -> None:
        """Have the options of one more venue; they come before others of the same name.

        Raises:
            MonError: the venue is a plug-in's, and cannot be loaded.
        """
        found = [OfVenue(venue, option) for stream in self.streams() for option in own_options(venue, stream)]
        found = list(dict.fromkeys(found))
        names = {one.option.name for one in found}
        self._of_venues = [*(one for one in self._of_venues if one.option.name not in names), *found]
        self._own = _parameters(self._of_venues)
        self.params = [*self._mons, *self._own]

    def is_own(self, parameter: Any) -> bool:
        """Whether a parameter is an option of single venues."""
        return any(parameter is one for one in self._own)

    def has_option(self, venue: str | None, parameter: Any) -> bool:
        """Whether one of these options is a venue's."""
        return any(one.venue == venue and f"--{one.option.name}" in parameter.opts for one in self._of_venues)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the line; a plug-in's venue that it names is loaded before."""
        ctx.meta[GIVEN] = {}
        self._take_plugins_options(ctx, args)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options that mon has, then those of single venues, each with its venue."""
        self.params = self._mons
        super().format_options(ctx, formatter)
        self.params = [*self._mons, *self._own]
        rows = [
            (f"--{one.option.name} {one.option.takes}".rstrip(), f"{one.venue}: {one.option.help}")
            for one in self._of_venues
        ]
        if rows:
            with formatter.section(SECTION):
                formatter.write_dl(rows)

    def _take_plugins_options(self, ctx: Any, args: list[str]) -> None:
        """Have the options of the plug-in's venue that the line names, if it names one."""
        match self.venues_in(ctx, args):
            case [name]:
                if name not in VENUES and has_venue(name):
                    self.take_options_of(name)
            case words:
                self._try_options_of(words, ctx, args)

    def _try_options_of(self, words: Sequence[str], ctx: Any, args: list[str]) -> None:
        """An option stands before the venue that only a plug-in can have: it is the one whose options make it so."""
        before = self._of_venues, self._own, self.params
        for name in words:
            if name not in VENUES and has_venue(name):
                self.take_options_of(name)
                if self.arguments_in(ctx, args).get("venue") == name:
                    return
                self._of_venues, self._own, self.params = before

    def venues_in(self, ctx: Any, args: list[str]) -> list[str]:
        """Which words may be the venue: the first that is no option or value of one. Where an unknown option stands
        before it, its value comes first, so that all words may be it."""
        values = self.arguments_in(ctx, args)
        words = [word for name in ("venue", "symbols", "") for word in _words(values.get(name))]
        if words and not words[0].startswith("-"):
            return words[:1]
        return [word for word in words if not word.startswith("-")]

    def arguments_in(self, ctx: Any, args: list[str]) -> dict[str, Any]:
        """The arguments of the line by name, and under the empty name those that are too many. Unknown options are
        taken for arguments. Nothing where they cannot be read: that is said when the line is parsed for good."""
        parser = self.make_parser(ctx)
        parser.ignore_unknown_options = True
        # Where the last word is an option without its value, because the line is cut there or because a plug-in's venue
        # has a flag of that name, the line is read without it.
        cut = min(len(args), MOST_WORDS)
        for end in (cut, cut - 1):
            try:
                values, rest, _ = parser.parse_args(args=args[:end])
            except typer.TyperException:
                continue
            return {**values, "": rest}
        return {}


class StreamCommand(VenueOptionsCommand):
    """A stream's command, with examples for the venues that have the stream; loads them for its help only."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples."""
        self.epilog = stream_examples(self.name or "")
        super().format_epilog(ctx, formatter)


def stream_examples(stream: str) -> str:
    """One line for each venue that has the stream, then how scripts and spreadsheets take it."""
    asked, simulated = [], []
    for name in venues_with(stream):
        venue = venue_named(name)
        offer = venue.streams[stream]
        symbol = "" if offer.symbols in ("none", "any") else f" {venue.example}"
        asked.append(f"mon {stream} {name}{symbol}")
        simulated += [asked[-1]] if venue.simulator else []
    lines = [f"{one} --env sim" if one in simulated else one for one in asked]
    lines += [f"{asked[0]} --once | jq .", f"{lines[0]} --count 5 -o csv"]
    return "\b\nExamples:\n" + "".join(f"  {line}\n" for line in lines)


def learn_quietly(command: VenueOptionsCommand, venue: str) -> None:
    """For a completion: have a plug-in's venue with its options. Nothing happens where it cannot be loaded."""
    try:
        if venue not in VENUES and has_venue(venue):
            command.take_options_of(venue)
    except MonError:
        return


def _words(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [*value] if isinstance(value, list | tuple) else []


def _parameters(of_venues: Sequence[OfVenue]) -> list[Any]:
    """The options as typer has them, one for each name; what is given goes to the context's `meta`."""
    by_name: dict[str, list[OfVenue]] = {}
    for one in of_venues:
        by_name.setdefault(one.option.name, []).append(one)
    if not by_name:
        return []

    def nothing(**_: Any) -> None:
        """Is never called: typer reads its signature."""

    annotations: dict[str, Any] = {_identifier(name): _annotation(name, found) for name, found in by_name.items()}
    defaults: dict[str, Any] = {
        _identifier(name): None if first.option.takes else False for name, (first, *_) in by_name.items()
    }
    nothing.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=defaults[name])
            for name, annotation in annotations.items()
        ]
    )
    nothing.__annotations__ = annotations
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(nothing)
    found = [one for one in typer.main.get_command(app).params if one.param_type_name == "option"]
    for parameter in found:
        parameter.expose_value = False
        parameter.callback = _keep
    return found


def _identifier(name: str) -> str:
    return f"own_{name.replace('-', '_')}"


def _annotation(name: str, found: Sequence[OfVenue]) -> Any:
    help_text = "; ".join(f"{one.venue}: {one.option.help}" for one in found)
    first, *_ = found
    takes = first.option.takes
    if takes:
        return Annotated[str | None, typer.Option(f"--{name}", metavar=takes, help=help_text, show_default=False)]
    return Annotated[bool, typer.Option(f"--{name}", help=help_text, show_default=False)]


def _keep(ctx: Any, parameter: Any, value: Any) -> Any:
    given: Mapping[str, str] = ctx.meta.setdefault(GIVEN, {})
    if value is not None and value is not False:
        (option,) = parameter.opts
        name = option.removeprefix("--")
        ctx.meta[GIVEN] = {**given, name: "true" if value is True else str(value)}
    return value
