"""What the other end's answers mean, in our words: addresses, HTTP statuses, WebSocket closes. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol, TypedDict
from urllib.parse import urlsplit

from venues.driver import answer_in_words, is_passing
from venues.errors import SetupError, VenueRefused, VenueUnreachable
from venues.toolkit.addresses import is_loopback
from venues.toolkit.decoding import excerpt
from venues.venue import NoResponse

if TYPE_CHECKING:
    from venues.venue import HttpResponse

MAX_MESSAGE = 16 * 2**20  # bytes, also once decompressed

# The library refuses HTTP/1.0, which simple servers speak; the status in its error text means the same.
_OLD_ANSWER = re.compile(r"expected HTTP/1\.1: HTTP/1\.0 ([2-5][0-9]{2})\b")


class CloseFrame(Protocol):
    """A WebSocket close frame, as the library gives it."""

    code: int
    reason: str


class Ending(TypedDict, total=False):
    """The fields that only a `Closed` event has; `code` is absent where no close frame came."""

    code: int | None
    reason: str


def refuse_plain(url: str, shown: str) -> None:
    """Refuse an address without encryption, unless it is on this machine.

    Raises:
        SetupError: anybody on the way could read what is sent there.
    """
    if urlsplit(url).scheme not in ("wss", "https") and not is_loopback(url):
        raise SetupError(f"expected a wss:// or https:// address (others only on this machine), got {shown}")


def problem_of(answer: HttpResponse | NoResponse) -> str:
    """Why an HTTP answer has not what was asked for, e.g. "HTTP 404: no such market"; empty where it may have it."""
    if isinstance(answer, NoResponse):
        return answer.reason
    if answer.status < 300:
        return ""
    return answer_in_words(answer.status, excerpt(answer.body.decode(errors="replace").strip(), 200))


def body_of(response: HttpResponse, what: str) -> bytes:
    """The body of an HTTP answer that has what was asked for; `what` is that in words, e.g. "the list of symbols".

    Raises:
        VenueUnreachable: the venue does not give it now, or it redirects.
        VenueRefused: the venue refused it.
    """
    said = problem_of(response)
    if not said:
        return response.body
    if response.status >= 400 and not is_passing(response.status):
        raise VenueRefused(f"the venue refused {what} ({said})")
    raise VenueUnreachable(f"the venue does not give {what} now ({said})")


def words_of(error: Exception) -> str:
    """At most 120 characters of why a handshake failed: its cause, or the error's own text."""
    return excerpt(str(error.__cause__ or "") or str(error) or "the handshake failed", 120)


def status_of_old_answer(words: str) -> int | None:
    """The HTTP status of an answer in HTTP/1.0, from the library's error text; None if it has none."""
    answer = _OLD_ANSWER.search(words)
    return None if answer is None else int(answer[1])


def closing_of(rcvd: CloseFrame | None, sent: CloseFrame | None, *, received_first: bool | None) -> Ending:
    """How a WebSocket was closed: the venue's code and reason, or why we closed it.

    `received_first`: the venue's close frame came before we sent ours.
    """
    if rcvd is not None and (received_first or sent is None):
        return {"code": rcvd.code, "reason": excerpt(rcvd.reason, 200)}
    if sent is None:
        return {"reason": "no close frame came"}
    if sent.code == 1009:
        return {"reason": f"a message of more than {MAX_MESSAGE // 2**20} MiB came"}
    if sent.code == 1000 or sent.code >= 3000:  # the session asked for it
        return {"code": sent.code, "reason": sent.reason}
    return {"reason": excerpt(f"{sent.reason or 'protocol error'} (code {sent.code})", 200)}
