"""Targets of files that a user hands to `mon`: recordings, tapes, the config file, the list of symbols that is kept."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from cli.bot.history import fill, gaps
from cli.bot.hub.held import HeldFile
from cli.bot.market_data import Candles
from cli.bot.plan import MarketName
from cli.settings import config, config_text, symbol_cache
from tests.fuzz.loops import NOW, in_loop
from tests.fuzz.sessions import FIXTURES, LARGEST_CASE
from venues import VENUES, venue_named
from venues.driver import Delivered, Driver
from venues.errors import MonError, SetupError
from venues.made import routes_of
from venues.recording import Recording, play
from venues.redaction import Redactor
from venues.simulator.market_events import Stage
from venues.simulator.player import TapeMarket
from venues.simulator.tape import read_tape, steps_of
from venues.simulator.world_clock import ManualClock
from venues.testing.recordings import cases, written
from venues.venue import Now

SHARED = Path(__file__).parents[2].parent / "shared"  # recordings and cases beside the project, where they are there
MOST_RECORDINGS = 40
MOST_LINES_MORE = 16


@cache
def folder() -> Path:
    """A folder of this process alone, for the files of its cases."""
    made = tempfile.TemporaryDirectory(prefix="mon-fuzz-case-")
    _KEPT.append(made)
    return Path(made.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []  # until the process ends


def file_with(content: bytes, name: str) -> Path:
    """A file with that content, which only we can read; each process has its own."""
    path = folder() / f"{os.getpid()}-{name}"
    path.write_bytes(content)
    path.chmod(0o600)
    return path


# --- what a hub has of scripts

HELD = [
    b'{"hub":"nbt","strategy":"a","held":{"nexus:SPOT_BTC_USDT":"long","woox:SPOT_ETH_USDT":"unknown"}}',
    b'{"hub":"nbt","strategies":{"a":{"nexus:SPOT_BTC_USDT":"short"},"b":{}}}',
]


def held(case: bytes) -> int:
    """A file of `--held` for two scripts: what it says of them, which is the same once it is written again."""
    path = file_with(case, "held.json")
    file = HeldFile(path, ["a", "b"])
    found = {name: file.read("nbt", None, name) for name in "ab"}
    for name, positions in found.items():
        if positions is not None:
            assert file.write(name, positions) is None
    again = HeldFile(path, ["b", "a"])
    assert {name: again.read("nbt", None, name) for name in "ab"} == found
    return sum(len(positions or ()) for positions in found.values())


# --- recordings


def recordings() -> list[bytes]:
    """Our own of all versions, real ones from beside the project, and one that is compressed."""
    folder()  # made once, by the parent, which removes it
    paths = [path for path in cases(FIXTURES) if path.stat().st_size <= LARGEST_CASE // 2]
    found = [path.read_bytes() for path in paths[:: max(1, len(paths) // MOST_RECORDINGS)]]
    shared = [*(SHARED / "recordings").rglob("*.jsonl"), *(SHARED / "cases").glob("*.jsonl")]
    found += [path.read_bytes() for path in sorted(shared) if path.stat().st_size <= LARGEST_CASE]
    found += [_of_version(found[0], version) for version in (1, 2, 3)]
    return [*found, gzip.compress(found[0], mtime=0), found[0] + found[0]]


def _of_version(content: bytes, version: int) -> bytes:
    first, _, rest = content.partition(b"\n")
    return json.dumps({**json.loads(first), "version": version}).encode() + b"\n" + rest


def replayed(case: bytes) -> int:
    """A recording, played as `mon replay` plays it; how many items it delivered."""
    recording = Recording(file_with(case, "recording.jsonl.gz" if case.startswith(b"\x1f\x8b") else "recording.jsonl"))
    drivers: list[Driver] = []
    for one in recording.header.venues():
        venue = venue_named(one.venue)
        routes = routes_of(venue, one.asked_for(), one.settings())
        drivers += [Driver(route, route.subscriptions, venue=venue.name, label="replay") for route in routes]
    count = 0

    async def deliver(items: list[Delivered], now: Now, line: int) -> None:
        nonlocal count
        for item in items:
            written(item)
        count += len(items)

    async def no_sleep(seconds: float) -> None:
        pass

    secrets = {name: f"[{name}]" for name in ("client_key", "token", "api_key", "key")}
    in_loop(play(recording, drivers, speed=1.0, sleep=no_sleep, deliver=deliver, secrets=secrets))
    return count


# --- history of a bot


LINES = b"""{"type":"trade","venue":"nexus","symbol":"SPOT_BTC_USDT","received":1747841759500,"time":1747841759400,\
"price":65000.5,"size":0.1,"side":"buy"}
{"type":"status","venue":"nexus","symbol":"SPOT_BTC_USDT","received":1747841759600,"stream":"trades","state":"live"}
{"type":"trade","venue":"nexus","symbol":"SPOT_BTC_USDT","received":1747841819500,"time":1747841819400,"price":65001,\
"size":1e-7,"side":"sell"}
""".replace(b"\\\n", b"")
CANDLES = b"""{"type":"candle","venue":"nexus","symbol":"SPOT_BTC_USDT","received":1747841759500,"interval":"1m",\
"start":1747841700000,"end":1747841760000,"open":1,"high":3,"low":1,"close":2,"volume":5,"closed":true,"complete":true}
""".replace(b"\\\n", b"")


def histories() -> list[bytes]:
    """Lines of trades and of candles, and recordings."""
    return [LINES, CANDLES, gzip.compress(LINES, mtime=0), *recordings()[:20]]


def remembered(case: bytes) -> int:
    """A file of history, put into a bot's candles; how many words that takes."""
    said: list[str] = []
    market = MarketName("nexus", "SPOT_BTC_USDT")
    path = file_with(case, "history")
    candles = {market: Candles(["1m", "1h", "1d"])}
    used = in_loop(fill(path, candles, said.append, env=None))
    said += gaps(dict.fromkeys(used, path), candles, NOW.epoch_ms)
    return len(said)


# --- tapes


TAPE = b"""{"kind":"tape","market":"skl-usd"}
{"t":1618677817120,"kind":"snapshot","bids":[["0.7901","450.0"],["0.7","1"]],"asks":[["0.7923","7441.5"]]}
{"t":1618677817129,"kind":"delta","seq":1,"bids":[["0.7901","0"]],"asks":[["0.7924","1.5"]]}
{"t":1618677817130,"kind":"trade","price":"0.7923","size":"450","side":"buy"}
"""


def tapes() -> list[bytes]:
    """A small tape, plain and compressed."""
    folder()  # made once, by the parent, which removes it
    return [TAPE, gzip.compress(TAPE, mtime=0)]


def tape(case: bytes) -> int:
    """A tape, read and played from its first line to its last."""
    read = read_tape(file_with(case, "tape"))
    steps = steps_of(read)
    clock = ManualClock()
    market = TapeMarket("BTC_USDT", Stage(clock.epoch_ms()))
    for line in read.lines:
        market.apply(line, clock.epoch_ms())
    return len(market.levels("buy")) + len(market.levels("sell")) + int(steps.tick > 0)


# --- the config file


CONFIG = b"""proxy = "http://proxy.example:3128"
[screen]
palette = "colour-blind"
tz = "Europe/Zurich"
[venues.nexus]
client_key_command = ["pass", "show", "nexus"]
[venues.nexus.staging]
client_key_file = "~/.secrets/nexus-staging"
[venues.b2trader]
url = "wss://trade.broker.example"
account_id = "67d0456f8c7b1108e4cf5d46"
token = "a-token-of-mine"
root_asset = "USD"
[venues.jayx]
api_key = "a-key-of-mine"
[venues.jayx.symbols.BTCUSDT]
tick_size = "0.01"
lot_size = "0.000001"
[profiles.second.venues.b2trader]
account_id = "other"
[bot]
token = "another-token"
"""


def configs() -> list[bytes]:
    """The example, and what `mon config init` writes, also with everything in it switched on."""
    folder()  # made once, by the parent, which removes it
    template = config_text.template(_no_words).encode()
    return [CONFIG, template, *_switched_on(template.decode())]


def _switched_on(template: str) -> Iterator[bytes]:
    """Each part of the template by itself, without the marks of a comment where that is TOML."""
    import tomllib

    for part in template.split("\n\n"):
        text = "\n".join(line.removeprefix("# ") for line in part.splitlines() if "=" in line or line.startswith("["))
        try:
            tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            continue
        yield text.encode()


def _no_words(text: str) -> None:
    pass


def configured(case: bytes) -> int:
    """A config file, and all that is asked of it: how each venue is reached, with each profile, and what is shown."""
    with _variables({"MON_CONFIG": str(file_with(case, "config.toml")), "HOME": str(folder())}):
        loaded = config.load()
        loaded.screen()
        count = 0
        profiles = [None, *list(loaded.data.get("profiles", {}))[:2]]
        for name in VENUES:
            venue = venue_named(name)
            for profile in profiles:
                for environment in (None, *venue.environments):
                    count += _tried(lambda v=venue, e=environment, p=profile: loaded.access(v, e, p))  # type: ignore[misc]
                _tried(lambda v=venue, p=profile: loaded.access_for_symbols(v, None, p))  # type: ignore[misc]
        return count + len(config_text.shown(loaded, _no_words))


def _tried(ask: Callable[[], Any]) -> int:
    """Whether an answer came; what cannot be used is told in an error of ours."""
    try:
        ask()
    except MonError:
        return 0
    return 1


@contextmanager
def _variables(wanted: dict[str, str]) -> Iterator[None]:
    """The environment with those variables, without any other of ours and any proxy."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("MON_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


# --- the list of symbols that is kept


def kept_lists() -> list[bytes]:
    """A list as it is written."""
    folder()  # made once, by the parent, which removes it
    place = symbol_cache.Place("kraken", "production", ("wss://venue.example", ""))
    rows = [["BTC/USD", "BTC", "USD"], ["ETH/USD", "ETH", "USD"]]
    return [
        json.dumps(
            {
                "version": symbol_cache.VERSION,
                "venue": place.venue,
                "environment": place.environment,
                "addresses": symbol_cache._digest(place),
                "at": NOW.epoch_ms,
                "symbols": rows,
            }
        ).encode()
    ]


def kept(case: bytes) -> int:
    """The symbols in a file of the user's cache folder; whatever is wrong with it, there are none."""
    place = symbol_cache.Place("kraken", "production", ("wss://venue.example", ""))
    with _variables({"XDG_CACHE_HOME": str(folder())}):
        path = symbol_cache.path_of(place)
        assert path is not None
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_bytes(case)
        path.chmod(0o600)
        return len(symbol_cache.kept(place, NOW.epoch_ms) or ())


def redacted(case: bytes) -> int:
    """An HTTP answer, a text and a value, with their secrets taken out."""
    redactor = Redactor()
    redactor.learn({"token": "tok/en+of mine-4711"})
    redactor.learn_url("wss://v.example/?key=abc", "wss://v.example/?key=[key]")
    text = case.decode(errors="replace")
    return len(redactor.answer(text)) + len(redactor.text(text)) + len(redactor.value({"a": [text]}))


ANSWERS: Sequence[bytes] = [
    b'{"accessToken":"abcdefgh12345","url":"https://v.example/?access_token=abcdefgh12345"}',
    b"tok/en+of mine-4711 tok%2Fen%2Bof%20mine-4711 tok/en+of m\xe2\x80\xa6 wss://v.example/?key=abc",
]
ERRORS_OF_FILES = (SetupError, MonError)
