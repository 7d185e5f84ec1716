"""`mon replay`: a recording, played with the stream and the settings that it was made with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cli.errors import redactor_of_run
from cli.run.options import StreamRequest, applies, options_of_replay, take_options
from cli.run.venue_options import GIVEN, VenueOptionsCommand
from venues.errors import RecordingError, UsageError

EXAMPLES = """\b
Examples:
  mon book nexus SPOT_BTC_USDT --env sim --duration 10s --record book.jsonl.gz
  mon replay book.jsonl.gz --speed max -o jsonl
"""

if TYPE_CHECKING:
    from venues.recording import Header, RecordedSubscription


class ReplayCommand(VenueOptionsCommand):
    """`mon replay` has the options of the venue that the recording is of; they say what it was made with."""

    def venues_in(self, ctx: Any, args: list[str]) -> list[str]:
        """The recording's venue. What can be read only once, such as a pipe, is not looked into."""
        from venues.errors import MonError

        given = self.arguments_in(ctx, args)
        words = [word for word in (given.get("file"), *given.get("", ())) if isinstance(word, str)]
        try:
            file = next((Path(word) for word in words if not word.startswith("-") and Path(word).is_file()), None)
            if file is None:
                return []
            from venues.recording import Recording

            return [Recording(file).header.venue]
        except (MonError, OSError, ValueError):
            return []  # what is wrong is said when it is played


COMMAND = ReplayCommand  # what the command line makes of it


def replay(ctx: typer.Context, **given: Any) -> None:
    """Play a recording."""
    from venues.recording import Recording

    file: Path = given.pop("file")
    own = ctx.meta[GIVEN]
    header = Recording(file).header
    if not header.subscriptions:
        raise RecordingError(f"the recording {file} names no stream")
    if len(header.subscriptions) > 1 or header.beside:
        for name in own:
            raise UsageError(f"--{name} does not apply to {file}, which is a recording of several streams")
        _replay_several(file, header, given)
    stream = header.subscriptions[0].stream
    for name, value in given.items():
        if value not in (None, False) and not applies(name, stream):
            raise UsageError(f"--{name} does not apply to {stream}, which {file} is a recording of")
    request = StreamRequest(venue=header.venue, replay=file, own=own, **given)
    request.stream = stream
    from cli.output.lines import Words, prints_go_to_stderr
    from cli.run.watch import watch

    with prints_go_to_stderr():
        code = watch(request, Words(quiet=request.quiet), redactor_of_run())
    raise typer.Exit(code)


def _replay_several(file: Path, header: Header, given: dict[str, Any]) -> NoReturn:
    """Draw a dashboard on a terminal. As lines only one stream can be played."""
    from cli.commands.dash import run_recorded
    from cli.output.lines import STDOUT, is_terminal
    from cli.views.panes import PANES

    each = [(venue.venue, one) for venue in header.venues() for one in venue.subscriptions]
    ambiguous = len({(venue, one.stream) for venue, one in each}) < len(each)
    together = not header.beside and not ambiguous and any(one.stream in PANES for one in header.subscriptions)
    if not together or given["output"] not in ("auto", "table") or given["raw"] or not is_terminal(STDOUT):
        names = [_named(one, venue if header.beside else "", ambiguous) for venue, one in each]
        example = _named(header.subscriptions[0], header.venue, ambiguous)
        raise UsageError(
            f"{file} is a recording of {', '.join(names)}; take one of them, e.g. mon {example} --replay {file}"
            + (", or play all of them on a terminal" if together else "")
        )
    run_recorded(file, header.venue, given)


def _named(subscription: RecordedSubscription, venue: str, with_symbols: bool) -> str:
    return " ".join(filter(None, (subscription.stream, venue, *(subscription.symbols if with_symbols else ()))))


_file = Annotated[Path, typer.Argument(metavar="FILE", help="A recording made with --record.", show_default=False)]
take_options(replay, {"ctx": typer.Context, "file": _file}, options_of_replay())
