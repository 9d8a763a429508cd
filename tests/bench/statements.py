"""What cooperation costs a small statement, beside the driver's own connection: ``python -m tests.bench.statements``.

``SELECT 1`` as the driver sends it, and a transaction of SQLAlchemy with one, on a MariaDB on loopback.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from gevent import monkey

monkey.patch_all()

from sqlalchemy import Engine, text  # noqa: E402 - what it locks with must be gevent's

from densefog_plugins.models.engine import create_engine  # noqa: E402
from tests.databases import running  # noqa: E402

ROUNDS, COUNT = 10, 500


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


def transaction(engine: Engine) -> Callable[[], object]:
    """Return what runs a transaction of one statement."""

    def run() -> object:
        with engine.begin() as connection:
            return connection.execute(text("SELECT 1")).scalar()

    return run


def main() -> None:
    """Measure and print; the best of alternating rounds counts."""
    with running("mariadb") as server, server.database() as url:
        engines = {"plain": create_engine(url), "cooperative": create_engine(url, cooperative=True)}
        for what in (statement, transaction):
            works = {name: what(engine) for name, engine in engines.items()}
            best = dict.fromkeys(works, float("inf"))
            for _ in range(ROUNDS):
                for name, work in works.items():
                    best[name] = min(best[name], microseconds(work))
            ratio = best["cooperative"] / best["plain"]
            shown = ", ".join(f"{name} {micros:.0f} us" for name, micros in best.items())
            print(f"{what.__name__}: {shown}, {ratio:.2f} times")


if __name__ == "__main__":
    main()
