"""What is asked of the job table and changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, false, func, or_, select

from densefog_core.jobs import Job, JobFilter
from densefog_plugins.models.database.dialects import Dialect
from densefog_plugins.models.jobstore.table import PENDING, from_row, job
from densefog_plugins.models.resource import storable


def one(connection: Connection, job_id: str) -> Job | None:
    """Return one job, or None."""
    row = connection.execute(select(job).where(job.c.id == job_id)).first()
    return None if row is None else from_row(row)


def page(connection: Connection, which: JobFilter) -> tuple[list[Job], int]:
    """Return one page of jobs and how many there are."""
    conditions = list(_conditions(which))
    order = (job.c.created.desc(), job.c.id.desc()) if which.reverse else (job.c.created, job.c.id)
    rows = select(job).where(*conditions).order_by(*order).limit(which.limit).offset(which.offset)
    count = select(func.count()).select_from(job).where(*conditions)
    return [from_row(row) for row in connection.execute(rows)], connection.scalar(count) or 0


def stats(connection: Connection, dialect: Dialect) -> dict[str, Any]:
    """Count jobs by action and status; see `densefog_core.jobs.JobStore.stats`."""
    counts = select(job.c.action, job.c.status, func.count()).group_by(job.c.action, job.c.status)
    rows = sorted(tuple(row) for row in connection.execute(counts))
    return {
        "jobs": [{"action": action, "status": status, "count": count} for action, status, count in rows],
        "oldest_pending_seconds": oldest_due(connection, dialect),
    }


def oldest_due(connection: Connection, dialect: Dialect) -> float | None:
    """Return how long the oldest due job has waited; see `densefog_core.jobs.JobStore.oldest_due`."""
    now = dialect.now()
    oldest = select(func.min(job.c.run_at), now).where(job.c.status == PENDING, job.c.run_at <= now)
    since, at = connection.execute(oldest).one()
    return None if since is None else (at - since) / timedelta(seconds=1)


def unhandled(connection: Connection, dialect: Dialect, actions: Collection[str]) -> list[str]:
    """Return the actions of due jobs that are not among those given."""
    name = dialect.exactly(job.c.action)
    due = select(func.min(job.c.action)).where(job.c.status == PENDING, job.c.run_at <= dialect.now())
    return sorted(connection.scalars(due.where(name.not_in(sorted(actions))).group_by(name)))


def _conditions(which: JobFilter) -> Iterable[ColumnElement[bool]]:
    given = [one or "" for one in (which.action, which.project_id, which.resource_id, which.search)]
    if storable(given) != given:
        yield false()
        return
    if which.ids is not None:
        yield job.c.id.in_(storable(which.ids))
    if which.status is not None:
        yield job.c.status.in_(storable(which.status))
    if which.action is not None:
        yield job.c.action == which.action
    if which.project_id is not None:
        yield job.c.project_id == which.project_id
    if which.resource_id is not None:
        yield job.c.params.contains(f'"{which.resource_id}"', autoescape=True)
    if which.search:
        yield or_(*(column.contains(which.search, autoescape=True) for column in (job.c.action, job.c.id)))
    if which.updated_since is not None:
        yield job.c.updated >= which.updated_since
