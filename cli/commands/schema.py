"""`mon schema`: the JSON Schema of every line that a stream can print, derived from the records."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
import typer

from cli.output.lines import print_out
from venues import VENUES, venue_named
from venues.errors import UsageError
from venues.records import Instrument, SnapshotEnd, Status
from venues.streams import STREAMS
from venues.venue import has_full_states

SYMBOLS = "symbols"  # no stream, but a command that prints records too
MATCH = "false in the last line of a row that only stopped matching --where; otherwise absent"
EXAMPLES = """\b
Examples:
  mon schema book > book.schema.json
  mon schema trades | jq '.["$defs"].Trade.properties | keys'
"""


def schema(
    stream: Annotated[
        str,
        typer.Argument(
            metavar="STREAM",
            help=f"One of: {', '.join(STREAMS)}; or {SYMBOLS}, for mon {SYMBOLS}.",
            autocompletion=lambda incomplete: [name for name in (*STREAMS, SYMBOLS) if name.startswith(incomplete)],
            show_default=False,
        ),
    ],
    numbers: Annotated[Literal["number", "string"], typer.Option(help="As given to the stream's command.")] = "number",
) -> None:
    """The JSON Schema of every line that a stream can print, `status` and `snapshot_end` included."""
    print_out(json.dumps(schema_of(stream, numbers), indent=2))


def schema_of(stream: str, numbers: str = "number") -> dict[str, Any]:
    """The schema as a JSON value.

    Raises:
        UsageError: there is no such stream.
    """
    if stream == SYMBOLS:
        return _schema_of(stream, [Instrument], numbers)
    if stream not in STREAMS:
        raise UsageError(f'expected a stream ({", ".join(STREAMS)}), or {SYMBOLS}, got "{stream}"')
    types: list[Any] = [STREAMS[stream].record, Status]
    offers = [offer for name in VENUES if (offer := venue_named(name).streams.get(stream)) is not None]
    if STREAMS[stream].keyed or any(has_full_states(STREAMS[stream], offer) for offer in offers):
        types.append(SnapshotEnd)
    return _schema_of(stream, types, numbers)


def _schema_of(command: str, types: list[Any], numbers: str) -> dict[str, Any]:
    references, components = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A line of mon {command}",
        "oneOf": list(references),
        "$defs": {name: _as_written(component, numbers) for name, component in components.items()},
    }


def _as_written(value: Any, numbers: str) -> Any:
    """Lines are not what msgspec's schema says in two ways: decimals are JSON numbers, and nothing is ever null."""
    if isinstance(value, list):
        return [_as_written(item, numbers) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "string" and value.get("format") == "decimal":
        return (
            {"type": "number"} if numbers == "number" else {"type": "string", "pattern": r"^-?[0-9.]+(E[+-]?[0-9]+)?$"}
        )
    if "match" in value.get("properties", {}):
        value["properties"]["match"] = {"type": "boolean", "description": MATCH}
    written = {key: _as_written(item, numbers) for key, item in value.items() if key != "default"}
    alternatives = [item for item in written.pop("anyOf", []) if item != {"type": "null"}]
    if len(alternatives) == 1:
        return {**written, **alternatives[0]}
    return {**written, "anyOf": alternatives} if alternatives else written
