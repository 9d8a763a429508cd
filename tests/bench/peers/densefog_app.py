"""densefog with four jobs, as a worker: ``python -m tests.bench.peers.densefog_app``; the database is ``DB_URL``.

With the folder ``BENCH_GATE`` a worker that is ready says so by a file there, and begins when there is one named go.
"""

import os
import time
from pathlib import Path

from densefog_core import config, enqueue_many, hookimpl
from densefog_core.app import App
from densefog_core.current import set_current_app
from densefog_core.server import create_worker


def wait(params, time_sleep):
    time_sleep(params["seconds"])


def work(params):
    end = time.thread_time() + params["seconds"]
    while time.thread_time() < end:
        pass


class Jobs:
    @hookimpl
    def densefog_register_jobs(self, registry):
        registry.add("Noop", lambda: None)
        registry.add("Wait", wait)
        registry.add("Work", work)
        registry.add("Now", lambda: time.monotonic())


def make_app():
    config.setup().apply(app_root=os.environ["BENCH_FOLDER"], log_dir=os.environ["BENCH_FOLDER"], gevent=True)
    app = App().load(plugins=[Jobs()])
    set_current_app(app)
    return app.start()


def fill(count, name, params):
    """Enqueue so many jobs."""
    app = make_app()
    app.store.init()
    for _ in range(count // 500):
        enqueue_many([{"action": name, "params": params}] * 500)
    app.shutdown()


def wait_at(gate):
    """Say that this worker is ready, and wait for the others."""
    (gate / f"ready-{os.getpid()}").touch()
    while not (gate / "go").exists():
        time.sleep(0.001)


if __name__ == "__main__":
    from gevent import monkey

    monkey.patch_all()
    make_app()
    if "BENCH_GATE" in os.environ:
        wait_at(Path(os.environ["BENCH_GATE"]))
    create_worker(exec_size=int(os.environ["BENCH_SIZE"]), pick_size=100).start()
