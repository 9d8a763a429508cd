"""Another key for what is sealed, while everybody goes on; and keys of before 1.0, whose secrets were not sealed."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy import Connection, Row, Select, insert, select, update
from sqlalchemy.orm import InstrumentedAttribute

from densefog_core.app import App
from densefog_core.errors import ConfigError
from densefog_core.errors.iaas_error import InvalidRequestParameter, Unreadable
from densefog_plugins.models.database.database import database
from densefog_plugins.models.projects.proofs import SEALED
from densefog_plugins.models.projects.sealer import sealer
from densefog_plugins.models.projects.tables import DELETED, AccessKey, AccessSecret

#: Rows of one transaction: nobody waits for more.
BATCH = 100

_logger = logging.getLogger("densefog.projects")


def rotate(app: App) -> int:
    """Seal every secret with the first key; return how many there were.

    Raises:
        InvalidRequestParameter: something cannot be sealed, or cannot be opened by any key.
    """
    try:
        return _renew_keys(app) + _migrate_keys(app)
    except Unreadable:
        raise InvalidRequestParameter(
            "No key of setting secret_keys opens a secret; give the key that sealed it, after the others."
        ) from None


def check_secrets(app: App) -> None:
    """Look at start-up whether the keys of the settings are the right ones.

    Raises:
        ConfigError: they are not.
    """
    found = database(app)
    sealed = select(AccessSecret.value).where(AccessSecret.value.startswith(SEALED)).limit(1)
    old = select(AccessKey.id).where(AccessKey.secret_hash != "").limit(1)
    try:
        with found.engine.connect() as connection:
            token, first = connection.scalar(sealed), connection.scalar(old)
    except Exception as exc:
        if not found.is_database_error(exc):
            raise
        # Whether the database is there, and has its tables, is for others to say.
        return
    if first is not None:
        _logger.warning(
            "the database shows the secret of access key %s, and of others of before 1.0; run: densefog projects "
            "rotate-keys", first,
        )
    try:
        if token is not None:
            sealer(app).open(token.removeprefix(SEALED))
    except Unreadable:
        raise ConfigError(
            "setting secret_keys does not have the key that access keys are sealed with; give it here too, or bring "
            "densefog.keys from the machine that made them"
        ) from None


def _renew_keys(app: App) -> int:
    def renew(connection: Connection, row: Row[str, str]) -> int:
        value = SEALED + sealer(app).renew(row.value.removeprefix(SEALED))
        # A key that was rotated or deleted meanwhile is as its owner left it.
        same = (AccessSecret.id == row.id, AccessSecret.value == row.value)
        return connection.execute(update(AccessSecret).where(*same).values(value=value)).rowcount

    rows = select(AccessSecret.id, AccessSecret.value).where(AccessSecret.value.startswith(SEALED))
    return _in_batches(app, rows.order_by(AccessSecret.id), AccessSecret.id, renew)


def _migrate_keys(app: App) -> int:
    def migrate(connection: Connection, row: Row[str, str]) -> int:
        sealed = sealer(app).seal(row.secret_hash)
        if sealed is None:
            raise InvalidRequestParameter("Setting secret_keys is not set: nothing can be sealed.")
        same = (AccessKey.id == row.id, AccessKey.secret_hash == row.secret_hash)
        if not connection.execute(update(AccessKey).where(*same).values(secret_hash="")).rowcount:
            return 0
        connection.execute(insert(AccessSecret), {"id": row.id, "use": "any", "value": SEALED + sealed})
        return 1

    rows = select(AccessKey.id, AccessKey.secret_hash).where(AccessKey.secret_hash != "", AccessKey.status != DELETED)
    return _in_batches(app, rows.order_by(AccessKey.id), AccessKey.id, migrate)


def _in_batches(
    app: App,
    rows: Select[str, str],
    column: InstrumentedAttribute[str],
    change: Callable[[Connection, Row[str, str]], int],
) -> int:
    """Change the rows, so many in a transaction; return how many were changed."""
    count, after = 0, ""
    while True:

        def batch(connection: Connection, after: str = after) -> tuple[int, str]:
            found = connection.execute(rows.where(column > after).limit(BATCH)).all()
            return sum(change(connection, row) for row in found), found[-1].id if len(found) == BATCH else ""

        changed, after = database(app).run(batch)
        count += changed
        if not after:
            return count
