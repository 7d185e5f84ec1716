"""Venues of other packages: what works with them, and what becomes of broken ones, through the real command line."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command import MON, SYMBOL, mon, records, started
from tests.completions.support import ask
from tests.made_plugins import ENTRY, SIMULATOR, changed, distribution, make, with_plugins
from tests.test_terminal import Terminal, show  # noqa: F401  a fixture
from venues import VENUES, venues_with

SIM = ("--env", "sim")
BOOK = ("book", "acme", "BTC-USD", *SIM, "--count", "1")
HOW_TO_GO_ON = "; install another version of it, or set MON_PLUGINS=0 to do without plug-ins"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where distributions are."""
    (tmp_path / "site").mkdir()
    return tmp_path / "site"


@pytest.fixture
def env(folder: Path, tmp_path: Path) -> dict[str, str]:
    return with_plugins(folder, tmp_path)


# --- a sound one ---------------------------------------------------------------------------------------------------


def test_a_stream_of_a_plugin_at_its_simulator(folder: Path, env: dict[str, str]) -> None:
    make(folder)
    done = mon(*BOOK, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = records(done.stdout)
    assert (line["type"], line["venue"], line["env"], line["symbol"]) == ("book", "acme", "sim", "BTC-USD")


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (("book", "acme", "BTC-USD", "--special", "3"), {"special": "3"}),
        (("book", "acme", "--special=3", "BTC-USD"), {"special": "3"}),
        (("book", "--special", "3", "acme", "BTC-USD", "--fast"), {"special": "3", "fast": "true"}),
        (("book", "--special", "nexus", "acme", "BTC-USD"), {"special": "nexus"}),
        (("book", "--special", "acme", "acme", "BTC-USD"), {"special": "acme"}),
        (("book", "--fast", "acme", "BTC-USD"), {"fast": "true"}),
        (("book", "--depth", "3", "acme", "BTC-USD"), {}),
    ],
)
def test_its_own_options_stand_anywhere(
    words: tuple[str, ...], extra: dict[str, str], folder: Path, env: dict[str, str]
) -> None:
    make(folder)
    done = mon(*words, *SIM, "--count", "1", env=env)
    assert done.returncode == 0, done.stderr
    assert records(done.stdout)[0]["extra"] == {"stream": "book", **extra}


def test_an_option_of_a_built_in_venues_name_is_the_venues_own(folder: Path, env: dict[str, str]) -> None:
    entry = changed('"fast", "The', '"precise", "The').replace('"special", "fast"', '"special", "precise"')
    make(folder, entry=entry)
    done = mon("book", "acme", "--precise", "BTC-USD", *SIM, "--count", "1", env=env)
    assert records(done.stdout)[0]["extra"] == {"stream": "book", "precise": "true"}
    assert mon("book", "jayx", "--precise", "10", "BTCUSDT", *SIM, "--count", "1", env=env).returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("book", "nexus", SYMBOL, "--special", "3"), "No such option: --special"),
        (("book", "--special", "3", "nexus", SYMBOL), "No such option: --special"),
        (("book", "--special", "acme", "nexus", SYMBOL), "No such option: --special"),
        (("trades", "acme", "BTC-USD", "--special", "3"), "No such option: --special"),
        (("book", "acme", "BTC-USD", "--precise", "3"), "--precise does not apply to book of acme"),
        (("book", "nexus", SYMBOL, "--precise", "3"), "--precise does not apply to book of nexus"),
        (("trades", "jayx", "BTCUSDT", "--precise", "3"), "No such option: --precise"),
        (("book", "acme", "BTC-USD", "--special"), "Option '--special' requires an argument"),
        (("book", "acme", "BTC-USD", "--special", "wrong"), "expected another --special than wrong"),
        (("book", "acme", "BTCUSD"), "expected a symbol like BTC-USD"),
        (("ticker", "acme", "BTC-USD"), "acme has no stream ticker; it has: book, trades, orders"),
        (("book", "acme", "BTC-USD", "--env", "x"), "environments of acme (production, beta, sim)"),
        (("book", "nowhere", "X"), f'expected a venue ({", ".join(VENUES)}, acme), got "nowhere"'),
    ],
)
def test_what_does_not_fit_is_a_usage_error(
    words: tuple[str, ...], said: str, folder: Path, env: dict[str, str]
) -> None:
    make(folder)
    done = mon(*words, env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_its_options_are_in_the_help_once_it_is_named(folder: Path, env: dict[str, str]) -> None:
    make(folder)
    section = mon("book", "acme", "--help", env=env).stdout.partition("Options of single venues:\n")[2]
    assert "  --special HOW   acme: How special the book is.\n  --fast          acme: The book as" in section
    assert "--special" not in mon("trades", "acme", "--help", env=env).stdout
    of_all = mon("book", "--help", env=env).stdout
    assert "--special" not in of_all
    assert re.search(r"Options of single venues:\n  --precise STEP +jayx: How many ticks", of_all)
    assert "single venues" not in mon("trades", "--help", env=env).stdout


def test_mon_venues_names_the_distribution(folder: Path, env: dict[str, str]) -> None:
    make(folder)
    text = re.sub("  +", "  ", mon("venues", env=env).stdout)
    assert text.splitlines()[0].split() == ["stream", "kind", *VENUES, "acme"]
    assert "acme: production, beta, sim\n" in text
    assert "options of single venues:\n--precise STEP  jayx (book)  How many ticks are one level; 1 " in text
    assert text.endswith("""\
--special HOW  acme (book)  How special the book is.
--fast  acme (book)  The book as fast as it goes.
from other packages:
acme  mon-acme 0.3
""")
    lines = records(mon("venues", "-o", "jsonl", env=env).stdout)
    acme = [line for line in lines if line["venue"] == "acme"]
    assert [(line["stream"], line["distribution"]) for line in acme] == [
        ("book", "mon-acme 0.3"),
        ("trades", "mon-acme 0.3"),
        ("orders", "mon-acme 0.3"),
    ]
    assert acme[0]["options"] == ["special", "fast"]
    assert "options" not in acme[1]
    assert not any("distribution" in line for line in lines if line["venue"] != "acme")


def test_a_recording_keeps_what_it_was_asked_with(folder: Path, env: dict[str, str], tmp_path: Path) -> None:
    make(folder)
    file = str(tmp_path / "acme.jsonl")
    made = mon("book", "acme", "BTC-USD", *SIM, "--special", "3", "--count", "2", "--record", file, env=env)
    assert made.returncode == 0, made.stderr
    for words in (
        ("replay", file),
        ("replay", file, "--special", "3"),
        ("replay", "--special", "3", file),
        ("book", "acme", "BTC-USD", "--replay", file),
        ("book", "acme", "--special", "3", "--replay", file),
    ):
        played = mon(*words, "--speed", "max", env=env)
        assert played.returncode == 0, played.stderr
        assert [line["extra"]["special"] for line in records(played.stdout) if line["type"] == "book"][:2] == ["3", "3"]
    for words, said in (
        (("replay", file, "--special", "4"), f"{file} was recorded with --special 3"),
        (("book", "acme", "--special", "4", "--replay", file), f"{file} was recorded with --special 3"),
        (("book", "acme", "--fast", "--replay", file), f"{file} was recorded with no --fast"),
        (("replay", file, "--precise", "4"), "--precise does not apply to book of acme"),
        (("replay", file, "--none-such", "4"), "No such option: --none-such"),
    ):
        refused = mon(*words, "--speed", "max", env=env)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert said in refused.stderr
    without = mon("replay", file, env=env | {"MON_PLUGINS": "0"})
    assert without.returncode == 2
    assert "plug-ins are switched off by MON_PLUGINS=0" in without.stderr


def test_a_recording_with_a_flag(folder: Path, env: dict[str, str], tmp_path: Path) -> None:
    make(folder)
    file = str(tmp_path / "acme.jsonl")
    assert mon(*BOOK, "--fast", "--record", file, env=env).returncode == 0
    assert mon("replay", file, "--fast", "--speed", "max", env=env).returncode == 0
    refused = mon("replay", file, "--special", "1", env=env)
    assert "was recorded with no --special" in refused.stderr


def test_a_bot_on_its_market(folder: Path, env: dict[str, str], tmp_path: Path) -> None:
    make(folder)
    script = tmp_path / "bot.py"
    script.write_text(
        "from profitview import Link\n\n\nclass Signals(Link):\n"
        "    def trade_update(self, src, sym, data):\n"
        "        self.signal(src, sym, size=1)\n",
        encoding="utf-8",
    )
    done = mon("bot", "run", str(script), "--market", "acme:BTC-USD", *SIM, "--count", "1", "-o", "jsonl", env=env)
    assert done.returncode == 0, done.stderr
    assert records(done.stdout)[0]["symbol"] == "BTC-USD"
    refused = mon("bot", "run", str(script), "--market", "nowhere:X", env=env)
    assert (refused.returncode, ", acme) in --market" in refused.stderr) == (2, True)
    assert all(f"{name}, " in refused.stderr for name in VENUES)


def test_nothing_is_sent_to_one_that_takes_no_signals(folder: Path, env: dict[str, str]) -> None:
    make(folder)
    refused = mon("send", "acme", "buy", "--yes", env=env)
    assert (refused.returncode, refused.stderr) == (2, 'mon: expected a venue that takes signals (nbt), got "acme"\n')


def test_its_dashboard(folder: Path, env: dict[str, str], show: Callable[..., Terminal]) -> None:  # noqa: F811
    make(folder)
    terminal = show("dash", "acme", "BTC-USD", *SIM, env=env)
    terminal.until(lambda: "spread" in terminal.text() and "BTC-USD" in terminal.screen.display[0])
    terminal.press("q")
    assert terminal.ended() == 0


def test_mon_sim_runs_its_simulator_too(folder: Path, env: dict[str, str]) -> None:
    make(folder)
    exports = mon("sim", "--show-env", "--port", "4711", env=env).stdout
    assert "export MON_ACME_URL=ws://127.0.0.1:4711/acme\nexport MON_ACME_KEY=sim-acme-key\n" in exports
    with started("sim", env=env) as process:
        assert process.stdout is not None
        address = next(line for line in process.stdout if "MON_ACME_URL" in line).strip().partition("=")[2]
        example = next(line for line in process.stdout if line.startswith("# acme"))
        assert example == "# acme: BTC-USD ETH-USD, e.g. mon book acme BTC-USD\n"
        done = mon("book", "acme", "BTC-USD", "--count", "1", env=env | {"MON_ACME_URL": address})
        assert done.returncode == 0, done.stderr
        process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("mon book ", [*venues_with("book"), "acme"]),
        ("mon dash a", ["acme"]),
        ("mon symbols a", ["acme"]),
        ("mon symbols acme --env ", ["production", "beta", "sim"]),
        ("mon book acme ", ["BTC-USD", "ETH-USD"]),
        ("mon dash acme ", ["BTC-USD", "ETH-USD"]),
        ("mon ticker acme ", []),
        ("mon book acme BTC-USD --sp", ["--speed", "--special"]),
        ("mon trades acme BTC-USD --sp", ["--speed"]),
        ("mon book acme --env ", ["production", "beta", "sim"]),
        ("mon book nexus --sp", ["--speed"]),
        ("mon book nexus --pre", []),
        ("mon book --pre", []),
        ("mon book jayx --pre", ["--precise"]),
        ("mon book --precise 3 jayx B", ["BTCUSDT"]),
    ],
)
def test_tab(line: str, offered: list[str], folder: Path, env: dict[str, str]) -> None:
    make(folder)
    answer = ask("bash", line, len(line.split(" ")) - 1, PYTHONPATH=str(folder))
    assert (answer.returncode, answer.stderr, answer.stdout.split()) == (0, "", offered)


# --- its symbols and its second address ----------------------------------------------------------------------------

LISTED = """
    rest = {"production": "https://rest.acme.example", "beta": "https://rest.beta.acme.example"}

    def symbol_list(self, settings):
        from venues.records import Instrument

        return [Instrument(venue="acme", symbol="BTC-USD", received=0)]
        yield

"""


def with_list(lines: str = LISTED) -> str:
    return changed("\n    def check_symbol", lines + "    def check_symbol")


def test_its_symbols(folder: Path, env: dict[str, str]) -> None:
    make(folder)
    done = mon("symbols", "acme", *SIM, env=env)
    assert [line["symbol"] for line in records(done.stdout)] == ["BTC-USD", "ETH-USD"], "the simulator's markets"
    done = mon("symbols", "acme", env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert "acme has no list of its symbols" in done.stderr
    make(folder, entry=with_list())
    done = mon("symbols", "acme", "btc", env=env)
    assert [line["symbol"] for line in records(done.stdout)] == ["BTC-USD"], done.stderr
    assert not (Path(env["HOME"]) / ".cache").exists(), "what the venue was not asked for is not kept"
    answer = ask("bash", "mon book acme ", 3, PYTHONPATH=str(folder))
    assert (answer.stderr, answer.stdout.split()) == ("", ["BTC-USD"])
    said = 'mon: expected a symbol like BTC-USD, got "btcusd"'
    done = mon("book", "acme", "btcusd", env=env)
    assert (done.returncode, done.stderr) == (2, f"{said}; did you mean BTC-USD?\n")
    make(folder, entry=with_list(LISTED + "    def meant(self, symbol):\n        return 1 / 0\n\n"))
    assert mon("book", "acme", "btcusd", env=env).stderr == f"{said}; did you mean BTC-USD?\n"
    make(folder, entry=with_list(LISTED.replace("return [", "return 1 / 0 or [")))
    assert mon("book", "acme", "btcusd", env=env).stderr == f"{said}\n", "the list's fault does not hide it"


@pytest.mark.parametrize(
    ("lines", "code", "said"),
    [
        (LISTED.replace("return [", "return 1 / 0 or ["), 1, "a fault of the venue acme (mon-acme 0.3)"),
        (LISTED.replace('[Instrument(venue="acme", symbol="BTC-USD", received=0)]', "7"), 5, "got int"),
        (LISTED.replace('[Instrument(venue="acme", symbol="BTC-USD", received=0)]', "[7]"), 5, "got int"),
        (LISTED.replace("        yield\n", ""), 5, "got list"),
        (LISTED.replace("        from", "        yield 7\n        from"), 5, "expected an HTTP request, got int"),
    ],
)
def test_its_symbols_when_they_are_broken(lines: str, code: int, said: str, folder: Path, env: dict[str, str]) -> None:
    make(folder, entry=with_list(lines))
    done = mon("symbols", "acme", env=env)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_its_second_address(folder: Path, env: dict[str, str]) -> None:
    make(folder, entry=with_list())
    done = mon("book", "acme", "BTC-USD", env={**env, "MON_ACME_URL": "ws://127.0.0.1:1"})
    assert (done.returncode, done.stdout) == (3, "")
    assert "set MON_ACME_REST_URL too" in done.stderr
    checked = mon("config", "check", env={**env, "MON_ACME_URL": "ws://a.invalid"}).stdout
    assert "only one is set (MON_ACME_URL)" in checked
    assert "requests: https://rest.acme.example (built in)" in mon("config", "check", env=env).stdout


# --- what is looked up when ----------------------------------------------------------------------------------------


def test_nothing_is_imported_that_is_not_asked_for(folder: Path, env: dict[str, str], tmp_path: Path) -> None:
    seen = tmp_path / "imported"
    make(folder, entry=f"open({str(seen)!r}, 'w').close()\n" + ENTRY)
    recording = next(Path("tests/fixtures/nexus").glob("trades--*.frames.jsonl"))
    for words in (
        ("--help",),
        ("book", "--help"),
        ("book", "nexus", "--help"),
        ("config", "--help"),
        ("trades", "nexus", "--replay", str(recording), "--speed", "max"),
        ("book", "nowhere", "X"),
        ("schema", "book"),
        ("config", "path"),
    ):
        mon(*words, env=env)
        assert not seen.exists(), words
    for line in ("mon ", "mon book ", "mon book nexus ", "mon dash "):
        assert ask("bash", line, len(line.split(" ")) - 1, PYTHONPATH=str(folder)).returncode == 0
        assert not seen.exists(), line
    mon("book", "acme", "--help", env=env)
    assert seen.exists()


def test_help_start_up_and_built_in_venues_look_up_nothing(folder: Path, env: dict[str, str]) -> None:
    recording = next(Path("tests/fixtures/nexus").glob("trades--*.frames.jsonl"))
    for words in (["--help"], ["book", "--help"], ["trades", "nexus", "--replay", str(recording), "--speed", "max"]):
        code = f"import cli.main, sys; cli.main.run({words!r}); print(sorted(sys.modules), file=sys.stderr)"
        done = subprocess.run(
            [MON.with_name("python"), "-c", code], env=env, capture_output=True, text=True, timeout=60, check=True
        )
        assert "'venues'" in done.stderr
        for name in ("venues.plugins", "venues.plugin_check"):
            assert f"'{name}'" not in done.stderr, (words, name)


def test_plugins_are_switched_off(folder: Path, env: dict[str, str]) -> None:
    make(folder)
    off = env | {"MON_PLUGINS": "0"}
    done = mon(*BOOK, env=off)
    assert done.returncode == 2
    assert done.stderr == (
        f'mon: expected a venue ({", ".join(VENUES)}), got "acme"; plug-ins are switched off by MON_PLUGINS=0\n'
    )
    assert "acme" not in mon("venues", env=off).stdout
    assert "acme" not in mon("sim", "--show-env", "--port", "1", env=off).stdout
    assert "acme" not in ask("bash", "mon book ", 2, PYTHONPATH=str(folder), MON_PLUGINS="0").stdout
    assert mon(*BOOK, env=env | {"MON_PLUGINS": "1"}).returncode == 0
    for words in (BOOK, ("venues",)):
        wrong = mon(*words, env=env | {"MON_PLUGINS": "off"})
        assert (wrong.returncode, wrong.stdout) == (3, "")
        assert "expected MON_PLUGINS=0 (no venues of other packages) or 1, got 'off'" in wrong.stderr
    assert ask("bash", "mon book n", 2, PYTHONPATH=str(folder), MON_PLUGINS="off").stdout == "nexus\n"


# --- broken ones ---------------------------------------------------------------------------------------------------

CANNOT_BE_LOADED = "the venue acme of mon-acme 0.3 cannot be loaded: "
CANNOT_BE_USED = "the venue acme of mon-acme 0.3 cannot be used: "
BROKEN = {
    "no such module": ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
    "import error": ('raise ImportError("gone")\n', "ImportError: gone"),
    "no Python": ("class\n", "SyntaxError: invalid syntax (__init__.py, line 1)"),
    "exits": ("import sys\nsys.exit(7)\n", "SystemExit: 7"),
    "any exception": ('raise ValueError("a\\n\\x1b[2Jb" + "c" * 500)\n', "ValueError: a �[2Jbccc"),
    "no exception even": ("class Odd(BaseException): pass\nraise Odd\n", "Odd"),
    "without its object": ("ENTRY = 1\n", "expected ACME in the module mon_acme, which has no such name"),
    "text": ('ACME = "acme"\n', "expected a venue made from venues.venue.BaseVenue, got a str"),
    "a class": (
        changed("ACME = Acme()", "ACME = Acme"),
        "expected a venue, got the class Acme; make one of it: Acme()",
    ),
    "half of it": (changed("    def check_symbol", "    def check_it"), "TypeError: Can't instantiate abstract class"),
    "version": (
        changed("contract = 1", "contract = 2"),
        "made for version 2 of the contract of venues, and this mon has 1",
    ),
    "no version": (changed("contract = 1", ""), "expected the version of the contract, contract = 1, got none"),
    "version of text": (changed("contract = 1", 'contract = "1"'), "expected the version of the contract"),
    "version of another": ("class A:\n    contract = 7\nACME = A()\n", "it is made for version 7 of the contract"),
    "another name": (changed('name = "acme"', 'name = "other"'), 'expected "acme" as name, as the entry point has it'),
    "no streams": (changed("    streams = {", "    offers = {"), "expected streams, which every venue has, got none"),
    "streams": (
        changed('"trades": Offer("Trade", public=True)', '"trades": "Trade"'),
        "an Offer for trades, got a str",
    ),
    "a stream": (changed('"trades": Offer', '"news": Offer'), "expected streams of the contract (book, trades,"),
    "symbols": (changed('symbols="none"', 'symbols="all"'), "expected none, one, many or any as symbols of orders"),
    "an option of mon": (changed('"special", "How', '"depth", "How'), "the option --depth is one that mon itself has"),
    "its form": (changed('"special", "How', '"--special", "How'), "expected an option's name such as special-price"),
    "a short one": (changed('"special", "How', '"s", "How'), "expected an option's name such as special-price"),
    "options": (changed('VenueOption("fast", "The book as fast as it goes.")', '"fast"'), "a VenueOption in options"),
    "an undeclared option": (changed('VenueOption("fast", "The book as fast as it goes."),', ""), "got fast"),
    "an unused option": (changed('options=("special", "fast")', 'options=("special",)'), "got it in none"),
    "addresses": (changed('"wss://acme.example"', "7"), "expected texts of one line in environments, got an int"),
    "a plain address": (changed('"wss://acme', '"ws://acme'), "one without TLS is for this machine"),
    "another address": (changed('"wss://acme.example"', '"acme.example"'), "an address such as wss://host.example"),
    "a port": (changed('"wss://acme.example"', '"wss://acme.example:99999"'), "an address such as wss://host.example"),
    "a query": (changed('"wss://acme.example"', '"wss://acme.example?a=b"'), "an address such as wss://host.example"),
    "a user": (changed('"wss://acme.example"', '"wss://a:b@acme.example"'), "an address such as wss://host.example"),
    "two words": (changed('"wss://acme.example"', '"wss://acme example"'), "an address such as wss://host.example"),
    "brackets": (changed('"wss://acme.example"', '"wss://[acme.example"'), "an address such as wss://host.example"),
    "once_within": (
        changed('"Trade", public=True', '"Trade", public=True, once_within=1e300'),
        "expected seconds above 0, at most a day, as once_within of trades, got 1e+300",
    ),
    "requests_per_second": (
        changed("    values =", "    requests_per_second = 10**400\n    values ="),
        "expected a number above 0, at most 10,000, as requests_per_second, got 1000",
    ),
    "made of what it has not": (
        changed('"trades": Offer("Trade", public=True)', '"candles": Offer("", made_from="trades")'),
        "expected candles made from the venue's trades, got candles from 'trades'",
    ),
    "its environment": (changed('"beta":', '"sim":'), "expected an environment's name such as staging, got 'sim'"),
    "rest": (changed("    secrets =", '    rest = {"gamma": ""}\n    secrets ='), "environments has too, got gamma"),
    "rest in part": (
        changed("    secrets =", '    rest = {"production": ""}\n    secrets ='),
        "expected an address in rest for each environment (\"\": the user's to set), got none for beta",
    ),
    "secrets": (changed('{"key": ', '{"url": '), "the name of a secret or a value, such as api_key, got 'url'"),
    "values": (changed('{"region": ', '{"key": '), "expected key as a secret or as a value, got both"),
    "required": (changed("    values =", '    required = ("x",)\n    values ='), "names of values in required, got x"),
    "its simulator": (changed('"mon_acme.simulator:Simulated"', '"simulator"'), "expected module:Class as simulator"),
    "its template": (
        changed("[venues.acme]", "[venues.nexus]"),
        "only the table [venues.acme] in template, got others",
    ),
    "its template's names": (
        changed("[venues.acme]", "[venues.acme]\ncolour = 1"),
        "expected known names in template, got colour in [venues.acme]",
    ),
    "its template's environment": (
        changed("[venues.acme]", "[venues.acme.beta]\nbeta = 1"),
        "expected known names in template, got beta in [venues.acme.beta]",
    ),
    "its example": (changed('"BTC-USD"\n', '"BTCUSD"\n'), "expected an example that check_symbol passes, got 'BTCUSD'"),
    "raises when asked": (
        changed('    example = "BTC-USD"', "    @property\n    def example(self):\n        return 1 / 0"),
        "ZeroDivisionError: division by zero",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_one_when_it_is_asked_for(kind: str, folder: Path, env: dict[str, str]) -> None:
    entry, said = BROKEN[kind]
    make(folder, entry=entry)
    done = mon(*BOOK, env=env)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith((f"mon: {CANNOT_BE_LOADED}", f"mon: {CANNOT_BE_USED}"))
    assert said in done.stderr
    assert done.stderr.endswith(f"{HOW_TO_GO_ON}\n")
    assert done.stderr.count("\n") == 1


WITH_A_FEW = pytest.mark.parametrize("kind", ["import error", "exits", "text", "version", "no exception even"])


@WITH_A_FEW
def test_a_broken_one_where_all_are_listed(kind: str, folder: Path, env: dict[str, str]) -> None:
    entry, said = BROKEN[kind]
    make(folder, entry=entry)
    for words in (
        ("venues",),
        ("venues", "-o", "jsonl"),
        ("config", "show"),
        ("config", "check"),
        ("config", "init"),
        ("sim", "--show-env", "--port", "4711"),
    ):
        without = mon(*words, env=env | {"MON_PLUGINS": "0"})
        Path(env["HOME"], ".config/mon/config.toml").unlink(missing_ok=True)
        done = mon(*words, env=env)
        Path(env["HOME"], ".config/mon/config.toml").unlink(missing_ok=True)
        assert (done.returncode, done.stdout) == (without.returncode, without.stdout)
        assert (done.stderr.count("\n"), said in done.stderr, "mon-acme 0.3" in done.stderr) == (1, True, True)
        assert "Traceback" not in done.stderr


@WITH_A_FEW
def test_a_broken_one_says_nothing_elsewhere(kind: str, folder: Path, env: dict[str, str]) -> None:
    make(folder, entry=BROKEN[kind][0])
    done = mon("book", "nexus", SYMBOL, *SIM, "--count", "1", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    for line, offered in (
        ("mon book a", ["acme"]),
        ("mon book acme ", []),
        ("mon dash acme ", []),
        ("mon book acme B --spe", ["--speed"]),
        ("mon book acme --env ", ["production", "staging", "sim"]),
    ):
        answer = ask("bash", line, len(line.split(" ")) - 1, PYTHONPATH=str(folder))
        assert (answer.returncode, answer.stderr, answer.stdout.split()) == (0, "", offered)


def test_verbose_adds_the_traceback(folder: Path, env: dict[str, str]) -> None:
    make(folder, entry=BROKEN["import error"][0])
    assert 'raise ImportError("gone")' in mon(*BOOK, "-v", env=env).stderr


def test_one_that_prints(folder: Path, env: dict[str, str], tmp_path: Path) -> None:
    make(folder, entry=f'print("printed")\nimport sys\nsys.stdout.write("written")\n{ENTRY}')
    done = mon(*BOOK, env=env)
    assert done.returncode == 0
    assert [line["type"] for line in records(done.stdout)] == ["book"]
    assert "printed" in done.stderr
    assert "printed" not in mon("venues", env=env).stdout
    for line, offered in (("mon book acme ", ["BTC-USD", "ETH-USD"]), ("mon book ac", ["acme"])):
        assert ask("bash", line, len(line.split(" ")) - 1, PYTHONPATH=str(folder)).stdout.split() == offered
    code = (
        "import sys; before = sys.stdout; from venues import venue_named; venue_named('acme'); "
        "assert sys.stdout is before; print('mine')"
    )
    told = subprocess.run([MON.with_name("python"), "-c", code], env=env, capture_output=True, text=True, check=True)
    assert told.stdout == "mine\n"


def test_one_whose_session_prints(folder: Path, env: dict[str, str]) -> None:
    make(folder, entry=changed("for one in subscriptions:", 'print("printed")\n        for one in subscriptions:'))
    done = mon(*BOOK, env=env)
    assert (done.returncode, [line["type"] for line in records(done.stdout)]) == (0, ["book"])


def test_one_that_hangs_for_a_second(folder: Path, env: dict[str, str], tmp_path: Path) -> None:
    here = tmp_path / "here"
    make(folder, entry=f"import time\nopen({str(here)!r}, 'w').close()\ntime.sleep(1)\n{ENTRY}")
    assert "acme: production, beta, sim" in mon("venues", env=env).stdout
    here.unlink()
    with started(*BOOK, env=env) as process:
        deadline = time.monotonic() + 30
        while not here.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (130, "")


def test_two_of_one_name(folder: Path, env: dict[str, str]) -> None:
    make(folder)
    distribution(folder, "mon-other", "1.0", {"acme": "mon_other:ACME"}, {"mon_other.py": ENTRY})
    twice = (
        "the venue acme is offered twice, by mon-acme 0.3 and mon-other 1.0: neither is loaded; uninstall one of them"
    )
    done = mon(*BOOK, env=env)
    assert (done.returncode, done.stderr) == (3, f"mon: {twice}\n")
    listed = mon("venues", env=env)
    assert (listed.returncode, listed.stderr, "acme" in listed.stdout) == (0, f"mon: {twice}\n", False)
    assert mon("book", "nexus", SYMBOL, *SIM, "--count", "1", env=env).stderr == ""
    assert ask("bash", "mon book a", 2, PYTHONPATH=str(folder)).stdout == ""


def test_one_that_would_shadow_a_built_in_venue(folder: Path, env: dict[str, str]) -> None:
    distribution(folder, "mon-evil", "1.0", {"nexus": "evil:NEXUS"}, {"evil.py": 'raise SystemExit("never")\n'})
    done = mon("book", "nexus", SYMBOL, *SIM, "--count", "1", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    listed = mon("venues", env=env)
    assert listed.stdout.splitlines()[0].split().count("nexus") == 1
    assert listed.stderr == (
        "mon: the venue nexus of mon-evil 1.0 is left out: "
        "mon itself has a venue of that name, and no plug-in takes its place\n"
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Acme", "expected a name of a-z and 0-9 that begins with a letter"),
        ("acme-2", "expected a name of a-z and 0-9"),
        ("2acme", "expected a name of a-z and 0-9"),
        ("bot", "the name bot is one that mon uses itself"),
    ],
)
def test_names_that_cannot_be(name: str, said: str, folder: Path, env: dict[str, str]) -> None:
    distribution(folder, "mon-acme", "0.3", {name: "mon_acme:ACME"}, {"mon_acme.py": ENTRY})
    done = mon("book", name, "BTC-USD", env=env)
    assert (done.returncode, done.stdout) == (3, "")
    assert said in done.stderr
    assert "mon-acme 0.3" in done.stderr
    assert said in mon("venues", env=env).stderr
    assert name not in ask("bash", "mon book ", 2, PYTHONPATH=str(folder)).stdout.split()


def test_broken_metadata(folder: Path, env: dict[str, str]) -> None:
    make(folder)
    distribution(folder, "mon-bad", "1.0", {}, {})
    (folder / "mon_bad-1.0.dist-info" / "entry_points.txt").write_text("[mon.venues]\nno entry point\n")
    distribution(folder, "mon-worse", "1.0", {}, {})
    (folder / "mon_worse-1.0.dist-info" / "entry_points.txt").write_bytes(b"[mon.venues]\n\xff = a:B\n")
    distribution(folder, "nameless", "1.0", {"x": "nowhere:X"}, {})
    (folder / "nameless-1.0.dist-info" / "METADATA").unlink()
    done = mon(*BOOK, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    listed = mon("venues", env=env)
    assert listed.returncode == 0
    assert "acme" in listed.stdout
    assert "the entry points of mon-bad 1.0 cannot be read" in listed.stderr
    assert "the venue x of a distribution without a name cannot be loaded: ModuleNotFoundError" in listed.stderr
    assert mon("book", "", "X", env=env).returncode == 2


def test_the_nearer_of_two_copies_of_a_distribution_counts(folder: Path, env: dict[str, str], tmp_path: Path) -> None:
    make(folder)
    older = tmp_path / "older"
    distribution(older, "mon-acme", "0.1", {"acme": "mon_acme:ACME"}, {"mon_acme.py": "raise SystemExit\n"})
    both = env | {"PYTHONPATH": f"{folder}:{older}"}
    assert mon("venues", env=both).stdout.endswith("acme  mon-acme 0.3\n")


def test_a_distribution_that_is_found_twice_in_a_folder(folder: Path, env: dict[str, str]) -> None:
    make(folder)
    again = folder / "mon_acme.egg-info"
    again.mkdir()
    (again / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: mon-acme\nVersion: 0.3\n")
    (again / "entry_points.txt").write_text("[mon.venues]\nacme = mon_acme:ACME\n")
    assert mon("venues", env=env).stdout.endswith("acme  mon-acme 0.3\n")


# --- its simulator -------------------------------------------------------------------------------------------------


def test_one_without_a_simulator(folder: Path, env: dict[str, str]) -> None:
    make(folder, entry=changed('simulator = "mon_acme.simulator:Simulated"', 'simulator = ""'))
    done = mon(*BOOK, env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        'mon: acme has no simulator: expected one of its environments (production, beta) as --env, got "sim"\n'
    )
    assert "acme: production, beta\n" in mon("venues", env=env).stdout
    checked = mon("config", "check", env=env).stdout
    assert "acme beta" in checked
    assert "acme sim" not in checked
    assert "acme" not in mon("sim", "--show-env", "--port", "4711", env=env).stdout
    for line, offered in (("mon book acme --env ", ["production", "beta"]), ("mon book acme ", [])):
        answer = ask("bash", line, len(line.split(" ")) - 1, PYTHONPATH=str(folder))
        assert (answer.stderr, answer.stdout.split()) == ("", offered)
    assert "environments of acme (production, beta), got" in mon("book", "acme", "A-B", "--env", "x", env=env).stderr
    assert "--env sim" not in mon("orders", "acme", env=env).stderr


BROKEN_SIMULATORS = {
    "import error": ("import no_such_module\n", "ModuleNotFoundError"),
    "no class": ("Simulated = 7\n", "expected a class as simulator (mon_acme.simulator:Simulated), got an int"),
    "half of it": ("class Simulated:\n    name = 'acme'\n", "in the simulator's class Simulated, got none"),
    "another venue": (SIMULATOR.replace('name = "acme"', 'name = "nexus"'), 'expected "acme" as name of the simulator'),
    "credentials": (SIMULATOR.replace('{"key": ', '{"token": '), "that the venue has, got token"),
    "its values": (SIMULATOR.replace("return {}", 'return {"other": 1}'), "expected the venue's values by name from"),
    "another scheme": (SIMULATOR.replace('scheme = "ws"', 'scheme = "file"'), "expected ws or http as scheme"),
}


@pytest.mark.parametrize("kind", BROKEN_SIMULATORS)
def test_a_broken_simulator(kind: str, folder: Path, env: dict[str, str]) -> None:
    simulator, said = BROKEN_SIMULATORS[kind]
    make(folder, simulator=simulator)
    done = mon(*BOOK, env=env)
    assert (done.returncode, done.stdout) == (3, "")
    assert said in done.stderr
    assert "mon-acme 0.3" in done.stderr
    listed = mon("sim", "--show-env", "--port", "4711", env=env)
    assert (listed.returncode, "NEXUS" in listed.stdout, "ACME" in listed.stdout) == (0, True, False)
    assert (said in listed.stderr, listed.stderr.count("\n")) == (True, 1)
    assert ask("bash", "mon book acme ", 3, PYTHONPATH=str(folder)).stdout == ""
    other = mon("book", "nexus", SYMBOL, *SIM, "--count", "1", env=env)
    assert (other.returncode, other.stderr) == (0, "")


def test_a_simulator_that_cannot_be_started(folder: Path, env: dict[str, str]) -> None:
    make(folder, simulator=SIMULATOR.replace("self._world = world\n\n    def sockets", "1 / 0\n\n    def sockets"))
    listed = mon("sim", "--show-env", "--port", "4711", env=env)
    assert (listed.returncode, "NEXUS" in listed.stdout, "ACME" in listed.stdout) == (0, True, False)
    assert listed.stderr == (
        "mon: the venue acme (mon-acme 0.3): its simulator cannot be started: ZeroDivisionError: division by zero\n"
    )
    done = mon(*BOOK, env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        "a fault of the venue acme (mon-acme 0.3): ContractBroken: its simulator cannot be started: Zero" in done.stderr
    )
    assert done.stderr.endswith("please report it to its author\n")


def test_an_entry_point_with_an_extra(folder: Path, env: dict[str, str]) -> None:
    make(folder)
    points = folder / "mon_acme-0.3.dist-info" / "entry_points.txt"
    points.write_text("[mon.venues]\nacme = mon_acme:ACME [fast]\n")
    assert mon(*BOOK, env=env).returncode == 0


# --- faults of its code --------------------------------------------------------------------------------------------


def test_a_fault_of_its_entry_names_it(folder: Path, env: dict[str, str]) -> None:
    make(folder)
    done = mon(*BOOK, "--special", "fault", env=env)
    assert done.returncode == 1
    assert "a fault of the venue acme (mon-acme 0.3): ZeroDivisionError: in the entry" in done.stderr


def test_a_fault_of_its_session_names_it(folder: Path, env: dict[str, str]) -> None:
    make(folder)
    done = mon(*BOOK, "--special", "oops", env=env)
    assert done.returncode == 1
    assert "a fault of the venue acme (mon-acme 0.3): RuntimeError: in the session" in done.stderr
    assert "a fault of mon itself" not in done.stderr


# --- its configuration ---------------------------------------------------------------------------------------------


def configured(env: dict[str, str], text: str) -> None:
    path = Path(env["HOME"], "mon.toml")
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    env["MON_CONFIG"] = str(path)


def test_its_sections_and_variables(folder: Path, env: dict[str, str]) -> None:
    make(folder)
    configured(
        env,
        '[venues.acme]\nkey = "s3cret-of-acme"\nregion = "eu"\n[venues.acme.beta]\nkey_file = "~/k"\n'
        '[profiles.second.venues.acme]\nregion = "us"\n',
    )
    checked = mon("config", "check", env=env | {"MON_ACME_BETA_REGION": "asia"})
    assert (checked.returncode, checked.stderr) == (3, ""), "the file ~/k is not there"
    assert "acme production\n  address: wss://acme.example (built in)\n" in checked.stdout
    assert "  region: eu (region under [venues.acme] in" in checked.stdout
    assert "  region: asia (MON_ACME_BETA_REGION)" in checked.stdout
    assert "acme sim\n  nothing is needed\n" in checked.stdout
    assert "acme production --profile second\n" in checked.stdout
    shown = mon("config", "show", env=env | {"MON_ACME_REGION": "asia", "MON_ACME_BETA_KEY": "s3cret-of-beta"}).stdout
    assert 'region = "eu"' in shown
    assert 'key = "[hidden]"' in shown
    assert "# MON_ACME_REGION is set: asia" in shown
    assert "# MON_ACME_BETA_KEY is set (hidden)" in shown
    assert "s3cret" not in shown
    by_hand = mon("book", "acme", "BTC-USD", "--retries", "0", env=env | {"MON_ACME_URL": "http://plain.example"})
    assert (by_hand.returncode, "expected a wss:// address as MON_ACME_URL" in by_hand.stderr) == (3, True)


def test_a_section_of_an_unknown_name_is_looked_through_when_its_venue_is_used(
    folder: Path, env: dict[str, str]
) -> None:
    configured(env, '[venues.acme]\nkye = "s3cret"\n')
    nexus = ("book", "nexus", SYMBOL, *SIM, "--count", "1")
    unknown = mon("config", "check", env=env)
    assert (unknown.returncode, unknown.stderr) == (0, "")
    assert unknown.stdout.endswith(
        "[venues.acme] is for a venue that this mon does not have: no built-in one "
        f"({', '.join(VENUES)}) and no plug-in's has that name\n"
    )
    off = mon("config", "check", env=env | {"MON_PLUGINS": "0"})
    assert off.stdout.endswith("has that name, and MON_PLUGINS=0 switches plug-ins off\n")
    assert mon(*nexus, env=env).returncode == 0
    make(folder)
    assert mon(*nexus, env=env).returncode == 0
    said = "got kye, which is not known"
    for words in (BOOK, ("orders", "acme")):
        used = mon(*words, env=env)
        assert (used.returncode, used.stdout, said in used.stderr) == (3, "", True)
    checked = mon("config", "check", env=env)
    assert (checked.returncode, said in checked.stdout, "nexus sim" in checked.stdout) == (3, True, True)
    assert "s3cret" not in mon("config", "show", env=env).stdout
    configured(env, '[profiles.second.venues.acme]\nkey = "a"\nkey_file = "b"\n[venues]\n')
    assert "expected one of key and key_file under [profiles.second.venues.acme]" in mon(*BOOK, env=env).stderr
    configured(env, "[venues]\nacme = 3\n")
    assert "expected a table [venues.acme]" in mon(*BOOK, env=env).stderr
    assert mon(*nexus, env=env).returncode == 0
    assert mon("config", "check", env=env).returncode == 3


def test_a_section_of_a_broken_one(folder: Path, env: dict[str, str]) -> None:
    make(folder, entry=BROKEN["import error"][0])
    configured(env, '[venues.acme]\nregion = "eu"\nkey = "s3cret"\n')
    checked = mon("config", "check", env=env)
    assert checked.stdout.endswith(
        "[venues.acme] is for a venue that this mon does not have: the plug-in that brings it cannot be loaded\n"
    )
    shown = mon("config", "show", env=env).stdout
    assert 'region = "[hidden]"' in shown
    assert "s3cret" not in shown


def test_its_part_of_a_new_config_file(folder: Path, env: dict[str, str]) -> None:
    make(folder)
    path = Path(mon("config", "init", env=env).stdout.strip())
    assert '[venues.acme]\n# key_command = ["pass", "show", "acme"]\n' in path.read_text()
    assert mon("config", "check", env=env).returncode == 0


def test_lines_of_mon_venues_are_json(folder: Path, env: dict[str, str]) -> None:
    make(folder)
    for line in mon("venues", "-o", "jsonl", env=env).stdout.splitlines():
        assert json.loads(line)["kind"] in ("state", "event")
