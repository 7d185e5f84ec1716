"""`mon venues`: what each venue has, from the registry."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from cli.output.lines import print_out
from venues import VENUES, venue_named
from venues.streams import STREAMS


def venues(
    output: Annotated[Literal["table", "jsonl"], typer.Option("--output", "-o", help="jsonl: one line a stream.")] = (
        "table"
    ),
) -> None:
    """The venues and the streams that each has, with the venue's own name for the source."""
    print_out(_lines() if output == "jsonl" else _table())


def _table() -> str:
    known = {name: venue_named(name) for name in VENUES}
    offered = [name for name in STREAMS if any(name in venue.streams for venue in known.values())]
    rows = [["stream", "kind", *known]]
    for stream in offered:
        cells = []
        for venue in known.values():
            offer = venue.streams.get(stream)
            cells.append("" if offer is None else offer.source + (" (partial)" if offer.partial else ""))
        rows.append([stream, STREAMS[stream].kind, *cells])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    environments = [f"{name}: {', '.join([*venue.environments, 'sim'])}" for name, venue in known.items()]
    return "\n".join(
        [*table, "", "partial: no snapshot, only changes since connecting", "environments:", *environments]
    )


def _lines() -> str:
    lines = []
    for name in VENUES:
        for stream, offer in venue_named(name).streams.items():
            line = {"venue": name, "stream": stream, "kind": STREAMS[stream].kind, "source": offer.source}
            lines.append(json.dumps({**line, "partial": offer.partial, "symbols": offer.symbols}, ensure_ascii=False))
    return "\n".join(lines)
