"""What each connection is like, and how many there may be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, TimeoutError
from sqlalchemy.pool import QueuePool

from densefog_plugins.models.database.database import Database, database
from tests.databases import Server
from tests.plugins.models.stores import make_app

EMOJI = "\N{FOG}\N{GRINNING FACE}"
LAX = ("SET GLOBAL sql_mode = ''", "SET GLOBAL character_set_server = latin1")
AS_BEFORE = ("SET GLOBAL sql_mode = DEFAULT", "SET GLOBAL character_set_server = DEFAULT")


@pytest.fixture
def lax(mariadb: Server) -> Iterator[Database]:
    """A database of a server that stores what it can, and cuts or replaces the rest."""
    mariadb.execute(*LAX)
    try:
        with mariadb.database() as url, closing(database(make_app(url))) as found:
            with found.engine.begin() as connection:
                connection.execute(text("CREATE TABLE wide (v varchar(4)) CHARACTER SET utf8mb4"))
                connection.execute(text("CREATE TABLE narrow (v varchar(4)) CHARACTER SET latin1"))
            yield found
    finally:
        mariadb.execute(*AS_BEFORE)


def engines(found: Database) -> list[Engine]:
    return [found.engine, found.job_engine, found.native._engine]


def test_what_a_column_cannot_hold_is_refused(lax: Database) -> None:
    """By the connections of actions, of jobs and of heartbeats: no emoji becomes a question mark, no text is cut."""
    for engine in engines(lax):
        for table, value in (("narrow", EMOJI), ("wide", "too long")):
            with pytest.raises(DBAPIError), engine.begin() as connection:
                connection.execute(text(f"INSERT INTO {table} VALUES (:v)"), {"v": value})


def test_an_emoji_comes_back_as_it_was(lax: Database) -> None:
    for engine in engines(lax):
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM wide"))
            connection.execute(text("INSERT INTO wide VALUES (:v)"), {"v": EMOJI})
            assert connection.scalar(text("SELECT v FROM wide")) == EMOJI


def test_a_process_opens_as_many_as_its_setting_says(database_url: str) -> None:
    """As many again for a while; the next one waits."""
    app = make_app(database_url)
    app.config.apply(db_pool_size=1)
    with closing(database(app)) as found:
        assert isinstance(found.engine.pool, QueuePool)
        found.engine.pool._timeout = 0
        with found.engine.connect(), found.engine.connect():
            assert found.engine.pool.checkedout() == 2
            with pytest.raises(TimeoutError):
                found.engine.connect()
