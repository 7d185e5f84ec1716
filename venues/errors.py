"""The errors of this package; every one reads as: what was expected, what came, what to do next.

MonError
├── UsageError            what was asked for does not exist or does not fit
├── SetupError            configuration, credential or recording missing or unreadable
│   ├── RecordingError    a recording cannot be written or read
│   └── DamagedRecording  a recording played up to where it is damaged
├── VenueRefused          the venue said no: credential, permission, symbol, account
├── VenueUnreachable      no connection, or lost and not to be tried again
├── BadMessage            a frame that is not what the venue documents
├── NotAskedFor           market data of a symbol that nobody asked for
└── BookError
    ├── SequenceGap       a delta skips over one that never came
    ├── CrossedBook       best bid at or above best ask
    ├── ChecksumMismatch  the book is not the one that the venue has
    └── TooManyLevels     more than any market has
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class MonError(Exception):
    """Base of all errors of ours; `str()` is one message for a person, free of secrets."""


class UsageError(MonError):
    """An unknown venue, stream or option, a symbol of the wrong form, options that exclude each other."""


class SetupError(MonError):
    """A configuration, credential, recording or script is missing or unreadable."""


class RecordingError(SetupError):
    """A recording cannot be opened, read or written."""


class DamagedRecording(RecordingError):
    """A recording was played up to the place where it is damaged."""


class VenueRefused(MonError):
    """The venue refused: wrong credential, no permission, unknown symbol or account.

    `symbols`: the refused symbols of `stream` at `venue`, each with the venue's words; empty where it is not about
    symbols. `late`: the venue had taken them before, or refused them one by one; whoever has other connections
    goes on with these.
    """

    def __init__(
        self,
        text: str,
        *,
        venue: str = "",
        stream: str | None = None,
        symbols: Mapping[str, str] | None = None,
        late: bool = False,
    ) -> None:
        super().__init__(text)
        self.venue = venue
        self.stream = stream
        self.symbols = symbols or {}
        self.late = late


class VenueUnreachable(MonError):
    """The venue cannot be reached, closed for good, or the retries are used up."""


class BadMessage(MonError):
    """A message that does not have the documented shape; the text names the path and what came."""


class NotAskedFor(MonError):
    """Market data of a symbol that nobody asked for: it is left out."""

    def __init__(self, symbol: str) -> None:
        super().__init__(symbol)
        self.symbol = symbol


class BookError(MonError):
    """The order book cannot be trusted any more and needs a new snapshot."""


class SequenceGap(BookError):
    """A delta skips over one that never came."""


class CrossedBook(BookError):
    """The best bid is at or above the best ask."""


class ChecksumMismatch(BookError):
    """The venue's checksum of its book is not that of ours."""


class TooManyLevels(BookError):
    """A side of the book has more levels than any market has."""
