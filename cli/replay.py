"""`mon replay`: a recording, played with the stream and the settings that it was made with."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import StreamRequest, applies, take_options
from venues.errors import RecordingError, UsageError

EXAMPLES = """\b
Examples:
  mon book nexus SPOT_BTC_USDT --env sim --duration 10s --record today.jsonl.gz
  mon replay today.jsonl.gz --speed max -o jsonl
"""

# What a recording says itself, and what concerns a connection.
_NOT_ASKED = {"venue", "symbols", "stream", "replay", "env", "record", "retries", "profile"}


def replay(**given: Any) -> None:
    """Play a recording."""
    from cli.main import watch_request
    from venues.recording import Recording

    file: Path = given.pop("file")
    header = Recording(file).header
    if not header.subscriptions:
        raise RecordingError(f"the recording {file} names no stream")
    stream = header.subscriptions[0].stream
    for name, value in given.items():
        if value not in (None, False) and not applies(name, stream):
            raise UsageError(f"--{name} does not apply to {stream}, which {file} is a recording of")
    request = StreamRequest(venue=header.venue, replay=file, **given)
    request.stream = stream
    watch_request(request)


take_options(
    replay,
    [name for name in inspect.signature(StreamRequest).parameters if name not in _NOT_ASKED],
    {"file": Annotated[Path, typer.Argument(help="A recording made with --record.", show_default=False)]},
)
