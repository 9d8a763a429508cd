"""How soon an idle worker starts a job: ``python -m tests.bench.latency``.

From before the enqueue in this process to the start of the handler in a worker with default settings, which has had
nothing to do for so long that it polls as rarely as it ever does; with the hint that an enqueue sends to the workers of
its machine, and without it, as from another one. All are measured at once, as idle workers take next to nothing.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from densefog_core.config import Config
from densefog_plugins.models.jobstore.store import SQLJobStore
from densefog_plugins.worker.hints import Sender
from tests.bench.jobs import densefog
from tests.databases import running
from tests.integration.process import eventually
from tests.plugins.models.stores import make_app, make_job

#: Seconds between two jobs. Polls are at their rarest after about two.
IDLE = (4.0, 6.0)


def latencies(name: str, url: str, folder: str, jobs: int, *, hinted: bool) -> list[float]:
    """Return the seconds that each of so many jobs waited."""
    store = SQLJobStore(make_app(url))
    store.init()
    if hinted:
        store.on_enqueued = Sender(Config().apply(db_url=url)).send
    enqueued: dict[str, float] = {}
    with densefog(name, url, folder).working():
        first = store.enqueue([make_job("Now")])
        eventually(lambda: results(store, first), "the start of the worker")
        for _ in range(jobs):
            time.sleep(random.uniform(*IDLE))
            job = make_job("Now")
            enqueued[job.id] = time.monotonic()
            store.enqueue([job])
        # Meanwhile nobody has asked the database.
        started = eventually(lambda: results(store, list(enqueued)), "the end of every job")
    return [started[job_id] - moment for job_id, moment in enqueued.items()]


def results(store: SQLJobStore, job_ids: list[str]) -> dict[str, float] | None:
    """Return what each job returned, None before all have."""
    rows = [store.get(job_id) for job_id in job_ids]
    found = {row.id: row.result for row in rows if row is not None and row.status == "finished"}
    return found if len(found) == len(job_ids) else None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100, help="of each kind; five seconds each")
    options = parser.parse_args()
    with ExitStack() as stack, ThreadPoolExecutor() as threads:
        mariadb = stack.enter_context(running("mariadb"))
        measured = {}
        for hinted in (True, False):
            for kind in ("SQLite", "MariaDB"):
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                sqlite = f"sqlite:///{Path(folder) / 'jobs.db'}"
                url = sqlite if kind == "SQLite" else stack.enter_context(mariadb.database())
                name = f"{kind}, {'hinted' if hinted else 'without a hint'}"
                measured[name] = threads.submit(latencies, name, url, folder, options.jobs, hinted=hinted)
        for name, waits in measured.items():
            milliseconds = [wait * 1000 for wait in waits.result()]
            cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
            print(f"{name:26} p50 {cuts[49]:7.1f} ms   p99 {cuts[98]:7.1f} ms   longest {max(milliseconds):7.1f} ms")


if __name__ == "__main__":
    main()
