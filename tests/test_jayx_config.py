"""JayX's configuration: a key for the account only, scales by symbol, and options that only JayX has."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from cli.commands import config_check
from cli.run.asked import asked_for
from cli.run.options import StreamRequest
from cli.settings import config, config_text
from venues.errors import SetupError, UsageError
from venues.jayx import JAYX
from venues.recording import Recording
from venues.venue import Notice, Now, Subscription

if TYPE_CHECKING:
    from pathlib import Path

URL = "wss://v.example:8443"
SCALED = '[venues.jayx.symbols.BTCUSDT]\ntick_size = "0.01"\nlot_size = "0.000001"\n'


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "API_KEY", "CATEGORY", "FRAMING", "SYMBOLS", "STAGING_API_KEY"):
        monkeypatch.delenv(f"MON_JAYX_{name}", raising=False)


def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str = "") -> config.Config:
    path = tmp_path / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    monkeypatch.setenv("MON_CONFIG", str(path))
    return config.load()


@pytest.mark.parametrize("stream", JAYX.streams)
def test_only_the_account_needs_a_key(stream: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = configured(tmp_path, monkeypatch)
    if stream in ("orders", "positions", "balance"):
        with pytest.raises(SetupError, match=r"jayx needs its api_key .*MON_JAYX_STAGING_API_KEY"):
            found.access(JAYX, "staging", None, [stream])
        monkeypatch.setenv("MON_JAYX_STAGING_API_KEY", "k")
        assert asyncio.run(found.access(JAYX, "staging", None, ["book", stream]).fetch()) == {"api_key": "k"}
    else:
        monkeypatch.setenv("MON_JAYX_STAGING_API_KEY", "k")
        assert asyncio.run(found.access(JAYX, "staging", None, [stream]).fetch()) == {}


def test_production_has_no_known_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = configured(tmp_path, monkeypatch, f'[venues.jayx]\nurl = "{URL}"\n')
    assert found.access(JAYX, None, None, ["book"]).settings.url == URL
    with pytest.raises(SetupError, match=r"MON_JAYX_URL.*--env staging"):
        configured(tmp_path, monkeypatch).access(JAYX, None, None, ["book"])


def test_values_from_the_file_and_from_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = configured(tmp_path, monkeypatch, f'[venues.jayx]\nurl = "{URL}"\nframing = "bare"\n{SCALED}')
    scales: dict[str, Any] = {"BTCUSDT": {"tick_size": "0.01", "lot_size": "0.000001"}}
    assert found.access(JAYX, None, None, ["book"]).settings.values == {"framing": "bare", "symbols": scales}
    monkeypatch.setenv("MON_JAYX_SYMBOLS", json.dumps(scales))
    monkeypatch.setenv("MON_JAYX_CATEGORY", "linear")
    values = found.access(JAYX, None, None, ["book"]).settings.values
    assert values == {"category": "linear", "framing": "bare", "symbols": json.dumps(scales)}


@pytest.mark.parametrize(
    ("environment", "table", "missing"),
    [
        (None, "venues.jayx", "tick_size, lot_size"),
        ("staging", "venues.jayx.staging", "tick_size, lot_size"),
        ("staging", "venues.jayx.staging", "lot_size"),
    ],
)
def test_how_to_scale_is_told_as_it_works_in_that_environment(
    environment: str | None, table: str, missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def notices(text: str) -> list[Any]:
        found = configured(tmp_path, monkeypatch, f'[{table}]\nurl = "wss://v.example"\nframing = "bare"\n{text}')
        settings = found.access(JAYX, environment, None, ["book"]).settings
        (line,) = JAYX.routes([Subscription("book", ("BTCUSDT",))], settings)
        return [item for item in line.session({}).opened(Now(0.0, 0)) if isinstance(item, Notice)]

    tick = f'[{table}.symbols.BTCUSDT]\ntick_size = "0.01"\n'
    raw = " and ".join(word for key, word in (("tick", "prices"), ("lot", "sizes")) if key in missing)
    said = Notice(f"set {missing}: [{table}.symbols.BTCUSDT]; until then {raw} are raw integers")
    assert notices("" if "tick" in missing else tick) == [said]
    assert notices(f'{tick}lot_size = "1"\n') == []


def test_the_simulator_knows_its_own_scales_better(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = configured(tmp_path, monkeypatch, f'[venues.jayx]\nurl = "{URL}"\ncategory = "linear"\n{SCALED}')
    given = {"api_key": "sim", "symbols": {"BTCUSDT": {"tick_size": "5"}}}
    access = found.simulated(JAYX, "ws://127.0.0.1:1/jayx", given, None)
    assert access.settings.values == {"category": "linear", "symbols": given["symbols"]}
    assert asyncio.run(access.fetch()) == {"api_key": "sim"}


@pytest.mark.parametrize(
    "text",
    [
        '[venues.jayx.symbols.BTCUSDT]\ntick_size = "0"\n',
        "[venues.jayx.symbols.BTCUSDT]\ntick_size = 0.01\n",
        '[venues.jayx.symbols.BTCUSDT]\nlot_size = "NaN"\n',
        '[venues.jayx.symbols]\nBTCUSDT = "0.01"\n',
        '[venues.jayx]\nframing = "raw"\n',
    ],
)
def test_what_cannot_be_used_is_said_with_its_place(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = configured(tmp_path, monkeypatch, text)
    monkeypatch.setenv("MON_JAYX_URL", URL)
    with pytest.raises(SetupError, match=r"of jayx, got .*under \[venues\.jayx\] in .*config\.toml"):
        found.access(JAYX, None, None, ["book"])
    lines, sound = config_check.check(found, print)
    assert not sound
    assert any("of jayx, got" in line for line in lines)


def test_check_and_show_tell_the_scales_and_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f'[venues.jayx]\nurl = "{URL}"\napi_key = "s3cret-key"\n{SCALED}'
    found = configured(tmp_path, monkeypatch, f"{text}[profiles.symbols.venues.jayx]\napi_key = 'other-s3cret'\n")
    lines, sound = config_check.check(found, print)
    assert sound
    assert f"  symbols: BTCUSDT (symbols under [venues.jayx] in {found.path})" in lines
    shown = config_text.shown(found, print)
    assert SCALED.strip() in shown
    assert "s3cret" not in shown
    assert "s3cret" not in "".join(lines)


# --- options -------------------------------------------------------------------------------------------------------


def request(stream: str, venue: str, symbol: str, **more: Any) -> StreamRequest:
    made = StreamRequest(venue, [symbol], **more)
    made.stream = stream
    return made


def test_the_grouping_reaches_the_subscription() -> None:
    _, subscription = asked_for(request("book", "jayx", "BTCUSDT", own={"precise": "100"}), None)
    assert subscription.options == {"precise": "100"}
    _, subscription = asked_for(request("book", "jayx", "BTCUSDT"), None)
    assert subscription.options == {}


@pytest.mark.parametrize(("venue", "symbol"), [("nexus", "SPOT_BTC_USDT"), ("b2trader", "spot.btc_usdt")])
def test_the_grouping_is_not_for_every_venue(venue: str, symbol: str) -> None:
    with pytest.raises(UsageError, match=f"--precise does not apply to book of {venue}"):
        asked_for(request("book", venue, symbol, own={"precise": "1"}), None)


def recording(tmp_path: Path, stream: str, **more: Any) -> Recording:
    subscription = {"stream": stream, "symbols": ["BTCUSDT"], **more}
    header = {"kind": "recording", "version": 1, "venue": "jayx", "url": URL, "subscriptions": [subscription]}
    path = tmp_path / "recording.jsonl"
    path.write_text(json.dumps(header) + "\n")
    return Recording(path)


def test_a_recording_keeps_what_the_venue_was_asked_with(tmp_path: Path) -> None:
    candles = recording(tmp_path, "candles", interval="5m")
    assert asked_for(request("candles", "jayx", "BTCUSDT"), candles)[1].interval == "5m"
    assert asked_for(request("candles", "jayx", "BTCUSDT", interval="5m"), candles)[1].interval == "5m"
    with pytest.raises(UsageError, match="recorded with --interval 5m"):
        asked_for(request("candles", "jayx", "BTCUSDT", interval="1m"), candles)
    book = recording(tmp_path, "book", options={"precise": "10"})
    assert asked_for(request("book", "jayx", "BTCUSDT"), book)[1].options == {"precise": "10"}
    with pytest.raises(UsageError, match="recorded with --precise 10"):
        asked_for(request("book", "jayx", "BTCUSDT", own={"precise": "1"}), book)
    with pytest.raises(UsageError, match="recorded with no --precise"):
        asked_for(request("book", "jayx", "BTCUSDT", own={"precise": "1"}), recording(tmp_path, "book"))
