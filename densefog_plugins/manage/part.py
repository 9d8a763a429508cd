"""Registers the actions."""

from __future__ import annotations

from collections.abc import Sequence

from densefog_core import hookimpl
from densefog_core.actions import ActionRegistry
from densefog_plugins.manage import jobs, steering, system


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
        for name, handler in {**jobs.ACTIONS, **system.ACTIONS}.items():
            registry.add(name, handler, api=self._apis, effect="read")
        for name, handler in steering.ACTIONS.items():
            registry.add(name, handler, api=self._apis, operation=("job", "jobIds"), resource_key="jobIds")
        registry.add("TestChannel", system.test_channel, api=self._apis, operation=("channel", "channel"))
