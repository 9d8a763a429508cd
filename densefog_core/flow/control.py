"""What a worker lends to the handlers that it runs, made of a store and a way to sleep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from densefog_core.flow.steps import Steps
from densefog_core.jobs.records import Job, LeaseLost
from densefog_core.jobs.sealed import Vault
from densefog_core.jobs.stores import JobStore


class StoreControl:
    """A `densefog_core.jobs.JobControl` that writes to a store.

    Args:
        store: where the jobs are.
        sleep: waits so many seconds without keeping other jobs from running.
    """

    def __init__(self, store: JobStore, sleep: Callable[[float], object]) -> None:
        self._store = store
        self._sleep = sleep

    def progress(self, job: Job, value: Any) -> None:  # noqa: ANN401
        """See `densefog_core.jobs.JobControl.progress`."""
        if not self._store.progress(job.lease, value):
            raise LeaseLost("the job was cancelled, or taken over by another worker")

    def sleep(self, seconds: float) -> None:
        """See `densefog_core.jobs.JobControl.sleep`."""
        self._sleep(seconds)

    def steps(self, job: Job, vault: Vault) -> Steps:
        """See `densefog_core.jobs.JobControl.steps`."""
        return Steps(job, self._store.steps, vault)
