"""A worker of fifty jobs that have read and wait, in a process of its own: what they hold meanwhile.

``python -m tests.plugins.models.resting URL`` prints as JSON how many connections were in use, and whether the table
that they have read could be altered.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import sys  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent.event import Event  # noqa: E402
from sqlalchemy import text  # noqa: E402

from densefog_core import enqueue  # noqa: E402
from densefog_core.jobs import JobFilter  # noqa: E402
from densefog_core.testing import make_app  # noqa: E402
from densefog_plugins import models, worker  # noqa: E402
from densefog_plugins.models import ResourceModel, transaction, wait_for  # noqa: E402
from densefog_plugins.models.database.database import database  # noqa: E402
from densefog_plugins.worker.worker import GeventWorker  # noqa: E402

JOBS = 50

gate = Event()
waiting: list[str] = []


class RestingDisk(ResourceModel):
    """What the jobs read."""

    __tablename__ = "resting_disk"


def sleep(params: dict[str, Any], time_sleep: Any) -> None:
    """Read outside of a transaction, then within one that is open while it waits."""
    RestingDisk.get("disk-1")
    time_sleep(0)
    with transaction():
        RestingDisk.get("disk-1")
        waiting.append("sleep")
        while not gate.is_set():
            time_sleep(0.2)


def ask(params: dict[str, Any]) -> None:
    """Read, then ask the provider."""
    RestingDisk.get("disk-1")
    waiting.append("ask")
    wait_for(lambda: "active" if gate.is_set() else "creating", "active", max_interval=0.5)


def main() -> None:
    """Measure, and print it."""
    app = make_app(models, worker, jobs={"Sleep": sleep, "Ask": ask}, store="models", db_url=sys.argv[1], exec_size=60)
    app.store.init()
    with transaction() as session:
        session.add(RestingDisk(id="disk-1", project_id="p", status="creating"))
    for number in range(JOBS):
        enqueue("Sleep" if number % 2 else "Ask", {})
    gevent_worker = GeventWorker(app)
    running = gevent.spawn(gevent_worker.start)
    with gevent.Timeout(30):
        while len(waiting) < JOBS:
            gevent.sleep(0.05)
    pool: Any = database(app).engine.pool
    with gevent.Timeout(10, False):
        while pool.checkedout():
            gevent.sleep(0.01)
    measured = {"held": pool.checkedout(), "altered": altered(app)}
    gate.set()
    with gevent.Timeout(30):
        while app.store.page(JobFilter(status=["finished"]))[1] < JOBS:
            gevent.sleep(0.1)
    gevent_worker.stop(1)
    running.join()
    print(json.dumps(measured))


def altered(app: Any) -> bool:
    """Add a column to the table; a transaction that has read it and is open would be waited for."""
    mysql = database(app).engine.dialect.name != "postgresql"
    with database(app).engine.begin() as connection:
        connection.execute(text("SET lock_wait_timeout = 5" if mysql else "SET lock_timeout = '5s'"))
        connection.execute(text("ALTER TABLE resting_disk ADD COLUMN size integer"))
    return True


if __name__ == "__main__":
    main()
