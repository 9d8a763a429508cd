"""Workers as they are deployed: ``densefog-serve worker``, which finds the jobs of an installed package."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from densefog_core.app import App
from densefog_core.jobs import Job, JobFilter, JobStore
from densefog_plugins.models.database.database import database
from densefog_plugins.models.jobstore.store import SQLJobStore
from densefog_plugins.models.jobstore.table import job
from tests.plugins.models.stores import make_app, make_job

ROOT = Path(__file__).parents[3]

#: Seconds until a test that waits for a worker fails.
PATIENCE = 60.0


def install(folder: Path, module: str) -> None:
    """Make a distribution of ``module``, whose jobs and hooks densefog finds."""
    info = folder / "badly_behaved-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: badly-behaved\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[densefog.jobs]\nbad = {module}\n[densefog.plugins]\nbad = {module}\n")


class Site:
    """A database, the jobs in it, and the workers that run them.

    Attributes:
        store: the database's jobs.
    """

    def __init__(self, folder: Path, url: str, module: str = "tests.plugins.worker.jobs") -> None:
        self.url = url
        self._folder = folder
        self._app: App = make_app(url)
        self.store: JobStore = SQLJobStore(self._app)
        self.store.init()
        self._trace = folder / "trace"
        self._trace.touch()
        install(folder / "site", module)

    def add(self, action: str, params: dict[str, Any] | None = None, **options: Any) -> str:
        """Enqueue a job, due now, whose next try follows at once."""
        return self.store.enqueue([make_job(action, params, **{"try_period": 0, **options})])[0]

    def row(self, job_id: str) -> Job:
        """Read a job."""
        found = self.store.get(job_id)
        assert found is not None
        return found

    def rows(self, job_ids: list[str]) -> list[Job]:
        """Read jobs, in any order."""
        pages = (job_ids[start : start + 100] for start in range(0, len(job_ids), 100))
        return [job for page in pages for job in self.store.page(JobFilter(ids=page, limit=100))[0]]

    def age(self, seconds: float, job_ids: list[str]) -> None:
        """Let the last beats for jobs be so many seconds older."""
        with database(self._app).engine.begin() as connection:
            for row in connection.execute(select(job).where(job.c.id.in_(job_ids))).all():
                past = update(job).where(job.c.id == row.id)
                connection.execute(past.values(updated=row.updated - timedelta(seconds=seconds)))

    def trace(self, *words: str) -> list[list[str]]:
        """Return the lines of what happened that begin with these words."""
        lines = [line.split() for line in self._trace.read_text().splitlines()]
        return [line for line in lines if line[: len(words)] == list(words)]

    @contextmanager
    def worker(self, *options: str, **settings: object) -> Iterator[subprocess.Popen[bytes]]:
        """A worker for the block; its log is in ``log``."""
        environment = {
            "DB_URL": self.url, "DENSEFOG_TEST_TRACE": str(self._trace),
            # Its table is not among those that this process makes.
            "DENSEFOG_PLUGINS": "bad", "DENSEFOG_DISABLE_PLUGINS": "operations",
            "PYTHONPATH": os.pathsep.join([str(self._folder / "site"), str(ROOT)]),
            "XDG_RUNTIME_DIR": os.environ.get("XDG_RUNTIME_DIR", str(self._folder)),
            "WORKER_LEASE": "4", "WORKER_POLL_INTERVAL": "0.2", "DRAIN_TIMEOUT": "10",
            **{name.upper(): str(value) for name, value in settings.items()},
        }
        # Tests stop, kill and await the worker itself, but where they ask for several.
        alone = () if "--processes" in options else ("--no-supervisor",)
        settings_of_others = ("DB_", "WORKER_", "DENSEFOG_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(settings_of_others)}
        # Tests kill it, stop it, and ask for its exit code.
        alone = () if "--processes" in options else ("--no-supervisor",)
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "densefog_core.cli.serve", "worker", "--strict-plugins", *alone, *options],
                cwd=self._folder, env={**kept, **environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    @property
    def log(self) -> str:
        """What the workers logged."""
        return (self._folder / "log").read_text()

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for what workers do."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)

    def ended(self, *job_ids: str) -> bool:
        """Whether jobs have ended."""
        return self.store.page(JobFilter(ids=job_ids, status=["finished", "error"], limit=1))[1] == len(job_ids)

    def close(self) -> None:
        """Give back the connections."""
        database(self._app).close()


def stop(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> int:
    """Ask a worker to end; return its exit code."""
    process.send_signal(number)
    return process.wait(PATIENCE)
