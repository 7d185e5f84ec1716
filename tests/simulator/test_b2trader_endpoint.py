"""Who is let in to the simulated B2TRADER, with which id, and what its hubs refuse; without a socket."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from venues.b2trader.simulator import endpoint
from venues.b2trader.simulator.endpoint import B2Trader
from venues.simulator.endpoint import Answer, Handshake
from venues.simulator.world import World
from venues.simulator.world_clock import ManualClock

from .hub import ACCOUNT, MARKET, TRADING
from .test_hub import HANDSHAKE, Link

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN = {"access_token": "sim-b2trader-token"}
MINE = "64a1f0c2b7d94e0012ab34cd"
BTC = "spot.btc_usdt"
MARKETS = "spot.btc_usdt, spot.eth_usdt, spot.sol_usdt"
SERVER = "Failed to invoke '{}' due to an error on the server. "


class Venue:
    def __init__(self) -> None:
        self.world = World(ManualClock(), seed=1, rate=0.0)
        self.endpoint = B2Trader(self.world)

    def came(
        self, path: str = MARKET, query: Mapping[str, str] = TOKEN, headers: Mapping[str, str] | None = None
    ) -> Any:
        """The peer of a client that comes so, or the status of the answer that it gets instead."""
        decision = self.endpoint.sockets()[path](Handshake({}, query, headers or {}))
        if isinstance(decision, Answer):
            return decision.status
        link: Any = Link()
        return SimpleNamespace(peer=decision(link), link=link)

    def negotiated(self, query: Mapping[str, str] = TOKEN) -> tuple[int, Any]:
        answer = self.endpoint.posts()[f"{MARKET}/negotiate"](Handshake({}, query, {}))
        return answer.status, json.loads(answer.text) if answer.content_type == "application/json" else answer.text

    def new_id(self) -> str:
        found: str = self.negotiated({**TOKEN, "negotiateVersion": "1"})[1]["connectionToken"]
        return found


@pytest.mark.parametrize("path", [MARKET, TRADING, ACCOUNT])
@pytest.mark.parametrize(
    ("query", "headers", "is_in"),
    [
        ({}, {}, False),
        (TOKEN, {}, True),
        ({"access_token": "other"}, {}, False),
        ({}, {"Authorization": "Bearer sim-b2trader-token"}, True),
        ({}, {"Authorization": "Bearer other"}, False),
        ({}, {"Authorization": "sim-b2trader-token"}, False),
        ({"access_token": "other"}, {"Authorization": "Bearer sim-b2trader-token"}, True),
        (TOKEN, {"Authorization": "Bearer other"}, True),
    ],
)
def test_the_token_is_in_the_query_or_in_the_header(
    path: str, query: dict[str, str], headers: dict[str, str], is_in: bool
) -> None:
    venue = Venue()
    came = venue.came(path, query, headers)
    assert (came == 401) is not is_in
    assert [venue.endpoint.posts()[f"{path}/negotiate"](Handshake({}, query, headers)).status] == [
        200 if is_in else 401
    ]


def test_the_world_hears_which_markets_a_client_comes_to(monkeypatch: pytest.MonkeyPatch) -> None:
    venue = Venue()
    heard: list[str] = []
    monkeypatch.setattr(venue.world, "joined", heard.append)
    for target, asked in (
        ("Book", "spot.eth_usdt"),
        ("Chart", "spot.sol_usdt@1m"),
        *((name, [BTC, "spot.eth_usdt"]) for name in ("Tob", "TradingData", "Summary")),
    ):
        client = venue.came()
        client.peer.opened()
        client.peer.receive(HANDSHAKE)
        client.peer.receive(
            json.dumps({"type": 4, "invocationId": "a", "target": target, "arguments": [MINE, asked]}) + "\x1e"
        )
    assert heard == ["ETH_USDT", "SOL_USDT", *["BTC_USDT", "ETH_USDT"] * 3]


def test_an_id_is_good_for_one_connection_and_forgotten_with_it() -> None:
    venue = Venue()
    one, other = venue.new_id(), venue.new_id()
    came = venue.came(query={**TOKEN, "id": one})
    assert venue.came(query={**TOKEN, "id": one}) == 409
    assert venue.came(query={**TOKEN, "id": "nobody's"}) == 404
    plain = venue.came()
    plain.peer.closed()
    assert venue.came(query={**TOKEN, "id": one}) == 409, "another one has gone"
    came.peer.closed()
    assert venue.came(query={**TOKEN, "id": one}) == 404
    assert venue.came(query={**TOKEN, "id": other}) not in (404, 409)


def test_the_oldest_ids_that_nobody_uses_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "_MOST_IDS", 3)
    venue = Venue()
    used = venue.new_id()
    came = venue.came(query={**TOKEN, "id": used})
    ids = [venue.new_id() for _ in range(4)]
    assert [venue.came(query={**TOKEN, "id": one}) == 404 for one in ids] == [True, True, False, False]
    assert venue.came(query={**TOKEN, "id": used}) == 409
    came.peer.closed()


@pytest.mark.parametrize(
    ("asked", "version"),
    [(None, 0), ("0", 0), ("1", 1), ("2", 1), ("2147483647", 1), (" +1 ", 1), ("01", 1)],
)
def test_what_is_negotiated(asked: str | None, version: int) -> None:
    query = TOKEN if asked is None else {**TOKEN, "NegotiateVersion": asked}
    status, said = Venue().negotiated(query)
    transports = [{"transport": "WebSockets", "transferFormats": ["Text"]}]
    token = {"connectionToken": said["connectionToken"]} if version else {}
    assert (status, said) == (
        200,
        {
            "negotiateVersion": version,
            "connectionId": said["connectionId"],
            **token,
            "availableTransports": transports,
        },
    )
    assert len({said["connectionId"], *token.values()}) == 1 + version
    assert {len(secret) for secret in (said["connectionId"], *token.values())} == {22}


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ("x", "The client requested an invalid protocol version 'x'"),
        ("2147483648", "The client requested an invalid protocol version '2147483648'"),
        ("-2147483648", "The client requested an invalid protocol version '-2147483648'"),
        ("9" * 101, f"The client requested an invalid protocol version '{'9' * 80}'"),
        ("-1", "The client requested version '-1', but the server does not support this version."),
        ("-2147483647", "The client requested version '-2147483647', but the server does not support this version."),
    ],
)
def test_a_version_that_is_none(asked: str, error: str) -> None:
    assert Venue().negotiated({**TOKEN, "negotiateVersion": asked}) == (200, {"error": error})


UNAUTHORIZED = "Failed to invoke '{}' because user is unauthorized"
COUNT = SERVER + "InvalidDataException: Invocation provides {} argument(s) but target expects {}."
BINDING = SERVER + "InvalidDataException: Error binding arguments."
SCALES = "1m, 5m, 15m, 30m, 1h, 2h, 4h, 8h, 12h, 1d, 1w, 1M"


@pytest.mark.parametrize(
    ("path", "target", "arguments", "said"),
    [
        *((TRADING, name, [MINE], "") for name in ("OpenOrders", "OpenPositions", "ClosePositionsOrders")),
        *((ACCOUNT, name, [MINE], "") for name in ("FullBalance", "MarginData")),
        *((MARKET, name, [MINE, [BTC, BTC]], "") for name in ("TradingData", "Tob", "Summary")),
        *((MARKET, name, [MINE, []], "") for name in ("TradingData", "Tob", "Summary")),
        (MARKET, "Book", [MINE, BTC], ""),
        (MARKET, "Chart", [MINE, f"{BTC}@1M"], ""),
        *((TRADING, name, ["x"], UNAUTHORIZED) for name in ("OpenOrders", "OpenPositions", "ClosePositionsOrders")),
        *((MARKET, name, [BTC, MINE], UNAUTHORIZED) for name in ("Book", "Chart", "TradingData", "Tob", "Summary")),
        (ACCOUNT, "FullBalance", [], COUNT.format("{}", 0, 1)),
        (ACCOUNT, "FullBalance", [MINE, 1], COUNT.format("{}", 2, 1)),
        (MARKET, "Book", [MINE], COUNT.format("{}", 1, 2)),
        *((MARKET, name, [MINE, BTC], BINDING) for name in ("TradingData", "Tob", "Summary")),
        *((MARKET, name, [MINE, 7], BINDING) for name in ("Book", "Chart", "Tob")),
        (MARKET, "Tob", [MINE, [7]], BINDING),
        (MARKET, "Book", [MINE, "x" * 81], SERVER + f"HubException: unknown market '{'x' * 80}'; there are {MARKETS}"),
        (MARKET, "Chart", [MINE, BTC], SERVER + f"HubException: expected market@scale, got '{BTC}'"),
        (MARKET, "Chart", [MINE, "x@1m"], SERVER + f"HubException: unknown market 'x'; there are {MARKETS}"),
        (MARKET, "Chart", [MINE, f"{BTC}@7m"], SERVER + f"HubException: unknown time scale '7m'; there are {SCALES}"),
    ],
)  # fmt: skip
def test_what_each_stream_is_asked_with(path: str, target: str, arguments: list[Any], said: str) -> None:
    client = Venue().came(path)
    client.peer.opened()
    client.peer.receive(HANDSHAKE)
    client.link.sent.clear()
    client.peer.receive(json.dumps({"type": 4, "invocationId": "a", "target": target, "arguments": arguments}) + "\x1e")
    (answer,) = [json.loads(text) for text in b"".join(client.link.sent).split(b"\x1e") if text]
    if said:
        assert answer == {"type": 3, "invocationId": "a", "error": said.format(target)}
    else:
        assert (answer["type"], answer["invocationId"]) == (2, "a")
        if arguments[1:] and isinstance(arguments[1], list):
            rows = answer["item"]["items" if target == "Summary" else "markets"]
            assert [row["marketId"] for row in rows] == list(dict.fromkeys(arguments[1])), "each once"
