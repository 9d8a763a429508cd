"""How long a statement waits for a row lock: InnoDB's 50 seconds are too long for a request, PostgreSQL's have no
end.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event

#: For rows, and for tables that a migration holds. MariaDB waits a day for those.
_MYSQL = "SET SESSION innodb_lock_wait_timeout = {0}, SESSION lock_wait_timeout = {0}"
_POSTGRESQL = "SET {} lock_timeout = '{}s'"


def limit_lock_waits(engine: Engine, seconds: int) -> None:
    """Let transactions wait no longer than so many seconds for a lock.

    SQLite has one lock, for which its engine waits. Behind a pooler such as PgBouncer a session is not this client's
    alone, and nothing may outlive the transaction: there each one begins with a statement more.
    """
    kind = engine.dialect.name
    if kind == "sqlite":
        return

    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: object) -> None:  # noqa: ANN401 - the driver's connection
        if getattr(connection, "behind_pooler", False):
            return
        cursor = connection.cursor()
        cursor.execute(_POSTGRESQL.format("SESSION", seconds) if kind == "postgresql" else _MYSQL.format(seconds))
        cursor.close()
        connection.commit()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if getattr(connection.connection.dbapi_connection, "behind_pooler", False):
            connection.exec_driver_sql(_POSTGRESQL.format("LOCAL", seconds))
