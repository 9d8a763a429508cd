"""An application of each store, with the tables of long work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event

from densefog_core.current import set_current_app
from densefog_core.testing import TestApp, make_app
from densefog_plugins import models
from densefog_plugins.models.database.database import database
from densefog_plugins.models.schema import wanted
from densefog_plugins.models.sessions import close_session
from tests.databases import EVERY_KIND, new_database

Made = Callable[..., TestApp]


@pytest.fixture(scope="module", params=("memory", *EVERY_KIND))
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str | None]:
    """The URL of a database of each kind in turn, or none for the store in memory."""
    if request.param == "memory":
        yield None
        return
    with new_database(request.param, request, tmp_path_factory.mktemp("flow")) as found:
        yield found


@pytest.fixture
def made(url: str | None) -> Iterator[Made]:
    """Make an application with empty tables; of jobs by action, and settings."""
    apps: list[TestApp] = []

    def make(*plugins: object, **options: Any) -> TestApp:
        sql = {} if url is None else {"store": "models", "db_url": url}
        app = make_app(*([models] if url else []), *plugins, **sql, **options)
        apps.append(app)
        app.store.init()
        if url is not None:
            with database(app).engine.begin() as connection:
                for table in wanted(database(app)):
                    connection.execute(delete(table))
                for table in database(app).later.values():
                    table.drop(connection, checkfirst=True)
        return app

    yield make
    for app in apps:
        close_session()
        app.shutdown()
    set_current_app(None)


@contextmanager
def statements(app: TestApp) -> Iterator[list[str]]:
    """The statements that an application's database is sent in the block."""
    sent: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    engines: set[Engine] = {database(app).engine, database(app).job_engine}
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    yield sent
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)
