"""The door of the bot's server, step by step, without a socket: who is taken, who waits, and who is sent away."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from cli.bot import door
from cli.bot.door import Door, _listener, _Visitor


class Timer:
    is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Connection(asyncio.Transport):
    is_away = False

    def abort(self) -> None:
        self.is_away = True


class Loop:
    """In the place of the event loop: it gives what is taken, one after the other, and then an end."""

    def __init__(self, *taken: Any) -> None:
        self.taken = list(taken)
        self.later: list[Any] = []
        self.made: list[Any] = []
        self.fails: BaseException | None = None

    async def sock_accept(self, listener: socket.socket) -> tuple[Any, str]:
        found = self.taken.pop(0) if self.taken else KeyboardInterrupt()
        if isinstance(found, BaseException):
            raise found
        return found, "address"

    async def connect_accepted_socket(self, make: Callable[[], Any], taken: Any) -> None:
        self.made.append((make(), taken))
        if self.fails is not None:
            raise self.fails

    def call_later(self, seconds: float, call: Callable[..., None], *given: Any) -> Any:
        timer = Timer()
        self.later.append((seconds, call, given, timer))
        return timer

    def call_soon(self, call: Callable[..., None], *given: Any) -> None:
        self.later.append((call, given))


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def made(said: list[str]) -> Door:
    return Door(lambda: Mock(asyncio.Protocol), said.append)


def on(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Has the door use the loop; the result is how long it slept."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    stub = SimpleNamespace(get_running_loop=lambda: loop, sleep=sleep, Transport=asyncio.Transport)
    monkeypatch.setattr(door, "asyncio", stub)
    return slept


def take_all(made: Door) -> None:
    with pytest.raises(KeyboardInterrupt):
        made._take_all(Mock(socket.socket)).send(None)


def test_whoever_comes_is_taken_until_the_door_is_closed(
    made: Door, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with one of them."""
    one, other = Mock(socket.socket), Mock(socket.socket)
    loop = Loop(one, ConnectionAbortedError(), OSError(24, "Too many open files"), OSError(), other)
    slept = on(loop, monkeypatch)
    take_all(made)
    assert [taken for _, taken in loop.made] == [one, other]
    assert all(isinstance(visitor, _Visitor) for visitor, _ in loop.made)
    assert slept == [door.ACCEPT_AGAIN_AFTER] * 2
    before = "cannot take a connection to the bot's feed and webhooks: "
    assert said == [f"{before}Too many open files", before]
    assert not one.close.called


def test_one_that_cannot_be_served_is_closed(made: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Mock(socket.socket)
    loop = Loop(one)
    loop.fails = OSError("by design")
    on(loop, monkeypatch)
    take_all(made)
    one.close.assert_called_once_with()


@pytest.mark.parametrize(
    ("descriptors", "most", "waiting"),
    [
        (1, 2, 1),
        (4, 2, 1),
        (7, 3, 1),
        (8, 4, 2),
        (2_000, 1_000, 64),
        (1_998, 999, 64),
        (255, 127, 63),
        (256, 128, 64),
        (10**6, 1_000, 64),
        (resource.RLIM_INFINITY, 1_000, 64),
    ],
)
def test_so_many_may_come_and_wait_as_the_descriptors_allow(
    descriptors: int, most: int, waiting: int, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setattr(door.resource, "getrlimit", lambda which: (descriptors, descriptors))
    loop = Loop()
    on(loop, monkeypatch)
    made = Door(lambda: Mock(asyncio.Protocol), said.append)
    visitors = [Connection() for _ in range(waiting + 1)]
    for visitor in visitors:
        made.made(visitor)
    assert [visitor.is_away for visitor in visitors] == [True] + [False] * waiting
    known = [Connection() for _ in range(most)]
    open_ones = []
    for one in known:
        made.made(one)
        open_ones.append(made.knows(one))
        open_ones[-1].__enter__()
    assert not any(one.is_away for one in known)
    assert all(visitor.is_away for visitor in visitors), "each of them takes the place of one that waits"
    refused = Connection()
    made.made(refused)
    assert refused.is_away
    assert said == [
        f"too many connections to the bot's feed and webhooks ask for nothing (at most {waiting}): "
        "those that have waited longest are closed",
        f"the bot's feed and webhooks have {most:,} connections already: no more are taken",
    ]


def test_who_asks_for_nothing_is_sent_away_after_a_while(
    made: Door, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = Loop()
    on(loop, monkeypatch)
    one = Mock(asyncio.Transport)
    made.made(one)
    ((seconds, call, given, timer),) = loop.later
    assert (seconds, given) == (door.WAITS_WITHIN, (one,))
    call(*given)
    assert (one.abort.called, timer.is_cancelled, said) == (True, True, [])


def test_while_it_is_answered_a_connection_does_not_wait(made: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop()
    on(loop, monkeypatch)
    one = Mock(asyncio.Transport)
    made.made(one)
    with made.knows(one):
        assert loop.later[0][-1].is_cancelled
        with made.knows(one):
            pass
        assert len(loop.later) == 1, "it is known already"
    assert len(loop.later) == 2, "and waits again"
    with pytest.raises(KeyError), made.knows(one):
        raise KeyError
    assert len(loop.later) == 3
    with made.knows(one):
        made.lost(one)
    assert len(loop.later) == 3, "it has gone"
    with made.knows(None), made.knows(one):
        pass
    assert len(loop.later) == 3


def test_a_visitor_is_the_servers_own_protocol_but_for_its_begin_and_end(
    made: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = Loop()
    on(loop, monkeypatch)
    server, transport = Mock(asyncio.Protocol), Mock(asyncio.Transport)
    visitor = _Visitor(made, server)
    for name in ("data_received", "eof_received", "pause_writing", "resume_writing"):
        assert getattr(visitor, name) is getattr(server, name)
    visitor.connection_made(transport)
    server.connection_made.assert_called_once_with(transport)
    timer = loop.later.pop()[-1]
    error = ConnectionResetError()
    visitor.connection_lost(error)
    assert timer.is_cancelled
    assert not server.connection_lost.called
    ((soon, given),) = loop.later
    soon(*given)
    assert not server.connection_lost.called
    call, given = loop.later[-1]
    call(*given)
    server.connection_lost.assert_called_once_with(error)


def test_a_visitor_that_never_began_is_lost_without_a_fault(made: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop()
    on(loop, monkeypatch)
    _Visitor(made, Mock(asyncio.Protocol)).connection_lost(None)
    assert len(loop.later) == 1


def test_a_listener_does_not_block_and_may_have_its_port_again() -> None:
    one = _listener(socket.AF_INET, ("127.0.0.1", 0))
    address = one.getsockname()
    assert one.getblocking() is False
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 1
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    with pytest.raises(OSError, match="in use"):
        _listener(socket.AF_INET, address)
    one.close()


def test_a_listener_of_the_new_addresses_leaves_the_old_ones_alone() -> None:
    with _listener(socket.AF_INET6, ("::1", 0, 0, 0)) as one:
        assert one.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


def test_a_listener_that_cannot_be_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Mock(socket.socket)
    one.bind.side_effect = OSError("by design")
    monkeypatch.setattr(door.socket, "socket", lambda *_: one)
    with pytest.raises(OSError, match="by design"):
        _listener(socket.AF_INET, ("127.0.0.1", 0))
    one.close.assert_called_once_with()


class Resolving(asyncio.SelectorEventLoop):
    """A loop in which each host has an old address, a new one, and the old one again."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Any] = []

    async def getaddrinfo(self, *asked: Any, **named: Any) -> Any:
        assert named == {"type": socket.SOCK_STREAM, "flags": socket.AI_PASSIVE}
        self.asked.append(asked)
        four = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", asked[1]))
        six = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1", asked[1], 3, 2))
        return [four, six, four]


@pytest.mark.parametrize(("host", "asked"), [("here", "here"), ("", None)])
def test_all_addresses_of_a_host_have_one_port_and_keep_the_rest_of_what_they_are(
    host: str, asked: str | None, made: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    listened: list[tuple[int, tuple[object, ...]]] = []
    listeners: list[Mock] = []

    def listener(family: int, address: tuple[object, ...]) -> Mock:
        listened.append((family, address))
        listeners.append(Mock(socket.socket, getsockname=lambda: (address[0], 4_711)))
        return listeners[-1]

    monkeypatch.setattr(door, "_listener", listener)
    monkeypatch.setattr(made, "_take_all", lambda listener: asyncio.Event().wait())
    with asyncio.Runner(loop_factory=Resolving) as runner:
        assert runner.run(made.open(host, 0)) == 4_711
        tasks = [*made._tasks]
        assert (len(tasks), [one.close.called for one in listeners]) == (2, [False, False])
        runner.run(made.close())
        assert [task.done() for task in tasks] == [True, True]
        assert [one.close.call_count for one in listeners] == [1, 1]
        assert runner.get_loop().asked == [(asked, 0)]  # type: ignore[attr-defined]
    assert listened == [
        (socket.AF_INET, ("192.0.2.1", 0)),
        (socket.AF_INET6, ("fe80::1", 4_711, 3, 2)),
    ]


def test_a_door_that_cannot_be_at_all_addresses_is_at_none(made: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []

    def listener(family: int, address: tuple[object, ...]) -> Mock:
        if family == socket.AF_INET6:
            raise OSError("taken")
        return Mock(socket.socket, getsockname=lambda: address, close=lambda: closed.append("closed"))

    monkeypatch.setattr(door, "_listener", listener)
    with asyncio.Runner(loop_factory=Resolving) as runner:
        with pytest.raises(OSError, match="taken"):
            runner.run(made.open("here", 80))
        assert closed == ["closed"]
        runner.run(made.close())
    assert closed == ["closed"], "once"


def test_a_door_that_was_never_open_has_nothing_to_close(made: Door) -> None:
    asyncio.run(made.close())


@pytest.mark.parametrize(
    ("family", "options"),
    [
        (socket.AF_INET, [(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)]),
        (
            socket.AF_INET6,
            [(socket.SOL_SOCKET, socket.SO_REUSEADDR, True), (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, True)],
        ),
    ],
)
def test_what_is_asked_of_a_listener(
    family: int, options: list[tuple[int, int, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Mock(socket.socket)
    monkeypatch.setattr(door.socket, "socket", lambda *given: asked)
    assert _listener(family, ("here", 80)) is asked
    assert [call.args for call in asked.setsockopt.call_args_list] == options
    asked.setblocking.assert_called_once_with(False)
    asked.bind.assert_called_once_with(("here", 80))
    asked.listen.assert_called_once_with(door.BACKLOG)


def test_a_connection_is_counted_once_whatever_it_does(
    made: Door, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on(Loop(), monkeypatch)
    made._most = 2
    one, other, refused = Connection(), Connection(), Connection()
    for connection in (one, other):
        made.made(connection)
        with made.knows(connection):
            assert connection not in made._waiting
    assert (made._known, list(made._waiting)) == (set(), [one, other])
    with made.knows(one), made.knows(other):
        made.made(refused)
    assert (refused.is_away, list(made._waiting)) == (True, [other, one]), "it is not let wait"
    assert said == ["the bot's feed and webhooks have 2 connections already: no more are taken"]
