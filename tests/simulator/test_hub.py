"""The hub protocol of the simulated B2TRADER: handshake, frames, refusals, cancel, silence, negotiation, faults."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from aiohttp import ClientSession
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.simulated import Simulator
from venues.b2trader.simulator.garbage import bad_items
from venues.simulator import ManualClock, hub, parse_fault
from venues.simulator.hub import HubPeer, Method

from .hub import ACCOUNT, MARKET, TRADING, Hub, account_id, dial, hub_url
from .support import PATIENCE
from .test_nexus import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.asyncio.client import ClientConnection

HANDSHAKE = '{"protocol":"json","version":1}\x1e'
BOOK = "spot.btc_usdt"


async def rest_of(socket: ClientConnection) -> list[str]:
    """All frames until the hub closes."""
    frames: list[str] = []
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                frames.append(str(await socket.recv()))
            except ConnectionClosed:
                return frames


def call(target: str, *arguments: Any, invocation: str = "0", kind: int = 4) -> str:
    return json.dumps({"type": kind, "invocationId": invocation, "target": target, "arguments": arguments}) + "\x1e"


def test_messages_may_share_a_frame_or_be_cut_over_frames() -> None:
    async def test() -> None:
        async with Simulator(rate=0) as simulator, dial(simulator, MARKET) as socket:
            mine = account_id(simulator)
            asked = HANDSHAKE + '{"type":6}\x1e' + call("Book", mine, BOOK) + call("Tob", mine, [BOOK], invocation="1")
            for at in range(0, len(asked) - 5, 40):
                await socket.send(asked[at : at + 40][: len(asked) - 5 - at])
            await socket.send(asked[-5:].encode())
            said = "".join([str(await socket.recv()) for _ in range(3)]).split("\x1e")
        assert said[0] == "{}"
        assert [json.loads(text)["invocationId"] for text in said[1:-1]] == ["0", "1"]
        assert said[-1] == ""

    run(test())


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ('{"protocol":"messagepack","version":1}\x1e', "The protocol 'messagepack' is not supported."),
        ('{"protocol":"json","version":2}\x1e', "The server does not support version 2 of the 'json' protocol."),
        ("nonsense\x1e", "An unexpected error occurred during connection handshake."),
        ('{"type":6}\x1e', "An unexpected error occurred during connection handshake."),
    ],
)
def test_a_bad_handshake_is_answered_and_closed(asked: str, said: str) -> None:
    async def test() -> None:
        async with Simulator() as simulator, dial(simulator, MARKET) as socket:
            await socket.send(asked)
            assert await rest_of(socket) == [json.dumps({"error": said}, separators=(",", ":")) + "\x1e"]
            assert socket.close_code == 1000

    run(test())


@pytest.mark.parametrize(
    ("path", "target", "arguments", "said"),
    [
        (MARKET, "Books", ["$", BOOK], "Unknown hub method 'Books'"),
        (ACCOUNT, "Book", ["$", BOOK], "Unknown hub method 'Book'"),
        (MARKET, "FullBalance", ["$"], "Unknown hub method 'FullBalance'"),
        (TRADING, "MarginData", ["$"], "Unknown hub method 'MarginData'"),
        (ACCOUNT, "OpenOrders", ["$"], "Unknown hub method 'OpenOrders'"),
        (MARKET, "Book", ["wrong", BOOK], "Failed to invoke 'Book' because user is unauthorized"),
        (MARKET, "Tob", [None, "x"], "Failed to invoke 'Tob' because user is unauthorized"),
        (TRADING, "OpenPositions", [""], "Failed to invoke 'OpenPositions' because user is unauthorized"),
        (
            MARKET,
            "Book",
            ["$", "cfd.eur_chf"],
            "due to an error on the server. HubException: unknown market 'cfd.eur_chf'",
        ),
        (MARKET, "Book", ["$", [BOOK]], "Failed to invoke 'Book' due to an error on the server. InvalidDataException:"),
        (MARKET, "Book", ["$"], "InvalidDataException: Invocation provides 1 argument(s) but target expects 2."),
        (ACCOUNT, "FullBalance", ["$", 1], "Invocation provides 2 argument(s) but target expects 1."),
        (MARKET, "Tob", ["$", BOOK], "Failed to invoke 'Tob' due to an error on the server. InvalidDataException:"),
        (MARKET, "Summary", ["$", [BOOK, "\x1b[31m"]], "unknown market '\\x1b[31m'; there are spot.btc_usdt, spot."),
        (MARKET, "Chart", ["$", BOOK], "HubException: expected market@scale, got 'spot.btc_usdt'"),
        (MARKET, "Chart", ["$", BOOK + "@7m"], "unknown time scale '7m'; there are 1m, 5m, 15m, 30m, 1h, 2h, 4h, 8h,"),
        (MARKET, "Chart", ["$", "spot@1m"], "unknown market 'spot'"),
    ],
)
def test_calls_that_fail_say_why(path: str, target: str, arguments: list[Any], said: str) -> None:
    async def test() -> None:
        async with Simulator(rate=0) as simulator, Hub(simulator, path) as client:
            given = [client.account if argument == "$" else argument for argument in arguments]
            await client.say({"type": 4, "invocationId": "x", "target": target, "arguments": given})
            await client.until(lambda: "x" in client.completions)
            assert list(client.completions["x"]) == ["type", "invocationId", "error"]
            assert said in client.completions["x"]["error"]
            assert not client.items
            name = {MARKET: "Tob", TRADING: "OpenOrders", ACCOUNT: "MarginData"}[path]
            again = await client.stream(name, *([[BOOK]] if path == MARKET else []))
            assert client.items[again], "the connection goes on"

    run(test())


def test_several_streams_run_on_a_connection_and_each_can_be_cancelled() -> None:
    async def test() -> None:
        async with Simulator(rate=400, seed=2) as simulator, Hub(simulator, MARKET) as client:
            books = [await client.stream("Book", market) for market in (BOOK, "spot.eth_usdt", BOOK)]
            tob = await client.stream("tob", [BOOK])
            await client.until(lambda: all(len(client.items[stream]) > 20 for stream in books))
            both = zip(client.items[books[0]][1:], client.items[books[2]][1:], strict=False)
            first, third = next(both)
            assert {first["instrument"], third["instrument"]} == {BOOK}
            await client.cancel(books[0])
            assert client.completions[books[0]] == {"type": 3, "invocationId": books[0]}
            count = len(client.items[books[2]])
            # that nothing of a cancelled stream comes after its completion is checked for every item
            await client.until(lambda: len(client.items[books[2]]) > count + 20)
            await client.say({"type": 5, "invocationId": "nobody"}, {"type": 5, "invocationId": books[0]}, {"type": 5})
            for stream in (*books[1:], tob):
                await client.cancel(stream)
            frames = len(client.frames)
            await client.sync()
            assert len(client.frames) == frames + 1
            again = await client.stream("Book", BOOK)
            assert client.items[again][0]["snapshot"] is True

    run(test())


def test_an_invocation_id_is_used_once_at_a_time() -> None:
    async def test() -> None:
        async with Simulator(rate=0) as simulator, dial(simulator, MARKET) as socket:
            mine = account_id(simulator)
            await socket.send(HANDSHAKE + call("Tob", mine, [BOOK]) * 2 + '{"type":5,"invocationId":"0"}\x1e')
            await socket.send(call("Tob", mine, [BOOK]))
            texts: list[str] = []
            while len(texts) < 5:
                texts += str(await socket.recv()).split("\x1e")[:-1]
            messages = [json.loads(text) for text in texts]
        assert [message.get("type") for message in messages] == [None, 2, 3, 3, 2]
        assert messages[2]["error"] == "Invocation ID '0' is already in use."
        assert "error" not in messages[3]

    run(test())


def test_what_is_no_stream_invocation_is_refused_or_let_pass() -> None:
    async def test() -> None:
        async with Simulator(rate=0) as simulator, Hub(simulator, MARKET) as client:
            await client.say({"type": 1, "invocationId": "a", "target": "Book", "arguments": [client.account, BOOK]})
            await client.say({"type": 1, "target": "nobody waits", "arguments": []})
            for kind in (0, 2, 3, 6, 8, 9, 99):
                await client.say({"type": kind, "invocationId": "b", "item": 1, "sequenceId": 3, "more": [{}]})
            await client.sync()
            assert list(client.completions) == ["a", "barrier 1"]
            assert "attempted to invoke the streaming 'Book' method" in client.completions["a"]["error"]

    run(test())


@pytest.mark.parametrize(
    "sent",
    [
        "nonsense\x1e",
        "\x1e",
        '{"type":"4"}\x1e',
        '{"type":4,"target":"Book","arguments":[]}\x1e',
        '{"type":4,"invocationId":"0","arguments":[]}\x1e',
        '{"type":1,"target":"Book"}\x1e',
        "[" * 5_000 + "\x1e",
        "x" * 33_000,
        b"\xff\xfe\x1e",
    ],
)
def test_what_breaks_the_protocol_ends_the_connection_with_the_reason(sent: str | bytes) -> None:
    async def test() -> None:
        async with Simulator(rate=0) as simulator, Hub(simulator, MARKET) as client:
            await client.socket.send(sent)
            (frame,) = await rest_of(client.socket)
            client.take(frame)
            assert client.closing is not None
            assert list(client.closing) == ["type", "error"]
            assert client.closing["error"].startswith("Connection closed with an error. InvalidDataException: ")
            assert client.socket.close_code == 1000

    run(test())


def test_a_client_may_say_goodbye() -> None:
    async def test() -> None:
        async with Simulator(rate=0) as simulator, Hub(simulator, MARKET) as client:
            await client.say({"type": 7})
            assert await rest_of(client.socket) == []
            assert client.socket.close_code == 1000

    run(test())


class Timed:
    """A hub's time, turned by hand together with the world's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = ManualClock()
        monkeypatch.setattr(hub, "monotonic", lambda: self.clock.epoch_ms() / 1000)

    async def turn(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1_000)
            await asyncio.sleep(0.002)


def test_the_hub_pings_after_15_seconds_in_which_it_said_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = Timed(monkeypatch)

    async def test() -> None:
        async with Simulator(rate=0, clock=timed.clock) as simulator, Hub(simulator, MARKET) as client:
            for expected in (0, 1, 1, 2, 2):
                await client.sync()  # also a word of the client's, and an answer of the hub's
                await timed.turn(10)
                await client.say({"type": 6})
                await timed.turn(4)
                assert client.pings == 0, expected
            await client.say({"type": 6})
            await timed.turn(12)
            await client.say({"type": 6})
            await client.until(lambda: client.pings == 1)
            await timed.turn(16)
            await client.until(lambda: client.pings == 2)

    run(test())


def test_a_silent_client_is_let_go_after_30_seconds_and_may_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = Timed(monkeypatch)

    async def test() -> None:
        async with Simulator(rate=0, clock=timed.clock) as simulator, Hub(simulator, MARKET) as client:
            await timed.turn(29)
            await client.say({"type": 6})
            await asyncio.sleep(0.01)
            await timed.turn(29)
            assert len(simulator._server._links) == 1  # type: ignore[union-attr]
            await timed.turn(2)
            for frame in await rest_of(client.socket):
                client.take(frame)
            assert client.closing == {
                "type": 7,
                "error": "Client hasn't sent a message/ping within the configured ClientTimeoutInterval.",
                "allowReconnect": True,
            }

    run(test())


def test_a_handshake_that_never_comes_is_given_up_after_15_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = Timed(monkeypatch)

    async def test() -> None:
        async with Simulator(rate=0, clock=timed.clock) as simulator, dial(simulator, MARKET) as socket:
            await timed.turn(14)
            assert len(simulator._server._links) == 1  # type: ignore[union-attr]
            await timed.turn(2)
            assert await rest_of(socket) == ['{"error":"Handshake was canceled."}\x1e']

    run(test())


@pytest.mark.parametrize("path", [TRADING, ACCOUNT, MARKET])
def test_a_token_is_needed_everywhere(path: str) -> None:
    async def test() -> None:
        async with Simulator() as simulator, ClientSession() as session:
            token = simulator.credentials("b2trader")["token"]
            for query in (
                "",
                "access_token=",
                "access_token=wrong",
                f"token={token}",
                f"access_token={token}&id=nobody",
            ):
                with pytest.raises(InvalidStatus) as caught:
                    await connect(hub_url(simulator, path, query), proxy=None)
                wanted = 404 if "nobody" in query else 401
                assert caught.value.response.status_code == wanted
                if wanted == 401:
                    url = hub_url(simulator, f"{path}/negotiate", query).replace("ws:", "http:")
                    async with session.post(url) as response:
                        assert response.status == 401
            headers = {"Authorization": f"Bearer {token}"}
            async with connect(hub_url(simulator, path, ""), proxy=None, additional_headers=headers) as socket:
                await socket.send(HANDSHAKE)
                assert await socket.recv() == "{}\x1e"
            with pytest.raises(InvalidStatus):
                await connect(hub_url(simulator, path, ""), proxy=None, additional_headers={"Authorization": token})

    run(test())


async def negotiated(simulator: Simulator, version: str) -> dict[str, Any]:
    query = f"access_token={simulator.credentials('b2trader')['token']}{version}"
    url = hub_url(simulator, f"{MARKET}/negotiate", query).replace("ws:", "http:")
    async with ClientSession() as session, session.post(url) as response:
        assert (response.status, response.content_type) == (200, "application/json")
        answer: dict[str, Any] = await response.json()
        return answer


@pytest.mark.parametrize("version", ["&negotiateVersion=1", "&negotiateVersion=0", ""])
def test_an_id_that_was_negotiated_is_good_for_one_connection(version: str) -> None:
    async def test() -> None:
        async with Simulator() as simulator:
            answer = await negotiated(simulator, version)
            newer = "=1" in version
            assert answer["negotiateVersion"] == int(newer)
            assert ("connectionToken" in answer) is newer
            assert answer["availableTransports"] == [{"transport": "WebSockets", "transferFormats": ["Text"]}]
            secrets = [answer[name] for name in ("connectionId", "connectionToken") if name in answer]
            assert [len(secret) for secret in secrets] == [22] * len(secrets), "16 bytes, which nobody guesses"
            given = answer["connectionToken" if newer else "connectionId"]
            query = f"access_token={simulator.credentials('b2trader')['token']}&id="
            async with Hub(simulator, MARKET, query + given) as client:
                assert client.items[await client.stream("Tob", [BOOK])]
                with pytest.raises(InvalidStatus) as caught:
                    await dial(simulator, MARKET, query + given)
                assert caught.value.response.status_code == 409
            others = [given, "nobody"] + ([answer["connectionId"]] if newer else [])
            async with asyncio.timeout(PATIENCE):
                while simulator._server._links:  # type: ignore[union-attr] # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            for other in others:
                with pytest.raises(InvalidStatus) as caught:
                    await dial(simulator, MARKET, query + other)
                assert caught.value.response.status_code == 404

    run(test())


@pytest.mark.parametrize(
    ("asked", "version"),
    [
        ("", 0),
        ("&negotiateVersion=0", 0),
        ("&negotiateVersion=1", 1),
        ("&negotiateVersion=2", 1),
        ("&negotiateVersion=2147483647", 1),
        ("&NEGOTIATEVERSION=01", 1),
        ("&negotiateVersion=%20%2B1%20", 1),
    ],
)
def test_the_lower_version_of_negotiation_is_answered(asked: str, version: int) -> None:
    async def test() -> None:
        async with Simulator() as simulator:
            answer = await negotiated(simulator, asked)
            assert answer["negotiateVersion"] == version
            assert ("connectionToken" in answer) is bool(version)

    run(test())


@pytest.mark.parametrize("asked", ["", "x", "1.0", "1,1", "2147483648", "%D9%A3", "9" * 5000, "--1"])
def test_a_version_that_is_none_is_refused(asked: str) -> None:
    async def test() -> None:
        async with Simulator() as simulator:
            answer = await negotiated(simulator, f"&negotiateVersion={asked}")
            assert answer == {
                "error": f"The client requested an invalid protocol version '{unquote(asked)[:80]}'",
            }
            answer = await negotiated(simulator, "&negotiateVersion=-1")
            assert answer == {
                "error": "The client requested version '-1', but the server does not support this version."
            }

    run(test())


@pytest.mark.parametrize(("fault", "reconnect"), [("close:500ms", True), ("expel:500ms", False)])
def test_the_hub_closes_with_or_without_leave_to_come_again(fault: str, reconnect: bool) -> None:
    async def test() -> None:
        async with Simulator(faults=[parse_fault(fault)]) as simulator, Hub(simulator, MARKET) as client:
            stream = await client.stream("Book", BOOK)
            for frame in await rest_of(client.socket):
                client.take(frame)
            assert client.items[stream]
            assert client.closing == ({"type": 7, "allowReconnect": True} if reconnect else {"type": 7})
            assert client.socket.close_code == (1001 if reconnect else 1008)

    run(test())


def test_a_simulator_that_stops_says_so_in_the_protocol() -> None:
    async def test() -> None:
        simulator = Simulator()
        await simulator.start()
        async with Hub(simulator, TRADING) as client, dial(simulator, TRADING) as early:
            await simulator.close()
            for frame in await rest_of(client.socket):
                client.take(frame)
            assert client.closing == {"type": 7, "allowReconnect": True}
            assert await rest_of(early) == [], "not before the handshake"

    run(test())


@pytest.mark.parametrize("status", [401, 503])
def test_refused_here_too(status: int) -> None:
    async def test() -> None:
        async with Simulator(faults=[parse_fault(f"refuse:{status}")]) as simulator:
            with pytest.raises(InvalidStatus) as caught:
                await dial(simulator, MARKET)
            assert caught.value.response.status_code == status
            url = hub_url(simulator, f"{MARKET}/negotiate").replace("ws:", "http:")
            async with ClientSession() as session, session.post(url) as response:
                assert response.status == status

    run(test())


def test_garbage_comes_in_the_hubs_own_shapes() -> None:
    async def test() -> None:
        faults = [parse_fault("garbage:3ms")]
        async with (
            Simulator(rate=0, faults=faults) as simulator,
            dial(simulator, TRADING) as socket,
            asyncio.timeout(PATIENCE),
        ):
            await socket.send(HANDSHAKE + call("OpenPositions", account_id(simulator)))
            frames: list[bytes] = []
            while not any(len(frame) > 20 * 1024 * 1024 for frame in frames):
                frames.append(await socket.recv(decode=False))
        whole = b"".join(frames[:-1])
        for piece in (
            b'"1e999999999999999999"',
            b'"NaN"',
            b'"type":99',
            b"no-such-stream",
            b'{"half a mess',
            b"\xff\xfe",
        ):
            assert piece in whole, piece
        half = next(frame for frame in frames if frame.endswith(b"half a mess"))
        assert b"\x1e" not in half

    run(test())


@pytest.mark.parametrize("target", ["Book", "Tob", "TradingData", "Summary", "Chart", "OpenOrders", "OpenPositions"])
def test_bad_items_are_json_in_the_streams_shape(target: str) -> None:
    items = bad_items(target)
    assert len(items) == 9
    for item in items:
        assert isinstance(json.loads(item), (dict, list))


class Link:
    """Remembers what is sent; `flush` is the writer's turn."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.produce: Callable[[], bytes] | None = None
        self.finished: list[int] = []

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def show(self, key: str, produce: Callable[[], bytes]) -> None:
        self.produce = produce

    def every(self, seconds: float, action: Callable[[], None]) -> None:
        self.beat = action

    def finish(self, code: int, reason: str) -> None:
        self.finished.append(code)

    def flush(self) -> None:
        while self.produce is not None:
            produce, self.produce = self.produce, None
            self.sent.append(produce())


class Talker:
    """A hub of one stream that says what the test wants said."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(hub, "monotonic", lambda: self.now)
        self.link = Link()
        self.left = 0
        self.peer = HubPeer(self.link, {"Say": Method(0, self.start)}, lambda: None)
        self.peer.opened()
        self.peer.receive(HANDSHAKE + '{"type":4,"invocationId":"s","target":"say","arguments":[]}\x1e')
        self.link.sent.clear()

    def start(self, arguments: list[Any], emit: Any) -> Callable[[], None]:
        self.emit = emit
        emit(b"0", losable=True)

        def leave() -> None:
            self.left += 1

        return leave

    def items(self) -> list[Any]:
        self.link.flush()
        texts = b"".join(self.link.sent).split(b"\x1e")[:-1]
        self.link.sent.clear()
        return [json.loads(text).get("item", json.loads(text)) for text in texts]


def test_items_that_are_ready_together_share_a_frame_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    talker = Talker(monkeypatch)
    for size in (1, 1, 70_000, 70_000, 200_000, 5):
        talker.emit(b'"%b"' % (b"x" * size))
    talker.link.flush()
    assert [frame.count(b"\x1e") for frame in talker.link.sent] == [3, 1, 1, 1]


def test_what_waits_goes_out_before_a_completion_and_before_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    talker = Talker(monkeypatch)
    talker.emit(b"1")
    talker.peer.receive('{"type":5,"invocationId":"s"}\x1e')
    assert talker.left == 1
    assert talker.items() == [1, {"type": 3, "invocationId": "s"}]
    other = Talker(monkeypatch)
    other.emit(b"2")
    assert other.peer.farewell(reconnect=True).endswith(b'"item":2}\x1e{"type":7,"allowReconnect":true}\x1e')
    other.emit(b"3")
    assert other.items() == []


def test_a_gap_loses_one_change_once_the_next_one_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    talker = Talker(monkeypatch)
    talker.peer.gap()
    talker.emit(b"1")  # not of the kind that can be lost
    talker.emit(b"2", losable=True)
    assert talker.items() == [1]
    talker.peer.gap()
    talker.emit(b"3", losable=True)
    talker.emit(b"4", losable=True)
    assert talker.items() == [3, 4]
    talker.peer.gap()
    talker.emit(b"5", losable=True)
    talker.emit(b"6")  # a whole state
    assert talker.items() == [6]
    talker.peer.gap()
    talker.emit(b"7", losable=True)
    talker.now = 0.9
    talker.link.beat()
    assert talker.items() == []
    talker.now = 1.0
    talker.link.beat()
    assert talker.items() == [7], "nobody could have told that the last one is missing"


def test_a_reader_that_is_far_too_slow_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "MOST_WAITING", 10)
    talker = Talker(monkeypatch)
    for _ in range(12):
        talker.emit(b"1")
    assert talker.link.finished == [1000]
    (closing,) = talker.items()
    assert closing["error"] == "Connection closed with an error. reader too slow: more than 10 messages are waiting"
