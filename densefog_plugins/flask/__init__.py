"""For applications and handlers that are written for Flask.

With ``flask_enabled``, ``flask.request.action`` and ``flask.request.params`` are inside a handler what they are in the
original. And an existing Flask application can serve an API beside its own pages: `blueprint`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from densefog_core import hookimpl, require
from densefog_core.config import Config, Setting

if TYPE_CHECKING:
    from flask import Blueprint

    from densefog_core.server import Api


@hookimpl
def densefog_configure(config: Config) -> None:
    """Declare the setting."""
    config.declare(
        Setting(name="flask_enabled", plugin="flask", type=bool, default=False,
                help="Let handlers ask flask.request for action and params.")
    )


@hookimpl
def densefog_parts(config: Config) -> Iterable[object]:
    """Give each call a request of Flask's."""
    if not config.flask_enabled:
        return []
    require("flask", extra="densefog[flask]")
    from densefog_plugins.flask.requests import FlaskRequests

    return [FlaskRequests()]


def blueprint(api: Api, name: str = "densefog") -> Blueprint:
    """Return a blueprint that serves ``api``: ``app.register_blueprint(blueprint(create_api()), url_prefix="/api")``.

    Args:
        api: the API.
        name: the blueprint's name; each of several APIs needs one of its own.

    Raises:
        MissingDependency: Flask is not installed.
    """
    require("flask", extra="densefog[flask]")
    from densefog_plugins.flask.mount import make_blueprint

    return make_blueprint(api, name)
