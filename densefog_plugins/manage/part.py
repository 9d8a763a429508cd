"""Registers the actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from densefog_core import hookimpl
from densefog_core.actions import ActionRegistry
from densefog_plugins.manage import jobs, pausing, steering, system


class Manage:
    """Serves the actions for operators.

    Args:
        apis: names of the APIs that serve them.
    """

    def __init__(self, apis: Sequence[str]) -> None:
        self._apis = list(apis)

    @hookimpl
    def densefog_register_actions(self, registry: ActionRegistry) -> None:
        """Register what reads, and what changes jobs and is recorded as an operation on them."""
        for name, handler in {**jobs.ACTIONS, **pausing.READS, **system.ACTIONS}.items():
            registry.add(name, handler, api=self._apis, effect="read")
        on_jobs: dict[str, Any] = {"operation": ("job", "jobIds"), "resource_key": "jobIds"}
        for name, handler in steering.ACTIONS.items():
            registry.add(name, handler, api=self._apis, effect="change", **on_jobs)
        on_actions: dict[str, Any] = {"operation": ("action", "actions"), "dry_run": False}
        for name, handler in pausing.CHANGES.items():
            registry.add(name, handler, api=self._apis, effect="change", **on_actions)
        # The channel's service is told at once, which no rollback takes back.
        on_channel: dict[str, Any] = {"operation": ("channel", "channel"), "dry_run": False}
        registry.add("TestChannel", system.test_channel, api=self._apis, effect="change", **on_channel)
