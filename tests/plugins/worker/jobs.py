"""Jobs that behave well and jobs that do not, and a plugin that writes down what happened; see `processes`.

What happened goes to a file of lines ``event job-id ...`` that every process appends to.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gevent import GreenletExit

from densefog_core import hookimpl
from densefog_core.jobs import Job, JobEvent, JobInterrupt, Outcome, RunningJob, job
from densefog_core.registry import Registry
from densefog_plugins.models.jobstore.store import SQLJobStore
from densefog_plugins.worker import tries, watchdog

TRACE = Path(os.environ.get("DENSEFOG_TEST_TRACE", os.devnull))

# A stuck handler must be given up in the time of a test.
tries.GRACE = watchdog.GRACE = 0.5
watchdog.INTERVAL = 0.1


def trace(*words: object) -> None:
    """Write a line."""
    with TRACE.open("a") as file:
        file.write(" ".join(map(str, words)) + "\n")


@hookimpl
def densefog_job_event(event: JobEvent) -> None:
    """Write down every event."""
    trace(event.kind, event.job.id, event.job.trys, os.getpid())
    if event.job.params.get("fatal") == event.kind:
        raise Fatal


class Fatal(BaseException):
    """What nobody should raise."""


class Picky(SQLJobStore):
    """A store that can never keep what becomes of some jobs."""

    def finish(self, outcomes: Sequence[Outcome], *, native: bool = False) -> list[bool]:
        if any("picky" in outcome.job.params for outcome in outcomes):
            raise TypeError("no such type")
        if any("breaking" in outcome.job.params for outcome in outcomes):
            raise Fatal
        return super().finish(outcomes, native=native)


@hookimpl
def densefog_register_stores(registry: Registry[Any]) -> None:
    """Register ``picky``."""
    registry.add("picky", Picky)


def gave_up(ended: Job) -> None:
    """Write down that a job will not be tried again."""
    trace("gave-up", ended.id, ended.status)


@job
def quick(params: dict[str, Any]) -> Any:
    """Return what it is given."""
    return params.get("answer")


@job(on_last_failure=gave_up)
def wait(job: RunningJob, params: dict[str, Any], time_sleep: Callable[[float], None]) -> str:
    """Wait in the loop; say how it ended."""
    try:
        time_sleep(params["seconds"])
    except JobInterrupt as exc:
        trace("interrupted", job.id, type(exc).__name__)
        raise
    return "done"


@job
def deaf(params: dict[str, Any], time_sleep: Callable[[float], None]) -> str:
    """Catch everything that applications catch."""
    for _ in range(100):
        try:
            time_sleep(params["seconds"])
        except Exception:
            trace("swallowed")
    return "done"


@job
def report(job: RunningJob, params: dict[str, Any], time_sleep: Callable[[float], None]) -> str:
    """Write progress until somebody stops it."""
    for step in range(params["steps"]):
        job.progress({"step": step})
        time_sleep(0.05)
    return "done"


@job
def until(params: dict[str, Any], time_sleep: Callable[[float], None]) -> None:
    """Wait in the loop until a file is there."""
    while not os.path.exists(params["file"]):
        time_sleep(0.05)


@job(on_last_failure=gave_up)
def fail(params: dict[str, Any]) -> None:
    """Raise."""
    raise RuntimeError("the provider said no")


@job
def leave(params: dict[str, Any]) -> None:
    """Raise what ends a greenlet, or the process."""
    raise {"greenlet": GreenletExit, "process": SystemExit, "fatal": Fatal}[params["what"]]


@job(timeout=1.5, on_last_failure=gave_up)
def spin(params: dict[str, Any]) -> None:
    """Never yield, in Python."""
    while True:
        pass


@job(timeout=1.5, on_last_failure=gave_up)
def hold(params: dict[str, Any]) -> None:
    """Never yield, in a C call that holds the GIL: not even a native thread runs."""
    ctypes.PyDLL(None).sleep(3600)


@job(on_last_failure=gave_up)
def die(params: dict[str, Any]) -> None:
    """Kill the process."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(3600)


@job
def fork(job: RunningJob, params: dict[str, Any], time_sleep: Callable[[float], None]) -> str:
    """Fork a process that waits and returns, as this one does."""
    pid = os.fork()
    time_sleep(0.5)
    if pid:
        trace("forked", job.id, os.waitpid(pid, 0)[1])
    return "parent" if pid else "child"
