"""`mon balance`: balances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.views.rows import SetView, age_column, number_column, text_column, values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.screen.grid import Column
    from cli.screen.look import Look
    from venues.records import Balance


def view(look: Look) -> SetView:
    """A new view."""
    return SetView(
        lambda balances: columns(balances, look),
        "no balance yet",
        look,
        nothing="the account is empty",
        newest_first=False,
    )


def columns(balances: Sequence[Balance], look: Look) -> list[Column]:
    """Asset and its three figures; there is no sum over different assets."""
    return [
        text_column("asset", values(balances, "asset"), keep=10),
        number_column("total", values(balances, "total"), keep=9),
        number_column("available", values(balances, "available"), keep=8),
        number_column("locked", values(balances, "locked"), keep=7),
        age_column(look, "age", balances, keep=5),
    ]
