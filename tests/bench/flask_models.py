"""What one writes in Flask with SQLAlchemy for the same request; on the same tables."""

from __future__ import annotations

import hmac
import json
from typing import Any

import flask
import sqlalchemy
from sqlalchemy import func, select
from sqlalchemy.orm import scoped_session, sessionmaker

from densefog_core.ids import new_id
from densefog_core.signing import secret_hash
from densefog_plugins.models.database.engine import create_engine
from densefog_plugins.models.operations.table import Operation
from densefog_plugins.models.projects.tables import AccessKey, Project

PARTS = ("sqlite", "mariadb", "postgresql")


class Server:
    """The application's database.

    Args:
        url: where it is.
        model: the class that is listed.
    """

    def __init__(self, url: str, model: type[Any]) -> None:
        self.engine: sqlalchemy.Engine = create_engine(url)
        self.session = scoped_session(sessionmaker(self.engine))
        self.model = model


def make_flask(server: Server) -> flask.Flask:
    """Return the application."""
    app = flask.Flask(__name__)
    session, model = server.session, server.model

    @app.teardown_appcontext
    def remove(error: BaseException | None) -> None:
        session.remove()

    def authenticate() -> AccessKey | None:
        key = session.get(AccessKey, flask.request.headers.get("X-Le-Key", ""))
        if key is None or key.status != "active":
            return None
        given = secret_hash(key.id, flask.request.headers.get("X-Le-Secret", ""))
        project = session.get(Project, key.project_id)
        right = hmac.compare_digest(given, key.secret_hash) and project is not None and project.status == "active"
        return key if right else None

    def describe(project_id: str, params: dict[str, Any]) -> dict[str, Any]:
        limit, offset = int(params.get("limit", 20)), int(params.get("offset", 0))
        query = select(model).where(model.project_id == project_id, model.status.not_in(("deleted", "ceased")))
        total = session.scalar(select(func.count()).select_from(query.subquery()))
        rows = session.scalars(query.order_by(model.created.desc(), model.id.desc()).limit(limit).offset(offset))
        return {"limit": limit, "offset": offset, "total": total, "diskSet": [row.jsonable() for row in rows]}

    @app.post("/")
    def handle() -> flask.Response:
        params = flask.request.get_json()
        key = authenticate()
        if key is None:
            return flask.jsonify({"data": {}, "retCode": 4101, "message": "Authorization failed."})
        data = describe(key.project_id, params)
        session.add(
            Operation(
                id=new_id("opertn-"), project_id=key.project_id, access_key=key.id, action=params["action"],
                params=json.dumps(params), resource_type="disk", resource_ids="[]", ret_code=0, ret_message="",
            )
        )
        session.commit()
        return flask.jsonify({"data": data, "retCode": 0, "message": None})

    return app
