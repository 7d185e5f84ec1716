"""What msgspec says of a bad frame, in our words."""

from __future__ import annotations

import decimal
import re

import msgspec

# Everything that decoding an arbitrary frame can raise: deep nesting and bad UTF-8 are not MsgspecErrors, and
# `float_hook=Decimal` refuses exponents that do not fit a machine word.
DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, decimal.DecimalException)

_WRONG_TYPE = re.compile(r"Expected `(?P<expected>.*)`, got `(?P<got>.*)` - at `\$\.?(?P<path>.*)`")
_WRONG_TYPE_AT_TOP = re.compile(r"Expected `(?P<expected>.*)`, got `(?P<got>.*)`")
_OUT_OF_RANGE = re.compile(r"Expected `(?P<expected>.*)` (?P<bound>[<>]=? \S+) - at `\$\.?(?P<path>.*)`")
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]*)`(?: - at `\$\.?(?P<path>.*)`)?")


def explain(error: Exception) -> str:
    """One of `DECODE_ERRORS` as "expected …, got …"; never longer than 200 characters."""
    if isinstance(error, RecursionError):
        return "expected a message, got JSON nested too deeply"
    if isinstance(error, UnicodeDecodeError):
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
    if beyond := _OUT_OF_RANGE.fullmatch(text):
        return f"expected {beyond['expected']} {beyond['bound']} at `{beyond['path']}`, got another"
    if wrong := _WRONG_TYPE_AT_TOP.fullmatch(text):
        return f"expected {wrong['expected']}, got {wrong['got']}"
    return text[:1].lower() + text[1:].replace("`$.", "`")
