"""`mon venues`: what each venue has, from the registry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.output.lines import Words, print_out
from venues import all_venues, distribution_of
from venues.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from venues.venue import Venue


def venues(
    output: Annotated[Literal["table", "jsonl"], typer.Option("--output", "-o", help="jsonl: one line a stream.")] = (
        "table"
    ),
) -> None:
    """The venues and the streams that each has, with the venue's own name for the source."""
    known = all_venues(Words().say)
    print_out(_lines(known) if output == "jsonl" else _table(known))


def _table(known: Mapping[str, Venue]) -> str:
    offered = [name for name in STREAMS if any(name in venue.streams for venue in known.values())]
    rows = [["stream", "kind", *known]]
    for stream in offered:
        cells = []
        for venue in known.values():
            offer = venue.streams.get(stream)
            cells.append("" if offer is None else offer.source + (" (partial)" if offer.partial else ""))
        rows.append([stream, STREAMS[stream].kind, *cells])
    environments = [f"{name}: {', '.join(_environments(venue))}" for name, venue in known.items()]
    lines = [*_aligned(rows), "", "partial: no snapshot, only changes since connecting", "environments:", *environments]
    if options := list(_options(known)):
        lines += ["options of single venues:", *_aligned(options)]
    if others := [[name, distribution] for name in known if (distribution := distribution_of(name))]:
        lines += ["from other packages:", *_aligned(others)]
    return "\n".join(lines)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _environments(venue: Venue) -> list[str]:
    from cli.settings.config import SIM

    return [*venue.environments, *([SIM] if venue.simulator else [])]


def _options(known: Mapping[str, Venue]) -> Iterator[list[str]]:
    """A row for each option that a venue alone has: the option, the venue with its streams, what it is for."""
    for name, venue in known.items():
        for option in venue.options:
            streams = [stream for stream, offer in venue.streams.items() if option.name in offer.options]
            yield [f"--{option.name} {option.takes}".rstrip(), f"{name} ({', '.join(streams)})", option.help]


def _lines(known: Mapping[str, Venue]) -> str:
    lines = []
    for name, venue in known.items():
        beside: dict[str, Any] = {"distribution": distribution} if (distribution := distribution_of(name)) else {}
        own = {option.name for option in venue.options}
        for stream, offer in venue.streams.items():
            line: dict[str, Any] = {
                "venue": name,
                "stream": stream,
                "kind": STREAMS[stream].kind,
                "source": offer.source,
            }
            line |= {"partial": offer.partial, "symbols": offer.symbols}
            options = [option for option in offer.options if option in own]
            line |= {"options": options} if options else {}
            lines.append(json.dumps(line | beside, ensure_ascii=False))
    return "\n".join(lines)
