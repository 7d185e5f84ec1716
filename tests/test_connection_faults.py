"""What a fault of ours costs a connection, and which one ends the line."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.heldline import Line, Opening, settled, some_ms
from venues import connection, events
from venues.errors import MonError
from venues.venue import Notice


@pytest.fixture(autouse=True)
def _no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "Opening", Opening)


def test_a_fault_of_ours_in_a_message_costs_the_connection_and_takes_nothing_behind_it() -> None:
    async def scenario() -> None:
        line = Line()
        async with line.open() as run:
            line.clock.forward(0.5)
            line.socket.comes(b"say a", b"fault", b"say b")
            await asyncio.wait((run,), timeout=1)
            assert str(run.exception()).startswith("a fault of mon itself (LookupError: x; tests.heldline, ")
        assert line.session.calls == ["begun", "say a", "fault"]
        (failed,) = [event for event in line.noted if isinstance(event, events.Failed)]
        assert (failed.heard, failed.mono) == (100.5, 100.5)
        assert Notice("a") in line.items

    asyncio.run(scenario())


def test_an_error_of_ours_in_a_message_ends_the_line_as_it_is() -> None:
    async def scenario() -> None:
        line = Line(retries=None)
        async with line.open() as run:
            line.socket.comes(b"fault the disk is full", b"say b")
            await asyncio.wait((run,), timeout=1)
            assert str(run.exception()) == "the disk is full"
        assert line.session.calls == ["begun", "fault the disk is full"]
        assert line.kinds() == ["Dialled", "Opened", "Frame"]

    asyncio.run(scenario())


@pytest.mark.parametrize("error", [None, MonError("the disk is full")])
def test_a_fault_of_a_timer_costs_the_connection_and_an_error_of_ours_the_line(error: MonError | None) -> None:
    async def scenario() -> None:
        line = Line()

        def broken(items: list[Any]) -> None:
            if error is not None:
                raise error
            raise LookupError("no room")

        async with line.open() as run:
            line.connection._deliver = broken
            line.session.at_tick = [Notice("x")]
            line.clock.forward(1.0)
            line.socket.comes(b"due 101")
            await some_ms()
            if error is None:
                assert "Failed" in line.kinds()
                (failed,) = [event for event in line.noted if isinstance(event, events.Failed)]
                assert failed.heard == 101.0
                assert "LookupError: no room" in failed.reason
            with pytest.raises(MonError if error is not None else LookupError) as raised:
                await run
            assert error is None or raised.value is error
        assert line.kinds().count("Failed") == (error is None)

    asyncio.run(scenario())


def test_a_fault_of_a_timer_ends_a_goodbye_that_awaits_something() -> None:
    async def scenario() -> None:
        line = Line()

        def broken(items: list[Any]) -> None:
            raise LookupError("no room")

        line.session.awaits, line.session.at_tick = True, [Notice("x")]
        async with line.open() as run:
            line.socket.comes(b"due 100.01")
            line.connection.leave()
            await settled()
            assert not run.done()
            line.connection._deliver = broken
            line.clock.forward(0.02)
            await asyncio.wait((run,), timeout=1)
            assert run.done()
            assert isinstance(run.exception(), LookupError)

    asyncio.run(scenario())
