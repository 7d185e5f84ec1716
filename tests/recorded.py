"""Recordings and what they must give, found by their names: `fixtures/<venue>/<stream>--<case>.frames.jsonl` holds the
recording, `….records.jsonl` the frames sent and the records, in order. Rewritten on purpose only:

    python -m tests.recorded
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path

from venues import events, venue_named
from venues.driver import Driver
from venues.made import routes_of
from venues.recording import Recording
from venues.records import Record
from venues.toolkit.written import Writer
from venues.venue import Close, SocketPing, Subscription

FOLDER = Path(__file__).parent / "fixtures"
ENCODER = Writer()


def cases() -> list[Path]:
    return sorted(FOLDER.rglob("*.frames.jsonl"))


def expected_of(case: Path) -> Path:
    return case.with_name(case.name.replace(".frames.", ".records."))


def outcome(case: Path) -> str:
    """Everything that comes out, a line each."""
    recording = Recording(case)
    header = recording.header
    venue = venue_named(header.venue)
    subscriptions = [
        Subscription(s.stream, s.symbols, depth=s.depth, interval=s.interval, options=s.options)
        for s in header.subscriptions
    ]
    (line,) = routes_of(venue, subscriptions, header.settings())
    driver = Driver(line, subscriptions, venue=venue.name, label="replay")
    lines: list[bytes] = []
    secrets = {name: f"[{name}]" for name in venue.secrets}
    for event in recording.events():
        if isinstance(event, events.Dialled):
            driver.begin(secrets, event.draw)
            continue
        items = events.apply(event, driver)
        lines += [ENCODER.encode(item if isinstance(item, Record) else _said(item)) for item in items]
        for out in driver.take():
            lines.append(ENCODER.encode({"sent": type(out).__name__ if isinstance(out, SocketPing | Close) else out}))
        if driver.ended is not None:
            lines.append(ENCODER.encode({"ended": type(driver.ended).__name__, "text": str(driver.ended)}))
            break
    return b"".join(line + b"\n" for line in lines).decode()


def _said(item: object) -> dict[str, object]:
    """What is no record, by its type's name. It says its symbol only where it is about one of several."""
    if is_dataclass(item) and getattr(item, "symbol", "") is None:
        return {
            type(item).__name__: {one.name: getattr(item, one.name) for one in fields(item) if one.name != "symbol"}
        }
    return {type(item).__name__: item}


def rewrite() -> None:
    for case in cases():
        expected_of(case).write_text(outcome(case), encoding="utf-8")


if __name__ == "__main__":
    rewrite()
