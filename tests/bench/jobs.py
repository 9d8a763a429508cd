"""Jobs drained a second beside peers, as ratios of one run: ``python -m tests.bench.jobs``.

One worker process with ten slots empties a queue of no-op jobs that was filled before; the rate is taken between the
first look that finds jobs gone and the look that finds none left. Redis, MariaDB and PostgreSQL are started by the
script; none syncs to disk. Needs redis-server, mariadb-server and postgresql (Debian's packages), and
``pip install 'celery[redis]' 'dramatiq[redis]' huey procrastinate``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy

from tests.databases import running

BIN = Path(sys.executable).parent
PEERS = "tests.bench.peers"
REDIS_PORT = 9379
REDIS = f"redis://127.0.0.1:{REDIS_PORT}/0"
WAITS = 500
#: Seconds until a worker that does nothing is given up.
PATIENCE = 60


@contextlib.contextmanager
def redis_server() -> Iterator[None]:
    """Run a Redis that keeps nothing on disk."""
    if shutil.which("redis-server") is None:
        raise SystemExit("redis-server is not installed: apt-get install redis-server")
    command = ["redis-server", "--port", str(REDIS_PORT), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        yield
    finally:
        process.terminate()
        process.wait()


class Queue:
    """Something that jobs are put into, and a worker that takes them out.

    Args:
        name: for the table.
        peer: the module below `PEERS`.
        command: what starts the worker.
        remaining: how many jobs are not finished.
        environment: of the worker and of what fills the queue.
    """

    def __init__(
        self, name: str, peer: str, command: list[str], remaining: Callable[[], int], **environment: str
    ) -> None:
        self.name, self._peer, self._command, self._remaining = name, peer, command, remaining
        common = {"PYTHONPATH": os.getcwd(), "BENCH_SIZE": "10", "BENCH_REDIS": REDIS}
        self._environment = {**os.environ, **common, **environment}

    def fill(self, *arguments: object) -> None:
        """Put jobs in."""
        code = f"from {PEERS}.{self._peer} import fill; fill(*{arguments!r})"
        subprocess.run([sys.executable, "-c", code], env=self._environment, check=True)

    @contextlib.contextmanager
    def working(self, processes: int = 1) -> Iterator[None]:
        """Run workers."""
        with tempfile.TemporaryFile() as log:
            started = [
                subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log) for _ in range(processes)
            ]
            try:
                yield
            except AssertionError:
                log.seek(0)
                print(log.read().decode()[-3000:], file=sys.stderr)
                raise
            finally:
                for process in started:
                    process.terminate()
                for process in started:
                    process.wait(30)

    def drain(self, count: int) -> float:
        """Return the jobs a second at which a worker empties the queue."""
        with self.working():
            return self.emptied(count)

    def emptied(self, count: int) -> float:
        """Wait until the queue is empty; return the jobs a second since the first one was gone."""
        deadline = time.monotonic() + PATIENCE
        while (left := self._remaining()) >= count:
            assert time.monotonic() < deadline, f"{self.name} does not work"
            time.sleep(0.005)
        start, first = time.monotonic(), left
        before = left
        while (left := self._remaining()) > 0:
            if left < before:
                before, deadline = left, time.monotonic() + PATIENCE
            assert time.monotonic() < deadline, f"{self.name} left {left} jobs"
            # Counting is work for the database, too.
            time.sleep(0.1)
        return first / (time.monotonic() - start)


def scalar(url: str, statement: str) -> Callable[[], int]:
    """Return a function that asks a database for one number."""
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")

    def ask() -> int:
        with engine.connect() as connection:
            return int(connection.exec_driver_sql(statement).scalar() or 0)

    return ask


def densefog(name: str, url: str, folder: str, **environment: str) -> Queue:
    """Return densefog on a database."""
    left = "SELECT COUNT(*) FROM job WHERE status IN ('pending', 'running')"
    return Queue(name, "densefog_app", [sys.executable, "-m", f"{PEERS}.densefog_app"], scalar(url, left),
                 DB_URL=url, BENCH_FOLDER=folder, **environment)


def peers(folder: str, postgresql: str) -> list[Queue]:
    """Return the others; Redis must run."""
    import redis

    client = redis.Redis(port=REDIS_PORT)
    huey = sqlite3.connect(f"{folder}/huey.db", timeout=10)
    return [
        Queue("Celery, Redis", "celery_app",
              [str(BIN / "celery"), "-A", f"{PEERS}.celery_app", "worker", "-P", "gevent", "-c", "10", "-l", "ERROR"],
              lambda: client.llen("celery") + client.hlen("unacked")),
        Queue("Dramatiq, Redis", "dramatiq_app",
              [str(BIN / "dramatiq-gevent"), f"{PEERS}.dramatiq_app", "-p", "1", "-t", "10"],
              lambda: client.hlen("dramatiq:default.msgs")),
        Queue("Huey, SQLite", "huey_app",
              [str(BIN / "huey_consumer"), f"{PEERS}.huey_app.app", "-k", "greenlet", "-w", "10"],
              lambda: huey.execute("SELECT COUNT(*) FROM task").fetchone()[0], BENCH_FOLDER=folder),
        Queue("Procrastinate, PostgreSQL", "procrastinate_app",
              [str(BIN / "procrastinate"), "--app", f"{PEERS}.procrastinate_app.app", "worker", "--concurrency", "10"],
              scalar(postgresql, "SELECT COUNT(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"),
              DB_URL=postgresql),
    ]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000, help="in the queue at first")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder, redis_server(), running("mariadb") as mariadb,
        running("postgresql") as postgresql, mariadb.database() as mysql_url, postgresql.database() as ours,
        postgresql.database() as theirs,
    ):
        sqlite = densefog("densefog, SQLite", f"sqlite:///{folder}/jobs.db", folder)
        queues = [
            sqlite, densefog("densefog, MariaDB", mysql_url, folder), densefog("densefog, PostgreSQL", ours, folder),
            *peers(folder, theirs),
        ]
        rates: dict[str, list[float]] = {}
        for _ in range(options.rounds):
            for queue in queues:
                queue.fill(options.jobs, *(("Noop", {}) if queue.name.startswith("densefog") else ()))
                rates.setdefault(queue.name, []).append(queue.drain(options.jobs))
        show(rates)
        wide = densefog("densefog, SQLite", f"sqlite:///{folder}/jobs.db", folder, BENCH_SIZE="50")
        wide.fill(WAITS, "Wait", {"seconds": 0.1})
        print(f"{WAITS} jobs of 0.1 s in 50 slots: {WAITS / wide.drain(WAITS):.2f} s")


def show(rates: dict[str, list[float]]) -> None:
    """Print each rate, and how densefog's compare."""
    medians = {name: statistics.median(found) for name, found in rates.items()}
    ours = {name: rate for name, rate in medians.items() if name.startswith("densefog")}
    print(f"{'':28} jobs/s" + "".join(f"  {name.partition(', ')[2]:>10}" for name in ours))
    for name, rate in medians.items():
        print(f"{name:28} {rate:6.0f}" + "".join(f"  {one / rate:9.2f}x" for one in ours.values()))


if __name__ == "__main__":
    main()
