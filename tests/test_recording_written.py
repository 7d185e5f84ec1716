"""What is written into the file of a recording: no secret, all of it once, and to a pipe what its reader takes."""

from __future__ import annotations

import base64
import errno
import gzip
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from venues import events, recording_file
from venues.errors import DamagedRecording, RecordingError
from venues.recording import VERSION, Header, RecordedSubscription, Recorder, Recording
from venues.recording_file import RecordingFile
from venues.redaction import Redactor

SECRET = "a-secret-key"
HEADER = Header(
    version=VERSION, venue="v", url="wss://v.example", subscriptions=[RecordedSubscription(stream="trades")]
)
ASKED = {"request": "1", "method": "GET", "url": "https://v.example", "status": 200}


def recorder(path: Path) -> Recorder:
    redactor = Redactor()
    redactor.learn({"key": SECRET})
    return Recorder(path, HEADER, redactor)


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


BINARY, HIDDEN = (in_base64(b"\xff %s \xfe" % word) for word in (SECRET.encode(), b"[key]"))
NOW_TEXT = in_base64(f"<{SECRET}>".encode())


@pytest.mark.parametrize(
    ("event", "kept"),
    [
        (
            events.Frame(at=5, mono=0.5, line=2, direction="out", base64=BINARY),
            events.Frame(at=5, mono=0.5, line=2, direction="out", base64=HIDDEN),
        ),
        (
            events.Frame(at=5, mono=0.5, line=2, direction="in", text=f"<{SECRET}>"),
            events.Frame(at=5, mono=0.5, line=2, direction="in", text="<[key]>"),
        ),
        (
            events.Frame(at=5, mono=0.5, direction="in", base64=NOW_TEXT),
            events.Frame(at=5, mono=0.5, direction="in", text="<[key]>"),
        ),
        (
            events.Fetched(at=5, mono=0.5, line=2, base64=BINARY, retry_after=2.0, date_ms=7, **ASKED),  # type: ignore[arg-type]
            events.Fetched(at=5, mono=0.5, line=2, base64=HIDDEN, retry_after=2.0, date_ms=7, **ASKED),  # type: ignore[arg-type]
        ),
        (
            events.Fetched(at=5, mono=0.5, line=2, text=f"<{SECRET}>", **ASKED),  # type: ignore[arg-type]
            events.Fetched(at=5, mono=0.5, line=2, text="<[key]>", **ASKED),  # type: ignore[arg-type]
        ),
        (events.Failed(at=5, mono=0.5, reason=SECRET), events.Failed(at=5, mono=0.5, reason="[key]")),
    ],
)
def test_an_event_is_kept_whole_but_for_its_secrets(event: events.Event, kept: events.Event, tmp_path: Path) -> None:
    path = tmp_path / "x"
    one = recorder(path)
    one.write(event)
    one.close()
    assert list(Recording(path).events()) == [kept]


def test_each_event_is_written_once_and_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "x"
    first, second = events.Opened(at=5, mono=0.5), events.Left(at=6, mono=0.6)
    one = recorder(path)
    begun = path.read_bytes()
    assert begun == msgspec.json.encode(HEADER) + b"\n"
    for written, event in enumerate((first, second)):
        one.write(event)
        assert path.read_bytes().count(b"\n") == 1 + written
        for _ in range(2):
            one.flush()
            assert path.read_bytes().count(b"\n") == 2 + written
    one.close()
    assert path.read_bytes() == begun + msgspec.json.encode(first) + b"\n" + msgspec.json.encode(second) + b"\n"


@pytest.mark.parametrize("when", ["write", "close"])
def test_a_disk_that_is_full_is_told_once(when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    one = recorder(tmp_path / "x")
    one.write(events.Opened(at=5, mono=0.5))
    monkeypatch.setattr(one._file, when, full)
    for call in (one.flush, one.close):
        if (when == "close") is (call == one.flush):
            call()
            continue
        with pytest.raises(RecordingError) as raised:
            call()
        assert str(raised.value) == f"cannot write the recording {tmp_path / 'x'}: No space left on device"
    monkeypatch.undo()
    one._file.close()


def test_a_recording_that_cannot_be_begun_leaves_its_file_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[RecordingFile] = []

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self: RecordingFile) -> None:
        closed.append(self)
        self._raw.close()

    monkeypatch.setattr(RecordingFile, "write", full)
    monkeypatch.setattr(RecordingFile, "close", close)
    with pytest.raises(RecordingError, match="No space left on device"):
        recorder(tmp_path / "x")
    assert len(closed) == 1


# --- the file


def readable(path: Path) -> tuple[list[bytes], str]:
    """The lines up to where the file ends or is damaged, and what is said then."""
    lines: list[bytes] = []
    try:
        lines.extend(recording_file.read_lines(path))
    except DamagedRecording as damage:
        return lines, str(damage)
    return lines, ""


@pytest.mark.parametrize("existing", ["overwrite", "append"])
@pytest.mark.parametrize("before", [b"", b"old\n", b"old\nhalf"])
def test_what_is_left_of_a_file_of_before(before: bytes, existing: Any, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(before)
    file = RecordingFile(path, existing)
    assert (file.path, file.cut) == (path, 0)
    assert file.appends is (existing == "append" and before != b"")
    assert path.read_bytes() == (b"" if existing == "overwrite" else before)
    if file.appends:
        file.go_on()
    file.write(b"new\n")
    file.close()
    kept = b"old\n" if file.appends else b""
    assert (path.read_bytes(), file.cut) == (kept + b"new\n", len(before) - len(kept) if file.appends else 0)


@pytest.mark.parametrize(("name", "zips"), [("x.gz", True), ("x.jsonl.gz", True), ("x", False), ("gz", False)])
def test_a_new_file_is_compressed_by_its_name_and_an_old_one_by_what_it_has(
    name: str, zips: bool, tmp_path: Path
) -> None:
    path = tmp_path / name
    for existing, text in (("refuse", b"one\n"), ("append", b"two\n")):
        file = RecordingFile(path, existing)  # type: ignore[arg-type]
        if file.appends:
            file.go_on()
        file.write(text)
        assert readable(path)[0][-1:] == [text], "also if we end here"
        file.close()
        path = path.rename(tmp_path / "another-name")
    assert path.read_bytes().startswith(b"\x1f\x8b") is zips
    assert list(recording_file.read_lines(path)) == [b"one\n", b"two\n"]


def test_the_same_recording_is_compressed_to_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        file = RecordingFile(tmp_path / name)
        file.write(b"one\n")
        file.close()
    one = (tmp_path / "a.gz").read_bytes()
    assert one == (tmp_path / "b.gz").read_bytes()
    assert one[3:8] == b"\x00" * 5, "without a name and a time"


def test_what_is_compressed_and_ends_early_is_continued_by_nobody(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(b"one\n")[:-1])
    file = RecordingFile(path, "append")
    with pytest.raises(RecordingError) as raised:
        file.go_on()
    file.close()
    assert str(raised.value) == f"{path} is damaged, so nothing can be appended; take another name"


@pytest.mark.parametrize(
    ("data", "lines", "damaged_at"),
    [
        (gzip.compress(b"a\nb\n"), 2, None),
        (gzip.compress(b"a\nb\n")[:-1], 2, 3),
        (gzip.compress(b"a\nb\n") + gzip.compress(b"c\n"), 3, None),
        (gzip.compress(b"a\nb\n") + b"no more of it", 2, 3),
        (gzip.compress(b"a\nb"), 1, 2),
        (gzip.compress(b"a\nb\n")[:12], 0, 1),
        (b"\x1f\x8b", 0, 1),
        (b"a\nb\n", 2, None),
        (b"a\nb", 1, 2),
        (b"\x1f\n", 1, None),
        (b"", 0, None),
    ],
    ids=[
        "gzip",
        "gzip cut at its end",
        "two gzip parts",
        "gzip and more",
        "gzip without a line end",
        "gzip cut early",
        "two bytes of gzip",
        "plain",
        "plain without a line end",
        "one byte of gzip",
        "empty",
    ],
)
def test_the_line_from_which_on_a_file_is_damaged(
    data: bytes, lines: int, damaged_at: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    expected = [data] if data == b"\x1f\n" else [b"a\n", b"b\n", b"c\n"][:lines]
    words = f"the recording {path} is damaged at line {damaged_at}; played up to there"
    assert readable(path) == (expected, "" if damaged_at is None else words)


@pytest.mark.parametrize("existing", ["refuse", "overwrite", "append"])
def test_a_file_is_the_owner_s_only_from_its_first_byte_on(existing: Any, tmp_path: Path) -> None:
    path = tmp_path / "x"
    if existing != "refuse":
        path.touch(mode=0o644)
    umask = os.umask(0)
    try:
        RecordingFile(path, existing).close()
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(("name", "what"), [("folder", "a folder"), ("/dev/null", "a device or a socket")])
def test_what_is_no_file_is_not_written(name: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    path = tmp_path / name
    with pytest.raises(RecordingError) as raised:
        RecordingFile(path, "overwrite")
    assert str(raised.value) == f"expected the name of a file for the recording, got {what}: {path}"


def test_a_file_that_is_there_is_left_alone_unless_somebody_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"mine")
    with pytest.raises(RecordingError) as raised:
        RecordingFile(path)
    said = f"there is a file {path} already: take another name, or --append to go on with it, or --overwrite"
    assert str(raised.value) == said
    with pytest.raises(RecordingError) as raised:
        Recorder(path, HEADER, Redactor())
    assert (str(raised.value), path.read_bytes()) == (said, b"mine")


@pytest.mark.parametrize("existing", ["overwrite", "append"])
def test_another_writer_keeps_us_out(existing: Any, tmp_path: Path) -> None:
    path = tmp_path / "x"
    first = RecordingFile(path)
    first.write(b"mine\n")
    with pytest.raises(RecordingError) as raised:
        RecordingFile(path, existing)
    assert str(raised.value) == f"another process is writing {path}; take another name"
    first.close()
    assert path.read_bytes() == b"mine\n"
    RecordingFile(path, existing).close()


def test_a_file_that_cannot_be_begun_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: RecordingFile) -> None:
        raise OSError(errno.EIO, "Input/output error")

    path = tmp_path / "x"
    with monkeypatch.context() as patch:
        patch.setattr(RecordingFile, "_begin", broken)
        with pytest.raises(RecordingError) as raised:
            RecordingFile(path)
    assert str(raised.value) == f"cannot write the recording {path}: Input/output error"
    RecordingFile(path, "append").close()  # nobody has a lock on it any more


# --- a pipe


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """Its name, and its reading end."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield path, reader
    os.close(reader)


def taken(reader: int) -> int:
    """How many bytes are in the pipe; they are gone then."""
    count = 0
    while True:
        try:
            more = len(os.read(reader, 65_536))
        except BlockingIOError:
            return count
        count += more
        if not more:
            return count


@pytest.mark.parametrize("existing", ["refuse", "overwrite", "append"])
def test_a_pipe_is_begun_anew_each_time(existing: Any, pipe: tuple[Path, int]) -> None:
    path, reader = pipe
    file = RecordingFile(path, existing)
    assert not file.appends
    file.write(b"one\n")
    assert os.read(reader, 100) == b"one\n"
    file.close()
    assert os.read(reader, 100) == b""


@pytest.mark.parametrize(("more", "is_borne"), [(0, True), (1, False)])
def test_what_a_reader_does_not_take_waits_up_to_a_bound(
    more: int, is_borne: bool, pipe: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_file, "MOST_WAITING", 100_000)
    monkeypatch.setattr(recording_file, "TAKES_NOTHING", 0.0)
    path, reader = pipe
    file = RecordingFile(path)
    file.write(b"x" * 65_536)  # all that a pipe takes
    file.write(b"y" * 60_000)
    if not is_borne:
        with pytest.raises(OSError, match="its reader takes nothing any more"):
            file.write(b"z" * 40_001)
        assert taken(reader) == 65_536
        file.close()  # nothing waits any more
        assert taken(reader) == 0
        return
    file.write(b"z" * 40_000)
    assert taken(reader) == 65_536
    file.write(b"")
    assert taken(reader) == 0
    file.write(b"!")
    assert taken(reader) == 65_536
    file.close()
    assert taken(reader) == 100_001 - 65_536


def test_an_end_that_is_not_taken_is_told_and_the_pipe_closed(
    pipe: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_file, "TAKES_NOTHING", 0.01)
    path, reader = pipe
    file = RecordingFile(path)
    file.write(b"x" * 65_537)
    with pytest.raises(OSError, match="its reader has not taken the end"):
        file.close()
    assert taken(reader) == 65_536
    assert os.read(reader, 1) == b"", "there is no writer any more"


@pytest.mark.parametrize("waits", [True, False])
def test_only_who_waits_for_a_reader_is_held_up_by_it(*, waits: bool, pipe: tuple[Path, int]) -> None:
    path, reader = pipe
    file = RecordingFile(path, waits=waits)
    assert os.get_blocking(file._raw.fileno()) is waits
    file.write(b"one\n")
    file.close()
    assert os.read(reader, 100) == b"one\n"


def test_a_text_that_is_too_long_for_a_line_is_kept_in_base64_without_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "\x01" * 100 + SECRET
    monkeypatch.setattr("venues.recording.LONGEST_LINE", 400)
    for event in (
        events.Frame(at=5, mono=0.5, line=2, direction="in", text=text),
        events.Fetched(at=5, mono=0.5, line=2, text=text, date_ms=7, **ASKED),  # type: ignore[arg-type]
    ):
        path = tmp_path / type(event).__name__
        one = recorder(path)
        one.write(event)
        one.close()
        (kept,) = Recording(path).events()
        hidden = in_base64(b"\x01" * 100 + b"[key]")
        assert kept == msgspec.structs.replace(event, text=None, base64=hidden)
