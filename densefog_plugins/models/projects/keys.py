"""Projects and access keys: made, changed and deleted."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TypeVar, cast

from sqlalchemy import delete, select

from densefog_core.current import current_app
from densefog_core.errors.iaas_error import InvalidRequestParameter
from densefog_core.errors.project_error import (
    AccessKeyDuplicated,
    AccessKeyNotFound,
    ProjectDuplicated,
    ProjectNotFound,
)
from densefog_core.ids import SYSTEM_PROJECT, new_id, random_chars
from densefog_core.jobs import utcnow
from densefog_core.signing import secret_hash
from densefog_plugins.models.projects.proofs import PUBLIC, SEALED, Kept, Use, hashed, public_half
from densefog_plugins.models.projects.sealer import sealer
from densefog_plugins.models.projects.tables import DELETED, MANAGE, PROJECT, READER, AccessKey, AccessSecret, Project
from densefog_plugins.models.sessions import current_session, transaction

R = TypeVar("R", Project, AccessKey)

#: Characters of a new key's id and secret; 40 of the alphabet's 57 carry 233 bits.
KEY_CHARS, SECRET_CHARS = 20, 40
#: Ids that no project and no key may have: what belongs to no project has the first one.
SYSTEM_IDS = frozenset((SYSTEM_PROJECT, "densefog", "system", "manage", "-"))

_is_id = re.compile(r"[A-Za-z0-9._-]{1,32}").fullmatch


@transaction
def create_project(project_id: str | None = None, name: str = "") -> Project:
    """Add a project.

    Args:
        project_id: its id; None makes one.
        name: for people.

    Raises:
        InvalidRequestParameter: the id cannot be a project's.
        ProjectDuplicated: there is one of this id, or was.
    """
    session = current_session()
    project_id = _checked(project_id or new_id("prj-"), "projectId")
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
    read_only: bool = False,
    use: Use | None = None,
    public_key: str | None = None,
) -> tuple[AccessKey, str]:
    """Add an access key; return it and its secret, which cannot be shown again.

    Args:
        project_id: whose; None makes a key for the APIs of operators.
        key: its id, when clients have it already; None makes one.
        secret: its secret, likewise.
        name: for people.
        expires: naive UTC; None is never.
        read_only: a key for the APIs of operators may call what reads, and nothing else.
        use: how it may be used: ``any`` way, its secret in a ``header`` only, or a ``signature`` only. None is any
            way, or where secrets cannot be sealed, header.
        public_key: the public half of an Ed25519 key; the secret is then the other half, which only the client has,
            and the empty string is returned.

    Raises:
        InvalidRequestParameter: the id cannot be a key's, the public key is none, or the secret cannot be kept so that
            it can check signatures.
        ProjectNotFound: there is no such project.
        AccessKeyDuplicated: there is a key of this id, or was.
    """
    session = current_session()
    if project_id is not None and read_only:
        raise InvalidRequestParameter("Only keys for operators may be readOnly: give manage.")
    if project_id is not None:
        _find_project(project_id)
    key = _checked(key or random_chars(KEY_CHARS), "accessKey")
    if _taken(AccessKey, key):
        raise AccessKeyDuplicated(key)
    secret = "" if public_key else secret or random_chars(SECRET_CHARS)
    kept = Kept("signature", public_half(public_key)) if public_key else _keep(key, secret, use)
    row = AccessKey(
        id=key, project_id=project_id or SYSTEM_PROJECT, kind=_kind(project_id, read_only=read_only),
        name=name, expires=expires,
    )
    session.add_all([row, AccessSecret(id=key, use=kept.use, value=kept.value)])
    session.flush()
    return row, secret


def _kind(project_id: str | None, *, read_only: bool) -> str:
    if project_id is not None:
        return PROJECT
    return READER if read_only else MANAGE


def _keep(key: str, secret: str, use: Use | None) -> Kept:
    """Return what is kept of a secret for the use that is made of it."""
    if use == "header":
        return Kept(use, hashed(secret))
    sealed = sealer(current_app()).seal(secret_hash(key, secret))
    if sealed is not None:
        return Kept(use or "any", SEALED + sealed)
    if use is not None:
        raise InvalidRequestParameter("Setting secret_keys is not set, so no key can sign; make it for use header.")
    return Kept("header", hashed(secret))


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
        InvalidRequestParameter: its secret is its client's.
    """
    row, secret = _find_key(key), random_chars(SECRET_CHARS)
    before = current_session().get(AccessSecret, key)
    if before is not None and before.value.startswith(PUBLIC):
        raise InvalidRequestParameter("The client has the secret of this key; make another key, with publicKey.")
    kept = _keep(key, secret, None if before is None else cast("Use", before.use))
    row.secret_hash = ""
    current_session().merge(AccessSecret(id=key, use=kept.use, value=kept.value))
    return secret


@transaction
def delete_key(key: str) -> None:
    """Delete a key: it is refused from now on, and its id stays taken.

    Raises:
        AccessKeyNotFound: there is none.
    """
    row = _find_key(key)
    row.status, row.secret_hash = DELETED, ""
    current_session().execute(delete(AccessSecret).where(AccessSecret.id == key))


def _checked(name: str, what: str) -> str:
    if not _is_id(name) or name.lower() in SYSTEM_IDS:
        raise InvalidRequestParameter(
            f"{what} must have 1 to 32 of A-Z a-z 0-9 . _ - and must not be one of densefog's own."
        )
    return name


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
