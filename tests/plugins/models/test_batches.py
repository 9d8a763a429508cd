"""Batches: those that work go on, those that do not are named with their reason."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from densefog_core import action
from densefog_core.errors import DBLockTimeoutError
from densefog_core.jobs import JobFilter
from densefog_core.logs import JSONFormatter
from densefog_core.testing import TestApp
from densefog_plugins.models import session, transaction
from densefog_plugins.models.batches import batch
from densefog_plugins.models.sessions import close_session
from tests.plugins.models.cloud import A, B, Disk, add, status_of


def delete(disk_id: str) -> None:
    disk = Disk.get(disk_id, project_id=A, lock=True)
    disk.name = "touched"
    session.flush()
    disk.transition("deleting", from_=("available",))


@action(resource_key="diskIds")
def delete_disks(params: dict[str, Any]) -> dict[str, Any]:
    return batch(params["diskIds"], delete, "diskIds", job="DeleteDisks", params={"force": True}, project_id=A)


@action(resource_key="diskIds")
@transaction
def delete_disks_in_a_transaction(params: dict[str, Any]) -> dict[str, Any]:
    return delete_disks(params)


PARTS = {
    "actions": {"DeleteDisks": delete_disks, "DeleteDisksInATransaction": delete_disks_in_a_transaction},
    "jobs": {"DeleteDisks": lambda params: None},
    "db_lock_timeout": 1,
}
ACTIONS = pytest.mark.parametrize("name", ["DeleteDisks", "DeleteDisksInATransaction"])


@pytest.fixture(autouse=True)
def _no_jobs(app: TestApp) -> None:
    app.run_jobs()


def call(app: TestApp, ids: list[str], name: str = "DeleteDisks") -> dict[str, Any]:
    reply = app.api().post({"action": name, "diskIds": ids})
    close_session()
    return reply


def pending(app: TestApp) -> list[dict[str, Any]]:
    return [one.params for one in app.store.page(JobFilter(status=["pending"]))[0]]


@ACTIONS
def test_when_all_work_there_is_one_job_for_all(app: TestApp, name: str) -> None:
    ids = add(3)
    reply = call(app, ids, name)
    assert reply["retCode"] == 0
    assert list(reply["data"]) == ["jobId", "diskIds"]
    assert reply["data"]["diskIds"] == ids
    assert pending(app) == [{"force": True, "resource_ids": ids}]
    assert {status_of(one) for one in ids} == {"deleting"}


@ACTIONS
def test_some_fail_and_the_client_learns_which_and_why(app: TestApp, name: str) -> None:
    good, busy, foreign = add(2), add(status="creating"), add(project_id=B)
    reply = call(app, [good[0], *busy, "dsk-none", *foreign, good[1]], name)
    assert (reply["retCode"], reply["message"]) == (5002, "Actions partial success")
    data = reply["data"]
    assert data["diskIds"] == good
    assert [(one["resourceId"], one["retCode"]) for one in data["failures"]] == [
        (busy[0], 4105), ("dsk-none", 4104), (foreign[0], 4103)
    ]
    assert "not found" in data["failures"][1]["message"]
    assert pending(app) == [{"force": True, "resource_ids": good}]
    job = app.store.get(data["jobId"])
    assert job is not None and job.project_id == A
    assert [status_of(one) for one in (*good, *busy)] == ["deleting", "deleting", "creating"]
    assert Disk.get(busy[0]).name == ""


@pytest.mark.parametrize(("count", "text"), [(1, "Action failed."), (2, "Actions all failed.")])
def test_when_nothing_works_there_is_no_job_and_nothing_is_written(app: TestApp, count: int, text: str) -> None:
    ids = add(count, status="creating")
    reply = call(app, ids)
    assert (reply["retCode"], reply["message"]) == (5001, text)
    assert (reply["data"]["diskIds"], reply["data"]["jobId"]) == ([], None)
    assert pending(app) == []


def test_an_id_that_is_named_twice_is_one(app: TestApp) -> None:
    (one,) = add()
    assert call(app, [one, one])["data"]["diskIds"] == [one]


def test_a_programming_error_is_a_failure_whose_text_stays_here(app: TestApp, caplog: pytest.LogCaptureFixture) -> None:
    """In the log: it is the operator's."""
    good, bad = sorted(add(2))

    def step(disk_id: str) -> None:
        if disk_id == bad:
            raise KeyError("hunter2")
        delete(disk_id)

    app.actions.of("public")
    api = app.api()
    api.route({"Fail": lambda params: batch([good, bad], step, "resourceIds")})
    reply = api.post({"action": "Fail"})
    assert reply["retCode"] == 5002
    assert reply["data"]["failures"][0]["retCode"] == 5000
    assert "hunter2" not in str(reply)
    assert "KeyError" in JSONFormatter().format(caplog.records[-1])


def test_a_lock_timeout_fails_the_whole_batch(app: TestApp) -> None:
    if app.config.db_url.startswith("sqlite"):
        pytest.skip("has one lock")
    first, second = sorted(add(2))
    with transaction(), ThreadPoolExecutor(1) as threads:
        Disk.get(second, lock=True)
        with pytest.raises(DBLockTimeoutError):
            threads.submit(batch, [first, second], delete, "diskIds").result(10)
    assert status_of(first) == "available"


def test_batches_that_overlap_do_not_deadlock(app: TestApp) -> None:
    ids = add(8)
    with ThreadPoolExecutor(4) as threads:
        replies = [threads.submit(call, app, order) for order in (ids, ids[::-1], ids[4:] + ids[:4], ids[::2])]
        codes = sorted(reply.result(20)["retCode"] for reply in replies)
    # Who comes second finds the disks busy; nobody is told to try again.
    assert set(codes) <= {0, 5001, 5002}
    assert {status_of(one) for one in ids} == {"deleting"}
    assert sorted(one for params in pending(app) for one in params["resource_ids"]) == sorted(ids)
