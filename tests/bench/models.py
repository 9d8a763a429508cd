"""A request that authenticates, reads a page of 20 of 100,000 rows and writes an operation, beside the same in Flask.

``python -m tests.bench.models``: both are WSGI applications of this process, called without sockets on the same rows of
one database; rounds alternate, and the median of each counts. Once the caller's project has a hundredth of the table's
rows, and once all of them: then counting them is most of the work, unless the page is asked for by its ``nextToken``.
Needs ``pip install flask``.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import event, insert

import densefog_plugins.models
import densefog_plugins.wsgi
from densefog_core import action, request
from densefog_core.jobs import utcnow
from densefog_core.testing import TestApp, make_app
from densefog_plugins.models import ListParams, describe, operations, projects, schema, transaction
from densefog_plugins.models.database.database import database
from densefog_plugins.models.projects import keys
from tests.bench.flask_models import PARTS, Server, make_flask
from tests.databases import running
from tests.plugins.models.cloud import Disk, Own

ROWS = 100_000
KEY, SECRET = "bench", "bench-secret-" * 3
HEADERS = {"HTTP_X_LE_KEY": KEY, "HTTP_X_LE_SECRET": SECRET}
WSGI = Callable[..., Any]


@action(operation=("disk", "diskIds"))
def describe_disks(params: ListParams) -> dict[str, Any]:
    """List disks."""
    return describe(Disk, params, "diskSet", project_id=request.project_id)


@contextmanager
def database_url(kind: str) -> Iterator[str]:
    """An empty database for the block."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'bench.db'}"
        return
    with running(kind) as server, server.database() as url:
        yield url


def fill(app: TestApp, rows: int, share: int) -> None:
    """Create the tables, a key, and the rows, of which one in ``share`` is the key's project's."""
    engine = database(app).engine
    schema.create(database(app))
    Own.metadata.create_all(engine)
    keys.create_project("prj-0")
    keys.create_key("prj-0", key=KEY, secret=SECRET)
    now = utcnow()
    with transaction() as session:
        for start in range(0, rows, 5000):
            session.execute(insert(Disk), [row(number, share, now) for number in range(start, start + 5000)])
    if engine.dialect.name == "postgresql":
        with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE disk")


def row(number: int, share: int, now: datetime) -> dict[str, Any]:
    """Return a row."""
    common = {"status": "available", "created": now, "updated": now}
    return {"id": f"dsk-{number:08}", "name": f"disk {number}", "project_id": f"prj-{number % share}", **common}


def call(app: WSGI, body: dict[str, Any]) -> dict[str, Any]:
    """Send one request."""
    raw = json.dumps(body).encode()
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/", "QUERY_STRING": "", "SERVER_NAME": "localhost", "SERVER_PORT": "80",
        "CONTENT_LENGTH": str(len(raw)), "CONTENT_TYPE": "application/json", "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": io.BytesIO(raw), "wsgi.url_scheme": "http", "wsgi.errors": sys.stderr, "REMOTE_ADDR": "127.0.0.1",
        **HEADERS,
    }
    answer = app(environ, lambda status, headers, exc_info=None: None)
    reply: dict[str, Any] = json.loads(b"".join(answer))
    if hasattr(answer, "close"):
        answer.close()
    assert reply["retCode"] == 0, reply
    assert len(reply["data"]["diskSet"]) == 20
    return reply


def rate(app: WSGI, body: dict[str, Any], seconds: float) -> float:
    """Return requests a second."""
    started, count = time.perf_counter(), 0
    while (gone := time.perf_counter() - started) < seconds:
        call(app, body)
        count += 1
    return count / gone


def queries(engine: Any, work: Callable[[], object]) -> int:
    """Count the statements of one request."""
    seen: list[str] = []

    def before(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", before)
    work()
    event.remove(engine, "before_cursor_execute", before)
    return len(seen)


def compare(kind: str, rows: int, share: int, rounds: int, seconds: float) -> None:
    """Measure on one database and print it."""
    with database_url(kind) as url:
        parts = [densefog_plugins.models, densefog_plugins.wsgi, projects, operations]
        app = make_app(
            *parts, store="models", db_url=url, projects_enabled=True, transport="wsgi",
            actions={"DescribeDisks": describe_disks},
        )
        fill(app, rows, share)
        ours, flask = app.api().wsgi_app, make_flask(Server(url, Disk))
        page = {"action": "DescribeDisks"}
        token = {**page, "nextToken": call(ours, page)["data"]["nextToken"]}
        assert [one["diskId"] for one in call(ours, page)["data"]["diskSet"]] == [
            one["diskId"] for one in call(flask, page)["data"]["diskSet"]
        ]
        count = queries(database(app).engine, lambda: call(ours, page))
        cases = {"densefog": (ours, page), "densefog, nextToken": (ours, token), "Flask": (flask, page)}
        results: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(rounds):
            for name, (target, body) in cases.items():
                results[name].append(rate(target, body, seconds))
        medians = {name: statistics.median(found) for name, found in results.items()}
        print(f"{kind}, {rows // share} rows of {rows}, {count} statements a request")
        for name, found in medians.items():
            print(f"  {name:22} {found:8.0f}/s  {found / medians['Flask']:.2f} x Flask")
        database(app).close()


def main() -> None:
    """Read the arguments and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", action="append", choices=PARTS, help="which databases; default: all")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    given = parser.parse_args()
    for kind in given.kind or PARTS:
        for share in (100, 1):
            compare(kind, given.rows, share, given.rounds, given.seconds)


if __name__ == "__main__":
    main()
