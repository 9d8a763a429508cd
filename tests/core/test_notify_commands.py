"""``densefog notify test``: what is sent, what is printed, and how it ends."""

import json

import pytest
from click.testing import CliRunner

from densefog_core.cli.main import main
from densefog_core.testing import make_app
from densefog_plugins import log, slack, webhook
from tests.plugins.receiver import TOKEN, answer, receiving


@pytest.fixture
def run():
    def run(*arguments):
        return CliRunner().invoke(main, ["notify", "test", *arguments])

    return run


def set_up(one, two, **settings):
    return make_app(
        log, slack, webhook, notify_allow_http=True, slack_webhook_url=one.url(), webhook_url=two.url(), **settings
    )


def test_every_channel_is_tried_and_what_it_answered_is_printed(run):
    with receiving(answer(200, b"fine\n")) as one, receiving(answer(500, b"oops")) as two:
        set_up(one, two)
        done = run("--json")
    assert done.exit_code == 1
    assert {row["channel"]: (row["sent"], row["answer"]) for row in json.loads(done.stdout)} == {
        "log": (True, ""), "slack": (True, "fine"), "webhook": (False, "the webhook answered 500: oops"),
    }  # fmt: skip
    assert one.documents[0]["text"].startswith("a test notice from ")
    assert two.documents[0]["topic"] == "test"


def test_one_channel_can_be_named_even_if_it_is_not_chosen(run):
    with receiving() as one, receiving() as two:
        set_up(one, two, notify_channels="log")
        done = run("webhook")
    assert (done.exit_code, len(one.requests), len(two.requests)) == (0, 0, 1)
    assert done.stdout.splitlines()[1].split() == ["webhook", "true", "ok"]


def test_an_unknown_channel_is_answered_with_the_nearest_name(run):
    with receiving() as one, receiving() as two:
        set_up(one, two)
        done = run("slak")
    assert done.exit_code == 78
    assert "unknown channel 'slak'; did you mean 'slack'" in done.stderr


def test_a_channel_without_its_settings_is_an_error(run):
    make_app(log, slack)
    done = run("slack")
    assert done.exit_code == 78
    assert "channel 'slack' cannot be used: its settings are not present" in done.stderr


def test_no_token_is_printed(run):
    with receiving(answer(403, f"no such hook /services/{TOKEN}".encode())) as one, receiving() as two:
        set_up(one, two)
        done = run()
    assert "slack answered 403: no such hook" in done.stdout
    assert TOKEN not in done.output
