"""One channel's outbox: retries, Retry-After, what a log line may say, and draining."""

import threading
import time

import pytest

from densefog_core import notify_queue
from densefog_core.config import Config, Setting
from densefog_core.jobs import Job
from densefog_core.notices.records import DeliveryError, Notification
from densefog_core.notify_queue import TRIES, Outbox, reason, secrets_of
from densefog_core.notify_storm import Storm

NOTICE = Notification(topic="gave_up", job=Job(id="job-abcdefghij", action="Work", trys=1), failure="E")


class Failing:
    """Raises one error after the other, then takes what it is given."""

    topics = ("gave_up",)

    def __init__(self, *errors):
        self.errors = list(errors)
        self.times = []
        self.done = threading.Event()

    def send(self, notification):
        self.times.append(time.monotonic())
        if self.errors:
            raise self.errors.pop(0)
        self.done.set()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(notify_queue, "PAUSE", 0.01)


def outbox(channel, rate=0, **options):
    return Outbox("slack", channel, channel.topics, Storm(rate, 60), **options)


def put(one):
    one.put(NOTICE.key, NOTICE.job, lambda: NOTICE)


def stop(one, seconds=5.0):
    one.stop(time.monotonic() + seconds)


def test_what_fails_for_a_while_is_sent_again():
    channel = Failing(DeliveryError("slack answered 500"), ConnectionResetError(), TimeoutError())
    box = outbox(channel)
    put(box)
    assert channel.done.wait(5)
    stop(box)
    assert box.counts() == {"sent": 1, "failed": 0, "dropped": 0, "waiting": 0, "held": 0}


def test_a_retry_after_is_honoured():
    channel = Failing(DeliveryError("slack answered 429", retry_after=0.3))
    box = outbox(channel)
    put(box)
    assert channel.done.wait(5)
    stop(box)
    assert channel.times[1] - channel.times[0] >= 0.3


@pytest.mark.parametrize("error", [DeliveryError("slack answered 404", permanent=True), ValueError("no route")])
def test_what_will_never_be_taken_is_sent_once_and_logged_with_its_reason(error, caplog):
    channel = Failing(error)
    box = outbox(channel)
    put(box)
    stop(box)
    assert len(channel.times) == 1
    assert "channel slack could not send 'job Work job-abcdefghij failed (try 1 of 3)' (try 1): " in caplog.text
    assert str(error) in caplog.text
    assert "channel slack: 0 notices sent, 1 failed, 0 dropped" in caplog.text


def test_after_so_many_tries_a_notice_is_given_up_and_the_next_is_sent(caplog):
    channel = Failing(*[DeliveryError("slack answered 503")] * TRIES)
    box = outbox(channel)
    put(box)
    put(box)
    assert channel.done.wait(5)
    stop(box)
    assert f"(try {TRIES}): slack answered 503" in caplog.text
    assert (box.counts()["sent"], box.counts()["failed"]) == (1, 1)


class Textless(Exception):
    def __str__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    "error", [Textless(), SystemExit(1), DeliveryError("no", retry_after="soon")], ids=["textless", "exit", "soon"]
)
def test_whatever_a_channel_raises_the_next_notice_is_sent(error):
    channel = Failing(error)
    box = outbox(channel)
    put(box)
    put(box)
    assert channel.done.wait(5)
    stop(box)
    assert box.counts()["sent"] >= 1


def test_shutdown_sends_what_waits_and_the_digest():
    channel = Failing()
    box = outbox(channel, rate=5)
    for _ in range(10):
        put(box)
    stop(box)
    assert box.counts() == {"sent": 2, "failed": 0, "dropped": 0, "waiting": 0, "held": 0}


def test_shutdown_does_not_wait_for_a_try_that_comes_too_late(caplog):
    channel = Failing(DeliveryError("slack answered 429", retry_after=60))
    box = outbox(channel)
    put(box)
    while not channel.times:
        time.sleep(0.005)
    started = time.monotonic()
    stop(box, 1.0)
    assert time.monotonic() - started < 0.9
    assert "could not send" in caplog.text


def test_a_digest_is_sent_when_its_time_has_come():
    sent = []

    class Channel:
        topics = ("gave_up",)

        def send(self, notification):
            sent.append(notification.topic)

    box = Outbox("slack", Channel(), ("gave_up",), Storm(5, 0.2))
    for _ in range(3):
        put(box)
    deadline = time.monotonic() + 5
    while len(sent) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    stop(box)
    assert sent == ["gave_up", "digest"]


def test_no_reason_holds_an_address_or_a_secret():
    config = Config()
    config.declare(Setting(name="slack_webhook_url", secret=True))
    config.declare(Setting(name="apprise_urls", type=list, secret=True))
    config.apply(
        slack_webhook_url="https://hooks.slack.com/services/T000/B000/abcdefgh12345678", db_password="hunter22",
        apprise_urls="tgram://123456789:secrettoken/1,json://a/b",
    )
    secrets = secrets_of(config)
    for text in (
        "HTTPSConnectionPool(host='x'): retries url: /services/T000/B000/abcdefgh12345678 (Caused)",
        "cannot POST https://hooks.slack.com/services/T000/B000/abcdefgh12345678",
        "bad token abcdefgh12345678", "telegram 123456789:secrettoken is gone", "tgram://123456789:secrettoken/1",
        "password hunter22", "see https://other.example/x?y=unknown-token",
    ):  # fmt: skip
        shown = reason(RuntimeError(text), secrets)
        for part in ("T000", "abcdefgh12345678", "secrettoken", "hunter22", "unknown-token"):
            assert part not in shown, shown


def test_a_reason_is_one_short_line():
    assert reason(ValueError()) == "ValueError"
    assert reason(DeliveryError("slack\n answered")) == "slack answered"
    assert len(reason(ValueError("x" * 5000))) < 400
