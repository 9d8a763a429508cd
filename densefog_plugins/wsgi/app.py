"""An API as a WSGI application (PEP 3333)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from werkzeug.datastructures import EnvironHeaders
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import get_input_stream

from densefog_core.actions import Call, Reply
from densefog_core.actions.dispatching import error_reply
from densefog_core.context import context_id_for
from densefog_core.errors import ValidationError, http_status
from densefog_plugins.wsgi.addresses import called_host, called_path
from densefog_plugins.wsgi.clients import Proxies

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from densefog_core.server import Api

JSON = "application/json; charset=utf-8"
METHODS = "GET, HEAD, POST, OPTIONS"
#: retCode of a request that is refused for its Host or its Origin.
FORBIDDEN = 4103
_STATUS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
_ALWAYS = [("Content-Type", JSON), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]


class Application:
    """The WSGI callable.

    ``POST /``, the path that carries every call, is answered without building werkzeug's request and response: they
    cost as much as all the rest.
    """

    def __init__(self, api: Api) -> None:
        self.api = api
        self._limit = api.app.config.wsgi_body_limit
        self._mapped = api.app.config.http_status == "map"
        self._more_headers = tuple(api.app.response_headers)
        self._hosts = api.hosts
        self._mounts = {prefix: made for prefix, make in api.app.mounts.items() if (made := make(api)) is not None}
        self._proxies = Proxies(api.app.config.trusted_proxies)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if self._more_headers:
            start_response = self._with_more_headers(environ, start_response)
        if self._hosts is not None:
            why = self._hosts.refusal(environ.get("HTTP_HOST"), environ.get("HTTP_ORIGIN"))
            if why is not None:
                return _refused(environ, HTTPStatus.FORBIDDEN, FORBIDDEN, why)(environ, start_response)
        if environ["REQUEST_METHOD"] == "POST":
            path = environ["PATH_INFO"]
            if path in ("/", ""):
                return self._action(environ, start_response, None)
            if path[1:] in self.api.specs:
                return self._action(environ, start_response, path[1:])
        for prefix, mounted in self._mounts.items():
            if environ["PATH_INFO"].startswith(prefix) and environ["PATH_INFO"][len(prefix) :][:1] in ("", "/"):
                return mounted(self._as_called(environ), start_response)
        return self._page(Request(environ))(environ, start_response)

    def _action(
        self, environ: WSGIEnvironment, start_response: StartResponse, action: str | None
    ) -> Iterable[bytes]:
        try:
            body = self._read(environ)
        except RequestEntityTooLarge:
            message = f"the body is larger than {self._limit} bytes"
            refused = _refused(environ, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, ValidationError.ret_code, message)
            return refused(environ, start_response)
        except ClientDisconnected:
            refused = _refused(environ, HTTPStatus.BAD_REQUEST, ValidationError.ret_code, "the body is cut off")
            return refused(environ, start_response)
        reply = self.api.dispatch(self._call(environ, body, action))
        payload = reply.text.encode()
        start_response(
            _STATUS[http_status(reply.ret_code) if self._mapped else 200],
            [*_ALWAYS, ("Content-Length", str(len(payload))), ("X-Request-Id", reply.context_id), *reply.headers],
        )
        return [payload]

    def _call(self, environ: WSGIEnvironment, body: bytes, action: str | None) -> Call:
        query = environ.get("QUERY_STRING")
        proxied = self._proxies.sent(environ)
        return Call(
            body,
            cast("Mapping[str, str]", EnvironHeaders(environ)),
            self._proxies.client(environ),
            action,
            bool(query) and "pretty" in Request(environ).args,
            environ.get("HTTP_X_REQUEST_ID"),
            environ["REQUEST_METHOD"],
            called_host(environ, proxied=proxied),
            called_path(environ, proxied=proxied),
        )

    def _as_called(self, environ: WSGIEnvironment) -> WSGIEnvironment:
        """Return the environment with what the client called, and who it is, as a trusted proxy says it."""
        if not self._proxies.sent(environ):
            return environ
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").strip().lower()
        said = {"REMOTE_ADDR": self._proxies.client(environ), "HTTP_HOST": called_host(environ, proxied=True)}
        return {**environ, **said, **({"wsgi.url_scheme": scheme} if scheme in ("http", "https") else {})}

    def _with_more_headers(self, environ: WSGIEnvironment, start_response: StartResponse) -> StartResponse:
        """Return a ``start_response`` that adds the headers of plugins."""
        given = cast("Mapping[str, str]", EnvironHeaders(environ))
        more = [header for source in self._more_headers for header in source(environ["REQUEST_METHOD"], given)]

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:  # noqa: ANN401 - PEP 3333
            return start_response(status, [*headers, *more], exc_info)

        return start

    def _read(self, environ: WSGIEnvironment) -> bytes:
        """Return the body; werkzeug's reader is for what is chunked, wrong or too large, at ten times the cost."""
        length = environ.get("CONTENT_LENGTH", "")
        if not (length.isdigit() and length.isascii() and int(length) <= self._limit):
            return get_input_stream(environ, max_content_length=self._limit).read()
        body: bytes = environ["wsgi.input"].read(int(length))
        if len(body) < int(length):
            raise ClientDisconnected
        return body

    def _page(self, request: Request) -> Response:
        """Answer what is no action: the banner, the pages of plugins, and errors."""
        marked = {"X-Request-Id": _context_id(request.environ)}
        answer = None
        if request.method in ("GET", "HEAD"):
            answer = self.api.page(request.path, self._call(request.environ, b"", None))
        if answer is not None:
            return Response(answer.body, answer.status, headers=marked, content_type=answer.content_type)
        if request.method == "OPTIONS" and request.path[1:] in self.api.specs:
            return Response(status=204, headers={"Allow": "POST, OPTIONS", **marked})
        if request.path != "/" and request.path not in self.api.app.pages:
            message = f"there is nothing at this address; actions go to POST / of {request.host}"
            return _refused(request.environ, HTTPStatus.NOT_FOUND, 4000, message)
        if request.method == "OPTIONS":
            return Response(status=204, headers={"Allow": METHODS, **marked})
        if request.path == "/" and request.method in ("GET", "HEAD"):
            banner = f"densefog API {self.api.name}: POST / with a JSON object that names an action\n"
            return Response(banner, headers=marked, content_type="text/plain; charset=utf-8")
        message = f"method {request.method[:20]} is not allowed here; actions go to POST /"
        response = _refused(request.environ, HTTPStatus.METHOD_NOT_ALLOWED, 4000, message)
        response.headers["Allow"] = METHODS
        return response


def _context_id(environ: WSGIEnvironment) -> str:
    return context_id_for(environ.get("HTTP_X_REQUEST_ID"))


def _refused(environ: WSGIEnvironment, status: int, ret_code: int, message: str) -> Response:
    """Return an error of HTTP itself, in the envelope."""
    context_id = _context_id(environ)
    reply: Reply = error_reply(ret_code, message, {"exceptionTag": context_id}, context_id)
    return Response(reply.text, status, headers=[*_ALWAYS, ("X-Request-Id", context_id)])
