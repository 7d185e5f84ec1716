"""Forms as they are posted, `a=1&b=2` and in parts. Pure; what the sender decides takes linear time.

Python's own parser of mail is asked for the head of one part only, which is bounded: it takes quadratic time for long
parameters, and for parts within parts.
"""

from __future__ import annotations

import email
import email.utils
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from email.message import Message

LONGEST_HEAD = 1_000  # bytes of what is said of a part: its name, its file's name, its type
MOST_PARTS = 1_000

_EMPTY_LINE = re.compile(rb"\r?\n\r?\n")


class FormError(ValueError):
    """A body that is no form; the text says what was expected and what came."""


def form(body: bytes) -> dict[str, str] | None:
    """The fields of a form. None for JSON, which `curl -d` sends as a form unless told otherwise.

    Raises:
        FormError: it is not in UTF-8.
    """
    if body.lstrip()[:1] in (b"{", b"[") or b"=" not in body:
        return None
    try:
        return dict(parse_qsl(body.decode().strip(), keep_blank_values=True, errors="strict"))
    except ValueError:
        raise FormError("expected a form in UTF-8, got other bytes") from None


def form_in_parts(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a form in parts (multipart/form-data); a file is its content.

    Raises:
        FormError: it is none, or a part is not text.
    """
    fields: dict[str, str] = {}
    for part in _parts(_boundary(content_type), body):
        # A part without a head begins with the empty line.
        head, content = [*_EMPTY_LINE.split(b"\n" + part, 1), b""][:2]
        if len(head) > LONGEST_HEAD:
            raise FormError(f"expected at most {LONGEST_HEAD} bytes before the content of a part, got more")
        name, found = _field(head.lstrip(), content)
        try:
            fields[name] = found.decode()
        except UnicodeDecodeError:
            raise FormError(f"expected text in UTF-8 as {name[:100]} of a form, got other bytes") from None
    if not fields:
        raise FormError("expected a form in parts, got something else")
    return fields


def _boundary(content_type: str) -> bytes:
    said = _message(f"Content-Type: {content_type[:LONGEST_HEAD]}").get_param("boundary")
    boundary = email.utils.collapse_rfc2231_value(said).rstrip() if said is not None else ""
    if not boundary:
        raise FormError("expected a form in parts with its boundary in the content type, got none")
    return boundary.encode(errors="replace")


def _parts(boundary: bytes, body: bytes) -> list[bytes]:
    """The parts between the boundaries: what is before the first and behind the last one means nothing."""
    between = re.compile(rb"(?:^|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r?\n|$)")
    parts: list[bytes] = []
    begun = None
    for found in between.finditer(body):
        if begun is not None:
            parts.append(body[begun : found.start()])
        begun = None if found[1] else found.end()
        if found[1] or len(parts) > MOST_PARTS:
            break
    if begun is not None:  # the last boundary is missing
        parts.append(body[begun:])
    if len(parts) > MOST_PARTS:
        raise FormError(f"expected at most {MOST_PARTS} parts of a form, got more")
    return parts


def _field(head: bytes, content: bytes) -> tuple[str, bytes]:
    """A part's name and its content."""
    try:
        said = _message(head.decode())  # browsers send names as they are
    except UnicodeDecodeError:
        raise FormError("expected the name of each part of a form in UTF-8, got other bytes") from None
    name = said.get_param("name", header="content-disposition")
    if name is None:
        raise FormError("expected a name for each part of a form, got none")
    if said.get_content_maintype() == "multipart":
        raise FormError("expected a form in parts, got parts within parts")
    if "Content-Transfer-Encoding" in said:
        said.set_payload(content.decode("ascii", "surrogateescape"))
        decoded = said.get_payload(decode=True)
        content = decoded if isinstance(decoded, bytes) else content
    return email.utils.collapse_rfc2231_value(name), content


def _message(head: str) -> Message:
    return email.message_from_string(head + "\n\n")
