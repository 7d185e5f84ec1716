"""A tiny venue that acknowledges subscriptions, for tests, and `mon` with it: `python -m tests.ackvenue trades acks A`.

What a client sends: `{"subscribe": channel, "symbols": […], "id": 1, "anew": false}`. What the venue answers: for each
symbol `{"ack": channel, "symbol": "A"}`, or `{"no": channel, "symbol": "A", "why": "…", "slowly": false}`; or once for
a request `{"taken": ["A"], "id": 1}`. What it sends: `{"trade": "A", …}` and `{"quote": "A", …}`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from venues import Entry, records
from venues.errors import UsageError
from venues.session import AcknowledgedSession, BaseRoute, spread
from venues.toolkit.acknowledgements import Request, Taken
from venues.toolkit.numbers import positive
from venues.venue import (
    BadFrame,
    BaseVenue,
    Dial,
    Item,
    Now,
    Offer,
    Route,
    Session,
    Settings,
    StreamState,
    Subscription,
)

MOST = 100  # topics a connection


class AckSession(AcknowledgedSession):
    venue = "acks"

    def __init__(self, route: AckRoute) -> None:
        super().__init__(route.taken, most=10, within=float(route.settings.values.get("within", 10)))
        self._route = route

    def dial(self) -> Dial:
        return Dial(self._route.settings.url, self._route.settings.url)

    def subscribe(self, request: Request) -> None:
        asked = {"subscribe": request.channel, "symbols": request.symbols, "id": request.id, "anew": request.anew}
        self._out.append(msgspec.json.encode(asked).decode())

    def opened(self, now: Now) -> list[Item]:
        return [item for one in self._route.subscriptions for item in self._asked.ask(one.stream, one.symbols, now)]

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        try:
            message: dict[str, Any] = msgspec.json.decode(frame)
        except msgspec.MsgspecError:
            return [BadFrame("no JSON", ("trades",))]
        symbol = message.get("symbol", "")
        if "ack" in message:
            return self._asked.acknowledged(message["ack"], symbol, now)
        if "no" in message:
            slowly = message.get("slowly", False)
            return self._asked.refused(message["no"], symbol, message["why"], now, retry=slowly)
        if "taken" in message:
            return self._asked.answered(message["id"], message["taken"], now)
        return self._data(message, now)

    def _data(self, message: Mapping[str, Any], now: Now) -> list[Item]:
        if "trade" in message and self._asked.is_taken("trades", message["trade"]):
            return [
                records.Trade(
                    venue=self.venue,
                    env=self._route.label,
                    symbol=message["trade"],
                    time=message.get("time"),
                    received=now.epoch_ms,
                    price=positive(message["price"], "price"),
                    size=positive(message["size"], "size"),
                    side="buy",
                    extra={"snapshot": True} if message.get("snapshot") else None,
                )
            ]
        if "quote" in message and self._asked.is_taken("quotes", message["quote"]):
            symbol = message["quote"]
            quote = records.Quote(
                venue=self.venue,
                env=self._route.label,
                symbol=symbol,
                received=now.epoch_ms,
                bid_price=positive(message["bid"], "bid"),
            )
            return [StreamState("quotes", "live", symbol=symbol), quote]
        return []


class AckRoute(BaseRoute):
    def __init__(self, subscriptions: Sequence[Subscription], settings: Settings) -> None:
        super().__init__(subscriptions, settings)
        self.taken = Taken()

    def session(self, secrets: Mapping[str, str]) -> Session:
        return AckSession(self)


class Acks(BaseVenue):
    name = "acks"
    environments: Mapping[str, str] = {"production": ""}
    values: Mapping[str, str] = {"within": "seconds in which the venue acknowledges a subscription"}
    example = "A"
    streams: Mapping[str, Offer] = {
        "trades": Offer("trades", symbols="many", public=True),
        "quotes": Offer("quotes", symbols="many", public=True),
        "ticker": Offer("ticker", symbols="many", public=True, once_within=0.4),
        "candles": Offer("trades", symbols="many", public=True, made_from="trades"),
    }

    def check_symbol(self, symbol: str) -> None:
        if not symbol.isalnum():
            raise UsageError(f'expected letters and digits, got "{symbol}"')

    def routes(self, subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
        return [AckRoute(some, settings) for some in spread(subscriptions, MOST)]


ACKS = Acks()


def known(register: Callable[[str, Entry], None]) -> None:
    """Enter the venue into a registry."""
    register("acks", Entry("tests.ackvenue:ACKS", " ".join(Acks.streams)))


if __name__ == "__main__":
    import venues
    from cli.main import run

    known(venues.VENUES.__setitem__)
    sys.exit(run(sys.argv[1:]))
