"""The table of counts."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Insert, String, delete, select
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from densefog_core.jobs import utcnow
from densefog_plugins.models.base import Own
from densefog_plugins.models.database.database import database
from densefog_plugins.models.schema import use_tables

if TYPE_CHECKING:
    from densefog_core.app import App

#: One in so many calls deletes counts that are forgotten, so many at once.
PRUNE_EVERY, PRUNE_LIMIT = 100, 1000


class Count(Own):
    """How often something happened.

    Attributes:
        id: what is counted.
        count: how often.
        expires: when it may be forgotten; naive UTC.
    """

    __tablename__ = "counter"
    __table_args__ = ({"mysql_charset": "utf8mb4"},)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int]
    expires: Mapped[datetime] = mapped_column(index=True)


class SQLCounter:
    """Counts in a table: one short transaction for each count, which nobody else's is part of."""

    def __init__(self, app: App) -> None:
        self._database = database(app)
        use_tables(app, Count)

    def add(self, key: str, lifetime: float) -> int:
        """Count; see `densefog_core.counting.Counter.add`."""
        expires = utcnow() + timedelta(seconds=lifetime + 1)
        count = self._database.run(partial(_add, key=key, expires=expires))
        if random.random() * PRUNE_EVERY < 1:
            self._database.run(_prune)
        return count


def _add(connection: Connection, key: str, expires: datetime) -> int:
    connection.execute(_counting(connection.dialect.name, {"id": key, "count": 1, "expires": expires}))
    # The row is locked by the statement before, so this is the count that it made.
    return connection.execute(select(Count.count).where(Count.id == key)).scalar_one()


def _counting(dialect: str, row: dict[str, object]) -> Insert:
    """Return the statement that inserts a row, or counts one more in the one that is there."""
    more = {"count": Count.__table__.c.count + 1}
    if dialect in ("mysql", "mariadb"):
        return mysql.insert(Count).values(row).on_duplicate_key_update(more)
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(Count).values(row).on_conflict_do_update(index_elements=[Count.id], set_=more)


def _prune(connection: Connection) -> None:
    old = select(Count.id).where(Count.expires <= utcnow()).limit(PRUNE_LIMIT)
    if ids := sorted(connection.scalars(old)):
        connection.execute(delete(Count).where(Count.id.in_(ids)))
