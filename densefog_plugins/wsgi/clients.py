"""The client's address: parsed, so that one client has one, however it is written; proxies are looked through."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from densefog_core.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Characters of the longest address, with brackets, zone and port.
LONGEST = 80
#: The bits before an IPv4 address within one of IPv6.
_MAPPED = 96


class Proxies:
    """Whose word on the client's address counts.

    Args:
        trusted: addresses and networks, as the setting ``trusted_proxies`` has them.

    Raises:
        ConfigError: one is neither.
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        self._networks = tuple(map(_network, trusted))

    def sent(self, environ: WSGIEnvironment) -> bool:
        """Return whether a request comes from one of them."""
        return bool(self._networks) and self._trusts(environ.get("REMOTE_ADDR") or "")

    def client(self, environ: WSGIEnvironment) -> str | None:
        """Return the client's address in its usual form; behind a socket of Unix, what the server calls it.

        It is the last address that is no trusted proxy's: what stands before it, the client may have sent.
        """
        peer: str | None = environ.get("REMOTE_ADDR")
        if not peer or not (self._networks and self._trusts(peer)):
            return address_of(peer) or peer if peer else peer
        told = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
        hops = [hop for hop in map(str.strip, told) if hop] or [environ.get("HTTP_X_REAL_IP", "").strip()]
        outside = next((hop for hop in reversed(hops) if not self._trusts(hop)), hops[0])
        return address_of(outside) or address_of(peer or "")

    def _trusts(self, text: str) -> bool:
        return len(text) <= LONGEST and _in_networks(text, self._networks)


def address_of(text: str) -> str | None:
    """Return an address in its usual form, or None.

    Args:
        text: ``203.0.113.9``, ``203.0.113.9:5001``, ``2001:DB8:0::1``, ``[2001:db8::1]:5001`` or
            ``::ffff:203.0.113.9``, which a dual stack calls the first one.
    """
    return _usual(text) if len(text) <= LONGEST else None


@lru_cache(maxsize=4096)
def _usual(text: str) -> str | None:
    found = _parsed(text)
    return None if found is None else str(found)


def _parsed(text: str) -> Address | None:
    bare = text
    if text.startswith("["):
        bare, closed, port = text[1:].partition("]")
        if not closed or (port and not _is_port(port.removeprefix(":"))):
            return None
    elif text.count(":") == 1:
        bare, _, port = text.partition(":")
        if not _is_port(port):
            return None
    try:
        return _unmapped(ipaddress.ip_address(bare.partition("%")[0]))
    except ValueError:
        return None


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _unmapped(address: Address) -> Address:
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=4096)
def _in_networks(text: str, networks: tuple[Network, ...]) -> bool:
    address = _parsed(text)
    return address is not None and any(address in network for network in networks)


def _network(text: str) -> Network:
    try:
        network = ipaddress.ip_network(text.strip().replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        raise ConfigError(f"setting trusted_proxies: {text!r} is neither an address nor a network") from None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < _MAPPED:
        return network
    return ipaddress.ip_network(f"{mapped}/{network.prefixlen - _MAPPED}")
