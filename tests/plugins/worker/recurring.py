"""A job that recurs; see `test_schedules`."""

from __future__ import annotations

from densefog_core.jobs import RunningJob, job
from tests.plugins.worker.jobs import densefog_job_event, trace

__all__ = ["densefog_job_event", "tick"]


@job(every="1s")
def tick(job: RunningJob) -> None:
    """Write down that it runs."""
    trace("tick", job.id)
