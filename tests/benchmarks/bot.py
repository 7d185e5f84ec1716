"""A recording of 5,000 trades a second through a signal bot whose callbacks do nothing.

At full speed: how many trades a second there could be, beside a plain loop over the same lines that makes the same
candles and nothing else (msgspec into structs, floats in a dictionary). At the recording's own speed: how late the last
one is.
"""

from __future__ import annotations

import asyncio
import math
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cli.bot.host import Host
from cli.bot.market_data import LEVELS, MarketName
from cli.bot.plan import BotRequest
from cli.output.lines import Words
from tests.benchmarks.figures import WrongResultError, at_least, at_most, print_head, progress
from tests.bot.recordings import BEGIN, MINUTE, SYMBOL, Tick, record_trades
from venues.redaction import Redactor
from venues.toolkit.candles import start_of

if TYPE_CHECKING:
    from collections.abc import Sequence

RATE = 5_000  # trades a second
TRADES = 25_000
TURNS = 3
# Of the plain loop's trades a second: 1.5 and 2 times what it was before a replay's trades were counted once for all
# levels, and taken all at once (0.07 and 0.07).
ONE_LEVEL, ALL_LEVELS = 0.11, 0.14
LATEST = 0.25  # seconds

SCRIPT = """
from profitview import Link

class Signals(Link):
    {callbacks}
"""


class _Line(msgspec.Struct):
    text: str | None = None


class _Data(msgspec.Struct):
    price: float
    quantity: float


class _Event(msgspec.Struct):
    timestamp: int
    data: _Data


def run() -> None:
    """One level, all levels, and the recording's own pace."""
    ticks = [Tick(BEGIN + number * 1000 // RATE, f"{65_000 + number % 7}", "0.001") for number in range(TRADES)]
    with tempfile.TemporaryDirectory() as folder:
        recording = record_trades(Path(folder) / "trades.jsonl", ticks)
        one = _script(Path(folder) / "one.py", ["1m"])
        every = _script(Path(folder) / "all.py", [*LEVELS])
        best = _beside_a_loop("bot with one candle callback", one, recording, ["1m"], ONE_LEVEL)
        at_least("bot with one candle callback / 5,000 a second", _rate(best), TRADES / best / RATE, 1.0)
        _beside_a_loop("bot with candle callbacks of all 13 levels", every, recording, [*LEVELS], ALL_LEVELS)
        late = min(_seconds(one, recording, 1.0, turn) for turn in range(TURNS)) - TRADES / RATE
        at_most("bot at 5,000 a second, the last one late", f"{late * 1000:.0f} ms", late, LATEST)


def _beside_a_loop(name: str, script: Path, recording: Path, levels: Sequence[str], goal: float) -> float:
    """Both take turns. The result is the bot's shortest time."""
    bots, loops = [], []
    for turn in range(TURNS):
        loops.append(_plain_loop(recording, [LEVELS[level] for level in levels]))
        bots.append(_seconds(script, recording, math.inf, turn))
    at_least(f"{name} / a loop", f"{_rate(min(bots))}, {TRADES / min(loops):,.0f}", min(loops) / min(bots), goal)
    return min(bots)


def _plain_loop(recording: Path, lengths: Sequence[int]) -> float:
    """The seconds that somebody's own loop takes, which makes candles of these lengths of the recording's trades."""
    start = time.perf_counter()
    outer, inner = msgspec.json.Decoder(_Line), msgspec.json.Decoder(_Event)
    candles: dict[tuple[int, int], list[float]] = {}  # open, high, low, close, volume, by length and start
    with recording.open("rb") as lines:
        for line in lines:
            if (text := outer.decode(line).text) is None:
                continue
            event = inner.decode(text)
            at, price, size = event.timestamp, event.data.price, event.data.quantity
            for length in lengths:
                key = length, start_of(at, length)
                candle = candles.get(key)
                if candle is None:
                    candles[key] = [price, price, price, price, size]
                    continue
                if price > candle[1]:
                    candle[1] = price
                elif price < candle[2]:
                    candle[2] = price
                candle[3] = price
                candle[4] += size
    taken = time.perf_counter() - start
    volume = sum(candle[4] for (length, _), candle in candles.items() if length == lengths[0])
    _check_volume(volume)
    return taken


def _check_volume(volume: float) -> None:
    if round(volume, 3) != round(TRADES * 0.001, 3):
        raise WrongResultError(f"the candles have a volume of {volume} from {TRADES} trades of 0.001")


def _script(path: Path, levels: Sequence[str]) -> Path:
    callbacks = "".join(f"def candle_update_{level}(self, src, sym, bars): pass\n    " for level in levels)
    path.write_text(SCRIPT.format(callbacks=callbacks), encoding="utf-8")
    return path


def _seconds(script: Path, recording: Path, speed: float, turn: int) -> float:
    """From the start to the end of a run, loading included."""
    progress(f"{script.stem} level(s), turn {turn + 1}")
    request = BotRequest(script, replay=recording, speed=speed, output="jsonl", quiet=True)

    async def scenario() -> Host:
        host = Host(request, Words(quiet=True), Redactor())
        await host.run()
        return host

    start = time.perf_counter()
    host = asyncio.run(scenario())
    taken = time.perf_counter() - start
    progress("")
    bars = host.candles(MarketName("nexus", SYMBOL)).bars("1m")
    _check_volume(float(bars.volumes[-2:][bars.times[-2:] >= BEGIN - BEGIN % MINUTE].sum()))
    return taken


def _rate(seconds: float) -> str:
    return f"{TRADES / seconds:,.0f} trades/s"


if __name__ == "__main__":
    print_head()
    run()
