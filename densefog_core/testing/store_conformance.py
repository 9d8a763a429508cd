"""The promises of a job store that densefog relies on, as tests."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from densefog_core.ids import new_id
from densefog_core.jobs import Job, JobFilter, JobSearch, JobStore, Lease, Outcome, Sighting, keyed_id
from densefog_core.jobs.causes import MAX_LINE, cause_of

ACTIONS = ("Create", "Delete")
#: A member that must be gone from the row of a job that has ended, and one that must stay.
SECRET = {"password": "hunter2", "name": "a"}
#: What the core gives a store of an encrypted job.
SEALED = {"resource_ids": ["vol-1"], "$secret": "gAAAAABn" + "sk-live_Ab3-" * 9}
#: Seconds; more than the whole second that a store may round by.
LEASE, LONGER = 1, 3
MINUTE = timedelta(minutes=1)


class StoreConformance:
    """What every `densefog_core.jobs.JobStore` promises, for pytest to run on one.

    A subclass has a fixture ``store``, which returns an empty store whose tables are there. Where the store's clock can
    be moved, it replaces `elapse` too; the suite takes half a minute otherwise::

        class TestMyStore(StoreConformance):
            @pytest.fixture
            def store(self):
                return MyStore("...")

    With ``pytest.register_assert_rewrite("densefog_core.testing")`` at the top of ``conftest.py``, pytest shows the
    values of what fails.
    """

    def elapse(self, store: JobStore, seconds: float) -> None:
        """Let so many seconds go by for the store."""
        time.sleep(seconds)

    def test_a_new_job_is_kept_as_it_was_given(self, store: JobStore) -> None:
        """Params, project and limits come back; it is pending and due."""
        params = {"name": "ö\U0001f600", "n": 1.5, "deep": [{"a": None}], "resource_ids": ["vol-1"]}
        [job] = _enqueue(store, _job(params=params, project_id="prj", try_max=7, try_period=30))
        row = _row(store, job)
        assert (row.action, row.params, row.project_id) == (job.action, params, "prj")
        assert (row.status, row.trys, row.try_max, row.try_period) == ("pending", 0, 7, 30)
        assert (row.result, row.error) == (None, "")
        assert store.get("job-none") is None

    def test_ids_are_returned_in_order_and_workers_are_woken_once(self, store: JobStore) -> None:
        """However many jobs there are; a job of later wakes nobody."""
        woken: list[bool] = []
        store.on_enqueued = lambda: woken.append(True)
        jobs = [_job() for _ in range(120)]
        assert store.enqueue(jobs) == [job.id for job in jobs]
        assert len(woken) == 1
        store.enqueue([_job(after=60)])
        assert len(woken) == 1

    def test_a_key_makes_one_job_of_many(self, store: JobStore) -> None:
        """A job whose id is there already is left as it is, even when it has ended."""
        first, again = (_job(id=keyed_id("Create", "order-7"), params={"n": n}) for n in (1, 2))
        assert store.enqueue([first]) == store.enqueue([again]) == [first.id]
        [claimed] = _take(store)
        assert claimed.params == {"n": 1}
        store.finish([Outcome(claimed, "finished", result="done")])
        assert store.enqueue([_job(), again])[1] == first.id
        assert (_row(store, first).status, _row(store, first).result) == ("finished", "done")

    def test_a_claim_takes_the_oldest_due_jobs_of_the_actions_it_is_asked_for(self, store: JobStore) -> None:
        """By ``run_at``, and no more than asked."""
        jobs = _enqueue(store, _job(after=3), _job(after=1), _job(after=2), _job("Delete", after=1), _job(after=600))
        assert _take(store) == []
        self.elapse(store, 5)
        assert [job.id for job in store.claim(2, {"Create"})] == [jobs[1].id, jobs[2].id]
        assert [job.id for job in store.claim(9, {"Create"})] == [jobs[0].id]
        assert store.claim(9, {"Create"}) == store.claim(9, set()) == []
        assert [job.id for job in _take(store)] == [jobs[3].id]

    def test_a_claim_counts_the_try(self, store: JobStore) -> None:
        """In what it returns and in the row: the number is the fence."""
        job = _running(store, params={"a": 1})
        assert (job.status, job.trys, job.params) == ("running", 1, {"a": 1})
        assert (_row(store, job).status, _row(store, job).trys) == ("running", 1)

    def test_claims_at_the_same_time_never_take_the_same_job(self, store: JobStore) -> None:
        """At most one live try."""
        jobs = _enqueue(store, *(_job() for _ in range(60)))
        taken: list[str] = []
        start = threading.Barrier(3)

        def claim() -> None:
            start.wait()
            while claimed := store.claim(7, ACTIONS):
                taken.extend(job.id for job in claimed)

        threads = [threading.Thread(target=claim) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # A claim that meets only rows that others hold may come back empty, so that a few are left.
        taken.extend(job.id for job in store.claim(60, ACTIONS))
        assert sorted(taken) == sorted(job.id for job in jobs)

    def test_a_finished_job_keeps_its_result_and_loses_its_secrets(self, store: JobStore) -> None:
        """It is written once."""
        job = _running(store, params=SECRET)
        assert job.params == SECRET
        assert store.finish([Outcome(job, "finished", result={"id": "vol-1"})]) == [True]
        assert store.finish([Outcome(job, "finished", result=2)]) == [False]
        row = _row(store, job)
        assert (row.status, row.result, row.error, row.trys) == ("finished", {"id": "vol-1"}, "", 1)
        assert _is_redacted(row)

    def test_a_failed_job_keeps_its_error_and_loses_its_secrets(self, store: JobStore) -> None:
        """Whatever characters and however many the error has, the job ends."""
        for error in ("boom", "ö\U0001f600" * 60_000, "nul \0 there", "half \udc80 a character"):
            job = _running(store, params=SECRET)
            assert store.finish([Outcome(job, "error", error=error)]) == [True]
            row = _row(store, job)
            assert (row.status, row.error[:2]) == ("error", error[:2])
            assert _is_redacted(row)

    def test_a_job_that_is_tried_again_waits_and_keeps_its_secrets(self, store: JobStore) -> None:
        """It is not due before its delay is over."""
        job = _running(store, params=SECRET)
        assert store.finish([Outcome(job, "retry", error="busy", delay=2)]) == [True]
        row = _row(store, job)
        assert (row.status, row.error, row.trys, row.params) == ("pending", "busy", 1, SECRET)
        assert _take(store) == []
        self.elapse(store, 4)
        [again] = _take(store)
        assert (again.id, again.trys) == (job.id, 2)

    def test_a_released_job_is_due_again_and_its_try_does_not_count(self, store: JobStore) -> None:
        """The token grows all the same, and with it the number of tries allowed."""
        job = _running(store, try_max=1)
        assert store.finish([Outcome(job, "released")]) == [True]
        [again] = _take(store)
        assert (again.id, again.trys, again.try_max) == (job.id, 2, 2)

    def test_a_dropped_outcome_writes_nothing(self, store: JobStore) -> None:
        """The lease was lost, and the try knows."""
        job = _running(store)
        assert store.finish([Outcome(job, "dropped")]) == [False]
        assert _row(store, job) == job

    def test_a_stale_try_can_write_nothing(self, store: JobStore) -> None:
        """Neither while the job waits nor while another try has it; the others of its batch are written."""
        stale = _running(store)
        self.elapse(store, LONGER)
        _take_back(store)
        before = _row(store, stale)
        ends = [Outcome(stale, status) for status in ("finished", "retry", "error", "released")]
        assert store.finish(ends) == [False] * 4
        assert _row(store, stale) == before
        [fresh] = _take(store)
        assert store.finish([*ends, Outcome(fresh, "finished", result="fresh")]) == [*[False] * 4, True]
        assert not store.progress(stale.lease, "stale")
        assert store.beat([stale.lease]) == [stale.lease]
        assert _row(store, stale).result == "fresh"

    def test_progress_is_written_under_the_fence(self, store: JobStore) -> None:
        """And no more once the job has ended."""
        job = _running(store)
        assert store.progress(job.lease, {"percent": 40})
        assert (_row(store, job).result, _row(store, job).status) == ({"percent": 40}, "running")
        assert not store.progress(Lease(job.id, job.trys + 1), "other")
        store.finish([Outcome(job, "finished")])
        assert not store.progress(job.lease, "late")
        assert _row(store, job).result is None

    def test_a_beat_keeps_the_lease_and_tells_what_is_lost(self, store: JobStore) -> None:
        """In the order of the leases."""
        kept, cancelled, ended = _running(store), _running(store), _running(store)
        store.cancel([cancelled.id])
        store.finish([Outcome(ended, "finished")])
        self.elapse(store, LONGER)
        leases = [kept.lease, cancelled.lease, ended.lease, Lease("job-none", 1), Lease(kept.id, 9)]
        assert store.beat(leases) == leases[1:]
        assert store.beat([kept.lease]) == store.beat([]) == []
        assert _take_back(store) == []

    def test_jobs_without_a_beat_are_taken_back(self, store: JobStore) -> None:
        """They are due again at once; a job that was claimed just now is not touched."""
        dead = _running(store, params=SECRET)
        self.elapse(store, LONGER)
        live = _running(store)
        [job] = _take_back(store)
        assert (job.id, job.status, job.trys) == (dead.id, "pending", 1)
        assert _row(store, live).status == "running"
        [again] = _take(store)
        assert (again.id, again.trys, again.params) == (dead.id, 2, SECRET)

    def test_a_job_renewed_since_it_was_seen_is_left_alone(self, store: JobStore) -> None:
        """A statement that was sent before the store stood still may be executed after the holder has beaten."""
        renewed, claimed, dead = _running(store), _running(store), _running(store)
        self.elapse(store, LONGER)
        seen = store.stale(LEASE)
        assert {one.lease for one in seen} == {renewed.lease, claimed.lease, dead.lease}
        store.beat([renewed.lease])
        store.finish([Outcome(claimed, "retry")])
        assert [job.id for job in store.reclaim(seen, LEASE)] == [dead.id]
        assert (_row(store, renewed).status, _row(store, dead).status) == ("running", "pending")
        assert store.reclaim([], LEASE) == []

    def test_a_job_whose_holder_is_dead_is_taken_back(self, store: JobStore) -> None:
        """The lease alone is compared: a supervisor knows which of its processes died, and what that one held."""
        dead = _running(store)
        [job] = store.reclaim([Sighting(dead.lease), Sighting(Lease(dead.id, 9))], LEASE)
        assert (job.id, job.status, _row(store, dead).status) == (dead.id, "pending", "pending")

    def test_what_an_unanswered_claim_took_is_given_back(self, store: JobStore) -> None:
        """By the claim's name, which nobody sees; it costs no try."""
        [lost, again] = _enqueue(store, _job(try_max=1), _job())
        store.finish([Outcome(job, "retry", error="busy") for job in _take(store) if job.id == again.id])
        self.elapse(store, 1)
        store.claim(2, ACTIONS, "claim-0000000001")
        other = _running(store)
        assert store.give_back([]) == store.give_back(["claim-0000000002"]) == []
        assert _row(store, again).error == "busy"
        assert [lease.job_id for lease in store.give_back(["claim-0000000001"])] == [again.id]
        row = _row(store, again)
        assert (row.status, row.trys, row.try_max, row.error) == ("pending", 2, 4, "busy")
        assert (_row(store, other).status, _row(store, lost).status) == ("running", "running")

    def test_an_end_whose_answer_was_lost_is_known(self, store: JobStore) -> None:
        """By ``unsure``: the row says it already. Others must not take another's end for theirs."""
        ended, failed, cancelled = _running(store), _running(store, try_max=1), _running(store)
        store.finish([Outcome(ended, "finished"), Outcome(failed, "error", error="boom")])
        store.cancel([cancelled.id])
        ends = [Outcome(ended, "finished"), Outcome(failed, "error", error="boom"), Outcome(cancelled, "finished")]
        assert store.finish(ends) == [False] * 3
        assert store.finish([replace(one, unsure=True) for one in ends]) == [True, True, False]

    def test_a_lost_job_whose_answer_was_lost_is_known(self, store: JobStore) -> None:
        """By ``unsure``, too."""
        _running(store, try_max=1)
        self.elapse(store, LONGER)
        seen = store.stale(LEASE)
        [job] = store.reclaim(seen, LEASE)
        assert store.reclaim(seen, LEASE) == []
        assert [one.id for one in store.reclaim([replace(one, unsure=True) for one in seen], LEASE)] == [job.id]

    def test_a_job_that_loses_its_last_worker_ends(self, store: JobStore) -> None:
        """Else a job that kills its worker would kill the next one, without end."""
        poison = _running(store, params=SECRET, try_max=1)
        self.elapse(store, LONGER)
        [job] = _take_back(store)
        row = _row(store, poison)
        assert (job.status, row.status, row.error) == ("error", "error", "worker lost (try 1 of 1)")
        assert _is_redacted(row)
        assert _take(store) == []

    def test_cancel_ends_pending_and_running_jobs_only(self, store: JobStore) -> None:
        """The try that runs has lost its lease."""
        running, ended = _running(store, params=SECRET), _running(store)
        store.finish([Outcome(ended, "finished")])
        [pending] = _enqueue(store, _job())
        cancelled = store.cancel([running.id, pending.id, ended.id, "job-none"])
        assert {job.id for job in cancelled} == {running.id, pending.id}
        for job in (running, pending):
            assert (_row(store, job).status, _row(store, job).error) == ("error", "cancelled")
        assert _is_redacted(_row(store, running))
        assert _row(store, ended).status == "finished"
        assert store.finish([Outcome(running, "finished")]) == [False]

    def test_no_text_of_a_handler_reads_like_another_end(self, store: JobStore) -> None:
        """A store writes ``densefog_core.jobs.ends.failed(text)``: only its own texts say lost or cancelled."""
        texts = ("cancelled", "worker lost (try 1 of 1)", "worker lost: boom (try 1 of 1)", "worker lost connection")
        jobs = [_running(store, try_max=1) for _ in texts]
        store.finish([Outcome(job, "error", error=text) for job, text in zip(jobs, texts, strict=True)])
        rows = [_row(store, job) for job in jobs]
        assert [row.end for row in rows] == ["failed"] * len(texts)
        assert all(text in row.error for row, text in zip(rows, texts, strict=True))

    def test_a_text_of_an_earlier_try_is_no_lost_try(self, store: JobStore) -> None:
        """The next try's worker dies: the row says so, whatever the try before it raised."""
        job = _running(store, try_max=2)
        store.finish([Outcome(job, "retry", error="worker lost: boom (try 2 of 2)")])
        [again] = _take(store)
        self.elapse(store, LONGER)
        [ended] = _take_back(store)
        assert (ended.id, ended.end, ended.error) == (again.id, "lost", "worker lost (try 2 of 2)")

    def test_retry_puts_ended_jobs_back_with_one_more_try(self, store: JobStore) -> None:
        """What has not ended is left alone."""
        failed = _running(store, try_max=1)
        store.finish([Outcome(failed, "error", error="x")])
        [pending] = _enqueue(store, _job(after=600))
        assert store.retry([failed.id, pending.id]) == [failed.id]
        [job] = _take(store)
        assert (job.id, job.trys, job.try_max, job.error) == (failed.id, 2, 2, "")

    def test_retry_leaves_jobs_alone_whose_secrets_are_gone(self, store: JobStore) -> None:
        """Their handler would take the mask for the secret."""
        failed = _running(store, params=SECRET)
        store.finish([Outcome(failed, "error", error="x")])
        assert store.retry([failed.id]) == []
        assert _row(store, failed).status == "error"

    def test_sealed_params_stay_and_such_a_job_can_be_retried(self, store: JobStore) -> None:
        """Whatever ends it; see `densefog_core.jobs.sealed.cleaned`."""
        jobs = [_running(store, params=SEALED, try_max=1) for _ in range(3)]
        ends = [Outcome(jobs[0], "error", error="x"), Outcome(jobs[1], "finished", result=SEALED)]
        assert store.finish(ends) == [True, True]
        store.cancel([jobs[2].id])
        assert [_row(store, job).params for job in jobs] == [SEALED] * 3
        assert _row(store, jobs[1]).result == SEALED
        assert set(store.retry([job.id for job in jobs])) == {job.id for job in jobs}
        assert [job.params for job in _take(store)] == [SEALED] * 3

    def test_run_now_makes_pending_jobs_due(self, store: JobStore) -> None:
        """And no others."""
        running = _running(store)
        [later] = _enqueue(store, _job(after=600))
        assert store.run_now([later.id, running.id]) == [later.id]
        assert [job.id for job in _take(store)] == [later.id]

    def test_the_application_is_told_of_each_job_that_ends_as_an_error(self, store: JobStore) -> None:
        """``last_failures``: failed, lost or cancelled; with the params as they were, secrets included."""
        told: list[Job] = []
        store.last_failures = {"Create": told.append}
        failed, lost, fine = (_running(store, params=SECRET, try_max=1) for _ in range(3))
        store.finish([Outcome(failed, "error", error="boom"), Outcome(fine, "finished")])
        self.elapse(store, LONGER)
        _take_back(store)
        [cancelled] = _enqueue(store, _job(params=SECRET))
        store.cancel([cancelled.id])
        assert [job.id for job in told] == [failed.id, lost.id, cancelled.id]
        assert [job.error for job in told] == ["boom", "worker lost (try 1 of 1)", "cancelled"]
        assert [(job.status, job.params) for job in told] == [("error", SECRET)] * 3

    def test_a_job_ends_whatever_the_application_raises(self, store: JobStore) -> None:
        """What ``last_failures`` raises is logged, and harms neither the job nor the others of its batch."""
        store.last_failures = {"Create": lambda job: 1 / 0, "Delete": lambda job: sys.exit(1)}
        jobs = [_running(store), _running(store, action="Delete"), _running(store)]
        ends = [Outcome(jobs[0], "error", error="x"), Outcome(jobs[1], "error"), Outcome(jobs[2], "finished")]
        assert store.finish(ends) == [True, True, True]
        assert [_row(store, job).status for job in jobs] == ["error", "error", "finished"]

    def test_pages_are_filtered_ordered_and_counted(self, store: JobStore) -> None:
        """By creation; the count is of all pages. What users type is no pattern."""
        ids = []
        for n in range(3):
            params = {"resource_ids": [f"vol-{n}", "vol_x"]}
            ids += store.enqueue([_job("Delete" if n == 2 else "Create", params=params, project_id=f"p{n % 2}")])
            self.elapse(store, 1)
        [claimed] = store.claim(1, {"Delete"})
        pages: list[tuple[Mapping[str, Any], list[str], int]] = [
            ({}, ids[::-1], 3), ({"reverse": False}, ids, 3), ({"limit": 1, "offset": 1}, [ids[1]], 3),
            ({"ids": [ids[1], "job-none"]}, [ids[1]], 1), ({"ids": []}, [], 0),
            ({"status": ["running"]}, [claimed.id], 1), ({"status": ["running", "pending"]}, ids[::-1], 3),
            ({"action": "Delete"}, [ids[2]], 1), ({"project_id": "p1"}, [ids[1]], 1),
            ({"resource_id": "vol-1"}, [ids[1]], 1), ({"resource_id": "vol_x"}, ids[::-1], 3),
            ({"resource_id": "vol"}, [], 0), ({"search": "elet"}, [ids[2]], 1), ({"search": ids[0][4:]}, [ids[0]], 1),
            ({"search": "%"}, [], 0), ({"updated_since": claimed.updated + timedelta(hours=1)}, [], 0),
        ]  # fmt: skip
        for which, wanted, total in pages:
            jobs, count = store.page(JobFilter(**which))
            assert ([job.id for job in jobs], count) == (wanted, total), which

    def test_prune_deletes_jobs_that_ended_long_ago(self, store: JobStore) -> None:
        """A limit at a time; what has not ended stays."""
        ended = [_running(store), _running(store)]
        store.finish([Outcome(ended[0], "finished"), Outcome(ended[1], "error", error="x")])
        running = _running(store)
        self.elapse(store, LONGER)
        [recent] = _enqueue(store, _job())
        store.cancel([recent.id])
        assert [store.prune(LEASE, limit=1), store.prune(LEASE), store.prune(LEASE)] == [1, 1, 0]
        assert [store.get(job.id) for job in ended] == [None, None]
        assert (_row(store, running).status, _row(store, recent).status) == ("running", "error")

    def test_due_jobs_that_nobody_handles_are_named(self, store: JobStore) -> None:
        """Once each, in order."""
        _enqueue(store, _job("Delete"), _job("Create"), _job("Create"), _job("Resize", after=600))
        assert store.unhandled({"Delete"}) == ["Create"]
        assert store.unhandled(()) == ["Create", "Delete"]
        _take(store)
        assert store.unhandled(()) == []

    def test_a_search_finds_the_jobs_of_a_status_page_by_page(self, store: JobStore) -> None:
        """The latest ``run_at`` first; each job once."""
        jobs = _enqueue(store, *(_job(after=n) for n in range(5)))
        _enqueue(store, _job("Delete", after=-60))
        _take_only(store, "Delete")
        first = store.find(JobSearch(status="pending"), 3)
        rest = store.find(JobSearch(status="pending", after=first.after), 3)
        assert [job.id for job in (*first.jobs, *rest.jobs)] == [job.id for job in reversed(jobs)]
        assert (len(first.jobs), rest.after) == (3, None)
        assert [store.count(JobSearch(status="pending")), store.count(JobSearch(status="pending"), 4)] == [5, 4]

    def test_a_search_has_filters(self, store: JobStore) -> None:
        """Each one alone, and it is counted like it is found."""
        ids = {"resource_ids": ["vol-8NkZQZ6u"]}
        wanted = _running(store, params=ids, project_id="prj-1")
        other = _running(store, params={"resource_ids": ["vol-1"]})
        errors = "Disk vol-8NkZQZ6u is full", "no route to 10.0.0.1"
        store.finish([Outcome(job, "error", error=text) for job, text in zip((wanted, other), errors, strict=True)])
        cause, at = cause_of("Create", "Disk vol-1aB2cD3e is full"), _row(store, wanted).updated
        for filters, found in (
            ({"project_id": "prj-1"}, 1), ({"project_id": "prj-2"}, 0), ({"resource_id": "vol-8NkZQZ6u"}, 1),
            ({"error": "disk"}, 1), ({"error": "%"}, 0), ({"cause": cause}, 1), ({"actions": ["Create"]}, 2),
            ({"actions": ["Delete"]}, 0), ({"since": at}, 2), ({"until": at}, 2), ({"since": at + MINUTE}, 0),
            ({"until": at - MINUTE}, 0), ({"error": "\0"}, 0),
        ):  # fmt: skip
            search = JobSearch(status="error", **filters)
            assert (len(store.find(search, 9).jobs), store.count(search)) == (found, found), filters

    def test_a_search_with_a_filter_looks_only_so_far(self, store: JobStore) -> None:
        """And says where the next one goes on."""
        jobs = _enqueue(store, *(_job("Delete" if n < 2 else "Create", after=n) for n in range(6)))
        search = JobSearch(status="pending", actions=["Delete"])
        found = store.find(search, 9, look=4)
        assert (found.jobs, store.count(search, look=4)) == ([], 0)
        further = store.find(replace(search, after=found.after), 9, look=4)
        assert ([job.id for job in further.jobs], further.after) == ([jobs[1].id, jobs[0].id], None)

    def test_the_newest_failures_are_read(self, store: JobStore) -> None:
        """With the beginning of their errors."""
        job = _running(store, project_id="prj-1")
        store.finish([Outcome(job, "error", error="x" * 2_000)])
        [failed] = store.failures()
        assert (failed.id, failed.action, failed.project_id) == (job.id, "Create", "prj-1")
        assert (failed.error, failed.updated) == ("x" * MAX_LINE, _row(store, job).updated)
        assert len(store.failures(0)) == 0

    def test_jobs_are_counted_by_action_and_status(self, store: JobStore) -> None:
        """And the longest that one has been due is told."""
        assert store.stats() == {"jobs": [], "oldest_pending_seconds": None}
        _enqueue(store, _job(), _job(), _job("Delete"), _job("Resize", after=600))
        store.claim(1, {"Delete"})
        self.elapse(store, LONGER)
        stats = store.stats()
        assert [(row["action"], row["status"], row["count"]) for row in stats["jobs"]] == [
            ("Create", "pending", 2), ("Delete", "running", 1), ("Resize", "pending", 1),
        ]  # fmt: skip
        oldest = stats["oldest_pending_seconds"]
        for seconds in (oldest, store.oldest_due()):
            assert seconds is not None and LONGER - 1 <= seconds <= LONGER + 60


def _job(action: str = "Create", *, after: float = 0, **fields: Any) -> Job:  # noqa: ANN401
    """Return the record of a new job, due in ``after`` seconds."""
    job = Job(**{"id": new_id("job-"), "action": action, **fields})
    return replace(job, run_at=job.created + timedelta(seconds=after), updated=job.created)


def _enqueue(store: JobStore, *jobs: Job) -> list[Job]:
    store.enqueue(jobs)
    return list(jobs)


def _take_back(store: JobStore) -> list[Job]:
    """Take back what looks dead, unwatched."""
    return store.reclaim(store.stale(LEASE), LEASE)


def _take(store: JobStore) -> list[Job]:
    return store.claim(100, ACTIONS)


def _take_only(store: JobStore, action: str) -> list[Job]:
    return store.claim(100, {action})


def _running(store: JobStore, **fields: Any) -> Job:  # noqa: ANN401
    """Enqueue one job and claim it."""
    [job] = _enqueue(store, _job(**fields))
    [claimed] = _take(store)
    assert claimed.id == job.id
    return claimed


def _row(store: JobStore, job: Job) -> Job:
    found = store.get(job.id)
    assert found is not None, f"job {job.id} is gone"
    return found


def _is_redacted(row: Job) -> bool:
    return row.params.keys() == SECRET.keys() and row.params["name"] == "a" and "hunter2" not in str(row.params)
