"""How each symbol of a stream stands, where the stream has several. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cli.output import cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from venues.records import Status

# The worst first: a screen must not look live when a part of it is dead.
WORST_FIRST: Final = ("closed", "reconnecting", "connecting", "stale", "syncing", "partial", "live")
MOST_NAMED = 3  # symbols that a sentence names


class SymbolStates:
    """The latest status of each symbol. A status without a symbol is about all that were not closed alone."""

    def __init__(self, symbols: Iterable[str]) -> None:
        self._statuses: dict[str, Status | None] = dict.fromkeys(symbols)

    def expect(self, symbols: Iterable[str]) -> None:
        """Note more symbols, those that are there already too."""
        for symbol in symbols:
            self._statuses.setdefault(symbol)

    def take(self, status: Status) -> list[str]:
        """Note a status; the symbols that it is about."""
        about = [status.symbol] if status.symbol is not None else [s for s in self._statuses if self._hears(s, status)]
        self._statuses.update(dict.fromkeys(about, status))
        return about

    def _hears(self, symbol: str, status: Status) -> bool:
        return not is_closed_alone(self._statuses[symbol]) or begins_anew(status)

    def status_of(self, symbol: str | None) -> Status | None:
        """The latest status of a symbol; None before the first."""
        return self._statuses.get(symbol or "")

    def state_of(self, symbol: str | None) -> str:
        """The state of a symbol; `connecting` before its first status."""
        status = self.status_of(symbol)
        return "connecting" if status is None else status.state

    def having(self) -> dict[str, list[str]]:
        """The symbols by their states, the worst state first."""
        found: dict[str, list[str]] = {}
        for symbol in self._statuses:
            found.setdefault(self.state_of(symbol), []).append(symbol)
        return {state: found[state] for state in WORST_FIRST if state in found}

    def __len__(self) -> int:
        return len(self._statuses)


def is_closed_alone(status: Status | None) -> bool:
    """Whether one symbol was closed while others go on: what is said of all is not about it any more."""
    return status is not None and status.state == "closed" and status.symbol is not None


def begins_anew(status: Status) -> bool:
    """Whether a later run of mon begins in a recording: what was closed in the one before is asked for again."""
    return status.state == "reconnecting" and status.attempt is None


def named(symbols: Sequence[str], most: int = MOST_NAMED) -> str:
    """The symbols in words, made harmless: all of a few, else the first ones and how many more."""
    shown = ", ".join(cells.harmless(symbol, cells.LONGEST_NAME) for symbol in symbols[:most])
    return shown if len(symbols) <= most else f"{shown} and {len(symbols) - most} more"
