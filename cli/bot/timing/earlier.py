"""`--history auto`: which recordings of a folder have the candles from before the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.bot.market_data import MarketName
from cli.bot.timing.time_line import PeekedRecording, ends_at
from venues import has_venue, venue_named
from venues.errors import SetupError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from venues.recording import Header

NAMED = ".jsonl"  # in the name of a recording, as in day.jsonl and in day.jsonl.gz


@dataclass
class Wanted:
    """What a script needs from before its start.

    Candles of `markets` between two times (epoch ms); `start` is None for a run that is live, in which nothing that is
    recorded can be from after it but what has just come. `envs` are the labels of the environments by venue.
    """

    markets: Collection[MarketName]
    since: int
    start: int | None
    envs: Mapping[str, str | None]


@dataclass
class _Span:
    path: Path
    markets: set[MarketName]
    begin: int
    end: int


def earlier(folder: Path, wanted: Wanted, leave_out: Collection[Path] = ()) -> tuple[list[Path], list[str]]:
    """The recordings to be taken, the oldest first, and what to say of those that cannot be.

    Raises:
        SetupError: the folder cannot be read.
    """
    said: list[str] = []
    spans: list[_Span] = []
    for path in _files(folder, leave_out):
        try:
            span = _span(path, wanted)
        except (SetupError, UsageError) as error:
            said.append(f"--history auto leaves out {path}: {error}")
        else:
            if span is not None and span.end > wanted.since:
                spans.append(span)
    spans = [one for one in spans if not any(_is_within(one, other) for other in spans)]
    spans.sort(key=lambda one: (one.end, one.begin))
    if not spans:
        names = ", ".join(map(str, wanted.markets))
        said.append(f"--history auto: no recording in {folder} has candles of {names} from before the start")
    return [one.path for one in spans], said


def _files(folder: Path, leave_out: Collection[Path]) -> Iterator[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if NAMED in path.name and path.is_file())
    except OSError as error:
        raise SetupError(
            f"cannot read {folder}, which is folder under [recordings] in the config file: {error.strerror}"
        ) from error
    taken = [path for path in leave_out if path.exists()]
    return (path for path in found if not any(path.samefile(other) for other in taken))


def _span(path: Path, wanted: Wanted) -> _Span | None:
    """When a recording of the markets was made; None for one that has nothing of them, or that begins too late.

    Raises:
        SetupError: it cannot be used.
    """
    recording = PeekedRecording(path)
    watched: set[MarketName] = set()
    for header in recording.header.venues():
        watched |= _watched(header, wanted)
    if not watched or recording.first is None:
        return None
    if wanted.start is not None and recording.first.at >= wanted.start:
        return None
    end = ends_at(path)
    if end is None:
        return None
    if wanted.start is not None and end > wanted.start:
        raise SetupError("it goes on after the start, which a script must not know yet")
    return _Span(path, watched, recording.first.at, end)


def _watched(header: Header, wanted: Wanted) -> set[MarketName]:
    """The markets of which a part of a recording has trades or candles.

    Raises:
        SetupError: it has both of a market, or it is of another environment.
    """
    if not has_venue(header.venue):
        return set()
    venue = venue_named(header.venue)
    unasked = {name for name, offer in venue.streams.items() if offer.unasked}
    has: dict[MarketName, set[str]] = {}
    for one in header.asked_for():
        along = {"trades"} if unasked >= {one.stream, "trades"} else set()
        for symbol in one.symbols:
            has.setdefault(MarketName(venue.name, symbol), set()).update({one.stream}, along)
    watched = {market for market in wanted.markets if has.get(market, set()) & {"trades", "candles"}}
    both = next((market for market in watched if has[market] >= {"trades", "candles"}), None)
    if both is not None:
        raise SetupError(f"it has trades and candles of {both}: expected one of them")
    if watched and header.env != wanted.envs.get(venue.name):
        its, ours = header.env or "production", wanted.envs.get(venue.name) or "production"
        raise SetupError(f"it is of {its}, and the bot's markets of {venue.name} are of {ours}")
    return watched


def _is_within(one: _Span, other: _Span) -> bool:
    """Whether another recording has all that one has, and more."""
    if one is other or not one.markets <= other.markets:
        return False
    is_within = other.begin <= one.begin and one.end <= other.end
    is_same = (one.begin, one.end, one.markets) == (other.begin, other.end, other.markets)
    return is_within and (not is_same or other.path < one.path)
