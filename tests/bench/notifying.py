"""The jobs of ``tests.bench.notify``, and a channel that takes every notice and never comes back."""

from __future__ import annotations

import os
import threading

from densefog_core import hookimpl
from densefog_core.config import Config
from densefog_core.jobs import job
from densefog_core.notify import Channel, ChannelFactory, Notification
from densefog_core.registry import Registry


@job
def work() -> None:
    """Succeed at once."""


@job(try_max=1)
def fail() -> None:
    """Fail at once."""
    raise ValueError("no disk")


class Hanging:
    """Waits for ever."""

    topics = ("started", "failed", "gave_up", "recovered", "finished", "lost")

    def send(self, notification: Notification) -> None:
        """Never return."""
        threading.Event().wait()


def _hanging(config: Config) -> Channel | None:
    return Hanging() if os.environ.get("BENCH_HANG") else None


@hookimpl
def densefog_register_channels(registry: Registry[ChannelFactory]) -> None:
    """Register ``hanging``."""
    registry.add("hanging", _hanging)
