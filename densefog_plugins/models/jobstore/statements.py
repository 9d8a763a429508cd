"""What every job goes through, claim and finish, in as few round trips as each database allows.

Written as text: SQLAlchemy takes longer to build and look up such an expression than the database to run it.

A job that was taken leaves its old entry in the index until MySQL purges it or PostgreSQL vacuums, and to read past one
can cost as much as to read a job. So while there is more than one claim takes, each begins behind the last one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, DateTime, Row, TextClause, TextualSelect, bindparam, text

from densefog_core.jobs import Job, Lease, Outcome, utcnow
from densefog_plugins.models.jobstore.table import CLAIM_NAME, dump, from_row, job

COLUMNS = ", ".join(f"job.{column.name}" for column in job.c)
DUE = "status = 'pending' AND run_at <= {now} AND action IN ({actions})"
#: The same where names that differ in case, accents or spaces at their end are equal otherwise.
DUE_EXACTLY = DUE.replace("action IN", "CAST(action AS BINARY) IN")
OLDEST = "ORDER BY run_at, id LIMIT :limit"
#: The claim's name stands in the rows that it takes, so that they are found when its answer is lost.
TAKE = "UPDATE job SET status = 'running', trys = trys + 1, updated = {now}, error = COALESCE(error, '') || :name"
TAKE_CONCAT = TAKE.replace("COALESCE(error, '') || :name", "CONCAT(COALESCE(error, ''), :name)")
END = "UPDATE job SET status = 'finished', error = '', updated = {now}"
#: Seconds until claims begin with the oldest job again, whatever they have found.
AFRESH = 1.0


class FenceRefused(Exception):
    """Not all of the jobs are held any more; nothing must be committed."""


def _names(prefix: str, count: int) -> str:
    return ", ".join(f":{prefix}{number}" for number in range(count))


def _values(prefix: str, values: Sequence[object]) -> dict[str, object]:
    return {f"{prefix}{number}": value for number, value in enumerate(values)}


def _by_id(prefix: str, count: int) -> str:
    return f"CASE id {' '.join(f'WHEN :id{n} THEN :{prefix}{n}' for n in range(count))} END"


@lru_cache(maxsize=512)
def _statement(template: str, now: str, count: int) -> TextClause:
    """Return a statement for so many values; ``now`` may be ``:now``, this machine's time."""
    names = {"actions": _names("action", count), "ids": _names("id", count)}
    cases = {"trys": _by_id("trys", count), "results": _by_id("result", count)}
    sql = template.format(now=now, **names, **cases)
    times = [bindparam(name, type_=DateTime()) for name in ("now", "after") if f":{name}" in sql]
    return text(sql).bindparams(*times)


@lru_cache(maxsize=512)
def _rows(template: str, now: str, count: int) -> TextualSelect:
    return _statement(template, now, count).columns(*job.c)


class Statements:
    """The statements of SQLite; the others override.

    Attributes:
        single: whether each of them is one statement that needs no transaction around it.
    """

    single = False
    _now = ":now"
    _due = DUE
    #: The due jobs behind one, oldest first.
    _behind = f"{DUE} AND (run_at, id) > (:after, :after_id)"
    _behind_order = OLDEST
    _project = "project_id"

    def __init__(self) -> None:
        self._last: Job | None = None
        self._began = 0.0

    def _time(self) -> dict[str, Any]:
        return {"now": utcnow()}

    def is_due(self, connection: Connection, actions: Sequence[str]) -> bool:
        """Return whether there seem to be due jobs; it locks nothing."""
        given = {**_values("action", actions), **self._time()}
        template = f"SELECT 1 FROM job WHERE {self._due} LIMIT 1"
        found = connection.execute(_statement(template, self._now, len(actions)), given)
        return found.first() is not None

    def claim(
        self, connection: Connection, limit: int, actions: Sequence[str], name: str = "", without: Sequence[str] = ()
    ) -> list[Job]:
        """Take due jobs but those of some projects, oldest ``run_at`` first; each has its new ``trys``."""
        kept = CLAIM_NAME.format(name) if name else ""
        given = {**_values("action", actions), **_values("project", without), **self._time(), "name": kept}
        others = f"AND {self._project} NOT IN ({_names('project', len(without))}) " if without else ""
        last, taken = self._last, []
        if last is not None and time.monotonic() < self._began + AFRESH:
            behind = {**given, "limit": limit, "after": last.run_at, "after_id": last.id}
            taken = self._take(connection, f"{self._behind} {others}{self._behind_order}", behind, len(actions))
        # Where each statement commits, a second one could be lost with what the first has taken.
        if len(taken) < limit and not (taken and self.single):
            self._began = time.monotonic()
            oldest = {**given, "limit": limit - len(taken)}
            taken += self._take(connection, f"{self._due} {others}{OLDEST}", oldest, len(actions))
        self._last = taken[-1] if len(taken) == limit else None
        return taken

    def _take(self, connection: Connection, which: str, given: dict[str, Any], actions: int) -> list[Job]:
        """Take the jobs that a condition describes, in its order."""
        template = f"{TAKE} WHERE id IN (SELECT id FROM job WHERE {which}) RETURNING {COLUMNS}"
        return in_order(connection.execute(_rows(template, self._now, actions), given).all())

    def finish(self, connection: Connection, outcomes: Sequence[Outcome]) -> set[Lease]:
        """Write the results of jobs that all finished, and return the leases that still held.

        Raises:
            FenceRefused: not all did, and which is not known.
        """
        template = f"{END}, result = {{results}} WHERE id IN ({{ids}}) AND status = 'running' AND trys = {{trys}}"
        leases = [outcome.job.lease for outcome in outcomes]
        given = {
            **_values("id", [lease.job_id for lease in leases]),
            **_values("trys", [lease.trys for lease in leases]),
            **_values("result", [dump(outcome.result) for outcome in outcomes]),
            **self._time(),
        }
        written = connection.execute(_statement(template, self._now, len(leases)), given)
        if written.rowcount != len(leases):
            raise FenceRefused
        return set(leases)


class MySQLStatements(Statements):
    """The statements of MariaDB and MySQL.

    Args:
        locks_rows: whether the server of a connection knows SKIP LOCKED; without it rows are taken one by one.
    """

    _now = "utc_timestamp()"
    _due = DUE_EXACTLY
    # A status between two equal ones: of ``status = ...`` a look-up is made that begins with the first pending job,
    # whatever is said of ``run_at``.
    _behind = (
        "status >= 'pending' AND status <= 'pending' AND CAST(action AS BINARY) IN ({actions}) "
        "AND (run_at = :after AND id > :after_id OR run_at > :after AND run_at <= {now})"
    )
    _behind_order = f"ORDER BY status, {OLDEST.removeprefix('ORDER BY ')}"
    _project = "CAST(project_id AS BINARY)"

    def __init__(self, locks_rows: Callable[[Connection], bool]) -> None:
        super().__init__()
        self._locks_rows = locks_rows

    def _time(self) -> dict[str, Any]:
        return {}

    def _take(self, connection: Connection, which: str, given: dict[str, Any], actions: int) -> list[Job]:
        locks = self._locks_rows(connection)
        template = f"SELECT {COLUMNS} FROM job WHERE {which}{' FOR UPDATE SKIP LOCKED' if locks else ''}"
        found = connection.execute(_rows(template, self._now, actions), given).all()
        if locks and found:
            ids = {**_values("id", [row.id for row in found]), "name": given["name"]}
            connection.execute(_statement(f"{TAKE_CONCAT} WHERE id IN ({{ids}})", self._now, len(found)), ids)
        elif not locks:
            found = [row for row in found if self._took(connection, row, given["name"])]
        return [from_row(row, status="running", trys=row.trys + 1) for row in found]

    def _took(self, connection: Connection, row: Row[Any], name: str) -> bool:
        """Take one row if nobody else did since it was read."""
        template = f"{TAKE_CONCAT} WHERE id = :id0 AND status = 'pending' AND trys = :trys0"
        given = {"id0": row.id, "trys0": row.trys, "name": name}
        return connection.execute(_statement(template, self._now, 1), given).rowcount == 1


class PostgreSQLStatements(Statements):
    """The statements of PostgreSQL, each of which is a transaction."""

    single = True
    _now = "date_trunc('second', timezone('utc', statement_timestamp()))"

    def _time(self) -> dict[str, Any]:
        return {}

    def _take(self, connection: Connection, which: str, given: dict[str, Any], actions: int) -> list[Job]:
        due = f"WITH due AS MATERIALIZED (SELECT id FROM job WHERE {which} FOR UPDATE SKIP LOCKED)"
        take = TAKE.replace("trys + 1", "job.trys + 1")
        template = f"{due} {take} FROM due WHERE job.id = due.id RETURNING {COLUMNS}"
        return in_order(connection.execute(_rows(template, self._now, actions), given).all())

    def finish(self, connection: Connection, outcomes: Sequence[Outcome]) -> set[Lease]:
        """See `Statements.finish`."""
        # Not ``status = 'running'``: the planner would take the partial index of running jobs, and read past all that
        # no vacuum could remove yet, rather than look up ten primary keys.
        ended = "unnest(CAST(:ids AS varchar[]), CAST(:trys AS integer[]), CAST(:results AS text[]))"
        template = (
            f"{END}, result = ended.result FROM {ended} AS ended (id, trys, result) "
            "WHERE job.id = ended.id AND job.trys = ended.trys AND job.status || '' = 'running' "
            "RETURNING job.id, job.trys"
        )
        given = {
            "ids": [outcome.job.id for outcome in outcomes],
            "trys": [outcome.job.trys for outcome in outcomes],
            "results": [dump(outcome.result) for outcome in outcomes],
        }
        written = connection.execute(_statement(template, self._now, 0), given)
        return {Lease(row.id, row.trys) for row in written}


def in_order(rows: Sequence[Row[Any]]) -> list[Job]:
    """Return the records of rows that RETURNING gave in no order, oldest first."""
    return [from_row(row) for row in sorted(rows, key=lambda row: (row.run_at, row.id))]
