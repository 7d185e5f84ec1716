"""Which runs of a command wait, start, replace each other and are left out; and what is shown of what they write."""

from __future__ import annotations

import asyncio
import signal
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from cli.output.conditions import Seen
from cli.output.fields import Fields
from cli.output.standing import Stand
from cli.run import alerts as module
from cli.run.alerts import Alerts, Program
from tests.run.judged import Stage, book, position
from tests.run.timeless import run, seconds
from tests.test_alerts import Told
from venues.records import Book, Record, Trade
from venues.redaction import Redactor


def trade(price: int) -> Trade:
    return Trade(venue="v", received=0, price=Decimal(price), size=Decimal(1), side="buy")


class Noted(Alerts):
    """Alerts whose runs take a second; of each the price, how many it stands for, and when it began."""

    def __init__(self, **options: Any) -> None:
        self.told = Told()
        program = Program("true {price}", Fields("trades", Trade))
        super().__init__(program, False, self.told, dict, Redactor(), "c", **options)
        self.ran: list[tuple[str, int, float]] = []

    async def _run(self, run: module.Run) -> None:
        self.ran.append((run.arguments[1], run.skipped, seconds()))
        await asyncio.sleep(1)

    def fires(self, *keys: str) -> None:
        """The condition becomes true of each key in turn, at ever higher prices."""
        stand = Stand(partial=False)
        for key in keys:
            self.fire(trade(ord(key)), (key,), stand)


def price(key: str) -> str:
    return str(ord(key))


async def ended(alerts: Alerts, signal: int | None = None) -> bool:
    next_signal: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    if signal is not None:
        next_signal.set_result(signal)
    return await alerts.finish(next_signal)


@pytest.mark.parametrize(
    ("keys", "ran", "said"),
    [
        ("abbc", [("a", 0, 0), ("b", 1, 1), ("c", 0, 2)], []),
        ("abbbcd", [("a", 0, 0), ("c", 0, 1), ("d", 0, 2)], ["--exec: 3 commands were not run: the end came before"]),
        ("abcd", [("a", 0, 0), ("c", 0, 1), ("d", 0, 2)], ["--exec: 1 command was not run: the end came before"]),
        ("abcb", [("a", 0, 0), ("c", 0, 1), ("b", 1, 2)], []),
    ],
)
def test_so_many_keys_wait_and_of_more_the_oldest_is_left_out(
    keys: str, ran: list[tuple[str, int, float]], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a key that waits the latest is run, and stands for those before it."""
    monkeypatch.setattr(module, "MOST_WAITING", 2)

    async def go() -> None:
        alerts = Noted()
        alerts.fires(*keys)
        assert not await ended(alerts)
        assert [(chr(int(one)), skipped, round(at, 1)) for one, skipped, at in alerts.ran] == ran
        assert alerts.told.said == said

    run(go())


def test_after_a_signal_what_runs_and_what_waits_is_told() -> None:
    async def go() -> None:
        alerts = Noted(parallel=2)
        alerts.fires(*"abccd")
        await asyncio.sleep(0)
        assert await ended(alerts, 130)
        assert alerts.told.said == [
            "--exec: 2 commands were stopped: the end came before",
            "--exec: 3 commands were not run: the end came before",
        ]
        assert seconds() == 0

    run(go())


def test_what_still_waits_at_the_end_has_a_few_seconds() -> None:
    async def go() -> None:
        alerts = Noted()
        alerts.fires(*"abcdefgh")
        assert await ended(alerts)
        assert seconds() == pytest.approx(module.AT_END, abs=0.05)
        assert [one for one, _, _ in alerts.ran] == [price(key) for key in "abcde"]
        assert alerts.told.said[-1] == "--exec: 3 commands were not run: the end came before"

    run(go())


@pytest.mark.parametrize("parallel", [1, 2, 3])
def test_so_many_run_at_a_time_and_those_begin_at_once(parallel: int) -> None:
    async def go() -> None:
        alerts = Noted(parallel=parallel)
        alerts.fires(*"abc")
        assert len(alerts._running) == parallel
        await ended(alerts)
        at_once = [one for one, _, at in alerts.ran if at < 0.5]
        assert at_once == [price(key) for key in "abc"[:parallel]]

    run(go())


def test_from_one_start_to_the_next_it_takes_a_while() -> None:
    async def go() -> None:
        alerts = Noted(parallel=9, cooldown=2.0)
        alerts.fires("a")
        await asyncio.sleep(0.5)
        alerts.fires("b")
        await asyncio.sleep(0.5)
        alerts.fires("c")
        assert len(alerts._running) == 1
        await asyncio.sleep(4)
        alerts.fires("d")
        assert len(alerts._waiting) == 1
        await asyncio.sleep(2)
        assert [round(at, 1) for _, _, at in alerts.ran] == [0, 2, 4, 6]
        await asyncio.sleep(1.5)
        alerts.fires("e")
        assert not alerts._waiting, "it has been long enough"
        await ended(alerts)

    run(go())


def test_a_fault_of_ours_in_a_run_is_none_of_the_command_and_not_hidden() -> None:
    class Faulty(Noted):
        async def _run(self, run: module.Run) -> None:
            raise ValueError("a fault")

    faults: list[Any] = []

    async def go() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(str(context["exception"])))
        alerts = Faulty()
        alerts.fires("a")
        await asyncio.sleep(0.01)
        assert not alerts._running

    run(go())
    assert faults == ["a fault"]


# --- what is shown


def relayed(*chunks: bytes) -> tuple[list[str], list[str]]:
    """What is shown of what a command writes, and what is kept as its first words."""

    async def go() -> tuple[list[str], list[str]]:
        alerts, stream = Noted(), asyncio.StreamReader()
        first: list[str] = []
        for chunk in chunks:
            stream.feed_data(chunk)
        stream.feed_eof()
        await alerts._relay(stream, first)
        return alerts.told.relayed, first

    return run(go())


def test_what_a_command_writes_is_shown_line_by_line() -> None:
    assert relayed(b"a\r\nb", b"c\n\nlast") == (["a", "bc", "", "last"], ["a"])
    assert relayed(b"\n  \n why \n") == (["", "  ", " why "], [" why "])
    assert relayed() == ([], [])


@pytest.mark.parametrize(("lines", "shown"), [(2, 2), (3, 3), (4, 3), (9, 3)])
def test_no_more_than_so_many_lines_are_shown(lines: int, shown: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LINES", 3)
    assert relayed(b"".join(b"%d\n" % number for number in range(lines)))[0] == [str(one) for one in range(shown)]
    assert relayed(b"\n".join(b"%d" % number for number in range(lines)))[0] == [str(one) for one in range(shown)]


def test_a_line_without_an_end_is_shown_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_LINE", 4)
    monkeypatch.setattr(module, "READ_AT_ONCE", 2)
    assert relayed(b"abcd\nx") == (["abcd", "x"], ["abcd"])
    assert len(relayed(b"abcdefgh")[0]) == 2, "after six it is too long"
    monkeypatch.setattr(module, "READ_AT_ONCE", 4)
    assert relayed(b"abcd\nef")[0] == ["abcd", "ef"]


# --- what a command is told


@pytest.mark.parametrize(
    ("record", "has", "has_not"),
    [
        (trade(5), {"MON_PRICE": "5", "MON_SIDE": "buy", "MON_TYPE": "trade"}, {"MON_SYMBOL", "MON_EXTRA"}),
        (book("7", extra={"a": 1}), {"MON_VENUE": "v", "MON_TYPE": "book"}, {"MON_BIDS", "MON_ASKS", "MON_EXTRA"}),
    ],
)
def test_what_is_absent_or_has_parts_is_no_variable(record: Record, has: dict[str, str], has_not: set[str]) -> None:
    kind = Book if isinstance(record, Book) else Trade
    found = Program("true", Fields(kind.__name__.lower(), kind)).variables(record, Seen())
    assert {name: found.get(name) for name in has} == has
    assert has_not.isdisjoint(found)
    assert "MON_AGE_MS" not in found


# --- of how many it is known that they are true


def test_only_of_the_latest_keys_it_is_known_that_they_are_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.run.edges.MOST_KEYS", 3)
    stage = Stage("positions", rows=True, on="size > 5")
    stage.said(stage.status("live"), *(position(name, 9) for name in "abcd"))
    assert len(stage.fired) == 4
    stage.said(*(position(name, 9) for name in "bcd"))
    assert len(stage.fired) == 4
    stage.said(position("a", 9))
    assert len(stage.fired) == 5, "it was forgotten"


@pytest.mark.parametrize(
    ("only_running", "returncode", "signalled"),
    [(False, None, True), (False, 0, True), (True, None, True), (True, 0, False)],
)
def test_the_group_of_a_command_is_signalled_also_when_it_has_ended_itself(
    only_running: bool, returncode: int | None, signalled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(module.os, "killpg", lambda *given: sent.append(given))
    process: Any = SimpleNamespace(pid=7, returncode=returncode)
    module._signal(process, signal.SIGTERM, only_running=only_running)
    assert sent == [(7, signal.SIGTERM)] * signalled


def test_a_hard_end_kills_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(module.os, "killpg", lambda *given: sent.append(given))
    alerts: Any = Noted()
    alerts._processes = {pid: SimpleNamespace(pid=pid, returncode=None) for pid in (7, 8)}
    alerts.kill()
    assert sent == [(7, signal.SIGKILL), (8, signal.SIGKILL)]


def test_after_the_end_no_command_is_started_any_more() -> None:
    async def go() -> None:
        alerts = Noted(cooldown=5.0)
        alerts.fires("a")
        await asyncio.sleep(2)
        alerts.fires("b")
        assert await ended(alerts, 130)
        assert alerts._timer is not None
        assert alerts._timer.cancelled()

    run(go())
