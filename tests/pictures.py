"""Pictures of a screen, made from a recording: SVG without the address of any font.

python -m tests.pictures RECORDING WIDTH HEIGHT > picture.svg
"""

from __future__ import annotations

import io
import re
import sys
from datetime import UTC
from decimal import Decimal
from importlib import import_module
from pathlib import Path

import msgspec
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from cli.look import Look
from cli.pane import Pane, Rate, Title
from cli.screen import Table
from tests import recorded
from venues import venue_named
from venues.recording import Recording
from venues.records import AnyRecord, Record
from venues.redaction import Redactor
from venues.streams import STREAMS

NOT_IN_A_PICTURE = (r"@font-face \{\{.*?\n    \}\}\n", r"<!--.*?-->\n")
LATER_MS = 300  # after the last record


def picture(recording: Path, width: int, height: int, *, env: str | None = None, keys: str = "") -> str:
    """The screen at the end of a recording, after the keys (with spaces between them) were pressed, as SVG.

    `env` takes the place of what the header would say of a recording.
    """
    lines = screen(recording, width, height, env=env, keys=keys)
    return drawn(lines, width, title=f"mon {Recording(recording).header.subscriptions[0].stream}")


def screen(recording: Path, width: int, height: int, *, env: str | None, keys: str) -> list[Text]:
    """The lines of that screen."""
    header = Recording(recording).header
    subscription = header.subscriptions[0]
    records = records_of(recording)
    now = max(record.received for record in records) + LATER_MS
    look = Look(tz=UTC, epoch_ms=lambda: now)
    stream = STREAMS[subscription.stream]
    offer = venue_named(header.venue).streams[stream.name]
    title = Title(header.venue, env or "replay", subscription.symbols, stream, partial=offer.partial)
    seconds = [0.0]
    rate = Rate(clock=lambda: seconds[0])
    rate.total = len(records)
    seconds[0] = max(1.0, (now - records[0].received) / 1000)
    pane = Pane(import_module(f"cli.{stream.name}").view(look), title, look, rate, Redactor())
    table = Table(pane, look, on_terminal=False)
    table.write(records)
    table.frame(width, height)
    for key in keys.split():
        table.press(key)
    table.idle()
    return table.frame(width, height)


def records_of(recording: Path) -> list[Record]:
    """What comes out of it, statuses included."""
    decoder = msgspec.json.Decoder(AnyRecord, float_hook=Decimal)
    lines = recorded.outcome(recording).splitlines()
    return [decoder.decode(line) for line in lines if line.startswith('{"type":')]


def drawn(lines: list[Text], width: int, *, title: str) -> str:
    """Lines as SVG."""
    console = Console(
        record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor", highlight=False
    )
    for line in lines:
        console.print(line, no_wrap=True, crop=True, markup=False, emoji=False)
    form = CONSOLE_SVG_FORMAT
    for pattern in NOT_IN_A_PICTURE:
        form = re.sub(pattern, "", form, flags=re.DOTALL)
    form = form.replace("Fira Code, monospace", "Menlo, Consolas, DejaVu Sans Mono, monospace")
    return console.export_svg(title=title, code_format=form, unique_id="mon")


if __name__ == "__main__":
    sys.stdout.write(picture(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
