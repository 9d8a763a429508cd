"""Who calls? Answered from one row, at the same cost and in the same words whatever is wrong with the key."""

from __future__ import annotations

import hashlib
import logging
import random
import re
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from densefog_core.actions import Request
from densefog_core.actions.keys import KeyState
from densefog_core.app import App
from densefog_core.config import Config
from densefog_core.errors.iaas_error import Unreadable
from densefog_core.errors.project_error import (
    AccessKeyExpired,
    AccessKeyInvalid,
    BaseAccessKeyException,
    ManageAccessKeyInvalid,
)
from densefog_core.jobs import utcnow
from densefog_plugins.models.database.database import database
from densefog_plugins.models.database.dialects import is_duplicate
from densefog_plugins.models.projects.proofs import INPUT, MAX_HEADER, Kept, check
from densefog_plugins.models.projects.sealer import Sealer
from densefog_plugins.models.projects.tables import (
    ACTIVE,
    MANAGE,
    PROJECT,
    READER,
    AccessKey,
    AccessSecret,
    Nonce,
    Project,
)
from densefog_plugins.models.sessions import current_session, end_reads

#: Characters of an access key's id.
MAX_KEY = 32
#: Keys of the first scheme that are warned of once each.
MAX_WARNED = 1000
#: One in so many signed requests deletes nonces whose window is over, so many at once.
PRUNE_EVERY, PRUNE_LIMIT = 100, 1000

_logger = logging.getLogger("densefog.projects")


class Authenticator:
    """Checks the access key of a request, and sets ``request.project_id`` and ``request.access_key``."""

    def __init__(self, config: Config) -> None:
        self._manage_apis = frozenset(config.projects_manage_apis)
        self._key_header: str = config.projects_key_header
        self._secret_header: str = config.projects_secret_header
        self._window = timedelta(seconds=config.projects_window)
        self._sealer: Sealer | None = None
        self._warned: set[str] = set()

    def start(self, sealer: Sealer) -> None:
        """Take what opens the secrets that are kept sealed."""
        self._sealer = sealer

    def key_of(self, request: Request) -> str:
        """Return the id of the key that a request names: in a header of its own, or in an RFC 9421 signature."""
        key = request.headers.get(self._key_header)
        if key is None and (described := request.headers.get(INPUT)):
            found = _keyid(described[:MAX_HEADER])
            key = found[1] if found else None
        return (key or "")[:MAX_KEY]

    def __call__(self, request: Request) -> None:
        """Authenticate a request.

        Raises:
            AccessKeyInvalid: the key is absent, unknown or deleted, its secret or its signature is wrong, the signature
                is too old or was used before, or the project is deleted.
            ManageAccessKeyInvalid: the same on an API for operators; also for a project's key.
            AccessKeyExpired: the key and its secret were right once.
        """
        manage = request.api in self._manage_apis
        key = request.claimed_key
        row = _find(key)
        secret = request.headers.get(self._secret_header) or ""
        proof = check(request, key, _kept(row), self._open, secret=secret, window=self._window)
        if not (proof.right and row is not None and row.id == key and _is_active(row, manage=manage)):
            raise _refusal(manage)(key)
        if row.expires is not None and row.expires <= utcnow():
            raise AccessKeyExpired(key)
        if proof.nonce is not None and not self._is_new(key, proof.nonce):
            _logger.warning("a request signed with access key %s was sent twice", key)
            raise _refusal(manage)(key)
        if proof.old:
            self._warn(key)
        request.access_key, request.key_kind = key, row.kind
        request.project_id = None if manage else row.project_id

    def _open(self, sealed: str) -> str:
        if self._sealer is None:
            raise Unreadable
        return self._sealer.open(sealed)

    def _warn(self, key: str) -> None:
        if key not in self._warned and len(self._warned) < MAX_WARNED:
            self._warned.add(key)
            _logger.warning(
                "access key %s signs without host and API; densefog 1.2 will refuse that: see densefog_core.signing",
                key,
            )

    def _is_new(self, key: str, nonce: str) -> bool:
        """Remember a nonce; False when it is remembered already. Only right signatures come here, or anyone could
        fill it.
        """
        row = {"id": hashlib.sha256(f"{key}\0{nonce}".encode()).hexdigest(), "created": utcnow()}

        def remember(connection: Connection) -> None:
            connection.execute(insert(Nonce), row)

        try:
            database().run(remember)
        except Exception as exc:
            if not is_duplicate(exc):
                raise
            return False
        if random.random() * PRUNE_EVERY < 1:
            database().run(self._prune)
        return True

    def _prune(self, connection: Connection) -> None:
        # A date may lie a window in the future, and is good for a window after that.
        old = select(Nonce.id).where(Nonce.created < utcnow() - 3 * self._window).limit(PRUNE_LIMIT)
        connection.execute(delete(Nonce).where(Nonce.id.in_(sorted(connection.scalars(old)))))


_keyid = re.compile(r';keyid="([A-Za-z0-9._-]{1,32})"').search
_keys, _projects, _secrets = AccessKey.__table__.c, Project.__table__.c, AccessSecret.__table__.c
#: Made once: to put it together costs as much as to run it.
_BY_KEY = (
    select(
        _keys.id, _keys.secret_hash, _keys.project_id, _keys.kind, _keys.status, _keys.expires,
        _projects.status.label("project_status"), _secrets.use, _secrets.value,
    )
    .select_from(
        AccessKey.__table__.outerjoin(Project.__table__, _projects.id == _keys.project_id).outerjoin(
            AccessSecret.__table__, _secrets.id == _keys.id
        )
    )
    .where(_keys.id == bindparam("key"))
)


def _find(key: str) -> Any:  # noqa: ANN401 - a row
    return current_session().execute(_BY_KEY, {"key": key.replace("\0", "?")}).first()


def key_state(app: App, key: str) -> KeyState | None:
    """Return what is known of a key in force, whose secret nobody has shown; None of another one."""

    def read(connection: Connection) -> Any:  # noqa: ANN401 - a row
        return connection.execute(_BY_KEY, {"key": key.replace("\0", "?")}).first()

    # One connection at a time: who waits for a second one holds up those who wait for the first.
    end_reads()
    row = database(app).run(read, read_only=True)
    if row is None or row.id != key or not _is_active(row, manage=row.kind != PROJECT):
        return None
    if row.expires is not None and row.expires <= utcnow():
        return None
    return KeyState(row.kind, hashlib.sha256(_kept(row).value.encode()).hexdigest())


def _kept(row: Any) -> Kept:  # noqa: ANN401 - a row
    """Return what is kept of a key's secret; a key of before 1.0 has it in a column of its own."""
    if row is None:
        return Kept("any", "")
    return Kept(row.use, row.value) if row.value else Kept("any", row.secret_hash)


def _is_active(row: Any, *, manage: bool) -> bool:  # noqa: ANN401 - a row
    kinds = (MANAGE, READER) if manage else (PROJECT,)
    return row.kind in kinds and row.status == ACTIVE and (manage or row.project_status == ACTIVE)


def _refusal(manage: bool) -> type[BaseAccessKeyException]:
    return ManageAccessKeyInvalid if manage else AccessKeyInvalid
