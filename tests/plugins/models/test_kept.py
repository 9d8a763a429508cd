"""The connection that a heartbeat keeps."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from densefog_plugins.models.database.database import database
from tests.databases import SERVER_KINDS, Server
from tests.plugins.models.stores import current, sql, sql_app


def test_beats_go_over_one_connection(database_url: str) -> None:
    """A server that has no more to give does not end the jobs of those that are connected."""
    with sql_app(database_url) as app, current(app):
        at, native = sql(app), database(app).native
        job = at.running()
        assert at.store.beat([job.lease], native=True) == []
        [kept] = native._idle
        for _ in range(3):
            assert at.store.beat([job.lease], native=True) == []
        assert list(native._idle) == [kept] and not kept.closed


@pytest.mark.parametrize("kind", SERVER_KINDS)
def test_a_connection_that_was_cut_is_replaced_within_the_beat(kind: str, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(kind)
    kill = "KILL {}" if kind != "postgresql" else "SELECT pg_terminate_backend({})"
    which = "SELECT connection_id()" if kind != "postgresql" else "SELECT pg_backend_pid()"
    with server.database() as url, sql_app(url) as app, current(app):
        at, found = sql(app), database(app)
        job = at.running()
        number = found.run(lambda connection: connection.scalar(text(which)), native=True)
        with found.engine.connect() as other:
            other.execute(text(kill.format(number)))
        assert at.store.beat([job.lease], native=True) == []
        assert found.run(lambda connection: connection.scalar(text(which)), native=True) != number


def test_a_statement_that_fails_does_not_cost_the_connection(database_url: str) -> None:
    """It may be the last one that there is."""
    with sql_app(database_url) as app, current(app):
        found = database(app)
        found.run(lambda connection: connection.scalar(text("SELECT 1")), native=True)
        [kept] = found.native._idle
        with pytest.raises(DBAPIError):
            found.run(lambda connection: connection.execute(text("SELECT nothing FROM nowhere")), native=True)
        assert list(found.native._idle) == [kept]
