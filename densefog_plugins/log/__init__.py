"""Channel ``log``: notices in the log."""

from __future__ import annotations

from densefog_core import hookimpl
from densefog_core.notify import ChannelFactory, LogChannel
from densefog_core.registry import Registry


@hookimpl
def densefog_register_channels(registry: Registry[ChannelFactory]) -> None:
    """Register ``log``."""
    registry.add("log", lambda config: LogChannel())
