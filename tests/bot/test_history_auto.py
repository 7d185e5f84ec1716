"""`--history auto`: candles from the recordings of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli.bot.market_data import MarketName
from cli.bot.plan import AUTO
from cli.bot.timing.earlier import Wanted, earlier
from tests.bot.conftest import HEAD, Ran, Runs
from tests.bot.recordings import BEGIN, MINUTE, SYMBOL, Tick, came, frame, opened, record_trades, write
from tests.command import environment, mon

HOUR = 60 * MINUTE
MARKET = MarketName("nexus", SYMBOL)
START = BEGIN + 100 * HOUR
SCRIPT = HEAD + (
    "class Signals(Link):\n"
    "  def candle_update_1h(self, src, sym, bars):\n"
    "    self.publish('bars', [float(v) for v in bars.closes[-5:]])\n"
)


def hours(first: int, last: int, price: int) -> list[Tick]:
    """A trade in each of the hours before the start."""
    return [Tick(START - hour * HOUR + 1, f"{price + first - hour}", "1") for hour in range(first, last - 1, -1)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "recordings"
    made.mkdir()
    record_trades(made / "b-old.jsonl", hours(40, 21, 100))
    record_trades(made / "a-new.jsonl", hours(20, 1, 200))
    return made


@pytest.fixture
def now(tmp_path: Path) -> Path:
    return record_trades(tmp_path / "now.jsonl", [Tick(START + 1, "300", "1"), Tick(START + 2, "301", "1")])


def filled(runs: Runs, now: Path, folder: Path, source: str = SCRIPT, **more: Any) -> Ran:
    return runs(source, replay=now, history=[AUTO], recordings_folder=folder, **more)


def wanted(hours_before: int = 360, **more: Any) -> Wanted:
    return Wanted([MARKET], START - hours_before * HOUR, **{"start": START, "envs": {"nexus": None}, **more})


def names(found: tuple[list[Path], list[str]]) -> list[str]:
    return [path.name for path in found[0]]


def test_the_candles_are_there_at_the_start(runs: Runs, now: Path, folder: Path) -> None:
    ran = filled(runs, now, folder)
    assert ran.code == 0, ran.said
    assert ran.of("message")[0]["data"] == [216.0, 217.0, 218.0, 219.0, 300.0]
    assert ran.said.index("b-old.jsonl: 20 trades as history") < ran.said.index("a-new.jsonl: 20 trades as history")


def test_only_as_many_as_the_longest_level_needs(folder: Path) -> None:
    assert names(earlier(folder, wanted())) == ["b-old.jsonl", "a-new.jsonl"]
    assert names(earlier(folder, wanted(20))) == ["a-new.jsonl"]
    assert names(earlier(folder, wanted(0))) == []


def test_a_minute_needs_no_old_ones(runs: Runs, now: Path, folder: Path) -> None:
    ran = filled(runs, now, folder, SCRIPT.replace("1h", "1m"))
    assert "b-old.jsonl" not in ran.said
    assert "a-new.jsonl: 20 trades as history" in ran.said


def test_nothing_from_after_the_start_is_taken(folder: Path) -> None:
    record_trades(folder / "later.jsonl", hours(-1, -3, 900))
    record_trades(folder / "over.jsonl", hours(1, -1, 900))
    paths, said = earlier(folder, wanted())
    assert [path.name for path in paths] == ["b-old.jsonl", "a-new.jsonl"]
    assert said == [
        f"--history auto leaves out {folder / 'over.jsonl'}: it goes on after the start, which a script must not know "
        "yet"
    ]


def test_one_that_is_being_written_is_history_of_a_run_that_is_live(folder: Path) -> None:
    """It has what came while it was read too, which the run has not had."""
    record_trades(folder / "over.jsonl", hours(1, -1, 900))
    paths, said = earlier(folder, wanted(start=None))
    assert [path.name for path in paths] == ["b-old.jsonl", "a-new.jsonl", "over.jsonl"]
    assert said == []


def test_a_live_run_takes_the_recording_that_another_one_writes(
    runs: Runs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Wanted] = []

    def look(_folder: Path, wanted: Wanted, _leave_out: Any) -> Any:
        told.append(wanted)
        return [], []

    monkeypatch.setattr("cli.bot.timing.earlier.earlier", look)
    runs(SCRIPT, f"nexus:{SYMBOL}", env="sim", history=[AUTO], recordings_folder=folder, count=1)
    assert [one.start for one in told] == [None]


def test_how_far_the_history_reaches_is_said_of_the_last_one_only(runs: Runs, now: Path, folder: Path) -> None:
    (folder / "a-new.jsonl").unlink()
    record_trades(folder / "a-new.jsonl", hours(20, 5, 200))
    said = filled(runs, now, folder).said
    assert said.count("before the start; until then the candles") == 1
    assert f"{folder / 'a-new.jsonl'}: it ends 5 h before the start; until then the candles of nexus:{SYMBOL}" in said


def test_what_cannot_be_used_is_said_and_left_out(runs: Runs, now: Path, folder: Path) -> None:
    (folder / "notes.txt").write_text("x")
    (folder / "none.jsonl").write_text("x\n")
    events = [*opened(START - HOUR), came(START - HOUR, frame(Tick(START - HOUR, "5", "1")))]
    write(folder / "sim.jsonl", events, env="sim")
    write(folder / "both.jsonl", events, streams=["trades", "candles"])
    write(folder / "other.jsonl", events, subscriptions=[{"stream": "trades", "symbols": ["SPOT_ETH_USDT"]}])
    write(folder / "empty.jsonl", [])
    ran = filled(runs, now, folder)
    assert ran.code == 0
    assert ran.of("message")[0]["data"] == [216.0, 217.0, 218.0, 219.0, 300.0]
    assert f"leaves out {folder / 'none.jsonl'}: expected a recording" in ran.said
    assert (
        f"leaves out {folder / 'sim.jsonl'}: it is of sim, and the bot's markets of nexus are of production" in ran.said
    )
    assert f"leaves out {folder / 'both.jsonl'}: it has trades and candles of nexus:{SYMBOL}" in ran.said
    assert not any(f"{name}." in ran.said for name in ("notes", "other", "empty"))


def test_one_that_ends_within_a_line_is_taken_up_to_there(runs: Runs, now: Path, folder: Path) -> None:
    path = folder / "a-new.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    ran = filled(runs, now, folder)
    assert "a-new.jsonl: 19 trades as history" in ran.said
    assert "is damaged at line" in ran.said


def test_one_that_another_one_has_in_it_is_not_taken_twice(folder: Path) -> None:
    record_trades(folder / "within.jsonl", hours(15, 5, 1))
    (folder / "same.jsonl").write_bytes((folder / "a-new.jsonl").read_bytes())
    assert names(earlier(folder, wanted())) == ["b-old.jsonl", "a-new.jsonl"]


def test_none_is_said(runs: Runs, now: Path, tmp_path: Path) -> None:
    ran = filled(runs, now, tmp_path / "none")
    assert "cannot read" in str(ran.problem)
    (tmp_path / "empty").mkdir()
    ran = filled(runs, now, tmp_path / "empty")
    assert ran.code == 0
    assert f"no recording in {tmp_path / 'empty'} has candles of nexus:{SYMBOL} from before the start" in ran.said


def test_files_may_stand_beside_it(runs: Runs, now: Path, folder: Path) -> None:
    file = folder / "a-new.jsonl"
    ran = runs(SCRIPT, replay=now, history=[AUTO, file], recordings_folder=folder)
    assert ran.said.count("a-new.jsonl: 20 trades as history") == 1
    assert ran.of("message")[0]["data"] == [216.0, 217.0, 218.0, 219.0, 300.0]


def test_the_folder_is_set_in_the_config_file(tmp_path: Path, now: Path, folder: Path) -> None:
    script = tmp_path / "x.py"
    script.write_text(SCRIPT)
    config = tmp_path / "mon.toml"
    config.touch(mode=0o600)
    env = environment(tmp_path, MON_CONFIG=str(config))
    arguments = ("bot", "run", str(script), "--replay", str(now), "--speed", "max", "-o", "jsonl", "--history", "auto")
    ran = mon(*arguments, env=env)
    assert ran.returncode == 3
    assert f"none is set: write one as folder under [recordings] in {config}" in ran.stderr
    config.write_text('[recordings]\nfolder = "~/recordings"\n')
    ran = mon(*arguments, env=env)
    assert ran.returncode == 0, ran.stderr
    assert "[216,217,218,219,300]" in ran.stdout.replace(".0", "")
    assert 'folder = "~/recordings"' in mon("config", "show", env=env).stdout
    checked = mon("config", "check", env=env)
    assert f"recordings\n  folder: {folder}" in checked.stdout
    config.write_text('[recordings]\nfolder = "~/nowhere"\n')
    checked = mon("config", "check", env=env)
    assert (checked.returncode, f"{tmp_path / 'nowhere'} is not there" in checked.stdout) == (3, True)
    for wrong, said in (('folder = "here"', "from / or ~ on"), ("folder = 1", "got a number"), ("a = 1", "got a,")):
        config.write_text(f"[recordings]\n{wrong}\n")
        ran = mon(*arguments, env=env)
        assert (ran.returncode, said in ran.stderr) == (3, True), ran.stderr
