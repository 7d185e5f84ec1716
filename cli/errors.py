"""Exit codes, which error ends with which, and what no error may show."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from venues import errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
    OK: "ended as asked: --once, --count, --duration with data, a match of --until, replay done, q",
    FAULT: "a fault of mon itself",
    USAGE: "usage: unknown venue, stream or option, symbol of the wrong form, an option that does not apply",
    SETUP: "configuration, credential, recording or script missing or unreadable",
    REFUSED: "refused by the venue: credential, permission, unknown symbol or account",
    UNREACHABLE: "venue unreachable, closed for good, or connection lost and retries used up",
    NO_DATA: "no data in time, or an end without a match of --until",
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
_remembered: dict[tuple[str, str], None] = {}  # the secrets of this run, by name, that nobody has asked for yet
_last: list[Redactor] = []  # the one that knows them since somebody did


def redactor_of_run() -> Redactor:
    """A new redactor, which takes what it learns out of the run's last words too."""
    from venues.redaction import Redactor

    _redactors.append(Redactor())
    return _redactors[-1]


def remember(secrets: Mapping[str, str]) -> None:
    """Secrets by name that this run has from now on: no word of it says them, not even those of a crash.

    A crash can come before a connection has told its redactor, and Python tells of some by itself.
    """
    _remembered.update(
        dict.fromkeys(secrets.items())
    )  # until there is something to say, nothing is done with them: it takes time


def without_secrets(text: str) -> str:
    """A text without what this run must hide."""
    if _remembered:
        from venues.redaction import Redactor

        if not _last:
            _last.append(Redactor())
        while _remembered:  # other threads may remember more meanwhile
            (name, secret), _ = _remembered.popitem()
            _last[0].learn({name: secret})
    for redactor in (*_redactors, *_last):
        text = redactor.text(text)
    return text


def hide_on_stderr() -> None:
    """From now on, what Python and libraries write to stderr by themselves is without secrets too."""
    if not isinstance(sys.stderr, _WithoutSecrets):
        sys.stderr = _WithoutSecrets(sys.stderr)


class _WithoutSecrets:
    """Stderr for what does not go through `Words`: the tracebacks of threads and tasks, warnings, what libraries log.

    Python writes the text of an exception in one piece, and so are the others written.
    """

    def __init__(self, stderr: Any) -> None:
        self._stderr = stderr

    def write(self, text: str) -> int:
        """Write the text without secrets; the number of characters that were taken."""
        self._stderr.write(without_secrets(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of the texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stderr, name)
