"""Plugin ``operations``: who did what to which resource, and how it was answered.

Each call of an action that is marked with ``operation=("volume", "volumeIds")`` leaves a row, also one that was
refused or failed; not one that the ``projects`` plugin turned away, or anybody could fill the table. Tenants read
theirs with ``DescribeOperations``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from densefog_core import hookimpl
from densefog_core.actions.handlers import ActionRegistry, ActionSpec
from densefog_core.config import Config, Setting
from densefog_core.plugins.discovery import HOME

if TYPE_CHECKING:
    from densefog_core.app import App


@hookimpl
def densefog_configure(config: Config) -> None:
    """Declare how long operations are kept."""
    text = "Seconds after which operations are deleted; unset keeps them."
    config.declare(Setting(name="operations_retention", plugin="operations", type=float, minimum=60, help=text))


@hookimpl
def densefog_register_actions(registry: ActionRegistry) -> None:
    """Register ``DescribeOperations``."""
    from densefog_plugins.models.operations.actions import describe_operations

    registry.add("DescribeOperations", describe_operations, api=("public", "manage"), tags=("operations",))


@hookimpl
def densefog_startup(app: App) -> None:
    """Put the recording around the actions that ask for it."""
    if not _is_used(app):
        return

    def wrap(spec: ActionSpec) -> ActionSpec:
        if spec.operation is None:
            return spec
        from densefog_plugins.models.operations.recording import recorded

        return recorded(app, spec, spec.operation)

    # The last one is the outermost: it sees what others make of the call.
    app.action_wrappers.append(wrap)
    from densefog_plugins.models.operations.table import Operation
    from densefog_plugins.models.schema import use_tables

    use_tables(app, Operation)


def _is_used(app: App) -> bool:
    """Return whether operations are recorded: an application asks for it, or operators are told apart by their keys.

    densefog's own actions do not count: every application has them, and many have no table for it.
    """
    marked = [key for key, spec in app.actions.items() if spec.operation is not None]
    asked = any(f" of {HOME} " not in app.actions.owner(key) for key in marked)
    return asked or (bool(marked) and (app.guard is not None or bool(app.mounts)))


@hookimpl
def densefog_tables() -> Iterable[Any]:
    """Return the operation table."""
    from densefog_plugins.models.operations.table import Operation

    return [Operation.__table__]
