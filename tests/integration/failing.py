"""Jobs that fail, and an observer that kills its worker between a job's row and its notice; see ``test_notices``."""

from __future__ import annotations

import os
import signal

from densefog_core import hookimpl
from densefog_core.jobs import JobEvent, job


@job(try_max=1)
def fail(params: dict[str, int]) -> None:
    """Fail in one of two places."""
    if params.get("n", 0) % 4:
        raise ValueError(f"volume {params['n']} is gone; password=hunter2")
    raise LookupError("no such volume")


@hookimpl
def densefog_job_event(event: JobEvent) -> None:
    """Die where a notice would be made: the row is written, and no channel has heard of it."""
    if event.kind == "failed" and os.environ.get("DENSEFOG_TEST_KILL"):
        os.kill(os.getpid(), signal.SIGKILL)
