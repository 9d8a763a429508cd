"""Two applications on one database, in any order of steps, agree with a model of it (hypothesis)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from densefog_core.jobs import Job, JobFilter, Outcome
from densefog_plugins.models.jobstore import reclaiming
from tests.plugins.models.stores import ACTIONS, Harness, make_job, memory, sql, sql_app, take_back

#: Seconds without a beat after which a job is taken back; each step of time is longer.
LEASE = 30
STEP = 60
OUTCOMES = ("finished", "retry", "error", "released", "dropped")
#: Which of the two takes a step.
ONE_OF_BOTH = st.sampled_from((0, 1))


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


class Claim(NamedTuple):
    """A try, and which of the two has it: what is written for it comes from there."""

    client: int
    job: Job


class Machine(RuleBasedStateMachine):
    """Steps of two clients, each a worker and an operator, of one database over connections of their own.

    Its bundle holds claims, also those that have lost their lease.
    """

    claims = Bundle("claims")
    new_clients: Callable[[], tuple[Harness, Harness]]

    @initialize(target=claims, running=st.tuples(*[st.integers(0, 3)] * 2), overtaken=st.booleans())
    def begin(self, running: tuple[int, int], overtaken: bool) -> Any:
        """Start with a few tries, which may have been overtaken: it takes many steps to come there by chance."""
        self.clients = self.new_clients()
        self.readers = itertools.cycle(self.clients)
        self.now = 0
        self.jobs: dict[str, Model] = {}
        self.numbers = itertools.count()
        begun: list[Claim] = []
        for client, count in enumerate(running):
            for _ in range(count):
                self.enqueue(client, try_max=3, later=False)
            begun += self.take(client)
        if overtaken:
            self.time_passes()
            self.reclaim(0)
            begun += self.take(1)
        return multiple(*begun)

    def holds(self, job: Job) -> bool:
        """Whether the claim's try is the one that may write."""
        model = self.jobs.get(job.id)
        return model is not None and model.status == "running" and model.trys == job.trys

    def end(self, job_id: str, status: str) -> None:
        self.jobs[job_id].status, self.jobs[job_id].beats_at = status, self.now

    @rule(client=ONE_OF_BOTH, try_max=st.integers(1, 3), later=st.booleans())
    def enqueue(self, client: int, try_max: int, later: bool) -> None:
        run_at = timedelta(seconds=STEP - 1) if later else None
        # Hypothesis runs the same steps again: they must meet the same ids, whatever the clock says meanwhile.
        new = replace(make_job(try_max=try_max, run_at=run_at), id=f"job-{next(self.numbers):010}")
        (job_id,) = self.clients[client].store.enqueue([new])
        due = self.now + (STEP if later else 0)
        self.jobs[job_id] = Model(try_max=try_max, beats_at=self.now, due_at=due)

    @rule(target=claims, client=ONE_OF_BOTH)
    def claim(self, client: int) -> Any:
        return multiple(*self.take(client))

    def take(self, client: int) -> list[Claim]:
        # All that is due: which of those that became due in one second is the oldest is not for the model to say.
        taken = sorted(self.clients[client].store.claim(1000, ACTIONS), key=lambda job: job.id)
        due = [job_id for job_id, job in self.jobs.items() if job.status == "pending" and job.due_at <= self.now]
        assert len(taken) == len(due)
        for job in taken:
            assert job.id in due
            model = self.jobs[job.id]
            model.status, model.trys, model.beats_at = "running", model.trys + 1, self.now
            assert (job.status, job.trys, job.try_max) == ("running", model.trys, model.try_max)
        return [Claim(client, job) for job in taken]

    def of_each(self, claims: list[Claim]) -> Iterator[tuple[Harness, list[Job]]]:
        """Each client that has some of the claims, with its jobs."""
        for number, client in enumerate(self.clients):
            if jobs := [claim.job for claim in claims if claim.client == number]:
                yield client, jobs

    @rule(claims=st.lists(claims, min_size=1, max_size=3))
    def beat(self, claims: list[Claim]) -> None:
        for client, jobs in self.of_each(claims):
            leases = list(dict.fromkeys(job.lease for job in jobs))
            held = {job.lease for job in jobs if self.holds(job)}
            assert sorted(client.store.beat(leases)) == sorted(set(leases) - held)
            for lease in held:
                self.jobs[lease.job_id].beats_at = self.now

    @rule(claim=claims, value=st.integers())
    def progress(self, claim: Claim, value: int) -> None:
        job = claim.job
        assert self.clients[claim.client].store.progress(job.lease, value) is self.holds(job)
        if self.holds(job):
            self.jobs[job.id].beats_at = self.now
            assert next(self.readers).row(job.id).result == value

    @rule(
        claims=st.lists(claims, min_size=1, max_size=3, unique_by=lambda claim: claim.job.lease),
        statuses=st.lists(st.sampled_from(OUTCOMES), min_size=3, max_size=3),
    )
    def finish(self, claims: list[Claim], statuses: list[Any]) -> None:
        for client, jobs in self.of_each(claims):
            self.finish_at(client, [Outcome(*pair, delay=STEP - 1) for pair in zip(jobs, statuses, strict=False)])

    def finish_at(self, client: Harness, outcomes: list[Outcome]) -> None:
        expected = [self.holds(one.job) and one.status != "dropped" for one in outcomes]
        assert client.store.finish(outcomes) == expected
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

    @rule(claim=consumes(claims))
    def forget(self, claim: Claim) -> None:
        """A worker dies."""

    @precondition(lambda self: self.jobs)
    @rule()
    def time_passes(self) -> None:
        self.now += STEP
        self.clients[0].elapse(STEP)

    @precondition(lambda self: self.jobs)
    @rule(client=ONE_OF_BOTH)
    def reclaim(self, client: int) -> None:
        stale = {
            job_id for job_id, job in self.jobs.items() if job.status == "running" and job.beats_at < self.now - LEASE
        }
        taken = take_back(self.clients[client].store, LEASE)
        assert {job.id for job in taken} == stale
        for job in taken:
            model = self.jobs[job.id]
            self.end(job.id, "pending" if model.trys < model.try_max else "error")
            model.due_at = self.now
            assert job.status == model.status

    @precondition(lambda self: self.jobs)
    @rule(client=ONE_OF_BOTH, data=st.data())
    def cancel(self, client: int, data: st.DataObject) -> None:
        job_ids = self.some(data)
        live = {job_id for job_id in job_ids if self.jobs[job_id].status in ("pending", "running")}
        assert {job.id for job in self.clients[client].store.cancel(job_ids)} == live
        for job_id in live:
            self.end(job_id, "error")

    @precondition(lambda self: self.jobs)
    @rule(client=ONE_OF_BOTH, data=st.data())
    def retry(self, client: int, data: st.DataObject) -> None:
        job_ids = self.some(data)
        ended = {job_id for job_id in job_ids if self.jobs[job_id].status in ("finished", "error")}
        assert set(self.clients[client].store.retry(job_ids)) == ended
        for job_id in ended:
            self.end(job_id, "pending")
            model = self.jobs[job_id]
            model.due_at, model.try_max = self.now, max(model.try_max, model.trys + 1)

    def some(self, data: st.DataObject) -> list[str]:
        return data.draw(st.lists(st.sampled_from(sorted(self.jobs)), max_size=3, unique=True))

    @precondition(lambda self: self.jobs)
    @rule(client=ONE_OF_BOTH)
    def prune(self, client: int) -> None:
        old = [
            job_id for job_id, job in self.jobs.items()
            if job.status in ("finished", "error") and max(job.beats_at, job.due_at) < self.now - LEASE
        ]
        assert self.clients[client].store.prune(LEASE) == len(old)
        for job_id in old:
            del self.jobs[job_id]

    @invariant()
    def the_rows_are_as_the_model_has_them(self) -> None:
        if not hasattr(self, "clients"):
            return
        rows, total = next(self.readers).store.page(JobFilter(limit=100))
        assert total == len(self.jobs)
        expected = {job_id: (job.status, job.trys, job.try_max) for job_id, job in self.jobs.items()}
        assert {row.id: (row.status, row.trys, row.try_max) for row in rows} == expected


def run(clients: Callable[[], tuple[Harness, Harness]], examples: int) -> None:
    """Try so many sequences of steps."""
    class Here(Machine):
        new_clients = staticmethod(clients)

    run_state_machine_as_test(
        Here,
        settings=settings(max_examples=examples, stateful_step_count=25, deadline=None, database=None,
                          suppress_health_check=list(HealthCheck)),
    )


def test_the_store_in_memory_agrees_with_the_model() -> None:
    """Both use one store: there is no other way to it."""
    run(lambda: (memory(),) * 2, 60)


def test_each_database_agrees_with_the_model(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a job is due that was lost twice is not for the model to say."""
    monkeypatch.setattr(reclaiming, "uniform", lambda least, most: least)
    with sql_app(database_url) as one, sql_app(database_url) as other:
        run(lambda: (sql(one), sql(other)), 25)
