"""Job tables that others made: as two applications' migrations have them, and as the original's README has it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, insert, select, text

from densefog_core.app import App
from densefog_core.ids import SYSTEM_PROJECT
from densefog_core.jobs import Outcome, utcnow
from densefog_plugins.models.database.database import database
from densefog_plugins.models.jobstore.store import SQLJobStore
from densefog_plugins.models.jobstore.table import job
from tests.plugins.models.stores import Harness, make_app

#: Texts and times without NULL, the project may be absent.
FIRST = """
CREATE TABLE job (
    id varchar(32) NOT NULL PRIMARY KEY, action varchar(50) NOT NULL, status varchar(10) NOT NULL,
    error text NOT NULL, result text NOT NULL, params text NOT NULL, run_at {time} NOT NULL,
    try_period integer NOT NULL, try_max integer NOT NULL, trys integer NOT NULL, project_id varchar(32),
    updated {time} NOT NULL, created {time} NOT NULL
)
"""
#: Another order, wider columns, and one of the application's own.
SECOND = """
CREATE TABLE job (
    id varchar(64) NOT NULL PRIMARY KEY, project_id varchar(64) NOT NULL, action varchar(100) NOT NULL,
    status varchar(20) NOT NULL, params text NOT NULL, result text NOT NULL, error text NOT NULL,
    try_max bigint NOT NULL, trys bigint NOT NULL, try_period bigint NOT NULL, run_at {time} NOT NULL,
    created {time} NOT NULL, updated {time} NOT NULL, region varchar(20) DEFAULT 'north'
)
"""
#: Everything but the key may be NULL.
README = """
CREATE TABLE job (
    id varchar(32) PRIMARY KEY, project_id varchar(32), action varchar(50), status varchar(10), error text, result text,
    params text, updated {time}, created {time}, run_at {time}, try_period integer, try_max integer, trys integer
)
"""
TABLES = {"first": FIRST, "second": SECOND, "readme": README}
#: The original counts a try when it ends, and writes no error and no result as the empty text.
ROWS = [
    {"id": "job-pending001", "status": "pending", "error": "", "result": "", "trys": 0},
    {"id": "job-running001", "status": "running", "error": "", "result": "", "trys": 0},
    {"id": "job-finished01", "status": "finished", "error": "", "result": '{"volume": "vol-1"}', "trys": 1},
    {"id": "job-finished02", "status": "finished", "error": "", "result": "", "trys": 1},
    {"id": "job-failed0001", "status": "error", "error": "no disk", "result": "", "trys": 3},
]


def make_table(engine: Engine, ddl: str) -> None:
    with engine.begin() as connection:
        time = "timestamp" if engine.dialect.name == "postgresql" else "datetime"
        connection.execute(text(ddl.format(time=time)))


def write_rows(engine: Engine) -> None:
    past = utcnow() - timedelta(hours=1)
    same = {"project_id": "prj-1", "action": "Create", "params": '{"resource_ids": ["vol-1"]}', "try_max": 3,
            "try_period": 10, "run_at": past, "created": past, "updated": past}
    with engine.begin() as connection:
        connection.execute(insert(job), [same | row for row in ROWS])


@pytest.fixture
def app(database_url: str) -> Iterator[App]:
    """An application of an empty database of each kind."""
    app = make_app(database_url)
    yield app
    database(app).close()


@pytest.fixture
def engine(app: App) -> Engine:
    """Its engine."""
    return database(app).engine


@pytest.fixture
def at(app: App, engine: Engine, request: pytest.FixtureRequest) -> Harness:
    """A store on a table that somebody else made."""
    make_table(engine, TABLES[request.param])
    return Harness(SQLJobStore(app), lambda seconds: None)


def texts(connection: Connection, job_id: str) -> tuple[str, ...]:
    return tuple(connection.execute(select(job.c.error, job.c.result).where(job.c.id == job_id)).one())


every_table = pytest.mark.parametrize("at", TABLES, indirect=True)


@every_table
def test_a_job_without_result_ends_in_every_table(at: Harness, engine: Engine) -> None:
    """No result and no error are written as the original writes them, whoever writes: enqueue, progress, finish."""
    ids = [at.add() for _ in range(3)]
    one, other, last = at.take()
    assert at.store.progress(one.lease, None)
    ends = [Outcome(one, "finished"), Outcome(other, "retry", error="busy"), Outcome(last, "error", error="no disk")]
    assert at.store.finish(ends[:1]) == [True] and at.store.finish(ends[1:]) == [True, True]
    with engine.connect() as connection:
        assert [texts(connection, key) for key in (one.id, other.id, last.id)] == [
            ("", ""), ("busy", ""), ("no disk", "")
        ]
    assert {at.row(key).result for key in ids} == {None}


@every_table
def test_the_check_finds_nothing_wrong_but_indexes(at: Harness) -> None:
    """Wider columns, others in between and NOT NULL texts are what a worker can work on."""
    expected = ("has no index", "holds text as latin1")  # the second one where the server's own default is that
    assert [warning for warning in at.store.check() if not any(words in warning for words in expected)] == []


@every_table
def test_rows_of_the_original_are_read_run_and_taken_back(at: Harness, engine: Engine) -> None:
    """Its pending job runs, its orphan is taken back and runs, its ended ones are told as they ended."""
    write_rows(engine)
    ended = {row.id: (row.status, row.result, row.error) for row in map(at.row, ("job-finished01", "job-finished02"))}
    assert ended == {
        "job-finished01": ("finished", {"volume": "vol-1"}, ""), "job-finished02": ("finished", None, "")
    }
    assert (at.row("job-failed0001").error, at.row("job-failed0001").result) == ("no disk", None)
    assert [taken.id for taken in at.store.reclaim(at.store.stale(60), 60)] == ["job-running001"]
    jobs = at.take()
    assert {(one.id, one.trys) for one in jobs} == {("job-pending001", 1), ("job-running001", 1)}
    assert at.store.finish([Outcome(one, "finished", result=one.resource_ids) for one in jobs]) == [True, True]
    assert at.store.retry(["job-failed0001"]) == ["job-failed0001"]


@pytest.mark.parametrize("at", ["readme"], indirect=True)
def test_a_row_without_a_project_is_of_the_systems(at: Harness, engine: Engine) -> None:
    """A NULL in project_id is what the contract writes for jobs of no project."""
    job_id = at.add()
    with engine.begin() as connection:
        connection.execute(text("UPDATE job SET project_id = NULL, error = NULL, result = NULL"))
    assert at.row(job_id).project_id == SYSTEM_PROJECT


def test_what_a_constraint_refuses_holds_back_no_other(app: App, engine: Engine) -> None:
    """An outcome that the table refuses for ever is told apart from an outage, so that the others are written."""
    make_table(engine, FIRST.replace("created {time} NOT NULL", "created {time} NOT NULL, CHECK (result <> '\"no\"')"))
    at = Harness(SQLJobStore(app), lambda seconds: None)
    at.add()
    (one,) = at.take()
    with pytest.raises(ValueError, match="the table cannot hold it"):
        at.store.finish([Outcome(one, "finished", result="no")])
    assert at.store.finish([Outcome(one, "finished", result="yes")]) == [True]
