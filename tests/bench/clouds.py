"""The sample cloud as stratus and as its plain twin, each as it is served, with a SQLite file and a provider."""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from celery import signals
from celery.contrib.testing.worker import start_worker
from werkzeug.test import Client

from densefog_core import hookimpl
from densefog_core.config import Config
from densefog_core.current import set_current_app
from densefog_core.jobs import JobEvent
from densefog_core.testing import TestApp
from densefog_plugins.models.projects import keys
from densefog_plugins.models.sessions import close_session
from tests.bench.plain import control, database
from tests.bench.plain.app import create_app
from tests.bench.plain.work import celery

#: Of every access key.
SECRET = "the-secret-of-both"


class Cloud(ABC):
    """One of the two.

    Attributes:
        client: calls it.
        file: its database.
    """

    client: Client
    file: Path

    @abstractmethod
    def tenant(self, name: str) -> None:
        """Add a project with an access key of the same name."""

    @abstractmethod
    def misbehave(self, *, fail: float = 0, delay: float = 0, once: bool = False) -> None:
        """Set what the provider does: the share of calls that it refuses, and the seconds that it takes.

        Args:
            fail: the share.
            delay: the seconds.
            once: it does so only until a try has failed.
        """

    @abstractmethod
    def work(self, job_id: str) -> tuple[str, int]:
        """Run a job to its end; return whether it is ``finished`` or in ``error``, and after how many tries."""

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement in its database; the tables that both have are alike."""
        with contextlib.closing(sqlite3.connect(self.file)) as connection, connection:
            return connection.execute(statement, values).fetchall()


class Stratus(Cloud):
    """Stratus, as it is installed."""

    def __init__(self, root: Path) -> None:
        self.file = root / "densefog.db"
        self._config = Config().apply(app_root=str(root), log_dir="-", projects_enabled=True, stratus_delay=0)
        self._app = TestApp(self._config).load(plugins=[self]).start()
        self._once = False
        self.client = self._app.api().test_client()

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        """Be the application of this process for the block."""
        before = set_current_app(self._app)
        yield
        set_current_app(before)

    def tenant(self, name: str) -> None:
        keys.create_project(name)
        keys.create_key(name, key=name, secret=SECRET)
        close_session()

    def misbehave(self, *, fail: float = 0, delay: float = 0, once: bool = False) -> None:
        self._once = once
        self._config.apply(stratus_fail=fail, stratus_delay=delay)

    @hookimpl
    def densefog_job_event(self, event: JobEvent) -> None:
        """See a try fail."""
        if event.kind == "retrying" and self._once:
            self.misbehave()

    def work(self, job_id: str) -> tuple[str, int]:
        while (found := self._app.store.get(job_id)).status == "pending":
            self._app.store.run_now([job_id])
            self._app.run_jobs()
        return found.status, found.trys

    def close(self) -> None:
        """Leave nothing behind."""
        with self.current():
            self._app.shutdown()
        set_current_app(None)


class Plain(Cloud):
    """The plain twin, with a worker of Celery's in a thread, which takes up tasks only while `work` waits for one."""

    ENDS: ClassVar = {"SUCCESS": "finished", "FAILURE": "error"}

    def __init__(self, root: Path) -> None:
        self.file = root / "plain.db"
        provider = {"ROOT": root / "provider", "DELAY": 0, "FAIL": 0, "LOSE": 0}
        broker = {"broker_url": "memory://", "broker_transport_options": {"polling_interval": 0.01}}
        self._app = create_app(
            {
                "DATABASE_URL": f"sqlite:///{self.file}", "RETRY_SECONDS": 0, "POLL_SECONDS": 0.01,
                "CELERY": broker,
                **{f"PROVIDER_{name}": value for name, value in provider.items()},
            }
        )
        self._once, self._open = False, threading.Event()
        self._tries, self._ended = Counter[str](), queue.SimpleQueue[tuple[str, str]]()
        self.client = self._app.test_client()

    def tenant(self, name: str) -> None:
        key = control.AccessKey(id=name, project_id=name, secret_hash=control.secret_hash(name, SECRET))
        with self._app.app_context(), database.session.begin():
            database.session.add_all([control.Project(id=name), key])

    def misbehave(self, *, fail: float = 0, delay: float = 0, once: bool = False) -> None:
        self._once = once
        self._app.config.update(PROVIDER_FAIL=fail, PROVIDER_DELAY=delay)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Run the worker during the block."""
        watched = {
            signals.task_prerun: self._begin,
            signals.task_postrun: self._end,
            # With a receiver here Celery leaves the log's handlers to pytest.
            signals.setup_logging: self._leave_alone,
        }
        for signal, receiver in watched.items():
            signal.connect(receiver)
        try:
            with start_worker(celery, perform_ping_check=False):
                yield
                self._open.set()
                # Told so, it ends at once; else when it next looks, seconds later.
                celery.control.shutdown()
        finally:
            for signal, receiver in watched.items():
                signal.disconnect(receiver)
            database.session.get_bind().dispose()
            database.session.remove()

    def _begin(self, task_id: str, **rest: object) -> None:
        self._open.wait()
        self._tries[task_id] += 1

    def _end(self, task_id: str, state: str, **rest: object) -> None:
        if state in self.ENDS:
            self._ended.put((task_id, self.ENDS[state]))
        elif self._once:
            self.misbehave()

    def _leave_alone(self, **rest: object) -> None:
        pass

    def work(self, job_id: str) -> tuple[str, int]:
        self._open.set()
        ended, status = self._ended.get(timeout=30)
        self._open.clear()
        # It has one thread, and takes them as they come.
        assert ended == job_id
        return status, self._tries[job_id]
