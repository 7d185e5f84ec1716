"""What code of somebody else's may not do to stdout, and to the end of mon. Loaded when a plug-in or a script is."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

STDOUT = 1
STDERR = 2


@contextlib.contextmanager
def nothing_on_stdout() -> Iterator[None]:
    """Within it, whatever is written to stdout goes to stderr, also to the descriptor itself, or by a program that is
    started. For code that is run before there is data."""
    _flush(sys.stdout)
    kept = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    try:
        yield
    finally:
        _flush(sys.stdout, sys.__stdout__)
        os.dup2(kept, STDOUT)
        os.close(kept)


def end(code: int) -> None:
    """Let what other code has still to do at the end be done, but for data and for its threads: whatever it writes to
    stdout goes to stderr, and where threads are left, the process ends here. Some would hold up the end, and Python
    takes its world down under the others, which can crash."""
    _flush(sys.stdout)
    with contextlib.suppress(OSError):
        os.dup2(STDERR, STDOUT)
    if threading.active_count() > 1:
        atexit._run_exitfuncs()
        _flush(sys.stdout, sys.stderr)
        os._exit(code)


def _flush(*files: Any) -> None:
    for file in files:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            file.flush()
