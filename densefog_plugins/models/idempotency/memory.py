"""Carries out a call once for each token.

The token's row is inserted first, in the transaction in which the action does its work, and gets the reply before
that commits. So the work and the memory of it are there together or not at all, whatever dies in between; and a twin
that comes meanwhile waits at the unique row until it knows which of the two.
"""

from __future__ import annotations

import hashlib
import hmac
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from densefog_core import jsontext
from densefog_core.actions import Request
from densefog_core.actions.dispatching import illegal
from densefog_core.actions.handlers import ActionSpec
from densefog_core.app import App
from densefog_core.errors import ClientRequestException, DBLockTimeoutError, HandleError
from densefog_core.errors.iaas_error import ActionsPartialSuccessError, InvalidRequestParameter
from densefog_core.jobs import utcnow
from densefog_core.redact import redact
from densefog_plugins.models.database.database import database
from densefog_plugins.models.idempotency.table import ClientToken
from densefog_plugins.models.planning.plan import current_plan
from densefog_plugins.models.sessions import ScopedSession, savepoint, transaction

NAME = "clientToken"
MAX_TOKEN = 64
#: One in so many new tokens deletes those that are forgotten, so many at once.
PRUNE_EVERY, PRUNE_LIMIT = 100, 1000


class ClientTokenBusy(ClientRequestException):
    """A call with this clientToken still runs. Send it again later."""

    ret_code = 4105


def remembered(app: App, spec: ActionSpec) -> ActionSpec:
    """Return an action that takes a ``clientToken``.

    Args:
        app: the application that serves it.
        spec: the action.
    """
    call = spec.call
    memory = _Memory(app, spec)

    def once(request: Request) -> Any:  # noqa: ANN401
        params = dict(request.params)
        if NAME not in params:
            return call(request)
        token = params.pop(NAME)
        if not isinstance(token, str) or not 0 < len(token) <= MAX_TOKEN:
            raise illegal(f"/{NAME}", f"must be a text of 1 to {MAX_TOKEN} characters")
        request.params = params
        return memory.carry_out(request, token, call)

    token_schema = {"type": "string", "minLength": 1, "maxLength": MAX_TOKEN}
    schema = spec.params_schema or {"type": "object"}
    schema = {**schema, "properties": {**schema.get("properties", {}), NAME: token_schema}}
    return replace(spec, call=once, params_schema=schema)


class _Memory:
    """The tokens of one action."""

    def __init__(self, app: App, spec: ActionSpec) -> None:
        self._app, self._spec = app, spec

    def carry_out(self, request: Request, token: str, call: Callable[[Request], Any]) -> Any:  # noqa: ANN401
        """Carry out a call, or return what it was answered with before.

        Raises:
            ClientTokenBusy: it is being carried out.
            InvalidRequestParameter: the token was used with other parameters.
        """
        row = self._row(request, token)
        with transaction() as session:
            plan = current_plan()
            if not self._is_first(session, row):
                if plan is not None:
                    plan.repeated = True
                return self._reply_again(session, row)
            try:
                data = call(request)
            except ActionsPartialSuccessError as exc:
                self._remember(session, row, {"error": self._described(exc)})
                raise
            self._remember(session, row, {"data": data})
        if plan is None and random.random() * PRUNE_EVERY < 1:
            database(self._app).run(_prune)
        return data

    def _row(self, request: Request, token: str) -> dict[str, Any]:
        about = "\0".join((request.project_id or "", request.api, self._spec.name, token))
        params = jsontext.dumps(request.params, pretty=True)
        return {
            "id": hashlib.sha256(about.encode()).hexdigest(),
            "params_hash": hmac.new(token.encode(), params.encode(), hashlib.sha256).hexdigest(),
            "reply": "",
            "expires": utcnow() + timedelta(seconds=self._app.config.idempotency_retention),
        }

    def _is_first(self, session: ScopedSession, row: dict[str, Any]) -> bool:
        try:
            with savepoint():
                session.execute(insert(ClientToken), [row])
        except IntegrityError:
            forgotten = update(ClientToken).where(ClientToken.id == row["id"], ClientToken.expires <= utcnow())
            return _changed(session, forgotten.values(**row))
        except DBLockTimeoutError:
            raise ClientTokenBusy from None
        return True

    @staticmethod
    def _reply_again(session: ScopedSession, row: dict[str, Any]) -> Any:  # noqa: ANN401
        known = session.execute(
            select(ClientToken.params_hash, ClientToken.reply).where(ClientToken.id == row["id"])
        ).first()
        if known is None or not known.reply:
            raise ClientTokenBusy
        if not hmac.compare_digest(known.params_hash, row["params_hash"]):
            raise InvalidRequestParameter(f"This {NAME} was used with other parameters.")
        reply = jsontext.loads(known.reply)
        if "error" in reply:
            raise HandleError(**reply["error"])
        return reply["data"]

    @staticmethod
    def _remember(session: ScopedSession, row: dict[str, Any], reply: dict[str, Any]) -> None:
        text = jsontext.dumps(redact(jsontext.loads(jsontext.dumps(reply))))
        session.execute(_quietly(update(ClientToken).where(ClientToken.id == row["id"]).values(reply=text)))

    def _described(self, error: ActionsPartialSuccessError) -> dict[str, Any]:
        answer = self._app.errors.answer(error, resource_key=self._spec.resource_key, map_error=self._app.map_error)
        del answer.data["exceptionTag"]
        return {"message": answer.message, "ret_code": answer.ret_code, "data": answer.data}


def _quietly(statement: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's types of statements
    return statement.execution_options(synchronize_session=False)


def _changed(session: ScopedSession, statement: Any) -> bool:  # noqa: ANN401
    result: Any = session.execute(_quietly(statement))
    return bool(result.rowcount)


def _prune(connection: Connection) -> None:
    old = select(ClientToken.id).where(ClientToken.expires <= utcnow()).limit(PRUNE_LIMIT)
    ids = sorted(connection.scalars(old))
    if ids:
        # Not those that a call has taken over meanwhile.
        connection.execute(delete(ClientToken).where(ClientToken.id.in_(ids), ClientToken.expires <= utcnow()))
