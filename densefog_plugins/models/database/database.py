"""The database of an application: which one, and its engine."""

from __future__ import annotations

import logging
import math
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import URL, Connection, Engine, QueuePool, Table, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from densefog_core.current import current_app
from densefog_core.errors import ConfigError, DBLockTimeoutError
from densefog_core.redact import redact_text
from densefog_plugins.models.base import show_to_migrations
from densefog_plugins.models.database.dialects import DIALECTS
from densefog_plugins.models.database.engine import create_engine
from densefog_plugins.models.database.kept import Kept
from densefog_plugins.models.database.lockwaits import limit_lock_waits
from densefog_plugins.models.planning.plan import current_plan

if TYPE_CHECKING:
    from densefog_core.app import App
    from densefog_core.config import Config

R = TypeVar("R")

#: How often a transaction is tried that the database says may be repeated, the first pause in seconds, and the seconds
#: after which there is no third try: each may have waited for a server that does not answer.
ATTEMPTS = 8
PAUSE = 0.005
PATIENCE = 20.0
#: Least seconds in which a thread outside of the loop gives up a connection, an answer, or a third attempt. psycopg
#: connects no faster.
LEAST_NATIVE_PATIENCE = 2.0

_logger = logging.getLogger("densefog.models")

#: File of the embedded database, in ``app_root``.
EMBEDDED = "densefog.db"


def database_url(config: Config) -> str:
    """Return the SQLAlchemy URL that the settings describe, password included.

    ``db_url`` wins; else MySQL from the five ``db_*`` settings when ``db_host`` is set; else the embedded SQLite.

    Raises:
        ConfigError: ``db_url`` is no URL, or a setting is missing.
    """
    if config.db_url:
        try:
            return make_url(config.db_url).render_as_string(hide_password=False)
        except ArgumentError:
            raise ConfigError("setting db_url: not a URL such as mysql://user:password@host/database") from None
    if config.db_host:
        config.require("db_user", "db_database")
        url = URL.create(
            "mysql", config.db_user, config.db_password, config.db_host, config.db_port, config.db_database
        )
        return url.render_as_string(hide_password=False)
    config.require("app_root")
    return f"sqlite:///{Path(config.app_root).absolute() / EMBEDDED}"


class Database:
    """An engine, the sessions on it, and what is peculiar to its kind.

    Attributes:
        url: the SQLAlchemy URL, password included.
        shown_url: the same without the password.
        engine: SQLAlchemy's engine.
        native: lends a connection to a thread outside of gevent's loop; it may block.
        job_engine: one that commits each statement, for `Statements`; of SQLite it is `engine`.
        fast_engine: the one of both that `Statements` claims and finishes with.
        embedded: whether it is the SQLite file that densefog keeps itself, tables included.
        dialect: what differs between databases.
        used: tables of densefog's own that this application needs, by name.
        later: tables of densefog's own that their first use creates, by name.
        there: names of those of both that were seen in the database.
        owners: the plugin of each of densefog's own tables.
    """

    def __init__(self, config: Config) -> None:
        self.url = database_url(config)
        self.shown_url = make_url(self.url).render_as_string(hide_password=True)
        self.embedded = not (config.db_url or config.db_host)
        prepared = config.db_prepared
        self.engine = create_engine(
            self.url, pool_size=config.db_pool_size, cooperative=gevent_runs(), prepared=prepared,
            patience=config.db_lock_timeout,
        )
        # A beat that waited longer would leave no time for another one.
        self._native_patience = max(config.lease / 4, LEAST_NATIVE_PATIENCE)
        patience = math.ceil(self._native_patience)
        self.native = Kept(create_engine(self.url, pooled=False, patience=patience, prepared=prepared))
        limit_lock_waits(self.engine, config.db_lock_timeout)
        self.used: dict[str, Table] = {}
        self.later: dict[str, Table] = {}
        self.there: set[str] = set()
        self.owners: dict[str, str] = {}
        self.dialect = DIALECTS[self.engine.dialect.name]()
        self.job_engine = self.engine
        if self.engine.dialect.name != "sqlite":
            self.job_engine = create_engine(
                self.url, pool_size=2, cooperative=gevent_runs(), single=True, prepared="off"
            )
        self.fast_engine = self.job_engine if self.dialect.statements.single else self.engine

    def run(
        self,
        work: Callable[[Connection], R],
        *,
        read_only: bool = False,
        native: bool = False,
        engine: Engine | None = None,
    ) -> R:
        """Run ``work`` in a transaction of its own, and again when the database says that it may be repeated.

        Args:
            work: is given the connection.
            read_only: it writes nothing, so that on SQLite it need not wait for the write lock.
            native: this is a thread outside of gevent's loop, which must not touch the loop's connections.
            engine: whose connections to use instead of `engine`.

        Raises:
            DBAPIError: it failed for another reason, or too often.
        """
        if not read_only and (plan := current_plan()) is not None:
            raise plan.refuse("writes outside of its transaction")
        chosen = engine or self.engine

        def once() -> R:
            with self.native.connection() if native else chosen.connect() as connection:
                connection.execution_options(read_only=read_only)
                with connection.begin():
                    return work(connection)

        return self.repeat(once, native=native)

    def repeat(self, once: Callable[[], R], *, native: bool = False) -> R:
        """Run a transaction, and again when the database says that it may be repeated; see `run`."""
        deadline = time.monotonic() + (self._native_patience if native else PATIENCE)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return once()
            except (DBAPIError, DBLockTimeoutError) as exc:
                late = attempt == ATTEMPTS or (attempt > 1 and time.monotonic() > deadline)
                if late or (isinstance(exc, DBAPIError) and not self.dialect.is_transient(exc)):
                    raise
                _logger.info("transaction repeated after: %s", self.reason(exc))
            _sleep(random.uniform(0, PAUSE * 2**attempt), native=native)
        raise AssertionError("unreachable")

    @staticmethod
    def is_database_error(error: BaseException) -> bool:
        """Return whether an exception comes from the database or its driver."""
        return isinstance(error, SQLAlchemyError)

    @staticmethod
    def reason(error: BaseException) -> str:
        """Return what the driver says, in one line, without the statement."""
        return " ".join(redact_text(str(getattr(error, "orig", None) or error)).split())[:300]

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()
        self.native.close()
        self.job_engine.dispose()


def _sleep(seconds: float, *, native: bool) -> None:
    """Wait in gevent's loop when this thread is the loop's."""
    monkey = sys.modules.get("gevent.monkey")
    sleep = monkey.get_original("time", "sleep") if native and monkey is not None else time.sleep
    sleep(seconds)


def gevent_runs() -> bool:
    """Return whether this process's locks are gevent's: without that, two greenlets cannot share SQLAlchemy's pool."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


_databases: WeakKeyDictionary[App, Database] = WeakKeyDictionary()
_lock = threading.Lock()


def database(app: App | None = None) -> Database:
    """Return the database of ``app``, by default of this process's application; made when first asked for."""
    app = app or current_app()
    found = _databases.get(app)
    if found is None:
        with _lock:
            found = _databases.get(app) or _databases.setdefault(app, _open(app))
    return found


def _open(app: App) -> Database:
    found = Database(app.config)
    for record, tables in app.plugins.implementations("densefog_tables"):
        own: list[Table] = list(tables(app=app))
        found.owners.update({table.name: record.name for table in own})
        show_to_migrations(own, found.engine.dialect.name)
    return found


def connections(app: App) -> dict[str, float]:
    """Return how many connections of an application's pool are in use, and how many are idle; none before the first."""
    found = _databases.get(app)
    pool = None if found is None else found.engine.pool
    if not isinstance(pool, QueuePool):
        return {}
    return {"db_connections_in_use": pool.checkedout(), "db_connections_idle": pool.checkedin()}
