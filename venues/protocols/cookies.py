"""The cookies that HTTP answers set before a WebSocket is opened, by RFC 6265, for one connection.

A load balancer in front of several servers uses one to find the server that has negotiated. A cookie goes back only to
the host that set it, whatever its `Domain` says: nobody else needs it. As in the RFC, ports make no difference. The
cookie jars of libraries are of no use here: they read the clock, or send a cookie to the whole domain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 50  # cookies that are kept, as the RFC asks of a browser at least
LONGEST = 4096  # characters of a cookie with its name


@dataclass(frozen=True, slots=True)
class _Cookie:
    """One `Set-Cookie` line. `lasts` is False for one that deletes the cookie set before."""

    name: str
    value: str
    domain: str
    path: str
    secure: bool
    lasts: bool


class Cookies:
    """The cookies that the answers so far have set."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, str, str], _Cookie] = {}  # by host, domain, path and name, in order

    def take(self, url: str, lines: Iterable[str], date_ms: int | None) -> None:
        """Keeps the cookies of an answer from `url`; leaves out what is no cookie, or what that host may not set.

        `date_ms`: the time of the answer by the server's clock; a cookie whose `Expires` is earlier is deleted.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        for line in lines:
            cookie = _read(line, host, parts.path, date_ms)
            if cookie is None:
                continue
            key = (host, cookie.domain, cookie.path, cookie.name)
            if not cookie.lasts:
                self._kept.pop(key, None)
            elif key in self._kept or len(self._kept) < MOST:
                self._kept[key] = cookie

    def headers(self, url: str) -> dict[str, str]:
        """`{"Cookie": "name=value; …"}` for a request to that address, empty where it gets none."""
        parts = urlsplit(url)
        fitting = [
            cookie
            for (host, *_), cookie in self._kept.items()
            if host == parts.hostname
            and _path_fits(parts.path or "/", cookie.path)
            and (not cookie.secure or parts.scheme in ("https", "wss"))
        ]
        fitting.sort(key=lambda cookie: -len(cookie.path))
        return {"Cookie": "; ".join(f"{each.name}={each.value}" for each in fitting)} if fitting else {}


def without_value(line: str) -> str:
    """A `Set-Cookie` line with `[cookie]` in the place of its value, to be shown."""
    pair, semicolon, attributes = line.partition(";")
    name, equals, _ = pair.partition("=")
    return f"{name}=[cookie]{semicolon}{attributes}" if equals else f"[cookie]{semicolon}{attributes}"


def secrets_in(line: str) -> list[str]:
    """The value that a `Set-Cookie` line sets, in all forms in which it may be quoted."""
    pair = line.partition(";")[0]
    name, equals, value = pair.partition("=")
    value = (value if equals else name).strip(" \t")
    return [way for way in dict.fromkeys((value, value.strip('"'), unquote(value.strip('"')))) if way]


def _read(line: str, host: str, request_path: str, date_ms: int | None) -> _Cookie | None:
    pair, *attributes = line.split(";")
    name, equals, value = (part.strip(" \t") for part in pair.partition("="))
    if not equals or not name or len(pair) > LONGEST or not (pair.isascii() and pair.isprintable()):
        return None
    said = {
        key.strip(" \t").lower(): worth.strip(" \t") for key, _, worth in (one.partition("=") for one in attributes)
    }
    domain = said.get("domain", "").lower().removeprefix(".")
    if domain and domain != host and not host.endswith(f".{domain}"):
        return None
    path = said.get("path", "")
    if not path.startswith("/"):  # the folder that was asked
        path = request_path.rpartition("/")[0] or "/"
    return _Cookie(name, value, domain, path, "secure" in said, _lasts(said, date_ms))


def _lasts(said: dict[str, str], date_ms: int | None) -> bool:
    """Whether the cookie is set, not deleted. `Max-Age` counts before `Expires`; an unreadable one is ignored."""
    seconds = said.get("max-age", "")
    digits = seconds.removeprefix("-")
    if digits.isascii() and digits.isdigit():
        return not seconds.startswith("-") and digits.strip("0") != ""
    if "expires" in said and date_ms is not None:
        from email.utils import parsedate_to_datetime

        try:
            return parsedate_to_datetime(said["expires"]).timestamp() * 1000 > date_ms
        except (ValueError, OverflowError):
            return True
    return True


def _path_fits(path: str, cookie_path: str) -> bool:
    return path == cookie_path or path.startswith(cookie_path if cookie_path.endswith("/") else f"{cookie_path}/")
