"""Keeps secrets out of everything that is shown, logged or kept."""

from __future__ import annotations

import base64
import re
from decimal import Decimal, DecimalException
from functools import cached_property, lru_cache
from html import unescape
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, unquote_plus, urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECRET_WORDS = ("token", "secret", "password", "passphrase", "key")
T = TypeVar("T")

SHORTEST_BY_VALUE = 8  # shorter secrets would turn ordinary text into holes; they are hidden by position only
MOST_ENCODED = 64  # characters of a secret that an encoding changes and whose spellings are known: each costs 0.3 ms
LONGEST_ENCODING = 28  # characters
TOO_DEEP = "[an answer nested too deeply to be shown]"
SPELLINGS_KEPT = 1_024  # of one character: a long secret has few of them, many times
SHORTEST_CUT = 4  # characters of a secret before an ellipsis that are hidden too
LONGEST_WITH_CUTS = 4096  # characters; texts cut with an ellipsis are for people, so they are short


def _as_sent(number: str) -> Decimal | str:
    try:
        return Decimal(number)
    except DecimalException:  # its exponent has some twenty digits
        return number


# An answer is written again with the digits that it came with.
_EXACT: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=_as_sent)
_AS_NUMBERS = msgspec.json.Encoder(decimal_format="number")

_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")  # what no encoding changes
_PIECES = re.compile(rf"{_PLAIN.pattern}|\\\\+|.", re.DOTALL)
_DIGITS = re.compile("[0-9]+")
_INCOMPLETE = re.compile(r"(?:%[0-9A-Fa-f]?|\\+(?:u[0-9A-Fa-f]{0,3})?|&\#?[0-9A-Za-z]*)$")
_UNICODE = re.compile(r"\\+(?:u([0-9A-Fa-f]{4})|(.))")
_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}


class _Hidden:
    """One secret: what to look for first, because that is quick; all its spellings; what stands in its place.

    `template` is `shown` as `re.sub` wants it. The patterns are made when something has to be searched: most never are.
    """

    def __init__(self, value: str, shown: str) -> None:
        self.value = value
        self.anchor = _anchor(value, shown)
        self.anchor_bytes = self.anchor.encode()
        self.shown = shown
        self.template = shown.replace("\\", r"\\")

    @cached_property
    def text(self) -> re.Pattern[str]:
        """The whole secret in a text."""
        return re.compile(self._pattern)

    @cached_property
    def data(self) -> re.Pattern[bytes]:
        """The whole secret in bytes."""
        return re.compile(self._pattern.encode())

    @cached_property
    def beginning(self) -> re.Pattern[str]:
        """The first characters of the secret in a text."""
        return re.compile("".join(map(_spellings, _PIECES.findall(self.value[:SHORTEST_CUT]))))

    @property
    def _pattern(self) -> str:
        pieces = _PIECES.findall(self.value)
        encoded = [index for index, piece in enumerate(pieces) if not _PLAIN.match(piece)]
        end = encoded[MOST_ENCODED] if len(encoded) > MOST_ENCODED else len(pieces)
        pattern = "".join(map(_spellings, pieces[:end]))
        if rest := "".join(pieces[end:]):  # as it is, or however it is encoded up to a space
            pattern += rf"(?:{re.escape(rest)}|\S{{0,{LONGEST_ENCODING * len(rest)}}})"
        if _DIGITS.fullmatch(self.value):  # the middle of a longer number is another number
            pattern = rf"(?<![0-9])(?<![0-9]\.){pattern}(?!\.?[0-9])"
        return pattern


class Redactor:
    """Replaces secrets by their names in brackets, e.g. `[client_key]`.

    Learns new values as they are fetched (a `…_command` may give another one for each connection) and keeps the old.
    """

    def __init__(self) -> None:
        self._hidden: list[_Hidden] = []

    @property
    def known(self) -> int:
        """How many secrets it knows. While it stays the same, a text without secrets need not be checked again."""
        return len(self._hidden)

    def learn(self, secrets: Mapping[str, str]) -> None:
        """Secrets by name, to be hidden wherever their values appear from now on, also encoded (URL, JSON, HTML)."""
        for name, value in secrets.items():
            if len(value) >= SHORTEST_BY_VALUE:
                self._hide(value, f"[{name}]")

    def learn_url(self, url: str, shown: str) -> None:
        """A URL with a secret in a known place, and how it is to be shown; hides short secrets too."""
        if url == shown:
            return
        self._hide(unquote(url), shown)
        path, shown_path = _after_host(url), _after_host(shown)
        if path == shown_path:
            return
        # A server behind another one may know the end of the path only.
        above, _, _ = path[: _first_difference(path, shown_path) + 1].rpartition("/")
        for start in {0, max(0, above.rfind("/"))}:
            if len(path) - start >= SHORTEST_BY_VALUE:
                self._hide(unquote(path[start:]), shown_path[start:])

    def text(self, text: str) -> str:
        """The text without secrets, also where an ellipsis has cut one."""
        for hidden in self._hidden:
            if hidden.anchor in text:
                text = hidden.text.sub(hidden.template, text)
        if len(text) <= LONGEST_WITH_CUTS:
            if "…" in text:
                text = self._without_cut(text)
            text = self._without_beginnings(text)
        return text

    def data(self, data: bytes) -> bytes:
        """The bytes without secrets."""
        for hidden in self._hidden:
            if hidden.anchor_bytes in data:
                data = hidden.data.sub(hidden.template.encode(), data)
        return data

    def answer(self, body: str) -> str:
        """An HTTP answer without the tokens and keys in it, by their names; they are hidden from now on."""
        found: list[tuple[str, str]] = []
        try:
            hidden = _without_secrets(_EXACT.decode(body), found)
        except msgspec.MsgspecError:
            return self.text(body)
        except RecursionError:
            return TOO_DEEP  # what is in it may be a token
        if not found:
            return self.text(body)
        for name, value in found:
            self.learn({name: value})
        return self.text(_AS_NUMBERS.encode(hidden).decode())

    def value(self, value: T) -> T:
        """The same value without secrets in its texts; for structs, lists and dicts.

        To be used before something is encoded: in the encoded form a secret may look like a part of a number, or
        like the name of a field.
        """
        without: Any = self._value(value)
        return without  # type: ignore[no-any-return]

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Struct):
            fields = {name: getattr(value, name) for name in value.__struct_fields__}
            changed = {name: new for name, old in fields.items() if (new := self._value(old)) != old}
            return replace(value, **changed) if changed else value
        if isinstance(value, dict):
            return {self._value(key): self._value(item) for key, item in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self._value(item) for item in value)
        return value

    def _hide(self, value: str, shown: str) -> None:
        if any(hidden.value == value for hidden in self._hidden):
            return
        hidden = _Hidden(value, shown)
        # Longest first: a secret may be part of another.
        self._hidden = sorted([*self._hidden, hidden], key=lambda each: -len(each.value))

    def _without_beginnings(self, text: str) -> str:
        """The text without beginnings of secrets: a server may repeat only the first part of what it was sent."""
        for hidden in self._hidden:
            # Of a URL the beginning is no secret, and digits may be those of another number.
            if hidden.shown.startswith("[") and not _DIGITS.match(hidden.value):
                text = _without_beginning(text, hidden)
        return text

    def _without_cut(self, text: str) -> str:
        *cut, rest = text.split("…")
        for index, part in enumerate(cut):
            for hidden in self._hidden:
                if (start := _start_of_cut(part, hidden)) is not None:
                    cut[index] = part[:start] + hidden.shown
                    break
        return "…".join([*cut, rest])


def _anchor(value: str, shown: str) -> str:
    """A part of the secret that no encoding changes; a text without it need not be searched further.

    It is of the secret itself and not of the URL around it: the rest of the URL (its symbol, say) may be in every line,
    and every line would be searched in full. Only if the secret is too short is all of it considered.
    """
    begin = _first_difference(value, shown)
    end = len(value) - _first_difference(value[begin:][::-1], shown[begin:][::-1])
    own: str = max(_PLAIN.findall(value[begin:end]), key=len, default="")
    whole: str = max(_PLAIN.findall(value), key=len, default="")
    return own if len(own) >= SHORTEST_CUT else whole


def _without_beginning(text: str, hidden: _Hidden) -> str:
    beginning, start = hidden.value[:SHORTEST_BY_VALUE], 0
    in_shown = hidden.shown.find(beginning)  # what stands in a secret's place may read like its beginning
    while (at := text.find(beginning, start)) >= 0:
        end = at + SHORTEST_BY_VALUE
        if in_shown >= 0 and text.startswith(hidden.shown, at - in_shown):
            start = end
            continue
        while text[end : end + 1] == hidden.value[end - at : end - at + 1] != "":
            end += 1
        text = text[:at] + hidden.shown + text[end:]
        start = at + len(hidden.shown)
    return text


def _start_of_cut(text: str, hidden: _Hidden) -> int | None:
    """Where the beginning of a secret starts that the text ends with."""
    for match in hidden.beginning.finditer(text):
        tail = _INCOMPLETE.sub("", text[match.start() :])
        for decoded in (tail, unquote(tail), unquote_plus(tail), unescape(tail), _UNICODE.sub(_character, tail)):
            if hidden.value.startswith(decoded.rstrip("\ufffd")):
                return match.start()
    return None


def _character(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else escape[2]


def _spellings(piece: str) -> str:
    """A pattern for a piece of a secret: as it is, or encoded (also twice) for a URL, for JSON or for HTML.

    Backslashes are one piece however many, and all counts are bounded, so that no text makes the search slow.
    """
    return re.escape(piece) if _PLAIN.fullmatch(piece) else _encodings(piece)


@lru_cache(maxsize=SPELLINGS_KEPT)
def _encodings(piece: str) -> str:
    (character,), times = set(piece), len(piece)
    percent = "".join(f"%(?:25){{0,2}}{_any_case(f'{byte:02x}')}" for byte in character.encode(errors="replace"))
    units = character.encode("utf-16-be", errors="replace").hex()
    escaped = "".join(rf"\\{{1,4}}u{_any_case(units[at : at + 4])}" for at in range(0, len(units), 4))
    ways = [escaped, percent, rf"&\#(?:0{{0,4}}{ord(character)}|[xX]0{{0,4}}{_any_case(f'{ord(character):x}')});"]
    if character in _ENTITIES:
        ways.append(f"&{_ENTITIES[character]};")
    if character == " ":
        ways.append(r"\+")
    if character == "\\":
        ways = [f"(?:{'|'.join(ways)}){{{times}}}", *(rf"\\{{{level * times}}}" for level in (8, 4, 2, 1))]
        return f"(?:{'|'.join(ways)})"
    ways.append((r"\\{0,7}" if character in "\"'/" else "") + re.escape(character))
    return f"(?:{'|'.join(ways)})"


def _any_case(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)


def _first_difference(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))


def without_secret_parameters(url: str, found: list[tuple[str, str]] | None = None) -> str:
    """A URL with `[token]` in the place of its `access_token`, and so with all whose name says a secret.

    `found` takes the names that stand there and the values.
    """
    base, mark, rest = url.partition("?")
    query, hash_, fragment = rest.partition("#")
    parameters = query.split("&")
    for at, parameter in enumerate(parameters):
        name, equals, value = parameter.partition("=")
        known = unquote_plus(name)
        if equals and value and says_a_secret(known):
            placeholder = known.lower().removeprefix("access_")
            if found is not None:
                found.append((placeholder, unquote(value)))
            parameters[at] = f"{name}=[{placeholder}]"
    return f"{base}{mark}{'&'.join(parameters)}{hash_}{fragment}"


def says_a_secret(name: str) -> bool:
    """Whether what has this name is a secret, as far as a name tells."""
    lower = name.lower()
    return any(word in lower for word in _SECRET_WORDS)


def _without_secrets(data: Any, found: list[tuple[str, str]]) -> Any:
    if isinstance(data, list):
        return [_without_secrets(item, found) for item in data]
    if isinstance(data, str) and "?" in data:
        return without_secret_parameters(data, found)
    if not isinstance(data, dict):
        return data
    hidden = {}
    for name, value in data.items():
        if isinstance(value, str) and value and says_a_secret(name):
            found.append((name, value))
            hidden[name] = f"[{name}]"
        else:
            hidden[name] = _without_secrets(value, found)
    return hidden


def secrets_of_proxy(url: str | None) -> dict[str, str]:
    """The secrets in a proxy's address by name: its user and password, also as they are sent (`Basic …`)."""
    try:
        user, _, password = urlsplit(url or "").netloc.rpartition("@")[0].partition(":")
    except ValueError:
        return {}
    if not user:
        return {}
    user, password = unquote(user), unquote(password)
    sent = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"proxy_user": user, "proxy_password": password, "proxy_authorization": sent}


def _after_host(url: str) -> str:
    _, _, rest = url.partition("://")
    _, slash, path = rest.partition("/")
    return slash + path
