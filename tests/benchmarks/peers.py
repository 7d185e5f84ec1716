"""What one would take instead of `mon trades --fields price,…`, where it is installed: lines of four fields a second.

    python -m tests.benchmarks.peers

`wscat` (npm), `websocat` and `websockets`' own command line, each into `jq -c`. They get the same messages from the
same process. Rates are from the first chunk that comes out to the last.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.figures import WrongResultError, absent, at_least, for_information, print_head, progress
from tests.benchmarks.sender import SYMBOL, sending

MESSAGES = 40_000
TURNS = 3
CHUNK = 2**20
FASTER = 1.0  # than each of them
JQ = "jq -c '{price: .data.price, size: .data.quantity, side: .data.side, time: .timestamp}'"
FIELDS = "price,size,side,time"


def commands() -> dict[str, str]:
    """The peers, and what they are started with; `$URL` is the sender's address."""
    here = Path(sys.executable).parent
    websocat = shutil.which("websocat") or shutil.which("websocat", path=str(here))
    found = {
        "wscat | jq": f"tail -f /dev/null | {shutil.which('wscat')} --no-color -c $URL | {JQ}",
        "websocat | jq": f"tail -f /dev/null | {websocat} -E $URL | {JQ}",
        "websockets' command line | jq": (
            f"tail -f /dev/null | {here / 'websockets'} $URL | sed -un 's/^.*< {{/{{/p' | {JQ}"
        ),
    }
    missing = {"wscat | jq": shutil.which("wscat"), "websocat | jq": websocat}
    return {name: command for name, command in found.items() if missing.get(name, name) and shutil.which("jq")}


def rate(command: str, port: int) -> float:
    """Messages a second of a command line whose output is one line a message."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MON_", "PYTHON"))}
    environment |= {
        "MON_NEXUS_URL": f"ws://127.0.0.1:{port}", "MON_NEXUS_CLIENT_KEY": "a-key-of-no-value",
        "URL": f"ws://127.0.0.1:{port}/ws/key/{SYMBOL}",
    }  # fmt: skip
    with subprocess.Popen(
        ["bash", "-c", command], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        lines, first, last, in_first = 0, 0.0, 0.0, 0
        while lines < MESSAGES and (chunk := os.read(process.stdout.fileno(), CHUNK)):
            last = time.perf_counter()
            lines += chunk.count(b"\n")
            if not first:
                first, in_first = last, lines
        os.killpg(process.pid, 9)  # `tail` and what waits for more
    if lines < MESSAGES or first == last:
        raise WrongResultError(f"{command} wrote {lines} of {MESSAGES} lines, {in_first} at once")
    return (lines - in_first) / (last - first)


def run() -> None:
    """`mon`, into jq for comparison, then each peer."""
    mon = Path(sys.executable).with_name("mon")
    if not mon.exists() or shutil.which("jq") is None:
        absent("mon trades --fields", "it needs `mon` beside the interpreter, and jq")
        return
    with sending(MESSAGES, times=50) as port:  # since wscat loses what it has not written when the line is closed
        progress("mon trades --fields")
        command = f"{mon} trades nexus {SYMBOL} --retries 0 -q"
        ours = max(rate(f"{command} --fields {FIELDS}", port) for _ in range(TURNS))
        into_jq = max(rate(f"{command} | jq -c '{{{FIELDS}}}'", port) for _ in range(TURNS))
        progress("")
        for_information("mon trades --fields", f"{ours:,.0f} msg/s")
        for_information("mon trades | jq", f"{into_jq:,.0f} msg/s")
        there = commands()
        for name in ("wscat | jq", "websocat | jq", "websockets' command line | jq"):
            if name not in there:
                absent(name, "it is not installed")
                continue
            progress(name)
            theirs = max(rate(there[name], port) for _ in range(TURNS))
            progress("")
            at_least(f"mon trades --fields / {name}", f"{theirs:,.0f} msg/s", ours / theirs, FASTER)


if __name__ == "__main__":
    print_head()
    run()
