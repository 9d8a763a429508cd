"""Projects and access keys: made, changed and deleted."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from sqlalchemy import select

from densefog_core.errors.project_error import (
    AccessKeyDuplicated,
    AccessKeyNotFound,
    ProjectDuplicated,
    ProjectNotFound,
)
from densefog_core.ids import SYSTEM_PROJECT, new_id, random_chars
from densefog_core.jobs import utcnow
from densefog_core.signing import secret_hash
from densefog_plugins.models.projects.tables import DELETED, MANAGE, PROJECT, AccessKey, Project
from densefog_plugins.models.sessions import current_session, transaction

R = TypeVar("R", Project, AccessKey)

#: Characters of a new key's id and secret; 40 of the alphabet's 57 carry 233 bits.
KEY_CHARS, SECRET_CHARS = 20, 40


@transaction
def create_project(project_id: str | None = None, name: str = "") -> Project:
    """Add a project.

    Args:
        project_id: its id; None makes one.
        name: for people.

    Raises:
        ProjectDuplicated: there is one of this id, or was.
    """
    session = current_session()
    project_id = project_id or new_id("prj-")
    if _taken(Project, project_id):
        raise ProjectDuplicated(project_id)
    project = Project(id=project_id, name=name)
    session.add(project)
    session.flush()
    return project


@transaction
def delete_project(project_id: str) -> None:
    """Delete a project: its keys are refused from now on; its id stays taken, for its resources are still there.

    Raises:
        ProjectNotFound: there is none.
    """
    _find_project(project_id).status = DELETED


@transaction
def create_key(
    project_id: str | None,
    *,
    key: str | None = None,
    secret: str | None = None,
    name: str = "",
    expires: datetime | None = None,
) -> tuple[AccessKey, str]:
    """Add an access key; return it and its secret, which is never to be had again.

    Args:
        project_id: whose; None makes a key for the APIs of operators.
        key: its id, when clients have it already; None makes one.
        secret: its secret, likewise.
        name: for people.
        expires: naive UTC; None is never.

    Raises:
        ProjectNotFound: there is no such project.
        AccessKeyDuplicated: there is a key of this id, or was.
    """
    session = current_session()
    if project_id is not None:
        _find_project(project_id)
    key, secret = key or random_chars(KEY_CHARS), secret or random_chars(SECRET_CHARS)
    if _taken(AccessKey, key):
        raise AccessKeyDuplicated(key)
    row = AccessKey(
        id=key, project_id=project_id or SYSTEM_PROJECT, kind=MANAGE if project_id is None else PROJECT,
        secret_hash=secret_hash(key, secret), name=name, expires=expires,
    )
    session.add(row)
    session.flush()
    return row, secret


@transaction
def expire_key(key: str, expires: datetime | None = None) -> AccessKey:
    """Let a key end, now or at another time.

    Raises:
        AccessKeyNotFound: there is none.
    """
    row = _find_key(key)
    row.expires = expires or utcnow()
    return row


@transaction
def rotate_key(key: str) -> str:
    """Give a key a new secret and return it; the one before is refused from now on.

    Raises:
        AccessKeyNotFound: there is none.
    """
    row, secret = _find_key(key), random_chars(SECRET_CHARS)
    row.secret_hash = secret_hash(key, secret)
    return secret


@transaction
def delete_key(key: str) -> None:
    """Delete a key: it is refused from now on, and its id stays taken.

    Raises:
        AccessKeyNotFound: there is none.
    """
    row = _find_key(key)
    row.status, row.secret_hash = DELETED, ""


def _find_project(project_id: str) -> Project:
    found = _find(Project, project_id)
    if found is None:
        raise ProjectNotFound(project_id)
    return found


def _find_key(key: str) -> AccessKey:
    found = _find(AccessKey, key)
    if found is None:
        raise AccessKeyNotFound(key)
    return found


def _find(model: type[R], row_id: str) -> R | None:
    """Return a row that is not deleted, locked."""
    query = select(model).where(model.id == row_id, model.status != DELETED).with_for_update()
    row = current_session().scalar(query)
    return row if row is not None and row.id == row_id else None


def _taken(model: type[R], row_id: str) -> bool:
    return current_session().scalar(select(model.id).where(model.id == row_id)) is not None
