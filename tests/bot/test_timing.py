"""A replay's time: a script's waits end when the recording has come so far, in an order that is always the same."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from croniter import croniter

from cli.bot.timing import turns, work
from cli.bot.timing.cron import Cron, Schedule, schedule_of
from cli.bot.timing.turns import Turns
from tests.bot.conftest import Runs
from tests.bot.recordings import BEGIN, Tick, record_trades

SECOND = 1_000
ALL = "from profitview import Link, http, logger, cron\nimport queue, threading, time\n"


@pytest.fixture
def minutes(tmp_path: Path) -> Path:
    """Ten minutes with a trade every second, from a full minute on."""
    begin = BEGIN + 1
    ticks = [Tick(begin + SECOND * number, f"{100 + number % 7}", "1") for number in range(600)]
    return record_trades(tmp_path / "r.jsonl", ticks)


@pytest.fixture
def ordered_turns() -> Turns:
    """Those of a replay, of which the present thread is the runner."""
    made = Turns(lambda text: None)
    made.runner_is()
    return made


def script(*lines: str, head: str = ALL) -> str:
    """A class `Signals` with these lines."""
    return head + "class Signals(Link):\n" + "".join(f"    {line}\n" for line in lines)


def told(ran: Any) -> list[tuple[float, Any]]:
    """What was published, with the second of the recording."""
    return [((one["received"] - BEGIN) / SECOND, one["data"]) for one in ran.of("message")]


def equal_runs(runs: Runs, source: str, path: Path, times: int = 2) -> list[tuple[float, Any]]:
    """What several runs publish, which is all the same."""
    found = [runs(source, replay=path) for _ in range(times)]
    assert all(ran.code == 0 for ran in found), found[0].said
    assert all(ran.records == found[0].records for ran in found)
    assert all(ran.said == found[0].said for ran in found)
    return told(found[0])


def test_on_start_may_sleep_and_the_callbacks_go_on(runs: Runs, minutes: Path) -> None:
    source = script(
        "seen = 0",
        "def on_start(self):",
        "    for _ in range(3):",
        "        self.publish('t', [self.seen, self.epoch_now])",
        "        time.sleep(60)",
        "    self.publish('t', 'done')",
        "def trade_update(self, src, sym, data): self.seen += 1",
    )
    found = equal_runs(runs, source, minutes)
    assert [at for at, _ in found] == pytest.approx([0, 60, 120, 180], abs=0.01)
    assert [data[0] for _, data in found[:3]] == [0, 60, 120]
    assert found[3][1] == "done"
    assert found[1][1][1] == BEGIN + 60 * SECOND, "self.now is the recording's"


def test_a_loop_in_on_start_until_there_is_something(runs: Runs, minutes: Path) -> None:
    source = script(
        "last = None",
        "def on_start(self):",
        "    while self.last is None: time.sleep(0.01)",
        "    self.publish('t', self.last)",
        "def trade_update(self, src, sym, data): self.last = data['price']",
    )
    assert len(equal_runs(runs, source, minutes)) == 1


@pytest.mark.parametrize(
    "until",
    [
        "self.last_trade('nexus', 'SPOT_BTC_USDT') is not None",
        "self.trades.get('nexus', {}).get('SPOT_BTC_USDT')",
        "self.epoch_now > BEGIN + 90_000",
    ],
)
def test_a_loop_without_a_wait_ends_when_what_it_looks_up_is_there(runs: Runs, minutes: Path, until: str) -> None:
    """Live the callbacks go on beside it. Here time goes on when the same thread has looked often enough."""
    source = script(
        "def on_start(self):",
        f"    while not ({until}): pass",
        "    self.publish('t', self.epoch_now)",
        "def trade_update(self, src, sym, data): pass",
        head=f"{ALL}BEGIN = {BEGIN}\n",
    )
    ((at, _),) = equal_runs(runs, source, minutes)
    assert at < 93


def test_looking_up_much_costs_no_recorded_time(runs: Runs, minutes: Path) -> None:
    source = script(
        "def on_start(self):",
        "    for _ in range(20):",
        "        before = {self.epoch_now for _ in range(900)}",
        "        assert len(before) == 1",
        "        time.sleep(1)",
        "    self.publish('t', 'done')",
        "def trade_update(self, src, sym, data): pass",
    )
    ((at, _),) = equal_runs(runs, source, minutes, times=1)
    assert at == pytest.approx(20, abs=0.01)


@pytest.fixture(params=["of each thread", "of the process"])
def counts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the system tells of how much is worked: as Linux does, and as others do."""
    if request.param == "of the process":
        monkeypatch.setattr(work, "THREADS", tmp_path / "nothing")


@pytest.mark.usefixtures("counts")
def test_a_loop_that_looks_nothing_up_goes_on_by_itself(
    runs: Runs, minutes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.bot.timing.turns.WORKS_LONG", 0.2)
    monkeypatch.setattr("cli.bot.timing.turns.WORKS_TOO_LONG", 0.5)
    source = script(
        "seen = 0",
        "def on_start(self):",
        "    while self.seen < 5: pass",
        "    self.publish('t', 'done')",
        "def trade_update(self, src, sym, data):",
        "    self.seen += 1",
        "    sum(range(30_000))",
    )
    ran = runs(source, replay=minutes)
    assert ran.code == 0
    assert ran.said.count("bot.py: on_start has been running for 0 s without a wait: the recording waits for it") == 1
    assert "bot.py: on_start calculates for too long, or loops without a wait: it goes on by itself" in ran.said
    assert [one["data"] for one in ran.of("message")] == ["done"]


@pytest.mark.parametrize(
    "wait",
    [
        "time.sleep(30)",
        "threading.Event().wait(30)",
        "threading.Condition().acquire() and None",
        "self.gate.wait(timeout=30)",
        "self.sleeper.join()",
        "self.get()",
        "self.held()",
    ],
)
def test_whatever_waits_waits_in_recorded_time(runs: Runs, minutes: Path, wait: str) -> None:
    source = script(
        "def on_start(self):",
        "    self.gate = threading.Event()",
        "    self.lock, self.queue = threading.Lock(), queue.Queue()",
        "    self.sleeper = threading.Thread(target=time.sleep, args=(30,))",
        "    self.sleeper.start()",
        "    threading.Thread(target=self.hold).start()",
        "    time.sleep(0)",
        f"    {wait}",
        "    self.publish('t', 'over')",
        "def hold(self):",
        "    with self.lock: time.sleep(30)",
        "    self.queue.put(7)",
        "def held(self):",
        "    with self.lock: pass",
        "def get(self):",
        "    assert self.queue.get() == 7",
        "def trade_update(self, src, sym, data): pass",
    )
    found = equal_runs(runs, source, minutes)
    assert [data for _, data in found] == ["over"]
    assert found[0][0] == pytest.approx(0 if "acquire" in wait else 30, abs=0.1)


def test_a_get_that_waits_too_long_is_empty(runs: Runs, minutes: Path) -> None:
    source = script(
        "def on_start(self):",
        "    try: queue.Queue().get(timeout=45)",
        "    except queue.Empty: self.publish('t', 'empty')",
        "def trade_update(self, src, sym, data): pass",
    )
    ((at, data),) = equal_runs(runs, source, minutes)
    assert (at, data) == (pytest.approx(45, abs=0.01), "empty")


def test_threads_timers_and_pools_have_an_order(runs: Runs, minutes: Path) -> None:
    source = script(
        "def on_start(self):",
        "    for number in range(5): threading.Thread(target=self.talk, args=(number,)).start()",
        "    threading.Timer(5, self.publish, ('t', 'timer')).start()",
        "    with ThreadPoolExecutor(3) as pool:",
        "        for answer in pool.map(self.slow, range(6)): self.publish('t', ['pool', answer])",
        "def slow(self, number):",
        "    time.sleep(2)",
        "    return number * number",
        "def talk(self, number):",
        "    for turn in range(3):",
        "        self.publish('t', [number, turn])",
        "        time.sleep(1)",
        "def trade_update(self, src, sym, data): pass",
        head=ALL + "from concurrent.futures import ThreadPoolExecutor\n",
    )
    found = equal_runs(runs, source, minutes, times=4)
    assert len(found) == 5 * 3 + 1 + 6
    assert [data for _, data in found[:5]] == [[number, 0] for number in range(5)]
    assert [at for at, data in found if data == "timer"] == pytest.approx([5], abs=0.01)
    assert [data[1] for _, data in found if data[0] == "pool"] == [0, 1, 4, 9, 16, 25]


SHORT_WAITS = script(
    "woken = threading.Event()",
    "def on_start(self):",
    "    for number, step in enumerate((0.05, 0.1, 0.1, 0.25)):",
    "        threading.Thread(target=self.talk, args=(number, step), daemon=True).start()",
    "    while not self.woken.wait(0.02): pass",
    "    self.publish('t', 'woken')",
    "def talk(self, number, step):",
    "    for turn in range(1000):",
    "        time.sleep(step)",
    "        if turn % 97 == 0: self.publish('t', [number, turn])",
    "        if turn == 500 and number == 1: self.woken.set()",
    "def trade_update(self, src, sym, data):",
    "    if data['price'] == 103: self.publish('t', 'trade')",
)


def test_pools_and_schedulers_of_python_count_by_the_recording(runs: Runs, minutes: Path) -> None:
    source = script(
        "def on_start(self):",
        "    begun, line, pool = self.epoch_now, sched.scheduler(), futures.ThreadPoolExecutor(4)",
        "    line.enter(30, 1, lambda: self.publish('t', ['sched', self.epoch_now - begun]))",
        "    line.run()",
        "    made = [pool.submit(time.sleep, seconds) for seconds in (9, 3, 3, 1)]",
        "    time.sleep(5)",
        "    self.publish('t', [made.index(one) for one in futures.as_completed(made)])",
        "    late = pool.submit(time.sleep, 60)",
        "    try: list(futures.as_completed([late], timeout=7))",
        "    except TimeoutError: self.publish('t', ['late', self.epoch_now - begun])",
        "def trade_update(self, src, sym, data): pass",
        head=ALL + "import sched\nfrom concurrent import futures\n",
    )
    found = [data for _, data in equal_runs(runs, source, minutes)]
    assert found == [["sched", 30_000], [3, 2, 1, 0], ["late", 46_000]]


def test_the_end_of_a_pool_s_threads_is_no_fault(runs: Runs, minutes: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = script(
        "def on_start(self):",
        "    self.pool = futures.ThreadPoolExecutor(2)",
        "    self.pool.submit(time.sleep, 1).result()",
        "def trade_update(self, src, sym, data): pass",
        head=ALL + "from concurrent import futures\n",
    )
    assert runs(source, replay=minutes).said == ""
    for thread in [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]:
        thread.join(10)
    assert caplog.records == []


def test_short_waits_keep_the_turn_where_nobody_else_has_one_before(
    runs: Runs, minutes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes out is what would if each wait handed the turn over, which costs many times more."""
    quick = equal_runs(runs, SHORT_WAITS, minutes)
    monkeypatch.setattr(Turns, "goes_on", lambda self, seconds: False)
    assert equal_runs(runs, SHORT_WAITS, minutes, times=1) == quick
    monkeypatch.setattr(Turns, "_would_be_next", lambda self, due: False)
    assert equal_runs(runs, SHORT_WAITS, minutes, times=1) == quick
    assert [data for _, data in quick].count("woken") == 1


def test_a_loop_of_short_waits_is_not_handed_over_each_time(
    runs: Runs, minutes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And after very many waits it is said where the recording is, so that nobody thinks it hangs."""
    handed: list[int] = []
    until_back = Turns._until_back
    monkeypatch.setattr(Turns, "_until_back", lambda self, waiter: [handed.append(1), until_back(self, waiter)])
    monkeypatch.setattr("cli.bot.timing.turns.MANY_WAITS", 3_000)
    monkeypatch.setattr("cli.bot.timing.turns.MANY_MORE", 5_000)
    source = script(
        "def on_start(self):",
        "    while True: time.sleep(0.05)",
        "def trade_update(self, src, sym, data): pass",
    )
    ran = runs(source, replay=minutes)
    assert ran.code == 0
    assert len(handed) < 700, "one for each event of the recording, of 12,000 waits"
    assert "bot.py: on_start has waited 3,000 times, and the recording is at 2023-11-16 07:" in ran.said
    assert "bot.py: on_start has waited 8,000 times, and the recording is at 2023-11-16 07:" in ran.said


def test_a_thread_without_a_turn_never_moves_the_time(ordered_turns: Turns) -> None:
    """One that goes on by itself, say: only who has a turn may keep it to the end of a wait."""
    assert not ordered_turns.goes_on(0.05)
    kept: list[object] = []

    def works() -> None:
        kept.append(ordered_turns.goes_on(0.05))
        kept.append(ordered_turns.goes_on(1.0))
        with ordered_turns.apart():
            kept.append(ordered_turns.goes_on(0.01))
        kept.append(ordered_turns.goes_on(0.00001))

    ordered_turns.take(threading.Thread(target=works, daemon=True))
    ordered_turns.go_to(NS // 10)
    assert kept == [True, False, False, False]
    ordered_turns.close()


def test_a_callback_that_sleeps_lets_the_others_go_on(runs: Runs, minutes: Path) -> None:
    source = script(
        "slept = False",
        "def on_start(self):",
        "    for _ in range(4):",
        "        time.sleep(10)",
        "        self.publish('t', 'beside')",
        "def trade_update(self, src, sym, data):",
        "    if not self.slept:",
        "        self.slept = True",
        "        time.sleep(25)",
        "        self.publish('t', 'callback')",
    )
    found = equal_runs(runs, source, minutes)
    assert [data for _, data in found] == ["beside", "beside", "callback", "beside", "beside"]
    assert found[2][0] == pytest.approx(25, abs=0.1)


def test_a_callback_that_waits_for_what_never_comes_is_an_exception(runs: Runs, minutes: Path) -> None:
    source = script("def trade_update(self, src, sym, data): threading.Event().wait()")
    ran = runs(source, replay=minutes)
    assert ran.code == 0
    assert "a callback waits for what no thread of this replay can bring" in ran.said


def test_what_cannot_be_ordered_is_told_and_goes_on(runs: Runs, minutes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "IDLE_LOOKS", 4)
    source = script(
        "def on_start(self):",
        "    for _ in range(2):",
        "        self.publish('t', subprocess.run(['sleep', '0.6']).returncode)",
        "        time.sleep(1)",
        "def trade_update(self, src, sym, data): time.sleep(0)",
        head=ALL + "import subprocess\n",
    )
    ran = runs(source, replay=minutes, speed=150.0)
    assert len(ran.records) == 2
    assert ran.said.count("two runs may differ") == 1, "once, however often it waits"
    assert "bot.py: on_start waits for something that a recording has no time for" in ran.said


def test_a_thread_past_threading_is_told_of_once(runs: Runs, minutes: Path) -> None:
    source = script(
        "def on_start(self):",
        "    for _ in range(2): _thread.start_new_thread(self.publish, ('t', 1))",
        "def trade_update(self, src, sym, data): time.sleep(0)",
        head=ALL + "import _thread\n",
    )
    ran = runs(source, replay=minutes, speed=600.0)
    assert [one["data"] for one in ran.of("message")] == [1, 1]
    assert ran.said.count("a thread that threading has not started emits something") == 1


def test_each_wait_of_a_callback_is_for_itself(runs: Runs, minutes: Path) -> None:
    """That one was ended by another thread says nothing of the next one."""
    source = script(
        "first = True",
        "def on_start(self):",
        "    self.rings = threading.Event()",
        "    time.sleep(20)",
        "    self.rings.set()",
        "def trade_update(self, src, sym, data):",
        "    if self.first:",
        "        self.first = False",
        "        self.publish('t', [self.rings.wait(60), threading.Event().wait(60), self.epoch_now])",
    )
    ((_, (rung, silent, at)),) = equal_runs(runs, source, minutes)
    assert (rung, silent) == (True, False)
    assert (at - BEGIN) / SECOND == pytest.approx(20 + 60, abs=2)


@pytest.mark.usefixtures("counts")
def test_who_waits_elsewhere_again_is_let_go_again_and_told_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "IDLE_LOOKS_AT_ALL", work.IDLE_LOOKS)
    monkeypatch.setattr(work, "KNOWN_LOOKS_AT_ALL", work.KNOWN_LOOKS)
    said: list[str] = []
    ordered = Turns(said.append)
    ordered.runner_is()
    gates = [threading.Lock(), threading.Lock()]

    def works() -> None:
        for gate in gates:
            ordered.wait(1.0)
            gate.acquire()

    for gate in gates:
        gate.acquire()
    thread = threading.Thread(target=works, name="a pool's 7", daemon=True)
    thread.start()
    for number, gate in enumerate(gates, start=1):
        while len(ordered._of) == 0:  # it waits for its turn
            time.sleep(0.001)
        ordered.go_to(number * 2_000_000_000)
        assert gate.locked(), "it has its turn, and waits for something else: nobody waits for it"
        gate.release()
    thread.join(10)
    assert not thread.is_alive()
    assert [one.partition(" waits")[0] for one in said] == ["a pool's 7"]


def test_who_waits_elsewhere_at_the_end_is_not_told_of() -> None:
    said: list[str] = []
    ordered = Turns(said.append)
    ordered.closed = True
    assert ordered._let_go(turns._Waiter("a pool's 7"))
    assert said == []


def test_the_end_of_the_recording_ends_all_waits(runs: Runs, minutes: Path) -> None:
    source = script(
        "def on_start(self):",
        "    try: time.sleep(10_000)",
        "    finally: self.ended = True",
        "    self.publish('t', 'never')",
        "def trade_update(self, src, sym, data): pass",
    )
    ran = runs(source, replay=minutes)
    assert (ran.code, ran.records, ran.said) == (0, [], "")


# --- by a schedule


def test_schedules_go_by_the_recording(runs: Runs, minutes: Path) -> None:
    source = script(
        "@cron.run(every=90)",
        "def often(self): self.publish('t', 'every')",
        "@cron.run(on='3m')",
        "def at_candles(self): self.publish('t', 'on')",
        "@cron.run(expr='*/2 * * * *')",
        "def even(self): self.publish('t', 'expr')",
        "def trade_update(self, src, sym, data): pass",
    )
    found = equal_runs(runs, source, minutes)
    by = {name: [round(at) for at, data in found if data == name] for name in ("every", "on", "expr")}
    assert by["every"] == list(range(0, 600, 90))
    assert by["on"] == [0, *range((-BEGIN // SECOND) % 180, 600, 180)]
    assert by["expr"] == [0, *range((-BEGIN // SECOND) % 120, 600, 120)]


def test_a_long_run_holds_up_no_other_and_is_never_twice_at_a_time(runs: Runs, minutes: Path) -> None:
    source = script(
        "@cron.run(every=10)",
        "def long(self):",
        "    self.publish('t', 'begins')",
        "    time.sleep(25)",
        "@cron.run(every=10)",
        "def short(self): self.publish('t', 'short')",
        "def trade_update(self, src, sym, data): pass",
    )
    found = equal_runs(runs, source, minutes)
    assert [round(at) for at, data in found if data == "begins"][:4] == [0, 30, 60, 90]
    assert [round(at) for at, data in found if data == "short"][:4] == [0, 10, 20, 30]


def test_what_is_called_in_several_ways_is_called_in_each_of_them(runs: Runs, minutes: Path) -> None:
    source = script(
        "@cron.run(every=300)",
        "def on_start(self): self.publish('t', 'start')",
        "@http.route",
        "@cron.run(every=300)",
        "def get_state(self, data=None): self.publish('t', ['state', data])",
        "@cron.run(every=300)",
        "def on_started(self): pass",
        "def trade_update(self, src, sym, data): pass",
    )
    ran = runs(source, replay=minutes)
    found = sorted(map(str, (data for _, data in told(ran))))
    assert found == ["['state', None]"] * 2 + ["start"] * 3
    assert "is it meant to be" not in ran.said


def test_an_exception_of_a_run_ends_that_run_only(runs: Runs, minutes: Path) -> None:
    source = script(
        "runs = 0",
        "@cron.run(every=60)",
        "def fails(self):",
        "    self.runs += 1",
        "    self.publish('t', self.runs)",
        "    raise ZeroDivisionError",
        "def trade_update(self, src, sym, data): pass",
    )
    ran = runs(source, replay=minutes)
    assert [data for _, data in told(ran)] == list(range(1, 11))
    assert "an exception in fails" in ran.said


def test_without_auto_start_the_first_run_waits(runs: Runs, minutes: Path) -> None:
    source = script(
        "@cron.run(every=60)",
        "def later(self): self.publish('t', 1)",
        "def trade_update(self, src, sym, data): pass",
        head=ALL + "cron.options['auto_start'] = False\n",
    )
    assert round(equal_runs(runs, source, minutes)[0][0]) == 60


def test_schedules_run_live_too(runs: Runs) -> None:
    source = script(
        "runs = 0",
        "def on_start(self):",
        "    while self.runs < 3: time.sleep(0.01)",
        "    self.publish('done', self.runs)",
        "@cron.run(every=0.05)",
        "def often(self): self.runs += 1",
    )
    ran = runs(source, once=True)
    assert [one["topic"] for one in ran.of("message")] == ["done"]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("@cron.run()", "expected exactly one of every, on and expr in @cron.run, got none"),
        ("@cron.run(every=1, on='1m')", "got every and on"),
        ("@cron.run(every=0)", "expected every as seconds"),
        ("@cron.run(every=True)", "expected every as seconds"),
        ("@cron.run(every=float('nan'))", "expected every as seconds"),
        ("@cron.run(on='2m')", "expected on as one of 1m 3m"),
        ("@cron.run(expr='* * *')", "a cron expression of five fields"),
        ("@cron.run(expr='61 * * * *')", "a cron expression of five fields"),
        ("@cron.run(expr='0 0 30 2 *')", "expected expr to be due ever, got '0 0 30 2 *'"),
        ("@cron.run(expr='r * * * *')", "a cron expression of five fields"),
        ("@cron.run(expr='R(0-9) 1 * * *')", "a cron expression of five fields"),
        ("@cron.run(expr='0,' * 400 + '1 * * * *')", "a cron expression of five fields"),
        ("@cron.run(expr=7)", "a cron expression of five fields"),
        ("@cron.run", "got @cron.run alone"),
    ],
)
def test_what_is_no_schedule(runs: Runs, written: str, words: str) -> None:
    ran = runs(script(written, "def often(self): pass"), once=True)
    assert ran.code == 3
    assert words in str(ran.problem)


def test_a_scheduled_method_takes_nothing_but_self(runs: Runs) -> None:
    ran = runs(script("@cron.run(every=1)", "def often(self, data): pass"), once=True)
    assert ran.code == 3
    assert "expected def often(self)" in str(ran.problem)


NS = 1_000_000_000


@pytest.mark.parametrize(
    ("schedule", "after", "due"),
    [
        (Schedule(on="1w"), "2023-11-16T07:13:00", "2023-11-20T00:00:00"),
        (Schedule(on="1d"), "2023-11-16T07:13:00", "2023-11-17T00:00:00"),
        (Schedule(on="1h"), "2023-11-16T07:00:00", "2023-11-16T08:00:00"),
        (Schedule(expr="30 6 * * 1"), "2023-11-16T07:13:00", "2023-11-20T06:30:00"),
        (Schedule(expr="0 12 * mar fri"), "2023-11-16T07:13:59", "2024-03-01T12:00:00"),
        (Schedule(expr="* * * * *"), "2023-11-16T07:13:59", "2023-11-16T07:14:00"),
    ],
)
def test_when_a_schedule_is_due(schedule: Schedule, after: str, due: str) -> None:
    at = datetime.fromisoformat(after).replace(tzinfo=UTC)
    found = schedule.next_after(int(at.timestamp()) * NS, 0)
    assert datetime.fromtimestamp(found // NS, UTC) == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_every_is_counted_from_the_first_run() -> None:
    schedule = Schedule(every=2.5)
    begun = 7 * NS
    ends = [begun, begun + 1, begun + round(2.5 * NS), begun + 100 * NS + 1]
    assert [(schedule.next_after(end, begun) - begun) / NS for end in ends] == [2.5, 2.5, 5.0, 102.5]


def test_the_decorator_leaves_a_method_as_it_is() -> None:
    def method() -> int:
        return 7

    marked = Cron().run(every=1)(method)
    assert marked is method
    assert schedule_of(marked) == Schedule(every=1)


def test_an_expression_is_due_whenever_croniter_says() -> None:
    schedule = Schedule(expr="*/7 3-5 * * 1,4")
    at = datetime(2023, 11, 16, 7, 13, tzinfo=UTC)
    expected = croniter(schedule.expr, at)
    due = int(at.timestamp()) * NS
    for _ in range(200):
        due = schedule.next_after(due, 0)
        assert datetime.fromtimestamp(due // NS, UTC) == expected.get_next(datetime)


@pytest.mark.parametrize(("state", "waits"), [("S", True), ("D", True), ("R", False)])
def test_how_much_a_thread_has_worked_is_its_two_counts(
    state: str, waits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fields 14 and 15 of the system's line; the second, a name, may have brackets and spaces in it."""
    stat = tmp_path / "7" / "stat"
    stat.parent.mkdir()
    stat.write_text(" ".join(["7", "(a) b)", state, *map(str, range(4, 53))]))
    monkeypatch.setattr(work, "THREADS", tmp_path)
    assert work.counts_of(7) == (waits, 14, 15)
    seen = work.Work(7, known=True)
    seen.look()
    assert (seen.waits, seen.seconds) == (waits, 0)
    stat.write_text(" ".join(["7", "(a) b)", "S", *map(str, range(1_004, 1_053))]))
    seen.look()
    assert (seen.waits, seen.seconds) == (False, 2_000 / work._TICKS)
    stat.unlink()
    assert work.counts_of(7) is None
    seen.look()
    assert (seen.waits, seen.seconds) == (False, 2_000 / work._TICKS), "it has ended"


def test_a_process_that_takes_little_of_the_processor_waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clocks = [(10.0, 1.0), (11.0, 2.0), (12.0, 2.04), (13.0, 2.04), (14.0, 2.1)]
    monkeypatch.setattr(work, "THREADS", tmp_path)
    monkeypatch.setattr(work, "KNOWN_LOOKS_AT_ALL", 2)
    monkeypatch.setattr(work, "_clocks", lambda: clocks.pop(0))
    seen, found = work.Work(7, known=True), []
    while clocks:
        seen.look()
        found.append((seen.waits, round(seen.seconds, 2)))
    assert found == [(False, 1.0), (False, 1.04), (True, 1.04), (False, 1.1)]
