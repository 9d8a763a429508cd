"""Notices through Apprise's own ``json://``, in the process that it runs in."""

import logging
import time

import pytest

from densefog_core.errors import ConfigError
from densefog_core.notices.records import DeliveryError
from densefog_plugins import apprise
from densefog_plugins.apprise import channel as module
from tests.plugins.receiver import DIGEST, FAILED, TOKEN, answer, config, endless, half, nothing, receiving


def channel(*urls, **settings):
    return apprise.make_channel(config(apprise, apprise_urls=",".join(urls), **settings))


def test_each_address_gets_the_notice():
    with receiving() as one, receiving() as two:
        made = channel(one.url("json"), two.url("json"))
        made.send(FAILED)
        made.send(DIGEST)
    for server in (one, two):
        failed, digest = server.documents
        assert (failed["title"], failed["type"]) == (FAILED.title, "failure")
        assert "no disk" in failed["message"]
        assert "997 x CreateVolumes" in digest["message"]


@pytest.mark.parametrize(
    ("answered", "says", "permanent"),
    [
        (answer(429), "error=429", False),
        (answer(500), "error=500", False),
        (answer(404), "error=404", True),
        (answer(302, b"", [("Location", "/elsewhere")]), "error=302", True),
        (half, "Connection error", False),
    ],
    ids=["429", "500", "404", "302", "half a line"],
)
def test_what_is_not_taken_is_an_error_that_says_why_and_shows_no_token(answered, says, permanent, caplog):
    caplog.set_level(logging.DEBUG)
    with receiving(answered) as server:
        made = channel(server.url("json"))
        with pytest.raises(DeliveryError, match=f"apprise: address 1: .*{says}") as caught:
            made.send(FAILED)
    assert caught.value.permanent == permanent
    assert len(server.requests) == 1
    assert TOKEN not in str(caught.value) + caplog.text


def test_silence_ends_with_the_timeout(monkeypatch):
    with receiving(nothing) as server:
        made = channel(server.url("json"))
        monkeypatch.setattr(module, "TIMEOUT", 1.5)
        started = time.monotonic()
        with pytest.raises(DeliveryError, match=r"no answer within 1.5 s"):
            made.send(FAILED)
    assert time.monotonic() - started < 4


def test_an_answer_without_end_costs_this_process_nothing():
    with receiving(endless) as server:
        with pytest.raises(DeliveryError, match="address 1: "):
            channel(server.url("json")).send(FAILED)


def test_an_address_that_apprise_does_not_know_stops_start_up_without_showing_it():
    with pytest.raises(ConfigError, match=r"setting apprise_urls: address 2: Apprise does not know it") as caught:
        channel("json://127.0.0.1/x", f"nosuch://{TOKEN}/x")
    assert TOKEN not in str(caught.value)


def test_only_encrypted_services_are_taken_unless_told_otherwise():
    with pytest.raises(ConfigError, match="address 1: it is not encrypted"):
        channel(f"json://127.0.0.1/{TOKEN}", notify_allow_http=False)
    assert channel("jsons://127.0.0.1/x", "tgram://123456789:abcdefg_hijklmnop/12315544", notify_allow_http=False)


def test_nothing_is_sent_to_a_link_local_address():
    with pytest.raises(DeliveryError, match="link-local"):
        channel("json://169.254.169.254/x").send(FAILED)


def test_without_addresses_there_is_no_channel():
    assert apprise.make_channel(config(apprise)) is None
