"""SQLAlchemy engines, set up so that claims are cheap and waiting does not block other greenlets."""

from __future__ import annotations

import importlib.util
import math
import random
import sqlite3
import time
from contextlib import suppress
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Engine, NullPool, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from densefog_core.errors import ConfigError
from densefog_core.ownfiles import make_private

#: SQLAlchemy's dialect and driver, the driver's module, and the extra that installs it.
DRIVERS = {
    "mysql": ("mysql+mysqldb", "MySQLdb", "mysql"),
    "mariadb": ("mariadb+mysqldb", "MySQLdb", "mysql"),
    "postgresql": ("postgresql+psycopg", "psycopg", "postgres"),
    "sqlite": ("sqlite+pysqlite", "sqlite3", ""),
}

#: Seconds until a connection is there, and until a server that does not answer is given up, unless the URL's query says
#: ``connect_timeout`` or ``read_timeout``. InnoDB lets a statement wait 50 seconds for a row lock before it answers.
CONNECT_TIMEOUT, READ_TIMEOUT = 10, 60
#: The second one for what waits for no row lock, and what jobs wait for: claims and the renewal of leases.
SHORT_READ_TIMEOUT = 10

#: Seconds without use after which a connection is checked before it is used again; the second for one that an idle
#: worker uses every few seconds, and that is asked again when it is lost.
PAUSE, POLLED_PAUSE = 1.0, 15.0
_USED = "densefog_used"

#: MySQL and MariaDB refuse what a column cannot hold, whatever the server's own mode is: an emoji is never a "?".
STRICT = {
    "charset": "utf8mb4",
    "init_command": "SET SESSION sql_mode = CONCAT_WS(',', NULLIF(@@sql_mode, ''), 'STRICT_TRANS_TABLES')",
}

#: What MySQL and PostgreSQL say instead of writing when they only read.
READ_ONLY = (1290, 1836, "25006")


def create_engine(
    url: str, *, pool_size: int = 20, cooperative: bool = False, pooled: bool = True, single: bool = False,
    patience: int = 10, prepared: str = "auto",
) -> Engine:
    """Return an engine for a URL.

    Args:
        url: a SQLAlchemy URL; ``mysql://``, ``mariadb://``, ``postgresql://`` and ``sqlite://`` take our drivers.
        pool_size: connections kept; as many again may be open for a while.
        cooperative: under gevent, let other greenlets run while a statement does.
        pooled: keep connections; otherwise each use opens one, in whatever thread it is.
        single: commit each statement, send nothing besides to connections that are used every few seconds, and let
            PostgreSQL read by an index in its order: of jobs that came after the last ANALYZE its planner expects a
            handful, and would read them all and sort.
        patience: seconds until a connection that is not pooled is there, and until it is given up; of SQLite, until
            the write lock is there.
        prepared: whether PostgreSQL prepares statements: ``on``, ``off``, or ``auto``: unless a pooler is in between.

    Raises:
        ConfigError: the kind of database is unknown, or its driver is not installed.
    """
    parsed = _with_driver(make_url(url))
    options: dict[str, Any] = {"pool_size": pool_size, "max_overflow": pool_size}
    if not pooled:
        options = {"poolclass": NullPool}
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, options, cooperative=cooperative, patience=patience)
    limits = {"connect_timeout": CONNECT_TIMEOUT, "read_timeout": SHORT_READ_TIMEOUT if single else READ_TIMEOUT}
    if not pooled:
        limits = {name: min(seconds, patience) for name, seconds in limits.items()}
    wanted = limits | STRICT if parsed.get_driver_name() == "mysqldb" else limits
    arguments: dict[str, Any] = {name: value for name, value in wanted.items() if name not in parsed.query}
    if single:
        options |= {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}
    engine = sqlalchemy.create_engine(
        parsed, **{"isolation_level": "READ COMMITTED", **options}, hide_parameters=True, connect_args=arguments
    )
    if parsed.get_driver_name() == "psycopg":
        from densefog_plugins.models.database import postgres

        postgres.set_up(engine, cooperative=cooperative, by_index=single, prepared=prepared)
    elif cooperative and parsed.get_driver_name() == "mysqldb":
        from densefog_plugins.models.database.mysql import make_cooperative

        make_cooperative(engine)
    if pooled:
        _ping_after_a_pause(engine, POLLED_PAUSE if single else PAUSE)
        _leave_replicas(engine)
    return engine


def _leave_replicas(engine: Engine) -> None:
    """Drop connections to a server that has become read-only, as in a failover: new ones may find its successor."""

    @event.listens_for(engine, "handle_error")
    def handle(context: ExceptionContext) -> None:
        error = context.original_exception
        if getattr(error, "sqlstate", None) in READ_ONLY or (error.args and error.args[0] in READ_ONLY):
            context.is_disconnect = True


def _ping_after_a_pause(engine: Engine, pause: float) -> None:
    """Check connections that were not used for a while; ``pool_pre_ping`` would check each of them every time."""

    @event.listens_for(engine, "checkin")
    def put_back(connection: object, record: ConnectionPoolEntry) -> None:
        record.info[_USED] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def take(connection: DBAPIConnection, record: ConnectionPoolEntry, proxy: object) -> None:
        if time.monotonic() - record.info.get(_USED, math.inf) < pause:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as exc:
            raise InvalidatePoolError from exc


def _with_driver(url: URL) -> URL:
    backend = url.get_backend_name()
    if backend not in DRIVERS:
        raise ConfigError(f"setting db_url: unknown database {backend!r}; expected one of {', '.join(DRIVERS)}")
    drivername, module, extra = DRIVERS[backend]
    if importlib.util.find_spec(module) is None:
        raise ConfigError(f"setting db_url: {backend} needs the package {module}: pip install 'densefog[{extra}]'")
    return url.set(drivername=drivername) if "+" not in url.drivername else url


def _sqlite(url: URL, options: dict[str, Any], *, cooperative: bool, patience: float) -> Engine:
    """Return an engine whose transactions begin with BEGIN IMMEDIATE.

    A transaction that reads first and writes later would fail at once, without waiting, when another one wrote in
    between; so each takes the write lock at its beginning. Waiting for it is done in Python: SQLite's own
    busy handler sleeps in C, where no other greenlet runs, and is unfair (worst transaction 1.5 s instead of 0.2 s).
    """
    engine = sqlalchemy.create_engine(
        url, connect_args={"timeout": 0 if cooperative else patience, "check_same_thread": False},
        hide_parameters=True, **options,
    )

    @event.listens_for(engine, "do_connect")
    def make_file(dialect: object, record: object, arguments: list[Any], options: object) -> None:
        # SQLite gives the files beside it, -wal and -shm, the mode that this one has.
        if not str(arguments[0]).startswith((":memory:", "file:")):
            with suppress(OSError):
                make_private(arguments[0])

    @event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, record: object) -> None:
        connection.isolation_level = None
        patiently(lambda: connection.execute("PRAGMA journal_mode = WAL"), patience)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: sqlalchemy.Connection) -> None:
        if connection.get_execution_options().get("read_only"):
            connection.exec_driver_sql("BEGIN")
        else:
            patiently(lambda: connection.exec_driver_sql("BEGIN IMMEDIATE"), patience)

    return engine


def patiently(attempt: Any, patience: float) -> None:  # noqa: ANN401
    """Try for the write lock for so many seconds, sleeping a little and unevenly in between."""
    deadline = time.monotonic() + patience
    pause = 0.0005
    while True:
        try:
            attempt()
            return
        except (sqlite3.OperationalError, sqlalchemy.exc.OperationalError) as exc:
            if "locked" not in str(exc) or time.monotonic() > deadline:
                raise
        time.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(pause * 1.5, 0.05)
