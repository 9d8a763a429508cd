"""The jobs of the chaos test, which write down each start, and what their worker may lack; see `test_chaos`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from densefog_core import hookimpl
from densefog_core.app import App
from densefog_core.jobs import JobEvent, Lease, Outcome, RunningJob, job
from densefog_core.registry import Registry
from densefog_plugins.models.jobstore.outcomes import OutcomeWriter
from densefog_plugins.models.jobstore.store import SQLJobStore

TRACE = Path(os.environ.get("DENSEFOG_TEST_TRACE", os.devnull))


def trace(*words: object) -> None:
    """Write a line; one write of an open file in append mode is whole."""
    with TRACE.open("a") as file:
        file.write(" ".join(map(str, words)) + "\n")


@hookimpl
def densefog_job_event(event: JobEvent) -> None:
    """Write down every event with its fencing token."""
    trace(event.kind, event.job.id, event.job.trys, os.getpid())


@job(try_max=1000, try_period=0)
def work(job: RunningJob, params: dict[str, Any], time_sleep: Callable[[float], None]) -> str:
    """Take a while; the result names the try."""
    time_sleep(params["seconds"])
    return f"{job.trys} {os.getpid()}"


class UnfencedWriter(OutcomeWriter):
    """Writes without a look at the fence."""

    def write(self, outcomes: Sequence[Outcome], *, native: bool) -> set[Lease]:
        return self._database.run(partial(self._write_all, outcomes=outcomes, native=native), native=native)

    def _held(self, connection: Connection, leases: list[Lease]) -> set[Lease]:
        return set(leases)


class Unfenced(SQLJobStore):
    """A store that lets everybody write: what the chaos test must notice."""

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self._outcomes = UnfencedWriter(self._database, self._endings)

    def beat(self, leases: Sequence[Lease]) -> list[Lease]:
        super().beat(leases)
        return []


@hookimpl
def densefog_register_stores(registry: Registry[Any]) -> None:
    """Register ``unfenced``."""
    registry.add("unfenced", Unfenced)
