"""Store ``models``: jobs and resources in a SQL database, through SQLAlchemy.

Application authors import from here: ``from densefog_plugins.models import Base, ResourceModel, session,
transaction``. Nothing of SQLAlchemy is imported before one of these names is used.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from densefog_core import hookimpl

if TYPE_CHECKING:
    from densefog_core.app import App, StoreFactory
    from densefog_core.jobs import JobStore
    from densefog_core.registry import Registry
    from densefog_plugins.models.base import Base
    from densefog_plugins.models.batches import batch
    from densefog_plugins.models.listed import listed
    from densefog_plugins.models.listparams import Ids, ListParams
    from densefog_plugins.models.lists import describe
    from densefog_plugins.models.reconciling import reconcile, reconciles
    from densefog_plugins.models.resource import ResourceMixin, ResourceModel, Timestamps, list_index
    from densefog_plugins.models.sessions import lock_for_update, savepoint, session, transaction
    from densefog_plugins.models.waiter import wait_deleted, wait_for

_HOMES = {
    "base": ["Base"],
    "batches": ["batch"],
    "listparams": ["Ids", "ListParams"],
    "listed": ["listed"],
    "lists": ["describe"],
    "reconciling": ["reconcile", "reconciles"],
    "resource": ["ResourceMixin", "ResourceModel", "Timestamps", "list_index"],
    "sessions": ["lock_for_update", "savepoint", "session", "transaction"],
    "waiter": ["wait_deleted", "wait_for"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Base",
    "Ids",
    "ListParams",
    "ResourceMixin",
    "ResourceModel",
    "Timestamps",
    "batch",
    "describe",
    "list_index",
    "listed",
    "lock_for_update",
    "reconcile",
    "reconciles",
    "savepoint",
    "session",
    "transaction",
    "wait_deleted",
    "wait_for",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Import the public names when they are first used (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOME_OF[name]}")
    globals()[name] = getattr(module, name)
    return globals()[name]


@hookimpl
def densefog_register_stores(registry: Registry[StoreFactory]) -> None:
    """Register ``models``."""
    registry.add("models", make_store)


def make_store(app: App) -> JobStore:
    """Return the SQL job store of the application."""
    from densefog_plugins.models.jobstore.store import SQLJobStore

    return SQLJobStore(app)


@hookimpl
def densefog_tables() -> Iterable[Any]:
    """Return the job table, and those of what jobs may use."""
    from densefog_plugins.models.flow import tables
    from densefog_plugins.models.jobstore.table import job

    return [job, *tables()]


@hookimpl
def densefog_startup(app: App) -> None:
    """Hold those actions to it that declare that they only read, and plan what can be planned."""
    from densefog_plugins.models.planning import plannable
    from densefog_plugins.models.reading import reading

    app.action_wrappers.insert(0, reading)
    if app.config.store == "models":
        from densefog_plugins.models.flow import use

        app.action_wrappers.append(plannable)
        use(app)


@hookimpl
def densefog_map_error(error: Exception) -> Exception | None:
    """Answer 4110 where a column cannot hold what the request has."""
    # Without it there was no statement that could fail.
    if f"{__name__}.sessions" not in sys.modules:
        return None
    from densefog_plugins.models.unstorable import refusal

    return refusal(error)


@hookimpl
def densefog_shutdown(app: App) -> None:
    """Close the sessions: a thread that has read outside of a request must not keep the database."""
    # Without it there is none.
    module = sys.modules.get(f"{__name__}.sessions")
    if module is not None:
        module.close_sessions(app)


@hookimpl
def densefog_gauges(app: App) -> Mapping[str, float] | None:
    """Return how many connections are in use, and how many wait to be used."""
    # Without it there is no connection, and SQLAlchemy need not be imported.
    module = sys.modules.get(f"{__name__}.database.database")
    return None if module is None else module.connections(app)
