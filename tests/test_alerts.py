"""`--on`: when it fires, and what `--exec` runs."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli.errors import INTERRUPTED, OK
from cli.output.conditions import condition
from cli.output.fields import Fields
from cli.output.lines import Words
from cli.output.standing import Stands
from cli.run.alerts import Alerts, Program, Run
from cli.run.conditioned import Conditioned
from cli.run.edges import Edges
from cli.run.ending import Ending
from cli.run.judging import Judge, Judged
from cli.run.options import StreamRequest
from cli.run.values import PauseParser
from cli.run.watch import watch
from cli.settings.environment import for_a_command
from tests.bot.recordings import BEGIN, SYMBOL, book, came, opened, write
from venues import venue_named
from venues.errors import UsageError
from venues.records import Margin, Position, Quote, Record, SnapshotEnd, State, Status, Trade
from venues.redaction import Redactor
from venues.streams import STREAMS
from venues.venue import Now, Subscription

CROSSINGS = 1_000


class Told:
    """What alerts say, instead of a terminal."""

    def __init__(self) -> None:
        self.relayed: list[str] = []
        self.said: list[str] = []
        self.rung: list[str] = []

    def relay(self, text: str) -> None:
        self.relayed.append(text)

    def say(self, text: str) -> None:
        self.said.append(text)

    def ring(self, text: str) -> None:
        self.rung.append(text)


class Quick(Alerts):
    """Alerts whose runs are noted, and take as long as the test says."""

    def __init__(self, fields: Fields, takes: Callable[[], float] = lambda: 0.0, **options: Any) -> None:
        super().__init__(Program("true {symbol}", fields), False, Told(), dict, Redactor(), "c", **options)
        self.ran: list[Run] = []
        self._takes = takes

    async def _run(self, run: Run) -> None:
        self.ran.append(run)
        await asyncio.sleep(self._takes())


class Stage:
    """A judge with `--on`, and the records that have fired."""

    def __init__(
        self, stream: str, on: str, *, rearm: str | None = None, rows: bool = False, skip_first: bool = False
    ) -> None:
        self.stream = stream
        record = STREAMS[stream].record
        self.fields = Fields(stream, record, 20)
        self.fired: list[Record] = []
        self.fire: Callable[..., None] = lambda record, key, stand: self.fired.append(record)
        events = STREAMS[stream].kind == "event"
        self._on = condition(on, self.fields, "--on")
        self._rearm = None if rearm is None else condition(rearm, self.fields, "--rearm")
        conditions = [one for one in (self._on, self._rearm) if one is not None]
        self.now = Now(0.0, BEGIN)
        self.judge = Judge(
            Judged(record, events=events, rows=rows),
            Stands(stream, (), partial=False),
            now=lambda: self.now,
            edges=Edges(self._on, self._rearm, events=events, rows=rows, skip_first=skip_first),
            conditions=conditions,
            fire=lambda *fired: self.fire(*fired),
        )

    def see(self, *items: Any) -> int:
        """How many have fired since the last look."""
        self.judge.passes([self.status(item) if isinstance(item, str) else item for item in items])
        count, self.fired = len(self.fired), []
        return count

    def status(self, state: State) -> Status:
        return Status(venue="v", received=0, stream=self.stream, state=state)


def margin(level: int) -> Margin:
    return Margin(venue="v", received=0, level_pct=Decimal(level))


def position(name: str, size: int, change: str = "update") -> Position:
    return Position(venue="v", received=0, position_id=name, size=Decimal(size), change=change)  # type: ignore[arg-type]


def trade(price: int, **extra: Any) -> Trade:
    return Trade(
        venue="v", received=0, symbol="S", price=Decimal(price), size=Decimal(1), side="buy", extra=extra or None
    )


def test_a_state_fires_when_it_becomes_true_and_again_after_it_was_false() -> None:
    stage = Stage("margin", "level_pct < 200")
    assert [stage.see("live", margin(150)), *(stage.see(margin(level)) for level in (140, 250, 190))] == [1, 0, 0, 1]


def test_with_rearm_it_fires_again_only_after_that_was_true() -> None:
    stage = Stage("margin", "level_pct < 200", rearm="level_pct > 220")
    stage.see("live")
    assert [stage.see(margin(level)) for level in (150, 210, 150, 230, 150)] == [1, 0, 0, 0, 1]


def test_what_is_absent_is_no_end_of_an_edge() -> None:
    stage = Stage("margin", "level_pct < 200")
    stage.see("live")
    absent = Margin(venue="v", received=0)
    assert [stage.see(one) for one in (margin(150), absent, margin(150), margin(300), absent, margin(1))] == [
        1, 0, 0, 0, 0, 1,
    ]  # fmt: skip


def test_true_before_and_after_an_interruption_is_no_new_edge_and_nothing_fires_meanwhile() -> None:
    stage = Stage("margin", "level_pct < 200")
    assert stage.see(margin(1)) == 0  # not live yet
    assert stage.see("live", margin(150)) == 1
    assert stage.see("stale", margin(300), margin(150)) == 0
    assert stage.see("live", margin(150)) == 0
    assert stage.see("reconnecting", "live", margin(300), margin(150)) == 1


def test_each_key_has_its_own_edge_and_a_row_that_goes_is_forgotten() -> None:
    stage = Stage("positions", "size > 5", rows=True)
    end = SnapshotEnd(venue="v", received=0, stream="positions", count=2)
    assert stage.see("live", position("a", 6, "snapshot"), position("b", 1, "snapshot"), end) == 1
    assert stage.see(position("b", 6), position("a", 7)) == 1
    assert stage.see(position("a", 7, "remove"), position("a", 7)) == 1
    only_b = SnapshotEnd(venue="v", received=0, stream="positions", count=1)
    assert stage.see("reconnecting", "live", position("b", 6, "snapshot"), only_b, position("a", 8)) == 1


def test_skip_first_leaves_out_what_is_true_at_the_beginning() -> None:
    stage = Stage("positions", "size > 5", rows=True, skip_first=True)
    end = SnapshotEnd(venue="v", received=0, stream="positions", count=1)
    assert stage.see("live", position("a", 6, "snapshot"), end) == 0
    assert stage.see(position("a", 1), position("a", 6)) == 1
    assert stage.see(position("new", 6)) == 1
    single = Stage("margin", "level_pct < 200", skip_first=True)
    assert single.see("live", margin(1), margin(300)) == 0
    assert single.see(margin(1)) == 1


def test_events_fire_at_each_match_but_not_for_what_was_before_we_came() -> None:
    stage = Stage("trades", "price > 5")
    assert stage.see("live", trade(6, snapshot=True), trade(6), trade(7), trade(1)) == 2
    always = Stage("trades", "true")
    assert always.see("live", trade(6, snapshot=True), trade(6), trade(7), trade(1)) == 3


def test_a_stream_that_is_stale_fires_once_and_a_status_tells_it() -> None:
    stage = Stage("trades", "stale")
    assert stage.see("connecting", "syncing", "live", trade(1)) == 0
    assert stage.see("stale", "reconnecting") == 1
    assert stage.see("live", "stale") == 1


def test_what_is_said_of_a_stream_is_skipped_where_it_is_true_when_it_is_first_live() -> None:
    stage = Stage("trades", 'state == "live"', skip_first=True)
    assert stage.see("connecting", "live", trade(1)) == 0
    assert stage.see("stale", "live") == 1
    stale = Stage("trades", "stale", skip_first=True)
    assert stale.see("live", "stale") == 1


def quote(bid: int) -> Quote:
    return Quote(venue="v", received=0, symbol="S", bid_price=Decimal(bid))


@pytest.mark.parametrize("pause", [0.0, 0.0002])
def test_runs_and_what_they_left_out_are_all_crossings(pause: float) -> None:
    """Of a tape that crosses the line a thousand times, at different speeds and with runs of different length."""
    chance = random.Random(3)

    async def played() -> Quick:
        stage = Stage("quotes", "bid_price > 100")
        alerts = Quick(stage.fields, lambda: chance.choice([0, 0, 0.001, 0.003]))
        stage.fire = alerts.fire
        stage.see("live")
        for number in range(CROSSINGS):
            stage.see(quote(100), *([quote(101), quote(102)] if number % 2 else [quote(150)]))
            await asyncio.sleep(pause)
        await alerts.finish(asyncio.get_running_loop().create_future())
        return alerts

    ran = asyncio.run(played()).ran
    assert sum(1 + run.skipped for run in ran) == CROSSINGS


def test_where_each_run_ends_before_the_next_crossing_there_are_as_many_runs() -> None:
    async def played() -> Quick:
        stage = Stage("quotes", "bid_price > 100")
        alerts = Quick(stage.fields)
        stage.fire = alerts.fire
        stage.see("live")
        for _ in range(CROSSINGS):
            stage.see(quote(100), quote(101))
            await asyncio.gather(*alerts._running)
        return alerts

    ran = asyncio.run(played()).ran
    assert [run.skipped for run in ran] == [0] * CROSSINGS


def test_with_faults_between_nothing_fires_while_the_stream_is_not_live() -> None:
    chance = random.Random(7)
    stage = Stage("quotes", "bid_price > 100")
    live, fired = False, 0
    for _ in range(CROSSINGS):
        if chance.random() < 0.2:
            state: State = chance.choice(["live", "stale", "reconnecting", "syncing"])
            live = state == "live"
            stage.see(state)
        count = stage.see(quote(100), quote(101))
        assert count <= live
        fired += count
    assert fired > CROSSINGS / 10


def test_the_cooldown_keeps_the_latest_and_counts_the_others() -> None:
    async def played() -> Quick:
        stage = Stage("trades", "price > 5")
        alerts = Quick(stage.fields, cooldown=0.05)
        stage.fire = alerts.fire
        stage.see("live", *(trade(6 + number) for number in range(10)))
        await alerts.finish(asyncio.get_running_loop().create_future())
        return alerts

    first, second = asyncio.run(played()).ran
    assert (first.skipped, first.variables["MON_PRICE"]) == (0, "6")
    assert (second.skipped, second.variables["MON_PRICE"]) == (8, "15")


@pytest.mark.parametrize(("text", "milliseconds"), [("0", 0), (" 0s ", 0), ("0ms", 0), ("1s", 1_000)])
def test_a_cooldown_may_be_none(text: str, milliseconds: int) -> None:
    assert PauseParser()(text) == milliseconds


def test_a_cooldown_of_nothing_is_not_the_usual_one() -> None:
    subscription = Subscription("trades", (SYMBOL,))
    offer = venue_named("nexus").streams["trades"]
    for given, seconds in ((None, 1.0), (0, 0.0), (250, 0.25)):
        request = StreamRequest(venue="nexus", symbols=[SYMBOL], on=["price > 5"], bell=True, cooldown=given)
        conditioned = Conditioned(request, subscription, offer, as_table=False)
        stage = Stage("trades", "price > 5")
        alerts = conditioned.alerts(stage, Redactor())
        assert alerts is not None
        assert alerts.cooldown == seconds


def test_a_quotient_has_four_places_in_an_argument_and_all_in_the_environment() -> None:
    quote = Quote(venue="v", received=0, symbol="S", bid_price=Decimal(3), ask_price=Decimal("3.1"))
    program = Program("say {spread_bps} {mid}", Fields("quotes", Quote))
    stand = Stands("quotes", (), partial=False).whole
    assert program.arguments(quote, stand.seen) == ["say", "327.8689", "3.05"]
    assert len(program.variables(quote, stand.seen)["MON_SPREAD_BPS"]) > 90


# --- commands ---------------------------------------------------------------------------------------------------------

SCRIPT = """\
import json, os, sys
line = sys.stdin.readline()
ours = {name: value for name, value in os.environ.items() if name.startswith(("MON_", "OTHER", "HTTPS"))}
print(json.dumps([sys.argv[1:], ours, json.loads(line), os.getpgid(0) == os.getpid()]), flush=True)
print("trouble", file=sys.stderr)
sys.exit(3)
"""


def test_a_command_gets_the_record_and_none_of_our_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hook.py").write_text(SCRIPT)
    secrets = {
        "MON_NEXUS_CLIENT_KEY": "sekret-one", "HTTPS_PROXY": "http://u:sekret-two@p:1", "OTHER": "is sekret-three",
        "MON_JAYX_URL": "wss://x/?token=sekret-four", "MON_KRAKEN_URL": "ws://127.0.0.1:1", "MON_CONFIG": "/c.toml",
    }  # fmt: skip
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    redactor = Redactor()
    redactor.learn({"token": "sekret-three"})
    told = Told()

    async def played() -> None:
        stage = Stage("trades", "price > 5")
        command = f"{sys.executable} {tmp_path / 'hook.py'} 'at {{price}}' '{{extra.note}}' {{symbol}} '{{{{}}}}'"
        alerts = Alerts(
            Program(command, stage.fields),
            False,
            told,
            lambda: for_a_command(lambda value: redactor.text(value) != value),
            redactor,
            "price > 5",
        )
        stage.fire = alerts.fire
        stage.see("live", trade(6, note="\x1b[31m$(reboot) sekret-three"))
        await alerts.finish(asyncio.get_running_loop().create_future())

    asyncio.run(played())
    printed, trouble = sorted(told.relayed, key=len, reverse=True)
    assert "sekret" not in printed
    arguments, environment, record, is_own_group = json.loads(printed)
    assert arguments[0] == "at 6"
    assert arguments[1].startswith("\\x1b[31m$(reboot) ")
    assert arguments[2:] == ["S", "{}"]
    assert {name: environment.get(name) for name in ("MON_PRICE", "MON_SYMBOL", "MON_STATE", "MON_SKIPPED")} == {
        "MON_PRICE": "6", "MON_SYMBOL": "S", "MON_STATE": "live", "MON_SKIPPED": "0",
    }  # fmt: skip
    assert {"MON_CONFIG", "MON_KRAKEN_URL"} <= environment.keys()
    assert environment.keys().isdisjoint({"MON_NEXUS_CLIENT_KEY", "HTTPS_PROXY", "OTHER", "MON_JAYX_URL"})
    assert (record["type"], record["price"]) == ("trade", 6)
    assert is_own_group
    assert trouble == "trouble"
    assert told.said == [f"--exec: {sys.executable} ended with 3: trouble"]


def test_a_command_is_over_when_it_ends_whatever_it_has_left_behind() -> None:
    told = Told()

    async def played() -> list[int]:
        stage = Stage("trades", "price > 5")
        command = "sh -c 'sleep 60 & echo $!; exit 3'"
        alerts = Alerts(Program(command, stage.fields), False, told, dict, Redactor(), "c", timeout=30.0)
        stage.fire = alerts.fire
        stage.see("live", trade(6))
        async with asyncio.timeout(10):
            await alerts.finish(asyncio.get_running_loop().create_future())
        return [int(line) for line in told.relayed]

    for left in asyncio.run(played()):
        os.kill(left, signal.SIGKILL)  # it goes on, as whoever wrote the command wants it
    assert told.said == ["--exec: sh ended with 3"]


def test_what_takes_too_long_is_ended_and_what_cannot_be_run_is_said() -> None:
    told = Told()

    async def played(command: str, **options: Any) -> None:
        stage = Stage("trades", "price > 5")
        alerts = Alerts(Program(command, stage.fields), False, told, dict, Redactor(), "c", **options)
        stage.fire = alerts.fire
        stage.see("live", trade(6))
        await asyncio.sleep(0.3 if options else 0)
        next_signal = asyncio.get_running_loop().create_future()
        if not options:
            stage.see(trade(7))
            next_signal.set_result(signal.SIGINT)
        await alerts.finish(next_signal)

    asyncio.run(played("""sh -c 'trap "echo in order; exit" TERM; sleep 60 & wait'""", timeout=0.1))
    assert told.relayed == ["in order"]
    assert told.said == ["--exec: sh was ended after 0.1 s"]
    told.said.clear()
    asyncio.run(played("sleep 60", timeout=0.1))
    asyncio.run(played("/no/such/program", timeout=1.0))
    asyncio.run(played("sleep 60"))
    assert told.said == [
        "--exec: sleep was ended after 0.1 s",
        "--exec: /no/such/program cannot be run: No such file or directory",
        "--exec: 1 command was stopped: the end came before",
        "--exec: 1 command was not run: the end came before",
    ]


def test_what_does_not_end_when_it_is_asked_to_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.run.alerts.KILL_AFTER", 0.1)
    (tmp_path / "hook.sh").write_text("trap '' TERM\necho $$ > $1\nwhile :; do sleep 0.1; done\n")

    async def played() -> None:
        stage = Stage("trades", "price > 5")
        command = f"sh {tmp_path / 'hook.sh'} {tmp_path / 'pid'}"
        alerts = Alerts(Program(command, stage.fields), False, Told(), dict, Redactor(), "c", timeout=0.5)
        stage.fire = alerts.fire
        stage.see("live", trade(6))
        await alerts.finish(asyncio.get_running_loop().create_future())

    asyncio.run(asyncio.wait_for(played(), 30))
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize(
    ("price", "signalled", "code", "words"),
    [
        (100, True, INTERRUPTED, "--exec: 1 command was stopped: the end came before"),
        (100, False, OK, "--exec: 1 command was stopped: the end came before"),
        (1_000, True, OK, ""),  # nothing runs: all was done before the signal
    ],
)
def test_a_signal_while_the_output_is_written_ends_the_commands_too(
    price: int,
    signalled: bool,
    code: int,
    words: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    until_written = Ending.until_written

    async def interrupted(self: Ending, *arguments: Any, **options: Any) -> str | None:
        left = await until_written(self, *arguments, **options)
        os.kill(os.getpid(), signal.SIGINT)
        await arguments[1]
        return left

    monkeypatch.setattr("cli.run.alerts.AT_END", 30.0 if signalled else 0.1)
    if signalled:
        monkeypatch.setattr(Ending, "until_written", interrupted)
    file = write(tmp_path / "b.jsonl", [*opened(BEGIN), came(BEGIN + 70, book(BEGIN, "101", "200"))], streams=("book",))
    request = StreamRequest(
        "nexus", [SYMBOL], replay=file, speed=float("inf"), output="jsonl", on=[f"bids[0].price > {price}"],
        exec="sleep 60",
    )  # fmt: skip
    request.stream = "book"
    assert watch(request, Words(), Redactor()) == code
    assert words in capfd.readouterr().err


def test_a_command_that_is_killed_at_the_end_is_over_before_the_loop_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else Python tells of its open pipes in a traceback."""
    run = Alerts._with

    async def played() -> None:
        started: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def noted(self: Alerts, process: Any, *arguments: Any) -> None:
            started.set_result(process)
            await run(self, process, *arguments)

        monkeypatch.setattr(Alerts, "_with", noted)
        stage = Stage("trades", "price > 5")
        alerts = Alerts(Program("sleep 60", stage.fields), False, Told(), dict, Redactor(), "c")
        stage.fire = alerts.fire
        stage.see("live", trade(6))
        process = await started
        next_signal = asyncio.get_running_loop().create_future()
        next_signal.set_result(signal.SIGINT)
        assert await alerts.finish(next_signal)
        assert process.returncode == -signal.SIGKILL
        assert process._transport.is_closing()
        assert not await alerts.finish(next_signal), "nothing runs any more"

    asyncio.run(played())


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("", "got nothing"),
        ("echo 'x", "No closing quotation"),
        ("{price} x", "without a field"),
        ("x {prize}", "price?"),
    ],
)
def test_what_is_no_command_is_refused(command: str, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("?", "\\?")):
        Program(command, Fields("trades", Trade))


def test_a_recording_of_crossings_runs_the_command_and_nothing_of_it_is_on_stdout(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    books = [
        came(BEGIN + 1000 * n, book(BEGIN + 1000 * n, "99" if n % 2 else "101", "200")) for n in range(2 * CROSSINGS)
    ]
    file, counted = write(tmp_path / "b.jsonl", [*opened(BEGIN), *books], streams=("book",)), tmp_path / "counted"
    script = f"echo $MON_SKIPPED >> {counted}; echo from-the-command"
    request = StreamRequest(
        "nexus", [SYMBOL], replay=file, speed=float("inf"), output="jsonl", on=["bids[0].price > 100"],
        exec=f"sh -c '{script}'",
    )  # fmt: skip
    request.stream = "book"
    assert watch(request, Words(), Redactor()) == OK
    out, err = capfd.readouterr()
    assert "from-the-command" in err
    assert {json.loads(line)["type"] for line in out.splitlines()} == {"book"}
    skipped = [int(line) for line in counted.read_text().split()]
    assert len(skipped) + sum(skipped) == CROSSINGS


def test_a_command_is_told_how_old_the_data_is_also_where_no_condition_asks(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "b.jsonl", [*opened(BEGIN), came(BEGIN + 70, book(BEGIN, "101", "200"))], streams=("book",))
    request = StreamRequest(
        "nexus", [SYMBOL], replay=file, speed=float("inf"), output="jsonl", on=["bids[0].price > 100"],
        exec="sh -c 'echo {age_ms} is $MON_AGE_MS'",
    )  # fmt: skip
    request.stream = "book"
    assert watch(request, Words(), Redactor()) == OK
    first, _, second = capfd.readouterr().err.strip().partition(" is ")
    assert first == second
    assert int(first) >= 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"on": ["price > 1"]}, "does nothing without --exec CMD or --bell"),
        ({"on": ["price > 1", "price > 2"], "bell": True}, "expected --on once"),
        ({"exec": "true"}, "--exec applies to --on only"),
        ({"rearm": "price > 1"}, "--rearm applies to --on only"),
        ({"on": ["price > 1"], "bell": True, "exec_timeout": 1000}, "--exec-timeout applies to --exec only"),
        ({"on": ["price > 1"], "bell": True, "rearm": "prize > 1"}, "--rearm: a trade has no field prize"),
        ({"on": ["price > 1"], "bell": True, "raw": True}, "--on does not apply to --raw"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], words: str) -> None:
    request = StreamRequest("nexus", [SYMBOL], output="jsonl", env="sim", **options)
    request.stream = "trades"
    with pytest.raises(UsageError, match=words):
        watch(request, Words(quiet=True), Redactor())
