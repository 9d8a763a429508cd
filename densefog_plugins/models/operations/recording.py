"""Writes the rows of the operation table, and reads them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from densefog_core import jsontext
from densefog_core.actions import Request
from densefog_core.actions.handlers import ActionSpec
from densefog_core.app import App
from densefog_core.errors.table import INTERNAL, INTERNAL_CODE
from densefog_core.ids import SYSTEM_PROJECT, new_id
from densefog_core.jobs import MAX_TEXT, utcnow
from densefog_core.redact import redact, redact_text
from densefog_plugins.models.database.database import database
from densefog_plugins.models.operations.table import MAX_MESSAGE, Operation
from densefog_plugins.models.sessions import closing_session, savepoint, transaction

#: One in so many operations deletes those that are too old, so many at once.
PRUNE_EVERY, PRUNE_LIMIT = 200, 2000

_INSERT = insert(Operation.__table__)  # type: ignore[arg-type]


def recorded(app: App, spec: ActionSpec, operation: tuple[str, str]) -> ActionSpec:
    """Return an action whose calls leave a row each.

    Args:
        app: the application that serves it.
        spec: the action.
        operation: the type of its resources, and the key of their ids.
    """
    call = spec.call

    def record(request: Request) -> Any:  # noqa: ANN401
        if request.params.get("dryRun") is True:
            # What is only planned is no operation.
            return call(request)
        request.operation_id = new_id("opertn-")
        entry = _Entry(app, spec, operation, request)
        # The reply is decided by then. What fails in there is logged, and changes nothing.
        request.on_teardown(entry.write)
        try:
            entry.result = call(request)
        except BaseException as exc:
            entry.error = exc
            raise
        return entry.result

    return replace(spec, call=record)


class _Entry:
    """One call, from which a row is made when it is over."""

    def __init__(self, app: App, spec: ActionSpec, operation: tuple[str, str], request: Request) -> None:
        self._app, self._spec, self._request = app, spec, request
        self._type, self._key = operation
        self.result: Any = None
        self.error: BaseException | None = None

    def write(self) -> None:
        if self._request.dry_run:
            # It was only planned.
            return
        # A transaction that the handler has left open would be waited for, on SQLite for ever.
        session, row = closing_session(self._request), self._row()
        if session is None:
            database(self._app).run(lambda connection: connection.execute(_INSERT, row))
        elif session.depth:
            # A call in this process, within the caller's transaction: what is rolled back was not done.
            with savepoint():
                session.execute(_INSERT, row)
        else:
            # The connection that the call has used: a second one would cost as much as the row.
            with transaction():
                session.execute(_INSERT, row)
        retention = self._app.config.operations_retention
        if retention is not None and random.random() * PRUNE_EVERY < 1:
            prune(self._app, retention)

    def _row(self) -> dict[str, Any]:
        ret_code, message, data = self._answer()
        request, now = self._request, utcnow()
        params = {name: value for name, value in request.params.items() if name != "action"}
        return {
            "id": request.operation_id,
            "project_id": request.project_id or SYSTEM_PROJECT,
            "access_key": request.access_key or "",
            "action": self._spec.name[:50],
            "params": _dump(redact(params)),
            "resource_type": self._type,
            "resource_ids": _dump(_ids(self._key, data, params)),
            "ret_code": ret_code,
            "ret_message": redact_text(message).replace("\0", "")[:MAX_MESSAGE],
            "created": now,
            "updated": now,
        }

    def _answer(self) -> tuple[int, str, Any]:
        """Return retCode, message and data as the client got them."""
        error = self._request.error or self.error
        if error is None:
            return 0, "", self.result
        if not isinstance(error, Exception):
            return INTERNAL_CODE, INTERNAL, {}
        answer = self._app.errors.answer(error, resource_key=self._spec.resource_key, map_error=self._app.map_error)
        return answer.ret_code, answer.message, answer.data


def _ids(key: str, *sources: object) -> list[Any]:
    for source in sources:
        value = source.get(key) if isinstance(source, Mapping) else None
        if value:
            return list(value) if isinstance(value, list | tuple | set) else [value]
    return []


def _dump(value: object) -> str:
    text = jsontext.dumps(value)
    return text if len(text.encode()) <= MAX_TEXT else jsontext.dumps({"truncated": True, "characters": len(text)})


def prune(app: App, older_than: float, limit: int = PRUNE_LIMIT) -> int:
    """Delete old operations, some of them at most; return how many.

    Args:
        app: the application.
        older_than: seconds.
        limit: rows of one transaction.
    """

    def work(connection: Connection) -> int:
        # By primary key, in order: a DELETE over a range locks what is written meanwhile.
        old = select(Operation.id).where(Operation.created < utcnow() - timedelta(seconds=older_than)).limit(limit)
        ids = sorted(connection.scalars(old))
        return connection.execute(delete(Operation).where(Operation.id.in_(ids))).rowcount if ids else 0

    return database(app).run(work)
