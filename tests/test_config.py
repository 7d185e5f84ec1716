"""Where values come from, what may be connected to, and what a wrong configuration is answered."""

from __future__ import annotations

import ast
import asyncio
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.commands import config_check
from cli.settings import config, config_text, credentials
from tests.warmed import run
from venues import VENUES, venue_named
from venues.errors import SetupError, UsageError
from venues.toolkit.addresses import is_loopback

if TYPE_CHECKING:
    pass

ROOT = Path(__file__).parents[1]
NEXUS = venue_named("nexus")

DESIGN = """\
[venues.nexus]
client_key_command = ["pass", "show", "nexus"]
[venues.nexus.staging]                 # an environment has its own credentials; production's are never sent to it
client_key_file = "~/.secrets/nexus-staging"
[venues.b2trader]
url = "wss://trade.broker.example"
account_id = "67d0456f8c7b1108e4cf5d46"
token_command = ["broker-login", "--print-token"]
root_asset = "USD"
[venues.jayx.symbols.BTCUSDT]
tick_size = "0.01"
lot_size = "0.000001"
[profiles.second.venues.b2trader]
account_id = "…"
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment with nothing of the machine's in it."""
    for name in list(os.environ):
        if name.startswith("MON_") or name.upper().endswith("_PROXY") or name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MON_CONFIG", str(tmp_path / "mon.toml"))
    (tmp_path / "mon.toml").touch(0o600)
    return tmp_path


def write(text: str | bytes) -> config.Config:
    """The configuration as it is read from a file with this text."""
    path = config.config_path()
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(0o600)
    return config.load()


def refused(text: str | bytes) -> str:
    with pytest.raises(SetupError) as caught:
        write(text)
    return str(caught.value)


def key_of(text: str = "", environment: str | None = None, profile: str | None = None) -> str:
    access = write(text).access(NEXUS, environment, profile)
    return asyncio.run(access.fetch())["client_key"]


def no_key(text: str = "", environment: str | None = None) -> str:
    with pytest.raises(SetupError) as caught:
        key_of(text, environment)
    return str(caught.value)


def command(*words: str) -> str:
    return f"[venues.nexus]\nclient_key_command = {list(words)!r}\n"


def shell(script: str) -> str:
    return f"[venues.nexus]\nclient_key_command = ['/bin/sh', '-c', '''{script}''']\n"


# --- what comes first


def test_environment_then_profile_then_config(monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[venues.nexus]\nclient_key = "of config"\n'
    text += '[profiles.second.venues.nexus]\nclient_key_command = ["echo", "of profile"]\n'
    assert key_of(text) == "of config"
    assert key_of(text, profile="second") == "of profile"
    monkeypatch.setenv("MON_NEXUS_CLIENT_KEY", "of environment")
    assert key_of(text, profile="second") == "of environment"
    monkeypatch.setenv("MON_NEXUS_CLIENT_KEY", "")
    assert key_of(text, profile="second") == "of profile"


def test_a_profile_adds_to_the_config() -> None:
    text = '[venues.nexus]\nclient_key = "of config"\n[profiles.second.venues.nexus]\nurl = "wss://second.example"\n'
    assert key_of(text, profile="second") == "of config"
    assert config.load().access(NEXUS, None, "second").settings.url == "wss://second.example"


def test_an_environment_has_its_own_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MON_NEXUS_CLIENT_KEY", "production's")
    text = '[venues.nexus]\nclient_key = "production\'s too"\n[profiles.p.venues.nexus]\nclient_key = "and this"\n'
    message = no_key(text, "staging")
    assert "MON_NEXUS_STAGING_CLIENT_KEY" in message
    assert "[venues.nexus.staging]" in message
    assert key_of(text + '[venues.nexus.staging]\nclient_key = "of staging"\n', "staging", "p") == "of staging"
    of_profile = text + '[profiles.p.venues.nexus.staging]\nclient_key = "of profile"\n'
    assert key_of(of_profile, "staging", "p") == "of profile"
    monkeypatch.setenv("MON_NEXUS_STAGING_CLIENT_KEY", "of environment")
    assert key_of(of_profile, "staging", "p") == "of environment"
    assert key_of(of_profile, "production") == "production's"


def test_a_missing_key_says_all_ways_out() -> None:
    message = no_key()
    for way in ("MON_NEXUS_CLIENT_KEY", "client_key_file", "client_key_command", "[venues.nexus]", "--env sim"):
        assert way in message


def test_the_simulator_gets_none_of_the_user_s_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MON_NEXUS_CLIENT_KEY", "production's")
    access = config.load().simulated(NEXUS, "ws://127.0.0.1:1", {"client_key": "simulated"}, None)
    assert asyncio.run(access.fetch()) == {"client_key": "simulated"}
    assert (access.settings.label, access.proxy) == ("sim", None)


@pytest.mark.parametrize("profile", ["third", "", "second.venues"])
def test_an_unknown_profile(profile: str) -> None:
    with pytest.raises(SetupError, match="second"):
        write(DESIGN).access(NEXUS, None, profile)


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("environment", ["stagin", "", "PRODUCTION", "staging "])
def test_an_unknown_environment_is_never_taken_for_production(
    environment: str, by_hand: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MON_NEXUS_CLIENT_KEY", "production's")
    if by_hand:
        monkeypatch.setenv("MON_NEXUS_URL", "wss://other.example")
    with pytest.raises(UsageError, match=r"production, staging, sim"):
        config.load().access(NEXUS, environment, None)


# --- the ways of a secret


def test_a_file(home: Path) -> None:
    (home / "key").write_bytes(b"  the key \r\nnot this\n")
    assert key_of('[venues.nexus]\nclient_key_file = "~/key"\n') == "the key"
    (home / "key").write_text("without newline")
    assert key_of('[venues.nexus]\nclient_key_file = "~/key"\n') == "without newline"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "got nothing"),
        (b"\nkey\n", "got nothing"),
        (b" \t \n", "got nothing"),
        (b"k\xe4y\n", "UTF-8"),
        (b"k\0y\n", "characters that none has"),
        (b"k\x1b[2Jy\n", "characters that none has"),
        ("k\N{ZERO WIDTH SPACE}y\n".encode(), "characters that none has"),
        (b"k" * 100_000, "at most"),
        (b"k" * 20_000 + b"\n", "at most"),
    ],
)
def test_a_file_with_no_key_in_it(home: Path, content: bytes, said: str) -> None:
    (home / "key").write_bytes(content)
    message = no_key('[venues.nexus]\nclient_key_file = "~/key"\n')
    assert said in message
    assert "client_key_file under [venues.nexus]" in message
    assert "kkk" not in message


@pytest.mark.parametrize(
    "name", ["~/nothing", "~/folder", "~/loop", "~nobody-of-that-name/key", "/dev/zero", "a\\u0000b", "", "~/pipe"]
)
def test_a_file_that_cannot_be_read(home: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "COMMAND_TIMEOUT", 0.2)
    (home / "folder").mkdir()
    (home / "loop").symlink_to(home / "loop")
    os.mkfifo(home / "pipe")  # nobody writes to it
    assert "client_key_file under [venues.nexus]" in no_key(f'[venues.nexus]\nclient_key_file = "{name}"\n')


def test_a_command_is_run_without_a_shell_each_time(home: Path) -> None:
    assert key_of(command("echo", "$HOME; `id` > x | y")) == "$HOME; `id` > x | y"
    counted = shell('echo x >> "$HOME/count"; grep -c x "$HOME/count"; echo "second line"')
    access = write(counted).access(NEXUS, None, None)
    assert [asyncio.run(access.fetch())["client_key"] for _ in range(3)] == ["1", "2", "3"]


def test_a_command_in_the_home_folder(home: Path) -> None:
    (home / "login").write_text("#!/bin/sh\necho key of a script\n")
    (home / "login").chmod(0o700)
    assert key_of(command("~/login")) == "key of a script"


def test_a_command_with_much_to_say() -> None:
    assert key_of(shell('echo "the key"; head -c 5000000 /dev/zero; head -c 5000000 /dev/zero >&2')) == "the key"


@pytest.mark.parametrize("left", ["sleep 600", "yes"])
def test_a_command_that_leaves_something_running(left: str, home: Path) -> None:
    begun = time.monotonic()
    assert key_of(shell(f'echo "the key"; {left} & echo $! > "$HOME/pid"')) == "the key"
    assert time.monotonic() - begun < credentials.COMMAND_TIMEOUT / 2


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("true", "got nothing"),
        ("echo; echo s3cret-k", "got nothing"),
        ("echo s3cret-k; echo s3cret-k >&2; exit 7", "exit code 7"),
        ("echo s3cret-k; kill -9 $$", "signal 9"),
        ("printf 's3cret-k\\344'", "UTF-8"),
        ("printf 's3cret-k\\033[0m'", "characters that none has"),
        ("head -c 100000 /dev/zero | tr '\\0' s", "at most"),
    ],
)
def test_a_command_that_fails(script: str, said: str) -> None:
    message = no_key(shell(script))
    assert said in message
    assert "client_key_command under [venues.nexus]" in message
    assert "s3cret" not in message


@pytest.mark.parametrize("program", ["no-such-program", "/dev/null", "~nobody-of-that-name/x", "/nowhere/x"])
def test_a_command_that_cannot_be_run(program: str) -> None:
    assert "client_key_command under [venues.nexus]" in no_key(command(program))


@pytest.mark.parametrize("script", ["exec sleep 600", "exec yes", "echo key; exec >&-; exec sleep 600"])
def test_a_command_has_a_deadline(script: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "COMMAND_TIMEOUT", 0.3)
    assert "within 0.3 s" in no_key(shell(f'echo $$ > "$HOME/pid"; {script}'))
    with pytest.raises(ProcessLookupError):  # and nothing is left of it
        os.kill(int((home / "pid").read_text()), 0)


def test_a_command_ends_when_nobody_waits_any_more(home: Path) -> None:
    os.mkfifo(home / "running")
    access = write(shell('echo $$ > "$HOME/running"; exec sleep 600')).access(NEXUS, None, None)

    async def leave() -> int:
        fetching = asyncio.create_task(access.fetch())
        pid = int(await asyncio.to_thread((home / "running").read_text))
        fetching.cancel()
        await asyncio.wait([fetching])
        return pid

    pid = asyncio.run(leave())  # also waits for its threads
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("value", ["two\nlines", "k\x7fy", "k\udce4y", "k\N{RIGHT-TO-LEFT OVERRIDE}y"])
def test_a_variable_that_is_no_key(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MON_NEXUS_CLIENT_KEY", value)
    message = no_key()
    assert "MON_NEXUS_CLIENT_KEY" in message
    assert "two" not in message


def test_no_representation_has_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MON_NEXUS_CLIENT_KEY", "s3cret-key")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:s3cret-pass@proxy.example")
    access = config.load().access(NEXUS, None, None)
    assert "s3cret" not in repr(access) + repr(access.secrets)


# --- addresses


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost", "localhost:1", "127.0.0.1", "127.255.3.4:80", "[::1]", "[::1]:9", "[::ffff:127.0.0.1]",
     "[0:0:0:0:0:0:0:1]"],
)  # fmt: skip
def test_this_machine(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_loopback(f"ws://{host}/ws")
    monkeypatch.setenv("MON_NEXUS_URL", f"ws://{host}")
    assert config.load().address(NEXUS, None, None) == (f"ws://{host}", f"custom:{host}")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1.evil.example", "localhost.evil.example", "evil.localhost", "localhost.", "localhost@evil.example",
     "127.0.0.1:80@evil.example", "evil.example#@localhost", "evil.example?@localhost", "evil.example\\@localhost",
     "2130706433", "0x7f000001", "017700000001", "127.1", "0", "0.0.0.0", "[::]", "[::2]", "[::1", "128.0.0.1", "",
     "１２７.0.0.1", "%6cocalhost", "[::ffff:10.0.0.1]", "localhost:x", "localhost:99999", "localhost:0",
     "local\thost", "localhost\n.evil.example", "10.0.0.1", "[::1].evil.example"],
)  # fmt: skip
def test_not_this_machine(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if host not in ("localhost:x", "localhost:99999", "localhost:0", "evil.example\\@localhost"):
        assert not is_loopback(f"ws://{host}/ws")
    monkeypatch.setenv("MON_NEXUS_URL", f"ws://{host}")
    with pytest.raises(SetupError, match="MON_NEXUS_URL") as caught:
        config.load().address(NEXUS, None, None)
    assert "evil" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["ftp://h.example", "h.example", "//h.example", "wss:h.example", "wss://", "wss:///path", "file:///etc/passwd",
     "wss://user:s3cret@h.example", "wss://s3cret@h.example", "wss://h.example?key=s3cret", "wss://h.example/#s3cret",
     "wss://h.example?", "wss://h.example/#", "wss://h .example", "wss://h.example/\x1b[2J", "wss://a..b.example",
     f"wss://{'x' * 70}.example", "wss://h.example:0", "wss://h.example:65536", "wss://h.example:-1", "wss://[::1",
     "wss://[::1].h.example", " "],
)  # fmt: skip
def test_an_address_that_cannot_be_used(url: str) -> None:
    text = f"[venues.nexus]\nurl = {config_text._toml(url)}\n"
    with pytest.raises(SetupError, match=r"url under \[venues.nexus\]") as caught:
        write(text).address(NEXUS, None, None)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "taken", "label"),
    [
        ("wss://h.example", "wss://h.example", "custom:h.example"),
        ("https://h.example:8443/hub/", "wss://h.example:8443/hub/", "custom:h.example:8443"),
        ("HTTP://127.0.0.1:9000", "ws://127.0.0.1:9000", "custom:127.0.0.1:9000"),
        ("WSS://H.example", "wss://H.example", "custom:H.example"),
        (" wss://h.example ", "wss://h.example", "custom:h.example"),
        ("wss://bücher.example/ü", "wss://bücher.example/ü", "custom:bücher.example"),
    ],
)
def test_an_address_set_by_hand_comes_first(
    given: str, taken: str, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '[venues.nexus]\nurl = "wss://config.example"\n'
    assert write(text).address(NEXUS, None, None) == ("wss://config.example", "custom:config.example")
    monkeypatch.setenv("MON_NEXUS_URL", given)
    assert config.load().address(NEXUS, None, None) == (taken, label)
    assert config.load().address(NEXUS, "staging", None) == (taken, label)
    monkeypatch.setenv("MON_NEXUS_STAGING_URL", "wss://staging.example")
    assert config.load().address(NEXUS, "staging", None) == ("wss://staging.example", "custom:staging.example")


def test_addresses_that_are_built_in() -> None:
    assert config.load().address(NEXUS, None, None) == (NEXUS.environments["production"], None)
    assert config.load().address(NEXUS, "staging", None) == (NEXUS.environments["staging"], "staging")
    assert all(url.startswith("wss://") for url in NEXUS.environments.values())


# --- proxies

FAR = "wss://venue.example/hub"


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_from_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://not-this.example")
    assert config.load().proxy(FAR) is None
    monkeypatch.setenv(name, "http://me:pass@proxy.example:3128")
    assert config.load().proxy(FAR) == "http://me:pass@proxy.example:3128"
    monkeypatch.setenv(name, "proxy.example:3128")
    assert config.load().proxy(FAR) == "http://proxy.example:3128"
    assert write('proxy = "http://of-config.example"\n').proxy(FAR) == "http://of-config.example"
    assert write('proxy = ""\n').proxy(FAR) is None


@pytest.mark.parametrize("url", ["ws://localhost:1", "ws://127.9.9.9", "ws://[::1]", "wss://127.0.0.1/ws"])
def test_no_proxy_for_this_machine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example")
    assert write('proxy = "http://proxy.example"\n').proxy(url) is None


@pytest.mark.parametrize(
    ("exceptions", "used"),
    [("venue.example", False), (".example", False), ("*", False), ("other.example, venue.example", False),
     ("venue.example:443", False), ("venue.example:444", True), ("my-venue.example", True)],
)  # fmt: skip
def test_no_proxy_is_respected(exceptions: str, used: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", exceptions)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    assert (config.load().proxy(FAR) is not None) is used
    assert (write('proxy = "http://proxy.example"\n').proxy(FAR) is not None) is used


@pytest.mark.parametrize(
    "proxy",
    ["ftp://s3cret@proxy.example", "http://", "http://me:s3cret@", "http://me:s3cret@proxy.example/path",
     "http://s3cret@proxy.example", "http://me:s3cret@proxy.example:x", "http://me:s3%ffcret@proxy.example",
     "http://me:s3cret@a..b", "http://me:s3cret\n@proxy.example"],
)  # fmt: skip
def test_a_proxy_that_cannot_be_used(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(SetupError, match="HTTPS_PROXY") as caught:
        config.load().proxy(FAR)
    assert "s3cret" not in str(caught.value)
    with pytest.raises(SetupError, match="proxy in ") as caught:
        write(f"proxy = {config_text._toml(proxy)}\n").proxy(FAR)
    assert "s3cret" not in str(caught.value)


# --- the file


def test_the_example_of_the_design_loads(home: Path) -> None:
    (home / ".secrets").mkdir()
    (home / ".secrets" / "nexus-staging").write_text("staging's key\n")
    assert key_of(DESIGN, "staging", "second") == "staging's key"
    assert "cannot run pass" in no_key(DESIGN) or "pass (" in no_key(DESIGN)


def test_no_file_is_fine_unless_it_was_asked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MON_NEXUS_CLIENT_KEY", "a key")
    monkeypatch.delenv("MON_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "none"))
    assert config.load().access(NEXUS, None, None).settings.label is None
    monkeypatch.setenv("MON_CONFIG", str(home / "none.toml"))
    with pytest.raises(SetupError, match="MON_CONFIG"):
        config.load().access(NEXUS, None, None)
    assert config.load().simulated(NEXUS, "ws://127.0.0.1:1", {}, None).settings.label == "sim"


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o601, 0o777])
def test_a_file_open_to_others_is_refused_with_what_mends_it(home: Path, mode: int) -> None:
    path = home / "my config's.toml"
    path.touch()
    path.chmod(mode)
    os.environ["MON_CONFIG"] = str(path)  # the fixture puts it back
    with pytest.raises(SetupError) as caught:
        config.load()
    mending = str(caught.value).rpartition("run: ")[2]
    assert mending.startswith("chmod 600 ")
    subprocess.run(["/bin/sh", "-c", mending], check=True)
    config.load()


@pytest.mark.parametrize("name", ["/dev/null", "", "~/mon.toml"])
def test_a_file_named_in_another_way(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MON_CONFIG", name)
    assert config.load().data == {}


@pytest.mark.parametrize("name", ["~/", "~/loop", "~/mon.toml/x", "~nobody-of-that-name/x", "/dev/zero"])
def test_a_file_that_is_none(home: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "loop").symlink_to(home / "loop")
    monkeypatch.setenv("MON_CONFIG", name)
    with pytest.raises(SetupError):
        config.load()


def test_a_file_that_we_may_not_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root, as whom CI runs, may read everything
    with pytest.raises(SetupError, match="Permission denied"):
        config.load()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[venues.nexus\n", "not TOML"),
        ('client_key = "s3cret\n', "not TOML"),
        ("a = " + "9" * 5000, "not TOML"),
        ("a = " + "[" * 5000, "nested too deeply"),
        (b'# k\xe4\n[venues.nexus]\nclient_key = "s3cret"\n', "UTF-8"),
        ("#" * 2_000_000, "at most"),
        ('client_key = "s3cret"\n', "got client_key, which is not known"),
        ('[venues.nexus]\nclientkey = "s3cret"\n', "client_key, client_key_command, client_key_file"),
        ('[venues.nexus.stagin]\nclient_key = "s3cret"\n', "staging"),
        ('[venues.nexus.staging]\nkey = "s3cret"\n', "[venues.nexus.staging]"),
        ('[venues.nexus.staging.staging]\nclient_key = "s3cret"\n', "[venues.nexus.staging]"),
        ('[profiles.p.venues.nexus]\nkey = "s3cret"\n', "[profiles.p.venues.nexus]"),
        ('[profiles.p]\nproxy = "http://s3cret.example"\n', "[profiles.p]"),
        ("[venues.nexus]\nclient_key = 5353\n", "expected text as client_key"),
        ("[venues.nexus]\nclient_key = true\n", "got true or false"),
        ("[venues.nexus]\nclient_key = 2024-01-01\n", "got a date or time"),
        ("[venues.nexus]\nclient_key = ['s3cret']\n", "got a list"),
        ("[venues.nexus.client_key]\nx = 's3cret'\n", "got a table"),
        ("[venues.nexus]\nclient_key_file = ['s3cret']\n", "expected text as client_key_file"),
        ("[venues.nexus]\nclient_key_command = 'echo s3cret'\n", "expected a list of words"),
        ("[venues.nexus]\nclient_key_command = []\n", "expected a list of words"),
        ("[venues.nexus]\nclient_key_command = ['']\n", "expected a list of words"),
        ("[venues.nexus]\nclient_key_command = ['echo', 5]\n", "expected a list of words"),
        ("[venues.nexus]\nurl = ['wss://s3cret.example']\n", "expected text as url"),
        ("[venues.nexus]\nclient_key = 's3cret'\nclient_key_file = '~/x'\n", "expected one of"),
        ("proxy = ['http://me:s3cret@proxy.example']\n", "expected text as proxy"),
        ("venues = 's3cret'\n", "expected a table [venues]"),
        ("[venues]\nnexus = 's3cret'\n", "expected a table [venues.nexus]"),
        ("[venues.nexus]\nstaging = 's3cret'\n", "expected a table [venues.nexus.staging]"),
        ("profiles = 's3cret'\n", "expected a table [profiles]"),
        ("[profiles]\np = 's3cret'\n", "expected a table [profiles.p]"),
        ("[profiles.p]\nvenues = 's3cret'\n", "expected a table [venues]"),
    ],
)  # fmt: skip
def test_a_file_with_something_wrong_in_it(home: Path, text: str | bytes, said: str) -> None:
    message = refused(text)
    assert said in message
    assert str(home / "mon.toml") in message
    assert "s3cret" not in message
    assert "\n" not in message


def test_a_file_as_other_editors_write_it() -> None:
    assert key_of('\ufeff[venues.nexus]\r\nclient_key = "a key"\r\n') == "a key"


@pytest.mark.parametrize("value", ["", "  ", "a\\nb", "a\\u0000b", "a\\u001bb"])
def test_a_value_that_is_no_key(value: str) -> None:
    assert "client_key under [venues.nexus]" in no_key(f'[venues.nexus]\nclient_key = "{value}"\n')


# --- mon config


def mon(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"HOME": str(home), "PATH": os.defpath, "LANG": "C.UTF-8"} | variables
    return run([sys.executable, "-m", "cli", *arguments], environment, cwd=ROOT)


def test_init_show_path_check(home: Path) -> None:
    where = mon(home, "config", "path").stdout.strip()
    assert Path(where).is_relative_to(home)
    assert "(not there" in mon(home, "config", "check").stdout
    made = mon(home, "config", "init")
    assert (made.returncode, made.stdout.strip()) == (0, where)
    assert stat.S_IMODE(Path(where).stat().st_mode) == 0o600
    again = mon(home, "config", "init")
    assert (again.returncode, again.stdout) == (3, "")
    assert "already" in again.stderr
    assert mon(home, "config", "show").returncode == 0
    assert mon(home, "config", "check").returncode == 0


def test_every_line_of_the_template_loads_without_its_hash() -> None:
    lines = [line.removeprefix("# ") for line in config_text.template(print).splitlines()]
    loaded = write("\n".join(line for line in lines if " = " in line or line.startswith("[")))
    assert [source.kind for source in loaded.access(NEXUS, "staging", "second").secrets.values()] == ["file"]


def test_init_says_what_is_in_its_way(home: Path) -> None:
    (home / "file").touch()
    failed = mon(home, "config", "init", MON_CONFIG=str(home / "file" / "mon.toml"))
    assert failed.returncode == 3
    assert "cannot make the folder" in failed.stderr


@pytest.mark.parametrize("symbol", ["SPOT_BTC_USDT"])
def test_a_book_without_a_key(home: Path, symbol: str) -> None:
    failed = mon(home, "book", "nexus", symbol)
    assert (failed.returncode, failed.stdout) == (3, "")
    for way in ("MON_NEXUS_CLIENT_KEY", "client_key_command under [venues.nexus]", "--env sim"):
        assert way in failed.stderr
    assert failed.stderr.count("mon: ") == 1
    assert "Traceback" not in failed.stderr


def test_unknown_environments_and_profiles_have_their_exit_codes(home: Path) -> None:
    assert mon(home, "book", "nexus", "SPOT_BTC_USDT", "--env", "nowhere").returncode == 2
    failed = mon(home, "book", "nexus", "SPOT_BTC_USDT", "--env", "sim", "--profile", "nobody")
    assert failed.returncode == 3
    assert "nobody" in failed.stderr


SECRET = 's3cret/"key'


def shown(text: str, monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return config_text.shown(write(text), print)


def test_show_never_prints_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(NEXUS), "values", {"account_id": "", "client_key": "a plain value elsewhere"})
    text = """
        proxy = "http://me:s3cret/p@ss@proxy.example"
        [venues.nexus]
        client_key = 's3cret/"key'
        account_id = "plain"
        url = "wss://h.example/ws/s3cret%2F%22key/x"
        [venues.nexus.staging]
        client_key_command = ["echo", "s3cret"]
        url = "wss://me:s3cret@h.example"
        [venues."of later"]
        token = "s3cret"
        token_command = "echo s3cret"
        api_key = ["s3cret"]
        key_file = "~/file"
        [[venues."of later".accounts]]
        token = "s3cret"
    """
    output = shown(text, monkeypatch, MON_NEXUS_CLIENT_KEY=SECRET, MON_NEXUS_URL=f"me:{SECRET}@h.example")
    assert "s3cret" not in output
    for kept in (
        'proxy = "http://[hidden]@proxy.example"',
        'account_id = "plain"',
        'client_key_command = ["echo", "[hidden]"]',
        '[venues."of later"]',
        'key_file = "~/file"',
        "# MON_NEXUS_CLIENT_KEY is set (hidden)",
        "# MON_NEXUS_URL is set: [hidden]@h.example",
    ):
        assert kept in output


def test_show_is_harmless_and_toml(monkeypatch: pytest.MonkeyPatch) -> None:
    output = shown('[venues.nexus]\nclient_key_file = "/tmp/a\\u001b[2J\\"\\\\b"\n', monkeypatch)
    assert "\x1b" not in output
    assert write("\n".join(line for line in output.splitlines())).data == {
        "venues": {"nexus": {"client_key_file": '/tmp/a\x1b[2J"\\b'}}
    }


def test_the_token_of_bots_is_a_secret_like_any(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = home / "token"
    file.write_text(f"{SECRET}\n", encoding="utf-8")
    source = write(f'[bot]\ntoken_file = "{file}"\n').bot_token()
    assert source is not None
    assert credentials.obtain("token", source) == SECRET
    assert source.origin == f"token_file under [bot] in {home / 'mon.toml'}"
    assert write("").bot_token() is None
    assert f'"{file}"' in shown(f'[bot]\ntoken_file = "{file}"\n', monkeypatch)
    hidden = shown('[bot]\ntoken = "s3cret"\n', monkeypatch, MON_BOT_TOKEN="fr0m-a-variable")
    assert "s3cret" not in hidden
    assert "fr0m" not in hidden
    assert "# MON_BOT_TOKEN is set (hidden)" in hidden
    set_by_variable = write('[bot]\ntoken = "s3cret"\n').bot_token()
    assert set_by_variable is not None
    assert set_by_variable.origin == "MON_BOT_TOKEN"
    assert checked("")[0].endswith("bot\n  token: set, from MON_BOT_TOKEN")
    monkeypatch.delenv("MON_BOT_TOKEN")
    broken, sound = checked(f'[bot]\ntoken_file = "{home / "none"}"\n')
    assert not sound
    assert "  token: cannot read the token from" in broken
    for text, said in (
        ('[bot]\nkey = "x"', "expected token, token_command, token_file under [bot]"),
        ("[bot]\ntoken = 1", "expected text as token under [bot]"),
        ('[bot]\ntoken = "a"\ntoken_file = "b"', "expected one of token and token_file under [bot]"),
        ("bot = 1", "expected a table [bot]"),
    ):
        assert said in refused(text)


def checked(text: str) -> tuple[str, bool]:
    lines, sound = config_check.check(write(text), print)
    return "\n".join(lines), sound


def test_check_says_what_is_set_from_where_and_what_is_missing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MON_NEXUS_CLIENT_KEY", SECRET)
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{SECRET.replace('/', '')}@proxy.example")
    output, sound = checked(
        '[venues.nexus]\nurl = "wss://by.hand.example"\n[venues.b2trader]\ntoken = "x"\n[venues.later]\n'
        '[profiles.second.venues.nexus.staging]\nclient_key_command = ["echo", "s3cret"]\n'
    )
    path = home / "mon.toml"
    assert sound
    assert (
        output
        == f"""\
config file: {path}
nexus production
  address: wss://by.hand.example (url under [venues.nexus] in {path})
  proxy: from HTTPS_PROXY
  client_key: set, from MON_NEXUS_CLIENT_KEY
nexus staging
  address: {NEXUS.environments["staging"]} (built in)
  proxy: from HTTPS_PROXY
  client_key: missing (MON_NEXUS_STAGING_CLIENT_KEY or the config file)
nexus sim
  nothing is needed
b2trader production
  url: missing (MON_B2TRADER_URL or the config file)
  account_id: missing (MON_B2TRADER_ACCOUNT_ID or the config file)
  token: set, from token under [venues.b2trader] in {path}
b2trader sim
  nothing is needed
jayx production
  url: missing (MON_JAYX_URL or the config file)
  api_key: missing (MON_JAYX_API_KEY or the config file; only orders, positions, balance need it)
jayx staging
  address: wss://stream.jayxstaging.com:8443 (built in)
  proxy: from HTTPS_PROXY
  api_key: missing (MON_JAYX_STAGING_API_KEY or the config file; only orders, positions, balance need it)
jayx sim
  nothing is needed
nbt production
  url: missing (MON_NBT_URL or the config file)
  key: missing (MON_NBT_KEY or the config file)
nbt sim
  nothing is needed
profitview production
  address: wss://profitview.net (built in)
  proxy: from HTTPS_PROXY
  api_key: missing (MON_PROFITVIEW_API_KEY or the config file)
profitview sim
  nothing is needed
kraken production
  address: wss://ws.kraken.com (built in)
  proxy: from HTTPS_PROXY
kraken beta
  address: wss://beta-ws.kraken.com (built in)
  proxy: from HTTPS_PROXY
kraken sim
  nothing is needed
woox production
  address: wss://wss.woox.io (built in)
  requests: https://api.woox.io (built in)
  proxy: from HTTPS_PROXY
woox staging
  address: wss://wss.staging.woox.io (built in)
  requests: https://api.staging.woox.io (built in)
  proxy: from HTTPS_PROXY
woox sim
  nothing is needed
[venues.later] is for a venue that this mon does not have: no built-in one ({", ".join(VENUES)}) \
and no plug-in's has that name
nexus production --profile second
  address: wss://by.hand.example (url under [venues.nexus] in {path})
  proxy: from HTTPS_PROXY
  client_key: set, from MON_NEXUS_CLIENT_KEY
nexus staging --profile second
  address: {NEXUS.environments["staging"]} (built in)
  proxy: from HTTPS_PROXY
  client_key: from client_key_command under [profiles.second.venues.nexus.staging] in {path} (not run)"""
    )


@pytest.mark.parametrize(
    "text",
    [
        '[venues.nexus]\nclient_key_command = ["no-such-program"]\n',
        '[venues.nexus]\nclient_key_file = "~/nothing"\n',
        '[venues.nexus.staging]\nclient_key = ""\n',
        '[venues.nexus]\nurl = "ws://h.example"\n',
        'proxy = "ftp://proxy.example"\n',
        '[profiles.p.venues.nexus]\nclient_key_file = "~/nothing"\n',
    ],
)
def test_check_finds_what_is_broken(text: str) -> None:
    assert not checked(text)[1]


def test_check_ends_with_3_when_something_is_broken(home: Path) -> None:
    missing = mon(home, "config", "check", MON_CONFIG=str(home / "none.toml"))
    assert missing.returncode == 3
    assert "MON_CONFIG" in missing.stdout


# --- the environment


def test_only_the_settings_read_the_environment() -> None:
    forbidden = {"environ", "environb", "getenv", "getenvb", "getproxies", "expanduser", "expandvars", "home"}
    found = []
    for path in [*(ROOT / "cli").rglob("*.py"), *(ROOT / "venues").rglob("*.py")]:
        if path.parent == ROOT / "cli" / "settings" or "simulator" in str(path.relative_to(ROOT)):
            continue
        text = path.read_text(encoding="utf-8")
        if not any(name in text for name in forbidden):
            continue  # and so in no part of it
        for node in ast.walk(ast.parse(text)):
            names = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom | ast.Import) else set()
            if isinstance(node, ast.Attribute):
                names = {node.attr}
            found += [f"{path.relative_to(ROOT)}:{node.lineno} {name}" for name in names & forbidden]  # type: ignore[attr-defined]
    assert found == []


@pytest.mark.parametrize(
    ("line", "shown_too"),
    [
        ('client_key_file = "Qs9dk-THE-SECRET"', None),
        ('client_key_command = ["echo Qs9dk-THE-SECRET"]', '["echo [hidden]"]'),
        ('client_key_command = ["Qs9dk-THE-SECRET"]', '["[hidden]"]'),
        ('url = "Qs9dk-THE-SECRET"', None),
        ('url = "Qs9dk.THE.SECRET"', None),
        ('url = "venue.example:8443/path"', "venue.example:8443/path"),
        ('client_key_file = "~/.secrets/nexus"', "~/.secrets/nexus"),
        ('client_key_file = "/tmp/nexus"', "/tmp/nexus"),
        ('client_key_command = ["pass", "show", "nexus"]', '["pass", "[hidden]", "[hidden]"]'),
    ],
)
def test_show_hides_a_secret_in_the_place_of_a_name(
    line: str, shown_too: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = shown(f"[venues.nexus]\n{line}\n", monkeypatch)
    assert "Qs9dk" not in output
    assert (shown_too or "[hidden]") in output


@pytest.mark.parametrize("line", ["Qs9dk7 = 1", "[Qs9dk7]", "[venues.nexus.Qs9dk7]", "a = { Qs9dk7 = 1, Qs9dk7 = 2 }"])
def test_a_secret_for_a_name_is_not_said(line: str) -> None:
    with pytest.raises(SetupError) as caught:
        write(line)
    assert "Qs9dk7" not in str(caught.value)


def test_a_line_of_the_config_file_is_bounded() -> None:
    """A key of ten thousand parts would take a quarter of a second, for nothing that anybody means."""
    said = refused("[venues.nexus]\n" + ".".join(["nex"] * 5_000) + " = 1\n")
    assert "expected lines of at most 10,000 bytes in the config file " in said
    assert said.endswith("got 20,003 in line 2")
