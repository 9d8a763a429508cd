"""What every channel that sends over HTTP does, against a server that answers well, badly, slowly and without end."""

import logging
import time

import pytest

from densefog_core.errors import ConfigError
from densefog_core.notices import outbound
from densefog_core.notices.records import DeliveryError
from densefog_core.testing import make_app
from densefog_plugins import log, slack, sms, webhook
from tests.plugins.receiver import (
    DIGEST,
    FAILED,
    TOKEN,
    answer,
    config,
    drip,
    endless,
    half,
    half_a_body,
    nothing,
    receiving,
)

#: The plugin and its settings for an address.
CHANNELS = {
    "slack": (slack, lambda url: {"slack_webhook_url": url}),
    "sms": (sms, lambda url: {"sms_url": url, "sms_mobiles": "1,2"}),
    "webhook": (webhook, lambda url: {"webhook_url": url, "webhook_secret": "s3cr3t-s3cr3t"}),
}
each = pytest.mark.parametrize("name", CHANNELS)


def channel(name, url, **settings):
    plugin, settings_for = CHANNELS[name]
    return plugin.make_channel(config(plugin, **settings_for(url), **settings))


@each
@pytest.mark.parametrize("notice", [FAILED, DIGEST])
def test_a_notice_arrives_and_the_answer_is_returned(name, notice):
    with receiving() as server:
        assert channel(name, server.url()).send(notice) == "ok"
    assert len(server.requests) == 1


@each
@pytest.mark.parametrize(
    ("answered", "says", "retry_after", "permanent"),
    [
        (answer(429, b"later", [("Retry-After", "3")]), "answered 429: later", 3.0, False),
        (answer(500, b"oops"), "answered 500: oops", None, False),
        (answer(404, b"no_service"), "answered 404: no_service", None, True),
        (answer(302, b"", [("Location", "/elsewhere")]), "answered 302", None, True),
        (half, "is not reached", None, False),
        (nothing, "no answer within 0.4 s", None, False),
        (drip, "no answer within 0.4 s", None, False),
    ],
    ids=["429", "500", "404", "302", "half a line", "nothing", "drip"],
)
def test_what_is_not_taken_is_an_error_that_says_why_and_shows_no_token(
    name, answered, says, retry_after, permanent, monkeypatch, caplog
):
    monkeypatch.setattr(outbound.post, "__kwdefaults__", {"timeout": 0.4})
    caplog.set_level(logging.DEBUG)
    with receiving(answered) as server:
        made = channel(name, server.url())
        started = time.monotonic()
        with pytest.raises(DeliveryError, match=says) as caught:
            made.send(FAILED)
    assert time.monotonic() - started < 3
    assert (caught.value.retry_after, caught.value.permanent) == (retry_after, permanent)
    assert len(server.requests) == 1
    for text in (str(caught.value), repr(caught.value), caplog.text):
        assert TOKEN not in text
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


@each
@pytest.mark.parametrize("answered", [half_a_body, endless])
def test_a_2xx_counts_whatever_follows_it(name, answered):
    with receiving(answered) as server:
        assert channel(name, server.url()).send(FAILED)


@each
@pytest.mark.parametrize("scheme", ["http", "ftp", "file"])
def test_only_https_is_taken_unless_told_otherwise(name, scheme):
    plugin, settings_for = CHANNELS[name]
    address = f"{scheme}://example.com/{TOKEN}"
    with pytest.raises(ConfigError, match="not an https address") as caught:
        plugin.make_channel(config(plugin, notify_allow_http=False, **settings_for(address)))
    assert TOKEN not in str(caught.value)
    assert plugin.make_channel(config(plugin, notify_allow_http=False, **settings_for("https://example.com/x")))


@each
def test_nothing_is_sent_to_a_link_local_address(name):
    with pytest.raises(DeliveryError, match="link-local"):
        channel(name, f"http://169.254.169.254/{TOKEN}").send(FAILED)


@each
def test_a_channel_without_settings_is_none(name):
    plugin, _ = CHANNELS[name]
    assert plugin.make_channel(config(plugin)) is None


@each
def test_options_come_from_its_table_and_its_variables(name, tmp_path, monkeypatch):
    plugin, settings_for = CHANNELS[name]
    file = tmp_path / "densefog.toml"
    lines = [f"{key.partition('_')[2]} = {value!r}" for key, value in settings_for("https://one.example/x").items()]
    file.write_text(f"[plugins.{name}]\n" + "\n".join(lines).replace('"', "'"))
    made = config(plugin).load_file(file)
    assert plugin.make_channel(made) is not None
    address = next(iter(settings_for("")))
    assert getattr(made, address) == "https://one.example/x"
    monkeypatch.setenv(f"DENSEFOG_{address.upper()}", "https://two.example/x")
    assert getattr(made.setup(), address) == "https://two.example/x"


def test_the_built_in_channels_are_registered_and_the_log_needs_no_settings():
    app = make_app(log, slack, sms, webhook)
    assert sorted(app.channels) == ["log", "slack", "sms", "webhook"]
    assert [name for name, _ in app.notifier.channels()] == ["log"]


def test_a_broken_service_harms_neither_the_log_nor_a_job(caplog):
    with receiving(answer(404)) as server:
        app = make_app(
            log, slack, jobs={"Fail": lambda: 1 / 0}, notify_allow_http=True, slack_webhook_url=server.url()
        )
        app.notifier.start()
        app.enqueue("Fail", try_max=1)
        assert app.run_jobs() == 1
        app.notifier.stop(5)
    assert "channel slack could not send" in caplog.text
    assert "slack answered 404" in caplog.text
    assert "job Fail" in "".join(record.getMessage() for record in caplog.records if record.levelname == "ERROR")
    assert TOKEN not in caplog.text
