"""What is subscribed to at WOO X for which stream, and how that is shared out among connections.

A *channel* is a topic with `{}` in the place of the symbol: `kline@{}@1m`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from venues.errors import UsageError
from venues.session import spread
from venues.woox.offers import DEPTHS, INTERVALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venues.venue import Subscription

MOST_TOPICS = 100  # of a connection …
MOST_AT_ONCE = 10  # … and of a request
MOST_DIALS = 80  # of the 100 connections that the venue takes from one address …
DIALS_WITHIN = 300.0  # … in so many seconds
PRICE_LASTS = 5.0  # seconds after which a mark or index price is too old to be shown; it comes every second
FUNDING_LASTS = 180.0  # seconds; it comes every minute


class Joined(NamedTuple):
    """What is joined into the ticker of a perpetual: the figure's name, its channel and the symbol of its topic."""

    name: str
    channel: str
    symbol: str
    lasts: float


def channel_of(subscription: Subscription) -> str:
    """The channel that a stream lives from."""
    rpi = "rpi" if is_rpi(subscription) else ""
    match subscription.stream:
        case "book":
            return f"orderbookupdate{rpi}@{{}}@{depth_of(subscription)}"
        case "quotes":
            return f"bbo{rpi}@{{}}"
        case "trades":
            return "trade@{}"
        case "candles":
            return f"kline@{{}}@{subscription.interval}"
        case _:
            return "ticker@{}"


def joined_into(symbol: str) -> list[Joined]:
    """What is joined into the ticker of a symbol; nothing into that of a spot market.

    The index is that of the spot symbol, which not every perpetual has.
    """
    kind, _, rest = symbol.partition("_")
    if kind != "PERP":
        return []
    return [
        Joined("mark_price", "markprice@{}", symbol, PRICE_LASTS),
        Joined("index_price", "indexprice@{}", f"SPOT_{rest}", PRICE_LASTS),
        Joined("funding_rate", "estfundingrate@{}", symbol, FUNDING_LASTS),
    ]


def is_rpi(subscription: Subscription) -> bool:
    """Whether the book is wanted with its RPI orders."""
    return subscription.options.get("rpi") == "true"


def depth_of(subscription: Subscription) -> int:
    """The depth that a book is subscribed with: the smallest that holds what is asked for, else the largest."""
    return next((depth for depth in DEPTHS if depth >= subscription.depth), DEPTHS[-1])


def shared_out(subscriptions: Sequence[Subscription]) -> list[list[Subscription]]:
    """The subscriptions of each connection, of at most 100 topics.

    What a connection cannot have twice for one symbol (another depth, another interval) is on another one.

    Raises:
        UsageError: an interval that the venue has no candles of.
    """
    for one in subscriptions:
        if one.stream == "candles" and one.interval not in INTERVALS:
            raise UsageError(f'expected one of the intervals of woox ({", ".join(INTERVALS)}), got "{one.interval}"')
    return spread(subscriptions, MOST_TOPICS, share_a_route=_may_share, topics=_topics)


def _may_share(one: Subscription, other: Subscription) -> bool:
    return one.stream != other.stream or set(one.symbols).isdisjoint(other.symbols)


def _topics(subscription: Subscription) -> int:
    """How many topics a symbol takes at most."""
    if subscription.stream != "ticker":
        return 1
    return 1 + max(len(joined_into(symbol)) for symbol in subscription.symbols)
