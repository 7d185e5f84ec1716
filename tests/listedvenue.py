"""The tiny venue that acknowledges subscriptions, with a list of its symbols: `python -m tests.listedvenue trades …`.

A client sends `{"list": true}`; the venue answers `{"listed": [["BTC-USD", "BTC", "USD"], …]}`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence

import msgspec

from tests.ackvenue import MOST, AckRoute, Acks, AckSession
from venues import Entry
from venues.errors import UsageError
from venues.records import Instrument, SnapshotEnd
from venues.session import BaseRoute, BaseSession, spread
from venues.venue import Dial, Item, Now, Route, Session, Settings, Subscription, SymbolList


class ListSession(BaseSession):
    venue = "listed"

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._url = settings.url

    def dial(self) -> Dial:
        return Dial(self._url, self._url)

    def opened(self, now: Now) -> list[Item]:
        self._out.append('{"list": true}')
        return []

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        rows = msgspec.json.decode(frame)["listed"]
        found: list[Item] = [
            Instrument(venue="listed", symbol=symbol, base=base, quote=quote, received=0)
            for symbol, base, quote in rows
        ]
        return [*found, SnapshotEnd(venue="listed", stream="symbols", count=len(found), received=0)]


class ListRoute(BaseRoute):
    def session(self, secrets: Mapping[str, str]) -> Session:
        return ListSession(self.settings)


class ListedSession(AckSession):
    venue = "listed"


class ListedRoute(AckRoute):
    def session(self, secrets: Mapping[str, str]) -> Session:
        return ListedSession(self)


class Listed(Acks):
    name = "listed"
    environments: Mapping[str, str] = {"production": "", "beta": "wss://beta.listed.example"}
    example = "BTC-USD"

    def check_symbol(self, symbol: str) -> None:
        if not re.fullmatch(r"[A-Z0-9]+-[A-Z]+", symbol):
            raise UsageError(f'expected a symbol like BTC-USD, got "{symbol}"')

    def routes(self, subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
        return [ListedRoute(some, settings) for some in spread(subscriptions, MOST)]

    def symbol_list(self, settings: Settings) -> SymbolList:
        return ListRoute((), settings)

    def meant(self, symbol: str) -> Sequence[str]:
        if symbol == "FAULT":
            raise ZeroDivisionError
        letters = re.sub(r"\W", "", symbol).upper()
        return [f"{letters[:-3]}-{letters[-3:]}"] if letters.endswith("USD") else []


LISTED = Listed()
ENTRY = Entry("tests.listedvenue:LISTED", " ".join(Listed.streams))


if __name__ == "__main__":
    import venues
    from cli.main import run

    venues.VENUES["listed"] = ENTRY
    sys.exit(run(sys.argv[1:]))
