"""What the terminal can do, as the environment tells: colours, characters, size; and what --palette and --tz wish."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cli.screen.look import PALETTES, Look, Palette
from cli.settings import config
from cli.settings.environment import is_dumb, variables
from venues.errors import SetupError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import tzinfo

SIZE_OF_A_PIPE = (80, 24)


def look_for(
    palette: str | None,
    tz: str | None,
    *,
    to_terminal: bool,
    epoch_ms: Callable[[], int],
    mono_ms: Callable[[], int] | None = None,
) -> Look:
    """How things look here: what the options say comes before what the config file says under [screen].

    Raises:
        UsageError: there is no such time zone.
        SetupError: the config file has something unknown there.
    """
    wishes = config.load().screen()
    return Look(
        palette=_palette(palette, wishes.get("palette")),
        unicode=has_unicode(variables(), getattr(sys.stdout, "encoding", None) or "ascii"),
        color=has_color(variables(), to_terminal=to_terminal),
        tz=_zone(tz, wishes.get("tz")),
        epoch_ms=epoch_ms,
        mono_ms=mono_ms,
    )


def has_color(environment: Mapping[str, str], *, to_terminal: bool) -> bool:
    """`NO_COLOR` and `FORCE_COLOR` decide; else a terminal has colours, unless it is a dumb one."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return to_terminal and not is_dumb(environment)


def has_unicode(environment: Mapping[str, str], encoding: str) -> bool:
    """Whether more than ASCII can be shown; `encoding` is what Python thinks of stdout.

    Python takes UTF-8 also where the user has asked for the C locale, and then sets LC_CTYPE itself.
    """
    names = ("LC_ALL", "LANG") if environment.get("LC_CTYPE") == "C.UTF-8" else ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next((environment[name] for name in names if environment.get(name)), "")
    charset = locale.partition(".")[2].partition("@")[0]
    if charset:
        return _plain(charset) == "utf8"
    return locale not in ("C", "POSIX") and _plain(encoding) == "utf8"


def color_depth(environment: Mapping[str, str]) -> str:
    """How many colours the terminal has, in rich's words."""
    term = environment.get("TERM", "")
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "truecolor"
    return "256" if term.endswith(("-256color", "-direct", "-kitty")) or not term else "standard"


def size(environment: Mapping[str, str], descriptor: int) -> tuple[int, int]:
    """Columns and lines: those of the terminal, but no more than `COLUMNS` and `LINES` ask for."""
    columns, lines = _number(environment.get("COLUMNS")), _number(environment.get("LINES"))
    try:
        real = os.get_terminal_size(descriptor)
    except OSError:
        return columns or SIZE_OF_A_PIPE[0], lines or SIZE_OF_A_PIPE[1]
    if not real.columns or not real.lines:  # a serial line, say, that does not know
        return columns or SIZE_OF_A_PIPE[0], lines or SIZE_OF_A_PIPE[1]
    return min(columns or real.columns, real.columns), min(lines or real.lines, real.lines)


def _number(text: str | None) -> int | None:
    """A sensible count; None for whatever is none, which is ignored."""
    return int(text) if text and text.isascii() and text.isdigit() and 0 < len(text) < 5 and int(text) > 0 else None


def _plain(charset: str) -> str:
    return charset.lower().replace("-", "").replace("_", "")


def _palette(asked: str | None, configured: str | None) -> Palette:
    for palette in PALETTES:
        if palette == (asked or configured):
            return palette
    if asked or configured:
        raise SetupError(f'expected {", ".join(PALETTES)} as palette under [screen], got "{asked or configured}"')
    return "default"


def _zone(asked: str | None, configured: str | None) -> tzinfo | None:
    name = asked or configured or "local"
    if name == "local":
        return None
    if name.lower() in ("utc", "z"):
        from datetime import UTC

        return UTC
    if (offset := _offset(name)) is not None:
        return offset
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        problem = UsageError if asked else SetupError
        place = "--tz" if asked else "tz under [screen]"
        raise problem(f'expected local, utc, a time zone such as Europe/Zurich or an offset such as +05:30 as {place}, '
                      f'got "{name}"') from None  # fmt: skip


def _offset(name: str) -> tzinfo | None:
    """A fixed distance from UTC, as the header writes it; None for what is none."""
    import re
    from datetime import timedelta, timezone

    match = re.fullmatch(r"(?:UTC)?([+-])(\d{1,2})(?::?([0-5]\d))?", name, re.ASCII | re.IGNORECASE)
    if match is None or int(match[2]) > 14:
        return None
    distance = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return timezone(distance if match[1] == "+" else -distance)
