"""Exit codes, which error ends with which, and what no error may show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venues import errors

if TYPE_CHECKING:
    from venues.redaction import Redactor

OK = 0
FAULT = 1
USAGE = 2
SETUP = 3
REFUSED = 4
UNREACHABLE = 5
NO_DATA = 6
HUNG_UP = 129
INTERRUPTED = 130
QUIT = 131
PIPE_CLOSED = 141
TERMINATED = 143

EXIT_CODES = {
    OK: "ended as asked: --once, --count, --duration with data, replay done, q",
    FAULT: "a fault of mon itself",
    USAGE: "usage: unknown venue, stream or option, symbol of the wrong form, an option that does not apply",
    SETUP: "configuration, credential, recording or script missing or unreadable",
    REFUSED: "refused by the venue: credential, permission, unknown symbol or account",
    UNREACHABLE: "venue unreachable, closed for good, or connection lost and retries used up",
    NO_DATA: "no data in time",
    HUNG_UP: "the terminal of a table was closed (HUP)",
    INTERRUPTED: "Ctrl-C",
    QUIT: "Ctrl-\\ in a table",
    PIPE_CLOSED: "the reader closed the pipe",
    TERMINATED: "TERM",
}


class NoDataError(errors.MonError):
    """No data came in the time that the user gave."""


def exit_code(error: BaseException) -> int:
    """The exit code that an error ends with."""
    match error:
        case errors.UsageError():
            return USAGE
        case errors.SetupError():
            return SETUP
        case errors.VenueRefused():
            return REFUSED
        case errors.VenueUnreachable():
            return UNREACHABLE
        case NoDataError():
            return NO_DATA
        case _:
            return FAULT


_redactors: list[Redactor] = []  # of this run: an error may be told long after its connection has ended


def redactor_of_run() -> Redactor:
    """A new redactor, which takes what it learns out of the run's last words too."""
    from venues.redaction import Redactor

    _redactors.append(Redactor())
    return _redactors[-1]


def without_secrets(text: str) -> str:
    """A text without what this run must hide."""
    for redactor in _redactors:
        text = redactor.text(text)
    return text
