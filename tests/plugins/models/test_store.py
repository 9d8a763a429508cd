"""What every job store promises: in memory, on SQLite, MariaDB and PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from densefog_core.app import App
from densefog_core.jobs import Job, JobFilter, Lease, Outcome, utcnow
from densefog_plugins.models.jobstore import statements
from densefog_plugins.models.jobstore.store import SQLJobStore
from densefog_plugins.models.jobstore.table import job
from densefog_plugins.models.sessions import current_session, transaction
from tests.databases import EVERY_KIND, new_database
from tests.plugins.models.stores import ACTIONS, Harness, current, make_job, memory, sql, sql_app, take_back

SECRET = {"password": "hunter2", "name": "a", "resource_ids": ["vol-1"]}


@pytest.fixture(scope="module", params=("memory", *EVERY_KIND))
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App | None]:
    """An application of each database in turn, or none."""
    if request.param == "memory":
        yield None
        return
    with new_database(request.param, request, tmp_path_factory.mktemp("sqlite")) as url, sql_app(url) as app:
        yield app


@pytest.fixture
def at(app: App | None) -> Harness:
    """An empty store of each kind."""
    return memory() if app is None else sql(app)


@pytest.fixture
def at_sql(app: App | None) -> Iterator[Harness]:
    """An empty store of each kind that has transactions."""
    if app is None:
        pytest.skip("the store in memory has no transactions")
    with current(app):
        yield sql(app)


def finished(job: Job, result: object = None) -> Outcome:
    return Outcome(job, "finished", result=result)


# -- enqueue ---------------------------------------------------------------------------------------------------


def test_a_new_job_is_kept_as_it_was_given(at: Harness) -> None:
    params = {"name": "ö\U0001f600", "n": 1.5, "deep": [{"a": None}], "resource_ids": ["vol-1"]}
    job_id = at.add("Create", params, project_id="prj", try_max=7, try_period=30)
    row = at.row(job_id)
    assert (row.id, row.action, row.params, row.project_id) == (job_id, "Create", params, "prj")
    assert (row.status, row.trys, row.try_max, row.try_period) == ("pending", 0, 7, 30)
    assert (row.result, row.error, row.resource_ids) == (None, "", ["vol-1"])
    assert row.created == row.updated == row.run_at
    assert row.created.tzinfo is None and row.created.microsecond == 0
    assert abs(row.created - utcnow()) <= timedelta(seconds=2)


def test_an_unknown_id_is_none(at: Harness) -> None:
    assert at.store.get("job-none") is None


def test_many_jobs_are_enqueued_in_order_and_wake_the_workers_once(at: Harness) -> None:
    jobs = [make_job(params={"n": n}) for n in range(450)]
    assert at.store.enqueue(jobs) == [job.id for job in jobs]
    assert at.store.page(JobFilter())[1] == 450
    assert at.woken == 1


def test_a_job_of_later_wakes_nobody_and_is_not_claimed_before_its_time(at: Harness) -> None:
    job_id = at.add(run_at=timedelta(seconds=60))
    assert at.woken == 0
    assert at.take() == []
    at.elapse(61)
    assert [job.id for job in at.take()] == [job_id]


def test_the_fraction_of_a_second_is_cut_off_not_rounded_up(at: Harness) -> None:
    moment = utcnow() + timedelta(hours=1)
    job_id = at.add(run_at=moment + timedelta(microseconds=900_000))
    assert at.row(job_id).run_at == moment


def test_the_same_key_gives_the_same_job_and_leaves_it_alone(at: Harness) -> None:
    first = at.add("Create", {"n": 1}, key="order-7")
    assert at.add("Create", {"n": 2}, key="order-7") == first
    assert at.add("Delete", {"n": 2}, key="order-7") != first
    assert at.row(first).params == {"n": 1}
    (claimed, _) = at.take()
    at.store.finish([finished(claimed, "done")])
    assert at.add("Create", {"n": 3}, key="order-7") == first
    assert (at.row(first).status, at.row(first).result) == ("finished", "done")


def test_keyed_jobs_come_together_with_others(at: Harness) -> None:
    keyed = at.add(key="k")
    ids = at.store.enqueue([make_job(), make_job(key="k"), make_job(run_at=timedelta(hours=1), key="later")])
    assert ids[1] == keyed
    assert at.store.page(JobFilter())[1] == 3


def test_enqueue_joins_the_open_transaction(at_sql: Harness) -> None:
    with transaction():
        job_id = at_sql.add()
        assert at_sql.woken == 0
    assert at_sql.row(job_id).status == "pending"
    assert at_sql.woken == 1


def test_a_rollback_takes_the_job_back(at_sql: Harness) -> None:
    with pytest.raises(ZeroDivisionError), transaction():
        job_id = at_sql.add()
        at_sql.add(key="kept-out")
        1 / 0  # noqa: B018
    assert at_sql.store.get(job_id) is None
    assert at_sql.store.page(JobFilter())[1] == 0
    assert at_sql.woken == 0


def test_enqueue_joins_a_session_that_is_given(at_sql: Harness) -> None:
    store = at_sql.store
    assert isinstance(store, SQLJobStore)
    with Session(store._database.engine) as mine:
        (kept,) = store.enqueue([make_job()], mine)
        mine.commit()
        (dropped,) = store.enqueue([make_job()], mine)
        mine.rollback()
    assert store.get(kept) is not None
    assert store.get(dropped) is None


def test_a_keyed_job_in_a_transaction_does_not_spoil_it(at_sql: Harness) -> None:
    first = at_sql.add(key="k")
    with transaction():
        assert at_sql.add(key="k") == first
        other = at_sql.add()
    assert at_sql.row(other).status == "pending"


def test_outside_of_a_transaction_the_session_is_not_joined(at_sql: Harness) -> None:
    with transaction():
        pass
    current_session().rollback()
    job_id = at_sql.add()
    current_session().rollback()
    assert at_sql.store.get(job_id) is not None


# -- claim -----------------------------------------------------------------------------------------------------


def test_a_claim_takes_the_oldest_first_and_no_more_than_asked(at: Harness) -> None:
    ids = [at.add(run_at=timedelta(minutes=minutes)) for minutes in (13, 11, 12, 10)]
    at.elapse(3600)
    assert [job.id for job in at.take(3)] == [ids[3], ids[1], ids[2]]
    assert [job.id for job in at.take(3)] == [ids[0]]
    assert at.take(3) == []


def test_a_claim_counts_the_try_in_the_row_and_in_what_it_returns(at: Harness) -> None:
    job = at.running(params={"a": 1})
    assert (job.status, job.trys, job.params) == ("running", 1, {"a": 1})
    assert (at.row(job.id).status, at.row(job.id).trys) == ("running", 1)


def test_a_claim_takes_only_the_actions_it_is_asked_for(at: Harness) -> None:
    mine = at.add("Create")
    at.add("Delete")
    assert [job.id for job in at.store.claim(10, {"Create"})] == [mine]
    assert at.store.claim(10, set()) == []
    assert at.store.claim(0, ACTIONS) == []


def test_an_action_is_taken_only_by_its_very_name(at: Harness) -> None:
    """To MySQL these are all equal: a worker would take jobs that it has no handler for."""
    others = sorted([at.add(name) for name in ("create", "CREATE", "Créate", "Create ")])
    mine = at.add()
    assert at.store.unhandled(ACTIONS) == ["CREATE", "Create ", "Créate", "create"]
    assert [job.id for job in at.take()] == [mine]
    assert at.take() == []
    assert sorted(job.id for job in at.store.page(JobFilter(status=["pending"]))[0]) == others


def test_concurrent_claims_never_overlap(at: Harness) -> None:
    expected = at.store.enqueue([make_job() for _ in range(120)])
    taken: list[list[str]] = [[] for _ in range(4)]
    start = threading.Barrier(4)

    def claim(mine: list[str]) -> None:
        start.wait()
        while jobs := at.take(7):
            mine.extend(job.id for job in jobs)

    run_in_threads([(claim, one) for one in taken])
    together = [job_id for mine in taken for job_id in mine]
    # A claim that meets only rows that others hold comes back empty, so that a few may be left.
    together += [job.id for job in at.take(120)]
    assert sorted(together) == sorted(expected)


def test_a_claim_passes_over_what_another_transaction_holds(at_sql: Harness) -> None:
    store = at_sql.store
    assert isinstance(store, SQLJobStore)
    if store._dialect.name == "sqlite":
        pytest.skip("SQLite locks the whole database")
    at_sql.store.enqueue([make_job() for _ in range(10)])
    with store._database.engine.begin() as connection:
        held = {job.id for job in store._statements.claim(connection, 4, sorted(ACTIONS))}
        others = {job.id for job in at_sql.take()}
    assert len(held) == 4 and len(others) == 6 and not held & others


def test_a_backlog_is_claimed_in_order_and_what_came_late_is_not_passed_over(at_sql: Harness) -> None:
    """A claim may begin behind the last one: not after one that took less than it could, and not for long."""
    expected = set(at_sql.store.enqueue([make_job() for _ in range(30)]))
    taken = {job.id for _ in range(2) for job in at_sql.take(10)}
    assert len(taken) == 20
    late = at_sql.add()
    backdate(at_sql, late, 60)
    assert {job.id for _ in range(2) for job in at_sql.take(20)} == {late} | expected - taken


def test_an_older_job_is_claimed_before_long_though_the_backlog_goes_on(
    at_sql: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "AFRESH", 0.0)
    at_sql.store.enqueue([make_job() for _ in range(30)])
    assert len(at_sql.take(10)) == 10
    oldest = at_sql.add()
    backdate(at_sql, oldest, 60)
    assert at_sql.take(10)[0].id == oldest


def backdate(at: Harness, job_id: str, seconds: float) -> None:
    """Let a job have been due for longer than its neighbours."""
    assert isinstance(at.store, SQLJobStore)
    run_at = at.row(job_id).run_at - timedelta(seconds=seconds)
    with at.store._database.engine.begin() as connection:
        connection.execute(update(job).where(job.c.id == job_id).values(run_at=run_at))


@pytest.mark.parametrize(
    "which", [{"ids": ["\0"]}, {"status": ["\0"]}, {"action": "\0"}, {"search": "\0"}, {"resource_id": "\0"}]
)
def test_no_job_is_found_by_a_nul(at: Harness, which: dict[str, object]) -> None:
    at.add()
    assert at.store.page(JobFilter(**which)) == ([], 0)  # type: ignore[arg-type]


def test_unhandled_names_the_due_actions_that_nobody_takes(at: Harness) -> None:
    at.add("Create")
    at.add("Delete")
    at.add("Resize", run_at=timedelta(hours=1))
    assert at.store.unhandled({"Create"}) == ["Delete"]
    assert at.store.unhandled({"Create", "Delete"}) == []
    at.take()
    assert at.store.unhandled({"Create"}) == []


# -- the fence -------------------------------------------------------------------------------------------------


def test_a_finished_job_keeps_its_result_and_loses_its_secrets(at: Harness) -> None:
    job = at.running(params=SECRET)
    assert job.params["password"] == "hunter2"
    assert at.store.finish([finished(job, {"id": "vol-1"})]) == [True]
    row = at.row(job.id)
    assert (row.status, row.result, row.error, row.trys) == ("finished", {"id": "vol-1"}, "", 1)
    assert row.params["password"] != "hunter2" and row.params["name"] == "a" and row.resource_ids == ["vol-1"]


def test_a_job_that_ends_in_error_loses_its_secrets(at: Harness) -> None:
    job = at.running(params=SECRET)
    assert at.store.finish([Outcome(job, "error", error="boom")]) == [True]
    row = at.row(job.id)
    assert (row.status, row.error) == ("error", "boom")
    assert row.params["password"] != "hunter2"


def test_a_job_that_is_tried_again_waits_and_keeps_its_secrets(at: Harness) -> None:
    job = at.running(params=SECRET)
    assert at.store.finish([Outcome(job, "retry", error="busy", delay=60)]) == [True]
    row = at.row(job.id)
    assert (row.status, row.error, row.trys, row.params) == ("pending", "busy", 1, SECRET)
    assert timedelta(seconds=58) <= row.run_at - row.updated <= timedelta(seconds=62)
    assert at.take() == []
    at.elapse(61)
    (again,) = at.take()
    assert again.trys == 2


def test_a_released_job_is_due_again_and_its_try_does_not_count(at: Harness) -> None:
    job = at.running(try_max=1)
    assert at.store.finish([Outcome(job, "released")]) == [True]
    (again,) = at.take()
    assert (again.id, again.trys, again.try_max) == (job.id, 2, 2)


def test_a_dropped_outcome_writes_nothing(at: Harness) -> None:
    job = at.running()
    assert at.store.finish([Outcome(job, "dropped")]) == [False]
    assert at.row(job.id).status == "running"


@pytest.mark.parametrize("status", ["finished", "retry", "error", "released"])
def test_a_stale_try_can_write_nothing(at: Harness, status: str) -> None:
    stale = at.running(params=SECRET)
    at.elapse(100)
    take_back(at.store, 60)
    before = at.row(stale.id)
    assert at.store.finish([Outcome(stale, status, result=1, error="stale")]) == [False]  # type: ignore[arg-type]
    assert at.row(stale.id) == before
    (fresh,) = at.take()
    assert at.store.finish([Outcome(stale, status, result=1, error="stale")]) == [False]  # type: ignore[arg-type]
    assert not at.store.progress(stale.lease, "stale")
    assert at.store.beat([stale.lease]) == [stale.lease]
    assert at.store.finish([finished(fresh, "fresh")]) == [True]
    assert at.row(stale.id).result == "fresh"


def test_an_outcome_is_written_once(at: Harness) -> None:
    job = at.running()
    assert at.store.finish([finished(job, 1)]) == [True]
    assert at.store.finish([finished(job, 2)]) == [False]
    assert at.row(job.id).result == 1


def test_outcomes_of_all_kinds_are_written_together(at: Harness) -> None:
    at.store.enqueue([make_job(params={"n": n, **(SECRET if n == 1 else {})}) for n in range(6)])
    jobs = sorted(at.take(), key=lambda job: job.params["n"])
    at.store.cancel([jobs[5].id])
    kinds = ["finished", "finished", "retry", "error", "released", "finished"]
    outcomes = [Outcome(job, kind, result=n) for n, (job, kind) in enumerate(zip(jobs, kinds, strict=True))]  # type: ignore[arg-type]
    assert at.store.finish(outcomes) == [True] * 5 + [False]
    rows = [at.row(job.id) for job in jobs]
    assert [row.status for row in rows] == ["finished", "finished", "pending", "error", "pending", "error"]
    assert [row.result for row in rows[:2]] == [0, 1]
    assert rows[0].params == {"n": 0} and rows[1].params["password"] != "hunter2"


def test_none_and_large_results_come_back(at: Harness) -> None:
    one, two = at.running(), at.running(action="Delete")
    large = {"text": "ö" * 30_000}
    assert at.store.finish([finished(one), finished(two, large)]) == [True, True]
    assert at.row(one.id).result is None
    assert at.row(two.id).result == large


@pytest.mark.parametrize("error", ["ö\U0001f600" * 60_000, "nul \0 there", "half \udc80 a character"])
def test_any_error_text_can_be_stored(at: Harness, error: str) -> None:
    job = at.running()
    assert at.store.finish([Outcome(job, "error", error=error)]) == [True]
    assert at.row(job.id).error[:2] == error[:2]


def test_progress_is_written_under_the_fence(at: Harness) -> None:
    job = at.running()
    assert at.store.progress(job.lease, {"percent": 40})
    assert (at.row(job.id).result, at.row(job.id).status) == ({"percent": 40}, "running")
    assert not at.store.progress(Lease(job.id, job.trys + 1), "other")
    at.store.finish([finished(job)])
    assert not at.store.progress(job.lease, "late")


# -- leases ----------------------------------------------------------------------------------------------------


def test_a_beat_keeps_the_lease_and_tells_what_is_lost(at: Harness) -> None:
    kept, cancelled, ended = at.running(), at.running(), at.running()
    at.store.cancel([cancelled.id])
    at.store.finish([finished(ended)])
    at.elapse(100)
    leases = [kept.lease, cancelled.lease, ended.lease, Lease("job-none", 1), Lease(kept.id, 9)]
    assert at.store.beat(leases) == leases[1:]
    assert take_back(at.store, 60) == []
    assert at.store.beat([]) == []


def test_two_beats_in_one_second_both_hold(at: Harness) -> None:
    jobs = [at.running(), at.running()]
    for _ in range(3):
        assert at.store.beat([job.lease for job in jobs]) == []


def test_more_leases_than_one_statement_takes_are_renewed(at: Harness) -> None:
    at.store.enqueue([make_job() for _ in range(450)])
    leases = [job.lease for job in at.take(450)]
    at.elapse(100)
    assert at.store.beat(leases) == []
    assert take_back(at.store, 60) == []


def test_jobs_without_a_beat_are_taken_back(at: Harness) -> None:
    dead = at.running(params=SECRET)
    at.elapse(61)
    live = at.running()
    (job,) = take_back(at.store, 60)
    assert (job.id, job.status, job.trys) == (dead.id, "pending", 1)
    assert at.row(live.id).status == "running"
    assert at.row(dead.id).params == SECRET
    assert take_back(at.store, 60) == []
    (again,) = at.take()
    assert (again.id, again.trys) == (dead.id, 2)


def test_jobs_that_lost_two_workers_together_do_not_meet_again(at_sql: Harness) -> None:
    """One of them may have killed both; the others must not end with it."""
    at_sql.store.enqueue([make_job() for _ in range(50)])
    starts = []
    for _ in range(2):
        assert len(at_sql.take(50)) == 50
        at_sql.elapse(61)
        lost = take_back(at_sql.store, 60)
        starts.append({at_sql.row(job.id).run_at - at_sql.row(job.id).updated for job in lost})
    at_once, apart = starts
    assert at_once == {timedelta()}
    assert len(apart) > 20 and max(apart) <= timedelta(seconds=60)


def test_a_job_that_loses_its_last_worker_ends_in_error(at: Harness) -> None:
    poison = at.running(params=SECRET, try_max=1)
    at.elapse(61)
    (job,) = take_back(at.store, 60)
    assert (job.id, job.status, job.error) == (poison.id, "error", "worker lost (try 1 of 1)")
    row = at.row(poison.id)
    assert (row.status, row.error) == ("error", "worker lost (try 1 of 1)")
    assert row.params["password"] != "hunter2"
    assert at.take() == []


def test_reclaim_takes_no_more_than_asked(at: Harness) -> None:
    at.store.enqueue([make_job() for _ in range(5)])
    at.take()
    at.elapse(61)
    assert len(take_back(at.store, 60, limit=3)) == 3
    assert len(take_back(at.store, 60, limit=3)) == 2


def test_concurrent_reclaims_never_take_the_same_job(at: Harness) -> None:
    ids = at.store.enqueue([make_job() for _ in range(60)])
    at.take(60)
    at.elapse(61)
    taken: list[list[str]] = [[] for _ in range(3)]

    def reclaim(mine: list[str]) -> None:
        while jobs := take_back(at.store, 60, 7):
            mine.extend(job.id for job in jobs)

    run_in_threads([(reclaim, one) for one in taken])
    together = [job_id for mine in taken for job_id in mine] + [job.id for job in take_back(at.store, 60)]
    assert sorted(together) == sorted(ids)


# -- steering --------------------------------------------------------------------------------------------------


def test_cancel_ends_pending_and_running_jobs_only(at: Harness) -> None:
    running, ended = at.running(params=SECRET), at.running()
    at.store.finish([finished(ended)])
    pending = at.add(params=SECRET)
    cancelled = at.store.cancel([running.id, pending, ended.id, "job-none"])
    assert {job.id for job in cancelled} == {running.id, pending}
    assert {(job.status, job.error) for job in cancelled} == {("error", "cancelled")}
    for job_id in (running.id, pending):
        row = at.row(job_id)
        assert (row.status, row.error) == ("error", "cancelled")
        assert row.params["password"] != "hunter2"
    assert at.row(ended.id).status == "finished"
    assert at.store.finish([finished(running)]) == [False]
    assert at.store.cancel([running.id]) == []
    assert at.store.cancel([]) == []


def test_retry_puts_ended_jobs_back_with_one_more_try(at: Harness) -> None:
    failed, fresh = at.running(try_max=1), at.running(try_max=5)
    at.store.finish([Outcome(failed, "error", error="x"), Outcome(fresh, "error", error="x")])
    pending = at.add(run_at=timedelta(hours=1))
    woken = at.woken
    assert sorted(at.store.retry([failed.id, fresh.id, pending])) == sorted([failed.id, fresh.id])
    assert at.woken == woken + 1
    jobs = {job.id: job for job in at.take()}
    assert (jobs[failed.id].trys, jobs[failed.id].try_max) == (2, 2)
    assert (jobs[fresh.id].trys, jobs[fresh.id].try_max) == (2, 5)
    assert jobs[failed.id].error == ""


def test_run_now_makes_pending_jobs_due(at: Harness) -> None:
    later = at.add(run_at=timedelta(hours=1))
    running = at.running()
    woken = at.woken
    assert at.store.run_now([later, running.id]) == [later]
    assert at.woken == woken + 1
    assert [job.id for job in at.take()] == [later]
    assert at.store.run_now([later]) == []


def test_prune_deletes_ended_jobs_that_are_old_enough(at: Harness) -> None:
    done, failed, running = at.running(), at.running(), at.running()
    at.store.finish([finished(done), Outcome(failed, "error", error="x")])
    pending = at.add()
    at.elapse(100)
    recent = at.add("Delete")
    at.store.cancel([recent])
    assert at.store.prune(60, limit=1) == 1
    assert at.store.prune(60) == 1
    assert at.store.prune(60) == 0
    assert at.store.get(done.id) is None and at.store.get(failed.id) is None
    assert {at.row(job_id).status for job_id in (running.id, pending)} == {"running", "pending"}
    assert at.row(recent).status == "error"


# -- reading ---------------------------------------------------------------------------------------------------


def test_lists_are_filtered_paged_and_counted(at: Harness) -> None:
    ids = []
    for n in range(5):
        params = {"resource_ids": [f"vol-{n}", "vol_x"]}
        ids.append(at.add("Create" if n < 3 else "Delete", params, project_id=f"p{n % 2}"))
        at.elapse(1)
    claimed = at.take(1)[0]

    def found(**which: object) -> list[str]:
        jobs, total = at.store.page(JobFilter(**which))  # type: ignore[arg-type]
        assert total == len(jobs)
        return [job.id for job in jobs]

    assert found() == ids[::-1]
    assert found(reverse=False) == ids
    assert found(ids=[ids[1], "job-none"]) == [ids[1]]
    assert found(ids=[]) == []
    assert found(status=["running"]) == [claimed.id]
    assert len(found(status=["running", "pending"])) == 5
    assert found(action="Delete", reverse=False) == ids[3:]
    assert found(project_id="p1", reverse=False) == [ids[1], ids[3]]
    assert found(resource_id="vol-2") == [ids[2]]
    assert found(resource_id="vol") == []
    assert len(found(resource_id="vol_x")) == 5
    assert found(resource_id="vol%") == []
    assert found(search="elet", reverse=False) == ids[3:]
    assert found(search=ids[0][4:]) == [ids[0]]
    assert found(search="%") == []
    page, total = at.store.page(JobFilter(limit=2, offset=1))
    assert ([job.id for job in page], total) == ([ids[3], ids[2]], 5)


def test_stats_count_by_action_and_status(at: Harness) -> None:
    assert at.store.stats() == {"jobs": [], "oldest_pending_seconds": None}
    at.add("Delete", run_at=timedelta(hours=1))
    assert at.store.stats()["oldest_pending_seconds"] is None
    at.add("Create")
    at.add("Create")
    at.add("Resize")
    at.store.claim(1, {"Resize"})
    assert at.store.stats()["jobs"] == [
        {"action": "Create", "status": "pending", "count": 2},
        {"action": "Delete", "status": "pending", "count": 1},
        {"action": "Resize", "status": "running", "count": 1},
    ]


def test_stats_tell_how_long_the_oldest_due_job_waits(at: Harness) -> None:
    at.add("Create")
    at.elapse(90)
    assert at.store.stats()["oldest_pending_seconds"] == pytest.approx(90, abs=2)


def run_in_threads(calls: list[tuple[object, object]]) -> None:
    """Run calls at once; raise what one of them raises."""
    errors: list[BaseException] = []

    def run(function: object, argument: object) -> None:
        try:
            function(argument)  # type: ignore[operator]
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=run, args=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]
