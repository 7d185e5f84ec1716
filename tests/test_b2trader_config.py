"""B2TRADER's configuration: its own host, a token, an account id that is no secret."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from cli.commands import config_check
from cli.settings import config, config_text
from venues.b2trader import B2TRADER
from venues.errors import SetupError

if TYPE_CHECKING:
    from pathlib import Path

URL = "wss://trade.broker.example"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "TOKEN", "ACCOUNT_ID", "ROOT_ASSET", "NEGOTIATE", "VERSIONS"):
        monkeypatch.delenv(f"MON_B2TRADER_{name}", raising=False)


def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str = "") -> config.Config:
    path = tmp_path / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    monkeypatch.setenv("MON_CONFIG", str(path))
    return config.load()


def test_everything_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("URL", URL), ("TOKEN", "t"), ("ACCOUNT_ID", "a1"), ("NEGOTIATE", "true")):
        monkeypatch.setenv(f"MON_B2TRADER_{name}", value)
    access = configured(tmp_path, monkeypatch).access(B2TRADER, None, None)
    assert access.settings.url == URL
    assert access.settings.values == {"account_id": "a1", "negotiate": "true"}
    assert asyncio.run(access.fetch()) == {"token": "t"}


def test_everything_from_the_file_and_a_second_account_from_a_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"""
        [venues.b2trader]
        url = "{URL}"
        account_id = "a1"
        token_command = ["echo", "tok"]
        root_asset = "USD"
        negotiate = true
        [profiles.second.venues.b2trader]
        account_id = "a2"
    """
    known = configured(tmp_path, monkeypatch, text)
    values = known.access(B2TRADER, None, None).settings.values
    assert values == {"account_id": "a1", "root_asset": "USD", "negotiate": True}
    access = known.access(B2TRADER, None, "second")
    assert access.settings.values["account_id"] == "a2"
    assert asyncio.run(access.fetch()) == {"token": "tok"}
    shown = config_text.shown(known, print)
    assert 'account_id = "a1"' in shown


def test_the_host_is_each_brokers_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SetupError, match="b2trader has no address of its own: set MON_B2TRADER_URL, or url under"):
        configured(tmp_path, monkeypatch).access(B2TRADER, None, None)


def test_a_missing_account_id_names_both_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MON_B2TRADER_URL", URL)
    monkeypatch.setenv("MON_B2TRADER_TOKEN", "t")
    known = configured(tmp_path, monkeypatch)
    with pytest.raises(SetupError) as error:
        known.access(B2TRADER, None, None)
    assert "set MON_B2TRADER_ACCOUNT_ID, or account_id under [venues.b2trader] in" in str(error.value)
    lines, _ = config_check.check(known, print)
    assert "  account_id: missing (MON_B2TRADER_ACCOUNT_ID or the config file)" in lines


def test_what_is_set_is_shown_and_the_token_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MON_B2TRADER_TOKEN", "very-secret")
    monkeypatch.setenv("MON_B2TRADER_ACCOUNT_ID", "a1")
    known = configured(tmp_path, monkeypatch, f'[venues.b2trader]\nurl = "{URL}"\ntoken = "also-secret"')
    said = config_text.shown(known, print) + "\n".join(config_check.check(known, print)[0])
    assert "MON_B2TRADER_ACCOUNT_ID is set: a1" in said
    assert "secret" not in said


def test_the_simulator_has_its_own_account_and_keeps_the_users_other_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MON_B2TRADER_TOKEN", "mine")
    monkeypatch.setenv("MON_B2TRADER_ACCOUNT_ID", "mine")
    monkeypatch.setenv("MON_B2TRADER_ROOT_ASSET", "USD")
    known = configured(tmp_path, monkeypatch)
    access = known.simulated(B2TRADER, "ws://127.0.0.1:1/b2trader", {"token": "t", "account_id": "a"}, None)
    assert access.settings.values == {"account_id": "a", "root_asset": "USD"}
    assert asyncio.run(access.fetch()) == {"token": "t"}


def test_that_versions_grow_is_shown_by_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f'[venues.b2trader]\nurl = "{URL}"\naccount_id = "a"\ntoken = "t"\nversions = "growing"\n'
    known = configured(tmp_path, monkeypatch, text)
    lines, sound = config_check.check(known, print)
    assert f"  versions: growing (versions under [venues.b2trader] in {known.path})" in lines
    assert sound
    assert 'versions = "growing"' in config_text.shown(known, print)
    settings = known.access(B2TRADER, None, None).settings
    assert settings.values["versions"] == "growing"
    assert settings.table == "venues.b2trader"


@pytest.mark.parametrize("value", ['"grow"', '"GROWING"', "true", "1"])
def test_versions_of_another_kind_are_refused(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines, sound = config_check.check(
        configured(tmp_path, monkeypatch, f"[venues.b2trader]\nversions = {value}\n"), print
    )
    assert not sound
    assert any("versions" in line and "expected" in line for line in lines)
