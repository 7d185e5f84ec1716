"""Commands that give secrets, as processes: what they see, what is left of them, and the terminal on which they ask."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.command import MON, SYMBOL, environment, mon, records, simulator
from tests.test_terminal import Terminal

KEY = "sim-nexus-client-key"


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Where Nexus is, without its key."""
    with simulator(tmp_path, "--rate", "100") as env:
        yield {name: value for name, value in env.items() if name != "MON_NEXUS_CLIENT_KEY"}


def configured(home: Path, script: str) -> None:
    """A command of the shell that gives Nexus' key."""
    file = home / ".config" / "mon" / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"[venues.nexus]\nclient_key_command = {json.dumps(['/bin/sh', '-c', script])}\n")
    file.chmod(0o600)


@pytest.fixture
def on_terminal() -> Iterator[Callable[..., Terminal]]:
    terminals: list[Terminal] = []

    def start(*command: str, env: dict[str, str]) -> Terminal:
        terminals.append(Terminal([*command], env))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.close()


def is_alive(pid: int) -> bool:
    try:
        return f"{pid} " in Path(f"/proc/{pid}/stat").read_text() and ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_command_sees_none_of_our_secrets(sim: dict[str, str], tmp_path: Path) -> None:
    configured(tmp_path, f'env > "$HOME/seen"; echo {KEY}')
    others = {"MON_JAYX_API_KEY": "the-key-of-jayx", "MON_ELSEWHERE_TOKEN": "the-token-of-a-plug-in"}
    done = mon("trades", "nexus", SYMBOL, "--count", "1", env={**sim, **others, "LOGIN_FOLDER": "kept"})
    assert (done.returncode, done.stderr) == (0, "")
    seen = (tmp_path / "seen").read_text()
    assert "LOGIN_FOLDER=kept" in seen
    assert "MON_" not in seen


@pytest.mark.parametrize("way", ["ended", "interrupted"])
def test_nothing_that_a_command_started_is_left(
    way: str, sim: dict[str, str], tmp_path: Path, on_terminal: Callable[..., Terminal]
) -> None:
    last = f"echo {KEY}" if way == "ended" else "sleep 600"
    configured(tmp_path, f'(sleep 600 & echo $! > "$HOME/left"; wait) > /dev/null & sleep 0.2; {last}')
    terminal = on_terminal(str(MON), "trades", "nexus", SYMBOL, "-o", "jsonl", "--count", "1", env=sim)
    left = tmp_path / "left"
    terminal.until(lambda: left.exists() and left.read_text().endswith("\n"))
    if way == "interrupted":
        terminal.press("\x03")
    assert terminal.ended() == (0 if way == "ended" else 130)
    assert not is_alive(int(left.read_text()))


ASKS = 'stty -echo < /dev/tty; printf "passphrase? " > /dev/tty; read -r k < /dev/tty; stty echo < /dev/tty; echo "$k"'


@pytest.mark.parametrize("output", ["jsonl", "table"])
def test_a_command_can_ask_on_the_terminal(
    output: str, sim: dict[str, str], tmp_path: Path, on_terminal: Callable[..., Terminal]
) -> None:
    configured(tmp_path, ASKS)
    terminal = on_terminal(str(MON), "trades", "nexus", SYMBOL, "-o", output, env=sim)
    terminal.until(lambda: "passphrase?" in terminal.text())
    terminal.press(KEY + "\n")
    terminal.until(lambda: ("LIVE" if output == "table" else '"type":"trade"') in terminal.text())
    assert KEY.encode() not in terminal.raw
    terminal.press("q" if output == "table" else "\x03")
    assert terminal.ended() == (0 if output == "table" else 130)


def test_ctrl_c_while_a_command_asks(sim: dict[str, str], tmp_path: Path, on_terminal: Callable[..., Terminal]) -> None:
    configured(tmp_path, ASKS)
    terminal = on_terminal(str(MON), "trades", "nexus", SYMBOL, env=sim)
    terminal.until(lambda: "passphrase?" in terminal.text())
    terminal.press("\x03")
    assert terminal.ended() == 130


def test_a_short_secret_is_warned_of_once(sim: dict[str, str], tmp_path: Path) -> None:
    configured(tmp_path, "echo short")
    done = mon("trades", "nexus", SYMBOL, env=sim)
    assert done.returncode == 4  # it is not the right one
    assert done.stderr.count("shorter than 8 characters") == 1
    assert "short\n" not in done.stderr
    configured(tmp_path, f"echo {KEY}")
    done = mon("trades", "nexus", SYMBOL, "--count", "2", env=sim)
    assert done.stderr == ""
    assert len(records(done.stdout)) == 2


@pytest.mark.parametrize("query", ["?token=s3cret-in-query", "#s3cret-in-query", "?a=s3cret-in-query@x"])
def test_config_show_hides_an_address_s_query(query: str, tmp_path: Path) -> None:
    file = tmp_path / ".config" / "mon" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(f'[venues.nexus]\nurl = "wss://v.example/path{query}"\n')
    file.chmod(0o600)
    env = environment(tmp_path, MON_JAYX_URL=f"wss://v.example{query}")
    done = mon("config", "show", env=env)
    assert done.returncode == 0
    assert "s3cret" not in done.stdout
    assert "[hidden]" in done.stdout
    assert done.stdout.count("v.example") == (0 if "@" in query else 2)


def test_the_terminal_comes_back_from_a_command(
    sim: dict[str, str], tmp_path: Path, on_terminal: Callable[..., Terminal]
) -> None:
    """Also from one that is killed while it asks."""
    configured(tmp_path, 'echo $$ > "$HOME/pid"; ' + ASKS)
    terminal = on_terminal("/bin/sh", "-c", f"'{MON}' trades nexus {SYMBOL}; read -r x; echo got $x", env=sim)
    terminal.until(lambda: "passphrase?" in terminal.text())
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    terminal.until(lambda: "run it by hand" in terminal.text())
    terminal.press("words\n")
    terminal.until(lambda: "got words" in terminal.text())
