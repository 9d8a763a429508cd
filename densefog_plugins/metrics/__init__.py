"""Page ``/metrics`` for Prometheus: calls, jobs, the queue, what plugins measure, and stalls of the loop."""

from __future__ import annotations

import os
from collections.abc import Iterable

from densefog_core import hookimpl, require
from densefog_core.config import Config, Setting
from densefog_core.errors import ConfigError
from densefog_core.settings import READERS

SETTINGS = (
    Setting(name="metrics_enabled", plugin="metrics", type=bool, default=False,
            help="Count calls and jobs, and show the counts at /metrics."),
    Setting(name="metrics_dir", plugin="metrics", env=("PROMETHEUS_MULTIPROC_DIR",),
            help="Folder in which the processes of one server put their counts, so that each can show the sum of all; "
                 "empty it when the machine starts."),
    Setting(name="metrics_readers", plugin="metrics", default="manage", choices=READERS,
            help="Who may read /metrics where calls are authenticated: anyone, callers with a key, or those who "
                 "manage."),
)


@hookimpl
def densefog_configure(config: Config) -> None:
    """Declare the settings, and name the folder before anything imports prometheus_client, which looks for it then."""
    for setting in SETTINGS:
        config.declare(setting)
    if not config.metrics_enabled:
        return
    if config.metrics_dir:
        os.makedirs(config.metrics_dir, mode=0o700, exist_ok=True)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = config.metrics_dir
    elif os.environ.get("DENSEFOG_PROCESSES", "1") != "1":
        raise ConfigError("setting metrics_dir is not set: several processes need a folder to add up their metrics in")


@hookimpl
def densefog_parts(config: Config) -> Iterable[object]:
    """Count when metrics are on."""
    if not config.metrics_enabled:
        return []
    require("prometheus_client", extra="densefog[metrics]")
    from densefog_plugins.metrics.meter import Meter

    return [Meter(shared=bool(config.metrics_dir))]
