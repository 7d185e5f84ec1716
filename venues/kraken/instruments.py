"""The list of Kraken's pairs: the snapshot of `instrument`, over a short connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from venues.errors import BadMessage
from venues.kraken import messages as wire
from venues.kraken.feeds import VENUE
from venues.records import Instrument, SnapshotEnd
from venues.session import BaseRoute, BaseSession
from venues.toolkit.decoding import DECODE_ERRORS, excerpt, explain
from venues.toolkit.numbers import optional_positive
from venues.venue import BadFrame, Dial, Item, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venues.venue import Now, Session, Settings

_REQUEST = '{"method":"subscribe","params":{"channel":"instrument","snapshot":true},"req_id":1}'
_EXTRA = (
    "price_precision",
    "qty_precision",
    "cost_precision",
    "marginable",
    "has_index",
)
_EXTRA_FIGURES = ("qty_min", "cost_min", "margin_initial", "position_limit_long", "position_limit_short")


class InstrumentsSession(BaseSession):
    """One connection, for the list alone."""

    venue = VENUE

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    def dial(self) -> Dial:
        """Where the WebSocket is opened; nothing in it is secret."""
        url = f"{self._settings.url.rstrip('/')}/v2"
        return Dial(url=url, shown=url)

    def opened(self, now: Now) -> list[Item]:
        """Asks for the list."""
        self.ask("instrument", now, _REQUEST)
        return []

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        """The list as one record a pair, with its end; nothing of any other message, but of a refusal."""
        try:
            message = wire.DATA.decode(frame)
        except DECODE_ERRORS as error:
            return self._other(frame, explain(error))
        if not isinstance(message, wire.InstrumentMessage) or message.type != "snapshot":
            return []
        pairs = message.data.pairs
        try:
            found: list[Item] = [self._record(pair, f"data.pairs[{index}]", now) for index, pair in enumerate(pairs)]
        except BadMessage as problem:
            return [BadFrame(f"{problem} (kraken instrument)")]
        end = SnapshotEnd(
            venue=VENUE, env=self._settings.label, received=now.epoch_ms, stream="symbols", count=len(found)
        )
        return [*found, end]

    def _other(self, frame: bytes, problem: str) -> list[Item]:
        """An answer, a message of a kind that is not known, or a bad one."""
        try:
            outline = wire.OUTLINE.decode(frame)
        except DECODE_ERRORS:
            return [BadFrame(f"{problem} (kraken frame)")]
        if outline.channel is None and outline.error is not None:
            return [Refused(f"kraken refuses the list of its symbols: {excerpt(str(outline.error), 200)}")]
        return [BadFrame(f"{problem} (kraken instrument)")] if outline.channel == "instrument" else []

    def _record(self, pair: wire.Pair, path: str, now: Now) -> Instrument:
        extra: dict[str, Any] = {name: value for name in _EXTRA if (value := getattr(pair, name)) is not None}
        for name in _EXTRA_FIGURES:
            if (figure := optional_positive(getattr(pair, name), f"{path}.{name}")) is not None:
                extra[name] = figure
        return Instrument(
            venue=VENUE,
            env=self._settings.label,
            symbol=pair.symbol,
            received=now.epoch_ms,
            base=pair.base,
            quote=pair.quote,
            kind="spot",
            price_step=optional_positive(pair.price_increment, f"{path}.price_increment"),
            size_step=optional_positive(pair.qty_increment, f"{path}.qty_increment"),
            status=pair.status,
            extra=extra or None,
        )


class InstrumentsRoute(BaseRoute):
    """A connection for the list alone: it has no stream."""

    def __init__(self, settings: Settings) -> None:
        super().__init__((), settings)

    def session(self, secrets: Mapping[str, str]) -> Session:
        """Makes the session of the connection."""
        return InstrumentsSession(self.settings)
