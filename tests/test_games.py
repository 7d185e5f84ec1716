"""Games of the model, of simulated venues, of readers and of mutated recordings go as they went.

`python -m tests.model.games` writes the file anew, where something was meant to change.
"""

from __future__ import annotations

import pytest

from tests.model.games import kept, parts, written


def test_the_file_has_every_game() -> None:
    assert [title for title, _ in kept()] == [*parts()]


@pytest.mark.parametrize("title", parts())
def test_what_comes_of_a_game_is_as_it_was(title: str) -> None:
    now = written(title, parts()[title]()).removeprefix("== ").strip()
    assert now == dict(kept())[title], f"what has changed: compare `python -m tests.model.games {title}` in both trees"
