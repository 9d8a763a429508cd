"""Sessions and transactions: who has which session, what is committed, what is rolled back, what waits for what."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, func, select, text, update

from densefog_core import enqueue
from densefog_core.actions import Request
from densefog_core.context import carry, entered
from densefog_core.errors import DBLockTimeoutError
from densefog_core.errors.iaas_error import ActionsPartialSuccessError, ResourceNotFound
from densefog_core.testing import TestApp
from densefog_plugins.models import lock_for_update, session, transaction
from densefog_plugins.models.database.database import database
from densefog_plugins.models.sessions import close_session, current_session, in_transaction, savepoint
from tests.plugins.models.cloud import A, Disk, add, statements, status_of

PARTS = {"jobs": {"Sweep": lambda params: None}, "db_lock_timeout": 1}


def count() -> int:
    close_session()
    with transaction() as found:
        return found.scalar(select(func.count()).select_from(Disk)) or 0


def disk(name: str = "") -> Disk:
    return Disk(id=Disk.new_id(), project_id=A, status="available", name=name)


def request() -> Request:
    return Request("public", "Create", {})


def checked_out(app: TestApp) -> int:
    return database(app).engine.pool.checkedout()


# -- commit and rollback ---------------------------------------------------------------------------------------


def test_a_block_commits_when_it_ends(app: TestApp) -> None:
    with transaction() as found:
        found.add(disk())
    assert count() == 1


def test_a_decorated_function_commits_what_it_wrote_and_returns_its_value(app: TestApp) -> None:
    @transaction
    def create(name: str) -> str:
        session.add(disk(name))
        return name

    assert create("x") == "x"
    assert count() == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_any_exception_rolls_back(app: TestApp, error: type[BaseException]) -> None:
    with pytest.raises(error), transaction() as found:
        found.add(disk())
        found.flush()
        raise error
    assert count() == 0


def test_a_joined_block_commits_nothing_before_the_outermost_one_ends(app: TestApp) -> None:
    with pytest.raises(ValueError), transaction():
        with transaction() as found:
            found.add(disk())
        assert in_transaction()
        raise ValueError
    assert count() == 0


def test_joined_blocks_are_one_commit(app: TestApp) -> None:
    commits: list[object] = []

    def commit(connection: object) -> None:
        commits.append(connection)

    event.listen(database(app).engine, "commit", commit)
    with transaction(), transaction(), transaction() as found:
        found.add(disk())
    event.remove(database(app).engine, "commit", commit)
    assert len(commits) == 1


def test_a_failure_of_a_joined_block_that_is_caught_does_not_commit_half_of_it(app: TestApp) -> None:
    with pytest.raises(RuntimeError, match="savepoint"), transaction() as found:
        try:
            with transaction():
                found.add(disk())
                raise ValueError
        except ValueError:
            found.add(disk())
    assert count() == 0
    with transaction() as found:
        found.add(disk())
    assert count() == 1


def test_a_failure_inside_a_savepoint_undoes_the_savepoint_alone(app: TestApp) -> None:
    with transaction() as found:
        found.add(disk("kept"))
        with pytest.raises(ValueError), savepoint(), transaction():
            found.add(disk("undone"))
            found.flush()
            raise ValueError
    assert count() == 1


def test_a_partial_success_commits_what_succeeded(app: TestApp) -> None:
    failed = [{"exception": ResourceNotFound("x"), "id": "x"}]
    with pytest.raises(ActionsPartialSuccessError), transaction() as found:
        found.add(disk())
        raise ActionsPartialSuccessError(failed, ["r-1"])
    with pytest.raises(ActionsPartialSuccessError), transaction() as found:
        found.add(disk())
        raise ActionsPartialSuccessError(failed, [])
    assert count() == 1


def test_a_partial_success_with_only_a_job_commits(app: TestApp) -> None:
    """Applications give the job in place of the results; its rows and the job itself stay."""
    with pytest.raises(ActionsPartialSuccessError) as raised, transaction() as found:
        found.add(disk())
        job_id = enqueue("Sweep", {"resource_ids": ["r-1"]})
        joined = app.store.get(job_id)
        raise ActionsPartialSuccessError([{"exception": ResourceNotFound("x"), "id": "x"}], job_id=job_id)
    assert joined is not None and joined.resource_ids == ["r-1"]
    assert (count(), app.store.get(job_id) is not None, raised.value.ret_code) == (1, True, 5002)


def test_a_job_is_enqueued_with_the_rows_or_not_at_all(app: TestApp) -> None:
    woken = []
    app.store.on_enqueued = lambda: woken.append(1)
    with pytest.raises(ValueError), transaction():
        lost = enqueue("Sweep")
        raise ValueError
    assert app.store.get(lost) is None
    with transaction() as found:
        with savepoint():
            found.add(disk())
        kept = enqueue("Sweep")
        with savepoint():
            found.add(disk())
        assert not woken
    assert app.store.get(kept) is not None
    assert woken == [1]


# -- whose session ---------------------------------------------------------------------------------------------


def test_a_request_has_one_session_that_is_closed_at_its_end(app: TestApp) -> None:
    with entered(request()):
        first = current_session()
        add()
        assert current_session() is first
        session.scalar(select(Disk.id))
        assert checked_out(app) == 1
    assert checked_out(app) == 0
    with entered(request()):
        assert current_session() is not first


def test_a_request_that_ends_with_an_open_transaction_is_rolled_back_and_logged(
    app: TestApp, caplog: pytest.LogCaptureFixture
) -> None:
    with entered(request()):
        session.add(disk())
        session.flush()
    assert "open transaction" in caplog.text
    assert count() == 0


def test_a_request_that_only_reads_is_not_logged(app: TestApp, caplog: pytest.LogCaptureFixture) -> None:
    with entered(request()):
        assert session.scalar(select(func.count()).select_from(Disk)) == 0
    assert not caplog.records


def test_an_update_that_nobody_commits_is_logged(app: TestApp, caplog: pytest.LogCaptureFixture) -> None:
    (one,) = add()
    with entered(request()):
        session.execute(update(Disk).where(Disk.id == one).values(name="x"))
    assert "open transaction" in caplog.text


def test_a_greenlet_or_thread_that_is_given_the_context_gets_a_session_of_its_own(app: TestApp) -> None:
    with entered(request()) as scope, ThreadPoolExecutor(1) as threads:
        mine = current_session()
        theirs = threads.submit(carry(current_session)).result()
        assert theirs is not mine
        threads.submit(carry(add)).result()
        threads.submit(carry(lambda: session.scalar(select(Disk.id)))).result()
        assert scope is not None
    assert checked_out(app) == 0
    assert count() == 1


def test_outside_of_requests_the_outermost_block_closes_the_session(app: TestApp) -> None:
    with ThreadPoolExecutor(1) as threads:
        threads.submit(add).result()
        assert checked_out(app) == 0


# -- locks -----------------------------------------------------------------------------------------------------


def test_a_reader_does_not_wait_for_a_writer(app: TestApp) -> None:
    (one,) = add()
    with transaction(), ThreadPoolExecutor(1) as threads:
        Disk.get(one, lock=True)
        session.add(disk())
        session.flush()

        def read() -> int:
            with entered(request()):
                return session.scalar(select(func.count()).select_from(Disk)) or 0

        assert threads.submit(read).result(5) == 1


def test_a_locked_row_is_waited_for(app: TestApp) -> None:
    (one,) = add()
    order: list[str] = []
    locked = threading.Event()

    def second() -> None:
        locked.wait(5)
        with transaction(), lock_for_update():
            found = Disk.get(one)
            order.append(f"second sees {found.name}")

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(second)
        with transaction():
            Disk.get(one, lock=True).name = "first"
            locked.set()
            time.sleep(0.1)
            order.append("first commits")
        waiting.result(5)
    assert order == ["first commits", "second sees first"]


def test_a_lock_that_is_not_to_be_had_is_a_DBLockTimeoutError(app: TestApp) -> None:
    (one,) = add()

    def second() -> None:
        with transaction():
            Disk.get(one, lock=True)

    with ThreadPoolExecutor(1) as threads, transaction():
        Disk.get(one, lock=True).name = "first"
        session.flush()
        with pytest.raises(DBLockTimeoutError):
            threads.submit(second).result(10)
    assert checked_out(app) == 0
    with transaction():
        assert Disk.get(one).name == "first"


def test_the_victim_of_a_deadlock_is_told_so_and_the_other_one_commits(app: TestApp) -> None:
    first, second = sorted(add(2))
    if database(app).engine.dialect.name == "sqlite":
        pytest.skip("has one lock")
    barrier = threading.Barrier(2)

    def lock(one: str, other: str) -> str:
        try:
            with transaction():
                if database(app).engine.dialect.name == "postgresql":
                    # It looks for deadlocks after a second, which is when the wait ends here.
                    session.execute(text("SET LOCAL deadlock_timeout = '100ms'"))
                Disk.get(one, lock=True)
                barrier.wait(5)
                Disk.get(other, lock=True).transition("resizing")
        except DBLockTimeoutError:
            return "told"
        return "done"

    with ThreadPoolExecutor(2) as threads:
        results = [threads.submit(lock, first, second), threads.submit(lock, second, first)]
        assert sorted(result.result(10) for result in results) == ["done", "told"]
    assert sorted((status_of(first), status_of(second))) == ["available", "resizing"]


def test_a_transaction_takes_no_more_statements_than_its_work(app: TestApp) -> None:
    (one,) = add()
    with statements(app) as seen, transaction():
        Disk.get(one, lock=True).transition("resizing")
    assert [statement.split()[0] for statement in seen] == ["SELECT", "UPDATE"]


# -- under gevent ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [2, pytest.param(10, marks=pytest.mark.chaos)])
def test_twenty_greenlets_with_row_locks_leave_nothing_open(innodb_url: str, seconds: int) -> None:
    command = [sys.executable, "-m", "tests.plugins.models.greenlets", innodb_url, str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["sum"] == 6 * 1000
    assert (result["checked_out"], result["open"]) == (0, 0)
    assert result["done"] > 50 * seconds
    assert min(result["failed"], result["timed_out"]) > 0
    assert result["longest_gap"] < 1
