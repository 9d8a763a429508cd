"""PgBouncer between densefog and PostgreSQL, in session and in transaction mode."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import make_url, text

from densefog_core.errors import ConfigError
from densefog_core.jobs import Lease, Outcome
from densefog_plugins.models.database.database import database
from densefog_plugins.models.jobstore.store import SQLJobStore
from tests.databases import Server, connected
from tests.docs.pages import free_port
from tests.integration.process import eventually
from tests.plugins.models.stores import make_app, make_job

#: What the sessions of other clients must not find changed.
LEFT = ("lock_timeout", "enable_sort", "enable_seqscan", "enable_bitmapscan")


@pytest.fixture(scope="module", params=["session", "transaction"])
def pgbouncer(request: pytest.FixtureRequest, postgresql: Server) -> Iterator[int]:
    """The port of a PgBouncer before the server, with as many connections to it as one process may need."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
    if program is None:
        reason = "pgbouncer is not there: apt-get install pgbouncer"
        (pytest.fail if os.environ.get("DENSEFOG_REQUIRE_DATABASES") else pytest.skip)(reason)
    port = free_port()
    # In the server's folder, since it may not run as root either.
    settings = postgresql.folder / f"pgbouncer-{request.param}.ini"
    settings.write_text(
        f"[databases]\n* = host=127.0.0.1 port={postgresql.port} user=postgres\n"
        f"[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port={port}\nunix_socket_dir=\nauth_type=any\n"
        f"pool_mode={request.param}\ndefault_pool_size=8\n"
    )
    process = subprocess.Popen(
        [program, str(settings)], user="postgres" if os.geteuid() == 0 else None, stderr=subprocess.DEVNULL
    )
    try:
        url = make_url(postgresql.url("postgres")).set(port=port)
        eventually(lambda: process.poll() is not None or _answers(url.render_as_string()))
        assert process.poll() is None, f"pgbouncer ended: {process.returncode}"
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def pooled_url(pgbouncer: int, postgresql_url: str) -> str:
    """The URL of a database through PgBouncer."""
    return make_url(postgresql_url).set(port=pgbouncer).render_as_string(hide_password=False)


def _answers(url: str) -> bool:
    try:
        with connected(url.replace("postgresql:", "postgresql+psycopg:")) as connection:
            return connection.execute(text("SELECT 1")).scalar() == 1
    except Exception:
        return False


def test_jobs_go_their_way_and_leave_nothing_behind(pooled_url: str) -> None:
    """Each connection of a process is used more often than it takes until psycopg prepares a statement."""
    app = make_app(pooled_url)
    with closing(SQLJobStore(app)) as store:
        store.init()
        assert store.check() == []
        for _ in range(8):
            ids = store.enqueue([make_job("Create"), make_job("Create")])
            jobs = store.claim(10, {"Create"})
            assert sorted(job.id for job in jobs) == sorted(ids)
            assert store.beat([job.lease for job in jobs], native=True) == []
            assert store.beat([Lease(ids[0], 99)], native=True) == [Lease(ids[0], 99)]
            ends = [Outcome(jobs[0], "finished", result=1), Outcome(jobs[1], "error", error="no")]
            assert [store.finish([end]) for end in ends] == [[True], [True]]
        found = database(app)
        with found.engine.connect() as one, found.job_engine.connect() as other:
            # At the same time, so that both engines are asked; outside of a transaction that has set something.
            assert other.exec_driver_sql("SELECT count(*) FROM job").scalar() == 16
            assert one.exec_driver_sql("SELECT count(*) FROM job").scalar() == 16
    for _ in range(8):
        with connected(pooled_url.replace("postgresql:", "postgresql+psycopg:")) as connection:
            values = [connection.execute(text(f"SHOW {name}")).scalar() for name in LEFT]
            assert values == ["0", "on", "on", "on"]


@pytest.mark.parametrize(("prepared", "kept"), [("auto", False), ("on", True), ("off", False)])
def test_statements_are_prepared_where_told_to(pooled_url: str, prepared: str, kept: bool) -> None:
    """By itself densefog finds out that a pooler is there."""
    app = make_app(pooled_url)
    app.config.apply(db_prepared=prepared)
    found = database(app)
    with found.engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        assert (getattr(driver, "prepare_threshold", None) is not None) is kept
    found.close()


def test_statements_are_prepared_without_a_pooler(postgresql_url: str) -> None:
    """That spares the server to plan them each time."""
    app = make_app(postgresql_url)
    found = database(app)
    with found.engine.connect() as connection:
        assert getattr(connection.connection.dbapi_connection, "prepare_threshold", None) == 5
    found.close()


def test_a_claim_that_is_refused_is_found_by_the_check(postgresql_url: str) -> None:
    """By the statement and the connections of workers."""
    app = make_app(postgresql_url)
    with closing(SQLJobStore(app)) as store:
        store.init()
        with database(app).engine.begin() as connection:
            name = make_url(postgresql_url).database
            connection.execute(text("CREATE ROLE reader LOGIN"))
            connection.execute(text(f'GRANT CONNECT ON DATABASE "{name}" TO reader'))
            connection.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"))
        reading = make_url(postgresql_url).set(username="reader").render_as_string(hide_password=False)
        reader = make_app(reading)
        with closing(SQLJobStore(reader)) as other, pytest.raises(ConfigError, match="cannot be claimed"):
            other.check()
        with database(app).engine.begin() as connection:
            connection.execute(text("DROP OWNED BY reader"))
            connection.execute(text("DROP ROLE reader"))
