"""The files of recordings: never written over unasked, one writer, mode 600, runs that go on, lines without end."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gzip
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.command import MON, SYMBOL, environment, mon, records, simulator, started
from venues import events
from venues.errors import DamagedRecording, RecordingError
from venues.recording import Header, RecordedSubscription, Recorder, Recording
from venues.recording_file import LONGEST_LINE, RecordingFile
from venues.redaction import Redactor


@pytest.fixture
def clean(tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path)


@pytest.fixture
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with simulator(tmp_path_factory.mktemp("sim"), "--rate", "200") as env:
        yield env


def header(**changes: Any) -> Header:
    fields = {"version": 1, "venue": "nexus", "url": "wss://v.example", "env": "staging"}
    subscriptions = [RecordedSubscription(stream="trades", symbols=(SYMBOL,))]
    return Header(**{**fields, "subscriptions": subscriptions, **changes})


def run(path: Path, existing: Any = "refuse", at: int = 1_000, **changes: Any) -> Recorder:
    """A recording of two events."""
    recorder = Recorder(path, header(**changes), Redactor(), existing)
    recorder.write(events.Dialled(at=at, mono=5.0, draw=0.5))
    recorder.write(events.Opened(at=at + 500, mono=5.5))
    recorder.close()
    return recorder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def trades_of(text: str) -> list[tuple[int, Any, Any]]:
    return [(line["time"], line["price"], line["size"]) for line in records(text) if line["type"] == "trade"]


# --- a file that exists


def test_a_file_that_exists_is_left_alone(sim: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("years of work\n")
    for command in (
        ("trades", "nexus", SYMBOL, "--count", "1", "--record", str(file)),
        ("sim", "--trades", "1m", "--out", str(file)),
    ):
        done = mon(*command, env=sim)
        assert (done.returncode, done.stdout) == (3, "")
        assert f"there is a file {file} already" in done.stderr
        assert "--append" in done.stderr
        assert "--overwrite" in done.stderr
    assert file.read_text() == "years of work\n"


@pytest.mark.parametrize("existing", ["overwrite", "append"])
def test_what_may_be_written_is_the_owner_s_only(existing: str, tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    run(file)
    assert mode(file) == 0o600
    file.chmod(0o644)
    run(file, existing)
    assert mode(file) == 0o600
    assert len(file.read_bytes().splitlines()) == (3 if existing == "overwrite" else 6)


def test_two_processes_cannot_write_one_file(sim: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    with started("trades", "nexus", SYMBOL, "--record", str(file), env=sim) as first:
        assert first.stdout is not None
        assert first.stdout.readline()
        for option in ("--append", "--overwrite"):
            done = mon("trades", "nexus", SYMBOL, "--count", "1", "--record", str(file), option, env=sim)
            assert (done.returncode, done.stdout) == (3, "")
            assert "another process is writing" in done.stderr
        first.send_signal(signal.SIGINT)
        assert first.wait(10) == 130
    assert list(Recording(file).events())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--overwrite",), "--overwrite applies to --record FILE only"),
        (("--append",), "--append applies to --record FILE only"),
        (("--append", "--overwrite", "--record", "x"), "expected --overwrite or --append, got both"),
    ],
)
def test_options_that_mean_nothing(words: tuple[str, ...], expected: str, clean: dict[str, str]) -> None:
    done = mon("trades", "nexus", SYMBOL, "--env", "sim", *words, env=clean)
    assert done.returncode == 2
    assert expected in done.stderr


def test_what_is_no_file(clean: dict[str, str], tmp_path: Path) -> None:
    command = ("trades", "nexus", SYMBOL, "--env", "sim", "--count", "1", "--record")
    for name in (str(tmp_path), "/dev/null", "/dev/full"):
        done = mon(*command, name, "--overwrite", env=clean)
        assert (done.returncode, done.stdout) == (3, "")
        assert "expected the name of a file for the recording" in done.stderr
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    done = mon(*command, str(pipe), env=clean)
    assert (done.returncode, done.stdout) == (3, "")
    assert "expected a reader at the pipe" in done.stderr


def test_a_pipe_with_a_reader_takes_a_recording(sim: dict[str, str], tmp_path: Path) -> None:
    script = '"$MON" trades nexus "$SYMBOL" --count 3 --record >(cat > "$OUT") > /dev/null; wait'
    variables = {**sim, "MON": str(MON), "SYMBOL": SYMBOL, "OUT": str(tmp_path / "out.jsonl")}
    subprocess.run(["bash", "-c", script], env=variables, check=True, timeout=60)
    assert Recording(tmp_path / "out.jsonl").header.venue == "nexus"


def test_a_pipe_whose_reader_takes_nothing_holds_up_nothing(sim: dict[str, str], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
        begun = time.monotonic()
        done = mon("book", "nexus", SYMBOL, "--duration", "4s", "--record", str(pipe), env=sim)
        assert time.monotonic() - begun < 8
    finally:
        os.close(reader)
    assert done.returncode == 3
    assert "its reader has not taken the end" in done.stderr
    came = [line["received"] for line in records(done.stdout) if line["type"] == "book"]
    assert came[-1] - came[0] > 2_000
    assert not [line for line in records(done.stdout) if line["type"] == "status"]


@pytest.mark.parametrize("name", ["pipe.jsonl", "pipe.jsonl.gz"])
def test_what_a_slow_reader_of_a_pipe_takes_late_is_whole(name: str, tmp_path: Path) -> None:
    pipe, copy = tmp_path / name, tmp_path / f"copy-{name}"
    os.mkfifo(pipe)
    script = f"sleep 1; cat > {copy}"
    with pipe_reader(pipe, script):
        recorder = Recorder(pipe, header(), Redactor())
        for number in range(3_000):
            recorder.write(events.Frame(at=number, mono=number, direction="in", text=os.urandom(100).hex()))
            recorder.flush()
        time.sleep(1.5)
        recorder.close()
    assert [event.at for event in Recording(copy).events()] == list(range(3_000))


def test_synthetic_trades_wait_for_the_reader_of_a_pipe(clean: dict[str, str], tmp_path: Path) -> None:
    pipe, copy = tmp_path / "pipe", tmp_path / "copy.jsonl"
    os.mkfifo(pipe)
    with pipe_reader(pipe, f"sleep 1; cat > {copy}"):
        done = mon("sim", "--trades", "1d", "--rate", "0.1", "--out", str(pipe), env=clean)
    assert done.returncode == 0
    assert len(list(Recording(copy).events())) > 5_000


@contextlib.contextmanager
def pipe_reader(pipe: Path, script: str) -> Iterator[None]:
    process = subprocess.Popen(["sh", "-c", f"exec < {pipe}; {script}"])
    anchor = os.open(pipe, os.O_RDWR)  # until the other end is there
    try:
        yield
    finally:
        os.close(anchor)
        process.wait(10)


# --- runs that go on


@pytest.mark.slow("four runs of mon, each long enough to record something")
@pytest.mark.parametrize("name", ["run.jsonl", "run.jsonl.gz"])
def test_appended_runs_replay_as_one(name: str, sim: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / name
    live = ""
    for _ in range(3):
        done = mon("trades", "nexus", SYMBOL, "--duration", "2s", "--record", str(file), "--append", env=sim)
        assert (done.returncode, done.stderr) == (0, "")
        live += done.stdout
    replayed = mon("replay", str(file), "--speed", "max", env=sim)
    assert replayed.returncode == 0
    assert trades_of(replayed.stdout) == trades_of(live) != []
    states = [line["state"] for line in records(replayed.stdout) if line["type"] == "status"]
    assert states == ["reconnecting", "live"] * 2
    assert "the recording goes on with a later run of mon" in replayed.stderr


def test_time_goes_on_between_two_runs(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    run(file, at=1_000)
    run(file, "append", at=61_500)
    run(file, "append", at=61_500)  # its clock was set back
    events = list(Recording(file).events())
    assert [type(event).__name__ for event in events] == ["Dialled", "Opened", *["Resumed", "Dialled", "Opened"] * 2]
    assert [event.mono for event in events] == [5.0, 5.5, 65.5, 65.5, 66.0, 66.0, 66.0, 66.5]


def test_the_time_between_two_runs_was_missed(clean: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    for at, existing in ((1_000_000, "refuse"), (1_090_000, "append")):
        recorder = Recorder(file, header(), Redactor(), existing)
        trade = {
            "event": "TRADE",
            "symbol": SYMBOL,
            "timestamp": at,
            "data": {"price": 1, "quantity": 2, "side": "BUY"},
        }
        recorder.write(events.Dialled(at=at, mono=1.0, draw=0.5))
        recorder.write(events.Opened(at=at + 100, mono=1.1))
        recorder.write(events.Frame(at=at + 500, mono=1.5, direction="in", text=json.dumps(trade)))
        recorder.close()
    done = mon("replay", str(file), "--speed", "max", env=clean)
    assert [line["down_ms"] for line in records(done.stdout) if "down_ms" in line] == [89_600]
    assert "mon: trades: the recording goes on with a later run of mon\n" in done.stderr
    assert "None" not in done.stderr


def test_a_run_that_ended_for_good_ends_no_later_one(clean: dict[str, str], tmp_path: Path) -> None:
    """Refused at first, then the key was mended: the recording plays to its end."""
    file = tmp_path / "run.jsonl"
    refused = Recorder(file, header(), Redactor())
    refused.write(events.Dialled(at=1_000, mono=1.0, draw=0.5))
    refused.write(events.Answered(at=1_001, mono=1.001, status=403))
    refused.close()
    done = mon("replay", str(file), "--speed", "max", env=clean)
    assert done.returncode == 4
    data = {"price": 1, "quantity": 2, "side": "BUY"}
    trade = json.dumps({"event": "TRADE", "symbol": SYMBOL, "timestamp": 5_000, "data": data})
    recorder = Recorder(file, header(), Redactor(), "append")
    recorder.write(events.Dialled(at=4_000, mono=1.0, draw=0.5))
    recorder.write(events.Opened(at=4_100, mono=1.1))
    recorder.write(events.Frame(at=5_000, mono=2.0, direction="in", text=trade))
    recorder.close()
    done = mon("replay", str(file), "--speed", "max", env=clean)
    assert done.returncode == 0
    assert [line["price"] for line in records(done.stdout) if line["type"] == "trade"] == [1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"venue": "jayx"}, "is a recording of nexus, not of jayx"),
        ({"url": "wss://other.example"}, "is a recording of nexus at wss://v.example, not at wss://other.example"),
        ({"env": None}, "is a recording of nexus at wss://v.example"),
        ({"values": {"account_id": "2"}}, "with another account_id"),
        (
            {"subscriptions": [RecordedSubscription(stream="book", symbols=(SYMBOL,))]},
            "is a recording of trades SPOT_BTC_USDT, not of book SPOT_BTC_USDT --depth 20",
        ),
        (
            {"subscriptions": [RecordedSubscription(stream="trades", symbols=("SPOT_ETH_USDT",))]},
            "is a recording of trades SPOT_BTC_USDT, not of trades SPOT_ETH_USDT",
        ),
    ],
)
def test_only_the_same_can_be_appended(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    run(file)
    before = file.read_bytes()
    with pytest.raises(RecordingError) as error:
        Recorder(file, header(**changes), Redactor(), "append")
    assert words in str(error.value)
    assert file.read_bytes() == before
    spliced = tmp_path / "spliced.jsonl"
    run(spliced, **changes)
    spliced.write_bytes(before + spliced.read_bytes())
    with pytest.raises(DamagedRecording, match="line 4"):
        list(Recording(spliced).events())


def test_nothing_is_appended_to_what_is_no_recording(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_text("hello\n")
    with pytest.raises(RecordingError, match="expected a recording"):
        Recorder(file, header(), Redactor(), "append")
    assert file.read_text() == "hello\n"


def test_what_a_crash_left_of_a_line_is_taken_away(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    run(file)
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"kind":"frame","at":1')
    recorder = run(file, "append", at=2_000)
    assert recorder.notice is not None
    assert "incomplete (22 bytes)" in recorder.notice
    assert file.read_bytes().startswith(whole)
    assert len(list(Recording(file).events())) == 5


def test_nothing_is_appended_behind_compressed_data_that_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl.gz"
    run(file)
    cut = file.read_bytes()[:-6]
    file.write_bytes(cut)
    with pytest.raises(RecordingError, match="is damaged, so nothing can be appended"):
        run(file, "append")
    assert file.read_bytes() == cut


def test_the_simulator_of_mon_has_another_port_each_time(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    run(file, env="sim", url="ws://127.0.0.1:1000")
    run(file, "append", env="sim", url="ws://127.0.0.1:2000")
    assert len(list(Recording(file).events())) == 5


def test_made_up_trades_go_on_too(clean: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "days.jsonl"
    for start in ("2024-01-01", "2024-01-02"):
        words = ("sim", "--trades", "5m", "--rate", "1", "--start", start, "--out", str(file), "--append")
        assert mon(*words, env=clean).returncode == 0
    done = mon("sim", "--trades", "5m", "--symbol", "SPOT_ETH_USDT", "--out", str(file), "--append", env=clean)
    assert done.returncode == 3
    times = [time for time, _, _ in trades_of(mon("replay", str(file), "--speed", "max", env=clean).stdout)]
    assert times == sorted(times)
    assert times[-1] - times[0] > 86_000_000


# --- bounds


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (600 * 2**20, 600 * 2**20))


def bomb(tmp_path: Path) -> Path:
    """One line of 1.5 GB in a small file."""
    file = tmp_path / "bomb.jsonl.gz"
    with gzip.open(file, "wb", compresslevel=1) as out:
        out.write(msgspec.json.encode(header()) + b"\n")
        for _ in range(96):
            out.write(b"a" * 2**24)
    return file


def test_a_line_without_end_is_damage(clean: dict[str, str], tmp_path: Path) -> None:
    for file, words in ((bomb(tmp_path), "damaged at line 2"), (Path("/dev/zero"), "damaged at line 1")):
        done = subprocess.run(
            [MON, "replay", file, "--speed", "max"],
            env=clean, capture_output=True, text=True, timeout=60, check=False, preexec_fn=_limited,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (3, "")
        assert words in done.stderr


def test_the_longest_message_is_kept_and_played(tmp_path: Path) -> None:
    """Of nothing but control characters: as JSON it would be longer than any line may be."""
    file = tmp_path / "long.jsonl"
    text = "\x01" * (LONGEST_LINE // 6 + 1)
    recorder = Recorder(file, header(), Redactor())
    recorder.write(events.Dialled(at=1, mono=1.0, draw=0.5))
    recorder.write(events.Frame(at=2, mono=2.0, direction="in", text=text))
    recorder.close()
    frame = list(Recording(file).events())[1]
    assert isinstance(frame, events.Frame)
    assert frame.data() == text.encode()


def test_a_message_is_kept_whatever_its_line_misses_of_the_longest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "\x01" * 150
    as_json = len(msgspec.json.encode(events.Frame(at=2, mono=2.0, direction="in", text=text)))
    for more in range(-2, 3):
        for module in ("venues.recording", "venues.recording_file"):
            monkeypatch.setattr(f"{module}.LONGEST_LINE", as_json + more)
        file = tmp_path / f"{more}.jsonl"
        recorder = Recorder(file, header(), Redactor())
        recorder.write(events.Frame(at=2, mono=2.0, direction="in", text=text))
        recorder.close()
        (frame,) = Recording(file).events()
        assert isinstance(frame, events.Frame)
        assert frame.data() == text.encode()


def test_a_spill_file_is_the_owner_s_only(tmp_path: Path) -> None:
    """It has no name, and its mode is 600 all the same."""
    script = (
        "import os, stat\n"
        "from cli.output.queues import EventQueue\n"
        "os.umask(0)\n"
        "queue = EventQueue()\n"
        "queue.put(range(30_000))\n"
        "print(oct(stat.S_IMODE(os.fstat(queue._file.fileno()).st_mode)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "0o600\n"


def test_a_file_system_without_locks_takes_recordings_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(number: int) -> Any:
        def flock(descriptor: int, operation: int) -> None:
            raise OSError(number, os.strerror(number))

        return flock

    for number in (errno.ENOLCK, errno.ENOTSUP):
        monkeypatch.setattr(fcntl, "flock", cannot(number))
        RecordingFile(tmp_path / f"{number}.jsonl").close()
    monkeypatch.setattr(fcntl, "flock", cannot(errno.EIO))
    with pytest.raises(RecordingError, match="Input/output error"):
        RecordingFile(tmp_path / "other.jsonl")
