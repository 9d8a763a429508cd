"""Worker ``gevent``: runs each job in a greenlet, and keeps its lease from a native thread."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from densefog_core import hookimpl
from densefog_core.config import Config

if TYPE_CHECKING:
    from densefog_core.app import App
    from densefog_core.jobs import Worker, WorkerFactory
    from densefog_core.registry import Registry


@hookimpl
def densefog_configure(config: Config) -> None:
    """Make the standard library cooperative before other plugins import it."""
    if config.gevent and config.worker == "gevent":
        from gevent import monkey

        from densefog_plugins.worker.forks import isolate

        monkey.patch_all()
        isolate()


@hookimpl
def densefog_register_workers(registry: Registry[WorkerFactory]) -> None:
    """Register ``gevent``."""
    registry.add("gevent", make_worker)


@hookimpl
def densefog_startup(app: App) -> None:
    """Tell workers in this process and in others of this machine when a job was enqueued here."""
    from densefog_plugins.worker.hints import Sender, wake_own

    app.wake_listeners += (partial(wake_own, app), Sender(app.config).send)


def make_worker(app: App) -> Worker:
    """Return the worker of an application."""
    from densefog_plugins.worker.worker import GeventWorker

    return GeventWorker(app)
