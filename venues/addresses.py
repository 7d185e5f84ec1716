"""What may be connected to, and how; without the weight of a socket library."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine itself: localhost, 127.0.0.0/8 or ::1, and no other name or spelling.

    A name under `.localhost` is not enough: whoever resolves names may say where it leads.
    """
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or _is_loopback(ipaddress.ip_address(host))
    except ValueError:
        return False


def _is_loopback(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback  # Python says so itself from 3.13 on only
    return address.is_loopback
