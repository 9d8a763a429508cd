"""The table of steps, and the statement that keeps one under the fence."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Insert, Select, String, Text, delete, event, insert, literal, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from densefog_core.errors import StepRefused
from densefog_core.flow.steps import MAX_NAME, Step
from densefog_core.jobs import Lease, LeaseLost
from densefog_plugins.models.base import OF_JOB, WITHOUT, Own, Precise, exact
from densefog_plugins.models.database.database import Database
from densefog_plugins.models.jobstore.table import RUNNING, dump, job, load
from densefog_plugins.models.schema import REMEDY, is_there
from densefog_plugins.models.sessions import ScopedSession, current_session, in_transaction

#: Where a session has the leases under which it has kept steps.
_LEASES = "densefog_step_leases"


class JobStep(Own):
    """A step of a job that is done."""

    __tablename__ = "job_step"
    __table_args__ = ({"mysql_charset": "utf8mb4", "info": {OF_JOB: True, WITHOUT: "no job can keep steps"}},)

    job_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(exact(MAX_NAME), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    trys: Mapped[int]
    created: Mapped[datetime] = mapped_column(Precise)


step = Own.metadata.tables[JobStep.__tablename__]


class SQLSteps:
    """Keeps steps in the application's database; see `densefog_core.flow.steps.StepStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, job_ids: Collection[str]) -> Mapping[str, Sequence[Step]]:
        """See `densefog_core.flow.steps.StepStore.read`."""
        if not is_there(self._database, step):
            return {}
        query = select(step).where(step.c.job_id.in_(list(job_ids))).order_by(step.c.trys, step.c.created)
        rows = self._database.run(lambda connection: connection.execute(query).all(), read_only=True)
        found: dict[str, list[Step]] = {}
        for row in rows:
            found.setdefault(row.job_id, []).append(Step(row.name, load(row.value), row.trys, row.created))
        return found

    def keep(self, lease: Lease, name: str, value: Any) -> bool:  # noqa: ANN401
        """See `densefog_core.flow.steps.StepStore.keep`."""
        try:
            if in_transaction(self._database):
                return _keep_with(current_session(), lease, name, value)
            return self._keep(lease, name, value)
        except DBAPIError as exc:
            if is_there(self._database, step):
                raise
            raise StepRefused(f"table {step.name} is not there; a job that keeps steps takes `job`: {REMEDY}") from exc

    def _keep(self, lease: Lease, name: str, value: Any) -> bool:  # noqa: ANN401
        # Nobody takes the job over while its row is locked, which is for this one statement.
        statement = _insert(lease, name, value, _held(lease).with_for_update(read=True))
        try:
            return self._database.run(
                lambda connection: connection.execute(statement).rowcount == 1, engine=self._database.job_engine
            )
        except IntegrityError:
            # An earlier attempt was carried out, though its answer was lost.
            if any(one.name == name and one.trys == lease.trys for one in self.read([lease.job_id])[lease.job_id]):
                return True
            raise


def _held(lease: Lease) -> Select[Any]:
    return select(job.c.id).where(job.c.id == lease.job_id, job.c.status == RUNNING, job.c.trys == lease.trys)


def _insert(lease: Lease, name: str, value: Any, held: Select[Any]) -> Insert:  # noqa: ANN401
    now = datetime.now(UTC).replace(tzinfo=None)
    values = held.add_columns(
        literal(name, step.c.name.type), literal(dump(value) or "null", step.c.value.type), literal(lease.trys),
        literal(now, step.c.created.type),
    )
    columns = ["job_id", "name", "value", "trys", "created"]
    # Of an INSERT SQLAlchemy does not count rows otherwise.
    return insert(step).from_select(columns, values).execution_options(preserve_rowcount=True)


def _keep_with(session: ScopedSession, lease: Lease, name: str, value: Any) -> bool:  # noqa: ANN401
    """Keep a step in an open transaction, which may last: the job's row is locked when that commits, not before."""
    session.info.setdefault(_LEASES, set()).add(lease)
    return session.connection().execute(_insert(lease, name, value, _held(lease))).rowcount == 1


@event.listens_for(ScopedSession, "before_commit")
def _look_again(session: Session) -> None:
    """Let nothing commit with a step whose try was overtaken meanwhile."""
    if session.in_nested_transaction():
        return
    for lease in session.info.pop(_LEASES, ()):
        if session.connection().execute(_held(lease).with_for_update(read=True)).first() is None:
            raise LeaseLost("the job was cancelled, or taken over by another worker")


def forget(connection: Connection, job_id: str, name: str) -> None:
    """Delete a step of a job and those after it."""
    ordered = select(step.c.name).where(step.c.job_id == job_id).order_by(step.c.trys, step.c.created)
    names = list(connection.scalars(ordered))
    if name in names:
        later = step.c.name.in_(names[names.index(name) :])
        connection.execute(delete(step).where(step.c.job_id == job_id, later))
