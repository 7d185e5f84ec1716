"""`mon replay`: a recording, played with the stream and the settings that it was made with."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  typer reads it
from typing import Annotated, Literal

import typer

from cli.options import Format, SpeedParser, StreamRequest
from venues.errors import RecordingError

EXAMPLES = """\b
Examples:
  mon book nexus SPOT_BTC_USDT --env sim --duration 10s --record today.jsonl.gz
  mon replay today.jsonl.gz --speed max -o jsonl
"""


def replay(
    file: Annotated[Path, typer.Argument(help="A recording made with --record.", show_default=False)],
    output: Annotated[
        Format, typer.Option("--output", "-o", help="auto: a table on a terminal, JSON lines elsewhere.")
    ] = "auto",
    speed: Annotated[
        float | None, typer.Option(parser=SpeedParser(), metavar="FACTOR|max", help="1 unless said otherwise.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many data records.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="The frames as they came and went.")] = False,
    numbers: Annotated[
        Literal["number", "string"], typer.Option(help="How JSON lines carry prices, sizes and money.")
    ] = "number",
    status: Annotated[
        Literal["inline", "stderr"], typer.Option(help="Where interruptions are told: inline and on stderr, or stderr.")
    ] = "inline",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Errors with their traceback.")] = False,
) -> None:
    """Play a recording."""
    from cli.main import watch_request
    from venues.recording import Recording

    header = Recording(file).header
    if not header.subscriptions:
        raise RecordingError(f"the recording {file} names no stream")
    request = StreamRequest(
        venue=header.venue,
        output=output,
        replay=file,
        speed=speed,
        count=count,
        raw=raw,
        numbers=numbers,
        status=status,
        quiet=quiet,
        verbose=verbose,
    )
    request.stream = header.subscriptions[0].stream
    watch_request(request)
