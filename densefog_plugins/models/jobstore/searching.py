"""Searches of the job table that look at a bounded number of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, false, func, literal_column, or_, select

from densefog_core.jobs import FailedJob, JobSearch, JobsFound
from densefog_core.jobs.causes import MAX_LINE
from densefog_plugins.models.jobstore.table import from_row, job
from densefog_plugins.models.resource import storable

#: A status stands in the statement, not beside it: a plan for any value could not use PostgreSQL's partial indexes.
_STATUSES: dict[str, ColumnElement[str]] = {
    status: literal_column(f"'{status}'") for status in ("pending", "running", "finished", "error")
}
_ORDER = (job.c.run_at.desc(), job.c.id.desc())
_error = func.substr(job.c.error, 1, MAX_LINE)


def find(connection: Connection, which: JobSearch, limit: int, look: int) -> JobsFound:
    """Return the first jobs of a search; see `densefog_core.jobs.JobStore.find`."""
    rows = list(_matching(connection, which, limit, look))
    whole = select(job).where(job.c.id.in_([row.id for row in rows])).order_by(*_ORDER)
    jobs = [from_row(row) for row in connection.execute(whole)] if rows else []
    if len(rows) == limit:
        return JobsFound(jobs, _place(rows[-1]))
    end = connection.execute(_places(which).offset(look - 1).limit(1)).first()
    return JobsFound(jobs, None if end is None else _place(end))


def count(connection: Connection, which: JobSearch, cap: int, look: int) -> int:
    """Return how many jobs a search has; see `densefog_core.jobs.JobStore.count`."""
    if which.cause is not None:
        return sum(1 for _ in _matching(connection, which, cap, look))
    rows = (_places(which) if which.is_plain else _filtered(which, look)).limit(cap)
    return connection.scalar(select(func.count()).select_from(rows.order_by(None).subquery())) or 0


def failures(connection: Connection, look: int) -> list[FailedJob]:
    """Return the newest failed jobs; see `densefog_core.jobs.JobStore.failures`."""
    columns = (job.c.id, job.c.action, job.c.project_id, _error.label("error"), job.c.updated)
    newest = select(*columns).where(job.c.status == _STATUSES["error"]).order_by(*_ORDER).limit(look)
    return [FailedJob(row[0], row[1], row[2], row[3] or "", row[4]) for row in connection.execute(newest)]


def _places(which: JobSearch) -> Select[Any]:
    """Return the query of where the jobs of a status stand, which the claim's index answers alone."""
    places = select(job.c.id, job.c.run_at).where(job.c.status == _STATUSES[which.status])
    if which.after is not None:
        run_at, job_id = which.after
        # Not `(run_at, id) < (x, y)`: MySQL does not use an index for a comparison of rows.
        places = places.where(job.c.run_at <= run_at, or_(job.c.run_at < run_at, job.c.id < job_id))
    return places.order_by(*_ORDER)


def _filtered(which: JobSearch, look: int) -> Select[Any]:
    places = _places(which).limit(look).subquery()
    told = select(job.c.id, job.c.run_at, job.c.action, _error.label("error"))
    return told.join(places, places.c.id == job.c.id).where(*_conditions(which)).order_by(*_ORDER)


def _matching(connection: Connection, which: JobSearch, limit: int, look: int) -> Iterator[Row[Any]]:
    """Yield the place of each job that is wanted."""
    if which.is_plain:
        yield from connection.execute(_places(which).limit(limit))
    elif which.cause is None:
        yield from connection.execute(_filtered(which, look).limit(limit))
    else:
        for row in connection.execute(_filtered(which, look)):
            if limit and which.has_cause(row.action, row.error or ""):
                yield row
                limit -= 1


def _conditions(which: JobSearch) -> Iterator[ColumnElement[bool]]:
    given = [text or "" for text in (which.project_id, which.resource_id, which.error)]
    if storable(given) != given:
        yield false()
        return
    if which.actions is not None:
        yield job.c.action.in_(storable(list(which.actions)))
    if which.project_id is not None:
        yield job.c.project_id == which.project_id
    if which.resource_id is not None:
        yield job.c.params.contains(f'"{which.resource_id}"', autoescape=True)
    if which.error:
        yield job.c.error.icontains(which.error, autoescape=True)
    if which.since is not None:
        yield job.c.updated >= which.since
    if which.until is not None:
        yield job.c.updated <= which.until


def _place(row: Row[Any]) -> tuple[datetime, str]:
    return row.run_at, row.id
