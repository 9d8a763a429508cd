"""How long a statement waits for a row lock: InnoDB's 50 seconds are too long for a request, PostgreSQL's have no
end.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event

_STATEMENTS = {
    "mysql": "SET SESSION innodb_lock_wait_timeout = {}",
    "mariadb": "SET SESSION innodb_lock_wait_timeout = {}",
    "postgresql": "SET lock_timeout = '{}s'",
}


def limit_lock_waits(engine: Engine, seconds: int) -> None:
    """Let the engine's connections wait no longer than so many seconds for a row lock; SQLite has one lock and its
    own limit.
    """
    statement = _STATEMENTS.get(engine.dialect.name)
    if statement is None:
        return

    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: object) -> None:  # noqa: ANN401 - the driver's connection
        cursor = connection.cursor()
        cursor.execute(statement.format(seconds))
        cursor.close()
        connection.commit()
