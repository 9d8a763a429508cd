"""Who may call, how much of what, and what was called: access keys, quotas, operations, client tokens."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from flask import g, request
from sqlalchemy import String, Text, delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from tests.bench.plain import errors
from tests.bench.plain.database import Base, Timestamps, new_id, session, utcnow
from tests.bench.plain.replies import Reply

#: What the secret of a key is compared with that does not exist.
NOBODY = "0" * 64
UNLIMITED = -1
MAX_TOKEN = 64


class Project(Timestamps, Base):
    """Whom resources belong to."""

    __tablename__ = "project"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    status: Mapped[str] = mapped_column(String(10), default="active")


class AccessKey(Timestamps, Base):
    """What a client proves to have, and whom it then acts for."""

    __tablename__ = "access_key"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    project_id: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(10), default="active")
    secret_hash: Mapped[str] = mapped_column(String(64))
    expires: Mapped[datetime | None]


class Quota(Base):
    """How many of something a project may have, and has."""

    __tablename__ = "quota"

    project_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    resource: Mapped[str] = mapped_column(String(50), primary_key=True)
    quota: Mapped[int] = mapped_column(default=UNLIMITED)
    used: Mapped[int] = mapped_column(default=0)


class Operation(Timestamps, Base):
    """One call of an action that writes."""

    __tablename__ = "operation"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    project_id: Mapped[str] = mapped_column(String(32), index=True)
    access_key: Mapped[str] = mapped_column(String(32))
    action: Mapped[str] = mapped_column(String(50))
    params: Mapped[str] = mapped_column(Text)
    resource_type: Mapped[str] = mapped_column(String(50))
    resource_ids: Mapped[str] = mapped_column(Text)
    ret_code: Mapped[int]
    ret_message: Mapped[str] = mapped_column(String(100))


class ClientToken(Base):
    """What was asked for under a token, and how it was answered."""

    __tablename__ = "client_token"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    params_hash: Mapped[str] = mapped_column(String(64))
    reply: Mapped[str] = mapped_column(Text, default="")
    expires: Mapped[datetime] = mapped_column(index=True)


def secret_hash(key: str, secret: str) -> str:
    """Return what is kept of a secret."""
    return hmac.new(key.encode(), secret.encode(), hashlib.sha256).hexdigest()


def authenticate() -> None:
    """Find out who calls, in the same words whatever is wrong with the key."""
    given = request.headers.get("X-Le-Key", "")
    key = session.get(AccessKey, given)
    hashed = secret_hash(given, request.headers.get("X-Le-Secret", ""))
    right = hmac.compare_digest(hashed, NOBODY if key is None else key.secret_hash)
    if not right or key is None or key.status != "active":
        raise errors.AccessKeyError(given)
    project = session.get(Project, key.project_id)
    if project is None or project.status != "active":
        raise errors.AccessKeyError(given)
    if key.expires is not None and key.expires <= utcnow():
        raise errors.AccessKeyExpired(given)
    g.access_key, g.project_id = key.id, key.project_id


def take_quota(**wanted: int) -> None:
    """Take from the caller's quotas, in one order by everybody; nobody else can until the transaction ends."""
    for resource, want in sorted(wanted.items()):
        quota = _locked(g.project_id, resource)
        if quota.quota != UNLIMITED and quota.used + want > quota.quota:
            raise errors.QuotaNotEnough(resource, quota.quota, quota.used, want)
        quota.used += want


def release_quota(project_id: str, **given: int) -> None:
    """Give back what was taken."""
    for resource, count in sorted(given.items()):
        quota = _locked(project_id, resource)
        quota.used = max(quota.used - count, 0)


def _locked(project_id: str, resource: str) -> Quota:
    key = (project_id, resource)
    found = session.get(Quota, key, with_for_update=True, populate_existing=True)
    if found is None:
        # Two first calls of a project may come at once.
        with contextlib.suppress(IntegrityError), session.begin_nested():
            session.add(Quota(project_id=project_id, resource=resource))
        found = session.get_one(Quota, key, with_for_update=True, populate_existing=True)
    return found


def record(action: str, kind: str, params: dict[str, Any], reply: Reply) -> None:
    """Write down a call and how it was answered."""
    key = f"{kind}Ids"
    ids = reply.data.get(key) or params.get(key) or []
    session.add(
        Operation(
            id=new_id("opertn-"), project_id=g.project_id, access_key=g.access_key, action=action,
            params=json.dumps(params), resource_type=kind, resource_ids=json.dumps(ids), ret_code=reply.code,
            ret_message=(reply.message or "")[:100],
        )
    )


def once(action: str, token: object, params: dict[str, Any], call: Callable[[], Reply]) -> Reply:
    """Carry out a call, or return what it was answered with when it came with this token before."""
    if not isinstance(token, str) or not 0 < len(token) <= MAX_TOKEN:
        raise errors.IllegalRequest(("/clientToken", f"must be a text of 1 to {MAX_TOKEN} characters"))
    row = ClientToken(
        id=_sha256(g.project_id, action, token),
        params_hash=_sha256(token, json.dumps(params, sort_keys=True)),
        expires=utcnow() + timedelta(hours=24),
    )
    session.execute(delete(ClientToken).where(ClientToken.id == row.id, ClientToken.expires <= utcnow()))
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        known = session.get_one(ClientToken, row.id)
        if known.params_hash != row.params_hash:
            raise errors.InvalidParameter("This clientToken was used with other parameters.") from None
        return Reply(**json.loads(known.reply))
    reply = call()
    row.reply = json.dumps(asdict(reply))
    return reply


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
