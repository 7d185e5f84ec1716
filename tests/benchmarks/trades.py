"""`mon trades` in a pipe against a bare `websockets` loop and the script that one writes, fed by the same process.

Rates are from the first message to the last, so what starting costs is left out. What mon writes is compared with
what was sent, trade by trade.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.figures import WrongResultError, absent, at_least, for_information, print_head, progress
from tests.benchmarks.sender import SYMBOL, sending, trades

ROOT = Path(__file__).parents[2]
MESSAGES = 250_000
TURNS = 7
OF_THE_LOOP = 1.0  # which does nothing with what it gets
OF_THE_SCRIPT = 2.5
CHUNK = 2**20
TRADE = b'"type":"trade"'
YARDSTICKS = (
    ("bare recv()", "text", OF_THE_LOOP),
    ("bare recv(decode=False)", "bytes", OF_THE_LOOP),
    ("a script: websockets, json, print", "script", OF_THE_SCRIPT),
)
UNREACHABLE = 5  # mon's exit code: the sender has closed, and --retries 0 allows no further try


class Reading(NamedTuple):
    """What came out of a pipe, and the seconds from its first chunk to the last one with a trade."""

    output: bytes
    in_first_chunk: bytes
    seconds: float


def bare_rate(port: int, kind: str) -> float:
    """Messages a second of a yardstick; `kind` is `text`, `bytes` or `script`."""
    arguments = [sys.executable, "-m", "tests.benchmarks.receiver", f"ws://127.0.0.1:{port}/ws/key/{SYMBOL}", kind]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, check=True)
    count, seconds = done.stderr.split()
    if int(count) != MESSAGES:
        raise WrongResultError(f"the bare loop got {int(count)} of {MESSAGES} messages")
    return (MESSAGES - 1) / float(seconds)


def mon_rate(mon: Path, port: int) -> float:
    """Messages a second of `mon trades`; checks that nothing is lost, added or changed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MON_", "PYTHON"))}
    environment |= {"MON_NEXUS_URL": f"ws://127.0.0.1:{port}", "MON_NEXUS_CLIENT_KEY": "a-key-of-no-value"}
    arguments = [str(mon), "trades", "nexus", SYMBOL, "--retries", "0"]
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        reading = _read_all(process.stdout.fileno())
        said = process.stderr.read()
    if process.returncode != UNREACHABLE:
        raise WrongResultError(f"mon ended with exit code {process.returncode}: {said.decode(errors='replace')}")
    _check_lines(reading.output)
    counted = MESSAGES - reading.in_first_chunk.count(TRADE)
    return counted / reading.seconds


def run() -> None:
    """The rates, and mon's against each of the others."""
    mon = Path(sys.executable).with_name("mon")
    if not mon.exists():
        absent("mon trades in a pipe", "no `mon` beside the interpreter; install the project into its virtualenv first")
        return
    ours: list[float] = []
    others: dict[str, list[float]] = {"text": [], "bytes": [], "script": []}
    with sending(MESSAGES) as port:
        for turn in range(TURNS):
            progress(f"mon trades in a pipe, turn {turn + 1} of {TURNS}")
            ours.append(mon_rate(mon, port))
            for kind, rates in others.items():
                rates.append(bare_rate(port, kind))
    progress("")
    for_information("mon trades", _said(ours))
    for name, kind, limit in YARDSTICKS:
        for_information(name, _said(others[kind]))
        ratio = statistics.median(ours) / statistics.median(others[kind])
        at_least(f"mon trades / {name}", f"medians of {TURNS}", ratio, limit)


def _said(rates: list[float]) -> str:
    return f"{statistics.median(rates):,.0f} msg/s (best {max(rates):,.0f})"


def _read_all(descriptor: int) -> Reading:
    """A reader that costs next to nothing: it looks at nothing before the end."""
    chunks, times = [], []
    while chunk := os.read(descriptor, CHUNK):
        chunks.append(chunk)
        times.append(time.perf_counter())
    last = max((index for index, chunk in enumerate(chunks) if TRADE in chunk), default=0)
    if last == 0:
        raise WrongResultError(f"mon wrote {len(chunks)} chunks, and trades in no two of them")
    return Reading(b"".join(chunks), chunks[0], times[last] - times[0])


def _check_lines(output: bytes) -> None:
    written = [
        (str(line["price"]), str(line["size"]), line["side"].upper(), line["time"])
        for line in (json.loads(row, parse_float=Decimal) for row in output.splitlines())
        if line["type"] == "trade"
    ]
    if len(written) != MESSAGES:
        raise WrongResultError(f"mon wrote {len(written)} of {MESSAGES} trades")
    for number, (sent, got) in enumerate(zip(trades(MESSAGES), written, strict=True)):
        if sent != got:
            raise WrongResultError(f"trade {number} was sent as {sent}, and written as {got}")


if __name__ == "__main__":
    print_head()
    run()
