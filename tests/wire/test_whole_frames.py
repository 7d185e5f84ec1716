"""Messages that are cut out of what was read come in the order, and with the bytes, in which the library gives them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri
from websockets.utils import accept_key

from venues import opening
from venues.opening import MOST_IN_A_READ, Socket
from venues.protocols.whole_frames import whole_messages

ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %s\r\n%s\r\n"
)
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
SIZES = st.one_of(st.integers(0, 5), st.sampled_from([125, 126, 127, 300, 65_535, 65_536, 66_000]))
# What a server sends, one after the other: a message as it is, in two or three fragments with a ping between them, or
# compressed; a ping; a pong that nobody asked for.
KINDS = st.sampled_from(["plain", "plain", "plain", "binary", "fragments", "compressed", "ping", "pong"])
SENT = st.lists(st.tuples(KINDS, SIZES), max_size=12)


def wire(sent: Sequence[tuple[str, int]]) -> tuple[list[bytes], list[bytes]]:
    """Frames as bytes, and the messages that are in them."""
    deflate = PerMessageDeflate(False, False, 15, 15)
    frames: list[bytes] = []
    messages: list[bytes] = []

    def add(opcode: Opcode, data: bytes, *, fin: bool = True, extensions: Any = ()) -> None:
        frames.append(Frame(opcode, data, fin).serialize(mask=False, extensions=extensions))

    for number, (kind, size) in enumerate(sent):
        data = (b"%d:" % number).ljust(size, b"x")
        if kind in ("ping", "pong"):
            add(Opcode.PING if kind == "ping" else Opcode.PONG, data[:100])
            continue
        messages.append(data)
        if kind == "fragments":
            add(Opcode.TEXT, data[:1], fin=False)
            add(Opcode.PING, b"within")
            add(Opcode.CONT, data[1:], fin=False)
            add(Opcode.CONT, b"")
        else:
            opcode = Opcode.BINARY if kind == "binary" else Opcode.TEXT
            add(opcode, data, extensions=[deflate] if kind == "compressed" else [])
    return frames, messages


class Line:
    """A socket without a network: what was handed over, what `recv` gave, and what the library wrote."""

    def __init__(self, *, handing_over: bool = True) -> None:
        self.protocol = ClientProtocol(parse_uri("ws://venue.example/"), max_size=2**20)
        self.protocol.available_extensions = [ClientPerMessageDeflateFactory()]
        self.socket = Socket(self.protocol)
        self.got: list[bytes] = []
        self.more: list[bool] = []
        self.written: list[bytes] = []
        self.paused = False
        self.came = asyncio.Event()
        transport = SimpleNamespace(
            write=self.written.append, write_eof=lambda: None, can_write_eof=lambda: True,
            pause_reading=lambda: self._pause(True), resume_reading=lambda: self._pause(False),
            is_closing=lambda: False, abort=lambda: None, close=lambda: None, get_extra_info=lambda *_: None,
            get_write_buffer_size=lambda: 0, set_write_buffer_limits=lambda *_, **__: None,
        )  # fmt: skip
        self.socket.connection_made(transport)  # type: ignore[arg-type]
        request = self.protocol.connect()
        self.protocol.send_request(request)
        self.accepted = ACCEPTED % (accept_key(request.headers["Sec-WebSocket-Key"]).encode(), DEFLATE)
        self.handing_over = handing_over

    def open(self, behind: bytes = b"") -> None:
        """The answer to the handshake, and what came in the same read."""
        self.socket.data_received(self.accepted + behind)
        self.socket.on_bytes = self.more.append
        if self.handing_over:
            self.socket.on_message = self.got.append

    async def read(self) -> None:
        """As the reader of a connection does."""
        try:
            while True:
                message = await self.socket.recv(decode=False)
                self.got.append(message)
                self.socket.left_to_recv -= 1
                self.came.set()
        except ConnectionClosed:
            pass

    async def all_are_there(self, count: int) -> None:
        while len(self.got) < count:
            self.came.clear()
            await self.came.wait()

    def _pause(self, paused: bool) -> None:
        self.paused = paused


def cut(frames: Sequence[bytes], lengths: Sequence[int]) -> Iterator[bytes]:
    """The frames in reads of these lengths, again and again; each in a read of its own where there are none."""
    if not lengths:
        yield from frames
        return
    data = b"".join(frames)
    at, number = 0, 0
    while at < len(data):
        length = lengths[number % len(lengths)]
        yield data[at : at + length]
        at, number = at + length, number + 1


async def taken(sent: Sequence[tuple[str, int]], lengths: Sequence[int], turns: int, *, handing_over: bool) -> Line:
    """`turns`: reads between two turns of the loop, in which the reader takes what is left to it."""
    frames, _ = wire(sent)
    line = Line(handing_over=handing_over)
    line.open()
    reader = asyncio.create_task(line.read())
    for number, data in enumerate(cut(frames, lengths)):
        line.socket.data_received(data)
        if number % turns == 0:
            await asyncio.sleep(0)
    for _ in range(5):
        await asyncio.sleep(0)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    return line


@given(SENT, st.lists(st.sampled_from([1, 2, 3, 7, 50, 1_000, 70_000, 262_144]), max_size=4), st.integers(1, 3))
@example([("plain", 5), ("fragments", 5), ("plain", 5)], [262_144], 1)
@example([("fragments", 5), ("plain", 5)], [1], 1)
@example([("fragments", 5), ("plain", 5), ("plain", 5)], [], 50)
@example([("compressed", 300), ("plain", 126), ("ping", 3), ("plain", 65_535)], [7], 2)
def test_order_and_bytes_are_those_of_the_library(sent: list[tuple[str, int]], lengths: list[int], turns: int) -> None:
    if max((size for _, size in sent), default=0) > 1_000:
        lengths = [max(length, 50) for length in lengths]
    _, messages = wire(sent)
    ours = asyncio.run(taken(sent, lengths, turns, handing_over=True))
    theirs = asyncio.run(taken(sent, lengths, turns, handing_over=False))
    assert ours.got == theirs.got == messages
    assert all(message.__class__ is bytes for message in ours.got)
    assert len(ours.written) == len(theirs.written), "pings are answered alike"
    assert not ours.more or ours.more[-1] is False


def test_what_came_with_the_handshake_is_not_overtaken() -> None:
    async def scenario() -> list[bytes]:
        line = Line()
        frames, _ = wire([("plain", 5)] * 4)
        line.open(frames[0] + frames[1] + frames[2][:3])
        line.socket.data_received(frames[2][3:] + frames[3])
        assert line.got == []
        reader = asyncio.create_task(line.read())
        for _ in range(5):
            await asyncio.sleep(0)
        line.socket.data_received(frames[0])
        assert len(line.got) == 5, "and from then on messages are handed over again"
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        return line.got

    _, messages = wire([("plain", 5)] * 4)
    assert asyncio.run(scenario()) == [*messages, messages[0]]


def test_a_plain_message_never_sees_the_librarys_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer library whose parser is another would only cost speed, so somebody has to notice."""
    frames, messages = wire([("plain", 5), ("binary", 300), ("plain", 65_535)])

    async def scenario() -> Line:
        line = Line()
        line.open()
        monkeypatch.setattr(opening.ClientConnection, "data_received", lambda *_: pytest.fail("the slow way"))
        for data in cut(frames, [40]):
            line.socket.data_received(data)
        return line

    line = asyncio.run(scenario())
    assert line.got == messages, "the library's parser is not what `Socket._is_between_frames` expects"
    assert line.more[0] is True
    assert line.more[-1] is False


def test_what_the_library_puts_together_is_given_to_recv_and_the_next_waits_for_it() -> None:
    """A newer library that calls `process_event` no more, or otherwise, fails here."""

    async def scenario() -> None:
        line = Line()
        line.open()
        frames, messages = wire([("fragments", 5), ("plain", 5)])
        line.socket.data_received(frames[0])
        assert line.socket.left_to_recv == 1
        line.socket.data_received(b"".join(frames[1:]))
        assert (line.got, line.socket.left_to_recv) == ([], 2)
        assert [await line.socket.recv(decode=False) for _ in range(2)] == messages

    asyncio.run(scenario())


def test_a_flood_in_one_read_is_taken_in_turns_and_pauses_the_reading() -> None:
    async def scenario() -> None:
        line = Line()
        line.open()
        count = 2 * MOST_IN_A_READ
        frames, messages = wire([("plain", 5)] * count)
        line.socket.data_received(b"".join(frames))
        assert len(line.got) == MOST_IN_A_READ
        assert line.paused, "what cannot be taken is not read"
        reader = asyncio.create_task(line.read())
        await asyncio.wait_for(line.all_are_there(count), 10)
        assert not line.paused
        assert line.got == messages
        assert line.socket.left_to_recv == 0
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("behind", "code"),
    [
        (b"\x81\x85abcd-----", 1002),  # masked
        (b"\x83\x01-", 1002),  # no such opcode
        (b"\xf1\x01-", 1002),  # reserved bits
        (b"\x80\x01-", 1002),  # continues nothing
        (b"\x81\x7f" + (2**20 + 1).to_bytes(8, "big"), 1009),  # too large
    ],
)
def test_what_is_wrong_is_the_librarys_to_say(behind: bytes, code: int) -> None:
    async def scenario() -> Line:
        line = Line()
        line.open()
        line.socket.data_received(b"\x81\x02ok" + behind + b"\x81\x03not")
        line.socket.data_received(b"\x81\x03not")
        return line

    line = asyncio.run(scenario())
    assert line.got == [b"ok"], "nothing is taken after it"
    assert line.protocol.close_sent is not None
    assert line.protocol.close_sent.code == code


def test_half_a_frame_at_the_end_is_the_librarys_to_say() -> None:
    async def scenario() -> Line:
        line = Line()
        line.open()
        line.socket.data_received(b"\x81\x05ab")
        assert line.more == [True]
        line.socket.eof_received()
        return line

    line = asyncio.run(scenario())
    assert line.got == []
    assert "2 bytes, expected 5" in str(line.protocol.parser_exc)


def test_what_is_within_a_large_frame_is_no_message_however_it_looks() -> None:
    payload = b"\x81\x02hi" * 17_000

    async def scenario() -> Line:
        line = Line()
        line.open()
        frame = Frame(Opcode.BINARY, payload, True).serialize(mask=False, extensions=[])
        head = len(frame) - len(payload)
        for begin, end in ((0, head + 20_000), (head + 20_000, head + 40_000), (head + 40_000, None)):
            line.socket.data_received(frame[begin:end] + (b"" if end else b"\x81\x02ok"))
        return line

    line = asyncio.run(scenario())
    assert line.got == [payload, b"ok"]
    assert line.more == [True, True, False]


def test_once_nobody_takes_messages_they_are_left_to_recv() -> None:
    async def scenario() -> None:
        line = Line()
        line.open()
        frames, messages = wire([("plain", 5), ("compressed", 300), ("plain", 5), ("compressed", 300)])
        for frame in frames[:2]:
            line.socket.data_received(frame)
        assert (line.got, line.socket.left_to_recv) == (messages[:2], 0)
        line.socket.on_message = None
        for frame in frames[2:]:
            line.socket.data_received(frame)
        assert line.socket.left_to_recv == 2
        assert [await line.socket.recv(decode=False) for _ in range(2)] == messages[2:]
        assert line.got == messages[:2]

    asyncio.run(scenario())


def test_after_the_goodbye_nothing_is_handed_over() -> None:
    async def scenario() -> Line:
        line = Line()
        line.open()
        line.socket.data_received(b"\x81\x02ok\x88\x02\x03\xe8\x81\x03not")
        line.socket.data_received(b"\x81\x03not")
        return line

    assert asyncio.run(scenario()).got == [b"ok"]


@pytest.mark.parametrize(
    ("data", "messages", "rest", "cut_short"),
    [
        (b"", [], b"", False),
        (b"\x81", [], b"\x81", True),
        (b"\x89", [], b"\x89", False),
        (b"\x82\x00", [b""], b"", False),
        (b"\x82\x01", [], b"\x82\x01", True),
        (b"\x81\x7e\x00", [], b"\x81\x7e\x00", True),
        (b"\x81\x7e\x00\x01", [], b"\x81\x7e\x00\x01", True),
        (b"\x81\x7e\x00\x00", [b""], b"", False),
        (b"\x81\x7d" + b"a" * 125, [b"a" * 125], b"", False),
        (b"\x81\x7d" + b"a" * 124, [], b"\x81\x7d" + b"a" * 124, True),
        (b"\x81\x7e\x01\x02" + b"a" * 258, [b"a" * 258], b"", False),
        (b"\x80\x00", [], b"\x80\x00", False),
        (b"\x83\x00", [], b"\x83\x00", False),
        (b"\x81\x7e\x00\x01a\x01", [b"a"], b"\x01", False),
        (b"\x81\x7f\x00", [], b"\x81\x7f\x00", False),
        (b"\x81\x7e\x01\x00" + b"a" * 256 + b"\x81\x80", [b"a" * 256], b"\x81\x80", False),
        (b"\x81\x01a\x82\x01b\x81\x01c", [b"a", b"b"], b"\x81\x01c", False),
    ],
)
def test_whole_messages(data: bytes, messages: list[bytes], rest: bytes, cut_short: bool) -> None:
    assert whole_messages(data, 2) == (messages, rest, cut_short)
