"""The operation table, as the contract has it."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from densefog_plugins.models.base import Own
from densefog_plugins.models.jobstore.table import load
from densefog_plugins.models.resource import Timestamps

#: Characters of ``ret_message``.
MAX_MESSAGE = 100


class Operation(Timestamps, Own):
    """One call of an action that is marked as an operation."""

    __tablename__ = "operation"
    __table_args__ = (
        Index("ix_operation_list", "project_id", "created", "id"),
        Index("ix_operation_created", "created"),
        {"mysql_charset": "utf8mb4"},
    )
    searched: ClassVar[tuple[str, ...]] = ("id", "action", "resource_ids")

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    project_id: Mapped[str] = mapped_column(String(32))
    access_key: Mapped[str] = mapped_column(String(32))
    action: Mapped[str] = mapped_column(String(50))
    params: Mapped[str] = mapped_column(Text)
    resource_type: Mapped[str] = mapped_column(String(50))
    resource_ids: Mapped[str] = mapped_column(Text)
    ret_code: Mapped[int]
    ret_message: Mapped[str] = mapped_column(String(MAX_MESSAGE))

    def jsonable(self) -> dict[str, Any]:
        """Return the operation as clients see it."""
        return {
            "operationId": self.id,
            "projectId": self.project_id,
            "accessKey": self.access_key,
            "action": self.action,
            "params": load(self.params),
            "resourceType": self.resource_type,
            "resourceIds": load(self.resource_ids),
            "retCode": self.ret_code,
            "retMessage": self.ret_message,
            "created": self.created,
            "updated": self.updated,
        }
