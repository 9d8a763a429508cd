"""What `db check` and `db init` say of tables that are not as densefog needs them; one line each, with the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

import densefog_plugins.models
from densefog_core.errors import ConfigError
from densefog_core.testing import TestApp, make_app
from densefog_plugins.models import projects, quotas
from densefog_plugins.models.base import Base, Own
from densefog_plugins.models.database.database import database
from densefog_plugins.models.quotas import consume_quota
from densefog_plugins.models.schema import wanted
from densefog_plugins.models.sessions import close_session
from tests.plugins.models.test_foreign_tables import FIRST, make_table

#: An application's own; densefog's have other columns.
PROJECT = "CREATE TABLE project (id varchar(32) PRIMARY KEY, title varchar(50) NOT NULL)"
ACCESS_KEY = "CREATE TABLE access_key (id varchar(32) PRIMARY KEY, project_id varchar(32), secret varchar(64) NOT NULL)"


def make(url: str, *plugins: ModuleType, **settings: object) -> TestApp:
    return make_app(densefog_plugins.models, *plugins, store="models", db_url=url, **settings)


@pytest.fixture
def app(database_url: str) -> Iterator[TestApp]:
    """An application of an empty database of each kind."""
    app = make(database_url)
    yield app
    close_session()
    database(app).close()


@pytest.fixture
def engine(app: TestApp) -> Engine:
    """Its engine."""
    return database(app).engine


def problems(app: TestApp) -> list[str]:
    try:
        return app.store.check()
    except ConfigError as exc:
        return str(exc).splitlines()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("result text NOT NULL", "result varchar(200) NOT NULL", "column result is VARCHAR(200), and densefog writes"),
        ("id varchar(32) NOT", "id varchar(14) NOT", "column id is VARCHAR(14), and densefog writes up to 32"),
        ("try_max integer", "try_max varchar(10)", "column try_max is VARCHAR(10) and must be INTEGER"),
        ("run_at {time}", "run_at date", "column run_at is DATE and must be "),
        ("created {time} NOT NULL", "created {time} NOT NULL, zone varchar(9) NOT NULL", "column zone is not densefog"),
        ("trys integer NOT NULL, ", "", "table job has no column trys"),
    ],
    ids=["short text", "short id", "type", "date", "extra", "lacking"],
)
def test_each_difference_is_one_line(app: TestApp, engine: Engine, before: str, after: str, said: str) -> None:
    """Columns, types, lengths and NULL are compared, and the line says what helps."""
    make_table(engine, FIRST.replace(before, after))
    [line] = [line for line in problems(app) if "column" in line]
    assert said in line and ("run: " in line or "give it a default" in line)


def test_the_remedy_for_a_short_column_works(app: TestApp, engine: Engine) -> None:
    """What the line says to run is run, and nothing is left to say; SQLite has no such statement."""
    make_table(engine, FIRST.replace("result text NOT NULL", "result varchar(200) NOT NULL"))
    [line] = [line for line in problems(app) if "column result" in line]
    if engine.dialect.name == "sqlite":
        assert "rename the table" in line
        return
    with engine.begin() as connection:
        connection.execute(text(line.partition("run: ")[2]))
    assert not any("column" in line for line in problems(app))


def test_a_time_with_a_zone_must_not_have_one(postgresql_url: str) -> None:
    """PostgreSQL gives such times back in the server's zone."""
    app = make(postgresql_url)
    make_table(database(app).engine, FIRST.replace("run_at {time}", "run_at timestamptz"))
    [line] = problems(app)
    assert "run: ALTER TABLE job ALTER COLUMN run_at TYPE TIMESTAMP" in line
    database(app).close()


def test_an_applications_own_job_table_is_left_alone(app: TestApp, engine: Engine) -> None:
    """`db init` neither fails on it nor adds an index to it, and says why."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE job (id integer PRIMARY KEY, title varchar(50))"))
    assert any(line.startswith("left alone: table job has no column ") for line in app.store.init())
    assert [column["name"] for column in inspect(engine).get_columns("job")] == ["id", "title"]
    assert inspect(engine).get_indexes("job") == []


def test_projects_say_that_the_tables_are_anothers(database_url: str, app: TestApp, engine: Engine) -> None:
    """An application's own project and access_key stay as they are, and each gets a line that names the plugin."""
    make_own_projects(engine)
    other = make(database_url, projects, projects_enabled=True)
    left = [line for line in other.store.init() if line.startswith("left alone: ")]
    assert ["project" in left[0], "access_key" in left[1]] == [True, True] and "projects needs it" in left[0]
    assert {column["name"] for column in inspect(engine).get_columns("project")} == {"id", "title"}
    assert len(problems(other)) == 2
    database(other).close()


def test_quotas_count_for_an_applications_own_projects(database_url: str, app: TestApp, engine: Engine) -> None:
    """They need nothing of a project but its id."""
    make_own_projects(engine)
    other = make(database_url, quotas, quotas_enabled=True)
    assert "created table quota" in other.store.init()
    assert all("has no index" in line for line in problems(other))
    consume_quota("prj-1", volumes=2)
    assert other.api("manage").post({"action": "DescribeQuotas", "projectId": "prj-1"})["data"]["quotaSet"] == [
        {"projectId": "prj-1", "resource": "volumes", "quota": -1, "used": 2}
    ]
    close_session()
    database(other).close()


def test_every_own_table_is_shown_to_migrations(tmp_path: Path) -> None:
    """Whatever is on, each is in the metadata that Alembic gets; what the application has declared wins."""
    from densefog_plugins.models import counters, idempotency, operations

    everything = make_app(
        densefog_plugins.models, counters, idempotency, operations, projects, quotas, store="models",
        db_url=f"sqlite:///{tmp_path}/x.db",
    )
    database(everything)
    assert set(Own.metadata.tables) <= set(Base.metadata.tables)
    assert database(everything).owners.keys() == Own.metadata.tables.keys()
    database(everything).close()


def make_own_projects(engine: Engine) -> None:
    with engine.begin() as connection:
        for statement in (PROJECT, ACCESS_KEY):
            connection.execute(text(statement))


def recipe() -> dict[str, Any]:
    """Return the functions of the manual's ``migrations/env.py``, which ask for ``ours``."""
    page = (Path(__file__).parents[3] / "docs/how-to/alembic.md").read_text()
    code = page[page.index("def include_name") :].partition("with found")[0]
    names: dict[str, Any] = {}
    exec(code, names)
    return names


def test_migrations_touch_nothing_that_is_anothers(database_url: str, app: TestApp, engine: Engine) -> None:
    """Neither another program's tables, nor what another shell's settings made, nor an application's own project."""
    make_own_projects(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE invoice (id integer PRIMARY KEY)"))
    other = make(database_url, quotas, quotas_enabled=True)
    other.store.init()
    database(other).close()
    names = recipe()
    names["ours"] = {table.name for table in wanted(database(app))}
    options = {"include_name": names["include_name"], "include_object": names["include_object"]}
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"target_metadata": Base.metadata, **options})
        assert compare_metadata(context, Base.metadata) == []
