"""Faults: what the simulated venues can do wrong on purpose, to see and test what a client makes of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venues.simulator.endpoint import Peer

FaultKind = Literal[
    "drop", "stall", "gap", "skip", "garbage", "refuse", "flap", "close", "expel", "checksum", "halt", "mute", "lag"
]

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0}
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m)", re.ASCII)
_TIMED: Final[dict[str, tuple[FaultKind, float]]] = {
    "drop": ("drop", 5.0),
    "stall": ("stall", 5.0),
    "gap": ("gap", 5.0),
    "skip": ("skip", 1.0),
    "garbage": ("garbage", 1.0),
    "close": ("close", 5.0),
    "expel": ("expel", 5.0),
    "checksum": ("checksum", 5.0),
    "halt": ("halt", 5.0),
    "mute": ("mute", 5.0),
    "lag": ("lag", 5.0),
}
_KNOWN: Final = (
    "drop[:5s], stall[:5s], gap[:5s], skip[:1s], garbage[:1s], refuse[:CODE], flap, close[:5s], expel[:5s], "
    "checksum[:5s], halt[:5s], mute[:5s], lag[:5s]"
)


class FaultError(ValueError):
    """A fault that does not exist, or that no simulated venue can have."""


class Fault(NamedTuple):
    """One fault.

    `drop`: each connection's TCP is aborted `seconds` after it opened, without a close frame.
    `stall`: `seconds` after it opened a connection stays open, but nothing is sent, read or answered any more.
    `gap`: every `seconds` the next change of a book is lost, where the venue numbers them; of a venue that sends
    whole books nothing is ever missing.
    `skip`: every `seconds` the versions of a numbered book leave some out, and nothing is lost.
    `garbage`: every `seconds` a bad frame comes between the good ones.
    `refuse`: every handshake is answered with the HTTP status `code`.
    `flap`: every WebSocket is accepted and closed at once.
    `close`: the venue closes each connection properly, `seconds` after it opened; the client may come again.
    `expel`: the same, and the client is told not to come again, where the protocol can say so.
    `checksum`: every `seconds` one change of each book, or the checksum with it, is wrong, where the venue has such.
    `halt`: every `seconds` the venue goes one step on, where it can say so: maintenance is announced, begins, and ends;
    its first market alone is halted, and goes on.
    `mute`: `seconds` after it opened a connection brings no data any more; what is asked for is still acknowledged.
    `lag`: books over HTTP are `seconds` behind the changes that are sent, where the venue has both.
    """

    kind: FaultKind
    seconds: float = 0.0
    code: int = 0


def parse_fault(text: str) -> Fault:
    """Read a fault as `mon sim --fault` takes it: `drop`, `stall:500ms`, `gap:2s`, `refuse:503`, `flap`.

    Raises:
        FaultError: it is unknown, or its parameter is not what it takes.
    """
    name, colon, parameter = text.partition(":")
    given = parameter if colon else None
    if name in _TIMED:
        kind, seconds = _TIMED[name]
        return Fault(kind, seconds if given is None else _seconds(text, given))
    if name == "refuse":
        return Fault("refuse", code=403 if given is None else _status(text, given))
    if name == "flap":
        if given is not None:
            raise FaultError(f"expected flap without a parameter, got {text!r}")
        return Fault("flap")
    raise FaultError(f"expected a fault, one of {_KNOWN}; got {text!r}")


def _seconds(text: str, parameter: str) -> float:
    match = _DURATION.fullmatch(parameter)
    if match is None or (seconds := float(match[1]) * _UNITS[match[2]]) <= 0:
        raise FaultError(f"expected a duration above 0 like 500ms, 5s or 2m after the colon, got {text!r}")
    return seconds


def _status(text: str, parameter: str) -> int:
    if not re.fullmatch(r"[45]\d\d", parameter, re.ASCII):
        raise FaultError(f"expected an HTTP status from 400 to 599 after the colon, got {text!r}")
    return int(parameter)


# --- the fault `garbage` ----------------------------------------------------------------------------------------------

# JSON in the place of a price: text, no number, not finite as a float, too long to be written out.
BAD_NUMBERS: Final = ('"abc"', "NaN", "1e400", "1e999999999999999999")
_HUGE: Final = 20 * 1024 * 1024
_NESTED: Final = 10_000


class BadFrame(NamedTuple):
    """A frame's content; `text` says what it pretends to be."""

    data: bytes
    text: bool = True


def bad_frames(peer: Peer) -> Iterator[BadFrame]:
    """Bad frames without end, always in the same order: the venue's own, those of any venue, and a huge one last."""
    while True:
        yield BadFrame(b"this is not JSON")
        for data in peer.garbage():
            yield BadFrame(data)
        yield BadFrame(b"[" * _NESTED + b"]" * _NESTED)
        yield BadFrame(b'{"event":"\xff\xfe\xc0"}')
        yield BadFrame(b"\x00\x01\x02\xff", text=False)
        yield BadFrame(b"")
        yield BadFrame(b'"%b"' % (b"x" * _HUGE))
