"""Lists of symbols, `mon symbols`, and the second address (`rest_url`) in configuration and simulator."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Generator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import jsonschema
import msgspec
import pytest

from cli import main
from cli.commands import config_check, symbols
from cli.commands.schema import schema_of
from cli.settings import config, config_text
from tests.servers import in_thread, raw_server
from tests.tiny import TINY, Endpoint, Seeded
from venues import VENUES, Entry, venue_named
from venues.answers import problem_of
from venues.errors import BadMessage, SetupError, VenueUnreachable
from venues.listing import Listing
from venues.records import Instrument
from venues.redaction import Redactor
from venues.simulator import ManualClock, Simulator, environment, parse_fault
from venues.simulator.endpoint import Answer
from venues.venue import HttpRequest, HttpResponse, NoResponse, Now, Settings, StreamState, has_list

ROOT = Path(__file__).parents[1]
ROWS = [
    {"s": "BTC-USD", "base": "BTC", "tick": "0.01", "status": "online"},
    {"s": "ETH-USD", "base": "ETH", "tick": "0.00000001"},
    {"s": "1INCH-USD", "tick": "10"},
]


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Endpoint]:
    """A registry with the tests' own venue, and nothing of the machine's configuration."""
    for name in list(os.environ):
        if name.startswith("MON_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setitem(VENUES, "tiny", Entry("tests.tiny:TINY", "book"))
    monkeypatch.setattr(Endpoint, "rows", list(ROWS))
    monkeypatch.setattr(Endpoint, "frames", [*map(json.dumps, ROWS), "end"])
    monkeypatch.setattr(Endpoint, "answer", None)
    monkeypatch.setattr(Endpoint, "seen", [])
    return Endpoint


class Mon:
    """Runs `mon` in this process."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        code = main.run(arguments)
        out, err = self._capfd.readouterr()
        return code, out, err


@pytest.fixture
def mon(capfd: pytest.CaptureFixture[str]) -> Mon:
    return Mon(capfd)


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line, parse_float=Decimal) for line in out.splitlines()]


# --- the list ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["requests", "connection"])
def test_the_list_comes_whole_and_sorted(how: str, mon: Mon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MON_TINY_HOW", how)
    code, out, err = mon("symbols", "tiny", "--env", "sim")
    assert (code, err) == (0, "")
    assert [line["symbol"] for line in lines(out)] == ["1INCH-USD", "BTC-USD", "ETH-USD"]
    _, second, third = lines(out)
    received = second.pop("received")
    assert second == {
        "type": "instrument",
        "venue": "tiny",
        "env": "sim",
        "symbol": "BTC-USD",
        "base": "BTC",
        "price_step": Decimal("0.01"),
        "status": "online",
    }
    assert received > 1_700_000_000_000
    assert '"price_step":0.00000001' in out
    assert third["symbol"] == "ETH-USD"
    assert len(Endpoint.seen) == (2 if how == "requests" else 0)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("btc", ["BTC-USD"]),
        ("us", ["1INCH-USD", "BTC-USD", "ETH-USD"]),
        ("?TC-*", ["BTC-USD"]),
        ("btc*", ["BTC-USD"]),
        ("*TC", []),
        ("[be]*", []),
        ("", ["1INCH-USD", "BTC-USD", "ETH-USD"]),
    ],
)
def test_a_pattern(pattern: str, found: list[str], mon: Mon) -> None:
    code, out, err = mon("symbols", "tiny", pattern, "--env", "sim")
    assert (code, [line["symbol"] for line in lines(out)]) == (0, found)
    assert err == ("" if found else f'mon: tiny lists no symbol that fits "{pattern}" (3 are listed)\n')


def test_a_table_of_hostile_text(mon: Mon, tiny: type[Endpoint]) -> None:
    tiny.rows = [
        {"s": "比特幣-USD", "base": "[b]x[/b]", "tick": "1"},
        {"s": "A\x1b[31m\nB", "base": "\u202e"},
        *ROWS[:1],
    ]
    code, out, _ = mon("symbols", "tiny", "--env", "sim", "-o", "table")
    assert code == 0
    assert out.splitlines() == [
        "symbol          base      price step  status",
        "A\\x1b[31m\\x0aB  \\u202e          —     —",
        "BTC-USD         BTC             0.01  online",
        "比特幣-USD      [b]x[/b]        1     —",
    ]


def test_a_narrow_table_cuts_no_digit() -> None:
    found = [Instrument(venue="v", symbol="S" * 30, price_step=Decimal("0.00000001"), received=0)]
    assert symbols.table(found, 40) == [f"{'symbol':<28}  price step", f"{'S' * 27}…  0.00000001"]
    assert symbols.table(found, 20) == ["symbol    price step", f"{'S' * 7}…  0.00000001"]
    assert symbols.table(found, 12)[1] == f"{'S' * 7}…  ##"


def test_csv_and_schema(mon: Mon) -> None:
    assert '"price_step":"0.01"' in mon("symbols", "tiny", "btc", "--env", "sim", "--numbers", "string")[1]
    _, out, _ = mon("symbols", "tiny", "--env", "sim", "-o", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["symbol"], row["price_step"]) for row in rows] == [
        ("1INCH-USD", "10"),
        ("BTC-USD", "0.01"),
        ("ETH-USD", "0.00000001"),
    ]
    _, out, _ = mon("symbols", "tiny", "--env", "sim")
    for line in out.splitlines():
        jsonschema.validate(json.loads(line), schema_of("symbols"))


@pytest.mark.parametrize("how", ["requests", "connection"])
@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"s": ""}, "expected an instrument with a symbol, got one without"),
        ({"s": "A", "tick": "0"}, 'expected a number above 0 as price_step of A, got "0"'),
        ({"s": "A", "tick": "NaN"}, 'expected a number above 0 as price_step of A, got "NaN"'),
        ({"s": "A", "tick": "1e99"}, 'expected a number above 0 as price_step of A, got "1E+99"'),
        ({"s": "A", "base": 5}, 'expected a text of at most 200 characters as base, got "5"'),
        ({"s": "x" * 201}, "expected a text of at most 200 characters as symbol, got"),
    ],
)
def test_a_list_that_cannot_be_used(
    how: str, row: dict[str, Any], said: str, mon: Mon, tiny: type[Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MON_TINY_HOW", how)
    tiny.rows, tiny.frames = [row], [json.dumps(row), "end"]
    code, out, err = mon("symbols", "tiny", "--env", "sim")
    assert (code, out) == (5, "")
    assert err.startswith(f"mon: the list of symbols that tiny gave cannot be used: {said}")


@pytest.mark.parametrize(
    ("frames", "code", "said"),
    [
        (["bad"], 5, "mon: the list of symbols that tiny gave cannot be used: expected a symbol, got nothing\n"),
        (["no"], 5, "mon: no list today; gave up after 1 try\n"),
        ([], 6, "mon: tiny gave no list of its symbols within 0.3 s\n"),
        ([json.dumps(ROWS[0])], 6, "mon: tiny gave no list of its symbols within 0.3 s\n"),
    ],
)
def test_a_connection_without_a_list(
    frames: list[str], code: int, said: str, mon: Mon, tiny: type[Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MON_TINY_HOW", "connection")
    tiny.frames = frames
    timeout = ("--timeout", "300ms") if code == 6 else ()
    assert mon("symbols", "tiny", "--env", "sim", *timeout) == (code, "", said)


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (Answer(500, "down"), 5, "mon: the venue does not give the list of symbols now (HTTP 500: down)\n"),
        (Answer(404, ""), 4, "mon: the venue refused the list of symbols (HTTP 404)\n"),
        (Answer(302, ""), 5, "mon: the venue does not give the list of symbols now (HTTP 302)\n"),
    ],
)
def test_a_request_without_a_list(answer: Answer, code: int, said: str, mon: Mon, tiny: type[Endpoint]) -> None:
    tiny.answer = answer
    assert mon("symbols", "tiny", "--env", "sim") == (code, "", said)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (BadMessage("expected rows, got 7"), 5, "cannot be used: expected rows, got 7"),
        (
            msgspec.ValidationError("Expected `str`, got `float` - at `$.rows[0].s`"),
            5,
            "cannot be used: expected str at `rows[0].s`, got float",
        ),
        (msgspec.DecodeError("Input data was truncated"), 5, "cannot be used: expected JSON, got something else"),
        (ZeroDivisionError("ours"), 1, "a fault of mon itself: ZeroDivisionError: ours"),
    ],
)
def test_a_list_that_cannot_be_read(
    error: Exception, code: int, said: str, mon: Mon, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed(settings: Settings) -> Generator[HttpRequest, HttpResponse, list[Instrument]]:
        url = f"{settings.rest_url}/instruments"
        yield HttpRequest("GET", url, url)
        raise error

    monkeypatch.setattr(type(TINY), "symbol_list", lambda self, settings: listed(settings))
    found, out, err = mon("symbols", "tiny", "--env", "sim")
    assert (found, out) == (code, "")
    assert said in err
    assert code == 1 or err.startswith("mon: the list of symbols that tiny gave cannot be used: ")


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def test_nobody_there_and_nobody_who_answers(mon: Mon, monkeypatch: pytest.MonkeyPatch) -> None:
    with in_thread(lambda: raw_server(silent)) as port:
        monkeypatch.setenv("MON_TINY_URL", f"ws://127.0.0.1:{port}")
        monkeypatch.setenv("MON_TINY_REST_URL", f"http://127.0.0.1:{port}")
        said = "mon: tiny gave no list of its symbols within 0.2 s\n"
        assert mon("symbols", "tiny", "--timeout", "200ms") == (6, "", said)
    code, out, err = mon("symbols", "tiny")
    assert (code, out) == (5, "")
    assert err == f"mon: tiny gave no list of its symbols: cannot reach 127.0.0.1:{port}: connection refused\n"


def test_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    with in_thread(lambda: raw_server(silent)) as port:
        env = {**os.environ, "MON_TINY_URL": f"ws://127.0.0.1:{port}", "MON_TINY_REST_URL": f"http://127.0.0.1:{port}"}
        code = (
            "import sys; from venues import VENUES, Entry; VENUES['tiny'] = Entry('tests.tiny:TINY', 'book')\n"
            "import aiohttp, asyncio; before = aiohttp.ClientSession._request\n"
            "async def noted(*a, **k): print('asked', file=sys.stderr, flush=True); return await before(*a, **k)\n"
            "aiohttp.ClientSession._request = noted\n"
            "from cli import main; sys.exit(main.run(['symbols', 'tiny', '--timeout', '60s']))"
        )
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code], cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        with process.stderr:
            assert process.stderr.readline() == "asked\n"
            process.send_signal(signal.SIGINT)
            assert process.wait(5) == 130
            assert process.stderr.read() == ""


# --- venues without a list -----------------------------------------------------------------------------------------


def test_the_simulator_lists_its_markets(mon: Mon, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = mon("symbols", "nexus", "--env", "sim")
    assert (code, err) == (0, "")
    assert [line["symbol"] for line in lines(out)] == ["SPOT_BTC_USDT", "SPOT_ETH_USDT", "SPOT_SOL_USDT"]
    monkeypatch.setenv("MON_TINY_HOW", "none")
    assert [line["symbol"] for line in lines(mon("symbols", "tiny", "--env", "sim")[1])] == ["AAA", "BBB"]


@pytest.mark.parametrize("arguments", [["nexus"], ["profitview", "--env", "sim"], ["nbt"], ["nbt", "--env", "sim"]])
def test_a_venue_without_any_list_says_so(arguments: list[str], mon: Mon) -> None:
    code, out, err = mon("symbols", *arguments)
    having = ", ".join(name for name in VENUES if has_list(venue_named(name)))
    assert (code, out) == (2, "")
    assert f"{arguments[0]} has no list of its symbols: expected a venue that has one ({having})" in err
    assert ("--env sim lists the markets" in err) == (arguments == ["nexus"])


def test_the_symbols_of_jayx_are_those_of_the_config(mon: Mon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = mon("symbols", "jayx")
    assert (code, out) == (3, "")
    assert "under [venues.jayx.symbols.BTCUSDT]" in err
    path = tmp_path / "c.toml"
    path.write_text(
        '[venues.jayx.symbols.BTCUSDT]\ntick_size = "0.01"\n[venues.jayx.symbols.ETHUSDT]\nlot_size = "2"\n'
    )
    path.chmod(0o600)
    monkeypatch.setenv("MON_CONFIG", str(path))
    code, out, _ = mon("symbols", "jayx")
    found = [(line["symbol"], line.get("price_step"), line.get("size_step")) for line in lines(out)]
    assert (code, found) == (0, [("BTCUSDT", Decimal("0.01"), None), ("ETHUSDT", None, 2)])


# --- a stream that makes requests ----------------------------------------------------------------------------------


def test_a_recording_with_requests_plays_the_same(mon: Mon, tiny: type[Endpoint], tmp_path: Path) -> None:
    tiny.frames = ['"welcome"', '{"price": "9"}', *(['{"price": "99.90"}'] * 3)]
    path = tmp_path / "r.jsonl"
    code, live, err = mon("book", "tiny", "AAA", "--env", "sim", "--once", "--record", str(path))
    assert (code, err) == (0, "")
    header, *events = [json.loads(line) for line in path.read_text().splitlines()]
    assert (header["version"], header["rest_url"]) == (3, header["url"].replace("ws://", "http://"))
    assert [event["url"] for event in events if event["kind"] == "fetched"] == [f"{header['rest_url']}/symbols?from=0"]
    assert live.count('"type":"book"') == 1
    for speed in ("max", "50"):
        code, again, err = mon("replay", str(path), "--speed", speed, "-o", "jsonl", "--status", "stderr")
        books = [line for line in again.splitlines() if '"book"' in line]
        assert (code, books[:1]) == (0, live.replace('"sim"', '"replay"').splitlines()), err
    code, raw, _ = mon("book", "tiny", "AAA", "--replay", str(path), "--speed", "max", "--raw")
    assert {line["direction"] for line in lines(raw)} == {"in", "out"}
    assert "from=0" not in raw, "an answer is no frame"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (HttpResponse(503, b" down\n"), "no book yet: HTTP 503: down"),
        (HttpResponse(404, b"\xff"), "no book yet: HTTP 404: \ufffd"),
        (
            NoResponse("cannot reach a.example: connection refused"),
            "no book yet: cannot reach a.example: connection refused",
        ),
    ],
)
def test_why_there_is_no_seed_in_words(answer: HttpResponse | NoResponse, said: str) -> None:
    session = Seeded(Settings(url="ws://a", rest_url="http://a"))
    assert session.fetched("seed", answer, Now(1.0, 1)) == [StreamState("book", "syncing", said)]
    assert problem_of(HttpResponse(204, b"")) == ""


def test_a_recording_of_another_second_address_is_not_gone_on_with(
    mon: Mon, tiny: type[Endpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.jsonl"
    tiny.frames = ['"welcome"']
    with in_thread(lambda: served_tiny()) as port:
        monkeypatch.setenv("MON_TINY_URL", f"ws://127.0.0.1:{port}/tiny")
        monkeypatch.setenv("MON_TINY_REST_URL", f"http://127.0.0.1:{port}/tiny")
        assert mon("book", "tiny", "AAA", "--once", "--record", str(path))[0] == 0
        monkeypatch.setenv("MON_TINY_REST_URL", f"http://localhost:{port}/tiny")
        code, _, err = mon("book", "tiny", "AAA", "--once", "--record", str(path), "--append")
    assert code == 3
    assert f"tiny with requests to http://127.0.0.1:{port}/tiny, not to http://localhost:{port}/tiny" in err


@contextlib.asynccontextmanager
async def served_tiny() -> AsyncIterator[int]:
    async with Simulator([Endpoint]) as simulator:
        yield simulator.port


# --- the second address --------------------------------------------------------------------------------------------


def loaded(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> config.Config:
    path = tmp_path / "c.toml"
    path.write_text(text)
    path.chmod(0o600)
    monkeypatch.setenv("MON_CONFIG", str(path))
    return config.load()


def test_addresses_that_are_built_in() -> None:
    for environment_, rest_url in TINY.rest.items():
        settings = config.load().access(TINY, environment_, None).settings
        assert (settings.url, settings.rest_url) == (TINY.environments[environment_], rest_url)


def test_both_addresses_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
        [venues.tiny]
        url = "https://a.example"
        rest_url = "wss://b.example/x"
        [venues.tiny.staging]
        url = "wss://c.example"
        rest_url = "https://d.example"
        [profiles.p.venues.tiny]
        rest_url = "https://e.example"
    """
    configured = loaded(text, tmp_path, monkeypatch)

    def addresses(environment_: str | None = None, profile: str | None = None) -> tuple[str, str, str | None]:
        settings = configured.access(TINY, environment_, profile).settings
        return settings.url, settings.rest_url, settings.label

    assert addresses() == ("wss://a.example", "https://b.example/x", "custom:a.example")
    assert addresses("staging") == ("wss://c.example", "https://d.example", "custom:c.example")
    assert addresses(profile="p") == ("wss://a.example", "https://e.example", "custom:a.example")
    monkeypatch.setenv("MON_TINY_REST_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("MON_TINY_STAGING_REST_URL", "http://127.0.0.1:2")
    assert addresses(profile="p")[1] == "http://127.0.0.1:1"
    assert addresses("staging")[1] == "http://127.0.0.1:2"
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:1")
    access = configured.access(TINY, None, None)
    assert (access.proxy, access.rest_proxy) == ("http://proxy.example:1", None)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"MON_TINY_URL": "ws://127.0.0.1:1"}, ("only one is set (MON_TINY_URL)", "set MON_TINY_REST_URL too")),
        ({"MON_TINY_REST_URL": "http://127.0.0.1:1"}, ("only one is set (MON_TINY_REST_URL)", "set MON_TINY_URL too")),
    ],
)
@pytest.mark.parametrize(
    "arguments", [("book", "tiny", "AAA"), ("symbols", "tiny"), ("book", "tiny", "A", "--env", "sim")]
)
def test_one_address_by_hand_is_not_enough(
    variables: dict[str, str], words: tuple[str, ...], arguments: list[str], mon: Mon, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    code, out, err = mon(*arguments)
    assert (code, out) == (3, "")
    for each in (*words, "under [venues.tiny] in"):
        assert each in err
    found, sound = config_check.check(config.load(), pytest.fail)
    assert not sound
    assert any(words[0] in line for line in found)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("http://b.example", "expected an https:// address as MON_TINY_REST_URL (http:// is for this machine only)"),
        ("ftp://b.example", "expected an address such as https://host.example as MON_TINY_REST_URL, got something"),
        ("https://u:p@b.example", "expected an address without user and password as MON_TINY_REST_URL"),
        ("https://b.example/?a=b", "expected an address without anything after ? or # as MON_TINY_REST_URL"),
    ],
)
def test_an_address_for_requests_that_cannot_be_used(value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MON_TINY_URL", "wss://a.example")
    monkeypatch.setenv("MON_TINY_REST_URL", value)
    with pytest.raises(SetupError) as refused:
        config.load().access(TINY, None, None)
    assert str(refused.value).startswith(said)


def test_where_a_venue_has_one_address_a_second_one_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SetupError, match="got rest_url, which is not known"):
        loaded('[venues.nexus]\nrest_url = "https://a.example"\n', tmp_path, monkeypatch)
    with pytest.raises(SetupError, match=r"expected text as rest_url under \[venues.tiny\]"):
        loaded("[venues.tiny]\nrest_url = 5\n", tmp_path, monkeypatch)


def test_config_shows_and_checks_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[venues.tiny]\nurl = "wss://a.example"\nrest_url = "https://u:hidden-secret@b.example/x?k=v"\n'
    shown = config_text.shown(loaded(text, tmp_path, monkeypatch), pytest.fail)
    assert 'rest_url = "https://[hidden]@b.example/x?[hidden]"' in shown
    monkeypatch.setenv("MON_TINY_REST_URL", "https://c.example")
    assert "# MON_TINY_REST_URL is set: https://c.example" in config_text.shown(config.load(), pytest.fail)
    found, _ = config_check.check(config.load(), pytest.fail)
    at = found.index("tiny production")
    assert found[at + 1 : at + 3] == [
        f"  address: wss://a.example (url under [venues.tiny] in {tmp_path / 'c.toml'})",
        "  requests: https://c.example (MON_TINY_REST_URL)",
    ]
    at = found.index("tiny staging")
    assert "only one is set (MON_TINY_REST_URL): set MON_TINY_STAGING_URL too" in found[at + 1]


def test_the_simulator_has_a_second_address(mon: Mon) -> None:
    shown = mon("sim", "--show-env", "--port", "9000")[1].splitlines()
    assert "export MON_TINY_REST_URL=http://127.0.0.1:9000/tiny" in shown
    assert not any("NEXUS_REST" in line for line in shown)
    variables = environment([Endpoint], 9000)
    assert variables == {
        "MON_TINY_URL": "ws://127.0.0.1:9000/tiny",
        "MON_TINY_REST_URL": "http://127.0.0.1:9000/tiny",
    }

    async def asked(*faults: str) -> list[tuple[int, str | None, str]]:
        found = []
        async with (
            Simulator([Endpoint], faults=[parse_fault(fault) for fault in faults]) as simulator,
            aiohttp.ClientSession() as http,
        ):
            base = simulator.rest_url("tiny")
            for method, path in (("GET", "/symbols?from=0"), ("POST", "/orders/7"), ("GET", "/orders/7")):
                async with http.request(method, base + path, data=b"body") as answer:
                    found.append((answer.status, answer.headers.get("Retry-After"), await answer.text()))
        return found

    listed, ordered, other = asyncio.run(asked())
    assert (listed[0], json.loads(listed[2])) == (200, ROWS[:2])
    assert ordered == (429, "3", "slow down")
    assert other[0] == 405
    request = Endpoint.seen[-1]
    assert (request.method, request.path["id"], request.body) == ("POST", "7", b"body")
    assert {one[0] for one in asyncio.run(asked("refuse:503"))} == {503, 405}


def test_a_request_of_an_entry_without_an_address(mon: Mon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no address is set or built in, what is missing is said before anything is asked."""
    monkeypatch.setattr(type(TINY), "environments", {"production": ""})
    code, _, err = mon("symbols", "tiny")
    assert code == 3
    assert "tiny has no address of its own: set MON_TINY_URL" in err
    assert not Endpoint.seen


@pytest.mark.parametrize("found", [None, 7, "BTC-USD", {"BTC-USD": 1}])
def test_what_is_no_list_is_none_of_symbols(found: Any) -> None:
    settings, nobody = Settings("wss://v.example"), SimpleNamespace()
    listing = Listing(
        TINY,
        settings,
        clock=ManualClock(),
        random=lambda: 0.5,
        redactor=Redactor(),
        fetcher=nobody,
        fetch_secrets=nobody,
    )  # type: ignore[arg-type]
    with pytest.raises(VenueUnreachable, match=f"expected a list of instruments, got {type(found).__name__}"):
        listing.checked(found)
