"""The README says what is true, and every command in it is run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli import main
from cli.commands.sim import HUSH
from cli.errors import EXIT_CODES, NO_DATA
from cli.run.options import declared
from tests.command import mon, simulator
from tests.pictures import PICTURES
from tests.test_terminal import Terminal
from tests.warmed import for_shells, run
from venues import VENUES, venue_named
from venues.records import AnyRecord
from venues.streams import STREAMS, VenueOption

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
# A script begins with a comment that has its name.
SCRIPTS = {
    name: f"# {name}{text}" for name, text in re.findall(r"```python\n# ([a-z]+\.py)(.*?)```", README, re.DOTALL)
}
# These two are what .ci/run itself runs: the first needs the package index, the second would run this test again.
RUN_BY_CI = [BLOCKS[0], next(block for block in BLOCKS if block.strip().endswith("pytest"))]
WITHOUT_HELP = ("tests.benchmarks", "tests.pictures")  # without options; tests/test_benchmarks.py and test_pictures.py
WITH_PROOF = ("faults", "fuzz", "model", "mutation", "secrecy", "soak", "supply")
LIVE = "# live: needs the internet\n"
SINGLE_VENUES = "Options of single venues"


def is_dashboard(block: str) -> bool:
    """Whether it draws on a terminal, and on nothing else."""
    return any(line.startswith("mon dash ") for line in block.splitlines())


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with simulator(tmp_path_factory.mktemp("readme"), "--rate", "50") as env:
        yield env


def test_ci_runs_the_first_two_commands() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    first, second = (block.strip() for block in RUN_BY_CI)
    assert "## Try it" in ci, "the first is taken from the README itself"
    assert first.endswith("mon book kraken BTC/USD --env sim")
    assert second in ci.splitlines()


def test_the_first_live_commands_need_no_key_and_have_a_twin_without_the_internet() -> None:
    live = [block for block in BLOCKS if block.startswith(LIVE)]
    assert live[:2] == [f"{LIVE}mon {stream} kraken BTC/USD\n" for stream in ("book", "dash")]
    assert BLOCKS[1:5] == [*live[:2], *(block.removeprefix(LIVE).strip() + " --env sim\n" for block in live[:2])]
    for block in live:
        names = set(re.findall(r"\b(?:" + "|".join(VENUES) + r")\b", block))
        assert names, block
        assert all("production" in venue_named(name).environments for name in names)
        assert not any(venue_named(name).secrets or not venue_named(name).environments["production"] for name in names)


def test_live_commands_are_marked() -> None:
    """Before the scripts, which say it of all of theirs."""
    before = README.partition("\n## On the screen\n")[0]
    for block in re.findall(r"```sh\n(.*?)```", before, re.DOTALL):
        open_to_all = re.search(r"\b(?:kraken|woox)\b", block) is not None and "--env sim" not in block
        assert open_to_all == block.startswith(LIVE), block


@pytest.mark.parametrize("block", [block for block in BLOCKS if is_dashboard(block)])
def test_dashboard(block: str, sim: dict[str, str]) -> None:
    """As `test_command`, on a terminal; ended with `q`."""
    terminal = Terminal(["bash", "-euo", "pipefail", "-c", block], sim, 120, 40)
    try:
        terminal.until(lambda: " LIVE" in terminal.text())
        terminal.press("q")
        assert terminal.ended() == 0
    finally:
        terminal.close()


@pytest.mark.slow("what does not end is ended after a while, and a busy machine gets more time")
@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if block not in RUN_BY_CI and not is_dashboard(block)],
    ids=lambda block: block.strip().splitlines()[-1][:50],
)
def test_command(block: str, sim: dict[str, str], tmp_path: Path) -> None:
    """Run as it stands, with the venue's address set to the simulator; what does not end is ended with Ctrl-C."""
    sim = {**sim, "PATH": f"{for_shells()}{os.pathsep}{sim['PATH']}"}
    for name, text in SCRIPTS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    script = re.sub(r"^export MON_NEXUS_CLIENT_KEY=.*$", ":", block, flags=re.MULTILINE)
    written = [tmp_path / name for name in re.findall(r"(?:> |--record )([a-z][a-z.-]+)", block)]
    quiet = ('select(.type == "status")', "run rsi.py --market", "mon signals nbt")  # for longer than is waited here
    endless_and_quiet = any(words in block for words in quiet)
    shown = [tmp_path / "shown.out"] if not re.search(r"> [a-z]", block.splitlines()[-1]) else written
    for _ in range(3):  # on a busy machine no data may come in the time that a command has: once more then
        code, interrupted = ran(script, block, sim, tmp_path, shown, endless_and_quiet)
        if code != NO_DATA:
            break
        for path in written:
            path.unlink(missing_ok=True)
    out, err = ((tmp_path / name).read_text(encoding="utf-8") for name in ("shown.out", "shown.err"))
    assert code in ((130, -2) if interrupted else (0,)), err
    assert "Traceback" not in err
    redirected = "> " in block.splitlines()[-1]
    assert out.strip() or redirected or endless_and_quiet, "it shows something"
    assert all(path.stat().st_size > 0 for path in written)


def ran(
    script: str, block: str, env: dict[str, str], folder: Path, shown: list[Path], endless_and_quiet: bool
) -> tuple[int, bool]:
    """The exit code of a block, and whether it was interrupted since it does not end by itself."""
    with open(folder / "shown.out", "w") as stdout, open(folder / "shown.err", "w") as stderr:
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script],
            env=env,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    try:
        if endless_and_quiet:
            return process.wait(8 + (HUSH if "mon signals" in block else 0)), False
        if BOUNDED.search(block):
            return process.wait(45), False
        begins_to_show(shown, process)
        return process.wait(2), False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGINT)
        return process.wait(10), True


# It ends by itself; what does not is ended soon after it has shown something.
BOUNDED = re.compile(r"--(?:count|once|duration|trades)\b|\bhead\b|\bconfig check --connect\b")


def begins_to_show(files: list[Path], process: subprocess.Popen[bytes]) -> None:
    """Waits until something is in each file, or the process ends."""
    until = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < until:
        if all(path.is_file() and path.stat().st_size for path in files):
            return
        time.sleep(0.05)


PROOFS = re.findall(r"`\.venv/bin/python (-m tests\.[^`]+)`", README)


@pytest.mark.parametrize("command", [command for command in PROOFS if command.split()[1] not in WITHOUT_HELP])
def test_command_for_developers(command: str) -> None:
    """Is there, and takes the options it is told with: the rest is done by `.ci/run`, or takes longer than a test."""
    words = command.split()
    done = run([sys.executable, *words[:2], "--help"], os.environ, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    assert all(word in done.stdout for word in words[2:] if not word.isdecimal()), done.stdout


def test_each_proof_of_ci_is_told() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for words in re.findall(r"\.venv/bin/python (-m tests\.\w+ --minutes \d)", ci):
        assert words in PROOFS
    assert {words.split()[1] for words in PROOFS} >= {f"tests.{name}" for name in WITH_PROOF}


def rows_of(section: str) -> list[list[str]]:
    text = README.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    table = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


def test_pictures() -> None:
    """Each is there, has words for who does not see it, and none was made in vain."""
    found = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", README)
    assert all(len(alternative) > 20 for alternative, _ in found)
    assert sorted(path for _, path in found) == sorted(f"tests/golden/{name}.svg" for name in PICTURES)
    assert all((ROOT / path).is_file() for _, path in found)


def test_exit_codes() -> None:
    told = {int(row[0]): row[1].replace("`", "") for row in rows_of("Exit codes")}
    assert told == EXIT_CODES


def options_of(command: Any) -> dict[str, str]:
    """What a command's own list says: each option with its help."""
    options = [one for one in command.params if one.param_type_name == "option" and "--help" not in one.opts]
    return {max(one.opts, key=len): one.help for one in options}


def told_in(section: str) -> dict[str, str]:
    """What the README says: each option with the meaning of its row."""
    found = [(name, row[1]) for row in rows_of(section) for name in re.findall(r"--[a-z-]+", row[0])]
    assert len(dict(found)) == len(found), "none is told twice"
    return dict(found)


def test_options_that_mean_the_same_everywhere() -> None:
    """Each is told once, with its meaning and the stream that it is for; the streams' commands have no other."""
    told = told_in("Options")
    assert told.keys() == {f"--{name.replace('_', '-')}" for name in declared()}
    assert all(len(meaning) > 10 for meaning in told.values())
    for name, option in declared().items():
        meaning = told[f"--{name.replace('_', '-')}"]
        only = re.search(r"\((book|candles|feed|states)\b[^)]*\)$", meaning)
        assert (only[1] if only else None) == {"state": "states"}.get(option.applies.to or "", option.applies.to), name
    of_venues = told_in(SINGLE_VENUES).keys()
    for command in (*STREAMS, "dash", "replay"):
        assert options_of(main._loaded(command)).keys() <= told.keys() | of_venues, command


def test_options_of_single_venues() -> None:
    told = {(row[0].strip("`"), *re.findall(r"`([a-z0-9]+)`", row[1])): row[2] for row in rows_of(SINGLE_VENUES)}
    assert told == {
        (f"--{option.name} {option.takes}".rstrip(), name, *streams_with(name, option)): option.help
        for name, entry in VENUES.items()
        for option in entry.own_options()
    }


def streams_with(name: str, option: VenueOption) -> list[str]:
    return [stream for stream in venue_named(name).streams if option in VENUES[name].own_options(stream)]


def test_options_of_bots() -> None:
    command = main._loaded("bot").commands["run"]
    told = told_in("Signal bots")
    assert told.keys() == options_of(command).keys()
    assert all(meaning for meaning in told.values())


def test_options_of_single_commands() -> None:
    """Each command that has options of its own, with what its help says of them."""
    told = {(row[0].strip("`"), row[1].strip("`")): row[2] for row in rows_of("Options of single commands")}
    single = {"mon": main._app()} | {f"mon {name}": main._loaded(name) for name in main.COMMANDS}
    single |= {f"mon config {name}": command for name, command in single["mon config"].commands.items()}
    elsewhere = ("mon dash", "mon replay", "mon bot")
    assert told == {
        (name, option): help_text
        for name, command in single.items()
        for option, help_text in options_of(command).items()
        if name not in elsewhere
    }


def test_every_script_is_used() -> None:
    assert sorted(SCRIPTS) == ["desk.py", "hourly.py", "rsi.py"]
    for name in SCRIPTS:
        assert any(re.search(rf"mon bot run .*\b{name}", block) for block in BLOCKS)


def test_streams_of_the_venues() -> None:
    told = {row[0].strip("`"): re.findall(r"`([a-z]+)`", row[2]) for row in rows_of("Real venues")}
    assert told == {name: list(venue_named(name).streams) for name in VENUES}


def test_options_are_in_the_help(sim: dict[str, str]) -> None:
    streams = ("book", "candles", "trades", "feed")
    text = "".join(mon(stream, "--help", env=sim).stdout for stream in streams)
    for row in rows_of("Options"):
        for option in re.findall(r"--[a-z-]+", row[0]):
            assert option in text


def test_every_field_of_every_record_is_explained() -> None:
    table = (ROOT / "venues" / "README.md").read_text(encoding="utf-8").partition("## Records")[2]
    told = set(re.findall(r"`([a-z_]+)`", table))
    for record in AnyRecord.__args__:
        assert set(record.__struct_fields__) <= told, record.__name__


def test_every_stream_of_every_venue_is_in_the_coverage_table() -> None:
    table = (ROOT / "venues" / "README.md").read_text(encoding="utf-8").partition("## Coverage")[2].partition("## ")[0]
    for name in VENUES:
        rows = [line for line in table.splitlines() if line.startswith(f"| {name} |")]
        assert set(venue_named(name).streams) <= set(re.findall(r"`([a-z]+)`", "".join(rows)))


def test_no_machine_and_no_download_address_is_in_the_tree() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    index = "|".join(("py" + "pi.org", "python" + "hosted", "npm" + "js.org", "deb" + "ian.org"))
    for name in listed:
        path = ROOT / name
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not re.search(rf"{index}|/(?:work|home|root)/[a-z]", text), name
