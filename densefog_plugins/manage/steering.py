"""What operators do to jobs, by ids or by a filter: retry, cancel, run now. Each can be counted before it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from densefog_core.current import current_app
from densefog_core.errors.iaas_error import (
    ActionsPartialSuccessError,
    BaseResourceException,
    ResourceActionForbidden,
    ResourceNotFound,
)
from densefog_core.jobs import Job, JobEvent, JobSearch, utcnow
from densefog_core.jobs.records import Status
from densefog_core.jobs.searches import CAP, LOOK
from densefog_core.redact import is_masked
from densefog_plugins.manage.filters import Filter, Ids, Reason, naive, refusal, search

#: Jobs that one call changes at most, and jobs of one transaction.
MOST, BATCH = 1_000, 100
#: Ids that a reply has at most.
SHOWN = 100


class Steer(Struct, kw_only=True):
    """Which jobs: by ids, or by a filter. ``asOf`` leaves those alone that were written later."""

    job_ids: Ids | None = None
    filter: Filter | None = None
    reason: Reason | None = None
    dry_run: Annotated[bool, Meta(description="Count, and change nothing.")] = False
    as_of: datetime | None = None


class _Refused(BaseResourceException):
    """A job is left alone; the message says why."""

    ret_code = ResourceActionForbidden.ret_code

    def __init__(self, job_id: str, why: str) -> None:
        super().__init__(job_id)
        self.args = (f"Job ({job_id}) is left alone: {why}.",)

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class _Verb:
    """What is done to jobs.

    Attributes:
        statuses: in which statuses a job can be; the first one is what a filter without a status means.
        why_not: what is said of a job in another status.
        do: does it to jobs of these ids and returns the ids that it was done to.
        keeps_secrets: whether it makes no difference that a job's params had secrets.
        needs_reason: whether the reason is required for ids, too.
    """

    statuses: tuple[Status, ...]
    why_not: str
    do: Callable[[Sequence[str]], list[str]]
    keeps_secrets: bool = True
    needs_reason: bool = False

    def refuse(self, job: Job, as_of: datetime | None) -> str | None:
        """Return why a job is left alone, or None."""
        if job.status not in self.statuses:
            return self.why_not
        if not self.keeps_secrets and is_masked(job.params):
            return "its params had secrets, which are not stored any more"
        if as_of is not None and job.updated > as_of:
            return "it was written after asOf"
        return None


class _Result:
    """What was done, or would be."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.left: dict[str, BaseResourceException] = {}
        self.more = False
        self.total: int | None = None

    def data(self, as_of: datetime) -> dict[str, Any]:
        total = len(self.done) if self.total is None else self.total
        shown = {"jobIds": self.done[:SHOWN], "total": min(total, LOOK), "capped": total >= CAP}
        return {**shown, "asOf": as_of, "more": self.more}


class _SomeLeftAlone(ActionsPartialSuccessError):
    """Some jobs were left alone; has what was done to the others."""

    def __init__(self, result: _Result, data: dict[str, Any]) -> None:
        failures = [{"exception": error, "jobId": job_id} for job_id, error in list(result.left.items())[:SHOWN]]
        super().__init__(failures, results=data["jobIds"])
        self.data = {name: value for name, value in data.items() if name != "jobIds"}


def _steer(verb: _Verb, params: Steer) -> dict[str, Any]:
    _check(verb, params)
    now, as_of = utcnow(), naive(params.as_of)
    result = _Result()
    if params.filter is None:
        _by_ids(verb, params, as_of, result)
    else:
        _by_filter(verb, params, search(params.filter, verb.statuses[0], as_of or now), result)
    data = result.data(as_of or now)
    if params.dry_run:
        failures = [_left(job_id, error) for job_id, error in list(result.left.items())[:SHOWN]]
        return {**data, "leftAlone": len(result.left), "failures": failures}
    if result.left:
        raise _SomeLeftAlone(result, data)
    return data


def _left(job_id: str, error: BaseResourceException) -> dict[str, Any]:
    return {"resourceId": job_id, "retCode": error.ret_code, "message": str(error)}


def _check(verb: _Verb, params: Steer) -> None:
    if (params.job_ids is None) is (params.filter is None):
        raise refusal("/jobIds", "or filter is needed, and not both")
    if params.filter is not None and params.filter.status not in (None, *verb.statuses):
        raise refusal("/filter/status", f"must be {' or '.join(verb.statuses)}: {verb.why_not}")
    if params.reason is None and not params.dry_run and (verb.needs_reason or params.filter is not None):
        raise refusal("/reason", "is required: say why, it is kept in the operation")


def _by_ids(verb: _Verb, params: Steer, as_of: datetime | None, result: _Result) -> None:
    store = current_app().store
    wanted = []
    for job_id in dict.fromkeys(params.job_ids or ()):
        job = store.get(job_id)
        if job is None:
            result.left[job_id] = ResourceNotFound(job_id)
        elif why := verb.refuse(job, as_of):
            result.left[job_id] = _Refused(job_id, why)
        else:
            wanted.append(job_id)
    result.done = wanted if params.dry_run else list(_do(verb, wanted, result))


def _by_filter(verb: _Verb, params: Steer, which: JobSearch, result: _Result) -> None:
    store = current_app().store
    found = store.find(which, MOST)
    wanted = []
    for job in found.jobs:
        if why := verb.refuse(job, None):
            result.left[job.id] = _Refused(job.id, why)
        else:
            wanted.append(job.id)
    result.more = found.after is not None
    if params.dry_run:
        result.done = wanted
        if result.more:
            result.total = max(len(wanted), store.count(which) - len(result.left))
    else:
        result.done = list(_do(verb, wanted, result))


def _do(verb: _Verb, job_ids: Sequence[str], result: _Result) -> Iterator[str]:
    """Do it to some jobs at a time, each batch in a transaction of its own; those that changed meanwhile are left."""
    for start in range(0, len(job_ids), BATCH):
        batch = job_ids[start : start + BATCH]
        done = set(verb.do(batch))
        for job_id in batch:
            if job_id in done:
                yield job_id
            else:
                result.left[job_id] = _Refused(job_id, "it has changed meanwhile")


def _cancel(job_ids: Sequence[str]) -> list[str]:
    app = current_app()
    ended = app.store.cancel(job_ids)
    for job in ended:
        app.emit(JobEvent("cancelled", job, error=job.error))
    return [job.id for job in ended]


_RETRY = _Verb(
    ("error", "finished"), "it has not ended", lambda ids: current_app().store.retry(ids), keeps_secrets=False
)
_CANCEL = _Verb(("pending", "running"), "it has ended", _cancel, needs_reason=True)
_RUN_NOW = _Verb(("pending",), "it is not pending", lambda ids: current_app().store.run_now(ids))


def retry_jobs(params: Steer) -> dict[str, Any]:
    """Put ended jobs back to pending, due now, with one more try; 1,000 at most in a call."""
    return _steer(_RETRY, params)


def cancel_jobs(params: Steer) -> dict[str, Any]:
    """End pending and running jobs; a running one is interrupted at its worker's next heartbeat."""
    return _steer(_CANCEL, params)


def run_jobs_now(params: Steer) -> dict[str, Any]:
    """Make pending jobs due now; 1,000 at most in a call."""
    return _steer(_RUN_NOW, params)


ACTIONS: dict[str, Callable[..., Any]] = {
    "RetryJobs": retry_jobs,
    "CancelJobs": cancel_jobs,
    "RunJobsNow": run_jobs_now,
}
