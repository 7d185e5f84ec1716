"""A mutant may believe that it is in production: no process of a job gets further than this machine."""

from __future__ import annotations

import sys
from typing import Any

HERE = ("127.", "::1", "localhost", "::ffff:127.")


def is_here(host: object) -> bool:
    """Whether a host is this machine; no host at all is."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    return not isinstance(name, str) or name in ("", "0.0.0.0", "::") or name.startswith(HERE)


def fence() -> None:
    """From now on whatever leads elsewhere fails, as it does without a network."""
    sys.addaudithook(_checked)


def _checked(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto", "socket.bind"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) and address else None  # a Unix socket has a path
    elif event in ("socket.gethostbyname", "socket.gethostbyaddr"):
        host = arguments[0]
    else:
        return
    if not is_here(host):
        raise OSError(101, "mutation: nothing but this machine can be reached from here")
