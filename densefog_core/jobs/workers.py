"""What runs the jobs of a store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Worker(Protocol):
    """Runs the jobs of a store."""

    def start(self) -> None:
        """Run jobs until `stop` is called."""

    def stop(self, timeout: float | None = None) -> None:
        """Take no more jobs, let running ones finish for ``timeout`` seconds, put back the rest; then end `start`."""

    def run_pending(self) -> int:
        """Run what is due now, in this thread, and return the number run."""


WorkerFactory = Callable[..., Worker]
