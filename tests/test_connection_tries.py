"""One try after the other: credentials, pauses, and what a connection has of the one before it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from tests.heldline import Line, Opening, Socket, settled, some_ms
from venues import connection, events
from venues.errors import MonError, SetupError
from venues.records import Status


@pytest.fixture(autouse=True)
def _no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "Opening", Opening)


def test_the_pause_before_the_next_try_is_what_is_left_of_it() -> None:
    async def scenario() -> None:
        line = Line("nobody", "no", "never", retries=2)
        tidied: list[str] = []
        line.connection._tidy = lambda: tidied.append(line.kinds()[-1])
        with pytest.raises(MonError, match="never; gave up after 3 tries in a row"):
            await line.connection.run()
        dialled = [event for event in line.noted if isinstance(event, events.Dialled)]
        assert [event.draw for event in dialled] == [0.25] * 3
        waits = [i.retry_in_ms for i in line.items if isinstance(i, Status) and i.retry_in_ms is not None]
        assert [round(seconds * 1000) for seconds in line.clock.slept] == waits
        assert tidied == ["Failed", "Failed"], "before each connection but the first"
        assert line.session.calls == ["begun"] * 3

    asyncio.run(scenario())


@pytest.mark.parametrize("late", [False, True])
def test_a_try_that_is_due_already_waits_no_more(*, late: bool) -> None:
    async def scenario() -> None:
        line = Line("nobody", "no", retries=1)
        if late:
            line.connection._deliver = lambda items: line.clock.forward(60.0)
        with pytest.raises(MonError):
            await line.connection.run()
        assert (line.clock.slept == [0.0]) is late
        assert len(line.clock.slept) == 1

    asyncio.run(scenario())


def test_before_the_first_connection_nothing_is_known_of_one() -> None:
    async def scenario() -> None:
        line = Line("nobody", proxy="http://some-body:pass-word@p.example", rest_proxy="http://r:other-word@r.example")
        assert (line.connection.handshake, line.connection.left_in_order) == (None, False)
        said = line.connection._redactor.text("some-body, pass-word, other-word")
        assert said == "[proxy_user], [proxy_password], [proxy_password]"
        with pytest.raises(MonError):
            await line.connection.run()
        assert not line.connection.left_in_order
        line.connection._opening.handshake = "told"  # type: ignore[assignment]
        assert line.connection.handshake == "told"  # type: ignore[comparison-overlap]

    asyncio.run(scenario())


def test_a_credential_is_hidden_from_when_it_is_had() -> None:
    async def fetch() -> Mapping[str, str]:
        return {"client_key": "a-secret-key"}

    async def scenario() -> None:
        line = Line("nobody", fetch=fetch)
        with pytest.raises(MonError):
            await line.connection.run()
        assert line.connection._redactor.text("no a-secret-key") == "no [client_key]"

    asyncio.run(scenario())


def test_whoever_leaves_while_it_is_dialled_talks_no_more() -> None:
    async def scenario() -> None:
        line = Line(60.0)
        async with line.open() as run:
            line.connection.leave()
            await asyncio.wait_for(run, 5)
        assert (line.kinds(), line.session.calls) == (["Dialled"], ["begun"])

    asyncio.run(scenario())


def test_whoever_leaves_while_a_credential_is_fetched_dials_no_more() -> None:
    async def fetch() -> Mapping[str, str]:
        await asyncio.sleep(60)
        raise AssertionError

    async def scenario() -> None:
        line = Line(fetch=fetch)
        async with line.open() as run:
            line.connection.leave()
            await asyncio.wait_for(run, 5)
        assert (line.noted, line.session.calls) == ([], [])

    asyncio.run(scenario())


@pytest.mark.parametrize("first", [True, False])
def test_a_credential_that_cannot_be_had_ends_the_first_try_only(*, first: bool) -> None:
    tries: list[int] = []

    async def fetch() -> Mapping[str, str]:
        tries.append(1)
        if len(tries) == 1 + (not first):
            raise SetupError("no key")
        return {}

    async def scenario() -> None:
        line = Line("nobody", "no", retries=2, fetch=fetch)
        with pytest.raises(MonError) as raised:
            await line.connection.run()
        if first:
            assert (str(raised.value), line.noted) == ("no key", [])
        else:
            assert line.kinds() == ["Dialled", "Failed", "Failed", "Dialled", "Failed"]
            assert line.states()[1] == ("reconnecting", "no key")
            assert str(raised.value) == "no; gave up after 3 tries in a row"

    asyncio.run(scenario())


def test_no_answer_in_time_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "OPEN_TIMEOUT", 0.01)

    async def scenario() -> None:
        line = Line(5.0)
        with pytest.raises(MonError) as raised:
            await line.connection.run()
        assert str(raised.value) == "no answer within 0 s; gave up after 1 try"
        assert line.kinds() == ["Dialled", "Failed"]

    asyncio.run(scenario())


def test_what_the_last_connection_had_still_to_send_is_not_sent_on_the_next() -> None:
    async def scenario() -> None:
        first, second = Socket(), Socket()
        line = Line(first, second, retries=None)
        async with line.open():
            first.takes.clear()
            first.comes(b"answer one", b"answer two", b"lost gone")
            await some_ms()
            assert (first.did, second.did) == ([("close", 1000, "")], [])
            assert line.kinds().count("Opened") == 2
            second.comes(b"answer new")
            await settled()
            assert second.did == ["new"]

    asyncio.run(scenario())
