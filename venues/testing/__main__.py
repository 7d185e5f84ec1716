"""`python -m venues.testing rewrite MODULE:ENTRY FOLDER`: writes what the recordings of a folder give now."""

from __future__ import annotations

import sys
from pathlib import Path

from venues import load
from venues.errors import MonError
from venues.testing.recordings import cases, rewrite, unasked

USAGE = "usage: python -m venues.testing rewrite MODULE:ENTRY FOLDER\n  e.g. … rewrite mon_acme:ACME tests/recordings"


def main(arguments: list[str]) -> int:
    """Runs one command line; returns its exit code: 0, or 2 for one that cannot be run."""
    if len(arguments) != 3 or arguments[0] != "rewrite" or ":" not in arguments[1]:
        print(USAGE, file=sys.stderr)
        return 2
    folder = Path(arguments[2])
    if not cases(folder):
        print(f"expected recordings such as book--first.frames.jsonl in {folder}, got none", file=sys.stderr)
        return 2
    try:
        venue = load(arguments[1])
        changed = rewrite(folder, venue)
        warnings = [f"{case.name}: {text}" for case in cases(folder) for text in unasked(case, venue)]
    except (ImportError, AttributeError, MonError) as error:
        print(f"cannot write what {arguments[1]} gives: {error}", file=sys.stderr)
        return 2
    for warning in warnings:
        print(warning, file=sys.stderr)
    for path in changed:
        print(f"{path}: written; read it before you commit it")
    if not changed:
        print("nothing has changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
