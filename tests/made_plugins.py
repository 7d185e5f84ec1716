"""Distributions that bring venues, made in a folder that goes on `PYTHONPATH`: no network, nothing installed.

`make(folder)` is a whole venue, `acme` of `mon-acme 0.3`: two options of its own, a key, a simulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from tests.command import environment

ENTRY = '''
"""A venue of another package. The entry: what there is, without the session."""

from venues.errors import UsageError
from venues.streams import VenueOption
from venues.venue import BaseVenue, Offer


class Acme(BaseVenue):
    contract = 1
    name = "acme"
    environments = {"production": "wss://acme.example", "beta": "wss://beta.acme.example"}
    secrets = {"key": "the key, for orders only"}
    values = {"region": "where the account is"}
    options = (
        VenueOption("special", "How special the book is.", "HOW"),
        VenueOption("fast", "The book as fast as it goes."),
    )
    streams = {
        "book": Offer("Book", public=True, options=("special", "fast")),
        "trades": Offer("Trade", public=True),
        "orders": Offer("Order", symbols="none"),
    }
    example = "BTC-USD"
    simulator = "mon_acme.simulator:Simulated"
    template = """\\
[venues.acme]
# key_command = ["pass", "show", "acme"]
"""

    def check_symbol(self, symbol):
        if not symbol.isascii() or symbol.count("-") != 1:
            raise UsageError(f'expected a symbol like BTC-USD, got "{symbol}"')

    def routes(self, subscriptions, settings):
        from mon_acme.session import AcmeRoute

        for one in subscriptions:
            if one.options.get("special") == "wrong":
                raise UsageError("expected another --special than wrong")
            if one.options.get("special") == "fault":
                raise ZeroDivisionError("in the entry")
        return [AcmeRoute([one], settings) for one in subscriptions]


ACME = Acme()
'''

SESSION = """
import json
from decimal import Decimal

from venues.records import Book, Level, Trade
from venues.session import BaseRoute, BaseSession
from venues.venue import Dial, StreamState


class AcmeSession(BaseSession):
    venue = "acme"

    def __init__(self, route):
        super().__init__()
        (self._asked,) = route.subscriptions
        self._settings = route.settings

    def dial(self):
        (symbol,) = self._asked.symbols or ("BTC-USD",)
        url = f"{self._settings.url}/ws/{symbol}"
        return Dial(url, url)

    def opened(self, now):
        self.ask("all", now, json.dumps({"stream": self._asked.stream, **self._asked.options}))
        return [StreamState(self._asked.stream, "syncing")]

    def receive(self, frame, now):
        told = json.loads(frame, parse_float=Decimal)
        if self._asked.options.get("special") == "oops":
            raise RuntimeError("in the session")
        if self._asked.stream == "orders":
            return [StreamState("orders", "live")]
        common = {"venue": "acme", "env": self._settings.label, "symbol": self._asked.symbols[0]}
        live = StreamState(self._asked.stream, "live")
        if self._asked.stream == "book":
            bids, asks = ([Level(Decimal(p), Decimal(s)) for p, s in told[side]] for side in ("bids", "asks"))
            return [live, Book(**common, received=now.epoch_ms, bids=bids, asks=asks, extra=told["asked"])]
        trade = {"price": Decimal(told["price"]), "size": Decimal(1), "side": "buy"}
        return [live, Trade(**common, time=now.epoch_ms, received=now.epoch_ms, **trade)]


class AcmeRoute(BaseRoute):
    def session(self, secrets):
        return AcmeSession(self)
"""

SIMULATOR = """
import json


class Simulated:
    name = "acme"
    scheme = "ws"
    symbols = {"BTC-USD": "BTC_USDT", "ETH-USD": "ETH_USDT"}
    credentials = {"key": "sim-acme-key"}

    def __init__(self, world):
        self._world = world

    def sockets(self):
        return {"/ws/{symbol}": lambda handshake: lambda wire: Peer(self._world, wire, handshake.path["symbol"])}

    def posts(self):
        return {}

    def services(self, serve, heartbeat):
        return {}

    @classmethod
    def values(cls, world):
        return {}


class Peer:
    def __init__(self, world, wire, symbol):
        self._market = world.markets[Simulated.symbols[symbol]]
        self._wire = wire
        self._asked = {}

    def opened(self):
        pass

    def receive(self, frame):
        self._asked = json.loads(frame)
        self._tell()
        self._wire.every(0.02, self._tell)

    def _tell(self):
        bids, asks = (self._market.levels(side)[:5] for side in ("buy", "sell"))
        told = {"bids": [[str(one.price), str(one.size)] for one in bids], "asked": self._asked}
        told["asks"] = [[str(one.price), str(one.size)] for one in asks]
        self._wire.send(json.dumps(told | {"price": told["bids"][0][0]}).encode())

    def closed(self):
        pass

    def farewell(self, *, reconnect):
        return b""

    def gap(self):
        pass

    def garbage(self):
        yield b"{"
"""

FILES = {"mon_acme/__init__.py": ENTRY, "mon_acme/session.py": SESSION, "mon_acme/simulator.py": SIMULATOR}


def distribution(folder: Path, name: str, version: str, points: Mapping[str, str], files: Mapping[str, str]) -> None:
    """Write a distribution as an installer leaves it: its modules, its metadata, its entry points."""
    lines = "".join(f"{point} = {where}\n" for point, where in points.items())
    metadata = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    written = {
        f"{metadata.name}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{metadata.name}/entry_points.txt": f"[mon.venues]\n{lines}",
        **{file: dedent(text) for file, text in files.items()},
    }
    for file, text in written.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")


def make(folder: Path, *, entry: str = ENTRY, simulator: str = SIMULATOR) -> None:
    """The venue `acme`, with other text in the place of what is its own."""
    files = FILES | {"mon_acme/__init__.py": entry, "mon_acme/simulator.py": simulator}
    distribution(folder, "mon-acme", "0.3", {"acme": "mon_acme:ACME"}, files)


def changed(before: str, after: str) -> str:
    """The entry of `acme`, with one thing otherwise."""
    assert before in ENTRY, before
    return ENTRY.replace(before, after)


def with_plugins(folder: Path, home: Path, **variables: str) -> dict[str, str]:
    """The environment of a user who has what is in the folder installed beside mon."""
    return environment(home, PYTHONPATH=str(folder), PYTHONDONTWRITEBYTECODE="1", **variables)
