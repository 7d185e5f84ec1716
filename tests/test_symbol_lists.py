"""Lists of symbols that are kept for a day: what Tab offers of them, and what they say of symbols that are unknown."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from cli.run import symbol_lists
from cli.run.source import Embedded
from cli.run.suggestions import either, meant_by, nearest
from cli.settings import symbol_cache
from cli.settings.symbol_cache import LARGEST, LASTS_MS, KnownSymbol, Place, keep, kept, path_of
from tests.bot.conftest import HEAD
from tests.command import environment
from tests.listedvenue import ENTRY, LISTED, Listed
from tests.servers import in_thread, websocket_server
from tests.warmed import STRICT, popen, run
from venues import VENUES
from venues.records import Instrument
from venues.redaction import Redactor
from venues.venue import Offer

ROOT = Path(__file__).parents[1]
ROWS = [["BTC-USD", "BTC", "USD"], ["BTC-EUR", "BTC", "EUR"], ["ETH-USD", "ETH", "USD"], ["BTC-PERP", "BTC", "USD"]]
PLACE = Place("listed", "production", ("wss://a.example", ""))
NOW = 1_800_000_000_000


class Venue:
    """A venue that has the symbols of its list, and sends a trade of each that is asked for."""

    def __init__(self) -> None:
        self.rows = ROWS
        self.lists = True  # else it says nothing when it is asked for its list
        self.asked: list[str] = []

    async def handle(self, socket: Any) -> None:
        async for frame in socket:
            request = json.loads(frame)
            self.asked.append("list" if "list" in request else "subscribe")
            if "list" in request:
                if self.lists:
                    await socket.send(json.dumps({"listed": self.rows}))
                continue
            channel = request["subscribe"]
            for symbol in request["symbols"]:
                if symbol in [row[0] for row in self.rows]:
                    await socket.send(json.dumps({"ack": channel, "symbol": symbol}))
                    quote, trade = {"quote": symbol, "bid": "10"}, {"trade": symbol, "price": "10", "size": "1"}
                    await socket.send(json.dumps(quote if channel == "quotes" else trade))
                else:
                    await socket.send(json.dumps({"no": channel, "symbol": symbol, "why": "not supported"}))


class Mon:
    """Runs `mon` with the venue, as a process with a home of its own."""

    def __init__(self, home: Path, venue: Venue, url: str) -> None:
        self.venue = venue
        self.cache = home / ".cache" / "mon"
        self.file = self.cache / "symbols-listed-production.json"
        self.env = {**environment(home), "MON_LISTED_URL": url}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, STRICT, "-m", "tests.listedvenue", *arguments]

    def __call__(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        done = run(self.command(*arguments), {**self.env, **variables}, cwd=ROOT)
        return done.returncode, done.stdout, done.stderr

    def started(self, *arguments: str) -> subprocess.Popen[str]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return popen(self.command(*arguments), self.env, cwd=ROOT, text=True, **pipes)

    def tab(self, line: str, **variables: str) -> list[str]:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1), "_MON_COMPLETE": "complete_bash"}
        code, out, err = self(**{**words, **variables})
        assert (code, err) == (0, "")
        return out.splitlines()


@pytest.fixture
def mon(tmp_path: Path) -> Iterator[Mon]:
    venue = Venue()
    with in_thread(lambda: websocket_server(venue.handle)) as port:
        yield Mon(tmp_path, venue, f"ws://127.0.0.1:{port}")


def until(there: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not there():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


def instruments(*symbols: str) -> list[Instrument]:
    return [Instrument(venue="listed", symbol=symbol, received=0) for symbol in symbols]


# --- a symbol of the wrong form ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "said"),
    [
        ("BTCUSD", "; did you mean BTC-USD?"),
        ("xyz/usd", "; did you mean XYZ-USD?"),
        ("what", ""),
        ("FAULT", ""),
        ("b" * 70 + "usd", ""),
    ],
)
@pytest.mark.parametrize("command", [("trades", "listed"), ("dash", "listed"), ("bot", "run", "x.py", "--market")])
def test_by_rule_and_nobody_is_asked(command: tuple[str, ...], symbol: str, said: str, mon: Mon) -> None:
    arguments = [*command, f"listed:{symbol}"] if command[0] == "bot" else [*command, symbol]
    code, out, err = mon(*arguments)
    assert (code, out, err) == (2, "", f'mon: expected a symbol like BTC-USD, got "{symbol}"{said}\n')
    assert mon.venue.asked == []


@pytest.mark.parametrize(
    ("symbol", "said"),
    [
        ("BTCUSD", "; did you mean BTC-USD or BTC-PERP?"),
        ("usd/btc", "; did you mean BTC-USD or BTC-PERP?"),
        ("xyz/usd", ""),
        ("eht/usd", "; did you mean ETH-USD?"),
    ],
)
def test_from_the_cache_where_there_is_one(symbol: str, said: str, mon: Mon) -> None:
    assert mon("symbols", "listed")[0] == 0
    asked = list(mon.venue.asked)
    code, _, err = mon("trades", "listed", symbol)
    assert (code, err) == (2, f'mon: expected a symbol like BTC-USD, got "{symbol}"{said}\n')
    assert mon.venue.asked == asked == ["list"]


# --- a symbol that the venue does not have -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbols", "said"),
    [
        (["BTC-USX"], "BTC-USX (not supported); did you mean BTC-USD or BTC-PERP? All that it has: mon symbols listed"),
        (["QQQQ-ZZZ"], "QQQQ-ZZZ (not supported); all that it has: mon symbols listed"),
        (
            ["BTC-USD", "ETC-USD", "BTC-EUX"],
            "ETC-USD, BTC-EUX (not supported); did you mean BTC-USD or ETH-USD instead of ETC-USD; "
            "BTC-EUR instead of BTC-EUX? All that it has: mon symbols listed",
        ),
    ],
)
def test_the_list_is_fetched_for_a_refusal(symbols: list[str], said: str, mon: Mon) -> None:
    code, _, err = mon("trades", "listed", *symbols)
    assert (code, err.splitlines()[-1]) == (4, f"mon: listed refuses trades of {said}")
    assert mon.venue.asked == ["subscribe", "list"]
    assert mon.file.exists(), "what was fetched is kept"


def test_a_refusal_is_told_whatever_becomes_of_the_list(mon: Mon) -> None:
    mon.venue.lists = False
    refused = "mon: listed refuses trades of BTC-USX (not supported)"
    code, _, err = mon("trades", "listed", "BTC-USX", "--timeout", "1s")
    assert (code, err.splitlines()[-1]) == (4, refused)
    mon.venue.lists = True
    assert mon("symbols", "listed")[0] == 0
    mon.venue.lists = False
    code, _, err = mon("trades", "listed", "BTC-USX")
    assert (code, err.splitlines()[-1]) == (
        4,
        f"{refused}; did you mean BTC-USD or BTC-PERP? All that it has: mon symbols listed",
    )


def test_a_refusal_is_not_waited_for_by_who_has_had_enough(mon: Mon) -> None:
    mon.venue.lists = False
    with mon.started("trades", "listed", "BTC-USX") as process:
        until(lambda: "list" in mon.venue.asked)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert time.monotonic() - begun < 2.5, "not as long as the list is waited for"
    assert (process.returncode, err.splitlines()[-1]) == (4, "mon: listed refuses trades of BTC-USX (not supported)")


def test_a_symbol_that_is_listed_and_refused_is_no_matter_of_spelling(mon: Mon) -> None:
    assert mon("symbols", "listed")[0] == 0
    mon.venue.rows = [*ROWS, ["XRP-USD", "XRP", "USD"]]
    known = mon.venue.rows

    async def refuse(socket: Any) -> None:
        async for frame in socket:
            request = json.loads(frame)
            answer = {"listed": known} if "list" in request else {"no": "trades", "symbol": "XRP-USD", "why": "halted"}
            await socket.send(json.dumps(answer))

    with in_thread(lambda: websocket_server(refuse)) as port:
        code, _, err = mon("trades", "listed", "XRP-USD", MON_LISTED_URL=f"ws://127.0.0.1:{port}")
    assert (code, err.splitlines()[-1]) == (4, "mon: listed refuses trades of XRP-USD (halted)")


# --- what a run keeps ----------------------------------------------------------------------------------------------


def test_a_run_keeps_the_list_after_its_first_data(mon: Mon) -> None:
    with mon.started("trades", "listed", "BTC-USD") as process:
        until(mon.file.exists)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert out.count('"type":"trade"') == 1
    assert mon.venue.asked == ["subscribe", "list"]
    assert mon.file.stat().st_mode & 0o777 == 0o600
    assert mon.cache.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in mon.cache.iterdir()] == [mon.file.name]
    assert "127.0.0.1" not in mon.file.read_text()
    assert mon.tab("mon trades listed ") == sorted(row[0] for row in ROWS)
    assert mon("trades", "listed", "BTC-USD", "--duration", "2s")[0] == 0
    assert mon.venue.asked == ["subscribe", "list", "subscribe"], "it is of today"


def test_a_bot_keeps_the_list_too(mon: Mon, tmp_path: Path) -> None:
    script = tmp_path / "bot.py"
    script.write_text(HEAD + "class Signals(Link):\n    def trade_update(self, src, sym, data): pass\n")
    with mon.started("bot", "run", str(script), "--market", "listed:BTC-USD") as process:
        until(mon.file.exists)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[1] == ""
    assert mon.venue.asked == ["subscribe", "list"]
    code, _, err = mon("bot", "run", str(script), "--market", "listed:BTC-USX")
    assert (code, err.splitlines()[-1].partition(";")[2]) == (
        4,
        " did you mean BTC-USD or BTC-PERP? All that it has: mon symbols listed",
    )


def test_the_end_of_a_run_waits_for_no_list(mon: Mon) -> None:
    mon.venue.lists = False
    code, _, err = mon("trades", "listed", "BTC-USD", "--once", "-v")
    assert (code, err, mon.venue.asked) == (0, "", ["subscribe"])
    with mon.started("trades", "listed", "BTC-USD") as process:
        until(lambda: mon.venue.asked.count("list") == 1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert not mon.file.exists()


@pytest.mark.parametrize("what", ["a file is in the way", "it must not be written"])
def test_where_nothing_can_be_kept_nothing_is_said(what: str, mon: Mon) -> None:
    mon.cache.parent.mkdir()
    if what == "a file is in the way":
        mon.cache.write_text("")
    else:
        mon.file.mkdir(parents=True)
    code, out, err = mon("trades", "listed", "BTC-USD", "--duration", "3s")
    assert (code, err, out.count('"trade"')) == (0, "", 1)
    assert mon.venue.asked == ["subscribe", "list"]
    assert mon("symbols", "listed", "-q")[0] == 0
    assert mon.tab("mon trades listed ") == ["BTC-USD"]


def test_a_replay_asks_nobody(mon: Mon, tmp_path: Path) -> None:
    file = str(tmp_path / "r.jsonl")
    assert mon("trades", "listed", "BTC-USD", "--once", "--record", file)[0] == 0
    code, _, err = mon("trades", "listed", "--replay", file, "--duration", "2s")
    assert (code, err) == (0, "")
    assert mon.venue.asked == ["subscribe"]
    assert not mon.file.exists()


class Private(Listed):
    """A venue whose list needs the user's key, since all that it has does."""

    secrets: Mapping[str, str] = {"key": "the key"}
    streams: Mapping[str, Offer] = {"trades": Offer("trades", symbols="many")}


@pytest.mark.parametrize("how", ["value", "command"])
def test_no_program_of_the_user_is_run_for_a_list(
    how: str, mon: Mon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    settings = tmp_path / "c.toml"
    settings.write_text(f'[venues.listed]\nkey_command = ["touch", "{ran}"]\n' if how == "command" else "")
    settings.chmod(0o600)
    for name, value in {**mon.env, "MON_CONFIG": str(settings), "XDG_CACHE_HOME": str(mon.cache.parent)}.items():
        monkeypatch.setenv(name, value)
    if how == "value":
        monkeypatch.setenv("MON_LISTED_KEY", "abcdefghijkl")
    venue = Private()
    monkeypatch.setitem(VENUES, "listed", ENTRY._replace(where=f"{__name__}:PRIVATE"))
    monkeypatch.setattr(sys.modules[__name__], "PRIVATE", venue, raising=False)
    monkeypatch.setattr(symbol_lists, "REFRESHED_AFTER", 0.0)
    asyncio.run(symbol_lists.Lists(None, None, Redactor(), Embedded()).refresh([venue]))
    assert mon.venue.asked == (["list"] if how == "value" else [])
    assert mon.file.exists() is (how == "value")
    assert not ran.exists()


# --- what Tab offers -----------------------------------------------------------------------------------------------


def test_tab_offers_what_is_kept_and_asks_nobody(mon: Mon) -> None:
    assert mon.tab("mon trades listed ") == ["BTC-USD"], "none is known: the example"
    mon.venue.rows = [*ROWS, ["$(touch x)-USD", "", ""], ["-rf", "", ""], ["A;B", "", ""], ["A\x1b[31m", "", ""]]
    assert mon("symbols", "listed")[0] == 0
    assert mon.tab("mon trades listed ") == ["BTC-EUR", "BTC-PERP", "BTC-USD", "ETH-USD"]
    assert mon.tab("mon trades listed BTC-U") == ["BTC-USD"]
    assert mon.tab("mon trades listed BTC-USD BTC-") == ["BTC-EUR", "BTC-PERP"]
    assert mon.tab("mon dash listed E") == ["ETH-USD"]
    assert mon.tab("mon symbols listed E") == ["ETH-USD"]
    assert mon.tab("mon bot run x.py --market listed:BTC-P") == ["listed:BTC-PERP"]
    assert mon.tab("mon trades listed --env beta ") == ["BTC-USD"], "an environment has its own"
    assert mon.tab("mon trades listed ", MON_LISTED_URL="wss://other.example") == ["BTC-USD"], "so has an address"
    assert mon.tab("mon trades listed ", MON_LISTED_URL="nonsense") == ["BTC-USD"]
    assert mon.venue.asked == ["list"]


def test_the_cache_is_where_the_user_says(mon: Mon, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    assert mon("symbols", "listed", XDG_CACHE_HOME=str(elsewhere))[0] == 0
    assert (elsewhere / "mon" / mon.file.name).exists()
    assert mon.tab("mon trades listed E") == []
    assert mon.tab("mon trades listed E", XDG_CACHE_HOME=str(elsewhere)) == ["ETH-USD"]


# --- the file ------------------------------------------------------------------------------------------------------


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert keep(PLACE, instruments("A-USD", "B-USD"), NOW)
    return tmp_path / "mon" / "symbols-listed-production.json"


def test_it_is_of_a_day(cached: Path) -> None:
    for later in (0, LASTS_MS - 1, -1_000):
        assert kept(PLACE, NOW + later) == [KnownSymbol("A-USD"), KnownSymbol("B-USD")]
    for later in (LASTS_MS, -LASTS_MS, -61_000):
        assert kept(PLACE, NOW + later) is None
    assert kept(PLACE._replace(environment="beta"), NOW) is None
    assert kept(PLACE._replace(addresses=("wss://b.example", "")), NOW) is None


def with_symbols(symbols: Any) -> Callable[[bytes], bytes]:
    return lambda content: json.dumps({**json.loads(content), "symbols": symbols}).encode()


@pytest.mark.parametrize(
    "broken",
    [
        lambda content: b"",
        lambda content: content[:-3],
        lambda content: b"\xff" + content,
        lambda content: b"[" * 100_000,
        lambda content: content.replace(b'"version":1', b'"version":2'),
        lambda content: content.replace(b'"at":', b'"at":"x'),
        lambda content: content + b" " * LARGEST,
        with_symbols("A-USD"),
        with_symbols([5]),
        with_symbols([[None]]),
    ],
)
def test_a_broken_file_is_as_none(broken: Callable[[bytes], bytes], cached: Path) -> None:
    cached.write_bytes(broken(cached.read_bytes()))
    assert kept(PLACE, NOW) is None
    assert keep(PLACE, instruments("C-USD"), NOW)
    assert kept(PLACE, NOW) == [KnownSymbol("C-USD")]


def test_hostile_text_in_it_is_left_out(cached: Path) -> None:
    rows = [["A-USD"], [""], ["\x1b[2J"], ["B" * 201], ["C", "\n"], ["D", "D", "\u202e"], ["[b]E[/b]"]]
    cached.write_bytes(with_symbols(rows)(cached.read_bytes()))
    assert kept(PLACE, NOW) == [KnownSymbol("A-USD"), KnownSymbol("[b]E[/b]")]


def test_what_is_no_file_of_ours(cached: Path, tmp_path: Path) -> None:
    cached.chmod(0o644)
    assert kept(PLACE, NOW) is None, "others may read it"
    cached.unlink()
    os.mkfifo(cached, 0o600)
    assert kept(PLACE, NOW) is None, "nobody writes into the pipe"
    cached.unlink()
    cached.mkdir()
    assert kept(PLACE, NOW) is None
    assert not keep(PLACE, instruments("A-USD"), NOW)
    assert [path.name for path in cached.parent.iterdir()] == [cached.name], "nothing is left beside"


def test_a_full_disk_leaves_the_list_before(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(symbol_cache.os, "replace", full)
    assert not keep(PLACE, instruments("C-USD"), NOW)
    assert kept(PLACE, NOW) == [KnownSymbol("A-USD"), KnownSymbol("B-USD")]
    assert [path.name for path in cached.parent.iterdir()] == [cached.name]


def test_what_was_left_behind_is_cleared_away(cached: Path) -> None:
    old, new = (cached.with_name(f"{cached.name}.{name}.part") for name in ("old", "new"))
    for path, at in ((old, NOW / 1000 - 4_000), (new, NOW / 1000 - 5)):
        path.touch()
        os.utime(path, (at, at))
    assert keep(PLACE, instruments("A-USD"), NOW)
    assert new.exists()
    assert not old.exists()


def test_without_a_folder_of_its_own_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: Path("~") / name)  # there is no home
    assert path_of(PLACE) is None
    assert not keep(PLACE, instruments("A-USD"), NOW)
    assert kept(PLACE, NOW) is None
    assert not [*tmp_path.iterdir()]


def _keep_again_and_again(count: int, symbol: str) -> None:
    for _ in range(count):
        assert keep(PLACE, instruments(*[f"{symbol}-{number}" for number in range(2_000)]), round(time.time() * 1000))


def test_several_at_once_write_whole_lists(cached: Path) -> None:
    context = get_context("fork")
    cached.unlink()
    assert keep(PLACE, instruments("A-USD", "B-USD"), round(time.time() * 1000))
    writers = [context.Process(target=_keep_again_and_again, args=(20, symbol)) for symbol in "AB"]
    for writer in writers:
        writer.start()
    sizes = set()
    while any(writer.is_alive() for writer in writers):
        found = kept(PLACE, round(time.time() * 1000))
        assert found is not None
        assert len({one.symbol[0] for one in found}) == 1 or len(found) == 2
        sizes.add(len(found))
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert sizes <= {2, 2_000}
    assert [path.name for path in cached.parent.iterdir()] == [cached.name]


# --- what is meant -------------------------------------------------------------------------------------------------

KNOWN = [
    KnownSymbol(*row)
    for row in (
        ("ADA/USD", "ADA", "USD"), ("BCH/USD", "BCH", "USD"), ("BTC/AUD", "BTC", "AUD"), ("BTC/EUR", "BTC", "EUR"),
        ("BTC/USD", "BTC", "USD"), ("BTC/USDT", "BTC", "USDT"), ("ETH/EUR", "ETH", "EUR"), ("ETH/USD", "ETH", "USD"),
    )
]  # fmt: skip


@pytest.mark.parametrize(
    ("symbol", "rules", "found"),
    [
        ("XBT/USD", ["BTC/USD"], ["BTC/USD"]),
        ("XBT/JPY", ["BTC/JPY"], ["BTC/USD", "BTC/EUR", "BTC/AUD"]),
        ("btc-usd", [], ["BTC/USD"]),
        ("usd_btc", [], ["BTC/USD"]),
        ("BTC", [], ["BTC/USD", "BTC/EUR", "BTC/AUD"]),
        ("BTC/USDX", [], ["BTC/USD", "BTC/USDT"]),
        ("BTCC/USD", [], ["BTC/USD", "BTC/USDT"]),
        ("ETHEUR", [], ["ETH/EUR"]),
        ("", [], []),
        ("///", [], []),
        ("QQQQ/ZZZ", [], []),
    ],
)
def test_the_nearest(symbol: str, rules: list[str], found: list[str]) -> None:
    assert nearest(symbol, KNOWN, rules)[:3] == found


def test_the_pair_finds_other_kinds_of_it() -> None:
    known = [KnownSymbol(f"{kind}_BTC_USDT", "BTC", "USDT") for kind in ("SPOT", "PERP")]
    assert nearest("BTCUSDT", known, ["SPOT_BTC_USDT"]) == ["SPOT_BTC_USDT", "PERP_BTC_USDT"]


def test_words_that_all_have_make_nothing_alike() -> None:
    known = [KnownSymbol(f"SPOT_{base}_USDT", base, "USDT") for base in ("AR", "BTC", "ETH", "QNT", "XRP")]
    assert nearest("SPOT_QQQ_USDT", known) == []
    assert nearest("SPOT_XPR_USDT", known) == ["SPOT_XRP_USDT"]
    assert nearest("SPOT_BTC_USDX", known) == ["SPOT_BTC_USDT"]


def test_what_is_suggested_can_be_asked_for() -> None:
    assert meant_by(LISTED, "btcusd", [KnownSymbol("BTC_USD", "BTC", "USD")]) == []
    assert meant_by(LISTED, "btcusd", None) == ["BTC-USD"]
    assert meant_by(LISTED, "BTC-USD", None) == []


def test_of_many_symbols_those_that_begin_alike_are_compared() -> None:
    known = [KnownSymbol(f"{number:05}X/USDT", f"{number:05}X", "USDT") for number in range(20_000)]
    assert nearest("11234Y/USDT", known)[0] == "11234X/USDT"
    assert nearest("19999x-usdt", known) == ["19999X/USDT"]
    assert nearest("19999X", known) == ["19999X/USDT"]


def test_several_in_words() -> None:
    assert [either("ABC"[:count]) for count in (1, 2, 3)] == ["A", "A or B", "A, B or C"]
