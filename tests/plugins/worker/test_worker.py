"""The worker, in processes of its own: what well-behaved jobs get, and what becomes of the others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.databases import new_database, param
from tests.plugins.models.stores import make_job
from tests.plugins.worker.processes import Site, stop

#: Seconds: short, and yet longer than the start of eight processes on two cores keeps a beat waiting.
LEASE = 5


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.chaos)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """An empty database with workers to start."""
    with new_database(request.param, request) as url:
        site = Site(tmp_path, url)
        yield site
        site.close()


@pytest.fixture(params=["sqlite"])
def sqlite_site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """The same on SQLite, for what does not depend on the database."""
    site = Site(tmp_path, f"sqlite:///{tmp_path}/jobs.db")
    yield site
    site.close()


def test_jobs_are_run_reported_on_cancelled_tried_again_and_kept_by_their_worker(site: Site) -> None:
    """One worker for many expectations, as a lease takes seconds."""
    long = site.add("Wait", {"seconds": 6})
    quick = [site.add("Quick", {"answer": n}) for n in range(40)]
    reporting = site.add("Report", {"steps": 1000})
    failing = site.add("Fail", try_max=2)
    slow = site.add("Wait", {"seconds": 60}, try_max=1)
    deaf = site.add("Deaf", {"seconds": 0.5}, try_max=1)
    unknown = site.add("Unknown")
    started = time.monotonic()
    with site.worker(worker_exec_timeout=8) as process:
        site.until(lambda: site.row(reporting).result)
        assert site.row(reporting).status == "running"
        seen = site.row(reporting).result["step"]
        site.until(lambda: site.row(reporting).result["step"] > seen)
        site.store.cancel([reporting, slow])
        cancelled = time.monotonic()
        site.until(lambda: site.trace("interrupted", slow))
        # The next beat tells: every quarter of a lease.
        assert time.monotonic() - cancelled < 3
        site.until(lambda: site.ended(long, failing, deaf, *quick))
        assert stop(process) == 0
    assert time.monotonic() - started < 30

    assert [site.row(job_id).result for job_id in quick] == list(range(40))
    assert [len(site.trace("started", job_id)) for job_id in quick] == [1] * 40
    assert [len(site.trace("finished", job_id)) for job_id in quick] == [1] * 40

    row = site.row(long)
    assert (row.status, row.result, row.trys) == ("finished", "done", 1), "a lease was lost though its worker lived"

    assert (site.row(slow).status, site.row(slow).error) == ("error", "cancelled")
    assert site.trace("interrupted", slow) == [["interrupted", slow, "LeaseLost"]]
    assert (site.row(reporting).status, site.row(reporting).error) == ("error", "cancelled")
    assert not site.trace("finished", reporting) and not site.trace("failed", slow)

    row = site.row(failing)
    assert (row.status, row.trys, row.error) == ("error", 2, "the provider said no")
    assert [len(site.trace(kind, failing)) for kind in ("started", "retrying", "failed")] == [2, 1, 1]
    assert site.trace("gave-up", failing) == [["gave-up", failing, "error"]]

    row = site.row(deaf)
    assert (row.status, row.error) == ("error", "timed out after 8 s"), "except Exception swallowed the timeout"
    assert not site.trace("swallowed")

    row = site.row(unknown)
    assert (row.status, row.trys) == ("pending", 0), "nobody handles it, and that is no try"
    assert "jobs of action Unknown wait: no installed package handles it" in site.log


def test_a_drain_lets_jobs_finish_and_puts_back_the_rest_at_no_cost(site: Site) -> None:
    short = site.add("Wait", {"seconds": 1.5}, try_max=1)
    long = site.add("Wait", {"seconds": 60}, try_max=1)
    with site.worker(drain_timeout=3) as process:
        site.until(lambda: len(site.trace("started")) == 2)
        later = site.add("Quick")
        site.until(lambda: site.ended(later))
        started = time.monotonic()
        process.terminate()
        time.sleep(0.5)
        refused = site.add("Quick")
        assert process.wait(20) == 0
        assert time.monotonic() - started < 6
    assert site.row(short).status == "finished"
    row = site.row(long)
    assert (row.status, row.trys, row.try_max) == ("pending", 1, 2)
    assert site.trace("interrupted", long) == [["interrupted", long, "JobShutdown"]]
    assert not site.trace("gave-up", long)
    assert site.row(refused).status == "pending"


def test_whatever_ends_a_try_leaves_its_slot_to_the_next_job(sqlite_site: Site) -> None:
    site = sqlite_site
    left = [site.add("Leave", {"what": what}, try_max=2) for what in ("greenlet", "process", "fatal")]
    observed = site.add("Quick", {"fatal": "started"}, try_max=2)
    with site.worker(worker_exec_size=1):
        site.until(lambda: site.ended(*left, observed))
        last = site.add("Quick")
        site.until(lambda: site.ended(last))
    assert [(site.row(job_id).status, site.row(job_id).trys) for job_id in left] == [("error", 2)] * 3
    assert (site.row(observed).status, site.row(observed).trys) == ("finished", 1)
    assert site.row(last).status == "finished"


def test_an_outcome_that_can_never_be_written_keeps_no_other_from_being_written(sqlite_site: Site) -> None:
    """Its lease ends, and it with its last try."""
    site = sqlite_site
    unstorable = site.add("Quick", {"picky": True}, try_max=1)
    others = [site.add("Quick") for _ in range(5)]
    with site.worker(densefog_store="picky"):
        site.until(lambda: site.ended(unstorable, *others))
    assert {site.row(job_id).status for job_id in others} == {"finished"}
    assert site.row(unstorable).error == "worker lost (try 1 of 1)"
    assert f"the outcome of {unstorable} cannot be stored" in site.log


def test_a_worker_that_has_lost_one_of_its_loops_stops_with_an_error(sqlite_site: Site) -> None:
    """It would keep the jobs whose outcomes nobody writes; another begins anew."""
    site = sqlite_site
    site.add("Quick", {"breaking": True})
    with site.worker(densefog_store="picky") as process:
        assert process.wait(30) == 1
    assert "a loop of the worker has ended by Fatal; it stops" in site.log
    waiting = site.add("Quick")
    with site.worker():
        site.until(lambda: site.ended(waiting))


def test_all_jobs_of_the_dead_are_taken_back_in_one_go(sqlite_site: Site) -> None:
    """After they were watched for half a lease; not a hundred in each quarter of it."""
    site = sqlite_site
    dead = site.store.enqueue([make_job("Quick", try_max=1) for _ in range(250)])
    assert len(site.store.claim(250, ["Quick"])) == 250
    site.age(700, dead)
    with site.worker(worker_lease=8):
        site.until(lambda: {job.error for job in site.rows(dead)} == {"worker lost (try 1 of 1)"})


@pytest.mark.chaos
def test_handlers_that_never_yield_or_kill_their_process_end_and_spare_the_others(sqlite_site: Site) -> None:
    """Under ``--processes 2``: what a process takes down with it runs again in another."""
    site = sqlite_site
    bad = {action: site.add(action, try_max=2) for action in ("Spin", "Die", "Hold")}
    others = [site.add("Wait", {"seconds": 0.5}, try_max=50) for _ in range(10)]
    # One at a time, so that each starts when it is claimed.
    with site.worker("--processes", "2", worker_pick_size=1, drain_timeout=1):
        site.until(lambda: site.ended(*bad.values(), *others))
    errors = {action: site.row(job_id).error for action, job_id in bad.items()}
    assert errors["Spin"].startswith("worker lost: timed out after 1.5 s and did not stop")
    assert errors["Die"] == "worker lost (try 2 of 2)"
    # Not even the heartbeat runs: only the end of its lease tells.
    assert errors["Hold"] == "worker lost (try 2 of 2)"
    for job_id in bad.values():
        row = site.row(job_id)
        assert (row.status, row.trys) == ("error", 2)
        assert len(site.trace("started", job_id)) == 2
        assert len(site.trace("gave-up", job_id)) == 1
    assert len(site.trace("lost", bad["Die"])) == 1
    assert {site.row(job_id).status for job_id in others} == {"finished"}
    assert {len(site.trace("finished", job_id)) for job_id in others} == {1}
    assert "Timeout (0:00:0" in site.log and "jobs.py" in site.log, "the stacks of a stuck process are shown"


@pytest.mark.chaos
def test_a_job_that_kills_each_of_its_processes_does_not_take_its_neighbours_with_it(sqlite_site: Site) -> None:
    """They meet twice; the third time each of them begins when it happens to, within three seconds.

    Most of them do not run when the job kills its process then. Fewer than five are never spared.
    """
    site = sqlite_site
    neighbours = [site.add("Wait", {"seconds": 0.5}) for _ in range(29)]
    killer = site.add("Die")
    with site.worker("--processes", "2", worker_exec_size=50, worker_pick_size=50, worker_lease=8):
        site.until(lambda: site.ended(killer, *neighbours))
    assert site.row(killer).error == "worker lost (try 3 of 3)"
    assert sum(site.row(job_id).status == "finished" for job_id in neighbours) >= 5


def test_jobs_of_a_killed_worker_go_on_long_before_their_lease_ends(sqlite_site: Site, tmp_path: Path) -> None:
    """In one that runs beside it, and in the next one that starts there; a last try is told as lost."""
    site = sqlite_site
    job_id = site.add("Until", {"file": str(tmp_path / "end")})
    last = site.add("Until", {"file": "/never"}, try_max=1)
    with site.worker(worker_lease=600) as first:
        site.until(lambda: len(site.trace("started")) == 2)
        with site.worker(worker_lease=600) as beside:
            first.kill()
            site.until(lambda: len(site.trace("started", job_id)) == 2)
            assert site.row(last).error == "worker lost (try 1 of 1)"
            beside.kill()
    (tmp_path / "end").touch()
    with site.worker(worker_lease=600):
        site.until(lambda: site.ended(job_id))
    assert (site.row(job_id).status, site.row(job_id).trys) == ("finished", 3)
    assert len(site.trace("lost", last)) == 1


def test_what_a_handler_forks_ends_with_it_and_is_no_second_worker(sqlite_site: Site) -> None:
    """It waits without running what its parent runs, writes no outcome, and tells nobody."""
    site = sqlite_site
    with site.worker() as process:
        forking = [site.add("Fork") for _ in range(3)]
        quick = [site.add("Quick") for _ in range(20)]
        site.until(lambda: site.ended(*forking, *quick))
    assert {(row.status, row.result, row.trys) for row in site.rows(forking)} == {("finished", "parent", 1)}
    assert {row.trys for row in site.rows(quick)} == {1}
    assert {line[3] for line in site.trace("started") + site.trace("finished")} == {str(process.pid)}
    assert [line[2] for line in site.trace("forked")] == ["0"] * 3


def test_a_blocked_process_gives_back_its_other_jobs_at_no_cost(sqlite_site: Site) -> None:
    site = sqlite_site
    others = [site.add("Wait", {"seconds": 60}, try_max=1) for _ in range(5)]
    with site.worker() as process:
        site.until(lambda: len(site.trace("started")) == 5)
        spinning = site.add("Spin", try_max=1)
        assert process.wait(20) == 1
    assert site.row(spinning).error.startswith("worker lost: timed out after 1.5 s and did not stop")
    assert {(site.row(job_id).status, site.row(job_id).trys, site.row(job_id).try_max) for job_id in others} == {
        ("pending", 1, 2)
    }
    assert "gives back 5 other jobs" in site.log and "in spin" in site.log


@pytest.mark.parametrize(
    "site", ["sqlite", *(param(kind, pytest.mark.chaos) for kind in ("mariadb", "postgresql", "mysql"))], indirect=True
)
def test_workers_that_start_leave_alone_what_others_run_and_take_over_from_the_dead(site: Site, tmp_path: Path) -> None:
    """8 workers start on 200 jobs left running by dead workers and 50 that run in two live ones."""
    end = tmp_path / "end"
    live = [site.add("Until", {"file": str(end)}) for _ in range(50)]
    settings = {"worker_lease": LEASE, "worker_exec_size": 25}
    with site.worker(**settings) as one, site.worker(**settings) as other:
        site.until(lambda: len(site.trace("started")) == 50)
        dead = [site.add("Quick") for _ in range(200)]
        assert sorted(job.id for job in site.store.claim(200, {"Quick"})) == sorted(dead)
        site.age(60, dead)
        claimed = max(row.updated for row in site.rows(live))
        with site.worker("--processes", "8", worker_lease=LEASE):
            site.until(lambda: site.log.count("worker runs jobs") == 10)
            site.until(lambda: site.ended(*dead))
            # Without a beat their leases would have ended by then.
            kept = claimed + timedelta(seconds=LEASE)
            site.until(lambda: min(row.updated for row in site.rows(live)) > kept)
            end.touch()
            site.until(lambda: site.ended(*live))
        mine = {str(one.pid), str(other.pid)}
    assert {(row.status, row.trys) for row in site.rows(live)} == {("finished", 1)}
    assert {(row.status, row.trys) for row in site.rows(dead)} == {("finished", 2)}
    for job_id in live + dead:
        # Each line is there once: event, job, try, process.
        (started,), (finished,) = site.trace("started", job_id), site.trace("finished", job_id)
        assert started[2:] == finished[2:]
        assert (started[2], started[3] in mine) == (("1", True) if job_id in live else ("2", False))
