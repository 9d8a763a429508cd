"""The client's address: one for each client, however it or a proxy writes it."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from densefog_core.errors import ConfigError
from densefog_plugins.wsgi.clients import Proxies, address_of

ADDRESSES = st.ip_addresses(v=4) | st.ip_addresses(v=6)


def spellings(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[str]:
    if isinstance(address, ipaddress.IPv4Address):
        mapped = ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
        plain = [str(address), f"::ffff:{address}", f"::FFFF:{address}"]
        return [*plain, f"{address}:80", f"[::ffff:{address}]:65535", mapped.exploded, f"[{mapped}]"]
    texts = [str(address), address.exploded, str(address).upper(), f"{address}%eth0"]
    return [*texts, *(f"[{text}]" for text in texts), *(f"[{text}]:5001" for text in texts)]


@given(ADDRESSES)
def test_each_way_to_write_an_address_means_it(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """With a port, in brackets, in capitals, with a zone, mapped into IPv6: it is the same client."""
    usual = address_of(str(address))
    assert usual is not None
    assert {address_of(text) for text in spellings(address)} == {usual}


@given(st.text() | st.text("0123456789abcdef.:[]%"))
def test_any_text_is_an_address_or_none(text: str) -> None:
    """It never raises; and what it returns means itself."""
    found = address_of(text)
    assert found is None or address_of(found) == found


@given(ADDRESSES, st.booleans())
def test_a_trusted_proxy_is_trusted_however_its_peer_sees_it(
    proxy: ipaddress.IPv4Address | ipaddress.IPv6Address, mapped: bool
) -> None:
    """A dual stack calls an IPv4 peer by its address in IPv6, and settings may name it so."""
    for written in spellings(proxy)[:2]:
        setting = f"::ffff:{proxy}" if mapped and isinstance(proxy, ipaddress.IPv4Address) else str(proxy)
        assert Proxies([setting]).sent({"REMOTE_ADDR": written})


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("10.0.0.0/8", "::ffff:10.9.9.9", "11.0.0.1"),
        ("::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.1"),
        ("[2001:db8::]/32", "2001:DB8:0::7", "2001:db9::1"),
    ],
)
def test_networks_are_compared_as_networks(network: str, inside: str, outside: str) -> None:
    """In whichever of the two families they, or the peer, are written."""
    assert Proxies([network]).sent({"REMOTE_ADDR": inside})
    assert not Proxies([network]).sent({"REMOTE_ADDR": outside})


@pytest.mark.parametrize(
    ("told", "client"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("10.0.0.9, 203.0.113.9:5001, 10.0.0.2", "203.0.113.9"),
        ("1.1.1.1, [2001:DB8::1]:80", "2001:db8::1"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("1.1.1.1, unknown", "10.0.0.1"),
        ("1.1.1.1, " + "x" * 9000, "10.0.0.1"),
        (", ,", "10.0.0.1"),
    ],
)
def test_the_client_is_the_last_that_is_no_proxy(told: str, client: str) -> None:
    """What is no address is nobody: the call is then the proxy's own."""
    environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": told}
    assert Proxies(["10.0.0.0/8"]).client(environ) == client
    assert Proxies([]).client(environ) == "10.0.0.1"


def test_without_a_proxy_a_peer_of_a_dual_stack_has_its_usual_address() -> None:
    """So that limits, logs and operations know it by one name; and a socket's peer has none."""
    assert Proxies([]).client({"REMOTE_ADDR": "::ffff:203.0.113.9"}) == "203.0.113.9"
    assert Proxies([]).client({"REMOTE_ADDR": ""}) == ""
    assert Proxies([]).client({}) is None


def test_a_setting_that_is_no_network_is_refused() -> None:
    """With the text that is wrong."""
    with pytest.raises(ConfigError, match=r"'proxy\.example' is neither an address nor a network"):
        Proxies(["proxy.example"])
