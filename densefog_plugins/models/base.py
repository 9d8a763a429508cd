"""The declarative bases: the one that applications may share, and the one of densefog's own tables."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Table
from sqlalchemy.orm import DeclarativeBase

#: What `Table.info` says of a copy, and `Index.info` of the databases that an index is for.
COPIED, DIALECTS = "densefog_copied", "densefog_dialects"


class Base(DeclarativeBase):
    """Base of models whose tables ``densefog db init`` creates.

    An application that has a base and migrations of its own keeps them: `ResourceModel` is a mixin, and every model
    works in `session`.
    """


class Own(DeclarativeBase):
    """Base of densefog's own tables; apart from `Base`, so that an application may have a ``project`` of its own."""


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
