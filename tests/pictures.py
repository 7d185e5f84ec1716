"""Pictures of a screen, made from recordings: SVG with a dark background, without the address of any font.

Those of the README are rewritten on purpose only:

    python -m tests.pictures

Their recordings are of the simulator, made with `--env sim --duration … --record FILE`.
"""

from __future__ import annotations

import asyncio
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

from cli.commands.dash_watch import QueuePerStream
from cli.screen.dashboard import Dashboard
from cli.screen.header import Rate
from cli.screen.look import Look
from cli.screen.pane import Pane, Title
from cli.screen.table import Table
from cli.views import loaded
from cli.views.panes import PANES
from tests.drawn import GOLDEN, Clock
from venues import venue_named
from venues.driver import Delivered, Driver
from venues.made import routes_of
from venues.recording import Header, Recording, play
from venues.records import Record
from venues.redaction import Redactor
from venues.streams import STREAMS
from venues.venue import Now

LATER_MS = 300  # after the last record
# The ends of lines, drawn like characters; and what cuts a line that is too wide, which none is.
NOT_SHOWN = re.compile(r'<text [^>]*>\n</text>| clip-path="url\(#mon-line-\d+\)"')

# Rich's own names the address of a font and of itself.
FORM = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
font-family: DejaVu Sans Mono, Menlo, Consolas, monospace;
font-size: {char_height}px;
line-height: {line_height}px;
}}
.{unique_id}-title {{ font-family: sans-serif; font-size: 18px; font-weight: bold; }}
{styles}
</style>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class Picture(NamedTuple):
    """A picture of the README: how large it is in cells, and what is pressed at the end."""

    width: int
    height: int
    keys: str = ""

    def draw(self, name: str) -> str:
        """It, from the recording of that name."""
        return picture(recording_of(name), self.width, self.height, keys=self.keys)


PICTURES = {"book": Picture(100, 20), "candles": Picture(100, 24), "dash": Picture(140, 36)}


def recording_of(name: str) -> Path:
    """The recording that a picture of the README is made of."""
    return GOLDEN / "recordings" / f"{name}.jsonl"


def picture_of(name: str) -> Path:
    """A picture of the README."""
    return GOLDEN / f"{name}.svg"


def picture(recording: Path, width: int, height: int, *, env: str | None = None, keys: str = "") -> str:
    """The screen at the end of a recording, after the keys (with spaces between them) were pressed, as SVG.

    `env` takes the place of what the recording says of itself.
    """
    header = Recording(recording).header
    subscriptions = header.subscriptions
    command = "dash" if len(subscriptions) > 1 else subscriptions[0].stream
    symbols = next((one.symbols for one in subscriptions if one.symbols), ())
    lines = screen(recording, width, height, env=env, keys=keys)
    return drawn(lines, width, title=" ".join(["mon", command, header.venue, *symbols]))


def screen(recording: Path, width: int, height: int, *, env: str | None = None, keys: str = "") -> list[Text]:
    """The lines of that screen."""
    header = Recording(recording).header
    records = records_of(recording)
    clock = Clock(records[0].received)
    begin = clock.now
    look = Look(tz=UTC, epoch_ms=clock)
    rate = Rate(clock=lambda: (clock.now - begin) / 1000)
    table = table_of(header, env or header.env or "replay", look, rate)
    queue = QueuePerStream([one.stream for one in header.subscriptions])
    for record in records:
        clock.now = max(clock.now, record.received)
        rate.total += 1
        rate.per_second()
        queue.put([record])
        pairs = queue.take()
        table.write(pairs if isinstance(table, Dashboard) else [one for _, some in pairs for one in some])
    clock.now += LATER_MS
    table.frame(width, height)
    for key in keys.split():
        table.press(key)
    table.idle()
    return table.frame(width, height)


def table_of(header: Header, env: str, look: Look, rate: Rate) -> Table:
    """What draws the streams of a recording, as `mon` makes it."""
    recorded = {one.stream: one for one in header.subscriptions}
    offers = venue_named(header.venue).streams
    panes = {}
    for stream in sorted(recorded, key=lambda stream: (*PANES, stream).index(stream)):
        title = Title(header.venue, env, recorded[stream].symbols, STREAMS[stream], partial=offers[stream].partial)
        panes[stream] = Pane(loaded(stream).view, title, look, rate, Redactor())
    if len(panes) == 1:
        return Table(next(iter(panes.values())), look, on_terminal=False)
    symbol = next((one.symbols[0] for one in header.subscriptions if one.symbols), None)
    return Dashboard(panes, PANES, venue=header.venue, env=env, symbol=symbol, look=look, rate=rate, on_terminal=False)


def records_of(recording: Path) -> list[Record]:
    """What comes out of it, statuses included."""
    played = Recording(recording)
    header = played.header
    venue = venue_named(header.venue)
    drivers = [
        Driver(line, line.subscriptions, venue=venue.name, label="sim")
        for line in routes_of(venue, header.asked_for(), header.settings())
    ]
    records: list[Record] = []

    async def deliver(items: Sequence[Delivered], now: Now, line: int) -> None:
        records.extend(item for item in items if isinstance(item, Record))

    async def at_once(seconds: float) -> None:
        pass

    secrets = {name: f"[{name}]" for name in venue.secrets}
    asyncio.run(play(played, drivers, speed=1.0, sleep=at_once, deliver=deliver, secrets=secrets))
    return records


def drawn(lines: Sequence[Text], width: int, *, title: str) -> str:
    """Lines as SVG."""
    console = Console(
        record=True,
        width=width,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
        legacy_windows=False,
        _environ={},
    )
    for line in lines:
        console.print(line, no_wrap=True, crop=True, markup=False, emoji=False)
    made = NOT_SHOWN.sub("", console.export_svg(title=title, code_format=FORM, unique_id="mon"))
    return "".join(f"{line.rstrip()}\n" for line in made.replace("</text><", "</text>\n<").splitlines())


def shown(svg: str) -> list[tuple[Any, ...]]:
    """What a picture shows, however rich writes it: each text with its style and place, each coloured ground."""
    tree = ET.fromstring(svg)
    styles = dict(re.findall(r"\.(mon-\w+) \{ (.*?);? \}", svg))
    found: list[tuple[Any, ...]] = []
    for element in tree.iter():
        kind = element.tag.rpartition("}")[2]
        place = (element.get("x"), element.get("y"))
        if kind == "text":
            words = (element.text or "").replace("\xa0", " ")
            found.append((*place, styles.get(element.get("class", ""), ""), words))
        elif kind == "rect":
            found.append((*place, element.get("fill"), element.get("width")))
    return found


def rewrite() -> None:
    """All pictures of the README."""
    for name, wanted in PICTURES.items():
        picture_of(name).write_text(wanted.draw(name), encoding="utf-8")


if __name__ == "__main__":
    rewrite()
