"""The link's order of things, and how it ends, with a socket that only remembers."""

from __future__ import annotations

import asyncio
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest
from aiohttp import WSMsgType

from venues.simulator import link as link_module
from venues.simulator.faults import bad_frames, parse_fault
from venues.simulator.link import End, SocketLink
from venues.simulator.world_clock import ManualClock, RunningClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Socket:
    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.kinds: list[object] = []
        self.is_broken = False
        self.hangs = False
        self.received: asyncio.Queue[Any] = asyncio.Queue()

    async def send_frame(self, data: bytes, kind: object) -> None:
        if self.is_broken:
            raise ConnectionResetError
        self.sent.append(data)
        self.kinds.append(kind)

    async def receive(self) -> Any:
        return await self.received.get()

    async def close(self, *, code: int, message: bytes) -> None:
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        self.sent.append(b"%d %b" % (code, message))


class Peer:
    """Says some things before the sender has its turn."""

    def __init__(self, link: SocketLink) -> None:
        self.link = link
        self.version = 0

    def opened(self) -> None:
        self.change()
        asyncio.get_running_loop().call_soon(self.say)

    def say(self) -> None:
        self.link.send(b"one")
        self.change()
        self.link.send(b"two")
        self.change()
        self.link.send(b"three")

    def change(self) -> None:
        self.version += 1
        self.link.show("state", lambda: b"state %d" % self.version)

    def receive(self, frame: str | bytes) -> None:
        raise AssertionError

    def closed(self) -> None:
        self.version = -1

    def garbage(self) -> Iterator[bytes]:
        raise AssertionError


def test_events_come_in_order_and_before_the_newest_state() -> None:
    async def test() -> None:
        socket = Socket()
        link = SocketLink(cast("Any", socket), cast("Any", None), RunningClock(), 0.0, ())
        peer = Peer(link)
        served = asyncio.create_task(link.run(peer))
        async with asyncio.timeout(5):
            while len(socket.sent) < 5:  # noqa: ASYNC110
                await asyncio.sleep(0)
        link.end(End(1001, "over"))
        link.end(End(1000, "too late"))
        await served
        assert socket.sent == [b"state 1", b"one", b"two", b"three", b"state 3", b"1001 over"]
        assert peer.version == -1

    asyncio.run(test())


class Transport:
    def __init__(self) -> None:
        self.aborted = 0

    def abort(self) -> None:
        self.aborted += 1


class Quiet:
    """A peer that says nothing by itself; `heard` is what it was told, in order."""

    def __init__(self) -> None:
        self.heard: list[str | bytes] = []

    def opened(self) -> None:
        self.heard.append("opened")

    def receive(self, frame: str | bytes) -> None:
        self.heard.append(frame)

    def closed(self) -> None:
        self.heard.append("closed")

    def farewell(self, *, reconnect: bool) -> bytes:
        return b"come again" if reconnect else b"stay away"

    def gap(self) -> None:
        self.heard.append("gap")

    def garbage(self) -> Iterator[bytes]:
        yield b"{"


class Served(NamedTuple):
    """A link that has been served to its end: what was sent, aborted and told."""

    sent: list[bytes]
    aborted: int
    heard: list[str | bytes]


def served(act: Callable[[SocketLink, Socket], object], *faults: str) -> Served:
    """Serve a link, do something with it, and wait for its end."""

    async def test() -> Served:
        socket, transport, peer = Socket(), Transport(), Quiet()
        parsed = [parse_fault(fault) for fault in faults]
        link = SocketLink(cast("Any", socket), transport, RunningClock(), 0.0, parsed)
        async with asyncio.timeout(5):
            serving = asyncio.create_task(link.run(cast("Any", peer)))
            await asyncio.sleep(0)
            act(link, socket)
            await serving
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return Served(socket.sent, transport.aborted, peer.heard)

    return asyncio.run(test())


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "_CLOSING_SECONDS", 0.01)
    monkeypatch.setattr(link_module, "_FINISHING_SECONDS", 0.01)


def frame(kind: WSMsgType, data: Any = "") -> SimpleNamespace:
    return SimpleNamespace(type=kind, data=data)


@pytest.mark.parametrize(
    ("act", "sent", "aborted"),
    [
        (lambda link, _: link.abort(), [], 1),
        (lambda link, _: link.end(End(1000, "bye")), [b"1000 bye"], 0),
        (lambda link, _: link.end(End(1000, "bye", b"words")), [b"words", b"1000 bye"], 0),
        (lambda link, _: (link.end(End(1001, "first")), link.abort()), [b"1001 first"], 0),
        (lambda link, _: (link.send(b"a"), link.finish(1008, "done"), link.send(b"b")), [b"a", b"b", b"1008 done"], 0),
        (lambda link, _: link.dismiss("go", reconnect=True), [b"come again", b"1001 go"], 0),
        (lambda link, _: link.dismiss("go", reconnect=False), [b"stay away", b"1008 go"], 0),
        (lambda _, socket: socket.received.put_nowait(frame(WSMsgType.CLOSE)), [b"1000 "], 0),
        (lambda _, socket: socket.received.put_nowait(frame(WSMsgType.ERROR)), [b"1000 "], 0),
    ],
)
def test_how_a_connection_ends(act: Callable[[SocketLink, Socket], object], sent: list[bytes], aborted: int) -> None:
    assert served(act) == Served(sent, aborted, ["opened", "closed"])


def test_one_that_is_dismissed_before_it_is_served_has_no_last_words() -> None:
    async def test() -> None:
        socket, transport = Socket(), Transport()
        link = SocketLink(cast("Any", socket), transport, RunningClock(), 0.0, ())
        link.dismiss("go", reconnect=True)
        await link.run(cast("Any", Quiet()))
        assert (socket.sent, transport.aborted) == ([b"1001 go"], 0)

    asyncio.run(test())


def test_a_socket_that_does_not_close_is_aborted() -> None:
    def hang(link: SocketLink, socket: Socket) -> None:
        socket.hangs = True
        link.end(End(1000, "bye", b"words"))

    assert served(hang) == Served([b"words"], 1, ["opened", "closed"])


@pytest.mark.parametrize("words", [b"", b"words"])
def test_a_socket_that_takes_nothing_is_aborted(words: bytes) -> None:
    def breaks(link: SocketLink, socket: Socket) -> None:
        socket.is_broken = True
        if words:
            link.end(End(1000, "bye", words))
        else:
            link.send(b"a")

    assert served(breaks) == Served([], 1, ["opened", "closed"])


def test_a_client_that_reads_nothing_has_some_seconds() -> None:
    def stuck(link: SocketLink, socket: Socket) -> None:
        async def never(*_: object) -> None:
            await asyncio.get_running_loop().create_future()

        socket.send_frame = never  # type: ignore[method-assign]
        link.send(b"a")
        link.finish(1000, "bye")

    assert served(stuck) == Served([b"1000 bye"], 0, ["opened", "closed"])


def test_what_the_client_sends_is_told_to_the_peer_and_a_ping_is_answered() -> None:
    def talk(_: SocketLink, socket: Socket) -> None:
        for kind, data in (
            *((WSMsgType.TEXT, "a"), (WSMsgType.PONG, b"x"), (WSMsgType.BINARY, b"b")),
            *((WSMsgType.PING, b"p"), (WSMsgType.TEXT, "c"), (WSMsgType.CLOSE, 1000)),
        ):
            socket.received.put_nowait(frame(kind, data))

    ended = served(talk)
    assert ended.heard == ["opened", "a", b"b", "c", "closed"]
    assert ended.sent in ([b"p", b"1000 "], [b"1000 "])


def test_only_bytes_can_be_sent() -> None:
    def act(link: SocketLink, _: Socket) -> None:
        link.send(bytearray(b"a"))
        with pytest.raises(TypeError, match=r"^expected bytes to send, got str$"):
            link.send("b")  # type: ignore[arg-type]
        link.finish(1000, "")

    assert served(act).sent == [b"a", b"1000 "]


@pytest.mark.parametrize(("count", "is_too_many"), [(3, False), (4, True)])
def test_a_client_that_is_too_far_behind_is_told_so(
    count: int, is_too_many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "MOST_WAITING", 3)

    def flood(link: SocketLink, _: Socket) -> None:
        for _ in range(count):
            link.send(b"x")
        link.finish(1000, "")

    said = b"1008 reader too slow: more than 3 events are waiting"
    assert served(flood).sent[-1] == (said if is_too_many else b"1000 ")


@pytest.mark.parametrize(
    ("fault", "sent", "aborted"),
    [
        ("drop:1ms", [], 1),
        ("close:1ms", [b"come again", b"1001 closed by --fault close"], 0),
        ("expel:1ms", [b"stay away", b"1008 closed by --fault expel"], 0),
    ],
)
def test_faults_that_end_it(fault: str, sent: list[bytes], aborted: int) -> None:
    assert served(lambda *_: None, fault) == Served(sent, aborted, ["opened", "closed"])


def by_hand(act: Callable[[SocketLink, Socket], object], *faults: str, ms: int, times: int = 1) -> Served:
    """Serve a link with these faults, let its clock go on in steps of so many milliseconds, and then do something."""

    async def test() -> Served:
        socket, transport, peer, clock = Socket(), Transport(), Quiet(), ManualClock()
        link = SocketLink(cast("Any", socket), transport, clock, 0.0, [parse_fault(fault) for fault in faults])
        async with asyncio.timeout(5):
            serving = asyncio.create_task(link.run(cast("Any", peer)))
            for _ in range(times):
                await settled()
                clock.advance(ms)
            await settled()
            act(link, socket)
            await serving
        return Served(socket.sent, transport.aborted, peer.heard)

    return asyncio.run(test())


async def settled() -> None:
    """Everything that can go on has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_garbage_is_text_or_binary_as_it_is_meant() -> None:
    kinds: list[object] = []

    def act(link: SocketLink, socket: Socket) -> None:
        kinds.extend(socket.kinds)
        link.finish(1000, "")

    ended = by_hand(act, "garbage:1s", ms=1_000, times=9)
    meant = [*islice(bad_frames(cast("Any", Quiet())), 9)]
    assert ended.sent[:9] == [data for data, _ in meant]
    assert kinds == [WSMsgType.TEXT if text else WSMsgType.BINARY for _, text in meant]
    assert len({*kinds}) == 2


@pytest.mark.parametrize(
    ("steps", "states"),
    [
        ([(500, 1), (499, 1), (1, 0), (500, 1), (500, 0)], [[], [], [3], [], [4]]),
        ([(1_000, 0), (500, 1), (500, 2), (500, 0)], [[], [2], [], [4]]),
        ([(500, 1), (500, 0), (5_000, 0), (0, 1), (500, 2), (500, 0)], [[], [2], [], [3], [], [5]]),
    ],
)
def test_a_state_waits_for_its_interval_and_goes_out_in_its_newest_form(
    steps: list[tuple[int, int]], states: list[list[int]]
) -> None:
    """Steps: so many milliseconds pass, and then the state changes so many times."""

    async def test() -> None:
        socket, clock = Socket(), ManualClock()
        link = SocketLink(cast("Any", socket), Transport(), clock, 1.0, ())
        peer = Peer(link)
        peer.say = lambda: None  # type: ignore[method-assign]
        serving = asyncio.create_task(link.run(cast("Any", peer)))
        await settled()
        assert socket.sent == [b"state 1"], "at once on opening"
        for (ms, changes), sent in zip(steps, states, strict=True):
            socket.sent.clear()
            clock.advance(ms)
            for _ in range(changes):
                peer.change()
            await settled()
            assert socket.sent == [b"state %d" % version for version in sent]
        link.abort()
        await serving

    asyncio.run(test())


@pytest.mark.parametrize(("ms", "is_silent"), [(4_999, False), (5_000, True)])
def test_one_that_stalls_sends_nothing_more_and_is_aborted_in_the_end(ms: int, is_silent: bool) -> None:
    def act(link: SocketLink, socket: Socket) -> None:
        link.send(b"a")
        socket.received.put_nowait(frame(WSMsgType.TEXT, "late"))
        asyncio.get_running_loop().call_later(0.01, link.end, End(1000, "bye", b"words"))

    ended = by_hand(act, "stall:5s", ms=ms)
    assert ended == Served(
        [] if is_silent else [b"a", b"words", b"1000 bye"],
        int(is_silent),
        ["opened", *["late"] * (not is_silent), "closed"],
    )


@pytest.mark.parametrize(("ms", "times", "count"), [(999, 1, 0), (1_000, 1, 1), (1_000, 3, 3)])
def test_gaps_and_garbage_come_every_so_often(ms: int, times: int, count: int) -> None:
    ended = by_hand(lambda link, _: link.finish(1000, ""), "gap:1s", "garbage:1s", ms=ms, times=times)
    assert ended.heard == ["opened", *["gap"] * count, "closed"]
    assert len(ended.sent) == count + 1


def test_a_fault_of_a_peer_ends_the_connection_and_is_not_hidden() -> None:
    def act(link: SocketLink, _: Socket) -> None:
        link.every(0.0, lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        served(act)


def test_how_long_the_client_has_been_silent() -> None:
    async def test() -> None:
        clock = ManualClock()
        link = SocketLink(cast("Any", Socket()), Transport(), clock, 0.0, ())
        assert link.silence() == 0.0
        clock.advance(1_500)
        assert link.silence() == 1.5

    asyncio.run(test())


@pytest.mark.parametrize(
    ("fault", "sent", "aborted"),
    [
        ("drop:5s", [], 1),
        ("close:5s", [b"come again", b"1001 closed by --fault close"], 0),
        ("expel:5s", [b"stay away", b"1008 closed by --fault expel"], 0),
    ],
)
@pytest.mark.parametrize("ms", [4_999, 5_000])
def test_faults_come_when_their_time_has_come(fault: str, sent: list[bytes], aborted: int, ms: int) -> None:
    ended = by_hand(lambda link, _: link.end(End(1000, "later")), fault, ms=ms)
    expected = (sent, aborted) if ms == 5_000 else ([b"1000 later"], 0)
    assert (ended.sent, ended.aborted) == expected


def test_of_one_that_stalls_nothing_is_kept_and_it_is_not_too_far_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "MOST_WAITING", 3)

    def act(link: SocketLink, _: Socket) -> None:
        for _ in range(9):
            link.send(b"x")
        assert not link._events
        assert not link._ended.done(), "the client hears nothing, not even that it is slow"
        link.end(End(1000, "bye"))

    assert by_hand(act, "stall:5s", ms=5_000) == Served([], 1, ["opened", "closed"])


def test_of_one_that_has_ended_nothing_is_kept() -> None:
    def act(link: SocketLink, _: Socket) -> None:
        link.end(End(1000, "bye"))
        link.send(b"too late")
        assert not link._events

    assert served(act) == Served([b"1000 bye"], 0, ["opened", "closed"])


def test_a_state_does_not_come_earlier_because_of_an_event() -> None:
    async def test() -> None:
        socket, clock = Socket(), ManualClock()
        link = SocketLink(cast("Any", socket), Transport(), clock, 1.0, ())
        peer = Peer(link)
        peer.say = lambda: None  # type: ignore[method-assign]
        serving = asyncio.create_task(link.run(cast("Any", peer)))
        await settled()
        peer.change()
        link.send(b"an event")
        await settled()
        assert socket.sent == [b"state 1", b"an event"]
        clock.advance(1_000)
        await settled()
        assert socket.sent[2:] == [b"state 2"]
        clock.advance(500)
        await settled()
        peer.change()
        link.send(b"another")
        await settled()
        assert socket.sent[3:] == [b"another"]
        clock.advance(500)
        await settled()
        assert socket.sent[4:] == [b"state 3"]
        link.abort()
        await serving

    asyncio.run(test())


def test_bad_frames_come_in_an_order_without_end_the_venues_own_first() -> None:
    found = [*islice(bad_frames(cast("Any", Quiet())), 9)]
    nested, huge = b"[" * 10_000 + b"]" * 10_000, b'"%b"' % (b"x" * 20 * 1024 * 1024)
    assert [data for data, _ in found] == [
        *(b"this is not JSON", b"{", nested, b'{"event":"\xff\xfe\xc0"}', b"\x00\x01\x02\xff", b"", huge),
        *(b"this is not JSON", b"{"),
    ]
    assert [text for _, text in found] == [True] * 4 + [False] + [True] * 4


@pytest.mark.parametrize("interval", [0.0, 1.0])
def test_a_state_of_the_opening_does_not_come_again_with_another(interval: float) -> None:
    async def test() -> None:
        socket, clock = Socket(), ManualClock()
        link = SocketLink(cast("Any", socket), Transport(), clock, interval, ())
        peer = Quiet()

        def opened() -> None:
            link.show("a", lambda: b"a")
            link.show("b", lambda: b"b")
            link.show("c", lambda: b"")

        peer.opened = opened  # type: ignore[method-assign]
        serving = asyncio.create_task(link.run(cast("Any", peer)))
        await settled()
        assert socket.sent == [b"a", b"b"]
        link.show("b", lambda: b"b again")
        await settled()
        clock.advance(1_000)
        await settled()
        assert socket.sent[2:] == [b"b again"]
        link.abort()
        await serving

    asyncio.run(test())


def test_a_connection_that_is_finished_ends_once_all_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "_FINISHING_SECONDS", 60.0)

    async def test() -> None:
        socket = Socket()
        link = SocketLink(cast("Any", socket), Transport(), ManualClock(), 0.0, ())
        serving = asyncio.create_task(link.run(cast("Any", Quiet())))
        await settled()
        link.finish(1000, "bye")
        await settled()
        assert socket.sent == [b"1000 bye"]
        await serving

    asyncio.run(test())


def test_the_interval_counts_from_when_a_slow_client_has_taken_the_state() -> None:
    async def test() -> None:
        socket, clock, gate = Socket(), ManualClock(), asyncio.Event()
        send = socket.send_frame

        async def slowly(data: bytes, kind: object) -> None:
            await gate.wait()
            await send(data, kind)

        link = SocketLink(cast("Any", socket), Transport(), clock, 1.0, ())
        peer = Peer(link)
        peer.say = lambda: None  # type: ignore[method-assign]
        serving = asyncio.create_task(link.run(cast("Any", peer)))
        await settled()
        peer.change()
        clock.advance(1_000)
        await settled()
        assert socket.sent == [b"state 1", b"state 2"]
        socket.sent.clear()
        socket.send_frame = slowly  # type: ignore[method-assign]
        for ms in (1_000, 5_000):
            peer.change()
            await settled()
            clock.advance(ms)
            await settled()
        assert socket.sent == []
        gate.set()
        await settled()
        assert socket.sent == [b"state 3"]
        for ms, sent in ((999, []), (1, [b"state 4"])):
            clock.advance(ms)
            await settled()
            assert socket.sent[1:] == sent
        link.abort()
        await serving

    asyncio.run(test())


def test_a_frame_of_any_kind_ends_the_silence() -> None:
    async def test() -> None:
        socket, clock = Socket(), ManualClock()
        link = SocketLink(cast("Any", socket), Transport(), clock, 0.0, ())
        serving = asyncio.create_task(link.run(cast("Any", Quiet())))
        for kind in (WSMsgType.TEXT, WSMsgType.PING, WSMsgType.PONG):
            await settled()
            clock.advance(1_500)
            assert link.silence() == 1.5
            socket.received.put_nowait(frame(kind, b"x"))
            await settled()
            assert link.silence() == 0.0
        assert (socket.sent, socket.kinds) == ([b"x"], [WSMsgType.PONG])
        link.abort()
        await serving

    asyncio.run(test())


def test_who_reads_slowly_has_its_time_before_a_finished_connection_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "_FINISHING_SECONDS", 60.0)

    async def test() -> None:
        socket, gate = Socket(), asyncio.Event()
        send = socket.send_frame

        async def slowly(data: bytes, kind: object) -> None:
            await gate.wait()
            await send(data, kind)

        socket.send_frame = slowly  # type: ignore[method-assign]
        link = SocketLink(cast("Any", socket), Transport(), ManualClock(), 0.0, ())
        serving = asyncio.create_task(link.run(cast("Any", Quiet())))
        link.send(b"a")
        link.send(b"b")
        link.finish(1000, "bye")
        await settled()
        assert (socket.sent, serving.done()) == ([], False)
        gate.set()
        await settled()
        assert socket.sent == [b"a", b"b", b"1000 bye"]
        await serving

    asyncio.run(test())


def test_a_frame_is_text_unless_it_is_meant_to_be_binary() -> None:
    kinds: list[object] = []

    def act(link: SocketLink, socket: Socket) -> None:
        link.send(b"a")
        link.send(b"b", binary=True)
        link.finish(1000, "")
        kinds.append(socket.kinds)

    assert served(act).sent == [b"a", b"b", b"1000 "]
    assert kinds == [[WSMsgType.TEXT, WSMsgType.BINARY]]


def test_of_one_that_is_finished_no_state_is_sent_any_more() -> None:
    def act(link: SocketLink, _: Socket) -> None:
        link.send(b"a")
        link.show("state", lambda: b"a state")
        link.finish(1000, "bye")

    assert served(act) == Served([b"a", b"1000 bye"], 0, ["opened", "closed"])


def test_behind_the_close_of_a_client_nothing_is_read() -> None:
    sockets: list[Socket] = []

    def act(_: SocketLink, socket: Socket) -> None:
        sockets.append(socket)
        for _ in range(3):
            socket.received.put_nowait(frame(WSMsgType.CLOSE))

    assert served(act).sent == [b"1000 "]
    assert sockets[0].received.qsize() == 2
