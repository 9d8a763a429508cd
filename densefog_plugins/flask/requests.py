"""Flask's request, for the time of a call."""

from __future__ import annotations

import io
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import flask

from densefog_core import hookimpl, jsontext
from densefog_core.actions import Request

_KEY = "densefog.request"


class CallRequest(flask.Request):
    """Flask's request of a call; what it does not have itself, such as ``action`` and ``project_id``, is densefog's.

    What is set that is not Flask's is set on densefog's request, too, so that jobs and lists know the project.
    """

    _made = False

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **options)
        self._made = True

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if _KEY not in self.environ:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.environ[_KEY], name)

    def __setattr__(self, name: str, value: object) -> None:
        is_flasks = not self._made or name.startswith("_") or name in vars(self) or hasattr(type(self), name)
        if is_flasks or _KEY not in self.environ:
            super().__setattr__(name, value)
        else:
            setattr(self.environ[_KEY], name, value)


def learn_calls(app: flask.Flask) -> None:
    """Make the requests of an application fit for the calls that it will serve."""
    if not issubclass(app.request_class, CallRequest):
        app.request_class = type("Request", (CallRequest, app.request_class), {})


class FlaskRequests:
    """Takes part in calls; see `densefog_core.hookspecs.densefog_parts`."""

    def __init__(self) -> None:
        self._app = flask.Flask("densefog")
        learn_calls(self._app)

    # tryfirst makes it the outermost wrapper: other wrappers may be written for Flask, too.
    @hookimpl(wrapper=True, tryfirst=True)
    def densefog_call_action(self, request: Request) -> Generator[None, Any, Any]:
        """Make ``flask.request`` the call's."""
        # Below a blueprint its application has made a request already, and in a call within a call this plugin has.
        made = flask.has_request_context() and isinstance(flask.request, CallRequest)
        with _lent(request) if made else self._app.request_context(_environ(request)):
            return (yield)


@contextmanager
def _lent(request: Request) -> Iterator[None]:
    """Let the request of Flask's that is there stand for ``request``."""
    environ = flask.request.environ
    before = environ.get(_KEY)
    environ[_KEY] = request
    try:
        yield
    finally:
        environ.pop(_KEY)
        if before is not None:
            environ[_KEY] = before


def _environ(request: Request) -> dict[str, Any]:
    """Return the call as a WSGI environment."""
    body = jsontext.dumps(request.params).encode()
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()}
    return {
        **headers,
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "densefog",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.remote_addr or "",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        _KEY: request,
    }
