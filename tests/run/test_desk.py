"""The desk of `mon send`: what it asks before it sends, on which connection, and how it is ended."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import UNSET

from cli.errors import INTERRUPTED, REFUSED, TERMINATED, UNREACHABLE
from cli.run import desk as module
from cli.run.desk import Desk
from cli.run.sender import Outcome
from cli.settings.config import Access
from tests.run.heard import Heard
from venues.errors import UsageError
from venues.nbt.sending import signal_command
from venues.redaction import Redactor
from venues.venue import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

BUY = signal_command("buy", {"pair": "P", "strategy": "S"})


class Sender:
    """Stands where the connection to the hub is."""

    made: list[Sender]

    def __init__(self, venue: Any, subscription: Any, access: Any, **given: Any) -> None:
        self.subscription, self.given = subscription, given
        self.interrupted = 0
        self.in_order = True
        self.outcome = Outcome(True, acknowledged=True)
        self.sent: list[Any] = []
        self.made.append(self)

    def interrupt(self) -> None:
        self.interrupted += 1

    async def send(self, command: Any, timeout: float) -> Outcome:
        self.sent.append((command.name, timeout))
        return self.outcome

    async def close(self) -> bool:
        return self.in_order


@pytest.fixture
def senders(monkeypatch: pytest.MonkeyPatch) -> list[Sender]:
    Sender.made = []
    monkeypatch.setattr(module, "Sender", Sender)
    return Sender.made


def desk() -> Desk:
    made = Desk("nbt", "env", "p", 5.0, Heard(), Redactor())
    made._access = Access(Settings(url="wss://hub.example"), {}, None)
    made.stopped = asyncio.get_running_loop().create_future()
    return made


def test_a_signal_ends_all_connections_and_the_first_one_counts(senders: list[Sender]) -> None:
    async def go() -> None:
        made = desk()
        made.stop(INTERRUPTED)
        made.stop(TERMINATED)
        assert made.stopped.result() == INTERRUPTED
        late = made.sender("buy", retries=2)
        assert late.interrupted == 1, "what is opened later is interrupted too"  # type: ignore[attr-defined]

    asyncio.run(go())


def test_kinds_that_go_the_same_way_share_a_connection(senders: list[Sender]) -> None:
    async def go() -> None:
        made = desk()
        assert made.sender("buy", retries=2) is made.sender("sell", retries=None)
        assert made.sender("traded-buy", retries=None) is not made.sender("buy", retries=None)
        assert [one.given["retries"] for one in senders] == [2, None]
        made.stop(TERMINATED)
        assert [one.interrupted for one in senders] == [1, 1]
        assert await made.close()
        assert made.sender("buy", retries=None) is senders[2]  # type: ignore[comparison-overlap]
        made.sender("traded-buy", retries=None)
        senders[3].in_order = False
        assert not await made.close()

    asyncio.run(go())


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Where a test types."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr(module, "STDIN", reading)
        monkeypatch.setattr(sys, "stdin", stdin)
        yield writing


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        (b"y\n", True),
        (b"YES\n", True),
        (b" y \n", True),
        (b"n\n", False),
        (b"\n", False),
        (b"yes!\n", False),
        (b"", False),
    ],
)
def test_only_a_yes_is_one(
    words: bytes, sent: bool, typed: int, senders: list[Sender], capfd: pytest.CaptureFixture[str]
) -> None:
    async def go() -> None:
        made = desk()
        asking = asyncio.create_task(made.send_one("buy", BUY, yes=False))
        await asyncio.sleep(0.01)
        assert not asking.done()
        assert senders == []
        os.write(typed, words)
        os.close(typed)
        assert await asking == (0 if sent else INTERRUPTED)
        said: Any = made.words
        assert said.said[0].startswith("error: ")
        assert "wss://hub.example" in said.said[0]
        assert said.said[1:] == (["sent, and acknowledged"] if sent else ["error: not sent"])
        assert not asyncio.get_running_loop().remove_reader(module.STDIN), "nobody reads the terminal any more"

    asyncio.run(go())
    out, err = capfd.readouterr()
    assert err == "mon: send it? [y/N] "
    assert out.count('"sent":true') == sent


def test_a_signal_instead_of_an_answer_is_a_no(typed: int, senders: list[Sender]) -> None:
    async def go() -> None:
        made = desk()
        asking = asyncio.create_task(made.send_one("buy", BUY, yes=False))
        await asyncio.sleep(0.01)
        made.stop(TERMINATED)
        os.write(typed, b"y\n")
        assert await asking == INTERRUPTED
        assert senders == []

    asyncio.run(go())
    os.close(typed)


@pytest.mark.parametrize(
    ("outcome", "in_order", "code", "said"),
    [
        (Outcome(True, acknowledged=True), True, 0, "sent, and acknowledged"),
        (Outcome(True), True, 0, "sent; no acknowledgement within 2.0 s, which a hub need not give"),
        (Outcome(True, "nbt refused it: no", REFUSED), True, REFUSED, "error: nbt refused it: no"),
        (Outcome(True, "nbt refused it: no", REFUSED), False, REFUSED, "error: nbt refused it: no"),
        (
            Outcome(True, acknowledged=True),
            False,
            UNREACHABLE,
            "error: it reached the hub, but the connection to it did not end in order",
        ),
    ],
)
def test_with_yes_it_is_sent_and_told(
    outcome: Outcome, in_order: bool, code: int, said: str, senders: list[Sender], capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    class Told(Sender):
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            self.outcome, self.in_order = outcome, in_order

    monkeypatch.setattr(module, "Sender", Told)

    async def go() -> None:
        made = desk()
        assert await made.send_one("buy", BUY, yes=True) == code
        heard: Any = made.words
        assert not heard.said[0].startswith("error: "), "with --quiet it is not shown"
        assert heard.said[1:] == [said]
        assert [(one.given["retries"], len(one.sent), one.sent[0][1]) for one in senders] == [(2, 1, 5.0)]

    asyncio.run(go())
    (line,) = capfd.readouterr().out.splitlines()
    assert f'"acknowledged":{"true" if outcome.acknowledged else "false"}' in line
    assert ('"ok":true' in line) is (code == 0)


def test_an_answer_says_what_is_known() -> None:
    async def go() -> None:
        made = desk()
        command = BUY
        answer = made.answer_to(command, "buy", Outcome(True, answered=("ok",)), 3)
        assert (answer.line, answer.ok, answer.kind, answer.pair, answer.strategy) == (3, True, "buy", "P", "S")
        assert (answer.sent, answer.acknowledged, answer.answered) == (True, False, ["ok"])
        answer = made.answer_to(None, None, Outcome(False, "no signal", 2))
        unset = UNSET
        assert (answer.line, answer.kind, answer.pair, answer.strategy, answer.answered) == (unset,) * 5
        assert (answer.ok, answer.sent, answer.error) == (False, False, "no signal")

    asyncio.run(go())


# --- lines of stdin


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{", "a line is like"),
        (b"[]", "a line is like"),
        (b'{"pair":"P"}', "expected a kind, got none"),
        (b'{"kind":null}', "expected a kind, got none"),
        (b'{"kind":"dance"}', "dance"),
        (b'{"kind":"buy","pair":"P","strategy":"S","pair":"Q"}', "expected each field once, got pair twice"),
        (b'{"kind":"buy","pair":"' + b"x" * module.LONGEST_LINE, "expected a line of at most 65536 bytes, got more"),
    ],
)
def test_what_is_no_signal_is_said(text: bytes, words: str) -> None:
    commands: Any = SimpleNamespace(command=signal_command)
    with pytest.raises(UsageError) as error:
        module._read_line(commands, text)
    assert words in str(error.value)


def test_a_line_of_the_longest_is_read() -> None:
    commands: Any = SimpleNamespace(command=lambda kind, fields, from_json: (kind, fields, from_json))
    line = b'{"kind":"buy","price":1.10}'
    line += b" " * (module.LONGEST_LINE - len(line))
    kind, read = module._read_line(commands, line)
    made: Any = read
    _, fields, from_json = made
    assert (kind, from_json, str(fields["price"])) == ("buy", True, "1.10")


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"a\nb\n"], [b"a", b"b"]),
        ([b"a", b"b\nc"], [b"ab", b"c"]),
        ([b"\n\n"], [b"", b""]),
        ([], []),
        ([b"x" * 70_000, b"\n", b"y\n"], [b"x" * (module.LONGEST_LINE + 1), b"y"]),
    ],
)
def test_lines_are_put_together_and_too_long_ones_cut(
    chunks: list[bytes], lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [*chunks, b""]
    monkeypatch.setattr(module, "_chunk", lambda: given.pop(0))

    async def go() -> None:
        read = module._StdinLines()
        got = []
        while (line := await read.next()) is not None:
            got.append(line)
        assert got == lines

    asyncio.run(go())


def test_the_loop_goes_on_while_a_line_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, given = threading.Semaphore(0), [b"a\n", b"b\n", b""]

    def chunk() -> bytes:
        gate.acquire(timeout=5)
        return given.pop(0)

    monkeypatch.setattr(module, "_chunk", chunk)

    async def go() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        read = module._StdinLines()
        for line in (b"a", b"b", None):
            loop.call_later(0.02, gate.release)
            assert await read.next() == line
        assert loop.time() - began < 4

    asyncio.run(go())


@pytest.mark.parametrize("stops", [None, TERMINATED])
def test_whatever_comes_of_the_work_all_is_closed(stops: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []
    secrets = {
        "key": SimpleNamespace(kind="value", value="a-secret-of-ours"),
        "other": SimpleNamespace(kind="command", value="run-me"),
    }

    class Simulated:
        async def beside(self, work: Any) -> Any:
            return await work

        async def close(self) -> None:
            done.append("the simulator is closed")

    async def access_to(venue: Any, env: Any, profile: Any, embedded: Any, say: Any) -> Any:
        done.append((venue.name, env, profile))
        return SimpleNamespace(secrets=secrets)

    monkeypatch.setattr(module, "Embedded", Simulated)
    monkeypatch.setattr(module, "access_to", access_to)

    async def go() -> None:
        made: Any = Desk("nbt", "env", "p", 5.0, Heard(), Redactor())

        async def close() -> None:
            done.append("the connections are closed")

        async def work() -> int:
            done.append(made.redactor.text("a-secret-of-ours, run-me"))
            if stops is not None:
                made.stop(stops)
            return 7

        made.close = close
        assert await made.run(work) == (7 if stops is None else stops)

    asyncio.run(go())
    assert done == [
        ("nbt", "env", "p"), "[key], run-me", "the connections are closed", "the simulator is closed",
    ]  # fmt: skip


def test_a_stdin_that_has_nothing_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody has set it so that a read does not wait."""
    given: list[Any] = [BlockingIOError(), BlockingIOError(), b"a line", OSError("it is closed")]
    waited: list[tuple[Any, ...]] = []

    def read(descriptor: int, most: int) -> bytes:
        found = given.pop(0)
        if isinstance(found, OSError):
            raise found
        return bytes(found)

    monkeypatch.setattr("cli.run.desk.os.read", read)
    monkeypatch.setattr("cli.run.desk.select.select", lambda *asked: waited.append(asked))
    assert module._chunk() == b"a line"
    assert waited == [([0], [], [])] * 2
    assert module._chunk() == b""
    assert given == []
