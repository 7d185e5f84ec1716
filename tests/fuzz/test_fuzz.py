"""The fuzzer itself: its targets are alive, and each kind of fault is noticed, shrunk and repeated."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.fuzz import __main__ as program
from tests.fuzz import worker
from tests.fuzz.judge import LONGEST_CASE, MOST_MEMORY, Target
from tests.fuzz.targets import TARGETS
from tests.fuzz.worker import case_of, fuzz
from venues import VENUES, venue_named
from venues.errors import BadMessage
from venues.venue import has_list

CORPUS = [b'{"good":[1,2,{"price":"1.5"}]}', b'{"other":null}']


def a_target(run: Callable[[bytes], object], corpus: Sequence[bytes] = CORPUS) -> Target:
    return Target("made", lambda: corpus, run, (BadMessage,))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "SHRUNK_WITHIN", 0.2)


@pytest.mark.parametrize("target", TARGETS, ids=[target.name for target in TARGETS])
def test_a_target_is_alive(target: Target) -> None:
    corpus = target.corpus()
    assert corpus
    assert max(map(len, corpus)) <= LONGEST_CASE
    assert worker.meant(target, corpus) > 0, "no case of its corpus means anything"
    mutated = fuzz(target, corpus, seed=1, cases=10, first=len(corpus))
    assert mutated.found == []
    assert mutated.cases == 10


def test_every_venue_has_its_targets() -> None:
    names = {target.name for target in TARGETS}
    assert names >= {f"{kind}.{name}" for kind in ("session", "simulator") for name in VENUES}
    assert names >= {f"symbols.{name}" for name in VENUES if has_list(venue_named(name))}
    assert len(names) == len(TARGETS)


def raises(case: bytes) -> None:
    if b"price" not in case:
        raise KeyError("price")


def burns(case: bytes) -> None:
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass


def allocates(case: bytes) -> None:
    bytearray(200 * 2**20)[:: 2**12] = b"x" * (200 * 2**8)


def hangs(case: bytes) -> None:
    while True:
        pass


def dies(case: bytes) -> None:
    if case not in CORPUS:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("run", "kind", "words"),
    [
        (raises, "KeyError", "KeyError: 'price'"),
        (burns, "cpu", "ms of processor time, expected at most 100"),
        (allocates, "memory", "MiB of memory, expected at most 100"),
        (hangs, "cpu", "given up after"),
        (dies, "died", "SIGKILL"),
    ],
)
def test_a_fault_is_noticed(
    run: Callable[[bytes], object], kind: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if run is hangs:
        monkeypatch.setattr("tests.fuzz.judge.GIVEN_UP_AFTER", 0.3)
    monkeypatch.setattr("tests.fuzz.judge.TRIES", 1)
    monkeypatch.setattr(worker, "SHRUNK_WITHIN", 0.0)
    (found,) = fuzz(a_target(run), CORPUS[1:], seed=1, cases=2 if run is dies else 1).found
    assert found.fault.kind == kind
    assert words in found.fault.words


def test_a_target_that_dies_of_its_corpus_is_noticed() -> None:
    def run(case: bytes) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    (found,) = fuzz(a_target(run), CORPUS, seed=1, seconds=60.0).found
    assert (found.fault.kind, found.case) == ("died", CORPUS[0])


def test_what_is_within_the_bounds_is_no_fault() -> None:
    def run(case: bytes) -> None:
        bytearray(MOST_MEMORY // 2)[:: 2**12] = b"x" * (MOST_MEMORY // 2**13)
        if case.startswith(b"["):
            raise BadMessage("ours")

    assert fuzz(a_target(run), CORPUS, seed=1, cases=4).found == []


def test_a_fault_is_shrunk_and_repeated(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run(case: bytes) -> int:
        if b"other" in case:
            raise KeyError("other")
        return 1

    monkeypatch.setattr(program, "TARGETS", [a_target(run)])
    assert program.main(["--seed", "7", "--cases", "0"]) == 1
    said = capsys.readouterr().out
    assert "case of 5 bytes, number 1: b'other'" in said
    assert "--seed 7" in said
    repeat = re.search(r"repeat: python -m tests.fuzz (made --case \S+)", said)
    assert repeat is not None
    assert program.main(repeat[1].split()) == 1
    assert "KeyError: 'other'" in capsys.readouterr().out
    assert program.main(["made", "--case", "Z29vZA=="]) == 0
    assert "no fault" in capsys.readouterr().out


def test_a_long_case_is_kept_as_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def run(case: bytes) -> None:
        if len(case) > 5_000:
            raise KeyError("long")

    monkeypatch.setattr(program, "TARGETS", [a_target(run, [b"x" * 6_000])])
    assert program.main(["--seed", "7", "--cases", "0", "--folder", str(tmp_path)]) == 1
    (file,) = tmp_path.iterdir()
    assert f"--case {file}" in capsys.readouterr().out
    assert program.main(["made", "--case", str(file)]) == 1


def test_a_case_depends_on_the_seed_alone() -> None:
    target = a_target(len)
    made = [case_of(target, CORPUS, 3, number) for number in range(200)]
    assert made[: len(CORPUS)] == CORPUS
    assert made == [case_of(target, CORPUS, 3, number) for number in range(200)]
    assert made != [case_of(target, CORPUS, 4, number) for number in range(200)]
    assert max(map(len, made)) <= LONGEST_CASE
    for needed in (
        b"[" * 400,
        b"1e999999999",
        b"9" * 5_000,
        b"\\ud800",
        b"NaN",
        b'"good":[1,2,{"price":"1.5"}],"good"',
    ):
        assert any(needed in case for case in made), needed


@pytest.mark.parametrize("line", [["nobody"], ["--minutes", "0"], ["--case", "!!"], ["--seed", "x"]])
def test_a_wrong_line_is_told(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(line)
    assert ended.value.code == 2
    assert "expected" in (said := capsys.readouterr().err) or "invalid" in said
