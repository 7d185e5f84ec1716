"""`mon check`: verdicts and exit codes, and what others make of its lines."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cli import main
from cli.output.fields import Fields
from cli.output.verdicts import CRITICAL, OK, UNKNOWN, WARNING, Row, Verdict, in_format, nagios
from tests.bot.recordings import BEGIN, book, came, opened, write
from tests.recorded import FOLDER
from venues.records import Balance, Margin, Order, Position
from venues.streams import STREAMS

ROOT = Path(__file__).parents[1]
NEGATE = Path("/usr/lib/nagios/plugins/negate")


def recorded(stream: str, case: str = "document") -> list[str]:
    """The arguments for a check of a recording of B2TRADER's document."""
    return ["check", stream, "b2trader", "--replay", str(FOLDER / "b2trader" / f"{stream}--{case}.frames.jsonl")]


def checked(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main.run(arguments)
    out, err = capfd.readouterr()
    assert "Traceback" not in err
    return code, out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (recorded("margin"), OK, "MARGIN OK: b2trader"),
        ([*recorded("margin"), "-w", "level_pct > 0"], WARNING, "level_pct"),
        ([*recorded("margin"), "-w", "level_pct > 0", "-c", "equity > 0"], CRITICAL, "(equity > 0)"),
        ([*recorded("margin"), "-c", "extra.nothing > 0"], UNKNOWN, "extra.nothing is absent"),
        ([*recorded("margin"), "-w", "level_pct < 0", "--for", "5s"], OK, "MARGIN OK"),
        ([*recorded("margin"), "-w", "prev.equity > 0"], UNKNOWN, "prev.equity is absent"),
        (recorded("orders", "empty"), OK, "nothing there"),
        (
            [*recorded("positions", "removal"), "-c", "size >= 0.1", "-w", "size > 0"],
            CRITICAL,
            "size 0.1 (size >= 0.1); cfd",
        ),
        (["check", "margin", "nowhere"], UNKNOWN, "expected a venue"),
        (["check", "margins", "b2trader"], UNKNOWN, "expected a stream"),
        (["check", "margin", "b2trader", "--nope"], UNKNOWN, "No such option"),
        (["check"], UNKNOWN, "Missing argument"),
        ([*recorded("margin"), "-c", "level > 1"], UNKNOWN, "did you mean level_pct?"),
        (["check", "margin", "b2trader", "--replay", "/no/such/file"], UNKNOWN, "/no/such/file"),
        (["check", "book", "kraken", "BTC/USD", "--interval", "1m"], UNKNOWN, "--interval does not apply"),
    ],
)
def test_one_line_and_the_exit_code_of_its_verdict(
    capfd: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    for form in ("nagios", "json", "prometheus"):
        found, out = checked(capfd, *arguments, "--format", form)
        assert found == code, out
        if form == "prometheus":
            assert "mon_up{" in out
            continue
        assert len(out.splitlines()) == 1
        assert words in (json.loads(out)["text"] if form == "json" and ":" not in words[:12] else out) or form == "json"


def test_unreachable_and_no_data_in_time_are_critical_unless_said_otherwise(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MON_KRAKEN_URL", "ws://127.0.0.1:9")
    assert checked(capfd, "check", "book", "kraken", "BTC/USD")[0] == CRITICAL
    assert checked(capfd, "check", "book", "kraken", "BTC/USD", "--dead", "unknown")[0] == UNKNOWN
    first = (FOLDER / "b2trader" / "margin--document.frames.jsonl").read_text().splitlines()
    file = tmp_path / "silent.jsonl"
    file.write_text("\n".join(line for line in first if '"direction":"in"' not in line.replace(" ", "")) + "\n")
    code, out = checked(capfd, "check", "margin", "b2trader", "--replay", str(file))
    assert (code, "no data came" in out) == (CRITICAL, True)  # a recording takes no ten seconds
    assert "|" not in out


def test_a_file_is_written_as_a_whole_also_when_the_check_fails(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "mon.prom"
    to_file = ["--format", "prometheus", "--outfile", str(file)]
    code, out = checked(capfd, *recorded("margin"), *to_file)
    assert (code, out.startswith("MARGIN OK")) == (OK, True)
    assert file.stat().st_mode & 0o777 == 0o644
    assert "mon_margin_level_ratio{" in file.read_text()
    for failing in (["check", "margin", "b2trader", "--replay", "/no/such"], ["check", "margin", "b2trader", "--nope"]):
        assert checked(capfd, *failing, *to_file)[0] == UNKNOWN
        text = file.read_text()
        assert 'mon_up{venue="' in text
        assert "} 0\n" in text
        assert "mon_margin" not in text
        assert "mon_data_age" not in text
    assert [one.name for one in tmp_path.iterdir()] == ["mon.prom"]
    code, out = checked(capfd, *recorded("margin"), "--outfile", str(tmp_path / "no" / "file"))
    assert code == UNKNOWN
    assert "cannot write" in out or "No such file" in out


# --- what the formats are made of -------------------------------------------------------------------------------------


def hostile() -> Verdict:
    """Rows whose texts would break a line, a label or a metric."""
    rows = []
    for number, name in enumerate(["plain", "a'b=c|d", 'quo"te\\', "new\nline\x1b[31m", "ä"]):
        record = Position(
            venue="b2trader", symbol=f"S{number}", received=0, position_id=name, change="snapshot", size=Decimal("1.5"),
            unrealized_pnl=Decimal("-0.00000012"), unrealized_pnl_pct=Decimal("1e-8"), leverage=Decimal("1e20"),
        )  # fmt: skip
        rows.append(Row(record, CRITICAL, f"bad | {name}"))
    verdict = Verdict("positions", "b2trader", "sim", Fields("positions", Position), rows=rows, live=True, age_ms=1_250)
    verdict.judge()
    return verdict


def test_the_worst_decides_and_three_are_named() -> None:
    verdict = hostile()
    verdict.rows[0] = Row(verdict.rows[0].record)
    verdict.judge()
    assert verdict.state == CRITICAL
    assert verdict.text.count("bad |") == 3
    assert verdict.text.endswith("and 1 more")
    line = nagios(verdict)
    assert line.count("|") == 1
    assert "\n" not in line
    verdict.rows = [Row(verdict.rows[0].record), Row(verdict.rows[1].record, WARNING, "x"), verdict.rows[2]]
    verdict.rows[2] = Row(verdict.rows[2].record, UNKNOWN, "y")
    verdict.judge()
    assert verdict.state == UNKNOWN


def test_what_is_not_live_has_no_figures() -> None:
    verdict = hostile()
    assert json.loads(in_format(verdict, "json", 0))["age_ms"] == 1_250
    verdict.live = False
    assert json.loads(in_format(verdict, "json", 0)).keys() == {
        "state", "code", "stream", "venue", "env", "text", "live",
    }  # fmt: skip
    for form in ("nagios", "json", "prometheus"):
        assert "1.5" not in in_format(verdict, form, 0)
    assert "| " not in nagios(verdict)


def test_gauges_are_in_base_units_and_never_end_like_counters() -> None:
    for stream in STREAMS.values():
        if stream.record is not Balance and stream.record is not Margin:
            continue
        given: dict[str, Any] = {"asset": "EUR", "change": "snapshot"} if stream.record is Balance else {}
        names = ("total", "available") if given else ("equity", "level_pct")
        figures = dict.fromkeys(names, Decimal("150"))
        record = stream.record(venue="v", received=0, **given, **figures)
        verdict = Verdict(stream.name, "v", None, Fields(stream.name, stream.record), rows=[Row(record)], live=True)
        text = in_format(verdict, "prometheus", 1_500)
        names = [line.partition("{")[0] for line in text.splitlines() if not line.startswith("#")]
        assert not any(name.endswith(("_total", "_count", "_ms", "_pct")) for name in names)
        assert 'env="production"' in text
        assert ("mon_margin_level_ratio" in text) == (stream.record is Margin)
        assert ("ratio" not in text) or "} 1.50\n" in text
        assert ("HELP mon_margin_level_ratio level ratio of a margin" in text) == (stream.record is Margin)


def test_rows_whose_keys_look_alike_are_series_of_their_own() -> None:
    """Since a long key is cut."""
    verdict = hostile()
    verdict.rows = [
        Row(msgspec.structs.replace(verdict.rows[0].record, symbol="S", position_id=name))
        for name in ("x" * 300 + "a", "x" * 300 + "b", "e\x1b", "e\x07", "plain")
    ]
    lines = [line for line in in_format(verdict, "prometheus", 0).splitlines() if line.startswith("mon_positions_size")]
    assert len({line.rpartition(" ")[0] for line in lines}) == 5
    assert sum('key="#2 ' in line for line in lines) == 1


def test_a_label_has_two_hundred_characters_and_no_more() -> None:
    verdict = hostile()
    record = verdict.rows[0].record
    verdict.rows = [
        Row(msgspec.structs.replace(record, symbol="S", position_id=name)) for name in ("x" * 200, "y" * 201)
    ]
    text = in_format(verdict, "prometheus", 0)
    assert f'key="{"x" * 200}"' in text
    assert f'key="{"y" * 199}…"' in text


def test_a_row_without_a_name_is_not_called_anything(capfd: pytest.CaptureFixture[str]) -> None:
    assert checked(capfd, *recorded("margin"))[1].startswith("MARGIN OK: b2trader live | ")
    line = checked(capfd, *recorded("margin"), "-w", "level_pct > 0")[1]
    assert line.startswith("MARGIN WARNING: b2trader level_pct ")
    found = json.loads(checked(capfd, *recorded("margin"), "--format", "json")[1])
    assert (found["text"], found["rows"][0]["name"]) == ("live", "margin")


def test_what_is_no_row_stands_behind_a_colon(capfd: pytest.CaptureFixture[str]) -> None:
    assert checked(capfd, *recorded("orders", "empty"))[1].startswith("ORDERS OK: b2trader: nothing there")
    assert checked(capfd, "check", "quotes", "kraken", "BTC/USD", "--format", "xml")[1].startswith(
        "QUOTES UNKNOWN: kraken: Invalid value for '--format': 'xml' is not one of"
    )


@pytest.mark.parametrize(
    ("variables", "arguments", "label"),
    [
        ({}, ["kraken", "BTC/USD", "-w", "nope > 1"], "production"),
        ({}, ["kraken", "BTC/USD", "-w", "nope > 1", "--env", "beta"], "beta"),
        ({}, ["kraken", "BTC/USD", "-w", "nope > 1", "--env", "sim"], "sim"),
        ({}, ["kraken", "BTC/USD", "--replay", "/no/such/file"], "replay"),
        ({}, ["nowhere", "--env", "there"], "there"),
        ({}, ["kraken", "BTC/USD", "--env", "nowhere"], "nowhere"),
        ({"MON_KRAKEN_URL": "ws://127.0.0.1:9"}, ["kraken", "BTC/USD", "-w", "nope > 1"], "custom:127.0.0.1:9"),
        ({"MON_KRAKEN_URL": "ws://127.0.0.1:9"}, ["kraken", "BTC/USD", "--env", "sim", "--nope"], "custom:127.0.0.1:9"),
        ({"MON_KRAKEN_URL": "nonsense"}, ["kraken", "BTC/USD"], "production"),
    ],
)
def test_a_check_that_opened_nothing_has_the_label_of_what_it_would_have_opened(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    arguments: list[str],
    label: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    code, out = checked(capfd, "check", "quotes", *arguments, "--format", "prometheus")
    assert code == UNKNOWN
    assert f'mon_up{{venue="{arguments[0]}",env="{label}",stream="quotes"}} 0' in out


def test_json_on_a_terminal_is_harmless(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hostile = [*recorded("margin"), "-w", 'currency != "\u202ex\u0085"', "--format", "json"]
    piped = checked(capfd, *hostile)[1]
    assert "\u202e" in piped
    monkeypatch.setattr("cli.output.lines.is_terminal", lambda descriptor: True)
    shown = checked(capfd, *hostile)[1]
    assert "\u202e" not in shown
    assert "\\u202e" in shown
    assert {**json.loads(shown), "age_ms": 0} == {**json.loads(piped), "age_ms": 0}


def test_what_cannot_be_written_is_unknown(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "no" / "file"
    code, out = checked(capfd, *recorded("margin"), "--outfile", str(file))
    assert (code, out) == (UNKNOWN, f"MARGIN UNKNOWN: b2trader: cannot write {file}: No such file or directory\n")
    for form in ("nagios", "json", "prometheus"):
        command = [sys.executable, "-m", "cli", *recorded("margin"), "--format", form]
        with Path("/dev/full").open("w") as full:
            ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, cwd=ROOT)
        assert ended.returncode == UNKNOWN
        assert b"cannot write to stdout: No space left" in ended.stderr


def test_a_row_is_called_by_its_symbol_once_and_so_is_the_venue() -> None:
    row = Row(Order(venue="v", received=0, symbol="A_B", order_id="7", status="new", change="update"))
    assert (row.key, row.name) == ("7", "A_B 7")
    refused = Verdict("orders", "v", None, None, state=UNKNOWN, text="v refuses it")
    assert in_format(refused, "nagios", 0) == "ORDERS UNKNOWN: v refuses it\n"


def test_metrics_have_no_words_so_the_reason_is_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    assert main.run(["check", "margin", "nonsense", "--format", "prometheus"]) == UNKNOWN
    printed = capfd.readouterr()
    assert "mon_up{" in printed.out
    assert 'got "nonsense"' in printed.err


# --- what others read -------------------------------------------------------------------------------------------------

READS = """
use Monitoring::Plugin::Performance; use strict;
while (<STDIN>) {
    chomp; my (undef, $data) = split / \\| /, $_, 2;
    for my $one (Monitoring::Plugin::Performance->parse_perfstring($data)) {
        print join("\\t", $one->label, $one->value, $one->uom // ""), "\\n";
    }
}
"""


def has_perl_module() -> bool:
    command = ["perl", "-MMonitoring::Plugin::Performance", "-e", "1"]
    return (
        shutil.which("perl") is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


def test_the_perl_library_of_the_plugins_reads_every_figure() -> None:
    if not has_perl_module():
        pytest.skip("needs Perl's Monitoring::Plugin::Performance (libmonitoring-plugin-perl)")
    verdict = hostile()
    line = nagios(verdict)
    read = subprocess.run(["perl", "-e", READS], input=line + "\n", capture_output=True, text=True, check=True)
    found = [tuple(one.split("\t")) for one in read.stdout.splitlines()]
    assert len(found) == len(verdict.rows) * 4 + 1
    values = [1.5, 1e20, -1.2e-7, 1e-8]
    assert [float(value) for _, value, _ in found] == [*values * len(verdict.rows), 1.25]
    assert {uom for _, _, uom in found} == {"", "%", "s"}
    assert len({label for label, _, _ in found}) == len(found)


def test_promtool_accepts_the_metrics() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool (package prometheus)")
    for live in (True, False):
        verdict = hostile()
        verdict.live = live
        text = in_format(verdict, "prometheus", 1_700_000_000_123)
        found = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_negate_turns_the_verdict() -> None:
    if not NEGATE.exists():
        pytest.skip("needs negate (package monitoring-plugins-basic)")
    command = [sys.executable, "-m", "cli", *recorded("margin")]
    found = subprocess.run(
        [NEGATE, "-s", *command], capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ}
    )
    assert found.returncode == CRITICAL
    assert found.stdout.startswith("MARGIN CRITICAL: b2trader")


# --- over some time ---------------------------------------------------------------------------------------------------


def books(tmp_path: Path, *bids: int) -> list[str]:
    """The arguments for a check of a recording of books, a second apart."""
    frames = [came(BEGIN + 1000 * n, book(BEGIN + 1000 * n, str(bid), "200")) for n, bid in enumerate(bids)]
    file = write(tmp_path / "books.jsonl", [*opened(BEGIN), *frames], streams=("book",))
    return ["check", "book", "nexus", "--replay", str(file)]


@pytest.mark.parametrize(
    ("bids", "lasting", "code"),
    [
        ((101, 99, 99), None, CRITICAL),
        ((101, 102, 101, 99), "2s", CRITICAL),  # for two seconds it was true of every record
        ((101, 99, 101, 101), "2s", OK),
        ((101, 102, 101, 99), "3s", OK),
        ((99, 101, 101, 101), "2s", OK),  # nothing that could last
    ],
)
def test_for_wants_it_true_on_every_record(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, bids: tuple[int, ...], lasting: str | None, code: int
) -> None:
    options = [] if lasting is None else ["--for", lasting]
    assert checked(capfd, *books(tmp_path, *bids), "-c", "bids[0].price > 100", *options)[0] == code


def test_a_row_that_is_not_in_the_next_full_state_is_gone(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lines = Path(recorded("positions", "removal")[-1]).read_text().splitlines(keepends=True)
    file = tmp_path / "empty.jsonl"
    file.write_text("".join([*lines[:6], lines[-1]]))  # without the frames that take the rows away one by one
    code, out = checked(
        capfd, "check", "positions", "b2trader", "--replay", str(file), "-w", "size > 0", "--for", "60s"
    )
    assert (code, out.split(",")[0]) == (OK, "POSITIONS OK: b2trader: nothing there")


def test_a_stream_that_ends_stale_has_no_verdict_on_its_figures(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = books(tmp_path, 101)
    old = ["--max-age", "1s", "--for", "5s", "-w", "bids[0].price > 100"]
    file = Path(arguments[-1])
    file.write_text(
        file.read_text() + json.dumps({"kind": "tick", "at": BEGIN + 9000, "mono": BEGIN / 1000 + 9}) + "\n"
    )
    code, out = checked(capfd, *arguments, *old)
    assert code in (CRITICAL, UNKNOWN)
    assert "101" not in out


def test_a_partial_stream_counts_what_came(capfd: pytest.CaptureFixture[str]) -> None:
    recordings = sorted((FOLDER / "jayx").glob("orders--life*.frames.jsonl"))
    arguments = ["check", "orders", "jayx", "--replay", str(recordings[0])]
    code, out = checked(capfd, *arguments, "-c", 'status == "rejected"')
    assert (code, out.split(":")[0]) == (OK, "ORDERS OK")
