"""What is known of a job, of a try, and of what became of both."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from densefog_core.errors.base import Interrupt
from densefog_core.ids import SYSTEM_PROJECT
from densefog_core.jobs.ends import End, end_of

Status = Literal["pending", "running", "finished", "error"]

#: Bytes that a TEXT column of MySQL holds; params and result must fit on every database.
MAX_TEXT = 65_535
#: Characters of the ``project_id`` column.
MAX_PROJECT = 32
#: What a job may be given at most: the columns have room for tries that are given back, and dates for the next one.
MAX_TRIES, MAX_SECONDS = 1_000_000, 10 * 365 * 86_400
#: What `Job.updated` is once the holder of a lease has given it up: it may be taken back at once.
LAPSED = datetime(1970, 1, 1)
#: Characters of a job id after ``job-`` that are made of an idempotency key; random ids have 10.
KEYED_CHARS = 26


def utcnow() -> datetime:
    """Return the time as the job table holds it: naive UTC, whole seconds."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row of the job table.

    Attributes:
        id: ``job-`` and 10 characters.
        action: the name that handlers are registered under.
        params: what the handler is given; ``resource_ids`` lists the resources the job is about.
        trys: how often a worker took the job: the fencing token of the try that holds it.
        try_max: after so many tries a failure ends the job.
        try_period: seconds; a failed try waits ``try_period * trys``.
        run_at: not before this time; naive UTC, like ``created`` and ``updated``.
        updated: the last write; while the job runs, the last heartbeat of its lease.
        result: the JSON value that the handler returned, or its latest progress.
        error: text of the last failure.
    """

    id: str
    action: str
    params: dict[str, Any] = field(default_factory=dict)
    project_id: str = SYSTEM_PROJECT
    status: Status = "pending"
    trys: int = 0
    try_max: int = 3
    try_period: int = 600
    run_at: datetime = field(default_factory=utcnow)
    created: datetime = field(default_factory=utcnow)
    updated: datetime = field(default_factory=utcnow)
    result: Any = None
    error: str = ""

    @property
    def lease(self) -> Lease:
        """The lease of the try that this record stands for."""
        return Lease(self.id, self.trys)

    @property
    def which_try(self) -> str:
        """Which of its tries this is, for texts: ``(try 2 of 3)``."""
        return f"(try {self.trys} of {self.try_max})"

    @property
    def end(self) -> End | None:
        """How the job ended as an error, or None when it did not.

        .. versionadded:: 1.0
        """
        return end_of(self.error) if self.status == "error" else None

    @property
    def is_keyed(self) -> bool:
        """Whether the id was made of an idempotency key, so that the job may be there already."""
        return len(self.id) == len("job-") + KEYED_CHARS

    @property
    def resource_ids(self) -> list[str]:
        """The resources the job is about: ``params["resource_ids"]``."""
        ids = self.params.get("resource_ids", [])
        return list(ids) if isinstance(ids, list | tuple) else [ids]


class Lease(NamedTuple):
    """The right of one try to write to its job's row: the job's id and the fencing token."""

    job_id: str
    trys: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """A running job whose worker seems to be gone, as its row was read.

    Attributes:
        lease: the try that holds it.
        updated: the row's ``updated``; whoever takes the job back compares with it. None where the holder is known to
            be dead: then the lease alone is compared.
        unsure: whether an earlier attempt to take it back was not answered, so that it may be done.

    .. versionadded:: 1.0
    """

    lease: Lease
    updated: datetime | None = None
    unsure: bool = False

    @property
    def is_given_up(self) -> bool:
        """Whether nobody needs to watch it: the holder has given it up, or is known to be dead."""
        return self.updated is None or self.updated == LAPSED


class JobInterrupt(Interrupt):
    """Raised in the handler of a job from outside."""


class JobTimeout(JobInterrupt):
    """The try took longer than its timeout: it fails."""


class JobShutdown(JobInterrupt):
    """The worker stops and its drain time is over: the try is given back and counts for nothing."""


class LeaseLost(JobInterrupt):
    """The job was cancelled or another worker has taken it over: nothing that this try does is written."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a try, to be written under its fence.

    Attributes:
        job: the record as it was claimed; its ``lease`` is the fence.
        status: ``finished``; ``retry`` after ``delay`` seconds; ``error``, the end of the job; ``released``, given
            back at shutdown without counting the try; ``dropped``, nothing is written, the lease is lost.
        result: the JSON value to store when finished.
        error: redacted text of the failure.
        exception: the failure itself, for events and notices.
        delay: seconds until the next try.
        unsure: whether an earlier attempt to write it was not answered, so that it may be written.
    """

    job: Job
    status: Literal["finished", "retry", "error", "released", "dropped"]
    result: Any = None
    error: str = ""
    exception: BaseException | None = None
    delay: float = 0.0
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something happened to a job; what ``densefog_job_event`` observers are given.

    Attributes:
        kind: ``started``; ``retrying``, a try failed and another follows; ``failed``, the last try failed;
            ``finished``; ``lost``, a worker died or stalled during the last try, which ends the job; ``cancelled``.
        job: the record as the try saw it.
        error: redacted text of the failure, or the empty string.
        exception: the failure itself when it happened in this process.
        seconds: how long the try took.
    """

    kind: Literal["started", "retrying", "failed", "finished", "lost", "cancelled"]
    job: Job
    error: str = ""
    exception: BaseException | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list; None does not restrict.

    Attributes:
        search: part of the action or the id.
        updated_since: naive UTC; jobs written then or later.
        limit: rows of a page, 1 to 100.
        reverse: newest first.
    """

    ids: Collection[str] | None = None
    status: Collection[str] | None = None
    action: str | None = None
    project_id: str | None = None
    resource_id: str | None = None
    search: str | None = None
    updated_since: datetime | None = None
    limit: int = 20
    offset: int = 0
    reverse: bool = True

    def matches(self, job: Job) -> bool:
        """Return whether a job is among those that are asked for, whatever the page."""
        return (
            (self.ids is None or job.id in self.ids)
            and (self.status is None or job.status in self.status)
            and (self.action is None or job.action == self.action)
            and (self.project_id is None or job.project_id == self.project_id)
            and (self.resource_id is None or self.resource_id in job.resource_ids)
            and (not self.search or self.search in job.action or self.search in job.id)
            and (self.updated_since is None or job.updated >= self.updated_since)
        )
