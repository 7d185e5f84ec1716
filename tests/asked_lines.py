"""Command lines whose ends are kept (`tests.answers`): refused ones, and recordings that are played again."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import venues
from cli.main import run

ROOT = Path(__file__).parents[1]
PLAY = "--replay tests/fixtures/{} --speed max"
# Each is wrong before anything is connected to, and in our words: those of the library of options change with it.
OPTIONS = ("", "--every 1s", "-o csv", "--max-age 1s", "--status stderr", "--numbers string", "--raw", "-q")
REFUSED = """
book x
book nexus
book nexus SPOT_BTC_USDT SPOT_ETH_USDT
book nexus BTC/USD
book kraken btc-usd
book kraken SPOT_BTC_USDT
book kraken BTC/USD --precise 10
book kraken BTC/USD --rpi
book kraken BTC/USD --env x
book kraken BTC/USD --group 1 -o jsonl
book kraken BTC/USD --tz UTC -o csv
book kraken BTC/USD ETH/USD -o table
book kraken BTC/USD --once --count 2
book kraken BTC/USD --overwrite
book kraken BTC/USD --append
book kraken BTC/USD --overwrite --append --record x
book kraken BTC/USD --speed 2
book kraken BTC/USD --raw --every 1s
book kraken BTC/USD --raw --max-age 1s
book kraken BTC/USD --raw -o csv
book kraken BTC/USD --raw --numbers string
book kraken BTC/USD --numbers string -o csv
book kraken BTC/USD --replay none.jsonl
book kraken BTC/USD --replay none.jsonl --env sim
book kraken BTC/USD --replay none.jsonl --record x
book kraken BTC/USD --replay none.jsonl --retries 1
book kraken BTC/USD --replay none.jsonl --profile x
book kraken BTC/USD --profile x
book woox BTC
book jayx BTCUSDT --precise x
book jayx btc_usdt
book b2trader spot.btc_usdt --env x
candles kraken BTC/USD --interval 2m
candles kraken BTC/USD --interval x
candles kraken BTC/USD ETH/USD -o table
candles jayx BTCUSDT --interval 7
candles woox SPOT_BTC_USDT --interval 2m
candles nexus SPOT_BTC_USDT --interval 7m
trades nbt
trades b2trader
fills kraken BTC/USD
balance kraken
balance b2trader x
balance b2trader
ping kraken x
ping nexus
signals kraken
signals nbt x
feed nbt x y
feed profitview a b --tail -o csv
feed profitview a --tail --raw
feed kraken
orders nexus
orders jayx
positions nexus
closed nbt
watchlist b2trader
ticker woox
quotes kraken
send nbt
send kraken
send nbt buy
send nbt buy --pair P
send nbt buy --pair P --strategy s --price x
replay none.jsonl
symbols x
symbols jayx
symbols profitview
dash x
dash kraken
dash kraken btc
bot run none.py
sim --fault x
""".strip().splitlines()
PLAYED = """
book jayx BTCUSDT {jayx/book--document.frames.jsonl}
book jayx {jayx/book--bad.frames.jsonl}
book jayx {jayx/book--bad.frames.jsonl} --raw
book jayx {jayx/book--scaled.frames.jsonl} -o csv
book jayx {jayx/book--all-streams.frames.jsonl} --status stderr
book jayx {jayx/book--all-streams.frames.jsonl} --numbers string --count 1
trades jayx {jayx/book--all-streams.frames.jsonl}
quotes jayx {jayx/book--all-streams.frames.jsonl} --once
book jayx {jayx/book--not-found.frames.jsonl}
book jayx {jayx/book--put-out.frames.jsonl}
book jayx {jayx/book--silent.frames.jsonl}
book jayx {jayx/book--refused-socketio-2.frames.jsonl}
book jayx {jayx/book--refused-socketio-4.frames.jsonl} -q
book jayx {jayx/book--document.frames.jsonl} --precise 10
book jayx ETHUSDT {jayx/book--document.frames.jsonl}
book kraken BTC/USD {jayx/book--document.frames.jsonl}
balance jayx {jayx/balance--changes.frames.jsonl}
balance jayx {jayx/balance--changes.frames.jsonl} --every 5s
balance jayx {jayx/balance--changes.frames.jsonl} --once -o csv
candles jayx {jayx/candles--add-closes.frames.jsonl}
candles jayx {jayx/candles--add-closes.frames.jsonl} --interval 5m
balance b2trader {b2trader/balance--document.frames.jsonl} -o csv
balance b2trader {b2trader/balance--refused.frames.jsonl}
book b2trader {b2trader/book--versions.frames.jsonl}
book b2trader {b2trader/book--versions.frames.jsonl} --depth 1 --max-age 1s
candles b2trader {b2trader/candles--next.frames.jsonl} --status stderr
closed b2trader {b2trader/closed--upserts.frames.jsonl}
margin b2trader {b2trader/margin--closed-by-the-hub.frames.jsonl}
orders b2trader {b2trader/orders--empty.frames.jsonl} --once
orders b2trader {b2trader/orders--states.frames.jsonl} --every 1s
orders b2trader {b2trader/orders--states.frames.jsonl} --count 2
positions b2trader {b2trader/positions--bad-item.frames.jsonl}
positions b2trader {b2trader/positions--removal.frames.jsonl} --raw -o jsonl
ping b2trader {b2trader/ping--document.frames.jsonl}
quotes b2trader {b2trader/quotes--document.frames.jsonl} --max-age 1s
ticker b2trader {b2trader/ticker--partial.frames.jsonl}
watchlist b2trader {b2trader/watchlist--document.frames.jsonl} -v
feed nbt {nbt/feed--facts.frames.jsonl}
feed nbt {nbt/feed--facts.frames.jsonl} -o csv --count 2
replay {jayx/book--all-streams.frames.jsonl}
replay {b2trader/orders--states.frames.jsonl} --count 1
""".strip().splitlines()


def refused_lines_asked() -> Iterator[Any]:
    """Command lines that are wrong."""
    for line in REFUSED:
        yield _ended, (line.split(),), {}, f"mon {line}"


def played_lines_asked() -> Iterator[Any]:
    """Command lines that play a recording."""
    for line in PLAYED:
        before, _, rest = line.partition("{")
        file, _, after = rest.partition("}")
        words = [*before.split(), *PLAY.format(file).split(), *after.split()]
        if words[0] == "replay":
            words = [words[0], words[2], *words[3:]]
        yield _ended, (words,), {}, f"mon {line}"


def fixtures_asked(venue: str) -> Iterator[Any]:
    """All recordings of a venue, each played with other options."""
    names = sorted(path.name for path in (ROOT / "tests" / "fixtures" / venue).glob("*.frames.jsonl"))
    for number, name in enumerate(names):
        options = OPTIONS[number % len(OPTIONS)]
        stream = name.partition("--")[0]
        words = [stream, venue, *PLAY.format(f"{venue}/{name}").split(), *options.split()]
        yield _ended, (words,), {}, f"mon {stream} {venue} {{{name}}} {options}"


def _ended(words: list[str]) -> tuple[int, str, str]:
    """The exit code of a command line, and what it wrote to stdout and stderr, in this process."""
    with tempfile.TemporaryDirectory() as home, _environment(home), _written() as (out, err):
        code = run(words)
        sys.stdout.flush()
        sys.stderr.flush()
        said = [_read(file) for file in (out, err)]
    if {"--once", "--count"} & {*words}:  # how far the recording is played by then is chance
        said[1] = "…"
    return code, said[0].replace(home, "~"), said[1].replace(home, "~")


def _read(file: Any) -> str:
    file.seek(0)
    text: str = file.read().decode()
    return text


@contextlib.contextmanager
def _environment(home: str) -> Iterator[None]:
    """A home of its own, and the root of the tree as the folder, so that paths are short."""
    kept, folder, often = dict(os.environ), Path.cwd(), gc.get_threshold()
    plugins = venues._plugins_wanted, venues._while_loading
    for name in [name for name in kept if name.startswith("MON_")]:
        del os.environ[name]
    os.environ.update({"HOME": home, "XDG_CONFIG_HOME": f"{home}/.config", "XDG_CACHE_HOME": f"{home}/.cache"})
    os.environ.update({"COLUMNS": "100", "NO_COLOR": "1", "TZ": "UTC"})
    os.chdir(ROOT)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)
        os.chdir(folder)
        gc.set_threshold(*often)  # a run has it calmed
        venues.look_for_plugins_if(*plugins)


@contextlib.contextmanager
def _written() -> Iterator[tuple[Any, Any]]:
    """What goes to stdout and stderr goes into files, also what Python's own texts write."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        kept, texts = (os.dup(1), os.dup(2)), (sys.stdout, sys.stderr)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding="utf-8", write_through=True)
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding="utf-8", write_through=True)
        try:
            yield out, err
        finally:
            sys.stdout, sys.stderr = texts
            for number, descriptor in enumerate(kept, start=1):
                os.dup2(descriptor, number)
                os.close(descriptor)
