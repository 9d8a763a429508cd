"""What differs between databases: the clock, row locks, inserts that meet their twin, errors to try again.

SQLAlchemy's own dialects are imported when they are needed: all of them take a tenth of a second at start-up.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    Select,
    Table,
    bindparam,
    cast,
    func,
    literal_column,
    text,
    type_coerce,
)
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.types import DateTime, LargeBinary

from densefog_core.jobs import utcnow
from densefog_plugins.models.jobstore.statements import MySQLStatements, PostgreSQLStatements, Statements


class Dialect:
    """A database as the store needs it; this one is SQLite, the others override.

    Attributes:
        name: SQLAlchemy's name of it.
        statements: the statements of claim and finish.
    """

    name = "sqlite"

    def __init__(self) -> None:
        self.statements = Statements()

    def locks_rows(self, connection: Connection) -> bool:
        """Return whether what `lock` reads is this transaction's until it ends."""
        return True

    def now(self, offset: float = 0.0) -> ColumnElement[Any]:
        """Return the time as an expression: naive UTC, whole seconds, by the database's clock where it has one.

        SQLite has none that writes what SQLAlchemy reads, and runs on this machine: it gets this machine's time.

        Args:
            offset: seconds to add, negative for the past.
        """
        return bindparam(None, utcnow() + timedelta(seconds=round(offset)), DateTime(), unique=True)

    def same_time(self, column: ColumnElement[Any], moment: datetime) -> ColumnElement[bool]:
        """Return whether a column has this time; a row that others wrote may have it without a fraction."""
        return func.datetime(column) == moment.isoformat(" ", "seconds")

    def exactly(self, column: ColumnElement[str]) -> ColumnElement[Any]:
        """Return a text for comparisons in which case, accents and spaces at its end count."""
        return column

    def lock(self, query: Select[Any], connection: Connection) -> Select[Any]:
        """Return ``query`` locking the rows that it reads and passing over locked ones.

        On SQLite the whole transaction is the lock: it begins with BEGIN IMMEDIATE.
        """
        return query

    def insert_ignoring(self, table: Table) -> Insert:
        """Return an INSERT that leaves a row alone whose primary key is there already."""
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table).on_conflict_do_nothing(index_elements=list(table.primary_key))

    def is_transient(self, error: BaseException) -> bool:
        """Return whether the transaction may be run again: a deadlock, a lock wait, a lost connection."""
        return isinstance(error, OperationalError) and any(
            word in str(error.orig).lower() for word in ("locked", "busy", "schema has changed")
        )

    def is_unstorable(self, error: BaseException) -> bool:
        """Return whether a row can never be written: a value does not fit its column, or a constraint refuses it."""
        return isinstance(error, DataError | IntegrityError)

    def is_lock_timeout(self, error: BaseException) -> bool:
        """Return whether a row lock was not to be had in time."""
        return self.is_transient(error)


class MySQL(Dialect):
    """MariaDB 10.6 and newer, MySQL 8; older ones without SKIP LOCKED."""

    name = "mysql"

    #: Deadlock, lock wait timeout, snapshot changed (MariaDB), and the server or the connection gone.
    TRANSIENT = frozenset({1213, 1205, 1020, 1053, 1077, 1079, 1180, 1927, 2002, 2003, 2006, 2013, 2055})
    #: A deadlock's victim could not have its locks either; it has lost its transaction, too.
    LOCK_TIMEOUT = frozenset({1205, 1213})
    #: What mysqlclient counts neither as bad data nor as a constraint: a character that the column's character set does
    #: not have, a check constraint (MySQL, MariaDB), and a trigger that refuses the row.
    UNSTORABLE = frozenset({1366, 1644, 3819, 4025})

    def __init__(self) -> None:
        self.statements = MySQLStatements(self.locks_rows)

    def locks_rows(self, connection: Connection) -> bool:
        """See `Dialect.locks_rows`: a server without SKIP LOCKED would wait for rows that others lock."""
        dialect: Any = connection.dialect
        least = (10, 6) if dialect.is_mariadb else (8, 0, 1)
        return bool(dialect.server_version_info >= least)

    def now(self, offset: float = 0.0) -> ColumnElement[Any]:
        """See `Dialect.now`."""
        if not round(offset):
            return func.utc_timestamp(type_=DateTime())
        return func.timestampadd(literal_column("SECOND"), round(offset), func.utc_timestamp(), type_=DateTime())

    def same_time(self, column: ColumnElement[Any], moment: datetime) -> ColumnElement[bool]:
        """See `Dialect.same_time`."""
        return column == moment

    def exactly(self, column: ColumnElement[str]) -> ColumnElement[Any]:
        """See `Dialect.exactly`."""
        return type_coerce(cast(column, LargeBinary()), column.type)

    def lock(self, query: Select[Any], connection: Connection) -> Select[Any]:
        """See `Dialect.lock`."""
        return query.with_for_update(skip_locked=True) if self.locks_rows(connection) else query

    def insert_ignoring(self, table: Table) -> Insert:
        """See `Dialect.insert_ignoring`; INSERT IGNORE would also swallow values that are too long."""
        from sqlalchemy.dialects import mysql

        first = next(iter(table.primary_key))
        return mysql.insert(table).on_duplicate_key_update({first.name: first})

    def is_transient(self, error: BaseException) -> bool:
        """See `Dialect.is_transient`."""
        return _mysql_code(error) in self.TRANSIENT or (isinstance(error, DBAPIError) and error.connection_invalidated)

    def is_unstorable(self, error: BaseException) -> bool:
        """See `Dialect.is_unstorable`."""
        return super().is_unstorable(error) or _mysql_code(error) in self.UNSTORABLE

    def is_lock_timeout(self, error: BaseException) -> bool:
        """See `Dialect.is_lock_timeout`."""
        return _mysql_code(error) in self.LOCK_TIMEOUT


class PostgreSQL(Dialect):
    """PostgreSQL."""

    name = "postgresql"

    #: RAISE EXCEPTION, by which a trigger refuses a row.
    REFUSED = "P0001"
    #: Serialization failure, deadlock, lock not available; shutdown by admin or crash, cannot connect now; connections.
    TRANSIENT = ("40001", "40P01", "55P03", "57P01", "57P02", "57P03", "08")

    def __init__(self) -> None:
        self.statements = PostgreSQLStatements()

    def now(self, offset: float = 0.0) -> ColumnElement[Any]:
        """See `Dialect.now`."""
        now = func.date_trunc("second", func.timezone("utc", func.statement_timestamp()), type_=DateTime())
        return now + text(f"interval '{round(offset)} seconds'") if round(offset) else now

    def same_time(self, column: ColumnElement[Any], moment: datetime) -> ColumnElement[bool]:
        """See `Dialect.same_time`."""
        return column == moment

    def lock(self, query: Select[Any], connection: Connection) -> Select[Any]:
        """See `Dialect.lock`."""
        return query.with_for_update(skip_locked=True)

    def insert_ignoring(self, table: Table) -> Insert:
        """See `Dialect.insert_ignoring`."""
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).on_conflict_do_nothing(index_elements=list(table.primary_key))

    def is_transient(self, error: BaseException) -> bool:
        """See `Dialect.is_transient`."""
        if not isinstance(error, DBAPIError):
            return False
        if error.connection_invalidated:
            return True
        state = getattr(error.orig, "sqlstate", None)
        return isinstance(error, OperationalError) if state is None else str(state).startswith(self.TRANSIENT)

    def is_unstorable(self, error: BaseException) -> bool:
        """See `Dialect.is_unstorable`."""
        refused = isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == self.REFUSED
        return refused or super().is_unstorable(error)

    def is_lock_timeout(self, error: BaseException) -> bool:
        """See `Dialect.is_lock_timeout`."""
        return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in ("55P03", "40P01")


def _mysql_code(error: BaseException) -> int | None:
    if not isinstance(error, DBAPIError) or error.orig is None or not error.orig.args:
        return None
    code = error.orig.args[0]
    return code if isinstance(code, int) else None


DIALECTS: dict[str, type[Dialect]] = {one.name: one for one in (Dialect, MySQL, PostgreSQL)} | {"mariadb": MySQL}


def is_lock_timeout(error: BaseException) -> bool:
    """Return whether an exception of any database says that a row lock was not to be had in time."""
    return any(one().is_lock_timeout(error) for one in (MySQL, PostgreSQL, Dialect))


def is_duplicate(error: BaseException) -> bool:
    """Return whether an exception says that a unique value is there already."""
    return isinstance(error, IntegrityError)
