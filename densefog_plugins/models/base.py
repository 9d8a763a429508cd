"""The declarative bases: the one that applications may share, and the one of densefog's own tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import DateTime, String, Table
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeEngine

#: What `Table.info` says of a copy, and `Index.info` of the databases that an index is for.
COPIED, DIALECTS = "densefog_copied", "densefog_dialects"
#: What `Table.info` says of rows that go with the job in their column ``job_id``, and of a table without which a
#: service runs all the same: what cannot be done then.
OF_JOB, WITHOUT = "densefog_of_job", "densefog_without"


class Base(DeclarativeBase):
    """Base of models whose tables ``densefog db init`` creates.

    An application that has a base and migrations of its own keeps them: `ResourceModel` is a mixin, and every model
    works in `session`.
    """


class Own(DeclarativeBase):
    """Base of densefog's own tables; apart from `Base`, so that an application may have a ``project`` of its own."""


class Precise(DateTime):
    """A time with microseconds, which MySQL cuts off otherwise."""


@compiles(Precise, "mysql", "mariadb")
def _precise_in_mysql(*_: Any, **__: Any) -> str:  # noqa: ANN401
    return "DATETIME(6)"


def exact(length: int) -> TypeEngine[str]:
    """Return the type of a text that is compared character by character, in keys too."""
    return String(length).with_variant(String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def show_to_migrations(tables: Iterable[Table], dialect: str) -> None:
    """Copy tables into the metadata of `Base`, but those whose names the application has taken.

    Alembic drops what it does not find there; a table may be in use under another shell's settings.

    Args:
        tables: of densefog's own, or of another plugin's.
        dialect: SQLAlchemy's name of the database.
    """
    for table in tables:
        there = Base.metadata.tables.get(table.key)
        if there is not None and COPIED not in there.info:
            continue
        if there is not None:
            Base.metadata.remove(there)
        copy = table.to_metadata(Base.metadata)
        copy.info[COPIED] = True
        # Alembic does not ask an index for which databases it is.
        elsewhere = {one.name for one in table.indexes if dialect not in one.info.get(DIALECTS, (dialect,))}
        copy.indexes.difference_update([index for index in copy.indexes if index.name in elsewhere])
