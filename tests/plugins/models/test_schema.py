"""The job table: made here or by hand, complete or not; and the claim's use of its index."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from sqlalchemy import Engine, insert, text

from densefog_core.app import App
from densefog_core.errors import ConfigError
from densefog_core.jobs import Outcome, utcnow
from densefog_plugins.models.database.database import database
from densefog_plugins.models.database.dialects import MySQL
from densefog_plugins.models.jobstore import reclaiming
from densefog_plugins.models.jobstore.store import SQLJobStore
from densefog_plugins.models.jobstore.table import job, to_row
from tests.databases import connected
from tests.plugins.models.stores import ACTIONS, EXPLAIN, Harness, make_app, make_job, take_back

#: As the contract has it, and nothing else.
BY_HAND = """
CREATE TABLE job (
    id varchar(32) PRIMARY KEY, project_id varchar(32), action varchar(50), status varchar(10), error text, result text,
    params text, updated {datetime}, created {datetime}, run_at {datetime}, try_period integer, try_max integer,
    trys integer, {extra}
)
"""


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


def run(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def make_by_hand(engine: Engine, extra: str = "note varchar(20)", charset: str = "utf8mb4") -> None:
    datetime = "timestamp" if engine.dialect.name == "postgresql" else "datetime"
    options = f" CHARACTER SET {charset}" if engine.dialect.name == "mysql" else ""
    run(engine, BY_HAND.format(datetime=datetime, extra=extra) + options)


def indexes(engine: Engine) -> set[str]:
    return {"ix_job_pending", "ix_job_running"} if engine.dialect.name == "postgresql" else {"ix_job_claim"}


def test_init_creates_the_table_and_its_indexes_once(app: App) -> None:
    store = SQLJobStore(app)
    assert store.init() == ["created table job"]
    assert store.check() == []
    assert store.init() == ["nothing to do: every table and index is there"]


def test_without_the_table_the_check_names_it_and_the_command(app: App) -> None:
    with pytest.raises(ConfigError, match=r"^database .* has no table job; run: densefog db init$"):
        SQLJobStore(app).check()


def test_a_missing_column_is_named(app: App, engine: Engine) -> None:
    make_by_hand(engine)
    run(engine, "ALTER TABLE job DROP COLUMN try_max")
    with pytest.raises(ConfigError, match=r"table job has no column try_max; .* run: densefog db init$"):
        SQLJobStore(app).check()


def test_a_table_made_by_hand_works_and_extra_columns_are_left_alone(app: App, engine: Engine) -> None:
    make_by_hand(engine)
    at = Harness(SQLJobStore(app), lambda seconds: None)
    ids = [at.add(params={"n": 1}), at.add(key="k"), at.add()]
    run(engine, f"UPDATE job SET note = 'mine' WHERE id = '{ids[0]}'")
    jobs = at.take()
    assert sorted(job.id for job in jobs) == sorted(ids)
    assert at.store.beat([job.lease for job in jobs]) == []
    assert at.store.finish([Outcome(job, "finished", result="ö\U0001f600") for job in jobs]) == [True] * 3
    with engine.connect() as connection:
        assert connection.scalar(text(f"SELECT note FROM job WHERE id = '{ids[0]}'")) == "mine"


def test_each_missing_index_is_warned_of_with_the_statement_that_creates_it(app: App, engine: Engine) -> None:
    make_by_hand(engine)
    store = SQLJobStore(app)
    warnings = store.check()
    assert len(warnings) == len(indexes(engine))
    for warning, name in zip(warnings, sorted(indexes(engine)), strict=True):
        assert f"table job has no index {name}" in warning and "run: densefog db init" in warning
        run(engine, warning.partition("densefog db init: ")[2])
    assert store.check() == []


def test_init_creates_the_indexes_of_a_table_made_by_hand(app: App, engine: Engine) -> None:
    make_by_hand(engine)
    assert set(SQLJobStore(app).init()) == {f"created index {name} on job" for name in indexes(engine)}
    assert SQLJobStore(app).check() == []


def test_an_index_of_another_name_on_the_same_columns_will_do(app: App, engine: Engine) -> None:
    make_by_hand(engine)
    run(engine, "CREATE INDEX mine ON job (status, run_at, id)")
    assert SQLJobStore(app).check() == []


def test_a_server_that_is_not_there_is_one_line_without_the_password() -> None:
    app = make_app("mysql://someone:hunter2@127.0.0.1:1/none")
    with pytest.raises(ConfigError, match=r"^database .*127\.0\.0\.1:1/none cannot be used: ") as caught:
        SQLJobStore(app).check()
    assert "hunter2" not in str(caught.value) and "\n" not in str(caught.value)
    database(app).close()


def test_a_user_with_a_password_logs_in_over_tcp(innodb_url: str) -> None:
    """MySQL's own way of it, ``caching_sha2_password``, is a plugin of MariaDB's client library."""
    with connected(innodb_url) as connection:
        connection.execute(text("CREATE USER 'acme'@'%' IDENTIFIED BY 'hunter2'"))
        connection.execute(text("GRANT ALL ON *.* TO 'acme'@'%'"))
        app = make_app(innodb_url.replace("root@", "acme:hunter2@"))
        assert SQLJobStore(app).init() == ["created table job"]
        database(app).close()
        connection.execute(text("DROP USER 'acme'@'%'"))


def test_a_small_character_set_is_warned_of_and_its_refusal_is_told_apart(innodb_url: str) -> None:
    app = make_app(innodb_url)
    make_by_hand(database(app).engine, charset="latin1")
    at = Harness(SQLJobStore(app), lambda seconds: None)
    (warning,) = [one for one in at.store.check() if "latin1" in one]
    assert warning.endswith("ALTER TABLE job CONVERT TO CHARACTER SET utf8mb4")
    claimed = at.running()
    with pytest.raises(ValueError, match="the table cannot hold it"):
        at.store.finish([Outcome(claimed, "finished", result="\U0001f600")])
    assert at.store.finish([Outcome(claimed, "error", error="plain")]) == [True]
    run(database(app).engine, warning.partition("Convert it: ")[2])
    assert at.store.check() == [one for one in at.store.check() if "latin1" not in one]
    database(app).close()


def test_a_server_without_skip_locked_is_claimed_from_by_guarded_updates(
    innodb_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MySQL, "locks_rows", lambda self, connection: False)
    app = make_app(innodb_url)
    store = SQLJobStore(app)
    store.init()
    ids = store.enqueue([make_job() for _ in range(10)])
    engine = database(app).engine
    with engine.connect() as slow:
        # What another worker has read but not taken yet.
        seen = slow.execute(job.select().where(job.c.status == "pending")).all()
        first = store.claim(4, ACTIONS)
        assert len(first) == 4
        mine = [row.id for row in seen if store._statements._took(slow, row, "")]
        slow.rollback()
    assert set(mine) == set(ids) - {one.id for one in first}
    assert len(store.claim(10, ACTIONS)) == 6
    assert take_back(store, -5) != []
    database(app).close()


ROWS = 100_000


def test_the_claim_and_the_reclaim_use_their_index(app: App, engine: Engine) -> None:
    """With a history, jobs of later and jobs that run, in a table of 100,000 rows."""
    store = SQLJobStore(app)
    store.init()
    fill(engine)
    run(engine, {"mysql": "ANALYZE TABLE job", "postgresql": "ANALYZE job", "sqlite": "ANALYZE"}[engine.dialect.name])
    claim, reclaim, *finish = explained(store, engine)
    for plan in (claim, reclaim):
        assert any(name in plan for name in indexes(engine)), plan
        assert "Seq Scan" not in plan and "SCAN job" not in plan and "filesort" not in plan, plan
    for plan in finish:
        assert "job_pkey" in plan and "ix_job_running" not in plan, plan
    if engine.dialect.name in ROWS_READ:
        assert max(rows_read_by_claims(store, engine, 10)) <= 3 * 10


def fill(engine: Engine) -> None:
    """Make a table as it is after a while."""
    statuses = ["finished"] * 16 + ["pending"] * 2 + ["running"] + ["error"]
    now = utcnow()
    common = {**to_row(make_job()), "created": now, "updated": now, "run_at": now}
    with engine.begin() as connection:
        for start in range(0, ROWS, 5_000):
            rows = [{**common, "id": f"job-{n:010}", "status": s} for n, s in enumerate(statuses * 250, start)]
            connection.execute(insert(job), rows)


#: How a database tells the rows that a transaction has read so far.
ROWS_READ = {
    "mysql": "SHOW SESSION STATUS LIKE 'Handler\\_read\\_%'",
    "postgresql": "SELECT 'read', seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'job'",
}


def rows_read_by_claims(store: SQLJobStore, engine: Engine, limit: int) -> list[int]:
    """Return how many rows the database reads for a claim of so many jobs, and for the one that goes on behind it."""
    with engine.connect() as connection:

        def read() -> int:
            counts = connection.execute(text(ROWS_READ[engine.dialect.name])).all()
            return sum(int(count) for _, count in counts)

        counts = [read()]
        for _ in range(2):
            assert len(store._statements.claim(connection, limit, sorted(ACTIONS))) == limit
            counts.append(read())
        connection.rollback()
    return [after - before for before, after in pairwise(counts)]


def explained(store: SQLJobStore, engine: Engine) -> list[str]:
    """Return how the database would claim and reclaim, and how PostgreSQL would finish."""
    prefix = EXPLAIN[engine.dialect.name]
    plans: list[str] = []

    class Explaining:
        """A connection that explains what it is given instead of running it, and finds nothing."""

        def __init__(self, connection: object) -> None:
            self.dialect = connection.dialect  # type: ignore[attr-defined]
            self._connection = connection

        def execute(self, query: object, values: dict[str, object] | None = None) -> Explaining:
            if values is None:
                compiled = query.compile(engine, compile_kwargs={"literal_binds": True})  # type: ignore[attr-defined]
                rows = self._connection.exec_driver_sql(prefix + str(compiled).replace("%%", "%"))  # type: ignore[attr-defined]
            else:
                clause = getattr(query, "element", query)
                explaining = text(prefix + clause.text).bindparams(*clause._bindparams.values())
                rows = self._connection.execute(explaining, values)  # type: ignore[attr-defined]
            # MySQL's column of the indexes that were considered says nothing.
            told = [[value for name, value in row._mapping.items() if name != "possible_keys"] for row in rows]
            plans.append("\n".join(" ".join(map(str, row)) for row in told))
            return self

        def all(self) -> list[object]:
            return []

        def __iter__(self) -> Iterator[object]:
            return iter(())

    with engine.begin() as connection:
        explaining = Explaining(connection)
        store._statements.claim(explaining, 10, sorted(ACTIONS))  # type: ignore[arg-type]
        reclaiming.stale(explaining, store._dialect, 60, 100)  # type: ignore[arg-type]
        if engine.dialect.name == "postgresql":
            store._statements.finish(explaining, [Outcome(make_job(), "finished")])  # type: ignore[arg-type]
    return plans
