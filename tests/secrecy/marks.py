"""A mark stands for a secret: a text that occurs nowhere else, and that says by itself which place it was put into.

A mark is `mA` + 8 characters, something that has to be encoded, 8 characters + `Bm`. No encoding for URLs, JSON, HTML,
TOML or a shell changes its halves; so whoever finds a piece of a half has found the mark, also where it was cut in
two, escaped, or broken at the end of a line. Base64 and hexadecimal are looked for beside that.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from urllib.parse import unquote, unquote_plus

PIECE = 8  # characters: `mon` hides what has 8 of a secret's characters in a row from its beginning on
TRICKY = '/+"\\é&%'  # what URLs, JSON, HTML, TOML and shells each have to escape
SHAPE = re.compile(rf"mA[0-9A-Z]{{8}}(?:{re.escape(TRICKY)})?[0-9A-Z]{{8}}Bm")

_CONTROL = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[()][0-9A-Za-z]|\x1b.")


def mark(place: str, *, tricky: bool = True) -> str:
    """The mark of a place. `tricky`: with characters that encodings change; not where none may be, as in a cookie."""
    letters = base64.b32encode(hashlib.sha256(place.encode()).digest()).decode()
    return f"mA{letters[:8]}{TRICKY if tricky else ''}{letters[8:16]}Bm"


@cache
def pieces(marked: str) -> frozenset[str]:
    """What gives a mark away: of each half the first and the last `PIECE` characters, plain or coded."""
    halves = marked[:10], marked[-10:]
    plain = {part for half in halves for part in (half[:PIECE], half[-PIECE:])}
    coded = {half.encode().hex() for half in halves}
    for half in halves:
        for shift in range(3):  # where the half begins within a group of three bytes
            whole = base64.b64encode(b"\0" * shift + half.encode()).decode().rstrip("=")
            coded.add(whole[4 if shift else 0 : -2])
    return frozenset(plain | coded)


def found(text: str, marks: Mapping[str, str]) -> set[str]:
    """The places (the keys of `marks`) whose marks, or halves of them, are in a text."""
    looked_at = text, "".join(text.split())  # the second for a mark that a line's end has cut
    parts = {part for one in looked_at for part in _LIKE_A_PIECE.findall(one)}
    coded = "\n".join(run for one in looked_at for run in _LIKE_A_CODE.findall(one))
    return {place for place, marked in marks.items() if _is_in(marked, parts, coded)}


# What can be a piece at all, which is quickly found: most texts have nothing like it.
_LIKE_A_PIECE = re.compile(r"(?=(mA[A-Z2-7]{6}|[A-Z2-7]{6}Bm|[A-Z2-7]{8}))")
_LIKE_A_CODE = re.compile(r"[A-Za-z0-9+/]{11,}")


def _is_in(marked: str, parts: Collection[str], coded: str) -> bool:
    return any(piece in parts if len(piece) == PIECE else piece in coded for piece in pieces(marked))


def shown_by(terminal: bytes) -> str:
    """What a terminal was sent, with the control sequences and without, so that none hides a part of a mark.

    The text within an OSC (the title of a window, say) is in the first half.
    """
    text = terminal.decode(errors="replace")
    return f"{text}\n{_CONTROL.sub(b'', terminal).decode(errors='replace')}"


def read_from(data: str) -> Iterable[str]:
    """Every mark in what a client sent, however it was encoded; for servers that say it back."""
    ways = [data, unquote(data), unquote_plus(data), data.encode("latin-1", "replace").decode(errors="replace")]
    ways += [way.replace('\\"', '"').replace("\\\\", "\\").replace("\\u00e9", "é") for way in ways]
    for credentials in re.findall(r"Basic ([A-Za-z0-9+/=]+)", data):
        ways.append(base64.b64decode(credentials + "==").decode(errors="replace"))
    return dict.fromkeys(one for way in ways for one in SHAPE.findall(way))
