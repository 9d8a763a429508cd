"""The Flask application: one call in, one answer out."""

from __future__ import annotations

import json
from typing import Any

from flask import Flask, Response, current_app, g, request

from tests.bench.plain import actions, errors  # noqa: F401 - actions register themselves
from tests.bench.plain.calls import ACTIONS
from tests.bench.plain.control import authenticate, record
from tests.bench.plain.database import connect, new_id, session
from tests.bench.plain.replies import Reply
from tests.bench.plain.work import celery


def create_app(config: dict[str, Any]) -> Flask:
    """Return the application.

    Args:
        config: ``DATABASE_URL``; ``PROVIDER_ROOT``, ``PROVIDER_DELAY``, ``PROVIDER_FAIL`` and ``PROVIDER_LOSE``;
            ``RETRY_SECONDS`` and ``POLL_SECONDS`` of tasks; ``CELERY``, Celery's own settings.
    """
    app = Flask("plain")
    app.config.from_mapping(RETRY_SECONDS=2, POLL_SECONDS=0.5)
    app.config.from_mapping(config)
    connect(app.config["DATABASE_URL"])
    celery.conf.update(app.config["CELERY"])
    celery.flask_app = app
    app.add_url_rule("/", view_func=serve, methods=["POST"])
    app.teardown_appcontext(lambda error: session.remove())
    return app


def serve() -> Response:
    """Answer one call."""
    g.context_id = new_id("ctx-", 4)
    try:
        reply = answer(body())
    except Exception as error:
        reply = refusal(error)
    if reply.code:
        reply.data["exceptionTag"] = g.context_id
    text = json.dumps({"data": reply.data, "retCode": reply.code, "message": reply.message})
    headers = {"X-Request-Id": g.context_id}
    return Response(text, headers=headers, content_type="application/json; charset=utf-8")


def body() -> dict[str, Any]:
    """Return what the client has sent."""
    try:
        found = json.loads(request.get_data())
    except ValueError as error:
        raise errors.IllegalRequest(("", f"the body is not JSON: {error}")) from None
    if not isinstance(found, dict):
        raise errors.IllegalRequest(("", "the body must be a JSON object"))
    if "action" not in found:
        raise errors.IllegalRequest(("", "'action' is a required property"))
    if not isinstance(found["action"], str):
        raise errors.IllegalRequest(("/action", "must be a string"))
    return found


def answer(params: dict[str, Any]) -> Reply:
    """Carry out a call in one transaction, and record it in another one."""
    name = params.pop("action")
    if name not in ACTIONS:
        raise errors.UnknownAction(name[:50])
    action, g.after_commit = ACTIONS[name], []
    with session.begin():
        authenticate()
    try:
        with session.begin():
            reply = action(params)
        for send in g.after_commit:
            send()
    except Exception as error:
        reply = refusal(error)
    if action.kind is not None:
        with session.begin():
            record(name, action.kind, params, reply)
    return reply


def refusal(error: Exception) -> Reply:
    """Return what a client is told of an error; what it should know nothing of goes to the log."""
    if not isinstance(error, errors.ApiError):
        current_app.logger.exception("call %s failed", g.context_id, exc_info=error)
        error = errors.ApiError()
    return Reply(dict(error.data), error.code, str(error))
