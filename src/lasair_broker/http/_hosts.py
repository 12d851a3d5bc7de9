"""Which addresses may be asked."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Sequence

__all__ = ["among", "at_the_server_of"]

_PORTS = {"http": 80, "https": 443}


def among(address: str, hosts: Sequence[str]) -> bool:
    """Whether an address is at one of these hosts, by http(s), without a user's name in it.

    Parameters
    ----------
    hosts
        Names of hosts, any port; one that begins with a dot stands for all below it.
    """
    place = _place(address)
    if place is None:
        return False
    host = place[1]
    return any(
        host.endswith(one.lower()) if one.startswith(".") else host == one.lower().rstrip(".")
        for one in hosts
    )


def at_the_server_of(base: str) -> Callable[[str], bool]:
    """Whether addresses are at the same server as this one: scheme, host and port."""
    place = _place(base)
    return lambda address: place is not None and _place(address) == place


def _place(address: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None if it is no address that may be asked at all."""
    try:
        parts = urllib.parse.urlsplit(address)
        host = (parts.hostname or "").lower().rstrip(".")
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not host or parts.username or parts.password:
        return None
    return parts.scheme, host, port or _PORTS[parts.scheme]
