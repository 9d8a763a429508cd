"""What operators read of jobs: one job, lists that stay cheap, counts, and why jobs fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from densefog_core.builtin import job_row
from densefog_core.current import current_app
from densefog_core.errors.iaas_error import JobNotFound
from densefog_core.jobs import FailedJob, Job, JobSearch
from densefog_core.jobs.causes import cause_of, cause_text
from densefog_core.jobs.records import Status
from densefog_core.jobs.sealed import shown
from densefog_core.jobs.searches import CAP, LOOK
from densefog_core.redact import is_masked, redact
from densefog_plugins.manage.filters import Filter, Ids, read_token, search, token

STATUSES: tuple[Status, ...] = ("error", "pending", "running", "finished")


class DescribeJob(Struct, kw_only=True):
    """Which job."""

    job_id: Annotated[str, Meta(max_length=64)]


def describe_job(params: DescribeJob) -> dict[str, Any]:
    """Show everything about one job: its row with its own error, and its params without secrets."""
    store = current_app().store
    job = store.get(params.job_id)
    if job is None:
        raise JobNotFound(params.job_id)
    steps = [{**step.row(), "value": shown(step.value)} for step in store.steps.read([job.id]).get(job.id, ())]
    more = {"params": redact(job.params), "hasSecrets": is_masked(job.params), "tryPeriod": job.try_period}
    return {**operator_row(job), **more, "steps": steps}


def operator_row(job: Job) -> dict[str, Any]:
    """Return a job as operators see it: with the text of its own error, and the cause."""
    failed = job.status == "error"
    return {**job_row(job, raw=True), "cause": cause_of(job.action, job.error) if failed else None}


class FindJobs(Filter, kw_only=True):
    """Which page of the jobs of a status, those due last first."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    next_token: Annotated[str, Meta(max_length=300)] | None = None


def find_jobs(params: FindJobs) -> dict[str, Any]:
    """List jobs of one status by filters; costs the same however many jobs there are.

    Without ``nextToken`` there is nothing behind this page. A page that is not full and has one has looked at as many
    jobs as a search may.
    """
    which = search(params, "error")
    after = read_token(params.next_token)
    found = current_app().store.find(JobSearch(**{**_members(which), "after": after}), params.limit)
    page = {"limit": params.limit, "jobSet": [operator_row(job) for job in found.jobs]}
    return {**page, "nextToken": token(found.after), "lookedAt": None if len(found.jobs) == params.limit else LOOK}


def _members(which: JobSearch) -> dict[str, Any]:
    return {name: getattr(which, name) for name in JobSearch.__dataclass_fields__}


class DescribeJobStats(Struct, kw_only=True):
    """Whose jobs to count."""

    actions: Ids | None = None
    project_id: Annotated[str, Meta(max_length=64)] | None = None


def describe_job_stats(params: DescribeJobStats) -> dict[str, Any]:
    """Count jobs by status, up to 10,000 of each, and say why due ones wait: nobody handles them, or a pause."""
    app = current_app()
    which = Filter(actions=params.actions, project_id=params.project_id)
    counts = {status: app.store.count(search(which, status)) for status in STATUSES}
    rows = [{"status": status, "count": min(n, LOOK), "capped": n >= CAP} for status, n in counts.items()]
    why = {"unhandled": app.store.unhandled(app.job_specs), "paused": [one.row() for one in app.store.pauses.read()]}
    return {"counts": rows, "oldestDue": app.store.oldest_due(), **why}


class DescribeFailures(Struct, kw_only=True):
    """Whose failures."""

    actions: Ids | None = None
    project_id: Annotated[str, Meta(max_length=64)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class _Cause:
    """The failures of one cause; the first one seen is the newest."""

    def __init__(self, newest: FailedJob) -> None:
        self.newest = newest
        self.first: datetime = newest.updated
        self.last: datetime = newest.updated


def describe_failures(params: DescribeFailures) -> dict[str, Any]:
    """Group the newest 10,000 failed jobs by cause, the most frequent first."""
    failures = current_app().store.failures()
    causes: dict[str, _Cause] = {}
    counts: Counter[str] = Counter()
    for failed in failures:
        if params.actions is not None and failed.action not in params.actions:
            continue
        if params.project_id not in (None, failed.project_id):
            continue
        key = cause_of(failed.action, failed.error)
        cause = causes.setdefault(key, _Cause(failed))
        cause.first, cause.last = min(cause.first, failed.updated), max(cause.last, failed.updated)
        counts[key] += 1
    rows = [_failure(key, causes[key], jobs) for key, jobs in counts.most_common(params.limit)]
    return {"failureSet": rows, "lookedAt": len(failures), "capped": len(failures) >= LOOK}


def _failure(key: str, cause: _Cause, jobs: int) -> dict[str, Any]:
    newest = cause.newest
    return {
        "cause": key,
        "text": cause_text(newest.error),
        "action": newest.action,
        "jobs": jobs,
        "first": cause.first,
        "last": cause.last,
        "jobId": newest.id,
    }


ACTIONS: dict[str, Callable[..., Any]] = {
    "DescribeJob": describe_job,
    "FindJobs": find_jobs,
    "DescribeJobStats": describe_job_stats,
    "DescribeFailures": describe_failures,
}
