"""Which web pages may reach an API that authenticates nobody."""

from __future__ import annotations

import pytest

from densefog_core.hosts import REMEMBERED, Hosts

OWN = [
    ("localhost", None), ("localhost:8080", None), ("LOCALHOST.", None), ("app.localhost:1", None), ("127.0.0.1", None),
    ("127.8.9.1:80", None), ("[::1]:8080", None), ("[::ffff:127.0.0.1]", None), (None, None), ("", ""),
    ("127.0.0.1:8080", "http://127.0.0.1:8080"), ("127.0.0.1:8080", "http://localhost:8080"),
    ("localhost", "http://localhost"), ("localhost:443", "https://localhost"),
    ("api.example.com", None), ("API.example.com:8443", None), ("a.cloud.example", None),
    ("127.0.0.1:8080", "https://api.example.com"), ("api.example.com", "https://api.example.com"),
    ("localhost:1", "https://console.example"),
]
FOREIGN = [
    ("evil.example", None), ("evil.example:8080", None), ("127.0.0.1.evil.example", None), ("localhost.evil", None),
    ("evil-localhost", None), ("0.0.0.0", None), ("10.0.0.1:8080", None), ("[::2]", None), ("cloud.example", None),
    ("evil.example@localhost", None), ("localhost:80:80", None), ("localhost, evil.example", None), ("[::1", None),
    ("2130706433", None), ("127.1", None), ("x" * 70_000, None), ("evilapi.example.com", None),
    ("localhost", "https://evil.example"), ("localhost", "null"), ("localhost", "http://localhost:3000"),
    ("localhost:8080", "http://localhost"), ("localhost", "http://localhost.evil.example"), ("localhost", "evil"),
    ("localhost", "file://"), ("evil.example", "http://evil.example"), ("localhost", "https://console.example:1"),
    ("localhost", "http://console.example"), ("api.example.com", "https://api.example.com.evil.example"),
]


@pytest.fixture(scope="module")
def hosts() -> Hosts:
    return Hosts(["api.example.com", ".cloud.example"], ["https://console.example"])


@pytest.mark.parametrize(("host", "origin"), OWN)
def test_this_machine_and_what_is_listed_are_let_in(hosts: Hosts, host: str | None, origin: str | None) -> None:
    """A loopback name, a listed host and a page of the API's own are no strangers."""
    assert hosts.refusal(host, origin) is None


@pytest.mark.parametrize(("host", "origin"), FOREIGN)
def test_every_other_name_and_page_is_refused(hosts: Hosts, host: str, origin: str | None) -> None:
    """The refusal names a setting, and nothing that the stranger sent."""
    refusal = hosts.refusal(host, origin)
    assert refusal is not None
    assert refusal.rpartition("setting ")[2].partition(" ")[0] in ("allowed_hosts", "cors_origins")


def test_a_star_allows_all_hosts_but_no_page() -> None:
    """``allowed_hosts = ["*"]`` says nothing of origins; ``cors_origins = ["*"]`` does."""
    assert Hosts(["*"]).refusal("any.example", None) is None
    assert Hosts(["*"]).refusal("any.example", "https://other.example") is not None
    assert Hosts([], ["*"]).refusal("localhost", "https://other.example") is None


def test_what_strangers_send_is_not_remembered_for_ever(hosts: Hosts) -> None:
    """The memory is bounded."""
    for number in range(REMEMBERED + 100):
        hosts.refusal(f"host-{number}.example", None)
    assert hosts.refusal.cache_info().currsize == REMEMBERED
