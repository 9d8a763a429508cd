"""The job table, exactly as the contract has it, and the indexes that make claiming it cheap."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Column, ColumnElement, DateTime, Index, Integer, Row, String, Table, Text, literal_column

from densefog_core import jsontext
from densefog_core.ids import SYSTEM_PROJECT
from densefog_core.jobs import Job
from densefog_core.jobs.sealed import cleaned
from densefog_plugins.models.base import DIALECTS, Own

#: Bytes of an error's text; a TEXT column of MySQL holds 65,535.
MAX_ERROR = 60_000
#: Columns that may be NULL here, and never are: others' tables may refuse it. See `dump`.
NEVER_NULL = {"job": ("error", "result", "params")}
#: How a claim's name stands at the end of `error` while its jobs run: the table has no column for it.
CLAIM_NAME = " [{}]"
_CLAIM_NAME = re.compile(r" \[claim-\w{10}\]$")
#: Written into the statement: a plan for any value could not use PostgreSQL's partial indexes.
PENDING: ColumnElement[str] = literal_column("'pending'")
RUNNING: ColumnElement[str] = literal_column("'running'")

job = Table(
    "job",
    Own.metadata,
    Column("id", String(32), primary_key=True),
    Column("project_id", String(32), nullable=False),
    Column("action", String(50), nullable=False),
    Column("status", String(10), nullable=False),
    Column("error", Text),
    Column("result", Text),
    Column("params", Text),
    Column("updated", DateTime, nullable=False),
    Column("created", DateTime, nullable=False),
    Column("run_at", DateTime, nullable=False),
    Column("try_period", Integer, nullable=False),
    Column("try_max", Integer, nullable=False),
    Column("trys", Integer, nullable=False),
    # Whatever the server's or the database's default is: a result with an emoji must not end a job.
    mysql_charset="utf8mb4",
)


#: Without it a claim reads the whole table: 87 times slower with 200,000 rows. `updated` is in none: every beat would
#: have to move its entry.
CLAIM = Index("ix_job_claim", job.c.status, job.c.run_at, job.c.id, info={DIALECTS: ("sqlite", "mysql", "mariadb")})
CLAIM.ddl_if(CLAIM.info[DIALECTS])

#: PostgreSQL takes partial ones, so that beats change no index and stay heap-only.
PARTIAL = [
    Index(
        f"ix_job_{status}", job.c.run_at, job.c.id, postgresql_where=job.c.status == status,
        info={DIALECTS: ("postgresql",)},
    ).ddl_if("postgresql")
    for status in ("pending", "running")
]


def indexes(dialect: str) -> list[Index]:
    """Return the claim indexes for a database, by SQLAlchemy's name of it."""
    return PARTIAL if dialect == "postgresql" else [CLAIM]


def to_row(one: Job) -> dict[str, Any]:
    """Return a new job as the columns hold it; the times are the store's to say."""
    return {
        "id": one.id,
        "project_id": one.project_id,
        "action": one.action,
        "status": one.status,
        "error": one.error,
        "result": dump(one.result),
        "params": dump(one.params),
        "try_period": one.try_period,
        "try_max": one.try_max,
        "trys": one.trys,
    }


def from_row(row: Row[Any], *, status: Any = None, trys: int | None = None) -> Job:  # noqa: ANN401
    """Return the record of a row; text that is not JSON, written by someone else, is shown as it is.

    Args:
        row: the row.
        status: instead of the row's.
        trys: instead of the row's.
    """
    params = load(row.params)
    return Job(
        id=row.id,
        project_id=row.project_id or SYSTEM_PROJECT,
        action=row.action,
        status=status or row.status,
        error=without_claim_name(row.error or ""),
        result=load(row.result),
        params=params if isinstance(params, dict) else {"params": params},
        updated=row.updated,
        created=row.created,
        run_at=row.run_at,
        try_period=row.try_period,
        try_max=row.try_max,
        trys=row.trys if trys is None else trys,
    )


def without_claim_name(error: str) -> str:
    """Return the column `error` of a running job without the name of the claim that took it."""
    return _CLAIM_NAME.sub("", error) if error.endswith("]") else error


def dump(value: object) -> str:
    """Return a JSON value as its column holds it; None is the empty text, for others' tables may refuse NULL."""
    return "" if value is None else jsontext.dumps(value)


def load(text: str | None) -> Any:  # noqa: ANN401
    """Return the JSON value of a column."""
    if not text:
        return None
    try:
        return jsontext.loads(text)
    except jsontext.InvalidJSON:
        return text


def storable_error(error: str) -> str:
    """Return an error's text as every database takes it: not too many bytes, no NUL, no halves of characters."""
    return error.replace("\0", "\\0").encode(errors="backslashreplace")[:MAX_ERROR].decode(errors="ignore")


def cleaned_params(one: Job) -> dict[str, Any]:
    """Return the column `params` without its secrets, or nothing when there are none to hide."""
    kept = cleaned(one.params)
    return {} if kept == one.params else {"params": dump(kept)}
