"""What `--where` costs on top of a trade, one trade a message as a venue sends them, and what compiling it takes."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from cli.output.conditions import condition
from cli.output.fields import Fields
from cli.output.standing import Stands
from cli.run.judging import Judge, Judged
from tests.benchmarks.figures import WrongResultError, at_most, best_of, for_information, print_head, progress
from venues.records import Status, Trade
from venues.venue import Now

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS = 60
TRADES = 2_000
LIMIT = 0.5  # microseconds
EXPRESSIONS = ("price > 70000", 'price > 70000 and side == "buy" and size >= 0.1', "0.1 < size < 0.4 or price == 70001")
CALCULATED = "size * 2 > 0.5"  # each calculation takes as long again as a comparison
FIELDS = Fields("trades", Trade)


def run() -> None:
    """Each expression by itself."""
    messages = [[_trade(number)] for number in range(TRADES)]
    for text in (*EXPRESSIONS, CALCULATED):
        progress(f"--where {text}")
        judged, nothing = best_of(TURNS, lambda text=text: _judging(text, messages), lambda: _passing(messages))  # type: ignore[misc]
        cost = (judged - nothing) / TRADES * 1e6
        if text == CALCULATED:
            for_information(f"--where {text}", f"{cost:.2f} µs a trade")
        else:
            at_most(f"--where {text}"[:44], f"{cost:.2f} µs a trade", cost, LIMIT)
        (compiled,) = best_of(TURNS, lambda text=text: lambda: condition(text, FIELDS, "--where"))  # type: ignore[misc]
        for_information("  compiled in", f"{compiled * 1e3:.2f} ms")
    progress("")


def _trade(number: int) -> Trade:
    price, size = Decimal(69_990 + number % 20), Decimal(number % 5 + 1) / 10
    return Trade(venue="nexus", symbol="S", received=number, price=price, size=size, side="buy")


def _passing(messages: list[list[Trade]]) -> Callable[[], object]:
    """The same loop without a judge."""

    def work() -> None:
        for items in messages:
            for item in items:
                item.__class__  # noqa: B018  what is done with a record anyway

    return work


def _judging(text: str, messages: list[list[Trade]]) -> Callable[[], object]:
    made = condition(text, FIELDS, "--where")
    judge = Judge(
        Judged(Trade, events=True, rows=False),
        Stands("trades", (), partial=False),
        now=lambda: Now(0.0, 0),
        where=made,
        conditions=[made],
    )
    judge.passes([Status(venue="nexus", received=0, stream="trades", state="live"), _trade(0)])

    def work() -> None:
        passes, passed = judge.passes, 0
        for items in messages:
            for item in passes(items):
                item.__class__  # noqa: B018
                passed += 1
        if not 0 < passed < len(messages):
            raise WrongResultError(f"{passed} of {len(messages)} trades match {text}")

    return work


if __name__ == "__main__":
    print_head()
    run()
