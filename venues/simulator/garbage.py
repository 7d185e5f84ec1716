"""Bad frames, for the fault of that name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venues.simulator.endpoint import Peer

# As JSON text where a price should be: text, not a number, not finite as a float, too long to be written out.
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
