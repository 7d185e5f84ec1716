"""What the simulated venues say with a seed is as it was: `mon sim --seed` is repeatable from version to version too.

Where something was changed on purpose, `python -m tests.simulator.plays` writes the file anew.
"""

from __future__ import annotations

import pytest

from .plays import GOLDEN, parts, written


def test_the_file_has_every_part() -> None:
    titles = [line.removeprefix("== ") for line in GOLDEN.read_text("utf-8").splitlines() if line.startswith("== ")]
    assert titles == [*parts()]


@pytest.mark.parametrize("title", parts())
def test_what_is_said_is_as_it_was(title: str) -> None:
    kept = {part.partition("\n")[0]: part for part in GOLDEN.read_text("utf-8").split("== ")[1:]}
    assert written(title, parts()[title]()).removeprefix("== ").strip() == kept[title].strip()
