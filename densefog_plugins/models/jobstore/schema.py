"""``densefog db init`` and ``check``: are the tables there, and as they must be?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, Index, Inspector, inspect
from sqlalchemy.schema import CreateIndex

from densefog_core.errors import ConfigError
from densefog_plugins.models.base import Base
from densefog_plugins.models.jobstore.table import indexes, job

if TYPE_CHECKING:
    from densefog_plugins.models.database.database import Database

REMEDY = "run: densefog db init"
#: MySQL's name of all of UTF-8.
UTF8 = "utf8mb4"


def create(engine: Engine) -> list[str]:
    """Create the tables and indexes of `Base` that are missing; return a line for each thing that was done."""
    done = []
    with engine.begin() as connection:
        there = set(inspect(connection).get_table_names())
        for table in Base.metadata.sorted_tables:
            if table.name not in there:
                table.create(connection, checkfirst=True)
                done.append(f"created table {table.name}")
        for index in missing_indexes(connection) if job.name in there else ():
            index.create(connection, checkfirst=True)
            done.append(f"created index {index.name} on {job.name}")
    return done or ["nothing to do: every table and index is there"]


def check(database: Database) -> list[str]:
    """Compare the database with what densefog needs.

    Returns:
        A warning for each missing index and for a character set that is too small, with the statement that helps.

    Raises:
        ConfigError: it cannot be reached, or the job table or one of its columns is missing.
    """
    try:
        with database.engine.connect().execution_options(read_only=True) as connection:
            inspector = inspect(connection)
            tables = set(inspector.get_table_names())
            columns = {one["name"] for one in inspector.get_columns(job.name)} if job.name in tables else set()
            indexless = missing_indexes(connection) if job.name in tables else []
            charset = _charset(inspector) if job.name in tables else UTF8
    except Exception as exc:
        if not database.is_database_error(exc):
            raise
        raise ConfigError(f"database {database.shown_url} cannot be used: {database.reason(exc)}") from exc
    missing = [table for table in Base.metadata.tables if table not in tables]
    if missing:
        raise ConfigError(f"database {database.shown_url} has no table {', '.join(sorted(missing))}; {REMEDY}")
    lacking = [column.name for column in job.columns if column.name not in columns]
    if lacking:
        raise ConfigError(
            f"database {database.shown_url}: table {job.name} has no column {', '.join(lacking)}; add what the "
            f"contract says to it, or rename the table and {REMEDY}"
        )
    warnings = [
        f"table {job.name} has no index {index.name}; claiming jobs reads the whole table. Create it, or {REMEDY}: "
        + " ".join(str(CreateIndex(index).compile(database.engine)).split())
        for index in indexless
    ]
    if charset != UTF8:
        warnings.append(
            f"table {job.name} holds text as {charset}; a result with another character ends its job as an error. "
            f"Convert it: ALTER TABLE {job.name} CONVERT TO CHARACTER SET {UTF8}"
        )
    return warnings


def _charset(inspector: Inspector) -> str:
    """Return MySQL's character set of the job table; other databases have one for all, which is UTF-8."""
    # Not every SQLAlchemy that is allowed knows options of SQLite's tables.
    options = inspector.get_table_options(job.name) if inspector.dialect.name in ("mysql", "mariadb") else {}
    return next((str(value) for name, value in options.items() if name.endswith("default charset")), UTF8)


def missing_indexes(connection: Connection) -> list[Index]:
    """Return the claim indexes that the job table does not have, under whatever name."""
    there = inspect(connection).get_indexes(job.name)
    have = [tuple(index["column_names"]) for index in there]
    names = {index["name"] for index in there}
    return [
        index
        for index in indexes(connection.dialect.name)
        if index.name not in names and not _covered(tuple(column.name for column in index.columns), have)
    ]


def _covered(wanted: tuple[str, ...], have: list[tuple[str | None, ...]]) -> bool:
    return ("status", "run_at", "id") in have or (wanted[0] == "status" and ("status", "run_at") in have)
