"""What an idle worker costs: ``python -m tests.bench.idle``.

One ``densefog-serve worker`` with default settings, the sample cloud and ten thousand jobs in its table, which have all
ended or are all due in a year. Once it has settled: the statements that the server got from it, by their text; its CPU
time; its memory. SQLite has no server that could count.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import sqlalchemy
from sqlalchemy import Connection, NullPool, text

from densefog_plugins.models.database import database
from densefog_plugins.models.store import SQLJobStore
from tests.databases import Server, running
from tests.integration.process import DENSEFOG, SERVE, Process, run
from tests.plugins.models.stores import make_app, make_job

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
    """Make the tables of all that is installed, and jobs in them that no worker has to run."""
    made = run(*DENSEFOG, "db", "init", DB_URL=url)
    assert made.returncode == 0, made.stderr
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


def megabytes(pid: int) -> tuple[float, float]:
    """Return a process's resident memory, and its share of it."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines)}
    return kilobytes["Rss"] / 1024, kilobytes["Pss"] / 1024


@contextmanager
def administering(server: Server) -> Iterator[Connection]:
    """A connection of its administrator."""
    engine = sqlalchemy.create_engine(
        server.url(server.administration), poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        yield connection


@contextmanager
def noted_by_mariadb(server: Server, statements: Counter[str]) -> Iterator[None]:
    """Count what others send in the block."""
    with administering(server) as mine:
        mine.execute(text("SET GLOBAL log_output = 'TABLE'"))
        mine.execute(text("SET GLOBAL general_log = ON"))
        yield
        mine.execute(text("SET GLOBAL general_log = OFF"))
        others = "FROM mysql.general_log WHERE thread_id != CONNECTION_ID()"
        rows = mine.execute(text(f"SELECT command_type, CONVERT(argument USING utf8mb4) {others}"))
        statements.update(what if kind == "Query" else kind for kind, what in rows)
        mine.execute(text("TRUNCATE mysql.general_log"))


@contextmanager
def noted_by_postgresql(server: Server, statements: Counter[str]) -> Iterator[None]:
    """Count what others send in the block."""
    log = server.folder / "log"
    with administering(server) as mine:
        pid = mine.scalar(text("SELECT pg_backend_pid()"))
        mine.execute(text("ALTER SYSTEM SET log_statement = 'all'"))
        mine.execute(text("SELECT pg_reload_conf()"))
        begin = log.stat().st_size
        yield
        lines = re.findall(r"\[(\d+)\] LOG:  (?:statement|execute [^:]+): (.+)", log.read_bytes()[begin:].decode())
        statements.update(what for sender, what in lines if int(sender) != pid)


NOTED = {"mariadb": noted_by_mariadb, "postgresql": noted_by_postgresql}


def observe(kind: str, server: Server | None, url: str, seconds: float) -> Cost:
    """Run a worker and look at it for some seconds."""
    cost = Cost()
    noted = nullcontext() if server is None else NOTED[kind](server, cost.statements)
    with tempfile.TemporaryDirectory() as folder:
        worker = Process(*SERVE, "worker", cwd=Path(folder), DB_URL=url)
        try:
            worker.line("worker runs jobs")
            time.sleep(SETTLE)
            with noted:
                before = cpu_seconds(worker.popen.pid)
                time.sleep(seconds)
                cost.cpu = cpu_seconds(worker.popen.pid) - before
            cost.rss, cost.pss = megabytes(worker.popen.pid)
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
                         observe(kind, server, url, options.seconds), options.seconds)


def show(name: str, cost: Cost, seconds: float) -> None:
    """Print one line, and one for each statement."""
    rate = f"{cost.statements.total() / seconds:.2f}" if cost.statements else "-"
    print(f"{name:36}{rate:>12}{cost.cpu / seconds * 100:8.2f}{cost.rss:8.1f}{cost.pss:8.1f}", flush=True)
    for statement, count in cost.statements.most_common():
        print(f"{'':36}{count / seconds:12.2f}  {' '.join(statement.split())[:150]}")


if __name__ == "__main__":
    main()
