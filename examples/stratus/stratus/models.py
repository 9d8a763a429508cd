"""The tables of stratus."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired, TypedDict

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from densefog_core import iaas_error
from densefog_plugins.models import ResourceModel, Timestamps, session


class VolumeRow(TypedDict):
    """A volume as tenants see it."""

    volumeId: str
    name: str
    size: int
    status: str
    instanceId: str | None
    created: datetime


class InstanceRow(TypedDict):
    """An instance as tenants see it; with its volumes in a verbose list."""

    instanceId: str
    name: str
    cpus: int
    memory: int
    status: str
    created: datetime
    volumes: NotRequired[list[VolumeRow]]


class Volume(Timestamps, ResourceModel):
    """A disk.

    creating -> available -> attaching -> attached -> detaching -> available; deleting -> deleted. A job that fails for
    good leaves ``error``; from there a volume is detached, if it was to be attached, or deleted.
    """

    __tablename__ = "volume"
    id_prefix = "vol-"
    searched = ("name",)

    name: Mapped[str] = mapped_column(String(100), default="")
    size: Mapped[int]
    instance_id: Mapped[str | None] = mapped_column(String(32), index=True)

    @property
    def quota(self) -> dict[str, int]:
        """What it takes of its project's quotas."""
        return {"volumes": 1, "gigabytes": self.size}

    def must_be_free(self) -> None:
        """Raise ResourceActionForbiden while an instance has it."""
        if self.instance_id is not None:
            raise iaas_error.ResourceActionForbiden(self.id)

    def jsonable(self) -> VolumeRow:
        """Return the volume as tenants see it."""
        return {
            "volumeId": self.id,
            "name": self.name,
            "size": self.size,
            "status": self.status,
            "instanceId": self.instance_id,
            "created": self.created,
        }


class Instance(Timestamps, ResourceModel):
    """A machine.

    creating -> active -> stopping -> stopped -> starting -> active; deleting -> deleted. A job that fails for good
    leaves ``error``; from there an instance is deleted.
    """

    __tablename__ = "instance"
    id_prefix = "i-"
    searched = ("name",)

    name: Mapped[str] = mapped_column(String(100), default="")
    cpus: Mapped[int]
    memory: Mapped[int]

    @property
    def quota(self) -> dict[str, int]:
        """What it takes of its project's quotas."""
        return {"instances": 1}

    def must_be_free(self) -> None:
        """Raise ResourceActionForbiden while it has volumes; locked, as AttachVolume locks it, it can get none."""
        if session.scalar(select(Volume.id).where(Volume.instance_id == self.id).limit(1)) is not None:
            raise iaas_error.ResourceActionForbiden(self.id)

    def jsonable(self) -> InstanceRow:
        """Return the instance as tenants see it."""
        return {
            "instanceId": self.id,
            "name": self.name,
            "cpus": self.cpus,
            "memory": self.memory,
            "status": self.status,
            "created": self.created,
        }


Resource = Volume | Instance
