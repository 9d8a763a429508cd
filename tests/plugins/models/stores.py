"""Job stores for the tests: in memory and in each database, with a clock that can be moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select, update

from densefog_core.app import App
from densefog_core.config import Config
from densefog_core.current import set_current_app
from densefog_core.jobs import Job, JobSpec, JobStore, new_job
from densefog_core.testing import FrozenClock, MemoryStore
from densefog_plugins.models.database.database import database
from densefog_plugins.models.jobstore.store import SQLJobStore
from densefog_plugins.models.jobstore.table import job
from densefog_plugins.models.sessions import close_session

ACTIONS = {"Create", "Delete", "Resize"}
#: What asks a database how it would run a statement; MySQL draws a tree unless it is told otherwise.
EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN ", "mysql": "EXPLAIN FORMAT=TRADITIONAL ", "postgresql": "EXPLAIN "}


@dataclass
class Harness:
    """A store and what a test does behind its back.

    Attributes:
        store: what is tested.
        elapse: lets so many seconds go by.
        woken: how often the store said that there is work.
    """

    store: JobStore
    elapse: Callable[[float], None]
    woken: int = 0

    def __post_init__(self) -> None:
        self.store.on_enqueued = self._wake

    def _wake(self) -> None:
        self.woken += 1

    def add(self, action: str = "Create", params: dict[str, Any] | None = None, **options: Any) -> str:
        """Enqueue one job."""
        return self.store.enqueue([make_job(action, params, **options)])[0]

    def take(self, limit: int = 10) -> list[Job]:
        """Claim jobs of any action."""
        return self.store.claim(limit, ACTIONS)

    def running(self, **options: Any) -> Job:
        """Enqueue one job and claim it."""
        job_id = self.add(**options)
        (claimed,) = self.take()
        assert claimed.id == job_id
        return claimed

    def row(self, job_id: str) -> Job:
        """Read one job, which must be there."""
        found = self.store.get(job_id)
        assert found is not None
        return found


class _AnyAction(dict[str, Any]):
    def get(self, action: str, default: Any = None) -> Any:
        return JobSpec(action, handler=bool, call=bool)


def make_job(action: str = "Create", params: dict[str, Any] | None = None, **options: Any) -> Job:
    """Return the record of a new job, whatever its action."""
    return new_job(_AnyAction(), action, params, **options)


def make_app(url: str) -> App:
    """Return an application of a database, without plugins."""
    return App(Config().apply(app_root=".", db_url=url))


def memory() -> Harness:
    """Return a harness of the store in memory."""
    clock = FrozenClock()
    return Harness(MemoryStore(clock), clock.advance)


@contextmanager
def sql_app(url: str) -> Iterator[App]:
    """An application whose SQL store has its tables."""
    app = make_app(url)
    SQLJobStore(app).init()
    yield app
    database(app).close()


@contextmanager
def current(app: App) -> Iterator[None]:
    """Make an application this process's for the block."""
    before = set_current_app(app)
    try:
        yield
    finally:
        close_session()
        set_current_app(before)


def sql(app: App) -> Harness:
    """Return a harness of an application's SQL store, whose table is emptied."""
    engine = database(app).engine
    with engine.begin() as connection:
        connection.execute(delete(job))
    # The jobs behind which the next claim would begin are gone.
    database(app).dialect.statements._last = None

    def elapse(seconds: float) -> None:
        with engine.begin() as connection:
            for row in connection.execute(select(job)).all():
                times = {name: getattr(row, name) for name in ("created", "updated", "run_at")}
                past = {name: time - timedelta(seconds=seconds) for name, time in times.items()}
                connection.execute(update(job).where(job.c.id == row.id).values(**past))

    return Harness(SQLJobStore(app), elapse)


def take_back(store: JobStore, lease: float = 60, limit: int = 10_000) -> list[Job]:
    """Take back the jobs that look dead, without watching them first."""
    return store.reclaim(store.stale(lease, limit), lease)
