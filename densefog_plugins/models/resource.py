"""ResourceModel: what volumes, instances and the like have in common."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar, Self

from sqlalchemy import String, select, update
from sqlalchemy.orm import Mapped, mapped_column

from densefog_core.errors import iaas_error
from densefog_core.ids import new_id
from densefog_plugins.models.base import Base
from densefog_plugins.models.sessions import current_session, locking

DELETED = ("deleted", "ceased")
BUSY_SUFFIX = "ing"


class ResourceModel(Base):
    """A resource that belongs to a project and has a status; subclass it with a table of one's own.

    The table has at least ``id``, ``project_id`` and ``status``. A status that ends with ``ing`` means that a job is at
    work on the resource.

    Attributes:
        id_prefix: what `new_id` begins identifiers with, for example ``vol-``.
        id: primary key.
        project_id: the project that owns the resource.
        status: what state it is in.
    """

    __abstract__ = True
    id_prefix: ClassVar[str] = "res-"

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
            ResourceNotFound: there is none, or it is deleted for good.
            ResourceNotBelongsToProject: it is another project's.
        """
        return cls.get_many([resource_id], project_id=project_id, lock=lock)[0]

    @classmethod
    def get_many(
        cls, resource_ids: Sequence[str], *, project_id: str | None = None, lock: bool = False
    ) -> list[Self]:
        """Return resources in the order of their ids; see `get`. Rows are locked in one order by everybody."""
        query = select(cls).where(cls.id.in_(resource_ids)).order_by(cls.id)
        if lock or locking():
            query = query.with_for_update().execution_options(populate_existing=True)
        found = {one.id: one for one in current_session().scalars(query)}
        for resource_id in resource_ids:
            if resource_id not in found:
                raise iaas_error.ResourceNotFound(resource_id)
            if project_id is not None:
                found[resource_id].must_belongs_project(project_id)
        return [found[resource_id] for resource_id in resource_ids]

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
        allowed = [self.status] if from_ is None else list(from_)
        changed = current_session().execute(
            update(type(self)).where(type(self).id == self.id, type(self).status.in_(allowed)).values(status=status)
        )
        if changed.rowcount != 1:  # type: ignore[attr-defined]
            raise iaas_error.ResourceActionForbiden(self.id)
        self.status = status
