"""Whose web pages may reach an API that authenticates nobody.

A browser sends requests to every address that its user can reach, this machine's included, for every page that it
shows. The ``Origin`` header tells whose page it is. The ``Host`` header tells the name that led here: a name of
somebody else's that was made to mean this machine (DNS rebinding) would make their page one of the API's own.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache

#: Pairs of headers whose answer is remembered.
REMEMBERED = 1024

_host = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@/?#\s]+)(?::([0-9]{1,5}))?").fullmatch
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class Hosts:
    """Says which requests are refused.

    Args:
        allowed: names beside those of this machine; ``.example.com`` stands for every name below it, ``*`` for all.
        origins: origins whose pages may call the API, such as ``https://console.example.com``; ``*`` is all.

    .. versionadded:: 1.0
    """

    def __init__(self, allowed: Iterable[str], origins: Iterable[str] = ()) -> None:
        self._allowed = frozenset(name.lower().rstrip(".") for name in allowed)
        self._below = tuple(name for name in self._allowed if name.startswith("."))
        self._origins = frozenset(origin.lower() for origin in origins)
        self.refusal = lru_cache(REMEMBERED)(self._refusal)

    def _refusal(self, host: str | None, origin: str | None) -> str | None:
        """Return why a request is refused, or None.

        Args:
            host: its ``Host`` header; only clients of HTTP/1.0, which are no browsers, send none.
            origin: its ``Origin`` header; only browsers send one.
        """
        name, port = _parts(host) if host else (None, None)
        if host and not self._is_known(name):
            return "this API does not answer to the name in the Host header; setting allowed_hosts lists those it does"
        if origin and not self._is_own(origin.lower(), name, port):
            return "pages of another origin may not call this API; setting cors_origins lists those that may"
        return None

    def _is_known(self, name: str | None) -> bool:
        if name is None:
            return False
        return "*" in self._allowed or self._is_listed(name) or is_loopback(name)

    def _is_listed(self, name: str) -> bool:
        return name in self._allowed or name.endswith(self._below)

    def _is_own(self, origin: str, name: str | None, port: str | None) -> bool:
        if origin in self._origins or "*" in self._origins:
            return True
        scheme, _, rest = origin.partition("://")
        theirs, their_port = _parts(rest)
        if theirs is None or scheme not in _DEFAULT_PORTS:
            return False
        if self._is_listed(theirs):
            return True
        same_name = theirs == name or (name is not None and is_loopback(theirs) and is_loopback(name))
        return same_name and (their_port or _DEFAULT_PORTS[scheme]) == (port or _DEFAULT_PORTS[scheme])


def _parts(host: str) -> tuple[str | None, str | None]:
    """Return the name in lower case and the port of ``name:port``; None for the name when it is none."""
    match = _host(host[:300])
    return (None, None) if match is None else (match[1].strip("[]").lower().rstrip("."), match[2])


def is_loopback(name: str) -> bool:
    """Return whether a host name or an address always means this machine."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    # On a dual stack IPv4 clients come as ::ffff:127.0.0.1.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
