"""A mutant may believe that it is in production: no process of a job gets further than this machine."""

from __future__ import annotations

import sys
from errno import ENETUNREACH
from ipaddress import ip_address
from socket import EAI_NONAME, gaierror
from typing import Any

HERE = ("127.", "::1", "localhost", "::ffff:127.")


def is_here(host: object) -> bool:
    """Whether a host is this machine; no host at all is."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    return not isinstance(name, str) or name in ("", "0.0.0.0", "::") or name.startswith(HERE)


def fence() -> None:
    """From now on whatever leads elsewhere fails, as it does without a network."""
    sys.addaudithook(_checked)


def _is_number(host: str | bytes) -> bool:
    """Whether it is an address, which nobody needs to be asked about."""
    try:
        ip_address(host.decode("ascii", "replace") if isinstance(host, bytes) else host)
    except ValueError:
        return False
    return True


def _checked(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        if not is_here(arguments[0]) and not _is_number(arguments[0]):
            raise gaierror(EAI_NONAME, "Name or service not known")
    elif event in ("socket.connect", "socket.sendto", "socket.bind"):
        address = arguments[1]
        if isinstance(address, tuple) and address and not is_here(address[0]):  # that of a Unix socket is a path
            raise OSError(ENETUNREACH, "mutation: nothing but this machine can be reached from here")
