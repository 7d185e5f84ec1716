"""How the bot's markets stand: which are down, and the one state that a table's header shows. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.bot.runner import Told
from cli.output.statuses import StatusGate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.bot.plan import MarketName
    from venues.records import State, Status

_TROUBLE = ("stale", "reconnecting", "closed")
_WORST_FIRST: tuple[State, ...] = ("closed", "reconnecting", "stale", "connecting", "syncing", "live")


class Standings:
    """Follows the statuses of all lines. A market is down while any of its streams is."""

    def __init__(self, markets: Sequence[MarketName]) -> None:
        self._markets = markets
        self._states: dict[tuple[int, str, str | None], State] = {}
        self._gates: dict[tuple[int, str, str | None], StatusGate] = {}
        self._troubles: dict[MarketName, set[tuple[int, str, str | None]]] = {market: set() for market in markets}

    def expect(self, line: int, stream: str, symbol: str | None) -> None:
        """A stream that is about to be opened."""
        self._states[line, stream, symbol] = "connecting"

    def changed(self, line: int, status: Status) -> Told:
        """What a status means for the markets it is about; of a whole stream it overrules those of its markets."""
        key = (line, status.stream, status.symbol)
        overruled = {other for other in self._states if status.symbol is None and other[:2] == key[:2]} - {key}
        for other in overruled:
            del self._states[other]
        self._states[key] = status.state
        inline = self._gates.setdefault(key, StatusGate()).passes(status)
        about = [m for m in self._markets if m.venue == status.venue and status.symbol in (None, m.symbol)]
        down: list[MarketName] = []
        live: list[MarketName] = []
        for market in about:
            troubles = self._troubles[market]
            was_down = bool(troubles)
            troubles -= overruled
            if status.state in _TROUBLE:
                troubles.add(key)
            elif status.state == "live":
                troubles.discard(key)
            if bool(troubles) != was_down:
                (down if troubles else live).append(market)
        return Told(status, down, live, about, inline)

    def together(self) -> State:
        """The worst state of all."""
        return next((state for state in _WORST_FIRST if state in self._states.values()), "live")
