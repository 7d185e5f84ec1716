"""What small functions and command lines answer is as it was: `python -m tests.answers` writes the file anew."""

from __future__ import annotations

import pytest

from tests.answers import PARTS, kept, written


def test_the_file_has_every_part() -> None:
    assert [*kept()] == [*PARTS]


@pytest.mark.parametrize("part", PARTS)
def test_the_answers_are_as_they_were(part: str) -> None:
    assert written(part).splitlines() == kept()[part].splitlines()
