"""How the venue and its markets are: what `status` and `instrument` say, in words for states and headers. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venues.errors import BadMessage
from venues.toolkit.decoding import excerpt
from venues.toolkit.times import time_ms, utc_time

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from venues.kraken.messages import Maintenance, Pair, State

ONLINE = "online"
_HALTED = (
    "maintenance",
    "delisted",
)  # in these no figure looks live; in others orders still rest, and can be cancelled
LONGEST_WORD = 60  # characters of what the venue says


class Conditions:
    """The states of the engine and of the pairs that are watched, as they were told last on this connection."""

    def __init__(self, symbols: Collection[str]) -> None:
        self._symbols = symbols
        self._system = ONLINE
        self._announced = ""
        self._pairs: dict[str, str] = {}

    def see_state(self, state: State) -> None:
        """Takes a `status` message."""
        self._system = excerpt(state.system, LONGEST_WORD)
        self._announced = _announced(state.upcoming_maintenance)

    def see_pair(self, pair: Pair) -> None:
        """Takes a row of `instrument`."""
        if pair.status is not None and pair.symbol in self._symbols:
            self._pairs[pair.symbol] = excerpt(pair.status, LONGEST_WORD)

    def words(self, symbol: str) -> str:
        """What is not as usual for a market, in words; empty if nothing."""
        said = [] if self._system == ONLINE else [f"the venue is in {self._system}"]
        pair = self._pairs.get(symbol, ONLINE)
        if pair != ONLINE:
            said.append(f"{symbol} is {pair}")
        if self._announced:
            said.append(self._announced)
        return ", ".join(said)

    def is_halted(self, symbol: str) -> bool:
        """Whether no figure of a market is to look live."""
        return self._system in _HALTED or self._pairs.get(symbol) in _HALTED


def _announced(coming: Sequence[Maintenance]) -> str:
    if not coming:
        return ""
    first = coming[0]
    begins = _moment(first.expected_start_utc)
    ends = _moment(first.expected_end_utc)
    return "maintenance is announced" + (f" for {begins}" if begins else "") + (f", until {ends}" if ends else "")


def _moment(text: str | None) -> str:
    if text is None:
        return ""
    try:
        return utc_time(time_ms(text, ""))
    except BadMessage:
        return excerpt(text, LONGEST_WORD)
