"""Writing the outcomes of tries under the fence: one statement for results alone, a transaction for all else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import Connection, case, select, update

from densefog_core.jobs import LAPSED, Lease, Outcome
from densefog_core.jobs.ends import failed, lost
from densefog_plugins.models.database.database import Database
from densefog_plugins.models.jobstore.endings import Endings, agreeing
from densefog_plugins.models.jobstore.statements import FenceRefused
from densefog_plugins.models.jobstore.table import cleaned_params, dump, job, storable_error

_logger = logging.getLogger("densefog.store")


class OutcomeWriter:
    """Writes outcomes into the rows of their jobs.

    Args:
        database: where they are.
        endings: runs the transactions in which the application takes part.
    """

    def __init__(self, database: Database, endings: Endings) -> None:
        self._database = database
        self._dialect = database.dialect
        self._endings = endings

    def write(self, outcomes: Sequence[Outcome], *, native: bool) -> set[Lease]:
        """Write outcomes, none of them ``dropped``, and return the leases that held.

        Args:
            outcomes: of tries that were claimed here.
            native: see `densefog_core.jobs.JobStore.finish`.
        """
        unsure = {one.job.lease for one in outcomes if one.unsure}

        def once(connection: Connection, write: Callable[[Connection, Sequence[Outcome]], set[Lease]]) -> set[Lease]:
            """Write, and look at the rows of what is refused and may have been written by an earlier attempt.

            In this order: a statement of an earlier attempt may be executed until just now.
            """
            before = set(unsure)
            unsure.update(one.job.lease for one in outcomes)
            try:
                written = write(connection, outcomes)
            except FenceRefused:
                unsure.intersection_update(before)
                raise
            refused = [one for one in outcomes if one.job.lease in before - written]
            return written | agreeing(connection, {one.job.lease: _as_row(one) for one in refused})

        if not native and all(one.status == "finished" and not cleaned_params(one.job) for one in outcomes):
            try:
                finish = partial(once, write=self._dialect.statements.finish)
                return self._database.run(finish, engine=self._database.fast_engine)
            except FenceRefused:
                _logger.info("of %d leases some are lost; the outcomes are written one by one", len(outcomes))
        work = partial(once, write=partial(self._write_all, native=native))
        if not native and self._endings.concern([one.job for one in outcomes if one.status == "error"]):
            return self._endings.joined(work)
        return self._database.run(work, native=native)

    def _write_all(self, connection: Connection, outcomes: Sequence[Outcome], *, native: bool) -> set[Lease]:
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
        params = {outcome.job.id: text for outcome in outcomes for text in cleaned_params(outcome.job).values()}
        if params:
            values["params"] = case(params, value=job.c.id, else_=job.c.params)
        connection.execute(update(job).where(job.c.id.in_([outcome.job.id for outcome in outcomes])).values(**values))

    def _write_failed(self, connection: Connection, outcome: Outcome, *, native: bool) -> None:
        values: dict[str, Any] = {"updated": self._dialect.now(), "error": _error(outcome, native=native)}
        if outcome.status == "error" and native:
            values["updated"] = LAPSED
        elif outcome.status == "error":
            values["status"] = "error"
            values |= cleaned_params(outcome.job)
        elif outcome.status == "retry":
            values |= {"status": "pending", "run_at": self._dialect.now(outcome.delay)}
        else:
            # The try is given back by allowing one more: trys never goes down, or two tries could share a token.
            values |= {"status": "pending", "run_at": self._dialect.now(), "try_max": job.c.try_max + 1}
        connection.execute(update(job).where(job.c.id == outcome.job.id).values(**values))
        if values.get("status") == "error":
            self._endings.call_last_failure(replace(outcome.job, status="error", error=values["error"]))


def _as_row(outcome: Outcome) -> tuple[str, str]:
    """Return the status and the error of the row once the outcome is written."""
    if outcome.status == "finished":
        return "finished", ""
    return "error" if outcome.status == "error" else "pending", _error(outcome, native=False)


def _error(outcome: Outcome, *, native: bool) -> str:
    """Return the error as its column has it; what a native thread writes as the end is taken back as a lost try."""
    if native and outcome.status == "error":
        return lost(outcome.job.which_try, storable_error(outcome.error))
    return failed(storable_error(outcome.error))


def _by_id(values: dict[str, str]) -> Any:  # noqa: ANN401
    """Return an expression that gives each row its value, or the one value that all have."""
    distinct = set(values.values())
    return distinct.pop() if len(distinct) == 1 else case(values, value=job.c.id)
