"""A third party's channel in its own wheel: it takes Slack's place with one setting, and goes with its package."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.process import eventually
from tests.packaging.wheels import Venv, ask, write_wheel
from tests.plugins.receiver import Receiver, receiving

pytestmark = pytest.mark.chaos

PAGER = """
    import os
    from densefog_core import hookimpl
    from densefog_core.config import Setting

    @hookimpl
    def densefog_configure(config):
        config.declare(Setting(name="pager_file", plugin="pager", help="Where pages go."))

    @hookimpl
    def densefog_register_channels(registry):
        registry.add("pager", lambda config: Pager(config.pager_file) if config.pager_file else None)

    class Pager:
        topics = ("failed", "gave_up")

        def __init__(self, file):
            self.file = file

        def send(self, notification):
            with open(self.file, "a") as file:
                file.write(notification.topic + " " + notification.title + "\\n")
            return "paged"
"""

BROKEN = """
    from densefog_core import action, enqueue, job

    @action
    def break_it():
        return {"jobId": enqueue("Break", try_max=1)}

    @job("Break")
    def break_now():
        raise ValueError("no disk")
"""


@pytest.fixture(scope="module")
def with_slack(fresh: Venv) -> Iterator[Venv]:
    """The environment with Slack's client, too."""
    fresh.install("--only-binary", ":all:", "slack_sdk")
    yield fresh
    fresh.uninstall("slack_sdk")


@pytest.fixture
def wheels(plugin, tmp_path) -> list[Path]:
    points = {"densefog.actions": {"broken": "broken"}, "densefog.jobs": {"broken": "broken"}}
    return [plugin("pager", PAGER), write_wheel(tmp_path, "broken", points, broken=BROKEN)]


@contextmanager
def failed_job(venv: Venv, tmp_path: Path, slack: Receiver, **settings: str) -> Iterator[str]:
    """Have a job fail for good, with a pager and Slack set up; give its id while the server still runs."""
    variables = {
        "DENSEFOG_PAGER_FILE": str(tmp_path / "pages"), "SLACK_WEBHOOK_URL": slack.url(), "NOTIFY_ALLOW_HTTP": "true",
    }  # fmt: skip
    with venv.serving("--app-root", str(tmp_path), **variables, **settings) as server:
        yield ask(server.address(), "BreakIt")["jobId"]


def pages(tmp_path: Path) -> str:
    file = tmp_path / "pages"
    return file.read_text() if file.exists() else ""


def test_one_setting_puts_a_third_partys_channel_in_slacks_place(with_slack, wheels, tmp_path):
    with receiving() as slack, with_slack.having(*wheels):
        with failed_job(with_slack, tmp_path, slack) as job_id:
            eventually(lambda: job_id in pages(tmp_path) and slack.requests, "a page and a message")
        assert job_id in slack.documents[0]["text"]

        before = len(slack.requests)
        with failed_job(with_slack, tmp_path, slack, NOTIFY_CHANNELS="pager") as job_id:
            eventually(lambda: f"gave_up job Break {job_id}" in pages(tmp_path), "a page")
        assert len(slack.requests) == before


def test_its_name_is_known_to_the_command_line_and_to_start_up(fresh, wheels, tmp_path):
    with fresh.having(wheels[0]):
        variables = {"DENSEFOG_PAGER_FILE": str(tmp_path / "pages")}
        done = fresh.run("densefog", "notify", "test", "pager", "--json", **variables).checked()
        assert json.loads(done.stdout) == [{"channel": "pager", "sent": True, "answer": "paged"}]
        assert pages(tmp_path).startswith("test a test notice from ")
        line = fresh.refuses("worker", NOTIFY_CHANNELS="pagr", **variables)
        assert "unknown channel 'pagr'; did you mean 'pager'" in line
    assert "unknown channel 'pager'" in fresh.refuses("worker", NOTIFY_CHANNELS="pager")
