"""The tapes of real markets that lie beside the project, and odd ones of our own."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1].parent / "shared" / "market"
TAPES = sorted(FOLDER.glob("*.jsonl.gz"))

needs_tapes = pytest.mark.skipif(not TAPES, reason="../shared/market is not beside the project")


def tape_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a tape, numbers as they are written."""
    text = gzip.decompress(path.read_bytes()).decode()
    return [json.loads(line) for line in text.splitlines() if line.strip()]
