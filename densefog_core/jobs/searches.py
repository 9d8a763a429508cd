"""Which jobs an operator looks for. Unlike a page of `JobFilter`, a search costs the same however long the table is.

.. versionadded:: 1.0
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from densefog_core.jobs.causes import cause_of
from densefog_core.jobs.records import Job, Status

#: Jobs of its status that one search looks at.
LOOK = 10_000
#: Jobs up to which a search counts; so many mean "10,000+".
CAP = LOOK + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSearch:
    """Which jobs of one status, those with the latest ``run_at`` first; None does not restrict.

    Attributes:
        status: the status.
        actions: their actions.
        project_id: their project.
        resource_id: one of their resources.
        cause: why they failed, see `densefog_core.jobs.causes`.
        error: part of their error, letters in either case.
        since: naive UTC; written then or later.
        until: naive UTC; written then or earlier.
        after: ``run_at`` and id of the job behind which the search goes on.
    """

    status: Status
    actions: Collection[str] | None = None
    project_id: str | None = None
    resource_id: str | None = None
    cause: str | None = None
    error: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: tuple[datetime, str] | None = None

    def matches(self, job: Job) -> bool:
        """Return whether a job is one of those, wherever the search begins."""
        return (
            job.status == self.status
            and (self.actions is None or job.action in self.actions)
            and (self.project_id is None or job.project_id == self.project_id)
            and (self.resource_id is None or self.resource_id in job.resource_ids)
            and (self.error is None or self.error.lower() in job.error.lower())
            and (self.since is None or job.updated >= self.since)
            and (self.until is None or job.updated <= self.until)
            and self.has_cause(job.action, job.error)
        )

    def has_cause(self, action: str, error: str) -> bool:
        """Return whether a job with this error failed by the cause that is looked for."""
        return self.cause is None or cause_of(action, error) == self.cause

    @property
    def is_plain(self) -> bool:
        """Whether nothing but the status counts, which an index answers."""
        return self == JobSearch(status=self.status, after=self.after)


@dataclass(frozen=True, slots=True)
class JobsFound:
    """What a search has found.

    Attributes:
        jobs: the jobs.
        after: where the next search goes on, or None when there is nothing behind. With fewer jobs than were asked
            for, the search has looked at as many as it may.
    """

    jobs: Sequence[Job]
    after: tuple[datetime, str] | None


class FailedJob(NamedTuple):
    """What is read of a failed job to tell why jobs fail.

    Attributes:
        id: the job.
        action: its action.
        project_id: its project.
        error: the beginning of its error.
        updated: when it failed; naive UTC.
    """

    id: str
    action: str
    project_id: str
    error: str
    updated: datetime
