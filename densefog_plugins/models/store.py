"""The job store in SQL. Every write for a running job is fenced by ``id``, ``status='running'`` and ``trys``.

The statements and why they have this shape: claiming is SELECT ... FOR UPDATE SKIP LOCKED, then UPDATE by primary key,
in READ COMMITTED; finishing locks the rows whose fence still holds and writes a batch of outcomes in one transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    delete,
    false,
    func,
    insert,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from densefog_core.jobs import Job, JobFilter, Lease, Outcome
from densefog_core.redact import redact
from densefog_plugins.models import schema
from densefog_plugins.models.database import Database, database
from densefog_plugins.models.jobtable import dump, from_row, job, to_row
from densefog_plugins.models.resource import storable
from densefog_plugins.models.sessions import after_commit, current_session, in_transaction, savepoint, transaction
from densefog_plugins.models.statements import FenceRefused

if TYPE_CHECKING:
    from densefog_core.app import App

R = TypeVar("R")

#: Rows of one INSERT, and ids of one IN list.
BATCH = 200
#: Bytes of an error's text; a TEXT column of MySQL holds 65,535.
MAX_ERROR = 60_000
ENDED = ("finished", "error")
#: Written into the statement: a plan for any value could not use PostgreSQL's partial indexes.
PENDING: ColumnElement[str] = literal_column("'pending'")
RUNNING: ColumnElement[str] = literal_column("'running'")
#: Seconds: no lease is so long that one which was last renewed so long ago still holds.
LAPSED = 10 * 86_400

_logger = logging.getLogger("densefog.store")


class SQLJobStore:
    """Keeps jobs in the application's database; see `densefog_core.jobs.JobStore`.

    Attributes:
        on_enqueued: called after jobs that are due were committed.
        last_failures: what is called, by action, in the transaction that ends a job as an error.
    """

    def __init__(self, app: App) -> None:
        self._database: Database = database(app)
        self._dialect = self._database.dialect
        self._statements = self._dialect.statements
        self._fast_engine = self._database.job_engine if self._statements.single else self._database.engine
        # Whether the last claim found nothing.
        self._idle = False
        self.on_enqueued: Callable[[], None] = lambda: None
        self.last_failures: Mapping[str, Callable[[Job], object]] = {}
        if self._database.embedded:
            self.init()

    # -- tables --------------------------------------------------------------------------------------------

    def init(self) -> list[str]:
        """Create the tables and indexes that are missing, the application's too."""
        return schema.create(self._database.engine)

    def check(self) -> list[str]:
        """Check the connection, the tables and the indexes."""
        return schema.check(self._database)

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    # -- enqueue -------------------------------------------------------------------------------------------

    def enqueue(self, jobs: Sequence[Job], session: Session | None = None) -> list[str]:
        """Insert jobs; see `densefog_core.jobs.JobStore.enqueue`.

        Args:
            jobs: the new jobs.
            session: a session to join; None joins the open `transaction`, or takes a transaction of its own.
        """
        due = any(one.run_at <= one.created for one in jobs)
        joined = session or (current_session() if in_transaction() else None)
        if joined is not None:
            self._insert(joined.execute, jobs, repeated=False)
            if due:
                after_commit(joined, self.on_enqueued)
        else:
            # Its COMMIT may be done though the connection was lost before the answer came: then they are there already.
            self._transaction(lambda connection: self._insert(connection.execute, jobs, repeated=True))
            if due:
                self.on_enqueued()
        return [one.id for one in jobs]

    def _insert(self, execute: Callable[..., Any], jobs: Sequence[Job], *, repeated: bool) -> None:
        """Insert in a few statements: jobs due now get the database's time, the others their own; some may be there."""
        now: Any = self._dialect.now()
        if len(jobs) > 1:
            # mysqlclient sends many rows in one statement only when all of their values are parameters.
            now = execute(select(now)).scalar_one()
        groups: dict[tuple[bool, bool], list[dict[str, Any]]] = {}
        for one in jobs:
            due = one.run_at <= one.created
            row = to_row(one) if due else {**to_row(one), "run_at": one.run_at}
            groups.setdefault((due, repeated or one.is_keyed), []).append(row)
        for (due, known), rows in groups.items():
            statement = self._dialect.insert_ignoring(job) if known else insert(job)
            times = {"created": now, "updated": now, **({"run_at": now} if due else {})}
            for start in range(0, len(rows), BATCH):
                execute(statement.values(**times), rows[start : start + BATCH])

    # -- claim ---------------------------------------------------------------------------------------------

    def claim(self, limit: int, actions: Collection[str]) -> list[Job]:
        """Take due jobs; see `densefog_core.jobs.JobStore.claim`."""
        names = sorted(actions)
        if limit <= 0 or not names or (self._idle and not self._is_due(names)):
            return []
        claim = partial(self._statements.claim, limit=limit, actions=names)
        jobs = self._database.run(claim, engine=self._fast_engine)
        self._idle = not jobs
        return jobs

    def _is_due(self, actions: list[str]) -> bool:
        """Look whether a claim is worth a transaction; a claim that is one statement is its own look."""
        if self._statements.single:
            return True

        def look() -> bool:
            with self._database.job_engine.connect().execution_options(read_only=True) as connection:
                return self._statements.is_due(connection, actions)

        return self._database.repeat(look)

    def unhandled(self, actions: Collection[str]) -> list[str]:
        """Return the actions of due jobs that nobody here handles."""
        query = (
            select(job.c.action)
            .distinct()
            .where(job.c.status == PENDING, job.c.run_at <= self._dialect.now(), job.c.action.not_in(sorted(actions)))
        )
        return self._read(lambda connection: sorted(connection.scalars(query)))

    # -- the fence -----------------------------------------------------------------------------------------

    def beat(self, leases: Sequence[Lease]) -> list[Lease]:
        """Renew leases over a connection that belongs to no greenlet; see `densefog_core.jobs.JobStore.beat`."""
        return self._database.run(partial(self._beat, leases=leases), native=True)

    def _beat(self, connection: Connection, leases: Sequence[Lease]) -> list[Lease]:
        lost: list[Lease] = []
        for start in range(0, len(leases), BATCH):
            batch = leases[start : start + BATCH]
            fence = and_(job.c.status == "running", tuple_(job.c.id, job.c.trys).in_(batch))
            beaten = connection.execute(update(job).where(fence).values(updated=self._dialect.now()))
            if beaten.rowcount < len(batch):
                held = {tuple(row) for row in connection.execute(select(job.c.id, job.c.trys).where(fence))}
                lost += [lease for lease in batch if tuple(lease) not in held]
        return lost

    def finish(self, outcomes: Sequence[Outcome], *, native: bool = False) -> list[bool]:
        """Write outcomes; see `densefog_core.jobs.JobStore.finish`."""
        written = [outcome for outcome in outcomes if outcome.status != "dropped"]
        held: set[Lease] = set()
        if written:
            try:
                held = self._held_after(written, native=native)
            except DBAPIError as exc:
                if not self._dialect.is_unstorable(exc):
                    raise
                raise ValueError(f"the table cannot hold it: {self._database.reason(exc)}") from exc
        return [outcome.status != "dropped" and outcome.job.lease in held for outcome in outcomes]

    def _held_after(self, outcomes: Sequence[Outcome], *, native: bool) -> set[Lease]:
        """Write outcomes and return the leases that held: in one statement when there are but results to write."""
        unsure = False

        def once(connection: Connection, write: Callable[[Connection, Sequence[Outcome]], set[Lease]]) -> set[Lease]:
            """Write what no earlier attempt has: its COMMIT may be done though the answer to it was lost."""
            nonlocal unsure
            expected = {one.job.lease: _as_row(one) for one in outcomes} if unsure else {}
            written, before, unsure = self._agreeing(connection, expected), unsure, True
            left = [outcome for outcome in outcomes if outcome.job.lease not in written]
            try:
                return written | (write(connection, left) if left else set())
            except FenceRefused:
                unsure = before
                raise

        if not native and all(one.status == "finished" and _cleaned(one.job) is None for one in outcomes):
            try:
                return self._database.run(partial(once, write=self._statements.finish), engine=self._fast_engine)
            except FenceRefused:
                _logger.info("of %d leases some are lost; the outcomes are written one by one", len(outcomes))
        work = partial(once, write=partial(self._finish, native=native))
        ending = [one.job.action for one in outcomes if one.status == "error"]
        calls = not native and not self.last_failures.keys().isdisjoint(ending)
        return self._joined(work) if calls else self._database.run(work, native=native)

    def _finish(self, connection: Connection, outcomes: Sequence[Outcome], *, native: bool) -> set[Lease]:
        held = self._held(connection, [outcome.job.lease for outcome in outcomes])
        mine = [outcome for outcome in outcomes if outcome.job.lease in held]
        finished = [outcome for outcome in mine if outcome.status == "finished"]
        if finished:
            self._write_finished(connection, finished)
        for outcome in mine:
            if outcome.status != "finished":
                self._write_failed(connection, outcome, native=native)
        return held

    def _held(self, connection: Connection, leases: list[Lease]) -> set[Lease]:
        """Lock the rows whose fence still holds, in the order of their ids, and return their leases."""
        query = select(job.c.id, job.c.trys).where(
            job.c.id.in_([lease.job_id for lease in leases]), job.c.status == "running"
        )
        rows = connection.execute(query.order_by(job.c.id).with_for_update())
        return {Lease(row.id, row.trys) for row in rows} & set(leases)

    def _write_finished(self, connection: Connection, outcomes: list[Outcome]) -> None:
        values: dict[str, Any] = {
            "status": "finished",
            "error": "",
            "updated": self._dialect.now(),
            "result": _by_id({outcome.job.id: dump(outcome.result) for outcome in outcomes}),
        }
        cleaned = {outcome.job.id: params for outcome in outcomes if (params := _cleaned(outcome.job)) is not None}
        if cleaned:
            values["params"] = case(cleaned, value=job.c.id, else_=job.c.params)
        connection.execute(update(job).where(job.c.id.in_([outcome.job.id for outcome in outcomes])).values(**values))

    def _write_failed(self, connection: Connection, outcome: Outcome, *, native: bool) -> None:
        values: dict[str, Any] = {"updated": self._dialect.now(), "error": _storable(outcome.error)}
        if outcome.status == "error" and native:
            values["updated"] = self._dialect.now(-LAPSED)
        elif outcome.status == "error":
            values["status"] = "error"
            values |= _cleaned_column(outcome.job)
        elif outcome.status == "retry":
            values |= {"status": "pending", "run_at": self._dialect.now(outcome.delay)}
        else:
            # The try is given back by allowing one more: trys never goes down, or two tries could share a token.
            values |= {"status": "pending", "run_at": self._dialect.now(), "try_max": job.c.try_max + 1}
        connection.execute(update(job).where(job.c.id == outcome.job.id).values(**values))
        if values.get("status") == "error":
            self._call_last_failure(_replace(outcome.job, status="error", error=outcome.error))

    def _call_last_failure(self, ended: Job) -> None:
        """Let the application move the resources of a job that ends as an error, in the open transaction."""
        call = self.last_failures.get(ended.action)
        if call is None:
            return
        try:
            with savepoint():
                call(ended)
        except Exception:
            _logger.exception("on_last_failure of %s failed for %s", ended.action, ended.id)

    def progress(self, lease: Lease, value: Any) -> bool:  # noqa: ANN401
        """Write progress; see `densefog_core.jobs.JobStore.progress`."""
        statement = update(job).where(job.c.id == lease.job_id, job.c.status == "running", job.c.trys == lease.trys)
        written = statement.values(result=dump(value), updated=self._dialect.now())
        return self._transaction(lambda connection: connection.execute(written).rowcount == 1)

    def reclaim(self, lease_seconds: float, limit: int = 100) -> list[Job]:
        """Take back jobs of dead workers; see `densefog_core.jobs.JobStore.reclaim`."""
        return self._ending(partial(self._reclaim, lease_seconds=lease_seconds, limit=limit))

    def _reclaim(self, connection: Connection, lease_seconds: float, limit: int) -> list[Job]:
        stale = select(job).where(job.c.status == RUNNING, job.c.updated < self._dialect.now(-lease_seconds))
        oldest = stale.order_by(job.c.run_at, job.c.id).limit(limit)
        rows = connection.execute(self._dialect.lock(oldest, connection)).all()
        taken = []
        for row in map(from_row, rows):
            if row.trys < row.try_max:
                values: dict[str, Any] = {"status": "pending", "run_at": self._dialect.now(), "error": row.error}
            else:
                # A blocked process has left the reason why it ends this very try.
                error = row.error if row.error.endswith(row.which_try) else f"worker lost {row.which_try}"
                values = {"status": "error", "error": error, **_cleaned_column(row)}
            fence = and_(job.c.id == row.id, job.c.status == "running", job.c.trys == row.trys)
            written = connection.execute(update(job).where(fence).values(updated=self._dialect.now(), **values))
            if written.rowcount == 1:
                taken.append(_replace(row, status=values["status"], error=values["error"]))
                if values["status"] == "error":
                    self._call_last_failure(taken[-1])
        return taken

    # -- reading -------------------------------------------------------------------------------------------

    def get(self, job_id: str) -> Job | None:
        """Return one job, or None."""
        row = self._read(lambda connection: connection.execute(select(job).where(job.c.id == job_id)).first())
        return None if row is None else from_row(row)

    def page(self, which: JobFilter) -> tuple[Sequence[Job], int]:
        """Return one page of jobs and how many there are."""
        conditions = list(_conditions(which))
        order = (job.c.created.desc(), job.c.id.desc()) if which.reverse else (job.c.created, job.c.id)
        page = select(job).where(*conditions).order_by(*order).limit(which.limit).offset(which.offset)
        count = select(func.count()).select_from(job).where(*conditions)
        return self._read(
            lambda connection: ([from_row(row) for row in connection.execute(page)], connection.scalar(count) or 0)
        )

    def stats(self) -> dict[str, Any]:
        """Count jobs by action and status; see `densefog_core.jobs.JobStore.stats`."""
        counts = select(job.c.action, job.c.status, func.count()).group_by(job.c.action, job.c.status)
        now = self._dialect.now()
        oldest = select(func.min(job.c.run_at), now).where(job.c.status == PENDING, job.c.run_at <= now)

        def read(connection: Connection) -> dict[str, Any]:
            rows = sorted(tuple(row) for row in connection.execute(counts))
            since, at = connection.execute(oldest).one()
            return {
                "jobs": [{"action": action, "status": status, "count": count} for action, status, count in rows],
                "oldest_pending_seconds": None if since is None else (at - since) / timedelta(seconds=1),
            }

        return self._read(read)

    # -- steering ------------------------------------------------------------------------------------------

    def retry(self, job_ids: Sequence[str]) -> list[str]:
        """Put ended jobs back to pending; see `densefog_core.jobs.JobStore.retry`."""
        now = self._dialect.now()
        more = case((job.c.try_max > job.c.trys, job.c.try_max), else_=job.c.trys + 1)
        changed = self._change(job_ids, ENDED, status="pending", run_at=now, updated=now, try_max=more, error="")
        return self._woken(changed)

    def run_now(self, job_ids: Sequence[str]) -> list[str]:
        """Make pending jobs due now; return the ids it did that for."""
        now = self._dialect.now()
        return self._woken(self._change(job_ids, ("pending",), run_at=now, updated=now))

    def cancel(self, job_ids: Sequence[str]) -> list[Job]:
        """End jobs as cancelled; see `densefog_core.jobs.JobStore.cancel`."""
        now = self._dialect.now()
        return self._change(job_ids, ("pending", "running"), clean=True, status="error", error="cancelled", updated=now)

    def _woken(self, changed: list[Job]) -> list[str]:
        if changed:
            self.on_enqueued()
        return [one.id for one in changed]

    def _change(
        self, job_ids: Sequence[str], statuses: tuple[str, ...], *, clean: bool = False, **values: Any  # noqa: ANN401
    ) -> list[Job]:
        """Write ``values`` to those of the jobs that are in one of ``statuses``; return them as they were."""

        def change(connection: Connection) -> list[Job]:
            query = select(job).where(job.c.id.in_(list(job_ids)), job.c.status.in_(statuses)).order_by(job.c.id)
            found = [from_row(row) for row in connection.execute(query.with_for_update())]
            for one in found:
                cleaned = _cleaned_column(one) if clean else {}
                connection.execute(update(job).where(job.c.id == one.id).values(**values, **cleaned))
            plain = {name: value for name, value in values.items() if isinstance(value, str)}
            changed = [_replace(one, **plain) for one in found]
            for one in changed if plain.get("status") == "error" else ():
                self._call_last_failure(one)
            return changed

        return self._ending(change)

    def prune(self, older_than: float, limit: int = 500) -> int:
        """Delete ended jobs; see `densefog_core.jobs.JobStore.prune`.

        By sorted primary key: a DELETE over a range deadlocks with workers on InnoDB.
        """

        def prune(connection: Connection) -> int:
            cut = self._dialect.now(-older_than)
            old = select(job.c.id).where(job.c.status.in_(ENDED), job.c.run_at < cut, job.c.updated < cut).limit(limit)
            ids = sorted(connection.scalars(old))
            if not ids:
                return 0
            return connection.execute(delete(job).where(job.c.id.in_(ids), job.c.status.in_(ENDED))).rowcount

        return self._transaction(prune)

    # -- transactions --------------------------------------------------------------------------------------

    def _transaction(self, work: Callable[[Connection], R]) -> R:
        """Run ``work`` in a transaction of its own, again when the database says that it may be repeated."""
        return self._database.run(work)

    def _ending(self, work: Callable[[Connection], list[Job]]) -> list[Job]:
        """Run ``work``, which may end jobs, so that what `last_failures` has for them can take part.

        Args:
            work: returns the jobs that it changed, as they are now.
        """
        changed: dict[str, Job] = {}

        def once(connection: Connection) -> list[Job]:
            """Return what an earlier attempt has changed, too; see `_held_after`."""
            nonlocal changed
            expected = {one.lease: (one.status, one.error) for one in changed.values()}
            agreeing = self._agreeing(connection, expected)
            before = {one.id: one for one in changed.values() if one.lease in agreeing}
            changed = before | {one.id: one for one in work(connection)}
            return list(changed.values())

        return self._joined(once) if self.last_failures else self._transaction(once)

    def _agreeing(self, connection: Connection, expected: Mapping[Lease, tuple[str, str]]) -> set[Lease]:
        """Return those whose rows have the status and the error that are expected."""
        if not expected:
            return set()
        query = select(job.c.id, job.c.trys, job.c.status, job.c.error).where(
            job.c.id.in_([lease.job_id for lease in expected])
        )
        found = {Lease(row.id, row.trys): (row.status, row.error or "") for row in connection.execute(query)}
        return {lease for lease, row in expected.items() if found.get(lease) == row}

    def _joined(self, work: Callable[[Connection], R]) -> R:
        """Run ``work`` in the open `transaction`, or in a new one, that sessions used meanwhile join."""

        def run() -> R:
            with transaction() as session:
                return work(session.connection())

        return run() if in_transaction() else self._database.repeat(run)

    def _read(self, work: Callable[[Connection], R]) -> R:
        return self._database.run(work, read_only=True)


def _storable(error: str) -> str:
    """Return an error's text as every database takes it: not too many bytes, no NUL, no halves of characters."""
    return error.replace("\0", "\\0").encode(errors="backslashreplace")[:MAX_ERROR].decode(errors="ignore")


def _as_row(outcome: Outcome) -> tuple[str, str]:
    """Return the status and the error of the row once the outcome is written."""
    if outcome.status == "finished":
        return "finished", ""
    return "error" if outcome.status == "error" else "pending", _storable(outcome.error)


def _replace(row: Job, **changes: Any) -> Job:  # noqa: ANN401
    from dataclasses import replace

    return replace(row, **changes)


def _cleaned(row: Job) -> str | None:
    """Return the params without their secrets as the column holds them, or None when there are none to hide."""
    cleaned = redact(row.params)
    return None if cleaned == row.params else dump(cleaned)


def _cleaned_column(row: Job) -> dict[str, Any]:
    cleaned = _cleaned(row)
    return {} if cleaned is None else {"params": cleaned}


def _by_id(values: dict[str, str | None]) -> Any:  # noqa: ANN401
    """Return an expression that gives each row its value, or the one value that all have."""
    distinct = set(values.values())
    return distinct.pop() if len(distinct) == 1 else case(values, value=job.c.id)


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


