"""What the package offers without a server, and what it may import."""

from __future__ import annotations

import ast
import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

import venues.simulator
from tests.simulated import Simulator, environment
from venues import VENUES
from venues.simulated import markets
from venues.simulator import Fault, FaultError, parse_fault

ROOT = Path(venues.simulator.__file__).parents[2]
SOURCES = sorted(Path(venues.simulator.__file__).parent.glob("*.py"))


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys; from venues.simulated import endpoints, markets; "
        "from venues.simulator import environment, parse_fault; "
        "environment(endpoints(), 1); markets('jayx'); "
        "print(sorted({'aiohttp', 'asyncio', 'websockets', 'socketio', 'engineio'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert said.stdout == "[]\n"


def test_it_knows_nothing_of_the_client() -> None:
    assert SOURCES
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, source
                names = [node.module or ""]
            for name in names:
                ours = name.split(".")[0] in ("venues", "cli")
                assert not ours or "simulator" in name.split("."), (source, name)


def test_everything_it_says_it_offers_is_there() -> None:
    for name in venues.simulator.__all__:
        assert getattr(venues.simulator, name).__name__ == name
    with pytest.raises(AttributeError, match="nonsense"):
        _ = venues.simulator.nonsense


def test_the_environment_points_at_every_venue() -> None:
    assert environment(4711) == {
        "MON_NEXUS_URL": "ws://127.0.0.1:4711/nexus",
        "MON_NEXUS_CLIENT_KEY": "sim-nexus-client-key",
        "MON_B2TRADER_URL": "ws://127.0.0.1:4711/b2trader",
        "MON_B2TRADER_TOKEN": "sim-b2trader-token",
        "MON_B2TRADER_ACCOUNT_ID": "64a1f0c2b7d94e0012ab34cd",
        "MON_JAYX_URL": "ws://127.0.0.1:4711/jayx",
        "MON_JAYX_API_KEY": "sim-jayx-api-key",
        "MON_JAYX_SYMBOLS": (
            '{"BTCUSDT": {"tick_size": "0.01", "lot_size": "0.0001"}, '
            '"ETHUSDT": {"tick_size": "0.01", "lot_size": "0.001"}, '
            '"SOLUSDT": {"tick_size": "0.001", "lot_size": "0.01"}}'
        ),
        "MON_NBT_URL": "ws://127.0.0.1:4711/nbt",
        "MON_NBT_KEY": "sim-nbt-key",
        "MON_PROFITVIEW_URL": "ws://127.0.0.1:4711/profitview",
        "MON_PROFITVIEW_API_KEY": "sim-profitview-api-key",
        "MON_KRAKEN_URL": "ws://127.0.0.1:4711/kraken",
        "MON_WOOX_URL": "ws://127.0.0.1:4711/woox",
        "MON_WOOX_REST_URL": "http://127.0.0.1:4711/woox",
    }
    assert markets("b2trader") == ["spot.btc_usdt", "spot.eth_usdt", "spot.sol_usdt"]
    assert markets("jayx") == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert markets("nbt") == []
    assert markets("nexus") == ["SPOT_BTC_USDT", "SPOT_ETH_USDT", "SPOT_SOL_USDT"]
    with pytest.raises(ValueError, match=f"expected a simulated venue, one of {', '.join(VENUES)}; got 'nowhere'"):
        markets("nowhere")


def test_a_simulator_has_its_credentials_before_and_its_address_after_the_start() -> None:
    simulator = Simulator()
    assert simulator.credentials("nexus") == {"client_key": "sim-nexus-client-key"}
    with pytest.raises(RuntimeError, match="no port before"):
        simulator.url("nexus")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("drop", Fault("drop", 5.0)),
        ("drop:500ms", Fault("drop", 0.5)),
        ("stall", Fault("stall", 5.0)),
        ("stall:2m", Fault("stall", 120.0)),
        ("garbage", Fault("garbage", 1.0)),
        ("garbage:1.5s", Fault("garbage", 1.5)),
        ("refuse", Fault("refuse", code=403)),
        ("refuse:503", Fault("refuse", code=503)),
        ("flap", Fault("flap")),
        ("gap", Fault("gap", 5.0)),
        ("gap:20ms", Fault("gap", 0.02)),
        ("skip", Fault("skip", 1.0)),
        ("skip:200ms", Fault("skip", 0.2)),
        ("close", Fault("close", 5.0)),
        ("expel:2s", Fault("expel", 2.0)),
        ("checksum", Fault("checksum", 5.0)),
        ("halt:300ms", Fault("halt", 0.3)),
        ("mute:1s", Fault("mute", 1.0)),
        ("lag:7s", Fault("lag", 7.0)),
    ],
)
def test_faults_are_read(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "",
            r"expected a fault, one of drop\[:5s\], stall\[:5s\], gap\[:5s\], skip\[:1s\], garbage\[:1s\], "
            r"refuse\[:CODE\], flap, close\[:5s\], expel\[:5s\], checksum\[:5s\], halt\[:5s\], mute\[:5s\], "
            r"lag\[:5s\]; got ''",
        ),
        ("dorp", "expected a fault, one of .*; got 'dorp'"),
        ("Drop", "got 'Drop'"),
        ("gap:0s", "expected a duration above 0"),
        ("drop:", "expected a duration above 0 like 500ms, 5s or 2m"),
        ("drop:5", "expected a duration"),
        ("drop:0s", "expected a duration above 0"),
        ("drop:-1s", "expected a duration"),
        ("drop:1h", "expected a duration"),
        ("drop:٥s", "expected a duration"),
        ("drop:nans", "expected a duration"),
        ("refuse:399", "expected an HTTP status from 400 to 599"),
        ("refuse:600", "expected an HTTP status"),
        ("refuse:", "expected an HTTP status"),
        ("flap:1s", "expected flap without a parameter"),
    ],
)
def test_what_is_no_fault_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(FaultError, match=said) as caught:
        parse_fault(text)
    assert "\n" not in str(caught.value)


def test_who_does_not_speak_http_is_answered_and_not_told_of(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> bytes:
        async with Simulator() as simulator:
            receiver, sender = await asyncio.open_connection("127.0.0.1", simulator.port)
            sender.write(b"this is no HTTP\r\n\r\n")
            answer = await receiver.read()
            sender.close()
            return answer

    assert asyncio.run(test()).startswith(b"HTTP/1.0 400")
    assert caplog.records == []
