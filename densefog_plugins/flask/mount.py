"""An API as a part of a Flask application."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import flask
from werkzeug.wrappers import Response

from densefog_plugins.flask.requests import learn_calls

if TYPE_CHECKING:
    from densefog_core.server import Api

METHODS = ("GET", "HEAD", "POST", "OPTIONS")


def make_blueprint(api: Api, name: str) -> flask.Blueprint:
    """Return the blueprint; see `densefog_plugins.flask.blueprint`."""
    made = flask.Blueprint(name, __name__)
    made.record(lambda state: learn_calls(cast("flask.Flask", state.app)))

    def serve(path: str = "") -> Response:
        return Response.from_app(api.wsgi_app, _below(path), buffered=True)

    # The API says itself what it thinks of a method and of a slash at the end.
    for rule in ("/", "/<path:path>"):
        made.add_url_rule(
            rule, "serve", serve, methods=METHODS, provide_automatic_options=False, strict_slashes=False
        )
    return made


def _below(path: str) -> dict[str, object]:
    """Return the request's environment as the API would have it if it were served alone."""
    mounted_at = flask.request.path.removesuffix(path).rstrip("/")
    environ = flask.request.environ
    return {**environ, "SCRIPT_NAME": environ["SCRIPT_NAME"] + mounted_at, "PATH_INFO": _wsgi(f"/{path}")}


def _wsgi(text: str) -> str:
    """Return text as PEP 3333 has it in an environment."""
    return text.encode().decode("latin-1")
