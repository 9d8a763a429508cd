"""What runs the jobs of a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from densefog_core.config import Config
from densefog_core.errors import ConfigError
from densefog_core.jobs.handlers import JobSpec
from densefog_core.registry import did_you_mean


class Worker(Protocol):
    """Runs the jobs of a store."""

    def start(self) -> None:
        """Run jobs until `stop` is called."""

    def stop(self, timeout: float | None = None) -> None:
        """Take no more jobs, let running ones finish for ``timeout`` seconds, put back the rest; then end `start`."""

    def run_pending(self) -> int:
        """Run what is due now, in this thread, and return the number run."""


def chosen(specs: Mapping[str, JobSpec], config: Config) -> dict[str, JobSpec]:
    """Return those of the registered jobs that workers with these settings run.

    Raises:
        ConfigError: ``worker_only`` or ``worker_except`` names a job that nobody handles, or nothing is left.
    """
    only, without = config.worker_only, config.worker_except
    for setting, names in (("worker_only", only), ("worker_except", without)):
        for name in names:
            if name not in specs:
                hint = did_you_mean(name, specs)
                raise ConfigError(f"setting {setting}: no installed package handles job {name!r}{hint}")
    left = {name: spec for name, spec in specs.items() if (not only or name in only) and name not in without}
    if specs and not left:
        raise ConfigError("settings worker_only and worker_except leave no job to run")
    return left


WorkerFactory = Callable[..., Worker]
