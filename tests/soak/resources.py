"""What a process uses, from /proc, and whether it stays flat.

Samples are taken in the calm stretch at the end of each round, so that like is compared with like. The first round, of
many rounds the first fifth, warms up and does not count: modules are loaded, arenas taken; and a table meets all its
sizes, keys and texts only by and by, of which rich keeps what it has measured (up to 5 MB in ten minutes).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

PAGE = os.sysconf("SC_PAGE_SIZE")
HERTZ = os.sysconf("SC_CLK_TCK")
MB = 1_000_000

# A process of Python takes memory in arenas of 1 MiB and keeps what a burst needed: the first reconnect, the first
# garbage, the first full book that waits. Over three minutes these come in any round, so some steps are no leak.
# The largest step of a healthy part in three minutes was 0.7 MB.
STEP = 3 * MB
# A leak goes on: it is in each third of a run, where a step is in one. Where the run is long enough to tell, memory may
# grow in each at most so steeply: half a kilobyte for each second of a stream that prints ten lines in it.
SLOPE = 4 * MB  # an hour
LONG_ENOUGH = 20  # rounds: ten minutes
# A row that is there takes memory, and is known by its time and key: 2.2 KB was measured for a closed position.
ROW = 2_500
# rich keeps what it has measured and cut, 16,384 lines at most, and a table meets all its sizes, keys and texts only by
# and by. At 60 events a second a dashboard with keys and sizes went from 48.5 to 54.0 MB in a minute, and stayed there
# for seven. Below that its slope says nothing.
CACHES_OF_TABLES = 6 * MB
# One socket more or less: a line has none between two tries, and an HTTP connection is kept open for a while. A server
# has one for each of its guests that is there just then.
MORE = {"files": 0, "sockets": 1, "threads": 0}
# All processes together: a third has had a bad line, and may be between two tries. Where each loses a socket at each
# reconnect, they have twice as many more after three rounds.
MORE_OF_ALL = 1 / 3  # for each process
# CPU time in equal phases differs by what else the two cores do: caches, the other job. Twice as much is more than
# that ever made (30 %), and less than a list that is searched from its beginning makes of an hour.
TIMES = 2.0
CPU_NOISE = 0.05  # seconds a second: a try to connect, or a book that is made anew, in the six seconds of the calm


class Sample(NamedTuple):
    """One look at a process; memory in bytes, `cpu` in seconds since its start, `files` what is no socket."""

    at: float
    rss: int
    pss: int
    files: int
    sockets: int
    threads: int
    cpu: float


class Round(NamedTuple):
    """What a process used in the calm of one round; `cpu` is seconds a second, of a table that draws: a frame."""

    at: float
    rss: int
    pss: int
    files: int
    sockets: int
    threads: int
    cpu: float
    rows: int = 0  # of the state that its reader has

    @property
    def descriptors(self) -> int:
        """All of them."""
        return self.files + self.sockets


def sample(pid: int, at: float) -> Sample | None:
    """A look at a process; None for one that is gone."""
    folder = Path(f"/proc/{pid}")
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        if fields[0] == "Z":
            return None
        return Sample(
            at,
            int(fields[21]) * PAGE,
            _pss(folder),
            *_descriptors(folder / "fd"),
            int(fields[17]),
            (int(fields[11]) + int(fields[12])) / HERTZ,
        )
    except (OSError, IndexError, ValueError):
        return None


def _descriptors(folder: Path) -> tuple[int, int]:
    files = sockets = 0
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # closed since
            where = os.readlink(folder / name)
            is_socket = where.startswith("socket:")
            # libfaketime reads the time from that file again and again.
            files, sockets = files + (not is_socket and "/clock-" not in where), sockets + is_socket
    return files, sockets


def _pss(folder: Path) -> int:
    for line in (folder / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def of_round(samples: Sequence[Sample], frames: int = 0, rows: int = 0) -> Round | None:
    """The samples of a calm stretch as one. Of descriptors and threads the least: what comes and goes is no leak.

    `frames` were drawn meanwhile: a table costs 1 % of a core while it is frozen or has no line, and live up to 20 %.
    """
    if len(samples) < 2:
        return None
    first, last = samples[0], samples[-1]
    return Round(
        last.at,
        int(median(one.rss for one in samples)),
        int(median(one.pss for one in samples)),
        min(one.files for one in samples),
        min(one.sockets for one in samples),
        min(one.threads for one in samples),
        (last.cpu - first.cpu) / max(last.at - first.at, frames),
        rows,
    )


def warm_after(rounds: int) -> int:
    """How many of so many rounds warm up."""
    return max(1, rounds // 5)


def not_flat(rounds: Sequence[Round], guests: int = 0, *, table: bool = False) -> list[str]:
    """What grows, in words. While it warms up, memory is not looked at; of what can be counted all is.

    `guests` are others that may be connected to it. A `table` has caches that fill, and what it costs goes by what it
    shows and how much comes, from 1 to 24 % of a core in equal phases: in few rounds that is no measure.
    """
    warm = warm_after(len(rounds))
    counted = rounds[warm:]
    if len(counted) < 3:
        return []
    third = max(1, len(counted) // 3)
    first, last = counted[:third], counted[-third:]
    found = []
    for what in MORE:
        before = max(getattr(one, what) for one in rounds[: warm + third])
        after = min(getattr(one, what) for one in last)
        if after > before + MORE[what] + (guests if what == "sockets" else 0):
            found.append(f"{what}: at most {before} in the first third, at least {after} in the last")
    for what in ("rss", "pss"):
        before, after = (median(getattr(one, what) for one in some) for some in (first, last))
        if after - before > STEP:
            found.append(f"{what}: {before / MB:.1f} MB in the first third, {after / MB:.1f} MB in the last")
        kept = [(one.at, getattr(one, what) - ROW * one.rows) for one in counted]
        if len(kept) >= LONG_ENOUGH and kept[-1][1] > getattr(rounds[0], what) + CACHES_OF_TABLES * table:
            thirds = (kept[:third], kept[third:-third], kept[-third:])
            if (slope := min(map(steepness, thirds))) > SLOPE:
                found.append(f"{what}: grows by {slope / MB:.1f} MB an hour")
    before, after = (median(one.cpu for one in some) for some in (first, last))
    if after > before * TIMES + CPU_NOISE and (not table or len(counted) >= LONG_ENOUGH):
        series = " ".join(f"{one.cpu * 100:.1f}" for one in rounds)
        found.append(f"CPU: {before * 100:.1f} % in the first third, {after * 100:.1f} % in the last ({series})")
    return found


def sockets_lost(processes: Sequence[Sequence[Round]]) -> list[str]:
    """Whether all processes together have more and more sockets."""
    counted = [rounds for rounds in processes if len(rounds) >= 4]
    if not counted:
        return []
    count = min(map(len, counted))
    sums = [sum(rounds[number].sockets for rounds in counted) for number in range(count)]
    warm = warm_after(count)
    third = max(1, (count - warm) // 3)
    before, after = max(sums[: warm + third]), min(sums[-third:])
    if after <= before + max(2, MORE_OF_ALL * len(counted)):
        return []
    return [f"sockets of all together: at most {before} in the first third, at least {after} in the last"]


def steepness(points: Sequence[tuple[float, float]]) -> float:
    """How much it grows an hour: the median of the slopes of all pairs (Theil and Sen), which a step does not move."""
    slopes = [(there - here) / (later - at) for n, (at, here) in enumerate(points) for later, there in points[n + 1 :]]
    return median(slopes) * 3600
