"""Exceptions of a bot's script as text: its own frames, without the host's."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

HOST = str(Path(__file__).parent / "_")[:-1]
MOST_LINES = 60


def script_traceback(error: BaseException) -> str:
    """A traceback as Python writes it, without the host's frames."""
    told = traceback.TracebackException.from_exception(error, compact=True)
    _cut(told, set())
    lines = "".join(told.format()).rstrip("\n").splitlines()
    if len(lines) > MOST_LINES:
        half = MOST_LINES // 2
        lines = [*lines[:half], f"  … {len(lines) - 2 * half} lines …", *lines[-half:]]
    return "\n".join(lines)


def place_of(error: BaseException) -> tuple[str, int] | None:
    """File and line of the script's innermost frame; None when the script has none."""
    found = None
    step: TracebackType | None = error.__traceback__
    while step is not None:
        if not is_host(step.tb_frame.f_code.co_filename):
            found = step.tb_frame.f_code.co_filename, step.tb_lineno
        step = step.tb_next
    return found


def is_host(filename: str) -> bool:
    """Whether a frame is the host's."""
    return filename.startswith(HOST)


def _cut(told: traceback.TracebackException, seen: set[int]) -> None:
    if id(told) in seen:
        return
    seen.add(id(told))
    told.stack = traceback.StackSummary.from_list([frame for frame in told.stack if not is_host(frame.filename)])
    for other in (told.__cause__, told.__context__, *(told.exceptions or () if hasattr(told, "exceptions") else ())):
        if other is not None:
            _cut(other, seen)
