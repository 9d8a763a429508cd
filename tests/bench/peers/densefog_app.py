"""densefog with three jobs, as a worker: ``python -m tests.bench.peers.densefog_app``; the database is ``DB_URL``."""

import os
import time

from densefog_core import config, hookimpl
from densefog_core.app import App
from densefog_core.jobs import enqueue_many
from densefog_core.server import create_worker


def wait(params, time_sleep):
    time_sleep(params["seconds"])


class Jobs:
    @hookimpl
    def densefog_register_jobs(self, registry):
        registry.add("Noop", lambda: None)
        registry.add("Wait", wait)
        registry.add("Now", lambda: time.monotonic())


def make_app():
    config.setup().apply(app_root=os.environ["BENCH_FOLDER"], log_dir=os.environ["BENCH_FOLDER"], gevent=True)
    return App().load(plugins=[Jobs()]).start()


def fill(count, name, params):
    """Enqueue so many jobs."""
    app = make_app()
    app.store.init()
    for _ in range(count // 500):
        enqueue_many([{"action": name, "params": params}] * 500)
    app.shutdown()


if __name__ == "__main__":
    from gevent import monkey

    monkey.patch_all()
    make_app()
    create_worker(exec_size=int(os.environ["BENCH_SIZE"]), pick_size=100).start()
