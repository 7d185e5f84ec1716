"""A new venue's package: which names it may have, and what becomes of the template."""

from __future__ import annotations

import pytest

from venues.errors import UsageError
from venues.testing.making import check_name, texts_of

NO_NAME = 'expected a venue\'s name of at most 30 letters a-z and digits that begins with a letter, got "{}"'
OF_PYTHON = '"{0}" is a word of Python; take another name, such as {0}x'
OURS = 'the name "{}" is one that mon has already; take another one'


@pytest.mark.parametrize("name", ["a", "x9", "abc", "a" * 30, "acme"])
def test_a_name_that_may_be(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", NO_NAME.format("")),
        ("9a", NO_NAME.format("9a")),
        ("Acme", NO_NAME.format("Acme")),
        ("a" * 31, NO_NAME.format("a" * 31)),
        ("a" * 32, NO_NAME.format("a" * 31)),
        ("class", OF_PYTHON.format("class")),
        ("match", OF_PYTHON.format("match")),
        ("none", OF_PYTHON.format("none")),
        ("trade", "the package has something else that is called Trade; take another name, such as tradex"),
        ("kraken", OURS.format("kraken")),
        ("bot", OURS.format("bot")),
    ],
)
def test_a_name_that_may_not(name: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_name(name)
    assert str(refused.value) == said


def test_the_templates_name_becomes_the_venues_in_every_case() -> None:
    made, template = texts_of("orbiter"), texts_of("acme")
    assert [path.replace("acme", "orbiter") for path in template] == [*made]
    assert [*made] == sorted(made)
    assert ".gitignore" in made
    assert "src/mon_orbiter/__init__.py" in made
    assert not any(
        path.endswith(".txt") or "/_" in path.replace("__init__", "").replace("__main__", "") for path in made
    )
    for path, text in template.items():
        other = made[path.replace("acme", "orbiter")]
        for here, there in (("acme", "orbiter"), ("Acme", "Orbiter"), ("ACME", "ORBITER")):
            assert here not in other
            text = text.replace(here, there)
        assert other == text
