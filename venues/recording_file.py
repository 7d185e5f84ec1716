"""The file of a recording: who may write it, and lines of bounded length out of it.

A file that exists is never written over unless somebody says so, two processes never write the same one, and nobody but
its owner may read it.
"""

from __future__ import annotations

import errno
import gzip
import os
import select
import stat
import zlib
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

from venues.errors import DamagedRecording, RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

try:
    import fcntl
except ImportError:  # no locks of this kind on this system
    fcntl = None  # type: ignore[assignment]

Existing = Literal["refuse", "overwrite", "append"]

LONGEST_LINE = 40 * 2**20  # bytes: a message of 16 MiB with every other character escaped, and some more
GZIP = b"\x1f\x8b"
MOST_WAITING = 32 * 2**20  # bytes that the reader of a pipe has not taken yet
OWNER_ONLY = 0o600
END_LOOKED_FOR_IN = 65_536  # bytes at once, from the end of a file
COMPRESSION = 5  # of 9: nearly as small, and quick enough for every line
TAKES_NOTHING = 0.25  # seconds after which the end of a recording is not waited for


class _Pipe:
    """A pipe as a file: what its reader does not take at once waits here, and never holds up who writes."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._waiting = bytearray()

    def write(self, data: bytes | memoryview) -> int:
        self._waiting += data
        self._hand_over()
        if len(self._waiting) > MOST_WAITING:
            self._waiting.clear()
            raise OSError(errno.EAGAIN, "its reader takes nothing any more")
        return len(data)

    def flush(self) -> None:
        self._hand_over()

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        """Raises OSError where the reader takes the rest no more."""
        try:
            while self._waiting and select.select([], [self._raw], [], TAKES_NOTHING)[1]:
                self._hand_over()
            if self._waiting:
                self._waiting.clear()
                raise OSError(errno.EAGAIN, "its reader has not taken the end")
        finally:
            self._raw.close()

    def _hand_over(self) -> None:
        while self._waiting and (taken := self._raw.write(self._waiting)):  # None: it takes nothing now
            del self._waiting[:taken]


class RecordingFile:
    """A file that is being written; mode 600, gzip when the name ends in `.gz`.

    `appends`: the file has a recording already, to which more is appended. `cut`: so many bytes behind its last whole
    line, left by a crash, were removed.
    """

    def __init__(self, path: Path, existing: Existing = "refuse", *, waits: bool = False) -> None:
        """Opens the file. One to append to stays as it is until `go_on`.

        `waits`: for the reader of a pipe, however slow it is.

        Raises:
            RecordingError: it exists and is not to be touched, another process writes it, it is no file, or it cannot
                be written.
        """
        self.path = path
        self.cut = 0
        try:
            raw: BinaryIO = os.fdopen(_opened(path, existing), "r+b" if existing == "append" else "wb", 0)
        except OSError as error:
            raise _cannot_write(path, error) from error
        self._raw = raw
        if stat.S_ISFIFO(os.fstat(raw.fileno()).st_mode):
            if waits:
                os.set_blocking(raw.fileno(), True)
            else:
                self._raw = cast("BinaryIO", _Pipe(raw))
        try:
            self.appends = existing == "append" and _is_regular(self._raw) and os.fstat(self._raw.fileno()).st_size > 0
            self._zips = _begins_like_gzip(self._raw) if self.appends else path.name.endswith(".gz")
            if existing == "overwrite" and _is_regular(self._raw):
                self._raw.truncate(0)
            self._file: BinaryIO | gzip.GzipFile = self._raw
            if not self.appends:
                self._begin()
        except OSError as error:
            self._raw.close()
            raise _cannot_write(path, error) from error

    def go_on(self) -> None:
        """Prepares to append: what is written from now on comes behind what is in the file.

        Raises:
            RecordingError: what is in it is compressed and damaged, or it cannot be written.
        """
        try:
            if self._zips:
                _check_whole(self.path)
            else:
                self.cut = _cut_last_line(self._raw)
            self._raw.seek(0, os.SEEK_END)
            self._begin()
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def write(self, data: bytes) -> None:
        """Writes all of the data, so that a crash of this process does not lose it.

        Raises:
            OSError: the file cannot be written any more.
        """
        if isinstance(self._file, gzip.GzipFile):
            self._file.write(data)
            self._file.flush()
            return
        view = memoryview(data)
        while view:
            view = view[self._raw.write(view) or 0 :]

    def close(self) -> None:
        """Ends the file.

        Raises:
            OSError: its end cannot be written.
        """
        try:
            self._file.close()
        finally:
            self._raw.close()

    def _begin(self) -> None:
        if self._zips:
            self._file = gzip.GzipFile(filename="", fileobj=self._raw, mode="wb", compresslevel=COMPRESSION, mtime=0)


def read_lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a file, compressed or not.

    Raises:
        DamagedRecording: it ends within a line, a line is too long, or what is compressed cannot be read.
        RecordingError: it cannot be read at all.
    """
    # No method of a recording: a generator that holds one would keep the file open until garbage is collected.
    number = 0
    try:
        with path.open("rb") as raw:  # opened once: it may be a pipe
            lines = gzip.GzipFile(fileobj=raw) if raw.peek().startswith(GZIP) else raw
            while line := lines.readline(LONGEST_LINE):
                number += 1
                if not line.endswith(b"\n"):
                    raise damaged(path, number)
                yield line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise damaged(path, number + 1) from error
    except OSError as error:
        raise RecordingError(f"cannot read the recording {path}: {error.strerror}") from error


def damaged(path: Path, number: int) -> DamagedRecording:
    """The error for a recording that cannot be read from a certain line on."""
    return DamagedRecording(f"the recording {path} is damaged at line {number}; played up to there")


def _opened(path: Path, existing: Existing) -> int:
    """A descriptor of the file, locked against other writers. Opening never waits, not even for a pipe's reader."""
    try:
        kind = os.stat(path).st_mode
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
    else:
        descriptor = _opened_again(path, kind, existing)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            _lock(path, descriptor)
            os.fchmod(descriptor, OWNER_ONLY)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _opened_again(path: Path, kind: int, existing: Existing) -> int:
    if stat.S_ISFIFO(kind):
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            raise RecordingError(f"expected a reader at the pipe {path}, got none; start it first") from error
    if not stat.S_ISREG(kind):
        what = "a folder" if stat.S_ISDIR(kind) else "a device or a socket"
        raise RecordingError(f"expected the name of a file for the recording, got {what}: {path}")
    if existing == "refuse":
        raise RecordingError(
            f"there is a file {path} already: take another name, or --append to go on with it, or --overwrite"
        )
    return os.open(path, os.O_RDWR | os.O_CLOEXEC)


def _lock(path: Path, descriptor: int) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RecordingError(f"another process is writing {path}; take another name") from error
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS):  # a file system without locks
            raise


def _is_regular(raw: BinaryIO) -> bool:
    return stat.S_ISREG(os.fstat(raw.fileno()).st_mode)


def _begins_like_gzip(raw: BinaryIO) -> bool:
    return os.pread(raw.fileno(), len(GZIP), 0) == GZIP


def _check_whole(path: Path) -> None:
    """Refuses a file whose compressed data ends early: what is appended there could not be read."""
    try:
        for _ in read_lines(path):
            pass
    except DamagedRecording as error:
        raise RecordingError(f"{path} is damaged, so nothing can be appended; take another name") from error


def _cut_last_line(raw: BinaryIO) -> int:
    """Cuts off an unfinished last line, which a crash has left; returns the number of bytes removed."""
    descriptor = raw.fileno()
    size = end = os.fstat(descriptor).st_size
    while end:
        begin = max(0, end - END_LOOKED_FOR_IN)
        at = os.pread(descriptor, end - begin, begin).rfind(b"\n")
        if at >= 0:
            end = begin + at + 1
            break
        end = begin
    os.ftruncate(descriptor, end)
    return size - end


def _cannot_write(path: Path, error: OSError) -> RecordingError:
    return RecordingError(f"cannot write the recording {path}: {error.strerror}")
