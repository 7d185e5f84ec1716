"""`mon send --stdin`: line after line is sent, and answered in the order of the lines."""

from __future__ import annotations

import asyncio
import codecs
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from cli.errors import INTERRUPTED, OK, REFUSED, UNREACHABLE, USAGE
from cli.run import desk as module
from cli.run.sender import Outcome
from tests.run.heard import Heard
from tests.run.timeless import run, seconds
from venues.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Sequence

TAKEN = Outcome(True, acknowledged=True)
NOT_TAKEN = Outcome(True, "the hub says no", REFUSED, refused=True)
LOST = Outcome(False, "gone", UNREACHABLE)
LAST = Outcome(False, "no more with s3cret-of-ours", UNREACHABLE, final=True)


class Desk(module.Desk):
    """A desk whose hub answers as it is told, one after the other, each after some seconds."""

    def __init__(self, outcomes: Sequence[Outcome], *, in_order: bool = True, takes: Sequence[float] = ()) -> None:
        self.heard = Heard()
        redactor = Redactor()
        redactor.learn({"key": "s3cret-of-ours"})
        super().__init__("nbt", None, None, 5.0, self.heard, redactor)
        self.stopped = asyncio.get_running_loop().create_future()
        self.sent: list[tuple[str, float, int | None]] = []
        self._outcomes = [*outcomes]
        self._takes = [*takes]
        self._closes_in_order = in_order

    def sender(self, kind: str, *, retries: int | None) -> Any:
        async def send(command: Any, timeout: float) -> Outcome:
            self.sent.append((f"{kind} {command.fields['pair']}", timeout, retries))
            outcome, takes = self._outcomes.pop(0), self._takes.pop(0) if self._takes else 0.0
            await asyncio.sleep(takes)
            return outcome

        return SimpleNamespace(send=send)

    async def close(self) -> bool:
        return self._closes_in_order


def line(pair: str = "P") -> bytes:
    return json.dumps({"kind": "buy", "pair": pair, "strategy": "S"}).encode()


class Ran:
    """A run of these lines: its exit code, what was sent, the answers, and what was said."""

    def __init__(self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capfd, self._monkeypatch = capfd, monkeypatch
        self.read = 0
        self.desk: Desk

    def __call__(
        self, lines: Sequence[bytes], outcomes: Sequence[Outcome], *, stops: int | None = None, **how: Any
    ) -> int:
        """`stops`: a signal comes when so many lines were read, and there is no end of them."""
        given, ran = [*lines], self
        self.read = 0

        class Lines:
            async def next(self) -> bytes | None:
                await asyncio.sleep(0.01)
                if ran.read == stops:
                    ran.desk.stop(INTERRUPTED)
                    await asyncio.Event().wait()
                if not given:
                    return None
                ran.read += 1
                return given.pop(0)

        self._monkeypatch.setattr(module, "_StdinLines", Lines)

        async def go() -> int:
            self.desk = Desk(outcomes, **how)
            return await module.send_lines(self.desk)

        return asyncio.run(go())

    def answers(self) -> list[tuple[Any, ...]]:
        """Of each answer its line, whether it was sent, its pair, and what went wrong."""
        found = [json.loads(text) for text in self._capfd.readouterr().out.splitlines()]
        return [(one["line"], one["ok"], one.get("pair"), one.get("error")) for one in found]


@pytest.fixture
def ran(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ran:
    return Ran(capfd, monkeypatch)


def test_lines_are_answered_in_their_order_with_their_numbers(ran: Ran) -> None:
    lines = [line("A"), b"", b"  ", line("B"), line("C")]
    assert ran(lines, [TAKEN] * 3, takes=[0.05, 0.0, 0.02]) == OK
    assert ran.desk.sent == [("buy A", 5.0, None), ("buy B", 5.0, None), ("buy C", 5.0, None)]
    assert ran.answers() == [(1, True, "A", None), (4, True, "B", None), (5, True, "C", None)]
    assert ran.desk.heard.said == []


def test_a_mark_of_the_encoding_is_none_of_the_first_line_only(ran: Ran) -> None:
    mark = codecs.BOM_UTF8
    assert ran([mark + line("A"), line("B"), mark + line("C")], [TAKEN, TAKEN]) == USAGE
    assert [answer[:3] for answer in ran.answers()] == [(1, True, "A"), (2, True, "B"), (3, False, None)]


@pytest.mark.parametrize(
    ("lines", "outcomes", "code"),
    [
        ([], [], OK),
        ([line()], [TAKEN], OK),
        ([line(), b"{", line()], [TAKEN, TAKEN], USAGE),
        ([b"{", line(), line()], [LOST, TAKEN], UNREACHABLE),
        ([line(), line(), b"{"], [LOST, NOT_TAKEN], REFUSED),
        ([line(), line(), line()], [NOT_TAKEN, LOST, TAKEN], REFUSED),
    ],
)
def test_the_worst_of_all_lines_is_how_it_ends(
    ran: Ran, lines: list[bytes], outcomes: list[Outcome], code: int
) -> None:
    assert ran(lines, outcomes) == code
    assert len(ran.answers()) == len(lines)
    assert ran.desk.heard.said == []


def test_what_went_wrong_is_written_without_secrets(ran: Ran) -> None:
    assert ran([line()], [Outcome(None, "lost with s3cret-of-ours", UNREACHABLE)]) == UNREACHABLE
    assert ran.answers() == [(1, False, "P", "lost with [key]")]


@pytest.mark.parametrize(
    ("outcome", "code", "said"),
    [
        (TAKEN, UNREACHABLE, ["error: all were sent, but the connection to the hub did not end in order"]),
        (NOT_TAKEN, REFUSED, []),
    ],
)
def test_that_a_connection_did_not_end_in_order_is_told_where_all_was_well(
    ran: Ran, outcome: Outcome, code: int, said: list[str]
) -> None:
    assert ran([line()], [outcome], in_order=False) == code
    assert ran.desk.heard.said == said


def test_when_nothing_more_has_a_chance_no_more_is_read_and_that_is_said_once(ran: Ran) -> None:
    lines = [line(pair) for pair in "ABCDEFGH"]
    assert ran(lines, [TAKEN, LAST, LAST, *[TAKEN] * 5], takes=[0.0, 0.03]) == UNREACHABLE
    assert ran.desk.heard.said == ["error: no more with [key]; no more lines are read"]
    assert ran.read < len(lines)
    assert [answer[0] for answer in ran.answers()] == [*range(1, len(ran.desk.sent) + 1)]


def test_after_a_signal_no_more_is_read_and_what_was_sent_is_answered(ran: Ran) -> None:
    assert ran([line("A"), line("B"), line("C")], [TAKEN, TAKEN], stops=2) == OK
    assert [answer[2] for answer in ran.answers()] == ["A", "B"]


def test_a_reader_that_is_gone_ends_it(ran: Ran) -> None:
    class Gone:
        def __init__(self, answers: Any, sink: Any, limit: Any, on_end: Any) -> None:
            self._on_end = on_end

        def start(self) -> None:
            self._on_end(BrokenPipeError("nobody reads"))

        def put(self, records: Any) -> None:
            pass

        def finish(self) -> None:
            pass

    ran._monkeypatch.setattr(module, "Output", Gone)
    with pytest.raises(BrokenPipeError, match="nobody reads"):
        ran([line(pair) for pair in "ABCDEFGH"], [TAKEN] * 8)
    assert ran.read < 8


@pytest.mark.parametrize(("most", "waits"), [(3, 0.0), (2, 1.0), (1, 2.0)])
def test_answers_that_nobody_reads_are_waited_for(most: int, waits: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three come, and the reader takes one a second."""
    monkeypatch.setattr(module, "MOST_UNWRITTEN", most)

    async def go() -> None:
        lines: Any = module._Lines(Desk([]))
        underway: asyncio.Queue[Any] = asyncio.Queue()

        async def answer(number: int) -> int:
            return number

        for number in range(3):
            await underway.put(asyncio.ensure_future(answer(number)))
        await underway.put(None)
        put: list[Any] = []
        left = lines._answers.unwritten

        def one_is_read() -> None:
            if left:
                left.pop()
            asyncio.get_running_loop().call_later(1, one_is_read)

        def hand_over(answers: list[int]) -> None:
            put.extend(answers)
            left.extend(answers)

        asyncio.get_running_loop().call_later(1, one_is_read)
        await lines._write(underway, SimpleNamespace(put=hand_over))
        assert put == [0, 1, 2]
        assert seconds() == pytest.approx(waits, abs=0.06)

    run(go())


def test_answers_are_not_waited_for_when_all_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_UNWRITTEN", 0)

    async def go() -> None:
        lines: Any = module._Lines(Desk([]))
        underway: asyncio.Queue[Any] = asyncio.Queue()
        await underway.put(asyncio.ensure_future(asyncio.sleep(0, "an answer")))
        await underway.put(None)
        asyncio.get_running_loop().call_later(3, lines._over.set)
        await lines._write(underway, lines._answers)
        assert seconds() == 3

    run(go())


@pytest.mark.parametrize(("stops", "after"), [(None, 9), (2.0, 2), (0.0, module.LAST_WORDS_WITHIN)])
def test_the_last_answers_are_written_while_nobody_is_in_a_hurry(stops: float | None, after: float) -> None:
    async def go() -> None:
        desk = Desk([])
        lines: Any = module._Lines(desk)
        loop = asyncio.get_running_loop()
        loop.call_later(9, lines._written.set)
        if stops == 0.0:
            desk.stop(INTERRUPTED)
        elif stops is not None:
            loop.call_later(stops, desk.stop, INTERRUPTED)
        await lines._until_written()
        assert seconds() == after

    run(go())
