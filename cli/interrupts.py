"""Ctrl-C before an event loop takes it. What is raised within an import can be lost there, so it is noted too."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_came = False


def heed() -> None:
    """From now on Ctrl-C raises KeyboardInterrupt, as ever, and is remembered; who ignores it (nohup) goes on so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _note)


def has_come() -> bool:
    """Whether Ctrl-C was pressed while nobody else took it."""
    return _came


def _note(number: int, frame: FrameType | None) -> None:
    global _came
    _came = True
    raise KeyboardInterrupt
