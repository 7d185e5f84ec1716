"""A marked secret in every place, every command, every failure: the part that each run of the tests has time for.

`python -m tests.secrecy` runs all of it. What makes the lists complete, and what proves that the search finds a leak,
is here too.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.settings.config_shape import KINDS
from tests.secrecy import commands, faults, places
from tests.secrecy.marks import found, mark, pieces, read_from, shown_by
from tests.secrecy.runs import Case, Left, Stage, run_all
from tests.secrecy.stages import staged
from tests.secrecy.world import spellings
from venues import VENUES, venue_named
from venues.redaction import says_a_secret

AT_ONCE = 6


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("secrecy")) as made:
        yield made


@pytest.mark.slow("two hundred processes")
@pytest.mark.timeout(300)  # their time is the machine's: 15 s of CPU in all
def test_no_secret_is_anywhere(stage: Stage) -> None:
    cases = commands.all_cases(stage, whole=False)
    marks: set[str] = set()
    problems: list[str] = []
    for left in run_all(stage, cases, AT_ONCE):
        marks |= set(left.marks.values())
        problems += [f"{left.case.name}: {problem}" for problem in left.problems()]
    assert problems == []
    told = stage.heard()
    assert told <= marks
    # What was never sent could not be said back: each secret of each venue came to a server, in each way of setting it.
    for owner, name in places.SECRETS:
        if owner != "bot":  # whose token only its own clients send
            places_of = {(scope, way) for scope, *_ in places.scopes(owner) for way in places.WAYS}
            ways = {way for scope, way in places_of if mark(f"{owner} {name}, {scope}, as {way}") in told}
            assert ways == {*places.WAYS}, owner
    for name in ("cookie", "connectionToken", "accessToken"):
        assert mark(f"b2trader's {name}", tricky=name != "cookie") in told
    assert any(mark(f"{where}: password") in told for where in places.PROXIES)


# --- the lists are complete


def test_each_secret_is_in_the_list() -> None:
    known = {(name, secret) for name in VENUES for secret in venue_named(name).secrets} | {("bot", "token")}
    assert known == {one for one in places.SECRETS if one[0] != "acme"}
    assert {name for name in VENUES if not venue_named(name).secrets} == {*places.WITHOUT_SECRETS}
    assert [*KINDS] == ["", "_file", "_command"]  # with a variable, these are all the ways
    assert len(places.WAYS) == len(KINDS) + 1


def test_each_secret_s_name_says_that_it_is_one() -> None:
    """By its name a crash knows what it must not tell before anybody has said what the venue's secrets are."""
    assert [name for _, name in places.SECRETS if not says_a_secret(name)] == []


def test_each_command_is_in_the_list() -> None:
    known = commands.leaves()
    run = {path for command in commands.COMMANDS for *_, words in commands.lines_of(command) for path in [words]}
    missing = [name for name in known if not any(words[: len(name.split())] == tuple(name.split()) for words in run)]
    assert missing == []


def test_each_place_each_command_and_each_failure_is_in_the_part(stage: Stage) -> None:
    cases = commands.all_cases(stage, whole=False)
    for name in commands.leaves():
        words = tuple(name.split())
        assert any(case.words[: len(words)] == words and "--help" not in case.words for case in cases), name
    for world in (*commands.WORLDS, *(f"proxy: {kind}" for kind in commands.THROUGH_PROXY)):
        assert any(f" · {world} · " in case.name for case in cases), world
    for name in (*faults.CRASHES, *commands.COMMANDS_THAT_FAIL, *places.BROKEN, *places.LINES):
        assert any(name in case.name for case in cases), name
    for venue in commands.ALL_VENUES:
        assert any(venue in case.words for case in cases), venue


# --- the search finds what there is to be found


@pytest.mark.parametrize("spelling", range(len(spellings(mark("x")))))
def test_a_mark_is_found_in_every_spelling(spelling: int) -> None:
    marks = {"x": mark("x"), "y": mark("y")}
    text = spellings(marks["x"])[spelling]
    assert found(f"before{text}behind", marks) == {"x"}
    assert [*read_from(f"?a={text}&")][:1] in ([marks["x"]], [])


def test_a_mark_is_found_however_it_is_cut() -> None:
    marks = {"x": mark("x"), "y": mark("y")}
    for at in range(len(marks["x"]) + 1):
        for cut in (marks["x"][:at], marks["x"][at:]):
            assert found(f"… {cut} …", marks) == ({"x"} if any(one in cut for one in pieces(marks["x"])) else set())
        assert found(marks["x"][:at] + " \r\n   " + marks["x"][at:], marks) == {"x"}
        assert found(shown_by((marks["x"][:at] + "\x1b[31;1m" + marks["x"][at:]).encode()), marks) == {"x"}


@pytest.mark.parametrize("before", range(4))
def test_a_mark_is_found_in_base64_and_hexadecimal(before: int) -> None:
    import base64

    marks, text = {"x": mark("x"), "y": mark("y")}, ("user:"[:before] + mark("x") + ":end").encode()
    assert found(base64.b64encode(text).decode(), marks) == {"x"}
    assert found(text.hex(), marks) == {"x"}


@pytest.fixture(scope="module")
def leaking(stage: Stage) -> dict[str, Left]:
    """What the runs with a leak on purpose have left."""
    return {left.case.fault: left for left in run_all(stage, [*commands.leaks(stage)], AT_ONCE)}


@pytest.mark.parametrize("leak", faults.LEAKS)
def test_a_leak_on_purpose_is_found(leak: str, leaking: dict[str, Left]) -> None:
    problems = [one for one in leaking[leak].problems() if "ended with" not in one]
    assert any(faults.FOUND_AS[leak] in one for one in problems), problems


def test_the_runs_of_the_leaks_are_clean_without_them(stage: Stage) -> None:
    clean = [Case(case.name, case.words, case.prepare, case.terminal) for case in commands.leaks(stage)][:2]
    assert [problem for left in run_all(stage, clean, AT_ONCE) for problem in left.problems()] == []
