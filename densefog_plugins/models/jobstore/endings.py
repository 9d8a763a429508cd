"""Transactions in which jobs end: the application takes part in them, and none is told twice or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from sqlalchemy import Connection, select

from densefog_core.functions import guarded
from densefog_core.jobs import Job, Lease
from densefog_plugins.models.database.database import Database
from densefog_plugins.models.jobstore.table import job
from densefog_plugins.models.sessions import in_transaction, savepoint, transaction

R = TypeVar("R")


class Endings:
    """Runs what may end jobs.

    Args:
        database: where they are.
        last_failures: returns what is called, by action, in the transaction that ends a job as an error.
    """

    def __init__(self, database: Database, last_failures: Callable[[], Mapping[str, Callable[[Job], object]]]) -> None:
        self._database = database
        self._last_failures = last_failures

    def change(self, work: Callable[[Connection], list[Job]]) -> list[Job]:
        """Run ``work`` in a transaction, again when the database says that it may be repeated.

        Args:
            work: returns the jobs that it changed, as they are now.

        Returns:
            The jobs that were changed, also by an earlier attempt whose COMMIT was done though its answer was lost.
        """
        changed: dict[str, Job] = {}

        def once(connection: Connection) -> list[Job]:
            nonlocal changed
            now = {one.id: one for one in work(connection)}
            # In this order: the statements of the attempt before may be executed until just now.
            left = [one for one in changed.values() if one.id not in now]
            there = agreeing(connection, {one.lease: (one.status, one.error) for one in left})
            changed = {one.id: one for one in left if one.lease in there} | now
            return list(changed.values())

        return self.joined(once) if self._last_failures() else self._database.run(once)

    def joined(self, work: Callable[[Connection], R]) -> R:
        """Run ``work`` in the open `transaction`, or in a new one, that sessions used meanwhile join."""

        def run() -> R:
            with transaction() as session:
                return work(session.connection())

        return run() if in_transaction(self._database) else self._database.repeat(run)

    def concern(self, jobs: list[Job]) -> bool:
        """Return whether the application takes part in the end of one of the jobs."""
        return not self._last_failures().keys().isdisjoint(one.action for one in jobs)

    def call_last_failure(self, ended: Job) -> None:
        """Let the application move the resources of a job that ends as an error, in the open transaction."""
        call = self._last_failures().get(ended.action)
        if call is None:
            return
        guarded(f"on_last_failure of {ended.action}", f"for {ended.id}", _within_savepoint, call, ended)


def _within_savepoint(call: Callable[[Job], object], ended: Job) -> None:
    with savepoint():
        call(ended)


def agreeing(connection: Connection, expected: Mapping[Lease, tuple[str, str]]) -> set[Lease]:
    """Return those leases whose rows have the status and the error that are expected."""
    if not expected:
        return set()
    query = select(job.c.id, job.c.trys, job.c.status, job.c.error).where(
        job.c.id.in_([lease.job_id for lease in expected])
    )
    found = {Lease(row.id, row.trys): (row.status, row.error or "") for row in connection.execute(query)}
    return {lease for lease, row in expected.items() if found.get(lease) == row}
