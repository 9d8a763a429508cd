"""What cooperation costs a small statement, beside the driver's own connection: ``python -m tests.bench.statements``.

``SELECT 1`` and a look-up by primary key as the driver sends them, and a transaction of SQLAlchemy with a ``SELECT 1``,
on a MariaDB on loopback. The scheduler's choice of processors outweighs everything else: so the client is kept on one,
and the server on another, as on a machine of its own, and then on the same, where a trip costs next to nothing.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable

from gevent import monkey

monkey.patch_all()

from sqlalchemy import Engine, text  # noqa: E402 - what it locks with must be gevent's

from densefog_plugins.models.database.engine import create_engine  # noqa: E402
from tests.databases import running  # noqa: E402

ROUNDS, COUNT = 20, 500


def microseconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes, in the mean."""
    started = time.perf_counter()
    for _ in range(COUNT):
        work()
    return (time.perf_counter() - started) / COUNT * 1e6


def statement(engine: Engine) -> Callable[[], object]:
    """Return what sends one statement to the driver."""
    cursor = engine.raw_connection().cursor()
    return lambda: (cursor.execute("SELECT 1"), cursor.fetchall())


def look_up(engine: Engine) -> Callable[[], object]:
    """Return what reads one row with the driver."""
    cursor = engine.raw_connection().cursor()
    return lambda: (cursor.execute("SELECT * FROM t WHERE id = %s", (77,)), cursor.fetchall())


def transaction(engine: Engine) -> Callable[[], object]:
    """Return what runs a transaction of one statement."""

    def run() -> object:
        with engine.begin() as connection:
            return connection.execute(text("SELECT 1")).scalar()

    return run


def fill(engine: Engine) -> None:
    """Make a table of a thousand rows."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (id integer PRIMARY KEY, name varchar(50), note text)"))
        rows = [{"id": number, "note": "x" * 100} for number in range(1000)]
        connection.execute(text("INSERT INTO t VALUES (:id, 'name', :note)"), rows)


def keep_on(processor: int, pid: int) -> None:
    """Keep all threads of a process on one processor."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {processor})


def show(where: str, engines: dict[str, Engine]) -> None:
    """Measure in alternating rounds and print; the median of the rounds counts."""
    for what in (statement, look_up, transaction):
        works = {name: what(engine) for name, engine in engines.items()}
        found: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(ROUNDS):
            for name, work in works.items():
                found[name].append(microseconds(work))
        plain, cooperative = map(statistics.median, found.values())
        print(f"{where}, {what.__name__}: plain {plain:.0f} us, cooperative {cooperative:.0f} us, "
              f"{cooperative / plain:.2f} times")


def main() -> None:
    """Measure on both placements."""
    first, *others = sorted(os.sched_getaffinity(0))
    with running("mariadb") as server, server.database() as url:
        engines = {"plain": create_engine(url), "cooperative": create_engine(url, cooperative=True)}
        fill(engines["plain"])
        keep_on(first, os.getpid())
        for where, processor in [("server on another processor", other) for other in others[:1]] + [("on one", first)]:
            keep_on(processor, server.pid)
            show(where, engines)


if __name__ == "__main__":
    main()
