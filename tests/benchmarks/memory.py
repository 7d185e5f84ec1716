"""How much memory `mon` takes: at the start, after millions of messages, with a deep book, and with many symbols.

    python -m tests.benchmarks.memory

What is resident, by the system's account, so the libraries that it shares with others are in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.figures import WrongResultError, absent, at_most, print_head, progress
from tests.benchmarks.sender import SYMBOL, port_of, sending

MILLIONS = (1, 5)
SENT = 250_000  # messages, which are sent again and again
SYMBOLS = 20
DEEP = 20_000  # levels, both sides together
BOOKS = 60
MOST = 60.0  # MB
FLAT = 3.0  # MB that 4 million messages may add


class Watched:
    """A running `mon` whose lines are counted and dropped."""

    def __init__(self, mon: Path, port: int, words: list[str]) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MON_", "PYTHON"))}
        environment |= {"MON_NEXUS_URL": f"ws://127.0.0.1:{port}", "MON_NEXUS_CLIENT_KEY": "a-key-of-no-value"}
        environment |= {"MON_KRAKEN_URL": f"ws://127.0.0.1:{port}"}
        self.process = subprocess.Popen(
            [str(mon), *words, "--retries", "0", "-q"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.lines = 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        assert self.process.stdout is not None
        while data := os.read(self.process.stdout.fileno(), 2**20):
            self.lines += data.count(b"\n")

    def until(self, condition: Callable[[], bool], seconds: float = 120.0) -> float:
        """The MB that are resident once it holds."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end or self.process.poll() is not None:
                raise WrongResultError(f"mon wrote {self.lines} lines only")
            time.sleep(0.005)
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()


def run() -> None:
    """Each case in a process of its own."""
    mon = Path(sys.executable).with_name("mon")
    if not mon.exists() or not Path("/proc/self/status").exists():
        absent("memory", "it needs /proc, and `mon` beside the interpreter")
        return
    _messages(mon)
    _deep(mon)
    _many(mon)


def _messages(mon: Path) -> None:
    progress("memory after millions of messages")
    with sending(SENT, times=4 * MILLIONS[-1] + 4) as port:
        watched = Watched(mon, port, ["trades", "nexus", SYMBOL])
        begun = watched.until(lambda: watched.lines > 100)
        after = [watched.until(lambda most=most: watched.lines > most * 1_000_000) for most in MILLIONS]
        watched.end()
    progress("")
    at_most("memory after the first 100 trades", f"{begun:.1f} MB", begun, MOST)
    for millions, size in zip(MILLIONS, after, strict=True):
        at_most(f"memory after {millions} million trades", f"{size:.1f} MB", size, MOST)
    at_most("memory, what 4 million trades add", f"{after[1] - after[0]:.1f} MB", after[1] - after[0], FLAT)


def _deep(mon: Path) -> None:
    name = f"memory with a book of {DEEP:,} levels"
    progress(name)
    with sending(BOOKS, levels=DEEP // 2) as port:
        watched = Watched(mon, port, ["book", "nexus", SYMBOL])
        size = watched.until(lambda: watched.lines > BOOKS // 2)
        watched.end()
    progress("")
    at_most(name, f"{size:.1f} MB", size, MOST)


def _many(mon: Path) -> None:
    name = f"memory with {SYMBOLS} symbols, a million trades"
    progress(name)
    symbols = [f"A{number}/USD" for number in range(SYMBOLS)]
    with port_of("tests.benchmarks.kraken_sender", SENT // 5, 25) as port:
        watched = Watched(mon, port, ["trades", "kraken", *symbols])
        size = watched.until(lambda: watched.lines > 1_000_000)
        watched.end()
    progress("")
    at_most(name, f"{size:.1f} MB", size, MOST)


if __name__ == "__main__":
    print_head()
    run()
