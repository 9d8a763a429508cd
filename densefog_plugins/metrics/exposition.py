"""The page ``/metrics``, and what is only known when it is asked for: the queue."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import REGISTRY, CollectorRegistry, Metric, generate_latest, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from densefog_core.actions import Page
from densefog_core.errors import ConfigError
from densefog_core.ownfiles import make_private

if TYPE_CHECKING:
    from densefog_core.app import App
    from densefog_core.server import Api

#: Seconds for which the queue's figures are good: each costs the database a look at the whole table.
QUEUE_EVERY = 5.0

#: The version of Prometheus's text format that every version of prometheus_client writes and every Prometheus reads.
TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"

_logger = logging.getLogger("densefog.metrics")


class Queue(Collector):
    """Asks the job store how much waits, and for how long; every process is told the same, so nothing is added up."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._stats: dict[str, Any] | None = None
        self._asked = -QUEUE_EVERY

    def collect(self) -> Iterable[Metric]:
        """Return the queue's figures; none when the store does not answer."""
        if self._app.job_specs and time.monotonic() - self._asked >= QUEUE_EVERY:
            self._asked = time.monotonic()
            self._stats = self._ask()
        if self._stats is None:
            return []
        jobs = GaugeMetricFamily("densefog_queue_jobs", "Jobs in the store.", labels=["action", "status"])
        for row in self._stats["jobs"]:
            jobs.add_metric([row["action"], row["status"]], row["count"])
        oldest = GaugeMetricFamily("densefog_queue_oldest_seconds", "Seconds that the oldest due job has waited.")
        oldest.add_metric([], self._stats["oldest_pending_seconds"] or 0.0)
        paused = GaugeMetricFamily("densefog_queue_paused", "1 for what is paused.", labels=["what"])
        for what in self._stats["paused"]:
            paused.add_metric([what], 1)
        return [jobs, oldest, paused]

    def _ask(self) -> dict[str, Any] | None:
        try:
            store = self._app.store
            return {**store.stats(), "paused": [pause.what for pause in store.pauses.read()]}
        except Exception as exc:  # noqa: BLE001 - the other figures are wanted all the more when the store is away
            _logger.warning("the metrics have no figures of the queue: %s: %s", type(exc).__name__, exc)
            return None


class PrivateFile(MmapedDict):
    """A file of counts that only its owner can read; install it as ``values.MmapedDict`` before counts are made."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        if not read_mode:
            make_private(filename)
        super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]


class MetricsPage:
    """Answers ``/metrics`` with densefog's metrics, and with those that the application keeps in prometheus_client.

    Args:
        app: the application.
        own: where densefog's metrics of this process are.
        shared: whether to show the sum of all processes that use ``metrics_dir`` instead.

    Raises:
        ConfigError: prometheus_client was imported before the folder was named.
    """

    def __init__(self, app: App, own: CollectorRegistry, *, shared: bool) -> None:
        queue = CollectorRegistry()
        queue.register(Queue(app))
        self._registries: tuple[CollectorRegistry, ...]
        if not shared:
            self._registries = (REGISTRY, own, queue)
            return
        if not getattr(values.ValueClass, "_multiprocess", False):
            raise ConfigError("setting metrics_dir came too late for prometheus_client; set PROMETHEUS_MULTIPROC_DIR")
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody, app.config.metrics_dir)  # type: ignore[no-untyped-call]
        self._registries = (everybody, queue)

    def __call__(self, api: Api) -> Page:
        """Return the page."""
        text = b"".join(generate_latest(registry) for registry in self._registries)
        return Page(text.decode(), TEXT_FORMAT)


def forget_the_dead(folder: str) -> None:
    """Delete the gauges of processes that have ended; what they counted goes on to count."""
    pids = {path.stem.rpartition("_")[2] for path in Path(folder).glob("gauge_live*.db")}
    for pid in sorted(pids):
        if pid.isdigit() and not _lives(int(pid)):
            mark_process_dead(int(pid), folder)  # type: ignore[no-untyped-call]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
