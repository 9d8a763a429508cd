"""The tables of projects, access keys and nonces."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from densefog_core.jobs import utcnow
from densefog_plugins.models.base import Own
from densefog_plugins.models.resource import Timestamps

ACTIVE, DELETED = "active", "deleted"
PROJECT, MANAGE, READER = "project", "manage", "reader"


class Project(Timestamps, Own):
    """Whom resources belong to."""

    __tablename__ = "project"
    __table_args__ = ()
    searched: ClassVar[tuple[str, ...]] = ("id", "name")

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), default="")
    status: Mapped[str] = mapped_column(String(10), default=ACTIVE)

    def jsonable(self) -> dict[str, Any]:
        """Return the project as operators see it."""
        return {
            "projectId": self.id,
            "name": self.name,
            "status": self.status,
            "created": self.created,
            "updated": self.updated,
        }


class AccessKey(Timestamps, Own):
    """What a client proves to have, and whom it then acts for."""

    __tablename__ = "access_key"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    project_id: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(10), default=PROJECT)
    status: Mapped[str] = mapped_column(String(10), default=ACTIVE)
    #: Only keys of before 1.0 have something here: the key of the HMAC, until `rotation` seals it.
    secret_hash: Mapped[str] = mapped_column(String(64), default="")
    name: Mapped[str] = mapped_column(String(100), default="")
    expires: Mapped[datetime | None]

    def is_expired(self) -> bool:
        """Return whether its time is over."""
        return self.expires is not None and self.expires <= utcnow()

    def jsonable(self) -> dict[str, Any]:
        """Return the key as operators see it."""
        return {
            "accessKey": self.id,
            "projectId": self.project_id if self.kind == PROJECT else None,
            "kind": self.kind,
            "name": self.name,
            "status": "expired" if self.status == ACTIVE and self.is_expired() else self.status,
            "expires": self.expires,
            "created": self.created,
            "updated": self.updated,
        }


class AccessSecret(Own):
    """What is kept of a key's secret: `proofs` says in which form. Nothing in here can sign."""

    __tablename__ = "access_secret"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    use: Mapped[str] = mapped_column(String(10))
    value: Mapped[str] = mapped_column(String(255))


class Nonce(Own):
    """What one signed request was made unrepeatable with."""

    __tablename__ = "nonce"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    created: Mapped[datetime] = mapped_column(index=True, default=utcnow)


TABLES = (Project, AccessKey, AccessSecret, Nonce)
