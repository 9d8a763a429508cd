"""A store that two workers use in any order of steps agrees with a model of it (hypothesis)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from densefog_core.jobs import Job, JobFilter, Outcome
from tests.plugins.models.stores import ACTIONS, Harness, make_job, memory, sql, sql_app

#: Seconds without a beat after which a job is taken back; each step of time is longer.
LEASE = 30
STEP = 60
OUTCOMES = ("finished", "retry", "error", "released", "dropped")


@dataclass
class Model:
    """What a job must look like.

    Attributes:
        beats_at: the model's time of the last write for it.
    """

    status: str = "pending"
    trys: int = 0
    try_max: int = 3
    beats_at: int = 0
    due_at: int = 0


class Machine(RuleBasedStateMachine):
    """Steps of two workers and an operator. Its bundle holds claims, also those that have lost their lease."""

    claims = Bundle("claims")
    new_harness: Any = staticmethod(memory)

    @initialize()
    def begin(self) -> None:
        """Start with an empty store; both workers use the same database over connections of their own."""
        self.at: Harness = self.new_harness()
        self.now = 0
        self.jobs: dict[str, Model] = {}
        self.numbers = itertools.count()

    def holds(self, job: Job) -> bool:
        """Whether the claim's try is the one that may write."""
        model = self.jobs.get(job.id)
        return model is not None and model.status == "running" and model.trys == job.trys

    def end(self, job_id: str, status: str) -> None:
        self.jobs[job_id].status, self.jobs[job_id].beats_at = status, self.now

    @rule(try_max=st.integers(1, 3), later=st.booleans())
    def enqueue(self, try_max: int, later: bool) -> None:
        run_at = timedelta(seconds=STEP - 1) if later else None
        # Hypothesis runs the same steps again: they must meet the same ids, whatever the clock says meanwhile.
        new = replace(make_job(try_max=try_max, run_at=run_at), id=f"job-{next(self.numbers):010}")
        (job_id,) = self.at.store.enqueue([new])
        due = self.now + (STEP if later else 0)
        self.jobs[job_id] = Model(try_max=try_max, beats_at=self.now, due_at=due)

    @rule(target=claims)
    def claim(self) -> Any:
        # All that is due: which of those that became due in one second is the oldest is not for the model to say.
        taken = sorted(self.at.store.claim(1000, ACTIONS), key=lambda job: job.id)
        due = [job_id for job_id, job in self.jobs.items() if job.status == "pending" and job.due_at <= self.now]
        assert len(taken) == len(due)
        for job in taken:
            assert job.id in due
            model = self.jobs[job.id]
            model.status, model.trys, model.beats_at = "running", model.trys + 1, self.now
            assert (job.status, job.trys, job.try_max) == ("running", model.trys, model.try_max)
        return multiple(*taken)

    @rule(jobs=st.lists(claims, max_size=3))
    def beat(self, jobs: list[Job]) -> None:
        leases = list(dict.fromkeys(job.lease for job in jobs))
        lost = self.at.store.beat(leases)
        held = {job.lease for job in jobs if self.holds(job)}
        assert sorted(lost) == sorted(set(leases) - held)
        for lease in held:
            self.jobs[lease.job_id].beats_at = self.now

    @rule(job=claims, value=st.integers())
    def progress(self, job: Job, value: int) -> None:
        assert self.at.store.progress(job.lease, value) is self.holds(job)
        if self.holds(job):
            self.jobs[job.id].beats_at = self.now
            assert self.at.row(job.id).result == value

    @rule(
        jobs=st.lists(claims, max_size=3, unique_by=lambda job: job.lease),
        statuses=st.lists(st.sampled_from(OUTCOMES), min_size=3, max_size=3),
    )
    def finish(self, jobs: list[Job], statuses: list[Any]) -> None:
        outcomes = [Outcome(job, status, delay=STEP - 1) for job, status in zip(jobs, statuses, strict=False)]
        expected = [self.holds(one.job) and one.status != "dropped" for one in outcomes]
        assert self.at.store.finish(outcomes) == expected
        for one, written in zip(outcomes, expected, strict=True):
            if not written:
                continue
            model = self.jobs[one.job.id]
            if one.status in ("finished", "error"):
                self.end(one.job.id, one.status)
            else:
                self.end(one.job.id, "pending")
                model.due_at = self.now + (STEP if one.status == "retry" else 0)
                model.try_max += one.status == "released"

    @rule(job=consumes(claims))
    def forget(self, job: Job) -> None:
        """A worker dies."""

    @rule()
    def time_passes(self) -> None:
        self.now += STEP
        self.at.elapse(STEP)

    @rule()
    def reclaim(self) -> None:
        stale = {
            job_id for job_id, job in self.jobs.items() if job.status == "running" and job.beats_at < self.now - LEASE
        }
        taken = self.at.store.reclaim(LEASE)
        assert {job.id for job in taken} == stale
        for job in taken:
            model = self.jobs[job.id]
            self.end(job.id, "pending" if model.trys < model.try_max else "error")
            model.due_at = self.now
            assert job.status == model.status

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job_ids = self.some(data)
        live = {job_id for job_id in job_ids if self.jobs[job_id].status in ("pending", "running")}
        assert {job.id for job in self.at.store.cancel(job_ids)} == live
        for job_id in live:
            self.end(job_id, "error")

    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        job_ids = self.some(data)
        ended = {job_id for job_id in job_ids if self.jobs[job_id].status in ("finished", "error")}
        assert set(self.at.store.retry(job_ids)) == ended
        for job_id in ended:
            self.end(job_id, "pending")
            model = self.jobs[job_id]
            model.due_at, model.try_max = self.now, max(model.try_max, model.trys + 1)

    def some(self, data: st.DataObject) -> list[str]:
        return data.draw(st.lists(st.sampled_from(sorted(self.jobs)), max_size=3, unique=True)) if self.jobs else []

    @rule()
    def prune(self) -> None:
        old = [
            job_id for job_id, job in self.jobs.items()
            if job.status in ("finished", "error") and max(job.beats_at, job.due_at) < self.now - LEASE
        ]
        assert self.at.store.prune(LEASE) == len(old)
        for job_id in old:
            del self.jobs[job_id]

    @invariant()
    def the_rows_are_as_the_model_has_them(self) -> None:
        if not hasattr(self, "at"):
            return
        rows, total = self.at.store.page(JobFilter(limit=100))
        assert total == len(self.jobs)
        expected = {job_id: (job.status, job.trys, job.try_max) for job_id, job in self.jobs.items()}
        assert {row.id: (row.status, row.trys, row.try_max) for row in rows} == expected


def run(harness: Any, examples: int) -> None:
    """Try so many sequences of steps."""
    class Here(Machine):
        new_harness = staticmethod(harness)

    run_state_machine_as_test(
        Here,
        settings=settings(max_examples=examples, stateful_step_count=25, deadline=None, database=None,
                          suppress_health_check=list(HealthCheck)),
    )


def test_the_store_in_memory_agrees_with_the_model() -> None:
    run(memory, 60)


def test_sqlite_agrees_with_the_model(tmp_path: Path) -> None:
    with sql_app(f"sqlite:///{tmp_path}/jobs.db") as app:
        run(lambda: sql(app), 25)


def test_mariadb_agrees_with_the_model(mariadb_url: str) -> None:
    with sql_app(mariadb_url) as app:
        run(lambda: sql(app), 25)
