"""Retry, cancel and run-now: counted first, then done to exactly those."""

from __future__ import annotations

import pytest

from densefog_core.jobs.causes import cause_of
from tests.plugins.manage.conftest import Ops


def test_jobs_are_retried_by_id(ops: Ops) -> None:
    """They are pending again, and the reply names them."""
    ids = ops.fail("a", "b")
    data = ops.call("RetryJobs", jobIds=ids)
    assert (data["jobIds"], data["total"], data["more"]) == (ids, 2, False)
    assert [ops.status(one) for one in ids] == ["pending", "pending"]


def test_a_cause_is_retried_as_a_group(ops: Ops) -> None:
    """Jobs that failed otherwise stay."""
    first, second, other = ops.fail("no room for vol-8NkZQZ6u", "no room for vol-xW2fYq4T", "timeout")
    cause = cause_of("Create", "no room for vol-8NkZQZ6u")
    assert ops.call("RetryJobs", filter={"cause": cause}, reason="disk back")["total"] == 2
    assert [ops.status(one) for one in (first, second, other)] == ["pending", "pending", "error"]


def test_a_dry_run_changes_nothing(ops: Ops) -> None:
    """It says how many it would be, and of the others why not."""
    ids = ops.fail("a", "b")
    pending = ops.app.enqueue("Create", {})
    data = ops.call("RetryJobs", jobIds=[*ids, pending, "job-none"], dryRun=True)
    assert (data["total"], data["jobIds"], data["leftAlone"]) == (2, ids, 2)
    assert [(one["resourceId"], one["retCode"]) for one in data["failures"]] == [(pending, 4105), ("job-none", 4104)]
    assert [ops.status(one) for one in ids] == ["error", "error"]


def test_jobs_written_after_as_of_are_left_alone(ops: Ops) -> None:
    """What a person has counted is what is done."""
    [job_id] = ops.fail("a")
    before = "2020-01-01T00:00:00Z"
    assert ops.call("RetryJobs", filter={}, reason="x", asOf=before)["total"] == 0
    reply = ops.refused("RetryJobs", jobIds=[job_id], asOf=before)
    assert reply["retCode"] == 5001
    assert "written after asOf" in reply["data"]["failures"][0]["message"]


def test_some_that_are_left_alone_are_named(ops: Ops) -> None:
    """Like in every batch: 5002, with the ids of the others."""
    [failed] = ops.fail("a")
    pending = ops.app.enqueue("Create", {})
    reply = ops.refused("RetryJobs", jobIds=[failed, pending])
    assert (reply["retCode"], reply["data"]["jobIds"], reply["data"]["total"]) == (5002, [failed], 1)
    assert reply["data"]["failures"][0]["message"] == f"Job ({pending}) is left alone: it has not ended."


def test_jobs_with_secrets_are_not_retried(ops: Ops) -> None:
    """The handler would be given the mask as the password."""
    job_id = ops.app.enqueue("Create", {"error": "x", "password": "hunter2"})
    ops.app.run_jobs()
    assert "secrets" in ops.refused("RetryJobs", jobIds=[job_id])["data"]["failures"][0]["message"]


def test_jobs_are_cancelled(ops: Ops) -> None:
    """With a reason; a job that has ended is left alone."""
    ids = [ops.app.enqueue("Create", {}) for _ in range(3)]
    assert ops.call("CancelJobs", filter={"status": "pending"}, reason="wrong size")["total"] == 3
    assert [ops.status(one) for one in ids] == ["error"] * 3
    assert ops.refused("CancelJobs", jobIds=ids[:1], reason="again")["retCode"] == 5001


def test_pending_jobs_are_made_due(ops: Ops) -> None:
    """Then a worker takes them."""
    from datetime import timedelta

    from densefog_core.jobs import utcnow

    ops.app.enqueue("Create", {}, run_at=utcnow() + timedelta(days=1))
    assert ops.app.run_jobs() == 0
    assert ops.call("RunJobsNow", filter={}, reason="now")["total"] == 1
    assert ops.app.run_jobs() == 1


@pytest.mark.parametrize(
    ("action", "params", "path"),
    [
        ("RetryJobs", {}, "/jobIds"),
        ("RetryJobs", {"jobIds": ["job-1"], "filter": {}}, "/jobIds"),
        ("RetryJobs", {"filter": {}}, "/reason"),
        ("CancelJobs", {"jobIds": ["job-1"]}, "/reason"),
        ("RetryJobs", {"filter": {"status": "pending"}, "reason": "x"}, "/filter/status"),
        ("RetryJobs", {"filter": {"status": "gone"}, "reason": "x"}, "/filter/status"),
        ("RetryJobs", {"jobIds": ["job-1"], "reason": "x" * 201}, "/reason"),
        ("RunJobsNow", {"jobIds": ["job-1"] * 101}, "/jobIds"),
    ],
)
def test_what_does_not_fit_is_refused(ops: Ops, action: str, params: dict[str, object], path: str) -> None:
    """With a pointer to the member."""
    reply = ops.refused(action, **params)
    assert (reply["retCode"], reply["data"]["errors"][0]["path"]) == (4110, path)


def test_a_call_takes_so_many_jobs(ops: Ops) -> None:
    """And says that there are more, so that it can be called again."""
    for _ in range(1_005):
        ops.app.enqueue("Create", {})
    plan = ops.call("CancelJobs", filter={}, dryRun=True)
    assert (plan["total"], plan["more"], len(plan["jobIds"])) == (1_005, True, 100)
    first = ops.call("CancelJobs", filter={}, reason="x")
    assert (first["total"], first["more"]) == (1_000, True)
    second = ops.call("CancelJobs", filter={}, reason="x")
    assert (second["total"], second["more"]) == (5, False)
