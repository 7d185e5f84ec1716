"""How long a message is inside `mon trades` in a pipe: from the read that brought it to the write of its line.

    python -m tests.benchmarks.latency

At 1,000 and 10,000 messages a second; at the greater rate also with a collection of all garbage every half second, with
a recording, and, with a reader that takes nothing for a while, until the record is in the output's queue.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks.figures import WrongResultError, at_most, for_information, print_head, progress
from tests.benchmarks.sender import SYMBOL, sending

ROOT = Path(__file__).parents[2]
SECONDS = 6
SETTLED = 1.0  # seconds at the beginning that do not count
P99 = 1.0  # ms, at 10,000 messages a second

# `mon`, which notes when bytes are read and when lines are written. What is read is put before what it makes.
INSIDE = """
import atexit, gc, json, sys, threading, time
how, told = sys.argv.pop(1), sys.argv.pop(1)
from cli.main import run
from cli.output import lines
from venues import opening
read, done, now = [], [], time.perf_counter
received, handed, put = opening.Socket.data_received, lines.write_all, lines.Output.put
def data_received(self, data):
    read.append((now(), data.count(b'"TRADE"')))
    received(self, data)
def write_all(descriptor, data, on_written=None):
    handed(descriptor, data, on_written)
    done.append((now(), data.count(b'"type":"trade"')))
def put_noted(self, records):
    put(self, records)
    done.append((now(), sum(type(record).__name__ == "Trade" for record in records)))
opening.Socket.data_received = data_received
if how == "queue":
    lines.Output.put = put_noted
else:
    lines.write_all = write_all
if how == "collecting":
    def collect():
        while True:
            time.sleep(0.5)
            gc.collect()
    threading.Thread(target=collect, daemon=True).start()
@atexit.register
def tell():
    with open(told, "w") as file:
        json.dump([read, done], file)
import os
_exit = os._exit
def exit_told(code):
    tell()
    _exit(code)
os._exit = exit_told
run(sys.argv[1:])
"""


def run() -> None:
    """Each rate, then what may come between."""
    for rate, how, words in (
        (1_000, "plain", ""),
        (10_000, "plain", ""),
        (10_000, "collecting", ", collecting garbage"),
        (10_000, "recording", ", recording"),
        (10_000, "queue", ", slow reader, to the queue"),
    ):
        name = f"inside at {rate:,} a second{words}"
        progress(name)
        taken = sorted(measured(rate, how))
        progress("")
        shown = ", ".join(f"p{share:g} {_share(taken, share) * 1000:.2f}" for share in (50, 99, 99.9))
        if rate == 10_000:
            at_most(f"{name}: p99 in ms", shown, _share(taken, 99) * 1000, P99)
        else:
            for_information(f"{name}, in ms", shown)


def _share(taken: Sequence[float], percent: float) -> float:
    return taken[min(len(taken) - 1, int(len(taken) * percent / 100))]


def measured(rate: int, how: str) -> list[float]:
    """The seconds that each message was inside."""
    with tempfile.TemporaryDirectory() as folder, sending(rate * (SECONDS + 5), rate=rate) as port:
        told = Path(folder) / "told.json"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MON_", "PYTHON"))}
        environment |= {"MON_NEXUS_URL": f"ws://127.0.0.1:{port}", "MON_NEXUS_CLIENT_KEY": "a-key-of-no-value"}
        words = ["trades", "nexus", SYMBOL, "--duration", f"{SECONDS}s", "-q"]
        words += ["--record", str(Path(folder) / "recording.jsonl")] if how == "recording" else []
        with subprocess.Popen(
            [sys.executable, "-c", INSIDE, how, str(told), *words],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            reader = threading.Thread(target=_read, args=(process.stdout.fileno(), how == "queue"), daemon=True)
            reader.start()
            process.wait(60)
            reader.join(10)
        if process.returncode != 0:
            raise WrongResultError(f"mon ended with exit code {process.returncode}")
        read, done = json.loads(told.read_text(encoding="utf-8"))
    return list(_inside(read, done))


def _read(descriptor: int, slowly: bool) -> None:
    while os.read(descriptor, 4_096 if slowly else 2**20):
        if slowly:
            threading.Event().wait(0.05)


def _inside(read: list[tuple[float, int]], done: list[tuple[float, int]]) -> Iterator[float]:
    ends = (at for at, count in done for _ in range(count))
    begins = (at for at, count in read for _ in range(count))
    first = read[0][0]
    for begin, end in zip(begins, ends, strict=False):
        if begin - first > SETTLED:
            yield end - begin


if __name__ == "__main__":
    print_head()
    run()
