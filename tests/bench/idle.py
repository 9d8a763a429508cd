"""What an idle worker costs: ``python -m tests.bench.idle``.

One ``densefog-serve worker`` with default settings, the sample cloud and ten thousand jobs in its table, which have all
ended or are all due in a year. Once it has settled: the statements that the server got from it, by their text; its CPU
time; its memory. SQLite has no server that could count.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from densefog_plugins.models.database.database import database
from densefog_plugins.models.jobstore.store import SQLJobStore
from tests.databases import Server, running
from tests.integration.process import SERVE, Process, init_database, megabytes
from tests.plugins.models.stores import make_app, make_job
from tests.sent import sent_by_others

JOBS = 10_000
#: Seconds in which the worker's polls become as rare as they get, and its first looks at everything else are over.
SETTLE = 10.0
TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Cost:
    """What a worker took in some seconds.

    Attributes:
        cpu: seconds.
        rss: MB; pss: the same with shared pages divided by those who share them.
        statements: how often the server got which.
    """

    cpu: float = 0.0
    rss: float = 0.0
    pss: float = 0.0
    statements: Counter[str] = field(default_factory=Counter)


def fill(url: str, *, ended: bool) -> None:
    """Make the tables, and jobs in them that no worker has to run."""
    init_database(url)
    app = make_app(url)
    SQLJobStore(app).enqueue([make_job("CreateVolumes", run_at=timedelta(days=365)) for _ in range(JOBS)])
    if ended:
        with database(app).engine.begin() as connection:
            connection.execute(text("UPDATE job SET status = 'finished', trys = 1, run_at = created"))
    database(app).close()


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has had."""
    utime, stime = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(utime) + int(stime)) / TICK


def observe(server: Server | None, url: str, seconds: float) -> Cost:
    """Run a worker and look at it for some seconds."""
    cost = Cost()
    with tempfile.TemporaryDirectory() as folder:
        worker = Process(*SERVE, "worker", cwd=Path(folder), DB_URL=url)
        try:
            worker.line("worker runs jobs")
            time.sleep(SETTLE)
            with nullcontext(Counter) if server is None else sent_by_others(server) as sent:
                before = cpu_seconds(worker.popen.pid)
                time.sleep(seconds)
                cost.cpu, cost.statements = cpu_seconds(worker.popen.pid) - before, sent()
            cost.rss, cost.pss = (megabytes(worker.popen.pid, kind) for kind in ("Rss", "Pss"))
        finally:
            worker.end()
    return cost


@contextmanager
def new_database(kind: str, server: Server | None) -> Iterator[str]:
    """The URL of an empty database."""
    if server is None:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/jobs.db"
    else:
        with server.database() as url:
            yield url


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="for which each worker is looked at")
    options = parser.parse_args()
    print(f"{'':36}{'statements/s':>12}{'CPU %':>8}{'RSS MB':>8}{'PSS MB':>8}")
    for kind in ("sqlite", "mariadb", "postgresql"):
        with nullcontext() if kind == "sqlite" else running(kind) as server:
            for ended in (True, False):
                with new_database(kind, server) as url:
                    fill(url, ended=ended)
                    show(f"{kind}, {JOBS} jobs {'ended' if ended else 'of later'}",
                         observe(server, url, options.seconds), options.seconds)


def show(name: str, cost: Cost, seconds: float) -> None:
    """Print one line, and one for each statement."""
    rate = f"{cost.statements.total() / seconds:.2f}" if cost.statements else "-"
    print(f"{name:36}{rate:>12}{cost.cpu / seconds * 100:8.2f}{cost.rss:8.1f}{cost.pss:8.1f}", flush=True)
    for statement, count in cost.statements.most_common():
        print(f"{'':36}{count / seconds:12.2f}  {' '.join(statement.split())[:150]}")


if __name__ == "__main__":
    main()
