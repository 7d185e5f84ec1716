"""Mutants that no test can notice, or none ought to, and why. They still count as survivors.

A key is what `--only` prints after the id: file, function, line before and after; so it does not move with the lines
above it, and `tests/test_mutation.py` fails for one whose line is no longer there.
"""

from __future__ import annotations

EXPLAINED: dict[str, str] = {
    "venues/toolkit/spellings.py _struct_of: if not said or not isinstance(said[0], str): -> "
    "if not said or not isinstance(said[(-1)], str):": "`said` has one element at most: its first is its last",
}
