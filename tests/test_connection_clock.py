"""The clock of a connection: the machine's that goes on during sleep, where there is one."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from venues import connection
from venues.venue import Now


@pytest.mark.parametrize(
    ("platform", "has_boottime", "asked"),
    [("linux", True, 7), ("darwin", True, 7), ("darwin", False, 1), ("linux", False, None), ("win32", False, None)],
)
def test_the_clock_that_goes_on_during_sleep_is_asked_where_there_is_one(
    platform: str, has_boottime: bool, asked: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = {"CLOCK_BOOTTIME": 7} if has_boottime else {}
    fake = SimpleNamespace(
        CLOCK_MONOTONIC=1,
        monotonic=lambda: -1.0,
        clock_gettime=lambda number: float(number),
        time_ns=lambda: 1_700_000_000_123_999_999,
        **clocks,
    )
    monkeypatch.setattr(connection, "time", fake)
    monkeypatch.setattr(connection, "sys", SimpleNamespace(platform=platform))
    assert connection.SystemClock().now() == Now(-1.0 if asked is None else float(asked), 1_700_000_000_123)


def test_the_machine_s_clock_waits_as_long_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(connection.asyncio, "sleep", sleep)
    asyncio.run(connection.SystemClock().sleep(0.02))
    assert waits == [0.02]
