"""An application of a few lines, which its tests install into a folder: an action that waits, jobs that leave a trace.

Jobs write what they do into the file ``trace``; ``Nap`` and ``Gated`` wait until there is a file ``gate``.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from densefog_core import action, enqueue, hookimpl, job
from densefog_core.config import CONF

logger = logging.getLogger("effects")


def trace(*words: object) -> None:
    with (Path(CONF.app_root) / "trace").open("a") as file:
        file.write(" ".join(map(str, words)) + "\n")


@action
def nap() -> dict:
    """Wait, as a handler that asks a provider does."""
    logger.info("napping")
    while not (Path(CONF.app_root) / "gate").exists():
        time.sleep(0.02)
    return {"slept": True}


@action
def start_jobs(params: dict) -> dict:
    """Enqueue jobs."""
    jobs = [enqueue(params["job"], {"n": n}, try_max=5, try_period=1) for n in range(params.get("count", 1))]
    return {"jobIds": jobs}


@job
def gated(job, time_sleep):
    """Wait for the gate."""
    trace("begin", job.id, os.getpid())
    while not (Path(CONF.app_root) / "gate").exists():
        time_sleep(0.05)
    trace("end", job.id, os.getpid())
    return {"pid": os.getpid()}


@job
def failing():
    """Fail."""
    raise RuntimeError("no luck")


@hookimpl
def densefog_job_event(event):
    """Trace the ends of jobs."""
    if event.kind == "finished":
        trace("finished", event.job.id, os.getpid())
