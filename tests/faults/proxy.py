"""A TCP proxy that does to a line what a schedule says: between any client and any server on this machine.

    async with fault_proxy(server_port, schedule(7)) as proxy:
        ... connect to proxy.port ...
        await proxy.over()  # the last fault has ended

The clock of the schedule starts with the proxy, or with `begin()` where `waits=True`. `proxy.told` says what was done,
at which second. After the last fault new connections are as good as direct ones. A connection that lost bytes stays
as it is until one side closes it: TCP never goes on behind a hole.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from tests.faults import schedules
from tests.faults.layout import PAYLOAD, Layout, Span
from tests.faults.schedules import TO_CLIENT, TO_SERVER, Draw, Schedule, Step

CHUNK = 2**15
PIECES = 200  # bytes of one chunk that go one by one; the rest follows as one piece, or it would cost all the time
ARMED_FOR = 1.0  # seconds that a fault of what comes next waits for it once all others are over
UNSENT = 64  # chunks that one way holds before it stops to read
TORN = (schedules.RESET_IN_FRAME, schedules.CUT_IN_FRAME)
LINGER_0 = struct.pack("ii", 1, 0)
STRUCTURAL = b'{}[]":,'
NEVER_THERE = (0x00, 0x1E, 0xFF)  # no JSON has them outside a string, nor inside one as they are
BAD_HEADER = ((0, 0x70), (0, 0x06), (1, 0x15))  # reserved bits; an opcode that is none; another length


class FaultProxy:
    """The proxy at work. `port` is where to connect to."""

    def __init__(self, target: int, schedule: Schedule, *, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self.schedule = schedule
        self.told: list[tuple[float, str]] = []
        self.connections: list[_Connection] = []  # open ones, oldest first
        self.opened = 0  # in all
        self._target = target
        self._tls = tls
        self._began: float | None = None
        self._begun = asyncio.Event()
        self._draw = Draw(f"proxy {schedule.seed}")
        self._armed: dict[int, Step] = {}  # faults of what comes next, by the number of the step
        self._server: asyncio.Server | None = None
        self._listening = asyncio.Lock()
        self._held: socket.socket | None = None  # keeps the port ours while nobody listens
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()  # replaced at each change of what is in force

    @property
    def now(self) -> float:
        """Seconds since the schedule began; before that -1."""
        return -1.0 if self._began is None else asyncio.get_running_loop().time() - self._began

    def begin(self) -> None:
        """Start the clock of the schedule."""
        if self._began is None:
            self._began = asyncio.get_running_loop().time()
            self._begun.set()
            self._start(self._play())

    async def over(self) -> None:
        """Wait until the last fault has ended."""
        await self._begun.wait()
        await asyncio.sleep(max(0.0, self.schedule.until - self.now))
        waits_until = self.now + ARMED_FOR
        while self._armed and self.now < waits_until:
            await self.until_change(0.05)
        # What was armed and met no byte until now is over too: else it would hit the calm behind.
        self._armed.clear()
        await self._listen()
        self.wake()

    def tell(self, words: str) -> None:
        """Note what was done."""
        self.told.append((round(self.now, 3), words))

    def in_force(self, kind: str, toward: str, connection: _Connection | None = None) -> Step | None:
        """The lasting fault of that kind that holds now."""
        now = self.now
        for step in self.schedule.steps:
            holds = step.kind == kind and step.at <= now < step.until and step.hits(toward)
            if holds and (connection is None or self._is_hit(step, connection)):
                return step
        return None

    def take_armed(self, kinds: tuple[str, ...], connection: _Connection, toward: str) -> Step | None:
        """The next fault of what comes next, if one waits for that way; it happens once."""
        for number, step in self._armed.items():
            if step.kind in kinds and step.hits(toward) and self._is_hit(step, connection):
                return self._armed.pop(number)
        return None

    def put_back(self, step: Step) -> None:
        """A fault that found nothing that it can hit waits on."""
        self._armed[self.schedule.steps.index(step)] = step

    def late(self, most: float) -> float:
        """How late something comes, in seconds."""
        return self._draw.number(0, most)

    async def until_change(self, seconds: float) -> None:
        """Wait until what is in force may have changed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def _is_hit(self, step: Step, connection: _Connection) -> bool:
        if step.which == schedules.EVERY:
            return True
        there = self.connections
        return bool(there) and there[step.which % len(there)] is connection

    # --- its life

    async def open(self) -> None:
        """Take a port and listen."""
        self._held = _bound(0)
        self.port = self._held.getsockname()[1]
        await self._listen()

    async def close(self) -> None:
        """End everything at once; returns when nothing is left."""
        for task in list(self._tasks):
            task.cancel()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stop_listening()
        for connection in list(self.connections):
            connection.abort()
        if self._held is not None:
            self._held.close()
        await asyncio.sleep(0)  # transports close their sockets in the turn after

    async def _listen(self) -> None:
        async with self._listening:
            if self._server is None and self._held is not None:
                self._server = await asyncio.start_server(self._accepted, sock=_bound(self.port), ssl=self._tls)

    async def _stop_listening(self) -> None:
        async with self._listening:
            if self._server is not None:
                self._server.close()
                self._server = None
                await asyncio.sleep(0)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def wake(self) -> None:
        """Tell whoever waits that something has changed."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(self, self.opened, reader, writer)
        self.opened += 1
        self.connections.append(connection)
        self.wake()
        self._start(self._serve(connection))

    async def _serve(self, connection: _Connection) -> None:
        try:
            await connection.serve(self._target)
        finally:
            self.connections.remove(connection)
            connection.abort()
            self.wake()

    # --- the schedule

    async def _play(self) -> None:
        for when, number, begins in self._moments():
            await asyncio.sleep(max(0.0, when - self.now))
            step = self.schedule.steps[number]
            if begins:
                await self._do(number, step)
            elif step.kind == schedules.REFUSE and not self.in_force(schedules.REFUSE, TO_SERVER):
                await self._listen()
            self.wake()

    def _moments(self) -> Iterator[tuple[float, int, bool]]:
        steps = self.schedule.steps
        begins = [(step.at, number, True) for number, step in enumerate(steps)]
        ends = [(step.until, number, False) for number, step in enumerate(steps) if step.lasts]
        yield from sorted(begins + ends)

    async def _do(self, number: int, step: Step) -> None:
        self.tell(str(step))
        if step.kind == schedules.REFUSE:
            await self._stop_listening()
        elif step.kind in (schedules.CORRUPT, *TORN):
            self._armed[number] = step
        elif step.kind in schedules.ONCE:
            for connection in [one for one in self.connections if self._is_hit(step, one)]:
                connection.suffer(step)


class _Connection:
    """A client's connection and the one to the server that belongs to it."""

    def __init__(
        self, proxy: FaultProxy, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.proxy = proxy
        self.number = number
        self.answered = False  # the server's first bytes have been passed
        self.linked = False  # the server is reached
        self._client = (reader, writer)
        self._server: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._ways: tuple[_Way, ...] = ()

    async def serve(self, target: int) -> None:
        """Pass what comes until both sides have ended."""
        if self.proxy.in_force(schedules.NEVER_ANSWERED, TO_CLIENT):
            self.proxy.tell(f"connection {self.number} is never answered")
            await self._swallow()
            return
        await self._behind_the_next(schedules.REORDER, lambda other: other.linked)
        try:
            self._server = await asyncio.open_connection("127.0.0.1", target, limit=CHUNK)
        except OSError:
            self.reset()
            return
        self.linked = True
        self.proxy.wake()
        self._ways = (
            _Way(self, TO_SERVER, self._client[0], self._server[1]),
            _Way(self, TO_CLIENT, self._server[0], self._client[1]),
        )
        async with asyncio.TaskGroup() as group:
            for way in self._ways:
                group.create_task(way.read())
                group.create_task(way.write())

    async def before_first_answer(self) -> None:
        """Wait where the answers of two connections change places."""
        if not self.answered:
            await self._behind_the_next(schedules.OVERTAKE, lambda other: other.answered)
            self.answered = True
            self.proxy.wake()

    def suffer(self, step: Step) -> None:
        """What happens once to a connection that is open."""
        if step.kind == schedules.CUT:
            for writer in self._writers():
                writer.close()
        elif step.kind == schedules.RESET:
            self.reset()
        elif step.kind == schedules.HALF_CLOSE:
            for way in self._ways:
                if way.toward == step.toward:
                    way.end()

    def reset(self) -> None:
        """A RST to both sides."""
        for writer in self._writers():
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
        self.abort()

    def abort(self) -> None:
        """Close both sides at once, whatever is unsent."""
        for writer in self._writers():
            writer.transport.abort()

    def _writers(self) -> list[asyncio.StreamWriter]:
        return [self._client[1]] + ([self._server[1]] if self._server is not None else [])

    async def _swallow(self) -> None:
        with contextlib.suppress(OSError):
            while await self._client[0].read(CHUNK):
                pass

    async def _behind_the_next(self, kind: str, done: Callable[[_Connection], bool]) -> None:
        """Wait, while such a fault holds, until a connection that was opened later is served."""
        told = False
        while (step := self.proxy.in_force(kind, TO_CLIENT)) is not None:
            later = [other for other in self.proxy.connections if other.number > self.number]
            if any(done(other) for other in later):
                break
            if not told:
                self.proxy.tell(f"connection {self.number} waits for a later one ({kind})")
                told = True
            await self.proxy.until_change(max(0.01, step.until - self.proxy.now))


@dataclass(frozen=True, slots=True)
class _Chunk:
    due: float
    data: bytes
    torn: Step | None = None  # half of it, then the end


class _Way:
    """What goes in one direction of one connection."""

    def __init__(
        self, connection: _Connection, toward: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connection = connection
        self.toward = toward
        self._proxy = connection.proxy
        self._reader = reader
        self._writer = writer
        self._queue: asyncio.Queue[_Chunk] = asyncio.Queue(UNSENT)
        self._layout = Layout()
        self._holed = False  # bytes were taken: nothing more may be passed
        self._due = 0.0
        self._ended = False

    def end(self) -> None:
        """Tell the reader of this way that there will be nothing more."""
        self._ended = True
        with contextlib.suppress(OSError, RuntimeError):
            if self._writer.can_write_eof():
                self._writer.write_eof()
            else:
                self._writer.close()

    async def read(self) -> None:
        """Take what comes, and do to it what must be done before it waits."""
        try:
            while data := await self._reader.read(CHUNK):
                if self._hole():
                    continue
                await self._queue.put(self._treated(data))
        except OSError:
            pass
        if not self._hole():
            await self._queue.put(_Chunk(self._when(), b""))

    async def write(self) -> None:
        """Pass on what was taken, when its time is there."""
        loop = asyncio.get_running_loop()
        try:
            while (chunk := await self._queue.get()).data:
                await asyncio.sleep(max(0.0, chunk.due - loop.time()))
                await self._stalled()
                if self.toward == TO_CLIENT:
                    await self.connection.before_first_answer()
                if self._hole() or self._ended:
                    continue
                if chunk.torn is not None:
                    await self._tear(chunk.data, chunk.torn)
                    return
                await self._pass(chunk.data)
            await asyncio.sleep(max(0.0, chunk.due - loop.time()))
            await self._stalled()
            if not self._hole():
                self.end()
        except OSError:
            self.connection.abort()

    def _hole(self) -> bool:
        if not self._holed and self._proxy.in_force(schedules.BLACK_HOLE, self.toward, self.connection):
            self._holed = True
            self._proxy.tell(f"connection {self.connection.number} is silent toward the {self.toward} from now on")
        return self._holed

    def _treated(self, data: bytes) -> _Chunk:
        spans = self._layout.spans(data)
        corrupt = self._proxy.take_armed((schedules.CORRUPT,), self.connection, self.toward)
        if corrupt is not None:
            changed = corrupted(data, spans, corrupt)
            if changed == data:
                self._proxy.put_back(corrupt)
            else:
                self._proxy.tell(f"connection {self.connection.number}: {corrupt.where} corrupted")
            data = changed
        torn = self._proxy.take_armed(TORN, self.connection, self.toward)
        return _Chunk(self._when(), data, torn)

    def _when(self) -> float:
        """When the next chunk is due: never before the one ahead of it."""
        delay = self._proxy.in_force(schedules.DELAY, self.toward)
        late = self._proxy.late(delay.amount) if delay is not None else 0.0
        self._due = max(self._due, asyncio.get_running_loop().time() + late)
        return self._due

    async def _stalled(self) -> None:
        while (step := self._proxy.in_force(schedules.STALL, self.toward)) is not None:
            await self._proxy.until_change(max(0.01, step.until - self._proxy.now))

    async def _tear(self, data: bytes, step: Step) -> None:
        self._proxy.tell(f"connection {self.connection.number}: torn in mid-frame ({step.kind})")
        self._writer.write(data[: max(1, len(data) // 2)])
        await self._writer.drain()
        if step.kind == schedules.RESET_IN_FRAME:
            self.connection.reset()
        else:
            self.connection.suffer(Step(0, schedules.CUT))

    async def _pass(self, data: bytes) -> None:
        if self._proxy.in_force(schedules.SINGLE_BYTES, self.toward):
            for at in range(min(PIECES, len(data))):
                await self._write(data[at : at + 1])
                await asyncio.sleep(0)
            data = data[PIECES:]
        elif self._proxy.in_force(schedules.THROTTLE, self.toward):
            data = await self._throttled(data)
        if data:
            await self._write(data)

    async def _throttled(self, data: bytes) -> bytes:
        """Pass it slowly; returns what is left when the fault is over."""
        while data and (step := self._proxy.in_force(schedules.THROTTLE, self.toward)) is not None:
            size = max(1, int(step.amount / 50))
            await self._write(data[:size])
            data = data[size:]
            await asyncio.sleep(size / step.amount)
        return data

    async def _write(self, data: bytes) -> None:
        if not self._ended:
            self._writer.write(data)
            await self._writer.drain()


def corrupted(data: bytes, spans: list[Span], step: Step) -> bytes:
    """The bytes with one changed, in the part that the step names; as they were where that part is not in them."""
    changed = bytearray(data)
    if step.where == schedules.ANY:
        changed[step.pick % len(changed)] ^= 1 + step.pick % 255
    elif step.where == schedules.FRAMING:
        headers = [span.start for span in spans if span.part == schedules.FRAMING and span.first]
        if headers:
            behind, bits = BAD_HEADER[step.pick % len(BAD_HEADER)]
            at = headers[step.pick % len(headers)]
            changed[min(at + behind, len(data) - 1)] ^= bits
    elif step.where == schedules.HEAD:
        heads = [at for span in spans if span.part == schedules.HEAD for at in range(span.start, span.end)]
        if heads:
            changed[heads[step.pick % len(heads)]] ^= 1 + step.pick % 255
    else:
        wanted = STRUCTURAL if step.where == schedules.STRUCTURE else b"0123456789"
        places = [
            at for span in spans if span.part == PAYLOAD for at in range(span.start, span.end) if data[at] in wanted
        ]
        if places:
            at = places[step.pick % len(places)]
            if step.where == schedules.STRUCTURE:
                changed[at] = NEVER_THERE[step.pick % len(NEVER_THERE)]
            else:
                changed[at] = ord("0") + (data[at] - ord("0") + 1 + step.pick % 9) % 10
    return bytes(changed)


def _bound(port: int) -> socket.socket:
    """A socket on that port that does not listen yet: while no other one does, a connect is refused."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


@contextlib.asynccontextmanager
async def fault_proxy(
    target_port: int, schedule: Schedule, *, tls: ssl.SSLContext | None = None, waits: bool = False
) -> AsyncIterator[FaultProxy]:
    """A proxy to a port on loopback. With `waits` the schedule starts only when `begin()` is called."""
    proxy = FaultProxy(target_port, schedule, tls=tls)
    await proxy.open()
    try:
        if not waits:
            proxy.begin()
        yield proxy
    finally:
        await proxy.close()
