"""What may be wrong with a frame: one thing in it is damaged, or only odd."""

from __future__ import annotations

import re
from random import Random

_SCALAR = re.compile(rb'(?<=[:\[,])("(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null)')
_KEY = re.compile(rb'"(\w+)":')
_ODD = (b"null", b"-1", b"0", b'""', b'"x"', b"1e300", b"true", b"[]", b"{}", b'"0"', b"7", b'"2026-11-29T08:00:00Z"')


def damaged(frame: bytes, random: Random) -> bytes:
    """A frame with one thing in it that is wrong, or only odd."""
    values, names = list(_SCALAR.finditer(frame)), list(_KEY.finditer(frame))
    how = random.random()
    if how < 0.6 and values:
        found = random.choice(values)
        return frame[: found.start()] + random.choice(_ODD) + frame[found.end() :]
    if how < 0.75 and names:
        found = random.choice(names)
        return frame[: found.start(1)] + b"no_such_name" + frame[found.end(1) :]
    if how < 0.85 and len(values) > 1:
        first, second = sorted(random.sample(values, 2), key=lambda one: one.start())
        between = frame[first.end() : second.start()]
        return frame[: first.start()] + second[0] + between + first[0] + frame[second.end() :]
    if how < 0.95:
        return frame[: random.randrange(len(frame) + 1)]
    return random.choice((b"", b"{}", b"[]", b"null", b"\xff", b"hello", frame + frame))
