"""Hooks that are only told, asked or stopped: each plugin's part is guarded, so that none harms the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from densefog_core.functions import guarded
from densefog_core.plugins.records import PluginRecord

Implementations = Iterable[tuple[PluginRecord, Callable[..., Any]]]


def tell(observers: Implementations, event: object, what: str) -> None:
    """Hand an event to each observer.

    Args:
        observers: what `Plugins.implementations` returned.
        event: the hook's argument ``event``.
        what: the event's name, for the log.
    """
    for record, observe in observers:
        guarded(record.found.owner, f"on the event {what}", observe, event=event)
