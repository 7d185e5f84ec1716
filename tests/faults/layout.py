"""Where the parts of a WebSocket line are in its bytes: the HTTP head, the headers of frames, their payloads.

Only as much as the proxy needs to change the bytes of one part and no other.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from tests.faults.schedules import FRAMING, HEAD

PAYLOAD = "payload"


class Span(NamedTuple):
    """`data[start:end]` is of that part. `first` tells whether it begins with the first byte of a frame's header."""

    start: int
    end: int
    part: str
    first: bool = False


class Layout:
    """Follows one way of one connection. Once bytes were changed it follows what was sent before the change."""

    def __init__(self) -> None:
        self._head: bytearray | None = bytearray()  # until it is whole
        self._header = bytearray()
        self._left = 0.0  # of the payload; without end where this is plain HTTP

    def spans(self, data: bytes) -> list[Span]:
        """The parts of the next bytes, in order. Behind a head that is no upgrade everything is payload."""
        found: list[Span] = []
        at = 0
        if self._head is not None:
            at = self._through_head(self._head, data)
            found.append(Span(0, at, HEAD))
        while at < len(data):
            if self._left:
                end = int(min(len(data), at + self._left))
                self._left -= end - at
                found.append(Span(at, end, PAYLOAD))
            else:
                begins = not self._header
                end = self._through_header(data, at)
                found.append(Span(at, end, FRAMING, first=begins))
            at = end
        return found

    def _through_head(self, head: bytearray, data: bytes) -> int:
        """How many of these bytes are of the head."""
        before = len(head)
        head += data
        end = head.find(b"\r\n\r\n", max(0, before - 3))
        if end < 0:
            return len(data)
        self._head = None
        if b"upgrade: websocket" not in head[:end].lower():
            self._left = math.inf
        return end + 4 - before

    def _through_header(self, data: bytes, at: int) -> int:
        """Where the header ends, or the data."""
        while at < len(data):
            self._header.append(data[at])
            at += 1
            if (left := _payload_behind(self._header)) is not None:
                self._left = left
                self._header.clear()
                break
        return at


def _payload_behind(header: bytearray) -> int | None:
    """How long the payload behind a whole header is; None while the header is not whole."""
    if len(header) < 2:
        return None
    short = header[1] & 0x7F
    extended = {126: 2, 127: 8}.get(short, 0)
    mask = 4 if header[1] & 0x80 else 0
    if len(header) < 2 + extended + mask:
        return None
    return int.from_bytes(header[2 : 2 + extended], "big") if extended else short
