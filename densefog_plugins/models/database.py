"""The database of an application: which one, and its engine."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, sessionmaker

from densefog_core.context import current_app
from densefog_core.errors import ConfigError
from densefog_plugins.models.engine import create_engine

if TYPE_CHECKING:
    from densefog_core.app import App
    from densefog_core.config import Config

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
            raise ConfigError("setting db_url: not a SQLAlchemy URL such as mysql://user:password@host/database") from None
    if config.db_host:
        config.require("db_user", "db_database")
        url = URL.create(
            "mysql", config.db_user, config.db_password, config.db_host, config.db_port, config.db_database
        )
        return url.render_as_string(hide_password=False)
    config.require("app_root")
    return f"sqlite:///{Path(config.app_root).absolute() / EMBEDDED}"


class Database:
    """An engine and the sessions on it.

    Attributes:
        url: the SQLAlchemy URL, password included.
        engine: SQLAlchemy's engine.
        embedded: whether it is the SQLite file that densefog keeps itself, tables included.
        sessions: makes sessions.
    """

    def __init__(self, config: Config) -> None:
        self.url = database_url(config)
        self.embedded = not (config.db_url or config.db_host)
        self.engine = create_engine(self.url, cooperative=config.gevent)
        self.sessions: sessionmaker[Session] = sessionmaker(self.engine, expire_on_commit=False)


_databases: WeakKeyDictionary[App, Database] = WeakKeyDictionary()
_lock = threading.Lock()


def database(app: App | None = None) -> Database:
    """Return the database of ``app``, by default of this process's application; made when first asked for."""
    app = app or current_app()
    found = _databases.get(app)
    if found is None:
        with _lock:
            found = _databases.get(app) or _databases.setdefault(app, Database(app.config))
    return found
