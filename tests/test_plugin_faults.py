"""What the code of a plug-in does wrong while it is loaded and used: it is told of, with whose fault it is."""

from __future__ import annotations

import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.command import MON, mon, records
from tests.completions.support import ask
from tests.made_plugins import ENTRY, FILES, SESSION, SIMULATOR, changed, distribution, make, with_plugins
from venues.records import RECORD_TYPES, Trade
from venues.toolkit.guard import problem_of

BOOK = ("book", "acme", "BTC-USD", "--env", "sim", "--count", "1", "--retries", "0")
WHOSE = "a fault of the venue acme (mon-acme 0.3)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where distributions are."""
    (tmp_path / "site").mkdir()
    return tmp_path / "site"


@pytest.fixture
def env(folder: Path, tmp_path: Path) -> dict[str, str]:
    return with_plugins(folder, tmp_path)


RECEIVE = "        told = json.loads"
DIAL = "    def dial(self):"


def make_session(folder: Path, before: str, after: str) -> None:
    """The venue `acme` with one thing of its session otherwise."""
    assert before in SESSION, before
    text = SESSION.replace(before, after + before if before == RECEIVE else after)
    files = FILES | {"mon_acme/session.py": text}
    distribution(folder, "mon-acme", "0.3", {"acme": "mon_acme:ACME"}, files)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (RECEIVE, "        return None\n", "expected a list from receive, got none"),
        (RECEIVE, "        return (one for one in ())\n", "expected a list from receive, got a generator"),
        (RECEIVE, "        return [7]\n", "receive gave an int, which is no item"),
        (RECEIVE, "        return [StreamState('news', 'live')]\n", "of the stream 'news', which was not asked for"),
        (
            RECEIVE,
            "        return [StreamState('book', 'alive')]\n",
            "a StreamState with a bad state: expected Literal[",
        ),
        (RECEIVE, "        raise SystemExit(0)\n", "receive must not raise SystemExit: 0"),
        (RECEIVE, "        raise KeyboardInterrupt\n", "receive must not raise KeyboardInterrupt"),
        (RECEIVE, "        open('/no/such')\n", "receive must not raise FileNotFoundError"),
        (RECEIVE, "        next(iter(()))\n", "receive must not raise StopIteration"),
        (
            RECEIVE,
            "        from venues.errors import SetupError\n        raise SetupError('x')\n",
            "raise SetupError: x",
        ),
        ("Level(Decimal(p), ", "Level(float(p), ", "a Book with a bad bids: expected list[Level], of finite Decimals"),
        ("Level(Decimal(p), ", "Level(Decimal('NaN'), ", "a Book with a bad bids: expected list[Level]"),
        (
            "Level(Decimal(p), Decimal(s))",
            "Level(Decimal(p), Decimal(s), '3')",
            "a Book with a bad bids: expected list[Level]",
        ),
        (
            "Level(Decimal(p), Decimal(s))",
            "Level(Decimal(p), Decimal(s), 3, 1)",
            "a Book with a bad bids: expected list[",
        ),
        ("bids=bids, asks", "bids=None, asks", "a bad bids: expected list[Level], of finite Decimals, got none"),
        ('"venue": "acme"', '"venue": "nexus"', "receive gave a Book of the venue 'nexus'"),
        ("self._asked.symbols[0]", "'ETH-USD'", "a Book of the symbol 'ETH-USD', which was not asked for"),
        (
            'if self._asked.stream == "book"',
            "if False",
            "a Trade, which none of the streams that were asked for (book)",
        ),
        (DIAL, f"    def opening(self):\n        return None\n\n{DIAL}", "expected a generator from opening, got none"),
        (DIAL, f"    def opening(self):\n        yield 7\n\n{DIAL}", "expected opening to yield an HttpRequest"),
        ("return Dial(url, url)", "return url", "expected a Dial from opening, got a str"),
        (DIAL, f"    def deadline(self):\n        return 'soon'\n\n{DIAL}", "expected seconds from deadline, or None"),
        (DIAL, f"    def take(self):\n        return [7]\n\n{DIAL}", "expected frames from take, or another Out"),
        ("return AcmeSession(self)", "return None", "expected a session from session, got none"),
    ],
)
def test_what_a_session_must_not_do_is_its_venues_fault(
    before: str, after: str, said: str, folder: Path, env: dict[str, str]
) -> None:
    make_session(folder, before, after)
    done = mon(*BOOK, env=env)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert done.stderr.startswith(f"mon: {WHOSE}: ContractBroken: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 2, "no traceback"


def test_what_a_timer_of_its_session_must_not_do(folder: Path, env: dict[str, str]) -> None:
    lines = "    def deadline(self):\n        return 0.0\n\n    def tick(self, now):\n        return None\n\n"
    make_session(folder, DIAL, lines + DIAL)
    done = mon(*BOOK, env=env)
    assert done.returncode == 5
    assert f"{WHOSE} (ContractBroken: expected a list from tick, got none" in done.stderr
    assert "a fault of mon itself" not in done.stderr


@pytest.mark.parametrize(
    ("routes", "said"),
    [
        ("return None", "expected a sequence of routes from routes, got none"),
        ("return []", "expected a route for each subscription from routes, got none for book BTC-USD"),
        ("return [7]", "expected routes with subscriptions from routes, got an int without"),
        (
            "one = AcmeRoute([], settings); one.subscriptions = [7]; return [one]",
            "expected routes of subscriptions that were asked for, got one of an int",
        ),
        ("raise SystemExit(0)", "routes must not raise SystemExit: 0"),
        ("raise BrokenPipeError", "routes must not raise BrokenPipeError"),
    ],
)
def test_routes_that_are_none(routes: str, said: str, folder: Path, env: dict[str, str]) -> None:
    make(folder, entry=changed("AcmeRoute\n\n", f"AcmeRoute\n\n        {routes}\n"))
    done = mon(*BOOK, env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{WHOSE}: ContractBroken: {said}" in done.stderr


@pytest.mark.parametrize("raised", ["SystemExit(0)", "BrokenPipeError()", "OSError(5, 'x')"])
def test_the_end_of_mon_is_not_for_its_entry_to_say(raised: str, folder: Path, env: dict[str, str]) -> None:
    make(
        folder,
        entry=changed(
            "if not symbol.isascii()",
            f"if symbol == 'A-B':\n            raise {raised}\n        if not symbol.isascii()",
        ),
    )
    done = mon("book", "acme", "A-B", env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{WHOSE}: {raised.partition('(')[0]}" in done.stderr


def test_a_value_that_its_code_cannot_take_hides_no_other_venue(folder: Path, env: dict[str, str]) -> None:
    make(folder, entry=changed("from mon_acme.session import AcmeRoute", "subscriptions[0]"))
    checked = mon("config", "check", env=env | {"MON_ACME_REGION": "eu"})
    assert (checked.returncode, checked.stderr) == (3, "")
    assert f"  region: {WHOSE}: IndexError: tuple index out of range\n" in checked.stdout
    assert checked.stdout.endswith("acme sim\n  nothing is needed\n")


LIST = """
    def symbol_list(self, settings):
        from mon_acme.session import AcmeRoute
        from venues.venue import Subscription

        return AcmeRoute([Subscription("book", ("BTC-USD",))], settings)

    def check_symbol"""


def test_a_list_of_symbols_by_a_connection_is_checked_too(folder: Path, env: dict[str, str]) -> None:
    entry = changed("\n    def check_symbol", LIST)
    text = SESSION.replace(RECEIVE, "        return [7]\n" + RECEIVE)
    files = FILES | {"mon_acme/__init__.py": entry, "mon_acme/session.py": text}
    distribution(folder, "mon-acme", "0.3", {"acme": "mon_acme:ACME"}, files)
    done = mon("symbols", "acme", "--env", "sim", env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{WHOSE}: ContractBroken: receive gave an int, which is no item" in done.stderr


def test_every_kind_of_record_can_be_checked() -> None:
    assert problem_of(object()) == "an object, which is no item"
    for kind in RECORD_TYPES:
        fields = dict.fromkeys(kind.__struct_fields__)
        assert "with a bad venue: expected str, got none" in problem_of(kind(**fields))


def test_a_field_that_may_be_absent_is_checked_where_it_is_there() -> None:
    trade = Trade(venue="v", received=0, price=Decimal(1), size=Decimal(1), side="buy")
    assert [problem_of(replace(trade, trade_id=one)) for one in (None, "7")] == ["", ""]
    assert "a bad trade_id: expected str" in problem_of(replace(trade, trade_id=7))


# --- while it is loaded --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        "import os\nos.write(1, b'PRINTED')\n",
        "import subprocess\nsubprocess.run(['echo', 'PRINTED'])\n",
        "import sys\nsys.__stdout__.write('PRINTED')\n",
        "import atexit\natexit.register(print, 'PRINTED')\n",
    ],
)
def test_nothing_that_it_writes_is_on_stdout(lines: str, folder: Path, env: dict[str, str]) -> None:
    make(folder, entry=lines + ENTRY)
    done = mon(*BOOK, env=env)
    assert (done.returncode, [line["type"] for line in records(done.stdout)]) == (0, ["book"])
    assert "PRINTED" in done.stderr
    assert "PRINTED" not in mon("venues", env=env).stdout
    assert ask("bash", "mon book acme B", 3, PYTHONPATH=str(folder)).stdout == "BTC-USD\n"


def test_its_simulator_writes_nothing_to_stdout(folder: Path, env: dict[str, str]) -> None:
    make(folder, simulator="import os\nos.write(1, b'PRINTED')\n" + SIMULATOR)
    done = mon(*BOOK, env=env)
    assert (done.returncode, [line["type"] for line in records(done.stdout)], done.stderr) == (0, ["book"], "PRINTED")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("self._asked = json.loads(frame)", "raise RuntimeError('sim')", "RuntimeError: sim"),
        (".encode())", ")", "TypeError: expected bytes to send, got str"),
        ("lambda handshake: lambda wire: Peer(", "lambda handshake: 1 / 0 or (", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_fault_of_its_simulator_is_told_in_words(
    before: str, after: str, said: str, folder: Path, env: dict[str, str]
) -> None:
    assert before in SIMULATOR
    make(folder, simulator=SIMULATOR.replace(before, after))
    done = mon(*BOOK, env=env)
    assert done.returncode == 1
    assert f"mon: {WHOSE}: {said}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("def posts(self):\n        return {}", "def posts(self):\n        return None", "AttributeError: 'NoneType'"),
        (
            "def __init__(self, world):\n        self._world",
            "def __init__(self):\n        world",
            "TypeError: Simulated",
        ),
        ('"ETH_USDT"', '"DOGE_USDT"', "ValueError: expected markets of the simulator (BTC_USDT, "),
        ("self._world = world\n\n    def sockets", "raise SystemExit(0)\n\n    def sockets", "SystemExit: 0"),
    ],
)
def test_a_simulator_that_cannot_be_started(
    before: str, after: str, said: str, folder: Path, env: dict[str, str]
) -> None:
    assert before in SIMULATOR
    make(folder, simulator=SIMULATOR.replace(before, after))
    done = mon(*BOOK, env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{WHOSE}: ContractBroken: its simulator cannot be started: {said}" in done.stderr
    listed = mon("sim", "--show-env", "--port", "4711", env=env)
    assert (listed.returncode, "NEXUS" in listed.stdout, "ACME" in listed.stdout) == (0, True, False)
    assert (said in listed.stderr, listed.stderr.count("\n")) == (True, 1)


def test_ctrl_c_of_its_own_is_a_broken_one(folder: Path, env: dict[str, str]) -> None:
    make(folder, entry="raise KeyboardInterrupt\n")
    done = mon(*BOOK, env=env)
    assert (done.returncode, "mon-acme 0.3 cannot be loaded: KeyboardInterrupt" in done.stderr) == (3, True)
    listed = mon("venues", env=env)
    assert (listed.returncode, "nexus" in listed.stdout, listed.stderr.count("\n")) == (0, True, 1)


def test_a_thread_that_it_leaves_holds_up_no_end(folder: Path, env: dict[str, str]) -> None:
    lines = "import atexit, threading, time\natexit.register(print, 'PRINTED')\n"
    make(folder, entry=f"{lines}threading.Thread(target=lambda: time.sleep(60)).start()\n{ENTRY}")
    done = mon(*BOOK, env=env, seconds=30)
    assert (done.returncode, [line["type"] for line in records(done.stdout)]) == (0, ["book"])
    assert "PRINTED" in done.stderr


def test_the_precision_that_it_sets_is_not_ours(folder: Path, env: dict[str, str]) -> None:
    make(folder, entry="import decimal\ndecimal.getcontext().prec = 3\n" + ENTRY)
    code = (
        "from decimal import getcontext; from venues import venue_named; venue_named('acme'); print(getcontext().prec)"
    )
    told = subprocess.run([MON.with_name("python"), "-c", code], env=env, capture_output=True, text=True, check=True)
    assert told.stdout == "28\n"
