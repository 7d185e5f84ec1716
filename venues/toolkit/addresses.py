"""Which addresses are on this machine. Imports no socket library, so that the start stays quick."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine itself: localhost, 127.0.0.0/8 or ::1, and no other name or spelling.

    A name under `.localhost` is not enough: a resolver may send it anywhere.
    """
    if "@" in url or "\\" in url or not url.isprintable():
        return False  # programs do not agree about what the host is there
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if "]" in parts.netloc and not re.fullmatch(r"\[[^]]*\](:[0-9]*)?", parts.netloc):
            return False  # Python 3.11 takes [::1].evil.example for ::1
        return host == "localhost" or _is_loopback(ipaddress.ip_address(host))
    except ValueError:
        return False


def _is_loopback(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback  # Python says so itself from 3.13 on only
    return address.is_loopback
