"""The simulated B2TRADER: three SignalR hubs, with the market and the account that the other venues have too.

Every HTTP request needs the token, every call the account. A client may negotiate: the id that it gets is good for one
connection, and is forgotten with that. What the document leaves open about figures is in the modules of its streams.
"""

from __future__ import annotations

import re
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from venues.b2trader.simulator.account import AccountData
from venues.b2trader.simulator.garbage import bad_items
from venues.b2trader.simulator.market import MarketData
from venues.simulator.endpoint import Answer
from venues.simulator.hub import HubError, HubPeer, Method, server_error
from venues.simulator.tally import SCALES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venues.simulator.endpoint import Connect, Handshake, Heartbeat, Peer, Serve, Service, Wire
    from venues.simulator.hub import Emit
    from venues.simulator.world import World

_TRADING: Final = "/frontoffice/ws/v4/account"
_ACCOUNT: Final = "/frontoffice/ws/v3/account"
_MARKET: Final = "/marketdata/v5/info"
_NEWEST: Final = 1  # of the versions of negotiation
_INT32: Final = 2**31 - 1
_MOST_IDS: Final = 10_000  # negotiated and not used yet; the oldest are forgotten

_encode: Final = msgspec.json.encode


class B2Trader:
    """The endpoint `/b2trader`, with the streams of its three hubs."""

    name: ClassVar[str] = "b2trader"
    scheme: ClassVar[str] = "ws"
    symbols: ClassVar[Mapping[str, str]] = {
        "spot.btc_usdt": "BTC_USDT",
        "spot.eth_usdt": "ETH_USDT",
        "spot.sol_usdt": "SOL_USDT",
    }
    credentials: ClassVar[Mapping[str, str]] = {
        "token": "sim-b2trader-token",
        "account_id": "64a1f0c2b7d94e0012ab34cd",
    }

    def __init__(self, world: World) -> None:
        names = dict(self.symbols)
        self._market = MarketData(world, names)
        self._account = AccountData(world, self._market.markets, names)
        self._hubs: dict[str, dict[str, Method]] = {
            _TRADING: {
                "OpenOrders": self._of_account("OpenOrders", self._account.orders),
                "OpenPositions": self._of_account("OpenPositions", self._account.positions),
                "ClosePositionsOrders": self._of_account("ClosePositionsOrders", self._account.closed),
            },
            _ACCOUNT: {
                "FullBalance": self._of_account("FullBalance", self._account.balances),
                "MarginData": self._of_account("MarginData", self._account.margin),
            },
            _MARKET: {
                "Book": self._of_market("Book", self._book),
                "Chart": self._of_market("Chart", self._chart),
                "TradingData": self._of_market("TradingData", partial(self._many, "TradingData", self._market.tickers)),
                "Tob": self._of_market("Tob", partial(self._many, "Tob", self._market.quotes)),
                "Summary": self._of_market("Summary", partial(self._many, "Summary", self._market.summaries)),
            },
        }
        self._ids: dict[str, bool] = {}  # the ids given out, and whether a client is connected with each

    def sockets(self) -> Mapping[str, Callable[[Handshake], Answer | Connect]]:
        """The paths of the three hubs; a client needs the token, and an id that is given must be known."""
        return {path: partial(self._admit, methods) for path, methods in self._hubs.items()}

    def posts(self) -> Mapping[str, Callable[[Handshake], Answer]]:
        """The path of the negotiation for each hub."""
        return {f"{path}/negotiate": self._negotiate for path in self._hubs}

    def services(self, serve: Serve, heartbeat: Heartbeat) -> Mapping[str, Service]:
        """No path: no server of another maker answers here."""
        return {}

    @classmethod
    def values(cls, world: World | None) -> dict[str, Any]:
        """Empty: a client's configuration needs nothing of this world."""
        return {}

    def _admit(self, methods: Mapping[str, Method], handshake: Handshake) -> Answer | Connect:
        if not self._knows(handshake):
            return Answer(401, "unauthorized\n")
        given = handshake.query.get("id")
        if given is not None:
            if given not in self._ids:
                return Answer(404, "No Connection with that ID")
            if self._ids[given]:
                return Answer(409, "Another connection is active with that ID")
            self._ids[given] = True

        def connect(link: Wire) -> Peer:
            return HubPeer(link, methods, partial(self._forget, given))

        return connect

    def _negotiate(self, handshake: Handshake) -> Answer:
        if not self._knows(handshake):
            return Answer(401, "unauthorized\n")
        try:
            version = _negotiate_version(handshake.query)
        except ValueError as refused:
            return Answer(200, _encode({"error": str(refused)}).decode(), "application/json")
        answer: dict[str, Any] = {"negotiateVersion": version, "connectionId": secrets.token_urlsafe(16)}
        if version:
            answer["connectionToken"] = secrets.token_urlsafe(16)
        answer["availableTransports"] = [{"transport": "WebSockets", "transferFormats": ["Text"]}]
        self._ids[answer["connectionToken" if version else "connectionId"]] = False
        if len(self._ids) > _MOST_IDS:
            del self._ids[next(known for known, used in self._ids.items() if not used)]
        return Answer(200, _encode(answer).decode(), "application/json")

    def _forget(self, given: str | None) -> None:
        if given is not None:
            self._ids.pop(given, None)

    def _knows(self, handshake: Handshake) -> bool:
        token = self.credentials["token"]
        bearer = handshake.headers.get("Authorization", "")
        return token == handshake.query.get("access_token") or bearer == f"Bearer {token}"

    def _of_account(self, target: str, start: Callable[[Emit], Callable[[], None]]) -> Method:
        def begin(arguments: list[Any], emit: Emit) -> Callable[[], None]:
            (account,) = arguments
            self._check(target, account)
            return start(emit)

        return Method(1, begin, bad_items(target))

    def _of_market(self, target: str, start: Callable[[Any, Emit], Callable[[], None]]) -> Method:
        def begin(arguments: list[Any], emit: Emit) -> Callable[[], None]:
            account, asked = arguments
            self._check(target, account)
            return start(asked, emit)

        return Method(2, begin, bad_items(target))

    def _check(self, target: str, account: object) -> None:
        if account != self.credentials["account_id"]:
            raise HubError(f"Failed to invoke '{target}' because user is unauthorized")

    def _book(self, market_id: object, emit: Emit) -> Callable[[], None]:
        return self._market.book(self._known("Book", market_id), emit)

    def _chart(self, asked: object, emit: Emit) -> Callable[[], None]:
        market, at, scale = _word("Chart", asked).rpartition("@")
        if not at:
            raise server_error("Chart", "HubException", f"expected market@scale, got {asked!a}")
        known = self._known("Chart", market)
        if scale not in SCALES:
            said = f"unknown time scale {scale!a}; there are {', '.join(SCALES)}"
            raise server_error("Chart", "HubException", said)
        return self._market.chart(known, scale, emit)

    def _many(
        self, target: str, start: Callable[[list[str], Emit], Callable[[], None]], asked: object, emit: Emit
    ) -> Callable[[], None]:
        if not isinstance(asked, list):
            raise server_error(target, "InvalidDataException", "Error binding arguments.")
        return start(list(dict.fromkeys(self._known(target, market_id) for market_id in asked)), emit)

    def _known(self, target: str, market_id: object) -> str:
        word = _word(target, market_id)
        if word not in self.symbols:
            said = f"unknown market {word[:80]!a}; there are {', '.join(self.symbols)}"
            raise server_error(target, "HubException", said)
        return word


def _negotiate_version(query: Mapping[str, str]) -> int:
    """The version to answer with: the lower one of the client's and ours.

    Raises:
        ValueError: not a version; in the words of the reference.
    """
    asked = next((value for name, value in query.items() if name.lower() == "negotiateversion"), "0")
    if not re.fullmatch(r"\s*[+-]?[0-9]{1,100}\s*", asked) or abs(int(asked)) > _INT32:
        raise ValueError(f"The client requested an invalid protocol version '{asked[:80]}'")
    if int(asked) < 0:
        raise ValueError(f"The client requested version '{int(asked)}', but the server does not support this version.")
    return min(int(asked), _NEWEST)


def _word(target: str, argument: object) -> str:
    if not isinstance(argument, str):
        raise server_error(target, "InvalidDataException", "Error binding arguments.")
    return argument
