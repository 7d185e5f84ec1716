"""A stage with all that the runs need around them: the plug-in, and a recording to be played."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.secrecy import commands
from tests.secrecy.runs import Case, Stage


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """A stage in a folder of its own; ended, with its processes, at the end."""
    commands.make_plug_in(folder / "plug-ins")
    stage = Stage(folder)
    try:
        made = folder / "recording.jsonl"
        words = ("trades", "nexus", "SPOT_BTC_USDT", "--env", "sim", "--count", "5", "--record", str(made))
        left = stage.run(Case("a recording", words, commands.prepare(stage, "accepted", 0)))
        assert left.code == 0, left.texts
        yield stage
    finally:
        stage.close()
