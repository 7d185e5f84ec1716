"""Clocks that are set by an hour, each way, under processes that run: libfaketime, the wall clock alone.

By default libfaketime fakes the monotonic clock too, and then timed waits hang for ever; so that is switched off. With
it switched off `time.sleep` of Python fails under libfaketime 0.9.10 (it asks for an absolute time on the monotonic
clock, which the library reckons wrongly); `mon` never calls it.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

HOUR = 3600
SHARED = Path("/dev/shm")
PLACES = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/lib64/faketime", "/usr/local/lib/faketime")


def library() -> Path | None:
    """The library; None where it is not installed (Debian's package is `libfaketime`)."""
    for place in PLACES:
        for found in Path("/").glob(f"{place.lstrip('/')}/libfaketimeMT.so.1"):
            return found
    return None


class SetClock:
    """A wall clock that processes share, and that is set while they run."""

    def __init__(self, folder: Path, name: str) -> None:
        self._file = folder / f"clock-{name}"
        self._library = library()
        self.set(0)

    def set(self, seconds: int) -> None:
        """So far ahead of the real clock; below 0 behind."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._file)  # at once: half a file would be another time

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to go by it; nothing where the library is missing."""
        if self._library is None:
            return {}
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
            "NO_FAKE_STAT": "1",
        }


def forget(pid: int) -> None:
    """Remove what the library leaves of a process that ended at once: the next one with its number could not start."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        with contextlib.suppress(OSError):
            (SHARED / name).unlink()
