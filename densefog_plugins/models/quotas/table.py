"""The table of quotas."""

from __future__ import annotations

from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from densefog_plugins.models.base import Own

#: A quota without a limit.
UNLIMITED = -1


class Quota(Own):
    """How many of something a project may have, and has."""

    __tablename__ = "quota"

    id: Mapped[str] = mapped_column(String(90), primary_key=True)
    project_id: Mapped[str] = mapped_column(String(32), index=True)
    resource: Mapped[str] = mapped_column(String(50))
    quota: Mapped[int]
    used: Mapped[int] = mapped_column(default=0)

    def jsonable(self) -> dict[str, Any]:
        """Return the quota as clients see it."""
        return {"projectId": self.project_id, "resource": self.resource, "quota": self.quota, "used": self.used}
