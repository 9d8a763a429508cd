"""A job store in memory and the clock that it goes by."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from densefog_core.functions import guarded
from densefog_core.jobs import (
    LAPSED,
    FailedJob,
    Job,
    JobFilter,
    JobSearch,
    JobsFound,
    Lease,
    Outcome,
    Sighting,
    utcnow,
)
from densefog_core.jobs.causes import MAX_LINE
from densefog_core.jobs.ends import CANCELLED, failed, is_lost_try, lost
from densefog_core.jobs.sealed import cleaned
from densefog_core.jobs.searches import CAP, LOOK
from densefog_core.redact import is_masked
from densefog_core.testing.flow import MemoryPauses, MemorySteps

ENDED = ("finished", "error")
#: The status of the row that an outcome leaves.
ROWS = {"finished": "finished", "error": "error", "retry": "pending", "released": "pending"}


def _place(job: Job) -> tuple[datetime, str]:
    return job.run_at, job.id


class FrozenClock:
    """A clock that moves when it is told to.

    Attributes:
        now: naive UTC, whole seconds.
    """

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or utcnow()

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move the time on."""
        self.now += timedelta(seconds=seconds)


class MemoryStore:
    """A `JobStore` in memory, which keeps every promise of the SQL one within one process.

    Args:
        clock: gives the time; a `FrozenClock` makes tests of delays and leases quick.
    """

    def __init__(self, clock: Callable[[], datetime] = utcnow) -> None:
        self.jobs: dict[str, Job] = {}
        self.on_enqueued: Callable[[], None] = lambda: None
        self.last_failures: Mapping[str, Callable[[Job], object]] = {}
        self._clock = clock
        self._names: dict[str, str] = {}
        self._lock = threading.RLock()
        self.steps = MemorySteps(self._holds, clock)
        self.pauses = MemoryPauses(clock)

    def init(self) -> list[str]:
        """There is nothing to create."""
        return []

    def check(self) -> list[str]:
        """There is nothing to check."""
        return []

    def enqueue(self, jobs: Sequence[Job], session: object = None) -> list[str]:
        """Keep jobs; see `densefog_core.jobs.JobStore.enqueue`."""
        now = self._clock()
        with self._lock:
            for one in jobs:
                # As far from now as it was from the job's making: the clock may be set to another time.
                run_at = now + max(one.run_at - one.created, timedelta())
                copy = json.loads(json.dumps(one.params))
                self.jobs.setdefault(one.id, replace(one, params=copy, run_at=run_at, created=now, updated=now))
        if any(one.run_at <= one.created for one in jobs):
            self.on_enqueued()
        return [one.id for one in jobs]

    def claim(self, limit: int, actions: Collection[str], name: str = "") -> list[Job]:
        """Take due jobs; see `densefog_core.jobs.JobStore.claim`."""
        with self._lock:
            due = [job for job in self._in("pending") if job.run_at <= self._clock() and job.action in actions]
            pauses = self.pauses.current()
            due = [job for job in due if pauses.of(job.action, job.project_id) is None]
            due.sort(key=lambda job: (job.run_at, job.id))
            taken = [self._put(job, status="running", trys=job.trys + 1) for job in due[:limit]]
            self._names |= {job.id: name for job in taken}
            return taken

    def give_back(self, names: Collection[str]) -> list[Lease]:
        """Put back what claims took; see `densefog_core.jobs.JobStore.give_back`."""
        with self._lock:
            unknown = [job for job in self._in("running") if self._names.get(job.id) in names]
            return [self._put(job, status="pending", try_max=job.try_max + 1).lease for job in unknown]

    def beat(self, leases: Sequence[Lease], *, native: bool = False) -> list[Lease]:
        """Renew leases; see `densefog_core.jobs.JobStore.beat`."""
        with self._lock:
            held = [lease for lease in leases if self._holds(lease)]
            for lease in held:
                self._put(self.jobs[lease.job_id])
            return [lease for lease in leases if lease not in held]

    def finish(self, outcomes: Sequence[Outcome], *, native: bool = False) -> list[bool]:
        """Write outcomes; see `densefog_core.jobs.JobStore.finish`."""
        with self._lock:
            return [self._finish(outcome, native=native) for outcome in outcomes]

    def _finish(self, outcome: Outcome, *, native: bool) -> bool:
        if outcome.status == "dropped":
            return False
        if not self._holds(outcome.job.lease):
            return outcome.unsure and self._says(outcome)
        job = self.jobs[outcome.job.id]
        if outcome.status == "finished":
            self._put(job, status="finished", error="", result=outcome.result, params=cleaned(job.params))
        elif outcome.status == "error" and native:
            self._put(job, error=lost(job.which_try, outcome.error), updated=LAPSED)
        elif outcome.status == "error":
            self._end(job, failed(outcome.error))
        elif outcome.status == "retry":
            later = self._clock() + timedelta(seconds=round(outcome.delay))
            self._put(job, status="pending", error=failed(outcome.error), run_at=later)
        else:
            self._put(job, status="pending", error=failed(outcome.error), run_at=self._clock(), try_max=job.try_max + 1)
        return True

    def _says(self, outcome: Outcome) -> bool:
        """Whether a row says already what an outcome would write."""
        job = self.jobs.get(outcome.job.id)
        status, error = ROWS[outcome.status], "" if outcome.status == "finished" else failed(outcome.error)
        return job is not None and (job.trys, job.status, job.error) == (outcome.job.trys, status, error)

    def progress(self, lease: Lease, value: Any) -> bool:  # noqa: ANN401
        """Write progress; see `densefog_core.jobs.JobStore.progress`."""
        with self._lock:
            if self._holds(lease):
                self._put(self.jobs[lease.job_id], result=value)
                return True
            return False

    def stale(self, lease_seconds: float, limit: int = 10_000) -> list[Sighting]:
        """Find jobs of dead workers; see `densefog_core.jobs.JobStore.stale`."""
        with self._lock:
            now = self._clock()
            old, ahead = now - timedelta(seconds=ceil(lease_seconds / 2)), now + timedelta(seconds=round(lease_seconds))
            jobs = [job for job in self._in("running") if not old <= job.updated <= ahead]
            jobs.sort(key=lambda job: (job.run_at, job.id))
            return [Sighting(job.lease, job.updated) for job in jobs[:limit]]

    def reclaim(self, seen: Sequence[Sighting], lease_seconds: float) -> list[Job]:
        """Take back jobs of dead workers; see `densefog_core.jobs.JobStore.reclaim`."""
        with self._lock:
            return [taken for one in seen if (taken := self._taken_back(one)) is not None]

    def _taken_back(self, seen: Sighting) -> Job | None:
        job = self.jobs.get(seen.lease.job_id)
        if job is None or job.trys != seen.lease.trys:
            return None
        if job.status == "running" and seen.updated in (None, job.updated):
            return self._reclaim(job)
        return job if seen.unsure and job.end == "lost" else None

    def _reclaim(self, job: Job) -> Job:
        if job.trys < job.try_max:
            return self._put(job, status="pending", run_at=self._clock())
        return self._end(job, job.error if is_lost_try(job.error, job.which_try) else lost(job.which_try))

    def unhandled(self, actions: Collection[str]) -> list[str]:
        """Return the actions of due jobs that nobody here handles."""
        due = [job.action for job in self._in("pending") if job.run_at <= self._clock()]
        return sorted(set(due) - set(actions))

    def get(self, job_id: str) -> Job | None:
        """Return one job, or None."""
        return self.jobs.get(job_id)

    def page(self, which: JobFilter) -> tuple[Sequence[Job], int]:
        """Return one page of jobs and how many there are."""
        found = sorted(filter(which.matches, list(self.jobs.values())), key=lambda job: (job.created, job.id))
        if which.reverse:
            found.reverse()
        return found[which.offset : which.offset + which.limit], len(found)

    def find(self, which: JobSearch, limit: int, look: int = LOOK) -> JobsFound:
        """Look through the jobs of a status; see `densefog_core.jobs.JobStore.find`."""
        ahead = self._ahead(which)
        found = [job for job in (ahead if which.is_plain else ahead[:look]) if which.matches(job)][:limit]
        if len(found) == limit:
            return JobsFound(found, _place(found[-1]))
        return JobsFound(found, _place(ahead[look - 1]) if len(ahead) >= look else None)

    def count(self, which: JobSearch, cap: int = CAP, look: int = LOOK) -> int:
        """Count the jobs of a search; see `densefog_core.jobs.JobStore.count`."""
        ahead = self._ahead(which)
        return min(cap, sum(map(which.matches, ahead if which.is_plain else ahead[:look])))

    def failures(self, look: int = LOOK) -> Sequence[FailedJob]:
        """Return the newest failed jobs; see `densefog_core.jobs.JobStore.failures`."""
        newest = self._ahead(JobSearch(status="error"))[:look]
        return [FailedJob(job.id, job.action, job.project_id, job.error[:MAX_LINE], job.updated) for job in newest]

    def _ahead(self, which: JobSearch) -> list[Job]:
        there = sorted(self._in(which.status), key=_place, reverse=True)
        return [job for job in there if which.after is None or _place(job) < which.after]

    def retry(self, job_ids: Sequence[str], from_step: str | None = None) -> list[str]:
        """Put ended jobs back to pending; see `densefog_core.jobs.JobStore.retry`."""
        changed = [
            self._put(job, status="pending", error="", run_at=self._clock(), try_max=max(job.try_max, job.trys + 1))
            for job in self._named(job_ids, *ENDED)
            if not is_masked(job.params)
        ]
        if from_step is not None:
            for job in changed:
                self.steps.forget(job.id, from_step)
        return self._woken(changed)

    def run_now(self, job_ids: Sequence[str]) -> list[str]:
        """Make pending jobs due now; return the ids it did that for."""
        return self._woken([self._put(job, run_at=self._clock()) for job in self._named(job_ids, "pending")])

    def cancel(self, job_ids: Sequence[str]) -> list[Job]:
        """End jobs as cancelled; see `densefog_core.jobs.JobStore.cancel`."""
        return [
            self._end(job, CANCELLED)
            for job in self._named(job_ids, "pending", "running")
        ]

    def stats(self) -> dict[str, Any]:
        """Count jobs by action and status; see `densefog_core.jobs.JobStore.stats`."""
        counts: dict[tuple[str, str], int] = {}
        for job in self.jobs.values():
            counts[job.action, job.status] = counts.get((job.action, job.status), 0) + 1
        rows = [{"action": action, "status": status, "count": n} for (action, status), n in sorted(counts.items())]
        return {"jobs": rows, "oldest_pending_seconds": self.oldest_due()}

    def oldest_due(self) -> float | None:
        """Return how long the oldest due job has waited; see `densefog_core.jobs.JobStore.oldest_due`."""
        waiting = [self._clock() - job.run_at for job in self._in("pending") if job.run_at <= self._clock()]
        return max(waiting).total_seconds() if waiting else None

    def prune(self, older_than: float, limit: int = 500) -> int:
        """Delete ended jobs; see `densefog_core.jobs.JobStore.prune`."""
        cut = self._clock() - timedelta(seconds=round(older_than))
        old = [job.id for job in self._in(*ENDED) if job.updated < cut and job.run_at < cut][:limit]
        for job_id in old:
            del self.jobs[job_id]
            self._names.pop(job_id, None)
            self.steps.forget(job_id)
        return len(old)

    def close(self) -> None:
        """There is nothing to give back."""

    def _end(self, job: Job, error: str) -> Job:
        ended = self._put(job, status="error", error=error, params=cleaned(job.params))
        if job.action in self.last_failures:
            told = replace(ended, params=job.params)
            guarded(f"on_last_failure of {job.action}", f"for {job.id}", self.last_failures[job.action], told)
        return ended

    def _in(self, *statuses: str) -> list[Job]:
        return [job for job in self.jobs.values() if job.status in statuses]

    def _named(self, job_ids: Iterable[str], *statuses: str) -> list[Job]:
        return [self.jobs[one] for one in job_ids if one in self.jobs and self.jobs[one].status in statuses]

    def _holds(self, lease: Lease) -> bool:
        job = self.jobs.get(lease.job_id)
        return job is not None and job.status == "running" and job.trys == lease.trys

    def _put(self, job: Job, **changes: Any) -> Job:  # noqa: ANN401
        self.jobs[job.id] = replace(job, **{"updated": self._clock(), **changes})
        return self.jobs[job.id]

    def _woken(self, changed: list[Job]) -> list[str]:
        if changed:
            self.on_enqueued()
        return [job.id for job in changed]
