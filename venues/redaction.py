"""Keeps secrets out of everything that is shown, logged or kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECRET_WORDS = ("token", "secret", "password", "key")
SHORTEST_BY_VALUE = 8  # shorter secrets would turn ordinary text into holes; they are hidden by position only


class Redactor:
    """Replaces secrets by their names in brackets, e.g. `[client_key]`.

    Learns new values as they are fetched (a `…_command` may give another one for each connection) and keeps the old.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._bytes: list[tuple[bytes, bytes]] = []
        self._texts: list[tuple[str, str]] = []

    def learn(self, secrets: Mapping[str, str]) -> None:
        """Secrets by name, to be hidden from now on wherever their value appears, also percent- or JSON-encoded."""
        for name, value in secrets.items():
            if len(value) < SHORTEST_BY_VALUE:
                continue
            for spelling in (value, quote(value, safe=""), quote(value), json.dumps(value)[1:-1]):
                self._names[spelling] = f"[{name}]"
        self._set_order()

    def learn_url(self, url: str, shown: str) -> None:
        """A URL with a secret in a known place, and how it is to be shown; hides short secrets too."""
        if url == shown:
            return
        self._names[url] = shown
        path, shown_path = _after_host(url), _after_host(shown)
        if path != shown_path and len(path) >= SHORTEST_BY_VALUE:
            self._names[path] = shown_path
        self._set_order()

    def text(self, text: str) -> str:
        """The text without secrets."""
        for secret, name in self._texts:
            if secret in text:
                text = text.replace(secret, name)
        return text

    def data(self, data: bytes) -> bytes:
        """The bytes without secrets."""
        for secret, name in self._bytes:
            if secret in data:
                data = data.replace(secret, name)
        return data

    def answer(self, body: str) -> str:
        """An HTTP answer without the tokens and keys in it, by their names; they are hidden from now on."""
        try:
            data = msgspec.json.decode(body)
        except (msgspec.MsgspecError, RecursionError):
            return self.text(body)
        found: dict[str, str] = {}
        hidden = _without_secrets(data, found)
        if not found:
            return self.text(body)
        self.learn(found)
        return self.text(msgspec.json.encode(hidden).decode())

    def _set_order(self) -> None:
        # Longest first: a secret may be part of another.
        self._texts = sorted(self._names.items(), key=lambda pair: -len(pair[0]))
        self._bytes = [(secret.encode(), name.encode()) for secret, name in self._texts]


def _without_secrets(data: Any, found: dict[str, str]) -> Any:
    if isinstance(data, list):
        return [_without_secrets(item, found) for item in data]
    if not isinstance(data, dict):
        return data
    hidden = {}
    for name, value in data.items():
        if isinstance(value, str) and value and any(word in name.lower() for word in _SECRET_WORDS):
            found[name] = value
            hidden[name] = f"[{name}]"
        else:
            hidden[name] = _without_secrets(value, found)
    return hidden


def _after_host(url: str) -> str:
    _, _, rest = url.partition("://")
    _, slash, path = rest.partition("/")
    return slash + path
