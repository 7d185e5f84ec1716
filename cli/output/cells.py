"""Values as text: prices and sizes with all their digits, times, sides; and a venue's text made harmless."""

from __future__ import annotations

import re
import time
import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import tzinfo
    from decimal import Decimal

ABSENT = "—"
LONGEST_TEXT = 300
LONGEST_NAME = 40  # of a venue or a symbol among other words
SHORT = 12
MOST_MARKS = 3  # on one character

_NOT_ASCII = re.compile(r"[^\x20-\x7e]+")


def _characters(*ranges: tuple[int, int]) -> frozenset[str]:
    return frozenset(chr(code) for first, last in ranges for code in range(first, last + 1))


# Unicode's Default_Ignorable_Code_Point, as far as the category does not tell it: letters and marks that are not drawn.
# The two variation selectors that emojis are written with (U+FE0E, U+FE0F) count as marks.
_INVISIBLE = _characters(
    (0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x3164, 0x3164), (0xFE00, 0xFE0D),
    (0xFFA0, 0xFFA0), (0xE0100, 0xE01EF),
)  # fmt: skip
# Vowels and finals of Hangul, which are drawn on the consonant before them.
_JAMO_ON_OTHERS = _characters((0x1161, 0x11FF), (0xD7B0, 0xD7FF))


def unit(name: str | None) -> str:
    """The unit of a figure, where it is not the usual one, as a word behind it: " ticks", " raw lots"; else nothing."""
    return "" if name is None else f" {short(name).replace('_', ' ')}"


def number(value: Decimal | None) -> str:
    """A figure with all its digits and without an exponent; a dash for one that the venue did not send."""
    return ABSENT if value is None else format(value, "f")


def signed(value: Decimal | None) -> str:
    """As `number`, and gains have a sign too."""
    if value is None:
        return ABSENT
    return format(value, "+f") if value else format(value, "f")


def now_ms() -> int:
    """Our wall clock, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def column(values: Sequence[Decimal | None], *, with_sign: bool = False) -> list[str]:
    """Numbers for one column, right-aligned so that their decimal points stand below each other; no digit is cut."""
    if not values:
        return []
    parts = [(signed(value) if with_sign else number(value)).partition(".") for value in values]
    places = max(len(fraction) for _, _, fraction in parts)
    padded = []
    for whole, point, fraction in parts:
        missing = places - len(fraction) + (1 if places and not point else 0)
        padded.append(whole + point + fraction + " " * missing)
    return padded


def clock(epoch_ms: int | None, *, millis: bool = True, tz: tzinfo | None = None) -> str:
    """A time of day in a time zone, the local one unless said otherwise."""
    if epoch_ms is None:
        return ABSENT
    try:
        moment = datetime.fromtimestamp(epoch_ms // 1000, UTC).astimezone(tz)
    except (ValueError, OverflowError, OSError):
        return ABSENT
    text = moment.strftime("%H:%M:%S")
    return f"{text}.{epoch_ms % 1000:03}" if millis else text


def duration(milliseconds: float) -> str:
    """A length of time that a person reads at a glance."""
    seconds = max(0.0, milliseconds / 1000)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


def age(milliseconds: float) -> str:
    """A length of time in whole units, for what is counted up or down on the screen."""
    seconds = max(0, int(milliseconds // 1000))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def harmless(text: str, longest: int = LONGEST_TEXT) -> str:
    """Text from outside that cannot do anything to a terminal: whatever controls is shown as an escape."""
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return escaped(text, _escape)


def harmless_json(text: str) -> str:
    """As `harmless`, for one line of JSON of any length; the result stands for the same values."""
    return escaped(text, _json_escape)


def escaped(text: str, escape: Callable[[str], str]) -> str:
    """The text, with an escape for each character that controls or cannot be seen, and for marks that pile up.

    Of marks that are put on a character before them three stay on each; more would cover the lines around it.
    """
    if text.isascii() and text.isprintable():
        return text
    return _NOT_ASCII.sub(lambda run: _escaped_run(run, escape), text)


def short(text: str, width: int = SHORT) -> str:
    """A venue's unit or currency, made harmless; in at most so many cells, lest it drive figures off the screen."""
    text = harmless(text, width)
    if text.isascii() and len(text) <= width:
        return text
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def _escaped_run(run: re.Match[str], escape: Callable[[str], str]) -> str:
    room = MOST_MARKS if run.start() else 0  # for marks: at the beginning there is nothing that they could be put on
    out = []
    for character in run[0]:
        shown = _can_be_seen(character)
        if shown and not _is_mark(character):
            room = MOST_MARKS
        elif shown and room:
            room -= 1
        else:
            shown, room = False, 0
        out.append(character if shown else escape(character))
    return "".join(out)


def _can_be_seen(character: str) -> bool:
    if character in _INVISIBLE:
        return False
    return character.isprintable() and unicodedata.category(character) not in ("Cf", "Co")


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M" or character in _JAMO_ON_OTHERS


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", errors="surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
