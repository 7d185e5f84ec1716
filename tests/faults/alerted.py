"""`--on` under faults: each record that `--exec` is run for, against what was true of the book when it came."""

from __future__ import annotations

import json
import shlex
import statistics
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tests.faults.referee import Record
from tests.faults.truths import Figures, History
from tests.faults.watched import Watched

CLOCKS: Final = 0.05  # seconds between the look at the simulator's state and what a reader of its lines calls the same


class Alerted:
    """A run with `--on`, whose command writes each record that it is run for into a file."""

    def __init__(self, watched: Watched, truth: History) -> None:
        """`truth`: that of the book. The bound is a bid's usual size, which the best one crosses again and again."""
        (bids, _) = truth.now[""]
        self._bound = statistics.median_low([size for _, size in bids] or [Decimal(0)])
        self.count = 0  # how often it was run
        self._watched, self._truth = watched, truth
        self._folder = tempfile.TemporaryDirectory(prefix="mon-alerted-")
        self._file = Path(self._folder.name) / "fired.jsonl"

    @property
    def options(self) -> tuple[tuple[str, Any], ...]:
        """What `mon` is run with."""
        writes = f"cat >> {shlex.quote(str(self._file))}"
        return ("on", [f"bids[0].size > {self._bound}"]), ("exec", f"sh -c {shlex.quote(writes)}")

    def findings(self, within: float) -> list[str]:
        """What was wrong; `within`: the seconds that what is live may be old. The file is gone behind it."""
        text = self._file.read_text() if self._file.exists() else ""
        self._folder.cleanup()
        fired = [json.loads(line, parse_float=Decimal, parse_int=Decimal) for line in text.splitlines()]
        self.count = len(fired)
        return list(self._found(fired, within))

    def _found(self, fired: list[Record], within: float) -> Iterator[str]:
        before = -1  # the first version that the last one can have been
        for record in fired:
            if record["type"] != "book":
                yield f"run for {record}"
                continue
            came, figures = float(record["received"]) / 1000, self._watched.project(record)[1]
            held = self._truth.held("", came - within, came + CLOCKS)
            numbers = [number for number, version in held if version == figures and number > before]
            if not self._is_true(figures):
                yield f"run though it is not true: {record}"
            elif not numbers:
                yield f"run for a book that came at {came:.3f} and was not so, or is older than the one before"
            elif before >= 0 and all(self._is_true(one) for _, one in self._truth.versions[""][before : numbers[-1]]):
                yield f"run at {came:.3f} again though it was true all the time"
            before = numbers[0] if numbers else before

    def _is_true(self, figures: Figures | None) -> bool:
        return bool(figures and figures[0]) and figures[0][0][1] > self._bound  # type: ignore[index]  # it is not None
