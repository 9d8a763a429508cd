"""What a test runs in a process of its own, made cooperative as ``densefog-serve`` does it: waiting for a database.

``python -m tests.plugins.models.waiting SCENARIO URL [early]`` prints what it measured as JSON; with ``early`` the
driver was imported before the standard library was made cooperative.
"""

from __future__ import annotations

import sys

if sys.argv[3:] == ["early"]:
    import MySQLdb  # noqa: F401
    import psycopg  # noqa: F401

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from sqlalchemy import Engine, text  # noqa: E402
from sqlalchemy.exc import DBAPIError  # noqa: E402

from densefog_plugins.models.database.engine import create_engine  # noqa: E402
from tests.ticks import Ticks  # noqa: E402


def sleeping(engine: Engine, seconds: float) -> Any:
    function = "pg_sleep" if engine.dialect.name == "postgresql" else "SLEEP"
    return text(f"SELECT {function}({seconds})")


def ask(engine: Engine, number: int = 42) -> int:
    """Ask for a number that no other statement answers."""
    with engine.connect() as connection:
        answer: int = connection.scalar(text(f"SELECT {number}"))
        return answer


def wait(engine: Engine, seconds: float) -> None:
    with engine.connect() as connection:
        connection.execute(sleeping(engine, seconds))


def seconds_of(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def imported(engine: Engine) -> dict[str, Any]:
    """What the driver imports when it connects, which happens in a thread."""
    before = set(sys.modules)
    with engine.connect():
        return {"modules": [name for name in set(sys.modules) - before if name.startswith(("MySQLdb", "psycopg"))]}


def together(engine: Engine) -> dict[str, Any]:
    """Twenty statements of 0.2 seconds, after one round that connects."""

    def all_wait() -> None:
        gevent.joinall([gevent.spawn(wait, engine, 0.2) for _ in range(20)], raise_error=True)

    connecting = seconds_of(all_wait)
    return {"connecting": connecting, "seconds": seconds_of(all_wait)}


def interrupted(engine: Engine) -> dict[str, Any]:
    """Statements interrupted by a timeout or the end of their greenlet; afterwards each gets its own answer."""
    timeouts = 0

    def impatient() -> None:
        nonlocal timeouts
        try:
            with gevent.Timeout(0.1):
                wait(engine, 5)
        except gevent.Timeout:
            timeouts += 1

    seconds = seconds_of(lambda: gevent.joinall([gevent.spawn(impatient) for _ in range(10)], raise_error=True))
    killed = [gevent.spawn(wait, engine, 5) for _ in range(10)]
    gevent.sleep(0.1)
    gevent.killall(killed)
    asking = [gevent.spawn(ask, engine, number) for number in range(100)]
    gevent.joinall(asking, raise_error=True)
    return {
        "timeouts": timeouts, "seconds": seconds, "right": [one.value for one in asking] == list(range(100)),
        "out": engine.pool.checkedout(),  # type: ignore[attr-defined]
    }


def in_a_transaction(engine: Engine) -> dict[str, Any]:
    """A statement interrupted in a transaction: the row it locked is free again, what it wrote is gone."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (id integer PRIMARY KEY, n integer)"))
        connection.execute(text("INSERT INTO t VALUES (1, 0)"))
    try:
        with gevent.Timeout(0.2), engine.begin() as connection:
            connection.execute(text("UPDATE t SET n = 1"))
            connection.execute(sleeping(engine, 0.5))
    except gevent.Timeout:
        pass

    def add() -> None:
        with engine.begin() as connection:
            connection.execute(text("SELECT n FROM t WHERE id = 1 FOR UPDATE"))
            gevent.sleep(0.02)
            connection.execute(text("UPDATE t SET n = n + 10"))

    # Each yields while it holds the lock that the others wait for.
    seconds = seconds_of(lambda: gevent.joinall([gevent.spawn(add) for _ in range(5)], raise_error=True))
    with engine.connect() as connection:
        return {"n": connection.scalar(text("SELECT n FROM t")), "seconds": seconds}


def stopped(engine: Engine) -> dict[str, Any]:
    """A server that does not answer any more; says so on stdout when it may be stopped."""
    native = create_engine(engine.url.render_as_string(hide_password=False), pooled=False)
    ask(engine)
    ask(native)
    print("ready", flush=True)
    sys.stdin.readline()
    with Ticks() as ticks:
        other = gevent.get_hub().threadpool.spawn(fails_after, native)
        outcome = {"pooled": fails_after(engine), "native": other.get(), "late": ticks.take().own}
    print("stopped", flush=True)
    sys.stdin.readline()
    return {**outcome, "answer": ask(engine)}


def fails_after(engine: Engine) -> float | None:
    start = time.perf_counter()
    try:
        ask(engine)
    except DBAPIError:
        return time.perf_counter() - start
    return None


def lost(engine: Engine) -> dict[str, Any]:
    """The server ends a connection while it waits; the next statement gets another one."""
    query = "pg_backend_pid()" if engine.dialect.name == "postgresql" else "CONNECTION_ID()"
    kill = "SELECT pg_terminate_backend({})" if engine.dialect.name == "postgresql" else "KILL {}"
    numbers: list[int] = []
    invalidated: list[bool] = []

    def victim() -> None:
        try:
            with engine.connect() as connection:
                numbers.append(connection.scalar(text(f"SELECT {query}")))
                connection.execute(sleeping(engine, 5))
        except DBAPIError as exc:
            invalidated.append(exc.connection_invalidated)

    greenlet = gevent.spawn(victim)
    while not numbers:
        gevent.sleep(0.01)
    gevent.sleep(0.2)
    with engine.connect() as connection:
        connection.execute(text(kill.format(numbers[0])))
    greenlet.join(5)
    return {"invalidated": invalidated, "answer": ask(engine)}


def shared(engine: Engine) -> dict[str, Any]:
    """Two greenlets on one connection, which also a thread may use; several results of one statement."""
    errors: list[str] = []
    with engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        first = gevent.spawn(raw.query, b"SELECT SLEEP(0.2)")
        gevent.sleep(0.05)
        try:
            raw.query(b"SELECT 1")
        except raw.ProgrammingError as exc:
            errors.append(str(exc))
        first.join()
        raw.store_result()
        cursor = raw.cursor()
        cursor.execute("SELECT 1; SELECT 2; DO 1")
        several = [cursor.fetchall(), cursor.nextset(), cursor.fetchall(), cursor.nextset(), cursor.nextset()]
        elsewhere = gevent.get_hub().threadpool.apply(lambda: connection.scalar(text("SELECT 7")))
    return {"errors": errors, "several": several, "elsewhere": elsewhere, "answer": ask(engine)}


def sqlite(engine: Engine) -> dict[str, Any]:
    """A write that waits for another one's lock."""
    native = create_engine(engine.url.render_as_string(hide_password=False), pooled=False)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (n integer)"))

    def add() -> None:
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO t VALUES (1)"))

    with native.begin(), Ticks() as ticks:
        waiting = [gevent.spawn(add) for _ in range(5)]
        gevent.sleep(0.5)
        late = ticks.take().own
    gevent.joinall(waiting, raise_error=True)
    with engine.connect() as connection:
        return {"late": late, "rows": connection.scalar(text("SELECT count(*) FROM t"))}


if __name__ == "__main__":
    engine = create_engine(sys.argv[2], cooperative=True)
    print(json.dumps(globals()[sys.argv[1]](engine)), flush=True)
