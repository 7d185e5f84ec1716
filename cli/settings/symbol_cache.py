"""The symbols that a venue listed within the last day, in the user's cache folder: for completions and suggestions.

One file a venue and environment, for its owner only, written beside and renamed. Whatever is wrong with a file, it is
as none: also when it is older than a day, is open to others, or is of another address than the venue has now.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from cli.settings.environment import make_private
from cli.settings.whole_files import write_whole
from venues.toolkit.decoding import DECODE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from venues.records import Instrument
    from venues.venue import Settings

LASTS_MS = 86_400_000
AHEAD_MS = 60_000  # so much the clock may have been set back since the file was written
LARGEST = 16 * 2**20  # bytes of a file
LONGEST_WORD = 200  # characters of a symbol or a currency
VERSION = 1
LEFT_BEHIND_AFTER = 3_600  # seconds after which a file that was begun beside is nobody's any more


class KnownSymbol(msgspec.Struct, array_like=True, frozen=True):
    """A symbol; `base` and `quote` are empty where the venue does not say them."""

    symbol: str
    base: str = ""
    quote: str = ""


class Place(NamedTuple):
    """What a list is of: a venue, its environment, and its addresses there."""

    venue: str
    environment: str
    addresses: tuple[str, str]


class _Kept(msgspec.Struct):
    version: int
    venue: str
    environment: str
    addresses: str
    at: int
    symbols: list[KnownSymbol]


_DECODER = msgspec.json.Decoder(_Kept)


def known_of(instruments: Iterable[Instrument]) -> list[KnownSymbol]:
    """The symbols of a list, without those that have characters which cannot be seen."""
    return [
        KnownSymbol(one.symbol, *(word if word and _is_sound(word) else "" for word in (one.base, one.quote)))
        for one in instruments
        if one.symbol is not None and _is_sound(one.symbol)
    ]


def place_of(venue: str, environment: str | None, settings: Settings) -> Place:
    """The place of the list that a venue has with these settings."""
    return Place(venue, environment or "production", (settings.url, settings.rest_url))


def path_of(place: Place) -> Path | None:
    """The file of a place; None where the user has no cache folder."""
    from platformdirs import user_cache_path

    folder = user_cache_path("mon")
    return folder / f"symbols-{place.venue}-{place.environment}.json" if folder.is_absolute() else None


def kept(place: Place, now_ms: int) -> list[KnownSymbol] | None:
    """The symbols of a place in the order of its list; None where there is no list, or none of the last day."""
    try:
        path = path_of(place)
        found = None if path is None else _DECODER.decode(_content(path))
    except (OSError, ValueError, *DECODE_ERRORS):
        return None
    if found is None or found.version != VERSION or not -AHEAD_MS <= now_ms - found.at < LASTS_MS:
        return None
    if (found.venue, found.environment, found.addresses) != (place.venue, place.environment, _digest(place)):
        return None
    return [one for one in found.symbols if _is_sound(one.symbol) and (one.base + one.quote).isprintable()]


def keep(place: Place, instruments: Iterable[Instrument], now_ms: int) -> bool:
    """Put a list in the place of the one before; whether that could be done. What others began stays whole."""
    symbols = known_of(instruments)
    content = msgspec.json.encode(
        _Kept(VERSION, place.venue, place.environment, _digest(place), now_ms, symbols),
    )
    try:
        path = path_of(place)
        if path is None or len(content) > LARGEST:
            return False
        make_private(path.parent)
        _clear_away(path, now_ms)
        write_whole(path, content)
    except (OSError, ValueError):
        return False
    return True


def _clear_away(path: Path, now_ms: int) -> None:
    """Remove what runs that were ended hard had begun."""
    for part in path.parent.glob(f"{path.name}.*.part"):
        with contextlib.suppress(FileNotFoundError):  # another run was just done with it
            if now_ms / 1000 - part.stat().st_mtime > LEFT_BEHIND_AFTER:
                part.unlink()


def _content(path: Path) -> bytes:
    """What is in a file of ours.

    Raises:
        OSError: there is none, or it cannot be read.
        ValueError: it is not ours: no plain file, too large, somebody else's, or open to others.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe must not be waited for
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode) or state.st_size > LARGEST:
            raise ValueError("no file of ours")
        if os.name == "posix" and (state.st_uid != os.geteuid() or state.st_mode & 0o077):
            raise ValueError("open to others")
        return file.read(LARGEST)


def _digest(place: Place) -> str:
    """The addresses of a place, which are nobody else's business, in a form that only compares."""
    import hashlib

    return hashlib.sha256("\n".join(place.addresses).encode(errors="replace")).hexdigest()


def _is_sound(text: str) -> bool:
    return 0 < len(text) <= LONGEST_WORD and text.isprintable()
