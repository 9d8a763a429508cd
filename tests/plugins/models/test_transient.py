"""Errors after which a transaction may be run again: they are, and no caller sees them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, IntegrityError

from densefog_core.app import App
from densefog_core.jobs import Job, JobFilter, Outcome, Sighting
from densefog_plugins.models.database.database import ATTEMPTS, Database, database
from densefog_plugins.models.jobstore.store import SQLJobStore
from tests.databases import SERVER_KINDS, connected
from tests.losing import LosingProxy, losing_proxy
from tests.plugins.models.stores import ACTIONS, Harness, current, make_app, make_job, sql, sql_app, take_back

#: Seconds that the mixed load runs on each database.
MIXED = 3.0
#: Seconds more that a busy machine gets.
PATIENCE = 30.0


@pytest.fixture
def app(database_url: str) -> Iterator[App]:
    """An application of each database in turn, with its tables."""
    with sql_app(database_url) as app:
        yield app


@pytest.fixture(params=SERVER_KINDS)
def db(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database on each server in turn, with a table of two rows."""
    with request.getfixturevalue(request.param).database() as url:
        app = make_app(url)
        found = database(app)
        found.run(lambda connection: connection.execute(text("CREATE TABLE t (id integer PRIMARY KEY, n integer)")))
        found.run(lambda connection: connection.execute(text("INSERT INTO t VALUES (1, 0), (2, 0)")))
        yield found
        found.close()


def at_once(*calls: Callable[[], object]) -> None:
    """Run calls in threads; raise what one of them raises."""
    errors: list[BaseException] = []

    def run(call: Callable[[], object]) -> None:
        try:
            call()
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


def add(connection: Connection, row: int, n: int = 1) -> None:
    connection.execute(text(f"UPDATE t SET n = n + {n} WHERE id = {row}"))


def values(db: Database) -> list[int]:
    return db.run(lambda connection: list(connection.scalars(text("SELECT n FROM t ORDER BY id"))))


class Meeting:
    """Makes the first tries of two transactions meet, and counts tries."""

    def __init__(self) -> None:
        self.tries = 0
        self._barrier = threading.Barrier(2)
        self._met = threading.local()

    def __call__(self) -> None:
        self.tries += 1
        if not hasattr(self._met, "once"):
            self._met.once = True
            self._barrier.wait(10)


def test_a_deadlock_is_tried_again(db: Database) -> None:
    meeting = Meeting()

    def crosswise(first: int, second: int) -> Callable[[], None]:
        def work(connection: Connection) -> None:
            add(connection, first)
            meeting()
            add(connection, second)

        return lambda: db.run(work)

    at_once(crosswise(1, 2), crosswise(2, 1))
    assert values(db) == [2, 2]
    assert meeting.tries == 3


@pytest.fixture
def replica(db: Database) -> Iterator[tuple[Database, Callable[[], None]]]:
    """A database that is read-only to the connections that there are, and what makes it writable for new ones."""
    if db.dialect.name == "postgresql":
        with db.engine.connect() as connection:
            connection.exec_driver_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
            connection.commit()
        yield db, lambda: None
        return
    root = make_url(db.url)
    with connected(db.url) as administrator:
        # An administrator may write all the same.
        administrator.exec_driver_sql("CREATE USER plain@'127.0.0.1' IDENTIFIED BY 'plain'")
        administrator.exec_driver_sql(f"GRANT ALL ON {root.database}.* TO plain@'127.0.0.1'")
        found = database(make_app(root.set(username="plain", password="plain").render_as_string(hide_password=False)))
        found.run(lambda connection: connection.execute(text("SELECT 1")))
        administrator.exec_driver_sql("SET GLOBAL read_only = ON")
        yield found, lambda: administrator.exec_driver_sql("SET GLOBAL read_only = OFF")
        found.close()
        administrator.exec_driver_sql("SET GLOBAL read_only = OFF")
        administrator.exec_driver_sql("DROP USER plain@'127.0.0.1'")


def test_a_server_that_has_become_read_only_is_left_for_its_successor(
    replica: tuple[Database, Callable[[], None]]
) -> None:
    """A pool that kept its connections after a failover would write nothing for ever."""
    db, promote = replica
    lost: list[BaseException | None] = []

    @event.listens_for(db.engine, "handle_error")
    def refused(context: ExceptionContext) -> None:
        lost.append(context.sqlalchemy_exception)
        promote()

    anew: list[object] = []
    event.listen(db.engine, "connect", lambda connection, record: anew.append(connection))
    db.run(lambda connection: add(connection, 1))
    assert values(db) == [1, 0]
    assert [isinstance(error, DBAPIError) for error in lost] == [True]
    assert len(anew) == 1


def test_a_snapshot_that_is_outdated_is_tried_again(db: Database) -> None:
    """MariaDB's 1020 with innodb_snapshot_isolation, PostgreSQL's 40001; MySQL has no such thing."""
    if db.dialect.name == "mysql" and not getattr(db.engine.dialect, "is_mariadb", False):
        pytest.skip("MySQL does not notice it")
    meeting = Meeting()
    repeatable = ["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"]
    if db.dialect.name == "mysql":
        repeatable = ["SET innodb_snapshot_isolation = ON", "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                      "COMMIT"]

    def work(connection: Connection) -> None:
        for statement in repeatable:
            connection.execute(text(statement))
        seen = connection.scalar(text("SELECT n FROM t WHERE id = 1"))
        meeting()
        connection.execute(text(f"UPDATE t SET n = {seen} + 1 WHERE id = 1"))

    at_once(lambda: db.run(work), lambda: db.run(work))
    assert values(db) == [2, 0]
    assert meeting.tries == 3


def test_a_lock_wait_that_takes_too_long_is_tried_again(db: Database) -> None:
    mysql = db.dialect.name == "mysql"
    limit = "SET innodb_lock_wait_timeout = 1" if mysql else "SET LOCAL lock_timeout = '300ms'"
    tries: list[float] = []
    locked = threading.Event()
    released = threading.Event()

    def hold(connection: Connection) -> None:
        add(connection, 1)
        locked.set()
        released.wait(10)

    def work(connection: Connection) -> None:
        tries.append(time.monotonic())
        connection.execute(text(limit))
        if len(tries) == 2:
            released.set()
        add(connection, 1, 10)

    def wait_for_it() -> None:
        locked.wait(10)
        db.run(work)

    at_once(lambda: db.run(hold), wait_for_it)
    assert values(db) == [11, 0]
    assert len(tries) >= 2


def test_a_lost_connection_is_tried_again(db: Database) -> None:
    mysql = db.dialect.name == "mysql"
    kill = "KILL CONNECTION_ID()" if mysql else "SELECT pg_terminate_backend(pg_backend_pid())"
    tries: list[int] = []

    def work(connection: Connection) -> None:
        tries.append(1)
        add(connection, 1)
        if len(tries) == 1:
            connection.execute(text(kill))

    db.run(work)
    assert values(db) == [1, 0]
    assert len(tries) == 2


def test_what_will_fail_again_is_not_tried_again(db: Database) -> None:
    tries: list[int] = []

    def work(connection: Connection) -> None:
        tries.append(1)
        connection.execute(text("INSERT INTO t VALUES (1, 0)"))

    with pytest.raises(IntegrityError):
        db.run(work)
    assert len(tries) == 1


def test_tries_come_to_an_end(db: Database) -> None:
    tries: list[int] = []
    mysql = db.dialect.name == "mysql"
    fail = "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213" if mysql else "DO $$ BEGIN RAISE SQLSTATE '40001'; END $$"

    def work(connection: Connection) -> None:
        tries.append(1)
        connection.exec_driver_sql(fail)

    with pytest.raises(DBAPIError):
        db.run(work)
    assert len(tries) == ATTEMPTS


def test_mixed_work_shows_no_caller_a_transient_error(app: App) -> None:
    """Enqueue, also of the same keys, claim, finish, beat, reclaim, cancel, retry and prune, all at once."""
    store = SQLJobStore(app)
    until = time.monotonic() + MIXED
    counts = {"enqueued": 0, "accepted": 0, "refused": 0, "reclaimed": 0, "pruned": 0}

    def repeated(work: Callable[[random.Random], None], seed: int) -> Callable[[], None]:
        chance = random.Random(seed)

        def loop() -> None:
            while (now := time.monotonic()) < until or (now < until + PATIENCE and not all(counts.values())):
                work(chance)

        return loop

    def enqueue(chance: random.Random) -> None:
        keys = (str(chance.randrange(999)) if chance.random() < 0.5 else None for _ in range(chance.choice((1, 20))))
        counts["enqueued"] += len(store.enqueue([make_job(key=key) for key in keys]))

    def run(chance: random.Random) -> None:
        jobs = store.claim(chance.choice((1, 10)), ACTIONS)
        store.beat([job.lease for job in jobs])
        for job in jobs[:1]:
            store.progress(job.lease, {"percent": 50})
        # Some are left as a dead worker leaves them.
        jobs = jobs[: chance.choice((10, 10, 8))]
        statuses = [chance.choice(("finished", "finished", "retry", "error", "released")) for _ in jobs]
        written = store.finish([Outcome(*pair) for pair in zip(jobs, statuses, strict=True)])  # type: ignore[arg-type]
        counts["accepted"] += sum(written)
        counts["refused"] += len(written) - sum(written)

    def maintain(chance: random.Random) -> None:
        # As if their workers were known to be dead: tries lose their lease under way.
        dead = [Sighting(one.lease) for one in store.stale(-2, 20)]
        counts["reclaimed"] += len(store.reclaim(dead, 1))
        counts["pruned"] += store.prune(-2, 50)
        time.sleep(0.005)

    def steer(chance: random.Random) -> None:
        page, _ = store.page(JobFilter(limit=20, offset=chance.randrange(20)))
        ids = [job.id for job in page]
        store.cancel(ids[:5])
        store.retry(ids[5:10])
        store.run_now(ids)
        store.stats()
        time.sleep(0.005)

    works = [enqueue, enqueue, run, run, run, maintain, maintain, steer]
    at_once(*(repeated(work, seed) for seed, work in enumerate(works)))
    assert all(counts.values()), counts


def test_an_enqueue_whose_commit_was_not_confirmed_is_not_doubled(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is lost after COMMIT: the second try finds the job there."""
    at = Harness(SQLJobStore(app), lambda seconds: None)
    found = database(app)
    tries: list[int] = []
    inner = SQLJobStore._insert

    def insert(self: SQLJobStore, execute: Callable[..., object], jobs: list[Job], *, repeated: bool) -> None:
        inner(self, execute, jobs, repeated=repeated)
        tries.append(1)
        if len(tries) == 1:
            execute.__self__.commit()  # type: ignore[attr-defined]
            raise DBAPIError("COMMIT", None, ConnectionError("lost"), connection_invalidated=True)

    monkeypatch.setattr(SQLJobStore, "_insert", insert)
    monkeypatch.setattr(found.dialect, "is_transient", lambda error: True)
    job_id = at.add()
    assert len(tries) == 2
    assert [job.id for job in at.store.page(JobFilter())[0]] == [job_id]


class Losing(NamedTuple):
    """A store behind a proxy that can lose answers.

    Attributes:
        commit: what the message has whose answer says that `finish` is done, when it is all results and else.
    """

    at: Harness
    proxy: LosingProxy
    commit: dict[bool, bytes]


@pytest.fixture(params=SERVER_KINDS)
def losing(request: pytest.FixtureRequest) -> Iterator[Losing]:
    """Each server in turn behind a proxy."""
    server = request.getfixturevalue(request.param)
    with server.database() as url, losing_proxy(server.port) as proxy:
        proxied = make_url(url).set(port=proxy.port).render_as_string(hide_password=False)
        with sql_app(proxied) as app, current(app):
            commit = {True: b"COMMIT", False: b"COMMIT"}
            if request.param == "postgresql":
                # Its BEGIN names READ COMMITTED; results are written by one statement that commits itself.
                commit = {True: b"SET status = 'finished'", False: b"COMMIT\0"}
            yield Losing(sql(app), proxy, commit)


@pytest.mark.parametrize("status", ["finished", "retry", "error", "released"])
def test_an_outcome_is_told_though_the_answer_to_its_commit_was_lost(losing: Losing, status: str) -> None:
    """Its connection is lost, too: the second attempt finds in the row what the first has written."""
    at, told = losing.at, list[Job]()
    at.store.last_failures = {"Create": told.append}
    one, lost = at.running(), at.running(action="Delete")
    outcome = Outcome(one, status, error="it\0failed" if status != "finished" else "")  # type: ignore[arg-type]
    losing.proxy.lose(losing.commit[status == "finished"])
    assert at.store.finish([outcome]) == [True]
    assert losing.proxy.lost == 1
    assert len(told) == (status == "error")
    assert at.row(one.id).status == ("pending" if status in ("retry", "released") else status)
    assert at.store.finish([outcome]) == [False]
    assert at.store.finish([Outcome(lost, "finished")]) == [True]


def test_an_outcome_is_told_long_after_its_answer_was_lost(losing: Losing) -> None:
    """The store has given up; whoever writes it says that it is unsure, and the row knows."""
    at = losing.at
    one, cancelled = at.running(), at.running()
    assert at.store.finish([Outcome(one, "finished", result=1)]) == [True]
    at.store.cancel([cancelled.id])
    ends = [Outcome(job, "finished", unsure=True) for job in (one, cancelled)]
    assert at.store.finish(ends) == [True, False]


def test_what_a_claim_took_is_taken_again_when_its_answer_is_lost(losing: Losing) -> None:
    """The second attempt gives back what the first one took: a job of one try runs."""
    at = losing.at
    job_id = at.add(try_max=1)
    losing.proxy.lose(b"SET status = 'running'" if losing.commit[True] != b"COMMIT" else b"COMMIT")
    [job] = at.store.claim(5, ACTIONS, "claim-0123456789")
    assert losing.proxy.lost == 1
    assert (job.id, job.trys, job.try_max, at.row(job_id).status) == (job_id, 2, 2, "running")
    assert at.store.finish([Outcome(job, "finished")]) == [True]


def test_a_lost_answer_does_not_hide_a_lost_lease(losing: Losing) -> None:
    at = losing.at
    stale, held, again = (at.running(action=action) for action in sorted(ACTIONS))
    at.store.cancel([stale.id])
    losing.proxy.lose(losing.commit[False])
    outcomes = [Outcome(stale, "finished"), Outcome(held, "finished"), Outcome(again, "retry", error="later")]
    assert at.store.finish(outcomes) == [False, True, True]
    assert losing.proxy.lost == 1


def test_cancelled_and_lost_jobs_are_told_though_the_answer_to_the_commit_was_lost(losing: Losing) -> None:
    """Who watches the jobs of a provider hears of each that ended, and their resources are moved once."""
    at, told = losing.at, list[Job]()
    at.store.last_failures = {"Create": told.append}
    cancelled, lost = at.running(), at.running(try_max=1)
    losing.proxy.lose(losing.commit[False])
    assert [(one.id, one.status, one.error) for one in at.store.cancel([cancelled.id])] == [
        (cancelled.id, "error", "cancelled")
    ]
    at.elapse(100)
    losing.proxy.lose(losing.commit[False])
    assert [(one.id, one.status) for one in take_back(at.store, 60)] == [(lost.id, "error")]
    assert losing.proxy.lost == 2
    assert [one.id for one in told] == [cancelled.id, lost.id]
    assert at.store.cancel([cancelled.id]) == take_back(at.store, 60) == []
