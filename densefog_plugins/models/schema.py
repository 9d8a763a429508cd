"""``densefog db init`` and ``check``: are the tables there, and as they must be?"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from sqlalchemy import Connection, Index, Inspector, Table, inspect
from sqlalchemy.schema import CreateIndex, CreateTable

from densefog_core.app import App
from densefog_core.errors import ConfigError
from densefog_plugins.models.base import COPIED, WITHOUT, Base, Own
from densefog_plugins.models.comparing import Differences, differences
from densefog_plugins.models.database.database import Database, database
from densefog_plugins.models.jobstore.table import indexes, job

REMEDY = "run: densefog db init"
#: MySQL's name of all of UTF-8.
UTF8 = "utf8mb4"


def use_tables(app: App, *models: type[Own]) -> None:
    """Say which tables of densefog's own are in use: ``db init`` creates them, the embedded database has them now."""
    found = database(app)
    found.used.update({model.__tablename__: Own.metadata.tables[model.__tablename__] for model in models})
    if found.embedded:
        create(found)


def is_there(found: Database, table: Table) -> bool:
    """Return whether one of densefog's own tables is in use and in the database; one that was there stays."""
    if table.name in {**found.used, **found.later} and table.name not in found.there:
        with found.engine.connect().execution_options(read_only=True) as connection:
            if inspect(connection).has_table(table.name):
                found.there.add(table.name)
    return table.name in found.there


def create_later(found: Database, table: Table) -> None:
    """Create a table that its first use creates, unless it is there.

    Raises:
        ConfigError: the database's user may not; has the statement for one who may.
    """
    if is_there(found, table):
        return
    try:
        with found.engine.begin() as connection:
            table.create(connection, checkfirst=True)
    except Exception as exc:
        if not found.is_database_error(exc):
            raise
        if not is_there(found, table):
            statement = " ".join(str(CreateTable(table).compile(found.engine)).split())
            raise ConfigError(
                f"database {found.shown_url} has no table {table.name}, and it cannot be created: "
                f"{found.reason(exc)}. Let a user that may create it: {statement}"
            ) from exc


def wanted(found: Database, there: Collection[str] = ()) -> list[Table]:
    """Return the tables that a database must have: the application's on `Base`, and those of densefog's in use.

    Args:
        found: the database.
        there: names of the tables that it has; those that a first use has created are among them.
    """
    own = {job.name: job, **found.used, **{name: table for name, table in found.later.items() if name in there}}
    theirs = [table for table in Base.metadata.sorted_tables if not table.info.get(COPIED)]
    return [*own.values(), *(table for table in theirs if table.name not in own)]


def create(found: Database) -> list[str]:
    """Create the tables and indexes that are missing; return a line for each thing that was done.

    A table that is there already is never changed but for the claim indexes of ``job``; where it is not as densefog
    needs it, it may be another program's, and a line says so.
    """
    done = []
    with found.engine.begin() as connection:
        there = set(inspect(connection).get_table_names())
        for table in wanted(found):
            if table.name not in there:
                table.create(connection, checkfirst=True)
                done.append(f"created table {table.name}")
        unlike = _compare(inspect(connection), found, there)
        left = [f"left alone: {line}" for one in unlike.values() for line in one.fatal]
        for index in missing_indexes(connection) if job.name in there and not unlike[job.name].fatal else ():
            index.create(connection, checkfirst=True)
            done.append(f"created index {index.name} on {job.name}")
    return [*(done or ["nothing to do: every table and index is there"]), *left]


def check(found: Database) -> list[str]:
    """Compare the database with what densefog needs.

    Returns:
        A warning for each column that is too short, each missing index and a character set that is too small, with
        what helps.

    Raises:
        ConfigError: it cannot be reached, a table is missing, or one of densefog's own cannot be written; a line for
            each reason.
    """
    try:
        with found.engine.connect().execution_options(read_only=True) as connection:
            inspector = inspect(connection)
            tables = set(inspector.get_table_names())
            missing = {table.name: table.info.get(WITHOUT) for table in wanted(found) if table.name not in tables}
            unlike = _compare(inspector, found, tables)
            usable = job.name in unlike and not unlike[job.name].fatal
            indexless = missing_indexes(connection) if usable else []
            charset = _charset(inspector) if usable else UTF8
    except Exception as exc:
        if not found.is_database_error(exc):
            raise
        raise ConfigError(f"database {found.shown_url} cannot be used: {found.reason(exc)}") from exc
    if needed := sorted(name for name, without in missing.items() if without is None):
        raise ConfigError(f"database {found.shown_url} has no table {', '.join(needed)}; {REMEDY}")
    if fatal := [line for one in unlike.values() for line in one.fatal]:
        raise ConfigError("\n".join(f"database {found.shown_url}: {line}" for line in fatal))
    _try_claim(found)
    warnings = [line for one in unlike.values() for line in one.warnings]
    warnings += [f"there is no table {name}: {without}; {REMEDY}" for name, without in sorted(missing.items())]
    warnings += [
        f"table {job.name} has no index {index.name}; claiming jobs reads the whole table. Create it, or {REMEDY}: "
        + " ".join(str(CreateIndex(index).compile(found.engine)).split())
        for index in indexless
    ]
    if charset != UTF8:
        warnings.append(
            f"table {job.name} holds text as {charset}; a result with another character ends its job as an error. "
            f"Convert it: ALTER TABLE {job.name} CONVERT TO CHARACTER SET {UTF8}"
        )
    return warnings


def _try_claim(found: Database) -> None:
    """Claim jobs of no action, by the connections that workers use: a pooler may refuse what they send.

    Raises:
        ConfigError: jobs cannot be claimed.
    """
    if found.job_engine is found.engine:
        return
    try:
        found.run(partial(found.dialect.statements.claim, limit=1, actions=[""]), engine=found.fast_engine)
    except Exception as exc:
        if not found.is_database_error(exc):
            raise
        raise ConfigError(f"database {found.shown_url}: jobs cannot be claimed: {found.reason(exc)}") from exc


def _compare(inspector: Inspector, found: Database, there: set[str]) -> dict[str, Differences]:
    """Compare densefog's own tables that are there with what it needs; applications look after theirs themselves."""
    own = [table for table in wanted(found, there) if table.metadata is Own.metadata and table.name in there]
    return {table.name: differences(inspector, table, found.owners.get(table.name, "models")) for table in own}


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
