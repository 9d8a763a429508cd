"""Two applications in one process, one after the other and side by side: each in its own database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import densefog_plugins.models
from densefog_core.current import set_current_app
from densefog_core.jobs import JobFilter
from densefog_core.testing import TestApp, make_app
from densefog_plugins.models import session, transaction
from densefog_plugins.models.database.database import connections, database
from tests.plugins.models.cloud import Own, Plain


@transaction
def add(params: dict[str, str]) -> dict[str, int]:
    """Add a row, and say how many there are."""
    session.add(Plain(id=params["id"], project_id="p", status="active"))
    return {"count": session.query(Plain).count()}


def count() -> int:
    """Count the rows, as a job."""
    return session.query(Plain).count()


def make(folder: Path, name: str) -> TestApp:
    app = make_app(
        densefog_plugins.models, actions={"Add": add}, jobs={"Count": count}, store="models",
        db_url=f"sqlite:///{folder}/{name}.db",
    )
    app.store.init()
    Own.metadata.create_all(database(app).engine)
    return app


def post(app: TestApp, plain: str) -> int:
    """Add a row through the API, and say how many there are."""
    answer: int = app.api().post({"action": "Add", "id": plain})["data"]["count"]
    return answer


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[TestApp, TestApp]]:
    """Two applications, the second one the process's."""
    before = set_current_app(None)
    first, second = make(tmp_path, "a"), make(tmp_path, "b")
    yield first, second
    for app in (first, second):
        app.shutdown()
    set_current_app(before)


def test_after_a_read_outside_of_a_request_the_next_one_has_its_own(tmp_path: Path) -> None:
    """The thread's session goes with its application, and no connection stays."""
    before = set_current_app(None)
    for name in "ab":
        app = make(tmp_path, name)
        assert post(app, "one") == 1
        assert session.query(Plain).count() == 1
        app.shutdown()
        assert connections(app)["db_connections_in_use"] == 0
        set_current_app(None)
    set_current_app(before)


def test_calls_and_jobs_of_each_run_in_its_own_database(both: tuple[TestApp, TestApp]) -> None:
    """Whichever of them is the process's."""
    first, second = both
    assert [post(first, "one"), post(first, "two"), post(second, "one")] == [1, 2, 1]
    for app in both:
        app.enqueue("Count", {})
        app.run_jobs()
    assert [app.store.page(JobFilter())[0][0].result for app in both] == [2, 1]


def test_a_transaction_of_one_takes_nothing_of_the_other(both: tuple[TestApp, TestApp]) -> None:
    """A job of the first that is enqueued within the second's transaction stays when that is rolled back."""
    first, _ = both
    with pytest.raises(ValueError, match="undone"), transaction():
        session.add(Plain(id="one", project_id="p", status="active"))
        session.flush()
        assert post(first, "one") == 1
        first.enqueue("Count", {})
        raise ValueError("undone")
    assert session.query(Plain).count() == 0
    assert first.store.page(JobFilter())[1] == 1


def test_sessions_of_both_are_used_in_turn(both: tuple[TestApp, TestApp]) -> None:
    """A thread keeps one for each."""
    first, second = both
    with transaction():
        session.add(Plain(id="one", project_id="p", status="active"))
        set_current_app(first)
        assert session.query(Plain).count() == 0
        set_current_app(second)
        assert session.query(Plain).count() == 1
