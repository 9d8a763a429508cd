"""The tables of the cloud's resources."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar, Self

from flask import g
from sqlalchemy import Index, String, select, update
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from tests.bench.plain import errors
from tests.bench.plain.database import Base, Timestamps, session


class Resource(Timestamps, Base):
    """What belongs to a project and has a status; one that ends with ``ing`` says that a task is at work on it."""

    __abstract__ = True
    prefix: ClassVar[str]

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    project_id: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(100), default="")

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Index, ...]:
        """Return the index that lists are read from."""
        return (Index(f"ix_{cls.__tablename__}_list", "project_id", "created", "id", "status"),)

    @classmethod
    def mine(cls, resource_id: str) -> Self:
        """Return the caller's resource, locked until the transaction ends."""
        one = session.get(cls, resource_id, with_for_update=True, populate_existing=True)
        if one is None:
            raise errors.NotFound(resource_id)
        if one.project_id != g.project_id:
            raise errors.Foreign(resource_id)
        return one

    def must_be_available(self) -> None:
        """Refuse the call if it is busy, deleted or broken."""
        if self.status.endswith("ing"):
            raise errors.Busy(self.id)
        if self.status == "deleted":
            raise errors.Deleted(self.id)
        if self.status == "error":
            raise errors.InError(self.id)

    def move(self, status: str, from_: Collection[str]) -> None:
        """Change the status, only if it still is one of ``from_``."""
        cls = type(self)
        guarded = update(cls).where(cls.id == self.id, cls.status.in_(from_)).values(status=status)
        if session.execute(guarded).rowcount != 1:
            raise errors.ResourceError(self.id)


class Volume(Resource):
    """A disk."""

    __tablename__ = "volume"
    prefix = "vol-"

    size: Mapped[int]
    instance_id: Mapped[str | None] = mapped_column(String(32), index=True)

    @property
    def quota(self) -> dict[str, int]:
        """What it takes of its project's quotas."""
        return {"volumes": 1, "gigabytes": self.size}

    def must_be_free(self) -> None:
        """Refuse the call while an instance has it."""
        if self.instance_id is not None:
            raise errors.ResourceError(self.id)

    def jsonable(self) -> dict[str, Any]:
        """Return the volume as tenants see it."""
        return {
            "volumeId": self.id,
            "name": self.name,
            "size": self.size,
            "status": self.status,
            "instanceId": self.instance_id,
            "created": f"{self.created:%Y-%m-%dT%H:%M:%SZ}",
        }


class Instance(Resource):
    """A machine."""

    __tablename__ = "instance"
    prefix = "i-"

    cpus: Mapped[int]
    memory: Mapped[int]

    @property
    def quota(self) -> dict[str, int]:
        """What it takes of its project's quotas."""
        return {"instances": 1}

    def must_be_free(self) -> None:
        """Refuse the call while it has volumes; locked, as AttachVolume locks it, it can get none."""
        if session.scalar(select(Volume.id).where(Volume.instance_id == self.id).limit(1)) is not None:
            raise errors.ResourceError(self.id)

    def jsonable(self) -> dict[str, Any]:
        """Return the instance as tenants see it."""
        return {
            "instanceId": self.id,
            "name": self.name,
            "cpus": self.cpus,
            "memory": self.memory,
            "status": self.status,
            "created": f"{self.created:%Y-%m-%dT%H:%M:%SZ}",
        }
