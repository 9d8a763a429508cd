"""PauseJobs, ResumeJobs, DescribePauses; and actions that refuse while their job is paused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from densefog_core import hookimpl
from densefog_core.actions import ActionRegistry
from densefog_core.errors import RegistrationError
from densefog_core.jobs import utcnow
from densefog_core.testing import make_app
from tests.plugins.manage.conftest import Cloud, Ops


def test_a_paused_action_waits_until_it_is_resumed(ops: Ops) -> None:
    """And is listed with who, why and until."""
    until = (utcnow() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    reply = ops.call("PauseJobs", actions=["Create"], reason="ceph is down", until=until)
    assert (reply["actions"], reply["paused"]) == (["Create"], ["action Create"])
    job_id = ops.app.enqueue("Create", {})
    ops.app.run_jobs()
    assert ops.status(job_id) == "pending"
    [row] = ops.call("DescribePauses")["pauseSet"]
    assert (row["what"], row["why"], row["until"], row["who"]) == ("action Create", "ceph is down", until, "")
    assert ops.call("DescribeJobStats")["paused"] == [row]
    assert ops.call("ResumeJobs", actions=["Create", "Sweep"])["resumed"] == ["action Create"]
    ops.app.run_jobs()
    assert ops.status(job_id) == "finished"


@pytest.mark.parametrize(
    ("which", "what"), [({"projectId": "acme"}, "project acme"), ({"all": True}, "all")]
)
def test_a_project_or_all_can_be_paused(ops: Ops, which: dict[str, Any], what: str) -> None:
    assert ops.call("PauseJobs", reason="move", **which)["paused"] == [what]
    assert ops.call("ResumeJobs", **which)["resumed"] == [what]


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"reason": "x"}, "/actions"),
        ({"reason": "x", "actions": []}, "/actions"),
        ({"reason": "x", "actions": ["Create"], "all": True}, "/actions"),
        ({"reason": "x", "actions": ["Craete"]}, "/actions"),
        ({"actions": ["Create"]}, ""),
        ({"reason": "", "actions": ["Create"]}, "/reason"),
        ({"reason": "x", "all": True, "until": "2020-01-01T00:00:00Z"}, "/until"),
    ],
)
def test_what_cannot_be_paused_is_refused(ops: Ops, params: dict[str, Any], path: str) -> None:
    """The pointer says which member is wrong, and nothing is paused."""
    reply = ops.refused("PauseJobs", **params)
    assert (reply["retCode"], reply["data"]["errors"][0]["path"]) == (4110, path)
    assert ops.call("DescribePauses")["total"] == 0


def test_a_reason_keeps_no_secret_and_one_line(ops: Ops) -> None:
    ops.call("PauseJobs", all=True, reason="password=hunter2\nsee \x1b[31mlog")
    [row] = ops.call("DescribePauses")["pauseSet"]
    assert "hunter2" not in row["why"] and row["why"].isprintable()


class Front:
    """Actions that enqueue jobs, and refuse while these are paused."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.called = 0

    @hookimpl
    def densefog_register_actions(self, registry: ActionRegistry) -> None:
        """Register the actions."""

        def create() -> dict[str, Any]:
            self.called += 1
            return {}

        registry.add("Create", create, **self.options)


@pytest.mark.parametrize("option", [True, "Create", ["Sweep", "Create"]])
@pytest.mark.parametrize("which", [{"actions": ["Create"]}, {"projectId": "system"}, {"all": True}])
def test_an_action_refuses_while_its_job_is_paused(option: Any, which: dict[str, Any]) -> None:
    """4105, with the reason, before the handler is called."""
    import densefog_plugins.manage as plugin
    from densefog_core.ids import SYSTEM_PROJECT

    front = Front(refuse_when_paused=option)
    ops = Ops(make_app(plugin, Cloud(), front))
    if "projectId" in which:
        which = {"projectId": SYSTEM_PROJECT}
    ops.call("PauseJobs", reason="ceph is down", until="2099-01-01T00:00:00Z", **which)
    reply = ops.app.api().post({"action": "Create"})
    assert (reply["retCode"], front.called) == (4105, 0)
    assert reply["message"] == "Create is paused until 2099-01-01T00:00:00Z: ceph is down"
    assert reply["data"]["reason"] == "ceph is down"
    ops.call("ResumeJobs", **which)
    assert ops.app.api().post({"action": "Create"})["retCode"] == 0


def test_an_action_that_does_not_ask_for_it_is_served() -> None:
    import densefog_plugins.manage as plugin

    front = Front()
    ops = Ops(make_app(plugin, Cloud(), front))
    ops.call("PauseJobs", reason="x", all=True)
    assert ops.app.api().post({"action": "Create"})["retCode"] == 0


def test_a_job_that_nobody_handles_stops_the_start() -> None:
    """The message names the action and helps."""
    app = make_app(Cloud(), Front(refuse_when_paused="Craete"))
    with pytest.raises(RegistrationError, match=r"action 'Create': .* 'Craete', .*did you mean .Create.\?.*"):
        app.api()
