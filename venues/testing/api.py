"""What is public: the names that a package of somebody else's may use, by module.

They keep their meaning and their parameters until `venues.venue.CONTRACT` is raised; a test holds that. Everything
else may change at any time. What is listed here is also the table in `venues/README.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_API = {
    "venues.venue": """
        CONTRACT BaseVenue Venue Offer Subscription Settings Now Route Session Item StreamState BadFrame Notice
        Confirmed ClockOffset Refused Lost Receipt NotOpened Out SocketPing Close Fetch Veiled HttpRequest HttpResponse
        NoResponse Dial Command CommandKind Commands SymbolList has_full_states symbol_of
    """,
    "venues.session": "BaseSession AcknowledgedSession BaseRoute grouped spread",
    "venues.records": """
        Record Book Level Trade Quote Ticker Candle Order Fill Position ClosedPosition Balance Margin Signal Message
        Instrument Pong SnapshotEnd Side PositionSide OrderStatus Change Extra
    """,
    "venues.streams": "STREAMS Stream VenueOption",
    "venues.errors": """
        MonError UsageError SetupError VenueRefused VenueUnreachable BadMessage NotAskedFor BookError SequenceGap
        CrossedBook TooManyLevels ChecksumMismatch
    """,
    "venues.driver": "verdict answer_in_words",
    "venues.answers": "body_of problem_of",
    "venues.made": "routes_of",
    "venues.toolkit.decoding": "Reader DECODE_ERRORS explain excerpt",
    "venues.toolkit.numbers": """
        JsonNumber EXACT number positive not_negative optional optional_positive optional_not_negative whole_number
        text_number is_absent percent add subtract plain_text shown
    """,
    "venues.toolkit.spellings": "Id Milliseconds Seconds documented in_any_case",
    "venues.toolkit.times": "iso_ms time_ms refuse_seconds utc_clock utc_time span",
    "venues.toolkit.clock": "VenueClock NewestState",
    "venues.toolkit.book": "OrderBook BookDelta Rule levels_of refuse_too_many",
    "venues.toolkit.checksum": "Checksum crc32_of_digits digits exact_digits written",
    "venues.toolkit.resync": "BookKeeper BookKeepers",
    "venues.toolkit.seeding": "SeededBook SeededBooks Seed",
    "venues.toolkit.acknowledgements": "Acknowledgements Request Taken chunks",
    "venues.toolkit.pacing": "Pacing",
    "venues.toolkit.candles": "TradedCandles Bar interval_ms",
    "venues.toolkit.made_candles": "MadeCandles",
    "venues.toolkit.row_times": "RowTimes Remembered refuse_too_many",
    "venues.toolkit.consistency": "check_candle check_range check_quote check_available",
    "venues.toolkit.unasked": "LeftOut",
    "venues.toolkit.any_json": "any_json check_values",
    "venues.protocols.pings": "SocketPings",
    "venues.protocols.signalr": "Hub",
    "venues.protocols.socketio": "SocketIo",
    "venues.protocols.negotiation": "straight negotiated",
    "venues.protocols.cookies": "Cookies",
    "venues.protocols.flood": "FloodGauge",
    "venues.simulator.endpoint": "Endpoint HttpEndpoint Handshake Request Answer Connect Wire Peer",
    "venues.simulator.world": "World",
    "venues.simulator.market": "MarketBook",
    "venues.simulator.market_events": "Event Trade BookChange Level Fill OrderUpdate Holding",
    "venues.simulator.faults": "BAD_NUMBERS",
    "venues.testing": "checks_of",
}

API: Mapping[str, tuple[str, ...]] = {module: tuple(names.split()) for module, names in _API.items()}


def table() -> Iterator[str]:
    """The lines of the table in `venues/README.md`."""
    yield "| module | names |"
    yield "| --- | --- |"
    for module, names in API.items():
        yield f"| `{module}` | {' '.join(f'`{name}`' for name in names)} |"
