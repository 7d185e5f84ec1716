"""`@cron.run(…)`: methods of a script that run by a schedule. Pure: who runs them is `seat`.

every=SECONDS           so many seconds after the run before began
on='1m'                 at the beginning of each candle of a level, UTC
expr='0 0 * * *'        a cron expression of five fields, UTC
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from cli.bot.market_data import LEVELS
from venues.toolkit.numbers import shown

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_NS = 1_000_000_000
SHORTEST = 0.001  # seconds between two runs
LONGEST = 10 * 365 * 86_400.0
LONGEST_EXPRESSION = 500  # characters
_DRAWN = re.compile(r"(?<![a-z])[hr](?![a-z])", re.IGNORECASE)  # croniter's own: a field at random
_ANY_TIME = datetime(2024, 1, 1, tzinfo=UTC)
MARK = "mon_schedule"  # the attribute of a method that has one


class Schedule(NamedTuple):
    """When a method runs: exactly one of the three is given."""

    every: float | None = None
    on: str | None = None
    expr: str | None = None

    def __str__(self) -> str:
        name, value = next((name, value) for name, value in self._asdict().items() if value is not None)
        return f"@cron.run({name}={value!r})"

    def next_after(self, epoch_ns: int, begun_ns: int) -> int:
        """When it is due next after a time, in nanoseconds since the epoch; `begun_ns` is when it first began.

        Runs that were due while another one went on are left out.
        """
        if self.every is not None:
            length = round(self.every * _NS)
            return begun_ns + ((epoch_ns - begun_ns) // length + 1) * length
        if self.on is not None:
            length = LEVELS[self.on] * 1_000_000
            begin = _MONDAY_NS if self.on == "1w" else 0
            return begin + ((epoch_ns - begin) // length + 1) * length
        assert self.expr is not None, "one of them is given"
        from croniter import croniter

        moment = datetime.fromtimestamp(epoch_ns // _NS, UTC)
        found: datetime = croniter(self.expr, moment).get_next(datetime)
        return round(found.timestamp()) * _NS


_MONDAY_NS = 4 * 86_400 * _NS  # weeks begin on Mondays, and the epoch was a Thursday


class Cron:
    """What a script imports as `cron`. With `options["auto_start"]` false, the first run waits for its schedule."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {"auto_start": True}

    def run(self, every: float | None = None, on: str | None = None, expr: str | None = None) -> Callable[[T], T]:
        """Run the method below by a schedule; exactly one of the three is given.

        Raises:
            TypeError, ValueError: not exactly one of them, or a value that is none.
        """
        if callable(every):
            raise TypeError("expected @cron.run(every=…), @cron.run(on=…) or @cron.run(expr=…), got @cron.run alone")
        schedule = Schedule(every, on, expr)
        _check(schedule)

        def mark(method: T) -> T:
            if not callable(method):
                raise TypeError(f"expected {schedule} above a method, got it above {method!r}")
            setattr(method, MARK, schedule)
            return method

        return mark


def _check(schedule: Schedule) -> None:
    given = [name for name, value in schedule._asdict().items() if value is not None]
    if len(given) != 1:
        raise ValueError(
            f"expected exactly one of every, on and expr in @cron.run, got {' and '.join(given) or 'none'}"
        )
    every, on, expr = schedule
    if every is not None and (
        isinstance(every, bool) or not isinstance(every, int | float) or not SHORTEST <= every <= LONGEST
    ):
        raise ValueError(f"expected every as seconds from {SHORTEST} on, got {every!r}")
    if on is not None and on not in LEVELS:
        raise ValueError(f"expected on as one of {' '.join(LEVELS)}, got {on!r}")
    if expr is not None:
        _check_expression(expr)


def _check_expression(expr: object) -> None:
    try:
        from croniter import CroniterError, croniter
    except ImportError:
        raise ModuleNotFoundError(
            "@cron.run(expr=…) needs croniter: install mon with its extra, mon[bots]", name="croniter"
        ) from None
    if (
        not isinstance(expr, str)
        or len(expr) > LONGEST_EXPRESSION
        or len(expr.split()) != 5
        or _DRAWN.search(expr)
        or not croniter.is_valid(expr)
    ):
        raise ValueError(
            f"expected expr as a cron expression of five fields, such as '0 0 * * *', got {shown(repr(expr))}"
        )
    try:
        croniter(expr, _ANY_TIME).get_next()
    except CroniterError:
        raise ValueError(f"expected expr to be due ever, got {expr!r}, which is no day of any year") from None


def schedule_of(method: object) -> Schedule | None:
    """The schedule of a method; None for one without."""
    found = getattr(method, MARK, None)
    return found if isinstance(found, Schedule) else None


def seconds_until(due_ns: int, now_ns: int) -> float:
    """How long to wait for what is due."""
    return max(0.0, (due_ns - now_ns) / _NS)
