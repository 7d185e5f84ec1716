"""Times in tables: each can be told from every other, and read without knowing more than the screen says."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from msgspec import structs

from tests.command import environment, mon
from tests.drawn import NOW, Clock, look_of
from tests.recorded import FOLDER
from tests.samples import CANDLE, LIVE, MESSAGES, TRADES, order, status
from tests.test_dash import dashboard
from tests.test_screen import table_of

if TYPE_CHECKING:
    from datetime import tzinfo
    from pathlib import Path

ZURICH = ZoneInfo("Europe/Zurich")
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
CHANGE = 1_761_440_400_000  # 2025-10-26 01:00 UTC, when 03:00 becomes 02:00 in Zurich


def frame(stream: str, items: list[Any], now: int, tz: tzinfo = ZURICH) -> list[str]:
    table = table_of(stream, [status(stream, "live"), *items], look_of(Clock(now), tz=tz))
    return [line.plain.strip() for line in table.frame(110, 30)]


def trades_at(*times: int) -> list[Any]:
    return [structs.replace(TRADES[0], time=time, received=time) for time in times]


def times_of(lines: list[str]) -> list[str]:
    return [line.partition("  ")[0] for line in lines if "▲" in line and "volume" not in line]


def test_the_case_of_a_change_of_daylight_saving(tmp_path: Path) -> None:
    file = FOLDER / "nexus" / "trades--dst.frames.jsonl"
    shown = mon("trades", "nexus", "--replay", str(file), "--speed", "max", "--tz", "Europe/Zurich", "-o", "table",
                env=environment(tmp_path))  # fmt: skip
    assert shown.returncode == 0
    header, *lines = shown.stdout.splitlines()
    assert times_of([line.strip() for line in lines]) == [
        "02:30:00.000+01:00",
        "02:10:00.000+01:00",
        "02:50:00.000+02:00",
        "02:30:00.000+02:00",
    ]
    assert header.endswith("UTC+02:00/+01:00")


def test_rows_on_one_side_of_the_change_have_the_headers_offset() -> None:
    lines = frame("trades", trades_at(CHANGE + MINUTE, CHANGE + 2 * MINUTE), CHANGE + 3 * MINUTE)
    assert times_of(lines) == ["02:02:00.000", "02:01:00.000"]
    assert lines[0].endswith("UTC+01:00")


def test_rows_that_are_all_of_before_the_change_say_so() -> None:
    lines = frame("trades", trades_at(CHANGE - 2 * MINUTE, CHANGE - MINUTE), CHANGE + MINUTE)
    assert times_of(lines) == ["02:59:00.000+02:00", "02:58:00.000+02:00"]
    assert lines[0].endswith("UTC+02:00/+01:00")


def test_the_change_itself_and_midnight_draw_what_is_there_anew() -> None:
    clock = Clock(CHANGE - MINUTE)
    table = table_of("trades", [status("trades", "live"), *trades_at(CHANGE - MINUTE)], look_of(clock, tz=ZURICH))

    def shown() -> list[str]:
        return times_of([line.plain.strip() for line in table.frame(110, 30)])

    assert shown() == ["02:59:00.000"]
    clock.now = CHANGE + MINUTE
    assert shown() == ["02:59:00.000+02:00"]
    table.write(trades_at(CHANGE + MINUTE))
    assert shown() == ["02:01:00.000+01:00", "02:59:00.000+02:00"]
    clock.now = CHANGE + DAY
    assert shown() == ["2025-10-26 02:01:00.000+01:00", "2025-10-26 02:59:00.000+02:00"]


@pytest.mark.parametrize("interval", ["1m", "1h"])
def test_candles_on_both_sides_of_the_change(interval: str) -> None:
    length = MINUTE if interval == "1m" else HOUR
    candles = [
        structs.replace(CANDLE, start=start, end=start + length, interval=interval)
        for start in (CHANGE - HOUR, CHANGE)  # both at 02:00
    ]
    lines = frame("candles", candles, CHANGE + 2 * MINUTE)
    rows = [line for line in lines if line.endswith(("open", "closed"))]
    assert ["+01:00" in rows[0], "+02:00" in rows[1]] == [True, True]
    assert lines[0].endswith("UTC+02:00/+01:00")


def test_orders_on_both_sides_of_the_change() -> None:
    lines = frame("orders", [order("1", time=CHANGE - MINUTE), order("2", time=CHANGE)], CHANGE + MINUTE)
    rows = {line.split()[1]: line.split()[-1] for line in lines if "SPOT" in line and "new" in line}
    assert rows == {"1": "02:59:00+02:00", "2": "02:00:00+01:00"}


def test_a_dashboard_with_one_such_pane_claims_no_offset_for_all() -> None:
    clock = Clock(CHANGE + MINUTE)
    shown = dashboard(("trades", "orders"), look_of(clock, tz=ZURICH))
    shown.write([("orders", [status("orders", "live"), order("1", time=CHANGE)])])
    assert "UTC+01:00" in shown.frame(120, 40)[0].plain
    shown.write([("trades", [status("trades", "live"), *trades_at(CHANGE - MINUTE)])])
    top, *lines = [line.plain for line in shown.frame(120, 40)]
    assert top.rstrip().endswith("UTC+02:00/+01:00")
    assert any("02:59:00.000+02:00" in line for line in lines)
    assert any("02:00:00" in line and "02:00:00+" not in line for line in lines)


def test_a_time_that_is_not_todays_has_its_date() -> None:
    lines = frame("trades", trades_at(NOW - 3 * DAY, NOW - MINUTE), NOW, UTC)
    assert times_of(lines) == ["23:28:02.500", "2026-11-18 23:29:02.500"]
    (row,) = (
        line
        for line in frame("orders", [order("7", time=NOW + 2 * DAY)], NOW, UTC)
        if "SPOT" in line and "7" in line.split()
    )
    assert row.endswith("2026-11-23 23:29:02")
    yesterday = structs.replace(CANDLE, start=NOW // MINUTE * MINUTE - DAY, end=NOW // MINUTE * MINUTE - DAY + MINUTE)
    assert any("2026-11-20 23:29:00" in line for line in frame("candles", [yesterday], NOW, UTC))
    quote = structs.replace(
        MESSAGES[0], data={"src": "nexus", "sym": "A", "bid": [1, 2], "ask": [3, 4], "time": NOW - DAY}
    )
    assert any("2026-11-20 23:29:02.500" in line for line in frame("feed", [quote], NOW, UTC))


def test_a_first_list_of_old_trades_at_jayx(tmp_path: Path) -> None:
    file = FOLDER / "jayx" / "trades--old-list.frames.jsonl"
    shown = mon("trades", "jayx", "--replay", str(file), "--speed", "max", "--tz", "utc", "-o", "table",
                env=environment(tmp_path))  # fmt: skip
    header, _, volume, *lines = shown.stdout.splitlines()
    assert "skew" not in header
    assert volume == "volume 60 s   ▲ buy 0 in 0   ▼ sell 2 in 2   5 trades seen"
    assert [line.strip().split(" ▼")[0].split(" ▲")[0].strip() for line in lines[3:]] == [
        "16:34:02.100",
        "16:34:00.100",
        "2024-05-16 16:33:57.200",
        "2024-05-16 16:33:56.200",
        "2024-05-16 16:33:55.200",
    ]


@pytest.mark.parametrize("stream", [name for name in LIVE if name != "bot"])
@pytest.mark.parametrize("time", [-(10**18), -1, 0, 1_795_303_742, 253_402_300_799_999, 253_402_300_800_000, 10**30])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
def test_no_time_breaks_a_table(stream: str, time: int, zone: str) -> None:
    names = {"time", "updated", "created", "closed", "opened", "start", "end"}
    rows = [
        structs.replace(row, **dict.fromkeys(names & set(row.__struct_fields__), time))
        for row in LIVE[stream]
        if not hasattr(row, "state")
    ]
    of = {"feed": "feed", "tail": "feed"}.get(stream, stream)
    lines = frame(stream, [row for row in rows if type(row).__name__ != "SnapshotEnd"], NOW, ZoneInfo(zone))
    assert of in lines[0]
