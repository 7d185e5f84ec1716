"""Decodes frames, and puts msgspec's errors about bad ones in our words.

Servers change how they write the same thing. A `Reader` decodes the usual spelling at msgspec's own speed. It reads a
frame once more if the spelling is another; `venues.toolkit.spellings` has those that are accepted.
"""

from __future__ import annotations

import decimal
import re
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec

from venues.toolkit.spellings import left_as_sent, respelled
from venues.toolkit.times import LATEST_MS, LATEST_S

# Everything that decoding an arbitrary frame can raise: deep nesting and bad UTF-8 are not MsgspecErrors, and
# `float_hook=Decimal` refuses exponents that do not fit a machine word.
DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, decimal.DecimalException)
_NO_UTF8 = "Invalid UTF-8 encoded string"  # how msgspec says it since 0.23, as an error of its own

T = TypeVar("T")

# A whole pair, half of one, or any other escape (so that the `u` behind an escaped backslash is none).
_ESCAPES = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)

_WRONG_TYPE = re.compile(r"Expected `(?P<expected>.*)`, got `(?P<got>.*)` - at `\$\.?(?P<path>.*)`", re.DOTALL)
_WRONG_TYPE_AT_TOP = re.compile(r"Expected `(?P<expected>.*)`, got `(?P<got>.*)`", re.DOTALL)
_NO_SUCH_WORD = re.compile(r"Invalid enum value '?(?P<got>.*?)'? - at `\$\.?(?P<path>.*)`", re.DOTALL)
_OUT_OF_RANGE = re.compile(r"Expected `(?P<expected>.*)` (?P<bound>[<>]=? \S+) - at `\$\.?(?P<path>.*)`")
_BOUNDS_OF_TIME = {f"<= {LATEST_MS}": "milliseconds", f"<= {LATEST_S}": "seconds"}
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]*)`(?: - at `\$\.?(?P<path>.*)`)?")


class Reader(Generic[T]):
    """A decoder of one shape.

    `decode` reads a frame; `quick` alone is msgspec's, for hot paths whose caller asks `again` after an error of it.
    """

    def __init__(self, shape: Any, *, respells: bool = True) -> None:
        """`shape`: a type whose annotations say what may be spelled otherwise.

        `respells`: whether other spellings are accepted: yes for a venue's messages, no for those of a protocol.
        """
        self._respells = respells
        self.decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(shape, float_hook=Decimal)
        self.quick = self.decoder.decode

    def decode(self, frame: bytes | str | msgspec.Raw) -> T:
        """The message of a frame, in the usual or another accepted spelling.

        Raises:
            DECODE_ERRORS: it is no such message, in any spelling.
        """
        try:
            return self.quick(frame)
        except msgspec.DecodeError as error:
            return self.again(frame, error)

    def again(self, frame: bytes | str | msgspec.Raw, error: Exception) -> T:
        """The message of a frame that `quick` has refused with `error`, read in other spellings.

        Raises:
            DECODE_ERRORS: it is no such message, in any spelling.
        """
        if not isinstance(error, msgspec.DecodeError):  # too deep, or no UTF-8
            raise error
        data = frame.encode() if isinstance(frame, str) else bytes(frame)
        try:
            return read_again(self.decoder, data, error)[0]
        except msgspec.ValidationError as problem:
            if not self._respells:
                raise
            return self._respelled(data, problem)

    def _respelled(self, frame: bytes, problem: msgspec.ValidationError) -> T:
        shape: Any = self.decoder.type
        mended = without_halves(frame)
        try:
            usual = respelled(_ANY.decode(mended), shape)
            if usual is not None and (untouched := left_as_sent(shape)):
                parts = _PARTS.decode(mended)
                usual.update({name: parts[name] for name in untouched & parts.keys()})
        except DECODE_ERRORS:  # in a part that is none of the shape's
            usual = None
        if usual is None:
            raise problem
        converted: T = msgspec.convert(usual, shape)
        return converted


_ANY = msgspec.json.Decoder(float_hook=Decimal)
_PARTS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_again(decoder: msgspec.json.Decoder[T], frame: bytes, error: Exception) -> tuple[T, bytes]:
    """Decodes a frame that a decoder has refused with `error` once more, without halves of surrogate pairs.

    Returns the decoded value and the bytes that it was decoded from.

    Raises:
        DECODE_ERRORS: `error`, or another of the mended frame.
    """
    mended = without_halves(frame)
    if mended == frame:
        raise error
    return decoder.decode(mended), mended


def without_halves(frame: bytes) -> bytes:
    r"""JSON with U+FFFD in the place of each half of a surrogate pair.

    RFC 8259 allows `"\ud83d"`, an emoji that was cut in half by a server in JavaScript; msgspec does not.
    """
    if b"\\ud" not in frame and b"\\uD" not in frame:
        return frame
    return _ESCAPES.sub(lambda match: b"\\ufffd" if match[1] else match[0], frame)


def explain(error: Exception) -> str:
    """One of `DECODE_ERRORS` as "expected …, got …"; never longer than 200 characters."""
    if isinstance(error, RecursionError):
        return "expected a message, got JSON nested too deeply"
    if isinstance(error, UnicodeDecodeError) or str(error) == _NO_UTF8:
        return "expected UTF-8 text, got other bytes"
    if isinstance(error, decimal.DecimalException):
        return "expected a number, got one beyond any range"
    if isinstance(error, msgspec.ValidationError):
        return excerpt(_explain_shape(str(error)), 200)
    return excerpt(f"expected JSON, got something else: {error}", 200)


def excerpt(text: str, length: int) -> str:
    """The text, cut to `length` characters with an ellipsis."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _explain_shape(text: str) -> str:
    if missing := _MISSING.fullmatch(text):
        path = ".".join(part for part in (missing["path"], missing["field"]) if part)
        return f"expected a value at `{path}`, got none"
    if wrong := _WRONG_TYPE.fullmatch(text):
        return f"expected {wrong['expected']} at `{wrong['path']}`, got {wrong['got']}"
    if word := _NO_SUCH_WORD.fullmatch(text):
        return f'expected a documented word at `{word["path"]}`, got "{excerpt(word["got"], 60)}"'
    if beyond := _OUT_OF_RANGE.fullmatch(text):
        if unit := _BOUNDS_OF_TIME.get(beyond["bound"]):
            return f"expected {unit} since the epoch at `{beyond['path']}`, got another number"
        return f"expected {beyond['expected']} {beyond['bound']} at `{beyond['path']}`, got another"
    if wrong := _WRONG_TYPE_AT_TOP.fullmatch(text):
        return f"expected {wrong['expected']}, got {wrong['got']}"
    return text[:1].lower() + text[1:].replace("`$.", "`")
