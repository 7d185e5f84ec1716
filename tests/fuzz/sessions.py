"""Targets of the venues: a session at any moment of its life, lists of symbols, negotiation, and the layers below.

A case of a session begins with two bytes: which recording of the venue, and how many of its events come first. What
follows are frames of the venue, with `NEXT` between them. One that begins with `HTTP 200 ` is the answer to a request,
and `CLOSE 1006 ` is the end of the connection.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Generator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import cast

from tests.fuzz.judge import Target
from tests.fuzz.loops import ManualClock, in_loop
from tests.fuzz.mutator import NEXT
from venues import VENUES, events, venue_named
from venues.driver import Delivered, Driver
from venues.errors import MonError
from venues.fetching import Fetcher
from venues.listing import Listing
from venues.protocols import packets
from venues.protocols.cookies import Cookies, secrets_in, without_value
from venues.protocols.negotiation import negotiated
from venues.protocols.signalr import Hub
from venues.protocols.socketio import SocketIo, verdict
from venues.recording import Header, Recording
from venues.records import Instrument
from venues.redaction import Redactor
from venues.testing import recordings
from venues.testing.playing import Play
from venues.venue import Fetch, HttpRequest, HttpResponse, NoResponse, Now, Settings, Venue, has_list

FIXTURES = Path(__file__).parents[1] / "fixtures"
MOST_FRAMES = 6  # of a case of the corpus, each case from another moment
LARGEST_CASE = 8_192  # bytes of a case of the corpus: the mutator makes them longer
MOST_CASES = 30  # of a venue's corpus
MOST_EVENTS = 255  # of a recording: as many as a byte can count
MOST_LINES = 1_000  # of an answer's head; the last one has all the rest
MOST_PARTS = 100  # of a case that are fed: one frame is judged, not how many 64 KiB can be
TICKS = 5  # at the end of a case
NEGOTIATED = b'{"connectionToken":"t","connectionId":"i","negotiateVersion":1}'
_ANSWER = re.compile(rb"HTTP (\d{3}) ")
_CLOSING = re.compile(rb"CLOSE (\d{1,4}) ")


@dataclass(frozen=True)
class Played:
    """A recording as it is played before a case."""

    path: Path
    header: Header
    events: Sequence[events.Event]


@cache
def played(venue: str) -> Sequence[Played]:
    """A venue's recordings: those that end a connection, or are bad on purpose, belong to its life too."""
    found = []
    for path in recordings.cases(FIXTURES / venue):
        recording = Recording(path)
        found.append(Played(path, recording.header, list(islice(recording.events(), MOST_EVENTS))))
    return found[:256]


def part_of(event: events.Event) -> bytes | None:
    """An event of a recording as the part of a case that stands for it; None where no part does."""
    match event:
        case events.Frame(direction="in"):
            return event.data()
        case events.Fetched():
            return b"HTTP %d %b" % (event.status, event.data())
        case events.Requested():
            return b"HTTP %d %b" % (event.status, event.body.encode())
        case events.Closed():
            return b"CLOSE %d %b" % (event.code or 1006, event.reason.encode())
    return None


def corpus_of(venue: str) -> list[bytes]:
    """Of each stream some recordings, each once from its beginning and once from its middle."""
    cases = []
    for index, one in enumerate(played(venue)):
        for moment in (0, len(one.events) // 2):
            parts = [part for event in one.events[moment:] if (part := part_of(event)) is not None][:MOST_FRAMES]
            case = bytes([index, moment]) + NEXT.join(parts)
            if parts and len(case) <= LARGEST_CASE:
                cases.append(case)
    step = max(1, len(cases) // MOST_CASES)
    return cases[::step]


class _Life:
    """One connection of a venue after another, as the parts of a case want it."""

    def __init__(self, venue: Venue, one: Played, moment: int) -> None:
        self.play = Play(venue, one.header)
        self.delivered = 0
        self._asked: list[str] = []
        self._opened = False
        self._now = Now(1.0, 1_747_841_760_000)
        for event in one.events[:moment]:
            if isinstance(event, events.Dialled | events.Resumed):
                self._opened = False
            self._opened = self._opened or isinstance(event, events.Opened)
            self._now = Now(event.mono, event.at)
            if self.play.driver.session is not None or isinstance(event, events.Dialled):
                self._gave(self.play.feed(event))
        if self.play.driver.session is None:
            self.play.begin(0.5)

    def take(self, part: bytes) -> bool:
        """Feed one part; False once the line has ended."""
        driver = self.play.driver
        if driver.ended is not None:
            return False
        if driver.retry_at is not None:
            self._now = Now(max(self._now.mono, driver.retry_at), self._now.epoch_ms + 1_000)
            self._asked.clear()
            self._opened = False
            self.play.begin(0.5)
        if answer := _ANSWER.match(part):
            self._answer(HttpResponse(int(answer[1]), part[answer.end() :]))
            return True
        self._open()
        if driver.ended is not None or driver.retry_at is not None:
            return driver.ended is None
        if closing := _CLOSING.match(part):
            reason = part[closing.end() :].decode(errors="replace")
            self._gave(driver.closed(int(closing[1]), reason, self._now))
        else:
            self._gave(driver.receive(part, self._now))
        return True

    def _answer(self, response: HttpResponse) -> None:
        if self._opened:
            asked = self._asked.pop(0) if self._asked else "unknown"
            self._gave(self.play.driver.fetched(asked, response, self._now))
        elif not self.play.answer(response):
            self._open()

    def _open(self) -> None:
        if not self._opened:
            while self.play.answer(HttpResponse(200, NEGOTIATED)):
                pass
            self._opened = True
            self._gave(self.play.driver.opened(self._now))

    def end(self) -> None:
        """What is due after the last part: deadlines, answers that never come, and our leaving."""
        driver = self.play.driver
        for _ in range(TICKS):
            due = driver.deadline() if driver.ended is None and driver.retry_at is None and self._opened else None
            if due is None:
                return
            self._now = Now(max(self._now.mono, due), self._now.epoch_ms + 1_000)
            self._gave(driver.tick(self._now))
            if self._asked and driver.ended is None and driver.retry_at is None:
                self._gave(driver.fetched(self._asked.pop(0), NoResponse("no answer within 10 s"), self._now))
        if driver.ended is None and driver.retry_at is None:
            driver.leave(self._now)
            driver.take()

    def _gave(self, items: Sequence[Delivered]) -> None:
        for item in items:
            recordings.written(item)
        self.delivered += len(items)
        self._asked += [out.id for out in self.play.take() if isinstance(out, Fetch)]


def live(venue: str, case: bytes) -> int:
    """Live through a case of a venue's session; how many items it delivered."""
    found = played(venue)
    if len(case) < 2 or not found:
        return 0
    one = found[case[0] % len(found)]
    life = _Life(venue_named(venue), one, case[1] % (len(one.events) + 1))
    for part in case[2:].split(NEXT)[:MOST_PARTS]:
        if not life.take(part):
            break
    life.end()
    return life.delivered


# --- lists of symbols


class _Answers:
    """Stands for whoever makes HTTP requests: answers each with the next part of a case."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        self._parts = iter(parts)

    @contextlib.asynccontextmanager
    async def used(self) -> AsyncIterator[None]:
        """Nothing is opened."""
        yield

    async def fetch(self, request: HttpRequest, proxy: str | None = None) -> HttpResponse | NoResponse:
        """The next part as an answer."""
        part = next(self._parts, None)
        if part is None:
            return NoResponse("no answer within 10 s")
        answer = _ANSWER.match(part)
        return HttpResponse(int(answer[1]), part[answer.end() :]) if answer else HttpResponse(200, part)


def listed(venue: str, case: bytes) -> int:
    """The list of a venue's symbols, made of the answers, or frames, of a case; how many it has."""
    found = venue_named(venue)
    url = found.environments.get("production") or "wss://venue.example"
    settings = Settings(url, rest_url=found.rest.get("production", ""), values=SCALES)
    how, parts = found.symbol_list(settings), case.split(NEXT)[:MOST_PARTS]
    listing = Listing(
        found,
        settings,
        clock=ManualClock(),
        random=lambda: 0.5,
        redactor=Redactor(),
        fetcher=cast("Fetcher", _Answers(parts)),
        fetch_secrets=_no_secrets,
    )
    if how is None:
        return 0
    if isinstance(how, Generator):
        return len(in_loop(listing.instruments(how)))
    driver = Driver(how, how.subscriptions, venue=venue, retries=0)
    now = Now(1.0, 1_747_841_760_000)
    driver.begin({}, 0.5)
    items = list(driver.opened(now))
    for part in parts:
        if driver.ended is None and driver.retry_at is None:
            items += driver.receive(part, now)
    return len(listing.checked([item for item in items if isinstance(item, Instrument)]))


async def _no_secrets() -> dict[str, str]:
    return {}


SCALES = {"symbols": {"BTCUSDT": {"tick_size": "0.01", "lot_size": "0.000001"}}}
LISTS: dict[str, Sequence[bytes]] = {
    "kraken": [
        b'{"method":"subscribe","req_id":1,"success":true,"result":{"channel":"instrument","snapshot":true}}'
        + NEXT
        + b'{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[{"symbol":"BTC/USD","base":"BTC",'
        b'"quote":"USD","status":"online","price_increment":0.1,"qty_increment":0.00000001,"price_precision":1,'
        b'"qty_precision":8}]}}'
    ],
    "woox": [
        b'{"success":true,"data":{"rows":[{"symbol":"SPOT_BTC_USDT","status":"TRADING","baseAsset":"BTC",'
        b'"quoteAsset":"USDT","quoteTick":"0.01","baseTick":"0.00001"}]},"timestamp":1747841759500}'
    ],
}
ANY_LIST = [b'[{"symbol":"A","base":"B"}]', b'{"data":{"rows":[{"symbol":"A"}]}}', b'{"success":false,"message":"no"}']


# --- layers below the venues


def negotiate(case: bytes) -> int:
    """Negotiation with a hub: each part of a case is an answer, with its cookies before an empty line."""
    steps = negotiated("https://hub.example/a", "token", lambda status, body: verdict(status, body))
    asked: HttpRequest = next(steps)
    made = 0
    try:
        for part in case.split(NEXT)[:MOST_PARTS]:
            head, _, body = part.rpartition(b"\r\n\r\n")
            lines = tuple(head.decode(errors="replace").split("\r\n"))
            answer = HttpResponse(200, body, cookies=lines, date_ms=1_747_841_759_500)
            asked = steps.send(answer)
            made += len(asked.headers)
    except StopIteration as stop:
        return made + len(stop.value.url)
    return made


def cookies(case: bytes) -> int:
    """`Set-Cookie` lines of an answer, a line each."""
    lines = case.decode(errors="replace").split("\n", MOST_LINES)
    jar = Cookies()
    jar.take("https://hub.example/a/b", lines, 1_747_841_759_500)
    shown = [(without_value(line), secrets_in(line)) for line in lines]
    return len(jar.headers("https://hub.example/a/b/c")) + len(shown)


def packet(case: bytes) -> int:
    """Frames of Engine.IO and packets of Socket.IO."""
    kind, content = packets.read_frame(case)
    return kind + 1 + len(packets.read_packet(content).payload)


def socketio(case: bytes) -> int:
    """A Socket.IO connection, taken for either generation or not known, from its first frame on."""
    if not case:
        return 0
    talk = SocketIo([None, "newer", "older", "either"][case[0] % 4])
    return _happenings(talk, case[1:])


def signalr(case: bytes) -> int:
    """A SignalR connection, from the answer to its handshake on."""
    return _happenings(Hub(), case)


def _happenings(talk: Hub | SocketIo, case: bytes) -> int:
    """How much happens on a connection whose frames are the parts of a case."""
    now, given = Now(1.0, 1_747_841_760_000), 0
    talk.opened(now)
    for part in case.split(NEXT)[:MOST_PARTS]:
        given += len(talk.receive(part, now))
        talk.take()
        talk.deadline()
    return given


HUB = [
    NEXT.join([b"{}\x1e", b'{"type":2,"invocationId":"0","item":{"a":1}}\x1e{"type":6}\x1e', b'{"type":7}\x1e']),
    b'{}\x1e{"type":3,"invocationId":"0","error":"no"}\x1e{"type":1,"target":"a","arguments":[1]}\x1e{"type":2,"invo',
    b'{"error":"Handshake was canceled."}\x1e',
]
SOCKETIO = [
    b"\x00"
    + NEXT.join([b'0{"sid":"a","pingInterval":25000,"pingTimeout":20000}', b'40{"sid":"b"}', b'42["a",{"b":1}]', b"2"]),
    b"\x01"
    + NEXT.join([b'0{"sid":"a","pingInterval":25000,"pingTimeout":20000}', b"40", b'4212["a"]', b"431[1]", b"41"]),
    b"\x02"
    + NEXT.join(
        [
            b'0{"sid":"a","pingInterval":25000,"pingTimeout":20000}',
            b"40",
            b'451-["a",{"_placeholder":true,"num":0}]',
            b"\x04ab",
            b'44"no"',
        ]
    ),
]
PACKETS = [
    b'42["a",{"b":1}]',
    b'4212["a"]',
    b'42/n,3["a"]',
    b'451-["a",{"_placeholder":true,"num":0}]',
    b'0{"sid":"a"}',
    b"2",
    b"3probe",
]
NEGOTIATIONS = [
    b'set-cookie: x\r\n\r\n{"connectionToken":"052","connectionId":"807","negotiateVersion":1,'
    b'"availableTransports":[{"transport":"WebSockets","transferFormats":["Text","Binary"]}]}',
    b"a=b; Path=/; Secure; Max-Age=5\r\nc=d\r\n\r\n"
    + NEXT.join([b'{"url":"https://other.example/a?b=c","accessToken":"t"}', b'{"connectionId":"i"}']),
    b'{"error":"no"}',
]
COOKIES = [
    b"ARRAffinity=0123abc;Path=/;HttpOnly;Secure;Domain=hub.example",
    b'a=b; Expires=Wed, 21 Oct 2026 07:28:00 GMT\nc=d; Max-Age=0\ne="f%20g"; Path=/a',
]


def session_targets() -> list[Target]:
    """A target for each venue of the registry."""
    return [Target(f"session.{name}", partial(corpus_of, name), partial(live, name), head=2) for name in VENUES]


def list_targets() -> list[Target]:
    """A target for each venue that has a list of symbols."""
    return [
        Target(
            f"symbols.{name}",
            lambda name=name: LISTS.get(name, ANY_LIST),  # type: ignore[misc]
            partial(listed, name),
            (MonError,),
        )
        for name in VENUES
        if has_list(venue_named(name))
    ]
