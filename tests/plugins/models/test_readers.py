"""Keys that may only read, and what a session of a browser knows of its key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import densefog_plugins.manage
import densefog_plugins.models.projects as plugin
from densefog_core.actions import Request
from densefog_core.context import entered
from densefog_core.errors import InvalidRequestParameter
from densefog_core.errors.project_error import AccessKeyReadOnly
from densefog_core.jobs import utcnow
from densefog_core.testing import TestApp
from densefog_plugins.models.projects import keys
from densefog_plugins.models.sessions import close_session
from tests.plugins.models.cloud import cloud

SECRET = "s3cret-" * 6


@pytest.fixture
def app(tmp_path: Path) -> Iterator[TestApp]:
    with cloud(
        f"sqlite:///{tmp_path}/x.db", plugin, densefog_plugins.manage, projects_enabled=True,
        secret_keys=["A" * 43 + "="], actions={"Sweep": lambda: None},
    ) as made:  # fmt: skip
        keys.create_project("prj")
        keys.create_key("prj", key="tenant", secret=SECRET)
        keys.create_key(None, key="reader", secret=SECRET, read_only=True)
        keys.create_key(None, key="operator", secret=SECRET)
        close_session()
        yield made


def call(app: TestApp, key: str, action: str, api: str = "manage", **params: Any) -> int:
    reply = app.api(api).post({"action": action, **params}, X_Le_Key=key, X_Le_Secret=SECRET)
    close_session()
    code: int = reply["retCode"]
    return code


@pytest.mark.parametrize(
    "action",
    ["DescribeJobs", "DescribeActions", "FindJobs", "DescribeFailures", "DescribeJobStats", "DescribePlugins",
     "DescribeSettings", "DescribeSchedules", "DescribeChannels", "DescribeProjects", "DescribeAccessKeys"],
)  # fmt: skip
def test_a_reader_calls_what_reads(app: TestApp, action: str) -> None:
    """The effect is declared, so that it can be relied on."""
    assert call(app, "reader", action) == 0


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("CreateProject", {}), ("RotateAccessKey", {"accessKey": "operator"}),
        ("RetryJobs", {"jobIds": ["job-1"], "dryRun": True}), ("TestChannel", {"channel": "log"}),
    ],
)  # fmt: skip
def test_a_reader_changes_nothing(app: TestApp, action: str, params: dict[str, Any]) -> None:
    """Whatever does more, or might, is refused in words of its own."""
    assert call(app, "reader", action, **params) == 4603


def test_a_reader_is_nobody_to_tenants(app: TestApp) -> None:
    """Its key is one for operators."""
    assert call(app, "reader", "DescribeJobs", "public") == 4101


def test_an_operator_changes_what_it_likes(app: TestApp) -> None:
    """Other keys are not held up."""
    assert call(app, "operator", "CreateProject") == 0
    assert call(app, "tenant", "Sweep", "public") == 0


@pytest.mark.parametrize(("key", "refused"), [("reader", True), ("operator", False), ("cli:root", False)])
@pytest.mark.parametrize("api", ["manage", "public"])
def test_calls_in_the_process_are_held_to_it(app: TestApp, api: str, key: str, refused: bool) -> None:
    """The console names the key of its session, and nothing else."""
    action, params = ("CreateProject", {"action": "CreateProject"}) if api == "manage" else ("Sweep", {})
    request = Request(api, action, params)
    request.access_key = key
    with entered(request):
        if refused:
            with pytest.raises(AccessKeyReadOnly):
                app.action_caller()(request, app.api(api).specs[action].call)
        else:
            app.action_caller()(request, app.api(api).specs[action].call)


def test_only_keys_for_operators_can_be_readers(app: TestApp) -> None:
    """A tenant's key belongs to its project."""
    assert call(app, "operator", "CreateAccessKey", projectId="prj", readOnly=True) == 4100
    assert call(app, "operator", "CreateAccessKey", manage=True, readOnly=True) == 0
    with pytest.raises(InvalidRequestParameter, match="readOnly"):
        keys.create_key("prj", read_only=True)


def test_the_state_of_keys_is_known(app: TestApp) -> None:
    """Each kind, and nothing of a key that does not exist."""
    kinds = {key: state.kind for key in ("tenant", "reader", "operator") if (state := app.key_state(key))}
    assert kinds == {"tenant": "project", "reader": "reader", "operator": "manage"}
    assert app.key_state("nokey") is None
    assert app.key_state("") is None


def test_the_fingerprint_changes_with_the_secret(app: TestApp) -> None:
    """What was begun with the secret before ends, and what is kept of it is not shown."""
    before = app.key_state("operator")
    assert before == app.key_state("operator")
    keys.rotate_key("operator")
    close_session()
    after = app.key_state("operator")
    assert before is not None and after is not None
    assert before.fingerprint != after.fingerprint
    assert len(after.fingerprint) == 64


def test_a_key_that_has_ended_has_no_state(app: TestApp) -> None:
    """Expired or deleted, itself or its project."""
    keys.expire_key("operator", utcnow() - timedelta(seconds=1))
    keys.delete_key("reader")
    keys.delete_project("prj")
    close_session()
    assert [app.key_state(key) for key in ("operator", "reader", "tenant")] == [None, None, None]
