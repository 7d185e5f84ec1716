"""A recording of 5,000 trades a second through a signal bot whose callbacks do nothing.

At full speed: how many trades a second there could be. At the recording's own speed: how late the last one is.
"""

from __future__ import annotations

import asyncio
import math
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from cli.bot.host import Host
from cli.bot.market_data import LEVELS, MarketName
from cli.bot.plan import BotRequest
from cli.output.lines import Words
from tests.benchmarks.figures import WrongResultError, at_least, at_most, for_information, print_head, progress
from tests.bot.recordings import BEGIN, MINUTE, SYMBOL, Tick, record_trades
from venues.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Sequence

RATE = 5_000  # trades a second
TRADES = 25_000
TURNS = 3
LATEST = 0.25  # seconds

SCRIPT = """
from profitview import Link

class Signals(Link):
    {callbacks}
"""


def run() -> None:
    """One level, all levels, and the recording's own pace."""
    ticks = [Tick(BEGIN + number * 1000 // RATE, f"{65_000 + number % 7}", "0.001") for number in range(TRADES)]
    with tempfile.TemporaryDirectory() as folder:
        recording = record_trades(Path(folder) / "trades.jsonl", ticks)
        one = _script(Path(folder) / "one.py", ["1m"])
        best = min(_seconds(one, recording, math.inf, turn) for turn in range(TURNS))
        at_least("bot with one candle callback / 5,000 a second", _rate(best), TRADES / best / RATE, 1.0)
        every = min(_seconds(_script(Path(folder) / "all.py", [*LEVELS]), recording, math.inf, 0) for _ in range(1))
        for_information("bot with candle callbacks of all 13 levels", _rate(every))
        late = min(_seconds(one, recording, 1.0, turn) for turn in range(TURNS)) - TRADES / RATE
        at_most("bot at 5,000 a second, the last one late", f"{late * 1000:.0f} ms", late, LATEST)


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
    volume = Decimal(repr(float(bars.volumes[-2:][bars.times[-2:] >= BEGIN - BEGIN % MINUTE].sum())))
    if round(volume, 3) != TRADES * Decimal("0.001"):
        raise WrongResultError(f"the candles have a volume of {volume} from {TRADES} trades of 0.001")
    return taken


def _rate(seconds: float) -> str:
    return f"{TRADES / seconds:,.0f} trades/s"


if __name__ == "__main__":
    print_head()
    run()
