"""Quotas: taken and given back in the caller's transaction, so that they are right whatever becomes of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sqlalchemy import ColumnElement, Select, or_, select, update

from densefog_core.current import current_app
from densefog_core.errors.project_error import ResourceQuotaNotEnough
from densefog_plugins.models.database.database import database
from densefog_plugins.models.planning.plan import Quota as Taken
from densefog_plugins.models.planning.plan import current_plan
from densefog_plugins.models.quotas.table import UNLIMITED, Quota
from densefog_plugins.models.sessions import ScopedSession, transaction

if TYPE_CHECKING:
    from densefog_core.app import App
    from densefog_core.config import Config

_logger = logging.getLogger("densefog.quotas")


_uncounted: WeakSet[App] = WeakSet()


def counted(config: Config) -> bool:
    """Return whether quotas are counted; settings of plugins that are not installed are off."""
    return any(getattr(config, name, False) for name in ("quotas_enabled", "projects_enabled"))


def _counted() -> bool:
    app = current_app()
    if counted(app.config):
        return True
    if app not in _uncounted:
        _uncounted.add(app)
        _logger.warning("quotas are not counted: neither quotas_enabled nor projects_enabled is set")
    return False


def consume_quota(project_id: str, **wanted: int) -> None:
    """Take from a project's quotas, all or nothing; until the transaction ends, nobody else can take from these.

    Without ``quotas_enabled`` or ``projects_enabled`` nothing is counted, and the log says so once.

    Use it first in a transaction, before the resources' own rows are locked: ``consume_quota(project_id, volume=2,
    gigabytes=20)``.

    Args:
        project_id: whose.
        **wanted: how many of what.

    Raises:
        ResourceQuotaNotEnough: there is not so much left.
        DBLockTimeoutError: somebody else holds the row for too long.
    """
    if not _counted():
        return
    taken: list[str] = []
    refused = None
    with transaction() as session:
        # In one order by everybody, so that two calls cannot wait for each other.
        for resource, want in sorted(wanted.items()):
            if refused := _take(session, project_id, resource, want):
                break
            taken.append(resource)
            if (plan := current_plan()) is not None:
                quota, used = session.execute(_find(project_id, resource, Quota.quota, Quota.used)).one()
                plan.tell("quota", resource, Taken(resource, used - want, want, quota))
        for resource in taken if refused else ():
            _update(session, project_id, resource, used=Quota.used - wanted[resource])
    if refused:
        raise refused


def release_quota(project_id: str, **given: int) -> None:
    """Give back what `consume_quota` took.

    Args:
        project_id: whose.
        **given: how many of what.
    """
    if not _counted():
        return
    with transaction() as session:
        for resource, count in sorted(given.items()):
            used = session.scalar(_find(project_id, resource, Quota.used).with_for_update()) or 0
            if used < count:
                _logger.error("project %s gives back %d %s, but has taken %d", project_id, count, resource, used)
            _update(session, project_id, resource, used=max(used - count, 0))


def set_quota(project_id: str, resource: str, quota: int) -> None:
    """Say how many of something a project may have; what it has already stays, even when that is more.

    Args:
        project_id: whose.
        resource: of what.
        quota: how many; -1 is without a limit.
    """
    with transaction() as session:
        _ensure(session, project_id, resource)
        _update(session, project_id, resource, quota=quota)


def _take(session: ScopedSession, project_id: str, resource: str, want: int) -> ResourceQuotaNotEnough | None:
    """Take what is wanted, or return why not."""
    enough = or_(Quota.quota == UNLIMITED, Quota.used + want <= Quota.quota)
    values = {"used": Quota.used + want}
    if _update(session, project_id, resource, enough, **values):
        return None
    # Once more in any case: somebody else may have added the row between the two.
    _ensure(session, project_id, resource)
    if _update(session, project_id, resource, enough, **values):
        return None
    quota, used = session.execute(_find(project_id, resource, Quota.quota, Quota.used)).one()
    return ResourceQuotaNotEnough(resource, quota, used, want)


def _find(project_id: str, resource: str, *columns: Any) -> Select[Any]:  # noqa: ANN401
    return select(*columns).where(Quota.id == _id(project_id, resource))


def _update(
    session: ScopedSession,
    project_id: str,
    resource: str,
    *conditions: ColumnElement[bool],
    **values: Any,  # noqa: ANN401
) -> bool:
    statement = update(Quota).where(Quota.id == _id(project_id, resource), *conditions).values(**values)
    result: Any = session.execute(statement.execution_options(synchronize_session=False))
    return bool(result.rowcount)


def _ensure(session: ScopedSession, project_id: str, resource: str) -> None:
    """Add the row if it is not there; another transaction may do the same at the same time."""
    quota = getattr(current_app().config, "quotas_default", UNLIMITED)
    row = {"id": _id(project_id, resource), "project_id": project_id, "resource": resource, "quota": quota, "used": 0}
    session.execute(database().dialect.insert_ignoring(Quota.__table__), row)  # type: ignore[arg-type]


def _id(project_id: str, resource: str) -> str:
    return f"{project_id}:{resource}"
