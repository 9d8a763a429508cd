"""Statements that take jobs back: from dead workers, and from claims whose answer was lost.

Each compares with the row as it was read: one that was sent before the server stood still may be executed after it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from math import ceil
from random import uniform
from typing import Any

from sqlalchemy import Connection, and_, or_, select, update

from densefog_core.jobs import Job, Lease, Sighting
from densefog_core.jobs.ends import is_lost_try, lost
from densefog_plugins.models.database.dialects import Dialect
from densefog_plugins.models.jobstore.table import CLAIM_NAME, RUNNING, cleaned_params, from_row, job


def stale(connection: Connection, dialect: Dialect, lease_seconds: float, limit: int) -> list[Sighting]:
    """Return what `densefog_core.jobs.JobStore.stale` does; it locks nothing."""
    old, ahead = job.c.updated < dialect.now(-ceil(lease_seconds / 2)), job.c.updated > dialect.now(lease_seconds)
    query = select(job.c.id, job.c.trys, job.c.updated).where(job.c.status == RUNNING, or_(old, ahead))
    rows = connection.execute(query.order_by(job.c.run_at, job.c.id).limit(limit))
    return [Sighting(Lease(row.id, row.trys), row.updated) for row in rows]


class Reclaimer:
    """Takes back jobs of dead workers.

    Args:
        dialect: of the database.
        call_last_failure: called with each job that ends so, in the transaction that ends it.
    """

    def __init__(self, dialect: Dialect, call_last_failure: Callable[[Job], None]) -> None:
        self._dialect = dialect
        self._call_last_failure = call_last_failure

    def reclaim(self, connection: Connection, seen: Sequence[Sighting], lease_seconds: float) -> list[Job]:
        """Take back jobs whose rows are as they were seen; see `densefog_core.jobs.JobStore.reclaim`."""
        wanted = {one.lease: one for one in seen}
        query = select(job).where(job.c.id.in_([lease.job_id for lease in wanted]), job.c.status == RUNNING)
        rows = map(from_row, connection.execute(self._dialect.lock(query.order_by(job.c.id), connection)).all())
        taken = []
        for row in rows:
            found = wanted.get(row.lease)
            if found is not None and found.updated in (None, row.updated):
                values = self._values(row, lease_seconds)
                if self._write(connection, row, values):
                    taken.append(replace(row, status=values["status"], error=values["error"]))
        for ended in taken:
            if ended.status == "error":
                self._call_last_failure(ended)
        return taken + self._ended_before(connection, [one for one in seen if one.unsure])

    def _values(self, row: Job, lease_seconds: float) -> dict[str, Any]:
        """Return what a row becomes whose worker is dead."""
        if row.trys < row.try_max:
            # One that kills its process must not have the same neighbours each time: they would end with it.
            apart = uniform(0, lease_seconds) if row.trys > 1 else 0
            return {"status": "pending", "run_at": self._dialect.now(apart), "error": row.error}
        # A blocked process has left the reason why it ends this very try.
        error = row.error if is_lost_try(row.error, row.which_try) else lost(row.which_try)
        return {"status": "error", "error": error, **cleaned_params(row)}

    def _write(self, connection: Connection, row: Job, values: Mapping[str, Any]) -> bool:
        fence = and_(job.c.id == row.id, job.c.status == "running", job.c.trys == row.trys)
        as_seen = self._dialect.same_time(job.c.updated, row.updated)
        statement = update(job).where(fence, as_seen).values(updated=self._dialect.now(), **values)
        return connection.execute(statement).rowcount == 1

    @staticmethod
    def _ended_before(connection: Connection, unsure: Sequence[Sighting]) -> list[Job]:
        """Return those jobs that ended by an earlier attempt, whose answer was lost."""
        if not unsure:
            return []
        leases = {one.lease for one in unsure}
        query = select(job).where(job.c.id.in_([lease.job_id for lease in leases]), job.c.status == "error")
        rows = map(from_row, connection.execute(query.order_by(job.c.id)))
        return [row for row in rows if row.lease in leases and row.end == "lost"]


def give_back(connection: Connection, dialect: Dialect, names: Collection[str]) -> list[Lease]:
    """Put back what claims of these names took; see `densefog_core.jobs.JobStore.give_back`."""
    named = or_(*(job.c.error.endswith(CLAIM_NAME.format(name), autoescape=True) for name in names))
    query = select(job).where(job.c.status == RUNNING, named).order_by(job.c.id)
    rows = list(map(from_row, connection.execute(dialect.lock(query, connection)).all()))
    for row in rows:
        fence = and_(job.c.id == row.id, job.c.status == "running", job.c.trys == row.trys)
        # More tries are allowed instead of counting this one less, and run_at stays: it keeps its place.
        values = {"status": "pending", "error": row.error, "try_max": job.c.try_max + 1, "updated": dialect.now()}
        connection.execute(update(job).where(fence).values(**values))
    return [row.lease for row in rows]
