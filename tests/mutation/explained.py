"""Mutants that no test can notice, or none ought to, and why. They still count as survivors.

A key is what `--only` prints after the id: file, function, line before and after; so it does not move with the lines
above it, and `tests/test_mutation.py` fails for one whose line is no longer there.
"""

from __future__ import annotations

EXPLAINED: dict[str, str] = {}
