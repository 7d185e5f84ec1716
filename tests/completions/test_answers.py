"""What may come next in a command line, whatever was typed, and how fast the answer is."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import main
from cli.commands.completion import FILE_NAMES, LONGEST_DESCRIPTION, candidates, lines
from cli.run.options import applies, declared
from cli.settings.config import config_path
from cli.views.panes import PANES
from tests.completions.support import MON, ROOT, ask, environment
from venues import VENUES, venue_named, venues_with
from venues.streams import STREAMS

if TYPE_CHECKING:
    from pathlib import Path

SYMBOLS = ["SPOT_BTC_USDT", "SPOT_ETH_USDT", "SPOT_SOL_USDT"]
OFFERED = [stream for stream in STREAMS if any(stream in venue_named(venue).streams for venue in VENUES)]
HEAVY = {"aiohttp", "asyncio", "rich", "pydantic", "websockets", "signalrcore.hub_connection", "socketio.client"}


def after(typed: str) -> list[str] | None:
    """The values that may stand at the end of what was typed; None: the name of a file."""
    *words, incomplete = typed.split(" ")
    found = candidates(main._app(), words, incomplete)
    return None if found is None else [value for value, _ in found]


def test_commands_but_not_the_streams_that_no_venue_has() -> None:
    assert after("") == [*OFFERED, *main.COMMANDS]
    assert after("can") == ["candles"]


@pytest.mark.parametrize("stream", OFFERED)
def test_venues_that_have_the_stream(stream: str) -> None:
    assert after(f"{stream} ") == [venue for venue in VENUES if stream in venue_named(venue).streams]


@pytest.mark.parametrize("stream", OFFERED)
def test_options_that_apply_to_the_stream(stream: str) -> None:
    expected = [f"--{name.replace('_', '-')}" for name in declared() if applies(name, stream)]
    assert after(f"{stream} --") == [*expected, "--help"]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("book nexus ", SYMBOLS),
        ("book nexus SPOT_E", SYMBOLS[1:2]),
        ("book nexus --depth 5 ", SYMBOLS),
        ("book --depth=5 nexus ", SYMBOLS),
        ("book -qo csv nexus ", SYMBOLS),
        ("book -ocsv -v nexus ", SYMBOLS),
        ("book --env sim nexus ", SYMBOLS),
        ("book --env --raw nexus ", SYMBOLS),
        ("book -- nexus ", SYMBOLS),
        ("book -- nexus --", []),
        ("book nexus SPOT_BTC_USDT ", []),
        ("book nowhere ", []),
        ("book nexus --env ", ["production", "staging", "sim"]),
        ("book nexus --env=s", ["--env=staging", "--env=sim"]),
        ("book nexus --env=", ["--env=production", "--env=staging", "--env=sim"]),
        ("book nexus -o ", ["auto", "table", "jsonl", "csv", "tsv"]),
        ("book nexus -oj", ["-ojsonl"]),
        ("book nexus -o", ["-o"]),
        ("book nexus --o", ["--output", "--on", "--once", "--overwrite"]),
        ("book nexus --once --o", ["--output", "--on", "--overwrite"]),
        ("book nexus --once=", []),
        ("book nexus --nonsense=", []),
        ("book nexus --nonsense --onc", ["--once"]),
        ("sim --fault flap --fa", ["--fault"]),
        ("book nexus --numbers ", ["number", "string"]),
        ("book nexus --count ", []),
        ("book nexus --duration=", []),
        ("book nexus --record ", None),
        ("book nexus --record=to", None),
        ("book nexus --replay ", None),
        ("dash ", venues_with(*PANES)),
        ("dash nexus ", SYMBOLS),
        ("dash nexus SPOT_BTC_USDT ", []),
        ("dash nexus --env ", ["production", "staging", "sim"]),
        ("dash nowhere ", []),
        ("dash nexus --re", ["--retries", "--record", "--replay"]),
        ("replay ", None),
        ("sim --tape ", None),
        ("bot run ", None),
        ("bot run x.py y", None),
        ("bot run x.py --replay ", None),
        ("bot run x.py --history=", None),
        ("bot run x.py --report ", None),
        ("schema ", [*STREAMS, "symbols"]),
        ("symbols ", list(VENUES)),
        ("symbols nexus --env ", ["production", "staging", "sim"]),
        ("schema book ", []),
        ("config ", ["init", "show", "path", "check"]),
        ("config show ", []),
        ("config nonsense ", []),
        ("completion ", ["bash", "zsh", "fish", "powershell"]),
        ("nonsense ", []),
        ("nonsense --", []),
        ("--ver", ["--version"]),
        ("--nonsense boo", ["book"]),
    ],
)
def test_next(typed: str, expected: list[str] | None) -> None:
    assert after(typed) == expected


@pytest.mark.parametrize(
    ("option", "typed", "offered"),
    [
        ("--where", "trade_", ["trade_id"]),
        ("--where", "price > 1 and trade_", ["trade_id"]),
        ("--where", 'side == "buy" or not trade_', ["trade_id"]),
        ("--where", 'side in ("buy", trade_', ["trade_id"]),
        ("--where", "1<price-trade_", ["trade_id"]),
        ("--until", "prev.trade_", ["trade_id"]),
        ("--until", "price > prev.si", ["size", "side", "size_unit"]),
        ("--rearm", "(sta", ["stale", "state"]),
        ("--where", "trade_id and", []),
        ("--where", "band trade_", []),
        ("--where", "price trade_", []),
        ("--where", "price > 1 ", []),
        ("--where", 'trade_id == "pri', []),
        ("--where", 'trade_id == "a > pri', []),
        ("--where", "trade_id == 'a\\' > pri", []),
        ("--where", "extra.pri", []),
        ("--fields", "time, trade_", ["trade_id"]),
        ("--template", "{trade_", ["trade_id"]),
        ("--template", "{price} at {trade_", ["trade_id"]),
        ("--exec", "echo {trade_", ["trade_id"]),
        ("--template", "trade_", []),
        ("--template", "{{trade_", []),
        ("--template", "{{{trade_", ["trade_id"]),
        ("--template", "{price} trade_", []),
    ],
)
def test_fields_wherever_one_may_stand(option: str, typed: str, offered: list[str]) -> None:
    found = candidates(main._app(), ["trades", "nexus", option], typed)
    begun = re.search(r"\w*$", typed)
    assert begun is not None
    assert found is not None
    assert [value for value, _ in found] == [typed[: begun.start()] + name for name in offered]


def test_powershell_would_take_the_quotes_away_too() -> None:
    asked = {"COMP_WORDS": "mon trades nexus --where 'price > 1 and trade_"}
    assert lines("powershell", asked, main._app()) == []


def test_descriptions_are_short() -> None:
    words = [[], ["config"], *([name] for name in (*OFFERED, *main.COMMANDS))]
    found = [pair for before in words for start in ("", "-") for pair in candidates(main._app(), before, start) or ()]
    assert ("--depth", "Levels a side") in found
    assert ("--record", "Keep all that happens on the connection…") in found
    for value, description in found:
        assert len(description) <= LONGEST_DESCRIPTION, value
        assert re.fullmatch(r"\S.*[^\s.]|", description), value


@pytest.mark.parametrize(
    ("shell", "words", "index", "expected"),
    [
        ("bash", "mon book ", 2, [name for name in VENUES if "book" in venue_named(name).streams]),
        ("bash", "mon send nbt ", 3, ["buy", "sell", "traded-buy", "traded-sell"]),
        ("bash", "mon send ", 2, ["nbt"]),
        ("bash", "mon send nbt buy --stop", 4, ["--stop-profit", "--stop-loss"]),
        ("bash", "mon\nbook\nnexus\n--env\n=\ns", 5, ["staging", "sim"]),
        ("bash", "mon\nsim\n--fault\ndrop\n:\n5s\n--sp", 6, ["--speed"]),
        ("bash", "mon\nbook\nnexus\n>\n", 4, [FILE_NAMES]),
        ("bash", "mon\nbook\nnexus\n2\n>\nlog\n--dep", 6, ["--depth"]),
        ("bash", "mon\nbook\nnexus\n--depth\n5\n>\nlog\n--max", 7, ["--max-age"]),
        ("zsh", 'mon\nbook\n"ne', 2, ["nexus"]),
        ("zsh", "mon\nreplay\n", 2, [FILE_NAMES]),
        ("fish", "mon book 'ne", None, ["nexus"]),
        ("fish", "mon book \\\n ne", None, ["nexus"]),
        ("fish", "mon book nexus >log --dep", None, ["--depth\tLevels a side"]),
        ("powershell", "mon book nexus --env=st", None, ["--env=staging\t--env=staging"]),
        ("powershell", "mon replay ", None, []),
    ],
)
def test_lines_for_a_shell(shell: str, words: str, index: int | None, expected: list[str]) -> None:
    environ = {"COMP_WORDS": words} | ({} if index is None else {"COMP_CWORD": str(index)})
    assert lines(shell, environ, main._app()) == expected


PIECES = st.sampled_from(
    ["mon", "book", "nexus", "sim", "--env", "-o", "--", "-", "=", ":", ">", "'", '"', "\\", " ", "\n"]
)


@given(words=st.lists(PIECES | st.text("ab€\u200b$`(*", max_size=3), max_size=12).map("".join), index=st.integers(0, 9))
def test_nothing_that_is_typed_is_a_fault(words: str, index: int) -> None:
    root = main._app()
    for shell in ("bash", "zsh", "fish", "powershell"):
        for line in lines(shell, {"COMP_WORDS": words, "COMP_CWORD": str(index)}, root):
            assert line.isprintable() or "\t" in line


def test_a_broken_config_file_and_no_home_are_no_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = config_path()
    assert path.is_relative_to(tmp_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[[[")
    environ = environment(tmp_path) | {"XDG_CONFIG_HOME": str(tmp_path)}
    del environ["HOME"]
    asked = {"_MON_COMPLETE": "complete_bash", "COMP_WORDS": "mon book nexus --env ", "COMP_CWORD": "4"}
    ended = subprocess.run([MON], env=environ | asked, capture_output=True, check=True)
    assert (ended.stdout, ended.stderr) == (b"production\nstaging\nsim\n", b"")


@pytest.mark.parametrize(
    ("words", "index"),
    [('mon book "ne', 2), ("mon book nexus --env=", 3), ("mon \udcff --", 2), ("mon book", -1)],
)
def test_nothing_is_said_on_stderr(words: str, index: int) -> None:
    for more in ({}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}):
        ended = ask("zsh", words, index, **more)
        assert (ended.returncode, ended.stderr) == (0, "")


def test_a_locale_without_the_letters_gets_an_answer() -> None:
    ended = ask("zsh", "mon book nexus --rec", 3, PYTHONIOENCODING="ascii")
    assert (ended.stdout, ended.stderr) == ("--record:Keep all that happens on the connection?\n", "")


def test_a_fault_of_ours_is_silent() -> None:
    environ = environment(ROOT) | {"_MON_COMPLETE": "complete_bash", "COMP_WORDS": "mon boo"}
    ended = subprocess.run([MON], env=environ, capture_output=True, check=True)
    assert (ended.stdout, ended.stderr) == (b"", b"")


def test_an_unknown_shell_is_a_usage_error() -> None:
    ended = ask("tcsh", "mon boo", 1)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "complete_bash" in ended.stderr


@pytest.mark.parametrize("words", ["mon ", "mon book nexus "])
def test_nothing_heavy_is_imported(words: str) -> None:
    ended = ask("fish", words, PYTHONPROFILEIMPORTTIME="1")
    assert ended.stdout
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "cli.commands.completion" in imported
    assert imported & HEAVY == set()
