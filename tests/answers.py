"""What the small functions answer, at their bounds too. `python -m tests.answers` writes it down anew.

Hundreds of words, limits and sums would need a test each. Here they stand in one file that can be read: the call, and
what it gives or how it refuses. Nothing of it may change without somebody meaning it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests import asked_figures, asked_lines, asked_plugins, asked_words
from venues import VENUES

FILE = Path(__file__).parent / "golden" / "answers.txt"
PARTS: dict[str, Callable[[], Iterator[Any]]] = {
    "numbers": asked_figures.numbers_asked,
    "times": asked_figures.times_asked,
    "texts": asked_figures.texts_asked,
    "payloads": asked_figures.payloads_asked,
    "checks": asked_figures.checks_asked,
    "addresses": asked_words.addresses_asked,
    "HTTP": asked_words.http_asked,
    "packets": asked_words.packets_asked,
    "settings": asked_words.settings_asked,
    "options": asked_words.options_asked,
    "symbols": asked_words.symbols_asked,
    "what is said": asked_words.said_asked,
    "commands": asked_words.commands_asked,
    "plug-ins": asked_plugins.plug_ins_asked,
    "items": asked_plugins.items_asked,
    "refused command lines": asked_lines.refused_lines_asked,
    "played command lines": asked_lines.played_lines_asked,
    **{f"recordings of {venue}": partial(asked_lines.fixtures_asked, venue) for venue in VENUES},
}


def written(part: str) -> str:
    """A part of the file."""
    lines = [f"== {part}"]
    for function, arguments, *rest in PARTS[part]():
        keywords, title = (rest[0] if rest else {}), (rest[1] if len(rest) > 1 else "")
        shown = [f"{one!a}" for one in arguments if not callable(one)] + [
            f"{name}={one!a}" for name, one in keywords.items()
        ]
        call = title or f"{function.__name__}({', '.join(shown)})"
        lines.append(f"{_short(call)} → {_short(_answer(function, arguments, keywords))}")
    return "\n".join(lines)


def _answer(function: Callable[..., Any], arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> str:
    try:
        answer = function(*arguments, **keywords)
    except Exception as error:
        return f"{type(error).__name__}: {error}".encode("ascii", "backslashreplace").decode().replace("\n", "\\n")
    return f"{answer!a}"


def _short(text: str) -> str:
    """A long text by its ends, its length and its digest."""
    digest = sha256(text.encode()).hexdigest()[:8]
    return text if len(text) <= 240 else f"{text[:150]}…{text[-60:]} ({len(text)} characters, {digest})"


def kept() -> dict[str, str]:
    """The parts of the file, by title."""
    parts = FILE.read_text("utf-8").split("== ")[1:]
    return {part.partition("\n")[0]: f"== {part.strip()}" for part in parts}


if __name__ == "__main__":
    FILE.write_text("\n".join(map(written, PARTS)) + "\n", encoding="utf-8")
