"""``on_last_failure``: what it writes commits with the end of its job, and only when the fence still holds."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, event

from densefog_core.jobs import Job, Outcome
from densefog_core.testing import TestApp
from densefog_plugins.models.database.database import database
from densefog_plugins.models.jobstore import table as jobtable
from densefog_plugins.models.sessions import session, transaction
from tests.plugins.models.cloud import A, Disk
from tests.plugins.models.stores import take_back

seen: list[Job] = []


def break_disk(ended: Job) -> None:
    """Move the job's disk out of its -ing status."""
    seen.append(ended)
    with transaction():
        Disk.get(ended.resource_ids[0]).status = "error"
        session.flush()
    if "fuse" in ended.params:
        raise ValueError("blown")


def create() -> None:
    raise OSError("no space")


create.__densefog_job__ = ("Create", {"try_max": 1, "on_last_failure": break_disk})
PARTS = {"jobs": {"Create": create}}


@pytest.fixture(autouse=True)
def _no_other_jobs(app: TestApp) -> None:
    seen.clear()
    with transaction():
        session.execute(delete(jobtable.job))


@pytest.fixture
def job(app: TestApp) -> str:
    """A job about a disk that is being created."""
    return enqueue(app)


def enqueue(app: TestApp, **params: object) -> str:
    with transaction():
        session.add(Disk(id="dsk-1", project_id=A, status="creating"))
        return app.enqueue("Create", {"resource_ids": ["dsk-1"], "password": "hunter2", **params})


def disk() -> str:
    session.expire_all()
    return Disk.get("dsk-1").status


def status(app: TestApp, job: str) -> str:
    found = app.store.get(job)
    assert found is not None
    return found.status


def test_the_resource_leaves_its_ing_status_when_the_job_ends(app: TestApp, job: str) -> None:
    app.run_jobs()
    assert (status(app, job), disk()) == ("error", "error")
    assert [(one.id, one.status, one.error) for one in seen] == [(job, "error", "no space")]


def test_neither_is_written_when_the_commit_fails(app: TestApp, job: str) -> None:
    (claimed,) = app.store.claim(1, ["Create"])

    def fail(connection: object) -> None:
        raise ValueError("the machine is gone")

    engine = database(app).engine
    event.listen(engine, "commit", fail)
    try:
        with pytest.raises(ValueError, match="the machine is gone"):
            app.store.finish([Outcome(claimed, "error", error="no space")])
    finally:
        event.remove(engine, "commit", fail)
    assert (status(app, job), disk()) == ("running", "creating")


def test_a_try_that_lost_its_lease_moves_nothing(app: TestApp, job: str) -> None:
    (claimed,) = app.store.claim(1, ["Create"])
    app.store.finish([Outcome(claimed, "retry")])
    app.store.claim(1, ["Create"])
    assert app.store.finish([Outcome(claimed, "error", error="late")]) == [False]
    assert (disk(), seen) == ("creating", [])


def test_what_it_wrote_before_it_raised_is_undone_and_the_job_ends(
    app: TestApp, caplog: pytest.LogCaptureFixture
) -> None:
    job = enqueue(app, fuse=True)
    app.run_jobs()
    assert (status(app, job), disk()) == ("error", "creating")
    assert "on_last_failure of Create failed" in caplog.text


def test_it_is_called_for_a_job_whose_worker_is_gone(app: TestApp, job: str) -> None:
    app.store.claim(1, ["Create"])
    (ended,) = take_back(app.store, -1)
    assert (ended.error, disk()) == ("worker lost (try 1 of 1)", "error")


def test_it_is_called_for_a_cancelled_job(app: TestApp, job: str) -> None:
    app.store.cancel([job])
    assert (status(app, job), disk(), seen[0].error) == ("error", "error", "cancelled")


def test_a_cancel_in_a_transaction_that_is_rolled_back_did_not_happen(app: TestApp, job: str) -> None:
    with pytest.raises(ZeroDivisionError), transaction():
        app.store.cancel([job])
        raise ZeroDivisionError
    assert (status(app, job), disk()) == ("pending", "creating")


def test_a_blocked_process_leaves_the_end_to_whoever_can_call_it(app: TestApp, job: str) -> None:
    (claimed,) = app.store.claim(1, ["Create"])
    reason = "timed out after 5 s and did not stop"
    assert app.store.finish([Outcome(claimed, "error", error=reason)], native=True) == [True]
    assert (status(app, job), disk()) == ("running", "creating")
    (ended,) = take_back(app.store, 86_400)
    assert (ended.error, ended.end, disk()) == (f"worker lost: {reason} (try 1 of 1)", "lost", "error")


def test_the_secrets_of_the_job_are_gone_afterwards(app: TestApp, job: str) -> None:
    app.run_jobs()
    found = app.store.get(job)
    assert found is not None
    assert found.params["password"] == "********"
