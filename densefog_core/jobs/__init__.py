"""Jobs: how they are declared, enqueued, kept and run.

The promise is in ``docs``: at least once, never lost, never stuck; at most one live try, and a try that lost its
lease can write nothing. A store keeps the promise's table, a worker its clock; this package is what they share.
"""

from densefog_core.jobs.enqueueing import keyed_id, new_job
from densefog_core.jobs.handlers import JobRegistry, JobSpec, job, make_spec
from densefog_core.jobs.records import (
    LAPSED,
    MAX_SECONDS,
    MAX_TEXT,
    Job,
    JobEvent,
    JobFilter,
    JobInterrupt,
    JobShutdown,
    JobTimeout,
    Lease,
    LeaseLost,
    Outcome,
    Sighting,
    utcnow,
)
from densefog_core.jobs.running import failure, run_job
from densefog_core.jobs.searches import FailedJob, JobSearch, JobsFound
from densefog_core.jobs.stores import JobStore
from densefog_core.jobs.tries import JobControl, RunningJob, current_job
from densefog_core.jobs.workers import Worker, WorkerFactory, chosen

__all__ = [
    "LAPSED",
    "MAX_SECONDS",
    "MAX_TEXT",
    "FailedJob",
    "Job",
    "JobControl",
    "JobEvent",
    "JobFilter",
    "JobInterrupt",
    "JobRegistry",
    "JobSearch",
    "JobShutdown",
    "JobSpec",
    "JobStore",
    "JobTimeout",
    "JobsFound",
    "Lease",
    "LeaseLost",
    "Outcome",
    "RunningJob",
    "Sighting",
    "Worker",
    "WorkerFactory",
    "chosen",
    "current_job",
    "failure",
    "job",
    "keyed_id",
    "make_spec",
    "new_job",
    "run_job",
    "utcnow",
]
