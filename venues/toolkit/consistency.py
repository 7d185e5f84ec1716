"""Checks that an item does not contradict itself. One that does is a bad frame like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venues.errors import BadMessage
from venues.toolkit.numbers import shown

if TYPE_CHECKING:
    from decimal import Decimal

CANDLE = ("open", "high", "low", "close")


def check_candle(
    prices: tuple[Decimal | int, Decimal | int, Decimal | int, Decimal | int],
    path: str,
    names: tuple[str, str, str, str] = CANDLE,
) -> None:
    """Checks open, high, low and close of one candle; `names` are the venue's own for them; `path` may be empty.

    Raises:
        BadMessage: open or close is outside low … high, or high is below low; names `path`.
    """
    opened, high, low, close = prices
    if low <= opened <= high and low <= close <= high:
        return
    got = " ".join(f"{name} {shown(price)}" for name, price in zip(names, prices, strict=True))
    where = f" at `{path}`" if path else ""
    raise BadMessage(f"expected {names[0]} and {names[3]} between {names[2]} and {names[1]}{where}, got {got}")


def check_range(low: Decimal | None, high: Decimal | None, path: str) -> None:
    """Checks the lowest and the highest price of a period, if both are known; `path` is that of the high.

    Raises:
        BadMessage: high is below low.
    """
    if low is not None and high is not None and high < low:
        raise BadMessage(f"expected at least the low at `{path}`, got {shown(high)} with a low of {shown(low)}")


def check_quote(bid: Decimal | None, ask: Decimal | None, path: str) -> None:
    """Checks the best prices of both sides; `path` is that of the bid. They may be equal, as some brokers quote.

    Raises:
        BadMessage: the bid is above the ask.
    """
    if bid is not None and ask is not None and bid > ask:
        raise BadMessage(f"expected at most the ask at `{path}`, got {shown(bid)} with an ask of {shown(ask)}")


def check_available(available: Decimal, total: Decimal, path: str, name: str = "total") -> None:
    """Checks that what is available is part of the whole; of a debt nothing is. `name` is the venue's for the whole.

    Raises:
        BadMessage: more is available than there is.
    """
    if available > total and available > 0:
        raise BadMessage(f"expected at most the {name} at `{path}`, got {shown(available)} of {shown(total)}")
