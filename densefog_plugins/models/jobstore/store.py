"""The job store in SQL. Every write for a running job is fenced by ``id``, ``status='running'`` and ``trys``.

Claiming is SELECT ... FOR UPDATE SKIP LOCKED, then UPDATE by primary key, in READ COMMITTED; see `statements`.
Finishing locks the rows whose fence still holds and writes a batch of outcomes in one transaction; see `outcomes`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, and_, case, delete, exists, insert, select, tuple_, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from densefog_core.jobs import FailedJob, Job, JobFilter, JobSearch, JobsFound, Lease, Outcome, Sighting
from densefog_core.jobs.ends import CANCELLED
from densefog_core.jobs.searches import CAP, LOOK
from densefog_core.redact import is_masked
from densefog_plugins.models import schema
from densefog_plugins.models.base import OF_JOB
from densefog_plugins.models.database.database import Database, database
from densefog_plugins.models.flow import steps as jobsteps
from densefog_plugins.models.flow.pauses import SQLPauses
from densefog_plugins.models.jobstore import reads as jobreads
from densefog_plugins.models.jobstore import reclaiming, searching
from densefog_plugins.models.jobstore.endings import Endings
from densefog_plugins.models.jobstore.outcomes import OutcomeWriter
from densefog_plugins.models.jobstore.reclaiming import Reclaimer
from densefog_plugins.models.jobstore.table import cleaned_params, dump, from_row, job, to_row
from densefog_plugins.models.planning.plan import current_plan
from densefog_plugins.models.sessions import after_commit, current_session, in_transaction

if TYPE_CHECKING:
    from densefog_core.app import App

R = TypeVar("R")

#: Rows of one INSERT, and ids of one IN list.
BATCH = 200
ENDED = ("finished", "error")


class SQLJobStore:
    """Keeps jobs in the application's database; see `densefog_core.jobs.JobStore`.

    Attributes:
        on_enqueued: called after jobs that are due were committed.
        last_failures: what is called, by action, in the transaction that ends a job as an error.
        steps: of the jobs.
        pauses: of actions, of projects, or of all.
    """

    def __init__(self, app: App) -> None:
        self._database: Database = database(app)
        self._dialect = self._database.dialect
        self._statements = self._dialect.statements
        self._endings = Endings(self._database, lambda: self.last_failures)
        self._outcomes = OutcomeWriter(self._database, self._endings)
        self._reclaimer = Reclaimer(self._dialect, self._endings.call_last_failure)
        self.steps = jobsteps.SQLSteps(self._database)
        self.pauses = SQLPauses(self._database, app.config.poll_interval)
        # Whether the last claim found nothing.
        self._idle = False
        self.on_enqueued: Callable[[], None] = lambda: None
        self.last_failures: Mapping[str, Callable[[Job], object]] = {}
        if self._database.embedded:
            self.init()

    # -- tables --------------------------------------------------------------------------------------------

    def init(self) -> list[str]:
        """Create the tables and indexes that are missing, the application's too."""
        return schema.create(self._database)

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
        joined = session or (current_session() if in_transaction(self._database) else None)
        if (plan := current_plan()) is not None:
            for one in jobs:
                plan.tell("job", one.action)
        if joined is not None:
            self._insert(joined.execute, jobs, repeated=False)
            if due:
                after_commit(joined, self.on_enqueued)
        else:
            # Its COMMIT may be done though the connection was lost before the answer came: then they are there already.
            self._database.run(lambda connection: self._insert(connection.execute, jobs, repeated=True))
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

    def claim(self, limit: int, actions: Collection[str], name: str = "") -> list[Job]:
        """Take due jobs; see `densefog_core.jobs.JobStore.claim`."""
        # Who finds nothing due need not know what is paused: an idle worker does not ask.
        if limit <= 0 or not actions or (self._idle and not self._is_due(sorted(actions))):
            return []
        pauses = self.pauses.current()
        names = sorted(pauses.left(actions))
        if not names:
            self._idle = True
            return []
        repeated = False

        def claim(connection: Connection) -> list[Job]:
            nonlocal repeated
            if repeated and name:
                # The COMMIT of the attempt before may be done though its answer was lost.
                reclaiming.give_back(connection, self._dialect, [name])
            repeated = True
            return self._statements.claim(connection, limit, names, name, sorted(pauses.projects))

        jobs = self._database.run(claim, engine=self._database.fast_engine)
        self._idle = not jobs
        return jobs

    def give_back(self, names: Collection[str]) -> list[Lease]:
        """Put back what claims took; see `densefog_core.jobs.JobStore.give_back`."""
        if not names:
            return []
        return self._database.run(partial(reclaiming.give_back, dialect=self._dialect, names=names))

    def _is_due(self, actions: list[str]) -> bool:
        """Look whether a claim is worth a transaction; a claim that is one statement is its own look."""
        if self._statements.single and self.pauses.fresh:
            return True

        def look() -> bool:
            with self._database.job_engine.connect().execution_options(read_only=True) as connection:
                return self._statements.is_due(connection, actions)

        return self._database.repeat(look)

    # -- the fence -----------------------------------------------------------------------------------------

    def beat(self, leases: Sequence[Lease], *, native: bool = False) -> list[Lease]:
        """Renew leases; see `densefog_core.jobs.JobStore.beat`."""
        return self._database.run(partial(self._beat, leases=leases), native=native)

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
                held = self._outcomes.write(written, native=native)
            except DBAPIError as exc:
                if not self._dialect.is_unstorable(exc):
                    raise
                raise ValueError(f"the table cannot hold it: {self._database.reason(exc)}") from exc
        return [outcome.status != "dropped" and outcome.job.lease in held for outcome in outcomes]

    def progress(self, lease: Lease, value: Any) -> bool:  # noqa: ANN401
        """Write progress; see `densefog_core.jobs.JobStore.progress`."""
        statement = update(job).where(job.c.id == lease.job_id, job.c.status == "running", job.c.trys == lease.trys)
        written = statement.values(result=dump(value), updated=self._dialect.now())
        return self._database.run(lambda connection: connection.execute(written).rowcount == 1)

    def stale(self, lease_seconds: float, limit: int = 10_000) -> list[Sighting]:
        """Find jobs of dead workers; see `densefog_core.jobs.JobStore.stale`."""
        look = partial(reclaiming.stale, dialect=self._dialect, lease_seconds=lease_seconds, limit=limit)
        return self._read(look)

    def reclaim(self, seen: Sequence[Sighting], lease_seconds: float) -> list[Job]:
        """Take back jobs of dead workers; see `densefog_core.jobs.JobStore.reclaim`."""
        if not seen:
            return []
        return self._endings.change(partial(self._reclaimer.reclaim, seen=seen, lease_seconds=lease_seconds))

    # -- reading -------------------------------------------------------------------------------------------

    def get(self, job_id: str) -> Job | None:
        """Return one job, or None; within `transaction` also one that it has enqueued."""
        if in_transaction(self._database):
            return jobreads.one(current_session().connection(), job_id)
        return self._read(partial(jobreads.one, job_id=job_id))

    def page(self, which: JobFilter) -> tuple[Sequence[Job], int]:
        """Return one page of jobs, by creation, and how many there are in all."""
        return self._read(partial(jobreads.page, which=which))

    def find(self, which: JobSearch, limit: int, look: int = LOOK) -> JobsFound:
        """Look through the jobs of a status; see `densefog_core.jobs.JobStore.find`."""
        return self._read(partial(searching.find, which=which, limit=limit, look=look))

    def count(self, which: JobSearch, cap: int = CAP, look: int = LOOK) -> int:
        """Count the jobs of a search; see `densefog_core.jobs.JobStore.count`."""
        return self._read(partial(searching.count, which=which, cap=cap, look=look))

    def failures(self, look: int = LOOK) -> Sequence[FailedJob]:
        """Return the newest failed jobs; see `densefog_core.jobs.JobStore.failures`."""
        return self._read(partial(searching.failures, look=look))

    def stats(self) -> dict[str, Any]:
        """Count jobs by action and status; see `densefog_core.jobs.JobStore.stats`."""
        return self._read(partial(jobreads.stats, dialect=self._dialect))

    def oldest_due(self) -> float | None:
        """Return how long the oldest due job has waited; see `densefog_core.jobs.JobStore.oldest_due`."""
        return self._read(partial(jobreads.oldest_due, dialect=self._dialect))

    def unhandled(self, actions: Collection[str]) -> list[str]:
        """Return the actions of due jobs that nobody here handles."""
        return self._read(partial(jobreads.unhandled, dialect=self._dialect, actions=actions))

    def _read(self, work: Callable[[Connection], R]) -> R:
        return self._database.run(work, read_only=True)

    # -- steering ------------------------------------------------------------------------------------------

    def retry(self, job_ids: Sequence[str], from_step: str | None = None) -> list[str]:
        """Put ended jobs back to pending; see `densefog_core.jobs.JobStore.retry`."""
        now = self._dialect.now()
        more = case((job.c.try_max > job.c.trys, job.c.try_max), else_=job.c.trys + 1)
        values = {"status": "pending", "error": "", "run_at": now, "updated": now, "try_max": more}

        def forget(connection: Connection, job_id: str) -> None:
            if from_step is not None:
                jobsteps.forget(connection, job_id, from_step)

        return self._woken(self._change(job_ids, ENDED, lambda one: {} if is_masked(one.params) else values, forget))

    def run_now(self, job_ids: Sequence[str]) -> list[str]:
        """Make pending jobs due now; return the ids it did that for."""
        now = self._dialect.now()
        return self._woken(self._change(job_ids, ("pending",), lambda one: {"run_at": now, "updated": now}))

    def cancel(self, job_ids: Sequence[str]) -> list[Job]:
        """End jobs as cancelled; see `densefog_core.jobs.JobStore.cancel`."""
        values = {"status": "error", "error": CANCELLED, "updated": self._dialect.now()}
        return self._change(job_ids, ("pending", "running"), lambda one: values | cleaned_params(one))

    def _woken(self, changed: list[Job]) -> list[str]:
        if changed:
            self.on_enqueued()
        return [one.id for one in changed]

    def _change(
        self,
        job_ids: Sequence[str],
        statuses: tuple[str, ...],
        new: Callable[[Job], Mapping[str, Any]],
        also: Callable[[Connection, str], object] = lambda connection, job_id: None,
    ) -> list[Job]:
        """Write what ``new`` has for each job that is in one of ``statuses``; return those it has something for."""

        def change(connection: Connection) -> list[Job]:
            query = select(job).where(job.c.id.in_(list(job_ids)), job.c.status.in_(statuses)).order_by(job.c.id)
            changed = []
            for one in map(from_row, connection.execute(query.with_for_update()).all()):
                if values := new(one):
                    connection.execute(update(job).where(job.c.id == one.id).values(**values))
                    also(connection, one.id)
                    told = {name: values[name] for name in ("status", "error") if name in values}
                    changed.append(replace(one, **told))
            for one in changed:
                if one.status == "error":
                    self._endings.call_last_failure(one)
            return changed

        return self._endings.change(change)

    def prune(self, older_than: float, limit: int = 500) -> int:
        """Delete ended jobs; see `densefog_core.jobs.JobStore.prune`.

        By sorted primary key: a DELETE over a range deadlocks with workers on InnoDB.
        """
        used = list(self._database.used.values())
        theirs = [table for table in used if table.info.get(OF_JOB) and schema.is_there(self._database, table)]

        def prune(connection: Connection) -> int:
            cut = self._dialect.now(-older_than)
            old = select(job.c.id).where(job.c.status.in_(ENDED), job.c.run_at < cut, job.c.updated < cut).limit(limit)
            ids = sorted(connection.scalars(old))
            if not ids:
                return 0
            pruned = connection.execute(delete(job).where(job.c.id.in_(ids), job.c.status.in_(ENDED))).rowcount
            for table in theirs:
                gone = ~exists().where(job.c.id == table.c.job_id)
                connection.execute(delete(table).where(table.c.job_id.in_(ids), gone))
            return pruned

        return self._database.run(prune)
