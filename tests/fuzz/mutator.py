"""Makes cases of a corpus: bytes turned, cut, repeated and put together, and JSON changed as JSON.

What is made depends on the corpus and the random numbers alone. The single values come from `venues.testing.mutation`.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from tests.fuzz.judge import LONGEST_CASE
from venues.testing.mutation import LOOSE, STRANGE, longer

NEXT = b"\n\x00"  # between the parts of a case that is made of several
_PARTS = re.compile(rb"\n\x00|\x1e|\n")
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_HUGE = [
    *(
        b"1e999999999",
        b"-1e999999999999999999",
        b"1E-999999999",
        b"9" * 5_000,
        b"-" + b"9" * 5_000,
        b"0." + b"1" * 5_000,
    ),
    *(b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616", b"1e308", b"1e309", b"5e-324", b"-0"),
    *(b"NaN", b"Infinity", b"-Infinity", b"0x10", b"1_000", b"\xd9\xa1\xd9\xa2", b"1.", b".5", b"+1", b"00", b"1e40"),
    *(b"253402300800000", b"-62135596800001", b"1747841759500", b"1e41", b"9" * 41, b"0." + b"0" * 41 + b"1"),
]
_TEXTS = [
    *("", "\ud800", "\udfff", "\x00", "\u202e", "\x1b[2J", "NaN", "Infinity", "1e999999999", "²", "١٢", "a" * 5_000),
    *(
        "[red]",
        "[/]",
        "%s{0}",
        "true",
        "null",
        "2024-01-01T00:00:00Z",
        "0001-01-01T00:00:00-23:59",
        "1" * 5_000,
        "a\u0301" * 99,
    ),
]
_SEPARATORS = [
    b"\x1e",
    b"\x1e\x1e",
    NEXT,
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\x00",
    b",",
    b":",
    b"-",
    b"=",
    b"&",
    b";",
    b"%",
    b"\\",
]
_DIGITS = [
    b"0",
    b"1",
    b"2",
    b"3",
    b"40",
    b"41",
    b"42",
    b"43",
    b"44",
    b"45",
    b"451-",
    b"452-",
    b"46",
    b"42/x,",
    b"429999999999",
    b"b4",
]
_DEEP = [500, 5_000, 20_000]  # levels


class Verbatim(bytes):
    """Bytes that are written into JSON as they are."""


class Doubled(dict[str, Any]):
    """An object, written with each key twice."""


class Mutator:
    """Makes cases; each is a new one."""

    def __init__(self, corpus: Sequence[bytes], chance: random.Random, head: int = 0) -> None:
        self._corpus = corpus
        self._chance = chance
        self._head = head
        self._ways: list[Callable[[bytes], bytes]] = [
            self._flipped,
            self._cut,
            self._without_a_piece,
            self._spliced,
            self._repeated,
            self._grown,
            self._with_loose,
            self._with_separator,
            self._with_number,
            self._with_number,
            self._with_strange,
            self._with_strange,
            self._longer,
            self._as_json,
            self._as_json,
            self._as_json,
            self._as_json,
            self._parts_moved,
        ]

    def case(self) -> bytes:
        """A mutated case of at most `LONGEST_CASE` bytes."""
        chance = self._chance
        case = chance.choice(self._corpus)
        head, rest = case[: self._head], case[self._head :]
        if head and chance.random() < 0.3:
            at = chance.randrange(len(head))
            head = head[:at] + bytes([chance.randrange(256)]) + head[at + 1 :]
        for _ in range(chance.choice([1, 1, 1, 2, 2, 3, 5])):
            rest = chance.choice(self._ways)(rest)
        return (head + rest)[:LONGEST_CASE]

    # --- bytes

    def _place(self, data: bytes) -> int:
        return self._chance.randrange(len(data) + 1)

    def _piece(self, data: bytes) -> tuple[int, int]:
        start = self._place(data)
        return start, min(len(data), start + self._chance.choice([1, 2, 4, 8, 16, 64, 256, 1024]))

    def _flipped(self, data: bytes) -> bytes:
        turned = bytearray(data)
        for _ in range(self._chance.choice([1, 1, 2, 8])):
            if turned:
                turned[self._chance.randrange(len(turned))] ^= 1 << self._chance.randrange(8)
        return bytes(turned)

    def _cut(self, data: bytes) -> bytes:
        return data[: self._place(data)]

    def _without_a_piece(self, data: bytes) -> bytes:
        start, end = self._piece(data)
        return data[:start] + data[end:]

    def _spliced(self, data: bytes) -> bytes:
        other = self._chance.choice(self._corpus)[self._head :]
        return data[: self._place(data)] + other[self._place(other) :]

    def _repeated(self, data: bytes) -> bytes:
        start, end = self._piece(data)
        return data[:end] + data[start:end] * self._chance.choice([1, 2, 10, 100]) + data[end:]

    def _grown(self, data: bytes) -> bytes:
        """One piece again and again, up to the longest case: what takes more than linear time shows here."""
        start, end = self._piece(data)
        if start == end:
            return data
        times = max(0, LONGEST_CASE - self._head - len(data)) // (end - start)
        return data[:end] + data[start:end] * times + data[end:]

    def _with_loose(self, data: bytes) -> bytes:
        at = self._place(data)
        return data[:at] + self._chance.choice(LOOSE) + data[at:]

    def _with_separator(self, data: bytes) -> bytes:
        at = self._place(data)
        return data[:at] + self._chance.choice([*_SEPARATORS, *_DIGITS]) + data[at:]

    def _with_number(self, data: bytes) -> bytes:
        numbers = list(_NUMBER.finditer(data[:8_192]))
        if not numbers:
            return data + self._chance.choice(_HUGE)
        found = self._chance.choice(numbers)
        return data[: found.start()] + self._chance.choice(_HUGE) + data[found.end() :]

    def _with_strange(self, data: bytes) -> bytes:
        values = list(re.finditer(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null', data[:8_192]))
        if not values:
            return data + self._chance.choice(STRANGE)
        found = self._chance.choice(values)
        return data[: found.start()] + self._chance.choice(STRANGE) + data[found.end() :]

    def _longer(self, data: bytes) -> bytes:
        times = self._chance.choice([2, 20, 200, 2_000])
        return data if len(data) > 8_192 else longer(data, times, self._chance.randrange(8))[: LONGEST_CASE * 2]

    def _parts_moved(self, data: bytes) -> bytes:
        parts = data.split(NEXT)
        self._chance.shuffle(parts)
        return NEXT.join(parts[: self._chance.randrange(len(parts)) + 1])

    # --- JSON

    def _as_json(self, data: bytes) -> bytes:
        """One JSON value of the case, changed; anything else where there is none."""
        ends = [0, *(found.end() for found in _PARTS.finditer(data[:LONGEST_CASE])), len(data)]
        places = list(pairwise(ends))
        self._chance.shuffle(places)
        for start, end in places[:20]:
            text = data[start:end].rstrip(b"\x1e\x00\n")
            opening = re.search(rb"[\[{]", text)
            if opening is None:
                continue
            try:
                changed = dumped(self._changed(json.loads(text[opening.start() :])))
            except (ValueError, RecursionError):
                continue
            return data[: start + opening.start()] + changed + data[start + len(text) :]
        return self._flipped(data)

    def _changed(self, value: Any) -> Any:
        chance = self._chance
        inner = isinstance(value, dict | list) and len(value) > 0
        if inner and chance.random() < 0.8:
            if isinstance(value, dict):
                return self._changed_object(value)
            at = chance.randrange(len(value))
            return [*value[:at], self._changed(value[at]), *value[at + 1 :]]
        return self._other(value)

    def _changed_object(self, value: dict[str, Any]) -> dict[str, Any]:
        chance = self._chance
        key = chance.choice(list(value))
        match chance.randrange(8):
            case 0:
                return {name: one for name, one in value.items() if name != key}
            case 1:
                return Doubled(value)
            case 2:
                return {**value, chance.choice([*_TEXTS, key.upper(), f"{key}x"]): value[key]}
        return {**value, key: self._changed(value[key])}

    def _other(self, value: Any) -> Any:
        chance = self._chance
        match chance.randrange(9):
            case 0:
                return str(value) if isinstance(value, int | float) else chance.choice([0, 1, -1, 1.5, True, None])
            case 1 | 2:
                return Verbatim(chance.choice(_HUGE))
            case 3 | 4:
                return chance.choice(_TEXTS)
            case 5:
                opening, closing = chance.choice([(b"[", b"]"), (b'{"a":', b"}")])
                levels = chance.choice(_DEEP)
                return Verbatim(opening * levels + b"1" + closing * levels)
            case 6:
                return [value] * chance.choice([0, 1, 2, 100])
            case 7:
                return {"a": value, "": value}
        return Verbatim(chance.choice(STRANGE))


def dumped(value: Any) -> bytes:
    """JSON text, with what is `Verbatim` as it is and the keys of what is `Doubled` twice."""
    match value:
        case Verbatim():
            return bytes(value)
        case dict():
            members = [json.dumps(name).encode() + b":" + dumped(one) for name, one in value.items()]
            return b"{" + b",".join(members * 2 if isinstance(value, Doubled) else members) + b"}"
        case list():
            return b"[" + b",".join(map(dumped, value)) + b"]"
    return json.dumps(value).encode()
