"""A little cloud for the tests of what is built on the store: its tables, and an application of each database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import String, delete, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import densefog_plugins.models
from densefog_core.ids import new_id
from densefog_core.testing import TestApp, make_app
from densefog_plugins.models import schema
from densefog_plugins.models.base import Own as Densefogs
from densefog_plugins.models.database.database import database
from densefog_plugins.models.resource import ResourceMixin, Timestamps
from densefog_plugins.models.sessions import close_session, transaction

A, B = "prj-a", "prj-b"


class Own(DeclarativeBase):
    """An application's own base, which ``densefog db init`` knows nothing of."""


class Disk(Timestamps, ResourceMixin, Own):
    """A resource with everything."""

    __tablename__ = "disk"
    id_prefix = "dsk-"
    searched = ("id", "name")

    name: Mapped[str] = mapped_column(String(100), default="")

    def jsonable(self) -> dict[str, Any]:
        return {"diskId": self.id, "name": self.name, "status": self.status}


class Plain(ResourceMixin, Own):
    """A resource on a table that has three columns."""

    __tablename__ = "plain"


@contextmanager
def cloud(url: str, *plugins: object, **options: Any) -> Iterator[TestApp]:
    """An application of a database that has the tables of the plugins, and those above."""
    app = make_app(densefog_plugins.models, *plugins, **{"store": "models", "db_url": url, **options})
    # Whatever is switched on: tests switch it on afterwards.
    database(app).used.update(Densefogs.metadata.tables)
    schema.create(database(app))
    Own.metadata.create_all(database(app).engine)
    try:
        yield app
    finally:
        close_session()
        database(app).close()


def empty(app: TestApp) -> None:
    """Delete the rows of the tables above."""
    close_session()
    with database(app).engine.begin() as connection:
        for table in reversed(Own.metadata.sorted_tables):
            connection.execute(delete(table))


def add(
    count: int = 1, model: type[Any] = Disk, project_id: str = A, status: str = "available", **values: Any
) -> list[str]:
    """Add resources and return their ids."""
    with transaction() as session:
        rows = [model(id=new_id("r-"), project_id=project_id, status=status, **values) for _ in range(count)]
        session.add_all(rows)
    return [row.id for row in rows]


def status_of(resource_id: str, model: type[Any] = Disk) -> str:
    """Return the status that is committed."""
    with transaction():
        found: str = model.get(resource_id).status
    close_session()
    return found


@contextmanager
def statements(app: TestApp) -> Iterator[list[str]]:
    """Collect the statements of the block, without those that begin and end transactions and savepoints."""
    seen: list[str] = []

    def before(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith(("BEGIN", "SAVEPOINT", "RELEASE")):
            seen.append(statement)

    event.listen(database(app).engine, "before_cursor_execute", before)
    yield seen
    event.remove(database(app).engine, "before_cursor_execute", before)


NOON = datetime(2030, 1, 1, 12)
