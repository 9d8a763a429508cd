"""ResourceModel: what volumes, instances and the like have in common."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar, Self

from sqlalchemy import Index, String, select, update
from sqlalchemy.orm import Mapped, declared_attr, mapped_column
from sqlalchemy.orm.attributes import set_committed_value

from densefog_core.current import current_app
from densefog_core.errors import iaas_error
from densefog_core.ids import new_id
from densefog_core.jobs import utcnow
from densefog_plugins.models.base import Base
from densefog_plugins.models.planning.plan import TOLD, current_plan
from densefog_plugins.models.sessions import current_session, locking, transaction

DELETED = ("deleted", "ceased")
BUSY_SUFFIX = "ing"


class Timestamps:
    """When a row was created and last changed; put it before the other bases.

    A project's list, newest first, is read from one index, which a class that has ``__table_args__`` of its own adds
    with `list_index`.

    Attributes:
        created: naive UTC, whole seconds.
        updated: the same.
    """

    created: Mapped[datetime] = mapped_column(default=utcnow)
    updated: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> Any:  # noqa: ANN401
        return (list_index(cls.__tablename__),) if "__tablename__" in vars(cls) else ()  # type: ignore[attr-defined]


def storable(values: Iterable[str]) -> list[str]:
    """Return the values that a column may hold; PostgreSQL refuses a statement with a NUL in it."""
    return [value for value in values if "\0" not in value]


def list_index(table: str) -> Index:
    """Return the index that a list of a project's resources is read from, for a class's ``__table_args__``."""
    return Index(f"ix_{table}_list", "project_id", "created", "id", "status")


class ResourceMixin:
    """A resource that belongs to a project and has a status, on an application's own declarative base.

    The table has at least ``id``, ``project_id`` and ``status``. A status that ends with ``ing`` means that a job is at
    work on the resource.

    Attributes:
        id_prefix: what `new_id` begins identifiers with, for example ``vol-``.
        searched: names of the columns that a list's ``searchWord`` looks into.
        id: primary key.
        project_id: the project that owns the resource.
        status: what state it is in.
    """

    id_prefix: ClassVar[str] = "res-"
    searched: ClassVar[tuple[str, ...]] = ("id",)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    project_id: Mapped[str] = mapped_column(String(32), index=True)
    status: Mapped[str] = mapped_column(String(10))

    @classmethod
    def new_id(cls) -> str:
        """Return a new identifier: the class's prefix and 8 characters."""
        return new_id(cls.id_prefix, 8)

    @classmethod
    def get(cls, resource_id: str, *, project_id: str | None = None, lock: bool = False) -> Self:
        """Return one resource.

        Args:
            resource_id: its id.
            project_id: the project on whose behalf it is wanted; None asks for any project's.
            lock: lock the row until the transaction ends.

        Raises:
            ResourceNotFound: there is none; or it is another project's, under ``hide_foreign_resources``.
            ResourceNotBelongsToProject: it is another project's.
            DBLockTimeoutError: the row's lock was not to be had in time.
        """
        return cls.get_many([resource_id], project_id=project_id, lock=lock)[0]

    @classmethod
    def get_many(
        cls, resource_ids: Sequence[str], *, project_id: str | None = None, lock: bool = False
    ) -> list[Self]:
        """Return resources in the order of their ids; see `get`. Rows are locked in one order by everybody."""
        query = select(cls).where(cls.id.in_(storable(resource_ids))).order_by(cls.id)
        if project_id is not None:
            # In SQL, so that nobody can lock what is another's.
            query = query.where(cls.project_id == project_id)
        if lock or locking():
            query = query.with_for_update()
        found = {one.id: one for one in current_session().scalars(query)}
        for resource_id in resource_ids:
            if resource_id not in found:
                raise cls._absent(resource_id, project_id)
            if project_id is not None:
                # MySQL's usual collations compare without case.
                found[resource_id].must_belongs_project(project_id)
        return [found[resource_id] for resource_id in resource_ids]

    @classmethod
    def _absent(cls, resource_id: str, project_id: str | None) -> iaas_error.BaseIaasException:
        if project_id is not None and not current_app().config.hide_foreign_resources:
            if current_session().scalar(select(cls.id).where(cls.id.in_(storable([resource_id])))) == resource_id:
                return iaas_error.ResourceNotBelongsToProject(resource_id)
        return iaas_error.ResourceNotFound(resource_id)

    def must_belongs_project(self, project_id: str) -> None:
        """Raise ResourceNotBelongsToProject unless the project owns the resource."""
        if self.project_id != project_id:
            raise iaas_error.ResourceNotBelongsToProject(self.id)

    def is_busy(self) -> bool:
        """Return whether a job is at work on it."""
        return self.status.endswith(BUSY_SUFFIX)

    def is_deleted(self) -> bool:
        """Return whether it is gone."""
        return self.status in DELETED

    def is_error(self) -> bool:
        """Return whether it is broken."""
        return self.status == "error"

    def must_not_busy(self) -> None:
        """Raise ResourceIsBusy while a job is at work on it."""
        if self.is_busy():
            raise iaas_error.ResourceIsBusy(self.id)

    def must_not_deleted(self) -> None:
        """Raise ResourceIsDeleted when it is gone."""
        if self.is_deleted():
            raise iaas_error.ResourceIsDeleted(self.id)

    def must_not_error(self) -> None:
        """Raise ResourceIsInError when it is broken."""
        if self.is_error():
            raise iaas_error.ResourceIsInError(self.id)

    def must_be_available(self) -> None:
        """Raise unless it is neither busy nor deleted nor broken."""
        self.must_not_busy()
        self.must_not_deleted()
        self.must_not_error()

    def transition(self, status: str, from_: Collection[str] | None = None) -> None:
        """Change the status, in the database and at once, only if it still is one of ``from_``.

        Args:
            status: the new status.
            from_: what it must be now; default: what this object says it is.

        Raises:
            ResourceActionForbiden: another request or job was faster.
        """
        cls = type(self)
        allowed = [self.status] if from_ is None else list(from_)
        values: dict[str, Any] = {"status": status}
        if isinstance(self, Timestamps):
            values["updated"] = utcnow()
        guarded = update(cls).where(cls.id == self.id, cls.status.in_(allowed)).values(**values)
        with transaction() as session:
            # "evaluate" tells the session, which a savepoint that is rolled back must undo, too.
            options = {"synchronize_session": "evaluate", TOLD: True}
            changed = session.execute(guarded.execution_options(**options)).rowcount == 1
            if changed and (plan := current_plan()) is not None:
                plan.tell("change", str(cls.__table__.name), self.id)  # type: ignore[attr-defined]
            if not changed and self in session:
                session.expire(self, list(values))
        if not changed:
            raise iaas_error.ResourceActionForbiden(self.id)
        for name, value in values.items():
            set_committed_value(self, name, value)

    def soft_delete(self) -> None:
        """Mark it as deleted; the row stays, and lists show it only to those who ask for deleted ones.

        Raises:
            ResourceActionForbiden: another request or job was faster.
        """
        self.transition("deleted")


class ResourceModel(ResourceMixin, Base):
    """A resource on densefog's own base; subclass it with a table of one's own, and `Timestamps` before it."""

    __abstract__ = True
