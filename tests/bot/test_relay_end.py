"""The end of a relay: what is under way, what waits, and what is said of both."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cli.bot.hub.positions import ENTERED_WITHIN
from tests.bot.relaying import BTC, NEXUS_BTC, PATIENCE, Running, signal


@pytest.mark.parametrize("hurried", [False, True])
def test_what_is_still_under_way_when_all_patience_is_over_is_not_known(relaying: Any, hurried: bool) -> None:
    """Also where whoever sends it does not come back: the last word on it comes before the end."""

    async def never(command: Any, timeout: float) -> Any:
        await asyncio.Event().wait()

    async def over(patience: float) -> None:
        patiences.append(patience)

    patiences: list[float] = []

    async def scenario() -> Running:
        async with relaying() as relay:
            await relay.until(lambda: relay._sender._ready)
            relay._sender.send, relay._until_idle = never, over
            relay.signal(signal("0.5"))
            relay.signal(signal("-1", "ETHUSDT"))
            await relay.until(lambda: relay._under_way is not None)
            await relay.close(7.5, hurried=hurried)
            return relay

    relay = asyncio.run(scenario())
    assert relay.said[1:] == [
        "not sent: ETHUSDT: enter short (sell_signal without a price)",
        f"not known at nbt: nexus:{BTC} is flat or long",
    ]
    assert relay.hub.events == []
    assert patiences == [7.5, 7.5], "once for what is wanted, and once for what is under way"


def test_after_the_end_nothing_is_looked_at_and_nothing_said(relaying: Any) -> None:
    async def scenario() -> Running:
        async with relaying() as relay:
            await relay.until(lambda: relay._sender._ready)
            relay.forget(*NEXUS_BTC)
            relay.signal(signal("0.5"))
            await relay.close(PATIENCE, hurried=False)
            said = [*relay.said]
            relay.live(*NEXUS_BTC)
            relay.later(ENTERED_WITHIN + 1)
            await relay.close(PATIENCE, hurried=False)
            assert relay.said == said
            return relay

    relay = asyncio.run(scenario())
    assert relay.said[-1] == f"not sent: {BTC}: enter long (buy_signal without a price)"
    assert relay.hub.events == []


def test_a_relay_that_was_never_opened_ends_without_a_word(relaying: Any) -> None:
    async def scenario() -> Running:
        async with relaying() as relay:
            said = [*relay.said]
            work, relay._work = relay._work, None
            await relay.close(PATIENCE, hurried=False)
            assert relay.said == said
            relay._work = work
            return relay

    assert asyncio.run(scenario()).hub.events == []
