"""Flask's request, for the time of a call."""

from __future__ import annotations

import io
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import flask

from densefog_core import hookimpl, jsontext
from densefog_core.context import Request

_KEY = "densefog.request"
_LENT = ("action", "params")


class CallRequest(flask.Request):
    """Flask's request of a call; what it does not have itself, such as ``action`` and ``project_id``, is densefog's."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self.environ[_KEY], name)


class _App(flask.Flask):
    request_class = CallRequest


class FlaskRequests:
    """Takes part in calls; see `densefog_core.hookspecs.densefog_parts`."""

    def __init__(self) -> None:
        self._app = _App("densefog")

    # tryfirst makes it the outermost wrapper: other wrappers may be written for Flask, too.
    @hookimpl(wrapper=True, tryfirst=True)
    def densefog_call_action(self, request: Request) -> Generator[None, Any, Any]:
        """Make ``flask.request`` the call's."""
        # A blueprint serves the API below an application that has made a request already: its own is kept.
        with _borrowed(request) if flask.has_request_context() else self._app.request_context(_environ(request)):
            return (yield)


@contextmanager
def _borrowed(request: Request) -> Iterator[None]:
    """Lend ``action`` and ``params`` to the request that is there."""
    given: dict[str, Any] = flask.request._get_current_object().__dict__  # type: ignore[attr-defined]
    before = {name: value for name, value in given.items() if name in _LENT}
    given.update(action=request.action, params=request.params)
    try:
        yield
    finally:
        for name in _LENT:
            del given[name]
        given.update(before)


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
