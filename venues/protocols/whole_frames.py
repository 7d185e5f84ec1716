"""WebSocket frames that are a message each, cut out of the bytes that were read, without a parser's steps in between.

Nearly all that a venue says comes in such frames. Every other one (control frames, fragments, compressed, masked and
longer ones) is for the library that speaks WebSocket. RFC 6455, section 5.2.
"""

from __future__ import annotations

_TEXT, _BINARY = 0x81, 0x82  # final, and no reserved bit, so not compressed
_IN_TWO_BYTES = 126  # what stands for the length where two more bytes have it


def whole_messages(data: bytes, most: int) -> tuple[list[bytes], bytes, bool]:
    """The messages at the beginning of `data`, which begins where a frame does: at most `most` of them, in order.

    A message is the payload of one final text or binary frame, neither compressed nor masked, of at most 65,535 bytes.
    With them comes what is left of `data`, and whether that is one more such frame whose end is missing.
    """
    messages: list[bytes] = []
    at, end, cut = 0, len(data), False
    for _ in range(most):
        start = at + 2
        if start > end:
            cut = at < end and data[at] in (_TEXT, _BINARY)
            break
        head, length = data[at], data[at + 1]
        if (head != _TEXT and head != _BINARY) or length > _IN_TWO_BYTES:
            break
        if length == _IN_TWO_BYTES:
            start = at + 4
            if start > end:
                cut = True
                break
            length = data[at + 2] << 8 | data[at + 3]
        stop = start + length
        if stop > end:
            cut = True
            break
        messages.append(data[start:stop])
        at = stop
    return messages, data[at:], cut
